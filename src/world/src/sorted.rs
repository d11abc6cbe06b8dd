//! A sorted map in short pieces: found by two binary searches, changed by moving a few entries.
//!
//! ```text
//!   firsts   [ 0        64        130   ... ]   first key of each piece
//!   pieces   [ 0 1 .. ][ 64 65 .. ][ 130 .. ]   at most 64 entries each, none empty
//! ```
//!
//! It has the part of `BTreeMap`'s interface that is needed here, and is two to three times as fast on keys of a
//! few words, above all where a range is asked for its first or last entry.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// Entries in a piece.
const PIECE: usize = 64;

/// A map sorted by key.
#[derive(Clone, Debug, PartialEq)]
pub struct SortedMap<K, V> {
    firsts: Vec<K>,
    /// Shared with copies of the map until they change.
    pieces: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        SortedMap { firsts: Vec::new(), pieces: Vec::new(), len: 0 }
    }
}

/// A place among the entries: a piece and an entry of it, or behind the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    piece: usize,
    entry: usize,
}

impl<K: Ord + Copy, V: Copy> SortedMap<K, V> {
    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the pieces that no copy shares.
    pub(crate) fn own_bytes(&self) -> usize {
        let own = self.pieces.iter().filter(|piece| Arc::strong_count(piece) == 1);
        own.map(|piece| std::mem::size_of_val(&piece[..])).sum()
    }

    /// The piece whose keys are around `key`.
    #[inline]
    fn piece_of(&self, key: &K) -> usize {
        match self.firsts.len() {
            0 | 1 => 0,
            _ => self.firsts.partition_point(|first| first <= key).saturating_sub(1),
        }
    }

    /// The value at `key`.
    #[must_use]
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        let piece = self.pieces.get(self.piece_of(key))?;
        let at = piece.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        Some(&piece[at].1)
    }

    /// Puts `value` at `key`; gives the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let at = self.piece_of(&key);
        let Some(piece) = self.pieces.get_mut(at) else {
            self.firsts.push(key);
            self.pieces.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return None;
        };
        let piece = Arc::make_mut(piece);
        let entry = match piece.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(entry) => return Some(std::mem::replace(&mut piece[entry].1, value)),
            Err(entry) => entry,
        };
        self.len += 1;
        if piece.len() < PIECE {
            piece.insert(entry, (key, value));
            self.firsts[at] = piece[0].0;
            return None;
        }
        // Keys that come in order leave full pieces behind them.
        let mut behind = piece.split_off(if entry == PIECE { PIECE } else { PIECE / 2 });
        if entry > piece.len() || behind.is_empty() {
            behind.insert(entry - piece.len(), (key, value));
        } else {
            piece.insert(entry, (key, value));
        }
        self.firsts[at] = piece[0].0;
        self.firsts.insert(at + 1, behind[0].0);
        self.pieces.insert(at + 1, Arc::new(behind));
        None
    }

    /// Takes the entry of `key` out; gives its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.piece_of(key);
        let piece = self.pieces.get_mut(at)?;
        let entry = piece.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        let piece = Arc::make_mut(piece);
        let (_, value) = piece.remove(entry);
        self.len -= 1;
        match piece.first() {
            Some(first) => self.firsts[at] = first.0,
            None => {
                self.firsts.remove(at);
                self.pieces.remove(at);
            }
        }
        Some(value)
    }

    /// The first place whose key is not below `key`, or not below and not equal.
    fn place(&self, key: &K, behind: bool) -> Place {
        let at = self.piece_of(key);
        let Some(piece) = self.pieces.get(at) else { return self.end() };
        let entry = piece.partition_point(|(k, _)| k < key || behind && k == key);
        if entry < piece.len() { Place { piece: at, entry } } else { Place { piece: at + 1, entry: 0 } }
    }

    fn end(&self) -> Place {
        Place { piece: self.pieces.len(), entry: 0 }
    }

    /// The entries of a range of keys, in order.
    #[must_use]
    pub fn range(&self, keys: impl RangeBounds<K>) -> Entries<'_, K, V> {
        let front = match keys.start_bound() {
            Bound::Included(key) => self.place(key, false),
            Bound::Excluded(key) => self.place(key, true),
            Bound::Unbounded => Place { piece: 0, entry: 0 },
        };
        let back = match keys.end_bound() {
            Bound::Included(key) => self.place(key, true),
            Bound::Excluded(key) => self.place(key, false),
            Bound::Unbounded => self.end(),
        };
        Entries { pieces: &self.pieces, front, back: back.max(front) }
    }

    /// All entries, in order.
    #[must_use]
    pub fn iter(&self) -> Entries<'_, K, V> {
        self.range(..)
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The first entry.
    #[must_use]
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The last entry.
    #[must_use]
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// The last entry whose key is at most `key`.
    #[must_use]
    #[inline]
    pub fn at_or_before(&self, key: &K) -> Option<(&K, &V)> {
        let piece = self.pieces.get(self.piece_of(key))?;
        let behind = piece.partition_point(|(k, _)| k <= key);
        let (key, value) = &piece[behind.checked_sub(1)?];
        Some((key, value))
    }

    /// The first entry whose key is at least `key`.
    #[must_use]
    #[inline]
    pub fn at_or_behind(&self, key: &K) -> Option<(&K, &V)> {
        let Place { piece, entry } = self.place(key, false);
        let (key, value) = &self.pieces.get(piece)?[entry];
        Some((key, value))
    }
}

