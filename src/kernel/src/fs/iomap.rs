//! Where a file's data lies: SEEK_DATA, SEEK_HOLE and FIEMAP. Mirrors
//! fs/iomap/seek.c, fs/iomap/fiemap.c and `ext4_iomap_begin_report()` of
//! fs/ext4/inode.c.
//!
//! Delayed blocks count as data. For unwritten ones the page cache decides: what
//! is cached and uptodate has been written to.
//!
//! Not modelled: extended attributes as data; see
//! docs/omissions.md#ext4.

use sched::{Kthread, RwSem, down_read, up_read};
use world::{BhFlags, Errno, FileId, InodeId, PAGE_SIZE, PageFlags, World};

use crate::fs::buffer::block_size;
use crate::fs::ext4::extents_status::{EXT_MAX_BLOCKS, es_find_extent_range_to};
use crate::fs::ext4::file::{EXT4_EXTENTS_FL, bitmap_maxbytes, ext4_get_maxbytes};
use crate::fs::ext4::inline::convert::ext4_inline_data_iomap;
use crate::fs::ext4::inline::ext4_has_inline_data;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_map_blocks};
use crate::mm::writeback::{LLONG_MAX, filemap_write_and_wait_range};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{probe, site};

/// IOMAP_ types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IomapType {
    /// No block, no data.
    Hole,
    /// Data whose blocks are not chosen yet.
    Delalloc,
    /// Blocks with data.
    Mapped,
    /// Blocks whose content does not count.
    Unwritten,
    /// Data in the inode itself.
    Inline,
}

/// `struct iomap`: a stretch of one kind, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iomap {
    /// First byte in the file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// First byte on the device, for [`IomapType::Mapped`] and [`IomapType::Unwritten`].
    pub addr: u64,
    /// Kind.
    pub kind: IomapType,
}

/// FIEMAP_FLAG_SYNC.
pub const FIEMAP_FLAG_SYNC: u32 = 0x1;
/// FIEMAP_EXTENT_LAST.
const EXTENT_LAST: u32 = 0x1;
/// FIEMAP_EXTENT_UNKNOWN.
const EXTENT_UNKNOWN: u32 = 0x2;
/// FIEMAP_EXTENT_DELALLOC.
const EXTENT_DELALLOC: u32 = 0x4;
/// FIEMAP_EXTENT_DATA_INLINE, and the NOT_ALIGNED that comes with it.
const EXTENT_DATA_INLINE: u32 = 0x200 | 0x100;
/// FIEMAP_EXTENT_UNWRITTEN.
const EXTENT_UNWRITTEN: u32 = 0x800;
/// FIEMAP_EXTENT_MERGED: of blocks without extents of their own.
const EXTENT_MERGED: u32 = 0x1000;

/// `ext4_iomap_begin_report()`, fs/ext4/inode.c:3622: what lies at `offset`, at
/// most `length` bytes of it.
///
/// # Errors
/// `EINVAL` behind the last block a file can have, `ENOENT` behind the data of an
/// inode that holds it, or what the mapping gives.
async fn ext4_iomap_begin_report(kt: &Kthread, inode: InodeId, offset: u64, length: u64) -> Result<Iomap, Errno> {
    let block = kt.with(|w| block_size(w));
    let lblk = u32::try_from(offset / block).ok().filter(|&lblk| lblk != EXT_MAX_BLOCKS).ok_or(Errno::EINVAL)?;
    let last = u32::try_from((offset + length - 1) / block).unwrap_or(u32::MAX).min(EXT_MAX_BLOCKS - 1);
    let mut map = MapBlocks { lblk, len: (last - lblk).saturating_add(1), ..MapBlocks::default() };
    let mut kind = IomapType::Hole;
    let mut inline = None;
    call!(kt, &site::EXT4_IOMAP_BEGIN_REPORT, &[offset, u64::from(lblk), u64::from(map.len)], async {
        if kt.with(|w| ext4_has_inline_data(w, inode)) {
            let (addr, length) = ext4_inline_data_iomap(kt, inode).await?;
            probe!(kt, IBR_INLINE).await;
            inline = Some(Iomap { offset: 0, length, addr, kind: IomapType::Inline });
            return if offset >= length { Err(Errno::ENOENT) } else { Ok(()) };
        }
        let extents = kt.with(|w| w.inodes.at(inode).flags & EXT4_EXTENTS_FL != 0);
        if !extents && offset >= kt.with(|w| bitmap_maxbytes(w)) {
            return Ok(());
        }
        let found = ext4_map_blocks(kt, inode, &mut map, GetBlocks::empty()).await?;
        kind = match (found, map.flags) {
            (0, _) if kt.with(|w| is_delalloc(w, inode, &mut map)) => IomapType::Delalloc,
            (0, _) => IomapType::Hole,
            (_, flags) if flags.contains(MapFlags::UNWRITTEN) => IomapType::Unwritten,
            _ => IomapType::Mapped,
        };
        kt.graph("ext4_set_iomap { jbd2_transaction_committed }");
        probe!(kt, IBR_MAP, lblk = map.lblk, len = map.len).await;
        Ok(())
    })
    .await?;
    if let Some(inline) = inline {
        return Ok(inline);
    }
    Ok(Iomap { offset: u64::from(map.lblk) * block, length: u64::from(map.len) * block, addr: map.pblk * block, kind })
}

