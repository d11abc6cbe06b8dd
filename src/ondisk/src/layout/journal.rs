//! The journal's blocks: include/linux/jbd2.h. All of it is big endian.
//!
//! ```text
//! block 0      superblock
//! descriptor   header | tag | uuid | tag | tag ... | checksum 4 B (v2, v3)
//! (data)       one block per tag, first word zeroed if the tag says ESCAPE
//! revoke       header | r_count | block numbers ... | checksum 4 B (v2, v3)
//! commit       header | checksum fields | time
//! ```

use bitflags::bitflags;
use zerocopy::big_endian::U32;

use super::{LayoutError, on_disk, put, same_checksum, take};
use crate::crc32c::{self, crc32c};
use crate::ids::Pblk;

/// `JBD2_MAGIC_NUMBER`, the first word of every block that is not data.
pub const MAGIC: u32 = 0xc03b_3998;
/// Bytes of [`BlockHeader`].
pub const HEADER_SIZE: usize = 12;
/// Bytes of the checksum at the end of descriptor and revoke blocks.
pub const TAIL_SIZE: usize = 4;
/// Fewest blocks of a journal (`JBD2_MIN_JOURNAL_BLOCKS`).
pub const BLOCKS_MIN: u32 = 1024;

on_disk! {
    /// `journal_superblock_t`, the first 1024 bytes of the journal.
    "journal superblock" pub struct JournalSuperblock (1024) {
        /// [`MAGIC`].
        h_magic: U32,
        /// 4: version 2 (3 is version 1).
        h_blocktype: U32,
        /// 0.
        h_sequence: U32,
        /// Bytes of a block.
        s_blocksize: U32,
        /// Blocks of the journal.
        s_maxlen: U32,
        /// First block of the log.
        s_first: U32,
        /// First transaction expected in the log.
        s_sequence: U32,
        /// Block of the log's start; 0 if it is empty.
        s_start: U32,
        /// Error as `jbd2_journal_abort` left it.
        s_errno: U32,
        /// Compatible features: 1 checksum.
        s_feature_compat: U32,
        /// [`JournalIncompat`].
        s_feature_incompat: U32,
        /// Read-only features, none.
        s_feature_ro_compat: U32,
        /// Identity; the checksum seed comes from it.
        s_uuid: [u8; 16],
        /// File systems that use it.
        s_nr_users: U32,
        /// Unused.
        s_dynsuper: U32,
        /// Unused.
        s_max_transaction: U32,
        /// Unused.
        s_max_trans_data: U32,
        /// 4: crc32c.
        s_checksum_type: u8,
        /// Zero.
        s_padding2: [u8; 3],
        /// Blocks of the fast commit area.
        s_num_fc_blks: U32,
        /// Zero.
        s_padding: [u8; 164],
        /// crc32c of the 1024 bytes with this field zero.
        s_checksum: U32,
        /// Identities of the users.
        s_users: [u8; 768],
    }
}

bitflags! {
    /// `s_feature_incompat` of the journal.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct JournalIncompat: u32 {
        /// journal_incompat_revoke
        const REVOKE = 0x1;
        /// journal_64bit
        const BITS64 = 0x2;
        /// journal_async_commit
        const ASYNC_COMMIT = 0x4;
        /// journal_checksum_v2
        const CSUM_V2 = 0x8;
        /// journal_checksum_v3
        const CSUM_V3 = 0x10;
        /// fast_commit
        const FAST_COMMIT = 0x20;
        const _ = !0;
    }

    /// Flags of a tag.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct TagFlags: u32 {
        /// The data's first word was the magic and is zeroed in the log.
        const ESCAPE = 1;
        /// No uuid follows.
        const SAME_UUID = 2;
        /// Unused.
        const DELETED = 4;
        /// The last tag of its block.
        const LAST = 8;
        const _ = !0;
    }
}

impl JournalSuperblock {
    /// Incompatible features by name.
    #[must_use]
    pub fn incompat(&self) -> JournalIncompat {
        JournalIncompat::from_bits_retain(self.s_feature_incompat.get())
    }

    /// Seed of the log's checksums: from its own uuid.
    #[must_use]
    pub fn checksum_seed(&self) -> u32 {
        crc32c(crc32c::START, &self.s_uuid)
    }

    /// How this journal's tags are laid out.
    #[must_use]
    pub fn tag_format(&self) -> TagFormat {
        TagFormat::of(self.incompat())
    }

