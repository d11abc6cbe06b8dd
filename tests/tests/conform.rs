//! Recorded cases against the engine: what agrees stays, and what begins to
//! agree is written down. `UPDATE_GOLDEN=1` rewrites `golden/agreement.txt`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cli::conform::{CaseReport, Totals, Verdict, cases, run_case};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// `ok`, `differs` or `not-counted`: what must not change unseen.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees => "ok",
        Verdict::Differs(_) => "differs",
        Verdict::NotCounted => "not-counted",
    }
}

fn state(report: &CaseReport) -> String {
    format!("result={} loop={}", word(&report.result), word(&report.loop_))
}

/// Whole percent of `graph.txt`, rounded down: what must not fall.
fn graph(report: &CaseReport) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    report.graph.map(|percent| (percent + 1e-9) as u32)
}

/// The line of a case; what stands behind `#` is for readers.
fn line(report: &CaseReport) -> String {
    let mut why = Vec::new();
    for (what, verdict) in [("result", &report.result), ("loop", &report.loop_)] {
        if let Verdict::Differs(reason) = verdict {
            why.push(format!("{what}: {reason}"));
        }
    }
    if !report.lacks.is_empty() {
        why.push(format!("lacks: {}", report.lacks.join(", ")));
    }
    let why = if why.is_empty() { String::new() } else { format!("  # {}", why.join("; ")) };
    let graph = graph(report).map_or("not-counted".to_owned(), |percent| percent.to_string());
    format!("{:<32} {} graph={graph}{why}", report.name, state(report))
}

#[test]
fn recorded_cases_agree_as_written_down() {
    let reports: Vec<CaseReport> = cases(&golden()).expect("the cases are there").iter().map(|c| run_case(c)).collect();
    let totals = Totals::of(&reports);
    println!("{totals}");
    let path = golden().join("agreement.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let mut text = format!("# {totals}\n");
        for report in &reports {
            let _ = writeln!(text, "{}", line(report));
        }
        std::fs::write(&path, text).expect("agreement.txt can be written");
        return;
    }
    let known = std::fs::read_to_string(&path).expect("agreement.txt is there; UPDATE_GOLDEN=1 writes it");
    let known: BTreeMap<&str, (String, Option<u32>)> = known
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let state = words.by_ref().take(2).collect::<Vec<_>>().join(" ");
            let graph = words.next().and_then(|word| word.strip_prefix("graph="));
            Some((name, (state, graph.and_then(|percent| percent.parse().ok()))))
        })
        .collect();
    let mut changed = String::new();
    for report in &reports {
        let (was, graph_was) =
            known.get(report.name.as_str()).map_or(("not listed", None), |(state, graph)| (state.as_str(), *graph));
        if was != state(report) || graph(report) < graph_was {
            let graph_was = graph_was.map_or(String::new(), |percent| format!(" graph={percent}"));
            let _ = writeln!(changed, "  was {was}{graph_was}\n  now {}", line(report));
        }
    }
    for name in known.keys().filter(|name| !reports.iter().any(|report| report.name == **name)) {
        let _ = writeln!(changed, "  {name} is listed, but there is no such case");
    }
    assert!(
        changed.is_empty(),
        "agreement changed; if it is meant to, run with UPDATE_GOLDEN=1 and read the diff:\n{changed}"
    );
}
