//! One extent made two, and its type changed: before and after I/O.

use bitflags::bitflags;
use ondisk::layout::extent::{Extent, Header, UNWRITTEN_LEN_MAX, WRITTEN_LEN_MAX};
use ondisk::{Lblk, Pblk};
use sched::Kthread;
use world::{Errno, InodeId, World};

use super::insert::{ext4_ext_insert_extent, try_to_merge};
use super::path::{ExtPath, edit_node, ext_dirty, ext_get_access, ext4_find_extent, node};
use crate::fs::ext4::balloc::layout_errno;
use crate::fs::ext4::ext4_jbd2::ext4_update_inode_fsync_trans;
use crate::fs::ext4::extents_status::{ES_WRITTEN, es_insert_extent, es_remove_extent};
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_issue_zeroout};
use crate::mm::page_writeback::ino_of;
use crate::{point, probe, site, trace};

/// `s_extent_max_zeroout_kb`.
const MAX_ZEROOUT_KIB: u32 = 32;

bitflags! {
    /// EXT4_EXT_ split flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) struct SplitFlags: u32 {
        /// Zero the unwritten part if the tree has no room.
        const MAY_ZEROOUT = 0x1;
        /// The first part is unwritten.
        const MARK_UNWRIT1 = 0x2;
        /// The second part is unwritten.
        const MARK_UNWRIT2 = 0x4;
        /// The first part holds data.
        const DATA_VALID1 = 0x8;
        /// The second part holds data.
        const DATA_VALID2 = 0x10;
    }
}

/// Rewrites the extent at the path's end.
fn put(w: &mut World, inode: InodeId, path: &ExtPath, ex: Extent) -> Result<(), Errno> {
    let leaf = path.leaf();
    let pos = leaf.pos.ok_or(Errno::EUCLEAN)?;
    edit_node(w, inode, leaf.bh, |bytes| ex.put(bytes, pos)).map_err(|error| layout_errno(&error))
}

fn extent_at(w: &World, inode: InodeId, path: &ExtPath) -> Result<Extent, Errno> {
    path.extent(w, inode).ok_or(Errno::EUCLEAN)
}

/// The path's extent becomes written or unwritten, and merges.
async fn mark_and_merge(kt: &Kthread, inode: InodeId, path: &mut ExtPath, unwritten: bool) -> Result<(), Errno> {
    let leaf = path.leaf();
    ext_get_access(kt, leaf).await?;
    kt.with(|w| {
        let ex = extent_at(w, inode, path)?;
        put(w, inode, path, Extent { unwritten, ..ex })
    })?;
    try_to_merge(kt, inode, path, leaf.pos.unwrap_or(0)).await?;
    ext_dirty(kt, inode, path.leaf()).await
}

/// First block behind the file's end by `i_disksize`, or behind the request.
fn eof_block(w: &World, inode: InodeId, map: &MapBlocks) -> u64 {
    let blocks = w.sizes.at(inode).i_disksize.div_ceil(1 << w.sb().block_bits);
    blocks.max(u64::from(map.lblk) + u64::from(map.len))
}

/// `ext4_split_extent_at()`, fs/ext4/extents.c: the path's extent ends at
/// `split`, and the rest becomes an extent of its own; at its very start only
/// its type changes.
///
/// # Errors
/// `ENOSPC` if a node is needed and zeroing is not allowed; `EUCLEAN`.
pub(super) async fn split_extent_at(
    kt: &Kthread,
    inode: InodeId,
    path: &mut ExtPath,
    split: u32,
    split_flags: SplitFlags,
    flags: GetBlocks,
) -> Result<(), Errno> {
    let old = kt.with(|w| extent_at(w, inode, path))?;
    let args = [u64::from(split), u64::from(old.block.0), u64::from(old.len)];
    trace::call!(kt, &site::EXT4_SPLIT_EXTENT_AT, &args, async {
        let flags = flags | GetBlocks::EX_NOCACHE;
        let into = split.checked_sub(old.block.0).and_then(|into| u16::try_from(into).ok());
        let into = into.filter(|&into| into < old.len).ok_or(Errno::EUCLEAN)?;
        ext_get_access(kt, path.leaf()).await?;
        if into == 0 {
            let unwritten = split_flags.contains(SplitFlags::MARK_UNWRIT2);
            kt.with(|w| put(w, inode, path, Extent { unwritten, ..old }))?;
            if !flags.contains(GetBlocks::PRE_IO) {
                try_to_merge(kt, inode, path, path.leaf().pos.unwrap_or(0)).await?;
            }
            ext_dirty(kt, inode, path.leaf()).await?;
            probe!(kt, ESE_MARK).await;
            return Ok(());
        }
        let first = Extent { len: into, unwritten: split_flags.contains(SplitFlags::MARK_UNWRIT1), ..old };
        kt.with(|w| put(w, inode, path, first))?;
        ext_dirty(kt, inode, path.leaf()).await?;
        probe!(kt, ESE_CUT, len = first.len).await;
        let rest = Extent {
            block: Lblk(split),
            len: old.len - into,
            unwritten: split_flags.contains(SplitFlags::MARK_UNWRIT2),
            start: Pblk(old.start.0 + u64::from(into)),
        };
        match ext4_ext_insert_extent(kt, inode, path, rest, flags).await {
            Ok(()) => {
                probe!(kt, ESE_REST).await;
                Ok(())
            }
            Err(errno @ (Errno::ENOSPC | Errno::EDQUOT | Errno::ENOMEM)) => {
                unsplit(kt, inode, path, (old, first, rest), split_flags, flags, errno).await
            }
            Err(errno) => {
                kt.with(|w| es_remove_extent(w, inode, old.block.0, old.len.into()));
                Err(errno)
            }
        }
    })
    .await
}

