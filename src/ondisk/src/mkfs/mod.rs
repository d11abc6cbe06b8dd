//! Makes a new ext4 file system, byte for byte as mke2fs 1.47.0 does.
//!
//! The result equals that of `mke2fs -t ext4 -b B -U UUID -E
//! hash_seed=..,lazy_itable_init=0,lazy_journal_init=0,nodiscard` with the
//! `mke2fs.conf` beside the test, on a device of zeros, all clocks at
//! [`MkfsOptions::time`]; `tests/mkfs_identical.rs` compares the two.
//!
//! ```text
//! geometry  ->  space: superblocks, bitmaps, tables  ->  /, lost+found, resize, journal
//!                                                    ->  inodes  ->  bitmaps, descriptors, superblocks
//! ```
//!
//! Left out: inode sizes other than 256, journals of more than four extents,
//! orphan_file, quota, project, encrypt, casefold, meta_bg, sparse_super2.

use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

use crate::crc32c::{self, crc32c};
use crate::ids::{Group, Ino, Lblk, Pblk};
use crate::layout::extent::{self, Extent};
use crate::layout::group_desc::{GroupDesc, GroupFlags};
use crate::layout::inode::{self, Inode, InodeFlags};
use crate::layout::journal::{self, JournalSuperblock};
use crate::layout::superblock::{self, Compat, Incompat, RoCompat, Superblock};
use crate::layout::{LayoutError, bitmap, dir, index, put};

mod geometry;
mod kbytes;
mod space;

pub use geometry::Geometry;

use kbytes::Cache;
use space::{Run, Space, Tables};

/// What to make. [`MkfsOptions::new`] gives the defaults of today's mke2fs
/// that a v5.10 kernel knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MkfsOptions {
    /// Bytes of the device.
    pub size_bytes: u64,
    /// 1024, 2048 or 4096.
    pub block_size: u32,
    /// Identity (`-U`).
    pub uuid: [u8; 16],
    /// Seed of the directory hash (`-E hash_seed`), in text order.
    pub hash_seed: [u8; 16],
    /// Seconds since 1970: every time stamp.
    pub time: u32,
    /// Whether there is a journal.
    pub has_journal: bool,
    /// Extent trees instead of block maps.
    pub extents: bool,
    /// Block numbers of 64 bits, descriptors of 64 bytes.
    pub bits64: bool,
    /// Small files live in their inode.
    pub inline_data: bool,
    /// Descriptor blocks are reserved for growth.
    pub resize_inode: bool,
    /// Metadata carries crc32c checksums.
    pub metadata_csum: bool,
    /// Bytes of a cluster: bigalloc (`-C`).
    pub cluster_size: Option<u32>,
    /// Bytes of the device for each inode (`-i`); at least a cluster.
    pub inode_ratio: u32,
    /// Inodes instead of the ratio (`-N`).
    pub inodes_count: Option<u32>,
    /// Bytes of an inode: 256.
    pub inode_size: u16,
    /// Size of the journal (`-J size=`).
    pub journal_size_mib: Option<u32>,
    /// Label (`-L`), zeros behind it.
    pub label: [u8; 16],
    /// Percent of the blocks kept for the superuser (`-m`).
    pub reserved_percent: u8,
}

impl MkfsOptions {
    /// The defaults for a device of that size: `-t ext4 -b block_size`, with
    /// identity, seed and time zero.
    #[must_use]
    pub fn new(size_bytes: u64, block_size: u32) -> Self {
        Self {
            size_bytes,
            block_size,
            uuid: [0; 16],
            hash_seed: [0; 16],
            time: 0,
            has_journal: true,
            extents: true,
            bits64: true,
            inline_data: false,
            resize_inode: true,
            metadata_csum: true,
            cluster_size: None,
            inode_ratio: 16384,
            inodes_count: None,
            inode_size: 256,
            journal_size_mib: None,
            label: [0; 16],
            reserved_percent: 5,
        }
    }
}

/// Where the new file system goes.
pub trait BlockWrite {
    /// Stores one whole block. Each block is written at most once; those that
    /// are not written are zeros.
    ///
    /// # Errors
    /// What the device says.
    fn write_block(&mut self, block: Pblk, data: &[u8]) -> io::Result<()>;
}

impl BlockWrite for BTreeMap<Pblk, Vec<u8>> {
    fn write_block(&mut self, block: Pblk, data: &[u8]) -> io::Result<()> {
        self.insert(block, data.to_vec());
        Ok(())
    }
}

