//! How many pages may be dirty, and how a device stands to that.

use world::{Counter, TaskId, World};

use crate::flex_proportions::fprop_fraction;
use crate::mm::backing_dev::{WB_STAT_BATCH, domain, domain_mut, flusher, nr_file_dirty, nr_writeback, rates};
use crate::point;

/// RATELIMIT_CALC_SHIFT: fixed point of the position ratio.
pub(super) const RATELIMIT_CALC_SHIFT: u32 = 10;

/// Set in [`Counter::DirtyLimit`] and [`Counter::DirtyBackground`] if they count bytes, not per cent.
pub const IN_BYTES: u64 = 1 << 63;

/// `struct dirty_throttle_control`, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dtc {
    /// Dirty and under writeback, all devices.
    pub dirty: u64,
    /// The limit.
    pub thresh: u64,
    /// Above it the flusher writes.
    pub bg_thresh: u64,
    /// The device's part of `dirty`.
    pub wb_dirty: u64,
    /// Its part of `thresh`.
    pub wb_thresh: u64,
    /// Its part of `bg_thresh`.
    pub wb_bg_thresh: u64,
    /// How much faster or slower than the rate limit, by position; 1024 is 1.
    pub pos_ratio: u64,
}

/// Pages that may become dirty: `global_dirtyable_memory()`, mm/page-writeback.c:362.
#[must_use]
pub fn global_dirtyable_memory(w: &World) -> u64 {
    w.counter(Counter::MemoryPages) + 1
}

/// `rt_task()`: a real-time task gets a little more room.
#[must_use]
pub fn rt_task(w: &World, task: TaskId) -> bool {
    task.is_some() && w.tasks.get(task).is_some_and(|task| task.priority == 0)
}

/// `domain_dirty_limits()`, mm/page-writeback.c:392: limit and background
/// threshold, in pages, for a real-time task or another.
#[must_use]
pub fn domain_dirty_limits(w: &World, rt: bool) -> (u64, u64) {
    let available = global_dirtyable_memory(w);
    let pages = |word: u64| {
        if word & IN_BYTES != 0 { (word & !IN_BYTES).div_ceil(4096) } else { word * 4096 / 100 * available / 4096 }
    };
    let mut thresh = pages(w.counter(Counter::DirtyLimit));
    let mut background = pages(w.counter(Counter::DirtyBackground));
    if rt {
        let more = domain(w).dirty_limit / 32;
        background += background / 4 + more;
        thresh += thresh / 4 + more;
    }
    (thresh, if background >= thresh { thresh / 2 } else { background })
}

/// The same for the current task, with the line a tracer prints.
pub(super) fn dirty_limits(w: &mut World) -> (u64, u64) {
    let (thresh, background) = domain_dirty_limits(w, rt_task(w, w.current));
    let (dirty, writeback, limit) = (nr_file_dirty(w), nr_writeback(w), domain(w).dirty_limit);
    let (dirtied, written) = (w.counter(Counter::Dirtied), w.counter(Counter::Written));
    point!(w, GLOBAL_DIRTY_STATE, dirty, writeback, background, thresh, limit, dirtied, written);
    (thresh, background)
}

/// `writeback_set_ratelimit()`, mm/page-writeback.c:2078: how many pages a CPU
/// dirties between two checks, and the limit that follows the threshold.
pub fn writeback_set_ratelimit(w: &mut World) {
    let (thresh, _) = dirty_limits(w);
    domain_mut(w).dirty_limit = thresh;
    *w.counter_mut(Counter::RatelimitPages) = (thresh / 32).max(16);
}

/// `dirty_freerun_ceiling()`, mm/page-writeback.c:732.
pub(super) fn dirty_freerun_ceiling(thresh: u64, bg_thresh: u64) -> u64 {
    u64::midpoint(thresh, bg_thresh)
}

/// `hard_dirty_limit()`, mm/page-writeback.c:738: what never may be passed.
pub(super) fn hard_dirty_limit(w: &World, thresh: u64) -> u64 {
    thresh.max(domain(w).dirty_limit)
}

/// `wb_calc_thresh()`, mm/page-writeback.c:780: the device's part of `thresh`.
pub(super) fn wb_calc_thresh(w: &World, thresh: u64) -> u64 {
    let (num, den) = fprop_fraction(w);
    thresh * num / den
}

