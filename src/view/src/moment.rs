//! One step seen from all sides: the World behind it, what ended it, what it changed.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use kernel::mm::backing_dev::flusher;
use kernel::mm::memory::buffer_of;
use kernel::site::{self, FnSite, ProbeSite, Site, Ty};
use world::{
    Change, ContentId, Errno, FrameId, History, InodeId, Page, PageId, Snapshot, StepHeader, TaskId, VmaKind, WaitOn,
    WordId, World,
};

use crate::frame;
use crate::index::Index;
use crate::program::Program;
use crate::text::{fill, is_korean, word};

/// The state after a step, and everything needed to speak of the step.
pub struct Moment<'a> {
    /// The state after the step.
    pub w: &'a World,
    /// The recorded steps.
    pub h: &'a History,
    /// What the whole run is known to do.
    pub index: &'a Index,
    /// The programs and their buffers.
    pub program: &'a Program,
    /// Number of the step: 0 before anything ran.
    pub step: u32,
    /// What `changes` are compared with: the step before.
    pub since: u32,
    /// The state there, if that is not the step before.
    before: Option<Snapshot>,
    /// What ended the step; none before anything ran.
    pub header: Option<StepHeader>,
    /// What the step changed, with the values before.
    pub changes: Vec<Change>,
    /// The stack of the step's task, innermost first.
    pub stack: Vec<Call>,
    kept: OnceCell<Vec<PageId>>,
}

/// A frame of a call stack.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The function.
    pub function: &'static FnSite,
    /// Frames up to the root, itself included.
    pub depth: u32,
    /// The frame.
    pub frame: FrameId,
}

/// The calls that lead to `frame`, innermost first.
#[must_use]
pub fn stack_of(h: &History, frame: FrameId) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut at = frame;
    while at != 0 {
        let Some(node) = h.frames.get(at as usize) else { break };
        if let Some(function) = function_of(node.site) {
            calls.push(Call { function, depth: u32::from(node.depth), frame: at });
        }
        at = node.parent;
    }
    calls
}

/// The function of a site number, if the table has it.
#[must_use]
pub fn function_of(id: u16) -> Option<&'static FnSite> {
    match site::SITES.get(usize::from(id))? {
        Site::Function(function) => Some(function),
        Site::Probe(probe) => Some(probe.function),
    }
}

/// The kernel crate's phase as the screen has it.
#[must_use]
pub fn phase(phase: site::Phase) -> frame::Phase {
    match phase {
        site::Phase::Entry => frame::Phase::None,
        site::Phase::FaultIn => frame::Phase::FaultIn,
        site::Phase::WriteBegin => frame::Phase::Begin,
        site::Phase::Copy => frame::Phase::Copy,
        site::Phase::WriteEnd => frame::Phase::End,
        site::Phase::Balance => frame::Phase::Balance,
        site::Phase::Writeback => frame::Phase::Writeback,
        site::Phase::Journal => frame::Phase::Journal,
    }
}

/// The phase of a step: inside the write loop that of the loop's own callee, so
/// that a journal handle in write_begin stays write_begin; elsewhere that of
/// the innermost function that has one.
#[must_use]
pub fn phase_of(stack: &[Call], probe: Option<&ProbeSite>) -> frame::Phase {
    let own = probe.map_or(frame::Phase::None, |probe| phase(probe.phase));
    if let Some(at) = stack.iter().position(|call| call.function.id == site::GENERIC_PERFORM_WRITE.id) {
        return at.checked_sub(1).map_or(own, |callee| phase(stack[callee].function.phase));
    }
    // Outside the loop only writeback and journal are phases: a commit is the
    // journal's wherever it runs, else the outermost function decides.
    if stack.iter().any(|call| call.function.id == site::JBD2_JOURNAL_COMMIT_TRANSACTION.id) {
        return frame::Phase::Journal;
    }
    let outer = stack.iter().rev().map(|call| phase(call.function.phase));
    outer.chain([own]).find(|p| matches!(p, frame::Phase::Writeback | frame::Phase::Journal)).unwrap_or_default()
}

