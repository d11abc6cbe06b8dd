//! One scenario under a person's hands: run on demand, looked at from any
//! step, changed from any step.

use std::rc::Rc;

use kernel::iov_iter::iter_of;
use kernel::mm::memory::buffer_of;
use kernel::site::{GPW_AGAIN, GPW_EXIT, GPW_SPLIT, INTERVENE, OP_BEGIN, OP_END, SITES, Site, probe};
use thiserror::Error;
use world::TaskId;

use crate::run::{Progress, Run, RunError, RunOptions};
use crate::scenario::{Act, At, HELPER, Intervention, ProbeAt, Scenario};

/// Why a run cannot be changed at a step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InterveneError {
    /// There is no such step.
    #[error("there is no step {0}")]
    NoSuchStep(u32),
    /// The changed scenario does not start.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The new run did not come to the same state at the step: a fault of the engine.
    #[error("the run is not repeatable: at step {step} the state's digest is {found:016x}, it was {expected:016x}")]
    Diverged {
        /// The step.
        step: u32,
        /// Digest in the old run.
        expected: u64,
        /// Digest in the new one.
        found: u64,
    },
}

/// A scenario, its run, and the runs it was branched from.
pub struct Session {
    scenario: Scenario,
    image: Option<Rc<Vec<u8>>>,
    run: Run,
    /// The scenarios of all runs, oldest first: each intervention made one.
    runs: Vec<Scenario>,
    /// Which of them is this run.
    current: usize,
}

