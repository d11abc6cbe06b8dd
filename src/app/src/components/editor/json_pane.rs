//! The JSON side: a text area with its line numbers, the line at fault, and what can stand at the cursor.

use std::rc::Rc;

use gloo::utils::document;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlTextAreaElement};
use yew::prelude::*;

use crate::editor::complete::{Offers, offers};
use crate::editor::draft::{Draft, fresh};
use crate::t;

/// Id of the text area.
pub const AREA: &str = "ed-json";

/// Props of [`JsonPane`].
#[derive(Properties, PartialEq)]
pub struct JsonPaneProps {
    /// The document.
    pub draft: Rc<Draft>,
    /// Names of all probes.
    pub sites: Rc<Vec<&'static str>>,
    /// Takes the text as typed.
    pub on_type: Callback<String>,
}

/// What is offered, and which of it is chosen.
#[derive(Clone, Default, PartialEq)]
struct Shown {
    offers: Offers,
    chosen: usize,
    line: usize,
    column: usize,
}

/// The cursor of a text area, in bytes of its value.
fn cursor(area: &HtmlTextAreaElement, text: &str) -> usize {
    let units = area.selection_end().ok().flatten().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
    let mut seen = 0;
    let found = text.char_indices().find(|(_, c)| {
        let here = seen >= units;
        seen += c.len_utf16();
        here
    });
    found.map_or(text.len(), |(at, _)| at)
}

fn set_cursor(area: &HtmlTextAreaElement, text: &str, at: usize) {
    let units = u32::try_from(text[..at].encode_utf16().count()).unwrap_or(u32::MAX);
    // A position past the end is the end.
    let _ = area.set_selection_range(units, units);
}

/// Puts the cursor at the begin of a line and shows it.
pub fn go_to_line(line: usize) {
    let area = document().get_element_by_id(AREA).and_then(|found| found.dyn_into::<HtmlTextAreaElement>().ok());
    let Some(area) = area else { return };
    let text = area.value();
    let at: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    // An element that cannot take the focus keeps it where it is.
    let _ = area.focus();
    set_cursor(&area, &text, at.min(text.len()));
    if let Some(mark) = document().get_element_by_id("ed-mark") {
        mark.scroll_into_view_with_bool(false);
    }
}

