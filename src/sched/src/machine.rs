//! The machine: World, history, and the futures of its tasks.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use world::{
    Comm, Counter, Event, History, Stack, StepHeader, Task, TaskAcct, TaskId, TaskRun, TaskState, WaitOn, World,
};

use crate::{schedule, wake};

/// The site of a step in which no task ran: time passed.
pub const SITE_IDLE: u16 = 0;

/// File and line of a probe in the engine's own source.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// As `file!()` gives it.
    pub file: &'static str,
    /// 1-based.
    pub line: u32,
}

/// Where a probe stands: a constant, so that a future has one word of it.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The site.
    pub site: u16,
    /// The place in the engine's source.
    pub place: Place,
}

/// What a completing device request does; gives the site of the step.
pub type Irq = fn(&mut World, Event) -> u16;

type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A step by what it is, not by its number, so that it survives changes
/// of the engine elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The task.
    pub task: TaskId,
    /// System call of the task, from 1.
    pub syscall: u16,
    /// Round of `generic_perform_write`, from 1; 0 outside.
    pub iteration: u32,
    /// Try of the round, from 1; 0 outside.
    pub retry: u16,
    /// The probe.
    pub site: u16,
    /// Which hit of that probe among those alike in all of the above, from 1.
    pub nth: u16,
}

/// Why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The budget of steps is spent.
    Budget,
    /// An armed address was hit: its index, in the order armed.
    Hit(usize),
    /// Every user task ended.
    Finished,
    /// All tasks sleep and nothing will ever wake one.
    Deadlock,
}

struct Armed {
    address: Address,
    seen: u16,
}

/// World, history and tasks.
pub struct Machine {
    world: RefCell<World>,
    history: RefCell<History>,
    futures: RefCell<Vec<Option<TaskFuture>>>,
    steps_left: Cell<u32>,
    /// Neither recorded nor armed: a probe has only to count itself.
    quiet: Cell<bool>,
    /// Steps up to the last call of `run`, and what that was given.
    steps_before: Cell<u64>,
    budget: Cell<u32>,
    armed: RefCell<Vec<Armed>>,
    hit: Cell<Option<usize>>,
    recording: Cell<bool>,
    /// The task whose slice was cut by the budget: it goes on first.
    cut: Cell<Option<TaskId>>,
    /// The task whose time slice is over: another one goes first.
    spent: Cell<Option<TaskId>>,
}

impl Machine {
    /// A machine around `world`; `recording` keeps every step.
    #[must_use]
    pub fn new(mut world: World, recording: bool) -> Rc<Self> {
        world.restart_log();
        world.rec.on = recording;
        let history = History::new(&world);
        Rc::new(Machine {
            world: RefCell::new(world),
            history: RefCell::new(history),
            futures: RefCell::default(),
            steps_left: Cell::new(0),
            quiet: Cell::new(!recording),
            steps_before: Cell::new(0),
            budget: Cell::new(0),
            armed: RefCell::default(),
            hit: Cell::new(None),
            recording: Cell::new(recording),
            cut: Cell::new(None),
            spent: Cell::new(None),
        })
    }

