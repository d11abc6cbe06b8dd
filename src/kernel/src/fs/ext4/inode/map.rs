//! Mapping of logical to physical blocks: `ext4_map_blocks()` and callers.

use bitflags::bitflags;
use sched::{Kthread, RwSem, down_read, down_write, up_read, up_write};
use world::{
    BhFlags, BhId, BioVec, Errno, ExtentStatus, InodeId, InodeState, PAGE_SIZE, Page, PageFlags, WaitOn, World,
};

use crate::block::ramdisk::{Completion, REQ_SYNC, Request, submit_bio};
use crate::fs::buffer::block_size;
use crate::fs::ext4::balloc::{add_inode_blocks, block_range_valid, dirtyclusters_add};
use crate::fs::ext4::extents::ext4_ext_map_blocks;
use crate::fs::ext4::extents_status::{
    ES_DELAYED, ES_UNWRITTEN, ES_WRITTEN, EXT_MAX_BLOCKS, es_insert_extent, es_lookup_extent, es_scan_range,
};
use crate::fs::ext4::indirect::ext4_ind_map_blocks;
use crate::fs::ext4::mballoc::ext4_discard_preallocations;
use crate::fs::ext4::super_::MountOpts;
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::fs::inode::is_regular;
use crate::mm::filemap::put_page;
use crate::mm::page_writeback::ino_of;
use crate::trace::Graph as _;
use crate::{point, probe, site, trace};

bitflags! {
    /// EXT4_GET_BLOCKS_ flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct GetBlocks: u32 {
        /// Allocate what is missing.
        const CREATE = 0x1;
        /// As unwritten.
        const UNWRIT_EXT = 0x2;
        /// The blocks were reserved by delayed allocation.
        const DELALLOC_RESERVE = 0x4;
        /// Before I/O: split only.
        const PRE_IO = 0x8;
        /// Convert.
        const CONVERT = 0x10;
        /// May use the reserved pool for metadata.
        const METADATA_NOFAIL = 0x20;
        /// Do not widen the request.
        const NO_NORMALIZE = 0x40;
        /// Turn written into unwritten.
        const CONVERT_UNWRITTEN = 0x100;
        /// Zero the new blocks.
        const ZERO = 0x200;
        /// The caller submits the I/O itself.
        const IO_SUBMIT = 0x400;
        /// Do not put the result in the extent status tree.
        const EX_NOCACHE = 0x4000_0000;
    }

    /// EXT4_MAP_ flags: what was found or made.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MapFlags: u32 {
        /// Freshly allocated.
        const NEW = 1 << 5;
        /// Mapped and written.
        const MAPPED = 1 << 4;
        /// Mapped, unwritten.
        const UNWRITTEN = 1 << 11;
        /// At an index boundary.
        const BOUNDARY = 1 << 9;
    }
}

/// `struct ext4_map_blocks`: a request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapBlocks {
    /// First physical block of the answer.
    pub pblk: u64,
    /// First logical block.
    pub lblk: u32,
    /// Blocks asked for; then blocks given.
    pub len: u32,
    /// What was found or made.
    pub flags: MapFlags,
}

/// EXT4_GET_BLOCKS_IO_CREATE_EXT: before I/O.
const IO_CREATE_EXT: GetBlocks = GetBlocks::CREATE.union(GetBlocks::UNWRIT_EXT).union(GetBlocks::PRE_IO);
/// EXTENTS_FL, INLINE_DATA_FL.
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;
const JOURNAL_INO: u32 = 8;

/// True for an inode whose blocks lie in an extent tree.
#[must_use]
pub fn has_extents(w: &World, inode: InodeId) -> bool {
    w.inodes.at(inode).flags & EXTENTS != 0
}

/// What is on disk, in the tree that the inode has.
async fn tree_map_blocks(kt: &Kthread, inode: InodeId, map: &mut MapBlocks, flags: GetBlocks) -> Result<u32, Errno> {
    if kt.with(|w| has_extents(w, inode)) {
        ext4_ext_map_blocks(kt, inode, map, flags).await
    } else {
        ext4_ind_map_blocks(kt, inode, map, flags).await
    }
}

/// `ext4_map_blocks()`, fs/ext4/inode.c:539: blocks mapped, 0 for a hole, whose
/// length is then in `map.len`.
///
/// # Errors
/// What the extent tree or the allocator gives.
pub async fn ext4_map_blocks(
    kt: &Kthread,
    inode: InodeId,
    map: &mut MapBlocks,
    flags: GetBlocks,
) -> Result<u32, Errno> {
    let args = [u64::from(map.lblk), u64::from(map.len), u64::from(flags.bits())];
    trace::call!(kt, &site::EXT4_MAP_BLOCKS, &args, Box::pin(map_blocks(kt, inode, map, flags))).await
}

