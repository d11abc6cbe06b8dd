//! Bios of data pages and their end. Mirrors fs/ext4/page-io.c.
//!
//! ```text
//!   ext4_bio_write_page ── IoSubmit { bio being built } ── submit_bio
//!          │                        │                          │
//!     page_io_end[page] ───────> IoEnd { count, ranges } <── ext4_end_bio
//!                                   └─ last reference: convert the ranges,
//!                                      then the pages leave writeback
//! ```
//!
//! A page under writeback belongs to exactly one [`IoEnd`]. Who drops the last
//! reference decides who converts: on a device that completes inside submit
//! the submitter ([`ext4_put_io_end`]), else the conversion work's thread
//! ([`ext4_end_io_rsv_work`]).
//!
//! Not modelled: encryption (bounce pages), see docs/omissions.md#ext4.

use sched::{Kthread, wake_all};
use world::{
    BhFlags, BhId, Bio, BioVec, Counter, Errno, InodeId, IoEnd, IoEndId, IoEndPiece, IoEndVec, PAGE_SIZE, PageFlags,
    PageId, WaitOn, World,
};

use crate::block::ramdisk::{Completion, REQ_SYNC, Request, submit_bio};
use crate::fs::buffer::block_size;
use crate::fs::ext4::ext4_jbd2::{ext4_journal_start_reserved, ext4_journal_stop};
use crate::fs::ext4::extents::ext4_convert_unwritten_extents;
use crate::mm::filemap::unlock_page;
use crate::mm::page_writeback::{end_page_writeback, ino_of, set_page_writeback};
use crate::mm::writeback::{SyncMode, WritebackControl, mapping_set_error, redirty_page_for_writepage};
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{probe, site};

/// BIO_MAX_PAGES: pieces in a bio.
const BIO_MAX_PAGES: usize = 256;

/// What the conversion work sleeps on while it has nothing to do.
pub const RSV_CONVERSION_WORK: u32 = u32::MAX - 1;

/// `struct ext4_io_submit`: the bio being built. It lives on its caller's stack, as in C.
#[derive(Debug, Default)]
pub struct IoSubmit {
    /// The batch that the next bios belong to.
    pub io_end: IoEndId,
    vecs: Vec<BioVec>,
    first_block: u64,
    next_block: u64,
}

impl IoSubmit {
    /// `ext4_io_submit_init()`: no bio yet.
    #[must_use]
    pub fn new(io_end: IoEndId) -> Self {
        IoSubmit { io_end, ..IoSubmit::default() }
    }
}

/// `ext4_init_io_end()`, fs/ext4/page-io.c:279: a batch with one reference.
pub fn ext4_init_io_end(w: &mut World, inode: InodeId) -> IoEndId {
    w.graph("ext4_init_io_end");
    let rec = w.rec;
    w.io_ends.alloc(rec, IoEnd { used: true, inode, count: 1, ..IoEnd::default() })
}

/// `ext4_alloc_io_end_vec()`: a new, still empty range of bytes to convert.
pub fn ext4_alloc_io_end_vec(w: &mut World, io_end: IoEndId, offset: u64) {
    w.graph("ext4_alloc_io_end_vec");
    let slot = w.io_end_mut(io_end);
    let n = slot.nr_vecs;
    slot.nr_vecs += 1;
    w.io_end_vec_set((io_end, n), Some(IoEndVec { offset, size: 0 }));
}

/// Makes the batch's last range longer.
///
/// # Panics
/// If it has none.
pub fn io_end_vec_extend(w: &mut World, io_end: IoEndId, bytes: u64) {
    w.graph("ext4_last_io_end_vec");
    let n = w.io_ends.at(io_end).nr_vecs.checked_sub(1).expect("ext4_last_io_end_vec() finds one");
    let vec = w.io_end_vecs.get((io_end, n)).expect("ranges are numbered from 0");
    w.io_end_vec_set((io_end, n), Some(IoEndVec { size: vec.size + bytes, ..vec }));
}

/// `ext4_io_submit()`, fs/ext4/page-io.c:375: sends the bio, if there is one.
pub fn ext4_io_submit(w: &mut World, io: &mut IoSubmit, sync_mode: SyncMode) {
    w.graph("ext4_io_submit {");
    submit_vecs(w, io, sync_mode);
    w.graph("}");
}

