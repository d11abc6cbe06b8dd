//! The form side: one field, group or list for each row of `editor::shape`.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::segments::Segments;
use crate::components::icon::{Glyph, Icon};
use crate::editor::draft::{Change, Problem};
use crate::editor::json::{Node, Value, join};
use crate::editor::names;
use crate::editor::shape::{Choice, Field, Kind, Names, SCENARIO};
use crate::t;

/// Items of a list that are drawn; what comes after them is in the JSON.
const ITEMS_MAX: usize = 200;
/// Largest number that JavaScript holds exactly; those above are decimal strings.
const EXACT_MAX: u64 = 1 << 53;

/// Props of [`Form`].
#[derive(Properties, PartialEq)]
pub struct FormProps {
    /// The document.
    pub doc: Rc<Node>,
    /// What is wrong with it.
    pub problem: Option<Rc<Problem>>,
    /// The text beside it is no JSON: nothing can be changed here.
    pub locked: bool,
    /// Files of the image that was taken.
    pub files: Vec<String>,
    /// Names of all probes.
    pub sites: Rc<Vec<&'static str>>,
    /// Takes a change.
    pub on_change: Callback<Change>,
    /// A file was chosen for the buffer with this path.
    pub on_file: Callback<(String, web_sys::File)>,
    /// An image was chosen.
    pub on_image: Callback<web_sys::File>,
}

/// Groups of keys, each under a heading.
const SECTIONS: [&[&str]; 6] = [
    &["title", "text", "question"],
    &["image", "mount"],
    &["device", "memory_mib", "vm", "op_gap_ms"],
    &["buffers"],
    &["tasks"],
    &["interventions", "markers"],
];

/// The form.
#[component]
pub fn Form(props: &FormProps) -> Html {
    let headings = [t().ed_about, t().own_image, t().ed_machine, t().ed_buffers, t().ed_tasks, t().ed_interventions];
    let section = |(keys, heading): (&[&str], &'static str)| {
        let fields = SCENARIO.iter().filter(|field| keys.contains(&field.key));
        html! {
            <section class="ed-section">
                <h3>{ heading }</h3>
                { for fields.map(|field| props.field(field, "")) }
            </section>
        }
    };
    let list = |which: Names| {
        let found = match which {
            Names::Sites => props.sites.iter().map(|site| (*site).to_owned()).collect(),
            Names::Files => props.files.clone(),
            _ => names(&props.doc, which),
        };
        html! { <datalist id={which.id()}>{ for found.into_iter().map(|name| html! { <option value={name} /> }) }</datalist> }
    };
    html! {
        <form class="ed-form" onsubmit={|event: SubmitEvent| event.prevent_default()} autocomplete="off">
            <fieldset disabled={props.locked}>
                <legend class="vh">{ t().ed_form }</legend>
                { for SECTIONS.into_iter().zip(headings).map(section) }
                { for Names::ALL.into_iter().map(list) }
            </fieldset>
        </form>
    }
}