async fn map_blocks(kt: &Kthread, inode: InodeId, map: &mut MapBlocks, flags: GetBlocks) -> Result<u32, Errno> {
    map.flags = MapFlags::empty();
    map.len = map.len.min(i32::MAX.cast_unsigned());
    if map.lblk == EXT_MAX_BLOCKS {
        return Err(Errno::EUCLEAN);
    }
    let known = kt.with(|w| es_lookup_extent(w, inode, map.lblk));
    probe!(kt, EMB_ES, len = map.len).await;
    let mut count = match known {
        Some(found) => from_status(map, found),
        None => {
            down_read(kt, RwSem::IDataSem(inode)).await;
            let mapped = tree_map_blocks(kt, inode, map, GetBlocks::empty()).await;
            kt.with(|w| {
                if mapped.is_ok_and(|count| count > 0) {
                    remember(w, inode, map, flags);
                }
                up_read(w, RwSem::IDataSem(inode));
            });
            let count = mapped?;
            probe!(kt, EMB_DISK, pblk = map.pblk, ret = count).await;
            count
        }
    };
    let mapped = count > 0 && map.flags.contains(MapFlags::MAPPED);
    if mapped {
        kt.with(|w| check_block_validity(w, inode, map))?;
    }
    if !flags.contains(GetBlocks::CREATE) || mapped && !flags.contains(GetBlocks::CONVERT_UNWRITTEN) {
        probe!(kt, EMB_LOOKED, pblk = map.pblk, ret = count).await;
        return Ok(count);
    }
    map.flags = MapFlags::empty();
    down_write(kt, RwSem::IDataSem(inode)).await;
    let created = create(kt, inode, map, flags).await;
    kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
    count = created?;
    probe!(kt, EMB_INSERT, pblk = map.pblk, ret = count).await;
    if count > 0 && map.flags.contains(MapFlags::MAPPED) {
        kt.with(|w| check_block_validity(w, inode, map))?;
        kt.with(|w| graph_ordered(w, inode, map, flags));
    }
    Ok(count)
}

/// New blocks that show at once: a commit has to wait for their data, if it is ordered.
fn graph_ordered(w: &mut World, inode: InodeId, map: &MapBlocks, flags: GetBlocks) {
    if !world::GRAPHS {
        return;
    }
    let at_once = map.flags.contains(MapFlags::NEW | MapFlags::MAPPED)
        && !flags.intersects(GetBlocks::UNWRIT_EXT | GetBlocks::ZERO)
        && is_regular(w.inodes.at(inode).mode);
    if at_once {
        w.graph("ext4_inode_journal_mode");
        if MountOpts::of(w).contains(MountOpts::DATA_ORDERED) {
            w.graph(if flags.contains(GetBlocks::IO_SUBMIT) {
                "jbd2_journal_inode_ranged_wait { jbd2_journal_file_inode }"
            } else {
                "jbd2_journal_inode_ranged_write { jbd2_journal_file_inode }"
            });
        }
    }
    w.graph("ext4_fc_track_range { ext4_fc_track_template }");
}

/// What the status tree says of the request.
fn from_status(map: &mut MapBlocks, (at, es): (u32, ExtentStatus)) -> u32 {
    let into = map.lblk - at;
    map.len = map.len.min(es.len - into);
    if es.status & (ES_WRITTEN | ES_UNWRITTEN) == 0 {
        map.pblk = 0;
        return 0;
    }
    map.pblk = es.pblk + u64::from(into);
    map.flags.insert(if es.status & ES_WRITTEN != 0 { MapFlags::MAPPED } else { MapFlags::UNWRITTEN });
    map.len
}

/// The part of `ext4_map_blocks()` under `i_data_sem`, alone.
async fn create(kt: &Kthread, inode: InodeId, map: &mut MapBlocks, flags: GetBlocks) -> Result<u32, Errno> {
    let count = tree_map_blocks(kt, inode, map, flags).await?;
    probe!(kt, EMB_CREATE, pblk = map.pblk, ret = count).await;
    if count == 0 {
        return Ok(0);
    }
    if flags.contains(GetBlocks::ZERO) && map.flags.contains(MapFlags::MAPPED | MapFlags::NEW) {
        ext4_issue_zeroout(kt, inode, map.pblk, map.len).await?;
    }
    kt.with(|w| {
        // Zeroed out meanwhile, the blocks are known as written.
        let zeroed = flags.contains(GetBlocks::PRE_IO)
            && es_lookup_extent(w, inode, map.lblk).is_some_and(|(_, es)| es.status & ES_WRITTEN != 0);
        if !zeroed {
            remember(w, inode, map, flags);
        }
    });
    Ok(count)
}

