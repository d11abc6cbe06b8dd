//! The write side of ext4's address_space operations: `write_begin` and
//! `write_end`, with delayed allocation and without. Mirrors fs/ext4/inode.c.
//!
//! ```text
//!   ext4_da_write_begin ─ grab page ─ handle ─ ext4_block_write_begin
//!                                                └ ext4_da_get_block_prep: reserve
//!   ext4_da_write_end ─ generic_write_end ─ bhs dirty, i_size ─ stop handle
//! ```
//!
//! A small file may live in its inode: see [`inline`].
//!
//! Not modelled yet: fs-verity and encryption; see docs/omissions.md#ext4.

use sched::{Kthread, RwSem, down_read, down_write, up_read, up_write};
use world::{BhFlags, BhId, Counter, Errno, InodeId, InodeState, PAGE_SIZE, PageFlags, PageId, World};

use crate::fs::buffer::{create_empty_buffers, mark_buffer_dirty, submit_bh_read, wait_on_buffer};
use crate::fs::ext4::balloc::{ext4_claim_free_clusters, ext4_should_retry_alloc};
use crate::fs::ext4::ext4_jbd2::{
    HandleType, ext4_handle_dirty_metadata, ext4_journal_current_handle, ext4_journal_get_write_access,
    ext4_journal_start, ext4_journal_stop,
};
use crate::fs::ext4::extents::ext4_clu_mapped;
use crate::fs::ext4::extents_status::{
    ES_DELAYED, ES_HOLE, ES_UNWRITTEN, ES_WRITTEN, es_insert_delayed_block, es_lookup_extent, es_scan_clu,
};
use crate::fs::ext4::inline::write::{
    ext4_da_write_inline_data_begin, ext4_da_write_inline_data_end, ext4_try_to_write_inline_data,
    ext4_write_inline_data_end,
};
use crate::fs::ext4::inline::{self, ext4_has_inline_data, may_inline_data};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{
    MapBlocks, MapFlags, ext4_get_block, ext4_get_block_unwritten, ext4_map_query_blocks,
};
use crate::fs::ext4::inode::truncate::ext4_truncate_failed_write;
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::namei::ext4_orphan_add;
use crate::fs::ext4::super_::{
    MountOpts, ext4_should_dioread_nolock, ext4_writepage_trans_blocks, graph_writepage_trans_blocks,
};
use crate::fs::fs_writeback::{Reason, mark_inode_dirty, try_to_writeback_inodes_sb};
use crate::mm::filemap::{grab_cache_page_write_begin, lock_page, put_page, unlock_page};
use crate::mm::page_writeback::ino_of;
use crate::mm::truncate::pagecache_isize_extended;
use crate::mm::writeback::wait_for_stable_page;
use crate::site;
use crate::trace::Graph as _;
use crate::trace::{call, traced};
use crate::{point, probe};

/// Which operations a regular file uses (`ext4_set_aops()`, fs/ext4/inode.c:3778).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aops {
    /// `ext4_da_aops`: blocks are reserved now, allocated at writeback.
    Delalloc,
    /// `ext4_aops`: blocks are allocated in write_begin.
    Plain,
    /// `ext4_journalled_aops`: the data goes through the log too.
    Journalled,
}

/// What write_begin tells write_end (`fsdata`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsdata {
    /// Nothing.
    #[default]
    None,
    /// FALL_BACK_TO_NONDELALLOC.
    Nondelalloc,
    /// CONVERT_INLINE_DATA: the inode's bytes are in page 0 and wait for a block.
    ConvertInlineData,
}

impl crate::trace::Word for Fsdata {
    fn word(self) -> u64 {
        self as u64
    }
}

/// The operations of an inode.
#[must_use]
pub fn a_ops(w: &World, inode: InodeId) -> Aops {
    if ext4_should_journal_data(w, inode) {
        Aops::Journalled
    } else if MountOpts::from_bits_retain(w.sb().mount_opts).contains(MountOpts::DELALLOC) {
        Aops::Delalloc
    } else {
        Aops::Plain
    }
}

/// `a_ops->write_begin`.
///
/// # Errors
/// `EIO`, `EROFS`, `ENOSPC`, or what the journal or the extent tree gives.
pub async fn write_begin(
    kt: &Kthread,
    ops: Aops,
    inode: InodeId,
    pos: u64,
    len: u64,
) -> Result<(PageId, Fsdata), Errno> {
    match ops {
        Aops::Delalloc => ext4_da_write_begin(kt, inode, pos, len).await,
        Aops::Plain | Aops::Journalled => Ok((ext4_write_begin(kt, inode, pos, len).await?, Fsdata::None)),
    }
}

/// `a_ops->write_end`: the bytes kept.
///
/// # Errors
/// What the journal gives.
#[allow(clippy::too_many_arguments)] // the kernel's own list
pub async fn write_end(
    kt: &Kthread,
    ops: Aops,
    inode: InodeId,
    pos: u64,
    len: u64,
    copied: u64,
    page: PageId,
    fsdata: Fsdata,
) -> Result<u64, Errno> {
    match ops {
        Aops::Delalloc => ext4_da_write_end(kt, inode, pos, len, copied, page, fsdata).await,
        Aops::Plain => ext4_write_end(kt, inode, pos, len, copied, page).await,
        Aops::Journalled => ext4_journalled_write_end(kt, inode, pos, len, copied, page).await,
    }
}

/// A page handed out of a traced call, whose trace prints 0.
#[derive(Clone, Copy)]
struct Begun(PageId, Fsdata);

