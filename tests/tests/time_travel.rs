//! seek(k) equals a fresh run to k, and a run equals itself.

use proptest::prelude::*;
use session::run::{Progress, Run, RunOptions};
use session::scenario::{Scenario, parse_strict};
use writepath_tests::{Write, own_image, writes};

fn library() -> Vec<(String, Scenario)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../static/scenarios");
    let mut all: Vec<(String, Scenario)> = std::fs::read_dir(dir)
        .expect("the library is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.file_name().is_some_and(|name| name != "index.json"))
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let json = std::fs::read_to_string(&path).expect("a scenario can be read");
            let scenario = parse_strict(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().expect("it has a name").to_string_lossy().into_owned(), scenario)
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!all.is_empty());
    all
}

fn recorded(scenario: &Scenario) -> Run {
    let options = RunOptions { recording: true, ..RunOptions::default() };
    Run::new(scenario, options).unwrap_or_else(|error| panic!("{error}"))
}

type Digests = Vec<(&'static str, u64)>;

fn digest(run: &Run) -> Digests {
    run.machine().with(|w| w.digests())
}

/// Digests after each step, taken while the run is made.
fn digests(scenario: &Scenario) -> (Run, Vec<Digests>) {
    let mut run = recorded(scenario);
    let mut digests = vec![digest(&run)];
    while run.progress() == Progress::Running {
        let before = run.len();
        run.step(1);
        if run.len() > before {
            assert_eq!(run.len(), before + 1, "a budget of one step is one step");
            digests.push(digest(&run));
        }
    }
    // What happens behind the last step belongs to no step: the program is gone.
    (run, digests)
}

fn assert_same(found: &Digests, expected: &Digests, what: &str) {
    let differ: Vec<&str> = found.iter().zip(expected).filter(|(a, b)| a != b).map(|((name, _), _)| *name).collect();
    assert!(differ.is_empty(), "{what}: these differ from the fresh run's: {differ:?}");
}

#[test]
fn every_step_of_the_library_can_be_sought_both_ways() {
    for (name, scenario) in library() {
        let (run, digests) = digests(&scenario);
        let last = run.len();
        let check = |step: u32| {
            run.seek(step);
            assert_same(&digest(&run), &digests[step as usize], &format!("{name}, step {step} of {last}"));
        };
        (0..last).rev().for_each(check);
        (0..last).for_each(check);
    }
}

#[test]
fn a_run_equals_itself_whatever_its_slices() {
    for (name, scenario) in library() {
        let whole = |slice: u32| {
            let mut run = recorded(&scenario);
            while run.step(slice) == Progress::Running {}
            run.machine().with_history(|w, history| (w.digest(), history.steps.clone()))
        };
        let expected = whole(u32::MAX);
        assert_eq!(whole(1), expected, "{name}: by single steps");
        assert_eq!(whole(37), expected, "{name}: by 37 steps");
    }
}

#[test]
fn long_runs_are_sought_over_chunks() {
    let list: Vec<Write> = (0..8).map(|n| Write::at(n << 20, 1 << 20)).collect();
    let scenario = writes(own_image(64, 4096), &list);
    let mut run = recorded(&scenario);
    let mut marks = Vec::new();
    while run.step(9973) == Progress::Running {
        marks.push((run.len(), digest(&run)));
    }
    assert!(run.len() > 65_536, "the run is longer than a chunk: {}", run.len());
    let order = [3usize, 0, 7, 1, 6, 2, 5, 4, 8, 0, 8];
    for n in order {
        let (step, expected) = &marks[n % marks.len()];
        run.seek(*step);
        assert_same(&digest(&run), expected, &format!("step {step}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn random_writes_are_sought_at_random(
        list in prop::collection::vec((0u64..40_000, prop::collection::vec(0u64..6000, 1..4)), 1..4),
        block in prop::sample::select(vec![1024u32, 2048, 4096]),
        targets in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let list: Vec<Write> = list.into_iter().map(|(off, segments)| Write { off, segments }).collect();
        let (run, digests) = digests(&writes(own_image(16, block), &list));
        for target in targets {
            let step = target.index(run.len() as usize) as u32;
            run.seek(step);
            assert_same(&digest(&run), &digests[step as usize], &format!("step {step}"));
        }
    }
}
