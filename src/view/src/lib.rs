//! From the machine's state to what is on screen: plain rows, no browser.
//!
//! [`frame`] says what a screen holds, [`text`] holds every word of it.
#![forbid(unsafe_code)]

pub mod frame;
pub mod text;
