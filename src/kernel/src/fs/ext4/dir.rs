//! Directory blocks: reading, checking, listing. Mirrors fs/ext4/dir.c, with the
//! block readers that the kernel has in inode.c and namei.c.

use ondisk::layout::{dir, htree, inode as raw};
use ondisk::{Ino, LayoutError};
use sched::Kthread;
use world::{BhFlags, BhId, Errno, InodeId, World};

use crate::block::ramdisk::REQ_META;
use crate::fs::buffer::{block_size, getblk, submit_bh_read, wait_on_buffer};
use crate::fs::ext4::ext4_jbd2::{ext4_journal_get_write_access, handle_dirty_metadata};
use crate::fs::ext4::inline::dir::ext4_read_inline_dir;
use crate::fs::ext4::inline::ext4_has_inline_data;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_map_blocks};
use crate::fs::ext4::super_::{has_csum, put_changed};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Inode number.
    pub ino: u32,
    /// One of [`dir::file_type`].
    pub file_type: u8,
    /// The name.
    pub name: Vec<u8>,
}

/// The kernel's error for a damaged structure.
#[must_use]
pub fn layout_errno(error: LayoutError) -> Errno {
    crate::fs::ext4::balloc::layout_errno(&error)
}

/// Seed of the checksums of a directory's blocks.
#[must_use]
pub fn dir_seed(w: &World, inode: InodeId) -> u32 {
    let head = w.inodes.at(inode);
    raw::seed(w.sb().csum_seed, Ino(head.ino), head.generation)
}

/// Blocks of a directory.
#[must_use]
pub fn dir_blocks(w: &World, inode: InodeId) -> u32 {
    u32::try_from(w.sizes.at(inode).i_size >> w.sb().block_bits).unwrap_or(u32::MAX)
}

/// `ext4_getblk()`, fs/ext4/inode.c:859: the buffer of a directory's block,
/// `None` for a hole. With CREATE a hole is filled with a zeroed block that is
/// already in the running transaction.
///
/// # Errors
/// What mapping or allocating gives.
pub async fn ext4_getblk(kt: &Kthread, inode: InodeId, lblk: u32, flags: GetBlocks) -> Result<Option<BhId>, Errno> {
    let mut map = MapBlocks { lblk, len: 1, ..MapBlocks::default() };
    if ext4_map_blocks(kt, inode, &mut map, flags).await? == 0 {
        return if flags.contains(GetBlocks::CREATE) { Err(Errno::ENOSPC) } else { Ok(None) };
    }
    let bh = kt.with(|w| getblk(w, map.pblk));
    if map.flags.contains(MapFlags::NEW) {
        ext4_journal_get_write_access(kt, bh).await?;
        kt.with(|w| {
            let size = block_size(w) as usize;
            if !w.bhs.at(bh).flags.contains(BhFlags::UPTODATE) || w.bh_bytes(bh).iter().any(|&byte| byte != 0) {
                w.bh_bytes_mut(bh, 0, size).fill(0);
            }
            let buffer = &mut w.bh_mut(bh).flags;
            buffer.insert(BhFlags::UPTODATE);
            buffer.remove(BhFlags::VERIFIED);
            handle_dirty_metadata(w, kt, bh);
        });
    }
    Ok(Some(bh))
}

/// `ext4_bread()`, fs/ext4/inode.c:918: the same with the block's bytes.
///
/// # Errors
/// As [`ext4_getblk`], and `EIO` if the read fails.
pub async fn ext4_bread(kt: &Kthread, inode: InodeId, lblk: u32, flags: GetBlocks) -> Result<Option<BhId>, Errno> {
    let Some(bh) = ext4_getblk(kt, inode, lblk, flags).await? else { return Ok(None) };
    kt.with(|w| start_read(w, bh));
    wait_on_buffer(kt, bh).await;
    kt.with(|w| if w.bhs.at(bh).flags.contains(BhFlags::UPTODATE) { Ok(Some(bh)) } else { Err(Errno::EIO) })
}

/// Submits the read of a metadata buffer that is not there yet.
pub fn start_read(w: &mut World, bh: BhId) {
    if !w.bhs.at(bh).flags.intersects(BhFlags::UPTODATE | BhFlags::LOCK) {
        submit_bh_read(w, bh, REQ_META);
    }
}

