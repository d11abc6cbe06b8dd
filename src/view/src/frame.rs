//! Everything on the screen for one step, as plain data.
//!
//! A [`Frame`] knows no DOM and no kernel rule: whoever builds it has already decided what is set,
//! what changed and what the words are; whoever draws it only places it. Conventions:
//!
//! - **Steps** are numbered `0..=last`. Step 0 is the state before anything ran; step `k` is the state
//!   after the `k`-th probe. `changed` always means *between step `k - 1` and step `k`*.
//! - **Ranges** of bytes and blocks are half open, `from..to`. Text shown to people is inclusive (`0–999`).
//! - **Widths** are never in pixels: the drawing derives them from bytes and blocks.
//! - Every state has its words (`label`, `text`), so that nothing is told by colour alone.
//! - Big rows are `Rc`: a builder that hands out the same `Rc` for an unchanged row saves its redraw.
//!
//! ```text
//! Frame ─┬─ header, narration            what the call is, what this step did
//!        ├─ code, source, locals, tasks  where the program is
//!        ├─ user ─ copy ─ cache ─ ext4 ─ disk, journal    the path of the bytes
//!        ├─ dirty                        dirty balance
//!        └─ changes                      leaf-level difference to the step before
//! ```

use std::borrow::Cow;
use std::rc::Rc;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::motion::Motion;
use crate::text::word;

/// One screen: the state after one step, and what that step changed.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Frame {
    /// Number of this step, `0..=last` of the run.
    pub step: u64,
    /// Scenario and system call.
    pub header: Rc<Header>,
    /// The sentence of this step.
    pub narration: Rc<Narration>,
    /// Condensed pseudo-code of the running kernel function.
    pub code: Rc<Code>,
    /// Where in the engine's own Rust source this step ended.
    pub source: Option<Rc<SourceAt>>,
    /// Where in the kernel's source it is.
    pub kernel: Option<KernelAt>,
    /// Local variables of the function at the top of the stack.
    pub locals: Vec<Rc<Local>>,
    /// All tasks with their call stacks; the running one is marked.
    pub tasks: Vec<Rc<TaskRow>>,
    /// The `iov_iter`: user segments, residency, how far it has come.
    pub user: Rc<UserMemory>,
    /// The copy between user memory and the selected page, if this step shows one.
    pub copy: Option<Rc<CopyArrow>>,
    /// The file's pages, and the selected one drawn large.
    pub cache: Rc<PageCache>,
    /// Extents and sizes of the file.
    pub ext4: Rc<Ext4>,
    /// The device.
    pub disk: Rc<Disk>,
    /// Running transaction and handle.
    pub journal: Rc<Journal>,
    /// Dirty pages against the limits.
    pub dirty: Rc<DirtyBalance>,
    /// What differs from the step before.
    pub changes: Rc<Changes>,
    /// The run ended for a reason of its own (an oops, an engine fault); shown above the narration.
    pub notice: Option<Rc<Notice>>,
    /// What of the bytes this step moves.
    pub motion: Option<Motion>,
}

/// A phase of one write iteration. Each has one letter and one hue everywhere.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, BorshDeserialize, BorshSerialize)]
pub enum Phase {
    /// Outside any phase: system call entry, advance, return.
    #[default]
    None,
    /// Fault-in of the source bytes.
    FaultIn,
    /// `write_begin`.
    Begin,
    /// The atomic copy.
    Copy,
    /// `write_end`.
    End,
    /// `balance_dirty_pages_ratelimited`.
    Balance,
    /// Writeback.
    Writeback,
    /// Journal commit and checkpoint.
    Journal,
}

impl Phase {
    /// The letter on badges and narrow slices; empty outside any phase.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::None => "",
            Self::FaultIn => "F",
            Self::Begin => "B",
            Self::Copy => "C",
            Self::End => "E",
            Self::Balance => "D",
            Self::Writeback => "W",
            Self::Journal => "J",
        }
    }

    /// The phase's name as the kernel says it; empty outside any phase.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::FaultIn => "fault-in",
            Self::Begin => "write_begin",
            Self::Copy => "copy",
            Self::End => "write_end",
            Self::Balance => "balance",
            Self::Writeback => "writeback",
            Self::Journal => "journal",
        }
    }
}