/// Why no file system was made.
#[derive(Debug, Error)]
pub enum MkfsError {
    /// Not one of the three sizes.
    #[error("block size {found}: must be 1024, 2048 or 4096")]
    BlockSize {
        /// What was asked for.
        found: u32,
    },
    /// Not 256.
    #[error("inode size {found}: must be 256")]
    InodeSize {
        /// What was asked for.
        found: u16,
    },
    /// Shares that make no sense.
    #[error("inode ratio {ratio}, reserved {percent} %: the ratio must not be 0, the share at most 50 %")]
    Share {
        /// Bytes for each inode.
        ratio: u32,
        /// Reserved share.
        percent: u8,
    },
    /// Not a power of two times the block size.
    #[error("cluster size {found}: must be a power of two, 1 to 32768 times the block size {block_size}")]
    ClusterSize {
        /// What was asked for.
        found: u32,
        /// Bytes of a block.
        block_size: u32,
    },
    /// The kernel cannot have one without the other.
    #[error("bigalloc needs extents")]
    BigallocWithoutExtents,
    /// More blocks than 32 bits count.
    #[error("{blocks} blocks are too many: at most 4294967295")]
    TooLarge {
        /// Blocks of the device.
        blocks: u64,
    },
    /// The metadata does not fit.
    #[error("{blocks} blocks are too few for the metadata")]
    TooSmall {
        /// Blocks of the device.
        blocks: u32,
    },
    /// More inodes than a bitmap block, or 32 bits, can count.
    #[error("{per_group} inodes per group are too many: at most {most}")]
    TooManyInodes {
        /// What would be needed.
        per_group: u64,
        /// What fits.
        most: u64,
    },
    /// Too short, or more than half of the device.
    #[error("a journal of {blocks} blocks: must be at least 1024, and at most half of the device")]
    JournalSize {
        /// What was asked for.
        blocks: u64,
    },
    /// A file needs more pieces than its inode can hold.
    #[error("inode {ino} would need {pieces} extents: at most 4 fit the inode")]
    Scattered {
        /// The file.
        ino: Ino,
        /// Runs of blocks that it got.
        pieces: usize,
    },
    /// A structure did not fit its block.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The device failed.
    #[error("block {block}: {source}")]
    Write {
        /// Where.
        block: Pblk,
        /// Why.
        source: io::Error,
    },
}

/// Writes a new file system.
///
/// ```
/// use std::collections::BTreeMap;
/// use ondisk::mkfs::{MkfsOptions, mkfs};
///
/// let mut device = BTreeMap::new();
/// let geometry = mkfs(&MkfsOptions::new(16 << 20, 4096), &mut device)?;
/// assert_eq!((geometry.groups, geometry.journal_blocks), (1, 1024));
/// # Ok::<(), ondisk::mkfs::MkfsError>(())
/// ```
///
/// # Errors
/// An option that cannot be met, or the device's error. Nothing is written
/// before all options are known to be met.
pub fn mkfs(options: &MkfsOptions, device: &mut dyn BlockWrite) -> Result<Geometry, MkfsError> {
    let geometry = Geometry::new(options)?;
    let blocks = Maker::new(options, &geometry)?.make()?;
    for (block, data) in blocks {
        let block = Pblk(block.into());
        device.write_block(block, &data).map_err(|source| MkfsError::Write { block, source })?;
    }
    Ok(geometry)
}

/// A file of the new file system: which blocks it has.
struct File {
    /// Its data in file order.
    runs: Vec<Run>,
    /// Root of its tree or map.
    i_block: [u8; 60],
    /// Clusters that it occupies.
    clusters: u32,
}

impl File {
    fn empty() -> Self {
        Self { runs: Vec::new(), i_block: [0; 60], clusters: 0 }
    }

    fn blocks(&self) -> impl Iterator<Item = u32> {
        self.runs.iter().flat_map(|run| run.start..run.start + run.len)
    }

    fn len(&self) -> u32 {
        self.runs.iter().map(|run| run.len).sum()
    }
}

/// The file system as it grows.
struct Maker<'a> {
    options: &'a MkfsOptions,
    g: &'a Geometry,
    seed: u32,
    space: Space<'a>,
    tables: Vec<Tables>,
    /// Blocks that are not all zero.
    blocks: BTreeMap<u32, Vec<u8>>,
    cache: Cache,
    overhead_clusters: u32,
}

