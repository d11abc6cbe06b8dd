//! English: what goes wrong outside of the file: a device that fails, a journal that stops, a frozen file system.

use super::Said;
use super::en::{Words, say};

/// The sentences of a step.
pub(super) fn narrate(_t: &Words, probe: &str) -> Option<Said> {
    match probe {
        "WSP_WAIT" => say(
            "The page is on its way to a device that wants its bytes left alone.",
            "On a plain RAM disk the copy would go ahead while the old bytes are written.",
        ),
        _ => None,
    }
}
