//! The whole run: calls, rounds, phases, statements, tasks, events, counters, and a map of it all.

use std::rc::Rc;

use view::frame::{Counter, EventKind, Lane, LaneSpan, Phase, Slice, TaskRow, TaskState, Timeline as Run};
use view::number;
use view::watch::WatchRow;
use wasm_bindgen::JsCast;
use web_sys::Element;
use yew::prelude::*;

use crate::debug::Watch;
use crate::draw::{fits, pct, phase_class, plate, share, to_f64, to_u64};
use crate::player::{Command, Send, use_send};
use crate::t;

/// Steps shown at once; the map below shows all.
const WINDOW: u64 = 120;
/// Pieces of the map.
const PIECES: u64 = 400;
/// Width of the lanes where there is room, and where there is none.
const LANES_PX: (f64, f64) = (1100.0, 560.0);

/// The steps on screen: `from` exclusive, `to` inclusive; step `k` is drawn from `k - 1` to `k`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct View {
    from: u64,
    to: u64,
}

impl View {
    /// A function of step and run only, so that the road to a step does not matter. Moves by half its width.
    fn new(step: u64, last: u64) -> Self {
        if last <= WINDOW + WINDOW / 4 {
            return Self { from: 0, to: last.max(1) };
        }
        let hop = WINDOW / 2;
        let from = (step.saturating_sub(hop / 2) / hop * hop).min(last - WINDOW);
        Self { from, to: from + WINDOW }
    }

    const fn len(self) -> u64 {
        self.to - self.from
    }

    /// Position of a step's end, in per cent.
    fn x(self, step: u64) -> f64 {
        share(step.clamp(self.from, self.to) - self.from, self.len())
    }

    /// The part of a slice that is on screen: position and width.
    fn span(self, from: u64, to: u64) -> Option<(f64, f64)> {
        let (start, end) = (from.saturating_sub(1).max(self.from), to.saturating_sub(1).min(self.to));
        (start < end).then(|| (self.x(start), self.x(end) - self.x(start)))
    }
}

/// Props of [`Timeline`].
#[derive(Properties, PartialEq)]
pub struct TimelineProps {
    /// The run.
    pub run: Rc<Run>,
    /// The step on screen.
    pub step: u64,
    /// Its sentence: the slider's value in words.
    pub text: AttrValue,
    /// What each task does at it.
    pub tasks: Vec<Rc<TaskRow>>,
    /// What is followed,
    pub watches: Rc<Vec<Watch>>,
    /// and at which steps it holds.
    pub rows: Rc<Vec<WatchRow>>,
    /// Markers A and B.
    pub marks: [Option<u64>; 2],
    /// The name of the only task that is stepped in.
    pub followed: Option<Rc<str>>,
}

