//! ext4's file operations. Mirrors fs/ext4/file.c.

use bitflags::bitflags;
use ondisk::layout::superblock::RoCompat;
use sched::{Kthread, RwSem, down_read, down_write, down_write_trylock, up_read, up_write};
use world::{Errno, FileId, InodeBits, InodeId, World};

use crate::fs::dax::{DaxIter, dax_iomap_rw};
use crate::fs::ext4::dio::ext4_dio_write_iter;
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::truncate::ext4_truncate_failed_write;
use crate::fs::ext4::namei::{ext4_is_orphan, ext4_orphan_add, ext4_orphan_del};
use crate::fs::inode::{file_modified, is_dax};
use crate::fs::open::OpenFlags;
use crate::fs::sync::generic_write_sync;
use crate::iov_iter::{iov_iter_count, iov_iter_truncate};
use crate::mm::filemap::generic_perform_write;
use crate::mm::filemap_read::{generic_file_buffered_read, touch_atime};
use crate::probe;
use crate::site;
use crate::trace::{Graph as _, Word as _, call};

bitflags! {
    /// `ki_flags` (include/linux/fs.h).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Iocb: u32 {
        /// IOCB_APPEND.
        const APPEND = 1 << 1;
        /// IOCB_DIRECT.
        const DIRECT = 1 << 2;
        /// IOCB_DSYNC.
        const DSYNC = 1 << 4;
        /// IOCB_SYNC.
        const SYNC = 1 << 5;
        /// IOCB_NOWAIT.
        const NOWAIT = 1 << 7;
    }
}

/// `struct kiocb`: one call's position and flags.
#[derive(Clone, Copy, Debug)]
pub struct Kiocb {
    /// The open file.
    pub file: FileId,
    /// `ki_pos`, bytes.
    pub pos: u64,
    /// `ki_flags`.
    pub flags: Iocb,
}

/// Inode flag EXTENTS.
pub const EXT4_EXTENTS_FL: u32 = 0x8_0000;

/// SIGXFSZ.
const SIGXFSZ: u64 = 25;

/// `ext4_file_write_iter()`, fs/ext4/file.c:648.
///
/// # Errors
/// `EIO` after a shutdown, or what the chosen way gives.
pub async fn ext4_file_write_iter(kt: &Kthread, iocb: &mut Kiocb) -> Result<u64, Errno> {
    let (pos, count) = (iocb.pos, kt.with(|w| iov_iter_count(w, kt.task)));
    call!(kt, &site::EXT4_FILE_WRITE_ITER, &[pos, count], async {
        probe!(kt, FWI_SHUTDOWN).await;
        let (shutdown, dax) = kt.with(|w| {
            let inode = w.files.at(iocb.file).inode;
            (w.sb().shutdown, is_dax(w, inode))
        });
        if shutdown {
            return Err(Errno::EIO);
        }
        if dax {
            probe!(kt, FWI_DAX).await;
            return Box::pin(ext4_dax_write_iter(kt, iocb)).await;
        }
        if iocb.flags.contains(Iocb::DIRECT) {
            probe!(kt, FWI_DIRECT).await;
            return Box::pin(ext4_dio_write_iter(kt, iocb)).await;
        }
        probe!(kt, FWI_BUFFERED).await;
        ext4_buffered_write_iter(kt, iocb).await
    })
    .await
}

