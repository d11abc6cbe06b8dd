//! `balance_dirty_pages()`: who checks when, and who pauses how long.

use sched::{Kthread, NSEC_PER_JIFFY, fatal_signal_pending};
use world::{Counter, TaskId, WaitOn, World};

use super::limits::{
    Dtc, RATELIMIT_CALC_SHIFT, dirty_freerun_ceiling, dirty_limits, wb_dirty_limits, wb_position_ratio,
};
use super::rates::{self, BANDWIDTH_INTERVAL, HZ};
use crate::fs::fs_writeback::wb_start_background_writeback;
use crate::mm::backing_dev::{
    WB_STAT_BATCH, domain, flusher, flusher_mut, jiffies, nr_file_dirty, nr_writeback, rates as wb_rates,
    writeback_in_progress,
};
use crate::trace::call;
use crate::{point, probe, site};

/// MAX_PAUSE: 200 ms, in jiffies.
const MAX_PAUSE: u64 = HZ / 5;
/// DIRTY_POLL_THRESH: pages a task may dirty between two pauses, at least.
const DIRTY_POLL_THRESH: u64 = 128 >> (12 - 10);
/// Pages between two checks while both limits are exceeded.
const EXCEEDED_RATELIMIT: u64 = 32 >> (12 - 10);

/// `balance_dirty_pages_ratelimited()`, mm/page-writeback.c:1899: most calls
/// only compare counters.
pub async fn balance_dirty_pages_ratelimited(kt: &Kthread) {
    call!(kt, &site::BALANCE_DIRTY_PAGES_RATELIMITED, &[], async {
        let (mut nr_dirtied, mut ratelimit) = kt.with(|w| {
            let acct = w.accts.at(kt.task);
            let ratelimit = u64::from(acct.nr_dirtied_pause);
            let exceeded = flusher(w).dirty_exceeded;
            (u64::from(acct.nr_dirtied), if exceeded { ratelimit.min(EXCEEDED_RATELIMIT) } else { ratelimit })
        });
        probe!(kt, BDR_LIMIT, nr_dirtied = nr_dirtied, ratelimit = ratelimit).await;
        kt.with(|w| {
            if nr_dirtied >= ratelimit {
                *w.counter_mut(Counter::BdpRatelimits) = 0;
            } else if w.counter(Counter::BdpRatelimits) >= w.counter(Counter::RatelimitPages) {
                *w.counter_mut(Counter::BdpRatelimits) = 0;
                ratelimit = 0;
            }
        });
        probe!(kt, BDR_CPU, ratelimit = ratelimit).await;
        let leaked = kt.with(|w| {
            let leaked = w.counter(Counter::DirtyThrottleLeaks).min(ratelimit.saturating_sub(nr_dirtied));
            if leaked > 0 {
                *w.counter_mut(Counter::DirtyThrottleLeaks) -= leaked;
                w.acct_mut(kt.task).nr_dirtied += u32::try_from(leaked).unwrap_or(u32::MAX);
            }
            leaked
        });
        if leaked > 0 {
            nr_dirtied += leaked;
            probe!(kt, BDR_LEAK, nr_dirtied = nr_dirtied).await;
        }
        if nr_dirtied >= ratelimit {
            probe!(kt, BDR_CALL).await;
            balance_dirty_pages(kt, nr_dirtied).await;
        }
    })
    .await;
}

/// `do_exit()`'s part: what a task has dirtied since its last check is left to
/// the next one that asks.
pub fn task_exit(w: &mut World, task: TaskId) {
    let left = u64::from(w.accts.at(task).nr_dirtied);
    if left > 0 {
        *w.counter_mut(Counter::DirtyThrottleLeaks) += left;
        w.acct_mut(task).nr_dirtied = 0;
    }
}

/// What one round of the kernel's loop has measured.
struct Round {
    now: u64,
    nr_reclaimable: u64,
    dtc: Dtc,
    /// The counts that decide: the device's own with BDI_CAP_STRICTLIMIT.
    dirty: u64,
    thresh: u64,
    bg_thresh: u64,
}

