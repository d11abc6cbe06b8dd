//! What an administrator asks of a mounted file system. Mirrors fs/ext4/ioctl.c
//! and `ext4_remount()` of fs/ext4/super.c.

use sched::Kthread;
use world::{Errno, World};

use crate::fs::ext4::super_::error::{At, ext4_abort};
use crate::fs::ext4::super_::has_journal;
use crate::fs::jbd2::commit::jbd2_journal_commit_transaction;
use crate::fs::jbd2::journal::{jbd2_journal_abort, journal_abort};
use crate::fs::super_::{freeze_super, thaw_super};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// EXT4_IOC_SHUTDOWN: `ext4_shutdown()`, fs/ext4/ioctl.c. `flags` is 0 for a
/// freeze first (all data written, the log empty), 1 for a commit whose ordered
/// data can no longer be written, 2 for neither. Everything then fails with `EIO`.
///
/// # Errors
/// `EINVAL` for other flags, or what the freeze gives.
pub async fn ext4_shutdown(kt: &Kthread, flags: u32) -> Result<(), Errno> {
    if flags > 2 {
        return Err(Errno::EINVAL);
    }
    if kt.with(|w| w.sb().shutdown) {
        return Ok(());
    }
    kt.graph("ext4_ioctl { __ext4_ioctl { __ext4_msg");
    let done = call!(kt, &site::EXT4_SHUTDOWN_FN, &[u64::from(flags)], async {
        kt.with(|w| point!(w, EXT4_SHUTDOWN, flags));
        if flags == 0 {
            freeze_super(kt).await?;
        }
        kt.with(|w| w.sb_mut().shutdown = true);
        probe!(kt, SHD_FLAG).await;
        if flags == 0 {
            return thaw_super(kt).await;
        }
        if flags == 1 {
            jbd2_journal_commit_transaction(kt).await;
        }
        if kt.with(|w| has_journal(w)) {
            jbd2_journal_abort(kt, Errno::ESHUTDOWN).await;
            probe!(kt, SHD_ABORT).await;
        }
        Ok(())
    })
    .await;
    kt.graph("} }");
    done
}

/// A shutdown without a flush of the log, from outside of any task.
pub fn shutdown_now(w: &mut World) {
    w.sb_mut().shutdown = true;
    journal_abort(w, Errno::ESHUTDOWN);
}

/// mount -o remount,abort: `ext4_remount()`, fs/ext4/super.c:5899.
///
/// # Errors
/// `EROFS`: the options ask for a file system that can be written, and this one
/// no longer can; `EINVAL` if nothing is mounted.
pub async fn remount_abort(kt: &Kthread) -> Result<(), Errno> {
    if !kt.with(|w| w.sb().mounted) {
        return Err(Errno::EINVAL);
    }
    kt.with(|w| w.sb_mut().fs_aborted = true);
    ext4_abort(kt, At("ext4_remount", 5899), Errno::ESHUTDOWN).await;
    Err(Errno::EROFS)
}
