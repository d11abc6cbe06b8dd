//! Blocks and pointers taken away: truncate and punch.
//!
//! Where only the end of a block of pointers goes, the block stays; a whole
//! subtree goes bottom up, each block of pointers after what it points to.

use std::ops::Range;

use sched::Kthread;
use world::{BhFlags, BhId, Errno, InodeId, World};

use super::{
    Chain, DIND_BLOCK, IND_BLOCK, NDIR_BLOCKS, Path, TIND_BLOCK, addr_per_block, ext4_block_to_path, ext4_get_branch,
    pointer, pointers_mut,
};
use crate::block::ramdisk::REQ_META;
use crate::fs::buffer::bread;
use crate::fs::ext4::balloc::{ext4_inode_block_valid, is_regular};
use crate::fs::ext4::ext4_jbd2::{
    ext4_handle_dirty_metadata, ext4_journal_ensure_credits, ext4_journal_get_write_access,
};
use crate::fs::ext4::extents_status::{EXT_MAX_BLOCKS, es_remove_extent};
use crate::fs::ext4::file::bitmap_maxbytes;
use crate::fs::ext4::inode::truncate::ext4_blocks_for_truncate;
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::mballoc::{FreeBlocks, ext4_free_blocks};
use crate::fs::ext4::super_::{MountOpts, has_journal};
use crate::{probe, site, trace};

/// `ext4_find_shared()`, fs/ext4/indirect.c:801: the path to the first block that
/// goes, cut where a subtree is only partly freed. `chain.last` is then the
/// deepest link that stays in part, and its `at` the last pointer to stay; the
/// result is the whole subtree that goes from there, 0 for none.
async fn ext4_find_shared(kt: &Kthread, inode: InodeId, path: &Path, chain: &mut Chain) -> u32 {
    // A subtree that goes from its first pointer on goes whole.
    let mut depth = path.depth;
    while depth > 1 && path.offsets[depth - 1] == 0 {
        depth -= 1;
    }
    // What cannot be read is left to the freeing, which meets it again.
    let _ = ext4_get_branch(kt, inode, path, depth, chain).await;
    kt.with(|w| {
        let holes = |link: super::Indirect| (0..link.at).all(|at| pointer(w, inode, link.bh, at) == 0);
        while chain.last > 0 && holes(chain.link[chain.last]) {
            chain.last -= 1;
        }
        let link = &mut chain.link[chain.last];
        if chain.last > 0 && chain.last + 1 == depth {
            link.at -= 1;
            return 0;
        }
        pointer(w, inode, link.bh, link.at)
    })
}

/// `ext4_clear_blocks()`, fs/ext4/indirect.c:861: frees a run of blocks and zeroes
/// the pointers that named them; false if it cannot be a run of data.
async fn ext4_clear_blocks(
    kt: &Kthread,
    inode: InodeId,
    bh: Option<BhId>,
    block: u64,
    count: u64,
    pointers: Range<u16>,
) -> bool {
    if !kt.with(|w| ext4_inode_block_valid(w, block, count)) {
        return false;
    }
    let mut flags = FreeBlocks::VALIDATED;
    kt.with(|w| {
        let journalled = ext4_should_journal_data(w, inode);
        if !is_regular(w, inode) {
            flags |= FreeBlocks::FORGET | FreeBlocks::METADATA;
        } else if journalled {
            flags |= FreeBlocks::FORGET;
        }
        // ext4_free_data_revoke_credits()
        let revokes = journalled && !MountOpts::of(w).contains(MountOpts::DATA_JOURNAL);
        ensure_credits(w, kt, inode, if revokes { u32::try_from(count).unwrap_or(u32::MAX) } else { 0 });
        pointers_mut(w, inode, bh, pointers).fill(0);
    });
    // A block that cannot be freed stays in use; the kernel goes on too.
    let _: Result<(), Errno> = ext4_free_blocks(kt, inode, None, block, count, flags).await;
    true
}

/// `ext4_ind_truncate_ensure_credits()`, fs/ext4/indirect.c:729.
///
/// Not modelled: restarting the handle, see docs/omissions.md#allocator.
fn ensure_credits(w: &mut World, kt: &Kthread, inode: InodeId, revoke: u32) {
    /// EXT4_RESERVE_TRANS_BLOCKS.
    const RESERVE: u32 = 12;
    let extend = ext4_blocks_for_truncate(w, inode);
    ext4_journal_ensure_credits(w, kt, RESERVE, extend, revoke);
}

