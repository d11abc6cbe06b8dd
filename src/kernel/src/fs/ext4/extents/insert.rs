//! A new extent in the tree: into a neighbour, a leaf, or a leaf made for it.

use ondisk::layout::extent::{self, Extent, Header, Index, ROOT_CAPACITY, UNWRITTEN_LEN_MAX, WRITTEN_LEN_MAX};
use ondisk::{LayoutError, Lblk, Pblk};
use sched::Kthread;
use world::{BhFlags, BhId, Errno, InodeId, World};

use super::find_goal;
use super::path::{ExtPath, csum_set, edit_node, ext_depth, ext_dirty, ext_get_access, ext4_find_extent, node};
use crate::fs::buffer::getblk;
use crate::fs::ext4::balloc::{ext4_inode_to_goal_block, ext4_new_meta_blocks, layout_errno};
use crate::fs::ext4::ext4_jbd2::{ext4_handle_dirty_metadata, ext4_journal_get_write_access};
use crate::fs::ext4::extents_status::EXT_MAX_BLOCKS;
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::GetBlocks;
use crate::fs::ext4::mballoc::{FreeBlocks, MbFlags, ext4_free_blocks};
use crate::trace::Graph as _;
use crate::{probe, site, trace};

fn damaged(error: LayoutError) -> Errno {
    layout_errno(&error)
}

/// `ext4_can_extents_be_merged()`: `b` follows `a` in the file and on the device,
/// is of its kind, and both fit one extent.
pub(super) fn can_be_merged(a: Extent, b: Extent) -> bool {
    let max = if a.unwritten { UNWRITTEN_LEN_MAX } else { WRITTEN_LEN_MAX };
    a.unwritten == b.unwritten
        && a.end() == u64::from(b.block.0)
        && u32::from(a.len) + u32::from(b.len) <= u32::from(max)
        && a.start.0 + u64::from(a.len) == b.start.0
}

/// `ext4_ext_insert_extent()`, fs/ext4/extents.c: puts `newex` into the tree.
/// `path` leads to where it belongs, and afterwards to where it is.
///
/// # Errors
/// `ENOSPC` if a node is needed and there is no block for it; `EUCLEAN`.
pub async fn ext4_ext_insert_extent(
    kt: &Kthread,
    inode: InodeId,
    path: &mut ExtPath,
    newex: Extent,
    flags: GetBlocks,
) -> Result<(), Errno> {
    let args = [u64::from(newex.block.0), u64::from(newex.len), newex.start.0];
    trace::call!(kt, &site::EXT4_EXT_INSERT_EXTENT, &args, Box::pin(insert(kt, inode, path, newex, flags))).await
}

async fn insert(
    kt: &Kthread,
    inode: InodeId,
    path: &mut ExtPath,
    newex: Extent,
    flags: GetBlocks,
) -> Result<(), Errno> {
    if newex.len == 0 {
        return Err(Errno::EUCLEAN);
    }
    let merge = !flags.contains(GetBlocks::PRE_IO);
    if merge && kt.with(|w| path.extent(w, inode).is_some()) {
        kt.graph("ext4_can_extents_be_merged");
    }
    if merge && let Some((pos, merged)) = kt.with(|w| merge_candidate(w, inode, path, newex)) {
        let leaf = path.leaf();
        ext_get_access(kt, leaf).await?;
        kt.with(|w| edit_node(w, inode, leaf.bh, |bytes| merged.put(bytes, pos))).map_err(damaged)?;
        probe!(kt, EIE_MERGE).await;
        return finish(kt, inode, path, pos, merge).await;
    }
    let header = kt.with(|w| path.header(w, inode, path.depth))?;
    let mut other = None;
    if header.entries >= header.max {
        other = next_leaf_with_room(kt, inode, path, newex, flags).await?;
        if other.is_none() {
            let mut mb_flags = MbFlags::empty();
            mb_flags.set(MbFlags::DELALLOC_RESERVED, flags.contains(GetBlocks::DELALLOC_RESERVE));
            mb_flags.set(MbFlags::USE_RESERVED, flags.contains(GetBlocks::METADATA_NOFAIL));
            create_new_leaf(kt, inode, path, newex, mb_flags, flags).await?;
            probe!(kt, EIE_FULL).await;
        }
    }
    let path = match &mut other {
        Some(next) => next,
        None => path,
    };
    let leaf = path.leaf();
    ext_get_access(kt, leaf).await?;
    let pos = kt.with(|w| {
        let pos = match path.extent(w, inode) {
            None => 0,
            Some(near) if near.block == newex.block => return Err(Errno::EUCLEAN),
            Some(near) => leaf.pos.unwrap_or(0) + u16::from(newex.block > near.block),
        };
        edit_node(w, inode, leaf.bh, |bytes| {
            extent::open_slot(bytes, pos)?;
            newex.put(bytes, pos)
        })
        .map_err(damaged)?;
        Ok(pos)
    })?;
    path.level[usize::from(path.depth)].pos = Some(pos);
    probe!(kt, EIE_PUT, entries = header.entries + 1).await;
    finish(kt, inode, path, pos, merge).await
}

