//! The one state of the page. Buttons, keys and links all send a [`Command`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use session::link::{self, Link, StepRef};
use session::scenario::ProbeAt;
use view::frame::{BlockView, FirstRound, Frame, Local, Notice, ScenarioInfo, StepLine, Timeline};
use view::kernel_source::Stops;
pub use view::steps::Grain;
use view::steps::{Reach, Stride};
use view::trail::{Spot, Trail};
use yew::prelude::*;

use crate::debug::{Ask, Debug};
use crate::engine::{Download, Engine, Export, ImageInfo, Intervention, ScenarioRef};
use crate::lang::Lang;
use crate::t;

/// Light, dark, or what the system says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Theme {
    /// What the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// As in links and on the root element; none for the system's.
    pub const fn key(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }

    /// From a link or the store.
    pub fn from_key(key: &str) -> Self {
        match key {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// A sheet over the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sheet {
    /// The keys.
    Help,
    /// What the model leaves out.
    About,
    /// All commands.
    Palette,
    /// The scenario, to be written anew.
    Edit,
    /// The scenarios that come with the page.
    Library,
}

/// The panel shown where there is room for one only.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Panel {
    /// Outline, locals, call stack.
    Code,
    /// User memory.
    Memory,
    /// The selected page.
    #[default]
    Page,
    /// Extents, device, journal.
    Disk,
    /// Dirty balance.
    Dirty,
    /// Changes of this step.
    Changes,
}

impl Panel {
    /// All, in the order of the tabs.
    pub const ALL: [Self; 6] = [Self::Code, Self::Memory, Self::Page, Self::Disk, Self::Dirty, Self::Changes];

    /// Name in ids and in `data-show`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Memory => "mem",
            Self::Page => "page",
            Self::Disk => "disk",
            Self::Dirty => "dirty",
            Self::Changes => "changes",
        }
    }
}

/// Speeds on offer: what the picker says, and jumps a second.
pub const SPEEDS: [(&str, f64); 6] =
    [("0.5×", 0.75), ("1×", 1.5), ("2×", 3.0), ("5×", 7.5), ("20×", 30.0), ("100×", 150.0)];

/// Everything a reader can ask for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Go to a step, as a jump the browser's back button undoes.
    Seek(u64),
    /// Go to a step while dragging.
    Scrub(u64),
    /// One step on, in the chosen grain.
    Next,
    /// One step back, in the chosen grain.
    Back,
    /// On, over what lies inside.
    Over,
    /// Back, over what lies inside.
    OverBack,
    /// On, out of what the step is in.
    Out,
    /// Back to before what the step is in.
    OutBack,
    /// On (or back, says the flag) to where a frame is the innermost: its task, and which from the innermost.
    RunToFrame(u32, u8, bool),
    /// Step in the task of this name only; in none only.
    Follow(Option<Rc<str>>),
    /// To the first step of the next system call.
    NextCall,
    /// To the first step of the system call before.
    PrevCall,
    /// To the end of the next iteration.
    NextIteration,
    /// To the end of the iteration before.
    PrevIteration,
    /// To the state before anything ran.
    First,
    /// To the end.
    Last,
    /// Play or stop.
    TogglePlay,
    /// Compute no more steps for now, or go on.
    Halt(bool),
    /// Index into [`SPEEDS`].
    SetSpeed(usize),
    /// What a step is.
    SetGrain(Grain),
    /// An animation frame: milliseconds since the last one.
    Tick(f64),
    /// A scenario of the library.
    LoadScenario(String),
    /// A scenario as JSON (or why there is none), and the step to open.
    LoadJson(Result<String, Notice>, StepRef),
    /// The scenario of the editor, as JSON.
    RunEdited(Rc<str>),
    /// An image file's name and bytes.
    OpenImage(String, Rc<Vec<u8>>),
    /// Save something as a file.
    Export(Export),
    /// Show the locals of a frame: its task, and which from the innermost.
    SelectFrame(u32, usize),
    /// Go to another of the runs that interventions made.
    GoToRun(usize),
    /// Draw this page large.
    SelectPage(u64),
    /// Open a device block.
    OpenBlock(u64),
    /// Close it.
    CloseBlock,
    /// Act at this step.
    Intervene(Intervention),
    /// Open a link.
    OpenLink(Link),
    /// Show a sheet.
    Open(Sheet),
    /// Close the sheet.
    CloseSheet,
    /// Show a panel where there is room for one only.
    ShowPanel(Panel),
    /// The other theme; the flag says whether it is dark now.
    ToggleTheme(bool),
    /// The page speaks this language now.
    Speak(Lang),
    /// Tell the reader something.
    Tell(Notice),
    /// Take the message away.
    DismissNotice,
    /// Something for the debugger.
    Debug(Ask),
}

