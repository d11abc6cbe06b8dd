//! Writeback of a file's data: finds runs of dirty blocks, gives them a place,
//! sends them off. Mirrors fs/ext4/inode.c, `ext4_writepages()` and the
//! `mpage_` functions.
//!
//! ```text
//!   ext4_writepages ── pass 1: what is mapped already, no handle
//!        └── per run: handle ─ mpage_prepare_extent_to_map   (pages locked)
//!                            ─ mpage_map_and_submit_extent ── ext4_map_blocks
//!                              i_disksize, stop ─ bio ─ ext4_put_io_end: convert
//! ```
//!
//! Not modelled: fs-verity, `s_writepages_rwsem` (nothing
//! here changes a file's format), `-ENOMEM`; see docs/omissions.md#writeback.

use bitflags::bitflags;
use sched::{Kthread, RwSem, down_write, up_write};
use world::{BhFlags, BhId, Errno, InodeId, PAGE_SIZE, PageFlags, PageId, World};

use crate::fs::buffer::block_size;
use crate::fs::ext4::balloc::ext4_count_free_clusters;
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_start_with_reserve, ext4_journal_stop};
use crate::fs::ext4::extents_status::es_remove_extent;
use crate::fs::ext4::inline::{ext4_destroy_inline_data, ext4_has_inline_data, may_inline_data};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_map_blocks};
use crate::fs::ext4::page_io::{
    IoSubmit, ext4_alloc_io_end_vec, ext4_bio_write_page, ext4_init_io_end, ext4_io_submit, ext4_put_io_end,
    ext4_put_io_end_defer, io_end_vec_extend,
};
use crate::fs::ext4::super_::{
    MountOpts, ext4_meta_trans_blocks, ext4_should_dioread_nolock, ext4_writepage_trans_blocks,
    graph_meta_trans_blocks, graph_should_dioread_nolock, has_journal,
};
use crate::fs::jbd2::commit::ext4_force_commit;
use crate::mm::filemap::{lock_page, unlock_page, wait_on_page_writeback};
use crate::mm::page_writeback::{account_page_cleaned, ino_of};
use crate::mm::truncate::{block_invalidatepage, ext4_invalidatepage};
pub use crate::mm::writeback::{SyncMode, WritebackControl};
use crate::mm::writeback::{
    clear_page_dirty_for_io, find_tagged, generic_writepages, mapping_tagged, page_index, redirty_page_for_writepage,
    tag_pages_for_writeback,
};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// MAX_WRITEPAGES_EXTENT_LEN: blocks mapped at once.
const MAX_WRITEPAGES_EXTENT_LEN: u32 = 2048;

bitflags! {
    /// BH_FLAGS: the state that blocks of one run share, in the kernel's bits.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct RunState: u32 {
        /// BIT(BH_Delay).
        const DELAY = 1 << 8;
        /// BIT(BH_Unwritten).
        const UNWRITTEN = 1 << 11;
    }
}

/// `struct mpage_da_data`: one call's progress, on its stack as in C.
struct MpageDaData {
    inode: InodeId,
    /// First page still to be written.
    first_page: u32,
    /// Page behind the last one examined.
    next_page: u64,
    /// Last page of the range.
    last_page: u32,
    /// First block of the run.
    lblk: u32,
    /// Blocks of the run, 0 for no run.
    len: u32,
    /// What the run is, before it is mapped.
    state: RunState,
    io: IoSubmit,
    do_map: bool,
    scanned_until_end: bool,
    rsv_credits: u32,
}

/// What `mpage_process_page_bufs()` found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scan {
    /// Go on with the next page.
    Continue,
    /// The run is complete.
    Stop,
}

/// `ext4_should_journal_data()`, fs/ext4/ext4_jbd2.h: the file's data goes through the log.
#[must_use]
pub fn ext4_should_journal_data(w: &World, inode: InodeId) -> bool {
    const JOURNAL_DATA: u32 = 0x4000;
    let opts = MountOpts::of(w);
    let head = w.inodes.at(inode);
    has_journal(w)
        && crate::fs::inode::is_regular(head.mode)
        && (opts.contains(MountOpts::DATA_JOURNAL)
            || head.flags & JOURNAL_DATA != 0 && !opts.contains(MountOpts::DELALLOC))
}

fn blocks_per_page(w: &World) -> u32 {
    u32::try_from(PAGE_SIZE / block_size(w)).expect("a block is at most a page")
}

fn bh_run_state(w: &World, bh: BhId) -> RunState {
    let flags = w.bhs.at(bh).flags;
    let mut state = RunState::empty();
    state.set(RunState::DELAY, flags.contains(BhFlags::DELAY));
    state.set(RunState::UNWRITTEN, flags.contains(BhFlags::UNWRITTEN));
    state
}

