//! Arenas and maps whose every change can be undone and redone.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;

use crate::sorted::SortedMap;

/// A typed index into an [`Arena`].
pub trait Id: Copy {
    /// The id of slot `index`.
    fn from_index(index: usize) -> Self;
    /// The slot this id names.
    fn index(self) -> usize;
}

/// What may stand in an arena: plain data with an empty value.
pub trait Slot: Clone + Default + PartialEq + Hash {}
impl<T: Clone + Default + PartialEq + Hash> Slot for T {}

/// Where a change is to be logged: the step being run, and whether it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Rec {
    /// Number of the step being run, from 0 since the start of the run.
    pub step: u32,
    /// False while replaying or benchmarking: nothing is logged.
    pub on: bool,
}

/// Slots in a block of an arena's copy.
const BLOCK: usize = 256;

/// A copy of an arena's slots. Copies share the blocks in which they are equal; a slot behind
/// a block's end is empty.
#[derive(Clone, Debug)]
pub struct Slots<T>(Vec<Arc<[T]>>);

impl<T> Slots<T> {
    /// The value of a slot that is not behind the end of its block.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index / BLOCK)?.get(index % BLOCK)
    }

    /// Slots up to the last block's end.
    fn len(&self) -> usize {
        self.0.len() * BLOCK
    }
}

/// The blocks of the copy last made or put back, and which of them have not changed since.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    blocks: Vec<Arc<[T]>>,
    same: Vec<bool>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept { blocks: Vec::new(), same: Vec::new() }
    }
}

impl<T: Clone> Kept<T> {
    /// There are `len` slots now.
    pub(crate) fn grow(&mut self, len: usize) {
        self.same.resize(len.div_ceil(BLOCK), false);
    }

    /// A slot is about to change.
    #[inline(always)]
    pub(crate) fn changes(&mut self, index: usize) {
        self.same[index / BLOCK] = false;
    }

    /// Nothing is kept.
    pub(crate) fn forget(&mut self) {
        self.same.fill(false);
    }

    /// A copy of all slots.
    pub(crate) fn copy(&self, items: &[T]) -> Slots<T> {
        let blocks = items.chunks(BLOCK).zip(&self.same).enumerate();
        Slots(
            blocks.map(|(at, (items, same))| if *same { Arc::clone(&self.blocks[at]) } else { items.into() }).collect(),
        )
    }

    /// The copy is of the state as it is.
    pub(crate) fn keep(&mut self, copy: &Slots<T>) {
        self.blocks.clone_from(&copy.0);
        self.same.fill(true);
    }

    /// Bytes that a copy would take now, beside the blocks that it would share.
    pub(crate) fn bytes(&self, items: &[T]) -> usize {
        let blocks = items.chunks(BLOCK).zip(&self.same);
        blocks.map(|(items, same)| if *same { 0 } else { mem::size_of_val(items) }).sum()
    }

    /// Puts a copy back, block by block with `put`, and `empty` in the slots that it has not.
    pub(crate) fn restore(&mut self, items: &mut Vec<T>, copy: &Slots<T>, empty: &T, put: impl Fn(&mut [T], &[T])) {
        let len = items.len().max(copy.0.last().map_or(0, |last| (copy.0.len() - 1) * BLOCK + last.len()));
        items.resize(len, empty.clone());
        self.grow(len);
        self.blocks.resize_with(self.same.len(), Arc::default);
        let none: Arc<[T]> = Arc::default();
        let wanted = copy.0.iter().chain(std::iter::repeat(&none));
        let now = items.chunks_mut(BLOCK).zip(&mut self.blocks).zip(&mut self.same);
        for (((items, block), same), wanted) in now.zip(wanted) {
            let known = Arc::ptr_eq(block, wanted) || (block.is_empty() && wanted.is_empty());
            if !(*same && known) {
                put(&mut items[..wanted.len()], wanted);
                items[wanted.len()..].fill(empty.clone());
                *block = Arc::clone(wanted);
                *same = true;
            }
        }
    }
}

