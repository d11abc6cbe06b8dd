//! Changing a file's size, and freeing what lies behind it. Mirrors
//! `ext4_truncate()` and the size part of `ext4_setattr()`, fs/ext4/inode.c.
//!
//! ```text
//!   ext4_setattr ── handle: orphan, i_disksize, i_size ── stop
//!        ├── truncate_pagecache          pages behind the end
//!        └── ext4_truncate ── handle: tail block zeroed, preallocations,
//!                              delayed and mapped blocks behind the end
//! ```
//!
//! Not modelled: DAX layouts (nobody maps such a file), direct I/O in flight, data=journal's wait for the tail page; the
//! ordered truncate writes nothing, as no commit is ever half done here. See
//! docs/omissions.md#truncate.

use sched::{Kthread, RwSem, down_write, up_write};
use world::{BhFlags, Errno, InodeBits, InodeId, InodeState, PAGE_SIZE, PageFlags, World};

use crate::fs::buffer::{block_size, create_empty_buffers, mark_buffer_dirty, submit_bh_read, wait_on_buffer};
use crate::fs::dax::iomap_zero_range;
use crate::fs::ext4::ext4_jbd2::{
    HandleType, data_trans_blocks, ext4_handle_dirty_metadata, ext4_handle_sync, ext4_journal_get_write_access,
    ext4_journal_start, ext4_journal_stop,
};
use crate::fs::ext4::extents::ext4_ext_truncate;
use crate::fs::ext4::file::{ext4_get_maxbytes, inode_newsize_ok};
use crate::fs::ext4::indirect::ext4_ind_truncate;
use crate::fs::ext4::inline::convert::{ext4_convert_inline_data, ext4_inline_data_truncate};
use crate::fs::ext4::inline::{ext4_get_inline_size, ext4_has_inline_data};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::inode::map::{ext4_get_block_inlined, has_extents};
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::mballoc::ext4_discard_preallocations;
use crate::fs::ext4::namei::{ext4_orphan_add, ext4_orphan_del};
use crate::fs::ext4::super_::{MountOpts, ext4_writepage_trans_blocks, graph_writepage_trans_blocks};
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::fs::inode::{current_time, is_dax, is_regular, is_sync, should_remove_suid};
use crate::mm::filemap::{put_page, unlock_page};
use crate::mm::filemap_read::find_or_create_page;
use crate::mm::page_writeback::ino_of;
use crate::mm::truncate::{pagecache_isize_extended, truncate_inode_pages, truncate_pagecache};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// `ext4_truncate_failed_write()`, fs/ext4/truncate.h:12: what a write reserved
/// or allocated past `i_size` and did not use goes again.
pub async fn ext4_truncate_failed_write(kt: &Kthread, inode: InodeId) {
    down_write(kt, RwSem::IMmapSem(inode)).await;
    let size = kt.with(|w| w.sizes.at(inode).i_size);
    truncate_inode_pages(kt, inode, size).await;
    // Its error has nobody to go to.
    let _ = ext4_truncate(kt, inode).await;
    kt.with(|w| up_write(w, RwSem::IMmapSem(inode)));
}

