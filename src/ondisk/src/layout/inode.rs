//! The inode: `struct ext4_inode`, fs/ext4/ext4.h.
//!
//! 128 bytes of the old form, then `i_extra_isize` bytes of newer fields, then
//! room for extended attributes and inline data up to the inode size. The
//! checksum functions work on the whole slot of any size; [`Inode`] is its first
//! 256 bytes.

use bitflags::bitflags;
use zerocopy::little_endian::{U16, U32};

use super::{LayoutError, le16, le32, on_disk, put, same_checksum};
use crate::crc32c::crc32c;
use crate::ids::{Ino, Pblk};

on_disk! {
    /// 256 bytes. [`Inode::parse_sized`] also reads a slot of 128.
    "inode" pub struct Inode (256) {
        /// Type and permissions.
        i_mode: U16,
        /// Owner, low half.
        i_uid: U16,
        /// Bytes of the file, low half; the kernel's `i_disksize`.
        i_size_lo: U32,
        /// Last access, seconds.
        i_atime: U32,
        /// Last change of the inode, seconds.
        i_ctime: U32,
        /// Last change of the data, seconds.
        i_mtime: U32,
        /// When it was deleted; the next inode while on the orphan list.
        i_dtime: U32,
        /// Group, low half.
        i_gid: U16,
        /// Names of it.
        i_links_count: U16,
        /// Space used, low half, in 512-byte units unless HUGE_FILE is set.
        i_blocks_lo: U32,
        /// [`InodeFlags`].
        i_flags: U32,
        /// Change counter, low half.
        i_version: U32,
        /// Extent root, block pointers, inline data, link target or device.
        i_block: [u8; 60],
        /// Changes when the number is used again.
        i_generation: U32,
        /// Block of extended attributes, low half.
        i_file_acl_lo: U32,
        /// Bytes of the file, high half.
        i_size_high: U32,
        /// Unused.
        i_obso_faddr: U32,
        /// Space used, high half.
        i_blocks_high: U16,
        /// Block of extended attributes, high half.
        i_file_acl_high: U16,
        /// Owner, high half.
        i_uid_high: U16,
        /// Group, high half.
        i_gid_high: U16,
        /// Checksum, low half.
        i_checksum_lo: U16,
        /// Padding.
        i_reserved: U16,
        /// Bytes in use after the first 128.
        i_extra_isize: U16,
        /// Checksum, high half.
        i_checksum_hi: U16,
        /// Nanoseconds and epoch of `i_ctime`.
        i_ctime_extra: U32,
        /// Nanoseconds and epoch of `i_mtime`.
        i_mtime_extra: U32,
        /// Nanoseconds and epoch of `i_atime`.
        i_atime_extra: U32,
        /// When it was made, seconds.
        i_crtime: U32,
        /// Nanoseconds and epoch of `i_crtime`.
        i_crtime_extra: U32,
        /// Change counter, high half.
        i_version_hi: U32,
        /// Project.
        i_projid: U32,
        /// Extended attributes in the inode.
        i_rest: [u8; 96],
    }
}

bitflags! {
    /// `i_flags`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct InodeFlags: u32 {
        /// Secure deletion.
        const SECRM = 0x1;
        /// Undelete.
        const UNRM = 0x2;
        /// Compress.
        const COMPR = 0x4;
        /// Every write is synchronous.
        const SYNC = 0x8;
        /// May not be changed.
        const IMMUTABLE = 0x10;
        /// May only be appended to.
        const APPEND = 0x20;
        /// Left out by dump.
        const NODUMP = 0x40;
        /// Access times are not kept.
        const NOATIME = 0x80;
        /// Encrypted.
        const ENCRYPT = 0x800;
        /// Hash-indexed directory.
        const INDEX = 0x1000;
        /// IMAGIC.
        const IMAGIC = 0x2000;
        /// Data is journalled.
        const JOURNAL_DATA = 0x4000;
        /// Tail is not merged.
        const NOTAIL = 0x8000;
        /// Directory changes are synchronous.
        const DIRSYNC = 0x1_0000;
        /// Top of a directory hierarchy.
        const TOPDIR = 0x2_0000;
        /// `i_blocks` counts file system blocks.
        const HUGE_FILE = 0x4_0000;
        /// `i_block` is an extent root.
        const EXTENTS = 0x8_0000;
        /// Protected by fs-verity.
        const VERITY = 0x10_0000;
        /// A large extended attribute.
        const EA_INODE = 0x20_0000;
        /// Blocks beyond the end of the file.
        const EOFBLOCKS = 0x40_0000;
        /// Direct access, no page cache.
        const DAX = 0x200_0000;
        /// Data is in the inode.
        const INLINE_DATA = 0x1000_0000;
        /// New files inherit the project.
        const PROJINHERIT = 0x2000_0000;
        /// Names ignore case.
        const CASEFOLD = 0x4000_0000;
        const _ = !0;
    }
}

