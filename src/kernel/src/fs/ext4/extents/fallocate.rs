//! `ext4_fallocate()`: blocks made, taken out or zeroed in the middle of a file.
//! Mirrors fs/ext4/extents.c, with `ext4_punch_hole()` of fs/ext4/inode.c.
//!
//! ```text
//!   0, keep     unwritten extents where there is nothing
//!   punch       edges zeroed in the cache, whole blocks freed
//!   zero        whole blocks become unwritten, edges are zeroed
//!   collapse    a piece goes, what follows moves to the left
//!   insert      what follows moves to the right, a hole comes between
//! ```
//!
//! Not modelled: block-mapped files, DAX layouts,
//! direct I/O in flight; see docs/omissions.md#ext4.

use sched::{Kthread, RwSem, down_write, up_write};
use world::{Errno, FileId, InodeId, PAGE_SIZE, PageFlags};

use super::path::{ExtPath, ext_depth, ext4_find_extent};
use super::remove::ext4_ext_remove_space;
use super::shift::{Direction, ext4_ext_shift_extents};
use super::split::{SplitFlags, split_extent_at};
use crate::fs::buffer::block_size;
use crate::fs::ext4::balloc::ext4_should_retry_alloc;
use crate::fs::ext4::ext4_jbd2::{
    HandleType, ext4_handle_sync, ext4_journal_start, ext4_journal_stop, ext4_update_inode_fsync_trans,
};
use crate::fs::ext4::extents_status::{EXT_MAX_BLOCKS, es_remove_extent};
use crate::fs::ext4::file::{EXT4_EXTENTS_FL, bitmap_maxbytes, inode_newsize_ok, maxbytes};
use crate::fs::ext4::fsync::ext4_fc_commit;
use crate::fs::ext4::indirect::ext4_ind_remove_space;
use crate::fs::ext4::inline::convert::ext4_convert_inline_data;
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, ext4_map_blocks};
use crate::fs::ext4::inode::truncate::{ext4_block_zero_page_range, truncate_credits};
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::mballoc::ext4_discard_preallocations;
use crate::fs::ext4::super_::{ext4_meta_trans_blocks, ext4_writepage_trans_blocks, graph_writepage_trans_blocks};
use crate::fs::inode::{current_time, file_modified, is_sync};
use crate::fs::jbd2::commit::ext4_force_commit;
use crate::fs::open::OpenFlags;
use crate::mm::page_writeback::ino_of;
use crate::mm::truncate::{truncate_pagecache, truncate_pagecache_range};
use crate::mm::writeback::{LLONG_MAX, filemap_write_and_wait_range, mapping_tagged};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// FALLOC_FL_KEEP_SIZE.
pub const FALLOC_FL_KEEP_SIZE: u32 = 0x1;
/// FALLOC_FL_PUNCH_HOLE.
pub const FALLOC_FL_PUNCH_HOLE: u32 = 0x2;
/// FALLOC_FL_COLLAPSE_RANGE.
pub const FALLOC_FL_COLLAPSE_RANGE: u32 = 0x8;
/// FALLOC_FL_ZERO_RANGE.
pub const FALLOC_FL_ZERO_RANGE: u32 = 0x10;
/// FALLOC_FL_INSERT_RANGE.
pub const FALLOC_FL_INSERT_RANGE: u32 = 0x20;

const MODES: u32 = FALLOC_FL_KEEP_SIZE
    | FALLOC_FL_PUNCH_HOLE
    | FALLOC_FL_COLLAPSE_RANGE
    | FALLOC_FL_ZERO_RANGE
    | FALLOC_FL_INSERT_RANGE;

/// EXT4_GET_BLOCKS_CREATE_UNWRIT_EXT.
const CREATE_UNWRIT_EXT: GetBlocks = GetBlocks::CREATE.union(GetBlocks::UNWRIT_EXT);
/// Longest unwritten extent, in blocks.
const EXT_UNWRITTEN_MAX_LEN: u32 = 32767;

