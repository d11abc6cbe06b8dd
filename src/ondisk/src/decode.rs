//! Blocks as named fields, for the block inspector.
//!
//! [`classify_all`] walks an image and says what each block in use is;
//! [`decode_block`] takes such a block apart. Both read damaged images: what
//! breaks a rule becomes a field named "damage", a walk skips it.
//!
//! ```text
//! superblock + descriptors -> DecodeCtx -> classify_all -> BlockKind -> decode_block -> Decoded
//! ```

use std::collections::BTreeMap;

use crate::ids::{Group, Ino, Lblk, Pblk};
use crate::layout::extent::{self, Extent, Index};
use crate::layout::group_desc::{GroupDesc, GroupFlags};
use crate::layout::inode::{self, FileKind, Inode, InodeFlags};
use crate::layout::journal::{self, BlockHeader, BlockType, JournalSuperblock, TagFlags, TagFormat};
use crate::layout::superblock::Superblock;
use crate::layout::{LayoutError, bitmap, dir, hex, htree, index, le16, le32};

pub use crate::layout::Field;

/// Most blocks that [`classify_all`] looks at; a damaged image could ask for any number.
pub const BLOCKS_MAX: usize = 1 << 22;
/// Most blocks to look at to find the journal's first one.
const JOURNAL_BLOCKS_MAX: usize = 64;
/// Most runs of a bitmap that are shown one by one.
const RUNS_MAX: usize = 64;

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
            let mut walk = Walk::new(&this, reader, JOURNAL_BLOCKS_MAX);
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

/// What a block is by its place alone: superblocks, descriptors, bitmaps, inode
/// tables. `None` for all that only an inode can tell.
#[must_use]
pub fn classify(block: Pblk, ctx: &DecodeCtx) -> Option<BlockKind> {
    let sb = &ctx.superblock;
    if block < sb.superblock_block() {
        return Some(BlockKind::Boot);
    }
    let home = sb.group_of_block(block)?;
    if sb.group_has_super(home) {
        let start = if home.0 == 0 { sb.superblock_block() } else { sb.group_first_block(home) };
        let into = u32::try_from(block.0.checked_sub(start.0)?).ok()?;
        let (descs, reserved) = (sb.desc_blocks(), u32::from(sb.s_reserved_gdt_blocks.get()));
        if into == 0 {
            return Some(BlockKind::Superblock { group: home });
        }
        if into <= descs {
            return Some(BlockKind::GroupDescriptors { group: home, index: into - 1 });
        }
        if into - descs <= reserved {
            return Some(BlockKind::ReservedGdt { group: home, index: into - descs - 1 });
        }
    }
    ctx.groups().find_map(|(group, desc)| {
        let into = block.0.checked_sub(desc.inode_table().0);
        match into.and_then(|into| u32::try_from(into).ok()) {
            _ if block == desc.block_bitmap() => Some(BlockKind::BlockBitmap { group }),
            _ if block == desc.inode_bitmap() => Some(BlockKind::InodeBitmap { group }),
            Some(index) if index < sb.inode_table_blocks() => Some(BlockKind::InodeTable { group, index }),
            _ => None,
        }
    })
}

/// What every block in use is; a block that is missing is free, or lost.
///
/// Walks the inode tables of all groups. Bounded by [`BLOCKS_MAX`], and each
/// tree node is entered once, so a damaged image cannot hold it up.
#[must_use]
pub fn classify_all(ctx: &DecodeCtx, reader: Reader) -> BTreeMap<Pblk, BlockKind> {
    let mut walk = Walk::new(ctx, reader, BLOCKS_MAX);
    walk.fixed();
    for (group, desc) in ctx.groups() {
        walk.inodes(group, desc);
    }
    walk.found
}

/// A walk over an image, and what it found so far.
struct Walk<'a> {
    ctx: &'a DecodeCtx,
    reader: Reader<'a>,
    /// Blocks that may still be looked at.
    left: usize,
    found: BTreeMap<Pblk, BlockKind>,
}

impl<'a> Walk<'a> {
    fn new(ctx: &'a DecodeCtx, reader: Reader<'a>, most: usize) -> Self {
        Self { ctx, reader, left: most, found: BTreeMap::new() }
    }

    fn full(&self) -> bool {
        self.left == 0
    }

    /// Notes a block; false if it was known, lies outside, or there are too many.
    fn note(&mut self, block: Pblk, kind: BlockKind) -> bool {
        if self.full() {
            return false;
        }
        self.left -= 1;
        let boot = block < self.ctx.superblock.superblock_block() && kind != BlockKind::Boot;
        if boot || block.0 >= self.ctx.superblock.blocks_count() {
            return false;
        }
        let known = self.found.contains_key(&block);
        if !known {
            self.found.insert(block, kind);
        }
        !known
    }