/// No room for the second part: the extent is whole again, with what held no
/// data zeroed if that is allowed.
async fn unsplit(
    kt: &Kthread,
    inode: InodeId,
    path: &mut ExtPath,
    (old, first, rest): (Extent, Extent, Extent),
    split_flags: SplitFlags,
    flags: GetBlocks,
    errno: Errno,
) -> Result<(), Errno> {
    ext4_find_extent(kt, inode, old.block.0, path, flags).await?;
    if split_flags.contains(SplitFlags::MAY_ZEROOUT) {
        let zeroed = if split_flags.contains(SplitFlags::DATA_VALID1) {
            rest
        } else if split_flags.contains(SplitFlags::DATA_VALID2) {
            first
        } else {
            old
        };
        if zeroout(kt, inode, zeroed).await.is_ok() {
            kt.with(|w| put(w, inode, path, Extent { unwritten: false, ..old }))?;
            try_to_merge(kt, inode, path, path.leaf().pos.unwrap_or(0)).await?;
            ext_dirty(kt, inode, path.leaf()).await?;
            kt.with(|w| zeroout_es(w, inode, zeroed));
            probe!(kt, ESE_ZERO).await;
            return Ok(());
        }
    }
    kt.with(|w| put(w, inode, path, old))?;
    ext_dirty(kt, inode, path.leaf()).await?;
    Err(errno)
}

/// `ext4_ext_zeroout()`.
async fn zeroout(kt: &Kthread, inode: InodeId, ex: Extent) -> Result<(), Errno> {
    ext4_issue_zeroout(kt, inode, ex.start.0, ex.len.into()).await
}

/// `ext4_zeroout_es()`.
fn zeroout_es(w: &mut World, inode: InodeId, ex: Extent) {
    if ex.len > 0 {
        es_insert_extent(w, inode, ex.block.0, ex.len.into(), ex.start.0, ES_WRITTEN);
    }
}

/// `ext4_split_extent()`: cuts the range of `map` out of the path's extent, its
/// end first. Blocks of the extent from the range's start on.
async fn split_extent(
    kt: &Kthread,
    inode: InodeId,
    map: &MapBlocks,
    path: &mut ExtPath,
    split_flags: SplitFlags,
    flags: GetBlocks,
) -> Result<u32, Errno> {
    let ex = kt.with(|w| extent_at(w, inode, path))?;
    let flags = flags | GetBlocks::EX_NOCACHE;
    let end = u64::from(map.lblk) + u64::from(map.len);
    let mut allocated = map.len;
    if end < ex.end() {
        let mut first = split_flags & SplitFlags::MAY_ZEROOUT;
        if ex.unwritten {
            first |= SplitFlags::MARK_UNWRIT1 | SplitFlags::MARK_UNWRIT2;
        }
        if split_flags.contains(SplitFlags::DATA_VALID2) {
            first |= SplitFlags::DATA_VALID1;
        }
        split_extent_at(kt, inode, path, map.lblk + map.len, first, flags | GetBlocks::PRE_IO).await?;
    } else {
        allocated = u32::from(ex.len) - (map.lblk - ex.block.0);
    }
    // The first split may have moved the extent, or zeroed it.
    ext4_find_extent(kt, inode, map.lblk, path, flags).await?;
    let now = kt.with(|w| extent_at(w, inode, path))?;
    if map.lblk >= ex.block.0 {
        let mut second = split_flags & SplitFlags::DATA_VALID2;
        if now.unwritten {
            second |= SplitFlags::MARK_UNWRIT1 | split_flags & (SplitFlags::MAY_ZEROOUT | SplitFlags::MARK_UNWRIT2);
        }
        split_extent_at(kt, inode, path, map.lblk, second, flags).await?;
    }
    Ok(allocated)
}