/// The pane.
#[component]
pub fn JsonPane(props: &JsonPaneProps) -> Html {
    let (area, popup) = (use_node_ref(), use_node_ref());
    let shown = use_state(|| None::<Shown>);
    let text = &props.draft.text;
    let lines = text.lines().count().max(1);
    let bad = props.draft.problem().map(|problem| problem.line.clamp(1, lines));

    // The list stands under the word that it is about: a style rule cannot say where.
    use_effect_with((*shown).clone(), {
        let popup = popup.clone();
        move |shown| {
            if let (Some(shown), Some(list)) = (shown, popup.cast::<HtmlElement>()) {
                let style = list.style();
                // A browser that refuses leaves it at the top.
                let _ = style.set_property("--at-line", &(shown.line + 1).to_string());
                let _ = style.set_property("--at-column", &shown.column.to_string());
                if let Ok(Some(chosen)) = list.query_selector("[aria-selected=true]") {
                    let options = web_sys::ScrollIntoViewOptions::new();
                    options.set_block(web_sys::ScrollLogicalPosition::Nearest);
                    chosen.scroll_into_view_with_scroll_into_view_options(&options);
                }
            }
        }
    });

    let look = {
        let (draft, sites, shown) = (props.draft.clone(), props.sites.clone(), shown.clone());
        move |area: &HtmlTextAreaElement| {
            let text = area.value();
            let at = cursor(area, &text);
            let found = offers(&text, at, &draft.doc, &sites, |new| {
                fresh(&draft.doc, new).map(|node| node.flat()).unwrap_or_default()
            });
            let before = &text[..found.from.min(text.len())];
            let line = before.matches('\n').count();
            let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
            shown.set((!found.all.is_empty()).then_some(Shown { offers: found, chosen: 0, line, column }));
        }
    };
    let take = {
        let (area, shown, on_type) = (area.clone(), shown.clone(), props.on_type.clone());
        move |n: usize| {
            let (Some(list), Some(area)) = (&*shown, area.cast::<HtmlTextAreaElement>()) else { return };
            let Some((_, put)) = list.offers.all.get(n) else { return };
            let mut text = area.value();
            if text.get(list.offers.from..list.offers.to).is_none() {
                return;
            }
            text.replace_range(list.offers.from..list.offers.to, put);
            area.set_value(&text);
            // Into the quotes or brackets that are still empty.
            let inside = ["\"\"", "{}", "[]"].iter().any(|pair| put.ends_with(&format!(": {pair}")));
            set_cursor(&area, &text, list.offers.from + put.len() - usize::from(inside));
            on_type.emit(text);
            shown.set(None);
        }
    };
    let oninput = {
        let (look, on_type, shown) = (look.clone(), props.on_type.clone(), shown.clone());
        Callback::from(move |event: InputEvent| {
            let Some(area) = event.target_dyn_into::<HtmlTextAreaElement>() else { return };
            on_type.emit(area.value());
            // A word under way is completed; a blank or a bracket asks for nothing.
            let typed = event.data().unwrap_or_default();
            if typed.ends_with(|c: char| c.is_alphanumeric() || c == '"' || c == '_') {
                look(&area);
            } else {
                shown.set(None);
            }
        })
    };
    let onkeydown = {
        let (shown, take) = (shown.clone(), take.clone());
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == " " && event.ctrl_key() {
                event.prevent_default();
                if let Some(area) = event.target_dyn_into::<HtmlTextAreaElement>() {
                    look(&area);
                }
                return;
            }
            let Some(list) = (*shown).clone() else { return };
            let count = list.offers.all.len();
            let to = match event.key().as_str() {
                "ArrowDown" => (list.chosen + 1) % count,
                "ArrowUp" => (list.chosen + count - 1) % count,
                "Enter" | "Tab" => {
                    event.prevent_default();
                    take(list.chosen);
                    return;
                }
                "Escape" => {
                    // The sheet stays.
                    event.prevent_default();
                    event.stop_propagation();
                    shown.set(None);
                    return;
                }
                "ArrowLeft" | "ArrowRight" | "Home" | "End" => {
                    shown.set(None);
                    return;
                }
                _ => return,
            };
            event.prevent_default();
            shown.set(Some(Shown { chosen: to, ..list }));
        })
    };
    let onblur = {
        let shown = shown.clone();
        Callback::from(move |_: FocusEvent| shown.set(None))
    };
    let numbers = |from: usize, to: usize| (from..=to).map(|n| format!("{n}\n")).collect::<String>();
    let active = shown.as_ref().map(|list| format!("offer-{}", list.chosen));
    html! {
        <div class="ed-code">
            <pre class="ed-gutter" aria-hidden="true">
                if let Some(bad) = bad {
                    { numbers(1, bad - 1) }<mark>{ format!("×{bad}\n") }</mark>{ numbers(bad + 1, lines) }
                } else {
                    { numbers(1, lines) }
                }
            </pre>
            <div class="ed-lines">
                if let Some(lines) = bad.map(|bad| "\n".repeat(bad - 1)) { <pre class="ed-under" aria-hidden="true">{ lines }<span id="ed-mark">{ " " }</span></pre> }
                <textarea ref={area} id={AREA} rows={(lines + 1).to_string()} wrap="off" spellcheck="false" autocapitalize="off" autocomplete="off" aria-label={t().ed_json}
                    aria-autocomplete="list" aria-controls={shown.is_some().then_some("ed-offers")} aria-activedescendant={active} aria-invalid={bad.map(|_| "true")} aria-describedby={bad.map(|_| "ed-problem")}
                    {oninput} {onkeydown} {onblur} value={text.to_string()} />
                if let Some(list) = &*shown {
                    <ul ref={popup} class="ed-offers m" id="ed-offers" role="listbox" aria-label={t().ed_offers}>
                        for (n, offer) in list.offers.all.iter().enumerate() {
                            <li key={n} id={format!("offer-{n}")} role="option" aria-selected={(n == list.chosen).to_string()} onmousedown={{
                                let take = take.clone();
                                move |event: MouseEvent| {
                                    // The text keeps the focus.
                                    event.prevent_default();
                                    take(n);
                                }
                            }}>{ &offer.0 }</li>
                        }
                    </ul>
                }
            </div>
        </div>
    }
}