    /// All that [`classify`] knows.
    fn fixed(&mut self) {
        let (ctx, sb) = (self.ctx, &self.ctx.superblock);
        if sb.superblock_block() > Pblk(0) {
            self.note(Pblk(0), BlockKind::Boot);
        }
        for (group, desc) in ctx.groups() {
            if self.full() {
                return;
            }
            if sb.group_has_super(group) {
                let at = if group.0 == 0 { sb.superblock_block() } else { sb.group_first_block(group) };
                self.note(at, BlockKind::Superblock { group });
                let descs = sb.desc_blocks().min(sb.groups());
                for index in 0..descs {
                    self.note(Pblk(at.0 + 1 + u64::from(index)), BlockKind::GroupDescriptors { group, index });
                }
                for index in 0..sb.s_reserved_gdt_blocks.get().into() {
                    let block = Pblk(at.0 + 1 + u64::from(descs) + u64::from(index));
                    self.note(block, BlockKind::ReservedGdt { group, index });
                }
            }
            self.note(desc.block_bitmap(), BlockKind::BlockBitmap { group });
            self.note(desc.inode_bitmap(), BlockKind::InodeBitmap { group });
            for index in 0..sb.inode_table_blocks() {
                let block = desc.inode_table().0.saturating_add(index.into());
                if block >= sb.blocks_count() || self.full() {
                    break;
                }
                self.note(Pblk(block), BlockKind::InodeTable { group, index });
            }
        }
    }

    /// The inodes in use in one group.
    fn inodes(&mut self, group: Group, desc: &GroupDesc) {
        let sb = &self.ctx.superblock;
        let size = usize::from(sb.inode_size());
        if size < inode::OLD_SIZE || desc.flags().contains(GroupFlags::INODE_UNINIT) {
            return;
        }
        let used = (self.reader)(desc.inode_bitmap());
        let per_block = sb.block_size() / u32::from(sb.inode_size());
        let bits = u32::try_from(used.len()).map_or(u32::MAX, |bytes| bytes.saturating_mul(8));
        let slots = sb.s_inodes_per_group.get().min(bits);
        if per_block == 0 {
            return;
        }
        for first in (0..slots).step_by(index(per_block)) {
            if bitmap::find_set(&used, first..(first + per_block).min(slots)).is_none() {
                continue;
            }
            let block = (self.reader)(Pblk(desc.inode_table().0.saturating_add((first / per_block).into())));
            for (slot, bytes) in (first..slots).zip(block.chunks_exact(size)) {
                if !bitmap::test(&used, slot) {
                    continue;
                }
                let ino = group.0.checked_mul(sb.s_inodes_per_group.get()).and_then(|n| n.checked_add(slot + 1));
                if let (Some(ino), Ok(inode)) = (ino, Inode::parse_sized(bytes, sb.inode_size())) {
                    self.inode(Ino(ino), &inode);
                }
            }
        }
    }

    /// Everything that one inode names.
    fn inode(&mut self, ino: Ino, inode: &Inode) {
        let owner = Owner { ino, generation: inode.i_generation.get() };
        if inode.file_acl().0 != 0 {
            self.note(inode.file_acl(), BlockKind::Xattr { ino });
        }
        let has_blocks = match inode.kind() {
            FileKind::Regular | FileKind::Directory => true,
            FileKind::Symlink => inode.size() >= 60 || inode.flags().contains(InodeFlags::EXTENTS),
            _ => false,
        };
        if !has_blocks || inode.flags().contains(InodeFlags::INLINE_DATA) {
            return;
        }
        let file = Walked { owner, kind: inode.kind(), indexed: inode.flags().contains(InodeFlags::INDEX) };
        if inode.flags().contains(InodeFlags::EXTENTS) {
            self.extents(&file, &inode.i_block, extent::Header::depth(&inode.i_block));
            return;
        }
        let pointers = inode.block_pointers();
        let per_block = u64::from(self.ctx.superblock.block_size() / 4);
        let mut lblk = 0;
        for (n, &pointer) in pointers.iter().enumerate() {
            let level = u8::try_from(n.saturating_sub(11)).unwrap_or(0);
            self.pointer(&file, pointer, level, &mut lblk, per_block);
        }
    }

    fn data(&mut self, file: &Walked, block: Pblk, lblk: u64) {
        let lblk = Lblk(u32::try_from(lblk).unwrap_or(u32::MAX));
        let ino = file.owner.ino;
        let journal = ino.0 != 0 && ino.0 == self.ctx.superblock.s_journal_inum.get();
        let kind = match file.kind {
            FileKind::Directory => BlockKind::Directory { owner: file.owner, lblk, indexed: file.indexed },
            _ if journal && lblk.0 == 0 => BlockKind::JournalSuperblock,
            _ if journal => BlockKind::JournalLog { lblk },
            _ => BlockKind::FileData { ino, lblk },
        };
        self.note(block, kind);
    }

    /// A node of an extent tree whose depth must be `depth`.
    fn extents(&mut self, file: &Walked, node: &[u8], depth: u16) {
        let blocks = self.ctx.superblock.blocks_count();
        if self.full() || extent::check(node, depth, blocks).is_err() {
            return;
        }
        if depth == 0 {
            for extent in Extent::all(node) {
                for n in 0..u64::from(extent.len) {
                    self.data(file, Pblk(extent.start.0 + n), u64::from(extent.block.0) + n);
                }
            }
            return;
        }
        for entry in Index::all(node) {
            if self.note(entry.leaf, BlockKind::ExtentNode { owner: file.owner }) {
                self.extents(file, &(self.reader)(entry.leaf), depth - 1);
            }
        }
    }

