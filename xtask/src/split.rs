//! One wasm module as two: what a first visit runs, and the rest, fetched when it is wanted.
//!
//! `www/later.txt` names the functions of the second module: those that a first visit did not enter when it was last
//! looked at (`cargo xtask first-visit`). A function that the list does not know stays in the first, so an old list
//! costs bytes and nothing else.
//!
//! Both modules share memory, tables and globals. A function that was taken out leaves a door in the first:
//!
//! ```text
//! door:   local.get 0 … ; i32.const PLACE ; call gate ; call_indirect
//! gate:   if the rest is not there, call the page's `load_rest` ; give PLACE back
//! ```
//!
//! `load_rest` comes back when the second module stands: it has put its functions into the table, at the doors' places
//! and wherever the first held a pointer to one. So it does not matter who comes to a door, and when. The second module
//! calls the first through the table too. Neither knows the other's function numbers, and no name is exported for each.

use crate::data;
use crate::run::{Fault, fault};
use crate::wasm::{Module, code_start, kind, named, put, put_bytes, put_signed, section};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The page's function that loads the second module, as `src/app` imports it.
const LOAD: &str = "load_rest";
/// Under these names, with a number, the first module exports what they share.
const SHARED: &str = "rest";
/// A door may be as large as this, in bytes: a smaller function is not worth one.
const DOOR_MAX: usize = 32;
/// Characters of a name that the list has at the most, before a digest.
const LISTED_CHARS: usize = 70;
/// In the names of functions that stay: whether a hash map compares two keys hangs on where these fall.
const CHANCE: &str = "hashbrown";
/// Bytes of a page of wasm's memory.
const PAGE: u32 = 1 << 16;

/// The first module, and the second.
pub struct Halves {
    pub first: Vec<u8>,
    pub rest: Vec<u8>,
}

/// Splits a module by a list of names. `linked` is the module as the linker made it, with its relocations.
pub fn split(bytes: &[u8], linked: &[u8], later: &str) -> Result<Halves, Fault> {
    let module = Module::read(bytes)?;
    let list: BTreeSet<&str> = later.lines().filter(|line| !line.starts_with('#')).collect();
    let split = Split::new(&module, &list)?;
    // A name that a function of the first has too stands for that one.
    let names = |of_later: bool| {
        let some = module.names.iter().filter(|(number, _)| split.is_later(**number) == of_later);
        some.map(|(_, name)| name.as_str()).collect::<BTreeSet<_>>()
    };
    let (gone, kept) = (names(true), names(false));
    let data = data::later(&Module::read(linked)?, |name| gone.contains(name) && !kept.contains(name))?;
    Ok(Halves { first: split.first(&data)?, rest: split.rest(&data)? })
}

/// Memory to be filled: where, and with what.
type Fill<'a> = (u32, &'a [u8]);

/// A gap as small as this costs less filled than a segment of its own.
const GAP: u32 = 8;

/// What the module fills memory with, but for `later`, and the same of `later`.
fn fills<'a>(module: &Module<'a>, later: &[Range<u32>]) -> Result<[Vec<Fill<'a>>; 2], Fault> {
    let mut fills = [Vec::new(), Vec::new()];
    for segment in data::segments(module)? {
        let end = segment.at + segment.bytes.len() as u32;
        let part = |range: Range<u32>| {
            (range.start, &segment.bytes[(range.start - segment.at) as usize..(range.end - segment.at) as usize])
        };
        let mut kept = segment.at;
        for range in later.iter().filter(|range| range.start < end && range.end > segment.at) {
            let range = range.start.max(segment.at)..range.end.min(end);
            fills[1].push(part(range.clone()));
            // To fill again what was filled is harmless: nobody of the first module writes there.
            if range.end - range.start > GAP || range.start == kept {
                fills[0].push(part(kept..range.start));
                kept = range.end;
            }
        }
        fills[0].push(part(kept..end));
    }
    fills.iter_mut().for_each(|some| some.retain(|(_, bytes)| bytes.iter().any(|byte| *byte != 0)));
    Ok(fills)
}

