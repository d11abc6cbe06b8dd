//! One byte's trail: where it came from, and where else it is now. Asked for a byte at a time.
//!
//! All of it is read off the World and the marks that the index keeps of each change of a page's bytes. A byte on the
//! device is traced to the request that brought it: to the cached bytes as they were when that was submitted.

use kernel::iov_iter::iter_of;
use kernel::mm::memory::present;
use kernel::site;
use world::{BhFlags, BhId, BioId, BufferHead, ContentId, History, InodeId, PAGE_SIZE, PageFlags, PageId, World};

use crate::frame::BioState;
use crate::index::{Index, Mark, Origin, site_function};
use crate::moment::{Moment, local, number, span, stack_of};
use crate::program::Program;
use crate::rows::device::{self, Layout};
use crate::rows::ext4::{block_size, device_block, inode_extents};
use crate::rows::user;
use crate::text::word;

/// Sources of a request told apart at most.
const SOURCES: usize = 2;

/// A byte on the screen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spot {
    /// Of the iovec, as [`UserMemory`](crate::frame::UserMemory) counts.
    User(u64),
    /// Of a page of the file on screen: index, byte.
    Page(u64, u32),
    /// The bytes of a request, by its place in [`Disk::bios`](crate::frame::Disk::bios).
    Bio(usize),
    /// Of the device: block, byte.
    Device(u64, u32),
}

/// What there is to say of a byte: a title, and at most five lines below it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trail {
    /// Which byte: `page 0, byte 999`.
    pub title: String,
    /// Its value in hex; `??` where it cannot be read, empty for more than one.
    pub value: String,
    /// What the line is about, and what it says: `from`, `b0+999, segment 0 of pwritev #1, copied at 60`.
    pub lines: Vec<(&'static str, String)>,
}

impl Trail {
    /// All of it in one line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.title.clone();
        if !self.value.is_empty() {
            text.push_str(" = ");
            text.push_str(&self.value);
        }
        for (name, says) in &self.lines {
            text.push_str(&format!(" · {name}: {says}"));
        }
        text
    }
}

/// Where a byte came from, before it is known which call that was.
#[derive(Clone, Copy)]
enum Source {
    /// A change of a cached page, and the byte in the page.
    Mark(Mark, u32),
    /// Cached since before the run.
    Before,
    /// Not in memory at all.
    Unread,
    /// Of the device, written by a request that was submitted at a step.
    Sent(u64, u32, u32),
}

/// The trail of a byte at a step; `None` if there is no such byte. The World is left anywhere.
pub fn trail(
    w: &mut World,
    h: &mut History,
    (index, program, layout): (&Index, &Program, &Layout),
    step: u32,
    spot: Spot,
) -> Option<Trail> {
    h.seek(w, step);
    let (mut trail, sources) = at_rest(&Moment::new(w, h, index, program, step), layout, spot)?;
    let mut from: Vec<String> = sources.iter().map(|source| said(w, h, index, program, step, *source)).collect();
    from.dedup();
    trail.lines.splice(0..0, from.into_iter().map(|from| (word("from"), from)));
    Some(trail)
}

/// What the World says of it at the step.
fn at_rest(m: &Moment, layout: &Layout, spot: Spot) -> Option<(Trail, Vec<Source>)> {
    match spot {
        Spot::User(byte) => of_user(m, byte).map(|trail| (trail, Vec::new())),
        Spot::Page(index, byte) => {
            let id = m.w.find_page(m.inode()?, u32::try_from(index).ok()?)?;
            let mut trail = of_page(m, id, byte)?;
            trail.lines.remove(0);
            Some((trail, vec![source_in_cache(m, id, byte)]))
        }
        Spot::Bio(n) => of_bio(m, layout, n),
        Spot::Device(block, byte) => of_device(m, layout, block, byte),
    }
}

fn hex(byte: u8) -> String {
    format!("{byte:02x}")
}

