//! Mapping of logical to physical blocks: `ext4_map_blocks()` and callers.

use bitflags::bitflags;
use sched::Kthread;
use world::{BhId, Errno, InodeId};

bitflags! {
    /// EXT4_GET_BLOCKS_ flags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct GetBlocks: u32 {
        /// Allocate what is missing.
        const CREATE = 0x1;
        /// As unwritten.
        const UNWRIT_EXT = 0x2;
        /// The blocks were reserved by delayed allocation.
        const DELALLOC_RESERVE = 0x4;
        /// Before I/O: split only.
        const PRE_IO = 0x8;
        /// Convert.
        const CONVERT = 0x10;
        /// May use the reserved pool for metadata.
        const METADATA_NOFAIL = 0x20;
        /// Do not widen the request.
        const NO_NORMALIZE = 0x40;
        /// Turn written into unwritten.
        const CONVERT_UNWRITTEN = 0x100;
        /// Zero the new blocks.
        const ZERO = 0x200;
        /// The caller submits the I/O itself.
        const IO_SUBMIT = 0x400;
        /// Do not put the result in the extent status tree.
        const EX_NOCACHE = 0x800;
    }

    /// EXT4_MAP_ flags: what was found or made.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MapFlags: u32 {
        /// Freshly allocated.
        const NEW = 1 << 5;
        /// Mapped and written.
        const MAPPED = 1 << 4;
        /// Mapped, unwritten.
        const UNWRITTEN = 1 << 11;
        /// At an index boundary.
        const BOUNDARY = 1 << 9;
    }
}

/// `struct ext4_map_blocks`: a request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapBlocks {
    /// First physical block of the answer.
    pub pblk: u64,
    /// First logical block.
    pub lblk: u32,
    /// Blocks asked for; then blocks given.
    pub len: u32,
    /// What was found or made.
    pub flags: MapFlags,
}

/// `ext4_map_blocks()`, fs/ext4/inode.c:539: blocks mapped, 0 for a hole.
///
/// # Errors
/// What the extent tree or the allocator gives.
pub async fn ext4_map_blocks(
    _kt: &Kthread,
    _inode: InodeId,
    _map: &mut MapBlocks,
    _flags: GetBlocks,
) -> Result<u32, Errno> {
    unimplemented!()
}

/// `ext4_map_query_blocks()`, fs/ext4/inode.c:488: looks on disk only, and
/// remembers what it found.
///
/// # Errors
/// `EIO`, `EFSBADCRC`, `EUCLEAN` for an unreadable or damaged tree.
pub async fn ext4_map_query_blocks(_kt: &Kthread, _inode: InodeId, _map: &mut MapBlocks) -> Result<u32, Errno> {
    unimplemented!()
}

/// `ext4_get_block()`, fs/ext4/inode.c:877: maps one block of a page's buffer.
///
/// # Errors
/// As [`ext4_map_blocks`].
pub async fn ext4_get_block(
    _kt: &Kthread,
    _inode: InodeId,
    _iblock: u32,
    _bh: BhId,
    _create: bool,
) -> Result<(), Errno> {
    unimplemented!()
}

/// `ext4_get_block_unwritten()`, fs/ext4/inode.c.
///
/// # Errors
/// As [`ext4_map_blocks`].
pub async fn ext4_get_block_unwritten(
    _kt: &Kthread,
    _inode: InodeId,
    _iblock: u32,
    _bh: BhId,
    _create: bool,
) -> Result<(), Errno> {
    unimplemented!()
}
