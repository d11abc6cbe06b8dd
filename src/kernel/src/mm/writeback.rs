//! Dirty pages on their way out: the part of mm/page-writeback.c and
//! mm/filemap.c that finds, tags, cleans and waits for pages.
//!
//! ```text
//!   tag DIRTY ──tag_pages_for_writeback──> TOWRITE ──clear_page_dirty_for_io──> (PG_dirty off)
//!      └── set_page_writeback: tag WRITEBACK, DIRTY and TOWRITE off ── bio ── end_page_writeback
//! ```
//!
//! Not modelled: cgroup writeback, congestion, the pagevec's batches of 15
//! (pages are looked up one by one), see docs/omissions.md#writeback.

use std::future::Future;
use std::pin::Pin;

use sched::Kthread;
use world::{BhFlags, Errno, FileId, InodeId, InodeState, PAGE_SIZE, PageFlags, PageId, Pte, World};

use crate::fs::buffer::{block_write_full_page, set_page_dirty_nobuffers};
use crate::fs::ext4::inode::dax::ext4_dax_writepages;
use crate::fs::ext4::inode::writepages::ext4_writepages;
use crate::fs::fs_writeback::mark_inode_dirty_state;
use crate::fs::inode::is_dax;
use crate::mm::filemap::{lock_page, unlock_page, wait_on_page_writeback};
use crate::mm::page_writeback::account_page_cleaned;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// `LLONG_MAX`: the end of every file.
pub const LLONG_MAX: u64 = i64::MAX as u64;

/// `enum writeback_sync_modes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// WB_SYNC_NONE: write what is easy, do not wait.
    #[default]
    None,
    /// WB_SYNC_ALL: everything that is dirty now, for integrity.
    All,
}

/// `struct writeback_control`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WritebackControl {
    /// Pages to write; counts down.
    pub nr_to_write: i64,
    /// Pages that could not be written.
    pub pages_skipped: i64,
    /// First byte.
    pub range_start: u64,
    /// Last byte.
    pub range_end: u64,
    /// For integrity or not.
    pub sync_mode: SyncMode,
    /// Of the periodic writeback.
    pub for_kupdate: bool,
    /// Of the background writeback.
    pub for_background: bool,
    /// Of sync(2): the caller waits by itself.
    pub for_sync: bool,
    /// Go on where the last such call stopped.
    pub range_cyclic: bool,
    /// `tagged_writepages`: tag first, to end even if others dirty more.
    pub tagged: bool,
}

impl WritebackControl {
    /// All pages of bytes `start..=end`.
    #[must_use]
    pub fn range(sync_mode: SyncMode, start: u64, end: u64) -> Self {
        WritebackControl { nr_to_write: i64::MAX, range_start: start, range_end: end, sync_mode, ..Self::default() }
    }

    /// The whole file: what a clean end sets `writeback_index` for.
    #[must_use]
    pub fn range_whole(&self) -> bool {
        self.range_start == 0 && self.range_end == LLONG_MAX
    }

    /// The tag that a walk looks for.
    #[must_use]
    pub fn tag(&self) -> PageFlags {
        if self.sync_mode == SyncMode::All || self.tagged { PageFlags::TAG_TOWRITE } else { PageFlags::TAG_DIRTY }
    }
}

/// Page index of a byte offset, the last possible one if it is beyond.
#[must_use]
pub fn page_index(offset: u64) -> u32 {
    u32::try_from(offset / PAGE_SIZE).unwrap_or(u32::MAX)
}

/// The first page of `inode` in `from..=to` with one of `tags`.
#[must_use]
pub fn find_tagged(w: &World, inode: InodeId, from: u32, to: u32, tags: PageFlags) -> Option<PageId> {
    // Mostly the next page has the tag: asked for by itself, no end has to be found.
    let tagged = |page: PageId| w.pages.at(page).flags.intersects(tags);
    match w.cache.entries().at_or_behind(&(inode, from)) {
        Some((&(of, index), &page)) if of == inode && index <= to => {
            if tagged(page) {
                return Some(page);
            }
        }
        _ => return None,
    }
    w.cache.entries().range((inode, from)..=(inode, to)).map(|(_, &page)| page).find(|&page| tagged(page))
}

