//! The inode and its place in the inode table: `ext4_iget()`,
//! `ext4_mark_inode_dirty()`, `ext4_dirty_inode()`, eviction.

use sched::Kthread;
use world::{Errno, InodeId};

/// `ext4_iget()`: the in-core inode of `ino`, with one more user.
///
/// # Errors
/// `EIO`, `EFSBADCRC`, `EUCLEAN` for an unreadable or damaged inode.
pub async fn ext4_iget(_kt: &Kthread, _ino: u32) -> Result<InodeId, Errno> {
    unimplemented!()
}

/// `ext4_mark_inode_dirty()`: copies the inode into its table's buffer, inside
/// the task's handle.
///
/// # Errors
/// `EIO` if the table cannot be read.
pub async fn ext4_mark_inode_dirty(_kt: &Kthread, _inode: InodeId) -> Result<(), Errno> {
    unimplemented!()
}
