//! Scenarios: what a run is made of, as JSON that people write and links carry.
//!
//! ```text
//! image -> mount -> buffers -> tasks: set-up, then traced operations -> exit, sync, umount
//!                              interventions act at steps in between
//! ```
//!
//! An operation is an object with one key, its name: `{"pwrite": {"fd": "f",
//! "off": 0, "iov": [{"buf": "b0", "len": 100}]}}`. So every error has the path
//! of the value at fault, and every unknown key is found.
//!
//! | module | what |
//! |---|---|
//! | [`ops`] | the operations and their one-line text |
//! | `check`, `names` | what a type cannot say: ranges, names, contradictions |
//! | `reason` | why a scenario is refused, in words that can be translated |
//! | `import` | the `scenario.json` of a recorded case |
//!
//! Sizes and offsets are bytes. Integers over 2^53 are written as decimal
//! strings, and both forms are read.

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod big;
mod check;
mod fault;
mod import;
mod names;
pub mod ops;
mod reason;
#[cfg(test)]
mod refusals;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(test)]
mod tests;
pub(crate) mod tracked;

use big::Big;
pub use fault::{Fault, FaultIo, FaultOf};
pub use import::{KEPT_FEATURES, from_golden};
pub use ops::{Buffer, BufferKind, FallocateMode, Fill, Op, Segment};
pub(crate) use reason::reason;
pub use reason::{Reason, Said};

/// The version of the format that this program writes and reads.
pub const VERSION: u32 = 1;
/// The largest image that is made or taken, MiB.
pub const IMAGE_MIB_MAX: u32 = 1024;
/// The most segments of one call (`UIO_MAXIOV`).
pub const SEGMENTS_MAX: usize = 1024;
/// Buffers stand 256 MiB apart, so none is longer.
pub const BUFFER_LEN_MAX: u64 = 256 << 20;
/// Identity and hash seed of an image that names none.
pub const UUID: &str = "5a3c0f5e-0000-4000-8000-00000000e4e4";

/// A whole scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scenario {
    /// Version of this format.
    pub version: u32,
    /// A few words.
    pub title: Text,
    /// What it shows, and what to look at.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub text: Text,
    /// The question that a viewer should be able to answer afterwards.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub question: Text,
    /// The file system to begin with.
    pub image: Image,
    /// The block device.
    #[serde(default, skip_serializing_if = "is_default")]
    pub device: Device,
    /// Mount options, comma separated; empty for the defaults.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mount: String,
    /// Memory of the machine, MiB.
    #[serde(default = "memory_default", skip_serializing_if = "is_memory_default")]
    pub memory_mib: u32,
    /// Dirty thresholds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub vm: Vm,
    /// Every task sleeps so long before each of its operations.
    #[serde(default = "gap_default", skip_serializing_if = "is_gap_default")]
    pub op_gap_ms: u32,
    /// Buffers made before the first operation, in no operation's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buffers: Vec<Buffer>,
    /// The programs.
    pub tasks: Vec<Task>,
    /// What acts from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<Intervention>,
    /// Named places of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub markers: Vec<Marker>,
}

impl Scenario {
    /// A scenario with one task and no operation yet, on a new image of
    /// `size_mib`.
    #[must_use]
    pub fn new(title: &str, size_mib: u32) -> Self {
        Scenario {
            version: VERSION,
            title: Text { en: title.to_owned(), ko: None },
            text: Text::default(),
            question: Text::default(),
            image: Image::Mkfs(Mkfs { size_mib, ..Mkfs::default() }),
            device: Device::default(),
            mount: String::new(),
            memory_mib: memory_default(),
            vm: Vm::default(),
            op_gap_ms: gap_default(),
            buffers: Vec::new(),
            tasks: vec![Task { name: "A".to_owned(), setup: Vec::new(), ops: Vec::new() }],
            interventions: Vec::new(),
            markers: Vec::new(),
        }
    }
}

/// The name of a second thread, in addresses of steps too; a program of this name hides it there.
pub const HELPER: &str = "B";

