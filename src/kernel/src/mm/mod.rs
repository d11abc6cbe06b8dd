//! Memory: page cache, dirty accounting, user address spaces.

pub mod backing_dev;
pub mod filemap;
pub mod filemap_read;
pub mod memory;
pub mod memory_failure;
pub mod page_alloc;
pub mod page_writeback;
pub mod readahead;
pub mod rmap;
pub mod swap;
pub mod swapfile;
pub mod truncate;
pub mod vmscan;
pub mod workingset;
pub mod writeback;

#[cfg(test)]
pub(crate) mod testing;