/// Inode of lost+found.
const LOST_FOUND: Ino = Ino::FIRST;
/// Inodes in use: the reserved ones and lost+found.
const INODES_USED: u32 = 11;

impl<'a> Maker<'a> {
    fn new(options: &'a MkfsOptions, g: &'a Geometry) -> Result<Self, MkfsError> {
        let mut space = Space::new(g)?;
        let tables = space.place_tables()?;
        space.fill_clusters();
        let journal_clusters = g.journal_blocks.div_ceil(g.cluster_ratio);
        Ok(Self {
            options,
            g,
            seed: crc32c(crc32c::START, &options.uuid),
            overhead_clusters: space.used_clusters() + journal_clusters + g.first_data_block,
            space,
            tables,
            blocks: BTreeMap::new(),
            cache: Cache::default(),
        })
    }

    fn make(mut self) -> Result<BTreeMap<u32, Vec<u8>>, MkfsError> {
        self.reserved_inodes()?;
        let root = self.root_directory()?;
        let lost_found = self.lost_and_found(&root)?;
        self.bad_blocks_inode()?;
        if self.options.resize_inode {
            self.resize_inode()?;
        }
        let journal = if self.g.journal_blocks > 0 { Some(self.journal()?) } else { None };
        self.directory_inode(Ino::ROOT, &root, 0o755, 3)?;
        self.directory_inode(LOST_FOUND, &lost_found, 0o700, 2)?;
        let descs = self.bitmaps_and_descriptors()?;
        self.superblocks(&descs, journal.as_ref())?;
        Ok(self.blocks)
    }

    /// The block's bytes, zeros at first.
    fn block(&mut self, block: u32) -> &mut Vec<u8> {
        let size = self.block_len();
        self.blocks.entry(block).or_insert_with(|| vec![0; size])
    }

    fn block_len(&self) -> usize {
        index(self.g.block_size)
    }

    /// Block of the inode table, and where in it the inode lies.
    fn inode_at(&self, ino: Ino) -> (u32, usize) {
        let group = (ino.0 - 1) / self.g.inodes_per_group;
        let byte = (ino.0 - 1) % self.g.inodes_per_group * 256;
        let block = self.tables.get(index(group)).map_or(0, |t| t.inode_table) + byte / self.g.block_size;
        (block, index(byte % self.g.block_size))
    }

    fn put_inode(&mut self, ino: Ino, inode: &Inode) -> Result<(), MkfsError> {
        let (block, at) = self.inode_at(ino);
        let (seed, csum) = (self.seed, self.options.metadata_csum);
        let slot = &mut self.block(block)[at..at + Inode::SIZE];
        inode.write_to(slot)?;
        if csum {
            inode::update_checksum(slot, seed, ino)?;
        }
        Ok(())
    }

    /// Notes that mke2fs writes this inode now.
    fn note_inode(&mut self, ino: Ino) {
        self.cache.write_inode(self.inode_at(ino).0);
    }

    /// An inode as mke2fs creates one.
    fn new_inode(&self, mode: u16, links: u16) -> Inode {
        let mut inode = Inode::zeroed();
        inode.i_mode.set(mode);
        inode.i_links_count.set(links);
        inode.i_extra_isize.set(32);
        for time in [&mut inode.i_atime, &mut inode.i_ctime, &mut inode.i_mtime, &mut inode.i_crtime] {
            time.set(self.options.time);
        }
        inode
    }

    /// With checksums even an unused reserved inode carries one.
    fn reserved_inodes(&mut self) -> Result<(), MkfsError> {
        if self.options.metadata_csum {
            for ino in (1..Ino::FIRST.0).map(Ino) {
                self.put_inode(ino, &Inode::zeroed())?;
                self.note_inode(ino);
            }
        }
        Ok(())
    }

    /// Inode 1 lists bad blocks: none.
    fn bad_blocks_inode(&mut self) -> Result<(), MkfsError> {
        let mut inode = Inode::zeroed();
        for time in [&mut inode.i_atime, &mut inode.i_ctime, &mut inode.i_mtime] {
            time.set(self.options.time);
        }
        self.put_inode(Ino(1), &inode)?;
        self.note_inode(Ino(1));
        Ok(())
    }

