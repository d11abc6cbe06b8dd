//! Making writes durable. Mirrors fs/sync.c.

use sched::Kthread;
use world::{Errno, FileId, InodeState};

use crate::fs::ext4::file::{Iocb, Kiocb};
use crate::fs::ext4::fsync::ext4_sync_file;
use crate::fs::ext4::super_::{ext4_sync_fs, sync_blockdev};
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::fs::writeback_inodes::sync_inodes_sb;
use crate::mm::writeback::LLONG_MAX;
use crate::trace::call;
use crate::{probe, site};

/// `vfs_fsync_range()`, fs/sync.c:194: bytes `start..=end` of the file and what
/// is needed to find them again; with `datasync` false all of its metadata.
///
/// # Errors
/// As [`ext4_sync_file`].
pub async fn vfs_fsync_range(kt: &Kthread, file: FileId, start: u64, end: u64, datasync: bool) -> Result<(), Errno> {
    call!(
        kt,
        &site::VFS_FSYNC_RANGE,
        &[start, end, u64::from(datasync)],
        Box::pin(async {
            let (inode, lazy) = kt.with(|w| {
                let inode = w.files.at(file).inode;
                (inode, w.inodes.at(inode).state.contains(InodeState::DIRTY_TIME))
            });
            if !datasync && lazy {
                mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
            }
            probe!(kt, VFR_CALL).await;
            ext4_sync_file(kt, file, start, end, datasync).await
        }),
    )
    .await
}

/// `vfs_fsync()`, fs/sync.c:214: fsync(2) and, with `datasync`, fdatasync(2).
///
/// # Errors
/// As [`ext4_sync_file`].
pub async fn vfs_fsync(kt: &Kthread, file: FileId, datasync: bool) -> Result<(), Errno> {
    vfs_fsync_range(kt, file, 0, LLONG_MAX, datasync).await
}

/// `generic_write_sync()`, include/linux/fs.h:2881, for a call that wrote
/// `count` bytes up to `iocb.pos`: `count`, or the error that replaces it.
///
/// # Errors
/// What the sync gives.
pub async fn generic_write_sync(kt: &Kthread, iocb: &Kiocb, count: u64) -> Result<u64, Errno> {
    if iocb.flags.contains(Iocb::DSYNC) {
        let datasync = !iocb.flags.contains(Iocb::SYNC);
        vfs_fsync_range(kt, iocb.file, iocb.pos - count, iocb.pos - 1, datasync).await?;
    }
    Ok(count)
}

/// `sync_filesystem()`, fs/sync.c:29: all dirty inodes in the order they became
/// dirty, the journal, then the device's own dirty buffers. For umount too.
///
/// Not modelled: the first round that only starts the writes, as a device here
/// takes any number at once.
///
/// # Errors
/// The first error; everything is tried.
pub async fn sync_filesystem(kt: &Kthread) -> Result<(), Errno> {
    call!(
        kt,
        &site::KSYS_SYNC,
        &[],
        Box::pin(async {
            if !kt.with(|w| w.sb().mounted && !w.sb().read_only) {
                return Ok(());
            }
            let inodes = sync_inodes_sb(kt).await;
            probe!(kt, KS_INODES).await;
            let fs = ext4_sync_fs(kt).await;
            probe!(kt, KS_FS).await;
            let device = sync_blockdev(kt).await;
            kt.with(crate::fs::writeback_inodes::bdev_is_clean);
            probe!(kt, KS_BDEV).await;
            inodes.and(fs).and(device)
        }),
    )
    .await
}

/// `ksys_sync()`, fs/sync.c:111: sync(2), which tells of no error.
pub async fn ksys_sync(kt: &Kthread) {
    let _ = sync_filesystem(kt).await;
}
