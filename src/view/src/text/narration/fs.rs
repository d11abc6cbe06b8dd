//! English: writeback, journal, reading, truncating, extents, allocation, names and mounts.

use world::{Counter, HandleId};

use super::Said;
use super::write::{Words, capital, say};
use crate::moment::{count, number};

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    writepages(t, probe)
        .or_else(|| sync(t, probe))
        .or_else(|| read(t, probe))
        .or_else(|| truncate(t, probe))
        .or_else(|| extents(t, probe))
        .or_else(|| allocate(t, probe))
        .or_else(|| journal(t, probe))
        .or_else(|| names(t, probe))
        .or_else(|| mount(t, probe))
        .or_else(|| super::ranges::narrate(t, probe))
        .or_else(|| super::faults::narrate(t, probe))
        .or_else(|| super::inline::narrate(t, probe))
        .or_else(|| super::indirect::narrate(t, probe))
        .or_else(|| super::flusher::narrate(t, probe))
        .or_else(|| super::reclaim::narrate(t, probe))
}

/// `a to b`, of blocks.
fn blocks(t: &Words, first: &str, len: &str) -> String {
    let (from, len) = (t.v(first), t.v(len));
    if len <= 1 { tr!("block {}", number(from)) } else { tr!("blocks {}–{}", number(from), number(from + len - 1)) }
}

fn flight(t: &Words) -> String {
    let writes = t.m.w.bios.iter().filter(|(_, bio)| bio.used && bio.write).count() as u64;
    if writes > 0 { tr!("{} in flight", count(writes, "write")) } else { tr!("nothing is left in flight") }
}

