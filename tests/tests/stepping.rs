//! Stepping at each grain, and in one task only.

use session::Session;
use view::Viewer;
use view::steps::{Grain, Reach, Stride};
use writepath_tests::whole::whole;

/// Where a key leads that is held: from one end of the run to the other.
fn held(
    (session, viewer): &mut (Session, Viewer),
    grain: Grain,
    reach: Reach,
    back: bool,
    task: Option<u32>,
) -> Vec<u64> {
    let mut at = if back { session.run().len().into() } else { 0 };
    let mut stops = Vec::new();
    loop {
        let (to, open) = viewer.timeline(session.run()).stride(at, Stride { grain, reach, back, task });
        assert!(!open, "the run is complete");
        if to == at {
            return stops;
        }
        assert!(if back { to < at } else { to > at }, "{grain:?} {reach:?}: {at} to {to}");
        stops.push(to);
        at = to;
    }
}

fn task((session, viewer): &mut (Session, Viewer), step: u64) -> Option<u32> {
    viewer.frame(session.run(), step, None).tasks.iter().find(|task| task.current).map(|task| task.id)
}

#[test]
fn every_way_ends_at_the_end_of_the_run_and_comes_back_the_same_way() {
    for name in ["short-copy", "throttled-killed", "two-writers-share"] {
        let run = &mut whole(name);
        let last = u64::from(run.0.run().len());
        for grain in Grain::ALL {
            for reach in [Reach::Into, Reach::Over, Reach::Out, Reach::Call] {
                let on = held(run, grain, reach, false, None);
                assert_eq!(on.last(), Some(&last), "{name} {grain:?} {reach:?}");
                assert_eq!(held(run, grain, reach, true, None).last(), Some(&0));
            }
        }
        let all: Vec<u64> = (1..=last).collect();
        assert_eq!(held(run, Grain::Statement, Reach::Into, false, None), all);
    }
    let run = &mut whole("short-copy");
    for grain in [Grain::Phase, Grain::Iteration] {
        let on = held(run, grain, Reach::Into, false, None);
        let mut back = held(run, grain, Reach::Into, true, None);
        back.reverse();
        assert_eq!(on[..on.len() - 1], back[1..], "{grain:?}: the same ends in both directions");
    }
}

#[test]
fn a_coarser_reach_stops_at_fewer_places() {
    let run = &mut whole("short-copy");
    let stops = |run: &mut _, grain, reach| held(run, grain, reach, false, None);
    // The first round has two tries, the second of them with a fault-in of its own.
    assert_eq!(stops(run, Grain::Iteration, Reach::Into), [60, 94, 129, 260]);
    assert_eq!(stops(run, Grain::Iteration, Reach::Over), [94, 129, 260]);
    // Out of a round is the end of the system call.
    assert_eq!(stops(run, Grain::Iteration, Reach::Out), [135, 260]);
    assert_eq!(stops(run, Grain::Iteration, Reach::Call), [1, 136, 260]);
    // Out of a phase is the end of its try.
    let (session, viewer) = run;
    let mut go = |from, grain, reach, back| {
        viewer.timeline(session.run()).stride(from, Stride { grain, reach, back, task: None }).0
    };
    assert_eq!(go(30, Grain::Phase, Reach::Into, false), 44);
    assert_eq!(go(30, Grain::Phase, Reach::Out, false), 60);
    assert_eq!(go(70, Grain::Phase, Reach::Out, false), 94);
    assert_eq!(go(70, Grain::Phase, Reach::Out, true), 60, "and back, to before the try");
    // Before the loop there is none: the end of the call.
    assert_eq!(go(10, Grain::Phase, Reach::Out, false), 135);
    assert_eq!(go(70, Grain::Iteration, Reach::Over, true), 0, "no round before the first");
    assert_eq!(go(100, Grain::Iteration, Reach::Over, true), 94);
}

