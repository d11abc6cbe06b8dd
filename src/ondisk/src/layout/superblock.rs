//! The superblock: `struct ext4_super_block`, fs/ext4/ext4.h.
//!
//! It stands at byte 1024 of the device, and at the start of each backup
//! group's first block.

use bitflags::bitflags;
use zerocopy::little_endian::{U16, U32, U64};

use super::{LayoutError, on_disk, same_checksum};
use crate::crc32c::{self, crc32c};
use crate::ids::{Group, Ino, Pblk};

/// `EXT4_SUPER_MAGIC`.
pub const MAGIC: u16 = 0xef53;
/// Byte of the device where the primary superblock starts.
pub const OFFSET: u64 = 1024;

on_disk! {
    /// All 1024 bytes, under the kernel's names. Numbers that are stored in two
    /// halves have a method without the `_lo`.
    "superblock" pub struct Superblock (1024) {
        /// Inodes, used and free.
        s_inodes_count: U32,
        /// Blocks of the file system, low half.
        s_blocks_count_lo: U32,
        /// Blocks kept for the superuser, low half.
        s_r_blocks_count_lo: U32,
        /// Free blocks, low half; stale while mounted.
        s_free_blocks_count_lo: U32,
        /// Free inodes; stale while mounted.
        s_free_inodes_count: U32,
        /// Block of the superblock: 1 for 1 KiB blocks without bigalloc, else 0.
        s_first_data_block: U32,
        /// Block size as 1024 << n.
        s_log_block_size: U32,
        /// Cluster size as 1024 << n.
        s_log_cluster_size: U32,
        /// Blocks in a full group.
        s_blocks_per_group: U32,
        /// Clusters in a full group.
        s_clusters_per_group: U32,
        /// Inodes in every group.
        s_inodes_per_group: U32,
        /// Last mount, seconds.
        s_mtime: U32,
        /// Last write of the superblock, seconds.
        s_wtime: U32,
        /// Mounts since the last check.
        s_mnt_count: U16,
        /// Mounts after which to check; 0xffff never.
        s_max_mnt_count: U16,
        /// 0xEF53.
        s_magic: U16,
        /// 1 cleanly unmounted, 2 errors seen, 4 orphans being processed.
        s_state: U16,
        /// On an error: 1 continue, 2 remount read-only, 3 panic.
        s_errors: U16,
        /// Minor revision.
        s_minor_rev_level: U16,
        /// Last check, seconds.
        s_lastcheck: U32,
        /// Seconds between checks; 0 never.
        s_checkinterval: U32,
        /// Operating system that made it; 0 Linux.
        s_creator_os: U32,
        /// 1: inode size and features below are valid.
        s_rev_level: U32,
        /// User who may use reserved blocks.
        s_def_resuid: U16,
        /// Group that may use reserved blocks.
        s_def_resgid: U16,
        /// First inode that is not reserved.
        s_first_ino: U32,
        /// Bytes of an inode.
        s_inode_size: U16,
        /// Group that this copy stands in.
        s_block_group_nr: U16,
        /// [`Compat`].
        s_feature_compat: U32,
        /// [`Incompat`].
        s_feature_incompat: U32,
        /// [`RoCompat`].
        s_feature_ro_compat: U32,
        /// Identity; the checksum seed comes from it.
        s_uuid: [u8; 16],
        /// Label.
        s_volume_name: [u8; 16],
        /// Directory of the last mount.
        s_last_mounted: [u8; 64],
        /// Unused compression bitmap.
        s_algorithm_usage_bitmap: U32,
        /// Unused.
        s_prealloc_blocks: u8,
        /// Unused.
        s_prealloc_dir_blocks: u8,
        /// Blocks after the descriptors kept for their growth.
        s_reserved_gdt_blocks: U16,
        /// Identity of an outside journal.
        s_journal_uuid: [u8; 16],
        /// Inode of the journal, 8.
        s_journal_inum: U32,
        /// Device of an outside journal.
        s_journal_dev: U32,
        /// First inode of the orphan list; the next is in its `i_dtime`.
        s_last_orphan: U32,
        /// Seed of the directory hash.
        s_hash_seed: [U32; 4],
        /// 0 legacy, 1 half_md4, 2 tea.
        s_def_hash_version: u8,
        /// 1: `s_jnl_blocks` is a copy of the journal's `i_block`.
        s_jnl_backup_type: u8,
        /// Bytes of a group descriptor; 0 means 32.
        s_desc_size: U16,
        /// Mount options on by default; 4 user_xattr, 8 acl.
        s_default_mount_opts: U32,
        /// First group of the meta_bg layout.
        s_first_meta_bg: U32,
        /// When it was made, seconds.
        s_mkfs_time: U32,
        /// The journal's `i_block`, then its size, high and low.
        s_jnl_blocks: [U32; 17],
        /// Blocks of the file system, high half.
        s_blocks_count_hi: U32,
        /// Blocks kept for the superuser, high half.
        s_r_blocks_count_hi: U32,
        /// Free blocks, high half.
        s_free_blocks_count_hi: U32,
        /// Extra bytes that every inode has.
        s_min_extra_isize: U16,
        /// Extra bytes that new inodes get.
        s_want_extra_isize: U16,
        /// 1 signed directory hash, 2 unsigned.
        s_flags: U32,
        /// Blocks written to one disk of an array before the next.
        s_raid_stride: U16,
        /// Seconds between multi-mount checks.
        s_mmp_interval: U16,
        /// Block of multi-mount protection.
        s_mmp_block: U64,
        /// Blocks across all disks of an array.
        s_raid_stripe_width: U32,
        /// Groups of a flex group as 1 << n.
        s_log_groups_per_flex: u8,
        /// 1: crc32c.
        s_checksum_type: u8,
        /// Unused.
        s_encryption_level: u8,
        /// Padding.
        s_reserved_pad: u8,
        /// KiB written over its life.
        s_kbytes_written: U64,
        /// Unused.
        s_snapshot_inum: U32,
        /// Unused.
        s_snapshot_id: U32,
        /// Unused.
        s_snapshot_r_blocks_count: U64,
        /// Unused.
        s_snapshot_list: U32,
        /// Errors seen.
        s_error_count: U32,
        /// First error, seconds.
        s_first_error_time: U32,
        /// Inode of the first error.
        s_first_error_ino: U32,
        /// Block of the first error.
        s_first_error_block: U64,
        /// Function of the first error.
        s_first_error_func: [u8; 32],
        /// Line of the first error.
        s_first_error_line: U32,
        /// Last error, seconds.
        s_last_error_time: U32,
        /// Inode of the last error.
        s_last_error_ino: U32,
        /// Line of the last error.
        s_last_error_line: U32,
        /// Block of the last error.
        s_last_error_block: U64,
        /// Function of the last error.
        s_last_error_func: [u8; 32],
        /// Mount options as text.
        s_mount_opts: [u8; 64],
        /// Inode of the user quota.
        s_usr_quota_inum: U32,
        /// Inode of the group quota.
        s_grp_quota_inum: U32,
        /// Clusters that no file can have.
        s_overhead_clusters: U32,
        /// Groups of the backups with sparse_super2.
        s_backup_bgs: [U32; 2],
        /// Encryption algorithms.
        s_encrypt_algos: [u8; 4],
        /// Salt of the encryption.
        s_encrypt_pw_salt: [u8; 16],
        /// Inode of lost+found.
        s_lpf_ino: U32,
        /// Inode of the project quota.
        s_prj_quota_inum: U32,
        /// Checksum seed with metadata_csum_seed.
        s_checksum_seed: U32,
        /// Bits 32 and up of `s_wtime`.
        s_wtime_hi: u8,
        /// Bits 32 and up of `s_mtime`.
        s_mtime_hi: u8,
        /// Bits 32 and up of `s_mkfs_time`.
        s_mkfs_time_hi: u8,
        /// Bits 32 and up of `s_lastcheck`.
        s_lastcheck_hi: u8,
        /// Bits 32 and up of `s_first_error_time`.
        s_first_error_time_hi: u8,
        /// Bits 32 and up of `s_last_error_time`.
        s_last_error_time_hi: u8,
        /// Kind of the first error.
        s_first_error_errcode: u8,
        /// Kind of the last error.
        s_last_error_errcode: u8,
        /// Character set of case-folded names.
        s_encoding: U16,
        /// Flags of the character set.
        s_encoding_flags: U16,
        /// Inode of the orphan file; later than v5.10, which skips it.
        s_orphan_file_inum: U32,
        /// Zero.
        s_reserved: [U32; 94],
        /// crc32c of the 1020 bytes before.
        s_checksum: U32,
    }
}

