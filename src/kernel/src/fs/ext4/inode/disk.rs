//! The inode and its place in the inode table: `ext4_iget()`,
//! `ext4_mark_inode_dirty()`, `ext4_dirty_inode()`, eviction. Part of
//! fs/ext4/inode.c.
//!
//! ```text
//!   inode_hash: ino ── InodeId ── Inode, InodeSize, InodeTimes, IData ...
//!                                   │ ext4_do_update_inode
//!   group ── inode table block ── [ raw inode | raw inode | ... ]
//! ```
//!
//! Fields that nothing in the model reads (version, attribute block, project,
//! deletion time, which is also the orphan list's link) stay in the table's
//! buffer alone.

use ondisk::Ino;
use ondisk::layout::extent;
use ondisk::layout::inode::{self as raw, InodeFlags, Timestamp};
use sched::Kthread;
use world::{
    BhFlags, BhId, Counter, Errno, IData, Inode, InodeBits, InodeId, InodeLocks, InodeSize, InodeState, InodeSync,
    InodeTimes, PAGE_SIZE, World,
};

use crate::block::ramdisk::{REQ_META, REQ_RAHEAD};
use crate::fs::buffer::{block_size, getblk, held_block, submit_bh_read, wait_on_buffer};
use crate::fs::ext4::ext4_jbd2::{
    HandleType, ext4_journal_get_write_access, ext4_journal_start, ext4_journal_stop, ext4_update_inode_fsync_trans,
    handle_dirty_metadata, handle_sync_if,
};
use crate::fs::ext4::extents_status::{es_clear_inode, es_remove_extent};
use crate::fs::ext4::ialloc::ext4_free_inode;
use crate::fs::ext4::indirect::ext4_ind_check_inode;
use crate::fs::ext4::inline::{ext4_has_inline_data, iget_xattrs};
use crate::fs::ext4::inode::dax::ext4_should_enable_dax;
use crate::fs::ext4::inode::truncate::{ext4_blocks_for_truncate, ext4_truncate};
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::mballoc::ext4_discard_preallocations;
use crate::fs::ext4::namei::ext4_orphan_del;
use crate::fs::ext4::super_::error::{At, ext4_error, ext4_std_error};
use crate::fs::ext4::super_::{self, MountOpts, group_desc, has_csum};
use crate::fs::fs_writeback::{inode_io_list_del, inode_wait_for_writeback, mark_inode_dirty};
use crate::fs::jbd2::commit::jbd2_complete_transaction;
use crate::fs::super_::{Freeze, sb_end_write, sb_start_write};
use crate::mm::truncate::truncate_inode_pages;
use crate::mm::writeback::{LLONG_MAX, filemap_write_and_wait_range};
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe};

/// The file type bits of a mode.
pub const S_IFMT: u16 = 0o170_000;
/// A regular file.
pub const S_IFREG: u16 = 0o100_000;
/// A directory.
pub const S_IFDIR: u16 = 0o040_000;
/// A symbolic link.
pub const S_IFLNK: u16 = 0o120_000;

/// I_CREATING: made, but its name is not yet there.
pub const I_CREATING: InodeState = InodeState::from_bits_retain(1 << 15);
/// I_LINKABLE: an O_TMPFILE inode that may get a name.
pub const I_LINKABLE: InodeState = InodeState::from_bits_retain(1 << 10);

/// Blocks of the inode table read ahead (`s_inode_readahead_blks`).
const INODE_READAHEAD_BLKS: u64 = 32;

/// `ext4_iget_flags`, fs/ext4/ext4.h: which inodes may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iget {
    /// Those that a directory may name: the root and users' files.
    Normal,
    /// The file system's own too, as the journal's.
    Special,
}

