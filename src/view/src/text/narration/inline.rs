//! English: small files and directories inside their inode.

use super::Said;
use super::write::{Words, say};

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    writing(t, probe).or_else(|| leaving(t, probe)).or_else(|| directories(t, probe))
}

fn writing(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "DWB_INLINE" | "WB_INLINE" => match (t.failed("ret"), t.v("ret")) {
            (true, _) => say(tr!("The inode cannot take the bytes, nor can a block: {}.", t.result("ret")), ""),
            (false, 1) => say(
                "The write fits into the inode: the page is ready, a handle is open.",
                "No block is reserved and no buffer attached; the bytes will go to the disk with the inode.",
            ),
            (false, _) => say(
                "The file does not live in its inode, or no longer: the write goes on with blocks.",
                "Once it has left, a file does not come back.",
            ),
        },
        "DIB_SIZE" | "TWI_SIZE" => {
            let room = crate::moment::count(t.v("inline_size"), "byte");
            if t.v("pos") + t.v("len") > t.v("inline_size") {
                say(
                    tr!("The inode has room for {}: too few for this write.", room),
                    "60 bytes where the extent tree would be, the rest as an attribute behind the inode's fields.",
                )
            } else {
                say(
                    tr!("The inode has room for {}: the write fits.", room),
                    "60 bytes where the extent tree would be, the rest as an attribute behind the inode's fields.",
                )
            }
        }
        "PID_UPDATE" | "PID_CREATE" | "TWI_PREPARE" => {
            if t.failed("ret") {
                return say(tr!("The inode has no such room: {}.", t.result("ret")), "");
            }
            match probe {
                "PID_UPDATE" => say(
                    tr!("The inode has room for {} of data.", t.b("len")),
                    "The attribute grows if it must; what is new in it is zero.",
                ),
                "PID_CREATE" => say(
                    tr!("The inode has got room for {} of data, and the flag that says so.", t.b("len")),
                    "It has no extent tree any more: the tree's 60 bytes hold data.",
                ),
                _ => say("There is room in the inode.", "Made before the copy, so that write_end cannot fail for it."),
            }
        }
        "DIB_INSIDE" | "TWI_INSIDE" => say(
            tr!("{} holds what the inode holds, and zeros behind.", super::write::capital(&t.page_in("page"))),
            "Reads and mappings know pages only, so the page is kept like any other; but it is never dirty.",
        ),
        "DIB_CONVERT" | "TWI_CONVERT" => {
            if t.failed("ret") {
                say(tr!("The data cannot leave the inode: {}.", t.result("ret")), "")
            } else {
                say("The data is ready to leave the inode.", "From here on the write is one like any other.")
            }
        }
        "DIB_RETRY" => say("Space may be free after all: once more from the handle on.", ""),
        "WID_COPY" => say(
            "The bytes are in the inode's buffer now; the page is uptodate and clean.",
            "Writeback of pages has nothing to do: the journal writes the inode.",
        ),
        "DIE_ISIZE" => {
            let (old, now) = t.i_size();
            if old == now {
                say(tr!("i_size stays {}.", crate::moment::number(now)), "")
            } else {
                say(tr!("i_size grows to {}.", crate::moment::number(now)), "Still under the page's lock.")
            }
        }
        "DWE_INLINE" | "WE_INLINE" | "JWE_INLINE" => say(
            tr!("The inode has taken the bytes: {}.", t.result("ret")),
            "What the page held was copied; no buffer took part.",
        ),
        "RPI_READ" => {
            if t.failed("ret") {
                say(tr!("The inode cannot be read: {}.", t.result("ret")), "")
            } else if t.v("index") == 0 {
                say(
                    "The page is filled from the inode; zeros behind the data.",
                    "No block is read: the inode is in memory.",
                )
            } else {
                say("The page is all zeros.", "Data in an inode never reaches the second page.")
            }
        }
        _ => None,
    }
}

