//! What the run as a whole is known to have done, gathered once per step.
//!
//! One pass over the recorded steps, continued as more are recorded: where each
//! step belongs (call, round, phase), the timeline's slices and events, and
//! where the bytes of pages came from. All of it is read off the World and its
//! history; nothing here knows a rule of the kernel.

use std::collections::BTreeMap;
use std::rc::Rc;

use kernel::mm::backing_dev::flusher;
use kernel::site::{self, ProbeSite};
use world::{
    BhFlags, BhId, BioId, Change, ContentId, Counter, History, InodeId, IovIter, IterId, PAGE_SIZE, Page, PageFlags,
    PageId, StepHeader, TaskId, TaskState, WaitOn, WordId, World,
};

use crate::frame::{self, Event, EventKind, Lane, LaneSpan, Phase, Slice, Timeline};
use crate::moment::{Call, function_of, local, net_changes, phase_of, sleep_name, stack_of, task_name};
use crate::program::Program;
use crate::rows::dirty::work_name;
use crate::rows::ext4::block_size;
use crate::text::word;

/// Where a step belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepInfo {
    /// The task whose call it belongs to: its own, or that of the call it interrupts.
    pub task: u32,
    /// The call's number, from 1; 0 outside.
    pub syscall: u16,
    /// Round of the write loop, from 1; 0 outside.
    pub iteration: u32,
    /// Try of the round, from 1.
    pub retry: u16,
    /// Phase of the step itself.
    pub phase: Phase,
    /// The value the step's statement gave, if its function keeps it in a local.
    pub value: Option<(u8, u64)>,
}

/// Where a run of bytes of a page came from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// The page was made: nothing in it means anything yet.
    Fresh,
    /// Copied from user memory.
    Copy {
        /// Address of the first byte.
        address: u64,
        /// The step that refused the copy; `u32::MAX` if none did.
        refused: u32,
    },
    /// Filled with zeros.
    Zero,
    /// Read from the device.
    Disk {
        /// The block, if a buffer head names it.
        block: Option<u64>,
    },
    /// Changed by the kernel's own hand, in a step that ended at this site.
    Kernel(u16),
}

/// One change of a page's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// The step.
    pub step: u32,
    /// First byte.
    pub from: u16,
    /// One past the last byte.
    pub to: u16,
    /// Where the bytes came from.
    pub origin: Origin,
}

/// A mapping's page that was taken away.
#[derive(Clone, Copy, Debug)]
pub struct Unmapped {
    /// The step.
    pub step: u32,
    /// Who did it; `TaskId::NONE` for something outside.
    pub task: TaskId,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Place {
    task: u32,
    syscall: u16,
    iteration: u32,
    retry: u16,
}

#[derive(Clone, Debug, Default)]
struct TaskTrack {
    /// State, and what it sleeps on until when.
    key: Option<(frame::TaskState, WaitOn, u64)>,
    text: String,
    since: u64,
    /// What the flusher works at, or did last.
    work: &'static str,
}

/// Bytes that a call has copied into a page.
#[derive(Clone, Copy, Debug)]
struct Copied {
    step: u32,
    task: u32,
    page: PageId,
    content: ContentId,
    /// The step at which they were refused; `u32::MAX` if they were not.
    refused: u32,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Index {
    infos: Vec<StepInfo>,
    marks: BTreeMap<u32, Vec<Mark>>,
    /// In order.
    copies: Vec<Copied>,
    /// Copies of a task's try, until the next try: the place of each, and that in the marks of its content.
    tries: BTreeMap<u32, Vec<(usize, usize)>>,
    owners: BTreeMap<u32, PageId>,
    inodes: Vec<(u32, InodeId)>,
    focus: Vec<(u32, InodeId, u32)>,
    unmapped: BTreeMap<(u8, u64), Vec<Unmapped>>,
    /// Steps at which requests were submitted, by their place in the arena.
    flying: BTreeMap<u32, Vec<u32>>,
    /// Writes of each 4096 bytes of the device: the step, and when their request was submitted.
    landed: BTreeMap<u32, Vec<(u32, u32)>>,
    timeline: Timeline,
    depth: Vec<u8>,
    last: (Place, Phase),
    tracks: Vec<TaskTrack>,
    counters: [u64; 3],
    stacks: BTreeMap<u32, Rc<[Call]>>,
    started: bool,
}

/// The curves of the timeline.
const CURVES: [(&str, Counter); 3] =
    [("dirty", Counter::FileDirty), ("reserved", Counter::DirtyClusters), ("writeback", Counter::Writeback)];

impl Index {
    /// Steps gathered so far.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.infos.len()).unwrap_or(u32::MAX)
    }