/// `ext4_read_dirblock()`, fs/ext4/namei.c:118: a block of the directory,
/// verified.
///
/// # Errors
/// `EUCLEAN` for a hole or a damaged block, `EFSBADCRC`, `EIO`.
pub async fn ext4_read_dirblock(kt: &Kthread, inode: InodeId, lblk: u32) -> Result<BhId, Errno> {
    let bh = ext4_bread(kt, inode, lblk, GetBlocks::empty()).await?.ok_or(Errno::EUCLEAN)?;
    kt.with(|w| verify(w, inode, bh))?;
    Ok(bh)
}

/// The checksum of a block just read, linear or index.
///
/// # Errors
/// `EFSBADCRC`.
pub fn verify(w: &mut World, inode: InodeId, bh: BhId) -> Result<(), Errno> {
    if w.bhs.at(bh).flags.contains(BhFlags::VERIFIED) {
        return Ok(());
    }
    if has_csum(w) {
        let (seed, block) = (dir_seed(w, inode), w.bh_bytes(bh));
        let index = ondisk::layout::inode::InodeFlags::from_bits_retain(w.inodes.at(inode).flags)
            .contains(ondisk::layout::inode::InodeFlags::INDEX)
            .then(|| htree::count_at(block))
            .flatten();
        // An index block that names no checksum is a leaf whose first entry fills it.
        let good = match index {
            Some(at) => htree::verify_checksum(block, at, seed).is_ok() || dir::verify_checksum(block, seed).is_ok(),
            None => dir::verify_checksum(block, seed).is_ok(),
        };
        if !good {
            return Err(Errno::EFSBADCRC);
        }
    }
    w.bh_mut(bh).flags.insert(BhFlags::VERIFIED);
    Ok(())
}

/// `ext4_handle_dirty_dirblock()`: new bytes of a linear block, checksum
/// included, go to the running transaction.
///
/// # Errors
/// `EUCLEAN` if the block has no room for its checksum.
pub fn put_dirblock(w: &mut World, kt: &Kthread, inode: InodeId, bh: BhId, mut new: Vec<u8>) -> Result<(), Errno> {
    if has_csum(w) {
        dir::update_checksum(&mut new, dir_seed(w, inode)).map_err(layout_errno)?;
    }
    put_block(w, kt, bh, &new);
    Ok(())
}

/// `ext4_handle_dirty_dx_node()`: the same for an index block.
///
/// # Errors
/// `EUCLEAN` if the block has no room for its checksum.
pub fn put_dxblock(w: &mut World, kt: &Kthread, inode: InodeId, bh: BhId, mut new: Vec<u8>) -> Result<(), Errno> {
    if has_csum(w) {
        let at = htree::count_at(&new).ok_or(Errno::EUCLEAN)?;
        htree::update_checksum(&mut new, at, dir_seed(w, inode)).map_err(layout_errno)?;
    }
    put_block(w, kt, bh, &new);
    Ok(())
}

fn put_block(w: &mut World, kt: &Kthread, bh: BhId, new: &[u8]) {
    let old = w.bh_bytes(bh).to_vec();
    put_changed(w, bh, 0, &old, new);
    w.bh_mut(bh).flags.insert(BhFlags::VERIFIED);
    handle_dirty_metadata(w, kt, bh);
}

/// `ext4_readdir()`, fs/ext4/dir.c:113: all names, block after block (an indexed
/// directory's too: its index blocks look like blocks without names).
///
/// # Errors
/// `ENOTDIR`, or what reading a block gives.
pub async fn ext4_readdir(kt: &Kthread, inode: InodeId) -> Result<Vec<DirEntry>, Errno> {
    let (is_dir, blocks) = kt.with(|w| (super::inode::disk::is_dir(w, inode), dir_blocks(w, inode)));
    if !is_dir {
        return Err(Errno::ENOTDIR);
    }
    if kt.with(|w| ext4_has_inline_data(w, inode)) {
        return ext4_read_inline_dir(kt, inode).await;
    }
    let mut names = Vec::new();
    for lblk in 0..blocks {
        let bh = ext4_read_dirblock(kt, inode, lblk).await?;
        kt.with(|w| {
            for entry in dir::entries(w.bh_bytes(bh)) {
                let entry = entry.map_err(layout_errno)?;
                if entry.ino != Ino(0) {
                    names.push(DirEntry { ino: entry.ino.0, file_type: entry.file_type, name: entry.name.to_vec() });
                }
            }
            Ok::<(), Errno>(())
        })?;
    }
    Ok(names)
}
