//! Block maps: files without extents. Mirrors fs/ext4/indirect.c.
//!
//! ```text
//!   i_block  0 .. 11 ──────────────────────────────► data
//!                 12 ──► pointers ─────────────────► data
//!                 13 ──► pointers ──► pointers ────► data
//!                 14 ──► one level more
//! ```
//!
//! A pointer is a block number of 32 bits, 0 for a hole; a block holds as many as
//! fit, without header or checksum. New blocks are chained to each other first;
//! the last link to be set is the one from the block, or inode, that was there.
//!
//! `remove` frees: truncate and punch.
//!
//! A damaged pointer is found when the inode or the block that holds it is read
//! for the first time (`EUCLEAN`, `EIO`), or when it is followed. The kernel
//! replaces one that lies outside the file system when it allocates.
//!
//! Not modelled: the migration to extents, see docs/omissions.md#indirect.

mod remove;

pub use remove::{ext4_ind_remove_space, ext4_ind_truncate};

use std::ops::Range;

use sched::Kthread;
use world::{BhFlags, BhId, Errno, InodeId, World};

use crate::fs::buffer::{block_size, bread, getblk, wait_on_buffer};
use crate::fs::ext4::balloc::{ext4_inode_block_valid, ext4_inode_to_goal_block, ext4_new_meta_blocks, is_regular};
use crate::fs::ext4::ext4_jbd2::{
    ext4_handle_dirty_metadata, ext4_journal_get_write_access, ext4_update_inode_fsync_trans,
};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_da_update_reserve_space};
use crate::fs::ext4::mballoc::{AllocationRequest, FreeBlocks, MbFlags, ext4_free_blocks, ext4_mb_new_blocks};
use crate::mm::page_writeback::ino_of;
use crate::trace::Graph as _;
use crate::{point, probe, site, trace};

/// Pointers in the inode to data (EXT4_NDIR_BLOCKS).
const NDIR_BLOCKS: u16 = 12;
/// The pointer to a block of pointers.
const IND_BLOCK: u16 = 12;
/// The pointer two levels above data.
const DIND_BLOCK: u16 = 13;
/// The pointer three levels above data.
const TIND_BLOCK: u16 = 14;
/// Bytes of a pointer.
const POINTER_SIZE: usize = 4;
/// Largest block number a pointer can hold (EXT4_MAX_BLOCK_FILE_PHYS).
const MAX_BLOCK_FILE_PHYS: u64 = u32::MAX as u64;

/// Where a logical block's pointer is found, level by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Path {
    /// Levels: 1 for a pointer in the inode.
    depth: usize,
    /// The place of the pointer in each.
    offsets: [u16; 4],
    /// Pointers behind it in the last block.
    boundary: u32,
}

/// One link of the way to a block: what the pointer `at` of a block, or of the
/// inode, holds (`Indirect`).
#[derive(Clone, Copy, Debug, Default)]
struct Indirect {
    bh: Option<BhId>,
    at: u16,
    key: u32,
}

/// The links followed, from the inode down.
#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    link: [Indirect; 4],
    /// The last of them.
    last: usize,
}

/// EXT4_ADDR_PER_BLOCK_BITS.
fn addr_bits(w: &World) -> u32 {
    u32::from(w.sb().block_bits) - 2
}

/// EXT4_ADDR_PER_BLOCK.
fn addr_per_block(w: &World) -> u16 {
    1 << addr_bits(w)
}

