//! The flusher's lists. A list's places ascend from the inode to be written
//! first, which is the tail of the kernel's list; its head is where one enters.

use world::{Counter, InodeId, InodeState, PageFlags, WbList, World};

use super::I_DIRTY;
use super::work::Work;
use crate::mm::backing_dev::{flusher, flusher_mut, jiffies};
use crate::mm::writeback::{SyncMode, WritebackControl, mapping_tagged};
use crate::point;

/// `dirtytime_expire_interval`: how long times alone may wait, in jiffies: 12 hours.
const DIRTYTIME_EXPIRE_JIFFIES: u64 = 12 * 60 * 60 * 250;

/// The inode that `list` would have written first.
pub(super) fn first(w: &World, list: WbList) -> Option<InodeId> {
    w.io_lists.entries().range((list, 0)..=(list, u64::MAX)).next().map(|(_, &inode)| inode)
}

fn last(w: &World, list: WbList) -> Option<InodeId> {
    w.io_lists.entries().range((list, 0)..=(list, u64::MAX)).next_back().map(|(_, &inode)| inode)
}

/// `list_move()` of `i_io_list`: the inode enters at the head.
fn list_move(w: &mut World, inode: InodeId, list: WbList) {
    list_del(w, inode);
    let seq = w.next(Counter::DirtySeq);
    w.io_list_set((list, seq), Some(inode));
    let sync = w.sync_mut(inode);
    (sync.list, sync.list_seq) = (list, seq);
}

fn list_del(w: &mut World, inode: InodeId) {
    let place = w.syncs.get(inode).map_or((WbList::None, 0), |sync| (sync.list, sync.list_seq));
    if place.0 != WbList::None {
        w.io_list_set(place, None);
        let sync = w.sync_mut(inode);
        (sync.list, sync.list_seq) = (WbList::None, 0);
    }
}

/// `wb_io_lists_populated()`: true if there was no dirty inode before.
fn wb_io_lists_populated(w: &mut World) -> bool {
    let newly = !flusher(w).has_dirty_io;
    if newly {
        flusher_mut(w).has_dirty_io = true;
    }
    newly
}

/// `wb_io_lists_depopulated()`, fs/fs-writeback.c.
fn wb_io_lists_depopulated(w: &mut World) {
    let empty = [WbList::Dirty, WbList::Io, WbList::MoreIo].iter().all(|&list| first(w, list).is_none());
    if flusher(w).has_dirty_io && empty {
        flusher_mut(w).has_dirty_io = false;
    }
}

/// `inode_io_list_move_locked()`, fs/fs-writeback.c: true if the device had no
/// dirty inode before. Times alone do not count.
pub(super) fn inode_io_list_move(w: &mut World, inode: InodeId, list: WbList) -> bool {
    list_move(w, inode, list);
    if list == WbList::DirtyTime {
        wb_io_lists_depopulated(w);
        return false;
    }
    wb_io_lists_populated(w)
}

/// `inode_io_list_del()`, fs/fs-writeback.c:1146: the inode leaves the lists.
pub fn inode_io_list_del(w: &mut World, inode: InodeId) {
    list_del(w, inode);
    if w.inodes.get(inode).is_some_and(|head| head.state.contains(InodeState::SYNC_QUEUED)) {
        w.inode_mut(inode).state.remove(InodeState::SYNC_QUEUED);
    }
    wb_io_lists_depopulated(w);
}

/// `redirty_tail()`, fs/fs-writeback.c: back to b_dirty, as the youngest.
/// Its dirty time is renewed unless it is the youngest already.
pub(super) fn redirty_tail(w: &mut World, inode: InodeId) {
    if let Some(youngest) = last(w, WbList::Dirty)
        && w.syncs.at(inode).dirtied_when < w.syncs.at(youngest).dirtied_when
    {
        let now = jiffies(w);
        w.sync_mut(inode).dirtied_when = now;
    }
    inode_io_list_move(w, inode, WbList::Dirty);
    w.inode_mut(inode).state.remove(InodeState::SYNC_QUEUED);
}

/// `requeue_io()`, fs/fs-writeback.c:1212: looked at again once b_io is empty.
fn requeue_io(w: &mut World, inode: InodeId) {
    inode_io_list_move(w, inode, WbList::MoreIo);
}

/// `move_expired_inodes()`, fs/fs-writeback.c:1248: those dirtied at `before`
/// or earlier go to b_io; gives how many. `None` is a time before the boot.
///
/// The inodes of one device are of one file system, or of the device itself:
/// nothing has to be sorted.
fn move_expired_inodes(w: &mut World, from: WbList, before: Option<u64>) -> u64 {
    let mut moved = 0;
    while let Some(inode) = first(w, from) {
        if before.is_none_or(|before| w.syncs.at(inode).dirtied_when > before) {
            break;
        }
        list_move(w, inode, WbList::Io);
        w.inode_mut(inode).state.insert(InodeState::SYNC_QUEUED);
        moved += 1;
    }
    moved
}

/// `queue_io()`, fs/fs-writeback.c:1305: b_io is filled, eldest first.
pub(super) fn queue_io(w: &mut World, work: &Work, dirtied_before: Option<u64>) {
    while let Some(inode) = first(w, WbList::MoreIo) {
        list_move(w, inode, WbList::Io);
    }
    let mut moved = move_expired_inodes(w, WbList::Dirty, dirtied_before);
    let times = if work.for_sync { dirtied_before } else { jiffies(w).checked_sub(DIRTYTIME_EXPIRE_JIFFIES) };
    moved += move_expired_inodes(w, WbList::DirtyTime, times);
    if moved > 0 {
        wb_io_lists_populated(w);
    }
    point!(w, WRITEBACK_QUEUE_IO, moved, work.reason);
}

/// `requeue_inode()`, fs/fs-writeback.c:1394: where the inode goes after its turn.
pub(super) fn requeue_inode(w: &mut World, inode: InodeId, wbc: &WritebackControl) {
    let state = w.inodes.at(inode).state;
    if state.contains(InodeState::FREEING) {
        return;
    }
    if state.intersects(I_DIRTY) && (wbc.sync_mode == SyncMode::All || wbc.tagged) {
        let now = jiffies(w);
        w.sync_mut(inode).dirtied_when = now; // so that this sync does not take it again
    }
    if wbc.pages_skipped != 0 {
        redirty_tail(w, inode);
    } else if mapping_tagged(w, inode, PageFlags::TAG_DIRTY) {
        if wbc.nr_to_write <= 0 {
            requeue_io(w, inode); // its share is used up
        } else {
            redirty_tail(w, inode);
        }
    } else if state.intersects(I_DIRTY) {
        redirty_tail(w, inode);
    } else if state.contains(InodeState::DIRTY_TIME) {
        let now = jiffies(w);
        w.sync_mut(inode).dirtied_when = now;
        inode_io_list_move(w, inode, WbList::DirtyTime);
        w.inode_mut(inode).state.remove(InodeState::SYNC_QUEUED);
    } else {
        inode_io_list_del(w, inode);
    }
}
