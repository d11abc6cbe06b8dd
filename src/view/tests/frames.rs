//! Frames and timelines of real runs of the library's scenarios.

use std::rc::Rc;

use session::Session;
use session::run::Progress;
use session::scenario::parse_strict;
use view::Viewer;
use view::frame::{ByteKind, CopyKind, EventKind, Frame, Slice};

const ALL: [&str; 9] = [
    "full-page",
    "two-pages-unaligned",
    "read-modify-write",
    "hole",
    "writev-odd-segments",
    "short-copy",
    "short-copy-nothing",
    "efault-after-progress",
    "fatal-signal",
];

fn open(name: &str) -> Session {
    let scenario = session::library::scenario(name).expect("the library has it");
    Session::open(scenario, None).expect("it starts")
}

fn finish(session: &mut Session) {
    while session.extend(10_000) == Progress::Running {}
}

fn viewer(name: &str, session: &Session) -> Viewer {
    Viewer::new(name, session.scenario(), session.run())
}

fn run(name: &str) -> (Session, Viewer) {
    let mut session = open(name);
    finish(&mut session);
    let viewer = viewer(name, &session);
    (session, viewer)
}

fn frames(name: &str) -> Vec<Rc<Frame>> {
    let (session, mut viewer) = run(name);
    let last = viewer.timeline(session.run()).last;
    (0..=last).map(|step| viewer.frame(session.run(), step, None)).collect()
}

/// The first frame whose sentence holds `words`.
fn find<'a>(frames: &'a [Rc<Frame>], words: &str) -> &'a Frame {
    let found = frames.iter().find(|frame| frame.narration.what.contains(words));
    found.unwrap_or_else(|| panic!("no step says `{words}`"))
}

#[test]
fn a_frame_does_not_depend_on_what_was_shown_before() {
    for name in ALL {
        let (session, mut used) = run(name);
        let last = used.timeline(session.run()).last;
        let mut step = 1;
        for _ in 0..60 {
            step = (step * 7919 + 13) % (last + 1);
            let page = (step % 3 == 0).then_some(step % 5);
            let seen = used.frame(session.run(), step, page);
            let fresh = viewer(name, &session).frame(session.run(), step, page);
            assert_eq!(seen, fresh, "{name}, step {step}");
        }
    }
}

#[test]
fn a_timeline_that_grew_is_the_one_of_the_whole_run() {
    for name in ALL {
        let mut session = open(name);
        let mut grown = viewer(name, &session);
        while session.extend(37) == Progress::Running {
            grown.timeline(session.run());
            grown.frame(session.run(), 5, None);
        }
        let whole = viewer(name, &session).timeline(session.run());
        assert_eq!(grown.timeline(session.run()), whole, "{name}");
        assert!(whole.complete);
        for slices in [&whole.calls, &whole.rounds, &whole.phases] {
            assert!(slices.windows(2).all(|pair| pair[0].to <= pair[1].from), "{name}: {slices:?}");
            assert!(slices.iter().all(|slice| slice.from < slice.to && slice.to <= whole.last + 1), "{name}");
        }
        assert_eq!(whole.depth.len() as u64, whole.last);
        assert!(Rc::ptr_eq(&grown.timeline(session.run()), &grown.timeline(session.run())));
    }
}