/// Rates and bounds of a pause, in pages a second and jiffies.
struct Pacing {
    dirty_ratelimit: u64,
    task_ratelimit: u64,
    max_pause: i64,
    min_pause: i64,
    nr_dirtied_pause: u32,
}

/// `balance_dirty_pages()`, mm/page-writeback.c:1577: returns at once below the
/// free-run line; above it the task pauses as its rate limit says.
///
/// Not modelled: memory cgroups, and PF_LOCAL_THROTTLE (no task writes for a
/// loop device); see docs/omissions.md#throttling.
async fn balance_dirty_pages(kt: &Kthread, pages_dirtied: u64) {
    call!(
        kt,
        &site::BALANCE_DIRTY_PAGES,
        &[pages_dirtied],
        Box::pin(async {
            let start_time = kt.with(|w| jiffies(w));
            let mut exceeded = false;
            let round = loop {
                let round = kt.with(measure);
                probe!(kt, BDP_LIMITS, nr_dirty = round.dirty, thresh = round.thresh, bg_thresh = round.bg_thresh)
                    .await;
                if round.dirty <= dirty_freerun_ceiling(round.thresh, round.bg_thresh) {
                    let intv = dirty_poll_interval(round.dirty, round.thresh);
                    kt.with(|w| {
                        let acct = w.acct_mut(kt.task);
                        (acct.dirty_paused_when, acct.nr_dirtied, acct.nr_dirtied_pause) = (round.now, 0, intv);
                    });
                    probe!(kt, BDP_FREERUN, intv = intv).await;
                    break round;
                }
                if throttle(kt, &round, pages_dirtied, start_time, &mut exceeded).await {
                    break round;
                }
            };
            if !exceeded && kt.with(|w| flusher(w).dirty_exceeded) {
                kt.with(|w| flusher_mut(w).dirty_exceeded = false);
                probe!(kt, BDP_CLEAR).await;
            }
            if kt.with(|w| writeback_in_progress(w)) {
                probe!(kt, BDP_RUNNING).await;
            } else if kt.with(|w| w.counter(Counter::LaptopMode)) != 0 {
                probe!(kt, BDP_LAPTOP).await;
            } else if round.nr_reclaimable > round.dtc.bg_thresh {
                kt.with(wb_start_background_writeback);
                probe!(kt, BDP_BACKGROUND).await;
            }
        }),
    )
    .await;
}

/// Counts and limits as they are now.
fn measure(w: &mut World) -> Round {
    let nr_reclaimable = nr_file_dirty(w);
    let mut dtc = Dtc { dirty: nr_reclaimable + nr_writeback(w), ..Dtc::default() };
    (dtc.thresh, dtc.bg_thresh) = dirty_limits(w);
    let (mut dirty, mut thresh, mut bg_thresh) = (dtc.dirty, dtc.thresh, dtc.bg_thresh);
    if flusher(w).strictlimit {
        wb_dirty_limits(w, &mut dtc);
        (dirty, thresh, bg_thresh) = (dtc.wb_dirty, dtc.wb_thresh, dtc.wb_bg_thresh);
    }
    Round { now: jiffies(w), nr_reclaimable, dtc, dirty, thresh, bg_thresh }
}

