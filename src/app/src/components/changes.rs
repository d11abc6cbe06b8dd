//! What the step changed, leaf by leaf.

use std::rc::Rc;

use view::frame::{Changes as Rows, Delta};
use yew::prelude::*;

use crate::t;

/// Props of [`Changes`].
#[derive(Clone, Properties, PartialEq)]
pub struct ChangesProps {
    /// The rows.
    pub rows: Rc<Rows>,
}

/// Sign, object, and its leaves as `old → new`.
#[component]
pub fn Changes(props: &ChangesProps) -> Html {
    let rows = &props.rows;
    html! {
        <section class="panel changes" id="panel-changes" tabindex="-1" aria-labelledby="h-chg">
            <div class="head">
                <h2 id="h-chg">{ t().changes }</h2>
                <span class="note">{ &rows.since }</span>
            </div>
            if rows.rows.is_empty() {
                <p class="none">{ t().no_changes }</p>
            } else {
                <ul class="chlist" tabindex="0" aria-labelledby="h-chg" data-testid="changes">
                    for row in rows.rows.iter() {
                        <li>
                            <span class="k" role="img" aria-label={row.sign.name()}>{ row.sign.glyph() }</span>
                            <span class="o" title={row.object.clone()}>{ &row.object }</span>
                            <span class="d">{ for row.parts.iter().map(leaf) }</span>
                        </li>
                    }
                </ul>
            }
        </section>
    }
}

fn leaf(part: &Delta) -> Html {
    html! {
        <span>
            if !part.name.is_empty() { { &part.name }{ " " } }
            if let Some(old) = &part.old { <s class="was">{ old }</s> }
            if part.old.is_some() && part.new.is_some() { { " → " } }
            if let Some(new) = &part.new { <b>{ new }</b> }
        </span>
    }
}
