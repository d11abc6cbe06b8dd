//! The leaf-level difference between a step and the one before.
//!
//! Every change of the World has its row here; a kind of object that nobody has
//! named yet still says that something changed.

use std::collections::BTreeMap;
use std::rc::Rc;

use bitflags::Flags;
use world::{
    BhFlags, BhId, Change as Raw, Comm, ContentId, Counter, Event, InodeId, Iovec, PageFlags, PageId, TaskId, UnitId,
    World,
};

use crate::frame::{Change, Changes, Delta, Sign};
use crate::index::Origin;
use crate::moment::{Moment, count, function_of, number, span, task_name, wait_name};
use crate::rows::ext4::block_size;
use crate::rows::journal::handle_kind;
use crate::text::word;

/// Groups in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Bytes(u32),
    Page(u32),
    Bh(u32),
    Inode(u32),
    Extents(u32),
    Iter(u32),
    User,
    File(u32),
    Handle(u32),
    Journal,
    Bio(u32),
    Device,
    Space,
    Counters,
    Task(u32),
    Locals,
    Clock,
    Stack,
    Orders,
    Other,
}

struct Groups<'a> {
    m: &'a Moment<'a>,
    groups: BTreeMap<Key, (Option<Sign>, String, Vec<Delta>)>,
}

impl Groups<'_> {
    fn add(&mut self, key: Key, object: impl Into<String>, delta: Delta) {
        let group = self.groups.entry(key).or_default();
        if group.1.is_empty() {
            group.1 = word(&object.into()).to_owned();
        }
        let said = |text: Option<String>| text.map(|text| word(&text).to_owned());
        let paths = paths::of(self.m, key, &delta);
        group.2.push(Delta { name: word(&delta.name).to_owned(), old: said(delta.old), new: said(delta.new), paths });
    }

    fn sign(&mut self, key: Key, sign: Sign) {
        self.groups.entry(key).or_default().0 = Some(sign);
    }
}

/// Words of a bitmap told one by one; more are summed up.
const BITMAP_WORDS_MAX: usize = 4;

fn leaf(name: &str, old: impl ToString, new: impl ToString) -> Delta {
    Delta { name: name.to_owned(), old: Some(old.to_string()), new: Some(new.to_string()), paths: vec![] }
}

fn added(name: &str, new: impl ToString) -> Delta {
    Delta { name: name.to_owned(), old: None, new: Some(new.to_string()), paths: vec![] }
}

fn removed(name: &str, old: impl ToString) -> Delta {
    Delta { name: name.to_owned(), old: Some(old.to_string()), new: None, paths: vec![] }
}

/// A leaf that may be there, before and now.
fn maybe(name: &str, old: Option<String>, new: Option<String>) -> Delta {
    Delta { name: name.to_owned(), old, new, paths: vec![] }
}

/// Every change of the step, grouped by object.
#[must_use]
pub fn changes(m: &Moment) -> Changes {
    if m.step == 0 {
        return Changes::default();
    }
    let mut groups = Groups { m, groups: BTreeMap::new() };
    for change in &m.changes {
        one(m, change, &mut groups);
    }
    let rows = groups.groups.into_values().filter(|(_, _, parts)| !parts.is_empty()).map(|(sign, object, parts)| {
        let sign = sign.unwrap_or_else(|| {
            if parts.iter().all(|part| part.old.is_none() && !flags_only(part)) {
                Sign::Added
            } else if parts.iter().all(|part| part.new.is_none()) {
                Sign::Removed
            } else {
                Sign::Changed
            }
        });
        Rc::new(Change { sign, object, parts })
    });
    Changes { since: tr!("since {}", m.since), rows: rows.collect() }
}

/// Flags use only `new`: `+U −L`.
fn flags_only(delta: &Delta) -> bool {
    delta.new.as_ref().is_some_and(|new| new.starts_with('+') || new.starts_with('−'))
}

fn one(m: &Moment, change: &Raw, groups: &mut Groups) {
    match change {
        Raw::contents(id, off, len) => bytes(m, *id, *off, *len, groups),
        Raw::pages(id, old) => page(m, *id, *old, groups),
        Raw::bhs(id, old) => bh(m, *id, *old, groups),
        Raw::inodes(..)
        | Raw::sizes(..)
        | Raw::times(..)
        | Raw::syncs(..)
        | Raw::idata(..)
        | Raw::locks(..)
        | Raw::inline(..)
        | Raw::wbs(..) => inode(m, change, groups),
        Raw::files(..) | Raw::ras(..) | Raw::fds(..) => file(m, change, groups),
        Raw::tasks(..) | Raw::stacks(..) | Raw::runs(..) | Raw::accts(..) | Raw::comms(..) => task(m, change, groups),
        Raw::locals(slot, _) => local(m, *slot, groups),
        // The lower half's row tells of both.
        Raw::locals_high(slot, _)
            if m.changes.iter().any(|other| matches!(other, Raw::locals(id, _) if id == slot)) => {}
        Raw::locals_high(slot, _) => local(m, *slot, groups),
        Raw::vmas(..) | Raw::ptes(..) | Raw::shmem(..) | Raw::iters(..) | Raw::iovecs(..) => user(m, change, groups),
        Raw::handles(..) | Raw::journal(..) | Raw::logged(..) => journal(m, change, groups),
        Raw::bios(..)
        | Raw::bio_vecs(..)
        | Raw::faults(..)
        | Raw::io_ends(..)
        | Raw::io_end_vecs(..)
        | Raw::io_end_pieces(..)
        | Raw::page_io_end(..)
        | Raw::completed_io(..) => io(m, change, groups),
        Raw::groups(..) | Raw::bitmap(..) | Raw::pas(..) | Raw::supers(..) | Raw::freed(..) => space(m, change, groups),
        Raw::counters(slot, old) => counter(m, slot.0, *old, groups),
        Raw::device(unit, old) => device(m, *unit, old.as_ref().map(|old| &old[..]), groups),
        Raw::cache(key, old) => cache(m, *key, *old, groups),
        Raw::lru_places(..) | Raw::shadows(..) => reclaim::reclaim(m, change, groups),
        Raw::lru(..) => {} // the page's own place says it
        Raw::es(key, old) => extents(m, *key, *old, groups),
        Raw::events((at, _), old) => event(m, *at, *old, change, groups),
        Raw::io_lists(..)
        | Raw::wb_works(..)
        | Raw::wb_waits(..)
        | Raw::flushers(..)
        | Raw::wb_rates(..)
        | Raw::wb_domains(..) => flusher::flusher(m, change, groups),
        Raw::inode_hash(ino, old) => {
            let now = m.w.inode_hash.get(*ino);
            let id = now.or(*old).unwrap_or_default();
            let words = |there: bool| there.then(|| "there".to_owned());
            groups.add(
                Key::Inode(id.0),
                format!("inode {}", ino),
                maybe("in core", words(old.is_some()), words(now.is_some())),
            );
        }
        #[allow(unreachable_patterns)] // a kind added to the World is shown, if without words of its own
        _ => groups.add(Key::Other, "machine", added("", "something else changed")),
    }
}

