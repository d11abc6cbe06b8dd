//! JSON as a person wrote it: keys keep their order, numbers their digits, and each value knows its line.
//!
//! `serde_json::Value` forgets all three, so a change made in the form would shuffle the text beside it.

use std::fmt::Write as _;

/// A value and the line it begins in.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Counted from 1; 0 if it was not read from a text.
    pub line: usize,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `true`, `false` or a number, as written.
    Bare(String),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object, in the order of its keys.
    Object(Vec<(String, Node)>),
}

impl PartialEq for Node {
    /// Where it stands does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self { value, line: 0 }
    }
}

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 64;
/// Columns that a value on one line may take.
const WIDTH: usize = 96;

/// Reads a text.
///
/// # Errors
/// The line of what is no JSON.
pub fn parse(text: &str) -> Result<Node, usize> {
    let mut reader = Reader { text, at: 0, line: 1, depth: 0 };
    let node = reader.value().ok_or(reader.line)?;
    reader.blanks();
    if reader.at == text.len() { Ok(node) } else { Err(reader.line) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.line += usize::from(self.peek() == Some(b'\n'));
            self.at += 1;
        }
    }

    /// Takes a sign, after blanks.
    fn takes(&mut self, sign: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Option<Node> {
        self.blanks();
        let line = self.line;
        let value = match self.peek()? {
            b'{' => self.inside(Self::object)?,
            b'[' => self.inside(Self::list)?,
            b'"' => Value::Text(self.string()?),
            _ => Value::Bare(self.bare()?),
        };
        Some(Node { value, line })
    }

    fn inside(&mut self, read: fn(&mut Self) -> Option<Value>) -> Option<Value> {
        self.at += 1;
        self.depth += 1;
        let value = if self.depth <= DEPTH_MAX { read(self) } else { None };
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Option<Value> {
        let mut items = Vec::new();
        if self.takes(b']') {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.takes(b']') {
                return Some(Value::List(items));
            }
            self.takes(b',').then_some(())?;
        }
    }

    fn object(&mut self) -> Option<Value> {
        let mut fields = Vec::new();
        if self.takes(b'}') {
            return Some(Value::Object(fields));
        }
        loop {
            self.blanks();
            let key = self.string()?;
            self.takes(b':').then_some(())?;
            fields.push((key, self.value()?));
            if self.takes(b'}') {
                return Some(Value::Object(fields));
            }
            self.takes(b',').then_some(())?;
        }
    }

    fn string(&mut self) -> Option<String> {
        let rest = self.text.get(self.at..)?.strip_prefix('"')?;
        let mut escaped = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends || c == '\n'
        })?;
        // The parser of the session knows all escapes.
        let whole = self.text.get(self.at..self.at + end + 2)?;
        let text = serde_json::from_str(whole).ok()?;
        self.at += end + 2;
        Some(text)
    }

    fn bare(&mut self) -> Option<String> {
        let rest = self.text.get(self.at..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        serde_json::from_str::<serde_json::Value>(word).ok()?;
        self.at += end;
        Some(word.to_owned())
    }
}

/// A step of a path: a key, or a place in a list.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty())
}