impl<'a, K: Ord + Copy, V: Copy> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Entries<'a, K, V>;

    fn into_iter(self) -> Entries<'a, K, V> {
        self.iter()
    }
}

/// Some entries of a [`SortedMap`] that lie one behind the other.
#[derive(Clone, Debug)]
pub struct Entries<'a, K, V> {
    pieces: &'a [Arc<Vec<(K, V)>>],
    front: Place,
    back: Place,
}

impl<'a, K, V> Iterator for Entries<'a, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.front == self.back {
            return None;
        }
        let piece = &self.pieces[self.front.piece];
        let (key, value) = &piece[self.front.entry];
        self.front.entry += 1;
        if self.front.entry == piece.len() {
            self.front = Place { piece: self.front.piece + 1, entry: 0 };
        }
        Some((key, value))
    }
}

impl<K, V> DoubleEndedIterator for Entries<'_, K, V> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front == self.back {
            return None;
        }
        if self.back.entry == 0 {
            let piece = self.back.piece - 1;
            self.back = Place { piece, entry: self.pieces[piece].len() };
        }
        self.back.entry -= 1;
        let (key, value) = &self.pieces[self.back.piece][self.back.entry];
        Some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A small generator, so that the keys come in no order.
    fn numbers(seed: u64) -> impl Iterator<Item = u32> {
        let mut state = seed;
        std::iter::from_fn(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some((state >> 33) as u32)
        })
    }

    #[test]
    fn does_what_a_btreemap_does() {
        for (seed, keys, steps) in [(1, 40, 400), (2, 600, 4000), (3, 100_000, 3000)] {
            let (mut ours, mut theirs) = (SortedMap::default(), BTreeMap::new());
            let mut number = numbers(seed);
            let mut next = |end: u32| number.next().expect("it has no end") % end;
            for step in 0..steps {
                let key = next(keys);
                if next(3) > 0 {
                    assert_eq!(ours.insert(key, step), theirs.insert(key, step));
                } else {
                    assert_eq!(ours.remove(&key), theirs.remove(&key));
                }
                let (a, b) = (next(keys), next(keys));
                let (a, b) = (a.min(b), a.max(b));
                assert_eq!(
                    (ours.len(), ours.is_empty(), ours.get(&a)),
                    (theirs.len(), theirs.is_empty(), theirs.get(&a))
                );
                assert!(ours.range(a..=b).take(5).eq(theirs.range(a..=b).take(5)));
                assert!(ours.range(a..b).rev().take(5).eq(theirs.range(a..b).rev().take(5)));
                assert_eq!(ours.at_or_before(&a), theirs.range(..=a).next_back());
                assert_eq!(ours.at_or_behind(&a), theirs.range(a..).next());
                assert_eq!(
                    (ours.first_key_value(), ours.last_key_value()),
                    (theirs.first_key_value(), theirs.last_key_value())
                );
            }
            assert!(
                ours.iter().eq(&theirs)
                    && ours.keys().eq(theirs.keys())
                    && ours.values().rev().eq(theirs.values().rev())
            );
        }
    }

    #[test]
    fn keys_in_order_fill_their_pieces() {
        let mut map = SortedMap::default();
        for key in 0..640u32 {
            map.insert(key, ());
        }
        assert_eq!(map.pieces.len(), 10);
    }
}
