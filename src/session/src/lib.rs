//! The `session` crate.
#![forbid(unsafe_code)]