fn writepages(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "WP_SHUTDOWN" => say("The file system is shut down: −EIO.", "Dirty pages stay where they are."),
        "WP_EMPTY" => {
            say(tr!("{} has no dirty page to write.", capital(&t.inode())), "The xarray's tag is asked, not each page.")
        }
        "WP_JDATA" => say("The file's data goes through the journal.", "Its pages are written one by one."),
        "WP_RANGE" => say(
            match t.v("nr_to_write") {
                n if n < 1 << 40 => tr!("Writeback of {} begins, for {}.", t.inode(), count(n, "page")),
                _ => tr!("Writeback of {} begins, for all of its pages.", t.inode()),
            },
            "For an fsync the range is that of the call; the flusher goes on where it stopped.",
        ),
        "WP_TAG" => say(
            "The pages that are dirty now get the tag TOWRITE.",
            "Pages dirtied from here on are not waited for, or a busy writer would keep a sync from ever ending.",
        ),
        "WP_PASS1" => say(
            "First pass: pages whose blocks are known, without a journal handle.",
            "Such pages only need to be submitted; no extent changes.",
        ),
        "WP_PASS1_SUBMIT" => say(tr!("What the first pass gathered is submitted; {}.", flight(t)), ""),
        "WP_LOOP" => say(
            "Second pass: dirty pages that need blocks.",
            "Each round takes a stretch of pages whose blocks can be allocated as one extent.",
        ),
        "WP_HANDLE" => say(
            "A handle is open for one extent, with credits set apart for its conversion.",
            "Unlike in write_begin the handle comes first and page locks after it: nobody waits in a circle.",
        ),
        "WP_PREPARE" => say(
            "A stretch of dirty pages has been locked and looked at.",
            "They stay locked until their blocks are known and they are on their way.",
        ),
        "WP_STOP" => say("The handle is stopped.", "With the extent in place, the data itself needs no journal."),
        "WP_RELEASE" => say("Pages that did not fit the extent are unlocked.", "The next round takes them up again."),
        "WP_SUBMIT" => say(tr!("The gathered requests go to the device; {}.", flight(t)), ""),
        "WP_IO_END" => say(
            "The batch's last reference may be dropped.",
            "When all its data is on disk, its extents become written.",
        ),
        "WP_NOSPC" => say(
            "There was no space: a commit is forced and the round tried again.",
            "Blocks freed in a transaction can be used after its commit.",
        ),
        "WP_CYCLE" => {
            say("Once more, from the file's begin to where this started.", "The flusher's range is a circle.")
        }
        "WP_INDEX" => say(tr!("The next such writeback begins at page {}.", t.n("first_page")), ""),
        "MPE_LOCK" => say(
            tr!("Writeback locks {}.", t.page_in("page")),
            "While it holds the lock nobody can dirty or truncate the page.",
        ),
        "MPE_SKIP" => say(
            tr!("{} needs no writing any more.", capital(&t.page_in("page"))),
            "It was cleaned, truncated or sent by somebody else before its lock came.",
        ),
        "MPE_WAIT" => say(
            tr!("{} is not under writeback any more.", capital(&t.page_in("page"))),
            "A page is sent once at a time.",
        ),
        "MPE_BUFS" => say(
            tr!(
                "{}'s buffers join the extent to be mapped: {}.",
                capital(&t.page_in("page")),
                blocks(t, "lblk", "len")
            ),
            "A page whose buffers have their blocks already is submitted at once instead.",
        ),
        "MPE_DONE" => say("No tagged page is left.", ""),
        "MME_MAP" => {
            if t.failed("err") {
                say(tr!("The extent cannot be mapped: {}.", t.result("err")), "")
            } else {
                say(
                    tr!(
                        "The place of the file's {} begins at {} of the device.",
                        blocks(t, "lblk", "len"),
                        t.n("pblk")
                    ),
                    "Delayed allocation ends here: one request for the whole stretch makes one extent.",
                )
            }
        }
        "MME_LOST" => say(
            tr!("Delayed allocation failed with {}: this data will be lost.", t.result("err")),
            "The pages are invalidated; the application learns of it from its next fsync.",
        ),
        "MME_BUFFERS" => say(
            "The buffers have their blocks, and their pages are on the way.",
            "Dirty is cleared and writeback set before the request is submitted.",
        ),
        "MME_DISKSIZE" => say(
            tr!("i_disksize follows: {}.", t.b("disksize")),
            "Only now may the disk know of the longer file: its blocks have their place.",
        ),
        "WCP_LOCK" => say(tr!("{} is locked for writing.", capital(&t.page_in("page"))), ""),
        "WCP_WAIT" => say(tr!("{} is not under writeback any more.", capital(&t.page_in("page"))), ""),
        "WCP_WRITE" => say(
            tr!("{} has been handed to writepage.", capital(&t.page_in("page"))),
            "Its dirty flag was cleared first, so that a later change dirties it anew.",
        ),
        "EWP_UNMAPPED" => say(
            tr!("{} has buffers without blocks: it is dirty again.", capital(&t.page_in("page"))),
            "Writing single pages must not allocate: writepages does that, with a handle.",
        ),
        "EWP_BIO" => say(
            tr!("{} is on its way to the device.", capital(&t.page_in("page"))),
            "It is under writeback until the request completes.",
        ),
        "EIE_CONVERT" => say(
            "The data is on disk, so its unwritten extents become written.",
            "Before this a crash would have shown zeros there, never what the blocks held before.",
        ),
        "EIE_RELEASE" => say("The batch is done: its pages leave writeback.", "Whoever waited for them may go on."),
        "FWR_WAIT" => say(
            tr!("Writeback of {} is over.", t.page_in("page")),
            "An fsync waits for each page of its range, also for those that somebody else sent.",
        ),
        _ => None,
    }
}