/// A frame of a stack, with its locals.
#[derive(Clone, Debug, PartialEq)]
pub struct Outer {
    /// Whose stack.
    pub task: u32,
    /// Which from the innermost.
    pub nth: usize,
    /// Its function.
    pub function: &'static str,
    /// The locals.
    pub rows: Vec<Rc<Local>>,
}

impl Outer {
    /// The function stands at the same place of the stack.
    fn is_in(&self, frame: &Frame) -> bool {
        let task = frame.tasks.iter().find(|task| task.id == self.task);
        task.and_then(|task| task.stack.get(self.nth)).is_some_and(|row| row.function == self.function)
    }
}

/// The state.
#[derive(Clone)]
pub struct Player {
    engine: Rc<RefCell<Box<dyn Engine>>>,
    /// The screen.
    pub frame: Rc<Frame>,
    /// The run.
    pub timeline: Rc<Timeline>,
    /// The library.
    pub scenarios: Rc<Vec<ScenarioInfo>>,
    /// How the run goes into a link.
    pub scenario: ScenarioRef,
    /// Plays.
    pub playing: bool,
    /// The reader wants no more steps computed for now.
    pub halted: bool,
    /// Index into [`SPEEDS`].
    pub speed: usize,
    /// What a step is.
    pub grain: Grain,
    /// The name of the only task that is stepped in.
    pub followed: Option<Rc<str>>,
    /// The page the reader chose to see large.
    pub page: Option<u64>,
    /// The frame of a stack that the reader chose to see the locals of.
    pub outer: Option<Rc<Outer>>,
    /// The runs that interventions made, and which of them is on screen.
    pub runs: Rc<(Vec<String>, usize)>,
    /// The block inspector.
    pub block: Option<Rc<BlockView>>,
    /// A message.
    pub notice: Option<Rc<Notice>>,
    /// Light or dark.
    pub theme: Theme,
    /// The language spoken, and whether it was chosen: by a link, now or earlier.
    pub lang: Lang,
    lang_chosen: bool,
    /// A sheet over the page.
    pub sheet: Option<Sheet>,
    /// The panel of small screens.
    pub panel: Panel,
    /// The image taken last.
    pub image: Option<Rc<ImageInfo>>,
    /// A file to save; a new `Rc` each time.
    pub download: Option<Rc<Download>>,
    /// Watches, markers, and who wrote what.
    pub debug: Debug,
    /// What of the link is not the player's: written back as it was.
    rest: Link,
    /// Counts explicit jumps: each gets its own entry in the browser's history.
    pub jumps: u64,
    /// The scenario of a link that is still being unpacked.
    unpacking: Option<link::ScenarioRef>,
    /// The step of a link whose scenario is ready: it starts at the next tick.
    prepared: Option<StepRef>,
    /// A step a link asked for that is not computed yet.
    wanted: Option<u64>,
    /// The digest that a link says its step has; until that is looked at.
    expected: Option<u64>,
    /// Parts of a jump that playing has saved up; shared, so that a frame without a jump is no new state.
    credit: Rc<Cell<f64>>,
}

