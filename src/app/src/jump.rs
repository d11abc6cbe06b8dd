//! Where a jump leads: plain arithmetic on the timeline.

use view::frame::{Slice, Timeline};

use crate::player::Grain;

/// A jump relative to a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Jump {
    /// One step, phase or iteration on.
    Next(Grain),
    /// One step, phase or iteration back.
    Back(Grain),
    /// On, over the calls the step makes.
    Over,
    /// Back, over the calls made before.
    OverBack,
    /// On, until the function has returned.
    Out,
    /// Back, to before the function was called.
    OutBack,
    /// To the first step of the next system call.
    NextCall,
    /// To the first step of this system call, or of the one before.
    PrevCall,
}

/// The step `jump` leads to from `step`. Never beyond `0..=timeline.last`.
#[must_use]
pub fn target(timeline: &Timeline, step: u64, jump: Jump) -> u64 {
    let last = timeline.last;
    let to = match jump {
        Jump::Next(Grain::Statement) => step.saturating_add(1),
        Jump::Back(Grain::Statement) => step.saturating_sub(1),
        Jump::Next(Grain::Phase) => end_after(&timeline.phases, step, last),
        Jump::Back(Grain::Phase) => end_before(&timeline.phases, step),
        Jump::Next(Grain::Iteration) => end_after(&timeline.rounds, step, last),
        Jump::Back(Grain::Iteration) => end_before(&timeline.rounds, step),
        Jump::Over => first_at(timeline, step, depth(timeline, step)),
        Jump::Out => first_at(timeline, step, depth(timeline, step).saturating_sub(1)),
        Jump::OutBack => {
            let limit = depth(timeline, step).saturating_sub(1);
            (1..step).rev().find(|&k| depth(timeline, k) <= limit).unwrap_or(0)
        }
        Jump::NextCall => timeline.calls.iter().map(|call| call.from).find(|from| *from > step).unwrap_or(last),
        Jump::PrevCall => timeline.calls.iter().rev().map(|call| call.from).find(|from| *from < step).unwrap_or(0),
        Jump::OverBack => {
            let limit = depth(timeline, step);
            (1..step).rev().find(|&k| depth(timeline, k) <= limit).unwrap_or(0)
        }
    };
    to.min(last)
}

/// Call depth after a step; the deepest there is where the timeline does not say.
fn depth(timeline: &Timeline, step: u64) -> u8 {
    let at = usize::try_from(step).unwrap_or(usize::MAX);
    at.checked_sub(1).and_then(|at| timeline.depth.get(at)).copied().unwrap_or(u8::MAX)
}

/// The first step after `step` no deeper than `limit`.
fn first_at(timeline: &Timeline, step: u64, limit: u8) -> u64 {
    (step + 1..=timeline.last).find(|&k| depth(timeline, k) <= limit).unwrap_or(timeline.last)
}

/// The last step of the first slice that ends after `step`; the end of the run if there is none.
fn end_after(slices: &[Slice], step: u64, last: u64) -> u64 {
    slices.get(slices.partition_point(|slice| slice.to <= step + 1)).map_or(last, |slice| slice.to - 1)
}

/// The last step of the last slice that ends before `step`; the origin if there is none.
fn end_before(slices: &[Slice], step: u64) -> u64 {
    slices[..slices.partition_point(|slice| slice.to <= step)].last().map_or(0, |slice| slice.to - 1)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    fn run() -> Timeline {
        let slice = |from, to| Slice { from, to, ..Slice::default() };
        Timeline {
            last: 8,
            complete: true,
            calls: vec![slice(1, 5), slice(5, 8)],
            rounds: vec![slice(1, 5), slice(5, 8)],
            phases: vec![slice(1, 3), slice(3, 5), slice(5, 8)],
            depth: Rc::new(vec![1, 2, 3, 2, 1, 2, 2, 1]),
            ..Timeline::default()
        }
    }

    fn check(step: u64, jump: Jump, expect: u64) {
        assert_eq!(target(&run(), step, jump), expect, "{jump:?} from {step}");
    }

    #[test]
    fn steps_stay_inside_the_run() {
        check(0, Jump::Next(Grain::Statement), 1);
        check(8, Jump::Next(Grain::Statement), 8);
        check(0, Jump::Back(Grain::Statement), 0);
    }

    #[test]
    fn slices_are_left_at_their_last_step() {
        check(0, Jump::Next(Grain::Phase), 2);
        check(2, Jump::Next(Grain::Phase), 4);
        check(7, Jump::Next(Grain::Phase), 8);
        check(8, Jump::Back(Grain::Phase), 7);
        check(4, Jump::Back(Grain::Iteration), 0);
        check(5, Jump::Back(Grain::Iteration), 4);
    }

    #[test]
    fn calls_are_entered_at_their_first_step() {
        check(0, Jump::NextCall, 1);
        check(1, Jump::NextCall, 5);
        check(5, Jump::NextCall, 8);
        check(7, Jump::PrevCall, 5);
        check(5, Jump::PrevCall, 1);
        check(1, Jump::PrevCall, 0);
    }

    #[test]
    fn over_and_out_follow_the_depth() {
        check(2, Jump::Over, 4);
        check(2, Jump::Out, 5);
        check(4, Jump::OverBack, 2);
        check(1, Jump::OverBack, 0);
        check(0, Jump::Over, 1);
        check(3, Jump::OutBack, 2);
        check(2, Jump::OutBack, 1);
        check(1, Jump::OutBack, 0);
    }
}
