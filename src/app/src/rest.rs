//! The part of the program that a first visit does not run: a wasm module of its own (`xtask/src/split.rs`). A first
//! visit shows screens that were recorded when the site was built ([`recorded`]); everything else is the engine's.
//!
//! Nothing here has to be called for the program to be right: a function that is not there yet has it loaded at once,
//! while everything waits. Where it is known that more will be wanted, [`loaded`] gets it without that.

use std::cell::Cell;
use std::rc::Rc;

use gloo::utils::window;
use js_sys::{ArrayBuffer, Uint8Array};
use session::library;
use session::link::{Link, ScenarioRef, StepRef};
use view::recording::Recording;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;
use yew::Callback;

use crate::debug::{Ask, Tab};
use crate::lang::Lang;
use crate::player::{Command, Send, Sheet};
use crate::{machine, t};

#[cfg(not(test))]
mod page {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen(raw_module = "./boot.js")]
    extern "C" {
        pub fn share_exports(exports: &JsValue);
        #[wasm_bindgen(catch)]
        pub async fn fetch_rest() -> Result<(), JsValue>;
        #[wasm_bindgen(catch)]
        pub async fn fetch_screens(lang: &str, scenario: &str) -> Result<JsValue, JsValue>;
        // The gate that `split` makes calls it too, by this name.
        pub fn load_rest();
    }
}

/// Lets the page load the rest into this instance: to be called before anything else.
pub fn share() {
    page::share_exports(&wasm_bindgen::exports());
}

/// Loads the rest, and the scenario of the library that will be opened, if any. An error if they do not arrive; then
/// nothing is lost, and it may be tried again.
pub async fn loaded(scenario: Option<&str>) -> Result<(), JsValue> {
    page::fetch_rest().await?;
    page::load_rest();
    match scenario.filter(|name| library::is_missing(name)) {
        Some(name) => supply(name).await,
        None => Ok(()),
    }
}

/// Fetches a scenario of the library. Behind the rest, which this is a part of.
async fn supply(name: &str) -> Result<(), JsValue> {
    let file = window().fetch_with_str(&format!("static/scenarios/{name}.json"));
    let answer: Response = JsFuture::from(file).await?.dyn_into()?;
    let text = JsFuture::from(answer.text()?).await?.as_string().filter(|_| answer.ok()).unwrap_or_default();
    library::supply(name, text).map_err(|error| JsValue::from(error.to_string()))
}

/// The scenario of the library that a link opens.
pub fn opened_by(link: &Link) -> Option<&str> {
    match &link.scenario {
        Some(ScenarioRef::Library { name, .. }) => Some(name),
        _ => None,
    }
}

/// The screens of what a link opens, in a language: if they were recorded, and the link asks for no more than to see
/// them. Where they do not arrive, there is the engine.
pub async fn recorded(link: &Link, lang: Lang) -> Option<Recording> {
    let scenario = match &link.scenario {
        None => "",
        Some(ScenarioRef::Library { name, .. }) => name,
        Some(_) => return None,
    };
    let asks = link.digest.is_some()
        || link.stretch.is_some()
        || link.breakpoints.is_some()
        || link.watches.is_some()
        || matches!(link.step, Some(StepRef::Probe(_)));
    if asks || machine::has_runs() {
        return None;
    }
    let file = page::fetch_screens(lang.key(), scenario).await.ok()?.dyn_into::<ArrayBuffer>().ok()?;
    Recording::read(&Uint8Array::new(&file).to_vec())
}

/// Whether a command leads beyond a first visit.
fn is_wanted_by(command: &Command) -> bool {
    match command {
        Command::LoadScenario(_)
        | Command::LoadJson(..)
        | Command::RunEdited(_)
        | Command::OpenImage(..)
        | Command::Export(_)
        | Command::GoToRun(_)
        | Command::SelectFrame(..)
        | Command::OpenBlock(_)
        | Command::Intervene(_)
        | Command::SelectPage(_)
        | Command::Speak(_)
        | Command::Debug(
            Ask::Show(Tab::Steps)
            | Ask::Seek
            | Ask::Watch(..)
            | Ask::Break(_)
            | Ask::Draft(_)
            | Ask::RunTo(..)
            | Ask::Diff
            | Ask::Origin(..),
        )
        | Command::Open(Sheet::Edit) => true,
        Command::OpenLink(link) => link.scenario.is_some(),
        _ => false,
    }
}

/// `send`, with the rest loaded first for the commands that want it. Of several that open a scenario the last one does,
/// whichever of their files arrives first.
pub fn before(send: Send) -> Send {
    let opened = Rc::new(Cell::new(0_u32));
    Callback::from(move |command: Command| {
        if !is_wanted_by(&command) {
            return send.emit(command);
        }
        let opens = matches!(command, Command::LoadScenario(_) | Command::OpenLink(_));
        if opens {
            opened.set(opened.get().wrapping_add(1));
        }
        let (send, opened, mine) = (send.clone(), opened.clone(), opened.get());
        wasm_bindgen_futures::spawn_local(async move {
            let scenario = match &command {
                Command::LoadScenario(name) => Some(name.as_str()),
                Command::OpenLink(link) => opened_by(link),
                _ => None,
            };
            let arrived = loaded(scenario).await;
            if opens && opened.get() != mine {
                return;
            }
            match arrived {
                Ok(()) => send.emit(command),
                Err(_) => send.emit(Command::Tell(view::frame::Notice {
                    title: t().no_rest.to_owned(),
                    text: t().no_rest_text.to_owned(),
                    error: true,
                })),
            }
        });
    })
}

/// The tests have all in one module, and no `boot.js`.
#[cfg(test)]
mod page {
    use wasm_bindgen::JsValue;

    pub fn share_exports(_: &JsValue) {}
    pub async fn fetch_rest() -> Result<(), JsValue> {
        Ok(())
    }
    pub async fn fetch_screens(_: &str, _: &str) -> Result<JsValue, JsValue> {
        Ok(JsValue::UNDEFINED)
    }
    pub fn load_rest() {}
}