/// Which scenario and which system call.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Header {
    /// The scenario's name, as in links: `short-copy`.
    pub scenario: String,
    /// One line about the scenario.
    pub title: String,
    /// The system call under way, as one would write it: `pwritev(f, [b0 1000, b1 3096], 4096)`.
    pub call: String,
}

/// The sentence of a step.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Narration {
    /// Phase of the step.
    pub phase: Phase,
    /// Call, iteration, try: `pwritev #1 · iteration 1 · try 1`.
    pub crumb: String,
    /// One sentence: what happened.
    pub what: String,
    /// One sentence: why. May be empty.
    pub why: String,
    /// What the scenario's own marker at this step says. May be empty.
    pub mark: String,
}

/// The outline: one line per probe of the running kernel function, plus the unfolded phase's lines.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Code {
    /// The kernel function shown: `generic_perform_write`.
    pub function: String,
    /// Where it starts: `mm/filemap.c:3295`.
    pub at: String,
    /// What the scenario is about, as long as it has not begun; may be empty.
    pub about: String,
    /// The lines, from top to bottom. The same function gives the same lines in the same places.
    pub lines: Vec<Rc<CodeLine>>,
}

/// One line of the outline.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct CodeLine {
    /// Pseudo-code with the kernel's names.
    pub text: String,
    /// The value it gave, once it ran: `1000 → 0`.
    pub value: String,
    /// Kernel file below the tree's root: `mm/filemap.c`. Empty if the line has no source.
    pub file: String,
    /// Line in v5.10.238.
    pub line: u32,
    /// Its phase.
    pub phase: Phase,
    /// Whether it ran.
    pub state: LineState,
    /// A line inside the line above it: drawn indented and tinted.
    pub sub: bool,
    /// Its probe, for breakpoints; empty if it has none.
    pub probe: String,
}

/// Whether a line of the outline has run in this iteration.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum LineState {
    /// Ran in this iteration.
    Done,
    /// Is the step shown.
    Now,
    /// Has not run yet.
    #[default]
    Ahead,
}

/// A place in the engine's own source.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct SourceAt {
    /// Path below the repository's root: `src/kernel/src/mm/filemap.rs`.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// A place in the kernel's source, v5.10.238.
#[derive(Clone, Debug, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct KernelAt {
    /// The function: `generic_perform_write`.
    pub function: Cow<'static, str>,
    /// Path in the tree: `mm/filemap.c`.
    pub file: Cow<'static, str>,
    /// Line, from 1.
    pub line: u32,
}

/// One local variable.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Local {
    /// The kernel's name.
    pub name: String,
    /// Its type in C.
    pub c: String,
    /// Its value as text; `–` if undefined.
    pub value: String,
    /// The value before this step, if this step changed it.
    pub was: Option<String>,
    /// Unit or meaning, for the accessible name: `bytes`. May be empty.
    pub unit: String,
    /// The expression that names it.
    pub path: String,
}

/// A task and its call stack.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct TaskRow {
    /// Number of the task in the world, stable over the run.
    pub id: u32,
    /// Its name: `A`, `kworker/u2:1`, `jbd2`.
    pub name: String,
    /// What it does now.
    pub state: TaskState,
    /// What it sleeps on (`page 1 lock`, `block 1611`), empty otherwise.
    pub on: String,
    /// What a thread of the kernel works at: `background, 12 pages written`. May be empty.
    pub doing: String,
    /// Whether this step was taken by it.
    pub current: bool,
    /// Innermost function first.
    pub stack: Vec<StackRow>,
}

/// What a task does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum TaskState {
    /// On the processor.
    Running,
    /// Ready to run.
    #[default]
    Runnable,
    /// Waiting for something.
    Sleeping,
    /// Has not started yet, or waits for its place in the scenario.
    Idle,
    /// Has returned.
    Done,
}

impl TaskState {
    /// The state in one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::Running => "running",
            Self::Runnable => "runnable",
            Self::Sleeping => "sleeping",
            Self::Idle => "idle",
            Self::Done => "done",
        })
    }
}

