//! Allocations and copies that fail because they were told to. Mirrors
//! lib/fault-inject.c with fail_page_alloc, failslab and fail_usercopy, whose
//! `times` attribute is all that is modelled: the next so many fail.
//!
//! Not modelled: failures anywhere but in a file's page cache and in copies
//! from user memory, see docs/omissions.md#mm.

use world::{Counter, World};

/// `should_fail()`, lib/fault-inject.c:102: true if this one is to fail.
pub fn should_fail(w: &mut World, what: Counter) -> bool {
    let left = w.counter(what);
    if left > 0 {
        *w.counter_mut(what) = left - 1;
    }
    left > 0
}
