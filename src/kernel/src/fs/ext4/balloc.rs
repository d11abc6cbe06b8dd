//! Free space: descriptors, bitmaps, claims. Mirrors fs/ext4/balloc.c.
//!
//! ```text
//!   descriptor table (blocks behind the superblock, read at mount)
//!     group g ── bitmap block ── one bit a cluster, padding 1
//!             └─ free clusters, flags, checksums
//! ```
//!
//! Not modelled: meta_bg, descriptor checksums of the old gdt_csum kind; see
//! docs/omissions.md#allocator.

use ondisk::layout::bitmap;
use ondisk::layout::group_desc::{GroupDesc, GroupFlags};
use ondisk::layout::superblock::Superblock;
use ondisk::{Group, LayoutError};
use sched::Kthread;
use world::{BhFlags, BhId, Counter, Errno, GroupId, HandleId, InodeId, InodeState, World};

use crate::block::ramdisk::{REQ_META, REQ_RAHEAD};
use crate::fs::buffer::{block_size, getblk, held_block, submit_bh_read, wait_on_buffer};
use crate::fs::ext4::mballoc::{AllocationRequest, MbFlags, ext4_mb_new_blocks};
use crate::fs::ext4::super_::error::{At, ext4_error};
use crate::fs::ext4::super_::has_journal;
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::trace::Graph as _;
use crate::{point, probe, site, trace};

/// `flex_size` from which the first group of a flex is kept for directories.
pub const FLEX_SIZE_DIR_ALLOC_SCHEME: u32 = 4;
/// `percpu_counter_batch` of one CPU.
const PERCPU_BATCH: u64 = 32;
/// ro_compat bits gdt_csum and metadata_csum.
const RO_GDT_CSUM: u32 = 0x10;
const RO_METADATA_CSUM: u32 = 0x400;
const S_IFMT: u16 = 0o170_000;
const S_IFREG: u16 = 0o100_000;

/// True for a regular file.
#[must_use]
pub fn is_regular(w: &World, inode: InodeId) -> bool {
    w.inodes.at(inode).mode & S_IFMT == S_IFREG
}

/// True if metadata has checksums.
#[must_use]
pub fn has_metadata_csum(w: &World) -> bool {
    w.sb().features[2] & RO_METADATA_CSUM != 0
}

/// `ext4_has_group_desc_csum()`: BLOCK_UNINIT may be believed.
#[must_use]
pub fn has_group_desc_csum(w: &World) -> bool {
    w.sb().features[2] & (RO_METADATA_CSUM | RO_GDT_CSUM) != 0
}

/// Error number of a structure that does not hold what it should.
#[must_use]
pub fn layout_errno(error: &LayoutError) -> Errno {
    match error {
        LayoutError::BadChecksum { .. } => Errno::EFSBADCRC,
        _ => Errno::EUCLEAN,
    }
}

/// Blocks of a full group.
#[must_use]
pub fn blocks_per_group(w: &World) -> u64 {
    let sb = w.sb();
    u64::from(sb.clusters_per_group) << sb.cluster_bits
}

/// `ext4_group_first_block_no()`.
#[must_use]
pub fn group_first_block(w: &World, group: u32) -> u64 {
    u64::from(group) * blocks_per_group(w) + u64::from(w.sb().first_data_block)
}

/// `ext4_get_group_no_and_offset()`: group, and cluster in it.
///
/// # Panics
/// If the block lies before the first data block.
#[must_use]
pub fn group_and_offset(w: &World, block: u64) -> (u32, u32) {
    let sb = w.sb();
    let at = block.checked_sub(u64::from(sb.first_data_block)).expect("a goal lies inside the file system");
    let (group, within) = (at / blocks_per_group(w), at % blocks_per_group(w));
    let small = "a valid block has a 32-bit group and cluster";
    (u32::try_from(group).expect(small), u32::try_from(within >> sb.cluster_bits).expect(small))
}

/// `ext4_grp_offs_to_block()`.
#[must_use]
pub fn offset_to_block(w: &World, group: u32, cluster: u32) -> u64 {
    group_first_block(w, group) + (u64::from(cluster) << w.sb().cluster_bits)
}

