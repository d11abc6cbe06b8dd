//! O_DIRECT writes: `ext4_dio_write_iter()` of fs/ext4/file.c and the write side of
//! fs/iomap/direct-io.c.
//!
//! ```text
//!   checks ─ orphan if it extends ─ write and drop the range's cached pages
//!      └─ for each extent: map or allocate ─ bios ── wait ─ convert ─ i_size, orphan off
//! ```
//!
//! The device takes a copy of the user's bytes where the real one reads the
//! user's own pages.
//!
//! Not modelled: asynchronous I/O, O_DIRECT reads (they go through the cache),
//! trylocks of IOCB_NOWAIT; see docs/omissions.md#dio.

use sched::{Kthread, RwSem, down_read, down_write, up_read, up_write};
use world::{BioId, BioVec, Errno, InodeBits, InodeId, PAGE_SIZE, Page, PageFlags, PageId, WaitOn, World};

use crate::block::ramdisk::{Completion, REQ_SYNC, Request, submit_bio};
use crate::fs::buffer::block_size;
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::extents::ext4_convert_unwritten_extents;
use crate::fs::ext4::file::{
    Iocb, Kiocb, ext4_buffered_write_iter, ext4_generic_write_checks, ext4_handle_inode_extension,
    ext4_inode_extension_cleanup,
};
use crate::fs::ext4::inline::{clear_may_inline_data, ext4_has_inline_data};
use crate::fs::ext4::inode::iomap::{blocks_of, ext4_iomap_begin};
use crate::fs::ext4::inode::map::{GetBlocks, MapFlags, ext4_map_blocks};
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::namei::ext4_orphan_add;
use crate::fs::inode::file_modified;
use crate::fs::sync::generic_write_sync;
use crate::iov_iter::{iov_iter_alignment, iov_iter_count, iov_iter_get_pages};
use crate::mm::filemap::put_page;
use crate::mm::truncate::{invalidate_inode_pages2_range, invalidate_mapping_pages_range};
use crate::mm::writeback::{filemap_write_and_wait_range, page_index};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{probe, site};

/// Bytes of a sector that the device writes whole.
const LOGICAL_BLOCK: u64 = 512;
/// BIO_MAX_PAGES.
const BIO_MAX_PAGES: usize = 256;
/// What says "write the rest through the cache": the kernel's -ENOTBLK.
pub(super) const NOT_BLOCK: Errno = Errno::ENODEV;

/// How a direct write holds the inode's lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Shared,
    Exclusive,
}

async fn take(kt: &Kthread, inode: InodeId, lock: Lock) {
    match lock {
        Lock::Shared => down_read(kt, RwSem::IRwsem(inode)).await,
        Lock::Exclusive => down_write(kt, RwSem::IRwsem(inode)).await,
    }
}

fn give(kt: &Kthread, inode: InodeId, lock: Lock) {
    kt.with(|w| match lock {
        Lock::Shared => up_read(w, RwSem::IRwsem(inode)),
        Lock::Exclusive => up_write(w, RwSem::IRwsem(inode)),
    });
}

