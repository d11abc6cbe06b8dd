//! Call stacks, one task at a time.

use std::rc::Rc;

use view::frame::{TaskRow, TaskState};
use yew::prelude::*;

use crate::draw::base_name;
use crate::player::{Command, use_send};
use crate::{keys, t};

/// Props of [`CallStack`].
#[derive(Properties, PartialEq)]
pub struct CallStackProps {
    /// All tasks.
    pub tasks: Vec<Rc<TaskRow>>,
    /// The frame whose locals are shown, if it is not the innermost: task, and which.
    pub chosen: Option<(u32, usize)>,
    /// The name of the only task that is stepped in.
    pub followed: Option<Rc<str>>,
}

/// A frame as its row names it in `data-line`, where lines of code have the name of a probe: task and which from the
/// innermost.
pub fn frame_of(line: &str) -> Option<(u32, u8)> {
    let (task, nth) = line.split_once('/')?;
    Some((task.parse().ok()?, nth.parse().ok()?))
}

/// The running task's stack, or that of the task chosen in the tabs.
#[component]
pub fn CallStack(props: &CallStackProps) -> Html {
    let send = use_send();
    let chosen = use_state(|| None::<u32>);
    let current = props.tasks.iter().find(|task| task.current).map(|task| task.id);
    // A choice holds until another task takes a step.
    use_effect_with(current, {
        let chosen = chosen.clone();
        move |_| chosen.set(None)
    });
    let first = props.tasks.first().map(|task| task.id);
    let followed = props.tasks.iter().find(|task| Some(&*task.name) == props.followed.as_deref()).map(|task| task.id);
    let there = |id: &u32| props.tasks.iter().any(|task| task.id == *id);
    let shown = (*chosen).filter(there).or(followed).or(current).or(first);
    let onkeydown = {
        let ids: Vec<u32> = props.tasks.iter().map(|task| task.id).collect();
        let chosen = chosen.clone();
        Callback::from(move |event: KeyboardEvent| {
            if let Some(to) = keys::roving(&event, ids.iter().position(|id| Some(*id) == shown), ids.len()) {
                chosen.set(Some(ids[to]));
                keys::focus(&format!("task-{}", ids[to]));
            }
        })
    };
    let choose = |id: u32| {
        let chosen = chosen.clone();
        move |_: MouseEvent| chosen.set(Some(id))
    };
    let follow = |name: &str| {
        let task = (props.followed.as_deref() != Some(name)).then(|| Rc::from(name));
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::Follow(task.clone()))
    };
    html! {
        <section class={classes!("panel", "stacks", (props.tasks.len() > 1).then_some("many"), (props.tasks.len() > 3).then_some("crowd"))} aria-labelledby="h-stk">
            <div class="head">
                <h2 id="h-stk">{ t().call_stack }</h2>
                if !props.tasks.is_empty() {
                    <div role="tablist" aria-label={t().task} class="tasks" {onkeydown}>
                        for task in props.tasks.iter() {
                            <button key={task.id} id={format!("task-{}", task.id)} class="task" role="tab" type="button"
                                aria-selected={(Some(task.id) == shown).to_string()} aria-controls="stack"
                                tabindex={if Some(task.id) == shown { "0" } else { "-1" }} onclick={choose(task.id)}>
                                { name(&task.name) }
                                if !mark(task.state).is_empty() {
                                    <span aria-hidden="true">{ " " }{ mark(task.state) }</span><span class="vh">{ " " }{ task.state.name() }</span>
                                }
                            </button>
                        }
                    </div>
                }
                if props.tasks.len() > 1 && let Some(task) = props.tasks.iter().find(|task| Some(task.id) == shown) {
                    <button id="follow" class="btn only" type="button" aria-pressed={(followed == shown).to_string()}
                        title={t().only_long} onclick={follow(&task.name)}>{ t().only }<span class="vh">{ " " }{ t().only_of }{ " " }{ &task.name }</span></button>
                }
            </div>
            <div id="stack" role="tabpanel" aria-label={t().call_stack} tabindex="0" class="stackbox" data-testid="stack">
                if let Some(task) = props.tasks.iter().find(|task| Some(task.id) == shown) {
                    <p class="on" data-testid="task-state">
                        if !task.on.is_empty() {
                            { t().waits_for }{ " " }{ &task.on }
                        } else if !task.doing.is_empty() {
                            { &task.doing }
                        } else {
                            { task.state.name() }
                        }
                    </p>
                    <ol class="stack" data-rove="">
                        for (nth, row) in task.stack.iter().enumerate() {
                            <li>
                                <button class="f" type="button" data-line={format!("{}/{nth}", task.id)} tabindex={if nth == 0 { "0" } else { "-1" }} title={format!("{}: {}", t().locals, row.function)}
                                    aria-pressed={(props.chosen == Some((task.id, nth))).to_string()}
                                    onclick={let (send, id) = (send.clone(), task.id); move |_: MouseEvent| send.emit(Command::SelectFrame(id, nth))}>{ &row.function }</button>
                                <span class="l" title={format!("{}:{}", row.file, row.line)}>
                                    <span class="w">{ base_name(&row.file) }</span>{ format!(":{}", row.line) }
                                </span>
                            </li>
                        }
                    </ol>
                    if task.stack.is_empty() { <p class="none">{ t().no_frames }</p> }
                } else {
                    <p class="none">{ t().none }</p>
                }
            </div>
        </section>
    }
}

/// A task's name, of which `kworker/` gives way first.
pub fn name(name: &str) -> Html {
    match name.split_once('/') {
        Some((kind, own)) => html! { <><span class="kind">{ kind }{ "/" }</span>{ own.to_owned() }</> },
        None => html! { name.to_owned() },
    }
}

/// A task's state as a mark on its tab.
const fn mark(state: TaskState) -> &'static str {
    match state {
        TaskState::Running => "▶",
        TaskState::Runnable => "▷",
        TaskState::Sleeping => "z",
        TaskState::Done => "✓",
        TaskState::Idle => "",
    }
}
