//! Memory that fails. Mirrors mm/memory-failure.c for a page of the page cache.
//!
//! Not modelled: pages that are locked or under writeback, which the real one
//! waits for, and the signals to those who map the page; see docs/omissions.md#mm.

use world::{Errno, InodeId, PageFlags, World};

use crate::mm::filemap::{delete_from_page_cache, get_page, put_page, trylock_page, unlock_page};
use crate::mm::truncate::{truncate_cleanup_page, unmap_mapping_pages};
use crate::mm::writeback::mapping_set_error;

/// `memory_failure()`, mm/memory-failure.c:1359: the page at `index` leaves the
/// cache, clean (`me_pagecache_clean()`) or dirty: then its bytes are lost, and
/// the file's next fsync says EIO (`me_pagecache_dirty()`). Whoever holds a
/// reference finds that it belongs to no file any more.
pub fn memory_failure(w: &mut World, inode: InodeId, index: u32) {
    let Some(page) = w.find_page(inode, index) else { return };
    if w.pages.at(page).flags.contains(PageFlags::WRITEBACK) || !trylock_page(w, page) {
        return;
    }
    get_page(w, page);
    unmap_mapping_pages(w, inode, index, index);
    if w.pages.at(page).flags.contains(PageFlags::DIRTY) {
        mapping_set_error(w, inode, Errno::EIO);
    }
    truncate_cleanup_page(w, page);
    delete_from_page_cache(w, page);
    unlock_page(w, page);
    put_page(w, page);
}
