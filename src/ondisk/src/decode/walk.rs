//! What each block of an image is: by its place, or by the inode that has it.

use std::collections::BTreeMap;

use super::{BLOCKS_MAX, BlockKind, DecodeCtx, Owner, Reader};
use crate::ids::{Group, Ino, Lblk, Pblk};
use crate::layout::extent::{self, Extent, Index};
use crate::layout::group_desc::{GroupDesc, GroupFlags};
use crate::layout::inode::{self, FileKind, Inode, InodeFlags};
use crate::layout::{bitmap, index, le32};

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
pub(super) struct Walk<'a> {
    ctx: &'a DecodeCtx,
    reader: Reader<'a>,
    /// Blocks that may still be looked at.
    left: usize,
    pub(super) found: BTreeMap<Pblk, BlockKind>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(ctx: &'a DecodeCtx, reader: Reader<'a>, most: usize) -> Self {
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
    pub(super) fn inode(&mut self, ino: Ino, inode: &Inode) {
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
