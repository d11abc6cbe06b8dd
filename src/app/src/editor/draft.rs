//! The scenario being written: one text, its tree, what is wrong with it, and the way back.

use std::rc::Rc;

use yew::Reducible;

use super::json::{self, Node, Value};
use super::shape::Names;

/// Texts kept to go back to.
const UNDO_MAX: usize = 300;
/// Changes at one place so close to each other are one, ms.
const ONE_CHANGE_MS: f64 = 900.0;

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where; `.` for the whole.
    pub path: String,
    /// Why.
    pub reason: String,
    /// Its line, from 1.
    pub line: usize,
}

/// Whether the text is a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// Not looked at since the last change.
    Pending,
    /// It is.
    Good,
    /// It is not.
    Bad(Rc<Problem>),
}

/// A change made in the form.
#[derive(Clone, Debug)]
pub enum Change {
    /// Put a value at a path.
    Set(String, Node),
    /// Several at once.
    SetAll(Vec<(String, Node)>),
    /// Take a part away.
    Remove(String),
    /// Put one more at the end of a list. `$b` and its like are replaced.
    Push(String, &'static str),
    /// Make it another choice: the path of the choice, the key, the JSON of a new one.
    Choose(String, &'static str, &'static str),
    /// Move an item of a list by one: up is `true`.
    Move(String, usize, bool),
    /// Put a copy of an item behind it.
    Copy(String, usize),
}

/// What can be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// The text was typed, at this time in ms.
    Type(String, f64),
    /// The form was used, at this time in ms.
    Form(Change, f64),
    /// Another scenario takes its place.
    Replace(String),
    /// The text of a check, and what came of it.
    Checked(Rc<str>, Option<Problem>),
    /// Back.
    Undo,
    /// And on again.
    Redo,
}

/// The state.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The JSON.
    pub text: Rc<str>,
    /// The tree of the last text that was JSON.
    pub doc: Rc<Node>,
    /// The text is JSON: `doc` is its tree.
    pub sound: bool,
    /// Whether it is a scenario.
    pub checked: Checked,
    undo: Vec<Rc<str>>,
    redo: Vec<Rc<str>>,
    /// Where and when the last change was made.
    last: (String, f64),
}

impl PartialEq for Draft {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.checked == other.checked
    }
}

impl Draft {
    /// A draft of a text.
    #[must_use]
    pub fn new(json: &str) -> Self {
        let text = json::parse(json).map_or_else(|_| json.to_owned(), |node| node.pretty());
        let mut draft = Self {
            text: Rc::from(""),
            doc: Rc::new(Value::Object(Vec::new()).into()),
            sound: true,
            checked: Checked::Pending,
            undo: Vec::new(),
            redo: Vec::new(),
            last: (String::new(), 0.0),
        };
        draft.show(Rc::from(text));
        draft
    }

    /// There is a change to take back.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    /// There is a change to make again.
    #[must_use]
    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// What is wrong, if something is.
    #[must_use]
    pub fn problem(&self) -> Option<&Rc<Problem>> {
        if let Checked::Bad(problem) = &self.checked { Some(problem) } else { None }
    }

    fn show(&mut self, text: Rc<str>) {
        let parsed = json::parse(&text);
        self.sound = parsed.is_ok();
        if let Ok(doc) = parsed {
            self.doc = Rc::new(doc);
        }
        self.text = text;
        self.checked = Checked::Pending;
    }

    /// A new text; changes at one place in a short time are one.
    fn write(&mut self, text: Rc<str>, place: &str, now_ms: f64) {
        if text == self.text {
            return;
        }
        let joined = !place.is_empty() && self.last.0 == place && now_ms - self.last.1 < ONE_CHANGE_MS;
        if !joined || self.undo.is_empty() {
            self.undo.push(Rc::clone(&self.text));
            if self.undo.len() > UNDO_MAX {
                self.undo.remove(0);
            }
        }
        self.redo.clear();
        self.last = (place.to_owned(), now_ms);
        self.show(text);
    }

