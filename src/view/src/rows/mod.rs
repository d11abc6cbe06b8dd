//! One module a panel: from a [`Moment`](crate::moment::Moment) to its rows.

pub mod cache;
pub mod changes;
pub mod code;
pub mod device;
pub mod dirty;
pub mod ext4;
pub mod journal;
pub mod library;
pub mod preview;
pub mod tasks;
pub mod user;
