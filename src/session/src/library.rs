//! The scenarios that come with the program: `static/scenarios/*.json`, in the
//! order of `index.json`.

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
    "read-modify-write",
    "hole",
    "writev-odd-segments",
    "short-copy",
    "short-copy-nothing",
    "efault-after-progress",
    "fatal-signal",
    "short-copy-race",
    "overwrite-uncached-partial",
    "block-1k-overwrite-uncached",
    "data-journal",
    "enospc-delalloc",
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
    /// The question it answers.
    #[serde(default)]
    pub question: Text,
    /// The recorded case that it repeats (`tests/golden`): what the kernel said at its steps is in
    /// `static/golden/`, under the scenario's own name.
    #[serde(default)]
    pub golden: Option<String>,
}

/// The library's lines, in the order of the picker.
///
/// # Panics
/// If the library that was built in is damaged, which a test rules out.
#[must_use]
pub fn entries() -> Vec<Entry> {
    serde_json::from_str(include_str!("../../../static/scenarios/index.json")).expect("the library's index is good")
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
