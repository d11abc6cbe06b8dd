//! Changing an inode's attributes. Mirrors fs/attr.c and the flags part of fs/ext4/ioctl.c.

use sched::{Kthread, RwSem, down_write, up_write};
use world::{Errno, FileId, InodeBits, InodeState};

use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop, handle_sync_if};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::fs::inode::current_time;
use crate::fs::super_::{Freeze, sb_end_write, sb_start_write};
use crate::site;
use crate::trace::call;

/// fchmod(2): `notify_change()` with the mode alone.
///
/// # Errors
/// `EIO` after a shutdown; `EPERM` on an immutable file.
pub async fn fchmod(kt: &Kthread, file: FileId, mode: u16) -> Result<(), Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    sb_start_write(kt, Freeze::Write).await; // mnt_want_write_file()
    down_write(kt, RwSem::IRwsem(inode)).await;
    let changed = call!(kt, &site::EXT4_SETATTR_MODE, &[], async {
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        if kt.with(|w| w.inodes.at(inode).bits.intersects(InodeBits::IMMUTABLE | InodeBits::APPEND)) {
            return Err(Errno::EPERM);
        }
        // setattr_prepare(): inode_owner_or_capable()
        if kt.with(|w| ![0, w.inodes.at(inode).uid].contains(&w.accts.at(kt.task).euid)) {
            return Err(Errno::EPERM);
        }
        kt.with(|w| {
            let now = current_time(w);
            let slot = w.inode_mut(inode);
            slot.mode = slot.mode & !0o7777 | mode & 0o7777;
            if is_sxid(slot.mode) {
                slot.bits.remove(InodeBits::NOSEC);
            }
            w.times_mut(inode).ctime = now;
        });
        let all = InodeState::DIRTY_SYNC | InodeState::DIRTY_DATASYNC | InodeState::DIRTY_PAGES;
        mark_inode_dirty(kt, inode, all).await;
        Ok(())
    })
    .await;
    kt.with(|w| {
        up_write(w, RwSem::IRwsem(inode));
        sb_end_write(w, Freeze::Write);
    });
    changed
}

/// `is_sxid()`, include/linux/fs.h: a mode that a write may have to strip.
fn is_sxid(mode: u16) -> bool {
    mode & 0o4000 != 0 || mode & 0o2010 == 0o2010
}

/// FS_IOC_SETFLAGS for SYNC (0x8), IMMUTABLE (0x10), APPEND (0x20) and DAX
/// (0x2000000), which a file obeys from when it next comes into memory.
///
/// # Errors
/// What the journal gives.
pub async fn setflags(kt: &Kthread, file: FileId, flags: u32, set: bool) -> Result<(), Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    sb_start_write(kt, Freeze::Write).await; // mnt_want_write_file()
    down_write(kt, RwSem::IRwsem(inode)).await;
    let done = ioctl_setflags(kt, inode, flags, set).await;
    kt.with(|w| {
        up_write(w, RwSem::IRwsem(inode));
        sb_end_write(w, Freeze::Write);
    });
    done
}

async fn ioctl_setflags(kt: &Kthread, inode: world::InodeId, flags: u32, set: bool) -> Result<(), Errno> {
    ext4_journal_start(kt, HandleType::Inode, 1).await?;
    kt.with(|w| {
        handle_sync_if(w, kt, inode);
        let now = current_time(w);
        let slot = w.inode_mut(inode);
        slot.flags = if set { slot.flags | flags } else { slot.flags & !flags };
        let bits = [(0x8, InodeBits::S_SYNC), (0x10, InodeBits::IMMUTABLE), (0x20, InodeBits::APPEND)];
        for (flag, bit) in bits {
            slot.bits.set(bit, slot.flags & flag != 0);
        }
        w.times_mut(inode).ctime = now;
    });
    let marked = ext4_mark_inode_dirty(kt, inode).await;
    ext4_journal_stop(kt).await.and(marked)
}
