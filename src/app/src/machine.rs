//! The page's [`Engine`]: a session and a viewer of its run.

use std::rc::Rc;

use js_sys::Date;
use serde_json::Value;
use session::expr::{Completion, ExprError};
use session::preview::Preview;
use session::run::{Inspection, Progress, RunError, inspect};
use session::scenario::{
    Act, At, Fault, FaultIo, FaultOf, Image, Op, ProbeAt, Scenario, Upload, emit, parse, parse_strict,
};
use session::{Session, library};
use view::frame::{BlockView, Changes, FirstRound, Frame, Local, Notice, ScenarioInfo, StepLine, Timeline};
use view::kernel_source::{Stops, passes};
use view::table::TableFormat;
use view::text::{message, reason, refusal};
use view::trail::{Spot, Trail};
use view::watch::{WatchRow, Write};
use view::{Found, Viewer};

use crate::editor::draft::Problem;
use crate::editor::json;
use crate::engine::{Download, Engine, Export, ImageInfo, Intervention, ScenarioRef};
use crate::{store, t};

/// Steps recorded between two looks at the clock.
const BATCH: u32 = 500;
/// The same of a search, which says the sentence of each step.
const FIND_BATCH: u32 = 100;
/// The same where a reader waits for the end of it.
const LONG_BATCH: u32 = 20_000;
/// The same of a look ahead, which reads its trace each time.
const PREVIEW_BATCH: u32 = 400;

/// The engine, with nothing loaded yet.
#[must_use]
pub fn engine() -> Box<dyn Engine> {
    Box::new(Engined { loaded: None, prepared: None, image: None, preview: None })
}

struct Engined {
    loaded: Option<Loaded>,
    /// What is ready to be loaded.
    prepared: Option<Loaded>,
    /// The image taken last.
    image: Option<Taken>,
    /// A look at a scenario that does not run yet.
    preview: Option<Preview>,
}

struct Loaded {
    session: Session,
    viewer: Viewer,
    /// Its name in the library; `None` once it is its own.
    name: Option<String>,
    /// The viewer knows the steps of the scenario's markers.
    marked: bool,
    /// The name of the run that interventions began from.
    first_name: Option<String>,
}

impl Loaded {
    /// What was seen so far is forgotten: another run, or another language.
    fn look_anew(&mut self) {
        let name = self.name.as_deref().unwrap_or(t().own_scenario);
        self.viewer = Viewer::new(name, self.session.scenario(), self.session.run());
        self.marked = false;
    }

    /// Another run: the list of runs is kept over a reload.
    fn keep_runs(&mut self) {
        self.look_anew();
        let runs: Vec<String> = self.session.runs().0.iter().map(emit).collect();
        store::keep(RUNS_KEY, &serde_json::json!({ "name": self.first_name, "runs": runs }).to_string());
    }
}

/// Where the list of runs is kept as long as the tab is open.
const RUNS_KEY: &str = "writepath.runs";

/// Whether interventions made runs that were kept: they are listed wherever one of them is open.
#[must_use]
pub fn has_runs() -> bool {
    store::kept(RUNS_KEY).is_some()
}

