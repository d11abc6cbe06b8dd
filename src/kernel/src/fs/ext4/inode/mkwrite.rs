//! A store through a shared mapping makes a clean page dirty: `ext4_page_mkwrite()`
//! of fs/ext4/inode.c with `block_page_mkwrite()` of fs/buffer.c.
//!
//! ```text
//!   store ─ page fault ─ ext4_page_mkwrite ─ times ─ blocks reserved ─ buffers dirty
//!                └ the entry allows stores, until writeback protects it again
//! ```
//!
//! Not modelled: data=journal, DAX faults, freezing; see
//! docs/omissions.md#mm.

use sched::{Kthread, RwSem, down_read, up_read};
use world::{BhFlags, Errno, InodeBits, InodeId, PAGE_SIZE, PageId, World};

use super::write::{GetBlock, block_commit_write, block_write_begin_int, ext4_nonda_switch};
use crate::fs::ext4::balloc::ext4_should_retry_alloc;
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::inline::convert::ext4_convert_inline_data;
use crate::fs::ext4::super_::{MountOpts, ext4_should_dioread_nolock, ext4_writepage_trans_blocks};
use crate::fs::inode::file_update_time;
use crate::fs::super_::{Freeze, sb_end_write, sb_start_write};
use crate::mm::filemap::{lock_page, unlock_page};
use crate::mm::writeback::{set_page_dirty_buffers, wait_for_stable_page};
use crate::trace::Graph as _;
use crate::trace::{Word, call};
use crate::{probe, site};

/// `vm_fault_t`, as far as page_mkwrite gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum VmFault {
    /// VM_FAULT_OOM.
    Oom = 0x1,
    /// VM_FAULT_SIGBUS: the process gets the signal.
    Sigbus = 0x2,
    /// VM_FAULT_NOPAGE: the page has gone, fault again.
    Nopage = 0x100,
    /// VM_FAULT_LOCKED: the page is ready for stores, and locked.
    Locked = 0x200,
}

impl Word for VmFault {
    fn word(self) -> u64 {
        u64::from(self as u32)
    }
}

/// `block_page_mkwrite_return()`, include/linux/buffer_head.h.
fn mkwrite_return(result: Result<(), Errno>) -> VmFault {
    match result {
        Ok(()) => VmFault::Locked,
        Err(Errno::EFAULT | Errno::EAGAIN) => VmFault::Nopage,
        Err(Errno::ENOMEM) => VmFault::Oom,
        Err(_) => VmFault::Sigbus,
    }
}

/// `ext4_page_mkwrite()`, fs/ext4/inode.c:6217: blocks and dirty buffers for a
/// cached page that a mapping is about to change. The page is unlocked, and
/// locked afterwards if the answer is [`VmFault::Locked`].
pub async fn ext4_page_mkwrite(kt: &Kthread, inode: InodeId, page: PageId) -> VmFault {
    call!(
        kt,
        &site::EXT4_PAGE_MKWRITE,
        &[],
        Box::pin(async {
            // do_page_mkwrite() refuses a swap file before it asks.
            if kt.with(|w| w.inodes.at(inode).bits.intersects(InodeBits::IMMUTABLE | InodeBits::SWAPFILE)) {
                probe!(kt, PMK_IMMUTABLE, page = page).await;
                return VmFault::Sigbus;
            }
            sb_start_write(kt, Freeze::Pagefault).await;
            // The kernel drops its error.
            let _ = file_update_time(kt, inode).await;
            probe!(kt, PMK_TIME, page = page).await;
            down_read(kt, RwSem::IMmapSem(inode)).await;
            let ret = mkwrite(kt, inode, page).await;
            kt.with(|w| {
                up_read(w, RwSem::IMmapSem(inode));
                sb_end_write(w, Freeze::Pagefault);
            });
            ret
        }),
    )
    .await
}

