//! Dirty inodes and their way out. Mirrors fs/fs-writeback.c.

use sched::Kthread;
use world::{InodeId, InodeState, World};

/// `__mark_inode_dirty()`, fs/fs-writeback.c:2237, flags with SYNC, DATASYNC or TIME:
/// calls `->dirty_inode` and lists the inode.
pub async fn mark_inode_dirty(_kt: &Kthread, _inode: InodeId, _flags: InodeState) {
    unimplemented!()
}

/// The part of `__mark_inode_dirty()` that is left for DIRTY_PAGES alone.
pub fn mark_inode_dirty_state(_w: &mut World, _inode: InodeId, _flags: InodeState) {
    unimplemented!()
}
