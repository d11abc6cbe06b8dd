//! Preallocations: an inode's own, and a locality group's for small files.
//!
//! Live ones stand in `w.pas` in the order they were made.

use sched::Kthread;
use world::{BhId, Errno, InodeId, PaId, Prealloc, World};

use super::{Context, FreeExtent, MbFlags, Status, load_group, mb_free_blocks};
use crate::fs::ext4::balloc::{ext4_read_block_bitmap, group_and_offset, is_regular, offset_to_block};
use crate::mm::page_writeback::ino_of;
use crate::point;
use crate::trace::Graph as _;

/// Buckets of a locality group's list (PREALLOC_TB_SIZE), by log2 of what is free.
const BUCKETS: u32 = 10;
/// A bucket above this many is cut down to [`BUCKET_KEPT`].
const BUCKET_MAX: usize = 8;
const BUCKET_KEPT: usize = 5;
/// Preallocations an inode may have (`s_mb_max_inode_prealloc`).
const INODE_MAX: usize = 512;

/// Live preallocations, oldest first.
fn live(w: &World) -> impl Iterator<Item = (PaId, Prealloc)> {
    w.pas.iter().filter(|(_, pa)| pa.used).map(|(id, pa)| (id, *pa))
}

fn of_inode(w: &World, inode: InodeId) -> impl Iterator<Item = (PaId, Prealloc)> {
    live(w).filter(move |(_, pa)| !pa.group && pa.inode == inode)
}

fn group_of(w: &World, pa: &Prealloc) -> (u32, u32) {
    // One that is used up may end where the next group begins.
    group_and_offset(w, pa.pstart)
}

/// Clusters of `group` that are preallocated: first and count.
pub(super) fn ranges_of_group(w: &World, group: u32) -> Vec<(u32, u32)> {
    live(w)
        .filter(|(_, pa)| pa.len > 0)
        .map(|(_, pa)| (group_of(w, &pa), pa.len))
        .filter(|&((in_group, _), _)| in_group == group)
        .map(|((_, start), len)| (start, len))
        .collect()
}

/// Logical blocks an inode has preallocated: first and count.
pub(super) fn logical_ranges_of(w: &World, inode: InodeId) -> Vec<(u32, u64)> {
    let bits = w.sb().cluster_bits;
    of_inode(w, inode).map(|(_, pa)| (pa.lstart, u64::from(pa.len) << bits)).collect()
}

fn add(w: &mut World, pa: Prealloc) -> PaId {
    let id = PaId(live(w).last().map_or(0, |(id, _)| id.0 + 1));
    *w.pa_mut(id) = pa;
    id
}

fn remove(w: &mut World, id: PaId) {
    *w.pa_mut(id) = Prealloc::default();
}

/// At umount: all of them go; the disk's bitmap never knew of them.
pub(super) fn drop_all(w: &mut World) {
    for (id, _) in live(w).collect::<Vec<_>>() {
        remove(w, id);
    }
}

/// `ext4_mb_use_preallocated()`: true if the request is served.
pub(super) fn use_preallocated(w: &mut World, ac: &mut Context) -> bool {
    if !ac.flags.contains(MbFlags::HINT_DATA) {
        return false;
    }
    let bits = w.sb().cluster_bits;
    let logical = ac.original.logical;
    let covers = |pa: &Prealloc| {
        logical >= pa.lstart && u64::from(logical - pa.lstart) < u64::from(pa.len) << bits && pa.free > 0
    };
    let own = of_inode(w, ac.inode).find(|(_, pa)| covers(pa));
    if let Some((id, _)) = own {
        use_inode_pa(w, ac, id);
        return true;
    }
    if !ac.flags.contains(MbFlags::HINT_GROUP_ALLOC) {
        return false;
    }
    let goal = offset_to_block(w, ac.goal.group, ac.goal.start);
    let mut fit: Vec<_> = live(w).filter(|(_, pa)| pa.group && pa.free >= ac.original.len).collect();
    fit.sort_by_key(|&(id, pa)| (goal.abs_diff(pa.pstart), bucket(pa.free), pa.free, id));
    match fit.first() {
        Some(&(id, _)) => {
            use_group_pa(w, ac, id);
            true
        }
        None => false,
    }
}

/// `ext4_mb_use_inode_pa()`: block n lies at `pstart + (n - lstart)`.
fn use_inode_pa(w: &mut World, ac: &mut Context, id: PaId) {
    let bits = w.sb().cluster_bits;
    let pa = *w.pas.at(id);
    let start = pa.pstart + u64::from(ac.original.logical - pa.lstart);
    let end = (pa.pstart + (u64::from(pa.len) << bits)).min(start + (u64::from(ac.original.len) << bits));
    let len = u32::try_from((end - start).div_ceil(1 << bits)).expect("at most the request").min(pa.free);
    (ac.best.group, ac.best.start) = group_and_offset(w, start);
    ac.best.len = len;
    ac.status = Status::Found;
    ac.pa = id;
    w.pa_mut(id).free -= len;
}

