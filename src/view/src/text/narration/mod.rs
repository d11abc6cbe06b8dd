//! The sentence of each step: what happened, and why.
//!
//! One function per language gives both for a probe, made from the step's own
//! values. The compiler checks that no language is forgotten; a test checks
//! that no probe is.

mod en;

use kernel::site::ProbeSite;

use super::Lang;
use crate::moment::Moment;

/// What happened in a step, and why; each one sentence, the second may be empty.
pub(crate) fn narrate(lang: Lang, m: &Moment) -> (String, String) {
    match lang {
        Lang::En => en::narrate(m),
    }
}

/// True if a probe has a sentence of its own in every language.
pub(crate) fn has_sentence(probe: &ProbeSite) -> bool {
    en::has_sentence(probe.id)
}
