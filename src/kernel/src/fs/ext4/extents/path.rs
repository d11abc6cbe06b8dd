//! Nodes of the tree, and the way from the root to a leaf.

use ondisk::layout::extent::{self, DEPTH_MAX, Extent, Header, Index};
use ondisk::layout::inode;
use ondisk::{Ino, Lblk};
use sched::Kthread;
use world::{BhFlags, BhId, Errno, InodeId, World};

use crate::fs::buffer::{getblk, submit_bh_read, wait_on_buffer};
use crate::fs::ext4::balloc::{has_metadata_csum, layout_errno};
use crate::fs::ext4::ext4_jbd2::{ext4_handle_dirty_metadata, ext4_journal_get_write_access};
use crate::fs::ext4::extents_status::{ES_HOLE, ES_UNWRITTEN, ES_WRITTEN, EXT_MAX_BLOCKS, es_cache_extent};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::GetBlocks;
use crate::mm::page_writeback::ino_of;
use crate::trace::Graph as _;
use crate::{point, probe, site, trace};

/// One node of a path (`struct ext4_ext_path`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    /// The node's buffer; `None` for the root in the inode.
    pub(super) bh: Option<BhId>,
    /// Which entry the path goes through; `None` in an empty leaf.
    pub(super) pos: Option<u16>,
}

/// From the root to the leaf that has, or would have, a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExtPath {
    /// Levels below the root.
    pub(super) depth: u16,
    pub(super) level: [Level; Self::LEVELS],
}

impl ExtPath {
    /// Levels a path can have: the deepest tree, and one that grows under it.
    pub(super) const LEVELS: usize = DEPTH_MAX as usize + 2;

    pub(super) fn leaf(&self) -> Level {
        self.level[usize::from(self.depth)]
    }

    pub(super) fn at(&self, level: u16) -> Level {
        self.level[usize::from(level)]
    }

    /// The extent the path ends at.
    #[must_use]
    pub fn extent(&self, w: &World, inode: InodeId) -> Option<Extent> {
        let leaf = self.leaf();
        Extent::get(node(w, inode, leaf.bh), leaf.pos?)
    }

    /// The index the path goes through at `level`.
    pub(super) fn index(&self, w: &World, inode: InodeId, level: u16) -> Option<Index> {
        let at = self.at(level);
        Index::get(node(w, inode, at.bh), at.pos?)
    }

    pub(super) fn header(&self, w: &World, inode: InodeId, level: u16) -> Result<Header, Errno> {
        Header::parse(node(w, inode, self.at(level).bh)).map_err(|error| layout_errno(&error))
    }

    /// The first logical block of the entry behind the path's one at `level`.
    fn next_at(&self, w: &World, inode: InodeId, level: u16) -> Option<u32> {
        let at = self.at(level);
        let bytes = node(w, inode, at.bh);
        let next = at.pos?.checked_add(1)?;
        if level == self.depth {
            Extent::get(bytes, next).map(|ex| ex.block.0)
        } else {
            Index::get(bytes, next).map(|index| index.block.0)
        }
    }

    /// `ext4_ext_next_allocated_block()`: the first allocated block behind the
    /// path's extent; an index counts as allocated.
    pub(super) fn next_allocated_block(&self, w: &World, inode: InodeId) -> u32 {
        (0..=self.depth).rev().find_map(|level| self.next_at(w, inode, level)).unwrap_or(EXT_MAX_BLOCKS)
    }

    /// `ext4_ext_next_leaf_block()`: the first block of the next leaf.
    pub(super) fn next_leaf_block(&self, w: &World, inode: InodeId) -> u32 {
        (0..self.depth).rev().find_map(|level| self.next_at(w, inode, level)).unwrap_or(EXT_MAX_BLOCKS)
    }

    /// `ext4_ext_search_left()`: the nearest allocated logical block left of
    /// `lblk`, which is not allocated, and its place; `lblk` and 0 if none.
    pub(super) fn search_left(&self, w: &World, inode: InodeId, lblk: u32) -> Result<(u32, u64), Errno> {
        let Some(ex) = self.extent(w, inode) else { return Ok((lblk, 0)) };
        if lblk < ex.block.0 {
            // Then it is the file's first extent.
            return if self.is_leftmost() { Ok((lblk, 0)) } else { Err(Errno::EUCLEAN) };
        }
        let last = u32::from(ex.len) - 1;
        if lblk <= ex.block.0 + last {
            return Err(Errno::EUCLEAN);
        }
        Ok((ex.block.0 + last, ex.start.0 + u64::from(last)))
    }

