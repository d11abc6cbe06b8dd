//! Writing to a file in its inode, and leaving the inode when it outgrows it:
//! the write_begin and write_end of fs/ext4/inline.c.
//!
//! ```text
//!   fits     room in the inode ─ page 0 read from it ─ copy ─ bytes into the inode
//!   too big  delayed:  page 0 dirty, a block reserved; the inode keeps its copy till writeback
//!            else:     page 0 read, the inode's copy destroyed, a block allocated at once
//! ```
//!
//! The page is never dirty while the bytes live in the inode: they reach the disk
//! with the inode itself.

use sched::Kthread;
use world::{Errno, InodeId, PageFlags, PageId};

use super::{
    Iloc, clear_may_inline_data, ext4_destroy_inline_data, ext4_find_inline_data_nolock, ext4_get_inline_size,
    ext4_get_max_inline_size, ext4_has_inline_data, ext4_prepare_inline_data, iloc, read_inline_page,
    write_inline_data,
};
use crate::fs::ext4::balloc::ext4_should_retry_alloc;
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_get_write_access, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::inode::truncate::ext4_truncate_failed_write;
use crate::fs::ext4::inode::write::{
    Fsdata, GetBlock, block_commit_write, block_write_begin, journal_get_write_access,
};
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::namei::{ext4_orphan_add, ext4_orphan_del};
use crate::fs::ext4::super_::{ext4_should_dioread_nolock, ext4_writepage_trans_blocks, graph_writepage_trans_blocks};
use crate::fs::fs_writeback::{I_DIRTY, mark_inode_dirty};
use crate::mm::filemap::{grab_cache_page_write_begin, put_page, unlock_page};
use crate::trace::{Word, call};
use crate::{probe, site};

/// AOP_FLAG_NOFS: a handle is open, so getting a page must not enter the file system.
const AOP_FLAG_NOFS: u32 = 0x2;

/// What a write_begin finds: the page to copy into, with a handle open, or
/// (told in a trace as 0) that the write goes on with blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It fits into the inode.
    Inside(PageId),
    /// It does not.
    Blocks(Fsdata),
}

impl Word for Begun {
    fn word(self) -> u64 {
        u64::from(matches!(self, Begun::Inside(_)))
    }
}

fn release(kt: &Kthread, page: PageId) {
    kt.with(|w| {
        unlock_page(w, page);
        put_page(w, page);
    });
}

/// The file's first page, locked and with the inode's bytes.
///
/// Not modelled: a store through a mapping that takes the data out of the inode
/// in between, see docs/omissions.md#xattr.
async fn grab_and_read(kt: &Kthread, inode: InodeId) -> Result<PageId, Errno> {
    let page = grab_cache_page_write_begin(kt, inode, 0, AOP_FLAG_NOFS).await?;
    if !kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE))
        && let Err(errno) = read_inline_page(kt, inode, page).await
    {
        release(kt, page);
        return Err(errno);
    }
    Ok(page)
}

/// `ext4_da_write_inline_data_begin()`, fs/ext4/inline.c:871.
///
/// # Errors
/// `ENOSPC` if the block that the file now needs cannot be reserved; what the journal gives.
pub async fn ext4_da_write_inline_data_begin(kt: &Kthread, inode: InodeId, pos: u64, len: u64) -> Result<Begun, Errno> {
    call!(kt, &site::EXT4_DA_WRITE_INLINE_DATA_BEGIN, &[pos, len], async {
        let iloc = iloc(kt, inode).await?;
        let mut retries = 0;
        loop {
            ext4_journal_start(kt, HandleType::Inode, 1).await?;
            // An unreadable table counts as no room.
            let inline_size = ext4_get_max_inline_size(kt, inode).await.unwrap_or(0);
            probe!(kt, DIB_SIZE, inline_size = inline_size).await;
            let prepared = if inline_size >= pos + len {
                ext4_prepare_inline_data(kt, inode, pos + len).await
            } else {
                Err(Errno::ENOSPC)
            };
            match prepared {
                Ok(()) => break,
                Err(Errno::ENOSPC) => {
                    ext4_journal_stop(kt).await?;
                    let converted = da_convert_inline_data_to_extent(kt, inode).await;
                    probe!(kt, DIB_CONVERT, ret = converted.map(Begun::Blocks)).await;
                    if converted == Err(Errno::ENOSPC) && ext4_should_retry_alloc(kt, &mut retries).await {
                        probe!(kt, DIB_RETRY).await;
                        continue;
                    }
                    return converted.map(Begun::Blocks);
                }
                Err(errno) => {
                    ext4_journal_stop(kt).await?;
                    return Err(errno);
                }
            }
        }
        match begin_inside(kt, inode, iloc).await {
            Ok(page) => {
                probe!(kt, DIB_INSIDE, page = page, ret = 1u64).await;
                Ok(Begun::Inside(page))
            }
            Err(errno) => {
                ext4_journal_stop(kt).await?;
                Err(errno)
            }
        }
    })
    .await
}

