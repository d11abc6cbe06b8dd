//! Reading pages. Mirrors fs/ext4/readpage.c.

use sched::Kthread;
use world::{Errno, InodeId, PageId};

/// `filemap_fault()`, mm/filemap.c:2716: the page, uptodate and unlocked, with a reference.
///
/// # Errors
/// `EFAULT` past the end of the file, `EIO` for a failed read.
pub async fn filemap_fault(_kt: &Kthread, _inode: InodeId, _index: u32) -> Result<PageId, Errno> {
    unimplemented!()
}
