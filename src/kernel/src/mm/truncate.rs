//! Dropping cached pages. Mirrors mm/truncate.c, with `block_invalidatepage()`
//! of fs/buffer.c and ext4's `invalidatepage` and `releasepage`.
//!
//! Not modelled: large pages; see docs/omissions.md#mm.

use sched::Kthread;
use world::{BhFlags, InodeId, PAGE_SIZE, PageFlags, PageId, Pte, World};

use crate::fs::buffer::{block_size, drop_buffers};
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::jbd2::transaction::jbd2_journal_forget;
use crate::fs::splice::FIRST_PIPE;
use crate::mm::filemap::{
    delete_from_page_cache, get_page, lock_page, put_page, trylock_page, unlock_page, wait_on_page_writeback,
};
use crate::mm::memory::buffer_address;
use crate::mm::page_writeback::{account_page_cleaned, ino_of};
use crate::mm::swap::mark_page_accessed;
use crate::mm::writeback::{page_mkclean, set_page_dirty_buffers};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// PAGEVEC_SIZE: pages dropped at once.
const PAGEVEC_SIZE: usize = 15;

/// `pagecache_isize_extended()`, mm/truncate.c:882: `i_size` grew from `from`
/// to `to`; the page that held the old end must fault again before a store
/// through a mapping, so that its new blocks get a reservation.
pub fn pagecache_isize_extended(w: &mut World, inode: InodeId, from: u64, to: u64) {
    w.graph("pagecache_isize_extended");
    let block = block_size(w);
    if from >= to || block == PAGE_SIZE {
        return;
    }
    let rounded_from = from.div_ceil(block) * block;
    if to <= rounded_from || rounded_from.is_multiple_of(PAGE_SIZE) {
        return;
    }
    let index = u32::try_from(from / PAGE_SIZE).expect("page indices fit");
    if let Some(page) = w.find_page(inode, index) {
        // Not modelled: the page lock around it; this side cannot sleep.
        if page_mkclean(w, page) {
            set_page_dirty_buffers(w, page);
        }
    }
}

/// `block_invalidatepage()`, fs/buffer.c:1501: buffers that lie wholly inside
/// forget their block; a whole page loses its buffers.
pub fn block_invalidatepage(w: &mut World, page: PageId, offset: u64, length: u64) {
    w.graph("block_invalidatepage {");
    forget_buffers(w, page, offset, length);
    w.graph("}");
}

fn forget_buffers(w: &mut World, page: PageId, offset: u64, length: u64) {
    if w.pages.at(page).nr_bhs == 0 {
        return;
    }
    for bh in w.page_bhs(page) {
        let head = *w.bhs.at(bh);
        let (start, end) = (u64::from(head.offset), u64::from(head.offset) + u64::from(head.size));
        if end > offset + length {
            return;
        }
        if offset <= start {
            // discard_buffer()
            w.bh_mut(bh)
                .flags
                .remove(BhFlags::DIRTY | BhFlags::MAPPED | BhFlags::NEW | BhFlags::DELAY | BhFlags::UNWRITTEN);
        }
    }
    if length == PAGE_SIZE {
        ext4_releasepage(w, page);
    }
}

/// `ext4_invalidatepage()`, fs/ext4/inode.c:3331.
pub fn ext4_invalidatepage(w: &mut World, page: PageId, offset: u64, length: u64) {
    let head = *w.pages.at(page);
    w.graph("ext4_invalidatepage {");
    point!(w, EXT4_INVALIDATEPAGE, ino_of(w, head.mapping), head.index, offset, length);
    block_invalidatepage(w, page, offset, length);
    w.graph("}");
}