fn leaving(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "DCI_NONE" | "CIE_NONE" => say(
            "The inode holds no data yet: the file only stops trying.",
            "A first write that is too large goes to blocks at once.",
        ),
        "DCI_RESERVE" => {
            if t.failed("ret") {
                say(
                    tr!("No block can be reserved for the data: {}.", t.result("ret")),
                    "The data stays where it is; what the write had begun is undone.",
                )
            } else {
                say(
                    tr!("A block is reserved for the {} that the inode has room for.", t.b("inline_size")),
                    "The page was uptodate, so its buffer is dirty already.",
                )
            }
        }
        "DCI_DIRTY" => say(
            "The page is dirty; the inode keeps its copy until writeback.",
            "So a crash before that loses nothing that was there.",
        ),
        "DGB_INLINE" => say(
            "The data is still in the inode, so block maps are not asked: a hole.",
            "The inode's 60 bytes are data now and would make no sense as an extent tree.",
        ),
        "CIE_HANDLE" | "CID_HANDLE" => say("A handle is open for a block and the inode.", ""),
        "CIE_DESTROY" => say(
            "The page holds the data now, and the inode does not.",
            "Without delayed allocation the block follows at once, in the same handle.",
        ),
        "CIE_BLOCKS" => {
            if t.failed("ret") {
                say(
                    tr!("No block for the data: {}.", t.result("ret")),
                    "The inode's copy is gone already: only the page, which is not dirty, still has it.",
                )
            } else {
                say("The page has its block, and its buffer is about to become dirty.", "")
            }
        }
        "DID_DONE" => {
            if t.failed("error") {
                say(tr!("The inode keeps its data: {}.", t.result("error")), "")
            } else {
                say(
                    "The inode holds no data any more: the attribute is gone, an empty extent tree stands in its place.",
                    "It will not try again: the state bit that allowed it is off.",
                )
            }
        }
        "WP_INLINE" => say(
            "The inode's copy of the data is gone.",
            "The first page is about to get a block; both at once would be two truths.",
        ),
        "CID_FLUSH" => say(
            "The data was half way out of the inode: its page has been written.",
            "That finishes the move that a write began.",
        ),
        "CIN_BLOCK" => {
            if t.failed("error") {
                say(tr!("The data gets no block: {}.", t.result("error")), "")
            } else {
                say(
                    tr!("The {} of the inode are in a new block's buffer.", t.b("inline_size")),
                    "It travels through the journal like metadata, past the page cache of the file.",
                )
            }
        }
        "CIN_RESTORE" => say("The data is back in the inode.", "Nothing was lost."),
        "CID_DONE" => say(
            if t.failed("error") {
                tr!("The file stays in its inode: {}.", t.result("error"))
            } else {
                tr!("The file has a block.")
            },
            "",
        ),
        "ITR_CUT" => say(
            tr!("What the inode held behind byte {} is zero, or gone.", t.n("i_size")),
            "The attribute is made shorter; the 60 bytes of the block map always stay.",
        ),
        "ITR_DONE" | "ETR_INLINE" => say("The file in its inode is cut.", "There are no blocks to free."),
        "IBR_INLINE" => say("The data lies in the inode.", "Its place on the device is a byte in the inode table."),
        _ => None,
    }
}

fn directories(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "TCD_DONE" => say(
            "The new directory lives in its inode: the parent's number, and room for names.",
            "\".\" and \"..\" take no room as names there.",
        ),
        "FIE_SEARCH" => {
            if t.v("ino") == 0 {
                say("The inode does not hold that name.", "")
            } else {
                say(tr!("The name is in the directory's inode: it stands for inode {}.", t.n("ino")), "")
            }
        }
        "TAE_BLOCK" | "TAE_VALUE" => {
            let part = if probe == "TAE_BLOCK" { "where the extent tree would be" } else { "in the attribute" };
            if t.v("added") == 1 {
                say(tr!("The name stands in the directory's inode, {}.", part), "")
            } else {
                say(tr!("There is no room for the name {}.", part), "")
            }
        }
        "DIN_DONE" => say("The name is out of the directory's inode.", "Its room goes to the name before it."),
        _ => None,
    }
}
