//! The iterator over a system call's segments. Mirrors lib/iov_iter.c for
//! ITER_IOVEC, the only kind a buffered `write(2)` from user space has, and for
//! the source of `kernel_write()`, ITER_KVEC.
//!
//! The iterator is World data, so that the screen can show it: task `n` uses
//! slot `n`.

use sched::Kthread;
use world::{Counter, Errno, IovIter, Iovec, IterId, PAGE_SIZE, PageId, TaskId, World};

use crate::fault_inject::should_fail;
use crate::mm::memory::{
    FaultIp, TASK_SIZE_MAX, fault_in_user_page, handle_read_fault, present, readable, readable_now, touch_pte,
};
use crate::probe;
use crate::site;
use crate::trace::Graph as _;
use crate::trace::{call, traced};

/// The iterator of a task.
#[must_use]
pub fn iter_of(task: TaskId) -> IterId {
    IterId(task.0)
}

/// `iov_iter_kvec()`: a fresh iterator over the kernel's own memory, here pages
/// of the program that are not taken away.
pub fn iov_iter_kvec(w: &mut World, task: TaskId, segments: &[Iovec]) {
    iov_iter_init(w, task, segments);
    w.iter_mut(iter_of(task)).kvec = true;
}

/// `iov_iter_init()`: a fresh iterator over `segments`.
pub fn iov_iter_init(w: &mut World, task: TaskId, segments: &[Iovec]) {
    let iter = iter_of(task);
    for n in segments.len() as u32..w.iters.get(iter).map_or(0, |old| old.total_segs) {
        w.iovec_set((iter, n), None);
    }
    for (n, segment) in segments.iter().enumerate() {
        w.iovec_set((iter, n as u32), Some(*segment));
    }
    let count = segments.iter().map(|segment| segment.len).sum();
    let total_segs = segments.len() as u32;
    *w.iter_mut(iter) = IovIter { count, nr_segs: total_segs, total_segs, ..IovIter::default() };
}

/// `iov_iter_count()`.
#[must_use]
pub fn iov_iter_count(w: &World, task: TaskId) -> u64 {
    w.iters.at(iter_of(task)).count
}

/// `iov_iter_truncate()`: the segments stay, fewer bytes count.
pub fn iov_iter_truncate(w: &mut World, task: TaskId, count: u64) {
    let iter = w.iter_mut(iter_of(task));
    iter.count = iter.count.min(count);
}

fn segment(w: &World, iter: IterId, n: u32) -> Iovec {
    w.iovecs.get((iter, n)).expect("an iterator's segments are all there")
}

/// The pieces that the next `bytes` of a task's iterator come from, empty ones left out.
struct Pieces {
    iter: IterId,
    seg: u32,
    skip: u64,
    left: u64,
}

impl Pieces {
    fn new(w: &World, task: TaskId, bytes: u64) -> Self {
        let iter = iter_of(task);
        let IovIter { seg, iov_offset, count, .. } = *w.iters.at(iter);
        Pieces { iter, seg, skip: iov_offset, left: bytes.min(count) }
    }

    /// The next one: segment, address and bytes.
    fn next(&mut self, w: &World) -> Option<(u32, u64, u64)> {
        while self.left > 0 {
            let (here, seg) = (segment(w, self.iter, self.seg), self.seg);
            let (base, len) = (here.base.wrapping_add(self.skip), (here.len - self.skip).min(self.left));
            self.left -= len;
            self.seg += 1;
            self.skip = 0;
            if len > 0 {
                return Some((seg, base, len));
            }
        }
        None
    }
}

/// `iov_iter_fault_in_readable()`, lib/iov_iter.c:431: reads one byte of each
/// source page that the next `bytes` touch, of every segment.
///
/// # Errors
/// `EFAULT` at the first byte that cannot be read.
pub async fn iov_iter_fault_in_readable(kt: &Kthread, bytes: u64) -> Result<(), Errno> {
    call!(kt, &site::IOV_ITER_FAULT_IN_READABLE, &[bytes], async {
        if kt.with(|w| w.iters.at(iter_of(kt.task)).kvec) {
            return Ok(()); // only user memory can be absent
        }
        let (process, mut pieces) = kt.with(|w| (w.tasks.at(kt.task).process, Pieces::new(w, kt.task, bytes)));
        while let Some((n, base, len)) = kt.with(|w| pieces.next(w)) {
            probe!(kt, FI_SEGMENT, seg = n, address = base, len = len).await;
            fault_in_pages_readable(kt, process, base, len).await?;
        }
        Ok(())
    })
    .await
}