    /// A pointer of a block map with `level` blocks of pointers below it.
    fn pointer(&mut self, file: &Walked, pointer: u32, level: u8, lblk: &mut u64, per_block: u64) {
        let (here, covers) = (*lblk, per_block.saturating_pow(level.into()));
        *lblk = here.saturating_add(covers);
        let block = Pblk(pointer.into());
        if pointer == 0 || self.full() {
            return;
        }
        if level == 0 {
            self.data(file, block, here);
            return;
        }
        if self.note(block, BlockKind::Indirect { ino: file.owner.ino, level }) {
            let mut below = here;
            for bytes in (self.reader)(block).chunks_exact(4) {
                self.pointer(file, le32(bytes, 0), level - 1, &mut below, per_block);
            }
        }
    }
}

/// The file whose blocks are being walked.
struct Walked {
    owner: Owner,
    kind: FileKind,
    indexed: bool,
}

/// Takes a block apart. Any bytes will do: damage becomes a field of that name.
#[must_use]
pub fn decode_block(kind: BlockKind, bytes: &[u8], ctx: &DecodeCtx) -> Decoded {
    let mut out = Fields { bytes, fields: Vec::new() };
    let title = match kind {
        BlockKind::Boot => {
            out.plain();
            "Boot block".to_owned()
        }
        BlockKind::Superblock { group } => out.superblock(group, ctx),
        BlockKind::GroupDescriptors { group, index } => out.descriptors(group, index, ctx),
        BlockKind::ReservedGdt { group, index } => {
            out.pointers();
            format!("Reserved descriptor block {index} of group {group}")
        }
        BlockKind::BlockBitmap { group } => out.block_bitmap(group, ctx),
        BlockKind::InodeBitmap { group } => out.inode_bitmap(group, ctx),
        BlockKind::InodeTable { group, index } => out.inode_table(group, index, ctx),
        BlockKind::ExtentNode { owner } => out.extent_node(owner, ctx),
        BlockKind::Indirect { ino, level } => {
            out.pointers();
            format!("Indirect block of inode {ino}, level {level}")
        }
        BlockKind::Xattr { ino } => {
            out.plain();
            format!("Extended attributes of inode {ino}")
        }
        BlockKind::Directory { owner, lblk, indexed } => out.directory(owner, lblk, indexed, ctx),
        BlockKind::JournalSuperblock => out.journal_superblock(),
        BlockKind::JournalLog { lblk } => out.journal_log(lblk, ctx),
        BlockKind::FileData { ino, lblk } => {
            out.plain();
            format!("Data of inode {ino}, block {lblk} of the file")
        }
        BlockKind::Plain => {
            out.plain();
            "Free or unowned block".to_owned()
        }
    };
    Decoded { title, fields: out.fields }
}

/// Decodes one inode's 60 bytes of `i_block`, offsets counted from its start.
#[must_use]
pub fn decode_i_block(inode: &Inode) -> Vec<Field> {
    let bytes = &inode.i_block;
    let mut out = Fields { bytes, fields: Vec::new() };
    match inode.kind() {
        _ if inode.flags().contains(InodeFlags::INLINE_DATA) => out.add(0, 60, "inline data", hex(bytes)),
        FileKind::Symlink if inode.size() < 60 && !inode.flags().contains(InodeFlags::EXTENTS) => {
            out.add(0, 60, "link target", hex(bytes));
        }
        _ if inode.flags().contains(InodeFlags::EXTENTS) => out.node_entries(),
        _ => {
            for (n, pointer) in inode.block_pointers().into_iter().enumerate().filter(|&(_, p)| p != 0) {
                let level = ["indirect", "double indirect", "triple indirect"];
                let name =
                    n.checked_sub(12).and_then(|n| level.get(n)).map_or_else(|| format!("block {n}"), |l| (*l).into());
                out.add(4 * n, 4, name, pointer.to_string());
            }
        }
    }
    out.fields
}

/// A number in hex.
fn hex_number(number: u32) -> String {
    format!("{number:#x}")
}

/// Names behind a number.
fn named(number: u32, names: &[String]) -> String {
    format!("{number:#x} {}", names.join(" ")).trim_end().to_owned()
}

/// Sixteen bytes as a uuid is written.
fn uuid(bytes: &[u8; 16]) -> String {
    let digits =
        |range: core::ops::Range<usize>| -> String { bytes[range].iter().map(|b| format!("{b:02x}")).collect() };
    [0..4, 4..6, 6..8, 8..10, 10..16].map(digits).join("-")
}

/// Seconds since 1970 as a date, "never" for 0.
fn date(seconds: i64) -> String {
    if seconds == 0 {
        return "0 (never)".to_owned();
    }
    let (days, rest) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    // Days since 1 March of year 0, in eras of 400 years.
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + 400 * era + carry;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{seconds} ({year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC)")
}

/// The fields of a block, as they are found.
struct Fields<'a> {
    bytes: &'a [u8],
    fields: Vec<Field>,
}

