//! Extents taken out of the tree, from the right: truncate and punch.

use ondisk::Pblk;
use ondisk::layout::extent::{self, Extent, Header, Index, ROOT_CAPACITY};
use sched::Kthread;
use world::{Errno, InodeId, InodeState, World};

use super::insert::correct_indexes;
use super::path::{ExtPath, Level, edit_node, ext_depth, ext_dirty, ext_get_access, ext4_find_extent, node};
use super::path::{ext4_ext_check_inode, read_extent_tree_block};
use super::split::{SplitFlags, split_extent_at};
use crate::fs::ext4::balloc::{dirtyclusters_add, freeclusters_add, is_regular, layout_errno, sub_inode_blocks};
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::extents_status::{EXT_MAX_BLOCKS, es_remove_extent, es_scan_clu};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::GetBlocks;
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::mballoc::{FreeBlocks, ext4_free_blocks};
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::mm::page_writeback::ino_of;
use crate::{point, probe, site, trace};

/// `enum partial_state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
enum PartialState {
    /// Nothing is known.
    #[default]
    Initial = 0,
    /// To be freed, unless an extent further left has blocks in it.
    ToFree = 1,
    /// Not to be freed: an extent further right stays in it.
    NoFree = 2,
}

/// `struct partial_cluster`: the cluster that the removed part ends in, on its left.
#[derive(Clone, Copy, Debug, Default)]
struct Partial {
    pclu: u64,
    lblk: u32,
    state: PartialState,
}

impl Partial {
    fn words(self) -> [u64; 3] {
        [self.pclu, u64::from(self.lblk), self.state as u64]
    }
}

/// `get_default_free_blocks_flags()`.
fn default_flags(w: &World, inode: InodeId) -> FreeBlocks {
    if !is_regular(w, inode) {
        FreeBlocks::METADATA | FreeBlocks::FORGET
    } else if ext4_should_journal_data(w, inode) {
        FreeBlocks::FORGET
    } else {
        FreeBlocks::empty()
    }
}

/// Frees the whole cluster; where delayed blocks wait for it too, it becomes a
/// reservation of theirs again (`ext4_rereserve_cluster()`).
async fn free_cluster(kt: &Kthread, inode: InodeId, pclu: u64, lblk: u32) {
    let (bits, mut flags) = kt.with(|w| (w.sb().cluster_bits, default_flags(w, inode)));
    let again = kt.with(|w| es_scan_clu(w, inode, lblk, false));
    flags.set(FreeBlocks::RERESERVE_CLUSTER, again);
    // A cluster that cannot be freed stays in use; the kernel goes on too.
    let _: Result<(), Errno> = ext4_free_blocks(kt, inode, None, pclu << bits, 1 << bits, flags).await;
    if again {
        kt.with(|w| {
            sub_inode_blocks(w, inode, 1);
            w.size_mut(inode).reserved += 1;
            dirtyclusters_add(w, 1);
            freeclusters_add(w, 1);
        });
        // dquot_reclaim_block()
        mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
    }
}

/// `ext4_ext_truncate()`, fs/ext4/extents.c: everything behind `i_size` goes, in
/// the status tree and in the extent tree. The caller has a handle and holds
/// `i_data_sem` alone.
///
/// # Errors
/// What [`ext4_ext_remove_space`] gives.
pub async fn ext4_ext_truncate(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let first = kt.with(|w| {
        let size = w.size_mut(inode);
        size.i_disksize = size.i_size;
        size.i_size
    });
    ext4_mark_inode_dirty(kt, inode).await?;
    let first = kt.with(|w| {
        let first = u32::try_from(first.div_ceil(1 << w.sb().block_bits)).unwrap_or(EXT_MAX_BLOCKS);
        es_remove_extent(w, inode, first, EXT_MAX_BLOCKS - first);
        first
    });
    ext4_ext_remove_space(kt, inode, first, EXT_MAX_BLOCKS - 1).await
}

/// `ext4_ext_remove_space()`, fs/ext4/extents.c: frees blocks `start..=end`; up
/// to the last possible block is a truncate.
///
/// Not modelled: restarting the handle when its credits run out.
///
/// # Errors
/// `EUCLEAN`, `EFSBADCRC`, `EIO` for a damaged tree, `ENOSPC` if an extent has to
/// be split and there is no block for a node.
pub async fn ext4_ext_remove_space(kt: &Kthread, inode: InodeId, start: u32, end: u32) -> Result<(), Errno> {
    let depth = kt.with(|w| ext_depth(w, inode));
    let args = [u64::from(start), u64::from(end), u64::from(depth)];
    trace::call!(kt, &site::EXT4_EXT_REMOVE_SPACE_FN, &args, async {
        ext4_journal_start(kt, HandleType::Truncate, u32::from(depth) + 1).await?;
        let result = Box::pin(remove_space(kt, inode, start, end)).await;
        let stopped = ext4_journal_stop(kt).await;
        result.and(stopped)
    })
    .await
}