/// `ext4_buffered_write_iter()`, fs/ext4/file.c:254.
///
/// # Errors
/// `EOPNOTSUPP` with NOWAIT; what the checks, the first page or the sync give.
pub(super) async fn ext4_buffered_write_iter(kt: &Kthread, iocb: &mut Kiocb) -> Result<u64, Errno> {
    let (pos, count) = (iocb.pos, kt.with(|w| iov_iter_count(w, kt.task)));
    call!(kt, &site::EXT4_BUFFERED_WRITE_ITER, &[pos, count], async {
        if iocb.flags.contains(Iocb::NOWAIT) {
            probe!(kt, BWI_NOWAIT).await;
            return Err(Errno::EOPNOTSUPP);
        }
        let inode = kt.with(|w| w.files.at(iocb.file).inode);
        probe!(kt, BWI_LOCK).await;
        down_write(kt, RwSem::IRwsem(inode)).await;
        let checked = ext4_write_checks(kt, iocb).await;
        probe!(kt, BWI_CHECKS, ret = checked).await;
        let ret = match checked {
            Ok(count) if count > 0 => {
                kt.with(|w| w.acct_mut(kt.task).bdi_set = true);
                probe!(kt, BWI_BDI, pos = iocb.pos, count = count).await;
                let ret = generic_perform_write(kt, iocb.file, iocb.pos).await;
                kt.with(|w| w.acct_mut(kt.task).bdi_set = false);
                ret
            }
            stopped => stopped,
        };
        kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
        probe!(kt, BWI_UNLOCK, ret = ret).await;
        match ret {
            Ok(written) if written > 0 => {
                iocb.pos += written;
                probe!(kt, BWI_POS, pos = iocb.pos).await;
                if !iocb.flags.contains(Iocb::DSYNC) {
                    return Ok(written);
                }
                probe!(kt, BWI_SYNC).await;
                generic_write_sync(kt, iocb, written).await
            }
            other => other,
        }
    })
    .await
}

/// `ext4_dax_write_iter()`, fs/ext4/file.c:593: the bytes go to the device's own
/// memory, and no page is cached.
///
/// # Errors
/// `EAGAIN` with NOWAIT if someone holds the lock; what the checks, the journal,
/// the copy or the sync give.
async fn ext4_dax_write_iter(kt: &Kthread, iocb: &mut Kiocb) -> Result<u64, Errno> {
    let (pos, count) = (iocb.pos, kt.with(|w| iov_iter_count(w, kt.task)));
    call!(kt, &site::EXT4_DAX_WRITE_ITER, &[pos, count], async {
        let inode = kt.with(|w| w.files.at(iocb.file).inode);
        let lock = RwSem::IRwsem(inode);
        if iocb.flags.contains(Iocb::NOWAIT) {
            let taken = down_write_trylock(kt, lock);
            probe!(kt, DWI_TRYLOCK).await;
            if !taken {
                return Err(Errno::EAGAIN);
            }
        } else {
            probe!(kt, DWI_LOCK).await;
            down_write(kt, lock).await;
        }
        let ret = dax_write_locked(kt, iocb, inode).await;
        kt.with(|w| up_write(w, lock));
        probe!(kt, DWI_UNLOCK, ret = ret).await;
        let written = ret?;
        if written == 0 {
            return Ok(0);
        }
        probe!(kt, DWI_SYNC).await;
        generic_write_sync(kt, iocb, written).await
    })
    .await
}

/// The part of `ext4_dax_write_iter()` under the lock.
async fn dax_write_locked(kt: &Kthread, iocb: &mut Kiocb, inode: InodeId) -> Result<u64, Errno> {
    let checked = ext4_write_checks(kt, iocb).await;
    probe!(kt, DWI_CHECKS, ret = checked).await;
    let count = checked?;
    if count == 0 {
        return Ok(0);
    }
    let offset = iocb.pos;
    let extend = offset + count > kt.with(|w| w.sizes.at(inode).i_disksize);
    if extend {
        let started = ext4_journal_start(kt, HandleType::Inode, 2).await;
        probe!(kt, DWI_HANDLE, ret = started).await;
        started?;
        let added = ext4_orphan_add(kt, inode).await;
        // The kernel drops the error of stopping.
        let _ = ext4_journal_stop(kt).await;
        probe!(kt, DWI_ORPHAN, ret = added).await;
        added?;
    }
    let mut ret = dax_iomap_rw(kt, iocb, &mut DaxIter::From).await;
    probe!(kt, DWI_COPIED, ret = ret).await;
    if extend {
        ret = ext4_handle_inode_extension(kt, inode, offset, ret).await;
        probe!(kt, DWI_EXTEND, ret = ret).await;
        let short = ret.is_err() || ret.is_ok_and(|written| written < count);
        ext4_inode_extension_cleanup(kt, inode, short).await;
        if short {
            probe!(kt, DWI_TRUNCATE).await;
        }
    }
    ret
}

