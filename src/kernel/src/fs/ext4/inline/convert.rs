//! Who else meets a file in its inode: fallocate, a store through a mapping and
//! a truncate make it leave; truncating inside; SEEK_DATA and FIEMAP. The rest of
//! fs/ext4/inline.c.
//!
//! ```text
//!   ext4_convert_inline_data ─ half way out already: write the pages
//!        └ else: destroy ─ a block ─ the bytes into its buffer, as metadata of the journal
//! ```
//!
//! The block's buffer is the device's, not the file's: as in v5.10, what is
//! written to the file before the journal has put that buffer in its place is
//! overwritten by it.

use ondisk::layout::xattr::{self, INDEX_SYSTEM};
use sched::{Kthread, RwSem, down_write, up_write};
use world::{BhFlags, Errno, InodeBits, InodeId, World};

use super::{
    DATA, I_BLOCK, Iloc, MIN_INLINE_DATA_SIZE, area_of, clear_i_block, clear_may_inline_data, create_inline_data,
    ext4_destroy_inline_data, ext4_get_inline_size, ext4_has_inline_data, iloc, may_inline_data, read_inline_data,
    set_value, slot, write_inline_data,
};
use crate::fs::buffer::{block_size, getblk};
use crate::fs::ext4::dir::layout_errno;
use crate::fs::ext4::ext4_jbd2::{
    HandleType, ext4_handle_dirty_metadata, ext4_handle_sync, ext4_journal_get_write_access, ext4_journal_start,
    ext4_journal_stop,
};
use crate::fs::ext4::inode::disk::{ext4_mark_inode_dirty, is_dir};
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, ext4_map_blocks};
use crate::fs::ext4::namei::{ext4_orphan_add, ext4_orphan_del};
use crate::fs::ext4::super_::{ext4_writepage_trans_blocks, graph_writepage_trans_blocks};
use crate::fs::inode::{current_time, is_sync};
use crate::mm::writeback::filemap_flush;
use crate::trace::call;
use crate::{probe, site};

/// `ext4_convert_inline_data()`, fs/ext4/inline.c:1996: whatever happens next, the
/// file has blocks, or none of its data is in the inode.
///
/// # Errors
/// `ENOSPC`, or what the journal gives.
pub async fn ext4_convert_inline_data(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    if !kt.with(|w| ext4_has_inline_data(w, inode)) {
        kt.with(|w| clear_may_inline_data(w, inode));
        return Ok(());
    }
    call!(
        kt,
        &site::EXT4_CONVERT_INLINE_DATA,
        &[],
        Box::pin(async {
            if !kt.with(|w| may_inline_data(w, inode)) {
                let flushed = filemap_flush(kt, inode).await;
                probe!(kt, CID_FLUSH, error = flushed).await;
                flushed?;
                if !kt.with(|w| ext4_has_inline_data(w, inode)) {
                    return Ok(());
                }
            }
            let credits = kt.with(|w| {
                graph_writepage_trans_blocks(w, inode);
                ext4_writepage_trans_blocks(w, inode)
            });
            let iloc = iloc(kt, inode).await?;
            ext4_journal_start(kt, HandleType::WritePage, credits).await?;
            probe!(kt, CID_HANDLE).await;
            let converted = convert_inline_data_nolock(kt, inode, iloc).await;
            // The kernel drops the error of stopping.
            let _ = ext4_journal_stop(kt).await;
            probe!(kt, CID_DONE, error = converted).await;
            converted
        }),
    )
    .await
}

/// `ext4_convert_inline_data_nolock()`, fs/ext4/inline.c:1193, inside the task's
/// handle: the data becomes the file's first block. Put back if that fails.
pub(super) async fn convert_inline_data_nolock(kt: &Kthread, inode: InodeId, iloc: Iloc) -> Result<(), Errno> {
    call!(kt, &site::EXT4_CONVERT_INLINE_DATA_NOLOCK, &[], async {
        let (inline_size, dir) = kt.with(|w| (ext4_get_inline_size(w, inode), is_dir(w, inode)));
        let bytes = kt.with(|w| read_inline_data(w, inode, iloc, inline_size))?;
        if dir {
            super::dir::check_all_de(&bytes)?;
        }
        ext4_destroy_inline_data(kt, inode).await?;
        let moved = move_to_block(kt, inode, &bytes, dir).await;
        probe!(kt, CIN_BLOCK, inline_size = inline_size, error = moved).await;
        if moved.is_err() {
            let restored = restore_inline_data(kt, inode, iloc, &bytes).await;
            probe!(kt, CIN_RESTORE, error = restored).await;
        }
        moved
    })
    .await
}

