//! Watches and breakpoints: a field with completion, and a row for each expression.

use view::number;
use view::text::expression_fault;
use view::watch::WatchRow;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::debug_pane::or_missing;
use super::icon::{Glyph, Icon};
use crate::debug::{Ask, Debug};
use crate::player::{Command, Send, use_send};
use crate::t;

/// Props of [`WatchPanel`].
#[derive(Properties)]
pub struct WatchPanelProps {
    /// The debugger.
    pub debug: Debug,
    /// The step on screen.
    pub step: u64,
}

impl PartialEq for WatchPanelProps {
    /// It is drawn as often as the panel around it.
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

/// The field and the list.
#[component]
pub fn WatchPanel(props: &WatchPanelProps) -> Html {
    let send = use_send();
    let debug = &props.debug;
    html! {
        <>
            <Field debug={debug.clone()} />
            if debug.watches.is_empty() {
                <p class="none">{ t().watch_none }</p>
            } else {
                <ul class="watches" tabindex="0" aria-label={t().watch_list} data-testid="watches">
                    for (at, (watch, row)) in debug.watches.iter().zip(debug.rows.iter()).enumerate() { { line(&send, at, watch.stops, row) } }
                </ul>
            }
        </>
    }
}

fn line(send: &Send, at: usize, stops: bool, row: &WatchRow) -> Html {
    let ask = |ask: Ask| {
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::Debug(ask.clone()))
    };
    let go = |forward: bool| ask(Ask::RunTo(vec![row.text.clone()], forward));
    let label = |words: &str| format!("{words} {}", row.text);
    let holds = row.holds == Some(true);
    html! {
        <li key={row.text.clone()} class={classes!(holds.then_some("holds"), row.error.is_some().then_some("bad"))}>
            <button class="stop" type="button" role="switch" aria-checked={stops.to_string()} aria-label={label(t().breakpoint_on)}
                title={t().watch_stops} onclick={ask(Ask::Turn(at))}>
                <svg viewBox="0 0 14 14" aria-hidden="true"><circle cx="7" cy="7" r="5" class={stops.then_some("on")} /></svg>
            </button>
            <code class="x" title={row.text.clone()}>{ &row.text }</code>
            if let Some(error) = &row.error {
                <span class="err">{ expression_fault(error) }</span>
            } else {
                <span class="v">
                    if let Some(was) = &row.was { <s class="was"><span class="vh">{ t().was }</span>{ or_missing(was) }</s>{ " " } }
                    if row.value.is_empty() { <span class="q">{ t().watch_missing }</span> } else { <b>{ &row.value }</b> }
                    if row.was.is_some() { <span aria-hidden="true">{ " ●" }</span> }
                </span>
                <span class="n">{ steps_of(row) }</span>
                <button class="btn" type="button" aria-label={label(t().last_hit_of)} title={t().last_hit_of} disabled={row.count == 0} onclick={go(false)}><Icon glyph={Glyph::Back} /></button>
                <button class="btn" type="button" aria-label={label(t().next_hit_of)} title={t().next_hit_of} disabled={row.count == 0} onclick={go(true)}><Icon glyph={Glyph::Next} /></button>
            }
            <button class="btn drop" type="button" aria-label={label(t().watch_drop)} onclick={ask(Ask::Drop(at))}><Icon glyph={Glyph::Close} /></button>
        </li>
    }
}

/// `holds at 54 steps, 12–98`.
fn steps_of(row: &WatchRow) -> String {
    let verb = if row.is_bool { t().watch_holds } else { t().watch_changes };
    let more = if row.complete { "" } else { "+" };
    match (row.first, row.last) {
        (Some(first), Some(last)) => {
            format!("{verb} {}{more} × {}–{}", number(row.count), number(first), number(last))
        }
        _ if row.complete => format!("{verb} {}", t().watch_never),
        _ => t().watch_walking.to_owned(),
    }
}

#[derive(Properties)]
struct FieldProps {
    debug: Debug,
}

impl PartialEq for FieldProps {
    fn eq(&self, other: &Self) -> bool {
        self.debug.draft == other.debug.draft
    }
}

