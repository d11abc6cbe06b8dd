//! Why a scenario is refused: an English sentence and its values, apart, so
//! that another language can say it too.

use std::fmt;

/// A sentence with `{}` for each value. The sentence is also its name in a
/// catalogue of another language (docs/decisions/0007).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The sentence.
    pub english: &'static str,
    /// What stands in its places, in order.
    pub values: Vec<Said>,
}

/// A value in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A word of ours, which another language says otherwise.
    Word(&'static str),
    /// What the scenario holds, or a number.
    Value(String),
    /// A whole message of a crate below, in English.
    Message(String),
}

impl From<&'static str> for Said {
    fn from(word: &'static str) -> Self {
        Said::Word(word)
    }
}

macro_rules! values {
    ($($Type:ty)*) => {$(
        impl From<$Type> for Said {
            fn from(value: $Type) -> Self {
                Said::Value(value.to_string())
            }
        }
    )*};
}
values!(String &String u32 u64 usize i64);

impl From<&'static str> for Reason {
    fn from(english: &'static str) -> Self {
        Reason { english, values: Vec::new() }
    }
}

/// Says the reason in English.
impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values = self.values.iter();
        for (n, piece) in self.english.split("{}").enumerate() {
            match if n == 0 { None } else { values.next() } {
                Some(Said::Word(word)) => out.write_str(word)?,
                Some(Said::Value(value) | Said::Message(value)) => out.write_str(value)?,
                None => {}
            }
            out.write_str(piece)?;
        }
        Ok(())
    }
}

/// `reason!("{} bytes do not fit", len)`.
macro_rules! reason {
    ($english:literal $(, $value:expr)* $(,)?) => {
        $crate::scenario::Reason {
            english: $english,
            values: vec![$($crate::scenario::Said::from($value)),*],
        }
    };
}
pub(crate) use reason;

/// What the JSON parser finds wrong with a text that does not end too early.
pub(super) const PARSER_SAYS: [&str; 17] = [
    "expected `:`",
    "expected `,` or `]`",
    "expected `,` or `}`",
    "expected `\"`",
    "expected ident",
    "expected value",
    "invalid escape",
    "invalid number",
    "number out of range",
    "invalid unicode code point",
    "control character (\\u0000-\\u001F) found while parsing a string",
    "key must be a string",
    "unexpected end of hex escape",
    "lone leading surrogate in hex escape",
    "trailing comma",
    "trailing characters",
    "recursion limit exceeded",
];