/// `ext4_iget()`: the in-core inode of `ino`, with one more user.
///
/// # Errors
/// `EIO`, `EFSBADCRC`, `EUCLEAN` for an unreadable or damaged inode, or one of the file system's own.
pub async fn ext4_iget(kt: &Kthread, ino: u32, flags: Iget) -> Result<InodeId, Errno> {
    call!(kt, &site::EXT4_IGET, &[u64::from(ino)], async {
        let (special, known) = kt.with(|w| {
            let special = ino < super_::first_ino(w) && ino != Ino::ROOT.0;
            (special, w.inode_hash.get(ino))
        });
        if special && flags == Iget::Normal {
            return Err(Errno::EUCLEAN);
        }
        if let Some(inode) = known {
            kt.with(|w| w.inode_mut(inode).count += 1);
            probe!(kt, IGET_CACHED).await;
            return Ok(inode);
        }
        let (bh, offset) = ext4_get_inode_loc(kt, ino, false).await?;
        // Another task may have read it meanwhile.
        let inode = match kt.with(|w| w.inode_hash.get(ino)) {
            Some(inode) => {
                kt.with(|w| w.inode_mut(inode).count += 1);
                inode
            }
            None => kt.with(|w| read_inode(w, ino, bh, offset))?,
        };
        probe!(kt, IGET_READ, inode = inode).await;
        Ok(inode)
    })
    .await
}

/// `__ext4_get_inode_loc()`, fs/ext4/inode.c:4388: the buffer of the inode's
/// table block and the inode's place in it.
///
/// With `in_mem` the block need not be read if no other inode in it is in use.
///
/// # Errors
/// `EUCLEAN` for a number that cannot be, `EIO` if the table cannot be read.
pub async fn ext4_get_inode_loc(kt: &Kthread, ino: u32, in_mem: bool) -> Result<(BhId, usize), Errno> {
    kt.graph("ext4_get_inode_loc { __ext4_get_inode_loc {");
    let started = kt.with(|w| start_inode_read(w, ino, in_mem));
    kt.graph("} }");
    let (bh, offset) = started?;
    wait_on_buffer(kt, bh).await;
    let (there, block) = kt.with(|w| (w.bhs.at(bh).flags.contains(BhFlags::UPTODATE), w.bhs.at(bh).blocknr));
    if there {
        return Ok((bh, offset));
    }
    ext4_error(kt, At("ext4_get_inode_loc", 4509), Errno::EIO, ino, block).await;
    Err(Errno::EIO)
}

fn start_inode_read(w: &mut World, ino: u32, in_mem: bool) -> Result<(BhId, usize), Errno> {
    let sb = w.sb();
    // Attributes are in the buffer alone.
    let in_mem =
        in_mem && !w.inode_hash.get(ino).is_some_and(|inode| w.inodes.at(inode).bits.contains(InodeBits::STATE_XATTR));
    if ino < Ino::ROOT.0 || ino > super_::inodes_count(w) {
        return Err(Errno::EUCLEAN);
    }
    let (group, index) = ((ino - 1) / sb.inodes_per_group, (ino - 1) % sb.inodes_per_group);
    let desc = group_desc(w, group)?;
    let per_block = (block_size(w) / u64::from(sb.inode_size)) as u32;
    let table = desc.inode_table().0;
    if table <= u64::from(sb.first_data_block) || table >= sb.blocks {
        return Err(Errno::EUCLEAN);
    }
    let block = table + u64::from(index / per_block);
    let offset = (index % per_block) as usize * usize::from(sb.inode_size);
    let bh = getblk(w, block);
    if w.bhs.at(bh).flags.intersects(BhFlags::UPTODATE | BhFlags::LOCK) {
        return Ok((bh, offset));
    }
    if in_mem && alone_in_block(w, &desc, index, per_block) {
        let size = block_size(w) as usize;
        w.bh_bytes_mut(bh, 0, size).fill(0);
        w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
        return Ok((bh, offset));
    }
    let used = if has_csum(w) { sb.inodes_per_group.saturating_sub(desc.itable_unused()) } else { sb.inodes_per_group };
    let first = (block & !(INODE_READAHEAD_BLKS - 1)).max(table);
    let last = (first + INODE_READAHEAD_BLKS).min(table + u64::from(used / per_block));
    for ahead in (first..=last).filter(|&ahead| ahead != block && ahead < sb.blocks) {
        let ahead = getblk(w, ahead);
        if !w.bhs.at(ahead).flags.intersects(BhFlags::UPTODATE | BhFlags::LOCK) {
            submit_bh_read(w, ahead, REQ_RAHEAD);
        }
    }
    point!(w, EXT4_LOAD_INODE, ino);
    submit_bh_read(w, bh, REQ_META);
    Ok((bh, offset))
}

