//! What of a step's bytes moves on the screen: from where to where, read off the World and the step's own changes.
//!
//! A [`Motion`] is two stretches, each on one axis of the drawing. How it looks, and whether it is shown at all, is the
//! drawing's.

use borsh::{BorshDeserialize, BorshSerialize};
use kernel::iov_iter::iter_of;
use kernel::site;
use world::{Change, Counter, InodeId, PAGE_SIZE, PageFlags, PageId};

use crate::frame::{CopyKind, Frame, Phase};
use crate::index::Origin;
use crate::moment::{Moment, phase_of};
use crate::rows::ext4::block_size;
use crate::rows::user;

/// What moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum Kind {
    /// Bytes from user memory into the page drawn large.
    Copy,
    /// A copy that `write_end` refuses: its bytes count no more.
    Refuse,
    /// A copy that `write_end` keeps: flags only.
    Keep,
    /// The iterator goes on.
    Advance,
    /// A retry asks for less.
    Retry,
    /// A block into the page drawn large.
    Read,
    /// Pages go to the device.
    Submit,
    /// Pages have arrived there.
    End,
    /// The commit of the running transaction begins.
    Commit,
}

/// What a stretch counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum Axis {
    /// Bytes of the iovec, as in [`UserMemory`](crate::frame::UserMemory).
    User,
    /// Bytes of the page drawn large.
    Page,
    /// Pages of the file.
    Pages,
    /// Blocks of the device.
    Device,
    /// Places in the row of transactions.
    Journal,
}

/// A stretch, half open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Span {
    /// What it counts.
    pub on: Axis,
    /// First.
    pub from: u64,
    /// One past the last.
    pub to: u64,
}

/// What one step moves. One thing at a time: what comes first in [`Kind`] wins.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Motion {
    /// What moves.
    pub kind: Kind,
    /// From where; what it was.
    pub from: Span,
    /// To where; what it is.
    pub to: Span,
}

const fn span(on: Axis, from: u64, to: u64) -> Span {
    Span { on, from, to }
}

/// The motion of a step whose frame is `frame` but for its motion.
#[must_use]
pub fn motion(m: &Moment, inode: Option<InodeId>, frame: &Frame) -> Option<Motion> {
    m.header?;
    bytes(m, inode, frame)
        .or_else(|| iterator(m, frame))
        .or_else(|| device(m, inode?, frame))
        .or_else(|| commit(m, frame))
}

/// Bytes of the page drawn large.
fn bytes(m: &Moment, inode: Option<InodeId>, frame: &Frame) -> Option<Motion> {
    let page = frame.cache.selected.as_ref().filter(|page| !page.absent)?;
    let id = m.w.find_page(inode?, u32::try_from(page.index).ok()?)?;
    let marks = m.index.marks(m.w.pages.at(id).content, m.step);
    let done = frame.copy.as_ref().filter(|copy| copy.kind != CopyKind::Planned);
    for mark in marks.iter().rev() {
        let here = span(Axis::Page, mark.from.into(), mark.to.into());
        match (mark.origin, done) {
            (Origin::Copy { refused, .. }, _) if refused == m.step => {
                return Some(Motion { kind: Kind::Refuse, from: here, to: here });
            }
            (Origin::Copy { .. }, Some(copy)) if mark.step == m.step => {
                let from = copy.from + here.from.saturating_sub(copy.page_from.into());
                let from = span(Axis::User, from, from + here.to - here.from);
                return Some(Motion { kind: Kind::Copy, from, to: here });
            }
            (Origin::Disk { block: Some(block) }, _) if mark.step == m.step => {
                let blocks = (here.to - here.from).div_ceil(block_size(m.w));
                let from = span(Axis::Device, block, block + blocks);
                return Some(Motion { kind: Kind::Read, from, to: here });
            }
            _ => {}
        }
    }
    let copy = done.filter(|copy| copy.kind == CopyKind::Done)?;
    let here = span(Axis::Page, copy.page_from.into(), copy.page_to.into());
    let dirtied = page.dirty.iter().any(|truth| truth.set && truth.changed);
    let flagged = dirtied || (page.flags_changed && m.is(&[site::BWE_COMMIT]));
    let kept = flagged && phase_of(&m.stack, m.probe()) == Phase::End;
    kept.then_some(Motion { kind: Kind::Keep, from: here, to: here })
}