    /// Where a step belongs; nowhere for step 0.
    #[must_use]
    pub fn info(&self, step: u32) -> StepInfo {
        step.checked_sub(1).and_then(|last| self.infos.get(last as usize)).copied().unwrap_or_default()
    }

    /// The bytes that a step of the copy had copied so far.
    #[must_use]
    pub fn copied(&self, step: u32) -> Option<u64> {
        self.info(step).value.map(|(_, value)| value)
    }

    /// Changes of a content's bytes up to a step, oldest first.
    #[must_use]
    pub fn marks(&self, content: ContentId, step: u32) -> &[Mark] {
        let all = self.marks.get(&content.0).map_or(&[][..], Vec::as_slice);
        &all[..all.partition_point(|mark| mark.step <= step)]
    }

    /// The first step of the call that a step belongs to.
    #[must_use]
    pub fn call_start(&self, step: u32) -> u32 {
        let calls = &self.timeline.calls;
        let at = calls.partition_point(|slice| slice.from <= u64::from(step));
        let start = at.checked_sub(1).map_or(0, |at| calls[at].from);
        u32::try_from(start).unwrap_or(u32::MAX)
    }

    /// Pages that the call of a step has copied into, with what was theirs, and that were not refused since. One may
    /// come more than once.
    pub fn copied_in_call(&self, step: u32) -> impl Iterator<Item = (PageId, ContentId)> {
        let (start, task) = (self.call_start(step), self.info(step).task);
        let from = self.copies.partition_point(|copy| copy.step < start);
        let copies = self.copies[from..].iter().take_while(move |copy| copy.step <= step);
        copies.filter(move |copy| copy.task == task && copy.refused > step).map(|copy| (copy.page, copy.content))
    }

    /// The inode written at a step, or last before it.
    #[must_use]
    pub fn inode_at(&self, step: u32) -> Option<InodeId> {
        let at = self.inodes.partition_point(|(from, _)| *from <= step);
        at.checked_sub(1).or(if self.inodes.is_empty() { None } else { Some(0) }).map(|at| self.inodes[at].1)
    }

    /// The page of an inode that a step, or the last one before it, is about.
    #[must_use]
    pub fn page_at(&self, step: u32, inode: InodeId) -> Option<u32> {
        let at = self.focus.partition_point(|(from, ..)| *from <= step);
        let before = self.focus[..at].iter().rev().find(|focus| focus.1 == inode);
        before.or_else(|| self.focus[at..].iter().find(|focus| focus.1 == inode)).map(|focus| focus.2)
    }

    /// Who took a page of user memory away last, up to a step.
    #[must_use]
    pub fn unmapped(&self, process: u8, page: u64, step: u32) -> Option<Unmapped> {
        self.unmapped.get(&(process, page))?.iter().rev().find(|event| event.step <= step).copied()
    }

    /// When the request was submitted that last wrote these 4096 bytes of the device, up to a step.
    #[must_use]
    pub fn landed(&self, unit: u32, step: u32) -> Option<u32> {
        self.landed.get(&unit)?.iter().rev().find(|landed| landed.0 <= step).map(|landed| landed.1)
    }

    /// When a request that is under way at a step was submitted.
    #[must_use]
    pub fn submitted(&self, bio: BioId, step: u32) -> Option<u32> {
        self.flying.get(&bio.0)?.iter().rev().find(|at| **at <= step).copied()
    }