/// Bytes of the old form.
pub const OLD_SIZE: usize = 128;
/// Where `i_block` stands.
pub const I_BLOCK_AT: usize = 40;
const CHECKSUM_LO_AT: usize = 124;
const EXTRA_ISIZE_AT: usize = 128;
const CHECKSUM_HI_AT: usize = 130;

/// What kind of file `i_mode` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// 0x1000
    Fifo,
    /// 0x2000
    CharDevice,
    /// 0x4000
    Directory,
    /// 0x6000
    BlockDevice,
    /// 0x8000
    Regular,
    /// 0xA000
    Symlink,
    /// 0xC000
    Socket,
    /// No kind; an inode never used has mode 0.
    Unknown,
}

impl FileKind {
    /// The kind in the upper four bits of a mode.
    #[must_use]
    pub fn of_mode(mode: u16) -> Self {
        match mode & 0xf000 {
            0x1000 => Self::Fifo,
            0x2000 => Self::CharDevice,
            0x4000 => Self::Directory,
            0x6000 => Self::BlockDevice,
            0x8000 => Self::Regular,
            0xa000 => Self::Symlink,
            0xc000 => Self::Socket,
            _ => Self::Unknown,
        }
    }
}

/// Seconds since 1970 and nanoseconds, as an inode can store them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds, -2^31 to 2^34 - 2^31 - 1; 32 bits where there is no extra field.
    pub secs: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

impl Timestamp {
    /// From the two words on the disk: `extra` holds two epoch bits below 30 of nanoseconds.
    #[must_use]
    pub fn from_words(seconds: u32, extra: u32) -> Self {
        let epoch = i64::from(extra & 3) << 32;
        Self { secs: i64::from(seconds.cast_signed()) + epoch, nanos: extra >> 2 }
    }

    /// The two words on the disk.
    #[must_use]
    pub fn to_words(self) -> (u32, u32) {
        let low = self.secs.cast_unsigned() & 0xffff_ffff;
        let seconds = u32::try_from(low).unwrap_or(0);
        let epoch = (self.secs - i64::from(seconds.cast_signed())) >> 32 & 3;
        (seconds, u32::try_from(epoch).unwrap_or(0) | self.nanos << 2)
    }
}

/// Getter and setter of a time in two fields.
macro_rules! times {
    ($($(#[$doc:meta])* $get:ident $set:ident: $secs:ident $extra:ident;)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $get(&self) -> Timestamp {
            Timestamp::from_words(self.$secs.get(), self.$extra.get())
        }

        /// Sets seconds, epoch and nanoseconds.
        pub fn $set(&mut self, time: Timestamp) {
            let (seconds, extra) = time.to_words();
            self.$secs.set(seconds);
            self.$extra.set(extra);
        }
    )* };
}

impl Inode {
    /// The inode in a slot of `size` bytes; what a slot of 128 lacks is zero.
    ///
    /// # Errors
    /// `TooShort` if `bytes` holds less than `size`, or `size` less than 128.
    pub fn parse_sized(bytes: &[u8], size: u16) -> Result<Self, LayoutError> {
        let size = usize::from(size);
        let found = bytes.len().min(size);
        let slot = bytes.get(..size).filter(|slot| slot.len() >= OLD_SIZE).ok_or(LayoutError::TooShort {
            what: "inode",
            need: size.max(OLD_SIZE),
            found,
        })?;
        let mut wide = [0; Self::SIZE];
        let copied = if size < Self::SIZE { OLD_SIZE } else { Self::SIZE };
        wide[..copied].copy_from_slice(&slot[..copied]);
        Self::parse(&wide)
    }

