//! The device's `bdi_writeback`: its counters and how its flusher is woken.
//! Mirrors mm/backing-dev.c, include/linux/backing-dev.h and the per-CPU
//! batches of mm/vmstat.c.
//!
//! ```text
//!   wb_wakeup_delayed ── timer ──┐
//!   wb_wakeup ───────────────────┴─> queued ── the flusher's task runs wb_workfn
//! ```
//!
//! One device, so one `bdi_writeback`; cgroups have none of their own here, see
//! docs/omissions.md#writeback.

use sched::{NSEC_PER_JIFFY, wake_all};
use world::{Counter, Event, WaitOn, WbDomain, WbRates, WbState, WordId, World};

/// The device's flusher state.
#[must_use]
pub fn flusher(w: &World) -> WbState {
    w.flushers.get(WordId(0)).copied().unwrap_or_default()
}

/// The same, to be changed.
pub fn flusher_mut(w: &mut World) -> &mut WbState {
    w.flusher_mut(WordId(0))
}

/// The device's measured rates.
#[must_use]
pub fn rates(w: &World) -> WbRates {
    w.wb_rates.get(WordId(0)).copied().unwrap_or_default()
}

/// `global_wb_domain`.
#[must_use]
pub fn domain(w: &World) -> WbDomain {
    w.wb_domains.get(WordId(0)).copied().unwrap_or_default()
}

/// The same, to be changed.
pub fn domain_mut(w: &mut World) -> &mut WbDomain {
    w.wb_domain_mut(WordId(0))
}

/// `jiffies`.
#[must_use]
pub fn jiffies(w: &World) -> u64 {
    w.counter(Counter::Clock) / NSEC_PER_JIFFY
}

/// `jiffies_to_msecs()`.
#[must_use]
pub const fn jiffies_to_msecs(jiffies: u64) -> u64 {
    jiffies * (NSEC_PER_JIFFY / 1_000_000)
}

/// `msecs_to_jiffies()` of hundredths of a second.
#[must_use]
pub fn centisecs_to_jiffies(centisecs: u64) -> u64 {
    (centisecs * 10_000_000).div_ceil(NSEC_PER_JIFFY)
}

/// WB_STAT_BATCH on one CPU: pages that a read of a wb counter may miss, and
/// `wb_stat_error()`.
pub const WB_STAT_BATCH: u64 = 8;

fn move_by(w: &mut World, counter: Counter, delta: i64) -> u64 {
    let slot = w.counter_mut(counter);
    *slot = slot.checked_add_signed(delta).expect("a page is uncounted once");
    *slot
}

/// `inc_wb_stat()` and `dec_wb_stat()`: what a read sees moves in batches.
fn mod_wb_stat(w: &mut World, counter: Counter, seen: Counter, delta: i64) {
    let now = move_by(w, counter, delta);
    if now.abs_diff(w.counter(seen)) >= WB_STAT_BATCH {
        *w.counter_mut(seen) = now;
    }
}

/// Adds to WB_RECLAIMABLE.
pub fn mod_wb_reclaimable(w: &mut World, delta: i64) {
    mod_wb_stat(w, Counter::WbReclaimable, Counter::WbReclaimableApprox, delta);
}

/// Adds to WB_WRITEBACK.
pub fn mod_wb_writeback(w: &mut World, delta: i64) {
    mod_wb_stat(w, Counter::WbWriteback, Counter::WbWritebackApprox, delta);
}

/// `calculate_normal_threshold()`, mm/vmstat.c: what one CPU keeps of a node's
/// counter before it hands it in.
fn stat_threshold(w: &World) -> u64 {
    let mem = w.counter(Counter::MemoryPages) >> 15;
    (2 * (1 + u64::from(u64::BITS - mem.leading_zeros()))).min(125)
}

/// `__mod_node_page_state()`, mm/vmstat.c. An idle CPU hands in what it holds
/// (`quiet_vmstat()`), so a change at a later time finds nothing left.
fn mod_node_page_state(w: &mut World, counter: Counter, seen: Counter, delta: i64) {
    let clock = w.counter(Counter::Clock);
    if w.counter(Counter::VmstatClock) != clock {
        *w.counter_mut(Counter::VmstatClock) = clock;
        for (counter, seen) in NODE_COUNTERS {
            let now = w.counter(counter);
            if w.counter(seen) != now {
                *w.counter_mut(seen) = now;
            }
        }
    }
    let now = move_by(w, counter, delta);
    if now.abs_diff(w.counter(seen)) > stat_threshold(w) {
        *w.counter_mut(seen) = now;
    }
}

const NODE_COUNTERS: [(Counter, Counter); 2] =
    [(Counter::FileDirty, Counter::FileDirtyApprox), (Counter::Writeback, Counter::WritebackApprox)];

/// Adds to NR_FILE_DIRTY.
pub fn mod_file_dirty(w: &mut World, delta: i64) {
    mod_node_page_state(w, Counter::FileDirty, Counter::FileDirtyApprox, delta);
}

/// Adds to NR_WRITEBACK.
pub fn mod_writeback(w: &mut World, delta: i64) {
    mod_node_page_state(w, Counter::Writeback, Counter::WritebackApprox, delta);
}

/// `global_node_page_state(NR_FILE_DIRTY)`: without what the CPU still holds.
#[must_use]
pub fn nr_file_dirty(w: &World) -> u64 {
    node_page_state(w, Counter::FileDirty, Counter::FileDirtyApprox)
}

/// `global_node_page_state(NR_WRITEBACK)`.
#[must_use]
pub fn nr_writeback(w: &World) -> u64 {
    node_page_state(w, Counter::Writeback, Counter::WritebackApprox)
}

fn node_page_state(w: &World, counter: Counter, seen: Counter) -> u64 {
    let idle_since = w.counter(Counter::VmstatClock) != w.counter(Counter::Clock);
    w.counter(if idle_since { counter } else { seen })
}

/// `wb_has_dirty_io()`.
#[must_use]
pub fn wb_has_dirty_io(w: &World) -> bool {
    flusher(w).has_dirty_io
}

/// `writeback_in_progress()`.
#[must_use]
pub fn writeback_in_progress(w: &World) -> bool {
    flusher(w).running
}

/// `wb_wakeup()`, fs/fs-writeback.c: the flusher runs as soon as it can.
pub fn wb_wakeup(w: &mut World) {
    cancel_timer(w);
    if !flusher(w).queued {
        flusher_mut(w).queued = true;
        wake_all(w, WaitOn::Flusher);
    }
}

/// `wb_wakeup_delayed()`, mm/backing-dev.c:264: it runs after
/// `dirty_writeback_interval`, unless it is due already. With an interval of 0
/// that is at once.
pub fn wb_wakeup_delayed(w: &mut World) {
    let wb = flusher(w);
    if wb.queued || wb.timer.0 != 0 {
        return;
    }
    let delay = centisecs_to_jiffies(w.counter(Counter::DirtyWriteback)) * NSEC_PER_JIFFY;
    if delay == 0 {
        return wb_wakeup(w);
    }
    let key = (w.counter(Counter::Clock) + delay, w.next(Counter::EventSeq));
    w.event_set(key, Some(Event::Flusher));
    flusher_mut(w).timer = key;
}

/// `delayed_work_timer_fn()`: the delay is over.
pub fn timer_expired(w: &mut World) {
    flusher_mut(w).timer = (0, 0);
    wb_wakeup(w);
}

fn cancel_timer(w: &mut World) {
    let key = flusher(w).timer;
    if key.0 != 0 {
        w.event_set(key, None);
        flusher_mut(w).timer = (0, 0);
    }
}
