//! Reads types from JSON and knows where it is: the path of an error, and of
//! each key that no type asked for.
//!
//! One deserializer over a parsed value. The usual wrappers around a parser,
//! `serde_path_to_error` and `serde_ignored`, compile every type once more for
//! each of them, 10 KiB (brotli) in the page, and leave an operation's name out
//! of the path. Of a key that stands twice the last is taken.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::big::BIG;
use super::reason::{PARSER_SAYS, reason};
use super::{Reason, Said, ScenarioError};

/// Reads a `T`; also gives the paths of the keys that it does not have.
pub(crate) fn from_str<T: DeserializeOwned>(json: &str) -> Result<(T, Vec<String>), ScenarioError> {
    let value: Value = serde_json::from_str(json).map_err(|error| not_json(&error))?;
    from_value(&value)
}

/// The same from a value.
pub(crate) fn from_value<T: DeserializeOwned>(value: &Value) -> Result<(T, Vec<String>), ScenarioError> {
    let place = RefCell::default();
    let read = T::deserialize(Node { value, place: &place });
    let place = place.into_inner();
    match read {
        Ok(read) => Ok((read, place.unknown)),
        Err(Fault(reason)) => {
            let path = place.text();
            Err(ScenarioError::new(if path.is_empty() { ".".to_owned() } else { path }, reason))
        }
    }
}

/// Where the reader is. A step is taken back only when what lies behind it was
/// read, so after an error the path is the error's.
#[derive(Default)]
struct Place<'de> {
    path: Vec<Step<'de>>,
    unknown: Vec<String>,
}

#[derive(Clone, Copy)]
enum Step<'de> {
    Key(&'de str),
    Index(usize),
}

impl Place<'_> {
    fn text(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Index(n) => _ = write!(out, "[{n}]"),
                Step::Key(key) if out.is_empty() => out.push_str(key),
                Step::Key(key) => _ = write!(out, ".{key}"),
            }
        }
        out
    }
}

/// A text that the JSON parser does not take.
pub(crate) fn not_json(error: &serde_json::Error) -> ScenarioError {
    let (line, column) = (error.line(), error.column());
    if error.is_eof() {
        return ScenarioError::new(
            ".",
            reason!("not JSON: the text ends too early, at line {}, column {}", line, column),
        );
    }
    let said = error.to_string();
    let what = said.split(" at line ").next().unwrap_or_default();
    let known = PARSER_SAYS.iter().find(|known| **known == what);
    let what = known.map_or_else(|| Said::Value(what.to_owned()), |known| Said::Word(known));
    ScenarioError::new(".", reason!("not JSON at line {}, column {}: {}", line, column, what))
}

#[derive(Debug)]
struct Fault(Reason);

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
impl std::error::Error for Fault {}
impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault(reason!("{}", message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Fault(reason!("{} stands here, and it has to be {}", kind(&found), wanted_kind(&wanted.to_string())))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        let value = match found {
            Unexpected::Unsigned(value) => value.to_string(),
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Str(value) => value.to_owned(),
            other => other.to_string(),
        };
        Fault(reason!("`{}` cannot stand here: it has to be {}", value, wanted_kind(&wanted.to_string())))
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Fault(reason!("`{}` is none of {}", found.to_owned(), known.join(", ")))
    }

    fn missing_field(key: &'static str) -> Self {
        Fault(reason!("the key `{}` is missing", key.to_owned()))
    }
}

/// What a value is, in JSON's words.
fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Unit => "null",
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) => "a number",
        Unexpected::Signed(_) => "a negative number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Str(_) => "a text",
        Unexpected::Seq => "a list",
        _ => "an object",
    }
}

/// What serde's words for a type mean in JSON.
fn wanted_kind(wanted: &str) -> Said {
    Said::Word(match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number from 0 to 2^64-1",
        "i64" => "a whole number from -2^63 to 2^63-1",
        BIG => BIG,
        "a string" | "variant identifier" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        ONE_KEY => ONE_KEY,
        _ => "an object",
    })
}

const ONE_KEY: &str = "a name, or an object with one key";

#[derive(Clone, Copy)]
struct Node<'de, 'p> {
    value: &'de Value,
    place: &'p RefCell<Place<'de>>,
}

impl<'de, 'p> Node<'de, 'p> {
    /// Reads a part; the path has its step meanwhile.
    fn inside<T>(
        &self,
        step: Step<'de>,
        value: &'de Value,
        read: impl FnOnce(Node<'de, 'p>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.place.borrow_mut().path.push(step);
        let read = read(Node { value, place: self.place })?;
        self.place.borrow_mut().path.pop();
        Ok(read)
    }

    fn unexpected(&self) -> Unexpected<'de> {
        match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Unexpected::Unsigned(number),
                (None, Some(number)) => Unexpected::Signed(number),
                (None, None) => Unexpected::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }

    fn object(&self, what: &str) -> Result<&'de Map<String, Value>, Fault> {
        self.value.as_object().ok_or_else(|| Fault::invalid_type(self.unexpected(), &what))
    }
}

impl<'de> Deserializer<'de> for Node<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items { node: self, items: items.iter(), index: 0 }),
            Value::Object(fields) => visitor.visit_map(Fields { node: self, fields: fields.iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let fields = self.object("an object")?;
        visitor.visit_map(Fields { node: self, fields: fields.iter(), value: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Value::String(name) = self.value {
            return visitor.visit_enum(Variant { node: self, name, value: None });
        }
        let object = self.object(ONE_KEY)?;
        let mut fields = object.iter();
        match (fields.next(), fields.next()) {
            (Some((name, value)), None) => visitor.visit_enum(Variant { node: self, name, value: Some(value) }),
            _ => Err(Fault(reason!("this has {} keys, and it has to have one", object.len()))),
        }
    }

    /// Asked for by a struct when it has no field of that name.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let mut place = self.place.borrow_mut();
        let path = place.text();
        place.unknown.push(path);
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier
    }
}

struct Items<'de, 'p> {
    node: Node<'de, 'p>,
    items: std::slice::Iter<'de, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.items.next() else { return Ok(None) };
        self.index += 1;
        self.node.inside(Step::Index(self.index - 1), value, |node| seed.deserialize(node)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'de, 'p> {
    node: Node<'de, 'p>,
    fields: serde_json::map::Iter<'de>,
    value: Option<(&'de str, &'de Value)>,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some((key, value));
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) = self.value.take().expect("a value is asked for after its key");
        self.node.inside(Step::Key(key), value, |node| seed.deserialize(node))
    }
}

struct Variant<'de, 'p> {
    node: Node<'de, 'p>,
    name: &'de str,
    value: Option<&'de Value>,
}

impl<'de> Variant<'de, '_> {
    fn content(&self) -> Result<&'de Value, Fault> {
        self.value.ok_or_else(|| {
            Fault(reason!("`{}` is an object with one key, and its fields behind it", self.name.to_owned()))
        })
    }
}

impl<'de> EnumAccess<'de> for Variant<'de, '_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        Ok((seed.deserialize(StrDeserializer::new(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        if self.value.is_none() {
            Ok(())
        } else {
            Err(Fault(reason!("`{}` is a plain text, not an object", self.name.to_owned())))
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.node.inside(Step::Key(self.name), self.content()?, |node| seed.deserialize(node))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.node.inside(Step::Key(self.name), self.content()?, |node| node.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.node.inside(Step::Key(self.name), self.content()?, |node| node.deserialize_struct("", &[], visitor))
    }
}