impl Player {
    /// A player on `engine`, with `link` open, or the library's first scenario.
    #[must_use]
    pub fn new(engine: Box<dyn Engine>, link: Link, (lang, lang_chosen): (Lang, bool)) -> Self {
        let scenarios = Rc::new(engine.scenarios());
        let scenario = engine.scenario_ref();
        let mut player = Self {
            engine: Rc::new(RefCell::new(engine)),
            frame: Rc::default(),
            timeline: Rc::default(),
            scenarios,
            scenario,
            playing: false,
            speed: 1,
            grain: Grain::default(),
            followed: None,
            page: None,
            outer: None,
            runs: Rc::default(),
            block: None,
            notice: None,
            theme: Theme::System,
            lang,
            lang_chosen,
            sheet: None,
            panel: Panel::default(),
            image: None,
            download: None,
            debug: Debug::default(),
            rest: Link::default(),
            jumps: 0,
            halted: false,
            unpacking: None,
            prepared: None,
            wanted: None,
            expected: None,
            credit: Rc::default(),
        };
        player.open(link, true);
        player
    }

    /// The scenario that runs, as JSON.
    #[must_use]
    pub fn scenario_json(&self) -> String {
        self.engine.borrow_mut().scenario_json()
    }

    /// What the editor's look ahead goes through.
    #[must_use]
    pub fn looker(&self) -> Looker {
        Looker(Rc::clone(&self.engine))
    }

    /// The link to what is on screen.
    ///
    /// The scenario is left out while it is not in the library: its text has to be compressed first.
    #[must_use]
    pub fn link(&self) -> Link {
        let step = self.wanted.filter(|step| *step != u64::MAX).unwrap_or(self.frame.step);
        let mut link = Link {
            scenario: match (&self.unpacking, &self.scenario) {
                (Some(packed), _) => Some(packed.clone()),
                (None, ScenarioRef::Library(name)) => {
                    Some(link::ScenarioRef::Library { name: name.clone(), version: None })
                }
                (None, ScenarioRef::Json(_)) => None,
            },
            step: Some(StepRef::Index(step)),
            grain: (self.grain != Grain::Statement).then(|| self.grain.key().to_owned()),
            task: self.followed.as_deref().map(str::to_owned),
            theme: self.theme.key().map(str::to_owned).or_else(|| self.rest.theme.clone()),
            language: self.lang_chosen.then(|| self.lang.key().to_owned()),
            ..self.rest.clone()
        };
        self.debug.write(&mut link);
        link
    }

    /// Whether animation frames are wanted: the run is not computed to its end, or it plays.
    #[must_use]
    pub fn busy(&self) -> bool {
        let computes = !self.timeline.complete && !self.halted;
        self.playing || self.prepared.is_some() || ((computes || !self.debug.walked) && self.unpacking.is_none())
    }

    fn open(&mut self, link: Link, first: bool) {
        if let Some(grain) = link.grain.as_deref().and_then(Grain::from_key) {
            self.grain = grain;
        }
        if let Some(theme) = link.theme.as_deref() {
            self.theme = Theme::from_key(theme);
        }
        let step = match &link.step {
            Some(StepRef::Index(step)) => *step,
            // Its number is known once there is a run to look in.
            _ => 0,
        };
        match &link.scenario {
            // The page unpacks it and sends it as JSON.
            Some(packed @ link::ScenarioRef::Packed(_)) => {
                self.unpacking = Some(packed.clone());
                self.wanted = Some(step);
            }
            None if !first => self.go(step),
            None => self.load_first(step),
            Some(link::ScenarioRef::Library { name, .. } | link::ScenarioRef::Url(name)) => {
                if !first && self.scenario == ScenarioRef::Library(name.clone()) {
                    self.go(step);
                } else if !self.load(name, step) && first {
                    let notice = self.notice.take();
                    self.load_first(0);
                    self.notice = notice;
                }
            }
        }
        self.followed = link.task.as_deref().map(Rc::from);
        self.debug.open(&link);
        self.expected = link.digest;
        self.rest = Link {
            scenario: None,
            digest: None,
            step: None,
            grain: None,
            theme: link.theme.filter(|_| self.theme == Theme::System),
            ..link
        };
        if let Some(StepRef::Probe(address)) = &link.step
            && self.unpacking.is_none()
            && let Some(step) = self.find(address)
        {
            self.go(step);
        }
        self.look();
        self.hold_to_link();
    }

