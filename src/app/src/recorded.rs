//! The page's [`Engine`] of a first visit: the screens of the library's first scenario from a file beside the page, and
//! the engine itself as soon as anything else is asked.

use std::rc::Rc;

use session::expr::{Completion, ExprError};
use session::scenario::ProbeAt;
use view::Found;
use view::frame::{BlockView, Changes, FirstRound, Frame, Local, Notice, ScenarioInfo, StepLine, Timeline};
use view::kernel_source::Stops;
use view::recording::Recording;
use view::trail::{Spot, Trail};
use view::watch::{WatchRow, Write};

use crate::engine::{Download, Engine, Export, ImageInfo, Intervention, ScenarioRef};
use crate::{machine, t};

/// More than any slice takes: the run that was recorded is computed at once where it is wanted.
const WHOLE_MS: f64 = 10_000.0;

/// An engine that shows `recording` until more is wanted.
#[must_use]
pub fn engine(recording: Recording) -> Box<dyn Engine> {
    Box::new(Recorded { recording, engine: None })
}

struct Recorded {
    recording: Recording,
    /// The engine, once it took over.
    engine: Option<Box<dyn Engine>>,
}

impl Recorded {
    /// The scenario's name.
    fn name(&self) -> &str {
        self.recording.library().first().map_or("", |info| &info.name)
    }

    /// The engine, with the run that was on screen.
    fn engine(&mut self) -> &mut dyn Engine {
        if self.engine.is_none() {
            let mut engine = machine::engine();
            // The library has what was recorded of it; if not, nothing is loaded, and the next call says so.
            if engine.load(self.name()).is_ok() {
                engine.run_slice(WHOLE_MS);
            }
            self.engine = Some(engine);
        }
        &mut **self.engine.get_or_insert_with(machine::engine)
    }
}

impl Engine for Recorded {
    fn scenarios(&self) -> Vec<ScenarioInfo> {
        self.engine.as_ref().map_or_else(|| self.recording.library().to_vec(), |engine| engine.scenarios())
    }

    fn load(&mut self, name: &str) -> Result<(), Notice> {
        if self.engine.is_none() && name == self.name() { Ok(()) } else { self.engine().load(name) }
    }

    fn prepare_json(&mut self, json: &str) -> Result<(), Notice> {
        self.engine().prepare_json(json)
    }

    fn load_prepared(&mut self) -> Result<(), Notice> {
        self.engine().load_prepared()
    }

    fn open_image(&mut self, name: &str, bytes: Vec<u8>) -> Result<ImageInfo, Notice> {
        self.engine().open_image(name, bytes)
    }

    fn reword(&mut self) {
        self.engine().reword();
    }

    fn scenario_ref(&self) -> ScenarioRef {
        self.engine
            .as_ref()
            .map_or_else(|| ScenarioRef::Library(self.name().to_owned()), |engine| engine.scenario_ref())
    }

    fn scenario_json(&mut self) -> String {
        self.engine().scenario_json()
    }

    fn preview(&mut self, json: &str) -> Result<(), String> {
        self.engine().preview(json)
    }

    fn preview_slice(&mut self, budget_ms: f64) -> Result<Option<FirstRound>, String> {
        self.engine().preview_slice(budget_ms)
    }

    fn run_slice(&mut self, budget_ms: f64) {
        if let Some(engine) = &mut self.engine {
            engine.run_slice(budget_ms);
        }
    }

    fn frame(&mut self, step: u64, page: Option<u64>) -> Rc<Frame> {
        if self.engine.is_none()
            && let Some(frame) = self.recording.frame(step)
            && page.is_none_or(|page| frame.cache.selected.as_ref().is_some_and(|shown| shown.index == page))
        {
            return frame;
        }
        self.engine().frame(step, page)
    }

    fn timeline(&mut self) -> Rc<Timeline> {
        match &mut self.engine {
            Some(engine) => engine.timeline(),
            None => self.recording.timeline(),
        }
    }

    fn block(&mut self, step: u64, block: u64) -> Result<Rc<BlockView>, Notice> {
        self.engine().block(step, block)
    }

    fn trail(&mut self, step: u64, spot: Spot) -> Option<Rc<Trail>> {
        self.engine().trail(step, spot)
    }

    fn watch(&mut self, texts: &[String], step: u64, budget_ms: f64) -> (Vec<WatchRow>, bool) {
        if texts.is_empty() { (Vec::new(), true) } else { self.engine().watch(texts, step, budget_ms) }
    }

    fn hit(&mut self, texts: &[String], step: u64, forward: bool) -> Option<u64> {
        if texts.is_empty() { None } else { self.engine().hit(texts, step, forward) }
    }

    fn passes(&mut self, stops: &Stops) -> Vec<u64> {
        // Nobody waits for the engine to see a count.
        self.engine.as_mut().map_or_else(Vec::new, |engine| engine.passes(stops))
    }

    fn writes(&mut self, path: &str) -> Result<Vec<Write>, ExprError> {
        self.engine().writes(path)
    }

    fn lines(&mut self, steps: &[u64]) -> Vec<Rc<StepLine>> {
        self.engine().lines(steps)
    }

    fn find(&mut self, text: &str, budget_ms: f64) -> (Found, bool) {
        self.engine().find(text, budget_ms)
    }

    fn complete(&mut self, text: &str, step: u64) -> Completion {
        self.engine().complete(text, step)
    }

    fn diff(&mut self, a: u64, b: u64) -> Rc<Changes> {
        self.engine().diff(a, b)
    }

    fn step_at(&mut self, address: &ProbeAt) -> Option<u64> {
        self.engine().step_at(address)
    }

    fn digest(&mut self, step: u64) -> Option<u64> {
        self.engine().digest(step)
    }

    fn intervene(&mut self, step: u64, what: Intervention) -> Result<u64, Notice> {
        self.engine().intervene(step, what)
    }

    fn locals(&mut self, step: u64, task: u32, nth: usize) -> Option<(&'static str, Vec<Rc<Local>>)> {
        self.engine().locals(step, task, nth)
    }

    fn runs(&self) -> (Vec<String>, usize) {
        self.engine.as_ref().map_or_else(|| (vec![t().run_first.to_owned()], 0), |engine| engine.runs())
    }

    fn go_to_run(&mut self, at: usize) -> Result<(), Notice> {
        self.engine().go_to_run(at)
    }

    fn download(&mut self, step: u64, what: Export, stretch: Option<(u64, u64)>) -> Result<Download, Notice> {
        self.engine().download(step, what, stretch)
    }
}
