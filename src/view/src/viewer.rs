//! Builds the screen of a step, and the timeline, of one run.

use std::collections::BTreeMap;
use std::rc::Rc;

use ondisk::Pblk;
use ondisk::decode::{BlockKind, DecodeCtx};
use session::run::{Progress, Run};
use session::scenario::Scenario;
use world::TaskId;

use crate::find::Finder;
use crate::frame::{BlockView, Changes, Ext4, Frame, Header, Local, Narration, Notice, PageCache, Phase, Timeline};
use crate::index::Index;
use crate::moment::{Moment, number, phase_of};
use crate::motion::motion;
use crate::program::Program;
use crate::rows::device::Layout;
use crate::rows::{cache, changes, code, device, dirty, ext4, journal, tasks, user};
use crate::text::is_korean;
use crate::text::narration::narrate;
use crate::trail::{Spot, Trail, trail};
use crate::watch::Watches;

type Kinds = Option<(DecodeCtx, BTreeMap<Pblk, BlockKind>)>;

/// Looks at one run from all sides; make a new one for another run.
///
/// It seeks the machine: before the run goes on, `Run::seek_head` puts it back.
/// All it shows is a function of run and step, whatever was shown before; the
/// caches only save work.
pub struct Viewer {
    pub(crate) program: Program,
    pub(crate) index: Index,
    pub(crate) watches: Watches,
    pub(crate) finder: Finder,
    /// The scenario's own markers, by step.
    pub(crate) marks: Rc<Vec<(u64, String)>>,
    /// As the device is laid out when the recording begins.
    layout: Option<Layout>,
    frame: Rc<Frame>,
    timeline: Rc<Timeline>,
    /// What each block is, at a step.
    kinds: Option<(u32, Kinds)>,
}

impl Viewer {
    /// A viewer of a run of `scenario`; `name` is what links call it.
    #[must_use]
    pub fn new(name: &str, scenario: &Scenario, run: &Run) -> Self {
        Viewer {
            program: Program::new(name, scenario, run.buffers().to_vec()),
            index: Index::default(),
            watches: Watches::new(scenario),
            finder: Finder::default(),
            marks: Rc::default(),
            layout: None,
            frame: Rc::default(),
            timeline: Rc::default(),
            kinds: None,
        }
    }

