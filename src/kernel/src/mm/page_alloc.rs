//! A page of memory, and what happens when there is none. Mirrors the slow path of mm/page_alloc.c.
//!
//! Only a run whose memory has a limit comes here. Free is what file data and programs do not use of it.
//!
//! Not modelled: zones and watermarks, kswapd, compaction, and the OOM killer: where it would choose a victim, the
//! page comes from a reserve; see docs/omissions.md#memory-reclaim.

use sched::Kthread;
use world::{Counter, World};

use crate::mm::backing_dev::{nr_file_dirty, nr_writeback};
use crate::mm::swap::memory_is_limited;
use crate::mm::vmscan::try_to_free_pages;
use crate::trace::call;
use crate::{probe, site};

/// MAX_RECLAIM_RETRIES: rounds without a page freed before the OOM killer.
const MAX_RECLAIM_RETRIES: u32 = 16;
/// HZ / 10: how long a reclaimer that got nothing waits for the disk.
const CONGESTION_WAIT_NS: u64 = 100_000_000;

/// Pages of the file lists, looked at or not.
fn file_pages(w: &World) -> u64 {
    [Counter::InactiveFile, Counter::ActiveFile, Counter::IsolatedFile].iter().map(|&count| w.counter(count)).sum()
}

fn no_page_is_free(w: &World) -> bool {
    memory_is_limited(w) && file_pages(w) + w.counter(Counter::UserPages) >= w.counter(Counter::PageLimit)
}

/// `alloc_pages()` for one page that the caller then adds to a file's cache or to a program: reclaims first, if none
/// is free. May sleep.
pub async fn alloc_page(kt: &Kthread) {
    if kt.with(|w| no_page_is_free(w)) {
        Box::pin(alloc_pages_slowpath(kt, false)).await;
    }
}

/// The same with __GFP_NORETRY, for a page that is read ahead: false if one reclaim freed none.
pub async fn alloc_page_noretry(kt: &Kthread) -> bool {
    !kt.with(|w| no_page_is_free(w)) || Box::pin(alloc_pages_slowpath(kt, true)).await
}

/// A program has got a page, or given one back.
pub fn count_user_page(w: &mut World, got: bool) {
    if memory_is_limited(w) {
        let count = w.counter_mut(Counter::UserPages);
        *count = if got { *count + 1 } else { count.saturating_sub(1) };
    }
}

/// `__alloc_pages_slowpath()`, mm/page_alloc.c:4643: false if there is no page.
async fn alloc_pages_slowpath(kt: &Kthread, noretry: bool) -> bool {
    call!(kt, &site::ALLOC_PAGES_SLOWPATH, &[], async {
        let mut no_progress_loops = 0;
        loop {
            probe!(kt, ASP_RECLAIM).await;
            let progress = try_to_free_pages(kt).await;
            if !kt.with(|w| no_page_is_free(w)) {
                probe!(kt, ASP_PAGE, did_some_progress = progress).await;
                return true;
            }
            if noretry {
                probe!(kt, ASP_NORETRY, did_some_progress = progress).await;
                return false;
            }
            // should_reclaim_retry()
            no_progress_loops = if progress > 0 { 0 } else { no_progress_loops + 1 };
            let (reclaimable, write_pending) = kt.with(|w| (file_pages(w), nr_file_dirty(w) + nr_writeback(w)));
            if no_progress_loops > MAX_RECLAIM_RETRIES || reclaimable == 0 {
                probe!(kt, ASP_OOM, did_some_progress = progress, no_progress_loops = no_progress_loops).await;
                return true;
            }
            if progress == 0 && 2 * write_pending > reclaimable {
                probe!(kt, ASP_WAIT, did_some_progress = progress, no_progress_loops = no_progress_loops).await;
                kt.sleep_for(CONGESTION_WAIT_NS).await;
            }
        }
    })
    .await
}
