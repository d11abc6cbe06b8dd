//! Which clusters: the request made larger, the groups gone through.

use ondisk::layout::group_desc::GroupFlags;
use sched::Kthread;
use world::{BhFlags, Counter, Errno, GroupId, PaId, World};

use super::{AllocationRequest, Context, FreeExtent, GroupBits, MbFlags, Status};
use super::{graph_orders, group_bits, halves, load_group, mb_mark_used, prealloc};
use crate::fs::ext4::balloc::{
    FLEX_SIZE_DIR_ALLOC_SCHEME, blocks_per_group, ext4_get_group_desc, group_and_offset, group_is_corrupt,
    has_group_desc_csum, read_block_bitmap_nowait,
};
use crate::fs::ext4::extents_status::EXT_MAX_BLOCKS;
use crate::trace::Graph as _;
use crate::{probe, site, trace};

/// `s_mb_max_to_scan`, `s_mb_min_to_scan`.
const MAX_TO_SCAN: u32 = 200;
const MIN_TO_SCAN: u32 = 10;
/// `s_mb_stream_request`: files above this many blocks are streamed.
const STREAM_REQUEST: u64 = 16;
/// log2 of the shortest request for which whole chunks are looked for, plus 1.
const ORDER2_REQS: u32 = 2;
/// Blocks a locality group takes at once, and its least clusters.
const GROUP_PREALLOC: u32 = 512;
const GROUP_PREALLOC_MIN: u32 = 32;

/// Size in bytes up to which a file's end is rounded up to this.
const SIZES: [u64; 7] = [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];

/// `ext4_mb_initialize_context()`.
pub(super) fn initialize_context(w: &World, ar: &AllocationRequest) -> Context {
    let sb = w.sb();
    let first = u64::from(sb.first_data_block);
    let goal = if ar.goal < first || ar.goal >= sb.blocks { first } else { ar.goal };
    let (group, start) = group_and_offset(w, goal);
    let logical = ar.logical >> sb.cluster_bits << sb.cluster_bits;
    let original = FreeExtent { group, start, len: ar.len.min(sb.clusters_per_group), logical };
    let mut ac = Context {
        inode: ar.inode,
        original,
        goal: original,
        best: FreeExtent { logical, ..FreeExtent::default() },
        found_ex: FreeExtent::default(),
        status: Status::Continue,
        flags: ar.flags,
        order2: 0,
        criteria: 0,
        found: 0,
        groups_scanned: 0,
        tail: 0,
        split_order: 0,
        pa: PaId::NONE,
    };
    group_or_file(w, &mut ac);
    ac
}

/// `ext4_mb_group_or_file()`: small files share a locality group's
/// preallocation, large ones have their own, a closed file's end has none.
fn group_or_file(w: &World, ac: &mut Context) {
    if !ac.flags.contains(MbFlags::HINT_DATA) {
        return;
    }
    let sb = w.sb();
    let size = ac.original.logical_end(sb.cluster_bits);
    let i_size = w.sizes.at(ac.inode).i_size.div_ceil(1 << sb.block_bits);
    if size == i_size && w.inodes.at(ac.inode).writers == 0 {
        ac.flags.insert(MbFlags::HINT_NOPREALLOC);
    } else if size.max(i_size) > STREAM_REQUEST {
        ac.flags.insert(MbFlags::STREAM_ALLOC);
    } else {
        ac.flags.insert(MbFlags::HINT_GROUP_ALLOC);
    }
}

