//! The multi-block allocator. Mirrors fs/ext4/mballoc.c.
//!
//! ```text
//!   disk bitmap ─┐
//!   preallocated ├─► in-core bitmap of a group ─► chunks of 2^k free clusters
//!   freed, not   │      (words in w.bitmap)          (worked out, not kept)
//!   committed  ──┘
//! ```
//!
//! The kernel keeps the chunks as a buddy. They always follow from the bitmap:
//! a free cluster belongs to the largest aligned, wholly free chunk of 2^k
//! clusters around it, so nothing of them is stored here.
//!
//! A preallocation shrinks when its blocks are handed out, where the kernel
//! shrinks a locality group's only at the end of the call, under a lock that
//! is not needed then.
//!
//! Not modelled: discard (trim), stripes, statistics, more than one CPU's
//! locality group; see docs/omissions.md#allocator.

mod bits;
mod free;
mod prealloc;
mod search;

pub use free::{FreeBlocks, ext4_free_blocks, force_commit, mb_commit_callback};
pub use prealloc::ext4_discard_preallocations;

use bitflags::bitflags;
use ondisk::layout::group_desc::GroupFlags;
use sched::Kthread;
use world::{Errno, GroupId, GroupInfo, InodeBits, InodeId, InodeState, PAGE_SIZE, PaId, WordId, World};

use self::bits::GroupBits;
use crate::fs::buffer::block_size;
use crate::fs::ext4::balloc::{
    add_inode_blocks, claim_free_clusters, dirtyclusters_add, ext4_free_clusters_after_init, ext4_get_group_desc,
    ext4_inode_block_valid, ext4_put_group_desc, ext4_read_block_bitmap, freeclusters_add, group_is_corrupt,
    has_group_desc_csum, has_metadata_csum, is_regular, mark_group_bitmap_corrupted, offset_to_block,
    read_block_bitmap_nowait, sub_inode_blocks, wait_block_bitmap,
};
use crate::fs::ext4::ext4_jbd2::{ext4_handle_dirty_metadata, ext4_journal_get_write_access};
use crate::fs::ext4::super_::MountOpts;
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::mm::filemap;
use crate::mm::page_writeback::ino_of;
use crate::trace::Graph as _;
use crate::{point, probe, site, trace};

bitflags! {
    /// EXT4_MB_ flags of a request.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MbFlags: u32 {
        /// Take the first extent found.
        const HINT_FIRST = 0x8;
        /// For data of a regular file.
        const HINT_DATA = 0x20;
        /// Exactly what is asked.
        const HINT_NOPREALLOC = 0x40;
        /// From the locality group.
        const HINT_GROUP_ALLOC = 0x80;
        /// Try the goal's very block first.
        const HINT_TRY_GOAL = 0x200;
        /// Reserved by delayed allocation: no claim.
        const DELALLOC_RESERVED = 0x400;
        /// For a large file: go on behind the last such allocation.
        const STREAM_ALLOC = 0x800;
        /// May use the blocks kept for root.
        const USE_ROOT_BLOCKS = 0x1000;
        /// May use the reserve for metadata.
        const USE_RESERVED = 0x2000;
        /// Look again with all locks held.
        const STRICT_CHECK = 0x4000;
    }
}

/// `struct ext4_allocation_request`. Lengths are clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationRequest {
    /// For whom.
    pub inode: InodeId,
    /// Clusters wanted; then clusters given.
    pub len: u32,
    /// First logical block.
    pub logical: u32,
    /// Where it would be best.
    pub goal: u64,
    /// Nearest allocated logical block to the left.
    pub lleft: u32,
    /// Its place, 0 for none.
    pub pleft: u64,
    /// Nearest allocated logical block to the right.
    pub lright: u32,
    /// Its place, 0 for none.
    pub pright: u64,
    /// Flags.
    pub flags: MbFlags,
}

impl Default for AllocationRequest {
    fn default() -> Self {
        AllocationRequest {
            inode: InodeId::NONE,
            len: 0,
            logical: 0,
            goal: 0,
            lleft: 0,
            pleft: 0,
            lright: 0,
            pright: 0,
            flags: MbFlags::empty(),
        }
    }
}

/// `struct ext4_free_extent`: clusters of a group, and the logical block they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FreeExtent {
    group: u32,
    start: u32,
    len: u32,
    logical: u32,
}