/// `ext4_iomap_is_delalloc()`: whether a hole's start is delayed; the length
/// becomes that of the answer.
fn is_delalloc(w: &mut World, inode: InodeId, map: &mut MapBlocks) -> bool {
    let end = map.lblk.saturating_add(map.len - 1);
    let Some((at, es)) = es_find_extent_range_to(w, inode, false, map.lblk, end).filter(|&(at, _)| at <= end) else {
        return false;
    };
    if at > map.lblk {
        map.len = at - map.lblk;
        return false;
    }
    map.len = es.len - (map.lblk - at);
    true
}

/// `iomap_apply()`: the stretch at `offset`, cut to what is asked.
///
/// # Errors
/// As the mapping, or `EINVAL` behind the last block a file can have.
pub(crate) async fn stretch(kt: &Kthread, inode: InodeId, offset: u64, length: u64) -> Result<(Iomap, u64), Errno> {
    let iomap = ext4_iomap_begin_report(kt, inode, offset, length).await?;
    let end = iomap.offset + iomap.length;
    Ok((iomap, length.min(end.saturating_sub(offset))))
}

/// `ext4_llseek()` with SEEK_HOLE or SEEK_DATA, fs/ext4/file.c:858: moves the
/// file's position to the next hole, or data, from `offset` on.
///
/// # Errors
/// `ENXIO` for an offset outside the file, or if no data follows.
pub async fn seek_hole_data(kt: &Kthread, file: FileId, offset: i64, hole: bool) -> Result<u64, Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    kt.graph("ext4_llseek {");
    down_read(kt, RwSem::IRwsem(inode)).await;
    let found = iomap_seek(kt, inode, offset, hole).await;
    kt.graph("}");
    kt.with(|w| up_read(w, RwSem::IRwsem(inode)));
    let found = found?;
    kt.with(|w| {
        // vfs_setpos()
        if found > ext4_get_maxbytes(w, inode) {
            return Err(Errno::EINVAL);
        }
        w.file_mut(file).f_pos = found;
        Ok(found)
    })
}

/// `iomap_seek_hole()` and `iomap_seek_data()`, fs/iomap/seek.c.
async fn iomap_seek(kt: &Kthread, inode: InodeId, offset: i64, hole: bool) -> Result<u64, Errno> {
    let size = kt.with(|w| w.sizes.at(inode).i_size);
    let mut at = u64::try_from(offset).ok().filter(|&at| at < size).ok_or(Errno::ENXIO)?;
    while at < size {
        let (iomap, length) = stretch(kt, inode, at, size - at).await?;
        let answer = match iomap.kind {
            IomapType::Unwritten => kt.with(|w| page_cache_seek_hole_data(w, inode, at, length, hole)),
            IomapType::Hole => hole.then_some(at),
            IomapType::Mapped | IomapType::Delalloc | IomapType::Inline => (!hole).then_some(at),
        };
        if let Some(answer) = answer {
            return Ok(answer);
        }
        if length == 0 {
            break;
        }
        at += length;
    }
    if hole { Ok(at) } else { Err(Errno::ENXIO) }
}

