//! Images made, mounted, changed and unmounted, then looked at by e2fsprogs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use ondisk::Pblk;
use ondisk::mkfs::{MkfsOptions, mkfs};
use sched::{Kthread, Machine, Pause};
use world::{TraceEvent, UnitId, World};

use super::*;
use crate::block::ramdisk::{irq, unit_bytes};
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, ext4_map_blocks};
use crate::fs::open::{self, OpenFlags};
use crate::tracepoint::POINTS;

/// A machine whose device holds a new file system.
fn machine_with(options: &MkfsOptions) -> Rc<Machine> {
    let mut blocks: BTreeMap<Pblk, Vec<u8>> = BTreeMap::new();
    mkfs(options, &mut blocks).unwrap();
    let mut image = vec![0; usize::try_from(options.size_bytes).unwrap()];
    for (block, data) in blocks {
        let at = usize::try_from(block.0).unwrap() * data.len();
        image[at..at + data.len()].copy_from_slice(&data);
    }
    machine_on(&image)
}

fn machine_on(image: &[u8]) -> Rc<Machine> {
    let mut w = World::default();
    for (n, unit) in (0..).zip(image.chunks(4096)) {
        let mut block = [0; 4096];
        block[..unit.len()].copy_from_slice(unit);
        *w.unit_mut(UnitId(n)) = Some(Arc::new(block));
    }
    *w.counter_mut(Counter::BootTime) = 1_700_000_000_000_000_000;
    let machine = Machine::new(w, true);
    crate::start_kernel_threads(&machine);
    machine
}

/// Runs `work` as a task to its end.
fn run<T: 'static, F: Future<Output = T> + 'static>(
    machine: &Rc<Machine>,
    work: impl FnOnce(Kthread) -> F + 'static,
) -> T {
    let result = Rc::new(RefCell::new(None));
    let out = Rc::clone(&result);
    machine.spawn("t", 1, 1, |kt| async move {
        let value = work(kt).await;
        *out.borrow_mut() = Some(value);
    });
    assert_eq!(machine.run(10_000_000, irq), Pause::Finished);
    result.take().expect("the task ended")
}

fn image_of(machine: &Machine) -> Vec<u8> {
    machine.with(|w| (0..w.device.len()).flat_map(|n| *unit_bytes(w, UnitId(n as u32))).collect())
}