    /// The checksum that the other fields ask for.
    #[must_use]
    pub fn compute_checksum(&self) -> u32 {
        let mut copy = *self;
        copy.s_checksum.set(0);
        crc32c(crc32c::START, copy.as_bytes())
    }

    /// Sets `s_checksum` if the journal has checksums of version 2 or 3.
    pub fn update_checksum(&mut self) {
        if self.tag_format().has_tail() {
            self.s_checksum.set(self.compute_checksum());
        }
    }

    /// Tests magic, version and, if there is one, the checksum.
    ///
    /// # Errors
    /// `BadMagic`, `BadField` or `BadChecksum`.
    pub fn verify(&self) -> Result<(), LayoutError> {
        const WHAT: &str = "journal superblock";
        if self.h_magic.get() != MAGIC {
            let found = self.h_magic.get();
            return Err(LayoutError::BadMagic { what: WHAT, want: MAGIC, found });
        }
        if !matches!(self.h_blocktype.get(), 3 | 4) {
            return Err(LayoutError::BadField {
                what: WHAT,
                field: "h_blocktype",
                at: 4,
                found: self.h_blocktype.get().into(),
                rule: "not a superblock",
            });
        }
        if !self.tag_format().has_tail() {
            return Ok(());
        }
        same_checksum(WHAT, self.compute_checksum(), self.s_checksum.get())
    }
}

/// What a block of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockType {
    /// 1: names the blocks that follow.
    Descriptor,
    /// 2: ends a transaction.
    Commit,
    /// 3: superblock, version 1.
    SuperblockV1,
    /// 4: superblock, version 2.
    SuperblockV2,
    /// 5: blocks not to be replayed.
    Revoke,
}

/// `journal_header_t`, less the magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// What the block is.
    pub kind: BlockType,
    /// Its transaction.
    pub sequence: u32,
}

impl BlockHeader {
    /// The header of a block; data is told from it by the magic.
    ///
    /// # Errors
    /// `TooShort`, `BadMagic`, or `BadField` for an unknown kind.
    pub fn parse(block: &[u8]) -> Result<Self, LayoutError> {
        const WHAT: &str = "journal block";
        let [m0, m1, m2, m3, k0, k1, k2, k3, s0, s1, s2, s3] = take(WHAT, block, 0)?;
        let found = u32::from_be_bytes([m0, m1, m2, m3]);
        if found != MAGIC {
            return Err(LayoutError::BadMagic { what: WHAT, want: MAGIC, found });
        }
        let kind = match u32::from_be_bytes([k0, k1, k2, k3]) {
            1 => BlockType::Descriptor,
            2 => BlockType::Commit,
            3 => BlockType::SuperblockV1,
            4 => BlockType::SuperblockV2,
            5 => BlockType::Revoke,
            other => {
                return Err(LayoutError::BadField {
                    what: WHAT,
                    field: "h_blocktype",
                    at: 4,
                    found: other.into(),
                    rule: "not known",
                });
            }
        };
        Ok(Self { kind, sequence: u32::from_be_bytes([s0, s1, s2, s3]) })
    }

    /// Writes magic, kind and sequence to the start of a block.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn write_to(&self, block: &mut [u8]) -> Result<(), LayoutError> {
        let kind: u32 = match self.kind {
            BlockType::Descriptor => 1,
            BlockType::Commit => 2,
            BlockType::SuperblockV1 => 3,
            BlockType::SuperblockV2 => 4,
            BlockType::Revoke => 5,
        };
        let mut bytes = [0; HEADER_SIZE];
        for (slot, word) in bytes.chunks_exact_mut(4).zip([MAGIC, kind, self.sequence]) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        put("journal block", block, 0, &bytes)
    }
}

/// How tags and revoke records are laid out; from the journal's features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagFormat {
    /// 16-byte tags with a full checksum.
    pub csum_v3: bool,
    /// Old tags with two more bytes; the checksum's lower half in the tag.
    pub csum_v2: bool,
    /// Block numbers of 64 bits.
    pub bits64: bool,
}

impl TagFormat {
    /// The layout that these features ask for.
    #[must_use]
    pub fn of(features: JournalIncompat) -> Self {
        Self {
            csum_v3: features.contains(JournalIncompat::CSUM_V3),
            csum_v2: features.contains(JournalIncompat::CSUM_V2),
            bits64: features.contains(JournalIncompat::BITS64),
        }
    }