/// `ext4_fallocate()`, fs/ext4/extents.c:4723: `len` bytes from `offset`, as
/// `mode` says. The caller has checked what `vfs_fallocate()` checks.
///
/// # Errors
/// `EOPNOTSUPP`, `EINVAL`, `EFBIG`, `ENOSPC`, or what the journal and the
/// extent tree give.
pub async fn ext4_fallocate(kt: &Kthread, file: FileId, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
    call!(
        kt,
        &site::EXT4_FALLOCATE,
        &[u64::from(mode), offset, len],
        Box::pin(async {
            if mode & !MODES != 0 {
                return Err(Errno::EOPNOTSUPP);
            }
            let inode = kt.with(|w| w.files.at(file).inode);
            down_write(kt, RwSem::IRwsem(inode)).await;
            let converted = ext4_convert_inline_data(kt, inode).await;
            kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
            converted?;
            probe!(kt, EFA_MODE).await;
            if mode & FALLOC_FL_PUNCH_HOLE != 0 {
                return Box::pin(ext4_punch_hole(kt, file, offset, len)).await;
            }
            kt.graph("ext4_convert_inline_data");
            if mode & FALLOC_FL_COLLAPSE_RANGE != 0 {
                return Box::pin(ext4_collapse_range(kt, file, offset, len)).await;
            }
            if mode & FALLOC_FL_INSERT_RANGE != 0 {
                return Box::pin(ext4_insert_range(kt, file, offset, len)).await;
            }
            if mode & FALLOC_FL_ZERO_RANGE != 0 {
                return Box::pin(ext4_zero_range(kt, file, offset, len, mode)).await;
            }
            let (lblk, blocks) = kt.with(|w| {
                point!(w, EXT4_FALLOCATE_ENTER, ino_of(w, inode), offset, len, mode);
                let block = block_size(w);
                let lblk = block_number(offset / block);
                (lblk, block_number((offset + len).div_ceil(block)) - lblk)
            });
            down_write(kt, RwSem::IRwsem(inode)).await;
            probe!(kt, EFA_LOCK).await;
            let ret = preallocate(kt, file, inode, mode, offset, len, lblk, blocks).await;
            kt.with(|w| {
                up_write(w, RwSem::IRwsem(inode));
                point!(w, EXT4_FALLOCATE_EXIT, ino_of(w, inode), offset, blocks, ret);
            });
            ret
        }),
    )
    .await
}

fn block_number(blocks: u64) -> u32 {
    u32::try_from(blocks).expect("vfs_fallocate() has checked the end against s_maxbytes")
}

#[allow(clippy::too_many_arguments)] // one caller
async fn preallocate(
    kt: &Kthread,
    file: FileId,
    inode: InodeId,
    mode: u32,
    offset: u64,
    len: u64,
    lblk: u32,
    blocks: u32,
) -> Result<(), Errno> {
    if !has_extents(kt, inode) {
        return Err(Errno::EOPNOTSUPP);
    }
    let new_size = new_size(kt, inode, mode, offset + len)?;
    file_modified(kt, file).await?;
    ext4_alloc_file_blocks(kt, inode, lblk, blocks, new_size, CREATE_UNWRIT_EXT).await?;
    if is_o_sync(kt, file) {
        let tid = kt.with(|w| w.syncs.at(inode).sync_tid);
        ext4_fc_commit(kt, tid).await?;
    }
    Ok(())
}

fn has_extents(kt: &Kthread, inode: InodeId) -> bool {
    kt.with(|w| w.inodes.at(inode).flags & EXT4_EXTENTS_FL != 0)
}

/// `file->f_flags & O_SYNC`: O_DSYNC alone has one of its bits too.
fn is_o_sync(kt: &Kthread, file: FileId) -> bool {
    kt.with(|w| w.files.at(file).f_flags & OpenFlags::SYNC.bits() != 0)
}

/// The size to reach, 0 if it is to stay.
fn new_size(kt: &Kthread, inode: InodeId, mode: u32, end: u64) -> Result<u64, Errno> {
    let size = kt.with(|w| *w.sizes.at(inode));
    if mode & FALLOC_FL_KEEP_SIZE != 0 || end <= size.i_size && end <= size.i_disksize {
        return Ok(0);
    }
    inode_newsize_ok(kt, inode, end)?;
    Ok(end)
}

/// Now, in mtime and ctime.
fn touch(kt: &Kthread, inode: InodeId) {
    kt.graph("current_time { timestamp_truncate }");
    kt.with(|w| {
        let now = current_time(w);
        let times = w.times_mut(inode);
        times.mtime = now;
        times.ctime = now;
    });
}