/// The raw inode's place if its table block is in memory; reads nothing.
pub fn inode_place(w: &mut World, ino: u32) -> Option<(BhId, usize)> {
    let sb = w.sb();
    let (group, index) = ((ino - 1) / sb.inodes_per_group, (ino - 1) % sb.inodes_per_group);
    let table = group_desc(w, group).ok()?.inode_table().0;
    let at = (table << sb.block_bits) + u64::from(index) * u64::from(sb.inode_size);
    let page = w.find_page(InodeId::BDEV, u32::try_from(at / PAGE_SIZE).ok()?)?;
    if w.pages.at(page).nr_bhs == 0 {
        return None;
    }
    let (inside, block) = ((at % PAGE_SIZE) as usize, block_size(w) as usize);
    let bh = page.bh((inside / block) as u32);
    w.bhs.at(bh).flags.contains(BhFlags::UPTODATE).then_some((bh, inside % block))
}

/// Whether the bitmap is at hand and shows no other inode of the table block in use.
fn alone_in_block(w: &mut World, desc: &ondisk::layout::group_desc::GroupDesc, index: u32, per_block: u32) -> bool {
    let bitmap = held_block(w, desc.inode_bitmap().0);
    if !w.bhs.at(bitmap).flags.contains(BhFlags::UPTODATE) {
        return false;
    }
    let start = index - index % per_block;
    let bits = w.bh_bytes(bitmap);
    (start..start + per_block).all(|n| n == index || !ondisk::layout::bitmap::test(bits, n))
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.secs).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(u64::from(time.nanos))
}

fn stamp(nanos: u64) -> Timestamp {
    Timestamp { secs: (nanos / 1_000_000_000) as i64, nanos: (nanos % 1_000_000_000) as u32 }
}

/// The reading half of `__ext4_iget()`, fs/ext4/inode.c:4742: tests the raw
/// inode and fills the in-core one.
fn read_inode(w: &mut World, ino: u32, bh: BhId, offset: usize) -> Result<InodeId, Errno> {
    let sb = w.sb();
    let slot = w.bh_bytes(bh)[offset..offset + usize::from(sb.inode_size)].to_vec();
    let disk = raw::Inode::parse_sized(&slot, sb.inode_size).map_err(|_| Errno::EUCLEAN)?;
    let extra = if usize::from(sb.inode_size) > raw::OLD_SIZE { disk.i_extra_isize.get() } else { 0 };
    if raw::OLD_SIZE + usize::from(extra) > usize::from(sb.inode_size) || extra % 4 != 0 {
        return Err(Errno::EUCLEAN);
    }
    if has_csum(w) && raw::verify_checksum(&slot, sb.csum_seed, Ino(ino)).is_err() {
        return Err(Errno::EFSBADCRC);
    }
    let (mode, nlink, flags) = (disk.i_mode.get(), disk.i_links_count.get(), disk.flags());
    if nlink == 0 {
        // The kernel's ESTALE, which a look-up turns into EUCLEAN.
        return Err(Errno::EUCLEAN);
    }
    if flags.contains(InodeFlags::INLINE_DATA | InodeFlags::EXTENTS) {
        return Err(Errno::EUCLEAN);
    }
    let kind = mode & S_IFMT;
    let has_blocks = matches!(kind, S_IFREG | S_IFDIR) || (kind == S_IFLNK && disk.size() >= 60);
    if has_blocks && flags.contains(InodeFlags::EXTENTS) {
        let depth = extent::Header::depth(&disk.i_block);
        extent::check(&disk.i_block, depth, sb.blocks).map_err(|_| Errno::EUCLEAN)?;
    } else if has_blocks && !flags.contains(InodeFlags::INLINE_DATA) {
        ext4_ind_check_inode(w, &disk.i_block)?;
    }
    if matches!(disk.kind(), raw::FileKind::Unknown) || disk.size() > i64::MAX as u64 {
        return Err(Errno::EUCLEAN);
    }
    let block_shift = if flags.contains(InodeFlags::HUGE_FILE) { sb.block_bits - 9 } else { 0 };
    let rec = w.rec;
    let head = Inode {
        ino,
        mode,
        nlink,
        uid: disk.uid(),
        gid: disk.gid(),
        flags: disk.i_flags.get(),
        generation: disk.i_generation.get(),
        state: InodeState::empty(),
        bits: InodeBits::PRESENT,
        count: 1,
        extra_isize: if extra == 0 && usize::from(sb.inode_size) > raw::OLD_SIZE { 32 } else { extra },
        ..Inode::default()
    };
    let inode = w.inodes.alloc(rec, head);
    if extra != 0
        && let Err(errno) = iget_xattrs(w, inode, &slot)
    {
        w.inode_hash_set(ino, Some(inode));
        ext4_clear_inode(w, inode);
        return Err(errno);
    }
    ext4_set_inode_flags(w, inode);
    // ext4_isize(): the upper half counts for regular files only
    let size = if kind == S_IFREG { disk.size() } else { disk.size() & u64::from(u32::MAX) };
    *w.size_mut(inode) =
        InodeSize { i_size: size, i_disksize: size, i_blocks: disk.blocks() << block_shift, reserved: 0, nrpages: 0 };
    *w.times_mut(inode) = InodeTimes {
        atime: nanos(disk.atime()),
        ctime: nanos(disk.ctime()),
        mtime: nanos(disk.mtime()),
        crtime: nanos(disk.crtime()),
    };
    // Its blocks may be in the running transaction, so an fsync waits for that one.
    let tid = if sb.running_tid != 0 { sb.running_tid } else { sb.next_tid.wrapping_sub(1) };
    *w.sync_mut(inode) = InodeSync { sync_tid: tid, datasync_tid: tid, ..InodeSync::default() };
    *w.idata_mut(inode) = IData(disk.i_block);
    *w.locks_mut(inode) = InodeLocks::default();
    *w.wb_mut(inode) = world::MappingWb::default();
    w.inode_hash_set(ino, Some(inode));
    Ok(inode)
}

