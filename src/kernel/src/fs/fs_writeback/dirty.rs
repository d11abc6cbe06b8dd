//! How an inode becomes dirty: `__mark_inode_dirty()`.

use sched::Kthread;
use world::{InodeId, InodeState, WbList, World};

use super::lists::inode_io_list_move;
use crate::fs::ext4::inode::disk::ext4_dirty_inode;
use crate::mm::backing_dev::{jiffies, wb_wakeup_delayed};
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe};

/// I_DIRTY_INODE: the inode itself differs from the disk.
pub const I_DIRTY_INODE: InodeState = InodeState::DIRTY_SYNC.union(InodeState::DIRTY_DATASYNC);
/// I_DIRTY: what puts an inode on the list of dirty ones.
pub const I_DIRTY: InodeState = I_DIRTY_INODE.union(InodeState::DIRTY_PAGES);

/// `__mark_inode_dirty()`, fs/fs-writeback.c:2237: calls `->dirty_inode` and
/// lists the inode.
///
/// `flags` is of SYNC, DATASYNC, PAGES and TIME. An error of `->dirty_inode`
/// is dropped, as the kernel does.
pub async fn mark_inode_dirty(kt: &Kthread, inode: InodeId, flags: InodeState) {
    call!(kt, &site::MARK_INODE_DIRTY, &[u64::from(flags.bits())], async {
        let (ino, state) = kt.with(|w| first_line(w, inode, flags));
        if flags.intersects(I_DIRTY_INODE | InodeState::DIRTY_TIME) {
            kt.with(|w| point!(w, WRITEBACK_DIRTY_INODE_START, ino, state, flags.bits()));
            let _ = ext4_dirty_inode(kt, inode, flags).await;
            kt.with(|w| point!(w, WRITEBACK_DIRTY_INODE, ino, w.inodes.at(inode).state.bits(), flags.bits()));
        }
        kt.with(|w| set_state(w, inode, flags));
        probe!(kt, MID_STATE).await;
    })
    .await;
}

/// The same for PAGES alone, which calls nothing that sleeps.
pub fn mark_inode_dirty_state(w: &mut World, inode: InodeId, flags: InodeState) {
    w.graph("__mark_inode_dirty");
    first_line(w, inode, flags);
    set_state(w, inode, flags);
}

fn first_line(w: &mut World, inode: InodeId, flags: InodeState) -> (u32, u32) {
    let (ino, state) = w.inodes.get(inode).map_or((0, 0), |i| (i.ino, i.state.bits()));
    point!(w, WRITEBACK_MARK_INODE_DIRTY, ino, state, flags.bits());
    (ino, state)
}

/// The rest of `__mark_inode_dirty()`: `i_state` and the list.
fn set_state(w: &mut World, inode: InodeId, mut flags: InodeState) {
    if flags.intersects(I_DIRTY_INODE) {
        flags.remove(InodeState::DIRTY_TIME);
    }
    let before = *w.inodes.at(inode);
    let time_only = flags.contains(InodeState::DIRTY_TIME);
    if before.state.contains(flags) || (time_only && before.state.intersects(I_DIRTY_INODE)) {
        return;
    }
    let state = &mut w.inode_mut(inode).state;
    if flags.intersects(I_DIRTY_INODE) {
        state.remove(InodeState::DIRTY_TIME);
    }
    state.insert(flags);
    let hashed = inode == InodeId::BDEV || w.inode_hash.get(before.ino) == Some(inode);
    let was_dirty = before.state.intersects(I_DIRTY);
    if !before.state.intersects(InodeState::SYNC_QUEUED | InodeState::FREEING) && hashed && !was_dirty {
        enqueue(w, inode);
    }
}

/// The inode's dirty time begins: it enters b_dirty, or b_dirty_time if only
/// its times changed.
fn enqueue(w: &mut World, inode: InodeId) {
    let now = jiffies(w);
    let head = *w.inodes.at(inode);
    let sync = w.sync_mut(inode);
    sync.dirtied_when = now;
    let list = if head.state.intersects(I_DIRTY) {
        WbList::Dirty
    } else {
        sync.dirtied_time_when = now;
        WbList::DirtyTime
    };
    if inode_io_list_move(w, inode, list) {
        wb_wakeup_delayed(w);
    }
    point!(w, WRITEBACK_DIRTY_INODE_ENQUEUE, head.ino, head.state.bits(), head.mode);
}