/// What a step changed for good: each object once, with its value before the
/// step; objects that ended as they began are left out.
#[must_use]
pub fn net_changes(w: &World, step: u32) -> Vec<Change> {
    let mut changes = w.changes_of(step);
    let mut seen = BTreeSet::new();
    // A map logs each change of a key, newest first: the oldest holds the value before the step.
    changes.reverse();
    changes.retain(|change| map_key(change).is_none_or(|key| seen.insert(key)));
    changes.retain(|change| differs(w, change));
    changes.reverse();
    changes
}

macro_rules! by_kind {
    ($w:expr, $change:expr; arenas $($arena:ident)*; maps $($map:ident)*) => {
        match $change {
            $( Change::$arena(id, old) => $w.$arena.get(*id).is_none_or(|now| now != old), )*
            $( Change::$map(key, old) => $w.$map.get(*key) != *old, )*
            #[allow(unreachable_patterns)] // a kind added to the World counts as changed until it is listed
            _ => true,
        }
    };
}

fn differs(w: &World, change: &Change) -> bool {
    by_kind!(w, change;
        arenas pages lru_places bhs inodes sizes times syncs idata locks files tasks stacks runs accts comms locals locals_high vmas iters
            handles io_ends wbs flushers wb_rates wb_domains ras groups bitmap pas supers counters;
        maps cache lru shadows ptes shmem iovecs fds es faults bio_vecs io_end_vecs io_end_pieces page_io_end completed_io events
            io_lists wb_works wb_waits journal logged inode_hash freed inline)
}

/// A map's key, for telling its changes apart.
fn map_key(change: &Change) -> Option<(u8, u64, u64)> {
    Some(match change {
        Change::cache((inode, index), _) => (0, inode.0.into(), (*index).into()),
        Change::ptes((process, page), _) => (1, (*process).into(), *page),
        Change::shmem((buf, page), _) => (2, (*buf).into(), (*page).into()),
        Change::iovecs((iter, n), _) => (3, iter.0.into(), (*n).into()),
        Change::fds((process, fd), _) => (4, (*process).into(), (*fd).into()),
        Change::es((inode, lblk), _) => (5, inode.0.into(), (*lblk).into()),
        Change::bio_vecs((bio, n), _) => (6, bio.0.into(), (*n).into()),
        Change::io_end_vecs((id, n), _) => (7, id.0.into(), (*n).into()),
        Change::io_end_pieces((id, n), _) => (8, id.0.into(), (*n).into()),
        Change::page_io_end(page, _) => (9, page.0.into(), 0),
        Change::completed_io(seq, _) => (10, *seq, 0),
        Change::events((at, seq), _) => (11, *at, *seq),
        Change::io_lists((list, seq), _) => (12, *list as u64, *seq),
        Change::wb_works(seq, _) => (18, *seq, 0),
        Change::wb_waits(task, _) => (19, task.0.into(), 0),
        Change::journal((tid, seq), _) => (13, (*tid).into(), *seq),
        Change::inode_hash(ino, _) => (14, (*ino).into(), 0),
        Change::freed((tid, cluster), _) => (15, (*tid).into(), *cluster),
        Change::logged(bh, _) => (18, bh.0.into(), 0),
        Change::faults(n, _) => (16, (*n).into(), 0),
        Change::inline(inode, _) => (17, inode.0.into(), 0),
        Change::lru((list, seq), _) => (20, *list as u64, *seq),
        Change::shadows((inode, index), _) => (21, inode.0.into(), (*index).into()),
        _ => return None,
    })
}

impl<'a> Moment<'a> {
    /// The step before the World's place, `step` probes into the run. The
    /// history must stand there.
    #[must_use]
    pub fn new(w: &'a World, h: &'a History, index: &'a Index, program: &'a Program, step: u32) -> Self {
        let header = step.checked_sub(1).and_then(|last| h.steps.get(last as usize)).copied();
        let changes = step.checked_sub(1).map_or_else(Vec::new, |last| net_changes(w, last));
        let stack = header.map_or_else(Vec::new, |header| stack_of(h, header.frame()));
        let since = step.saturating_sub(1);
        Moment { w, h, index, program, step, since, before: None, header, changes, stack, kept: OnceCell::new() }
    }

    /// The same with all that changed since an earlier step, whose state is given.
    #[must_use]
    pub fn since(self, since: u32, before: Snapshot) -> Self {
        Moment { changes: self.w.changes_from(&before), since, before: Some(before), ..self }
    }

