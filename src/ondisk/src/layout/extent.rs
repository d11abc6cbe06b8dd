//! Extent tree nodes: fs/ext4/ext4_extents.h.
//!
//! ```text
//! node   header 12 B | entry 0 | entry 1 | ... up to eh_max | checksum 4 B
//! ```
//!
//! The root is the inode's 60-byte `i_block` (4 entries, no checksum); every
//! other node is a block. Entries are extents in a leaf (depth 0), else indexes.
//! All functions take the node's bytes, so they work on a cached block in place.

use super::{LayoutError, le16, le32, put, same_checksum, take};
use crate::crc32c::crc32c;
use crate::ids::{Lblk, Pblk};

/// `EXT4_EXT_MAGIC`.
pub const MAGIC: u16 = 0xf30a;
/// Bytes of the header, and of each entry.
pub const ENTRY_SIZE: usize = 12;
/// Entries in the inode's root.
pub const ROOT_CAPACITY: u16 = 4;
/// Deepest tree that is accepted (`EXT4_MAX_EXTENT_DEPTH`).
pub const DEPTH_MAX: u16 = 5;
/// Blocks of the longest written extent (`EXT_INIT_MAX_LEN`).
pub const WRITTEN_LEN_MAX: u16 = 32768;
/// Blocks of the longest unwritten extent (`EXT_UNWRITTEN_MAX_LEN`).
pub const UNWRITTEN_LEN_MAX: u16 = 32767;

/// Entries that fit a block of `block_size` bytes, leaving room for the checksum.
#[must_use]
pub fn capacity(block_size: u32) -> u16 {
    u16::try_from(block_size.saturating_sub(12) / 12).unwrap_or(u16::MAX)
}

/// Where entry `index` starts.
fn entry_at(index: u16) -> usize {
    ENTRY_SIZE * (usize::from(index) + 1)
}

/// The node's first 12 bytes, less the magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Entries in use.
    pub entries: u16,
    /// Entries that fit.
    pub max: u16,
    /// 0 in a leaf.
    pub depth: u16,
    /// Unused by ext4.
    pub generation: u32,
}

impl Header {
    /// The header of `node`.
    ///
    /// # Errors
    /// `TooShort` or `BadMagic`; [`check`] tests the rest.
    pub fn parse(node: &[u8]) -> Result<Self, LayoutError> {
        let [m0, m1, e0, e1, x0, x1, d0, d1, g0, g1, g2, g3] = take("extent header", node, 0)?;
        let magic = u16::from_le_bytes([m0, m1]);
        if magic != MAGIC {
            return Err(LayoutError::BadMagic { what: "extent header", want: MAGIC.into(), found: magic.into() });
        }
        Ok(Self {
            entries: u16::from_le_bytes([e0, e1]),
            max: u16::from_le_bytes([x0, x1]),
            depth: u16::from_le_bytes([d0, d1]),
            generation: u32::from_le_bytes([g0, g1, g2, g3]),
        })
    }

    /// Writes magic and fields to the start of `node`.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn write_to(&self, node: &mut [u8]) -> Result<(), LayoutError> {
        let mut bytes = [0; ENTRY_SIZE];
        for (slot, value) in bytes.chunks_exact_mut(2).zip([MAGIC, self.entries, self.max, self.depth]) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        bytes[8..].copy_from_slice(&self.generation.to_le_bytes());
        put("extent header", node, 0, &bytes)
    }

    /// `eh_entries` of `node`; 0 if it is cut off.
    #[must_use]
    pub fn entries(node: &[u8]) -> u16 {
        le16(node, 2)
    }

    /// `eh_max` of `node`; 0 if it is cut off.
    #[must_use]
    pub fn max(node: &[u8]) -> u16 {
        le16(node, 4)
    }

    /// `eh_depth` of `node`; 0 if it is cut off.
    #[must_use]
    pub fn depth(node: &[u8]) -> u16 {
        le16(node, 6)
    }

    /// Changes `eh_entries`.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn set_entries(node: &mut [u8], entries: u16) -> Result<(), LayoutError> {
        put("extent header", node, 2, &entries.to_le_bytes())
    }

    /// Changes `eh_depth`.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn set_depth(node: &mut [u8], depth: u16) -> Result<(), LayoutError> {
        put("extent header", node, 6, &depth.to_le_bytes())
    }
}

/// A leaf's entry: `len` blocks from `block` of the file lie at `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First block of the file.
    pub block: Lblk,
    /// Blocks; 1 to 32768, or to 32767 if unwritten.
    pub len: u16,
    /// Allocated but reading as zeros. On the disk: `ee_len` above 32768.
    pub unwritten: bool,
    /// First block of the device, 48 bits.
    pub start: Pblk,
}

