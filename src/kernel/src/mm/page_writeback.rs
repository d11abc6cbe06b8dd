//! Dirty accounting and throttling. Mirrors mm/page-writeback.c.

use world::{Counter, InodeId, PageId, TaskId, World};

/// `account_page_dirtied()`, mm/page-writeback.c:2442.
pub fn account_page_dirtied(w: &mut World, page: PageId) {
    let head = *w.pages.at(page);
    crate::point!(w, WRITEBACK_DIRTY_PAGE, ino_of(w, head.mapping), head.index);
    for counter in
        [Counter::FileDirty, Counter::Dirtied, Counter::WbReclaimable, Counter::WbDirtied, Counter::BdpRatelimits]
    {
        *w.counter_mut(counter) += 1;
    }
    let current = w.current;
    if current != TaskId::NONE {
        w.acct_mut(current).nr_dirtied += 1;
    }
}

/// `clear_page_dirty_for_io()`'s accounting: the page leaves the dirty count.
pub fn account_page_cleaned(w: &mut World) {
    *w.counter_mut(Counter::FileDirty) -= 1;
    *w.counter_mut(Counter::WbReclaimable) -= 1;
}

/// Inode number of a mapping, as traces print it; 0 for the block device.
#[must_use]
pub fn ino_of(w: &World, inode: InodeId) -> u64 {
    w.inodes.get(inode).map_or(0, |i| u64::from(i.ino))
}
