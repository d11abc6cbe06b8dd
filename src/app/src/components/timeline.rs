//! The whole run: calls, rounds, phases, statements, tasks, events, counters, and a map of it all.

use std::rc::Rc;

use view::frame::{Lane, TaskRow, TaskState, Timeline as Run};
use view::number;
use view::watch::WatchRow;
use wasm_bindgen::JsCast;
use web_sys::Element;
use yew::prelude::*;

use super::lanes::{
    self, Counters, Depths, Events, Hits, Map, Phases, Rounds, TaskLane, View, rounds, slice_at, span_at, task_lanes,
    value_at,
};
use crate::debug::Watch;
use crate::draw::{pct, share, to_f64, to_u64};
use crate::player::{Command, Send, use_send};
use crate::t;

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
                if let Some(slider) = slider(&event) {
                    // Without the capture the drag ends at the edge: no harm.
                    let _ = slider.set_pointer_capture(event.pointer_id());
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
    let order = use_memo(run.clone(), |run| task_lanes(run));
    let ticks = use_memo((props.rows.clone(), last), |(rows, last)| lanes::ticks(rows, *last));
    let phase =
        slice_at(&run.phases, step).and_then(|at| run.phases.get(at)).and_then(|slice| view.span(slice.from, slice.to));
    let (now, whole) = (pct(view.x(step)), last.max(1));
    html! {
        <div class="slider" id="timeline" role="slider" tabindex="0" aria-label={t().step} aria-valuemin="0"
            aria-valuemax={last.to_string()} aria-valuenow={step.to_string()}
            aria-valuetext={format!("{} {step}: {}", t().step, props.text)}
            {onpointerdown} {onpointermove} onpointerup={onpointerup.clone()} onpointercancel={onpointerup} {onkeydown}>
            <div class="lanes" aria-hidden="true">
                <span class="lb">{ t().step }</span>
                { ruler(view, step, props.marks) }
                <span class="lb">{ call_name(run, step) }</span>
                <Rounds run={run.clone()} {view} at={slice_at(rounds(run), step)} />
                <span class="lb">{ t().phase }</span>
                <svg width="100%" height="16">
                    <Phases run={run.clone()} {view} at={run.phases.partition_point(|slice| slice.from <= step)} />
                    if let Some((x, width)) = phase { <rect class="ph-now" x={pct(x)} y="-19.5" width={pct(width)} height="48.5" rx="2" /> }
                    <line class="nowl nowlong" x1={now.clone()} x2={now.clone()} y1="-32" y2={(85 + 14 * order.len()).to_string()} />
                </svg>
                <span class="lb opt">{ t().statement }</span>
                <svg class="opt" width="100%" height="12">
                    <Depths run={run.clone()} {view} />
                    <rect class="ahead" x={now} y="0" width={pct(100.0 - view.x(step))} height="12" />
                </svg>
                for (lane, row) in order.iter().filter_map(|lane| Some((*lane, run.lanes.get(*lane)?))) {
                    { lane_name(&send, row, props.followed.as_deref()) }
                    <TaskLane run={run.clone()} {view} {lane} now={doing(row, step, &props.tasks)} />
                }
                <span class="lb opt">{ t().events }</span>
                <Events run={run.clone()} {view} />
                <span class="lb opt">{ t().hits }</span>
                <Hits run={run.clone()} {view} watches={props.watches.clone()} rows={props.rows.clone()} />
                <span class="lb opt ctl" data-testid="counters">for counter in run.counters.iter() { <span>{ format!("{} {}", counter.name, number(value_at(counter, step))) }</span> }</span>
                <Counters run={run.clone()} {view} />
                <span class="lb">{ format!("{} {}{more}", t().all_steps, number(last)) }</span>
                <svg class="map" width="100%" height="11">
                    <Map run={run.clone()} ticks={ticks.clone()} />
                    <rect class="win" x={pct(share(view.from, whole))} y="0.75" width={pct(share(view.len(), whole))} height="9.5" rx="2" />
                    <line class="nowl" x1={pct(share(step, whole))} x2={pct(share(step, whole))} y1="0" y2="11" />
                </svg>
            </div>
            <svg class="scrub only-s" height="10" width="100%" aria-hidden="true">
                <rect class="mm" x="0" y="3" width="100%" height="4" rx="2" />
                <rect class="nowh" x="0" y="3" width={pct(share(step, last))} height="4" rx="2" />
                { for ticks.iter().map(|x| html! { <line class="hit" x1={pct(*x)} x2={pct(*x)} y1="0" y2="3" /> }) }
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

fn slider(event: &PointerEvent) -> Option<Element> {
    event.target()?.dyn_into::<Element>().ok()?.closest(".slider").ok()?
}

/// Where the pointer is on the lanes, and whether it is on the map of all steps.
fn pointer_in_lanes(event: &PointerEvent) -> Option<(f64, bool)> {
    let slider = slider(event)?;
    let map = slider.query_selector(".map").ok()??;
    let area = map.get_bounding_client_rect();
    if area.width() > 0.0 {
        let inside = f64::from(event.client_x()) >= area.left() - 8.0;
        let on_map = f64::from(event.client_y()) >= area.top() - 1.0;
        return share_of(&map, event.client_x()).filter(|_| inside).map(|at| (at, on_map));
    }
    // Small screens have one bar for the whole run.
    let bar = slider.query_selector(".scrub").ok()??;
    share_of(&bar, event.client_x()).map(|at| (at, true))
}

fn call_name(run: &Run, step: u64) -> String {
    let call = slice_at(&run.calls, step).and_then(|at| run.calls.get(at));
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

/// What a task does at the step: the words of its span on the lane then.
fn doing(lane: &Lane, step: u64, tasks: &[Rc<TaskRow>]) -> Option<(usize, AttrValue)> {
    let task = tasks.iter().find(|task| task.id == lane.id)?;
    let at = span_at(lane, step)?;
    let running = lane.spans.get(at)?.state == TaskState::Running;
    let words = if running { &task.doing } else { &task.on };
    (!words.is_empty()).then(|| (at, words.clone().into()))
}