impl crate::trace::Word for Begun {
    fn word(self) -> u64 {
        0
    }
}

/// `ext4_nonda_switch()`, fs/ext4/inode.c:2955: true if space is so low that
/// delayed allocation must be left. One CPU: the watermark is 4 * 32 clusters.
/// When reservations take half of what is free, all dirty files are written.
pub(super) async fn ext4_nonda_switch(kt: &Kthread) -> bool {
    const WATERMARK: u64 = 4 * 32;
    call!(kt, &site::EXT4_NONDA_SWITCH, &[], async {
        // As read without what the CPU has not yet added: changes show once 32 have gathered.
        let (free, dirty) =
            kt.with(|w| (w.counter(Counter::FreeClustersApprox), w.counter(Counter::DirtyClustersApprox)));
        if dirty > 0 && free < 2 * dirty {
            Box::pin(try_to_writeback_inodes_sb(kt, Reason::FsFreeSpace)).await;
            probe!(kt, NDS_KICK, free = free, dirty = dirty).await;
        }
        2 * free < 3 * dirty || free < dirty + WATERMARK
    })
    .await
}

/// `ext4_da_write_begin()`, fs/ext4/inode.c:3002.
async fn ext4_da_write_begin(kt: &Kthread, inode: InodeId, pos: u64, len: u64) -> Result<(PageId, Fsdata), Errno> {
    let index = (pos / PAGE_SIZE) as u32;
    let done = call!(kt, &site::EXT4_DA_WRITE_BEGIN_FN, &[pos, len, 0, u64::from(index)], async {
        if kt.with(|w| w.sb().shutdown) {
            probe!(kt, DWB_SHUTDOWN, ret = Errno::EIO).await;
            return Err(Errno::EIO);
        }
        let nonda = ext4_nonda_switch(kt).await;
        probe!(kt, DWB_NONDA).await;
        if nonda {
            return ext4_write_begin(kt, inode, pos, len).await.map(|page| Begun(page, Fsdata::Nondelalloc));
        }
        kt.with(|w| point!(w, EXT4_DA_WRITE_BEGIN, ino_of(w, inode), pos, len, 0u64));
        let mut fsdata = Fsdata::None;
        if kt.with(|w| may_inline_data(w, inode)) {
            let begun = Box::pin(ext4_da_write_inline_data_begin(kt, inode, pos, len)).await;
            probe!(kt, DWB_INLINE, ret = begun).await;
            match begun? {
                inline::write::Begun::Inside(page) => return Ok(Begun(page, fsdata)),
                inline::write::Begun::Blocks(data) => fsdata = data,
            }
        }
        let page = begin_with_handle(kt, inode, pos, len, 1, GetBlock::DaPrep).await?;
        probe!(kt, DWB_OK, page = page, ret = 0u64).await;
        Ok(Begun(page, fsdata))
    })
    .await?;
    Ok((done.0, done.1))
}

/// Which get_block a write_begin uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs::ext4) enum GetBlock {
    /// `ext4_da_get_block_prep`.
    DaPrep,
    /// `ext4_get_block`.
    Plain,
    /// `ext4_get_block_unwritten`.
    Unwritten,
}

/// What both kinds of write_begin have in common: page, handle, blocks, and
/// the retry after a commit that may free space.
///
/// The handle is started with the page unlocked: a page lock may be waited for
/// inside a handle, never a handle inside a page lock.
async fn begin_with_handle(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    credits: u32,
    get_block: GetBlock,
) -> Result<PageId, Errno> {
    let index = (pos / PAGE_SIZE) as u32;
    let mut retries = 0;
    'retry_grab: loop {
        let page = grab_cache_page_write_begin(kt, inode, index, 0).await?;
        if get_block != GetBlock::DaPrep {
            kt.with(|w| {
                if w.pages.at(page).nr_bhs == 0 {
                    create_empty_buffers(w, page);
                }
            });
        }
        kt.with(|w| unlock_page(w, page));
        step(kt, get_block, Step::Unlock).await;
        'retry_journal: loop {
            let started = ext4_journal_start(kt, HandleType::WritePage, credits).await;
            step(kt, get_block, Step::Journal).await;
            if let Err(errno) = started {
                kt.with(|w| put_page(w, page));
                return Err(errno);
            }
            lock_page(kt, page).await;
            step(kt, get_block, Step::Relock).await;
            if kt.with(|w| w.pages.at(page).mapping != inode) {
                kt.with(|w| {
                    unlock_page(w, page);
                    put_page(w, page);
                });
                step(kt, get_block, Step::Truncated).await;
                ext4_journal_stop(kt).await?;
                continue 'retry_grab;
            }
            wait_for_stable_page(kt, page).await;
            if get_block != GetBlock::DaPrep {
                kt.graph("ext4_inode_journal_mode");
            }
            let mut result = ext4_block_write_begin(kt, inode, page, pos, len, get_block).await;
            if get_block != GetBlock::DaPrep {
                kt.graph("ext4_inode_journal_mode");
            }
            if result.is_ok() && kt.with(|w| ext4_should_journal_data(w, inode)) {
                result = journal_get_write_access(kt, page, pos % PAGE_SIZE, pos % PAGE_SIZE + len).await;
            }
            step(kt, get_block, Step::Blocks).await;
            let Err(errno) = result else {
                return Ok(page);
            };
            kt.with(|w| unlock_page(w, page));
            let extended = pos + len > kt.with(|w| w.sizes.at(inode).i_size);
            if extended && get_block != GetBlock::DaPrep {
                // A crash before the truncate must not leave the blocks; its error is dropped.
                let _ = ext4_orphan_add(kt, inode).await;
            }
            step(kt, get_block, Step::Fail).await;
            // The error at hand is the one to report; the handle's own would be a second one.
            let _ = ext4_journal_stop(kt).await;
            if extended {
                Box::pin(ext4_truncate_failed_write(kt, inode)).await;
            }
            if errno == Errno::ENOSPC && ext4_should_retry_alloc(kt, &mut retries).await {
                continue 'retry_journal;
            }
            kt.with(|w| put_page(w, page));
            return Err(errno);
        }
    }
}