/// `mapping_tagged()`: some page of the inode has one of `tags`.
#[must_use]
pub fn mapping_tagged(w: &World, inode: InodeId, tags: PageFlags) -> bool {
    find_tagged(w, inode, 0, u32::MAX, tags).is_some()
}

/// `tag_pages_for_writeback()`, mm/page-writeback.c:2137: DIRTY becomes TOWRITE too.
pub fn tag_pages_for_writeback(w: &mut World, inode: InodeId, from: u32, to: u32) {
    w.graph("tag_pages_for_writeback");
    if from > to {
        return;
    }
    let dirty: Vec<PageId> = w
        .cache
        .entries()
        .range((inode, from)..=(inode, to))
        .map(|(_, &page)| page)
        .filter(|&page| w.pages.at(page).flags.contains(PageFlags::TAG_DIRTY))
        .collect();
    for page in dirty {
        w.page_mut(page).flags.insert(PageFlags::TAG_TOWRITE);
    }
}

/// `page_mkclean()`: write-protects all page table entries of a page; true if
/// one of them allowed stores.
pub fn page_mkclean(w: &mut World, page: PageId) -> bool {
    let mapping = w.pages.at(page).mapping;
    if !mapping.is_some() || w.inodes.get(mapping).is_none_or(|inode| inode.mmap_writable == 0) {
        return false;
    }
    let writable: Vec<((u8, u64), bool)> = w
        .ptes
        .entries()
        .iter()
        .filter_map(|(&key, pte)| match *pte {
            Pte::Cache { page: mapped, writable: true, young } if mapped == page => Some((key, young)),
            _ => None,
        })
        .collect();
    for &(key, young) in &writable {
        w.pte_set(key, Some(Pte::Cache { page, writable: false, young }));
    }
    !writable.is_empty()
}

/// `__set_page_dirty_buffers()`, fs/buffer.c:641: all buffers and the page;
/// true if the page was clean.
pub fn set_page_dirty_buffers(w: &mut World, page: PageId) -> bool {
    w.graph("set_page_dirty { ext4_set_page_dirty { __set_page_dirty_buffers {");
    for bh in w.page_bhs(page) {
        w.bh_mut(bh).flags.insert(BhFlags::DIRTY);
    }
    let newly = set_page_dirty_nobuffers(w, page);
    let mapping = w.pages.at(page).mapping;
    if newly && mapping.is_some() {
        mark_inode_dirty_state(w, mapping, InodeState::DIRTY_PAGES);
    }
    w.graph("} } }");
    newly
}

/// `clear_page_dirty_for_io()`, mm/page-writeback.c:2683: write-protects the
/// page and takes it out of the dirty count; its tags stay until
/// `set_page_writeback()`. True if it was dirty.
///
/// # Panics
/// If the page is not locked.
pub fn clear_page_dirty_for_io(w: &mut World, page: PageId) -> bool {
    assert!(w.pages.at(page).flags.contains(PageFlags::LOCKED), "BUG_ON: the page is locked");
    w.graph("clear_page_dirty_for_io {");
    if page_mkclean(w, page) {
        set_page_dirty_buffers(w, page);
    }
    w.graph("}");
    if !w.pages.at(page).flags.contains(PageFlags::DIRTY) {
        return false;
    }
    w.page_mut(page).flags.remove(PageFlags::DIRTY);
    account_page_cleaned(w);
    true
}

/// `wait_for_stable_page()`, mm/page-writeback.c:2866: a device that computes
/// something of a page's bytes needs them to stay while it writes them.
pub async fn wait_for_stable_page(kt: &Kthread, page: PageId) {
    let busy = kt.with(|w| w.sb().stable_writes && w.pages.at(page).flags.contains(PageFlags::WRITEBACK));
    if !busy {
        kt.graph("wait_for_stable_page");
        return;
    }
    call!(
        kt,
        &site::WAIT_FOR_STABLE_PAGE,
        &[u64::from(page.0)],
        Box::pin(async {
            probe!(kt, WSP_WAIT).await;
            wait_on_page_writeback(kt, page).await;
        }),
    )
    .await;
}