    fn is_leftmost(&self) -> bool {
        (0..=self.depth).all(|level| self.at(level).pos == Some(0))
    }

    /// `ext4_ext_search_right()`: the same to the right; may read nodes.
    pub(super) async fn search_right(&self, kt: &Kthread, inode: InodeId, lblk: u32) -> Result<(u32, u64), Errno> {
        let Some(ex) = kt.with(|w| self.extent(w, inode)) else { return Ok((lblk, 0)) };
        if lblk < ex.block.0 {
            return if self.is_leftmost() { Ok((ex.block.0, ex.start.0)) } else { Err(Errno::EUCLEAN) };
        }
        if lblk < ex.block.0 + u32::from(ex.len) {
            return Err(Errno::EUCLEAN);
        }
        let leaf = self.leaf();
        let next = leaf.pos.map_or(0, |pos| pos + 1);
        if let Some(ex) = kt.with(|w| Extent::get(node(w, inode, leaf.bh), next)) {
            return Ok((ex.block.0, ex.start.0));
        }
        for level in (0..self.depth).rev() {
            let at = self.at(level);
            let next = at.pos.map_or(0, |pos| pos + 1);
            let Some(mut index) = kt.with(|w| Index::get(node(w, inode, at.bh), next)) else { continue };
            let mut depth = self.depth - level - 1;
            loop {
                let bh = read_extent_tree_block(kt, inode, index, depth, GetBlocks::empty()).await?;
                if depth == 0 {
                    let ex = kt.with(|w| Extent::get(w.bh_bytes(bh), 0)).ok_or(Errno::EUCLEAN)?;
                    return Ok((ex.block.0, ex.start.0));
                }
                index = kt.with(|w| Index::get(w.bh_bytes(bh), 0)).ok_or(Errno::EUCLEAN)?;
                depth -= 1;
            }
        }
        Ok((lblk, 0))
    }

    /// `ext4_ext_check_overlap()`: `len`, cut where the next extent begins.
    pub(super) fn check_overlap(&self, w: &World, inode: InodeId, lblk: u32, len: u32) -> u32 {
        let Some(ex) = self.extent(w, inode) else { return len };
        let bits = w.sb().cluster_bits;
        let mut next = ex.block.0 >> bits << bits;
        if next < lblk {
            next = self.next_allocated_block(w, inode);
            if next != EXT_MAX_BLOCKS {
                next = next >> bits << bits;
            }
        }
        len.min(EXT_MAX_BLOCKS - lblk).min(next.saturating_sub(lblk).max(1))
    }
}

/// A node's bytes.
pub(super) fn node(w: &World, inode: InodeId, bh: Option<BhId>) -> &[u8] {
    match bh {
        Some(bh) => w.bh_bytes(bh),
        None => &w.idata.at(inode).0,
    }
}

/// Changes a node; of a block only the bytes that differ are logged.
pub(super) fn edit_node<R>(w: &mut World, inode: InodeId, bh: Option<BhId>, edit: impl FnOnce(&mut [u8]) -> R) -> R {
    let Some(bh) = bh else { return edit(&mut w.idata_mut(inode).0) };
    let old = w.bh_bytes(bh).to_vec();
    let mut new = old.clone();
    let result = edit(&mut new);
    if let Some(first) = old.iter().zip(&new).position(|(a, b)| a != b) {
        let last = old.iter().zip(&new).rposition(|(a, b)| a != b).unwrap_or(first);
        w.bh_bytes_mut(bh, first, last + 1 - first).copy_from_slice(&new[first..=last]);
    }
    result
}

/// Depth of the tree as the root says (`ext_depth`).
pub(super) fn ext_depth(w: &World, inode: InodeId) -> u16 {
    Header::depth(&w.idata.at(inode).0)
}