async fn remove_space(kt: &Kthread, inode: InodeId, start: u32, end: u32) -> Result<(), Errno> {
    kt.with(|w| {
        let (ino, depth) = (ino_of(w, inode), ext_depth(w, inode));
        point!(w, EXT4_EXT_REMOVE_SPACE, ino, start, end, depth);
        ext4_ext_check_inode(w, inode)
    })?;
    let mut path = ExtPath::default();
    let punch = end < EXT_MAX_BLOCKS - 1;
    let bits = kt.with(|w| w.sb().cluster_bits);
    let mut partial = Partial::default();
    if punch {
        let flags = GetBlocks::EX_NOCACHE;
        ext4_find_extent(kt, inode, end, &mut path, flags).await?;
        let Some(ex) = kt.with(|w| path.extent(w, inode)) else {
            return if path.depth == 0 { Ok(()) } else { Err(Errno::EUCLEAN) };
        };
        if end >= ex.block.0 && u64::from(end) + 1 < ex.end() {
            // `ext4_force_split_extent_at()`: so that only tails have to be cut.
            let both = SplitFlags::MARK_UNWRIT1 | SplitFlags::MARK_UNWRIT2;
            let split_flags = if ex.unwritten { both } else { SplitFlags::empty() };
            let flags = flags | GetBlocks::PRE_IO | GetBlocks::METADATA_NOFAIL;
            if bits > 0 {
                let behind = ex.start.0 + u64::from(end - ex.block.0 + 1);
                partial = Partial { pclu: behind >> bits, lblk: 0, state: PartialState::NoFree };
            }
            split_extent_at(kt, inode, &mut path, end + 1, split_flags, flags).await?;
            probe!(kt, ERS_SPLIT).await;
        } else if bits > 0 && u64::from(end) + 1 >= ex.end() {
            // A cluster that the extent behind the hole shares has to stay.
            let (_, pblk) = path.search_right(kt, inode, u32::try_from(ex.end()).unwrap_or(EXT_MAX_BLOCKS)).await?;
            if pblk > 0 {
                partial = Partial { pclu: pblk >> bits, lblk: 0, state: PartialState::NoFree };
            }
        }
    } else {
        path.depth = kt.with(|w| ext_depth(w, inode));
    }
    let depth = path.depth;
    remove_leaves(kt, inode, &mut path, start, end, punch, &mut partial).await?;
    let entries = kt.with(|w| {
        let (ino, left) = (ino_of(w, inode), Header::entries(&w.idata.at(inode).0));
        let [pclu, lblk, state] = partial.words();
        point!(w, EXT4_EXT_REMOVE_SPACE_DONE, ino, start, end, depth, pclu, lblk, state, left);
        left
    });
    if partial.state == PartialState::ToFree {
        free_cluster(kt, inode, partial.pclu, partial.lblk).await;
    }
    if entries == 0 {
        kt.with(|w| {
            let root = &mut w.idata_mut(inode).0;
            let header = Header::parse(root)?;
            Header { depth: 0, max: ROOT_CAPACITY, ..header }.write_to(root)
        })
        .map_err(|error| layout_errno(&error))?;
        ext4_mark_inode_dirty(kt, inode).await?;
        probe!(kt, ERS_EMPTY).await;
    }
    Ok(())
}

/// The walk of `ext4_ext_remove_space()`: from the path's leaf (a punch), or from
/// the last one, to the left, as long as the node just done was emptied.
async fn remove_leaves(
    kt: &Kthread,
    inode: InodeId,
    path: &mut ExtPath,
    start: u32,
    end: u32,
    punch: bool,
    partial: &mut Partial,
) -> Result<(), Errno> {
    // Per level: indexes when the walk last went down, as `p_block` has it; a
    // punch goes one to the left even if its first leaf stays.
    let mut before = [u16::MAX; ExtPath::LEVELS];
    let mut fresh = !punch;
    let mut level = if punch { path.depth } else { 0 };
    loop {
        let slot = usize::from(level);
        if level == path.depth {
            remove_leaf(kt, inode, path, start, end, partial).await?;
            probe!(kt, ERS_LEAF).await;
        } else {
            let this = path.at(level);
            let entries = kt.with(|w| Header::entries(node(w, inode, this.bh)));
            let pos = if fresh { entries.checked_sub(1) } else { this.pos.and_then(|pos| pos.checked_sub(1)) };
            if fresh {
                before[slot] = u16::MAX;
            }
            if pos.is_some() && entries != before[slot] {
                path.level[slot].pos = pos;
                let index = kt.with(|w| path.index(w, inode, level)).ok_or(Errno::EUCLEAN)?;
                let depth = path.depth - level - 1;
                let bh = read_extent_tree_block(kt, inode, index, depth, GetBlocks::EX_NOCACHE).await?;
                path.level[slot + 1] = Level { bh: Some(bh), pos: None };
                before[slot] = entries;
                level += 1;
                fresh = true;
                continue;
            }
            if entries == 0 && level > 0 {
                remove_index(kt, inode, path, level).await?;
            }
        }
        fresh = false;
        let Some(up) = level.checked_sub(1) else { return Ok(()) };
        level = up;
    }
}