impl Extent {
    /// The extent in 12 bytes.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let [b0, b1, b2, b3, l0, l1, h0, h1, s0, s1, s2, s3] = take("extent", bytes, 0)?;
        let raw = u16::from_le_bytes([l0, l1]);
        let unwritten = raw > WRITTEN_LEN_MAX;
        Ok(Self {
            block: Lblk(u32::from_le_bytes([b0, b1, b2, b3])),
            len: if unwritten { raw - WRITTEN_LEN_MAX } else { raw },
            unwritten,
            start: Pblk(u64::from_le_bytes([s0, s1, s2, s3, h0, h1, 0, 0])),
        })
    }

    /// Writes its 12 bytes.
    ///
    /// # Errors
    /// `TooShort`, or `BadField` for a length that cannot be stored.
    pub fn write_to(&self, bytes: &mut [u8]) -> Result<(), LayoutError> {
        let rule = "not storable";
        let found = self.len.into();
        let bad = LayoutError::BadField { what: "extent", field: "ee_len", at: 4, found, rule };
        let raw = match (self.unwritten, self.len) {
            (false, 0..=WRITTEN_LEN_MAX) => self.len,
            (true, 1..=UNWRITTEN_LEN_MAX) => self.len + WRITTEN_LEN_MAX,
            _ => return Err(bad),
        };
        let [s0, s1, s2, s3, h0, h1, ..] = self.start.0.to_le_bytes();
        let mut entry = [0; ENTRY_SIZE];
        entry[..4].copy_from_slice(&self.block.0.to_le_bytes());
        entry[4..6].copy_from_slice(&raw.to_le_bytes());
        entry[6..].copy_from_slice(&[h0, h1, s0, s1, s2, s3]);
        put("extent", bytes, 0, &entry)
    }

    /// Entry `index` of a leaf; `None` past `eh_entries`.
    #[must_use]
    pub fn get(node: &[u8], index: u16) -> Option<Self> {
        if index >= Header::entries(node) {
            return None;
        }
        Self::parse(node.get(entry_at(index)..)?).ok()
    }

    /// Writes entry `index`; `eh_entries` stays.
    ///
    /// # Errors
    /// As [`Extent::write_to`].
    pub fn put(&self, node: &mut [u8], index: u16) -> Result<(), LayoutError> {
        self.write_to(node.get_mut(entry_at(index)..).unwrap_or(&mut []))
    }

    /// All entries of a leaf.
    pub fn all(node: &[u8]) -> impl Iterator<Item = Self> {
        (0..Header::entries(node)).map_while(|index| Self::get(node, index))
    }

    /// The block of the file after the last one; 2^32 does not fit [`Lblk`].
    #[must_use]
    pub fn end(&self) -> u64 {
        u64::from(self.block.0) + u64::from(self.len)
    }

    /// Where `block` of the file lies, if this extent has it.
    #[must_use]
    pub fn map(&self, block: Lblk) -> Option<Pblk> {
        let into = block.0.checked_sub(self.block.0)?;
        (into < self.len.into()).then_some(Pblk(self.start.0 + u64::from(into)))
    }
}

/// An inner node's entry: what begins at `block` of the file is under `leaf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// First block of the file below.
    pub block: Lblk,
    /// Block of the node below, 48 bits.
    pub leaf: Pblk,
}

impl Index {
    /// The index in 12 bytes.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let [b0, b1, b2, b3, l0, l1, l2, l3, h0, h1, _, _] = take("extent index", bytes, 0)?;
        Ok(Self {
            block: Lblk(u32::from_le_bytes([b0, b1, b2, b3])),
            leaf: Pblk(u64::from_le_bytes([l0, l1, l2, l3, h0, h1, 0, 0])),
        })
    }

    /// Writes its 12 bytes, the unused two zero.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn write_to(&self, bytes: &mut [u8]) -> Result<(), LayoutError> {
        let mut entry = [0; ENTRY_SIZE];
        entry[..4].copy_from_slice(&self.block.0.to_le_bytes());
        entry[4..10].copy_from_slice(&self.leaf.0.to_le_bytes()[..6]);
        put("extent index", bytes, 0, &entry)
    }

    /// Entry `index` of an inner node; `None` past `eh_entries`.
    #[must_use]
    pub fn get(node: &[u8], index: u16) -> Option<Self> {
        if index >= Header::entries(node) {
            return None;
        }
        Self::parse(node.get(entry_at(index)..)?).ok()
    }

    /// Writes entry `index`; `eh_entries` stays.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn put(&self, node: &mut [u8], index: u16) -> Result<(), LayoutError> {
        self.write_to(node.get_mut(entry_at(index)..).unwrap_or(&mut []))
    }

    /// All entries of an inner node.
    pub fn all(node: &[u8]) -> impl Iterator<Item = Self> {
        (0..Header::entries(node)).map_while(|index| Self::get(node, index))
    }
}