/// A section of data.
fn data_section(fills: &[Fill<'_>]) -> Vec<u8> {
    let segment = |(at, bytes): &Fill<'_>| {
        let mut out = vec![0, 0x41];
        put_signed(&mut out, *at);
        out.push(0x0b);
        put_bytes(&mut out, bytes);
        out
    };
    items(fills.iter().map(segment).collect::<Vec<_>>().iter())
}

/// A module that notes which functions were entered, a byte each in a memory page of its own, and where that begins.
pub fn with_notes(bytes: &[u8]) -> Result<(Vec<u8>, u32), Fault> {
    let module = Module::read(bytes)?;
    let mut limits = module.memory.to_vec();
    let pages = crate::wasm::Reader::new(&limits[1..]).number()?;
    if limits[0] != 0 || module.bodies.len() > PAGE as usize {
        return Err(fault("the wasm's memory may not grow, or it has too many functions"));
    }
    limits.truncate(1);
    put(&mut limits, pages + 1);
    let mut code = Vec::new();
    put(&mut code, module.bodies.len() as u32);
    for (number, body) in module.bodies.iter().enumerate() {
        let start = code_start(body)?;
        let mut noting = body[..start].to_vec();
        noting.push(0x41);
        put_signed(&mut noting, pages * PAGE + number as u32);
        noting.extend([0x41, 1, 0x3a, 0, 0]);
        noting.extend_from_slice(&body[start..]);
        put_bytes(&mut code, &noting);
    }
    let out = sections(module.sections.iter().map(|&(id, content)| match id {
        section::MEMORY => (id, [&[1], &limits[..]].concat()),
        section::CODE => (id, code.clone()),
        _ => (id, content.to_vec()),
    }));
    Ok((out, pages * PAGE))
}

/// The list for [`split`], from the notes of a module that [`with_notes`] made.
pub fn later(bytes: &[u8], notes: &[u8]) -> Result<String, Fault> {
    let module = Module::read(bytes)?;
    let imported = module.imported.len() as u32;
    let mut entered = BTreeSet::new();
    let mut not = BTreeSet::new();
    for ((number, note), body) in (imported..).zip(notes).zip(&module.bodies) {
        let Some(name) = module.names.get(&number) else { continue };
        if *note == 0 && body.len() > DOOR_MAX {
            not.insert(name);
        } else {
            entered.insert(name);
        }
    }
    let lines =
        not.into_iter().filter(|name| !entered.contains(name) && !name.contains('\n') && !name.contains(CHANCE));
    Ok(lines.fold(String::new(), |text, name| text + &listed(name) + "\n"))
}

/// A name as the list has it: the generic ones are long, and end there in a digest (FNV-1a) of the whole.
fn listed(name: &str) -> Cow<'_, str> {
    let Some((at, _)) = name.char_indices().nth(LISTED_CHARS) else { return Cow::Borrowed(name) };
    let digest = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Cow::Owned(format!("{}… {digest:016x}", &name[..at]))
}

/// A module of these sections.
fn sections(all: impl IntoIterator<Item = (u8, Vec<u8>)>) -> Vec<u8> {
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in all {
        out.push(id);
        put_bytes(&mut out, &content);
    }
    out
}

/// A section's content of counted items.
fn items<T: AsRef<[u8]>>(all: impl ExactSizeIterator<Item = T>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, all.len() as u32);
    for item in all {
        out.extend_from_slice(item.as_ref());
    }
    out
}

fn number(value: u32) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, value);
    out
}

/// Bytes with their count before them.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, bytes);
    out
}

fn shared_name(n: usize) -> Vec<u8> {
    sized(format!("{SHARED}{n}").as_bytes())
}

fn numbered(kind: u8, index: u32) -> Vec<u8> {
    let mut out = vec![kind];
    put(&mut out, index);
    out
}