/// A pointer of a block, or of the inode.
fn pointer(w: &World, inode: InodeId, bh: Option<BhId>, at: u16) -> u32 {
    let bytes = match bh {
        Some(bh) => w.bh_bytes(bh),
        None => &w.idata.at(inode).0,
    };
    let from = usize::from(at) * POINTER_SIZE;
    bytes[from..].first_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// The bytes of the pointers in a range, to be changed.
fn pointers_mut(w: &mut World, inode: InodeId, bh: Option<BhId>, range: Range<u16>) -> &mut [u8] {
    let (from, end) = (usize::from(range.start) * POINTER_SIZE, usize::from(range.end) * POINTER_SIZE);
    match bh {
        Some(bh) => w.bh_bytes_mut(bh, from, end - from),
        None => &mut w.idata_mut(inode).0[from..end],
    }
}

/// The pointer `n` behind `at`.
fn behind(at: u16, n: u32) -> u16 {
    u16::try_from(n).ok().and_then(|n| at.checked_add(n)).expect("a block has fewer than 2^16 pointers")
}

/// A block number as a pointer holds it.
fn as_pointer(block: u64) -> u32 {
    u32::try_from(block).expect("a file system with block maps has fewer than 2^32 blocks")
}

/// `ext4_block_to_path()`, fs/ext4/indirect.c:74: `None` behind the last block
/// that three levels reach.
fn ext4_block_to_path(w: &World, block: u32) -> Option<Path> {
    let bits = addr_bits(w);
    let pointers = u64::from(addr_per_block(w));
    let slot = |value: u64| u16::try_from(value % pointers).expect("fewer than 2^16 pointers in a block");
    let direct = u64::from(NDIR_BLOCKS);
    if u64::from(block) < direct {
        return Some(Path {
            depth: 1,
            offsets: [slot(block.into()), 0, 0, 0],
            boundary: u32::from(NDIR_BLOCKS - 1) - block,
        });
    }
    let single = u64::from(block) - direct;
    let double = single.wrapping_sub(pointers);
    let triple = double.wrapping_sub(pointers << bits);
    let (depth, offsets, rest) = if single < pointers {
        (2, [IND_BLOCK, slot(single), 0, 0], single)
    } else if double < pointers << bits {
        (3, [DIND_BLOCK, slot(double >> bits), slot(double), 0], double)
    } else if triple < pointers << (2 * bits) {
        (4, [TIND_BLOCK, slot(triple >> (2 * bits)), slot(triple >> bits), slot(triple)], triple)
    } else {
        return None;
    };
    Some(Path { depth, offsets, boundary: u32::from(addr_per_block(w) - 1 - slot(rest)) })
}

/// `ext4_check_blockref()`, fs/ext4/block_validity.c:351: the pointers to data of
/// an inode, or all of a block, lie in the file system and not on its metadata.
///
/// # Errors
/// `EUCLEAN`.
pub fn ext4_check_blockref(w: &mut World, pointers: &[u8]) -> Result<(), Errno> {
    let (chunks, _) = pointers.as_chunks::<POINTER_SIZE>();
    let mut blocks = chunks.iter().map(|bytes| u64::from(u32::from_le_bytes(*bytes))).filter(|&block| block != 0);
    // A run is inside if each of its blocks is.
    let Some(mut first) = blocks.next() else { return Ok(()) };
    let mut count = 1;
    loop {
        let next = blocks.next();
        if next == Some(first + count) {
            count += 1;
            continue;
        }
        if !ext4_inode_block_valid(w, first, count) {
            return Err(Errno::EUCLEAN);
        }
        let Some(block) = next else { return Ok(()) };
        (first, count) = (block, 1);
    }
}

/// `ext4_ind_check_inode()`: the pointers to data in a raw inode's `i_block`.
///
/// # Errors
/// `EUCLEAN`.
pub fn ext4_ind_check_inode(w: &mut World, i_block: &[u8]) -> Result<(), Errno> {
    ext4_check_blockref(w, &i_block[..usize::from(NDIR_BLOCKS) * POINTER_SIZE])
}

/// `ext4_get_branch()`, fs/ext4/indirect.c:144: follows the pointers of `path`
/// through `depth` levels; true if there is one in each. The caller holds `i_data_sem`.
///
/// # Errors
/// `EIO` for a block of pointers that cannot be read or, at its first reading,
/// names blocks that cannot be; `EUCLEAN` for a pointer outside the file system.
async fn ext4_get_branch(
    kt: &Kthread,
    inode: InodeId,
    path: &Path,
    depth: usize,
    chain: &mut Chain,
) -> Result<bool, Errno> {
    trace::call!(kt, &site::EXT4_GET_BRANCH, &[depth as u64], async {
        let mut bh = None;
        for level in 0..depth {
            let at = path.offsets[level];
            let key = kt.with(|w| pointer(w, inode, bh, at));
            chain.link[level] = Indirect { bh, at, key };
            chain.last = level;
            if key == 0 {
                return Ok(false);
            }
            if level + 1 < depth {
                bh = Some(read_pointers(kt, inode, key).await?);
                probe!(kt, GBR_READ, block = key).await;
            }
        }
        Ok(true)
    })
    .await
}

/// A block of pointers on the way down, checked when it is read from the device.
async fn read_pointers(kt: &Kthread, inode: InodeId, key: u32) -> Result<BhId, Errno> {
    let blocks = kt.with(|w| w.sb().blocks);
    if u64::from(key) > blocks {
        return Err(Errno::EUCLEAN);
    }
    if u64::from(key) == blocks {
        return Err(Errno::EIO); // behind the device's last block
    }
    let bh = kt.with(|w| getblk(w, key.into()));
    wait_on_buffer(kt, bh).await;
    if kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)) {
        return Ok(bh);
    }
    bread(kt, key.into(), 0).await?;
    kt.with(|w| {
        let bytes = w.bh_bytes(bh).to_vec();
        // The kernel does not pass the check's own error on.
        let checked = w.inodes.at(inode).ino == JOURNAL_INO || ext4_check_blockref(w, &bytes).is_ok();
        if checked { Ok(bh) } else { Err(Errno::EIO) }
    })
}

