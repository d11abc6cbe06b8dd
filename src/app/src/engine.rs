//! What the page needs of the machine, and nothing else.

use std::rc::Rc;

use session::expr::{Completion, ExprError};
use session::scenario::ProbeAt;
use view::Found;
use view::frame::{BlockView, Changes, FirstRound, Frame, Local, Notice, ScenarioInfo, StepLine, Timeline};
use view::kernel_source::Stops;
use view::table::TableFormat;
use view::trail::{Spot, Trail};
use view::watch::{WatchRow, Write};

/// A run that can be looked at from every side. One object for the life of the page; loading replaces the
/// run inside. A call that fails leaves the run before it intact.
pub trait Engine {
    /// The scenarios of the library, in the order of the picker.
    fn scenarios(&self) -> Vec<ScenarioInfo>;

    /// Starts a scenario of the library.
    ///
    /// # Errors
    /// There is no such scenario, or it does not fit this engine.
    fn load(&mut self, name: &str) -> Result<(), Notice>;

    /// Gets a scenario ready that is given as JSON (from a link), set-up and all; the one that runs stays until
    /// [`Self::load_prepared`].
    ///
    /// # Errors
    /// It is not a scenario; the notice has the path of what is wrong.
    fn prepare_json(&mut self, json: &str) -> Result<(), Notice>;

    /// Starts the scenario that is ready.
    ///
    /// # Errors
    /// None is ready.
    fn load_prepared(&mut self) -> Result<(), Notice>;

    /// Checks and takes an image for scenarios that name it by its digest.
    ///
    /// # Errors
    /// The image cannot be mounted: the feature, the checksum, or that it is not ext4.
    fn open_image(&mut self, name: &str, bytes: Vec<u8>) -> Result<ImageInfo, Notice>;

    /// Says everything in the language that is spoken now.
    fn reword(&mut self);

    /// How the run goes into a link.
    fn scenario_ref(&self) -> ScenarioRef;

    /// The scenario that runs, interventions included, as JSON.
    fn scenario_json(&mut self) -> String;

    /// Begins a look at the first round of a scenario given as JSON, beside the run.
    ///
    /// # Errors
    /// Why there is nothing to look at.
    fn preview(&mut self, json: &str) -> Result<(), String>;

    /// Goes on with that look, for about `budget_ms`. `None` if there is more to come.
    ///
    /// # Errors
    /// Why there is nothing to look at.
    fn preview_slice(&mut self, budget_ms: f64) -> Result<Option<FirstRound>, String>;

    /// Computes more steps, for about `budget_ms`.
    fn run_slice(&mut self, budget_ms: f64);

    /// The screen at `step`, with `page` of the file drawn large (`None`: the one the step is about).
    fn frame(&mut self, step: u64, page: Option<u64>) -> Rc<Frame>;

    /// The run so far: `last` and `complete` say how far it is computed. The same `Rc` while nothing was added.
    fn timeline(&mut self) -> Rc<Timeline>;

    /// One block of the device as it is at `step`, decoded.
    ///
    /// # Errors
    /// The device has no such block.
    fn block(&mut self, step: u64, block: u64) -> Result<Rc<BlockView>, Notice>;

    /// Where a byte came from, and where else it is at `step`; `None` if there is no such byte.
    fn trail(&mut self, step: u64, spot: Spot) -> Option<Rc<Trail>>;

    /// Expressions at `step`, walked on for about `budget_ms`; and whether all steps so far are walked.
    fn watch(&mut self, texts: &[String], step: u64, budget_ms: f64) -> (Vec<WatchRow>, bool);

    /// The next hit of any of the expressions behind `step`, or the last one before it.
    fn hit(&mut self, texts: &[String], step: u64, forward: bool) -> Option<u64>;

    /// How many steps so far ended at each of these lines; nothing where nobody counts.
    fn passes(&mut self, stops: &Stops) -> Vec<u64>;

    /// Every step so far that changed a value.
    ///
    /// # Errors
    /// The path is no expression.
    fn writes(&mut self, path: &str) -> Result<Vec<Write>, ExprError>;

    /// What a list says of these steps.
    fn lines(&mut self, steps: &[u64]) -> Vec<Rc<StepLine>>;

    /// The steps that say `text`, looked for on for about `budget_ms`; and whether all steps so far are looked at.
    fn find(&mut self, text: &str, budget_ms: f64) -> (Found, bool);

    /// What could be typed next.
    fn complete(&mut self, text: &str, step: u64) -> Completion;

    /// What two steps are apart.
    fn diff(&mut self, a: u64, b: u64) -> Rc<Changes>;

    /// The step with an address, computed as far as needed.
    fn step_at(&mut self, address: &ProbeAt) -> Option<u64>;

    /// The digest of the whole state after `step` steps.
    fn digest(&mut self, step: u64) -> Option<u64>;

    /// Acts at `step`, or before it where it would be too late: the run beyond is dropped and computed anew. Gives the
    /// step at which it acts.
    ///
    /// # Errors
    /// It makes no sense at this step.
    fn intervene(&mut self, step: u64, what: Intervention) -> Result<u64, Notice>;

    /// The locals of one frame of a task's stack at `step`, counted from the innermost; and its function.
    fn locals(&mut self, step: u64, task: u32, nth: usize) -> Option<(&'static str, Vec<Rc<Local>>)>;

    /// What interventions made of the scenario, oldest first, and which of it runs.
    fn runs(&self) -> (Vec<String>, usize);

    /// Goes to another of those runs.
    ///
    /// # Errors
    /// It does not start any more.
    fn go_to_run(&mut self, at: usize) -> Result<(), Notice>;

    /// Something at `step` as a file to save; of the steps, those of `stretch`, or all.
    ///
    /// # Errors
    /// Nothing is loaded, or there are too many steps.
    fn download(&mut self, step: u64, what: Export, stretch: Option<(u64, u64)>) -> Result<Download, Notice>;
}

/// How the run goes into a link.
#[derive(Clone, Debug, PartialEq)]
pub enum ScenarioRef {
    /// A scenario of the library, by name.
    Library(String),
    /// A scenario as JSON; the page compresses it.
    Json(String),
}

/// An image that was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageInfo {
    /// Its file name.
    pub name: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// In words: size, block size, features.
    pub text: String,
    /// Paths of files that can be written, for the form's suggestions.
    pub files: Vec<String>,
}

/// What can be taken away as a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Export {
    /// The device.
    Image,
    /// The scenario, as JSON.
    Scenario,
    /// The steps.
    Table(TableFormat),
    /// The step on screen, as SVG.
    Picture,
}

/// A file to save.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Download {
    /// Suggested name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What the reader can do to the run at a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intervention {
    /// Drop the source page the call is about to read.
    EvictSource,
    /// Drop the source page at this byte of what is left of the call, as the picture counts.
    EvictPage(u64),
    /// The next request to these blocks fails: first block, blocks, whether it writes.
    FailRequest(u64, u64, bool),
    /// Deliver SIGKILL to the task.
    Sigkill,
}
