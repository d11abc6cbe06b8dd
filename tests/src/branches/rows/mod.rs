//! The table: each row of `branches.csv` with what shows in a run that it was reached. A row may have several ways;
//! one without any is never reached, and docs/omissions.md#branches says why.

mod below;
mod ext4;
mod inline;
mod syscall;

use kernel::site::{self, FnSite, ProbeSite};
use world::{BhId, BufferHead, Errno, InodeId, PAGE_SIZE, PageId};

use super::observe::{At, Trigger};

/// One way to see that a row is reached.
#[derive(Clone, Copy)]
pub struct Row {
    /// The row.
    pub id: u16,
    /// When to look.
    pub trigger: Trigger,
    /// What must be so.
    pub when: fn(&At<'_>) -> bool,
}

/// Every way to see every row.
#[must_use]
pub fn rows() -> Vec<Row> {
    [syscall::ROWS, ext4::ROWS, below::ROWS, inline::ROWS].concat()
}

/// A row that shows at a probe.
const fn at(id: u16, probe: &ProbeSite, when: fn(&At<'_>) -> bool) -> Row {
    Row { id, trigger: Trigger::Probe(probe.id), when }
}

/// A row that a probe alone shows.
const fn hit(id: u16, probe: &ProbeSite) -> Row {
    at(id, probe, |_| true)
}

/// A row that shows when a function returns.
const fn ret(id: u16, function: &FnSite, when: fn(&At<'_>) -> bool) -> Row {
    Row { id, trigger: Trigger::Return(function.id), when }
}

fn number(errno: Errno) -> i64 {
    errno.as_ret()
}

/// The page that the write loop works on; before write_begin has returned, the one that was grabbed for it.
fn page(at: &At<'_>) -> PageId {
    PageId(u32::try_from(at.local_of(&site::GENERIC_PERFORM_WRITE, "page")).unwrap_or(u32::MAX))
}

/// The inode of that page.
fn inode(at: &At<'_>) -> Option<InodeId> {
    let inode = at.page(page(at)).mapping;
    at.w.sizes.get(inode).map(|_| inode)
}

/// The buffer that the walk of `__block_write_begin_int()` has come to.
fn buffer(at: &At<'_>) -> BufferHead {
    let bh = BhId(u32::try_from(at.local_of(&site::EXT4_BLOCK_WRITE_BEGIN, "bh")).unwrap_or(u32::MAX));
    at.w.bhs.get(bh).copied().unwrap_or_default()
}

/// The part of its page that such a walk is to make ready.
fn range_of_walk(at: &At<'_>) -> (i64, i64) {
    let walk = &site::EXT4_BLOCK_WRITE_BEGIN;
    let from = at.local_of(walk, "pos") % PAGE_SIZE.cast_signed();
    (from, from + at.local_of(walk, "len"))
}

/// True if the walk's buffer lies wholly in that part.
fn covered(at: &At<'_>) -> bool {
    let (from, to) = range_of_walk(at);
    let bh = buffer(at);
    from <= bh.offset.into() && i64::from(bh.offset) + i64::from(bh.size) <= to
}
