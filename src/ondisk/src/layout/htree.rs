//! Indexed directories' inner blocks: `dx_root` and `dx_node`, fs/ext4/namei.c.
//!
//! ```text
//! root   "." 12 B | ".." 12 B | info 8 B | limit 2, count 2, block 4 | hash 4, block 4 | ...
//! node   free entry 8 B                  | limit 2, count 2, block 4 | hash 4, block 4 | ...
//! ```
//!
//! Entry 0 has no hash of its own (its room holds limit and count): it takes
//! all hashes below entry 1's. With metadata_csum, 8 bytes follow the `limit`
//! entries: 4 reserved, then the checksum.

use super::{LayoutError, le16, le32, put, same_checksum, take};
use crate::crc32c::crc32c;
use crate::ids::Lblk;

/// Where limit and count stand in the root.
pub const ROOT_COUNT_AT: usize = 32;
/// Where limit and count stand in every other index block.
pub const NODE_COUNT_AT: usize = 8;
const INFO_AT: usize = 24;

/// `dx_root_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootInfo {
    /// Number of a [`HashVersion`](super::dir_hash::HashVersion).
    pub hash_version: u8,
    /// Bytes of this, 8.
    pub info_length: u8,
    /// Index levels below the root.
    pub indirect_levels: u8,
    /// Unused.
    pub unused_flags: u8,
}

impl RootInfo {
    /// The info of a root block.
    ///
    /// # Errors
    /// `TooShort`, or `BadField` where `dx_probe` gives up.
    pub fn parse(block: &[u8]) -> Result<Self, LayoutError> {
        let [r0, r1, r2, r3, hash_version, info_length, indirect_levels, unused_flags] =
            take("dx_root", block, INFO_AT)?;
        let rules = [
            ("reserved_zero", 24, u32::from_le_bytes([r0, r1, r2, r3]), 0, "not 0"),
            ("hash_version", 28, hash_version.into(), 5, "not known"),
            ("indirect_levels", 30, indirect_levels.into(), 2, "too deep"),
            ("unused_flags", 31, u32::from(unused_flags & 1), 0, "not known"),
        ];
        for (field, at, found, max, rule) in rules {
            if found > max {
                let found = found.into();
                return Err(LayoutError::BadField { what: "dx_root", field, at, found, rule });
            }
        }
        if info_length != 8 {
            let (field, at, found) = ("info_length", 29, info_length.into());
            let rule = "not 8";
            return Err(LayoutError::BadField { what: "dx_root", field, at, found, rule });
        }
        Ok(Self { hash_version, info_length, indirect_levels, unused_flags })
    }

    /// Writes it to a root block.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn write_to(&self, block: &mut [u8]) -> Result<(), LayoutError> {
        let Self { hash_version, info_length, indirect_levels, unused_flags } = *self;
        let info = [0, 0, 0, 0, hash_version, info_length, indirect_levels, unused_flags];
        put("dx_root", block, INFO_AT, &info)
    }
}

/// An index entry: hashes from `hash` up to the next entry's are in `block`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DxEntry {
    /// Lowest hash; bit 0 set if it began in the block before. 0 for entry 0.
    pub hash: u32,
    /// Block of the directory, 28 bits.
    pub block: Lblk,
}

/// Where limit and count stand: [`ROOT_COUNT_AT`] or [`NODE_COUNT_AT`], told by
/// the first entry's length as the kernel does (`get_dx_countlimit`).
#[must_use]
pub fn count_at(block: &[u8]) -> Option<usize> {
    let rec_len = usize::from(le16(block, 4));
    if rec_len == block.len() {
        Some(NODE_COUNT_AT)
    } else if rec_len == 12 && usize::from(le16(block, 16)) == block.len().saturating_sub(12) {
        Some(ROOT_COUNT_AT)
    } else {
        None
    }
}

/// Entries that fit an index block (`dx_root_limit`, `dx_node_limit`).
#[must_use]
pub fn capacity(block_size: usize, count_at: usize, metadata_csum: bool) -> u16 {
    let room = block_size.saturating_sub(count_at + if metadata_csum { 8 } else { 0 });
    u16::try_from(room / 8).unwrap_or(u16::MAX)
}

/// (limit, count) at `count_at`; zeros if cut off.
#[must_use]
pub fn limit_count(block: &[u8], count_at: usize) -> (u16, u16) {
    (le16(block, count_at), le16(block, count_at + 2))
}

/// Writes limit and count at `count_at`.
///
/// # Errors
/// `TooShort`.
pub fn set_limit_count(block: &mut [u8], count_at: usize, limit: u16, count: u16) -> Result<(), LayoutError> {
    put("dx index", block, count_at, &limit.to_le_bytes())?;
    put("dx index", block, count_at + 2, &count.to_le_bytes())
}