    fn change(doc: &mut Node, change: &Change) -> Option<()> {
        match change {
            Change::Set(path, value) => *doc.at_mut(path)? = value.clone(),
            Change::SetAll(values) => {
                for (path, value) in values {
                    *doc.at_mut(path)? = value.clone();
                }
            }
            Change::Remove(path) => doc.remove(path),
            Change::Push(path, new) => {
                let item = fresh(doc, new)?;
                let list = doc.at_mut(path)?;
                if let Value::List(items) = &mut list.value {
                    items.push(item);
                } else {
                    list.value = Value::List(vec![item]);
                }
            }
            Change::Choose(path, key, new) => {
                let mut content = fresh(doc, new)?;
                let old = doc.at_mut(path)?;
                // What both have in common stays.
                let before = old.fields().first().map(|field| field.1.clone());
                if let (Value::Object(fields), Some(before)) = (&mut content.value, before) {
                    for (key, value) in fields {
                        if let Some(kept) = before.at(key) {
                            value.clone_from(kept);
                        }
                    }
                }
                old.value = Value::Object(vec![((*key).to_owned(), content)]);
            }
            Change::Move(path, at, up) => {
                let Value::List(items) = &mut doc.at_mut(path)?.value else { return None };
                let to = if *up { at.checked_sub(1)? } else { at + 1 };
                if to >= items.len() {
                    return None;
                }
                items.swap(*at, to);
            }
            Change::Copy(path, at) => {
                let Value::List(items) = &mut doc.at_mut(path)?.value else { return None };
                items.insert(at + 1, items.get(*at)?.clone());
            }
        }
        Some(())
    }
}

/// The JSON of something new, with names that stand in this document.
#[must_use]
pub fn fresh(doc: &Node, new: &str) -> Option<Node> {
    let first = |list: &str, key: &str| doc.at(list)?.items().first()?.at(key).map(Node::shown);
    let quoted = |name: Option<String>, other: &str| {
        let text = Node::text(&name.unwrap_or_else(|| other.to_owned())).flat();
        text[1..text.len() - 1].to_owned()
    };
    let len = first("buffers", "len").filter(|len| len.parse::<u64>().is_ok());
    let text = new
        .replace("$b", &quoted(first("buffers", "name"), "b"))
        .replace("$n", &len.unwrap_or_else(|| "1".to_owned()))
        .replace("$f", &quoted(super::names(doc, Names::Fds).into_iter().next(), "f"))
        .replace("$t", &quoted(first("tasks", "name"), "A"));
    json::parse(&text).ok()
}

/// Bytes that a fill gives; none for one that gives any number.
fn fill_len(fill: &Node) -> Option<usize> {
    let (kind, content) = fill.fields().first()?;
    let content = content.shown();
    let signs = content.chars().filter(|c| !c.is_ascii_whitespace()).count();
    match kind.as_str() {
        "text" => Some(content.len()),
        "hex" => Some(signs / 2),
        "base64" => Some((signs / 4 * 3).saturating_sub(content.matches('=').count())),
        _ => None,
    }
}

/// A buffer that was as long as its fill stays so when the fill changes, and so do the segments that took all of it.
fn lengths_follow(before: &Node, after: &mut Node) {
    let count = before.at("buffers").map_or(0, |buffers| buffers.items().len());
    for n in 0..count {
        let path = format!("buffers[{n}]");
        let (Some(old), Some(new)) = (before.at(&path), after.at(&path)) else { continue };
        let (Some(name), Some(len)) = (new.at("name").cloned(), old.at("len").cloned()) else { continue };
        let (old_fill, new_fill) = (old.at("fill"), new.at("fill"));
        if old_fill == new_fill || old.at("name") != Some(&name) {
            continue;
        }
        let was_full = old_fill.and_then(fill_len).is_some_and(|bytes| bytes.max(1).to_string() == len.flat());
        let wanted = new_fill.and_then(fill_len).filter(|_| was_full).map(|bytes| bytes.max(1).to_string());
        let wanted = wanted.map_or_else(|| new.at("len").cloned(), |bytes| Some(Value::Bare(bytes).into()));
        let Some(wanted) = wanted.filter(|wanted| *wanted != len) else { continue };
        if let Some(place) = after.at_mut(&format!("{path}.len")) {
            *place = wanted.clone();
        }
        whole_segments(after, &name, &len, &wanted);
    }
}

fn whole_segments(node: &mut Node, name: &Node, len: &Node, wanted: &Node) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| whole_segments(item, name, len, wanted)),
        Value::Object(fields) => {
            let is = |key: &str, value: &Node| fields.iter().any(|field| field.0 == key && field.1 == *value);
            let begins_later = fields.iter().any(|field| field.0 == "off" && field.1.flat() != "0");
            if is("buf", name) && is("len", len) && !begins_later {
                fields.iter_mut().filter(|field| field.0 == "len").for_each(|field| field.1 = wanted.clone());
            }
            fields.iter_mut().for_each(|field| whole_segments(&mut field.1, name, len, wanted));
        }
        Value::Bare(_) | Value::Text(_) => {}
    }
}