fn inode_name(w: &World, id: InodeId) -> String {
    match id {
        InodeId::BDEV => "block device".to_owned(),
        InodeId::BUDDY => "buddy cache".to_owned(),
        _ => format!("inode {}", w.inodes.get(id).map_or(0, |inode| inode.ino)),
    }
}

/// `+U +D −L`.
fn flag_text<F: Flags + Copy>(old: F, new: F, name: impl Fn(&str) -> String) -> String {
    let mut words = Vec::new();
    for flag in F::FLAGS.iter().filter(|flag| flag.name() != "PRESENT") {
        let (before, now) = (old.contains(*flag.value()), new.contains(*flag.value()));
        if before != now {
            words.push(format!("{}{}", if now { '+' } else { '−' }, name(flag.name())));
        }
    }
    words.join(" ")
}

fn flags(name: &str, text: String) -> Option<Delta> {
    (!text.is_empty()).then(|| Delta { name: name.to_owned(), old: None, new: Some(text), paths: vec![] })
}

fn bytes(m: &Moment, id: ContentId, off: u16, len: u16, groups: &mut Groups) {
    if len == 0 {
        return;
    }
    let (from, to) = (usize::from(off), usize::from(off) + usize::from(len));
    let now = &m.w.contents.get(id)[from..to];
    let before = m.bytes_before(id);
    let old = before.as_ref().map_or(now, |old| &old[from..to]);
    let newest = m.index.marks(id, m.step).last();
    if old == now && newest.is_some_and(|mark| mark.step > m.since && mark.origin == Origin::Fresh) {
        return; // the page's own row says that it is new
    }
    let owner = m.w.pages.iter().find(|(_, page)| page.content == id);
    let user =
        || m.w.ptes.entries().iter().find(|(_, pte)| matches!(pte, world::Pte::Own { content, .. } if *content == id));
    let object = match (owner, user()) {
        (Some((id, _)), _) => tr!("bytes of {}", m.page_name(id)),
        (None, Some(((_, page), _))) => tr!("bytes at {}", m.address(page * 4096)),
        (None, None) => "bytes given back".to_owned(),
    };
    let object = match owner {
        Some((_, page)) if Some(page.mapping) == m.inode() => "bytes".to_owned(),
        _ => object,
    };
    let text = |bytes: &[u8]| {
        if bytes.iter().all(|&byte| byte == bytes[0]) {
            return format!("{:02x}", bytes[0]);
        }
        let some: Vec<String> = bytes.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
        format!("{} …", some.join(" "))
    };
    let name = |step: u32, at: u16| {
        let mark = m.index.marks(id, step).iter().rev().find(|mark| mark.from <= at && at < mark.to)?;
        match mark.origin {
            Origin::Copy { address, .. } => Some(m.address(address + u64::from(at - mark.from))),
            Origin::Disk { .. } => Some("disk".to_owned()),
            Origin::Fresh => Some("??".to_owned()),
            Origin::Zero | Origin::Kernel(_) => None,
        }
    };
    let was = name(m.since, off).unwrap_or_else(|| text(old));
    let is = name(m.step, off).unwrap_or_else(|| text(now));
    let range = span(u64::from(off), u64::from(off) + u64::from(len)).replace('\u{202f}', "");
    groups.add(Key::Bytes(id.0), object, leaf(&range, was, is));
}