/// `ext4_mb_use_group_pa()`: from its front, which moves on at once.
fn use_group_pa(w: &mut World, ac: &mut Context, id: PaId) {
    let bits = w.sb().cluster_bits;
    (ac.best.group, ac.best.start) = group_of(w, w.pas.at(id));
    ac.best.len = ac.original.len;
    ac.status = Status::Found;
    ac.pa = id;
    let pa = w.pa_mut(id);
    pa.pstart += u64::from(ac.original.len) << bits;
    pa.lstart = pa.lstart.wrapping_add(ac.original.len << bits);
    pa.len -= ac.original.len;
    pa.free -= ac.original.len;
}

/// `ext4_mb_new_preallocation()`: what was found beyond the request is kept.
pub(super) fn new_preallocation(w: &mut World, ac: &mut Context) {
    let ino = ino_of(w, ac.inode);
    if ac.flags.contains(MbFlags::HINT_GROUP_ALLOC) {
        let pstart = offset_to_block(w, ac.best.group, ac.best.start);
        let len = ac.best.len;
        // The kernel's logical start of a group's is its physical one.
        let lstart = pstart as u32;
        let id = add(w, Prealloc { used: true, group: true, inode: InodeId::NONE, pstart, lstart, len, free: len });
        w.graph("ext4_mb_new_group_pa { ext4_get_group_no_and_offset ext4_get_group_info }");
        point!(w, EXT4_MB_NEW_GROUP_PA, ino, pstart, len, lstart);
        use_group_pa(w, ac, id);
        return;
    }
    if ac.best.len < ac.goal.len {
        ac.best.logical = short_lstart(w, ac);
    }
    ac.found_ex = ac.best;
    let pstart = offset_to_block(w, ac.best.group, ac.best.start);
    let (lstart, len) = (ac.best.logical, ac.best.len);
    let id = add(w, Prealloc { used: true, group: false, inode: ac.inode, pstart, lstart, len, free: len });
    w.graph("ext4_mb_new_inode_pa { ext4_get_group_no_and_offset ext4_get_group_info }");
    point!(w, EXT4_MB_NEW_INODE_PA, ino, pstart, len, lstart);
    use_inode_pa(w, ac, id);
}

/// First logical block of a preallocation shorter than the goal: kept at the
/// goal's end if it still covers the block, else at its start if it covers the
/// request's end, else at the block.
fn short_lstart(w: &World, ac: &Context) -> u32 {
    let bits = w.sb().cluster_bits;
    let len = u64::from(ac.best.len) << bits;
    let at_end = ac.goal.logical_end(bits) - len;
    let wanted = u64::from(ac.original.logical);
    if wanted >= at_end {
        return u32::try_from(at_end).expect("not above the request");
    }
    if ac.original.logical_end(bits) <= u64::from(ac.goal.logical) + len {
        return ac.goal.logical;
    }
    ac.original.logical
}

/// `ext4_discard_allocated_blocks()`: the disk was not marked, so the blocks go back.
pub(super) fn discard_allocated_blocks(w: &mut World, ac: &Context) {
    let FreeExtent { group, start, len, .. } = if ac.pa.is_some() { ac.best } else { ac.found_ex };
    if ac.pa.is_some() && !w.pas.at(ac.pa).group {
        w.pa_mut(ac.pa).free += len;
    } else {
        mb_free_blocks(w, group, start, len);
    }
}

fn bucket(free: u32) -> u32 {
    free.checked_ilog2().unwrap_or(0).min(BUCKETS - 1)
}

/// `ext4_mb_release_context()`: a preallocation used up goes; lists too long are cut.
pub(super) async fn release_context(kt: &Kthread, ac: &Context) {
    let Some(id) = ac.pa.some() else { return };
    let too_many = kt.with(|w| {
        let pa = *w.pas.at(id);
        if !pa.used {
            return false;
        }
        if pa.free == 0 {
            remove(w, id);
        } else if pa.group {
            trim_bucket(w, id);
        }
        of_inode(w, ac.inode).count() > INODE_MAX + INODE_MAX / 4 + 1
    });
    if too_many {
        let count = kt.with(|w| of_inode(w, ac.inode).count());
        discard_inode(kt, ac.inode, count - INODE_MAX).await;
    }
}

/// `ext4_mb_add_n_trim()`: no bucket keeps more than eight.
fn trim_bucket(w: &mut World, id: PaId) {
    let order = bucket(w.pas.at(id).free);
    let mut list: Vec<_> = live(w).filter(|(_, pa)| pa.group && bucket(pa.free) == order).collect();
    if list.len() <= BUCKET_MAX {
        return;
    }
    let excess = list.len() - BUCKET_KEPT;
    list.sort_by_key(|&(other, pa)| (pa.free, other));
    list.retain(|&(other, _)| other != id);
    for &(other, pa) in list.iter().take(excess) {
        remove(w, other);
        release_group_pa(w, &pa);
    }
}

/// `ext4_mb_release_group_pa()`.
fn release_group_pa(w: &mut World, pa: &Prealloc) {
    point!(w, EXT4_MB_RELEASE_GROUP_PA, pa.pstart, pa.len);
    if pa.len == 0 {
        return;
    }
    let (group, start) = group_of(w, pa);
    mb_free_blocks(w, group, start, pa.len);
    point!(w, EXT4_MBALLOC_DISCARD, 0u64, group, start, pa.len);
}

