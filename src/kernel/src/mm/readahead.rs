//! Which pages are read before anyone asks. Mirrors mm/readahead.c.
//!
//! ```text
//!        |------------ size ------------|
//!        |==========#===================|
//!      start        ^ PG_readahead: its reader starts the next window
//!                   |--- async_size ----|
//! ```
//!
//! Not modelled: POSIX_FADV_RANDOM, congestion, cgroups; see docs/omissions.md#mm.

use sched::Kthread;
use world::{Counter, FileId, InodeId, PAGE_SIZE, PageFlags, PageId, RaState, World};

use crate::fault_inject::should_fail;
use crate::fs::ext4::readpage::ext4_readahead;
use crate::fs::inode::is_dax;
use crate::mm::filemap::add_to_page_cache;
use crate::mm::page_alloc::alloc_page_noretry;
use crate::trace::Graph as _;

/// `ra_pages`: 128 KiB.
pub const RA_PAGES: u32 = 32;
/// Pages of 2 MiB, the unit of forced readahead.
const FORCED_CHUNK: u32 = 512;

/// `file_ra_state_init()`, mm/readahead.c:34: nothing was read yet, not even page 0.
pub fn file_ra_state_init(w: &mut World, file: FileId) {
    *w.ra_mut(file) = RaState { prev_pos: u64::MAX, ..RaState::default() };
}

/// `do_page_cache_ra()`, mm/readahead.c:249: reads `nr_to_read` pages from
/// `index` on, none behind the last page of the file; the page `lookahead`
/// before the end gets PG_readahead.
pub async fn do_page_cache_ra(kt: &Kthread, inode: InodeId, index: u32, nr_to_read: u32, lookahead: u32) {
    let size = kt.with(|w| w.sizes.at(inode).i_size);
    if size == 0 {
        return;
    }
    let end_index = u32::try_from((size - 1) / PAGE_SIZE).expect("page indices fit");
    if index > end_index {
        return;
    }
    let nr_to_read = if nr_to_read > end_index - index { end_index - index + 1 } else { nr_to_read };
    page_cache_ra_unbounded(kt, inode, index, nr_to_read, lookahead).await;
}

/// `page_cache_ra_unbounded()`, mm/readahead.c:174: a cached page ends a batch.
async fn page_cache_ra_unbounded(kt: &Kthread, inode: InodeId, index: u32, nr_to_read: u32, lookahead: u32) {
    kt.graph("page_cache_ra_unbounded {");
    let mut batch: Vec<PageId> = Vec::new();
    for i in 0..nr_to_read {
        let cached = kt.with(|w| w.find_page(inode, index + i)).is_some();
        if !cached && (kt.with(|w| should_fail(w, Counter::FailPageAlloc)) || !alloc_page_noretry(kt).await) {
            break;
        }
        let added = kt.with(|w| {
            if w.find_page(inode, index + i).is_some() {
                return None;
            }
            let page = add_to_page_cache(w, inode, index + i);
            if nr_to_read.checked_sub(lookahead) == Some(i) {
                w.page_mut(page).flags.insert(PageFlags::READAHEAD);
            }
            Some(page)
        });
        match added {
            Some(page) => batch.push(page),
            None => {
                read_pages(kt, inode, &batch).await;
                batch.clear();
            }
        }
    }
    read_pages(kt, inode, &batch).await;
    kt.graph("}");
}

/// `read_pages()`, mm/readahead.c:116.
async fn read_pages(kt: &Kthread, inode: InodeId, batch: &[PageId]) {
    if !batch.is_empty() {
        kt.graph("read_pages { ext4_readahead {");
    }
    ext4_readahead(kt, inode, batch).await;
    if !batch.is_empty() {
        kt.graph("} }");
    }
}

/// `force_page_cache_ra()`, mm/readahead.c:274: fadvise(WILLNEED), exactly the
/// pages asked for, up to one window.
pub async fn force_page_cache_ra(kt: &Kthread, inode: InodeId, mut index: u32, nr_to_read: u32) {
    if kt.with(|w| is_dax(w, inode)) {
        return; // generic_fadvise() ignores advice on what is not cached
    }
    kt.graph("force_page_cache_ra {");
    let mut left = nr_to_read.min(RA_PAGES);
    while left > 0 {
        let chunk = left.min(FORCED_CHUNK);
        do_page_cache_ra(kt, inode, index, chunk, 0).await;
        index += chunk;
        left -= chunk;
    }
    kt.graph("}");
}

/// `get_init_ra_size()`, mm/readahead.c:309.
fn get_init_ra_size(size: u32, max: u32) -> u32 {
    let newsize = size.next_power_of_two();
    if newsize <= max / 32 {
        newsize * 4
    } else if newsize <= max / 4 {
        newsize * 2
    } else {
        max
    }
}

/// `get_next_ra_size()`, mm/readahead.c:327.
fn get_next_ra_size(size: u32, max: u32) -> u32 {
    if size < max / 16 {
        4 * size
    } else if size <= max / 2 {
        2 * size
    } else {
        max
    }
}

/// Pages cached in a row just before `index`, at most `max`.
fn count_history_pages(w: &World, inode: InodeId, index: u32, max: u32) -> u32 {
    (1..=max.min(index)).take_while(|back| w.find_page(inode, index - back).is_some()).count() as u32
}