    /// Tells if the step that a link opened is not in the state that the link was made at.
    fn hold_to_link(&mut self) {
        if self.unpacking.is_some() || self.wanted.is_some() {
            return;
        }
        let Some(expected) = self.expected.take() else { return };
        let Some(found) = self.engine.borrow_mut().digest(self.frame.step) else { return };
        if found != expected {
            self.notice = Some(Rc::new(Notice {
                title: t().link_stale.to_owned(),
                text: format!("{} {expected:x}; {} {found:x}.", t().link_stale_was, t().link_stale_is),
                error: false,
            }));
        }
    }

    /// The number of a step that is given by what it is.
    fn find(&mut self, address: &ProbeAt) -> Option<u64> {
        let mut engine = self.engine.borrow_mut();
        let step = engine.step_at(address);
        self.timeline = engine.timeline();
        step
    }

    /// Brings what the debugger shows up to the step on screen.
    fn look(&mut self) {
        let mut engine = self.engine.borrow_mut();
        self.debug.look(&mut **engine, self.frame.step, 4.0);
        self.debug.compare(&mut **engine);
    }

    fn ask(&mut self, ask: Ask) {
        let runs = match &ask {
            Ask::Run | Ask::RunBack | Ask::RunTo(..) => Some(t().no_hit),
            Ask::Mark(_) => Some(t().no_mark),
            _ => None,
        };
        let to = self.debug.ask(&mut **self.engine.borrow_mut(), ask, self.frame.step, &self.timeline.marks);
        match (to, runs) {
            (Some(step), _) => {
                self.jumps += 1;
                self.notice = None;
                self.timeline = self.engine.borrow_mut().timeline();
                self.go(step);
            }
            (None, Some(none)) => {
                self.notice = Some(Rc::new(Notice { title: none.to_owned(), text: String::new(), error: false }));
            }
            _ => {}
        }
        self.look();
    }

    fn load_first(&mut self, step: u64) {
        if let Some(name) = self.scenarios.first().map(|info| info.name.clone()) {
            self.load(&name, step);
        }
    }

    fn load(&mut self, name: &str, step: u64) -> bool {
        let result = self.engine.borrow_mut().load(name);
        self.started(result, step)
    }

    /// Takes over a new run, or tells why there is none.
    fn started(&mut self, result: Result<(), Notice>, step: u64) -> bool {
        match result {
            Ok(()) => {
                let mut engine = self.engine.borrow_mut();
                self.scenario = engine.scenario_ref();
                self.runs = Rc::new(engine.runs());
                // No more than shows the step: to open it has taken its time already.
                engine.run_slice(if step == 0 { 0.0 } else { 8.0 });
                self.timeline = engine.timeline();
                drop(engine);
                self.followed =
                    self.followed.take().filter(|name| self.timeline.lanes.iter().any(|lane| *lane.name == **name));
                self.notice = None;
                self.prepared = None;
                self.unpacking = None;
                self.block = None;
                self.page = None;
                self.playing = false;
                self.halted = false;
                self.debug.restart();
                self.go(step);
                true
            }
            Err(notice) => {
                self.notice = Some(Rc::new(notice));
                false
            }
        }
    }

    /// Starts the scenario of a link at its step, or tells why there is none.
    fn start_prepared(&mut self, result: Result<(), Notice>, step: &StepRef) {
        let marks = self.unpacking.take().map_or([None; 2], |_| self.debug.marks);
        let index = if let StepRef::Index(step) = *step { step } else { 0 };
        if self.started(result, index) {
            self.debug.marks = marks;
            if let StepRef::Probe(address) = step
                && let Some(step) = self.find(address)
            {
                self.go(step);
            }
            self.look();
            self.hold_to_link();
        } else if self.timeline.last == 0 {
            let notice = self.notice.take();
            self.load_first(0);
            self.notice = notice;
        }
    }

    fn prepare_and_load(&mut self, json: &str) -> Result<(), Notice> {
        let mut engine = self.engine.borrow_mut();
        engine.prepare_json(json)?;
        engine.load_prepared()
    }

    /// Goes to a step, now or as soon as it is computed.
    fn go(&mut self, step: u64) {
        let (last, complete) = (self.timeline.last, self.timeline.complete);
        self.wanted = (step > last && !complete).then_some(step);
        self.show(step.min(last));
    }

