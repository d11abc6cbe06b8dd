//! Inode allocation. Mirrors fs/ext4/ialloc.c.
//!
//! A file goes to its directory's group (flex group), a directory where there
//! is room and few directories (Orlov). Then the first clear bit of the group's
//! bitmap is taken.
//!
//! Not modelled: `i_last_alloc_group` (a full flex group is searched anew each
//! time), access control lists and security labels of new inodes.

use ondisk::layout::bitmap;
use ondisk::layout::dir_hash::{HashVersion, dx_hash};
use ondisk::layout::extent;
use ondisk::layout::group_desc::{GroupDesc, GroupFlags};
use ondisk::layout::inode::InodeFlags;
use sched::Kthread;
use world::{
    BhFlags, BhId, Counter, Errno, IData, Inode, InodeBits, InodeId, InodeLocks, InodeSize, InodeState, InodeSync,
    InodeTimes, PAGE_SIZE, World,
};

use crate::block::ramdisk::REQ_META;
use crate::fs::buffer::{block_size, getblk, submit_bh_read, wait_on_buffer};
use crate::fs::ext4::balloc::{
    ext4_free_clusters_after_init, ext4_get_group_desc, ext4_put_group_desc, ext4_read_block_bitmap,
};
use crate::fs::ext4::ext4_jbd2::{
    HandleType, ext4_journal_current_handle, ext4_journal_get_write_access, ext4_journal_start,
    ext4_update_inode_fsync_trans, handle_dirty_metadata, handle_sync_if,
};
use crate::fs::ext4::inline::has_feature_inline_data;
use crate::fs::ext4::inode::disk::{
    I_CREATING, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, ext4_mark_inode_dirty, ext4_set_inode_flags, forget_blocks,
    prandom_u32,
};
use crate::fs::ext4::super_::error::{At, ext4_error};
use crate::fs::ext4::super_::{self, group_desc, has_csum, has_extents, inodes_count, raw_super};
use crate::fs::inode::current_time;
use crate::site;
use crate::trace::call;
use crate::{point, probe};

/// EXT4_FL_INHERITED: `i_flags` that a new inode takes from its directory.
const FL_INHERITED: u32 = 0x6201_c4cf;
/// Where `i_dtime` stands in an inode.
const DTIME: usize = 20;
/// EXT4_REG_FLMASK: of these, not for regular files.
const REG_EXCLUDED: u32 = 0x6003_0000;

/// `__ext4_new_inode()`, fs/ext4/ialloc.c:932, with a handle of its own, which
/// stays open: a new inode in directory `dir`, one user, one link, in state
/// I_NEW and I_CREATING. On an error too the handle may be open.
///
/// # Errors
/// `ENOSPC` if no inode is free, `EPERM` in a deleted directory, `EIO` after a
/// shutdown, `EUCLEAN` and `EFSBADCRC` for damaged bitmaps.
pub async fn ext4_new_inode(
    kt: &Kthread,
    dir: InodeId,
    mode: u16,
    name: Option<&[u8]>,
    credits: u32,
) -> Result<InodeId, Errno> {
    call!(kt, &site::EXT4_NEW_INODE, &[u64::from(mode)], async {
        let dir_ino = kt.with(|w| {
            let head = w.inodes.at(dir);
            if head.nlink == 0 { Err(Errno::EPERM) } else { Ok(head.ino) }
        })?;
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        kt.with(|w| point!(w, EXT4_REQUEST_INODE, dir_ino, mode));
        let group = kt.with(|w| find_group(w, dir, mode, name))?;
        probe!(kt, NI_GROUP, group = group).await;
        let (group, bit, bitmap_bh) = take_bit(kt, group, credits).await?;
        let ino = group * kt.with(|w| w.sb().inodes_per_group) + bit + 1;
        probe!(kt, NI_BIT, group = group, ino = ino).await;

        kt.with(|w| handle_dirty_metadata(w, kt, bitmap_bh));
        let (_, desc_bh) = kt.with(|w| ext4_get_group_desc(w, group))?;
        ext4_journal_get_write_access(kt, desc_bh).await?;
        init_block_bitmap(kt, group).await?;
        kt.with(|w| {
            let desc = count_new_inode(w, group, bit, mode, bitmap_bh)?;
            ext4_put_group_desc(w, group, desc)?;
            handle_dirty_metadata(w, kt, desc_bh);
            *w.counter_mut(Counter::FreeInodes) -= 1;
            if mode & S_IFMT == S_IFDIR {
                *w.counter_mut(Counter::Dirs) += 1;
            }
            Ok::<(), Errno>(())
        })?;
        probe!(kt, NI_DESC).await;

        let inode = kt.with(|w| insert_inode(w, kt, dir, ino, mode))?;
        kt.with(|w| handle_sync_if(w, kt, inode));
        if kt.with(|w| InodeFlags::from_bits_retain(w.inodes.at(inode).flags).contains(InodeFlags::EXTENTS)) {
            ext4_mark_inode_dirty(kt, inode).await?; // ext4_ext_tree_init()
        }
        kt.with(|w| ext4_update_inode_fsync_trans(w, kt, inode, true));
        ext4_mark_inode_dirty(kt, inode).await?;
        kt.with(|w| point!(w, EXT4_ALLOCATE_INODE, ino, dir_ino, mode));
        probe!(kt, NI_DONE, ino = ino).await;
        Ok(inode)
    })
    .await
}