/// A program of e2fsprogs on an image: its exit code and what it says.
fn e2fsprogs(image: &[u8], name: &str, args: &[&str]) -> (i32, String) {
    let path: PathBuf = std::env::temp_dir().join(format!("writepath-{}-{name}.img", std::process::id()));
    std::fs::write(&path, image).unwrap();
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(args[0])
        .env("PATH", search)
        .args(&args[1..])
        .arg(&path)
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be run ({error}): install e2fsprogs", args[0]));
    std::fs::remove_file(&path).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

/// Unmounts and wants nothing of e2fsck.
fn unmount_clean(machine: &Rc<Machine>, name: &str) -> Vec<u8> {
    run(machine, |kt| async move { ext4_umount(&kt).await }).unwrap();
    let image = image_of(machine);
    let (code, text) = e2fsprogs(&image, name, &["e2fsck", "-fn"]);
    assert_eq!(code, 0, "{text}");
    image
}

fn options(block_size: u32, change: impl FnOnce(&mut MkfsOptions)) -> MkfsOptions {
    let mut options = MkfsOptions::new(16 << 20, block_size);
    options.time = 1_600_000_000;
    change(&mut options);
    options
}

async fn mount(kt: &Kthread) -> Result<(), MountError> {
    ext4_mount(kt, MountOptions::default()).await
}

#[test]
fn a_mount_and_an_unmount_leave_a_clean_file_system() {
    for (name, options) in [
        ("plain4k", options(4096, |_| {})),
        ("plain1k", options(1024, |_| {})),
        ("plain2k", options(2048, |_| {})),
        ("nojournal", options(4096, |o| o.has_journal = false)),
        ("nocsum", options(4096, |o| o.metadata_csum = false)),
    ] {
        let machine = machine_with(&options);
        run(&machine, |kt| async move { mount(&kt).await }).unwrap();
        machine.with(|w| {
            assert!(w.sb().mounted);
            assert_eq!(raw_super(w).s_mnt_count.get(), 1);
        });
        let image = unmount_clean(&machine, name);
        let es = Superblock::of_device(&image).unwrap();
        assert!(!es.incompat().contains(Incompat::RECOVER));
        machine.with(|w| assert_eq!((w.cache.entries().len(), w.inode_hash.entries().len()), (0, 0), "{name}"));
    }
}

#[test]
fn files_and_directories_come_and_go() {
    for (name, options) in [
        ("files4k", options(4096, |_| {})),
        ("files1k", options(1024, |_| {})),
        ("filesnj", options(4096, |o| o.has_journal = false)),
        ("filesnc", options(1024, |o| o.metadata_csum = false)),
    ] {
        let machine = machine_with(&options);
        run(&machine, |kt| async move {
            mount(&kt).await.unwrap();
            open::do_mkdir(&kt, "d", 0o755).await.unwrap();
            open::do_mkdir(&kt, "d/e", 0o700).await.unwrap();
            for path in ["f", "d/g", "d/e/h"] {
                let flags = OpenFlags::CREAT | OpenFlags::RDWR | OpenFlags::EXCL;
                let file = open::do_sys_open(&kt, path, flags, 0o644).await.unwrap();
                assert_eq!(open::do_sys_open(&kt, path, flags, 0o644).await, Err(Errno::EEXIST));
                open::filp_close(&kt, file).await;
            }
            assert_eq!(open::do_rmdir(&kt, "d").await, Err(Errno::ENOTEMPTY));
            open::do_unlink(&kt, "d/e/h").await.unwrap();
            open::do_rmdir(&kt, "d/e").await.unwrap();
            assert_eq!(open::do_sys_open(&kt, "d/e", OpenFlags::empty(), 0).await, Err(Errno::ENOENT));
            let names: Vec<_> = open::list_dir(&kt, "/d").await.unwrap().into_iter().map(|e| e.name).collect();
            assert_eq!(names, [&b"."[..], b"..", b"g"]);
        });
        let image = unmount_clean(&machine, name);
        let (_, text) = e2fsprogs(&image, name, &["debugfs", "-R", "ls -l d"]);
        assert!(text.contains(" g\n"), "{text}");
        let (_, text) = e2fsprogs(&image, name, &["debugfs", "-R", "ncheck 12"]);
        assert!(text.contains("/d"), "{text}");
    }
}

#[test]
fn an_open_file_lives_on_without_a_name() {
    let machine = machine_with(&options(4096, |_| {}));
    run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        let free = kt.with(|w| w.counter(Counter::FreeInodes));
        let flags = OpenFlags::CREAT | OpenFlags::RDWR;
        let file = open::do_sys_open(&kt, "f", flags, 0o644).await.unwrap();
        let other = open::do_sys_open(&kt, "g", flags, 0o644).await.unwrap();
        open::do_unlink(&kt, "f").await.unwrap();
        open::do_unlink(&kt, "g").await.unwrap();
        assert_eq!(kt.with(|w| w.counter(Counter::LastOrphan)), 13);
        open::filp_close(&kt, file).await;
        assert_eq!(kt.with(|w| (w.counter(Counter::LastOrphan), w.counter(Counter::FreeInodes))), (13, free - 1));
        open::filp_close(&kt, other).await;
        assert_eq!(kt.with(|w| (w.counter(Counter::LastOrphan), w.counter(Counter::FreeInodes))), (0, free));

        let tmp = open::do_sys_open(&kt, ".", OpenFlags::TMPFILE | OpenFlags::RDWR, 0o600).await.unwrap();
        open::do_link(&kt, tmp, "linked").await.unwrap();
        assert_eq!(kt.with(|w| w.counter(Counter::LastOrphan)), 0);
        open::filp_close(&kt, tmp).await;
    });
    let image = unmount_clean(&machine, "orphan");
    let (_, text) = e2fsprogs(&image, "orphan", &["debugfs", "-R", "stat linked"]);
    assert!(text.contains("Links: 1"), "{text}");
}

