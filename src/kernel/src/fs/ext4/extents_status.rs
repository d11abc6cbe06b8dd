//! The extent status tree: what is known of a file's blocks without asking the
//! disk. Mirrors fs/ext4/extents_status.c.
//!
//! ```text
//!   es: (inode, first block) ── len, pblk, W written | U unwritten | D delayed | H hole, R referenced
//! ```
//!
//! Entries never overlap. Neighbours of one type are one entry (W and U only if
//! their blocks lie one behind the other on the device too). A delayed or hole
//! entry has no block of its own and shows 0; the right part of one that was cut
//! in the middle shows the kernel's filler [`FILLER_PBLK`].
//!
//! Not modelled: the shrinker; see
//! docs/omissions.md#extent-status.

use world::{Counter, ExtentStatus, InodeId, World};

use crate::fs::ext4::balloc::dirtyclusters_add;
use crate::mm::page_writeback::ino_of;
use crate::point;
use crate::trace::Graph as _;

/// EXTENT_STATUS_WRITTEN.
pub const ES_WRITTEN: u8 = 1;
/// EXTENT_STATUS_UNWRITTEN.
pub const ES_UNWRITTEN: u8 = 2;
/// EXTENT_STATUS_DELAYED.
pub const ES_DELAYED: u8 = 4;
/// EXTENT_STATUS_HOLE.
pub const ES_HOLE: u8 = 8;
/// EXTENT_STATUS_REFERENCED.
pub const ES_REFERENCED: u8 = 16;

/// EXT_MAX_BLOCKS: one more than the last block a file can have.
pub const EXT_MAX_BLOCKS: u32 = u32::MAX;
/// What stands as the block of the right part of a cut delayed or hole entry.
pub const FILLER_PBLK: u64 = 549_196_775_151;

const TYPES: u8 = ES_WRITTEN | ES_UNWRITTEN | ES_DELAYED | ES_HOLE;
const ON_DISK: u8 = ES_WRITTEN | ES_UNWRITTEN;

type Entry = (u32, ExtentStatus);

fn end_of((lblk, es): Entry) -> u64 {
    u64::from(lblk) + u64::from(es.len)
}

fn last_of(lblk: u32, len: u32) -> u32 {
    lblk.saturating_add(len - 1)
}

fn delayed_only(es: ExtentStatus) -> bool {
    es.status & ES_DELAYED != 0 && es.status & ES_UNWRITTEN == 0
}

fn delayed(es: ExtentStatus) -> bool {
    es.status & ES_DELAYED != 0
}

/// The entry that begins at or before `lblk`.
fn at_or_before(w: &World, inode: InodeId, lblk: u32) -> Option<Entry> {
    let (&(of, at), &es) = w.es.entries().at_or_before(&(inode, lblk))?;
    (of == inode).then_some((at, es))
}

/// The entry that begins behind `lblk`.
fn behind(w: &World, inode: InodeId, lblk: u32) -> Option<Entry> {
    let from = lblk.checked_add(1)?;
    let (&(of, at), &es) = w.es.entries().at_or_behind(&(inode, from))?;
    (of == inode).then_some((at, es))
}

/// `__es_tree_search()`: the entry that covers `lblk`, else the next one.
fn search(w: &World, inode: InodeId, lblk: u32) -> Option<Entry> {
    at_or_before(w, inode, lblk).filter(|&found| end_of(found) > u64::from(lblk)).or_else(|| behind(w, inode, lblk))
}

/// `ext4_es_lookup_extent()`: the entry that covers `lblk` with its first
/// block, as it was; the look-up then sets REFERENCED in it.
pub fn es_lookup_extent(w: &mut World, inode: InodeId, lblk: u32) -> Option<(u32, ExtentStatus)> {
    let ino = ino_of(w, inode);
    w.graph("ext4_es_lookup_extent");
    point!(w, EXT4_ES_LOOKUP_EXTENT_ENTER, ino, lblk);
    let found = at_or_before(w, inode, lblk).filter(|&found| end_of(found) > u64::from(lblk));
    if let Some((at, mut es)) = found
        && es.status & ES_REFERENCED == 0
    {
        es.status |= ES_REFERENCED;
        w.es_set((inode, at), Some(es));
    }
    let (at, es) = found.unwrap_or_default();
    point!(w, EXT4_ES_LOOKUP_EXTENT_EXIT, ino, found.is_some(), at, es.len, es.pblk, es.status);
    found
}

