//! Every step of a run, and the way back and forth among them.

use std::collections::BTreeMap;

use crate::objects::TaskId;
use crate::state::{Logs, Snapshot, World};

/// Steps in a chunk.
const CHUNK: u32 = 1 << 14;

/// Names a call stack: a node of the trie in [`History::frames`].
pub type FrameId = u32;

/// A call stack is a frame and its parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function: an index of the kernel crate's site table.
    pub site: u16,
    /// Caller; its own id at the root.
    pub parent: FrameId,
    /// Callers up to the root.
    pub depth: u16,
}

/// What ended a step, in 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepHeader {
    /// The probe: an index of the kernel crate's site table.
    pub site: u16,
    /// Where in the engine's own source the probe stands: an index of
    /// [`History::places`].
    pub place: u16,
    /// Task in the upper 8 bits, frame in the lower 24.
    task_and_frame: u32,
}

impl StepHeader {
    /// The number of no task.
    const NO_TASK: u32 = 0xff;

    /// A step of `task` (none: [`TaskId::NONE`]) that ended in `frame`.
    ///
    /// # Panics
    /// With more tasks than 255 or more call stacks than 2^24.
    #[must_use]
    pub fn new(site: u16, place: u16, task: TaskId, frame: FrameId) -> Self {
        let task = if task.is_some() { task.0 } else { Self::NO_TASK };
        assert!(task <= Self::NO_TASK && frame < 1 << 24, "a run has few tasks and call stacks");
        StepHeader { site, place, task_and_frame: task << 24 | frame }
    }

    /// The task; `None` if time passed and nobody ran.
    #[must_use]
    pub fn task(self) -> Option<TaskId> {
        let task = self.task_and_frame >> 24;
        (task != Self::NO_TASK).then_some(TaskId(task))
    }

    /// The call stack.
    #[must_use]
    pub fn frame(self) -> FrameId {
        self.task_and_frame & 0x00ff_ffff
    }
}

/// A stretch of steps whose logs are put away.
#[derive(Debug)]
pub struct Chunk {
    first: u32,
    logs: Logs,
    /// The entries hold values from before each step, so the chunk is to be
    /// entered from its end.
    holds_before: bool,
    start: Snapshot,
}

