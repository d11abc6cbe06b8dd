//! What the lanes of the timeline hold. Each is drawn once for a stretch of steps; a step only moves what lies over them.

use std::rc::Rc;

use view::frame::{Counter, EventKind, Lane, Phase, Slice, TaskState, Timeline as Run};
use view::watch::WatchRow;
use yew::prelude::*;

use crate::debug::Watch;
use crate::draw::{decimal, fits, pct, phase_class, plate, share, to_f64};

/// Steps shown at once; the map below shows all.
const WINDOW: u64 = 120;
/// Pieces of the map.
const PIECES: u64 = 400;
/// Width of the lanes where there is room, and where there is none.
const LANES_PX: (f64, f64) = (1100.0, 560.0);
/// Height of the lane of statements.
const DEPTHS_PX: u64 = 12;

/// The steps on screen: `from` exclusive, `to` inclusive; step `k` is drawn from `k - 1` to `k`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct View {
    /// Before the first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

impl View {
    /// A function of step and run only, so that the road to a step does not matter. Moves by half its width.
    pub fn new(step: u64, last: u64) -> Self {
        if last <= WINDOW + WINDOW / 4 {
            return Self { from: 0, to: last.max(1) };
        }
        let hop = WINDOW / 2;
        let from = (step.saturating_sub(hop / 2) / hop * hop).min(last - WINDOW);
        Self { from, to: from + WINDOW }
    }

    /// How many.
    pub const fn len(self) -> u64 {
        self.to - self.from
    }

    /// Position of a step's end, in per cent.
    pub fn x(self, step: u64) -> f64 {
        share(step.clamp(self.from, self.to) - self.from, self.len())
    }

    /// The part of a slice that is on screen: position and width.
    pub fn span(self, from: u64, to: u64) -> Option<(f64, f64)> {
        let (start, end) = (from.saturating_sub(1).max(self.from), to.saturating_sub(1).min(self.to));
        (start < end).then(|| (self.x(start), self.x(end) - self.x(start)))
    }
}

/// Whether the step belongs to the slice.
fn inside(slice: &Slice, step: u64) -> bool {
    slice.from <= step && step < slice.to
}

/// Which slice the step belongs to.
pub fn slice_at(slices: &[Slice], step: u64) -> Option<usize> {
    let at = slices.partition_point(|slice| slice.to <= step);
    slices.get(at).is_some_and(|slice| inside(slice, step)).then_some(at)
}

/// The slices that touch the view, each with its number. They are in order, so only those are looked at.
fn visible(slices: &[Slice], view: View) -> impl Iterator<Item = (usize, &Slice)> {
    let first = slices.partition_point(|slice| slice.to <= view.from + 1);
    slices.iter().enumerate().skip(first).take_while(move |(_, slice)| slice.from <= view.to)
}

/// Iterations and tries; the system calls of a run that has none.
pub fn rounds(run: &Run) -> &[Slice] {
    if run.rounds.is_empty() { &run.calls } else { &run.rounds }
}

/// A part of the run, and which of its slices are drawn otherwise.
#[derive(Properties, PartialEq)]
pub struct SlicesProps {
    /// The run.
    pub run: Rc<Run>,
    /// The part.
    pub view: View,
    /// Of rounds: the one under way. Of phases: how many have begun.
    pub at: Option<usize>,
}

/// Iterations and tries, or system calls.
#[component]
pub fn Rounds(props: &SlicesProps) -> Html {
    let view = props.view;
    let shown = visible(rounds(&props.run), view)
        .filter_map(|(at, slice)| view.span(slice.from, slice.to).map(|span| (at, slice, span)));
    html! {
        <svg width="100%" height="16">
            { for shown.map(|(at, slice, (x, width))| html! {
                <>
                    <rect class={classes!("it", (props.at == Some(at)).then_some("on"))} x={pct(x)} y="0.5" width={pct(width)} height="15" rx="1" />
                    if let Some(class) = fits(&slice.text, width, LANES_PX) {
                        <text class={classes!("i", class)} x={pct(x)} dx="5" y="11.5">{ &slice.text }</text>
                    }
                </>
            }) }
        </svg>
    }
}