/// `ext4_mb_release_inode_pa()`: frees what the disk's bitmap does not say is used.
fn release_inode_pa(w: &mut World, pa: &Prealloc, bitmap_bh: BhId) {
    use ondisk::layout::bitmap::{find_clear, find_set};
    let (group, start) = group_of(w, pa);
    let (mut at, end) = (start, start + pa.len);
    let map = w.bh_bytes(bitmap_bh).to_vec();
    let ino = ino_of(w, pa.inode);
    while let Some(first) = find_clear(&map, at..end) {
        let next = find_set(&map, first..end).unwrap_or(end);
        let block = offset_to_block(w, group, first);
        point!(w, EXT4_MBALLOC_DISCARD, 0u64, group, first, next - first);
        point!(w, EXT4_MB_RELEASE_INODE_PA, ino, block, next - first);
        mb_free_blocks(w, group, first, next - first);
        at = next;
    }
}

/// Another task is inside an allocation for this inode (`pa_count`).
fn is_busy(w: &World, kt: &Kthread, pa: &Prealloc) -> bool {
    let writer = w.locks.get(pa.inode).map_or(0, |lock| lock.i_data_sem.writer);
    !pa.group && writer != 0 && writer != kt.task.0 + 1
}

/// `ext4_mb_discard_group_preallocations()`: clusters freed, and whether one was in use.
async fn discard_group(kt: &Kthread, group: u32) -> (u32, bool) {
    let in_group = |w: &World| -> Vec<(PaId, Prealloc)> {
        live(w).filter(|(_, pa)| pa.len > 0 && group_of(w, pa).0 == group).collect()
    };
    if kt.with(|w| in_group(w).is_empty()) {
        return (0, false);
    }
    let Ok(bitmap_bh) = ext4_read_block_bitmap(kt, group).await else { return (0, false) };
    if load_group(kt, group).await.is_err() {
        return (0, false);
    }
    kt.with(|w| {
        let (busy, idle): (Vec<_>, Vec<_>) = in_group(w).into_iter().partition(|(_, pa)| is_busy(w, kt, pa));
        let mut freed = 0;
        for (id, pa) in idle {
            freed += pa.free;
            remove(w, id);
            if pa.group {
                release_group_pa(w, &pa);
            } else {
                release_inode_pa(w, &pa, bitmap_bh);
            }
        }
        (freed, !busy.is_empty())
    })
}

/// `ext4_mb_discard_preallocations_should_retry()`: after a search that found
/// nothing, whether another may.
pub(super) async fn discard_should_retry(kt: &Kthread, ac: &mut Context) -> bool {
    let wanted = ac.original.len;
    kt.with(|w| point!(w, EXT4_MB_DISCARD_PREALLOCATIONS, wanted));
    let groups = kt.with(|w| w.sb().groups);
    let mut freed = 0;
    for _ in 0..3 {
        let mut any_busy = false;
        for group in 0..groups {
            if freed >= wanted {
                break;
            }
            let (count, busy) = discard_group(kt, group).await;
            freed += count;
            any_busy |= busy;
        }
        if freed >= wanted || !any_busy {
            break;
        }
    }
    if freed > 0 {
        return true;
    }
    // Once more with every check made under the lock.
    let first = !ac.flags.contains(MbFlags::STRICT_CHECK);
    ac.flags.insert(MbFlags::STRICT_CHECK);
    first
}

/// `ext4_discard_preallocations()`: an inode's own go, all of them.
pub async fn ext4_discard_preallocations(kt: &Kthread, inode: InodeId) {
    discard_inode(kt, inode, 0).await;
}

/// The oldest `needed` go, or all for 0.
async fn discard_inode(kt: &Kthread, inode: InodeId, needed: usize) {
    kt.graph("ext4_discard_preallocations {");
    let taken: Vec<Prealloc> = kt.with(|w| {
        if !is_regular(w, inode) {
            return Vec::new();
        }
        let mine: Vec<_> = of_inode(w, inode).collect();
        let (ino, active) = (ino_of(w, inode), mine.len());
        point!(w, EXT4_DISCARD_PREALLOCATIONS, ino, active, needed);
        let count = if needed == 0 { active } else { needed };
        let taken: Vec<_> = mine.into_iter().take(count).collect();
        for (id, _) in &taken {
            remove(w, *id);
        }
        taken.into_iter().map(|(_, pa)| pa).rev().collect()
    });
    for pa in taken {
        // A bitmap that cannot be read any more: the blocks stay taken until umount.
        let _: Result<(), Errno> = release_one(kt, &pa).await;
    }
    kt.graph("}");
}

async fn release_one(kt: &Kthread, pa: &Prealloc) -> Result<(), Errno> {
    let group = kt.with(|w| group_of(w, pa).0);
    load_group(kt, group).await?;
    let bitmap_bh = ext4_read_block_bitmap(kt, group).await?;
    kt.with(|w| release_inode_pa(w, pa, bitmap_bh));
    Ok(())
}