/// `wb_dirty_limits()`, mm/page-writeback.c:1529: the device's part of all.
/// With little room its counters are summed up exactly.
pub(super) fn wb_dirty_limits(w: &World, dtc: &mut Dtc) {
    dtc.wb_thresh = wb_calc_thresh(w, dtc.thresh);
    dtc.wb_bg_thresh = (dtc.wb_thresh * dtc.bg_thresh).checked_div(dtc.thresh).unwrap_or(0);
    let counters = if dtc.wb_thresh < 2 * WB_STAT_BATCH {
        [Counter::WbReclaimable, Counter::WbWriteback]
    } else {
        [Counter::WbReclaimableApprox, Counter::WbWritebackApprox]
    };
    dtc.wb_dirty = counters.iter().map(|&counter| w.counter(counter)).sum();
}

/// The limits that a check by a task comes to, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Above it the flusher writes.
    pub background: u64,
    /// Up to it nobody pauses.
    pub freerun: u64,
    /// Where the position ratio is 1.
    pub setpoint: u64,
    /// At it nothing goes on.
    pub limit: u64,
    /// The device's part of `thresh`.
    pub wb_thresh: u64,
    /// Its part of `background`.
    pub wb_background: u64,
}

/// What [`balance_dirty_pages_ratelimited`](super::balance_dirty_pages_ratelimited) would measure for `task` now.
#[must_use]
pub fn limits_of(w: &World, task: TaskId) -> Limits {
    let (thresh, bg_thresh) = domain_dirty_limits(w, rt_task(w, task));
    let mut dtc = Dtc { thresh, bg_thresh, ..Dtc::default() };
    wb_dirty_limits(w, &mut dtc);
    let (freerun, limit) = (dirty_freerun_ceiling(thresh, bg_thresh), hard_dirty_limit(w, thresh));
    Limits {
        background: bg_thresh,
        freerun,
        setpoint: u64::midpoint(freerun, limit),
        limit,
        wb_thresh: dtc.wb_thresh,
        wb_background: dtc.wb_bg_thresh,
    }
}

/// `pos_ratio_polynom()`, mm/page-writeback.c:828: 1 at the setpoint, 2 far
/// below, 0 at the limit; flat in the middle.
fn pos_ratio_polynom(setpoint: u64, dirty: u64, limit: u64) -> i64 {
    let (setpoint, dirty, limit) = (setpoint as i64, dirty as i64, limit as i64);
    let x = ((setpoint - dirty) << RATELIMIT_CALC_SHIFT) / ((limit - setpoint) | 1);
    let cube = (((x * x) >> RATELIMIT_CALC_SHIFT) * x) >> RATELIMIT_CALC_SHIFT;
    (cube + (1 << RATELIMIT_CALC_SHIFT)).clamp(0, 2 << RATELIMIT_CALC_SHIFT)
}

/// `wb_position_ratio()`, mm/page-writeback.c:920.
pub(super) fn wb_position_ratio(w: &World, dtc: &Dtc) -> u64 {
    let freerun = dirty_freerun_ceiling(dtc.thresh, dtc.bg_thresh);
    let limit = hard_dirty_limit(w, dtc.thresh);
    if dtc.dirty >= limit {
        return 0;
    }
    let setpoint = u64::midpoint(freerun, limit);
    let global = pos_ratio_polynom(setpoint, dtc.dirty, limit);
    if flusher(w).strictlimit {
        return strict_ratio(dtc, global).unsigned_abs();
    }
    let mut pos_ratio = global.unsigned_abs();
    // A device that was idle for long has hardly a share: it gets room to begin.
    let wb_thresh = dtc.wb_thresh.min(dtc.thresh).max((limit - dtc.dirty) / 8);
    let x = (wb_thresh << 16) / (dtc.thresh | 1);
    let wb_setpoint = (setpoint * x) >> 16;
    // One device: 8 times what it writes in a second; many: its own threshold.
    let span = ((dtc.thresh.saturating_sub(wb_thresh) + 8 * rates(w).avg_write_bandwidth) * x) >> 16;
    let x_intercept = wb_setpoint + span;
    if dtc.wb_dirty < x_intercept - span / 4 {
        pos_ratio = pos_ratio * (x_intercept - dtc.wb_dirty) / ((x_intercept - wb_setpoint) | 1);
    } else {
        pos_ratio /= 4;
    }
    // With little of its own dirty, the device is fed so that it does not fall idle.
    let reserve = wb_thresh / 2;
    if dtc.wb_dirty < reserve {
        if dtc.wb_dirty > reserve / 8 {
            pos_ratio = pos_ratio * reserve / dtc.wb_dirty;
        } else {
            pos_ratio *= 8;
        }
    }
    pos_ratio
}