    /// The World, to look at or to act on from outside between steps.
    pub fn with<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        look(&mut self.world.borrow_mut())
    }

    /// World and history together.
    pub fn with_history<R>(&self, look: impl FnOnce(&mut World, &mut History) -> R) -> R {
        look(&mut self.world.borrow_mut(), &mut self.history.borrow_mut())
    }

    /// Steps run, recorded or not.
    #[must_use]
    pub fn steps_run(&self) -> u64 {
        self.steps_before.get() + u64::from(self.budget.get() - self.steps_left.get())
    }

    /// Counts the steps of the slice so far, and begins one of `budget` steps.
    fn new_slice(&self, budget: u32) {
        self.steps_before.set(self.steps_run());
        self.budget.set(budget);
        self.steps_left.set(budget);
    }

    /// Throws away what was recorded and records from here on: the state as it
    /// is becomes position 0. No task may be inside a frame.
    ///
    /// # Panics
    /// If the call stack of a task is not empty.
    pub fn record_from_here(&self) {
        let (mut w, mut history) = (self.world.borrow_mut(), self.history.borrow_mut());
        assert!(w.stacks.iter().all(|(_, stack)| stack.frame == 0), "a recording starts outside all functions");
        w.restart_log();
        *history = History::new(&w);
        self.recording.set(true);
        self.quiet.set(false);
    }

    /// True if steps are kept.
    #[must_use]
    #[inline(always)]
    pub fn recording(&self) -> bool {
        self.recording.get()
    }

    /// Stops the run when `address` is reached; gives the index for [`Pause::Hit`].
    pub fn arm(&self, address: Address) -> usize {
        self.quiet.set(false);
        let mut armed = self.armed.borrow_mut();
        armed.push(Armed { address, seen: 0 });
        armed.len() - 1
    }

    /// Adds a task that runs `body`, and gives its id.
    pub fn spawn<F: Future<Output = ()> + 'static>(
        self: &Rc<Self>,
        name: &str,
        process: u8,
        priority: u8,
        body: impl FnOnce(Kthread) -> F,
    ) -> TaskId {
        let mut futures = self.futures.borrow_mut();
        let id = TaskId(futures.len() as u32);
        self.with(|w| {
            let seq = w.next(Counter::SleepSeq) as u32;
            *w.task_mut(id) = Task { state: TaskState::Runnable, seq, priority, process, ..Task::default() };
            *w.stack_mut(id) = Stack::default();
            *w.run_mut(id) = TaskRun::default();
            // Programs count from 4096, as on the golden machine; kernel threads are older.
            let users = w.tasks.iter().filter(|(other, task)| *other != id && task.process != 0).count() as u32;
            let pid = if process == 0 { 8 + id.0 } else { 4096 + users };
            *w.acct_mut(id) = TaskAcct { nr_dirtied_pause: 32, rlimit_fsize: u64::MAX, pid, ..TaskAcct::default() };
            *w.comm_mut(id) = Comm::new(name);
        });
        let kt = Kthread { machine: Rc::clone(self), task: id };
        futures.push(Some(Box::pin(body(kt))));
        id
    }

    /// Runs up to `budget` steps.
    ///
    /// # Panics
    /// If the World does not stand at the head of the history.
    pub fn run(&self, budget: u32, irq: Irq) -> Pause {
        self.new_slice(budget);
        self.with_history(|_, history| assert_eq!(history.position(), history.len(), "only the head can run"));
        while self.steps_left.get() > 0 {
            if let Some(hit) = self.hit.take() {
                return Pause::Hit(hit);
            }
            if self.with(|w| programs_are_over(w)) {
                return Pause::Finished;
            }
            let (cut, spent) = (self.cut.take(), self.spent.take());
            let next = self.with(|w| {
                // A task cut by the budget goes on as if nothing had been, so
                // that the slices of a run do not change it.
                let goes_on = cut.filter(|&id| w.tasks.at(id).state == TaskState::Runnable);
                let next = goes_on.or_else(|| {
                    w.need_resched = false;
                    pick(w, spent).or_else(|| pick(w, None))
                });
                w.current = next.unwrap_or(TaskId::NONE);
                next
            });
            match next {
                Some(id) => self.poll(id),
                None => {
                    if let Some(pause) = self.idle(irq) {
                        return pause;
                    }
                }
            }
        }
        self.hit.take().map_or(Pause::Budget, Pause::Hit)
    }

    fn poll(&self, id: TaskId) {
        let future = self.futures.borrow_mut()[id.0 as usize].take();
        let Some(mut future) = future else {
            self.with(|w| w.task_mut(id).state = TaskState::Dead);
            return;
        };
        let mut context = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut context) {
            Poll::Ready(()) => self.with(|w| w.task_mut(id).state = TaskState::Dead),
            Poll::Pending => self.futures.borrow_mut()[id.0 as usize] = Some(future),
        }
    }

    /// No task can run: lets the next event happen.
    fn idle(&self, irq: Irq) -> Option<Pause> {
        let event = self.with(|w| {
            let (&key, &event) = w.events.entries().first_key_value()?;
            w.event_set(key, None);
            *w.counter_mut(Counter::Clock) = key.0;
            Some(event)
        });
        match event {
            Some(Event::Wake(id)) => {
                self.with(|w| {
                    let due = w.tasks.at(id).wake_at;
                    if due != 0 && due <= w.counter(Counter::Clock) {
                        wake(w, id);
                    }
                });
                None
            }
            Some(event) => {
                let site = self.with(|w| irq(w, event));
                self.close_step(TaskId::NONE, site, Place { file: file!(), line: line!() });
                None
            }
            None => {
                let asleep =
                    self.with(|w| w.tasks.iter().any(|(_, t)| t.state == TaskState::Sleeping && t.process != 0));
                Some(if asleep { Pause::Deadlock } else { Pause::Finished })
            }
        }
    }

    /// Records a step made from outside, such as an intervention.
    pub fn close_step(&self, task: TaskId, site: u16, place: Place) {
        match self.steps_left.get().checked_sub(1) {
            Some(left) => self.steps_left.set(left),
            None => self.steps_before.set(self.steps_before.get() + 1),
        }
        if self.recording() {
            let (mut w, mut history) = (self.world.borrow_mut(), self.history.borrow_mut());
            let frame = w.stacks.get(task).map_or(0, |stack| stack.frame);
            let place = history.place(site, place.file, place.line);
            history.close_step(&mut w, StepHeader::new(site, place, task, frame));
        }
    }

    /// The time slice of the task that ran last is over: if another one can run, it goes first, however urgent this
    /// one is.
    pub fn end_slice(&self) {
        self.cut.set(None);
        self.spent.set(self.with(|w| w.current.is_some().then_some(w.current)));
    }

    fn check_armed(&self, task: TaskId, site: u16) {
        let mut armed = self.armed.borrow_mut();
        if armed.is_empty() {
            return;
        }
        let run = self.with(|w| *w.runs.at(task));
        for (index, entry) in armed.iter_mut().enumerate() {
            let a = entry.address;
            let alike = a.site == site
                && a.task == task
                && a.syscall == run.syscall
                && a.iteration == run.iteration
                && a.retry == run.retry;
            if alike {
                entry.seen += 1;
                if entry.seen == a.nth {
                    self.hit.set(Some(index));
                }
            }
        }
    }
}