async fn begin_inside(kt: &Kthread, inode: InodeId, iloc: Iloc) -> Result<PageId, Errno> {
    let page = grab_and_read(kt, inode).await?;
    ext4_journal_get_write_access(kt, iloc.0).await?;
    Ok(page)
}

/// `ext4_da_convert_inline_data_to_extent()`, fs/ext4/inline.c:813: the bytes are
/// in page 0, which is dirty and has a block reserved. A file that never had
/// any bytes in its inode only stops trying.
async fn da_convert_inline_data_to_extent(kt: &Kthread, inode: InodeId) -> Result<Fsdata, Errno> {
    call!(kt, &site::EXT4_DA_CONVERT_INLINE_DATA_TO_EXTENT, &[], async {
        let page = grab_cache_page_write_begin(kt, inode, 0, AOP_FLAG_NOFS).await?;
        if !kt.with(|w| ext4_has_inline_data(w, inode)) {
            kt.with(|w| clear_may_inline_data(w, inode));
            probe!(kt, DCI_NONE, page = page).await;
            release(kt, page);
            return Ok(Fsdata::None);
        }
        if !kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE))
            && let Err(errno) = read_inline_page(kt, inode, page).await
        {
            release(kt, page);
            return Err(errno);
        }
        let inline_size = kt.with(|w| ext4_get_inline_size(w, inode));
        let begun = block_write_begin(kt, inode, page, inline_size, GetBlock::DaPrep).await;
        probe!(kt, DCI_RESERVE, page = page, inline_size = inline_size, ret = begun).await;
        if let Err(errno) = begun {
            release(kt, page);
            Box::pin(ext4_truncate_failed_write(kt, inode)).await;
            return Err(errno);
        }
        kt.with(|w| {
            w.page_mut(page).flags.insert(PageFlags::DIRTY | PageFlags::UPTODATE);
            clear_may_inline_data(w, inode);
        });
        probe!(kt, DCI_DIRTY).await;
        release(kt, page);
        Ok(Fsdata::ConvertInlineData)
    })
    .await
}

/// `ext4_try_to_write_inline_data()`, fs/ext4/inline.c:657, without delayed
/// allocation.
///
/// # Errors
/// `ENOSPC` if the block that the file now needs cannot be allocated; what the journal gives.
pub async fn ext4_try_to_write_inline_data(kt: &Kthread, inode: InodeId, pos: u64, len: u64) -> Result<Begun, Errno> {
    call!(kt, &site::EXT4_TRY_TO_WRITE_INLINE_DATA, &[pos, len], async {
        let inline_size = ext4_get_max_inline_size(kt, inode).await.unwrap_or(0);
        probe!(kt, TWI_SIZE, inline_size = inline_size).await;
        let mut inside = None;
        if pos + len <= inline_size {
            let iloc = iloc(kt, inode).await?;
            ext4_journal_start(kt, HandleType::Inode, 1).await?;
            let prepared = ext4_prepare_inline_data(kt, inode, pos + len).await;
            probe!(kt, TWI_PREPARE, ret = prepared).await;
            inside = prepared.is_ok().then_some(iloc);
            if inside.is_none() {
                ext4_journal_stop(kt).await?;
            }
            if let Err(errno) = prepared
                && errno != Errno::ENOSPC
            {
                return Err(errno);
            }
        }
        let Some(iloc) = inside else {
            let converted = Box::pin(convert_inline_data_to_extent(kt, inode)).await;
            probe!(kt, TWI_CONVERT, ret = converted).await;
            return converted.map(|()| Begun::Blocks(Fsdata::None));
        };
        match begin_inside(kt, inode, iloc).await {
            Ok(page) => {
                probe!(kt, TWI_INSIDE, page = page, ret = 1u64).await;
                Ok(Begun::Inside(page))
            }
            Err(errno) => {
                ext4_journal_stop(kt).await?;
                Err(errno)
            }
        }
    })
    .await
}