/// The list of runs that was kept, and what the library calls the first of them.
fn kept_runs() -> (Vec<Scenario>, Option<String>) {
    let kept: Value = store::kept(RUNS_KEY).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let texts = kept["runs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let runs = texts.filter_map(|text| parse(text).ok()).map(|parsed| parsed.scenario).collect();
    (runs, kept["name"].as_str().map(str::to_owned))
}

/// A run by what was done last to come to it.
fn run_text(at: usize, scenario: &Scenario) -> String {
    let Some(last) = scenario.interventions.last().filter(|_| at > 0) else { return t().run_first.to_owned() };
    let what = match &last.act {
        Act::Evict { buf, off, .. } => format!("{} {buf}+{off}", t().run_evict),
        Act::Fault(_) => t().run_fault.to_owned(),
        Act::Sigkill { task } => format!("SIGKILL {task}"),
        _ => t().run_other.to_owned(),
    };
    let place = match &last.at {
        At::Step(step) => format!("{} {step}", t().step),
        At::Probe(at) => {
            let task = scenario.tasks.iter().find(|task| task.name == at.task);
            let name = task.and_then(|task| task.op(at.op as usize)).map_or("", Op::name);
            format!("{name} {} {} · {} #{}", t().iteration, at.iteration, at.site, at.nth)
        }
    };
    format!("{what}: {}", place.trim())
}

#[derive(Clone)]
struct Taken {
    upload: Upload,
    bytes: Rc<Vec<u8>>,
}

/// What is wrong with a scenario being written, as an editor is told: unknown keys too.
#[must_use]
pub fn check(text: &str) -> Option<Problem> {
    let error = parse_strict(text).err()?;
    let line = json::parse(text).map_or_else(
        |line| line,
        |doc| {
            // A name that nobody knows is a key of the object, maybe in the line below.
            let inner = doc.at(&error.path).and_then(|found| found.fields().first());
            let key = inner.filter(|_| error.reason.english.starts_with("`{}` is none of"));
            key.map_or_else(|| doc.line_of(&error.path), |(_, value)| value.line)
        },
    );
    Some(Problem { path: error.path, reason: reason(&error.reason), line })
}

/// A scenario as [`Engine::scenario_json`] writes it; none of what is no scenario.
#[must_use]
pub fn normal(text: &str) -> Option<String> {
    parse_strict(text).ok().map(|scenario| emit(&scenario))
}

/// The names of all probes, for the fields that take one.
#[must_use]
pub fn sites() -> Vec<&'static str> {
    session::scenario::probe_names().collect()
}

fn refused(reason: &str) -> Notice {
    Notice { title: reason.to_owned(), text: t().intact.to_owned(), error: true }
}

impl Engined {
    fn set_up(&self, scenario: Scenario, name: Option<String>) -> Result<Loaded, Notice> {
        let image = match &scenario.image {
            Image::Upload(wanted) => Some(self.uploaded(wanted)?),
            Image::Mkfs(_) => None,
        };
        let mut session = Session::open(scenario, image).map_err(|error| refused(&sentence(&error)))?;
        let (runs, kept) = kept_runs();
        let first_name = if session.restore_runs(runs) { kept } else { name.clone() };
        let shown = name.clone().unwrap_or_else(|| t().own_scenario.to_owned());
        let viewer = Viewer::new(&shown, session.scenario(), session.run());
        Ok(Loaded { session, viewer, first_name, name, marked: false })
    }

    fn uploaded(&self, wanted: &Upload) -> Result<Rc<Vec<u8>>, Notice> {
        match &self.image {
            Some(taken) if taken.upload.sha256 == wanted.sha256 => Ok(Rc::clone(&taken.bytes)),
            _ => Err(refused(&format!("{} {} (SHA-256 {}…)", t().image_wanted, wanted.name, &wanted.sha256[..12]))),
        }
    }

    fn loaded(&mut self) -> Result<&mut Loaded, Notice> {
        self.loaded.as_mut().ok_or_else(|| refused(t().nothing_loaded))
    }
}

/// An error as a sentence.
fn sentence(error: &RunError) -> String {
    let text = message(&error.to_string());
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(['.']).collect())
}

impl Engine for Engined {
    fn scenarios(&self) -> Vec<ScenarioInfo> {
        view::library()
    }

    fn load(&mut self, name: &str) -> Result<(), Notice> {
        let bare = name.split('@').next().unwrap_or(name);
        let scenario = library::scenario(bare).ok_or_else(|| {
            let why =
                if library::is_missing(bare) { t().no_rest.to_owned() } else { format!("{} {bare}.", t().no_scenario) };
            refused(&why)
        })?;
        self.loaded = Some(self.set_up(scenario, Some(bare.to_owned()))?);
        Ok(())
    }