/// `redirty_page_for_writepage()`, mm/page-writeback.c:2557: the page stays
/// dirty, and is not counted as newly dirtied.
pub fn redirty_page_for_writepage(w: &mut World, wbc: &mut WritebackControl, page: PageId) {
    use world::Counter::{Dirtied, WbDirtied};
    wbc.pages_skipped += 1;
    if set_page_dirty_nobuffers(w, page) {
        let mapping = w.pages.at(page).mapping;
        if mapping.is_some() {
            mark_inode_dirty_state(w, mapping, InodeState::DIRTY_PAGES);
        }
    }
    // account_page_redirty()
    *w.counter_mut(Dirtied) -= 1;
    *w.counter_mut(WbDirtied) -= 1;
    let current = w.current;
    if current.is_some() {
        let acct = w.acct_mut(current);
        acct.nr_dirtied = acct.nr_dirtied.saturating_sub(1);
    }
}

type Writing<'a> = Pin<Box<dyn Future<Output = Result<(), Errno>> + 'a>>;

/// `do_writepages()`, mm/page-writeback.c:2366.
///
/// Boxed: the way leads back here through a commit that writes ordered data.
///
/// # Errors
/// What the file system's `writepages` gives.
pub fn do_writepages<'a>(kt: &'a Kthread, inode: InodeId, wbc: &'a mut WritebackControl) -> Writing<'a> {
    Box::pin(async move {
        if wbc.nr_to_write <= 0 {
            return Ok(());
        }
        kt.graph("do_writepages {");
        let written = if inode == InodeId::BDEV {
            generic_writepages(kt, inode, wbc).await
        } else if kt.with(|w| is_dax(w, inode)) {
            ext4_dax_writepages(kt, inode, wbc).await
        } else {
            ext4_writepages(kt, inode, wbc).await
        };
        kt.graph("}");
        written
    })
}

/// `__filemap_fdatawrite_range()`, mm/filemap.c:406: starts writing bytes `start..=end`.
///
/// # Errors
/// What the file system's `writepages` gives.
pub async fn filemap_fdatawrite_range(
    kt: &Kthread,
    inode: InodeId,
    start: u64,
    end: u64,
    sync_mode: SyncMode,
) -> Result<(), Errno> {
    if !kt.with(|w| mapping_tagged(w, inode, PageFlags::TAG_DIRTY)) {
        kt.graph("__filemap_fdatawrite_range");
        return Ok(());
    }
    kt.graph("__filemap_fdatawrite_range {");
    let written = do_writepages(kt, inode, &mut WritebackControl::range(sync_mode, start, end)).await;
    kt.graph("}");
    written
}

/// `filemap_flush()`, mm/filemap.c:455: starts writing the whole file, waits for nothing.
///
/// # Errors
/// What the file system's `writepages` gives.
pub async fn filemap_flush(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    filemap_fdatawrite_range(kt, inode, 0, LLONG_MAX, SyncMode::None).await
}

/// `__filemap_fdatawait_range()`, mm/filemap.c:504: until no page of bytes
/// `start..=end` is under writeback.
pub async fn filemap_fdatawait_range_keep_errors(kt: &Kthread, inode: InodeId, start: u64, end: u64) {
    if end < start {
        return;
    }
    let (mut index, last) = (page_index(start), page_index(end));
    let found = |index| kt.with(|w| find_tagged(w, inode, index, last, PageFlags::TAG_WRITEBACK));
    if found(index).is_none() {
        kt.graph("__filemap_fdatawait_range { pagevec_lookup_range_tag { find_get_pages_range_tag } }");
        return;
    }
    call!(
        kt,
        &site::FDATAWAIT_RANGE,
        &[start, end],
        Box::pin(async {
            kt.graph("pagevec_lookup_range_tag { find_get_pages_range_tag }");
            while let Some(page) = found(index) {
                probe!(kt, FWR_WAIT, page = page).await;
                wait_on_page_writeback(kt, page).await;
                index = kt.with(|w| {
                    w.page_mut(page).flags.remove(PageFlags::ERROR);
                    w.pages.at(page).index
                });
                if index == last {
                    break;
                }
                index += 1;
            }
        }),
    )
    .await;
}

/// `filemap_fdatawait_range()`, mm/filemap.c:551: waits, and takes the error
/// bits of the mapping.
///
/// # Errors
/// `EIO` or `ENOSPC` of a write that failed.
pub async fn filemap_fdatawait_range(kt: &Kthread, inode: InodeId, start: u64, end: u64) -> Result<(), Errno> {
    filemap_fdatawait_range_keep_errors(kt, inode, start, end).await;
    kt.with(|w| filemap_check_errors(w, inode))
}

