//! English: files that lie in the device's own memory, and who goes past the cache.

use super::Said;
use super::write::{Words, say};
use crate::moment::count;

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    writer(t, probe).or_else(|| mover(t, probe))
}

fn writer(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "DWI_TRYLOCK" => say(
            "The inode’s lock has been tried, and not waited for.",
            "RWF_NOWAIT: if somebody holds it, the call fails with EAGAIN.",
        ),
        "DWI_LOCK" => say("The inode’s lock is to be taken alone.", "A DAX write never shares it."),
        "DWI_CHECKS" => {
            if t.failed("ret") {
                say(tr!("The checks have stopped the write: {}.", t.result("ret")), "Nothing was changed.")
            } else {
                say("Position and length have been checked.", "The same checks as for a buffered write.")
            }
        }
        "DWI_HANDLE" => {
            if t.failed("ret") {
                say(tr!("No handle: {}.", t.result("ret")), "The journal takes no change any more.")
            } else {
                say(
                    "A handle is open: the write goes past the size on disk.",
                    "Blocks behind the end must not be lost if the machine stops before the size follows.",
                )
            }
        }
        "DWI_ORPHAN" => say(
            "The inode is on the orphan list, and the handle is stopped.",
            "After a crash the next mount would cut the file to its old size.",
        ),
        "DWI_COPIED" => {
            if t.failed("ret") {
                say(tr!("Nothing was copied: {}.", t.result("ret")), "")
            } else {
                say(
                    tr!("{} have gone to the device’s own memory.", t.b("ret")),
                    "No page is dirty: there is nothing left to write back.",
                )
            }
        }
        "DWI_EXTEND" => say("The inode has its new size.", ""),
        "DWI_TRUNCATE" => say(
            "What was allocated behind the end and not written to has been freed.",
            "The copy stopped early, but the blocks had been taken for all of it.",
        ),
        "DWI_UNLOCK" => say("The inode’s lock is free.", ""),
        "DWI_SYNC" => say(
            "The data is where it belongs; the metadata may have to follow.",
            "Only for O_SYNC and O_DSYNC: then the journal commits before the call returns.",
        ),
        "HIE_SIZE" => say("The size follows the data.", "With it the inode leaves the orphan list."),
        "WPD_RANGE" => say(
            "The file’s mapping has no entry, so nothing is written back.",
            "write(2) flushed what it copied. Only stores through a mapping would have left something here.",
        ),
        _ => None,
    }
}

fn mover(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "EIB_FOUND" => say(
            tr!("{} from here on, all with data: no handle is needed.", count(t.v("blocks"), "block")),
            "Overwriting changes no metadata but the times.",
        ),
        "EIB_ALLOC" => say(
            tr!("{} from here on, the first is {}.", count(t.v("blocks"), "block"), t.n("pblk")),
            "DAX: new blocks were zeroed on the device. O_DIRECT: inside the file they stay unwritten until the data is \
             there.",
        ),
        "EIB_LOOKED" => say("The extent has been looked up.", "Nothing is allocated for it."),
        "DRI_LOCK" => say("The inode’s lock is to be shared with other readers.", "A DAX read waits for writers."),
        "DRI_DONE" => say("The read is over.", "The bytes came from the device’s memory, not from a page."),
        "DIR_APPLY" => say("One extent is done.", "The next one is asked for if bytes are left."),
        "DIA_HOLE" => say("No data lies here: the reader gets zeros.", "The device is not looked at."),
        "DIA_SIGNAL" => say("The process is being killed: nothing more is copied.", ""),
        "DIA_ACCESS" => say(
            tr!("The device gives an address in its memory for block {}.", t.n("pblk")),
            "The processor can load and store there: no request, no page of the cache, no copy in between.",
        ),
        "DIA_COPY" => say(
            tr!(
                "{} have been copied from user memory straight to block {}, from its byte {} on.",
                t.b("xfer"),
                t.n("pblk"),
                t.n("offset")
            ),
            "The stores go past the processor’s caches, so the bytes are on the device now.",
        ),
        "DIA_READ" => say(tr!("{} have been copied from the device’s memory to the user.", t.b("xfer")), ""),
        "DIZ_ZERO" => say(
            "The rest of the block has been zeroed on the device.",
            "A cached file’s page would be zeroed instead, and written later.",
        ),
        _ => None,
    }
}
