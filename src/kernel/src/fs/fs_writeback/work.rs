//! The flusher: what it is asked for, and how it goes about it.
//!
//! Not modelled: cgroups and congestion, plugs, and the 12-hour timer for
//! inodes of which only times changed; see docs/omissions.md#writeback.

use sched::{Kthread, wake_all};
use world::{Errno, InodeId, InodeState, TaskId, WaitOn, WbList, WbWork, World};

use super::lists::{first, queue_io, redirty_tail, requeue_inode};
use super::single::{inode_sync_complete, writeback_single_inode};
use super::{I_DIRTY, Reason};
use crate::mm::backing_dev::{
    centisecs_to_jiffies, domain, flusher, flusher_mut, jiffies, nr_file_dirty, rates, wb_has_dirty_io, wb_wakeup,
    wb_wakeup_delayed,
};
use crate::mm::page_writeback::{wb_over_bg_thresh, wb_update_bandwidth};
use crate::mm::writeback::{LLONG_MAX, SyncMode, WritebackControl};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

pub(super) type Work = WbWork;

/// MIN_WRITEBACK_PAGES: an inode's share is a multiple of it.
const MIN_WRITEBACK_PAGES: i64 = 4096 >> (12 - 10);
/// DIRTY_SCOPE: an inode's share is at most this part of the dirty limit.
const DIRTY_SCOPE: u64 = 8;
/// HZ / 10: how long one round over the inodes may take.
const ROUND_JIFFIES: u64 = 25;
/// Inodes in use on the golden machine that belong to nobody here.
const OTHER_INODES: u64 = 10_062;

/// `get_nr_dirty_pages()`, fs/fs-writeback.c: dirty pages, and the inodes in
/// use: each may dirty a page.
#[must_use]
pub fn get_nr_dirty_pages(w: &World) -> u64 {
    nr_file_dirty(w) + OTHER_INODES + w.inodes.iter().count() as u64
}

/// `wb_queue_work()`, fs/fs-writeback.c: at the end of the flusher's works.
pub(super) fn wb_queue_work(w: &mut World, work: Work) {
    point!(w, WRITEBACK_QUEUE, work.nr_pages, work.sync_all, work.range_cyclic, work.reason);
    if work.waiter.is_some() {
        let open = w.wb_waits.get(work.waiter).unwrap_or(0);
        w.wb_wait_set(work.waiter, Some(open + 1));
    }
    let wb = flusher_mut(w);
    wb.works += 1;
    let seq = wb.works;
    w.wb_work_set(seq, Some(work));
    wb_wakeup(w);
}

/// `wb_wait_for_completion()`, fs/fs-writeback.c: until all works of this task are done.
pub(super) async fn wb_wait_for_completion(kt: &Kthread) {
    while kt.with(|w| w.wb_waits.get(kt.task).is_some()) {
        kt.sleep_on(WaitOn::WbCompletion(kt.task)).await;
    }
}

fn finish_writeback_work(w: &mut World, waiter: TaskId) {
    if waiter.is_some() {
        let left = w.wb_waits.get(waiter).unwrap_or(1) - 1;
        w.wb_wait_set(waiter, (left > 0).then_some(left));
        wake_all(w, WaitOn::WbCompletion(waiter));
    }
}

/// `wb_start_background_writeback()`, fs/fs-writeback.c: the flusher looks
/// whether it is over the background threshold.
pub fn wb_start_background_writeback(w: &mut World) {
    point!(w, WRITEBACK_WAKE_BACKGROUND);
    wb_wakeup(w);
}

fn superblock_of(inode: InodeId) -> bool {
    inode != InodeId::BDEV
}

/// The workqueue's thread, as a task's body.
pub async fn bdi_wq_worker(kt: Kthread) {
    loop {
        while !kt.with(|w| flusher(w).queued) {
            kt.sleep_on(WaitOn::Flusher).await;
        }
        kt.with(|w| flusher_mut(w).queued = false);
        wb_workfn(&kt).await;
    }
}