/// A combobox: what could come next is listed under it, with the value it would give.
#[component]
fn Field(props: &FieldProps) -> Html {
    let send = use_send();
    let node = use_node_ref();
    let active = use_state(|| None::<usize>);
    let open = use_state(|| false);
    let draft = &props.debug.draft;
    let items = draft.as_ref().map_or(&[][..], |draft| &draft.completion.items);
    let shown = *open && !items.is_empty();
    let field = {
        let node = node.clone();
        move || node.cast::<HtmlInputElement>()
    };
    let type_ = {
        let send = send.clone();
        move |text: String| send.emit(Command::Debug(Ask::Draft(text)))
    };
    let take = {
        let (field, type_, draft, active) = (field.clone(), type_.clone(), draft.clone(), active.clone());
        move |at: usize| {
            let Some(draft) = &draft else { return };
            let (Some(item), Some(input)) = (draft.completion.items.get(at), field()) else { return };
            let text = input.value();
            let from = draft.completion.from.min(text.len());
            let text = format!("{}{}", text.get(..from).unwrap_or_default(), item.text);
            input.set_value(&text);
            // The pointer may have taken the focus away.
            let _ = input.focus();
            active.set(None);
            type_(text);
        }
    };
    let submit = {
        let (send, field, open, active) = (send.clone(), field.clone(), open.clone(), active.clone());
        move |stops: bool| {
            let Some(input) = field() else { return };
            send.emit(Command::Debug(Ask::Watch(input.value(), stops)));
            input.set_value("");
            open.set(false);
            active.set(None);
        }
    };
    let oninput = {
        let (type_, open, active) = (type_.clone(), open.clone(), active.clone());
        Callback::from(move |event: InputEvent| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            open.set(true);
            active.set(None);
            type_(input.value());
        })
    };
    let onkeydown = {
        let (take, submit, open, active, count) =
            (take.clone(), submit.clone(), open.clone(), active.clone(), items.len());
        let field = field.clone();
        Callback::from(move |event: KeyboardEvent| {
            match event.key().as_str() {
                "ArrowDown" | "ArrowUp" if count > 0 => {
                    let down = event.key() == "ArrowDown";
                    open.set(true);
                    active.set(Some(match *active {
                        Some(at) if down => (at + 1) % count,
                        Some(at) => (at + count - 1) % count,
                        None if down => 0,
                        None => count - 1,
                    }));
                }
                "Enter" => match *active {
                    Some(at) if shown => take(at),
                    _ => submit(event.shift_key()),
                },
                "Tab" if shown && active.is_some() => take(active.unwrap_or(0)),
                "Escape" if shown => {
                    open.set(false);
                    active.set(None);
                }
                "Escape" => {
                    if let Some(input) = field() {
                        // Leaves the field; the page has the keys again.
                        let _ = input.blur();
                    }
                }
                _ => return,
            }
            event.prevent_default();
        })
    };
    let add = |stops: bool| {
        let submit = submit.clone();
        move |_: MouseEvent| submit(stops)
    };
    let run = |ask: Ask| {
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::Debug(ask.clone()))
    };
    let onblur = {
        let open = open.clone();
        move |_: FocusEvent| open.set(false)
    };
    let said = draft.as_ref().map(|draft| match &draft.row.error {
        Some(error) => (true, expression_fault(error)),
        None => (false, format!("= {}", or_missing(&draft.row.value))),
    });
    let option = |at: usize| format!("watch-option-{at}");
    html! {
        <div class="watchbar">
            <div class="combo">
                <input ref={node} id="watch-field" type="text" role="combobox" autocomplete="off" spellcheck="false" autocapitalize="off" maxlength="400"
                    aria-label={t().watch_field} aria-autocomplete="list" aria-expanded={shown.to_string()} aria-controls="watch-options"
                    aria-activedescendant={active.filter(|_| shown).map(option)} aria-describedby="watch-said"
                    placeholder={t().watch_hint} {oninput} {onkeydown} {onblur} />
                <ul id="watch-options" role="listbox" aria-label={t().watch_suggestions} hidden={!shown}>
                    for (at, item) in items.iter().enumerate() {
                        <li key={item.text.clone()} id={option(at)} role="option" aria-selected={(*active == Some(at)).to_string()}
                            onmousedown={let take = take.clone(); move |event: MouseEvent| { event.prevent_default(); take(at); }}>
                            <code>{ &item.text }</code>
                            if let Some(value) = item.value { <span>{ view::watch::said(Some(value)) }</span> }
                        </li>
                    }
                </ul>
            </div>
            <button class="btn edge" type="button" onclick={add(false)}>{ t().watch_add }</button>
            <button class="btn edge" type="button" title={t().watch_stops} onclick={add(true)}>{ t().watch_break }</button>
            <button class="btn" type="button" aria-label={t().run_back_to_hit} title={format!("{} (R)", t().run_back_to_hit)} onclick={run(Ask::RunBack)}><Icon glyph={Glyph::BackFast} /></button>
            <button class="btn" type="button" aria-label={t().run_to_hit} title={format!("{} (r)", t().run_to_hit)} onclick={run(Ask::Run)}><Icon glyph={Glyph::NextFast} /></button>
            <output id="watch-said" class={classes!("said-now", said.as_ref().is_some_and(|said| said.0).then_some("bad"))} role="status">
                { said.map(|said| said.1).unwrap_or_default() }
            </output>
        </div>
    }
}