    /// The inode's root for runs of blocks, none of them behind indirect blocks.
    fn map_runs(&self, ino: Ino, runs: &[Run]) -> Result<[u8; 60], MkfsError> {
        let mut i_block = [0; 60];
        if !self.options.extents {
            let blocks = runs.iter().flat_map(|run| run.start..run.start + run.len);
            for (slot, block) in i_block.chunks_exact_mut(4).zip(blocks) {
                slot.copy_from_slice(&block.to_le_bytes());
            }
            return Ok(i_block);
        }
        let scattered = MkfsError::Scattered { ino, pieces: runs.len() };
        let entries = u16::try_from(runs.len()).ok().filter(|&n| n <= extent::ROOT_CAPACITY).ok_or(scattered)?;
        extent::Header { entries, max: extent::ROOT_CAPACITY, depth: 0, generation: 0 }.write_to(&mut i_block)?;
        let mut block = 0;
        for (entry, run) in (0..).zip(runs) {
            let len = u16::try_from(run.len).map_err(|_| MkfsError::Scattered { ino, pieces: runs.len() + 1 })?;
            Extent { block: Lblk(block), len, unwritten: false, start: Pblk(run.start.into()) }
                .put(&mut i_block, entry)?;
            block += run.len;
        }
        Ok(i_block)
    }

    fn put_file_inode(&mut self, ino: Ino, mut inode: Inode, file: &File) -> Result<(), MkfsError> {
        let block_size = u64::from(self.g.block_size);
        inode.set_size(u64::from(file.len()) * block_size);
        inode.set_blocks(u64::from(file.clusters) * u64::from(self.g.cluster_ratio) * block_size / 512);
        inode.i_block = file.i_block;
        if self.options.extents {
            inode.set_flags(InodeFlags::EXTENTS);
        }
        self.put_inode(ino, &inode)
    }

    fn directory_inode(&mut self, ino: Ino, file: &File, mode: u16, links: u16) -> Result<(), MkfsError> {
        let mut inode = self.new_inode(0o040_000 | mode, links);
        if ino == LOST_FOUND && self.options.inline_data {
            // It began inline; what stays is an empty list of attributes.
            inode.i_rest[..4].copy_from_slice(&0xea02_0000_u32.to_le_bytes());
        }
        self.put_file_inode(ino, inode, file)
    }

    /// Sets a directory block's checksum and keeps it.
    fn put_dir_block(&mut self, ino: Ino, at: u32, mut block: Vec<u8>) -> Result<(), MkfsError> {
        if self.options.metadata_csum {
            dir::update_checksum(&mut block, inode::seed(self.seed, ino, 0))?;
        }
        self.blocks.insert(at, block);
        Ok(())
    }

    fn root_directory(&mut self) -> Result<File, MkfsError> {
        let start = self.space.take_cluster(self.g.group_first(0))?;
        self.note_inode(Ino::ROOT);
        self.cache.write(start);

        let csum = self.options.metadata_csum;
        let mut block = vec![0; self.block_len()];
        dir::init_first(&mut block, csum, Ino::ROOT, Ino::ROOT)?;
        dir::insert(&mut block, csum, LOST_FOUND, dir::file_type::DIR, b"lost+found")?;
        self.put_dir_block(Ino::ROOT, start, block)?;
        let runs = vec![Run { start, len: 1 }];
        let i_block = self.map_runs(Ino::ROOT, &runs)?;
        Ok(File { runs, i_block, clusters: 1 })
    }

    fn lost_and_found(&mut self, root: &File) -> Result<File, MkfsError> {
        let inline = self.options.inline_data;
        let len = match self.g.block_size {
            1024 => 12,
            2048 => 8,
            _ => 4,
        } - u32::from(inline);
        let mut file = File::empty();
        let mut goal = self.g.group_first(0);
        for n in 0..len {
            let start = if n % self.g.cluster_ratio == 0 {
                file.clusters += 1;
                self.space.take_cluster(goal)?
            } else {
                goal
            };
            goal = start + 1;
            match file.runs.last_mut() {
                Some(run) if run.start + run.len == start => run.len += 1,
                _ => file.runs.push(Run { start, len: 1 }),
            }
        }
        self.note_lost_and_found(root, &file);

        let csum = self.options.metadata_csum;
        for (n, at) in file.blocks().enumerate() {
            let mut block = vec![0; self.block_len()];
            if n > 0 {
                dir::init_empty(&mut block, csum)?;
            } else {
                dir::init_first(&mut block, csum, LOST_FOUND, Ino::ROOT)?;
                if inline {
                    // A third, free entry takes the rest.
                    dir::insert(&mut block, csum, LOST_FOUND, 0, b"x")?;
                    dir::set_target(&mut block, 24, Ino(0), 0)?;
                    put("directory block", &mut block, 30, &[0, 0, 0])?;
                }
            }
            self.put_dir_block(LOST_FOUND, at, block)?;
        }
        file.i_block = self.map_runs(LOST_FOUND, &file.runs)?;
        Ok(file)
    }