pub(super) fn inode_seed(w: &World, inode: InodeId) -> u32 {
    let head = w.inodes.at(inode);
    inode::seed(w.sb().csum_seed, Ino(head.ino), head.generation)
}

/// `ext4_ext_get_access()`: declares that a node will change.
pub(super) async fn ext_get_access(kt: &Kthread, level: Level) -> Result<(), Errno> {
    if let Some(bh) = level.bh {
        ext4_journal_get_write_access(kt, bh).await?;
        kt.with(|w| w.bh_mut(bh).flags.remove(BhFlags::VERIFIED));
    }
    Ok(())
}

/// `ext4_extent_block_csum_set()`.
pub(super) fn csum_set(w: &mut World, inode: InodeId, bh: BhId) {
    if has_metadata_csum(w) {
        let seed = inode_seed(w, inode);
        // A node without room for it has been refused when it was read.
        let _ = edit_node(w, inode, Some(bh), |bytes| extent::update_checksum(bytes, seed));
    }
}

/// `ext4_ext_dirty()`: a node has changed.
pub(super) async fn ext_dirty(kt: &Kthread, inode: InodeId, level: Level) -> Result<(), Errno> {
    match level.bh {
        None => {
            kt.graph("__ext4_ext_dirty {");
            let marked = ext4_mark_inode_dirty(kt, inode).await;
            kt.graph("}");
            marked
        }
        Some(bh) => {
            kt.with(|w| {
                w.graph("__ext4_ext_dirty {");
                csum_set(w, inode, bh);
            });
            ext4_handle_dirty_metadata(kt, Some(inode), bh).await?;
            kt.with(|w| {
                w.bh_mut(bh).flags.insert(BhFlags::VERIFIED);
                w.graph("}");
            });
            Ok(())
        }
    }
}

/// `ext4_ext_check_inode()`: whether the root can be trusted.
///
/// # Errors
/// `EUCLEAN`.
pub fn ext4_ext_check_inode(w: &World, inode: InodeId) -> Result<(), Errno> {
    let root = &w.idata.at(inode).0;
    extent::check(root, Header::depth(root), w.sb().blocks).map(|_| ()).map_err(|error| layout_errno(&error))
}

/// What `__ext4_ext_check()` calls: every entry's blocks are looked at.
fn graph_check(w: &mut World, bh: BhId, depth: u16) {
    if !world::GRAPHS {
        return;
    }
    let bytes = w.bh_bytes(bh);
    let entries = if depth == 0 { Extent::all(bytes).count() } else { Index::all(bytes).count() };
    w.graph("__ext4_ext_check {");
    (0..entries).for_each(|_| w.graph("ext4_inode_block_valid"));
    w.graph("}");
}

/// `__ext4_ext_check()` of a node in a block: its checksum comes last.
fn check_block(w: &World, inode: InodeId, bh: BhId, index: Index, depth: u16) -> Result<(), Errno> {
    let bytes = w.bh_bytes(bh);
    let header = extent::check(bytes, depth, w.sb().blocks).map_err(|error| layout_errno(&error))?;
    if header.max > extent::capacity(u32::try_from(bytes.len()).unwrap_or(0)) {
        return Err(Errno::EUCLEAN);
    }
    let first = if depth == 0 {
        Extent::get(bytes, 0).map(|ex| ex.block)
    } else {
        Index::get(bytes, 0).map(|index| index.block)
    };
    if first.is_some_and(|first| first != index.block) {
        return Err(Errno::EUCLEAN);
    }
    if has_metadata_csum(w) {
        extent::verify_checksum(bytes, inode_seed(w, inode)).map_err(|error| layout_errno(&error))?;
    }
    Ok(())
}

/// `ext4_cache_extents()`: a leaf's extents, and the gaps between them, go into
/// the status tree.
fn cache_extents(w: &mut World, inode: InodeId, bh: Option<BhId>) {
    let extents: Vec<Extent> = Extent::all(node(w, inode, bh)).collect();
    w.graph("ext4_cache_extents {");
    let mut prev = 0;
    for ex in extents {
        if prev != 0 && prev != ex.block.0 {
            es_cache_extent(w, inode, prev, ex.block.0.saturating_sub(prev), 0, ES_HOLE);
        }
        let status = if ex.unwritten { ES_UNWRITTEN } else { ES_WRITTEN };
        es_cache_extent(w, inode, ex.block.0, ex.len.into(), ex.start.0, status);
        prev = ex.block.0.saturating_add(ex.len.into());
    }
    w.graph("}");
}