/// `ext4_set_inode_flags()`, fs/ext4/inode.c:4592: the VFS's S_ flags follow `i_flags`,
/// of an inode that has just come into memory.
pub fn ext4_set_inode_flags(w: &mut World, inode: InodeId) {
    let flags = InodeFlags::from_bits_retain(w.inodes.at(inode).flags);
    let dax = ext4_should_enable_dax(w, inode);
    let bits = &mut w.inode_mut(inode).bits;
    bits.set(InodeBits::DAX, dax);
    bits.set(InodeBits::S_SYNC, flags.contains(InodeFlags::SYNC));
    bits.set(InodeBits::APPEND, flags.contains(InodeFlags::APPEND));
    bits.set(InodeBits::IMMUTABLE, flags.contains(InodeFlags::IMMUTABLE));
}

/// `ext4_mark_inode_dirty()`: copies the inode into its table's buffer, inside
/// the task's handle.
///
/// # Errors
/// `EIO` if the table cannot be read.
pub async fn ext4_mark_inode_dirty(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let ino = kt.with(|w| w.inodes.at(inode).ino);
    call!(kt, &site::EXT4_MARK_INODE_DIRTY_FN, &[u64::from(ino)], async {
        kt.with(|w| point!(w, EXT4_MARK_INODE_DIRTY, ino));
        let (bh, offset) = ext4_reserve_inode_write(kt, inode).await?;
        kt.with(|w| ext4_do_update_inode(w, kt, inode, bh, offset));
        probe!(kt, EMID_UPDATE).await;
        Ok(())
    })
    .await
}

/// `ext4_reserve_inode_write()`, fs/ext4/inode.c:5923: the inode's table buffer,
/// declared to the journal.
///
/// # Errors
/// `EIO` if the table cannot be read or the file system was shut down.
pub async fn ext4_reserve_inode_write(kt: &Kthread, inode: InodeId) -> Result<(BhId, usize), Errno> {
    let ino = kt.with(|w| {
        w.graph("ext4_reserve_inode_write {");
        if w.sb().shutdown {
            w.graph("}");
            return Err(Errno::EIO);
        }
        Ok(w.inodes.at(inode).ino)
    })?;
    let reserved = match ext4_get_inode_loc(kt, ino, true).await {
        Ok((bh, offset)) => ext4_journal_get_write_access(kt, bh).await.map(|()| (bh, offset)),
        Err(errno) => Err(errno),
    };
    if let Err(errno) = reserved {
        ext4_std_error(kt, At("ext4_reserve_inode_write", 5942), errno).await;
    }
    kt.graph("}");
    reserved
}