impl Scenario {
    /// Numbers of the operations that make a second thread ready, in the order of these threads; true with those that
    /// are traced.
    pub(crate) fn helper_ops(&self) -> impl Iterator<Item = (usize, bool)> {
        let ops = self.tasks.iter().flat_map(Task::all_ops).enumerate();
        ops.filter(|(_, (op, _))| op.starts_a_helper()).map(|(n, (_, traced))| (n, traced))
    }

    /// Which second thread an address speaks of: 0 is the first. None if it speaks of a program.
    pub(crate) fn helper_at(&self, at: &ProbeAt) -> Option<usize> {
        let hidden = self.tasks.iter().any(|task| task.name == HELPER);
        let number = || self.helper_ops().position(|(op, traced)| traced && u32::try_from(op) == Ok(at.op));
        if at.task == HELPER && !hidden { number() } else { None }
    }
}

/// Words for people, by language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Text {
    /// English.
    pub en: String,
    /// Korean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ko: Option<String>,
}

impl Text {
    /// The Korean if it is wanted and there, else the English.
    #[must_use]
    pub fn of(&self, korean: bool) -> &str {
        self.ko.as_deref().filter(|_| korean).unwrap_or(&self.en)
    }

    fn is_empty(&self) -> bool {
        self == &Text::default()
    }
}

/// Where the image comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Image {
    /// Made by our own mkfs.
    Mkfs(Mkfs),
    /// A file of the user, found by its digest.
    Upload(Upload),
}

/// What mke2fs would be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mkfs {
    /// Size of the device, MiB.
    pub size_mib: u32,
    /// 1024, 2048 or 4096 bytes.
    #[serde(default = "block_default", skip_serializing_if = "is_block_default")]
    pub block_size: u32,
    /// Features on top of the defaults, `^name` to leave one out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Bytes of a cluster, with bigalloc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_size: Option<u32>,
    /// Percent of the blocks that only root may use.
    #[serde(default = "reserved_default", skip_serializing_if = "is_reserved_default")]
    pub reserved_percent: u8,
    /// Bytes of the device for each inode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode_ratio: Option<u32>,
    /// Inodes, instead of the ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inodes: Option<u32>,
    /// Size of the journal, MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_mib: Option<u32>,
    /// At most 16 bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Identity and hash seed.
    #[serde(default = "uuid_default", skip_serializing_if = "is_uuid_default")]
    pub uuid: String,
}

impl Default for Mkfs {
    fn default() -> Self {
        Mkfs {
            size_mib: 16,
            block_size: block_default(),
            features: Vec::new(),
            cluster_size: None,
            reserved_percent: reserved_default(),
            inode_ratio: None,
            inodes: None,
            journal_mib: None,
            label: String::new(),
            uuid: uuid_default(),
        }
    }
}

/// An image that the user supplies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Upload {
    /// The file's name, for the message that asks for it.
    pub name: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// The block device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// Kind.
    pub kind: DeviceKind,
    /// How long a request takes, ms; only a slow device has one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub latency_ms: u32,
    /// KiB that it moves in a second, absent for any number; only of a slow device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_kib_s: Option<u32>,
    /// Requests that it works on at once, absent for any number; only of a slow device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<u32>,
    /// A page is left alone while the device writes it, as one that computes checksums asks for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stable_writes: bool,
    /// Its own dirty pages are held to its share of the limits even while memory as a whole has
    /// few, as is done for FUSE (BDI_CAP_STRICTLIMIT).
    #[serde(default, skip_serializing_if = "is_default")]
    pub strict_limit: bool,
    /// What it fails, from the mount on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl Default for Device {
    fn default() -> Self {
        Device {
            kind: DeviceKind::Ram,
            latency_ms: 0,
            bandwidth_kib_s: None,
            queue_depth: None,
            stable_writes: false,
            strict_limit: false,
            faults: Vec::new(),
        }
    }
}

