//! Buffer heads: blocks of pages. Mirrors fs/buffer.c.
//!
//! A page's buffer heads lie in a row; their slots follow from the page's, so
//! attaching them allocates nothing. Metadata lives in the page cache of
//! [`InodeId::BDEV`], file data in the file's own.

use sched::{Kthread, wake_all};
use world::{
    BhFlags, BhId, Bio, BioVec, BufferHead, Errno, InodeId, InodeState, PAGE_SIZE, PageFlags, PageId, WaitOn, World,
};

use crate::block::ramdisk::{Completion, REQ_META, REQ_SYNC, Request, submit_bio};
use crate::fs::fs_writeback::mark_inode_dirty_state;
use crate::mm::filemap;
use crate::mm::page_writeback::{account_page_dirtied, end_page_writeback, set_page_writeback};
use crate::mm::writeback::{SyncMode, WritebackControl, mapping_set_error, redirty_page_for_writepage};
use crate::point;
use crate::trace::Graph as _;

/// Bytes of a block of the mounted file system.
#[must_use]
pub fn block_size(w: &World) -> u64 {
    1 << w.sb().block_bits
}

/// `create_empty_buffers()`, fs/buffer.c:1556: attaches buffer heads; they
/// inherit uptodate and dirty from the page.
pub fn create_empty_buffers(w: &mut World, page: PageId) {
    w.graph("create_empty_buffers { alloc_page_buffers }");
    attach_buffers(w, page);
}

fn attach_buffers(w: &mut World, page: PageId) {
    let size = block_size(w);
    let count = PAGE_SIZE / size;
    let flags = w.pages.at(page).flags;
    let mut inherited = BhFlags::PRESENT;
    inherited.set(BhFlags::UPTODATE, flags.contains(PageFlags::UPTODATE));
    inherited.set(BhFlags::DIRTY, flags.contains(PageFlags::DIRTY));
    for n in 0..count {
        *w.bh_mut(page.bh(n as u32)) =
            BufferHead { flags: inherited, page, blocknr: 0, offset: (n * size) as u16, size: size as u16, tid: 0 };
    }
    let page_ref = w.page_mut(page);
    page_ref.flags.insert(PageFlags::PRIVATE);
    page_ref.first_bh = page.bh(0);
    page_ref.nr_bhs = count as u8;
    page_ref.refs += 1;
}

/// Detaches a page's buffer heads (`drop_buffers`, fs/buffer.c:3209).
pub fn drop_buffers(w: &mut World, page: PageId) {
    if w.pages.at(page).nr_bhs == 0 {
        return;
    }
    for bh in w.page_bhs(page) {
        *w.bh_mut(bh) = BufferHead::default();
    }
    let page = w.page_mut(page);
    page.flags.remove(PageFlags::PRIVATE);
    page.first_bh = BhId::NONE;
    page.nr_bhs = 0;
    page.refs -= 1;
}

/// The buffer of a device block that the mount holds on to, so that nobody looks it up.
pub fn held_block(w: &mut World, block: u64) -> BhId {
    let quiet = std::mem::replace(&mut w.trace.quiet, true);
    let bh = getblk(w, block);
    w.trace.quiet = quiet;
    bh
}

/// `__getblk()`: the buffer of a device block, its bytes maybe not yet read.
/// Never fails: memory is not short of metadata pages.
pub fn getblk(w: &mut World, block: u64) -> BhId {
    let size = block_size(w);
    let (index, n) = ((block * size / PAGE_SIZE) as u32, (block * size % PAGE_SIZE / size) as u32);
    let known = w.find_page(InodeId::BDEV, index).filter(|page| w.pages.at(*page).nr_bhs > 0);
    w.graph("__getblk_gfp {");
    graph_find_get_block(w, block);
    if known.is_none() {
        w.trace.forget_buffer(block);
        graph_find_get_block(w, block);
        w.trace.forget_buffer(block);
    }
    let page = known.unwrap_or_else(|| grow_dev_page(w, index));
    if known.is_none() {
        graph_find_get_block(w, block);
    }
    w.graph("}");
    let bh = page.bh(n);
    let flags = w.bhs.at(bh).flags;
    if flags.contains(BhFlags::WRITE_EIO) && !flags.intersects(BhFlags::UPTODATE | BhFlags::LOCK) {
        // ext4_buffer_uptodate(): what could not be written still is the newer
        w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
    }
    bh
}

/// `__find_get_block()`, fs/buffer.c: asks the CPU's list of recent buffers, then the page cache.
pub fn graph_find_get_block(w: &mut World, block: u64) {
    if !world::GRAPHS {
        return;
    }
    w.graph(if w.trace.is_recent(block) {
        "__find_get_block"
    } else {
        "__find_get_block { pagecache_get_page { find_get_entry } }"
    });
    w.trace.touch_buffer(block);
}