/// The journal's own map is not checked.
const JOURNAL_INO: u32 = 8;

/// `ext4_find_goal()`, fs/ext4/indirect.c:251: near the pointer before the one to
/// be set, else near the block it lies in, else in the inode's group.
fn ext4_find_goal(w: &mut World, inode: InodeId, partial: &Indirect) -> u64 {
    let before = (0..partial.at).rev().map(|at| pointer(w, inode, partial.bh, at)).find(|&block| block != 0);
    let near = match (before, partial.bh) {
        (Some(block), _) => block.into(),
        (None, Some(bh)) => w.bhs.at(bh).blocknr,
        (None, None) => {
            w.graph("ext4_inode_to_goal_block");
            ext4_inode_to_goal_block(w, inode)
        }
    };
    near & MAX_BLOCK_FILE_PHYS
}

/// `ext4_blks_to_allocate()`, fs/ext4/indirect.c:277: data blocks to take at once,
/// no further than the last pointer of a block, nor to one that is set.
fn ext4_blks_to_allocate(
    w: &World,
    inode: InodeId,
    partial: &Indirect,
    new_levels: usize,
    len: u32,
    boundary: u32,
) -> u32 {
    let most = len.min(boundary + 1);
    if new_levels > 0 {
        return most;
    }
    let taken = (1..most).find(|&n| pointer(w, inode, partial.bh, behind(partial.at, n)) != 0);
    taken.unwrap_or(most)
}

/// `ext4_alloc_branch()`, fs/ext4/indirect.c:328: `branch.len() - 1` blocks of
/// pointers and a run of data blocks, linked to each other but to nothing else.
///
/// # Errors
/// What the allocator gives; what was taken is free again.
async fn ext4_alloc_branch(
    kt: &Kthread,
    ar: &mut AllocationRequest,
    offsets: &[u16],
    branch: &mut [Indirect],
) -> Result<(), Errno> {
    let inode = ar.inode;
    let indirect_blks = branch.len() - 1;
    trace::call!(kt, &site::EXT4_ALLOC_BRANCH, &[indirect_blks as u64, ar.goal], async {
        for i in 0..=indirect_blks {
            let allocated = if i == indirect_blks {
                ext4_mb_new_blocks(kt, ar).await
            } else {
                ext4_new_meta_blocks(kt, inode, ar.goal, ar.flags & MbFlags::DELALLOC_RESERVED).await
            };
            let block = match allocated {
                Ok(block) => block,
                Err(errno) => {
                    free_branch(kt, inode, branch, i).await;
                    probe!(kt, ABR_FAILED, err = errno).await;
                    return Err(errno);
                }
            };
            probe!(kt, ABR_BLOCK, block = block).await;
            if i < indirect_blks {
                ar.goal = block;
            }
            branch[i].key = as_pointer(block);
            if i > 0 {
                let len = if i == indirect_blks { ar.len } else { 1 };
                branch[i].bh = Some(fill_pointers(kt, inode, branch[i - 1].key, offsets[i], block, len).await?);
                branch[i].at = offsets[i];
                probe!(kt, ABR_FILLED, block = branch[i - 1].key).await;
            }
        }
        Ok(())
    })
    .await
}

