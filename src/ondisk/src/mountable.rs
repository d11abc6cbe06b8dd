//! Whether a v5.10 kernel would mount an image, and this engine with it.
//!
//! The tests of `ext4_fill_super` and `ext4_check_descriptors`,
//! fs/ext4/super.c, in their order. Two kinds of refusal: what the kernel
//! refuses, and [`MountRefusal::NotModelled`], what it would mount but the
//! engine has no code for.
//!
//! Compatible features never refuse: `orphan_file` (later than v5.10) is
//! ignored, as the kernel does.

use thiserror::Error;

use crate::ids::{Group, Pblk};
use crate::layout::LayoutError;
use crate::layout::group_desc::GroupDesc;
use crate::layout::superblock::{Incompat, RoCompat, Superblock};

/// Incompatible features that v5.10 knows.
const KNOWN_INCOMPAT: Incompat = Incompat::FILETYPE
    .union(Incompat::RECOVER)
    .union(Incompat::META_BG)
    .union(Incompat::EXTENTS)
    .union(Incompat::BITS64)
    .union(Incompat::MMP)
    .union(Incompat::FLEX_BG)
    .union(Incompat::EA_INODE)
    .union(Incompat::CSUM_SEED)
    .union(Incompat::LARGEDIR)
    .union(Incompat::INLINE_DATA)
    .union(Incompat::ENCRYPT)
    .union(Incompat::CASEFOLD);

/// Of these, the ones that the engine has no code for.
const INCOMPAT_NOT_MODELLED: Incompat =
    Incompat::META_BG.union(Incompat::MMP).union(Incompat::EA_INODE).union(Incompat::ENCRYPT).union(Incompat::CASEFOLD);

/// Read-only compatible features with which v5.10 writes.
const KNOWN_RO_COMPAT: RoCompat = RoCompat::SPARSE_SUPER
    .union(RoCompat::LARGE_FILE)
    .union(RoCompat::BTREE_DIR)
    .union(RoCompat::HUGE_FILE)
    .union(RoCompat::GDT_CSUM)
    .union(RoCompat::DIR_NLINK)
    .union(RoCompat::EXTRA_ISIZE)
    .union(RoCompat::QUOTA)
    .union(RoCompat::BIGALLOC)
    .union(RoCompat::METADATA_CSUM)
    .union(RoCompat::PROJECT)
    .union(RoCompat::VERITY);

/// Of these, the ones that the engine has no code for.
const RO_COMPAT_NOT_MODELLED: RoCompat = RoCompat::GDT_CSUM.union(RoCompat::QUOTA);

/// Why an image cannot be mounted for writing, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MountRefusal {
    /// No superblock, or one whose checksum is wrong.
    #[error("{prefix}superblock at byte 1024: {0}", prefix = not_ext4(.0))]
    Superblock(#[from] LayoutError),
    /// Not crc32c.
    #[error("superblock: checksum type {found} is not known (1 is crc32c)")]
    ChecksumType {
        /// `s_checksum_type`.
        found: u8,
    },
    /// The kernel does not know these.
    #[error("superblock: incompatible features not known to Linux 5.10: {names}")]
    UnknownIncompat {
        /// As dumpe2fs prints them.
        names: String,
    },
    /// The kernel would mount read-only.
    #[error("superblock: features with which Linux 5.10 only mounts read-only: {names}")]
    ReadOnly {
        /// As dumpe2fs prints them.
        names: String,
    },
    /// The kernel mounts it, the engine cannot.
    #[error("superblock: features that this engine does not model: {names}")]
    NotModelled {
        /// As dumpe2fs prints them.
        names: String,
    },
    /// A number that makes no sense.
    #[error("superblock: {field} is {found}, {rule}")]
    BadGeometry {
        /// The field's kernel name.
        field: &'static str,
        /// What stands there.
        found: u64,
        /// What should hold.
        rule: &'static str,
    },
    /// The file system is larger than what holds it.
    #[error("superblock: {blocks} blocks, but the device has only {device}")]
    DeviceTooSmall {
        /// Blocks of the file system.
        blocks: u64,
        /// Blocks of the device.
        device: u64,
    },
    /// A descriptor is cut off or its checksum is wrong.
    #[error("descriptor of group {group}: {source}")]
    Descriptor {
        /// Which.
        group: Group,
        /// What is wrong.
        source: LayoutError,
    },
    /// A descriptor names a block where its structure cannot be.
    #[error("descriptor of group {group}: {what} at block {block}, outside the file system")]
    Misplaced {
        /// Which.
        group: Group,
        /// Bitmap or table.
        what: &'static str,
        /// Where it is said to be.
        block: Pblk,
    },
}

/// Tests everything that the superblock alone tells.
///
/// # Errors
/// The first reason not to mount for writing.
pub fn check_mountable(sb: &Superblock) -> Result<(), MountRefusal> {
    sb.check_magic()?;
    if sb.has_metadata_csum() && sb.s_checksum_type != 1 {
        return Err(MountRefusal::ChecksumType { found: sb.s_checksum_type });
    }
    sb.verify_checksum()?;
    check_features(sb)?;
    check_sizes(sb)?;
    check_groups(sb)
}