fn page(m: &Moment, id: PageId, old: world::Page, groups: &mut Groups) {
    let now = *m.w.pages.at(id);
    let key = Key::Page(id.0);
    let there = now.flags.contains(PageFlags::PRESENT);
    let object = if there { m.page_name(id) } else { tr!("page {}", old.index) };
    let tags = PageFlags::TAG_DIRTY | PageFlags::TAG_WRITEBACK | PageFlags::TAG_TOWRITE;
    let letter = |name: &str| match name {
        "LOCKED" => "L".to_owned(),
        "UPTODATE" => "U".to_owned(),
        "DIRTY" => "D".to_owned(),
        "WRITEBACK" => "W".to_owned(),
        other => other.to_lowercase(),
    };
    let tag = |name: &str| name.trim_start_matches("TAG_").to_owned();
    let parts = [
        flags("", flag_text(old.flags - tags, now.flags - tags, letter)),
        flags("xarray", flag_text(old.flags & tags, now.flags & tags, tag)),
        (old.refs != now.refs).then(|| leaf("refs", old.refs, now.refs)),
        (old.nr_bhs != now.nr_bhs).then(|| leaf("buffer heads", old.nr_bhs, now.nr_bhs)),
        (there && old.mapping.is_some() && old.mapping != now.mapping)
            .then(|| leaf("mapping", inode_name(m.w, old.mapping), "none")),
        (old.index != now.index && there && old.flags.contains(PageFlags::PRESENT))
            .then(|| leaf("index", old.index, now.index)),
    ];
    let mut any = false;
    for part in parts.into_iter().flatten() {
        any = true;
        groups.add(key, object.clone(), part);
    }
    if !any {
        groups.add(key, object, added("", "bytes elsewhere"));
    }
    match (old.flags.contains(PageFlags::PRESENT), there) {
        (false, true) => groups.sign(key, Sign::Added),
        (true, false) => groups.sign(key, Sign::Removed),
        _ => {}
    }
}

fn bh(m: &Moment, id: BhId, old: world::BufferHead, groups: &mut Groups) {
    let now = *m.w.bhs.at(id);
    let key = Key::Bh(id.0);
    let page = if now.page.is_some() { now.page } else { old.page };
    let own = m.w.pages.get(page).is_some_and(|page| Some(page.mapping) == m.inode());
    let place = if own {
        format!("bh{}", id.0 % 4)
    } else if m.w.pages.get(page).is_some_and(|page| page.mapping == InodeId::BDEV) {
        tr!("buffer of block {}", number(if now.flags.contains(BhFlags::PRESENT) { now.blocknr } else { old.blocknr }))
    } else {
        tr!("bh{} of {}", id.0 % 4, m.page_name(page))
    };
    let letter = |name: &str| match name {
        "UPTODATE" => "U".to_owned(),
        "DIRTY" => "D".to_owned(),
        "MAPPED" => "M".to_owned(),
        "NEW" => "N".to_owned(),
        "DELAY" => "d".to_owned(),
        "UNWRITTEN" => "u".to_owned(),
        other => other.to_lowercase(),
    };
    let block = |head: &world::BufferHead| {
        let none = head.blocknr >= kernel::fs::ext4::inode::write::INVALID_BLOCK || head.blocknr == 0;
        if none { "none".to_owned() } else { number(head.blocknr) }
    };
    let parts = [
        flags("", flag_text(old.flags, now.flags, letter)),
        (block(&old) != block(&now)).then(|| leaf("block", block(&old), block(&now))),
        (old.tid != now.tid).then(|| leaf("tx", old.tid, now.tid)),
    ];
    let mut any = false;
    for part in parts.into_iter().flatten() {
        any = true;
        groups.add(key, place.clone(), part);
    }
    match (old.flags.contains(BhFlags::PRESENT), now.flags.contains(BhFlags::PRESENT)) {
        (before, there) if before != there => {
            if !any {
                groups.add(key, place, if there { added("", "attached") } else { removed("", "attached") });
            }
            groups.sign(key, if there { Sign::Added } else { Sign::Removed });
        }
        _ if !any => groups.add(key, place, added("", "another place")),
        _ => {}
    }
}

/// Adds `name old → new` for each named field that differs.
macro_rules! fields {
    ($groups:expr, $key:expr, $object:expr, $old:expr, $now:expr, $( $name:literal : $field:ident $(=> $show:expr)? ),* $(,)?) => {{
        let (old, now) = (&$old, &$now);
        $( if old.$field != now.$field {
            $groups.add($key, $object, leaf($name, fields!(@show old.$field $(, $show)?), fields!(@show now.$field $(, $show)?)));
        } )*
    }};
    (@show $value:expr) => { number(u64::from($value)) };
    (@show $value:expr, $show:expr) => { ($show)($value) };
}

mod flusher;
pub mod paths;
mod reclaim;

fn seconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000_000, ns / 1_000_000 % 1000)
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn rwlock(w: &World, lock: world::RwLock) -> String {
    match (lock.writer, lock.readers) {
        (0, 0) => "free".to_owned(),
        (0, readers) => count(u64::from(readers), "reader"),
        (writer, _) => tr!("held by {}", task_name(w, TaskId(writer - 1))),
    }
}