/// A table's content as segments, one for each run of places.
fn segments(places: &BTreeMap<u32, u32>) -> Vec<Vec<u8>> {
    let mut runs: Vec<(u32, Vec<u32>)> = Vec::new();
    for (&place, &function) in places {
        match runs.last_mut() {
            Some((start, run)) if *start + run.len() as u32 == place => run.push(function),
            _ => runs.push((place, vec![function])),
        }
    }
    let segment = |(start, run): (u32, Vec<u32>)| {
        let mut out = vec![0, 0x41];
        put_signed(&mut out, start);
        out.push(0x0b);
        put(&mut out, run.len() as u32);
        run.into_iter().for_each(|function| put(&mut out, function));
        out
    };
    runs.into_iter().map(segment).collect()
}

/// A segment that fills nothing: functions that are taken as references have to stand somewhere.
fn declared(functions: &BTreeSet<u32>) -> Option<Vec<u8>> {
    let mut out = vec![3, 0];
    put(&mut out, functions.len() as u32);
    functions.iter().for_each(|function| put(&mut out, *function));
    (!functions.is_empty()).then_some(out)
}

struct Split<'a> {
    module: &'a Module<'a>,
    /// The functions of the second module, in order.
    later: Vec<u32>,
    /// Of these, the ones with a door in the first.
    doors: BTreeSet<u32>,
    /// Each function's number in its module; a door's is in `door`.
    number: Vec<u32>,
    door: BTreeMap<u32, u32>,
    /// Where in the table a function is that one module calls in the other, or that anyone has a pointer to.
    place: BTreeMap<u32, u32>,
    /// The types, with those of gate and start.
    types: Vec<Vec<u8>>,
    gate_type: u32,
    start_type: u32,
    load: u32,
}

impl<'a> Split<'a> {
    fn new(module: &'a Module<'a>, list: &BTreeSet<&str>) -> Result<Self, Fault> {
        let imported = module.imported.len() as u32;
        let all = module.functions.len() as u32;
        let load = module.imported.iter().position(|name| String::from_utf8_lossy(name).contains(LOAD));
        let load =
            load.ok_or_else(|| fault(format!("the wasm imports no `{LOAD}`: it could not load its other half")))?;
        let known = |number: &u32| module.names.get(number).is_some_and(|name| list.contains(&*listed(name)));
        // What the page itself calls, it calls soon.
        let called: BTreeSet<u32> =
            module.exports.iter().filter(|export| export.kind == kind::FUNCTION).map(|export| export.index).collect();
        let later: Vec<u32> =
            (imported..all).filter(known).filter(|n| !called.contains(n) && module.start != Some(*n)).collect();
        let is_later: BTreeSet<u32> = later.iter().copied().collect();

        let mut doors: BTreeSet<u32> =
            module.table.iter().map(|entry| entry.1).filter(|f| is_later.contains(f)).collect();
        let mut needed = BTreeSet::new();
        for (number, body) in (imported..).zip(&module.bodies) {
            for other in named(body)?.iter().map(|named| named.function) {
                match (is_later.contains(&number), is_later.contains(&other)) {
                    (false, true) => drop(doors.insert(other)),
                    (true, false) => drop(needed.insert(other)),
                    _ => {}
                }
            }
        }
        let mut number: Vec<u32> = (0..all).collect();
        let stay: Vec<u32> = (0..all).filter(|n| !is_later.contains(n)).collect();
        for half in [&stay, &later] {
            for (new, old) in (0..).zip(half) {
                number[*old as usize] = new;
            }
        }
        let door = (stay.len() as u32..).zip(&doors).map(|(new, old)| (*old, new)).collect();
        let mut place: BTreeMap<u32, u32> = module.table.iter().map(|(place, function)| (*function, *place)).collect();
        let mut next = table_size(module)?;
        for function in doors.iter().chain(&needed) {
            place.entry(*function).or_insert_with(|| {
                next += 1;
                next - 1
            });
        }
        let mut types: Vec<Vec<u8>> = module.types.iter().map(|t| t.to_vec()).collect();
        let mut type_of = |wanted: &[u8]| {
            let found = types.iter().position(|t| t == wanted).unwrap_or(types.len());
            if found == types.len() {
                types.push(wanted.to_vec());
            }
            found as u32
        };
        let (gate_type, start_type) = (type_of(&[0x60, 1, 0x7f, 1, 0x7f]), type_of(&[0x60, 0, 0]));
        if module.functions[load] != start_type {
            return Err(fault(format!("`{LOAD}` takes or gives something: the page's gate calls it with nothing")));
        }
        Ok(Self { module, later, doors, number, door, place, types, gate_type, start_type, load: load as u32 })
    }

