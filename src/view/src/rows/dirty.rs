//! Dirty balance, and what the flusher works at.

use kernel::fs::fs_writeback::Reason;
use kernel::mm::backing_dev::{jiffies_to_msecs, rates};
use kernel::mm::page_writeback::{fair_period, limits_of};
use kernel::site;
use world::{Change, Counter, TaskId, TaskState, WaitOn, World};

use crate::frame::DirtyBalance;
use crate::moment::{Call, Moment, clock, count, local, number, stack_of, task_name};

/// Pages a second as `1.6`, in MiB/s.
fn mib(pages: u64) -> String {
    let tenths = (pages * 10).div_ceil(256);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The task that the panel is about: the step's own if it is a program's; else one that pauses; else that of the call
/// under way.
fn writer(m: &Moment) -> TaskId {
    let program = |id: &TaskId| m.w.tasks.get(*id).is_some_and(|task| task.process != 0);
    let caller = TaskId(m.index.info(m.step).task);
    let pauses = |id: &TaskId| m.w.tasks.get(*id).is_some_and(|task| task.wait == WaitOn::DirtyPause);
    let paused = || m.w.tasks.iter().map(|(id, _)| id).find(pauses);
    m.task().filter(program).or_else(|| Some(caller).filter(pauses)).or_else(paused).unwrap_or(caller)
}

/// A task's call of a function, with its locals at hand.
struct At<'a>(&'a World, TaskId, Call);

impl At<'_> {
    fn get(&self, name: &str) -> Option<u64> {
        local(self.0, self.1, self.2, name)
    }
}

fn calls(m: &Moment, task: TaskId) -> Vec<Call> {
    stack_of(m.h, m.w.stacks.get(task).map_or(0, |stack| stack.frame))
}

fn call<'a>(m: &'a Moment, task: TaskId, calls: &[Call], function: &site::FnSite) -> Option<At<'a>> {
    calls.iter().find(|call| call.function.id == function.id).map(|&call| At(m.w, task, call))
}

/// A pause that a task is in: passed and whole, in ms, and when it ends.
fn pause(m: &Moment, task: TaskId) -> Option<(u64, u64, u64)> {
    let state =
        m.w.tasks.get(task).filter(|task| task.state == TaskState::Sleeping && task.wait == WaitOn::DirtyPause)?;
    let whole = jiffies_to_msecs(call(m, task, &calls(m, task), &site::BALANCE_DIRTY_PAGES)?.get("pause")?);
    // The timer rounds up to the next tick.
    let left = state.wake_at.saturating_sub(m.w.counter(Counter::Clock)).div_ceil(1_000_000);
    Some((whole.saturating_sub(left), whole, state.wake_at))
}

/// What a paused task sleeps on: `12 of 200 ms, until 0.404 s`.
#[must_use]
pub fn pause_words(m: &Moment, task: TaskId) -> Option<String> {
    let (passed, whole, until) = pause(m, task)?;
    Some(tr!("{} of {} ms, until {}", passed, whole, clock(until)))
}