/// The path of a part: `tasks[0]` and `name` give `tasks[0].name`.
#[must_use]
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Node {
    /// A string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Value::Text(text.to_owned()).into()
    }

    fn step(&self, step: &str) -> Option<&Self> {
        match &self.value {
            Value::List(items) => items.get(step.parse::<usize>().ok()?),
            // Of a key that stands twice the last counts.
            Value::Object(fields) => fields.iter().rev().find(|field| field.0 == step).map(|field| &field.1),
            _ => None,
        }
    }

    /// The value at a path.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        steps(path).try_fold(self, Self::step)
    }

    /// The line of a path, or of the nearest value around it.
    #[must_use]
    pub fn line_of(&self, path: &str) -> usize {
        let mut node = self;
        for step in steps(path) {
            match node.step(step) {
                Some(inner) => node = inner,
                None => break,
            }
        }
        node.line
    }

    /// The value at a path, to change; objects on the way are made.
    pub fn at_mut(&mut self, path: &str) -> Option<&mut Self> {
        let mut node = self;
        for step in steps(path) {
            if !matches!(node.value, Value::List(_) | Value::Object(_)) {
                node.value = Value::Object(Vec::new());
            }
            node = match &mut node.value {
                Value::List(items) => items.get_mut(step.parse::<usize>().ok()?)?,
                Value::Object(fields) => {
                    let at = fields.iter().rposition(|field| field.0 == step).unwrap_or(fields.len());
                    if at == fields.len() {
                        fields.push((step.to_owned(), Value::Object(Vec::new()).into()));
                    }
                    &mut fields.get_mut(at)?.1
                }
                _ => return None,
            };
        }
        Some(node)
    }

    /// Takes a part away, and objects that are empty then and stood around it. A list keeps its place.
    pub fn remove(&mut self, path: &str) {
        let cut = path.rfind(['.', '[']);
        let (around, last) = cut.map_or(("", path), |cut| (&path[..cut], path[cut + 1..].trim_end_matches(']')));
        if self.at(around).is_none() {
            return;
        }
        let Some(node) = self.at_mut(around) else { return };
        match &mut node.value {
            Value::List(items) => {
                if let Some(at) = last.parse::<usize>().ok().filter(|at| *at < items.len()) {
                    items.remove(at);
                }
            }
            Value::Object(fields) => {
                fields.retain(|field| field.0 != last);
                // `{"mend": {}}` means something in a list; an empty `vm` does not.
                if fields.is_empty() && !around.is_empty() && !around.ends_with(']') {
                    self.remove(around);
                }
            }
            _ => {}
        }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// The fields of an object; none of anything else.
    #[must_use]
    pub fn fields(&self) -> &[(String, Self)] {
        if let Value::Object(fields) = &self.value { fields } else { &[] }
    }

    /// What a field of the form shows.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Text(text) | Value::Bare(text) => text.clone(),
            Value::List(_) | Value::Object(_) => self.flat(),
        }
    }

    /// On one line.
    #[must_use]
    pub fn flat(&self) -> String {
        let mut out = String::new();
        self.write_flat(&mut out);
        out
    }

    fn write_flat(&self, out: &mut String) {
        match &self.value {
            Value::Bare(word) => out.push_str(word),
            Value::Text(text) => quote(text, out),
            Value::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    item.write_flat(out);
                }
                out.push(']');
            }
            Value::Object(fields) => {
                out.push('{');
                for (n, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" });
                    quote(key, out);
                    out.push_str(": ");
                    value.write_flat(out);
                }
                out.push('}');
            }
        }
    }

    /// As people write it: what fits stands on one line.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, indent: usize, column: usize) {
        let flat = self.flat();
        let parts = match &self.value {
            Value::List(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if parts == 0 || (indent > 0 && column + flat.len() <= WIDTH) {
            out.push_str(&flat);
            return;
        }
        let list = matches!(self.value, Value::List(_));
        out.push(if list { '[' } else { '{' });
        for n in 0..parts {
            let _ = write!(out, "{}\n{:2$}", if n > 0 { "," } else { "" }, "", indent + 2);
            match &self.value {
                Value::List(items) => items[n].write(out, indent + 2, indent + 2),
                Value::Object(fields) => {
                    quote(&fields[n].0, out);
                    out.push_str(": ");
                    fields[n].1.write(out, indent + 2, indent + 6 + fields[n].0.len());
                }
                _ => {}
            }
        }
        let _ = write!(out, "\n{:1$}{2}", "", indent, if list { ']' } else { '}' });
    }
}

fn quote(text: &str, out: &mut String) {
    // A string always has its JSON.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        parse(text).expect("it is JSON")
    }

    #[test]
    fn order_and_digits_stay() {
        let text = "{\n  \"z\": 1.50,\n  \"a\": [true, null, \"\\u00e9\\n\"]\n}\n";
        assert_eq!(node(text).pretty(), text.replace("\\u00e9", "é"));
    }

    #[test]
    fn every_scenario_of_the_library_comes_back() {
        for group in session::library::groups() {
            for entry in group.scenarios {
                let scenario = session::library::scenario(&entry.name).expect("it is in the list");
                let text = session::scenario::emit(&scenario);
                let pretty = node(&text).pretty();
                assert_eq!(session::scenario::parse_strict(&pretty), Ok(scenario), "{}", entry.name);
                assert_eq!(node(&pretty), node(&text), "{}", entry.name);
            }
        }
    }

    #[test]
    fn what_is_no_json_has_its_line() {
        for (text, line) in [("", 1), ("{\n\"a\": 1,\n}", 3), ("[1\n2]", 2), ("{} x", 1), ("\"a\nb\"", 1), ("[01]", 1)]
        {
            assert_eq!(parse(text).map(|node| node.flat()), Err(line), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn paths() {
        let text = "{\n\"tasks\": [\n{\"ops\": [\n{\"sync\": {}}]}]}";
        let mut doc = node(text);
        assert_eq!(doc.at("tasks[0].ops[0].sync").map(Node::flat).as_deref(), Some("{}"));
        assert_eq!(doc.line_of("tasks[0].ops[0].sync.fd"), 4);
        *doc.at_mut("vm.dirty_ratio").expect("it is made") = Value::Bare("5".into()).into();
        assert_eq!(doc.at("vm").map(Node::flat).as_deref(), Some("{\"dirty_ratio\": 5}"));
        doc.remove("vm.dirty_ratio");
        assert!(doc.at("vm").is_none());
        doc.remove("tasks[0].ops[0]");
        doc.remove("nothing.here");
        assert_eq!(doc.flat(), "{\"tasks\": [{\"ops\": []}]}");
    }
}
