//! ext4's use of the journal. Mirrors fs/ext4/ext4_jbd2.c.
//!
//! Without a journal the same calls work: a handle only counts its nesting, and
//! dirty metadata is dirty at once.

use sched::Kthread;
use world::{BhId, Errno, Handle, HandleId, InodeId, World};

use crate::fs::buffer::mark_buffer_dirty;
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::super_;
use crate::fs::ext4::super_::error::{At, ext4_abort, ext4_error, ext4_std_error};
use crate::fs::inode::is_sync;
use crate::fs::jbd2::journal::is_journal_aborted;
use crate::fs::jbd2::transaction as jbd2;
use crate::mm::page_writeback::ino_of;
use crate::point;
use crate::trace::Graph as _;

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

/// `EXT4_DATA_TRANS_BLOCKS`, fs/ext4/ext4_jbd2.h:48: credits to change one
/// data block's mapping and an attribute, without quota.
#[must_use]
pub fn data_trans_blocks(w: &World) -> u32 {
    let single = if super_::has_extents(w) { 20 } else { 8 };
    single + XATTR_TRANS_BLOCKS - 2
}

/// `EXT4_INDEX_EXTRA_TRANS_BLOCKS`: more for a directory's index.
pub const INDEX_EXTRA_TRANS_BLOCKS: u32 = 12;
/// `EXT4_XATTR_TRANS_BLOCKS`.
pub const XATTR_TRANS_BLOCKS: u32 = 6;

/// `ext4_journal_current_handle()`: the task's open handle.
#[must_use]
pub fn ext4_journal_current_handle(w: &World, kt: &Kthread) -> Option<Handle> {
    jbd2::journal_current_handle(w, kt.task)
}

/// `ext4_journal_start()`: opens this task's handle, or nests in it.
///
/// # Errors
/// `EIO` after a shutdown, `EROFS` on a read-only mount and after an abort of the journal.
pub async fn ext4_journal_start(kt: &Kthread, kind: HandleType, credits: u32) -> Result<(), Errno> {
    ext4_journal_start_with_reserve(kt, kind, credits, 0).await
}

/// `ext4_journal_start_with_reserve()`: also sets credits apart for a handle
/// that [`ext4_journal_start_reserved`] opens later.
///
/// Not modelled: the reservation keeps nothing free, see docs/omissions.md#jbd2.
///
/// # Errors
/// As [`ext4_journal_start`].
pub async fn ext4_journal_start_with_reserve(
    kt: &Kthread,
    kind: HandleType,
    credits: u32,
    reserved: u32,
) -> Result<(), Errno> {
    kt.with(|w| {
        w.graph("__ext4_journal_start_sb {");
        point!(w, EXT4_JOURNAL_START, credits, reserved);
    });
    check_start(kt).await?;
    kt.graph("jbd2__journal_start {");
    let started = jbd2::jbd2_journal_start(kt, kind as u8, credits).await;
    kt.graph("} }");
    started
}

/// `__ext4_journal_start_reserved()`, fs/ext4/ext4_jbd2.c:136: opens the handle
/// whose credits were set apart.
///
/// # Errors
/// As [`ext4_journal_start`].
pub async fn ext4_journal_start_reserved(kt: &Kthread, credits: u32) -> Result<(), Errno> {
    kt.with(|w| {
        w.graph("__ext4_journal_start_reserved {");
        point!(w, EXT4_JOURNAL_START_RESERVED, credits);
    });
    check_start(kt).await?;
    kt.graph("jbd2_journal_start_reserved {");
    // The reserved part already counts the block for revokes.
    let started = jbd2::jbd2_journal_start(kt, HandleType::ExtConvert as u8, credits.saturating_sub(1)).await;
    kt.graph("} }");
    started
}