/// The end of `ext4_ext_insert_extent()`: merging, indexes above, dirty.
async fn finish(kt: &Kthread, inode: InodeId, path: &mut ExtPath, pos: u16, merge: bool) -> Result<(), Errno> {
    if merge {
        try_to_merge(kt, inode, path, pos).await?;
    }
    kt.graph("ext4_ext_correct_indexes");
    correct_indexes(kt, inode, path).await?;
    ext_dirty(kt, inode, path.leaf()).await?;
    probe!(kt, EIE_DONE).await;
    Ok(())
}

/// The neighbour that `newex` can be appended or prepended to, as it becomes.
fn merge_candidate(w: &World, inode: InodeId, path: &ExtPath, newex: Extent) -> Option<(u16, Extent)> {
    let bytes = node(w, inode, path.leaf().bh);
    let mut pos = path.leaf().pos?;
    let mut ex = Extent::get(bytes, pos)?;
    let last = Header::entries(bytes) - 1;
    let mut append = true;
    if pos < last && ex.end() < u64::from(newex.block.0) {
        pos += 1;
        append = false;
    } else if pos > 0 && newex.end() < u64::from(ex.block.0) {
        pos -= 1;
    }
    ex = if pos == path.leaf().pos? { ex } else { Extent::get(bytes, pos)? };
    if append && can_be_merged(ex, newex) {
        return Some((pos, Extent { len: ex.len + newex.len, ..ex }));
    }
    can_be_merged(newex, ex).then(|| (pos, Extent { len: ex.len + newex.len, ..newex }))
}

/// The path into the next leaf, if it has room and `newex` goes behind this one.
async fn next_leaf_with_room(
    kt: &Kthread,
    inode: InodeId,
    path: &ExtPath,
    newex: Extent,
    flags: GetBlocks,
) -> Result<Option<ExtPath>, Errno> {
    let next = kt.with(|w| {
        let bytes = node(w, inode, path.leaf().bh);
        let last = Extent::get(bytes, Header::entries(bytes).saturating_sub(1))?;
        (newex.block > last.block).then(|| path.next_leaf_block(w, inode))
    });
    let Some(next) = next.filter(|&next| next != EXT_MAX_BLOCKS) else { return Ok(None) };
    let mut other = ExtPath::default();
    ext4_find_extent(kt, inode, next, &mut other, flags).await?;
    let header = kt.with(|w| other.header(w, inode, other.depth))?;
    Ok((header.entries < header.max).then_some(other))
}

/// `ext4_ext_create_new_leaf()`: splits below the lowest index with room, or
/// grows the tree; `path` then leads to where `newex` belongs.
async fn create_new_leaf(
    kt: &Kthread,
    inode: InodeId,
    path: &mut ExtPath,
    newex: Extent,
    mb_flags: MbFlags,
    flags: GetBlocks,
) -> Result<(), Errno> {
    loop {
        let with_room = kt.with(|w| {
            (0..path.depth)
                .rev()
                .find(|&level| path.header(w, inode, level).is_ok_and(|header| header.entries < header.max))
        });
        if let Some(level) = with_room {
            split(kt, inode, path, newex, level, mb_flags).await?;
            return ext4_find_extent(kt, inode, newex.block.0, path, flags).await;
        }
        grow_indepth(kt, inode, mb_flags).await?;
        ext4_find_extent(kt, inode, newex.block.0, path, flags).await?;
        // Only a leaf that moved down has room now; else the grown tree is split.
        let header = kt.with(|w| path.header(w, inode, path.depth))?;
        if header.entries < header.max {
            return Ok(());
        }
    }
}

