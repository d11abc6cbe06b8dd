//! What happens when there is no free page.

use super::Said;
use super::write::{Words, capital, plural_is, say};
use crate::moment::count;

/// The sentences of a step.
pub(super) fn narrate(t: &Words, probe: &str) -> Option<Said> {
    allocation(t, probe).or_else(|| lists(t, probe)).or_else(|| fate(t, probe))
}

fn allocation(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "GRAB_SHADOW" => say(
            tr!("Page {} is not cached; it was, and a shadow entry is what reclaim left of it.", t.n("index")),
            "A shadow tells a read how long the page has been away; a write only drops it.",
        ),
        "PGP_ACCESSED" => say(
            tr!("{} is cached: it is locked, and marked as used.", capital(&t.page_in("page"))),
            "The second such mark makes a page active: it is spared longer when memory runs out.",
        ),
        "ASP_RECLAIM" => say(
            "No page is free: the task that wants one reclaims some itself.",
            "This is direct reclaim. It may take any file's pages, those that the same call still needs too.",
        ),
        "ASP_PAGE" => say(
            tr!("{} freed: the allocation gets its page.", plural_is(t.v("did_some_progress"), "page")),
            "Reclaim frees some more than one page, so that the next allocations find one.",
        ),
        "ASP_NORETRY" => say(
            "Reclaim freed nothing: this page is not read ahead.",
            "Readahead is a guess, and not worth waiting for memory.",
        ),
        "ASP_WAIT" => say(
            "Nothing could be freed, and most pages wait for the disk: the task sleeps for 100 ms.",
            tr!(
                "Without a page freed in 16 rounds the OOM killer would be next; this is round {}.",
                t.n("no_progress_loops")
            ),
        ),
        "ASP_OOM" => say(
            "Reclaim has given up: the kernel would now kill a process to get its memory.",
            "There is no OOM killer here: the page comes from a reserve.",
        ),
        "DTF_FORCE" => say(
            "Nothing went, but the active list has not been touched: all over again, with it.",
            "Active pages are spared while the inactive list is the longer one.",
        ),
        _ => None,
    }
}

fn lists(t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "SLV_SCAN" => say(
            tr!(
                "Priority {}: {} inactive and {} active pages are to be looked at.",
                t.n("priority"),
                t.n("nr_inactive"),
                t.n("nr_active")
            ),
            "Each pass looks at twice the share of the one before: 1/4096 of a list at 12, all of it at 0.",
        ),
        "SIL_ISOLATE" => say(
            tr!("{} taken off the tail of the inactive list.", plural_is(t.v("nr_taken"), "page")),
            "The tail is what nobody has asked for the longest.",
        ),
        "SIL_PUTBACK" => {
            say(tr!("{} freed; the others go to the heads of their lists.", plural_is(t.v("nr_reclaimed"), "page")), "")
        }
        "SIL_WAKE" => say(
            tr!("All {} were dirty, and nobody is writing them: the flusher is woken.", count(t.v("nr_taken"), "page")),
            "A task that reclaims for itself never writes a file's pages: that is left to the flusher.",
        ),
        "SAL_DEACTIVATE" => say(
            tr!("{} leaves the active list for the inactive one.", capital(&t.page_in("page"))),
            "It has been used twice at some time; unless it is used again, it may go.",
        ),
        "SAL_PUTBACK" => say(
            tr!("{} moved to the inactive list.", plural_is(t.v("nr_taken"), "page")),
            "Only while the inactive list is the shorter one, or when pages come back soon after they went.",
        ),
        _ => None,
    }
}

fn fate(t: &Words, probe: &str) -> Option<Said> {
    let page = || tr!("Page {} of inode {}", t.n("index"), t.n("ino"));
    match probe {
        "SPL_LOCKED" => say(tr!("{} is locked: it stays.", page()), "Somebody works on it; reclaim does not wait."),
        "SPL_WRITEBACK" => say(
            tr!("{} is on its way to the disk: it becomes active, out of the way.", page()),
            "PG_reclaim sends it to the tail of the inactive list when it has been written.",
        ),
        "SPL_ACTIVATE" => say(
            tr!("{} was used more than once: it becomes active.", page()),
            "Two uses are taken as a sign that there will be a third.",
        ),
        "SPL_KEEP" => say(
            tr!("{} is mapped and was used: it is spared once.", page()),
            "The mark of the page table entry is cleared; if it is set again by the next look, the page becomes active.",
        ),
        "SPL_UNMAP" => say(
            tr!("{} is taken out of the page tables.", page()),
            "The program does not notice: its next use of the page is a page fault.",
        ),
        "SPL_DIRTY" => say(
            tr!("{} is dirty: it becomes active, to come back once it is written.", page()),
            "A task that reclaims for itself does not write pages of files.",
        ),
        "SPL_BUFFERS" => say(
            tr!("{} is clean, but its buffers are in use: it becomes active.", page()),
            "The journal holds them, or one of them is dirty.",
        ),
        "SPL_BUSY" => say(
            tr!("{} is held by somebody else: it stays.", page()),
            "Only what the cache and reclaim alone hold can be freed.",
        ),
        "SPL_FREE" => say(
            tr!("{} is clean and unused: it goes, and leaves a shadow entry.", page()),
            "Its bytes are on the disk; a later read gets them from there.",
        ),
        _ => None,
    }
}
