//! What a write does to an inode before its data. Mirrors fs/inode.c.

use sched::{Kthread, NSEC_PER_JIFFY};
use world::{Counter, Errno, FileId, InodeBits, InodeId, InodeState, World};

use crate::fs::ext4::super_::MountOpts;
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::probe;
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;

const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;
const S_ISUID: u16 = 0o4000;
const S_ISGID: u16 = 0o2000;
const S_IXGRP: u16 = 0o010;

/// IS_DAX(): the file's bytes go past the page cache, to and from the device's own memory.
#[must_use]
pub fn is_dax(w: &World, inode: InodeId) -> bool {
    w.inodes.at(inode).bits.contains(InodeBits::DAX)
}

/// `S_ISREG()`.
#[must_use]
pub fn is_regular(mode: u16) -> bool {
    mode & S_IFMT == S_IFREG
}

/// `current_time()`: the coarse clock, which moves once a tick, in ns since the epoch.
#[must_use]
pub fn current_time(w: &World) -> u64 {
    w.counter(Counter::BootTime) + w.counter(Counter::Clock) / NSEC_PER_JIFFY * NSEC_PER_JIFFY
}

/// `file_modified()`, fs/inode.c:2054: privileges go, then the times change.
///
/// # Errors
/// What stripping privileges gives.
pub async fn file_modified(kt: &Kthread, file: FileId) -> Result<(), Errno> {
    call!(kt, &site::FILE_MODIFIED, &[], async {
        let inode = kt.with(|w| w.files.at(file).inode);
        probe!(kt, FM_PRIVS).await;
        file_remove_privs(kt, inode).await?;
        probe!(kt, FM_TIME).await;
        file_update_time(kt, inode).await
    })
    .await
}

/// `IS_SYNC()`, include/linux/fs.h: whether changes of the inode are to be on disk at
/// once, as its own flag or the mount says. As no inode has a flag for directories
/// alone, `IS_DIRSYNC()` is the same.
#[must_use]
pub fn is_sync(w: &World, inode: InodeId) -> bool {
    w.inodes.at(inode).bits.contains(InodeBits::S_SYNC) || MountOpts::of(w).contains(MountOpts::SYNCHRONOUS)
}

/// `file_remove_privs()`, fs/inode.c:1977.
///
/// Not modelled: security.capability; no inode has extended attributes, see
/// docs/omissions.md#xattr.
///
/// # Errors
/// `EIO` if bits are to be stripped after a shutdown.
async fn file_remove_privs(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    call!(kt, &site::FILE_REMOVE_PRIVS, &[], async {
        let (fast, kill) = kt.with(|w| {
            let i = w.inodes.at(inode);
            let fast = i.bits.contains(InodeBits::NOSEC) || !is_regular(i.mode);
            (fast, should_remove_suid(w, kt, i.mode))
        });
        if fast {
            probe!(kt, FRP_FAST).await;
            return Ok(());
        }
        kt.graph("ext4_xattr_security_get { ext4_xattr_get { ext4_xattr_ibody_get } }");
        if kill != 0 {
            probe!(kt, FRP_KILL, kill = kill).await;
            kt.graph("notify_change { current_time { timestamp_truncate }");
            let changed = call!(kt, &site::EXT4_SETATTR_MODE, &[], async {
                if kt.with(|w| w.sb().shutdown) {
                    return Err(Errno::EIO);
                }
                kt.with(|w| {
                    let now = current_time(w);
                    w.inode_mut(inode).mode &= !kill;
                    w.times_mut(inode).ctime = now;
                });
                let all = InodeState::DIRTY_SYNC | InodeState::DIRTY_DATASYNC | InodeState::DIRTY_PAGES;
                mark_inode_dirty(kt, inode, all).await;
                Ok(())
            })
            .await;
            kt.graph("}");
            if changed.is_err() {
                probe!(kt, FRP_FAIL, kill = kill).await;
                return changed;
            }
        }
        probe!(kt, FRP_NOSEC, kill = kill).await;
        kt.with(|w| w.inode_mut(inode).bits.insert(InodeBits::NOSEC));
        Ok(())
    })
    .await
}

/// `should_remove_suid()`, fs/attr.c:62: the mode bits to strip; a user with
/// CAP_FSETID (root) keeps them.
#[must_use]
pub fn should_remove_suid(w: &World, kt: &Kthread, mode: u16) -> u16 {
    if w.accts.at(kt.task).euid == 0 {
        return 0;
    }
    let mut kill = mode & S_ISUID;
    if mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP {
        kill |= S_ISGID;
    }
    kill
}

/// `generic_update_time()`, fs/inode.c:1828, for mtime and ctime: with lazytime the
/// inode's buffer stays as it is until something else changes it.
async fn generic_update_time(kt: &Kthread, inode: InodeId, now: u64) {
    let lazy = kt.with(|w| {
        let times = w.times_mut(inode);
        times.mtime = now;
        times.ctime = now;
        MountOpts::of(w).contains(MountOpts::LAZYTIME)
    });
    let mut flags = InodeState::DIRTY_TIME;
    flags.set(InodeState::DIRTY_SYNC, !lazy);
    mark_inode_dirty(kt, inode, flags).await;
}

/// `file_update_time()`, fs/inode.c:2018: the first write within a clock tick
/// stamps the inode, later ones find nothing to do.
///
/// # Errors
/// None today; the kernel's are of quota and iversion.
pub async fn file_update_time(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    call!(kt, &site::FILE_UPDATE_TIME, &[], async {
        let (now, stale) = kt.with(|w| {
            w.graph("current_time { timestamp_truncate }");
            let now = current_time(w);
            let times = w.times.at(inode);
            (now, times.mtime != now || times.ctime != now)
        });
        if !stale {
            probe!(kt, FUT_SAME, now = now).await;
            return Ok(());
        }
        if kt.with(|w| w.sb().read_only) {
            // __mnt_want_write_file(): it turned read-only under the open file
            probe!(kt, FUT_READ_ONLY, now = now).await;
            return Ok(());
        }
        probe!(kt, FUT_DO, now = now).await;
        kt.graph("generic_update_time {");
        generic_update_time(kt, inode, now).await;
        kt.graph("}");
        Ok(())
    })
    .await
}