/// `ext4_update_inode_size()`, fs/ext4/ext4.h:3260: true if `i_size` grew.
fn ext4_update_inode_size(w: &mut world::World, inode: InodeId, size: u64) -> bool {
    let old = *w.sizes.at(inode);
    if size > old.i_size {
        w.size_mut(inode).i_size = size;
    }
    if size > old.i_disksize {
        w.size_mut(inode).i_disksize = size;
    }
    size > old.i_size
}

/// `ext4_alloc_file_blocks()`, fs/ext4/extents.c:4474: unwritten blocks for
/// `len` blocks from `lblk`, a handle for each piece. What was allocated before
/// an error stays.
async fn ext4_alloc_file_blocks(
    kt: &Kthread,
    inode: InodeId,
    lblk: u32,
    len: u32,
    new_size: u64,
    flags: GetBlocks,
) -> Result<(), Errno> {
    call!(kt, &site::EXT4_ALLOC_FILE_BLOCKS, &[u64::from(lblk), u64::from(len)], async {
        let mut flags = flags;
        if len <= EXT_UNWRITTEN_MAX_LEN {
            flags |= GetBlocks::NO_NORMALIZE;
        }
        let mut map = MapBlocks { lblk, len, ..MapBlocks::default() };
        let mut left = len;
        let mut retries = 0;
        let mut depth = kt.with(|w| ext_depth(w, inode));
        // ext4_chunk_trans_blocks()
        let mut credits = kt.with(|w| ext4_meta_trans_blocks(w, inode, len, 1));
        while left > 0 {
            if depth != kt.with(|w| ext_depth(w, inode)) {
                (depth, credits) = kt.with(|w| (ext_depth(w, inode), ext4_meta_trans_blocks(w, inode, left, 1)));
            }
            ext4_journal_start(kt, HandleType::MapBlocks, credits).await?;
            let mapped = ext4_map_blocks(kt, inode, &mut map, flags).await;
            probe!(kt, EAFB_MAP, lblk = map.lblk, len = map.len, ret = mapped).await;
            let count = match mapped {
                Ok(count) if count > 0 => count,
                stopped => {
                    // Errors behind the first one are dropped.
                    let _ = ext4_mark_inode_dirty(kt, inode).await;
                    let _ = ext4_journal_stop(kt).await;
                    if stopped == Err(Errno::ENOSPC) && ext4_should_retry_alloc(kt, &mut retries).await {
                        continue;
                    }
                    return stopped.map(|_| ());
                }
            };
            map.lblk += count;
            left -= count.min(left);
            map.len = left;
            kt.with(|w| {
                let now = current_time(w);
                w.times_mut(inode).ctime = now;
                if new_size > 0 {
                    let reached = (u64::from(map.lblk) * block_size(w)).min(new_size);
                    if ext4_update_inode_size(w, inode, reached) {
                        w.times_mut(inode).mtime = now;
                    }
                }
            });
            let marked = ext4_mark_inode_dirty(kt, inode).await;
            kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
            let stopped = ext4_journal_stop(kt).await;
            probe!(kt, EAFB_STOP).await;
            stopped.and(marked)?;
        }
        Ok(())
    })
    .await
}

/// `ext4_update_disksize_before_punch()`, fs/ext4/inode.c:3994: delayed data in
/// front of what goes may not have raised `i_disksize` yet, and nothing behind it will.
async fn ext4_update_disksize_before_punch(kt: &Kthread, inode: InodeId, offset: u64, len: u64) -> Result<(), Errno> {
    let size = kt.with(|w| *w.sizes.at(inode));
    if offset > size.i_size {
        return Ok(());
    }
    let reached = size.i_size.min(offset + len);
    if size.i_disksize >= reached {
        return Ok(());
    }
    ext4_journal_start(kt, HandleType::Misc, 1).await?;
    down_write(kt, RwSem::IDataSem(inode)).await;
    kt.with(|w| {
        w.size_mut(inode).i_disksize = reached;
        up_write(w, RwSem::IDataSem(inode));
    });
    let marked = ext4_mark_inode_dirty(kt, inode).await;
    // The kernel drops the error of stopping.
    let _ = ext4_journal_stop(kt).await;
    marked
}

