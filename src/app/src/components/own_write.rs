//! "Write your own": the reader's bytes, file, call and image.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{File, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::narration::Message;
use super::sheet::SheetBox;
use crate::engine::{ImageInfo, OwnImage, OwnWrite, WriteCall};
use crate::player::{Command, use_send};
use crate::{files, t};
use view::number;

/// Most segments the kernel takes.
const SEGMENTS_MAX: usize = 1024;

/// Props of [`OwnWriteForm`].
#[derive(Properties, PartialEq)]
pub struct OwnWriteFormProps {
    /// The image taken last, if any.
    pub image: Option<Rc<ImageInfo>>,
    /// A message; the narration's slot is behind the sheet.
    pub notice: Option<Rc<view::frame::Notice>>,
}

/// Lengths out of a list like `700, 3100 2`. The bytes left over make the last segment.
///
/// # Errors
/// The entry that is no number, or that the list is longer than the bytes or has too many entries.
fn segments(text: &str, bytes: usize) -> Result<Vec<u64>, String> {
    let mut left = bytes as u64;
    let mut lens = Vec::new();
    for part in text.split([',', ' ', '\n']).filter(|part| !part.is_empty()) {
        let len: u64 = part.parse().map_err(|_| format!("{} {part}", t().not_a_number))?;
        left = left.checked_sub(len).ok_or_else(|| t().segments_too_long.to_owned())?;
        lens.push(len);
    }
    if left > 0 {
        lens.push(left);
    }
    if lens.len() > SEGMENTS_MAX { Err(t().segments_too_many.to_owned()) } else { Ok(lens) }
}

/// The value of the input or list an event comes from.
fn value_of(event: &Event) -> String {
    let Some(target) = event.target() else { return String::new() };
    match target.dyn_into::<HtmlInputElement>() {
        Ok(input) => input.value(),
        Err(target) => target.dyn_into::<HtmlSelectElement>().map(|select| select.value()).unwrap_or_default(),
    }
}

fn checked(event: &Event) -> bool {
    event.target_dyn_into::<HtmlInputElement>().is_some_and(|input| input.checked())
}

fn file_of(event: &Event) -> Option<File> {
    event.target_dyn_into::<HtmlInputElement>()?.files()?.get(0)
}

/// What the form holds before it is sent.
#[derive(Clone, PartialEq)]
struct Draft {
    form: OwnWrite,
    /// Segment lengths as typed.
    split: String,
    /// The file the bytes come from.
    dropped: Option<String>,
}

enum Edit {
    Form(fn(&mut OwnWrite, &Event), Event),
    Text(String),
    File(String, Vec<u8>),
    Split(String),
    Uploaded,
}

impl Reducible for Draft {
    type Action = Edit;

    fn reduce(self: Rc<Self>, edit: Edit) -> Rc<Self> {
        let mut next = (*self).clone();
        match edit {
            Edit::Form(apply, event) => apply(&mut next.form, &event),
            Edit::Text(text) => {
                next.form.bytes = Rc::new(text.into_bytes());
                next.dropped = None;
            }
            Edit::File(name, bytes) => {
                next.dropped = Some(name);
                next.form.bytes = Rc::new(bytes);
            }
            Edit::Split(text) => next.split = text,
            Edit::Uploaded => next.form.image = OwnImage::Uploaded,
        }
        Rc::new(next)
    }
}