/// The search for a clear bit, group after group, and its taking.
async fn take_bit(kt: &Kthread, first: u32, credits: u32) -> Result<(u32, u32, BhId), Errno> {
    let (groups, reserved) = kt.with(|w| (w.sb().groups, super_::first_ino(w)));
    for n in 0..groups {
        let group = (first + n) % groups;
        if kt.with(|w| group_desc(w, group))?.free_inodes() == 0 {
            continue;
        }
        // A group with a damaged bitmap is left out.
        let Ok(bh) = ext4_read_inode_bitmap(kt, group).await else { continue };
        while let Some(bit) = kt.with(|w| find_inode_bit(w, group, bh)) {
            if group == 0 && bit + 1 < reserved {
                break; // a reserved inode found cleared
            }
            if kt.with(|w| ext4_journal_current_handle(w, kt).is_none()) {
                ext4_journal_start(kt, HandleType::Dir, credits).await?;
            }
            ext4_journal_get_write_access(kt, bh).await?;
            let taken = kt.with(|w| {
                let byte = usize::try_from(bit / 8).expect("a bitmap is one block");
                bitmap::set(w.bh_bytes_mut(bh, byte, 1), bit % 8)
            });
            if !taken {
                return Ok((group, bit, bh));
            }
        }
    }
    Err(Errno::ENOSPC)
}

/// `find_inode_bit()`, fs/ext4/ialloc.c: the first clear bit. Without a journal one
/// that was cleared a moment ago is taken only if there is no other.
fn find_inode_bit(w: &mut World, group: u32, bitmap_bh: BhId) -> Option<u32> {
    let (per_group, avoid) = (w.sb().inodes_per_group, !super_::has_journal(w));
    let (mut from, mut recent) = (0, None);
    while let Some(bit) = bitmap::find_clear(w.bh_bytes(bitmap_bh), from..per_group) {
        if !avoid || !recently_deleted(w, group, bit) {
            return Some(bit);
        }
        recent = Some(bit);
        from = bit + 1;
    }
    recent
}

