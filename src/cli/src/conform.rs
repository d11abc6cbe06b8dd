//! Recorded cases replayed and compared.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use session::golden;

use crate::replay::{self, Replay};

/// How one file of a case compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It agrees.
    Agrees,
    /// The first thing in which it does not.
    Differs(String),
    /// It is not to be compared.
    NotCounted,
}

impl Verdict {
    fn of(difference: Option<String>) -> Self {
        difference.map_or(Verdict::Agrees, Verdict::Differs)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Agrees => out.write_str("ok"),
            Verdict::Differs(difference) => write!(out, "differs ({difference})"),
            Verdict::NotCounted => out.write_str("not counted"),
        }
    }
}

/// How one case compares.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// `result.json` and the image.
    pub result: Verdict,
    /// `loop.txt`.
    pub loop_: Verdict,
    /// Percent of `events.txt`, if it counts.
    pub events: Option<f64>,
    /// Percent of `graph.txt`, if it counts.
    pub graph: Option<f64>,
    /// What the engine does not model yet.
    pub lacks: Vec<String>,
}

impl fmt::Display for CaseReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:<32} result {}  loop {}", self.name, self.result, self.loop_)?;
        for (what, ratio) in [("events", self.events), ("graph", self.graph)] {
            match ratio {
                Some(percent) => write!(out, "  {what} {percent:.1}%")?,
                None => write!(out, "  {what} not counted")?,
            }
        }
        if !self.lacks.is_empty() {
            write!(out, "  lacks: {}", self.lacks.join(", "))?;
        }
        Ok(())
    }
}

/// The closing line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Cases whose result agrees, of how many.
    pub result: (usize, usize),
    /// Cases whose loop agrees, of how many.
    pub loop_: (usize, usize),
    /// Mean percent of events.
    pub events: f64,
    /// Mean percent of graph.
    pub graph: f64,
}

impl Totals {
    /// Sums reports up.
    #[must_use]
    pub fn of(reports: &[CaseReport]) -> Self {
        let count = |pick: fn(&CaseReport) -> &Verdict| {
            let counted = reports.iter().map(pick).filter(|verdict| **verdict != Verdict::NotCounted);
            let agree = reports.iter().map(pick).filter(|verdict| **verdict == Verdict::Agrees);
            (agree.count(), counted.count())
        };
        #[allow(clippy::cast_precision_loss, reason = "tens of cases")]
        let mean = |pick: fn(&CaseReport) -> Option<f64>| {
            let values: Vec<f64> = reports.iter().filter_map(pick).collect();
            if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
        };
        Totals {
            result: count(|report| &report.result),
            loop_: count(|report| &report.loop_),
            events: mean(|report| report.events),
            graph: mean(|report| report.graph),
        }
    }

    /// True if every result and every loop agrees, and there was one.
    #[must_use]
    pub fn all_agree(&self) -> bool {
        self.result.0 == self.result.1 && self.loop_.0 == self.loop_.1 && self.result.1 > 0
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (result, loop_) = (self.result, self.loop_);
        write!(
            out,
            "result {}/{} loop {}/{} events {:.1} graph {:.1}",
            result.0, result.1, loop_.0, loop_.1, self.events, self.graph
        )
    }
}

/// The cases under a folder, by name; the folder itself if it is one.
///
/// # Errors
/// If the folder cannot be read or holds no case.
pub fn cases(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if folder.join("scenario.json").is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.join("scenario.json").is_file()).collect();
    found.sort();
    if found.is_empty() {
        return Err(format!("{}: no folder with a scenario.json in it", folder.display()));
    }
    Ok(found)
}

/// What a case says of its own files.
#[derive(Default, Deserialize)]
struct Marks {
    #[serde(default)]
    compare: Option<String>,
    #[serde(default)]
    unstable: Vec<String>,
}

