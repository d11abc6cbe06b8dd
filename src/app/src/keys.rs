//! Keys: one table for the page, and the arrow keys of tab lists.

use gloo::utils::document;
use js_sys::Array;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{
    Element, HtmlElement, IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit,
    ScrollIntoViewOptions, ScrollLogicalPosition,
};
use yew::KeyboardEvent;

use crate::debug::Ask;
use crate::player::{Command, Panel, Sheet};

/// How much of an element has to be in view for nothing to move: edges may lie between two pixels.
const IN_VIEW: f64 = 0.95;
/// What stays in view above and below a line of code, as `scroll-margin-block` in the style sheet.
const AROUND_LINE: &str = "-54px 0px";

/// What a key does: send a command, or move the focus.
#[derive(Clone, Debug)]
pub enum Action {
    /// A command.
    Send(Command),
    /// Focus the field that takes a step number.
    GoTo,
    /// Focus a panel.
    Focus(Option<Panel>, &'static str),
    /// Show the page without the browser around it, or end that.
    FullScreen,
    /// Type words to find in the steps.
    Find,
    /// Type an expression to watch.
    Watch,
    /// A breakpoint on the focused line's statement, or on that of the step.
    Break,
    /// Run to the focused line or frame of a stack, or back to it.
    Cursor(bool),
    /// Which step wrote the focused value.
    Origin,
    /// To the next (or previous) value of a list.
    Rove(bool),
    /// What a control of the page does, by its id.
    Press(&'static str),
}

/// What a key does on the page, with and without Shift. None: it is not ours.
#[must_use]
pub fn action(key: &str, shift: bool) -> Option<Action> {
    use Action::{Break, Cursor, Find, Focus, FullScreen, GoTo, Origin, Press, Rove, Send, Watch};
    let debug = |ask: Ask| Send(Command::Debug(ask));
    Some(match (key, shift) {
        ("ArrowRight", true) => Send(Command::Over),
        ("ArrowLeft", true) => Send(Command::OverBack),
        ("ArrowUp", true) => Send(Command::Out),
        ("ArrowDown", true) => Send(Command::OutBack),
        ("ArrowDown", false) => Rove(true),
        ("ArrowUp", false) => Rove(false),
        ("ArrowRight" | ".", _) => Send(Command::Next),
        ("ArrowLeft" | ",", _) => Send(Command::Back),
        ("n", _) => Send(Command::NextIteration),
        ("p", _) => Send(Command::PrevIteration),
        ("N", _) => Send(Command::NextCall),
        ("P", _) => Send(Command::PrevCall),
        ("c", _) => Cursor(false),
        ("C", _) => Cursor(true),
        ("t", _) => Press("follow"),
        ("r", _) => debug(Ask::Run),
        ("R", _) => debug(Ask::RunBack),
        ("[", _) => debug(Ask::Mark(false)),
        ("]", _) => debug(Ask::Mark(true)),
        ("a", _) => debug(Ask::Put(0)),
        ("b", _) => debug(Ask::Put(1)),
        ("d", _) => debug(Ask::Diff),
        ("w", _) => Watch,
        ("/", _) => Find,
        ("B", _) => Break,
        ("o", _) => Origin,
        (" ", false) => Send(Command::TogglePlay),
        ("Home", false) => Send(Command::First),
        ("End", false) => Send(Command::Last),
        ("e", _) => Send(Command::Open(Sheet::Edit)),
        ("?", _) => Send(Command::Open(Sheet::Help)),
        ("g", _) => GoTo,
        ("f", _) => FullScreen,
        ("1", _) => Focus(Some(Panel::Code), "panel-code"),
        ("2", _) => Focus(Some(Panel::Memory), "panel-mem"),
        ("3", _) => Focus(Some(Panel::Page), "panel-page"),
        ("4", _) => Focus(Some(Panel::Disk), "panel-disk"),
        ("5", _) => Focus(Some(Panel::Dirty), "panel-dirty"),
        ("6", _) => Focus(Some(Panel::Changes), "panel-changes"),
        ("7", _) => Focus(None, "timeline"),
        _ => return None,
    })
}

/// Whether `target` wants the key for itself: text fields always, controls for the keys they use.
#[must_use]
pub fn is_taken(target: &Element, key: &str) -> bool {
    if target.closest("dialog").ok().flatten().is_some() {
        return true;
    }
    let arrows = key.starts_with("Arrow") || key == "Home" || key == "End";
    // Up and down choose in a list or a row of radio buttons; left and right step there too, or whoever has just
    // picked a scenario and wants to step through it picks another.
    let sideways = key == "ArrowLeft" || key == "ArrowRight";
    match target.tag_name().to_ascii_lowercase().as_str() {
        "textarea" => true,
        "select" => !sideways,
        "input" => match target.get_attribute("type").as_deref() {
            Some("radio") => matches!(key, "ArrowUp" | "ArrowDown" | " "),
            Some("checkbox" | "button") => key == " ",
            _ => true,
        },
        "button" | "a" | "summary" => key == " " || (arrows && target.get_attribute("role").as_deref() == Some("tab")),
        _ => target.has_attribute("contenteditable"),
    }
}

/// Moves the focus to the element with this id.
pub fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id).and_then(|found| found.dyn_into::<HtmlElement>().ok()) {
        // An element that cannot take the focus keeps it where it is.
        let _ = element.focus();
    }
}