/// `ext4_mb_normalize_request()`: the request as large and as aligned as the
/// file may soon need, without what is already allocated or preallocated.
pub(super) fn normalize_request(w: &mut World, ac: &mut Context, ar: &AllocationRequest) {
    if !ac.flags.contains(MbFlags::HINT_DATA) || ac.flags.contains(MbFlags::HINT_NOPREALLOC) {
        return;
    }
    let sb = w.sb();
    if ac.flags.contains(MbFlags::HINT_GROUP_ALLOC) {
        ac.goal.len = (GROUP_PREALLOC >> sb.cluster_bits).max(GROUP_PREALLOC_MIN);
        return;
    }
    let bits = sb.block_bits;
    let logical = u64::from(ac.original.logical);
    let bytes = (ac.original.logical_end(sb.cluster_bits) << bits).max(w.sizes.at(ac.inode).i_size);
    let aligned = |log2: u8| (logical >> (log2 - bits) << log2, 1u64 << log2);
    let chunk_max = 2u64 << bits;
    let (offset, size) = if let Some(&size) = SIZES.iter().find(|&&size| bytes <= size) {
        (0, size)
    } else if bytes <= 4 << 20 || chunk_max <= 2 << 10 {
        aligned(21)
    } else if bytes <= 8 << 20 || chunk_max <= 4 << 10 {
        aligned(22)
    } else if u64::from(ac.original.len) <= (8 << 20) >> bits || chunk_max <= 8 << 10 {
        aligned(23)
    } else {
        (logical << bits, u64::from(ac.original.len) << sb.cluster_bits << bits)
    };
    let per_group = blocks_per_group(w);
    let mut size = size >> bits;
    let mut start = (offset >> bits).max(logical / per_group * per_group);
    size = size.min(u64::from(EXT_MAX_BLOCKS).saturating_sub(start));
    // Not over blocks that are allocated.
    if ar.pleft != 0 && start <= u64::from(ar.lleft) {
        let next = u64::from(ar.lleft) + 1;
        size = size.saturating_sub(next - start);
        start = next;
    }
    if ar.pright != 0 && start + size > u64::from(ar.lright) {
        size = u64::from(ar.lright).saturating_sub(start);
    }
    size = size.min(per_group);
    // Nor over blocks that are preallocated.
    let mut end = start + size;
    for (lstart, len) in prealloc::logical_ranges_of(w, ac.inode) {
        let pa_end = u64::from(lstart) + len;
        if u64::from(lstart) >= end || pa_end <= start {
            continue;
        }
        if pa_end <= logical {
            start = pa_end;
        } else if u64::from(lstart) > logical {
            end = u64::from(lstart);
        }
    }
    let size = end.saturating_sub(start);
    let inside = start <= logical && logical < end && size <= per_group;
    let (Ok(logical_start), true) = (u32::try_from(start), inside) else {
        // Where the kernel would BUG() on a damaged tree: as asked.
        return;
    };
    ac.goal.logical = logical_start;
    ac.goal.len = u32::try_from(size.div_ceil(1 << sb.cluster_bits)).expect("at most a group");
    if ar.pright != 0
        && u64::from(ar.lright) == end
        && ar.pright.checked_sub(size).is_some_and(|goal| goal >= u64::from(sb.first_data_block))
    {
        w.graph("ext4_get_group_no_and_offset");
        (ac.goal.group, ac.goal.start) = group_and_offset(w, ar.pright - size);
        ac.flags.insert(MbFlags::HINT_TRY_GOAL);
    }
    if ar.pleft != 0 && u64::from(ar.lleft) + 1 == start && ar.pleft + 1 < sb.blocks {
        w.graph("ext4_get_group_no_and_offset");
        (ac.goal.group, ac.goal.start) = group_and_offset(w, ar.pleft + 1);
        ac.flags.insert(MbFlags::HINT_TRY_GOAL);
    }
}

/// `ext4_mb_use_best_found()`: takes the best extent out of the bitmap; what is
/// more than asked becomes a preallocation.
fn use_best_found(w: &mut World, ac: &mut Context) {
    w.graph("ext4_mb_use_best_found {");
    ac.best.len = ac.best.len.min(ac.goal.len);
    ac.best.logical = ac.goal.logical;
    (ac.tail, ac.split_order) = mb_mark_used(w, ac.best);
    ac.found_ex = ac.best;
    ac.status = Status::Found;
    if ac.flags.contains(MbFlags::STREAM_ALLOC) {
        *w.counter_mut(Counter::StreamGoal) = halves(ac.best.group, ac.best.start);
    }
    if ac.original.len < ac.best.len {
        prealloc::new_preallocation(w, ac);
    }
    w.graph("}");
}

/// `mb_find_extent()` as the graph has it.
fn graph_find(w: &mut World, bits: &GroupBits, start: u32, needed: u32) {
    w.graph("mb_find_extent {");
    graph_orders(w, |bits| bits.orders_of_finding(start, needed), bits);
    w.graph("}");
}

/// `ext4_mb_check_limits()`: whether the best extent so far is taken.
fn check_limits(w: &mut World, ac: &mut Context, bits: &GroupBits, group: u32, finish_group: bool) {
    w.graph("ext4_mb_check_limits {");
    limits(w, ac, bits, group, finish_group);
    w.graph("}");
}