/// `recently_deleted()`: the inode was deleted less than a minute ago, or less than
/// six if its table's block is still dirty: its removal may not be on disk yet.
fn recently_deleted(w: &mut World, group: u32, bit: u32) -> bool {
    /// RECENTCY_MIN, RECENTCY_DIRTY: seconds.
    const MIN: u64 = 60;
    const DIRTY: u64 = 300;
    let (sb, size) = (w.sb(), block_size(w));
    let Ok(desc) = group_desc(w, group) else { return false };
    let used = sb.inodes_per_group.saturating_sub(desc.itable_unused());
    if has_csum(w) && (desc.flags().contains(GroupFlags::INODE_UNINIT) || bit >= used) {
        return false;
    }
    let at = u64::from(bit) * u64::from(sb.inode_size);
    let block = desc.inode_table_nr() + at / size;
    let index = u32::try_from(block * size / PAGE_SIZE).expect("a device has fewer than 2^32 pages");
    if w.find_page(InodeId::BDEV, index).is_none() {
        return false; // not in memory: written out long ago
    }
    let bh = getblk(w, block);
    let flags = w.bhs.at(bh).flags;
    let dtime = usize::try_from(at % size).expect("inside a block") + DTIME;
    let word = w.bh_bytes(bh).get(dtime..).and_then(<[u8]>::first_chunk).copied();
    let (Some(word), true) = (word, flags.contains(BhFlags::UPTODATE)) else { return false };
    let (dtime, now) = (u64::from(u32::from_le_bytes(word)), current_time(w) / 1_000_000_000);
    let recent = if flags.contains(BhFlags::DIRTY) { MIN + DIRTY } else { MIN };
    dtime != 0 && dtime < now && now < dtime + recent
}

/// The group's block bitmap is written out before the group is first used.
async fn init_block_bitmap(kt: &Kthread, group: u32) -> Result<(), Errno> {
    let uninit = kt
        .with(|w| Ok::<bool, Errno>(has_csum(w) && group_desc(w, group)?.flags().contains(GroupFlags::BLOCK_UNINIT)))?;
    if !uninit {
        return Ok(());
    }
    let bh = ext4_read_block_bitmap(kt, group).await?;
    ext4_journal_get_write_access(kt, bh).await?;
    kt.with(|w| {
        handle_dirty_metadata(w, kt, bh);
        let mut desc = group_desc(w, group)?;
        desc.set_flags(desc.flags() - GroupFlags::BLOCK_UNINIT);
        let free = ext4_free_clusters_after_init(w, group, &desc);
        desc.set_free_clusters(free);
        let sb = w.sb();
        let checksum = bitmap::compute_checksum(w.bh_bytes(bh), sb.clusters_per_group, sb.csum_seed);
        desc.set_block_bitmap_csum(checksum);
        ext4_put_group_desc(w, group, desc)?;
        Ok(())
    })
}

/// The descriptor after inode `bit` of the group was taken.
fn count_new_inode(w: &mut World, group: u32, bit: u32, mode: u16, bitmap_bh: BhId) -> Result<GroupDesc, Errno> {
    let (sb, csum) = (w.sb(), has_csum(w));
    let mut desc = group_desc(w, group)?;
    if csum {
        let mut used = sb.inodes_per_group.saturating_sub(desc.itable_unused());
        if desc.flags().contains(GroupFlags::INODE_UNINIT) {
            desc.set_flags(desc.flags() - GroupFlags::INODE_UNINIT);
            used = 0;
        }
        if bit + 1 > used {
            desc.set_itable_unused(sb.inodes_per_group - bit - 1);
        }
        desc.set_inode_bitmap_csum(bitmap::compute_checksum(w.bh_bytes(bitmap_bh), sb.inodes_per_group, sb.csum_seed));
    }
    desc.set_free_inodes(desc.free_inodes().saturating_sub(1));
    if mode & S_IFMT == S_IFDIR {
        desc.set_used_dirs(desc.used_dirs() + 1);
    }
    Ok(desc)
}