    fn prepare_json(&mut self, json: &str) -> Result<(), Notice> {
        let parsed = parse(json).map_err(|error| refused(&refusal(&error)))?;
        self.prepared = Some(self.set_up(parsed.scenario, None)?);
        Ok(())
    }

    fn load_prepared(&mut self) -> Result<(), Notice> {
        self.loaded = Some(self.prepared.take().ok_or_else(|| refused(t().nothing_loaded))?);
        Ok(())
    }

    fn open_image(&mut self, name: &str, bytes: Vec<u8>) -> Result<ImageInfo, Notice> {
        let inspection = inspect(&bytes).map_err(|error| refused(&sentence(&error)))?;
        let upload = Upload { name: name.to_owned(), sha256: session::digest::sha256_hex(&bytes) };
        let sha256 = upload.sha256.clone();
        self.image = Some(Taken { upload, bytes: Rc::new(bytes) });
        Ok(ImageInfo { name: name.to_owned(), sha256, text: image_text(&inspection), files: inspection.files })
    }

    fn reword(&mut self) {
        if let Some(loaded) = &mut self.loaded {
            loaded.look_anew();
        }
    }

    fn scenario_ref(&self) -> ScenarioRef {
        match &self.loaded {
            Some(Loaded { name: Some(name), .. }) => ScenarioRef::Library(name.clone()),
            Some(loaded) => ScenarioRef::Json(emit(loaded.session.scenario())),
            None => ScenarioRef::Library(String::new()),
        }
    }

    fn scenario_json(&mut self) -> String {
        self.loaded.as_ref().map(|loaded| emit(loaded.session.scenario())).unwrap_or_default()
    }

    fn preview(&mut self, json: &str) -> Result<(), String> {
        self.preview = None;
        let scenario = parse_strict(json).map_err(|error| refusal(&error))?;
        let image = match &scenario.image {
            Image::Upload(wanted) => Some(self.uploaded(wanted).map_err(|notice| notice.title)?.to_vec()),
            Image::Mkfs(_) => None,
        };
        self.preview = Some(Preview::open(&scenario, image).map_err(|error| sentence(&error))?);
        Ok(())
    }

