//! Watches: expressions over the whole run, for the screen.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use kernel::site;
use session::expr::{At, Calls, Completion, Expr, ExprError, Track, Type, Value, complete};
use session::run::Run;
use session::scenario::Scenario;
use world::{History, InodeId, World};

use crate::index::Index;
use crate::moment::{errno_of, focus_inode, number};

/// One watch at a step.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WatchRow {
    /// The expression.
    pub text: String,
    /// What is wrong with it.
    pub error: Option<ExprError>,
    /// True or false at the step; `None` for other values, and where what it names is not there.
    pub holds: Option<bool>,
    /// The value after the step; empty if what it names is not there.
    pub value: String,
    /// The value before the step, if another.
    pub was: Option<String>,
    /// Its value is true or false, so it holds at steps; else it changes at steps.
    pub is_bool: bool,
    /// All steps are walked.
    pub complete: bool,
    /// Steps at which it holds or changes.
    pub count: u64,
    /// The first of them.
    pub first: Option<u64>,
    /// The last of them.
    pub last: Option<u64>,
    /// Stretches of them, first and one past the last; the same `Rc` while nothing is added.
    pub stretches: Rc<Vec<(u64, u64)>>,
}

/// One step that wrote a value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Write {
    /// The step.
    pub step: u64,
    /// The value before it; empty if there was none.
    pub was: String,
    /// The value it left; empty if there is none.
    pub now: String,
    /// The function that the step is in.
    pub function: String,
    /// Its statement.
    pub code: String,
}

/// The expressions that are followed.
#[derive(Default)]
pub(crate) struct Watches {
    calls: Calls,
    tracks: BTreeMap<String, Followed>,
}

struct Followed {
    track: Track,
    /// Its stretches when so many steps were walked.
    stretches: (u32, Rc<Vec<(u64, u64)>>),
}

/// What an expression is looked at with.
pub(crate) struct Walk<'a> {
    pub w: &'a mut World,
    pub h: &'a mut History,
    pub index: &'a Index,
}

impl Watches {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Watches { calls: Calls::of(scenario), tracks: BTreeMap::new() }
    }

    /// The course of an expression, walked from where it was left for at most `budget` steps.
    fn follow(&mut self, run: &mut Walk, text: &str, budget: u32) -> Result<&mut Followed, ExprError> {
        let followed = match self.tracks.entry(text.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => {
                let track = Track::new(Expr::parse(text, &self.calls)?);
                slot.insert(Followed { track, stretches: (0, Rc::default()) })
            }
        };
        let index = run.index;
        let focus = |w: &World, step: u32| -> Option<InodeId> { focus_inode(index, w, step) };
        followed.track.extend(run.w, run.h, &self.calls, &focus, budget);
        Ok(followed)
    }

    /// Forgets expressions that are not in the list.
    pub(crate) fn keep(&mut self, texts: &[String]) {
        self.tracks.retain(|text, _| texts.contains(text));
    }

    /// Walks all expressions on. False if there is more to walk.
    pub(crate) fn walk(&mut self, run: &mut Walk, texts: &[String], budget: u32) -> bool {
        let end = run.h.len();
        texts.iter().all(|text| self.follow(run, text, budget).map_or(true, |one| one.track.walked() > end))
    }

    pub(crate) fn row(&mut self, run: &mut Walk, text: &str, step: u32) -> WatchRow {
        let mut row = WatchRow { text: text.to_owned(), ..WatchRow::default() };
        let calls = self.calls.clone();
        let end = run.h.len();
        let followed = match self.follow(run, text, 0) {
            Ok(followed) => followed,
            Err(error) => return WatchRow { error: Some(error), complete: true, ..row },
        };
        let expr = followed.track.expr().clone();
        let mut at = |step: u32| {
            run.h.seek(run.w, step);
            expr.eval(&At { w: run.w, h: run.h, step, focus: focus_inode(run.index, run.w, step), calls: &calls })
        };
        let was = step.checked_sub(1).map(&mut at);
        let now = at(step);
        row.is_bool = expr.ty() == Type::Bool;
        row.holds = match now {
            Some(Value::Bool(holds)) => Some(holds),
            _ => None,
        };
        row.value = said(now);
        row.was = was.filter(|was| *was != now).map(said);
        row.complete = followed.track.walked() > end;
        if followed.stretches.0 != followed.track.walked() {
            let all: Vec<_> = followed.track.stretches().map(|(from, to)| (from.into(), to.into())).collect();
            let rows = if *followed.stretches.1 == all { Rc::clone(&followed.stretches.1) } else { Rc::new(all) };
            followed.stretches = (followed.track.walked(), rows);
        }
        row.stretches = Rc::clone(&followed.stretches.1);
        row.count = row.stretches.iter().map(|(from, to)| to - from).sum();
        row.first = row.stretches.first().map(|one| one.0);
        row.last = row.stretches.last().map(|one| one.1 - 1);
        row
    }

    /// The nearest hit of any of the expressions, behind a step or before it.
    pub(crate) fn hit(&mut self, run: &mut Walk, texts: &[String], step: u32, forward: bool) -> Option<u32> {
        let hits = texts.iter().filter_map(|text| {
            let track = &self.follow(run, text, u32::MAX).ok()?.track;
            if forward { track.next_hit(step) } else { track.last_hit(step) }
        });
        let hits: Vec<u32> = hits.collect();
        if forward { hits.into_iter().min() } else { hits.into_iter().max() }
    }

    /// Every step that changed what a path names.
    pub(crate) fn writes(&mut self, run: &mut Walk, path: &str) -> Result<Vec<Write>, ExprError> {
        let track = self.follow(run, path, u32::MAX)?.track.clone();
        let points = track.points();
        let mut writes = Vec::new();
        for pair in points.windows(2) {
            let header = pair[1].step.checked_sub(1).and_then(|k| run.h.steps.get(k as usize).copied());
            let probe = header.and_then(|header| site::probe(header.site));
            writes.push(Write {
                step: pair[1].step.into(),
                was: said(pair[0].value),
                now: said(pair[1].value),
                function: probe.map_or("", |probe| probe.function.name).to_owned(),
                code: probe.map_or("", |probe| probe.code).to_owned(),
            });
        }
        Ok(writes)
    }

    pub(crate) fn complete(&self, run: &mut Walk, text: &str, step: u32) -> Completion {
        run.h.seek(run.w, step);
        let focus = focus_inode(run.index, run.w, step);
        complete(text, &At { w: run.w, h: run.h, step, focus, calls: &self.calls })
    }
}