/// `ext4_journalled_invalidatepage()`, fs/ext4/inode.c:3357: the journal forgets
/// the buffers that lie wholly inside.
fn ext4_journalled_invalidatepage(w: &mut World, page: PageId, offset: u64, length: u64) {
    let head = *w.pages.at(page);
    point!(w, EXT4_JOURNALLED_INVALIDATEPAGE, ino_of(w, head.mapping), head.index, offset, length);
    if length == PAGE_SIZE {
        w.page_mut(page).flags.remove(PageFlags::CHECKED);
    }
    for bh in w.page_bhs(page) {
        let head = *w.bhs.at(bh);
        let (start, end) = (u64::from(head.offset), u64::from(head.offset) + u64::from(head.size));
        if start < offset || end > offset + length {
            continue;
        }
        jbd2_journal_forget(w, bh);
        w.bh_mut(bh).flags.remove(BhFlags::MAPPED | BhFlags::NEW | BhFlags::DELAY | BhFlags::UNWRITTEN);
    }
    if length == PAGE_SIZE {
        drop_buffers(w, page);
        cancel_dirty_page(w, page);
    }
}

/// `ext4_releasepage()`, fs/ext4/inode.c:3367: true if the page's buffers are gone.
pub fn ext4_releasepage(w: &mut World, page: PageId) -> bool {
    let head = *w.pages.at(page);
    w.graph("ext4_releasepage { jbd2_journal_try_to_free_buffers {");
    (0..if world::GRAPHS { head.nr_bhs } else { 0 }).for_each(|_| w.graph("jbd2_journal_grab_journal_head"));
    w.graph("try_to_free_buffers } }");
    point!(w, EXT4_RELEASEPAGE, ino_of(w, head.mapping), head.index);
    if head.flags.contains(PageFlags::CHECKED) {
        return false;
    }
    // try_to_free_buffers()
    let busy = BhFlags::DIRTY | BhFlags::LOCK | BhFlags::JBDDIRTY | BhFlags::ASYNC_WRITE;
    if w.page_bhs(page).any(|bh| w.bhs.at(bh).flags.intersects(busy)) {
        return false;
    }
    drop_buffers(w, page);
    cancel_dirty_page(w, page);
    true
}

/// `cancel_dirty_page()`: the page is clean without having been written.
fn cancel_dirty_page(w: &mut World, page: PageId) {
    if w.pages.at(page).flags.contains(PageFlags::DIRTY) {
        w.page_mut(page).flags.remove(PageFlags::DIRTY);
        account_page_cleaned(w);
    }
}

/// `truncate_cleanup_page()`, mm/truncate.c:175.
pub(super) fn truncate_cleanup_page(w: &mut World, page: PageId) {
    if w.pages.at(page).nr_bhs > 0 {
        invalidate(w, page, 0, PAGE_SIZE);
    }
    cancel_dirty_page(w, page);
}

fn invalidate(w: &mut World, page: PageId, offset: u64, length: u64) {
    if w.pages.at(page).mapping == InodeId::BDEV {
        block_invalidatepage(w, page, offset, length);
    } else if ext4_should_journal_data(w, w.pages.at(page).mapping) {
        ext4_journalled_invalidatepage(w, page, offset, length);
    } else {
        ext4_invalidatepage(w, page, offset, length);
    }
}

/// `unmap_mapping_pages()`: page table entries of pages `from..=to` of the inode go.
pub fn unmap_mapping_pages(w: &mut World, inode: InodeId, from: u32, to: u32) {
    let gone: Vec<((u8, u64), PageId)> = w
        .ptes
        .entries()
        .iter()
        .filter_map(|(&key, pte)| match *pte {
            Pte::Cache { page, .. } => Some((key, page)),
            Pte::Own { .. } => None,
        })
        .filter(|&(_, page)| {
            let head = w.pages.at(page);
            head.mapping == inode && (from..=to).contains(&head.index)
        })
        .filter(|&((_, number), _)| number < buffer_address(FIRST_PIPE, 0) / PAGE_SIZE) // a pipe keeps its pages
        .collect();
    for (key, page) in gone {
        if let Some(Pte::Cache { young: true, .. }) = w.ptes.get(key) {
            mark_page_accessed(w, page); // zap_pte_range()
        }
        w.pte_set(key, None);
        put_page(w, page);
    }
}

