//! The `ondisk` crate.
#![forbid(unsafe_code)]