/// `ext4_dio_write_iter()`, fs/ext4/file.c:440: bytes written past the cache,
/// or through it where the blocks do not allow otherwise.
///
/// # Errors
/// `EINVAL` for a position, length or address inside a sector; `EFAULT`,
/// `ENOSPC`, `EAGAIN` with NOWAIT, or what the checks give.
pub async fn ext4_dio_write_iter(kt: &Kthread, iocb: &mut Kiocb) -> Result<u64, Errno> {
    let inode = kt.with(|w| w.files.at(iocb.file).inode);
    let (unaligned, beyond) = kt.with(|w| {
        let bits = iov_iter_alignment(w, kt.task) | iocb.pos;
        (!bits.is_multiple_of(block_size(w)), iocb.pos + iov_iter_count(w, kt.task) > w.sizes.at(inode).i_size)
    });
    call!(kt, &site::EXT4_DIO_WRITE_ITER, &[iocb.pos], async {
        kt.graph("ext4_dio_supported { ext4_inode_journal_mode }");
        let mut lock = if unaligned || beyond { Lock::Exclusive } else { Lock::Shared };
        take(kt, inode, lock).await;
        probe!(kt, DIO_LOCK).await;
        if kt.with(|w| ext4_should_journal_data(w, inode) || ext4_has_inline_data(w, inode)) {
            // !ext4_dio_supported()
            give(kt, inode, lock);
            return Box::pin(ext4_buffered_write_iter(kt, iocb)).await;
        }
        let checked = Box::pin(ext4_dio_write_checks(kt, iocb, inode, &mut lock)).await;
        probe!(kt, DIO_CHECKS).await;
        let (count, extend) = match checked {
            Ok(checked) if checked.0 > 0 => checked,
            stopped => {
                give(kt, inode, lock);
                return stopped.map(|(count, _)| count);
            }
        };
        if iocb.flags.contains(Iocb::NOWAIT) && (unaligned || extend) {
            give(kt, inode, lock);
            return Err(Errno::EAGAIN);
        }
        kt.with(|w| clear_may_inline_data(w, inode));
        let (start, _) = (iocb.pos, count);
        let ret = Box::pin(write_locked(kt, iocb, inode, lock, extend)).await;
        give(kt, inode, lock);
        probe!(kt, DIO_UNLOCK).await;
        let written = ret?;
        if kt.with(|w| iov_iter_count(w, kt.task)) == 0 {
            return Ok(written);
        }
        debug_assert!(iocb.pos == start + written, "the position follows what was written");
        // The rest through the cache, then out of it again.
        let offset = iocb.pos;
        let buffered = Box::pin(ext4_buffered_write_iter(kt, iocb)).await?;
        if buffered > 0 {
            let end = offset + buffered - 1;
            if filemap_write_and_wait_range(kt, inode, offset, end).await.is_ok() {
                kt.with(|w| invalidate_mapping_pages_range(w, inode, page_index(offset), page_index(end)));
            }
        }
        probe!(kt, DIO_BUFFERED).await;
        Ok(written + buffered)
    })
    .await
}

/// `ext4_dio_write_checks()`, fs/ext4/file.c:400: bytes to write, and whether the
/// file grows. Takes the lock alone if a shared one does not do.
async fn ext4_dio_write_checks(
    kt: &Kthread,
    iocb: &mut Kiocb,
    inode: InodeId,
    lock: &mut Lock,
) -> Result<(u64, bool), Errno> {
    loop {
        let count = ext4_generic_write_checks(kt, iocb).await?;
        if count == 0 {
            return Ok((0, false));
        }
        let end = iocb.pos + count;
        let extend = kt.with(|w| end > w.sizes.at(inode).i_size || end > w.sizes.at(inode).i_disksize);
        if *lock == Lock::Shared {
            let nosec = kt.with(|w| w.inodes.at(inode).bits.contains(InodeBits::NOSEC));
            if !nosec || extend || !ext4_overwrite_io(kt, inode, iocb.pos, count).await {
                if iocb.flags.contains(Iocb::NOWAIT) {
                    return Err(Errno::EAGAIN);
                }
                give(kt, inode, Lock::Shared);
                *lock = Lock::Exclusive;
                take(kt, inode, Lock::Exclusive).await;
                continue;
            }
        }
        file_modified(kt, iocb.file).await?;
        return Ok((count, extend));
    }
}

/// `ext4_overwrite_io()`: all of the range has written blocks.
async fn ext4_overwrite_io(kt: &Kthread, inode: InodeId, pos: u64, len: u64) -> bool {
    if pos + len > kt.with(|w| w.sizes.at(inode).i_size) {
        return false;
    }
    let Some(mut map) = blocks_of(kt, pos, len) else { return false };
    let wanted = map.len;
    let found = ext4_map_blocks(kt, inode, &mut map, GetBlocks::empty()).await;
    found == Ok(wanted) && map.flags.contains(MapFlags::MAPPED)
}