    fn show(&mut self, step: u64) {
        let mut engine = self.engine.borrow_mut();
        self.frame = engine.frame(step, self.page);
        self.outer = self.outer.take().filter(|outer| outer.is_in(&self.frame)).and_then(|outer| {
            let (function, rows) = engine.locals(step, outer.task, outer.nth)?;
            Some(Rc::new(Outer { function, rows, ..*outer }))
        });
        if let Some(block) = self.block.as_ref().map(|view| view.block) {
            self.block = engine.block(step, block).ok();
        }
        self.debug.look(&mut **engine, step, 2.0);
    }

    /// Says all that is on screen in the language spoken now; step, page and block stay.
    fn reword(&mut self) {
        let mut engine = self.engine.borrow_mut();
        engine.reword();
        self.scenarios = Rc::new(engine.scenarios());
        self.timeline = engine.timeline();
        drop(engine);
        self.notice = None;
        self.show(self.frame.step);
    }

    /// The number of the task that is followed; one that is not in this run has no steps.
    #[must_use]
    pub fn followed_id(&self) -> Option<u32> {
        let name = self.followed.as_deref()?;
        Some(self.timeline.lanes.iter().find(|lane| lane.name == name).map_or(u32::MAX - 1, |lane| lane.id))
    }

    fn jump(&mut self, grain: Grain, reach: Reach, back: bool) {
        self.stride(Stride { grain, reach, back, task: self.followed_id() });
    }

    fn stride(&mut self, stride: Stride) {
        let from = self.frame.step;
        self.wanted = None;
        let to = loop {
            let (to, open) = self.timeline.stride(from, stride);
            if !open || !self.compute() {
                break to;
            }
        };
        if to != from {
            self.show(to);
        } else if stride.task.is_some() {
            let text = String::new();
            self.notice = Some(Rc::new(Notice { title: t().no_more_steps.to_owned(), text, error: false }));
        }
    }

    /// Computes a slice more. False if nothing came of it.
    fn compute(&mut self) -> bool {
        let before = self.timeline.last;
        let mut engine = self.engine.borrow_mut();
        engine.run_slice(8.0);
        self.timeline = engine.timeline();
        self.debug.walked &= self.timeline.last == before;
        self.timeline.last > before
    }

    fn tick(&mut self, elapsed_ms: f64) {
        if let Some(step) = self.prepared.take() {
            let result = self.engine.borrow_mut().load_prepared();
            return self.start_prepared(result, &step);
        }
        if !self.timeline.complete && !self.halted {
            self.compute();
            if let Some(step) = self.wanted {
                self.go(step);
            }
            self.hold_to_link();
        }
        if !self.debug.walked {
            self.debug.look(&mut **self.engine.borrow_mut(), self.frame.step, 8.0);
        }
        if !self.playing {
            return;
        }
        let (_, rate) = SPEEDS[self.speed];
        let mut credit = self.credit.get() + (elapsed_ms / 1000.0).min(0.25) * rate;
        let from = self.frame.step;
        let mut to = from;
        let mut ended = false;
        let stride = Stride { grain: self.grain, reach: Reach::Into, back: false, task: self.followed_id() };
        while credit >= 1.0 && !ended {
            credit -= 1.0;
            let (next, open) = self.timeline.stride(to, stride);
            ended = next == to && !open;
            to = next;
        }
        self.credit.set(credit);
        if to != from {
            self.show(to);
        }
        if ended || (to >= self.timeline.last && self.timeline.complete) {
            self.playing = false;
        }
    }

    fn tell<T>(&mut self, result: Result<T, Notice>) -> Option<T> {
        result.map_err(|notice| self.notice = Some(Rc::new(notice))).ok()
    }

