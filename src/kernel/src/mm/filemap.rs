//! The page cache and the write loop. Mirrors mm/filemap.c.
//!
//! ```text
//!   cache: (inode, index) ── PageId ── Page { flags, refs, content } ── bytes
//!                                        └─ BufferHead x (4096 / block size)
//! ```

use sched::{Kthread, check_fatal_signal, wake_all};
use world::{Bio, BioVec, Counter, Errno, FileId, InodeId, PAGE_SIZE, Page, PageFlags, PageId, Shadow, WaitOn, World};

use crate::fault_inject::should_fail;
use crate::fs::buffer::drop_buffers;
use crate::fs::ext4::inode::write::{a_ops, write_begin, write_end};
use crate::iov_iter::{
    iov_iter_advance, iov_iter_copy_from_user_atomic, iov_iter_count, iov_iter_fault_in_readable,
    iov_iter_single_seg_count, iter_of,
};
use crate::mm::page_alloc::alloc_page;
use crate::mm::page_writeback::{balance_dirty_pages_ratelimited, ino_of};
use crate::mm::swap::{del_page_from_lru_list, lru_cache_add, memory_is_limited};
use crate::mm::workingset::workingset_refault;
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe};

/// `add_to_page_cache_lru()`: a new page, locked, not uptodate, with two
/// references (the cache's and the caller's), on the inactive list. One that
/// was reclaimed a short time ago goes to the active list.
pub fn add_to_page_cache(w: &mut World, inode: InodeId, index: u32) -> PageId {
    let shadow = take_shadow(w, inode, index);
    let page = insert_page(w, inode, index);
    if let Some(shadow) = shadow {
        workingset_refault(w, page, shadow);
    }
    lru_cache_add(w, page);
    page
}

/// The page takes the place of its shadow entry.
fn take_shadow(w: &mut World, inode: InodeId, index: u32) -> Option<Shadow> {
    if !memory_is_limited(w) {
        return None;
    }
    let shadow = w.shadows.get((inode, index));
    if shadow.is_some() {
        w.shadow_set((inode, index), None);
    }
    shadow
}

