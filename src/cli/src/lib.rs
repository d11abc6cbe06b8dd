//! `writepath` in a terminal, as a library, so that tests use the same code.
//!
//! | module | what |
//! |---|---|
//! | [`replay`] | a scenario run to its end, and what came out |
//! | [`conform`] | recorded cases replayed and compared |
//! | [`image`] | files and counts, read off an image |
//! | [`mkfs`] | the letters of mke2fs |
#![forbid(unsafe_code)]

pub mod conform;
pub mod image;
pub mod mkfs;
pub mod replay;
pub mod schema;