#[test]
fn a_call_without_iterations_counts_as_one() {
    for name in ["fsync-after-write", "truncate-then-write", "open-write-map"] {
        let run = &mut whole(name);
        let last = u64::from(run.0.run().len());
        let timeline = run.1.timeline(run.0.run());
        let ends: Vec<u64> = timeline.calls.iter().map(|call| call.to - 1).collect();
        let loops = |from: u64, to: u64| timeline.rounds.iter().any(|round| (from..to).contains(&round.from));
        let on = held(run, Grain::Iteration, Reach::Into, false, None);
        let mut bare = 0;
        for call in timeline.calls.iter().filter(|call| call.text.contains('#') && !loops(call.from, call.to)) {
            bare += 1;
            assert!(on.contains(&(call.to - 1)), "{name}: {} {}", call.text, call.to);
            let inside = on.iter().filter(|stop| (call.from..call.to).contains(*stop)).count();
            assert_eq!(inside, 1, "{name}: {}: once, at its end", call.text);
            let go = |from, reach, back| {
                timeline.stride(from, Stride { grain: Grain::Iteration, reach, back, task: None }).0
            };
            if call.to - call.from < 3 {
                continue;
            }
            for reach in [Reach::Into, Reach::Over, Reach::Out] {
                assert_eq!(go(call.from, reach, false), call.to - 1, "{name}: {} {reach:?}", call.text);
            }
            let before = on.iter().rfind(|stop| **stop < call.from).copied().unwrap_or(0);
            assert_eq!(go(call.from + 1, Reach::Into, true), before, "{name}: {}", call.text);
            if call.to <= last {
                assert_eq!(go(call.to, Reach::Into, true), call.to - 1, "{name}: {}", call.text);
            }
        }
        assert!(bare > 0, "{name}");
        assert!(on.iter().all(|stop| *stop == last || ends.contains(stop) || loops(0, *stop)), "{name}: {on:?}");
    }
}

#[test]
fn over_and_out_follow_the_call_stack_of_one_task() {
    let (session, mut viewer) = whole("two-writers-share");
    let mut depth = |step| {
        let frame = viewer.frame(session.run(), step, None);
        frame.tasks.iter().find(|task| task.current).map(|task| (task.id, task.stack.len()))
    };
    let last = u64::from(session.run().len());
    let stacks: Vec<Option<(u32, usize)>> = (0..=last).map(&mut depth).collect();
    let mut met = (0, 0);
    for (from, stack) in stacks.iter().enumerate() {
        let Some((task, depth)) = stack.filter(|(_, depth)| *depth > 1) else { continue };
        for (reach, limit) in [(Reach::Over, depth), (Reach::Out, depth - 1), (Reach::OutOf(2), depth - 2)] {
            let stride = Stride { grain: Grain::Statement, reach, back: false, task: None };
            let to = viewer.timeline(session.run()).stride(from as u64, stride).0 as usize;
            // Where there is no such step it is the last of the task.
            if stacks[to].is_none_or(|(by, now)| by != task || now > limit) {
                continue;
            }
            let between = || stacks[from + 1..to].iter().flatten();
            assert!(between().all(|(by, deep)| *by != task || *deep > limit), "{from}: {reach:?} to {to}");
            met.0 += 1;
            met.1 += usize::from(between().any(|(by, _)| *by != task));
        }
    }
    assert!(met.0 > 2000 && met.1 > 50, "{met:?}: over other tasks' steps too");
}

#[test]
fn a_task_that_is_followed_takes_all_steps() {
    for name in ["two-writers-share", "throttled-killed"] {
        let run = &mut whole(name);
        let last = u64::from(run.0.run().len());
        let by: Vec<Option<u32>> = (1..=last).map(|step| task(run, step)).collect();
        let tasks: Vec<u32> = run.1.timeline(run.0.run()).lanes.iter().map(|lane| lane.id).collect();
        for id in tasks {
            let own: Vec<u64> = (1..=last).filter(|step| by[*step as usize - 1] == Some(id)).collect();
            assert_eq!(held(run, Grain::Statement, Reach::Into, false, Some(id)), own, "{name}: task {id}");
            let mut back = held(run, Grain::Statement, Reach::Into, true, Some(id));
            back.reverse();
            let before_end = own.iter().copied().filter(|step| *step < last);
            assert_eq!(back, [0].into_iter().chain(before_end).collect::<Vec<_>>());
            for grain in [Grain::Phase, Grain::Iteration] {
                for reach in [Reach::Into, Reach::Over, Reach::Out, Reach::Call] {
                    let stops = held(run, grain, reach, false, Some(id));
                    assert!(stops.iter().all(|stop| own.contains(stop)), "{name}: task {id}, {grain:?} {reach:?}");
                    assert_eq!(stops.last(), own.last(), "{name}: task {id}, {grain:?} {reach:?}");
                }
            }
        }
    }
    // Into a phase is a phase of anyone, over it stays with the task: while the writer pauses, the flusher writes.
    let run = &mut whole("throttled-killed");
    let into = held(run, Grain::Phase, Reach::Into, false, None);
    let over = held(run, Grain::Phase, Reach::Over, false, None);
    assert!(over.len() < into.len());
    assert!(into.iter().any(|stop| task(run, *stop) == Some(1)) && over.iter().all(|stop| task(run, *stop) != Some(1)));
}
