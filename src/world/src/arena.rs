//! Arenas and maps whose every change can be undone and redone.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::mem;

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

/// One logged change: after the step it holds the old value, undone the new one.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The step that made the change.
    pub step: u32,
    /// The slot.
    pub id: u32,
    /// The value on the other side of the change.
    pub other: T,
}

/// Slots of one type, with the log of the current chunk of steps.
///
/// A slot that equals `T::default()` is empty: it adds nothing to the digest,
/// so a slot not yet there and one that was freed are alike.
#[derive(Debug)]
pub struct Arena<T, I> {
    items: Vec<T>,
    stamps: Vec<u32>,
    pub(crate) log: Vec<Entry<T>>,
    pub(crate) cursor: usize,
    /// Ids given back; only ever used at the head of a run, so not logged.
    free: Vec<u32>,
    id: PhantomData<I>,
}

impl<T: Slot, I: Id> Default for Arena<T, I> {
    fn default() -> Self {
        Arena { items: Vec::new(), stamps: Vec::new(), log: Vec::new(), cursor: 0, free: Vec::new(), id: PhantomData }
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
            self.log.push(Entry { step, id: index as u32, other: self.items[index].clone() });
            self.cursor = self.log.len();
        }
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.items.resize_with(len, T::default);
        self.stamps.resize(len, u32::MAX);
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

    pub(crate) fn snapshot(&self) -> Vec<T> {
        self.items.clone()
    }

    /// Stamps stay: only the head's own unfinished step looks at them.
    /// The slots that differ from a snapshot, with its values.
    pub(crate) fn differing(&self, old: &[T]) -> impl Iterator<Item = (I, T)> {
        let (empty, slots) = (T::default(), 0..self.items.len().max(old.len()));
        slots.filter_map(move |at| {
            let (was, now) = (old.get(at).unwrap_or(&empty), self.items.get(at).unwrap_or(&empty));
            (was != now).then(|| (I::from_index(at), was.clone()))
        })
    }

    pub(crate) fn restore(&mut self, items: &[T]) {
        let len = self.items.len().max(items.len());
        self.items.truncate(items.len());
        let shared = self.items.len();
        self.items.clone_from_slice(&items[..shared]);
        self.items.extend_from_slice(&items[shared..]);
        self.items.resize_with(len, T::default);
        self.stamps.resize(len, u32::MAX);
    }

    /// No slot counts as touched in the step being run.
    pub(crate) fn forget_stamps(&mut self) {
        self.stamps.fill(u32::MAX);
    }

    pub(crate) fn seek(&mut self, target: u32) {
        while self.cursor > 0 && self.log[self.cursor - 1].step >= target {
            self.cursor -= 1;
            let entry = &mut self.log[self.cursor];
            mem::swap(&mut entry.other, &mut self.items[entry.id as usize]);
        }
        while self.cursor < self.log.len() && self.log[self.cursor].step < target {
            let entry = &mut self.log[self.cursor];
            mem::swap(&mut entry.other, &mut self.items[entry.id as usize]);
            self.cursor += 1;
        }
    }

    /// The slots that `step` changed and their values before it, given that
    /// the state stands just behind that step.
    pub fn changed_in(&self, step: u32) -> impl Iterator<Item = (I, &T)> {
        self.log[..self.cursor]
            .iter()
            .rev()
            .take_while(move |entry| entry.step >= step)
            .filter(move |entry| entry.step == step)
            .map(|entry| (I::from_index(entry.id as usize), &entry.other))
    }

    pub(crate) fn log_bytes(&self) -> usize {
        self.log.len() * mem::size_of::<Entry<T>>()
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