    fn is_later(&self, function: u32) -> bool {
        self.later.binary_search(&function).is_ok()
    }

    /// A function's number in the first module.
    fn in_first(&self, function: u32) -> u32 {
        self.door.get(&function).copied().unwrap_or(self.number[function as usize])
    }

    fn gate(&self) -> u32 {
        (self.module.functions.len() - self.later.len() + self.doors.len()) as u32
    }

    /// The global that says whether the rest is there.
    fn loaded(&self) -> u32 {
        self.module.globals.len() as u32
    }

    /// A body with each function that it names written as `write` wants it.
    fn body(&self, body: &[u8], mut write: impl FnMut(&mut Vec<u8>, u32, bool)) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::with_capacity(body.len() + 16);
        let mut done = 0;
        for named in named(body)? {
            out.extend_from_slice(&body[done..named.at]);
            write(&mut out, named.function, named.call);
            done = named.end;
        }
        out.extend_from_slice(&body[done..]);
        Ok(out)
    }

    fn first(&self, later: &[Range<u32>]) -> Result<Vec<u8>, Fault> {
        let [fills, _] = fills(self.module, later)?;
        let module = self.module;
        let imported = module.imported.len() as u32;
        let mut functions = Vec::new();
        let mut bodies = Vec::new();
        let mut taken = BTreeSet::new();
        for (old, body) in (imported..).zip(&module.bodies).filter(|(old, _)| !self.is_later(*old)) {
            let body = self.body(body, |out, function, call| {
                let function = self.in_first(function);
                out.push(if call { 0x10 } else { 0xd2 });
                put(out, function);
                if !call {
                    taken.insert(function);
                }
            })?;
            functions.push(number(module.functions[old as usize]));
            bodies.push(sized(&body));
        }
        for old in &self.doors {
            functions.push(number(module.functions[*old as usize]));
            bodies.push(sized(&self.door_body(*old)?));
        }
        functions.push(number(self.gate_type));
        bodies.push(sized(&self.gate_body()));

        let size = self.table_size()?;
        let table = [vec![module.tables[0][0], 1], number(size), number(size)].concat();
        let tables: Vec<&[u8]> = std::iter::once(&table[..]).chain(module.tables[1..].iter().copied()).collect();

        let mut globals = module.section_bytes(section::GLOBAL).unwrap_or(&[0]).to_vec();
        globals.splice(..count_len(&globals)?, number(self.loaded() + 1));
        globals.extend([0x7f, 1, 0x41, 0, 0x0b]);

        let mut exports: Vec<Vec<u8>> = Vec::new();
        for export in &module.exports {
            let index = if export.kind == kind::FUNCTION { self.in_first(export.index) } else { export.index };
            exports.push([sized(export.name), numbered(export.kind, index)].concat());
        }
        for (n, (kind, index, _)) in self.shared(size).into_iter().enumerate() {
            exports.push([shared_name(n), numbered(kind, index)].concat());
        }

        // What the second module calls here, and what anyone had a pointer to.
        let shared = self.place.iter().filter(|(function, _)| !self.is_later(**function)).map(|(f, p)| (*p, *f));
        let filled = shared.chain(module.table.iter().copied()).map(|(p, f)| (p, self.in_first(f))).collect();
        let mut elements = segments(&filled);
        elements.extend(declared(&taken));

        let same = |id| module.section_bytes(id).map(|content| (id, content.to_vec()));
        let start = module.start.map(|start| (section::START, number(self.in_first(start))));
        let parts = [
            Some((section::TYPE, items(self.types.iter()))),
            same(section::IMPORT),
            Some((section::FUNCTION, items(functions.iter()))),
            Some((section::TABLE, items(tables.iter()))),
            same(section::MEMORY),
            Some((section::GLOBAL, globals)),
            Some((section::EXPORT, items(exports.iter()))),
            start,
            Some((section::ELEMENT, items(elements.iter()))),
            Some((section::DATA_COUNT, number(fills.len() as u32))),
            Some((section::CODE, items(bodies.iter()))),
            Some((section::DATA, data_section(&fills))),
        ];
        Ok(sections(parts.into_iter().flatten()))
    }

    fn rest(&self, later: &[Range<u32>]) -> Result<Vec<u8>, Fault> {
        let [_, fills] = fills(self.module, later)?;
        let module = self.module;
        let imported = module.imported.len();
        let mut functions = Vec::new();
        let mut bodies = Vec::new();
        let mut taken = BTreeSet::new();
        for old in self.later.iter().map(|old| *old as usize) {
            let body = self.body(module.bodies[old - imported], |out, function, call| {
                let own = self.number[function as usize];
                match (self.is_later(function), call) {
                    (true, true) => {
                        out.push(0x10);
                        put(out, own);
                    }
                    (true, false) => {
                        taken.insert(own);
                        out.push(0xd2);
                        put(out, own);
                    }
                    (false, _) => {
                        out.push(0x41);
                        put_signed(out, self.place[&function]);
                        if call {
                            out.push(0x11);
                            put(out, module.functions[function as usize]);
                            out.push(0);
                        } else {
                            out.extend([0x25, 0]);
                        }
                    }
                }
            })?;
            functions.push(number(module.functions[old]));
            bodies.push(sized(&body));
        }
        // Last of all, it says that it is there.
        functions.push(number(self.start_type));
        let mut start = vec![0, 0x41, 1, 0x24];
        put(&mut start, self.loaded());
        start.push(0x0b);
        bodies.push(sized(&start));

        let size = self.table_size()?;
        let imports: Vec<Vec<u8>> = self
            .shared(size)
            .into_iter()
            .enumerate()
            .map(|(n, (kind, _, what))| [sized(b"first"), shared_name(n), vec![kind], what].concat())
            .collect();
        let doors = self.doors.iter().map(|old| (self.place[old], *old));
        let filled = doors.chain(module.table.iter().copied().filter(|(_, f)| self.is_later(*f)));
        let mut elements = segments(&filled.map(|(place, old)| (place, self.number[old as usize])).collect());
        elements.extend(declared(&taken));
        Ok(sections([
            (section::TYPE, items(self.types.iter())),
            (section::IMPORT, items(imports.iter())),
            (section::FUNCTION, items(functions.iter())),
            (section::START, number(self.later.len() as u32)),
            (section::ELEMENT, items(elements.iter())),
            (section::CODE, items(bodies.iter())),
            (section::DATA, data_section(&fills)),
        ]))
    }

    /// Places in the function table of both.
    fn table_size(&self) -> Result<u32, Fault> {
        Ok(table_size(self.module)?.max(self.place.values().max().map_or(0, |last| last + 1)))
    }

    /// What both modules have: kind, number in both, type as an import has it.
    fn shared(&self, table_size: u32) -> Vec<(u8, u32, Vec<u8>)> {
        let module = self.module;
        let functions = [vec![module.tables[0][0], 0], number(table_size)].concat();
        let tables = std::iter::once(functions).chain(module.tables[1..].iter().map(|t| t.to_vec()));
        let tables = (0..).zip(tables).map(|(n, t)| (kind::TABLE, n, t));
        let globals = module.globals.iter().map(|t| t.to_vec()).chain([vec![0x7f, 1]]);
        let globals = (0..).zip(globals).map(|(n, t)| (kind::GLOBAL, n, t));
        std::iter::once((kind::MEMORY, 0, module.memory.to_vec())).chain(tables).chain(globals).collect()
    }

    fn door_body(&self, old: u32) -> Result<Vec<u8>, Fault> {
        let function_type = self.module.functions[old as usize];
        let mut out = vec![0];
        for parameter in 0..crate::wasm::Reader::new(&self.module.types[function_type as usize][1..]).number()? {
            out.push(0x20);
            put(&mut out, parameter);
        }
        out.push(0x41);
        put_signed(&mut out, self.place[&old]);
        out.push(0x10);
        put(&mut out, self.gate());
        out.push(0x11);
        put(&mut out, function_type);
        out.extend([0, 0x0b]);
        Ok(out)
    }

    fn gate_body(&self) -> Vec<u8> {
        let mut out = vec![0, 0x23];
        put(&mut out, self.loaded());
        out.extend([0x45, 0x04, 0x40, 0x10]);
        put(&mut out, self.load);
        out.extend([0x0b, 0x20, 0, 0x0b]);
        out
    }
}

