//! Changes, leaf by leaf: those of a step, or those between two markers.

use std::rc::Rc;

use view::frame::{Changes as Rows, Delta};
use yew::prelude::*;

use crate::t;

/// Props of [`Changes`].
#[derive(Clone, Properties, PartialEq)]
pub struct ChangesProps {
    /// The rows.
    pub rows: Rc<Rows>,
    /// Id of the element that names the list.
    pub label: &'static str,
    /// What tests call it.
    pub testid: &'static str,
}

/// Sign, object, and its leaves as `old → new`.
#[component]
pub fn Changes(props: &ChangesProps) -> Html {
    let rows = &props.rows.rows;
    if rows.is_empty() {
        return html! { <p class="none">{ t().no_changes }</p> };
    }
    html! {
        <ul class="chlist" tabindex="0" data-rove="" aria-labelledby={props.label} data-testid={props.testid}>
            for row in rows.iter() {
                <li>
                    <span class="k" role="img" aria-label={row.sign.name()}>{ row.sign.glyph() }</span>
                    <span class="o" title={row.object.clone()}>{ &row.object }</span>
                    <span class="d">{ for row.parts.iter().map(leaf) }</span>
                </li>
            }
        </ul>
    }
}

fn leaf(part: &Delta) -> Html {
    let flags = part.paths.len() > 1;
    html! {
        <span>
            if !part.name.is_empty() { { &part.name }{ " " } }
            if let Some(old) = &part.old { <s class="was">{ old }</s> }
            if part.old.is_some() && part.new.is_some() { { " → " } }
            if let Some(new) = &part.new {
                if flags {
                    for (word, path) in new.split(' ').zip(&part.paths) { { value(word, Some(path)) }{ " " } }
                } else {
                    { value(new, part.paths.first()) }
                }
            }
        </span>
    }
}

/// A value that can be asked who wrote it.
fn value(text: &str, path: Option<&String>) -> Html {
    match path {
        Some(path) => {
            html! { <button class="val" type="button" tabindex="-1" data-path={path.clone()} title={t().who_set}><b>{ text }</b></button> }
        }
        None => html! { <b>{ text }</b> },
    }
}