impl Fields<'_> {
    fn add(&mut self, offset: usize, len: usize, name: impl Into<std::borrow::Cow<'static, str>>, value: String) {
        let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
        self.fields.push(Field { offset: number(offset), len: number(len), name: name.into(), value });
    }

    fn damage(&mut self, offset: usize, error: LayoutError) {
        let len = self.bytes.len().saturating_sub(offset);
        self.add(offset, len, "damage", error.to_string());
    }

    fn superblock(&mut self, group: Group, ctx: &DecodeCtx) -> String {
        let title = if group.0 == 0 { "Superblock".to_owned() } else { format!("Superblock, backup in group {group}") };
        let start = if group.0 == 0 && ctx.superblock.block_size() > 1024 { 1024 } else { 0 };
        let sb = match Superblock::parse(self.bytes.get(start..).unwrap_or(&[])) {
            Ok(sb) => sb,
            Err(error) => {
                self.damage(start, error);
                return title;
            }
        };
        for mut field in sb.fields() {
            field.value = superblock_value(&sb, &field, ctx);
            if field.name != "s_reserved" && field.name != "s_reserved_pad" {
                self.add(start + index(field.offset), index(field.len), field.name, field.value);
            }
        }
        title
    }

    fn descriptors(&mut self, home: Group, block: u32, ctx: &DecodeCtx) -> String {
        let sb = &ctx.superblock;
        let size = sb.desc_size();
        let slots = self.bytes.len().checked_div(size.into()).unwrap_or(0);
        let first = u64::from(block) * u64::try_from(slots).unwrap_or(0);
        let left = u64::from(sb.groups()).saturating_sub(first);
        let count = slots.min(usize::try_from(left).unwrap_or(slots));
        let groups = (u32::try_from(first).unwrap_or(u32::MAX)..).map(Group);
        for (group, at) in groups.zip((0..).step_by(usize::from(size).max(1))).take(count) {
            match GroupDesc::parse_sized(&self.bytes[at..], size) {
                Ok(desc) => self.descriptor(group, at, &desc, ctx),
                Err(error) => self.damage(at, error),
            }
        }
        format!("Group descriptors, block {block} of the table in group {home}")
    }

    fn descriptor(&mut self, group: Group, at: usize, desc: &GroupDesc, ctx: &DecodeCtx) {
        let size = ctx.superblock.desc_size();
        let note = ctx.checksum_note(desc.verify_checksum(ctx.superblock.checksum_seed(), group, size));
        let flags: Vec<String> = desc.flags().iter_names().map(|(name, _)| name.to_owned()).collect();
        let rows = [
            (0, 4, "bg_block_bitmap", desc.block_bitmap().to_string()),
            (4, 4, "bg_inode_bitmap", desc.inode_bitmap().to_string()),
            (8, 4, "bg_inode_table", desc.inode_table().to_string()),
            (12, 2, "bg_free_blocks_count", desc.free_clusters().to_string()),
            (14, 2, "bg_free_inodes_count", desc.free_inodes().to_string()),
            (16, 2, "bg_used_dirs_count", desc.used_dirs().to_string()),
            (18, 2, "bg_flags", named(desc.bg_flags.get().into(), &flags)),
            (24, 2, "bg_block_bitmap_csum", hex_number(desc.block_bitmap_csum())),
            (26, 2, "bg_inode_bitmap_csum", hex_number(desc.inode_bitmap_csum())),
            (28, 2, "bg_itable_unused", desc.itable_unused().to_string()),
            (30, 2, "bg_checksum", hex_number(desc.bg_checksum.get().into()) + &note),
        ];
        for (offset, len, name, value) in rows {
            self.add(at + offset, len, format!("group {group} {name}"), value);
        }
    }

    /// Counts and runs of set bits below `end`; the rest must be padding.
    fn bits(&mut self, end: u32, first: u64, what: &'static str, step: u64) {
        let free = bitmap::count_clear(self.bytes, end);
        self.add(0, index(end.div_ceil(8)), "used", format!("{} of {end} {what}", end - free));
        let runs: Vec<_> = bitmap::runs(self.bytes, end, true).take(RUNS_MAX + 1).collect();
        for run in runs.iter().take(RUNS_MAX) {
            let number = |bit: u32| first.saturating_add(u64::from(bit).saturating_mul(step));
            let (low, high) = (number(run.start), number(run.end).saturating_sub(1));
            let (from, to) = (run.start / 8, run.end.div_ceil(8));
            let value = if low == high { low.to_string() } else { format!("{low}-{high}") };
            self.add(index(from), index(to - from), "in use", value);
        }
        if runs.len() > RUNS_MAX {
            self.add(0, 0, "in use", "and more".to_owned());
        }
        let all = u32::try_from(self.bytes.len()).map_or(u32::MAX, |len| len.saturating_mul(8));
        if end < all {
            let clear = bitmap::find_clear(self.bytes, end..all);
            let value = clear.map_or("all set".to_owned(), |bit| format!("bit {bit} is clear, must be set"));
            self.add(index(end / 8), index((all - end).div_ceil(8)), "padding", value);
        }
    }

    fn bitmap_checksum(&mut self, bits: u32, ctx: &DecodeCtx) {
        if ctx.superblock.has_metadata_csum() {
            let checksum = bitmap::compute_checksum(self.bytes, bits, ctx.superblock.checksum_seed());
            self.add(0, index(bits / 8), "computed checksum", hex_number(checksum));
        }
    }

    /// How many of the block's own bits can count.
    fn bits_at_most(&self, wanted: u32) -> u32 {
        wanted.min(u32::try_from(self.bytes.len()).map_or(u32::MAX, |len| len.saturating_mul(8)))
    }

    fn block_bitmap(&mut self, group: Group, ctx: &DecodeCtx) -> String {
        let sb = &ctx.superblock;
        let title = format!("Block bitmap of group {group}");
        if self.uninit(group, GroupFlags::BLOCK_UNINIT, ctx) {
            return title;
        }
        let ratio = sb.cluster_ratio();
        let end = self.bits_at_most(sb.group_blocks(group).div_ceil(ratio));
        self.bits(end, sb.group_first_block(group).0, if ratio == 1 { "blocks" } else { "clusters" }, ratio.into());
        self.bitmap_checksum(sb.s_clusters_per_group.get(), ctx);
        title
    }

    fn inode_bitmap(&mut self, group: Group, ctx: &DecodeCtx) -> String {
        let per_group = ctx.superblock.s_inodes_per_group.get();
        let title = format!("Inode bitmap of group {group}");
        if self.uninit(group, GroupFlags::INODE_UNINIT, ctx) {
            return title;
        }
        let first = u64::from(group.0) * u64::from(per_group) + 1;
        self.bits(self.bits_at_most(per_group), first, "inodes", 1);
        self.bitmap_checksum(per_group, ctx);
        title
    }

    /// Whether the descriptor says that the bitmap was never written.
    fn uninit(&mut self, group: Group, flag: GroupFlags, ctx: &DecodeCtx) -> bool {
        let uninit = ctx.descs.get(index(group.0)).is_some_and(|desc| desc.flags().contains(flag));
        if uninit {
            let value = "never written; made from the descriptor on first use".to_owned();
            self.add(0, self.bytes.len(), "uninitialised", value);
        }
        uninit
    }

    fn inode_table(&mut self, group: Group, block: u32, ctx: &DecodeCtx) -> String {
        let sb = &ctx.superblock;
        let size = usize::from(sb.inode_size());
        let per_block = sb.block_size().checked_div(sb.inode_size().into()).unwrap_or(0);
        let first =
            u64::from(group.0) * u64::from(sb.s_inodes_per_group.get()) + u64::from(block) * u64::from(per_block);
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        if size >= inode::OLD_SIZE {
            for (n, at) in (1..).zip((0..self.bytes.len() - self.bytes.len() % size).step_by(size)) {
                self.inode(Ino(first.saturating_add(n)), at, size, ctx);
            }
        }
        format!("Inode table of group {group}, block {block}: inodes from {}", first.saturating_add(1))
    }

    fn inode(&mut self, ino: Ino, at: usize, size: usize, ctx: &DecodeCtx) {
        let slot = &self.bytes[at..at + size];
        let Ok(inode) = Inode::parse_sized(slot, ctx.superblock.inode_size()) else { return };
        let bare = inode.i_mode.get() == 0 && inode.i_links_count.get() == 0;
        if bare && inode.i_ctime.get() == 0 && inode.i_dtime.get() == 0 {
            let checksum = inode.i_checksum_lo.get();
            let what = if checksum == 0 { "never used" } else { "unused, with a checksum" };
            self.add(at, size, format!("inode {ino}"), what.to_owned());
            return;
        }
        let kind = format!("{:?}, {} bytes, {} links", inode.kind(), inode.size(), inode.i_links_count.get());
        self.add(at, size, format!("inode {ino}"), kind);
        let verified = inode::verify_checksum(slot, ctx.superblock.checksum_seed(), ino);
        let note = ctx.checksum_note(verified);
        for field in inode.fields() {
            let (offset, len) = (index(field.offset), index(field.len));
            if offset + len > size || slot[offset..offset + len].iter().all(|&b| b == 0) {
                continue;
            }
            if field.name == "i_block" {
                for part in decode_i_block(&inode) {
                    self.add(
                        at + offset + index(part.offset),
                        index(part.len),
                        format!("i_block {}", part.name),
                        part.value,
                    );
                }
                continue;
            }
            let value = inode_value(&inode, &field, &note);
            self.add(at + offset, len, field.name, value);
        }
    }

    /// Header and entries of an extent node.
    fn node_entries(&mut self) {
        let header = match extent::Header::parse(self.bytes) {
            Ok(header) => header,
            Err(error) => return self.damage(0, error),
        };
        self.add(0, 2, "eh_magic", hex_number(extent::MAGIC.into()));
        self.add(2, 2, "eh_entries", header.entries.to_string());
        self.add(4, 2, "eh_max", header.max.to_string());
        self.add(6, 2, "eh_depth", header.depth.to_string());
        self.add(8, 4, "eh_generation", header.generation.to_string());
        for n in 0..header.entries {
            let at = extent::ENTRY_SIZE * (usize::from(n) + 1);
            if header.depth > 0 {
                let Some(entry) = Index::get(self.bytes, n) else { break };
                let value = format!("from block {} of the file: node {}", entry.block, entry.leaf);
                self.add(at, extent::ENTRY_SIZE, format!("index {n}"), value);
                continue;
            }
            let Some(e) = Extent::get(self.bytes, n) else { break };
            let last = e.end().saturating_sub(1);
            let end = (e.start.0 + u64::from(e.len)).saturating_sub(1);
            let state = if e.unwritten { ", unwritten" } else { "" };
            let value = format!("blocks {}-{last} of the file at {}-{end} ({}{state})", e.block, e.start, e.len);
            self.add(at, extent::ENTRY_SIZE, format!("extent {n}"), value);
        }
    }

    fn extent_node(&mut self, owner: Owner, ctx: &DecodeCtx) -> String {
        self.node_entries();
        let depth = extent::Header::depth(self.bytes);
        if let Err(error) = extent::check(self.bytes, depth, ctx.superblock.blocks_count()) {
            self.damage(0, error);
        }
        let at = extent::tail_at(self.bytes);
        if ctx.superblock.has_metadata_csum() && at + 4 <= self.bytes.len() {
            let seed = inode::seed(ctx.superblock.checksum_seed(), owner.ino, owner.generation);
            let note = ctx.checksum_note(extent::verify_checksum(self.bytes, seed));
            self.add(at, 4, "et_checksum", hex_number(le32(self.bytes, at)) + &note);
        }
        format!("Extent node of inode {}, depth {depth}", owner.ino)
    }

    fn directory(&mut self, owner: Owner, lblk: Lblk, indexed: bool, ctx: &DecodeCtx) -> String {
        let csum = ctx.superblock.has_metadata_csum();
        let seed = inode::seed(ctx.superblock.checksum_seed(), owner.ino, owner.generation);
        let inner = htree::count_at(self.bytes).filter(|&at| {
            let limit = htree::limit_count(self.bytes, at).0;
            indexed && limit == htree::capacity(self.bytes.len(), at, csum)
        });
        if let Some(at) = inner {
            self.index_block(at, seed, csum, ctx);
            let what = if at == htree::ROOT_COUNT_AT { "root" } else { "node" };
            return format!("Index {what} of directory {}, block {lblk}", owner.ino);
        }
        let tail = dir::checksum_at(self.bytes).filter(|_| csum);
        for entry in dir::entries(self.bytes) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.damage(0, error);
                    break;
                }
            };
            if tail.is_some_and(|at| entry.offset + 8 == at) {
                break;
            }
            self.dir_entry(&entry);
        }
        if let Some(at) = tail {
            let note = ctx.checksum_note(dir::verify_checksum(self.bytes, seed));
            self.add(at, 4, "det_checksum", hex_number(le32(self.bytes, at)) + &note);
        }
        format!("Directory {}, block {lblk}", owner.ino)
    }

    fn dir_entry(&mut self, entry: &dir::Entry) {
        let kinds = ["unknown", "file", "directory", "char device", "block device", "fifo", "socket", "symlink"];
        let kind = kinds.get(usize::from(entry.file_type)).unwrap_or(&"unknown");
        let name = String::from_utf8_lossy(entry.name);
        let (label, value) = if entry.ino.0 == 0 {
            ("free", format!("{} bytes", entry.rec_len))
        } else {
            ("entry", format!("{name:?} -> inode {}, {kind}, rec_len {}", entry.ino, entry.rec_len))
        };
        self.add(entry.offset, entry.rec_len, label, value);
    }

    fn index_block(&mut self, count_at: usize, seed: u32, csum: bool, ctx: &DecodeCtx) {
        if count_at == htree::ROOT_COUNT_AT {
            for offset in [0, 12] {
                if let Ok(entry) = dir::entry_at(self.bytes, offset) {
                    self.dir_entry(&dir::Entry { rec_len: 12, ..entry });
                }
            }
            match htree::RootInfo::parse(self.bytes) {
                Ok(info) => {
                    let version = ["legacy", "half_md4", "tea"].get(usize::from(info.hash_version)).unwrap_or(&"other");
                    self.add(28, 1, "hash_version", format!("{} {version}", info.hash_version));
                    self.add(30, 1, "indirect_levels", info.indirect_levels.to_string());
                }
                Err(error) => self.damage(24, error),
            }
        }
        let (limit, count) = htree::limit_count(self.bytes, count_at);
        self.add(count_at, 2, "limit", limit.to_string());
        self.add(count_at + 2, 2, "count", count.to_string());
        let entries: Vec<_> = htree::entries(self.bytes, count_at).collect();
        for (n, entry) in entries.into_iter().enumerate() {
            let (at, len) = if n == 0 { (count_at + 4, 4) } else { (count_at + 8 * n, 8) };
            let value = format!("hashes from {:#010x}: block {}", entry.hash, entry.block);
            self.add(at, len, format!("dx entry {n}"), value);
        }
        let tail = count_at + 8 * usize::from(limit) + 4;
        if csum && tail + 4 <= self.bytes.len() {
            let note = ctx.checksum_note(htree::verify_checksum(self.bytes, count_at, seed));
            self.add(tail, 4, "dt_checksum", hex_number(le32(self.bytes, tail)) + &note);
        }
    }

    fn journal_superblock(&mut self) -> String {
        let title = "Journal superblock".to_owned();
        let sb = match JournalSuperblock::parse(self.bytes) {
            Ok(sb) => sb,
            Err(error) => {
                self.damage(0, error);
                return title;
            }
        };
        for field in sb.fields().into_iter().filter(|field| !field.name.starts_with("s_padding")) {
            let names: Vec<String> = sb.incompat().iter_names().map(|(name, _)| name.to_owned()).collect();
            let value = match &*field.name {
                "h_magic" => hex_number(sb.h_magic.get()),
                "s_feature_incompat" => named(sb.s_feature_incompat.get(), &names),
                "s_uuid" => uuid(&sb.s_uuid),
                "s_start" if sb.s_start.get() == 0 => "0 (the log is empty)".to_owned(),
                "s_checksum" => hex_number(sb.s_checksum.get()),
                _ => field.value,
            };
            self.add(index(field.offset), index(field.len), field.name, value);
        }
        if let Err(error) = sb.verify() {
            self.damage(0, error);
        }
        title
    }

    fn journal_log(&mut self, lblk: Lblk, ctx: &DecodeCtx) -> String {
        let Ok(header) = BlockHeader::parse(self.bytes) else {
            self.plain();
            return format!("Journal block {lblk}: data, or not used yet");
        };
        self.add(0, 4, "h_magic", hex_number(journal::MAGIC));
        self.add(4, 4, "h_blocktype", format!("{:?}", header.kind));
        self.add(8, 4, "h_sequence", header.sequence.to_string());
        match header.kind {
            BlockType::Descriptor => self.journal_tags(ctx),
            BlockType::Revoke => self.journal_revoke(ctx),
            BlockType::Commit => self.journal_commit(ctx),
            BlockType::SuperblockV1 | BlockType::SuperblockV2 => {}
        }
        format!("Journal block {lblk}: {:?} of transaction {}", header.kind, header.sequence)
    }

    fn journal_tags(&mut self, ctx: &DecodeCtx) {
        let format = ctx.tag_format;
        let tags: Vec<_> = journal::tags(self.bytes, format).collect();
        for (n, (at, tag)) in tags.into_iter().enumerate() {
            let names: Vec<&str> = tag.flags.iter_names().map(|(name, _)| name).collect();
            let value = format!("block {}, checksum {:#x}, {}", tag.block, tag.checksum, names.join(" "));
            self.add(at, format.tag_size(), format!("tag {n}"), value);
            if !tag.flags.contains(TagFlags::SAME_UUID) {
                let uuid_at = at + format.tag_size();
                if let Some(Ok(bytes)) = self.bytes.get(uuid_at..uuid_at + 16).map(<&[u8; 16]>::try_from) {
                    self.add(uuid_at, 16, "uuid", uuid(bytes));
                }
            }
        }
        self.journal_tail(ctx);
    }

    fn journal_revoke(&mut self, ctx: &DecodeCtx) {
        let size = ctx.tag_format.revoke_size();
        let count = self.bytes.get(12..16).map_or(0, |b| b.iter().fold(0_u32, |n, &b| n << 8 | u32::from(b)));
        self.add(12, 4, "r_count", count.to_string());
        let blocks: Vec<_> = journal::revoked(self.bytes, ctx.tag_format).collect();
        for (n, block) in blocks.into_iter().enumerate() {
            self.add(16 + size * n, size, "revoked", format!("block {block}"));
        }
        self.journal_tail(ctx);
    }

    fn journal_commit(&mut self, ctx: &DecodeCtx) {
        let commit = match journal::Commit::parse(self.bytes) {
            Ok(commit) => commit,
            Err(error) => return self.damage(12, error),
        };
        self.add(12, 1, "h_chksum_type", commit.chksum_type.to_string());
        self.add(13, 1, "h_chksum_size", commit.chksum_size.to_string());
        let at = journal::Commit::CHECKSUM_AT;
        self.journal_checksum(at, "h_chksum", ctx);
        self.add(48, 8, "h_commit_sec", date(i64::try_from(commit.commit_sec).unwrap_or(i64::MAX)));
        self.add(56, 4, "h_commit_nsec", commit.commit_nsec.to_string());
    }

    fn journal_tail(&mut self, ctx: &DecodeCtx) {
        self.journal_checksum(ctx.tag_format.usable_len(self.bytes.len()), "t_checksum", ctx);
    }

    fn journal_checksum(&mut self, at: usize, name: &'static str, ctx: &DecodeCtx) {
        let word = self.bytes.get(at..at.saturating_add(4));
        if let Some(word) = word.filter(|word| word.len() == 4 && ctx.tag_format.has_tail()) {
            let found = word.iter().fold(0, |n, &b| n << 8 | u32::from(b));
            let note = ctx.checksum_note(journal::verify_checksum(self.bytes, at, ctx.journal_seed));
            self.add(at, 4, name, hex_number(found) + &note);
        }
    }

    /// Block numbers, those in sequence as one field.
    fn pointers(&mut self) {
        let words: Vec<u32> = self.bytes.chunks_exact(4).map(|word| le32(word, 0)).collect();
        let mut n = 0;
        while n < words.len() {
            let first = words[n];
            let follows = |k: usize, word: u32| match first {
                0 => word == 0,
                _ => u32::try_from(k).ok().and_then(|k| first.checked_add(k)) == Some(word),
            };
            let len = words[n..].iter().enumerate().take_while(|&(k, &word)| follows(k, word)).count();
            if first != 0 {
                let (last, high) = (n + len - 1, words[n + len - 1]);
                let (name, value) = if len == 1 {
                    (format!("pointer {n}"), first.to_string())
                } else {
                    (format!("pointers {n}-{last}"), format!("{first}-{high}"))
                };
                self.add(4 * n, 4 * len, name, value);
            }
            n += len;
        }
        if self.fields.is_empty() {
            self.add(0, self.bytes.len(), "pointers", "none".to_owned());
        }
    }

    /// Bytes without structure.
    fn plain(&mut self) {
        let used = self.bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        if used == 0 {
            self.add(0, self.bytes.len(), "bytes", "all zero".to_owned());
            return;
        }
        let shown = used.min(64);
        self.add(0, shown, "bytes", hex(&self.bytes[..shown]));
        self.add(0, used, "length", format!("zeros from byte {used} on"));
    }
}

