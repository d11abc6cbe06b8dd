//! Which of a wasm's data only its second module reads ([`crate::split`]).
//!
//! The linker is told to keep its relocations: each names the place where it wrote an address, in a function's code or in
//! data, and the object that the address is of. So it is known what a function can reach:
//!
//! ```text
//! functions of the first module ──code relocations──► objects ──data relocations──► objects …
//! ```
//!
//! What is not reached so goes to the second module. The relocations are the linker's, and wasm-bindgen writes a new module
//! with other function numbers: names tell which functions are which, and addresses stay.

use crate::run::{Fault, fault};
use crate::wasm::{Module, Reader, section};
use std::collections::BTreeSet;
use std::ops::Range;

/// An object's number in the linker's table of symbols.
type Symbol = u32;

/// Relocations of `llvm/BinaryFormat/WasmRelocs.def` that write an address, and have something added to it.
const ADDRESSES: [u8; 3] = [3, 4, 5];
/// The same that write something else: functions, types, globals, tags, table places.
const OTHERS: [u8; 8] = [0, 1, 2, 6, 7, 10, 13, 20];
/// Symbols of the linking section: functions, data, globals, sections, tags, tables.
mod symbol {
    pub const FUNCTION: u8 = 0;
    pub const DATA: u8 = 1;
    pub const SECTION: u8 = 3;
    pub const TABLE: u8 = 5;
    pub const UNDEFINED: u32 = 0x10;
    pub const EXPLICIT_NAME: u32 = 0x40;
}

/// A stretch of memory that the module fills.
pub struct Segment<'a> {
    /// Where in memory.
    pub at: u32,
    /// With what.
    pub bytes: &'a [u8],
    /// Where these are in the section.
    offset: u32,
}

/// The stretches that a module fills.
pub fn segments<'a>(module: &Module<'a>) -> Result<Vec<Segment<'a>>, Fault> {
    let mut all = Vec::new();
    let Some(content) = module.section_bytes(section::DATA) else { return Ok(all) };
    let mut reader = Reader::new(content);
    for _ in 0..reader.number()? {
        if reader.number()? != 0 || reader.byte()? != 0x41 {
            return Err(fault("the wasm fills memory in a way unknown to us"));
        }
        let at = reader.number()?;
        if reader.byte()? != 0x0b {
            return Err(fault("the wasm fills memory in a way unknown to us"));
        }
        let bytes = reader.counted()?;
        all.push(Segment { at, bytes, offset: (reader.at() - bytes.len()) as u32 });
    }
    Ok(all)
}

/// Where in memory the objects are that no function of the first module reaches, in order and without overlap.
/// `is_later` knows the functions of the second by their names.
pub fn later(linked: &Module<'_>, is_later: impl Fn(&str) -> bool) -> Result<Vec<Range<u32>>, Fault> {
    let segments = segments(linked)?;
    let objects = objects(linked, &segments)?;
    let by_address = {
        let mut list: Vec<(Range<u32>, Symbol)> = Vec::new();
        for (symbol, range) in (0..).zip(&objects) {
            list.extend(range.clone().map(|range| (range, symbol)));
        }
        list.sort_by_key(|(range, _)| range.start);
        list
    };

    // What each object's bytes point to.
    let mut points: Vec<Vec<Symbol>> = vec![Vec::new(); objects.len()];
    let widest = by_address.iter().map(|(range, _)| range.len()).max().unwrap_or(0) as u32;
    for (place, to) in relocations(linked, b"reloc.DATA")? {
        let segment = segments.iter().find(|s| (s.offset..s.offset + s.bytes.len() as u32).contains(&place));
        let segment = segment.ok_or_else(|| fault("a relocation of the wasm lies outside its data"))?;
        let address = segment.at + (place - segment.offset);
        let near = by_address.partition_point(|(range, _)| range.start <= address);
        let holders = by_address[..near].iter().rev().take_while(|(range, _)| range.start + widest > address);
        for (_, holder) in holders.filter(|(range, _)| range.contains(&address)) {
            points[*holder as usize].push(to);
        }
    }

    let mut reached = BTreeSet::new();
    let mut open = Vec::new();
    let imported = linked.imported.len() as u32;
    let spans = body_spans(linked);
    for (place, to) in relocations(linked, b"reloc.CODE")? {
        let body = spans.partition_point(|span| span.end <= place);
        let holder = imported + body as u32;
        if !linked.names.get(&holder).is_some_and(|name| is_later(name)) {
            open.push(to);
        }
    }
    while let Some(symbol) = open.pop() {
        if reached.insert(symbol) {
            open.extend(&points[symbol as usize]);
        }
    }

    // Objects may share bytes: those of any that is reached stay.
    let ranges = |of_reached: bool| {
        let some = by_address.iter().filter(|(_, symbol)| reached.contains(symbol) == of_reached);
        joined(some.map(|(range, _)| range.clone()))
    };
    Ok(without(ranges(false), &ranges(true)))
}

/// Where each symbol's object is in memory; `None` for those that are no data of the module.
fn objects(linked: &Module<'_>, segments: &[Segment<'_>]) -> Result<Vec<Option<Range<u32>>>, Fault> {
    let mut reader = Reader::new(linked.custom_bytes(b"linking")?);
    if reader.number()? != 2 {
        return Err(fault("the linker writes a version of its section that is unknown to us"));
    }
    let mut all = Vec::new();
    while !reader.done() {
        let (kind, mut table) = (reader.byte()?, Reader::new(reader.counted()?));
        // 8: the table of symbols.
        if kind != 8 {
            continue;
        }
        for _ in 0..table.number()? {
            let (kind, flags) = (table.byte()?, table.number()?);
            let mut object = None;
            match kind {
                symbol::DATA => {
                    table.counted()?;
                    if flags & symbol::UNDEFINED == 0 {
                        let (segment, offset, len) = (table.number()?, table.number()?, table.number()?);
                        let start = segments.get(segment as usize).map(|segment| segment.at + offset);
                        object = start.map(|start| start..start + len).filter(|range| !range.is_empty());
                    }
                }
                symbol::SECTION => drop(table.number()?),
                symbol::FUNCTION..=symbol::TABLE => {
                    table.number()?;
                    if flags & symbol::UNDEFINED == 0 || flags & symbol::EXPLICIT_NAME != 0 {
                        table.counted()?;
                    }
                }
                _ => return Err(fault("the linker's table has a symbol of a kind unknown to us")),
            }
            all.push(object);
        }
    }
    Ok(all)
}