fn cached_pages(w: &World, inode: InodeId, from: u64, end: u64, at_most: usize) -> Vec<PageId> {
    let (Ok(from), Some(last)) = (u32::try_from(from), end.checked_sub(1)) else { return Vec::new() };
    let last = u32::try_from(last).unwrap_or(u32::MAX);
    if from > last {
        return Vec::new();
    }
    w.cache.entries().range((inode, from)..=(inode, last)).take(at_most).map(|(_, &page)| page).collect()
}

/// `clear_shadow_entry()`, mm/truncate.c:46: those of pages `start..end`, or to the end of every file.
fn clear_shadow_entries(w: &mut World, inode: InodeId, start: u64, end: Option<u64>) {
    let index = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
    let (start, end) = (index(start), end.map_or(u32::MAX, index));
    let shadows = w.shadows.entries().range((inode, start)..=(inode, u32::MAX));
    let gone: Vec<_> = shadows.map(|(&key, _)| key).take_while(|key| key.1 < end || end == u32::MAX).collect();
    gone.into_iter().for_each(|key| w.shadow_set(key, None));
}

/// `truncate_inode_pages_range()`, mm/truncate.c:288: drops the pages that lie
/// wholly inside bytes `lstart..lend`, without writing them, and zeroes the
/// parts of the pages at the ends. `lend` is `None` for the end of every file.
pub async fn truncate_inode_pages_range(kt: &Kthread, inode: InodeId, lstart: u64, lend: Option<u64>) {
    kt.with(|w| clear_shadow_entries(w, inode, lstart.div_ceil(PAGE_SIZE), lend.map(|end| end / PAGE_SIZE)));
    if kt.with(|w| w.sizes.at(inode).nrpages == 0) {
        return;
    }
    call!(
        kt,
        &site::TRUNCATE_INODE_PAGES_RANGE,
        &[lstart],
        Box::pin(async {
            let (partial_start, mut partial_end) = (lstart % PAGE_SIZE, lend.map_or(0, |end| end % PAGE_SIZE));
            let start = lstart.div_ceil(PAGE_SIZE);
            let end = lend.map_or(u64::from(u32::MAX) + 1, |end| end / PAGE_SIZE);
            let mut index = start;
            loop {
                let pages = kt.with(|w| cached_pages(w, inode, index, end, PAGEVEC_SIZE));
                let Some(&last) = pages.last() else { break };
                kt.with(|w| {
                    index = u64::from(w.pages.at(last).index) + 1;
                    drop_batch(w, inode, &pages);
                });
                probe!(kt, TIP_BATCH, start = start).await;
            }
            if partial_start > 0 {
                let mut top = PAGE_SIZE;
                if start > end {
                    (top, partial_end) = (partial_end, 0);
                }
                zero_partial(kt, inode, start - 1, partial_start, top).await;
            }
            if partial_end > 0 {
                zero_partial(kt, inode, end, 0, partial_end).await;
            }
            // Those that were locked or under writeback the first time.
            while let Some(&page) = kt.with(|w| cached_pages(w, inode, start, end, 1)).first() {
                probe!(kt, TIP_WAIT, page = page).await;
                kt.with(|w| get_page(w, page));
                lock_page(kt, page).await;
                wait_on_page_writeback(kt, page).await;
                kt.with(|w| {
                    if w.pages.at(page).mapping == inode {
                        truncate_cleanup_page(w, page);
                        delete_from_page_cache(w, page);
                    }
                    unlock_page(w, page);
                    put_page(w, page);
                });
            }
        }),
    )
    .await;
}

/// Up to 15 pages: those neither locked nor under writeback are dropped.
fn drop_batch(w: &mut World, inode: InodeId, pages: &[PageId]) {
    let mut locked = Vec::with_capacity(pages.len());
    for &page in pages {
        if !trylock_page(w, page) {
            continue;
        }
        let head = w.pages.at(page);
        if head.flags.contains(PageFlags::WRITEBACK) || head.mapping != inode {
            unlock_page(w, page);
            continue;
        }
        get_page(w, page); // the pagevec's
        locked.push(page);
    }
    for &page in &locked {
        truncate_cleanup_page(w, page);
    }
    w.graph("delete_from_page_cache_batch");
    for &page in &locked {
        delete_from_page_cache(w, page);
    }
    for &page in &locked {
        unlock_page(w, page);
        put_page(w, page);
    }
}