#[test]
fn a_large_directory_gets_an_index() {
    for (name, block_size) in [("htree1k", 1024), ("htree4k", 4096)] {
        let mut options = options(block_size, |o| o.inode_ratio = 4096);
        options.size_bytes = 32 << 20;
        let machine = machine_with(&options);
        run(&machine, |kt| async move {
            mount(&kt).await.unwrap();
            open::do_mkdir(&kt, "many", 0o755).await.unwrap();
            for n in 0..600 {
                let path = format!("many/a-file-with-a-name-of-some-length-{n:04}");
                let file = open::do_sys_open(&kt, &path, OpenFlags::CREAT | OpenFlags::WRONLY, 0o644).await.unwrap();
                open::filp_close(&kt, file).await;
            }
            kt.with(drop_caches);
            for n in (0..600).step_by(7) {
                let path = format!("many/a-file-with-a-name-of-some-length-{n:04}");
                let file = open::do_sys_open(&kt, &path, OpenFlags::empty(), 0).await.unwrap();
                open::filp_close(&kt, file).await;
                open::do_unlink(&kt, &path).await.unwrap();
            }
            let names = open::list_dir(&kt, "many").await.unwrap();
            assert_eq!(names.len(), 2 + 600 - 600usize.div_ceil(7));
        });
        let image = unmount_clean(&machine, name);
        let (_, text) = e2fsprogs(&image, name, &["debugfs", "-R", "htree many"]);
        assert!(text.contains("Number of entries (count)"), "{text}");
    }
}

#[test]
fn a_file_system_of_many_groups_spreads_its_directories() {
    let mut options = options(1024, |_| {});
    options.size_bytes = 300 << 20; // 38 groups, three flex groups
    let machine = machine_with(&options);
    run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        for n in 0..12 {
            open::do_mkdir(&kt, &format!("dir{n}"), 0o755).await.unwrap();
            let path = format!("dir{n}/file");
            let file = open::do_sys_open(&kt, &path, OpenFlags::CREAT | OpenFlags::RDWR, 0o644).await.unwrap();
            open::filp_close(&kt, file).await;
        }
        let groups: std::collections::BTreeSet<u32> = kt.with(|w| {
            let per_group = w.sb().inodes_per_group;
            w.inode_hash.entries().keys().map(|ino| (ino - 1) / per_group).collect()
        });
        assert!(groups.len() > 1, "{groups:?}");
    });
    unmount_clean(&machine, "groups");
}

/// The tracepoints of a run, by name, with the first two fields.
fn trace_of(machine: &Machine) -> Vec<String> {
    machine.with(|w| {
        w.trace
            .records
            .iter()
            .filter(|record| record.event == TraceEvent::Point)
            .map(|record| POINTS[usize::from(record.site)].name.to_owned())
            .collect()
    })
}

#[test]
fn creating_a_file_traces_as_the_kernel_does() {
    let machine = machine_with(&options(4096, |_| {}));
    run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        kt.with(|w| w.trace.on = true);
        let flags = OpenFlags::CREAT | OpenFlags::RDWR | OpenFlags::EXCL;
        let file = open::do_sys_open(&kt, "f", flags, 0o644).await.unwrap();
        kt.with(|w| {
            w.trace.on = false;
            assert_eq!(w.inodes.at(w.files.at(file).inode).ino, 12);
        });
        open::filp_close(&kt, file).await;
    });
    let expected = "ext4_es_lookup_extent_enter ext4_es_lookup_extent_exit ext4_ext_map_blocks_enter \
        ext4_es_cache_extent ext4_ext_show_extent ext4_ext_map_blocks_exit ext4_es_insert_extent \
        mm_filemap_add_to_page_cache block_bio_queue block_bio_complete ext4_request_inode \
        mm_filemap_add_to_page_cache ext4_load_inode_bitmap block_bio_queue block_bio_complete \
        ext4_journal_start jbd2_handle_start ext4_mark_inode_dirty ext4_mark_inode_dirty ext4_allocate_inode \
        ext4_es_lookup_extent_enter ext4_es_lookup_extent_exit ext4_mark_inode_dirty ext4_mark_inode_dirty \
        jbd2_handle_stats ext4_journal_start jbd2_handle_start jbd2_handle_stats";
    assert_eq!(trace_of(&machine), expected.split_whitespace().collect::<Vec<_>>());
    let stats = machine.with(|w| {
        let of = |r: &&world::TraceRecord| POINTS[usize::from(r.site)].name == "jbd2_handle_stats";
        w.trace.records.iter().filter(of).map(|r| (r.args[1], r.args[3])).collect::<Vec<_>>()
    });
    assert_eq!(stats, [(4, 4), (0, 1)], "type and dirtied blocks");
    unmount_clean(&machine, "trace");
}

