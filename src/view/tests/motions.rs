//! What moves at which step, in real runs of the library's scenarios.

use session::Session;
use session::run::Progress;
use view::Viewer;
use view::motion::{Axis, Kind, Motion, Span};

/// Steps, motions and sentences of a whole run.
fn motions(name: &str) -> Vec<(u64, Motion, String)> {
    let scenario = session::library::scenario(name).expect("the library has it");
    let mut session = Session::open(scenario, None).expect("it starts");
    while session.extend(10_000) == Progress::Running {}
    let mut viewer = Viewer::new(name, session.scenario(), session.run());
    let last = viewer.timeline(session.run()).last;
    let mut found = Vec::new();
    for step in 0..=last {
        let frame = viewer.frame(session.run(), step, None);
        found.extend(frame.motion.map(|motion| (step, motion, frame.narration.what.clone())));
    }
    found
}

fn said(span: Span) -> String {
    format!("{:?} {}..{}", span.on, span.from, span.to)
}

/// The motions of a run, in order; those of the same kind and stretches in a row once.
fn check(name: &str, expect: &[(Kind, &str, &str)]) {
    let found = motions(name);
    let short: Vec<_> = found.iter().map(|(_, m, _)| (m.kind, said(m.from), said(m.to))).collect();
    let expect: Vec<_> = expect.iter().map(|(kind, from, to)| (*kind, (*from).to_owned(), (*to).to_owned())).collect();
    assert_eq!(short, expect, "{name}: {found:#?}");
}

#[test]
fn a_short_copy_falls_is_refused_and_retried() {
    use Kind::{Advance, Commit, Copy, End, Refuse, Retry, Submit};
    check(
        "short-copy",
        &[
            (Copy, "User 0..1000", "Page 0..1000"),
            (Refuse, "Page 0..1000", "Page 0..1000"),
            (Retry, "User 0..4096", "User 0..1000"),
            (Copy, "User 0..1000", "Page 0..1000"),
            (Advance, "User 0..0", "User 1000..1000"),
            (Copy, "User 1000..4096", "Page 1000..4096"),
            (Advance, "User 1000..1000", "User 4096..4096"),
            (Submit, "Pages 0..1", "Device 1099..1100"),
            (End, "Pages 0..1", "Device 1099..1100"),
            (Commit, "Journal 0..1", "Journal 0..1"),
        ],
    );
}

#[test]
fn a_block_is_read_before_the_copy_and_written_with_it() {
    use Kind::{Advance, Commit, Copy, End, Keep, Read, Submit};
    check(
        "read-modify-write",
        &[
            (Read, "Device 1099..1100", "Page 0..4096"),
            (Copy, "User 0..500", "Page 1000..1500"),
            (Keep, "Page 1000..1500", "Page 1000..1500"),
            (Advance, "User 0..0", "User 500..500"),
            (Submit, "Pages 0..1", "Device 1099..1100"),
            (End, "Pages 0..1", "Device 1099..1100"),
            (Commit, "Journal 0..1", "Journal 0..1"),
        ],
    );
}

#[test]
fn a_motion_is_of_its_own_step_and_within_what_is_drawn() {
    for name in ["two-writers-share", "background-flush", "writev-odd-segments", "hole", "block-1k-overwrite-uncached"]
    {
        let found = motions(name);
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}: one at a time");
        for (step, motion, what) in &found {
            for span in [motion.from, motion.to] {
                let within = span.from <= span.to && (span.on != Axis::Page || span.to <= 4096);
                assert!(within, "{name}, step {step}: {motion:?}, {what}");
            }
            if motion.kind == Kind::Copy {
                let len = |span: Span| span.to - span.from;
                assert_eq!(len(motion.from), len(motion.to), "{name}, step {step}: {what}");
            }
        }
        assert!(found.iter().any(|(_, motion, _)| motion.kind == Kind::Submit), "{name}");
    }
}