/// A place in write_begin that delayed and plain allocation share, at lines of their own.
#[derive(Clone, Copy)]
enum Step {
    Unlock,
    Journal,
    Relock,
    Truncated,
    Blocks,
    Fail,
}

async fn step(kt: &Kthread, get_block: GetBlock, step: Step) {
    let delayed = get_block == GetBlock::DaPrep;
    match (step, delayed) {
        (Step::Unlock, true) => probe!(kt, DWB_UNLOCK).await,
        (Step::Unlock, false) => probe!(kt, WB_UNLOCK).await,
        (Step::Journal, true) => probe!(kt, DWB_JOURNAL).await,
        (Step::Journal, false) => probe!(kt, WB_JOURNAL).await,
        (Step::Relock, true) => probe!(kt, DWB_RELOCK).await,
        (Step::Relock, false) => probe!(kt, WB_RELOCK).await,
        (Step::Truncated, true) => probe!(kt, DWB_TRUNCATED).await,
        (Step::Truncated, false) => probe!(kt, WB_TRUNCATED).await,
        (Step::Blocks, true) => probe!(kt, DWB_BLOCKS).await,
        (Step::Blocks, false) => probe!(kt, WB_BLOCKS).await,
        (Step::Fail, true) => probe!(kt, DWB_FAIL).await,
        (Step::Fail, false) => probe!(kt, WB_FAIL).await,
    }
}

/// `ext4_write_begin()`, fs/ext4/inode.c:1155: the blocks are allocated here.
async fn ext4_write_begin(kt: &Kthread, inode: InodeId, pos: u64, len: u64) -> Result<PageId, Errno> {
    let mut begun = PageId::NONE;
    call!(kt, &site::EXT4_WRITE_BEGIN_FN, &[pos, len, 0], async {
        if kt.with(|w| w.sb().shutdown) {
            probe!(kt, WB_SHUTDOWN, ret = Errno::EIO).await;
            return Err(Errno::EIO);
        }
        kt.with(|w| point!(w, EXT4_WRITE_BEGIN, ino_of(w, inode), pos, len, 0u64));
        let credits = kt.with(|w| {
            graph_writepage_trans_blocks(w, inode);
            ext4_writepage_trans_blocks(w, inode) + 1
        });
        if kt.with(|w| may_inline_data(w, inode)) {
            let tried = Box::pin(ext4_try_to_write_inline_data(kt, inode, pos, len)).await;
            probe!(kt, WB_INLINE, ret = tried).await;
            if let inline::write::Begun::Inside(page) = tried? {
                begun = page;
                return Ok(());
            }
        }
        let nolock = kt.with(|w| ext4_should_dioread_nolock(w, inode));
        let get_block = if nolock { GetBlock::Unwritten } else { GetBlock::Plain };
        begun = begin_with_handle(kt, inode, pos, len, credits, get_block).await?;
        Ok(())
    })
    .await?;
    Ok(begun)
}

/// `ext4_block_write_begin()`, fs/ext4/inode.c:1060: maps each buffer that the
/// write touches, zeroes what a new one would otherwise leave undefined, and
/// reads the old ones that are written only in part.
///
/// # Errors
/// What get_block gives, or `EIO` for a failed read.
async fn ext4_block_write_begin(
    kt: &Kthread,
    inode: InodeId,
    page: PageId,
    pos: u64,
    len: u64,
    get_block: GetBlock,
) -> Result<(), Errno> {
    call!(kt, &site::EXT4_BLOCK_WRITE_BEGIN, &[pos, len], map_and_read_buffers(kt, inode, page, pos, len, get_block))
        .await
}

/// `__block_write_begin_int()`, fs/buffer.c:1973: the same walk, for a page that
/// is about to be stored to through a mapping.
///
/// # Errors
/// What get_block gives, or `EIO` for a failed read.
pub(in crate::fs::ext4) async fn block_write_begin_int(
    kt: &Kthread,
    inode: InodeId,
    page: PageId,
    pos: u64,
    len: u64,
    get_block: GetBlock,
) -> Result<(), Errno> {
    call!(kt, &site::BLOCK_WRITE_BEGIN_INT, &[pos % PAGE_SIZE, len], async {
        let done = map_and_read_buffers(kt, inode, page, pos, len, get_block).await;
        probe!(kt, BWB_MAPPED, err = done).await;
        done
    })
    .await
}

/// `__block_write_begin()`, fs/buffer.c:2058: the same from the page's first byte
/// on, for data that leaves the inode.
///
/// # Errors
/// As [`block_write_begin_int`].
pub(in crate::fs::ext4) async fn block_write_begin(
    kt: &Kthread,
    inode: InodeId,
    page: PageId,
    len: u64,
    get_block: GetBlock,
) -> Result<(), Errno> {
    let begun = block_write_begin_int(kt, inode, page, 0, len, get_block);
    call!(kt, &site::BLOCK_WRITE_BEGIN, &[0, len], begun).await
}

