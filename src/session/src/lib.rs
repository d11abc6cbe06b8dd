//! The `session` crate.
#![forbid(unsafe_code)]

pub mod golden;
pub mod link;
pub mod loop_text;
pub mod scenario;