/// The changes of a chunk of steps, oldest first: after the step each holds the old value,
/// undone the new one.
#[derive(Debug)]
pub(crate) struct Log<T> {
    keys: Keys,
    others: Vec<T>,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Log { keys: Keys::default(), others: Vec::new() }
    }
}

/// Step and slot of each change, in 4 bytes. Apart from the values, so that all arenas share its code.
#[derive(Debug, Default)]
struct Keys {
    /// The step that a key's 0 stands for.
    first: u32,
    /// The step, from `first`, in the upper half; the lower half of the slot's index.
    keys: Vec<u32>,
    /// Upper halves of the indexes; empty while all of them are 0.
    high: Vec<u16>,
    /// Changes that are done.
    cursor: usize,
}

impl Keys {
    /// # Panics
    /// If `step` is not in the chunk of the changes before it.
    fn push(&mut self, step: u32, index: usize) {
        if self.keys.is_empty() {
            self.first = step & !0xffff;
        }
        let behind = step - self.first;
        assert!(behind <= 0xffff, "a log holds one chunk");
        if !self.high.is_empty() || index > 0xffff {
            self.high.resize(self.keys.len(), 0);
            self.high.push((index >> 16) as u16);
        }
        self.keys.push(behind << 16 | (index as u32 & 0xffff));
        self.cursor = self.keys.len();
    }

    fn step(&self, at: usize) -> u32 {
        self.first + (self.keys[at] >> 16)
    }

    fn index(&self, at: usize) -> usize {
        let high = self.high.get(at).copied().unwrap_or(0);
        usize::from(high) << 16 | (self.keys[at] & 0xffff) as usize
    }

    /// Undoes the last change that is done, if its step is not before `target`: its place.
    fn back(&mut self, target: u32) -> Option<usize> {
        let last = self.cursor.checked_sub(1)?;
        (self.step(last) >= target).then(|| {
            self.cursor = last;
            last
        })
    }

    /// Does the next change again, if its step is before `target`: its place.
    fn forth(&mut self, target: u32) -> Option<usize> {
        let next = self.cursor;
        (next < self.keys.len() && self.step(next) < target).then(|| {
            self.cursor = next + 1;
            next
        })
    }

    /// The changes that are done of `step`, given that none is of a later one, newest first.
    fn of(&self, step: u32) -> impl Iterator<Item = usize> {
        (0..self.cursor).rev().take_while(move |at| self.step(*at) >= step).filter(move |at| self.step(*at) == step)
    }
}

/// Slots of one type, with the log of the current chunk of steps.
///
/// A slot that equals `T::default()` is empty: it adds nothing to the digest,
/// so a slot not yet there and one that was freed are alike.
#[derive(Debug)]
pub struct Arena<T, I> {
    items: Vec<T>,
    stamps: Vec<u32>,
    pub(crate) log: Log<T>,
    kept: Kept<T>,
    /// Ids given back; only ever used at the head of a run, so not logged.
    free: Vec<u32>,
    id: PhantomData<I>,
}

impl<T: Slot, I: Id> Default for Arena<T, I> {
    fn default() -> Self {
        Arena {
            items: Vec::new(),
            stamps: Vec::new(),
            log: Log::default(),
            kept: Kept::default(),
            free: Vec::new(),
            id: PhantomData,
        }
    }
}

