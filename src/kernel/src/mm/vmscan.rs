//! Page reclaim: which pages of files go when memory runs out. Mirrors mm/vmscan.c as a task sees it that reclaims
//! for its own allocation.
//!
//! ```text
//!   try_to_free_pages: priority 12, 11, ... 0, until 32 pages are free
//!     shrink_lruvec: looks at size >> priority pages
//!       inactive: shrink_page_list ─ clean, unused ─> gone, a shadow entry stays
//!                                  ├ used once more ─> inactive again, or active
//!                                  └ dirty, under writeback ─> active, PG_reclaim: first to go once written
//!       active:   shrink_active_list ─> inactive, if that list is too short
//! ```
//!
//! Not modelled: kswapd, cgroups, memory of programs (there is no swap), `too_many_isolated()`, mlock, huge pages, the
//! waits for congested devices; see docs/omissions.md#memory-reclaim.

use sched::Kthread;
use world::{Counter, InodeId, LruList, PageFlags, PageId, World};

use crate::fs::fs_writeback::{Reason, wakeup_flusher_threads};
use crate::mm::filemap::{delete_from_page_cache, put_page, trylock_page, unlock_page};
use crate::mm::page_writeback::ino_of;
use crate::mm::rmap::{page_mapped, page_referenced, try_to_unmap};
use crate::mm::swap::{isolate_lru_pages, putback_lru_page};
use crate::mm::truncate::ext4_releasepage;
use crate::mm::workingset::{workingset_age_nonresident, workingset_eviction};
use crate::trace::call;
use crate::{probe, site};

/// DEF_PRIORITY: the first pass looks at a 4096th of each list.
const DEF_PRIORITY: u32 = 12;
/// SWAP_CLUSTER_MAX: pages that a reclaimer wants, and looks at in a row.
const SWAP_CLUSTER_MAX: u64 = 32;

/// `struct scan_control`, as far as a direct reclaimer changes it.
#[derive(Default)]
struct ScanControl {
    priority: u32,
    nr_reclaimed: u64,
    /// DEACTIVATE_FILE: pages may leave the active list.
    may_deactivate: bool,
    force_deactivate: bool,
    skipped_deactivate: bool,
}

/// `try_to_free_pages()`, mm/vmscan.c:3250, with `do_try_to_free_pages()`: gives how many were freed.
pub async fn try_to_free_pages(kt: &Kthread) -> u64 {
    call!(kt, &site::DO_TRY_TO_FREE_PAGES, &[], async {
        let mut sc = ScanControl::default();
        loop {
            for priority in (0..=DEF_PRIORITY).rev() {
                sc.priority = priority;
                shrink_node(kt, &mut sc).await;
                if sc.nr_reclaimed >= SWAP_CLUSTER_MAX {
                    break;
                }
            }
            // snapshot_refaults()
            kt.with(|w| {
                let seen = w.counter(Counter::WorkingsetActivate);
                if w.counter(Counter::Refaults) != seen {
                    *w.counter_mut(Counter::Refaults) = seen;
                }
            });
            if sc.nr_reclaimed > 0 || !sc.skipped_deactivate {
                return sc.nr_reclaimed;
            }
            (sc.force_deactivate, sc.skipped_deactivate) = (true, false);
            probe!(kt, DTF_FORCE).await;
        }
    })
    .await
}

/// `inactive_is_low()`, mm/vmscan.c:2210: the active list is longer than its share.
#[must_use]
fn inactive_is_low(w: &World) -> bool {
    let (inactive, active) = (w.counter(Counter::InactiveFile), w.counter(Counter::ActiveFile));
    let gib = (inactive + active) >> (30 - 12);
    let inactive_ratio = if gib > 0 { (10 * gib).isqrt() } else { 1 };
    inactive * inactive_ratio < active
}

/// `shrink_node()`, mm/vmscan.c:2681: may pages leave the active list? Then the lists are looked at.
async fn shrink_node(kt: &Kthread, sc: &mut ScanControl) {
    sc.may_deactivate = sc.force_deactivate
        || kt.with(|w| w.counter(Counter::WorkingsetActivate) != w.counter(Counter::Refaults) || inactive_is_low(w));
    shrink_lruvec(kt, sc).await;
}