/// Replays a case and compares. Whatever goes wrong, a panic included, is in
/// the report.
#[must_use]
pub fn run_case(folder: &Path) -> CaseReport {
    let name =
        folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned());
    let report = CaseReport {
        name,
        result: Verdict::NotCounted,
        loop_: Verdict::NotCounted,
        events: None,
        graph: None,
        lacks: Vec::new(),
    };
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| format!("{file}: {error}"));
    let prepared = read("scenario.json").and_then(|json| {
        let marks: Marks = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        Ok((replay::parse(&report.name, &json).map_err(|error| error.to_string())?, marks))
    });
    let (input, marks) = match prepared {
        Ok(prepared) => prepared,
        Err(reason) => return CaseReport { result: Verdict::Differs(reason), ..report },
    };
    let counted = |file: &str| {
        let results_only = marks.compare.as_deref() == Some("results-only");
        let stable = !marks.unstable.iter().any(|unstable| unstable == file);
        read(file).ok().filter(|text| stable && !results_only && !golden::is_cut(text))
    };
    let (loop_want, events_want, graph_want) = (counted("loop.txt"), counted("events.txt"), counted("graph.txt"));
    let outcome = quietly(|| replay::replay(&input, None).map_err(|error| error.to_string()));
    let replayed: Replay = match outcome.unwrap_or_else(Err) {
        Ok(replayed) => replayed,
        Err(reason) => {
            return CaseReport {
                result: Verdict::Differs(reason),
                loop_: loop_want.map_or(Verdict::NotCounted, |_| Verdict::Differs("no run".to_owned())),
                events: events_want.map(|_| 0.0),
                graph: graph_want.map(|_| 0.0),
                ..report
            };
        }
    };
    let result = match read("result.json").and_then(|json| golden::parse_result(&json)) {
        Ok(want) => Verdict::of(golden::result_difference(&want, &replayed.result)),
        Err(reason) => Verdict::Differs(reason),
    };
    let loop_ = loop_want.map_or(Verdict::NotCounted, |want| {
        Verdict::of(golden::loop_difference(&want, &replayed.loop_text).map(|difference| difference.to_string()))
    });
    let events = events_want
        .map(|want| 100.0 * golden::ratio(&golden::event_lines(&want), &golden::event_lines(&replayed.events_text)));
    let graph = graph_want
        .map(|want| 100.0 * golden::ratio(&golden::graph_names(&want), &golden::graph_names(&replayed.graph_text)));
    CaseReport { result, loop_, events, graph, lacks: replayed.lacks, ..report }
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic becomes an error that names its place.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    use std::sync::Once;
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = PANIC.with_borrow_mut(|slot| match slot {
                Some(place) => {
                    let at = info.location().map_or(String::new(), |at| format!(" at {}:{}", at.file(), at.line()));
                    *place = format!("{}{at}", info.payload_as_str().unwrap_or("a panic"));
                    true
                }
                None => false,
            });
            if !ours {
                before(info);
            }
        }));
    });
    PANIC.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let place = PANIC.take().unwrap_or_default();
    outcome.map_err(|_| format!("panic: {}", place.lines().collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let outcome = quietly(|| assert_eq!(1 + 1, 3, "sums"));
        let message = outcome.expect_err("it panics");
        assert!(message.contains("sums") && message.contains("conform.rs"), "{message}");
        assert_eq!(quietly(|| 7), Ok(7));
    }

    #[test]
    fn the_closing_line() {
        let report = |result: Verdict, loop_: Verdict, events| CaseReport {
            name: "x".into(),
            result,
            loop_,
            events,
            graph: Some(0.0),
            lacks: vec!["splice".into()],
        };
        let differs = || Verdict::Differs("ret 1, expected 2".into());
        let reports = [
            report(Verdict::Agrees, Verdict::Agrees, Some(100.0)),
            report(differs(), Verdict::NotCounted, Some(50.0)),
            report(Verdict::Agrees, differs(), None),
        ];
        let totals = Totals::of(&reports);
        assert_eq!(totals.to_string(), "result 2/3 loop 1/2 events 75.0 graph 0.0");
        assert!(!totals.all_agree());
        assert!(Totals::of(&reports[..1]).all_agree());
        assert!(!Totals::of(&[]).all_agree());
        let line = reports[1].to_string();
        assert!(line.ends_with(
            "result differs (ret 1, expected 2)  loop not counted  events 50.0%  graph 0.0%  lacks: splice"
        ));
    }
}