    /// What happened at a step.
    pub fn events_at(&self, step: u32) -> impl Iterator<Item = &Event> {
        let at = move |events: &'_ [Event]| -> std::ops::Range<usize> {
            let step = u64::from(step);
            events.partition_point(|event| event.step < step)..events.partition_point(|event| event.step <= step)
        };
        let (events, ends) = (&self.timeline.events, &self.timeline.ends);
        events[at(events)].iter().chain(&ends[at(ends)])
    }

    /// Names of the tasks, by their numbers.
    #[must_use]
    pub fn task(&self, id: u32) -> &str {
        self.timeline.lanes.get(id as usize).map_or("", |lane| &lane.name)
    }

    /// The steps of the timeline so far.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        let mut timeline = self.timeline.clone();
        timeline.last = u64::from(self.len());
        timeline.depth = Rc::new(self.depth.clone());
        for (lane, track) in timeline.lanes.iter_mut().zip(&self.tracks) {
            push_span(lane, track, u64::from(self.len()) + 1);
        }
        timeline
    }

    /// System calls that have begun.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.timeline.calls.len()
    }

    /// Reads the steps recorded since the last time. The World is left at the head.
    pub fn extend(&mut self, w: &mut World, h: &mut History, program: &Program) {
        if !self.started {
            self.started = true;
            h.seek(w, 0);
            self.start(w);
        }
        let (from, to) = (self.len(), h.len());
        if from == to {
            return;
        }
        self.infos.reserve((to - from) as usize);
        for step in from + 1..=to {
            h.seek(w, step);
            let header = h.steps[step as usize - 1];
            self.step(w, h, program, step, header);
        }
    }

    fn start(&mut self, w: &World) {
        for (id, page) in w.pages.iter() {
            self.owners.insert(page.content.0, id);
        }
        for (n, (name, counter)) in CURVES.into_iter().enumerate() {
            let value = w.counter(counter);
            self.counters[n] = value;
            self.timeline.counters.push(frame::Counter { name: word(name).to_owned(), points: vec![(0, value)] });
        }
    }

    fn stack(&mut self, h: &History, frame: u32) -> Rc<[Call]> {
        Rc::clone(self.stacks.entry(frame).or_insert_with(|| stack_of(h, frame).into()))
    }

    fn step(&mut self, w: &World, h: &History, program: &Program, step: u32, header: StepHeader) {
        let stack = self.stack(h, header.frame());
        let probe = site::probe(header.site);
        let changes = net_changes(w, step - 1);
        let task = header.task();
        let seen = Step { w, program, step, header, stack: &stack, probe, changes: &changes, task };
        self.belongs(&seen);
        self.bytes(&seen);
        self.focus_of(&seen);
        self.memory(&seen);
        self.device(&seen);
        self.lanes(&seen);
        self.events(&seen);
        for (n, (_, counter)) in CURVES.into_iter().enumerate() {
            let value = w.counter(counter);
            if self.counters[n] != value {
                self.counters[n] = value;
                self.timeline.counters[n].points.push((u64::from(step), value));
            }
        }
    }

    /// Call, round, phase and depth.
    fn belongs(&mut self, s: &Step) {
        let run = s.task.and_then(|task| s.w.runs.get(task)).copied().unwrap_or_default();
        let looped = s.stack.iter().any(|call| call.function.id == site::GENERIC_PERFORM_WRITE.id);
        let own = s.task.filter(|_| run.syscall > 0 || looped);
        let phase = phase_of(s.stack, s.probe);
        let (place, slice_phase) = match own {
            Some(task) => {
                (Place { task: task.0, syscall: run.syscall, iteration: run.iteration, retry: run.retry }, phase)
            }
            None => self.last,
        };
        self.depth.push(u8::try_from(s.stack.len()).unwrap_or(u8::MAX));
        let value = s.probe.and_then(|probe| s.value(probe));
        self.infos.push(StepInfo {
            task: place.task,
            syscall: place.syscall,
            iteration: place.iteration,
            retry: place.retry,
            phase,
            value,
        });
        let at = frame::Place {
            by: s.task.map(|task| task.0),
            own: own.is_some(),
            task: place.task,
            syscall: place.syscall,
            iteration: place.iteration,
            retry: place.retry,
            phase,
        };
        if self.timeline.places.last().is_none_or(|(_, last)| *last != at) {
            self.timeline.places.push((s.step.into(), at));
        }
        self.slices(s, place, slice_phase);
        self.last = (place, slice_phase);
    }

    fn slices(&mut self, s: &Step, place: Place, phase: Phase) {
        let (step, before) = (u64::from(s.step), self.last);
        let first = s.step == 1;
        let call = (place.task, place.syscall);
        let same_call = !first && call == (before.0.task, before.0.syscall);
        if place.syscall > 0 || s.stack.len() > 1 {
            grow(&mut self.timeline.calls, same_call, step, Phase::None, || {
                let name = s.program.call_name(place.task, place.syscall);
                if name.is_empty() { task_name(s.w, TaskId(place.task)) } else { name }
            });
        }
        let same_round = same_call && (place.iteration, place.retry) == (before.0.iteration, before.0.retry);
        if place.iteration > 0 {
            if !same_round && let Err(at) = self.timeline.looped.binary_search(&call) {
                self.timeline.looped.insert(at, call);
            }
            grow(&mut self.timeline.rounds, same_round, step, Phase::None, || match place.retry {
                0 | 1 => tr!("iteration {}", place.iteration),
                retry => tr!("iteration {}, try {}", place.iteration, retry),
            });
        }
        if phase != Phase::None {
            let same = same_round && phase == before.1;
            grow(&mut self.timeline.phases, same, step, phase, || phase.name().to_owned());
        }
    }

    /// Where bytes of pages came from.
    fn bytes(&mut self, s: &Step) {
        for change in s.changes {
            let Change::pages(id, old) = change else { continue };
            let page = s.w.pages.at(*id);
            let present = page.flags.contains(PageFlags::PRESENT);
            if present && (!old.flags.contains(PageFlags::PRESENT) || old.content != page.content) {
                self.owners.insert(page.content.0, *id);
                self.mark(page.content, Mark { step: s.step, from: 0, to: 4096, origin: Origin::Fresh });
            } else if !present {
                self.owners.remove(&old.content.0);
            }
        }
        if s.is(&[site::GPW_FAULT_IN])
            && let Some(task) = s.task
        {
            self.tries.remove(&task.0);
        }
        let read = s.grew(Counter::DeviceBytesRead);
        // Newest first in the changes: oldest first in the marks.
        for change in s.changes.iter().rev() {
            let Change::contents(content, off, len) = *change else { continue };
            let Some(&owner) = self.owners.get(&content.0) else { continue };
            let Some(page) = s.w.pages.get(owner) else { continue };
            if len == 0 || page.content != content || self.fresh_now(s, content, len) {
                continue;
            }
            let bytes = &s.w.contents.get(content)[usize::from(off)..usize::from(off) + usize::from(len)];
            let origin = if s.is(&[site::CP_SEGMENT, site::CP_SHORT]) {
                Origin::Copy { address: s.source(u64::from(off)), refused: u32::MAX }
            } else if read > 0 {
                Origin::Disk { block: block_of(s.w, page, off) }
            } else if bytes.iter().all(|&byte| byte == 0) {
                Origin::Zero
            } else {
                Origin::Kernel(s.header.site)
            };
            let at = self.mark(content, Mark { step: s.step, from: off, to: off + len, origin });
            if let (Origin::Copy { .. }, Some(task)) = (origin, s.task) {
                self.tries.entry(task.0).or_default().push((self.copies.len(), at));
                self.copies.push(Copied { step: s.step, task: task.0, page: owner, content, refused: u32::MAX });
            }
        }
        let dropped = s.is(&[site::BWE_DROP]) || (s.is(&[site::WE_BLOCK]) && s.near("copied") == Some(0));
        if let Some(task) = s.task.filter(|_| dropped) {
            for (copy, at) in self.tries.remove(&task.0).unwrap_or_default() {
                let Some(copied) = self.copies.get_mut(copy) else { continue };
                copied.refused = s.step;
                if let Some(mark) = self.marks.get_mut(&copied.content.0).and_then(|marks| marks.get_mut(at))
                    && let Origin::Copy { refused, .. } = &mut mark.origin
                {
                    *refused = s.step;
                }
            }
        }
    }

    /// True if a change of all bytes is the page's own making.
    fn fresh_now(&self, s: &Step, content: ContentId, len: u16) -> bool {
        let last = self.marks.get(&content.0).and_then(|marks| marks.last());
        len == 4096
            && last.is_some_and(|mark| mark.step == s.step && mark.origin == Origin::Fresh)
            && s.w.contents.get(content).iter().all(|&byte| byte == 0)
    }

    fn mark(&mut self, content: ContentId, mark: Mark) -> usize {
        let marks = self.marks.entry(content.0).or_default();
        marks.push(mark);
        marks.len() - 1
    }

    /// Which file and page the step is about.
    fn focus_of(&mut self, s: &Step) {
        let fdget = [site::KW_FDGET, site::KPW_FDGET, site::DWV_FDGET, site::DPWV_FDGET];
        if s.is(&fdget)
            && let (Some(task), Some(fd)) = (s.task, s.near("fd"))
        {
            let process = s.w.tasks.at(task).process;
            let file = u32::try_from(fd).ok().and_then(|fd| s.w.fds.get((process, fd)));
            let inode = file.and_then(|file| s.w.files.get(file)).map(|file| file.inode);
            if let Some(inode) = inode.filter(|id| id.is_some())
                && self.inodes.last().is_none_or(|last| last.1 != inode)
            {
                self.inodes.push((s.step, inode));
            }
        }
        let looped = s.stack.iter().find(|call| call.function.id == site::GENERIC_PERFORM_WRITE.id);
        let focus = match (looped, s.task, self.inodes.last()) {
            (Some(&call), Some(task), Some(&(_, inode))) => {
                local(s.w, task, call, "pos").map(|pos| (inode, u32::try_from(pos / PAGE_SIZE).unwrap_or(0)))
            }
            _ => s.changes.iter().rev().find_map(|change| match change {
                Change::pages(id, _) => {
                    let page = s.w.pages.at(*id);
                    (page.mapping.is_some() && page.mapping.0 > InodeId::BUDDY.0).then_some((page.mapping, page.index))
                }
                _ => None,
            }),
        };
        if let Some((inode, index)) = focus
            && self.focus.last().is_none_or(|last| (last.1, last.2) != (inode, index))
        {
            self.focus.push((s.step, inode, index));
        }
    }

    /// Pages of user memory that went away.
    fn memory(&mut self, s: &Step) {
        for change in s.changes {
            if let Change::ptes(key, Some(_)) = change
                && s.w.ptes.get(*key).is_none()
            {
                let task = s.task.unwrap_or(TaskId::NONE);
                self.unmapped.entry(*key).or_default().push(Unmapped { step: s.step, task });
            }
        }
    }

    /// Bytes on their way to the device, and there.
    fn device(&mut self, s: &Step) {
        let mut ended = Vec::new();
        for change in s.changes {
            let Change::bios(id, old) = *change else { continue };
            if old.used && old.write {
                ended.push((old.sector * 512, u64::from(old.len), self.submitted(id, s.step - 1)));
            }
            if s.w.bios.at(id).used {
                self.flying.entry(id.0).or_default().push(s.step);
            }
        }
        for change in s.changes {
            let Change::device(unit, _) = change else { continue };
            let (from, to) = (u64::from(unit.0) * PAGE_SIZE, u64::from(unit.0 + 1) * PAGE_SIZE);
            let of = ended.iter().find(|(at, len, _)| *at < to && at + len > from);
            // A device without latency has them in the step of the submission.
            let sent = of.and_then(|ended| ended.2).unwrap_or(s.step);
            self.landed.entry(unit.0).or_default().push((s.step, sent));
        }
    }

    fn lanes(&mut self, s: &Step) {
        for n in 0..s.w.tasks.len() {
            let id = TaskId(u32::try_from(n).unwrap_or(u32::MAX));
            if n >= self.tracks.len() {
                self.tracks.push(TaskTrack::default());
                self.timeline.lanes.push(Lane { id: id.0, ..Lane::default() });
            }
            // A thread that a program starts later has no name and no process before.
            let (lane, kernel) = (&mut self.timeline.lanes[n], s.w.tasks.at(id).process == 0);
            if lane.name.is_empty() || lane.kernel != kernel {
                (lane.name, lane.kernel) = (task_name(s.w, id), kernel);
            }
            let state = task_state(s.w, id, s.task);
            let now = u64::from(s.step);
            // A thread of the kernel that has nothing to do sleeps too: its timer is told.
            let waits = s.w.tasks.at(id);
            let timer = if waits.wait == WaitOn::Flusher { flusher(s.w).timer.0 } else { waits.wake_at };
            let key = Some((state, waits.wait, timer));
            if self.tracks[n].key != key {
                let text = match state {
                    frame::TaskState::Sleeping => sleep_name(s.w, id),
                    frame::TaskState::Idle if timer > 0 => sleep_name(s.w, id),
                    frame::TaskState::Running
                        if s.stack.iter().any(|call| call.function.id == site::WB_WRITEBACK.id) =>
                    {
                        self.tracks[n].work.to_owned()
                    }
                    frame::TaskState::Running if s.w.runs.at(id).syscall == 0 => {
                        s.probe.map_or_else(String::new, |probe| probe.function.name.to_owned())
                    }
                    _ => String::new(),
                };
                push_span(&mut self.timeline.lanes[n], &self.tracks[n], now);
                self.tracks[n] = TaskTrack { key, text, since: now, work: self.tracks[n].work };
            }
            if state == frame::TaskState::Running && s.is(&[site::WDW_WORK, site::WDW_START_ALL, site::WDW_OLD_DATA]) {
                self.tracks[n].work = work_name(s.near("reason").unwrap_or(0));
                self.tracks[n].text = self.tracks[n].work.to_owned();
            } else if state == frame::TaskState::Running && s.is(&[site::WDW_BACKGROUND]) && s.near("over") == Some(1) {
                self.tracks[n].work = work_name(0);
                self.tracks[n].text = self.tracks[n].work.to_owned();
            }
        }
    }

    fn events(&mut self, s: &Step) {
        let mut event = |kind, text| self.timeline.events.push(Event { step: u64::from(s.step), kind, text });
        if s.is(&[site::FI_FAULT]) {
            event(EventKind::Fault, tr!("{}, mapped", s.program.address(s.w, s.near("address").unwrap_or(0))));
        }
        if s.is(&[site::CP_SHORT]) {
            let at = s.near("offset").unwrap_or(0) + s.near("copied").unwrap_or(0);
            event(EventKind::Fault, tr!("{}, refused", s.program.address(s.w, s.source(at))));
        }
        if s.is(&[site::GPW_EXIT]) && s.near("status") == Some((-14i64).cast_unsigned()) {
            event(EventKind::Fault, "EFAULT".to_owned());
        }
        if s.is(&[site::INTERVENE]) {
            let gone = s.changes.iter().rev().find_map(|change| match change {
                Change::ptes((_, page), Some(_)) => Some(s.program.address(s.w, page * PAGE_SIZE)),
                _ => None,
            });
            let text = gone.map_or_else(|| tr!("from outside"), |at| tr!("{} evicted", at));
            event(EventKind::Intervention, text);
        }
        let (mut read, mut written) = (Vec::new(), Vec::new());
        let block_size = block_size(s.w);
        for change in s.changes {
            match change {
                Change::bhs(id, old) => {
                    let head = s.w.bhs.at(*id);
                    let arrived = head.flags.contains(BhFlags::UPTODATE | BhFlags::MAPPED)
                        && !old.flags.contains(BhFlags::UPTODATE);
                    if arrived && s.grew(Counter::DeviceBytesRead) > 0 {
                        read.push(head.blocknr);
                    }
                }
                Change::bios(id, old) => {
                    let bio = s.w.bios.at(*id);
                    if bio.used && !old.used {
                        let block = bio.sector * 512 / block_size;
                        event(
                            if bio.write { EventKind::Write } else { EventKind::Read },
                            tr!("{} {}", if bio.write { "write" } else { "read" }, block),
                        );
                    } else if old.used && !bio.used && s.w.counter(Counter::DeviceLatency) > 0 {
                        let verb = if old.write { "write" } else { "read" };
                        let kind = if old.write { EventKind::Write } else { EventKind::Read };
                        let text = tr!("{} {} ended", verb, old.sector * 512 / block_size);
                        self.timeline.ends.push(Event { step: u64::from(s.step), kind, text });
                    }
                }
                Change::device(unit, _) if s.grew(Counter::DeviceBytesWritten) > 0 => {
                    written.push(u64::from(unit.0) * PAGE_SIZE / block_size);
                }
                Change::tasks(id, old) => {
                    let task = s.w.tasks.at(*id);
                    if task.killed && !old.killed {
                        event(EventKind::Signal, tr!("SIGKILL to {}", task_name(s.w, *id)));
                    } else if task.signals & !old.signals != 0 {
                        let number = (task.signals & !old.signals).trailing_zeros();
                        event(EventKind::Signal, tr!("signal {} to {}", number, task_name(s.w, *id)));
                    }
                }
                Change::supers(_, old) if old.running_tid != 0 && s.w.sb().running_tid != old.running_tid => {
                    event(EventKind::Commit, format!("tx {}", old.running_tid));
                }
                _ => {}
            }
        }
        let latency = s.w.counter(Counter::DeviceLatency);
        if latency > 0 {
            return; // told when submitted
        }
        if s.grew(Counter::DeviceBytesRead) > 0 {
            event(EventKind::Read, run_text("read", &mut read, s.grew(Counter::DeviceBytesRead)));
        }
        if s.grew(Counter::DeviceBytesWritten) > 0 {
            event(EventKind::Write, run_text("write", &mut written, s.grew(Counter::DeviceBytesWritten)));
        }
    }
}

