//! The behaviour: what v5.10 does, one module per kernel source file, same
//! names, same order, same branches.
//!
//! ```text
//!   fs/read_write ── fs/ext4/file ── mm/filemap ─┬─ iov_iter ── mm/memory
//!                                                ├─ fs/ext4/inode ── fs/buffer
//!                                                └─ mm/page_writeback
//!   fs/fs_writeback ── fs/ext4/inode (writepages) ── extents ── mballoc
//!   fs/ext4/super, namei, ialloc ── fs/jbd2 ── block/ramdisk
//! ```
//!
//! A function that can sleep is `async` and takes a [`sched::Kthread`]; one
//! that cannot is a plain function on the [`world::World`]. [`site`] lists every
//! function and probe; [`tracepoint`] every tracepoint.
#![forbid(unsafe_code)]
// A system call is one future of some forty nested ones, each with its call frame.
#![recursion_limit = "256"]

use std::rc::Rc;

use sched::Machine;

pub mod block;
pub mod fault_inject;
pub mod flex_proportions;
pub mod fs;
pub mod iov_iter;
pub mod mm;
pub mod site;
pub mod trace;
pub mod tracepoint;

/// Starts the kernel's own threads: the flusher, and the one that converts
/// extents after their data was written. Without them nobody serves sync(2) on
/// a machine.
pub fn start_kernel_threads(machine: &Rc<Machine>) {
    machine.spawn("kworker/u2:0", 0, 1, fs::fs_writeback::bdi_wq_worker);
    machine.spawn("kworker/0:1", 0, 1, fs::ext4::page_io::ext4_end_io_rsv_work);
}
