//! Where a step of each grain leads.
//!
//! | grain | into: forward to | over: the same, but | out: forward to |
//! |---|---|---|---|
//! | statement | the next step, of any task | of this task, and not of what its function calls | the step after the function |
//! | phase | the end of a phase, of any task | of this task | the end of the iteration, or of the call |
//! | iteration | the end of an iteration or of a try | of all tries of it | the end of the system call |
//!
//! A call without iterations counts as one. Back is the mirror: to before the
//! function, to the end of the phase before. A task that was chosen takes all
//! steps; else *over* and *out* stay with the task that took the step on screen.

use crate::frame::{Phase, Place, Timeline};

/// What one step is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Grain {
    /// Every probe.
    #[default]
    Statement,
    /// To the end of the next phase.
    Phase,
    /// To the end of the next iteration or try.
    Iteration,
}

impl Grain {
    /// All, finest first.
    pub const ALL: [Self; 3] = [Self::Statement, Self::Phase, Self::Iteration];

    /// As in links.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Phase => "phase",
            Self::Iteration => "iteration",
        }
    }

    /// From a link.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.key() == key)
    }
}

/// What a step passes by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// Nothing.
    Into,
    /// What lies inside.
    Over,
    /// All that is left of what it is in.
    Out,
    /// As many calls of the stack, counted from the innermost: [`Reach::Out`] is one.
    OutOf(u8),
    /// All until the next system call begins.
    Call,
}

/// A way to step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stride {
    /// What one step is.
    pub grain: Grain,
    /// What it passes by.
    pub reach: Reach,
    /// Towards the origin.
    pub back: bool,
    /// The only task whose steps count.
    pub task: Option<u32>,
}

/// A stretch of steps that can be stepped to the end of.
#[derive(Clone, Copy)]
enum Unit {
    Phase,
    Try,
    Iteration,
    Call,
}

/// What tells a unit from its neighbours: task, call, iteration, try, phase.
type Key = (u32, u16, u32, u16, Phase);

impl Timeline {
    /// The step that a stride leads to, and whether more steps of the run could make it another one.
    #[must_use]
    pub fn stride(&self, step: u64, stride: Stride) -> (u64, bool) {
        let step = step.min(self.last);
        let found = self.found(step, stride);
        (found.unwrap_or_else(|| self.end(step, stride)), found.is_none() && !stride.back && !self.complete)
    }

    /// The steps at which strides of a grain stop that begin at step 0, itself among them: of all tasks, or of one.
    #[must_use]
    pub fn stops(&self, grain: Grain, task: Option<u32>) -> Vec<u64> {
        let unit = match grain {
            Grain::Statement => None,
            Grain::Phase => Some(Unit::Phase),
            Grain::Iteration => Some(Unit::Try),
        };
        let mut stops = vec![0];
        let mut before = (0, None);
        for (at, &(from, place)) in self.places.iter().enumerate() {
            if task.is_some_and(|task| place.by != Some(task)) {
                continue;
            }
            let to = self.places.get(at + 1).map_or(self.last + 1, |next| next.0);
            let Some(unit) = unit else {
                stops.extend(from..to);
                continue;
            };
            let key = |step| self.key_of(place, self.depth_after(step), unit, task);
            // Only what a thread of the kernel is at can change where the place stays the same.
            let looked = if place.own || task.is_none() { from..from + 1 } else { from..to };
            for step in looked {
                let now = key(step);
                if before.1.is_some() && now != before.1 {
                    stops.push(before.0);
                }
                before = (step, now);
            }
            before.0 = to - 1;
        }
        // Behind the last end of a unit, a stride leads to the end of the run.
        let end = match (unit, task) {
            (None, _) => 0,
            (_, None) => self.last,
            (_, Some(_)) => before.0,
        };
        if stops.last().is_some_and(|last| *last < end) {
            stops.push(end);
        }
        stops
    }

    fn found(&self, step: u64, stride: Stride) -> Option<u64> {
        let whose = match stride.reach {
            _ if stride.task.is_some() => stride.task,
            Reach::Into | Reach::Call => None,
            _ => self.place(step).by,
        };
        // Where the task is that is followed: its last step so far.
        let base = self.last_of(whose, step);
        let unit = match (stride.grain, stride.reach) {
            (_, Reach::Call) => return self.call(step, stride.back, whose),
            (Grain::Statement, reach) | (_, reach @ Reach::OutOf(_)) => {
                let depth = self.depth_after(base);
                let limit = match reach {
                    Reach::Over if base > 0 => depth,
                    Reach::Out => depth.saturating_sub(1),
                    Reach::OutOf(calls) => depth.saturating_sub(calls),
                    _ => u8::MAX,
                };
                return self.walk(step, stride.back, whose).find(|&k| self.depth_after(k) <= limit);
            }
            (Grain::Phase, Reach::Into | Reach::Over) => Unit::Phase,
            (Grain::Iteration, Reach::Into) => Unit::Try,
            (Grain::Iteration, Reach::Over) => Unit::Iteration,
            (Grain::Phase, Reach::Out) if self.key(base, Unit::Try, whose).is_some() => Unit::Try,
            (_, Reach::Out) => Unit::Call,
        };
        let key = |k| self.key(k, unit, whose);
        if stride.back {
            let (here, mut left) = (key(base), false);
            return self.walk(base, true, whose).find(|&k| {
                left |= key(k) != here;
                left && key(k).is_some()
            });
        }
        let mut before = base;
        for k in self.walk(base, false, whose) {
            if before > step && key(before).is_some() && key(k) != key(before) {
                return Some(before);
            }
            before = k;
        }
        None
    }

