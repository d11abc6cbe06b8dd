//! The scenarios that come with the page, under the questions that they answer.

use std::rc::Rc;

use view::frame::ScenarioInfo;
use yew::prelude::*;

use super::sheet::SheetBox;
use crate::player::{Command, use_send};
use crate::t;

/// Props of [`Library`].
#[derive(Properties, PartialEq)]
pub struct LibraryProps {
    /// All of them; those of one question stand together.
    pub scenarios: Rc<Vec<ScenarioInfo>>,
    /// The scenario shown; empty for one's own.
    pub current: AttrValue,
}

/// A sheet with a heading for each question, and a button for each scenario.
#[component]
pub fn Library(props: &LibraryProps) -> Html {
    let send = use_send();
    let line = |info: &ScenarioInfo| {
        let (send, name) = (send.clone(), info.name.clone());
        let onclick = Callback::from(move |_: MouseEvent| {
            send.emit(Command::CloseSheet);
            send.emit(Command::LoadScenario(name.clone()));
        });
        let current = props.current == info.name.as_str();
        html! {
            <li key={info.name.clone()}>
                <button type="button" {onclick} aria-current={current.then_some("true")}>
                    <b>{ &info.title }</b><code>{ &info.name }</code>
                    <span>{ &info.question }</span>
                    if info.recorded { <small>{ t().kernel_recorded }</small> }
                </button>
            </li>
        }
    };
    let close = send.reform(|()| Command::CloseSheet);
    html! {
        <SheetBox class="library" title={t().library_long} on_close={close}>
            for group in props.scenarios.chunk_by(|one, other| one.group == other.group) {
                <section>
                    <h3>{ &group[0].group }</h3>
                    <ul>{ for group.iter().map(line) }</ul>
                </section>
            }
        </SheetBox>
    }
}
