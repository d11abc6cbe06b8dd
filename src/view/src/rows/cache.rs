//! The page cache of the file on screen: small cells, and one page drawn large.

use std::rc::Rc;

use world::{BhFlags, BhId, BufferHead, Change, ContentId, InodeId, InodeState, PAGE_SIZE, Page, PageFlags, PageId};

use crate::frame::{
    BufferPlace, BufferRow, ByteKind, ByteRange, CellState, DirtyTruth, Flag, PageCache, PageCell, PageRun, PageView,
};
use crate::index::{Mark, Origin};
use crate::moment::{Moment, count, number, span};
use crate::rows::changes::Key;
use crate::rows::changes::paths::of_flag;
use crate::text::word;

/// Cells of a file that has no more pages.
pub const CELLS: u64 = 12;
/// Cells of a file that has more, so that its numbers fit.
const FEW_CELLS: u64 = 8;
/// Runs of pages told apart at most.
const RUNS: usize = 200;
/// Ranges of the byte strip told apart at most.
const RANGES: usize = 48;

/// The stretch of pages that has cells: first and how many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// First page.
    pub from: u64,
    /// Pages.
    pub len: u64,
    /// The page drawn large.
    pub selected: u64,
    /// Pages of the file, cached or not.
    pub pages: u64,
}

/// Which pages have cells, and which is drawn large.
#[must_use]
pub fn window(m: &Moment, inode: InodeId, page: Option<u64>) -> Window {
    let size = m.w.sizes.get(inode).copied().unwrap_or_default();
    let cached = m.w.cache.entries().range((inode, 0)..=(inode, u32::MAX)).next_back();
    let cached = cached.map_or(0, |((_, index), _)| u64::from(*index) + 1);
    let own = || m.looped("pos").map(|pos| pos / PAGE_SIZE);
    let selected = page.or_else(own).or_else(|| m.index.page_at(m.step, inode).map(u64::from)).unwrap_or(0);
    let pages = size.i_size.div_ceil(PAGE_SIZE).max(cached).max(selected + 1);
    let (from, len) = match pages {
        0..=CELLS => (0, pages),
        _ => ((selected.saturating_sub(2) / 4 * 4).min(pages - FEW_CELLS), FEW_CELLS),
    };
    Window { from, len, selected, pages }
}

/// The cache of the file.
#[must_use]
pub fn cache(m: &Moment, inode: InodeId, window: Window) -> PageCache {
    let size = m.w.sizes.get(inode).copied().unwrap_or_default();
    let ino = m.w.inodes.get(inode).map_or(0, |inode| inode.ino);
    let pages = (window.from..window.from + window.len).map(|index| Rc::new(cell(m, inode, index))).collect();
    let held = m.kept_pages().iter().any(|page| m.w.pages.at(*page).mapping == inode);
    let mut facts = vec![
        format!("inode {}", ino),
        tr!("{} of {} cached", number(u64::from(size.nrpages)), count(window.pages, "page")),
    ];
    if let Some(written) = m.looped("written") {
        facts.push(tr!("{} kept", count(written, "byte")));
    }
    PageCache {
        facts,
        active: held,
        pages,
        runs: Rc::new(if window.len < window.pages { runs(m, inode, window.pages) } else { Vec::new() }),
        selected: Some(Rc::new(selected(m, inode, window.selected))),
        more_before: window.from > 0,
        more_after: window.from + window.len < window.pages,
    }
}

/// The state of a page in one word.
#[must_use]
pub fn state(page: &Page) -> CellState {
    let flags = page.flags;
    match (flags.contains(PageFlags::DIRTY), flags.contains(PageFlags::WRITEBACK)) {
        _ if flags.contains(PageFlags::ERROR) => CellState::Error,
        (true, true) => CellState::DirtyWriteback,
        (true, false) => CellState::Dirty,
        (false, true) => CellState::Writeback,
        _ if flags.contains(PageFlags::UPTODATE) => CellState::Clean,
        _ => CellState::NotUptodate,
    }
}