    /// Where a stride leads that finds nothing.
    fn end(&self, step: u64, stride: Stride) -> u64 {
        match (stride.back, stride.task, stride.reach, self.place(step).by) {
            (true, ..) => 0,
            (_, Some(task), ..) => self.last_of(Some(task), self.last).max(step),
            // The others' steps are not passed by unseen.
            (_, None, Reach::Over | Reach::Out | Reach::OutOf(_), Some(by)) => {
                self.last_of(Some(by), self.last).max(step + 1).min(self.last)
            }
            _ => self.last,
        }
    }

    /// The first step of a system call.
    fn call(&self, step: u64, back: bool, whose: Option<u32>) -> Option<u64> {
        let key = |k| self.key(k, Unit::Call, whose);
        self.walk(step, back, whose).find(|&k| {
            let before = self.walk(k, true, whose).next().and_then(key);
            key(k).is_some() && key(k) != before
        })
    }

    /// The steps of a task (of all, if none is followed) from a step on, itself not among them.
    fn walk(&self, step: u64, back: bool, whose: Option<u32>) -> impl Iterator<Item = u64> {
        let steps = if back { 1..step.max(1) } else { step + 1..self.last + 1 };
        let (mut on, mut down) = if back { (0..0, steps) } else { (steps, 0..0) };
        let next = std::iter::from_fn(move || on.next().or_else(|| down.next_back()));
        next.filter(move |&k| whose.is_none_or(|task| self.place(k).by == Some(task)))
    }

    /// The last step of a task up to a step, which it is itself if none is followed; 0 if there is none.
    fn last_of(&self, whose: Option<u32>, step: u64) -> u64 {
        let last = |task| (1..=step).rev().find(|&k| self.place(k).by == Some(task)).unwrap_or(0);
        whose.map_or(step, last)
    }

    /// Where a step belongs; nowhere for step 0.
    #[must_use]
    pub fn place(&self, step: u64) -> Place {
        let at = self.places.partition_point(|(from, _)| *from <= step);
        at.checked_sub(1).map_or_else(Place::default, |at| self.places[at].1)
    }

    fn depth_after(&self, step: u64) -> u8 {
        let at = usize::try_from(step).ok().and_then(|step| step.checked_sub(1));
        at.and_then(|at| self.depth.get(at)).copied().unwrap_or(0)
    }

    fn key(&self, step: u64, unit: Unit, whose: Option<u32>) -> Option<Key> {
        self.key_of(self.place(step), self.depth_after(step), unit, whose)
    }

    /// The unit that a step with this place and depth is in.
    fn key_of(&self, place: Place, depth: u8, unit: Unit, whose: Option<u32>) -> Option<Key> {
        // What others do meanwhile belongs to the call on screen, but for its phases and if they are followed.
        let own = place.own || (whose.is_none() && !matches!(unit, Unit::Phase));
        let (task, call, iteration, retry) = if own {
            (place.task, place.syscall, place.iteration, place.retry)
        } else {
            (place.by.unwrap_or(u32::MAX), 0, 0, 0)
        };
        // A thread of the kernel has neither: what it does until it is back in its own loop stands for both.
        let worker = (!own && depth > 1).then_some((task, 0, 0, 0, Phase::None));
        match unit {
            Unit::Phase => (place.phase != Phase::None).then_some((task, call, iteration, retry, place.phase)),
            Unit::Try | Unit::Iteration | Unit::Call if !own => worker,
            Unit::Try if iteration > 0 => Some((task, call, iteration, retry, Phase::None)),
            Unit::Iteration if iteration > 0 => Some((task, call, iteration, 0, Phase::None)),
            Unit::Try | Unit::Iteration if self.looped.binary_search(&(task, call)).is_ok() => None,
            Unit::Try | Unit::Iteration | Unit::Call => (call > 0).then_some((task, call, 0, 0, Phase::None)),
        }
    }
}