/// The form in a sheet.
#[component]
pub fn OwnWriteForm(props: &OwnWriteFormProps) -> Html {
    let send = use_send();
    let draft = use_reducer(|| Draft { form: OwnWrite::default(), split: String::new(), dropped: None });
    let problem = use_state(String::new);
    let edit = draft.dispatcher();
    use_effect_with(props.image.clone(), {
        let edit = edit.clone();
        move |image: &Option<Rc<ImageInfo>>| {
            if image.is_some() {
                edit.dispatch(Edit::Uploaded);
            }
        }
    });
    let change = |apply: fn(&mut OwnWrite, &Event)| {
        let edit = edit.clone();
        Callback::from(move |event: Event| edit.dispatch(Edit::Form(apply, event)))
    };
    let take = {
        let edit = edit.clone();
        move |file: File| {
            let edit = edit.clone();
            files::read(file, move |name, bytes| edit.dispatch(Edit::File(name, bytes)));
        }
    };
    let ondrop = {
        let take = take.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            if let Some(file) = event.data_transfer().and_then(|data| data.files()).and_then(|list| list.get(0)) {
                take(file);
            }
        })
    };
    let ondragover = Callback::from(|event: DragEvent| event.prevent_default());
    let onfile = Callback::from(move |event: Event| {
        if let Some(file) = file_of(&event) {
            take(file);
        }
    });
    let ontext = {
        let edit = edit.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(area) = event.target_dyn_into::<HtmlTextAreaElement>() {
                edit.dispatch(Edit::Text(area.value()));
            }
        })
    };
    let onsplit = {
        let edit = edit.clone();
        Callback::from(move |event: Event| edit.dispatch(Edit::Split(value_of(&event))))
    };
    let onimage = {
        let send = send.clone();
        Callback::from(move |event: Event| {
            if let Some(file) = file_of(&event) {
                let send = send.clone();
                files::read(file, move |name, bytes| send.emit(Command::OpenImage(name, Rc::new(bytes))));
            }
        })
    };
    let onsubmit = {
        let (send, draft, problem) = (send.clone(), draft.clone(), problem.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let mut form = draft.form.clone();
            let lens = if form.call.has_segments() { segments(&draft.split, form.bytes.len()) } else { Ok(Vec::new()) };
            match lens {
                Ok(lens) => {
                    form.segments = lens;
                    problem.set(String::new());
                    send.emit(Command::RunOwn(Rc::new(form)));
                }
                Err(text) => problem.set(text),
            }
        })
    };
    let form = &draft.form;
    let size = format!("{} B", number(form.bytes.len() as u64));
    let size = draft.dropped.as_ref().map_or_else(|| size.clone(), |name| format!("{size} · {name}"));
    let text = if draft.dropped.is_some() { String::new() } else { String::from_utf8_lossy(&form.bytes).into_owned() };
    html! {
        <SheetBox class="own" title={t().own_long} on_close={move |()| send.emit(Command::CloseSheet)}>
            <Message notice={props.notice.clone()} />
            <form {onsubmit}>
                <fieldset>
                    <legend>{ t().own_bytes }</legend>
                    <label class="wide-field"><span>{ t().own_text }</span>
                        <textarea rows="3" autofocus={true} {ondrop} {ondragover} placeholder={t().own_placeholder} oninput={ontext} spellcheck="false" value={text} /></label>
                    <label><span>{ t().own_file_bytes }</span><input type="file" onchange={onfile} /></label>
                    <p class="hint" role="status">{ size }</p>
                </fieldset>
                <fieldset>
                    <legend>{ t().own_call }</legend>
                    <label><span>{ t().own_syscall }</span>
                        <select onchange={change(|form, event| {
                            let name = value_of(event);
                            form.call = WriteCall::ALL.into_iter().find(|call| call.name() == name).unwrap_or_default();
                        })}>
                            for call in WriteCall::ALL { <option key={call.name()} value={call.name()} selected={call == form.call}>{ call.name() }</option> }
                        </select></label>
                    <label><span>{ t().own_path }</span>
                        <input type="text" required={true} list="files" autocomplete="off" spellcheck="false" value={form.file.clone()} onchange={change(|form, event| form.file = value_of(event))} /></label>
                    <datalist id="files">
                        if let Some(image) = props.image.as_ref().filter(|_| form.image == OwnImage::Uploaded) {
                            for file in image.files.iter() { <option key={file.clone()} value={file.clone()} /> }
                        }
                    </datalist>
                    if form.call.has_offset() {
                        <label><span>{ t().own_offset }</span>
                            <input type="number" min="0" step="1" value={form.offset.to_string()} onchange={change(|form, event| form.offset = value_of(event).trim().parse().unwrap_or(form.offset))} /></label>
                    }
                    if form.call.has_segments() {
                        <label class="wide-field"><span>{ t().own_segments }</span>
                            <input type="text" placeholder="700, 3100" autocomplete="off" value={draft.split.clone()} onchange={onsplit} /></label>
                    }
                    <div class="checks">
                        { flag("O_CREAT", form.flags.create, change(|form, event| form.flags.create = checked(event))) }
                        { flag("O_APPEND", form.flags.append, change(|form, event| form.flags.append = checked(event))) }
                        { flag("O_TRUNC", form.flags.truncate, change(|form, event| form.flags.truncate = checked(event))) }
                    </div>
                    <p class="hint all">{ t().own_unmount }</p>
                </fieldset>
                { image_fields(form, props.image.as_deref(), change, onimage) }
                <p class="problem" role="alert">{ &*problem }</p>
                <p><button class="btn go" type="submit">{ t().own_run }</button></p>
            </form>
        </SheetBox>
    }
}

