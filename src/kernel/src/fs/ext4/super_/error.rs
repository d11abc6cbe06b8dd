//! What ext4 does about an error that it cannot hand to its caller alone: it
//! writes it into the superblock, and stops as `errors=` says. Mirrors the
//! error part of fs/ext4/super.c.
//!
//! ```text
//!   ext4_error ──── superblock ── errors=continue: go on
//!   ext4_std_error ──┘     └───── errors=remount-ro: abort the journal, read only
//!   ext4_abort ─── superblock ─── abort the journal, read only, always
//! ```
//!
//! Boxed: the way to the superblock's buffer leads past functions that report errors.

use std::future::Future;
use std::pin::Pin;

use sched::Kthread;
use world::{BhFlags, Counter, Errno};

use super::{MountOpts, edit_super, sb_place, seconds};
use crate::block::ramdisk::REQ_SYNC;
use crate::fs::buffer::{mark_buffer_dirty, submit_bh_write, wait_on_buffer};
use crate::fs::jbd2::journal::jbd2_journal_abort;
use crate::fs::jbd2::transaction::journal_current_handle;
use crate::trace::call;
use crate::{probe, site};

/// The function and line that report an error, as the superblock names them.
#[derive(Clone, Copy, Debug)]
pub struct At(pub &'static str, pub u32);

type Reported<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// `ext4_error_err()` and `ext4_error_inode_err()`, fs/ext4/super.c:683.
pub fn ext4_error(kt: &Kthread, at: At, errno: Errno, ino: u32, block: u64) -> Reported<'_> {
    Box::pin(async move {
        if kt.with(|w| w.sb().shutdown) {
            return;
        }
        call!(kt, &site::EXT4_ERROR, &[errno.number() as u64, u64::from(ino), block], async {
            save_error_info(kt, at, errno, ino, block).await;
            probe!(kt, EE_SAVED).await;
            ext4_handle_error(kt).await;
        })
        .await;
    })
}

/// `ext4_std_error()`, fs/ext4/super.c:824: an error of the journal's functions.
pub fn ext4_std_error(kt: &Kthread, at: At, errno: Errno) -> Reported<'_> {
    Box::pin(async move {
        let silent = kt.with(|w| {
            let refused = errno == Errno::EROFS && w.sb().read_only && journal_current_handle(w, kt.task).is_none();
            w.sb().shutdown || refused
        });
        if silent {
            return;
        }
        call!(kt, &site::EXT4_STD_ERROR, &[errno.number() as u64], async {
            save_error_info(kt, at, errno, 0, 0).await;
            probe!(kt, ESE_SAVED).await;
            ext4_handle_error(kt).await;
        })
        .await;
    })
}

/// `ext4_abort()`, fs/ext4/super.c:859: the file system is read only from now
/// on, whatever `errors=` says.
pub fn ext4_abort(kt: &Kthread, at: At, errno: Errno) -> Reported<'_> {
    Box::pin(async move {
        if kt.with(|w| w.sb().shutdown) {
            return;
        }
        call!(kt, &site::EXT4_ABORT, &[errno.number() as u64], async {
            save_error_info(kt, at, errno, 0, 0).await;
            probe!(kt, EA_SAVED).await;
            if !kt.with(|w| w.sb().read_only) {
                kt.with(|w| w.sb_mut().fs_aborted = true);
                jbd2_journal_abort(kt, Errno::EIO).await;
                kt.with(|w| w.sb_mut().read_only = true);
                probe!(kt, EA_READ_ONLY).await;
            }
        })
        .await;
    })
}

/// `ext4_handle_error()`, fs/ext4/super.c:647.
///
/// Not modelled: `errors=panic` acts as `remount-ro`, see docs/omissions.md#ext4.
async fn ext4_handle_error(kt: &Kthread) {
    if kt.with(|w| w.sb().read_only || !MountOpts::of(w).contains(MountOpts::ERRORS_RO)) {
        return;
    }
    call!(kt, &site::EXT4_HANDLE_ERROR, &[], async {
        kt.with(|w| w.sb_mut().fs_aborted = true);
        jbd2_journal_abort(kt, Errno::EIO).await;
        kt.with(|w| w.sb_mut().read_only = true);
        probe!(kt, EHE_READ_ONLY).await;
    })
    .await;
}