/// `ext4_zero_partial_blocks()`, fs/ext4/inode.c:3951: zeroes the ends of the
/// range that are not whole blocks, in the page cache.
async fn ext4_zero_partial_blocks(kt: &Kthread, inode: InodeId, start: u64, len: u64) -> Result<(), Errno> {
    let block = kt.with(|w| block_size(w));
    let last = start + len - 1;
    let (head, tail) = (start % block, last % block);
    if start / block == last / block && (head > 0 || tail != block - 1) {
        return ext4_block_zero_page_range(kt, inode, start, len).await;
    }
    if head > 0 {
        ext4_block_zero_page_range(kt, inode, start, block).await?;
    }
    if tail != block - 1 {
        ext4_block_zero_page_range(kt, inode, last - tail, tail + 1).await?;
    }
    Ok(())
}

/// `ext4_punch_hole()`, fs/ext4/inode.c:4062.
async fn ext4_punch_hole(kt: &Kthread, file: FileId, offset: u64, len: u64) -> Result<(), Errno> {
    call!(kt, &site::EXT4_PUNCH_HOLE_FN, &[offset, len], async {
        let inode = kt.with(|w| {
            let inode = w.files.at(file).inode;
            point!(w, EXT4_PUNCH_HOLE, ino_of(w, inode), offset, len, 0u64);
            inode
        });
        if kt.with(|w| mapping_tagged(w, inode, PageFlags::TAG_DIRTY)) {
            filemap_write_and_wait_range(kt, inode, offset, offset + len - 1).await?;
            probe!(kt, EPH_WRITE).await;
        }
        down_write(kt, RwSem::IRwsem(inode)).await;
        probe!(kt, EPH_LOCK).await;
        let ret = Box::pin(punch_locked(kt, file, inode, offset, len)).await;
        kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
        ret
    })
    .await
}

async fn punch_locked(kt: &Kthread, file: FileId, inode: InodeId, offset: u64, len: u64) -> Result<(), Errno> {
    let size = kt.with(|w| w.sizes.at(inode).i_size);
    if offset >= size {
        return Ok(());
    }
    let mut len = len;
    if offset + len > size {
        len = size + PAGE_SIZE - size % PAGE_SIZE - offset;
    }
    let (block, max) = kt.with(|w| (block_size(w), bitmap_maxbytes(w) - block_size(w)));
    if offset + len > max {
        len = max.saturating_sub(offset);
    }
    file_modified(kt, file).await?;
    down_write(kt, RwSem::IMmapSem(inode)).await;
    kt.graph("ext4_break_layouts");
    let ret = punch_unmapped(kt, inode, offset, len, block).await;
    kt.with(|w| up_write(w, RwSem::IMmapSem(inode)));
    ret
}

async fn punch_unmapped(kt: &Kthread, inode: InodeId, offset: u64, len: u64, block: u64) -> Result<(), Errno> {
    let (first, end) = (offset.div_ceil(block) * block, (offset + len) / block * block);
    if end > first + 1 {
        ext4_update_disksize_before_punch(kt, inode, offset, len).await?;
        truncate_pagecache_range(kt, inode, first, end).await;
        probe!(kt, EPH_PAGES).await;
    }
    let credits = kt.with(|w| truncate_credits(w, inode));
    ext4_journal_start(kt, HandleType::Truncate, credits).await?;
    let ret = punch_in_handle(kt, inode, offset, len, (first / block, end / block)).await;
    // The kernel drops the error of stopping.
    let _ = ext4_journal_stop(kt).await;
    ret
}

async fn punch_in_handle(
    kt: &Kthread,
    inode: InodeId,
    offset: u64,
    len: u64,
    (first, end): (u64, u64),
) -> Result<(), Errno> {
    ext4_zero_partial_blocks(kt, inode, offset, len).await?;
    probe!(kt, EPH_EDGES).await;
    let mut ret = Ok(());
    if end > first {
        let (first, end) = (block_number(first), block_number(end));
        down_write(kt, RwSem::IDataSem(inode)).await;
        ext4_discard_preallocations(kt, inode).await;
        kt.with(|w| es_remove_extent(w, inode, first, end - first));
        ret = if has_extents(kt, inode) {
            ext4_ext_remove_space(kt, inode, first, end - 1).await
        } else {
            ext4_ind_remove_space(kt, inode, first, end).await;
            Ok(())
        };
        kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
        probe!(kt, EPH_BLOCKS).await;
    }
    if kt.with(|w| is_sync(w, inode)) {
        kt.with(|w| ext4_handle_sync(w, kt));
    }
    touch(kt, inode);
    let marked = ext4_mark_inode_dirty(kt, inode).await;
    if ret.and(marked).is_ok() {
        kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
    }
    marked.and(ret)
}