    /// Pages of files that hold bytes which the call has copied and which were not refused since.
    pub fn kept_pages(&self) -> &[PageId] {
        self.kept.get_or_init(|| {
            let of_file = |page: &Page| page.mapping.is_some() && page.mapping > InodeId::BUDDY;
            let mut kept: Vec<PageId> = self
                .index
                .copied_in_call(self.step)
                .filter(|(id, content)| {
                    self.w.pages.get(*id).is_some_and(|page| page.content == *content && of_file(page))
                })
                .map(|(id, _)| id)
                .collect();
            kept.dedup();
            kept
        })
    }

    /// The task that took the step.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        self.header.and_then(StepHeader::task)
    }

    /// The probe that ended the step.
    #[must_use]
    pub fn probe(&self) -> Option<&'static ProbeSite> {
        site::probe(self.header?.site)
    }

    /// True if the step ended at one of these probes.
    #[must_use]
    pub fn is(&self, probes: &[ProbeSite]) -> bool {
        self.header.is_some_and(|header| probes.iter().any(|probe| probe.id == header.site))
    }

    /// The innermost call of a function on the step's stack.
    #[must_use]
    pub fn call(&self, function: &FnSite) -> Option<Call> {
        self.stack.iter().copied().find(|call| call.function.id == function.id)
    }

    /// A local of a call on the step's stack.
    #[must_use]
    pub fn local_of(&self, call: Call, name: &str) -> Option<u64> {
        local(self.w, self.task()?, call, name)
    }

    /// A local of the probe's own function; 0 if it has none of that name.
    #[must_use]
    pub fn local(&self, name: &str) -> u64 {
        let own = self.probe().and_then(|probe| self.call(probe.function));
        own.and_then(|call| self.local_of(call, name)).unwrap_or(0)
    }

    /// A local of the write loop on the step's stack.
    #[must_use]
    pub fn looped(&self, name: &str) -> Option<u64> {
        self.local_of(self.call(&site::GENERIC_PERFORM_WRITE)?, name)
    }

    /// The value of a page before the step, if the step touched it.
    #[must_use]
    pub fn old_page(&self, id: PageId) -> Option<Page> {
        self.changes.iter().find_map(|change| match change {
            Change::pages(page, old) if *page == id => Some(*old),
            _ => None,
        })
    }

    /// True if the step entered the call, so that its locals had no value before.
    #[must_use]
    pub fn entered(&self, task: TaskId, call: Call) -> bool {
        let before = self.changes.iter().find_map(|change| match change {
            Change::stacks(id, old) if *id == task => Some(old.frame),
            _ => None,
        });
        before.is_some_and(|frame| !stack_of(self.h, frame).iter().any(|old| old.frame == call.frame))
    }

    /// A slot of `locals` before the step, if the step changed either half.
    #[must_use]
    pub fn old_word(&self, slot: WordId) -> Option<u64> {
        let (mut low, mut high) = (None, None);
        for change in &self.changes {
            match change {
                Change::locals(id, old) if *id == slot => low = Some(u64::from(*old)),
                Change::locals_high(id, old) if *id == slot => high = Some(u64::from(*old)),
                _ => {}
            }
        }
        let now = self.w.word(slot);
        (low.is_some() || high.is_some()).then(|| high.unwrap_or(now >> 32) << 32 | low.unwrap_or(now & 0xffff_ffff))
    }

    /// True if the local had a value before the step.
    #[must_use]
    pub fn was_set(&self, task: TaskId, depth: u32, n: u32) -> bool {
        let mask = World::local_slot(task, depth, world::LOCALS_MAX);
        self.old_word(mask).is_none_or(|set| set & 1 << n != 0)
    }

    /// A counter before the step.
    #[must_use]
    pub fn old_counter(&self, counter: world::Counter) -> u64 {
        let slot = WordId(counter as u32);
        let old = self.changes.iter().find_map(|change| match change {
            Change::counters(id, old) if *id == slot => Some(*old),
            _ => None,
        });
        old.unwrap_or_else(|| self.w.counter(counter))
    }

    /// How much a counter grew in the step; 0 if it shrank.
    #[must_use]
    pub fn grew(&self, counter: world::Counter) -> u64 {
        self.w.counter(counter).saturating_sub(self.old_counter(counter))
    }

    /// The bytes of a content before the step, if the step changed them.
    #[must_use]
    pub fn bytes_before(&self, id: ContentId) -> Option<Box<[u8; 4096]>> {
        if let Some(before) = &self.before {
            return before.bytes(id).map(|bytes| Box::new(*bytes));
        }
        let last = self.step.checked_sub(1)?;
        let mut bytes = None;
        for entry in self.w.contents.changed_in(last).filter(|entry| entry.id == id) {
            let bytes = bytes.get_or_insert_with(|| Box::new(*self.w.contents.get(id)));
            let (off, old) = (usize::from(entry.range().0), self.w.contents.before(entry));
            bytes[off..off + old.len()].copy_from_slice(old);
        }
        bytes
    }

    /// The inode that the reader looks at: that of the write under way, else of the last one.
    #[must_use]
    pub fn inode(&self) -> Option<InodeId> {
        focus_inode(self.index, self.w, self.step)
    }

    /// `page 3` of the file, for a page id.
    #[must_use]
    pub fn page_name(&self, id: PageId) -> String {
        page_name(self.w, id)
    }

    /// `b0+1000`, for an address.
    #[must_use]
    pub fn address(&self, address: u64) -> String {
        self.program.address(self.w, address)
    }

    /// A local's value as text.
    #[must_use]
    pub fn text(&self, local: &site::Local, value: u64) -> String {
        match (local.name, local.ty) {
            ("page", _) => self.page_local(value),
            ("bh", _) => bh_name(value),
            ("pblk", _) if value >= kernel::fs::ext4::inode::write::INVALID_BLOCK => tr!("none yet"),
            (_, Ty::Bytes | Ty::Count) if [u64::from(u32::MAX), i64::MAX as u64, u64::MAX].contains(&value) => {
                word("max").to_owned()
            }
            ("now", _) => format!("{}.{:09} s", value / 1_000_000_000, value % 1_000_000_000),
            (_, Ty::Address) => self.address(value),
            (_, Ty::Status) => status(value),
            (_, Ty::Flags) => format!("{value:#x}"),
            (_, Ty::Bool) => if value == 0 { "false" } else { "true" }.to_owned(),
            (_, Ty::Bytes | Ty::Count) => number(value),
        }
    }

    /// A `page` local holds a page's id: the reader is told its index.
    fn page_local(&self, value: u64) -> String {
        let id = u32::try_from(value).map_or(PageId::NONE, PageId);
        match self.w.pages.get(id) {
            Some(page) if page.flags.contains(world::PageFlags::PRESENT) && Some(page.mapping) == self.inode() => {
                page.index.to_string()
            }
            _ => "–".to_owned(),
        }
    }
}

