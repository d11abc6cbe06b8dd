//! The panel under the code: changes, watches, who set a value, what two markers are apart.

use std::rc::Rc;

use view::frame::{Changes as Rows, Timeline};
use view::number;
use view::steps::Grain;
use view::text::expression_fault;
use view::watch::Write;
use yew::prelude::*;

use super::changes::Changes;
use super::steps::Steps;
use super::watch::WatchPanel;
use crate::debug::{Ask, Debug, Origin, Tab};
use crate::player::{Command, Looker, use_send};
use crate::{keys, t};

/// Writes shown at once, around the step.
const WRITES_SHOWN: usize = 200;

/// From this width on the code has its own place beside the picture, as in the style sheet.
const TWO_COLUMNS_PX: f64 = 1100.0;

/// Props of [`DebugPane`].
#[derive(Properties)]
pub struct DebugPaneProps {
    /// What this step changed.
    pub changes: Rc<Rows>,
    /// The debugger.
    pub debug: Debug,
    /// The step on screen.
    pub step: u64,
    /// The runs that interventions made, and which of them is on screen.
    pub runs: Rc<(Vec<String>, usize)>,
    /// The run.
    pub run: Rc<Timeline>,
    /// What a step is.
    pub grain: Grain,
    /// The only task that is stepped in.
    pub followed: Option<u32>,
    /// Says what happened in a step.
    pub looker: Looker,
}

impl PartialEq for DebugPaneProps {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.debug, &other.debug);
        self.step == other.step
            && self.runs == other.runs
            && self.changes == other.changes
            && a.tab == b.tab
            && a.watches == b.watches
            && Rc::ptr_eq(&a.rows, &b.rows)
            && a.walked == b.walked
            && a.marks == b.marks
            && a.diff == b.diff
            && a.origin == b.origin
            && a.draft == b.draft
            && (a.tab != Tab::Steps || self.lists_as(other))
    }
}

impl DebugPaneProps {
    /// The list of steps is the same.
    fn lists_as(&self, other: &Self) -> bool {
        let (a, b) = (&self.debug, &other.debug);
        Rc::ptr_eq(&self.run, &other.run)
            && (self.grain, self.followed) == (other.grain, other.followed)
            && (&a.find, a.of_kind) == (&b.find, b.of_kind)
    }
}

fn name(tab: Tab) -> &'static str {
    match tab {
        Tab::Changes => t().changes,
        Tab::Steps => t().steps_tab,
        Tab::Watch => t().watch_tab,
        Tab::Origin => t().origin_tab,
        Tab::Diff => t().diff_tab,
        Tab::Runs => t().runs_tab,
    }
}