/// Every program has ended: what kernel threads would still do is nobody's story.
fn programs_are_over(w: &World) -> bool {
    let mut programs = w.tasks.iter().filter(|(_, task)| task.process != 0).peekable();
    programs.peek().is_some() && programs.all(|(_, task)| task.state == TaskState::Dead)
}

/// The runnable task that goes first: lowest priority number, then longest runnable; not the one named.
fn pick(w: &World, but: Option<TaskId>) -> Option<TaskId> {
    w.tasks
        .iter()
        .filter(|(id, task)| task.state == TaskState::Runnable && Some(*id) != but)
        .min_by_key(|(_, task)| (task.priority, task.seq))
        .map(|(id, _)| id)
}

/// A task's way to the machine. The only way from a future to the World is
/// [`Kthread::with`], so no borrow can cross an `await`.
#[derive(Clone)]
pub struct Kthread {
    machine: Rc<Machine>,
    /// The task.
    pub task: TaskId,
}

impl Kthread {
    /// The World, for as long as `work` takes.
    #[inline(always)]
    pub fn with<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        work(&mut self.machine.world.borrow_mut())
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Rc<Machine> {
        &self.machine
    }

    /// True if steps are kept.
    #[must_use]
    #[inline(always)]
    pub fn recording(&self) -> bool {
        self.machine.recording()
    }

    /// Opens a frame of the call stack, with its first locals.
    #[inline(always)]
    pub fn push_frame(&self, site: u16, args: &[u64]) {
        if self.recording() {
            self.record_push(site, args);
        }
    }

    fn record_push(&self, site: u16, args: &[u64]) {
        let (mut w, mut history) = (self.machine.world.borrow_mut(), self.machine.history.borrow_mut());
        let stack = w.stack_mut(self.task);
        stack.frame = history.frame(stack.frame, site);
        let depth = u32::from(history.frames[stack.frame as usize].depth);
        w.begin_locals(self.task, depth, args);
    }

    /// Closes the innermost frame.
    #[inline(always)]
    pub fn pop_frame(&self) {
        if self.recording() {
            self.record_pop();
        }
    }

    fn record_pop(&self) {
        let (mut w, history) = (self.machine.world.borrow_mut(), self.machine.history.borrow());
        let stack = w.stack_mut(self.task);
        stack.frame = history.frames[stack.frame as usize].parent;
    }

    /// Sets a local of the innermost frame. Only for who records: `probe!` asks first.
    pub fn set(&self, n: u32, value: u64) {
        let (mut w, history) = (self.machine.world.borrow_mut(), self.machine.history.borrow());
        let frame = w.stacks.at(self.task).frame;
        w.set_local(self.task, u32::from(history.frames[frame as usize].depth), n, value);
    }

    #[inline(never)]
    fn close_step(&self, at: &At) -> Poll<()> {
        let machine = &self.machine;
        machine.close_step(self.task, at.site, at.place);
        if !machine.armed.borrow().is_empty() {
            machine.check_armed(self.task, at.site);
        }
        if machine.with(|w| w.need_resched && w.runs.at(self.task).atomic == 0) {
            return Poll::Pending;
        }
        if machine.steps_left.get() == 0 || machine.hit.get().is_some() {
            machine.cut.set(Some(self.task));
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Ends a step; see [`Probe`].
    #[inline(always)]
    #[must_use]
    pub fn probe(&self, at: &'static At) -> Probe<'_> {
        Probe { kt: Some(self), at }
    }

    /// Ends the run's slice here, without a step: whoever runs the machine gets it back.
    #[must_use]
    pub fn pause(&self) -> PauseHere<'_> {
        PauseHere { kt: self, done: false }
    }

    /// Sleeps until woken; `on` is what the viewer is told.
    #[must_use]
    pub fn sleep_on(&self, on: WaitOn) -> Sleep<'_> {
        Sleep { kt: self, on, timeout_ns: 0, killable: false, done: false }
    }

    /// Sleeps until woken or SIGKILLed.
    #[must_use]
    pub fn sleep_killable(&self, on: WaitOn, timeout_ns: u64) -> Sleep<'_> {
        Sleep { kt: self, on, timeout_ns, killable: true, done: false }
    }