/// `ext4_convert_inline_data_to_extent()`, fs/ext4/inline.c:537: the bytes go
/// to page 0, the inode's copy is destroyed, the page gets a block.
async fn convert_inline_data_to_extent(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    call!(kt, &site::EXT4_CONVERT_INLINE_DATA_TO_EXTENT, &[], async {
        if !kt.with(|w| ext4_has_inline_data(w, inode)) {
            kt.with(|w| clear_may_inline_data(w, inode));
            probe!(kt, CIE_NONE).await;
            return Ok(());
        }
        let credits = kt.with(|w| {
            graph_writepage_trans_blocks(w, inode);
            ext4_writepage_trans_blocks(w, inode)
        });
        iloc(kt, inode).await?;
        let mut retries = 0;
        loop {
            ext4_journal_start(kt, HandleType::WritePage, credits).await?;
            probe!(kt, CIE_HANDLE).await;
            let Ok(page) = grab_cache_page_write_begin(kt, inode, 0, AOP_FLAG_NOFS).await else {
                ext4_journal_stop(kt).await?;
                return Err(Errno::ENOMEM);
            };
            if !kt.with(|w| ext4_has_inline_data(w, inode)) {
                // A try before this one destroyed it, and then found no block.
                release(kt, page);
                ext4_journal_stop(kt).await?;
                return Ok(());
            }
            let to = kt.with(|w| ext4_get_inline_size(w, inode));
            let moved = move_to_page(kt, inode, page).await;
            probe!(kt, CIE_DESTROY, page = page, ret = moved).await;
            if moved.is_err() {
                release(kt, page);
                ext4_journal_stop(kt).await?;
                return moved;
            }
            let result = get_blocks(kt, inode, page, to).await;
            probe!(kt, CIE_BLOCKS, ret = result).await;
            let Err(errno) = result else {
                kt.with(|w| block_commit_write(w, page, 0, to));
                release(kt, page);
                ext4_journal_stop(kt).await?;
                return Ok(());
            };
            release(kt, page);
            // The error at hand is the one to report.
            let _ = ext4_orphan_add(kt, inode).await;
            let _ = ext4_journal_stop(kt).await;
            Box::pin(ext4_truncate_failed_write(kt, inode)).await;
            if kt.with(|w| w.inodes.at(inode).nlink > 0) {
                let _ = ext4_orphan_del(kt, inode).await;
            }
            if errno == Errno::ENOSPC && ext4_should_retry_alloc(kt, &mut retries).await {
                continue;
            }
            return Err(errno);
        }
    })
    .await
}

/// From the inode into the page alone.
async fn move_to_page(kt: &Kthread, inode: InodeId, page: PageId) -> Result<(), Errno> {
    if !kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE)) {
        read_inline_page(kt, inode, page).await?;
    }
    ext4_destroy_inline_data(kt, inode).await
}

/// Blocks for the page's first `to` bytes.
async fn get_blocks(kt: &Kthread, inode: InodeId, page: PageId, to: u64) -> Result<(), Errno> {
    let nolock = kt.with(|w| ext4_should_dioread_nolock(w, inode));
    let get_block = if nolock { GetBlock::Unwritten } else { GetBlock::Plain };
    block_write_begin(kt, inode, page, to, get_block).await?;
    if kt.with(|w| ext4_should_journal_data(w, inode)) {
        journal_get_write_access(kt, page, 0, to).await?;
    }
    Ok(())
}

/// `ext4_write_inline_data_end()`, fs/ext4/inline.c:741: what was copied goes from
/// the page into the inode.
///
/// The page is uptodate, as write_begin has read it: no short copy is thrown away.
///
/// # Errors
/// `EIO` if the table cannot be read.
pub async fn ext4_write_inline_data_end(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    copied: u64,
    page: PageId,
) -> Result<u64, Errno> {
    call!(kt, &site::EXT4_WRITE_INLINE_DATA_END, &[pos, len, copied], async {
        let iloc = iloc(kt, inode).await?;
        ext4_find_inline_data_nolock(kt, inode).await?;
        kt.with(|w| {
            assert!(ext4_has_inline_data(w, inode), "BUG_ON: the data has left the inode");
            let range = usize::try_from(pos).expect("the inode is small")..;
            let range = range.start..range.start + usize::try_from(copied).expect("the inode is small");
            let bytes = w.page_bytes(page)[range].to_vec();
            write_inline_data(w, inode, iloc, pos, &bytes)?;
            // Not dirty: writeback has nothing to do with it.
            let flags = &mut w.page_mut(page).flags;
            flags.insert(PageFlags::UPTODATE);
            flags.remove(PageFlags::DIRTY);
            Ok::<(), Errno>(())
        })?;
        probe!(kt, WID_COPY).await;
        mark_inode_dirty(kt, inode, I_DIRTY).await;
        Ok(copied)
    })
    .await
}

/// `ext4_da_write_inline_data_end()`, fs/ext4/inline.c:958: and the size follows.
///
/// # Errors
/// As [`ext4_write_inline_data_end`].
pub async fn ext4_da_write_inline_data_end(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    copied: u64,
    page: PageId,
) -> Result<u64, Errno> {
    call!(kt, &site::EXT4_DA_WRITE_INLINE_DATA_END, &[pos, len, copied], async {
        let ended = ext4_write_inline_data_end(kt, inode, pos, len, copied, page).await;
        let copied = match ended {
            Ok(copied) => copied,
            Err(errno) => {
                release(kt, page);
                return Err(errno);
            }
        };
        kt.with(|w| {
            if pos + copied > w.sizes.at(inode).i_size {
                w.size_mut(inode).i_size = pos + copied;
            }
        });
        probe!(kt, DIE_ISIZE).await;
        release(kt, page);
        mark_inode_dirty(kt, inode, I_DIRTY).await;
        Ok(copied)
    })
    .await
}
