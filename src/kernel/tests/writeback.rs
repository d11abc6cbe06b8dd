//! Writes, syncs, reads and truncations on a real image: what is on the device
//! afterwards, and what a second mount reads.

#![recursion_limit = "256"]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use kernel::block::ramdisk::{irq, unit_bytes};
use kernel::fs::ext4::inode::truncate::ext4_setattr_size;
use kernel::fs::ext4::inode::writepages::{WritebackControl, ext4_writepages};
use kernel::fs::ext4::super_::{MountOptions, drop_caches, ext4_mount, ext4_umount};
use kernel::fs::open::{OpenFlags, do_sys_open, filp_close};
use kernel::fs::read_write::ksys_pwrite64;
use kernel::fs::sync::{sync_filesystem, vfs_fsync};
use kernel::mm::filemap_read::{filemap_fault, generic_file_buffered_read};
use kernel::mm::memory::{buffer_address, fill_byte, map_buffer};
use kernel::mm::truncate::truncate_pagecache;
use kernel::mm::writeback::filemap_flush;
use ondisk::Pblk;
use ondisk::mkfs::{MkfsOptions, mkfs};
use sched::{Kthread, Machine, Pause, RwSem, down_write, up_write};
use world::{Counter, Errno, FileId, InodeId, PAGE_SIZE, PageFlags, UnitId, VmaKind, World};

const MIB: u64 = 1 << 20;

/// A World with a fresh image on its device and a buffer of 1 MiB.
fn world(block_size: u32, latency_ns: u64) -> World {
    let mut image: BTreeMap<Pblk, Vec<u8>> = BTreeMap::new();
    mkfs(&MkfsOptions::new(64 * MIB, block_size), &mut image).expect("the options are sound");
    let mut w = World::default();
    w.device.reserve_slots((64 * MIB / PAGE_SIZE) as usize);
    for (block, bytes) in image {
        let at = block.0 * u64::from(block_size);
        let unit = UnitId((at / PAGE_SIZE) as u32);
        let mut whole = *unit_bytes(&w, unit);
        let from = (at % PAGE_SIZE) as usize;
        whole[from..from + bytes.len()].copy_from_slice(&bytes);
        *w.unit_mut(unit) = Some(Arc::new(whole));
    }
    *w.counter_mut(Counter::DeviceLatency) = latency_ns;
    *w.counter_mut(Counter::MemoryPages) = 131_072;
    *w.counter_mut(Counter::FreePages) = 100_000;
    *w.counter_mut(Counter::RatelimitPages) = 100;
    let bytes: Vec<u8> = (0..MIB).map(|i| fill_byte(1, i)).collect();
    map_buffer(&mut w, 1, 0, VmaKind::Anon, &bytes);
    w
}

fn run<T: 'static, F: Future<Output = T> + 'static>(
    w: World,
    body: impl FnOnce(Kthread) -> F + 'static,
) -> (Rc<Machine>, T) {
    let machine = Machine::new(w, true);
    let slot = Rc::new(RefCell::new(None));
    let result = Rc::clone(&slot);
    machine.spawn("A", 1, 10, |kt| async move { *slot.borrow_mut() = Some(body(kt).await) });
    kernel::start_kernel_threads(&machine);
    let mut pause = Pause::Budget;
    for _ in 0..10_000 {
        pause = machine.run(1000, irq);
        if pause != Pause::Budget {
            break;
        }
    }
    assert_eq!(pause, Pause::Finished);
    let value = result.borrow_mut().take().expect("the task ran to its end");
    (machine, value)
}

/// A debug build's write path wants more stack than a test's thread has.
fn large_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(test).expect("a thread starts");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

async fn mount_and_open(kt: &Kthread, options: &str) -> FileId {
    ext4_mount(kt, MountOptions::parse(options).expect("known options")).await.expect("the image is fresh");
    do_sys_open(kt, "/f", OpenFlags::RDWR | OpenFlags::CREAT, 0o644).await.expect("there is room")
}

/// Up to `count` bytes of the file from `pos`.
async fn read_file(kt: &Kthread, file: FileId, pos: u64, count: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    generic_file_buffered_read(kt, file, pos, count, &mut bytes).await.expect("the device is sound");
    bytes
}