/// Clusters of a group; the last one may be short.
#[must_use]
pub fn clusters_in_group(w: &World, group: u32) -> u32 {
    let sb = w.sb();
    let blocks = (sb.blocks - group_first_block(w, group)).min(blocks_per_group(w));
    u32::try_from(blocks.div_ceil(1 << sb.cluster_bits)).expect("a group's clusters fit 32 bits")
}

/// True if `start..start + count` are blocks that the superblock counts
/// (`ext4_inode_block_valid` without the system zone).
#[must_use]
pub fn block_range_valid(w: &World, start: u64, count: u64) -> bool {
    let sb = w.sb();
    start > u64::from(sb.first_data_block) && start.checked_add(count).is_some_and(|end| end <= sb.blocks)
}

/// `ext4_inode_block_valid()`, fs/ext4/block_validity.c:297: inside the file
/// system and not on bitmaps, inode tables, superblock or descriptors.
pub fn ext4_inode_block_valid(w: &mut World, start: u64, count: u64) -> bool {
    if !block_range_valid(w, start, count) {
        return false;
    }
    let sb = w.sb();
    let table = u64::from(sb.inodes_per_group) * u64::from(sb.inode_size) / block_size(w);
    let clear = |from: u64, len: u64| start >= from + len || from >= start + count;
    (0..sb.groups).all(|group| {
        let Ok((desc, _)) = ext4_get_group_desc(w, group) else { return true };
        let base = u64::from(num_base_meta_blocks(w, group));
        clear(group_first_block(w, group), base)
            && clear(desc.block_bitmap_nr(), 1)
            && clear(desc.inode_bitmap_nr(), 1)
            && clear(desc.inode_table_nr(), table)
    })
}

fn desc_place(w: &mut World, group: u32) -> (BhId, usize) {
    let sb = w.sb();
    let per_block = u32::try_from(block_size(w) / u64::from(sb.desc_size.max(32))).expect("at most 2048");
    // Behind the superblock, which lies in block 1 of 1 KiB blocks even where
    // bigalloc counts its clusters from block 0 (`descriptor_loc()`).
    let superblock = u64::from(sb.block_bits == 10);
    let block = superblock + 1 + u64::from(group / per_block);
    (held_block(w, block), (group % per_block) as usize * usize::from(sb.desc_size))
}

/// `ext4_get_group_desc()`: the descriptor, and the buffer that holds it.
///
/// # Errors
/// `EIO` if there is no such group, or the mount has not read its descriptor.
pub fn ext4_get_group_desc(w: &mut World, group: u32) -> Result<(GroupDesc, BhId), Errno> {
    let sb = w.sb();
    if group >= sb.groups {
        return Err(Errno::EIO);
    }
    let (bh, at) = desc_place(w, group);
    if !w.bhs.at(bh).flags.contains(BhFlags::UPTODATE) {
        return Err(Errno::EIO);
    }
    let desc = GroupDesc::parse_sized(&w.bh_bytes(bh)[at..], sb.desc_size).map_err(|_| Errno::EIO)?;
    Ok((desc, bh))
}

/// Writes a descriptor back with its checksum; the caller has write access to
/// the buffer and marks it dirty. Gives the buffer.
///
/// # Errors
/// `EIO` if the slot is cut off.
pub fn ext4_put_group_desc(w: &mut World, group: u32, mut desc: GroupDesc) -> Result<BhId, Errno> {
    let sb = w.sb();
    if has_metadata_csum(w) {
        desc.update_checksum(sb.csum_seed, Group(group), sb.desc_size);
    }
    let (bh, at) = desc_place(w, group);
    let slot = w.bh_bytes_mut(bh, at, usize::from(sb.desc_size));
    desc.write_sized(slot, sb.desc_size).map_err(|_| Errno::EIO)?;
    Ok(bh)
}

/// The superblock as it lies in the device's page cache.
fn cached_superblock(w: &mut World) -> Option<Superblock> {
    let (block, at) = if block_size(w) == 1024 { (1, 0) } else { (0, 1024) };
    let bh = held_block(w, block);
    if !w.bhs.at(bh).flags.contains(BhFlags::UPTODATE) {
        return None;
    }
    Superblock::parse(&w.bh_bytes(bh)[at..]).ok()
}