fn sync(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "VFR_CALL" => say(
            tr!("fsync of {} goes to ext4.", t.inode()),
            "Its range limits which pages are flushed; the journal's commit is for the whole inode.",
        ),
        "ESF_SHUTDOWN" => say("The file system is shut down: −EIO.", ""),
        "ESF_RO" => say("The file system is read-only: there is nothing to flush.", ""),
        "ESF_DATA" => {
            if t.failed("ret") {
                say(tr!("The data cannot be written: {}.", t.result("ret")), "")
            } else {
                say(
                    "The dirty pages of the range are on the device.",
                    "Data first: the commit that follows makes it reachable.",
                )
            }
        }
        "ESF_JDATA" => say("In journal mode a commit carries the data too.", ""),
        "ESF_JOURNAL" => say(
            tr!("Transaction {} holds the inode's last change and is committed.", t.n("tid")),
            "fdatasync may wait for an older one: times alone do not count for it.",
        ),
        "ESF_BARRIER" => {
            say("The device is told to empty its own cache.", "Only needed if the commit did not do it already.")
        }
        "ESF_WBERR" => say(
            tr!(
                "Writeback errors since the last look: {}.",
                if t.failed("ret") { t.result("ret") } else { tr!("none") }
            ),
            "Each open file is told once of each error.",
        ),
        "KS_INODES" => say("sync has written every dirty inode's pages.", "Data goes first, metadata after it."),
        "KS_FS" => say("The journal has committed.", "What it holds can be replayed after a crash."),
        "KS_BDEV" => say("The block device's own dirty buffers are written.", "Metadata reaches its final place."),
        "MID_STATE" => say(
            tr!("{} is marked dirty.", capital(&t.inode())),
            "An inode that was clean enters the device's list, where the flusher finds it.",
        ),
        _ => None,
    }
}

fn read(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "GFR_FIND" => say(tr!("The read looks for page {} in the cache.", t.n("index")), ""),
        "GFR_SYNC" => say(
            tr!("Page {} was not there: readahead has begun.", t.n("index")),
            "It reads more than asked for, in the hope of a sequential reader.",
        ),
        "GFR_ASYNC" => say("The readahead mark is reached: the next window is read meanwhile.", ""),
        "GFR_WAIT" => {
            say(tr!("Page {} has arrived.", t.n("index")), "A page being read is locked until its bytes are there.")
        }
        "GFR_READPAGE" => {
            say(tr!("Page {} is read on its own.", t.n("index")), "It was in the cache, but not uptodate.")
        }
        "GFR_EOF" => say(
            "The file ends before this page.",
            "Asked again after the page is there: the file may have changed its size.",
        ),
        "GFR_COPY" => say(
            tr!("{} go from page {} to the reader.", count(t.v("nr"), "byte"), t.n("index")),
            "Reading marks the page accessed; writing does not.",
        ),
        "FF_SIGBUS" => {
            say("The mapping reaches past the end of the file: a bus error.", "For a write's source that is −EFAULT.")
        }
        "FF_AROUND" => say(tr!("Pages around {} are read for the mapping.", t.n("index")), ""),
        "FF_LOCK" => say(tr!("Page {} of the mapped file is locked and there.", t.n("index")), ""),
        "FF_READPAGE" => {
            say(tr!("Page {} of the mapped file is read.", t.n("index")), "A fault at the source may read from disk.")
        }
        "MRP_MAP" => say(tr!("The map is asked for {} of the file.", blocks(t, "lblk", "len")), ""),
        "MRP_HOLE" => say(
            tr!("Page {} lies in a hole: it is filled with zeros.", t.n("index")),
            "No block, nothing to read; the page is uptodate at once.",
        ),
        "MRP_ADD" => say(tr!("Page {} joins the read from block {}.", t.n("index"), t.n("pblk")), ""),
        "MRP_CONFUSED" => say(
            tr!("Page {} is read buffer by buffer.", t.n("index")),
            "Its blocks do not lie side by side, or it has buffers already.",
        ),
        "BRF_MAP" => say(tr!("Block {} of the file is looked up.", t.n("iblock")), ""),
        "BRF_ZERO" => say(tr!("Block {} of the file is a hole: zeros.", t.n("iblock")), ""),
        "BRF_READ" => say(tr!("A read is submitted for block {} of the file.", t.n("iblock")), ""),
        _ => None,
    }
}

