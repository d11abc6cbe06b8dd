//! The library, as the picker lists it.

use session::library;

use crate::frame::ScenarioInfo;
use crate::text::is_korean;

/// The scenarios of the library, in the order of the picker.
#[must_use]
pub fn library() -> Vec<ScenarioInfo> {
    let mut all = Vec::new();
    for group in library::groups() {
        all.extend(group.scenarios.into_iter().map(|entry| ScenarioInfo {
            name: entry.name,
            title: entry.title.of(is_korean()).to_owned(),
            question: entry.question.of(is_korean()).to_owned(),
            group: group.question.of(is_korean()).to_owned(),
            recorded: entry.golden.is_some(),
        }));
    }
    all
}
