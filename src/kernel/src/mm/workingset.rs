//! Which pages come back soon after they were reclaimed. Mirrors mm/workingset.c.
//!
//! ```text
//!   eviction: shadow = nonresident_age ──── refault: distance = nonresident_age - shadow
//!                                           at most the active list's length: it would have stayed, had it
//!                                           been there, so it becomes active at once
//! ```
//!
//! Not modelled: the shrinker of shadow entries, cgroups; see docs/omissions.md#memory-reclaim.

use world::{Counter, PageFlags, PageId, Shadow, World};

use crate::mm::swap::memory_is_limited;

/// `workingset_age_nonresident()`, mm/workingset.c.
pub fn workingset_age_nonresident(w: &mut World) {
    *w.counter_mut(Counter::NonresidentAge) += 1;
}

/// `workingset_activation()`, mm/workingset.c: a page became active.
pub fn workingset_activation(w: &mut World) {
    if memory_is_limited(w) {
        workingset_age_nonresident(w);
    }
}

/// `workingset_eviction()`, mm/workingset.c: what the page leaves behind.
#[must_use]
pub fn workingset_eviction(w: &mut World, page: PageId) -> Shadow {
    workingset_age_nonresident(w);
    let workingset = w.pages.at(page).flags.contains(PageFlags::WORKINGSET);
    Shadow { eviction: w.counter(Counter::NonresidentAge), workingset }
}

/// `workingset_refault()`, mm/workingset.c: a page that was reclaimed is read again.
pub fn workingset_refault(w: &mut World, page: PageId, shadow: Shadow) {
    let refault_distance = w.counter(Counter::NonresidentAge) - shadow.eviction;
    if refault_distance > w.counter(Counter::ActiveFile) {
        return;
    }
    let flags = &mut w.page_mut(page).flags;
    flags.insert(PageFlags::ACTIVE);
    if shadow.workingset {
        flags.insert(PageFlags::WORKINGSET);
    }
    workingset_age_nonresident(w);
    *w.counter_mut(Counter::WorkingsetActivate) += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::filemap::add_to_page_cache;
    use crate::mm::testing::FILE;

    /// A page that went when `nonresident_age` was 10 comes back now.
    fn comes_back(age: u64, active_pages: u64, workingset: bool) -> PageFlags {
        let mut w = World::default();
        *w.counter_mut(Counter::PageLimit) = 100;
        *w.counter_mut(Counter::NonresidentAge) = age;
        *w.counter_mut(Counter::ActiveFile) = active_pages;
        w.shadow_set((FILE, 7), Some(Shadow { eviction: 10, workingset }));
        let page = add_to_page_cache(&mut w, FILE, 7);
        assert!(w.shadows.get((FILE, 7)).is_none(), "the page is in its shadow's place");
        w.pages.at(page).flags & (PageFlags::ACTIVE | PageFlags::WORKINGSET)
    }

    #[test]
    fn a_page_that_would_have_stayed_becomes_active() {
        assert_eq!(comes_back(30, 20, false), PageFlags::ACTIVE);
        assert_eq!(comes_back(30, 20, true), PageFlags::ACTIVE | PageFlags::WORKINGSET);
        assert_eq!(comes_back(31, 20, true), PageFlags::empty());
    }
}