    /// Bytes of a tag without its uuid (`journal_tag_bytes`).
    #[must_use]
    pub fn tag_size(self) -> usize {
        match self {
            Self { csum_v3: true, .. } => 16,
            Self { csum_v2, bits64, .. } => 8 + if bits64 { 4 } else { 0 } + if csum_v2 { 2 } else { 0 },
        }
    }

    /// Whether descriptor and revoke blocks end in a checksum.
    #[must_use]
    pub fn has_tail(self) -> bool {
        self.csum_v2 || self.csum_v3
    }

    /// Bytes of a descriptor or revoke block before its checksum.
    #[must_use]
    pub fn usable_len(self, block_size: usize) -> usize {
        block_size.saturating_sub(if self.has_tail() { TAIL_SIZE } else { 0 })
    }

    /// Bytes of a block number in a revoke block.
    #[must_use]
    pub fn revoke_size(self) -> usize {
        if self.bits64 { 8 } else { 4 }
    }
}

/// One entry of a descriptor block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Where the data belongs.
    pub block: Pblk,
    /// [`TagFlags`].
    pub flags: TagFlags,
    /// Checksum of the data: 32 bits in v3, 16 before.
    pub checksum: u32,
}

impl Tag {
    /// The tag at `at`.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn parse(block: &[u8], at: usize, format: TagFormat) -> Result<Self, LayoutError> {
        const WHAT: &str = "journal tag";
        let word = |at| take(WHAT, block, at).map(u32::from_be_bytes);
        take::<8>(WHAT, block, at)?;
        let (flags, checksum, hi) = if format.csum_v3 {
            let hi = if format.bits64 { word(at + 8)? } else { 0 };
            (word(at + 4)?, word(at + 12)?, hi)
        } else {
            let [c0, c1, f0, f1] = take(WHAT, block, at + 4)?;
            let hi = if format.bits64 { word(at + 8)? } else { 0 };
            (u16::from_be_bytes([f0, f1]).into(), u16::from_be_bytes([c0, c1]).into(), hi)
        };
        let block = Pblk(u64::from(hi) << 32 | u64::from(word(at)?));
        Ok(Self { block, flags: TagFlags::from_bits_retain(flags), checksum })
    }

    /// Writes the tag at `at` and, unless SAME_UUID is set, `uuid` behind it.
    /// Returns the offset behind both.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn write_to(
        &self,
        block: &mut [u8],
        at: usize,
        format: TagFormat,
        uuid: &[u8; 16],
    ) -> Result<usize, LayoutError> {
        const WHAT: &str = "journal tag";
        let [h0, h1, h2, h3, low @ ..] = self.block.0.to_be_bytes();
        let (flags, checksum) = (self.flags.bits().to_be_bytes(), self.checksum.to_be_bytes());
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&low);
        if format.csum_v3 {
            bytes[4..8].copy_from_slice(&flags);
            bytes[12..].copy_from_slice(&checksum);
        } else {
            bytes[4..6].copy_from_slice(&checksum[2..]);
            bytes[6..8].copy_from_slice(&flags[2..]);
        }
        if format.bits64 {
            bytes[8..12].copy_from_slice(&[h0, h1, h2, h3]);
        }
        let end = at + format.tag_size();
        put(WHAT, block, at, &bytes[..format.tag_size()])?;
        if self.flags.contains(TagFlags::SAME_UUID) {
            return Ok(end);
        }
        put(WHAT, block, end, uuid)?;
        Ok(end + uuid.len())
    }
}

/// The tags of a descriptor block with their offsets, up to the LAST one or the block's end.
pub fn tags(block: &[u8], format: TagFormat) -> impl Iterator<Item = (usize, Tag)> {
    let usable = &block[..format.usable_len(block.len())];
    let mut next = Some(HEADER_SIZE);
    core::iter::from_fn(move || {
        let at = next.filter(|at| at + format.tag_size() <= usable.len())?;
        let tag = Tag::parse(usable, at, format).ok()?;
        let uuid = if tag.flags.contains(TagFlags::SAME_UUID) { 0 } else { 16 };
        let last = tag.flags.contains(TagFlags::LAST);
        next = (!last).then_some(at + format.tag_size() + uuid);
        Some((at, tag))
    })
}