    /// Writes what fits a slot of `size` bytes; beyond 256 it stays as it is.
    ///
    /// # Errors
    /// As [`Inode::parse_sized`].
    pub fn write_sized(&self, bytes: &mut [u8], size: u16) -> Result<(), LayoutError> {
        Self::parse_sized(bytes, size)?;
        let copied = if usize::from(size) < Self::SIZE { OLD_SIZE } else { Self::SIZE };
        bytes[..copied].copy_from_slice(&self.as_bytes()[..copied]);
        Ok(())
    }

    times! {
        /// Last access.
        atime set_atime: i_atime i_atime_extra;
        /// Last change of the inode.
        ctime set_ctime: i_ctime i_ctime_extra;
        /// Last change of the data.
        mtime set_mtime: i_mtime i_mtime_extra;
        /// When it was made.
        crtime set_crtime: i_crtime i_crtime_extra;
    }

    /// What kind of file it is.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        FileKind::of_mode(self.i_mode.get())
    }

    /// `i_flags` by name.
    #[must_use]
    pub fn flags(&self) -> InodeFlags {
        InodeFlags::from_bits_retain(self.i_flags.get())
    }

    /// Replaces `i_flags`.
    pub fn set_flags(&mut self, flags: InodeFlags) {
        self.i_flags.set(flags.bits());
    }

    /// Bytes of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::from(self.i_size_high.get()) << 32 | u64::from(self.i_size_lo.get())
    }

    /// Sets both halves.
    pub fn set_size(&mut self, bytes: u64) {
        // Truncating is the point: each field takes its half.
        self.i_size_lo.set(bytes as u32);
        self.i_size_high.set((bytes >> 32) as u32);
    }

    /// The 48-bit block counter as stored: 512-byte units, or blocks with HUGE_FILE.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        u64::from(self.i_blocks_high.get()) << 32 | u64::from(self.i_blocks_lo.get())
    }

    /// Sets both parts; what is above 48 bits is lost.
    pub fn set_blocks(&mut self, blocks: u64) {
        self.i_blocks_lo.set(blocks as u32);
        self.i_blocks_high.set((blocks >> 32) as u16);
    }

    /// Owner.
    #[must_use]
    pub fn uid(&self) -> u32 {
        u32::from(self.i_uid_high.get()) << 16 | u32::from(self.i_uid.get())
    }

    /// Sets both halves.
    pub fn set_uid(&mut self, uid: u32) {
        self.i_uid.set(uid as u16);
        self.i_uid_high.set((uid >> 16) as u16);
    }

    /// Group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        u32::from(self.i_gid_high.get()) << 16 | u32::from(self.i_gid.get())
    }

    /// Sets both halves.
    pub fn set_gid(&mut self, gid: u32) {
        self.i_gid.set(gid as u16);
        self.i_gid_high.set((gid >> 16) as u16);
    }

    /// Block of extended attributes; 0 if there is none.
    #[must_use]
    pub fn file_acl(&self) -> Pblk {
        let hi = u64::from(self.i_file_acl_high.get());
        Pblk(hi << 32 | u64::from(self.i_file_acl_lo.get()))
    }

    /// `i_block` as 15 block pointers: 12 direct, then one, two and three levels.
    #[must_use]
    pub fn block_pointers(&self) -> [u32; 15] {
        core::array::from_fn(|n| le32(&self.i_block, 4 * n))
    }

    /// Sets pointer `n` of the 15 in `i_block`.
    ///
    /// # Errors
    /// `TooShort` from 15 on.
    pub fn set_block_pointer(&mut self, n: usize, block: u32) -> Result<(), LayoutError> {
        put("i_block", &mut self.i_block, 4 * n, &block.to_le_bytes())
    }
}

/// Seed of an inode's own metadata: extent blocks, directory blocks and itself.
#[must_use]
pub fn seed(fs_seed: u32, ino: Ino, generation: u32) -> u32 {
    crc32c(crc32c(fs_seed, &ino.0.to_le_bytes()), &generation.to_le_bytes())
}

/// Whether the slot has room for `i_checksum_hi` (`EXT4_FITS_IN_INODE`).
fn has_high_half(slot: &[u8]) -> bool {
    slot.len() > OLD_SIZE && le16(slot, EXTRA_ISIZE_AT) >= 4
}