fn inode(m: &Moment, change: &Raw, groups: &mut Groups) {
    let w = m.w;
    match change {
        Raw::inodes(id, old) => {
            let (key, now, object) = (Key::Inode(id.0), *w.inodes.at(*id), inode_name(w, *id));
            let words = flag_text(old.state, now.state, |name| format!("I_{name}"));
            for delta in
                [flags("", words), flags("", flag_text(old.bits, now.bits, str::to_owned))].into_iter().flatten()
            {
                groups.add(key, object.clone(), delta);
            }
            fields!(groups, key, object.clone(), *old, now,
                "mode": mode => |v: u16| format!("{v:06o}"), "nlink": nlink, "uid": uid, "gid": gid,
                "flags": flags => |v: u32| format!("{v:#x}"), "generation": generation => |v: u32| format!("{v:#x}"),
                "users": count, "i_writecount": writers, "i_mmap_writable": mmap_writable, "number": ino,
                "extra_isize": extra_isize);
        }
        Raw::sizes(id, old) => {
            let now = *w.sizes.at(*id);
            fields!(groups, Key::Inode(id.0), inode_name(w, *id), *old, now,
                "i_size": i_size, "i_disksize": i_disksize, "i_blocks": i_blocks, "reserved": reserved,
                "nrpages": nrpages);
        }
        Raw::times(id, old) => {
            let now = *w.times.at(*id);
            fields!(groups, Key::Inode(id.0), inode_name(w, *id), *old, now,
                "atime": atime => seconds, "ctime": ctime => seconds, "mtime": mtime => seconds,
                "crtime": crtime => seconds);
        }
        Raw::syncs(id, old) => {
            let now = *w.syncs.at(*id);
            fields!(groups, Key::Inode(id.0), inode_name(w, *id), *old, now,
                "i_sync_tid": sync_tid, "i_datasync_tid": datasync_tid, "dirtied_when": dirtied_when,
                "dirtied_time_when": dirtied_time_when, "place in its list": list_seq,
                "writeback_index": writeback_index);
        }
        Raw::idata(id, old) => {
            let now = w.idata.at(*id);
            for (from, to) in crate::rows::device::ranges(&old.0, &now.0) {
                let hex = |bytes: &[u8]| {
                    let all: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    all.join(" ")
                };
                let range = from as usize..to as usize;
                let name = format!("i_block {}", span(u64::from(from), u64::from(to)));
                let delta = leaf(&name, hex(&old.0[range.clone()]), hex(&now.0[range]));
                groups.add(Key::Inode(id.0), inode_name(w, *id), delta);
            }
        }
        Raw::inline(id, old) => {
            let now = w.inline.get(*id);
            let show = |area: Option<world::InlineArea>| area.map(|area| tr!("at {}", area.off));
            let room = |area: Option<world::InlineArea>| area.map(|area| count(area.size.into(), "byte"));
            groups.add(Key::Inode(id.0), inode_name(w, *id), maybe("i_inline_off", show(*old), show(now)));
            groups.add(Key::Inode(id.0), inode_name(w, *id), maybe("i_inline_size", room(*old), room(now)));
        }
        Raw::locks(id, old) => {
            let now = *w.locks.at(*id);
            let show = |lock| rwlock(w, lock);
            fields!(groups, Key::Inode(id.0), inode_name(w, *id), *old, now,
                "i_rwsem": i_rwsem => show, "i_data_sem": i_data_sem => show, "i_mmap_sem": i_mmap_sem => show);
        }
        Raw::wbs(id, old) => {
            let now = *w.wbs.at(*id);
            fields!(groups, Key::Inode(id.0), inode_name(w, *id), *old, now,
                "pages under writeback": writeback, "wb_err": wb_err, "errno": errno, "error seen": seen => yes,
                "as_error": as_error);
        }
        _ => {}
    }
}

fn file(m: &Moment, change: &Raw, groups: &mut Groups) {
    let w = m.w;
    match change {
        Raw::files(id, old) => {
            let (key, now) = (Key::File(id.0), *w.files.at(*id));
            let object = tr!("open file {}", id.0);
            fields!(groups, key, object.clone(), *old, now,
                "inode": inode => |id| inode_name(w, id), "f_flags": f_flags => |v: u32| format!("0{v:o}"),
                "f_pos": f_pos, "users": refs, "readable": readable => yes, "writable": writable => yes,
                "f_wb_err": wb_err);
        }
        Raw::ras(id, old) => {
            let now = *w.ras.at(*id);
            fields!(groups, Key::File(id.0), tr!("open file {}", id.0), *old, now,
                "readahead start": start, "readahead size": size, "readahead async": async_size,
                "prev_pos": prev_pos);
        }
        Raw::fds((process, fd), old) => {
            let now = w.fds.get((*process, *fd));
            let id = now.or(*old).unwrap_or_default();
            let words = |file: Option<world::FileId>| file.map(|_| format!("fd {}", fd));
            groups.add(Key::File(id.0), tr!("open file {}", id.0), maybe("descriptor", words(*old), words(now)));
        }
        _ => {}
    }
}

fn task(m: &Moment, change: &Raw, groups: &mut Groups) {
    let w = m.w;
    let object = |id: TaskId| tr!("task {}", task_name(w, id));
    match change {
        Raw::tasks(id, old) => {
            let now = *w.tasks.at(*id);
            if old.seq != now.seq {
                let name = tr!("place of {} in the queue", task_name(w, *id));
                groups.add(Key::Orders, "order", leaf(&name, old.seq, now.seq));
            }
            let state = |state: world::TaskState| format!("{state:?}").to_lowercase();
            fields!(groups, Key::Task(id.0), object(*id), *old, now,
                "": state => state, "waits for": wait => |wait| {
                    let words = wait_name(w, wait);
                    if words.is_empty() { "nothing".to_owned() } else { words }
                },
                "wakes at": wake_at => seconds, "priority": priority, "SIGKILL": killed => yes,
                "killable": killable => yes, "process": process, "signals": signals => |v: u64| format!("{v:#x}"));
        }
        Raw::stacks(id, old) => {
            let now = *w.stacks.at(*id);
            if old.frame != now.frame {
                let name = |frame: u32| {
                    let site = m.h.frames.get(frame as usize).filter(|_| frame != 0).map(|frame| frame.site);
                    site.and_then(function_of).map_or_else(|| "user space".to_owned(), |f| f.name.to_owned())
                };
                groups.add(Key::Stack, "call stack", leaf("", name(old.frame), name(now.frame)));
            }
        }
        Raw::runs(id, old) => {
            let now = *w.runs.at(*id);
            fields!(groups, Key::Task(id.0), object(*id), *old, now,
                "call": syscall, "iteration": iteration, "try": retry, "atomic": atomic);
        }
        Raw::accts(id, old) => {
            let now = *w.accts.at(*id);
            fields!(groups, Key::Task(id.0), object(*id), *old, now,
                "nr_dirtied": nr_dirtied, "nr_dirtied_pause": nr_dirtied_pause,
                "dirty_paused_when": dirty_paused_when, "RLIMIT_FSIZE": rlimit_fsize, "euid": euid, "pid": pid,
                "backing_dev_info": bdi_set => |set| if set { "set" } else { "none" }.to_owned());
        }
        Raw::comms(id, old) => {
            let show = |comm: &Comm| comm.as_str().to_owned();
            groups.add(Key::Task(id.0), object(*id), leaf("name", show(old), show(w.comms.at(*id))));
        }
        _ => {}
    }
}

