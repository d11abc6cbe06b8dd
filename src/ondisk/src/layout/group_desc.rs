//! The group descriptor: `struct ext4_group_desc`, fs/ext4/ext4.h.
//!
//! 32 bytes, or 64 with the 64bit feature; the table starts in the block after
//! the superblock. In 32 bytes all high halves are zero.

use bitflags::bitflags;
use zerocopy::little_endian::{U16, U32};

use super::{LayoutError, on_disk, same_checksum};
use crate::crc32c::crc32c;
use crate::ids::{Group, Pblk};

on_disk! {
    /// The wide form. [`GroupDesc::parse_sized`] reads both.
    "group descriptor" pub struct GroupDesc (64) {
        /// Block of the block bitmap, low half.
        bg_block_bitmap_lo: U32,
        /// Block of the inode bitmap, low half.
        bg_inode_bitmap_lo: U32,
        /// First block of the inode table, low half.
        bg_inode_table_lo: U32,
        /// Free clusters, low half.
        bg_free_blocks_count_lo: U16,
        /// Free inodes, low half.
        bg_free_inodes_count_lo: U16,
        /// Directories, low half.
        bg_used_dirs_count_lo: U16,
        /// [`GroupFlags`].
        bg_flags: U16,
        /// Unused snapshot bitmap, low half.
        bg_exclude_bitmap_lo: U32,
        /// Checksum of the block bitmap, low half.
        bg_block_bitmap_csum_lo: U16,
        /// Checksum of the inode bitmap, low half.
        bg_inode_bitmap_csum_lo: U16,
        /// Inodes at the table's end that were never used, low half.
        bg_itable_unused_lo: U16,
        /// Low 16 bits of the descriptor's crc32c.
        bg_checksum: U16,
        /// Block of the block bitmap, high half.
        bg_block_bitmap_hi: U32,
        /// Block of the inode bitmap, high half.
        bg_inode_bitmap_hi: U32,
        /// First block of the inode table, high half.
        bg_inode_table_hi: U32,
        /// Free clusters, high half.
        bg_free_blocks_count_hi: U16,
        /// Free inodes, high half.
        bg_free_inodes_count_hi: U16,
        /// Directories, high half.
        bg_used_dirs_count_hi: U16,
        /// Inodes never used, high half.
        bg_itable_unused_hi: U16,
        /// Unused snapshot bitmap, high half.
        bg_exclude_bitmap_hi: U32,
        /// Checksum of the block bitmap, high half.
        bg_block_bitmap_csum_hi: U16,
        /// Checksum of the inode bitmap, high half.
        bg_inode_bitmap_csum_hi: U16,
        /// Zero.
        bg_reserved: U32,
    }
}

bitflags! {
    /// `bg_flags`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct GroupFlags: u16 {
        /// The inode bitmap was never written; all its inodes are free.
        const INODE_UNINIT = 1;
        /// The block bitmap was never written; only metadata is in use.
        const BLOCK_UNINIT = 2;
        /// The inode table was zeroed.
        const ITABLE_ZEROED = 4;
        const _ = !0;
    }
}

/// Bytes of the narrow form, in which the high halves are missing.
pub const NARROW: usize = 32;
/// Where `bg_checksum` stands.
const CHECKSUM_AT: usize = 30;

/// Accessors of a number whose halves are two fields.
macro_rules! halves {
    ($($(#[$doc:meta])* $get:ident $set:ident $half:ty, $wide:ty : $lo:ident $hi:ident;)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $get(&self) -> $wide {
            <$wide>::from(self.$hi.get()) << <$half>::BITS | <$wide>::from(self.$lo.get())
        }

        /// Sets both halves. The high one is lost when 32 bytes are written.
        pub fn $set(&mut self, value: $wide) {
            // Truncating is the point: each field takes its half.
            self.$lo.set(value as $half);
            self.$hi.set((value >> <$half>::BITS) as $half);
        }
    )* };
}

impl GroupDesc {
    /// The descriptor in a slot of `size` bytes.
    ///
    /// # Errors
    /// `TooShort` if `bytes` holds less than `size`, or `size` less than 32.
    pub fn parse_sized(bytes: &[u8], size: u16) -> Result<Self, LayoutError> {
        let size = usize::from(size);
        let short =
            LayoutError::TooShort { what: "group descriptor", need: size.max(NARROW), found: bytes.len().min(size) };
        let slot = bytes.get(..size).filter(|slot| slot.len() >= NARROW).ok_or(short)?;
        let mut wide = [0; Self::SIZE];
        let copied = if size < Self::SIZE { NARROW } else { Self::SIZE };
        wide[..copied].copy_from_slice(&slot[..copied]);
        Self::parse(&wide)
    }

    /// Writes the form that fits a slot of `size` bytes.
    ///
    /// # Errors
    /// As [`GroupDesc::parse_sized`].
    pub fn write_sized(&self, bytes: &mut [u8], size: u16) -> Result<(), LayoutError> {
        Self::parse_sized(bytes, size)?;
        let copied = if usize::from(size) < Self::SIZE { NARROW } else { Self::SIZE };
        bytes[..copied].copy_from_slice(&self.as_bytes()[..copied]);
        Ok(())
    }