/// The walk over a page's buffers that write_begin and page_mkwrite share.
async fn map_and_read_buffers(
    kt: &Kthread,
    inode: InodeId,
    page: PageId,
    pos: u64,
    len: u64,
    get_block: GetBlock,
) -> Result<(), Errno> {
    let from = pos % PAGE_SIZE;
    let to = from + len;
    let heads = kt.with(|w| {
        if w.pages.at(page).nr_bhs == 0 {
            create_empty_buffers(w, page);
        }
        w.page_bhs(page)
    });
    let first = kt.with(|w| (pos / PAGE_SIZE * PAGE_SIZE) >> w.sb().block_bits) as u32;
    let mut waits = Vec::new();
    let mut failed = None;
    for (n, bh) in (0..).zip(heads) {
        let block = first + n;
        match begin_buffer(kt, inode, page, bh, block, from, to, get_block).await {
            Ok(true) => waits.push(bh),
            Ok(false) => {}
            Err(errno) => {
                failed = Some(errno);
                break;
            }
        }
    }
    for &bh in &waits {
        wait_on_buffer(kt, bh).await;
        let uptodate = kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::UPTODATE));
        if !uptodate {
            failed = Some(Errno::EIO);
        }
        probe!(kt, EBWB_WAIT, err = failed.map_or(0, Errno::as_ret)).await;
    }
    if let Some(errno) = failed {
        kt.with(|w| page_zero_new_buffers(w, page, from, to));
        probe!(kt, EBWB_FAIL, err = errno).await;
        return Err(errno);
    }
    Ok(())
}

/// One buffer of [`ext4_block_write_begin`]: true if a read was submitted.
#[allow(clippy::too_many_arguments)] // one round of the kernel's loop
async fn begin_buffer(
    kt: &Kthread,
    inode: InodeId,
    page: PageId,
    bh: BhId,
    block: u32,
    from: u64,
    to: u64,
    get_block: GetBlock,
) -> Result<bool, Errno> {
    let (start, size, page_uptodate) = kt.with(|w| {
        let head = w.bhs.at(bh);
        (u64::from(head.offset), u64::from(head.size), w.pages.at(page).flags.contains(PageFlags::UPTODATE))
    });
    let end = start + size;
    if end <= from || start >= to {
        if page_uptodate {
            kt.with(|w| w.bh_mut(bh).flags.insert(BhFlags::UPTODATE));
        }
        probe!(kt, EBWB_OUTSIDE, block = block, bh = bh).await;
        return Ok(false);
    }
    if kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::NEW)) {
        kt.with(|w| w.bh_mut(bh).flags.remove(BhFlags::NEW));
        probe!(kt, EBWB_NEW, block = block, bh = bh).await;
    }
    if !kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::MAPPED)) {
        probe!(kt, EBWB_MAP, block = block, bh = bh).await;
        match get_block {
            GetBlock::DaPrep => ext4_da_get_block_prep(kt, inode, block, bh).await?,
            GetBlock::Plain => ext4_get_block(kt, inode, block, bh, true).await?,
            GetBlock::Unwritten => ext4_get_block_unwritten(kt, inode, block, bh, true).await?,
        }
        if kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::NEW)) {
            if page_uptodate {
                kt.with(|w| {
                    let flags = &mut w.bh_mut(bh).flags;
                    flags.remove(BhFlags::NEW);
                    flags.insert(BhFlags::UPTODATE);
                    mark_buffer_dirty(w, bh);
                });
                probe!(kt, EBWB_DIRTY, block = block, bh = bh).await;
            } else if end > to || start < from {
                kt.with(|w| {
                    zero_segment(w, page, to, end);
                    zero_segment(w, page, start, from);
                });
                probe!(kt, EBWB_ZERO, block = block, bh = bh).await;
            }
            return Ok(false);
        }
    }
    if page_uptodate {
        kt.with(|w| w.bh_mut(bh).flags.insert(BhFlags::UPTODATE));
        probe!(kt, EBWB_UPTODATE, block = block, bh = bh).await;
        return Ok(false);
    }
    let flags = kt.with(|w| w.bhs.at(bh).flags);
    let read = !flags.intersects(BhFlags::UPTODATE | BhFlags::DELAY | BhFlags::UNWRITTEN) && (start < from || end > to);
    if read {
        kt.with(|w| {
            w.graph("ext4_read_bh_lock { ext4_read_bh_nowait {");
            submit_bh_read(w, bh, 0);
            w.graph("} }");
        });
        probe!(kt, EBWB_READ, block = block, bh = bh).await;
    }
    Ok(read)
}

/// Zeroes bytes `from..to` of a page, if any.
fn zero_segment(w: &mut World, page: PageId, from: u64, to: u64) {
    if from < to {
        let (rec, content) = (w.rec, w.pages.at(page).content);
        w.contents.range_mut(rec, content, from as usize, (to - from) as usize).fill(0);
    }
}