/// A superblock field's value in words, where there are better ones than the number.
fn superblock_value(sb: &Superblock, field: &Field, ctx: &DecodeCtx) -> String {
    let low = |number: zerocopy::little_endian::U32| date(number.get().into());
    match &*field.name {
        "s_magic" => hex_number(sb.s_magic.get().into()),
        "s_feature_compat" => named(sb.s_feature_compat.get(), &sb.compat().names()),
        "s_feature_incompat" => named(sb.s_feature_incompat.get(), &sb.incompat().names()),
        "s_feature_ro_compat" => named(sb.s_feature_ro_compat.get(), &sb.ro_compat().names()),
        "s_uuid" => uuid(&sb.s_uuid),
        "s_journal_uuid" => uuid(&sb.s_journal_uuid),
        "s_hash_seed" => {
            let mut bytes = [0; 16];
            for (slot, word) in bytes.chunks_exact_mut(4).zip(&sb.s_hash_seed) {
                slot.copy_from_slice(&word.to_bytes());
            }
            uuid(&bytes)
        }
        "s_log_block_size" => format!("{} ({} bytes)", sb.s_log_block_size, sb.block_size()),
        "s_state" => {
            let names = [(1, "clean"), (2, "errors"), (4, "orphans")];
            let set = names.iter().filter(|(bit, _)| sb.s_state.get() & bit != 0);
            named(sb.s_state.get().into(), &set.map(|(_, name)| (*name).to_owned()).collect::<Vec<_>>())
        }
        "s_mtime" => low(sb.s_mtime),
        "s_wtime" => low(sb.s_wtime),
        "s_lastcheck" => low(sb.s_lastcheck),
        "s_mkfs_time" => low(sb.s_mkfs_time),
        "s_checksum_seed" => hex_number(sb.s_checksum_seed.get()),
        "s_checksum" => hex_number(sb.s_checksum.get()) + &ctx.checksum_note(sb.verify_checksum()),
        _ => field.value.clone(),
    }
}

