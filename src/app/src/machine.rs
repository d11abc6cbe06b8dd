//! The page's [`Engine`]: a session and a viewer of its run.

use std::rc::Rc;

use js_sys::Date;
use session::expr::{Completion, ExprError};
use session::run::{Inspection, Progress, RunError, inspect};
use session::scenario::{
    Act, Buffer, BufferKind, Fill, Image, Mkfs, Op, ProbeAt, Scenario, Segment, Upload, emit, parse,
};
use session::{Session, library};
use view::Viewer;
use view::frame::{BlockView, Changes, Frame, Notice, Timeline};
use view::text::{is_korean, message, refusal};
use view::watch::{WatchRow, Write};

use crate::engine::{
    Download, Engine, ImageInfo, Intervention, OwnImage, OwnWrite, ScenarioInfo, ScenarioRef, WriteCall,
};
use crate::t;

/// Steps recorded between two looks at the clock.
const BATCH: u32 = 2000;

/// The engine, with nothing loaded yet.
#[must_use]
pub fn engine() -> Box<dyn Engine> {
    Box::new(Engined { loaded: None, image: None })
}

struct Engined {
    loaded: Option<Loaded>,
    /// The image taken last.
    image: Option<Taken>,
}

struct Loaded {
    session: Session,
    viewer: Viewer,
    /// Its name in the library; `None` once it is its own.
    name: Option<String>,
}

#[derive(Clone)]
struct Taken {
    upload: Upload,
    bytes: Rc<Vec<u8>>,
}

fn refused(reason: &str) -> Notice {
    Notice { title: reason.to_owned(), text: t().intact.to_owned(), error: true }
}

impl Engined {
    fn start(&mut self, scenario: Scenario, name: Option<String>) -> Result<(), Notice> {
        let image = match &scenario.image {
            Image::Upload(wanted) => Some(self.uploaded(wanted)?),
            Image::Mkfs(_) => None,
        };
        let session = Session::open(scenario, image).map_err(|error| refused(&sentence(&error)))?;
        let shown = name.clone().unwrap_or_else(|| t().own_scenario.to_owned());
        let viewer = Viewer::new(&shown, session.scenario(), session.run());
        self.loaded = Some(Loaded { session, viewer, name });
        Ok(())
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
        let mut all = Vec::new();
        for group in library::groups() {
            all.extend(group.scenarios.into_iter().map(|entry| ScenarioInfo {
                name: entry.name,
                title: entry.title.of(is_korean()).to_owned(),
                question: entry.question.of(is_korean()).to_owned(),
                group: group.question.of(is_korean()).to_owned(),
                recorded: entry.golden.is_some(),
            }));
        }
        all
    }

    fn load(&mut self, name: &str) -> Result<(), Notice> {
        let bare = name.split('@').next().unwrap_or(name);
        let scenario = library::scenario(bare).ok_or_else(|| refused(&format!("{} {bare}.", t().no_scenario)))?;
        self.start(scenario, Some(bare.to_owned()))
    }

    fn load_json(&mut self, json: &str) -> Result<(), Notice> {
        let parsed = parse(json).map_err(|error| refused(&refusal(&error)))?;
        self.start(parsed.scenario, None)
    }

    fn run_own(&mut self, form: &OwnWrite) -> Result<(), Notice> {
        let scenario = own_scenario(form, self.image.as_ref().map(|taken| &taken.upload))?;
        scenario.check().map_err(|error| refused(&refusal(&error)))?;
        self.start(scenario, None)
    }

    fn open_image(&mut self, name: &str, bytes: Vec<u8>) -> Result<ImageInfo, Notice> {
        let inspection = inspect(&bytes).map_err(|error| refused(&sentence(&error)))?;
        let upload = Upload { name: name.to_owned(), sha256: session::digest::sha256_hex(&bytes) };
        self.image = Some(Taken { upload, bytes: Rc::new(bytes) });
        Ok(ImageInfo { name: name.to_owned(), text: image_text(&inspection), files: inspection.files })
    }

    fn reword(&mut self) {
        if let Some(loaded) = &mut self.loaded {
            let name = loaded.name.as_deref().unwrap_or(t().own_scenario);
            loaded.viewer = Viewer::new(name, loaded.session.scenario(), loaded.session.run());
        }
    }

    fn scenario_ref(&self) -> ScenarioRef {
        match &self.loaded {
            Some(Loaded { name: Some(name), .. }) => ScenarioRef::Library(name.clone()),
            Some(loaded) => ScenarioRef::Json(emit(loaded.session.scenario())),
            None => ScenarioRef::Library(String::new()),
        }
    }

    fn run_slice(&mut self, budget_ms: f64) {
        let Some(loaded) = &mut self.loaded else {
            return;
        };
        let end = Date::now() + budget_ms;
        while loaded.session.extend(BATCH) == Progress::Running && Date::now() < end {}
    }

    fn frame(&mut self, step: u64, page: Option<u64>) -> Rc<Frame> {
        match &mut self.loaded {
            Some(loaded) => loaded.viewer.frame(loaded.session.run(), step, page),
            None => Rc::default(),
        }
    }