    /// The screen after `step` probes, with `page` of the file drawn large
    /// (`None`: the one the step is about). A step past the last is the last.
    pub fn frame(&mut self, run: &Run, step: u64, page: Option<u64>) -> Rc<Frame> {
        let next = run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            let layout = self.layout.get_or_insert_with(|| {
                h.seek(w, 0);
                Layout::read(w)
            });
            let step = u32::try_from(step).unwrap_or(u32::MAX).min(h.len());
            h.seek(w, step);
            let moment = Moment::new(w, h, &self.index, &self.program, step);
            build(&moment, layout, page, &self.marks)
        });
        let next = keep(&self.frame, next);
        if *self.frame != next {
            self.frame = Rc::new(next);
        }
        Rc::clone(&self.frame)
    }

    /// The locals of one frame of a task's stack after `step` probes, counted from the innermost; and its function.
    pub fn locals(&mut self, run: &Run, step: u64, task: u32, nth: usize) -> Option<(&'static str, Vec<Rc<Local>>)> {
        run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            let step = u32::try_from(step).unwrap_or(u32::MAX).min(h.len());
            h.seek(w, step);
            tasks::locals_at(&Moment::new(w, h, &self.index, &self.program, step), world::TaskId(task), nth)
        })
    }

    /// Where a byte came from and where else it is after `step` probes; `None` if there is no such byte.
    pub fn trail(&mut self, run: &Run, step: u64, spot: Spot) -> Option<Rc<Trail>> {
        run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            let layout = self.layout.get_or_insert_with(|| {
                h.seek(w, 0);
                Layout::read(w)
            });
            let step = u32::try_from(step).unwrap_or(u32::MAX).min(h.len());
            trail(w, h, (&self.index, &self.program, layout), step, spot).map(Rc::new)
        })
    }

    /// Reads the steps recorded since the last time, so that what is asked next has less to do.
    pub fn read(&mut self, run: &Run) {
        run.machine().with_history(|w, h| self.index.extend(w, h, &self.program));
    }

    /// The run so far; the same `Rc` while nothing was added.
    pub fn timeline(&mut self, run: &Run) -> Rc<Timeline> {
        let complete = run.progress() != Progress::Running;
        let (len, percent) = run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            let (begun, ops) = (self.index.calls() as u64, self.program.ops(0).count() as u64);
            (h.len(), user::percent(w, TaskId(0), begun, ops))
        });
        if self.timeline.last != u64::from(len)
            || self.timeline.complete != complete
            || self.timeline.counters.is_empty()
        {
            let mut timeline = self.index.timeline();
            timeline.complete = complete;
            timeline.percent = percent;
            timeline.marks = Rc::clone(&self.marks);
            self.timeline = Rc::new(timeline);
        }
        Rc::clone(&self.timeline)
    }

    /// The run is complete, and these are the steps of the scenario's markers.
    pub fn set_marks(&mut self, scenario: &Scenario, steps: &[Option<u32>]) {
        let labels = scenario.markers.iter().map(|marker| marker.label.of(is_korean()).to_owned());
        let mut marks: Vec<(u64, String)> =
            steps.iter().zip(labels).filter_map(|(step, label)| Some((u64::from((*step)?), label))).collect();
        marks.sort();
        self.marks = Rc::new(marks);
        self.timeline = Rc::default();
    }

    /// What two steps are apart, leaf by leaf, as one step's changes are told.
    pub fn diff(&mut self, run: &Run, a: u64, b: u64) -> Rc<Changes> {
        run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            let [a, b] = [a.min(b), a.max(b)].map(|step| u32::try_from(step).unwrap_or(u32::MAX).min(h.len()));
            h.seek(w, a);
            let before = w.snapshot();
            h.seek(w, b);
            Rc::new(changes::changes(&Moment::new(w, h, &self.index, &self.program, b).since(a, before)))
        })
    }

    /// One block of the device as the kernel has it after `step` probes, decoded.
    ///
    /// # Errors
    /// The device has no such block.
    pub fn block(&mut self, run: &Run, step: u64, block: u64) -> Result<Rc<BlockView>, Notice> {
        run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            let step = u32::try_from(step).unwrap_or(u32::MAX).min(h.len());
            h.seek(w, step);
            if self.kinds.as_ref().is_none_or(|(at, _)| *at != step) {
                self.kinds = Some((step, device::kinds(w)));
            }
            let moment = Moment::new(w, h, &self.index, &self.program, step);
            let kinds = self.kinds.as_ref().and_then(|(_, kinds)| kinds.as_ref());
            device::block(&moment, kinds, block).map(Rc::new).ok_or_else(|| Notice {
                title: tr!("There is no block {}.", number(block)),
                text: tr!("The device ends before it."),
                error: false,
            })
        })
    }
}

fn build(m: &Moment, layout: &Layout, page: Option<u64>, marks: &[(u64, String)]) -> Frame {
    let inode = m.inode();
    let window = inode.map(|inode| cache::window(m, inode, page));
    let both = inode.zip(window);
    let mut frame = Frame {
        step: u64::from(m.step),
        header: Rc::new(header(m)),
        narration: Rc::new(narration(m, marks)),
        code: Rc::new(code::code(m)),
        source: code::source(m),
        kernel: code::kernel(m),
        locals: tasks::locals(m),
        tasks: tasks::tasks(m),
        user: Rc::new(user::user(m)),
        copy: user::copy(m, window.map(|window| window.selected)).map(Rc::new),
        cache: Rc::new(both.map_or_else(PageCache::default, |(inode, window)| cache::cache(m, inode, window))),
        ext4: Rc::new(both.map_or_else(Ext4::default, |(inode, window)| ext4::ext4(m, inode, window))),
        disk: Rc::new(device::disk(m, layout, inode)),
        journal: Rc::new(journal::journal(m, layout)),
        dirty: Rc::new(dirty::dirty(m)),
        changes: Rc::new(changes::changes(m)),
        notice: None,
        motion: None,
    };
    frame.motion = motion(m, inode, &frame);
    frame
}

