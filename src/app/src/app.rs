//! The root component: one player, keys, the address bar, and the panels.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions};
use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Timeout;
use gloo::timers::future::TimeoutFuture;
use gloo::utils::{document, window};
use session::link::{self, Link, ScenarioRef as Linked, StepRef};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

use crate::components::about::About;
use crate::components::block_inspector::BlockInspector;
use crate::components::bytes::{ByteCard, Bytes, use_bytes};
use crate::components::call_stack::{CallStack, frame_of};
use crate::components::code_pane::{CodePane, at_probes};
use crate::components::debug_pane::DebugPane;
use crate::components::dirty_balance::DirtyBalance;
use crate::components::editor::{Editor, Kept};
use crate::components::help::Help;
use crate::components::kernel_said::KernelSaid;
use crate::components::library::Library;
use crate::components::locals::Locals;
use crate::components::narration::Narration;
use crate::components::palette::Palette;
use crate::components::panel_tabs::PanelTabs;
use crate::components::path::Path;
use crate::components::source_lines::Course;
use crate::components::timeline::Timeline;
use crate::components::top_bar::TopBar;
use crate::components::transport::Transport;
use crate::debug::{Ask, Tab};
use crate::engine::ScenarioRef;
use crate::lang::{self, Lang};
use crate::motion::{Pace, use_motion};
use crate::player::{Command, Panel, Player, Send, Sheet, Theme};
use crate::{files, keys, machine, recorded, rest, store, t};

/// Browsers throttle the address bar: at most three times a second.
const LINK_EVERY_MS: f64 = 340.0;
/// Where the theme is kept.
const THEME_KEY: &str = "writepath.theme";

/// The player of the address's link, with its first steps computed.
pub async fn player(link: Link, lang: (Lang, bool)) -> Player {
    if let Some(recording) = rest::recorded(&link, lang.0).await {
        return Player::new(recorded::engine(recording), link, lang);
    }
    // If it does not arrive, the first function that is missed tells it.
    let _ = rest::loaded(rest::opened_by(&link)).await;
    let player = Player::new(machine::engine(), link, lang);
    // First the run, then the screen: together they would hold the browser up for too long.
    TimeoutFuture::new(0).await;
    player
}

/// The address's link, and what is kept of the reader's choices where it leaves them open.
pub fn link() -> Link {
    let mut link = link::parse(&window().location().hash().unwrap_or_default());
    if link.theme.is_none() {
        link.theme = store::get(THEME_KEY);
    }
    link
}

/// Props of [`App`].
#[derive(Properties)]
pub struct AppProps {
    /// What it starts with.
    pub player: Player,
}