/// The first index from `index` on that is not cached, at most `max` further.
fn next_miss(w: &World, inode: InodeId, index: u32, max: u32) -> u32 {
    (index..index.saturating_add(max)).find(|&at| w.find_page(inode, at).is_none()).unwrap_or(index.saturating_add(max))
}

/// `ondemand_readahead()`, mm/readahead.c:435.
async fn ondemand_readahead(kt: &Kthread, file: FileId, index: u32, hit_marker: bool, req_size: u32) {
    let inode = kt.with(|w| w.files.at(file).inode);
    let window = kt.with(|w| plan_window(w, file, inode, index, hit_marker, req_size));
    match window {
        Window::None => {}
        Window::AsAsked => do_page_cache_ra(kt, inode, index, req_size, 0).await,
        Window::Planned => {
            let ra = kt.with(|w| *w.ras.at(file));
            do_page_cache_ra(kt, inode, ra.start, ra.size, ra.async_size).await;
        }
    }
}

enum Window {
    None,
    /// A small random read: as it is.
    AsAsked,
    /// What the file's readahead state now says.
    Planned,
}

fn plan_window(w: &mut World, file: FileId, inode: InodeId, index: u32, hit_marker: bool, req_size: u32) -> Window {
    // io_pages of a RAM disk equals ra_pages, so a large request does not widen the window.
    let max = RA_PAGES;
    let mut ra = w.ras.get(file).copied().unwrap_or_default();
    let sequential = index == (ra.start + ra.size).wrapping_sub(ra.async_size) || index == ra.start + ra.size;
    if index != 0 && sequential {
        ra.start += ra.size;
        ra.size = get_next_ra_size(ra.size, max);
        ra.async_size = ra.size;
    } else if index != 0 && hit_marker {
        let start = next_miss(w, inode, index + 1, max);
        if start - index > max {
            return Window::None;
        }
        ra.start = start;
        ra.size = get_next_ra_size(start - index + req_size, max);
        ra.async_size = ra.size;
    } else {
        let since = u64::from(index).wrapping_sub(ra.prev_pos / PAGE_SIZE);
        let initial = index == 0 || req_size > max || since <= 1;
        let history = if initial { 0 } else { count_history_pages(w, inode, index, max) };
        if initial {
            ra.start = index;
            ra.size = get_init_ra_size(req_size, max);
            ra.async_size = if ra.size > req_size { ra.size - req_size } else { ra.size };
        } else if history > req_size {
            // try_context_readahead()
            let history = if history >= index { history * 2 } else { history };
            ra.start = index;
            ra.size = (history + req_size).min(max);
            ra.async_size = 1;
        } else {
            return Window::AsAsked;
        }
    }
    if index == ra.start && ra.size == ra.async_size {
        let add = get_next_ra_size(ra.size, max);
        if ra.size + add <= max {
            ra.async_size = add;
            ra.size += add;
        } else {
            ra.size = max;
            ra.async_size = max / 2;
        }
    }
    *w.ra_mut(file) = ra;
    Window::Planned
}

/// `page_cache_sync_readahead()`: the page at `index` is missing, `req_count`
/// pages are wanted.
pub async fn page_cache_sync_readahead(kt: &Kthread, file: FileId, index: u32, req_count: u32) {
    ondemand_readahead(kt, file, index, false, req_count).await;
}

/// `page_cache_async_readahead()`: a page with PG_readahead was reached.
pub async fn page_cache_async_readahead(kt: &Kthread, file: FileId, page: PageId, index: u32, req_count: u32) {
    let go = kt.with(|w| {
        if w.pages.at(page).flags.contains(PageFlags::WRITEBACK) {
            return false; // the same bit is PG_reclaim
        }
        w.page_mut(page).flags.remove(PageFlags::READAHEAD);
        true
    });
    if go {
        ondemand_readahead(kt, file, index, true, req_count).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(requests: &[(u32, bool, u32)]) -> Vec<(u32, u32, u32)> {
        let mut w = World::default();
        let (file, inode) = (FileId(0), InodeId(2));
        file_ra_state_init(&mut w, file);
        requests
            .iter()
            .map(|&(index, marker, count)| {
                let planned = matches!(plan_window(&mut w, file, inode, index, marker, count), Window::Planned);
                let ra = w.ras.at(file);
                if planned { (ra.start, ra.size, ra.async_size) } else { (index, count, 0) }
            })
            .collect()
    }

    #[test]
    fn sequential_reads_ramp_up() {
        // One page at 0: 4 pages, the next window at page 1; then 8, 16, 32.
        assert_eq!(windows(&[(0, false, 1), (1, true, 1), (4, true, 1)]), [(0, 4, 3), (4, 8, 8), (12, 16, 16)]);
    }

    #[test]
    fn a_large_first_read_takes_the_whole_window() {
        assert_eq!(windows(&[(0, false, 8)]), [(0, 16, 8)]);
        assert_eq!(windows(&[(0, false, 40)]), [(0, 32, 16)]);
    }

    #[test]
    fn a_random_read_is_as_small_as_asked() {
        assert_eq!(windows(&[(500, false, 1)]), [(500, 1, 0)]);
        // Page 1 first is no continuation: nothing was read before.
        assert_eq!(windows(&[(1, false, 1)]), [(1, 1, 0)]);
    }
}