/// `fault_in_pages_readable()`, include/linux/pagemap.h:727: one byte at the
/// start, one every 4096 after it, and the last one if the steps overshoot into
/// its page.
async fn fault_in_pages_readable(kt: &Kthread, process: u8, base: u64, len: u64) -> Result<(), Errno> {
    let Some(end) = base.checked_add(len - 1).filter(|&end| end < TASK_SIZE_MAX) else {
        return Err(Errno::EFAULT);
    };
    let mut address = base;
    while address <= end {
        get_user(kt, process, address).await?;
        address += PAGE_SIZE;
    }
    if address / PAGE_SIZE == end / PAGE_SIZE {
        get_user(kt, process, end).await?;
    }
    Ok(())
}

async fn get_user(kt: &Kthread, process: u8, address: u64) -> Result<(), Errno> {
    if kt.with(|w| readable_now(w, process, address)) {
        kt.with(|w| touch_pte(w, process, address));
        return Ok(());
    }
    let read = handle_read_fault(kt, process, address, FaultIp::FaultIn).await;
    if read.is_err() {
        kt.graph("fixup_exception");
    }
    read?;
    probe!(kt, FI_FAULT, address = address).await;
    Ok(())
}

/// `iov_iter_copy_from_user_atomic()`, lib/iov_iter.c:985: copies with page
/// faults off; stops at the first byte that is not present. Does not move the
/// iterator. Gives the bytes copied.
pub async fn iov_iter_copy_from_user_atomic(kt: &Kthread, page: PageId, offset: u64, bytes: u64) -> u64 {
    call!(kt, &site::IOV_ITER_COPY_FROM_USER_ATOMIC, &[offset, bytes], async {
        kt.with(|w| w.run_mut(kt.task).atomic += 1);
        let (process, mut pieces) = kt.with(|w| (w.tasks.at(kt.task).process, Pieces::new(w, kt.task, bytes)));
        let mut copied = 0;
        let kvec = kt.with(|w| w.iters.at(iter_of(kt.task)).kvec);
        while let Some((_, base, len)) = kt.with(|w| pieces.next(w)) {
            if !kvec && kt.with(|w| should_fail(w, Counter::FailUsercopy)) {
                probe!(kt, CP_INJECTED, copied = copied).await;
                break;
            }
            let done = kt.with(|w| copyin(w, process, base, page, offset + copied, len));
            copied += done;
            if done < len {
                // In the string copy, and again in its byte-wise tail.
                kt.graph("fixup_exception fixup_exception");
                probe!(kt, CP_SHORT, copied = copied).await;
                break;
            }
            probe!(kt, CP_SEGMENT, copied = copied).await;
        }
        kt.with(|w| w.run_mut(kt.task).atomic -= 1);
        copied
    })
    .await
}

/// `copyin()`, lib/iov_iter.c:153: bytes of one segment, up to the first page
/// that is not present.
fn copyin(w: &mut World, process: u8, base: u64, page: PageId, offset: u64, len: u64) -> u64 {
    let (rec, to) = (w.rec, w.pages.at(page).content);
    let mut done = 0;
    while done < len {
        let address = base + done;
        let piece = (PAGE_SIZE - address % PAGE_SIZE).min(len - done);
        let Some(from) = readable(w, process, address) else {
            break;
        };
        touch_pte(w, process, address);
        w.contents.copy(rec, (from, (address % PAGE_SIZE) as usize), (to, (offset + done) as usize), piece as usize);
        done += piece;
    }
    done
}

/// `iov_iter_advance()`, lib/iov_iter.c:1063: a segment used up gives way to
/// the next; an empty current one is stepped over even by 0 bytes.
pub fn iov_iter_advance(w: &mut World, task: TaskId, bytes: u64) {
    traced(w, &site::IOV_ITER_ADVANCE, &[bytes], |w| advance(w, task, bytes));
}

