//! One scenario under a person's hands: run on demand, looked at from any
//! step, changed from any step.

use std::rc::Rc;

use kernel::iov_iter::iter_of;
use kernel::mm::memory::buffer_of;
use kernel::site::{GPW_AGAIN, GPW_EXIT, GPW_SPLIT, INTERVENE, OP_BEGIN, OP_END, probe};
use thiserror::Error;
use world::TaskId;

use crate::run::{Progress, Run, RunError, RunOptions};
use crate::scenario::{Act, At, Intervention, ProbeAt, Scenario};

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
    /// Scenarios left behind by interventions, oldest first.
    earlier: Vec<Scenario>,
}

impl Session {
    /// Starts a scenario; its set-up is run, no step is recorded yet.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn open(scenario: Scenario, image: Option<Rc<Vec<u8>>>) -> Result<Self, RunError> {
        let run = start(&scenario, image.as_deref())?;
        Ok(Session { scenario, image, run, earlier: Vec::new() })
    }

    /// The scenario as it runs, interventions included.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Scenarios that interventions left behind, oldest first.
    #[must_use]
    pub fn earlier(&self) -> &[Scenario] {
        &self.earlier
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
        let headers = self
            .run
            .machine()
            .with_history(|_, history| history.steps.get(..step as usize).map(<[_]>::to_vec).unwrap_or_default());
        let last = headers.last()?;
        let task = last.task()?;
        self.run.seek(step);
        let (run, name) = self.run.machine().with(|w| {
            let run = w.runs.get(task).copied();
            (run, w.comms.get(task).map(|comm| comm.as_str().to_owned()))
        });
        let (run, name) = (run?, name?);
        if run.syscall == 0 {
            return None;
        }
        let mut nth = 0;
        for header in headers.iter().rev().filter(|header| header.task() == last.task()) {
            nth += u16::from(header.site == last.site);
            let begins = [OP_BEGIN.id, OP_END.id, GPW_SPLIT.id, GPW_AGAIN.id, GPW_EXIT.id];
            if begins.contains(&header.site) {
                break;
            }
        }
        Some(ProbeAt {
            task: name,
            op: u32::from(run.syscall) - 1,
            iteration: run.iteration,
            retry: run.retry,
            site: probe(last.site)?.name.to_owned(),
            nth,
        })
    }

    /// The first step with an address, recording as far as needed.
    pub fn step_at(&mut self, address: &ProbeAt) -> Option<u32> {
        let mut from = 0;
        loop {
            let headers = self.run.machine().with_history(|_, history| history.steps[from..].to_vec());
            for (n, header) in headers.iter().enumerate() {
                let step = (from + n) as u32 + 1;
                let alike = probe(header.site).is_some_and(|probe| probe.name == address.site);
                if alike && self.address_of(step).as_ref() == Some(address) {
                    return Some(step);
                }
            }
            from += headers.len();
            if self.run.progress() != Progress::Running {
                return None;
            }
            self.extend(1 << 14);
        }
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
        self.earlier.push(std::mem::replace(&mut self.scenario, scenario));
        Ok(())
    }

    /// Goes back to a scenario that an intervention left behind.
    ///
    /// # Errors
    /// See [`RunError`]; the session stays as it was.
    pub fn return_to(&mut self, earlier: usize) -> Result<(), RunError> {
        let Some(scenario) = self.earlier.get(earlier).cloned() else {
            return Ok(());
        };
        self.run = start(&scenario, self.image.as_deref())?;
        let left = std::mem::replace(&mut self.scenario, scenario);
        self.earlier[earlier] = left;
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
