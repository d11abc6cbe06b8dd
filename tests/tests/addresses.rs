//! Addresses of steps: found in one pass, and what happens at them.

use session::Session;
use session::library;
use session::link::{self, Link, StepRef};
use session::run::Progress;
use session::scenario::{Act, At, Marker, ProbeAt, Scenario, Text, emit, parse_strict};

fn ended(scenario: Scenario) -> Session {
    let mut session = Session::open(scenario, None).expect("it starts");
    while session.extend(100_000) == Progress::Running {}
    session
}

#[test]
fn the_first_step_with_an_address_is_found() {
    for name in [
        "short-copy-race",
        "fatal-signal",
        "two-pages-unaligned",
        "writev-odd-segments",
        "fsync-after-write",
        "two-writers-share",
    ] {
        let scenario = library::scenario(name).unwrap_or_else(|| panic!("{name} is in the library"));
        let mut session = ended(scenario);
        let mut first: Vec<(ProbeAt, u32)> = Vec::new();
        for step in 1..=session.run().len() {
            if let Some(address) = session.address_of(step).filter(|at| first.iter().all(|(other, _)| other != at)) {
                first.push((address, step));
            }
        }
        assert!(first.len() > 20, "{name}: {} addresses", first.len());
        // A scenario that names it can be read again.
        for (address, step) in &first {
            let at = At::Probe(address.clone());
            let markers = vec![Marker { at, label: Text::default() }];
            let marked = Scenario { markers, ..session.scenario().clone() };
            assert_eq!(marked.check(), Ok(()), "{name}, step {step}");
        }
        let addresses: Vec<&ProbeAt> = first.iter().map(|(address, _)| address).collect();
        let found = session.steps_at(&addresses);
        for ((address, step), found) in first.iter().zip(found) {
            assert_eq!(found, Some(*step), "{name}: {address:?}");
        }
    }
}

fn many_writes(count: u32) -> Scenario {
    let write = |n: u32| {
        format!(r#"{{"pwrite": {{"fd": "f", "off": {}, "iov": [{{"buf": "b", "len": 4096}}]}}}}"#, n % 64 * 4096)
    };
    let writes: Vec<String> = (0..count).map(write).collect();
    let json = format!(
        r#"{{"version": 1, "title": {{"en": "t"}}, "image": {{"mkfs": {{"size_mib": 16}}}}, "op_gap_ms": 0,
        "buffers": [{{"name": "b", "len": 4096}}], "tasks": [{{"name": "A",
        "setup": [{{"open": {{"fd": "f", "path": "f", "flags": "CREAT,RDWR"}}}}], "ops": [{}]}}]}}"#,
        writes.join(",")
    );
    parse_strict(&json).expect("it is a scenario")
}

/// A search that looked at every hit of the site in the whole run would take minutes here.
#[test]
fn a_marker_at_the_end_of_a_long_run_is_found() {
    let count = 3000;
    let mut session = ended(many_writes(count));
    assert!(session.run().len() > 80_000, "{} steps", session.run().len());
    let at = |op| ProbeAt { task: "A".into(), op, iteration: 1, retry: 1, site: "GPW_COPY".into(), nth: 1 };
    let (early, late, never) = (at(1), at(count), at(count + 1));
    let found = session.steps_at(&[&early, &late, &never]);
    assert!(found[0] < found[1] && found[2].is_none(), "{found:?}");
    assert_eq!(session.address_of(found[1].expect("it is there")), Some(late));
}

#[test]
fn two_act_at_one_step() {
    let mut scenario = library::scenario("two-pages-unaligned").expect("it is in the library");
    scenario.markers = Vec::<Marker>::from([Marker { at: At::Step(1), label: Text::default() }]);
    let mut session = ended(scenario);
    let step = (1..=session.run().len())
        .find(|&step| session.address_of(step).is_some_and(|at| at.site == "GPW_COPY"))
        .expect("it copies");
    session.intervene(step, Act::Mend {}).expect("it branches");
    session.intervene(step, Act::EndSlice {}).expect("it branches once more");
    while session.extend(100_000) == Progress::Running {}
    let acts = (1..=session.run().len()).filter(|&step| session.is_intervention(step)).count();
    assert_eq!(acts, 2);
    assert!(session.is_intervention(step + 1) && session.is_intervention(step + 2));
}

/// The second thread's steps can be named: by a link, by a marker, by an intervention, and all lead to the same step.
#[test]
fn the_second_thread_has_addresses() {
    let scenario = library::scenario("two-writers-share").expect("it is in the library");
    let mut session = ended(scenario);
    let is_b = |session: &Session, step: u32| session.address_of(step).is_some_and(|at| at.task == "B");
    let (step, address) = (1..=session.run().len())
        .filter(|&step| is_b(&session, step))
        .find_map(|step| session.address_of(step).filter(|at| at.site == "GPW_COPY").map(|at| (step, at)))
        .expect("the second thread copies");
    assert_eq!((address.iteration, address.retry), (1, 1));
    let text = link::emit(&Link { step: Some(StepRef::Probe(address.clone())), ..Link::default() });
    assert_eq!(link::parse(&text).step, Some(StepRef::Probe(address.clone())));
    assert_eq!(session.step_at(&address), Some(step));
    let digest = session.digest_at(step);

    session.intervene(step, Act::EndSlice {}).expect("it branches");
    assert_eq!(session.scenario().interventions[0].at, At::Probe(address));
    let again = parse_strict(&emit(session.scenario())).expect("it is a scenario");
    let session = ended(again);
    assert!(session.is_intervention(step + 1), "it acts at the same step");
    assert_eq!(session.digest_at(step), digest);
}
