//! The editor: a scenario as form and as JSON, side by side. What is wrong stands at its place in both, and only what is
//! right can be run.

mod first_round;
mod form;
mod json_pane;
mod kept;
mod segments;

use std::cell::RefCell;
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use gloo::utils::{document, window};
use js_sys::Date;
use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

use super::icon::{Glyph, Icon};
use super::narration::Message;
use super::sheet::SheetBox;
use crate::editor::draft::{Action, Change, Checked, Draft, Problem};
use crate::editor::json::{Node, Value, join};
use crate::editor::shape::EMPTY;
use crate::engine::ImageInfo;
use crate::player::{Command, Looker, use_send};
use crate::{files, keys, machine, t};
use first_round::Look;
use form::Form;
use json_pane::JsonPane;
use kept::KeptList;

/// How long typing has to rest before it is looked at, ms.
const REST_MS: u32 = 150;

/// The draft of an editor that was closed, so that Escape loses nothing.
#[derive(Clone, Default)]
pub struct Kept(Rc<RefCell<Closed>>);

#[derive(Default)]
struct Closed {
    /// The scenario that ran meanwhile, and the draft.
    draft: Option<(String, Draft)>,
    /// Digest of the image that was put into a draft last.
    image: String,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Kept {
    /// What the editor opens with: the draft that was left, if it is still about what runs; else a copy of that.
    fn open(&self, running: &str, image: Option<&ImageInfo>) -> Draft {
        let mut closed = self.0.borrow_mut();
        if let Some(image) = image.filter(|image| image.sha256 != closed.image) {
            // An image that was just dropped asks for a write to it.
            closed.image.clone_from(&image.sha256);
            let mut doc = crate::editor::json::parse(EMPTY).unwrap_or_else(|_| Value::Object(Vec::new()).into());
            if let Some(place) = doc.at_mut("image") {
                *place = upload(image);
            }
            return Draft::new(&doc.flat());
        }
        match closed.draft.take() {
            Some((base, draft)) if base == running || machine::normal(&draft.text).as_deref() == Some(running) => draft,
            _ => Draft::new(running),
        }
    }
}

fn upload(image: &ImageInfo) -> Node {
    let of = |key: &str, value: Node| (key.to_owned(), value);
    let content = vec![of("name", Node::text(&image.name)), of("sha256", Node::text(&image.sha256))];
    Value::Object(vec![of("upload", Value::Object(content).into())]).into()
}

/// Props of [`Editor`].
#[derive(Properties, PartialEq)]
pub struct EditorProps {
    /// The scenario that runs, as JSON.
    pub open: String,
    /// The image taken last, if any.
    pub image: Option<Rc<ImageInfo>>,
    /// A message; the narration's slot is behind the sheet.
    pub notice: Option<Rc<view::frame::Notice>>,
    /// Looks at what is written.
    pub looker: Looker,
    /// Where the draft stays when the editor closes.
    pub kept: Kept,
}

/// Which side is seen where there is room for one.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Side {
    Form,
    Json,
}