fn local(m: &Moment, slot: world::WordId, groups: &mut Groups) {
    let Some(old) = m.old_word(slot) else { return };
    let (task, depth, n) = World::local_of_slot(slot);
    let Some(now) = m.w.local(task, depth, n) else {
        return; // not set, or the word that says which are
    };
    let frame = m.w.stacks.get(task).map_or(0, |stack| stack.frame);
    let stack = crate::moment::stack_of(m.h, frame);
    let call = stack.iter().find(|call| call.depth == depth);
    let Some(local) = call.and_then(|call| call.function.locals.get(n as usize)) else {
        return; // a frame already left: its locals are gone with it
    };
    let entered = !m.was_set(task, depth, n) || call.is_some_and(|call| m.entered(task, *call));
    let (before, text) = (m.text(local, old), m.text(local, now));
    if before == text {
        return; // what was in the slot belonged to another call
    }
    let innermost = stack.first().is_some_and(|call| call.depth == depth) && m.task() == Some(task);
    let name = match call {
        Some(call) if !innermost => format!("{}:{}", call.function.name, local.name),
        _ => local.name.to_owned(),
    };
    groups.add(Key::Locals, "locals", if entered { added(&name, text) } else { leaf(&name, before, text) });
}

fn user(m: &Moment, change: &Raw, groups: &mut Groups) {
    let w = m.w;
    match change {
        Raw::vmas(id, old) => {
            let now = w.vmas.at(*id);
            let show = |vma: &world::Vma| {
                (vma.kind != world::VmaKind::None).then(|| {
                    let prot = match (vma.readable, vma.writable) {
                        (true, true) => "rw",
                        (true, false) => "r",
                        (false, true) => "w",
                        (false, false) => "none",
                    };
                    tr!("{}, {} bytes, {}", m.address(vma.start), number(vma.len), prot)
                })
            };
            groups.add(Key::User, "user memory", maybe("mapping", show(old), show(now)));
        }
        Raw::ptes((process, page), old) => {
            let now = w.ptes.get((*process, *page));
            let show = |pte: &Option<world::Pte>| {
                pte.as_ref().map(|pte| match pte {
                    world::Pte::Own { .. } => "resident".to_owned(),
                    world::Pte::Cache { page, young: true, .. } => tr!("{} of the cache", m.page_name(*page)),
                    world::Pte::Cache { page, .. } => tr!("{} of the cache, not used lately", m.page_name(*page)),
                })
            };
            groups.add(Key::User, "user memory", maybe(&m.address(page * 4096), show(old), show(&now)));
        }
        Raw::shmem((buf, page), old) => {
            let now = w.shmem.get((*buf, *page));
            let show = |content: Option<ContentId>| content.map(|_| "held".to_owned());
            let name = tr!("{} page {}", m.program.buffer(*buf), page);
            groups.add(Key::User, "user memory", maybe(&name, show(*old), show(now)));
        }
        Raw::iters(id, old) => {
            let now = *w.iters.at(*id);
            fields!(groups, Key::Iter(id.0), tr!("iov_iter of {}", task_name(w, TaskId(id.0))), *old, now,
                "count": count, "iov_offset": iov_offset, "segment": seg, "nr_segs": nr_segs,
                "segments": total_segs, "bytes": bytes);
        }
        Raw::iovecs((iter, n), old) => {
            let now = w.iovecs.get((*iter, *n));
            let show = |iov: Option<Iovec>| iov.map(|iov| format!("{}, {}", m.address(iov.base), number(iov.len)));
            let object = tr!("iov_iter of {}", task_name(w, TaskId(iter.0)));
            groups.add(Key::Iter(iter.0), object, maybe(&format!("seg{}", n), show(*old), show(now)));
        }
        _ => {}
    }
}

fn journal(m: &Moment, change: &Raw, groups: &mut Groups) {
    let w = m.w;
    match change {
        Raw::handles(id, old) => {
            let (key, now) = (Key::Handle(id.0), *w.handles.at(*id));
            let object = "handle";
            let show = |handle: &world::Handle| format!("{}, tx {}", handle_kind(handle.kind), handle.tid);
            match (old.refs > 0, now.refs > 0) {
                (false, true) => {
                    groups.add(
                        key,
                        object,
                        added("", format!("{}, {}", show(&now), count(u64::from(now.credits), "credit"))),
                    );
                    groups.sign(key, Sign::Added);
                }
                (true, false) => {
                    groups.add(key, object, removed("", show(old)));
                    groups.sign(key, Sign::Removed);
                }
                _ => fields!(groups, key, object, *old, now,
                    "nesting": refs, "credits": credits, "dirtied": dirtied => |dirtied: i32| number(dirtied.max(0).unsigned_abs().into()), "requested": requested, "tx": tid,
                    "sync": sync => yes, "type": kind => |kind| handle_kind(kind).to_owned()),
            }
        }
        Raw::journal((tid, seq), old) => {
            let now = w.journal.get((*tid, *seq));
            let show = |bh: Option<BhId>| bh.and_then(|bh| w.bhs.get(bh)).map(|head| tr!("block {}", head.blocknr));
            groups.add(Key::Journal, "journal", maybe(&format!("tx {}", tid), show(*old), show(now)));
        }
        Raw::logged(bh, old) => {
            let now = w.logged.get(*bh);
            let block = w.bhs.get(*bh).map_or(0, |head| head.blocknr);
            let show = |kept: Option<ContentId>| kept.map(|_| "as last committed".to_owned());
            groups.add(Key::Journal, "journal", maybe(&tr!("block {}", block), show(*old), show(now)));
        }
        _ => {}
    }
}

