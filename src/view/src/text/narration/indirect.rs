//! English: block maps, the files without extents.

use super::Said;
use super::write::{Words, plural_is, say};
use crate::moment::count;

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    map(t, probe).or_else(|| free(t, probe))
}

fn map(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "IMB_BRANCH" => say(
            tr!("The pointers to block {} of the file have been followed.", t.n("lblk")),
            "The first of them stands in the inode; up to three blocks of pointers lie between it and the data.",
        ),
        "IMB_FOUND" => say(
            tr!("The block map leads to {} from block {} on.", count(t.v("count"), "block"), t.n("pblk")),
            "As many pointers are taken at once as name blocks that follow each other on the device.",
        ),
        "IMB_HOLE" => say(
            tr!("A pointer on the way is 0: a hole of {}.", count(t.v("len"), "block")),
            "Holes of a block map do not enter the status cache, so each look-up walks the pointers again.",
        ),
        "IMB_ALLOC" => say(
            tr!("{} chosen, with all blocks of pointers that they need.", capital_count(t)),
            "Nothing in the file points to them yet: a failure up to here leaves no trace.",
        ),
        "IMB_SPLICE" => say(
            "The new branch hangs on the file's map.",
            "One pointer was missing, and setting it made the whole branch visible.",
        ),
        "IMB_RESERVED" => say(
            "The reservation of the data blocks is used up.",
            "Blocks of pointers were never reserved: they are taken from what is free.",
        ),
        "GBR_READ" => say(
            tr!("One level down: block {} holds the next pointer.", t.n("block")),
            "It is read from disk unless it is cached, and its pointers are checked then.",
        ),
        "ABR_BLOCK" => say(
            tr!("Block {} is taken for the new branch.", t.n("block")),
            "First the blocks of pointers, from the top; the data blocks come last.",
        ),
        "ABR_FILLED" => say(
            tr!("Block {} is a block of pointers now.", t.n("block")),
            "All holes, but for the pointers to what was just taken.",
        ),
        "ABR_FAILED" => say(
            tr!("The branch cannot be made: {}.", t.result("err")),
            "What was taken for it is free again, the last block first.",
        ),
        "SPL_LINK" => say(
            tr!("The missing pointer is set: to block {}.", t.n("block")),
            "Then the block, or the inode, that holds it is handed to the journal.",
        ),
        _ => None,
    }
}

fn capital_count(t: &Words) -> String {
    let blocks = t.v("count");
    plural_is(blocks, "data block")
}

fn free(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "ITR_SIZE" => say(
            tr!("Everything from block {} of the file on is to go.", t.n("last_block")),
            "The status cache forgets it first, with what was only reserved; the size on disk follows.",
        ),
        "ITR_DIRECT" => say("The inode's own pointers behind the end are freed.", ""),
        "ITR_TOP" => say(
            "Where the file now ends, whole subtrees have been freed.",
            "A block of pointers of which nothing stays goes with all below it.",
        ),
        "ITR_TAILS" => say(
            "The blocks of pointers that stay in part have lost their ends.",
            "From the deepest up: each is written back with zeros behind the last pointer that stays.",
        ),
        "ITR_WHOLE" => say(
            "The inode's pointers further on are freed, with all that they lead to.",
            "Single, double, triple: in this order, each tree bottom up.",
        ),
        "IRS_DIRECT" => say("The hole lies among the inode's own pointers.", ""),
        "IRS_LEVELS" => say(
            "The hole spans several of the inode's trees, and they are freed.",
            "The end of the first, all between, and the begin of the last.",
        ),
        "IRS_LEVEL" => say(
            "The hole lies in one of the inode's trees, and it is freed.",
            "From both ends up, to the block of pointers that the two have in common.",
        ),
        "FBR_FREED" => say(
            tr!("Block {}, which held pointers, is free.", t.n("block")),
            "After all it pointed to. A revoke record keeps a log replay from bringing it back.",
        ),
        "FRD_RUN" => say(
            tr!("{} from {} on are freed.", count(t.v("count"), "block"), t.n("block")),
            "Their pointers are zeroed first. A run of blocks on the device goes at once.",
        ),
        _ => None,
    }
}
