//! The user's side of a call: segments, residency, caret, bracket; and the copy.

use std::rc::Rc;

use kernel::iov_iter::iter_of;
use kernel::mm::memory::{find_vma, readable_now};
use kernel::site;
use world::{Change, IovIter, Iovec, IterId, PAGE_SIZE, TaskId, World};

use crate::frame::{Bracket, CopyArrow, CopyKind, Probe, Residency, Resident, Segment, UserMemory};
use crate::index::source_address;
use crate::moment::{Moment, count, number, stack_of, task_name};

/// Segments shown at most.
const SEGMENTS: u32 = 16;
/// Residency cells shown at most.
const CELLS: usize = 256;

/// A write under way.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// The task.
    pub task: TaskId,
    /// Its iterator.
    pub iter: IovIter,
}

/// The write under way: of the step's own task if it is in one, else of any.
#[must_use]
pub fn writing(m: &Moment) -> Option<Writing> {
    let own = m.task();
    let others = m.w.tasks.iter().map(|(id, _)| id).filter(|id| Some(*id) != own);
    let task = own.into_iter().chain(others).find(|&id| is_writing(m, id))?;
    let iter = m.w.iters.get(iter_of(task)).copied().filter(|iter| iter.total_segs > 0)?;
    Some(Writing { task, iter })
}

fn is_writing(m: &Moment, task: TaskId) -> bool {
    let frame = m.w.stacks.get(task).map_or(0, |stack| stack.frame);
    let stack = stack_of(m.h, frame);
    let has = |id: u16| stack.iter().any(|call| call.function.id == id);
    // The iterator is made in vfs_write; before that it is the last call's.
    if has(site::EXT4_FILE_WRITE_ITER.id) {
        return true;
    }
    let made = [site::VW_CALL, site::VW_NOTIFY, site::VWV_IMPORT, site::VWV_START, site::VWV_CALL, site::VWV_NOTIFY];
    (has(site::VFS_WRITE.id) || has(site::VFS_WRITEV.id)) && (m.task() != Some(task) || m.is(&made))
}

fn segment(m: &Moment, id: IterId, n: u32) -> Iovec {
    m.w.iovecs.get((id, n)).unwrap_or_default()
}

/// First segment shown: it moves by eight at a time.
#[must_use]
pub fn first_segment(iter: &IovIter) -> u32 {
    if iter.total_segs <= SEGMENTS {
        return 0;
    }
    let first = iter.seg.saturating_sub(2) / 8 * 8;
    first.min(iter.total_segs - SEGMENTS)
}

/// Byte of the axis at which an iterator stands; `shown` is the one that the axis is drawn for.
#[must_use]
pub fn caret(m: &Moment, id: IterId, iter: &IovIter, shown: &IovIter) -> u64 {
    let before: u64 = (first_segment(shown)..iter.seg).map(|n| segment(m, id, n).len).sum();
    before + iter.iov_offset
}

/// User memory of the write under way.
#[must_use]
pub fn user(m: &Moment) -> UserMemory {
    let Some(Writing { task, iter }) = writing(m) else {
        return UserMemory { label: tr!("No write is under way."), ..UserMemory::default() };
    };
    let id = iter_of(task);
    let process = m.w.tasks.get(task).map_or(0, |task| task.process);
    let first = first_segment(&iter);
    let last = iter.total_segs.min(first + SEGMENTS);
    let at = caret(m, id, &iter, &iter);
    let asked = u64::from(iter.bytes);
    let mut segments = Vec::new();
    let mut residency = Vec::new();
    let mut axis = 0;
    for n in first..last {
        let piece = segment(m, id, n);
        let consumed = match n.cmp(&iter.seg) {
            std::cmp::Ordering::Less => piece.len,
            std::cmp::Ordering::Equal => iter.iov_offset.min(piece.len),
            std::cmp::Ordering::Greater => 0,
        };
        let end = axis + piece.len;
        segments.push(Rc::new(Segment {
            name: format!("seg{}", n),
            base: m.address(piece.base),
            len: piece.len,
            consumed,
            current: asked > 0 && axis < at + asked && end > at && piece.len > 0,
        }));
        resident(m, process, piece, axis, &mut residency);
        axis = end;
    }
    let old = old_iter(m, id);
    let bracket = (asked > 0 && iter.count > 0).then(|| Bracket {
        from: at,
        to: (at + asked).min(axis),
        text: format!("bytes = {}", number(asked)),
        changed: old.is_some_and(|old| (old.bytes, old.seg, old.iov_offset) != (iter.bytes, iter.seg, iter.iov_offset)),
    });
    let resident_words = residency.iter().filter(|cell| cell.state != Resident::Resident).count();
    let label = tr!(
        "{} of {} left in {}; {}.",
        count(iter.count, "byte"),
        number(total(m, id, &iter)),
        count(u64::from(iter.nr_segs), "segment"),
        match resident_words {
            0 => tr!("all source pages shown are resident"),
            n => tr!("{} not resident", count(n as u64, "stretch")),
        }
    );
    UserMemory {
        facts: vec![
            format!("count {}", number(iter.count)),
            format!("iov_offset {}", number(iter.iov_offset)),
            format!("nr_segs {}", iter.nr_segs),
        ],
        active: true,
        segments,
        before: first,
        after: iter.total_segs - last,
        residency: residency.into_iter().map(Rc::new).collect(),
        probes: probes(m, task, &iter, at),
        caret: (iter.count > 0).then_some(at),
        bracket,
        label,
    }
}