/// `ext4_free_data()`, fs/ext4/indirect.c:918: frees the data blocks that these
/// pointers name, run by run.
async fn ext4_free_data(kt: &Kthread, inode: InodeId, bh: Option<BhId>, pointers: Range<u16>) {
    trace::call!(kt, &site::EXT4_FREE_DATA, &[], async {
        if let Some(bh) = bh
            && ext4_journal_get_write_access(kt, bh).await.is_err()
        {
            return;
        }
        let end = pointers.end;
        let mut run: Option<(u64, u64, u16)> = None;
        for at in pointers {
            let block = u64::from(kt.with(|w| pointer(w, inode, bh, at)));
            run = match run {
                _ if block == 0 => continue,
                Some((first, count, from)) if first + count == block => Some((first, count + 1, from)),
                Some((first, count, from)) => {
                    if !ext4_clear_blocks(kt, inode, bh, first, count, from..at).await {
                        run = None;
                        break;
                    }
                    probe!(kt, FRD_RUN, block = first, count = count).await;
                    Some((block, 1, at))
                }
                None => Some((block, 1, at)),
            };
        }
        if let Some((first, count, from)) = run
            && ext4_clear_blocks(kt, inode, bh, first, count, from..end).await
        {
            probe!(kt, FRD_RUN, block = first, count = count).await;
        }
        if let Some(bh) = bh {
            // A block that a damaged map made point to itself has just left the journal.
            let known = kt.with(|w| !has_journal(w) || w.bhs.at(bh).flags.contains(BhFlags::JBD));
            if known {
                // The kernel drops its error.
                let _ = ext4_handle_dirty_metadata(kt, Some(inode), bh).await;
            }
        }
    })
    .await;
}

/// `ext4_free_branches()`, fs/ext4/indirect.c:1003: frees all that these pointers
/// of a block lead to, the last first; `depth` blocks of pointers lie between
/// them and data.
async fn ext4_free_branches(kt: &Kthread, inode: InodeId, bh: BhId, pointers: Range<u16>, depth: usize) {
    if depth == 0 {
        return ext4_free_data(kt, inode, Some(bh), pointers).await;
    }
    for at in pointers.rev() {
        let block = kt.with(|w| pointer(w, inode, Some(bh), at));
        if block == 0 {
            continue;
        }
        match free_subtree(kt, inode, block, depth).await {
            Subtree::Freed => {
                if ext4_journal_get_write_access(kt, bh).await.is_ok() {
                    kt.with(|w| pointers_mut(w, inode, Some(bh), at..at + 1).fill(0));
                    // The kernel drops its error.
                    let _ = ext4_handle_dirty_metadata(kt, Some(inode), bh).await;
                }
            }
            Subtree::Unreadable => {}
            Subtree::Damaged => break,
        }
    }
}

/// What became of a block of pointers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subtree {
    /// It is free.
    Freed,
    /// It could not be read: it, and what it leads to, stay in use.
    Unreadable,
    /// It cannot be such a block.
    Damaged,
}

impl trace::Word for Subtree {
    fn word(self) -> u64 {
        0
    }
}

/// One pointer's turn in `ext4_free_branches()`: what the block of pointers leads
/// to, then the block itself.
async fn free_subtree(kt: &Kthread, inode: InodeId, block: u32, depth: usize) -> Subtree {
    trace::call!(kt, &site::EXT4_FREE_BRANCHES, &[depth as u64, u64::from(block)], async {
        if !kt.with(|w| ext4_inode_block_valid(w, block.into(), 1)) {
            return Subtree::Damaged;
        }
        let Ok(bh) = bread(kt, block.into(), REQ_META).await else { return Subtree::Unreadable };
        let all = 0..kt.with(|w| addr_per_block(w));
        Box::pin(ext4_free_branches(kt, inode, bh, all, depth - 1)).await;
        // ext4_free_metadata_revoke_credits(): one cluster
        kt.with(|w| ensure_credits(w, kt, inode, 1 << w.sb().cluster_bits));
        let flags = FreeBlocks::METADATA | FreeBlocks::FORGET;
        // A block that cannot be freed stays in use; the kernel goes on too.
        let _: Result<(), Errno> = ext4_free_blocks(kt, inode, None, block.into(), 1, flags).await;
        probe!(kt, FBR_FREED, block = block).await;
        Subtree::Freed
    })
    .await
}

