//! Where bytes came from and where else they are, in real runs of the library's scenarios.

use session::Session;
use session::run::Progress;
use view::Viewer;
use view::frame::Frame;
use view::trail::{Spot, Trail};

struct Run(Session, Viewer, u64);

impl Run {
    fn new(name: &str) -> Self {
        let scenario = session::library::scenario(name).expect("the library has it");
        let mut session = Session::open(scenario, None).expect("it starts");
        while session.extend(10_000) == Progress::Running {}
        let mut viewer = Viewer::new(name, session.scenario(), session.run());
        let last = viewer.timeline(session.run()).last;
        Run(session, viewer, last)
    }

    fn frame(&mut self, step: u64) -> std::rc::Rc<Frame> {
        self.1.frame(self.0.run(), step, None)
    }

    /// The step whose sentence holds `words`, the first from `from` on.
    fn step(&mut self, from: u64, words: &str) -> u64 {
        let found = (from..=self.2).find(|step| self.frame(*step).narration.what.contains(words));
        found.unwrap_or_else(|| panic!("no step says `{words}`"))
    }

    fn trail(&mut self, step: u64, spot: Spot) -> Option<std::rc::Rc<Trail>> {
        self.1.trail(self.0.run(), step, spot)
    }

    #[track_caller]
    fn check(&mut self, step: u64, spot: Spot, expect: &str) {
        let found = self.trail(step, spot).map_or_else(|| "nothing".to_owned(), |trail| trail.text());
        assert_eq!(found, expect, "step {step}");
    }
}

#[test]
fn a_byte_of_user_memory_is_followed_to_its_page_and_block() {
    let mut run = Run::new("short-copy");
    run.check(20, Spot::User(5), "kept+5, segment 0 = a6 · to: not copied yet");
    let copied = run.step(1, "The copy has put 1000 bytes into page 0");
    let (mine, other) = (Spot::User(5), Spot::User(1005));
    let now = "in flight: none · on disk: delayed: no block yet · journal: none";
    run.check(copied, mine, &format!("kept+5, segment 0 = a6 · to: page 0, byte 5, copied at {copied} · {now}"));
    // Its source page is not there: the value is not known.
    run.check(copied, other, "lost+5, segment 1 = ?? · to: page 0, byte 1005, not copied yet");
    let refused = run.step(copied, "write_end counts 0 of the 1000 bytes");
    run.check(
        refused,
        mine,
        &format!("kept+5, segment 0 = a6 · to: page 0, byte 5, copied at {copied}, refused at {refused}"),
    );
    let again = run.step(refused, "The copy has put 1000 bytes into page 0");
    run.check(again, mine, &format!("kept+5, segment 0 = a6 · to: page 0, byte 5, copied at {again} · {now}"));
    run.check(again, Spot::User(4096), "nothing");
}

#[test]
fn a_byte_on_the_device_is_traced_to_its_segment_and_call() {
    let mut run = Run::new("short-copy");
    let before = "block 1099, byte 1005 = 00 · from: there before the run · cached: none";
    run.check(20, Spot::Device(1099, 1005), before);
    let copied = run.step(1, "The copy has put 3096 bytes into page 0");
    let from = format!("from: lost+5, segment 1 of pwritev #1, copied at {copied}");
    let page = format!("page 0, byte 1005 = 29 · {from}");
    let at = Spot::Page(0, 1005);
    run.check(copied, at, &format!("{page} · in flight: none · on disk: delayed: no block yet · journal: none"));
    let sent = run.step(copied, "The gathered requests go to the device");
    run.check(sent, at, &format!("{page} · in flight: none · on disk: block 1099, byte 1005 · journal: none"));
    run.check(
        sent,
        Spot::Device(1099, 1005),
        &format!("block 1099, byte 1005 = 29 · {from}, sent at {sent} · cached: page 0, byte 1005, writeback · in flight: none · journal: none"),
    );
    let inode = run.trail(sent, Spot::Device(35, 5)).expect("there is an inode table").text();
    assert!(inode.ends_with("journal: transaction 2"), "{inode}");
    run.check(sent, Spot::Device(1099, 4096), "nothing");
    run.check(sent, Spot::Device(1 << 40, 0), "nothing");
}

