//! Dirty accounting and throttling. Mirrors mm/page-writeback.c.
//!
//! ```text
//!   clean -> dirty: NR_FILE_DIRTY, WB_RECLAIMABLE, the task's nr_dirtied, the CPU's bdp_ratelimits
//!                                                        └── either full: balance_dirty_pages
//!   limits:  0 ── background ── free-run line ── setpoint ── limit
//!                 flusher        nobody pauses     pauses      no progress
//! ```
//!
//! | module | what |
//! |---|---|
//! | `limits` | thresholds, the device's part of them, position ratio |
//! | `rates` | bandwidth and rate limit as measured |
//! | `sysctl` | vm.dirty_* |
//! | `balance` | who checks when, and who pauses how long |
//!
//! Not modelled: memory cgroups, see docs/omissions.md#throttling.

mod balance;
mod limits;
mod rates;
mod sysctl;

use world::{Counter, InodeId, PageFlags, PageId, TaskId, WaitOn, World};

pub use balance::{balance_dirty_pages_ratelimited, dirty_poll_interval, fair_period, task_exit};
pub use limits::{Limits, domain_dirty_limits, global_dirtyable_memory, limits_of, rt_task, wb_over_bg_thresh};
pub use rates::wb_update_bandwidth;
pub use sysctl::{page_writeback_init, vm_sysctl};

use crate::flex_proportions::wb_domain_writeout_inc;
use crate::mm::backing_dev::{mod_file_dirty, mod_wb_reclaimable, mod_wb_writeback, mod_writeback};
use crate::mm::swap::rotate_reclaimable_page;
use crate::point;
use crate::trace::Graph as _;

/// `account_page_dirtied()`, mm/page-writeback.c:2442.
pub fn account_page_dirtied(w: &mut World, page: PageId) {
    let head = *w.pages.at(page);
    point!(w, WRITEBACK_DIRTY_PAGE, ino_of(w, head.mapping), head.index);
    mod_file_dirty(w, 1);
    mod_wb_reclaimable(w, 1);
    for counter in [Counter::Dirtied, Counter::WbDirtied, Counter::BdpRatelimits] {
        *w.counter_mut(counter) += 1;
    }
    let current = w.current;
    if current != TaskId::NONE {
        w.acct_mut(current).nr_dirtied += 1;
    }
}

/// `clear_page_dirty_for_io()`'s accounting: the page leaves the dirty count.
pub fn account_page_cleaned(w: &mut World) {
    mod_file_dirty(w, -1);
    mod_wb_reclaimable(w, -1);
}

/// `__test_set_page_writeback()`, mm/page-writeback.c:2788. Tags first, then
/// the counts; the mapping's first page puts the inode on the list of those
/// that sync(2) waits for.
pub fn set_page_writeback(w: &mut World, page: PageId, keep_write: bool) {
    w.graph("__test_set_page_writeback");
    let flags = &mut w.page_mut(page).flags;
    flags.insert(PageFlags::WRITEBACK | PageFlags::TAG_WRITEBACK);
    if !flags.contains(PageFlags::DIRTY) {
        flags.remove(PageFlags::TAG_DIRTY);
    }
    if !keep_write {
        flags.remove(PageFlags::TAG_TOWRITE);
    }
    mod_wb_writeback(w, 1);
    mod_writeback(w, 1);
    let inode = w.pages.at(page).mapping;
    let wb = w.wb_mut(inode);
    wb.writeback += 1;
    if wb.writeback == 1 {
        let head = *w.inodes.at(inode);
        point!(w, SB_MARK_INODE_WRITEBACK, head.ino, head.state.bits(), head.mode);
    }
}

/// `test_clear_page_writeback()`, mm/page-writeback.c:2744, and the waking of
/// `end_page_writeback()`, mm/filemap.c:1477.
pub fn end_page_writeback(w: &mut World, page: PageId) {
    w.graph("end_page_writeback { test_clear_page_writeback }");
    if w.pages.at(page).flags.contains(PageFlags::RECLAIM) {
        w.page_mut(page).flags.remove(PageFlags::RECLAIM);
        rotate_reclaimable_page(w, page);
    }
    let inode = w.pages.at(page).mapping;
    if inode.is_some() {
        let wb = w.wb_mut(inode);
        wb.writeback -= 1;
        if wb.writeback == 0 {
            let head = *w.inodes.at(inode);
            point!(w, SB_CLEAR_INODE_WRITEBACK, head.ino, head.state.bits(), head.mode);
        }
    }
    w.page_mut(page).flags.remove(PageFlags::WRITEBACK | PageFlags::TAG_WRITEBACK);
    mod_wb_writeback(w, -1);
    mod_writeback(w, -1);
    // __wb_writeout_inc()
    *w.counter_mut(Counter::WbWritten) += 1;
    wb_domain_writeout_inc(w);
    *w.counter_mut(Counter::Written) += 1;
    sched::wake_all(w, WaitOn::PageWriteback(page));
}

/// Inode number of a mapping, as traces print it; 0 for the block device.
#[must_use]
pub fn ino_of(w: &World, inode: InodeId) -> u64 {
    w.inodes.get(inode).map_or(0, |i| u64::from(i.ino))
}
