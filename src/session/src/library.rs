//! The scenarios that come with the program: `static/scenarios/*.json`, in the order of `index.json`, which groups them
//! by the question that a reader comes with.

use serde::Deserialize;

use crate::scenario::{Scenario, Text, parse_strict};

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(
            ($name, include_str!(concat!("../../../static/scenarios/", $name, ".json")))
        ),*];
    };
}

scenarios!(
    "full-page",
    "two-pages-unaligned",
    "writev-odd-segments",
    "empty-segments",
    "write-zero-length",
    "suid-strip",
    "two-writers-same-inode",
    "read-modify-write",
    "overwrite-uncached-partial",
    "block-1k-overwrite-uncached",
    "short-copy",
    "short-copy-nothing",
    "source-page-reclaimed",
    "short-copy-race",
    "self-copy",
    "efault-after-progress",
    "enospc-delalloc",
    "rlimit-fsize",
    "fatal-signal",
    "shutdown-between-pages",
    "immutable-flag",
    "nowait-buffered",
    "forced-shutdown",
    "killed-before-the-first-page",
    "abort-and-nothing-copied",
    "error-instead-of-count",
    "open-write-map",
    "fsync-after-write",
    "data-journal",
    "inline-data",
    "o-direct",
    "dax-write",
    "mmap-then-write",
    "hole",
    "fallocate-then-write",
    "truncate-then-write",
    "collapse-range",
    "freerun",
    "background-flush",
    "throttled-slow",
    "throttled-killed",
    "two-writers-share",
    "redirtied-under-writeback",
    "stable-writes",
);

/// One line of the library.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// Its name in links.
    pub name: String,
    /// Raised when the scenario changes so that old links mean another one.
    pub version: u32,
    /// A few words.
    pub title: Text,
    /// What to think about before one steps through it.
    #[serde(default)]
    pub question: Text,
    /// The recorded case that it repeats (`tests/golden`): what the kernel said at its steps is in
    /// `static/golden/`, under the scenario's own name.
    #[serde(default)]
    pub golden: Option<String>,
}

/// The scenarios that answer one question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// What a reader asks.
    pub question: Text,
    /// The answers, the plainest first.
    pub scenarios: Vec<Entry>,
}

/// The library, in the order of the picker.
///
/// # Panics
/// If the library that was built in is damaged, which a test rules out.
#[must_use]
pub fn groups() -> Vec<Group> {
    serde_json::from_str(include_str!("../../../static/scenarios/index.json")).expect("the library's index is good")
}

/// All scenarios of the library, in the order of the picker.
///
/// # Panics
/// As [`groups`].
#[must_use]
pub fn entries() -> Vec<Entry> {
    groups().into_iter().flat_map(|group| group.scenarios).collect()
}

/// A scenario of the library.
///
/// # Panics
/// If the library that was built in is damaged, which a test rules out.
#[must_use]
pub fn scenario(name: &str) -> Option<Scenario> {
    let (_, json) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(parse_strict(json).expect("the library's scenarios are good"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_files_are_the_same_list() {
        let names: Vec<String> = entries().into_iter().map(|entry| entry.name).collect();
        let files: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, files);
        for entry in entries() {
            let scenario = scenario(&entry.name).expect("it is in the list");
            assert_eq!(scenario.title, entry.title, "{}", entry.name);
        }
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../static/scenarios");
        let on_disk = std::fs::read_dir(dir).expect("the library is there").count();
        assert_eq!(on_disk, files.len() + 1, "a file of the library is not built in");
    }
}
