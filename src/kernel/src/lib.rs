//! The `kernel` crate.
#![forbid(unsafe_code)]