/// The last entry, extent or index, that begins at or before `block`.
#[must_use]
pub fn search(node: &[u8], block: Lblk) -> Option<u16> {
    let (mut low, mut high) = (0, Header::entries(node));
    while low < high {
        let middle = low + (high - low) / 2;
        if le32(node, entry_at(middle)) <= block.0 { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1)
}

/// Opens a slot at `index`: later entries move up, `eh_entries` grows.
/// The slot holds stale bytes until it is [`put`](Extent::put).
///
/// # Errors
/// `BadField` if the node is full or `index` past its end, `TooShort`.
pub fn open_slot(node: &mut [u8], index: u16) -> Result<(), LayoutError> {
    let header = Header::parse(node)?;
    if header.entries >= header.max || index > header.entries {
        return Err(bad("eh_entries", 2, header.entries.into(), "no room for the entry"));
    }
    let (from, end) = (entry_at(index), entry_at(header.entries));
    take::<0>("extent node", node, end + ENTRY_SIZE)?;
    node.copy_within(from..end, from + ENTRY_SIZE);
    Header::set_entries(node, header.entries + 1)
}

/// Closes the slot at `index`: later entries move down, `eh_entries` shrinks.
/// The last slot keeps its stale bytes, as in the kernel.
///
/// # Errors
/// `BadField` if there is no such entry, `TooShort`.
pub fn close_slot(node: &mut [u8], index: u16) -> Result<(), LayoutError> {
    let header = Header::parse(node)?;
    if index >= header.entries {
        return Err(bad("eh_entries", 2, header.entries.into(), "too few for the entry"));
    }
    let (at, end) = (entry_at(index), entry_at(header.entries));
    take::<0>("extent node", node, end)?;
    node.copy_within(at + ENTRY_SIZE..end, at);
    Header::set_entries(node, header.entries - 1)
}

fn bad(field: &'static str, at: usize, found: u64, rule: &'static str) -> LayoutError {
    LayoutError::BadField { what: "extent node", field, at, found, rule }
}

/// Tests what the kernel tests before it trusts a node (`__ext4_ext_check`):
/// depth, counts, order, and that blocks lie below `blocks_count`.
///
/// # Errors
/// The first rule that is broken.
pub fn check(node: &[u8], depth: u16, blocks_count: u64) -> Result<Header, LayoutError> {
    let header = Header::parse(node)?;
    if header.depth != depth {
        return Err(bad("eh_depth", 6, header.depth.into(), "not what the level above says"));
    }
    if depth > DEPTH_MAX {
        return Err(bad("eh_depth", 6, depth.into(), "above 5"));
    }
    if header.max == 0 {
        return Err(bad("eh_max", 4, 0, "must be above 0"));
    }
    if node.len() < entry_at(header.max) {
        return Err(bad("eh_max", 4, header.max.into(), "more than the node can hold"));
    }
    if header.entries > header.max {
        return Err(bad("eh_entries", 2, header.entries.into(), "above eh_max"));
    }
    if header.entries == 0 && depth > 0 {
        return Err(bad("eh_entries", 2, 0, "must be above 0 in an index"));
    }
    let in_fs = |start: Pblk, len: u64| start.0 != 0 && start.0.saturating_add(len) <= blocks_count;
    let mut next = 0;
    for index in 0..header.entries {
        let at = entry_at(index);
        if depth == 0 {
            let Some(extent) = Extent::get(node, index) else { break };
            if extent.len == 0 {
                return Err(bad("ee_len", at + 4, 0, "must be above 0"));
            }
            if u64::from(extent.block.0) < next {
                return Err(bad("ee_block", at, extent.block.0.into(), "overlaps the one before"));
            }
            if !in_fs(extent.start, extent.len.into()) {
                return Err(bad("ee_start", at + 8, extent.start.0, "outside the file system"));
            }
            next = extent.end();
        } else {
            let Some(index) = Index::get(node, index) else { break };
            if u64::from(index.block.0) < next {
                return Err(bad("ei_block", at, index.block.0.into(), "not above the one before"));
            }
            if !in_fs(index.leaf, 1) {
                return Err(bad("ei_leaf", at + 4, index.leaf.0, "outside the file system"));
            }
            next = u64::from(index.block.0) + 1;
        }
    }
    Ok(header)
}

/// Where a block's checksum stands: behind `eh_max` entries.
#[must_use]
pub fn tail_at(node: &[u8]) -> usize {
    entry_at(Header::max(node))
}

/// The checksum of a node in a block (`ext4_extent_block_csum`); `inode_seed`
/// is [`inode::seed`](super::inode::seed).
#[must_use]
pub fn compute_checksum(block: &[u8], inode_seed: u32) -> u32 {
    crc32c(inode_seed, &block[..tail_at(block).min(block.len())])
}

/// Stores the checksum of a node in a block.
///
/// # Errors
/// `TooShort` if `eh_max` leaves no room for it.
pub fn update_checksum(block: &mut [u8], inode_seed: u32) -> Result<(), LayoutError> {
    let checksum = compute_checksum(block, inode_seed);
    put("extent block", block, tail_at(block), &checksum.to_le_bytes())
}

/// Compares the checksum of a node in a block.
///
/// # Errors
/// `BadChecksum`, or `TooShort` if `eh_max` leaves no room for it.
pub fn verify_checksum(block: &[u8], inode_seed: u32) -> Result<(), LayoutError> {
    let found = u32::from_le_bytes(take("extent block", block, tail_at(block))?);
    same_checksum("extent block", compute_checksum(block, inode_seed), found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaf(extents: &[(u32, u16, u64)]) -> Vec<u8> {
        let mut node = vec![0; 1024];
        let header = Header { entries: 0, max: capacity(1024), depth: 0, generation: 0 };
        header.write_to(&mut node).unwrap();
        for (index, &(block, len, start)) in (0..).zip(extents) {
            let extent = Extent { block: Lblk(block), len, unwritten: false, start: Pblk(start) };
            open_slot(&mut node, index).unwrap();
            extent.put(&mut node, index).unwrap();
        }
        node
    }

    #[test]
    fn capacities_are_those_of_the_kernel() {
        assert_eq!((capacity(1024), capacity(4096)), (84, 340));
        assert_eq!(tail_at(&leaf(&[])), 12 + 12 * 84);
    }

    #[test]
    fn length_above_32768_means_unwritten() {
        let mut bytes = [0; 12];
        for (len, unwritten, raw) in [(32768, false, 32768u16), (1, true, 32769), (32767, true, 65535)] {
            let extent = Extent { block: Lblk(9), len, unwritten, start: Pblk(0x1234_5678_9abc) };
            extent.write_to(&mut bytes).unwrap();
            assert_eq!(le16(&bytes, 4), raw);
            assert_eq!(Extent::parse(&bytes), Ok(extent));
        }
        let long = Extent { block: Lblk(0), len: 32768, unwritten: true, start: Pblk(1) };
        assert!(long.write_to(&mut bytes).is_err());
    }

    #[test]
    fn slots_open_and_close_in_the_middle() {
        let mut node = leaf(&[(0, 2, 100), (10, 5, 200)]);
        open_slot(&mut node, 1).unwrap();
        let middle = Extent { block: Lblk(4), len: 1, unwritten: true, start: Pblk(150) };
        middle.put(&mut node, 1).unwrap();
        assert_eq!(check(&node, 0, 1000).map(|h| h.entries), Ok(3));
        assert_eq!(search(&node, Lblk(3)), Some(0));
        assert_eq!(search(&node, Lblk(12)), Some(2));
        assert_eq!(Extent::get(&node, 2).and_then(|e| e.map(Lblk(12))), Some(Pblk(202)));
        close_slot(&mut node, 0).unwrap();
        assert_eq!(Extent::get(&node, 0), Some(middle));
        assert_eq!(search(&node, Lblk(3)), None);
        assert!(close_slot(&mut node, 2).is_err());
    }

    #[test]
    fn overlap_and_stray_blocks_are_refused() {
        assert!(check(&leaf(&[(0, 5, 100), (4, 1, 200)]), 0, 1000).is_err());
        assert!(check(&leaf(&[(0, 5, 998)]), 0, 1000).is_err());
        assert!(check(&leaf(&[]), 1, 1000).is_err());
    }

    proptest! {
        #[test]
        fn damaged_nodes_never_panic(
            mut node in prop::collection::vec(any::<u8>(), 0..200), index: u16, magic: bool,
            depth in 0u16..7,
        ) {
            if magic && node.len() > 2 {
                node[..2].copy_from_slice(&MAGIC.to_le_bytes());
            }
            let _ = check(&node, depth, 1000);
            let _ = (search(&node, Lblk(7)), Extent::get(&node, index), Index::get(&node, index));
            let _ = (Extent::all(&node).count(), Index::all(&node).count());
            let _ = (verify_checksum(&node, 1), update_checksum(&mut node, 1));
            let _ = (open_slot(&mut node, index), close_slot(&mut node, index));
        }

        #[test]
        fn entries_round_trip(bytes: [u8; 12]) {
            let mut out = [0; 12];
            Extent::parse(&bytes).unwrap().write_to(&mut out).unwrap();
            prop_assert_eq!(out, bytes);
            Index::parse(&bytes).unwrap().write_to(&mut out).unwrap();
            prop_assert_eq!(&out[..10], &bytes[..10]);
        }
    }
}