impl FreeExtent {
    /// The two words a trace prints as `group/start/len@logical`.
    fn words(self) -> (u64, u64) {
        (halves(self.group, self.start), halves(self.len, self.logical))
    }

    /// `extent_logical_end()`.
    fn logical_end(self, cluster_bits: u8) -> u64 {
        u64::from(self.logical) + (u64::from(self.len) << cluster_bits)
    }
}

fn halves(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Continue,
    Found,
    Break,
}

/// `struct ext4_allocation_context`.
#[derive(Clone, Copy, Debug)]
struct Context {
    inode: InodeId,
    /// As asked.
    original: FreeExtent,
    /// As normalised.
    goal: FreeExtent,
    /// Best found.
    best: FreeExtent,
    /// As found, before the rest became a preallocation.
    found_ex: FreeExtent,
    status: Status,
    flags: MbFlags,
    /// log2 of the length if that is a power of two, else 0.
    order2: u32,
    criteria: u32,
    found: u32,
    groups_scanned: u32,
    /// What was left to mark when a chunk first had to be split, and its order.
    tail: u32,
    split_order: u32,
    /// The preallocation used.
    pa: PaId,
}

/// True on a mount with delayed allocation.
#[must_use]
pub fn has_delalloc(w: &World) -> bool {
    MountOpts::of(w).contains(MountOpts::DELALLOC)
}

/// `ext4_should_writeback_data()`: nothing waits for the file's data.
fn should_writeback_data(w: &World, inode: InodeId) -> bool {
    is_regular(w, inode) && MountOpts::of(w).contains(MountOpts::DATA_WRITEBACK)
}

/// Words of one group's bitmap.
fn words_per_group(w: &World) -> u32 {
    w.sb().clusters_per_group.div_ceil(64)
}

fn first_word(w: &World, group: u32) -> u32 {
    group * words_per_group(w)
}

/// A copy of a group's in-core bitmap, to search in.
fn group_bits(w: &World, group: u32) -> GroupBits {
    let first = first_word(w, group);
    let words = (first..first + words_per_group(w)).map(|n| w.bitmap.get(WordId(n)).copied().unwrap_or(!0)).collect();
    GroupBits::new(words, w.sb().clusters_per_group, u32::from(w.sb().block_bits) + 1)
}

/// Sets or clears a run of bits; only words that change are logged.
fn write_bits(w: &mut World, group: u32, start: u32, len: u32, used: bool) {
    let first = first_word(w, group);
    let (mut at, end) = (start, start + len);
    while at < end {
        let (word, bit) = (at / 64, at % 64);
        let count = (64 - bit).min(end - at);
        let mask = (!0u64 >> (64 - count)) << bit;
        let slot = WordId(first + word);
        let old = w.bitmap.get(slot).copied().unwrap_or(0);
        let new = if used { old | mask } else { old & !mask };
        if new != old {
            *w.bitmap_mut(slot) = new;
        }
        at += count;
    }
}

/// `ext4_mb_init()`: what the descriptors say of every group; nothing is loaded.
/// The descriptors have been read.
pub fn ext4_mb_init(w: &mut World) {
    let buddy = w.inode_mut(InodeId::BUDDY);
    (buddy.ino, buddy.count) = (1, 1);
    buddy.bits.insert(InodeBits::PRESENT);
    *w.counter_mut(world::Counter::StreamGoal) = 0;
    for group in 0..w.sb().groups {
        let free = ext4_get_group_desc(w, group).map_or(0, |(desc, _)| {
            if has_group_desc_csum(w) && desc.flags().contains(GroupFlags::BLOCK_UNINIT) {
                ext4_free_clusters_after_init(w, group, &desc)
            } else {
                desc.free_clusters()
            }
        });
        *w.group_mut(GroupId(group)) = GroupInfo { free, ..GroupInfo::default() };
    }
}