/// The steps of a run, and where the World stands among them.
///
/// Position `p` is "after `p` steps": step `k` leads from position `k` to
/// `k + 1`.
#[derive(Debug, Default)]
pub struct History {
    /// What ended each step.
    pub steps: Vec<StepHeader>,
    /// Call stacks, as a trie; 0 is the empty stack.
    pub frames: Vec<Frame>,
    /// Source places of probes: file and line.
    pub places: Vec<(&'static str, u32)>,
    frame_ids: BTreeMap<(FrameId, u16), FrameId>,
    /// The callee each frame had last: mostly the one it has next.
    last_callee: Vec<(u16, FrameId)>,
    place_ids: BTreeMap<(&'static str, u32), u16>,
    /// The place each site had last, with its line.
    last_place: Vec<(u32, u16)>,
    chunks: Vec<Chunk>,
    /// State at the head, kept while the World stands elsewhere.
    head: Option<Snapshot>,
    /// Chunk whose logs are in the World.
    current: usize,
    position: u32,
    log_bytes: (usize, usize),
    snapshot_bytes: usize,
}

impl History {
    /// A history that starts at `world` as it is.
    #[must_use]
    pub fn new(world: &World) -> Self {
        History {
            frames: vec![Frame { site: 0, parent: 0, depth: 0 }],
            chunks: vec![Chunk { first: 0, logs: Logs::default(), holds_before: true, start: world.snapshot() }],
            ..History::default()
        }
    }

    /// Steps recorded.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.steps.len() as u32
    }

    /// True before the first step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// After how many steps the World stands.
    #[must_use]
    pub fn position(&self) -> u32 {
        self.position
    }

    /// The frame for `site` called from `parent`.
    pub fn frame(&mut self, parent: FrameId, site: u16) -> FrameId {
        if let Some(&(known, id)) = self.last_callee.get(parent as usize)
            && known == site
            && id != 0
        {
            return id;
        }
        let id = self.find_frame(parent, site);
        if self.last_callee.len() < self.frames.len() {
            self.last_callee.resize(self.frames.len(), (0, 0));
        }
        self.last_callee[parent as usize] = (site, id);
        id
    }

    fn find_frame(&mut self, parent: FrameId, site: u16) -> FrameId {
        if let Some(&id) = self.frame_ids.get(&(parent, site)) {
            return id;
        }
        let id = self.frames.len() as FrameId;
        let depth = self.frames[parent as usize].depth + 1;
        self.frames.push(Frame { site, parent, depth });
        self.frame_ids.insert((parent, site), id);
        id
    }

    /// The id of a source place, for a probe `site` that stands there.
    pub fn place(&mut self, site: u16, file: &'static str, line: u32) -> u16 {
        let site = usize::from(site);
        if let Some(&(known, id)) = self.last_place.get(site)
            && known == line
            && self.places[usize::from(id)].0 == file
        {
            return id;
        }
        let id = self.find_place(file, line);
        if self.last_place.len() <= site {
            self.last_place.resize(site + 1, (0, 0));
        }
        self.last_place[site] = (line, id);
        id
    }

    fn find_place(&mut self, file: &'static str, line: u32) -> u16 {
        if let Some(&id) = self.place_ids.get(&(file, line)) {
            return id;
        }
        let id = u16::try_from(self.places.len()).expect("there are fewer than 65536 probes");
        self.places.push((file, line));
        self.place_ids.insert((file, line), id);
        id
    }

    /// Closes the step being run.
    pub fn close_step(&mut self, world: &mut World, header: StepHeader) {
        self.steps.push(header);
        let len = self.steps.len() as u32;
        self.position = len;
        world.rec.step = len;
        if len.is_multiple_of(CHUNK) {
            self.close_chunk(world, len);
        }
    }

    fn close_chunk(&mut self, world: &mut World, len: u32) {
        let (entries, content) = world.log_bytes();
        self.log_bytes.0 += entries;
        self.snapshot_bytes += world.snapshot_bytes();
        self.log_bytes.1 += content;
        world.swap_logs(&mut self.chunks[self.current].logs);
        let start = world.keep_snapshot();
        self.chunks.push(Chunk { first: len, logs: Logs::default(), holds_before: true, start });
        self.current += 1;
    }

    /// Bytes the record takes: step headers and logs, and kept content.
    #[must_use]
    pub fn log_bytes(&self, world: &World) -> (usize, usize) {
        let open = if self.current + 1 == self.chunks.len() { world.log_bytes() } else { (0, 0) };
        let headers = self.steps.len() * std::mem::size_of::<StepHeader>();
        (headers + self.log_bytes.0 + open.0, self.log_bytes.1 + open.1)
    }

    /// Bytes of the states kept at the chunks' ends, beside page contents: what each has of its own.
    #[must_use]
    pub fn snapshot_bytes(&self) -> usize {
        self.snapshot_bytes
    }

    /// Puts the World after `target` steps.
    ///
    /// # Panics
    /// If `target` is past the head.
    pub fn seek(&mut self, world: &mut World, target: u32) {
        assert!(target <= self.len(), "only recorded steps can be sought");
        if self.position == self.len() && self.head.is_none() && target < self.position {
            self.head = Some(world.keep_snapshot());
        }
        let wanted = self.chunk_of(target);
        if wanted != self.current {
            self.leave_chunk(world);
            self.enter_chunk(world, wanted);
        }
        world.seek(target);
        self.position = target;
        world.rec.step = target;
        if target == self.len() {
            self.head = None;
        }
    }

    fn chunk_of(&self, position: u32) -> usize {
        if position == 0 {
            return 0;
        }
        // A chunk owns the positions behind its first one up to its end, and
        // the open chunk also its first.
        let chunk = (position - 1) / CHUNK;
        let last = self.chunks.len() - 1;
        if self.chunks[last].first == position { last } else { chunk as usize }
    }

    fn end_of(&self, chunk: usize) -> u32 {
        self.chunks.get(chunk + 1).map_or(self.len(), |next| next.first)
    }

    fn leave_chunk(&mut self, world: &mut World) {
        let (start, end) = (self.chunks[self.current].first, self.end_of(self.current));
        let to_end = self.position - start >= end - self.position;
        // What happened behind the last step belongs to the head, which is kept with it.
        let open = self.current + 1 == self.chunks.len();
        world.seek(match (to_end, open) {
            (true, true) => u32::MAX,
            (true, false) => end,
            (false, _) => start,
        });
        let chunk = &mut self.chunks[self.current];
        chunk.holds_before = to_end;
        world.swap_logs(&mut chunk.logs);
    }

    fn enter_chunk(&mut self, world: &mut World, wanted: usize) {
        world.swap_logs(&mut self.chunks[wanted].logs);
        let start = if self.chunks[wanted].holds_before { wanted + 1 } else { wanted };
        match self.chunks.get(start) {
            Some(chunk) => world.restore(&chunk.start),
            None => world.restore(self.head.as_ref().expect("the head is kept while the World is elsewhere")),
        }
        self.current = wanted;
    }
}
