//! The kernel's own source at the step. The page has none of it: a reader opens a file, or asks for one to be fetched.

use std::collections::BTreeMap;
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::net::http::Request;
use gloo::timers::future::TimeoutFuture;
use gloo::utils::document;
use view::frame::KernelAt;
use view::kernel_source::KernelFile;
use wasm_bindgen_futures::spawn_local;
use web_sys::{FileList, HtmlInputElement};
use yew::prelude::*;

use super::source_lines::{Course, Margin, source_lines, use_passes};
use crate::debug::Watch;
use crate::player::{Send, use_send};
use crate::{files, keys, t};

/// A public mirror that answers browsers.
const MIRROR: &str = "https://raw.githubusercontent.com/gregkh/linux/v5.10.238/";

/// The files that a reader brought, by path, and what went wrong with the last one.
#[derive(Clone, Default, PartialEq)]
pub struct Files {
    known: BTreeMap<&'static str, Rc<KernelFile>>,
    problem: String,
}

/// What happens to the files.
pub enum Act {
    /// A file came: its name and text.
    Take(String, String),
    /// Something went wrong.
    Fail(String),
}

impl Reducible for Files {
    type Action = Act;

    fn reduce(self: Rc<Self>, act: Act) -> Rc<Self> {
        let mut files = (*self).clone();
        files.problem = String::new();
        match act {
            Act::Fail(problem) => files.problem = problem,
            Act::Take(name, text) => match KernelFile::read(&name, &text) {
                Some(file) => {
                    files.known.insert(file.path, Rc::new(file));
                }
                None => files.problem = format!("{name} {}", t().kernel_unknown),
            },
        }
        Rc::new(files)
    }
}

/// Props of [`KernelSource`].
#[derive(Properties, PartialEq)]
pub struct KernelSourceProps {
    /// Where the step is.
    pub at: Option<KernelAt>,
    /// The files there are.
    pub files: UseReducerHandle<Files>,
    /// Breakpoints, among other watches.
    pub watches: Rc<Vec<Watch>>,
    /// The run, once it is complete.
    pub course: Option<Course>,
}

/// The function around the step's line, or how to bring its file.
#[component]
pub fn KernelSource(props: &KernelSourceProps) -> Html {
    let files = &props.files;
    let take = {
        let files = files.dispatcher();
        move |list: Option<FileList>| {
            for file in list.iter().flat_map(|list| (0..list.length()).filter_map(|n| list.get(n))) {
                let files = files.clone();
                files::read(file, move |name, bytes| {
                    files.dispatch(Act::Take(name, String::from_utf8_lossy(&bytes).into_owned()));
                });
            }
        }
    };
    let ondragover = Callback::from(|event: DragEvent| event.prevent_default());
    let ondrop = {
        let take = take.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            event.stop_propagation();
            take(event.data_transfer().and_then(|data| data.files()));
        })
    };
    let here = props.at.as_ref().and_then(|at| files.known.get(&*at.file)).cloned();
    use_effect_with((props.at.clone(), here.is_some()), |_| keys::into_view(".kernel .now"));
    let stops = here.as_ref().map_or_else(Rc::default, |file| file.stops.clone());
    let passes = use_passes(props.course.as_ref(), &stops);
    let send = use_send();
    let body = match (&props.at, here) {
        (None, _) => html! { <p class="none">{ t().kernel_outside }</p> },
        (Some(at), None) => bring(at, files, &take),
        (Some(at), Some(file)) => {
            let margin = Margin { stops: &stops, passes: &passes, watches: &props.watches };
            listing(&send, at, &file, &margin)
        }
    };
    html! { <div class="kernel" {ondragover} {ondrop}>{ body }</div> }
}

fn listing(send: &Send, at: &KernelAt, file: &KernelFile, margin: &Margin) -> Html {
    let Some(shown) = file.excerpt(&at.function, at.line) else {
        return html! { <p class="none">{ t().kernel_too_short }</p> };
    };
    html! {
        <>
            if file.moved > 0 { <p class="hint">{ t().kernel_moved }{ ": " }{ file.moved }</p> }
            <ol class="rust" data-testid="kernel-source">
                { source_lines(send, shown.lines, shown.first, Some(shown.now), margin) }
            </ol>
        </>
    }
}

fn bring(at: &KernelAt, files: &UseReducerHandle<Files>, take: &(impl Fn(Option<FileList>) + Clone + 'static)) -> Html {
    let onchange = {
        let take = take.clone();
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            take(input.files());
            // The same file may be chosen again.
            input.set_value("");
        })
    };
    let onclick = {
        let (files, file) = (files.dispatcher(), at.file.clone());
        Callback::from(move |_: MouseEvent| {
            let (files, file) = (files.clone(), file.clone());
            spawn_local(async move {
                let brought = fetch(&file).await;
                files.dispatch(brought);
            });
        })
    };
    html! {
        <div class="bring">
            <p>{ t().kernel_bring }{ " " }<code>{ format!("{}:{}", at.file, at.line) }</code></p>
            <div>
                <button class="btn edge" type="button" {onclick}>{ t().kernel_fetch }</button>
                <label class="btn edge filepick">{ t().kernel_open }
                    <input type="file" accept=".c,.h" multiple=true aria-label={t().kernel_open} {onchange} /></label>
            </div>
            <p class="hint">{ t().kernel_drop }</p>
            <p class="problem" role="status">{ &files.problem }</p>
        </div>
    }
}

/// The file from the mirror. A site's policy may forbid the request: the browser then says so by an event.
async fn fetch(path: &str) -> Act {
    let forbidden = Rc::new(std::cell::Cell::new(false));
    let listener = {
        let forbidden = forbidden.clone();
        EventListener::once(&document(), "securitypolicyviolation", move |_| forbidden.set(true))
    };
    let answer = match Request::get(&format!("{MIRROR}{path}")).send().await {
        Ok(answer) if answer.ok() => answer.text().await.ok(),
        _ => None,
    };
    if answer.is_none() {
        // The event comes as a task of its own, after the refusal.
        TimeoutFuture::new(50).await;
    }
    drop(listener);
    match answer {
        Some(text) => Act::Take(path.to_owned(), text),
        None if forbidden.get() => Act::Fail(t().kernel_blocked.to_owned()),
        None => Act::Fail(t().kernel_failed.to_owned()),
    }
}