/// A fresh buffer for a node of the tree, zeroed but for what `fill` writes.
async fn new_node(
    kt: &Kthread,
    inode: InodeId,
    block: u64,
    fill: impl FnOnce(&mut [u8]) -> Result<(), LayoutError>,
) -> Result<BhId, Errno> {
    let bh = kt.with(|w| {
        let bh = getblk(w, block);
        let flags = &mut w.bh_mut(bh).flags;
        flags.insert(BhFlags::UPTODATE);
        flags.remove(BhFlags::VERIFIED);
        bh
    });
    ext4_journal_get_write_access(kt, bh).await?;
    kt.with(|w| {
        edit_node(w, inode, Some(bh), |bytes| {
            bytes.fill(0);
            fill(bytes)
        })
        .map_err(damaged)?;
        csum_set(w, inode, bh);
        Ok(bh)
    })?;
    ext4_handle_dirty_metadata(kt, Some(inode), bh).await?;
    Ok(bh)
}

fn block_capacity(w: &World) -> u16 {
    extent::capacity(1 << w.sb().block_bits)
}

/// Entries from `from` on move out of a node: its new count, and their bytes.
fn entries_from(bytes: &[u8], from: u16) -> Vec<u8> {
    let start = extent::ENTRY_SIZE * (usize::from(from) + 1);
    let end = extent::ENTRY_SIZE * (usize::from(Header::entries(bytes)) + 1);
    bytes.get(start..end).unwrap_or(&[]).to_vec()
}

/// `ext4_ext_split()`: a new leaf, and new indexes above it up to level `at`,
/// which has room for one more. What stands behind the path moves over.
async fn split(
    kt: &Kthread,
    inode: InodeId,
    path: &ExtPath,
    newex: Extent,
    at: u16,
    mb_flags: MbFlags,
) -> Result<(), Errno> {
    let args = [u64::from(at), u64::from(path.depth)];
    trace::call!(kt, &site::EXT4_EXT_SPLIT, &args, async {
        let mut blocks = Vec::new();
        let result = split_into(kt, inode, path, newex, at, mb_flags, &mut blocks).await;
        if result.is_err() {
            for block in blocks {
                // The first error is the one to tell.
                let _: Result<(), Errno> = ext4_free_blocks(kt, inode, None, block, 1, FreeBlocks::METADATA).await;
            }
        }
        result
    })
    .await
}

async fn split_into(
    kt: &Kthread,
    inode: InodeId,
    path: &ExtPath,
    newex: Extent,
    at: u16,
    mb_flags: MbFlags,
    blocks: &mut Vec<u64>,
) -> Result<(), Errno> {
    let depth = path.depth;
    let leaf = path.leaf();
    let pos = leaf.pos.ok_or(Errno::EUCLEAN)?;
    // A full leaf: either what follows the path moves, or the new extent alone.
    let border = kt.with(|w| {
        let header = path.header(w, inode, depth)?;
        if header.entries != header.max {
            return Err(Errno::EUCLEAN);
        }
        Ok(Extent::get(node(w, inode, leaf.bh), pos + 1).map_or(newex.block, |next| next.block))
    })?;
    for _ in at..depth {
        let goal = kt.with(|w| find_goal(w, inode, path, newex.block.0));
        blocks.push(ext4_new_meta_blocks(kt, inode, goal, mb_flags).await?);
    }
    probe!(kt, EES_BLOCKS, border = border.0).await;
    let mut newblock = *blocks.last().ok_or(Errno::EUCLEAN)?;
    let capacity = kt.with(|w| block_capacity(w));
    let moved = kt.with(|w| entries_from(node(w, inode, leaf.bh), pos + 1));
    new_node(kt, inode, newblock, |bytes| fill_node(bytes, 0, capacity, &moved)).await?;
    if !moved.is_empty() {
        ext_get_access(kt, leaf).await?;
        kt.with(|w| edit_node(w, inode, leaf.bh, |bytes| Header::set_entries(bytes, pos + 1))).map_err(damaged)?;
        ext_dirty(kt, inode, leaf).await?;
    }
    probe!(kt, EES_LEAF, newblock = newblock).await;

    let mut unused = blocks.len() - 1;
    for level in (at + 1..depth).rev() {
        let old = newblock;
        unused -= 1;
        newblock = blocks[unused];
        let this = path.at(level);
        let pos = this.pos.ok_or(Errno::EUCLEAN)?;
        let behind = kt.with(|w| entries_from(node(w, inode, this.bh), pos + 1));
        let mut entries = vec![0; extent::ENTRY_SIZE];
        Index { block: border, leaf: Pblk(old) }.write_to(&mut entries).map_err(damaged)?;
        entries.extend_from_slice(&behind);
        new_node(kt, inode, newblock, |bytes| fill_node(bytes, depth - level, capacity, &entries)).await?;
        if !behind.is_empty() {
            ext_get_access(kt, this).await?;
            kt.with(|w| edit_node(w, inode, this.bh, |bytes| Header::set_entries(bytes, pos + 1))).map_err(damaged)?;
            ext_dirty(kt, inode, this).await?;
        }
    }
    insert_index(kt, inode, path, at, Index { block: border, leaf: Pblk(newblock) }).await?;
    probe!(kt, EES_INDEX).await;
    Ok(())
}