/// A byte of the write under way.
fn of_user(m: &Moment, byte: u64) -> Option<Trail> {
    let user::Writing { task, iter } = user::writing(m)?;
    let id = iter_of(task);
    let first = user::first_segment(&iter);
    let mut begin = 0;
    let (n, piece) = (first..iter.total_segs).find_map(|n| {
        let piece = m.w.iovecs.get((id, n))?;
        begin += piece.len;
        (byte < begin).then_some((n, piece))
    })?;
    let address = piece.base.wrapping_add(byte + piece.len - begin);
    let process = m.w.tasks.get(task).map_or(0, |task| task.process);
    let value = present(m.w, process, address);
    let value = value.map_or("??".to_owned(), |content| hex(m.w.contents.get(content)[(address % PAGE_SIZE) as usize]));
    let title = tr!("{}, segment {}", m.address(address), n);
    let mut trail = Trail { title, value, lines: Vec::new() };
    // The loop knows where in the file the call's first byte goes.
    let calls = stack_of(m.h, m.w.stacks.get(task).map_or(0, |stack| stack.frame));
    let looped = calls.into_iter().find(|call| call.function.id == site::GENERIC_PERFORM_WRITE.id);
    let value_of = |name: &str| local(m.w, task, looped?, name);
    let Some(start) = value_of("pos").map(|pos| pos.saturating_sub(value_of("written").unwrap_or(0))) else {
        trail.lines.push((word("to"), tr!("not copied yet")));
        return Some(trail);
    };
    let before: u64 = (0..first).filter_map(|n| m.w.iovecs.get((id, n))).map(|piece| piece.len).sum();
    let at = start + before + byte;
    let (index, off) = (at / PAGE_SIZE, u32::try_from(at % PAGE_SIZE).unwrap_or(0));
    let place = tr!("page {}, byte {}", number(index), off);
    let page = m.inode().and_then(|inode| m.w.find_page(inode, u32::try_from(index).ok()?));
    let copied = page.and_then(|id| match source_in_cache(m, id, off) {
        Source::Mark(mark @ Mark { origin: Origin::Copy { address: from, refused }, .. }, _) => {
            let same = from + u64::from(off).saturating_sub(mark.from.into()) == address;
            (same && mark.step >= m.index.call_start(m.step)).then_some((mark.step, refused))
        }
        _ => None,
    });
    match (copied, page) {
        (Some((copied, refused)), _) if refused <= m.step => {
            let says = tr!("{}, copied at {}", place, copied);
            trail.lines.push((word("to"), tr!("{}, refused at {}", says, refused)));
        }
        (Some((copied, _)), Some(id)) => {
            trail.lines.push((word("to"), tr!("{}, copied at {}", place, copied)));
            trail.lines.extend(of_page(m, id, off).into_iter().flat_map(|page| page.lines).skip(1));
        }
        _ => trail.lines.push((word("to"), tr!("{}, not copied yet", place))),
    }
    Some(trail)
}

/// The buffer head around a byte of a page.
fn head_at(m: &Moment, id: PageId, byte: u32) -> Option<(BhId, BufferHead)> {
    m.w.page_bhs(id).find_map(|bh| {
        let head = *m.w.bhs.at(bh);
        let from = u32::from(head.offset);
        (from..from + u32::from(head.size)).contains(&byte).then_some((bh, head))
    })
}