/// The block numbers of a revoke block.
pub fn revoked(block: &[u8], format: TagFormat) -> impl Iterator<Item = Pblk> {
    let r_count = take("revoke block", block, HEADER_SIZE).map_or(0, u32::from_be_bytes);
    let usable = format.usable_len(block.len());
    let end = usize::try_from(r_count).map_or(usable, |used| used.min(usable));
    block
        .get(HEADER_SIZE + 4..end)
        .unwrap_or(&[])
        .chunks_exact(format.revoke_size())
        .map(|bytes| Pblk(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))))
}

/// Writes a revoke block's count and block numbers behind its header.
///
/// # Errors
/// `TooShort` if they do not fit.
pub fn write_revoked(block: &mut [u8], format: TagFormat, blocks: &[Pblk]) -> Result<(), LayoutError> {
    const WHAT: &str = "revoke block";
    let (size, found) = (format.revoke_size(), block.len());
    let end = HEADER_SIZE + 4 + size * blocks.len();
    let usable = format.usable_len(found);
    let r_count = u32::try_from(end).ok().filter(|_| end <= usable);
    let r_count = r_count.ok_or(LayoutError::TooShort { what: WHAT, need: end, found: usable })?;
    put(WHAT, block, HEADER_SIZE, &r_count.to_be_bytes())?;
    for (n, revoked) in blocks.iter().enumerate() {
        put(WHAT, block, HEADER_SIZE + 4 + size * n, &revoked.0.to_be_bytes()[8 - size..])?;
    }
    Ok(())
}

/// `struct commit_header` behind its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// `h_chksum_type`: only with the old checksum feature, else 0.
    pub chksum_type: u8,
    /// `h_chksum_size`: as above.
    pub chksum_size: u8,
    /// `h_chksum[0]`: the block's own checksum in v2 and v3.
    pub chksum: u32,
    /// Seconds since 1970.
    pub commit_sec: u64,
    /// Nanoseconds.
    pub commit_nsec: u32,
}

impl Commit {
    /// Where `h_chksum[0]` stands.
    pub const CHECKSUM_AT: usize = 16;
    const SEC_AT: usize = 48;
    const NSEC_AT: usize = 56;

    /// The fields of a commit block.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn parse(block: &[u8]) -> Result<Self, LayoutError> {
        const WHAT: &str = "commit block";
        let [chksum_type, chksum_size] = take(WHAT, block, HEADER_SIZE)?;
        Ok(Self {
            chksum_type,
            chksum_size,
            chksum: u32::from_be_bytes(take(WHAT, block, Self::CHECKSUM_AT)?),
            commit_sec: u64::from_be_bytes(take(WHAT, block, Self::SEC_AT)?),
            commit_nsec: u32::from_be_bytes(take(WHAT, block, Self::NSEC_AT)?),
        })
    }

    /// Writes the fields of a commit block.
    ///
    /// # Errors
    /// `TooShort`.
    pub fn write_to(&self, block: &mut [u8]) -> Result<(), LayoutError> {
        const WHAT: &str = "commit block";
        put(WHAT, block, Self::NSEC_AT, &self.commit_nsec.to_be_bytes())?;
        put(WHAT, block, Self::SEC_AT, &self.commit_sec.to_be_bytes())?;
        put(WHAT, block, Self::CHECKSUM_AT, &self.chksum.to_be_bytes())?;
        put(WHAT, block, HEADER_SIZE, &[self.chksum_type, self.chksum_size])
    }
}

/// Checksum of a tag's data (`jbd2_block_tag_csum_set`): `data` as it stands on
/// the file system, unescaped. Versions before v3 store the lower 16 bits.
#[must_use]
pub fn data_checksum(journal_seed: u32, sequence: u32, data: &[u8]) -> u32 {
    crc32c(crc32c(journal_seed, &sequence.to_be_bytes()), data)
}

/// Checksum of a block with its own word at `at` counted as zero; the word is
/// the last of a descriptor or revoke block, or [`Commit::CHECKSUM_AT`].
#[must_use]
pub fn compute_checksum(block: &[u8], at: usize, journal_seed: u32) -> u32 {
    let (before, rest) = block.split_at(at.min(block.len()));
    let crc = crc32c(crc32c(journal_seed, before), &[0; 4][..rest.len().min(4)]);
    crc32c(crc, rest.get(4..).unwrap_or(&[]))
}

/// Stores the checksum of [`compute_checksum`].
///
/// # Errors
/// `TooShort`.
pub fn update_checksum(block: &mut [u8], at: usize, journal_seed: u32) -> Result<(), LayoutError> {
    let checksum = compute_checksum(block, at, journal_seed);
    put("journal block", block, at, &checksum.to_be_bytes())
}

