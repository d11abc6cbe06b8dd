//! Which blocks are taken, and where bitmaps and inode tables go.
//!
//! Placement follows `ext2fs_allocate_group_table`, lib/ext2fs/alloc_tables.c
//! of e2fsprogs 1.47.

use super::MkfsError;
use super::geometry::{GROUPS_PER_FLEX, Geometry};
use crate::layout::bitmap;

/// One bit per block of the file system.
pub struct Space<'a> {
    geometry: &'a Geometry,
    map: Vec<u8>,
}

/// Where one group's metadata lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tables {
    pub block_bitmap: u32,
    pub inode_bitmap: u32,
    pub inode_table: u32,
}

/// `len` blocks from `start` of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub start: u32,
    pub len: u32,
}

impl<'a> Space<'a> {
    /// Only superblocks, descriptors and their reserved blocks are taken.
    pub fn new(geometry: &'a Geometry) -> Result<Self, MkfsError> {
        let too_large = MkfsError::TooLarge { blocks: geometry.blocks_count.into() };
        let bytes = usize::try_from(geometry.blocks_count.div_ceil(8)).map_err(|_| too_large)?;
        let mut this = Self { geometry, map: vec![0; bytes] };
        for group in 0..geometry.groups {
            if let Some(at) = geometry.super_at(group) {
                let end = at + 1 + geometry.desc_blocks + geometry.reserved_gdt_blocks;
                if end > geometry.group_end(group) {
                    return Err(MkfsError::TooSmall { blocks: geometry.blocks_count });
                }
                this.take(geometry.group_first(group), end - geometry.group_first(group));
            }
        }
        Ok(this)
    }

    fn take(&mut self, start: u32, len: u32) {
        bitmap::set_range(&mut self.map, start..start + len);
    }

    /// Lowest start in `from..to` of a run of `len` free blocks.
    fn search(&self, from: u32, to: u32, len: u32) -> Option<u32> {
        let mut at = from;
        loop {
            at = bitmap::find_clear(&self.map, at..to.min(self.geometry.blocks_count))?;
            let end = at.checked_add(len).filter(|&end| end <= self.geometry.blocks_count)?;
            match bitmap::find_set(&self.map, at..end) {
                None => return Some(at),
                Some(taken) => at = taken,
            }
        }
    }

    /// Places all bitmaps and inode tables, flex by flex.
    pub fn place_tables(&mut self) -> Result<Vec<Tables>, MkfsError> {
        let g = self.geometry;
        let mut all: Vec<Tables> = Vec::new();
        for group in 0..g.groups {
            let first = group - group % GROUPS_PER_FLEX;
            let last = (first + GROUPS_PER_FLEX - 1).min(g.groups - 1);
            let flex = Flex {
                start: g.group_first(first),
                end: g.group_end(last),
                remaining: last - group + 1,
                most: g.blocks_per_group / 4,
            };
            let before = if group == first { None } else { all.last().copied() };
            let in_flex = last - first + 1;
            let apart = if in_flex == 1 { GROUPS_PER_FLEX } else { in_flex };

            let block_bitmap = self.place(&flex, before.map(|t| t.block_bitmap + 1), 1)?;
            let preferred = before.map_or(block_bitmap + apart, |t| t.inode_bitmap + 1);
            let inode_bitmap = self.place(&flex, Some(preferred), 1)?;
            let preferred = before.map_or(inode_bitmap + apart, |t| t.inode_table + g.itable_blocks);
            let inode_table = self.place(&flex, Some(preferred), g.itable_blocks)?;
            all.push(Tables { block_bitmap, inode_bitmap, inode_table });
        }
        Ok(all)
    }