/// `ext4_es_find_extent_range()` up to `end`: the first entry that is delayed
/// (delayed and not unwritten, if `delayed_only`) and covers or follows `lblk`.
/// As in the kernel the first entry found is taken even if it begins behind `end`.
pub fn es_find_extent_range_to(
    w: &mut World,
    inode: InodeId,
    only: bool,
    lblk: u32,
    end: u32,
) -> Option<(u32, ExtentStatus)> {
    let ino = ino_of(w, inode);
    w.graph("ext4_es_find_extent_range { __es_find_extent_range }");
    point!(w, EXT4_ES_FIND_EXTENT_RANGE_ENTER, ino, lblk);
    let matches = |es| if only { delayed_only(es) } else { delayed(es) };
    let mut found = search(w, inode, lblk);
    while let Some((at, es)) = found {
        if matches(es) {
            break;
        }
        found = behind(w, inode, at).filter(|&(next, _)| next <= end);
    }
    let (at, es) = found.unwrap_or_default();
    point!(w, EXT4_ES_FIND_EXTENT_RANGE_EXIT, ino, at, es.len, es.pblk, es.status);
    found
}

/// `ext4_es_find_extent_range()` without an end.
pub fn es_find_extent_range(
    w: &mut World,
    inode: InodeId,
    delayed_only: bool,
    lblk: u32,
) -> Option<(u32, ExtentStatus)> {
    es_find_extent_range_to(w, inode, delayed_only, lblk, EXT_MAX_BLOCKS)
}

/// `ext4_es_scan_range()`: whether a delayed block lies in `lblk..=end`.
#[must_use]
pub fn es_scan_range(w: &World, inode: InodeId, lblk: u32, end: u32) -> bool {
    let mut found = search(w, inode, lblk);
    while let Some((at, es)) = found {
        if at > end {
            return false;
        }
        if delayed(es) {
            return true;
        }
        found = behind(w, inode, at);
    }
    false
}

/// `ext4_es_delayed_clu()`: clusters of the range that hold a block which is
/// delayed and not unwritten.
#[must_use]
pub fn es_delayed_clu(w: &World, inode: InodeId, lblk: u32, len: u32) -> u32 {
    let end = u64::from(lblk) + u64::from(len);
    let clusters = delayed_clusters(w, inode, lblk, end);
    u32::try_from(clusters.iter().map(|range| range.end - range.start).sum::<u64>()).unwrap_or(u32::MAX)
}

/// Clusters with a delayed, not unwritten block in `lblk..end`, as ranges that
/// do not overlap.
fn delayed_clusters(w: &World, inode: InodeId, lblk: u32, end: u64) -> Vec<std::ops::Range<u64>> {
    let bits = w.sb().cluster_bits;
    let mut clusters: Vec<std::ops::Range<u64>> = Vec::new();
    let mut found = search(w, inode, lblk);
    while let Some((at, es)) = found.filter(|&(at, _)| u64::from(at) < end) {
        if delayed_only(es) {
            let first = u64::from(at.max(lblk)) >> bits;
            let last = (end.min(end_of((at, es))) - 1) >> bits;
            let first = clusters.last().map_or(first, |before| first.max(before.end));
            if first <= last {
                clusters.push(first..last + 1);
            }
        }
        found = behind(w, inode, at);
    }
    clusters
}

/// `ext4_es_scan_clu()`: whether an entry of the cluster of `lblk` is delayed
/// and not unwritten, or else `mapped`: written or unwritten.
#[must_use]
pub fn es_scan_clu(w: &World, inode: InodeId, lblk: u32, mapped: bool) -> bool {
    let bits = w.sb().cluster_bits;
    let first = lblk >> bits << bits;
    let last = u64::from(first) + (1 << bits);
    let mut found = search(w, inode, first);
    while let Some((at, es)) = found.filter(|&(at, _)| u64::from(at) < last) {
        if if mapped { es.status & ON_DISK != 0 } else { delayed_only(es) } {
            return true;
        }
        found = behind(w, inode, at);
    }
    false
}