/// The word for a key; what is a word of the kernel stays as it is.
fn word(key: &'static str) -> &'static str {
    match key {
        "title" => t().ed_title,
        "text" => t().ed_text,
        "question" => t().ed_question,
        "en" => t().ed_en,
        "ko" => t().ed_ko,
        "image" => t().own_image,
        "mount" => t().ed_mount,
        "device" => t().ed_device,
        "memory_mib" => t().ed_memory,
        "vm" => t().ed_vm,
        "op_gap_ms" => t().ed_gap,
        "size_mib" => t().ed_size,
        "block_size" => t().own_block_size,
        "features" => t().ed_features,
        "latency_ms" => t().ed_latency,
        "bandwidth_kib_s" => t().ed_bandwidth,
        "queue_depth" => t().ed_depth,
        "name" => t().ed_name,
        "kind" => t().ed_kind,
        "len" => t().ed_len,
        "off" => t().own_offset,
        "fill" => t().ed_fill,
        "setup" => t().ed_setup,
        "ops" => t().ed_ops,
        "path" => t().own_path,
        "fd" => t().ed_fd,
        "buf" => t().ed_buffer,
        "buffers" => t().ed_buffers,
        "tasks" => t().ed_tasks,
        "interventions" => t().ed_key_interventions,
        "markers" => t().ed_markers,
        "faults" => t().ed_faults,
        "at" => t().ed_at,
        "do" => t().ed_do,
        "iov" => t().ed_segments,
        "task" => t().task,
        "io" => t().ed_key_io,
        "of" => t().ed_key_of,
        "sector" => t().ed_key_sector,
        "sectors" => t().ed_key_sectors,
        "skip" => t().ed_key_skip,
        "times" => t().ed_key_times,
        "flags" => t().ed_key_flags,
        "mode" => t().ed_key_mode,
        "rwf" => t().ed_key_rwf,
        "whence" => t().ed_key_whence,
        "advice" => t().ed_key_advice,
        "prot" => t().ed_key_prot,
        "sharing" => t().ed_key_sharing,
        "seed" => t().ed_key_seed,
        "hex" => t().ed_key_hex,
        "base64" => t().ed_key_base64,
        "typed" => t().ed_key_typed,
        "from" => t().ed_key_from,
        "to" => t().ed_key_to,
        "action" => t().ed_key_action,
        "rfd" => t().ed_key_rfd,
        "wfd" => t().ed_key_wfd,
        "in" => t().ed_key_in,
        "inoff" => t().ed_key_inoff,
        "out" => t().ed_key_out,
        "outoff" => t().ed_key_outoff,
        "ms" => t().ed_key_ms,
        "value" => t().ed_key_value,
        "signal" => t().ed_key_signal,
        "bytes" => t().ed_key_bytes,
        "uid" => t().ed_key_uid,
        "how" => t().ed_key_how,
        "op" => t().ed_key_op,
        "iteration" => t().ed_key_iteration,
        "retry" => t().ed_key_retry,
        "site" => t().ed_key_site,
        "nth" => t().ed_key_nth,
        "step" => t().ed_key_step,
        "what" => t().ed_key_what,
        "label" => t().ed_key_label,
        "cluster_size" => t().ed_key_cluster_size,
        "reserved_percent" => t().ed_key_reserved_percent,
        "inode_ratio" => t().ed_key_inode_ratio,
        "inodes" => t().ed_key_inodes,
        "journal_mib" => t().ed_key_journal_mib,
        "uuid" => t().ed_key_uuid,
        "sha256" => t().ed_key_sha256,
        "stable_writes" => t().ed_key_stable_writes,
        "strict_limit" => t().ed_key_strict_limit,
        "page_limit" => t().ed_key_page_limit,
        _ => key,
    }
}

/// The text of the control an event comes from.
fn text_of(event: &Event) -> String {
    let Some(target) = event.target() else { return String::new() };
    let target = match target.dyn_into::<HtmlInputElement>() {
        Ok(input) => return input.value(),
        Err(other) => other,
    };
    match target.dyn_into::<HtmlTextAreaElement>() {
        Ok(area) => area.value(),
        Err(other) => other.dyn_into::<HtmlSelectElement>().map(|select| select.value()).unwrap_or_default(),
    }
}

/// What was typed as JSON; nothing if it is empty and may be.
fn typed(kind: &Kind, text: &str, may_miss: bool) -> Option<Node> {
    if text.is_empty() && may_miss {
        return None;
    }
    Some(match kind {
        Kind::Number | Kind::Size(_) => {
            let number = text.trim().parse::<i128>().ok();
            match number {
                Some(number) if number.unsigned_abs() <= u128::from(EXACT_MAX) => {
                    Value::Bare(number.to_string()).into()
                }
                _ => Node::text(text.trim()),
            }
        }
        Kind::List => Value::List(text.split_whitespace().map(Node::text).collect()).into(),
        _ => Node::text(text),
    })
}

impl FormProps {
    /// What is wrong here, and the id of its words.
    fn bad(&self, path: &str) -> Option<&str> {
        self.problem.as_ref().filter(|problem| problem.path == path).map(|problem| problem.reason.as_str())
    }

    fn bad_text(&self, path: &str) -> Html {
        html! { if let Some(reason) = self.bad(path) { <small class="ed-bad" id="ed-reason">{ reason }</small> } }
    }

    fn sets(&self, path: &str, kind: &'static Kind, may_miss: bool) -> Callback<Event> {
        let (path, on_change) = (path.to_owned(), self.on_change.clone());
        Callback::from(move |event: Event| {
            on_change.emit(match typed(kind, &text_of(&event), may_miss) {
                Some(node) => Change::Set(path.clone(), node),
                None => Change::Remove(path.clone()),
            });
        })
    }

    fn field(&self, field: &'static Field, around: &str) -> Html {
        let path = join(around, field.key);
        self.place(&field.kind, &path, field.key, field.absent)
    }

    /// Whatever stands at a path.
    fn place(&self, kind: &'static Kind, path: &str, key: &'static str, absent: Option<&'static str>) -> Html {
        let node = self.doc.at(path);
        match kind {
            Kind::Object(fields) if key == "title" || key == "text" || key == "question" || key == "label" => {
                self.words(fields, path, key)
            }
            Kind::Object(fields) => html! {
                <div class="ed-group" role="group" aria-label={word(key)}>
                    <span class="ed-key" aria-hidden="true">{ word(key) }</span>
                    <div class="ed-row">{ for fields.iter().map(|field| self.field(field, path)) }{ self.bad_text(path) }</div>
                </div>
            },
            Kind::Items(item, new) => self.items(item, new, path, key),
            Kind::Choice(choices) => self.choice(choices, path, key, absent.is_some()),
            Kind::Segments => html! {
                <div class="ed-wide"><Segments doc={self.doc.clone()} path={path.to_owned()} problem={self.problem.clone()} on_change={self.on_change.clone()} />{ self.bad_text(path) }</div>
            },
            Kind::Words(words) => self.flags(words, path, key, node),
            Kind::Flag => {
                let (at, on_change) = (path.to_owned(), self.on_change.clone());
                let onchange = Callback::from(move |event: Event| {
                    let on = event.target_dyn_into::<HtmlInputElement>().is_some_and(|input| input.checked());
                    on_change.emit(if on {
                        Change::Set(at.clone(), Value::Bare("true".into()).into())
                    } else {
                        Change::Remove(at.clone())
                    });
                });
                let checked = node.is_some_and(|node| node.flat() == "true");
                html! { <label class="check"><input type="checkbox" id={id(path)} {checked} {onchange} />{ word(key) }{ self.bad_text(path) }</label> }
            }
            _ => self.control(kind, path, key, absent),
        }
    }

    /// A text in one language or more: the second one only where there is one.
    fn words(&self, fields: &'static [Field], path: &str, key: &'static str) -> Html {
        html! {
            for field in fields.iter().filter(|field| field.key == "en" || self.doc.at(&join(path, field.key)).is_some()) {
                { self.control(&field.kind, &join(path, field.key), if field.key == "en" { key } else { field.key }, field.absent.or(Some("")).filter(|_| key != "title")) }
            }
        }
    }

    /// One labelled control.
    fn control(&self, kind: &'static Kind, path: &str, key: &'static str, absent: Option<&'static str>) -> Html {
        let node = self.doc.at(path);
        let shown = match (kind, node) {
            (Kind::List, Some(node)) => node.items().iter().map(Node::shown).collect::<Vec<_>>().join(" "),
            (_, node) => node.map(Node::shown).unwrap_or_default(),
        };
        let set = self.sets(path, kind, absent.is_some());
        let oninput = set.reform(|event: InputEvent| event.into());
        let bad = self.bad(path).is_some();
        let (invalid, described) = (bad.then_some("true"), bad.then_some("ed-reason"));
        let placeholder = absent.unwrap_or_default();
        let rows = shown.lines().map(|line| line.len() / 72 + 1).sum::<usize>().clamp(1, 6).to_string();
        let control = match kind {
            Kind::Word(words) | Kind::Size(words) => {
                let known = words.contains(&shown.as_str()) || shown.is_empty();
                html! {
                    <select id={id(path)} onchange={set} aria-invalid={invalid} aria-describedby={described}>
                        if absent.is_some() || shown.is_empty() { <option value="" selected={shown.is_empty()}>{ format!("({placeholder})") }</option> }
                        if !known { <option value={shown.clone()} selected={true}>{ &shown }</option> }
                        for word in words.iter() { <option key={*word} value={*word} selected={*word == shown}>{ *word }</option> }
                    </select>
                }
            }
            Kind::Long => html! {
                <textarea id={id(path)} autofocus={path == "title.en"} {rows} {oninput} {placeholder} aria-invalid={invalid} aria-describedby={described} spellcheck="false" value={shown} />
            },
            _ => {
                let list = if let Kind::Name(which) = kind { Some(which.id()) } else { None };
                let mode = matches!(kind, Kind::Number).then_some("numeric");
                html! {
                    <input type="text" id={id(path)} inputmode={mode} {list} {oninput} {placeholder} aria-invalid={invalid} aria-describedby={described} spellcheck="false" value={shown} />
                }
            }
        };
        let class = match kind {
            Kind::Long | Kind::List => "ed-f wide-field",
            Kind::Number | Kind::Size(_) => "ed-f num",
            _ => "ed-f",
        };
        html! { <label {class}><span>{ word(key) }</span>{ control }{ self.bad_text(path) }</label> }
    }

    /// Flags with commas between: what is set stands in the line, all are below it.
    fn flags(&self, words: &'static [&'static str], path: &str, key: &'static str, node: Option<&Node>) -> Html {
        let shown = node.map(Node::shown).unwrap_or_default();
        let set: Vec<String> = shown.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let check = |word: &&'static str| {
            let (word, set) = (*word, set.clone());
            let checked = set.iter().any(|other| other == word);
            let (path, on_change) = (path.to_owned(), self.on_change.clone());
            let onchange = Callback::from(move |_: Event| {
                let mut next: Vec<String> = set.iter().filter(|other| *other != word).cloned().collect();
                if !checked {
                    next.push(word.to_owned());
                }
                on_change.emit(Change::Set(path.clone(), Node::text(&next.join(","))));
            });
            html! { <label class="check" key={word}><input type="checkbox" {checked} {onchange} /><code>{ word }</code></label> }
        };
        html! {
            <details class="ed-flags">
                <summary id={id(path)} aria-describedby={self.bad(path).map(|_| "ed-reason")}>{ word(key) }{ " " }<code>{ &shown }</code></summary>
                <div class="checks" role="group" aria-label={word(key)}>{ for words.iter().map(check) }</div>
                { self.bad_text(path) }
            </details>
        }
    }

    /// An object with one key of several: a list to choose it from, and what belongs to it.
    fn choice(&self, choices: &'static [Choice], path: &str, key: &'static str, may_miss: bool) -> Html {
        let node = self.doc.at(path);
        let now = node.and_then(|node| node.fields().first()).map(|field| field.0.as_str()).unwrap_or_default();
        let found = choices.iter().find(|choice| choice.key == now);
        let (at, on_change) = (path.to_owned(), self.on_change.clone());
        let onchange = Callback::from(move |event: Event| {
            let wanted = text_of(&event);
            on_change.emit(match choices.iter().find(|choice| choice.key == wanted) {
                Some(choice) => Change::Choose(at.clone(), choice.key, choice.new),
                None => Change::Remove(at.clone()),
            });
        });
        let content = found.map(|choice| {
            let path = join(path, choice.key);
            match &choice.kind {
                Kind::Object(fields) => html! { { for fields.iter().map(|field| self.field(field, &path)) } },
                Kind::Choice(inner) => self.choice(inner, &path, choice.key, false),
                // Beside a scenario's own text, which is what it shows.
                kind => self.control(kind, &path, if choice.key == "text" { "typed" } else { choice.key }, None),
            }
        });
        let bad = self.bad(path).is_some();
        html! {
            <div class="ed-row">
                <label class="ed-f"><span>{ word(key) }</span>
                    <select class="m" id={id(path)} {onchange} aria-invalid={bad.then_some("true")} aria-describedby={bad.then_some("ed-reason")}>
                        if found.is_none() || may_miss { <option value="" selected={found.is_none()}>{ if now.is_empty() { "–" } else { now } }</option> }
                        for choice in choices { <option key={choice.key} value={choice.key} selected={choice.key == now}>{ choice.key }</option> }
                    </select></label>
                { content }
                if key == "image" { { self.image_file() } }
                if key == "fill" { { self.fill_file(path) } }
                { self.bad_text(path) }
                { found.map(|choice| self.bad_text(&join(path, choice.key))) }
            </div>
        }
    }

    fn image_file(&self) -> Html {
        let on_image = self.on_image.clone();
        file_field(t().own_upload, Callback::from(move |file| on_image.emit(file)))
    }

    fn fill_file(&self, path: &str) -> Html {
        let on_file = self.on_file.clone();
        let buffer = path.strip_suffix(".fill").unwrap_or(path).to_owned();
        file_field(t().own_file_bytes, Callback::from(move |file| on_file.emit((buffer.clone(), file))))
    }

    /// A list: its items, each with what can be done to it, and a way to one more.
    fn items(&self, item: &'static Kind, new: &'static str, path: &str, key: &'static str) -> Html {
        let count = self.doc.at(path).map(|node| node.items().len()).unwrap_or_default();
        // A scenario has one program.
        let more = key != "tasks" || count == 0;
        let one = |n: usize| {
            let at = format!("{path}[{n}]");
            let inner = match item {
                Kind::Object(fields) => {
                    html! { <div class="ed-row">{ for fields.iter().map(|field| self.field(field, &at)) }</div> }
                }
                Kind::Choice(choices) => self.choice(choices, &at, "do", false),
                kind => self.control(kind, &at, key, None),
            };
            html! {
                <li key={n}>
                    <div class="ed-item" role="group" aria-label={at.clone()}>
                        <span class="ed-n" aria-hidden="true">{ n }</span>
                        <div class="ed-in">{ inner }{ self.bad_text(&at) }</div>
                        <span class="ed-tools">
                            { self.tool(Glyph::Up, t().ed_up, &at, (n > 0).then(|| Change::Move(path.to_owned(), n, true))) }
                            { self.tool(Glyph::Down, t().ed_down, &at, (n + 1 < count).then(|| Change::Move(path.to_owned(), n, false))) }
                            { self.tool(Glyph::Copy, t().ed_copy, &at, more.then(|| Change::Copy(path.to_owned(), n))) }
                            { self.tool(Glyph::Close, t().ed_remove, &at, Some(Change::Remove(at.clone()))) }
                        </span>
                    </div>
                </li>
            }
        };
        let add = {
            let (path, on_change) = (path.to_owned(), self.on_change.clone());
            move |_: MouseEvent| on_change.emit(Change::Push(path.clone(), new))
        };
        let inner = key == "setup" || key == "ops" || key == "faults" || key == "markers" || key == "interventions";
        html! {
            <div class="ed-list ed-wide" role="group" aria-label={word(key)}>
                if inner { <span class="ed-key" aria-hidden="true">{ word(key) }</span> }
                <ol>{ for (0..count.min(ITEMS_MAX)).map(one) }</ol>
                if count > ITEMS_MAX { <p class="hint">{ format!("+{} {}", count - ITEMS_MAX, t().ed_more) }</p> }
                { self.bad_text(path) }
                if more { <button class="btn edge" type="button" id={format!("add:{path}")} onclick={add}>{ "+ " }{ word(key) }</button> }
            </div>
        }
    }

    fn tool(&self, glyph: Glyph, label: &'static str, at: &str, change: Option<Change>) -> Html {
        let on_change = self.on_change.clone();
        let disabled = change.is_none();
        let onclick = move |_: MouseEvent| {
            if let Some(change) = change.clone() {
                on_change.emit(change);
            }
        };
        html! { <button class="btn" type="button" {disabled} aria-label={format!("{label} {at}")} title={label} {onclick}><Icon {glyph} /></button> }
    }
}

/// The id of the control at a path.
#[must_use]
pub fn id(path: &str) -> String {
    format!("at:{path}")
}

fn file_field(label: &'static str, on_file: Callback<web_sys::File>) -> Html {
    let onchange = Callback::from(move |event: Event| {
        let file =
            event.target_dyn_into::<HtmlInputElement>().and_then(|input| input.files()).and_then(|files| files.get(0));
        if let Some(file) = file {
            on_file.emit(file);
        }
    });
    html! { <label class="ed-f"><span>{ label }</span><input type="file" {onchange} /></label> }
}