impl PartialEq for AppProps {
    /// The page starts once.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The page.
#[component]
pub fn App(props: &AppProps) -> Html {
    let player = use_reducer(|| props.player.clone());
    let pace = use_memo((), |()| Pace::default());
    let send = (*use_memo((), |()| pace.watch(rest::before(Send::from(player.dispatcher()))))).clone();

    let kept = use_memo((), |()| Kept::default());

    use_effect_with(player.theme, |theme| show_theme(*theme));
    use_effect_with(player.download.clone(), |download| {
        if let Some(file) = download {
            // A browser that refuses the download has told the reader itself.
            let _ = files::save(&file.name, &file.bytes);
        }
    });
    use_keys(&send, &pace);
    use_motion(&player.frame, &pace, player.playing.then_some(player.speed));
    use_drops(&send);
    use_frames(player.busy(), &send);
    use_link(player.link(), player.scenario.clone(), player.jumps, &send);

    let frame = player.frame.clone();
    let bytes = use_bytes(player.looker(), frame.step);
    let act = {
        let send = send.clone();
        Callback::from(move |action: keys::Action| perform(action, None, &send))
    };
    // A click on a value asks who wrote it.
    let onclick = {
        let send = send.clone();
        Callback::from(move |event: MouseEvent| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let found = target.and_then(|target| target.closest("[data-path]").ok().flatten());
            if let Some(path) = found.and_then(|found| found.get_attribute("data-path")) {
                send.emit(Command::Debug(Ask::Origin(path, false)));
            }
        })
    };
    let current = match &player.scenario {
        ScenarioRef::Library(name) => name.clone(),
        ScenarioRef::Json(_) => String::new(),
    };
    let (last, complete) = (player.timeline.last, player.timeline.complete);
    let recorded = player.scenarios.iter().any(|info| info.recorded && info.name == current);
    let changes: usize = frame.changes.rows.iter().map(|row| row.parts.len().max(1)).sum();
    let notice = player.notice.clone().or_else(|| frame.notice.clone());
    html! {
        // Another language: every word anew, whatever props it came by.
        <ContextProvider<Send> key={player.lang.key()} context={send.clone()}>
            <ContextProvider<Bytes> context={bytes.clone()}>
            <Patterns />
            <div class="app" {onclick} data-show={player.panel.key()} data-testid="app" data-step={frame.step.to_string()} data-complete={complete.to_string()}>
                <TopBar lang={player.lang} looker={player.looker()} scenarios={player.scenarios.clone()} current={current.clone()} header={frame.header.clone()} />
                <div>
                    <Narration row={frame.narration.clone()} step={frame.step} {last} {complete} percent={player.timeline.percent} halted={player.halted} playing={player.playing}
                        title={format!("{}: {}", frame.header.scenario, frame.header.title)} notice={notice.clone()} />
                    <PanelTabs panel={player.panel} />
                </div>
                <main class="main" id="panels">
                    <div class={classes!("left", recorded.then_some("with-said"), (player.debug.tab != Tab::Changes).then_some("asking"), (player.debug.tab == Tab::Steps).then_some("listing"))}>
                        <CodePane code={frame.code.clone()} source={frame.source.clone()} kernel={frame.kernel.clone()} watches={player.debug.watches.clone()} course={complete.then(|| Course::new(player.looker(), player.timeline.clone()))} />
                        <div class="two">
                            <Locals rows={frame.locals.clone()} outer={player.outer.clone()} />
                            <CallStack tasks={frame.tasks.clone()} followed={player.followed.clone()} chosen={player.outer.as_ref().map(|outer| (outer.task, outer.nth))} />
                        </div>
                        <DebugPane changes={frame.changes.clone()} debug={player.debug.clone()} step={frame.step} runs={player.runs.clone()}
                            run={player.timeline.clone()} grain={player.grain} followed={player.followed_id()} looker={player.looker()} />
                        if recorded { <KernelSaid name={current.clone()} step={frame.step} steps={complete.then_some(last)} /> }
                    </div>
                    <Path frame={frame.clone()} />
                    <DirtyBalance row={frame.dirty.clone()} />
                    if let Some(told) = bytes.told.filter(|_| player.block.is_none()) { <ByteCard {told} /> }
                </main>
                <section class="tl" aria-label={t().timeline}>
                    <Timeline run={player.timeline.clone()} step={frame.step} text={frame.narration.what.clone()} tasks={frame.tasks.clone()}
                        watches={player.debug.watches.clone()} rows={player.debug.rows.clone()} marks={player.debug.marks} followed={player.followed.clone()} />
                    <Transport step={frame.step} {last} {complete} playing={player.playing} speed={player.speed} grain={player.grain} {changes} followed={player.followed.clone()} />
                </section>
            </div>
            if let Some(view) = &player.block { <BlockInspector view={view.clone()} step={frame.step} /> }
            if player.sheet == Some(Sheet::Palette) { <Palette scenarios={player.scenarios.clone()} tasks={frame.tasks.clone()} lang={player.lang} on_action={act} /> }
            if player.sheet == Some(Sheet::Help) { <Help /> }
            if player.sheet == Some(Sheet::About) { <About /> }
            if player.sheet == Some(Sheet::Library) { <Library scenarios={player.scenarios.clone()} {current} /> }
            if player.sheet == Some(Sheet::Edit) {
                <Editor open={player.scenario_json()} image={player.image.clone()} {notice} looker={player.looker()} kept={(*kept).clone()} />
            }
            </ContextProvider<Bytes>>
        </ContextProvider<Send>>
    }
}