/// The part of `ext4_dio_write_iter()` under the lock.
async fn write_locked(kt: &Kthread, iocb: &mut Kiocb, inode: InodeId, lock: Lock, extend: bool) -> Result<u64, Errno> {
    if extend {
        ext4_journal_start(kt, HandleType::Inode, 2).await?;
        let added = ext4_orphan_add(kt, inode).await;
        // The kernel drops the error of stopping.
        let _ = ext4_journal_stop(kt).await;
        added?;
        probe!(kt, DIO_ORPHAN).await;
    }
    let ret = iomap_dio_rw(kt, iocb, inode, lock == Lock::Shared).await;
    let ret = if ret == Err(NOT_BLOCK) { Ok(0) } else { ret };
    if extend {
        ext4_inode_extension_cleanup(kt, inode, ret.is_err()).await;
    }
    ret
}

/// What has been done so far (`struct iomap_dio`).
#[derive(Default)]
struct Dio {
    size: u64,
    unwritten: bool,
    bios: Vec<BioId>,
    pages: Vec<PageId>,
}

/// `iomap_dio_rw()`, fs/iomap/direct-io.c:423, for a write that is waited for.
async fn iomap_dio_rw(kt: &Kthread, iocb: &mut Kiocb, inode: InodeId, overwrite: bool) -> Result<u64, Errno> {
    call!(
        kt,
        &site::IOMAP_DIO_RW,
        &[],
        Box::pin(async {
            let count = kt.with(|w| iov_iter_count(w, kt.task));
            let (start, end) = (iocb.pos, iocb.pos + count - 1);
            let (first, last) = (page_index(start), page_index(end));
            let cached = || kt.with(|w| w.cache.entries().range((inode, first)..=(inode, last)).next().is_some());
            if iocb.flags.contains(Iocb::NOWAIT) && cached() {
                return Err(Errno::EAGAIN);
            }
            kt.graph("__iomap_dio_rw {");
            filemap_write_and_wait_range(kt, inode, start, end).await?;
            if !invalidate_inode_pages2_range(kt, inode, first, last).await {
                return Err(NOT_BLOCK);
            }
            probe!(kt, IDR_INVALIDATE).await;
            let mut dio = Dio::default();
            let mut error = Ok(());
            let mut pos = start;
            loop {
                let left = kt.with(|w| iov_iter_count(w, kt.task));
                if left == 0 {
                    break;
                }
                match dio_extent(kt, inode, pos, left, overwrite, &mut dio).await {
                    Ok(done) => pos += done,
                    Err(NOT_BLOCK) => break,
                    Err(errno) => {
                        error = Err(errno);
                        break;
                    }
                }
            }
            for bio in std::mem::take(&mut dio.bios) {
                while kt.with(|w| w.bios.at(bio).used) {
                    kt.sleep_on(WaitOn::Work(bio.0)).await;
                }
            }
            let failed = kt.with(|w| {
                let failed = dio.pages.iter().any(|&page| w.pages.at(page).flags.contains(PageFlags::ERROR));
                dio.pages.drain(..).for_each(|page| put_page(w, page));
                failed
            });
            probe!(kt, IDR_WAIT).await;
            // iomap_dio_complete()
            kt.graph("} iomap_dio_complete { ext4_dio_write_end_io {");
            error?;
            if failed {
                return Err(Errno::EIO);
            }
            ext4_dio_write_end_io(kt, inode, start, &dio).await?;
            kt.graph("}");
            iocb.pos += dio.size;
            if dio.size > 0 && kt.with(|w| w.sizes.at(inode).nrpages > 0) {
                invalidate_inode_pages2_range(kt, inode, first, page_index(start + dio.size - 1)).await;
            }
            if dio.size > 0 && iocb.flags.contains(Iocb::DSYNC) {
                return generic_write_sync(kt, iocb, dio.size).await;
            }
            Ok(dio.size)
        }),
    )
    .await
}

