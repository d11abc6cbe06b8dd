//! Messages of the crates below, which speak English only.

use super::catalogue::{Part, entries, fill, is_korean, word};

/// Bytes of a text that say which it is: less, and any message would fit it.
const TELLING: usize = 8;

/// A message in the language spoken: by the text of the catalogue that it fits best, else part by part between its
/// colons. Names and numbers stay.
#[must_use]
pub fn message(english: &str) -> String {
    if !is_korean() || word(english) != english {
        return word(english).to_owned();
    }
    let texts = entries().iter().map(|(text, _)| *text).filter(|text| telling(text) >= TELLING);
    if let Some((text, values)) = best(texts, english) {
        let values: Vec<String> = values.into_iter().map(message).collect();
        let parts: Vec<&dyn Part> = values.iter().map(|value| value as &dyn Part).collect();
        return fill(text, &parts);
    }
    match english.split_once(": ") {
        Some((head, tail)) => format!("{}: {}", message(head), message(tail)),
        None => english.to_owned(),
    }
}

/// Bytes of a text beside its values.
fn telling(text: &str) -> usize {
    text.len() - 2 * text.matches("{}").count()
}

/// The text with values that a message fits best, and these values.
pub(super) fn best<'a, 'b>(texts: impl Iterator<Item = &'a str>, message: &'b str) -> Option<(&'a str, Vec<&'b str>)> {
    texts.filter_map(|text| Some((text, values(text, message)?))).max_by_key(|(text, _)| telling(text))
}

/// What stands in a message where a text has its `{}`s.
fn values<'a>(text: &str, message: &'a str) -> Option<Vec<&'a str>> {
    let (first, rest) = text.split_once("{}")?;
    let mut left = message.strip_prefix(first)?;
    let mut values = Vec::new();
    let mut pieces = rest.split("{}").peekable();
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_none() {
            left.strip_suffix(piece)?.len()
        } else {
            left.find(piece).filter(|_| !piece.is_empty())?
        };
        values.push(&left[..end]);
        left = &left[end + piece.len()..];
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Catalogue, speak};

    #[test]
    fn a_message_is_told_by_what_it_fits() {
        let text = "{} MiB: an image has {} to {}\n{0} MiB: 이미지는 {1}에서 {2}까지다\n\nno task is called `{}`\n{0:이라는/라는} 태스크가 없다\n\nmust not be 0\n0이면 안 된다\n";
        speak(Some(Catalogue::parse(text.to_owned()).expect("it is good")));
        for (english, korean) in [
            (
                "image.mkfs.size_mib: 999 MiB: an image has 2 to 512",
                "image.mkfs.size_mib: 999 MiB: 이미지는 2에서 512까지다",
            ),
            ("tasks[0]: no task is called `B1`", "tasks[0]: B1이라는 태스크가 없다"),
            ("x.times: must not be 0", "x.times: 0이면 안 된다"),
            ("something else", "something else"),
        ] {
            assert_eq!(message(english), korean);
        }
        speak(None);
        assert_eq!(message("x: must not be 0"), "x: must not be 0");
    }
}