/// Fill patterns, once a document: `fill="url(#…)"` refers to them.
#[component]
fn Patterns() -> Html {
    let stripes = |id: &'static str,
                   size: &'static str,
                   turn: &'static str,
                   line: &'static str,
                   width: &'static str| {
        html! {
            <pattern {id} width={size} height={size} patternUnits="userSpaceOnUse" patternTransform={turn}>
                <rect width={size} height={size} fill="var(--surface)" /><path d={format!("M0 0v{size}")} stroke={line} stroke-width={width} />
            </pattern>
        }
    };
    html! {
        <svg class="vh" aria-hidden="true" focusable="false"><defs>
            <pattern id="p-zero" width="6" height="6" patternUnits="userSpaceOnUse">
                <rect width="6" height="6" fill="var(--surface-2)" /><rect x="2" y="2" width="1.8" height="1.8" fill="var(--zero-dot)" />
            </pattern>
            { stripes("p-nou", "7", "rotate(45)", "var(--hatch)", "2.4") }
            { stripes("p-sleep", "5", "rotate(-45)", "var(--ink-2)", "1.6") }
            { stripes("p-delayed", "8", "rotate(45)", "var(--delayed-tint)", "10") }
            { stripes("p-unwritten", "9", "rotate(90)", "var(--delayed-tint)", "10") }
        </defs></svg>
    }
}

fn show_theme(theme: Theme) {
    let Some(root) = document().document_element() else { return };
    match theme.key() {
        Some(key) => {
            let _ = root.set_attribute("data-theme", key);
            store::set(THEME_KEY, key);
        }
        None => {
            let _ = root.remove_attribute("data-theme");
        }
    }
}

/// The keys of the page. The document is the widget here.
#[hook]
fn use_keys(send: &Send, pace: &Rc<Pace>) {
    let (send, pace) = (send.clone(), pace.clone());
    use_effect_with((), move |()| {
        let options = EventListenerOptions::enable_prevent_default();
        let listener = EventListener::new_with_options(&document(), "keydown", options, move |event| {
            if let Some(event) = event.dyn_ref::<web_sys::KeyboardEvent>() {
                pace.key(event.repeat());
                on_key(event, &send);
            }
        });
        move || drop(listener)
    });
}

/// An image or a scenario dropped anywhere on the page is opened. A field that takes files of its own keeps what falls on it.
#[hook]
fn use_drops(send: &Send) {
    let send = send.clone();
    use_effect_with((), move |()| {
        let listen = |kind: &'static str, on: Box<dyn FnMut(&web_sys::DragEvent)>| {
            let mut on = on;
            let options = EventListenerOptions::enable_prevent_default();
            EventListener::new_with_options(&document(), kind, options, move |event| {
                if let Some(event) = event.dyn_ref::<web_sys::DragEvent>().filter(|event| !event.default_prevented()) {
                    event.prevent_default();
                    on(event);
                }
            })
        };
        let over = listen("dragover", Box::new(|_| {}));
        let dropped = listen(
            "drop",
            Box::new(move |event| {
                if let Some(file) = event.data_transfer().and_then(|data| data.files()).and_then(|list| list.get(0)) {
                    let (send, json) = (send.clone(), files::is_json(&file));
                    files::read(file, move |name, bytes| {
                        send.emit(if json {
                            let text = String::from_utf8_lossy(&bytes).into_owned();
                            Command::LoadJson(Ok(text), session::link::StepRef::Index(0))
                        } else {
                            Command::OpenImage(name, Rc::new(bytes))
                        });
                    });
                }
            }),
        );
        move || drop((over, dropped))
    });
}

fn on_key(event: &web_sys::KeyboardEvent, send: &Send) {
    if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") && !event.default_prevented() {
        event.prevent_default();
        if document().query_selector("dialog[open]").ok().flatten().is_none() {
            send.emit(Command::Open(Sheet::Palette));
        }
        return;
    }
    if event.default_prevented() || event.ctrl_key() || event.meta_key() || event.alt_key() || event.is_composing() {
        return;
    }
    let key = event.key();
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let sheet = document().query_selector("dialog[open]").ok().flatten();
    if sheet.is_some() || target.as_ref().is_some_and(|target| keys::is_taken(target, &key)) {
        return;
    }
    let Some(action) = keys::action(&key, event.shift_key()) else { return };
    if let keys::Action::Rove(forward) = action {
        if target.is_some_and(|target| keys::rove(&target, forward)) {
            event.prevent_default();
        }
        return;
    }
    event.prevent_default();
    perform(action, target.as_ref(), send);
}

