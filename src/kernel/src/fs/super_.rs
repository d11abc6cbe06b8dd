//! Freezing a file system: writers of three kinds wait until it thaws. Mirrors
//! the freezing part of fs/super.c.
//!
//! ```text
//!   frozen:  0 ─ WRITE ─ PAGEFAULT ─ sync_filesystem() ─ FS ─ freeze_fs() ─ COMPLETE
//!                 │         │                              │
//!           sb_start_write  stores through mappings   deleting inodes       wait from there on
//! ```
//!
//! The counts of writers stand for the per-CPU semaphores `s_writers.rw_sem`.

use sched::{Kthread, wake_all};
use world::{Counter, Errno, FileId, WaitOn, World};

use crate::fs::ext4::super_::{ext4_freeze, ext4_unfreeze};
use crate::fs::inode::is_regular;
use crate::fs::sync::sync_filesystem;
use crate::trace::call;
use crate::{probe, site};

/// What a writer is about to do (`SB_FREEZE_WRITE`, ...): how far a freeze must
/// have come to hold it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Freeze {
    /// A system call that writes.
    Write = 1,
    /// A store through a mapping.
    Pagefault = 2,
    /// The file system's own changes.
    Fs = 3,
}

/// SB_FREEZE_COMPLETE.
const COMPLETE: u8 = 4;

impl Freeze {
    fn counter(self) -> Counter {
        match self {
            Freeze::Write => Counter::SbWriters,
            Freeze::Pagefault => Counter::SbFaults,
            Freeze::Fs => Counter::SbInternal,
        }
    }
}

/// `__sb_start_write()`, include/linux/fs.h: sleeps while the file system is
/// frozen for this kind of writer.
pub async fn sb_start_write(kt: &Kthread, level: Freeze) {
    if kt.with(|w| w.sb().frozen >= level as u8) {
        call!(
            kt,
            &site::SB_START_WRITE,
            &[u64::from(level as u8)],
            Box::pin(async {
                probe!(kt, SSW_WAIT).await;
                while kt.with(|w| w.sb().frozen >= level as u8) {
                    kt.sleep_on(WaitOn::Thaw).await;
                }
            }),
        )
        .await;
    }
    kt.with(|w| *w.counter_mut(level.counter()) += 1);
}

/// `__sb_start_write_trylock()`: false while the file system is frozen.
pub fn sb_start_write_trylock(w: &mut World, level: Freeze) -> bool {
    let free = w.sb().frozen < level as u8;
    if free {
        *w.counter_mut(level.counter()) += 1;
    }
    free
}

/// `__sb_end_write()`: the last writer lets a freeze go on.
///
/// # Panics
/// If none has started.
pub fn sb_end_write(w: &mut World, level: Freeze) {
    let left = w.counter_mut(level.counter());
    *left = left.checked_sub(1).expect("a writer that ends has started");
    if *left == 0 && w.sb().frozen > 0 {
        wake_all(w, WaitOn::Writers);
    }
}

/// `file_start_write()`, include/linux/fs.h: for regular files only. True if
/// [`sb_end_write`] is due.
pub async fn file_start_write(kt: &Kthread, file: FileId) -> bool {
    let regular = kt.with(|w| is_regular(w.inodes.at(w.files.at(file).inode).mode));
    if regular {
        sb_start_write(kt, Freeze::Write).await;
    }
    regular
}

/// `file_end_write()`.
pub fn file_end_write(kt: &Kthread, started: bool) {
    if started {
        kt.with(|w| sb_end_write(w, Freeze::Write));
    }
}

/// `sb_wait_write()`, fs/super.c:1666: until no such writer is left.
async fn sb_wait_write(kt: &Kthread, level: Freeze) {
    while kt.with(|w| w.counter(level.counter()) > 0) {
        kt.sleep_on(WaitOn::Writers).await;
    }
}

/// `freeze_super()`, fs/super.c:1733: FIFREEZE. Everything is on its place when
/// it returns, and stays so.
///
/// # Errors
/// `EBUSY` if it is frozen already, or what writing gives: then it is not frozen.
pub async fn freeze_super(kt: &Kthread) -> Result<(), Errno> {
    call!(
        kt,
        &site::FREEZE_SUPER,
        &[],
        Box::pin(async {
            if kt.with(|w| w.sb().frozen != 0) {
                probe!(kt, FRZ_BUSY).await;
                return Err(Errno::EBUSY);
            }
            if kt.with(|w| w.sb().read_only) {
                kt.with(|w| w.sb_mut().frozen = COMPLETE);
                return Ok(());
            }
            for level in [Freeze::Write, Freeze::Pagefault] {
                kt.with(|w| w.sb_mut().frozen = level as u8);
                probe!(kt, FRZ_LEVEL, level = level as u8).await;
                sb_wait_write(kt, level).await;
            }
            let mut done = sync_filesystem(kt).await;
            probe!(kt, FRZ_SYNC, ret = done).await;
            if done.is_ok() {
                kt.with(|w| w.sb_mut().frozen = Freeze::Fs as u8);
                sb_wait_write(kt, Freeze::Fs).await;
                done = ext4_freeze(kt).await;
            }
            kt.with(|w| match done {
                Ok(()) => w.sb_mut().frozen = COMPLETE,
                Err(_) => unlock(w),
            });
            probe!(kt, FRZ_DONE, ret = done).await;
            done
        }),
    )
    .await
}

fn unlock(w: &mut World) {
    w.sb_mut().frozen = 0;
    wake_all(w, WaitOn::Thaw);
}

/// `thaw_super()`, fs/super.c:1844: FITHAW.
///
/// # Errors
/// `EINVAL` if it is not frozen.
pub async fn thaw_super(kt: &Kthread) -> Result<(), Errno> {
    call!(
        kt,
        &site::THAW_SUPER,
        &[],
        Box::pin(async {
            if kt.with(|w| w.sb().frozen != COMPLETE) {
                return Err(Errno::EINVAL);
            }
            if !kt.with(|w| w.sb().read_only) {
                ext4_unfreeze(kt).await;
            }
            kt.with(unlock);
            probe!(kt, THW_WAKE).await;
            Ok(())
        }),
    )
    .await
}