bitflags! {
    /// Features that an unaware kernel may ignore.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Compat: u32 {
        /// dir_prealloc
        const DIR_PREALLOC = 0x1;
        /// imagic_inodes
        const IMAGIC_INODES = 0x2;
        /// has_journal
        const HAS_JOURNAL = 0x4;
        /// ext_attr
        const EXT_ATTR = 0x8;
        /// resize_inode
        const RESIZE_INODE = 0x10;
        /// dir_index
        const DIR_INDEX = 0x20;
        /// sparse_super2
        const SPARSE_SUPER2 = 0x200;
        /// fast_commit
        const FAST_COMMIT = 0x400;
        /// stable_inodes
        const STABLE_INODES = 0x800;
        /// orphan_file
        const ORPHAN_FILE = 0x1000;
        const _ = !0;
    }

    /// Features without which a kernel must not mount.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Incompat: u32 {
        /// compression
        const COMPRESSION = 0x1;
        /// filetype
        const FILETYPE = 0x2;
        /// needs_recovery
        const RECOVER = 0x4;
        /// journal_dev
        const JOURNAL_DEV = 0x8;
        /// meta_bg
        const META_BG = 0x10;
        /// extent
        const EXTENTS = 0x40;
        /// 64bit
        const BITS64 = 0x80;
        /// mmp
        const MMP = 0x100;
        /// flex_bg
        const FLEX_BG = 0x200;
        /// ea_inode
        const EA_INODE = 0x400;
        /// dirdata
        const DIRDATA = 0x1000;
        /// metadata_csum_seed
        const CSUM_SEED = 0x2000;
        /// large_dir
        const LARGEDIR = 0x4000;
        /// inline_data
        const INLINE_DATA = 0x8000;
        /// encrypt
        const ENCRYPT = 0x1_0000;
        /// casefold
        const CASEFOLD = 0x2_0000;
        const _ = !0;
    }

    /// Features without which a kernel must not write.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RoCompat: u32 {
        /// sparse_super
        const SPARSE_SUPER = 0x1;
        /// large_file
        const LARGE_FILE = 0x2;
        /// btree_dir
        const BTREE_DIR = 0x4;
        /// huge_file
        const HUGE_FILE = 0x8;
        /// uninit_bg
        const GDT_CSUM = 0x10;
        /// dir_nlink
        const DIR_NLINK = 0x20;
        /// extra_isize
        const EXTRA_ISIZE = 0x40;
        /// snapshot
        const SNAPSHOT = 0x80;
        /// quota
        const QUOTA = 0x100;
        /// bigalloc
        const BIGALLOC = 0x200;
        /// metadata_csum
        const METADATA_CSUM = 0x400;
        /// replica
        const REPLICA = 0x800;
        /// read-only
        const READONLY = 0x1000;
        /// project
        const PROJECT = 0x2000;
        /// shared_blocks
        const SHARED_BLOCKS = 0x4000;
        /// verity
        const VERITY = 0x8000;
        /// orphan_present
        const ORPHAN_PRESENT = 0x1_0000;
        const _ = !0;
    }
}

