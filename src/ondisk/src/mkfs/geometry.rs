//! Sizes and counts of a new file system, before anything is placed.
//!
//! The rules of `ext2fs_initialize`, lib/ext2fs/initialize.c of e2fsprogs 1.47.

use super::{MkfsError, MkfsOptions};
use crate::ids::{Group, Ino};
use crate::layout::superblock::is_sparse_group;

/// Blocks that a last group must hold beyond its own metadata to be kept.
const LAST_GROUP_MIN: u32 = 50;
/// Bytes of a page of the host that mke2fs ran on.
const PAGE_SIZE: u64 = 4096;
/// Blocks below which a device gets no journal.
const JOURNAL_DEVICE_MIN: u32 = 2048;
/// Groups whose bitmaps and inode tables are packed together.
pub const GROUPS_PER_FLEX: u32 = 16;

/// What mkfs made, in numbers. Blocks are file system blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of a block.
    pub block_size: u32,
    /// Blocks of a cluster; 1 without bigalloc.
    pub cluster_ratio: u32,
    /// Blocks of the file system.
    pub blocks_count: u32,
    /// Blocks kept for the superuser.
    pub reserved_blocks: u32,
    /// First block of group 0.
    pub first_data_block: u32,
    /// Block of the superblock.
    pub superblock_block: u32,
    /// Block groups.
    pub groups: u32,
    /// Blocks in a full group.
    pub blocks_per_group: u32,
    /// Inodes in every group.
    pub inodes_per_group: u32,
    /// Blocks of a group's inode table.
    pub itable_blocks: u32,
    /// Bytes of a group descriptor, 32 or 64.
    pub desc_size: u16,
    /// Blocks of the group descriptor table.
    pub desc_blocks: u32,
    /// Blocks reserved behind it.
    pub reserved_gdt_blocks: u32,
    /// Blocks of the journal; 0 without.
    pub journal_blocks: u32,
}

impl Geometry {
    /// Computes everything from the options.
    ///
    /// # Errors
    /// The option that cannot be met.
    pub fn new(options: &MkfsOptions) -> Result<Self, MkfsError> {
        let block_size = options.block_size;
        if !matches!(block_size, 1024 | 2048 | 4096) {
            return Err(MkfsError::BlockSize { found: block_size });
        }
        if options.inode_size != 256 {
            return Err(MkfsError::InodeSize { found: options.inode_size });
        }
        if options.inode_ratio == 0 || options.reserved_percent > 50 {
            return Err(MkfsError::Share { ratio: options.inode_ratio, percent: options.reserved_percent });
        }
        let cluster_size = options.cluster_size.unwrap_or(block_size);
        let widest = block_size.saturating_mul(32768);
        if !cluster_size.is_power_of_two() || !(block_size..=widest).contains(&cluster_size) {
            return Err(MkfsError::ClusterSize { found: cluster_size, block_size });
        }
        if options.cluster_size.is_some() && !options.extents {
            return Err(MkfsError::BigallocWithoutExtents);
        }
        let cluster_ratio = cluster_size / block_size;
        // mke2fs leaves out what does not fill a page of the host.
        let pages = options.size_bytes / PAGE_SIZE;
        let blocks = pages * (PAGE_SIZE / u64::from(block_size));
        let blocks = u32::try_from(blocks).map_err(|_| MkfsError::TooLarge { blocks })?;
        let blocks = blocks - blocks % cluster_ratio;
        let wanted = match options.inodes_count {
            Some(count) => u64::from(count),
            None => u64::from(blocks) * u64::from(block_size) / u64::from(options.inode_ratio.max(cluster_size)),
        };
        let reserved = u64::from(blocks) * u64::from(options.reserved_percent) / 100;
        let mut this = Self {
            block_size,
            cluster_ratio,
            blocks_count: blocks,
            reserved_blocks: u32::try_from(reserved).unwrap_or(u32::MAX),
            first_data_block: u32::from(block_size == 1024 && options.cluster_size.is_none()),
            superblock_block: u32::from(block_size == 1024),
            groups: 0,
            blocks_per_group: (8 * block_size).min(65528).saturating_mul(cluster_ratio),
            inodes_per_group: 0,
            itable_blocks: 0,
            desc_size: if options.bits64 { 64 } else { 32 },
            desc_blocks: 0,
            reserved_gdt_blocks: 0,
            journal_blocks: 0,
        };
        this.count_groups(options, wanted)?;
        let rest = this.group_blocks(this.groups - 1);
        let mut least = 2 + this.itable_blocks + LAST_GROUP_MIN;
        if is_sparse_group(Group(this.groups - 1)) {
            least += 1 + this.desc_blocks + this.reserved_gdt_blocks;
        }
        if this.groups > 1 && rest < this.blocks_per_group && rest < least {
            let before = u64::from(this.blocks_count);
            this.blocks_count -= rest;
            let reserved = u64::from(this.reserved_blocks) * u64::from(this.blocks_count) / before;
            this.reserved_blocks = u32::try_from(reserved).unwrap_or(u32::MAX);
            this.count_groups(options, wanted)?;
        }
        this.journal_blocks = this.journal_blocks(options)?;
        Ok(this)
    }

