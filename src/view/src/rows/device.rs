//! The block device: its regions, requests in flight, and one block decoded.

use std::collections::BTreeMap;
use std::rc::Rc;

use ondisk::decode::{BlockKind, DecodeCtx, classify, classify_all, decode_block};
use ondisk::layout::superblock::Superblock;
use ondisk::{Ino, Pblk};
use world::{Bio, BioId, Change, Counter, Event, InodeId, PAGE_SIZE, PageId, UnitId, World};

use crate::frame::{BioRow, BioState, BlockField, BlockView, Disk, Fact, Region, RegionKind};
use crate::moment::{Moment, count, number, span};
use crate::rows::ext4::{block_bytes, block_size, cached_block, device_block, extents, inode_extents};
use crate::text::{self, word};

/// Data regions shown at most.
const DATA_REGIONS: usize = 24;

/// What of a device's layout never changes while it is mounted.
#[derive(Debug, Default)]
pub struct Layout {
    ctx: Option<DecodeCtx>,
    /// Metadata by place: first block, blocks, name.
    fixed: Vec<(u64, u64, String)>,
    /// The journal's blocks.
    journal: Vec<(u64, u64)>,
}

impl Layout {
    /// Reads superblock, descriptors and the journal's place.
    #[must_use]
    pub fn read(w: &World) -> Self {
        let Some(superblock) = superblock(w) else { return Layout::default() };
        let reader = |block: Pblk| block_bytes(w, block.0);
        let ctx = DecodeCtx::new(superblock, &reader);
        let mut layout = Layout { fixed: fixed(&ctx, w), ..Layout::default() };
        let inode = ctx.inode(Ino(ctx.superblock.s_journal_inum.get()), &reader);
        let found = inode.and_then(|inode| extents(w, &inode.i_block));
        for extent in found.iter().flat_map(|(extents, _)| extents) {
            layout.journal.push((extent.start.0, u64::from(extent.len)));
        }
        layout.ctx = Some(ctx);
        layout
    }

    /// What stands in a block, in words, as far as its place tells: `block bitmap of group 0`.
    #[must_use]
    pub fn name(&self, block: u64) -> String {
        let kind = self.ctx.as_ref().and_then(|ctx| classify(Pblk(block), ctx));
        match kind {
            Some(BlockKind::Superblock { .. }) => tr!("superblock"),
            Some(BlockKind::GroupDescriptors { .. }) => tr!("group descriptors"),
            Some(BlockKind::BlockBitmap { group }) => tr!("block bitmap {}", group.0),
            Some(BlockKind::InodeBitmap { group }) => tr!("inode bitmap {}", group.0),
            Some(BlockKind::InodeTable { .. }) => tr!("inode table {}", block),
            _ => tr!("block {}", block),
        }
    }
}

/// The superblock as the kernel has it: the cached copy, else the device's.
fn superblock(w: &World) -> Option<Superblock> {
    let page = w.find_page(InodeId::BDEV, 0).filter(|page| {
        w.pages.at(*page).flags.contains(world::PageFlags::UPTODATE)
            || w.page_bhs(*page)
                .any(|bh| w.bhs.at(bh).flags.contains(world::BhFlags::UPTODATE) && w.bhs.at(bh).offset <= 1024)
    });
    let cached = page.and_then(|page| Superblock::parse(&w.page_bytes(page)[1024..2048]).ok());
    let valid = |sb: &Superblock| sb.check_magic().is_ok();
    cached.filter(valid).or_else(|| {
        let unit = w.device.get(UnitId(0))?.as_ref()?;
        Superblock::parse(&unit[1024..2048]).ok().filter(valid)
    })
}

fn fixed(ctx: &DecodeCtx, w: &World) -> Vec<(u64, u64, String)> {
    let blocks = w.sb().blocks.max(ctx.superblock.blocks_count());
    let mut runs: Vec<(u64, u64, String)> = Vec::new();
    let mut add = |from: u64, len: u64| match runs.last_mut() {
        Some(last) if last.0 + last.1 >= from => last.1 = last.1.max(from + len - last.0),
        _ => runs.push((from, len, String::new())),
    };
    let mut places: Vec<(u64, u64)> = Vec::new();
    let sb = &ctx.superblock;
    let first = sb.superblock_block().0;
    let head = 1 + u64::from(sb.desc_blocks()) + u64::from(sb.s_reserved_gdt_blocks.get());
    places.push((0, first + head));
    for (group, desc) in (0..).map(ondisk::Group).zip(&ctx.descs) {
        if group.0 > 0 && sb.group_has_super(group) {
            places.push((sb.group_first_block(group).0, head));
        }
        places.push((desc.block_bitmap().0, 1));
        places.push((desc.inode_bitmap().0, 1));
        places.push((desc.inode_table().0, u64::from(sb.inode_table_blocks())));
    }
    places.sort_unstable();
    for (from, len) in places.into_iter().filter(|(from, _)| *from < blocks) {
        add(from, len.min(blocks - from));
    }
    runs
}

