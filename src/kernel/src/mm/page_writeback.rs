//! Dirty accounting and throttling. Mirrors mm/page-writeback.c.

use sched::{Kthread, NSEC_PER_JIFFY};
use world::{Counter, InodeId, PageId, TaskId, World};

use crate::probe;
use crate::site;
use crate::trace::call;

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

/// Set in [`Counter::DirtyLimit`] and [`Counter::DirtyBackground`] if they count bytes, not per cent.
pub const IN_BYTES: u64 = 1 << 63;

/// Pages that may become dirty: `global_dirtyable_memory()`, mm/page-writeback.c:362.
#[must_use]
pub fn global_dirtyable_memory(w: &World) -> u64 {
    w.counter(Counter::MemoryPages) + 1
}

/// `domain_dirty_limits()`, mm/page-writeback.c:392: limit and background
/// threshold, in pages.
#[must_use]
pub fn domain_dirty_limits(w: &World) -> (u64, u64) {
    let available = global_dirtyable_memory(w);
    let pages = |word: u64| {
        if word & IN_BYTES != 0 { (word & !IN_BYTES).div_ceil(4096) } else { word * available / 100 }
    };
    let thresh = pages(w.counter(Counter::DirtyLimit));
    let background = pages(w.counter(Counter::DirtyBackground));
    (thresh, if background >= thresh { thresh / 2 } else { background })
}

/// `balance_dirty_pages_ratelimited()`, mm/page-writeback.c:1899: most calls
/// only compare counters.
///
/// Not modelled yet: `wb->dirty_exceeded` and leaks of exited tasks, which only
/// a throttled task can cause; see docs/omissions.md#throttling.
pub async fn balance_dirty_pages_ratelimited(kt: &Kthread) {
    call!(kt, &site::BALANCE_DIRTY_PAGES_RATELIMITED, &[], async {
        let (nr_dirtied, mut ratelimit) = kt.with(|w| {
            let acct = w.accts.at(kt.task);
            (u64::from(acct.nr_dirtied), u64::from(acct.nr_dirtied_pause))
        });
        probe!(kt, BDR_LIMIT, nr_dirtied = nr_dirtied, ratelimit = ratelimit).await;
        kt.with(|w| {
            if nr_dirtied >= ratelimit {
                *w.counter_mut(Counter::BdpRatelimits) = 0;
            } else if w.counter(Counter::BdpRatelimits) >= w.counter(Counter::RatelimitPages) {
                *w.counter_mut(Counter::BdpRatelimits) = 0;
                ratelimit = 0;
            }
        });
        probe!(kt, BDR_CPU, ratelimit = ratelimit).await;
        if nr_dirtied >= ratelimit {
            probe!(kt, BDR_CALL).await;
            balance_dirty_pages(kt, nr_dirtied).await;
        }
    })
    .await;
}

/// `balance_dirty_pages()`, mm/page-writeback.c:1577, below the free-run line:
/// no pause, and the next check after the square root of what is left.
///
/// Not modelled yet: pauses above the line; there the task checks again at its
/// next page, as the kernel's does with no distance left; see
/// docs/omissions.md#throttling.
async fn balance_dirty_pages(kt: &Kthread, pages_dirtied: u64) {
    call!(kt, &site::BALANCE_DIRTY_PAGES, &[pages_dirtied], async {
        let (dirty, thresh, background) = kt.with(|w| {
            let (thresh, background) = domain_dirty_limits(w);
            (w.counter(Counter::FileDirty) + w.counter(Counter::Writeback), thresh, background)
        });
        probe!(kt, BDP_LIMITS, nr_dirty = dirty, thresh = thresh, bg_thresh = background).await;
        let interval = dirty_poll_interval(dirty, thresh);
        kt.with(|w| {
            let now = w.counter(Counter::Clock) / NSEC_PER_JIFFY;
            let acct = w.acct_mut(kt.task);
            acct.nr_dirtied = 0;
            acct.nr_dirtied_pause = interval;
            acct.dirty_paused_when = now;
        });
        probe!(kt, BDP_FREERUN, intv = interval).await;
    })
    .await;
}

/// `dirty_poll_interval()`, mm/page-writeback.c:1407: pages until the next check.
#[must_use]
pub fn dirty_poll_interval(dirty: u64, thresh: u64) -> u32 {
    if thresh > dirty { 1 << ((thresh - dirty).ilog2() / 2) } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_machine_checks_every_128_pages() {
        let mut w = World::default();
        *w.counter_mut(Counter::MemoryPages) = 110_000;
        *w.counter_mut(Counter::DirtyLimit) = 20;
        *w.counter_mut(Counter::DirtyBackground) = 10;
        let (thresh, background) = domain_dirty_limits(&w);
        assert_eq!((thresh, background), (22_000, 11_000));
        assert_eq!(dirty_poll_interval(32, thresh), 128);
        assert_eq!(dirty_poll_interval(thresh, thresh), 1);
    }
}