/// Compares the checksum of [`compute_checksum`].
///
/// # Errors
/// `BadChecksum`, or `TooShort`.
pub fn verify_checksum(block: &[u8], at: usize, journal_seed: u32) -> Result<(), LayoutError> {
    let found = u32::from_be_bytes(take("journal block", block, at)?);
    same_checksum("journal block", compute_checksum(block, at, journal_seed), found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMATS: [TagFormat; 5] = [
        TagFormat { csum_v3: false, csum_v2: false, bits64: false },
        TagFormat { csum_v3: false, csum_v2: false, bits64: true },
        TagFormat { csum_v3: false, csum_v2: true, bits64: true },
        TagFormat { csum_v3: true, csum_v2: false, bits64: false },
        TagFormat { csum_v3: true, csum_v2: false, bits64: true },
    ];

    #[test]
    fn fields_stand_where_the_kernel_has_them() {
        let fields = JournalSuperblock::zeroed().fields();
        let at = |name: &str| fields.iter().find(|f| f.name == name).map(|f| f.offset);
        for (name, offset) in [
            ("s_start", 28),
            ("s_uuid", 48),
            ("s_nr_users", 64),
            ("s_checksum_type", 80),
            ("s_num_fc_blks", 84),
            ("s_checksum", 252),
            ("s_users", 256),
        ] {
            assert_eq!(at(name), Some(offset), "{name}");
        }
        assert_eq!(FORMATS.map(TagFormat::tag_size), [8, 12, 14, 16, 16]);
    }

    #[test]
    fn tags_and_revokes_round_trip() {
        for format in FORMATS {
            let mut block = vec![0; 1024];
            BlockHeader { kind: BlockType::Descriptor, sequence: 7 }.write_to(&mut block).unwrap();
            let tag = |n: u64, flags| Tag { block: Pblk(n), flags, checksum: 0xabc };
            let written = [
                tag(3, TagFlags::empty()),
                tag(4, TagFlags::SAME_UUID | TagFlags::ESCAPE),
                tag(5, TagFlags::SAME_UUID | TagFlags::LAST),
            ];
            let mut at = HEADER_SIZE;
            for tag in written {
                at = tag.write_to(&mut block, at, format, &[9; 16]).unwrap();
            }
            assert_eq!(at, HEADER_SIZE + 3 * format.tag_size() + 16);
            assert_eq!(tags(&block, format).map(|(_, tag)| tag).collect::<Vec<_>>(), written);

            let blocks = [Pblk(8), Pblk(0x7654_3210)];
            write_revoked(&mut block, format, &blocks).unwrap();
            assert_eq!(revoked(&block, format).collect::<Vec<_>>(), blocks);
            assert!(write_revoked(&mut [0; 20], format, &blocks).is_err());
        }
    }

    #[test]
    fn superblock_and_commit_checksums_hold() {
        let mut sb = JournalSuperblock::zeroed();
        assert!(sb.verify().is_err());
        sb.h_magic.set(MAGIC);
        sb.h_blocktype.set(4);
        assert_eq!(sb.verify(), Ok(()));
        sb.s_feature_incompat.set(JournalIncompat::CSUM_V3.bits());
        assert!(sb.verify().is_err());
        sb.update_checksum();
        assert_eq!(sb.verify(), Ok(()));

        let mut block = vec![0; 1024];
        let mut commit = Commit { chksum_type: 0, chksum_size: 0, chksum: 0, commit_sec: 1 << 33, commit_nsec: 5 };
        commit.write_to(&mut block).unwrap();
        update_checksum(&mut block, Commit::CHECKSUM_AT, 3).unwrap();
        verify_checksum(&block, Commit::CHECKSUM_AT, 3).unwrap();
        commit.chksum = compute_checksum(&block, Commit::CHECKSUM_AT, 3);
        assert_eq!(Commit::parse(&block), Ok(commit));
    }

    proptest! {
        #[test]
        fn damaged_blocks_never_panic(
            block in prop::collection::vec(any::<u8>(), 0..100), at: usize, n in 0usize..5,
        ) {
            let at = at % 200;
            let _ = (BlockHeader::parse(&block), Commit::parse(&block));
            let _ = (tags(&block, FORMATS[n]).count(), revoked(&block, FORMATS[n]).count());
            let _ = (Tag::parse(&block, at, FORMATS[n]), verify_checksum(&block, at, 1));
        }
    }
}