    /// Takes `len` blocks: near the preferred place, else where all the flex's
    /// further items of this kind fit too, else anywhere in the flex.
    fn place(&mut self, flex: &Flex, preferred: Option<u32>, len: u32) -> Result<u32, MkfsError> {
        let room = flex.remaining.saturating_mul(len).min(flex.most);
        let start = preferred
            .and_then(|at| self.search(at, at.saturating_add(room), len))
            .or_else(|| self.search(flex.start, flex.end, room.max(len)))
            .or_else(|| self.search(flex.start, flex.end, len))
            .or_else(|| self.search(self.geometry.first_data_block, flex.end, len))
            .ok_or(MkfsError::TooSmall { blocks: self.geometry.blocks_count })?;
        self.take(start, len);
        Ok(start)
    }

    /// Makes every cluster with a used block used as a whole.
    pub fn fill_clusters(&mut self) {
        let ratio = self.geometry.cluster_ratio;
        if ratio == 1 {
            return;
        }
        let runs: Vec<_> = bitmap::runs(&self.map, self.geometry.blocks_count, true).collect();
        for run in runs {
            let start = run.start - run.start % ratio;
            self.take(start, run.end.next_multiple_of(ratio) - start);
        }
    }

    /// Takes the next free cluster from `goal`, wrapping; its first block.
    pub fn take_cluster(&mut self, goal: u32) -> Result<u32, MkfsError> {
        let g = self.geometry;
        let start = bitmap::find_clear(&self.map, goal..g.blocks_count)
            .or_else(|| bitmap::find_clear(&self.map, g.first_data_block..goal))
            .ok_or(MkfsError::TooSmall { blocks: g.blocks_count })?;
        self.take(start, g.cluster_ratio);
        Ok(start)
    }

    /// Takes `len` blocks from `goal`, every free run on the way, wrapping.
    /// The last cluster may be taken in part but is used as a whole.
    pub fn take_runs(&mut self, goal: u32, len: u32) -> Result<Vec<Run>, MkfsError> {
        let g = self.geometry;
        let (mut runs, mut left) = (Vec::new(), len);
        for (from, to) in [(goal, g.blocks_count), (g.first_data_block, goal)] {
            let mut at = from;
            while left > 0 {
                let Some(start) = bitmap::find_clear(&self.map, at..to) else { break };
                let end = bitmap::find_set(&self.map, start..to).unwrap_or(to);
                let run = Run { start, len: (end - start).min(left) };
                self.take(start, run.len.next_multiple_of(g.cluster_ratio));
                runs.push(run);
                (at, left) = (start + run.len, left - run.len);
            }
        }
        if left == 0 { Ok(runs) } else { Err(MkfsError::TooSmall { blocks: g.blocks_count }) }
    }

    /// Free clusters of a group.
    pub fn free_clusters(&self, group: u32) -> u32 {
        let (first, end) = (self.geometry.group_first(group), self.geometry.group_end(group));
        let free = bitmap::count_clear(&self.map, end) - bitmap::count_clear(&self.map, first);
        free / self.geometry.cluster_ratio
    }

    /// Used clusters of the file system.
    pub fn used_clusters(&self) -> u32 {
        let g = self.geometry;
        let free = bitmap::count_clear(&self.map, g.blocks_count) - bitmap::count_clear(&self.map, g.first_data_block);
        (g.blocks_count - g.first_data_block - free) / g.cluster_ratio
    }

    /// Used blocks of a group.
    pub fn used_blocks(&self, group: u32) -> u32 {
        self.geometry.group_blocks(group) - self.free_clusters(group) * self.geometry.cluster_ratio
    }

    /// A group's block bitmap as it stands on the disk, with padding.
    pub fn block_bitmap(&self, group: u32, block: &mut [u8]) {
        let g = self.geometry;
        let clusters = g.group_blocks(group) / g.cluster_ratio;
        for cluster in 0..clusters {
            if bitmap::test(&self.map, g.group_first(group) + cluster * g.cluster_ratio) {
                bitmap::set(block, cluster);
            }
        }
        bitmap::pad_from(block, clusters);
    }
}

/// The groups that are packed together, seen from one of them.
struct Flex {
    start: u32,
    end: u32,
    /// Groups from this one to the flex's end.
    remaining: u32,
    /// Longest run that is looked for at once.
    most: u32,
}
