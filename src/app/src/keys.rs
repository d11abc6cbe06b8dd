//! Keys: one table for the page, and the arrow keys of tab lists.

use gloo::utils::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::KeyboardEvent;

use crate::player::{Command, Panel, Sheet};

/// What a key does: send a command, or move the focus.
#[derive(Debug)]
pub enum Action {
    /// A command.
    Send(Command),
    /// Focus the field that takes a step number.
    GoTo,
    /// Focus a panel.
    Focus(Option<Panel>, &'static str),
    /// Show the page without the browser around it, or end that.
    FullScreen,
}

/// What a key does on the page, with and without Shift. None: it is not ours.
#[must_use]
pub fn action(key: &str, shift: bool) -> Option<Action> {
    use Action::{Focus, FullScreen, GoTo, Send};
    Some(match (key, shift) {
        ("ArrowRight", true) => Send(Command::Over),
        ("ArrowLeft", true) => Send(Command::OverBack),
        ("ArrowUp", true) => Send(Command::Out),
        ("ArrowRight" | ".", _) => Send(Command::Next),
        ("ArrowLeft" | ",", _) => Send(Command::Back),
        ("n", _) => Send(Command::NextIteration),
        ("p", _) => Send(Command::PrevIteration),
        (" ", false) => Send(Command::TogglePlay),
        ("Home", false) => Send(Command::First),
        ("End", false) => Send(Command::Last),
        ("e", _) => Send(Command::Open(Sheet::Own)),
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
        check("ArrowUp", false, "nothing");
        check(" ", false, "Send(TogglePlay)");
        check("3", false, "Focus(Some(Page), \"panel-page\")");
        check("z", false, "nothing");
    }
}