    halves! {
        /// Free clusters.
        free_clusters set_free_clusters u16, u32: bg_free_blocks_count_lo bg_free_blocks_count_hi;
        /// Free inodes.
        free_inodes set_free_inodes u16, u32: bg_free_inodes_count_lo bg_free_inodes_count_hi;
        /// Directories.
        used_dirs set_used_dirs u16, u32: bg_used_dirs_count_lo bg_used_dirs_count_hi;
        /// Inodes at the table's end that were never used.
        itable_unused set_itable_unused u16, u32: bg_itable_unused_lo bg_itable_unused_hi;
        /// Checksum of the block bitmap.
        block_bitmap_csum set_block_bitmap_csum u16, u32: bg_block_bitmap_csum_lo bg_block_bitmap_csum_hi;
        /// Checksum of the inode bitmap.
        inode_bitmap_csum set_inode_bitmap_csum u16, u32: bg_inode_bitmap_csum_lo bg_inode_bitmap_csum_hi;
        /// Number of the block that holds the block bitmap; [`GroupDesc::block_bitmap`] is typed.
        block_bitmap_nr set_block_bitmap_nr u32, u64: bg_block_bitmap_lo bg_block_bitmap_hi;
        /// Number of the block that holds the inode bitmap; [`GroupDesc::inode_bitmap`] is typed.
        inode_bitmap_nr set_inode_bitmap_nr u32, u64: bg_inode_bitmap_lo bg_inode_bitmap_hi;
        /// Number of the first block of the inode table; [`GroupDesc::inode_table`] is typed.
        inode_table_nr set_inode_table_nr u32, u64: bg_inode_table_lo bg_inode_table_hi;
    }

    /// Block of the block bitmap.
    #[must_use]
    pub fn block_bitmap(&self) -> Pblk {
        Pblk(self.block_bitmap_nr())
    }

    /// Block of the inode bitmap.
    #[must_use]
    pub fn inode_bitmap(&self) -> Pblk {
        Pblk(self.inode_bitmap_nr())
    }

    /// First block of the inode table.
    #[must_use]
    pub fn inode_table(&self) -> Pblk {
        Pblk(self.inode_table_nr())
    }

    /// `bg_flags` by name.
    #[must_use]
    pub fn flags(&self) -> GroupFlags {
        GroupFlags::from_bits_retain(self.bg_flags.get())
    }

    /// Replaces `bg_flags`.
    pub fn set_flags(&mut self, flags: GroupFlags) {
        self.bg_flags.set(flags.bits());
    }

    /// `bg_checksum` as metadata_csum has it (`ext4_group_desc_csum`).
    #[must_use]
    pub fn compute_checksum(&self, seed: u32, group: Group, size: u16) -> u16 {
        let bytes = &self.as_bytes()[..usize::from(size).clamp(NARROW, Self::SIZE)];
        let crc = crc32c(seed, &group.0.to_le_bytes());
        let crc = crc32c(crc32c(crc, &bytes[..CHECKSUM_AT]), &[0, 0]);
        let [a, b, ..] = crc32c(crc, &bytes[NARROW..]).to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// Sets `bg_checksum`.
    pub fn update_checksum(&mut self, seed: u32, group: Group, size: u16) {
        self.bg_checksum.set(self.compute_checksum(seed, group, size));
    }

    /// Compares `bg_checksum`.
    ///
    /// # Errors
    /// `BadChecksum`.
    pub fn verify_checksum(&self, seed: u32, group: Group, size: u16) -> Result<(), LayoutError> {
        let want = self.compute_checksum(seed, group, size);
        same_checksum("group descriptor", want.into(), self.bg_checksum.get().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sizes_round_trip() {
        let mut desc = GroupDesc::zeroed();
        desc.set_block_bitmap_nr(0x1_0000_0003);
        desc.set_free_clusters(0x1_0007);
        desc.set_flags(GroupFlags::ITABLE_ZEROED);
        desc.update_checksum(7, Group(3), 64);
        let mut bytes = [0; 64];
        desc.write_sized(&mut bytes, 64).unwrap();
        let back = GroupDesc::parse_sized(&bytes, 64).unwrap();
        assert_eq!((back, back.free_clusters()), (desc, 0x1_0007));
        assert_eq!(back.verify_checksum(7, Group(3), 64), Ok(()));
        assert!(back.verify_checksum(7, Group(4), 64).is_err());

        let mut bytes = [0xff; 64];
        desc.write_sized(&mut bytes, 32).unwrap();
        assert_eq!(bytes[32..], [0xff; 32]);
        assert_eq!(GroupDesc::parse_sized(&bytes, 32).unwrap().block_bitmap(), Pblk(3));
        assert!(GroupDesc::parse_sized(&bytes[..31], 32).is_err());
        assert!(GroupDesc::parse_sized(&bytes, 16).is_err());
    }
}