/// Names of the set bits, as dumpe2fs prints them; `letter` and bit number if it has none.
fn names(bits: u32, letter: char, known: &[(u32, &'static str)]) -> Vec<String> {
    (0..32)
        .filter(|n| bits & (1 << n) != 0)
        .map(|n| match known.iter().find(|(bit, _)| *bit == 1 << n) {
            Some((_, name)) => (*name).to_owned(),
            None => format!("FEATURE_{letter}{n}"),
        })
        .collect()
}

impl Compat {
    /// Names of the features as dumpe2fs prints them.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        names(
            self.bits(),
            'C',
            &[
                (0x1, "dir_prealloc"),
                (0x2, "imagic_inodes"),
                (0x4, "has_journal"),
                (0x8, "ext_attr"),
                (0x10, "resize_inode"),
                (0x20, "dir_index"),
                (0x200, "sparse_super2"),
                (0x400, "fast_commit"),
                (0x800, "stable_inodes"),
                (0x1000, "orphan_file"),
            ],
        )
    }
}

impl Incompat {
    /// Names of the features as dumpe2fs prints them.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        names(
            self.bits(),
            'I',
            &[
                (0x1, "compression"),
                (0x2, "filetype"),
                (0x4, "needs_recovery"),
                (0x8, "journal_dev"),
                (0x10, "meta_bg"),
                (0x40, "extent"),
                (0x80, "64bit"),
                (0x100, "mmp"),
                (0x200, "flex_bg"),
                (0x400, "ea_inode"),
                (0x1000, "dirdata"),
                (0x2000, "metadata_csum_seed"),
                (0x4000, "large_dir"),
                (0x8000, "inline_data"),
                (0x1_0000, "encrypt"),
                (0x2_0000, "casefold"),
            ],
        )
    }
}