/// `ext4_split_convert_extents()`: the parts are split off, types kept.
pub(super) async fn split_convert_extents(
    kt: &Kthread,
    inode: InodeId,
    map: &MapBlocks,
    path: &mut ExtPath,
    flags: GetBlocks,
) -> Result<u32, Errno> {
    let split_flags = kt.with(|w| {
        let ex = extent_at(w, inode, path)?;
        let mut split_flags = SplitFlags::empty();
        if flags.contains(GetBlocks::CONVERT_UNWRITTEN) {
            split_flags |= SplitFlags::DATA_VALID1;
        } else if flags.intersects(GetBlocks::UNWRIT_EXT | GetBlocks::CONVERT) {
            split_flags.set(SplitFlags::MAY_ZEROOUT, ex.end() <= eof_block(w, inode, map));
            split_flags |= SplitFlags::MARK_UNWRIT2;
            split_flags.set(SplitFlags::DATA_VALID2, flags.contains(GetBlocks::CONVERT));
        }
        Ok::<_, Errno>(split_flags)
    })?;
    split_extent(kt, inode, map, path, split_flags, flags | GetBlocks::PRE_IO).await
}

/// `ext4_convert_unwritten_extents_endio()`: the data of the range is on disk.
pub(super) async fn convert_unwritten_extents_endio(
    kt: &Kthread,
    inode: InodeId,
    map: &MapBlocks,
    path: &mut ExtPath,
) -> Result<(), Errno> {
    let ex = kt.with(|w| extent_at(w, inode, path))?;
    if ex.block.0 != map.lblk || u32::from(ex.len) > map.len {
        split_convert_extents(kt, inode, map, path, GetBlocks::CONVERT).await?;
        ext4_find_extent(kt, inode, map.lblk, path, GetBlocks::empty()).await?;
    }
    mark_and_merge(kt, inode, path, false).await
}

/// `convert_initialized_extent()`: written blocks become unwritten, as for
/// zeroing a range. `allocated` and `map.len` become what was converted.
pub(super) async fn convert_initialized_extent(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    path: &mut ExtPath,
    allocated: &mut u32,
) -> Result<(), Errno> {
    let max = u32::from(UNWRITTEN_LEN_MAX);
    if map.len > max {
        map.len = max / 2;
    }
    let ex = kt.with(|w| extent_at(w, inode, path))?;
    if ex.block.0 != map.lblk || u32::from(ex.len) > map.len {
        split_convert_extents(kt, inode, map, path, GetBlocks::CONVERT_UNWRITTEN).await?;
        ext4_find_extent(kt, inode, map.lblk, path, GetBlocks::empty()).await?;
    }
    mark_and_merge(kt, inode, path, true).await?;
    kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
    map.flags.insert(MapFlags::UNWRITTEN);
    *allocated = (*allocated).min(map.len);
    map.len = *allocated;
    Ok(())
}