/// Puts an answer into the status tree; unwritten blocks that someone has
/// delayed data for stay delayed too.
fn remember(w: &mut World, inode: InodeId, map: &MapBlocks, flags: GetBlocks) {
    let mut status = if map.flags.contains(MapFlags::UNWRITTEN) { ES_UNWRITTEN } else { ES_WRITTEN };
    let last = map.lblk.saturating_add(map.len - 1);
    if status == ES_UNWRITTEN && !flags.contains(GetBlocks::DELALLOC_RESERVE) {
        w.graph("ext4_es_scan_range { __es_find_extent_range }");
    }
    if status == ES_UNWRITTEN && !flags.contains(GetBlocks::DELALLOC_RESERVE) && es_scan_range(w, inode, map.lblk, last)
    {
        status |= ES_DELAYED;
    }
    es_insert_extent(w, inode, map.lblk, map.len, map.pblk, status);
}

/// `check_block_validity()`: a mapping stays inside the file system. The journal
/// is not asked.
///
/// Not modelled: the map of the file system's own metadata, see docs/omissions.md#extents.
fn check_block_validity(w: &mut World, inode: InodeId, map: &MapBlocks) -> Result<(), Errno> {
    w.graph(if w.inodes.at(inode).ino == JOURNAL_INO {
        "__check_block_validity"
    } else {
        "__check_block_validity { ext4_inode_block_valid }"
    });
    let valid = w.inodes.at(inode).ino == JOURNAL_INO || block_range_valid(w, map.pblk, map.len.into());
    if valid { Ok(()) } else { Err(Errno::EUCLEAN) }
}

/// `ext4_map_query_blocks()`, fs/ext4/inode.c:488: looks on disk only, and
/// remembers what it found. The caller holds `i_data_sem`.
///
/// # Errors
/// `EIO`, `EFSBADCRC`, `EUCLEAN` for an unreadable or damaged tree.
pub async fn ext4_map_query_blocks(kt: &Kthread, inode: InodeId, map: &mut MapBlocks) -> Result<u32, Errno> {
    kt.graph("ext4_map_query_blocks {");
    let count = tree_map_blocks(kt, inode, map, GetBlocks::empty()).await?;
    if count > 0 {
        let status = if map.flags.contains(MapFlags::UNWRITTEN) { ES_UNWRITTEN } else { ES_WRITTEN };
        kt.with(|w| es_insert_extent(w, inode, map.lblk, map.len, map.pblk, status));
    }
    kt.graph("}");
    Ok(count)
}

/// `ext4_get_block()`, fs/ext4/inode.c:830: maps one block of a page's buffer.
///
/// # Errors
/// As [`ext4_map_blocks`]; `ERANGE` if the data is still in the inode.
pub async fn ext4_get_block(kt: &Kthread, inode: InodeId, iblock: u32, bh: BhId, create: bool) -> Result<(), Errno> {
    let args = [u64::from(iblock), u64::from(create)];
    let flags = if create { GetBlocks::CREATE } else { GetBlocks::empty() };
    trace::call!(kt, &site::EXT4_GET_BLOCK_FN, &args, async {
        let pblk = get_block(kt, inode, iblock, bh, flags).await?;
        probe!(kt, EGB_BH, pblk = pblk).await;
        Ok(())
    })
    .await
}

/// `ext4_get_block_unwritten()`, fs/ext4/inode.c:842: the same, but what is
/// missing is allocated as unwritten, to be converted after I/O.
///
/// # Errors
/// As [`ext4_get_block`].
pub async fn ext4_get_block_unwritten(
    kt: &Kthread,
    inode: InodeId,
    iblock: u32,
    bh: BhId,
    create: bool,
) -> Result<(), Errno> {
    let args = [u64::from(iblock), u64::from(create)];
    trace::call!(kt, &site::EXT4_GET_BLOCK_UNWRITTEN_FN, &args, async {
        let pblk = get_block(kt, inode, iblock, bh, IO_CREATE_EXT).await?;
        probe!(kt, EGBU_BH, pblk = pblk).await;
        Ok(())
    })
    .await
}

/// `ext4_get_block()` without CREATE where the compiler has inlined it: no frame.
///
/// # Errors
/// As [`ext4_map_blocks`].
pub async fn ext4_get_block_inlined(kt: &Kthread, inode: InodeId, iblock: u32, bh: BhId) -> Result<(), Errno> {
    get_block(kt, inode, iblock, bh, GetBlocks::empty()).await.map(|_| ())
}

