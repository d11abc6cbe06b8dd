//! The `view` crate.
#![forbid(unsafe_code)]