async fn zero_partial(kt: &Kthread, inode: InodeId, index: u64, from: u64, to: u64) {
    let Some(page) = u32::try_from(index).ok().and_then(|index| kt.with(|w| w.find_page(inode, index))) else { return };
    kt.with(|w| get_page(w, page));
    lock_page(kt, page).await;
    if kt.with(|w| w.pages.at(page).mapping == inode) {
        probe!(kt, TIP_PARTIAL, page = page).await;
        wait_on_page_writeback(kt, page).await;
        kt.with(|w| {
            let (content, rec) = (w.pages.at(page).content, w.rec);
            let len = usize::try_from(to - from).expect("at most a page");
            w.contents.range_mut(rec, content, from as usize, len).fill(0);
            if w.pages.at(page).nr_bhs > 0 {
                invalidate(w, page, from, to - from);
            }
        });
    }
    kt.with(|w| {
        unlock_page(w, page);
        put_page(w, page);
    });
}

/// `truncate_inode_pages()`: everything from byte `lstart` on.
pub async fn truncate_inode_pages(kt: &Kthread, inode: InodeId, lstart: u64) {
    truncate_inode_pages_range(kt, inode, lstart, None).await;
}

/// `truncate_pagecache()`, mm/truncate.c:819: page tables, pages, and page
/// tables again (a private copy may have been made meanwhile).
pub async fn truncate_pagecache(kt: &Kthread, inode: InodeId, newsize: u64) {
    let hole = u32::try_from(newsize.div_ceil(PAGE_SIZE)).unwrap_or(u32::MAX);
    let unmap_mapping_range = |w: &mut World| {
        w.graph("unmap_mapping_range { unmap_mapping_pages }");
        unmap_mapping_pages(w, inode, hole, u32::MAX);
    };
    kt.graph("truncate_pagecache {");
    kt.with(unmap_mapping_range);
    truncate_inode_pages(kt, inode, newsize).await;
    kt.with(unmap_mapping_range);
    kt.graph("}");
}

/// `truncate_pagecache_range()`, mm/truncate.c:929: bytes `start..end`, whole
/// pages with their page table entries.
pub async fn truncate_pagecache_range(kt: &Kthread, inode: InodeId, start: u64, end: u64) {
    let (first, behind) = (start.div_ceil(PAGE_SIZE), end / PAGE_SIZE);
    kt.graph("truncate_pagecache_range {");
    if behind > first {
        let index = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
        kt.with(|w| {
            w.graph("unmap_mapping_range { unmap_mapping_pages }");
            unmap_mapping_pages(w, inode, index(first), index(behind - 1));
        });
    }
    truncate_inode_pages_range(kt, inode, start, Some(end)).await;
    kt.graph("}");
}

/// `invalidate_inode_pages2_range()`, mm/truncate.c:680: drops clean pages
/// `from..=to`; false if one of them could not go.
pub async fn invalidate_inode_pages2_range(kt: &Kthread, inode: InodeId, from: u32, to: u32) -> bool {
    let mut all = true;
    kt.with(|w| clear_shadow_entries(w, inode, from.into(), Some(u64::from(to) + 1)));
    kt.graph("invalidate_inode_pages2_range {");
    let pages = kt.with(|w| cached_pages(w, inode, u64::from(from), u64::from(to) + 1, usize::MAX));
    for page in pages {
        kt.with(|w| get_page(w, page));
        lock_page(kt, page).await;
        if kt.with(|w| w.pages.at(page).mapping == inode) {
            wait_on_page_writeback(kt, page).await;
            kt.with(|w| {
                let index = w.pages.at(page).index;
                unmap_mapping_pages(w, inode, index, index);
                let buffers_gone = w.pages.at(page).nr_bhs == 0 || ext4_releasepage(w, page);
                if buffers_gone && !w.pages.at(page).flags.contains(PageFlags::DIRTY) {
                    delete_from_page_cache(w, page);
                } else {
                    all = false;
                }
            });
        }
        kt.with(|w| {
            unlock_page(w, page);
            put_page(w, page);
        });
    }
    kt.graph("}");
    all
}

