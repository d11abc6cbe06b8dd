//! Expressions: the examples of docs/expressions.md, and the same answer by walking and by looking.

use session::Session;
use session::expr::{At, Calls, Expr, Track, Value};
use session::run::Progress;
use view::Viewer;
use world::{InodeId, World};

fn session(name: &str) -> Session {
    let mut session =
        Session::open(session::library::scenario(name).expect("in the library"), None).expect("it starts");
    while session.extend(1 << 14) == Progress::Running {}
    session
}

#[test]
fn the_examples_of_the_document() {
    let session = session("short-copy");
    let mut viewer = Viewer::new("short-copy", session.scenario(), session.run());
    let document = include_str!("../../docs/expressions.md");
    let (mut inside, mut seen, mut wrong) = (false, 0, Vec::new());
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line == "```examples";
            continue;
        }
        if !inside {
            continue;
        }
        let (step, rest) = line.split_once("  ").expect("a step and an expression");
        let rest = format!("{rest} ");
        let (text, sign, expected) = [" ! ", " = "]
            .iter()
            .find_map(|sign| rest.rsplit_once(sign).map(|(text, expected)| (text.trim(), sign.trim(), expected.trim())))
            .expect("an expression and what it gives");
        let row = viewer.watch(session.run(), text, step.parse().expect("a step"));
        let found = row.error.map_or_else(|| format!("= {}", row.value), |error| format!("! {error}"));
        if found.trim() != format!("{sign} {expected}").trim() {
            wrong.push(format!("{step}  {text}  {found}"));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 30, "only {seen} examples");
}

/// The inode of number 12: the file of `short-copy`.
fn file(w: &World, _: u32) -> Option<InodeId> {
    w.inode_hash.get(12)
}

/// What walking keeps is what looking at each step finds, in whatever slices it is walked.
#[test]
fn walking_is_looking() {
    let session = session("short-copy");
    let calls = Calls::of(session.scenario());
    for text in
        ["page[0].dirty", "copied == 0", "NR_FILE_DIRTY", "inode.i_size", "probe == GPW_COPY", "copied", "function"]
    {
        let mut track = Track::new(Expr::parse(text, &calls).expect(text));
        session.run().machine().with_history(|w, h| {
            while !track.extend(w, h, &calls, &file, 7) {}
            assert_eq!(track.walked(), h.len() + 1);
            for step in (0..=h.len()).rev() {
                h.seek(w, step);
                let found = track.expr().eval(&At { w, h, step, focus: file(w, step), calls: &calls });
                let at = track.points().partition_point(|point| point.step <= step);
                let kept = track.points()[at - 1].value;
                assert!(
                    kept == found || track.expr().is_event() && kept == Some(Value::Bool(true)),
                    "{text} at {step}"
                );
            }
        });
    }
}

#[test]
fn runs_to_hits_make_progress_both_ways() {
    let session = session("short-copy");
    let mut viewer = Viewer::new("short-copy", session.scenario(), session.run());
    for text in
        ["probe == GPW_COPY", "enter(generic_perform_write)", "enter(pwritev)", "page[0].dirty", "copied", "step > 0"]
    {
        let texts = [text.to_owned()];
        let (mut there, mut back) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(hit) = viewer.hit(session.run(), &texts, at, true) {
            assert!(hit > at, "{text}");
            there.push(hit);
            at = hit;
        }
        back.push(at);
        while let Some(hit) = viewer.hit(session.run(), &texts, at, false).filter(|hit| *hit > 0) {
            assert!(hit < at, "{text}");
            back.push(hit);
            at = hit;
        }
        back.reverse();
        assert_eq!(there, back, "{text}");
        assert!(!there.is_empty(), "{text}");
    }
}

#[test]
fn who_set_this() {
    let session = session("short-copy");
    let mut viewer = Viewer::new("short-copy", session.scenario(), session.run());
    let writes = viewer.writes(session.run(), "page[0].dirty").expect("a path");
    for write in &writes {
        let before = viewer.watch(session.run(), "page[0].dirty", write.step - 1).value;
        let after = viewer.watch(session.run(), "page[0].dirty", write.step).value;
        assert_eq!((&before, &after), (&write.was, &write.now));
    }
    assert!(writes.iter().any(|write| write.now == "true"));
}

#[test]
fn completion_comes_from_the_state() {
    let session = session("short-copy");
    let mut viewer = Viewer::new("short-copy", session.scenario(), session.run());
    let mut check = |text: &str, expect: &[&str]| {
        let found = viewer.complete(session.run(), text, 54);
        let names: Vec<&str> = found.items.iter().map(|item| item.text.as_str()).collect();
        for name in expect {
            assert!(names.contains(name), "{text}: {name} is not in {names:?}");
        }
        for item in &found.items {
            assert!(item.text.to_lowercase().starts_with(&text[found.from..].to_lowercase()), "{text}: {item:?}");
        }
        names.len()
    };
    check("", &["copied", "page[", "inode.", "enter("]);
    check("page[", &["0]"]);
    check("bh[0][", &["0]"]);
    check("page[0].d", &["dirty"]);
    check("page[0].dirty && NR_F", &["NR_FILE_DIRTY"]);
    check("task[", &["A]"]);
    check("inode[12].page[0].up", &["uptodate"]);
    check("probe == GPW_C", &["GPW_COPY"]);
    check("enter(ext4_da", &["ext4_da_write_begin)"]);
    assert_eq!(check("page[0].dirty ", &[]), 0);
    let dirty = viewer.complete(session.run(), "page[0].dir", 54);
    assert_eq!(dirty.items[0].value, Some(Value::Bool(true)));
}

/// No text makes the parser panic, whatever stands in it.
#[test]
fn any_text_is_a_value_or_an_error() {
    let session = session("short-copy");
    let mut viewer = Viewer::new("short-copy", session.scenario(), session.run());
    let pieces = [
        "page",
        "[",
        "]",
        "1",
        ".dirty",
        " ",
        "(",
        ")",
        "-",
        "!",
        "==",
        "&&",
        "é",
        "copied",
        "probe",
        "in",
        "9999999999999999999",
    ];
    let mut seed = 7u64;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..seed % 9 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 1;
        viewer.watch(session.run(), &text, 54);
        viewer.complete(session.run(), &text, 54);
    }
    for text in ["(".repeat(400), "!".repeat(400), "-".repeat(400), "1+".repeat(200), "page[".repeat(80)] {
        assert!(viewer.watch(session.run(), &text, 54).error.is_some());
    }
}