fn io(m: &Moment, change: &Raw, groups: &mut Groups) {
    let w = m.w;
    let size = block_size(w);
    match change {
        Raw::bios(id, old) => {
            let (key, now) = (Key::Bio(id.0), *w.bios.at(*id));
            let show = |bio: &world::Bio| {
                bio.used.then(|| {
                    let from = bio.sector * 512 / size;
                    let verb = if bio.write { "write" } else { "read" };
                    let error = if bio.error > 0 { tr!(", error {}", bio.error) } else { String::new() };
                    tr!("{} {}{}", verb, span(from, from + u64::from(bio.len).div_ceil(size)), error)
                })
            };
            let (before, after) = (show(old), show(&now));
            if before != after {
                groups.add(key, format!("bio {}", id.0), maybe("", before, after));
            } else if now.used {
                groups.add(key, format!("bio {}", id.0), leaf("pieces", old.nr_vecs, now.nr_vecs));
            } else {
                groups.add(key, format!("bio {}", id.0), added("", "submitted and completed"));
            }
        }
        Raw::bio_vecs((bio, n), old) => {
            let now = w.bio_vecs.get((*bio, *n));
            let show = |vec: Option<world::BioVec>| {
                vec.map(|vec| {
                    format!(
                        "{} {}",
                        m.page_name(vec.page),
                        span(u64::from(vec.offset), u64::from(vec.offset + vec.len))
                    )
                })
            };
            groups.add(Key::Bio(bio.0), format!("bio {}", bio.0), maybe(&tr!("piece {}", n), show(*old), show(now)));
        }
        Raw::faults(n, old) => {
            let show = |fault: Option<world::DeviceFault>| fault.map(crate::rows::device::fault_words);
            groups.add(Key::Device, "device", maybe("fails", show(*old), show(w.faults.get(*n))));
        }
        Raw::io_ends(id, old) => {
            let now = *w.io_ends.at(*id);
            fields!(groups, Key::Bio(1 << 20 | id.0), format!("io_end {}", id.0), *old, now,
                "there": used => yes, "inode": inode => |id| inode_name(w, id), "count": count,
                "unwritten": unwritten => yes, "reserved credits": rsv_credits, "ranges": nr_vecs,
                "pieces": nr_pieces);
        }
        Raw::io_end_vecs((id, n), old) => {
            let now = w.io_end_vecs.get((*id, *n));
            let show = |vec: Option<world::IoEndVec>| vec.map(|vec| span(vec.offset, vec.offset + vec.size));
            groups.add(Key::Bio(1 << 20 | id.0), format!("io_end {}", id.0), maybe("bytes", show(*old), show(now)));
        }
        Raw::io_end_pieces((id, n), old) => {
            let now = w.io_end_pieces.get((*id, *n));
            let show = |piece: Option<world::IoEndPiece>| piece.map(|piece| m.page_name(piece.page));
            groups.add(Key::Bio(1 << 20 | id.0), format!("io_end {}", id.0), maybe("waits", show(*old), show(now)));
        }
        Raw::page_io_end(page, old) => {
            let now = w.page_io_end.get(*page);
            let show = |id: Option<world::IoEndId>| id.map(|id| format!("io_end {}", id.0));
            groups.add(Key::Page(page.0), m.page_name(*page), maybe("ends with", show(*old), show(now)));
        }
        Raw::completed_io(seq, old) => {
            let now = w.completed_io.get(*seq);
            let id = now.or(*old).unwrap_or_default();
            let show = |id: Option<world::IoEndId>| id.map(|_| "waits for conversion".to_owned());
            groups.add(Key::Bio(1 << 20 | id.0), format!("io_end {}", id.0), maybe("", show(*old), show(now)));
        }
        _ => {}
    }
}