/// `wb_workfn()`, fs/fs-writeback.c:2076.
async fn wb_workfn(kt: &Kthread) {
    call!(
        kt,
        &site::WB_WORKFN,
        &[],
        Box::pin(async {
            loop {
                let wrote = wb_do_writeback(kt).await;
                kt.with(|w| point!(w, WRITEBACK_PAGES_WRITTEN, wrote));
                probe!(kt, WF_WRITTEN, pages_written = wrote).await;
                if kt.with(|w| w.wb_works.entries().is_empty()) {
                    break;
                }
            }
            kt.with(|w| {
                if wb_has_dirty_io(w) && w.counter(world::Counter::DirtyWriteback) != 0 {
                    wb_wakeup_delayed(w);
                }
            });
            probe!(kt, WF_REARM).await;
        }),
    )
    .await;
}

/// `wb_do_writeback()`, fs/fs-writeback.c:2045: works, then a request for all,
/// then old data, then background. Gives the pages written.
async fn wb_do_writeback(kt: &Kthread) -> i64 {
    call!(
        kt,
        &site::WB_DO_WRITEBACK,
        &[],
        Box::pin(async {
            let mut wrote = 0;
            kt.with(|w| flusher_mut(w).running = true);
            while let Some(work) = kt.with(get_next_work_item) {
                kt.with(|w| point!(w, WRITEBACK_EXEC, work.nr_pages, work.sync_all, work.range_cyclic, work.reason));
                probe!(kt, WDW_WORK, nr_pages = work.nr_pages, reason = work.reason).await;
                let waiter = work.waiter;
                wrote += wb_writeback(kt, work).await;
                kt.with(|w| finish_writeback_work(w, waiter));
                probe!(kt, WDW_FINISH, wrote = wrote).await;
            }
            if let Some(work) = kt.with(|w| wb_check_start_all(w)) {
                probe!(kt, WDW_START_ALL, nr_pages = work.nr_pages, reason = work.reason).await;
                wrote += wb_writeback(kt, work).await;
                kt.with(|w| flusher_mut(w).start_all = false);
            }
            if let Some(work) = kt.with(wb_check_old_data_flush) {
                probe!(kt, WDW_OLD_DATA, nr_pages = work.nr_pages, reason = work.reason).await;
                wrote += wb_writeback(kt, work).await;
            }
            let over = kt.with(wb_over_bg_thresh);
            probe!(kt, WDW_BACKGROUND, over = over).await;
            if over {
                let background = Work {
                    nr_pages: i64::MAX,
                    for_background: true,
                    range_cyclic: true,
                    reason: Reason::Background as u8,
                    ..Work::default()
                };
                wrote += wb_writeback(kt, background).await;
            }
            kt.with(|w| flusher_mut(w).running = false);
            wrote
        }),
    )
    .await
}

/// `get_next_work_item()`, fs/fs-writeback.c:1952.
fn get_next_work_item(w: &mut World) -> Option<Work> {
    let (&seq, &work) = w.wb_works.entries().first_key_value()?;
    w.wb_work_set(seq, None);
    Some(work)
}

/// `wb_check_start_all()`, fs/fs-writeback.c:2018.
fn wb_check_start_all(w: &World) -> Option<Work> {
    let wb = flusher(w);
    wb.start_all.then(|| Work {
        nr_pages: get_nr_dirty_pages(w) as i64,
        range_cyclic: true,
        reason: wb.start_all_reason,
        ..Work::default()
    })
}