impl<T: Slot, I: Id> Arena<T, I> {
    /// The value of a slot; the empty value if nothing was ever put there.
    #[must_use]
    #[inline]
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())
    }

    /// The value of a slot that exists.
    ///
    /// # Panics
    /// If nothing was ever put in the slot.
    #[must_use]
    #[inline]
    pub fn at(&self, id: I) -> &T {
        &self.items[id.index()]
    }

    /// A slot to change; its old value is logged at the step's first touch.
    #[inline(always)]
    pub fn touch(&mut self, rec: Rec, id: I) -> &mut T {
        let index = id.index();
        if index >= self.items.len() {
            self.grow(index + 1);
        }
        if rec.on {
            self.keep(rec.step, index);
        }
        &mut self.items[index]
    }

    fn keep(&mut self, step: u32, index: usize) {
        if self.stamps[index] != step {
            self.stamps[index] = step;
            self.kept.changes(index);
            self.log.keys.push(step, index);
            self.log.others.push(self.items[index].clone());
        }
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.items.resize_with(len, T::default);
        self.stamps.resize(len, u32::MAX);
        self.kept.grow(len);
    }

    /// Makes room for `len` slots, all empty.
    pub fn reserve_slots(&mut self, len: usize) {
        if len > self.items.len() {
            self.grow(len);
        }
    }

    /// Puts `value` into a free slot.
    pub fn alloc(&mut self, rec: Rec, value: T) -> I {
        let index = match self.free.pop() {
            Some(index) => index as usize,
            None => self.items.len(),
        };
        let id = I::from_index(index);
        *self.touch(rec, id) = value;
        id
    }

    /// Empties a slot, which may then be given out again.
    pub fn release(&mut self, rec: Rec, id: I) {
        *self.touch(rec, id) = T::default();
        self.free.push(id.index() as u32);
    }

    /// All slots that are not empty.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        let empty = T::default();
        self.items.iter().enumerate().filter(move |(_, item)| **item != empty).map(|(i, item)| (I::from_index(i), item))
    }

    /// The values of all slots, empty ones included.
    #[must_use]
    #[inline]
    pub fn slots(&self) -> &[T] {
        &self.items
    }

    /// Slots that exist, empty ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if no slot exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn digest(&self, kind: u64) -> u64 {
        self.iter().fold(0u64, |sum, (id, item)| sum.wrapping_add(digest_of(kind, id.index() as u64, item)))
    }

    pub(crate) fn snapshot(&self) -> Slots<T> {
        self.kept.copy(&self.items)
    }

    pub(crate) fn keep_copy(&mut self, copy: &Slots<T>) {
        self.kept.keep(copy);
    }

    pub(crate) fn copy_bytes(&self) -> usize {
        self.kept.bytes(&self.items)
    }

    /// The slots that differ from a snapshot, with its values.
    pub(crate) fn differing(&self, old: &Slots<T>) -> impl Iterator<Item = (I, T)> {
        let (empty, slots) = (T::default(), 0..self.items.len().max(old.len()));
        slots.filter_map(move |at| {
            let (was, now) = (old.get(at).unwrap_or(&empty), self.items.get(at).unwrap_or(&empty));
            (was != now).then(|| (I::from_index(at), was.clone()))
        })
    }

    /// Stamps stay: only the head's own unfinished step looks at them.
    pub(crate) fn restore(&mut self, copy: &Slots<T>) {
        self.kept.restore(&mut self.items, copy, &T::default(), |items, from| items.clone_from_slice(from));
        self.stamps.resize(self.items.len(), u32::MAX);
    }

    /// No slot counts as touched in the step being run, and no block as kept.
    pub(crate) fn forget_stamps(&mut self) {
        self.stamps.fill(u32::MAX);
        self.kept.forget();
    }

    pub(crate) fn seek(&mut self, target: u32) {
        while let Some(at) = self.log.keys.back(target) {
            self.swap(at);
        }
        while let Some(at) = self.log.keys.forth(target) {
            self.swap(at);
        }
    }

    fn swap(&mut self, at: usize) {
        let index = self.log.keys.index(at);
        self.kept.changes(index);
        mem::swap(&mut self.log.others[at], &mut self.items[index]);
    }

    /// The slots that `step` changed and their values before it, given that
    /// the state stands just behind that step.
    pub fn changed_in(&self, step: u32) -> impl Iterator<Item = (I, &T)> {
        self.log.keys.of(step).map(|at| (I::from_index(self.log.keys.index(at)), &self.log.others[at]))
    }

    pub(crate) fn log_bytes(&self) -> usize {
        self.log.others.len() * (4 + mem::size_of::<T>()) + self.log.keys.high.len() * 2
    }
}

/// One logged change of a [`Map`].
#[derive(Clone, Debug)]
pub struct MapEntry<K, V> {
    /// The step that made the change.
    pub step: u32,
    /// The key.
    pub key: K,
    /// The value on the other side of the change; `None` is "not there".
    pub other: Option<V>,
}