/// The inode that the reader looks at after a step: that of the write under way, else of the last one.
#[must_use]
pub fn focus_inode(index: &Index, w: &World, step: u32) -> Option<InodeId> {
    let open = || w.files.get(*w.fds.entries().values().next()?).map(|file| file.inode);
    index.inode_at(step).or_else(open).filter(|id| {
        id.is_some() && w.inodes.get(*id).is_some_and(|inode| inode.bits.contains(world::InodeBits::PRESENT))
    })
}

/// A local of `call`, as `task` holds it now.
#[must_use]
pub fn local(w: &World, task: TaskId, call: Call, name: &str) -> Option<u64> {
    let n = call.function.locals.iter().position(|local| local.name == name)?;
    w.local(task, call.depth, u32::try_from(n).ok()?)
}

/// `page 3`, for a page id.
#[must_use]
pub fn page_name(w: &World, id: PageId) -> String {
    match w.pages.get(id) {
        Some(page) if page.mapping == InodeId::BDEV => tr!("device page {}", page.index),
        Some(page) if page.flags.contains(world::PageFlags::PRESENT) => tr!("page {}", page.index),
        _ => tr!("a page"),
    }
}

/// `bh0`, for a buffer head's number.
#[must_use]
pub fn bh_name(id: u64) -> String {
    format!("bh{}", id % 4)
}

/// A signed status: a count, or an error number by name.
#[must_use]
pub fn status(value: u64) -> String {
    let value = value.cast_signed();
    match errno_of(value) {
        Some(errno) => format!("−{errno:?}"),
        None if value < 0 => format!("−{}", value.unsigned_abs()),
        None => number(value.unsigned_abs()),
    }
}