#[test]
fn a_file_without_a_name_traces_as_the_kernel_does() {
    let machine = machine_with(&options(4096, |_| {}));
    run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        kt.with(|w| w.trace.on = true);
        let file = open::do_sys_open(&kt, ".", OpenFlags::TMPFILE | OpenFlags::RDWR, 0o644).await.unwrap();
        kt.with(|w| w.trace.on = false);
        open::filp_close(&kt, file).await;
    });
    let mark = "writeback_mark_inode_dirty writeback_dirty_inode_start ext4_journal_start \
        ext4_mark_inode_dirty writeback_dirty_inode";
    let expected = format!(
        "ext4_request_inode mm_filemap_add_to_page_cache ext4_load_inode_bitmap block_bio_queue block_bio_complete \
        ext4_journal_start jbd2_handle_start ext4_mark_inode_dirty ext4_mark_inode_dirty ext4_allocate_inode \
        {mark} writeback_dirty_inode_enqueue {mark} jbd2_handle_stats ext4_journal_start jbd2_handle_start \
        jbd2_handle_stats"
    );
    assert_eq!(trace_of(&machine), expected.split_whitespace().collect::<Vec<_>>());
    let states = machine.with(|w| {
        let of = |r: &&world::TraceRecord| POINTS[usize::from(r.site)].name == "writeback_mark_inode_dirty";
        w.trace.records.iter().filter(of).map(|r| r.args[1]).collect::<Vec<_>>()
    });
    assert_eq!(states, [0x8008, 0x800f], "I_NEW and I_CREATING, then dirty too");
    let stats = machine.with(|w| {
        let of = |r: &&world::TraceRecord| POINTS[usize::from(r.site)].name == "jbd2_handle_stats";
        w.trace.records.iter().filter(of).map(|r| r.args[3]).collect::<Vec<_>>()
    });
    assert_eq!(stats, [4, 0], "dirtied blocks");
    unmount_clean(&machine, "tmpfile");
}

#[test]
fn damaged_images_are_refused_by_name() {
    let mut blocks: BTreeMap<Pblk, Vec<u8>> = BTreeMap::new();
    mkfs(&options(4096, |_| {}), &mut blocks).unwrap();
    let mut image = vec![0; 16 << 20];
    for (block, data) in &blocks {
        let at = usize::try_from(block.0).unwrap() * 4096;
        image[at..at + 4096].copy_from_slice(data);
    }
    let check = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = image.clone();
        change(&mut image);
        let machine = machine_on(&image);
        let error = run(&machine, |kt| async move { mount(&kt).await }).unwrap_err();
        machine.with(|w| assert!(w.cache.entries().is_empty() && !w.sb().mounted));
        error.to_string()
    };
    assert!(check(&|image| image[1024 + 56] = 0).contains("superblock"));
    assert!(check(&|image| image[4096 + 4] ^= 1).contains("descriptor of group 0"));
    // Inode 2, the root: its mode, then its checksum too.
    let root = 35 * 4096 + 256;
    assert_eq!(check(&|image| image[root] ^= 1), "root directory (inode 2): EFSBADCRC");
    // Inode 8 starts where its table says; the journal's first block is 9.
    assert!(check(&|image| image[9 * 4096] ^= 1).contains("journal (inode 8)"));
    assert!(check(&|image| image[9 * 4096 + 31] = 1).contains("needs replay"));
    assert!(check(&|image| image.truncate(8 << 20)).contains("device"));
    assert_eq!(
        MountOptions::parse("nodelalloc,frob").unwrap_err(),
        MountError::UnknownOption { option: "frob".to_owned() }
    );
}

#[test]
fn dax_is_for_devices_and_files_that_can() {
    let check = |pmem: bool, image: &[u8], options: &str| {
        let machine = machine_on(image);
        machine.with(|w| *w.counter_mut(Counter::DaxDevice) = u64::from(pmem));
        let options = MountOptions::parse(options).unwrap();
        let mounted = run(&machine, move |kt| async move { ext4_mount(&kt, options).await });
        let opts = machine.with(|w| MountOpts::of(w));
        mounted.map(|()| opts).map_err(|error| error.to_string())
    };
    let (whole, small) =
        (image_of(&machine_with(&options(4096, |_| {}))), image_of(&machine_with(&options(1024, |_| {}))));
    let always = check(true, &whole, "dax").unwrap();
    assert!(always.contains(MountOpts::DAX_ALWAYS | MountOpts::BDEV_IS_DAX));
    assert_eq!(check(false, &whole, "dax=always").unwrap_err(), "DAX unsupported by block device.");
    assert_eq!(check(true, &small, "dax").unwrap_err(), "DAX unsupported by block device.");
    let journal = check(true, &whole, "dax,data=journal").unwrap_err();
    assert_eq!(journal, "can't mount with both data=journal and dax");
    assert!(check(false, &whole, "dax,dax=never").unwrap().contains(MountOpts::DAX_NEVER));
    assert!(!check(true, &small, "dax,dax=inode").unwrap().intersects(MountOpts::DAX_ALWAYS | MountOpts::BDEV_IS_DAX));
}