fn limits(w: &mut World, ac: &mut Context, bits: &GroupBits, group: u32, finish_group: bool) {
    if ac.status == Status::Found {
        return;
    }
    if ac.found > MAX_TO_SCAN && !ac.flags.contains(MbFlags::HINT_FIRST) {
        ac.status = Status::Break;
        return;
    }
    if ac.best.len < ac.goal.len {
        return;
    }
    let enough = finish_group || ac.found > MIN_TO_SCAN;
    if enough && ac.best.group == group {
        graph_find(w, bits, ac.best.start, ac.goal.len);
    }
    if enough && ac.best.group == group && bits.find_extent(ac.best.start, ac.goal.len) >= ac.goal.len {
        use_best_found(w, ac);
    }
}

/// `ext4_mb_measure_extent()`: compares an extent with the best so far.
fn measure_extent(w: &mut World, ac: &mut Context, bits: &GroupBits, ex: FreeExtent) {
    ac.found += 1;
    if ac.flags.contains(MbFlags::HINT_FIRST) || ex.len == ac.goal.len {
        ac.best = ex;
        use_best_found(w, ac);
        return;
    }
    if ac.best.len == 0 {
        ac.best = ex;
        return;
    }
    let better =
        if ac.best.len < ac.goal.len { ex.len > ac.best.len } else { ex.len > ac.goal.len && ex.len < ac.best.len };
    if better {
        ac.best = ex;
    }
    check_limits(w, ac, bits, ex.group, false);
}

/// `ext4_mb_find_by_goal()`: the whole length at the goal's very place.
async fn find_by_goal(kt: &Kthread, ac: &mut Context) -> Result<(), Errno> {
    let goal = ac.goal;
    kt.graph("ext4_mb_find_by_goal { ext4_get_group_info");
    let skip = kt.with(|w| !ac.flags.contains(MbFlags::HINT_TRY_GOAL) || w.groups.at(GroupId(goal.group)).free == 0);
    if skip {
        kt.graph("}");
        return Ok(());
    }
    kt.graph(LOAD_BUDDY);
    if let Err(errno) = load_group(kt, goal.group).await {
        return if kt.with(|w| group_is_corrupt(w, goal.group)) { Ok(()) } else { Err(errno) };
    }
    kt.with(|w| {
        if !group_is_corrupt(w, goal.group) {
            let bits = group_bits(w, goal.group);
            let len = bits.find_extent(goal.start, goal.len);
            graph_find(w, &bits, goal.start, goal.len);
            if len >= goal.len {
                ac.found += 1;
                ac.best = FreeExtent { len, ..goal };
                use_best_found(w, ac);
            }
        }
        w.graph("}");
    });
    Ok(())
}

/// What `ext4_mb_load_buddy_gfp()` calls for a group that is loaded.
pub(super) const LOAD_BUDDY: &str = "ext4_mb_load_buddy_gfp { ext4_get_group_info pagecache_get_page { find_get_entry } \
                          pagecache_get_page { find_get_entry } }";

/// `ext4_mb_simple_scan_group()`: a chunk of at least the wanted order.
fn simple_scan_group(w: &mut World, ac: &mut Context, group: u32) {
    if let Some((start, order)) = group_bits(w, group).smallest_chunk(ac.order2) {
        ac.found += 1;
        ac.best = FreeExtent { group, start, len: 1 << order, logical: ac.best.logical };
        w.graph("ext4_mb_simple_scan_group {");
        use_best_found(w, ac);
        w.graph("}");
    }
}

/// `ext4_mb_complex_scan_group()`: every free extent, from the first free cluster.
fn complex_scan_group(w: &mut World, ac: &mut Context, group: u32) {
    let bits = group_bits(w, group);
    let info = *w.groups.at(GroupId(group));
    let (mut free, mut at) = (info.free, info.first_free);
    w.graph("ext4_mb_complex_scan_group {");
    while free > 0 && ac.status == Status::Continue {
        let Some(start) = bits.next_free(at) else { break };
        let len = bits.find_extent(start, ac.goal.len);
        graph_find(w, &bits, start, ac.goal.len);
        if free < len {
            break;
        }
        measure_extent(w, ac, &bits, FreeExtent { group, start, len, logical: 0 });
        at = start + len;
        free -= len;
    }
    check_limits(w, ac, &bits, group, true);
    w.graph("}");
}

