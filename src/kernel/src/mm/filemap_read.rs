//! The page cache's readers: the reading half of mm/filemap.c.
//!
//! Not modelled: IOCB_NOWAIT and IOCB_NOIO reads, pipes, `mmap_miss` and
//! asynchronous readahead through a mapping; see docs/omissions.md#mm.

use sched::{Kthread, check_fatal_signal};
use world::{BhFlags, Errno, FileId, InodeId, InodeState, PAGE_SIZE, PageFlags, PageId, WaitOn, World};

use crate::fs::buffer::block_size;
use crate::fs::ext4::readpage::ext4_readpage;
use crate::fs::ext4::super_::MountOpts;
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::fs::inode::current_time;
use crate::fs::super_::{Freeze, sb_end_write, sb_start_write_trylock};
use crate::mm::filemap::{add_to_page_cache, get_page, lock_page, put_page, trylock_page, unlock_page};
use crate::mm::page_alloc::alloc_page;
use crate::mm::readahead::{RA_PAGES, do_page_cache_ra, page_cache_async_readahead, page_cache_sync_readahead};
use crate::mm::swap::mark_page_accessed;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{probe, site};

/// O_NOATIME.
const O_NOATIME: u32 = 0o1_000_000;
/// A day, in nanoseconds.
const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// `find_get_page()`: the cached page with one more reference.
#[must_use]
pub fn find_get_page(w: &mut World, inode: InodeId, index: u32) -> Option<PageId> {
    let page = w.find_page(inode, index)?;
    get_page(w, page);
    Some(page)
}

/// `wait_on_page_locked_killable()`.
///
/// # Errors
/// `EINTR` on a fatal signal.
async fn wait_on_page_locked_killable(kt: &Kthread, page: PageId) -> Result<(), Errno> {
    while kt.with(|w| w.pages.at(page).flags.contains(PageFlags::LOCKED)) {
        kt.with(|w| check_fatal_signal(w, kt.task))?;
        kt.sleep_killable(WaitOn::PageLock(page), 0).await;
    }
    Ok(())
}

/// `block_is_partially_uptodate()`, fs/buffer.c:2214: bytes `from..from + count`
/// of the page are there, though not all of it.
#[must_use]
pub fn block_is_partially_uptodate(w: &World, page: PageId, from: u64, count: u64) -> bool {
    if w.pages.at(page).nr_bhs == 0 {
        return false;
    }
    let to = from + count.min(PAGE_SIZE - from);
    let block = block_size(w);
    if from < block && to > PAGE_SIZE - block {
        return false;
    }
    w.page_bhs(page).all(|bh| {
        let head = w.bhs.at(bh);
        let (start, end) = (u64::from(head.offset), u64::from(head.offset) + u64::from(head.size));
        end <= from || start >= to || head.flags.contains(BhFlags::UPTODATE)
    })
}

/// `generic_file_buffered_read()`, mm/filemap.c:2189: up to `count` bytes from
/// `pos`, fewer at the end of the file. No inode lock: a concurrent write may
/// be seen page by page. The caller moves `f_pos` and copies to user memory.
///
/// # Errors
/// `EIO` for a failed read, `EINTR` on a fatal signal, if nothing was read before.
pub async fn generic_file_buffered_read(
    kt: &Kthread,
    file: FileId,
    pos: u64,
    count: u64,
    out: &mut Vec<u8>,
) -> Result<u64, Errno> {
    let before = out.len();
    let read = call!(
        kt,
        &site::GENERIC_FILE_BUFFERED_READ,
        &[pos, count],
        Box::pin(async { read_pages(kt, file, pos, count, out).await }),
    )
    .await;
    touch_atime(kt, file).await;
    match read {
        Err(errno) if out.len() == before => Err(errno),
        _ => Ok((out.len() - before) as u64),
    }
}

