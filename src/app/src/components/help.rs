//! The keys, and what the letters mean.

use yew::prelude::*;

use super::sheet::SheetBox;
use crate::player::{Command, Sheet, use_send};
use crate::t;

/// A sheet with every key there is.
#[component]
pub fn Help() -> Html {
    let send = use_send();
    let about = {
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::Open(Sheet::About))
    };
    let key = |key: &'static str| html! { <><kbd>{ key }</kbd>{ " " }</> };
    html! {
        <SheetBox title={t().help} on_close={move |()| send.emit(Command::CloseSheet)}>
            <dl class="keys">
                for (keys, meaning) in t().keys.iter() { <div><dt>{ for keys.split(' ').map(key) }</dt><dd>{ *meaning }</dd></div> }
            </dl>
            <h3>{ t().letters }</h3>
            <dl class="keys">
                for (letter, meaning) in t().letter_list.iter() { <div><dt><code>{ *letter }</code></dt><dd>{ *meaning }</dd></div> }
            </dl>
            <p><button class="btn edge" type="button" onclick={about}>{ t().about }</button></p>
        </SheetBox>
    }
}