fn truncate(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "ESA_ORDERED" => say(
            "The last page that stays is written first.",
            "In ordered mode its data must be on disk before the shorter size is.",
        ),
        "ESA_MMAP_SEM" => {
            say("Page faults on the file are held off.", "No mapping may bring a page back while it is being cut.")
        }
        "ESA_HANDLE" => say("A handle is open for the new size.", ""),
        "ESA_ORPHAN" => say(
            "The inode is on the orphan list.",
            "If the machine dies halfway, the mount after it finishes the truncate.",
        ),
        "ESA_SIZE" => say(
            tr!("The file's size becomes {}.", t.b("size")),
            "Size first, pages and blocks after: nobody sees bytes past the end.",
        ),
        "ESA_EXTENDED" => {
            say(tr!("The file grew from {} to {}.", t.n("oldsize"), t.b("size")), "What lies between reads as zeros.")
        }
        "ESA_PAGES" => {
            say("Pages past the new end have left the cache.", "Dirty ones among them are dropped, not written.")
        }
        "ESA_TRUNCATE" => say("The blocks past the end have been freed.", ""),
        "ESA_DIRTY" => say(tr!("{} is dirty.", capital(&t.inode())), ""),
        "ETR_CLOSE" => say(
            "A file cut to nothing is flushed when it is closed.",
            "A habit of programs that replace a file by writing it anew.",
        ),
        "ETR_HANDLE" => say("A handle is open for the truncate.", ""),
        "ETR_TAIL" => {
            say("The tail of the last block is zeroed.", "It may become part of the file again when that grows.")
        }
        "ETR_ORPHAN" => say("The inode is on the orphan list.", ""),
        "ETR_PAS" => say("The inode's preallocations are given back.", ""),
        "ETR_EXTENTS" => {
            if t.failed("err") {
                say(tr!("The extents cannot be cut: {}.", t.result("err")), "")
            } else {
                say(tr!("All extents from block {} on are gone.", t.n("first_block")), "")
            }
        }
        "ETR_DONE" => say("The truncate is complete.", "The inode leaves the orphan list in the same transaction."),
        "TIP_BATCH" => say(tr!("Whole pages from {} on have left the cache.", t.n("start")), ""),
        "TIP_PARTIAL" => say("The page that straddles the end has its tail zeroed.", ""),
        "TIP_WAIT" => say("A page that was busy has been waited for and dropped.", ""),
        _ => None,
    }
}

