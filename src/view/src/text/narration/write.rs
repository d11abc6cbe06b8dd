//! English: system calls, the write loop, write_begin and write_end, balance.

use world::{BhFlags, Change, Counter, Errno, InodeId, PAGE_SIZE, PageFlags, PageId, TaskId};

use super::Said;
use super::{dax, fs};
use crate::moment::{Moment, count, errno_of, number, task_name};
use crate::rows::user;
use crate::text::{Part, is_korean, word};

/// A sentence, and why.
pub(super) fn say(what: impl Part, why: impl Part) -> Option<Said> {
    Some((what.said().into_owned(), why.said().into_owned()))
}

/// What an error number means.
pub(super) fn meaning(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM => "not permitted",
        Errno::ENOENT => "no such file",
        Errno::EINTR => "interrupted by a signal",
        Errno::ENXIO => "nothing of that kind follows",
        Errno::EIO => "I/O error",
        Errno::EBADF => "not a descriptor open for this",
        Errno::EAGAIN => "try again",
        Errno::ENOMEM => "out of memory",
        Errno::EACCES => "permission denied",
        Errno::EFAULT => "bad address",
        Errno::EBUSY => "busy",
        Errno::EEXIST => "exists already",
        Errno::ENODEV => "no such device",
        Errno::ENOTDIR => "not a directory",
        Errno::EISDIR => "is a directory",
        Errno::EINVAL => "invalid argument",
        Errno::ETXTBSY => "file in use as swap or program",
        Errno::EFBIG => "file too large",
        Errno::ENOSPC => "no space left on the device",
        Errno::ESPIPE => "cannot seek",
        Errno::EROFS => "read-only file system",
        Errno::EMLINK => "too many links",
        Errno::ERANGE => "out of range",
        Errno::ENAMETOOLONG => "name too long",
        Errno::ENOTEMPTY => "directory not empty",
        Errno::ENODATA => "no data",
        Errno::EOVERFLOW => "value too large",
        Errno::EOPNOTSUPP => "not supported",
        Errno::ESHUTDOWN => "shut down",
        Errno::EDQUOT => "quota exceeded",
        Errno::EUCLEAN => "file system damaged",
        Errno::EFSBADCRC => "checksum does not fit",
        Errno::ENOSYS => "not modelled",
    }
}

/// The words that sentences are made of.
pub(super) struct Words<'a, 'b> {
    pub m: &'a Moment<'b>,
}

impl Words<'_, '_> {
    /// A local of the probe's function.
    pub fn v(&self, name: &str) -> u64 {
        self.m.local(name)
    }

    /// The same as a number.
    pub fn n(&self, name: &str) -> String {
        number(self.v(name))
    }

    /// The same in bytes.
    pub fn b(&self, name: &str) -> String {
        count(self.v(name), "byte")
    }

    /// A result: `4096`, or `−EFAULT, bad address`.
    pub fn result(&self, name: &str) -> String {
        let value = self.v(name).cast_signed();
        match errno_of(value) {
            Some(errno) => tr!("−{}, {}", format!("{errno:?}"), meaning(errno)),
            None => crate::moment::status(self.v(name)),
        }
    }

    /// True if a local holds an error number.
    pub fn failed(&self, name: &str) -> bool {
        self.v(name).cast_signed() < 0
    }

    /// The page of the write loop, as a number.
    pub fn page(&self) -> String {
        match self.m.looped("pos") {
            Some(pos) => tr!("page {}", number(pos / PAGE_SIZE)),
            None => tr!("the page"),
        }
    }

    /// A page held in a local.
    pub fn page_in(&self, name: &str) -> String {
        u32::try_from(self.v(name)).map_or_else(|_| tr!("the page"), |id| self.m.page_name(PageId(id)))
    }

    /// The page in a local, if it is one of a file.
    fn page_at(&self, name: &str) -> Option<PageId> {
        let id = PageId(u32::try_from(self.v(name)).ok()?);
        let page = self.m.w.pages.get(id)?;
        (page.flags.contains(PageFlags::PRESENT) && page.mapping != InodeId::BDEV).then_some(id)
    }

    /// The page the write loop works on, if it is cached.
    pub fn loop_page(&self) -> Option<world::Page> {
        let index = u32::try_from(self.m.looped("pos")? / PAGE_SIZE).ok()?;
        let id = self.m.w.find_page(self.m.inode()?, index)?;
        self.m.w.pages.get(id).copied()
    }

    /// The first page of user memory that the step took away.
    fn gone(&self) -> Option<String> {
        self.m.changes.iter().find_map(|change| match change {
            Change::ptes(key, Some(_)) if self.m.w.ptes.get(*key).is_none() => Some(self.m.address(key.1 * PAGE_SIZE)),
            _ => None,
        })
    }

    /// The task that the step killed.
    fn killed(&self) -> Option<String> {
        self.m.changes.iter().find_map(|change| match change {
            Change::tasks(id, old) if !old.killed && self.m.w.tasks.get(*id).is_some_and(|task| task.killed) => {
                Some(task_name(self.m.w, *id))
            }
            _ => None,
        })
    }