/// How many bytes the count at the front of a section takes.
fn count_len(content: &[u8]) -> Result<usize, Fault> {
    let len = content.iter().position(|byte| *byte < 0x80).ok_or_else(|| fault("the wasm ends too early"))?;
    Ok(len + 1)
}

/// Places in the function table.
fn table_size(module: &Module<'_>) -> Result<u32, Fault> {
    match module.tables.first() {
        Some([0x70, _, limits @ ..]) => crate::wasm::Reader::new(limits).number(),
        _ => Err(fault("the wasm's first table is not one of functions")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(import "p" "load_rest") (func $run (export "run") (result i32) (call $rare (i32.const 7)))
    /// (func $rare (param i32) (result i32) (call $often (local.get 0))) (func $often …) (table (elem $rare))
    /// (data (i32.const 16) …)`, and the linker's word for an object in it that no relocation leads to.
    fn module() -> Vec<u8> {
        let name = |n: u8, name: &[u8]| [vec![n], sized(name)].concat();
        let names = items([name(1, b"run"), name(2, b"a[0123456789abcdef]::rare"), name(3, b"often")].iter());
        sections([
            (section::TYPE, items([&b"\x60\0\0"[..], b"\x60\0\x01\x7f", b"\x60\x01\x7f\x01\x7f"].iter())),
            (section::IMPORT, items([[sized(b"p"), sized(b"x_load_rest_1"), vec![0, 0]].concat()].iter())),
            (section::FUNCTION, items([[1], [2], [2]].iter())),
            (section::TABLE, items([[0x70, 1, 3, 3]].iter())),
            (section::MEMORY, items([[0, 1]].iter())),
            (section::EXPORT, items([[sized(b"run"), vec![0, 1]].concat()].iter())),
            (section::ELEMENT, items([[0, 0x41, 1, 0x0b, 1, 2]].iter())),
            (
                section::CODE,
                items(
                    [
                        sized(b"\0\x41\x07\x10\x02\x0b"),
                        sized(&[&b"\x01\x01\x7f"[..], &[1; DOOR_MAX], b"\x20\0\x10\x03\x0b"].concat()),
                        sized(b"\0\x20\0\x41\x01\x6a\x0b"),
                    ]
                    .iter(),
                ),
            ),
            (section::DATA, items([[&b"\0\x41\x10\x0b"[..], &sized(&[7; 32])].concat()].iter())),
            (section::CUSTOM, [sized(b"linking"), vec![2, 8, 7, 1, 1, 0, 0, 0, 4, 20]].concat()),
            (section::CUSTOM, [sized(b"reloc.CODE"), vec![3, 0]].concat()),
            (section::CUSTOM, [sized(b"reloc.DATA"), vec![4, 0]].concat()),
            (section::CUSTOM, [sized(b"name"), vec![1], sized(&names)].concat()),
        ])
    }

    #[test]
    fn what_is_rare_goes_and_leaves_a_door() {
        let whole = module();
        let halves =
            split(&whole, &whole, "# rare ones\na::rare\nunknown\n").unwrap_or_else(|Fault(line)| panic!("{line}"));
        let first = Module::read(&halves.first).unwrap_or_else(|Fault(line)| panic!("{line}"));
        let rest = Module::read(&halves.rest[..8]).unwrap_or_else(|Fault(line)| panic!("{line}"));
        assert!(rest.bodies.is_empty());
        // run, often, the door, the gate.
        assert_eq!(first.functions, [0, 1, 2, 2, 2]);
        assert_eq!(first.bodies[0], b"\0\x41\x07\x10\x03\x0b", "run calls the door");
        assert_eq!(first.bodies[2], b"\0\x20\0\x41\x01\x10\x04\x11\x02\0\x0b", "the door asks the gate for its place");
        assert_eq!(first.bodies[3], b"\0\x23\0\x45\x04\x40\x10\0\x0b\x20\0\x0b", "the gate has the rest loaded");
        assert_eq!(first.table, [(1, 3), (3, 2)], "the pointer leads to the door; the rest finds `often`");
        let rare = b"\x01\x20\0\x41\x03\x11\x02\0\x0b";
        assert!(halves.rest.windows(rare.len()).any(|bytes| bytes == rare), "rare calls often through the table");
        let filled = data::segments(&first).unwrap_or_else(|Fault(line)| panic!("{line}"));
        let filled: Vec<(u32, usize)> = filled.iter().map(|segment| (segment.at, segment.bytes.len())).collect();
        assert_eq!(filled, [(16, 4), (40, 8)], "what nobody here reads is not here");
        let object = [&b"\0\x41\x14\x0b\x14"[..], &[7; 20]].concat();
        assert!(halves.rest.ends_with(&object), "it comes with the rest");
    }

    #[test]
    fn an_old_list_takes_nothing_away() {
        let whole = module();
        let halves = split(&whole, &whole, "gone\nrun\n").unwrap_or_else(|Fault(line)| panic!("{line}"));
        let first = Module::read(&halves.first).unwrap_or_else(|Fault(line)| panic!("{line}"));
        assert_eq!(first.functions, [0, 1, 2, 2, 2], "an exported function stays, whatever the list says");
    }

    #[test]
    fn notes_make_the_list() {
        let whole = module();
        let (noting, begin) = with_notes(&whole).unwrap_or_else(|Fault(line)| panic!("{line}"));
        assert_eq!(begin, PAGE);
        let noting = Module::read(&noting).unwrap_or_else(|Fault(line)| panic!("{line}"));
        assert_eq!(noting.memory, [0, 2]);
        assert_eq!(noting.bodies[2], b"\0\x41\x82\x80\x04\x41\x01\x3a\0\0\x20\0\x41\x01\x6a\x0b");
        let list = later(&whole, &[1, 0, 1]).unwrap_or_else(|Fault(line)| panic!("{line}"));
        assert_eq!(list, "a::rare\n");
        let list = later(&whole, &[1, 1, 0]).unwrap_or_else(|Fault(line)| panic!("{line}"));
        assert_eq!(list, "", "a door would be larger than `often`");
        let long = "x".repeat(LISTED_CHARS + 1);
        assert_ne!(listed(&long), listed(&(long.clone() + "y")), "names that begin alike differ in the list");
        assert_eq!(listed(&long[1..]), long[1..]);
    }
}