impl Session {
    /// Starts a scenario; its set-up is run, no step is recorded yet.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn open(scenario: Scenario, image: Option<Rc<Vec<u8>>>) -> Result<Self, RunError> {
        let run = start(&scenario, image.as_deref())?;
        Ok(Session { runs: vec![scenario.clone()], current: 0, scenario, image, run })
    }

    /// The scenario as it runs, interventions included.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The scenarios of all runs that interventions made, oldest first, and which of them is this one.
    #[must_use]
    pub fn runs(&self) -> (&[Scenario], usize) {
        (&self.runs, self.current)
    }

    /// Takes a list of runs that was kept, if this run is one of them; tells if it is.
    pub fn restore_runs(&mut self, runs: Vec<Scenario>) -> bool {
        let found = runs.iter().position(|scenario| *scenario == self.scenario);
        if let Some(current) = found {
            (self.runs, self.current) = (runs, current);
        }
        found.is_some()
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The uploaded image, if the scenario has one.
    #[must_use]
    pub fn image(&self) -> Option<&Rc<Vec<u8>>> {
        self.image.as_ref()
    }

    /// Records up to `budget` more steps.
    pub fn extend(&mut self, budget: u32) -> Progress {
        if self.run.progress() == Progress::Running {
            self.run.seek_head();
            self.run.step(budget);
        }
        self.run.progress()
    }

    /// The digest of the whole state after `step` steps.
    #[must_use]
    pub fn digest_at(&self, step: u32) -> u64 {
        self.run.seek(step);
        self.run.machine().with(|w| w.digest())
    }

    /// The device's bytes after `step` steps.
    #[must_use]
    pub fn image_at(&self, step: u32) -> Vec<u8> {
        self.run.seek(step);
        self.run.image()
    }

    /// The `step`th step by what it is. `None` for steps of no task, and
    /// outside operations.
    #[must_use]
    pub fn address_of(&self, step: u32) -> Option<ProbeAt> {
        let (task, site, nth) = self.run.machine().with_history(|_, history| {
            let (last, before) = history.steps.get(..step as usize)?.split_last()?;
            let task = last.task()?;
            let mut nth = 1;
            if !begins(last.site) {
                for header in before.iter().rev().filter(|header| header.task() == Some(task)) {
                    nth += u16::from(header.site == last.site);
                    if begins(header.site) {
                        break;
                    }
                }
            }
            Some((task, last.site, nth))
        })?;
        self.run.seek(step);
        let (run, name) = self.run.machine().with(|w| {
            let run = w.runs.get(task).copied();
            (run, w.comms.get(task).map(|comm| comm.as_str().to_owned()))
        });
        let (run, name) = (run?, name?);
        let op = match u32::from(run.syscall).checked_sub(1) {
            Some(op) => op,
            None => self.helper_op(task)?,
        };
        Some(ProbeAt {
            task: name,
            op,
            iteration: run.iteration,
            retry: run.retry,
            site: probe(site)?.name.to_owned(),
            nth,
        })
    }

    /// The recorded operation that made a second thread ready, if the task is one and an address can name it.
    fn helper_op(&self, task: TaskId) -> Option<u32> {
        let mut helpers = self.scenario.helper_ops().enumerate();
        let (_, (op, traced)) = helpers.find(|(n, _)| self.run.helper(*n) == task)?;
        let hidden = self.scenario.tasks.iter().any(|task| task.name == HELPER);
        u32::try_from(op).ok().filter(|_| traced && !hidden)
    }

    /// The first step with an address, recording as far as needed.
    pub fn step_at(&mut self, address: &ProbeAt) -> Option<u32> {
        self.steps_at(&[address]).pop().flatten()
    }

    /// The first steps with these addresses, in one pass over the steps, recording as far as
    /// needed.
    pub fn steps_at(&mut self, addresses: &[&ProbeAt]) -> Vec<Option<u32>> {
        let mut searches: Vec<Search> =
            addresses.iter().map(|address| Search::new(address, &self.scenario, &self.run)).collect();
        let mut from = 0;
        loop {
            let end = self.run.len();
            let candidates = self.run.machine().with_history(|_, history| {
                let mut candidates = Vec::new();
                for (step, header) in (from + 1..=end).zip(history.steps.get(from as usize..).unwrap_or_default()) {
                    for (n, search) in searches.iter_mut().enumerate() {
                        if search.meets(header.task(), header.site) {
                            candidates.push((n, step));
                        }
                    }
                }
                candidates
            });
            for (n, step) in candidates {
                // The World has the last word.
                if searches[n].found.is_none() && self.address_of(step).as_ref() == Some(addresses[n]) {
                    searches[n].found = Some(step);
                }
            }
            from = end;
            let done = searches.iter().all(|search| search.found.is_some());
            if done || self.run.progress() != Progress::Running {
                return searches.into_iter().map(|search| search.found).collect();
            }
            self.extend(1 << 14);
        }
    }

    /// The steps of the scenario's own markers, in their order, recording as far as needed.
    pub fn marker_steps(&mut self) -> Vec<Option<u32>> {
        let markers = self.scenario.markers.clone();
        let probes: Vec<&ProbeAt> = markers.iter().filter_map(|marker| marker.at.probe()).collect();
        let mut found = self.steps_at(&probes).into_iter();
        markers
            .iter()
            .map(|marker| match &marker.at {
                At::Step(step) => Some(*step).filter(|step| *step <= self.run.len()),
                At::Probe(_) => found.next().flatten(),
            })
            .collect()
    }

    /// The source byte that the call under way reads next after `step` steps:
    /// buffer and offset. `None` outside a call, and for memory of no buffer.
    #[must_use]
    pub fn source_at(&self, step: u32) -> Option<(String, u64)> {
        self.run.seek(step.min(self.run.len()));
        let address = self.run.machine().with(|w| {
            let iter_id = iter_of(TaskId(0));
            let iter = w.iters.get(iter_id).filter(|iter| iter.count > 0)?;
            let mut at = (iter.seg, iter.iov_offset);
            loop {
                let segment = w.iovecs.get((iter_id, at.0))?;
                if at.1 < segment.len {
                    return Some(segment.base + at.1);
                }
                at = (at.0 + 1, 0);
            }
        })?;
        let (buf, off) = buffer_of(address)?;
        Some((self.run.buffers().get(usize::from(buf))?.clone(), off))
    }

    /// Sectors of 512 bytes in a block of the file system.
    #[must_use]
    pub fn block_sectors(&self) -> u64 {
        self.run.machine().with(|w| (1 << w.sb().block_bits) / 512)
    }

    /// The last step up to `step` after which no request to `sector` was in flight: what acts there comes before the
    /// request that is in flight at `step`.
    #[must_use]
    pub fn before_request(&self, step: u32, sector: u64, write: bool) -> u32 {
        let in_flight = |step: u32| {
            self.run.seek(step);
            self.run
                .machine()
                .with(|w| w.bios.iter().any(|(_, bio)| bio.used && bio.write == write && bio.sector == sector))
        };
        (0..=step.min(self.run.len())).rev().find(|step| !in_flight(*step)).unwrap_or(0)
    }

    /// Acts right after `step`: the run up to there stays, beyond it is a new one.
    ///
    /// # Errors
    /// See [`InterveneError`]; the session stays as it was.
    pub fn intervene(&mut self, step: u32, act: Act) -> Result<(), InterveneError> {
        if step > self.run.len() {
            return Err(InterveneError::NoSuchStep(step));
        }
        let mut scenario = self.scenario.clone();
        scenario.interventions.retain(|other| !matches!(other.at, At::Step(at) if at > step));
        let at = self.address_of(step).map_or(At::Step(step), At::Probe);
        scenario.interventions.push(Intervention { at, act });
        let expected = self.digest_at(step);
        let mut run = start(&scenario, self.image.as_deref())?;
        while run.len() < step && run.progress() == Progress::Running {
            run.step(step - run.len());
        }
        if run.len() > step {
            run.seek(step);
        }
        let found = run.machine().with(|w| w.digest());
        run.seek_head();
        if found != expected {
            return Err(InterveneError::Diverged { step, expected, found });
        }
        self.run = run;
        self.scenario = scenario.clone();
        self.current = self.runs.len();
        self.runs.push(scenario);
        Ok(())
    }

    /// Goes to another run of the list, from its start.
    ///
    /// # Errors
    /// See [`RunError`]; the session stays as it was.
    pub fn go_to_run(&mut self, at: usize) -> Result<(), RunError> {
        let Some(scenario) = self.runs.get(at).cloned() else {
            return Ok(());
        };
        self.run = start(&scenario, self.image.as_deref())?;
        (self.scenario, self.current) = (scenario, at);
        Ok(())
    }

    /// True if a step was made from outside.
    #[must_use]
    pub fn is_intervention(&self, step: u32) -> bool {
        self.run
            .machine()
            .with_history(|_, history| step.checked_sub(1).and_then(|k| history.steps.get(k as usize).copied()))
            .is_some_and(|header| header.site == INTERVENE.id)
    }
}