/// Phases; those that have begun are full of their hue.
#[component]
pub fn Phases(props: &SlicesProps) -> Html {
    let begun = props.at.unwrap_or_default();
    html! { <g>{ for visible(&props.run.phases, props.view).map(|(at, slice)| phase(slice, props.view, at < begun)) }</g> }
}

fn phase(slice: &Slice, view: View, begun: bool) -> Html {
    let Some((x, width)) = view.span(slice.from, slice.to) else { return Html::default() };
    let on = begun.then_some("on");
    let (name, letter) = (slice.phase.name(), slice.phase.letter());
    let words = match fits(name, width, LANES_PX) {
        _ if name.is_empty() => vec![],
        Some("") => vec![(name, "")],
        Some(_) => vec![(name, "wide"), (letter, "narrow")],
        None => fits(letter, width, LANES_PX).map(|class| (letter, class)).into_iter().collect(),
    };
    html! {
        <>
            <rect class={classes!("sl", "ph", phase_class(slice.phase), on)} x={pct(x)} y="0" width={pct(width)} height="16" />
            for (word, class) in words { <text class={classes!("slt", on, class)} x={pct(x + width / 2.0)} y="11.5" text-anchor="middle">{ word }</text> }
        </>
    }
}

/// A part of the run.
#[derive(Properties, PartialEq)]
pub struct StretchProps {
    /// The run.
    pub run: Rc<Run>,
    /// The part.
    pub view: View,
}

/// Adds a rectangle to the outline of its phase.
fn outline(outlines: &mut Vec<(Phase, String)>, phase: Phase, rectangle: &str) {
    match outlines.iter_mut().find(|outline| outline.0 == phase) {
        Some((_, outline)) => outline.push_str(rectangle),
        None => outlines.push((phase, rectangle.to_owned())),
    }
}

/// The outlines, each in its phase's hue. One element a phase, however many rectangles there are.
fn outlined(outlines: &[(Phase, String)]) -> Html {
    outlines
        .iter()
        .map(|(phase, d)| html! { <path class={classes!("den", "ph", phase_class(*phase))} d={d.clone()} /> })
        .collect()
}

/// The box of a drawing that is `wide` steps wide, in any width on screen.
fn steps_box(wide: u64) -> String {
    format!("0 0 {wide} {DEPTHS_PX}")
}

/// How deep the calls were at each statement, in its phase's hue.
#[component]
pub fn Depths(props: &StretchProps) -> Html {
    let (run, view) = (&props.run, props.view);
    let at = |step: u64| usize::try_from(step - 1).ok().and_then(|i| run.depth.get(i)).copied();
    let top = (view.from + 1..=view.to).filter_map(at).max().unwrap_or(1).max(1);
    let mut bars = Vec::new();
    for (_, slice) in visible(&run.phases, view) {
        for step in slice.from.max(view.from + 1)..slice.to.min(view.to + 1) {
            if let Some(depth) = at(step) {
                let height = 1.5 + 9.5 * f64::from(depth) / f64::from(top);
                outline(
                    &mut bars,
                    slice.phase,
                    &format!("M{} 11h.78v-{}h-.78z", step - 1 - view.from, decimal(height, 1)),
                );
            }
        }
    }
    html! { <svg width="100%" height="100%" viewBox={steps_box(view.len())} preserveAspectRatio="none">{ outlined(&bars) }</svg> }
}

/// The lanes there is room for: programs first, then the kernel's threads that run at all.
pub fn task_lanes(run: &Run) -> Vec<usize> {
    let runs = |lane: &Lane| lane.spans.iter().any(|span| span.state == TaskState::Running);
    let mut lanes: Vec<(bool, bool, usize)> =
        run.lanes.iter().enumerate().map(|(at, lane)| (lane.kernel, !runs(lane), at)).collect();
    lanes.sort_unstable();
    lanes.into_iter().map(|(_, _, at)| at).take(4).collect()
}

/// Props of [`TaskLane`].
#[derive(Properties, PartialEq)]
pub struct TaskLaneProps {
    /// The run.
    pub run: Rc<Run>,
    /// The part.
    pub view: View,
    /// Which of the run's lanes.
    pub lane: usize,
    /// The span of the step on screen, and what the task does right now.
    pub now: Option<(usize, AttrValue)>,
}

