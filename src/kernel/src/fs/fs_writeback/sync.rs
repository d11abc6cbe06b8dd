//! Who asks the flusher, and waits: sync(2), umount, and a file system that
//! runs out of space.

use sched::Kthread;
use world::{InodeId, WbList, World};

use super::Reason;
use super::lists::first;
use super::work::{Work, get_nr_dirty_pages, wb_queue_work, wb_wait_for_completion};
use crate::mm::backing_dev::{flusher, flusher_mut, wb_has_dirty_io, wb_wakeup, writeback_in_progress};
use crate::mm::writeback::{LLONG_MAX, filemap_fdatawait_range_keep_errors};
use crate::trace::call;
use crate::{probe, site};

/// `wakeup_flusher_threads()` and `wb_start_writeback()`, fs/fs-writeback.c:
/// all that is dirty is to go out; nobody waits.
pub fn wakeup_flusher_threads(w: &mut World, reason: Reason) {
    if wb_has_dirty_io(w) && !flusher(w).start_all {
        let wb = flusher_mut(w);
        wb.start_all = true;
        wb.start_all_reason = reason as u8;
        wb_wakeup(w);
    }
}

/// `bdi_split_work_to_wbs()`, fs/fs-writeback.c, for the one that there is.
fn bdi_split_work_to_wbs(w: &mut World, work: Work, skip_if_busy: bool) {
    let anything = wb_has_dirty_io(w) || work.sync_all && first(w, WbList::DirtyTime).is_some();
    let skip = skip_if_busy && writeback_in_progress(w);
    if anything && !skip {
        wb_queue_work(w, work);
    }
}

/// `writeback_inodes_sb()`, fs/fs-writeback.c:2493: all that is dirty now is
/// sent; its I/O is not waited for.
pub async fn writeback_inodes_sb(kt: &Kthread, reason: Reason) {
    writeback_inodes_sb_nr(kt, reason, false).await;
}

/// `try_to_writeback_inodes_sb()`, fs/fs-writeback.c:2506: the same, unless the
/// flusher is at work or the file system is being unmounted.
pub async fn try_to_writeback_inodes_sb(kt: &Kthread, reason: Reason) {
    if !kt.with(|w| w.sb().umount) {
        writeback_inodes_sb_nr(kt, reason, true).await;
    }
}

/// `__writeback_inodes_sb_nr()`, fs/fs-writeback.c:2444.
async fn writeback_inodes_sb_nr(kt: &Kthread, reason: Reason, skip_if_busy: bool) {
    call!(kt, &site::WRITEBACK_INODES_SB, &[], async {
        let nr_pages = kt.with(|w| {
            let nr_pages = get_nr_dirty_pages(w) as i64;
            if wb_has_dirty_io(w) {
                let (reason, waiter) = (reason as u8, kt.task);
                let work = Work { sb: true, tagged_writepages: true, nr_pages, reason, waiter, ..Work::default() };
                bdi_split_work_to_wbs(w, work, skip_if_busy);
            }
            nr_pages
        });
        probe!(kt, WIS_QUEUED, nr_pages = nr_pages).await;
        wb_wait_for_completion(kt).await;
        probe!(kt, WIS_DONE).await;
    })
    .await;
}

/// `sync_inodes_sb()`, fs/fs-writeback.c:2523: every inode that is dirty now,
/// in the order they became so; then waits for all their pages.
pub async fn sync_inodes_sb(kt: &Kthread) {
    call!(
        kt,
        &site::SYNC_INODES_SB,
        &[],
        Box::pin(async {
            let work = Work {
                sb: true,
                sync_all: true,
                nr_pages: i64::MAX,
                for_sync: true,
                reason: Reason::Sync as u8,
                waiter: kt.task,
                ..Work::default()
            };
            kt.with(|w| bdi_split_work_to_wbs(w, work, false));
            probe!(kt, SIS_QUEUED).await;
            wb_wait_for_completion(kt).await;
            probe!(kt, SIS_WRITTEN).await;
            wait_sb_inodes(kt).await;
            probe!(kt, SIS_WAITED).await;
        }),
    )
    .await;
}

/// `wait_sb_inodes()`, fs/fs-writeback.c:2359: all inodes that have pages under
/// I/O now, whoever sent them.
async fn wait_sb_inodes(kt: &Kthread) {
    let busy: Vec<InodeId> = kt.with(|w| {
        let ours = w.wbs.iter().filter(|(inode, wb)| *inode != InodeId::BDEV && wb.writeback > 0);
        ours.map(|(inode, _)| inode).collect()
    });
    for inode in busy {
        filemap_fdatawait_range_keep_errors(kt, inode, 0, LLONG_MAX).await;
    }
}