/// `ext4_da_get_block_prep()`, fs/ext4/inode.c:1852: finds the block, or
/// reserves room for one without choosing where.
///
/// # Errors
/// `ENOSPC`, or what reading the tree gives.
async fn ext4_da_get_block_prep(kt: &Kthread, inode: InodeId, iblock: u32, bh: BhId) -> Result<(), Errno> {
    call!(kt, &site::EXT4_DA_GET_BLOCK_PREP, &[u64::from(iblock), 1], async {
        let map = ext4_da_map_blocks(kt, inode, iblock).await?;
        kt.with(|w| {
            let head = w.bh_mut(bh);
            head.blocknr = map.pblk;
            head.flags.insert(BhFlags::MAPPED);
            match map.kind {
                DaKind::Delayed => head.flags.insert(BhFlags::NEW | BhFlags::DELAY),
                DaKind::Unwritten => head.flags.insert(BhFlags::NEW | BhFlags::UNWRITTEN),
                DaKind::Written => {}
            }
            if map.kind != DaKind::Delayed {
                w.graph("ext4_update_bh_state");
            }
        });
        probe!(kt, DGB_DONE, pblk = map.pblk).await;
        Ok(())
    })
    .await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DaKind {
    Written,
    Unwritten,
    Delayed,
}

#[derive(Clone, Copy)]
struct DaMap {
    pblk: u64,
    kind: DaKind,
}

/// The block number of a buffer that has no block yet: `~0xffff`.
pub const INVALID_BLOCK: u64 = !0xffff;

/// `ext4_da_map_blocks()`, fs/ext4/inode.c:1739, for one block.
async fn ext4_da_map_blocks(kt: &Kthread, inode: InodeId, iblock: u32) -> Result<DaMap, Errno> {
    let delayed = DaMap { pblk: INVALID_BLOCK, kind: DaKind::Delayed };
    let looked_up = kt.with(|w| es_lookup_extent(w, inode, iblock));
    probe!(kt, DGB_ES).await;
    let mut known_hole = false;
    if let Some((start, es)) = looked_up {
        if es.status & ES_HOLE == 0 {
            if es.status & ES_DELAYED != 0 && es.status & ES_UNWRITTEN == 0 {
                return Ok(delayed);
            }
            let pblk = es.pblk + u64::from(iblock - start);
            let kind = if es.status & ES_WRITTEN != 0 { DaKind::Written } else { DaKind::Unwritten };
            return Ok(DaMap { pblk, kind });
        }
        known_hole = true;
    }
    let inline = kt.with(|w| ext4_has_inline_data(w, inode));
    if inline {
        probe!(kt, DGB_INLINE).await;
    } else if !known_hole && let Some(found) = query_disk(kt, inode, iblock, false).await? {
        return Ok(found);
    }
    down_write(kt, RwSem::IDataSem(inode)).await;
    let reserved = da_reserve_hole(kt, inode, iblock).await;
    kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
    let found = reserved?;
    probe!(kt, DGB_RESERVE).await;
    Ok(found.unwrap_or(delayed))
}

/// Asks the tree on disk; `None` for a hole.
async fn query_disk(kt: &Kthread, inode: InodeId, iblock: u32, locked: bool) -> Result<Option<DaMap>, Errno> {
    let mut map = MapBlocks { lblk: iblock, len: 1, ..MapBlocks::default() };
    if !locked {
        down_read(kt, RwSem::IDataSem(inode)).await;
    }
    let found = ext4_map_query_blocks(kt, inode, &mut map).await;
    if !locked {
        kt.with(|w| up_read(w, RwSem::IDataSem(inode)));
        probe!(kt, DGB_DISK).await;
    }
    if found? == 0 {
        return Ok(None);
    }
    let kind = if map.flags.contains(MapFlags::UNWRITTEN) { DaKind::Unwritten } else { DaKind::Written };
    Ok(Some(DaMap { pblk: map.pblk, kind }))
}

/// Under `i_data_sem`: looks once more, since another may have mapped the
/// block meanwhile, then reserves a cluster. `None`: it is delayed now.
async fn da_reserve_hole(kt: &Kthread, inode: InodeId, iblock: u32) -> Result<Option<DaMap>, Errno> {
    match kt.with(|w| es_lookup_extent(w, inode, iblock)) {
        Some((start, es)) if es.status & ES_HOLE == 0 => {
            if es.status & ES_DELAYED != 0 && es.status & ES_UNWRITTEN == 0 {
                return Ok(None);
            }
            let kind = if es.status & ES_WRITTEN != 0 { DaKind::Written } else { DaKind::Unwritten };
            return Ok(Some(DaMap { pblk: es.pblk + u64::from(iblock - start), kind }));
        }
        Some(_) => {}
        None => {
            if !kt.with(|w| ext4_has_inline_data(w, inode))
                && let Some(found) = query_disk(kt, inode, iblock, true).await?
            {
                return Ok(Some(found));
            }
        }
    }
    // ext4_insert_delayed_block(): with clusters, one reservation for all blocks of a cluster
    let mut allocated = false;
    let mut reserve = true;
    if kt.with(|w| w.sb().cluster_bits > 0) {
        reserve = !kt.with(|w| es_scan_clu(w, inode, iblock, false));
        if reserve {
            allocated = kt.with(|w| es_scan_clu(w, inode, iblock, true)) || ext4_clu_mapped(kt, inode, iblock).await?;
            reserve = !allocated;
        }
    }
    kt.with(|w| {
        if reserve {
            ext4_da_reserve_space(w, inode)?;
        }
        es_insert_delayed_block(w, inode, iblock, allocated);
        Ok(None)
    })
}

/// `ext4_da_reserve_space()`, fs/ext4/inode.c:1505: one cluster.
fn ext4_da_reserve_space(w: &mut World, inode: InodeId) -> Result<(), Errno> {
    w.graph("ext4_da_reserve_space { ext4_get_reserved_space");
    let claimed = ext4_claim_free_clusters(w, 1);
    w.graph("}");
    if !claimed {
        return Err(Errno::ENOSPC);
    }
    w.size_mut(inode).reserved += 1;
    let (ino, mode) = (ino_of(w, inode), w.inodes.at(inode).mode);
    let size = *w.sizes.at(inode);
    point!(w, EXT4_DA_RESERVE_SPACE, ino, mode, size.i_blocks, size.reserved);
    Ok(())
}

fn page_flag_args(w: &World, page: PageId) -> [u64; 3] {
    let flags = w.pages.at(page).flags;
    [PageFlags::UPTODATE, PageFlags::DIRTY, PageFlags::PRIVATE].map(|flag| u64::from(flags.contains(flag)))
}

/// `ext4_da_write_end()`, fs/ext4/inode.c:3126.
async fn ext4_da_write_end(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    copied: u64,
    page: PageId,
    fsdata: Fsdata,
) -> Result<u64, Errno> {
    let [uptodate, dirty, private] = kt.with(|w| page_flag_args(w, page));
    call!(kt, &site::EXT4_DA_WRITE_END_FN, &[pos, len, copied, uptodate, dirty, private], async {
        if fsdata == Fsdata::Nondelalloc {
            return ext4_write_end(kt, inode, pos, len, copied, page).await;
        }
        kt.with(|w| point!(w, EXT4_DA_WRITE_END, ino_of(w, inode), pos, len, copied));
        let grows = copied != 0 && pos + copied > kt.with(|w| w.sizes.at(inode).i_size);
        let inline = kt.with(|w| ext4_has_inline_data(w, inode));
        let last = (pos + copied).saturating_sub(1) % PAGE_SIZE;
        if grows && (inline || kt.with(|w| ext4_da_should_update_i_disksize(w, page, last))) {
            down_write(kt, RwSem::IDataSem(inode)).await;
            kt.with(|w| {
                let disksize = w.sizes.at(inode).i_disksize.max(pos + copied);
                w.size_mut(inode).i_disksize = disksize;
                up_write(w, RwSem::IDataSem(inode));
            });
        }
        probe!(kt, DWE_ISIZE, write_mode = fsdata).await;
        let inline = fsdata != Fsdata::ConvertInlineData && inline && kt.with(|w| may_inline_data(w, inode));
        let kept = if inline {
            let kept = Box::pin(ext4_da_write_inline_data_end(kt, inode, pos, len, copied, page)).await;
            probe!(kt, DWE_INLINE, ret = kept).await;
            kept
        } else {
            Ok(generic_write_end(kt, inode, pos, len, copied, page).await)
        };
        let stopped = ext4_journal_stop(kt).await;
        probe!(kt, DWE_STOP, ret = kept).await;
        if kept == Ok(0) {
            stopped?;
        }
        kept
    })
    .await
}

/// `ext4_da_should_update_i_disksize()`, fs/ext4/inode.c:3107: true if the last
/// byte written lies in a block that is already allocated and written.
fn ext4_da_should_update_i_disksize(w: &World, page: PageId, last: u64) -> bool {
    w.page_bhs(page)
        .find(|&bh| {
            let head = w.bhs.at(bh);
            (u64::from(head.offset)..u64::from(head.offset) + u64::from(head.size)).contains(&last)
        })
        .is_some_and(|bh| {
            let flags = w.bhs.at(bh).flags;
            flags.contains(BhFlags::MAPPED) && !flags.intersects(BhFlags::DELAY | BhFlags::UNWRITTEN)
        })
}

/// `generic_write_end()`, fs/buffer.c:2168: buffers dirty, `i_size`, page unlocked.
async fn generic_write_end(kt: &Kthread, inode: InodeId, pos: u64, len: u64, copied: u64, page: PageId) -> u64 {
    let [uptodate, dirty, _] = kt.with(|w| page_flag_args(w, page));
    call!(kt, &site::GENERIC_WRITE_END, &[pos, len, copied, uptodate, dirty, pos % PAGE_SIZE], async {
        let old_size = kt.with(|w| w.sizes.at(inode).i_size);
        let copied = block_write_end(kt, pos, len, copied, page).await;
        let changed = pos + copied > old_size;
        if changed {
            kt.with(|w| w.size_mut(inode).i_size = pos + copied);
        }
        probe!(kt, GWE_ISIZE, copied = copied, old_size = old_size).await;
        kt.with(|w| {
            unlock_page(w, page);
            put_page(w, page);
        });
        probe!(kt, GWE_UNLOCK).await;
        if old_size < pos {
            kt.with(|w| pagecache_isize_extended(w, inode, old_size, pos));
            probe!(kt, GWE_EXTENDED).await;
        }
        if changed {
            let all = InodeState::DIRTY_SYNC | InodeState::DIRTY_DATASYNC | InodeState::DIRTY_PAGES;
            mark_inode_dirty(kt, inode, all).await;
            probe!(kt, GWE_DIRTY).await;
        }
        copied
    })
    .await
}

/// `block_write_end()`, fs/buffer.c:2132, without a frame of its own: a short
/// copy into a page that is not uptodate counts for nothing.
async fn block_write_end(kt: &Kthread, pos: u64, len: u64, copied: u64, page: PageId) -> u64 {
    let start = pos % PAGE_SIZE;
    let mut kept = copied;
    if copied < len {
        probe!(kt, BWE_SHORT).await;
        if !kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE)) {
            kept = 0;
            probe!(kt, BWE_DROP, copied = kept).await;
        }
        kt.with(|w| page_zero_new_buffers(w, page, start + kept, start + len));
        probe!(kt, BWE_ZERO).await;
    }
    kt.with(|w| block_commit_write(w, page, start, start + kept));
    probe!(kt, BWE_COMMIT).await;
    kept
}