    fn preview_slice(&mut self, budget_ms: f64) -> Result<Option<FirstRound>, String> {
        let Some(preview) = &mut self.preview else { return Ok(Some(FirstRound::default())) };
        let end = Date::now() + budget_ms;
        while Date::now() < end {
            if preview.advance(PREVIEW_BATCH).map_err(|error| sentence(&error))? {
                let found = view::first_round(&preview.first());
                self.preview = None;
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn run_slice(&mut self, budget_ms: f64) {
        let Some(loaded) = &mut self.loaded else {
            return;
        };
        let end = Date::now() + budget_ms;
        loop {
            let progress = loaded.session.extend(BATCH);
            // To read what was recorded takes longer than to record it: it is part of the slice.
            loaded.viewer.read(loaded.session.run());
            if progress != Progress::Running || Date::now() >= end {
                break;
            }
        }
    }

    fn frame(&mut self, step: u64, page: Option<u64>) -> Rc<Frame> {
        match &mut self.loaded {
            Some(loaded) => loaded.viewer.frame(loaded.session.run(), step, page),
            None => Rc::default(),
        }
    }

    fn timeline(&mut self) -> Rc<Timeline> {
        match &mut self.loaded {
            Some(loaded) => {
                if !loaded.marked && loaded.session.run().progress() != Progress::Running {
                    loaded.marked = true;
                    let steps = loaded.session.marker_steps();
                    loaded.viewer.set_marks(loaded.session.scenario(), &steps);
                }
                loaded.viewer.timeline(loaded.session.run())
            }
            None => Rc::default(),
        }
    }

    fn block(&mut self, step: u64, block: u64) -> Result<Rc<BlockView>, Notice> {
        let loaded = self.loaded()?;
        loaded.viewer.block(loaded.session.run(), step, block)
    }

    fn trail(&mut self, step: u64, spot: Spot) -> Option<Rc<Trail>> {
        let Loaded { session, viewer, .. } = self.loaded.as_mut()?;
        viewer.trail(session.run(), step, spot)
    }

    fn watch(&mut self, texts: &[String], step: u64, budget_ms: f64) -> (Vec<WatchRow>, bool) {
        let Some(Loaded { session, viewer, .. }) = &mut self.loaded else { return (Vec::new(), true) };
        let end = Date::now() + budget_ms;
        let mut walked = budget_ms <= 0.0;
        while !walked {
            walked = viewer.walk_watches(session.run(), texts, BATCH);
            if Date::now() >= end {
                break;
            }
        }
        (texts.iter().map(|text| viewer.watch(session.run(), text, step)).collect(), walked)
    }

    fn hit(&mut self, texts: &[String], step: u64, forward: bool) -> Option<u64> {
        let Loaded { session, viewer, .. } = self.loaded.as_mut()?;
        loop {
            let hit = viewer.hit(session.run(), texts, step, forward);
            // Ahead there may be steps that are not computed yet.
            if hit.is_some() || !forward || texts.is_empty() || session.extend(LONG_BATCH) != Progress::Running {
                return hit.or_else(|| viewer.hit(session.run(), texts, step, forward));
            }
        }
    }

    fn passes(&mut self, stops: &Stops) -> Vec<u64> {
        self.loaded.as_ref().map_or_else(Vec::new, |loaded| passes(loaded.session.run(), stops))
    }

    fn writes(&mut self, path: &str) -> Result<Vec<Write>, ExprError> {
        match &mut self.loaded {
            Some(Loaded { session, viewer, .. }) => viewer.writes(session.run(), path),
            None => Ok(Vec::new()),
        }
    }

    fn lines(&mut self, steps: &[u64]) -> Vec<Rc<StepLine>> {
        match &mut self.loaded {
            Some(Loaded { session, viewer, .. }) => viewer.lines(session.run(), steps),
            None => Vec::new(),
        }
    }

    fn find(&mut self, text: &str, budget_ms: f64) -> (Found, bool) {
        let Some(Loaded { session, viewer, .. }) = &mut self.loaded else { return (Found::default(), true) };
        let end = Date::now() + budget_ms;
        loop {
            let walked = viewer.find(session.run(), text, FIND_BATCH);
            if walked || Date::now() >= end {
                return (viewer.found(), walked);
            }
        }
    }

    fn complete(&mut self, text: &str, step: u64) -> Completion {
        match &mut self.loaded {
            Some(Loaded { session, viewer, .. }) => viewer.complete(session.run(), text, step),
            None => Completion::default(),
        }
    }

    fn diff(&mut self, a: u64, b: u64) -> Rc<Changes> {
        match &mut self.loaded {
            Some(Loaded { session, viewer, .. }) => viewer.diff(session.run(), a, b),
            None => Rc::default(),
        }
    }

    fn step_at(&mut self, address: &ProbeAt) -> Option<u64> {
        self.loaded.as_mut()?.session.step_at(address).map(u64::from)
    }

    fn digest(&mut self, step: u64) -> Option<u64> {
        let session = &self.loaded.as_ref()?.session;
        Some(session.digest_at(u32::try_from(step).ok()?.min(session.run().len())))
    }

    fn intervene(&mut self, step: u64, what: Intervention) -> Result<u64, Notice> {
        let loaded = self.loaded()?;
        let mut step = u32::try_from(step).map_err(|_| refused(t().no_step))?;
        let act = match what {
            Intervention::EvictSource => {
                let (buf, off) = loaded.session.source_at(step).ok_or_else(|| refused(t().no_call_source))?;
                evict(buf, off)
            }
            Intervention::EvictPage(byte) => {
                let frame = loaded.viewer.frame(loaded.session.run(), step.into(), None);
                let (buf, off) = source_of(&frame, byte).ok_or_else(|| refused(t().no_call_source))?;
                evict(buf, off)
            }
            Intervention::FailRequest(block, blocks, write) => {
                let sectors = loaded.session.block_sectors();
                let sector = block * sectors;
                // Whether a request fails is decided when it is made.
                step = loaded.session.before_request(step, sector, write);
                let sectors = u32::try_from(blocks * sectors).ok();
                let io = if write { FaultIo::Write } else { FaultIo::Read };
                Act::Fault(Fault { io, of: FaultOf::Any, sector, sectors, skip: 0, times: Some(1) })
            }
            Intervention::Sigkill => Act::Sigkill { task: loaded.session.scenario().tasks[0].name.clone() },
        };
        loaded.session.intervene(step, act).map_err(|error| refused(&message(&error.to_string())))?;
        loaded.name = None;
        loaded.keep_runs();
        Ok(step.into())
    }

    fn locals(&mut self, step: u64, task: u32, nth: usize) -> Option<(&'static str, Vec<Rc<Local>>)> {
        let Loaded { session, viewer, .. } = self.loaded.as_mut()?;
        viewer.locals(session.run(), step, task, nth)
    }

    fn runs(&self) -> (Vec<String>, usize) {
        let Some(loaded) = &self.loaded else { return (Vec::new(), 0) };
        let (runs, current) = loaded.session.runs();
        (runs.iter().enumerate().map(|(at, scenario)| run_text(at, scenario)).collect(), current)
    }

    fn go_to_run(&mut self, at: usize) -> Result<(), Notice> {
        let loaded = self.loaded()?;
        loaded.session.go_to_run(at).map_err(|error| refused(&sentence(&error)))?;
        loaded.name = loaded.first_name.clone().filter(|_| at == 0);
        loaded.keep_runs();
        Ok(())
    }

    fn download(&mut self, step: u64, what: Export, stretch: Option<(u64, u64)>) -> Result<Download, Notice> {
        let Loaded { session, viewer, name, .. } = self.loaded()?;
        let step = u32::try_from(step).map_err(|_| refused(t().no_step))?.min(session.run().len());
        let name = name.as_deref().unwrap_or("writepath");
        let (end, bytes) = match what {
            Export::Image => (format!("-{step}.img"), session.image_at(step)),
            Export::Scenario => (".json".to_owned(), emit(session.scenario()).into_bytes()),
            Export::Picture => {
                let frame = viewer.frame(session.run(), step.into(), None);
                (format!("-{step}.svg"), view::picture(&frame).into_bytes())
            }
            Export::Table(format) => {
                let (from, to) = stretch.unwrap_or((0, session.run().len().into()));
                let end = if format == TableFormat::Csv { "csv" } else { "md" };
                (format!("-steps.{end}"), viewer.table(session.run(), from, to, format)?.into_bytes())
            }
        };
        Ok(Download { name: format!("{name}{end}"), bytes })
    }
}

/// Drops the page of a buffer.
fn evict(buf: String, off: u64) -> Act {
    Act::Evict { buf, off: off / 4096 * 4096, len: 4096 }
}

/// Buffer and offset of a byte of the picture's user memory.
fn source_of(frame: &Frame, byte: u64) -> Option<(String, u64)> {
    let mut from = 0;
    for segment in &frame.user.segments {
        if byte < from + segment.len {
            let (buf, off) = segment.base.rsplit_once('+')?;
            return Some((buf.to_owned(), off.parse::<u64>().ok()? + byte - from));
        }
        from += segment.len;
    }
    None
}

fn image_text(found: &Inspection) -> String {
    format!("{} KiB, {} {} B, {}", found.size_bytes / 1024, t().blocks_of, found.block_size, found.features.join(" "))
}