fn space(m: &Moment, change: &Raw, groups: &mut Groups) {
    let w = m.w;
    match change {
        Raw::groups(id, old) => {
            let now = *w.groups.at(*id);
            fields!(groups, Key::Space, "free space", *old, now,
                "bitmap loaded": loaded => yes, "free clusters": free, "free runs": fragments,
                "first free": first_free);
        }
        Raw::bitmap(word, old) => {
            let words: Vec<(world::WordId, u64)> = m
                .changes
                .iter()
                .filter_map(|change| match change {
                    Raw::bitmap(word, old) => Some((*word, *old)),
                    _ => None,
                })
                .collect();
            if words.len() > BITMAP_WORDS_MAX {
                // A bitmap loaded or dropped: one row, at its first word.
                if words.first().is_some_and(|(first, _)| first == word) {
                    let (set, cleared) = words.iter().fold((0, 0), |(set, cleared), (word, old)| {
                        let now = *w.bitmap.at(*word);
                        (set + (now & !old).count_ones(), cleared + (old & !now).count_ones())
                    });
                    let text = tr!("+{} −{} in {} words", set, cleared, words.len());
                    groups.add(Key::Space, "free space", added("in-core bitmap", text));
                }
                return;
            }
            let now = *w.bitmap.at(*word);
            let (set, cleared) = ((now & !old).count_ones(), (old & !now).count_ones());
            let first = u64::from(word.0) * 64 + u64::from((now ^ old).trailing_zeros());
            let text = match (set, cleared) {
                (set, 0) => tr!("+{} from bit {}", set, first),
                (0, cleared) => tr!("−{} from bit {}", cleared, first),
                (set, cleared) => tr!("+{} −{} from bit {}", set, cleared, first),
            };
            groups.add(Key::Space, "free space", added("in-core bitmap", text));
        }
        Raw::pas(id, old) => {
            let now = w.pas.at(*id);
            let show = |pa: &world::Prealloc| {
                pa.used.then(|| {
                    let owner = if pa.group { "group".to_owned() } else { inode_name(w, pa.inode) };
                    tr!("{}: {} free of {}", owner, pa.free, span(pa.pstart, pa.pstart + u64::from(pa.len)))
                })
            };
            groups.add(Key::Space, "free space", maybe("preallocation", show(old), show(now)));
        }
        Raw::supers(_, old) => {
            let now = w.sb();
            let before = groups.groups.len();
            fields!(groups, Key::Journal, "journal", *old, now, "running tx": running_tid, "next tx": next_tid);
            fields!(groups, Key::Space, "file system", *old, now,
                "mounted": mounted => yes, "read only": read_only => yes, "stable writes": stable_writes => yes, "frozen": frozen, "shutdown": shutdown => yes, "journal aborted": aborted => yes,
                "mount options": mount_opts => |v: u32| format!("{v:#x}"), "reserved clusters": resv_clusters);
            if groups.groups.len() == before && *old != now {
                groups.add(Key::Space, "file system", added("", "superblock words"));
            }
        }
        Raw::freed((tid, cluster), old) => {
            let now = w.freed.get((*tid, *cluster));
            let show = |len: Option<u32>| len.map(|len| span(*cluster, cluster + u64::from(len)));
            groups.add(Key::Space, "free space", maybe(&tr!("freed in tx {}", tid), show(*old), show(now)));
        }
        _ => {}
    }
}

/// Counters by number: the kernel's names.
fn counter_name(slot: u32) -> &'static str {
    const NAMES: [(Counter, &str); 65] = [
        (Counter::Clock, "clock"),
        (Counter::FilePages, "NR_FILE_PAGES"),
        (Counter::FileDirty, "NR_FILE_DIRTY"),
        (Counter::Writeback, "NR_WRITEBACK"),
        (Counter::Dirtied, "NR_DIRTIED"),
        (Counter::Written, "NR_WRITTEN"),
        (Counter::WbReclaimable, "WB_RECLAIMABLE"),
        (Counter::WbWriteback, "WB_WRITEBACK"),
        (Counter::WbDirtied, "WB_DIRTIED"),
        (Counter::WbWritten, "WB_WRITTEN"),
        (Counter::BdpRatelimits, "bdp_ratelimits"),
        (Counter::FreeClusters, "free clusters"),
        (Counter::DirtyClusters, "reserved clusters"),
        (Counter::DirtyClustersApprox, "reserved, as read without the CPU's part"),
        (Counter::FreeClustersApprox, "free, as read without the CPU's part"),
        (Counter::FreeInodes, "free inodes"),
        (Counter::Dirs, "directories"),
        (Counter::MemoryPages, "memory, pages"),
        (Counter::FreePages, "free memory, pages"),
        (Counter::SleepSeq, "sleeps"),
        (Counter::EventSeq, "events"),
        (Counter::DirtySeq, "dirtied inodes"),
        (Counter::JournalSeq, "journalled buffers"),
        (Counter::StreamGoal, "stream goal"),
        (Counter::BootTime, "boot time"),
        (Counter::DirtyBackground, "vm.dirty_background"),
        (Counter::DirtyLimit, "vm.dirty"),
        (Counter::RatelimitPages, "ratelimit_pages"),
        (Counter::DeviceLatency, "device latency"),
        (Counter::StableWrites, "stable writes"),
        (Counter::SbWriters, "writers of the file system"),
        (Counter::SbFaults, "faults that write"),
        (Counter::SbInternal, "internal writers"),
        (Counter::SectorsWritten, "sectors written"),
        (Counter::DeviceBytesWritten, "bytes written to the device"),
        (Counter::DeviceBytesRead, "bytes read from the device"),
        (Counter::Random, "generator"),
        (Counter::LastOrphan, "orphan list"),
        (Counter::FcIneligible, "fast commits refused"),
        (Counter::CompletedIoSeq, "completed I/O"),
        (Counter::FailPageAlloc, "page allocations to fail"),
        (Counter::FailSlab, "slab allocations to fail"),
        (Counter::FailUsercopy, "user copies to fail"),
        (Counter::FileDirtyApprox, "NR_FILE_DIRTY as read"),
        (Counter::WritebackApprox, "NR_WRITEBACK as read"),
        (Counter::VmstatClock, "counts handed in at"),
        (Counter::WbReclaimableApprox, "WB_RECLAIMABLE as read"),
        (Counter::WbWritebackApprox, "WB_WRITEBACK as read"),
        (Counter::DirtyThrottleLeaks, "dirty_throttle_leaks"),
        (Counter::DirtyExpire, "vm.dirty_expire_centisecs"),
        (Counter::DirtyWriteback, "vm.dirty_writeback_centisecs"),
        (Counter::LaptopMode, "vm.laptop_mode"),
        (Counter::DeviceBandwidth, "device bandwidth"),
        (Counter::DeviceQueueDepth, "device queue depth"),
        (Counter::DeviceBusyUntil, "device busy until"),
        (Counter::DaxDevice, "DAX device"),
        (Counter::PageLimit, "pages of file data and programs, at most"),
        (Counter::UserPages, "pages of programs"),
        (Counter::InactiveFile, "NR_INACTIVE_FILE"),
        (Counter::ActiveFile, "NR_ACTIVE_FILE"),
        (Counter::IsolatedFile, "NR_ISOLATED_FILE"),
        (Counter::NonresidentAge, "nonresident_age"),
        (Counter::WorkingsetActivate, "WORKINGSET_ACTIVATE_FILE"),
        (Counter::Refaults, "refaults"),
        (Counter::Count, "counter"),
    ];
    NAMES.iter().find(|(counter, _)| *counter as u32 == slot).map_or("counter", |(_, name)| name)
}

