//! Mounting. Mirrors fs/ext4/super.c.

use bitflags::bitflags;
use world::{InodeId, World};

bitflags! {
    /// Mount options in force.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MountOpts: u32 {
        /// delalloc.
        const DELALLOC = 1;
        /// dioread_nolock.
        const DIOREAD_NOLOCK = 2;
    }
}

/// `ext4_should_dioread_nolock()`, fs/ext4/ext4_jbd2.h:502.
#[must_use]
pub fn ext4_should_dioread_nolock(_w: &World, _inode: InodeId) -> bool {
    unimplemented!()
}

/// `ext4_writepage_trans_blocks()`: journal credits to write one page.
#[must_use]
pub fn ext4_writepage_trans_blocks(_w: &World, _inode: InodeId) -> u32 {
    unimplemented!()
}
