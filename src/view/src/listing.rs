//! The run as a list: a row for each step that a grain stops at, under headings for system calls and iterations; or
//! for the steps that were found, or in which something of a kind happened.
//!
//! Only headings and, for all but the finest grain, the steps are kept, so a million rows cost what their headings do:
//!
//! ```text
//! row r, h headings at or above it:  a heading itself, or step number r - h
//! ```

use crate::frame::{Event, EventKind, LaneSpan, Slice, TaskState, Timeline};
use crate::moment::{count, number};
use crate::steps::Grain;
use crate::text::word;

/// What is rare enough to look for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Faults and short copies.
    Fault,
    /// Requests to the device, and their ends.
    Request,
    /// Tasks that fall asleep, or into a pause, and that are woken.
    Sleep,
    /// Signals, and what the scenario or the reader did.
    Signal,
    /// Commits of the journal.
    Commit,
    /// The scenario's own markers.
    Marker,
}

impl Kind {
    /// All, in the order of the choice.
    pub const ALL: [Self; 6] = [Self::Fault, Self::Request, Self::Sleep, Self::Signal, Self::Commit, Self::Marker];

    /// In words, for the choice.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::Fault => "faults, short copies",
            Self::Request => "requests and their ends",
            Self::Sleep => "sleeps and wake-ups",
            Self::Signal => "signals, interventions",
            Self::Commit => "commits",
            Self::Marker => "markers",
        })
    }

    const fn of(kind: EventKind) -> Self {
        match kind {
            EventKind::Fault => Self::Fault,
            EventKind::Read | EventKind::Write => Self::Request,
            EventKind::Signal | EventKind::Intervention => Self::Signal,
            EventKind::Commit => Self::Commit,
        }
    }
}

/// Where the words of a note are.
#[derive(Clone, Copy, Debug)]
enum Of {
    Event(usize),
    End(usize),
    Sleep(usize, usize),
    Wake(usize),
    Marker(usize),
}

/// Everything rare that happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Notes(Vec<(u64, Kind, Of)>);

impl Notes {
    /// Of a run so far.
    #[must_use]
    pub fn new(run: &Timeline) -> Self {
        let mut notes = Vec::new();
        let event =
            |of: fn(usize) -> Of| move |(at, event): (usize, &Event)| (event.step, Kind::of(event.kind), of(at));
        notes.extend(run.events.iter().enumerate().map(event(Of::Event)));
        notes.extend(run.ends.iter().enumerate().map(event(Of::End)));
        notes.extend(run.marks.iter().enumerate().map(|(at, (step, _))| (*step, Kind::Marker, Of::Marker(at))));
        for (lane, row) in run.lanes.iter().enumerate() {
            let sleeps = row.spans.iter().enumerate().filter(|(_, span)| span.state == TaskState::Sleeping);
            for (at, span) in sleeps {
                // What it waits for may change while it sleeps.
                let joined = |other: Option<&LaneSpan>, here: u64, there: fn(&LaneSpan) -> u64| {
                    other.is_some_and(|other| other.state == TaskState::Sleeping && there(other) == here)
                };
                let before = at.checked_sub(1).and_then(|before| row.spans.get(before));
                if !joined(before, span.from, |span| span.to) {
                    notes.push((span.from, Kind::Sleep, Of::Sleep(lane, at)));
                }
                if span.to <= run.last && !joined(row.spans.get(at + 1), span.to, |span| span.from) {
                    notes.push((span.to, Kind::Sleep, Of::Wake(lane)));
                }
            }
        }
        notes.sort_by_key(|note| note.0);
        Self(notes)
    }

    /// The steps at which something of a kind happened.
    #[must_use]
    pub fn steps(&self, kind: Kind) -> Vec<u64> {
        let mut steps: Vec<u64> = self.0.iter().filter(|note| note.1 == kind).map(|note| note.0).collect();
        steps.dedup();
        steps
    }

    /// What happened after `from`, up to `to`, in words.
    pub fn within<'a>(&'a self, run: &'a Timeline, from: u64, to: u64) -> impl Iterator<Item = (Kind, String)> + 'a {
        let first = self.0.partition_point(|note| note.0 <= from);
        self.0[first..].iter().take_while(move |note| note.0 <= to).map(|(_, kind, of)| (*kind, said(run, *of)))
    }

    /// What happened at a step, in words.
    pub fn at<'a>(&'a self, run: &'a Timeline, step: u64) -> impl Iterator<Item = (Kind, String)> + 'a {
        let first = self.0.partition_point(|note| note.0 < step);
        self.0[first..].iter().take_while(move |note| note.0 == step).map(|(_, kind, of)| (*kind, said(run, *of)))
    }
}

fn said(run: &Timeline, of: Of) -> String {
    match of {
        Of::Event(at) => match &run.events[at] {
            event if Kind::of(event.kind) == Kind::Request => event.text.clone(),
            event => format!("{} {}", event.kind.name(), event.text),
        },
        Of::End(at) => run.ends[at].text.clone(),
        Of::Sleep(lane, at) => {
            let lane = &run.lanes[lane];
            match lane.spans[at].text.as_str() {
                "" => tr!("{} sleeps", lane.name),
                on => tr!("{} sleeps: {}", lane.name, on),
            }
        }
        Of::Wake(lane) => tr!("{} wakes", run.lanes[lane].name),
        Of::Marker(at) => run.marks[at].1.clone(),
    }
}

/// `12 of 340`: which of the steps it is, if it is one of them.
#[must_use]
pub fn count_text(at: Option<usize>, total: usize) -> String {
    match at {
        Some(at) => tr!("{} of {}", number(at as u64), number(total as u64)),
        None => count(total as u64, "step"),
    }
}

/// `17 steps`.
#[must_use]
pub fn length_text(steps: u64) -> String {
    count(steps, "step")
}

