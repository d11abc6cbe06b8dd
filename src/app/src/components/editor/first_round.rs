//! A look ahead at the first round of what is written, run beside the open session in short slices.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use view::frame::FirstRound;
use yew::prelude::*;

use crate::draw::phase_class;
use crate::player::Looker;
use crate::t;

/// How long a good scenario has to stand before it is run, ms.
const REST_MS: u32 = 350;

/// Props of [`Look`].
#[derive(Properties, PartialEq)]
pub struct LookProps {
    /// The scenario; none while it is not right.
    pub text: Option<Rc<str>>,
    /// Looks at it.
    pub looker: Looker,
}

type Slot = Rc<RefCell<Option<Timeout>>>;

fn next(slot: &Slot, looker: Looker, found: UseStateHandle<Result<FirstRound, String>>) {
    let again = slot.clone();
    let timer = Timeout::new(0, move || match looker.go_on() {
        Ok(None) => next(&again, looker, found),
        Ok(Some(round)) => found.set(Ok(round)),
        Err(reason) => found.set(Err(reason)),
    });
    let old = slot.replace(Some(timer));
    // The timer before has been called; its closure is on the stack, hence not here.
    wasm_bindgen_futures::spawn_local(async move { drop(old) });
}

/// The round as a table. What was found last stays until there is something new.
#[component]
pub fn Look(props: &LookProps) -> Html {
    let found = use_state(|| Ok(FirstRound::default()));
    use_effect_with(props.text.clone(), {
        let (looker, found) = (props.looker.clone(), found.clone());
        move |text| {
            let slot = Slot::default();
            if let Some(text) = text.clone() {
                let first = slot.clone();
                let timer = Timeout::new(REST_MS, move || match looker.begin(&text) {
                    Ok(()) => next(&first, looker, found),
                    Err(reason) => found.set(Err(reason)),
                });
                *slot.borrow_mut() = Some(timer);
            }
            move || drop(slot.take())
        }
    });
    let body = match &*found {
        Err(reason) => html! { <p class="problem">{ reason }</p> },
        Ok(round) if round.rows.is_empty() => html! {
            <p class="hint">{ t().ed_no_round }{ " " }<code>{ &round.call }{ if round.result.is_empty() { String::new() } else { format!(" = {}", round.result) } }</code></p>
        },
        Ok(round) => html! {
            <div class="ed-scroll" tabindex="0" role="group" aria-label={t().ed_first_round}><table class="ed-round">
                <caption><code>{ &round.call }{ if round.result.is_empty() { String::new() } else { format!(" = {}", round.result) } }</code></caption>
                <thead><tr>
                    <th scope="col">{ t().phase }</th><th scope="col">{ t().ed_round_call }</th><th scope="col">{ t().ed_round_asked }</th>
                    <th scope="col">{ t().ed_round_gave }</th><th scope="col">{ t().page }</th><th scope="col">{ t().ed_round_faults }</th>
                </tr></thead>
                <tbody>
                    for (n, row) in round.rows.iter().enumerate() {
                        <tr key={n}>
                            <td>if !row.phase.letter().is_empty() { <span class={classes!("badge", "ph", phase_class(row.phase))} title={row.phase.name()}>{ row.phase.letter() }</span> }</td>
                            <td><code>{ row.function }</code></td>
                            <td>{ &row.asked }</td><td><b>{ &row.result }</b></td><td>{ &row.page }</td><td>{ &row.faults }</td>
                        </tr>
                    }
                </tbody>
            </table></div>
        },
    };
    html! {
        <section class="ed-look" aria-label={t().ed_first_round} data-testid="first-round" aria-busy={props.text.is_none().to_string()}>
            <h3>{ t().ed_first_round }</h3>
            { body }
        </section>
    }
}