/// One frame of a call stack.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct StackRow {
    /// Kernel function.
    pub function: String,
    /// Kernel file below the tree's root: `fs/ext4/file.c`.
    pub file: String,
    /// Line in v5.10.238 it stands at.
    pub line: u32,
}

/// The user's side of the call: an `iov_iter` laid out on one axis of bytes.
///
/// Byte 0 is the first byte of the first segment shown; `before` and `after` say what is left out when a
/// call has more segments than fit.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct UserMemory {
    /// Short facts beside the picture: `count 4096`, `iov_offset 0`, `nr_segs 2`.
    pub facts: Vec<String>,
    /// Whether any byte of this call has counted yet or a call is under way: fills the station.
    pub active: bool,
    /// The segments, in order. Empty when no call is under way.
    pub segments: Vec<Rc<Segment>>,
    /// Segments left out before the first one shown.
    pub before: u32,
    /// Segments left out after the last one shown.
    pub after: u32,
    /// Residency of the source pages, in order, on the same axis.
    pub residency: Vec<Rc<Residency>>,
    /// Where fault-in read a byte, on the same axis.
    pub probes: Vec<Probe>,
    /// Where `iov_offset` stands on the axis; none after the call.
    pub caret: Option<u64>,
    /// What this try asks for.
    pub bracket: Option<Bracket>,
    /// The whole as one sentence or two, for those who do not see the picture.
    pub label: String,
}

/// One segment of the iovec.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Segment {
    /// `seg0`.
    pub name: String,
    /// Where its bytes come from: `b0+0`.
    pub base: String,
    /// Length in bytes.
    pub len: u64,
    /// Bytes the iterator has passed: hatched.
    pub consumed: u64,
    /// Part of this try.
    pub current: bool,
}

/// Whether a run of source bytes can be read without a fault.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum Resident {
    /// Mapped and present.
    #[default]
    Resident,
    /// Will fault, and the fault can be served.
    Faults,
    /// Not mapped: reading it gives EFAULT.
    Unmapped,
}

impl Resident {
    /// The letter in the picture.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Resident => "R",
            Self::Faults => "F",
            Self::Unmapped => "X",
        }
    }

    /// The state in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::Resident => "resident",
            Self::Faults => "will fault",
            Self::Unmapped => "unmapped",
        })
    }
}

/// Residency of a run of source bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Residency {
    /// First byte on the axis.
    pub from: u64,
    /// One past the last byte on the axis.
    pub to: u64,
    /// Its state.
    pub state: Resident,
    /// A remark: `unmapped by B at 36`. May be empty.
    pub note: String,
    /// Changed in this step.
    pub changed: bool,
}

/// A byte that fault-in read.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Probe {
    /// Byte on the axis.
    pub at: u64,
    /// What came of it: `probed ok at 20`. May be empty.
    pub note: String,
    /// Read in this step.
    pub changed: bool,
}

/// What a try asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Bracket {
    /// First byte on the axis.
    pub from: u64,
    /// One past the last byte.
    pub to: u64,
    /// `bytes = 4096`.
    pub text: String,
    /// Changed in this step (a retry shrinks it).
    pub changed: bool,
}

/// Bytes on their way from user memory to the selected page.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct CopyArrow {
    /// First source byte on the user axis.
    pub from: u64,
    /// One past the last source byte on the user axis.
    pub to: u64,
    /// First byte in the page.
    pub page_from: u32,
    /// One past the last byte in the page.
    pub page_to: u32,
    /// How to draw it.
    pub kind: CopyKind,
    /// `1000 copied`.
    pub text: String,
    /// What became of it: `0 counted: page 1 was not uptodate`. May be empty.
    pub verdict: String,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum CopyKind {
    /// Will be copied: outline only.
    #[default]
    Planned,
    /// Copied: a filled funnel.
    Done,
    /// Copied, and then not counted: a dashed ghost.
    Refused,
}