    fn timeline(&mut self) -> Rc<Timeline> {
        match &mut self.loaded {
            Some(loaded) => loaded.viewer.timeline(loaded.session.run()),
            None => Rc::default(),
        }
    }

    fn block(&mut self, step: u64, block: u64) -> Result<Rc<BlockView>, Notice> {
        let loaded = self.loaded()?;
        loaded.viewer.block(loaded.session.run(), step, block)
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
            if hit.is_some() || !forward || texts.is_empty() || session.extend(BATCH * 10) != Progress::Running {
                return hit.or_else(|| viewer.hit(session.run(), texts, step, forward));
            }
        }
    }

    fn writes(&mut self, path: &str) -> Result<Vec<Write>, ExprError> {
        match &mut self.loaded {
            Some(Loaded { session, viewer, .. }) => viewer.writes(session.run(), path),
            None => Ok(Vec::new()),
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

    fn intervene(&mut self, step: u64, what: Intervention) -> Result<(), Notice> {
        let loaded = self.loaded()?;
        let step = u32::try_from(step).map_err(|_| refused(t().no_step))?;
        let act = match what {
            Intervention::EvictSource => evict(&loaded.session, step)?,
            Intervention::Sigkill => Act::Sigkill { task: loaded.session.scenario().tasks[0].name.clone() },
        };
        loaded.session.intervene(step, act).map_err(|error| refused(&message(&error.to_string())))?;
        loaded.name = None;
        loaded.viewer = Viewer::new(t().own_scenario, loaded.session.scenario(), loaded.session.run());
        Ok(())
    }

    fn download(&mut self, step: u64) -> Result<Download, Notice> {
        let loaded = self.loaded()?;
        let step = u32::try_from(step).map_err(|_| refused(t().no_step))?.min(loaded.session.run().len());
        let name = loaded.name.as_deref().unwrap_or("writepath");
        Ok(Download { name: format!("{name}-{step}.img"), bytes: loaded.session.image_at(step) })
    }
}

/// Drops the source page that the iterator stands at.
fn evict(session: &Session, step: u32) -> Result<Act, Notice> {
    let (buf, off) = session.source_at(step).ok_or_else(|| refused(t().no_call_source))?;
    let page = off / 4096 * 4096;
    Ok(Act::Evict { buf, off: page, len: 4096 })
}

fn image_text(found: &Inspection) -> String {
    format!("{} KiB, {} {} B, {}", found.size_bytes / 1024, t().blocks_of, found.block_size, found.features.join(" "))
}

/// The form as a scenario: open, write, and, if wanted, close; exit, sync and
/// unmount follow every program.
fn own_scenario(form: &OwnWrite, taken: Option<&Upload>) -> Result<Scenario, Notice> {
    let mut scenario = Scenario::new(t().own_scenario, 16);
    scenario.image = match &form.image {
        OwnImage::Fresh { size_kib, block_size } => {
            let size_mib = u32::try_from(size_kib.div_ceil(1024)).unwrap_or(u32::MAX);
            Image::Mkfs(Mkfs { size_mib, block_size: *block_size, ..Mkfs::default() })
        }
        OwnImage::Uploaded => Image::Upload(taken.cloned().ok_or_else(|| refused(t().no_image))?),
    };
    let len = form.bytes.len() as u64;
    let fill = match std::str::from_utf8(&form.bytes) {
        Ok(text) => Fill::Text(text.to_owned()),
        Err(_) => Fill::Hex(form.bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    };
    scenario.buffers = vec![Buffer { name: "b".to_owned(), kind: BufferKind::Anon, len: len.max(1), fill }];
    let mut flags = vec!["RDWR"];
    let wanted = [(form.flags.create, "CREAT"), (form.flags.append, "APPEND"), (form.flags.truncate, "TRUNC")];
    flags.extend(wanted.iter().filter(|(set, _)| *set).map(|(_, name)| *name));
    let whole = || vec![Segment { buf: "b".to_owned(), off: 0, len }];
    let mut at = 0;
    let mut split = || {
        form.segments
            .iter()
            .map(|&len| {
                at += len;
                Segment { buf: "b".to_owned(), off: at - len, len }
            })
            .collect::<Vec<_>>()
    };
    let fd = || "f".to_owned();
    let call = match form.call {
        WriteCall::Write => Op::Write { fd: fd(), iov: whole() },
        WriteCall::Pwrite => Op::Pwrite { fd: fd(), off: form.offset, iov: whole() },
        WriteCall::Writev => Op::Writev { fd: fd(), iov: if form.segments.is_empty() { whole() } else { split() } },
        WriteCall::Pwritev => {
            Op::Pwritev { fd: fd(), off: form.offset, iov: if form.segments.is_empty() { whole() } else { split() } }
        }
    };
    let open = Op::Open { fd: fd(), path: form.file.clone(), flags: flags.join(","), mode: None };
    scenario.tasks[0].ops = vec![open, call, Op::Close { fd: fd() }];
    Ok(scenario)
}
