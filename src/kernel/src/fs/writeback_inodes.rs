//! Dirty inodes and their way out: the writing half of fs/fs-writeback.c.
//!
//! ```text
//!   w.dirty_inodes (order of dirtied_when) ── I_SYNC ── do_writepages ── I_DIRTY off
//!                                                └ pages left: back to the list
//! ```
//!
//! Not modelled yet: the flusher thread with its queues b_io, b_more_io and
//! b_dirty_time, its chunks and its bandwidth; it will call
//! [`writeback_single_inode`] with a budget. See docs/omissions.md#writeback.

use sched::{Kthread, wake_all};
use world::{Errno, InodeId, InodeState, PageFlags, WaitOn, World};

use crate::fs::fs_writeback::{I_DIRTY, inode_io_list_del, mark_inode_dirty};
use crate::mm::writeback::{
    LLONG_MAX, SyncMode, WritebackControl, do_writepages, filemap_fdatawait_range_keep_errors, mapping_tagged,
};
use crate::trace::call;
use crate::{probe, site};

/// `__writeback_single_inode()`, fs/fs-writeback.c:1459: pages, then the bits.
///
/// ext4's `write_inode` has nothing to do here: the inode is in the journal
/// already, and whoever syncs commits that.
///
/// # Errors
/// What writing the pages gives.
pub async fn writeback_single_inode(kt: &Kthread, inode: InodeId, wbc: &mut WritebackControl) -> Result<(), Errno> {
    let ino = kt.with(|w| w.inodes.at(inode).ino);
    call!(
        kt,
        &site::WRITEBACK_SINGLE_INODE,
        &[u64::from(ino)],
        Box::pin(async {
            while kt.with(|w| w.inodes.at(inode).state.contains(InodeState::SYNC)) {
                kt.sleep_on(WaitOn::Work(sync_wait(inode))).await;
            }
            kt.with(|w| w.inode_mut(inode).state.insert(InodeState::SYNC));
            let ret = do_writepages(kt, inode, wbc).await;
            probe!(kt, WSI_PAGES, ret = ret).await;
            if wbc.sync_mode == SyncMode::All && !wbc.for_sync {
                probe!(kt, WSI_WAIT).await;
                filemap_fdatawait_range_keep_errors(kt, inode, 0, LLONG_MAX).await;
            }
            let lazy = kt.with(|w| w.inodes.at(inode).state.contains(InodeState::DIRTY_TIME));
            if lazy && wbc.sync_mode == SyncMode::All {
                mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
            }
            kt.with(|w| {
                let tagged = mapping_tagged(w, inode, PageFlags::TAG_DIRTY);
                let state = &mut w.inode_mut(inode).state;
                state.remove(I_DIRTY);
                state.set(InodeState::DIRTY_PAGES, tagged);
            });
            probe!(kt, WSI_CLEAR).await;
            kt.with(|w| requeue_inode(w, inode));
            ret
        }),
    )
    .await
}

/// What a task that waits for I_SYNC of an inode sleeps on.
fn sync_wait(inode: InodeId) -> u32 {
    0x8000_0000 | inode.0
}

/// `inode_sync_complete()` and `requeue_inode()`, fs/fs-writeback.c:1394: a
/// clean inode leaves the list.
fn requeue_inode(w: &mut World, inode: InodeId) {
    w.inode_mut(inode).state.remove(InodeState::SYNC);
    wake_all(w, WaitOn::Work(sync_wait(inode)));
    if !w.inodes.at(inode).state.intersects(I_DIRTY | InodeState::DIRTY_TIME) {
        inode_io_list_del(w, inode);
    }
}

/// `sync_inodes_sb()`, fs/fs-writeback.c:2523: every inode that is dirty now,
/// in the order they became so; then waits for all their pages.
///
/// # Errors
/// The first error; everything is tried.
pub async fn sync_inodes_sb(kt: &Kthread) -> Result<(), Errno> {
    let inodes: Vec<InodeId> = kt.with(|w| {
        let ours = |inode: &InodeId| *inode != InodeId::BDEV && *inode != InodeId::BUDDY;
        w.dirty_inodes.entries().values().copied().filter(ours).collect()
    });
    let mut ret = Ok(());
    for inode in inodes {
        let mut wbc = WritebackControl { for_sync: true, ..WritebackControl::range(SyncMode::All, 0, LLONG_MAX) };
        ret = ret.and(writeback_single_inode(kt, inode, &mut wbc).await);
    }
    // wait_sb_inodes(): all that have pages under I/O, whoever sent them
    let busy: Vec<InodeId> = kt.with(|w| w.wbs.iter().filter(|(_, wb)| wb.writeback > 0).map(|(id, _)| id).collect());
    for inode in busy {
        filemap_fdatawait_range_keep_errors(kt, inode, 0, LLONG_MAX).await;
    }
    ret
}

/// The block device's inode after its buffers were written: clean, unless one
/// of its pages still is dirty.
pub fn bdev_is_clean(w: &mut World) {
    if !mapping_tagged(w, InodeId::BDEV, PageFlags::TAG_DIRTY) && w.inodes.get(InodeId::BDEV).is_some() {
        w.inode_mut(InodeId::BDEV).state.remove(I_DIRTY);
        inode_io_list_del(w, InodeId::BDEV);
    }
}
