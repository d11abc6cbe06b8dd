//! Block and inode bitmaps: bit `n` is bit `n % 8` of byte `n / 8`.
//!
//! Past the group's last cluster or inode, up to the end of the block, all bits
//! must be set (`ext4_mark_bitmap_end`, fs/ext4/ialloc.c).

use core::ops::Range;

use super::group_desc::GroupDesc;
use super::superblock::Superblock;
use crate::crc32c::crc32c;
use crate::ids::Group;

/// Byte and mask of bit `n`.
fn place(n: u32) -> (usize, u8) {
    (usize::try_from(n / 8).unwrap_or(usize::MAX), 1 << (n % 8))
}

/// Whether bit `n` is set; a bit past the end counts as set, as padding does.
#[must_use]
pub fn test(bitmap: &[u8], n: u32) -> bool {
    let (byte, mask) = place(n);
    bitmap.get(byte).is_none_or(|b| b & mask != 0)
}

/// Sets bit `n` and says whether it was set before.
pub fn set(bitmap: &mut [u8], n: u32) -> bool {
    let (byte, mask) = place(n);
    let Some(b) = bitmap.get_mut(byte) else { return true };
    let before = *b & mask != 0;
    *b |= mask;
    before
}

/// Clears bit `n` and says whether it was set before.
pub fn clear(bitmap: &mut [u8], n: u32) -> bool {
    let (byte, mask) = place(n);
    let Some(b) = bitmap.get_mut(byte) else { return true };
    let before = *b & mask != 0;
    *b &= !mask;
    before
}

/// Sets every bit of `range`.
pub fn set_range(bitmap: &mut [u8], range: Range<u32>) {
    for n in range {
        set(bitmap, n);
    }
}

/// Clears every bit of `range`.
pub fn clear_range(bitmap: &mut [u8], range: Range<u32>) {
    for n in range {
        clear(bitmap, n);
    }
}

/// Sets every bit from `end` to the end of the slice.
pub fn pad_from(bitmap: &mut [u8], end: u32) {
    let bits = u32::try_from(bitmap.len()).map_or(u32::MAX, |len| len.saturating_mul(8));
    set_range(bitmap, end..bits);
}

/// The first bit of `range` with the wanted value.
#[must_use]
pub fn find(bitmap: &[u8], range: Range<u32>, wanted: bool) -> Option<u32> {
    let skipped = if wanted { 0 } else { 0xff };
    let mut n = range.start;
    while n < range.end {
        let byte = usize::try_from(n / 8).ok()?;
        if n.is_multiple_of(8) && bitmap.get(byte) == Some(&skipped) {
            n = n.saturating_add(8);
        } else if test(bitmap, n) == wanted {
            return Some(n);
        } else {
            n += 1;
        }
    }
    None
}

/// The first clear bit of `range`.
#[must_use]
pub fn find_clear(bitmap: &[u8], range: Range<u32>) -> Option<u32> {
    find(bitmap, range, false)
}

/// The first set bit of `range`.
#[must_use]
pub fn find_set(bitmap: &[u8], range: Range<u32>) -> Option<u32> {
    find(bitmap, range, true)
}

/// Runs of set bits (or clear ones) below `end`, in order.
pub fn runs(bitmap: &[u8], end: u32, wanted: bool) -> impl Iterator<Item = Range<u32>> {
    let mut next = 0;
    core::iter::from_fn(move || {
        let start = find(bitmap, next..end, wanted)?;
        next = find(bitmap, start..end, !wanted).unwrap_or(end);
        Some(start..next)
    })
}

/// Clear bits below `end`.
#[must_use]
pub fn count_clear(bitmap: &[u8], end: u32) -> u32 {
    runs(bitmap, end, false).map(|run| run.end - run.start).sum()
}

/// The checksum kept in the descriptor (`ext4_block_bitmap_csum_set` and its
/// twin for inodes): over the `bits` clusters or inodes of a full group.
#[must_use]
pub fn compute_checksum(bitmap: &[u8], bits: u32, fs_seed: u32) -> u32 {
    let (bytes, _) = place(bits);
    crc32c(fs_seed, &bitmap[..bytes.min(bitmap.len())])
}

/// Makes the bitmap of a BLOCK_UNINIT group (`ext4_init_block_bitmap`,
/// fs/ext4/balloc.c): superblock, descriptors and their reserve at its start,
/// its own bitmaps and inode table if they lie in it, and the padding.
pub fn init_block_bitmap(bitmap: &mut [u8], sb: &Superblock, group: Group, desc: &GroupDesc) {
    bitmap.fill(0);
    let (first, ratio) = (sb.group_first_block(group).0, u64::from(sb.cluster_ratio()));
    let blocks = u64::from(sb.group_blocks(group));
    let mut take = |start: u64, len: u64| {
        let from = start.saturating_sub(first);
        let to = start.saturating_add(len).saturating_sub(first).min(blocks).div_ceil(ratio);
        // Both are below a group's blocks, which are 32 bits.
        let [from, to] = [from / ratio, to].map(|bit| u32::try_from(bit).unwrap_or(u32::MAX));
        if start >= first {
            set_range(bitmap, from..to);
        }
    };
    if sb.group_has_super(group) {
        let reserved = u64::from(sb.s_reserved_gdt_blocks.get());
        take(first, 1 + u64::from(sb.desc_blocks()) + reserved);
    }
    take(desc.block_bitmap().0, 1);
    take(desc.inode_bitmap().0, 1);
    take(desc.inode_table().0, sb.inode_table_blocks().into());
    pad_from(bitmap, sb.group_blocks(group).div_ceil(sb.cluster_ratio()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Pblk;
    use crate::layout::group_desc::GroupFlags;
    use crate::mkfs::{MkfsOptions, mkfs};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn padding_counts_as_used() {
        let mut map = [0; 4];
        pad_from(&mut map, 20);
        assert_eq!((map, count_clear(&map, 32)), ([0, 0, 0xf0, 0xff], 20));
        assert!(!set(&mut map, 3) && set(&mut map, 3) && clear(&mut map, 3));
        assert!(test(&map, 400));
    }

    #[test]
    fn a_bitmap_never_written_is_made_from_its_descriptor() {
        let mut device = BTreeMap::new();
        mkfs(&MkfsOptions::new(100 << 20, 1024), &mut device).unwrap();
        let sb = Superblock::parse(&device[&Pblk(1)]).unwrap();
        let mut uninit = 0;
        for (group, slot) in (0..sb.groups()).map(Group).zip(device[&Pblk(2)].chunks(64)) {
            let desc = GroupDesc::parse(slot).unwrap();
            if desc.flags().contains(GroupFlags::BLOCK_UNINIT) {
                let mut map = [0; 1024];
                init_block_bitmap(&mut map, &sb, group, &desc);
                assert_eq!(count_clear(&map, 8192), desc.free_clusters(), "group {group}");
                uninit += 1;
            }
        }
        assert!(uninit > 5);
    }

    proptest! {
        #[test]
        fn find_and_runs_agree_with_single_bits(
            map in prop::collection::vec(any::<u8>(), 0..20), from in 0u32..200, to in 0u32..200,
            wanted: bool,
        ) {
            let bits: Vec<u32> = (0..to).filter(|&n| test(&map, n) == wanted).collect();
            prop_assert_eq!(find(&map, from..to, wanted), bits.iter().copied().find(|&n| n >= from));
            prop_assert_eq!(runs(&map, to, wanted).flatten().collect::<Vec<_>>(), bits);
        }
    }
}