fn extents(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "EMB_ES" => say(
            tr!("The extent status cache is asked for {}.", blocks(t, "lblk", "len")),
            "A hit saves the walk through the tree.",
        ),
        "EMB_DISK" => say(
            tr!("The extent tree has been searched for {}.", blocks(t, "lblk", "len")),
            "Under i_data_sem, shared: several may look, none may change.",
        ),
        "EMB_LOOKED" => say("The look-up alone is enough.", "Either the blocks are there, or none were to be made."),
        "EMB_CREATE" => {
            if t.failed("ret") {
                say(tr!("Blocks cannot be allocated: {}.", t.result("ret")), "")
            } else {
                say(
                    tr!(
                        "The place of the file's {} begins at {} of the device.",
                        blocks(t, "lblk", "len"),
                        t.n("pblk")
                    ),
                    "Under i_data_sem, alone: the tree changes.",
                )
            }
        }
        "EMB_INSERT" => say("The extent status cache learns of it.", "So the next look-up needs no tree."),
        "EGB_BH" | "EGBU_BH" => say(
            tr!("The buffer of block {} is mapped to block {}.", t.n("iblock"), t.n("pblk")),
            "Without delayed allocation the block is chosen here, in write_begin.",
        ),
        "EEM_FIND" => {
            say(tr!("The tree's path to block {} is found.", t.n("lblk")), "From the root in the inode down to a leaf.")
        }
        "EEM_FOUND" => say(tr!("An extent covers block {}: it lies in block {}.", t.n("lblk"), t.n("pblk")), ""),
        "EEM_HOLE" => say(
            tr!("Block {} lies in a hole.", t.n("lblk")),
            "The hole goes into the status cache, so that it is not searched for again.",
        ),
        "EEM_ALLOC" => {
            say(tr!("The allocator gives {} from {} on.", count(t.v("allocated").max(1), "block"), t.n("pblk")), "")
        }
        "EEM_INSERT" => say("The new extent is in the tree.", ""),
        "EEM_RESERVED" => {
            say("The reservation of these blocks is used up.", "What was promised in write_begin is now a block.")
        }
        "EFE_ROOT" => say(
            "The search starts at the root, in the inode itself.",
            "Up to four entries fit there, so small files have no other node.",
        ),
        "EFE_DOWN" => say(tr!("One level down: node {}.", t.n("node")), "It is read from disk unless it is cached."),
        "EFE_LEAF" => say("The leaf's extents are searched.", "They are sorted, so by halves."),
        "EIE_MERGE" => say(
            "A neighbour grows instead of a new extent.",
            "The blocks lie one behind the other, in the file and on the device.",
        ),
        "EIE_FULL" => say("The leaf is full: room is made for one more extent.", "By a split, or by one more level."),
        "EIE_PUT" => say(tr!("A new extent for {} takes its place.", blocks(t, "block", "len")), ""),
        "EIE_DONE" => say("Indexes are corrected and the leaf is dirty.", ""),
        "EES_BLOCKS" => say(
            "Blocks for the new nodes are allocated.",
            "First all blocks, then the changes: there is no way back after that.",
        ),
        "EES_LEAF" => say("Extents behind the border have moved to the new leaf.", ""),
        "EES_INDEX" => say("The parent points to the new node.", ""),
        "EEG_BLOCK" => say(tr!("Block {} is allocated for a new level.", t.n("newblock")), ""),
        "EEG_COPY" => say(tr!("The root has moved to block {}.", t.n("newblock")), ""),
        "EEG_ROOT" => say("The root is one index now: the tree is a level deeper.", ""),
        "ESE_MARK" => say(tr!("The extent at {} only changes its type.", t.n("block")), ""),
        "ESE_CUT" => say(tr!("The extent at {} now ends before {}.", t.n("block"), t.n("split")), ""),
        "ESE_REST" => say(tr!("From {} on there is an extent of its own.", t.n("split")), ""),
        "ESE_ZERO" => say(
            "There is no room for one more extent, so the unwritten part is zeroed.",
            "Zeros on disk are as good as unwritten.",
        ),
        "HUE_PRE_IO" => say(
            "The unwritten extent is split before its data is written.",
            "So that the conversion afterwards needs no space.",
        ),
        "HUE_CONVERT" => say("The extent becomes written: its data is on disk.", ""),
        "HUE_INITIALIZE" => say("The part that is written becomes an extent of its own.", ""),
        "ERS_SPLIT" => say("The extent that covers the end is split.", ""),
        "ERS_LEAF" => {
            say("Extents of a leaf are removed, from the right.", "A crash in between leaves a valid, longer file.")
        }
        "ERS_EMPTY" => say("The tree is empty: its root is a leaf again.", ""),
        "CUE_MAP" => say(tr!("The unwritten extent of {} from {} on is now written.", t.b("len"), t.n("offset")), ""),
        "DUR_COUNT" => say(
            tr!("The reservation shrinks by {}.", count(t.v("used"), "cluster")),
            "They are allocated now, so they must not be counted twice.",
        ),
        _ => None,
    }
}