    fn apply(&mut self, command: Command) {
        if !matches!(command, Command::Tick(_) | Command::LoadJson(..) | Command::OpenLink(_) | Command::Speak(_)) {
            // The reader has left the link's step.
            self.expected = None;
        }
        match command {
            Command::Seek(step) => {
                self.jumps += 1;
                self.go(step);
            }
            Command::Scrub(step) => self.go(step),
            Command::Next => self.jump(self.grain, Reach::Into, false),
            Command::Back => self.jump(self.grain, Reach::Into, true),
            Command::Over => self.jump(self.grain, Reach::Over, false),
            Command::OverBack => self.jump(self.grain, Reach::Over, true),
            Command::Out => self.jump(self.grain, Reach::Out, false),
            Command::OutBack => self.jump(self.grain, Reach::Out, true),
            Command::NextCall => self.jump(self.grain, Reach::Call, false),
            Command::PrevCall => self.jump(self.grain, Reach::Call, true),
            Command::NextIteration => self.jump(Grain::Iteration, Reach::Into, false),
            Command::PrevIteration => self.jump(Grain::Iteration, Reach::Into, true),
            Command::RunToFrame(task, nth, back) => {
                self.jumps += 1;
                self.stride(Stride { grain: Grain::Statement, reach: Reach::OutOf(nth), back, task: Some(task) });
            }
            Command::Follow(task) => self.followed = task,
            Command::First => {
                self.jumps += 1;
                self.go(0);
            }
            Command::Last => {
                self.jumps += 1;
                self.go(if self.timeline.complete { self.timeline.last } else { u64::MAX });
            }
            Command::TogglePlay => {
                self.playing = !self.playing;
                self.credit.set(0.0);
                if self.playing && self.frame.step >= self.timeline.last && self.timeline.complete {
                    self.go(0);
                }
            }
            Command::Halt(halted) => {
                self.halted = halted;
                self.wanted = None;
            }
            Command::SetSpeed(speed) => self.speed = speed.min(SPEEDS.len() - 1),
            Command::SetGrain(grain) => self.grain = grain,
            Command::Tick(elapsed_ms) => self.tick(elapsed_ms),
            Command::LoadScenario(name) => {
                if self.load(&name, 0) {
                    self.jumps += 1;
                }
            }
            // It starts at the next tick, in a task of its own: to get it ready and to show it take a while each.
            Command::LoadJson(json, step) => match json.and_then(|json| self.engine.borrow_mut().prepare_json(&json)) {
                Ok(()) => self.prepared = Some(step),
                Err(notice) => self.start_prepared(Err(notice), &step),
            },
            Command::RunEdited(json) => {
                let result = self.prepare_and_load(&json);
                if self.started(result, 0) {
                    self.jumps += 1;
                    self.sheet = None;
                }
            }
            Command::OpenImage(name, bytes) => {
                let bytes = Rc::try_unwrap(bytes).unwrap_or_else(|shared| (*shared).clone());
                let result = self.engine.borrow_mut().open_image(&name, bytes);
                if let Some(info) = self.tell(result) {
                    self.image = Some(Rc::new(info));
                    self.notice = None;
                    self.sheet = Some(Sheet::Edit);
                }
            }
            Command::SelectFrame(task, nth) => {
                let locals = self.engine.borrow_mut().locals(self.frame.step, task, nth);
                self.outer = locals.map(|(function, rows)| Rc::new(Outer { task, nth, function, rows }));
            }
            Command::GoToRun(at) => {
                let (result, step) = (self.engine.borrow_mut().go_to_run(at), self.frame.step);
                if self.started(result, step) {
                    self.jumps += 1;
                }
            }
            Command::Export(what) => {
                let stretch = match self.debug.marks {
                    [Some(a), Some(b)] => Some((a.min(b), a.max(b))),
                    _ => None,
                };
                let result = self.engine.borrow_mut().download(self.frame.step, what, stretch);
                self.download = self.tell(result).map(Rc::new);
            }
            Command::SelectPage(page) => {
                self.page = Some(page);
                self.show(self.frame.step);
            }
            Command::OpenBlock(block) => {
                let result = self.engine.borrow_mut().block(self.frame.step, block);
                if let Some(view) = self.tell(result) {
                    self.block = Some(view);
                    self.sheet = None;
                }
            }
            Command::CloseBlock => self.block = None,
            Command::Intervene(what) => {
                let (step, page) = (self.frame.step, self.page);
                let result = self.engine.borrow_mut().intervene(step, what);
                let step = result.as_ref().map_or(step, |at| *at);
                if self.started(result.map(|_| ()), step) {
                    self.page = page;
                    self.jumps += 1;
                }
            }
            Command::OpenLink(link) => self.open(link, false),
            Command::Open(sheet) => {
                self.sheet = Some(sheet);
                self.notice = None;
            }
            Command::CloseSheet => self.sheet = None,
            Command::ShowPanel(panel) => self.panel = panel,
            Command::ToggleTheme(dark) => self.theme = if dark { Theme::Light } else { Theme::Dark },
            Command::Speak(lang) => {
                self.lang_chosen = true;
                if self.lang != lang {
                    self.lang = lang;
                    self.reword();
                }
            }
            Command::Tell(notice) => self.notice = Some(Rc::new(notice)),
            Command::DismissNotice => self.notice = None,
            Command::Debug(ask) => self.ask(ask),
        }
    }
}