/// `__add_to_page_cache_locked()`.
fn insert_page(w: &mut World, inode: InodeId, index: u32) -> PageId {
    w.graph("add_to_page_cache_lru { __add_to_page_cache_locked }");
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

/// The same where it can fail.
///
/// # Errors
/// `EEXIST` if another task has inserted a page meanwhile, `ENOMEM` if a node of
/// the tree could not be allocated.
fn try_add_to_page_cache(w: &mut World, inode: InodeId, index: u32) -> Result<PageId, Errno> {
    if should_fail(w, Counter::FailSlab) {
        return Err(Errno::ENOMEM);
    }
    if w.find_page(inode, index).is_some() {
        return Err(Errno::EEXIST);
    }
    // __GFP_WRITE: that the page was reclaimed says nothing of one that is written over.
    take_shadow(w, inode, index);
    let page = insert_page(w, inode, index);
    lru_cache_add(w, page);
    w.graph("} wait_for_stable_page");
    Ok(page)
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
        del_page_from_lru_list(w, page);
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
    w.graph("unlock_page");
    w.page_mut(page).flags.remove(PageFlags::LOCKED);
    wake_all(w, WaitOn::PageLock(page));
}

/// `wait_on_page_writeback()`.
pub async fn wait_on_page_writeback(kt: &Kthread, page: PageId) {
    kt.graph("wait_on_page_writeback");
    while kt.with(|w| w.pages.at(page).flags.contains(PageFlags::WRITEBACK)) {
        kt.sleep_on(WaitOn::PageWriteback(page)).await;
    }
}

/// `mpage_end_io()`: whole pages were read; each becomes uptodate and unlocked.
pub fn end_read_pages(w: &mut World, bio: &Bio, vecs: &[BioVec]) {
    w.graph("mpage_end_io { __read_end_io {");
    for vec in vecs {
        let flags = &mut w.page_mut(vec.page).flags;
        if bio.error == 0 {
            flags.insert(PageFlags::UPTODATE);
        } else {
            flags.insert(PageFlags::ERROR);
        }
        unlock_page(w, vec.page);
    }
    w.graph("} }");
}

/// `grab_cache_page_write_begin()`, mm/filemap.c:3277: the page at `index`,
/// locked, with one more reference; made if it is not cached.
///
/// # Errors
/// `ENOMEM`, the kernel's NULL, if an allocation was made to fail.
pub async fn grab_cache_page_write_begin(
    kt: &Kthread,
    inode: InodeId,
    index: u32,
    flags: u32,
) -> Result<PageId, Errno> {
    let mut grabbed = Err(Errno::ENOMEM);
    call!(kt, &site::GRAB_CACHE_PAGE_WRITE_BEGIN, &[u64::from(index), u64::from(flags)], async {
        grabbed = loop {
            let found = kt.with(|w| {
                let found = w.find_page(inode, index);
                w.graph("pagecache_get_page { find_get_entry");
                if let Some(page) = found {
                    get_page(w, page);
                    w.graph("} wait_for_stable_page");
                }
                found
            });
            probe!(kt, GRAB_LOOKUP, page = found.unwrap_or(PageId::NONE)).await;
            let Some(page) = found else {
                if kt.with(|w| memory_is_limited(w) && w.shadows.get((inode, index)).is_some()) {
                    probe!(kt, GRAB_SHADOW).await;
                }
                if kt.with(|w| should_fail(w, Counter::FailPageAlloc)) {
                    probe!(kt, GRAB_NO_PAGE).await;
                    break Err(Errno::ENOMEM);
                }
                alloc_page(kt).await;
                match kt.with(|w| try_add_to_page_cache(w, inode, index)) {
                    Ok(page) => {
                        probe!(kt, GRAB_INSERT, page = page).await;
                        break Ok(page);
                    }
                    Err(errno) => probe!(kt, GRAB_INSERT_FAILED, err = errno).await,
                }
                if kt.with(|w| w.find_page(inode, index)).is_some() {
                    continue;
                }
                break Err(Errno::ENOMEM);
            };
            lock_page(kt, page).await;
            if kt.with(|w| w.pages.at(page).mapping == inode) {
                probe!(kt, GRAB_LOCK, page = page).await;
                break Ok(page);
            }
            kt.with(|w| {
                unlock_page(w, page);
                put_page(w, page);
            });
        };
    })
    .await;
    grabbed
}

/// Copies user data into the page cache, one page at a time.
///
/// Mirrors `generic_perform_write()`, mm/filemap.c:3295. `pos` and the result
/// are bytes. A failure after the first page returns the bytes written so far;
/// on the first page, the error.
///
/// # Errors
/// `EFAULT` if the source cannot be read, `EINTR` on a fatal signal, or what
/// `write_begin` or `write_end` gives.
pub async fn generic_perform_write(kt: &Kthread, file: FileId, mut pos: u64) -> Result<u64, Errno> {
    let count = kt.with(|w| iov_iter_count(w, kt.task));
    call!(kt, &site::GENERIC_PERFORM_WRITE, &[pos, count], async {
        let inode = kt.with(|w| w.files.at(file).inode);
        let ops = kt.with(|w| a_ops(w, inode));
        let mut written = 0;
        let status = loop {
            let offset = pos % PAGE_SIZE;
            let left = kt.with(|w| iov_iter_count(w, kt.task));
            let mut bytes = left.min(PAGE_SIZE - offset);
            begin_try(kt, true, bytes);
            probe!(kt, GPW_SPLIT, pos = pos, offset = offset, bytes = bytes, count = left, copied = 0u64).await;

            let kept = loop {
                match copy_one_page(kt, ops, inode, pos, bytes).await {
                    Ok(0) => {
                        let single = kt.with(|w| iov_iter_single_seg_count(w, kt.task));
                        bytes = single.min(PAGE_SIZE - offset);
                        begin_try(kt, false, bytes);
                        probe!(kt, GPW_AGAIN, bytes = bytes).await;
                    }
                    kept => break kept,
                }
            };
            match kept {
                Ok(kept) => {
                    pos += kept;
                    written += kept;
                    probe!(kt, GPW_ACCOUNT, pos = pos, written = written).await;
                }
                Err(errno) => break Some(errno),
            }
            probe!(kt, GPW_BALANCE).await;
            balance_dirty_pages_ratelimited(kt).await;
            let left = kt.with(|w| iov_iter_count(w, kt.task));
            probe!(kt, GPW_LOOP, count = left).await;
            if left == 0 {
                break None;
            }
        };
        kt.with(|w| {
            let run = w.run_mut(kt.task);
            (run.iteration, run.retry) = (0, 0);
            w.iter_mut(iter_of(kt.task)).bytes = 0;
        });
        let result = match status {
            Some(errno) if written == 0 => Err(errno),
            _ => Ok(written),
        };
        probe!(kt, GPW_EXIT, written = written, status = status.map_or(0, Errno::as_ret)).await;
        result
    })
    .await
}

/// Counts rounds and tries, for addresses of steps and for the screen.
fn begin_try(kt: &Kthread, first: bool, bytes: u64) {
    kt.with(|w| {
        let run = w.run_mut(kt.task);
        if first {
            run.iteration += 1;
            run.retry = 1;
        } else {
            run.retry += 1;
        }
        w.iter_mut(iter_of(kt.task)).bytes = bytes as u32;
    });
}

/// One try of a round: from the kernel's `again:` to the advance. Gives the
/// bytes kept, 0 if the round is to be tried again with fewer.
async fn copy_one_page(
    kt: &Kthread,
    ops: crate::fs::ext4::inode::write::Aops,
    inode: InodeId,
    pos: u64,
    bytes: u64,
) -> Result<u64, Errno> {
    probe!(kt, GPW_FAULT_IN, bytes = bytes).await;
    iov_iter_fault_in_readable(kt, bytes).await?;

    let signal = kt.with(|w| check_fatal_signal(w, kt.task));
    probe!(kt, GPW_SIGNAL, status = signal).await;
    signal?;

    probe!(kt, GPW_WRITE_BEGIN).await;
    let (page, fsdata) = write_begin(kt, ops, inode, pos, bytes).await?;
    if kt.with(|w| w.inodes.at(inode).mmap_writable > 0) {
        probe!(kt, GPW_ALIAS, page = page).await;
    }

    probe!(kt, GPW_COPY, page = page).await;
    let copied = iov_iter_copy_from_user_atomic(kt, page, pos % PAGE_SIZE, bytes).await;

    probe!(kt, GPW_WRITE_END, copied = copied).await;
    let kept = write_end(kt, ops, inode, pos, bytes, copied, page, fsdata).await?;

    probe!(kt, GPW_RESCHED, copied = kept, status = kept).await;
    kt.with(|w| iov_iter_advance(w, kt.task, kept));
    probe!(kt, GPW_ADVANCE).await;
    Ok(kept)
}
