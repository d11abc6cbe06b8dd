//! What a real kernel's trace says at this step, for a scenario that was recorded.

use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;
use view::kernel_said::{KernelSaid as Lines, Said, Verdict};
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::player::{Command, use_send};
use crate::t;
use view::tr;

/// Props of [`KernelSaid`].
#[derive(Clone, Properties, PartialEq)]
pub struct KernelSaidProps {
    /// The scenario's name in the library.
    pub name: AttrValue,
    /// The step on screen.
    pub step: u64,
    /// Steps of the whole run, once it is computed.
    pub steps: Option<u64>,
}

#[derive(Clone, PartialEq)]
enum Fetched {
    Loading,
    Failed,
    Lines(Rc<Lines>),
}

/// The slot keeps its place and its size at every step; its lines are fetched when the scenario is opened.
#[component]
pub fn KernelSaid(props: &KernelSaidProps) -> Html {
    let fetched = use_state(|| Fetched::Loading);
    use_effect_with(props.name.clone(), {
        let fetched = fetched.clone();
        move |name| {
            let address = format!("static/golden/{name}.txt");
            fetched.set(Fetched::Loading);
            spawn_local(async move {
                // The page first.
                TimeoutFuture::new(0).await;
                fetched.set(fetch(&address).await);
            });
        }
    });
    let wait = |words: &'static str| (html! {}, html! { <p class="none">{ words }</p> });
    let (summary, body) = match &*fetched {
        Fetched::Loading => wait(t().loading),
        Fetched::Failed => wait(t().kernel_no_file),
        Fetched::Lines(lines) if props.steps.is_some_and(|steps| steps != lines.steps) => wait(t().kernel_other_run),
        Fetched::Lines(lines) => {
            (html! { <Summary lines={lines.clone()} /> }, html! { <AtStep lines={lines.clone()} step={props.step} /> })
        }
    };
    html! {
        <section class="panel said" id="panel-said" tabindex="-1" aria-labelledby="h-said">
            <div class="head"><h2 id="h-said">{ t().kernel_said }</h2>{ summary }</div>
            { body }
        </section>
    }
}

#[derive(PartialEq, Properties)]
struct SummaryProps {
    lines: Rc<Lines>,
}

/// How many lines agree; leads to the first that does not.
#[component]
fn Summary(props: &SummaryProps) -> Html {
    let send = use_send();
    let (agree, of) = props.lines.agreement();
    let words = tr!("{} of {} lines agree", agree, of);
    match props.lines.first_difference() {
        None => html! { <span class="note" data-testid="lines-agree">{ words }</span> },
        Some(step) => html! {
            <button type="button" class="note" data-testid="lines-agree" title={t().first_difference}
                onclick={move |_| send.emit(Command::Seek(step))}>{ words }</button>
        },
    }
}

#[derive(PartialEq, Properties)]
struct AtStepProps {
    lines: Rc<Lines>,
    step: u64,
}

#[component]
fn AtStep(props: &AtStepProps) -> Html {
    let lines: Vec<Html> = props.lines.at(props.step).map(line).collect();
    html! {
        <ol class="saidlist" tabindex="0" aria-labelledby="h-said" data-testid="kernel-said">
            if lines.is_empty() { <li class="none">{ t().kernel_none }</li> } else { { for lines } }
        </ol>
    }
}

fn line(said: &Said) -> Html {
    let (sign, class, words) = match said.verdict {
        Verdict::Agrees => ("=", "agrees", t().said_agrees),
        Verdict::Differs => ("≠", "differs", t().said_differs),
        Verdict::Missing => ("−", "differs", t().said_missing),
        Verdict::Extra => ("+", "differs", t().said_extra),
        Verdict::Aside => ("·", "aside", t().said_aside),
    };
    let text = said.text.trim_start();
    html! {
        <li {class} title={text.to_owned()}>
            <span class="k" role="img" aria-label={words}>{ sign }</span>
            <code>{ text }</code>
            if let Some(ours) = &said.ours { <code class="ours">{ ours.trim_start() }</code> }
        </li>
    }
}

/// The file stands beside the page.
async fn fetch(address: &str) -> Fetched {
    let Ok(answer) = gloo::net::http::Request::get(address).send().await else { return Fetched::Failed };
    if !answer.ok() {
        return Fetched::Failed;
    }
    let text = answer.text().await.unwrap_or_default();
    Lines::parse(&text).map_or(Fetched::Failed, |lines| Fetched::Lines(Rc::new(lines)))
}