fn tell(send: &Send, title: &str) {
    send.emit(Command::Tell(view::frame::Notice { title: title.to_owned(), text: String::new(), error: false }));
}

/// Does what a key or a line of the palette says.
fn perform(action: keys::Action, target: Option<&Element>, send: &Send) {
    match action {
        keys::Action::Rove(_) => {}
        keys::Action::Press(id) => keys::press(id),
        keys::Action::Watch => {
            send.emit(Command::ShowPanel(Panel::Changes));
            send.emit(Command::Debug(Ask::Show(Tab::Watch)));
            // The field is there once the tab is drawn.
            Timeout::new(0, || keys::focus("watch-field")).forget();
        }
        keys::Action::Find => {
            send.emit(Command::ShowPanel(Panel::Changes));
            send.emit(Command::Debug(Ask::Seek));
            // A list that is shown already has its field; else it takes the focus when it comes.
            keys::focus("find-field");
        }
        keys::Action::Break => {
            let line = keys::asked_for(target, "data-line").filter(|line| frame_of(line).is_none());
            let now = || document().query_selector("#code-body .now [data-line]").ok()??.get_attribute("data-line");
            if let Some(probe) = line.or_else(now) {
                send.emit(Command::Debug(Ask::Break(at_probes(&probe))));
            }
        }
        keys::Action::Cursor(back) => match keys::asked_for(target, "data-line") {
            Some(line) => send.emit(match frame_of(&line) {
                Some((task, nth)) => Command::RunToFrame(task, nth, back),
                None => Command::Debug(Ask::RunTo(at_probes(&line), !back)),
            }),
            None => tell(send, t().cursor_nothing),
        },
        keys::Action::Origin => match keys::asked_for(target, "data-path") {
            Some(path) => send.emit(Command::Debug(Ask::Origin(path, true))),
            None => tell(send, t().origin_nothing),
        },
        keys::Action::Send(command) => send.emit(command),
        keys::Action::GoTo => {
            keys::focus("go-to");
            let field =
                document().get_element_by_id("go-to").and_then(|found| found.dyn_into::<HtmlInputElement>().ok());
            if let Some(field) = field {
                field.select();
            }
        }
        keys::Action::Focus(panel, id) => {
            if let Some(panel) = panel {
                send.emit(Command::ShowPanel(panel));
            }
            keys::focus(id);
        }
        keys::Action::FullScreen => {
            if document().fullscreen_element().is_some() {
                document().exit_fullscreen();
            } else if let Some(root) = document().document_element() {
                // The browser may refuse, and says so itself.
                let _ = root.request_fullscreen();
            }
        }
    }
}

/// While it is wanted, a tick each animation frame.
#[hook]
fn use_frames(wanted: bool, send: &Send) {
    let send = send.clone();
    use_effect_with(wanted, move |wanted| {
        let slot = Rc::new(RefCell::new(None));
        if *wanted {
            next_frame(&slot, None, send);
        }
        move || drop(slot.take())
    });
}

fn next_frame(slot: &Rc<RefCell<Option<AnimationFrame>>>, before: Option<f64>, send: Send) {
    let again = slot.clone();
    let frame = request_animation_frame(move |now| {
        // First the next frame, then the work: the work may end the loop.
        next_frame(&again, Some(now), send.clone());
        send.emit(Command::Tick(before.map_or(0.0, |before| now - before)));
    });
    // The frame before has been called, so dropping it cancels nothing; its closure is on the stack, hence not here.
    let old = slot.replace(Some(frame));
    spawn_local(async move { drop(old) });
}

/// What the address bar's writer remembers.
#[derive(Default)]
struct Writer {
    written: String,
    at_ms: f64,
    jumps: u64,
    later: Option<Timeout>,
    /// The scenario that runs, packed.
    packed: Option<Linked>,
}