/// Tests that a device of `device_blocks` holds the file system.
///
/// # Errors
/// `DeviceTooSmall`.
pub fn check_device(sb: &Superblock, device_blocks: u64) -> Result<(), MountRefusal> {
    let (blocks, device) = (sb.blocks_count(), device_blocks);
    if blocks > device { Err(MountRefusal::DeviceTooSmall { blocks, device }) } else { Ok(()) }
}

/// Tests the descriptors in `table`, the bytes of the blocks after the
/// superblock, and returns them.
///
/// # Errors
/// The first group whose descriptor is wrong.
pub fn check_descriptors(sb: &Superblock, table: &[u8]) -> Result<Vec<GroupDesc>, MountRefusal> {
    let size = sb.desc_size();
    let mut descs = Vec::new();
    for group in (0..sb.groups()).map(Group) {
        let at = usize::try_from(u64::from(group.0) * u64::from(size)).unwrap_or(usize::MAX);
        let desc = GroupDesc::parse_sized(table.get(at..).unwrap_or(&[]), size)
            .map_err(|source| MountRefusal::Descriptor { group, source })?;
        let places = [
            ("block bitmap", desc.block_bitmap(), 1),
            ("inode bitmap", desc.inode_bitmap(), 1),
            ("inode table", desc.inode_table(), sb.inode_table_blocks().into()),
        ];
        for (what, block, len) in places {
            let end = block.0.saturating_add(len);
            if block <= sb.superblock_block() || end > sb.blocks_count() {
                return Err(MountRefusal::Misplaced { group, what, block });
            }
        }
        if sb.has_metadata_csum() {
            desc.verify_checksum(sb.checksum_seed(), group, size)
                .map_err(|source| MountRefusal::Descriptor { group, source })?;
        }
        descs.push(desc);
    }
    Ok(descs)
}

fn check_features(sb: &Superblock) -> Result<(), MountRefusal> {
    let unknown = sb.incompat().difference(KNOWN_INCOMPAT);
    if !unknown.is_empty() {
        return Err(MountRefusal::UnknownIncompat { names: unknown.names().join(" ") });
    }
    let unknown = sb.ro_compat().difference(KNOWN_RO_COMPAT);
    if !unknown.is_empty() {
        return Err(MountRefusal::ReadOnly { names: unknown.names().join(" ") });
    }
    let mut names = sb.incompat().intersection(INCOMPAT_NOT_MODELLED).names();
    names.extend(sb.ro_compat().intersection(RO_COMPAT_NOT_MODELLED).names());
    if names.is_empty() { Ok(()) } else { Err(MountRefusal::NotModelled { names: names.join(" ") }) }
}

/// One rule: the value, and whether it holds.
fn rule(holds: bool, field: &'static str, found: impl Into<u64>, rule: &'static str) -> Result<(), MountRefusal> {
    if holds { Ok(()) } else { Err(MountRefusal::BadGeometry { field, found: found.into(), rule }) }
}

fn check_sizes(sb: &Superblock) -> Result<(), MountRefusal> {
    let log = sb.s_log_block_size.get();
    rule(log <= 2, "s_log_block_size", log, "must be 0 to 2: blocks of 1024, 2048 or 4096 bytes")?;
    let block_size = sb.block_size();
    let rev = sb.s_rev_level.get();
    rule(rev <= 1, "s_rev_level", rev, "must be 0 or 1")?;
    let first = sb.s_first_ino.get();
    rule(rev == 0 || first >= 11, "s_first_ino", first, "must be at least 11")?;
    let size = sb.inode_size();
    let fits = size >= 128 && size.is_power_of_two() && u32::from(size) <= block_size;
    rule(fits, "s_inode_size", size, "must be a power of two from 128 to the block size")?;
    let size = sb.desc_size();
    let wide = sb.incompat().contains(Incompat::BITS64);
    let fits = !wide || (64..=1024).contains(&size) && size.is_power_of_two();
    rule(fits, "s_desc_size", size, "must be a power of two from 64 to 1024")?;
    let cluster = sb.s_log_cluster_size.get();
    let bigalloc = sb.ro_compat().contains(RoCompat::BIGALLOC);
    let fits = if bigalloc { (log..=20).contains(&cluster) } else { cluster == log };
    rule(fits, "s_log_cluster_size", cluster, "does not fit the block size")?;
    let reserved = sb.s_reserved_gdt_blocks.get();
    rule(u32::from(reserved) <= block_size / 4, "s_reserved_gdt_blocks", reserved, "more than a block can name")
}

