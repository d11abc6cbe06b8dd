//! The scenarios that come with the program: `static/scenarios/*.json`, in the order of `index.json`, which groups them
//! by the question that a reader comes with.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::scenario::{Scenario, ScenarioError, Text, parse_strict};

macro_rules! scenarios {
    ($first:literal, $($name:literal),* $(,)?) => {
        /// The first one; all of them where they are built in. A page fetches the others when they are wanted.
        const FILES: &[(&str, &str)] = &[
            ($first, include_str!(concat!("../../../static/scenarios/", $first, ".json"))),
            $(
                #[cfg(any(test, feature = "library"))]
                ($name, include_str!(concat!("../../../static/scenarios/", $name, ".json"))),
            )*
        ];
    };
}

thread_local! {
    /// The files that were handed in: name and JSON.
    static SUPPLIED: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
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

/// A scenario of the library; `None` if it has none of the name, or its file was not handed in yet.
///
/// # Panics
/// If the library that was built in is damaged, which a test rules out.
#[must_use]
pub fn scenario(name: &str) -> Option<Scenario> {
    let built_in = FILES.iter().find(|(known, _)| *known == name);
    if let Some((_, json)) = built_in {
        return Some(parse_strict(json).expect("the library's scenarios are good"));
    }
    SUPPLIED.with_borrow(|files| files.get(name).and_then(|json| parse_strict(json).ok()))
}

/// Whether the library has a scenario of this name whose file has to be handed in first.
#[must_use]
pub fn is_missing(name: &str) -> bool {
    let here = FILES.iter().any(|(known, _)| *known == name) || SUPPLIED.with_borrow(|files| files.contains_key(name));
    !here && entries().iter().any(|entry| entry.name == name)
}

/// Hands in the file of a scenario: `static/scenarios/NAME.json`.
///
/// # Errors
/// It is no scenario.
pub fn supply(name: &str, json: String) -> Result<(), ScenarioError> {
    parse_strict(&json)?;
    SUPPLIED.with_borrow_mut(|files| files.insert(name.to_owned(), json));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_handed_in() {
        assert!(!is_missing("short-copy"), "it is built in");
        assert!(!is_missing("none-of-ours"));
        assert!(supply("mine", "{}".into()).is_err());
        let (_, json) = FILES[3];
        supply("mine", json.into()).expect("it is a scenario");
        assert_eq!(scenario("mine"), scenario(FILES[3].0));
    }

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