/// `ext4_writepages()`, fs/ext4/inode.c:2702: writes dirty pages of `inode` as
/// `wbc` says; `nr_to_write` counts down.
///
/// # Errors
/// `EIO` after a shutdown; `ENOSPC` or what mapping gives: the pages of that
/// run are then dropped (data loss) unless a retry can help.
pub async fn ext4_writepages(kt: &Kthread, inode: InodeId, wbc: &mut WritebackControl) -> Result<(), Errno> {
    let asked = wbc.nr_to_write;
    call!(
        kt,
        &site::EXT4_WRITEPAGES_FN,
        &[asked as u64, wbc.range_start, wbc.range_end],
        Box::pin(async {
            if kt.with(|w| w.sb().shutdown) {
                probe!(kt, WP_SHUTDOWN).await;
                return Err(Errno::EIO);
            }
            kt.with(|w| trace_ext4_writepages(w, inode, wbc));
            kt.graph("ext4_inode_journal_mode");
            let ret = if !kt.with(|w| mapping_tagged(w, inode, PageFlags::TAG_DIRTY)) {
                probe!(kt, WP_EMPTY).await;
                Ok(())
            } else if kt.with(|w| ext4_should_journal_data(w, inode)) {
                probe!(kt, WP_JDATA).await;
                generic_writepages(kt, inode, wbc).await
            } else {
                match leave_inode(kt, inode).await {
                    Ok(()) => write_ranges(kt, inode, wbc).await,
                    failed => failed,
                }
            };
            kt.with(|w| trace_ext4_writepages_result(w, inode, wbc, ret, asked));
            ret
        }),
    )
    .await
}

/// The begin of a walk over an inode's dirty data.
pub(super) fn trace_ext4_writepages(w: &mut World, inode: InodeId, wbc: &WritebackControl) {
    let (ino, index) = (ino_of(w, inode), w.syncs.at(inode).writeback_index);
    let (start, end, mode) = (wbc.range_start, wbc.range_end, wbc.sync_mode as u64);
    let (asked, kupdate, cyclic) = (wbc.nr_to_write, wbc.for_kupdate, wbc.range_cyclic);
    point!(w, EXT4_WRITEPAGES, ino, asked, wbc.pages_skipped, start, end, mode, kupdate, cyclic, index);
}

/// Its end; `asked` pages were to be written at most.
pub(super) fn trace_ext4_writepages_result(
    w: &mut World,
    inode: InodeId,
    wbc: &WritebackControl,
    ret: Result<(), Errno>,
    asked: i64,
) {
    let (ino, index) = (ino_of(w, inode), w.syncs.at(inode).writeback_index);
    let written = asked - wbc.nr_to_write;
    point!(w, EXT4_WRITEPAGES_RESULT, ino, ret, written, wbc.pages_skipped, wbc.sync_mode as u64, index);
}

/// Data that left its inode for a page that is about to be written: the inode's copy goes.
async fn leave_inode(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    if !kt.with(|w| ext4_has_inline_data(w, inode)) {
        return Ok(());
    }
    ext4_journal_start(kt, HandleType::Inode, 1).await?;
    assert!(!kt.with(|w| may_inline_data(w, inode)), "BUG_ON: a dirty page of a file that lives in its inode");
    // The kernel drops both errors.
    kt.graph("ext4_destroy_inline_data {");
    let _ = Box::pin(ext4_destroy_inline_data(kt, inode)).await;
    kt.graph("}");
    let _ = ext4_journal_stop(kt).await;
    probe!(kt, WP_INLINE).await;
    Ok(())
}

/// The pages of the range, and once more from 0 if a cyclic walk began further on.
async fn write_ranges(kt: &Kthread, inode: InodeId, wbc: &mut WritebackControl) -> Result<(), Errno> {
    kt.with(|w| graph_should_dioread_nolock(w, inode));
    let writeback_index = if wbc.range_cyclic { kt.with(|w| w.syncs.at(inode).writeback_index) } else { 0 };
    let (first_page, last_page) = if wbc.range_cyclic {
        (writeback_index, u32::MAX)
    } else {
        (page_index(wbc.range_start), page_index(wbc.range_end))
    };
    let mut mpd = MpageDaData {
        inode,
        first_page,
        next_page: u64::from(first_page),
        last_page,
        lblk: 0,
        len: 0,
        state: RunState::empty(),
        io: IoSubmit::default(),
        do_map: false,
        scanned_until_end: false,
        rsv_credits: kt.with(|w| {
            if !ext4_should_dioread_nolock(w, inode) {
                return 0;
            }
            graph_meta_trans_blocks(w, inode);
            1 + ext4_writepage_trans_blocks(w, inode)
        }),
    };
    probe!(kt, WP_RANGE, first_page = first_page, last_page = last_page).await;
    let mut cycled = writeback_index == 0;
    let ret = loop {
        let ret = write_range(kt, &mut mpd, wbc).await;
        if ret.is_err() || cycled || wbc.nr_to_write <= 0 {
            break ret;
        }
        cycled = true;
        (mpd.first_page, mpd.last_page) = (0, writeback_index - 1);
        probe!(kt, WP_CYCLE, first_page = mpd.first_page, last_page = mpd.last_page).await;
    };
    if wbc.range_cyclic || (wbc.range_whole() && wbc.nr_to_write > 0) {
        kt.with(|w| w.sync_mut(inode).writeback_index = mpd.first_page);
        probe!(kt, WP_INDEX, first_page = mpd.first_page).await;
    }
    ret
}

