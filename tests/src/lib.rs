//! The `writepath-tests` crate.
