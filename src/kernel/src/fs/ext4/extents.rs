//! The extent tree. Mirrors fs/ext4/extents.c.
//!
//! ```text
//!   i_block (60 B)   header | index or extent x 4
//!                               │
//!   block            header | extent x 340 | checksum      (4 KiB)
//! ```
//!
//! | module | what |
//! |---|---|
//! | `path` | nodes, the way down, neighbours |
//! | `insert` | a new extent, split and grown nodes, merging |
//! | `split` | an extent cut in two, written and unwritten turned into each other |
//! | `remove` | truncate and hole punching |
//! | `shift` | extents moved along the file |
//! | `fallocate` | fallocate(2) in all its modes |
//!
//! A damaged node is found when it is read, and gives `EUCLEAN` or `EFSBADCRC`.
//!
//! Not modelled: fast commit; see
//! docs/omissions.md#extents.

pub mod fallocate;
mod insert;
mod path;
mod remove;
mod shift;
mod split;

pub use insert::ext4_ext_insert_extent;
pub use path::{ExtPath, ext4_ext_check_inode, ext4_find_extent};
pub use remove::{ext4_ext_remove_space, ext4_ext_truncate};

use ondisk::layout::extent::{Extent, Header, ROOT_CAPACITY, UNWRITTEN_LEN_MAX, WRITTEN_LEN_MAX};
use ondisk::{Lblk, Pblk};
use sched::Kthread;
use world::{Errno, InodeId, World};

use self::split::{
    convert_initialized_extent, convert_unwritten_extents_endio, ext4_ext_convert_to_initialized, split_convert_extents,
};
use crate::fs::ext4::balloc::{ext4_inode_to_goal_block, is_regular};
use crate::fs::ext4::ext4_jbd2::{
    HandleType, ext4_journal_current_handle, ext4_journal_start, ext4_journal_stop, ext4_update_inode_fsync_trans,
};
use crate::fs::ext4::extents_status::{
    ES_HOLE, EXT_MAX_BLOCKS, es_delayed_clu, es_find_extent_range_to, es_insert_extent,
};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_da_update_reserve_space, ext4_map_blocks};
use crate::fs::ext4::mballoc::{
    AllocationRequest, FreeBlocks, MbFlags, ext4_discard_preallocations, ext4_free_blocks, ext4_mb_new_blocks,
    has_delalloc,
};
use crate::fs::ext4::super_::ext4_meta_trans_blocks;
use crate::mm::page_writeback::ino_of;
use crate::trace::Graph as _;
use crate::{point, probe, site, trace};

/// EXT4_GET_BLOCKS_IO_CONVERT_EXT: after I/O.
const IO_CONVERT_EXT: GetBlocks = GetBlocks::CREATE.union(GetBlocks::UNWRIT_EXT).union(GetBlocks::CONVERT);

/// The answer to a request, and how much of it is used: the C code's out-parameters.
#[derive(Clone, Copy, Debug, Default)]
struct Mapped {
    newblock: u64,
    allocated: u32,
}

/// `ext4_ext_tree_init()`: an empty root. The caller marks the inode dirty.
///
/// # Panics
/// Never: a root has room for its header.
pub fn ext4_ext_tree_init(w: &mut World, inode: InodeId) {
    let header = Header { entries: 0, max: ROOT_CAPACITY, depth: 0, generation: 0 };
    header.write_to(&mut w.idata_mut(inode).0).expect("a root has room for its header");
}

/// `ext4_ext_map_blocks()`, fs/ext4/extents.c: where `map.lblk` lies, allocating
/// or converting what `flags` say. Blocks mapped; 0 for a hole, whose length is
/// then in `map.len`. The caller holds `i_data_sem`, alone if `flags` has CREATE.
///
/// # Errors
/// `EUCLEAN`, `EFSBADCRC`, `EIO` for a damaged tree, `ENOSPC`.
pub async fn ext4_ext_map_blocks(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    flags: GetBlocks,
) -> Result<u32, Errno> {
    let args = [u64::from(map.lblk), u64::from(map.len), u64::from(flags.bits())];
    trace::call!(kt, &site::EXT4_EXT_MAP_BLOCKS, &args, async {
        kt.with(|w| {
            let ino = ino_of(w, inode);
            point!(w, EXT4_EXT_MAP_BLOCKS_ENTER, ino, map.lblk, map.len, flags.bits());
        });
        let result = Box::pin(map_blocks(kt, inode, map, flags)).await;
        kt.with(|w| {
            let ino = ino_of(w, inode);
            point!(
                w,
                EXT4_EXT_MAP_BLOCKS_EXIT,
                ino,
                flags.bits(),
                map.lblk,
                map.pblk,
                map.len,
                map.flags.bits(),
                result
            );
        });
        result
    })
    .await
}