/// `iomap_apply()` with `ext4_iomap_begin()` and `iomap_dio_bio_actor()`: one
/// extent's share of the write, in bytes.
async fn dio_extent(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    overwrite: bool,
    dio: &mut Dio,
) -> Result<u64, Errno> {
    kt.graph(if overwrite { "iomap_apply { ext4_iomap_overwrite_begin {" } else { "iomap_apply {" });
    // ext4_iomap_overwrite_begin() asks as a read does
    let map = ext4_iomap_begin(kt, inode, pos, len, !overwrite).await?;
    kt.graph(if overwrite {
        "} iomap_dio_actor { iomap_dio_bio_actor {"
    } else {
        "iomap_dio_actor { iomap_dio_bio_actor {"
    });
    let block = kt.with(|w| block_size(w));
    let behind = (u64::from(map.lblk) + u64::from(map.len)) * block;
    let length = len.min(behind - pos);
    let align = kt.with(|w| iov_iter_alignment(w, kt.task));
    if !(pos | length | align).is_multiple_of(LOGICAL_BLOCK) {
        return Err(Errno::EINVAL);
    }
    let unwritten = map.flags.contains(MapFlags::UNWRITTEN);
    dio.unwritten |= unwritten;
    let zero_edges = unwritten || map.flags.contains(MapFlags::NEW);
    let on_device = |at: u64| (map.pblk - u64::from(map.lblk)) * block + at;
    if zero_edges && !pos.is_multiple_of(block) {
        let pad = pos % block;
        kt.with(|w| submit(w, inode, on_device(pos - pad), &vec![0; pad as usize], dio));
    }
    let mut done = 0;
    let mut failed = None;
    while done < length {
        match iov_iter_get_pages(kt, length - done, BIO_MAX_PAGES).await {
            Ok(bytes) if !bytes.is_empty() => {
                kt.with(|w| submit(w, inode, on_device(pos + done), &bytes, dio));
                done += bytes.len() as u64;
                probe!(kt, IDR_SUBMIT).await;
            }
            Ok(_) => break,
            Err(errno) => {
                failed = Some(errno);
                break;
            }
        }
    }
    dio.size += done;
    let end = pos + done;
    if (zero_edges || end >= kt.with(|w| w.sizes.at(inode).i_size)) && !end.is_multiple_of(block) {
        let pad = block - end % block;
        kt.with(|w| submit(w, inode, on_device(end), &vec![0; pad as usize], dio));
    }
    kt.graph("} } ext4_iomap_end }");
    match failed {
        Some(errno) if done == 0 => Err(errno),
        _ if done == 0 => Err(NOT_BLOCK), // ext4_iomap_end()
        _ => Ok(done),
    }
}

/// One bio of `bytes` to byte `offset` of the device.
fn submit(w: &mut World, inode: InodeId, offset: u64, bytes: &[u8], dio: &mut Dio) {
    let rec = w.rec;
    let mut vecs = Vec::with_capacity(bytes.len().div_ceil(PAGE_SIZE as usize));
    for piece in bytes.chunks(PAGE_SIZE as usize) {
        let content = w.contents.alloc(rec);
        w.contents.range_mut(rec, content, 0, piece.len()).copy_from_slice(piece);
        let page = w.pages.alloc(rec, Page { flags: PageFlags::PRESENT, refs: 1, content, ..Page::default() });
        dio.pages.push(page);
        vecs.push(BioVec { page, offset: 0, len: piece.len() as u32, content: None });
    }
    let completion = Completion::Waiter;
    let request = Request { write: true, offset_bytes: offset, vecs: &vecs, completion, rwbs: REQ_SYNC, inode };
    w.graph("iomap_dio_submit_bio {");
    let bio = submit_bio(w, request);
    w.graph("}");
    if w.bios.at(bio).used {
        dio.bios.push(bio);
    }
}

/// `ext4_dio_write_end_io()`, fs/ext4/file.c:348.
async fn ext4_dio_write_end_io(kt: &Kthread, inode: InodeId, pos: u64, dio: &Dio) -> Result<(), Errno> {
    if dio.size > 0 && dio.unwritten {
        ext4_convert_unwritten_extents(kt, inode, pos, dio.size).await?;
        probe!(kt, IDR_CONVERT).await;
    }
    let end = pos + dio.size;
    let size = kt.with(|w| *w.sizes.at(inode));
    if end <= size.i_disksize && end <= size.i_size {
        return Ok(());
    }
    ext4_handle_inode_extension(kt, inode, pos, Ok(dio.size)).await.map(|_| ())
}