/// The span of a lane that holds the step.
pub fn span_at(lane: &Lane, step: u64) -> Option<usize> {
    let at = lane.spans.partition_point(|span| span.to <= step);
    lane.spans.get(at).is_some_and(|span| span.from <= step).then_some(at)
}

/// Where a task ran, slept, or waited for its turn.
#[component]
pub fn TaskLane(props: &TaskLaneProps) -> Html {
    let view = props.view;
    let spans = props.run.lanes.get(props.lane).map_or(&[][..], |lane| &lane.spans);
    let first = spans.partition_point(|span| span.to <= view.from + 1);
    let shown: Vec<_> = (first..)
        .zip(&spans[first..])
        .take_while(|(_, span)| span.from <= view.to)
        .filter_map(|(at, span)| view.span(span.from, span.to).map(|place| (at, span, place)))
        .collect();
    let next = |i: usize| shown.get(i + 1).map_or(100.0, |(_, _, (x, _))| *x);
    html! {
        <svg class="opt" width="100%" height="11">
            <line class="idle" x1="0" x2="100%" y1="5.5" y2="5.5" stroke-dasharray="1 4" />
            { for shown.iter().enumerate().map(|(i, (at, span, (x, width)))| {
                let now = props.now.as_ref().filter(|now| now.0 == *at).map(|now| now.1.clone());
                let text = now.unwrap_or_else(|| span.text.clone().into());
                let inside = fits(&text, *width, LANES_PX).filter(|_| !text.is_empty());
                let after = inside.is_none() && !text.is_empty() && fits(&text, next(i) - x - width, LANES_PX).is_some();
                html! {
                    <>
                        if span.state == TaskState::Sleeping {
                            <rect fill="url(#p-sleep)" stroke="var(--ink-2)" x={pct(*x)} y="2.5" width={pct(*width)} height="6" />
                        } else if span.state == TaskState::Running {
                            <rect class="run" x={pct(*x)} y="2" width={pct(*width)} height="7" />
                        }
                        if let Some(class) = inside {
                            <g transform="translate(8 0)" {class}>
                                { plate(&text, *x, "0", "11", false, "") }
                                <text x={pct(*x)} y="9.5">{ text }</text>
                            </g>
                        } else if after {
                            <text class="halo" x={pct(x + width)} dx="6" y="9.5">{ text }</text>
                        }
                    </>
                }
            }) }
        </svg>
    }
}

/// Faults, requests, signals, interventions.
#[component]
pub fn Events(props: &StretchProps) -> Html {
    let (run, view) = (&props.run, props.view);
    let first = run.events.partition_point(|event| event.step <= view.from);
    let shown: Vec<_> = run.events[first..].iter().take_while(|event| event.step <= view.to).collect();
    let marks = shown.iter().enumerate().map(|(i, event)| {
        let x = view.x(event.step);
        // A name is told only where the next mark leaves room for it.
        let room = shown.get(i + 1).map_or(100.0, |next| view.x(next.step)) - x - 1.0;
        let (d, class) = match event.kind {
            EventKind::Fault => ("M-3.5 2.5l7 7M3.5 2.5l-7 7", "ev"),
            EventKind::Read => ("M0 1v9M-3.5 7 0 10.5 3.5 7", "ev wb"),
            EventKind::Write => ("M0 10.5v-9M-3.5 4.5 0 1l3.5 3.5", "ev wb"),
            EventKind::Signal => ("M1 1-2 6.5h4l-3 4.5", "ev"),
            EventKind::Intervention => ("M0 1.5 4 6 0 10.5-4 6z", "ev"),
            EventKind::Commit => ("M-4 6l3 4 5-8", "ev jr"),
        };
        html! {
            <g>
                <title>{ format!("{} {}", event.kind.name(), event.text) }</title>
                <svg x={pct(x)} y="0" width="1" height="12" overflow="visible"><path {class} {d} transform="translate(-5 0)" /></svg>
                if let Some(class) = fits(&event.text, room, LANES_PX) { <text {class} x={pct(x)} dx="4" y="10">{ &event.text }</text> }
            </g>
        }
    });
    html! { <svg class="opt" width="100%" height="12">{ for marks }</svg> }
}