fn run_text(verb: &str, blocks: &mut [u64], bytes: u64) -> String {
    blocks.sort_unstable();
    match (blocks.first(), blocks.len()) {
        (Some(first), 1) => tr!("{} {}", verb, first),
        (Some(first), more) => tr!("{} {} and {} more", verb, first, more - 1),
        (None, _) => tr!("{} {} bytes", verb, bytes),
    }
}

fn grow(slices: &mut Vec<Slice>, same: bool, step: u64, phase: Phase, text: impl FnOnce() -> String) {
    match slices.last_mut() {
        Some(last) if same && last.to == step => last.to = step + 1,
        _ => slices.push(Slice { from: step, to: step + 1, phase, text: text() }),
    }
}

fn push_span(lane: &mut Lane, track: &TaskTrack, to: u64) {
    let Some((state, ..)) = track.key else { return };
    let shown = match state {
        frame::TaskState::Running | frame::TaskState::Sleeping | frame::TaskState::Done => true,
        frame::TaskState::Idle => !track.text.is_empty(),
        frame::TaskState::Runnable => false,
    };
    if shown && track.since < to {
        lane.spans.push(LaneSpan { from: track.since, to, state, text: track.text.clone() });
    }
}

/// What a task does, given who took the step.
#[must_use]
pub fn task_state(w: &World, id: TaskId, current: Option<TaskId>) -> frame::TaskState {
    let Some(task) = w.tasks.get(id) else { return frame::TaskState::Idle };
    let outside = w.stacks.get(id).is_none_or(|stack| stack.frame == 0);
    match task.state {
        TaskState::Absent => frame::TaskState::Idle,
        TaskState::Dead => frame::TaskState::Done,
        TaskState::Sleeping if outside => frame::TaskState::Idle,
        TaskState::Sleeping => frame::TaskState::Sleeping,
        TaskState::Runnable if current == Some(id) => frame::TaskState::Running,
        TaskState::Runnable => frame::TaskState::Runnable,
    }
}