/// Which rows a list has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// Steps at which this grain stops.
    pub grain: Grain,
    /// Only those of a task.
    pub task: Option<u32>,
    /// Only those of steps in which something happened, whatever the grain.
    pub of_kind: Option<&'a [u64]>,
    /// Only those that were found, whatever the grain.
    pub found: Option<&'a [u64]>,
}

#[derive(Debug)]
enum Stops {
    /// Every step, and step 0.
    All,
    These(Vec<u64>),
}

#[derive(Clone, Copy, Debug)]
struct Head {
    row: usize,
    from: u64,
    /// Which of the calls, or of the iterations.
    call: bool,
    at: usize,
}

/// See the module's text.
#[derive(Debug)]
pub struct Listing {
    stops: Stops,
    heads: Vec<Head>,
    last: u64,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row<'a> {
    /// A system call (or else an iteration) begins.
    Head(&'a Slice, bool),
    /// A step; and the one at which the row before it stops.
    Step(u64, u64),
}

impl Listing {
    /// Of a run so far.
    #[must_use]
    pub fn new(run: &Timeline, choice: Choice) -> Self {
        let own = |step: &u64| choice.task.is_none_or(|task| run.place(*step).by == Some(task));
        let these = |steps: &[u64]| -> Vec<u64> { steps.iter().copied().filter(own).collect() };
        let stops = match (choice.of_kind, choice.found) {
            (Some(some), Some(found)) => {
                let both = some.iter().copied().filter(|step| found.binary_search(step).is_ok());
                Stops::These(these(&both.collect::<Vec<_>>()))
            }
            (Some(some), None) | (None, Some(some)) => Stops::These(these(some)),
            (None, None) if choice.grain == Grain::Statement && choice.task.is_none() => Stops::All,
            (None, None) => Stops::These(run.stops(choice.grain, choice.task)),
        };
        let mut listing = Listing { stops, heads: Vec::new(), last: run.last };
        // What goes on in an iteration needs no heading again: time may pass in it.
        let mut inside = 0;
        let (mut calls, mut rounds) =
            (run.calls.iter().enumerate().peekable(), run.rounds.iter().enumerate().peekable());
        loop {
            let call = match (calls.peek(), rounds.peek()) {
                (Some((_, call)), Some((_, round))) => call.from <= round.from,
                (call, round) => call.is_some() || round.is_none(),
            };
            let Some((at, slice)) = (if call { calls.next() } else { rounds.next() }) else { break };
            if call && slice.from < inside {
                continue;
            }
            inside = if call { 0 } else { slice.to };
            let before = listing.before(slice.from);
            let shown = call || choice.grain != Grain::Iteration;
            if shown && listing.before(slice.to) > before {
                let row = before + listing.heads.len();
                listing.heads.push(Head { row, from: slice.from, call, at });
            }
        }
        listing
    }

    /// Steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        match &self.stops {
            Stops::All => usize::try_from(self.last + 1).unwrap_or(usize::MAX),
            Stops::These(these) => these.len(),
        }
    }

    /// Rows: steps and headings.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.steps() + self.heads.len()
    }

    /// Steps of the list before a step.
    fn before(&self, step: u64) -> usize {
        match &self.stops {
            Stops::All => usize::try_from(step.min(self.last + 1)).unwrap_or(usize::MAX),
            Stops::These(these) => these.partition_point(|stop| *stop < step),
        }
    }

    /// A step of the list by its number among them.
    #[must_use]
    pub fn step(&self, at: usize) -> Option<u64> {
        match &self.stops {
            Stops::All => u64::try_from(at).ok().filter(|step| *step <= self.last),
            Stops::These(these) => these.get(at).copied(),
        }
    }

    /// A row; none past the end.
    #[must_use]
    pub fn row<'a>(&self, run: &'a Timeline, row: usize) -> Option<Row<'a>> {
        let above = self.heads.partition_point(|head| head.row <= row);
        if let Some(head) = above.checked_sub(1).and_then(|at| self.heads.get(at)).filter(|head| head.row == row) {
            let slices = if head.call { &run.calls } else { &run.rounds };
            return Some(Row::Head(slices.get(head.at)?, head.call));
        }
        let at = row - above;
        Some(Row::Step(self.step(at)?, at.checked_sub(1).and_then(|at| self.step(at)).unwrap_or(0)))
    }

    /// The row of a step by its number among the steps.
    #[must_use]
    pub fn row_of(&self, at: usize) -> usize {
        let step = self.step(at).unwrap_or(u64::MAX);
        at + self.heads.partition_point(|head| head.from <= step)
    }

    /// Which step of the list a step of the run is, or belongs to: the first at or behind it, or the last.
    #[must_use]
    pub fn place(&self, step: u64) -> Option<usize> {
        self.steps().checked_sub(1).map(|last| self.before(step).min(last))
    }

    /// Whether a step is one of the list.
    #[must_use]
    pub fn has(&self, step: u64) -> bool {
        self.step(self.before(step)) == Some(step)
    }

    /// The next step of the list behind a step of the run, or the last one before it.
    #[must_use]
    pub fn next(&self, step: u64, forward: bool) -> Option<u64> {
        if forward { self.step(self.before(step + 1)) } else { self.step(self.before(step).checked_sub(1)?) }
    }

    /// How deep a step lies: 0 outside calls, 1 in one, 2 in an iteration.
    #[must_use]
    pub fn level(run: &Timeline, step: u64) -> u8 {
        let inside = |slices: &[Slice]| {
            let at = slices.partition_point(|slice| slice.to <= step);
            slices.get(at).is_some_and(|slice| slice.from <= step)
        };
        if inside(&run.rounds) { 2 } else { inside(&run.calls).into() }
    }
}