#[test]
fn rows_are_whole_and_every_step_speaks() {
    for name in ALL {
        for frame in frames(name) {
            let at = format!("{name}, step {}", frame.step);
            assert!(!frame.narration.what.is_empty(), "{at}");
            if let Some(page) = &frame.cache.selected {
                let ends = page.strip.iter().fold(0, |end, range| {
                    assert_eq!(range.from, end, "{at}");
                    range.to
                });
                assert_eq!(ends, 4096, "{at}");
            }
            let ends = frame.ext4.extents.iter().fold(frame.ext4.axis_from, |end, cell| {
                assert_eq!(cell.lblk, end, "{at}");
                end + cell.len
            });
            assert_eq!(ends, frame.ext4.axis_from + frame.ext4.axis_blocks, "{at}");
            let axis: u64 = frame.user.segments.iter().map(|segment| segment.len).sum();
            let ends = frame.user.residency.iter().fold(0, |end, cell| {
                assert_eq!(cell.from, end, "{at}");
                cell.to
            });
            assert_eq!(ends, axis, "{at}");
            for row in &frame.changes.rows {
                assert!(!row.object.is_empty() && !row.parts.is_empty(), "{at}: {row:?}");
                assert_ne!(row.object, "machine", "{at}: a change without words");
            }
            let lines = &frame.code.lines;
            assert!(frame.step == 0 || !lines.is_empty(), "{at}");
        }
    }
}

#[test]
fn equal_rows_keep_their_rc() {
    let (session, mut viewer) = run("short-copy-nothing");
    let one = viewer.frame(session.run(), 40, None);
    let again = viewer.frame(session.run(), 40, None);
    assert!(Rc::ptr_eq(&one, &again));
    let next = viewer.frame(session.run(), 41, None);
    assert!(Rc::ptr_eq(&one.header, &next.header));
    assert!(Rc::ptr_eq(&one.dirty, &next.dirty));
    assert!(Rc::ptr_eq(&one.user, &next.user));
}

#[test]
fn a_refused_copy_is_seen_and_told() {
    let frames = frames("short-copy");
    let short = find(&frames, "The copy stops after 1000 of 4096 bytes");
    let page = short.cache.selected.as_ref().expect("the page is there");
    assert_eq!(page.strip[0].kind, ByteKind::KeptEarlier);
    assert_eq!(short.copy.as_ref().map(|copy| copy.kind), Some(CopyKind::Done));
    let dropped = find(&frames, "write_end counts 0 of the 1000 bytes copied: page 0 is not uptodate.");
    let page = dropped.cache.selected.as_ref().expect("the page is there");
    assert_eq!((page.strip[0].kind, page.strip[0].to), (ByteKind::Refused, 1000));
    let copy = dropped.copy.as_ref().expect("the copy is drawn");
    assert_eq!((copy.kind, copy.verdict.as_str()), (CopyKind::Refused, "0 counted: page 0 was not uptodate"));
    let left = find(&frames, "yet leaves page 0 uptodate and dirty");
    let page = left.cache.selected.as_ref().expect("the page is there");
    assert_eq!((page.strip.len(), page.strip[0].kind), (1, ByteKind::Zeroed));
    assert!(page.dirty.iter().all(|truth| truth.set == (truth.letter == "D")));
    let again = find(&frames, "tried again with 1000 bytes");
    assert_eq!(again.user.bracket.as_ref().map(|bracket| (bracket.to, bracket.changed)), Some((1000, true)));
    assert_eq!(again.narration.crumb, "pwritev #1 · iteration 1 · try 2");
}

#[test]
fn the_timeline_has_calls_rounds_phases_and_events() {
    let (session, mut viewer) = run("short-copy");
    let timeline = viewer.timeline(session.run());
    let text = |slices: &[Slice]| slices.iter().map(|slice| slice.text.clone()).collect::<Vec<_>>();
    assert_eq!(text(&timeline.calls)[0], "pwritev #1");
    assert_eq!(text(&timeline.rounds), ["iteration 1", "iteration 1, try 2", "iteration 2"]);
    let letters: String = timeline.phases.iter().take(13).map(|slice| slice.phase.letter()).collect();
    assert_eq!(letters, "JFBCEFBCEDFBC");
    let kinds: Vec<EventKind> = timeline.events.iter().map(|event| event.kind).take(3).collect();
    assert_eq!(kinds, [EventKind::Intervention, EventKind::Fault, EventKind::Fault]);
    assert!(timeline.events.iter().any(|event| event.kind == EventKind::Commit));
}