/// A byte of a cached page: where it is in memory, on its way, on the device, in the journal.
fn of_page(m: &Moment, id: PageId, byte: u32) -> Option<Trail> {
    let page = m.w.pages.get(id)?;
    let value = *m.w.contents.get(page.content).get(usize::try_from(byte).ok()?)?;
    let head = head_at(m, id, byte).map(|(_, head)| head);
    let known = !matches!(source_in_cache(m, id, byte), Source::Unread);
    let title = tr!("{}, byte {}", m.page_name(id), byte);
    let state = crate::rows::cache::state(page).name();
    let flying = m.w.events.entries().values().find_map(|event| match event {
        world::Event::BioEnd(bio) => carries(m, *bio, id, byte),
        _ => None,
    });
    let on_disk = match head {
        Some(head) if head.flags.contains(BhFlags::MAPPED) && !head.flags.contains(BhFlags::DELAY) => {
            on_device(m, head.blocknr, byte - u32::from(head.offset), value, head.flags.contains(BhFlags::UNWRITTEN))
        }
        Some(head) if head.flags.contains(BhFlags::DELAY) => tr!("delayed: no block yet"),
        _ => match block_in_tree(m, page.mapping, page.index, byte) {
            Some((block, byte)) => on_device(m, block, byte, value, false),
            None => tr!("no block"),
        },
    };
    let tid = head.map_or(0, |head| head.tid);
    Some(Trail {
        value: if known { hex(value) } else { "??".to_owned() },
        lines: vec![
            (word("cached"), tr!("{}, {}", title, state)),
            (word("in flight"), flying.unwrap_or_else(|| tr!("none"))),
            (word("on disk"), on_disk),
            (word("journal"), if tid > 0 { tr!("transaction {}", tid) } else { tr!("none") }),
        ],
        title,
    })
}

/// A request that carries a byte of a page, in words.
fn carries(m: &Moment, id: BioId, page: PageId, byte: u32) -> Option<String> {
    let bio = m.w.bios.get(id)?;
    let mut at = bio.sector * 512;
    for n in 0..bio.nr_vecs {
        let vec = m.w.bio_vecs.get((id, n))?;
        if vec.page == page && (vec.offset..vec.offset + vec.len).contains(&byte) {
            let block = (at + u64::from(byte - vec.offset)) / block_size(m.w);
            let verb = word(if bio.write { "write" } else { "read" });
            return Some(tr!("{} of block {}", verb, number(block)));
        }
        at += u64::from(vec.len);
    }
    None
}

/// What the device holds there, beside the value in memory.
fn on_device(m: &Moment, block: u64, byte: u32, value: u8, unwritten: bool) -> String {
    let place = tr!("block {}, byte {}", number(block), byte);
    let there = device_block(m.w, block).get(byte as usize).copied();
    match there {
        _ if unwritten => tr!("{}, unwritten", place),
        Some(there) if there != value => tr!("{}, still {}", place, hex(there)),
        _ => place,
    }
}

/// The block behind a byte of a file's page by the extents on disk, and the byte in it.
fn block_in_tree(m: &Moment, inode: InodeId, index: u32, byte: u32) -> Option<(u64, u32)> {
    let size = block_size(m.w);
    let at = u64::from(index) * PAGE_SIZE + u64::from(byte);
    if inode == InodeId::BDEV {
        return Some((at / size, u32::try_from(at % size).ok()?));
    }
    let lblk = ondisk::Lblk(u32::try_from(at / size).ok()?);
    let (extents, _) = inode_extents(m.w, inode)?;
    let block = extents.iter().find_map(|extent| extent.map(lblk))?;
    Some((block.0, u32::try_from(at % size).ok()?))
}

fn mark_at(marks: &[Mark], byte: u32) -> Option<Mark> {
    let inside = |mark: &&Mark| (u32::from(mark.from)..u32::from(mark.to)).contains(&byte);
    marks.iter().rev().find(inside).copied()
}

fn source_in_cache(m: &Moment, id: PageId, byte: u32) -> Source {
    let page = m.w.pages.at(id);
    let uptodate = page.flags.contains(PageFlags::UPTODATE)
        || head_at(m, id, byte).is_some_and(|(_, head)| head.flags.contains(BhFlags::UPTODATE));
    match mark_at(m.index.marks(page.content, m.step), byte) {
        Some(mark) if mark.origin != Origin::Fresh || uptodate => Source::Mark(mark, byte),
        None if uptodate => Source::Before,
        _ => Source::Unread,
    }
}