/// Looks at a scenario that does not run.
#[derive(Clone)]
pub struct Looker(Rc<RefCell<Box<dyn Engine>>>);

impl PartialEq for Looker {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Looker {
    /// The digest of the whole state after `step` steps.
    #[must_use]
    pub fn digest(&self, step: u64) -> Option<u64> {
        self.0.borrow_mut().digest(step)
    }

    /// What a list says of these steps.
    #[must_use]
    pub fn lines(&self, steps: &[u64]) -> Vec<Rc<StepLine>> {
        self.0.borrow_mut().lines(steps)
    }

    /// Where a byte came from, and where else it is after `step` steps.
    #[must_use]
    pub fn trail(&self, step: u64, spot: Spot) -> Option<Rc<Trail>> {
        self.0.borrow_mut().trail(step, spot)
    }

    /// How many steps so far ended at each of these lines.
    #[must_use]
    pub fn passes(&self, stops: &Stops) -> Vec<u64> {
        self.0.borrow_mut().passes(stops)
    }

    /// Begins with a scenario, as JSON.
    ///
    /// # Errors
    /// Why there is nothing to look at.
    pub fn begin(&self, json: &str) -> Result<(), String> {
        self.0.borrow_mut().preview(json)
    }

    /// Goes on for a slice; `None` if there is more to come.
    ///
    /// # Errors
    /// As [`Looker::begin`].
    pub fn go_on(&self) -> Result<Option<FirstRound>, String> {
        self.0.borrow_mut().preview_slice(8.0)
    }
}

impl Reducible for Player {
    type Action = Command;

    fn reduce(self: Rc<Self>, command: Command) -> Rc<Self> {
        let tick = matches!(command, Command::Tick(_));
        let mut next = (*self).clone();
        if stops_playing(&command) {
            next.playing = false;
        }
        next.apply(command);
        // Most frames of a slow play change nothing: the same Rc is no redraw.
        let same = Rc::ptr_eq(&next.frame, &self.frame)
            && Rc::ptr_eq(&next.timeline, &self.timeline)
            && Rc::ptr_eq(&next.debug.rows, &self.debug.rows)
            && next.debug.walked == self.debug.walked
            && next.debug.find.as_ref().map(Rc::as_ptr) == self.debug.find.as_ref().map(Rc::as_ptr)
            && next.playing == self.playing;
        if tick && same { self } else { Rc::new(next) }
    }
}

/// A reader who steps has stopped watching.
const fn stops_playing(command: &Command) -> bool {
    matches!(
        command,
        Command::Next
            | Command::Back
            | Command::Over
            | Command::OverBack
            | Command::Out
            | Command::OutBack
            | Command::NextCall
            | Command::PrevCall
            | Command::Debug(Ask::Run | Ask::RunBack | Ask::RunTo(..) | Ask::Mark(_) | Ask::Origin(_, true))
            | Command::NextIteration
            | Command::PrevIteration
            | Command::RunToFrame(..)
            | Command::First
            | Command::Last
    )
}

/// Sends a command; in a context, so that any component can.
pub type Send = Callback<Command>;

/// The way to send commands.
///
/// # Panics
/// Outside the app's context.
#[hook]
pub fn use_send() -> Send {
    use_context::<Send>().expect("the app provides it")
}