/// The iterator of the step's own task.
fn iterator(m: &Moment, frame: &Frame) -> Option<Motion> {
    let writing = user::writing(m).filter(|writing| m.task() == Some(writing.task))?;
    let (id, now) = (iter_of(writing.task), writing.iter);
    let old = user::old_iter(m, id)?;
    let (was, at) = (user::caret(m, id, &old, &now), user::caret(m, id, &now, &now));
    if m.is(&[site::GPW_ADVANCE]) && at > was {
        return Some(Motion { kind: Kind::Advance, from: span(Axis::User, was, was), to: span(Axis::User, at, at) });
    }
    let bracket = frame.user.bracket.as_ref().filter(|_| m.is(&[site::GPW_AGAIN]) && now.bytes < old.bytes)?;
    let from = span(Axis::User, was, was + u64::from(old.bytes));
    Some(Motion { kind: Kind::Retry, from, to: span(Axis::User, bracket.from, bracket.to) })
}

/// Pages of the file on their way to the device.
fn device(m: &Moment, inode: InodeId, frame: &Frame) -> Option<Motion> {
    let going = |kind, (first, pages): (u64, u64), block: u64, blocks: u64| Motion {
        kind,
        from: span(Axis::Pages, first, first + pages),
        to: span(Axis::Device, block, block + blocks),
    };
    for row in &frame.disk.bios {
        let Some(pages) = row.pages.filter(|_| row.write && row.changed) else { continue };
        let begun = m.changes.iter().any(|change| match change {
            Change::bios(id, old) => !old.used && m.w.bios.at(*id).sector * 512 / block_size(m.w) == row.from,
            _ => false,
        });
        if begun {
            return Some(going(Kind::Submit, pages, row.from, row.len));
        }
    }
    // One stretch of pages and one of blocks; more are not told apart.
    let mut whole: Option<[u64; 4]> = None;
    let mut add = |id: PageId| {
        let Some(block) = m.w.page_bhs(id).map(|bh| m.w.bhs.at(bh).blocknr).find(|block| *block > 0) else { return };
        let page = u64::from(m.w.pages.at(id).index);
        let [first, last, from, to] = whole.unwrap_or([page, page, block, block]);
        whole = Some([first.min(page), last.max(page), from.min(block), to.max(block)]);
    };
    let under = |id: PageId| m.w.pages.at(id).flags.contains(PageFlags::WRITEBACK);
    // A device without latency has the bytes at once: its requests leave nothing behind.
    let at_once = m.w.counter(Counter::DeviceLatency) == 0 && m.grew(Counter::DeviceBytesWritten) > 0;
    for change in &m.changes {
        if let Change::pages(id, old) = change
            && old.mapping == inode
            && old.flags.contains(PageFlags::WRITEBACK)
            && !under(*id)
        {
            add(*id);
        }
    }
    if at_once {
        for (_, id) in m.w.cache.entries().range((inode, 0)..=(inode, u32::MAX)) {
            if under(*id) {
                add(*id);
            }
        }
    }
    let [first, last, from, to] = whole?;
    let kind = if at_once { Kind::Submit } else { Kind::End };
    Some(going(kind, (first, last + 1 - first), from, to - from + PAGE_SIZE.div_ceil(block_size(m.w))))
}

/// The transaction that begins to commit.
fn commit(m: &Moment, frame: &Frame) -> Option<Motion> {
    let tid = Some(m.w.sb().running_tid).filter(|_| m.is(&[site::JCT_LOCK]))?;
    let place = frame.journal.transactions.iter().position(|tx| tx.tid == tid)? as u64;
    let here = span(Axis::Journal, place, place + 1);
    Some(Motion { kind: Kind::Commit, from: here, to: here })
}
