//! Which files are DAX, and what writing back such a file means. The DAX part of
//! fs/ext4/inode.c.

use ondisk::layout::inode::InodeFlags;
use sched::Kthread;
use world::{Errno, InodeId, World};

use crate::fs::ext4::inline::ext4_has_inline_data;
use crate::fs::ext4::inode::writepages::{
    ext4_should_journal_data, trace_ext4_writepages, trace_ext4_writepages_result,
};
use crate::fs::ext4::super_::MountOpts;
use crate::fs::inode::is_regular;
use crate::mm::writeback::WritebackControl;
use crate::trace::call;
use crate::{probe, site};

/// `ext4_should_enable_dax()`, fs/ext4/inode.c:4568: mount, device and file all
/// have to agree. Asked once, when the inode comes into memory.
#[must_use]
pub fn ext4_should_enable_dax(w: &World, inode: InodeId) -> bool {
    let (opts, head) = (MountOpts::of(w), w.inodes.at(inode));
    !opts.contains(MountOpts::DAX_NEVER)
        && is_regular(head.mode)
        && !ext4_should_journal_data(w, inode)
        && !ext4_has_inline_data(w, inode)
        && opts.contains(MountOpts::BDEV_IS_DAX)
        && (opts.contains(MountOpts::DAX_ALWAYS) || head.flags & InodeFlags::DAX.bits() != 0)
}

/// `ext4_dax_writepages()`, fs/ext4/inode.c:2936: what faults made dirty is
/// flushed out of the processor's caches. No fault is modelled and write(2)
/// flushes as it copies, so the mapping has no entry and nothing is done.
///
/// # Errors
/// `EIO` after a shutdown.
pub async fn ext4_dax_writepages(kt: &Kthread, inode: InodeId, wbc: &mut WritebackControl) -> Result<(), Errno> {
    let asked = wbc.nr_to_write;
    call!(kt, &site::EXT4_DAX_WRITEPAGES, &[asked as u64], async {
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        kt.with(|w| trace_ext4_writepages(w, inode, wbc));
        probe!(kt, WPD_RANGE).await;
        kt.with(|w| trace_ext4_writepages_result(w, inode, wbc, Ok(()), asked));
        Ok(())
    })
    .await
}