    /// The request that the step completed: `a read of block 1611`.
    fn completed(&self) -> String {
        let bio = self.m.changes.iter().find_map(|change| match change {
            Change::bios(id, old) if old.used && !self.m.w.bios.get(*id).is_some_and(|bio| bio.used) => Some(*old),
            _ => None,
        });
        let Some(bio) = bio else { return tr!("a request") };
        let size = crate::rows::ext4::block_size(self.m.w);
        let (from, len) = (bio.sector * 512 / size, u64::from(bio.len).div_ceil(size));
        let verb = if bio.write { "write" } else { "read" };
        let blocks = if len > 1 { "blocks" } else { "block" };
        tr!("a {} of {} {}", verb, blocks, crate::moment::span(from, from + len))
    }

    fn page_flag(&self, flag: PageFlags) -> bool {
        self.loop_page().is_some_and(|page| page.flags.contains(flag))
    }

    /// True if the step set a flag of any page.
    pub fn page_got(&self, flag: PageFlags) -> bool {
        self.m.changes.iter().any(|change| match change {
            Change::pages(id, old) => {
                !old.flags.contains(flag) && self.m.w.pages.get(*id).is_some_and(|page| page.flags.contains(flag))
            }
            _ => false,
        })
    }

    /// `inode 12`.
    pub fn inode(&self) -> String {
        match self.m.inode().and_then(|id| self.m.w.inodes.get(id)) {
            Some(inode) => format!("inode {}", inode.ino),
            None => tr!("the inode"),
        }
    }

    /// The buffer head in the local `bh`: `buffer 1`.
    fn bh(&self) -> String {
        tr!("buffer {}", self.v("bh") % 4)
    }

    fn bh_flags(&self) -> BhFlags {
        let id = u32::try_from(self.v("bh")).map_or(world::BhId::NONE, world::BhId);
        self.m.w.bhs.get(id).map_or(BhFlags::empty(), |head| head.flags)
    }

    fn bh_block(&self) -> u64 {
        let id = u32::try_from(self.v("bh")).map_or(world::BhId::NONE, world::BhId);
        self.m.w.bhs.get(id).map_or(0, |head| head.blocknr)
    }

    /// `A`, the task that took the step.
    pub fn task(&self) -> String {
        self.m.task().map_or_else(|| tr!("the machine"), |task| task_name(self.m.w, task))
    }

    /// The call under way, as one would write it.
    pub fn call(&self) -> String {
        let info = self.m.index.info(self.m.step);
        let text = self.m.program.call_text(info.task, info.syscall);
        if text.is_empty() { tr!("the call") } else { text }
    }

    /// i_size before and now.
    pub fn i_size(&self) -> (u64, u64) {
        let Some(inode) = self.m.inode() else { return (0, 0) };
        let now = self.m.w.sizes.get(inode).map_or(0, |size| size.i_size);
        let old = self.m.changes.iter().find_map(|change| match change {
            Change::sizes(id, old) if *id == inode => Some(old.i_size),
            _ => None,
        });
        (old.unwrap_or(now), now)
    }

    /// i_disksize before and now.
    fn i_disksize(&self) -> (u64, u64) {
        let Some(inode) = self.m.inode() else { return (0, 0) };
        let now = self.m.w.sizes.get(inode).map_or(0, |size| size.i_disksize);
        let old = self.m.changes.iter().find_map(|change| match change {
            Change::sizes(id, old) if *id == inode => Some(old.i_disksize),
            _ => None,
        });
        (old.unwrap_or(now), now)
    }

    /// Times of the inode moved in this step.
    fn times_changed(&self) -> bool {
        self.m.changes.iter().any(|change| matches!(change, Change::times(..)))
    }

    /// The user address where the copy goes on.
    fn source(&self, skip: u64) -> String {
        user::source_name(self.m, self.m.task().unwrap_or(TaskId::NONE), skip)
    }
}

/// The sentences of a step.
pub(super) fn narrate(m: &Moment) -> Option<Said> {
    if m.step == 0 {
        let program = m.program;
        if !program.question.is_empty() {
            return Some((program.title.clone(), program.question.clone()));
        }
        return say(
            "The file system is mounted and the set-up is done.",
            "Nothing is recorded before this: the first step is the program's next call.",
        );
    }
    let probe = m.probe()?;
    let t = Words { m };
    entry(&t, probe.name)
        .or_else(|| checks(&t, probe.name))
        .or_else(|| write_loop(&t, probe.name))
        .or_else(|| write_begin(&t, probe.name))
        .or_else(|| write_end(&t, probe.name))
        .or_else(|| dax::narrate(&t, probe.name))
        .or_else(|| fs::narrate(&t, probe.name))
}