/// `ext4_handle_inode_extension()`, fs/ext4/file.c:282: the size follows `count`
/// bytes written at `offset`, and the inode leaves the orphan list.
///
/// A failed DAX write comes here with its error: the kernel adds that number to
/// the offset, so that a write far behind the end leaves the file longer, up to
/// a few bytes before where it was to begin.
///
/// # Errors
/// What the journal or the inode's table gives; else `count`.
pub(super) async fn ext4_handle_inode_extension(
    kt: &Kthread,
    inode: InodeId,
    offset: u64,
    count: Result<u64, Errno>,
) -> Result<u64, Errno> {
    call!(kt, &site::EXT4_HANDLE_INODE_EXTENSION, &[offset, count.word()], async {
        ext4_journal_start(kt, HandleType::Inode, 2).await?;
        let size = match count {
            Ok(written) => Some(offset + written),
            Err(errno) => offset.checked_add_signed(errno.as_ret()),
        };
        if size.is_some_and(|size| kt.with(|w| ext4_update_inode_size(w, inode, size))) {
            let marked = ext4_mark_inode_dirty(kt, inode).await;
            if marked.is_err() {
                // The kernel drops the error of stopping.
                let _ = ext4_journal_stop(kt).await;
            }
            marked?;
        }
        if kt.with(|w| w.inodes.at(inode).nlink > 0) {
            // The kernel drops its error.
            let _ = ext4_orphan_del(kt, inode).await;
        }
        // The kernel drops the error of stopping.
        let _ = ext4_journal_stop(kt).await;
        probe!(kt, HIE_SIZE).await;
        count
    })
    .await
}

/// `ext4_update_inode_size()`, fs/ext4/ext4.h: both sizes grow to `size`; true if one did.
fn ext4_update_inode_size(w: &mut World, inode: InodeId, size: u64) -> bool {
    let old = *w.sizes.at(inode);
    if size <= old.i_size && size <= old.i_disksize {
        return false;
    }
    let sizes = w.size_mut(inode);
    sizes.i_size = old.i_size.max(size);
    sizes.i_disksize = old.i_disksize.max(size);
    true
}

/// `ext4_inode_extension_cleanup()`, fs/ext4/file.c:311: what a write past the
/// end allocated and did not use goes, and the inode is on the orphan list no more.
pub(super) async fn ext4_inode_extension_cleanup(kt: &Kthread, inode: InodeId, need_trunc: bool) {
    kt.graph("ext4_inode_extension_cleanup {");
    if need_trunc {
        Box::pin(ext4_truncate_failed_write(kt, inode)).await;
    } else if kt.with(|w| w.inodes.at(inode).nlink > 0) && ext4_is_orphan(kt, inode).await {
        // The data is written: without a journal only the memory's list is cleaned, and no error told.
        if ext4_journal_start(kt, HandleType::Inode, 2).await.is_ok() {
            let _ = ext4_orphan_del(kt, inode).await;
            let _ = ext4_journal_stop(kt).await;
        }
    }
    kt.graph("}");
}

/// `ext4_dax_read_iter()`, fs/ext4/file.c:86: up to `count` bytes from `pos` out
/// of the device's own memory, appended to `out`; gives how many.
///
/// # Errors
/// As the mapping.
async fn ext4_dax_read_iter(kt: &Kthread, file: FileId, pos: u64, count: u64, out: &mut Vec<u8>) -> Result<u64, Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    call!(kt, &site::EXT4_DAX_READ_ITER, &[pos, count], async {
        probe!(kt, DRI_LOCK).await;
        down_read(kt, RwSem::IRwsem(inode)).await;
        let mut iocb = Kiocb { file, pos, flags: Iocb::empty() };
        let read = dax_iomap_rw(kt, &mut iocb, &mut DaxIter::To { out, left: count }).await;
        kt.with(|w| up_read(w, RwSem::IRwsem(inode)));
        touch_atime(kt, file).await;
        probe!(kt, DRI_DONE, ret = read).await;
        read
    })
    .await
}