    /// The order in which mke2fs touches blocks while it makes lost+found.
    fn note_lost_and_found(&mut self, root: &File, file: &File) {
        let inline = self.options.inline_data;
        let mut blocks = file.blocks();
        self.note_inode(LOST_FOUND);
        if !inline {
            blocks.by_ref().take(1).for_each(|first| self.cache.write(first));
            if self.options.extents {
                self.note_inode(LOST_FOUND);
            }
        }
        root.blocks().for_each(|block| self.cache.write(block));
        self.note_inode(Ino::ROOT);
        root.blocks().for_each(|block| self.cache.read(block));
        for block in blocks {
            self.cache.write(block);
            self.note_inode(LOST_FOUND);
        }
    }

    /// Inode 7: its double-indirect block names the reserved descriptor blocks,
    /// each of which names its copies.
    fn resize_inode(&mut self) -> Result<(), MkfsError> {
        let g = self.g;
        let first = g.superblock_block + 1 + g.desc_blocks;
        let goal = first + g.reserved_gdt_blocks + 1 + g.itable_blocks;
        let dind = self.space.take_cluster(goal)?;
        let per_block = g.block_size / 4;
        let backups: Vec<u32> = g.backup_groups().collect();
        self.block(dind);
        for k in 0..g.reserved_gdt_blocks {
            let slot = 4 * index((g.desc_blocks + k) % per_block);
            put("resize inode", self.block(dind), slot, &(first + k).to_le_bytes())?;
            let primary = self.block(first + k);
            for (n, &group) in backups.iter().enumerate() {
                // With bigalloc on 1 KiB blocks this is one too high; mke2fs has it so.
                let copy = first + k + group * g.blocks_per_group;
                put("resize inode", primary, 4 * n, &copy.to_le_bytes())?;
            }
            self.cache.write(first + k);
        }
        self.cache.write(dind);
        self.note_inode(Ino::RESIZE);

        let mut inode = self.new_inode(0o100_600, 1);
        let (size, per_block) = (u64::from(g.block_size), u64::from(per_block));
        inode.set_size((per_block * per_block + per_block + 12) * size);
        let copies = u64::from(g.reserved_gdt_blocks) * u64::from(1 + u32::try_from(backups.len()).unwrap_or(0));
        inode.set_blocks((1 + copies) * u64::from(g.cluster_ratio) * size / 512);
        inode.set_block_pointer(13, dind)?;
        self.put_inode(Ino::RESIZE, &inode)
    }

    /// Inode 8 and the journal's superblock; the log stays zero.
    fn journal(&mut self) -> Result<Inode, MkfsError> {
        let g = self.g;
        let file = if self.options.extents { self.journal_in_runs()? } else { self.journal_block_by_block()? };
        let start = file.blocks().next().unwrap_or(0);
        self.note_inode(Ino::JOURNAL);
        self.cache.write(start);

        let mut sb = JournalSuperblock::zeroed();
        sb.h_magic.set(journal::MAGIC);
        sb.h_blocktype.set(4);
        sb.s_blocksize.set(g.block_size);
        sb.s_maxlen.set(g.journal_blocks);
        sb.s_first.set(1);
        sb.s_sequence.set(1);
        sb.s_uuid = self.options.uuid;
        sb.s_nr_users.set(1);
        sb.write_to(self.block(start))?;

        let inode = self.new_inode(0o100_600, 1);
        self.put_file_inode(Ino::JOURNAL, inode, &file)?;
        let (block, at) = self.inode_at(Ino::JOURNAL);
        Ok(Inode::parse(&self.block(block)[at..])?)
    }