#[test]
fn a_byte_in_flight_is_old_on_the_device_until_its_request_ends() {
    let mut run = Run::new("read-modify-write");
    let read = run.step(1, "The device has completed a read of block 1099");
    run.check(
        read - 1,
        Spot::Page(0, 5),
        "page 0, byte 5 = ?? · from: not read yet · in flight: read of block 1099 · on disk: block 1099, byte 5, still a6 · journal: none",
    );
    run.check(
        read,
        Spot::Page(0, 5),
        &format!("page 0, byte 5 = a6 · from: block 1099, read at {read} · in flight: none · on disk: block 1099, byte 5 · journal: none"),
    );
    let copied = run.step(read, "The copy has put 500 bytes");
    let from = format!("from: new+5, segment 0 of pwrite #1, copied at {copied}");
    let sent = run.step(copied, "What the first pass gathered is submitted");
    run.check(
        sent,
        Spot::Page(0, 1005),
        &format!("page 0, byte 1005 = 29 · {from} · in flight: write of block 1099 · on disk: block 1099, byte 1005, still 5b · journal: none"),
    );
    run.check(
        sent,
        Spot::Bio(0),
        &format!("write 1099, page 0, in the device · from: block 1099, read at {read} · from: new+0, segment 0 of pwrite #1, copied at {copied} · from: 1 more · on disk: not yet: older bytes in block 1099 · bytes: 4096"),
    );
    run.check(
        sent,
        Spot::Device(1099, 1005),
        "block 1099, byte 1005 = 5b · from: there before the run · cached: page 0, byte 1005, writeback: 29 · in flight: write of block 1099 · journal: none",
    );
    let ended = run.step(sent, "The device has completed a write of block 1099");
    run.check(
        ended,
        Spot::Device(1099, 1005),
        &format!("block 1099, byte 1005 = 29 · {from}, sent at {sent} · cached: page 0, byte 1005, clean · in flight: none · journal: none"),
    );
    let done = run.trail(ended, Spot::Bio(0)).expect("it has just ended").text();
    assert!(done.ends_with("on disk: block 1099 · bytes: 4096"), "{done}");
    run.check(ended, Spot::Bio(9), "nothing");
}

#[test]
fn what_is_redirtied_in_flight_arrives_as_it_was_sent() {
    let mut run = Run::new("redirtied-under-writeback");
    // Byte 105 is stored to between submission and end: the device gets the old one, and says so.
    let copied = run.step(1, "The copy has put 100 bytes into page 0");
    let at = Spot::Device(1099, 105);
    run.check(
        copied,
        at,
        "block 1099, byte 105 = 62 · from: there before the run · cached: page 0, byte 105, writeback: a6 · in flight: write of block 1099 · journal: none",
    );
    let mut later = (copied..=run.2).filter_map(|step| run.trail(step, at)).map(|trail| trail.text());
    let text = later.find(|text| text.contains(", sent at ")).expect("a request brings it");
    let (begin, end) = text.split_once(", sent at ").expect("it says so");
    assert_eq!(begin, "block 1099, byte 105 = 62 · from: there before the run");
    assert!(end.contains("page 0, byte 105, dirty: a6"), "{text}");
    let last = run.trail(run.2, at).expect("there is such a block").text();
    let from = format!("byte 105 = a6 · from: b+5, segment 0 of pwrite #1, copied at {copied}, sent at ");
    assert!(last.contains(&from), "{last}");
}

#[test]
fn a_question_changes_no_screen_and_every_card_is_short() {
    for name in
        ["writev-odd-segments", "block-1k-overwrite-uncached", "data-journal", "inline-data", "dax-write", "o-direct"]
    {
        let mut run = Run::new(name);
        for step in (0..=run.2).step_by(7) {
            let before = run.frame(step);
            let blocks = before.disk.blocks;
            for spot in [
                Spot::User(step * 31 % 5000),
                Spot::Page(step % 3, (step * 97 % 4096) as u32),
                Spot::Device(step * 13 % blocks, 7),
                Spot::Device(1099, 0),
            ] {
                let lines = run.trail(step, spot).map_or(0, |trail| trail.lines.len());
                assert!(lines <= 5, "{name}, step {step}, {spot:?}");
            }
            assert_eq!(run.frame(step), before, "{name}, step {step}");
        }
    }
}