/// The page cache of the file the call is about.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct PageCache {
    /// Short facts beside the picture: `inode 12`, `1 of 11 pages`, `0 bytes kept`.
    pub facts: Vec<String>,
    /// Whether bytes of this call are held here now: fills the station.
    pub active: bool,
    /// The cells, by index. Absent pages have a cell too.
    pub pages: Vec<Rc<PageCell>>,
    /// All pages of the file in runs of one state; empty if the cells show them all.
    pub runs: Rc<Vec<PageRun>>,
    /// The page drawn large. None if the file has no page to show.
    pub selected: Option<Rc<PageView>>,
    /// The file has pages before the first cell.
    pub more_before: bool,
    /// The file has pages after the last cell.
    pub more_after: bool,
}

/// Neighbouring pages of one state.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct PageRun {
    /// First page.
    pub from: u64,
    /// Pages.
    pub len: u64,
    /// Their state.
    pub state: CellState,
    /// `pages 0–95: dirty`.
    pub label: String,
}

/// State of a page, buffer head or block, in the order of what matters most.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum CellState {
    /// Not there.
    #[default]
    Absent,
    /// There, content must not be read.
    NotUptodate,
    /// Uptodate, like the disk.
    Clean,
    /// Newer than the disk.
    Dirty,
    /// On its way to the disk.
    Writeback,
    /// On its way, and dirtied again.
    DirtyWriteback,
    /// An I/O error was recorded.
    Error,
}

impl CellState {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::Absent => "not cached",
            Self::NotUptodate => "not uptodate",
            Self::Clean => "clean",
            Self::Dirty => "dirty",
            Self::Writeback => "writeback",
            Self::DirtyWriteback => "dirty and writeback",
            Self::Error => "error",
        })
    }

    /// The letters in the picture.
    #[must_use]
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Absent | Self::NotUptodate => "",
            Self::Clean => "U",
            Self::Dirty => "D",
            Self::Writeback => "W",
            Self::DirtyWriteback => "DW",
            Self::Error => "E",
        }
    }
}

/// One page as a small cell.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct PageCell {
    /// Index in the file.
    pub index: u64,
    /// Its state.
    pub state: CellState,
    /// Locked: double border, on top of any state.
    pub locked: bool,
    /// Letters of the flags set: `UD`.
    pub letters: String,
    /// In words: `Page 1: uptodate, dirty`. The drawing adds `changed in this step`.
    pub label: String,
    /// Changed in this step.
    pub changed: bool,
}

/// A flag of a page or buffer head: set or clear, and whether this step changed it.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Flag {
    /// `L U D W` for a page, `M U D N d u E` for a buffer head.
    pub letter: Cow<'static, str>,
    /// In words: `locked`.
    pub name: Cow<'static, str>,
    /// Set or clear.
    pub set: bool,
    /// Changed in this step; clear and changed is drawn as the struck letter.
    pub changed: bool,
    /// The expression that names it; empty where none does.
    pub path: String,
}

/// One of the places where "dirty" is recorded.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct DirtyTruth {
    /// Letter of the chip: D, or T and W for the other two tags of the xarray.
    pub letter: Cow<'static, str>,
    /// `bh0`, `page`, `xarray`, `inode`.
    pub place: Cow<'static, str>,
    /// What the place calls it: `xarray tag DIRTY`.
    pub name: Cow<'static, str>,
    /// Set or clear.
    pub set: bool,
    /// Changed in this step.
    pub changed: bool,
    /// The expression that names it.
    pub path: String,
}

/// The selected page.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct PageView {
    /// Index in the file.
    pub index: u64,
    /// Not in the cache: only the index and the place are true.
    pub absent: bool,
    /// Its state, for the frame's hue.
    pub state: CellState,
    /// Locked: double border.
    pub locked: bool,
    /// Bytes of a page: 4096.
    pub size: u32,
    /// Place in the file, inclusive: `file 4096–8191`.
    pub range: String,
    /// Page flags, always L U D W in this order, more after them.
    pub flags: Vec<Flag>,
    /// Dirty in its four places: buffer heads, page, xarray, inode.
    pub dirty: Vec<DirtyTruth>,
    /// Buffer heads in order: one, two or four; empty if none are attached.
    pub buffers: Vec<Rc<BufferRow>>,
    /// The bytes, covering `0..size` without gaps.
    pub strip: Vec<Rc<ByteRange>>,
    /// One range outlined as changed in this step, if any bytes changed: `(from, to)`.
    pub changed: Option<(u32, u32)>,
    /// Where the copy starts in this page.
    pub caret: Option<u32>,
    /// Changed in this step in anything but its bytes.
    pub flags_changed: bool,
}