fn submit_vecs(w: &mut World, io: &mut IoSubmit, sync_mode: SyncMode) {
    if io.vecs.is_empty() {
        return;
    }
    let vecs = std::mem::take(&mut io.vecs);
    let inode = w.io_ends.at(io.io_end).inode;
    let rwbs = if sync_mode == SyncMode::All { REQ_SYNC } else { 0 };
    let offset_bytes = io.first_block * block_size(w);
    submit_bio(w, Request { write: true, offset_bytes, vecs: &vecs, completion: Completion::Pages, rwbs, inode });
}

/// `io_submit_add_bh()`, fs/ext4/page-io.c:417.
fn io_submit_add_bh(w: &mut World, io: &mut IoSubmit, bh: BhId, sync_mode: SyncMode) {
    let head = *w.bhs.at(bh);
    assert!(head.flags.contains(BhFlags::MAPPED), "BUG_ON: a buffer is mapped when submitted");
    if !io.vecs.is_empty() && head.blocknr != io.next_block {
        ext4_io_submit(w, io, sync_mode);
    }
    let (offset, len) = (u32::from(head.offset), u32::from(head.size));
    let merges = |vec: &BioVec| vec.page == head.page && vec.offset + vec.len == offset;
    if !io.vecs.last().is_some_and(merges) && io.vecs.len() == BIO_MAX_PAGES {
        ext4_io_submit(w, io, sync_mode);
    }
    if io.vecs.is_empty() {
        io.first_block = head.blocknr;
        io.next_block = head.blocknr;
        w.io_end_mut(io.io_end).count += 1; // ext4_get_io_end()
    }
    match io.vecs.last_mut() {
        Some(vec) if merges(vec) => vec.len += len,
        _ => io.vecs.push(BioVec { page: head.page, offset, len, content: None }),
    }
    io.next_block += 1;
}

/// `ext4_bio_write_page()`, fs/ext4/page-io.c:442: puts the mapped dirty
/// buffers of a locked page into bios and unlocks it. `len` is how many of
/// its bytes lie inside the file; the rest is zeroed.
///
/// # Panics
/// If the page is not locked, or under writeback already.
pub fn ext4_bio_write_page(
    w: &mut World,
    io: &mut IoSubmit,
    page: PageId,
    len: u64,
    wbc: &mut WritebackControl,
    keep_towrite: bool,
) {
    let flags = w.pages.at(page).flags;
    assert!(flags.contains(PageFlags::LOCKED), "BUG_ON: the page is locked");
    assert!(!flags.contains(PageFlags::WRITEBACK), "BUG_ON: the page is not under writeback");
    w.graph("ext4_bio_write_page {");
    w.page_io_end_set(page, Some(io.io_end));
    set_page_writeback(w, page, keep_towrite);
    w.page_mut(page).flags.remove(PageFlags::ERROR);
    if len < PAGE_SIZE {
        let (content, rec, from) = (w.pages.at(page).content, w.rec, len as usize);
        if w.contents.get(content)[from..].iter().any(|&byte| byte != 0) {
            w.contents.range_mut(rec, content, from, PAGE_SIZE as usize - from).fill(0);
        }
    }
    let mut to_submit = 0;
    for bh in w.page_bhs(page) {
        let head = *w.bhs.at(bh);
        if u64::from(head.offset) >= len {
            let flags = &mut w.bh_mut(bh).flags;
            flags.remove(BhFlags::DIRTY);
            flags.insert(BhFlags::UPTODATE);
            continue;
        }
        let writable = head.flags.contains(BhFlags::DIRTY | BhFlags::MAPPED)
            && !head.flags.intersects(BhFlags::DELAY | BhFlags::UNWRITTEN);
        if !writable {
            if !head.flags.contains(BhFlags::MAPPED) {
                w.bh_mut(bh).flags.remove(BhFlags::DIRTY); // a hole
            }
            let page_dirty = w.pages.at(page).flags.contains(PageFlags::DIRTY);
            if w.bhs.at(bh).flags.contains(BhFlags::DIRTY) && !page_dirty {
                redirty_page_for_writepage(w, wbc, page);
            }
            ext4_io_submit(w, io, wbc.sync_mode);
            continue;
        }
        let flags = &mut w.bh_mut(bh).flags;
        flags.remove(BhFlags::NEW | BhFlags::DIRTY);
        flags.insert(BhFlags::ASYNC_WRITE);
        to_submit += 1;
    }
    for bh in w.page_bhs(page) {
        if w.bhs.at(bh).flags.contains(BhFlags::ASYNC_WRITE) {
            io_submit_add_bh(w, io, bh, wbc.sync_mode);
        }
    }
    unlock_page(w, page);
    if to_submit == 0 {
        w.page_io_end_set(page, None);
        end_page_writeback(w, page);
    }
    w.graph("}");
}