/// Keeps the hash equal to what is on screen, and opens a link that someone else writes there.
#[hook]
fn use_link(link: Link, scenario: ScenarioRef, jumps: u64, send: &Send) {
    // The first write can wait until the page is there.
    let writer = use_mut_ref(|| Writer { at_ms: js_sys::Date::now(), ..Writer::default() });
    let packed = use_state(|| None::<(String, Linked)>);
    // One's own scenario is compressed once, when it starts.
    use_effect_with(scenario.clone(), {
        let packed = packed.clone();
        move |scenario| {
            if let ScenarioRef::Json(json) = scenario.clone() {
                spawn_local(async move {
                    if let Some(text) = files::pack(&json).await {
                        packed.set(Some((json, text)));
                    }
                });
            }
        }
    });
    let own = match (&scenario, &*packed) {
        (ScenarioRef::Json(json), Some((of, text))) if of == json => Some(text.clone()),
        _ => None,
    };
    let link = Link { scenario: link.scenario.or_else(|| own.clone()), ..link };
    use_effect_with((link::emit(&link), jumps), {
        let writer = writer.clone();
        move |(hash, jumps)| {
            writer.borrow_mut().packed = own;
            write(&writer, hash, *jumps);
        }
    });
    let send = send.clone();
    use_effect_with((), move |()| {
        open_packed(&link::parse(&window().location().hash().unwrap_or_default()), &send);
        let listener = EventListener::new(&window(), "hashchange", move |_| {
            let hash = window().location().hash().unwrap_or_default();
            let mut state = writer.borrow_mut();
            if hash == state.written {
                return;
            }
            state.written.clone_from(&hash);
            state.later = None;
            let link = link::parse(&hash);
            if let Some(lang) = link.language.as_deref().and_then(Lang::from_key) {
                lang::choose_later(lang, send.clone());
            }
            // A step of the scenario that runs needs no new run.
            let same = link.scenario.is_some() && link.scenario == state.packed;
            drop(state);
            if same {
                send.emit(Command::OpenLink(Link { scenario: None, ..link }));
            } else {
                send.emit(Command::OpenLink(link.clone()));
                open_packed(&link, &send);
            }
        });
        move || drop(listener)
    });
}

/// Unpacks the scenario of a link, if it is in the link.
fn open_packed(link: &Link, send: &Send) {
    let Some(scenario @ Linked::Packed(_)) = link.scenario.clone() else { return };
    let (send, step) = (send.clone(), link.step.clone().unwrap_or(StepRef::Index(0)));
    spawn_local(async move {
        let json = files::unpack(&scenario).await.ok_or_else(|| view::frame::Notice {
            title: t().bad_link.to_owned(),
            text: t().bad_link_text.to_owned(),
            error: true,
        });
        send.emit(Command::LoadJson(json, step));
    });
}

fn write(writer: &Rc<RefCell<Writer>>, hash: &str, jumps: u64) {
    let now = js_sys::Date::now();
    let mut state = writer.borrow_mut();
    let push = jumps != state.jumps;
    state.jumps = jumps;
    state.later = None;
    if hash == state.written {
        return;
    }
    let wait = state.at_ms + LINK_EVERY_MS - now;
    if !push && wait > 0.0 {
        let (writer, hash) = (writer.clone(), hash.to_owned());
        let ms = u32::try_from(crate::draw::to_u64(wait, 1000)).unwrap_or(1000);
        state.later = Some(Timeout::new(ms + 1, move || {
            let done = writer.borrow_mut().later.take();
            write(&writer, &hash, jumps);
            drop(done);
        }));
        return;
    }
    hash.clone_into(&mut state.written);
    state.at_ms = now;
    drop(state);
    if let Ok(history) = window().history() {
        // A page that may not touch its address (a sandbox) works without a link.
        let _ = if push {
            history.push_state_with_url(&JsValue::NULL, "", Some(hash))
        } else {
            history.replace_state_with_url(&JsValue::NULL, "", Some(hash))
        };
    }
}