/// One buffer head.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct BufferRow {
    /// `bh0`.
    pub name: String,
    /// Flags, always M U D N d first, further ones (u E) after them.
    pub flags: Vec<Flag>,
    /// Size in bytes.
    pub size: u32,
    /// Device block, if it has one.
    pub block: Option<u64>,
    /// Logical block in the file.
    pub lblk: u64,
    /// How its place is drawn.
    pub place: BufferPlace,
    /// The place in words: `block 1099`, `delayed: no block yet`, `not mapped`.
    pub text: String,
}

/// Where a buffer head's block is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum BufferPlace {
    /// Not mapped.
    #[default]
    Unmapped,
    /// Has a block.
    Block,
    /// Reserved, no block yet.
    Delayed,
    /// Has a block without valid data.
    Unwritten,
}

/// What a run of bytes in a page is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum ByteKind {
    /// Must not be read: hatch.
    #[default]
    NotUptodate,
    /// Valid before this call.
    Valid,
    /// Arrived in this step.
    WrittenNow,
    /// Arrived earlier in this call.
    KeptEarlier,
    /// Zero-filled: dots.
    Zeroed,
    /// Copied, and then not counted.
    Refused,
    /// Past the end of the file.
    PastEof,
}

impl ByteKind {
    /// The kind in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::NotUptodate => "not uptodate",
            Self::Valid => "valid before this call",
            Self::WrittenNow => "written in this step",
            Self::KeptEarlier => "written earlier in this call",
            Self::Zeroed => "zero-filled",
            Self::Refused => "copied, then refused",
            Self::PastEof => "past the end of the file",
        })
    }
}

/// A run of bytes of one kind and one origin in the selected page.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct ByteRange {
    /// First byte in the page.
    pub from: u32,
    /// One past the last byte in the page.
    pub to: u32,
    /// What it is.
    pub kind: ByteKind,
    /// Short words inside the strip: `4096 bytes zeroed`, `from disk`, `b1, 700`.
    pub label: String,
    /// First bytes in lower-case hex: `00 00 00 00 00 00`. May be empty.
    pub hex: String,
    /// First bytes before this step, if it changed them.
    pub was: Option<String>,
    /// Where the bytes come from: `b0+0 … 999, copied at 60`, `zero-filled at 67`, `block 1099, read at 41`.
    pub origin: String,
    /// What was there before: may be empty.
    pub before: String,
    /// Where they are now: `cache only`, `in flight`, `on disk`.
    pub now_in: String,
}

/// The file in ext4's eyes.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Ext4 {
    /// Short facts beside the picture: `1 block reserved`, `2990 free`, `i_size 45056`, `i_disksize 45056`.
    pub facts: Vec<Fact>,
    /// Whether blocks of this call are allocated: fills the station.
    pub active: bool,
    /// First logical block on the axis (that of the first page cell).
    pub axis_from: u64,
    /// Logical blocks on the axis (those of all page cells).
    pub axis_blocks: u64,
    /// Extents in order, covering the axis without gaps: merge neighbours of one kind if there are many.
    pub extents: Vec<Rc<ExtentCell>>,
}

/// A short fact and whether this step changed it.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Fact {
    /// The words.
    pub text: String,
    /// Changed in this step.
    pub changed: bool,
}

/// What the extent tree and the extent status tree say about a run of file blocks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum ExtentKind {
    /// No block.
    #[default]
    Hole,
    /// Blocks with valid data.
    Written,
    /// Blocks without valid data.
    Unwritten,
    /// Reserved only.
    Delayed,
    /// Not looked up: nothing in the extent status cache.
    Unknown,
}