/// Fills the in-core inode; fs/ext4/from ialloc.c:1257 on.
fn insert_inode(w: &mut World, kt: &Kthread, dir: InodeId, ino: u32, mode: u16) -> Result<InodeId, Errno> {
    if w.inode_hash.get(ino).is_some() {
        return Err(Errno::EIO); // the bitmap had a used inode as free
    }
    let (parent, sb, now) = (*w.inodes.at(dir), w.sb(), current_time(w));
    let kind = mode & S_IFMT;
    let mut flags = parent.flags & FL_INHERITED;
    if kind == S_IFREG {
        flags &= !REG_EXCLUDED;
    }
    let mut data = IData::default();
    if has_extents(w) && matches!(kind, S_IFREG | S_IFDIR | S_IFLNK) {
        flags |= InodeFlags::EXTENTS.bits();
        extent::Header { entries: 0, max: 4, depth: 0, generation: 0 }
            .write_to(&mut data.0)
            .expect("i_block holds an extent root");
    }
    let want = raw_super(w).s_want_extra_isize.get();
    let (uid, generation) = (w.accts.get(kt.task).map_or(0, |acct| acct.euid), prandom_u32(w));
    let inherit_gid = parent.mode & 0o2000 != 0;
    let mut bits = InodeBits::PRESENT | InodeBits::STATE_NEW;
    let dax_file = flags & InodeFlags::DAX.bits() != 0 && kind != S_IFDIR;
    bits.set(InodeBits::MAY_INLINE_DATA, has_feature_inline_data(w) && !dax_file);
    let head = Inode {
        ino,
        mode: if inherit_gid && kind == S_IFDIR { mode | 0o2000 } else { mode },
        nlink: 1,
        uid,
        gid: if inherit_gid { parent.gid } else { uid },
        flags,
        generation,
        state: InodeState::NEW | I_CREATING,
        bits,
        count: 1,
        extra_isize: if sb.inode_size > 128 { want } else { 0 },
        ..Inode::default()
    };
    let rec = w.rec;
    let inode = w.inodes.alloc(rec, head);
    ext4_set_inode_flags(w, inode);
    *w.size_mut(inode) = InodeSize::default();
    *w.times_mut(inode) = InodeTimes { atime: now, ctime: now, mtime: now, crtime: now };
    *w.sync_mut(inode) = InodeSync::default();
    *w.idata_mut(inode) = data;
    *w.locks_mut(inode) = InodeLocks::default();
    *w.wb_mut(inode) = world::MappingWb::default();
    w.inode_hash_set(ino, Some(inode));
    Ok(inode)
}

/// `unlock_new_inode()`: the inode is like any other from now on.
pub fn unlock_new_inode(w: &mut World, inode: InodeId) {
    w.inode_mut(inode).state.remove(InodeState::NEW | I_CREATING);
}

/// `ext4_read_inode_bitmap()`, fs/ext4/ialloc.c:124: a group's inode bitmap,
/// made up if it was never written.
///
/// # Errors
/// `EIO` if the read fails, `EUCLEAN` and `EFSBADCRC` for a damaged one.
pub async fn ext4_read_inode_bitmap(kt: &Kthread, group: u32) -> Result<BhId, Errno> {
    let bh = kt.with(|w| start_bitmap_read(w, group))?;
    wait_on_buffer(kt, bh).await;
    if !kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)) {
        ext4_error(kt, At("ext4_read_inode_bitmap", 206), Errno::EIO, 0, 0).await;
        return Err(Errno::EIO);
    }
    kt.with(|w| {
        let flags = w.bhs.at(bh).flags;
        if !flags.contains(BhFlags::VERIFIED) {
            let (sb, desc) = (w.sb(), group_desc(w, group)?);
            let found = bitmap::compute_checksum(w.bh_bytes(bh), sb.inodes_per_group, sb.csum_seed);
            let mask = if sb.desc_size < 64 { 0xffff } else { u32::MAX };
            if has_csum(w) && (found ^ desc.inode_bitmap_csum()) & mask != 0 {
                return Err(Errno::EFSBADCRC);
            }
            w.bh_mut(bh).flags.insert(BhFlags::VERIFIED);
        }
        Ok(bh)
    })
}

fn start_bitmap_read(w: &mut World, group: u32) -> Result<BhId, Errno> {
    let (sb, desc) = (w.sb(), group_desc(w, group)?);
    let block = desc.inode_bitmap().0;
    if block <= u64::from(sb.first_data_block) || block >= sb.blocks {
        return Err(Errno::EUCLEAN);
    }
    let bh = getblk(w, block);
    let flags = w.bhs.at(bh).flags;
    if has_csum(w) && desc.flags().contains(GroupFlags::INODE_UNINIT) {
        if group == 0 {
            return Err(Errno::EUCLEAN);
        }
        if !flags.contains(BhFlags::VERIFIED) {
            let size = block_size(w) as usize;
            let bytes = w.bh_bytes_mut(bh, 0, size);
            bytes.fill(0);
            bitmap::pad_from(bytes, sb.inodes_per_group);
            w.bh_mut(bh).flags.insert(BhFlags::UPTODATE | BhFlags::VERIFIED);
        }
    } else if !flags.intersects(BhFlags::UPTODATE | BhFlags::LOCK) {
        point!(w, EXT4_LOAD_INODE_BITMAP, group);
        submit_bh_read(w, bh, REQ_META);
    }
    Ok(bh)
}