/// `ext4_num_base_meta_blocks()`: superblock, descriptors and reserved
/// descriptors at the group's start.
fn num_base_meta_blocks(w: &mut World, group: u32) -> u32 {
    match cached_superblock(w) {
        Some(es) if es.group_has_super(Group(group)) => {
            1 + es.desc_blocks() + u32::from(es.s_reserved_gdt_blocks.get())
        }
        _ => 0,
    }
}

/// Clusters of a BLOCK_UNINIT group that hold its metadata (`ext4_init_block_bitmap`),
/// as a bitmap of one block with its padding.
fn init_block_bitmap(w: &mut World, group: u32, desc: &GroupDesc) -> Vec<u8> {
    let sb = w.sb();
    let size = usize::try_from(block_size(w)).expect("a block size is small");
    let mut map = vec![0; size];
    let first = group_first_block(w, group);
    let last = first + blocks_per_group(w);
    let mut mark = |block: u64| {
        if (first..last).contains(&block) {
            let cluster = u32::try_from((block - first) >> sb.cluster_bits).expect("inside a group");
            bitmap::set(&mut map, cluster);
        }
    };
    for block in 0..u64::from(num_base_meta_blocks(w, group)) {
        mark(first + block);
    }
    mark(desc.block_bitmap_nr());
    mark(desc.inode_bitmap_nr());
    let table = u64::from(sb.inodes_per_group) * u64::from(sb.inode_size) / block_size(w);
    for n in 0..table {
        mark(desc.inode_table_nr() + n);
    }
    bitmap::pad_from(&mut map, clusters_in_group(w, group));
    map
}

/// `ext4_free_clusters_after_init()`: what a BLOCK_UNINIT group has free.
pub fn ext4_free_clusters_after_init(w: &mut World, group: u32, desc: &GroupDesc) -> u32 {
    let map = init_block_bitmap(w, group, desc);
    bitmap::count_clear(&map, clusters_in_group(w, group))
}

/// `ext4_read_block_bitmap_nowait()`: the bitmap's buffer, its read maybe under
/// way. `prefetch`: readahead, and no wait for the block being busy.
///
/// # Errors
/// `EUCLEAN`, `EFSBADCRC` for a damaged descriptor or bitmap.
pub fn read_block_bitmap_nowait(w: &mut World, group: u32, prefetch: bool) -> Result<Option<BhId>, Errno> {
    w.graph("ext4_read_block_bitmap_nowait {");
    let started = start_block_bitmap_read(w, group, prefetch);
    w.graph("}");
    started
}

fn start_block_bitmap_read(w: &mut World, group: u32, prefetch: bool) -> Result<Option<BhId>, Errno> {
    let (desc, _) = ext4_get_group_desc(w, group).map_err(|_| Errno::EUCLEAN)?;
    let block = desc.block_bitmap_nr();
    if !block_range_valid(w, block, 1) {
        mark_group_bitmap_corrupted(w, group);
        return Err(Errno::EUCLEAN);
    }
    let bh = getblk(w, block);
    let flags = w.bhs.at(bh).flags;
    if flags.contains(BhFlags::LOCK) {
        return Ok(if prefetch { None } else { Some(bh) });
    }
    if flags.contains(BhFlags::UPTODATE) {
        w.graph(if w.bhs.at(bh).flags.contains(BhFlags::VERIFIED) {
            "ext4_validate_block_bitmap { ext4_get_group_info }"
        } else {
            "ext4_validate_block_bitmap { ext4_get_group_info ext4_block_bitmap_csum_verify num_clusters_in_group }"
        });
        validate_block_bitmap(w, group, bh)?;
        return Ok(Some(bh));
    }
    if has_group_desc_csum(w) && desc.flags().contains(GroupFlags::BLOCK_UNINIT) {
        let sb = w.sb();
        let bad = has_metadata_csum(w) && desc.verify_checksum(sb.csum_seed, Group(group), sb.desc_size).is_err();
        if group == 0 || bad {
            mark_group_bitmap_corrupted(w, group);
            return Err(if bad { Errno::EFSBADCRC } else { Errno::EUCLEAN });
        }
        let map = init_block_bitmap(w, group, &desc);
        w.bh_bytes_mut(bh, 0, map.len()).copy_from_slice(&map);
        w.bh_mut(bh).flags.insert(BhFlags::UPTODATE | BhFlags::VERIFIED);
        return Ok(Some(bh));
    }
    point!(w, EXT4_READ_BLOCK_BITMAP_LOAD, group, prefetch);
    w.graph("ext4_read_bh_nowait {");
    submit_bh_read(w, bh, if prefetch { REQ_META | REQ_RAHEAD } else { REQ_META });
    w.graph("}");
    Ok(Some(bh))
}