/// The cached page that a block's bytes belong to, and the block's first byte in it.
fn page_of(w: &World, block: u64) -> Option<(PageId, u32)> {
    let mapped = |head: &BufferHead| {
        head.blocknr == block && head.flags.contains(BhFlags::MAPPED) && !head.flags.contains(BhFlags::DELAY)
    };
    // A page of a file before the device's own page, which may be older.
    let found = w.pages.iter().filter(|(_, page)| page.flags.contains(PageFlags::PRESENT)).filter_map(|(id, page)| {
        let head = w.page_bhs(id).map(|bh| w.bhs.at(bh)).find(|head| mapped(head))?;
        Some((page.mapping == InodeId::BDEV, id, u32::from(head.offset)))
    });
    found.min_by_key(|found| found.0).map(|(_, id, from)| (id, from))
}

/// A byte of the device.
fn of_device(m: &Moment, layout: &Layout, block: u64, byte: u32) -> Option<(Trail, Vec<Source>)> {
    let size = block_size(m.w);
    let cells = device_block(m.w, block);
    let value = *cells.get(byte as usize)?;
    if block >= (m.w.device.len() as u64 * PAGE_SIZE / size).max(m.w.sb().blocks) {
        return None;
    }
    let name = layout.name(block);
    let place = tr!("block {}", block);
    let place = if name == place { place } else { format!("{place}, {name}") };
    let mut trail = Trail { title: tr!("{}, byte {}", place, byte), value: hex(value), lines: Vec::new() };
    let cached = page_of(m.w, block);
    let holder = cached.filter(|(id, _)| m.w.pages.at(*id).mapping != InodeId::BDEV);
    if let Some(file) = holder.is_none().then(|| file_of(m, block, byte)).flatten() {
        trail.lines.push((word("file"), file));
    }
    match cached {
        Some((id, from)) => {
            let newer = block_bytes_of(m, id, from + byte).filter(|now| *now != value);
            let mut lines = of_page(m, id, from + byte).map_or_else(Vec::new, |page| page.lines);
            if let (Some(now), Some(line)) = (newer, lines.first_mut()) {
                line.1 = tr!("{}: {}", line.1, hex(now));
            }
            lines.retain(|line| line.0 != word("on disk"));
            trail.lines.extend(lines);
        }
        None => trail.lines.push((word("cached"), tr!("none"))),
    }
    let unit = u32::try_from(block * size / PAGE_SIZE).ok()?;
    let source = m.index.landed(unit, m.step).map_or(Source::Before, |sent| Source::Sent(block, byte, sent));
    Some((trail, vec![source]))
}

fn block_bytes_of(m: &Moment, id: PageId, byte: u32) -> Option<u8> {
    m.w.page_bytes(id).get(byte as usize).copied()
}

/// The file on screen, if one of its extents has the block.
fn file_of(m: &Moment, block: u64, byte: u32) -> Option<String> {
    let inode = m.inode()?;
    let (extents, _) = inode_extents(m.w, inode)?;
    let extent =
        extents.iter().find(|extent| (extent.start.0..extent.start.0 + u64::from(extent.len)).contains(&block))?;
    let lblk = u64::from(extent.block.0) + block - extent.start.0;
    let ino = m.w.inodes.get(inode)?.ino;
    Some(tr!("inode {}, byte {}", ino, number(lblk * block_size(m.w) + u64::from(byte))))
}