/// `save_error_info()`, fs/ext4/super.c:613: the first error stays, the last is
/// this one.
async fn save_error_info(kt: &Kthread, At(func, line): At, errno: Errno, ino: u32, block: u64) {
    kt.with(|w| {
        let now = seconds(w);
        let mut name = [0; 32];
        let len = func.len().min(name.len());
        name[..len].copy_from_slice(&func.as_bytes()[..len]);
        edit_super(w, |es| {
            es.s_state.set(es.s_state.get() | 2);
            es.s_last_error_time.set(now as u32);
            es.s_last_error_time_hi = (now >> 32) as u8;
            es.s_last_error_func = name;
            es.s_last_error_line.set(line);
            es.s_last_error_ino.set(ino);
            es.s_last_error_block.set(block);
            es.s_last_error_errcode = errno_to_code(errno);
            if es.s_first_error_time.get() == 0 && es.s_first_error_time_hi == 0 {
                es.s_first_error_time = es.s_last_error_time;
                es.s_first_error_time_hi = es.s_last_error_time_hi;
                es.s_first_error_func = name;
                es.s_first_error_line.set(line);
                es.s_first_error_ino.set(ino);
                es.s_first_error_block.set(block);
                es.s_first_error_errcode = es.s_last_error_errcode;
            }
            es.s_error_count.set(es.s_error_count.get().wrapping_add(1));
        });
    });
    // The kernel looks at no error of its own here.
    let _ = ext4_commit_super(kt).await;
}

/// `ext4_errno_to_code()`, fs/ext4/super.c:576.
fn errno_to_code(errno: Errno) -> u8 {
    match errno {
        Errno::EIO => 2,
        Errno::ENOMEM => 3,
        Errno::EFSBADCRC => 4,
        Errno::EUCLEAN => 5,
        Errno::ENOSPC => 6,
        Errno::EROFS => 8,
        Errno::EFBIG => 9,
        Errno::EEXIST => 10,
        Errno::ERANGE => 11,
        Errno::EOVERFLOW => 12,
        Errno::EBUSY => 13,
        Errno::ENOTDIR => 14,
        Errno::ENOTEMPTY => 15,
        Errno::ESHUTDOWN => 16,
        Errno::EFAULT => 17,
        _ => 1,
    }
}

/// `ext4_commit_super()`, fs/ext4/super.c: writes the superblock in its place,
/// with the counts as they are.
///
/// # Errors
/// `EIO` if the write fails.
pub async fn ext4_commit_super(kt: &Kthread) -> Result<(), Errno> {
    call!(kt, &site::EXT4_COMMIT_SUPER, &[], async {
        let bh = kt.with(|w| {
            let (bh, now) = (sb_place(w).0, seconds(w));
            let (clusters, inodes) = (w.counter(Counter::FreeClusters), w.counter(Counter::FreeInodes));
            let (kbytes, bits) = (w.counter(Counter::SectorsWritten) / 2, w.sb().cluster_bits);
            *w.counter_mut(Counter::SectorsWritten) %= 2;
            let read_only = w.sb().read_only;
            edit_super(w, |es| {
                if !read_only {
                    es.s_wtime.set(now as u32);
                    es.s_wtime_hi = (now >> 32) as u8;
                }
                es.s_kbytes_written.set(es.s_kbytes_written.get().wrapping_add(kbytes));
                es.set_free_blocks_count(clusters << bits);
                es.s_free_inodes_count.set(inodes as u32);
            });
            bh
        });
        wait_on_buffer(kt, bh).await;
        kt.with(|w| {
            mark_buffer_dirty(w, bh);
            submit_bh_write(w, bh, REQ_SYNC);
        });
        wait_on_buffer(kt, bh).await;
        probe!(kt, CS_WRITTEN).await;
        kt.with(|w| {
            let flags = &mut w.bh_mut(bh).flags;
            let failed = flags.contains(BhFlags::WRITE_EIO);
            if failed {
                // The bytes in memory are the good ones.
                flags.remove(BhFlags::WRITE_EIO);
                flags.insert(BhFlags::UPTODATE);
            }
            if failed { Err(Errno::EIO) } else { Ok(()) }
        })
    })
    .await
}