/// A number; from 10 000 on with a thin space between thousands, at which no line is broken.
#[must_use]
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `1 byte`, `2 bytes`.
#[must_use]
pub fn count(value: u64, one: &str) -> String {
    let number = number(value);
    let many = format!("{{}} {one}{}", if one.ends_with("ch") { "es" } else { "s" });
    if value == 1 && !is_korean() { format!("{number} {one}") } else { fill(&many, &[&number]) }
}

/// `4–7`, or `4` for a single one; the end is exclusive.
#[must_use]
pub fn span(from: u64, to: u64) -> String {
    if to <= from + 1 { number(from) } else { format!("{}–{}", number(from), number(to - 1)) }
}

/// The error number of a negative result.
#[must_use]
pub fn errno_of(value: i64) -> Option<Errno> {
    Errno::ALL.into_iter().find(|errno| errno.as_ret() == value)
}

/// What a sleeper waits for, in words.
#[must_use]
pub fn wait_name(w: &World, wait: WaitOn) -> String {
    let ino = |id| w.inodes.get(id).map_or(0, |inode: &world::Inode| inode.ino);
    match wait {
        WaitOn::Nothing => String::new(),
        WaitOn::Timer => tr!("the clock"),
        WaitOn::PageLock(page) => tr!("{} lock", page_name(w, page)),
        WaitOn::PageWriteback(page) => tr!("PG_writeback of {}", page_name(w, page)),
        WaitOn::Buffer(bh) => match w.bhs.get(bh) {
            Some(head) => tr!("block {}", head.blocknr),
            None => tr!("a buffer"),
        },
        WaitOn::InodeRwsem(id) => tr!("i_rwsem of inode {}", ino(id)),
        WaitOn::DataSem(id) => tr!("i_data_sem of inode {}", ino(id)),
        WaitOn::MmapSem(id) => tr!("i_mmap_sem of inode {}", ino(id)),
        WaitOn::Task(task) => tr!("task {}", task_name(w, task)),
        WaitOn::Journal(tid) => tr!("transaction {}", tid),
        WaitOn::Thaw => tr!("the file system to thaw"),
        WaitOn::Writers => tr!("the last writer, to freeze"),
        WaitOn::Work(_) | WaitOn::Flusher => tr!("work"),
        WaitOn::InodeSync(id) => tr!("I_SYNC of inode {}", ino(id)),
        WaitOn::WbCompletion(_) => tr!("the flusher"),
        WaitOn::DirtyPause => tr!("its pause to end"),
    }
}

/// What a sleeping task waits for, and until when if it knows: `timer until 5.191 s`.
#[must_use]
pub fn sleep_name(w: &World, task: TaskId) -> String {
    let Some(task) = w.tasks.get(task) else { return String::new() };
    let timer = flusher(w).timer.0;
    match task.wait {
        WaitOn::DirtyPause => tr!("pause until {}", clock(task.wake_at)),
        WaitOn::Timer if task.wake_at > 0 => tr!("the clock until {}", clock(task.wake_at)),
        WaitOn::Flusher if timer > 0 => tr!("timer until {}", clock(timer)),
        wait => wait_name(w, wait),
    }
}

/// A time on the modelled clock: `0.191 s`.
#[must_use]
pub fn clock(ns: u64) -> String {
    format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1000)
}

/// A task's name.
#[must_use]
pub fn task_name(w: &World, task: TaskId) -> String {
    w.comms.get(task).map_or_else(|| task.0.to_string(), |comm| comm.as_str().to_owned())
}

/// The name of a mapping of user memory, by its buffer.
#[must_use]
pub fn buffer_offset(w: &World, address: u64) -> Option<(u16, u64)> {
    let (buf, off) = buffer_of(address)?;
    let mapped = w.vmas.iter().any(|(_, vma)| vma.buf == buf && vma.kind != VmaKind::None);
    (mapped || buf < 1024).then_some((buf, off))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands() {
        for (value, said) in [
            (0, "0"),
            (9_999, "9999"),
            (10_000, "10\u{202f}000"),
            (1_048_576, "1\u{202f}048\u{202f}576"),
            (u64::MAX, "18\u{202f}446\u{202f}744\u{202f}073\u{202f}709\u{202f}551\u{202f}615"),
        ] {
            assert_eq!(number(value), said);
        }
    }
}
