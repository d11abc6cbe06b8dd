//! A language besides English: what stands for each English text, and the way to put values into it.
//!
//! English is in the code, as the key; another language is a file, fetched when it is wanted. See
//! `docs/decisions/0007-korean-is-a-file.md`.

use std::borrow::Cow;
use std::cell::Cell;

use session::expr::ExprError;
use session::scenario::{Reason, Said, ScenarioError};

use super::josa::josa;
use super::labels::{ENGLISH, Labels};
use super::message::message;
use crate::tr;

/// The texts of a language, by their English.
///
/// One page speaks one language, and a catalogue lives as long as the page: that lets a text of it stand wherever a
/// text of the code does.
#[derive(Debug)]
pub struct Catalogue {
    /// Sorted.
    entries: Vec<(&'static str, &'static str)>,
    labels: Labels,
}

/// A catalogue that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadCatalogue {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

thread_local! {
    static SPOKEN: Cell<Option<&'static Catalogue>> = const { Cell::new(None) };
}

/// From here on texts are those of a catalogue; `None` is English.
pub fn speak(catalogue: Option<&'static Catalogue>) {
    SPOKEN.set(catalogue);
}

/// True if the page speaks Korean.
#[must_use]
pub fn is_korean() -> bool {
    SPOKEN.get().is_some()
}

/// The pairs of the catalogue spoken.
pub(super) fn entries() -> &'static [(&'static str, &'static str)] {
    SPOKEN.get().map_or(&[], |catalogue| &catalogue.entries)
}

/// Words of buttons, headings and messages.
#[must_use]
pub fn labels() -> &'static Labels {
    SPOKEN.get().map_or(&ENGLISH, |catalogue| &catalogue.labels)
}

/// A text of the language spoken. What the catalogue lacks stays English.
#[must_use]
pub fn word(english: &str) -> &str {
    SPOKEN.get().and_then(|catalogue| catalogue.find(english)).unwrap_or(english)
}

impl Catalogue {
    /// Reads a catalogue: pairs of lines, the English and the other one, with blank lines between, and lines that begin
    /// with `#` for its readers.
    ///
    /// # Errors
    /// A line stands alone, a text is twice there, or a place for a value is not written as `{0}` or `{0:은/는}`.
    pub fn parse(text: String) -> Result<&'static Self, BadCatalogue> {
        let text: &'static str = String::leak(text);
        let mut entries = Vec::new();
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        while let Some((n, english)) = lines.next() {
            if english.is_empty() {
                continue;
            }
            let bad = |reason| BadCatalogue { line: n + 1, reason };
            let Some((_, other)) = lines.next().filter(|(_, line)| !line.is_empty()) else {
                return Err(bad("it has no translation below it"));
            };
            if holes(other).is_none() {
                return Err(bad("a place for a value is written wrongly"));
            }
            entries.push((english, other));
        }
        entries.sort_unstable();
        if entries.is_sorted_by(|a, b| a.0 < b.0) {
            let find = |english| find(&entries, english).unwrap_or(english);
            let labels = ENGLISH.translated(&find);
            Ok(Box::leak(Box::new(Self { entries, labels })))
        } else {
            Err(BadCatalogue { line: 0, reason: "a text is there twice" })
        }
    }

    /// What stands for an English text.
    #[must_use]
    pub fn find(&self, english: &str) -> Option<&'static str> {
        find(&self.entries, english)
    }

    /// The pairs, sorted by their English.
    #[must_use]
    pub fn entries(&self) -> &[(&'static str, &'static str)] {
        &self.entries
    }
}

fn find(entries: &[(&'static str, &'static str)], english: &str) -> Option<&'static str> {
    entries.binary_search_by_key(&english, |entry| entry.0).ok().map(|at| entries[at].1)
}

/// Numbers of the values that a translation uses, in its order; none if a place is written wrongly.
#[must_use]
pub fn holes(text: &str) -> Option<Vec<usize>> {
    let hole = |part: &str| {
        let inside = part.split_once('}')?.0;
        let (number, pair) = inside.split_once(':').unwrap_or((inside, "/"));
        pair.contains('/').then_some(())?;
        number.parse().ok()
    };
    text.split('{').skip(1).map(hole).collect()
}

/// A value inside a text. A word of the code is said in the language spoken; what the run made stands as it is.
pub trait Part {
    /// As it is said.
    fn said(&self) -> Cow<'_, str>;
}