async fn map_blocks(kt: &Kthread, inode: InodeId, map: &mut MapBlocks, flags: GetBlocks) -> Result<u32, Errno> {
    let mut path = ExtPath::default();
    ext4_find_extent(kt, inode, map.lblk, &mut path, GetBlocks::empty()).await?;
    probe!(kt, EEM_FIND, lblk = map.lblk).await;
    let found = kt.with(|w| path.extent(w, inode));
    if found.is_none() && path.depth > 0 {
        return Err(Errno::EUCLEAN);
    }
    if let Some(ex) = found {
        kt.with(|w| {
            let ino = ino_of(w, inode);
            point!(w, EXT4_EXT_SHOW_EXTENT, ino, ex.block.0, ex.start.0, ex.len);
        });
        if let Some(Pblk(newblock)) = ex.map(Lblk(map.lblk)) {
            let allocated = u32::from(ex.len) - (map.lblk - ex.block.0);
            probe!(kt, EEM_FOUND, pblk = newblock, allocated = allocated).await;
            return map_found(kt, inode, map, &mut path, flags, ex, Mapped { newblock, allocated }).await;
        }
    }
    if !flags.contains(GetBlocks::CREATE) {
        let len = kt.with(|w| determine_insert_hole(w, inode, &path, map.lblk));
        map.pblk = 0;
        map.len = map.len.min(len);
        probe!(kt, EEM_HOLE, len = map.len).await;
        return Ok(0);
    }
    allocate(kt, inode, map, &mut path, flags).await
}

/// The extent `ex` at the path's end covers the block.
async fn map_found(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    path: &mut ExtPath,
    flags: GetBlocks,
    ex: Extent,
    mut mapped: Mapped,
) -> Result<u32, Errno> {
    if ex.unwritten {
        return handle_unwritten_extents(kt, inode, map, path, flags, mapped).await;
    }
    if flags.contains(GetBlocks::CONVERT_UNWRITTEN) {
        convert_initialized_extent(kt, inode, map, path, &mut mapped.allocated).await?;
        return Ok(mapped.allocated);
    }
    map.flags.insert(MapFlags::MAPPED);
    map.pblk = mapped.newblock;
    map.len = mapped.allocated.min(map.len);
    Ok(map.len)
}

/// `ext4_ext_handle_unwritten_extents()`: a block of an unwritten extent is split
/// off before I/O, converted after it, or made written at once.
async fn handle_unwritten_extents(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    path: &mut ExtPath,
    flags: GetBlocks,
    mapped: Mapped,
) -> Result<u32, Errno> {
    // Metadata for data that was already promised must not fail.
    let flags = flags | GetBlocks::METADATA_NOFAIL;
    let Mapped { newblock, allocated } = mapped;
    let args = [u64::from(map.lblk), u64::from(map.len), u64::from(flags.bits()), u64::from(allocated)];
    trace::call!(kt, &site::EXT4_EXT_HANDLE_UNWRITTEN_EXTENTS_FN, &args, async {
        kt.with(|w| {
            let ino = ino_of(w, inode);
            point!(
                w,
                EXT4_EXT_HANDLE_UNWRITTEN_EXTENTS,
                ino,
                map.lblk,
                newblock,
                map.len,
                flags.bits(),
                allocated,
                newblock
            );
        });
        let mut allocated = allocated;
        if flags.contains(GetBlocks::PRE_IO) {
            allocated = split_convert_extents(kt, inode, map, path, flags).await?;
            map.flags.insert(MapFlags::UNWRITTEN | MapFlags::NEW | MapFlags::MAPPED);
            probe!(kt, HUE_PRE_IO, allocated = allocated).await;
        } else if flags.contains(GetBlocks::CONVERT) {
            convert_unwritten_extents_endio(kt, inode, map, path).await?;
            kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
            map.flags.insert(MapFlags::MAPPED);
            probe!(kt, HUE_CONVERT, allocated = allocated).await;
        } else if flags.contains(GetBlocks::UNWRIT_EXT) {
            map.flags.insert(MapFlags::UNWRITTEN | MapFlags::MAPPED);
        } else if !flags.contains(GetBlocks::CREATE) {
            map.flags.insert(MapFlags::UNWRITTEN);
        } else {
            allocated = ext4_ext_convert_to_initialized(kt, inode, map, path, flags).await?;
            kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
            map.flags.insert(MapFlags::NEW | MapFlags::MAPPED);
            probe!(kt, HUE_INITIALIZE, allocated = allocated).await;
        }
        if allocated == 0 {
            return Err(Errno::EUCLEAN);
        }
        map.pblk = newblock;
        map.len = allocated.min(map.len);
        Ok(map.len)
    })
    .await
}