/// Above the free-run line: the flusher is woken, the task pauses or goes on.
/// True if the loop is over.
async fn throttle(kt: &Kthread, round: &Round, pages_dirtied: u64, start_time: u64, exceeded: &mut bool) -> bool {
    let mut dtc = round.dtc;
    kt.with(|w| {
        if !writeback_in_progress(w) {
            wb_start_background_writeback(w);
        }
    });
    probe!(kt, BDP_KICK).await;
    let bandwidth_due = kt.with(|w| {
        let strict = flusher(w).strictlimit;
        if !strict {
            wb_dirty_limits(w, &mut dtc);
        }
        *exceeded = dtc.wb_dirty > dtc.wb_thresh && (dtc.dirty > dtc.thresh || strict);
        dtc.pos_ratio = wb_position_ratio(w, &dtc);
        if *exceeded && !flusher(w).dirty_exceeded {
            flusher_mut(w).dirty_exceeded = true;
        }
        let last = wb_rates(w).bw_time_stamp;
        last == 0 || jiffies(w) > last + BANDWIDTH_INTERVAL
    });
    probe!(kt, BDP_POS, pos_ratio = dtc.pos_ratio).await;
    if bandwidth_due {
        kt.with(|w| rates::update(w, Some(&dtc), start_time));
        probe!(kt, BDP_BANDWIDTH).await;
    }
    let pacing = kt.with(|w| pacing(w, &dtc));
    probe!(kt, BDP_RATE, task_ratelimit = pacing.task_ratelimit).await;
    let at_limit = pacing.task_ratelimit == 0;
    let period = if at_limit { pacing.max_pause } else { fair_period(pages_dirtied, pacing.task_ratelimit) as i64 };
    let trace = Trace { dtc, pages_dirtied, period, start_time };
    let pause = if at_limit {
        probe!(kt, BDP_ZERO, pause = pacing.max_pause).await;
        pacing.max_pause
    } else {
        let paused_when = kt.with(|w| w.accts.at(kt.task).dirty_paused_when);
        let think = if paused_when == 0 { 0 } else { round.now as i64 - paused_when as i64 };
        period - think
    };
    if pause < pacing.min_pause {
        kt.with(|w| trace.write(w, kt.task, &pacing, pause.min(0)));
        if pause < -(HZ as i64) {
            kt.with(|w| {
                let acct = w.acct_mut(kt.task);
                (acct.dirty_paused_when, acct.nr_dirtied) = (round.now, 0);
            });
            probe!(kt, BDP_RESET, pause = pause).await;
        } else if period > 0 {
            kt.with(|w| {
                let acct = w.acct_mut(kt.task);
                acct.dirty_paused_when += period.unsigned_abs();
                acct.nr_dirtied = 0;
            });
            probe!(kt, BDP_PERIOD, pause = pause).await;
        } else {
            kt.with(|w| {
                let acct = w.acct_mut(kt.task);
                if u64::from(acct.nr_dirtied_pause) <= pages_dirtied {
                    acct.nr_dirtied_pause += u32::try_from(pages_dirtied).unwrap_or(u32::MAX);
                }
            });
            probe!(kt, BDP_TINY, pause = pause).await;
        }
        return true;
    }
    let (mut pause, mut now) = (pause, round.now);
    if pause > pacing.max_pause {
        now += (pause - pacing.max_pause).min(pacing.max_pause).unsigned_abs();
        pause = pacing.max_pause;
        probe!(kt, BDP_CLAMP, pause = pause).await;
    }
    kt.with(|w| trace.write(w, kt.task, &pacing, pause));
    probe!(kt, BDP_SLEEP, pause = pause).await;
    io_schedule_timeout(kt, pause.unsigned_abs()).await;
    kt.with(|w| {
        let acct = w.acct_mut(kt.task);
        acct.dirty_paused_when = now + pause.unsigned_abs();
        acct.nr_dirtied = 0;
        acct.nr_dirtied_pause = pacing.nr_dirtied_pause;
    });
    probe!(kt, BDP_WOKEN).await;
    if !at_limit {
        return true;
    }
    if dtc.wb_dirty <= WB_STAT_BATCH {
        probe!(kt, BDP_SMALL).await;
        return true;
    }
    if kt.with(|w| fatal_signal_pending(w, kt.task)) {
        probe!(kt, BDP_KILLED).await;
        return true;
    }
    false
}

/// `io_schedule_timeout()` in TASK_KILLABLE: the timer's wheel rounds up to the
/// next tick.
async fn io_schedule_timeout(kt: &Kthread, jiffies_to_sleep: u64) {
    let (killed, timeout) = kt.with(|w| {
        let due = (jiffies(w) + jiffies_to_sleep + 1) * NSEC_PER_JIFFY;
        (fatal_signal_pending(w, kt.task), due - w.counter(Counter::Clock))
    });
    if !killed {
        kt.sleep_killable(WaitOn::DirtyPause, timeout).await;
    }
}