/// `ext4_wait_block_bitmap()`: until the read has ended and the bitmap was checked.
///
/// # Errors
/// `EIO` if the device failed the read, `EUCLEAN`, `EFSBADCRC` for a damaged bitmap.
pub async fn wait_block_bitmap(kt: &Kthread, group: u32, bh: BhId) -> Result<(), Errno> {
    wait_on_buffer(kt, bh).await;
    if kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)) {
        return kt.with(|w| validate_block_bitmap(w, group, bh));
    }
    ext4_error(kt, At("ext4_wait_block_bitmap", 527), Errno::EIO, 0, 0).await;
    kt.with(|w| mark_group_bitmap_corrupted(w, group));
    Err(Errno::EIO)
}

/// `ext4_read_block_bitmap()`: the buffer of a group's block bitmap.
///
/// # Errors
/// As [`wait_block_bitmap`].
pub async fn ext4_read_block_bitmap(kt: &Kthread, group: u32) -> Result<BhId, Errno> {
    kt.graph("ext4_read_block_bitmap {");
    let bh = kt.with(|w| read_block_bitmap_nowait(w, group, false))?.expect("only a prefetch gives up");
    kt.graph("}");
    wait_block_bitmap(kt, group, bh).await?;
    Ok(bh)
}

/// `ext4_validate_block_bitmap()`: checksum, the group's own metadata in use,
/// padding set; once a buffer.
fn validate_block_bitmap(w: &mut World, group: u32, bh: BhId) -> Result<(), Errno> {
    if w.bhs.at(bh).flags.contains(BhFlags::VERIFIED) {
        return Ok(());
    }
    if group_is_corrupt(w, group) {
        return Err(Errno::EUCLEAN);
    }
    let sb = w.sb();
    let (desc, _) = ext4_get_group_desc(w, group)?;
    let mut wrong = None;
    if has_metadata_csum(w) {
        let csum = bitmap::compute_checksum(w.bh_bytes(bh), sb.clusters_per_group, sb.csum_seed);
        let known = if sb.desc_size >= 64 { !0 } else { 0xffff };
        if csum & known != desc.block_bitmap_csum() & known {
            wrong = Some(Errno::EFSBADCRC);
        }
    }
    let first = group_first_block(w, group);
    let end = clusters_in_group(w, group);
    let table = u64::from(sb.inodes_per_group) * u64::from(sb.inode_size) / block_size(w);
    let used = |w: &World, block: u64| {
        let cluster = block.checked_sub(first).and_then(|at| u32::try_from(at >> sb.cluster_bits).ok());
        cluster.filter(|&at| at < end).is_none_or(|at| bitmap::test(w.bh_bytes(bh), at))
    };
    let metadata = [desc.block_bitmap_nr(), desc.inode_bitmap_nr()]
        .into_iter()
        .chain((0..table).map(|n| desc.inode_table_nr().saturating_add(n)))
        .all(|block| used(w, block));
    let bytes = w.bh_bytes(bh);
    let bits = u32::try_from(bytes.len() * 8).expect("a block has few bits");
    let padded = bitmap::find_clear(bytes, end..bits).is_none();
    if wrong.is_none() && !(metadata && padded) {
        wrong = Some(Errno::EUCLEAN);
    }
    match wrong {
        Some(errno) => {
            mark_group_bitmap_corrupted(w, group);
            Err(errno)
        }
        None => {
            w.bh_mut(bh).flags.insert(BhFlags::VERIFIED);
            Ok(())
        }
    }
}