#[test]
fn a_damaged_directory_is_an_error_and_no_panic() {
    let machine = machine_with(&options(4096, |_| {}));
    run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        let mut map = MapBlocks { lblk: 0, len: 1, ..MapBlocks::default() };
        let root = kt.with(|w| w.inode_hash.get(2)).unwrap();
        ext4_map_blocks(&kt, root, &mut map, GetBlocks::empty()).await.unwrap();
        kt.with(|w| {
            let unit = UnitId(u32::try_from(map.pblk).unwrap());
            let mut block = *unit_bytes(w, unit);
            block[40] ^= 0xff;
            *w.unit_mut(unit) = Some(Arc::new(block));
        });
        let opened = open::do_sys_open(&kt, "x", OpenFlags::CREAT | OpenFlags::RDWR, 0o644).await;
        assert_eq!(opened, Err(Errno::EFSBADCRC));
    });
}

#[test]
fn a_create_is_a_readable_number_of_steps() {
    let machine = machine_with(&options(4096, |_| {}));
    let steps = run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        let flags = OpenFlags::CREAT | OpenFlags::RDWR;
        let first = open::do_sys_open(&kt, "f", flags, 0o644).await.unwrap();
        let before = kt.machine().steps_run();
        let second = open::do_sys_open(&kt, "g", flags, 0o644).await.unwrap();
        let steps = kt.machine().steps_run() - before;
        open::filp_close(&kt, first).await;
        open::filp_close(&kt, second).await;
        steps
    });
    assert!((10..=30).contains(&steps), "{steps} steps");
}

#[test]
fn futures_stay_small() {
    let machine = machine_with(&options(4096, |_| {}));
    run(&machine, |kt| async move {
        let sizes = [
            ("open", size_of_val(&open::do_sys_open(&kt, "f", OpenFlags::empty(), 0))),
            ("unlink", size_of_val(&open::do_unlink(&kt, "f"))),
            ("mark_inode_dirty", size_of_val(&mark_inode_dirty(&kt, InodeId(2), InodeState::DIRTY_SYNC))),
            ("umount", size_of_val(&ext4_umount(&kt))),
        ];
        assert!(sizes.iter().all(|(_, size)| *size <= 8192), "{sizes:?}");
    });
}

#[test]
fn going_back_and_forth_over_a_create_restores_each_state() {
    let machine = machine_with(&options(1024, |_| {}));
    run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        open::do_mkdir(&kt, "d", 0o755).await.unwrap();
        let file = open::do_sys_open(&kt, "d/f", OpenFlags::CREAT | OpenFlags::RDWR, 0o644).await.unwrap();
        open::filp_close(&kt, file).await;
        open::do_unlink(&kt, "d/f").await.unwrap();
        ext4_umount(&kt).await.unwrap();
    });
    machine.with_history(|w, history| {
        let mut digests = Vec::new();
        for step in 0..=history.len() {
            history.seek(w, step);
            digests.push(w.digest());
        }
        for step in (0..=history.len()).rev() {
            history.seek(w, step);
            assert_eq!(w.digest(), digests[step as usize], "step {step}");
        }
    });
}

#[test]
fn tasks_take_turns_on_a_slow_device() {
    let machine = machine_with(&options(1024, |_| {}));
    run(&machine, |kt| async move { mount(&kt).await.unwrap() });
    machine.with(|w| *w.counter_mut(Counter::DeviceLatency) = 20_000_000);
    for task in 0..3 {
        machine.spawn("t", 1, 1, move |kt| async move {
            let flags = OpenFlags::CREAT | OpenFlags::RDWR;
            for n in 0..30 {
                let path = format!("file-with-a-name-{task}-{n}");
                let file = open::do_sys_open(&kt, &path, flags, 0o644).await.unwrap();
                if n % 3 == 0 {
                    open::do_unlink(&kt, &path).await.unwrap();
                }
                kt.sleep_for(1_000_000 * (task + 1)).await;
                open::filp_close(&kt, file).await;
                if n % 10 == task {
                    ext4_sync_fs(&kt, true).await.unwrap();
                }
            }
        });
    }
    while machine.run(7, irq) == Pause::Budget {}
    machine.with(|w| {
        assert_eq!(w.counter(Counter::LastOrphan), 0);
        assert!(w.tasks.iter().all(|(_, task)| task.process == 0 || task.state == world::TaskState::Dead));
    });
    let image = unmount_clean(&machine, "turns");
    let (_, text) = e2fsprogs(&image, "turns", &["debugfs", "-R", "ls -p"]);
    assert_eq!(text.matches("file-with-a-name").count(), 60);
}

