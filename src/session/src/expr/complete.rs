//! What could be typed next, out of the state as it is.

use world::{Errno, InodeId, World};

use super::parse::{Parser, WORDS, Want};
use super::paths::{COUNTERS, KINDS, Kind, functions, probes};
use super::{At, Expr, Object, Type, Value};

/// Candidates shown at once.
const SHOWN_MAX: usize = 40;

/// What could stand at the end of a text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Completion {
    /// Bytes of the text that stay; a candidate replaces the rest.
    pub from: usize,
    /// In the order in which they are to be shown.
    pub items: Vec<Candidate>,
}

/// One candidate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// What is put there: a name, and `[`, `.` or `(` where that has to follow.
    pub text: String,
    /// The value that the text would have with it.
    pub value: Option<Value>,
}

/// Completes `text`, which ends at the cursor.
#[must_use]
pub fn complete(text: &str, at: &At) -> Completion {
    let mut parser = Parser::new(text, at.calls);
    // A text that ends early is an error, and just what completion is for.
    let _ = parser.all();
    let Some((from, want)) = parser.wanted else { return Completion { from: text.len(), items: Vec::new() } };
    let typed = text[from..].to_ascii_lowercase();
    let mut names = candidates(&want, at);
    names.retain(|name| name.to_ascii_lowercase().starts_with(&typed));
    let mut seen = Vec::new();
    names.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
    names.truncate(SHOWN_MAX);
    // The value is that of the path the candidate ends, not of the whole text.
    let path = &text[path_start(text, from)..from];
    let value = |name: &str| Expr::parse(&format!("{path}{name}"), at.calls).ok().and_then(|expr| expr.eval(at));
    let items = names.into_iter().map(|text| Candidate { value: value(&text), text }).collect();
    Completion { from, items }
}

/// Where the path that ends at `end` begins.
fn path_start(text: &str, end: usize) -> usize {
    let part = |letter: char| letter == '_' || letter == '.' || letter.is_ascii_alphanumeric();
    let mut depth = 0u32;
    let mut start = end;
    for (at, letter) in text[..end].char_indices().rev() {
        match letter {
            ']' => depth += 1,
            '[' if depth > 0 => depth -= 1,
            letter if depth > 0 || part(letter) => {}
            _ => break,
        }
        start = at;
    }
    start
}

fn candidates(want: &Want, at: &At) -> Vec<String> {
    match want {
        Want::Operand => operands(at),
        Want::Field(kind) => fields(*kind),
        Want::Index(object) => indices(object, at),
        Want::Local(id) => {
            let locals = functions().filter(|one| one.id == *id).flat_map(|one| one.locals);
            locals.map(|local| local.name.to_owned()).collect()
        }
        Want::Target | Want::Name(Type::Function) => {
            let on_stack = at.header().into_iter().flat_map(|header| at.stack(header.frame()));
            let mut names: Vec<&str> = on_stack.map(|(function, _)| function.name).collect();
            if matches!(want, Want::Target) {
                names.extend(&at.calls.names);
            }
            names.extend(functions().map(|one| one.name));
            let end = if matches!(want, Want::Target) { ")" } else { "" };
            names.into_iter().map(|name| format!("{name}{end}")).collect()
        }
        Want::Name(Type::Probe) => {
            let here = at.header().and_then(|header| kernel::site::probe(header.site)).map(|probe| probe.name);
            here.into_iter().chain(probes().map(|(name, _)| name)).map(str::to_owned).collect()
        }
        Want::Name(_) => at.calls.names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// First the locals that are set, then objects, counters, words, functions.
fn operands(at: &At) -> Vec<String> {
    let mut names = Vec::new();
    if let (Some(header), Some(task)) = (at.header(), at.task()) {
        for (function, depth) in at.stack(header.frame()) {
            let set = (0..).zip(function.locals).filter(|(n, _)| at.w.local(task, depth, *n).is_some());
            names.extend(set.map(|(_, local)| local.name.to_owned()));
        }
    }
    names.extend(KINDS.iter().map(|(name, _, least, _)| format!("{name}{}", if *least > 0 { "[" } else { "." })));
    names.extend(WORDS.iter().map(|word| match *word {
        "in" | "enter" => format!("{word}("),
        "bdev" => "bdev.page[".to_owned(),
        word => word.to_owned(),
    }));
    names.extend(COUNTERS.iter().map(|(name, _)| (*name).to_owned()));
    names.extend(functions().filter(|one| !one.locals.is_empty()).map(|one| format!("{}.", one.name)));
    names.extend(Errno::ALL.iter().map(|errno| format!("{errno:?}")));
    names.extend(functions().flat_map(|one| one.locals).map(|local| local.name.to_owned()));
    names
}

fn fields(kind: Kind) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if kind == Kind::Inode {
        names.extend(kind.fields().iter().map(|field| field.name.to_owned()));
        names.extend(["page[", "bh[", "extent["].map(str::to_owned));
        names.extend(kind.flags().into_iter().map(|(name, _)| name));
    } else {
        names.extend(kind.flags().into_iter().map(|(name, _)| name));
        names.extend(kind.fields().iter().map(|field| field.name.to_owned()));
    }
    if kind == Kind::Page {
        names.push("byte[".to_owned());
    }
    names.push("present".to_owned());
    names
}

/// What is there: cached pages, a page's buffers, inodes, tasks, open files, requests.
fn indices(object: &Object, at: &At) -> Vec<String> {
    let w: &World = at.w;
    let closed = |n: &dyn std::fmt::Display| format!("{n}]");
    match object.kind {
        Kind::Page | Kind::Bh if object.index.is_empty() => {
            let Some(inode) = object.inode(at) else { return Vec::new() };
            w.cache
                .entries()
                .range((inode, 0)..=(inode, u32::MAX))
                .take(SHOWN_MAX)
                .map(|(key, _)| closed(&key.1))
                .collect()
        }
        Kind::Bh => {
            let page = Object { kind: Kind::Page, ..object.clone() }.there(at);
            let count = page.and_then(|id| w.pages.get(world::PageId(id.0))).map_or(0, |page| page.nr_bhs);
            (0..count).map(|n| closed(&n)).collect()
        }
        Kind::Inode => w.inode_hash.entries().keys().take(SHOWN_MAX).map(|ino| closed(ino)).collect(),
        Kind::Extent => {
            let Some(InodeId(inode)) = object.inode(at) else { return Vec::new() };
            let range = (InodeId(inode), 0)..=(InodeId(inode), u32::MAX);
            w.es.entries().range(range).take(SHOWN_MAX).map(|(key, _)| closed(&key.1)).collect()
        }
        Kind::Task => w.comms.iter().map(|(_, comm)| closed(&comm.as_str())).collect(),
        Kind::File => w.fds.entries().keys().map(|(_, fd)| closed(fd)).collect(),
        Kind::Bio => w.bios.iter().filter(|(_, bio)| bio.used).map(|(id, _)| closed(&id.0)).collect(),
        Kind::Group => w.groups.iter().map(|(id, _)| closed(&id.0)).collect(),
        _ => Vec::new(),
    }
}
