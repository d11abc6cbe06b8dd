//! A device's share of recent completions. Mirrors lib/flex_proportions.c, and
//! the domain's period of mm/page-writeback.c.
//!
//! Events are counted for the device and for all; every 3 s both are halved, so
//! that old ones count less. Nothing has to run for that: who looks at the
//! counts first halves them as often as periods have passed.

use world::{WbDomain, World};

use crate::mm::backing_dev::{WB_STAT_BATCH, domain, domain_mut, jiffies};

/// VM_COMPLETIONS_PERIOD_LEN: 3 s in jiffies.
const PERIOD_JIFFIES: u64 = 3 * 250;
/// `percpu_counter_batch` on one CPU.
const GLOBAL_BATCH: i32 = 32;
/// PROP_BATCH on one CPU.
const LOCAL_BATCH: i32 = WB_STAT_BATCH as i32;

/// The domain as it is at `now`: `writeout_period()`, mm/page-writeback.c:644,
/// and `fprop_reflect_period_percpu()`.
fn at(mut dom: WbDomain, now: u64) -> WbDomain {
    if dom.period_time != 0 && now >= dom.period_time {
        let periods = (now - dom.period_time) / PERIOD_JIFFIES + 1;
        let events = dom.completions.sum();
        // fprop_new_period()
        if events <= 1 {
            dom.period_time = 0;
        } else {
            dom.completions.set(halved(events, periods));
            dom.period += u32::try_from(periods).unwrap_or(u32::MAX / 2);
            dom.period_time += periods * PERIOD_JIFFIES;
        }
    }
    if dom.wb_period != dom.period {
        let behind = u64::from(dom.period - dom.wb_period);
        // What is in the batch counts too while little else does.
        let seen = dom.wb_completions.count;
        let events = if seen < u64::from(LOCAL_BATCH.unsigned_abs()) { dom.wb_completions.sum() } else { seen };
        dom.wb_completions.set(halved(events, behind));
        dom.wb_period = dom.period;
    }
    dom
}

fn halved(events: u64, times: u64) -> u64 {
    if times < 64 { events >> times } else { 0 }
}

/// `wb_domain_writeout_inc()`, mm/page-writeback.c:593: the device has written a page.
pub fn wb_domain_writeout_inc(w: &mut World) {
    let now = jiffies(w);
    let mut dom = at(domain(w), now);
    dom.wb_completions.add(1, LOCAL_BATCH);
    dom.completions.add(1, GLOBAL_BATCH);
    if dom.period_time == 0 {
        dom.period_time = now + PERIOD_JIFFIES;
    }
    *domain_mut(w) = dom;
}

/// The device has written `pages` already, and nothing else has written anything.
pub fn wb_domain_begin(w: &mut World, pages: u64) {
    let dom = domain_mut(w);
    dom.completions.set(pages);
    dom.wb_completions.set(pages);
    dom.period_time = PERIOD_JIFFIES;
}

/// `fprop_fraction_percpu()`: the device's share as numerator and denominator,
/// at most 1; 0 while it has completed nothing.
#[must_use]
pub fn fprop_fraction(w: &World) -> (u64, u64) {
    let dom = at(domain(w), jiffies(w));
    let (num, den) = (dom.wb_completions.count, dom.completions.count);
    if den > num { (num, den) } else { (num, num.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::Counter;

    #[test]
    fn the_share_of_a_single_device_is_nothing_and_then_all() {
        let mut w = World::default();
        assert_eq!(fprop_fraction(&w), (0, 1));
        for _ in 0..7 {
            wb_domain_writeout_inc(&mut w);
        }
        assert_eq!(fprop_fraction(&w), (0, 1), "a batch of eight shows at once");
        wb_domain_writeout_inc(&mut w);
        assert_eq!(fprop_fraction(&w), (8, 8));
    }

    #[test]
    fn completions_are_forgotten_by_halves() {
        let mut w = World::default();
        for _ in 0..64 {
            wb_domain_writeout_inc(&mut w);
        }
        *w.counter_mut(Counter::Clock) = 2 * 3_000_000_000;
        assert_eq!(fprop_fraction(&w), (16, 16), "two periods have passed");
        *w.counter_mut(Counter::Clock) = 60 * 3_000_000_000;
        wb_domain_writeout_inc(&mut w);
        assert_eq!(domain(&w).completions.sum(), 1);
        *w.counter_mut(Counter::Clock) = 80 * 3_000_000_000;
        assert_eq!(fprop_fraction(&w), (0, 1));
    }
}