/// BDI_CAP_STRICTLIMIT: the device's own counts decide, the lower ratio holds.
fn strict_ratio(dtc: &Dtc, global: i64) -> i64 {
    if dtc.wb_dirty < 8 {
        return (global * 2).min(2 << RATELIMIT_CALC_SHIFT);
    }
    let setpoint = dirty_freerun_ceiling(dtc.wb_thresh, dtc.wb_bg_thresh);
    if dtc.wb_dirty >= dtc.wb_thresh || setpoint == 0 || setpoint == dtc.wb_thresh {
        return 0;
    }
    global.min(pos_ratio_polynom(setpoint, dtc.wb_dirty, dtc.wb_thresh))
}

/// `wb_over_bg_thresh()`, mm/page-writeback.c:1963: the flusher has to go on.
/// What is under writeback already does not count.
pub fn wb_over_bg_thresh(w: &mut World) -> bool {
    let (_, bg_thresh) = dirty_limits(w);
    nr_file_dirty(w) > bg_thresh || w.counter(Counter::WbReclaimableApprox) > wb_calc_thresh(w, bg_thresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_time_task_has_the_golden_machines_limits() {
        // dirty-throttle: 256 and 64 pages, and a limit that was 10540 before.
        let mut w = World::default();
        *w.counter_mut(Counter::DirtyLimit) = IN_BYTES | 1 << 20;
        *w.counter_mut(Counter::DirtyBackground) = IN_BYTES | 1 << 18;
        domain_mut(&mut w).dirty_limit = 649;
        assert_eq!(domain_dirty_limits(&w, true), (340, 100));
        assert_eq!(domain_dirty_limits(&w, false), (256, 64));
    }

    #[test]
    fn the_position_ratio_is_what_the_real_kernel_printed() {
        // dirty-throttle: task_ratelimit in KiB/s at a rate limit of 102400, by dirty pages.
        let mut w = World::default();
        domain_mut(&mut w).dirty_limit = 649;
        let printed =
            [(225, 224, 196_300), (281, 280, 139_100), (407, 408, 102_500), (631, 624, 23_600), (645, 640, 5_800)];
        for (dirty, wb_dirty, expect) in printed {
            let dtc = Dtc { dirty, thresh: 340, bg_thresh: 100, wb_dirty, wb_thresh: 259, ..Dtc::default() };
            assert_eq!(((25_600 * wb_position_ratio(&w, &dtc)) >> RATELIMIT_CALC_SHIFT) * 4, expect, "at {dirty}");
        }
        let full = Dtc { dirty: 652, thresh: 340, bg_thresh: 100, wb_dirty: 648, wb_thresh: 259, ..Dtc::default() };
        assert_eq!(wb_position_ratio(&w, &full), 0);
    }

    #[test]
    fn the_share_of_a_device_moves_its_ratio() {
        let mut w = World::default();
        domain_mut(&mut w).dirty_limit = 1000;
        let at =
            |wb_dirty, wb_thresh| Dtc { dirty: 750, thresh: 1000, bg_thresh: 0, wb_dirty, wb_thresh, ..Dtc::default() };
        assert!((8192..8300).contains(&wb_position_ratio(&w, &at(10, 400))), "far too little: eight times as fast");
        assert!(wb_position_ratio(&w, &at(100, 400)) > 2000, "too little");
        assert!((1000..=1030).contains(&wb_position_ratio(&w, &at(300, 400))));
        flusher_strict(&mut w);
        assert_eq!(wb_position_ratio(&w, &at(4, 400)), 2048);
        assert_eq!(wb_position_ratio(&w, &at(400, 400)), 0);
        assert!(wb_position_ratio(&w, &at(300, 400)) < 1000);
    }

    fn flusher_strict(w: &mut World) {
        crate::mm::backing_dev::flusher_mut(w).strictlimit = true;
    }
}