/// `shrink_lruvec()`, mm/vmscan.c:2441. Without swap `get_scan_count()` leaves the programs' memory alone.
async fn shrink_lruvec(kt: &Kthread, sc: &mut ScanControl) {
    let (mut inactive, mut active) = kt.with(|w| {
        let scan = |list| w.counter(list) >> sc.priority;
        (scan(Counter::InactiveFile), scan(Counter::ActiveFile))
    });
    if inactive == 0 && active == 0 {
        return; // no step: nothing is looked at
    }
    call!(kt, &site::SHRINK_LRUVEC, &[], async {
        probe!(kt, SLV_SCAN, priority = sc.priority, nr_inactive = inactive, nr_active = active).await;
        let mut nr_reclaimed = 0;
        while inactive > 0 || active > 0 {
            let nr_to_scan = inactive.min(SWAP_CLUSTER_MAX);
            if nr_to_scan > 0 {
                inactive -= nr_to_scan;
                nr_reclaimed += shrink_inactive_list(kt, nr_to_scan).await;
            }
            let nr_to_scan = active.min(SWAP_CLUSTER_MAX);
            if nr_to_scan > 0 {
                active -= nr_to_scan;
                if sc.may_deactivate {
                    shrink_active_list(kt, nr_to_scan).await;
                } else {
                    sc.skipped_deactivate = true;
                }
            }
            if nr_reclaimed >= SWAP_CLUSTER_MAX && sc.priority != DEF_PRIORITY {
                break;
            }
        }
        sc.nr_reclaimed += nr_reclaimed;
    })
    .await;
}

/// What `shrink_page_list()` met (`struct reclaim_stat`).
#[derive(Default)]
struct ReclaimStat {
    nr_reclaimed: u64,
    /// Dirty, and nobody has sent it to the disk.
    nr_unqueued_dirty: u64,
}

/// `shrink_inactive_list()`, mm/vmscan.c:1927: looks at pages of the inactive list's tail; gives how many went.
async fn shrink_inactive_list(kt: &Kthread, nr_to_scan: u64) -> u64 {
    call!(kt, &site::SHRINK_INACTIVE_LIST, &[nr_to_scan], async {
        let taken = kt.with(|w| isolate_lru_pages(w, nr_to_scan, LruList::Inactive));
        let nr_taken = taken.len() as u64;
        if taken.is_empty() {
            return 0;
        }
        probe!(kt, SIL_ISOLATE, nr_taken = nr_taken).await;
        let (stat, kept) = shrink_page_list(kt, &taken).await;
        kt.with(|w| move_pages_to_lru(w, &kept));
        probe!(kt, SIL_PUTBACK, nr_reclaimed = stat.nr_reclaimed).await;
        if stat.nr_unqueued_dirty == nr_taken {
            kt.with(|w| wakeup_flusher_threads(w, Reason::Vmscan));
            probe!(kt, SIL_WAKE).await;
        }
        stat.nr_reclaimed
    })
    .await
}

/// `move_pages_to_lru()`, mm/vmscan.c:1855: to the heads of the lists that their flags name; a page that only the
/// isolation held is freed.
fn move_pages_to_lru(w: &mut World, pages: &[PageId]) {
    for &page in pages {
        let head = w.pages.at(page);
        let (active, alive) = (head.flags.contains(PageFlags::ACTIVE), head.refs > 1);
        putback_lru_page(w, page);
        put_page(w, page);
        if active && alive {
            workingset_age_nonresident(w);
        }
    }
}

/// What is to be done with a page that was taken off the inactive list.
enum Look {
    /// Somebody holds its lock.
    Locked,
    /// On its way to the disk.
    Writeback,
    /// Used again: it becomes active.
    Activate,
    /// Used once through a mapping: another round.
    Keep,
    /// It may go; true if it is mapped.
    Reclaim(bool),
}

