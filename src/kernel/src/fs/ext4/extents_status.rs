//! The extent status tree. Mirrors fs/ext4/extents_status.c.

use world::{ExtentStatus, InodeId, World};

/// EXTENT_STATUS_WRITTEN.
pub const ES_WRITTEN: u8 = 1;
/// EXTENT_STATUS_UNWRITTEN.
pub const ES_UNWRITTEN: u8 = 2;
/// EXTENT_STATUS_DELAYED.
pub const ES_DELAYED: u8 = 4;
/// EXTENT_STATUS_HOLE.
pub const ES_HOLE: u8 = 8;
/// EXTENT_STATUS_REFERENCED.
pub const ES_REFERENCED: u8 = 16;

/// `ext4_es_lookup_extent()`: the entry that covers `lblk` with its first
/// block, as it was; the look-up then sets REFERENCED in it.
pub fn es_lookup_extent(_w: &mut World, _inode: InodeId, _lblk: u32) -> Option<(u32, ExtentStatus)> {
    unimplemented!()
}

/// `ext4_es_insert_delayed_block()`.
pub fn es_insert_delayed_block(_w: &mut World, _inode: InodeId, _lblk: u32, _allocated: bool) {
    unimplemented!()
}