/// A value as the screen writes it.
#[must_use]
pub fn said(value: Option<Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Int(value)) if value < 0 => match errno_of(value) {
            Some(errno) => format!("−{errno:?}"),
            None => format!("−{}", number(value.unsigned_abs())),
        },
        Some(Value::Int(value)) => number(value.unsigned_abs()),
        Some(value) => value.to_string(),
    }
}

impl crate::Viewer {
    fn watched<R>(&mut self, run: &Run, look: impl FnOnce(&mut Watches, &mut Walk) -> R) -> R {
        run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            look(&mut self.watches, &mut Walk { w, h, index: &self.index })
        })
    }

    /// Walks these expressions on, at most `budget` steps each, and forgets all others. False if there is more to walk.
    pub fn walk_watches(&mut self, run: &Run, texts: &[String], budget: u32) -> bool {
        self.watched(run, |watches, run| {
            watches.keep(texts);
            watches.walk(run, texts, budget)
        })
    }

    /// A watch after `step` probes; what it says of all steps goes as far as it was walked.
    pub fn watch(&mut self, run: &Run, text: &str, step: u64) -> WatchRow {
        let step = clamp(run, step);
        self.watched(run, |watches, run| watches.row(run, text, step))
    }

    /// The next hit of any of the expressions behind `step`, or the last one before it; never `step` itself.
    pub fn hit(&mut self, run: &Run, texts: &[String], step: u64, forward: bool) -> Option<u64> {
        let step = clamp(run, step);
        self.watched(run, |watches, run| watches.hit(run, texts, step, forward)).map(u64::from)
    }

    /// Every step so far that changed what `path` names, in order.
    ///
    /// # Errors
    /// It is no expression.
    pub fn writes(&mut self, run: &Run, path: &str) -> Result<Vec<Write>, ExprError> {
        self.watched(run, |watches, run| watches.writes(run, path))
    }

    /// What could be typed next, out of the state after `step` probes.
    pub fn complete(&mut self, run: &Run, text: &str, step: u64) -> Completion {
        let step = clamp(run, step);
        self.watched(run, |watches, run| watches.complete(run, text, step))
    }
}

fn clamp(run: &Run, step: u64) -> u32 {
    u32::try_from(step).unwrap_or(u32::MAX).min(run.len())
}