/// `ext4_setattr()`, fs/ext4/inode.c:5470, with ATTR_SIZE: ftruncate(2),
/// truncate(2) and O_TRUNC. The caller holds `i_rwsem`.
///
/// # Errors
/// `EIO` after a shutdown, `EPERM` on an immutable file, `EFBIG` for more than a
/// block map can hold, `EINVAL` on anything but a regular file, or what the journal or the extent tree gives.
pub async fn ext4_setattr_size(kt: &Kthread, inode: InodeId, size: u64) -> Result<(), Errno> {
    call!(
        kt,
        &site::EXT4_SETATTR,
        &[],
        Box::pin(async {
            let (head, oldsize, shutdown) =
                kt.with(|w| (*w.inodes.at(inode), w.sizes.at(inode).i_size, w.sb().shutdown));
            if shutdown {
                return Err(Errno::EIO);
            }
            if head.bits.contains(InodeBits::IMMUTABLE) {
                return Err(Errno::EPERM);
            }
            if !is_regular(head.mode) {
                return Err(Errno::EINVAL);
            }
            inode_newsize_ok(kt, inode, size)?;
            if size > kt.with(|w| ext4_get_maxbytes(w, inode)) {
                return Err(Errno::EFBIG);
            }
            if kt.with(|w| ext4_has_inline_data(w, inode) && size > ext4_get_inline_size(w, inode)) {
                // As 5.10.262 has it: v5.10.238 leaves a file here that is longer than its inode can hold.
                ext4_convert_inline_data(kt, inode).await?;
            }
            let shrink = size < oldsize;
            if shrink && kt.with(|w| MountOpts::of(w).contains(MountOpts::DATA_ORDERED)) {
                probe!(kt, ESA_ORDERED, size = size, oldsize = oldsize).await;
                kt.with(|w| point!(w, EXT4_BEGIN_ORDERED_TRUNCATE, ino_of(w, inode), size));
            }
            probe!(kt, ESA_MMAP_SEM, size = size, oldsize = oldsize).await;
            down_write(kt, RwSem::IMmapSem(inode)).await;
            let changed = change_size(kt, inode, size, oldsize).await;
            kt.with(|w| up_write(w, RwSem::IMmapSem(inode)));
            changed?;
            kt.with(|w| {
                // setattr_copy(): ATTR_MTIME and ATTR_CTIME come with the size, and ATTR_MODE
                // if do_truncate() has found bits to strip
                let kill = should_remove_suid(w, kt, head.mode);
                if kill != 0 {
                    w.inode_mut(inode).mode &= !kill;
                }
                let now = current_time(w);
                let times = w.times_mut(inode);
                times.mtime = now;
                times.ctime = now;
            });
            probe!(kt, ESA_DIRTY).await;
            let all = InodeState::DIRTY_SYNC | InodeState::DIRTY_DATASYNC | InodeState::DIRTY_PAGES;
            mark_inode_dirty(kt, inode, all).await;
            Ok(())
        }),
    )
    .await
}

/// The part under `i_mmap_sem`.
async fn change_size(kt: &Kthread, inode: InodeId, size: u64, oldsize: u64) -> Result<(), Errno> {
    let shrink = size < oldsize;
    if size != oldsize {
        ext4_journal_start(kt, HandleType::Inode, 3).await?;
        probe!(kt, ESA_HANDLE).await;
        let updated = update_sizes(kt, inode, size, shrink).await;
        let stopped = ext4_journal_stop(kt).await;
        updated.and(stopped)?;
        if !shrink {
            kt.with(|w| pagecache_isize_extended(w, inode, oldsize, size));
            probe!(kt, ESA_EXTENDED).await;
        }
    }
    probe!(kt, ESA_PAGES).await;
    truncate_pagecache(kt, inode, size).await;
    if size <= oldsize {
        probe!(kt, ESA_TRUNCATE).await;
        ext4_truncate(kt, inode).await?;
    }
    Ok(())
}

async fn update_sizes(kt: &Kthread, inode: InodeId, size: u64, shrink: bool) -> Result<(), Errno> {
    if shrink {
        ext4_orphan_add(kt, inode).await?;
        probe!(kt, ESA_ORPHAN).await;
    } else {
        kt.with(|w| {
            let now = current_time(w);
            let times = w.times_mut(inode);
            times.mtime = now;
            times.ctime = now;
        });
    }
    down_write(kt, RwSem::IDataSem(inode)).await;
    let old_disksize = kt.with(|w| std::mem::replace(&mut w.size_mut(inode).i_disksize, size));
    let marked = ext4_mark_inode_dirty(kt, inode).await;
    kt.with(|w| {
        match marked {
            Ok(()) => w.size_mut(inode).i_size = size,
            Err(_) => w.size_mut(inode).i_disksize = old_disksize,
        }
        up_write(w, RwSem::IDataSem(inode));
    });
    probe!(kt, ESA_SIZE).await;
    marked
}

