//! A system call is one future; how large it is decides what fits on the stack
//! of a page's wasm, so it is measured.

#![recursion_limit = "256"]
use kernel::fs::ext4::file::ext4_file_read_iter;
use kernel::fs::ext4::inode::truncate::ext4_setattr_size;
use kernel::fs::ext4::super_::{MountOptions, ext4_mount, ext4_umount};
use kernel::fs::open::{OpenFlags, do_sys_open, do_unlink, filp_close};
use kernel::fs::read_write::{do_pwritev, ksys_pwrite64};
use kernel::fs::sync::{ksys_sync, vfs_fsync_range};
use sched::Machine;
use world::{FileId, InodeId, World};

/// Bytes that the largest future of a system call may take.
const LARGEST: usize = 8 << 10;

#[test]
fn no_system_call_is_larger_than_8_kib() {
    let machine = Machine::new(World::default(), false);
    machine.spawn("A", 1, 0, |kt| async move {
        let options = MountOptions::parse("").expect("no options are good options");
        let mut sizes = vec![
            ("ksys_pwrite64", size_of_val(&ksys_pwrite64(&kt, 0, 0, 0, 0))),
            ("do_pwritev", size_of_val(&do_pwritev(&kt, 0, &[], 0, 0))),
            ("ksys_sync", size_of_val(&ksys_sync(&kt))),
            ("vfs_fsync_range", size_of_val(&vfs_fsync_range(&kt, FileId(0), 0, 0, false))),
            ("do_sys_open", size_of_val(&do_sys_open(&kt, "", OpenFlags::empty(), 0))),
            ("do_unlink", size_of_val(&do_unlink(&kt, ""))),
            ("filp_close", size_of_val(&filp_close(&kt, FileId(0)))),
            ("ext4_file_read_iter", size_of_val(&ext4_file_read_iter(&kt, FileId(0), 0, 0, &mut Vec::new()))),
            ("ext4_setattr_size", size_of_val(&ext4_setattr_size(&kt, InodeId(0), 0))),
            ("ext4_mount", size_of_val(&ext4_mount(&kt, options))),
            ("ext4_umount", size_of_val(&ext4_umount(&kt))),
        ];
        sizes.sort_by_key(|&(_, size)| size);
        for (name, size) in &sizes {
            println!("{size:>7} {name}");
        }
        let (name, size) = sizes[sizes.len() - 1];
        assert!(size <= LARGEST, "{name} takes {size} bytes");
    });
    machine.run(1, |_, _| 0);
}