/// The kernel's `retry:` to `unplug:`.
async fn write_range(kt: &Kthread, mpd: &mut MpageDaData, wbc: &mut WritebackControl) -> Result<(), Errno> {
    let inode = mpd.inode;
    kt.graph("ext4_io_submit_init");
    if wbc.tag() == PageFlags::TAG_TOWRITE {
        kt.with(|w| tag_pages_for_writeback(w, inode, mpd.first_page, mpd.last_page));
        probe!(kt, WP_TAG).await;
    }
    mpd.do_map = false;
    mpd.scanned_until_end = false;
    mpd.io.io_end = kt.with(|w| ext4_init_io_end(w, inode));
    mpage_prepare_extent_to_map(kt, mpd, wbc).await;
    probe!(kt, WP_PASS1, nr_to_write = wbc.nr_to_write, first_page = mpd.first_page).await;
    kt.with(|w| {
        mpage_unlock_unused_pages(w, mpd);
        ext4_io_submit(w, &mut mpd.io, wbc.sync_mode);
        ext4_put_io_end_defer(w, mpd.io.io_end);
    });
    probe!(kt, WP_PASS1_SUBMIT).await;
    while !mpd.scanned_until_end && wbc.nr_to_write > 0 {
        probe!(kt, WP_LOOP, nr_to_write = wbc.nr_to_write, first_page = mpd.first_page).await;
        match write_run(kt, mpd, wbc).await {
            Err(Errno::ENOSPC) if kt.with(|w| has_journal(w)) => {
                probe!(kt, WP_NOSPC).await;
                // The kernel drops its error: the next try tells.
                let _ = Box::pin(ext4_force_commit(kt)).await;
            }
            Err(errno) => return Err(errno),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// `ext4_da_writepages_trans_blocks()`, fs/ext4/inode.c: credits to map one run.
fn ext4_da_writepages_trans_blocks(w: &World, inode: InodeId) -> u32 {
    let bpp = blocks_per_page(w);
    ext4_meta_trans_blocks(w, inode, MAX_WRITEPAGES_EXTENT_LEN + bpp - 1, bpp)
}

/// One round of the kernel's loop: a handle, a run of blocks, its bios.
async fn write_run(kt: &Kthread, mpd: &mut MpageDaData, wbc: &mut WritebackControl) -> Result<(), Errno> {
    let inode = mpd.inode;
    let (io_end, credits) = kt.with(|w| {
        let io_end = ext4_init_io_end(w, inode);
        w.graph("ext4_inode_journal_mode jbd2_journal_blocks_per_page");
        graph_meta_trans_blocks(w, inode);
        (io_end, ext4_da_writepages_trans_blocks(w, inode))
    });
    mpd.io.io_end = io_end;
    let rsv = mpd.rsv_credits;
    if let Err(errno) = ext4_journal_start_with_reserve(kt, HandleType::WritePage, credits, rsv).await {
        ext4_put_io_end(kt, io_end).await?;
        return Err(errno);
    }
    probe!(kt, WP_HANDLE).await;
    mpd.do_map = true;
    kt.with(|w| {
        let (ino, mode) = (ino_of(w, inode), wbc.sync_mode as u64);
        point!(w, EXT4_DA_WRITE_PAGES, ino, mpd.first_page, wbc.nr_to_write, mode);
    });
    mpage_prepare_extent_to_map(kt, mpd, wbc).await;
    probe!(kt, WP_PREPARE, first_page = mpd.first_page).await;
    let (mut ret, mut give_up_on_write) = (Ok(()), false);
    if mpd.len > 0 {
        ret = mpage_map_and_submit_extent(kt, mpd, wbc, &mut give_up_on_write).await;
    }
    // A handle that waits for its commit is stopped only after the pages are
    // unlocked and sent: the commit may wait for them.
    let sync = kt.with(|w| w.handles.get(world::HandleId(kt.task.0)).is_some_and(|handle| handle.sync));
    let mut stopped = Ok(());
    if !sync {
        stopped = ext4_journal_stop(kt).await;
        probe!(kt, WP_STOP).await;
        mpd.do_map = false;
    }
    if give_up_on_write {
        mpage_drop_unused_pages(kt, mpd).await;
    } else {
        kt.with(|w| mpage_unlock_unused_pages(w, mpd));
    }
    probe!(kt, WP_RELEASE).await;
    kt.with(|w| ext4_io_submit(w, &mut mpd.io, wbc.sync_mode));
    probe!(kt, WP_SUBMIT, nr_to_write = wbc.nr_to_write).await;
    if sync {
        kt.with(|w| ext4_put_io_end_defer(w, io_end));
        stopped = ext4_journal_stop(kt).await;
        probe!(kt, WP_STOP).await;
    } else {
        // Its error is a message only: the pages tell through their mapping.
        let _ = ext4_put_io_end(kt, io_end).await;
        probe!(kt, WP_IO_END).await;
    }
    // The kernel drops this error too.
    let _ = stopped;
    ret
}

/// `mpage_prepare_extent_to_map()`, fs/ext4/inode.c:2598: locks pages with the
/// tag and collects the run that their dirty blocks form; pages that need no
/// mapping go out at once.
async fn mpage_prepare_extent_to_map(kt: &Kthread, mpd: &mut MpageDaData, wbc: &mut WritebackControl) {
    let inode = mpd.inode;
    call!(
        kt,
        &site::MPAGE_PREPARE_EXTENT_TO_MAP,
        &[u64::from(mpd.first_page)],
        Box::pin(async {
            let mut left = wbc.nr_to_write;
            let mut index = mpd.first_page;
            mpd.len = 0;
            mpd.state = RunState::empty();
            mpd.next_page = u64::from(index);
            kt.graph("pagevec_lookup_range_tag { find_get_pages_range_tag }");
            while let Some(page) = kt.with(|w| find_tagged(w, inode, index, mpd.last_page, wbc.tag())) {
                let at = kt.with(|w| w.pages.at(page).index);
                if wbc.sync_mode == SyncMode::None && left <= 0 {
                    return;
                }
                if mpd.len > 0 && mpd.next_page != u64::from(at) {
                    return;
                }
                probe!(kt, MPE_LOCK, page = page).await;
                lock_page(kt, page).await;
                let head = kt.with(|w| *w.pages.at(page));
                let busy = head.flags.contains(PageFlags::WRITEBACK) && wbc.sync_mode == SyncMode::None;
                if !head.flags.contains(PageFlags::DIRTY) || busy || head.mapping != inode {
                    kt.with(|w| unlock_page(w, page));
                    probe!(kt, MPE_SKIP).await;
                } else {
                    if head.flags.contains(PageFlags::WRITEBACK) {
                        probe!(kt, MPE_WAIT).await;
                        wait_on_page_writeback(kt, page).await;
                    } else {
                        kt.graph("wait_on_page_writeback");
                    }
                    if mpd.len == 0 {
                        mpd.first_page = at;
                    }
                    mpd.next_page = u64::from(at) + 1;
                    let scan = kt.with(|w| {
                        if w.pages.at(page).nr_bhs == 0 {
                            // A warning in the kernel: nobody dirties a page so.
                            w.page_mut(page).flags.remove(PageFlags::DIRTY);
                            account_page_cleaned(w);
                            unlock_page(w, page);
                            mpd.first_page = at + 1;
                            return Scan::Continue;
                        }
                        let lblk = at * blocks_per_page(w);
                        mpage_process_page_bufs(w, mpd, wbc, page, 0, lblk)
                    });
                    let (lblk, len) = (mpd.lblk, mpd.len);
                    probe!(
                        kt,
                        MPE_BUFS,
                        first_page = mpd.first_page,
                        next_page = mpd.next_page,
                        lblk = lblk,
                        len = len
                    )
                    .await;
                    if scan == Scan::Stop {
                        return;
                    }
                    left -= 1;
                }
                if at >= mpd.last_page {
                    break;
                }
                index = at + 1;
            }
            mpd.scanned_until_end = true;
            probe!(kt, MPE_DONE).await;
        }),
    )
    .await;
}

/// `mpage_add_bh_to_extent()`, fs/ext4/inode.c:2175: false if the buffer ends the run.
fn mpage_add_bh_to_extent(w: &World, mpd: &mut MpageDaData, lblk: u32, bh: BhId) -> bool {
    let state = bh_run_state(w, bh);
    if !w.bhs.at(bh).flags.contains(BhFlags::DIRTY | BhFlags::MAPPED) || state.is_empty() {
        return mpd.len == 0;
    }
    if mpd.len == 0 {
        if mpd.do_map {
            (mpd.lblk, mpd.len, mpd.state) = (lblk, 1, state);
        }
        return mpd.do_map;
    }
    if mpd.len >= MAX_WRITEPAGES_EXTENT_LEN || lblk != mpd.lblk + mpd.len || state != mpd.state {
        return false;
    }
    mpd.len += 1;
    true
}

/// `mpage_process_page_bufs()`, fs/ext4/inode.c:2229: from buffer `from` of the
/// page (block `lblk`) on; a page with nothing to map is submitted.
fn mpage_process_page_bufs(
    w: &mut World,
    mpd: &mut MpageDaData,
    wbc: &mut WritebackControl,
    page: PageId,
    from: usize,
    lblk: u32,
) -> Scan {
    w.graph("mpage_process_page_bufs {");
    let scan = process_page_bufs(w, mpd, wbc, page, from, lblk);
    w.graph("}");
    scan
}

fn process_page_bufs(
    w: &mut World,
    mpd: &mut MpageDaData,
    wbc: &mut WritebackControl,
    page: PageId,
    from: usize,
    mut lblk: u32,
) -> Scan {
    let blocks = w.sizes.at(mpd.inode).i_size.div_ceil(block_size(w));
    for bh in w.page_bhs(page).skip(from) {
        assert!(!w.bhs.at(bh).flags.contains(BhFlags::LOCK), "BUG_ON: a buffer of a locked page is not under read");
        if u64::from(lblk) >= blocks || !mpage_add_bh_to_extent(w, mpd, lblk, bh) {
            if mpd.len > 0 || !mpd.do_map {
                return Scan::Stop;
            }
            break; // all mapped so far, and the file ends here
        }
        lblk += 1;
    }
    if mpd.len == 0 {
        mpage_submit_page(w, mpd, wbc, page);
    }
    if u64::from(lblk) >= blocks {
        mpd.scanned_until_end = true;
        return Scan::Stop;
    }
    Scan::Continue
}

/// `mpage_submit_page()`, fs/ext4/inode.c:2117.
fn mpage_submit_page(w: &mut World, mpd: &mut MpageDaData, wbc: &mut WritebackControl, page: PageId) {
    let index = w.pages.at(page).index;
    assert_eq!(index, mpd.first_page, "BUG_ON: pages go out in order");
    w.graph("mpage_submit_page {");
    clear_page_dirty_for_io(w, page);
    let len = bytes_inside(w, mpd.inode, index);
    ext4_bio_write_page(w, &mut mpd.io, page, len, wbc, false);
    w.graph("}");
    wbc.nr_to_write -= 1;
    mpd.first_page += 1;
}

/// How many bytes of the page lie inside the file, if `i_size` is in it; else all.
fn bytes_inside(w: &World, inode: InodeId, index: u32) -> u64 {
    let size = w.sizes.at(inode).i_size;
    if u64::from(index) == size / PAGE_SIZE { size % PAGE_SIZE } else { PAGE_SIZE }
}

/// `mpage_map_and_submit_extent()`, fs/ext4/inode.c:2475: maps the run, piece
/// by piece if the allocator gives less, and sends its pages off.
async fn mpage_map_and_submit_extent(
    kt: &Kthread,
    mpd: &mut MpageDaData,
    wbc: &mut WritebackControl,
    give_up_on_write: &mut bool,
) -> Result<(), Errno> {
    call!(
        kt,
        &site::MPAGE_MAP_AND_SUBMIT_EXTENT,
        &[u64::from(mpd.lblk), u64::from(mpd.len)],
        Box::pin(async {
            kt.with(|w| {
                let offset = u64::from(mpd.lblk) * block_size(w);
                ext4_alloc_io_end_vec(w, mpd.io.io_end, offset);
            });
            let (mut ret, mut progress) = (Ok(()), false);
            while mpd.len > 0 {
                let pblk = match mpage_map_one_extent(kt, mpd).await {
                    Ok(pblk) => pblk,
                    Err(errno) => {
                        let hopeful =
                            kt.with(|w| !w.sb().shutdown && errno == Errno::ENOSPC && ext4_count_free_clusters(w) > 0);
                        if !hopeful {
                            probe!(kt, MME_LOST, err = errno).await;
                            *give_up_on_write = true;
                            return Err(errno);
                        }
                        if !progress {
                            return Err(errno);
                        }
                        ret = Err(errno);
                        break;
                    }
                };
                probe!(kt, MME_MAP, lblk = mpd.lblk, len = mpd.len, pblk = pblk).await;
                progress = true;
                kt.with(|w| mpage_map_and_submit_buffers(w, mpd, wbc, pblk));
                probe!(kt, MME_BUFFERS, lblk = mpd.lblk, len = mpd.len).await;
            }
            let marked = mpage_update_disksize(kt, mpd).await;
            ret.and(marked)
        }),
    )
    .await
}

/// The end of `mpage_map_and_submit_extent()`: `i_disksize` follows what was
/// sent, before the data is on disk.
async fn mpage_update_disksize(kt: &Kthread, mpd: &MpageDaData) -> Result<(), Errno> {
    let inode = mpd.inode;
    let disksize = u64::from(mpd.first_page) * PAGE_SIZE;
    if disksize <= kt.with(|w| w.sizes.at(inode).i_disksize) {
        return Ok(());
    }
    down_write(kt, RwSem::IDataSem(inode)).await;
    let disksize = kt.with(|w| {
        let disksize = disksize.min(w.sizes.at(inode).i_size);
        if disksize > w.sizes.at(inode).i_disksize {
            w.size_mut(inode).i_disksize = disksize;
        }
        up_write(w, RwSem::IDataSem(inode));
        disksize
    });
    probe!(kt, MME_DISKSIZE, disksize = disksize).await;
    ext4_mark_inode_dirty(kt, inode).await
}

/// `mpage_map_one_extent()`, fs/ext4/inode.c:2407: the first block given; the
/// run is cut to what was mapped.
async fn mpage_map_one_extent(kt: &Kthread, mpd: &mut MpageDaData) -> Result<u64, Errno> {
    let inode = mpd.inode;
    let dioread_nolock = kt.with(|w| {
        point!(w, EXT4_DA_WRITE_PAGES_EXTENT, ino_of(w, inode), mpd.lblk, mpd.len, mpd.state.bits());
        graph_should_dioread_nolock(w, inode);
        ext4_should_dioread_nolock(w, inode)
    });
    let mut flags = GetBlocks::CREATE | GetBlocks::METADATA_NOFAIL | GetBlocks::IO_SUBMIT;
    flags.set(GetBlocks::UNWRIT_EXT | GetBlocks::PRE_IO, dioread_nolock);
    flags.set(GetBlocks::DELALLOC_RESERVE, mpd.state.contains(RunState::DELAY));
    let mut map = MapBlocks { lblk: mpd.lblk, len: mpd.len, ..MapBlocks::default() };
    ext4_map_blocks(kt, inode, &mut map, flags).await?;
    assert!(map.len > 0, "BUG_ON: something was mapped");
    if dioread_nolock && map.flags.contains(MapFlags::UNWRITTEN) {
        kt.with(|w| {
            let io_end = w.io_end_mut(mpd.io.io_end);
            io_end.unwritten = true;
            io_end.rsv_credits = mpd.rsv_credits;
        });
    }
    mpd.len = map.len;
    Ok(map.pblk)
}

/// `mpage_map_and_submit_buffers()`, fs/ext4/inode.c:2356: the run's buffers
/// learn their blocks, fully mapped pages go out. Leaves in `mpd` the next run
/// of the last page, or none.
fn mpage_map_and_submit_buffers(w: &mut World, mpd: &mut MpageDaData, wbc: &mut WritebackControl, mut pblk: u64) {
    let bpp = blocks_per_page(w);
    let (start, end) = (mpd.lblk / bpp, (mpd.lblk + mpd.len - 1) / bpp);
    let pages: Vec<PageId> =
        w.cache.entries().range((mpd.inode, start)..=(mpd.inode, end)).map(|(_, &page)| page).collect();
    let mut lblk = start * bpp;
    for page in pages {
        if mpage_process_page(w, mpd, wbc, page, &mut lblk, &mut pblk) {
            return;
        }
        mpage_submit_page(w, mpd, wbc, page);
    }
    (mpd.len, mpd.state) = (0, RunState::empty());
}

/// `mpage_process_page()`, fs/ext4/inode.c:2284: true if the page has blocks
/// behind the run: they are the next run, or the page went out.
fn mpage_process_page(
    w: &mut World,
    mpd: &mut MpageDaData,
    wbc: &mut WritebackControl,
    page: PageId,
    lblk: &mut u32,
    pblk: &mut u64,
) -> bool {
    let block = block_size(w);
    let io_end = mpd.io.io_end;
    let mut size = 0;
    for (n, bh) in w.page_bhs(page).enumerate() {
        if *lblk >= mpd.lblk + mpd.len {
            (mpd.len, mpd.state) = (0, RunState::empty());
            io_end_vec_extend(w, io_end, size);
            mpage_process_page_bufs(w, mpd, wbc, page, n, *lblk);
            if mpd.len > 0 && mpd.lblk > *lblk {
                ext4_alloc_io_end_vec(w, io_end, u64::from(mpd.lblk) * block);
            }
            return true;
        }
        if *lblk >= mpd.lblk {
            let head = w.bh_mut(bh);
            if head.flags.contains(BhFlags::DELAY) {
                head.flags.remove(BhFlags::DELAY);
                head.blocknr = *pblk;
                *pblk += 1;
            }
            head.flags.remove(BhFlags::UNWRITTEN);
            size += block;
        }
        *lblk += 1;
    }
    io_end_vec_extend(w, io_end, size);
    false
}

/// Pages that were locked and not sent.
fn unused_pages(w: &World, mpd: &MpageDaData) -> Vec<PageId> {
    let Some(last) = mpd.next_page.checked_sub(1).and_then(|last| u32::try_from(last).ok()) else { return Vec::new() };
    if mpd.first_page > last {
        return Vec::new();
    }
    let range = (mpd.inode, mpd.first_page)..=(mpd.inode, last);
    w.cache.entries().range(range).map(|(_, &page)| page).collect()
}

/// `mpage_release_unused_pages(mpd, false)`, fs/ext4/inode.c:1590.
fn mpage_unlock_unused_pages(w: &mut World, mpd: &mut MpageDaData) {
    if u64::from(mpd.first_page) < mpd.next_page {
        mpd.scanned_until_end = false;
    }
    w.graph("mpage_release_unused_pages {");
    for page in unused_pages(w, mpd) {
        unlock_page(w, page);
    }
    w.graph("}");
}

/// `mpage_release_unused_pages(mpd, true)`: what could not be written is dropped.
async fn mpage_drop_unused_pages(kt: &Kthread, mpd: &mut MpageDaData) {
    let inode = mpd.inode;
    let pages = kt.with(|w| unused_pages(w, mpd));
    if pages.is_empty() {
        return;
    }
    mpd.scanned_until_end = false;
    down_write(kt, RwSem::IDataSem(inode)).await;
    kt.with(|w| {
        let bpp = blocks_per_page(w);
        let last = u32::try_from(mpd.next_page - 1).expect("page indices fit");
        // The kernel's own arithmetic: of the last page only the first block.
        es_remove_extent(w, inode, mpd.first_page * bpp, (last - mpd.first_page) * bpp + 1);
        up_write(w, RwSem::IDataSem(inode));
        for page in pages {
            block_invalidatepage(w, page, 0, PAGE_SIZE);
            w.page_mut(page).flags.remove(PageFlags::UPTODATE);
            unlock_page(w, page);
        }
    });
}

/// `ext4_writepage()`, fs/ext4/inode.c:2026, of a locked page whose dirty flag
/// is off already; never allocates. The page is unlocked.
///
/// Not modelled: `__ext4_journalled_writepage()`, with data=journal.
///
/// # Errors
/// `EIO` after a shutdown.
pub async fn ext4_writepage(
    kt: &Kthread,
    inode: InodeId,
    page: PageId,
    wbc: &mut WritebackControl,
) -> Result<(), Errno> {
    let (index, len) = kt.with(|w| {
        let index = w.pages.at(page).index;
        (index, bytes_inside(w, inode, index))
    });
    call!(
        kt,
        &site::EXT4_WRITEPAGE_FN,
        &[u64::from(page.0), len],
        Box::pin(async {
            if kt.with(|w| w.sb().shutdown) {
                kt.with(|w| {
                    ext4_invalidatepage(w, page, 0, PAGE_SIZE);
                    unlock_page(w, page);
                });
                return Err(Errno::EIO);
            }
            let (unmapped, whole_page) = kt.with(|w| {
                point!(w, EXT4_WRITEPAGE, ino_of(w, inode), index);
                let unmapped = w.page_bhs(page).any(|bh| {
                    let head = w.bhs.at(bh);
                    u64::from(head.offset) < len
                        && head.flags.contains(BhFlags::DIRTY)
                        && head.flags.intersects(BhFlags::DELAY | BhFlags::UNWRITTEN)
                });
                (unmapped, block_size(w) == PAGE_SIZE)
            });
            if unmapped {
                probe!(kt, EWP_UNMAPPED).await;
                kt.with(|w| redirty_page_for_writepage(w, wbc, page));
                if whole_page {
                    kt.with(|w| unlock_page(w, page));
                    return Ok(());
                }
            }
            kt.with(|w| {
                let mut io = IoSubmit::new(ext4_init_io_end(w, inode));
                ext4_bio_write_page(w, &mut io, page, len, wbc, unmapped);
                ext4_io_submit(w, &mut io, wbc.sync_mode);
                ext4_put_io_end_defer(w, io.io_end);
            });
            probe!(kt, EWP_BIO).await;
            Ok(())
        }),
    )
    .await
}

/// `ext4_journal_submit_inode_data_buffers()`, fs/ext4/super.c: the ordered
/// data of bytes `start..=end` that has a place already; a commit calls this
/// before it writes the metadata, and waits for it with `filemap_fdatawait_range`.
///
/// # Errors
/// The first error of a page.
pub async fn submit_inode_data_buffers(kt: &Kthread, inode: InodeId, start: u64, end: u64) -> Result<(), Errno> {
    let mut wbc = WritebackControl::range(SyncMode::All, start, end);
    wbc.nr_to_write = i64::from(kt.with(|w| w.sizes.at(inode).nrpages)) * 2;
    generic_writepages(kt, inode, &mut wbc).await
}

#[cfg(test)]
mod tests {
    use world::{Counter, TraceEvent};

    use super::*;
    use crate::mm::testing::{FILE, assert_clean, device_byte, dirty_page, run, world};
    use crate::mm::writeback::{LLONG_MAX, filemap_write_and_wait_range};
    use crate::tracepoint::BLOCK_BIO_QUEUE;

    /// Sectors and lengths of the writes that were queued.
    fn bios(w: &World) -> Vec<(u64, u64)> {
        w.trace
            .records
            .iter()
            .filter(|r| r.event == TraceEvent::Point && r.site == BLOCK_BIO_QUEUE.id)
            .map(|r| (r.args[1], r.args[2]))
            .collect()
    }

    fn sync(w: World) -> std::rc::Rc<sched::Machine> {
        let (machine, done) = run(w, |kt| async move { filemap_write_and_wait_range(&kt, FILE, 0, LLONG_MAX).await });
        assert_eq!(done, Ok(()));
        machine
    }

    #[test]
    fn mapped_pages_reach_the_device_in_as_few_bios_as_can_be() {
        let mut w = world(12, 0);
        w.trace.on = true;
        w.size_mut(FILE).i_size = 4 * 4096;
        w.size_mut(FILE).i_disksize = 4 * 4096;
        for (index, block) in [(0, 100), (1, 101), (2, 50), (3, 51)] {
            dirty_page(&mut w, index, 0x40 + index as u8, &[Some(block)]);
        }
        let machine = sync(w);
        machine.with(|w| {
            assert_eq!(bios(w), [(800, 16), (400, 16)]);
            for (block, byte) in [(100, 0x40), (101, 0x41), (50, 0x42), (51, 0x43)] {
                assert_eq!(device_byte(w, block * 4096 + 17), byte);
            }
            assert_clean(w);
            assert_eq!(w.syncs.at(FILE).writeback_index, 4);
            assert_eq!(w.counter(Counter::Written), 4);
        });
    }

    #[test]
    fn what_lies_behind_the_end_of_the_file_is_zeroed_and_not_written() {
        let mut w = world(10, 0);
        w.trace.on = true;
        w.size_mut(FILE).i_size = 1500;
        w.size_mut(FILE).i_disksize = 1500;
        let page = dirty_page(&mut w, 0, 7, &[Some(20), Some(22), Some(30), Some(31)]);
        let machine = sync(w);
        machine.with(|w| {
            assert_eq!(bios(w), [(40, 2), (44, 2)]);
            assert_eq!((device_byte(w, 20 * 1024), device_byte(w, 22 * 1024 + 475)), (7, 7));
            assert_eq!(device_byte(w, 22 * 1024 + 476), 0, "the tail of the last block");
            assert_eq!(w.page_bytes(page)[1500], 0);
            assert!(!w.page_bhs(page).any(|bh| w.bhs.at(bh).flags.contains(BhFlags::DIRTY)));
            assert_clean(w);
        });
    }

    #[test]
    fn a_hole_between_small_blocks_splits_the_bio() {
        let mut w = world(10, 0);
        w.trace.on = true;
        w.size_mut(FILE).i_size = 4096;
        w.size_mut(FILE).i_disksize = 4096;
        dirty_page(&mut w, 0, 7, &[Some(20), None, Some(21), Some(22)]);
        let machine = sync(w);
        machine.with(|w| {
            // The walk sends the bio off at the hole, before it has a buffer in it.
            assert_eq!(bios(w), [(40, 6)]);
            assert_clean(w);
        });
    }

    #[test]
    fn a_slow_device_is_waited_for() {
        let mut w = world(12, 20_000_000);
        w.size_mut(FILE).i_size = 2 * 4096;
        w.size_mut(FILE).i_disksize = 2 * 4096;
        dirty_page(&mut w, 0, 1, &[Some(100)]);
        dirty_page(&mut w, 1, 2, &[Some(300)]);
        let machine = sync(w);
        machine.with(|w| {
            assert_eq!(w.counter(Counter::Clock), 20_000_000, "both at once");
            assert_eq!(device_byte(w, 300 * 4096), 2);
            assert_clean(w);
        });
    }

    #[test]
    fn a_bio_holds_256_pages() {
        let mut w = world(12, 0);
        w.trace.on = true;
        w.size_mut(FILE).i_size = 300 * 4096;
        w.size_mut(FILE).i_disksize = 300 * 4096;
        for index in 0..300 {
            dirty_page(&mut w, index, 1, &[Some(1000 + u64::from(index))]);
        }
        let machine = sync(w);
        machine.with(|w| {
            assert_eq!(bios(w), [(8000, 2048), (10048, 352)]);
            assert_clean(w);
        });
    }

    #[test]
    fn a_range_leaves_the_rest_dirty() {
        let mut w = world(12, 0);
        w.size_mut(FILE).i_size = 3 * 4096;
        w.size_mut(FILE).i_disksize = 3 * 4096;
        for index in 0..3 {
            dirty_page(&mut w, index, 1, &[Some(100 + u64::from(index))]);
        }
        let (machine, done) = run(w, |kt| async move { filemap_write_and_wait_range(&kt, FILE, 5000, 5001).await });
        assert_eq!(done, Ok(()));
        machine.with(|w| {
            assert_eq!(w.counter(Counter::FileDirty), 2);
            assert_eq!(device_byte(w, 101 * 4096), 1);
            assert_eq!(device_byte(w, 100 * 4096), 0);
        });
    }

    #[test]
    fn seeking_back_undoes_the_write() {
        let mut w = world(12, 0);
        w.size_mut(FILE).i_size = 4096;
        w.size_mut(FILE).i_disksize = 4096;
        dirty_page(&mut w, 0, 9, &[Some(100)]);
        let machine = sync(w);
        machine.with_history(|w, history| {
            let end = history.len();
            history.seek(w, end); // what no probe closed is no step
            let digest = w.digest();
            history.seek(w, 0);
            assert_eq!((w.counter(Counter::FileDirty), device_byte(w, 409_600)), (1, 0));
            history.seek(w, end);
            assert_eq!(w.digest(), digest);
        });
    }
}
