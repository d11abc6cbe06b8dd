//! A run of a scenario: the machine, its programs, and what acts from outside.
//!
//! ```text
//!   Run ── Machine ── task A: mount, set-up │ operations, exit, sync, umount
//!    │                                      └ recording begins here
//!    ├── interventions, resolved to steps the first time they are reached
//!    └── results of the operations, trace, image
//! ```
//!
//! A run is a function of its scenario: the same steps, the same digest,
//! natively and in wasm, whatever slices it is run in.

mod admin;
mod image;
mod inspect;
mod program;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use kernel::block::ramdisk::{add_fault, clear_faults, irq};
use kernel::flex_proportions::wb_domain_begin;
use kernel::fs::ext4::ioctl::shutdown_now;
use kernel::fs::jbd2::journal::journal_abort;
use kernel::mm::backing_dev::flusher_mut;
use kernel::mm::memory::{buffer_address, madvise_dontneed};
use kernel::mm::memory_failure::memory_failure;
use kernel::mm::page_writeback::{page_writeback_init, vm_sysctl};
use kernel::{site, start_kernel_threads};
use sched::{Address, Machine, Pause, Place};
use thiserror::Error;
use world::{Counter, PAGE_SIZE, TaskId, TraceRecord, World};

pub use image::image_bytes;
pub use inspect::{Inspection, inspect};

use crate::scenario::{Act, At, DeviceKind, FailWhat, Op, ProbeAt, Scenario};
use program::{Program, Shared};

/// Second at which every modelled machine boots, and at which its image was made.
pub const BOOT_SECONDS: u32 = 1_790_000_000;

/// Share of memory that pages may take, after the kernel's own part, in percent.
const DIRTYABLE_PERCENT: u64 = 84;

/// Share of memory that the kernel knows when it first computes the limit, in
/// thousandths: the golden machine's 512 MiB give a limit of 10535 pages, as
/// its traces of dirty-throttle and background-writeback show.
const EARLY_PERMILLE: u64 = 402;

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Keep every step of the operations.
    pub recording: bool,
    /// Keep what a tracer would print.
    pub trace: bool,
    /// Calls of every function go into the trace, also of those that no recorded case follows.
    pub all_calls: bool,
    /// The bytes of the uploaded image, if the scenario names one.
    pub image: Option<Vec<u8>>,
}

/// Why a run cannot start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RunError {
    /// The image cannot be made.
    #[error("the image cannot be made: {0}")]
    Mkfs(String),
    /// The scenario needs an uploaded image that was not given.
    #[error("the scenario needs the image {name} (SHA-256 {sha256})")]
    ImageMissing {
        /// Its file name.
        name: String,
        /// Its digest.
        sha256: String,
    },
    /// The image cannot be mounted.
    #[error("the image cannot be mounted: {0}")]
    Mount(String),
    /// The scenario asks for what the engine does not model.
    #[error("not modelled: {0}")]
    Lacks(String),
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More steps to come.
    Running,
    /// Every program has ended and the file system is unmounted.
    Finished,
    /// Every task sleeps and nothing will wake one.
    Deadlock,
}

/// What an operation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpResult {
    /// Its number, through set-up and operations, from 0.
    pub index: usize,
    /// The operation on one line.
    pub text: String,
    /// Result; −1 with an errno.
    pub ret: i64,
    /// Error number, positive.
    pub errno: Option<u16>,
    /// The process died in it.
    pub killed: bool,
    /// What `ext4_file_write_iter` returned in the call the process died in.
    pub kernel_ret: Option<i64>,
    /// It is one of the operations, not of the set-up.
    pub traced: bool,
}

/// How the program ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessEnd {
    /// Exit code, if it exited.
    pub exit: Option<i32>,
    /// Signal, if it was killed.
    pub signal: Option<u8>,
    /// The operation it died in.
    pub killed_op: Option<usize>,
}

