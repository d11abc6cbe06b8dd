//! ext4's use of the journal. Mirrors fs/ext4/ext4_jbd2.c.

use sched::Kthread;
use world::{BhId, Errno, InodeId};

/// EXT4_HT_ handle types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HandleType {
    /// EXT4_HT_MISC.
    Misc = 0,
    /// EXT4_HT_INODE.
    Inode = 1,
    /// EXT4_HT_WRITE_PAGE.
    WritePage = 2,
    /// EXT4_HT_MAP_BLOCKS.
    MapBlocks = 3,
    /// EXT4_HT_DIR.
    Dir = 4,
    /// EXT4_HT_TRUNCATE.
    Truncate = 5,
    /// EXT4_HT_QUOTA.
    Quota = 6,
    /// EXT4_HT_XATTR.
    Xattr = 10,
    /// EXT4_HT_EXT_CONVERT.
    ExtConvert = 11,
}

/// `ext4_journal_start()`: opens this task's handle, or nests in it.
///
/// # Errors
/// `EIO` after a shutdown, `EROFS` after an abort.
pub async fn ext4_journal_start(_kt: &Kthread, _kind: HandleType, _credits: u32) -> Result<(), Errno> {
    unimplemented!()
}

/// `ext4_journal_stop()`: closes this task's handle, or leaves the nesting.
///
/// # Errors
/// What went wrong inside the handle.
pub async fn ext4_journal_stop(_kt: &Kthread) -> Result<(), Errno> {
    unimplemented!()
}

/// `ext4_journal_get_write_access()`: declares that the task's handle will change `bh`.
///
/// # Errors
/// `EROFS` after an abort.
pub async fn ext4_journal_get_write_access(_kt: &Kthread, _bh: BhId) -> Result<(), Errno> {
    unimplemented!()
}

/// `ext4_handle_dirty_metadata()`: files `bh` with the running transaction.
///
/// # Errors
/// `EROFS` after an abort.
pub async fn ext4_handle_dirty_metadata(_kt: &Kthread, _inode: Option<InodeId>, _bh: BhId) -> Result<(), Errno> {
    unimplemented!()
}