/// `page_zero_new_buffers()`, fs/buffer.c:1881: new buffers of the range that
/// got no data are zeroed and made dirty, so that no stale bytes show.
pub fn page_zero_new_buffers(w: &mut World, page: PageId, from: u64, to: u64) {
    traced(w, &site::PAGE_ZERO_NEW_BUFFERS, &[from, to], |w| {
        let page_uptodate = w.pages.at(page).flags.contains(PageFlags::UPTODATE);
        for bh in w.page_bhs(page).collect::<Vec<_>>() {
            let head = *w.bhs.at(bh);
            let (start, end) = (u64::from(head.offset), u64::from(head.offset) + u64::from(head.size));
            if !head.flags.contains(BhFlags::NEW) || end <= from || start >= to {
                continue;
            }
            if !page_uptodate {
                zero_segment(w, page, start.max(from), end.min(to));
                w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
            }
            w.bh_mut(bh).flags.remove(BhFlags::NEW);
            mark_buffer_dirty(w, bh);
        }
    });
}

/// `__block_commit_write()`, fs/buffer.c:2065: buffers of `from..to` become
/// uptodate and dirty; the page becomes uptodate once all its buffers are.
pub fn block_commit_write(w: &mut World, page: PageId, from: u64, to: u64) {
    let mut partial = false;
    for bh in w.page_bhs(page) {
        let head = *w.bhs.at(bh);
        let (start, end) = (u64::from(head.offset), u64::from(head.offset) + u64::from(head.size));
        if end <= from || start >= to {
            partial |= !head.flags.contains(BhFlags::UPTODATE);
        } else {
            w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
            mark_buffer_dirty(w, bh);
        }
        w.bh_mut(bh).flags.remove(BhFlags::NEW);
    }
    if !partial {
        w.page_mut(page).flags.insert(PageFlags::UPTODATE);
    }
}