fn start(scenario: &Scenario, image: Option<&Vec<u8>>) -> Result<Run, RunError> {
    let options = RunOptions { recording: true, image: image.cloned(), ..RunOptions::default() };
    Run::new(scenario, options)
}

/// Sites from which hits are counted anew.
fn begins(site: u16) -> bool {
    [OP_BEGIN.id, OP_END.id, GPW_SPLIT.id, GPW_AGAIN.id, GPW_EXIT.id].contains(&site)
}

/// An address being looked for: where its task is, as far as the headers of steps tell.
struct Search {
    wanted: ProbeAt,
    site: Option<u16>,
    task: Option<TaskId>,
    /// Operations of the task, set-up included.
    ops: u32,
    /// Number of the operation under way, from 1, as the World counts.
    syscall: u32,
    ended: bool,
    iteration: u32,
    retry: u16,
    hits: u16,
    found: Option<u32>,
}

impl Search {
    fn new(wanted: &ProbeAt, scenario: &Scenario, run: &Run) -> Self {
        let helper = scenario.helper_at(wanted).map(|n| run.helper(n));
        let place = scenario.tasks.iter().position(|task| task.name == wanted.task);
        let (setup, ops) = place.map_or((0, 0), |n| (scenario.tasks[n].setup.len(), scenario.tasks[n].ops.len()));
        let site = SITES.iter().find_map(|site| match site {
            Site::Probe(probe) if probe.name == wanted.site => Some(probe.id),
            _ => None,
        });
        Search {
            wanted: wanted.clone(),
            site,
            task: helper.or_else(|| place.and_then(|n| u32::try_from(n).ok()).map(TaskId)),
            ops: (setup + ops) as u32,
            // A second thread has one operation and no begin of it.
            syscall: helper.map_or(setup as u32, |_| wanted.op + 1),
            ended: false,
            iteration: 0,
            retry: 0,
            hits: 0,
            found: None,
        }
    }

    /// Goes one step on; true where the wanted step may be.
    fn meets(&mut self, task: Option<TaskId>, site: u16) -> bool {
        if task.is_none() || task != self.task || self.found.is_some() {
            return false;
        }
        match site {
            _ if site == OP_BEGIN.id => {
                (self.syscall, self.iteration, self.retry, self.ended) = (self.syscall + 1, 0, 0, false);
            }
            _ if site == OP_END.id => self.ended = true,
            _ if site == GPW_SPLIT.id => (self.iteration, self.retry) = (self.iteration + 1, 1),
            _ if site == GPW_AGAIN.id => self.retry += 1,
            _ if site == GPW_EXIT.id => (self.iteration, self.retry) = (0, 0),
            _ => {}
        }
        if begins(site) {
            self.hits = 0;
        }
        if Some(site) != self.site {
            return false;
        }
        self.hits += 1;
        let wanted = &self.wanted;
        // Behind the end of an operation the task may be on its way out, which no step begins.
        let op = wanted.op + 1 == self.syscall || self.ended && wanted.op == self.ops;
        op && (wanted.iteration, wanted.retry, wanted.nth) == (self.iteration, self.retry, self.hits)
    }
}