/// Each counter in a lane of its own, all on one scale.
#[component]
pub fn Counters(props: &StretchProps) -> Html {
    let top = use_memo(props.run.clone(), |run| {
        let points = run.counters.iter().flat_map(|counter| &counter.points);
        to_f64(points.map(|point| point.1).max().unwrap_or(0).max(1))
    });
    html! {
        <svg class="opt" width="100%" height="36">
            { for props.run.counters.iter().take(3).enumerate().map(|(lane, counter)| curve(counter, lane, *top, props.view)) }
        </svg>
    }
}

/// The counter after a step.
pub fn value_at(counter: &Counter, step: u64) -> u64 {
    let after = counter.points.partition_point(|point| point.0 <= step);
    after.checked_sub(1).and_then(|i| counter.points.get(i)).map_or(0, |point| point.1)
}

/// One counter's steps.
fn curve(counter: &Counter, lane: usize, top: f64, view: View) -> Html {
    let low = 10.5 + 12.0 * to_f64(lane as u64);
    let y = |value: u64| low - 8.5 * to_f64(value) / top;
    let before = counter.points.partition_point(|point| point.0 <= view.from);
    let mut value = value_at(counter, view.from);
    let (mut x, mut lines) = (0.0, Vec::new());
    for &(step, next) in counter.points[before..].iter().take_while(|point| point.0 <= view.to) {
        let to = view.x(step);
        lines.extend([(x, to, y(value), y(value)), (to, to, y(value), y(next))]);
        (x, value) = (to, next);
    }
    lines.push((x, 100.0, y(value), y(value)));
    let class = ["ctr d", "ctr r", "ctr w"][lane];
    html! {
        <g>
            { for lines.into_iter().map(|(x1, x2, y1, y2)| html! {
                <line {class} x1={pct(x1)} x2={pct(x2)} y1={decimal(y1, 1)} y2={decimal(y2, 1)} />
            }) }
        </g>
    }
}

/// Rows of watches that have a place of their own.
const HIT_ROWS: usize = 3;

/// Props of [`Hits`].
#[derive(Properties, PartialEq)]
pub struct HitsProps {
    /// The run.
    pub run: Rc<Run>,
    /// The part.
    pub view: View,
    /// What is followed,
    pub watches: Rc<Vec<Watch>>,
    /// and at which steps it holds.
    pub rows: Rc<Vec<WatchRow>>,
}

/// Where each watch holds: a bar over its steps; a dot where a breakpoint stops a run.
/// And the scenario's own markers, with their words where there is room.
#[component]
pub fn Hits(props: &HitsProps) -> Html {
    let (marks, rows, view) = (&props.run.marks, &props.rows, props.view);
    let first = marks.partition_point(|(step, _)| *step < view.from);
    let shown: Vec<_> = marks[first..].iter().take_while(|(step, _)| *step <= view.to).collect();
    let own = shown.iter().enumerate().map(|(i, (step, text))| {
        let x = view.x(*step);
        let room = shown.get(i + 1).map_or(100.0, |next| view.x(next.0)) - x - 1.5;
        // At the right edge the words stand before their mark.
        let before = fits(text, room, LANES_PX).is_none() && i + 1 == shown.len() && x > 50.0;
        let class = if before { Some("") } else { fits(text, room, LANES_PX) };
        html! {
            <g>
                <title>{ text }</title>
                <svg x={pct(x)} y="0" width="1" height="12" overflow="visible"><path class="own" d="M0 1.5 4.5 6 0 10.5-4.5 6z" /></svg>
                if let Some(class) = class.filter(|_| rows.is_empty()) {
                    <text {class} x={pct(x)} dx={if before { "-8" } else { "8" }} y="10" text-anchor={if before { "end" } else { "start" }}>{ text }</text>
                }
            </g>
        }
    });
    let lines = props.watches.iter().zip(rows.iter()).enumerate().map(|(at, (watch, row))| {
        let first = row.stretches.partition_point(|(_, to)| *to <= view.from + 1);
        let shown = row.stretches[first..].iter().take_while(|(from, _)| *from <= view.to);
        let y = [2, 6, 10][at % HIT_ROWS];
        let marks = shown.map(|&(from, to)| {
            let bar = view.span(from.max(1), to.max(2)).filter(|_| row.is_bool);
            let dot = watch.stops && view.from < from && from <= view.to;
            html! {
                <>
                    if let Some((x, width)) = bar { <rect class="holds" x={pct(x)} y={(y - 1).to_string()} width={pct(width)} height="2.5" /> }
                    if dot { <circle class="hit" cx={pct(view.x(from))} cy={y.to_string()} r="2.5" /> }
                    if !dot && bar.is_none() { <line class="hit" x1={pct(view.x(from))} x2={pct(view.x(from))} y1={(y - 2).to_string()} y2={(y + 2).to_string()} /> }
                </>
            }
        });
        html! { <g>{ for marks }</g> }
    });
    html! { <svg class="opt" width="100%" height="12" data-testid="hits">{ for own }{ for lines }</svg> }
}

