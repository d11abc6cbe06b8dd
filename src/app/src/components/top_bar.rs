//! Scenario, title, and what can be done with the run as a whole.

use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;
use gloo::utils::{document, window};
use session::link::{self, StepRef};
use view::frame::{Header, Notice, ScenarioInfo};
use view::table::TableFormat;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::icon::{Glyph, Icon};
use crate::engine::Export;
use crate::lang::{self, Lang};
use crate::player::{Command, Looker, Sheet, use_send};
use crate::{files, keys, t};

/// Props of [`TopBar`].
#[derive(Properties, PartialEq)]
pub struct TopBarProps {
    /// The library.
    pub scenarios: Rc<Vec<ScenarioInfo>>,
    /// The scenario shown; empty for one's own.
    pub current: AttrValue,
    /// Title and call.
    pub header: Rc<Header>,
    /// The language spoken.
    pub lang: Lang,
    /// Knows the digest of the step that is shared.
    pub looker: Looker,
}

/// The bar at the top.
#[component]
pub fn TopBar(props: &TopBarProps) -> Html {
    let send = use_send();
    let pick = {
        let send = send.clone();
        Callback::from(move |event: Event| {
            let name = event.target_dyn_into::<HtmlSelectElement>().map(|select| select.value());
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                send.emit(Command::LoadScenario(name));
            }
        })
    };
    let open_image = {
        let send = send.clone();
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            if let Some(file) = input.files().and_then(|list| list.get(0)) {
                let send = send.clone();
                files::read(file, move |name, bytes| send.emit(Command::OpenImage(name, Rc::new(bytes))));
            }
            // The same file may be chosen again.
            input.set_value("");
        })
    };
    let share = {
        let (send, looker) = (send.clone(), props.looker.clone());
        Callback::from(move |_: MouseEvent| {
            let send = send.clone();
            let address = address_of_step(&looker);
            let copying = window().navigator().clipboard().write_text(&address);
            spawn_local(async move {
                let (title, text) = match JsFuture::from(copying).await {
                    Ok(_) => (t().link_copied, String::new()),
                    Err(_) => (t().link_not_copied, address),
                };
                send.emit(Command::Tell(Notice { title: title.to_owned(), text, error: false }));
            });
        })
    };
    let command = |command: Command| {
        let send = send.clone();
        move |_: MouseEvent| send.emit(command.clone())
    };
    let theme = {
        let send = send.clone();
        move |_: MouseEvent| send.emit(Command::ToggleTheme(is_dark()))
    };
    let other = props.lang.other();
    let switch = {
        let send = send.clone();
        move |_: MouseEvent| {
            let send = send.clone();
            spawn_local(async move {
                lang::choose(other, &send).await;
                // The bar is drawn anew: the reader stays at its button.
                TimeoutFuture::new(0).await;
                keys::focus("lang");
            });
        }
    };
    let (sign, long) = other.switch();
    let own = props.current.is_empty();
    html! {
        <header class="top">
            <span class="brand">
                <svg viewBox="0 0 18 18" aria-hidden="true">
                    <g fill="none" stroke="currentColor" stroke-width="1.8"><path d="M3.5 2.8v4.7h11v4h-7v4" /></g>
                    <circle cx="3.5" cy="2.8" r="2" fill="currentColor" /><circle cx="7.5" cy="15.2" r="2" fill="var(--dirty)" />
                </svg>
                { "Writepath" }
            </span>
            <div class="scenario">
                <select class="btn edge m" id="scenario" data-more="" aria-label={t().scenario} onchange={pick}>
                    if own { <option key="" value="" selected={true}>{ t().own_name }</option> }
                    for group in props.scenarios.chunk_by(|one, other| one.group == other.group) {
                        <optgroup label={group[0].group.clone()}>
                            for info in group {
                                <option key={info.name.clone()} value={info.name.clone()} title={info.title.clone()} selected={props.current == info.name.as_str()}>{ &info.name }</option>
                            }
                        </optgroup>
                    }
                </select>
                <button class="btn" type="button" title={t().library_long} onclick={command(Command::Open(Sheet::Library))}><Icon glyph={Glyph::Library} /><span>{ t().library }</span></button>
                <span class="title" title={props.header.title.clone()}>{ &props.header.title }</span>
                <code class="callx" title={props.header.call.clone()}>{ &props.header.call }</code>
            </div>
            <div class="tools">
                <button class="btn" type="button" id="share" title={t().share_long} onclick={share}><Icon glyph={Glyph::Share} /><span>{ t().share }</span></button>
                <button class="btn opt-s" type="button" title={t().edit_long} data-more="" onclick={command(Command::Open(Sheet::Edit))}><Icon glyph={Glyph::Edit} /><span>{ t().edit }</span></button>
                <label class="btn filepick opt" title={t().open_image_long}><Icon glyph={Glyph::Open} /><span aria-hidden="true">{ t().open_image }</span>
                    <input type="file" id="open-image" aria-label={t().open_image_long} onchange={open_image} /></label>
                <button class="btn opt-s" type="button" title={t().export_long} data-more="" popovertarget="export" data-testid="export"><Icon glyph={Glyph::Save} /><span>{ t().export }</span></button>
                <div id="export" class="menu" popover="auto" role="group" aria-label={t().export_long} data-rove="">
                    for (words, what) in exports() {
                        <button class="btn" type="button" popovertarget="export" popovertargetaction="hide" onclick={command(Command::Export(what))}>{ words }</button>
                    }
                </div>
                <button class="btn opt" type="button" title={t().block_long} data-more="" onclick={command(Command::OpenBlock(0))}>{ t().blocks }</button>
                <button class="btn opt-l" type="button" onclick={command(Command::Open(Sheet::About))}>{ t().about_short }</button>
                <button class="btn" type="button" title={t().palette_long} onclick={command(Command::Open(Sheet::Palette))}><Icon glyph={Glyph::Menu} /><span>{ t().palette }</span><kbd aria-hidden="true">{ "Ctrl K" }</kbd></button>
                <button class="btn sign opt-s" type="button" aria-label={t().help} title={format!("{} (?)", t().help)} onclick={command(Command::Open(Sheet::Help))}>{ "?" }</button>
                <button class="btn" type="button" id="lang" lang={other.key()} aria-label={long} title={long} onclick={switch}>{ sign }</button>
                <button class="btn" type="button" id="theme" aria-label={t().theme} title={t().theme} onclick={theme}><Icon glyph={Glyph::Theme} /></button>
            </div>
        </header>
    }
}