/// A scenario being run.
pub struct Run {
    machine: Rc<Machine>,
    shared: Rc<RefCell<Shared>>,
    /// By step number, ascending.
    due: Vec<(u32, Act)>,
    /// By index of the armed address; each is a step.
    armed: Vec<Vec<Act>>,
    /// Their address was just hit: they act as the next steps.
    pending: VecDeque<Act>,
    /// The first second thread; the others follow in the order of their operations.
    first_helper: TaskId,
    /// Steps of mount and set-up, which count for nobody.
    set_up_steps: u64,
    buffers: Vec<String>,
    size_bytes: u64,
    progress: Progress,
}

impl Run {
    /// Sets the machine up and runs it to where its recording begins: the
    /// image mounted, the set-up done.
    ///
    /// # Errors
    /// See [`RunError`]. Nothing is left behind.
    pub fn new(scenario: &Scenario, options: RunOptions) -> Result<Self, RunError> {
        let mut run = Self::begin(scenario, options)?;
        while !run.set_up(u32::MAX)? {}
        Ok(run)
    }

    /// Sets the machine up; [`Run::set_up`] has to come before anything else.
    ///
    /// # Errors
    /// See [`RunError`], but for the mount.
    pub fn begin(scenario: &Scenario, options: RunOptions) -> Result<Self, RunError> {
        let (mut world, size_bytes) = booted_world(scenario, options.image.as_deref())?;
        world.trace.all_calls = options.all_calls;
        let machine = Machine::new(world, false);
        let buffers = program::buffer_names(scenario);
        let shared = Rc::new(RefCell::new(Shared::default()));
        for task in &scenario.tasks {
            let program = Program::new(task, scenario, Rc::clone(&shared), options.recording, options.trace);
            machine.spawn(&task.name, 1, 0, |kt| program.run(kt));
        }
        start_kernel_threads(&machine);
        let first_helper = TaskId(machine.with(|w| w.tasks.iter().count()) as u32);
        let mut run = Run {
            machine,
            first_helper,
            shared,
            due: Vec::new(),
            armed: Vec::new(),
            pending: VecDeque::new(),
            set_up_steps: 0,
            buffers,
            size_bytes,
            progress: Progress::Running,
        };
        run.arm(scenario);
        Ok(run)
    }

    fn arm(&mut self, scenario: &Scenario) {
        let mut places: Vec<&ProbeAt> = Vec::new();
        for intervention in &scenario.interventions {
            match &intervention.at {
                At::Step(step) => self.due.push((*step, intervention.act.clone())),
                At::Probe(at) => {
                    if let Some(n) = places.iter().position(|place| *place == at) {
                        self.armed[n].push(intervention.act.clone());
                        continue;
                    }
                    let program = scenario.tasks.iter().position(|task| task.name == at.task);
                    let (task, syscall) = match (scenario.helper_at(at), program) {
                        (Some(helper), _) => (Some(self.helper(helper)), 0),
                        (None, program) => (program.map(|n| TaskId(n as u32)), at.op as u16 + 1),
                    };
                    let site = site::SITES.iter().find_map(|row| match row {
                        site::Site::Probe(probe) if probe.name == at.site => Some(probe.id),
                        _ => None,
                    });
                    let (Some(task), Some(site)) = (task, site) else {
                        continue; // `Scenario::check` has refused both
                    };
                    self.machine.arm(Address {
                        task,
                        syscall,
                        iteration: at.iteration,
                        retry: at.retry,
                        site,
                        nth: at.nth,
                    });
                    self.armed.push(vec![intervention.act.clone()]);
                    places.push(at);
                }
            }
        }
        self.due.sort_by_key(|(step, _)| *step);
    }

    /// Runs up to `budget` steps of mount and set-up, which are not kept. True once both are done.
    ///
    /// # Errors
    /// [`RunError::Mount`].
    pub fn set_up(&mut self, budget: u32) -> Result<bool, RunError> {
        if self.set_up_steps > 0 {
            return Ok(true);
        }
        let mut left = budget;
        while !self.shared.borrow().set_up_done && self.progress == Progress::Running {
            if left == 0 {
                return Ok(false);
            }
            left -= 1;
            self.slice(1);
        }
        self.set_up_steps = self.machine.steps_run();
        match self.shared.borrow_mut().mount_error.take() {
            Some(reason) => Err(RunError::Mount(reason)),
            None => Ok(true),
        }
    }