/// `grow_dev_page()`: the page of a device block, with buffer heads.
fn grow_dev_page(w: &mut World, index: u32) -> PageId {
    let size = block_size(w);
    w.graph("pagecache_get_page { find_get_entry");
    let page = match w.find_page(InodeId::BDEV, index) {
        Some(page) => {
            w.graph("}");
            page
        }
        None => {
            let page = filemap::add_to_page_cache(w, InodeId::BDEV, index);
            w.graph("} alloc_page_buffers");
            filemap::unlock_page(w, page);
            filemap::put_page(w, page);
            page
        }
    };
    if w.pages.at(page).nr_bhs == 0 {
        attach_buffers(w, page);
        let first = u64::from(index) * (PAGE_SIZE / size);
        for (n, bh) in w.page_bhs(page).enumerate() {
            let head = w.bh_mut(bh);
            head.flags.insert(BhFlags::MAPPED);
            head.blocknr = first + n as u64;
        }
    }
    page
}

/// Submits a read of one buffer, which is then locked until the read ends.
pub fn submit_bh_read(w: &mut World, bh: BhId, rwbs: u8) {
    let head = *w.bhs.at(bh);
    w.bh_mut(bh).flags.insert(BhFlags::LOCK);
    let vec = BioVec { page: head.page, offset: u32::from(head.offset), len: u32::from(head.size), content: None };
    let inode = w.pages.at(head.page).mapping;
    w.graph("submit_bh {");
    submit_bio(
        w,
        Request {
            write: false,
            offset_bytes: head.blocknr * u64::from(head.size),
            vecs: &[vec],
            completion: Completion::Buffers,
            rwbs,
            inode,
        },
    );
    w.graph("}");
}

/// Submits a write of one dirty buffer (`submit_bh`); dirty is cleared first.
pub fn submit_bh_write(w: &mut World, bh: BhId, rwbs: u8) {
    let flags = &mut w.bh_mut(bh).flags;
    flags.remove(BhFlags::DIRTY | BhFlags::WRITE_EIO);
    flags.insert(BhFlags::LOCK);
    submit_bh(w, bh, Completion::Buffers, rwbs);
}

/// A request for one locked buffer.
fn submit_bh(w: &mut World, bh: BhId, completion: Completion, rwbs: u8) {
    let head = *w.bhs.at(bh);
    let vec = BioVec { page: head.page, offset: u32::from(head.offset), len: u32::from(head.size), content: None };
    let inode = w.pages.at(head.page).mapping;
    let offset_bytes = head.blocknr * u64::from(head.size);
    w.graph("submit_bh {");
    submit_bio(w, Request { write: true, offset_bytes, vecs: &[vec], completion, rwbs, inode });
    w.graph("}");
}

/// `end_buffer_read_sync()` and `end_buffer_write_sync()`, fs/buffer.c:156.
pub fn end_buffers(w: &mut World, bio: &Bio, vecs: &[BioVec]) {
    w.graph(match (bio.write, bio.rwbs & REQ_META != 0) {
        (true, _) => "end_buffer_write_sync",
        (false, true) => "ext4_end_bitmap_read { unlock_buffer }",
        (false, false) => "end_buffer_read_sync",
    });
    for vec in vecs {
        for bh in w.page_bhs(vec.page) {
            let head = *w.bhs.at(bh);
            let inside = u32::from(head.offset) >= vec.offset && u32::from(head.offset) < vec.offset + vec.len;
            if !inside {
                continue;
            }
            let flags = &mut w.bh_mut(bh).flags;
            flags.remove(BhFlags::LOCK);
            flags.set(BhFlags::UPTODATE, bio.error == 0);
            if bio.error != 0 && bio.write {
                mark_buffer_write_io_error(w, bh);
            }
            wake_all(w, WaitOn::Buffer(bh));
        }
    }
}

/// `mark_buffer_write_io_error()`, fs/buffer.c:1146: the buffer remembers, and
/// whoever syncs its mapping is told.
pub fn mark_buffer_write_io_error(w: &mut World, bh: BhId) {
    w.bh_mut(bh).flags.insert(BhFlags::WRITE_EIO);
    let mapping = w.pages.at(w.bhs.at(bh).page).mapping;
    if mapping.is_some() {
        mapping_set_error(w, mapping, Errno::EIO);
    }
}