/// All pages of the file, neighbours of one state joined. Where there are too many runs, a short one takes its
/// neighbour's state.
fn runs(m: &Moment, inode: InodeId, pages: u64) -> Vec<PageRun> {
    let mut runs: Vec<PageRun> = Vec::new();
    let mut add = |from: u64, len: u64, state: CellState| match runs.last_mut() {
        Some(last) if last.state == state => last.len += len,
        _ if len > 0 => runs.push(PageRun { from, len, state, ..PageRun::default() }),
        _ => {}
    };
    let mut next = 0;
    for ((_, index), id) in m.w.cache.entries().range((inode, 0)..=(inode, u32::MAX)) {
        let index = u64::from(*index);
        add(next, index - next, CellState::Absent);
        add(index, 1, state(m.w.pages.at(*id)));
        next = index + 1;
    }
    add(next, pages.saturating_sub(next), CellState::Absent);
    let mut least = 1;
    while runs.len() > RUNS {
        least *= 2;
        runs.dedup_by(|run, last| {
            let joins = run.len < least || run.state == last.state;
            if joins {
                last.len += run.len;
            }
            joins
        });
    }
    for run in &mut runs {
        run.label = match run.len {
            1 => tr!("page {}: {}", number(run.from), run.state.name()),
            _ => tr!("pages {}: {}", span(run.from, run.from + run.len), run.state.name()),
        };
    }
    runs
}

fn cell(m: &Moment, inode: InodeId, index: u64) -> PageCell {
    let found = u32::try_from(index).ok().and_then(|index| m.w.find_page(inode, index));
    let cache_changed = m
        .changes
        .iter()
        .any(|change| matches!(change, Change::cache((id, at), _) if *id == inode && u64::from(*at) == index));
    let Some(id) = found else {
        return PageCell {
            index,
            label: tr!("Page {}: not cached", index),
            changed: cache_changed,
            ..PageCell::default()
        };
    };
    let page = m.w.pages.at(id);
    let mut letters = Vec::new();
    let mut words = Vec::new();
    for (flag, letter, name) in PAGE_FLAGS {
        if page.flags.contains(flag) {
            words.push(word(name));
            if letter != "L" {
                letters.push(letter);
            }
        }
    }
    if !page.flags.contains(PageFlags::UPTODATE) {
        words.push(word("not uptodate"));
    }
    let changed = cache_changed || m.old_page(id).is_some_and(|old| old != *page) || content_changed(m, page.content);
    PageCell {
        index,
        state: state(page),
        locked: page.flags.contains(PageFlags::LOCKED),
        letters: letters.concat(),
        label: tr!("Page {}: {}", index, words.join(", ")),
        changed,
    }
}

const PAGE_FLAGS: [(PageFlags, &str, &str); 4] = [
    (PageFlags::LOCKED, "L", "locked"),
    (PageFlags::UPTODATE, "U", "uptodate"),
    (PageFlags::DIRTY, "D", "dirty"),
    (PageFlags::WRITEBACK, "W", "writeback"),
];

const BH_FLAGS: [(BhFlags, &str, &str); 7] = [
    (BhFlags::MAPPED, "M", "mapped"),
    (BhFlags::UPTODATE, "U", "uptodate"),
    (BhFlags::DIRTY, "D", "dirty"),
    (BhFlags::NEW, "N", "new"),
    (BhFlags::DELAY, "d", "delayed"),
    (BhFlags::UNWRITTEN, "u", "unwritten"),
    (BhFlags::WRITE_EIO, "E", "error"),
];

fn content_changed(m: &Moment, content: ContentId) -> bool {
    m.changes.iter().any(|change| matches!(change, Change::contents(id, _, len) if *id == content && *len > 0))
}

/// A buffer head before the step, if the step touched it.
#[must_use]
pub fn old_bh(m: &Moment, id: BhId) -> Option<BufferHead> {
    m.changes.iter().find_map(|change| match change {
        Change::bhs(bh, old) if *bh == id => Some(*old),
        _ => None,
    })
}

fn selected(m: &Moment, inode: InodeId, index: u64) -> PageView {
    let from = index * PAGE_SIZE;
    let range = tr!("file {}–{}", from, from + PAGE_SIZE - 1);
    let size = 4096;
    let Some(id) = u32::try_from(index).ok().and_then(|index| m.w.find_page(inode, index)) else {
        let label = tr!("not cached");
        let strip = vec![Rc::new(ByteRange { from: 0, to: size, label, ..ByteRange::default() })];
        return PageView { index, absent: true, size, range, strip, ..PageView::default() };
    };
    let page = *m.w.pages.at(id);
    let old = m.old_page(id);
    let was = old.map_or(page.flags, |old| old.flags);
    let flags = PAGE_FLAGS.map(|(flag, letter, name)| Flag {
        letter: letter.into(),
        name: name.into(),
        set: page.flags.contains(flag),
        changed: page.flags.contains(flag) != was.contains(flag),
        path: of_flag(m, Key::Page(id.0), letter, false),
    });
    let buffers = buffers(m, id, &page);
    let (strip, changed) = strip(m, inode, &page);
    let flags_changed = old.is_some_and(|old| old != page)
        || m.w.page_bhs(id).any(|bh| old_bh(m, bh).is_some_and(|old| old != *m.w.bhs.at(bh)));
    PageView {
        index,
        absent: false,
        state: state(&page),
        locked: page.flags.contains(PageFlags::LOCKED),
        size,
        range,
        flags: flags.to_vec(),
        dirty: dirty(m, inode, id, &page, was),
        buffers,
        strip,
        changed,
        caret: m.looped("pos").filter(|pos| pos / PAGE_SIZE == index).map(|pos| (pos % PAGE_SIZE) as u32),
        flags_changed,
    }
}

