//! A copy of one group's in-core bitmap, and the chunks that follow from it.
//!
//! ```text
//!   cluster  0 1 2 3 4 5 6 7 8 ...      x used
//!            x x x . . . . . . . . . x
//!   chunks         1|  4    |  4    |      aligned to their own size
//! ```

/// A group's bitmap: a set bit is a cluster in use.
#[derive(Debug)]
pub(super) struct GroupBits {
    words: Vec<u64>,
    clusters: u32,
    /// Largest order of a chunk (`s_blocksize_bits + 1`).
    order_max: u32,
}

impl GroupBits {
    pub(super) fn new(words: Vec<u64>, clusters: u32, order_max: u32) -> Self {
        GroupBits { words, clusters, order_max }
    }

    /// True for a free cluster of the group.
    pub(super) fn is_free(&self, n: u32) -> bool {
        n < self.clusters && self.words[(n / 64) as usize] >> (n % 64) & 1 == 0
    }

    /// The first cluster from `n` that is free (or in use), else the group's end.
    fn next(&self, n: u32, free: bool) -> u32 {
        self.next_before(n, self.clusters, free)
    }

    /// The first cluster from `n` that is free (or in use), else `end`.
    fn next_before(&self, n: u32, end: u32, free: bool) -> u32 {
        let mut at = n;
        while at < end {
            let word = self.words[(at / 64) as usize];
            let wanted = if free { !word } else { word } >> (at % 64);
            if wanted != 0 {
                return (at + wanted.trailing_zeros()).min(end);
            }
            at = (at / 64 + 1) * 64;
        }
        end
    }

    /// The first free cluster from `n`.
    pub(super) fn next_free(&self, n: u32) -> Option<u32> {
        let at = self.next(n, true);
        (at < self.clusters).then_some(at)
    }

    /// Free runs: first cluster and length.
    pub(super) fn free_runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = self.next_free(at)?;
            at = self.next(start, false);
            Some((start, at - start))
        })
    }

    fn all_free(&self, start: u32, len: u32) -> bool {
        start + len <= self.clusters && self.next_before(start, start + len, false) == start + len
    }

    /// `mb_find_order_for_block()`: order of the chunk a free cluster belongs to.
    pub(super) fn order(&self, n: u32) -> u32 {
        let mut order = 0;
        while order < self.order_max {
            let size = 1 << order;
            let start = n & !(size - 1);
            if !self.all_free(start ^ size, size) {
                break;
            }
            order += 1;
        }
        order
    }

    /// `mb_find_extent()`: the free run from `n` in steps of chunks, until it
    /// has `needed` clusters; 0 if `n` is in use.
    pub(super) fn find_extent(&self, n: u32, needed: u32) -> u32 {
        if !self.is_free(n) {
            return 0;
        }
        let mut end = n;
        loop {
            let order = self.order(end);
            end = (end >> order << order) + (1 << order);
            if end - n >= needed || !self.is_free(end) {
                return end - n;
            }
        }
    }

    /// Chunks in order: first cluster and order.
    fn chunks(&self) -> impl Iterator<Item = (u32, u32)> {
        self.free_runs().flat_map(move |(start, len)| {
            let (mut at, end) = (start, start + len);
            std::iter::from_fn(move || {
                (at < end).then(|| {
                    let fits = (end - at).ilog2();
                    let order = at.trailing_zeros().min(fits).min(self.order_max);
                    let chunk = (at, order);
                    at += 1 << order;
                    chunk
                })
            })
        })
    }

    /// `bb_largest_free_order`.
    pub(super) fn largest_order(&self) -> Option<u32> {
        self.chunks().map(|(_, order)| order).max()
    }

    /// The lowest chunk of the smallest order that is at least `order`.
    pub(super) fn smallest_chunk(&self, order: u32) -> Option<(u32, u32)> {
        self.chunks().filter(|chunk| chunk.1 >= order).min_by_key(|&(start, order)| (order, start))
    }

    /// How often finding the free run from `n` asks for a chunk's order.
    pub(super) fn orders_of_finding(&self, n: u32, needed: u32) -> u32 {
        let (mut end, mut count) = (n, 0);
        while self.is_free(end) && (end == n || end - n < needed) {
            end = (end >> self.order(end) << self.order(end)) + (1 << self.order(end));
            count += 1;
        }
        count
    }

    /// How often marking `len` clusters from `start` asks for a chunk's order: once a chunk, and once more for
    /// each time that one is split.
    pub(super) fn orders_of_marking(&self, start: u32, len: u32) -> u32 {
        let (mut at, end, mut count) = (start, start + len, 0);
        // Behind the chunk that was split, and the most that its parts can have.
        let (mut split_end, mut most) = (0, 0);
        while at < end {
            let mut order = if at < split_end { most.min(at.trailing_zeros()) } else { self.order(at) };
            count += 1;
            if at >= split_end && (at.trailing_zeros() < order || end - at < 1 << order) {
                split_end = (at >> order << order) + (1 << order);
            }
            while at.trailing_zeros() < order || end - at < 1 << order {
                order -= 1;
                most = order;
                count += 1;
            }
            at += 1 << order;
        }
        count
    }

    /// Marking `len` clusters from `start` chunk by chunk: what is left when one
    /// first has to be split, and its order; zeros if none has.
    pub(super) fn first_split(&self, start: u32, len: u32) -> (u32, u32) {
        let (mut at, end) = (start, start + len);
        while at < end {
            let order = self.order(at);
            if at.trailing_zeros() < order || end - at < 1 << order {
                return (end - at, order);
            }
            at += 1 << order;
        }
        (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 4096 clusters of which those from 1099 are free, as after mke2fs on 16 MiB.
    fn fresh() -> GroupBits {
        let mut words = vec![!0u64; 512];
        for n in 1099..4096usize {
            words[n / 64] &= !(1 << (n % 64));
        }
        GroupBits::new(words, 32768, 13)
    }

    #[test]
    fn chunks_of_a_fresh_image() {
        let bits = fresh();
        assert_eq!(bits.free_runs().collect::<Vec<_>>(), [(1099, 2997)]);
        assert_eq!(bits.find_extent(1099, 512), 949);
        assert_eq!(bits.find_extent(2048, 512), 2048);
        assert_eq!(bits.first_split(1099, 512), (75, 9));
        assert_eq!((bits.orders_of_finding(1099, 512), bits.orders_of_finding(2048, 512)), (7, 1));
        assert_eq!(bits.orders_of_marking(1099, 512), 19);
        assert_eq!(bits.first_split(1099, 16), (11, 4));
        assert_eq!(bits.largest_order(), Some(11));
        assert_eq!(bits.smallest_chunk(1), Some((1100, 2)));
    }

    proptest! {
        #[test]
        fn the_order_of_a_cluster_is_that_of_its_chunk(
            words in prop::collection::vec(prop_oneof![Just(0u64), Just(!0u64), any::<u64>()], 8), clusters in 1u32..512,
        ) {
            let bits = GroupBits::new(words, clusters, 7);
            let mut covered = 0;
            for (start, order) in bits.chunks() {
                for n in start..start + (1 << order) {
                    prop_assert_eq!((bits.is_free(n), bits.order(n)), (true, order));
                    covered += 1;
                }
            }
            prop_assert_eq!(covered, (0..512).filter(|&n| bits.is_free(n)).count());
        }
    }
}