/// The device block behind byte `off` of a page, if a buffer head names one.
fn block_of(w: &World, page: &Page, off: u16) -> Option<u64> {
    (0..u32::from(page.nr_bhs)).find_map(|n| {
        let head = w.bhs.get(BhId(page.first_bh.0 + n))?;
        let inside = (head.offset..head.offset + head.size).contains(&off);
        (inside && head.flags.contains(BhFlags::MAPPED)).then_some(head.blocknr)
    })
}

/// Address of byte `skip` of what an iterator has left.
#[must_use]
pub fn source_address(w: &World, id: IterId, iter: &IovIter, skip: u64) -> u64 {
    let mut left = skip + iter.iov_offset;
    for n in iter.seg..iter.total_segs {
        let Some(segment) = w.iovecs.get((id, n)) else { break };
        if left < segment.len {
            return segment.base.wrapping_add(left);
        }
        left -= segment.len;
    }
    0
}

/// The local that a statement gives: the name before its first ` = `, if the
/// function has a local of that name.
#[must_use]
pub fn result_local(probe: &ProbeSite) -> Option<usize> {
    let copies = [site::CP_SEGMENT.id, site::CP_SHORT.id, site::GPW_WRITE_END.id];
    let name = match probe.code.split_once(" = ") {
        _ if copies.contains(&probe.id) => "copied",
        Some((before, _)) => before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?,
        None => return None,
    };
    probe.function.locals.iter().position(|local| local.name == name)
}

