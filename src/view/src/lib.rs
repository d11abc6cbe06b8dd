//! From the machine's state to what is on screen: plain rows, no browser.
//!
//! [`frame`] says what a screen holds, [`text`] holds every word of it, and
//! [`Viewer`] builds it:
//!
//! ```text
//! Run ── Viewer ─┬─ index: one pass over the steps: timeline, origins of bytes
//!                ├─ moment: World, history and changes of one step
//!                ├─ rows/: one module a panel ──> Frame, and the motion of its bytes
//!                └─ find: the steps that say some words; listing: the run as a list
//! ```
//!
//! No kernel rule lives here: everything shown is read off the World, its
//! history and the table of sites.
#![forbid(unsafe_code)]

#[macro_use]
pub mod text;

mod find;
pub mod frame;
mod index;
pub mod kernel_said;
pub mod kernel_source;
pub mod listing;
mod moment;
pub mod motion;
mod picture;
mod program;
pub mod recording;
mod rows;
pub mod steps;
pub mod table;
pub mod trail;
mod viewer;
pub mod watch;

pub use find::Found;
pub use moment::number;
pub use picture::picture;
pub use rows::library::library;
pub use rows::preview::first_round;
pub use viewer::Viewer;
