//! The `sched` crate.
#![forbid(unsafe_code)]