/// `_ext4_get_block()`: the answer goes into the buffer head.
async fn get_block(kt: &Kthread, inode: InodeId, iblock: u32, bh: BhId, flags: GetBlocks) -> Result<u64, Errno> {
    if kt.with(|w| w.inodes.at(inode).flags & INLINE_DATA != 0) {
        return Err(Errno::ERANGE);
    }
    kt.graph("_ext4_get_block {");
    let mut map = MapBlocks { lblk: iblock, len: 1, ..MapBlocks::default() };
    if ext4_map_blocks(kt, inode, &mut map, flags).await? == 0 {
        return Ok(0);
    }
    kt.with(|w| {
        w.graph("ext4_update_bh_state }");
        let head = w.bh_mut(bh);
        head.blocknr = map.pblk;
        for (flag, of_map) in [
            (BhFlags::NEW, MapFlags::NEW),
            (BhFlags::MAPPED, MapFlags::MAPPED),
            (BhFlags::UNWRITTEN, MapFlags::UNWRITTEN),
            (BhFlags::BOUNDARY, MapFlags::BOUNDARY),
        ] {
            head.flags.set(flag, map.flags.contains(of_map));
        }
    });
    Ok(map.pblk)
}

/// `ext4_da_update_reserve_space()`, fs/ext4/inode.c:363: `used` clusters that
/// were reserved have blocks now. `quota_claim`: the quota, and so `i_blocks`, is
/// told here; else the allocation has told it. The caller holds `i_data_sem`.
pub async fn ext4_da_update_reserve_space(kt: &Kthread, inode: InodeId, used: u32, quota_claim: bool) {
    trace::call!(kt, &site::EXT4_DA_UPDATE_RESERVE_SPACE_FN, &[u64::from(used), u64::from(quota_claim)], async {
        let used = kt.with(|w| {
            let (ino, mode, size) = (ino_of(w, inode), w.inodes.at(inode).mode, *w.sizes.at(inode));
            w.graph("ext4_get_reserved_space");
            point!(w, EXT4_DA_UPDATE_RESERVE_SPACE, ino, mode, size.i_blocks, used, size.reserved, quota_claim);
            // A count that went wrong is put right silently, where the kernel warns.
            let used = used.min(size.reserved);
            w.size_mut(inode).reserved -= used;
            dirtyclusters_add(w, -i64::from(used));
            if quota_claim {
                add_inode_blocks(w, inode, used.into());
            }
            used
        });
        probe!(kt, DUR_COUNT, used = used).await;
        if quota_claim {
            mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
        }
        if kt.with(|w| w.sizes.at(inode).reserved == 0 && w.inodes.at(inode).writers == 0) {
            ext4_discard_preallocations(kt, inode).await;
        }
    })
    .await;
}

/// `ext4_issue_zeroout()`, fs/ext4/inode.c: writes zeros to the device, past any cache.
///
/// # Errors
/// `EIO` if the device fails a write.
pub async fn ext4_issue_zeroout(kt: &Kthread, inode: InodeId, pblk: u64, len: u32) -> Result<(), Errno> {
    /// Pages in one request (BIO_MAX_PAGES).
    const PIECES: usize = 256;
    let (mut at, mut left) = kt.with(|w| (pblk * block_size(w), u64::from(len) * block_size(w)));
    let zeros = kt.with(|w| {
        let rec = w.rec;
        let content = w.contents.alloc(rec);
        w.pages.alloc(rec, Page { flags: PageFlags::PRESENT, refs: 1, content, ..Page::default() })
    });
    while left > 0 {
        let vecs: Vec<BioVec> = (0..PIECES as u64)
            .map_while(|n| left.checked_sub(n * PAGE_SIZE).filter(|&rest| rest > 0))
            .map(|rest| BioVec { page: zeros, offset: 0, len: rest.min(PAGE_SIZE) as u32, content: None })
            .collect();
        let bytes: u64 = vecs.iter().map(|vec| u64::from(vec.len)).sum();
        let completion = Completion::Waiter;
        let request = Request { write: true, offset_bytes: at, vecs: &vecs, completion, rwbs: REQ_SYNC, inode };
        let bio = kt.with(|w| submit_bio(w, request));
        while kt.with(|w| w.bios.at(bio).used) {
            kt.sleep_on(WaitOn::Work(bio.0)).await;
        }
        at += bytes;
        left -= bytes;
    }
    kt.with(|w| {
        let failed = w.pages.at(zeros).flags.contains(PageFlags::ERROR);
        put_page(w, zeros);
        if failed { Err(Errno::EIO) } else { Ok(()) }
    })
}
