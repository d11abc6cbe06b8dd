//! The page cache and the write loop. Mirrors mm/filemap.c.
//!
//! ```text
//!   cache: (inode, index) ── PageId ── Page { flags, refs, content } ── bytes
//!                                        └─ BufferHead x (4096 / block size)
//! ```

use sched::{Kthread, wake_all};
use world::{Bio, BioVec, Counter, InodeId, PAGE_SIZE, Page, PageFlags, PageId, WaitOn, World};

use crate::fs::buffer::drop_buffers;
use crate::mm::page_writeback::ino_of;
use crate::point;

/// `add_to_page_cache_lru()`: a new page, locked, not uptodate, with two
/// references (the cache's and the caller's).
pub fn add_to_page_cache(w: &mut World, inode: InodeId, index: u32) -> PageId {
    let rec = w.rec;
    let content = w.contents.alloc(rec);
    let page = w.pages.alloc(
        rec,
        Page {
            mapping: inode,
            index,
            flags: PageFlags::PRESENT | PageFlags::LOCKED | PageFlags::LRU,
            refs: 2,
            content,
            ..Page::default()
        },
    );
    w.cache_set((inode, index), Some(page));
    w.size_mut(inode).nrpages += 1;
    *w.counter_mut(Counter::FilePages) += 1;
    point!(w, MM_FILEMAP_ADD, ino_of(w, inode), u64::from(index) * PAGE_SIZE);
    page
}

/// `__delete_from_page_cache()`: the page leaves its mapping; it is freed with
/// its last reference. The page is locked and clean.
pub fn delete_from_page_cache(w: &mut World, page: PageId) {
    let head = *w.pages.at(page);
    point!(w, MM_FILEMAP_DELETE, ino_of(w, head.mapping), u64::from(head.index) * PAGE_SIZE);
    drop_buffers(w, page);
    w.cache_set((head.mapping, head.index), None);
    w.size_mut(head.mapping).nrpages -= 1;
    *w.counter_mut(Counter::FilePages) -= 1;
    let slot = w.page_mut(page);
    slot.mapping = InodeId::NONE;
    slot.flags.remove(PageFlags::TAG_DIRTY | PageFlags::TAG_WRITEBACK | PageFlags::TAG_TOWRITE);
    put_page(w, page);
}

/// `get_page()`.
pub fn get_page(w: &mut World, page: PageId) {
    w.page_mut(page).refs += 1;
}

/// `put_page()`: drops a reference; the last one frees the page.
pub fn put_page(w: &mut World, page: PageId) {
    let head = w.page_mut(page);
    head.refs -= 1;
    if head.refs == 0 {
        let (content, rec) = (head.content, w.rec);
        w.contents.release(rec, content);
        w.pages.release(rec, page);
    }
}

/// `lock_page()`: sleeps while another holds it.
pub async fn lock_page(kt: &Kthread, page: PageId) {
    loop {
        if kt.with(|w| trylock_page(w, page)) {
            return;
        }
        kt.sleep_on(WaitOn::PageLock(page)).await;
    }
}

/// `trylock_page()`: true if the page is now ours.
pub fn trylock_page(w: &mut World, page: PageId) -> bool {
    if w.pages.at(page).flags.contains(PageFlags::LOCKED) {
        return false;
    }
    w.page_mut(page).flags.insert(PageFlags::LOCKED);
    true
}

/// `unlock_page()`.
///
/// # Panics
/// If the page is not locked.
pub fn unlock_page(w: &mut World, page: PageId) {
    assert!(w.pages.at(page).flags.contains(PageFlags::LOCKED), "VM_BUG_ON: unlock of an unlocked page");
    w.page_mut(page).flags.remove(PageFlags::LOCKED);
    wake_all(w, WaitOn::PageLock(page));
}

/// `wait_on_page_writeback()`.
pub async fn wait_on_page_writeback(kt: &Kthread, page: PageId) {
    while kt.with(|w| w.pages.at(page).flags.contains(PageFlags::WRITEBACK)) {
        kt.sleep_on(WaitOn::PageWriteback(page)).await;
    }
}

/// `set_page_writeback()`: mm/page-writeback.c:2788.
pub fn set_page_writeback(w: &mut World, page: PageId, keep_write: bool) {
    let flags = &mut w.page_mut(page).flags;
    flags.insert(PageFlags::WRITEBACK | PageFlags::TAG_WRITEBACK);
    if !flags.contains(PageFlags::DIRTY) {
        flags.remove(PageFlags::TAG_DIRTY);
    }
    if !keep_write {
        flags.remove(PageFlags::TAG_TOWRITE);
    }
    *w.counter_mut(Counter::Writeback) += 1;
    *w.counter_mut(Counter::WbWriteback) += 1;
}

/// `end_page_writeback()`, mm/filemap.c:1477.
pub fn end_page_writeback(w: &mut World, page: PageId) {
    w.page_mut(page).flags.remove(PageFlags::WRITEBACK | PageFlags::TAG_WRITEBACK);
    *w.counter_mut(Counter::Writeback) -= 1;
    *w.counter_mut(Counter::WbWriteback) -= 1;
    *w.counter_mut(Counter::Written) += 1;
    *w.counter_mut(Counter::WbWritten) += 1;
    wake_all(w, WaitOn::PageWriteback(page));
}

/// `mpage_end_io()`: whole pages were read; each becomes uptodate and unlocked.
pub fn end_read_pages(w: &mut World, bio: &Bio, vecs: &[BioVec]) {
    for vec in vecs {
        let flags = &mut w.page_mut(vec.page).flags;
        if bio.error == 0 {
            flags.insert(PageFlags::UPTODATE);
        } else {
            flags.insert(PageFlags::ERROR);
        }
        unlock_page(w, vec.page);
    }
}