/// `ext4_mb_release()`: at umount every preallocation, bitmap and group word goes.
pub fn ext4_mb_release(w: &mut World) {
    prealloc::drop_all(w);
    let keys: Vec<(u32, u64)> = w.freed.entries().keys().copied().collect();
    for key in keys {
        w.freed_set(key, None);
    }
    let pages: Vec<_> =
        w.cache.entries().range((InodeId::BUDDY, 0)..=(InodeId::BUDDY, u32::MAX)).map(|(_, &page)| page).collect();
    for page in pages {
        filemap::delete_from_page_cache(w, page);
    }
    for group in 0..w.sb().groups {
        let first = first_word(w, group);
        for n in first..first + words_per_group(w) {
            if w.bitmap.get(WordId(n)).is_some_and(|word| *word != 0) {
                *w.bitmap_mut(WordId(n)) = 0;
            }
        }
        *w.group_mut(GroupId(group)) = GroupInfo::default();
    }
    *w.inode_mut(InodeId::BUDDY) = world::Inode::default();
}

/// `ext4_mb_init_group()`: the in-core bitmap of a group, and of those that
/// share its page of the buddy inode.
///
/// # Errors
/// What reading the bitmap gives.
async fn load_group(kt: &Kthread, group: u32) -> Result<(), Errno> {
    if kt.with(|w| w.groups.at(GroupId(group)).loaded) {
        return Ok(());
    }
    let groups = kt.with(|w| {
        w.graph("ext4_mb_init_group { ext4_get_group_info");
        let quiet = std::mem::replace(&mut w.trace.quiet, true);
        let blocks_per_page = u32::try_from(PAGE_SIZE / block_size(w)).expect("at most 4");
        let groups_per_page = (blocks_per_page / 2).max(1);
        let pages = [group * 2 / blocks_per_page, (group * 2 + 1) / blocks_per_page];
        for (n, &index) in pages.iter().enumerate() {
            if (n == 0 || index != pages[0]) && w.find_page(InodeId::BUDDY, index).is_none() {
                let page = filemap::add_to_page_cache(w, InodeId::BUDDY, index);
                w.page_mut(page).flags.insert(world::PageFlags::UPTODATE);
                filemap::unlock_page(w, page);
                filemap::put_page(w, page);
            }
        }
        w.trace.quiet = quiet;
        for index in [0, 1] {
            if index == 0 || pages[0] != pages[1] {
                w.graph("pagecache_get_page { find_get_entry add_to_page_cache_lru { __add_to_page_cache_locked } }");
            }
        }
        w.graph("ext4_mb_init_cache { ext4_get_group_info");
        let first = group / groups_per_page * groups_per_page;
        first..(first + groups_per_page).min(w.sb().groups)
    });
    // All reads are submitted before the first is waited for.
    for one in groups.clone() {
        if kt.with(|w| !w.groups.at(GroupId(one)).loaded) {
            kt.with(|w| read_block_bitmap_nowait(w, one, false))?;
        }
    }
    let quiet = kt.with(|w| {
        w.graph("ext4_wait_block_bitmap { ext4_wait_block_bitmap { ext4_validate_block_bitmap { ext4_get_group_info } } }");
        w.graph("ext4_mb_generate_from_pa { ext4_get_group_info } ext4_get_group_info }");
        w.graph("ext4_mb_init_cache { ext4_get_group_info ext4_read_block_bitmap_nowait { __getblk_gfp { __find_get_block }");
        w.graph("ext4_validate_block_bitmap { ext4_get_group_info } } ext4_wait_block_bitmap ext4_get_group_info");
        w.graph("ext4_mb_generate_buddy } unlock_page unlock_page }");
        std::mem::replace(&mut w.trace.quiet, true)
    });
    let mut error = None;
    for one in groups {
        if kt.with(|w| w.groups.at(GroupId(one)).loaded) {
            continue;
        }
        let bh = kt.with(|w| read_block_bitmap_nowait(w, one, false))?.expect("only a prefetch gives up");
        match wait_block_bitmap(kt, one, bh).await {
            // Another task may have been faster while this one slept.
            Ok(()) => kt.with(|w| {
                if !w.groups.at(GroupId(one)).loaded {
                    point!(w, EXT4_MB_BITMAP_LOAD, one);
                    let bytes = w.bh_bytes(bh).to_vec();
                    generate(w, one, &bytes);
                }
            }),
            Err(errno) => error = Some(errno),
        }
    }
    kt.with(|w| w.trace.quiet = quiet);
    match error {
        Some(errno) if kt.with(|w| !w.groups.at(GroupId(group)).loaded) => Err(errno),
        _ => Ok(()),
    }
}

