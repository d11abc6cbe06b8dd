//! One block as a list of fields.

use super::{BlockKind, DecodeCtx, Decoded, Owner};
use crate::ids::{Group, Ino, Lblk};
use crate::layout::extent::{self, Extent, Index};
use crate::layout::group_desc::{GroupDesc, GroupFlags};
use crate::layout::inode::{self, FileKind, Inode, InodeFlags};
use crate::layout::journal::{self, BlockHeader, BlockType, JournalSuperblock, TagFlags};
use crate::layout::superblock::Superblock;
use crate::layout::{Field, LayoutError, bitmap, dir, hex, htree, index, le32, xattr};

/// Most runs of a bitmap that are shown one by one.
const RUNS_MAX: usize = 64;

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
            if field.name == "i_rest" && xattr::has_list(slot) {
                self.attributes(at, slot);
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

    /// The attributes in the inode's slot, which starts at `at`.
    fn attributes(&mut self, at: usize, slot: &[u8]) {
        self.add(at + xattr::header_at(slot), 4, "attributes", hex_number(xattr::MAGIC));
        for attribute in xattr::attributes(slot) {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => return self.damage(at + xattr::header_at(slot), error),
            };
            let space = match attribute.name_index {
                xattr::INDEX_USER => "user".to_owned(),
                xattr::INDEX_SECURITY => "security".to_owned(),
                xattr::INDEX_SYSTEM => "system".to_owned(),
                other => other.to_string(),
            };
            let name = format!("{space}.{}", String::from_utf8_lossy(attribute.name));
            self.add(at + attribute.offset, attribute.entry_len(), "attribute", name.clone());
            if !attribute.value.is_empty() {
                self.add(at + attribute.value_at, attribute.value.len(), name, hex(attribute.value));
            }
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
            ("unused entry", format!("{} bytes", entry.rec_len))
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
        _ => field.value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(951_868_799), "951868799 (2000-02-29 23:59:59 UTC)");
        assert_eq!(date(-1), "-1 (1969-12-31 23:59:59 UTC)");
        assert_eq!(date(1 << 33), "8589934592 (2242-03-16 12:56:32 UTC)");
    }
}
