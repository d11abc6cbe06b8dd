//! Tasks, wait queues, the modelled clock, and which task runs next.
//!
//! Every kernel thread is a Rust future, polled up to its next *probe*. A probe
//! closes a step: all since the last one happens at once for the viewer. Here
//! is no kernel rule: only who runs, who sleeps, and when time moves.
//!
//! ```text
//!   Machine::run ── pick the first runnable task ── poll ── probe, probe, ...
//!        │                                                   sleep: Pending
//!        └── none runnable: the next event moves the clock
//! ```
//!
//! Deliberately absent: threads, wakers, preemption inside a step. Kernel work
//! takes no time; only sleeps and devices do.
#![forbid(unsafe_code)]

mod machine;
mod sync;

pub use machine::{Address, At, Irq, Kthread, Machine, Pause, PauseHere, Place, Probe, SITE_IDLE, Sleep};
pub use sync::{RwSem, down_read, down_write, down_write_trylock, up_read, up_write};

use world::{Counter, Errno, Event, TaskId, TaskState, WaitOn, World};

/// Nanoseconds in a jiffy (HZ 250).
pub const NSEC_PER_JIFFY: u64 = 4_000_000;

/// Wakes every task that sleeps on `on`, first sleeper first.
#[inline]
pub fn wake_all(w: &mut World, on: WaitOn) {
    if w.tasks.slots().iter().any(|task| task.state == TaskState::Sleeping && task.wait == on) {
        wake_sleepers(w, on);
    }
}

fn wake_sleepers(w: &mut World, on: WaitOn) {
    let mut sleepers: Vec<(u32, TaskId)> = w
        .tasks
        .iter()
        .filter(|(_, task)| task.state == TaskState::Sleeping && task.wait == on)
        .map(|(id, task)| (task.seq, id))
        .collect();
    sleepers.sort_unstable();
    for (_, id) in sleepers {
        wake(w, id);
    }
}

/// Makes a sleeping task runnable.
pub fn wake(w: &mut World, id: TaskId) {
    if w.tasks.at(id).state != TaskState::Sleeping {
        return;
    }
    let seq = w.next(Counter::SleepSeq) as u32;
    let task = w.task_mut(id);
    task.state = TaskState::Runnable;
    task.wait = WaitOn::Nothing;
    task.wake_at = 0;
    task.seq = seq;
    let first = task.priority;
    let current = w.current;
    w.need_resched |= current.is_some() && first < w.tasks.at(current).priority;
}

/// Sends SIGKILL: the task sees it at its next check, or at once if it sleeps killably.
pub fn kill(w: &mut World, id: TaskId) {
    w.task_mut(id).killed = true;
    let task = w.tasks.at(id);
    if task.state == TaskState::Sleeping && task.killable {
        wake(w, id);
    }
}

/// Lets `event` happen `delay_ns` from now.
pub fn schedule(w: &mut World, delay_ns: u64, event: Event) {
    let at = w.counter(Counter::Clock) + delay_ns;
    let seq = w.next(Counter::EventSeq);
    w.event_set((at, seq), Some(event));
}

/// `fatal_signal_pending(current)`.
#[must_use]
pub fn fatal_signal_pending(w: &World, task: TaskId) -> bool {
    w.tasks.at(task).killed
}

/// The error of an interrupted system call, if a fatal signal is pending.
///
/// # Errors
/// `EINTR`.
pub fn check_fatal_signal(w: &World, task: TaskId) -> Result<(), Errno> {
    if fatal_signal_pending(w, task) { Err(Errno::EINTR) } else { Ok(()) }
}
