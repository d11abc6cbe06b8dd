//! One inode written: its pages, then its bits.

use sched::{Kthread, NSEC_PER_JIFFY, wake_all};
use world::{Errno, InodeId, InodeState, PageFlags, WaitOn, World};

use super::{I_DIRTY, mark_inode_dirty};
use crate::mm::backing_dev::jiffies;
use crate::mm::writeback::{SyncMode, WritebackControl, do_writepages, mapping_tagged};
use crate::trace::call;
use crate::{point, probe, site};

/// `dirtytime_expire_interval` in jiffies.
const DIRTYTIME_EXPIRE_JIFFIES: u64 = 12 * 60 * 60 * 1_000_000_000 / NSEC_PER_JIFFY;

/// `__writeback_single_inode()`, fs/fs-writeback.c:1459: the caller has set
/// I_SYNC and looks after the lists.
///
/// # Errors
/// What writing pages or inode gives.
pub(super) async fn writeback_single_inode(
    kt: &Kthread,
    inode: InodeId,
    wbc: &mut WritebackControl,
) -> Result<(), Errno> {
    let ino = kt.with(|w| w.inodes.at(inode).ino);
    let asked = wbc.nr_to_write;
    call!(
        kt,
        &site::WRITEBACK_SINGLE_INODE,
        &[u64::from(ino)],
        Box::pin(async {
            kt.with(|w| {
                let (state, index) = (w.inodes.at(inode).state.bits(), w.syncs.at(inode).writeback_index);
                point!(w, WRITEBACK_SINGLE_INODE_START, ino, state, index, asked, 0u64);
            });
            let mut ret = do_writepages(kt, inode, wbc).await;
            probe!(kt, WSI_PAGES, ret = ret).await;
            // Waiting for the pages here is for write_inode_now(), which nobody calls: sync(2) waits by itself.
            if kt.with(|w| times_are_due(w, inode, wbc)) {
                mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
            }
            let dirty = kt.with(|w| {
                let tagged = mapping_tagged(w, inode, PageFlags::TAG_DIRTY);
                let state = &mut w.inode_mut(inode).state;
                let dirty = *state & I_DIRTY;
                state.remove(I_DIRTY);
                state.set(InodeState::DIRTY_PAGES, tagged);
                dirty
            });
            probe!(kt, WSI_CLEAR).await;
            if dirty.intersects(!InodeState::DIRTY_PAGES) {
                let mode = wbc.sync_mode as u64;
                kt.with(|w| {
                    point!(w, WRITEBACK_WRITE_INODE_START, ino, mode);
                    ret = ret.and(ext4_write_inode(w));
                    point!(w, WRITEBACK_WRITE_INODE, ino, mode);
                });
            }
            kt.with(|w| {
                let (state, index) = (w.inodes.at(inode).state.bits(), w.syncs.at(inode).writeback_index);
                point!(w, WRITEBACK_SINGLE_INODE_END, ino, state, index, asked, asked - wbc.nr_to_write);
            });
            ret
        }),
    )
    .await
}

/// `ext4_write_inode()`, fs/ext4/inode.c: nothing to do, as the inode is in the
/// journal or its buffer already and sync(2) writes both by itself.
fn ext4_write_inode(w: &World) -> Result<(), Errno> {
    if w.sb().shutdown { Err(Errno::EIO) } else { Ok(()) }
}

/// Time stamps that nothing else made anybody write have waited long enough.
fn times_are_due(w: &World, inode: InodeId, wbc: &WritebackControl) -> bool {
    w.inodes.at(inode).state.contains(InodeState::DIRTY_TIME)
        && (wbc.sync_mode == SyncMode::All
            || wbc.for_sync
            || jiffies(w) > w.syncs.at(inode).dirtied_time_when + DIRTYTIME_EXPIRE_JIFFIES)
}

/// `inode_sync_complete()`, fs/fs-writeback.c: I_SYNC is over.
pub(super) fn inode_sync_complete(w: &mut World, inode: InodeId) {
    w.inode_mut(inode).state.remove(InodeState::SYNC);
    wake_all(w, WaitOn::InodeSync(inode));
}

/// `inode_wait_for_writeback()`, fs/fs-writeback.c: until the flusher is done
/// with the inode.
pub async fn inode_wait_for_writeback(kt: &Kthread, inode: InodeId) {
    while kt.with(|w| w.inodes.at(inode).state.contains(InodeState::SYNC)) {
        kt.sleep_on(WaitOn::InodeSync(inode)).await;
    }
}