/// `wb_check_old_data_flush()`, fs/fs-writeback.c:1984: once in an interval.
fn wb_check_old_data_flush(w: &mut World) -> Option<Work> {
    let (now, interval, last) = (jiffies(w), w.counter(world::Counter::DirtyWriteback), flusher(w).last_old_flush);
    // 0: the device was there long before the clock started.
    let early = last != 0 && now < last + centisecs_to_jiffies(interval);
    if interval == 0 || early {
        return None;
    }
    flusher_mut(w).last_old_flush = now;
    Some(Work {
        nr_pages: get_nr_dirty_pages(w) as i64,
        for_kupdate: true,
        range_cyclic: true,
        reason: Reason::Periodic as u8,
        ..Work::default()
    })
}

/// `wb_writeback()`, fs/fs-writeback.c:1856: rounds over the dirty inodes until
/// the work is done. Gives the pages written.
async fn wb_writeback(kt: &Kthread, mut work: Work) -> i64 {
    let asked = work.nr_pages;
    call!(
        kt,
        &site::WB_WRITEBACK,
        &[asked as u64],
        Box::pin(async {
            let wb_start = kt.with(|w| jiffies(w));
            loop {
                probe!(kt, WBW_LOOP, nr_pages = work.nr_pages).await;
                if work.nr_pages <= 0 {
                    break;
                }
                let others = kt.with(|w| !w.wb_works.entries().is_empty());
                if (work.for_background || work.for_kupdate) && others {
                    probe!(kt, WBW_YIELD).await;
                    break;
                }
                if work.for_background && !kt.with(wb_over_bg_thresh) {
                    probe!(kt, WBW_UNDER).await;
                    break;
                }
                kt.with(|w| {
                    let dirtied_before = if work.for_kupdate {
                        let expire = centisecs_to_jiffies(w.counter(world::Counter::DirtyExpire));
                        jiffies(w).checked_sub(expire)
                    } else if work.for_background {
                        Some(jiffies(w))
                    } else {
                        Some(wb_start)
                    };
                    work_point(w, &work, true);
                    if first(w, WbList::Io).is_none() {
                        queue_io(w, &work, dirtied_before);
                    }
                });
                probe!(kt, WBW_QUEUE).await;
                let progress = if work.sb {
                    writeback_sb_inodes(kt, true, &mut work).await
                } else {
                    writeback_inodes_wb(kt, &mut work).await
                };
                kt.with(|w| {
                    work_point(w, &work, false);
                    wb_update_bandwidth(w, wb_start);
                });
                probe!(kt, WBW_PROGRESS, progress = progress, nr_pages = work.nr_pages).await;
                if progress > 0 {
                    continue;
                }
                // Not modelled: an inode on b_more_io that somebody else writes, see docs/omissions.md#writeback.
                break;
            }
            asked - work.nr_pages
        }),
    )
    .await
}

fn work_point(w: &mut World, work: &Work, start: bool) {
    let (mode, kupdate, cyclic) = (u64::from(work.sync_all), work.for_kupdate, work.range_cyclic);
    let (device, background) = (u64::from(work.sb), work.for_background);
    if start {
        point!(w, WRITEBACK_START, device, work.nr_pages, mode, kupdate, cyclic, background, work.reason);
    } else {
        point!(w, WRITEBACK_WRITTEN, device, work.nr_pages, mode, kupdate, cyclic, background, work.reason);
    }
}

/// `__writeback_inodes_wb()`, fs/fs-writeback.c:1785: the inodes of b_io, one
/// file system after the other.
async fn writeback_inodes_wb(kt: &Kthread, work: &mut Work) -> i64 {
    let start = kt.with(|w| jiffies(w));
    let mut wrote = 0;
    kt.graph("__writeback_inodes_wb {");
    while let Some(inode) = kt.with(|w| first(w, WbList::Io)) {
        let sb = superblock_of(inode);
        if sb && kt.with(|w| w.sb().umount) {
            kt.with(|w| redirty_tail(w, inode)); // trylock_super() fails: it is being unmounted
            continue;
        }
        wrote += writeback_sb_inodes(kt, sb, work).await;
        if wrote > 0 && (kt.with(|w| jiffies(w)) > start + ROUND_JIFFIES || work.nr_pages <= 0) {
            break;
        }
    }
    kt.graph("}");
    wrote
}