/// `ext4_mb_generate_buddy()` from the disk bitmap, preallocations and what was
/// freed but is not committed.
fn generate(w: &mut World, group: u32, disk: &[u8]) {
    let clusters = w.sb().clusters_per_group;
    let first = first_word(w, group);
    for n in 0..words_per_group(w) {
        let mut bytes = [0xff; 8];
        let from = n as usize * 8;
        let until = (from + 8).min(disk.len());
        if from < until {
            bytes[..until - from].copy_from_slice(&disk[from..until]);
        }
        let mut word = u64::from_le_bytes(bytes);
        let inside = clusters - (n * 64).min(clusters);
        if inside < 64 {
            word |= !0u64 << inside;
        }
        if w.bitmap.get(WordId(first + n)).copied() != Some(word) {
            *w.bitmap_mut(WordId(first + n)) = word;
        }
    }
    for (start, len) in prealloc::ranges_of_group(w, group) {
        write_bits(w, group, start, len, true);
    }
    for (start, len) in free::ranges_of_group(w, group) {
        write_bits(w, group, start, len, true);
    }
    point!(w, EXT4_MB_BUDDY_BITMAP_LOAD, group);
    let bits = group_bits(w, group);
    let (mut free, mut fragments, mut first_free) = (0, 0, clusters);
    for (start, len) in bits.free_runs() {
        first_free = first_free.min(start);
        free += len;
        fragments += 1;
    }
    let expected = w.groups.at(GroupId(group)).free;
    *w.group_mut(GroupId(group)) = GroupInfo { loaded: true, free, fragments, first_free };
    if free != expected {
        // "block bitmap and bg descriptor inconsistent"
        mark_group_bitmap_corrupted(w, group);
    }
}

/// `mb_mark_used()`: takes a free run out of the in-core bitmap. Gives what was
/// left to mark when a chunk first had to be split, and that chunk's order.
fn mb_mark_used(w: &mut World, ex: FreeExtent) -> (u32, u32) {
    let bits = group_bits(w, ex.group);
    w.graph("mb_mark_used {");
    graph_orders(w, |bits| bits.orders_of_marking(ex.start, ex.len), &bits);
    w.graph("ext4_set_bits }");
    let split = bits.first_split(ex.start, ex.len);
    let left = ex.start > 0 && bits.is_free(ex.start - 1);
    let right = bits.is_free(ex.start + ex.len);
    let info = w.group_mut(GroupId(ex.group));
    info.free -= ex.len;
    if info.first_free == ex.start {
        info.first_free += ex.len;
    }
    match (left, right) {
        (true, true) => info.fragments += 1,
        (false, false) => info.fragments -= 1,
        _ => {}
    }
    write_bits(w, ex.group, ex.start, ex.len, true);
    split
}

/// As many calls of `mb_find_order_for_block()` as `count` says.
fn graph_orders(w: &mut World, count: impl FnOnce(&GroupBits) -> u32, bits: &GroupBits) {
    if world::GRAPHS && w.trace.all_calls && w.trace.on {
        (0..count(bits)).for_each(|_| w.graph("mb_find_order_for_block"));
    }
}

/// `mb_free_blocks()`: gives a run back to the in-core bitmap.
fn mb_free_blocks(w: &mut World, group: u32, start: u32, len: u32) {
    if len == 0 || group_is_corrupt(w, group) || !w.groups.at(GroupId(group)).loaded {
        return;
    }
    let bits = group_bits(w, group);
    if (start..start + len).any(|n| bits.is_free(n)) {
        // "freeing already freed block; block bitmap corrupt"
        mark_group_bitmap_corrupted(w, group);
        return;
    }
    let left = start > 0 && bits.is_free(start - 1);
    let right = bits.is_free(start + len);
    let info = w.group_mut(GroupId(group));
    info.free += len;
    info.first_free = info.first_free.min(start);
    match (left, right) {
        (true, true) => info.fragments -= 1,
        (false, false) => info.fragments += 1,
        _ => {}
    }
    write_bits(w, group, start, len, false);
}

/// `ext4_mb_new_blocks()`, fs/ext4/mballoc.c: the first of `ar.len` blocks, from
/// a preallocation or from the groups. `ar.len` becomes the clusters given.
///
/// # Errors
/// `ENOSPC`, or what reading a bitmap or the journal gives.
pub async fn ext4_mb_new_blocks(kt: &Kthread, ar: &mut AllocationRequest) -> Result<u64, Errno> {
    let args = [u64::from(ar.len), u64::from(ar.logical), ar.goal, 0];
    trace::call!(kt, &site::EXT4_MB_NEW_BLOCKS, &args, Box::pin(new_blocks(kt, ar))).await
}