/// `page_cache_seek_hole_data()`, fs/iomap/seek.c:77: unwritten blocks hold data
/// where the cache is uptodate.
fn page_cache_seek_hole_data(w: &World, inode: InodeId, offset: u64, length: u64, hole: bool) -> Option<u64> {
    let end = (offset + length).div_ceil(PAGE_SIZE);
    let index = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
    let range = (inode, index(offset / PAGE_SIZE))..=(inode, index(end - 1));
    let mut last = offset;
    let inside = |last: u64| (last < offset + length).then_some(last);
    for (&(_, number), &page) in w.cache.entries().range(range) {
        let start = u64::from(number) * PAGE_SIZE;
        if last < start {
            if hole {
                return inside(last);
            }
            last = start;
        }
        let head = w.pages.at(page);
        if block_size(w) == PAGE_SIZE {
            if head.flags.contains(PageFlags::UPTODATE) != hole {
                return inside(last);
            }
        } else {
            // block_is_partially_uptodate(), block by block; a page without buffers says no
            let blocks = PAGE_SIZE / block_size(w);
            for n in 0..blocks {
                let behind = (n + 1) * block_size(w);
                if last % PAGE_SIZE >= behind {
                    continue;
                }
                let uptodate = head.nr_bhs > 0 && w.bhs.at(page.bh(n as u32)).flags.contains(BhFlags::UPTODATE);
                if uptodate != hole {
                    return inside(last);
                }
                last = start + behind;
            }
        }
        last = start + PAGE_SIZE;
    }
    if hole { inside(last) } else { None }
}

/// One extent as FS_IOC_FIEMAP tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiemapExtent {
    /// First byte in the file.
    pub logical: u64,
    /// First byte on the device; 0 if not known.
    pub physical: u64,
    /// Bytes.
    pub length: u64,
    /// FIEMAP_EXTENT_ flags.
    pub flags: u32,
}

/// FS_IOC_FIEMAP of a whole file: `ext4_fiemap()` with `iomap_fiemap()`.
///
/// Not modelled: FIEMAP_FLAG_XATTR and FIEMAP_FLAG_CACHE (`EOPNOTSUPP`), a limit
/// of extents.
///
/// # Errors
/// As the mapping, or the writing that FIEMAP_FLAG_SYNC asks for.
pub async fn fiemap(kt: &Kthread, file: FileId, flags: u32) -> Result<Vec<FiemapExtent>, Errno> {
    kt.graph("ext4_fiemap { ext4_fiemap_check_ranges");
    let found = fiemap_extents(kt, file, flags).await;
    kt.graph("}");
    found
}

async fn fiemap_extents(kt: &Kthread, file: FileId, flags: u32) -> Result<Vec<FiemapExtent>, Errno> {
    if flags & !FIEMAP_FLAG_SYNC != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let inode = kt.with(|w| w.files.at(file).inode);
    if flags & FIEMAP_FLAG_SYNC != 0 {
        filemap_write_and_wait_range(kt, inode, 0, LLONG_MAX).await?;
    }
    let (end, merged) = kt.with(|w| {
        let extents = w.inodes.at(inode).flags & EXT4_EXTENTS_FL != 0;
        (ext4_get_maxbytes(w, inode), if extents { 0 } else { EXTENT_MERGED })
    });
    let mut extents: Vec<FiemapExtent> = Vec::new();
    let mut at = 0;
    while at < end {
        let (iomap, length) = match stretch(kt, inode, at, end - at).await {
            Err(Errno::ENOENT) | Ok((_, 0)) => break,
            found => found?,
        };
        let (flags, physical) = match iomap.kind {
            IomapType::Hole => (None, 0),
            IomapType::Delalloc => (Some(EXTENT_DELALLOC | EXTENT_UNKNOWN), 0),
            IomapType::Mapped => (Some(merged), iomap.addr),
            IomapType::Unwritten => (Some(EXTENT_UNWRITTEN), iomap.addr),
            IomapType::Inline => (Some(EXTENT_DATA_INLINE), iomap.addr),
        };
        if let Some(flags) = flags {
            extents.push(FiemapExtent { logical: iomap.offset, physical, length: iomap.length, flags });
        }
        at += length;
    }
    if let Some(last) = extents.last_mut() {
        last.flags |= EXTENT_LAST;
    }
    Ok(extents)
}