/// `ext4_ext_rm_leaf()`: cuts or removes the extents of the path's leaf that lie
/// in `start..=end`, from the path's entry to the left.
async fn remove_leaf(
    kt: &Kthread,
    inode: InodeId,
    path: &mut ExtPath,
    start: u32,
    end: u32,
    partial: &mut Partial,
) -> Result<(), Errno> {
    let leaf = path.leaf();
    let bits = kt.with(|w| w.sb().cluster_bits);
    let first = kt.with(|w| {
        let bytes = node(w, inode, leaf.bh);
        let pos = leaf.pos.or(Header::entries(bytes).checked_sub(1));
        // What the kernel takes for the last extent of an empty leaf is its header.
        let ex = pos.map_or_else(|| Extent::parse(bytes).ok(), |pos| Extent::get(bytes, pos)).ok_or(Errno::EUCLEAN)?;
        let (ino, block, pblk) = (ino_of(w, inode), ex.block.0, ex.start.0);
        let [pclu, lblk, state] = partial.words();
        point!(w, EXT4_EXT_RM_LEAF, ino, start, block, pblk, ex.len, pclu, lblk, state);
        Ok::<_, Errno>(pos)
    })?;
    let Some(mut pos) = first else { return Ok(()) };
    let mut first_changed = false;
    let mut stopped_at = Some(pos);
    loop {
        let ex = kt.with(|w| Extent::get(node(w, inode, leaf.bh), pos)).ok_or(Errno::EUCLEAN)?;
        if ex.end() <= u64::from(start) {
            break;
        }
        path.level[usize::from(path.depth)].pos = Some(pos);
        if end < ex.block.0 && bits > 0 {
            // Behind what goes: its first cluster may be shared with that.
            *partial = Partial { pclu: ex.start.0 >> bits, lblk: 0, state: PartialState::NoFree };
        }
        if end >= ex.block.0 {
            if u64::from(end) + 1 < ex.end() {
                return Err(Errno::EUCLEAN);
            }
            first_changed |= pos == 0;
            ext_get_access(kt, leaf).await?;
            let from = start.max(ex.block.0);
            remove_blocks(kt, inode, ex, from, partial).await?;
            let kept = u16::try_from(from - ex.block.0).map_err(|_| Errno::EUCLEAN)?;
            kt.with(|w| cut_entry(w, inode, path, pos, Extent { len: kept, ..ex }, end))?;
            ext_dirty(kt, inode, leaf).await?;
        }
        let Some(before) = pos.checked_sub(1) else {
            stopped_at = None;
            break;
        };
        pos = before;
        stopped_at = Some(pos);
    }
    let left = kt.with(|w| Header::entries(node(w, inode, leaf.bh)));
    if first_changed && left > 0 {
        correct_indexes(kt, inode, path).await?;
    }
    if partial.state == PartialState::ToFree
        && let Some(pos) = stopped_at
    {
        let ex = kt.with(|w| Extent::get(node(w, inode, leaf.bh), pos)).ok_or(Errno::EUCLEAN)?;
        if partial.pclu != (ex.start.0 + u64::from(ex.len) - 1) >> bits {
            free_cluster(kt, inode, partial.pclu, partial.lblk).await;
        }
        partial.state = PartialState::Initial;
    }
    if left == 0 && path.depth > 0 {
        remove_index(kt, inode, path, path.depth).await?;
    }
    Ok(())
}