/// Device blocks that the step wrote.
fn written(m: &Moment) -> Vec<u64> {
    let size = block_size(m.w);
    let per_unit = (PAGE_SIZE / size).max(1);
    let mut blocks = Vec::new();
    for change in &m.changes {
        let Change::device(unit, old) = change else { continue };
        for n in 0..per_unit {
            let block = u64::from(unit.0) * PAGE_SIZE / size + n;
            let from = (n * size) as usize;
            let to = (from + size as usize).min(4096);
            let zeros = [0; 4096];
            let old = old.as_ref().map_or(&zeros[from..to], |old| &old[from..to]);
            if device_block(m.w, block) != old {
                blocks.push(block);
            }
        }
    }
    blocks
}

/// The device as one bar.
#[must_use]
pub fn disk(m: &Moment, layout: &Layout, inode: Option<InodeId>) -> Disk {
    let size = block_size(m.w);
    let blocks = match m.w.sb().blocks {
        0 => m.w.device.len() as u64 * PAGE_SIZE / size,
        blocks => blocks,
    };
    let written = written(m);
    let changed = |from: u64, len: u64| written.iter().any(|block| (from..from + len).contains(block));
    let mut regions = Vec::new();
    let table = inode.and_then(|inode| inode_block(m.w, layout, inode));
    for (from, len, _) in &layout.fixed {
        let text = match table {
            Some(block) if (*from..from + len).contains(&block) => tr!("inode table {}", block),
            _ => tr!("metadata"),
        };
        regions.push(Region {
            from: *from,
            len: *len,
            kind: RegionKind::Metadata,
            text,
            changed: changed(*from, *len),
        });
    }
    for &(from, len) in &layout.journal {
        let text = tr!("journal");
        regions.push(Region { from, len, kind: RegionKind::Journal, text, changed: changed(from, len) });
    }
    if let Some((extents, nodes)) = inode.and_then(|inode| inode_extents(m.w, inode)) {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut starts: Vec<(u64, u64)> = extents.iter().map(|e| (e.start.0, u64::from(e.len))).collect();
        starts.sort_unstable();
        for (from, len) in starts {
            let full = runs.len() >= DATA_REGIONS;
            match runs.last_mut() {
                Some(last) if last.0 + last.1 == from || full => last.1 = from + len - last.0,
                _ => runs.push((from, len)),
            }
        }
        for (from, len) in runs {
            let text = span(from, from + len);
            regions.push(Region { from, len, kind: RegionKind::Data, text, changed: changed(from, len) });
        }
        for node in nodes {
            let text = tr!("{} leaf", node);
            regions.push(Region { from: node, len: 1, kind: RegionKind::Leaf, text, changed: changed(node, 1) });
        }
    }
    regions.sort_by_key(|region| (region.from, region.len));
    let bios = bios(m, layout, inode, size);
    let facts = facts(m, &bios, written.len() as u64, size);
    let label = tr!("Device of {} of {} bytes; {}.", count(blocks, "block"), size, facts[0].text);
    Disk {
        facts,
        active: on_device(m),
        blocks,
        block_size: u32::try_from(size).unwrap_or(4096),
        regions: regions.into_iter().map(Rc::new).collect(),
        bios,
        label,
    }
}

/// True if a page that the call wrote is on the device by now.
fn on_device(m: &Moment) -> bool {
    use world::{BhFlags, PageFlags};
    m.kept_pages().iter().any(|&id| {
        let flags = m.w.pages.at(id).flags;
        let clean = flags.contains(PageFlags::UPTODATE)
            && !flags.intersects(PageFlags::DIRTY | PageFlags::WRITEBACK | PageFlags::LOCKED);
        clean
            && m.w.page_bhs(id).any(|bh| {
                let flags = m.w.bhs.at(bh).flags;
                flags.contains(BhFlags::MAPPED) && !flags.intersects(BhFlags::DELAY | BhFlags::DIRTY)
            })
    })
}

/// A request's first and last page: of the one in flight, or of the one that the step completed.
fn bio_pages(m: &Moment, id: BioId, bio: &Bio, done: bool) -> Option<(PageId, PageId)> {
    let vec = |n: u16| {
        let gone = || {
            m.changes.iter().find_map(|change| match change {
                Change::bio_vecs(key, old) if *key == (id, n) => *old,
                _ => None,
            })
        };
        if done { gone() } else { m.w.bio_vecs.get((id, n)) }
    };
    Some((vec(0)?.page, vec(bio.nr_vecs.checked_sub(1)?)?.page))
}

