//! The JSON Schema of scenarios as text.

use session::scenario::schema::{keys, schema};

/// `static/schema/scenario-1.json`.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// `static/schema/keys-1.json`, on one line.
#[must_use]
pub fn keys_text() -> String {
    format!("{}\n", keys())
}
