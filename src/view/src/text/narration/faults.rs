//! English: what goes wrong outside of the file: a device that fails, a journal that stops, a frozen file system.

use world::{Change, Counter, Errno};

use super::Said;
use super::write::{Words, say};
use crate::moment::Moment;

/// What an act from outside was, told by what it changed.
pub(super) fn intervention(m: &Moment) -> &'static str {
    let injected = [Counter::FailPageAlloc, Counter::FailSlab, Counter::FailUsercopy].map(|counter| counter as u32);
    let acts = m.changes.iter().find_map(|change| match change {
        Change::counters(slot, _) if injected.contains(&slot.0) => {
            Some("From outside, fault injection is told to let the next ones fail.")
        }
        Change::cache(..) => Some("From outside: a page of memory fails, and leaves the page cache."),
        _ => None,
    });
    acts.unwrap_or("Nothing of the machine's state changes: a time slice ends, or there was nothing to act on.")
}

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "WSP_WAIT" => say(
            "The page is on its way to a device that wants its bytes left alone.",
            "On a plain RAM disk the copy would go ahead while the old bytes are written.",
        ),
        "WB_SHUTDOWN" => say("The file system is shut down: −EIO.", ""),
        "FRP_FAIL" => say(
            "The bits that give a program its owner's rights cannot be taken away.",
            "Without that no byte may be written, so the call ends here.",
        ),
        "SRA_NOTHING" => say(
            "No freed block waits for a commit.",
            "One more try is worth while only if a block became free in the meantime.",
        ),
        "SRA_COMMIT" => say(
            "Freed blocks wait for a commit, so one is forced.",
            "Until then a crash could bring their old owner back, and nobody else may have them.",
        ),
        "GRAB_NO_PAGE" => say(
            "No page could be allocated: fault injection said so.",
            "Without a page there is nothing to copy into: write_begin gives −ENOMEM.",
        ),
        "GRAB_INSERT_FAILED" => {
            if t.v("err").cast_signed() == Errno::EEXIST.as_ret() {
                say(
                    "Another task has inserted a page at this place meanwhile.",
                    "The new page is given back, and the other one looked up.",
                )
            } else {
                say(
                    "The tree of cached pages could not take the page: no memory for a node.",
                    "The page is given back.",
                )
            }
        }
        "CP_INJECTED" => say(
            "Fault injection lets the copy of this segment fail.",
            "To the loop it looks as if the source page were not there.",
        ),
        "KW_KVEC" => say(
            "The source is the kernel's own memory.",
            "It is always there: there is no fault-in, and the copy cannot come up short.",
        ),
        "FUT_READ_ONLY" => say(
            "The file system has turned read-only under the open file: the times stay.",
            "That is no error: the write goes on and meets its own.",
        ),
        _ => errors(t, probe).or_else(|| frozen(t, probe)),
    }
}

fn errors(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "EE_SAVED" | "ESE_SAVED" | "EA_SAVED" => say(
            tr!("The superblock on the device says now that error {} was seen, where and when.", t.n("errno")),
            "The next e2fsck will look at everything.",
        ),
        "EHE_READ_ONLY" => say(
            "The journal is aborted and the file system is read only.",
            "The mount asked for that at the first error: errors=remount-ro.",
        ),
        "EA_READ_ONLY" => say(
            "The journal is aborted and the file system is read only.",
            "Without a journal no change of the metadata is safe.",
        ),
        _ => None,
    }
}

fn frozen(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "SSW_WAIT" => say(
            "The file system is frozen: the task sleeps before its first change.",
            "It wakes when the file system thaws; nothing of the call has happened yet.",
        ),
        "FRZ_BUSY" => say("The file system is frozen already: −EBUSY.", ""),
        "FRZ_LEVEL" => say(
            if t.v("level") == 1 {
                "No system call may begin to write any more."
            } else {
                "No store through a mapping may begin any more."
            },
            "Those that are inside go on; the freeze waits for the last of them.",
        ),
        "FRZ_SYNC" => {
            say("Everything that was dirty is written.", "Nobody can make anything dirty again, so once is enough.")
        }
        "FRZ_DONE" => {
            if t.failed("ret") {
                say(tr!("The freeze has failed: {}.", t.result("ret")), "Whoever waited goes on.")
            } else {
                say(
                    "The log is empty and the file system frozen.",
                    "The device could be copied now and mounted without a recovery.",
                )
            }
        }
        "THW_WAKE" => say("The file system has thawed, and who waited for it wakes.", ""),
        "SWO_HEADER" => {
            if t.failed("ret") {
                say(tr!("The file cannot be swapped to: {}.", t.result("ret")), "It needs the header of mkswap(8).")
            } else {
                say("The file's first page has the header of a swap area.", "")
            }
        }
        "SWO_EXTENTS" => {
            if t.failed("ret") {
                say(
                    tr!("The file's blocks are no swap area: {}.", t.result("ret")),
                    "A hole would have to be filled while memory is short, which is when it cannot be.",
                )
            } else {
                say(
                    "Each page of the file has a place on the device.",
                    "The kernel will write there by itself, past the file system.",
                )
            }
        }
        "SWO_FLAG" => say(
            "The file is marked: who writes to it gets −ETXTBSY.",
            "A write through the page cache would not know of the pages swapped out.",
        ),
        _ => None,
    }
}