/// A run of file blocks.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct ExtentCell {
    /// First logical block.
    pub lblk: u64,
    /// Blocks.
    pub len: u64,
    /// What it is.
    pub kind: ExtentKind,
    /// First device block, for written and unwritten ones.
    pub pblk: Option<u64>,
    /// Short words inside the cell: `1099`, `d`, `hole`.
    pub text: String,
    /// In words: `block 1: delayed, 1 block reserved`.
    pub label: String,
    /// Changed in this step.
    pub changed: bool,
}

/// The block device as one bar.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Disk {
    /// Short facts beside the picture: `nothing in flight`, `2 blocks read`.
    pub facts: Vec<Fact>,
    /// Whether bytes of this call are on the device: fills the station.
    pub active: bool,
    /// Blocks on the device.
    pub blocks: u64,
    /// Bytes a block.
    pub block_size: u32,
    /// Named regions worth showing, by first block.
    pub regions: Vec<Rc<Region>>,
    /// Requests under way.
    pub bios: Vec<Rc<BioRow>>,
    /// The whole in words.
    pub label: String,
}

/// A named run of device blocks.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Region {
    /// First block.
    pub from: u64,
    /// Blocks.
    pub len: u64,
    /// What it is.
    pub kind: RegionKind,
    /// `journal`, `inode table 35`, `1099–1104`.
    pub text: String,
    /// Changed in this step.
    pub changed: bool,
}

/// What a region of the device holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum RegionKind {
    /// Superblock, descriptors, bitmaps, inode tables.
    #[default]
    Metadata,
    /// The journal.
    Journal,
    /// Data of the file on screen.
    Data,
    /// An extent node of the file on screen.
    Leaf,
}

/// A request to the device.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct BioRow {
    /// First block.
    pub from: u64,
    /// Blocks.
    pub len: u64,
    /// First page of the file on screen, and how many; none for other files and metadata.
    pub pages: Option<(u64, u64)>,
    /// Writes (reads otherwise).
    pub write: bool,
    /// How far it has come.
    pub state: BioState,
    /// In words: `write 1105, page 1, in the device`.
    pub text: String,
    /// Came to this state in this step.
    pub changed: bool,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum BioState {
    /// The device works on others: it waits.
    #[default]
    Queued,
    /// The device works on it.
    InDevice,
    /// Completed in this step.
    Done,
}

impl BioState {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::Queued => "queued",
            Self::InDevice => "in the device",
            Self::Done => "done",
        })
    }
}

/// Journal: running transaction and the current task's handle.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Journal {
    /// Transactions in order: running first.
    pub transactions: Vec<Transaction>,
    /// The handle in words: `handle write_page stopped, 0 blocks dirtied`. Empty if there is none.
    pub handle: String,
    /// The handle changed in this step.
    pub handle_changed: bool,
}

/// One journal transaction.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Transaction {
    /// Its number.
    pub tid: u32,
    /// `running`, `committing`, `checkpoint`.
    pub state: String,
    /// What is in it: `inode 12, block 35`.
    pub text: String,
    /// Changed in this step.
    pub changed: bool,
}

/// Dirty pages against the limits, and what the writer may do.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct DirtyBalance {
    /// NR_FILE_DIRTY.
    pub dirty: u64,
    /// NR_WRITEBACK: counts against the limits as well.
    pub writeback: u64,
    /// Background threshold.
    pub background: u64,
    /// Up to this nobody is throttled.
    pub freerun: u64,
    /// Where the control loop aims.
    pub setpoint: u64,
    /// Hard limit.
    pub limit: u64,
    /// One of the two counts changed in this step.
    pub dirty_changed: bool,
    /// The device's dirty pages.
    pub wb_dirty: u64,
    /// The device's pages under writeback.
    pub wb_writeback: u64,
    /// The device's part of the threshold.
    pub wb_thresh: u64,
    /// The device's part of the background threshold.
    pub wb_background: u64,
    /// The modelled clock: `0.191 s`.
    pub clock: String,
    /// The task that the limits and the rest are of.
    pub task: String,
    /// Pages this task has dirtied since its last check.
    pub nr_dirtied: u64,
    /// At this count it checks.
    pub nr_dirtied_pause: u64,
    /// `nr_dirtied` changed in this step.
    pub nr_dirtied_changed: bool,
    /// Pages dirtied on this processor since its last check.
    pub bdp_ratelimits: u64,
    /// What the task does about it: `free`, `paused 12 of 200 ms, until 0.404 s`.
    pub note: String,
    /// The pause under way: passed and whole, in ms.
    pub pause: Option<(u64, u64)>,
    /// `pos_ratio 0.41 × 4.0 = 1.6 MiB/s`.
    pub pace: String,
    /// `period 48 ms`.
    pub period: String,
}