/// `ext4_do_update_inode()`, fs/ext4/inode.c:5195: all fields and the checksum,
/// into a buffer that [`ext4_reserve_inode_write`] gave.
pub fn ext4_do_update_inode(w: &mut World, kt: &Kthread, inode: InodeId, bh: BhId, offset: usize) {
    w.graph("ext4_mark_iloc_dirty { ext4_fc_track_inode {");
    w.graph(if ext4_should_journal_data(w, inode) {
        "ext4_inode_journal_mode ext4_fc_mark_ineligible }"
    } else {
        "ext4_inode_journal_mode ext4_fc_track_template }"
    });
    w.graph("ext4_inode_csum_set");
    let sb = w.sb();
    let size = usize::from(sb.inode_size);
    let (mut small, mut large) = ([0; 256], Vec::new());
    let slot = if size <= small.len() {
        &mut small[..size]
    } else {
        large.resize(size, 0);
        &mut large[..]
    };
    slot.copy_from_slice(&w.bh_bytes(bh)[offset..offset + size]);
    let head = *w.inodes.at(inode);
    if head.bits.contains(InodeBits::STATE_NEW) {
        slot.fill(0);
    }
    let mut disk = raw::Inode::parse_sized(slot, sb.inode_size).expect("an inode slot has the mounted size");
    let (sizes, times) = (*w.sizes.at(inode), *w.times.at(inode));
    disk.i_mode.set(head.mode);
    disk.set_uid(head.uid);
    disk.set_gid(head.gid);
    disk.i_links_count.set(head.nlink);
    disk.set_atime(stamp(times.atime));
    disk.set_ctime(stamp(times.ctime));
    disk.set_mtime(stamp(times.mtime));
    disk.set_crtime(stamp(times.crtime));
    if head.bits.contains(InodeBits::STATE_NEW) {
        disk.i_version.set(1);
    }
    let mut flags = InodeFlags::from_bits_retain(head.flags);
    if sizes.i_blocks >> 48 == 0 {
        flags.remove(InodeFlags::HUGE_FILE);
        disk.set_blocks(sizes.i_blocks);
    } else {
        flags.insert(InodeFlags::HUGE_FILE);
        disk.set_blocks(sizes.i_blocks >> (sb.block_bits - 9));
    }
    disk.set_flags(flags);
    let datasync = disk.size() != sizes.i_disksize;
    disk.set_size(sizes.i_disksize);
    disk.i_generation.set(head.generation);
    if !ext4_has_inline_data(w, inode) {
        disk.i_block = w.idata.at(inode).0;
    }
    disk.i_extra_isize.set(head.extra_isize);
    if size == raw::OLD_SIZE {
        disk.i_extra_isize.set(0);
    }
    disk.write_sized(slot, sb.inode_size).expect("an inode slot has the mounted size");
    // The same bytes have the same checksum; data that lives in the inode was stored without one.
    if ext4_has_inline_data(w, inode) || *slot != w.bh_bytes(bh)[offset..offset + size] {
        if has_csum(w) {
            raw::update_checksum(slot, sb.csum_seed, Ino(head.ino)).expect("an inode slot has at least 128 bytes");
        }
        super_::put_new(w, bh, offset, slot);
    }
    handle_dirty_metadata(w, kt, bh);
    if head.bits.contains(InodeBits::STATE_NEW) {
        w.inode_mut(inode).bits.remove(InodeBits::STATE_NEW);
    }
    ext4_update_inode_fsync_trans(w, kt, inode, datasync);
    w.graph("}");
}