/// `ext4_ext_find_hole()`: start and length of the gap around `lblk`; the start
/// only if the path has the extent before it.
fn find_hole(w: &World, inode: InodeId, path: &ExtPath, lblk: u32) -> (u32, u32) {
    match path.extent(w, inode) {
        None => (0, EXT_MAX_BLOCKS),
        Some(ex) if lblk < ex.block.0 => (lblk, ex.block.0 - lblk),
        Some(ex) => {
            let start = ex.block.0 + u32::from(ex.len);
            (start, path.next_allocated_block(w, inode).saturating_sub(start))
        }
    }
}

/// `ext4_ext_determine_insert_hole()`: puts the hole around `lblk` into the
/// status tree, cut where delayed blocks lie; its length from `lblk` on.
fn determine_insert_hole(w: &mut World, inode: InodeId, path: &ExtPath, lblk: u32) -> u32 {
    let (mut start, mut len) = find_hole(w, inode, path, lblk);
    loop {
        let last = start.saturating_add(len.saturating_sub(1));
        let Some((at, es)) = es_find_extent_range_to(w, inode, false, start, last) else { break };
        let end = at.saturating_add(es.len);
        if lblk >= end {
            len -= lblk - start;
            start = lblk;
        } else if lblk >= at {
            return end - lblk;
        } else {
            len = len.min(at - start);
            break;
        }
    }
    es_insert_extent(w, inode, start, len, 0, ES_HOLE);
    len - (lblk - start)
}

/// What `ext4_ext_find_goal()` calls.
fn graph_goal(w: &mut World, inode: InodeId, path: &ExtPath) {
    if !world::GRAPHS {
        return;
    }
    let empty = path.extent(w, inode).is_none() && path.leaf().bh.is_none();
    w.graph(if empty { "ext4_ext_find_goal { ext4_inode_to_goal_block }" } else { "ext4_ext_find_goal" });
}

/// `ext4_ext_find_goal()`: as if the file were laid out in one run.
fn find_goal(w: &World, inode: InodeId, path: &ExtPath, block: u32) -> u64 {
    if let Some(ex) = path.extent(w, inode) {
        return ex.start.0.wrapping_add_signed(i64::from(block) - i64::from(ex.block.0));
    }
    match path.leaf().bh {
        Some(bh) => w.bhs.at(bh).blocknr,
        None => ext4_inode_to_goal_block(w, inode),
    }
}

/// `get_implied_cluster_alloc()`: with clusters, a block next to one that is
/// allocated may lie in a cluster that the file has already.
fn implied_cluster(w: &mut World, inode: InodeId, map: &mut MapBlocks, path: &ExtPath, ex: Option<Extent>) -> bool {
    let Some(ex) = ex else { return false };
    let implied = map_implied_cluster(w, inode, map, path, ex);
    point!(w, EXT4_GET_IMPLIED_CLUSTER_ALLOC_EXIT, map.lblk, map.pblk, map.len, map.flags.bits(), implied);
    implied
}