/// The panel with its tabs.
#[component]
pub fn DebugPane(props: &DebugPaneProps) -> Html {
    let send = use_send();
    let debug = &props.debug;
    // One run alone is no list.
    let tabs = &Tab::ALL[..Tab::ALL.len() - usize::from(props.runs.0.len() < 2)];
    let now = if tabs.contains(&debug.tab) { debug.tab } else { Tab::Changes };
    // The tabs take their room from the code: beside each other, its line stays in sight.
    use_effect_with(now, |_| {
        let width = gloo::utils::window().inner_width().ok().and_then(|width| width.as_f64());
        if width.is_some_and(|width| width >= TWO_COLUMNS_PX) {
            keys::into_view(".codebody .now");
        }
    });
    let onkeydown = {
        let send = send.clone();
        let at = tabs.iter().position(|each| *each == now);
        Callback::from(move |event: KeyboardEvent| {
            if let Some(to) = keys::roving(&event, at, tabs.len()) {
                send.emit(Command::Debug(Ask::Show(tabs[to])));
                keys::focus(&format!("low-{}", tabs[to].key()));
            }
        })
    };
    let show = |tab: Tab| {
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::Debug(Ask::Show(tab)))
    };
    let note = match (now, &debug.diff) {
        (Tab::Changes, _) => props.changes.since.clone(),
        (Tab::Diff, Some(diff)) => diff.since.clone(),
        _ => String::new(),
    };
    html! {
        <section class="panel changes" id="panel-changes" tabindex="-1" aria-label={t().debug_tabs}>
            <div class="head lowtabs">
                <div role="tablist" aria-label={t().debug_tabs} {onkeydown}>
                    for tab in tabs.iter().copied() {
                        <button key={tab.key()} id={format!("low-{}", tab.key())} class="tab" role="tab" type="button" aria-controls="low-body"
                            aria-selected={(tab == now).to_string()} tabindex={if tab == now { "0" } else { "-1" }} onclick={show(tab)}>
                            { name(tab) }
                            if tab == Tab::Runs { <span class="n">{ props.runs.0.len() }</span> }
                            if tab == Tab::Watch && !debug.watches.is_empty() { <span class="n">{ debug.watches.len() }</span> }
                        </button>
                    }
                </div>
                <span class="note">{ note }</span>
            </div>
            <div id="low-body" class="lowbody" role="tabpanel" aria-labelledby={format!("low-{}", now.key())}>
                { match now {
                    Tab::Changes => html! { <Changes rows={props.changes.clone()} label="low-changes" testid="changes" /> },
                    Tab::Steps => html! {
                        <Steps run={props.run.clone()} step={props.step} grain={props.grain} followed={props.followed} looker={props.looker.clone()}
                            find={debug.find.clone()} of_kind={debug.of_kind} seeks={debug.seeks} />
                    },
                    Tab::Watch => html! { <WatchPanel debug={debug.clone()} step={props.step} /> },
                    Tab::Origin => html! { <Writes origin={debug.origin.clone()} step={props.step} /> },
                    Tab::Runs => html! { <Runs runs={props.runs.clone()} /> },
                    Tab::Diff => html! { <Diff marks={debug.marks} diff={debug.diff.clone()} /> },
                } }
            </div>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct WritesProps {
    origin: Option<Rc<Origin>>,
    step: u64,
}

/// Every step that wrote the value asked for; the last one up to this step is marked.
#[component]
fn Writes(props: &WritesProps) -> Html {
    let send = use_send();
    let Some(origin) = &props.origin else { return html! { <p class="none">{ t().origin_none }</p> } };
    let writes = match &origin.writes {
        Ok(writes) => writes,
        Err(error) => return html! { <p class="none">{ expression_fault(error) }</p> },
    };
    let behind = writes.partition_point(|write| write.step <= props.step);
    let first = behind.saturating_sub(WRITES_SHOWN / 2).min(writes.len().saturating_sub(WRITES_SHOWN));
    let line = |(at, write): (usize, &Write)| {
        let (send, step) = (send.clone(), write.step);
        let onclick = move |_: MouseEvent| send.emit(Command::Seek(step));
        let last = (at + 1 == behind).then_some("true");
        html! {
            <li key={write.step} class={(at + 1 == behind).then_some("last")}>
                <span class="k" aria-hidden="true">{ if at + 1 == behind { "▶" } else { "" } }</span>
                <button class="link" type="button" aria-current={last} aria-label={format!("{} {}", t().origin_go, write.step)} {onclick}>{ number(write.step) }</button>
                <span class="v"><s class="was">{ or_missing(&write.was) }</s>{ " → " }<b>{ or_missing(&write.now) }</b></span>
                <span class="f" title={format!("{}: {}", write.function, write.code)}>{ &write.function }{ ": " }{ &write.code }</span>
            </li>
        }
    };
    html! {
        <>
            <p class="lowline"><code>{ &origin.path }</code>{ " " }
                if writes.is_empty() { { t().origin_never } } else { { t().origin_written }{ " " }{ number(writes.len() as u64) }{ " " }{ t().watch_at_steps } }
            </p>
            <ol class="writes" tabindex="0" aria-labelledby="low-origin" data-testid="writes">
                for (at, write) in writes.iter().enumerate().skip(first).take(WRITES_SHOWN) { { line((at, write)) } }
            </ol>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct RunsProps {
    runs: Rc<(Vec<String>, usize)>,
}

/// The runs, each a way to go there.
#[component]
fn Runs(props: &RunsProps) -> Html {
    let send = use_send();
    let (runs, current) = &*props.runs;
    let line = |(at, text): (usize, &String)| {
        let send = send.clone();
        let here = at == *current;
        html! {
            <li class={here.then_some("last")}>
                <span class="k" aria-hidden="true">{ if here { "▶" } else { "" } }</span>
                <button class="link" type="button" aria-current={here.then_some("true")} onclick={move |_: MouseEvent| send.emit(Command::GoToRun(at))}>{ at + 1 }</button>
                <span class="v">{ text }</span>
                <span class="f">{ if here { t().run_current } else { "" } }</span>
            </li>
        }
    };
    html! {
        <ol class="writes" tabindex="0" aria-labelledby="low-runs" data-testid="runs">
            for each in runs.iter().enumerate() { { line(each) } }
        </ol>
    }
}

/// A value, or that it is not there.
pub fn or_missing(value: &str) -> &str {
    if value.is_empty() { t().watch_missing } else { value }
}

#[derive(Properties, PartialEq)]
struct DiffProps {
    marks: [Option<u64>; 2],
    diff: Option<Rc<Rows>>,
}

/// The markers, and what lies between.
#[component]
fn Diff(props: &DiffProps) -> Html {
    let send = use_send();
    let mark = |which: usize, letter: &'static str, label: &'static str| {
        let put = {
            let send = send.clone();
            move |_: MouseEvent| send.emit(Command::Debug(Ask::Put(which)))
        };
        let go = props.marks[which].map(|step| {
            let send = send.clone();
            let onclick = move |_: MouseEvent| send.emit(Command::Seek(step));
            html! { <button class="link" type="button" aria-label={format!("{} {letter}: {} {step}", t().marker, t().origin_go)} {onclick}>{ number(step) }</button> }
        });
        html! {
            <>
                <button class="btn edge" type="button" onclick={put}><b class="mk" aria-hidden="true">{ letter }</b>{ label }</button>
                { go.unwrap_or_else(|| html! { <span class="q">{ t().no_marker }</span> }) }
            </>
        }
    };
    html! {
        <>
            <p class="lowline">{ mark(0, "A", t().marker_a) }{ mark(1, "B", t().marker_b) }</p>
            if let Some(diff) = &props.diff {
                <Changes rows={diff.clone()} label="low-diff" testid="diff" />
            } else {
                <p class="none">{ t().diff_none }</p>
            }
        </>
    }
}