/// A sorted map, logged key by key.
#[derive(Debug)]
pub struct Map<K, V> {
    items: SortedMap<K, V>,
    pub(crate) log: Vec<MapEntry<K, V>>,
    pub(crate) cursor: usize,
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Map { items: SortedMap::default(), log: Vec::new(), cursor: 0 }
    }
}

impl<K: Ord + Copy + Hash, V: Copy + Hash + PartialEq> Map<K, V> {
    /// The value at `key`.
    #[must_use]
    #[inline]
    pub fn get(&self, key: K) -> Option<V> {
        self.items.get(&key).copied()
    }

    /// Puts `value` at `key`, or removes the key if `None`.
    pub fn set(&mut self, rec: Rec, key: K, value: Option<V>) {
        let old = match value {
            Some(value) => self.items.insert(key, value),
            None => self.items.remove(&key),
        };
        if rec.on && old != value {
            self.log.push(MapEntry { step: rec.step, key, other: old });
            self.cursor = self.log.len();
        }
    }

    /// The sorted entries.
    #[must_use]
    pub fn entries(&self) -> &SortedMap<K, V> {
        &self.items
    }

    pub(crate) fn digest(&self, kind: u64) -> u64 {
        self.items.iter().fold(0u64, |sum, (key, value)| sum.wrapping_add(digest_of(kind, 0, &(key, value))))
    }

    pub(crate) fn snapshot(&self) -> SortedMap<K, V> {
        self.items.clone()
    }

    /// The keys that differ from a snapshot, with its values.
    pub(crate) fn differing(&self, old: &SortedMap<K, V>) -> impl Iterator<Item = (K, Option<V>)> {
        let gone =
            old.iter().filter(|(key, was)| self.items.get(key) != Some(*was)).map(|(key, was)| (*key, Some(*was)));
        let new = self.items.keys().filter(|key| old.get(key).is_none()).map(|key| (*key, None));
        gone.chain(new)
    }

    pub(crate) fn restore(&mut self, items: &SortedMap<K, V>) {
        self.items.clone_from(items);
    }

    fn swap(items: &mut SortedMap<K, V>, entry: &mut MapEntry<K, V>) {
        entry.other = match entry.other {
            Some(value) => items.insert(entry.key, value),
            None => items.remove(&entry.key),
        };
    }

    pub(crate) fn seek(&mut self, target: u32) {
        while self.cursor > 0 && self.log[self.cursor - 1].step >= target {
            self.cursor -= 1;
            Self::swap(&mut self.items, &mut self.log[self.cursor]);
        }
        while self.cursor < self.log.len() && self.log[self.cursor].step < target {
            Self::swap(&mut self.items, &mut self.log[self.cursor]);
            self.cursor += 1;
        }
    }

    /// The keys that `step` changed with their values before it (several
    /// entries of one key: newest first), given that the state stands just
    /// behind that step.
    pub fn changed_in(&self, step: u32) -> impl Iterator<Item = (K, Option<V>)> {
        self.log[..self.cursor]
            .iter()
            .rev()
            .take_while(move |entry| entry.step >= step)
            .filter(move |entry| entry.step == step)
            .map(|entry| (entry.key, entry.other))
    }

    pub(crate) fn copy_bytes(&self) -> usize {
        self.items.own_bytes()
    }

    pub(crate) fn log_bytes(&self) -> usize {
        self.log.len() * mem::size_of::<MapEntry<K, V>>()
    }
}

/// The digest's hash: the same on every platform, and fast on words.
#[derive(Default)]
pub(crate) struct WordHasher(u64);

impl WordHasher {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        let mut x = self.0;
        x ^= x >> 32;
        x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
        x ^ (x >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(u64::from_le_bytes([word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]]));
        }
        for byte in words.remainder() {
            self.word(u64::from(*byte));
        }
    }
    fn write_u8(&mut self, i: u8) {
        self.word(u64::from(i));
    }
    fn write_u16(&mut self, i: u16) {
        self.word(u64::from(i));
    }
    fn write_u32(&mut self, i: u32) {
        self.word(u64::from(i));
    }
    fn write_u64(&mut self, i: u64) {
        self.word(i);
    }
    fn write_usize(&mut self, i: usize) {
        self.word(i as u64);
    }
    fn write_i64(&mut self, i: i64) {
        self.word(i as u64);
    }
    fn write_isize(&mut self, i: isize) {
        self.word(i as u64);
    }
}