/// A slider over the run.
#[component]
pub fn Timeline(props: &TimelineProps) -> Html {
    let send = use_send();
    let dragging = use_mut_ref(|| false);
    let (run, step) = (&props.run, props.step);
    let last = run.last;
    let view = View::new(step, last);
    // On the map the share is of the whole run, on the lanes of the view.
    let aim = move |event: &PointerEvent| -> Option<u64> {
        let (at, on_map) = pointer_in_lanes(event)?;
        let (from, len) = if on_map { (0, last) } else { (view.from, view.len()) };
        Some((from + to_u64(at * to_f64(len) + 1.0, len)).min(last))
    };
    let onpointerdown = {
        let (send, dragging) = (send.clone(), dragging.clone());
        Callback::from(move |event: PointerEvent| {
            if event.button() != 0 {
                return;
            }
            if let Some(step) = aim(&event) {
                *dragging.borrow_mut() = true;
                if let Some(lanes) = lanes(&event) {
                    // Without the capture the drag ends at the edge: no harm.
                    let _ = lanes.set_pointer_capture(event.pointer_id());
                }
                send.emit(Command::Seek(step));
            }
        })
    };
    let onpointermove = {
        let (send, dragging) = (send.clone(), dragging.clone());
        Callback::from(move |event: PointerEvent| {
            if *dragging.borrow()
                && let Some(step) = aim(&event)
            {
                send.emit(Command::Scrub(step));
            }
        })
    };
    let onpointerup = Callback::from(move |_: PointerEvent| *dragging.borrow_mut() = false);
    let keys = send.clone();
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        let to = match event.key().as_str() {
            "PageDown" => Command::Seek((step + 10).min(last)),
            "PageUp" => Command::Seek(step.saturating_sub(10)),
            "ArrowUp" if !event.shift_key() => Command::Next,
            "ArrowDown" if !event.shift_key() => Command::Back,
            _ => return,
        };
        event.prevent_default();
        keys.emit(to);
    });
    let more = if run.complete { "" } else { "+" };
    html! {
        <div class="slider" id="timeline" role="slider" tabindex="0" aria-label={t().step} aria-valuemin="0"
            aria-valuemax={last.to_string()} aria-valuenow={step.to_string()}
            aria-valuetext={format!("{} {step}: {}", t().step, props.text)}
            {onpointerdown} {onpointermove} onpointerup={onpointerup.clone()} onpointercancel={onpointerup} {onkeydown}>
            <div class="lanes" aria-hidden="true">
                <span class="lb">{ t().step }</span>
                { ruler(view, step, props.marks) }
                <span class="lb">{ call_name(run, step) }</span>
                { rounds(run, view, step) }
                <span class="lb">{ t().phase }</span>
                { phases(run, view, step, to_f64(85 + 14 * task_lanes(run).count() as u64)) }
                <span class="lb opt">{ t().statement }</span>
                { depths(run, view, step) }
                for lane in task_lanes(run) {
                    { lane_name(&send, lane, props.followed.as_deref()) }
                    { task_lane(lane, view, step, props.tasks.iter().find(|task| task.id == lane.id)) }
                }
                <span class="lb opt">{ t().events }</span>
                { events(run, view) }
                <span class="lb opt">{ t().hits }</span>
                { hits(&props.watches, &props.rows, &run.marks, view) }
                <span class="lb opt ctl" data-testid="counters">for counter in run.counters.iter() { <span>{ format!("{} {}", counter.name, number(value_at(counter, step))) }</span> }</span>
                { counters(run, view) }
                <span class="lb">{ format!("{} {}{more}", t().all_steps, number(last)) }</span>
                <Map run={run.clone()} {step} from={view.from} to={view.to} rows={props.rows.clone()} />
            </div>
            <svg class="scrub only-s" height="10" width="100%" aria-hidden="true">
                <rect class="mm" x="0" y="3" width="100%" height="4" rx="2" />
                <rect class="nowh" x="0" y="3" width={pct(share(step, last))} height="4" rx="2" />
                { for ticks(&props.rows, last).into_iter().map(|x| html! { <line class="hit" x1={pct(x)} x2={pct(x)} y1="0" y2="3" /> }) }
                <circle class="nowh" cx={pct(share(step, last))} cy="5" r="5" />
            </svg>
        </div>
    }
}

/// Where the pointer is on the drawing under it: a share of its width.
pub fn pointer_share(event: &MouseEvent) -> Option<f64> {
    let drawing = event.target()?.dyn_into::<Element>().ok()?.closest("svg[role=img]").ok()??;
    share_of(&drawing, event.client_x())
}

fn share_of(element: &Element, client_x: i32) -> Option<f64> {
    let area = element.get_bounding_client_rect();
    (area.width() > 0.0).then(|| ((f64::from(client_x) - area.left()) / area.width()).clamp(0.0, 0.999_999))
}

fn lanes(event: &PointerEvent) -> Option<Element> {
    event.target()?.dyn_into::<Element>().ok()?.closest(".slider").ok()?
}

/// Where the pointer is on the lanes, and whether it is on the map of all steps.
fn pointer_in_lanes(event: &PointerEvent) -> Option<(f64, bool)> {
    let lanes = lanes(event)?;
    let map = lanes.query_selector(".map").ok()??;
    let area = map.get_bounding_client_rect();
    if area.width() > 0.0 {
        let inside = f64::from(event.client_x()) >= area.left() - 8.0;
        let on_map = f64::from(event.client_y()) >= area.top() - 1.0;
        return share_of(&map, event.client_x()).filter(|_| inside).map(|at| (at, on_map));
    }
    // Small screens have one bar for the whole run.
    let bar = lanes.query_selector(".scrub").ok()??;
    share_of(&bar, event.client_x()).map(|at| (at, true))
}

fn inside(slice: &Slice, step: u64) -> bool {
    slice.from <= step && step < slice.to
}

/// The slices that touch the view. They are in order, so only those are looked at.
fn visible(slices: &[Slice], view: View) -> impl Iterator<Item = &Slice> {
    let first = slices.partition_point(|slice| slice.to <= view.from + 1);
    slices[first..].iter().take_while(move |slice| slice.from <= view.to)
}

fn call_name(run: &Run, step: u64) -> String {
    let at = run.calls.partition_point(|call| call.to <= step);
    let call = run.calls.get(at).filter(|call| inside(call, step));
    call.map_or_else(|| t().call.to_owned(), |call| call.text.clone())
}