/// The program, and the system calls down to the file system.
fn entry(t: &Words, probe: &str) -> Option<Said> {
    let m = t.m;
    match probe {
        "BIO_END" => say(
            tr!("The device has completed {}.", t.completed()),
            "Its bytes are where they belong now, and whoever waited for them may run again.",
        ),
        "OP_BEGIN" => say(
            tr!("{} calls {}.", t.task(), t.call()),
            "From here on the kernel works for the program, until the call returns.",
        ),
        "OP_END" => say(
            tr!("{} returns to {}.", t.call(), t.task()),
            if m.w.sb().mounted {
                "What the call left in the page cache stays there; the disk may not know of it yet."
            } else {
                "The file system is unmounted: all of it is on the disk."
            },
        ),
        "USER_ACT" => say(
            match (t.gone(), t.killed()) {
                (Some(page), _) => tr!("{} gives the page at {} back to the kernel.", t.task(), page),
                (None, Some(victim)) => tr!("{} sends SIGKILL to {}.", t.task(), victim),
                (None, None) => tr!("{} changes its own memory.", t.task()),
            },
            match t.killed() {
                Some(_) => "A write notices it after its next fault-in, before write_begin.",
                None => "A write that reads this memory had found it there; its copy will come up short.",
            },
        ),
        "INTERVENE" => say(
            match (t.gone(), t.killed()) {
                (Some(page), _) => tr!("From outside, the source page at {} is evicted.", page),
                (None, Some(victim)) => tr!("From outside, SIGKILL is sent to {}.", victim),
                (None, None) => word(super::faults::intervention(m)).to_owned(),
            },
            "The scenario or the reader asked for it at this very step; the run goes on from the changed state.",
        ),
        "TASK_EXIT" => say(
            tr!("{} exits and its descriptors are closed.", t.task()),
            "Closing writes nothing back by itself: dirty pages stay in the cache until something syncs.",
        ),
        "KW_FDGET" | "DWV_FDGET" => say(
            tr!("The kernel looks up descriptor {}.", t.n("fd")),
            "The position lock is only taken if several threads share the file.",
        ),
        "KPW_FDGET" | "DPWV_FDGET" => say(
            tr!("The kernel looks up descriptor {} for a write at {}.", t.n("fd"), t.n("pos")),
            "A positioned write neither reads nor moves the file's own position.",
        ),
        "KW_POS" => say(
            tr!("The write starts at the file's position, {}.", t.n("pos")),
            "It is a copy: the file's position moves only when the call has succeeded.",
        ),
        "KW_DONE" | "DWV_DONE" => {
            if t.failed("ret") {
                say(
                    tr!("The call fails with {}; the file's position stays.", t.result("ret")),
                    "f_pos is stored back only for a result that is not negative.",
                )
            } else {
                say(
                    tr!("The call gives {} and the file's position is {}.", t.result("ret"), t.n("pos")),
                    "f_pos is stored once, at the end, not page by page.",
                )
            }
        }
        "KPW_CHECK" => say(
            "A negative position is refused with −EINVAL, invalid argument.",
            "pwrite checks this before it even looks at the descriptor.",
        ),
        "KPW_DONE" | "DPWV_DONE" => say(
            tr!("The positioned write gives {}.", t.result("ret")),
            if t.failed("ret") { "" } else { "The file's own position has not moved." },
        ),
        "VW_MODE" | "VWV_MODE" => say(
            "The descriptor is not open for writing: −EBADF.",
            "The mode was fixed when the file was opened; permissions are not looked at again.",
        ),
        "VW_ACCESS" => say(
            "The buffer does not lie in user space: −EFAULT, bad address.",
            "Only the range is checked here; whether its pages are there shows at the fault-in.",
        ),
        "VW_AREA" => say(
            tr!("Position {} and {} fit a file.", t.n("pos"), t.b("count")),
            "Neither may be negative, nor their sum overflow.",
        ),
        "VWV_START" => say(
            "The write registers with the file system.",
            "A frozen file system would let it sleep here, before any lock of the file is taken.",
        ),
        "VW_CALL" => say(
            tr!("One segment of {} is handed to ext4.", t.b("count")),
            "write and pwrite become an iterator with a single segment; from here on all writes look alike.",
        ),
        "VW_NOTIFY" | "VWV_NOTIFY" => say(
            tr!("ext4 gave {}.", t.result("ret")),
            if t.failed("ret") || t.v("ret") == 0 {
                ""
            } else {
                "Watchers of the file are told, and the task's count of written characters grows."
            },
        ),
        "VWV_IMPORT" => say(
            tr!("{} become one iterator of {}.", count(t.v("vlen"), "segment"), t.b("count")),
            "The array is copied from user memory once; changing it later does not touch this call.",
        ),
        "VWV_ZERO" => say(
            "There are 0 bytes to write: the call returns 0 at once.",
            "A vectored write of nothing does not reach the file system; write(fd, buf, 0) does.",
        ),
        "VWV_CALL" => say(
            tr!("ext4 gets {} for position {}.", t.b("count"), t.n("pos")),
            "The write loop will take them page by page, whatever the segments are.",
        ),
        "FWI_SHUTDOWN" => {
            if m.w.sb().shutdown {
                say("The file system is shut down: −EIO.", "It is the first thing ext4 asks, before any lock.")
            } else {
                say("ext4 takes the write.", "The file system is not shut down, which is asked before any lock.")
            }
        }
        "FWI_DAX" => say("The inode is DAX: its bytes go past the page cache.", "DAX is asked for before O_DIRECT."),
        "FWI_DIRECT" => say("The file is open with O_DIRECT.", "The bytes would go past the page cache."),
        "FWI_BUFFERED" => say(
            "It is a buffered write: the bytes go into the page cache.",
            "The disk sees them later, when writeback finds the dirty pages.",
        ),
        _ => None,
    }
}