/// Does what a click on the element with this id would do, whether it is in sight or not.
pub fn press(id: &str) {
    if let Some(element) = document().get_element_by_id(id).and_then(|found| found.dyn_into::<HtmlElement>().ok()) {
        element.click();
    }
}

/// Brings an element into view without moving anything that is in view. The browser tells whether it is once it has laid the
/// page out: to ask it at once would have it do that twice.
pub fn into_view(selector: &'static str) {
    let find = || document().query_selector(selector).ok().flatten();
    let Some(element) = find() else { return };
    let look = Closure::once_into_js(move |entries: Array, observer: IntersectionObserver| {
        observer.disconnect();
        let entry = entries.get(0).dyn_into::<IntersectionObserverEntry>();
        if let (Ok(entry), Some(element)) = (entry, find())
            && entry.intersection_ratio() < IN_VIEW
        {
            let options = ScrollIntoViewOptions::new();
            options.set_block(ScrollLogicalPosition::Nearest);
            element.scroll_into_view_with_scroll_into_view_options(&options);
        }
    });
    let options = IntersectionObserverInit::new();
    if let Ok(Some(code)) = element.closest("#code-body") {
        options.set_root(Some(&code));
        options.set_root_margin(AROUND_LINE);
    }
    if let Ok(observer) = IntersectionObserver::new_with_options(look.unchecked_ref(), &options) {
        observer.observe(&element);
    }
}

/// Moves the focus to the next value of the list around `target`, or the one before; into the list at the step's own
/// line, if it has one. False where there is no list.
pub fn rove(target: &Element, forward: bool) -> bool {
    let Some(list) = target.closest("[data-rove]").ok().flatten() else { return false };
    let Ok(found) = list.query_selector_all("[data-path], [data-line]") else { return false };
    // A drawing's marks take the focus as elements of HTML do.
    let all: Vec<HtmlElement> = (0..found.length()).filter_map(|at| Some(found.get(at)?.unchecked_into())).collect();
    let at = all.iter().position(|each| each.is_same_node(Some(target)));
    let now = || all.iter().position(|each| each.closest(".now").is_ok_and(|now| now.is_some()));
    let to = match at {
        Some(at) if forward => at + 1,
        Some(at) => at.wrapping_sub(1),
        None => now().unwrap_or(if forward { 0 } else { all.len().wrapping_sub(1) }),
    };
    if let Some(element) = all.get(to) {
        // An element that cannot take the focus leaves it where it is.
        let _ = element.focus();
    }
    !all.is_empty()
}

/// An attribute of the element that has the focus, or else of the one under the pointer.
#[must_use]
pub fn asked_for(target: Option<&Element>, attribute: &str) -> Option<String> {
    let focused = target.and_then(|target| target.closest(&format!("[{attribute}]")).ok().flatten());
    let under = || {
        let found = document().query_selector_all(&format!("[{attribute}]:hover")).ok()?;
        found.get(found.length().checked_sub(1)?)?.dyn_into::<Element>().ok()
    };
    focused.or_else(under)?.get_attribute(attribute)
}

/// Where an arrow key moves in a list of `len` tabs; also keeps the page from acting on it.
pub fn roving(event: &KeyboardEvent, at: Option<usize>, len: usize) -> Option<usize> {
    if len == 0 || event.ctrl_key() || event.alt_key() || event.meta_key() || event.shift_key() {
        return None;
    }
    let at = at.unwrap_or(0);
    let to = match event.key().as_str() {
        "ArrowRight" | "ArrowDown" => (at + 1) % len,
        "ArrowLeft" | "ArrowUp" => (at + len - 1) % len,
        "Home" => 0,
        "End" => len - 1,
        _ => return None,
    };
    event.prevent_default();
    Some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, shift: bool, expect: &str) {
        let found = action(key, shift).map_or_else(|| "nothing".to_owned(), |action| format!("{action:?}"));
        assert_eq!(found, expect, "{key} {shift}");
    }

    #[test]
    fn the_table() {
        check("ArrowRight", false, "Send(Next)");
        check("ArrowRight", true, "Send(Over)");
        check("ArrowUp", true, "Send(Out)");
        check("ArrowUp", false, "Rove(false)");
        check("ArrowDown", true, "Send(OutBack)");
        check("R", true, "Send(Debug(RunBack))");
        check("o", false, "Origin");
        check(" ", false, "Send(TogglePlay)");
        check("3", false, "Focus(Some(Page), \"panel-page\")");
        check("/", false, "Find");
        check("z", false, "nothing");
    }
}