async fn move_to_block(kt: &Kthread, inode: InodeId, bytes: &[u8], dir: bool) -> Result<(), Errno> {
    let mut map = MapBlocks { lblk: 0, len: 1, ..MapBlocks::default() };
    if ext4_map_blocks(kt, inode, &mut map, GetBlocks::CREATE).await? == 0 {
        return Err(Errno::EIO);
    }
    let bh = kt.with(|w| getblk(w, map.pblk));
    ext4_journal_get_write_access(kt, bh).await?;
    if dir {
        return super::dir::finish_convert(kt, inode, bh, bytes).await;
    }
    kt.with(|w| {
        let size = usize::try_from(block_size(w)).expect("a block is small");
        let block = w.bh_bytes_mut(bh, 0, size);
        block.fill(0);
        block[..bytes.len()].copy_from_slice(bytes);
        w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
    });
    ext4_handle_dirty_metadata(kt, Some(inode), bh).await
}

/// `ext4_restore_inline_data()`, fs/ext4/inline.c:1131.
async fn restore_inline_data(kt: &Kthread, inode: InodeId, iloc: Iloc, bytes: &[u8]) -> Result<(), Errno> {
    create_inline_data(kt, inode, bytes.len() as u64).await?;
    kt.with(|w| {
        write_inline_data(w, inode, iloc, 0, bytes)?;
        w.inode_mut(inode).bits.insert(InodeBits::MAY_INLINE_DATA);
        Ok(())
    })
}

/// `ext4_inline_data_truncate()`, fs/ext4/inline.c:1897: what the inode holds
/// behind `i_size` becomes zeros, and the room smaller.
///
/// # Errors
/// What the journal gives, `EUCLEAN` for a damaged list.
pub async fn ext4_inline_data_truncate(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    call!(kt, &site::EXT4_INLINE_DATA_TRUNCATE, &[], async {
        let credits = kt.with(|w| {
            graph_writepage_trans_blocks(w, inode);
            ext4_writepage_trans_blocks(w, inode)
        });
        ext4_journal_start(kt, HandleType::Inode, credits).await?;
        let mut cut = ext4_orphan_add(kt, inode).await;
        if cut.is_ok() {
            down_write(kt, RwSem::IDataSem(inode)).await;
            cut = cut_area(kt, inode).await;
            probe!(kt, ITR_CUT, i_size = kt.with(|w| w.sizes.at(inode).i_size), err = cut).await;
            kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
        }
        if kt.with(|w| w.inodes.at(inode).nlink > 0) {
            // The kernel drops its error.
            let _ = ext4_orphan_del(kt, inode).await;
        }
        if cut.is_ok() {
            let sync = kt.with(|w| {
                let now = current_time(w);
                let times = w.times_mut(inode);
                (times.mtime, times.ctime) = (now, now);
                is_sync(w, inode)
            });
            cut = ext4_mark_inode_dirty(kt, inode).await;
            if sync {
                kt.with(|w| ext4_handle_sync(w, kt));
            }
        }
        // The kernel drops the error of stopping.
        let _ = ext4_journal_stop(kt).await;
        probe!(kt, ITR_DONE).await;
        cut
    })
    .await
}

/// The part under `i_data_sem`.
async fn cut_area(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let iloc = iloc(kt, inode).await?;
    ext4_journal_get_write_access(kt, iloc.0).await?;
    kt.with(|w| {
        let (size, inline_size) = (w.sizes.at(inode).i_size, ext4_get_inline_size(w, inode));
        w.size_mut(inode).i_disksize = size;
        if size >= inline_size {
            return Ok(());
        }
        if inline_size > MIN_INLINE_DATA_SIZE {
            let entry = xattr::find(slot(w, iloc), INDEX_SYSTEM, DATA).map_err(layout_errno)?.ok_or(Errno::EUCLEAN)?;
            let mut value = entry.value.to_vec();
            value.truncate(size.saturating_sub(MIN_INLINE_DATA_SIZE) as usize);
            set_value(w, inode, iloc, Some(&value))?;
        }
        if size < MIN_INLINE_DATA_SIZE {
            clear_i_block(w, inode, iloc, size)?;
        }
        let area = area_of(slot(w, iloc))?;
        w.inline_set(inode, area);
        Ok(())
    })
}

/// `ext4_inline_data_iomap()`, fs/ext4/inline.c:1865: where on the device the
/// file begins, and how many bytes lie there.
///
/// # Errors
/// `EIO` if the table cannot be read.
pub async fn ext4_inline_data_iomap(kt: &Kthread, inode: InodeId) -> Result<(u64, u64), Errno> {
    let (bh, offset) = iloc(kt, inode).await?;
    Ok(kt.with(|w: &mut World| {
        let addr = w.bhs.at(bh).blocknr * block_size(w) + (offset + I_BLOCK) as u64;
        (addr, ext4_get_inline_size(w, inode).min(w.sizes.at(inode).i_size))
    }))
}