fn check_groups(sb: &Superblock) -> Result<(), MountRefusal> {
    let most = 8 * sb.block_size();
    let per_group = sb.s_clusters_per_group.get();
    rule(
        (1..=most).contains(&per_group),
        "s_clusters_per_group",
        per_group,
        "must be 1 to what a bitmap block counts",
    )?;
    let blocks = sb.s_blocks_per_group.get();
    let fits = Some(blocks) == per_group.checked_mul(sb.cluster_ratio());
    rule(fits, "s_blocks_per_group", blocks, "must be the clusters per group in blocks")?;
    let per_group = sb.s_inodes_per_group.get();
    let per_block = sb.block_size() / u32::from(sb.inode_size()).max(1);
    let fits = (per_block..=most).contains(&per_group);
    rule(fits, "s_inodes_per_group", per_group, "must fill a block, and fit a bitmap block")?;
    let first = sb.s_first_data_block.get();
    let cluster_1k = sb.block_size() == 1024 && sb.cluster_ratio() == 1;
    rule(first == u32::from(cluster_1k), "s_first_data_block", first, "must be 1 for 1 KiB blocks, else 0")?;
    let blocks = sb.blocks_count();
    rule(u64::from(first) < blocks, "s_blocks_count", blocks, "must be above the first data block")?;
    let groups = (blocks - u64::from(first)).div_ceil(sb.s_blocks_per_group.get().into());
    let inodes = sb.s_inodes_count.get();
    let fits = groups.checked_mul(per_group.into()) == Some(inodes.into());
    rule(fits, "s_inodes_count", inodes, "must be the groups times the inodes per group")
}

/// The plain words before a wrong magic number.
fn not_ext4(error: &LayoutError) -> &'static str {
    if matches!(error, LayoutError::BadMagic { .. }) { "not an ext4 file system: " } else { "" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::mkfs::{MkfsOptions, mkfs};
    use proptest::prelude::*;

    fn made() -> (Superblock, Vec<u8>) {
        let mut device = BTreeMap::new();
        mkfs(&MkfsOptions::new(64 << 20, 1024), &mut device).unwrap();
        (Superblock::parse(&device[&Pblk(1)]).unwrap(), device[&Pblk(2)].clone())
    }

    /// The refusal after a change, checksum made right again.
    fn check(change: fn(&mut Superblock), expected: &str) {
        let (mut sb, _) = made();
        change(&mut sb);
        sb.update_checksum();
        let refusal = check_mountable(&sb).map_or_else(|refusal| refusal.to_string(), |()| "mounts".into());
        assert!(refusal.contains(expected), "{refusal:?} should say {expected:?}");
    }

    #[test]
    fn a_new_file_system_mounts() {
        let (sb, table) = made();
        check_mountable(&sb).unwrap();
        assert_eq!(check_descriptors(&sb, &table).map(|descs| descs.len()), Ok(8));
        assert!(check_device(&sb, 65536).is_ok() && check_device(&sb, 65535).is_err());
    }

    #[test]
    fn every_refusal_says_what_and_where() {
        check(|sb| sb.s_magic.set(7), "not an ext4 file system: ");
        check(|sb| sb.s_magic.set(7), "magic is 0x7");
        check(|sb| sb.s_checksum_type = 2, "checksum type 2");
        check(|sb| sb.s_feature_compat.set(0x103c), "mounts");
        check(|sb| sb.s_feature_incompat.set(0x2_02c2 | 1 << 31), "FEATURE_I31");
        check(|sb| sb.s_feature_incompat.set(0x2_02c2), "does not model: casefold");
        check(|sb| sb.s_feature_incompat.set(0x22c2), "mounts");
        check(|sb| sb.s_feature_ro_compat.set(0x1_046b), "read-only: orphan_present");
        check(|sb| sb.s_log_block_size.set(6), "s_log_block_size is 6");
        check(|sb| sb.s_log_block_size.set(60), "s_log_block_size is 60");
        check(|sb| sb.s_inode_size.set(200), "s_inode_size is 200");
        check(|sb| sb.s_inodes_per_group.set(0), "s_inodes_per_group is 0");
        check(|sb| sb.s_blocks_per_group.set(0), "s_blocks_per_group is 0");
        check(|sb| sb.s_first_data_block.set(0), "s_first_data_block is 0");
        check(|sb| sb.set_blocks_count(1 << 40), "s_inodes_count");
    }

    #[test]
    fn a_damaged_descriptor_is_named() {
        let (sb, mut table) = made();
        table[3 * 64 + 12] ^= 1;
        let refusal = check_descriptors(&sb, &table).unwrap_err().to_string();
        assert!(refusal.starts_with("descriptor of group 3: group descriptor: checksum"), "{refusal}");
        assert!(check_descriptors(&sb, &table[..100]).is_err());
    }

    proptest! {
        #[test]
        fn damaged_superblocks_never_panic(at in 0usize..700, noise in prop::collection::vec(any::<u8>(), 1..40)) {
            let (sb, table) = made();
            let mut bytes = sb.as_bytes().to_vec();
            for (slot, byte) in bytes[at..].iter_mut().zip(noise) { *slot = byte }
            let mut sb = Superblock::parse(&bytes).unwrap();
            sb.update_checksum();
            if check_mountable(&sb).is_ok() {
                let _ = check_descriptors(&sb, &table);
            }
            let _ = (sb.groups(), sb.desc_blocks(), sb.inode_table_blocks(), sb.cluster_ratio());
            let _ = (sb.group_blocks(Group(3)), sb.group_of_block(Pblk(9)), sb.group_has_super(Group(9)));
        }
    }
}
