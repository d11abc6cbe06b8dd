//! A wasm module taken apart: as much of the binary format as [`crate::split`] needs.
//!
//! What is not known is a [`Fault`], never a guess.

use crate::run::{Fault, fault};
use std::collections::BTreeMap;

/// Section numbers of the format.
pub mod section {
    pub const CUSTOM: u8 = 0;
    pub const TYPE: u8 = 1;
    pub const IMPORT: u8 = 2;
    pub const FUNCTION: u8 = 3;
    pub const TABLE: u8 = 4;
    pub const MEMORY: u8 = 5;
    pub const GLOBAL: u8 = 6;
    pub const EXPORT: u8 = 7;
    pub const START: u8 = 8;
    pub const ELEMENT: u8 = 9;
    pub const CODE: u8 = 10;
    pub const DATA: u8 = 11;
    pub const DATA_COUNT: u8 = 12;
}

/// What an import or an export is.
pub mod kind {
    pub const FUNCTION: u8 = 0;
    pub const TABLE: u8 = 1;
    pub const MEMORY: u8 = 2;
    pub const GLOBAL: u8 = 3;
}

/// Appends an unsigned number.
pub fn put(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number that is not negative.
pub fn put_signed(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x3f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a count and that many bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// Reads one thing after another.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether all is read.
    pub fn done(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len));
        self.at += len;
        taken.ok_or_else(|| fault("the wasm ends too early"))
    }

    /// How far it is read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned number.
    pub fn number(&mut self) -> Result<u32, Fault> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| fault("a number in the wasm is too large"));
            }
        }
        Err(fault("a number in the wasm is too long"))
    }

    /// Passes over a number of any size and sign.
    pub fn skip_number(&mut self) -> Result<(), Fault> {
        while self.byte()? >= 0x80 {}
        Ok(())
    }

    /// A count and that many bytes.
    pub fn counted(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.number()?;
        self.take(len as usize)
    }

    fn skip_value_type(&mut self) -> Result<(), Fault> {
        match self.byte()? {
            0x63 | 0x64 => self.skip_number(),
            _ => Ok(()),
        }
    }

    /// The bytes that `skip` passes over.
    fn span(&mut self, skip: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<&'a [u8], Fault> {
        let start = self.at;
        skip(self)?;
        Ok(&self.bytes[start..self.at])
    }

    /// Passes over a constant expression, in which no function may stand.
    fn skip_constant(&mut self) -> Result<(), Fault> {
        loop {
            let start = self.at;
            match self.instruction()? {
                Some(_) => return Err(fault("a constant of the wasm holds a function")),
                None if self.bytes[start] == 0x0b => return Ok(()),
                None => {}
            }
        }
    }

    /// Passes over one instruction; the function that it names, if it names one.
    fn instruction(&mut self) -> Result<Option<Named>, Fault> {
        let at = self.at;
        let numbers = match self.byte()? {
            op @ (0x10 | 0xd2) => {
                let function = self.number()?;
                return Ok(Some(Named { at, end: self.at, function, call: op == 0x10 }));
            }
            0x00 | 0x01 | 0x05 | 0x0b | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 | 0xd1 => 0,
            0x02..=0x04 | 0x0c | 0x0d | 0x20..=0x26 | 0x3f..=0x42 | 0xd0 => 1,
            0x11 | 0x28..=0x3e => 2,
            0x0e => self.number()? + 1,
            0x1c => {
                for _ in 0..self.number()? {
                    self.skip_value_type()?;
                }
                0
            }
            0x43 => self.take(4).map(|_| 0)?,
            0x44 => self.take(8).map(|_| 0)?,
            0xfc => match self.number()? {
                0..=7 => 0,
                10 | 14 => 2,
                11 | 15..=17 => 1,
                other => return Err(fault(format!("the wasm has the instruction 0xfc {other}, unknown to us"))),
            },
            other => return Err(fault(format!("the wasm has the instruction {other:#x}, unknown to us"))),
        };
        for _ in 0..numbers {
            self.skip_number()?;
        }
        Ok(None)
    }
}

