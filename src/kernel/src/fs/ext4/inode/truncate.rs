//! Truncation.

use sched::Kthread;
use world::InodeId;

/// `ext4_truncate_failed_write()`, fs/ext4/truncate.h:12.
pub async fn ext4_truncate_failed_write(_kt: &Kthread, _inode: InodeId) {
    unimplemented!()
}
