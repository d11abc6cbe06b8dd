//! The smallest page that Yew makes, to compare our own start with (`benches/web/page.mjs`).

use heap as _;
use yew::prelude::*;

#[component]
fn Minimal() -> Html {
    let count = use_state(|| 0);
    let onclick = {
        let count = count.clone();
        move |_: MouseEvent| count.set(*count + 1)
    };
    html! { <button data-testid="app" {onclick}>{ *count }</button> }
}

fn main() {
    yew::Renderer::<Minimal>::new().render();
}