/// `read_extent_tree_block()`: the node an index points to, checked once.
///
/// # Errors
/// `EIO`, `EUCLEAN`, `EFSBADCRC`.
pub(super) async fn read_extent_tree_block(
    kt: &Kthread,
    inode: InodeId,
    index: Index,
    depth: u16,
    flags: GetBlocks,
) -> Result<BhId, Errno> {
    let bh = kt.with(|w| {
        if index.leaf.0 >= w.sb().blocks {
            return Err(Errno::EUCLEAN);
        }
        w.graph("__read_extent_tree_block {");
        Ok(getblk(w, index.leaf.0))
    })?;
    wait_on_buffer(kt, bh).await;
    if kt.with(|w| !w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)) {
        kt.with(|w| {
            let ino = ino_of(w, inode);
            point!(w, EXT4_EXT_LOAD_EXTENT, ino, index.leaf.0);
            w.graph("ext4_read_bh {");
            submit_bh_read(w, bh, 0);
            if w.bhs.at(bh).flags.contains(BhFlags::LOCK) {
                w.graph("__wait_on_buffer");
            }
            w.graph("}");
        });
        wait_on_buffer(kt, bh).await;
        if kt.with(|w| !w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)) {
            return Err(Errno::EIO);
        }
    }
    kt.with(|w| {
        if w.bhs.at(bh).flags.contains(BhFlags::VERIFIED) {
            w.graph("}");
            return Ok(bh);
        }
        graph_check(w, bh, depth);
        check_block(w, inode, bh, index, depth)?;
        w.bh_mut(bh).flags.insert(BhFlags::VERIFIED);
        if !flags.contains(GetBlocks::EX_NOCACHE) && depth == 0 {
            cache_extents(w, inode, Some(bh));
        }
        w.graph("}");
        Ok(bh)
    })
}

/// `ext4_find_extent()`, fs/ext4/extents.c: the path to the last extent that
/// begins at or before `block`, else to the first one.
///
/// # Errors
/// `EIO`, `EUCLEAN`, `EFSBADCRC` for a damaged tree.
pub async fn ext4_find_extent(
    kt: &Kthread,
    inode: InodeId,
    block: u32,
    path: &mut ExtPath,
    flags: GetBlocks,
) -> Result<(), Errno> {
    let depth = kt.with(|w| ext_depth(w, inode));
    trace::call!(kt, &site::EXT4_FIND_EXTENT, &[u64::from(block), u64::from(depth)], async {
        if depth > DEPTH_MAX {
            return Err(Errno::EUCLEAN);
        }
        *path = ExtPath { depth, ..ExtPath::default() };
        if depth == 0 {
            kt.with(|w| {
                ext4_ext_check_inode(w, inode)?;
                if !flags.contains(GetBlocks::EX_NOCACHE) {
                    cache_extents(w, inode, None);
                }
                Ok(())
            })?;
            probe!(kt, EFE_ROOT).await;
        }
        for level in 0..depth {
            let index = kt.with(|w| {
                let at = path.at(level).bh;
                // A block before the first index goes to the first.
                let pos = extent::search(node(w, inode, at), Lblk(block)).unwrap_or(0);
                path.level[usize::from(level)].pos = Some(pos);
                Index::get(node(w, inode, at), pos).ok_or(Errno::EUCLEAN)
            })?;
            let bh = read_extent_tree_block(kt, inode, index, depth - level - 1, flags).await?;
            path.level[usize::from(level) + 1].bh = Some(bh);
            probe!(kt, EFE_DOWN, node = index.leaf.0).await;
        }
        kt.with(|w| {
            let bytes = node(w, inode, path.leaf().bh);
            let pos = extent::search(bytes, Lblk(block)).or((Header::entries(bytes) > 0).then_some(0));
            path.level[usize::from(depth)].pos = pos;
        });
        probe!(kt, EFE_LEAF).await;
        Ok(())
    })
    .await
}