/// Frees the subtree that one of the inode's own pointers leads to. The pointer
/// is zeroed even if something of the subtree stays.
async fn free_from_inode(kt: &Kthread, inode: InodeId, at: u16) {
    let block = kt.with(|w| pointer(w, inode, None, at));
    if block != 0 {
        free_subtree(kt, inode, block, usize::from(at - IND_BLOCK) + 1).await;
        kt.with(|w| pointers_mut(w, inode, None, at..at + 1).fill(0));
    }
}

/// Frees the subtree that [`ext4_find_shared`] found to go whole.
async fn free_top(kt: &Kthread, inode: InodeId, path: &Path, chain: &Chain) {
    let link = chain.link[chain.last];
    match link.bh {
        None => free_from_inode(kt, inode, link.at).await,
        Some(bh) => ext4_free_branches(kt, inode, bh, link.at..link.at + 1, path.depth - 1 - chain.last).await,
    }
}

/// Frees what lies behind a chain in the blocks of pointers that stay.
async fn free_tails(kt: &Kthread, inode: InodeId, path: &Path, chain: &mut Chain) {
    let end = kt.with(|w| addr_per_block(w));
    while let Some(bh) = chain.link[chain.last].bh {
        let depth = path.depth - 1 - chain.last;
        ext4_free_branches(kt, inode, bh, chain.link[chain.last].at + 1..end, depth).await;
        chain.last -= 1;
    }
}

/// Frees what lies before a chain in the blocks of pointers that stay.
async fn free_heads(kt: &Kthread, inode: InodeId, path: &Path, chain: &mut Chain) {
    while let Some(bh) = chain.link[chain.last].bh {
        let depth = path.depth - 1 - chain.last;
        ext4_free_branches(kt, inode, bh, 0..chain.link[chain.last].at, depth).await;
        chain.last -= 1;
    }
}

/// Blocks that a map can have, as a size in bytes has them.
fn max_block(w: &World) -> u32 {
    let blocks = bitmap_maxbytes(w) >> w.sb().block_bits;
    u32::try_from(blocks).expect("three levels of pointers reach fewer than 2^32 blocks")
}

/// `ext4_ind_truncate()`, fs/ext4/indirect.c:1114: everything behind `i_size`
/// goes. The caller has a handle and holds `i_data_sem` alone. What a damaged map
/// does not let go stays; there is no error to tell.
pub async fn ext4_ind_truncate(kt: &Kthread, inode: InodeId) {
    let size = kt.with(|w| w.sizes.at(inode).i_size);
    trace::call!(kt, &site::EXT4_IND_TRUNCATE, &[size], async {
        let (last_block, max_block) = kt.with(|w| {
            let blocks = size.div_ceil(1 << w.sb().block_bits);
            (u32::try_from(blocks).unwrap_or(EXT_MAX_BLOCKS), max_block(w))
        });
        kt.with(|w| {
            es_remove_extent(w, inode, last_block, EXT_MAX_BLOCKS - last_block);
            w.size_mut(inode).i_disksize = size;
        });
        probe!(kt, ITR_SIZE, last_block = last_block).await;
        // Nothing can lie behind the last block that a map reaches.
        let Some(path) = kt.with(|w| ext4_block_to_path(w, last_block)).filter(|_| last_block != max_block) else {
            return;
        };
        if path.depth == 1 {
            ext4_free_data(kt, inode, None, path.offsets[0]..NDIR_BLOCKS).await;
            probe!(kt, ITR_DIRECT).await;
        } else {
            let mut chain = Chain::default();
            if ext4_find_shared(kt, inode, &path, &mut chain).await != 0 {
                free_top(kt, inode, &path, &chain).await;
            }
            probe!(kt, ITR_TOP).await;
            free_tails(kt, inode, &path, &mut chain).await;
            probe!(kt, ITR_TAILS).await;
        }
        for at in [IND_BLOCK, DIND_BLOCK, TIND_BLOCK] {
            if at > path.offsets[0] {
                free_from_inode(kt, inode, at).await;
            }
        }
        probe!(kt, ITR_WHOLE).await;
    })
    .await;
}

