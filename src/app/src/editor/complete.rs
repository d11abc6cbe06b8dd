//! What can stand at the cursor of the JSON pane.

use super::json::Node;
use super::names;
use super::shape::{Field, Kind, Names, SCENARIO};

/// Offers at most.
const OFFERS_MAX: usize = 60;

/// What can be put in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offers {
    /// First byte that it takes the place of.
    pub from: usize,
    /// One past the last.
    pub to: usize,
    /// What is shown, and what is put there.
    pub all: Vec<(String, String)>,
}

/// Where the cursor is: what is open around it.
#[derive(Debug)]
enum Open {
    /// An object: the key whose value comes, and the keys before it.
    Object(Option<String>, Vec<String>),
    List(usize),
}

struct Place {
    open: Vec<Open>,
    /// Where the word under the cursor begins.
    from: usize,
    quoted: bool,
}

/// Reads up to the cursor. `None` where it makes no sense.
fn place(text: &str) -> Option<Place> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'{' => open.push(Open::Object(None, Vec::new())),
            b'[' => open.push(Open::List(0)),
            b'}' | b']' => {
                open.pop()?;
            }
            b',' => match open.last_mut()? {
                Open::Object(key, _) => *key = None,
                Open::List(n) => *n += 1,
            },
            b'"' => {
                let rest = &text[at + 1..];
                let mut escaped = false;
                let end = rest.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let Some(end) = end else { return Some(Place { open, from: at, quoted: true }) };
                if let Some(Open::Object(key @ None, known)) = open.last_mut() {
                    *key = Some(rest[..end].to_owned());
                    known.push(rest[..end].to_owned());
                }
                at += end + 1;
            }
            c if c.is_ascii_alphanumeric() => {
                let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(|end| at + end);
                let Some(end) = end else { return Some(Place { open, from: at, quoted: false }) };
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    Some(Place { open, from: at, quoted: false })
}