fn map_implied_cluster(w: &World, inode: InodeId, map: &mut MapBlocks, path: &ExtPath, ex: Extent) -> bool {
    let bits = w.sb().cluster_bits;
    let into = map.lblk & ((1 << bits) - 1);
    let (first, last) = (ex.block.0, ex.block.0 + u32::from(ex.len) - 1);
    let wanted = map.lblk >> bits;
    if wanted != first >> bits && wanted != last >> bits {
        return false;
    }
    let at = if wanted == last >> bits { ex.start.0 + u64::from(ex.len) - 1 } else { ex.start.0 };
    map.pblk = (at >> bits << bits) + u64::from(into);
    map.len = map.len.min((1 << bits) - into);
    if map.lblk < first {
        map.len = map.len.min(first - map.lblk);
    }
    if map.lblk > first {
        map.len = map.len.min(path.next_allocated_block(w, inode) - map.lblk);
    }
    true
}

/// `ext4_clu_mapped()`: whether some block of `lblk`'s cluster has its place on disk.
///
/// # Errors
/// What reading the tree gives.
pub async fn ext4_clu_mapped(kt: &Kthread, inode: InodeId, lblk: u32) -> Result<bool, Errno> {
    let bits = kt.with(|w| w.sb().cluster_bits);
    let first = lblk >> bits << bits;
    let mut path = ExtPath::default();
    ext4_find_extent(kt, inode, first, &mut path, GetBlocks::empty()).await?;
    let Some(ex) = kt.with(|w| path.extent(w, inode)) else { return Ok(false) };
    let touches = |block: u32, end: u64| block >> bits <= lblk >> bits && end > u64::from(first);
    if touches(ex.block.0, ex.end()) {
        return Ok(true);
    }
    let next = kt.with(|w| path.next_allocated_block(w, inode));
    Ok(next != EXT_MAX_BLOCKS && ex.block.0 < first && next >> bits == lblk >> bits)
}

/// The part of `ext4_ext_map_blocks()` that allocates.
async fn allocate(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    path: &mut ExtPath,
    flags: GetBlocks,
) -> Result<u32, Errno> {
    let unwritten = flags.contains(GetBlocks::UNWRIT_EXT);
    let bits = kt.with(|w| w.sb().cluster_bits);
    let into_cluster = map.lblk & ((1 << bits) - 1);
    let mut implied = into_cluster > 0
        && kt.with(|w| {
            let ex = path.extent(w, inode);
            implied_cluster(w, inode, map, path, ex)
        });
    let (mut newblock, mut clusters, mut len) = (map.pblk, 0, map.len);
    if !implied {
        let (lleft, pleft) = kt.with(|w| path.search_left(w, inode, map.lblk))?;
        kt.graph("ext4_ext_search_right");
        let (lright, pright) = path.search_right(kt, inode, map.lblk).await?;
        if bits > 0 && pright > 0 {
            // Of the extent to the right only its begin matters here.
            let right = Extent { block: Lblk(lright), len: 1, unwritten: false, start: Pblk(pright) };
            implied = kt.with(|w| implied_cluster(w, inode, map, path, Some(right)));
        }
        if implied {
            (newblock, len) = (map.pblk, map.len);
        } else {
            map.len = map.len.min(u32::from(if unwritten { UNWRITTEN_LEN_MAX } else { WRITTEN_LEN_MAX }));
            let allocated = kt.with(|w| {
                if path.extent(w, inode).is_some_and(|ex| ex.block.0 < map.lblk) {
                    w.graph("ext4_ext_next_allocated_block");
                }
                path.check_overlap(w, inode, map.lblk, map.len)
            });
            // A cluster's blocks stand in it as they do in the file's own clusters.
            let mut ar = AllocationRequest {
                inode,
                len: (into_cluster + allocated).div_ceil(1 << bits),
                logical: map.lblk - into_cluster,
                goal: kt
                    .with(|w| {
                        graph_goal(w, inode, path);
                        find_goal(w, inode, path, map.lblk)
                    })
                    .wrapping_sub(u64::from(into_cluster)),
                lleft,
                pleft,
                lright,
                pright,
                flags: MbFlags::empty(),
            };
            ar.flags.set(MbFlags::HINT_DATA, kt.with(|w| is_regular(w, inode)));
            ar.flags.set(MbFlags::HINT_NOPREALLOC, flags.contains(GetBlocks::NO_NORMALIZE));
            ar.flags.set(MbFlags::DELALLOC_RESERVED, flags.contains(GetBlocks::DELALLOC_RESERVE));
            ar.flags.set(MbFlags::USE_RESERVED, flags.contains(GetBlocks::METADATA_NOFAIL));
            newblock = ext4_mb_new_blocks(kt, &mut ar).await? + u64::from(into_cluster);
            clusters = ar.len;
            len = ((clusters << bits) - into_cluster).min(allocated);
        }
    }
    probe!(kt, EEM_ALLOC, pblk = newblock, allocated = len).await;

    let newex = Extent {
        block: Lblk(map.lblk),
        len: u16::try_from(len).expect("the request was cut to an extent's length"),
        unwritten,
        start: Pblk(newblock),
    };
    if unwritten {
        map.flags.insert(MapFlags::UNWRITTEN);
    }
    if let Err(errno) = ext4_ext_insert_extent(kt, inode, path, newex, flags).await {
        if clusters > 0 {
            ext4_discard_preallocations(kt, inode).await;
            let delayed = flags.contains(GetBlocks::DELALLOC_RESERVE);
            let free = if delayed { FreeBlocks::NO_QUOT_UPDATE } else { FreeBlocks::empty() };
            let (first, count) = (newblock - u64::from(into_cluster), u64::from(clusters) << bits);
            // The first error is the one to tell.
            let _: Result<(), Errno> = ext4_free_blocks(kt, inode, None, first, count, free).await;
        }
        return Err(errno);
    }
    probe!(kt, EEM_INSERT, allocated = len).await;
    if clusters > 0 && kt.with(|w| has_delalloc(w)) {
        if flags.contains(GetBlocks::DELALLOC_RESERVE) {
            ext4_da_update_reserve_space(kt, inode, clusters, true).await;
            probe!(kt, EEM_RESERVED).await;
        } else {
            kt.graph("ext4_es_delayed_clu");
            let delayed = kt.with(|w| es_delayed_clu(w, inode, map.lblk - into_cluster, clusters << bits));
            if delayed > 0 {
                ext4_da_update_reserve_space(kt, inode, delayed, false).await;
                probe!(kt, EEM_RESERVED).await;
            }
        }
    }
    kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, !unwritten));
    map.flags.insert(MapFlags::NEW | MapFlags::MAPPED);
    map.pblk = newblock;
    map.len = len;
    Ok(len)
}