async fn mkwrite(kt: &Kthread, inode: InodeId, page: PageId) -> VmFault {
    let mut retries = 0;
    let converted = ext4_convert_inline_data(kt, inode).await;
    if converted.is_err() {
        return mkwrite_return(converted);
    }
    let delalloc = kt.with(|w| MountOpts::of(w).contains(MountOpts::DELALLOC));
    if delalloc && !ext4_nonda_switch(kt).await {
        loop {
            let result = block_page_mkwrite(kt, inode, page, GetBlock::DaPrep).await;
            probe!(kt, PMK_DA, err = result).await;
            if result != Err(Errno::ENOSPC) || !ext4_should_retry_alloc(kt, &mut retries).await {
                return mkwrite_return(result);
            }
        }
    }
    lock_page(kt, page).await;
    let Some(len) = kt.with(|w| bytes_inside(w, inode, page)) else {
        kt.with(|w| unlock_page(w, page));
        return VmFault::Nopage;
    };
    let mapped = kt.with(|w| {
        w.pages.at(page).nr_bhs > 0
            && w.page_bhs(page).all(|bh| {
                let head = w.bhs.at(bh);
                u64::from(head.offset) >= len || head.flags.contains(BhFlags::MAPPED)
            })
    });
    if mapped {
        wait_for_stable_page(kt, page).await;
        probe!(kt, PMK_MAPPED, len = len).await;
        return VmFault::Locked;
    }
    kt.with(|w| unlock_page(w, page));
    let (get_block, credits) = kt.with(|w| {
        let nolock = ext4_should_dioread_nolock(w, inode);
        (if nolock { GetBlock::Unwritten } else { GetBlock::Plain }, ext4_writepage_trans_blocks(w, inode))
    });
    loop {
        if ext4_journal_start(kt, HandleType::WritePage, credits).await.is_err() {
            return VmFault::Sigbus;
        }
        probe!(kt, PMK_JOURNAL).await;
        let result = block_page_mkwrite(kt, inode, page, get_block).await;
        // The kernel drops the error of stopping.
        let _ = ext4_journal_stop(kt).await;
        probe!(kt, PMK_BLOCKS, err = result).await;
        if result != Err(Errno::ENOSPC) || !ext4_should_retry_alloc(kt, &mut retries).await {
            return mkwrite_return(result);
        }
    }
}

/// How many of a page's bytes lie inside the file; `None` if the page has left
/// it, or lies behind its end.
fn bytes_inside(w: &World, inode: InodeId, page: PageId) -> Option<u64> {
    let (head, size) = (w.pages.at(page), w.sizes.at(inode).i_size);
    let start = u64::from(head.index) * PAGE_SIZE;
    (head.mapping == inode && start <= size).then(|| (size - start).min(PAGE_SIZE))
}

/// `block_page_mkwrite()`, fs/buffer.c:2426: maps the page's buffers and dirties
/// them. The page is locked if it worked.
///
/// # Errors
/// `EFAULT` if the page was truncated, or what get_block gives.
async fn block_page_mkwrite(kt: &Kthread, inode: InodeId, page: PageId, get_block: GetBlock) -> Result<(), Errno> {
    kt.graph("block_page_mkwrite {");
    lock_page(kt, page).await;
    let inside = kt.with(|w| bytes_inside(w, inode, page).map(|len| (u64::from(w.pages.at(page).index), len)));
    let result = match inside {
        None => Err(Errno::EFAULT),
        Some((index, len)) => {
            let begun = block_write_begin_int(kt, inode, page, index * PAGE_SIZE, len, get_block).await;
            begun.map(|()| kt.with(|w| block_commit_write(w, page, 0, len)))
        }
    };
    if result.is_err() {
        kt.with(|w| {
            unlock_page(w, page);
            w.graph("}");
        });
        return result;
    }
    // set_page_dirty(): all buffers, those behind i_size too
    kt.with(|w| set_page_dirty_buffers(w, page));
    wait_for_stable_page(kt, page).await;
    kt.graph("}");
    Ok(())
}
