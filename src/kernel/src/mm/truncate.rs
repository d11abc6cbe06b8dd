//! Dropping cached pages. Mirrors mm/truncate.c.

use world::{InodeId, World};

/// `pagecache_isize_extended()`, mm/truncate.c:882.
pub fn pagecache_isize_extended(_w: &mut World, _inode: InodeId, _from: u64, _to: u64) {
    unimplemented!()
}
