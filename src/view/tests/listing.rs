//! The run as a list, and the words that are looked for in it, in real runs of the library's scenarios.

use session::Session;
use session::run::Progress;
use view::Viewer;
use view::frame::Timeline;
use view::listing::{Choice, Kind, Listing, Notes, Row};
use view::steps::{Grain, Reach, Stride};

struct Run(Session, Viewer, std::rc::Rc<Timeline>);

impl Run {
    fn new(name: &str) -> Self {
        let scenario = session::library::scenario(name).expect("the library has it");
        let mut session = Session::open(scenario, None).expect("it starts");
        while session.extend(10_000) == Progress::Running {}
        let mut viewer = Viewer::new(name, session.scenario(), session.run());
        let marks = session.marker_steps();
        viewer.set_marks(session.scenario(), &marks);
        let timeline = viewer.timeline(session.run());
        Run(session, viewer, timeline)
    }

    fn find(&mut self, text: &str, budget: u32) -> Vec<u64> {
        while !self.1.find(self.0.run(), text, budget) {}
        self.1.found().steps.to_vec()
    }

    fn says(&mut self, step: u64) -> String {
        let frame = self.1.frame(self.0.run(), step, None);
        format!("{} {}", frame.narration.what, frame.narration.crumb).to_lowercase()
    }
}

/// The steps that the key leads to, one after the other from step 0.
fn strides(run: &Timeline, grain: Grain, task: Option<u32>) -> Vec<u64> {
    let (mut all, mut at) = (vec![0], 0);
    loop {
        let (to, _) = run.stride(at, Stride { grain, reach: Reach::Into, back: false, task });
        if to == at {
            return all;
        }
        all.push(to);
        at = to;
    }
}

const RUNS: [&str; 6] =
    ["short-copy", "two-writers-share", "two-writers-same-inode", "background-flush", "throttled-slow", "data-journal"];

#[test]
fn the_list_has_the_steps_that_the_key_stops_at() {
    for name in RUNS {
        let run = Run::new(name).2;
        for grain in Grain::ALL {
            for task in [None].into_iter().chain(run.lanes.iter().map(|lane| Some(lane.id))) {
                let list = Listing::new(&run, Choice { grain, task, ..Choice::default() });
                let steps: Vec<u64> = (0..list.steps()).map_while(|at| list.step(at)).collect();
                assert_eq!(steps, strides(&run, grain, task), "{name} {grain:?} {task:?}");
            }
        }
    }
}

#[test]
fn rows_are_the_steps_in_order_each_under_its_call_and_iteration() {
    for name in RUNS {
        let run = Run::new(name).2;
        for grain in Grain::ALL {
            let list = Listing::new(&run, Choice { grain, ..Choice::default() });
            let (mut at, mut call, mut round, mut heads) = (0, None, None, 0);
            for row in 0..list.rows() {
                match list.row(&run, row).expect("a row") {
                    Row::Head(slice, true) => (call, round, heads) = (Some(slice), None, heads + 1),
                    Row::Head(slice, false) => (round, heads) = (Some(slice), heads + 1),
                    Row::Step(step, before) => {
                        assert_eq!(list.row_of(at), row, "{name} {grain:?} step {step}");
                        assert_eq!(list.place(step), Some(at));
                        assert_eq!(list.next(before, true).filter(|_| at > 0), Some(step).filter(|_| at > 0));
                        let of = |slices: &[view::frame::Slice]| {
                            slices.iter().find(|slice| slice.from <= step && step < slice.to).cloned()
                        };
                        if let Some(slice) = of(&run.calls) {
                            let above = call.map(|call| &call.text);
                            assert_eq!(above, Some(&slice.text), "{name} {grain:?} step {step}");
                        }
                        if let Some(slice) = of(&run.rounds).filter(|_| grain != Grain::Iteration) {
                            assert_eq!(round, Some(&slice), "{name} {grain:?} step {step}");
                        }
                        at += 1;
                    }
                }
            }
            assert_eq!((at, list.rows()), (list.steps(), at + heads), "{name} {grain:?}");
            assert_eq!(list.row(&run, list.rows()), None);
        }
        let all = Listing::new(&run, Choice::default());
        assert!(all.rows() > all.steps() + run.rounds.len(), "{name}: calls have headings too");
    }
}