/// `writeback_sb_inodes()`, fs/fs-writeback.c:1640: inodes of b_io that belong
/// to the file system, or to the device's own. Gives pages and inodes written.
async fn writeback_sb_inodes(kt: &Kthread, sb: bool, work: &mut Work) -> i64 {
    call!(
        kt,
        &site::WRITEBACK_SB_INODES,
        &[],
        Box::pin(async {
            let mut wbc = WritebackControl {
                sync_mode: if work.sync_all { SyncMode::All } else { SyncMode::None },
                tagged: work.tagged_writepages,
                for_kupdate: work.for_kupdate,
                for_background: work.for_background,
                for_sync: work.for_sync,
                range_cyclic: work.range_cyclic,
                range_start: 0,
                range_end: LLONG_MAX,
                ..WritebackControl::default()
            };
            let start = kt.with(|w| jiffies(w));
            let mut total = 0;
            while let Some(inode) = kt.with(|w| first(w, WbList::Io)) {
                let ino = kt.with(|w| w.inodes.at(inode).ino);
                if superblock_of(inode) != sb {
                    if !work.sb {
                        break;
                    }
                    kt.with(|w| redirty_tail(w, inode));
                    probe!(kt, WSB_OTHER, ino = ino).await;
                    continue;
                }
                let state = kt.with(|w| w.inodes.at(inode).state);
                if state.intersects(InodeState::NEW | InodeState::FREEING | InodeState::WILL_FREE) {
                    kt.with(|w| redirty_tail(w, inode));
                    probe!(kt, WSB_FREEING, ino = ino).await;
                    continue;
                }
                // Not modelled: I_SYNC of another writer, see docs/omissions.md#writeback.
                assert!(!state.contains(InodeState::SYNC), "only the flusher takes inodes, one after the other");
                let chunk = kt.with(|w| {
                    w.inode_mut(inode).state.insert(InodeState::SYNC);
                    writeback_chunk_size(w, work)
                });
                (wbc.nr_to_write, wbc.pages_skipped) = (chunk, 0);
                probe!(kt, WSB_CHUNK, ino = ino, write_chunk = chunk).await;
                // Its error is in the mapping, for whoever waits for the data.
                let _: Result<(), Errno> = writeback_single_inode(kt, inode, &mut wbc).await;
                let wrote = chunk - wbc.nr_to_write;
                work.nr_pages -= wrote;
                total += (wrote - wbc.pages_skipped).max(0);
                kt.with(|w| {
                    if !w.inodes.at(inode).state.intersects(I_DIRTY | InodeState::DIRTY_TIME) {
                        total += 1;
                    }
                    requeue_inode(w, inode, &wbc);
                    inode_sync_complete(w, inode);
                });
                probe!(kt, WSB_REQUEUE, ino = ino, wrote = wrote, total_wrote = total).await;
                let late = kt.with(|w| jiffies(w)) > start + ROUND_JIFFIES;
                if total > 0 && (late || work.nr_pages <= 0) {
                    break;
                }
            }
            total
        }),
    )
    .await
}

/// `writeback_chunk_size()`, fs/fs-writeback.c:1600: an inode's share of the
/// work, in pages.
fn writeback_chunk_size(w: &World, work: &Work) -> i64 {
    if work.sync_all || work.tagged_writepages {
        return i64::MAX;
    }
    let half_second = (rates(w).avg_write_bandwidth / 2).min(domain(w).dirty_limit / DIRTY_SCOPE);
    let pages = i64::try_from(half_second).unwrap_or(i64::MAX).min(work.nr_pages);
    (pages + MIN_WRITEBACK_PAGES) / MIN_WRITEBACK_PAGES * MIN_WRITEBACK_PAGES
}