impl RoCompat {
    /// Names of the features as dumpe2fs prints them.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        names(
            self.bits(),
            'R',
            &[
                (0x1, "sparse_super"),
                (0x2, "large_file"),
                (0x4, "btree_dir"),
                (0x8, "huge_file"),
                (0x10, "uninit_bg"),
                (0x20, "dir_nlink"),
                (0x40, "extra_isize"),
                (0x80, "snapshot"),
                (0x100, "quota"),
                (0x200, "bigalloc"),
                (0x400, "metadata_csum"),
                (0x800, "replica"),
                (0x1000, "read-only"),
                (0x2000, "project"),
                (0x4000, "shared_blocks"),
                (0x8000, "verity"),
                (0x1_0000, "orphan_present"),
            ],
        )
    }
}

/// Two 32-bit halves as one number.
fn join(hi: U32, lo: U32) -> u64 {
    u64::from(hi.get()) << 32 | u64::from(lo.get())
}

/// One number as (high, low) halves.
fn split(number: u64) -> (U32, U32) {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    (U32::from_bytes([e, f, g, h]), U32::from_bytes([a, b, c, d]))
}

impl Superblock {
    /// The primary superblock of a device whose first bytes are `device`.
    ///
    /// # Errors
    /// `TooShort`, or `BadMagic`.
    pub fn of_device(device: &[u8]) -> Result<&Self, LayoutError> {
        let sb = Self::of(device.get(1024..).unwrap_or(&[]))?;
        sb.check_magic()?;
        Ok(sb)
    }

    /// That `s_magic` is ext4's.
    ///
    /// # Errors
    /// `BadMagic`.
    pub fn check_magic(&self) -> Result<(), LayoutError> {
        if self.s_magic.get() == MAGIC {
            return Ok(());
        }
        Err(LayoutError::BadMagic { what: "superblock", want: MAGIC.into(), found: self.s_magic.get().into() })
    }

    /// Features that may be ignored.
    #[must_use]
    pub fn compat(&self) -> Compat {
        Compat::from_bits_retain(self.s_feature_compat.get())
    }

    /// Features that must be known to mount.
    #[must_use]
    pub fn incompat(&self) -> Incompat {
        Incompat::from_bits_retain(self.s_feature_incompat.get())
    }

    /// Features that must be known to write.
    #[must_use]
    pub fn ro_compat(&self) -> RoCompat {
        RoCompat::from_bits_retain(self.s_feature_ro_compat.get())
    }

    /// Replaces all three feature words.
    pub fn set_features(&mut self, compat: Compat, incompat: Incompat, ro_compat: RoCompat) {
        self.s_feature_compat.set(compat.bits());
        self.s_feature_incompat.set(incompat.bits());
        self.s_feature_ro_compat.set(ro_compat.bits());
    }

    /// Whether metadata carries crc32c checksums.
    #[must_use]
    pub fn has_metadata_csum(&self) -> bool {
        self.ro_compat().contains(RoCompat::METADATA_CSUM)
    }

    /// Bytes of a block; 0 if the field is beyond 64 KiB.
    #[must_use]
    pub fn block_size(&self) -> u32 {
        match self.s_log_block_size.get() {
            log @ 0..=6 => 1024 << log,
            _ => 0,
        }
    }

    /// Blocks of a cluster: 1 without bigalloc.
    #[must_use]
    pub fn cluster_ratio(&self) -> u32 {
        if !self.ro_compat().contains(RoCompat::BIGALLOC) {
            return 1;
        }
        let log = self.s_log_cluster_size.get().saturating_sub(self.s_log_block_size.get());
        1 << log.min(31)
    }

    /// Bytes of an inode; 128 in revision 0.
    #[must_use]
    pub fn inode_size(&self) -> u16 {
        if self.s_rev_level.get() == 0 { 128 } else { self.s_inode_size.get() }
    }

