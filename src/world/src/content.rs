//! The bytes of pages, shared until written, logged by range.

use std::hash::Hash;
use std::mem;
use std::sync::Arc;

use crate::arena::{Id, Kept, Rec, Slots, digest_of};

/// 4096 bytes, shared between page cache, user memory, snapshots and device.
pub type Block = Arc<[u8; 4096]>;

/// A block of its own with these bytes, which are copied once: `Arc::new` would copy them to the stack first.
fn block_of(bytes: &[u8; 4096]) -> Block {
    let block: Arc<[u8]> = Arc::from(&bytes[..]);
    Block::try_from(block).expect("4096 bytes are a block")
}

/// Names a page's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub u32);

impl Id for ContentId {
    fn from_index(index: usize) -> Self {
        ContentId(index as u32)
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

thread_local! {
    /// The one block of zeros that all fresh content shares.
    pub static ZERO_BLOCK: Block = Arc::new([0; 4096]);
}

/// One logged change of content.
#[derive(Clone, Debug)]
pub struct ContentEntry {
    /// The step that made the change.
    pub step: u32,
    /// Whose bytes.
    pub id: ContentId,
    other: Other,
}

#[derive(Clone, Debug)]
enum Other {
    /// Bytes `off..off + len`, kept at `at` of the log's own bytes.
    Range {
        off: u16,
        len: u16,
        at: u32,
    },
    Whole(Block),
}

impl ContentEntry {
    /// First byte changed and how many.
    #[must_use]
    pub fn range(&self) -> (u16, u16) {
        match &self.other {
            Other::Range { off, len, .. } => (*off, *len),
            Other::Whole(_) => (0, 4096),
        }
    }
}

/// All content and the current chunk's log of it.
#[derive(Debug, Default)]
pub struct Contents {
    items: Vec<Block>,
    kept: Kept<Block>,
    free: Vec<u32>,
    pub(crate) log: ContentLog,
}

/// A chunk's changes of content.
#[derive(Debug, Default)]
pub struct ContentLog {
    entries: Vec<ContentEntry>,
    bytes: Vec<u8>,
    pub(crate) cursor: usize,
}

impl Contents {
    /// The bytes of `id`; zeros if it was never written.
    #[must_use]
    #[inline]
    pub fn get(&self, id: ContentId) -> &[u8; 4096] {
        &self.items[id.index()]
    }

    /// The bytes of `id` for sharing.
    #[must_use]
    pub fn share(&self, id: ContentId) -> Block {
        Arc::clone(&self.items[id.index()])
    }

    /// A new run of zeros.
    pub fn alloc(&mut self, rec: Rec) -> ContentId {
        let zero = ZERO_BLOCK.with(Arc::clone);
        if let Some(index) = self.free.pop() {
            let id = ContentId(index);
            self.replace(rec, id, zero);
            return id;
        }
        self.items.push(zero);
        self.kept.grow(self.items.len());
        self.kept.changes(self.items.len() - 1);
        ContentId::from_index(self.items.len() - 1)
    }

    /// Gives the bytes back.
    pub fn release(&mut self, rec: Rec, id: ContentId) {
        let zero = ZERO_BLOCK.with(Arc::clone);
        self.replace(rec, id, zero);
        self.free.push(id.0);
    }

    /// Replaces all 4096 bytes by a shared block.
    pub fn replace(&mut self, rec: Rec, id: ContentId, with: Block) {
        let old = mem::replace(&mut self.items[id.index()], with);
        if rec.on {
            self.kept.changes(id.index());
            self.log.push(ContentEntry { step: rec.step, id, other: Other::Whole(old) });
        }
    }

    /// The bytes `off..off + len` of `id`, to be changed.
    ///
    /// # Panics
    /// If the range goes past the 4096th byte.
    pub fn range_mut(&mut self, rec: Rec, id: ContentId, off: usize, len: usize) -> &mut [u8] {
        let item = &mut self.items[id.index()];
        if rec.on {
            self.kept.changes(id.index());
            let other = if len == 4096 {
                Other::Whole(Arc::clone(item))
            } else {
                let at = self.log.bytes.len() as u32;
                self.log.bytes.extend_from_slice(&item[off..off + len]);
                Other::Range { off: off as u16, len: len as u16, at }
            };
            self.log.push(ContentEntry { step: rec.step, id, other });
        }
        &mut Arc::make_mut(item)[off..off + len]
    }

    /// Copies bytes between two contents.
    pub fn copy(&mut self, rec: Rec, from: (ContentId, usize), to: (ContentId, usize), len: usize) {
        if len == 4096 {
            let block = self.share(from.0);
            self.replace_bytes(rec, to.0, &block);
            return;
        }
        let source = self.share(from.0);
        self.range_mut(rec, to.0, to.1, len).copy_from_slice(&source[from.1..from.1 + len]);
    }

    /// Writes all 4096 bytes: a real copy, never shared with the source.
    fn replace_bytes(&mut self, rec: Rec, id: ContentId, bytes: &[u8; 4096]) {
        if rec.on {
            self.replace(rec, id, block_of(bytes));
            return;
        }
        let item = &mut self.items[id.index()];
        match Arc::get_mut(item) {
            Some(own) => own.copy_from_slice(bytes),
            None => *item = block_of(bytes),
        }
    }

    pub(crate) fn digest(&self, kind: u64) -> u64 {
        let zero = ZERO_BLOCK.with(Arc::clone);
        self.items
            .iter()
            .enumerate()
            .filter(|(_, item)| !Arc::ptr_eq(item, &zero) && ***item != *zero)
            .fold(0u64, |sum, (id, item)| sum.wrapping_add(digest_of(kind, id as u64, &Words(item))))
    }

    pub(crate) fn snapshot(&self) -> Slots<Block> {
        self.kept.copy(&self.items)
    }

    pub(crate) fn keep_copy(&mut self, copy: &Slots<Block>) {
        self.kept.keep(copy);
    }

    pub(crate) fn copy_bytes(&self) -> usize {
        self.kept.bytes(&self.items)
    }

    /// No content counts as kept.
    pub(crate) fn forget_stamps(&mut self) {
        self.kept.forget();
    }

    /// Contents whose bytes differ from a snapshot: the first that does, and how many up to the last.
    pub(crate) fn differing(&self, old: &Slots<Block>) -> impl Iterator<Item = (ContentId, u16, u16)> {
        let zero = ZERO_BLOCK.with(Arc::clone);
        self.items.iter().enumerate().filter_map(move |(at, now)| {
            let was = old.get(at).unwrap_or(&zero);
            if Arc::ptr_eq(was, now) {
                return None;
            }
            let first = was.iter().zip(now.iter()).position(|(was, now)| was != now)?;
            let last = was.iter().zip(now.iter()).rposition(|(was, now)| was != now)?;
            Some((ContentId::from_index(at), u16::try_from(first).ok()?, u16::try_from(last - first + 1).ok()?))
        })
    }

    pub(crate) fn restore(&mut self, copy: &Slots<Block>) {
        self.kept.restore(&mut self.items, copy, &ZERO_BLOCK.with(Arc::clone), |items, from| {
            for (item, from) in items.iter_mut().zip(from) {
                if !Arc::ptr_eq(item, from) {
                    item.clone_from(from);
                }
            }
        });
    }

    pub(crate) fn seek(&mut self, target: u32) {
        let ContentLog { entries, bytes, cursor } = &mut self.log;
        while *cursor > 0 && entries[*cursor - 1].step >= target {
            *cursor -= 1;
            self.kept.changes(entries[*cursor].id.index());
            entries[*cursor].swap(&mut self.items, bytes);
        }
        while *cursor < entries.len() && entries[*cursor].step < target {
            self.kept.changes(entries[*cursor].id.index());
            entries[*cursor].swap(&mut self.items, bytes);
            *cursor += 1;
        }
    }

    /// What `step` changed, newest first, given that the state stands just
    /// behind that step.
    pub fn changed_in(&self, step: u32) -> impl Iterator<Item = &ContentEntry> {
        self.log.entries[..self.log.cursor]
            .iter()
            .rev()
            .take_while(move |entry| entry.step >= step)
            .filter(move |entry| entry.step == step)
    }

    /// The bytes an entry holds: those before its step.
    #[must_use]
    pub fn before<'a>(&'a self, entry: &'a ContentEntry) -> &'a [u8] {
        match &entry.other {
            Other::Range { len, at, .. } => &self.log.bytes[*at as usize..*at as usize + usize::from(*len)],
            Other::Whole(block) => &block[..],
        }
    }
}

impl ContentEntry {
    fn swap(&mut self, items: &mut [Block], bytes: &mut [u8]) {
        let item = &mut items[self.id.index()];
        match &mut self.other {
            Other::Range { off, len, at } => {
                let (off, len, at) = (usize::from(*off), usize::from(*len), *at as usize);
                Arc::make_mut(item)[off..off + len].swap_with_slice(&mut bytes[at..at + len]);
            }
            Other::Whole(block) => mem::swap(block, item),
        }
    }
}

impl ContentLog {
    fn push(&mut self, entry: ContentEntry) {
        self.entries.push(entry);
        self.cursor = self.entries.len();
    }

    /// Bytes the log's headers take, and bytes of content it keeps.
    #[must_use]
    pub fn log_bytes(&self) -> (usize, usize) {
        (self.entries.len() * mem::size_of::<ContentEntry>(), self.bytes.len())
    }
}

/// Hashes a block eight bytes at a time, the same on every platform.
#[derive(PartialEq)]
pub(crate) struct Words<'a>(pub &'a [u8; 4096]);

impl Hash for Words<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.0[..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_whole_blocks_undo_in_order() {
        let mut contents = Contents::default();
        let rec = |step| Rec { step, on: true };
        let id = contents.alloc(rec(0));
        contents.range_mut(rec(1), id, 100, 3).copy_from_slice(b"abc");
        contents.range_mut(rec(1), id, 101, 1).copy_from_slice(b"X");
        contents.replace(rec(2), id, Arc::new([7; 4096]));
        contents.range_mut(rec(3), id, 0, 4096).fill(9);
        let at = |contents: &Contents| contents.get(id)[101];
        contents.seek(3);
        assert_eq!(at(&contents), 7);
        contents.seek(2);
        assert_eq!(&contents.get(id)[100..103], b"aXc");
        contents.seek(1);
        assert_eq!(at(&contents), 0);
        contents.seek(4);
        assert_eq!(at(&contents), 9);
        contents.seek(2);
        assert_eq!(&contents.get(id)[100..103], b"aXc");
    }
}