fn total(m: &Moment, id: IterId, iter: &IovIter) -> u64 {
    (0..iter.total_segs).map(|n| segment(m, id, n).len).sum()
}

/// How far a program is, of 100: `begun` of its `ops` operations, and what is written of the last one's bytes.
#[must_use]
pub fn percent(w: &World, task: TaskId, begun: u64, ops: u64) -> u64 {
    let id = iter_of(task);
    let iter = w.iters.get(id).copied().unwrap_or_default();
    let total: u64 = (0..iter.total_segs).filter_map(|n| w.iovecs.get((id, n))).map(|piece| piece.len).sum();
    let part = (100 * total.saturating_sub(iter.count)).checked_div(total).unwrap_or(0);
    // The exit, which writes all back, is one more.
    (100 * begun.saturating_sub(1) + if begun > 0 { part } else { 0 }).checked_div(ops + 1).unwrap_or(0).min(100)
}

/// An iterator before the step, if the step touched it.
#[must_use]
pub fn old_iter(m: &Moment, id: IterId) -> Option<IovIter> {
    m.changes.iter().find_map(|change| match change {
        Change::iters(changed, old) if *changed == id => Some(*old),
        _ => None,
    })
}

/// Residency of one segment's source pages; like neighbours are one cell.
fn resident(m: &Moment, process: u8, piece: Iovec, axis: u64, cells: &mut Vec<Residency>) {
    let first_cell = cells.len();
    let mut done = 0;
    while done < piece.len {
        let address = piece.base.wrapping_add(done);
        let part = (PAGE_SIZE - address % PAGE_SIZE).min(piece.len - done);
        let page = address / PAGE_SIZE;
        let state = if readable_now(m.w, process, address) {
            Resident::Resident
        } else if find_vma(m.w, process, address).is_some_and(|(_, vma)| vma.readable) {
            Resident::Faults
        } else {
            Resident::Unmapped
        };
        let changed = m.changes.iter().any(|change| match change {
            Change::ptes((p, n), _) => *p == process && *n == page,
            Change::vmas(_, old) => {
                let len = old.len.div_ceil(PAGE_SIZE) * PAGE_SIZE;
                (old.start..old.start + len).contains(&address) && state == Resident::Unmapped
            }
            _ => false,
        });
        let note = match (state, m.index.unmapped(process, page, m.step)) {
            (Resident::Faults | Resident::Unmapped, Some(event)) => {
                let who = if event.task == TaskId::NONE {
                    tr!("from outside")
                } else {
                    tr!("by {}", task_name(m.w, event.task))
                };
                tr!("unmapped {} at {}", who, event.step)
            }
            _ => String::new(),
        };
        let cell = Residency { from: axis + done, to: axis + done + part, state, note, changed };
        let full = cells.len() >= CELLS;
        match cells[first_cell..].last_mut() {
            Some(last)
                if full || (last.state == cell.state && last.note == cell.note && last.changed == cell.changed) =>
            {
                last.to = cell.to;
            }
            _ => cells.push(cell),
        }
        done += part;
    }
}

/// Bytes that the fault-in of this try has read.
fn probes(m: &Moment, task: TaskId, iter: &IovIter, caret: u64) -> Vec<Probe> {
    let Some(progress) = fault_in_progress(m, task) else { return Vec::new() };
    let id = iter_of(task);
    let mut rows = Vec::new();
    let mut left = u64::from(iter.bytes).min(iter.count);
    let (mut n, mut skip, mut axis) = (iter.seg, iter.iov_offset, caret);
    let (first, shown) = (first_segment(iter), first_segment(iter) + SEGMENTS);
    while left > 0 && n < iter.total_segs && n < shown && n >= first {
        let here = segment(m, id, n);
        let len = (here.len - skip.min(here.len)).min(left);
        let base = here.base.wrapping_add(skip);
        for off in read_offsets(base, len) {
            let address = base.wrapping_add(off);
            let read = match progress {
                Progress::Over(_) => true,
                Progress::Segment(now) => n < now,
                Progress::Fault(now, upto) => n < now || (n == now && address <= upto),
            };
            if read {
                let note = match progress {
                    Progress::Over(step) => tr!("probed ok at {}", step),
                    _ => String::new(),
                };
                let changed = match progress {
                    Progress::Over(step) => step == m.step,
                    Progress::Segment(_) => false,
                    Progress::Fault(_, upto) => address == upto,
                };
                rows.push(Probe { at: axis + off, note, changed });
            }
        }
        left -= len;
        axis += len;
        n += 1;
        skip = 0;
    }
    rows
}

