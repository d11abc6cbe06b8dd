//! The façade: scenarios in, steps out.
//!
//! ```text
//!   scenario (JSON) ──► Session ──► Run ──► Machine: World, history, tasks
//!   link, library          │          │
//!                          │          └── seek, extend, results, image
//!                          └── intervene: a new run, the old scenario kept
//! ```
//!
//! A command that fails leaves the session as it was. Deliberately absent:
//! words for people, layout, files and network; the caller hands in bytes.
#![forbid(unsafe_code)]
// A system call is one future of some forty nested ones, each with its call frame.
#![recursion_limit = "256"]

pub mod align;
pub mod digest;
pub mod expr;
pub mod golden;
pub mod graph_text;
pub mod library;
pub mod link;
pub mod loop_text;
pub mod preview;
pub mod run;
pub mod scenario;
mod session;

pub use session::{InterveneError, Session};