fn header(m: &Moment) -> Header {
    let info = m.index.info(m.step);
    let call = if m.step == 0 { String::new() } else { m.program.call_text(info.task, info.syscall) };
    Header { scenario: m.program.name.clone(), title: m.program.title.clone(), call }
}

fn narration(m: &Moment, marks: &[(u64, String)]) -> Narration {
    let phase = if m.step == 0 { Phase::None } else { phase_of(&m.stack, m.probe()) };
    let (what, why) = narrate(m);
    let here = marks.iter().filter(|(step, _)| *step == u64::from(m.step)).map(|(_, label)| label.as_str());
    Narration {
        phase, crumb: crumb(m.index, m.program, m.step), what, why, mark: here.collect::<Vec<_>>().join(" · ")
    }
}

/// Call, iteration and try of a step: `pwritev #1 · iteration 1 · try 2`.
pub(crate) fn crumb(index: &Index, program: &Program, step: u32) -> String {
    let info = index.info(step);
    let mut crumb = Vec::new();
    if step > 0 {
        let name = program.call_name(info.task, info.syscall);
        crumb.extend((!name.is_empty()).then_some(name));
        if info.iteration > 0 {
            crumb.push(tr!("iteration {}", info.iteration));
            crumb.push(tr!("try {}", info.retry.max(1)));
        }
    }
    crumb.join(" · ")
}

/// Takes from `old` every shared row that is equal in `new`.
pub(crate) fn keep(old: &Frame, mut new: Frame) -> Frame {
    fn one<T: PartialEq>(old: &Rc<T>, new: &mut Rc<T>) {
        if old == new {
            *new = Rc::clone(old);
        }
    }
    fn maybe<T: PartialEq>(old: &Option<Rc<T>>, new: &mut Option<Rc<T>>) {
        if let (Some(old), Some(new)) = (old, new) {
            one(old, new);
        }
    }
    fn all<T: PartialEq>(old: &[Rc<T>], new: &mut [Rc<T>]) {
        for (old, new) in old.iter().zip(new) {
            one(old, new);
        }
    }
    /// Rows inside a row that differs keep theirs too.
    macro_rules! inside {
        ($part:ident, $($list:ident),*) => {
            one(&old.$part, &mut new.$part);
            if !Rc::ptr_eq(&old.$part, &new.$part) && let Some(part) = Rc::get_mut(&mut new.$part) {
                $( all(&old.$part.$list, &mut part.$list); )*
            }
        };
    }
    one(&old.header, &mut new.header);
    one(&old.narration, &mut new.narration);
    inside!(code, lines);
    maybe(&old.source, &mut new.source);
    all(&old.locals, &mut new.locals);
    all(&old.tasks, &mut new.tasks);
    inside!(user, segments, residency);
    maybe(&old.copy, &mut new.copy);
    inside!(cache, pages);
    if let Some(cache) = Rc::get_mut(&mut new.cache) {
        one(&old.cache.runs, &mut cache.runs);
        maybe(&old.cache.selected, &mut cache.selected);
        if let (Some(old), Some(page)) = (&old.cache.selected, cache.selected.as_mut().and_then(Rc::get_mut)) {
            all(&old.buffers, &mut page.buffers);
            all(&old.strip, &mut page.strip);
        }
    }
    inside!(ext4, extents);
    inside!(disk, regions, bios);
    one(&old.journal, &mut new.journal);
    one(&old.dirty, &mut new.dirty);
    inside!(changes, rows);
    maybe(&old.notice, &mut new.notice);
    new
}
