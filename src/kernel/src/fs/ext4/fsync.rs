//! fsync. Mirrors fs/ext4/fsync.c.
//!
//! ```text
//!   ext4_sync_file ── file_write_and_wait_range   the data, and its conversion
//!        └── commit of i_sync_tid or i_datasync_tid ── flush of the device
//! ```
//!
//! Not modelled: fast commit (the feature is off: every request is refused, and
//! counted), the device's volatile cache: a flush does nothing
//! and prints nothing; see docs/omissions.md#jbd2.

use sched::Kthread;
use world::{Counter, Errno, FileId, InodeId};

use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::super_::has_journal;
use crate::fs::inode::is_regular;
use crate::fs::jbd2::commit::{ext4_force_commit, jbd2_complete_transaction};
use crate::mm::writeback::{file_check_and_advance_wb_err, file_write_and_wait_range};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// EXT4_ROOT_INO, which the entry line shows as the parent.
///
/// Not modelled: directory entries in memory, so a file in a subdirectory shows
/// the root as well.
const EXT4_ROOT_INO: u32 = 2;

/// `ext4_sync_file()`, fs/ext4/fsync.c:129: data of bytes `start..=end`, then
/// the transaction that holds the inode.
///
/// # Errors
/// `EIO` after a shutdown; an error of writing the data that this open file has
/// not seen yet.
pub async fn ext4_sync_file(kt: &Kthread, file: FileId, start: u64, end: u64, datasync: bool) -> Result<(), Errno> {
    call!(
        kt,
        &site::EXT4_SYNC_FILE,
        &[start, end, u64::from(datasync)],
        Box::pin(async {
            if kt.with(|w| w.sb().shutdown) {
                probe!(kt, ESF_SHUTDOWN).await;
                return Err(Errno::EIO);
            }
            let inode = kt.with(|w| {
                let inode = w.files.at(file).inode;
                point!(w, EXT4_SYNC_FILE_ENTER, w.inodes.at(inode).ino, EXT4_ROOT_INO, datasync);
                inode
            });
            let mut ret = if kt.with(|w| w.sb().read_only) {
                let aborted = kt.with(|w| w.sb().fs_aborted);
                let ret = if aborted { Err(Errno::EROFS) } else { Ok(()) };
                probe!(kt, ESF_RO, ret = ret).await;
                ret
            } else {
                sync_data_and_journal(kt, file, inode, start, end, datasync).await
            };
            let seen = kt.with(|w| {
                w.graph("file_check_and_advance_wb_err");
                file_check_and_advance_wb_err(w, file)
            });
            probe!(kt, ESF_WBERR).await;
            ret = ret.and(seen);
            kt.with(|w| point!(w, EXT4_SYNC_FILE_EXIT, w.inodes.at(inode).ino, ret));
            ret
        }),
    )
    .await
}

async fn sync_data_and_journal(
    kt: &Kthread,
    file: FileId,
    inode: InodeId,
    start: u64,
    end: u64,
    datasync: bool,
) -> Result<(), Errno> {
    probe!(kt, ESF_DATA).await;
    file_write_and_wait_range(kt, file, start, end).await?;
    if !kt.with(|w| has_journal(w)) {
        return ext4_fsync_nojournal(kt).await;
    }
    kt.graph("ext4_inode_journal_mode");
    if kt.with(|w| !is_regular(w.inodes.at(inode).mode) || ext4_should_journal_data(w, inode)) {
        probe!(kt, ESF_JDATA).await;
        kt.graph("ext4_force_commit { jbd2_journal_force_commit { __jbd2_journal_force_commit {");
        let committed = ext4_force_commit(kt).await;
        kt.graph("} } }");
        return committed;
    }
    let tid = kt.with(|w| {
        let sync = w.syncs.at(inode);
        if datasync { sync.datasync_tid } else { sync.sync_tid }
    });
    probe!(kt, ESF_JOURNAL, tid = tid).await;
    kt.graph("jbd2_trans_will_send_data_barrier");
    let committed = ext4_fc_commit(kt, tid).await;
    probe!(kt, ESF_BARRIER).await;
    committed
}

/// `ext4_fc_commit()`, fs/ext4/fast_commit.c:1185: the feature is off, so `tid`
/// is committed in full. Nothing without a journal.
///
/// # Errors
/// `EIO` if the journal was aborted meanwhile.
pub async fn ext4_fc_commit(kt: &Kthread, tid: u32) -> Result<(), Errno> {
    if !kt.with(|w| has_journal(w)) {
        return Ok(());
    }
    kt.with(|w| {
        w.graph("ext4_fc_commit { jbd2_complete_transaction {");
        point!(w, EXT4_FC_COMMIT_START);
        let count = w.next(Counter::FcIneligible);
        point!(w, EXT4_FC_COMMIT_STOP, count);
    });
    if kt.with(|w| tid != 0 && w.sb().running_tid == tid) {
        kt.graph("__jbd2_log_start_commit");
    }
    let committed = jbd2_complete_transaction(kt, tid).await;
    kt.graph("} }");
    committed
}

/// `ext4_fsync_nojournal()`, fs/ext4/fsync.c:77: the metadata has no journal to
/// be in, so the device's dirty buffers are written.
///
/// Simpler than the kernel, which writes the inode's own buffers only.
async fn ext4_fsync_nojournal(kt: &Kthread) -> Result<(), Errno> {
    crate::fs::ext4::super_::sync_blockdev(kt).await
}