/// `ext4_write_end()`, fs/ext4/inode.c:1306.
async fn ext4_write_end(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    copied: u64,
    page: PageId,
) -> Result<u64, Errno> {
    let [uptodate, dirty, private] = kt.with(|w| page_flag_args(w, page));
    call!(kt, &site::EXT4_WRITE_END_FN, &[pos, len, copied, uptodate, dirty, private], async {
        kt.with(|w| point!(w, EXT4_WRITE_END, ino_of(w, inode), pos, len, copied));
        let old_size = kt.with(|w| w.sizes.at(inode).i_size);
        let inline = kt.with(|w| ext4_has_inline_data(w, inode));
        let kept = if inline && kt.with(|w| may_inline_data(w, inode)) {
            let kept = end_inline(kt, inode, pos, len, copied, page).await;
            probe!(kt, WE_INLINE, ret = kept).await;
            kept?
        } else {
            let kept = call!(kt, &site::BLOCK_WRITE_END, &[pos, len, copied, uptodate, dirty], async {
                kt.with(|w| {
                    let start = pos % PAGE_SIZE;
                    let mut kept = copied;
                    if copied < len {
                        if !w.pages.at(page).flags.contains(PageFlags::UPTODATE) {
                            kept = 0;
                        }
                        page_zero_new_buffers(w, page, start + kept, start + len);
                    }
                    block_commit_write(w, page, start, start + kept);
                    kept
                })
            })
            .await;
            probe!(kt, WE_BLOCK, copied = kept).await;
            kept
        };
        let changed = kt.with(|w| {
            let size = w.size_mut(inode);
            let changed = pos + kept > size.i_size || pos + kept > size.i_disksize;
            size.i_size = size.i_size.max(pos + kept);
            size.i_disksize = size.i_disksize.max(pos + kept);
            changed
        });
        probe!(kt, WE_ISIZE).await;
        kt.with(|w| {
            unlock_page(w, page);
            put_page(w, page);
        });
        if old_size < pos {
            kt.with(|w| pagecache_isize_extended(w, inode, old_size, pos));
        }
        let marked = if changed || inline { ext4_mark_inode_dirty(kt, inode).await } else { Ok(()) };
        if pos + len > kt.with(|w| w.sizes.at(inode).i_size) {
            // A short copy left blocks behind the end; the kernel drops this error.
            let _ = ext4_orphan_add(kt, inode).await;
        }
        let stopped = ext4_journal_stop(kt).await;
        probe!(kt, WE_STOP).await;
        if pos + len > kt.with(|w| w.sizes.at(inode).i_size) {
            Box::pin(ext4_truncate_failed_write(kt, inode)).await;
        }
        marked.and(stopped)?;
        Ok(kept)
    })
    .await
}

/// [`ext4_write_inline_data_end`]; if it fails the write ends here.
async fn end_inline(kt: &Kthread, inode: InodeId, pos: u64, len: u64, copied: u64, page: PageId) -> Result<u64, Errno> {
    let kept = Box::pin(ext4_write_inline_data_end(kt, inode, pos, len, copied, page)).await;
    if kept.is_err() {
        kt.with(|w| {
            unlock_page(w, page);
            put_page(w, page);
        });
        // The error at hand is the one to report.
        let _ = ext4_journal_stop(kt).await;
    }
    kept
}