/// The same where no trace follows it.
fn advance(w: &mut World, task: TaskId, bytes: u64) {
    let id = iter_of(task);
    let mut iter = *w.iters.at(id);
    if iter.count == 0 {
        return;
    }
    let mut left = bytes.min(iter.count);
    iter.count -= left;
    loop {
        let here = segment(w, id, iter.seg).len - iter.iov_offset;
        if left < here {
            iter.iov_offset += left;
            break;
        }
        left -= here;
        iter.iov_offset = 0;
        iter.seg += 1;
        iter.nr_segs -= 1;
        if left == 0 {
            break;
        }
    }
    *w.iter_mut(id) = iter;
}

/// `iov_iter_single_seg_count()`, lib/iov_iter.c:1148: bytes left in the
/// current segment; 0 for an empty one.
pub fn iov_iter_single_seg_count(w: &mut World, task: TaskId) -> u64 {
    traced(w, &site::IOV_ITER_SINGLE_SEG_COUNT, &[], |w| {
        let id = iter_of(task);
        let iter = *w.iters.at(id);
        if iter.nr_segs <= 1 { iter.count } else { iter.count.min(segment(w, id, iter.seg).len - iter.iov_offset) }
    })
}

/// `iov_iter_alignment()`, lib/iov_iter.c: all addresses and lengths, or-ed.
#[must_use]
pub fn iov_iter_alignment(w: &World, task: TaskId) -> u64 {
    let count = w.iters.at(iter_of(task)).count;
    let mut pieces = Pieces::new(w, task, count);
    std::iter::from_fn(|| pieces.next(w)).fold(0, |bits, (_, base, len)| bits | base | len)
}

/// `bio_iov_iter_get_pages()`, block/bio.c: the bytes of at most `pages` source
/// pages and `bytes` bytes, by which the iterator moves. Pages that are not
/// there are made present, without an exception.
///
/// # Errors
/// `EFAULT` if the first page cannot be read.
pub async fn iov_iter_get_pages(kt: &Kthread, bytes: u64, pages: usize) -> Result<Vec<u8>, Errno> {
    let (process, mut pieces) = kt.with(|w| (w.tasks.at(kt.task).process, Pieces::new(w, kt.task, bytes)));
    let mut out = Vec::new();
    let mut used = 0;
    'all: while let Some((_, base, len)) = kt.with(|w| pieces.next(w)) {
        let mut done = 0;
        while done < len && used < pages {
            let address = base.wrapping_add(done);
            if !kt.with(|w| readable_now(w, process, address)) {
                let got = fault_in_user_page(kt, process, address).await;
                if got.is_err() && out.is_empty() {
                    return Err(Errno::EFAULT);
                }
                if got.is_err() {
                    break 'all;
                }
            }
            let piece = (PAGE_SIZE - address % PAGE_SIZE).min(len - done);
            kt.with(|w| {
                let from = present(w, process, address).expect("the page was just made present");
                let at = (address % PAGE_SIZE) as usize;
                out.extend_from_slice(&w.contents.get(from)[at..at + piece as usize]);
            });
            done += piece;
            used += 1;
        }
    }
    kt.with(|w| advance(w, kt.task, out.len() as u64));
    Ok(out)
}

/// `_copy_from_iter_flushcache()`, lib/iov_iter.c, one source page at a time: the
/// next bytes, at most `bytes` of them, by which the iterator moves. May sleep
/// for a page. Nothing comes of a page that cannot be read.
pub async fn copy_from_iter_flushcache(kt: &Kthread, bytes: u64) -> Vec<u8> {
    let (process, mut pieces) = kt.with(|w| (w.tasks.at(kt.task).process, Pieces::new(w, kt.task, bytes)));
    let Some((_, address, len)) = kt.with(|w| pieces.next(w)) else {
        return Vec::new();
    };
    let kvec = kt.with(|w| w.iters.at(iter_of(kt.task)).kvec);
    if !kvec && !kt.with(|w| readable_now(w, process, address)) {
        let fault = handle_read_fault(kt, process, address, FaultIp::Copy).await;
        if fault.is_err() {
            return Vec::new();
        }
    }
    kt.with(|w| {
        let Some(from) = present(w, process, address) else { return Vec::new() };
        let at = (address % PAGE_SIZE) as usize;
        let piece = (PAGE_SIZE - address % PAGE_SIZE).min(len) as usize;
        let copied = w.contents.get(from)[at..at + piece].to_vec();
        advance(w, kt.task, copied.len() as u64);
        copied
    })
}