#[test]
fn a_step_between_two_stops_belongs_to_the_one_behind_it() {
    let run = Run::new("short-copy").2;
    let list = Listing::new(&run, Choice { grain: Grain::Iteration, ..Choice::default() });
    let stops = run.stops(Grain::Iteration, None);
    for step in 0..=run.last {
        let at = list.place(step).expect("the list is not empty");
        assert_eq!(list.step(at), stops.iter().copied().find(|stop| *stop >= step), "step {step}");
        assert_eq!(list.has(step), stops.contains(&step));
        assert_eq!(list.next(step, false), stops.iter().copied().filter(|stop| *stop < step).max());
        assert_eq!(list.next(step, true), stops.iter().copied().find(|stop| *stop > step));
    }
}

#[test]
fn words_are_found_where_a_row_says_them_however_the_walk_is_cut() {
    let mut run = Run::new("short-copy");
    let last = run.2.last;
    let sentence: Vec<u64> = (0..=last).filter(|step| run.says(*step).contains("page 0")).collect();
    assert!(sentence.len() > 3);
    for budget in [1, 7, 100_000] {
        assert_eq!(run.find("\"Page 0\"", budget), sentence, "budget {budget}");
    }
    let both: Vec<u64> = (0..=last)
        .filter(|step| {
            let says = run.says(*step);
            says.contains("try 2") && says.contains("page 0")
        })
        .collect();
    assert!(!both.is_empty() && both.len() < sentence.len());
    assert_eq!(run.find("\"try 2\" \"page 0\"", 50), both);
    // A function, its file, a task, a phase, what happened.
    let in_function = run.find("generic_perform_write", 50);
    assert!(in_function.len() > 5 && !in_function.contains(&0));
    assert!(!run.find("filemap.c:3344", 50).is_empty());
    assert_eq!(
        run.find("refused", 50).len(),
        run.2.events.iter().filter(|e| e.text.contains("refused")).count().max(1)
    );
    assert_eq!(run.find("no such words", 50), Vec::<u64>::new());
    assert_eq!(run.find("  ", 50), Vec::<u64>::new());
}

#[test]
fn rare_events_are_steps_of_their_kind() {
    let run = Run::new("short-copy").2;
    let notes = Notes::new(&run);
    let faults = notes.steps(Kind::Fault);
    assert!(faults.len() >= 2, "{faults:?}");
    let list = Listing::new(&run, Choice { of_kind: Some(&faults), ..Choice::default() });
    assert_eq!(list.steps(), faults.len());
    assert!(notes.at(&run, faults[0]).any(|(_, text)| text.contains("refused")));
    assert_eq!(notes.steps(Kind::Marker), run.marks.iter().map(|mark| mark.0).collect::<Vec<_>>());
    // A pause is a sleep, and has its end.
    let run = Run::new("throttled-slow").2;
    let notes = Notes::new(&run);
    let said: Vec<String> = notes.within(&run, 0, run.last).map(|(_, text)| text).collect();
    let pauses = said.iter().filter(|text| text.contains("sleeps: pause")).count();
    assert!(pauses > 0, "{said:?}");
    assert!(said.iter().any(|text| text.ends_with(" wakes")));
    assert!(said.iter().any(|text| text.ends_with(" ended")), "a slow device ends what was submitted");
    assert!(!notes.steps(Kind::Commit).is_empty());
}

#[test]
fn a_list_of_both_has_what_was_found_among_the_kind() {
    let mut run = Run::new("background-flush");
    let found = run.find("writeback", 1000);
    let writes = Notes::new(&run.2).steps(Kind::Request);
    let both = Listing::new(&run.2, Choice { of_kind: Some(&writes), found: Some(&found), ..Choice::default() });
    let expect = writes.iter().filter(|step| found.contains(step)).count();
    assert!(expect > 0 && expect < found.len());
    assert_eq!(both.steps(), expect);
}