/// `ext4_end_bio()`, fs/ext4/page-io.c:327. Pages of a batch that is to be
/// converted stay under writeback until that is done.
///
/// # Panics
/// If a page is not part of a batch.
pub fn ext4_end_bio(w: &mut World, bio: &Bio, vecs: &[BioVec]) {
    let io_end = w.page_io_end.get(vecs[0].page).expect("a page under writeback has its batch");
    let head = *w.io_ends.at(io_end);
    w.graph("ext4_end_bio {");
    if bio.error != 0 {
        let errno = if bio.error == Errno::ENOSPC as u16 { Errno::ENOSPC } else { Errno::EIO };
        mapping_set_error(w, head.inode, errno);
    }
    let pieces =
        vecs.iter().map(|vec| IoEndPiece { page: vec.page, offset: vec.offset, len: vec.len, error: bio.error });
    if head.unwritten {
        for piece in pieces {
            let slot = w.io_end_mut(io_end);
            let n = slot.nr_pieces;
            slot.nr_pieces += 1;
            w.io_end_piece_set((io_end, n), Some(piece));
        }
        ext4_put_io_end_defer(w, io_end);
    } else {
        ext4_put_io_end_defer(w, io_end);
        w.graph("ext4_finish_bio {");
        for piece in pieces {
            ext4_finish_piece(w, piece);
        }
        w.graph("}");
    }
    w.graph("}");
}

/// `ext4_finish_bio()`, fs/ext4/page-io.c:100, for one piece: its buffers are
/// done; with the last of the page's, the page leaves writeback.
fn ext4_finish_piece(w: &mut World, piece: IoEndPiece) {
    if piece.error != 0 {
        w.page_mut(piece.page).flags.insert(PageFlags::ERROR);
        let mapping = w.pages.at(piece.page).mapping;
        if mapping.is_some() {
            mapping_set_error(w, mapping, Errno::EIO);
        }
    }
    let mut under_io = false;
    for bh in w.page_bhs(piece.page) {
        let head = *w.bhs.at(bh);
        let (start, end) = (u32::from(head.offset), u32::from(head.offset) + u32::from(head.size));
        if start < piece.offset || end > piece.offset + piece.len {
            under_io |= head.flags.contains(BhFlags::ASYNC_WRITE);
            continue;
        }
        assert!(head.flags.contains(BhFlags::MAPPED), "BUG_ON: a buffer is mapped when its bio completes");
        let flags = &mut w.bh_mut(bh).flags;
        flags.remove(BhFlags::ASYNC_WRITE);
        if piece.error != 0 {
            flags.insert(BhFlags::WRITE_EIO);
        }
    }
    if !under_io {
        w.page_io_end_set(piece.page, None);
        end_page_writeback(w, piece.page);
    }
}

/// `ext4_release_io_end()`, fs/ext4/page-io.c:153: the waiting pieces end, the batch goes.
fn ext4_release_io_end(w: &mut World, io_end: IoEndId) {
    let head = *w.io_ends.at(io_end);
    w.graph(if head.nr_pieces > 0 { "ext4_release_io_end { ext4_finish_bio {" } else { "ext4_release_io_end {" });
    for n in 0..head.nr_pieces {
        let piece = w.io_end_pieces.get((io_end, n)).expect("pieces are numbered from 0");
        w.io_end_piece_set((io_end, n), None);
        ext4_finish_piece(w, piece);
    }
    w.graph(if head.nr_pieces > 0 { "} }" } else { "}" });
    for n in 0..head.nr_vecs {
        w.io_end_vec_set((io_end, n), None);
    }
    let rec = w.rec;
    w.io_ends.release(rec, io_end);
}

/// Drops a reference; true if it was the last.
fn io_end_put_ref(w: &mut World, io_end: IoEndId) -> bool {
    let slot = w.io_end_mut(io_end);
    slot.count -= 1;
    slot.count == 0
}

/// `ext4_put_io_end_defer()`, fs/ext4/page-io.c:292: the last reference of a
/// batch to be converted hands it to the conversion work.
pub fn ext4_put_io_end_defer(w: &mut World, io_end: IoEndId) {
    if !io_end_put_ref(w, io_end) {
        w.graph("ext4_put_io_end_defer");
        return;
    }
    let head = *w.io_ends.at(io_end);
    if !head.unwritten || head.nr_vecs == 0 {
        w.graph("ext4_put_io_end_defer {");
        ext4_release_io_end(w, io_end);
        w.graph("}");
        return;
    }
    w.graph("ext4_put_io_end_defer");
    // ext4_add_complete_io()
    let seq = w.next(Counter::CompletedIoSeq);
    w.completed_io_set(seq, Some(io_end));
    wake_all(w, WaitOn::Work(RSV_CONVERSION_WORK));
}