/// `ext4_mb_good_group()`: whether the criteria let the search enter a loaded group.
fn good_group(w: &World, ac: &Context, group: u32) -> bool {
    let info = *w.groups.at(GroupId(group));
    if group_is_corrupt(w, group) || info.free == 0 || info.fragments == 0 {
        return false;
    }
    let len = ac.goal.len;
    match ac.criteria {
        0 => {
            let sb = w.sb();
            let flex_size = 1 << sb.flex_bits;
            let kept = ac.flags.contains(MbFlags::HINT_DATA)
                && flex_size >= FLEX_SIZE_DIR_ALLOC_SCHEME
                && group.is_multiple_of(flex_size);
            let order_max = u32::from(sb.block_bits) + 1;
            !kept
                && info.free >= len
                && (ac.order2 > order_max
                    || group_bits(w, group).largest_order().is_some_and(|order| order >= ac.order2))
        }
        1 => info.free / info.fragments >= len,
        2 => info.free >= len,
        _ => true,
    }
}

/// `ext4_mb_good_group_nolock()`: the same, loading the group if it is worth it.
async fn good_group_nolock(kt: &Kthread, ac: &Context, group: u32) -> Result<bool, Errno> {
    let load = kt.with(|w| {
        w.graph("ext4_get_group_info");
        let info = *w.groups.at(GroupId(group));
        if info.free == 0 || ac.criteria <= 2 && info.free < ac.goal.len || group_is_corrupt(w, group) {
            return None;
        }
        if info.loaded {
            return Some(false);
        }
        let flex_bits = w.sb().flex_bits;
        let first_of_flex = flex_bits != 0 && group & ((1 << flex_bits) - 1) == 0;
        if ac.criteria < 2 && !first_of_flex && !block_uninit(w, group) { None } else { Some(true) }
    });
    match load {
        None => return Ok(false),
        Some(true) => load_group(kt, group).await?,
        Some(false) => {}
    }
    Ok(kt.with(|w| {
        w.graph("ext4_mb_good_group { ext4_get_group_info }");
        good_group(w, ac, group)
    }))
}

/// A group whose bitmap was never written costs no read.
fn block_uninit(w: &mut World, group: u32) -> bool {
    has_group_desc_csum(w)
        && ext4_get_group_desc(w, group).is_ok_and(|(desc, _)| desc.flags().contains(GroupFlags::BLOCK_UNINIT))
}

/// Whether reading a group's bitmap ahead is of use.
fn worth_reading(w: &mut World, group: u32) -> bool {
    !w.groups.at(GroupId(group)).loaded && !group_is_corrupt(w, group) && on_disk_worth_reading(w, group)
}

fn on_disk_worth_reading(w: &mut World, group: u32) -> bool {
    ext4_get_group_desc(w, group).is_ok_and(|(desc, _)| desc.free_clusters() > 0) && !block_uninit(w, group)
}

/// `ext4_mb_prefetch()`: submits reads of `count` bitmaps from `group` on; gives
/// the next group and how many reads are still under way.
fn prefetch(w: &mut World, mut group: u32, count: u32) -> (u32, u32) {
    let mut under_way = 0;
    w.graph("ext4_mb_prefetch {");
    for _ in 0..count {
        w.graph("ext4_get_group_info");
        if worth_reading(w, group)
            && let Ok(Some(bh)) = read_block_bitmap_nowait(w, group, true)
            && !w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)
        {
            under_way += 1;
        }
        group += 1;
        if group >= w.sb().groups {
            group = 0;
        }
    }
    w.graph("}");
    (group, under_way)
}

/// `ext4_mb_prefetch_fini()`: loads the groups whose bitmaps were read ahead.
async fn prefetch_fini(kt: &Kthread, mut group: u32, count: u32) {
    for _ in 0..count {
        // v5.10 asks the descriptor of the group behind this one.
        let asked = group;
        if group == 0 {
            group = kt.with(|w| w.sb().groups);
        }
        group -= 1;
        let worth = kt.with(|w| !w.groups.at(GroupId(group)).loaded && on_disk_worth_reading(w, asked));
        if worth && load_group(kt, group).await.is_err() {
            break;
        }
    }
}

/// `s_mb_prefetch` and `s_mb_prefetch_limit`.
fn prefetch_limits(w: &World) -> (u32, u32) {
    let sb = w.sb();
    let segment = 65536 >> (sb.block_bits - 9);
    let at_once = if sb.flex_bits > 0 { (1u32 << sb.flex_bits).min(segment) * 8 } else { 32 };
    let at_once = at_once.min(sb.groups);
    (at_once, (at_once * 4).min(sb.groups))
}