/// `ext4_buffered_write_iter` and its checks.
fn checks(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "BWI_NOWAIT" => say(
            "RWF_NOWAIT on a buffered write gives −EOPNOTSUPP.",
            "This kernel's ext4 refuses it before any lock is taken; −EAGAIN is what one might expect.",
        ),
        "BWI_LOCK" => say(
            tr!("The write takes i_rwsem of {} for itself.", t.inode()),
            "Buffered writes to one file exclude each other from here to the end of the copy loop.",
        ),
        "BWI_CHECKS" => {
            if t.failed("ret") || t.v("ret") == 0 {
                say(
                    tr!("The checks end the write with {}.", t.result("ret")),
                    "Nothing was written and the lock is given back.",
                )
            } else {
                say(
                    tr!("The checks let {} through.", t.b("ret")),
                    "Limits may have shortened the write; that is no error.",
                )
            }
        }
        "BWI_BDI" => say(
            "The task notes which device it dirties.",
            "Reclaim, if this task gets into it, may write to this device even when it is congested.",
        ),
        "BWI_UNLOCK" => say(
            tr!("i_rwsem of {} is given back; the loop gave {}.", t.inode(), t.result("ret")),
            "Another writer of this file may go on now.",
        ),
        "BWI_POS" => say(
            tr!("The call's position moves to {}.", t.n("pos")),
            "It moves once, after the lock is given back, by all that was written.",
        ),
        "BWI_SYNC" => say(
            "The file is O_SYNC or O_DSYNC, so the write is followed by an fsync of its range.",
            "If that fails, its error replaces the count, though the bytes are in the cache and the position has moved.",
        ),
        "EWC_COUNT" => say(
            tr!("{} may be written at {}.", t.b("count"), t.n("pos")),
            if t.failed("ret") || t.v("ret") == 0 { "With 0 or an error, times are not touched." } else { "" },
        ),
        "EWC_MODIFIED" => {
            if t.failed("ret") {
                say(tr!("file_modified fails: {}.", t.result("ret")), "The write ends before the first byte.")
            } else {
                say(
                    "The file counts as modified: set-id bits and times are seen to.",
                    "This happens before the first byte, in a transaction handle of its own.",
                )
            }
        }
        "EGWC_IMMUTABLE" => say("The inode is immutable: −EPERM.", "The flag was set after the file was opened."),
        "EGWC_BITMAP" => say(
            tr!("A file without extents has a lower limit; {} remain.", t.b("count")),
            "Its block map reaches less far than an extent tree.",
        ),
        "GWC_SWAP" => say("The file is in use as swap: −ETXTBSY.", ""),
        "GWC_ZERO" => say(
            "There is nothing to write: 0.",
            "Only now is the count asked for; immutable and swap files were refused before.",
        ),
        "GWC_APPEND" => say(
            tr!("O_APPEND puts the position at the end of the file, {}.", t.n("pos")),
            "It is read under i_rwsem, so two appending writers cannot meet; even pwrite appends.",
        ),
        "GWC_LIMITS" => {
            if t.failed("ret") {
                say("The position is past RLIMIT_FSIZE: SIGXFSZ and −EFBIG.", "")
            } else {
                say(
                    tr!("RLIMIT_FSIZE leaves {}.", t.b("count")),
                    "A write that begins below the limit is cut at it, without an error.",
                )
            }
        }
        "GWC_MAX" => say(
            tr!("The largest file leaves {}.", t.b("count")),
            "Past it the answer would be −EFBIG; a write that begins below is cut.",
        ),
        "GWC_DONE" => say(
            tr!("The general checks let {} through at {}.", t.b("count"), t.n("pos")),
            "The position is final now: appending has been seen to.",
        ),
        "FM_PRIVS" => {
            if t.failed("ret") {
                say(tr!("Privileges cannot be removed: {}.", t.result("ret")), "The write does not happen.")
            } else {
                say(
                    "Set-id bits and capabilities have been seen to.",
                    "A file that changes must not keep special rights.",
                )
            }
        }
        "FM_TIME" => say("Next come the times.", "They need a handle only if they change."),
        "FRP_FAST" => say(
            tr!("{} has nothing to strip: S_NOSEC says so.", capital(&t.inode())),
            "An earlier write found neither set-id bits nor capabilities, and left this mark.",
        ),
        "FRP_KILL" => say(
            "The file's mode loses its set-id bits.",
            "This is an attribute change of its own, with a handle of its own, before the first byte is written.",
        ),
        "FRP_NOSEC" => say(
            tr!("{} is marked S_NOSEC.", capital(&t.inode())),
            "Later writes skip the look at attributes until these change.",
        ),
        "FUT_SAME" => say(
            "mtime and ctime are current: nothing to update.",
            "Times move with the clock's tick; a write within the same tick dirties no inode for them.",
        ),
        "FUT_DO" => say(
            if t.times_changed() {
                tr!("mtime and ctime of {} become now, and the inode is dirty.", t.inode())
            } else {
                tr!("mtime and ctime lie behind the clock, so they are updated.")
            },
            "This has a handle of its own; many handles join one running transaction.",
        ),
        _ => None,
    }
}

