//! Blocks given back: on disk at once, to be had again after the commit.

use bitflags::bitflags;
use sched::Kthread;
use world::{BhId, Errno, InodeId, InodeState, PAGE_SIZE, World};

use super::search::LOAD_BUDDY;
use super::{load_group, mb_free_blocks, set_bitmap_csum, set_disk_bits, should_writeback_data};
use crate::fs::buffer::{block_size, getblk};
use crate::fs::ext4::balloc::{
    blocks_per_group, current_tid, ext4_get_group_desc, ext4_inode_block_valid, ext4_put_group_desc,
    ext4_read_block_bitmap, freeclusters_add, group_and_offset, group_is_corrupt, sub_inode_blocks,
};
use crate::fs::ext4::ext4_jbd2::{ext4_forget, ext4_handle_dirty_metadata, ext4_journal_get_write_access};
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::fs::jbd2::commit::ext4_force_commit;
use crate::fs::jbd2::transaction::journal_current_handle;
use crate::mm::page_writeback::ino_of;
use crate::trace::Graph as _;
use crate::{point, probe, site, trace};

bitflags! {
    /// EXT4_FREE_BLOCKS_ flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct FreeBlocks: u32 {
        /// The blocks hold metadata.
        const METADATA = 0x1;
        /// Their buffers are to be forgotten by the journal.
        const FORGET = 0x2;
        /// They were checked to lie in the data zone.
        const VALIDATED = 0x4;
        /// The quota, and so `i_blocks`, is not told.
        const NO_QUOT_UPDATE = 0x8;
        /// Bigalloc: the first cluster stays if it is not wholly covered.
        const NOFREE_FIRST_CLUSTER = 0x10;
        /// The same for the last cluster.
        const NOFREE_LAST_CLUSTER = 0x20;
        /// Bigalloc: the caller does the counting.
        const RERESERVE_CLUSTER = 0x40;
    }
}

/// `ext4_free_blocks()`, fs/ext4/mballoc.c: gives `count` blocks from `block`
/// back. `bh` is the buffer of a single one that the journal is to forget, where
/// the caller has it.
///
/// # Errors
/// `EUCLEAN` for blocks outside the data zone, or what reading a bitmap or the
/// journal gives.
pub async fn ext4_free_blocks(
    kt: &Kthread,
    inode: InodeId,
    bh: Option<BhId>,
    block: u64,
    count: u64,
    flags: FreeBlocks,
) -> Result<(), Errno> {
    let args = [block, count, u64::from(flags.bits())];
    trace::call!(kt, &site::EXT4_FREE_BLOCKS_FN, &args, Box::pin(free_blocks(kt, inode, bh, block, count, flags))).await
}

async fn free_blocks(
    kt: &Kthread,
    inode: InodeId,
    bh: Option<BhId>,
    mut block: u64,
    mut count: u64,
    mut flags: FreeBlocks,
) -> Result<(), Errno> {
    kt.graph("ext4_inode_block_valid");
    if !flags.contains(FreeBlocks::VALIDATED) && !kt.with(|w| ext4_inode_block_valid(w, block, count)) {
        return Err(Errno::EUCLEAN);
    }
    flags.insert(FreeBlocks::VALIDATED);
    kt.with(|w| {
        let (ino, mode) = (ino_of(w, inode), w.inodes.at(inode).mode);
        point!(w, EXT4_FREE_BLOCKS, ino, mode, block, count, flags.bits());
    });
    // Whole clusters only: partial ones at both ends go too, or stay.
    let ratio = kt.with(|w| 1u64 << w.sb().cluster_bits);
    let into = block % ratio;
    if into > 0 {
        if flags.contains(FreeBlocks::NOFREE_FIRST_CLUSTER) {
            let skipped = ratio - into;
            if count <= skipped {
                return Ok(());
            }
            (block, count) = (block + skipped, count - skipped);
        } else {
            (block, count) = (block - into, count + into);
        }
    }
    let over = count % ratio;
    if over > 0 {
        if flags.contains(FreeBlocks::NOFREE_LAST_CLUSTER) {
            if count <= over {
                return Ok(());
            }
            count -= over;
        } else {
            count += ratio - over;
        }
    }
    if flags.contains(FreeBlocks::FORGET) {
        let is_metadata = flags.contains(FreeBlocks::METADATA);
        kt.with(|w| {
            for block in block..block + count {
                let bh = bh.or_else(|| if is_metadata { find_get_block(w, block) } else { None });
                ext4_forget(w, kt, inode, is_metadata, bh, block);
            }
        });
    }
    while count > 0 {
        let piece = kt.with(|w| {
            let into = (block - u64::from(w.sb().first_data_block)) % blocks_per_group(w);
            count.min(blocks_per_group(w) - into)
        });
        clear_bb(kt, inode, block, piece, flags).await?;
        (block, count) = (block + piece, count - piece);
    }
    Ok(())
}