    /// Bytes of a group descriptor.
    #[must_use]
    pub fn desc_size(&self) -> u16 {
        let wide = self.incompat().contains(Incompat::BITS64);
        if wide { self.s_desc_size.get() } else { 32 }
    }

    /// Blocks of the file system.
    #[must_use]
    pub fn blocks_count(&self) -> u64 {
        join(self.s_blocks_count_hi, self.s_blocks_count_lo)
    }

    /// Sets both halves.
    pub fn set_blocks_count(&mut self, blocks: u64) {
        (self.s_blocks_count_hi, self.s_blocks_count_lo) = split(blocks);
    }

    /// Blocks kept for the superuser.
    #[must_use]
    pub fn r_blocks_count(&self) -> u64 {
        join(self.s_r_blocks_count_hi, self.s_r_blocks_count_lo)
    }

    /// Sets both halves.
    pub fn set_r_blocks_count(&mut self, blocks: u64) {
        (self.s_r_blocks_count_hi, self.s_r_blocks_count_lo) = split(blocks);
    }

    /// Free blocks as last written here.
    #[must_use]
    pub fn free_blocks_count(&self) -> u64 {
        join(self.s_free_blocks_count_hi, self.s_free_blocks_count_lo)
    }

    /// Sets both halves.
    pub fn set_free_blocks_count(&mut self, blocks: u64) {
        (self.s_free_blocks_count_hi, self.s_free_blocks_count_lo) = split(blocks);
    }

    /// Groups of the file system; 0 if a group holds no blocks.
    #[must_use]
    pub fn groups(&self) -> u32 {
        let per_group = u64::from(self.s_blocks_per_group.get());
        let blocks = self.blocks_count().saturating_sub(self.s_first_data_block.get().into());
        let groups = if per_group == 0 { 0 } else { blocks.div_ceil(per_group) };
        u32::try_from(groups).unwrap_or(u32::MAX)
    }

    /// First block of `group`.
    #[must_use]
    pub fn group_first_block(&self, group: Group) -> Pblk {
        let before = u64::from(group.0) * u64::from(self.s_blocks_per_group.get());
        Pblk(before + u64::from(self.s_first_data_block.get()))
    }

    /// Blocks of `group`: fewer in the last one, 0 past it.
    #[must_use]
    pub fn group_blocks(&self, group: Group) -> u32 {
        let left = self.blocks_count().saturating_sub(self.group_first_block(group).0);
        let per_group = self.s_blocks_per_group.get();
        u32::try_from(left).map_or(per_group, |left| left.min(per_group))
    }

    /// Group of a block; `None` before the first data block or past the end.
    #[must_use]
    pub fn group_of_block(&self, block: Pblk) -> Option<Group> {
        let from_first = block.0.checked_sub(self.s_first_data_block.get().into())?;
        let group = from_first.checked_div(self.s_blocks_per_group.get().into())?;
        (block.0 < self.blocks_count()).then_some(Group(u32::try_from(group).ok()?))
    }

    /// Group of an inode and its place in that group's table.
    #[must_use]
    pub fn group_of_inode(&self, ino: Ino) -> Option<(Group, u32)> {
        let (index, per_group) = (ino.0.checked_sub(1)?, self.s_inodes_per_group.get());
        if ino.0 > self.s_inodes_count.get() {
            return None;
        }
        Some((Group(index.checked_div(per_group)?), index % per_group))
    }

    /// Whether `group` holds a superblock and descriptors (`ext4_bg_has_super`).
    #[must_use]
    pub fn group_has_super(&self, group: Group) -> bool {
        if self.compat().contains(Compat::SPARSE_SUPER2) {
            return group.0 == 0 || self.s_backup_bgs.iter().any(|g| g.get() == group.0);
        }
        !self.ro_compat().contains(RoCompat::SPARSE_SUPER) || is_sparse_group(group)
    }

    /// Blocks of the group descriptor table; 0 if sizes are not usable.
    #[must_use]
    pub fn desc_blocks(&self) -> u32 {
        let per_block = self.block_size().checked_div(self.desc_size().into()).unwrap_or(0);
        if per_block == 0 { 0 } else { self.groups().div_ceil(per_block) }
    }