/// Offsets that `fault_in_pages_readable()` reads of a piece.
fn read_offsets(base: u64, len: u64) -> Vec<u64> {
    if len == 0 {
        return Vec::new();
    }
    let mut offsets: Vec<u64> = (0..len).step_by(PAGE_SIZE as usize).collect();
    let over = base.wrapping_add(offsets.len() as u64 * PAGE_SIZE);
    let last = base.wrapping_add(len - 1);
    if over / PAGE_SIZE == last / PAGE_SIZE {
        offsets.push(len - 1);
    }
    offsets
}

#[derive(Clone, Copy)]
enum Progress {
    /// Up to this segment, not included.
    Segment(u32),
    /// Up to this address of this segment.
    Fault(u32, u64),
    /// All of it, by this step.
    Over(u32),
}

/// How far the fault-in of the task's current try has come.
fn fault_in_progress(m: &Moment, task: TaskId) -> Option<Progress> {
    for step in (m.step.saturating_sub(4096).max(1)..=m.step).rev() {
        let header = m.h.steps[step as usize - 1];
        if header.task() != Some(task) {
            continue;
        }
        let probe = site::probe(header.site)?;
        if [site::GPW_ADVANCE.id, site::GPW_SPLIT.id, site::GPW_AGAIN.id, site::GPW_FAULT_IN.id].contains(&probe.id) {
            return None;
        }
        if probe.id == site::GPW_SIGNAL.id {
            return Some(Progress::Over(step));
        }
        let inside = step == m.step && m.task() == Some(task);
        if inside && probe.id == site::FI_SEGMENT.id {
            return Some(Progress::Segment(u32::try_from(m.local("seg")).ok()?));
        }
        if inside && probe.id == site::FI_FAULT.id {
            return Some(Progress::Fault(u32::try_from(m.local("seg")).ok()?, m.local("address")));
        }
    }
    None
}

/// The copy of this try between user memory and the selected page.
#[must_use]
pub fn copy(m: &Moment, selected: Option<u64>) -> Option<CopyArrow> {
    let Writing { task, iter } = writing(m)?;
    if m.task() != Some(task) {
        return None;
    }
    let (pos, asked) = (m.looped("pos")?, m.looped("bytes")?);
    if selected != Some(pos / PAGE_SIZE) {
        return None;
    }
    let offset = pos % PAGE_SIZE;
    let state = copy_state(m)?;
    let at = caret(m, iter_of(task), &iter, &iter);
    let arrow = |bytes: u64, kind, text: String, verdict: String| CopyArrow {
        from: at,
        to: at + bytes,
        page_from: u32::try_from(offset).unwrap_or(0),
        page_to: u32::try_from((offset + bytes).min(PAGE_SIZE)).unwrap_or(0),
        kind,
        text,
        verdict,
    };
    let page = pos / PAGE_SIZE;
    Some(match state {
        CopyState::Planned => arrow(asked, CopyKind::Planned, tr!("{} to copy", number(asked)), String::new()),
        CopyState::Done(0) => arrow(asked, CopyKind::Planned, tr!("0 copied"), tr!("the source page is not there")),
        CopyState::Done(copied) => arrow(copied, CopyKind::Done, tr!("{} copied", number(copied)), String::new()),
        CopyState::Refused(copied) => arrow(
            copied,
            CopyKind::Refused,
            tr!("{} copied", number(copied)),
            tr!("0 counted: page {} was not uptodate", page),
        ),
    })
}

enum CopyState {
    Planned,
    Done(u64),
    Refused(u64),
}

/// What has become of the copy in this try, before the iterator moves on.
fn copy_state(m: &Moment) -> Option<CopyState> {
    let task = m.header?.task();
    let mut refused = false;
    let mut over = false;
    for step in (m.step.saturating_sub(4096).max(1)..=m.step).rev() {
        let header = m.h.steps[step as usize - 1];
        if header.task() != task {
            continue;
        }
        let id = header.site;
        if [site::GPW_ADVANCE.id, site::GPW_SPLIT.id, site::GPW_AGAIN.id, site::GPW_WRITE_BEGIN.id].contains(&id) {
            return None;
        }
        if id == site::BWE_DROP.id || (id == site::WE_BLOCK.id && m.index.info(step).value.is_some_and(|v| v.1 == 0)) {
            refused = true;
        }
        over |= id == site::GPW_WRITE_END.id;
        if id == site::GPW_COPY.id || id == site::CP_ATOMIC.id {
            return Some(if over { CopyState::Done(0) } else { CopyState::Planned });
        }
        if id == site::CP_SEGMENT.id || id == site::CP_SHORT.id {
            let copied = m.index.copied(step).unwrap_or(0);
            return Some(if refused && copied > 0 { CopyState::Refused(copied) } else { CopyState::Done(copied) });
        }
    }
    None
}

/// `b0+0`, for byte `skip` of what the iterator has left.
#[must_use]
pub fn source_name(m: &Moment, task: TaskId, skip: u64) -> String {
    let id = iter_of(task);
    let iter = m.w.iters.get(id).copied().unwrap_or_default();
    m.address(source_address(m.w, id, &iter, skip))
}