async fn read_pages(kt: &Kthread, file: FileId, pos: u64, count: u64, out: &mut Vec<u8>) -> Result<(), Errno> {
    let before = out.len();
    let inode = kt.with(|w| w.files.at(file).inode);
    let prev_pos = kt.with(|w| w.ras.at(file).prev_pos);
    let (mut prev_index, mut prev_offset) = (prev_pos / PAGE_SIZE, prev_pos % PAGE_SIZE);
    let last_index = (pos + count).div_ceil(PAGE_SIZE);
    let (mut at, mut left) = (pos, count);
    let ret = loop {
        if let Err(errno) = kt.with(|w| check_fatal_signal(w, kt.task)) {
            break Err(errno);
        }
        let index = u32::try_from(at / PAGE_SIZE).expect("page indices fit");
        let offset = at % PAGE_SIZE;
        let wanted = u32::try_from(last_index - u64::from(index)).unwrap_or(u32::MAX);
        let page = match find_uptodate(kt, file, inode, index, wanted, offset, left).await {
            Ok(page) => page,
            Err(errno) => break Err(errno),
        };
        let size = kt.with(|w| w.sizes.at(inode).i_size);
        let inside = size.saturating_sub(u64::from(index) * PAGE_SIZE).min(PAGE_SIZE);
        if inside <= offset {
            probe!(kt, GFR_EOF, index = index, offset = offset).await;
            kt.with(|w| put_page(w, page));
            break Ok(());
        }
        let nr = (inside - offset).min(left);
        kt.with(|w| {
            if prev_index != u64::from(index) || offset != prev_offset {
                mark_page_accessed(w, page);
            }
            let from = offset as usize;
            out.extend_from_slice(&w.page_bytes(page)[from..from + nr as usize]);
            put_page(w, page);
        });
        probe!(kt, GFR_COPY, index = index, offset = offset, nr = nr, written = out.len() - before).await;
        // As the kernel keeps them: the index of this page, the offset behind.
        (prev_index, prev_offset) = (u64::from(index), (offset + nr) % PAGE_SIZE);
        at += nr;
        left -= nr;
        if left == 0 {
            break Ok(());
        }
    };
    kt.with(|w| w.ra_mut(file).prev_pos = prev_index * PAGE_SIZE + prev_offset);
    ret
}

/// From `find_page:` to `page_ok:`: the page with a reference, its bytes there.
async fn find_uptodate(
    kt: &Kthread,
    file: FileId,
    inode: InodeId,
    index: u32,
    wanted: u32,
    offset: u64,
    count: u64,
) -> Result<PageId, Errno> {
    loop {
        kt.graph("pagecache_get_page { find_get_entry }");
        let mut found = kt.with(|w| find_get_page(w, inode, index));
        if found.is_none() {
            probe!(kt, GFR_SYNC, index = index).await;
            page_cache_sync_readahead(kt, file, index, wanted).await;
            found = kt.with(|w| find_get_page(w, inode, index));
        } else {
            probe!(kt, GFR_FIND, index = index).await;
        }
        let Some(page) = found else {
            // no_cached_page: such as one behind the end of the file
            alloc_page(kt).await;
            if kt.with(|w| w.find_page(inode, index)).is_some() {
                continue; // -EEXIST
            }
            let page = kt.with(|w| add_to_page_cache(w, inode, index));
            match readpage_and_wait(kt, inode, page).await {
                Ok(true) => return Ok(page),
                Ok(false) => continue,
                Err(errno) => return Err(errno),
            }
        };
        if kt.with(|w| w.pages.at(page).flags.contains(PageFlags::READAHEAD)) {
            probe!(kt, GFR_ASYNC, page = page).await;
            page_cache_async_readahead(kt, file, page, index, wanted).await;
        }
        if kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE)) {
            return Ok(page);
        }
        if kt.with(|w| w.pages.at(page).flags.contains(PageFlags::LOCKED)) {
            probe!(kt, GFR_WAIT, page = page).await;
        }
        if let Err(errno) = wait_on_page_locked_killable(kt, page).await {
            kt.with(|w| put_page(w, page));
            return Err(errno);
        }
        if kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE)) {
            return Ok(page);
        }
        let partial = kt.with(|w| {
            if block_size(w) == PAGE_SIZE || !trylock_page(w, page) {
                return false;
            }
            let there = w.pages.at(page).mapping == inode && block_is_partially_uptodate(w, page, offset, count);
            unlock_page(w, page);
            there
        });
        if partial {
            return Ok(page);
        }
        lock_page(kt, page).await;
        let head = kt.with(|w| *w.pages.at(page));
        if head.mapping != inode {
            kt.with(|w| {
                unlock_page(w, page);
                put_page(w, page);
            });
            continue;
        }
        if head.flags.contains(PageFlags::UPTODATE) {
            kt.with(|w| unlock_page(w, page));
            return Ok(page);
        }
        if readpage_and_wait(kt, inode, page).await? {
            return Ok(page);
        }
    }
}

