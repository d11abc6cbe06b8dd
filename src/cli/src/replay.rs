//! A scenario run to its end, and what came out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;
use session::golden::{CaseResult, ProcessEnd, Syscall, errno_name};
use session::graph_text;
use session::loop_text::{self, Detail, Labels};
use session::run::{Progress, Run, RunError, RunOptions};
use session::scenario::{self, Op, Scenario, ScenarioError};
use thiserror::Error;

use crate::image::{Image, ImageError, write_sparse};

/// A run of more steps is taken to be endless.
const STEPS_MAX: u64 = 50_000_000;
/// Steps at a time.
const SLICE: u32 = 1_000_000;

/// Why a scenario gave no outcome.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// Not a scenario.
    #[error("{0}")]
    Scenario(#[from] ScenarioError),
    /// It cannot start.
    #[error("{0}")]
    Run(#[from] RunError),
    /// It hangs.
    #[error("all tasks sleep and nothing will wake one, in op{op} {text}")]
    Deadlock {
        /// Number of the operation that did not return.
        op: usize,
        /// The operation.
        text: String,
    },
    /// It does not end.
    #[error("no end after {0} steps")]
    Endless(u64),
    /// Its image is damaged.
    #[error("the image after the run cannot be read: {0}")]
    Image(#[from] ImageError),
}

/// A scenario as it was read from a file, in either format.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The scenario.
    pub scenario: Scenario,
    /// Files to look at afterwards.
    pub files: Vec<String>,
    /// The traces show kernel threads too (`trace_scope: all`).
    pub kernel_threads: bool,
    /// What to tell the user: keys without meaning.
    pub warnings: Vec<String>,
}

/// Reads a scenario of our own, or the `scenario.json` of a recorded case.
///
/// # Errors
/// Where and what is wrong with it.
pub fn parse(name: &str, json: &str) -> Result<Input, ScenarioError> {
    #[derive(Deserialize)]
    struct Case {
        name: Option<String>,
        setup: Option<serde::de::IgnoredAny>,
        files: Option<Vec<String>>,
        trace_scope: Option<String>,
    }
    if let Ok(Case { name: Some(name), setup: Some(_), files, trace_scope }) = serde_json::from_str(json) {
        let scenario = scenario::from_golden(json)?;
        let kernel_threads = trace_scope.as_deref() == Some("all");
        let files = files.unwrap_or_default();
        return Ok(Input { name, files, kernel_threads, scenario, warnings: Vec::new() });
    }
    let parsed = scenario::parse(json)?;
    let mut files: Vec<String> = Vec::new();
    for (op, _) in parsed.scenario.tasks.iter().flat_map(scenario::Task::all_ops) {
        let path = match op {
            Op::Open { path, flags, .. } if !flags.contains("DIRECTORY") && !flags.contains("TMPFILE") => path,
            Op::Linkfd { path, .. } | Op::Rename { to: path, .. } | Op::Unlink { path } => path,
            _ => continue,
        };
        if !files.contains(path) {
            files.push(path.clone());
        }
    }
    let kernel_threads = true;
    Ok(Input { name: name.to_owned(), scenario: parsed.scenario, files, kernel_threads, warnings: parsed.warnings })
}

/// What came out.
#[derive(Debug)]
pub struct Replay {
    /// `result.json`.
    pub result: CaseResult,
    /// `loop.txt`.
    pub loop_text: String,
    /// `events.txt`.
    pub events_text: String,
    /// `graph.txt`.
    pub graph_text: String,
    /// The device after the unmount.
    pub image: Vec<u8>,
    /// What the engine does not model yet.
    pub lacks: Vec<String>,
}

/// Runs a scenario to its end. `upload` is the image it names, if it does.
///
/// # Errors
/// See [`ReplayError`].
pub fn replay(input: &Input, upload: Option<Vec<u8>>) -> Result<Replay, ReplayError> {
    let scenario = &input.scenario;
    let mut run =
        Run::new(scenario, RunOptions { trace: true, all_calls: true, image: upload, ..RunOptions::default() })?;
    let mut steps = 0;
    loop {
        match run.step(SLICE) {
            Progress::Running => {}
            Progress::Finished => break,
            Progress::Deadlock => {
                let op = run.results().len();
                let text = scenario.tasks.first().and_then(|task| task.op(op)).map_or("exit".to_owned(), Op::text);
                return Err(ReplayError::Deadlock { op, text });
            }
        }
        steps += u64::from(SLICE);
        if steps >= STEPS_MAX {
            return Err(ReplayError::Endless(steps));
        }
    }
    let bytes = run.image();
    let image = Image::new(&bytes)?;
    let mut files = BTreeMap::new();
    for path in &input.files {
        files.insert(path.clone(), image.file(path)?);
    }
    let syscalls = run.results().into_iter().map(|call| Syscall {
        op: call.index,
        text: call.text,
        ret: (!call.killed).then_some(call.ret),
        errno: call.errno.filter(|_| !call.killed).map(errno_name),
        killed: call.killed,
        traced: call.traced,
        kernel_ret: call.kernel_ret,
    });
    let end = run.process_end();
    let result = CaseResult {
        scenario: input.name.clone(),
        process_end: ProcessEnd { exit: end.exit, signal: end.signal },
        syscalls: syscalls.collect(),
        e2fsck_exit: e2fsck(&bytes),
        fs_after: image.counts(),
        files,
    };
    let labels = labels(&run, scenario, input.kernel_threads);
    let first = scenario.tasks.first().map_or(0, |task| task.setup.len()) as u64;
    let trace = run.trace();
    Ok(Replay {
        result,
        loop_text: loop_text::text(&trace, &labels, first, Detail::Loop),
        events_text: loop_text::text(&trace, &labels, first, Detail::Events),
        graph_text: graph_text::text(&trace, &labels, first),
        lacks: run.lacks(),
        image: bytes,
    })
}

/// Names for the numbers of a run's trace; kernel threads have none if they are
/// not to be shown.
#[must_use]
pub fn labels(run: &Run, scenario: &Scenario, kernel_threads: bool) -> Labels {
    let label = |name: &str| name.split('/').next().unwrap_or(name).to_owned();
    let tasks = run.machine().with(|w| {
        let shown = w.comms.iter().filter(|(id, _)| kernel_threads || w.tasks.at(*id).process != 0);
        shown.map(|(id, comm)| (id.0, label(comm.as_str()))).collect()
    });
    Labels {
        ops: scenario.tasks.first().into_iter().flat_map(|task| task.all_ops().map(|(op, _)| op.text())).collect(),
        buffers: run.buffers().to_vec(),
        tasks,
    }
}

/// A new name for a file in the system's folder for such files.
fn scratch() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("writepath-{}-{n}.img", std::process::id()))
}

/// Exit status of `e2fsck -fn`; `None` if it cannot be run.
#[must_use]
pub fn e2fsck(image: &[u8]) -> Option<i32> {
    let path = scratch();
    let status = write_sparse(&path, image).ok().and_then(|()| e2fsck_file(&path));
    let _ = std::fs::remove_file(&path);
    status
}

fn e2fsck_file(path: &Path) -> Option<i32> {
    let with_sbin = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("e2fsck").env("PATH", with_sbin).arg("-fn").arg(path).output().ok()?;
    output.status.code()
}
