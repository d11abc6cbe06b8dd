//! Branch coverage of the write path: which rows of `tests/branches.csv` the scenarios reach, as told by the probes
//! that their runs hit.
//!
//! ```text
//!   branches.csv ── id ── Row { probe or return, predicate } ── At: locals, calls, World
//!                                                                └ walk: a recorded run
//! ```
//!
//! `cargo xtask branches` prints what is missed; `tests/branches.rs` holds the result to `branches.txt` and the missed
//! rows to their reasons in docs/omissions.md#branches.

mod observe;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use session::library;
use session::run::{Run, RunOptions};
use session::scenario::{Scenario, from_golden, parse_strict};

pub use observe::{At, Trigger, walk};
pub use rows::{Row, rows};

/// A line of `branches.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its number.
    pub id: u16,
    /// 1: what every write meets; 2: what ext4 decides; 3: what lies below.
    pub tier: u8,
    /// The kernel's function.
    pub function: String,
    /// Where.
    pub place: String,
    /// What decides.
    pub condition: String,
    /// What follows.
    pub outcome: String,
}

impl Branch {
    /// True if the row is counted later: other ways into the file, cgroups, direct I/O and fsync.
    #[must_use]
    pub fn is_later(&self) -> bool {
        match self.tier {
            1 => matches!(self.id, 1 | 2 | 4 | 6 | 8 | 12..=14),
            2 => matches!(self.id, 68 | 80 | 91 | 93 | 99 | 176..=215),
            _ => {
                ["ext4_sync_file", "file_write_and_wait_range"].contains(&self.function.as_str())
                    || self.function.starts_with("ext4_fsync_")
            }
        }
    }
}

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of `branches.csv`.
///
/// # Panics
/// If the file is damaged.
#[must_use]
pub fn branches() -> Vec<Branch> {
    let text = std::fs::read_to_string(tests().join("branches.csv")).expect("branches.csv is there");
    let branch = |line: &str| {
        let mut cells = line.splitn(7, ',').map(str::to_owned);
        let mut cell = || cells.next().unwrap_or_default();
        let (id, tier) = (cell().parse().ok()?, cell().parse().ok()?);
        Some(Branch { id, tier, function: cell(), place: cell(), condition: cell(), outcome: cell() })
    };
    text.lines().skip(1).map(|line| branch(line).unwrap_or_else(|| panic!("branches.csv: {line}"))).collect()
}

/// The library's scenarios, our own of `tests/scenarios`, and the recorded cases, by name.
///
/// # Panics
/// If one of them cannot be read.
#[must_use]
pub fn scenarios() -> Vec<(String, Scenario)> {
    let mut all: Vec<(String, Scenario)> = library::entries()
        .into_iter()
        .filter_map(|entry| Some((entry.name.clone(), library::scenario(&entry.name)?)))
        .collect();
    for (folder, read) in [
        ("scenarios", parse_strict as fn(&str) -> Result<Scenario, _>),
        ("golden", from_golden as fn(&str) -> Result<Scenario, _>),
    ] {
        let entries = std::fs::read_dir(tests().join(folder)).expect("the folder is there");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("scenario.json")).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.is_file()) {
            let json = std::fs::read_to_string(path).expect("a scenario can be read");
            let scenario = read(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
            all.push((format!("{folder}/{name}"), scenario));
        }
    }
    all
}

/// The rows that a scenario reaches; none if the engine cannot start it.
#[must_use]
pub fn reached_by(scenario: &Scenario) -> BTreeSet<u16> {
    let options = RunOptions { recording: true, trace: true, all_calls: true, ..RunOptions::default() };
    let Ok(mut run) = Run::new(scenario, options) else {
        return BTreeSet::new(); // tests/golden/agreement.txt says which
    };
    run.finish();
    let mut waiting: BTreeMap<Trigger, Vec<Row>> = BTreeMap::new();
    for row in rows() {
        waiting.entry(row.trigger).or_default().push(row);
    }
    let mut reached = BTreeSet::new();
    walk(&run, |trigger, at| {
        if let Some(rows) = waiting.get_mut(&trigger) {
            rows.retain(|row| {
                let hit = reached.contains(&row.id) || (row.when)(at);
                if hit {
                    reached.insert(row.id);
                }
                !hit
            });
        }
    });
    reached
}

/// Row to the scenarios that reach it, in the order of [`scenarios`].
#[must_use]
pub fn coverage() -> BTreeMap<u16, Vec<String>> {
    let mut all: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (name, scenario) in scenarios() {
        for id in reached_by(&scenario) {
            all.entry(id).or_default().push(name.clone());
        }
    }
    all
}

/// The counted rows that nothing reaches.
#[must_use]
pub fn missed(coverage: &BTreeMap<u16, Vec<String>>) -> Vec<Branch> {
    branches().into_iter().filter(|branch| !branch.is_later() && !coverage.contains_key(&branch.id)).collect()
}

/// What `cargo xtask branches` prints.
#[must_use]
pub fn report(coverage: &BTreeMap<u16, Vec<String>>) -> String {
    let mut text = String::new();
    for branch in missed(coverage) {
        let Branch { id, tier, function, place, condition, outcome } = branch;
        let _ = writeln!(text, "missed {id} (tier {tier}) {function} {place}: {condition} -> {outcome}");
    }
    for tier in 1..=3 {
        let (later, counted): (Vec<_>, Vec<_>) =
            branches().into_iter().filter(|branch| branch.tier == tier).partition(Branch::is_later);
        let reached = counted.iter().filter(|branch| coverage.contains_key(&branch.id)).count();
        let _ = writeln!(text, "tier {tier} {reached}/{} later {}", counted.len(), later.len());
    }
    text
}