/// `ext4_ext_convert_to_initialized()`, fs/ext4/extents.c:3416: the range becomes
/// written before its data is. Blocks move to a written neighbour, or the rest
/// of a short extent is zeroed, or the extent is split. Blocks from the range's
/// start that are written now.
pub(super) async fn ext4_ext_convert_to_initialized(
    kt: &Kthread,
    inode: InodeId,
    map: &MapBlocks,
    path: &mut ExtPath,
    flags: GetBlocks,
) -> Result<u32, Errno> {
    let ex = kt.with(|w| {
        let ex = extent_at(w, inode, path)?;
        let ino = ino_of(w, inode);
        point!(w, EXT4_EXT_CONVERT_TO_INITIALIZED_ENTER, ino, map.lblk, map.len, ex.block.0, ex.len, ex.start.0);
        Ok::<_, Errno>(ex)
    })?;
    if let Some(moved) = move_to_neighbour(kt, inode, map, path, ex).await? {
        return Ok(moved);
    }
    let head = map.lblk - ex.block.0;
    let mut allocated = u32::from(ex.len) - head;
    let (eof, max_zeroout) =
        kt.with(|w| (eof_block(w, inode, map), MAX_ZEROOUT_KIB >> (u32::from(w.sb().block_bits) - 10)));
    let mut split_flags = SplitFlags::DATA_VALID2;
    split_flags.set(SplitFlags::MAY_ZEROOUT, ex.end() <= eof);
    let mut range = *map;
    let none = Extent { len: 0, ..ex };
    let (mut tail, mut front) = (none, none);
    if split_flags.contains(SplitFlags::MAY_ZEROOUT) && allocated > map.len {
        let part = |from: u32, len: u32| Extent {
            block: Lblk(ex.block.0 + from),
            len: u16::try_from(len).expect("a part of an extent"),
            unwritten: false,
            start: Pblk(ex.start.0 + u64::from(from)),
        };
        if allocated <= max_zeroout {
            tail = part(head + map.len, allocated - map.len);
            zeroout(kt, inode, tail).await?;
            range.len = allocated;
        }
        if head + range.len < max_zeroout {
            if head > 0 {
                front = part(0, head);
                zeroout(kt, inode, front).await?;
            }
            range.len += head;
            range.lblk = ex.block.0;
            allocated = map.len;
        }
    }
    split_extent(kt, inode, &range, path, split_flags, flags).await?;
    kt.with(|w| {
        zeroout_es(w, inode, tail);
        zeroout_es(w, inode, front);
    });
    Ok(allocated)
}

/// The range touches one end of the extent, and a written neighbour goes on
/// there: blocks move over to it.
async fn move_to_neighbour(
    kt: &Kthread,
    inode: InodeId,
    map: &MapBlocks,
    path: &mut ExtPath,
    ex: Extent,
) -> Result<Option<u32>, Errno> {
    let leaf = path.leaf();
    let pos = leaf.pos.ok_or(Errno::EUCLEAN)?;
    let Some(len) = u16::try_from(map.len).ok().filter(|&len| len < ex.len) else { return Ok(None) };
    let room = |abut: &Extent| !abut.unwritten && abut.len < WRITTEN_LEN_MAX - len;
    let (abut_pos, rest, abut) = kt
        .with(|w| {
            let bytes = node(w, inode, leaf.bh);
            if map.lblk == ex.block.0 && pos > 0 {
                let abut = Extent::get(bytes, pos - 1).filter(room)?;
                let touches = abut.end() == u64::from(ex.block.0) && abut.start.0 + u64::from(abut.len) == ex.start.0;
                let rest = Extent {
                    block: Lblk(ex.block.0 + map.len),
                    len: ex.len - len,
                    start: Pblk(ex.start.0 + u64::from(len)),
                    ..ex
                };
                return touches.then(|| (pos - 1, rest, Extent { len: abut.len + len, ..abut }));
            }
            if u64::from(map.lblk) + u64::from(len) == ex.end() && pos + 1 < Header::entries(bytes) {
                let abut = Extent::get(bytes, pos + 1).filter(room)?;
                let touches = ex.end() == u64::from(abut.block.0) && ex.start.0 + u64::from(ex.len) == abut.start.0;
                let rest = Extent { len: ex.len - len, ..ex };
                let grown = Extent {
                    block: Lblk(map.lblk),
                    len: abut.len + len,
                    start: Pblk(abut.start.0.saturating_sub(u64::from(len))),
                    ..abut
                };
                return touches.then_some((pos + 1, rest, grown));
            }
            None
        })
        .map_or((0, None, None), |(at, rest, abut)| (at, Some(rest), Some(abut)));
    let (Some(rest), Some(abut)) = (rest, abut) else { return Ok(None) };
    ext_get_access(kt, leaf).await?;
    kt.with(|w| {
        let old = Extent::get(node(w, inode, leaf.bh), abut_pos).ok_or(Errno::EUCLEAN)?;
        let ino = ino_of(w, inode);
        point!(
            w,
            EXT4_EXT_CONVERT_TO_INITIALIZED_FASTPATH,
            ino,
            map.lblk,
            map.len,
            ex.block.0,
            ex.len,
            ex.start.0,
            old.block.0,
            old.len,
            old.start.0
        );
        edit_node(w, inode, leaf.bh, |bytes| {
            rest.put(bytes, pos)?;
            abut.put(bytes, abut_pos)
        })
        .map_err(|error| layout_errno(&error))
    })?;
    ext_dirty(kt, inode, leaf).await?;
    path.level[usize::from(path.depth)].pos = Some(abut_pos);
    Ok(Some(map.len))
}