/// The four places in which "dirty" is recorded, and the xarray's other tags.
fn dirty(m: &Moment, inode: InodeId, id: PageId, page: &Page, was: PageFlags) -> Vec<DirtyTruth> {
    let heads: Vec<BhId> = m.w.page_bhs(id).collect();
    let now = heads.iter().any(|bh| m.w.bhs.at(*bh).flags.contains(BhFlags::DIRTY));
    let before = heads.iter().any(|bh| {
        let head = old_bh(m, *bh).unwrap_or(*m.w.bhs.at(*bh));
        head.flags.contains(BhFlags::DIRTY)
    });
    let state = m.w.inodes.get(inode).map_or(InodeState::empty(), |inode| inode.state);
    let old_state = m.changes.iter().find_map(|change| match change {
        Change::inodes(changed, old) if *changed == inode => Some(old.state),
        _ => None,
    });
    let old_state = old_state.unwrap_or(state);
    let truth = |place: &'static str, letter: &'static str, name: &'static str, (set, before), path| DirtyTruth {
        letter: letter.into(),
        place: place.into(),
        name: name.into(),
        set,
        changed: set != before,
        path,
    };
    let flag = |place, letter, name, flag| {
        let path = of_flag(m, Key::Page(id.0), letter, !matches!(flag, PageFlags::DIRTY));
        truth(place, letter, name, (page.flags.contains(flag), was.contains(flag)), path)
    };
    let place = if heads.len() > 1 { "bh" } else { "bh0" };
    // Of several buffer heads the first that is dirty speaks for all.
    let dirty = |bh: &&BhId| m.w.bhs.at(**bh).flags.contains(BhFlags::DIRTY);
    let head = heads.iter().find(dirty).or(heads.first());
    let head = head.map_or_else(String::new, |bh| of_flag(m, Key::Bh(bh.0), "D", false));
    let pages = [state, old_state].map(|state| state.contains(InodeState::DIRTY_PAGES));
    vec![
        truth(place, "D", word("buffer head BH_Dirty"), (now, before), head),
        flag("page", "D", word("page flag PG_dirty"), PageFlags::DIRTY),
        flag("", "D", word("xarray tag DIRTY"), PageFlags::TAG_DIRTY),
        flag("", "T", word("xarray tag TOWRITE"), PageFlags::TAG_TOWRITE),
        flag("xarray", "W", word("xarray tag WRITEBACK"), PageFlags::TAG_WRITEBACK),
        truth(
            "inode",
            "D",
            word("inode state I_DIRTY_PAGES"),
            (pages[0], pages[1]),
            of_flag(m, Key::Inode(inode.0), "dirty_pages", false),
        ),
    ]
}

fn buffers(m: &Moment, id: PageId, page: &Page) -> Vec<Rc<BufferRow>> {
    let mut rows = Vec::new();
    for (n, bh) in m.w.page_bhs(id).enumerate() {
        let head = *m.w.bhs.at(bh);
        let was = old_bh(m, bh).unwrap_or(head).flags;
        let mut flags = Vec::new();
        for (n, (flag, letter, name)) in BH_FLAGS.into_iter().enumerate() {
            let (set, before) = (head.flags.contains(flag), was.contains(flag));
            if n < 5 || set || before {
                let path = of_flag(m, Key::Bh(bh.0), letter, false);
                flags.push(Flag { letter: letter.into(), name: name.into(), set, changed: set != before, path });
            }
        }
        let (place, block, text) = place(&head);
        rows.push(Rc::new(BufferRow {
            name: format!("bh{}", n),
            flags,
            size: u32::from(head.size),
            block,
            lblk: (u64::from(page.index) * PAGE_SIZE + u64::from(head.offset)) / u64::from(head.size.max(1)),
            place,
            text,
        }));
    }
    rows
}

