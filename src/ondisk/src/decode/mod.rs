//! Blocks as named fields, for the block inspector.
//!
//! [`classify_all`] walks an image and says what each block in use is;
//! [`decode_block`] takes such a block apart. Both read damaged images: what
//! breaks a rule becomes a field named "damage", a walk skips it.
//!
//! ```text
//! superblock + descriptors -> DecodeCtx -> classify_all -> BlockKind -> decode_block -> Decoded
//! ```

use crate::ids::{Group, Ino, Lblk, Pblk};
use crate::layout::group_desc::GroupDesc;
use crate::layout::inode::Inode;
use crate::layout::journal::{JournalSuperblock, TagFormat};
use crate::layout::superblock::Superblock;
use crate::layout::{LayoutError, index};

mod block;
mod walk;

pub use crate::layout::Field;
pub use block::{decode_block, decode_i_block};
pub use walk::{classify, classify_all};

/// Most blocks that [`classify_all`] looks at; a damaged image could ask for any number.
pub const BLOCKS_MAX: usize = 1 << 20;
/// Most blocks to look at to find the journal's first one.
const JOURNAL_BLOCKS_MAX: usize = 64;

/// The file that a block belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its inode.
    pub ino: Ino,
    /// Its `i_generation`, part of the checksum seed.
    pub generation: u32,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Block 0 before a superblock in block 1.
    Boot,
    /// A superblock; in larger blocks group 0's is at byte 1024.
    Superblock {
        /// Group that it stands in.
        group: Group,
    },
    /// Part of a group descriptor table.
    GroupDescriptors {
        /// Group that the copy stands in.
        group: Group,
        /// Block of the table.
        index: u32,
    },
    /// Kept for the growth of the descriptor table.
    ReservedGdt {
        /// Group that the copy stands in.
        group: Group,
        /// Which of the reserved blocks.
        index: u32,
    },
    /// One bit per cluster.
    BlockBitmap {
        /// Of which group.
        group: Group,
    },
    /// One bit per inode.
    InodeBitmap {
        /// Of which group.
        group: Group,
    },
    /// Inodes.
    InodeTable {
        /// Of which group.
        group: Group,
        /// Block of the table.
        index: u32,
    },
    /// An extent tree's node that is not in the inode.
    ExtentNode {
        /// The file.
        owner: Owner,
    },
    /// Block numbers.
    Indirect {
        /// The file.
        ino: Ino,
        /// 1: of data; 2 and 3: of further such blocks.
        level: u8,
    },
    /// Extended attributes.
    Xattr {
        /// One of the files that have them.
        ino: Ino,
    },
    /// Names.
    Directory {
        /// The directory.
        owner: Owner,
        /// Its block of the directory.
        lblk: Lblk,
        /// Whether the directory is hash-indexed.
        indexed: bool,
    },
    /// The journal's first block.
    JournalSuperblock,
    /// A block of the log: descriptor, commit, revoke or data, as its first word says.
    JournalLog {
        /// Its block of the journal.
        lblk: Lblk,
    },
    /// Data of a file.
    FileData {
        /// The file.
        ino: Ino,
        /// Its block of the file.
        lblk: Lblk,
    },
    /// Anything else: free, or not reached from any inode.
    Plain,
}

/// A block taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What it is, in a few words.
    pub title: String,
    /// Its fields, by offset.
    pub fields: Vec<Field>,
}

/// What must be known of the file system to read a block of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeCtx {
    /// The primary superblock.
    pub superblock: Superblock,
    /// The primary descriptors, as many as could be read.
    pub descs: Vec<GroupDesc>,
    /// How the journal's tags are laid out.
    pub tag_format: TagFormat,
    /// Seed of the journal's checksums.
    pub journal_seed: u32,
}

/// Gives a block's bytes; none if there is no such block.
pub type Reader<'a> = &'a dyn Fn(Pblk) -> Vec<u8>;

impl DecodeCtx {
    /// Reads descriptors and the journal's superblock.
    #[must_use]
    pub fn new(superblock: Superblock, reader: Reader) -> Self {
        let mut this = Self {
            superblock,
            descs: Vec::new(),
            tag_format: TagFormat { csum_v3: false, csum_v2: false, bits64: false },
            journal_seed: 0,
        };
        this.read_descs(reader);
        let ino = Ino(superblock.s_journal_inum.get());
        let blocks = this.inode(ino, reader).map(|inode| {
            let mut walk = walk::Walk::new(&this, reader, JOURNAL_BLOCKS_MAX);
            walk.inode(ino, &inode);
            walk.found
        });
        let first = blocks.iter().flatten().find(|(_, kind)| **kind == BlockKind::JournalSuperblock);
        if let Some(Ok(sb)) = first.map(|(&first, _)| JournalSuperblock::parse(&reader(first))) {
            this.tag_format = sb.tag_format();
            this.journal_seed = sb.checksum_seed();
        }
        this
    }