/// A new block of pointers: all holes but `len` from `at`, to `block` and what follows it.
async fn fill_pointers(kt: &Kthread, inode: InodeId, of: u32, at: u16, block: u64, len: u32) -> Result<BhId, Errno> {
    let bh = kt.with(|w| getblk(w, of.into()));
    ext4_journal_get_write_access(kt, bh).await?;
    kt.with(|w| {
        let size = usize::try_from(block_size(w)).expect("a block size is small");
        w.bh_bytes_mut(bh, 0, size).fill(0);
        set_run(w, inode, Some(bh), at, block, len);
        w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
    });
    ext4_handle_dirty_metadata(kt, Some(inode), bh).await?;
    Ok(bh)
}

/// Points `len` pointers from `at` on to a run of blocks.
fn set_run(w: &mut World, inode: InodeId, bh: Option<BhId>, at: u16, block: u64, len: u32) {
    let slots = pointers_mut(w, inode, bh, at..behind(at, len)).as_chunks_mut::<POINTER_SIZE>().0;
    for (slot, block) in slots.iter_mut().zip(block..) {
        *slot = as_pointer(block).to_le_bytes();
    }
}

/// What a failed [`ext4_alloc_branch`] gives back: the first `count` blocks of
/// pointers, the last taken first.
async fn free_branch(kt: &Kthread, inode: InodeId, branch: &[Indirect], count: usize) {
    for i in (0..count).rev() {
        let bh = branch.get(i + 1).and_then(|next| next.bh);
        let flags = if bh.is_some() { FreeBlocks::FORGET } else { FreeBlocks::empty() };
        // The first error is the one to tell.
        let _: Result<(), Errno> = ext4_free_blocks(kt, inode, bh, branch[i].key.into(), 1, flags).await;
    }
}

/// `ext4_splice_branch()`, fs/ext4/indirect.c:424: sets the missing link, and
/// those behind it if they are to data.
///
/// # Errors
/// `EIO` after a shutdown; the new blocks are free again.
async fn ext4_splice_branch(kt: &Kthread, ar: &AllocationRequest, branch: &[Indirect]) -> Result<(), Errno> {
    let (inode, first, num) = (ar.inode, branch[0], branch.len() - 1);
    trace::call!(kt, &site::EXT4_SPLICE_BRANCH, &[num as u64, u64::from(ar.len)], async {
        if let Some(bh) = first.bh {
            ext4_journal_get_write_access(kt, bh).await?;
        }
        let len = if num == 0 { ar.len } else { 1 };
        kt.with(|w| set_run(w, inode, first.bh, first.at, first.key.into(), len));
        probe!(kt, SPL_LINK, block = first.key).await;
        let done = match first.bh {
            Some(bh) => ext4_handle_dirty_metadata(kt, Some(inode), bh).await,
            None => ext4_mark_inode_dirty(kt, inode).await,
        };
        if let Err(errno) = done {
            // The first error is the one to tell.
            for (above, link) in branch.iter().zip(&branch[1..]) {
                let block = above.key.into();
                let _: Result<(), Errno> = ext4_free_blocks(kt, inode, link.bh, block, 1, FreeBlocks::FORGET).await;
            }
            let (data, count) = (branch[num].key.into(), ar.len.into());
            let _: Result<(), Errno> = ext4_free_blocks(kt, inode, None, data, count, FreeBlocks::empty()).await;
            return Err(errno);
        }
        Ok(())
    })
    .await
}

/// `ext4_ind_map_blocks()`, fs/ext4/indirect.c:528, for [`ext4_map_blocks`]: the
/// blocks mapped, 0 for a hole, whose length is then in `map.len`.
///
/// [`ext4_map_blocks`]: crate::fs::ext4::inode::map::ext4_map_blocks
///
/// # Errors
/// `EIO` for an unreadable block, or behind the last one that can be; `EUCLEAN`
/// for a damaged pointer, or on a file system with clusters; `ENOSPC`.
pub async fn ext4_ind_map_blocks(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    flags: GetBlocks,
) -> Result<u32, Errno> {
    let args = [u64::from(map.lblk), u64::from(map.len), u64::from(flags.bits())];
    trace::call!(kt, &site::EXT4_IND_MAP_BLOCKS, &args, async {
        kt.with(|w| {
            let ino = ino_of(w, inode);
            point!(w, EXT4_IND_MAP_BLOCKS_ENTER, ino, map.lblk, map.len, flags.bits());
        });
        let result = Box::pin(map_blocks(kt, inode, map, flags)).await;
        kt.with(|w| {
            let (ino, mflags) = (ino_of(w, inode), map.flags.bits());
            point!(w, EXT4_IND_MAP_BLOCKS_EXIT, ino, flags.bits(), map.lblk, map.pblk, map.len, mflags, result);
        });
        result
    })
    .await
}