    /// Everything that follows from the number of blocks.
    fn count_groups(&mut self, options: &MkfsOptions, wanted: u64) -> Result<(), MkfsError> {
        let too_small = MkfsError::TooSmall { blocks: self.blocks_count };
        let usable = self.blocks_count.checked_sub(self.first_data_block).filter(|&n| n > 0).ok_or(too_small)?;
        self.groups = usable.div_ceil(self.blocks_per_group);
        let per_block = u64::from(self.block_size / 256);
        let per_group = wanted.max(12).div_ceil(self.groups.into()).next_multiple_of(per_block);
        let per_group = (per_group & !7).max(8);
        let most = u64::from(8 * self.block_size);
        let count = per_group * u64::from(self.groups);
        if count < u64::from(Ino::FIRST.0) {
            return Err(MkfsError::TooSmall { blocks: self.blocks_count });
        }
        if per_group > most || count > u64::from(u32::MAX) {
            return Err(MkfsError::TooManyInodes { per_group, most });
        }
        self.inodes_per_group = u32::try_from(per_group).unwrap_or(u32::MAX);
        self.itable_blocks = (self.inodes_per_group * 256).div_ceil(self.block_size);

        let descs_per_block = self.block_size / u32::from(self.desc_size);
        self.desc_blocks = self.groups.div_ceil(descs_per_block);
        self.reserved_gdt_blocks = 0;
        if options.resize_inode {
            let grown = self.blocks_count.saturating_mul(1024) - self.first_data_block;
            let blocks = grown.div_ceil(self.blocks_per_group).div_ceil(descs_per_block);
            self.reserved_gdt_blocks = (blocks - self.desc_blocks).min(self.block_size / 4);
        }
        Ok(())
    }

    /// Blocks that the journal gets.
    fn journal_blocks(&self, options: &MkfsOptions) -> Result<u32, MkfsError> {
        if !options.has_journal || self.blocks_count < JOURNAL_DEVICE_MIN {
            return Ok(0);
        }
        if let Some(mib) = options.journal_size_mib {
            let blocks = u64::from(mib) * 1024 / u64::from(self.block_size / 1024);
            return match u32::try_from(blocks) {
                Ok(blocks) if blocks >= 1024 && blocks <= self.blocks_count / 2 => Ok(blocks),
                _ => Err(MkfsError::JournalSize { blocks }),
            };
        }
        Ok(match self.blocks_count {
            0..32768 => 1024,
            32768..262_144 => 4096,
            262_144..524_288 => 8192,
            524_288..4_194_304 => 16384,
            _ => 32768,
        })
    }

    /// First block of a group.
    #[must_use]
    pub fn group_first(&self, group: u32) -> u32 {
        self.first_data_block + group * self.blocks_per_group
    }

    /// Blocks of a group: fewer in the last one.
    #[must_use]
    pub fn group_blocks(&self, group: u32) -> u32 {
        (self.blocks_count - self.group_first(group)).min(self.blocks_per_group)
    }

    /// The block behind a group's last one.
    #[must_use]
    pub fn group_end(&self, group: u32) -> u32 {
        self.group_first(group) + self.group_blocks(group)
    }

    /// Group of a block.
    #[must_use]
    pub fn group_of(&self, block: u32) -> u32 {
        (block - self.first_data_block) / self.blocks_per_group
    }

    /// Block of a group's superblock, if it has one.
    #[must_use]
    pub fn super_at(&self, group: u32) -> Option<u32> {
        match group {
            0 => Some(self.superblock_block),
            _ => is_sparse_group(Group(group)).then(|| self.group_first(group)),
        }
    }

    /// Groups after 0 that hold a superblock.
    pub fn backup_groups(&self) -> impl Iterator<Item = u32> {
        (1..self.groups).filter(|&group| is_sparse_group(Group(group)))
    }

    /// All inodes.
    #[must_use]
    pub fn inodes_count(&self) -> u32 {
        self.inodes_per_group * self.groups
    }

    /// Clusters in a full group.
    #[must_use]
    pub fn clusters_per_group(&self) -> u32 {
        self.blocks_per_group / self.cluster_ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_descriptor_blocks_allow_growth_by_1024() {
        for (mib, expected) in [(8, 0), (16, 1), (32, 3), (64, 7), (1024, 127)] {
            let geometry = Geometry::new(&MkfsOptions::new(mib << 20, 4096)).unwrap();
            assert_eq!(geometry.reserved_gdt_blocks, expected, "{mib} MiB");
        }
    }

    #[test]
    fn what_cannot_be_met_is_refused() {
        let check = |change: fn(&mut MkfsOptions)| {
            let mut options = MkfsOptions::new(16 << 20, 4096);
            change(&mut options);
            Geometry::new(&options).unwrap_err().to_string()
        };
        assert!(check(|o| o.block_size = 512).contains("block size 512"));
        assert!(check(|o| (o.cluster_size, o.extents) = (Some(16384), false)).contains("bigalloc"));
        assert!(check(|o| o.cluster_size = Some(3000)).contains("3000"));
        assert!(check(|o| o.size_bytes = 0).contains("0 blocks"));
        assert!(check(|o| o.size_bytes = u64::MAX).contains("too many"));
        assert!(check(|o| o.inodes_count = Some(u32::MAX)).contains("inodes"));
        assert!(check(|o| o.journal_size_mib = Some(1)).contains("256 blocks"));
    }
}