/// `ext4_truncate()`, fs/ext4/inode.c:4277: frees the blocks and reservations
/// behind `i_size`. The caller has dropped the pages.
///
/// # Errors
/// What the journal or the extent tree gives.
pub async fn ext4_truncate(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    call!(
        kt,
        &site::EXT4_TRUNCATE,
        &[],
        Box::pin(async {
            let (head, size) = kt.with(|w| {
                let (head, size) = (*w.inodes.at(inode), *w.sizes.at(inode));
                point!(w, EXT4_TRUNCATE_ENTER, head.ino, size.i_blocks);
                (head, size.i_size)
            });
            let ret = if is_regular(head.mode) || head.mode & 0o170_000 == 0o040_000 {
                truncate_in_handle(kt, inode, size).await
            } else {
                Ok(()) // !ext4_can_truncate()
            };
            kt.with(|w| point!(w, EXT4_TRUNCATE_EXIT, head.ino, w.sizes.at(inode).i_blocks));
            ret
        }),
    )
    .await
}

/// Credits to free blocks of a file.
pub(in crate::fs::ext4) fn truncate_credits(w: &mut World, inode: InodeId) -> u32 {
    if !has_extents(w, inode) {
        return ext4_blocks_for_truncate(w, inode);
    }
    graph_writepage_trans_blocks(w, inode);
    ext4_writepage_trans_blocks(w, inode)
}

/// `ext4_blocks_for_truncate()`, fs/ext4/truncate.h:28: credits for the next part of a truncate.
pub(in crate::fs::ext4) fn ext4_blocks_for_truncate(w: &World, inode: InodeId) -> u32 {
    /// EXT4_MAX_TRANS_DATA.
    const DATA_MAX: u64 = 64;
    let needed = (w.sizes.at(inode).i_blocks >> (w.sb().block_bits - 9)).clamp(2, DATA_MAX);
    data_trans_blocks(w) + u32::try_from(needed).expect("at most 64")
}

async fn truncate_in_handle(kt: &Kthread, inode: InodeId, size: u64) -> Result<(), Errno> {
    if size == 0 && !kt.with(|w| MountOpts::of(w).contains(MountOpts::NO_AUTO_DA_ALLOC)) {
        kt.with(|w| w.inode_mut(inode).bits.insert(InodeBits::DA_ALLOC_CLOSE));
        probe!(kt, ETR_CLOSE).await;
    }
    if kt.with(|w| ext4_has_inline_data(w, inode)) {
        let cut = ext4_inline_data_truncate(kt, inode).await;
        probe!(kt, ETR_INLINE, err = cut).await;
        return cut;
    }
    let credits = kt.with(|w| truncate_credits(w, inode));
    ext4_journal_start(kt, HandleType::Truncate, credits).await?;
    probe!(kt, ETR_HANDLE, i_size = size).await;
    if !size.is_multiple_of(kt.with(|w| block_size(w))) {
        probe!(kt, ETR_TAIL).await;
        // The kernel drops its error.
        let _ = ext4_block_truncate_page(kt, inode, size).await;
    }
    let mut ret = ext4_orphan_add(kt, inode).await;
    if ret.is_ok() {
        probe!(kt, ETR_ORPHAN).await;
        down_write(kt, RwSem::IDataSem(inode)).await;
        ext4_discard_preallocations(kt, inode).await;
        probe!(kt, ETR_PAS).await;
        if kt.with(|w| has_extents(w, inode)) {
            ret = Box::pin(ext4_ext_truncate(kt, inode)).await;
        } else {
            Box::pin(ext4_ind_truncate(kt, inode)).await;
        }
        probe!(kt, ETR_EXTENTS, err = ret).await;
        kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
        let sync = kt.with(|w| is_sync(w, inode));
        if ret.is_ok() && sync {
            kt.with(|w| ext4_handle_sync(w, kt));
        }
    }
    if kt.with(|w| w.inodes.at(inode).nlink > 0) {
        // The kernel drops its error.
        let _ = ext4_orphan_del(kt, inode).await;
    }
    kt.with(|w| {
        w.graph("current_time { timestamp_truncate }");
        let now = current_time(w);
        let times = w.times_mut(inode);
        times.mtime = now;
        times.ctime = now;
    });
    let marked = ext4_mark_inode_dirty(kt, inode).await;
    // The kernel drops the error of stopping.
    let _ = ext4_journal_stop(kt).await;
    probe!(kt, ETR_DONE).await;
    ret.and(marked)
}