/// `ext4_mb_clear_bb()` within one group.
async fn clear_bb(kt: &Kthread, inode: InodeId, block: u64, count: u64, flags: FreeBlocks) -> Result<(), Errno> {
    let (group, start, len) = kt.with(|w| {
        let (group, start) = group_and_offset(w, block);
        let len = u32::try_from(count.div_ceil(1 << w.sb().cluster_bits)).expect("at most a group");
        (group, start, len)
    });
    kt.graph("ext4_get_group_no_and_offset ext4_get_group_info");
    if kt.with(|w| group_is_corrupt(w, group)) {
        return Ok(());
    }
    let bitmap_bh = ext4_read_block_bitmap(kt, group).await?;
    let (_, desc_bh) = kt.with(|w| ext4_get_group_desc(w, group))?;
    ext4_journal_get_write_access(kt, bitmap_bh).await?;
    ext4_journal_get_write_access(kt, desc_bh).await?;
    kt.with(|w| {
        let ino = ino_of(w, inode);
        point!(w, EXT4_MBALLOC_FREE, ino, group, start, len);
    });
    kt.graph(LOAD_BUDDY);
    load_group(kt, group).await?;
    kt.with(|w| {
        w.graph("ext4_inode_journal_mode");
        let tid = current_tid(w);
        set_disk_bits(w, bitmap_bh, start, len, false);
        if tid != 0 && (flags.contains(FreeBlocks::METADATA) || !should_writeback_data(w, inode)) {
            w.graph("ext4_mb_free_metadata");
            remember_freed(w, tid, group, start, len);
        } else {
            mb_free_blocks(w, group, start, len);
        }
        w.graph("ext4_free_group_clusters_set ext4_block_bitmap_csum_set");
        w.graph("ext4_group_desc_csum_set { ext4_group_desc_csum }");
        let (mut desc, _) = ext4_get_group_desc(w, group)?;
        desc.set_free_clusters(desc.free_clusters() + len);
        set_bitmap_csum(w, bitmap_bh, &mut desc);
        ext4_put_group_desc(w, group, desc)?;
        Ok(())
    })?;
    probe!(kt, FRB_BITS, block = block, count = count).await;
    if !flags.contains(FreeBlocks::RERESERVE_CLUSTER) {
        if !flags.contains(FreeBlocks::NO_QUOT_UPDATE) {
            kt.with(|w| sub_inode_blocks(w, inode, u64::from(len)));
            mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await;
        }
        kt.with(|w| freeclusters_add(w, i64::from(len)));
    }
    ext4_handle_dirty_metadata(kt, None, bitmap_bh).await?;
    ext4_handle_dirty_metadata(kt, None, desc_bh).await
}

/// `sb_find_get_block()`: the buffer of a device block, if it is in memory.
fn find_get_block(w: &mut World, block: u64) -> Option<BhId> {
    let per_page = PAGE_SIZE / block_size(w);
    let index = u32::try_from(block / per_page).expect("a device has fewer than 2^32 pages");
    w.find_page(InodeId::BDEV, index)?;
    Some(getblk(w, block))
}

/// `jbd2_journal_force_commit_nested()`, so that what was freed can be had again.
pub async fn force_commit(kt: &Kthread) {
    if kt.with(|w| journal_current_handle(w, kt.task).is_none()) {
        // The caller tries again whatever came of it.
        let _ = Box::pin(ext4_force_commit(kt)).await;
    }
}

fn cluster_number(w: &World, group: u32, start: u32) -> u64 {
    u64::from(group) * u64::from(w.sb().clusters_per_group) + u64::from(start)
}

fn group_and_start(w: &World, cluster: u64) -> (u32, u32) {
    let per_group = u64::from(w.sb().clusters_per_group);
    let small = "made of a 32-bit group and cluster";
    (u32::try_from(cluster / per_group).expect(small), u32::try_from(cluster % per_group).expect(small))
}

/// `ext4_mb_free_metadata()`: to be allocatable after the commit; adjoining
/// entries of one transaction and group are one.
fn remember_freed(w: &mut World, tid: u32, group: u32, start: u32, len: u32) {
    let (mut first, mut len) = (cluster_number(w, group, start), len);
    let left = w.freed.entries().range((tid, 0)..(tid, first)).next_back().map(|(&(_, at), &count)| (at, count));
    if let Some((at, count)) = left
        && at + u64::from(count) == first
        && group_and_start(w, at).0 == group
    {
        w.freed_set((tid, at), None);
        (first, len) = (at, len + count);
    }
    let next = first + u64::from(len);
    if group_and_start(w, next).0 == group
        && let Some(count) = w.freed.get((tid, next))
    {
        w.freed_set((tid, next), None);
        len += count;
    }
    w.freed_set((tid, first), Some(len));
}

/// Clusters of `group` that wait for a commit: first and count.
pub(super) fn ranges_of_group(w: &World, group: u32) -> Vec<(u32, u32)> {
    w.freed
        .entries()
        .iter()
        .map(|(&(_, cluster), &len)| (group_and_start(w, cluster), len))
        .filter(|&((in_group, _), _)| in_group == group)
        .map(|((_, start), len)| (start, len))
        .collect()
}

/// `ext4_process_freed_data()`, called when transaction `tid` has been
/// committed: what it freed may be allocated again.
pub fn mb_commit_callback(w: &mut World, tid: u32) {
    let freed: Vec<(u64, u32)> =
        w.freed.entries().range((tid, 0)..=(tid, u64::MAX)).map(|(&(_, at), &len)| (at, len)).collect();
    for (cluster, len) in freed {
        w.freed_set((tid, cluster), None);
        let (group, start) = group_and_start(w, cluster);
        mb_free_blocks(w, group, start, len);
    }
}