/// `ext4_journal_check_start()`, fs/ext4/ext4_jbd2.c:64: a journal that has
/// aborted behind our back makes the file system read only here.
async fn check_start(kt: &Kthread) -> Result<(), Errno> {
    kt.graph("ext4_journal_check_start");
    let (sb, aborted) = kt.with(|w| (w.sb(), is_journal_aborted(w)));
    if !sb.shutdown && !sb.read_only && !aborted {
        return Ok(());
    }
    if !sb.shutdown && !sb.read_only {
        ext4_abort(kt, At("ext4_journal_check_start", 83), Errno::EIO).await;
    }
    kt.graph("}");
    Err(if sb.shutdown { Errno::EIO } else { Errno::EROFS })
}

/// `ext4_journal_stop()`, fs/ext4/ext4_jbd2.c:109: closes this task's handle, or
/// leaves the nesting.
///
/// # Errors
/// What went wrong inside the handle; `EIO` after an abort of the journal.
pub async fn ext4_journal_stop(kt: &Kthread) -> Result<(), Errno> {
    kt.graph("__ext4_journal_stop {");
    let inside = kt.with(|w| jbd2::journal_current_handle(w, kt.task).and_then(|handle| handle_err(&handle)));
    let stopped = jbd2::jbd2_journal_stop(kt).await;
    let failed = inside.or(stopped.err());
    if let Some(errno) = failed {
        ext4_std_error(kt, At("__ext4_journal_stop", 127), errno).await;
    }
    kt.graph("}");
    failed.map_or(Ok(()), Err)
}

/// `h_err`, which only an aborted journal sets.
fn handle_err(handle: &Handle) -> Option<Errno> {
    (handle.err != 0).then_some(Errno::EROFS)
}

/// `ext4_handle_sync()`: the outermost stop of the task's handle waits for the commit.
pub fn ext4_handle_sync(w: &mut World, kt: &Kthread) {
    let id: HandleId = jbd2::handle_id(kt.task);
    if super_::has_journal(w) && jbd2::journal_current_handle(w, kt.task).is_some() {
        w.handle_mut(id).sync = true;
    }
}

/// The same if the inode, or the mount, asks for it (`IS_SYNC()`).
pub fn handle_sync_if(w: &mut World, kt: &Kthread, inode: InodeId) {
    if is_sync(w, inode) {
        ext4_handle_sync(w, kt);
    }
}

/// `ext4_journal_get_write_access()`, fs/ext4/ext4_jbd2.c:219: declares that the
/// task's handle will change `bh`.
///
/// # Errors
/// `EROFS` after an abort of the journal.
pub async fn ext4_journal_get_write_access(kt: &Kthread, bh: BhId) -> Result<(), Errno> {
    check_bdev_write_error(kt).await;
    if !kt.with(|w| super_::has_journal(w)) {
        return Ok(());
    }
    kt.graph("__ext4_journal_get_write_access {");
    let access = jbd2::jbd2_journal_get_write_access(kt, bh).await;
    if access.is_err() {
        kt.with(|w| journal_abort_handle(w, kt));
    }
    kt.graph("}");
    access
}

/// `ext4_check_bdev_write_error()`, fs/ext4/ext4_jbd2.c:198: metadata that did
/// not reach its place could be read back old, and change again from there.
async fn check_bdev_write_error(kt: &Kthread) {
    let due = kt.with(|w| {
        let Some(&wb) = w.wbs.get(InodeId::BDEV) else { return false };
        let due = wb.wb_err != w.sb().bdev_wb_err;
        if due {
            w.sb_mut().bdev_wb_err = wb.wb_err;
            w.wb_mut(InodeId::BDEV).seen = true;
        }
        due
    });
    if due {
        ext4_error(kt, At("ext4_check_bdev_write_error", 214), Errno::EIO, 0, 0).await;
    }
}

/// `ext4_journal_abort_handle()`, fs/ext4/ext4_jbd2.c:174: the handle remembers.
/// Only an aborted journal refuses a buffer, so there is nothing more to abort.
fn journal_abort_handle(w: &mut World, kt: &Kthread) {
    let id = jbd2::handle_id(kt.task);
    if jbd2::journal_current_handle(w, kt.task).is_some_and(|handle| handle.err == 0) {
        w.handle_mut(id).err = Errno::EROFS as u16;
    }
}