/// Dirty pages against the limits, and what the writer may do.
#[must_use]
pub fn dirty(m: &Moment) -> DirtyBalance {
    let task = writer(m);
    let limits = limits_of(m.w, task);
    let acct = m.w.accts.get(task).copied().unwrap_or_default();
    let old = m.changes.iter().find_map(|change| match change {
        Change::accts(id, old) if *id == task => Some(*old),
        _ => None,
    });
    let at = call(m, task, &calls(m, task), &site::BALANCE_DIRTY_PAGES);
    let get = |name| at.as_ref().and_then(|at| at.get(name));
    let own = m.task() == Some(task);
    let is = |probe| own && m.is(&[probe]);
    // A pause that came out negative is none.
    let pause_ms =
        jiffies_to_msecs(get("pause").and_then(|pause| u64::try_from(pause.cast_signed()).ok()).unwrap_or(0));
    let note = if let Some(words) = pause_words(m, task) {
        tr!("paused {}", words)
    } else if is(site::BDP_FREERUN) {
        tr!("free: next check after {}", count(u64::from(acct.nr_dirtied_pause), "page"))
    } else if is(site::BDP_SLEEP) {
        tr!("pauses for {} ms", pause_ms)
    } else if is(site::BDP_WOKEN) {
        tr!("paused {} ms, goes on", pause_ms)
    } else if is(site::BDP_TINY) || is(site::BDP_PERIOD) || is(site::BDP_RESET) {
        tr!("free: too short a pause to make")
    } else if is(site::BDP_KILLED) {
        tr!("killed: pauses no more")
    } else if at.is_some() {
        tr!("checking now")
    } else {
        tr!("free: no check in this step")
    };
    let rate = mib(rates(m.w).dirty_ratelimit);
    let ratio = get("pos_ratio").map(|ratio| format!("{}.{:02}", ratio >> 10, ((ratio & 1023) * 100) >> 10));
    let task_ratelimit = get("task_ratelimit");
    let period = match (get("pages_dirtied"), task_ratelimit) {
        (Some(pages), Some(rate)) if rate > 0 => Some(fair_period(pages, rate)),
        _ => get("pause").filter(|_| task_ratelimit == Some(0)),
    };
    let changed = |counter| m.w.counter(counter) != m.old_counter(counter);
    DirtyBalance {
        dirty: m.w.counter(Counter::FileDirty),
        writeback: m.w.counter(Counter::Writeback),
        background: limits.background,
        freerun: limits.freerun,
        setpoint: limits.setpoint,
        limit: limits.limit,
        dirty_changed: changed(Counter::FileDirty) || changed(Counter::Writeback),
        wb_dirty: m.w.counter(Counter::WbReclaimable),
        wb_writeback: m.w.counter(Counter::WbWriteback),
        wb_thresh: limits.wb_thresh,
        wb_background: limits.wb_background,
        clock: clock(m.w.counter(Counter::Clock)),
        task: task_name(m.w, task),
        nr_dirtied: u64::from(acct.nr_dirtied),
        nr_dirtied_pause: u64::from(acct.nr_dirtied_pause),
        nr_dirtied_changed: old.is_some_and(|old| old.nr_dirtied != acct.nr_dirtied),
        bdp_ratelimits: m.w.counter(Counter::BdpRatelimits),
        note,
        pause: pause(m, task).map(|(passed, whole, _)| (passed, whole)),
        pace: format!(
            "pos_ratio {} × {rate} = {} MiB/s",
            ratio.as_deref().unwrap_or("–"),
            task_ratelimit.map_or_else(|| "–".to_owned(), mib)
        ),
        period: format!(
            "period {} ms",
            period.map_or_else(|| "–".to_owned(), |jiffies| number(jiffies_to_msecs(jiffies)))
        ),
    }
}

/// What a work is for, by the number of its `enum wb_reason`.
#[must_use]
pub fn work_name(reason: u64) -> &'static str {
    match reason {
        reason if reason == Reason::Sync as u64 => "sync",
        reason if reason == Reason::Periodic as u64 => "kupdate",
        reason if reason == Reason::FsFreeSpace as u64 => "fs_free_space",
        _ => "background",
    }
}

/// What the flusher works at: `background, 12 pages written, until 64 are dirty`. Empty if it is not at work.
#[must_use]
pub fn doing(m: &Moment, task: TaskId) -> String {
    let calls = calls(m, task);
    let Some(work) = call(m, task, &calls, &site::WB_WRITEBACK) else { return String::new() };
    let round = call(m, task, &calls, &site::WB_DO_WRITEBACK);
    let of = |at: &Option<At>, name| at.as_ref().and_then(|at| at.get(name));
    // What the round says of its last work is past once it has asked about the background.
    let background = of(&round, "over").is_some();
    let asked = of(&round, "nr_pages").filter(|_| !background);
    let sb = call(m, task, &calls, &site::WRITEBACK_SB_INODES);
    let file = call(m, task, &calls, &site::EXT4_WRITEPAGES_FN);
    let all = asked.unwrap_or(i64::MAX.cast_unsigned());
    let passed = all.saturating_sub(work.get("nr_pages").unwrap_or(all)) + of(&sb, "total_wrote").unwrap_or(0);
    let chunk = of(&sb, "write_chunk").zip(of(&file, "nr_to_write"));
    let written = passed + chunk.map_or(0, |(chunk, left)| chunk.saturating_sub(left));
    // Between the file's pages and the flusher's own count the number is nobody's local.
    let counted = file.is_some() || call(m, task, &calls, &site::WRITEBACK_SINGLE_INODE).is_none();
    let name = if background { work_name(0) } else { work_name(of(&round, "reason").unwrap_or(0)) };
    if !counted {
        return name.to_owned();
    }
    match asked.filter(|asked| *asked < u64::from(u32::MAX)) {
        Some(asked) => tr!("{}: {} of {} written", name, number(written), count(asked, "page")),
        None if background => {
            let limit = limits_of(m.w, task).background;
            tr!("{}: {} written, until {} dirty", name, count(written, "page"), number(limit))
        }
        None => tr!("{}: {} written", name, count(written, "page")),
    }
}