/// Rate limit by position, and the bounds of a pause that follow.
fn pacing(w: &World, dtc: &Dtc) -> Pacing {
    let dirty_ratelimit = wb_rates(w).dirty_ratelimit;
    let task_ratelimit = (dirty_ratelimit * dtc.pos_ratio) >> RATELIMIT_CALC_SHIFT;
    let max_pause = wb_max_pause(w, dtc.wb_dirty);
    let (min_pause, nr_dirtied_pause) = wb_min_pause(w, max_pause, task_ratelimit, dirty_ratelimit);
    Pacing {
        dirty_ratelimit,
        task_ratelimit,
        max_pause: max_pause as i64,
        min_pause: min_pause as i64,
        nr_dirtied_pause: u32::try_from(nr_dirtied_pause).unwrap_or(u32::MAX),
    }
}

/// `wb_max_pause()`, mm/page-writeback.c:1435: so that what is dirty lasts the
/// device until the task wakes.
fn wb_max_pause(w: &World, wb_dirty: u64) -> u64 {
    let roundup = (1 + HZ / 8).next_power_of_two();
    (wb_dirty / (1 + wb_rates(w).avg_write_bandwidth / roundup) + 1).min(MAX_PAUSE)
}

/// `wb_min_pause()`, mm/page-writeback.c:1454: the shortest pause worth making,
/// and after how many pages the task is to come back.
fn wb_min_pause(w: &World, max_pause: u64, task_ratelimit: u64, dirty_ratelimit: u64) -> (u64, u64) {
    let hz = HZ.next_power_of_two();
    let hi = u64::from(wb_rates(w).avg_write_bandwidth.ilog2());
    let lo = u64::from(dirty_ratelimit.ilog2());
    let mut t = (HZ / 100).max(1) + hi.saturating_sub(lo) * (10 * HZ) / 1024;
    t = t.min(1 + max_pause / 2);
    let mut pages = dirty_ratelimit * t / hz;
    if pages < DIRTY_POLL_THRESH {
        t = max_pause;
        pages = dirty_ratelimit * t / hz;
        if pages > DIRTY_POLL_THRESH {
            pages = DIRTY_POLL_THRESH;
            t = HZ * DIRTY_POLL_THRESH / dirty_ratelimit;
        }
    }
    if HZ * pages / (task_ratelimit + 1) > max_pause {
        t = max_pause;
        pages = task_ratelimit * t / hz;
    }
    (if pages >= DIRTY_POLL_THRESH { 1 + t / 2 } else { t }, pages)
}

/// Jiffies that dirtying so many pages takes at this rate.
#[must_use]
pub const fn fair_period(pages_dirtied: u64, task_ratelimit: u64) -> u64 {
    HZ * pages_dirtied / task_ratelimit
}

/// What a tracer prints of a round.
struct Trace {
    dtc: Dtc,
    pages_dirtied: u64,
    period: i64,
    start_time: u64,
}

impl Trace {
    fn write(&self, w: &mut World, task: TaskId, pacing: &Pacing, pause: i64) {
        if !w.trace.on {
            return;
        }
        let (limit, now, acct) = (domain(w).dirty_limit, jiffies(w), *w.accts.at(task));
        let freerun = dirty_freerun_ceiling(self.dtc.thresh, self.dtc.bg_thresh);
        let setpoint = u64::midpoint(limit, freerun);
        let wb_setpoint = setpoint * self.dtc.wb_thresh / (self.dtc.thresh + 1);
        let ms = |jiffies: i64| jiffies * 1000 / HZ as i64;
        let think = if acct.dirty_paused_when == 0 { 0 } else { now as i64 - acct.dirty_paused_when as i64 };
        let rates = ((4 * pacing.dirty_ratelimit) << 32) | (4 * pacing.task_ratelimit);
        let dirtied = (self.pages_dirtied << 32) | u64::from(acct.nr_dirtied_pause);
        let paused = ms((now - self.start_time) as i64).unsigned_abs() << 32 | u64::from(ms(pause) as i32 as u32);
        let times = ms(self.period).unsigned_abs() << 32 | u64::from(ms(think) as i32 as u32);
        let wb_dirty = self.dtc.wb_dirty;
        point!(
            w,
            BALANCE_DIRTY_PAGES,
            limit << 32 | setpoint,
            self.dtc.dirty,
            wb_setpoint << 32 | wb_dirty,
            rates,
            dirtied,
            paused,
            times
        );
    }
}