    fn read_descs(&mut self, reader: Reader) {
        let size = usize::from(self.superblock.desc_size());
        let groups = index(self.superblock.groups());
        let mut at = self.superblock.superblock_block();
        while size >= 32 && self.descs.len() < groups.min(BLOCKS_MAX) {
            at.0 += 1;
            let before = self.descs.len();
            let block = reader(at);
            let left = groups - before;
            let descs = block.chunks_exact(size).take(left);
            let size = self.superblock.desc_size();
            self.descs.extend(descs.flat_map(|slot| GroupDesc::parse_sized(slot, size)));
            if self.descs.len() == before {
                break;
            }
        }
    }

    /// Reads an inode; `None` if it has no place on this image.
    #[must_use]
    pub fn inode(&self, ino: Ino, reader: Reader) -> Option<Inode> {
        let (group, slot) = self.superblock.group_of_inode(ino)?;
        let desc = self.descs.get(index(group.0))?;
        let byte = u64::from(slot) * u64::from(self.superblock.inode_size());
        let block_size = u64::from(self.superblock.block_size());
        let block = desc.inode_table().0.checked_add(byte.checked_div(block_size)?)?;
        let at = usize::try_from(byte % block_size).ok()?;
        Inode::parse_sized(reader(Pblk(block)).get(at..)?, self.superblock.inode_size()).ok()
    }

    fn groups(&self) -> impl Iterator<Item = (Group, &GroupDesc)> {
        (0..).map(Group).zip(&self.descs)
    }