fn allocate(t: &Words, probe: &str) -> Option<Said> {
    let free = number(t.m.w.counter(Counter::FreeClusters));
    match probe {
        "MNB_CLAIM" => say(
            tr!("The allocator claims {}; {} clusters are free.", count(t.v("len"), "block"), free),
            "Claimed before searched for, so that no two can be promised the same space. Delayed blocks were claimed in write_begin.",
        ),
        "MNB_PREALLOC" => say(
            if t.v("found") == 0 {
                tr!("No preallocation covers these blocks.")
            } else {
                tr!("A preallocation covers these blocks.")
            },
            "Earlier allocations may have set more aside than they needed.",
        ),
        "MNB_NORMALIZE" => say(
            tr!("The request is {}.", count(t.v("len"), "block")),
            "More is asked for than needed now: a file that grows shall lie in one piece.",
        ),
        "MNB_FOUND" => say("Free blocks have been found.", ""),
        "MRA_GOAL" => say("First the goal itself: the place behind the file's last block.", ""),
        "MRA_SCAN" => say(
            tr!("Group {} is searched, criterion {}.", t.n("group"), t.n("cr")),
            "Each criterion is less choosy than the one before.",
        ),
        "MDU_BITS" => say(
            tr!("Group {} marks {} used, from {} on.", t.n("group"), count(t.v("len"), "cluster"), t.n("start")),
            "Bitmap, free count and checksum change together, in one transaction.",
        ),
        "MDU_DESC" => say("The bitmap and the group's descriptor are in the transaction.", ""),
        "FRB_BITS" => say(
            tr!("Freed: {}.", blocks(t, "block", "count")),
            "They may be allocated again only after the commit: until then a crash could bring the old owner back.",
        ),
        _ => None,
    }
}

fn journal(t: &Words, probe: &str) -> Option<Said> {
    let handle = t.m.task().and_then(|task| t.m.w.handles.get(HandleId(task.0))).copied().unwrap_or_default();
    match probe {
        "STH_FULL" => say("The running transaction is full: a commit is waited for.", ""),
        "STH_JOIN" => say(
            tr!("A handle joins transaction {} with {}.", t.n("tid"), count(u64::from(handle.credits), "credit")),
            "A credit is a block it may change; together they make sure that the log has room.",
        ),
        "JS_STOP" => say(
            tr!("The handle of transaction {} is stopped; it changed {}.", t.n("tid"), count(t.v("dirtied"), "block")),
            "Credits not used go back. The transaction stays open for others.",
        ),
        "JCT_LOCK" => say(
            tr!("The commit of transaction {} begins: it takes no more handles.", t.n("tid")),
            "It waits until the open ones are stopped.",
        ),
        "JCT_REFILE" => say(
            tr!("The buffers of transaction {} may go to their own places.", t.n("tid")),
            "In Linux they are in the log by now; this model writes no log yet, so their own places are the first.",
        ),
        "EMID_UPDATE" => say(
            tr!("Inode {} is written to its buffer in the inode table.", t.n("ino")),
            "The buffer goes with the running transaction; the disk sees it after the commit.",
        ),
        "IGET_CACHED" => say(tr!("Inode {} is in memory already.", t.n("ino")), ""),
        "IGET_READ" => say(tr!("Inode {} is read from the inode table.", t.n("ino")), ""),
        "EVICT_PAGES" => {
            say(tr!("The pages of inode {} leave the cache.", t.n("ino")), "It has no name and no user any more.")
        }
        "EVICT_TRUNCATED" => say(tr!("The blocks of inode {} are freed.", t.n("ino")), ""),
        "ORPHAN_ADD" => say(
            tr!("Inode {} enters the list of orphans.", t.n("ino")),
            "After a crash the next mount finishes what was begun with it.",
        ),
        "ORPHAN_DEL" => say(tr!("Inode {} leaves the list of orphans.", t.n("ino")), ""),
        _ => None,
    }
}