/// `ext4_file_read_iter()`, fs/ext4/file.c:114, through the cache or DAX: up to `count` bytes from
/// `pos`, appended to `out`; gives how many.
///
/// Not modelled: O_DIRECT.
///
/// # Errors
/// `EIO` after a shutdown or a failed read, `EINTR` on a fatal signal.
pub async fn ext4_file_read_iter(
    kt: &Kthread,
    file: FileId,
    pos: u64,
    count: u64,
    out: &mut Vec<u8>,
) -> Result<u64, Errno> {
    if count == 0 || kt.with(|w| w.sb().shutdown) {
        kt.graph("ext4_file_read_iter");
        return if count > 0 { Err(Errno::EIO) } else { Ok(0) };
    }
    if kt.with(|w| is_dax(w, w.files.at(file).inode)) {
        kt.graph("ext4_file_read_iter {");
        let read = Box::pin(ext4_dax_read_iter(kt, file, pos, count, out)).await;
        kt.graph("}");
        return read;
    }
    kt.graph("ext4_file_read_iter { generic_file_read_iter {");
    let read = generic_file_buffered_read(kt, file, pos, count, out).await;
    kt.graph("} }");
    read
}

/// `ext4_write_checks()`, fs/ext4/file.c:240: bytes left to write, 0 for none.
async fn ext4_write_checks(kt: &Kthread, iocb: &mut Kiocb) -> Result<u64, Errno> {
    let (pos, count) = (iocb.pos, kt.with(|w| iov_iter_count(w, kt.task)));
    call!(kt, &site::EXT4_WRITE_CHECKS, &[pos, count], async {
        let count = ext4_generic_write_checks(kt, iocb).await;
        probe!(kt, EWC_COUNT, pos = iocb.pos, ret = count).await;
        let count = count?;
        if count == 0 {
            return Ok(0);
        }
        let modified = file_modified(kt, iocb.file).await;
        probe!(kt, EWC_MODIFIED, ret = modified).await;
        modified?;
        Ok(count)
    })
    .await
}

/// `ext4_generic_write_checks()`, fs/ext4/file.c:212.
pub(super) async fn ext4_generic_write_checks(kt: &Kthread, iocb: &mut Kiocb) -> Result<u64, Errno> {
    let (pos, count) = (iocb.pos, kt.with(|w| iov_iter_count(w, kt.task)));
    call!(kt, &site::EXT4_GENERIC_WRITE_CHECKS, &[pos, count], async {
        let inode = kt.with(|w| w.files.at(iocb.file).inode);
        if kt.with(|w| w.inodes.at(inode).bits.contains(InodeBits::IMMUTABLE)) {
            probe!(kt, EGWC_IMMUTABLE, ret = Errno::EPERM).await;
            return Err(Errno::EPERM);
        }
        let count = generic_write_checks(kt, iocb).await?;
        if count == 0 {
            return Ok(0);
        }
        let limit = kt.with(|w| {
            let extents = w.inodes.at(inode).flags & EXT4_EXTENTS_FL != 0;
            (!extents).then(|| bitmap_maxbytes(w))
        });
        let Some(limit) = limit else {
            return Ok(count);
        };
        if iocb.pos >= limit {
            probe!(kt, EGWC_BITMAP, ret = Errno::EFBIG).await;
            return Err(Errno::EFBIG);
        }
        kt.with(|w| iov_iter_truncate(w, kt.task, limit - iocb.pos));
        let count = kt.with(|w| iov_iter_count(w, kt.task));
        probe!(kt, EGWC_BITMAP, ret = count).await;
        Ok(count)
    })
    .await
}

/// `s_bitmap_maxbytes`, fs/ext4/super.c:3200: what a block-mapped file can hold,
/// in bytes: pointers to three levels, or what `i_blocks` can count.
#[must_use]
pub fn bitmap_maxbytes(w: &World) -> u64 {
    let bits = w.sb().block_bits;
    let pointers = 1u64 << (bits - 2);
    let blocks = 12 + pointers + pointers * pointers + pointers * pointers * pointers;
    let meta = 1 + (1 + pointers) + (1 + pointers + pointers * pointers);
    let counted = if has_huge_files(w) { (1 << 48) - 1 } else { u64::from(u32::MAX) >> (bits - 9) };
    blocks.min(counted - meta) << bits
}

/// `s_maxbytes`, fs/ext4/super.c:3165, in bytes.
#[must_use]
pub fn maxbytes(w: &World) -> u64 {
    let bits = w.sb().block_bits;
    let counted = if has_huge_files(w) { u64::MAX } else { u64::from(u32::MAX) >> (bits - 9) << bits };
    counted.min(u64::from(u32::MAX) << bits)
}