/// One step, while it is read.
struct Step<'a> {
    w: &'a World,
    program: &'a Program,
    step: u32,
    header: StepHeader,
    stack: &'a [Call],
    probe: Option<&'static ProbeSite>,
    changes: &'a [Change],
    task: Option<TaskId>,
}

impl Step<'_> {
    fn is(&self, probes: &[ProbeSite]) -> bool {
        probes.iter().any(|probe| probe.id == self.header.site)
    }

    fn near(&self, name: &str) -> Option<u64> {
        let task = self.task?;
        self.stack.iter().find_map(|&call| local(self.w, task, call, name))
    }

    fn grew(&self, counter: Counter) -> u64 {
        let old = self.changes.iter().find_map(|change| match change {
            Change::counters(id, old) if *id == WordId(counter as u32) => Some(*old),
            _ => None,
        });
        old.map_or(0, |old| self.w.counter(counter).saturating_sub(old))
    }

    /// The user address that byte `off` of the destination page comes from.
    fn source(&self, off: u64) -> u64 {
        let Some(task) = self.task else { return 0 };
        let iter = self.w.iters.get(IterId(task.0)).copied().unwrap_or_default();
        source_address(self.w, IterId(task.0), &iter, off.saturating_sub(self.near("offset").unwrap_or(0)))
    }

    fn value(&self, probe: &ProbeSite) -> Option<(u8, u64)> {
        let n = result_local(probe)?;
        let call = self.stack.first().filter(|call| call.function.id == probe.function.id)?;
        let value = local(self.w, self.task?, *call, probe.function.locals[n].name)?;
        Some((u8::try_from(n).ok()?, value))
    }
}

/// The innermost function of a site.
#[must_use]
pub fn site_function(id: u16) -> String {
    function_of(id).map_or_else(|| tr!("the kernel"), |function| function.name.to_owned())
}