/// A step of `shrink_page_list()`: what becomes of one page.
macro_rules! fate {
    ($kt:expr, $probe:ident, $at:expr) => {
        probe!($kt, $probe, page = $at.0, ino = $at.1, index = $at.2).await
    };
}
/// `shrink_page_list()`, mm/vmscan.c:1082: the fate of each page. Gives those that stay.
async fn shrink_page_list(kt: &Kthread, pages: &[PageId]) -> (ReclaimStat, Vec<PageId>) {
    let (mut stat, mut kept) = (ReclaimStat::default(), Vec::new());
    call!(kt, &site::SHRINK_PAGE_LIST, &[], async {
        for &page in pages {
            let at = kt.with(|w| (page, ino_of(w, w.pages.at(page).mapping), w.pages.at(page).index));
            match kt.with(|w| look_at(w, page, &mut stat)) {
                Look::Locked => {
                    kept.push(page);
                    fate!(kt, SPL_LOCKED, at);
                    continue;
                }
                Look::Writeback => {
                    kt.with(|w| w.page_mut(page).flags.insert(PageFlags::RECLAIM));
                    activate(kt, page, &mut kept);
                    fate!(kt, SPL_WRITEBACK, at);
                    continue;
                }
                Look::Activate => {
                    activate(kt, page, &mut kept);
                    fate!(kt, SPL_ACTIVATE, at);
                    continue;
                }
                Look::Keep => {
                    keep(kt, page, &mut kept);
                    fate!(kt, SPL_KEEP, at);
                    continue;
                }
                Look::Reclaim(true) => {
                    kt.with(|w| try_to_unmap(w, page));
                    fate!(kt, SPL_UNMAP, at);
                }
                Look::Reclaim(false) => {}
            }
            if kt.with(|w| w.pages.at(page).flags.contains(PageFlags::DIRTY)) {
                // Only kswapd writes pages of files, and it seldom.
                kt.with(|w| w.page_mut(page).flags.insert(PageFlags::RECLAIM));
                activate(kt, page, &mut kept);
                fate!(kt, SPL_DIRTY, at);
                continue;
            }
            if kt.with(|w| w.pages.at(page).nr_bhs > 0 && !ext4_releasepage(w, page)) {
                activate(kt, page, &mut kept);
                fate!(kt, SPL_BUFFERS, at);
                continue;
            }
            if !kt.with(|w| remove_mapping(w, page)) {
                keep(kt, page, &mut kept);
                fate!(kt, SPL_BUSY, at);
                continue;
            }
            stat.nr_reclaimed += 1;
            fate!(kt, SPL_FREE, at);
        }
    })
    .await;
    (stat, kept)
}

/// From the top of the kernel's loop to `page_check_references()`.
fn look_at(w: &mut World, page: PageId, stat: &mut ReclaimStat) -> Look {
    if !trylock_page(w, page) {
        return Look::Locked;
    }
    let flags = w.pages.at(page).flags;
    if flags.contains(PageFlags::WRITEBACK) {
        return Look::Writeback;
    }
    if flags.contains(PageFlags::DIRTY) {
        stat.nr_unqueued_dirty += 1;
    }
    // page_check_references(), mm/vmscan.c:996
    let head = *w.pages.at(page);
    let mapped = head.refs > 2 + u16::from(head.nr_bhs > 0) && page_mapped(w, page);
    let referenced_ptes = if mapped { page_referenced(w, page) } else { 0 };
    let referenced_page = flags.contains(PageFlags::REFERENCED);
    if referenced_ptes > 0 {
        w.page_mut(page).flags.insert(PageFlags::REFERENCED);
        return if referenced_page || referenced_ptes > 1 { Look::Activate } else { Look::Keep };
    }
    if referenced_page {
        w.page_mut(page).flags.remove(PageFlags::REFERENCED);
    }
    Look::Reclaim(mapped)
}

/// `activate_locked:`.
fn activate(kt: &Kthread, page: PageId, kept: &mut Vec<PageId>) {
    kt.with(|w| w.page_mut(page).flags.insert(PageFlags::ACTIVE));
    keep(kt, page, kept);
}

/// `keep_locked:`.
fn keep(kt: &Kthread, page: PageId, kept: &mut Vec<PageId>) {
    kt.with(|w| unlock_page(w, page));
    kept.push(page);
}

/// `__remove_mapping()`, mm/vmscan.c:864: the page leaves its mapping and is freed, unless somebody else holds it or
/// made it dirty, or it was truncated. The page is locked, and unlocked after that.
fn remove_mapping(w: &mut World, page: PageId) -> bool {
    let head = *w.pages.at(page);
    if head.mapping == InodeId::NONE || head.refs != 2 {
        return false;
    }
    let shadow = workingset_eviction(w, page);
    delete_from_page_cache(w, page);
    w.shadow_set((head.mapping, head.index), Some(shadow));
    *w.counter_mut(Counter::IsolatedFile) -= 1;
    unlock_page(w, page);
    put_page(w, page);
    true
}

/// `shrink_active_list()`, mm/vmscan.c:2019: pages of the active list's tail go to the inactive list. That they were
/// used saves only code of programs from it, which is not modelled.
async fn shrink_active_list(kt: &Kthread, nr_to_scan: u64) {
    call!(kt, &site::SHRINK_ACTIVE_LIST, &[nr_to_scan], async {
        let taken = kt.with(|w| isolate_lru_pages(w, nr_to_scan, LruList::Active));
        for &page in &taken {
            kt.with(|w| {
                page_referenced(w, page);
                let flags = &mut w.page_mut(page).flags;
                flags.remove(PageFlags::ACTIVE);
                flags.insert(PageFlags::WORKINGSET);
            });
            probe!(kt, SAL_DEACTIVATE, page = page).await;
        }
        kt.with(|w| move_pages_to_lru(w, &taken));
        probe!(kt, SAL_PUTBACK, nr_taken = taken.len()).await;
    })
    .await;
}