/// `ext4_get_maxbytes()`, fs/ext4/ext4.h: the largest size of this file.
#[must_use]
pub fn ext4_get_maxbytes(w: &World, inode: InodeId) -> u64 {
    if w.inodes.at(inode).flags & EXT4_EXTENTS_FL != 0 { maxbytes(w) } else { bitmap_maxbytes(w) }
}

/// True if `i_blocks` may have 48 bits.
fn has_huge_files(w: &World) -> bool {
    RoCompat::from_bits_retain(w.sb().features[2]).contains(RoCompat::HUGE_FILE)
}

/// `inode_newsize_ok()`, fs/attr.c:105: whether a file may get `size` bytes.
///
/// # Errors
/// `EFBIG`; with SIGXFSZ if it is the process's own limit. `ETXTBSY` if a file
/// that is swapped to would get no longer.
pub fn inode_newsize_ok(kt: &Kthread, inode: InodeId, size: u64) -> Result<(), Errno> {
    kt.with(|w| {
        if size <= w.sizes.at(inode).i_size {
            let swapped = w.inodes.at(inode).bits.contains(InodeBits::SWAPFILE);
            return if swapped { Err(Errno::ETXTBSY) } else { Ok(()) };
        }
        if size > w.accts.at(kt.task).rlimit_fsize {
            w.task_mut(kt.task).signals |= 1 << SIGXFSZ;
            return Err(Errno::EFBIG);
        }
        if size > maxbytes(w) { Err(Errno::EFBIG) } else { Ok(()) }
    })
}

/// `generic_write_checks()`, fs/read_write.c:1655: position and count after
/// append, limits and the largest file.
async fn generic_write_checks(kt: &Kthread, iocb: &mut Kiocb) -> Result<u64, Errno> {
    let (pos, count) = (iocb.pos, kt.with(|w| iov_iter_count(w, kt.task)));
    call!(kt, &site::GENERIC_WRITE_CHECKS, &[pos, count], async {
        let inode = kt.with(|w| w.files.at(iocb.file).inode);
        if kt.with(|w| w.inodes.at(inode).bits.contains(InodeBits::SWAPFILE)) {
            probe!(kt, GWC_SWAP, ret = Errno::ETXTBSY).await;
            return Err(Errno::ETXTBSY);
        }
        if kt.with(|w| iov_iter_count(w, kt.task)) == 0 {
            probe!(kt, GWC_ZERO, ret = 0u64).await;
            return Ok(0);
        }
        if iocb.flags.contains(Iocb::APPEND) {
            iocb.pos = kt.with(|w| w.sizes.at(inode).i_size);
            probe!(kt, GWC_APPEND, pos = iocb.pos).await;
        }
        if iocb.flags.contains(Iocb::NOWAIT) && !iocb.flags.contains(Iocb::DIRECT) {
            return Err(Errno::EINVAL);
        }
        let (rlimit, large) = kt.with(|w| {
            let flags = w.files.at(iocb.file).f_flags;
            (w.accts.at(kt.task).rlimit_fsize, flags & OpenFlags::LARGEFILE.bits() != 0)
        });
        if rlimit != u64::MAX {
            if iocb.pos >= rlimit {
                kt.with(|w| w.task_mut(kt.task).signals |= 1 << SIGXFSZ);
                probe!(kt, GWC_LIMITS, ret = Errno::EFBIG).await;
                return Err(Errno::EFBIG);
            }
            kt.with(|w| iov_iter_truncate(w, kt.task, rlimit - iocb.pos));
            probe!(kt, GWC_LIMITS, count = kt.with(|w| iov_iter_count(w, kt.task))).await;
        }
        let max = kt.with(|w| maxbytes(w)).min(if large { u64::MAX } else { (1 << 31) - 1 });
        if iocb.pos >= max {
            probe!(kt, GWC_MAX, ret = Errno::EFBIG).await;
            return Err(Errno::EFBIG);
        }
        kt.with(|w| iov_iter_truncate(w, kt.task, max - iocb.pos));
        let count = kt.with(|w| iov_iter_count(w, kt.task));
        probe!(kt, GWC_DONE, ret = count).await;
        Ok(count)
    })
    .await
}