#[test]
fn a_transaction_commits_from_its_lock_on() {
    for name in ["full-page", "hole", "efault-after-progress"] {
        let frames = frames(name);
        let at = frames.iter().position(|frame| frame.narration.what.starts_with("The commit of transaction"));
        let at = at.expect("there is a commit");
        let said = |step: usize| {
            let pills = &frames[step].journal.transactions;
            pills.iter().map(|pill| (pill.tid, pill.state.clone(), pill.changed)).collect::<Vec<_>>()
        };
        let (before, locked) = (said(at - 1), said(at));
        assert_eq!((before.len(), locked.len()), (1, 1), "{name}");
        assert_eq!(before[0].1, "running", "{name}");
        assert_eq!(locked[0], (before[0].0, "committing".to_owned(), true), "{name}");
        assert_eq!(said(at + 1), [], "{name}: over");
    }
}

#[test]
fn a_read_modify_write_shows_where_each_byte_is_from() {
    let frames = frames("read-modify-write");
    let copied = find(&frames, "The copy has put");
    let page = copied.cache.selected.as_ref().expect("the page is there");
    let kinds: Vec<ByteKind> = page.strip.iter().map(|range| range.kind).collect();
    assert_eq!(kinds, [ByteKind::Valid, ByteKind::WrittenNow, ByteKind::Valid]);
    assert!(page.strip[0].origin.contains("read at"), "{}", page.strip[0].origin);
    assert!(page.strip[1].before.contains("read at"), "{}", page.strip[1].before);
}

#[test]
fn blocks_decode_at_any_step() {
    let (session, mut viewer) = run("full-page");
    let last = viewer.timeline(session.run()).last;
    let sb = viewer.block(session.run(), last, 0).expect("there is a block 0");
    assert!(sb.title.contains("uperblock"), "{}", sb.title);
    assert!(sb.fields.iter().any(|field| field.name.contains("inodes_count")), "{:?}", sb.fields);
    assert!(viewer.block(session.run(), last, sb.last).is_ok());
    assert!(viewer.block(session.run(), last, sb.last + 1).is_err());
    let changed = (1..=last).any(|step| {
        viewer
            .block(session.run(), step, 0)
            .is_ok_and(|block| !block.changed.is_empty() && block.fields.iter().any(|f| f.changed))
    });
    assert!(changed, "unmounting changes the superblock");
}

#[test]
fn four_buffer_heads_of_a_page_are_told_apart() {
    let json = r#"{"version": 1, "title": {"en": "four"}, "image": {"mkfs": {"size_mib": 16, "block_size": 1024}},
        "tasks": [{"name": "A", "setup": [{"buf": {"name": "b1", "kind": "anon", "len": 4096, "fill": {"seed": 2}}},
            {"open": {"fd": "f", "path": "f", "flags": "CREAT,RDWR"}}],
          "ops": [{"pwrite": {"fd": "f", "off": 1500, "iov": [{"buf": "b1", "len": 700}]}}]}]}"#;
    let mut session = Session::open(parse_strict(json).expect("it is a scenario"), None).expect("it starts");
    finish(&mut session);
    let mut viewer = viewer("four", &session);
    let last = viewer.timeline(session.run()).last;
    let frames: Vec<_> = (0..=last).map(|step| viewer.frame(session.run(), step, None)).collect();
    let copied = find(&frames, "The copy has put 700 bytes into page 0 from offset 1500");
    let page = copied.cache.selected.as_ref().expect("the page is there");
    let strip: Vec<_> = page.strip.iter().map(|range| (range.from, range.kind)).collect();
    assert_eq!(
        strip,
        [
            (0, ByteKind::NotUptodate),
            (1024, ByteKind::Zeroed),
            (1500, ByteKind::WrittenNow),
            (2200, ByteKind::Zeroed),
            (3072, ByteKind::NotUptodate)
        ]
    );
    assert_eq!(page.buffers.iter().map(|bh| bh.text.as_str()).collect::<Vec<_>>()[1..3], ["delayed: no block yet"; 2]);
}