    /// Block of the primary superblock; the descriptors start in the next one.
    #[must_use]
    pub fn superblock_block(&self) -> Pblk {
        Pblk(if self.block_size() == 1024 { 1 } else { 0 })
    }

    /// Blocks of one group's inode table.
    #[must_use]
    pub fn inode_table_blocks(&self) -> u32 {
        let bytes = u64::from(self.s_inodes_per_group.get()) * u64::from(self.inode_size());
        let blocks = if self.block_size() == 0 { 0 } else { bytes.div_ceil(self.block_size().into()) };
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    /// Seed of all metadata checksums (`s_csum_seed`).
    #[must_use]
    pub fn checksum_seed(&self) -> u32 {
        if self.incompat().contains(Incompat::CSUM_SEED) {
            self.s_checksum_seed.get()
        } else {
            crc32c(crc32c::START, &self.s_uuid)
        }
    }

    /// The checksum that the other fields ask for.
    #[must_use]
    pub fn compute_checksum(&self) -> u32 {
        crc32c(crc32c::START, &self.as_bytes()[..Self::SIZE - 4])
    }

    /// Sets `s_checksum` if the file system has checksums.
    pub fn update_checksum(&mut self) {
        if self.has_metadata_csum() {
            self.s_checksum.set(self.compute_checksum());
        }
    }

    /// Compares `s_checksum`; always right without checksums.
    ///
    /// # Errors
    /// `BadChecksum`.
    pub fn verify_checksum(&self) -> Result<(), LayoutError> {
        if !self.has_metadata_csum() {
            return Ok(());
        }
        same_checksum("superblock", self.compute_checksum(), self.s_checksum.get())
    }
}

/// Whether sparse_super keeps a backup in `group`: 0, 1 and the powers of 3, 5 and 7.
#[must_use]
pub fn is_sparse_group(group: Group) -> bool {
    let power_of = |base: u32| {
        let mut n = group.0;
        while n > 1 && n.is_multiple_of(base) {
            n /= base;
        }
        n == 1
    };
    group.0 <= 1 || [3, 5, 7].into_iter().any(power_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_where_the_kernel_has_them() {
        let at = |name: &str| {
            let sb = Superblock::zeroed();
            sb.fields().into_iter().find(|f| f.name == name).map(|f| f.offset)
        };
        for (name, offset) in [
            ("s_magic", 56),
            ("s_feature_compat", 92),
            ("s_uuid", 104),
            ("s_last_mounted", 136),
            ("s_reserved_gdt_blocks", 206),
            ("s_last_orphan", 232),
            ("s_hash_seed", 236),
            ("s_desc_size", 254),
            ("s_jnl_blocks", 268),
            ("s_blocks_count_hi", 336),
            ("s_flags", 352),
            ("s_kbytes_written", 376),
            ("s_overhead_clusters", 584),
            ("s_checksum_seed", 624),
            ("s_orphan_file_inum", 640),
            ("s_checksum", 1020),
        ] {
            assert_eq!(at(name), Some(offset), "{name}");
        }
    }

    #[test]
    fn backups_are_in_powers_of_3_5_and_7() {
        let with: Vec<u32> = (0..60).filter(|&g| is_sparse_group(Group(g))).collect();
        assert_eq!(with, [0, 1, 3, 5, 7, 9, 25, 27, 49]);
    }

    #[test]
    fn features_print_as_dumpe2fs_does() {
        assert_eq!(
            Incompat::from_bits_retain(0x2c2 | 1 << 30).names().join(" "),
            "filetype extent 64bit flex_bg FEATURE_I30"
        );
        assert_eq!(
            Compat::from_bits_retain(0x103c).names().join(" "),
            "has_journal ext_attr resize_inode dir_index orphan_file"
        );
    }

    #[test]
    fn a_changed_byte_fails_the_checksum() {
        let mut sb = Superblock::zeroed();
        sb.set_features(Compat::empty(), Incompat::empty(), RoCompat::METADATA_CSUM);
        sb.set_blocks_count(0x1_2345_6789);
        sb.update_checksum();
        assert_eq!(sb.verify_checksum(), Ok(()));
        let mut bytes = [0; 1024];
        sb.write_to(&mut bytes).unwrap();
        assert_eq!(Superblock::parse(&bytes), Ok(sb));
        bytes[300] ^= 1;
        assert!(Superblock::of(&bytes).unwrap().verify_checksum().is_err());
    }
}