/// `ext4_free_inode()`, fs/ext4/ialloc.c:235: the inode's bit and counts go
/// back, inside the task's handle. Its blocks are gone already.
///
/// # Errors
/// `EUCLEAN` for a number that cannot be or a bit already clear; what reading
/// the bitmap gives.
pub async fn ext4_free_inode(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let head = kt.with(|w| *w.inodes.at(inode));
    call!(kt, &site::EXT4_FREE_INODE_FN, &[u64::from(head.ino)], async {
        let (sb, valid) = kt.with(|w| {
            let blocks = w.sizes.at(inode).i_blocks;
            point!(w, EXT4_FREE_INODE, head.ino, head.mode, head.uid, head.gid, blocks);
            (w.sb(), head.ino >= super_::first_ino(w) && head.ino <= inodes_count(w))
        });
        forget_blocks(kt, inode).await;
        if !valid {
            return Err(Errno::EUCLEAN);
        }
        let (group, bit) = ((head.ino - 1) / sb.inodes_per_group, (head.ino - 1) % sb.inodes_per_group);
        let bh = ext4_read_inode_bitmap(kt, group).await?;
        ext4_journal_get_write_access(kt, bh).await?;
        let (_, desc_bh) = kt.with(|w| ext4_get_group_desc(w, group))?;
        ext4_journal_get_write_access(kt, desc_bh).await?;
        kt.with(|w| {
            let byte = usize::try_from(bit / 8).expect("a bitmap is one block");
            if !bitmap::clear(w.bh_bytes_mut(bh, byte, 1), bit % 8) {
                return Err(Errno::EUCLEAN);
            }
            let mut desc = group_desc(w, group)?;
            desc.set_free_inodes(desc.free_inodes() + 1);
            if head.mode & S_IFMT == S_IFDIR {
                desc.set_used_dirs(desc.used_dirs().saturating_sub(1));
                let dirs = w.counter_mut(Counter::Dirs);
                *dirs = dirs.saturating_sub(1);
            }
            if has_csum(w) {
                let sum = bitmap::compute_checksum(w.bh_bytes(bh), sb.inodes_per_group, sb.csum_seed);
                desc.set_inode_bitmap_csum(sum);
            }
            ext4_put_group_desc(w, group, desc)?;
            *w.counter_mut(Counter::FreeInodes) += 1;
            handle_dirty_metadata(w, kt, desc_bh);
            handle_dirty_metadata(w, kt, bh);
            Ok(())
        })?;
        probe!(kt, FI_CLEARED).await;
        Ok(())
    })
    .await
}

// ---- which group ----

/// Where the search for a free inode begins.
fn find_group(w: &mut World, dir: InodeId, mode: u16, name: Option<&[u8]>) -> Result<u32, Errno> {
    let found =
        if mode & S_IFMT == S_IFDIR { find_group_orlov(w, dir, true, name)? } else { find_group_other(w, dir)? };
    found.ok_or(Errno::ENOSPC)
}

fn group_of(w: &World, inode: InodeId) -> u32 {
    (w.inodes.at(inode).ino - 1) / w.sb().inodes_per_group
}

