//! jbd2, one module per file of fs/jbd2.

pub mod transaction;
