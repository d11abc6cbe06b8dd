//! The sentence of each step: what happened, and why.
//!
//! Made from the step's own values. Tests check that no probe is forgotten,
//! nor a sentence in the catalogue of another language.

mod dax;
mod faults;
mod flusher;
mod fs;
mod indirect;
mod inline;
mod ranges;
mod reclaim;
mod write;

use crate::moment::Moment;

/// What happened, and why; each one sentence, the second may be empty.
pub(crate) type Said = (String, String);

/// The sentences of a step. A probe that nobody has written one for speaks in
/// its own code.
pub(crate) fn narrate(m: &Moment) -> Said {
    write::narrate(m).unwrap_or_else(|| match m.probe() {
        Some(probe) => (format!("{}: {}.", probe.function.name, probe.code), String::new()),
        None => (String::new(), String::new()),
    })
}

#[cfg(test)]
mod tests {
    use kernel::site::{SITES, Site};
    use world::{History, StepHeader, TaskId, World};

    use super::*;
    use crate::index::Index;
    use crate::program::Program;

    /// Probes without a sentence of their own.
    fn silent() -> Vec<&'static str> {
        let world = World::default();
        let mut history = History::new(&world);
        let (index, program) = (Index::default(), Program::default());
        let mut silent = Vec::new();
        for row in SITES {
            let Site::Probe(probe) = row else { continue };
            let frame = history.frame(0, probe.function.id);
            let header = StepHeader::new(probe.id, 0, TaskId(0), frame);
            let mut moment = Moment::new(&world, &history, &index, &program, 0);
            moment.step = 1;
            moment.header = Some(header);
            moment.stack = crate::moment::stack_of(&history, frame);
            match write::narrate(&moment) {
                None => silent.push(probe.name),
                Some((what, why)) => {
                    for text in [&what, &why] {
                        assert!(!text.contains('!') && !text.contains("  "), "{}: {text}", probe.name);
                        assert!(text.is_empty() || text.ends_with('.'), "{}: {text}", probe.name);
                    }
                }
            }
        }
        silent
    }

    #[test]
    fn every_probe_has_a_sentence_of_its_own() {
        assert_eq!(silent(), Vec::<&str>::new());
    }
}
