//! Local variables of the function at the top of the stack.

use std::rc::Rc;

use view::frame::Local;
use yew::prelude::*;

use crate::player::Outer;
use crate::t;

/// Props of [`Locals`].
#[derive(Clone, Properties, PartialEq)]
pub struct LocalsProps {
    /// The variables of the function that the step ended in.
    pub rows: Vec<Rc<Local>>,
    /// Those of the frame that was chosen instead.
    pub outer: Option<Rc<Outer>>,
}

/// Name, type where there is room for it, and value; a value this step changed has the old one before it, struck.
#[component]
pub fn Locals(props: &LocalsProps) -> Html {
    let rows = props.outer.as_ref().map_or(&props.rows, |outer| &outer.rows);
    html! {
        <section class="panel locals" aria-labelledby="h-loc">
            <div class="head"><h2 id="h-loc">{ t().locals }</h2>
                if let Some(outer) = &props.outer { <span class="of" data-testid="locals-of">{ outer.function }</span> }
            </div>
            if rows.is_empty() {
                <p class="none">{ t().none }</p>
            } else {
                <div class="kvbox" tabindex="0" data-rove="" role="group" aria-labelledby="h-loc"><dl class="kv" data-testid="locals">
                    for row in rows.iter() {
                        <div key={row.name.clone()}>
                            <dt title={format!("{} {}, {}", row.c, row.name, row.unit)}>
                                <span class="nm">{ &row.name }</span><span class="vh">{ ": " }</span><span class="ty">{ &row.c }</span><span class="vh">{ format!(", {}", row.unit) }</span>
                            </dt>
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