/// `ext4_handle_dirty_metadata()`: files `bh` with the running transaction.
///
/// # Errors
/// `EROFS` after an abort of the journal.
pub async fn ext4_handle_dirty_metadata(kt: &Kthread, _inode: Option<InodeId>, bh: BhId) -> Result<(), Errno> {
    kt.with(|w| {
        handle_dirty_metadata(w, kt, bh);
        if super_::has_journal(w) && is_journal_aborted(w) { Err(Errno::EROFS) } else { Ok(()) }
    })
}

/// The same where the World is at hand; what an aborted journal refuses stays
/// in memory only.
pub fn handle_dirty_metadata(w: &mut World, kt: &Kthread, bh: BhId) {
    w.graph("__ext4_handle_dirty_metadata {");
    if !super_::has_journal(w) {
        mark_buffer_dirty(w, bh);
    } else if !is_journal_aborted(w) {
        jbd2::jbd2_journal_dirty_metadata(w, kt.task, bh);
    }
    w.graph("}");
}

/// `ext4_forget()`, fs/ext4/ext4_jbd2.c:253: a block was freed, so what the log
/// has of it must not come back: `bh` leaves the journal, and a revoke record is
/// accounted where one is needed.
///
/// Not modelled: the revoke record itself, see docs/omissions.md#jbd2.
pub fn ext4_forget(w: &mut World, kt: &Kthread, inode: InodeId, is_metadata: bool, bh: Option<BhId>, block: u64) {
    let (ino, mode) = (ino_of(w, inode), w.inodes.at(inode).mode);
    point!(w, EXT4_FORGET, ino, mode, is_metadata, block);
    let data_journal = super_::MountOpts::of(w).contains(super_::MountOpts::DATA_JOURNAL);
    if !data_journal && (is_metadata || ext4_should_journal_data(w, inode)) && super_::has_journal(w) {
        let handle = w.handle_mut(jbd2::handle_id(kt.task));
        handle.revoke_credits = handle.revoke_credits.saturating_sub(1);
    }
    if let Some(bh) = bh {
        jbd2::forget_in_handle(w, kt.task, bh);
    }
}

/// `__ext4_journal_ensure_credits()`, fs/ext4/ext4_jbd2.c: with less than `check`
/// credits, or too few for revoke records, the task's handle is filled up to `extend`.
pub fn ext4_journal_ensure_credits(w: &mut World, kt: &Kthread, check: u32, extend: u32, revoke: u32) {
    let Some(handle) = jbd2::journal_current_handle(w, kt.task).filter(|handle| handle.tid != 0) else { return };
    // One credit is for the block of the revoke records (`jbd2_handle_buffer_credits`).
    let credits = handle.credits.saturating_sub(1);
    if credits < check || handle.revoke_credits < revoke {
        let (more, records) = (extend.saturating_sub(credits), revoke.saturating_sub(handle.revoke_credits));
        jbd2::jbd2_journal_extend(w, kt.task, more, records);
    }
}

/// `ext4_update_inode_fsync_trans()`: which transaction an fsync, and an
/// fdatasync, of the inode has to wait for.
pub fn ext4_update_inode_fsync_trans(w: &mut World, kt: &Kthread, inode: InodeId, datasync: bool) {
    let Some(handle) = jbd2::journal_current_handle(w, kt.task) else { return };
    let sync = w.syncs.at(inode);
    if handle.tid == 0 || (sync.sync_tid == handle.tid && (!datasync || sync.datasync_tid == handle.tid)) {
        return;
    }
    let sync = w.sync_mut(inode);
    sync.sync_tid = handle.tid;
    if datasync {
        sync.datasync_tid = handle.tid;
    }
}
