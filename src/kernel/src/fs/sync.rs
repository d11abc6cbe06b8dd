//! Making writes durable. Mirrors fs/sync.c.

use sched::Kthread;
use world::{Errno, FileId, InodeId, InodeState};

use crate::fs::ext4::file::{Iocb, Kiocb};
use crate::fs::ext4::fsync::ext4_sync_file;
use crate::fs::ext4::super_::{ext4_sync_fs, sync_blockdev};
use crate::fs::fs_writeback::{Reason, mark_inode_dirty, sync_inodes_sb, wakeup_flusher_threads, writeback_inodes_sb};
use crate::mm::writeback::{LLONG_MAX, filemap_flush};
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

/// `sync_filesystem()`, fs/sync.c:29, as umount and a freeze do it: once only
/// to start the writes, once to wait for them.
///
/// # Errors
/// The first error of the second round; everything is tried.
pub async fn sync_filesystem(kt: &Kthread) -> Result<(), Errno> {
    call!(
        kt,
        &site::SYNC_FILESYSTEM,
        &[],
        Box::pin(async {
            if !kt.with(|w| w.sb().mounted && !w.sb().read_only) {
                return Ok(());
            }
            writeback_inodes_sb(kt, Reason::Sync).await;
            // Its errors show in the second round.
            let _ = ext4_sync_fs(kt, false).await;
            let _ = filemap_flush(kt, InodeId::BDEV).await;
            probe!(kt, SFS_STARTED).await;
            sync_inodes_sb(kt).await;
            let fs = ext4_sync_fs(kt, true).await;
            let device = sync_blockdev(kt).await;
            probe!(kt, SFS_DONE).await;
            fs.and(device)
        }),
    )
    .await
}

/// `ksys_sync()`, fs/sync.c:111: sync(2), which tells of no error. The flusher
/// is told to write everything; then the dirty inodes of each file system, its
/// journal, and the block devices.
pub async fn ksys_sync(kt: &Kthread) {
    call!(
        kt,
        &site::KSYS_SYNC,
        &[],
        Box::pin(async {
            kt.with(|w| wakeup_flusher_threads(w, Reason::Sync));
            probe!(kt, KS_WAKE).await;
            if kt.with(|w| w.sb().mounted && !w.sb().read_only) {
                sync_inodes_sb(kt).await;
                probe!(kt, KS_INODES).await;
                let _ = ext4_sync_fs(kt, false).await;
                let _ = ext4_sync_fs(kt, true).await;
                probe!(kt, KS_FS).await;
            }
            let _ = sync_blockdev(kt).await;
            probe!(kt, KS_BDEV).await;
        }),
    )
    .await;
}
