//! Local variables of the function at the top of the stack.

use std::rc::Rc;

use view::frame::Local;
use yew::prelude::*;

use crate::t;

/// Props of [`Locals`].
#[derive(Clone, Properties, PartialEq)]
pub struct LocalsProps {
    /// The variables.
    pub rows: Vec<Rc<Local>>,
}

/// Name and value; a value this step changed has the old one before it, struck.
#[component]
pub fn Locals(props: &LocalsProps) -> Html {
    html! {
        <section class="panel locals" aria-labelledby="h-loc">
            <div class="head"><h2 id="h-loc">{ t().locals }</h2></div>
            if props.rows.is_empty() {
                <p class="none">{ t().none }</p>
            } else {
                <div class="kvbox" tabindex="0" data-rove="" role="group" aria-labelledby="h-loc"><dl class="kv" data-testid="locals">
                    for row in props.rows.iter() {
                        <div key={row.name.clone()}>
                            <dt title={row.unit.clone()}>{ &row.name }</dt>
                            if let Some(was) = &row.was {
                                <dd><s><span class="vh">{ t().was }</span>{ was }</s>{ " " }{ asked(row) }<span aria-hidden="true">{ " ●" }</span></dd>
                            } else {
                                <dd>{ asked(row) }</dd>
                            }
                        </div>
                    }
                </dl></div>
            }
        </section>
    }
}

/// The value; it can be asked who wrote it.
fn asked(row: &Local) -> Html {
    let changed = row.was.is_some();
    html! {
        <button class="val" type="button" tabindex="-1" data-path={row.path.clone()} title={t().who_set}>
            if changed { <b>{ &row.value }</b> } else { { &row.value } }
        </button>
    }
}