/// `readpage:` of a locked page: true if it is there, false if it was dropped
/// from the cache meanwhile. On false and on an error the reference is gone.
async fn readpage_and_wait(kt: &Kthread, inode: InodeId, page: PageId) -> Result<bool, Errno> {
    kt.with(|w| w.page_mut(page).flags.remove(PageFlags::ERROR));
    probe!(kt, GFR_READPAGE, page = page).await;
    ext4_readpage(kt, inode, page).await;
    let waited = wait_on_page_locked_killable(kt, page).await;
    let head = kt.with(|w| *w.pages.at(page));
    if waited.is_ok() && head.flags.contains(PageFlags::UPTODATE) {
        return Ok(true);
    }
    kt.with(|w| put_page(w, page));
    waited?;
    if head.mapping == inode { Err(Errno::EIO) } else { Ok(false) }
}

/// `touch_atime()`, fs/inode.c:1799: the access time, by relatime's rule unless
/// the mount says otherwise.
pub async fn touch_atime(kt: &Kthread, file: FileId) {
    let inode = kt.with(|w| w.files.at(file).inode);
    let flags = kt.with(|w| {
        let options = MountOpts::of(w);
        let (times, now) = (*w.times.at(inode), current_time(w));
        if w.sb().read_only
            || options.contains(MountOpts::NOATIME)
            || w.files.at(file).f_flags & O_NOATIME != 0
            || times.atime == now
        {
            return None;
        }
        let due = times.mtime >= times.atime
            || times.ctime >= times.atime
            || now.saturating_sub(times.atime) >= DAY_NS
            || options.contains(MountOpts::STRICTATIME);
        if !due {
            return None;
        }
        if !sb_start_write_trylock(w, Freeze::Write) {
            return None; // frozen: not worth waiting for
        }
        w.times_mut(inode).atime = now;
        let lazy = options.contains(MountOpts::LAZYTIME);
        Some(if lazy { InodeState::DIRTY_TIME } else { InodeState::DIRTY_SYNC | InodeState::DIRTY_TIME })
    });
    if let Some(flags) = flags {
        mark_inode_dirty(kt, inode, flags).await;
        kt.with(|w| sb_end_write(w, Freeze::Write));
    }
}

/// `filemap_fault()`, mm/filemap.c:2716: the page, uptodate and unlocked, with
/// a reference. An uncached one is read with 32 pages around it.
///
/// # Errors
/// `EFAULT` past the end of the file (SIGBUS), `EIO` for a failed read.
pub async fn filemap_fault(kt: &Kthread, inode: InodeId, index: u32) -> Result<PageId, Errno> {
    call!(
        kt,
        &site::FILEMAP_FAULT,
        &[u64::from(index)],
        Box::pin(async {
            let past_end = || kt.with(|w| u64::from(index) >= w.sizes.at(inode).i_size.div_ceil(PAGE_SIZE));
            if past_end() {
                probe!(kt, FF_SIGBUS).await;
                return Err(Errno::EFAULT);
            }
            if kt.with(|w| w.find_page(inode, index)).is_none() {
                probe!(kt, FF_AROUND).await;
                let start = index.saturating_sub(RA_PAGES / 2);
                do_page_cache_ra(kt, inode, start, RA_PAGES, RA_PAGES / 4).await;
            }
            loop {
                if kt.with(|w| w.find_page(inode, index)).is_none() {
                    alloc_page(kt).await;
                }
                let page = kt.with(|w| {
                    find_get_page(w, inode, index).unwrap_or_else(|| {
                        let page = add_to_page_cache(w, inode, index);
                        unlock_page(w, page);
                        page
                    })
                });
                probe!(kt, FF_LOCK, page = page).await;
                lock_page(kt, page).await;
                let head = kt.with(|w| *w.pages.at(page));
                if head.mapping != inode {
                    kt.with(|w| {
                        unlock_page(w, page);
                        put_page(w, page);
                    });
                    continue;
                }
                if head.flags.contains(PageFlags::UPTODATE) {
                    kt.with(|w| unlock_page(w, page));
                    if past_end() {
                        kt.with(|w| put_page(w, page));
                        return Err(Errno::EFAULT);
                    }
                    return Ok(page);
                }
                kt.with(|w| w.page_mut(page).flags.remove(PageFlags::ERROR));
                probe!(kt, FF_READPAGE, page = page).await;
                ext4_readpage(kt, inode, page).await;
                wait_on_page_locked(kt, page).await;
                let head = kt.with(|w| *w.pages.at(page));
                kt.with(|w| put_page(w, page));
                if head.mapping == inode && !head.flags.contains(PageFlags::UPTODATE) {
                    return Err(Errno::EIO);
                }
            }
        }),
    )
    .await
}