#[test]
fn truncating_on_open_frees_what_was_there() {
    let machine = machine_with(&options(4096, |_| {}));
    run(&machine, |kt| async move {
        mount(&kt).await.unwrap();
        let file = open::do_sys_open(&kt, "f", OpenFlags::CREAT | OpenFlags::RDWR, 0o644).await.unwrap();
        let inode = kt.with(|w| w.files.at(file).inode);
        let free = kt.with(|w| w.counter(Counter::FreeClusters));
        ext4_journal_start(&kt, HandleType::WritePage, 30).await.unwrap();
        let mut map = MapBlocks { lblk: 0, len: 5, ..MapBlocks::default() };
        ext4_map_blocks(&kt, inode, &mut map, GetBlocks::CREATE).await.unwrap();
        kt.with(|w| {
            let size = w.size_mut(inode);
            (size.i_size, size.i_disksize) = (20_000, 20_000);
        });
        ext4_mark_inode_dirty(&kt, inode).await.unwrap();
        ext4_journal_stop(&kt).await.unwrap();
        open::filp_close(&kt, file).await;
        assert!(kt.with(|w| w.counter(Counter::FreeClusters)) < free);
        let file = open::do_sys_open(&kt, "f", OpenFlags::TRUNC | OpenFlags::WRONLY, 0).await.unwrap();
        kt.with(|w| {
            assert_eq!((w.sizes.at(inode).i_size, w.sizes.at(inode).i_blocks), (0, 0));
            assert_eq!(w.counter(Counter::FreeClusters), free);
        });
        open::filp_close(&kt, file).await;
    });
    unmount_clean(&machine, "otrunc");
}

/// All the calls of this chapter, whatever they answer.
async fn touch_everything(kt: Kthread) {
    if mount(&kt).await.is_err() {
        return;
    }
    let flags = OpenFlags::CREAT | OpenFlags::RDWR;
    for path in ["f", "lost+found/g", "d/h"] {
        let _ = open::do_mkdir(&kt, "d", 0o755).await;
        if let Ok(file) = open::do_sys_open(&kt, path, flags, 0o644).await {
            open::filp_close(&kt, file).await;
        }
        let _ = open::list_dir(&kt, "/").await;
        let _ = open::list_dir(&kt, "lost+found").await;
    }
    for path in ["f", "d/h", "lost+found/g"] {
        let _ = open::do_unlink(&kt, path).await;
    }
    let _ = open::do_rmdir(&kt, "d").await;
    let _ = ext4_umount(&kt).await;
}

mod damage {
    use super::*;
    use proptest::prelude::*;

    /// A byte of superblock, descriptors, bitmaps, root directory, lost+found,
    /// inode table or journal.
    fn place() -> impl Strategy<Value = usize> {
        let ranges = [
            (1024, 2048),
            (4096, 4160),
            (12_288, 12_416),
            (16_384, 16_500),
            (20_480, 20_580),
            (36_864, 37_000),
            (77_824, 77_952),
            (143_360, 146_432),
        ];
        (0..ranges.len(), any::<u16>()).prop_map(move |(n, at)| {
            let (from, to) = ranges[n];
            from + usize::from(at) % (to - from)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_damage_is_an_error_and_no_panic(
            csum: bool,
            bytes in prop::collection::vec(
                (place(), any::<u8>()),
                1..6,
            ),
        ) {
            let options = options(4096, |o| o.metadata_csum = csum);
            let mut blocks: BTreeMap<Pblk, Vec<u8>> = BTreeMap::new();
            mkfs(&options, &mut blocks).unwrap();
            let mut image = vec![0; 16 << 20];
            for (block, data) in &blocks {
                let at = usize::try_from(block.0).unwrap() * 4096;
                image[at..at + 4096].copy_from_slice(data);
            }
            for (at, byte) in bytes {
                image[at] = byte;
            }
            let machine = machine_on(&image);
            run(&machine, touch_everything);
        }
    }
}