/// `ext4_mark_group_bitmap_corrupted()`: nothing is allocated there any more.
pub fn mark_group_bitmap_corrupted(w: &mut World, group: u32) {
    if group_is_corrupt(w, group) {
        return;
    }
    let free = w.groups.get(GroupId(group)).map_or(0, |info| info.free);
    freeclusters_add(w, -i64::from(free));
    let info = w.group_mut(GroupId(group));
    (info.free, info.fragments) = (0, u32::MAX);
}

/// EXT4_MB_GRP_BBITMAP_CORRUPT: said by a count of free runs that cannot be.
#[must_use]
pub fn group_is_corrupt(w: &World, group: u32) -> bool {
    w.groups.get(GroupId(group)).is_some_and(|info| info.fragments == u32::MAX)
}

/// Adds to `s_freeclusters_counter`, and to what is seen of it without the
/// CPU's own part once that part reaches the batch.
pub fn freeclusters_add(w: &mut World, amount: i64) {
    percpu_add(w, Counter::FreeClusters, Counter::FreeClustersApprox, amount);
}

/// The same for `s_dirtyclusters_counter`.
pub fn dirtyclusters_add(w: &mut World, amount: i64) {
    percpu_add(w, Counter::DirtyClusters, Counter::DirtyClustersApprox, amount);
}

fn percpu_add(w: &mut World, exact: Counter, approx: Counter, amount: i64) {
    if amount == 0 {
        return;
    }
    let value = w.counter(exact).wrapping_add_signed(amount);
    *w.counter_mut(exact) = value;
    let own = value.wrapping_sub(w.counter(approx)).cast_signed();
    if own.unsigned_abs() >= PERCPU_BATCH {
        *w.counter_mut(approx) = value;
    }
}

/// `ext4_has_free_clusters()`, fs/ext4/balloc.c:608: room for `count` more, with
/// what is reserved left alone; root may use the blocks kept for it, writeback's
/// metadata also the last reserve.
#[must_use]
pub fn ext4_has_free_clusters(w: &World, count: u64, flags: MbFlags) -> bool {
    let sb = w.sb();
    let positive = |counter| i128::from(w.counter(counter).cast_signed().max(0));
    let free = positive(Counter::FreeClusters);
    let wanted = i128::from(count) + positive(Counter::DirtyClusters);
    let reserve = i128::from(sb.resv_clusters);
    let root = i128::from(sb.reserved_blocks >> sb.cluster_bits);
    let is_root = w.accts.get(w.current).is_none_or(|acct| acct.euid == 0);
    free >= wanted + reserve + root
        || (is_root || flags.contains(MbFlags::USE_ROOT_BLOCKS)) && free >= wanted + reserve
        || flags.contains(MbFlags::USE_RESERVED) && free >= wanted
}

/// `ext4_claim_free_clusters()`, fs/ext4/balloc.c: true if `count` clusters were reserved.
pub fn ext4_claim_free_clusters(w: &mut World, count: u64) -> bool {
    claim_free_clusters(w, count, MbFlags::empty())
}

/// The same with the allocation's flags.
pub fn claim_free_clusters(w: &mut World, count: u64, flags: MbFlags) -> bool {
    w.graph("ext4_claim_free_clusters { ext4_has_free_clusters }");
    let free = ext4_has_free_clusters(w, count, flags);
    if free {
        dirtyclusters_add(w, count.cast_signed());
    }
    free
}

/// `ext4_should_retry_alloc()`, fs/ext4/balloc.c:677: after ENOSPC, whether a
/// commit may have freed space. `retries` counts the calls.
pub async fn ext4_should_retry_alloc(kt: &Kthread, retries: &mut u32) -> bool {
    *retries += 1;
    let tries = *retries;
    trace::call!(kt, &site::EXT4_SHOULD_RETRY_ALLOC, &[u64::from(tries)], async {
        if tries > 3 || !kt.with(|w| has_journal(w)) {
            return false;
        }
        if kt.with(|w| w.freed.entries().is_empty()) {
            probe!(kt, SRA_NOTHING).await;
            return kt.with(|w| ext4_has_free_clusters(w, 1, MbFlags::empty()));
        }
        probe!(kt, SRA_COMMIT).await;
        crate::fs::ext4::mballoc::force_commit(kt).await;
        true
    })
    .await
}