async fn map_blocks(kt: &Kthread, inode: InodeId, map: &mut MapBlocks, flags: GetBlocks) -> Result<u32, Errno> {
    kt.graph("ext4_block_to_path");
    let path = kt.with(|w| ext4_block_to_path(w, map.lblk)).ok_or(Errno::EIO)?;
    let mut chain = Chain::default();
    let found = ext4_get_branch(kt, inode, &path, path.depth, &mut chain).await;
    probe!(kt, IMB_BRANCH, lblk = map.lblk).await;
    if found == Ok(true) {
        let last = chain.link[path.depth - 1];
        let most = map.len.min(path.boundary + 1);
        let count = kt.with(|w| {
            let goes_on = |n: u32| last.key.checked_add(n) == Some(pointer(w, inode, last.bh, behind(last.at, n)));
            (1..most).find(|&n| !goes_on(n)).unwrap_or(most)
        });
        probe!(kt, IMB_FOUND, pblk = last.key, count = count).await;
        return Ok(got_it(map, &path, last.key, count));
    }
    if !flags.contains(GetBlocks::CREATE) {
        // As many as the missing pointer could lead to, from here on.
        let pointers = kt.with(|w| u64::from(addr_per_block(w)));
        let below = &path.offsets[chain.last + 1..path.depth];
        let hole = 1 + below.iter().fold(0, |hole, &at| hole * pointers + (pointers - u64::from(at) - 1));
        map.pblk = 0;
        map.len = map.len.min(u32::try_from(hole).unwrap_or(u32::MAX));
        probe!(kt, IMB_HOLE, len = map.len).await;
        return found.map(|_| 0);
    }
    if found == Err(Errno::EIO) {
        return Err(Errno::EIO);
    }
    if kt.with(|w| w.sb().cluster_bits) > 0 {
        return Err(Errno::EUCLEAN);
    }
    allocate(kt, inode, map, flags, &path, &mut chain).await
}

/// The part of `ext4_ind_map_blocks()` that allocates.
async fn allocate(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    flags: GetBlocks,
    path: &Path,
    chain: &mut Chain,
) -> Result<u32, Errno> {
    let partial = chain.last;
    let missing = chain.link[partial];
    let indirect_blks = path.depth - partial - 1;
    let mut ar = AllocationRequest { inode, logical: map.lblk, ..AllocationRequest::default() };
    kt.with(|w| {
        ar.flags.set(MbFlags::HINT_DATA, is_regular(w, inode));
        ar.goal = ext4_find_goal(w, inode, &missing);
        ar.len = ext4_blks_to_allocate(w, inode, &missing, indirect_blks, map.len, path.boundary);
    });
    let delayed = flags.contains(GetBlocks::DELALLOC_RESERVE);
    ar.flags.set(MbFlags::DELALLOC_RESERVED, delayed);
    ar.flags.set(MbFlags::USE_RESERVED, flags.contains(GetBlocks::METADATA_NOFAIL));
    let branch = &mut chain.link[partial..path.depth];
    ext4_alloc_branch(kt, &mut ar, &path.offsets[partial..path.depth], branch).await?;
    probe!(kt, IMB_ALLOC, count = ar.len).await;
    ext4_splice_branch(kt, &ar, branch).await?;
    probe!(kt, IMB_SPLICE).await;
    map.flags.insert(MapFlags::NEW);
    kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
    if delayed {
        ext4_da_update_reserve_space(kt, inode, ar.len, true).await;
        probe!(kt, IMB_RESERVED).await;
    }
    Ok(got_it(map, path, chain.link[path.depth - 1].key, ar.len))
}

/// The kernel's `got_it:`.
fn got_it(map: &mut MapBlocks, path: &Path, pblk: u32, count: u32) -> u32 {
    map.flags.insert(MapFlags::MAPPED);
    map.flags.set(MapFlags::BOUNDARY, count > path.boundary);
    map.pblk = pblk.into();
    map.len = count;
    count
}