fn counter(m: &Moment, slot: u32, old: u64, groups: &mut Groups) {
    let now = m.w.counters.get(world::WordId(slot)).copied().unwrap_or(0);
    if slot == Counter::Clock as u32 {
        groups.add(Key::Clock, "clock", leaf("", seconds(old), seconds(now)));
        return;
    }
    let orders = [
        Counter::SleepSeq,
        Counter::EventSeq,
        Counter::DirtySeq,
        Counter::JournalSeq,
        Counter::CompletedIoSeq,
        Counter::VmstatClock,
    ];
    if orders.iter().any(|order| *order as u32 == slot) {
        groups.add(Key::Orders, "order", leaf(counter_name(slot), number(old), number(now)));
    } else if now != old {
        groups.add(Key::Counters, "counters", leaf(counter_name(slot), number(old), number(now)));
    }
}

fn device(m: &Moment, unit: UnitId, old: Option<&[u8]>, groups: &mut Groups) {
    let size = block_size(m.w);
    let per_unit = (4096 / size).max(1);
    let zeros = [0u8; 4096];
    let old = old.unwrap_or(&zeros);
    let now = match m.w.device.get(unit) {
        Some(Some(block)) => &block[..],
        _ => &zeros,
    };
    let mut any = false;
    for n in 0..per_unit {
        let part = (n * size) as usize..((n + 1) * size).min(4096) as usize;
        let differ = crate::rows::device::ranges(&old[part.clone()], &now[part]);
        let bytes: u64 = differ.iter().map(|(from, to)| u64::from(to - from)).sum();
        if bytes > 0 {
            any = true;
            let block = u64::from(unit.0) * 4096 / size + n;
            let name = tr!("block {}", number(block));
            let bytes_said = count(bytes, "byte");
            let said = if bytes == 1 { tr!("{} differs", bytes_said) } else { tr!("{} differ", bytes_said) };
            groups.add(Key::Device, "device", added(&name, said));
        }
    }
    if !any {
        let block = u64::from(unit.0) * 4096 / size;
        groups.add(Key::Device, "device", added(&tr!("block {}", number(block)), "written, same bytes"));
    }
    groups.sign(Key::Device, Sign::Changed);
}

fn cache(m: &Moment, (inode, index): (InodeId, u32), old: Option<PageId>, groups: &mut Groups) {
    let now = m.w.cache.get((inode, index));
    let Some(id) = now.or(old) else { return };
    let show = |page: Option<PageId>| page.map(|_| tr!("in the cache of {}", inode_name(m.w, inode)));
    let object = if inode == InodeId::BDEV { tr!("device page {}", index) } else { tr!("page {}", index) };
    groups.add(Key::Page(id.0), object, maybe("", show(old), show(now)));
}

fn extents(m: &Moment, (inode, lblk): (InodeId, u32), old: Option<world::ExtentStatus>, groups: &mut Groups) {
    let now = m.w.es.get((inode, lblk));
    let show = |es: Option<world::ExtentStatus>| {
        es.map(|es| {
            let mut letters = String::new();
            for (bit, letter) in [(1, 'W'), (2, 'U'), (4, 'D'), (8, 'H')] {
                if es.status & bit != 0 {
                    letters.push(letter);
                }
            }
            let at = if es.status & 3 != 0 { tr!(" at {}", number(es.pblk)) } else { String::new() };
            let end = u64::from(lblk) + u64::from(es.len);
            let len = if end >= u64::from(u32::MAX) { tr!("to the end") } else { count(u64::from(es.len), "block") };
            format!("{len} {letters}{at}")
        })
    };
    let (before, after) = (show(old), show(now));
    let delta = if before == after {
        leaf(&tr!("from {}", lblk), "same", "referenced")
    } else {
        maybe(&tr!("from {}", lblk), before, after)
    };
    groups.add(Key::Extents(inode.0), tr!("extent status of {}", inode_name(m.w, inode)), delta);
}

fn event(m: &Moment, at: u64, old: Option<Event>, change: &Raw, groups: &mut Groups) {
    let now = match change {
        Raw::events(key, _) => m.w.events.get(*key),
        _ => None,
    };
    let show = |event: Option<Event>| {
        event.map(|event| match event {
            Event::None => "nothing".to_owned(),
            Event::BioEnd(bio) => tr!("bio {} ends at {}", bio.0, seconds(at)),
            Event::Flusher => tr!("flusher runs at {}", seconds(at)),
            Event::Wake(task) => tr!("{} wakes at {}", task_name(m.w, task), seconds(at)),
        })
    };
    groups.add(Key::Clock, "clock", maybe("due", show(old), show(now)));
}