async fn write(kt: &Kthread, file: FileId, pos: u64, count: u64) -> Result<u64, Errno> {
    kt.with(|w| w.fd_set((1, 3), Some(file)));
    let done = ksys_pwrite64(kt, 3, buffer_address(0, 0), count, pos as i64).await;
    kt.with(|w| w.fd_set((1, 3), None));
    done
}

fn pattern(count: u64) -> Vec<u8> {
    (0..count).map(|i| fill_byte(1, i)).collect()
}

async fn truncate(kt: &Kthread, file: FileId, size: u64) -> Result<(), Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    down_write(kt, RwSem::IRwsem(inode)).await;
    let cut = ext4_setattr_size(kt, inode, size).await;
    kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
    cut
}

fn assert_nothing_pending(w: &World) {
    assert_eq!(w.counter(Counter::Writeback), 0);
    assert_eq!(w.counter(Counter::DirtyClusters), 0);
    assert!(w.completed_io.entries().is_empty() && w.page_io_end.entries().is_empty());
    assert_eq!(w.io_ends.iter().count(), 0);
}

/// Writes at `pos`, syncs, forgets the cache, reads all of the file again.
fn write_sync_read(block_size: u32, latency_ns: u64, options: &'static str, pos: u64, count: u64) {
    let (machine, read) = run(world(block_size, latency_ns), move |kt| async move {
        let file = mount_and_open(&kt, options).await;
        assert_eq!(write(&kt, file, pos, count).await, Ok(count));
        vfs_fsync(&kt, file, false).await.expect("the device is sound");
        kt.with(|w| assert_nothing_pending(w));
        sync_filesystem(&kt).await.expect("the device is sound");
        kt.with(drop_caches);
        let inode = kt.with(|w| w.files.at(file).inode);
        assert_eq!(kt.with(|w| w.sizes.at(inode).nrpages), 0, "the cache is empty");
        read_file(&kt, file, 0, 1 << 20).await
    });
    let mut expected = vec![0; pos as usize];
    expected.extend(pattern(count));
    assert_eq!(read.len(), expected.len());
    assert!(read == expected, "the bytes differ");
    machine.with(|w| assert_nothing_pending(w));
}

#[test]
fn a_new_file_comes_back() {
    large_stack(|| {
        write_sync_read(4096, 0, "", 0, 10_000);
    });
}

#[test]
fn a_slow_device_gives_the_same() {
    large_stack(|| {
        write_sync_read(4096, 20_000_000, "", 0, 10_000);
    });
}

#[test]
fn small_blocks_with_a_hole_in_front() {
    large_stack(|| {
        write_sync_read(1024, 0, "", 5500, 9000);
    });
}

#[test]
fn small_blocks_on_a_slow_device() {
    large_stack(|| {
        write_sync_read(1024, 20_000_000, "", 5500, 9000);
    });
}

#[test]
fn without_delayed_allocation() {
    large_stack(|| {
        write_sync_read(4096, 0, "nodelalloc", 3000, 20_000);
    });
}

#[test]
fn a_large_file() {
    large_stack(|| {
        write_sync_read(4096, 0, "", 0, 1 << 20);
    });
}

#[test]
fn what_was_not_synced_is_written_at_the_end() {
    large_stack(|| {
        let (machine, ()) = run(world(4096, 0), |kt| async move {
            let file = mount_and_open(&kt, "").await;
            assert_eq!(write(&kt, file, 0, 70_000).await, Ok(70_000));
            filp_close(&kt, file).await;
            sync_filesystem(&kt).await.expect("the device is sound");
            ext4_umount(&kt).await.expect("no file is open");
            ext4_mount(&kt, MountOptions::default()).await.expect("it was unmounted cleanly");
            let file = do_sys_open(&kt, "/f", OpenFlags::RDWR, 0).await.expect("the name is on disk");
            let read = read_file(&kt, file, 0, 1 << 20).await;
            assert!(read == pattern(70_000));
            let page = filemap_fault(&kt, kt.with(|w| w.files.at(file).inode), 17).await.expect("inside the file");
            kt.with(|w| assert_eq!(w.page_bytes(page)[..100], pattern(70_000)[17 * 4096..17 * 4096 + 100]));
            let inode = kt.with(|w| w.files.at(file).inode);
            assert_eq!(filemap_fault(&kt, inode, 18).await, Err(Errno::EFAULT));
        });
        machine.with(|w| assert_nothing_pending(w));
    });
}

