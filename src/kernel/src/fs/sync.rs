//! Making writes durable. Mirrors fs/sync.c.

use sched::Kthread;
use world::Errno;

use crate::fs::ext4::file::Kiocb;

/// `generic_write_sync()`, include/linux/fs.h:2881, for a call that wrote
/// `count` bytes up to `iocb.pos`: `count`, or the error that replaces it.
///
/// # Errors
/// What the sync gives.
pub async fn generic_write_sync(_kt: &Kthread, _iocb: &Kiocb, _count: u64) -> Result<u64, Errno> {
    unimplemented!()
}
