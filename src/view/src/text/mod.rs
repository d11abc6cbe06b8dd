//! Words, one file per language. The compiler checks that no language leaves one out.

pub mod en;