    /// With extents: every free run from the group near the middle that has most room.
    fn journal_in_runs(&mut self) -> Result<File, MkfsError> {
        let g = self.g;
        let middle = ((g.blocks_count - g.first_data_block) / 2).max(g.first_data_block);
        let middle = g.group_of(middle);
        let flex = geometry::GROUPS_PER_FLEX;
        let mut first = middle.saturating_sub(1);
        let mut last = (middle + 1).min(g.groups - 1);
        if middle > flex {
            let from = middle - middle % flex;
            first = (from..g.groups).find(|&group| self.space.free_clusters(group) > 0).unwrap_or(0);
            last = (first + 1).min(g.groups - 1);
        }
        let mut best = first;
        for group in first..=last {
            if self.space.free_clusters(group) > self.space.free_clusters(best) {
                best = group;
            }
        }
        let runs = self.space.take_runs(g.group_first(best), g.journal_blocks)?;
        let i_block = self.map_runs(Ino::JOURNAL, &runs)?;
        let clusters = g.journal_blocks.div_ceil(g.cluster_ratio);
        Ok(File { runs, i_block, clusters })
    }

    /// Without extents: one block after the other from the start of the device,
    /// each indirect block just before the first block that it names.
    fn journal_block_by_block(&mut self) -> Result<File, MkfsError> {
        let g = self.g;
        let per_block = g.block_size / 4;
        let mut file = File::empty();
        let mut pointers = [0_u32; 15];
        let (mut goal, mut indirect, mut double) = (g.group_first(0), 0, 0);
        for n in 0..g.journal_blocks {
            self.note_inode(Ino::JOURNAL);
            if n == 12 + per_block {
                double = self.take_indirect(&mut goal, &mut file)?;
                pointers[13] = double;
            }
            // Place behind the indirect blocks; None for the first twelve.
            let behind = n.checked_sub(12);
            if behind.is_some_and(|n| n >= per_block) {
                self.cache.read(double);
            }
            if let Some(n) = behind.filter(|n| n % per_block == 0) {
                indirect = self.take_indirect(&mut goal, &mut file)?;
                if n == 0 {
                    pointers[12] = indirect;
                } else {
                    let slot = 4 * index(n / per_block - 1);
                    put("journal", self.block(double), slot, &indirect.to_le_bytes())?;
                    self.cache.write(double);
                }
            }
            let block = self.space.take_cluster(goal)?;
            goal = block;
            match behind {
                None => {
                    pointers[index(n)] = block;
                    self.cache.write(block);
                }
                Some(n) => {
                    let slot = 4 * index(n % per_block);
                    put("journal", self.block(indirect), slot, &block.to_le_bytes())?;
                    self.cache.read(indirect);
                    self.cache.write(block);
                    self.cache.write(indirect);
                }
            }
            match file.runs.last_mut() {
                Some(run) if run.start + run.len == block => run.len += 1,
                _ => file.runs.push(Run { start: block, len: 1 }),
            }
        }
        for (slot, pointer) in file.i_block.chunks_exact_mut(4).zip(pointers) {
            slot.copy_from_slice(&pointer.to_le_bytes());
        }
        file.clusters += g.journal_blocks;
        Ok(file)
    }

    fn take_indirect(&mut self, goal: &mut u32, file: &mut File) -> Result<u32, MkfsError> {
        let block = self.space.take_cluster(*goal)?;
        *goal = block;
        self.cache.write(block);
        self.block(block);
        file.clusters += 1;
        Ok(block)
    }

    /// Inodes in use in a group, and how many of them are directories.
    fn inodes_in(&self, group: u32) -> (u32, u32) {
        let first = group * self.g.inodes_per_group;
        let end = first + self.g.inodes_per_group;
        let dirs = [Ino::ROOT, LOST_FOUND].iter().filter(|ino| (first..end).contains(&(ino.0 - 1))).count();
        (INODES_USED.clamp(first, end) - first, u32::try_from(dirs).unwrap_or(0))
    }