/// `ext4_zero_range()`, fs/ext4/extents.c:4561.
async fn ext4_zero_range(kt: &Kthread, file: FileId, offset: u64, len: u64, mode: u32) -> Result<(), Errno> {
    call!(kt, &site::EXT4_ZERO_RANGE_FN, &[offset, len], async {
        let inode = kt.with(|w| {
            let inode = w.files.at(file).inode;
            point!(w, EXT4_ZERO_RANGE, ino_of(w, inode), offset, len, mode);
            inode
        });
        if kt.with(|w| ext4_should_journal_data(w, inode)) {
            ext4_force_commit(kt).await?;
        }
        down_write(kt, RwSem::IRwsem(inode)).await;
        probe!(kt, EZR_LOCK).await;
        let ret = Box::pin(zero_locked(kt, file, inode, offset, len, mode)).await;
        kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
        ret
    })
    .await
}

async fn zero_locked(
    kt: &Kthread,
    file: FileId,
    inode: InodeId,
    offset: u64,
    len: u64,
    mode: u32,
) -> Result<(), Errno> {
    if !has_extents(kt, inode) {
        return Err(Errno::EOPNOTSUPP);
    }
    let end = offset + len;
    let new_size = new_size(kt, inode, mode, end)?;
    file_modified(kt, file).await?;
    let block = kt.with(|w| block_size(w));
    let unaligned = !offset.is_multiple_of(block) || !end.is_multiple_of(block);
    if unaligned {
        let lblk = block_number(offset / block);
        let blocks = block_number(end.div_ceil(block)) - lblk;
        ext4_alloc_file_blocks(kt, inode, lblk, blocks, new_size, CREATE_UNWRIT_EXT).await?;
        probe!(kt, EZR_OUTER).await;
    }
    let (first, last) = (offset.div_ceil(block), end / block);
    if last > first {
        down_write(kt, RwSem::IMmapSem(inode)).await;
        kt.graph("ext4_break_layouts");
        let ret = zero_whole_blocks(kt, inode, (offset, len), (first, last), new_size).await;
        kt.with(|w| up_write(w, RwSem::IMmapSem(inode)));
        ret?;
        probe!(kt, EZR_INNER).await;
    }
    if !unaligned {
        return Ok(());
    }
    // Two unwritten blocks that do not touch, and the inode.
    let credits =
        kt.with(|w| 2 * (ext4_meta_trans_blocks(w, inode, 2, 2) - crate::fs::ext4::ext4_jbd2::XATTR_TRANS_BLOCKS) + 1);
    ext4_journal_start(kt, HandleType::Misc, credits).await?;
    touch(kt, inode);
    if new_size > 0 {
        kt.with(|w| ext4_update_inode_size(w, inode, new_size));
    }
    let mut ret = ext4_mark_inode_dirty(kt, inode).await;
    if ret.is_ok() {
        ret = ext4_zero_partial_blocks(kt, inode, offset, len).await;
        if ret.is_ok() {
            kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
        }
        if is_o_sync(kt, file) {
            kt.with(|w| ext4_handle_sync(w, kt));
        }
    }
    probe!(kt, EZR_EDGES).await;
    // The kernel drops the error of stopping.
    let _ = ext4_journal_stop(kt).await;
    ret
}

async fn zero_whole_blocks(
    kt: &Kthread,
    inode: InodeId,
    (offset, len): (u64, u64),
    (first, last): (u64, u64),
    new_size: u64,
) -> Result<(), Errno> {
    ext4_update_disksize_before_punch(kt, inode, offset, len).await?;
    let block = kt.with(|w| block_size(w));
    truncate_pagecache_range(kt, inode, first * block, last * block).await;
    touch(kt, inode);
    let flags = CREATE_UNWRIT_EXT | GetBlocks::CONVERT_UNWRITTEN | GetBlocks::EX_NOCACHE;
    let lblk = block_number(first);
    ext4_alloc_file_blocks(kt, inode, lblk, block_number(last) - lblk, new_size, flags).await
}