pub(crate) fn digest_of<T: Hash>(kind: u64, slot: u64, value: &T) -> u64 {
    let mut hasher = WordHasher::default();
    hasher.write_u64(kind);
    hasher.write_u64(slot);
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Id for u32 {
        fn from_index(index: usize) -> Self {
            index as u32
        }
        fn index(self) -> usize {
            self as usize
        }
    }

    #[test]
    fn seeking_back_and_forth_restores_each_value() {
        let mut arena: Arena<u64, u32> = Arena::default();
        let mut digests = vec![arena.digest(0)];
        for step in 0..50u32 {
            let rec = Rec { step, on: true };
            *arena.touch(rec, step % 7) += u64::from(step) + 1;
            if step % 3 == 0 {
                *arena.touch(rec, step % 7) += 5;
            }
            digests.push(arena.digest(0));
        }
        for target in [3u32, 40, 0, 50, 17, 18, 16] {
            arena.seek(target);
            assert_eq!(arena.digest(0), digests[target as usize], "at {target}");
        }
    }

    #[test]
    fn far_slots_and_late_chunks_are_found_again() {
        let mut arena: Arena<u64, u32> = Arena::default();
        let rec = |step| Rec { step, on: true };
        let first = 3 << 16;
        for (step, slot) in [(first, 1), (first + 1, 70_000), (first + 0xffff, 1)] {
            *arena.touch(rec(step), slot) = u64::from(step);
        }
        let changed = |arena: &Arena<u64, u32>, step| arena.changed_in(step).map(|(id, old)| (id, *old)).next();
        assert_eq!(changed(&arena, first + 0xffff), Some((1, u64::from(first))));
        arena.seek(first + 2);
        assert_eq!(changed(&arena, first + 1), Some((70_000, 0)));
        arena.seek(first + 1);
        assert_eq!((*arena.at(1), *arena.at(70_000)), (u64::from(first), 0));
        arena.seek(first + 0x10000);
        assert_eq!((*arena.at(1), *arena.at(70_000)), (u64::from(first) + 0xffff, u64::from(first) + 1));
    }

    #[test]
    fn copies_share_what_did_not_change_and_come_back_whole() {
        let mut arena: Arena<u64, u32> = Arena::default();
        let rec = |step| Rec { step, on: true };
        let digest = |arena: &Arena<u64, u32>| arena.digest(0);
        for slot in 0..1000 {
            *arena.touch(rec(0), slot) = 1;
        }
        let early = arena.snapshot();
        arena.keep_copy(&early);
        let then = digest(&arena);
        assert_eq!(arena.copy_bytes(), 0);
        *arena.touch(rec(1), 300) = 2;
        *arena.touch(rec(1), 2000) = 3;
        let (late, now) = (arena.snapshot(), digest(&arena));
        assert!(Arc::ptr_eq(&early.0[0], &late.0[0]) && !Arc::ptr_eq(&early.0[1], &late.0[1]));
        arena.restore(&early);
        assert_eq!((digest(&arena), arena.at(2000)), (then, &0));
        arena.seek(2);
        arena.restore(&late);
        assert_eq!(digest(&arena), now);
        *arena.touch(rec(2), 301) = 4;
        arena.restore(&late);
        assert_eq!(digest(&arena), now);
    }

    #[test]
    fn a_map_forgets_and_remembers_keys() {
        let mut map: Map<u32, u32> = Map::default();
        map.set(Rec { step: 0, on: true }, 5, Some(1));
        map.set(Rec { step: 1, on: true }, 5, None);
        map.seek(1);
        assert_eq!(map.get(5), Some(1));
        map.seek(0);
        assert_eq!(map.get(5), None);
        map.seek(2);
        assert_eq!(map.get(5), None);
        map.seek(1);
        assert_eq!(map.get(5), Some(1));
    }
}