/// A place in a body where a function is named: called, or taken as a reference.
pub struct Named {
    /// Where the instruction begins.
    pub at: usize,
    /// Where it ends.
    pub end: usize,
    /// Which function.
    pub function: u32,
    /// Called, not taken.
    pub call: bool,
}

/// Where the code of a body begins, behind its locals.
pub fn code_start(body: &[u8]) -> Result<usize, Fault> {
    let mut reader = Reader::new(body);
    for _ in 0..reader.number()? {
        reader.number()?;
        reader.skip_value_type()?;
    }
    Ok(reader.at)
}

/// All functions named in a body.
pub fn named(body: &[u8]) -> Result<Vec<Named>, Fault> {
    let mut reader = Reader { bytes: body, at: code_start(body)? };
    let mut all = Vec::new();
    while !reader.done() {
        all.extend(reader.instruction()?);
    }
    Ok(all)
}

/// Name, kind and index of an export.
pub struct Export<'a> {
    pub name: &'a [u8],
    pub kind: u8,
    pub index: u32,
}

/// A module's parts. Function numbers count the imported ones first.
pub struct Module<'a> {
    /// The sections as they came.
    pub sections: Vec<(u8, &'a [u8])>,
    /// The types, each as it came.
    pub types: Vec<&'a [u8]>,
    /// Name of each imported function.
    pub imported: Vec<&'a [u8]>,
    /// Type of each function.
    pub functions: Vec<u32>,
    /// Each table's type, as it came.
    pub tables: Vec<&'a [u8]>,
    /// Type of the memory, as it came.
    pub memory: &'a [u8],
    /// Each global's type, as it came.
    pub globals: Vec<&'a [u8]>,
    pub exports: Vec<Export<'a>>,
    pub start: Option<u32>,
    /// What the function table holds at first: place and function.
    pub table: Vec<(u32, u32)>,
    /// The bodies of the functions that are not imported.
    pub bodies: Vec<&'a [u8]>,
    /// Names by function.
    pub names: BTreeMap<u32, String>,
}