    /// Sleeps for a time.
    #[must_use]
    pub fn sleep_for(&self, timeout_ns: u64) -> Sleep<'_> {
        Sleep { kt: self, on: WaitOn::Timer, timeout_ns, killable: false, done: false }
    }
}

/// Closes a step. Ready at once, but Pending when the budget is spent, an
/// armed address was hit, or a task that goes first has become runnable.
pub struct Probe<'a> {
    /// Who closes the step; nobody once that is done.
    kt: Option<&'a Kthread>,
    at: &'static At,
}

impl Future for Probe<'_> {
    type Output = ();

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let Some(kt) = self.kt.take() else { return Poll::Ready(()) };
        let machine = &kt.machine;
        let left = machine.steps_left.get();
        if machine.quiet.get() && left > 1 && !machine.world.borrow().need_resched {
            machine.steps_left.set(left - 1);
            return Poll::Ready(());
        }
        kt.close_step(self.at)
    }
}

/// See [`Kthread::pause`].
pub struct PauseHere<'a> {
    kt: &'a Kthread,
    done: bool,
}

impl Future for PauseHere<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.done {
            return Poll::Ready(());
        }
        self.done = true;
        self.kt.machine.new_slice(0);
        self.kt.machine.cut.set(Some(self.kt.task));
        Poll::Pending
    }
}

/// A sleep.
pub struct Sleep<'a> {
    kt: &'a Kthread,
    on: WaitOn,
    timeout_ns: u64,
    killable: bool,
    done: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.done {
            return Poll::Ready(());
        }
        self.done = true;
        let (id, on, timeout_ns, killable) = (self.kt.task, self.on, self.timeout_ns, self.killable);
        self.kt.with(|w| {
            assert_eq!(w.runs.at(id).atomic, 0, "atomic sections do not sleep");
            let seq = w.next(Counter::SleepSeq) as u32;
            let now = w.counter(Counter::Clock);
            let task = w.task_mut(id);
            task.state = TaskState::Sleeping;
            task.wait = on;
            task.seq = seq;
            task.killable = killable;
            task.wake_at = if timeout_ns > 0 { now + timeout_ns } else { 0 };
            if timeout_ns > 0 {
                schedule(w, timeout_ns, Event::Wake(id));
            }
        });
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RwSem, down_write, up_write};
    use world::InodeId;

    fn nothing(_: &mut World, _: Event) -> u16 {
        SITE_IDLE
    }

    const HERE: &At = &At { site: 1, place: Place { file: file!(), line: line!() } };

    async fn critical(kt: Kthread, order: Rc<RefCell<Vec<u32>>>) {
        let inode = InodeId(3);
        down_write(&kt, RwSem::IRwsem(inode)).await;
        for _ in 0..3 {
            order.borrow_mut().push(kt.task.0);
            kt.probe(HERE).await;
            kt.sleep_for(1000).await;
        }
        kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
    }

    #[test]
    fn a_lock_is_held_over_sleeps_and_handed_on() {
        let order = Rc::new(RefCell::new(Vec::new()));
        let machine = Machine::new(World::default(), true);
        for name in ["a", "b"] {
            let order = Rc::clone(&order);
            machine.spawn(name, 1, 0, |kt| critical(kt, order));
        }
        while machine.run(1, nothing) == Pause::Budget {}
        assert_eq!(*order.borrow(), [0, 0, 0, 1, 1, 1]);
        assert_eq!(machine.with(|w| w.counter(Counter::Clock)), 6000);
    }

    #[test]
    fn the_slice_of_steps_does_not_change_the_run() {
        let run = |slice| {
            let machine = Machine::new(World::default(), true);
            for name in ["a", "b", "c"] {
                machine.spawn(name, 1, 0, |kt| critical(kt, Rc::default()));
            }
            while machine.run(slice, nothing) == Pause::Budget {}
            machine.with_history(|w, h| (w.digest(), h.steps.clone()))
        };
        assert_eq!(run(1), run(1000));
    }
}