/// Kinds of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Completes at once, inside submit.
    Ram,
    /// Completes after `latency_ms`: a read puts the caller to sleep.
    Slow,
    /// Persistent memory, for DAX.
    Pmem,
}

/// The sysctls of dirty memory; absent for the kernel's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Vm {
    /// `vm.dirty_ratio`, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_ratio: Option<u32>,
    /// `vm.dirty_background_ratio`, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_background_ratio: Option<u32>,
    /// `vm.dirty_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_bytes: Option<u32>,
    /// `vm.dirty_background_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_background_bytes: Option<u32>,
    /// `vm.dirty_expire_centisecs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_expire_centisecs: Option<u32>,
    /// Pages of memory that data of files and the programs may take together; what is over is
    /// reclaimed. Absent: there is always a free page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_limit: Option<u32>,
    /// `vm.dirty_writeback_centisecs`; here 0, no periodic flusher, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty_writeback_centisecs: Option<u32>,
}

/// A program: a process of one thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Task {
    /// Its name, as interventions and traces say it.
    pub name: String,
    /// Operations that lead up to it, not traced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Op>,
    /// The operations that it is about. Numbers go on from `setup`.
    pub ops: Vec<Op>,
}

impl Task {
    /// Set-up and operations in one row; true with those that are traced.
    pub fn all_ops(&self) -> impl Iterator<Item = (&Op, bool)> {
        self.setup.iter().map(|op| (op, false)).chain(self.ops.iter().map(|op| (op, true)))
    }

    /// The operation with a number as traces print it.
    #[must_use]
    pub fn op(&self, index: usize) -> Option<&Op> {
        self.setup.get(index).or_else(|| self.ops.get(index.checked_sub(self.setup.len())?))
    }
}

/// Something that happens from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Intervention {
    /// Right after which step.
    pub at: At,
    /// What.
    #[serde(rename = "do")]
    pub act: Act,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// By its number: breaks when the engine's steps change.
    Step(u32),
    /// By what it is.
    Probe(ProbeAt),
}

impl At {
    /// The probe, if it is one.
    #[must_use]
    pub fn probe(&self) -> Option<&ProbeAt> {
        match self {
            At::Probe(probe) => Some(probe),
            At::Step(_) => None,
        }
    }
}

/// A probe of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProbeAt {
    /// The task's name; `B` for a second thread.
    pub task: String,
    /// Number of the operation, counted through set-up and operations from 0,
    /// as traces print it; of a second thread, of the one that made it ready.
    pub op: u32,
    /// Round of `generic_perform_write`, from 1; 0 outside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub iteration: u32,
    /// Try of the round, from 1; 0 outside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: u16,
    /// Name of the probe, such as `GPW_COPY`.
    pub site: String,
    /// Which hit among those alike in all of the above, from 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nth: u16,
}

/// What an intervention does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Drops pages of a buffer, as `madvise(MADV_DONTNEED)` does.
    Evict {
        /// The buffer.
        buf: String,
        /// First byte.
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        /// Bytes.
        #[serde(with = "Big")]
        len: u64,
    },
    /// The device fails requests from now on.
    Fault(Fault),
    /// The device fails no more.
    Mend {},
    /// EXT4_IOC_SHUTDOWN without a flush of the log.
    Shutdown {},
    /// The journal gives up, as after a failed write of its log.
    AbortJournal {},
    /// The time slice of the running task is over: another one that can run goes first.
    EndSlice {},
    /// The kernel's fault injection: the next so many allocations or copies fail.
    Fail {
        /// Which.
        what: FailWhat,
        /// How many.
        #[serde(default = "one_time", skip_serializing_if = "is_one_time")]
        times: u32,
    },
    /// A page of memory fails (hwpoison): it leaves the page cache, unless it is locked or under writeback.
    MemoryFailure {
        /// A descriptor of the file.
        fd: String,
        /// A byte of the page.
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
    },
    /// Sends SIGKILL.
    Sigkill {
        /// To whom.
        task: String,
    },
}