/// Where a section holds addresses, and of what.
fn relocations(linked: &Module<'_>, name: &[u8]) -> Result<Vec<(u32, Symbol)>, Fault> {
    let mut reader = Reader::new(linked.custom_bytes(name)?);
    let mut all = Vec::new();
    reader.number()?;
    for _ in 0..reader.number()? {
        let (kind, place, symbol) = (reader.byte()?, reader.number()?, reader.number()?);
        if ADDRESSES.contains(&kind) {
            reader.skip_number()?;
            all.push((place, symbol));
        } else if !OTHERS.contains(&kind) {
            return Err(fault(format!("the wasm has a relocation of kind {kind}, unknown to us")));
        }
    }
    Ok(all)
}

/// Where each body is in the section of code.
fn body_spans(linked: &Module<'_>) -> Vec<Range<u32>> {
    let begin = linked.section_bytes(section::CODE).map_or(0, |content| content.as_ptr() as usize);
    let span = |body: &&[u8]| {
        let start = (body.as_ptr() as usize - begin) as u32;
        start..start + body.len() as u32
    };
    linked.bodies.iter().map(span).collect()
}

/// Ranges in order of their starts as ranges that do not touch.
fn joined(ranges: impl Iterator<Item = Range<u32>>) -> Vec<Range<u32>> {
    let mut all: Vec<Range<u32>> = Vec::new();
    for range in ranges {
        match all.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => all.push(range),
        }
    }
    all
}

/// What of `ranges` is in none of `taken`; both in order.
fn without(ranges: Vec<Range<u32>>, taken: &[Range<u32>]) -> Vec<Range<u32>> {
    let mut all = Vec::new();
    for mut range in ranges {
        let first = taken.partition_point(|other| other.end <= range.start);
        for other in taken[first..].iter().take_while(|other| other.start < range.end) {
            if range.start < other.start {
                all.push(range.start..other.start);
            }
            range.start = other.end;
        }
        if range.start < range.end {
            all.push(range);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two functions and four objects, as the linker has them: `soon` has the address of the first object, which points to
    /// the third; `late` those of the second and the fourth, which shares bytes with the third.
    fn linked() -> Vec<u8> {
        fn sized(bytes: &[u8]) -> Vec<u8> {
            let mut out = Vec::new();
            crate::wasm::put_bytes(&mut out, bytes);
            out
        }
        let section = |id: u8, content: &[u8]| [vec![id], sized(content)].concat();
        let custom =
            |name: &str, content: &[u8]| section(section::CUSTOM, &[sized(name.as_bytes()), content.to_vec()].concat());
        let object = |name: &str, offset: u8, len: u8| {
            [vec![symbol::DATA, 0], sized(name.as_bytes()), vec![0, offset, len]].concat()
        };
        // Each body: no locals, an address, its end.
        let code = [vec![2], sized(b"\0\x41\x10\x1a\x0b"), sized(b"\0\x41\x14\x1a\x41\x1a\x1a\x0b")].concat();
        let data = [b"\x01\0\x41\x10\x0b".to_vec(), sized(&[1; 16])].concat();
        let symbols = [
            vec![5, symbol::FUNCTION, 0, 0],
            sized(b"soon"),
            object("a", 0, 4),
            object("b", 4, 4),
            object("c", 8, 4),
            object("d", 10, 4),
        ];
        let names = [vec![2, 0], sized(b"soon"), vec![1], sized(b"late")].concat();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(section::TYPE, b"\x01\x60\0\0"),
            section(section::FUNCTION, &[2, 0, 0]),
            section(section::CODE, &code),
            section(section::DATA, &data),
            custom("linking", &[vec![2, 8], sized(&symbols.concat())].concat()),
            // Kind, place, symbol, what is added.
            custom("reloc.CODE", &[3, 3, 4, 4, 1, 0, 4, 10, 2, 0, 4, 13, 4, 0]),
            custom("reloc.DATA", &[4, 1, 5, 6, 3, 0]),
            custom("name", &[vec![1], sized(&names)].concat()),
        ]
        .concat()
    }

    #[test]
    fn what_only_the_second_reaches_is_found() {
        let bytes = linked();
        let later = |name: &'static str| {
            let module = Module::read(&bytes).unwrap_or_else(|Fault(line)| panic!("{line}"));
            super::later(&module, |known| known == name).unwrap_or_else(|Fault(line)| panic!("{line}"))
        };
        // c is reached by way of a, and its last two bytes are d's first.
        assert_eq!(later("late"), [20..24, 28..30]);
        assert_eq!(later("soon"), [16..20, 24..26]);
        assert_eq!(later("nobody"), []);
    }

    #[test]
    fn what_is_taken_is_left_out() {
        let all = joined([0..4, 2..8, 10..20, 30..31].into_iter());
        assert_eq!(all, [0..8, 10..20, 30..31]);
        assert_eq!(without(all, &[3..5, 12..14, 16..40]), [0..3, 5..8, 10..12, 14..16]);
    }
}