#[test]
fn a_shorter_file_gives_its_blocks_back() {
    large_stack(|| {
        let (machine, file) = run(world(4096, 0), |kt| async move {
            let file = mount_and_open(&kt, "").await;
            write(&kt, file, 0, 9000).await.expect("there is room");
            vfs_fsync(&kt, file, false).await.expect("the device is sound");
            let inode = kt.with(|w| w.files.at(file).inode);
            assert_eq!(kt.with(|w| w.sizes.at(inode).i_blocks), 24);
            truncate(&kt, file, 5000).await.expect("nothing is in the way");
            assert_eq!(kt.with(|w| w.sizes.at(inode).i_blocks), 16);
            vfs_fsync(&kt, file, false).await.expect("the device is sound");
            // Longer again: zeros, not the old bytes.
            truncate(&kt, file, 9000).await.expect("nothing is in the way");
            let read = read_file(&kt, file, 0, 20_000).await;
            assert_eq!(read.len(), 9000);
            assert!(read[..5000] == pattern(5000)[..] && read[5000..].iter().all(|&byte| byte == 0));
            truncate(&kt, file, 0).await.expect("nothing is in the way");
            assert_eq!(kt.with(|w| w.sizes.at(inode).i_blocks), 0);
            file
        });
        machine.with(|w| {
            assert!(w.files.at(file).inode != InodeId::NONE);
            assert_nothing_pending(w);
        });
    });
}

#[test]
fn delayed_blocks_behind_the_new_end_are_never_allocated() {
    large_stack(|| {
        let (machine, ()) = run(world(4096, 0), |kt| async move {
            let file = mount_and_open(&kt, "").await;
            write(&kt, file, 0, 40_000).await.expect("there is room");
            let free = kt.with(|w| w.counter(Counter::FreeClusters));
            assert_eq!(kt.with(|w| w.counter(Counter::DirtyClusters)), 10);
            truncate(&kt, file, 0).await.expect("nothing is in the way");
            vfs_fsync(&kt, file, false).await.expect("the device is sound");
            assert_eq!(kt.with(|w| w.counter(Counter::FreeClusters)), free);
        });
        machine.with(|w| assert_nothing_pending(w));
    });
}

/// The whole device as a file of its own.
fn save(w: &World, name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("writeback-{name}.img"));
    let mut bytes = Vec::new();
    for unit in 0..w.device.len() {
        bytes.extend_from_slice(&unit_bytes(w, UnitId(unit as u32))[..]);
    }
    std::fs::write(&path, bytes).expect("the target directory can be written");
    path
}

