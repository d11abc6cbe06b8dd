//! Extents moved along the file, for collapse and insert.

use ondisk::Lblk;
use ondisk::layout::extent::{Extent, Header, Index};
use sched::Kthread;
use world::{Errno, InodeId};

use super::insert::merge_right;
use super::path::{ExtPath, edit_node, ext_dirty, ext_get_access, ext4_find_extent, node};
use crate::fs::ext4::balloc::layout_errno;
use crate::fs::ext4::extents_status::EXT_MAX_BLOCKS;
use crate::fs::ext4::inode::map::GetBlocks;
use crate::{probe, site, trace};

/// `enum SHIFT_DIRECTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Towards the file's start.
    Left,
    /// Towards its end.
    Right,
}

impl Direction {
    fn apply(self, block: u32, shift: u32) -> Result<u32, Errno> {
        match self {
            Direction::Left => block.checked_sub(shift),
            Direction::Right => block.checked_add(shift),
        }
        .ok_or(Errno::EUCLEAN)
    }
}

/// `ext4_ext_shift_extents()`, fs/ext4/extents.c:5171: all extents from block
/// `start` on move by `shift` blocks, leaf by leaf: from the left for
/// [`Direction::Left`], else from the right. The caller has a handle and holds
/// `i_data_sem` alone.
///
/// Not modelled: restarting the handle when its credits run out.
///
/// # Errors
/// `EINVAL` if there is no room to move to; `EUCLEAN`, `EFSBADCRC`, `EIO` for a
/// damaged tree.
pub(super) async fn ext4_ext_shift_extents(
    kt: &Kthread,
    inode: InodeId,
    start: u32,
    shift: u32,
    direction: Direction,
) -> Result<(), Errno> {
    trace::call!(kt, &site::EXT4_EXT_SHIFT_EXTENTS, &[u64::from(start), u64::from(shift)], async {
        let flags = GetBlocks::EX_NOCACHE;
        let mut path = ExtPath::default();
        ext4_find_extent(kt, inode, EXT_MAX_BLOCKS - 1, &mut path, flags).await?;
        let Some(last) = kt.with(|w| path.extent(w, inode)) else { return Ok(()) };
        let mut stop = last.block.0;
        if direction == Direction::Left {
            ext4_find_extent(kt, inode, start - 1, &mut path, flags).await?;
            let before = kt.with(|w| path.extent(w, inode));
            let (ex_start, ex_end) = before.map_or((0, 0), |ex| (u64::from(ex.block.0), ex.end()));
            let (from, by) = (u64::from(start), u64::from(shift));
            // With nothing before `start`, what is found is the first extent
            // itself: v5.10's difference wraps, and there is room.
            if from == ex_start && by > ex_start || from >= ex_end && by > from - ex_end {
                return Err(Errno::EINVAL);
            }
        } else if u64::from(shift) > u64::from(EXT_MAX_BLOCKS) - last.end() {
            return Err(Errno::EINVAL);
        }
        let mut at = start;
        let mut done = false;
        while !done && (if direction == Direction::Left { at <= stop } else { start <= stop }) {
            let here = if direction == Direction::Left { at } else { stop };
            ext4_find_extent(kt, inode, here, &mut path, flags).await?;
            let ex = kt.with(|w| path.extent(w, inode)).ok_or(Errno::EUCLEAN)?;
            let level = usize::from(path.depth);
            let entries = kt.with(|w| Header::entries(node(w, inode, path.leaf().bh)));
            let bh = path.leaf().bh;
            let get = |pos| kt.with(|w| Extent::get(node(w, inode, bh), pos)).ok_or(Errno::EUCLEAN);
            if direction == Direction::Left {
                if here > ex.block.0 {
                    // A hole: on to the next extent.
                    let next = path.leaf().pos.map_or(0, |pos| pos + 1);
                    if next >= entries {
                        at = kt.with(|w| path.next_allocated_block(w, inode));
                        continue;
                    }
                    path.level[level].pos = Some(next);
                }
                let end = get(entries - 1)?.end();
                at = u32::try_from(end).map_err(|_| Errno::EUCLEAN)?;
            } else {
                let first = get(0)?.block.0;
                let mut from = 0;
                if first > start {
                    stop = first - 1;
                } else {
                    done = true;
                    while from < entries && get(from)?.block.0 < start {
                        from += 1;
                    }
                    if from == entries {
                        break;
                    }
                }
                path.level[level].pos = Some(from);
            }
            shift_path_extents(kt, inode, &path, shift, direction).await?;
            probe!(kt, ESX_LEAF).await;
        }
        Ok(())
    })
    .await
}

/// `ext4_ext_shift_path_extents()`: the extents of one leaf, from the path's one
/// on, and the indexes that name its first.
async fn shift_path_extents(
    kt: &Kthread,
    inode: InodeId,
    path: &ExtPath,
    shift: u32,
    direction: Direction,
) -> Result<(), Errno> {
    let leaf = path.leaf();
    let from = leaf.pos.ok_or(Errno::EUCLEAN)?;
    ext_get_access(kt, leaf).await?;
    kt.with(|w| {
        let move_one = |w: &mut world::World, pos: u16| {
            let ex = Extent::get(node(w, inode, leaf.bh), pos).ok_or(Errno::EUCLEAN)?;
            let moved = Extent { block: Lblk(direction.apply(ex.block.0, shift)?), ..ex };
            edit_node(w, inode, leaf.bh, |bytes| moved.put(bytes, pos)).map_err(|error| layout_errno(&error))
        };
        if direction == Direction::Left {
            let mut pos = from;
            while pos < Header::entries(node(w, inode, leaf.bh)) {
                move_one(w, pos)?;
                if pos == 0 || !merge_right(w, inode, leaf.bh, pos - 1)? {
                    pos += 1;
                }
            }
        } else {
            for pos in (from..Header::entries(node(w, inode, leaf.bh))).rev() {
                move_one(w, pos)?;
                merge_right(w, inode, leaf.bh, pos)?;
            }
        }
        Ok::<(), Errno>(())
    })?;
    ext_dirty(kt, inode, leaf).await?;
    if from != 0 {
        return Ok(());
    }
    for level in (0..path.depth).rev() {
        let this = path.at(level);
        ext_get_access(kt, this).await?;
        kt.with(|w| {
            let index = path.index(w, inode, level).ok_or(Errno::EUCLEAN)?;
            let moved = Index { block: Lblk(direction.apply(index.block.0, shift)?), ..index };
            edit_node(w, inode, this.bh, |bytes| moved.put(bytes, this.pos.unwrap_or(0)))
                .map_err(|error| layout_errno(&error))
        })?;
        ext_dirty(kt, inode, this).await?;
        if this.pos != Some(0) {
            break;
        }
    }
    Ok(())
}