    /// Runs up to `budget` more steps.
    pub fn step(&mut self, budget: u32) -> Progress {
        let mut left = budget;
        while left > 0 && self.progress == Progress::Running {
            let before = self.machine.steps_run();
            let now = (before - self.set_up_steps) as u32;
            if let Some(act) = self.take_act(now) {
                self.act(&act);
                left -= 1;
                continue;
            }
            let slice = self.due.first().map_or(left, |&(step, _)| left.min(step - now));
            self.slice(slice);
            left = left.saturating_sub((self.machine.steps_run() - before).max(1) as u32);
        }
        self.progress
    }

    /// What acts right after step `now`, if anything does.
    fn take_act(&mut self, now: u32) -> Option<Act> {
        let is_due = self.due.first().is_some_and(|&(step, _)| step <= now);
        self.pending.pop_front().or_else(|| is_due.then(|| self.due.remove(0).1))
    }

    fn slice(&mut self, budget: u32) {
        match self.machine.run(budget, irq) {
            Pause::Budget => {}
            Pause::Hit(index) => self.pending.extend(self.armed[index].iter().cloned()),
            Pause::Finished => self.progress = Progress::Finished,
            Pause::Deadlock => self.progress = Progress::Deadlock,
        }
    }

    /// Runs to the end.
    pub fn finish(&mut self) -> Progress {
        while self.step(u32::MAX) == Progress::Running {}
        self.progress
    }

    /// Something outside acts, as a step of its own.
    fn act(&mut self, act: &Act) {
        if matches!(act, Act::EndSlice {}) {
            self.machine.end_slice();
        }
        self.machine.with(|w| match act {
            Act::Evict { buf, off, len } => {
                if let Some(index) = self.buffers.iter().position(|name| name == buf) {
                    madvise_dontneed(w, 1, buffer_address(index as u16, *off), *len);
                }
            }
            Act::Fault(fault) => add_fault(w, fault.rule()),
            Act::Mend {} => clear_faults(w),
            Act::Shutdown {} => shutdown_now(w),
            Act::AbortJournal {} => {
                journal_abort(w, world::Errno::EIO);
            }
            Act::EndSlice {} => {}
            Act::Fail { what, times } => {
                let counter = match what {
                    FailWhat::PageAlloc => Counter::FailPageAlloc,
                    FailWhat::Slab => Counter::FailSlab,
                    FailWhat::Usercopy => Counter::FailUsercopy,
                };
                *w.counter_mut(counter) = u64::from(*times);
            }
            Act::MemoryFailure { fd, off } => {
                let file = self.shared.borrow().file(w, fd);
                if let (Some(file), Ok(index)) = (file, u32::try_from(off / PAGE_SIZE)) {
                    let inode = w.files.at(file).inode;
                    memory_failure(w, inode, index);
                }
            }
            Act::Sigkill { task } => {
                let target = w.comms.iter().find(|(_, comm)| comm.as_str() == task).map(|(id, _)| id);
                if let Some(target) = target {
                    sched::kill(w, target);
                }
            }
        });
        self.machine.close_step(TaskId::NONE, site::INTERVENE.id, Place { file: file!(), line: line!() });
    }

