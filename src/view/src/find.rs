//! The steps that say some words, and what a list says of a step.
//!
//! Words are looked for in what a step's row can show: its sentence, function, statement and line of source, task,
//! phase, call and iteration, and what happened in it. All of them must be there; words in quotation marks stand
//! together. The walk goes over the run in order and is continued as more steps are recorded.

use std::collections::BTreeMap;
use std::rc::Rc;

use kernel::site;
use session::run::Run;
use world::{History, World};

use crate::frame::{Event, StepLine};
use crate::index::Index;
use crate::moment::Moment;
use crate::program::Program;
use crate::text::narration::narrate;
use crate::viewer::crumb;

/// Rows that are kept: some screens full.
const KEPT: usize = 1000;

/// What was found so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The steps, in order; the same `Rc` while none is added.
    pub steps: Rc<Vec<u64>>,
    /// The last step that was looked at.
    pub walked: u64,
}

/// What is looked for, and the rows that were shown.
#[derive(Default)]
pub(crate) struct Finder {
    text: String,
    words: Vec<String>,
    /// Which of the words each site says.
    sites: BTreeMap<u16, u64>,
    /// The next step to look at.
    next: u32,
    found: Rc<Vec<u64>>,
    /// Rows, said when so many steps were known.
    lines: (u32, BTreeMap<u32, Rc<StepLine>>),
}

/// The words of a query, in small letters: what is in quotation marks is one.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let parts = text.split('"').enumerate();
    let split = |(at, part): (usize, &str)| -> Vec<String> {
        if at % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() }
    };
    // A mask has a bit for each.
    parts.flat_map(split).filter(|word| !word.trim().is_empty()).take(64).collect()
}

/// What is looked at.
struct Look<'a> {
    w: &'a mut World,
    h: &'a mut History,
    index: &'a Index,
    program: &'a Program,
    marks: &'a [(u64, String)],
}

impl Look<'_> {
    /// The sentence of a step.
    fn what(&mut self, step: u32) -> String {
        self.h.seek(self.w, step);
        narrate(&Moment::new(self.w, self.h, self.index, self.program, step)).0
    }

    fn site(&self, step: u32) -> Option<u16> {
        Some(self.h.steps.get(step.checked_sub(1)? as usize)?.site)
    }

    fn line(&mut self, step: u32) -> StepLine {
        let probe = self.site(step).and_then(site::probe);
        let source = probe.filter(|probe| probe.line > 0);
        StepLine {
            function: probe.map_or("", |probe| probe.function.name).to_owned(),
            code: probe.map_or("", |probe| probe.code).to_owned(),
            source: source.map_or_else(String::new, |probe| format!("{}:{}", probe.function.file, probe.line)),
            what: self.what(step),
        }
    }

    /// What the step says beside its site and its sentence.
    fn place(&self, step: u32) -> String {
        let (index, mut said) = (self.index, crumb(self.index, self.program, step));
        let mut add = |part: &str| {
            said.push('\n');
            said.push_str(part);
        };
        if let Some(task) = self.h.steps.get((step as usize).wrapping_sub(1)).and_then(|header| header.task()) {
            add(index.task(task.0));
        }
        add(index.info(step).phase.name());
        for Event { kind, text, .. } in index.events_at(step) {
            add(kind.name());
            add(text);
        }
        let at = u64::from(step);
        let from = self.marks.partition_point(|mark| mark.0 < at);
        self.marks[from..].iter().take_while(|mark| mark.0 == at).for_each(|mark| add(&mark.1));
        said.to_lowercase()
    }
}

impl Finder {
    fn ask(&mut self, text: &str) {
        if self.text != text {
            let lines = std::mem::take(&mut self.lines);
            *self = Finder { text: text.to_owned(), words: words(text), lines, ..Finder::default() };
        }
    }

    /// Looks at `budget` steps more. False if there are more to look at.
    fn walk(&mut self, look: &mut Look, budget: u32) -> bool {
        let end = look.h.len() + 1;
        let to = self.next.saturating_add(budget).min(end);
        if self.words.is_empty() {
            self.next = end;
        }
        let all = u64::MAX >> (64 - self.words.len().max(1));
        while self.next < to {
            let step = self.next;
            let said = |text: &str| {
                let bits = self.words.iter().enumerate().filter(|(_, word)| text.contains(word.as_str()));
                bits.fold(0, |mask, (bit, _)| mask | 1_u64 << bit)
            };
            let mut mask = match look.site(step) {
                Some(id) => *self.sites.entry(id).or_insert_with(|| {
                    let of = |probe: &site::ProbeSite| {
                        let at = (probe.function.name, probe.code, probe.function.file, probe.line);
                        said(&format!("{}\n{}\n{}:{}", at.0, at.1, at.2, at.3).to_lowercase())
                    };
                    site::probe(id).map_or(0, of)
                }),
                None => 0,
            };
            // The sentence comes last: it takes a seek.
            if mask != all {
                mask |= said(&look.place(step));
            }
            if mask != all {
                mask |= said(&look.what(step).to_lowercase());
            }
            if mask == all {
                Rc::make_mut(&mut self.found).push(step.into());
            }
            self.next += 1;
        }
        self.next >= end
    }

    fn line(&mut self, look: &mut Look, step: u32) -> Rc<StepLine> {
        let known = look.h.len();
        if self.lines.0 != known || self.lines.1.len() >= KEPT {
            self.lines = (known, BTreeMap::new());
        }
        Rc::clone(self.lines.1.entry(step).or_insert_with(|| Rc::new(look.line(step))))
    }
}

impl crate::Viewer {
    fn looked<R>(&mut self, run: &Run, ask: impl FnOnce(&mut Finder, &mut Look) -> R) -> R {
        run.machine().with_history(|w, h| {
            self.index.extend(w, h, &self.program);
            let mut look = Look { w, h, index: &self.index, program: &self.program, marks: &self.marks };
            ask(&mut self.finder, &mut look)
        })
    }

    /// What a list says of these steps; the same `Rc` as long as nothing is recorded.
    pub fn lines(&mut self, run: &Run, steps: &[u64]) -> Vec<Rc<StepLine>> {
        self.looked(run, |finder, look| {
            let end = look.h.len();
            let steps = steps.iter().map(|step| u32::try_from(*step).unwrap_or(u32::MAX).min(end));
            steps.map(|step| finder.line(look, step)).collect()
        })
    }

    /// Looks for `text` in `budget` steps more, from where the last call for it ended. True if all are looked at.
    pub fn find(&mut self, run: &Run, text: &str, budget: u32) -> bool {
        self.looked(run, |finder, look| {
            finder.ask(text);
            finder.walk(look, budget)
        })
    }

    /// What was found so far.
    #[must_use]
    pub fn found(&self) -> Found {
        Found { steps: Rc::clone(&self.finder.found), walked: self.finder.next.saturating_sub(1).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_words_and_what_is_in_quotation_marks() {
        for (text, expect) in [
            ("  Page 0 ", vec!["page", "0"]),
            ("\"page 0\" Copy", vec!["page 0", "copy"]),
            ("copy \"page", vec!["copy", "page"]),
            ("\" \"", vec![]),
        ] {
            assert_eq!(words(text), expect, "{text}");
        }
    }
}