/// `ext4_mb_regular_allocator()`: the goal, then all groups by criteria 0 to 3.
///
/// # Errors
/// What loading a group gives, if nothing was found.
pub(super) async fn regular_allocator(kt: &Kthread, ac: &mut Context) -> Result<(), Errno> {
    let args = [u64::from(ac.goal.group), u64::from(ac.goal.start), u64::from(ac.goal.len)];
    trace::call!(kt, &site::EXT4_MB_REGULAR_ALLOCATOR, &args, scan_groups(kt, ac)).await
}

async fn scan_groups(kt: &Kthread, ac: &mut Context) -> Result<(), Errno> {
    find_by_goal(kt, ac).await?;
    probe!(kt, MRA_GOAL, cr = ac.criteria).await;
    if ac.status == Status::Found {
        return Ok(());
    }
    let (groups, block_bits, flex_bits, limits) =
        kt.with(|w| (w.sb().groups, u32::from(w.sb().block_bits), w.sb().flex_bits, prefetch_limits(w)));
    let bits = ac.goal.len.checked_ilog2().map_or(0, |log2| log2 + 1);
    let whole_chunk = bits >= ORDER2_REQS && bits <= block_bits + 2 && ac.goal.len.is_power_of_two();
    ac.order2 = if whole_chunk { bits - 1 } else { 0 };
    if ac.flags.contains(MbFlags::STREAM_ALLOC) {
        let goal = kt.with(|w| w.counter(Counter::StreamGoal));
        ac.goal.group = (goal >> 32) as u32;
        ac.goal.start = goal as u32;
    }
    let mut cr = if ac.order2 > 0 { 0 } else { 1 };
    let (mut first_error, mut ahead, mut prefetched, mut under_way) = (None, 0, 0, 0);
    loop {
        while cr < 4 && ac.status == Status::Continue {
            ac.criteria = cr;
            let mut group = ac.goal.group;
            prefetched = group;
            for _ in 0..groups {
                if group >= groups {
                    group = 0;
                }
                if prefetched == group && (cr > 1 || under_way < limits.1) {
                    ahead = limits.0;
                    if flex_bits > 0 {
                        let flex_size = 1u32 << flex_bits;
                        ahead = ahead.min(flex_size - (group & (flex_size - 1)));
                    }
                    let (next, more) = kt.with(|w| prefetch(w, group, ahead));
                    prefetched = next;
                    under_way += more;
                    if more == 0 {
                        ahead = 0;
                    }
                }
                match good_group_nolock(kt, ac, group).await {
                    Ok(true) => {
                        kt.with(|w| {
                            w.graph(LOAD_BUDDY);
                            w.graph("ext4_mb_good_group { ext4_get_group_info }");
                            ac.groups_scanned += 1;
                            if cr == 0 { simple_scan_group(w, ac, group) } else { complex_scan_group(w, ac, group) }
                        });
                        let (start, len) = (ac.best.start, ac.best.len);
                        probe!(kt, MRA_SCAN, group = group, start = start, len = len, cr = cr).await;
                        if ac.status != Status::Continue {
                            break;
                        }
                    }
                    Ok(false) => {}
                    Err(errno) => first_error = first_error.or(Some(errno)),
                }
                group += 1;
            }
            cr += 1;
        }
        if ac.best.len == 0 || ac.status == Status::Found || ac.flags.contains(MbFlags::HINT_FIRST) {
            break;
        }
        // Looked long enough: the best so far, though it is short.
        let best = ac.best;
        load_group(kt, best.group).await?;
        kt.with(|w| {
            let len = group_bits(w, best.group).find_extent(best.start, best.len);
            if len > 0 && !group_is_corrupt(w, best.group) {
                ac.best.len = len;
                use_best_found(w, ac);
            }
        });
        if ac.status == Status::Found {
            break;
        }
        // Another task took it: the first blocks that are found.
        ac.best = FreeExtent { logical: best.logical, ..FreeExtent::default() };
        ac.status = Status::Continue;
        ac.flags.insert(MbFlags::HINT_FIRST);
        cr = 3;
    }
    prefetch_fini(kt, prefetched, ahead).await;
    match first_error {
        Some(errno) if ac.status != Status::Found => Err(errno),
        _ => Ok(()),
    }
}
