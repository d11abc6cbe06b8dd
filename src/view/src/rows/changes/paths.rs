//! Which expression names the value of a leaf, so that a reader can ask who wrote it.

use session::expr::{Calls, Expr};
use world::{InodeId, PageId, TaskId};

use super::Key;
use crate::frame::Delta;
use crate::moment::{Moment, task_name};

/// Paths of a leaf: one for a value, one for each of several flags, none where no expression reaches.
pub fn of(m: &Moment, key: Key, delta: &Delta) -> Vec<String> {
    let Some(object) = object(m, key) else { return Vec::new() };
    if super::flags_only(delta) {
        let flags = delta.new.as_deref().unwrap_or_default().split(' ');
        let xarray = delta.name == "xarray";
        return flags.filter_map(|word| known(format!("{object}{}", flag(key, word, xarray)))).collect();
    }
    let name = match (key, delta.name.as_str()) {
        (Key::Page(_), "buffer heads") => "buffers",
        (Key::Bh(_), "block") => "blocknr",
        (Key::Bh(_), "tx") => "tid",
        (Key::Inode(_), "reserved") => "i_reserved_data_blocks",
        (Key::Inode(_), "users") => "i_count",
        (Key::Inode(_), "mode" | "nlink" | "uid" | "gid" | "flags" | "atime" | "ctime" | "mtime") => {
            return known(format!("{object}i_{}", delta.name)).into_iter().collect();
        }
        (Key::Task(_), "call") => "syscall",
        (Key::Task(_), "try") => "retry",
        (Key::Task(_), "SIGKILL") => "killed",
        (_, name) => name,
    };
    // `ext4_da_write_end:copied` is a local of another call on the stack.
    known(format!("{object}{}", name.replace(':', "."))).into_iter().collect()
}

/// The path of one flag, by the letter or the word that a row shows of it; empty where no expression reaches.
pub fn of_flag(m: &Moment, key: Key, word: &str, xarray: bool) -> String {
    object(m, key).map_or_else(String::new, |object| format!("{object}{}", flag(key, word, xarray)))
}

fn known(path: String) -> Option<String> {
    Expr::parse(&path, &Calls::default()).is_ok().then_some(path)
}

/// `page[1].`, `inode[12].`, nothing for counters and locals.
fn object(m: &Moment, key: Key) -> Option<String> {
    Some(match key {
        Key::Page(id) => format!("{}.", page(m, PageId(id))?),
        Key::Bh(id) => {
            let (page, n) = (PageId(id / 4), id % 4);
            format!("{}[{n}].", self::page(m, page)?.replacen("page[", "bh[", 1))
        }
        Key::Inode(id) if m.inode() == Some(InodeId(id)) => "inode.".to_owned(),
        Key::Inode(id) => format!("inode[{}].", m.w.inodes.get(InodeId(id)).filter(|inode| inode.ino > 0)?.ino),
        Key::Task(id) => format!("task[{}].", task_name(m.w, TaskId(id))),
        Key::Counters | Key::Locals | Key::Space | Key::Clock => String::new(),
        Key::Iter(_) => "iter.".to_owned(),
        Key::Handle(_) => "handle.".to_owned(),
        _ => return None,
    })
}

/// `page[1]`, `bdev.page[3]`, `inode[12].page[0]`.
pub fn page(m: &Moment, id: PageId) -> Option<String> {
    let page = m.w.pages.get(id)?;
    let place = format!("page[{}]", page.index);
    match page.mapping {
        InodeId::BDEV => Some(format!("bdev.{place}")),
        inode if Some(inode) == m.inode() => Some(place),
        inode => Some(format!("inode[{}].{place}", m.w.inodes.get(inode).filter(|inode| inode.ino > 0)?.ino)),
    }
}

/// A flag's field, from the letter or the word that a row shows of it.
fn flag(key: Key, word: &str, xarray: bool) -> String {
    let word = word.trim_start_matches(['+', '−']);
    let field = match (key, word) {
        (_, "L") => "locked",
        (_, "U") => "uptodate",
        (_, "D") => "dirty",
        (_, "W") => "writeback",
        (_, "M") => "mapped",
        (_, "N") => "new",
        (_, "d") => "delay",
        (_, "u") => "unwritten",
        (_, "T") => "towrite",
        (_, "E") => "write_eio",
        _ => word.trim_start_matches("I_"),
    };
    let field = field.to_ascii_lowercase();
    if xarray { format!("tag_{field}") } else { field }
}
