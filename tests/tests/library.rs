//! What the library promises: it answers every question of its picker, meets every phase and every counted row of the
//! first tier of `branches.csv`, and its markers stand at steps of its runs.

use std::collections::{BTreeMap, BTreeSet};

use session::Session;
use session::library;
use session::run::Progress;
use view::Viewer;
use view::frame::Phase;
use writepath_tests::branches::{branches, reached_by};

#[test]
fn it_meets_every_row_of_the_first_tier() {
    let mut reached = BTreeSet::new();
    for entry in library::entries() {
        reached.extend(reached_by(&library::scenario(&entry.name).expect("it is in the list")));
    }
    let missed = branches().into_iter().filter(|row| row.tier == 1 && !row.is_later() && !reached.contains(&row.id));
    let missed: Vec<String> = missed.map(|row| format!("{} {}: {}", row.id, row.function, row.condition)).collect();
    assert_eq!(missed, Vec::<String>::new());
}

/// Scenarios that are too long to look at each step of, in a test of phases.
const STEPS_LOOKED_AT: u32 = 5000;

#[test]
fn it_meets_every_phase_and_its_markers() {
    let mut phases: BTreeMap<Phase, String> = BTreeMap::new();
    let (mut count, mut nowhere) = (0, Vec::new());
    for entry in library::entries() {
        let scenario = library::scenario(&entry.name).expect("it is in the list");
        assert!(!scenario.markers.is_empty(), "{}: no marker", entry.name);
        let mut session = Session::open(scenario, None).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        while session.extend(100_000) == Progress::Running {}
        let steps = session.marker_steps();
        for (marker, step) in session.scenario().markers.iter().zip(steps) {
            if step.is_none() {
                nowhere.push(format!("{}: {} {:?}", entry.name, marker.label.en, marker.at));
            }
        }
        let mut viewer = Viewer::new(&entry.name, session.scenario(), session.run());
        for step in 1..=session.run().len().min(STEPS_LOOKED_AT) {
            let phase = viewer.frame(session.run(), u64::from(step), None).narration.phase;
            phases.entry(phase).or_insert_with(|| entry.name.clone());
        }
        count += 1;
    }
    assert_eq!(nowhere, Vec::<String>::new(), "markers that no step is at");
    let all = [
        Phase::None,
        Phase::FaultIn,
        Phase::Begin,
        Phase::Copy,
        Phase::End,
        Phase::Balance,
        Phase::Writeback,
        Phase::Journal,
    ];
    assert_eq!(phases.keys().copied().collect::<Vec<_>>(), all);
    assert!(count >= 24, "{count} scenarios");
}