fn place(head: &BufferHead) -> (BufferPlace, Option<u64>, String) {
    if !head.flags.contains(BhFlags::MAPPED) {
        (BufferPlace::Unmapped, None, tr!("not mapped"))
    } else if head.flags.contains(BhFlags::DELAY) {
        (BufferPlace::Delayed, None, tr!("delayed: no block yet"))
    } else if head.flags.contains(BhFlags::UNWRITTEN) {
        (BufferPlace::Unwritten, Some(head.blocknr), tr!("block {}, unwritten", head.blocknr))
    } else {
        (BufferPlace::Block, Some(head.blocknr), tr!("block {}", head.blocknr))
    }
}

/// For each byte the newest mark on it: its place in `marks` + 1; 0 for none.
fn paint(marks: &[Mark]) -> Vec<u32> {
    let mut paint = vec![0; 4096];
    let fresh = marks.iter().rposition(|mark| mark.origin == Origin::Fresh).unwrap_or(0);
    for (n, mark) in marks.iter().enumerate().skip(fresh) {
        paint[usize::from(mark.from)..usize::from(mark.to)].fill(n as u32 + 1);
    }
    paint
}

/// The bytes as ranges of one kind and origin, and the range that changed.
fn strip(m: &Moment, inode: InodeId, page: &Page) -> (Vec<Rc<ByteRange>>, Option<(u32, u32)>) {
    let marks = m.index.marks(page.content, m.step);
    let now = paint(marks);
    let earlier = m.index.marks(page.content, m.step.saturating_sub(1));
    let before = paint(earlier);
    let size = m.w.sizes.get(inode).map_or(0, |size| size.i_size);
    let old_bytes = m.bytes_before(page.content);
    let bytes = m.w.contents.get(page.content);
    let touched = |at: usize| marks.get((now[at] as usize).wrapping_sub(1)).is_some_and(|mark| mark.step == m.step);
    let start = m.index.call_start(m.step);
    let look = Look { m, page, size, start };
    let mut runs: Vec<(usize, usize, ByteKind)> = Vec::new();
    for at in 0..4096 {
        let kind = look.kind(marks, now[at], at);
        match runs.last_mut() {
            Some((from, to, last)) if *last == kind && now[*from] == now[at] && look.block(*from) == look.block(at) => {
                *to = at + 1
            }
            _ => runs.push((at, at + 1, kind)),
        }
    }
    // Block edges only matter where the state differs: join alike neighbours of one origin.
    runs.dedup_by(|next, last| {
        let alike = next.2 == last.2 && now[next.0] == now[last.0] && look.now_in(next.0) == look.now_in(last.0);
        if alike {
            last.1 = next.1;
        }
        alike
    });
    if runs.len() > RANGES {
        runs.dedup_by(|next, last| {
            let alike = next.2 == last.2;
            if alike {
                last.1 = next.1;
            }
            alike
        });
    }
    let hex = |bytes: &[u8], from: usize, to: usize| {
        let some: Vec<String> = bytes[from..to.min(from + 6)].iter().map(|byte| format!("{byte:02x}")).collect();
        some.join(" ")
    };
    let mut rows = Vec::new();
    for (from, to, kind) in runs {
        let mark = marks.get((now[from] as usize).wrapping_sub(1));
        let changed = touched(from);
        let old = earlier.get((before[from] as usize).wrapping_sub(1));
        let was = old_bytes.as_ref().filter(|_| changed).map(|old| hex(&old[..], from, to));
        rows.push(Rc::new(ByteRange {
            from: from as u32,
            to: to as u32,
            kind,
            label: look.label(mark, kind, from, to),
            hex: if kind == ByteKind::NotUptodate { String::new() } else { hex(&bytes[..], from, to) },
            was,
            origin: look.origin(mark, kind, from, to),
            before: if changed { look.origin(old, ByteKind::Valid, from, to) } else { String::new() },
            now_in: look.now_in(from).to_owned(),
        }));
    }
    let changed = m.changes.iter().filter_map(|change| match change {
        Change::contents(id, off, len) if *id == page.content && *len > 0 => {
            Some((u32::from(*off), u32::from(*off) + u32::from(*len)))
        }
        _ => None,
    });
    let changed = changed.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    (rows, changed)
}

struct Look<'a> {
    m: &'a Moment<'a>,
    page: &'a Page,
    size: u64,
    start: u32,
}