/// The page's address, with the digest of its step: whoever opens it learns if the model has changed since.
fn address_of_step(looker: &Looker) -> String {
    let location = window().location();
    let address = location.href().unwrap_or_default();
    let mut link = link::parse(&location.hash().unwrap_or_default());
    if let Some(StepRef::Index(step)) = link.step {
        link.digest = looker.digest(step);
    }
    match address.split_once('#') {
        Some((page, _)) => format!("{page}#{}", link::emit(&link).trim_start_matches('#')),
        None => address,
    }
}

/// What can be taken away, with its words.
fn exports() -> [(&'static str, Export); 5] {
    [
        (t().export_scenario, Export::Scenario),
        (t().export_csv, Export::Table(TableFormat::Csv)),
        (t().export_markdown, Export::Table(TableFormat::Markdown)),
        (t().export_picture, Export::Picture),
        (t().export_image, Export::Image),
    ]
}

/// Whether the page is dark now, by choice or by the system.
fn is_dark() -> bool {
    let chosen = document().document_element().and_then(|root| root.get_attribute("data-theme"));
    match chosen.as_deref() {
        Some(theme) => theme == "dark",
        None => {
            window().match_media("(prefers-color-scheme: dark)").ok().flatten().is_some_and(|query| query.matches())
        }
    }
}