/// `dirty_poll_interval()`, mm/page-writeback.c:1426: pages until the next check.
#[must_use]
pub fn dirty_poll_interval(dirty: u64, thresh: u64) -> u32 {
    if thresh > dirty { 1 << ((thresh - dirty).ilog2() / 2) } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::super::domain_dirty_limits;
    use super::*;

    #[test]
    fn the_golden_machine_checks_every_128_pages() {
        let mut w = World::default();
        *w.counter_mut(Counter::MemoryPages) = 110_000;
        *w.counter_mut(Counter::DirtyLimit) = 20;
        *w.counter_mut(Counter::DirtyBackground) = 10;
        let (thresh, background) = domain_dirty_limits(&w, false);
        assert_eq!((thresh, background), (21_994, 10_983));
        assert_eq!(dirty_poll_interval(32, thresh), 128);
        assert_eq!(dirty_poll_interval(thresh, thresh), 1);
    }

    /// A field of a line of `events.txt`.
    fn field(line: &str, name: &str) -> i64 {
        let value = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {line}"))
    }

    #[test]
    fn each_check_that_the_real_kernel_printed_comes_out_the_same() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/dirty-throttle/events.txt");
        let events = std::fs::read_to_string(path).expect("the recorded case is there");
        let mut w = World::default();
        crate::mm::backing_dev::domain_mut(&mut w).dirty_limit = 649;
        let (mut checks, mut pauses) = (0, 0);
        for line in events.lines().filter(|line| line.contains("balance_dirty_pages: ")) {
            let get = |name: &str| field(line, name);
            let (setpoint, wb_setpoint) = (get("setpoint").unsigned_abs(), get("bdi_setpoint").unsigned_abs());
            let mut dtc = Dtc { thresh: 340, bg_thresh: 100, ..Dtc::default() };
            (dtc.dirty, dtc.wb_dirty) = (get("dirty").unsigned_abs(), get("bdi_dirty").unsigned_abs());
            dtc.wb_thresh = (wb_setpoint * (dtc.thresh + 1)).div_ceil(setpoint);
            dtc.pos_ratio = wb_position_ratio(&w, &dtc);
            let pacing = pacing(&w, &dtc);
            assert_eq!(4 * pacing.task_ratelimit as i64, get("task_ratelimit"), "{line}");
            let period = match pacing.task_ratelimit {
                0 => pacing.max_pause,
                rate => HZ as i64 * get("dirtied") / rate as i64,
            };
            assert_eq!(period * 4, get("period"), "{line}");
            // The real kernel's work takes time: what it thought is given, what follows from that is ours.
            let pause = if pacing.task_ratelimit == 0 { period } else { period - get("think") / 4 };
            let sleeps = pause >= pacing.min_pause;
            assert_eq!(if sleeps { pause.min(pacing.max_pause) } else { pause.min(0) } * 4, get("pause"), "{line}");
            (checks, pauses) = (checks + 1, pauses + i64::from(sleeps));
        }
        assert_eq!((checks, pauses), (131, 2));
    }

    #[test]
    fn the_shortest_pause_is_half_of_what_is_aimed_at() {
        let w = World::default();
        // dirty-throttle: 25600 pages a second aim at 2 jiffies; a task at the limit comes back after each page.
        assert_eq!(wb_max_pause(&w, 648), 1);
        assert_eq!(wb_max_pause(&w, 80_000), MAX_PAUSE);
        assert_eq!(wb_min_pause(&w, 50, 25_600, 25_600), (2, 200));
        assert_eq!(wb_min_pause(&w, 1, 0, 25_600), (1, 0));
    }
}