async fn new_blocks(kt: &Kthread, ar: &mut AllocationRequest) -> Result<u64, Errno> {
    let inode = ar.inode;
    kt.with(|w| {
        let (ino, flags) = (ino_of(w, inode), ar.flags.bits());
        point!(
            w,
            EXT4_REQUEST_BLOCKS,
            ino,
            flags,
            ar.len,
            ar.logical,
            ar.goal,
            ar.lleft,
            ar.lright,
            ar.pleft,
            ar.pright
        );
    });
    let mut claimed = 0;
    if !ar.flags.contains(MbFlags::DELALLOC_RESERVED) {
        while ar.len > 0 && !kt.with(|w| claim_free_clusters(w, u64::from(ar.len), ar.flags)) {
            ar.len /= 2;
        }
        probe!(kt, MNB_CLAIM, len = ar.len).await;
        if ar.len == 0 {
            return Err(Errno::ENOSPC);
        }
        claimed = ar.len;
        kt.with(|w| add_inode_blocks(w, inode, u64::from(claimed)));
        let quota_root = ar.flags.contains(MbFlags::USE_ROOT_BLOCKS);
        let marks = if quota_root {
            InodeState::DIRTY_SYNC
        } else {
            InodeState::DIRTY_SYNC | InodeState::DIRTY_DATASYNC | InodeState::DIRTY_PAGES
        };
        mark_inode_dirty(kt, inode, marks).await;
    }
    let result = allocate(kt, ar).await;
    if result.is_err() {
        ar.len = 0;
    }
    if ar.len < claimed {
        kt.with(|w| sub_inode_blocks(w, inode, u64::from(claimed - ar.len)));
        mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
    }
    kt.with(|w| {
        dirtyclusters_add(w, -i64::from(claimed));
        let (ino, flags, block) = (ino_of(w, inode), ar.flags.bits(), result.unwrap_or(0));
        point!(
            w,
            EXT4_ALLOCATE_BLOCKS,
            ino,
            flags,
            ar.len,
            block,
            ar.logical,
            ar.goal,
            ar.lleft,
            ar.lright,
            ar.pleft,
            ar.pright
        );
    });
    result
}

/// The middle of `ext4_mb_new_blocks()`: from `initialize_context` to `release_context`.
async fn allocate(kt: &Kthread, ar: &mut AllocationRequest) -> Result<u64, Errno> {
    kt.graph("ext4_mb_initialize_context { ext4_get_group_no_and_offset } ext4_mb_use_preallocated");
    let mut ac = kt.with(|w| search::initialize_context(w, ar));
    let preallocated = kt.with(|w| prealloc::use_preallocated(w, &mut ac));
    probe!(kt, MNB_PREALLOC, found = preallocated).await;
    let mut result = Ok(());
    if !preallocated {
        kt.with(|w| {
            w.graph("ext4_mb_normalize_request {");
            search::normalize_request(w, &mut ac, ar);
            w.graph("}");
        });
        probe!(kt, MNB_NORMALIZE, len = ac.goal.len).await;
        let mut tries = 0;
        loop {
            result = search::regular_allocator(kt, &mut ac).await;
            probe!(kt, MNB_FOUND, found = ac.status == Status::Found).await;
            tries += 1;
            if result.is_err() || ac.status == Status::Found {
                break;
            }
            if tries == 3 || !prealloc::discard_should_retry(kt, &mut ac).await {
                result = Err(Errno::ENOSPC);
                break;
            }
        }
    }
    if result.is_ok() {
        result = mark_diskspace_used(kt, &ac).await;
        if result.is_err() {
            kt.with(|w| prealloc::discard_allocated_blocks(w, &ac));
        }
    }
    if result.is_ok() {
        ar.len = ac.best.len;
    } else {
        ac.best.len = 0;
    }
    prealloc::release_context(kt, &ac).await;
    kt.with(|w| collect_stats(w, &ac, preallocated));
    result.map(|()| kt.with(|w| offset_to_block(w, ac.best.group, ac.best.start)))
}

