//! fs/ext4/inode.c, by theme: the write side of the address space, mapping,
//! writeback, the inode on disk.

pub mod dax;
pub mod disk;
pub mod iomap;
pub mod map;
pub mod mkwrite;
pub mod truncate;
pub mod write;
pub mod writepages;
