//! A machine with a mounted image, and a file whose blocks tests map by hand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use ondisk::Pblk;
use ondisk::layout::extent::{Extent, Header, Index};
use ondisk::mkfs::{MkfsOptions, mkfs};
use sched::{Kthread, Machine, Pause};
use world::{Counter, Errno, FileId, InodeId, TraceEvent, UnitId, World};

use super::path::node;
use crate::block::ramdisk::{irq, unit_bytes};
use crate::fs::ext4::balloc::{claim_free_clusters, ext4_count_free_clusters};
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::extents::ext4_convert_unwritten_extents;
use crate::fs::ext4::extents_status::{
    ES_HOLE, EXT_MAX_BLOCKS, es_insert_delayed_block, es_lookup_extent, es_remove_extent,
};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, ext4_map_blocks};
use crate::fs::ext4::mballoc::MbFlags;
use crate::fs::ext4::super_::{MountOptions, ext4_mount, ext4_umount};
use crate::fs::open::{self, OpenFlags};
use crate::tracepoint::POINTS;

/// `[logical, physical, length, unwritten]`, as the golden cases list extents.
pub(crate) type Row = (u32, u64, u16, bool);

/// A machine whose device holds a new 16 MiB file system.
pub(crate) fn machine(block_size: u32, change: impl FnOnce(&mut MkfsOptions)) -> Rc<Machine> {
    let mut options = MkfsOptions::new(16 << 20, block_size);
    change(&mut options);
    let mut blocks: BTreeMap<Pblk, Vec<u8>> = BTreeMap::new();
    mkfs(&options, &mut blocks).unwrap();
    let mut image = vec![0; 16 << 20];
    for (block, data) in blocks {
        let at = usize::try_from(block.0).unwrap() * data.len();
        image[at..at + data.len()].copy_from_slice(&data);
    }
    let mut w = World::default();
    for (n, unit) in (0..).zip(image.as_chunks::<4096>().0) {
        *w.unit_mut(UnitId(n)) = Some(Arc::new(*unit));
    }
    w.trace.on = true;
    let machine = Machine::new(w, false);
    crate::start_kernel_threads(&machine);
    machine
}

/// Runs `work` as a task to its end.
pub(crate) fn run<T: 'static, F: Future<Output = T> + 'static>(
    machine: &Rc<Machine>,
    work: impl FnOnce(Kthread) -> F + 'static,
) -> T {
    let result = Rc::new(RefCell::new(None));
    let out = Rc::clone(&result);
    machine.spawn("t", 1, 1, |kt| async move {
        let value = work(kt).await;
        *out.borrow_mut() = Some(value);
    });
    assert_eq!(machine.run(100_000_000, irq), Pause::Finished);
    result.take().expect("the task ended")
}

/// Mounts with `options` and opens a new file for writing.
pub(crate) async fn mount_and_create(kt: &Kthread, options: &str, name: &str) -> (FileId, InodeId) {
    if !kt.with(|w| w.sb().mounted) {
        ext4_mount(kt, MountOptions::parse(options).unwrap()).await.unwrap();
    }
    let file = open::do_sys_open(kt, name, OpenFlags::CREAT | OpenFlags::RDWR, 0o644).await.unwrap();
    (file, kt.with(|w| w.files.at(file).inode))
}

/// Unmounts; e2fsck must find nothing to say.
pub(crate) fn unmount_clean(machine: &Rc<Machine>, name: &str) -> u64 {
    let free = machine.with(ext4_count_free_clusters);
    assert_eq!(machine.with(|w| (w.counter(Counter::FreeClusters), w.counter(Counter::DirtyClusters))), (free, 0));
    run(machine, |kt| async move { ext4_umount(&kt).await }).unwrap();
    let image: Vec<u8> = machine.with(|w| (0..w.device.len()).flat_map(|n| *unit_bytes(w, UnitId(n as u32))).collect());
    let path: PathBuf = std::env::temp_dir().join(format!("writepath-{}-{name}.img", std::process::id()));
    std::fs::write(&path, image).unwrap();
    let search = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("e2fsck").env("PATH", search).arg("-fn").arg(&path).output().expect("e2fsprogs");
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    free
}

/// Flags of writeback's mapping: as unwritten on mounts with dioread_nolock.
pub(crate) fn writeback_flags(nolock: bool) -> GetBlocks {
    let flags = GetBlocks::CREATE | GetBlocks::DELALLOC_RESERVE | GetBlocks::METADATA_NOFAIL | GetBlocks::IO_SUBMIT;
    if nolock { flags | GetBlocks::UNWRIT_EXT | GetBlocks::PRE_IO } else { flags }
}