/// Writes a cut extent back; one of no blocks leaves the leaf.
fn cut_entry(w: &mut World, inode: InodeId, path: &ExtPath, pos: u16, ex: Extent, end: u32) -> Result<(), Errno> {
    edit_node(w, inode, path.leaf().bh, |bytes| {
        if ex.len > 0 {
            return ex.put(bytes, pos);
        }
        let entries = Header::entries(bytes);
        // The kernel leaves the slot behind the last extent with no length and place.
        let gone = Extent { len: 0, unwritten: false, start: Pblk(0), ..ex };
        if end == EXT_MAX_BLOCKS - 1 {
            gone.put(bytes, pos)?;
            return Header::set_entries(bytes, entries - 1);
        }
        extent::close_slot(bytes, pos)?;
        let last = extent::ENTRY_SIZE * usize::from(entries);
        bytes[last..last + extent::ENTRY_SIZE].fill(0);
        Ok(())
    })
    .map_err(|error| layout_errno(&error))
}

/// `ext4_remove_blocks()`: frees an extent's blocks from `from` to its end. Of a
/// cluster that is left in part, `partial` says what becomes of it.
async fn remove_blocks(
    kt: &Kthread,
    inode: InodeId,
    ex: Extent,
    from: u32,
    partial: &mut Partial,
) -> Result<(), Errno> {
    let last = ex.block.0 + (u32::from(ex.len) - 1);
    let bits = kt.with(|w| {
        let ino = ino_of(w, inode);
        let (block, pblk) = (ex.block.0, ex.start.0);
        let [pclu, lblk, state] = partial.words();
        point!(w, EXT4_REMOVE_BLOCKS, ino, block, pblk, ex.len, from, last, pclu, lblk, state);
        w.sb().cluster_bits
    });
    let last_pclu = (ex.start.0 + u64::from(ex.len) - 1) >> bits;
    if partial.state != PartialState::Initial && partial.pclu != last_pclu {
        if partial.state == PartialState::ToFree {
            free_cluster(kt, inode, partial.pclu, partial.lblk).await;
        }
        partial.state = PartialState::Initial;
    }
    let into = u64::from(from - ex.block.0);
    let (pblk, count) = (ex.start.0 + into, u64::from(ex.len) - into);
    let ratio = 1u32 << bits;
    // Only the end lies inside a cluster.
    if last % ratio != ratio - 1 && last >> bits << bits >= from && partial.state != PartialState::NoFree {
        free_cluster(kt, inode, last_pclu, last).await;
        partial.state = PartialState::Initial;
    }
    let flags = kt.with(|w| default_flags(w, inode));
    let flags = flags | FreeBlocks::NOFREE_FIRST_CLUSTER | FreeBlocks::NOFREE_LAST_CLUSTER;
    // A block that cannot be freed stays in use; the kernel goes on too.
    let _: Result<(), Errno> = ext4_free_blocks(kt, inode, None, pblk, count, flags).await;
    if partial.state != PartialState::Initial && partial.pclu != pblk >> bits {
        partial.state = PartialState::Initial;
    }
    if !from.is_multiple_of(ratio) && from == ex.block.0 {
        if partial.state == PartialState::Initial {
            *partial = Partial { pclu: pblk >> bits, lblk: from, state: PartialState::ToFree };
        }
    } else {
        partial.state = PartialState::Initial;
    }
    Ok(())
}

/// `ext4_ext_rm_idx()`: the emptied node at `level` goes, with the index above it.
async fn remove_index(kt: &Kthread, inode: InodeId, path: &mut ExtPath, level: u16) -> Result<(), Errno> {
    let mut above = level - 1;
    let this = path.at(above);
    let pos = this.pos.ok_or(Errno::EUCLEAN)?;
    let index = kt.with(|w| path.index(w, inode, above)).ok_or(Errno::EUCLEAN)?;
    ext_get_access(kt, this).await?;
    kt.with(|w| edit_node(w, inode, this.bh, |bytes| extent::close_slot(bytes, pos)))
        .map_err(|error| layout_errno(&error))?;
    ext_dirty(kt, inode, this).await?;
    kt.with(|w| {
        let ino = ino_of(w, inode);
        point!(w, EXT4_EXT_RM_IDX, ino, index.leaf.0);
    });
    let flags = FreeBlocks::METADATA | FreeBlocks::FORGET;
    ext4_free_blocks(kt, inode, None, index.leaf.0, 1, flags).await?;
    // The node's first index went: those above name what is first now.
    while above > 0 && path.at(above).pos == Some(0) {
        let Some(first) = kt.with(|w| path.index(w, inode, above)) else { break };
        above -= 1;
        let this = path.at(above);
        ext_get_access(kt, this).await?;
        kt.with(|w| {
            let index = path.index(w, inode, above).ok_or(Errno::EUCLEAN)?;
            let pos = this.pos.unwrap_or(0);
            edit_node(w, inode, this.bh, |bytes| Index { block: first.block, ..index }.put(bytes, pos))
                .map_err(|error| layout_errno(&error))
        })?;
        ext_dirty(kt, inode, this).await?;
    }
    Ok(())
}