impl<'a> Module<'a> {
    /// Takes `bytes` apart.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        if reader.take(8)? != b"\0asm\x01\0\0\0" {
            return Err(fault("not a wasm module"));
        }
        let mut module = Self {
            sections: Vec::new(),
            types: Vec::new(),
            imported: Vec::new(),
            functions: Vec::new(),
            tables: Vec::new(),
            memory: &[],
            globals: Vec::new(),
            exports: Vec::new(),
            start: None,
            table: Vec::new(),
            bodies: Vec::new(),
            names: BTreeMap::new(),
        };
        while !reader.done() {
            let id = reader.byte()?;
            let content = reader.counted()?;
            module.sections.push((id, content));
            module.section(id, Reader::new(content))?;
        }
        Ok(module)
    }

    /// A section as it came.
    pub fn section_bytes(&self, id: u8) -> Option<&'a [u8]> {
        self.sections.iter().find(|section| section.0 == id).map(|section| section.1)
    }

    /// A custom section's content, by its name.
    pub fn custom_bytes(&self, name: &[u8]) -> Result<&'a [u8], Fault> {
        for (_, content) in self.sections.iter().filter(|section| section.0 == section::CUSTOM) {
            let mut reader = Reader::new(content);
            if reader.counted()? == name {
                return Ok(&content[reader.at..]);
            }
        }
        Err(fault(format!("the wasm has no section `{}`", String::from_utf8_lossy(name))))
    }

    fn section(&mut self, id: u8, mut reader: Reader<'a>) -> Result<(), Fault> {
        match id {
            section::CUSTOM => return self.custom(reader),
            section::START => {
                self.start = Some(reader.number()?);
                return Ok(());
            }
            section::DATA | section::DATA_COUNT => return Ok(()),
            _ => {}
        }
        for _ in 0..reader.number()? {
            match id {
                section::TYPE => self.types.push(reader.span(|r| {
                    if r.byte()? != 0x60 {
                        return Err(fault("the wasm has a type that is not a function's"));
                    }
                    for _ in 0..2 {
                        for _ in 0..r.number()? {
                            r.skip_value_type()?;
                        }
                    }
                    Ok(())
                })?),
                section::IMPORT => {
                    let (_, name) = (reader.counted()?, reader.counted()?);
                    if reader.byte()? != kind::FUNCTION {
                        return Err(fault("the wasm imports something that is not a function"));
                    }
                    self.imported.push(name);
                    self.functions.push(reader.number()?);
                }
                section::FUNCTION => self.functions.push(reader.number()?),
                section::TABLE => self.tables.push(reader.span(|r| r.skip_value_type().and_then(|()| limits(r)))?),
                section::MEMORY => self.memory = reader.span(limits)?,
                section::GLOBAL => {
                    self.globals.push(reader.span(|r| r.skip_value_type().and_then(|()| r.skip_number()))?);
                    reader.skip_constant()?;
                }
                section::EXPORT => {
                    let (name, kind, index) = (reader.counted()?, reader.byte()?, reader.number()?);
                    self.exports.push(Export { name, kind, index });
                }
                section::ELEMENT => self.element(&mut reader)?,
                section::CODE => self.bodies.push(reader.counted()?),
                other => return Err(fault(format!("the wasm has a section {other}, unknown to us"))),
            }
        }
        Ok(())
    }

    fn element(&mut self, reader: &mut Reader<'a>) -> Result<(), Fault> {
        let flags = reader.number()?;
        let table = if flags == 2 { reader.number()? } else { 0 };
        let mut place = match flags {
            0 | 2 if reader.byte()? == 0x41 => Some(reader.number()?),
            3 => None,
            _ => return Err(fault("the wasm fills a table in a way unknown to us")),
        };
        // The end of the offset's expression; the kind of what follows.
        let end = if place.is_some() { reader.byte()? } else { 0x0b };
        if end != 0x0b || table != 0 || (flags != 0 && reader.byte()? != 0) {
            return Err(fault("the wasm fills a table in a way unknown to us"));
        }
        for _ in 0..reader.number()? {
            let function = reader.number()?;
            if let Some(place) = &mut place {
                self.table.push((*place, function));
                *place += 1;
            }
        }
        Ok(())
    }

    fn custom(&mut self, mut reader: Reader<'a>) -> Result<(), Fault> {
        if reader.counted()? != b"name" {
            return Ok(());
        }
        while !reader.done() {
            let (id, mut inner) = (reader.byte()?, Reader::new(reader.counted()?));
            if id != 1 {
                continue;
            }
            for _ in 0..inner.number()? {
                let (function, name) = (inner.number()?, inner.counted()?);
                let name = String::from_utf8_lossy(name);
                self.names.insert(function, without_hashes(&rustc_demangle::demangle(&name).to_string()));
            }
        }
        Ok(())
    }
}

fn limits(reader: &mut Reader<'_>) -> Result<(), Fault> {
    let numbers = match reader.number()? {
        0 => 1,
        1 => 2,
        _ => return Err(fault("the wasm has a memory or table of a kind unknown to us")),
    };
    for _ in 0..numbers {
        reader.number()?;
    }
    Ok(())
}

/// A name without the crates' hashes: `core[c5930c85a12de822]::fmt` is `core::fmt`.
fn without_hashes(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('[') {
        let hash = rest[at + 1..].find(']').map(|len| &rest[at + 1..at + 1 + len]);
        let hash = hash.filter(|hash| hash.len() > 8 && hash.bytes().all(|c| c.is_ascii_hexdigit()));
        out.push_str(&rest[..at]);
        match hash {
            Some(hash) => rest = &rest[at + hash.len() + 2..],
            None => {
                out.push('[');
                rest = &rest[at + 1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_there_and_back() {
        for value in [0, 1, 63, 64, 127, 128, 300, 1 << 20, u32::MAX] {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!(Reader::new(&out).number().map_err(|f| f.0), Ok(value));
        }
        let mut out = Vec::new();
        put_signed(&mut out, 64);
        assert_eq!(out, [0xc0, 0x00], "64 alone would be -64");
    }

    #[test]
    fn hashes_of_crates_go() {
        assert_eq!(
            without_hashes("<u32 as core[c5930c85a12de822]::fmt::Display>::fmt"),
            "<u32 as core::fmt::Display>::fmt"
        );
        assert_eq!(without_hashes("a::<[u8; 16], [u32]>"), "a::<[u8; 16], [u32]>");
    }
}