/// `ext4_collapse_range()`, fs/ext4/extents.c:5315.
async fn ext4_collapse_range(kt: &Kthread, file: FileId, offset: u64, len: u64) -> Result<(), Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    if !has_extents(kt, inode) {
        return Err(Errno::EOPNOTSUPP);
    }
    let cluster = kt.with(|w| block_size(w) << w.sb().cluster_bits);
    if !(offset | len).is_multiple_of(cluster) {
        return Err(Errno::EINVAL);
    }
    call!(kt, &site::EXT4_COLLAPSE_RANGE_FN, &[offset, len], async {
        kt.with(|w| point!(w, EXT4_COLLAPSE_RANGE, ino_of(w, inode), offset, len));
        if kt.with(|w| ext4_should_journal_data(w, inode)) {
            ext4_force_commit(kt).await?;
        }
        down_write(kt, RwSem::IRwsem(inode)).await;
        probe!(kt, ECR_LOCK).await;
        let ret = Box::pin(collapse_locked(kt, file, inode, offset, len)).await;
        kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
        ret
    })
    .await
}

async fn collapse_locked(kt: &Kthread, file: FileId, inode: InodeId, offset: u64, len: u64) -> Result<(), Errno> {
    if offset + len >= kt.with(|w| w.sizes.at(inode).i_size) {
        return Err(Errno::EINVAL);
    }
    file_modified(kt, file).await?;
    down_write(kt, RwSem::IMmapSem(inode)).await;
    kt.graph("ext4_break_layouts");
    let ret = collapse_unmapped(kt, inode, offset, len).await;
    kt.with(|w| up_write(w, RwSem::IMmapSem(inode)));
    ret
}

async fn collapse_unmapped(kt: &Kthread, inode: InodeId, offset: u64, len: u64) -> Result<(), Errno> {
    let page_start = offset / PAGE_SIZE * PAGE_SIZE;
    // What is delayed inside the range is never allocated.
    filemap_write_and_wait_range(kt, inode, page_start, offset).await?;
    filemap_write_and_wait_range(kt, inode, offset + len, LLONG_MAX).await?;
    probe!(kt, ECR_WRITE).await;
    truncate_pagecache(kt, inode, page_start).await;
    probe!(kt, ECR_PAGES).await;
    let credits = kt.with(|w| {
        graph_writepage_trans_blocks(w, inode);
        ext4_writepage_trans_blocks(w, inode)
    });
    ext4_journal_start(kt, HandleType::Truncate, credits).await?;
    let (first, end) = kt.with(|w| {
        let block = block_size(w);
        (block_number(offset / block), block_number((offset + len) / block))
    });
    down_write(kt, RwSem::IDataSem(inode)).await;
    let mut ret = collapse_blocks(kt, inode, first, end).await;
    if ret.is_ok() {
        kt.with(|w| {
            let size = w.size_mut(inode);
            size.i_size -= len;
            size.i_disksize = size.i_size;
        });
    }
    kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
    probe!(kt, ECR_SHIFT).await;
    if ret.is_ok() {
        if kt.with(|w| is_sync(w, inode)) {
            kt.with(|w| ext4_handle_sync(w, kt));
        }
        touch(kt, inode);
        ret = ext4_mark_inode_dirty(kt, inode).await;
        kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
    }
    // The kernel drops the error of stopping.
    let _ = ext4_journal_stop(kt).await;
    ret
}

async fn collapse_blocks(kt: &Kthread, inode: InodeId, first: u32, end: u32) -> Result<(), Errno> {
    ext4_discard_preallocations(kt, inode).await;
    kt.with(|w| es_remove_extent(w, inode, first, EXT_MAX_BLOCKS - first));
    ext4_ext_remove_space(kt, inode, first, end - 1).await?;
    ext4_discard_preallocations(kt, inode).await;
    ext4_ext_shift_extents(kt, inode, end, end - first, Direction::Left).await
}