/// The part of the table that a place is about.
#[derive(Clone, Copy)]
enum Part {
    Fields(&'static [Field]),
    Kind(&'static Kind),
}

static SEGMENT: Kind = Kind::Object(&super::shape::SEGMENT);

fn inner(part: Part, open: &Open) -> Option<Part> {
    let fields = match part {
        Part::Fields(fields) => Some(fields),
        Part::Kind(Kind::Object(fields)) => Some(*fields),
        Part::Kind(_) => None,
    };
    match (open, part, fields) {
        (Open::Object(Some(key), _), _, Some(fields)) => {
            fields.iter().find(|field| field.key == key).map(|field| Part::Kind(&field.kind))
        }
        (Open::Object(Some(key), _), Part::Kind(Kind::Choice(choices)), None) => {
            choices.iter().find(|choice| choice.key == key).map(|choice| Part::Kind(&choice.kind))
        }
        (Open::List(_), Part::Kind(Kind::Items(item, _)), _) => Some(Part::Kind(item)),
        (Open::List(_), Part::Kind(Kind::Segments), _) => Some(Part::Kind(&SEGMENT)),
        _ => None,
    }
}

/// What can stand at byte `cursor` of `text`; `doc` and `sites` know the names.
#[must_use]
pub fn offers(text: &str, cursor: usize, doc: &Node, sites: &[&str], fresh: impl Fn(&str) -> String) -> Offers {
    let Some(before) = text.get(..cursor) else { return Offers::default() };
    let Some(place) = place(before) else { return Offers::default() };
    let Some((last, around)) = place.open.split_last() else { return Offers::default() };
    let Some(part) = around.iter().try_fold(Part::Fields(&SCENARIO), inner) else { return Offers::default() };
    let typed = before.get(place.from..).unwrap_or_default().trim_start_matches('"').to_owned();
    let mut all: Vec<(String, String)> = Vec::new();
    let quoted = |word: &str| (word.to_owned(), Node::text(word).flat());
    if let Open::Object(None, known) = last {
        match part {
            Part::Fields(_) | Part::Kind(Kind::Object(_)) => {
                let fields = if let Part::Kind(Kind::Object(fields)) = part { fields } else { &SCENARIO[..] };
                let free = fields.iter().filter(|field| !known.iter().any(|key| key == field.key));
                all.extend(
                    free.map(|field| (field.key.to_owned(), format!("\"{}\": {}", field.key, begin(&field.kind)))),
                );
            }
            Part::Kind(Kind::Choice(choices)) if known.is_empty() => {
                all.extend(
                    choices.iter().map(|one| (one.key.to_owned(), format!("\"{}\": {}", one.key, fresh(one.new)))),
                );
            }
            Part::Kind(_) => {}
        }
    } else {
        match inner(part, last) {
            Some(Part::Kind(Kind::Word(words))) => all.extend(words.iter().map(|word| quoted(word))),
            Some(Part::Kind(Kind::Words(words))) => {
                // The flags before the one being typed stay.
                let kept = typed.rfind(',').map_or("", |comma| &typed[..=comma]);
                let free = words.iter().filter(|word| !kept.split(',').any(|other| other == **word));
                all.extend(free.map(|word| quoted(&format!("{kept}{word}"))));
            }
            Some(Part::Kind(Kind::Size(sizes))) => {
                all.extend(sizes.iter().map(|size| ((*size).to_owned(), (*size).to_owned())));
            }
            Some(Part::Kind(Kind::Flag)) => all.push(("true".to_owned(), "true".to_owned())),
            Some(Part::Kind(Kind::Name(Names::Sites))) => all.extend(sites.iter().map(|site| quoted(site))),
            Some(Part::Kind(Kind::Name(which))) => all.extend(names(doc, *which).iter().map(|name| quoted(name))),
            Some(Part::Kind(Kind::Choice(choices))) if matches!(last, Open::List(_)) => {
                all.extend(
                    choices.iter().map(|one| (one.key.to_owned(), format!("{{\"{}\": {}}}", one.key, fresh(one.new)))),
                );
            }
            _ => {}
        }
    }
    let typed = typed.to_lowercase();
    all.retain(|offer| offer.0.to_lowercase().contains(&typed));
    all.sort_by_key(|offer| !offer.0.to_lowercase().starts_with(&typed));
    all.truncate(OFFERS_MAX);
    // An editor's closing quote goes with the word.
    let closing = place.quoted && text[cursor..].starts_with('"');
    Offers { from: place.from, to: cursor + usize::from(closing), all }
}

/// How a value begins.
fn begin(kind: &Kind) -> &'static str {
    match kind {
        Kind::Object(_) | Kind::Choice(_) => "{}",
        Kind::Items(..) | Kind::Segments | Kind::List => "[]",
        Kind::Text | Kind::Long | Kind::Word(_) | Kind::Words(_) | Kind::Name(_) => "\"\"",
        Kind::Number | Kind::Size(_) | Kind::Flag => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editor::json::parse;
    use crate::editor::shape::EMPTY;

    /// `|` is the cursor.
    fn found(text: &str) -> Vec<String> {
        let cursor = text.find('|').expect("a cursor");
        let text = text.replace('|', "");
        let doc = parse(EMPTY).expect("it is JSON");
        offers(&text, cursor, &doc, &["GPW_COPY", "GPW_EXIT"], str::to_owned)
            .all
            .into_iter()
            .map(|offer| offer.0)
            .collect()
    }

    #[test]
    fn keys() {
        assert_eq!(found("{\"version\": 1, \"titl|"), ["title"]);
        assert_eq!(found("{\"device\": {\"lat|\"}}"), ["latency_ms"]);
        assert_eq!(found("{\"tasks\": [{\"ops\": [{\"pwrite\": {\"fd\": \"f\", |"), ["off", "iov"]);
        assert_eq!(found("{\"tasks\": [{\"ops\": [{\"fsy|"), ["fsync"]);
        assert_eq!(found("{\"tasks\": [{\"ops\": [{\"race\": {\"ftr|"), ["ftruncate"]);
        assert_eq!(found("{\"tasks\": [{\"ops\": [{\"pwritev\": {\"iov\": [{\"b|"), ["buf"]);
    }

    #[test]
    fn values() {
        assert_eq!(found("{\"device\": {\"kind\": \"s|"), ["slow"]);
        assert_eq!(found("{\"image\": {\"mkfs\": {\"block_size\": 1|"), ["1024"]);
        assert_eq!(found("{\"tasks\": [{\"ops\": [{\"pwrite\": {\"fd\": |"), ["f"]);
        assert_eq!(found("{\"tasks\": [{\"ops\": [{\"open\": {\"flags\": \"RDWR,TR|"), ["RDWR,TRUNC"]);
        assert_eq!(found("{\"markers\": [{\"at\": {\"probe\": {\"site\": \"exit|"), ["GPW_EXIT"]);
        assert_eq!(found("{\"tasks\": [|").len(), 0);
        assert_eq!(found("|"), [] as [&str; 0]);
        assert_eq!(found("}}|"), [] as [&str; 0]);
    }
}
