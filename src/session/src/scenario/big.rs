//! Integers that JavaScript may have to hold: over 2^53 as decimal strings.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

/// The largest integer up to which every integer is a double.
const EXACT_MAX: u64 = 1 << 53;

/// What it has to be.
pub(super) const BIG: &str = "a number from 0 to 2^64-1, over 2^53 as a decimal string";

/// For `serde(with)`.
pub(super) struct Big;

impl Big {
    pub(super) fn serialize<S: Serializer>(value: &u64, out: S) -> Result<S::Ok, S::Error> {
        if *value <= EXACT_MAX { out.serialize_u64(*value) } else { out.collect_str(value) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = u64;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(BIG)
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
                Ok(value)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
                text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_any(Either)
    }
}