/// Drops all clean, unused pages of an inode (`invalidate_mapping_pages()`), as
/// at umount and for an empty cache before a test.
pub fn invalidate_mapping_pages(w: &mut World, inode: InodeId) {
    invalidate_mapping_pages_range(w, inode, 0, u32::MAX);
}

/// The same for pages `from..=to`.
pub fn invalidate_mapping_pages_range(w: &mut World, inode: InodeId, from: u32, to: u32) {
    clear_shadow_entries(w, inode, from.into(), Some(u64::from(to) + 1));
    let busy = PageFlags::DIRTY | PageFlags::WRITEBACK | PageFlags::LOCKED;
    for page in cached_pages(w, inode, from.into(), u64::from(to) + 1, usize::MAX) {
        let head = *w.pages.at(page);
        let buffers = w.page_bhs(page).any(|bh| w.bhs.at(bh).flags.intersects(BhFlags::DIRTY | BhFlags::JBDDIRTY));
        let users = 1 + u16::from(head.nr_bhs > 0);
        if head.flags.intersects(busy) || buffers || head.refs > users {
            continue;
        }
        w.page_mut(page).flags.insert(PageFlags::LOCKED);
        get_page(w, page);
        delete_from_page_cache(w, page);
        unlock_page(w, page);
        put_page(w, page);
    }
}

#[cfg(test)]
mod tests {
    use world::Counter;

    use super::*;
    use crate::mm::testing::{FILE, assert_clean, dirty_page, run, world};

    #[test]
    fn pages_behind_the_new_end_go_unwritten_and_the_tail_is_zeroed() {
        let mut w = world(10, 0);
        w.size_mut(FILE).i_size = 20 * 4096;
        let mapped = [Some(1), Some(2), Some(3), Some(4)];
        let kept = dirty_page(&mut w, 0, 5, &mapped);
        for index in 1..20 {
            dirty_page(&mut w, index, 6, &mapped);
        }
        let (machine, ()) = run(w, |kt| async move { truncate_pagecache(&kt, FILE, 1500).await });
        machine.with(|w| {
            assert_eq!((w.sizes.at(FILE).nrpages, w.counter(Counter::FilePages)), (1, 1));
            assert_eq!((w.counter(Counter::FileDirty), w.counter(Counter::DeviceBytesWritten)), (1, 0));
            assert_eq!((w.page_bytes(kept)[1499], w.page_bytes(kept)[1500]), (5, 0));
            let states: Vec<bool> =
                w.page_bhs(kept).map(|bh| w.bhs.at(bh).flags.contains(BhFlags::MAPPED | BhFlags::DIRTY)).collect();
            assert_eq!(states, [true, true, false, false], "whole blocks behind the end are forgotten");
        });
    }

    #[test]
    fn a_page_under_writeback_is_waited_for() {
        let mut w = world(12, 20_000_000);
        w.size_mut(FILE).i_size = 4096;
        w.size_mut(FILE).i_disksize = 4096;
        dirty_page(&mut w, 0, 1, &[Some(100)]);
        let (machine, ()) = run(w, |kt| async move {
            crate::mm::writeback::filemap_flush(&kt, FILE).await.expect("nothing fails here");
            truncate_pagecache(&kt, FILE, 0).await;
        });
        machine.with(|w| {
            assert_eq!((w.sizes.at(FILE).nrpages, w.counter(Counter::Clock)), (0, 20_000_000));
            assert_clean(w);
        });
    }

    #[test]
    fn an_invalidated_mapping_keeps_what_is_dirty() {
        let mut w = world(12, 0);
        dirty_page(&mut w, 0, 1, &[Some(100)]);
        dirty_page(&mut w, 1, 1, &[None]);
        invalidate_mapping_pages(&mut w, FILE);
        assert!(w.find_page(FILE, 0).is_some() && w.find_page(FILE, 1).is_none());
    }
}