pub(super) fn capital(text: &str) -> String {
    if is_korean() {
        return text.to_owned(); // what is Latin in it is a name
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

/// `generic_perform_write`, fault-in and copy.
fn write_loop(t: &Words, probe: &str) -> Option<Said> {
    let m = t.m;
    let info = m.index.info(m.step);
    match probe {
        "GPW_SPLIT" => {
            let (bytes, offset) = (t.v("bytes"), t.v("offset"));
            let why = if bytes == t.v("count") {
                tr!("All that is left fits the page from offset {}.", number(offset))
            } else {
                tr!(
                    "A round never crosses a page: {} of {} go into this one.",
                    number(bytes),
                    count(t.v("count"), "byte")
                )
            };
            say(
                tr!(
                    "Round {} takes {} for {}, from offset {}.",
                    info.iteration.max(1),
                    count(bytes, "byte"),
                    t.page(),
                    number(offset)
                ),
                why,
            )
        }
        "GPW_FAULT_IN" => say(
            tr!("The source of {} is touched, so that its pages are there.", t.b("bytes")),
            "It is done while no page is locked: a fault during the copy could need the very page that is being written.",
        ),
        "GPW_SIGNAL" => {
            if t.failed("status") {
                say("A fatal signal is pending: the loop ends with −EINTR.", "Bytes of earlier rounds still count.")
            } else {
                say(
                    "All source pages answered and no fatal signal is pending.",
                    "In a retry this is the only way out but success.",
                )
            }
        }
        "GPW_WRITE_BEGIN" => say(
            tr!("write_begin prepares {} for {} at {}.", t.page(), t.b("bytes"), t.n("pos")),
            "It gives the page locked, with a block or a reservation under every byte that will be written.",
        ),
        "GPW_ALIAS" => say(
            "The file is mapped writably by somebody, so caches of the page are flushed.",
            "On this processor that costs nothing; others keep several views of one page.",
        ),
        "GPW_COPY" => {
            let uptodate = if t.page_flag(PageFlags::UPTODATE) { "uptodate" } else { "not uptodate" };
            say(
                tr!("{} is locked and {}; the copy of {} into it begins.", capital(&t.page()), uptodate, t.b("bytes")),
                "The copy runs with page faults off, so it cannot sleep; a source page that has gone makes it short.",
            )
        }
        "CP_ATOMIC" => say("Page faults are off.", "The copy must not sleep while the page is locked."),
        "CP_SEGMENT" => say(
            tr!("The copy has put {} into {} from offset {}.", count(t.v("copied"), "byte"), t.page(), t.n("offset")),
            if t.v("copied") < t.v("bytes") {
                "That is the end of a segment; the next one follows in the same page."
            } else {
                "They are in the cache, but nothing is dirty yet: that is write_end's work."
            },
        ),
        "CP_SHORT" => say(
            tr!(
                "The copy stops after {} of {}: {} is not there.",
                number(t.v("copied")),
                count(t.v("bytes"), "byte"),
                t.source(t.v("copied"))
            ),
            "The fault-in had found it; since then its page was taken away, and a fault is not allowed here.",
        ),
        "GPW_WRITE_END" => {
            let short = t.v("copied") < t.v("bytes");
            say(
                tr!(
                    "{} of {} were copied; write_end decides how many count.",
                    number(t.v("copied")),
                    count(t.v("bytes"), "byte")
                ),
                if !short {
                    "A full copy always counts."
                } else if t.page_flag(PageFlags::UPTODATE) {
                    "The page is uptodate, so the part that came counts."
                } else {
                    "The page is not uptodate: a part of a copy would leave undefined bytes beside it."
                },
            )
        }
        "GPW_RESCHED" => say(
            if t.failed("status") {
                tr!("write_end failed: {}.", t.result("status"))
            } else {
                tr!("write_end counted {}.", count(t.v("copied"), "byte"))
            },
            "Here the task may give the processor away, still holding i_rwsem but no page.",
        ),
        "GPW_ADVANCE" => {
            let kept = t.v("copied");
            if kept == 0 {
                say(
                    "The iterator stays where it is.",
                    "Nothing counted; only an empty segment at hand would be stepped over.",
                )
            } else {
                say(
                    tr!("The iterator moves on by {}.", count(kept, "byte")),
                    "It moves by what counted, not by what was copied.",
                )
            }
        }
        "GPW_AGAIN" => say(
            tr!("Nothing counted, so the round is tried again with {}.", t.b("bytes")),
            "One segment is enough for progress: if only its first byte can be read, the retry ends with it or with an error.",
        ),
        "GPW_ACCOUNT" => say(
            tr!("Written so far: {}; the next byte goes to {}.", t.b("written"), t.n("pos")),
            "This position is the loop's own; the file's moves once, when the call ends.",
        ),
        "GPW_BALANCE" => say(
            "After each round that kept bytes, the task's dirty pages are counted.",
            "Most of these checks only compare two numbers.",
        ),
        "GPW_LOOP" => {
            if t.v("count") == 0 {
                say("Nothing is left to write: the loop ends.", "")
            } else {
                say(
                    tr!("{} left: another round.", t.b("count")),
                    "Each round has a page, a handle and a lock of its own.",
                )
            }
        }
        "GPW_EXIT" => {
            let written = t.v("written");
            if written > 0 && t.failed("status") {
                say(
                    tr!("The loop returns the {} written before the error.", count(written, "byte")),
                    tr!("{} is lost: a later call will meet it again.", capital(&t.result("status"))),
                )
            } else if t.failed("status") {
                say(
                    tr!("The loop returns {}.", t.result("status")),
                    "Nothing was written, so the error itself is the result.",
                )
            } else {
                say(tr!("The loop returns {}.", count(written, "byte")), "All of them are in the page cache.")
            }
        }
        "FI_SEGMENT" => say(
            tr!("Segment {} is touched from {} on.", t.n("seg"), m.address(t.v("address"))),
            "One byte is read of each source page, of every segment that this round spans.",
        ),
        "FI_FAULT" => say(
            tr!("Reading {} took a page fault; now its page is there.", m.address(t.v("address"))),
            "The fault may read from disk or sleep: here that is allowed, for no page of the file is locked.",
        ),
        _ => None,
    }
}

/// Page, handle and blocks.
fn write_begin(t: &Words, probe: &str) -> Option<Said> {
    let m = t.m;
    match probe {
        "GRAB_LOOKUP" => match t.page_at("page") {
            Some(page) => say(
                tr!("{} is in the cache.", capital(&m.page_name(page))),
                "A page that is there is used again, whatever its state.",
            ),
            _ => say(
                tr!("Page {} of the file is not in the cache.", t.n("index")),
                "A new page will be made for it; nothing is read for that.",
            ),
        },
        "GRAB_LOCK" => say(
            tr!("{} is locked.", capital(&t.page_in("page"))),
            "It was still the file's page when the lock came; a truncated one would be looked up again.",
        ),
        "GRAB_INSERT" => say(
            tr!("A new page {} is in the cache: locked, not uptodate, without buffers.", t.n("index")),
            "It is not marked accessed: only reads do that.",
        ),
        "DWB_SHUTDOWN" => say("The file system is shut down: −EIO.", ""),
        "NDS_KICK" => say(
            tr!("{} clusters are reserved and {} free: the flusher writes all dirty files.", t.n("dirty"), t.n("free")),
            "What is reserved may turn out to need fewer clusters than that, once it is allocated.",
        ),
        "DWB_NONDA" => say(
            tr!(
                "{} clusters are free and {} reserved: {} for delayed allocation.",
                number(m.w.counter(Counter::FreeClusters)),
                number(m.w.counter(Counter::DirtyClusters)),
                if low_space(t) { "too little" } else { "room enough" }
            ),
            if low_space(t) {
                "With so little space a reservation is no promise, so blocks are allocated at once."
            } else {
                "Blocks are only reserved now; where they lie is decided at writeback."
            },
        ),
        "DWB_UNLOCK" | "WB_UNLOCK" => say(
            tr!("{} is unlocked again for a moment.", capital(&t.page())),
            "Starting a handle may wait for a commit, and a commit may wait for this page: the handle comes first.",
        ),
        "DWB_JOURNAL" | "WB_JOURNAL" => match m.w.handles.get(world::HandleId(m.task().map_or(0, |task| task.0))) {
            Some(handle) if handle.refs > 0 && handle.tid > 0 => say(
                tr!(
                    "A handle in transaction {} is open, with {}.",
                    handle.tid,
                    count(u64::from(handle.credits), "credit")
                ),
                "Each page has a handle of its own; many handles share one running transaction.",
            ),
            Some(handle) if handle.refs > 0 => {
                say("A handle is open.", "Without a journal it only counts its nesting.")
            }
            _ => say("No handle could be started.", "The page is given back and write_begin fails."),
        },
        "DWB_RELOCK" | "WB_RELOCK" => say(
            tr!("{} is locked again.", capital(&t.page())),
            "While it was not, somebody may have truncated it: that is asked next.",
        ),
        "DWB_TRUNCATED" | "WB_TRUNCATED" => say(
            "The page was truncated meanwhile: it is looked up again.",
            "It no longer belongs to the file, so the bytes would be lost in it.",
        ),
        "DWB_BLOCKS" | "WB_BLOCKS" => say(
            tr!("Every buffer of {} that the write touches is mapped.", t.page()),
            "What a buffer needs besides the new bytes has been read or zeroed.",
        ),
        "DWB_FAIL" | "WB_FAIL" => say(
            tr!("write_begin fails on {}: it is unlocked, and the handle stopped.", t.page()),
            "Blocks past the end of the file are cut off again.",
        ),
        "DWB_OK" => say(
            tr!("{} is ready: locked, referenced, a handle open.", capital(&t.page())),
            "From here to write_end nothing may sleep on user memory.",
        ),
        "EBWB_OUTSIDE" => say(
            tr!("{} lies outside the write and is left alone.", capital(&t.bh())),
            if t.bh_flags().contains(BhFlags::UPTODATE) {
                "The page is uptodate, so the buffer is."
            } else {
                "It is not mapped, not read and not zeroed; the page cannot become uptodate by this write alone."
            },
        ),
        "EBWB_NEW" => say(
            tr!("{} is no longer new.", capital(&t.bh())),
            "The mark was left by an earlier write_begin whose copy never came.",
        ),
        "EBWB_MAP" => say(
            tr!("{} has no block: get_block is asked for block {} of the file.", capital(&t.bh()), t.n("block")),
            "It answers with a block of the device, or reserves room for one.",
        ),
        "EBWB_DIRTY" => say(
            tr!("{} is new in a page that is uptodate: it is dirty at once.", capital(&t.bh())),
            "Its bytes are valid zeros already, and the new block must get them.",
        ),
        "EBWB_ZERO" => say(
            tr!("What the write leaves of {} is filled with zeros.", t.bh()),
            "The block is new: whatever lies there on the disk must never be seen.",
        ),
        "EBWB_UPTODATE" => say(tr!("{} is uptodate, as its page is.", capital(&t.bh())), "Nothing needs to be read."),
        "EBWB_READ" => {
            let block = number(t.bh_block());
            if t.bh_flags().contains(BhFlags::UPTODATE) {
                say(
                    tr!("Block {} has been read into {}.", block, t.bh()),
                    "The write covers it only in part, and the rest must stay what it is on disk.",
                )
            } else {
                say(
                    tr!("A read of block {} into {} is submitted.", block, t.bh()),
                    "The write covers it only in part, and the rest must stay what it is on disk.",
                )
            }
        }
        "EBWB_WAIT" => {
            if t.failed("err") {
                say("The read failed: −EIO.", "Nothing is copied onto bytes that nobody knows.")
            } else {
                say(
                    "The read has arrived; the buffer is uptodate.",
                    "At most two buffers of a page are read: the first and the last that the write touches.",
                )
            }
        }
        "EBWB_FAIL" => say(
            tr!("Blocks cannot be prepared: {}.", t.result("err")),
            "New buffers of the range are zeroed, so that no stale byte shows.",
        ),
        "DGB_ES" => say(
            tr!("The extent status cache is asked for block {}.", t.n("iblock")),
            "It knows delayed blocks too, which the extent tree on disk does not.",
        ),
        "DGB_DISK" => say(
            tr!("The extent tree is asked for block {}.", t.n("iblock")),
            "What it says goes into the extent status cache.",
        ),
        "DGB_RESERVE" => say(
            tr!("Block {} of the file is delayed: one cluster is reserved for it.", t.n("iblock")),
            tr!(
                "{} reserved now; which block it will be is decided at writeback.",
                plural_is(m.w.counter(Counter::DirtyClusters), "cluster")
            ),
        ),
        "DGB_DONE" => {
            let pblk = t.v("pblk");
            if pblk >= kernel::fs::ext4::inode::write::INVALID_BLOCK {
                say(
                    tr!("The buffer of block {} is mapped, new and delayed.", t.n("iblock")),
                    "Mapped to no block at all: the number it carries is one that no device has.",
                )
            } else {
                say(
                    tr!("Block {} of the file lies in block {}.", t.n("iblock"), number(pblk)),
                    "No reservation is needed for a block that is there.",
                )
            }
        }
        _ => None,
    }
}

pub(super) fn plural_is(value: u64, one: &str) -> String {
    if value == 1 { tr!("{} is", count(value, one)) } else { tr!("{} are", count(value, one)) }
}

/// What the kernel's switch decides, told by what it called next: both are on the stack.
fn low_space(t: &Words) -> bool {
    let (free, dirty) = (t.m.w.counter(Counter::FreeClustersApprox), t.m.w.counter(Counter::DirtyClustersApprox));
    2 * free < 3 * dirty || free < dirty + 128
}

/// What counts, and what becomes dirty.
fn write_end(t: &Words, probe: &str) -> Option<Said> {
    let m = t.m;
    match probe {
        "DWE_ISIZE" => {
            let (old, now) = t.i_disksize();
            if old == now {
                say(
                    tr!("i_disksize stays {}.", number(now)),
                    "It grows here only if the last byte lies in a block that is allocated and written; else writeback raises it.",
                )
            } else {
                say(
                    tr!("i_disksize grows from {} to {}.", number(old), number(now)),
                    "The last byte lies in a block that the disk knows already, so the longer file may be recorded.",
                )
            }
        }
        "DWE_STOP" => say(
            tr!("The handle is stopped; write_end gives {}.", t.result("ret")),
            "Every page has its own handle: opened in write_begin, stopped here.",
        ),
        "BWE_SHORT" => say(
            tr!("The copy was short: {} of {}.", number(t.v("copied")), count(t.v("len"), "byte")),
            "Whether any of it counts depends on one flag of the page.",
        ),
        "BWE_DROP" => {
            let copied = copied_in_try(t);
            say(
                tr!("write_end counts 0 of the {} copied: {} is not uptodate.", count(copied, "byte"), t.page()),
                "Beside the copied bytes stand others that nobody has read or zeroed; a partial count would make them visible.",
            )
        }
        "BWE_ZERO" => {
            let now_uptodate = t.page_got(PageFlags::UPTODATE);
            let dirty = t.page_got(PageFlags::DIRTY);
            let zeroed: u64 = m
                .changes
                .iter()
                .map(|change| match change {
                    Change::contents(_, _, len) => u64::from(*len),
                    _ => 0,
                })
                .sum();
            if zeroed > 0 {
                let state = match (now_uptodate, dirty) {
                    (true, true) => ", which becomes uptodate and dirty",
                    (false, true) => ", which becomes dirty",
                    _ => "",
                };
                say(
                    tr!("{} of new buffers are zeroed in {}{}.", count(zeroed, "byte"), t.page(), state),
                    "A new block must not show what lay there before, even though none of this write counts.",
                )
            } else {
                say(
                    "No new buffer needs zeros.",
                    "Only buffers that this write_begin mapped anew could show stale bytes.",
                )
            }
        }
        "BWE_COMMIT" => {
            let kept = t.v("copied");
            let uptodate = t.page_flag(PageFlags::UPTODATE);
            if kept == 0 {
                let copied = copied_in_try(t);
                say(
                    tr!(
                        "write_end counts 0 of the {} copied{}.",
                        count(copied, "byte"),
                        if uptodate && t.page_flag(PageFlags::DIRTY) {
                            tr!(", yet leaves {} uptodate and dirty", t.page())
                        } else {
                            String::new()
                        }
                    ),
                    if uptodate {
                        "All buffers are uptodate by their zeros, so the page is: the retry may count a part of a copy."
                    } else {
                        "The page stays not uptodate."
                    },
                )
            } else {
                say(
                    tr!("The buffers under these {} are uptodate and dirty.", count(kept, "byte")),
                    if t.page_got(PageFlags::UPTODATE) {
                        "All buffers of the page are uptodate, so the page is too."
                    } else if uptodate {
                        "The page was uptodate before."
                    } else {
                        "Other buffers of the page are not, so the page is not uptodate."
                    },
                )
            }
        }
        "GWE_ISIZE" | "WE_ISIZE" => {
            let (old, now) = t.i_size();
            if old == now {
                say(
                    tr!("i_size stays {}.", number(now)),
                    if t.v("copied") == 0 {
                        "Nothing counted, so nothing grows."
                    } else {
                        "The write ends inside the file."
                    },
                )
            } else {
                say(
                    tr!("The file grows from {} to {}.", number(old), count(now, "byte")),
                    "i_size moves page by page, under the page's lock, so a reader never sees bytes that are not there.",
                )
            }
        }
        "GWE_UNLOCK" => say(
            tr!("{} is unlocked and given back.", capital(&t.page())),
            "It stays in the cache; readers see the new bytes from here on.",
        ),
        "GWE_EXTENDED" => say(
            "The write began past the old end of the file: the page of the old end is looked at.",
            "With blocks smaller than a page its tail may need a block before a mapping can be written through.",
        ),
        "GWE_DIRTY" => say(
            tr!("{} is dirty: its size changed.", capital(&t.inode())),
            "After the page is unlocked: the order of page lock and inode update avoids a deadlock with commits.",
        ),
        "WE_BLOCK" => say(
            tr!("{} of {} count.", t.n("copied"), count(t.v("len"), "byte")),
            if t.v("copied") < t.v("len") {
                "A short copy counts only in a page that is uptodate."
            } else {
                "Their buffers are uptodate and dirty."
            },
        ),
        "WE_STOP" => say(
            tr!("{} is unlocked, {} written to its buffer, the handle stopped.", capital(&t.page()), t.inode()),
            "Without delayed allocation i_disksize moves here, together with i_size.",
        ),
        _ => None,
    }
}

/// Bytes that the copy of this try gave.
fn copied_in_try(t: &Words) -> u64 {
    t.m.looped("copied").unwrap_or(0)
}
