//! English.
use crate::moment::Moment;

pub(super) fn narrate(_m: &Moment) -> (String, String) { (String::new(), String::new()) }
pub(super) fn has_sentence(_id: u16) -> bool { true }