    /// Writes bitmaps and the table of descriptors; returns the table.
    fn bitmaps_and_descriptors(&mut self) -> Result<Vec<u8>, MkfsError> {
        let g = self.g;
        let csum = self.options.metadata_csum;
        let mut table = vec![0; self.block_len() * index(g.desc_blocks)];
        let slots = table.chunks_exact_mut(g.desc_size.into());
        for ((group, tables), slot) in (0..).zip(self.tables.clone()).zip(slots) {
            let (inodes, dirs) = self.inodes_in(group);
            let mut desc = GroupDesc::zeroed();
            desc.set_block_bitmap_nr(tables.block_bitmap.into());
            desc.set_inode_bitmap_nr(tables.inode_bitmap.into());
            desc.set_inode_table_nr(tables.inode_table.into());
            desc.set_free_clusters(self.space.free_clusters(group));
            desc.set_free_inodes(g.inodes_per_group - inodes);
            desc.set_used_dirs(dirs);
            let mut flags = GroupFlags::ITABLE_ZEROED;
            if csum {
                desc.set_itable_unused(g.inodes_per_group - inodes);
                flags.set(GroupFlags::INODE_UNINIT, inodes == 0);
                flags.set(GroupFlags::BLOCK_UNINIT, inodes == 0 && self.only_backup_in(group));
            }
            desc.set_flags(flags);
            if !flags.contains(GroupFlags::BLOCK_UNINIT) {
                let mut block = vec![0; self.block_len()];
                self.space.block_bitmap(group, &mut block);
                if csum {
                    desc.set_block_bitmap_csum(bitmap::compute_checksum(&block, g.clusters_per_group(), self.seed));
                }
                self.blocks.insert(tables.block_bitmap, block);
                self.cache.write(tables.block_bitmap);
            }
            if !flags.contains(GroupFlags::INODE_UNINIT) {
                let mut block = vec![0; self.block_len()];
                bitmap::set_range(&mut block, 0..inodes);
                bitmap::pad_from(&mut block, g.inodes_per_group);
                if csum {
                    desc.set_inode_bitmap_csum(bitmap::compute_checksum(&block, g.inodes_per_group, self.seed));
                }
                self.blocks.insert(tables.inode_bitmap, block);
                self.cache.write(tables.inode_bitmap);
            }
            if csum {
                desc.update_checksum(self.seed, Group(group), g.desc_size);
            }
            desc.write_sized(slot, g.desc_size)?;
        }
        Ok(table)
    }

    /// Whether a group's block bitmap need not be written.
    fn only_backup_in(&self, group: u32) -> bool {
        let g = self.g;
        let own = g.super_at(group).map_or(0, |_| 1 + g.desc_blocks + g.reserved_gdt_blocks);
        group + 1 < g.groups && self.space.used_blocks(group) == own.next_multiple_of(g.cluster_ratio)
    }

    /// The superblock and the descriptors, in group 0 and in the backup groups.
    fn superblocks(&mut self, table: &[u8], journal: Option<&Inode>) -> Result<(), MkfsError> {
        let g = self.g;
        let mut sb = self.superblock(journal);
        let primary_at = usize::try_from(superblock::OFFSET).unwrap_or(0) % self.block_len();
        for group in 0..g.groups {
            let Some(at) = g.super_at(group) else { continue };
            if group > 0 {
                sb.s_block_group_nr.set(u16::try_from(group).unwrap_or(u16::MAX));
                sb.s_state.set(0);
            }
            sb.update_checksum();
            let byte = if group == 0 { primary_at } else { 0 };
            sb.write_to(&mut self.block(at)[byte..])?;
            for (block, data) in (at + 1..).zip(table.chunks_exact(self.block_len())) {
                self.blocks.insert(block, data.to_vec());
            }
        }
        Ok(())
    }

    fn features(&self) -> (Compat, Incompat, RoCompat) {
        let o = self.options;
        let mut compat = Compat::EXT_ATTR | Compat::DIR_INDEX;
        compat.set(Compat::HAS_JOURNAL, self.g.journal_blocks > 0);
        compat.set(Compat::RESIZE_INODE, o.resize_inode);
        let mut incompat = Incompat::FILETYPE | Incompat::FLEX_BG;
        incompat.set(Incompat::EXTENTS, o.extents);
        incompat.set(Incompat::BITS64, o.bits64);
        incompat.set(Incompat::INLINE_DATA, o.inline_data);
        let mut ro_compat = RoCompat::SPARSE_SUPER | RoCompat::LARGE_FILE | RoCompat::HUGE_FILE;
        ro_compat |= RoCompat::DIR_NLINK | RoCompat::EXTRA_ISIZE;
        ro_compat.set(RoCompat::METADATA_CSUM, o.metadata_csum);
        ro_compat.set(RoCompat::BIGALLOC, o.cluster_size.is_some());
        (compat, incompat, ro_compat)
    }