fn ruler(view: View, step: u64, marks: [Option<u64>; 2]) -> Html {
    let least = (view.len() / 12).max(1);
    let every = [1, 2, 5, 10, 20, 50].into_iter().find(|each| *each >= least).unwrap_or(100);
    let now = view.x(step);
    let ticks = (view.from / every + 1..=view.to / every).map(|i| i * every).filter(|tick| {
        let x = view.x(*tick);
        !(now - 5.5..=now + 3.0).contains(&x) && (1.0..98.5).contains(&x)
    });
    let transform = if now < 3.0 { "translate(0 0)" } else { "translate(-34 0)" };
    html! {
        <svg width="100%" height="13">
            { for ticks.map(|tick| html! { <text x={pct(view.x(tick))} y="10" text-anchor="middle">{ tick }</text> }) }
            for (mark, letter) in marks.into_iter().zip(["A", "B"]) {
                if let Some(mark) = mark.filter(|mark| view.from <= *mark && *mark <= view.to) {
                    <g transform="translate(-6 0)">
                        <rect class="mark" x={pct(view.x(mark))} y="0.5" width="12" height="12" rx="2" />
                        <text class="b" x={pct(view.x(mark))} dx="6" y="10" text-anchor="middle">{ letter }</text>
                    </g>
                }
            }
            <g {transform}>
                <rect class="nowh" x={pct(now)} y="-1" width="34" height="14" rx="2" />
                <text class="nowt" x={pct(now)} dx="17" y="10" text-anchor="middle">{ step }</text>
            </g>
        </svg>
    }
}

fn rounds(run: &Run, view: View, step: u64) -> Html {
    let slices = if run.rounds.is_empty() { &run.calls } else { &run.rounds };
    let shown = visible(slices, view).filter_map(|slice| view.span(slice.from, slice.to).map(|span| (slice, span)));
    html! {
        <svg width="100%" height="16">
            { for shown.map(|(slice, (x, width))| html! {
                <>
                    <rect class={classes!("it", inside(slice, step).then_some("on"))} x={pct(x)} y="0.5" width={pct(width)} height="15" rx="1" />
                    if let Some(class) = fits(&slice.text, width, LANES_PX) {
                        <text class={classes!("i", class)} x={pct(x)} dx="5" y="11.5">{ &slice.text }</text>
                    }
                </>
            }) }
        </svg>
    }
}

fn phases(run: &Run, view: View, step: u64, below_px: f64) -> Html {
    let now =
        visible(&run.phases, view).find(|slice| inside(slice, step)).and_then(|slice| view.span(slice.from, slice.to));
    let x = pct(view.x(step));
    html! {
        <svg width="100%" height="16">
            { for visible(&run.phases, view).map(|slice| phase(slice, view, step)) }
            if let Some((x, width)) = now { <rect class="ph-now" x={pct(x)} y="-19.5" width={pct(width)} height="48.5" rx="2" /> }
            <line class="nowl nowlong" x1={x.clone()} x2={x} y1="-32" y2={below_px.to_string()} />
        </svg>
    }
}

