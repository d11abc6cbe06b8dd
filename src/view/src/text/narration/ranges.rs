//! English: blocks in the middle of a file, stores through mappings, where data lies, shutdown.

use super::Said;
use super::write::{Words, say};

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    ranges(t, probe).or_else(|| mappings(t, probe)).or_else(|| others(t, probe))
}

fn ranges(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "EFA_MODE" => {
            say("The mode has been looked at.", "Punch, collapse, insert and zero each have a way of their own.")
        }
        "EFA_LOCK" => say("The inode's lock is held.", "Nobody writes to the file while it gets its blocks."),
        "EAFB_MAP" => {
            if t.failed("ret") {
                say(tr!("No blocks could be mapped: {}.", t.result("ret")), "What was allocated before stays.")
            } else {
                say(
                    "A piece of the range has its blocks, as unwritten extents.",
                    "They are taken now and read as zeros until something is written to them.",
                )
            }
        }
        "EAFB_STOP" => say(
            "The piece's handle is stopped; the size follows if it is to grow.",
            "Each piece is a change of its own: a crash keeps the pieces done so far.",
        ),
        "EZR_LOCK" | "ECR_LOCK" | "EIR_LOCK" | "EPH_LOCK" => {
            say("The inode's lock is held.", "Nobody else writes to the file until this is over.")
        }
        "EZR_OUTER" => say(
            "Every block that the range touches exists now.",
            "The blocks at its ends are kept, and zeroed in part later.",
        ),
        "EZR_INNER" => say(
            "The whole blocks inside are unwritten, and their pages have left the cache.",
            "Unwritten blocks read as zeros: nothing has to be written to the device for it.",
        ),
        "EZR_EDGES" | "EPH_EDGES" => say(
            "The parts of blocks at the ends are zeroed in the page cache.",
            "Less than a block cannot be freed or marked; it is written like any other data.",
        ),
        "ECR_WRITE" => say(
            "What lies behind the range is on the device.",
            "Its pages are about to be dropped, as each will stand at another place of the file.",
        ),
        "ECR_PAGES" | "EIR_PAGES" => say(
            "All pages from here on have left the cache.",
            "A page knows its place in the file, and that place is about to change.",
        ),
        "ECR_SHIFT" => say(
            "The range's blocks are free, what followed stands in their place, and the file is shorter.",
            "Only the extents' logical numbers change: no data moves on the device.",
        ),
        "EIR_WRITE" => say("What lies behind the offset is on the device.", "Its pages are about to be dropped."),
        "EIR_SHIFT" => say(
            "What lay behind the offset stands further on, with a hole before it.",
            "Only the extents' logical numbers change: no data moves on the device.",
        ),
        "ESX_LEAF" => say(
            tr!("The extents of one leaf have moved by {}.", crate::moment::count(t.v("shift"), "block")),
            "To the left the first one goes first, to the right the last, so that none runs into another.",
        ),
        "EPH_WRITE" => say(
            "Dirty pages of the range have been written.",
            "Otherwise delayed data might be allocated into the hole after it was made.",
        ),
        "EPH_PAGES" => say("The pages of the whole blocks have left the cache.", "Their data is not wanted any more."),
        "EPH_BLOCKS" => {
            say("The whole blocks of the range are free.", "Others may have them once the transaction has committed.")
        }
        _ => None,
    }
}

fn mappings(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "FMM_OPS" => say(
            "The file is mapped; not one page of it is present yet.",
            "Each page comes with the first access, through a fault.",
        ),
        "DSF_PAGE" => say(
            tr!("The store's fault has found {} in the cache.", t.page_in("page")),
            "A store needs more than the page: the file system must know that it becomes dirty.",
        ),
        "DSF_DIRTY" => say(
            tr!("The page table entry allows stores to {} now.", t.page_in("page")),
            "Further stores are not seen by the kernel, until writeback protects the page again.",
        ),
        "PMK_IMMUTABLE" => say("The file is immutable: the process gets SIGBUS.", ""),
        "PMK_TIME" => say(
            "The file's times are up to date.",
            "The store itself is invisible, so the first fault of a page stands for those that follow.",
        ),
        "PMK_DA" | "PMK_BLOCKS" => {
            if t.failed("err") {
                say(tr!("The page cannot get its blocks: {}.", t.result("err")), "A store cannot return an error.")
            } else {
                say(
                    "The page's buffers have their blocks, or a reservation, and are dirty.",
                    "If there were no space, the process would learn of it here, with a SIGBUS.",
                )
            }
        }
        "PMK_MAPPED" => say("All of the page's buffers are mapped already.", "No handle is needed."),
        "PMK_JOURNAL" => say("A handle is open for the blocks that are missing.", ""),
        "BWB_MAPPED" => {
            if t.failed("err") {
                say(tr!("A buffer of the page could not be mapped: {}.", t.result("err")), "")
            } else {
                say("Each buffer of the page has its block, or a reservation.", "")
            }
        }
        _ => None,
    }
}

fn others(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "IBR_MAP" => say(
            tr!("One kind of extent goes on for {} from here.", crate::moment::count(t.v("len"), "block")),
            "The caller is told of holes, of blocks, and of data that waits for blocks.",
        ),
        "DIO_LOCK" => say(
            "The inode's lock is held for a direct write.",
            "Writers that touch whole, allocated blocks inside the file may share it.",
        ),
        "DIO_CHECKS" => say("Position and length have been checked.", ""),
        "DIO_ORPHAN" => say(
            "The inode is on the orphan list while it grows.",
            "Blocks behind the size are freed by the next mount if this is interrupted.",
        ),
        "DIO_UNLOCK" => say("The inode's lock is free.", ""),
        "DIO_BUFFERED" => say(
            "The rest was written through the cache, and dropped from it.",
            "Some blocks cannot be written around the cache.",
        ),
        "IDR_INVALIDATE" => say(
            "Cached pages of the range have been written and dropped.",
            "Otherwise a later read would find old bytes in the cache.",
        ),
        "IDR_SUBMIT" => say("A request with the user's own pages has been submitted.", "No page of the cache is used."),
        "IDR_WAIT" => say("All requests are done.", "The caller sleeps until the device has the data."),
        "IDR_CONVERT" => say("The blocks are written extents now.", "Only now may a read see them."),
        "GSR_PAGES" => say(
            "The file's pages are in the pipe.",
            "The pipe takes references, not copies: the bytes stay where they are.",
        ),
        "IFS_WRITE" => say(
            "The pipe's pages are the source of a write.",
            "Kernel pages are always present, so that no copy of this write is short.",
        ),
        "JWE_WALK" => say(
            "The written buffers belong to the transaction, like metadata.",
            "In data=journal the commit writes the data to the log, and only then makes its pages dirty.",
        ),
        "JWE_STOP" => say("The page is unlocked and the handle stopped.", ""),
        "SHD_FLAG" => say(
            "The file system is shut down: every call on it fails with −EIO.",
            "Nothing more may reach the device through it.",
        ),
        "SHD_ABORT" => say(
            "The journal is aborted; what its transaction changed stays in memory and is lost.",
            "What was committed before still reaches its place.",
        ),
        _ => None,
    }
}