/// What this step changed.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Changes {
    /// What it is compared with: `since 73`.
    pub since: String,
    /// The leaves, grouped by object.
    pub rows: Vec<Rc<Change>>,
}

/// Added, removed or changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum Sign {
    /// Came into being.
    Added,
    /// Was there before, with another value.
    #[default]
    Changed,
    /// Is gone.
    Removed,
}

impl Sign {
    /// `+`, `~` or the minus sign.
    #[must_use]
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Changed => "~",
            Self::Removed => "−",
        }
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        })
    }
}

/// The changes of one object.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Change {
    /// Added, removed or changed.
    pub sign: Sign,
    /// `page 1`, `bh0`, `counters`, `locals`.
    pub object: String,
    /// Its leaves.
    pub parts: Vec<Delta>,
}

/// One leaf: `name old → new`. Flags use only `new`: `+U +D −L`.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Delta {
    /// Name of the leaf. May be empty.
    pub name: String,
    /// Value before; none if it had none.
    pub old: Option<String>,
    /// Value now; none if it has none.
    pub new: Option<String>,
    /// Expressions that name the value, or each of the flags; empty where none does.
    pub paths: Vec<String>,
}

/// A message to the reader: an error of ours, a link that no longer fits, a refused image.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Notice {
    /// One line: what happened.
    pub title: String,
    /// What is intact, what to do.
    pub text: String,
    /// A failure (an ink bar and `role=alert`), not just a remark.
    pub error: bool,
}

/// The whole run at a glance; grows while the run is computed. Kept apart from [`Frame`].
///
/// Slices of one level are in order and do not overlap; `from..to` are steps, half open, counted so that
/// slice `a..b` holds the steps `a, …, b - 1` (step numbers start at 1).
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Timeline {
    /// Number of the last step computed so far.
    pub last: u64,
    /// Whether the run is complete: no more steps will come.
    pub complete: bool,
    /// How far the first program is, of 100: its operations, and the bytes of the one under way.
    pub percent: u64,
    /// System calls.
    pub calls: Vec<Slice>,
    /// Iterations and tries.
    pub rounds: Vec<Slice>,
    /// The calls that have iterations, in order: task and number.
    pub looped: Vec<(u32, u16)>,
    /// Phases.
    pub phases: Vec<Slice>,
    /// Call depth after each step, `depth[k - 1]` for step `k`; may be empty.
    pub depth: Rc<Vec<u8>>,
    /// Where steps belong: each from a first step to that of the next.
    pub places: Vec<(u64, Place)>,
    /// One lane a task.
    pub lanes: Vec<Lane>,
    /// Faults, requests, signals, interventions.
    pub events: Vec<Event>,
    /// Ends of the requests that took time.
    pub ends: Vec<Event>,
    /// Step curves.
    pub counters: Vec<Counter>,
    /// The scenario's own markers, by step; known once the run is complete.
    pub marks: Rc<Vec<(u64, String)>>,
}

/// Where a step belongs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Place {
    /// Who took the step; none if time passed.
    pub by: Option<u32>,
    /// It is that task's own call, not one that it interrupts.
    pub own: bool,
    /// The task whose call it belongs to.
    pub task: u32,
    /// The call's number, from 1; 0 outside.
    pub syscall: u16,
    /// Round of the write loop, from 1; 0 outside.
    pub iteration: u32,
    /// Try of the round.
    pub retry: u16,
    /// Phase of the step itself.
    pub phase: Phase,
}