/// `find_group_other()`, fs/ext4/ialloc.c:570: the parent's flex group, or its group.
fn find_group_other(w: &mut World, dir: InodeId) -> Result<Option<u32>, Errno> {
    let (sb, parent) = (w.sb(), group_of(w, dir));
    let flex = 1u32 << sb.flex_bits;
    if flex > 1 {
        let first = parent & !(flex - 1);
        for group in first..(first + flex).min(sb.groups) {
            if group_desc(w, group)?.free_inodes() > 0 {
                return Ok(Some(group));
            }
        }
        return find_group_orlov(w, dir, false, None);
    }
    let has_room =
        |w: &mut World, group: u32| group_desc(w, group).map(|desc| desc.free_inodes() > 0 && desc.free_clusters() > 0);
    if has_room(w, parent)? {
        return Ok(Some(parent));
    }
    let mut group = (parent + w.inodes.at(dir).ino) % sb.groups;
    let mut step = 1;
    while step < sb.groups {
        group = (group + step) % sb.groups;
        if has_room(w, group)? {
            return Ok(Some(group));
        }
        step <<= 1;
    }
    for n in 1..=sb.groups {
        let group = (parent + n) % sb.groups;
        if group_desc(w, group)?.free_inodes() > 0 {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

/// Sums over a flex group: free inodes, free clusters, directories.
fn orlov_stats(w: &mut World, flex_group: u32, flex: u32) -> Result<(u64, u64, u64), Errno> {
    let groups = w.sb().groups;
    let mut sums = (0, 0, 0);
    for group in flex_group * flex..(flex_group * flex + flex).min(groups) {
        let desc = group_desc(w, group)?;
        sums.0 += u64::from(desc.free_inodes());
        sums.1 += u64::from(desc.free_clusters());
        sums.2 += u64::from(desc.used_dirs());
    }
    Ok(sums)
}

/// `find_group_orlov()`, fs/ext4/ialloc.c:421. With `is_dir` a directory below
/// the root (or a TOPDIR one) is spread by the hash of its name.
fn find_group_orlov(w: &mut World, dir: InodeId, is_dir: bool, name: Option<&[u8]>) -> Result<Option<u32>, Errno> {
    let (sb, parent) = (w.sb(), *w.inodes.at(dir));
    let flex = 1u32 << sb.flex_bits;
    let ngroups = sb.groups.div_ceil(flex);
    let free_inodes = w.counter(Counter::FreeInodes);
    let (avg_inodes, avg_clusters) =
        (free_inodes / u64::from(ngroups), w.counter(Counter::FreeClusters) / u64::from(ngroups));
    let top = InodeFlags::from_bits_retain(parent.flags).contains(InodeFlags::TOPDIR) || parent.ino == 2;
    let mut chosen = None;
    if is_dir && top {
        let start = match name {
            Some(name) => {
                let seed = raw_super(w).s_hash_seed.map(|word| word.get());
                dx_hash(HashVersion::HalfMd4, seed, name).0
            }
            None => prandom_u32(w),
        } % ngroups;
        let mut fewest = u64::from(sb.inodes_per_group);
        for n in 0..ngroups {
            let group = (start + n) % ngroups;
            let (inodes, clusters, dirs) = orlov_stats(w, group, flex)?;
            if inodes > 0 && dirs < fewest && inodes >= avg_inodes && clusters >= avg_clusters {
                (chosen, fewest) = (Some(group), dirs);
            }
        }
    } else {
        let per_flex = u64::from(sb.inodes_per_group) * u64::from(flex);
        let max_dirs = w.counter(Counter::Dirs) / u64::from(ngroups) + per_flex / 16;
        let min_inodes = avg_inodes.saturating_sub(per_flex / 4).max(1);
        let min_clusters = avg_clusters.saturating_sub(u64::from(sb.clusters_per_group) * u64::from(flex) / 4);
        for n in 0..ngroups {
            let group = (group_of(w, dir) / flex + n) % ngroups;
            let (inodes, clusters, dirs) = orlov_stats(w, group, flex)?;
            if dirs < max_dirs && inodes >= min_inodes && clusters >= min_clusters {
                chosen = Some(group);
                break;
            }
        }
    }
    if let Some(flex_group) = chosen {
        for group in flex_group * flex..(flex_group * flex + flex).min(sb.groups) {
            if group_desc(w, group)?.free_inodes() > 0 {
                return Ok(Some(group));
            }
        }
    }
    // Fallback: from the parent's group on, one with an average share; then any.
    for least in [free_inodes / u64::from(sb.groups), 0] {
        for n in 0..sb.groups {
            let group = (group_of(w, dir) + n) % sb.groups;
            let free = u64::from(group_desc(w, group)?.free_inodes());
            if free > 0 && free >= least {
                return Ok(Some(group));
            }
        }
    }
    Ok(None)
}
