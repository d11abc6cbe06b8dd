//! The `world` crate.
#![forbid(unsafe_code)]
