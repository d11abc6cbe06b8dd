//! Memory: page cache, dirty accounting, user address spaces.

pub mod filemap;
pub mod memory;
pub mod page_writeback;
pub mod truncate;