/// An inode field's value in words, where there are better ones than the number.
fn inode_value(inode: &Inode, field: &Field, checksum_note: &str) -> String {
    let time = |time: inode::Timestamp| format!("{} + {} ns", date(time.secs), time.nanos);
    match &*field.name {
        "i_mode" => format!("{:#o} {:?}", inode.i_mode.get(), inode.kind()),
        "i_flags" => {
            let names: Vec<String> = inode.flags().iter_names().map(|(name, _)| name.to_owned()).collect();
            named(inode.i_flags.get(), &names)
        }
        "i_size_lo" => format!("{} (size {})", inode.i_size_lo, inode.size()),
        "i_blocks_lo" => format!("{} (blocks {})", inode.i_blocks_lo, inode.blocks()),
        "i_atime" => time(inode.atime()),
        "i_ctime" => time(inode.ctime()),
        "i_mtime" => time(inode.mtime()),
        "i_crtime" => time(inode.crtime()),
        "i_checksum_lo" => hex_number(inode.i_checksum_lo.get().into()) + checksum_note,
        "i_checksum_hi" => hex_number(inode.i_checksum_hi.get().into()),
        "i_rest" if le16(&inode.i_rest, 2) == 0xea02 => format!("attributes: {}", hex(&inode.i_rest)),
        _ => field.value.clone(),
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(951_868_799), "951868799 (2000-02-29 23:59:59 UTC)");
        assert_eq!(date(-1), "-1 (1969-12-31 23:59:59 UTC)");
        assert_eq!(date(1 << 33), "8589934592 (2242-03-16 12:56:32 UTC)");
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