/// The sheet.
#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let send = use_send();
    let draft = use_reducer(|| props.kept.open(&props.open, props.image.as_deref()));
    let side = use_state(|| Side::Form);
    let sites = use_memo((), |()| machine::sites());
    let act = draft.dispatcher();

    // The draft outlives the sheet.
    let latest = use_mut_ref(|| (*draft).clone());
    *latest.borrow_mut() = (*draft).clone();
    use_effect_with((), {
        let (kept, open) = (props.kept.clone(), props.open.clone());
        move |()| move || kept.0.borrow_mut().draft = Some((open, latest.borrow().clone()))
    });

    // An image that is taken while the editor is open goes into its draft.
    use_effect_with(props.image.clone(), {
        let (act, kept) = (act.clone(), props.kept.clone());
        move |image: &Option<Rc<ImageInfo>>| {
            if let Some(image) = image.as_deref().filter(|image| image.sha256 != kept.0.borrow().image) {
                kept.0.borrow_mut().image.clone_from(&image.sha256);
                act.dispatch(Action::Form(Change::Set("image".to_owned(), upload(image)), 0.0));
            }
        }
    });

    // What was typed is checked once the typing rests.
    use_effect_with(draft.text.clone(), {
        let act = act.clone();
        move |text| {
            let text = text.clone();
            let later = Timeout::new(REST_MS, move || {
                let problem = machine::check(&text);
                act.dispatch(Action::Checked(text, problem));
            });
            move || drop(later)
        }
    });

    let change = {
        let act = act.clone();
        Callback::from(move |change: Change| act.dispatch(Action::Form(change, Date::now())))
    };
    let on_type = {
        let act = act.clone();
        Callback::from(move |text: String| act.dispatch(Action::Type(text, Date::now())))
    };
    let replace = {
        let act = act.clone();
        Callback::from(move |text: String| act.dispatch(Action::Replace(text)))
    };
    let on_image = {
        let send = send.clone();
        Callback::from(move |file: File| {
            let send = send.clone();
            files::read(file, move |name, bytes| send.emit(Command::OpenImage(name, Rc::new(bytes))));
        })
    };
    let on_file = {
        let change = change.clone();
        Callback::from(move |(buffer, file): (String, File)| {
            let change = change.clone();
            files::read(file, move |_, bytes| change.emit(filled(&buffer, &bytes)));
        })
    };
    let take = {
        let (replace, on_image) = (replace.clone(), on_image.clone());
        Callback::from(move |file: File| {
            if files::is_json(&file) {
                let replace = replace.clone();
                files::read(file, move |_, bytes| replace.emit(String::from_utf8_lossy(&bytes).into_owned()));
            } else {
                on_image.emit(file);
            }
        })
    };
    let run = {
        let (send, act, draft, side) = (send.clone(), act.clone(), draft.clone(), side.clone());
        move |_: MouseEvent| match machine::check(&draft.text) {
            None => send.emit(Command::RunEdited(draft.text.clone())),
            Some(problem) => {
                show(&problem, *side == Side::Json);
                act.dispatch(Action::Checked(draft.text.clone(), Some(problem)));
            }
        }
    };
    let onkeydown = {
        let act = act.clone();
        Callback::from(move |event: KeyboardEvent| {
            if !(event.ctrl_key() || event.meta_key()) || event.alt_key() {
                return;
            }
            let action = match (event.key().to_ascii_lowercase().as_str(), event.shift_key()) {
                ("z", false) => Action::Undo,
                ("z", true) | ("y", _) => Action::Redo,
                _ => return,
            };
            event.prevent_default();
            act.dispatch(action);
        })
    };
    let ondrop = {
        let take = take.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            if let Some(file) = event.data_transfer().and_then(|data| data.files()).and_then(|list| list.get(0)) {
                take.emit(file);
            }
        })
    };
    let ondragover = Callback::from(|event: DragEvent| event.prevent_default());
    let onfile = Callback::from(move |event: Event| {
        let file =
            event.target_dyn_into::<HtmlInputElement>().and_then(|input| input.files()).and_then(|list| list.get(0));
        if let Some(file) = file {
            take.emit(file);
        }
    });
    let export = {
        let text = draft.text.clone();
        // A browser that refuses the download has told the reader itself.
        move |_: MouseEvent| _ = files::save("scenario.json", text.as_bytes())
    };
    let empty = {
        let replace = replace.clone();
        move |_: MouseEvent| replace.emit(EMPTY.to_owned())
    };
    let step = |label: &'static str, glyph: Glyph, on: bool, action: Action| {
        let act = act.clone();
        html! { <button class="btn" type="button" disabled={!on} aria-label={label} title={label} onclick={move |_: MouseEvent| act.dispatch(action.clone())}><Icon {glyph} /></button> }
    };
    let tab = |which: Side, label: &'static str| {
        let selected = *side == which;
        let (pick, keys) = (side.clone(), side.clone());
        let onkeydown = Callback::from(move |event: KeyboardEvent| {
            let other = if which == Side::Form { (Side::Json, "ed-tab-json") } else { (Side::Form, "ed-tab-form") };
            if keys::roving(&event, Some(0), 2) == Some(1) {
                keys.set(other.0);
                keys::focus(other.1);
            }
        });
        let (id, panel) =
            if which == Side::Form { ("ed-tab-form", "ed-side-form") } else { ("ed-tab-json", "ed-side-json") };
        html! {
            <button class="tab" role="tab" type="button" {id} aria-controls={panel} aria-selected={selected.to_string()} tabindex={if selected { "0" } else { "-1" }}
                {onkeydown} onclick={move |_: MouseEvent| pick.set(which)}>{ label }</button>
        }
    };
    let problem = draft.problem().cloned();
    let find = {
        let (problem, side) = (problem.clone(), side.clone());
        move |_: MouseEvent| {
            if let Some(problem) = &problem {
                show(problem, *side == Side::Json);
            }
        }
    };
    let title = draft.doc.at("title.en").map(Node::shown).unwrap_or_default();
    let good = draft.checked == Checked::Good;
    let shown_files = props.image.as_ref().map(|image| image.files.clone()).unwrap_or_default();
    html! {
        <SheetBox class="ed" title={t().edit_long} on_close={move |()| send.emit(Command::CloseSheet)}>
            <div class="ed-all" {onkeydown} {ondrop} {ondragover}>
                <div class="ed-bar-top">
                    <button class="btn go" type="button" onclick={run} aria-describedby="ed-problem"><Icon glyph={Glyph::Play} />{ t().own_run }</button>
                    { step(t().ed_back, Glyph::Undo, draft.can_undo(), Action::Undo) }
                    { step(t().ed_on, Glyph::Redo, draft.can_redo(), Action::Redo) }
                    <button class="btn edge" type="button" title={t().ed_empty_long} onclick={empty}>{ t().ed_empty }</button>
                    <label class="btn edge filepick" title={t().ed_file}><Icon glyph={Glyph::Open} /><span aria-hidden="true">{ t().open_image }</span>
                        <input type="file" aria-label={t().ed_file} onchange={onfile} /></label>
                    <button class="btn edge" type="button" title={t().ed_export} aria-label={t().ed_export} onclick={export}><Icon glyph={Glyph::Save} /></button>
                    <KeptList text={draft.text.clone()} title={title.clone()} on_open={replace} />
                </div>
                <Message notice={props.notice.clone()} />
                if let Some(image) = &props.image { <p class="hint">{ format!("{}: {}", image.name, image.text) }</p> }
                <div class="ed-state" role="status" id="ed-problem" data-state={match draft.checked { Checked::Pending => "pending", Checked::Good => "good", Checked::Bad(_) => "bad" }}>
                    if let Some(problem) = &problem {
                        <p class="problem"><b>{ "× " }{ if problem.path == "." { t().ed_json } else { problem.path.as_str() } }</b>{ format!(" ({} {}): {}", t().ed_line, problem.line, problem.reason) }</p>
                        <button class="btn edge" type="button" onclick={find}>{ t().ed_show }</button>
                    } else {
                        <p>{ if good { t().ed_good } else { t().ed_checking } }</p>
                    }
                </div>
                <div class="ed-tabs" role="tablist" aria-label={t().ed_views}>{ tab(Side::Form, t().ed_form) }{ tab(Side::Json, t().ed_json) }</div>
                <div class="ed-sides" data-side={if *side == Side::Form { "form" } else { "json" }}>
                    <div class="ed-side" id="ed-side-form" tabindex={if draft.sound { "-1" } else { "0" }}>
                        if !draft.sound { <p class="problem">{ t().ed_locked }</p> }
                        <Form doc={draft.doc.clone()} problem={problem.clone()} locked={!draft.sound} files={shown_files} sites={sites.clone()} on_change={change} {on_file} {on_image} />
                    </div>
                    <div class="ed-side" id="ed-side-json" tabindex="-1">
                        <JsonPane draft={Rc::new((*draft).clone())} sites={sites.clone()} {on_type} />
                    </div>
                </div>
                <Look text={good.then(|| draft.text.clone())} looker={props.looker.clone()} />
            </div>
        </SheetBox>
    }
}

/// Moves the focus to what is wrong: its field, or its line.
fn show(problem: &Problem, in_json: bool) {
    let id = form::id(&problem.path);
    if document().get_element_by_id(&id).is_some() && !in_json {
        keys::focus(&id);
    } else {
        json_pane::go_to_line(problem.line);
    }
}

/// A buffer filled with a file's bytes.
fn filled(buffer: &str, bytes: &[u8]) -> Change {
    let content = match std::str::from_utf8(bytes) {
        Ok(text) => ("text".to_owned(), Node::text(text)),
        Err(_) => {
            let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            // Latin letters alone always have their base64.
            ("base64".to_owned(), Node::text(&window().btoa(&latin).unwrap_or_default()))
        }
    };
    let len = Value::Bare(bytes.len().max(1).to_string());
    Change::SetAll(vec![(join(buffer, "fill"), Value::Object(vec![content]).into()), (join(buffer, "len"), len.into())])
}
