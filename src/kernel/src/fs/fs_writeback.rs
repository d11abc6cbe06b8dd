//! Dirty inodes and their way out. Mirrors fs/fs-writeback.c.

mod dirty;

pub use dirty::{I_DIRTY, I_DIRTY_INODE, inode_io_list_del, mark_inode_dirty, mark_inode_dirty_state};