impl Look<'_> {
    fn head(&self, at: usize) -> Option<&BufferHead> {
        (0..u32::from(self.page.nr_bhs)).find_map(|n| {
            let head = self.m.w.bhs.get(BhId(self.page.first_bh.0 + n))?;
            (usize::from(head.offset)..usize::from(head.offset) + usize::from(head.size)).contains(&at).then_some(head)
        })
    }

    fn block(&self, at: usize) -> usize {
        let nr = usize::from(self.page.nr_bhs).max(1);
        at / (4096 / nr)
    }

    fn uptodate(&self, at: usize) -> bool {
        self.page.flags.contains(PageFlags::UPTODATE)
            || self.head(at).is_some_and(|head| head.flags.contains(BhFlags::UPTODATE))
    }

    fn kind(&self, marks: &[Mark], paint: u32, at: usize) -> ByteKind {
        let past = u64::from(self.page.index) * PAGE_SIZE + at as u64 >= self.size;
        let valid = match (self.uptodate(at), past) {
            (false, _) => ByteKind::NotUptodate,
            (true, true) => ByteKind::PastEof,
            (true, false) => ByteKind::Valid,
        };
        let Some(mark) = marks.get((paint as usize).wrapping_sub(1)) else { return valid };
        let in_call = mark.step >= self.start && self.start > 0;
        match mark.origin {
            Origin::Copy { refused, .. } if refused <= self.m.step => ByteKind::Refused,
            Origin::Copy { .. } if mark.step == self.m.step => ByteKind::WrittenNow,
            Origin::Copy { .. } if in_call => ByteKind::KeptEarlier,
            Origin::Zero if in_call || !past => ByteKind::Zeroed,
            Origin::Copy { .. } | Origin::Zero | Origin::Fresh | Origin::Disk { .. } | Origin::Kernel(_) => valid,
        }
    }

    fn label(&self, mark: Option<&Mark>, kind: ByteKind, from: usize, to: usize) -> String {
        let len = (to - from) as u64;
        match (kind, mark.map(|mark| mark.origin)) {
            (ByteKind::NotUptodate, _) => tr!("not read"),
            (ByteKind::Zeroed, _) => tr!("{} zeroed", count(len, "byte")),
            (ByteKind::PastEof, _) => tr!("past the end"),
            (kind, Some(Origin::Copy { address, .. })) => {
                let name = self.m.address(address);
                let buffer = name.split('+').next().unwrap_or_default();
                let text = format!("{buffer}, {}", number(len));
                if kind == ByteKind::Refused { tr!("{}, refused", text) } else { text }
            }
            (_, Some(Origin::Disk { .. })) => tr!("from disk"),
            _ => tr!("valid before"),
        }
    }

    fn origin(&self, mark: Option<&Mark>, kind: ByteKind, from: usize, to: usize) -> String {
        let Some(mark) = mark else {
            return if kind == ByteKind::NotUptodate { tr!("not read yet") } else { tr!("there before the run") };
        };
        let step = mark.step;
        match mark.origin {
            Origin::Fresh => tr!("page made at {}", step),
            Origin::Copy { address, refused } => {
                let first = address + (from as u64).saturating_sub(u64::from(mark.from));
                let name = self.m.address(first);
                let end = crate::moment::buffer_offset(self.m.w, first).map_or(0, |(_, off)| off)
                    + (to.min(usize::from(mark.to)) - from) as u64
                    - 1;
                let text = tr!("{} … {}, copied at {}", name, number(end), step);
                if refused <= self.m.step { tr!("{}, refused at {}", text, refused) } else { text }
            }
            Origin::Zero => tr!("zero-filled at {}", step),
            Origin::Disk { block: Some(block) } => tr!("block {}, read at {}", block, step),
            Origin::Disk { block: None } => tr!("from disk, read at {}", step),
            Origin::Kernel(id) => tr!("changed by {} at {}", crate::index::site_function(id), step),
        }
    }

    fn now_in(&self, at: usize) -> &'static str {
        if self.page.flags.contains(PageFlags::WRITEBACK) {
            return word("in flight");
        }
        let head = self.head(at).map_or(BhFlags::empty(), |head| head.flags);
        let dirty =
            head.contains(BhFlags::DIRTY) || (self.page.nr_bhs == 0 && self.page.flags.contains(PageFlags::DIRTY));
        let saved = head.contains(BhFlags::MAPPED | BhFlags::UPTODATE)
            && !head.intersects(BhFlags::DELAY | BhFlags::UNWRITTEN | BhFlags::NEW);
        word(if dirty || !self.uptodate(at) {
            "cache only"
        } else if saved || self.page.nr_bhs == 0 {
            "cache and disk"
        } else {
            "cache only"
        })
    }
}
