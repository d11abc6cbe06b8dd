//! A machine with hand-made pages, for tests.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use sched::{Kthread, Machine, Pause};
use world::{BhFlags, Counter, Inode, InodeBits, InodeId, InodeState, PAGE_SIZE, PageId, UnitId, World};

use crate::block::ramdisk::{irq, unit_bytes};
use crate::fs::buffer::{create_empty_buffers, mark_buffer_dirty};
use crate::mm::filemap::{add_to_page_cache, put_page, unlock_page};

/// The file under test.
pub(crate) const FILE: InodeId = InodeId(2);

/// A World with a RAM disk, the device's inode, and an empty file.
pub(crate) fn world(block_bits: u8, latency_ns: u64) -> World {
    let mut w = World::default();
    for (inode, ino) in [(InodeId::BDEV, 0), (InodeId::BUDDY, 1), (FILE, 12)] {
        *w.inode_mut(inode) =
            Inode { ino, mode: 0o100_644, nlink: 1, bits: InodeBits::PRESENT, count: 1, ..Inode::default() };
        *w.size_mut(inode) = world::InodeSize::default();
        *w.sync_mut(inode) = world::InodeSync::default();
        *w.locks_mut(inode) = world::InodeLocks::default();
        *w.times_mut(inode) = world::InodeTimes::default();
    }
    w.device.reserve_slots(4096);
    let sb = w.sb_mut();
    sb.mounted = true;
    sb.block_bits = block_bits;
    *w.counter_mut(Counter::DeviceLatency) = latency_ns;
    w
}

/// A cached page of [`FILE`] full of `byte`, whose `n`th buffer lies at `blocks[n]`
/// and is dirty; `None` is a hole.
pub(crate) fn dirty_page(w: &mut World, index: u32, byte: u8, blocks: &[Option<u64>]) -> PageId {
    let page = add_to_page_cache(w, FILE, index);
    let (content, rec) = (w.pages.at(page).content, w.rec);
    w.contents.range_mut(rec, content, 0, PAGE_SIZE as usize).fill(byte);
    create_empty_buffers(w, page);
    for (bh, block) in w.page_bhs(page).zip(blocks) {
        if let Some(block) = block {
            let head = w.bh_mut(bh);
            head.flags.insert(BhFlags::MAPPED | BhFlags::UPTODATE);
            head.blocknr = *block;
            mark_buffer_dirty(w, bh);
        }
    }
    unlock_page(w, page);
    put_page(w, page);
    page
}

/// Runs `body` as a user task to its end; gives the machine and the result.
pub(crate) fn run<T: 'static, F: Future<Output = T> + 'static>(
    w: World,
    body: impl FnOnce(Kthread) -> F + 'static,
) -> (Rc<Machine>, T) {
    let machine = Machine::new(w, true);
    let slot = Rc::new(RefCell::new(None));
    let result = Rc::clone(&slot);
    machine.spawn("A", 1, 10, |kt| async move {
        *slot.borrow_mut() = Some(body(kt).await);
    });
    crate::start_kernel_threads(&machine);
    let mut pause = Pause::Budget;
    for _ in 0..1000 {
        pause = machine.run(1000, irq);
        if pause != Pause::Budget {
            break;
        }
    }
    assert_eq!(pause, Pause::Finished);
    let value = result.borrow_mut().take().expect("the task ran to its end");
    (machine, value)
}

/// Byte `at` of the device.
pub(crate) fn device_byte(w: &World, at: u64) -> u8 {
    unit_bytes(w, UnitId((at / PAGE_SIZE) as u32))[(at % PAGE_SIZE) as usize]
}

/// Nothing of the file is dirty or under I/O, and the counters agree.
pub(crate) fn assert_clean(w: &World) {
    for counter in [Counter::FileDirty, Counter::Writeback, Counter::WbReclaimable, Counter::WbWriteback] {
        assert_eq!(w.counter(counter), 0, "{counter:?}");
    }
    assert_eq!(w.io_ends.iter().count(), 0, "no batch is left");
    assert!(w.page_io_end.entries().is_empty());
    assert!(!w.inodes.at(FILE).state.contains(InodeState::SYNC));
}