/// Changes the raw inode itself, where a field lives in the buffer alone, and
/// renews its checksum. The caller declared the buffer and dirties it.
pub fn edit_raw_inode(w: &mut World, ino: u32, bh: BhId, offset: usize, edit: impl FnOnce(&mut raw::Inode)) {
    let sb = w.sb();
    let old = w.bh_bytes(bh)[offset..offset + usize::from(sb.inode_size)].to_vec();
    let mut slot = old.clone();
    let mut disk = raw::Inode::parse_sized(&slot, sb.inode_size).expect("an inode slot has the mounted size");
    edit(&mut disk);
    disk.write_sized(&mut slot, sb.inode_size).expect("an inode slot has the mounted size");
    if has_csum(w) {
        raw::update_checksum(&mut slot, sb.csum_seed, Ino(ino)).expect("an inode slot has at least 128 bytes");
    }
    super_::put_changed(w, bh, offset, &old, &slot);
}

/// The raw inode as its buffer has it.
#[must_use]
pub fn raw_inode(w: &World, bh: BhId, offset: usize) -> raw::Inode {
    let size = w.sb().inode_size;
    raw::Inode::parse_sized(&w.bh_bytes(bh)[offset..], size).expect("an inode slot has the mounted size")
}

/// `ext4_dirty_inode()`, fs/ext4/inode.c:6106: `->dirty_inode`; nothing for a
/// lazy time stamp.
///
/// # Errors
/// What opening the handle or reading the table gives; the caller drops it.
pub async fn ext4_dirty_inode(kt: &Kthread, inode: InodeId, flags: InodeState) -> Result<(), Errno> {
    call!(kt, &site::EXT4_DIRTY_INODE, &[], async {
        if flags == InodeState::DIRTY_TIME {
            return Ok(());
        }
        ext4_journal_start(kt, HandleType::Inode, 2).await?;
        let marked = ext4_mark_inode_dirty(kt, inode).await;
        let stopped = ext4_journal_stop(kt).await;
        marked.and(stopped)
    })
    .await
}

/// `iput()`, fs/inode.c:1748: one user less. The last one of an unlinked inode
/// deletes it; a linked inode stays in memory.
///
/// # Errors
/// What deleting it gives; the kernel only logs that.
///
/// # Panics
/// If the inode has no user.
pub async fn iput(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let head = kt.with(|w| *w.inodes.at(inode));
    assert_ne!(head.count, 0, "BUG_ON: iput of an inode without users");
    if head.count == 1 && head.nlink > 0 && head.state.contains(InodeState::DIRTY_TIME) {
        mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
    }
    let drop = kt.with(|w| {
        let head = w.inode_mut(inode);
        head.count -= 1;
        let (drop, ino) = (head.count == 0 && head.nlink == 0, head.ino);
        // The name in the dentry cache is a user too, so only an unlinked inode comes this far.
        if drop {
            point!(w, EXT4_DROP_INODE, ino, drop);
        }
        drop
    });
    if !drop {
        return Ok(());
    }
    kt.with(|w| {
        w.inode_mut(inode).state.insert(InodeState::FREEING);
        inode_io_list_del(w, inode);
    });
    inode_wait_for_writeback(kt, inode).await;
    Box::pin(ext4_evict_inode(kt, inode)).await
}

/// `ext4_evict_inode()`, fs/ext4/inode.c:169: the inode leaves memory; one
/// without a name leaves the disk too.
///
/// # Errors
/// What freeing its blocks gives.
pub async fn ext4_evict_inode(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let head = kt.with(|w| *w.inodes.at(inode));
    call!(kt, &site::EXT4_EVICT_INODE_FN, &[u64::from(head.ino)], async {
        kt.with(|w| {
            point!(w, EXT4_EVICT_INODE, head.ino, head.nlink);
            let ordered = MountOpts::of(w).contains(MountOpts::DATA_ORDERED);
            if head.nlink == 0 && ordered && head.mode & S_IFMT == S_IFREG {
                point!(w, EXT4_BEGIN_ORDERED_TRUNCATE, head.ino, 0u64);
            }
        });
        let journalled =
            head.nlink > 0 && kt.with(|w| ext4_should_journal_data(w, inode) && w.sizes.at(inode).nrpages > 0);
        if journalled {
            // What the journal alone knows as changed becomes dirty with the commit.
            let tid = kt.with(|w| w.syncs.at(inode).datasync_tid);
            // Neither error has anybody to go to.
            let _ = Box::pin(jbd2_complete_transaction(kt, tid)).await;
            let _ = Box::pin(filemap_write_and_wait_range(kt, inode, 0, LLONG_MAX)).await;
        }
        truncate_inode_pages(kt, inode, 0).await;
        probe!(kt, EVICT_PAGES).await;
        let result = if head.nlink == 0 { delete_inode(kt, inode).await } else { Ok(()) };
        if head.nlink > 0 || result.is_err() {
            forget_blocks(kt, inode).await;
        }
        kt.with(|w| ext4_clear_inode(w, inode));
        result
    })
    .await
}