/// A stretch of steps.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Slice {
    /// First step.
    pub from: u64,
    /// One past the last step.
    pub to: u64,
    /// Its phase; [`Phase::None`] for calls and rounds.
    pub phase: Phase,
    /// `pwritev #1`, `iteration 1, try 1`, `write_begin`.
    pub text: String,
}

/// One task's lane.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Lane {
    /// Number of the task, as in [`TaskRow`].
    pub id: u32,
    /// The task's name.
    pub name: String,
    /// A thread of the kernel, not of a program.
    pub kernel: bool,
    /// Stretches in which it ran or slept; runnable and idle between them.
    pub spans: Vec<LaneSpan>,
}

/// A stretch of a task's lane.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct LaneSpan {
    /// First step.
    pub from: u64,
    /// One past the last step.
    pub to: u64,
    /// What it did.
    pub state: TaskState,
    /// What it slept on or did: `block 1611`. May be empty.
    pub text: String,
}

/// What a list says of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepLine {
    /// The function it ended in; empty for step 0.
    pub function: String,
    /// Its statement.
    pub code: String,
    /// `mm/filemap.c:3344`, in v5.10.238; empty outside the kernel.
    pub source: String,
    /// Its sentence.
    pub what: String,
}

/// Something that happened at one step.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Event {
    /// The step.
    pub step: u64,
    /// How it is drawn.
    pub kind: EventKind,
    /// `read 1611`, `b1+0, refused`.
    pub text: String,
}

/// How an event is drawn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub enum EventKind {
    /// A fault on the source: ×.
    #[default]
    Fault,
    /// A read from the device: ↓ towards the cache.
    Read,
    /// A write to the device.
    Write,
    /// A signal.
    Signal,
    /// Something the scenario or the reader did.
    Intervention,
    /// A journal commit.
    Commit,
}

impl EventKind {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        word(match self {
            Self::Fault => "fault",
            Self::Read => "read",
            Self::Write => "write",
            Self::Signal => "signal",
            Self::Intervention => "intervention",
            Self::Commit => "commit",
        })
    }
}

/// A step curve of one counter.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct Counter {
    /// `dirty`, `reserved`, `writeback`.
    pub name: String,
    /// `(step, value from that step on)`, by step.
    pub points: Vec<(u64, u64)>,
}

/// One line of the scenario picker.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshDeserialize, BorshSerialize)]
pub struct ScenarioInfo {
    /// Name, as in links.
    pub name: String,
    /// One line about it.
    pub title: String,
    /// What to think about before one steps through it.
    pub question: String,
    /// What a reader asks who comes to it; neighbours share it.
    pub group: String,
    /// A real kernel's trace of it stands beside the page.
    pub recorded: bool,
}

/// One device block, decoded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BlockView {
    /// Block number.
    pub block: u64,
    /// Last block of the device.
    pub last: u64,
    /// What it is: `inode table of group 0`.
    pub title: String,
    /// A remark: which copy is shown (cache or device), a checksum that does not fit. May be empty.
    pub note: String,
    /// Decoded fields in order of offset.
    pub fields: Vec<Rc<BlockField>>,
    /// The block's bytes.
    pub bytes: Rc<Vec<u8>>,
    /// Byte ranges this step changed, `(from, to)`.
    pub changed: Vec<(u32, u32)>,
}

/// One decoded field of a block.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BlockField {
    /// Bytes from the block's start.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
    /// The kernel's name: `s_inodes_count`, `inode 12 i_size`.
    pub name: String,
    /// Its value, decoded.
    pub value: String,
    /// Changed in this step.
    pub changed: bool,
}

/// The first round of a scenario's first write, as the editor shows it ahead of the run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FirstRound {
    /// The call.
    pub call: String,
    /// What it returned; empty while it runs.
    pub result: String,
    /// The calls of the round.
    pub rows: Vec<RoundRow>,
}

/// One call of a round.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RoundRow {
    /// Its phase.
    pub phase: Phase,
    /// The kernel's function.
    pub function: &'static str,
    /// Bytes asked for; empty if it is not asked for bytes.
    pub asked: String,
    /// The page of the file.
    pub page: String,
    /// Page faults on user memory in it; empty for none.
    pub faults: String,
    /// What it returned.
    pub result: String,
}
