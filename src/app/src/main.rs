//! The page: draws `view`'s frames and sends commands. No rule of the kernel lives here.

mod app;
mod components;
mod debug;
#[cfg(all(test, target_arch = "wasm32"))]
mod dom_tests;
mod draw;
mod editor;
mod engine;
mod files;
mod keys;
mod lang;
mod machine;
mod motion;
mod player;
mod recorded;
mod rest;
mod store;

use heap as _;

use gloo::utils::{document, window};
use js_sys::{Object, Reflect};
use view::text::{Labels, labels};
use wasm_bindgen_futures::spawn_local;
use web_sys::{CustomEvent, CustomEventInit};

/// The words of the page.
fn t() -> &'static Labels {
    labels()
}

/// Tells `boot.js` what went wrong: this instance traps right after.
fn tell_panic(info: &std::panic::PanicHookInfo<'_>) {
    let detail = Object::new();
    let link = window().location().hash().unwrap_or_default();
    // If the browser refuses any of this, the trap is reported without words.
    let _ = Reflect::set(&detail, &"message".into(), &info.to_string().into());
    let _ = Reflect::set(&detail, &"link".into(), &link.into());
    let init = CustomEventInit::new();
    init.set_detail(&detail);
    if let Ok(event) = CustomEvent::new_with_event_init_dict("writepath:panic", &init) {
        let _ = document().dispatch_event(&event);
    }
}

fn main() {
    // The tests' harness runs the tests instead of a page.
    if cfg!(test) {
        return;
    }
    rest::share();
    std::panic::set_hook(Box::new(tell_panic));
    let root = document().get_element_by_id("app").expect("index.html has #app");
    spawn_local(async move {
        let link = app::link();
        let lang = lang::start(&link).await;
        let player = app::player(link, lang).await;
        // What was painted before the wasm arrived makes room.
        root.set_text_content(None);
        yew::Renderer::<app::App>::with_root_and_props(root, app::AppProps { player }).render();
    });
}
