//! What an administrator does to a machine, in the name of no program.

use kernel::block::ramdisk::{add_fault, clear_faults};
use kernel::fs::ext4::ioctl::remount_abort;
use kernel::fs::super_::{freeze_super, thaw_super};
use kernel::mm::swapfile::swapoff_all;
use sched::Kthread;
use world::Errno;

use crate::scenario::Op;

/// One of the operations on the device and the mount.
pub(super) async fn act(kt: &Kthread, op: &Op) -> Result<u64, Errno> {
    match op {
        Op::Fault(fault) => kt.with(|w| add_fault(w, fault.rule())),
        Op::Mend {} => kt.with(clear_faults),
        Op::Freeze {} => freeze_super(kt).await?,
        Op::Thaw {} => thaw_super(kt).await?,
        Op::Abort {} => remount_abort(kt).await?,
        _ => return Err(Errno::ENOSYS),
    }
    Ok(0)
}

/// Before an umount: nothing is swapped to, and nothing stays frozen, which
/// would keep the superblock in use.
pub(super) async fn let_go(kt: &Kthread) {
    let frozen = kt.with(|w| w.sb().frozen != 0);
    if frozen {
        // It was frozen, so it thaws.
        let _ = thaw_super(kt).await;
    }
    // An inode that cannot be dropped is dropped by the umount.
    let _ = swapoff_all(kt).await;
}