/// The checksum of a whole inode slot (`ext4_inode_csum`), the stored one counted as zero.
///
/// Only the low half counts where `i_extra_isize` leaves no room for the high one.
#[must_use]
pub fn compute_checksum(slot: &[u8], fs_seed: u32, ino: Ino) -> u32 {
    let piece = |from: usize, to: usize| slot.get(from..to.min(slot.len())).unwrap_or(&[]);
    let crc = seed(fs_seed, ino, le32(slot, 100));
    let crc = crc32c(crc32c(crc, piece(0, CHECKSUM_LO_AT)), &[0, 0]);
    let crc = crc32c(crc, piece(CHECKSUM_LO_AT + 2, OLD_SIZE));
    if slot.len() <= OLD_SIZE {
        return crc & 0xffff;
    }
    let crc = crc32c(crc, piece(OLD_SIZE, CHECKSUM_HI_AT));
    if has_high_half(slot) {
        crc32c(crc32c(crc, &[0, 0]), piece(CHECKSUM_HI_AT + 2, slot.len()))
    } else {
        crc32c(crc, piece(CHECKSUM_HI_AT, slot.len())) & 0xffff
    }
}

/// Stores the checksum of a whole inode slot.
///
/// # Errors
/// `TooShort` below 128 bytes.
pub fn update_checksum(slot: &mut [u8], fs_seed: u32, ino: Ino) -> Result<(), LayoutError> {
    let [a, b, c, d] = compute_checksum(slot, fs_seed, ino).to_le_bytes();
    if slot.len() < OLD_SIZE {
        return Err(LayoutError::TooShort { what: "inode", need: OLD_SIZE, found: slot.len() });
    }
    put("inode", slot, CHECKSUM_LO_AT, &[a, b])?;
    if has_high_half(slot) { put("inode", slot, CHECKSUM_HI_AT, &[c, d]) } else { Ok(()) }
}

/// Compares the checksum of a whole inode slot.
///
/// # Errors
/// `BadChecksum`.
pub fn verify_checksum(slot: &[u8], fs_seed: u32, ino: Ino) -> Result<(), LayoutError> {
    let hi = if has_high_half(slot) { le16(slot, CHECKSUM_HI_AT) } else { 0 };
    let found = u32::from(hi) << 16 | u32::from(le16(slot, CHECKSUM_LO_AT));
    same_checksum("inode", compute_checksum(slot, fs_seed, ino), found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_stand_where_the_kernel_has_them() {
        let fields = Inode::zeroed().fields();
        let at = |name: &str| fields.iter().find(|f| f.name == name).map(|f| f.offset);
        for (name, offset) in [
            ("i_flags", 32),
            ("i_block", 40),
            ("i_generation", 100),
            ("i_size_high", 108),
            ("i_checksum_lo", 124),
            ("i_extra_isize", 128),
            ("i_crtime", 144),
            ("i_rest", 160),
        ] {
            assert_eq!(at(name), Some(offset), "{name}");
        }
    }

    #[test]
    fn epoch_bits_reach_the_25th_century() {
        for secs in [-(1 << 31), -1, 0, (1 << 31) - 1, 1 << 31, (1 << 34) - (1 << 31) - 1] {
            let time = Timestamp { secs, nanos: 999_999_999 };
            let (seconds, extra) = time.to_words();
            assert_eq!(Timestamp::from_words(seconds, extra), time);
        }
    }

    #[test]
    fn the_high_half_is_kept_only_where_there_is_room() {
        let mut slot = [0; 256];
        update_checksum(&mut slot, 1, Ino(3)).unwrap();
        assert_eq!(slot[130..132], [0, 0]);
        verify_checksum(&slot, 1, Ino(3)).unwrap();
        slot[128] = 32;
        update_checksum(&mut slot, 1, Ino(3)).unwrap();
        assert_ne!(slot[130..132], [0, 0]);
        verify_checksum(&slot, 1, Ino(3)).unwrap();
        slot[255] ^= 1;
        assert!(verify_checksum(&slot, 1, Ino(3)).is_err());
    }

    proptest! {
        #[test]
        fn any_slot_round_trips(bytes in prop::collection::vec(any::<u8>(), 0..300), size: u16) {
            let _ = compute_checksum(&bytes, 1, Ino(1));
            let _ = verify_checksum(&bytes, 1, Ino(1));
            let mut copy = bytes.clone();
            let _ = update_checksum(&mut copy, 1, Ino(1));
            for size in [128, 256, size] {
                if let Ok(inode) = Inode::parse_sized(&bytes, size) {
                    let mut out = bytes.clone();
                    inode.write_sized(&mut out, size).unwrap();
                    prop_assert_eq!(&out, &bytes);
                }
            }
        }
    }
}