/// `ext4_clear_inode()`, fs/ext4/super.c:1393, its first half: preallocated
/// blocks and the extent status tree go.
pub async fn forget_blocks(kt: &Kthread, inode: InodeId) {
    ext4_discard_preallocations(kt, inode).await;
    kt.with(|w| es_remove_extent(w, inode, 0, u32::MAX));
}

/// The deleting half of `ext4_evict_inode()`.
async fn delete_inode(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    kt.with(|w| inode_io_list_del(w, inode));
    // An umount of a frozen file system does not come here: what it would wait for is its own doing.
    sb_start_write(kt, Freeze::Fs).await;
    let credits = kt.with(|w| ext4_blocks_for_truncate(w, inode) + 3);
    let deleted = match ext4_journal_start(kt, HandleType::Truncate, credits).await {
        Ok(()) => {
            kt.with(|w| handle_sync_if(w, kt, inode));
            let result = delete_in_handle(kt, inode).await;
            let stopped = ext4_journal_stop(kt).await;
            result.and(stopped)
        }
        Err(errno) => Err(errno),
    };
    kt.with(|w| sb_end_write(w, Freeze::Fs));
    deleted
}

async fn delete_in_handle(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    kt.with(|w| {
        let link = w.inodes.at(inode).mode & S_IFMT == S_IFLNK && w.sizes.at(inode).i_blocks == 0;
        if link {
            *w.idata_mut(inode) = IData::default();
        }
        w.size_mut(inode).i_size = 0;
    });
    ext4_mark_inode_dirty(kt, inode).await?;
    if kt.with(|w| w.sizes.at(inode).i_blocks) != 0 {
        Box::pin(ext4_truncate(kt, inode)).await?;
    }
    probe!(kt, EVICT_TRUNCATED).await;
    ext4_orphan_del(kt, inode).await?;
    let (bh, offset) = ext4_reserve_inode_write(kt, inode).await?;
    kt.with(|w| {
        let (ino, now) = (w.inodes.at(inode).ino, crate::fs::inode::current_time(w));
        edit_raw_inode(w, ino, bh, offset, |disk| disk.i_dtime.set((now / 1_000_000_000) as u32));
    });
    ext4_mark_inode_dirty(kt, inode).await?;
    ext4_free_inode(kt, inode).await
}

/// `ext4_clear_inode()`, its second half: the inode is gone from memory.
pub fn ext4_clear_inode(w: &mut World, inode: InodeId) {
    inode_io_list_del(w, inode);
    es_clear_inode(w, inode);
    let ino = w.inodes.at(inode).ino;
    w.inode_hash_set(ino, None);
    if w.inline.get(inode).is_some() {
        w.inline_set(inode, None);
    }
    *w.size_mut(inode) = InodeSize::default();
    *w.times_mut(inode) = InodeTimes::default();
    *w.sync_mut(inode) = InodeSync::default();
    *w.idata_mut(inode) = IData::default();
    *w.locks_mut(inode) = InodeLocks::default();
    *w.wb_mut(inode) = world::MappingWb::default();
    let rec = w.rec;
    w.inodes.release(rec, inode);
}

/// `prandom_u32()`: the next inode generation.
pub fn prandom_u32(w: &mut World) -> u32 {
    let state = w.counter_mut(Counter::Random);
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 32) as u32
}

/// `S_ISDIR()` of an inode.
#[must_use]
pub fn is_dir(w: &World, inode: InodeId) -> bool {
    w.inodes.at(inode).mode & S_IFMT == S_IFDIR
}