/// `filemap_write_and_wait_range()`, mm/filemap.c:649: bytes `start..=end`.
///
/// # Errors
/// The first error of writing or waiting.
pub async fn filemap_write_and_wait_range(kt: &Kthread, inode: InodeId, start: u64, end: u64) -> Result<(), Errno> {
    if kt.with(|w| w.sizes.at(inode).nrpages == 0) {
        kt.graph("filemap_write_and_wait_range");
        return kt.with(|w| filemap_check_errors(w, inode));
    }
    kt.graph("filemap_write_and_wait_range {");
    let written = filemap_fdatawrite_range(kt, inode, start, end, SyncMode::All).await;
    if written == Err(Errno::EIO) {
        // The worst: waiting could be for ever. The old error bits go too.
        let _ = kt.with(|w| filemap_check_errors(w, inode));
        return written;
    }
    let waited = filemap_fdatawait_range(kt, inode, start, end).await;
    kt.graph("}");
    written.and(waited)
}

/// `file_write_and_wait_range()`, mm/filemap.c:755: as above, with the errors
/// this open file has not yet seen.
///
/// # Errors
/// The first error of writing, or of an earlier write.
pub async fn file_write_and_wait_range(kt: &Kthread, file: FileId, start: u64, end: u64) -> Result<(), Errno> {
    let inode = kt.with(|w| w.files.at(file).inode);
    let mut written = Ok(());
    kt.graph("file_write_and_wait_range {");
    if kt.with(|w| w.sizes.at(inode).nrpages > 0) {
        written = filemap_fdatawrite_range(kt, inode, start, end, SyncMode::All).await;
        if written != Err(Errno::EIO) {
            filemap_fdatawait_range_keep_errors(kt, inode, start, end).await;
        }
    }
    let seen = kt.with(|w| {
        w.graph("file_check_and_advance_wb_err }");
        file_check_and_advance_wb_err(w, file)
    });
    written.and(seen)
}

fn errno_of(number: u16) -> Errno {
    if number == Errno::ENOSPC as u16 { Errno::ENOSPC } else { Errno::EIO }
}

/// `mapping_set_error()`, include/linux/pagemap.h:49.
pub fn mapping_set_error(w: &mut World, inode: InodeId, errno: Errno) {
    let wb = w.wb_mut(inode);
    if wb.seen || wb.wb_err == 0 {
        wb.wb_err += 1; // errseq_set(): counts on only if the last one was seen
    }
    wb.errno = errno as u16;
    wb.seen = false;
    wb.as_error = if errno == Errno::ENOSPC { Errno::ENOSPC as u16 } else { Errno::EIO as u16 };
}

/// `filemap_check_errors()`, mm/filemap.c:365: AS_EIO and AS_ENOSPC, once.
///
/// # Errors
/// The error bit that was set.
pub fn filemap_check_errors(w: &mut World, inode: InodeId) -> Result<(), Errno> {
    let number = w.wbs.get(inode).map_or(0, |wb| wb.as_error);
    if number == 0 {
        return Ok(());
    }
    w.wb_mut(inode).as_error = 0;
    Err(errno_of(number))
}

/// `filemap_sample_wb_err()`: what a new `f_wb_err` is. An error that nobody
/// has seen yet is reported to the new file too.
#[must_use]
pub fn filemap_sample_wb_err(w: &World, inode: InodeId) -> u32 {
    w.wbs.get(inode).map_or(0, |wb| if wb.seen || wb.wb_err == 0 { wb.wb_err } else { wb.wb_err - 1 })
}

/// `file_check_and_advance_wb_err()`, mm/filemap.c:711: an error since this
/// open file last looked.
///
/// # Errors
/// That error.
pub fn file_check_and_advance_wb_err(w: &mut World, file: FileId) -> Result<(), Errno> {
    let head = *w.files.at(file);
    let Some(&wb) = w.wbs.get(head.inode) else { return Ok(()) };
    if wb.wb_err == head.wb_err {
        return Ok(());
    }
    w.file_mut(file).wb_err = wb.wb_err;
    let slot = w.wb_mut(head.inode);
    slot.seen = true;
    slot.as_error = 0;
    Err(errno_of(wb.errno))
}