/// `ext4_convert_unwritten_extents()`, fs/ext4/extents.c: data of this byte range
/// is on disk, so its extents become written. Inside the caller's handle, else
/// in one of its own for each extent.
///
/// # Errors
/// What the mapping or the handle gives.
pub async fn ext4_convert_unwritten_extents(
    kt: &Kthread,
    inode: InodeId,
    offset_bytes: u64,
    len_bytes: u64,
) -> Result<(), Errno> {
    trace::call!(kt, &site::EXT4_CONVERT_UNWRITTEN_EXTENTS, &[offset_bytes, len_bytes], async {
        let bits = kt.with(|w| w.sb().block_bits);
        let first = offset_bytes >> bits;
        let end = (offset_bytes + len_bytes).div_ceil(1 << bits);
        let too_far = |_| Errno::EFBIG;
        let mut lblk = u32::try_from(first).map_err(too_far)?;
        let mut left = u32::try_from(end - first).map_err(too_far)?;
        let own_handle = kt.with(|w| ext4_journal_current_handle(w, kt).is_none());
        while left > 0 {
            if own_handle {
                let credits = kt.with(|w| ext4_meta_trans_blocks(w, inode, left, 1));
                ext4_journal_start(kt, HandleType::MapBlocks, credits).await?;
            }
            let mut map = MapBlocks { lblk, len: left, ..MapBlocks::default() };
            let converted = ext4_map_blocks(kt, inode, &mut map, IO_CONVERT_EXT).await;
            let marked = ext4_mark_inode_dirty(kt, inode).await;
            let stopped = if own_handle { ext4_journal_stop(kt).await } else { Ok(()) };
            let count = converted?;
            marked.and(stopped)?;
            if count == 0 {
                break;
            }
            probe!(kt, CUE_MAP, ret = count).await;
            lblk += count;
            left -= count.min(left);
        }
        Ok(())
    })
    .await
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