impl Reducible for Draft {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut next = (*self).clone();
        match action {
            Action::Type(text, now) => next.write(Rc::from(text), "json", now),
            Action::Form(change, now) => {
                let mut doc = (*self.doc).clone();
                if !self.sound || Self::change(&mut doc, &change).is_none() {
                    return self;
                }
                lengths_follow(&self.doc, &mut doc);
                let place = if let Change::Set(path, _) = &change { path.clone() } else { String::new() };
                next.write(Rc::from(doc.pretty()), &place, now);
            }
            Action::Replace(text) => {
                let text = json::parse(&text).map_or(text, |node| node.pretty());
                next.write(Rc::from(text), "", 0.0);
            }
            Action::Checked(text, problem) => {
                if text == self.text {
                    next.checked = problem.map_or(Checked::Good, |problem| Checked::Bad(Rc::new(problem)));
                }
            }
            Action::Undo => {
                let Some(text) = next.undo.pop() else { return self };
                next.redo.push(Rc::clone(&self.text));
                next.last.0.clear();
                next.show(text);
            }
            Action::Redo => {
                let Some(text) = next.redo.pop() else { return self };
                next.undo.push(Rc::clone(&self.text));
                next.last.0.clear();
                next.show(text);
            }
        }
        Rc::new(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::shape::EMPTY;

    fn empty() -> Draft {
        Draft::new(EMPTY)
    }

    fn after(actions: Vec<Action>) -> Rc<Draft> {
        actions.into_iter().fold(Rc::new(empty()), Reducible::reduce)
    }

    fn form(change: Change) -> Action {
        Action::Form(change, 0.0)
    }

    fn at(draft: &Draft, path: &str) -> String {
        draft.doc.at(path).map(Node::flat).unwrap_or_default()
    }

    #[test]
    fn a_change_in_the_form_is_a_change_of_the_text() {
        let draft = after(vec![form(Change::Set("mount".into(), Node::text("dax")))]);
        assert!(draft.text.contains("\"mount\": \"dax\""));
        let draft = draft.reduce(Action::Undo);
        assert_eq!(*draft, empty());
        assert!(!draft.can_undo());
        assert!(draft.reduce(Action::Redo).text.contains("dax"));
    }

    #[test]
    fn lists() {
        let push = || form(Change::Push("tasks[0].ops".into(), "{\"fsync\": {\"fd\": \"$f\"}}"));
        let draft = after(vec![push(), form(Change::Move("tasks[0].ops".into(), 2, true))]);
        assert_eq!(at(&draft, "tasks[0].ops[1]"), "{\"fsync\": {\"fd\": \"f\"}}");
        let draft = draft.reduce(form(Change::Copy("tasks[0].ops".into(), 1)));
        assert_eq!(at(&draft, "tasks[0].ops[2]"), "{\"fsync\": {\"fd\": \"f\"}}");
        let draft =
            draft.reduce(form(Change::Choose("tasks[0].ops[2]".into(), "ftruncate", "{\"fd\": \"$f\", \"len\": 0}")));
        assert_eq!(at(&draft, "tasks[0].ops[2]"), "{\"ftruncate\": {\"fd\": \"f\", \"len\": 0}}");
        let draft = draft.reduce(form(Change::Remove("tasks[0].ops[2]".into())));
        assert_eq!(draft.doc.at("tasks[0].ops").map(|ops| ops.items().len()), Some(3));
    }

    #[test]
    fn quick_changes_at_one_place_are_one() {
        let set = |text: &str, now| Action::Form(Change::Set("title.en".into(), Node::text(text)), now);
        let draft = after(vec![set("a", 1000.0), set("ab", 1300.0), set("abc", 5000.0)]);
        let draft = draft.reduce(Action::Undo);
        assert_eq!(at(&draft, "title.en"), "\"ab\"");
        assert_eq!(*draft.reduce(Action::Undo), empty());
    }

    #[test]
    fn a_longer_text_makes_its_buffer_longer() {
        let set = |text: &str| form(Change::Set("buffers[0].fill.text".into(), Node::text(text)));
        let draft = after(vec![set("한글")]);
        assert_eq!(at(&draft, "buffers[0].len"), "6");
        assert_eq!(at(&draft, "tasks[0].ops[0].pwrite.iov[0].len"), "6");
        let draft = draft.reduce(form(Change::Set("buffers[0].len".into(), Value::Bare("9".into()).into())));
        let draft = draft.reduce(set("a"));
        assert_eq!(at(&draft, "buffers[0].len"), "9");
    }

    #[test]
    fn the_form_waits_while_the_text_is_no_json() {
        let draft = after(vec![Action::Type("{".into(), 0.0)]);
        assert!(!draft.sound);
        assert_eq!(draft.clone().reduce(form(Change::Remove("image".into()))), draft);
        assert!(draft.doc.at("image").is_some());
    }
}