/// Buffers of bytes `from..to` of a page.
fn buffers_of(w: &World, page: PageId, from: u64, to: u64) -> Vec<BhId> {
    w.page_bhs(page)
        .filter(|&bh| {
            let head = w.bhs.at(bh);
            let start = u64::from(head.offset);
            start < to && start + u64::from(head.size) > from
        })
        .collect()
}

/// `do_journal_get_write_access()`, fs/ext4/inode.c, for the buffers of a range:
/// one that the last commit left dirty is the journal's again.
///
/// # Errors
/// What the journal gives.
pub(in crate::fs::ext4) async fn journal_get_write_access(
    kt: &Kthread,
    page: PageId,
    from: u64,
    to: u64,
) -> Result<(), Errno> {
    for bh in kt.with(|w| buffers_of(w, page, from, to)) {
        let flags = kt.with(|w| w.bhs.at(bh).flags);
        if !flags.contains(BhFlags::MAPPED) {
            continue;
        }
        ext4_journal_get_write_access(kt, bh).await?;
        if flags.contains(BhFlags::DIRTY) {
            kt.with(|w| w.bh_mut(bh).flags.remove(BhFlags::DIRTY));
            ext4_handle_dirty_metadata(kt, None, bh).await?;
        }
    }
    Ok(())
}

/// `write_end_fn()`: the buffer is uptodate, and the journal's.
async fn write_end_fn(kt: &Kthread, bh: BhId) -> Result<(), Errno> {
    if !kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::MAPPED)) {
        return Ok(());
    }
    kt.with(|w| w.bh_mut(bh).flags.insert(BhFlags::UPTODATE));
    ext4_handle_dirty_metadata(kt, None, bh).await
}

/// `ext4_journalled_zero_new_buffers()`: as `page_zero_new_buffers()`, into the journal.
async fn journalled_zero_new_buffers(kt: &Kthread, page: PageId, from: u64, to: u64) -> Result<(), Errno> {
    let page_uptodate = kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE));
    for bh in kt.with(|w| buffers_of(w, page, from, to)) {
        let head = kt.with(|w| *w.bhs.at(bh));
        if !head.flags.contains(BhFlags::NEW) {
            continue;
        }
        if !page_uptodate {
            let (start, end) = (u64::from(head.offset), u64::from(head.offset) + u64::from(head.size));
            kt.with(|w| zero_segment(w, page, start.max(from), end.min(to)));
            write_end_fn(kt, bh).await?;
        }
        kt.with(|w| w.bh_mut(bh).flags.remove(BhFlags::NEW));
    }
    Ok(())
}

/// `ext4_journalled_write_end()`, fs/ext4/inode.c:1417: the data joins the
/// transaction; the commit, not this, makes page and buffers dirty.
async fn ext4_journalled_write_end(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    copied: u64,
    page: PageId,
) -> Result<u64, Errno> {
    let [uptodate, dirty, private] = kt.with(|w| page_flag_args(w, page));
    call!(kt, &site::EXT4_JOURNALLED_WRITE_END_FN, &[pos, len, copied, uptodate, dirty, private], async {
        kt.with(|w| point!(w, EXT4_JOURNALLED_WRITE_END, ino_of(w, inode), pos, len, copied));
        let (old_size, from) = (kt.with(|w| w.sizes.at(inode).i_size), pos % PAGE_SIZE);
        let inline = kt.with(|w| ext4_has_inline_data(w, inode));
        let mut kept = if copied < len && uptodate == 0 { 0 } else { copied };
        let mut ret = Ok(());
        if inline {
            let ended = end_inline(kt, inode, pos, len, copied, page).await;
            probe!(kt, JWE_INLINE, ret = ended).await;
            kept = ended?;
        } else if copied < len {
            ret = journalled_zero_new_buffers(kt, page, from + kept, from + len).await;
        }
        if !inline && (copied == len || uptodate != 0) {
            for bh in kt.with(|w| buffers_of(w, page, from, from + kept)) {
                ret = ret.and(write_end_fn(kt, bh).await);
            }
            kt.with(|w| {
                let whole = w.page_bhs(page).all(|bh| w.bhs.at(bh).flags.contains(BhFlags::UPTODATE));
                if whole {
                    w.page_mut(page).flags.insert(PageFlags::UPTODATE);
                }
            });
        }
        probe!(kt, JWE_WALK, copied = kept, old_size = old_size).await;
        let changed = kt.with(|w| {
            let tid = ext4_journal_current_handle(w, kt).map_or(0, |handle| handle.tid);
            w.sync_mut(inode).datasync_tid = tid;
            let size = w.size_mut(inode);
            let changed = pos + kept > size.i_size || pos + kept > size.i_disksize;
            size.i_size = size.i_size.max(pos + kept);
            size.i_disksize = size.i_disksize.max(pos + kept);
            unlock_page(w, page);
            put_page(w, page);
            if old_size < pos {
                pagecache_isize_extended(w, inode, old_size, pos);
            }
            changed
        });
        let marked = if changed || inline { ext4_mark_inode_dirty(kt, inode).await } else { Ok(()) };
        let behind = pos + len > kt.with(|w| w.sizes.at(inode).i_size);
        if behind {
            // A short copy left blocks behind the end; the kernel drops this error.
            let _ = ext4_orphan_add(kt, inode).await;
        }
        let stopped = ext4_journal_stop(kt).await;
        probe!(kt, JWE_STOP, ret = ret).await;
        if behind {
            Box::pin(ext4_truncate_failed_write(kt, inode)).await;
        }
        ret.and(marked).and(stopped)?;
        Ok(kept)
    })
    .await
}