    fn checksum_note(&self, verified: Result<(), LayoutError>) -> String {
        if !self.superblock.has_metadata_csum() {
            return String::new();
        }
        match verified {
            Ok(()) => " (right)".to_owned(),
            Err(error) => format!(" (wrong: {error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::mkfs::{MkfsOptions, mkfs};
    use proptest::prelude::*;

    type Device = BTreeMap<Pblk, Vec<u8>>;

    fn reader(device: &Device, options: &MkfsOptions) -> impl Fn(Pblk) -> Vec<u8> {
        let (size, end) = (options.block_size as usize, options.size_bytes / u64::from(options.block_size));
        let device = device.clone();
        move |block| match device.get(&block) {
            Some(bytes) => bytes.clone(),
            None if block.0 < end => vec![0; size],
            None => Vec::new(),
        }
    }

    fn made(options: &MkfsOptions) -> (Device, Superblock) {
        let mut device = Device::new();
        mkfs(options, &mut device).unwrap();
        let (block, at) = if options.block_size == 1024 { (1, 0) } else { (0, 1024) };
        let sb = Superblock::parse(&device[&Pblk(block)][at..]).unwrap();
        (device, sb)
    }

    /// Every block that the bitmaps say is in use has a kind, and no other one.
    fn check(change: fn(&mut MkfsOptions)) {
        let mut options = MkfsOptions::new(24 << 20, 1024);
        change(&mut options);
        let (device, sb) = made(&options);
        let read = reader(&device, &options);
        let ctx = DecodeCtx::new(sb, &read);
        let kinds = classify_all(&ctx, &read);
        let free: u64 = ctx.descs.iter().map(|desc| u64::from(desc.free_clusters())).sum();
        let named = kinds.range(Pblk(sb.s_first_data_block.get().into())..).count() as u64;
        assert_eq!(named + free, sb.blocks_count() - u64::from(sb.s_first_data_block.get()));
        for (&block, &kind) in &kinds {
            if let Some(fixed) = classify(block, &ctx) {
                assert_eq!(fixed, kind, "block {block}");
            }
            let decoded = decode_block(kind, &read(block), &ctx);
            for field in &decoded.fields {
                assert!(field.name != "damage" && !field.value.contains("wrong"), "{block} {decoded:?}");
                assert!(field.offset + field.len <= options.block_size, "{block} {field:?}");
            }
        }
    }

    #[test]
    fn every_used_block_of_a_new_image_has_a_kind() {
        check(|_| ());
        check(|o| o.block_size = 4096);
        check(|o| (o.extents, o.bits64) = (false, false));
        check(|o| o.metadata_csum = false);
        check(|o| o.inline_data = true);
        check(|o| o.has_journal = false);
    }

    #[test]
    fn the_root_directory_reads_as_text() {
        let options = MkfsOptions::new(16 << 20, 4096);
        let (device, sb) = made(&options);
        let read = reader(&device, &options);
        let ctx = DecodeCtx::new(sb, &read);
        let kinds = classify_all(&ctx, &read);
        let decoded = decode_block(kinds[&Pblk(4)], &read(Pblk(4)), &ctx);
        assert_eq!(decoded.title, "Directory 2, block 0");
        assert_eq!(decoded.fields[2].value, "\"lost+found\" -> inode 11, directory, rec_len 4060");
        assert_eq!(kinds[&Pblk(9)], BlockKind::JournalSuperblock);
        assert_eq!(kinds[&Pblk(1098)], BlockKind::JournalLog { lblk: Lblk(1023) });
        assert!(!kinds.contains_key(&Pblk(1099)));
        let bitmap = decode_block(kinds[&Pblk(3)], &read(Pblk(3)), &ctx);
        assert_eq!(bitmap.fields[0].value, "1099 of 4096 blocks");
        assert_eq!(bitmap.fields[1].value, "0-1098");
    }

    fn any_kind() -> impl Strategy<Value = BlockKind> {
        let owner = Owner { ino: Ino(12), generation: 7 };
        (0..16, any::<u32>()).prop_map(move |(n, number)| match n {
            0 => BlockKind::Boot,
            1 => BlockKind::Superblock { group: Group(number) },
            2 => BlockKind::GroupDescriptors { group: Group(0), index: number },
            3 => BlockKind::ReservedGdt { group: Group(0), index: number },
            4 => BlockKind::BlockBitmap { group: Group(number) },
            5 => BlockKind::InodeBitmap { group: Group(number % 3) },
            6 => BlockKind::InodeTable { group: Group(number), index: number },
            7 => BlockKind::ExtentNode { owner },
            8 => BlockKind::Indirect { ino: Ino(number), level: 1 },
            9 => BlockKind::Xattr { ino: Ino(12) },
            10 => BlockKind::Directory { owner, lblk: Lblk(number), indexed: number % 2 == 0 },
            11 => BlockKind::JournalSuperblock,
            12 | 13 => BlockKind::JournalLog { lblk: Lblk(number) },
            14 => BlockKind::FileData { ino: Ino(1), lblk: Lblk(1) },
            _ => BlockKind::Plain,
        })
    }

    /// A few bytes at random places of a block.
    fn noise() -> impl Strategy<Value = Vec<(usize, u8)>> {
        prop::collection::vec((0usize..1024, any::<u8>()), 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Real blocks, damaged, read as any kind under a damaged superblock.
        #[test]
        fn damaged_blocks_never_panic(
            kind in any_kind(), from in 0usize..1000, cut in 0usize..=1024, damage in noise(), sb_damage in noise(),
            header in 0u8..6, raw in any::<[u8; 16]>(),
        ) {
            let options = MkfsOptions::new(9 << 20, 1024);
            let (device, sb) = made(&options);
            let mut bytes = device.values().nth(from % device.len()).unwrap().clone();
            for (at, byte) in damage { bytes[at] = byte }
            if header > 0 { bytes[..8].copy_from_slice(&[0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, header]) }
            bytes.truncate(cut);
            let read = reader(&device, &options);
            let mut ctx = DecodeCtx::new(sb, &read);
            let _ = decode_block(kind, &bytes, &ctx);
            let mut sb = sb.as_bytes().to_vec();
            for (at, byte) in sb_damage { sb[at] = byte }
            ctx.superblock = Superblock::parse(&sb).unwrap();
            ctx.tag_format.bits64 = raw[0] % 2 == 0;
            ctx.tag_format.csum_v3 = raw[1] % 2 == 0;
            let _ = decode_block(kind, &bytes, &ctx);
            let _ = decode_block(kind, &raw, &ctx);
        }

        /// Whole images with damage in superblock, descriptors, inodes and nodes.
        #[test]
        fn damaged_images_never_panic(
            damage in prop::collection::vec((any::<prop::sample::Index>(), 0usize..1024, any::<u8>()), 0..40),
            sb_damage in noise(), extents: bool,
        ) {
            let mut options = MkfsOptions::new(9 << 20, 1024);
            options.extents = extents;
            let (mut device, sb) = made(&options);
            let blocks: Vec<Pblk> = device.keys().copied().collect();
            for (block, at, byte) in damage {
                if let Some(bytes) = device.get_mut(&blocks[block.index(blocks.len())]) { bytes[at] = byte }
            }
            let read = reader(&device, &options);
            let mut bytes = sb.as_bytes().to_vec();
            for (at, byte) in sb_damage { bytes[at] = byte }
            for sb in [sb, Superblock::parse(&bytes).unwrap()] {
                let ctx = DecodeCtx::new(sb, &read);
                for (block, kind) in classify_all(&ctx, &read).into_iter().take(400) {
                    let _ = (decode_block(kind, &read(block), &ctx), classify(block, &ctx));
                }
            }
        }
    }
}