/// `ext4_block_truncate_page()`, fs/ext4/inode.c:3923: zeroes the rest of the
/// block that holds byte `from`, in the page cache.
///
/// # Errors
/// As [`ext4_block_zero_page_range`].
pub async fn ext4_block_truncate_page(kt: &Kthread, inode: InodeId, from: u64) -> Result<(), Errno> {
    let block = kt.with(|w| block_size(w));
    ext4_block_zero_page_range(kt, inode, from, block - from % block).await
}

/// `ext4_block_zero_page_range()`, fs/ext4/inode.c:3895: zeroes `length` bytes
/// from `from` inside one block, reading it first if it is not there; a hole
/// stays a hole. A DAX file's bytes are zeroed where they lie.
///
/// # Errors
/// `EIO` for a failed read.
pub async fn ext4_block_zero_page_range(kt: &Kthread, inode: InodeId, from: u64, length: u64) -> Result<(), Errno> {
    let block = kt.with(|w| block_size(w));
    let length = length.min(block - from % block);
    if kt.with(|w| is_dax(w, inode)) {
        return iomap_zero_range(kt, inode, from, length).await;
    }
    let index = u32::try_from(from / PAGE_SIZE).expect("page indices fit");
    kt.graph("ext4_block_zero_page_range {");
    let page = find_or_create_page(kt, inode, index).await;
    let bh = kt.with(|w| {
        if w.pages.at(page).nr_bhs == 0 {
            create_empty_buffers(w, page);
        }
        page.bh((from % PAGE_SIZE / block) as u32)
    });
    let iblock = u32::try_from(from / block).expect("a file has fewer than 2^32 blocks");
    let mut ret = Ok(());
    if !kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::MAPPED)) {
        // The kernel drops its error: still unmapped says enough.
        let _ = ext4_get_block_inlined(kt, inode, iblock, bh).await;
    }
    if kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::MAPPED)) {
        let there = kt.with(|w| {
            if w.pages.at(page).flags.contains(PageFlags::UPTODATE) {
                w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
            }
            w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)
        });
        if !there {
            kt.with(|w| submit_bh_read(w, bh, 0));
            wait_on_buffer(kt, bh).await;
        }
        let journalled = kt.with(|w| ext4_should_journal_data(w, inode));
        if kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::UPTODATE)) {
            if journalled {
                ext4_journal_get_write_access(kt, bh).await?;
            }
            kt.with(|w| {
                let offset = (from % block) as usize;
                w.bh_bytes_mut(bh, offset, length as usize).fill(0);
                if !journalled {
                    mark_buffer_dirty(w, bh);
                    w.graph("ext4_inode_journal_mode jbd2_journal_inode_ranged_write { jbd2_journal_file_inode }");
                }
            });
            if journalled {
                ret = ext4_handle_dirty_metadata(kt, None, bh).await;
            }
        } else {
            ret = Err(Errno::EIO);
        }
    }
    kt.with(|w| {
        unlock_page(w, page);
        put_page(w, page);
        w.graph("}");
    });
    ret
}