/// `ext4_new_meta_blocks()`, fs/ext4/balloc.c:707: one block for metadata.
///
/// # Errors
/// `ENOSPC`, or what reading a bitmap gives.
pub async fn ext4_new_meta_blocks(kt: &Kthread, inode: InodeId, goal: u64, flags: MbFlags) -> Result<u64, Errno> {
    let mut ar = AllocationRequest { inode, goal, len: 1, flags, ..AllocationRequest::default() };
    kt.graph("ext4_new_meta_blocks {");
    let taken = ext4_mb_new_blocks(kt, &mut ar).await;
    kt.graph("}");
    let block = taken?;
    if flags.contains(MbFlags::DELALLOC_RESERVED) {
        kt.with(|w| add_inode_blocks(w, inode, u64::from(ar.len)));
        mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
    }
    Ok(block)
}

/// `inode_add_bytes()` for `clusters`.
pub fn add_inode_blocks(w: &mut World, inode: InodeId, clusters: u64) {
    let sectors = (clusters << w.sb().cluster_bits) * (block_size(w) / 512);
    w.size_mut(inode).i_blocks += sectors;
}

/// `inode_sub_bytes()` for `clusters`.
pub fn sub_inode_blocks(w: &mut World, inode: InodeId, clusters: u64) {
    let sectors = (clusters << w.sb().cluster_bits) * (block_size(w) / 512);
    let size = w.size_mut(inode);
    size.i_blocks = size.i_blocks.saturating_sub(sectors);
}

/// Transaction of the running task's handle, 0 for none.
#[must_use]
pub fn current_tid(w: &World) -> u32 {
    w.handles.get(HandleId(w.current.0)).filter(|handle| handle.refs > 0).map_or(0, |handle| handle.tid)
}

/// `ext4_count_free_clusters()`: the sum over the descriptors.
pub fn ext4_count_free_clusters(w: &mut World) -> u64 {
    let mounted = w.sb().mounted;
    (0..w.sb().groups)
        // A group whose bitmap is no good has nothing to give: who waits for its clusters would wait for ever.
        .filter(|&group| !(mounted && group_is_corrupt(w, group)))
        .collect::<Vec<_>>()
        .into_iter()
        .filter_map(|group| ext4_get_group_desc(w, group).ok())
        .map(|(desc, _)| u64::from(desc.free_clusters()))
        .sum()
}

/// `ext4_count_free()`: clear bits of a bitmap's first `bytes`.
#[must_use]
pub fn ext4_count_free(map: &[u8], bytes: usize) -> u32 {
    map.iter().take(bytes).map(|byte| byte.count_zeros()).sum()
}

/// `ext4_inode_to_goal_block()`, fs/ext4/balloc.c:944: where a file's first
/// block should go. Without delayed allocation the task's pid spreads files.
#[must_use]
pub fn ext4_inode_to_goal_block(w: &World, inode: InodeId) -> u64 {
    let sb = w.sb();
    let mut group = w.inodes.at(inode).ino.saturating_sub(1) / sb.inodes_per_group.max(1);
    let flex_size = 1u32 << sb.flex_bits;
    if flex_size >= FLEX_SIZE_DIR_ALLOC_SCHEME {
        group &= !(flex_size - 1);
        group += u32::from(is_regular(w, inode));
    }
    let start = group_first_block(w, group);
    if crate::fs::ext4::mballoc::has_delalloc(w) {
        return start;
    }
    let last = sb.blocks - 1;
    let pid = w.accts.get(w.current).map_or(0, |acct| u64::from(acct.pid));
    let room = if start + blocks_per_group(w) <= last { blocks_per_group(w) } else { last.wrapping_sub(start) };
    // The kernel keeps the colour in an int: what is left behind the last block wraps.
    let colour = (pid % 16).wrapping_mul(room / 16) as i32;
    start.wrapping_add_signed(i64::from(colour))
}
