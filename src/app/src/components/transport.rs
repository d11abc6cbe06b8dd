//! First, back, play, on, last; the step's number, speed and grain; what the reader can do to the run.

use std::rc::Rc;

use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::icon::{Glyph, Icon};
use crate::engine::Intervention;
use crate::player::{Command, Grain, SPEEDS, use_send};
use crate::t;
use view::number;

/// Props of [`Transport`].
#[derive(Properties, PartialEq)]
pub struct TransportProps {
    /// The step on screen.
    pub step: u64,
    /// The last step so far.
    pub last: u64,
    /// The run is computed to its end.
    pub complete: bool,
    /// Plays.
    pub playing: bool,
    /// Index into [`SPEEDS`].
    pub speed: usize,
    /// What a step is.
    pub grain: Grain,
    /// Leaves the step changed.
    pub changes: usize,
    /// The name of the only task that is stepped in.
    pub followed: Option<Rc<str>>,
}

/// The bar under the timeline.
#[component]
pub fn Transport(props: &TransportProps) -> Html {
    let send = use_send();
    let button = |glyph: Glyph,
                  label: &'static str,
                  key: &'static str,
                  command: Command,
                  class: Option<&'static str>| {
        let send = send.clone();
        html! {
            <button class={classes!("btn", class)} type="button" aria-label={label} title={format!("{label} ({key})")}
                onclick={move |_| send.emit(command.clone())}><Icon {glyph} /></button>
        }
    };
    let go = {
        let send = send.clone();
        let step = props.step;
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            match input.value().trim().parse() {
                Ok(step) => send.emit(Command::Seek(step)),
                Err(_) => input.set_value(&step.to_string()),
            }
        })
    };
    let speed = {
        let send = send.clone();
        Callback::from(move |event: Event| {
            let select = event.target_dyn_into::<HtmlSelectElement>();
            if let Some(speed) = select.and_then(|select| usize::try_from(select.selected_index()).ok()) {
                send.emit(Command::SetSpeed(speed));
            }
        })
    };
    let act = |label: &'static str, title: &'static str, what: Intervention| {
        let send = send.clone();
        html! { <button class="btn edge" type="button" {title} onclick={move |_| send.emit(Command::Intervene(what))}>{ label }</button> }
    };
    let grain = |grain: Grain| {
        let send = send.clone();
        let name = match grain {
            Grain::Statement => t().statement,
            Grain::Phase => t().phase,
            Grain::Iteration => t().iteration,
        };
        html! {
            <label key={grain.key()}>
                <input type="radio" name="grain" checked={grain == props.grain} onchange={move |_| send.emit(Command::SetGrain(grain))} />{ name }
            </label>
        }
    };
    let (glyph, word) = if props.playing { (Glyph::Pause, t().pause) } else { (Glyph::Play, t().play) };
    let play = {
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::TogglePlay)
    };
    html! {
        <div class="bar">
            <div class="play" role="group" aria-label={t().transport}>
                { button(Glyph::First, t().first, "Home", Command::First, Some("opt")) }
                { button(Glyph::BackFast, t().prev_iteration, "p", Command::PrevIteration, None) }
                { button(Glyph::Back, t().back, "←", Command::Back, None) }
                <button class="btn go" type="button" title={format!("{word} ({})", t().space)} onclick={play}><Icon {glyph} /><span>{ word }</span></button>
                { button(Glyph::Next, t().next, "→", Command::Next, None) }
                { button(Glyph::NextFast, t().next_iteration, "n", Command::NextIteration, None) }
                { button(Glyph::Last, t().last, "End", Command::Last, Some("opt")) }
                { button(Glyph::Over, t().over, "Shift+→", Command::Over, Some("opt")) }
                { button(Glyph::Out, t().out, "Shift+↑", Command::Out, Some("opt")) }
            </div>
            <span class="count">
                <input id="go-to" type="text" inputmode="numeric" autocomplete="off" aria-label={t().go_to} value={props.step.to_string()} onchange={go} />
                { " " }<small>{ format!("/ {}{}", number(props.last), if props.complete { "" } else { "+" }) }</small>
            </span>
            <label class="pick opt"><span class="lbl">{ t().speed }</span>
                <select aria-label={t().speed} onchange={speed}>
                    for (i, (name, _)) in SPEEDS.iter().enumerate() { <option key={i} selected={i == props.speed}>{ *name }</option> }
                </select>
            </label>
            <div class="acts opt" role="group" aria-label={t().act_here}>
                <span class="lbl" aria-hidden="true">{ t().act_here }</span>
                { act(t().evict_source, t().evict_source_long, Intervention::EvictSource) }
                { act("SIGKILL", t().sigkill_long, Intervention::Sigkill) }
            </div>
            <span class="sp"></span>
            if let Some(task) = &props.followed {
                <button class="btn edge" type="button" data-testid="followed" title={t().only_end} onclick={let send = send.clone(); move |_: MouseEvent| send.emit(Command::Follow(None))}>
                    { t().only_steps_of }{ " " }{ &**task }<span aria-hidden="true">{ " ×" }</span>
                </button>
            }
            <span class="lbl opt">{ format!("{} {}", t().changes_short, props.changes) }</span>
            <fieldset class="segd opt"><legend class="vh">{ t().grain }</legend>{ for Grain::ALL.into_iter().map(grain) }</fieldset>
        </div>
    }
}