/// `ext4_map_blocks()` over a range, in a handle; `i_size` covers it afterwards.
pub(crate) async fn map_range(
    kt: &Kthread,
    inode: InodeId,
    lblk: u32,
    len: u32,
    flags: GetBlocks,
) -> Result<(), Errno> {
    ext4_journal_start(kt, HandleType::WritePage, 30).await.unwrap();
    let (mut at, end) = (lblk, lblk + len);
    let mut result = Ok(());
    while at < end {
        let mut map = MapBlocks { lblk: at, len: end - at, ..MapBlocks::default() };
        match ext4_map_blocks(kt, inode, &mut map, flags).await {
            Ok(count) => at += count.max(1),
            Err(errno) => {
                result = Err(errno);
                break;
            }
        }
        kt.with(|w| {
            let bytes = u64::from(at) << w.sb().block_bits;
            let size = w.size_mut(inode);
            size.i_size = size.i_size.max(bytes);
            size.i_disksize = size.i_size;
        });
    }
    ext4_mark_inode_dirty(kt, inode).await.unwrap();
    ext4_journal_stop(kt).await.unwrap();
    result
}

/// Reserves blocks that are not yet known to be allocated, as write_begin does.
pub(crate) fn reserve(w: &mut World, inode: InodeId, lblk: u32, len: u32) -> bool {
    for at in lblk..lblk + len {
        let known = es_lookup_extent(w, inode, at);
        if known.is_none_or(|(_, es)| es.status & ES_HOLE != 0) {
            if !claim_free_clusters(w, 1, MbFlags::empty()) {
                return false;
            }
            w.size_mut(inode).reserved += 1;
            es_insert_delayed_block(w, inode, at, false);
        }
    }
    let bytes = u64::from(lblk + len) << w.sb().block_bits;
    let size = w.size_mut(inode);
    size.i_size = size.i_size.max(bytes);
    true
}

/// A delayed write of blocks that are holes, and its writeback.
pub(crate) async fn write_holes(kt: &Kthread, inode: InodeId, lblk: u32, len: u32, nolock: bool) {
    assert!(kt.with(|w| reserve(w, inode, lblk, len)));
    write_back(kt, inode, lblk, len, writeback_flags(nolock)).await;
}

/// Maps a range as writeback does, and converts it after the I/O.
pub(crate) async fn write_back(kt: &Kthread, inode: InodeId, lblk: u32, len: u32, flags: GetBlocks) {
    map_range(kt, inode, lblk, len, flags).await.unwrap();
    if flags.contains(GetBlocks::PRE_IO) {
        let (offset, bytes) = kt.with(|w| (u64::from(lblk) << w.sb().block_bits, u64::from(len) << w.sb().block_bits));
        ext4_convert_unwritten_extents(kt, inode, offset, bytes).await.unwrap();
    }
}

/// Allocates as `fallocate` does.
pub(crate) async fn fallocate(kt: &Kthread, inode: InodeId, lblk: u32, len: u32) -> Result<(), Errno> {
    map_range(kt, inode, lblk, len, GetBlocks::CREATE | GetBlocks::UNWRIT_EXT | GetBlocks::NO_NORMALIZE).await
}

/// Punches a hole, as the middle of `ext4_punch_hole` does.
pub(crate) async fn punch(kt: &Kthread, inode: InodeId, lblk: u32, end: u32) {
    use sched::{RwSem, down_write, up_write};
    ext4_journal_start(kt, HandleType::Misc, 30).await.unwrap();
    down_write(kt, RwSem::IDataSem(inode)).await;
    super::ext4_discard_preallocations(kt, inode).await;
    kt.with(|w| es_remove_extent(w, inode, lblk, end.min(EXT_MAX_BLOCKS - 1) - lblk + 1));
    super::ext4_ext_remove_space(kt, inode, lblk, end).await.unwrap();
    kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
    ext4_mark_inode_dirty(kt, inode).await.unwrap();
    ext4_journal_stop(kt).await.unwrap();
}

/// All extents of the tree, in order; its nodes must be in memory.
pub(crate) fn extents(w: &mut World, inode: InodeId) -> Vec<Row> {
    fn walk(w: &mut World, bytes: &[u8], rows: &mut Vec<Row>) {
        if Header::depth(bytes) == 0 {
            rows.extend(Extent::all(bytes).map(|ex| (ex.block.0, ex.start.0, ex.len, ex.unwritten)));
            return;
        }
        for index in Index::all(bytes).collect::<Vec<_>>() {
            let bh = crate::fs::buffer::getblk(w, index.leaf.0);
            let below = w.bh_bytes(bh).to_vec();
            walk(w, &below, rows);
        }
    }
    let root = node(w, inode, None).to_vec();
    let mut rows = Vec::new();
    walk(w, &root, &mut rows);
    rows
}

/// Tracepoints hit so far: name and arguments.
pub(crate) fn points(w: &World) -> Vec<(&'static str, [u64; 10])> {
    w.trace
        .records
        .iter()
        .filter(|record| record.event == TraceEvent::Point)
        .map(|record| (POINTS[usize::from(record.site)].name, record.args))
        .collect()
}