/// `ext4_mb_collect_stats()`: only its tracepoint.
fn collect_stats(w: &mut World, ac: &Context, preallocated: bool) {
    let ino = ino_of(w, ac.inode);
    let (orig, orig_len) = ac.original.words();
    if preallocated {
        let (best, best_len) = ac.best.words();
        point!(w, EXT4_MBALLOC_PREALLOC, ino, orig, orig_len, best, best_len);
    } else {
        let (goal, goal_len) = ac.goal.words();
        let (result, result_len) = ac.found_ex.words();
        let search = u64::from(ac.found) << 32 | u64::from(ac.groups_scanned) << 8 | u64::from(ac.criteria);
        let broken = if ac.split_order > 0 { 1 << ac.split_order } else { 0 };
        let (flags, split) = (ac.flags.bits(), halves(ac.tail, broken));
        point!(w, EXT4_MBALLOC_ALLOC, ino, orig, orig_len, goal, goal_len, result, result_len, search, flags, split);
    }
}

/// `ext4_mb_mark_diskspace_used()`: disk bitmap, descriptor, counters.
async fn mark_diskspace_used(kt: &Kthread, ac: &Context) -> Result<(), Errno> {
    let best = ac.best;
    let args = [u64::from(best.group), u64::from(best.start), u64::from(best.len)];
    trace::call!(kt, &site::EXT4_MB_MARK_DISKSPACE_USED, &args, async {
        let bitmap_bh = ext4_read_block_bitmap(kt, best.group).await?;
        ext4_journal_get_write_access(kt, bitmap_bh).await?;
        let (_, desc_bh) = kt.with(|w| ext4_get_group_desc(w, best.group))?;
        ext4_journal_get_write_access(kt, desc_bh).await?;
        kt.with(|w| {
            let block = offset_to_block(w, best.group, best.start);
            let count = u64::from(best.len) << w.sb().cluster_bits;
            if !ext4_inode_block_valid(w, block, count) {
                // "Allocating blocks which overlap fs metadata"
                return Err(Errno::EUCLEAN);
            }
            w.graph("ext4_inode_block_valid ext4_set_bits ext4_free_group_clusters_set ext4_block_bitmap_csum_set");
            w.graph("ext4_group_desc_csum_set { ext4_group_desc_csum }");
            let (mut desc, _) = ext4_get_group_desc(w, best.group)?;
            set_disk_bits(w, bitmap_bh, best.start, best.len, true);
            if has_group_desc_csum(w) && desc.flags().contains(GroupFlags::BLOCK_UNINIT) {
                desc.set_flags(desc.flags() - GroupFlags::BLOCK_UNINIT);
                let free = ext4_free_clusters_after_init(w, best.group, &desc);
                desc.set_free_clusters(free);
            }
            desc.set_free_clusters(desc.free_clusters().saturating_sub(best.len));
            set_bitmap_csum(w, bitmap_bh, &mut desc);
            ext4_put_group_desc(w, best.group, desc)?;
            freeclusters_add(w, -i64::from(best.len));
            Ok(())
        })?;
        probe!(kt, MDU_BITS).await;
        ext4_handle_dirty_metadata(kt, None, bitmap_bh).await?;
        ext4_handle_dirty_metadata(kt, None, desc_bh).await?;
        probe!(kt, MDU_DESC).await;
        Ok(())
    })
    .await
}

/// Sets or clears bits of a disk bitmap; logs the bytes that hold them.
fn set_disk_bits(w: &mut World, bh: world::BhId, start: u32, len: u32, used: bool) {
    use ondisk::layout::bitmap;
    let (first, last) = (start / 8, (start + len - 1) / 8);
    let bytes = w.bh_bytes_mut(bh, first as usize, (last - first + 1) as usize);
    let range = start - first * 8..start + len - first * 8;
    if used { bitmap::set_range(bytes, range) } else { bitmap::clear_range(bytes, range) }
}

/// `ext4_block_bitmap_csum_set()`.
fn set_bitmap_csum(w: &World, bh: world::BhId, desc: &mut ondisk::layout::group_desc::GroupDesc) {
    if has_metadata_csum(w) {
        let sb = w.sb();
        let csum = ondisk::layout::bitmap::compute_checksum(w.bh_bytes(bh), sb.clusters_per_group, sb.csum_seed);
        desc.set_block_bitmap_csum(csum);
    }
}

#[cfg(test)]
mod tests;