/// `ext4_put_io_end()`, fs/ext4/page-io.c:304: the last reference converts at once.
///
/// # Errors
/// What the conversion gives.
pub async fn ext4_put_io_end(kt: &Kthread, io_end: IoEndId) -> Result<(), Errno> {
    if !kt.with(|w| io_end_put_ref(w, io_end)) {
        kt.graph("ext4_put_io_end");
        return Ok(());
    }
    kt.graph("ext4_put_io_end {");
    let mut ret = Ok(());
    if kt.with(|w| w.io_ends.at(io_end).unwritten) {
        ret = ext4_convert_unwritten_io_end_vec(kt, io_end).await;
        kt.with(|w| w.io_end_mut(io_end).unwritten = false);
    }
    kt.with(|w| {
        ext4_release_io_end(w, io_end);
        w.graph("}");
    });
    ret
}

/// `ext4_convert_unwritten_io_end_vec()`, fs/ext4/extents.c:4881: all ranges of
/// a batch in the reserved handle, or each in its own.
///
/// # Errors
/// What the journal or the extent tree gives; the rest is then left unwritten.
async fn ext4_convert_unwritten_io_end_vec(kt: &Kthread, io_end: IoEndId) -> Result<(), Errno> {
    let head = kt.with(|w| {
        w.graph("ext4_convert_unwritten_io_end_vec {");
        *w.io_ends.at(io_end)
    });
    let reserved = head.rsv_credits > 0;
    if reserved {
        ext4_journal_start_reserved(kt, head.rsv_credits).await?;
    }
    let mut ret = Ok(());
    for n in 0..head.nr_vecs {
        let vec = kt.with(|w| w.io_end_vecs.get((io_end, n)).expect("ranges are numbered from 0"));
        ret = ext4_convert_unwritten_extents(kt, head.inode, vec.offset, vec.size).await;
        if ret.is_err() {
            break;
        }
    }
    let stopped = if reserved { ext4_journal_stop(kt).await } else { Ok(()) };
    kt.graph("}");
    ret.and(stopped)
}

/// `ext4_end_io_end()`, fs/ext4/page-io.c:178. Converts even if the write
/// failed; a failure to convert is a message only ("potential data loss").
///
/// # Errors
/// What the conversion gives.
pub async fn ext4_end_io_end(kt: &Kthread, io_end: IoEndId) -> Result<(), Errno> {
    let vec = kt.with(|w| w.io_end_vecs.get((io_end, 0)).unwrap_or_default());
    call!(
        kt,
        &site::EXT4_END_IO_END,
        &[vec.offset, vec.size],
        Box::pin(async {
            let ret = ext4_convert_unwritten_io_end_vec(kt, io_end).await;
            probe!(kt, EIE_CONVERT, ret = ret).await;
            kt.with(|w| {
                w.io_end_mut(io_end).unwritten = false;
                ext4_release_io_end(w, io_end);
            });
            probe!(kt, EIE_RELEASE).await;
            ret
        }),
    )
    .await
}

/// `ext4_do_flush_completed_IO()`, fs/ext4/page-io.c:243: converts what waits, oldest first.
pub async fn ext4_do_flush_completed_io(kt: &Kthread) {
    while let Some(io_end) = kt.with(|w| {
        let (&seq, &io_end) = w.completed_io.entries().first_key_value()?;
        w.completed_io_set(seq, None);
        Some(io_end)
    }) {
        // An error was told of in the log; nobody waits for it here.
        let _ = ext4_end_io_end(kt, io_end).await;
    }
}

/// `ext4_end_io_rsv_work()`, fs/ext4/page-io.c:272, as a kernel thread's body.
pub async fn ext4_end_io_rsv_work(kt: Kthread) {
    loop {
        ext4_do_flush_completed_io(&kt).await;
        kt.sleep_on(WaitOn::Work(RSV_CONVERSION_WORK)).await;
    }
}

/// Batches in flight, for a test or a reader of the state.
#[must_use]
pub fn io_ends_of(w: &World, ino: u64) -> usize {
    w.io_ends.iter().filter(|(_, io_end)| ino_of(w, io_end.inode) == ino).count()
}