/// What fault injection lets fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailWhat {
    /// fail_page_alloc: pages for the cache of a file.
    PageAlloc,
    /// failslab: nodes of the tree of cached pages.
    Slab,
    /// fail_usercopy: copies of a segment from user memory.
    Usercopy,
}

/// A named place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Marker {
    /// Where.
    pub at: At,
    /// What it says.
    pub label: Text,
}

/// A scenario that cannot be used, and where its fault is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {reason}")]
pub struct ScenarioError {
    /// Path of the value, such as `tasks[0].ops[2].pwrite.iov[1]`; `.` for the whole.
    pub path: String,
    /// What is wrong with it.
    pub reason: Reason,
}

impl ScenarioError {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<Reason>) -> Self {
        ScenarioError { path: path.into(), reason: reason.into() }
    }
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The scenario.
    pub scenario: Scenario,
    /// Paths of keys that mean nothing to this version.
    pub warnings: Vec<String>,
}

/// The names of all probes, as [`ProbeAt::site`] takes them.
pub fn probe_names() -> impl Iterator<Item = &'static str> {
    kernel::site::SITES.iter().filter_map(|site| match site {
        kernel::site::Site::Probe(probe) => Some(probe.name),
        kernel::site::Site::Function(_) => None,
    })
}

/// Reads a scenario. Unknown keys are listed, not refused: a link made by a
/// later version still opens.
///
/// # Errors
/// Not JSON, of another version, of the wrong shape, or contradicting itself.
pub fn parse(json: &str) -> Result<Parsed, ScenarioError> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(|error| tracked::not_json(&error))?;
    check_version(&value)?;
    let (scenario, warnings): (Scenario, _) = tracked::from_value(&value)?;
    scenario.check()?;
    Ok(Parsed { scenario, warnings })
}

/// Reads a scenario as an editor does: an unknown key is an error.
///
/// # Errors
/// As [`parse`], and for each key that means nothing.
pub fn parse_strict(json: &str) -> Result<Scenario, ScenarioError> {
    let parsed = parse(json)?;
    match parsed.warnings.into_iter().next() {
        Some(path) => Err(ScenarioError::new(path, "unknown key")),
        None => Ok(parsed.scenario),
    }
}

/// Writes a scenario on one line, as short as it gets.
#[must_use]
pub fn emit(scenario: &Scenario) -> String {
    serde_json::to_string(scenario).expect("a scenario holds only strings, numbers and lists")
}

/// Writes a scenario for people.
#[must_use]
pub fn emit_pretty(scenario: &Scenario) -> String {
    serde_json::to_string_pretty(scenario).expect("a scenario holds only strings, numbers and lists")
}

/// Looks at the version alone, so that a later format gets this answer and not
/// one about a key.
fn check_version(value: &serde_json::Value) -> Result<(), ScenarioError> {
    match value.get("version") {
        Some(found) if found == VERSION => Ok(()),
        Some(found) => {
            let reason = reason!("this program reads version {}, the file has {}", VERSION, found.to_string());
            Err(ScenarioError::new("version", reason))
        }
        None => Err(ScenarioError::new("version", reason!("missing; this program reads version {}", VERSION))),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    value == &T::default()
}
fn memory_default() -> u32 {
    512
}
fn is_memory_default(mib: &u32) -> bool {
    *mib == memory_default()
}
fn gap_default() -> u32 {
    12
}
fn is_gap_default(ms: &u32) -> bool {
    *ms == gap_default()
}
fn block_default() -> u32 {
    4096
}
fn is_block_default(bytes: &u32) -> bool {
    *bytes == block_default()
}
fn reserved_default() -> u8 {
    5
}
fn is_reserved_default(percent: &u8) -> bool {
    *percent == reserved_default()
}
fn uuid_default() -> String {
    UUID.to_owned()
}
fn is_uuid_default(uuid: &String) -> bool {
    uuid == UUID
}
fn one_time() -> u32 {
    1
}
fn is_one_time(n: &u32) -> bool {
    *n == 1
}
fn one() -> u16 {
    1
}
fn is_one(n: &u16) -> bool {
    *n == 1
}