/// Reserved clusters that go with the delayed blocks of `lblk..=end`: not those
/// that other delayed blocks share, nor those with blocks on disk.
///
/// Simpler than the kernel's tree of pending reservations: which clusters are
/// partly on disk is seen from the entries.
fn clusters_released(w: &World, inode: InodeId, lblk: u32, end: u32) -> u32 {
    let bits = w.sb().cluster_bits;
    let clusters = delayed_clusters(w, inode, lblk, u64::from(end) + 1);
    let mut count: u64 = clusters.iter().map(|range| range.end - range.start).sum();
    if bits > 0 {
        for cluster in clusters.into_iter().flatten() {
            let first = u32::try_from(cluster << bits).unwrap_or(u32::MAX);
            let behind = u64::from(first) + (1 << bits);
            let others = lblk > first && !delayed_clusters(w, inode, first, lblk.into()).is_empty()
                || u64::from(end) + 1 < behind && !delayed_clusters(w, inode, end + 1, behind).is_empty();
            if others || es_scan_clu(w, inode, first, true) {
                count -= 1;
            }
        }
    }
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// `ext4_es_insert_extent()`: what was known of the range is replaced.
/// `pblk` is ignored for a delayed or hole entry.
pub fn es_insert_extent(w: &mut World, inode: InodeId, lblk: u32, len: u32, pblk: u64, status: u8) {
    let new = new_entry(len, pblk, status);
    point!(w, EXT4_ES_INSERT_EXTENT, ino_of(w, inode), lblk, len, new.pblk, new.status);
    if len > 0 {
        w.graph("ext4_es_insert_extent {");
        remove(w, inode, lblk, last_of(lblk, len));
        insert(w, inode, lblk, new);
        w.graph("}");
    }
}

/// `ext4_es_insert_delayed_block()`; `allocated`: its cluster has blocks already.
pub fn es_insert_delayed_block(w: &mut World, inode: InodeId, lblk: u32, allocated: bool) {
    let new = new_entry(1, 0, ES_DELAYED);
    point!(w, EXT4_ES_INSERT_DELAYED_BLOCK, ino_of(w, inode), lblk, 1u32, 0u64, new.status, allocated);
    w.graph("ext4_es_insert_delayed_block {");
    remove(w, inode, lblk, lblk);
    insert(w, inode, lblk, new);
    w.graph("}");
}

/// `ext4_es_cache_extent()`: adds what was seen on disk, unless anything is
/// known of the range.
pub fn es_cache_extent(w: &mut World, inode: InodeId, lblk: u32, len: u32, pblk: u64, status: u8) {
    let new = new_entry(len, pblk, status);
    point!(w, EXT4_ES_CACHE_EXTENT, ino_of(w, inode), lblk, len, new.pblk, new.status);
    w.graph("ext4_es_cache_extent {");
    if len > 0 && search(w, inode, lblk).is_none_or(|(at, _)| at > last_of(lblk, len)) {
        insert(w, inode, lblk, new);
    }
    w.graph("}");
}

/// `ext4_es_remove_extent()`: forgets the range, and gives the reservations of
/// its delayed blocks back.
pub fn es_remove_extent(w: &mut World, inode: InodeId, lblk: u32, len: u32) {
    point!(w, EXT4_ES_REMOVE_EXTENT, ino_of(w, inode), lblk, len);
    if len > 0 {
        let reserved = clusters_released(w, inode, lblk, last_of(lblk, len));
        w.graph("ext4_es_remove_extent {");
        remove(w, inode, lblk, last_of(lblk, len));
        w.graph("ext4_da_release_space }");
        ext4_da_release_space(w, inode, reserved);
    }
}

/// Forgets an inode's tree without a trace, as when its memory is freed.
pub fn es_clear_inode(w: &mut World, inode: InodeId) {
    let keys: Vec<u32> = w.es.entries().range((inode, 0)..=(inode, u32::MAX)).map(|(&(_, at), _)| at).collect();
    for at in keys {
        w.es_set((inode, at), None);
    }
}

/// `ext4_da_release_space()`, fs/ext4/inode.c:1530: gives `to_free` reserved
/// clusters back.
pub fn ext4_da_release_space(w: &mut World, inode: InodeId, to_free: u32) {
    if to_free == 0 {
        return;
    }
    let (mode, size) = (w.inodes.at(inode).mode, *w.sizes.at(inode));
    point!(w, EXT4_DA_RELEASE_SPACE, ino_of(w, inode), mode, size.i_blocks, to_free, size.reserved);
    // A count that went wrong is put right silently, where the kernel warns.
    let freed = to_free.min(size.reserved);
    w.size_mut(inode).reserved -= freed;
    let freed = u64::from(freed).min(w.counter(Counter::DirtyClusters));
    dirtyclusters_add(w, -freed.cast_signed());
}

fn new_entry(len: u32, pblk: u64, status: u8) -> ExtentStatus {
    ExtentStatus { len, pblk: if status & ON_DISK == 0 { 0 } else { pblk }, status }
}

/// `__es_remove_extent()`: cuts `lblk..=end` out.
fn remove(w: &mut World, inode: InodeId, lblk: u32, end: u32) {
    w.graph("__es_remove_extent {");
    let mut found = search(w, inode, lblk);
    while let Some((at, es)) = found.filter(|&(at, _)| at <= end) {
        let behind_end = u64::from(end) + 1;
        let head = lblk.saturating_sub(at);
        let tail = u32::try_from(end_of((at, es)).saturating_sub(behind_end)).expect("a part is not longer than all");
        if head > 0 {
            w.es_set((inode, at), Some(ExtentStatus { len: head, ..es }));
        } else {
            w.es_set((inode, at), None);
        }
        match (head > 0, tail > 0) {
            (true, true) => w.graph("__es_insert_extent"),
            (false, false) => w.graph("ext4_es_free_extent"),
            _ => {}
        }
        if tail > 0 {
            let pblk = match (es.status & ON_DISK != 0, head > 0) {
                (true, _) => es.pblk + u64::from(es.len - tail),
                (false, true) => FILLER_PBLK,
                (false, false) => es.pblk,
            };
            w.es_set((inode, end + 1), Some(ExtentStatus { len: tail, pblk, ..es }));
            break;
        }
        found = behind(w, inode, at);
    }
    w.graph("}");
}

/// `__es_insert_extent()` into a range of which nothing is known; merges with
/// both neighbours.
fn insert(w: &mut World, inode: InodeId, lblk: u32, new: ExtentStatus) {
    let left = lblk.checked_sub(1).and_then(|before| at_or_before(w, inode, before));
    let right = behind(w, inode, lblk);
    let mut merged = (lblk, new);
    w.graph("__es_insert_extent {");
    if left.is_some_and(|left| can_be_merged(left, merged)) && right.is_some_and(|right| can_be_merged(merged, right)) {
        w.graph("ext4_es_free_extent");
    }
    w.graph("}");
    if let Some(right) = right.filter(|&right| can_be_merged(merged, right)) {
        w.es_set((inode, right.0), None);
        // The neighbour survives: its flags stay, and its filler block.
        let pblk = if right.1.status & ON_DISK != 0 { new.pblk } else { right.1.pblk };
        let status = right.1.status | new.status & ES_REFERENCED;
        merged = (lblk, ExtentStatus { len: new.len + right.1.len, pblk, status });
    }
    if let Some((at, es)) = left.filter(|&left| can_be_merged(left, merged)) {
        let status = es.status | merged.1.status & ES_REFERENCED;
        w.es_set((inode, at), Some(ExtentStatus { len: es.len + merged.1.len, status, ..es }));
    } else {
        w.es_set((inode, merged.0), Some(merged.1));
    }
}

/// `ext4_es_can_be_merged()`.
fn can_be_merged(left: Entry, right: Entry) -> bool {
    let (l, r) = (left.1, right.1);
    l.status & TYPES == r.status & TYPES
        && u64::from(l.len) + u64::from(r.len) <= u64::from(EXT_MAX_BLOCKS)
        && end_of(left) == u64::from(right.0)
        && (l.status & ON_DISK != 0 && l.pblk + u64::from(l.len) == r.pblk
            || l.status & ES_HOLE != 0
            || delayed_only(l))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INODE: InodeId = InodeId(3);

    /// The tree as traces write it: `[first/len) pblk letters`.
    fn text(w: &World) -> String {
        let entry = |(&(_, at), es): (&(InodeId, u32), &ExtentStatus)| {
            let letters: String = ['W', 'U', 'D', 'H', 'R']
                .iter()
                .enumerate()
                .filter(|(n, _)| es.status >> n & 1 != 0)
                .map(|(_, c)| c)
                .collect();
            format!("[{at}/{}) {} {letters}", es.len, es.pblk)
        };
        w.es.entries().iter().map(entry).collect::<Vec<_>>().join(" ")
    }

    fn world() -> World {
        let mut w = World::default();
        w.inode_mut(INODE).ino = 12;
        w.size_mut(INODE).reserved = 0;
        w
    }

    #[test]
    fn a_hole_is_eaten_block_by_block_from_its_head() {
        let mut w = world();
        es_insert_extent(&mut w, INODE, 0, EXT_MAX_BLOCKS, !0, ES_HOLE);
        es_lookup_extent(&mut w, INODE, 0);
        es_insert_delayed_block(&mut w, INODE, 0, false);
        assert_eq!(text(&w), "[0/1) 0 D [1/4294967294) 0 HR");
        es_insert_delayed_block(&mut w, INODE, 1, false);
        assert_eq!(text(&w), "[0/2) 0 D [2/4294967293) 0 HR");
    }

    #[test]
    fn the_right_part_of_a_cut_hole_has_the_filler_block() {
        let mut w = world();
        es_insert_extent(&mut w, INODE, 0, EXT_MAX_BLOCKS, !0, ES_HOLE);
        es_lookup_extent(&mut w, INODE, 1);
        es_insert_delayed_block(&mut w, INODE, 1, false);
        assert_eq!(text(&w), "[0/1) 0 HR [1/1) 0 D [2/4294967293) 549196775151 HR");
        es_insert_extent(&mut w, INODE, 1, 1, 0, ES_HOLE);
        assert_eq!(text(&w), "[0/4294967295) 0 HR");
    }

    #[test]
    fn written_parts_shift_and_merge_only_when_contiguous() {
        let mut w = world();
        es_insert_extent(&mut w, INODE, 0, 16, 1099, ES_UNWRITTEN);
        es_lookup_extent(&mut w, INODE, 1);
        es_insert_extent(&mut w, INODE, 1, 1, 1100, ES_WRITTEN);
        assert_eq!(text(&w), "[0/1) 1099 UR [1/1) 1100 W [2/14) 1101 UR");
        es_insert_extent(&mut w, INODE, 2, 14, 1101, ES_WRITTEN);
        assert_eq!(text(&w), "[0/1) 1099 UR [1/15) 1100 W");
        es_insert_extent(&mut w, INODE, 16, 1, 5000, ES_WRITTEN);
        assert_eq!(text(&w), "[0/1) 1099 UR [1/15) 1100 W [16/1) 5000 W");
    }

    #[test]
    fn inserting_the_same_unwritten_block_again_keeps_the_neighbours_mark() {
        let mut w = world();
        es_insert_extent(&mut w, INODE, 0, 16, 1099, ES_UNWRITTEN);
        es_lookup_extent(&mut w, INODE, 1);
        es_insert_extent(&mut w, INODE, 1, 1, 1100, ES_UNWRITTEN);
        assert_eq!(text(&w), "[0/16) 1099 UR");
    }

    #[test]
    fn caching_never_changes_what_is_known() {
        let mut w = world();
        es_insert_delayed_block(&mut w, INODE, 2, false);
        es_cache_extent(&mut w, INODE, 0, 5, 100, ES_WRITTEN);
        assert_eq!(text(&w), "[2/1) 0 D");
        es_cache_extent(&mut w, INODE, 0, 2, 100, ES_WRITTEN);
        assert_eq!(text(&w), "[0/2) 100 W [2/1) 0 D");
    }

    #[test]
    fn removing_delayed_blocks_gives_their_reservations_back() {
        let mut w = world();
        for lblk in 0..4 {
            es_insert_delayed_block(&mut w, INODE, lblk, false);
        }
        w.size_mut(INODE).reserved = 4;
        *w.counter_mut(Counter::DirtyClusters) = 4;
        es_remove_extent(&mut w, INODE, 2, EXT_MAX_BLOCKS - 2);
        assert_eq!((text(&w).as_str(), w.sizes.at(INODE).reserved), ("[0/2) 0 D", 2));
        assert_eq!(w.counter(Counter::DirtyClusters), 2);
        assert_eq!(es_delayed_clu(&w, INODE, 1, 10), 1);
    }

    #[test]
    fn finding_a_delayed_entry_skips_holes() {
        let mut w = world();
        es_insert_extent(&mut w, INODE, 0, EXT_MAX_BLOCKS, 0, ES_HOLE);
        es_insert_delayed_block(&mut w, INODE, 7, false);
        assert_eq!(es_find_extent_range(&mut w, INODE, true, 3).map(|found| found.0), Some(7));
        assert_eq!(es_find_extent_range_to(&mut w, INODE, true, 3, 6), None);
        assert!(es_scan_range(&w, INODE, 0, 7) && !es_scan_range(&w, INODE, 0, 6));
    }
}