/// The requests under way, in the order in which they will end, after those that the step completed.
fn bios(m: &Moment, layout: &Layout, inode: Option<InodeId>, size: u64) -> Vec<Rc<BioRow>> {
    let old = |id: BioId| {
        m.changes.iter().find_map(|change| match change {
            Change::bios(changed, old) if *changed == id => Some(*old),
            _ => None,
        })
    };
    let depth = match m.w.counter(Counter::DeviceQueueDepth) {
        0 => usize::MAX,
        depth => usize::try_from(depth).unwrap_or(usize::MAX),
    };
    let row = |id: BioId, bio: &Bio, state: BioState, changed: bool| {
        let from = bio.sector * 512 / size;
        let len = u64::from(bio.len).div_ceil(size);
        let pages = bio_pages(m, id, bio, state == BioState::Done);
        let index = |page: PageId| m.w.pages.get(page).map_or(0, |page| u64::from(page.index));
        let ours = pages.filter(|(first, _)| m.w.pages.get(*first).map(|page| page.mapping) == inode);
        let pages = ours.map(|(first, last)| (index(first), index(last) + 1 - index(first)));
        let what = match pages {
            Some((first, 1)) => tr!("page {}", number(first)),
            Some((first, len)) => tr!("pages {}", span(first, first + len)),
            None if bio.inode == InodeId::BDEV => layout.name(from),
            None => m.w.inodes.get(bio.inode).map_or_else(String::new, |inode| tr!("inode {}", inode.ino)),
        };
        let verb = word(if bio.write { "write" } else { "read" });
        let text = format!("{verb} {}, {what}, {}", span(from, from + len), state.name());
        Rc::new(BioRow { from, len, pages, write: bio.write, state, text, changed })
    };
    let mut rows = Vec::new();
    for change in &m.changes {
        if let Change::bios(id, was) = change
            && was.used
            && m.w.bios.at(*id) != was
        {
            rows.push(row(*id, was, BioState::Done, true));
        }
    }
    let ends = m.w.events.entries().values().filter_map(|event| match event {
        Event::BioEnd(id) => Some(*id),
        _ => None,
    });
    // With each that has ended one more goes from the queue to the device.
    let moved_up = rows.len();
    for (n, id) in ends.enumerate() {
        let bio = m.w.bios.at(id);
        let new = old(id).is_some_and(|old| old != *bio);
        let state = if n < depth { BioState::InDevice } else { BioState::Queued };
        rows.push(row(id, bio, state, new || (n < depth && n + moved_up >= depth)));
    }
    rows
}

fn facts(m: &Moment, bios: &[Rc<BioRow>], written: u64, size: u64) -> Vec<Fact> {
    let at = |state: BioState| bios.iter().filter(|bio| bio.state == state).count() as u64;
    let flying = || bios.iter().filter(|bio| bio.state != BioState::Done);
    let writes = flying().filter(|bio| bio.write).count() as u64;
    let reads = flying().count() as u64 - writes;
    let moved = m.changes.iter().any(|change| matches!(change, Change::bios(..)));
    let flight = match (reads, writes) {
        (0, 0) => tr!("nothing in flight"),
        (0, writes) => tr!("{} in flight", count(writes, "write")),
        (reads, 0) => tr!("{} in flight", count(reads, "read")),
        (reads, writes) => tr!("{} and {} in flight", count(reads, "read"), count(writes, "write")),
    };
    let mut facts = vec![Fact { text: flight, changed: moved }];
    let depth = m.w.counter(Counter::DeviceQueueDepth);
    if depth > 0 && m.w.counter(Counter::DeviceLatency) > 0 {
        let waiting = at(BioState::Queued);
        let inside = number(at(BioState::InDevice));
        let text = match waiting {
            0 => tr!("device {} of {}", inside, number(depth)),
            waiting => tr!("device {} of {}, {} queued", inside, number(depth), number(waiting)),
        };
        facts.push(Fact { text, changed: moved });
    }
    let read = m.grew(Counter::DeviceBytesRead) / size;
    if read > 0 {
        facts.push(Fact { text: tr!("{} read", count(read, "block")), changed: true });
    }
    if written > 0 {
        facts.push(Fact { text: tr!("{} written", count(written, "block")), changed: true });
    }
    facts
}

/// The block of the inode table that holds an inode.
fn inode_block(w: &World, layout: &Layout, inode: InodeId) -> Option<u64> {
    let ctx = layout.ctx.as_ref()?;
    let (group, slot) = ctx.superblock.group_of_inode(Ino(w.inodes.get(inode)?.ino))?;
    let desc = ctx.descs.get(group.0 as usize)?;
    let byte = u64::from(slot) * u64::from(ctx.superblock.inode_size());
    Some(desc.inode_table().0 + byte / u64::from(ctx.superblock.block_size()))
}