/// Header and entries of a new node; the rest stays zero.
fn fill_node(bytes: &mut [u8], depth: u16, max: u16, entries: &[u8]) -> Result<(), LayoutError> {
    let count = u16::try_from(entries.len() / extent::ENTRY_SIZE).unwrap_or(u16::MAX);
    Header { entries: count, max, depth, generation: 0 }.write_to(bytes)?;
    bytes[extent::ENTRY_SIZE..extent::ENTRY_SIZE + entries.len()].copy_from_slice(entries);
    Ok(())
}

/// `ext4_ext_insert_index()`: beside the path's index at `level`.
async fn insert_index(kt: &Kthread, inode: InodeId, path: &ExtPath, level: u16, new: Index) -> Result<(), Errno> {
    let this = path.at(level);
    ext_get_access(kt, this).await?;
    kt.with(|w| {
        let near = path.index(w, inode, level).ok_or(Errno::EUCLEAN)?;
        if near.block == new.block {
            return Err(Errno::EUCLEAN);
        }
        let pos = this.pos.unwrap_or(0) + u16::from(new.block > near.block);
        edit_node(w, inode, this.bh, |bytes| {
            extent::open_slot(bytes, pos)?;
            new.put(bytes, pos)
        })
        .map_err(damaged)
    })?;
    ext_dirty(kt, inode, this).await
}

/// `ext4_ext_grow_indepth()`: the root moves into a block, and becomes one index.
async fn grow_indepth(kt: &Kthread, inode: InodeId, mb_flags: MbFlags) -> Result<(), Errno> {
    let depth = kt.with(|w| ext_depth(w, inode));
    trace::call!(kt, &site::EXT4_EXT_GROW_INDEPTH, &[u64::from(depth)], async {
        let (goal, flags) = kt.with(|w| {
            let first = if depth > 0 { Index::get(&w.idata.at(inode).0, 0).map_or(0, |index| index.leaf.0) } else { 0 };
            if first > u64::from(w.sb().first_data_block) {
                (first - 1, mb_flags | MbFlags::HINT_TRY_GOAL)
            } else {
                (ext4_inode_to_goal_block(w, inode), mb_flags)
            }
        });
        let newblock = ext4_new_meta_blocks(kt, inode, goal, flags).await?;
        probe!(kt, EEG_BLOCK, newblock = newblock).await;
        let (root, capacity) = kt.with(|w| (*w.idata.at(inode), block_capacity(w)));
        new_node(kt, inode, newblock, |bytes| {
            bytes[..root.0.len()].copy_from_slice(&root.0);
            let header = Header::parse(bytes)?;
            Header { max: capacity, ..header }.write_to(bytes)
        })
        .await?;
        probe!(kt, EEG_COPY).await;
        kt.with(|w| {
            let bytes = &mut w.idata_mut(inode).0;
            let header = Header::parse(bytes)?;
            let block = if depth == 0 {
                Extent::get(bytes, 0).map_or(Lblk(0), |ex| ex.block)
            } else {
                Index::get(bytes, 0).map_or(Lblk(0), |index| index.block)
            };
            Header { entries: 1, max: ROOT_CAPACITY, depth: depth + 1, ..header }.write_to(bytes)?;
            Index { block, leaf: Pblk(newblock) }.put(bytes, 0)
        })
        .map_err(damaged)?;
        ext4_mark_inode_dirty(kt, inode).await?;
        probe!(kt, EEG_ROOT).await;
        Ok(())
    })
    .await
}