impl Part for &str {
    fn said(&self) -> Cow<'_, str> {
        Cow::Borrowed(word(self))
    }
}

impl Part for &String {
    fn said(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl Part for String {
    fn said(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl Part for Said {
    fn said(&self) -> Cow<'_, str> {
        match self {
            Said::Word(word) => word.said(),
            Said::Value(value) => Cow::Borrowed(value),
            Said::Message(english) => Cow::Owned(message(english)),
        }
    }
}

/// Why a scenario is refused, with the path of what is at fault.
#[must_use]
pub fn refusal(error: &ScenarioError) -> String {
    format!("{}: {}", error.path, reason(&error.reason))
}

/// What is wrong with an expression.
#[must_use]
pub fn expression_fault(error: &ExprError) -> String {
    tr!("at character {}: expected {}, found {}", error.at + 1, reason(&error.expected), reason(&error.found))
}

/// The reason of a refusal without the path.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    let parts: Vec<&dyn Part> = reason.values.iter().map(|value| value as &dyn Part).collect();
    fill(reason.english, &parts)
}

macro_rules! numbers {
    ($($number:ty)*) => { $(
        impl Part for $number {
            fn said(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }

        impl Part for &$number {
            fn said(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }
    )* };
}

numbers!(u8 u16 u32 u64 usize i32);

/// `english` in the language spoken, with values for its `{}`s. Use [`tr!`](crate::tr).
#[must_use]
pub fn fill(english: &str, parts: &[&dyn Part]) -> String {
    let spoken = SPOKEN.get().and_then(|catalogue| catalogue.find(english));
    let text = spoken.unwrap_or(english);
    let mut out = String::with_capacity(text.len() + 16 * parts.len());
    let mut pieces = text.split('{');
    out.push_str(pieces.next().unwrap_or_default());
    for (n, piece) in pieces.enumerate() {
        let (inside, rest) = piece.split_once('}').unwrap_or((piece, ""));
        let (number, pair) = inside.split_once(':').unwrap_or((inside, ""));
        if let Some(part) = parts.get(number.parse().unwrap_or(n)) {
            let said = part.said();
            out.push_str(&said);
            out.push_str(josa(&said, pair));
        }
        out.push_str(rest);
    }
    out
}

/// `{}`s in an English text.
#[must_use]
pub const fn count_holes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut n, mut i) = (0, 0);
    while i < bytes.len() {
        if bytes[i] == b'{' {
            n += 1;
        }
        i += 1;
    }
    n
}

/// A text of the language spoken: its English, which is also its name in a catalogue, and values for its `{}`s.
#[macro_export]
macro_rules! tr {
    (@one $part:expr) => {
        1
    };
    ($english:literal $(, $part:expr)* $(,)?) => {{
        const { assert!($crate::text::count_holes($english) == 0 $(+ $crate::tr!(@one $part))*) };
        $crate::text::fill($english, &[$(&$part),*])
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bad(text: &str, line: usize) {
        let error = Catalogue::parse(text.to_owned()).expect_err("it is bad");
        assert_eq!(error.line, line, "{error}");
    }

    #[test]
    fn texts_are_filled() {
        let text = "# a note\n{} calls {}.\n{1:을/를} {0:이/가} 호출한다.\n\npage {}\n페이지 {0}\n\nread\n읽기\n\nClose\n닫기\n";
        let catalogue = Catalogue::parse(text.to_owned()).expect("it is good");
        let say = || tr!("{} calls {}.", tr!("page {}", 3_u64), "read");
        assert_eq!(say(), "page 3 calls read.");
        speak(Some(catalogue));
        assert_eq!(say(), "읽기를 페이지 3이 호출한다.");
        assert_eq!((labels().close, labels().code), ("닫기", "Code"));
        assert_eq!(word("nowhere"), "nowhere");
        speak(None);
        assert_eq!(say(), "page 3 calls read.");
    }

    #[test]
    fn a_bad_catalogue_says_where() {
        check_bad("one\n하나\n\ntwo\n", 4);
        check_bad("one\n\n하나\n", 1);
        check_bad("{} one\n{0:은} 하나\n", 1);
        check_bad("{} one\n{0 하나\n", 1);
        check_bad("one\n하나\n\none\n둘\n", 0);
    }

    #[test]
    fn holes_of_a_translation() {
        assert_eq!(holes("{1:은/는} {0}"), Some(vec![1, 0]));
        assert_eq!(holes("없다"), Some(vec![]));
        assert_eq!(holes("{은/는}"), None);
    }
}
