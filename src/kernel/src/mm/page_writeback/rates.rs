//! What the device writes and what a dirtier may dirty, as measured.

use sched::NSEC_PER_JIFFY;
use world::{Counter, WbRates, WordId, World};

use super::limits::{Dtc, RATELIMIT_CALC_SHIFT, dirty_freerun_ceiling, hard_dirty_limit};
use crate::mm::backing_dev::{WB_STAT_BATCH, domain, domain_mut, flusher, jiffies, rates};
use crate::point;

/// Jiffies in a second.
pub(super) const HZ: u64 = 1_000_000_000 / NSEC_PER_JIFFY;
/// BANDWIDTH_INTERVAL: jiffies between two updates.
pub(super) const BANDWIDTH_INTERVAL: u64 = HZ / 5;
/// roundup_pow_of_two(3 * HZ): what a new measurement is averaged over.
const PERIOD: u64 = 1024;

/// A wb counter that only grows, as read: in batches.
fn wb_stat(w: &World, counter: Counter) -> u64 {
    w.counter(counter) / WB_STAT_BATCH * WB_STAT_BATCH
}

/// `wb_update_bandwidth()`, mm/page-writeback.c:1411, by the flusher.
pub fn wb_update_bandwidth(w: &mut World, start_time: u64) {
    update(w, None, start_time);
}

/// `__wb_update_bandwidth()`, mm/page-writeback.c:1361: at most every 200 ms. A
/// task that is throttled has the rate limit updated too.
pub(super) fn update(w: &mut World, dtc: Option<&Dtc>, start_time: u64) {
    let (now, before) = (jiffies(w), rates(w));
    let elapsed = now - before.bw_time_stamp;
    // 0: the device was there, and idle, long before the clock started.
    let first = before.bw_time_stamp == 0;
    if !first && elapsed < BANDWIDTH_INTERVAL {
        return;
    }
    let (dirtied, written) = (wb_stat(w, Counter::WbDirtied), wb_stat(w, Counter::WbWritten));
    let mut after = before;
    // A device that was idle between two runs of the flusher tells nothing of its speed.
    let idle = first || elapsed > HZ && before.bw_time_stamp < start_time;
    if !idle {
        if let Some(dtc) = dtc {
            domain_update_bandwidth(w, dtc, now);
            update_dirty_ratelimit(w, dtc, &mut after, dirtied, elapsed);
        }
        update_write_bandwidth(&mut after, elapsed, written);
    }
    (after.dirtied_stamp, after.written_stamp, after.bw_time_stamp) = (dirtied, written, now);
    *w.wb_rates_mut(WordId(0)) = after;
}

/// `wb_update_write_bandwidth()`, mm/page-writeback.c:1099.
fn update_write_bandwidth(rates: &mut WbRates, elapsed: u64, written: u64) {
    let (mut avg, old) = (rates.avg_write_bandwidth, rates.write_bandwidth);
    let mut bw = written.saturating_sub(rates.written_stamp) * HZ;
    if elapsed > PERIOD {
        bw /= elapsed;
        avg = bw;
    } else {
        bw = (bw + old * (PERIOD - elapsed)) / PERIOD;
        if avg > old && old >= bw {
            avg -= (avg - old) >> 3;
        }
        if avg < old && old <= bw {
            avg += (old - avg) >> 3;
        }
    }
    rates.write_bandwidth = bw;
    rates.avg_write_bandwidth = avg.max(1);
}

/// `domain_update_bandwidth()` and `update_dirty_limit()`,
/// mm/page-writeback.c:1178: the limit follows the threshold up at once, and
/// down by a 32nd at a time.
fn domain_update_bandwidth(w: &mut World, dtc: &Dtc, now: u64) {
    let dom = domain(w);
    if now < dom.dirty_limit_tstamp + BANDWIDTH_INTERVAL {
        return;
    }
    let floor = dtc.thresh.max(dtc.dirty);
    let limit = if dom.dirty_limit < dtc.thresh {
        dtc.thresh
    } else {
        dom.dirty_limit - (dom.dirty_limit.saturating_sub(floor) >> 5)
    };
    let dom = domain_mut(w);
    (dom.dirty_limit, dom.dirty_limit_tstamp) = (limit, now);
}

/// `wb_update_dirty_ratelimit()`, mm/page-writeback.c:1203: a step towards the
/// rate at which dirtiers and device would be even, if the position agrees.
fn update_dirty_ratelimit(w: &mut World, dtc: &Dtc, rates: &mut WbRates, dirtied: u64, elapsed: u64) {
    let write_bw = rates.avg_write_bandwidth;
    let mut limit = rates.dirty_ratelimit;
    let dirty_rate = dirtied.saturating_sub(rates.dirtied_stamp) * HZ / elapsed;
    let task_ratelimit = ((limit * dtc.pos_ratio) >> RATELIMIT_CALC_SHIFT) + 1;
    let balanced = (task_ratelimit * write_bw / (dirty_rate | 1)).min(write_bw);
    let (dirty, setpoint) = if flusher(w).strictlimit {
        let middle = if dtc.wb_dirty < 8 { dtc.wb_dirty + 1 } else { u64::midpoint(dtc.wb_thresh, dtc.wb_bg_thresh) };
        (dtc.wb_dirty, middle)
    } else {
        let freerun = dirty_freerun_ceiling(dtc.thresh, dtc.bg_thresh);
        (dtc.dirty, u64::midpoint(freerun, hard_dirty_limit(w, dtc.thresh)))
    };
    let all = [rates.balanced_dirty_ratelimit, balanced, task_ratelimit];
    let mut step = if dirty < setpoint {
        all.into_iter().min().unwrap_or(limit).saturating_sub(limit)
    } else {
        limit.saturating_sub(all.into_iter().max().unwrap_or(limit))
    };
    // The nearer the goal, the smaller the step.
    let shift = limit / (2 * step + 1);
    step = if shift < 64 { (step >> shift).div_ceil(8) } else { 0 };
    limit = if limit < balanced { limit + step } else { limit.saturating_sub(step) };
    rates.dirty_ratelimit = limit.max(1);
    rates.balanced_dirty_ratelimit = balanced;
    let kib = |pages: u64| pages * 4;
    point!(
        w,
        BDI_DIRTY_RATELIMIT,
        kib(rates.write_bandwidth),
        kib(rates.avg_write_bandwidth),
        kib(dirty_rate),
        kib(rates.dirty_ratelimit),
        kib(task_ratelimit),
        kib(balanced)
    );
}