fn flag(label: &'static str, on: bool, onchange: Callback<Event>) -> Html {
    html! { <label class="check"><input type="checkbox" checked={on} {onchange} /><code>{ label }</code></label> }
}

fn image_fields(
    form: &OwnWrite,
    image: Option<&ImageInfo>,
    change: impl Fn(fn(&mut OwnWrite, &Event)) -> Callback<Event>,
    onimage: Callback<Event>,
) -> Html {
    let fresh = match form.image {
        OwnImage::Fresh { size_kib, block_size } => Some((size_kib, block_size)),
        OwnImage::Uploaded => None,
    };
    let uploaded =
        image.map_or_else(|| t().own_no_upload.to_owned(), |image| format!("{}: {}", image.name, image.text));
    html! {
        <fieldset>
            <legend>{ t().own_image }</legend>
            <div class="checks">
                <label class="check"><input type="radio" name="image" checked={fresh.is_some()} onchange={change(|form, _| form.image = OwnImage::default())} />{ t().own_fresh }</label>
                <label class="check"><input type="radio" name="image" checked={fresh.is_none()} disabled={image.is_none()} onchange={change(|form, _| form.image = OwnImage::Uploaded)} />{ uploaded }</label>
            </div>
            if let Some((size_kib, block_size)) = fresh {
                <label><span>{ t().own_size }</span>
                    <input type="number" min="1024" max="1048576" value={size_kib.to_string()} onchange={change(|form, event| {
                        if let (OwnImage::Fresh { size_kib, .. }, Ok(size)) = (&mut form.image, value_of(event).parse()) {
                            *size_kib = size;
                        }
                    })} /></label>
                <label><span>{ t().own_block_size }</span>
                    <select onchange={change(|form, event| {
                        if let (OwnImage::Fresh { block_size, .. }, Ok(size)) = (&mut form.image, value_of(event).parse()) {
                            *block_size = size;
                        }
                    })}>
                        for size in [1024u32, 2048, 4096] { <option key={size} value={size.to_string()} selected={size == block_size}>{ size }</option> }
                    </select></label>
            }
            <label><span>{ t().own_upload }</span><input type="file" onchange={onimage} /></label>
        </fieldset>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, bytes: usize, expect: Option<&[u64]>) {
        assert_eq!(segments(text, bytes).ok().as_deref(), expect, "{text} of {bytes}");
    }

    #[test]
    fn segment_lists() {
        check("", 10, Some(&[10]));
        check("700, 3100", 4000, Some(&[700, 3100, 200]));
        check("0 4", 4, Some(&[0, 4]));
        check("5", 4, None);
        check("x", 4, None);
        check("", 0, Some(&[]));
    }
}