/// `ext4_ind_remove_space()`, fs/ext4/indirect.c:1229: frees blocks `start..end`,
/// for a hole. The caller has a handle and holds `i_data_sem` alone.
///
/// # Panics
/// If the range goes up to the last block a map can have: a punch ends before it.
pub async fn ext4_ind_remove_space(kt: &Kthread, inode: InodeId, start: u32, end: u32) {
    trace::call!(kt, &site::EXT4_IND_REMOVE_SPACE, &[u64::from(start), u64::from(end)], async {
        let inside = "a hole ends a block before the last that a map can have";
        let (from, to) = kt.with(|w| {
            assert!(start < end && end < max_block(w), "{inside}");
            (ext4_block_to_path(w, start).expect(inside), ext4_block_to_path(w, end).expect(inside))
        });
        if to.depth == 1 {
            ext4_free_data(kt, inode, None, from.offsets[0]..to.offsets[0]).await;
            probe!(kt, IRS_DIRECT).await;
        } else if from.depth < to.depth {
            remove_across_levels(kt, inode, &from, &to).await;
            probe!(kt, IRS_LEVELS).await;
        } else {
            remove_in_level(kt, inode, &from, &to).await;
            probe!(kt, IRS_LEVEL).await;
        }
    })
    .await;
}

/// The range begins and ends behind different pointers of the inode.
async fn remove_across_levels(kt: &Kthread, inode: InodeId, from: &Path, to: &Path) {
    if from.depth == 1 {
        ext4_free_data(kt, inode, None, from.offsets[0]..NDIR_BLOCKS).await;
    } else {
        let mut chain = Chain::default();
        if ext4_find_shared(kt, inode, from, &mut chain).await != 0 {
            free_top(kt, inode, from, &chain).await;
        }
        free_tails(kt, inode, from, &mut chain).await;
    }
    let mut chain = Chain::default();
    let top = ext4_find_shared(kt, inode, to, &mut chain).await;
    if top == 0 {
        // What stays at the end of a truncate is the last that goes here.
        chain.link[chain.last].at += 1;
    }
    free_heads(kt, inode, to, &mut chain).await;
    // Whole subtrees between the two.
    let first = from.offsets[0].max(NDIR_BLOCKS - 1) + 1;
    for at in first..to.offsets[0] {
        free_from_inode(kt, inode, at).await;
    }
}

/// Both ends of the range lie behind the same pointer of the inode.
async fn remove_in_level(kt: &Kthread, inode: InodeId, from: &Path, to: &Path) {
    let (mut left, mut right) = (Chain::default(), Chain::default());
    let top = ext4_find_shared(kt, inode, from, &mut left).await;
    let right_top = ext4_find_shared(kt, inode, to, &mut right).await;
    if top != 0 {
        let level = left.last.min(right.last);
        let shared = from.offsets[..=level] == to.offsets[..=level];
        if !shared {
            free_top(kt, inode, from, &left).await;
        }
    }
    if right_top == 0 {
        right.link[right.last].at += 1;
    }
    let per_block = kt.with(|w| addr_per_block(w));
    loop {
        let (a, b) = (left.link[left.last], right.link[right.last]);
        let depth = from.depth - 1 - left.last;
        let right_depth = to.depth - 1 - right.last;
        if let (Some(bh), true) = (a.bh, a.bh == b.bh) {
            ext4_free_branches(kt, inode, bh, a.at + 1..b.at, depth).await;
            return;
        }
        if a.bh.is_none() && b.bh.is_none() {
            return;
        }
        // The deeper of the two goes up first, so that they meet.
        if let Some(bh) = a.bh
            && depth <= right_depth
        {
            ext4_free_branches(kt, inode, bh, a.at + 1..per_block, depth).await;
            left.last -= 1;
        }
        if let Some(bh) = b.bh
            && right_depth <= depth
        {
            ext4_free_branches(kt, inode, bh, 0..b.at, right_depth).await;
            right.last -= 1;
        }
    }
}