/// Places of hits on a line that shows the whole run, each place once.
pub fn ticks(rows: &[WatchRow], last: u64) -> Vec<f64> {
    let grain = (last / PIECES).max(1);
    let mut places: Vec<u64> = Vec::new();
    for row in rows {
        let mut before = None;
        for (from, _) in row.stretches.iter() {
            let place = from / grain;
            if before != Some(place) {
                places.push(place);
            }
            before = Some(place);
        }
    }
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(|place| share((place * grain).min(last), last.max(1))).collect()
}

/// Props of [`Map`].
#[derive(Properties, PartialEq)]
pub struct MapProps {
    /// The run.
    pub run: Rc<Run>,
    /// Places of hits, in per cent.
    pub ticks: Rc<Vec<f64>>,
}

/// All steps in one line.
#[component]
pub fn Map(props: &MapProps) -> Html {
    let run = &props.run;
    let mut outlines = Vec::new();
    for (phase, x, width) in pieces(run) {
        outline(&mut outlines, phase, &format!("M{} 3h{1}v5h-{1}z", decimal(x, 3), decimal(width, 3)));
    }
    html! {
        <g>
            <rect class="mm" x="0" y="1" width="100%" height="9" rx="1" />
            <svg width="100%" height="11" viewBox="0 0 100 11" preserveAspectRatio="none">{ outlined(&outlines) }</svg>
            { for props.ticks.iter().map(|x| html! { <line class="hit" x1={pct(*x)} x2={pct(*x)} y1="0" y2="3" /> }) }
            { for run.marks.iter().map(|(step, _)| html! { <rect class="own" x={pct(share(*step, run.last.max(1)))} y="0" width="3" height="4" /> }) }
        </g>
    }
}

/// The phases of the run, merged where there are more than the map can show: the first phase of a piece names it.
fn pieces(run: &Run) -> Vec<(Phase, f64, f64)> {
    let grain = (run.last / PIECES).max(1);
    let mut out: Vec<(Phase, u64, u64)> = Vec::new();
    for slice in &run.phases {
        let (from, to) = (slice.from.saturating_sub(1), slice.to.saturating_sub(1));
        match out.last_mut() {
            Some(last) if last.0 == slice.phase || last.2 - last.1 < grain => last.2 = to,
            _ => out.push((slice.phase, from, to)),
        }
    }
    let place = |step: u64| share(step, run.last.max(1));
    out.into_iter().map(|(phase, from, to)| (phase, place(from), place(to) - place(from))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_holds_its_step() {
        for last in [1, 100, 150, 151, 1000, 1_000_000] {
            for step in [0, 1, 29, 30, 60, last / 2, last - 1, last] {
                let step = step.min(last);
                let view = View::new(step, last);
                assert!(view.from <= step && step <= view.to && view.to <= last, "{step} {last} {view:?}");
            }
        }
    }

    #[test]
    fn the_map_covers_a_long_run_in_few_pieces() {
        let phase = |i: u64| if i.is_multiple_of(2) { Phase::Begin } else { Phase::End };
        let slice = |i: u64| Slice { from: 1 + 3 * i, to: 4 + 3 * i, phase: phase(i), ..Slice::default() };
        let run = Run { last: 300_000, phases: (0..100_000).map(slice).collect(), ..Run::default() };
        let pieces = pieces(&run);
        assert!(pieces.len() <= 401, "{}", pieces.len());
        let covered: f64 = pieces.iter().map(|piece| piece.2).sum();
        assert!((covered - 100.0).abs() < 1e-6);
    }
}