    fn superblock(&self, journal: Option<&Inode>) -> Superblock {
        let (g, o) = (self.g, self.options);
        let mut sb = Superblock::zeroed();
        let (compat, incompat, ro_compat) = self.features();
        sb.set_features(compat, incompat, ro_compat);
        sb.s_inodes_count.set(g.inodes_count());
        sb.set_blocks_count(g.blocks_count.into());
        sb.set_r_blocks_count(g.reserved_blocks.into());
        let free: u32 = (0..g.groups).map(|group| self.space.free_clusters(group)).sum();
        sb.set_free_blocks_count(u64::from(free) * u64::from(g.cluster_ratio));
        sb.s_free_inodes_count.set(g.inodes_count() - INODES_USED);
        sb.s_first_data_block.set(g.first_data_block);
        let log = g.block_size.ilog2() - 10;
        sb.s_log_block_size.set(log);
        sb.s_log_cluster_size.set(log + g.cluster_ratio.ilog2());
        sb.s_blocks_per_group.set(g.blocks_per_group);
        sb.s_clusters_per_group.set(g.clusters_per_group());
        sb.s_inodes_per_group.set(g.inodes_per_group);
        for time in [&mut sb.s_wtime, &mut sb.s_lastcheck, &mut sb.s_mkfs_time] {
            time.set(o.time);
        }
        sb.s_max_mnt_count.set(u16::MAX);
        sb.s_magic.set(superblock::MAGIC);
        sb.s_state.set(1);
        sb.s_errors.set(1);
        sb.s_rev_level.set(1);
        sb.s_first_ino.set(Ino::FIRST.0);
        sb.s_inode_size.set(o.inode_size);
        sb.s_uuid = o.uuid;
        sb.s_volume_name = o.label;
        sb.s_reserved_gdt_blocks.set(u16::try_from(g.reserved_gdt_blocks).unwrap_or(u16::MAX));
        for (word, bytes) in sb.s_hash_seed.iter_mut().zip(o.hash_seed.as_chunks::<4>().0) {
            *word = (*bytes).into();
        }
        sb.s_def_hash_version = 1;
        sb.s_desc_size.set(if o.bits64 { g.desc_size } else { 0 });
        sb.s_default_mount_opts.set(0xc);
        if let Some(inode) = journal {
            sb.s_journal_inum.set(Ino::JOURNAL.0);
            sb.s_jnl_backup_type = 1;
            let pointers = inode.block_pointers();
            for (word, pointer) in sb.s_jnl_blocks.iter_mut().zip(pointers) {
                word.set(pointer);
            }
            sb.s_jnl_blocks[15] = inode.i_size_high;
            sb.s_jnl_blocks[16] = inode.i_size_lo;
        }
        sb.s_min_extra_isize.set(32);
        sb.s_want_extra_isize.set(32);
        sb.s_flags.set(1);
        sb.s_log_groups_per_flex = 4;
        sb.s_checksum_type = u8::from(o.metadata_csum);
        let cached = (4096 + u64::from(g.block_size) * self.cache.written()) / 1024;
        sb.s_kbytes_written.set(1 + cached + u64::from((g.desc_blocks + 1) / (g.block_size / 1024)));
        sb.s_overhead_clusters.set(self.overhead_clusters);
        sb
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mountable::{check_descriptors, check_mountable};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Any options either fail with a reason or give something mountable.
        #[test]
        fn what_is_made_mounts(
            size in 0_u64..40 << 20, log in 0_u32..4, toggles: [bool; 6], cluster in 0_u32..9,
            inodes in prop::option::of(0_u32..100_000), percent in 0_u8..60, journal in prop::option::of(0_u32..40),
        ) {
            let mut options = MkfsOptions::new(size, 1024 << log);
            [
                options.has_journal,
                options.extents,
                options.bits64,
                options.inline_data,
                options.resize_inode,
                options.metadata_csum,
            ] = toggles;
            options.cluster_size = (cluster > 3).then_some(1024 << cluster);
            options.inodes_count = inodes;
            options.reserved_percent = percent;
            options.journal_size_mib = journal;
            let mut device = BTreeMap::new();
            if let Ok(geometry) = mkfs(&options, &mut device) {
                let at = if geometry.block_size == 1024 { 0 } else { 1024 };
                let block = Pblk(geometry.superblock_block.into());
                let sb = Superblock::parse(&device[&block][at..]).unwrap();
                prop_assert_eq!(check_mountable(&sb), Ok(()));
                let table: Vec<u8> = (1..=u64::from(geometry.desc_blocks))
                    .flat_map(|n| device[&Pblk(block.0 + n)].clone())
                    .collect();
                prop_assert!(check_descriptors(&sb, &table).is_ok());
            }
        }
    }
}