/// Entry `index`; `None` past the count or the block.
#[must_use]
pub fn get(block: &[u8], count_at: usize, index: u16) -> Option<DxEntry> {
    let at = count_at + 8 * usize::from(index);
    if index >= limit_count(block, count_at).1 || at + 8 > block.len() {
        return None;
    }
    let hash = if index == 0 { 0 } else { le32(block, at) };
    Some(DxEntry { hash, block: Lblk(le32(block, at + 4) & 0x0fff_ffff) })
}

/// Writes entry `index`; entry 0's hash is not stored.
///
/// # Errors
/// `TooShort`.
pub fn set(block: &mut [u8], count_at: usize, index: u16, entry: DxEntry) -> Result<(), LayoutError> {
    let at = count_at + 8 * usize::from(index);
    put("dx index", block, at + 4, &entry.block.0.to_le_bytes())?;
    if index == 0 { Ok(()) } else { put("dx index", block, at, &entry.hash.to_le_bytes()) }
}

/// All entries in order.
pub fn entries(block: &[u8], count_at: usize) -> impl Iterator<Item = DxEntry> {
    (0..limit_count(block, count_at).1).map_while(move |index| get(block, count_at, index))
}

/// The checksum of an index block (`ext4_dx_csum`): up to the count, then the
/// reserved word, then a zero in the checksum's place.
#[must_use]
pub fn compute_checksum(block: &[u8], count_at: usize, inode_seed: u32) -> u32 {
    let (limit, count) = limit_count(block, count_at);
    let used = count_at + 8 * usize::from(count);
    let tail = count_at + 8 * usize::from(limit);
    let crc = crc32c(inode_seed, &block[..used.min(block.len())]);
    let crc = crc32c(crc, &le32(block, tail).to_le_bytes());
    crc32c(crc, &[0; 4])
}

/// Stores the checksum.
///
/// # Errors
/// `TooShort` if the limit leaves no room for it.
pub fn update_checksum(block: &mut [u8], count_at: usize, inode_seed: u32) -> Result<(), LayoutError> {
    let tail = count_at + 8 * usize::from(limit_count(block, count_at).0);
    let checksum = compute_checksum(block, count_at, inode_seed);
    put("dx index", block, tail + 4, &checksum.to_le_bytes())
}

/// Compares the checksum.
///
/// # Errors
/// `BadChecksum`, or `TooShort` if the limit leaves no room for it.
pub fn verify_checksum(block: &[u8], count_at: usize, inode_seed: u32) -> Result<(), LayoutError> {
    let tail = count_at + 8 * usize::from(limit_count(block, count_at).0);
    let found = u32::from_le_bytes(take("dx index", block, tail + 4)?);
    same_checksum("dx index", compute_checksum(block, count_at, inode_seed), found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Ino;
    use crate::layout::dir;
    use proptest::prelude::*;

    #[test]
    fn a_root_round_trips() {
        let mut block = vec![0; 4096];
        dir::init_first(&mut block, false, Ino(12), Ino(2)).unwrap();
        assert_eq!(count_at(&block), Some(ROOT_COUNT_AT));
        let info = RootInfo { hash_version: 1, info_length: 8, indirect_levels: 0, unused_flags: 0 };
        info.write_to(&mut block).unwrap();
        assert_eq!(RootInfo::parse(&block), Ok(info));
        let limit = capacity(4096, ROOT_COUNT_AT, true);
        assert_eq!(limit, 507);
        set_limit_count(&mut block, ROOT_COUNT_AT, limit, 2).unwrap();
        let second = DxEntry { hash: 0x1234_5678, block: Lblk(2) };
        set(&mut block, ROOT_COUNT_AT, 0, DxEntry { hash: 0, block: Lblk(1) }).unwrap();
        set(&mut block, ROOT_COUNT_AT, 1, second).unwrap();
        assert_eq!(entries(&block, ROOT_COUNT_AT).last(), Some(second));
        update_checksum(&mut block, ROOT_COUNT_AT, 9).unwrap();
        verify_checksum(&block, ROOT_COUNT_AT, 9).unwrap();
    }

    proptest! {
        #[test]
        fn damaged_blocks_never_panic(mut block in prop::collection::vec(any::<u8>(), 0..100), index: u16) {
            let _ = (RootInfo::parse(&block), count_at(&block));
            for at in [NODE_COUNT_AT, ROOT_COUNT_AT] {
                let _ = (entries(&block, at).count(), get(&block, at, index));
                let _ = (verify_checksum(&block, at, 1), update_checksum(&mut block, at, 1));
            }
        }
    }
}