    /// Steps kept so far.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.machine.with_history(|_, history| history.len())
    }

    /// True before the first kept step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How far the run has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Rc<Machine> {
        &self.machine
    }

    /// The task of a second thread, counted from 0 in the order of the operations that make them ready. It has no
    /// system calls of its own: their number is 0 in the World.
    pub(crate) fn helper(&self, number: usize) -> TaskId {
        TaskId(self.first_helper.0 + number as u32)
    }

    /// Names of the workload's buffers by their number.
    #[must_use]
    pub fn buffers(&self) -> &[String] {
        &self.buffers
    }

    /// What the operations gave so far.
    #[must_use]
    pub fn results(&self) -> Vec<OpResult> {
        self.shared.borrow().results.clone()
    }

    /// How the program ended.
    #[must_use]
    pub fn process_end(&self) -> ProcessEnd {
        self.shared.borrow().end
    }

    /// What a tracer would have printed.
    #[must_use]
    pub fn trace(&self) -> Vec<TraceRecord> {
        self.machine.with(|w| w.trace.records.clone())
    }

    /// Operations of the scenario that the engine does not model yet.
    #[must_use]
    pub fn lacks(&self) -> Vec<String> {
        self.shared.borrow().lacks.clone()
    }

    /// The device's bytes as they are now.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        self.machine.with(|w| image_bytes(w, self.size_bytes))
    }

    /// Puts the state after `step` steps.
    ///
    /// # Panics
    /// If `step` is past the last one.
    pub fn seek(&self, step: u32) {
        self.machine.with_history(|w, history| history.seek(w, step));
    }

    /// Puts the state at the head, where the run can go on.
    pub fn seek_head(&self) {
        self.machine.with_history(|w, history| {
            let head = history.len();
            history.seek(w, head);
        });
    }
}

/// A machine's state before its first task: the scenario's image on the device, its memory and
/// limits set. With it the size of the device, in bytes. Nothing is mounted.
///
/// # Errors
/// As [`Run::new`], but for the mount.
pub fn booted_world(scenario: &Scenario, upload: Option<&[u8]>) -> Result<(World, u64), RunError> {
    let mut world = World::default();
    let size_bytes = image::load(&mut world, scenario, upload)?;
    boot(&mut world, scenario);
    Ok((world, size_bytes))
}

/// Memory, limits and device, as the scenario says.
fn boot(w: &mut World, scenario: &Scenario) {
    let pages = u64::from(scenario.memory_mib) * 256 * DIRTYABLE_PERCENT / 100;
    *w.counter_mut(Counter::MemoryPages) = pages;
    *w.counter_mut(Counter::FreePages) = pages;
    *w.counter_mut(Counter::BootTime) = u64::from(BOOT_SECONDS) * 1_000_000_000;
    *w.counter_mut(Counter::Random) = 0x9e37_79b9;
    page_writeback_init(w, u64::from(scenario.memory_mib) * 256 * EARLY_PERMILLE / 1000);
    // The image came onto the device through it: all recent completions are its own.
    let written = w.device.iter().count() as u64;
    wb_domain_begin(w, written);
    let vm = &scenario.vm;
    let settings = [
        ("dirty_ratio", vm.dirty_ratio),
        ("dirty_bytes", vm.dirty_bytes),
        ("dirty_background_ratio", vm.dirty_background_ratio),
        ("dirty_background_bytes", vm.dirty_background_bytes),
        ("dirty_expire_centisecs", vm.dirty_expire_centisecs),
        ("dirty_writeback_centisecs", vm.dirty_writeback_centisecs),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            vm_sysctl(w, name, u64::from(value)).unwrap_or(()); // `Scenario::check` has looked at the ranges
        }
    }
    *w.counter_mut(Counter::PageLimit) = u64::from(vm.page_limit.unwrap_or(0));
    *w.counter_mut(Counter::DeviceBandwidth) = u64::from(scenario.device.bandwidth_kib_s.unwrap_or(0)) * 1024;
    *w.counter_mut(Counter::DeviceQueueDepth) = u64::from(scenario.device.queue_depth.unwrap_or(0));
    *w.counter_mut(Counter::DeviceLatency) = match scenario.device.kind {
        DeviceKind::Slow => u64::from(scenario.device.latency_ms) * 1_000_000,
        DeviceKind::Ram | DeviceKind::Pmem => 0,
    };
    flusher_mut(w).strictlimit = scenario.device.strict_limit;
    *w.counter_mut(Counter::StableWrites) = u64::from(scenario.device.stable_writes);
    *w.counter_mut(Counter::DaxDevice) = u64::from(scenario.device.kind == DeviceKind::Pmem);
    for fault in &scenario.device.faults {
        add_fault(w, fault.rule());
    }
}

/// True if the engine runs this operation.
#[must_use]
pub fn is_modelled(op: &Op) -> bool {
    program::is_modelled(op)
}