/// `ext4_insert_range()`, fs/ext4/extents.c:5466.
async fn ext4_insert_range(kt: &Kthread, file: FileId, offset: u64, len: u64) -> Result<(), Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    if !has_extents(kt, inode) {
        return Err(Errno::EOPNOTSUPP);
    }
    let cluster = kt.with(|w| block_size(w) << w.sb().cluster_bits);
    if !(offset | len).is_multiple_of(cluster) {
        return Err(Errno::EINVAL);
    }
    call!(kt, &site::EXT4_INSERT_RANGE_FN, &[offset, len], async {
        kt.with(|w| point!(w, EXT4_INSERT_RANGE, ino_of(w, inode), offset, len));
        if kt.with(|w| ext4_should_journal_data(w, inode)) {
            ext4_force_commit(kt).await?;
        }
        down_write(kt, RwSem::IRwsem(inode)).await;
        probe!(kt, EIR_LOCK).await;
        let ret = Box::pin(insert_locked(kt, file, inode, offset, len)).await;
        kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
        ret
    })
    .await
}

async fn insert_locked(kt: &Kthread, file: FileId, inode: InodeId, offset: u64, len: u64) -> Result<(), Errno> {
    let (size, max) = kt.with(|w| (w.sizes.at(inode).i_size, maxbytes(w)));
    if len > max - size {
        return Err(Errno::EFBIG);
    }
    if offset >= size {
        return Err(Errno::EINVAL);
    }
    file_modified(kt, file).await?;
    down_write(kt, RwSem::IMmapSem(inode)).await;
    kt.graph("ext4_break_layouts");
    let ret = insert_unmapped(kt, inode, offset, len).await;
    kt.with(|w| up_write(w, RwSem::IMmapSem(inode)));
    ret
}

async fn insert_unmapped(kt: &Kthread, inode: InodeId, offset: u64, len: u64) -> Result<(), Errno> {
    let page_start = offset / PAGE_SIZE * PAGE_SIZE;
    filemap_write_and_wait_range(kt, inode, page_start, LLONG_MAX).await?;
    probe!(kt, EIR_WRITE).await;
    truncate_pagecache(kt, inode, page_start).await;
    probe!(kt, EIR_PAGES).await;
    let credits = kt.with(|w| {
        graph_writepage_trans_blocks(w, inode);
        ext4_writepage_trans_blocks(w, inode)
    });
    ext4_journal_start(kt, HandleType::Truncate, credits).await?;
    kt.with(|w| {
        let size = w.size_mut(inode);
        size.i_size += len;
        size.i_disksize += len;
    });
    touch(kt, inode);
    let mut ret = ext4_mark_inode_dirty(kt, inode).await;
    if ret.is_ok() {
        let (first, blocks) = kt.with(|w| {
            let block = block_size(w);
            (block_number(offset / block), block_number(len / block))
        });
        down_write(kt, RwSem::IDataSem(inode)).await;
        ret = insert_blocks(kt, inode, first, blocks).await;
        kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
        probe!(kt, EIR_SHIFT).await;
        if kt.with(|w| is_sync(w, inode)) {
            kt.with(|w| ext4_handle_sync(w, kt));
        }
        if ret.is_ok() {
            kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
        }
    }
    // The kernel drops the error of stopping.
    let _ = ext4_journal_stop(kt).await;
    ret
}

async fn insert_blocks(kt: &Kthread, inode: InodeId, first: u32, blocks: u32) -> Result<(), Errno> {
    ext4_discard_preallocations(kt, inode).await;
    let mut path = ExtPath::default();
    ext4_find_extent(kt, inode, first, &mut path, GetBlocks::empty()).await?;
    let mut from = first;
    if let Some(ex) = kt.with(|w| path.extent(w, inode)) {
        if first > ex.block.0 && u64::from(first) < ex.end() {
            let both = SplitFlags::MARK_UNWRIT1 | SplitFlags::MARK_UNWRIT2;
            let split_flags = if ex.unwritten { both } else { SplitFlags::empty() };
            let flags = GetBlocks::EX_NOCACHE | GetBlocks::PRE_IO | GetBlocks::METADATA_NOFAIL;
            split_extent_at(kt, inode, &mut path, first, split_flags, flags).await?;
        }
        // A hole at the file's start: nothing to shift before its first extent.
        from = from.max(ex.block.0);
    }
    kt.with(|w| es_remove_extent(w, inode, first, EXT_MAX_BLOCKS - first));
    ext4_ext_shift_extents(kt, inode, from, blocks, Direction::Right).await
}