fn phase(slice: &Slice, view: View, step: u64) -> Html {
    let Some((x, width)) = view.span(slice.from, slice.to) else { return Html::default() };
    let on = (slice.from <= step).then_some("on");
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

fn depths(run: &Run, view: View, step: u64) -> Html {
    let at = |step: u64| usize::try_from(step - 1).ok().and_then(|i| run.depth.get(i)).copied();
    let top = (view.from + 1..=view.to).filter_map(at).max().unwrap_or(1).max(1);
    let width = pct(78.0 / to_f64(view.len()));
    let bars = visible(&run.phases, view).flat_map(|slice| {
        let steps = slice.from.max(view.from + 1)..slice.to.min(view.to + 1);
        steps
            .filter_map(|each| at(each).map(|depth| (each, slice.phase, 1.5 + 9.5 * f64::from(depth) / f64::from(top))))
    });
    html! {
        <svg class="opt" width="100%" height="12">
            { for bars.map(|(each, phase, height)| html! {
                <rect class={classes!("den", "ph", phase_class(phase), (each > step).then_some("fut"))} x={pct(view.x(each - 1))}
                    y={format!("{:.1}", 11.0 - height)} width={width.clone()} height={format!("{height:.1}")} />
            }) }
        </svg>
    }
}

/// The lanes there is room for: programs first, then the kernel's threads that run at all.
fn task_lanes(run: &Run) -> impl Iterator<Item = &Lane> {
    let mut lanes: Vec<&Lane> = run.lanes.iter().collect();
    let runs = |lane: &Lane| lane.spans.iter().any(|span| span.state == TaskState::Running);
    lanes.sort_by_key(|lane| (lane.kernel, !runs(lane)));
    lanes.into_iter().take(4)
}

/// The name of a lane; a click steps in this task only, or lets it go. The call stack has it for the keyboard.
fn lane_name(send: &Send, lane: &Lane, followed: Option<&str>) -> Html {
    let on = followed == Some(lane.name.as_str());
    let task = (!on).then(|| Rc::from(lane.name.as_str()));
    let send = send.clone();
    html! {
        <span class={classes!("lb", "opt", "lane", on.then_some("on"))} title={t().only_long} onclick={move |_: MouseEvent| send.emit(Command::Follow(task.clone()))}>
            { if on { "▸ " } else { "" } }{ &lane.name }
        </span>
    }
}

fn task_lane(lane: &Lane, view: View, step: u64, task: Option<&Rc<TaskRow>>) -> Html {
    let first = lane.spans.partition_point(|span| span.to <= view.from + 1);
    let shown: Vec<_> = lane.spans[first..]
        .iter()
        .take_while(|span| span.from <= view.to)
        .filter_map(|span| view.span(span.from, span.to).map(|place| (span, place)))
        .collect();
    let next = |i: usize| shown.get(i + 1).map_or(100.0, |(_, (x, _))| *x);
    // The span of the step on screen says what the task does right now.
    let words = |span: &LaneSpan| {
        let now = task.filter(|_| span.from <= step && step < span.to);
        let now = now.map(|task| if span.state == TaskState::Running { &task.doing } else { &task.on });
        now.filter(|now| !now.is_empty()).map_or_else(|| span.text.clone(), Clone::clone)
    };
    html! {
        <svg class="opt" width="100%" height="11">
            <line class="idle" x1="0" x2="100%" y1="5.5" y2="5.5" stroke-dasharray="1 4" />
            { for shown.iter().enumerate().map(|(i, (span, (x, width)))| {
                let text = words(span);
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

fn events(run: &Run, view: View) -> Html {
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

/// The counter after a step.
fn value_at(counter: &Counter, step: u64) -> u64 {
    let after = counter.points.partition_point(|point| point.0 <= step);
    after.checked_sub(1).and_then(|i| counter.points.get(i)).map_or(0, |point| point.1)
}

/// Each counter in a lane of its own, all on one scale.
fn counters(run: &Run, view: View) -> Html {
    let points = run.counters.iter().flat_map(|counter| &counter.points);
    let top = to_f64(points.map(|point| point.1).max().unwrap_or(0).max(1));
    html! {
        <svg class="opt" width="100%" height="36">
            { for run.counters.iter().take(3).enumerate().map(|(lane, counter)| curve(counter, lane, top, view)) }
        </svg>
    }
}

/// Rows of watches that have a place of their own.
const HIT_ROWS: usize = 3;

/// Where each watch holds: a bar over its steps; a dot where a breakpoint stops a run.
/// And the scenario's own markers, with their words where there is room.
fn hits(watches: &[Watch], rows: &[WatchRow], marks: &[(u64, String)], view: View) -> Html {
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
    let lines = watches.iter().zip(rows).enumerate().map(|(at, (watch, row))| {
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
fn ticks(rows: &[WatchRow], last: u64) -> Vec<f64> {
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
                <line {class} x1={pct(x1)} x2={pct(x2)} y1={format!("{y1:.1}")} y2={format!("{y2:.1}")} />
            }) }
        </g>
    }
}

#[derive(Properties, PartialEq)]
struct MapProps {
    run: Rc<Run>,
    step: u64,
    from: u64,
    to: u64,
    rows: Rc<Vec<WatchRow>>,
}

/// All steps in one line, with a window on what the lanes show.
#[component]
fn Map(props: &MapProps) -> Html {
    let run = &props.run;
    let pieces = use_memo(run.clone(), |run| pieces(run));
    let hits = use_memo((props.rows.clone(), run.last), |(rows, last)| ticks(rows, *last));
    let place = |step: u64| share(step, run.last.max(1));
    let now = pct(place(props.step));
    html! {
        <svg class="map" width="100%" height="11">
            <rect class="mm" x="0" y="1" width="100%" height="9" rx="1" />
            { for pieces.iter().map(|(phase, x, width)| html! { <rect class={classes!("den", "ph", phase_class(*phase))} x={pct(*x)} y="3" width={pct(*width)} height="5" /> }) }
            { for hits.iter().map(|x| html! { <line class="hit" x1={pct(*x)} x2={pct(*x)} y1="0" y2="3" /> }) }
            { for run.marks.iter().map(|(step, _)| html! { <rect class="own" x={pct(place(*step))} y="0" width="3" height="4" /> }) }
            <rect class="win" x={pct(place(props.from))} y="0.75" width={pct(place(props.to) - place(props.from))} height="9.5" rx="2" />
            <line class="nowl" x1={now.clone()} x2={now} y1="0" y2="11" />
        </svg>
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