/// A region of the file system by block: what each block in use holds.
#[must_use]
pub fn kinds(w: &World) -> Option<(DecodeCtx, BTreeMap<Pblk, BlockKind>)> {
    let reader = |block: Pblk| block_bytes(w, block.0);
    let ctx = DecodeCtx::new(superblock(w)?, &reader);
    let kinds = classify_all(&ctx, &reader);
    Some((ctx, kinds))
}

/// One block, decoded; `None` if the device ends before it.
#[must_use]
pub fn block(m: &Moment, known: Option<&(DecodeCtx, BTreeMap<Pblk, BlockKind>)>, block: u64) -> Option<BlockView> {
    let size = block_size(m.w);
    let end = (m.w.device.len() as u64 * PAGE_SIZE / size).max(m.w.sb().blocks);
    if block >= end {
        return None;
    }
    let device = device_block(m.w, block);
    let cached = cached_block(m.w, block);
    let bytes = cached.clone().unwrap_or_else(|| device.clone());
    let mut note = match &cached {
        Some(cached) if *cached != device => tr!("the cached copy, newer than the device's"),
        Some(_) => tr!("cached, and the same on the device"),
        None => String::new(),
    };
    let changed = ranges(&before(m, block, size, cached.is_some()), &bytes);
    let decoded = known.map(|(ctx, kinds)| {
        let kind = kinds.get(&Pblk(block)).copied().unwrap_or(BlockKind::Plain);
        decode_block(kind, &bytes, ctx)
    });
    let (title, fields) = match decoded {
        Some(decoded) => (text::decoded(&decoded.title), decoded.fields),
        None => (tr!("Block {}", number(block)), Vec::new()),
    };
    if fields.iter().any(|field| field.name == "damage") {
        note = if note.is_empty() { tr!("damaged") } else { tr!("{}; damaged", note) };
    }
    let fields = fields.into_iter().map(|field| {
        let touched = changed.iter().any(|(from, to)| field.offset < *to && field.offset + field.len > *from);
        Rc::new(BlockField {
            offset: field.offset,
            len: field.len,
            name: text::decoded(&field.name),
            // A fault is told in the words of the layer that found it.
            value: if field.name == "damage" { text::message(&field.value) } else { text::decoded(&field.value) },
            changed: touched,
        })
    });
    Some(BlockView { block, last: end - 1, title, note, fields: fields.collect(), bytes: Rc::new(bytes), changed })
}

/// The block's bytes before the step, of the copy that is shown.
fn before(m: &Moment, block: u64, size: u64, cached: bool) -> Vec<u8> {
    let at = block * size;
    let from = (at % PAGE_SIZE) as usize;
    let part = from..from + size as usize;
    let index = u32::try_from(at / PAGE_SIZE).unwrap_or(u32::MAX);
    if cached && let Some(page) = m.w.find_page(InodeId::BDEV, index) {
        let content = m.w.pages.at(page).content;
        return match m.bytes_before(content) {
            Some(old) => old[part].to_vec(),
            None => m.w.contents.get(content)[part].to_vec(),
        };
    }
    let old = m.changes.iter().find_map(|change| match change {
        Change::device(unit, old) if unit.0 == index => Some(old.clone()),
        _ => None,
    });
    match old {
        Some(Some(old)) => old[part].to_vec(),
        Some(None) => vec![0; size as usize],
        None => device_block(m.w, block),
    }
}

/// What a fault of the device is about, in words.
#[must_use]
pub fn fault_words(fault: world::DeviceFault) -> String {
    let of = match fault.of {
        world::FaultOf::Any => "",
        world::FaultOf::Data => " of data",
        world::FaultOf::Metadata => " of metadata",
    };
    let what = if fault.write { "writes" } else { "reads" };
    let times = if fault.times == u32::MAX { tr!("all") } else { number(u64::from(fault.times)) };
    let skip = if fault.skip == 0 { String::new() } else { tr!(" after {}", number(u64::from(fault.skip))) };
    let place = if fault.last == u64::MAX {
        String::new()
    } else {
        tr!(" at sectors {}", span(fault.first, fault.last.saturating_add(1)))
    };
    tr!("{} {}{}{}{}", times, what, of, skip, place)
}

/// Where two equally long runs of bytes differ.
#[must_use]
pub fn ranges(old: &[u8], new: &[u8]) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (at, (old, new)) in (0u32..).zip(old.iter().zip(new)) {
        if old == new {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.1 == at => last.1 = at + 1,
            _ => ranges.push((at, at + 1)),
        }
    }
    ranges
}