/// `write_cache_pages()`, mm/page-writeback.c:2190, with ext4's `writepage`
/// (`generic_writepages()`): journal mode, and ordered data of a commit; and with
/// the block device's.
///
/// # Errors
/// The first error of a page; integrity writeback still visits all.
pub async fn generic_writepages(kt: &Kthread, inode: InodeId, wbc: &mut WritebackControl) -> Result<(), Errno> {
    call!(
        kt,
        &site::WRITE_CACHE_PAGES,
        &[wbc.nr_to_write as u64],
        Box::pin(async {
            let (mut index, end) = if wbc.range_cyclic {
                (kt.with(|w| w.syncs.at(inode).writeback_index), u32::MAX)
            } else {
                (page_index(wbc.range_start), page_index(wbc.range_end))
            };
            if wbc.tag() == PageFlags::TAG_TOWRITE {
                kt.with(|w| tag_pages_for_writeback(w, inode, index, end));
            }
            let (mut ret, mut done_index, mut done) = (Ok(()), index, false);
            kt.graph("pagevec_lookup_range_tag { find_get_pages_range_tag }");
            while let Some(page) = kt.with(|w| find_tagged(w, inode, index, end, wbc.tag())) {
                done_index = kt.with(|w| w.pages.at(page).index);
                probe!(kt, WCP_LOCK, nr_to_write = wbc.nr_to_write, page = page).await;
                lock_page(kt, page).await;
                let written = write_one(kt, inode, page, wbc).await;
                if let Some(error) = written {
                    if error.is_err() {
                        ret = ret.and(error);
                        if wbc.sync_mode == SyncMode::None {
                            (done_index, done) = (done_index + 1, true);
                            break;
                        }
                    }
                    wbc.nr_to_write -= 1;
                    if wbc.nr_to_write <= 0 && wbc.sync_mode == SyncMode::None {
                        done = true;
                        break;
                    }
                }
                if done_index == end {
                    break;
                }
                index = done_index + 1;
            }
            if !done {
                kt.graph("pagevec_lookup_range_tag { find_get_pages_range_tag }");
            }
            if wbc.range_cyclic && !done {
                done_index = 0;
            }
            if wbc.range_cyclic || (wbc.range_whole() && wbc.nr_to_write > 0) {
                kt.with(|w| w.sync_mut(inode).writeback_index = done_index);
            }
            ret
        }),
    )
    .await
}

/// The locked page, written or skipped; `None` if there was nothing to write.
async fn write_one(
    kt: &Kthread,
    inode: InodeId,
    page: PageId,
    wbc: &mut WritebackControl,
) -> Option<Result<(), Errno>> {
    let head = kt.with(|w| *w.pages.at(page));
    let skip = head.mapping != inode
        || !head.flags.contains(PageFlags::DIRTY)
        || (head.flags.contains(PageFlags::WRITEBACK) && wbc.sync_mode == SyncMode::None);
    if skip {
        kt.with(|w| unlock_page(w, page));
        return None;
    }
    if head.flags.contains(PageFlags::WRITEBACK) {
        probe!(kt, WCP_WAIT).await;
        wait_on_page_writeback(kt, page).await;
    }
    let dirty = kt.with(|w| {
        let dirty = clear_page_dirty_for_io(w, page);
        if dirty {
            let (mode, kupd, bgrd) = (wbc.sync_mode as u64, wbc.for_kupdate, wbc.for_background);
            point!(
                w,
                WBC_WRITEPAGE,
                wbc.nr_to_write,
                wbc.pages_skipped,
                mode,
                kupd,
                bgrd,
                wbc.range_cyclic,
                wbc.range_start
            );
        } else {
            unlock_page(w, page);
        }
        dirty
    });
    if !dirty {
        return None;
    }
    probe!(kt, WCP_WRITE).await;
    if inode == InodeId::BDEV {
        block_write_full_page(kt, page, wbc).await; // blkdev_writepage()
        return Some(Ok(()));
    }
    Some(crate::fs::ext4::inode::writepages::ext4_writepage(kt, inode, page, wbc).await)
}
