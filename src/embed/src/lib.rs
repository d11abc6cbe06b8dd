//! The `embed` crate.
