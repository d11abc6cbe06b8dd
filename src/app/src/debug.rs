//! What the reader follows through the run: watches and breakpoints, two markers, who wrote a value.

use std::rc::Rc;

use session::expr::{Completion, ExprError};
use session::link::Link;
use view::Found;
use view::frame::Changes;
use view::listing::Kind;
use view::watch::{WatchRow, Write};

use crate::engine::Engine;

/// Tabs of the panel under the code.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tab {
    /// What this step changed.
    #[default]
    Changes,
    /// The run as a list.
    Steps,
    /// Watches and breakpoints.
    Watch,
    /// Every step that wrote a value.
    Origin,
    /// What two markers are apart.
    Diff,
    /// The runs that interventions made.
    Runs,
}

impl Tab {
    /// All, in their order.
    pub const ALL: [Self; 6] = [Self::Changes, Self::Steps, Self::Watch, Self::Origin, Self::Diff, Self::Runs];

    /// As in ids.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Steps => "steps",
            Self::Watch => "watch",
            Self::Origin => "origin",
            Self::Diff => "diff",
            Self::Runs => "runs",
        }
    }
}

/// An expression that is followed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watch {
    /// The expression.
    pub text: String,
    /// Runs stop at it: a breakpoint.
    pub stops: bool,
}

/// Whether runs stop at each of these expressions.
#[must_use]
pub fn stop(watches: &[Watch], texts: &[String]) -> bool {
    !texts.is_empty() && texts.iter().all(|text| watches.iter().any(|watch| watch.stops && watch.text == *text))
}

/// What the reader is typing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Draft {
    /// What could come next.
    pub completion: Completion,
    /// What it gives now.
    pub row: WatchRow,
}

/// Who wrote a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The value's path.
    pub path: String,
    /// Every step so far that wrote it.
    pub writes: Result<Vec<Write>, ExprError>,
}

/// What is looked for in the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Find {
    /// The words.
    pub text: String,
    /// Where they are, as far as it is known.
    pub found: Found,
    /// All steps so far are looked at.
    pub walked: bool,
}

/// What the reader can ask the debugger.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Show a tab.
    Show(Tab),
    /// Show the list of steps, with its field for words ready to be typed in.
    Seek,
    /// Show only the steps that say these words.
    Find(String),
    /// Show only the steps in which something of a kind happened, or all.
    OfKind(Option<Kind>),
    /// Follow an expression; the flag makes it a breakpoint.
    Watch(String, bool),
    /// Follow it no more.
    Drop(usize),
    /// Breakpoint or mere watch.
    Turn(usize),
    /// A breakpoint on each of these expressions, or none if all have one.
    Break(Vec<String>),
    /// What is being typed.
    Draft(String),
    /// Run to the next hit of a breakpoint.
    Run,
    /// Run back to the last one.
    RunBack,
    /// Run to the next hit of any of these expressions, or back to the last.
    RunTo(Vec<String>, bool),
    /// To the next marker or hit of anything, or to the one before.
    Mark(bool),
    /// Put marker A (0) or B (1) at this step.
    Put(usize),
    /// Show what the markers are apart.
    Diff,
    /// Who wrote this value? The flag goes there.
    Origin(String, bool),
}

/// The debugger's state.
#[derive(Clone, Default)]
pub struct Debug {
    /// The tab shown.
    pub tab: Tab,
    /// What is followed.
    pub watches: Rc<Vec<Watch>>,
    /// The same at the step on screen.
    pub rows: Rc<Vec<WatchRow>>,
    /// Every step so far is walked for each of them.
    pub walked: bool,
    /// Markers A and B.
    pub marks: [Option<u64>; 2],
    /// What the markers are apart.
    pub diff: Option<Rc<Changes>>,
    /// Who wrote the value asked for last.
    pub origin: Option<Rc<Origin>>,
    /// What is being typed.
    pub draft: Option<Rc<Draft>>,
    /// What is looked for.
    pub find: Option<Rc<Find>>,
    /// The only events whose steps are listed.
    pub of_kind: Option<Kind>,
    /// The field for words is to be typed in as soon as it is there.
    pub seeks: bool,
}

/// Separates expressions in a link; none has one in it.
const COMMA: char = ',';

impl Debug {
    /// What a link says.
    pub fn open(&mut self, link: &Link) {
        let list = |text: &Option<String>, stops: bool| {
            let texts = text.iter().flat_map(|text| text.split(COMMA)).map(str::trim).filter(|text| !text.is_empty());
            texts.map(|text| Watch { text: text.to_owned(), stops }).collect::<Vec<_>>()
        };
        let mut watches = list(&link.breakpoints, true);
        watches.extend(list(&link.watches, false));
        if !watches.is_empty() {
            self.tab = Tab::Watch;
        }
        self.watches = Rc::new(watches);
        self.walked = false;
        if let Some((a, b)) = link.stretch {
            self.marks = [Some(a), Some(b)];
            self.tab = Tab::Diff;
        }
    }

    /// Writes the same into a link.
    pub fn write(&self, link: &mut Link) {
        let list = |stops: bool| {
            let texts: Vec<&str> =
                self.watches.iter().filter(|watch| watch.stops == stops).map(|watch| watch.text.as_str()).collect();
            (!texts.is_empty()).then(|| texts.join(&COMMA.to_string()))
        };
        link.breakpoints = list(true);
        link.watches = list(false);
        link.stretch = self.marks[0].zip(self.marks[1]);
    }