/// The bytes of a request.
fn of_bio(m: &Moment, layout: &Layout, n: usize) -> Option<(Trail, Vec<Source>)> {
    let disk = device::disk(m, layout, m.inode());
    let row = disk.bios.get(n)?;
    let mut trail = Trail { title: row.text.clone(), ..Trail::default() };
    let bytes = row.len * block_size(m.w);
    let (mut sources, mut more) = (Vec::new(), 0);
    let id = m.w.events.entries().values().find_map(|event| match event {
        world::Event::BioEnd(id) => {
            m.w.bios.get(*id).filter(|bio| bio.sector * 512 / block_size(m.w) == row.from).map(|_| *id)
        }
        _ => None,
    });
    let vecs = id.map_or(0, |id| m.w.bios.at(id).nr_vecs);
    for vec in (0..vecs).filter_map(|n| m.w.bio_vecs.get((id?, n))).filter(|_| row.write) {
        let sent = id.and_then(|id| m.index.submitted(id, m.step)).unwrap_or(m.step);
        let marks = m.index.marks(m.w.pages.at(vec.page).content, sent);
        let (mut byte, end) = (vec.offset, vec.offset + vec.len);
        while byte < end {
            // The stretch that one change made and none since.
            let mark = mark_at(marks, byte);
            let same = (byte..end).take_while(|at| mark_at(marks, *at) == mark).count();
            match mark {
                _ if sources.len() >= SOURCES => more += 1,
                Some(mark) => sources.push(Source::Mark(mark, byte)),
                None => sources.push(Source::Before),
            }
            byte += u32::try_from(same).unwrap_or(1).max(1);
        }
    }
    if more > 0 {
        trail.lines.push((word("from"), tr!("{} more", more)));
    }
    let place = span(row.from, row.from + row.len);
    if row.write && row.state != BioState::Done {
        trail.lines.push((word("on disk"), tr!("not yet: older bytes in block {}", place)));
    } else {
        let unit = u32::try_from(row.from * block_size(m.w) / PAGE_SIZE).ok()?;
        let sent = m.index.landed(unit, m.step);
        sources.push(sent.map_or(Source::Before, |sent| Source::Sent(row.from, 0, sent)));
        trail.lines.push((word("on disk"), tr!("block {}", place)));
    }
    trail.lines.push((word("bytes"), number(bytes)));
    Some((trail, sources))
}

/// Where it came from, in words: the World stands where that happened then.
fn said(w: &mut World, h: &mut History, index: &Index, program: &Program, step: u32, source: Source) -> String {
    match source {
        Source::Before => tr!("there before the run"),
        Source::Unread => tr!("not read yet"),
        Source::Sent(block, byte, sent) => {
            h.seek(w, sent);
            let mark = page_of(w, block).and_then(|(id, from)| {
                let content: ContentId = w.pages.at(id).content;
                Some((mark_at(index.marks(content, sent), from + byte)?, from + byte))
            });
            let from = mark.map_or_else(
                || tr!("there before the run"),
                |(mark, at)| said(w, h, index, program, step, Source::Mark(mark, at)),
            );
            tr!("{}, sent at {}", from, sent)
        }
        Source::Mark(mark, byte) => match mark.origin {
            Origin::Copy { address, refused } => {
                let first = address + u64::from(byte).saturating_sub(mark.from.into());
                let copied = of_call(w, h, index, program, mark.step, first);
                if refused <= step { tr!("{}, refused at {}", copied, refused) } else { copied }
            }
            Origin::Fresh => tr!("page made at {}", mark.step),
            Origin::Zero => tr!("zero-filled at {}", mark.step),
            Origin::Disk { block: Some(block) } => tr!("block {}, read at {}", block, mark.step),
            Origin::Disk { block: None } => tr!("from disk, read at {}", mark.step),
            Origin::Kernel(id) => tr!("changed by {} at {}", site_function(id), mark.step),
        },
    }
}

/// A copied byte by its buffer, segment and system call.
fn of_call(w: &mut World, h: &mut History, index: &Index, program: &Program, step: u32, address: u64) -> String {
    h.seek(w, step);
    let name = program.address(w, address);
    let info = index.info(step);
    let task = step.checked_sub(1).and_then(|last| h.steps.get(last as usize)?.task());
    let segment = task.and_then(|task| {
        let iter = w.iters.get(iter_of(task))?;
        let holds = |n: &u32| {
            let piece = w.iovecs.get((iter_of(task), *n)).unwrap_or_default();
            address >= piece.base && address - piece.base < piece.len
        };
        (iter.seg..iter.total_segs).chain(0..iter.seg).find(holds)
    });
    let call = program.call_name(info.task, info.syscall);
    match segment {
        Some(segment) => tr!("{}, segment {} of {}, copied at {}", name, segment, call, step),
        None => tr!("{}, copied at {}", name, step),
    }
}
