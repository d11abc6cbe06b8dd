//! The LRU lists of file pages. Mirrors mm/swap.c.
//!
//! ```text
//!   lru_cache_add ──> head  inactive  tail ──> shrink_inactive_list
//!                             ^   │ second visit: activate_page
//!       shrink_active_list    │   v
//!                      tail  active  head
//! ```
//!
//! The lists are kept in a run whose memory has a limit; the flags always.
//!
//! Not modelled: pagevecs (a page enters its list at once), the unevictable list, pages of the block device and of
//! programs, see docs/omissions.md#memory-reclaim.

use world::{Counter, InodeId, LruList, LruPlace, PageFlags, PageId, World};

use crate::mm::workingset::workingset_activation;

/// Places begin here, so that there are free ones below for the tail.
const FIRST_PLACE: u64 = 1 << 32;

/// True if memory has a limit: the lists are kept, and allocations may have to reclaim.
#[must_use]
pub fn memory_is_limited(w: &World) -> bool {
    w.counter(Counter::PageLimit) > 0
}

/// The page that a list would lose first.
#[must_use]
pub fn lru_tail(w: &World, list: LruList) -> Option<PageId> {
    w.lru.entries().range((list, 0)..=(list, u64::MAX)).next().map(|(_, &page)| page)
}

fn size_of(list: LruList) -> Counter {
    if list == LruList::Active { Counter::ActiveFile } else { Counter::InactiveFile }
}

/// The list that the page's flags name (`page_lru()`).
fn page_lru(w: &World, page: PageId) -> LruList {
    if w.pages.at(page).flags.contains(PageFlags::ACTIVE) { LruList::Active } else { LruList::Inactive }
}

fn list_add(w: &mut World, page: PageId, seq: u64) {
    let list = page_lru(w, page);
    w.lru_set((list, seq), Some(page));
    *w.lru_place_mut(page) = LruPlace { list, seq };
    *w.counter_mut(size_of(list)) += 1;
}

/// `add_page_to_lru_list()`: at the head.
fn add_page_to_lru_list(w: &mut World, page: PageId) {
    let list = page_lru(w, page);
    let head = w.lru.entries().range((list, 0)..=(list, u64::MAX)).next_back().map(|(&(_, seq), _)| seq);
    list_add(w, page, head.map_or(FIRST_PLACE, |seq| seq + 1));
}

/// `add_page_to_lru_list_tail()`.
fn add_page_to_lru_list_tail(w: &mut World, page: PageId) {
    let list = page_lru(w, page);
    let tail = w.lru.entries().range((list, 0)..=(list, u64::MAX)).next().map(|(&(_, seq), _)| seq);
    list_add(w, page, tail.map_or(FIRST_PLACE, |seq| seq - 1));
}

/// `del_page_from_lru_list()`: nothing if it is on none.
pub fn del_page_from_lru_list(w: &mut World, page: PageId) {
    let place = w.lru_places.get(page).copied().unwrap_or_default();
    if place.list != LruList::None {
        w.lru_set((place.list, place.seq), None);
        *w.lru_place_mut(page) = LruPlace::default();
        *w.counter_mut(size_of(place.list)) -= 1;
    }
}

/// `lru_cache_add()`, mm/swap.c:462: a page of a file enters the list that its flags name.
pub fn lru_cache_add(w: &mut World, page: PageId) {
    let mapping = w.pages.at(page).mapping;
    if memory_is_limited(w) && mapping != InodeId::BDEV && mapping != InodeId::BUDDY {
        add_page_to_lru_list(w, page);
    }
}

/// `activate_page()`, mm/swap.c: to the head of the active list.
fn activate_page(w: &mut World, page: PageId) {
    let listed = w.lru_places.get(page).is_some_and(|place| place.list != LruList::None);
    del_page_from_lru_list(w, page);
    w.page_mut(page).flags.insert(PageFlags::ACTIVE);
    if listed {
        add_page_to_lru_list(w, page);
    }
}

/// `mark_page_accessed()`, mm/swap.c:422: the first visit marks, the second activates.
pub fn mark_page_accessed(w: &mut World, page: PageId) {
    let flags = w.pages.at(page).flags;
    if !flags.contains(PageFlags::REFERENCED) {
        w.page_mut(page).flags.insert(PageFlags::REFERENCED);
    } else if !flags.contains(PageFlags::ACTIVE) {
        activate_page(w, page);
        w.page_mut(page).flags.remove(PageFlags::REFERENCED);
        workingset_activation(w);
    }
}

/// `rotate_reclaimable_page()`, mm/swap.c:265: reclaim came by while the page was dirty; now that it is written it
/// goes to the tail of the inactive list.
pub fn rotate_reclaimable_page(w: &mut World, page: PageId) {
    let listed = w.lru_places.get(page).is_some_and(|place| place.list != LruList::None);
    if listed && !w.pages.at(page).flags.intersects(PageFlags::LOCKED | PageFlags::DIRTY) {
        del_page_from_lru_list(w, page);
        w.page_mut(page).flags.remove(PageFlags::ACTIVE);
        add_page_to_lru_list_tail(w, page);
    }
}

/// `isolate_lru_pages()`, mm/vmscan.c:1660: up to `nr_to_scan` pages leave the list, its tail first; each with one
/// more reference.
pub(super) fn isolate_lru_pages(w: &mut World, nr_to_scan: u64, list: LruList) -> Vec<PageId> {
    let mut taken = Vec::new();
    for _ in 0..nr_to_scan {
        let Some(page) = lru_tail(w, list) else { break };
        del_page_from_lru_list(w, page);
        let head = w.page_mut(page);
        head.flags.remove(PageFlags::LRU);
        head.refs += 1;
        *w.counter_mut(Counter::IsolatedFile) += 1;
        taken.push(page);
    }
    taken
}

/// A page that was isolated has a list again, at its head. The reference of the isolation is still held.
pub(super) fn putback_lru_page(w: &mut World, page: PageId) {
    w.page_mut(page).flags.insert(PageFlags::LRU);
    *w.counter_mut(Counter::IsolatedFile) -= 1;
    add_page_to_lru_list(w, page);
}