    /// Forgets what belongs to a run, and keeps what can be asked of the next.
    pub fn restart(&mut self) {
        self.rows = Rc::default();
        self.walked = self.watches.is_empty() && self.find.is_none();
        self.marks = [None; 2];
        self.diff = None;
        self.origin = None;
        self.draft = None;
        if let Some(find) = &self.find {
            self.find = Some(Rc::new(Find { text: find.text.clone(), ..Find::default() }));
        }
    }

    fn texts(&self, stops: bool) -> Vec<String> {
        self.watches.iter().filter(|watch| watch.stops || !stops).map(|watch| watch.text.clone()).collect()
    }

    /// Walks on for about `budget_ms`, and reads the values at a step.
    pub fn look(&mut self, engine: &mut dyn Engine, step: u64, budget_ms: f64) {
        let found = self.seek(engine, budget_ms);
        if self.watches.is_empty() {
            self.walked = found;
            if !self.rows.is_empty() {
                self.rows = Rc::default();
            }
            return;
        }
        let (rows, walked) = engine.watch(&self.texts(false), step, budget_ms);
        self.walked = walked && found;
        if *self.rows != rows {
            self.rows = Rc::new(rows);
        }
    }

    /// Looks for the words on. True if all steps so far are looked at, or nothing is looked for.
    fn seek(&mut self, engine: &mut dyn Engine, budget_ms: f64) -> bool {
        let Some(find) = &self.find else { return true };
        let (found, walked) = engine.find(&find.text, budget_ms);
        let next = Find { text: find.text.clone(), found, walked };
        if **find != next {
            self.find = Some(Rc::new(next));
        }
        walked
    }

    /// The markers' difference, if both are there and it is looked at.
    pub fn compare(&mut self, engine: &mut dyn Engine) {
        self.diff = match self.marks {
            [Some(a), Some(b)] if self.tab == Tab::Diff => Some(engine.diff(a.min(b), a.max(b))),
            _ => None,
        };
    }

    /// Adds an expression, or gives it its new role.
    fn add(&mut self, text: &str, stops: bool) {
        let text = text.replace(COMMA, " ").trim().to_owned();
        if text.is_empty() {
            return;
        }
        let watches = Rc::make_mut(&mut self.watches);
        match watches.iter_mut().find(|watch| watch.text == text) {
            Some(watch) => watch.stops |= stops,
            None => watches.push(Watch { text, stops }),
        }
        self.walked = false;
    }

    /// Answers; a step to go to, if the answer is one. `own` are the scenario's markers.
    pub fn ask(&mut self, engine: &mut dyn Engine, ask: Ask, step: u64, own: &[(u64, String)]) -> Option<u64> {
        match ask {
            Ask::Show(tab) => {
                self.tab = tab;
                self.seeks = false;
            }
            Ask::Seek => {
                self.tab = Tab::Steps;
                self.seeks = true;
            }
            Ask::Find(text) => {
                let asked = !text.trim().is_empty();
                self.find = asked.then(|| Rc::new(Find { text, ..Find::default() }));
            }
            Ask::OfKind(kind) => self.of_kind = kind,
            Ask::Watch(text, stops) => {
                self.add(&text, stops);
                self.tab = Tab::Watch;
                self.draft = None;
            }
            Ask::Drop(at) => {
                let watches = Rc::make_mut(&mut self.watches);
                if at < watches.len() {
                    watches.remove(at);
                }
            }
            Ask::Turn(at) => {
                let watch = Rc::make_mut(&mut self.watches).get_mut(at)?;
                watch.stops = !watch.stops;
            }
            Ask::Break(texts) => {
                if stop(&self.watches, &texts) {
                    Rc::make_mut(&mut self.watches).retain(|watch| !(watch.stops && texts.contains(&watch.text)));
                } else {
                    texts.iter().for_each(|text| self.add(text, true));
                }
                self.walked = false;
            }
            Ask::Draft(text) => {
                self.draft = (!text.is_empty()).then(|| {
                    let (mut rows, _) = engine.watch(std::slice::from_ref(&text), step, 0.0);
                    Rc::new(Draft { completion: engine.complete(&text, step), row: rows.pop().unwrap_or_default() })
                });
                self.walked = false;
            }
            Ask::Run => return engine.hit(&self.texts(true), step, true),
            Ask::RunBack => return engine.hit(&self.texts(true), step, false),
            Ask::RunTo(texts, forward) => return engine.hit(&texts, step, forward),
            Ask::Mark(forward) => {
                let hit = engine.hit(&self.texts(false), step, forward);
                let own = own.iter().map(|(step, _)| *step);
                let marks = self.marks.into_iter().flatten().chain(own).chain(hit);
                return if forward {
                    marks.filter(|mark| *mark > step).min()
                } else {
                    marks.filter(|mark| *mark < step).max()
                };
            }
            Ask::Put(which) => {
                let mark = self.marks.get_mut(which)?;
                *mark = (*mark != Some(step)).then_some(step);
            }
            Ask::Diff => self.tab = Tab::Diff,
            Ask::Origin(path, go) => {
                let again = self.origin.as_ref().is_some_and(|origin| origin.path == path);
                let writes = engine.writes(&path);
                // Asked once more at the step that wrote it: the write before.
                let at = writes.iter().flatten().map(|write| write.step);
                let last = if again { at.filter(|at| *at < step).max() } else { at.filter(|at| *at <= step).max() };
                self.origin = Some(Rc::new(Origin { path, writes }));
                self.tab = Tab::Origin;
                return last.filter(|_| go);
            }
        }
        None
    }
}
