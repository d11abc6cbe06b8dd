//! File systems: the VFS's part and ext4.

pub mod attr;
pub mod buffer;
pub mod dax;
pub mod ext4;
pub mod fs_writeback;
pub mod inode;
pub mod iomap;
pub mod jbd2;
pub mod namei;
pub mod open;
pub mod read_write;
pub mod splice;
pub mod super_;
pub mod sync;