/// `wait_on_page_locked()`.
async fn wait_on_page_locked(kt: &Kthread, page: PageId) {
    while kt.with(|w| w.pages.at(page).flags.contains(PageFlags::LOCKED)) {
        kt.sleep_on(WaitOn::PageLock(page)).await;
    }
}

/// `find_or_create_page()`, include/linux/pagemap.h:401: the page at `index`, locked, with one
/// more reference, and marked as used; made if it is not cached.
pub async fn find_or_create_page(kt: &Kthread, inode: InodeId, index: u32) -> PageId {
    call!(
        kt,
        &site::PAGECACHE_GET_PAGE,
        &[u64::from(index)],
        Box::pin(async {
            loop {
                kt.graph("find_get_entry");
                let Some(page) = kt.with(|w| find_get_page(w, inode, index)) else {
                    alloc_page(kt).await;
                    if kt.with(|w| w.find_page(inode, index)).is_some() {
                        continue; // -EEXIST
                    }
                    return kt.with(|w| {
                        let page = add_to_page_cache(w, inode, index);
                        w.page_mut(page).flags.insert(PageFlags::REFERENCED);
                        page
                    });
                };
                lock_page(kt, page).await;
                if kt.with(|w| w.pages.at(page).mapping == inode) {
                    kt.with(|w| mark_page_accessed(w, page));
                    probe!(kt, PGP_ACCESSED, page = page).await;
                    return page;
                }
                kt.with(|w| {
                    unlock_page(w, page);
                    put_page(w, page);
                });
            }
        }),
    )
    .await
}

/// `read_cache_page()`, mm/filemap.c:3041: the page at `index`, uptodate and
/// unlocked, with a reference.
///
/// # Errors
/// `EIO` for a failed read.
pub async fn read_cache_page(kt: &Kthread, inode: InodeId, index: u32) -> Result<PageId, Errno> {
    loop {
        let found = kt.with(|w| find_get_page(w, inode, index));
        let page = match found {
            Some(page) => {
                lock_page(kt, page).await;
                page
            }
            None => {
                alloc_page(kt).await;
                if kt.with(|w| w.find_page(inode, index)).is_some() {
                    continue; // -EEXIST
                }
                kt.with(|w| add_to_page_cache(w, inode, index))
            }
        };
        let head = kt.with(|w| *w.pages.at(page));
        if head.mapping == inode && head.flags.contains(PageFlags::UPTODATE) {
            kt.with(|w| unlock_page(w, page));
            return Ok(page);
        }
        if head.mapping != inode {
            kt.with(|w| {
                unlock_page(w, page);
                put_page(w, page);
            });
            continue;
        }
        ext4_readpage(kt, inode, page).await;
        wait_on_page_locked(kt, page).await;
        let head = kt.with(|w| *w.pages.at(page));
        if head.flags.contains(PageFlags::UPTODATE) {
            return Ok(page);
        }
        kt.with(|w| put_page(w, page));
        if head.mapping == inode {
            return Err(Errno::EIO);
        }
    }
}