/// `block_write_full_page()`, fs/buffer.c:2966, and `__block_write_full_page()`:
/// the mapped dirty buffers of a locked page go out, each by itself; the page
/// is unlocked. What the journal holds back (JBDDIRTY) is not dirty here.
pub async fn block_write_full_page(kt: &Kthread, page: PageId, wbc: &mut WritebackControl) {
    let bhs: Vec<BhId> = kt.with(|w| {
        if w.pages.at(page).nr_bhs == 0 {
            create_empty_buffers(w, page);
        }
        w.page_bhs(page).collect()
    });
    for &bh in &bhs {
        if !kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::MAPPED)) {
            continue;
        }
        if kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::LOCK)) {
            if wbc.sync_mode == SyncMode::None {
                kt.with(|w| redirty_page_for_writepage(w, wbc, page));
                continue;
            }
            wait_on_buffer(kt, bh).await;
        }
        kt.with(|w| {
            if w.bhs.at(bh).flags.contains(BhFlags::DIRTY) {
                let flags = &mut w.bh_mut(bh).flags;
                flags.remove(BhFlags::DIRTY | BhFlags::WRITE_EIO);
                flags.insert(BhFlags::LOCK | BhFlags::ASYNC_WRITE);
            }
        });
    }
    kt.with(|w| {
        w.graph("block_write_full_page { __block_write_full_page {");
        set_page_writeback(w, page, false);
        let sent: Vec<BhId> =
            bhs.iter().copied().filter(|&bh| w.bhs.at(bh).flags.contains(BhFlags::ASYNC_WRITE)).collect();
        let rwbs = if wbc.sync_mode == SyncMode::All { REQ_SYNC } else { 0 };
        for &bh in &sent {
            submit_bh(w, bh, Completion::AsyncBuffers, rwbs);
        }
        filemap::unlock_page(w, page);
        if sent.is_empty() {
            end_page_writeback(w, page);
        }
        w.graph("} }");
    });
}

/// `end_buffer_async_write()`, fs/buffer.c:351: with the last buffer of the
/// page, the page leaves writeback.
pub fn end_buffers_async_write(w: &mut World, bio: &Bio, vecs: &[BioVec]) {
    for vec in vecs {
        let bhs: Vec<BhId> = w.page_bhs(vec.page).collect();
        let Some(&done) = bhs.iter().find(|&&bh| u32::from(w.bhs.at(bh).offset) == vec.offset) else { continue };
        let flags = &mut w.bh_mut(done).flags;
        flags.remove(BhFlags::LOCK | BhFlags::ASYNC_WRITE);
        if bio.error == 0 {
            flags.insert(BhFlags::UPTODATE);
        } else {
            flags.remove(BhFlags::UPTODATE);
            w.page_mut(vec.page).flags.insert(PageFlags::ERROR);
            mark_buffer_write_io_error(w, done);
        }
        wake_all(w, WaitOn::Buffer(done));
        if !bhs.iter().any(|&bh| w.bhs.at(bh).flags.contains(BhFlags::ASYNC_WRITE)) {
            end_page_writeback(w, vec.page);
        }
    }
}

/// `wait_on_buffer()`: until the buffer's I/O has ended.
pub async fn wait_on_buffer(kt: &Kthread, bh: BhId) {
    while kt.with(|w| w.bhs.at(bh).flags.contains(BhFlags::LOCK)) {
        kt.sleep_on(WaitOn::Buffer(bh)).await;
    }
}

/// `__bread()`: the buffer of a device block with its bytes.
///
/// # Errors
/// `EIO` if the device fails the read.
pub async fn bread(kt: &Kthread, block: u64, rwbs: u8) -> Result<BhId, Errno> {
    let bh = kt.with(|w| {
        let bh = getblk(w, block);
        let flags = w.bhs.at(bh).flags;
        if !flags.intersects(BhFlags::UPTODATE | BhFlags::LOCK) {
            submit_bh_read(w, bh, rwbs);
        }
        bh
    });
    wait_on_buffer(kt, bh).await;
    kt.with(|w| if w.bhs.at(bh).flags.contains(BhFlags::UPTODATE) { Ok(bh) } else { Err(Errno::EIO) })
}

/// `mark_buffer_dirty()`, fs/buffer.c:1111: this buffer, then its page, then
/// its inode.
pub fn mark_buffer_dirty(w: &mut World, bh: BhId) {
    let head = *w.bhs.at(bh);
    w.graph("mark_buffer_dirty {");
    point!(w, BLOCK_DIRTY_BUFFER, head.blocknr, head.size);
    if !head.flags.contains(BhFlags::DIRTY) {
        w.bh_mut(bh).flags.insert(BhFlags::DIRTY);
        if set_page_dirty_nobuffers(w, head.page) {
            let mapping = w.pages.at(head.page).mapping;
            mark_inode_dirty_state(w, mapping, InodeState::DIRTY_PAGES);
        }
    }
    w.graph("}");
}

/// TestSetPageDirty and `__set_page_dirty()`, fs/buffer.c:600: true if the page was clean.
pub fn set_page_dirty_nobuffers(w: &mut World, page: PageId) -> bool {
    let (flags, mapping) = (w.pages.at(page).flags, w.pages.at(page).mapping);
    if flags.contains(PageFlags::DIRTY) {
        return false;
    }
    w.page_mut(page).flags.insert(PageFlags::DIRTY);
    if mapping.is_some() {
        w.graph("__set_page_dirty { account_page_dirtied }");
        account_page_dirtied(w, page);
        w.page_mut(page).flags.insert(PageFlags::TAG_DIRTY);
    }
    true
}
