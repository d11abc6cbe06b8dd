//! ext4, one module per file of fs/ext4.

pub mod balloc;
pub mod dio;
pub mod dir;
pub mod ext4_jbd2;
pub mod extents;
pub mod extents_status;
pub mod file;
pub mod fsync;
pub mod ialloc;
pub mod indirect;
pub mod inline;
pub mod inode;
pub mod ioctl;
pub mod mballoc;
pub mod namei;
pub mod page_io;
pub mod readpage;
pub mod super_;