/// `ext4_ext_try_to_merge_right()`: as long as the entry behind `pos` continues it.
pub(super) fn merge_right(w: &mut World, inode: InodeId, bh: Option<BhId>, pos: u16) -> Result<bool, Errno> {
    let mut merged = false;
    w.graph("ext4_ext_try_to_merge_right {");
    loop {
        let bytes = node(w, inode, bh);
        let (Some(a), Some(b)) = (Extent::get(bytes, pos), Extent::get(bytes, pos + 1)) else { break };
        w.graph("ext4_can_extents_be_merged");
        if !can_be_merged(a, b) {
            break;
        }
        edit_node(w, inode, bh, |bytes| {
            Extent { len: a.len + b.len, ..a }.put(bytes, pos)?;
            extent::close_slot(bytes, pos + 1)
        })
        .map_err(damaged)?;
        merged = true;
    }
    w.graph("}");
    Ok(merged)
}

/// `ext4_ext_try_to_merge()`: into the left neighbour, else the right ones into
/// this; then the tree's only leaf may fit the inode.
pub(super) async fn try_to_merge(kt: &Kthread, inode: InodeId, path: &mut ExtPath, pos: u16) -> Result<(), Errno> {
    let leaf = path.leaf();
    kt.with(|w| {
        w.graph("ext4_ext_try_to_merge {");
        let left = pos > 0 && merge_right(w, inode, leaf.bh, pos - 1)?;
        if !left {
            merge_right(w, inode, leaf.bh, pos)?;
        }
        w.graph("}");
        Ok::<(), Errno>(())
    })?;
    merge_up(kt, inode, path).await
}

/// `ext4_ext_try_to_merge_up()`, fs/ext4/extents.c:1788: a tree of one leaf with
/// at most four extents goes back into the inode; the leaf is freed.
///
/// Not modelled: running out of credits, when the kernel leaves the leaf.
async fn merge_up(kt: &Kthread, inode: InodeId, path: &mut ExtPath) -> Result<(), Errno> {
    if path.depth != 1 {
        return Ok(());
    }
    let leaf = path.leaf();
    let freed = kt.with(|w| {
        let root = Header::parse(&w.idata.at(inode).0).map_err(damaged)?;
        let header = Header::parse(node(w, inode, leaf.bh)).map_err(damaged)?;
        if root.entries != 1 || header.entries > ROOT_CAPACITY {
            return Ok(None);
        }
        let block = path.index(w, inode, 0).ok_or(Errno::EUCLEAN)?.leaf.0;
        let used = extent::ENTRY_SIZE * (usize::from(header.entries) + 1);
        let moved = node(w, inode, leaf.bh)[..used].to_vec();
        let bytes = &mut w.idata_mut(inode).0;
        bytes[..used].copy_from_slice(&moved);
        Header { max: ROOT_CAPACITY, ..header }.write_to(bytes).map_err(damaged)?;
        Ok(Some(block))
    })?;
    let Some(block) = freed else { return Ok(()) };
    path.depth = 0;
    path.level[0].pos = leaf.pos;
    path.level[1].bh = None;
    ext4_free_blocks(kt, inode, None, block, 1, FreeBlocks::METADATA | FreeBlocks::FORGET).await
}

/// `ext4_ext_correct_indexes()`: if the leaf's first extent changed, the indexes
/// above say so.
pub(super) async fn correct_indexes(kt: &Kthread, inode: InodeId, path: &ExtPath) -> Result<(), Errno> {
    if path.depth == 0 || path.leaf().pos != Some(0) {
        return Ok(());
    }
    let border = kt.with(|w| path.extent(w, inode)).ok_or(Errno::EUCLEAN)?.block;
    for level in (0..path.depth).rev() {
        if level + 1 < path.depth && path.at(level + 1).pos != Some(0) {
            break;
        }
        let this = path.at(level);
        ext_get_access(kt, this).await?;
        kt.with(|w| {
            let index = path.index(w, inode, level).ok_or(Errno::EUCLEAN)?;
            let pos = this.pos.unwrap_or(0);
            edit_node(w, inode, this.bh, |bytes| Index { block: border, ..index }.put(bytes, pos)).map_err(damaged)
        })?;
        ext_dirty(kt, inode, this).await?;
    }
    Ok(())
}