fn names(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "EL_FOUND" => say(
            if t.v("ino") == 0 {
                tr!("The directory has no such name.")
            } else {
                tr!("The name leads to inode {}.", t.n("ino"))
            },
            "",
        ),
        "FE_SEARCH" => say(tr!("Block {} of the directory is searched.", t.n("block")), ""),
        "APPEND_BLOCK" => say("The directory grows by a block.", ""),
        "AE_ENTRY" => say("The name is in the directory's block.", ""),
        "AE_INDEX" => say("The directory gets an index of hashes.", "One block is no longer enough."),
        "AE_SPLIT" => say("A full block is split by hash.", ""),
        "AE_FULL" => say("The index is full.", "Without the feature large_dir it has two levels at most."),
        "AE_NODE" => say("A full block of the index is split.", "The block above it gets an entry for the new half."),
        "AE_LEVEL" => say("The index gets one more level.", "The entries of its root move to a block below."),
        "EC_INODE" => say("A new inode is made for the name.", "Its handle stays open until the name stands."),
        "MKDIR_DONE" => say(
            "The new directory has its first block and its name.",
            "The parent has one more link: the new directory's double dot.",
        ),
        "LINK_DONE" => say("The inode has one more name.", ""),
        "UNLINK_DONE" => say(
            "The name is gone.",
            "The inode lives on while a descriptor is open; without names it becomes an orphan.",
        ),
        "RENAME_FLUSH" => say(
            "The file that takes the other's name starts to be written.",
            "A crash right after must not leave the name with an empty file (auto_da_alloc).",
        ),
        "RENAME_NAMED" => say("The new name leads to the inode.", "Until the old one is gone it has both."),
        "RENAME_DELETED" => say("The old name is gone.", ""),
        "RENAME_DONE" => {
            say("The rename is done.", "Both changes are in one transaction: a crash leaves the one name or the other.")
        }
        "RMDIR_DONE" => say("The directory is gone.", ""),
        "NI_GROUP" => say(
            tr!("Group {} is chosen for the inode.", t.n("group")),
            "Files stay near their directory; directories are spread.",
        ),
        "NI_BIT" => say(tr!("Inode {} is taken in the bitmap.", t.n("ino")), ""),
        "NI_DESC" => say("The group's descriptor counts it.", ""),
        "NI_DONE" => say(tr!("Inode {} is written to its buffer.", t.n("ino")), ""),
        "FI_CLEARED" => say(tr!("Inode {} is free again.", t.n("ino")), ""),
        "DSO_OPEN" => say("The path has been walked and the file opened.", ""),
        "PO_FOUND" => say(
            if t.v("created") == 0 {
                tr!("The last name of the path has been looked up.")
            } else {
                tr!("The last name of the path was not there and has been created.")
            },
            "",
        ),
        "PO_OPENED" => say(
            "The open file is ready.",
            "It has a position of its own, and remembers which writeback errors it has seen.",
        ),
        "DSO_DONE" => say("The descriptor names the open file.", ""),
        "EFO_SAMPLED" => {
            say("The superblock remembers where it is mounted.", "Once for each mount, at the first open.")
        }
        "FC_SHARED" => say("Other descriptors still name the file.", ""),
        "FC_RELEASED" => say("The last descriptor is closed: the open file is gone.", "Dirty pages stay in the cache."),
        _ => None,
    }
}

fn mount(_: &Words, probe: &str) -> Option<Said> {
    match probe {
        "FS_SUPER" => say("The superblock has been read and checked.", ""),
        "FS_GROUPS" => say("The group descriptors fit, and the allocator is ready.", ""),
        "FS_JOURNAL" => say("The journal is loaded.", ""),
        "FS_ROOT" => say("The root directory's inode is in memory.", ""),
        "FS_DONE" => say(
            "The file system is mounted.",
            "The superblock counts one more mount and says that a recovery may be needed.",
        ),
        "CS_WRITTEN" => say("The superblock is on the device.", ""),
        "PS_INODES" => say("All inodes have left memory.", ""),
        "PS_JOURNAL" => say("The journal has committed and is empty.", ""),
        "PS_SYNC" => say("All metadata is at its place.", ""),
        "PS_DONE" => say("The file system is unmounted, its superblock clean.", ""),
        _ => None,
    }
}