/// Needs e2fsprogs, here or in `/usr/sbin`.
fn e2fsprogs(arguments: &[&str]) -> (bool, String) {
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(arguments[0])
        .env("PATH", search)
        .args(&arguments[1..])
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be run ({error}): install e2fsprogs 1.47", arguments[0]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

/// Many small extents, cut and grown again; after umount the real tools find
/// the image sound and the same bytes in it.
fn image_is_sound(name: &'static str, block_size: u32, latency_ns: u64, options: &'static str) {
    let (machine, read) = run(world(block_size, latency_ns), move |kt| async move {
        let file = mount_and_open(&kt, options).await;
        for i in 0..40 {
            write(&kt, file, i * 30_000, 5000 + i).await.expect("there is room");
            if i % 7 == 0 {
                vfs_fsync(&kt, file, i % 2 == 0).await.expect("the device is sound");
            }
        }
        truncate(&kt, file, 600_001).await.expect("nothing is in the way");
        write(&kt, file, 590_000, 50_000).await.expect("there is room");
        truncate(&kt, file, 700_000).await.expect("nothing is in the way");
        sync_filesystem(&kt).await.expect("the device is sound");
        truncate(&kt, file, 610_000).await.expect("nothing is in the way");
        write(&kt, file, 100, 5).await.expect("there is room");
        let read = read_file(&kt, file, 0, MIB).await;
        filp_close(&kt, file).await;
        sync_filesystem(&kt).await.expect("the device is sound");
        ext4_umount(&kt).await.expect("no file is open");
        read
    });
    assert_eq!(read.len(), 610_000);
    let image = machine.with(|w| save(w, name));
    let image = image.to_str().expect("a plain path");
    let (sound, text) = e2fsprogs(&["e2fsck", "-fn", image]);
    assert!(sound, "{text}");
    let dump = format!("{image}.f");
    e2fsprogs(&["debugfs", "-R", &format!("dump /f {dump}"), image]);
    assert!(std::fs::read(&dump).expect("debugfs wrote it") == read, "the bytes differ");
}

#[test]
fn the_image_is_sound() {
    large_stack(|| {
        image_is_sound("4k", 4096, 0, "");
        image_is_sound("1k-slow", 1024, 1_000_000, "");
        image_is_sound("4k-nodelalloc", 4096, 0, "nodelalloc");
        image_is_sound("1k-nodelalloc", 1024, 0, "nodelalloc");
        image_is_sound("4k-dioread-lock", 4096, 0, "dioread_lock");
    });
}

#[test]
fn a_page_half_in_the_cache_is_completed_without_losing_what_is_dirty() {
    large_stack(|| {
        let (_, ()) = run(world(1024, 0), |kt| async move {
            let file = mount_and_open(&kt, "").await;
            write(&kt, file, 0, 4096).await.expect("there is room");
            vfs_fsync(&kt, file, false).await.expect("the device is sound");
            sync_filesystem(&kt).await.expect("the device is sound");
            kt.with(drop_caches);
            write(&kt, file, 1024, 1024).await.expect("there is room");
            let inode = kt.with(|w| w.files.at(file).inode);
            let uptodate = |w: &mut World| {
                let page = w.find_page(inode, 0).expect("it was just written");
                w.pages.at(page).flags.contains(PageFlags::UPTODATE)
            };
            assert!(!kt.with(uptodate));
            let read = read_file(&kt, file, 1024, 1024).await;
            assert!(read == pattern(1024) && !kt.with(uptodate), "that block is there, which is enough");
            let read = read_file(&kt, file, 0, 4096).await;
            let mut expected = pattern(4096);
            expected[1024..2048].copy_from_slice(&pattern(1024));
            assert!(read == expected && kt.with(uptodate));
        });
    });
}

#[test]
fn a_failed_write_is_told_once_to_each_open_file() {
    large_stack(|| {
        let (machine, ()) = run(world(4096, 20_000_000), |kt| async move {
            let file = mount_and_open(&kt, "").await;
            let other = do_sys_open(&kt, "/f", OpenFlags::RDWR, 0).await.expect("it is there");
            write(&kt, file, 0, 4096).await.expect("there is room");
            let inode = kt.with(|w| w.files.at(file).inode);
            filemap_flush(&kt, inode).await.expect("only submitted");
            kt.with(|w| {
                let (id, _) = w.bios.iter().find(|(_, bio)| bio.write && bio.inode == inode).expect("it is in flight");
                w.bio_mut(id).error = Errno::EIO as u16;
            });
            assert_eq!(vfs_fsync(&kt, file, false).await, Err(Errno::EIO));
            assert_eq!(vfs_fsync(&kt, file, false).await, Ok(()));
            assert_eq!(vfs_fsync(&kt, other, false).await, Err(Errno::EIO));
            assert_eq!(vfs_fsync(&kt, other, false).await, Ok(()));
            let late = do_sys_open(&kt, "/f", OpenFlags::RDWR, 0).await.expect("it is there");
            assert_eq!(vfs_fsync(&kt, late, false).await, Ok(()), "errors from before the open are not its own");
        });
        machine.with(|w| assert_nothing_pending(w));
    });
}

/// A future is kept on the stack while its caller makes it; wasm has little.
#[test]
fn futures_stay_small() {
    large_stack(|| {
        let (_, sizes) = run(World::default(), |kt| async move {
            let (file, inode) = (FileId(0), InodeId(2));
            let mut wbc = WritebackControl::default();
            [
                ("vfs_fsync", size_of_val(&vfs_fsync(&kt, file, false))),
                ("sync_filesystem", size_of_val(&sync_filesystem(&kt))),
                ("ext4_writepages", size_of_val(&ext4_writepages(&kt, inode, &mut wbc))),
                (
                    "generic_file_buffered_read",
                    size_of_val(&generic_file_buffered_read(&kt, file, 0, 1, &mut Vec::new())),
                ),
                ("filemap_fault", size_of_val(&filemap_fault(&kt, inode, 0))),
                ("ext4_setattr_size", size_of_val(&ext4_setattr_size(&kt, inode, 0))),
                ("truncate_pagecache", size_of_val(&truncate_pagecache(&kt, inode, 0))),
            ]
        });
        for (name, bytes) in sizes {
            assert!(bytes <= 8192, "{name}: {bytes} bytes");
        }
    });
}
