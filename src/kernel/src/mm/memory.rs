//! User memory: mappings, page table entries, faults. Mirrors mm/memory.c as
//! far as a source of `write(2)` needs it.
//!
//! ```text
//!   Vma [start, start + len) ── pte (process, page number) ── bytes
//!     anon       absent: zeros on a read fault
//!     memfd      shmem (buffer, index): outlives its page table entries
//!     file       the page cache of a file of this file system
//! ```
//!
//! Not modelled: mmap_lock, swap, huge pages, copy-on-write after fork; see
//! docs/omissions.md#mm.

use sched::Kthread;
use world::{
    ContentId, Errno, FileId, Id, InodeId, PAGE_SIZE, PageFlags, PageId, Pte, TraceEvent, Vma, VmaId, VmaKind, World,
};

use crate::fs::ext4::inode::mkwrite::{VmFault, ext4_page_mkwrite};
use crate::fs::ext4::inode::writepages::ext4_should_journal_data;
use crate::fs::ext4::readpage::filemap_fault;
use crate::fs::inode::is_dax;
use crate::fs::sync::vfs_fsync_range;
use crate::mm::filemap;
use crate::mm::filemap_read::touch_atime;
use crate::mm::page_alloc::{alloc_page, count_user_page};
use crate::mm::page_writeback::balance_dirty_pages_ratelimited;
use crate::mm::swap::{mark_page_accessed, memory_is_limited};
use crate::mm::writeback::set_page_dirty_buffers;
use crate::trace::Graph as _;
use crate::trace::{call, write};
use crate::{probe, site};

/// Address of the first buffer.
pub const BUFFERS_START: u64 = 0x1_0000_0000;
/// Distance between buffers: 256 MiB.
pub const BUFFERS_APART: u64 = 0x1000_0000;
/// First address that is not user memory.
pub const TASK_SIZE_MAX: u64 = 0x7fff_ffff_f000;
/// Bytes around a fault whose cached pages are mapped along (`fault_around_bytes`).
const FAULT_AROUND: u64 = 64 << 10;

/// Where a fault was taken, as traces print it (`ip=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum FaultIp {
    /// `fault_in_pages_readable()`.
    FaultIn = 0,
    /// The user program.
    User = 1,
    /// `__copy_user_nocache()`, which may sleep for a page.
    Copy = 2,
}

/// Byte `i` of a buffer filled with `seed`.
#[must_use]
pub fn fill_byte(seed: u64, i: u64) -> u8 {
    (131 * seed + 7 * i + 31 * (i >> 8) + 17 * (i >> 16)) as u8
}

/// The address of byte `off` of workload buffer `buf`.
#[must_use]
pub fn buffer_address(buf: u16, off: u64) -> u64 {
    BUFFERS_START + u64::from(buf) * BUFFERS_APART + off
}

/// The workload buffer an address lies in, and the offset there.
#[must_use]
pub fn buffer_of(address: u64) -> Option<(u16, u64)> {
    let at = address.checked_sub(BUFFERS_START)?;
    Some((u16::try_from(at / BUFFERS_APART).ok()?, at % BUFFERS_APART))
}

/// Maps workload buffer `buf` of `kind`: anonymous memory and memfds are
/// resident at once, a private file mapping is not.
pub fn map_buffer(w: &mut World, process: u8, buf: u16, kind: VmaKind, bytes: &[u8]) {
    let start = buffer_address(buf, 0);
    let rec = w.rec;
    w.vmas.alloc(
        rec,
        Vma {
            start,
            len: bytes.len() as u64,
            kind,
            buf,
            process,
            readable: true,
            writable: true,
            shared: kind == VmaKind::Memfd,
            inode: InodeId::NONE,
            pgoff: 0,
        },
    );
    for (index, piece) in bytes.chunks(PAGE_SIZE as usize).enumerate() {
        let content = w.contents.alloc(rec);
        w.contents.range_mut(rec, content, 0, piece.len()).copy_from_slice(piece);
        count_user_page(w, true);
        if kind != VmaKind::Anon {
            w.shmem_set((buf, index as u32), Some(content));
        }
        if kind != VmaKind::FilePrivate {
            w.pte_set((process, start / PAGE_SIZE + index as u64), Some(Pte::Own { content, writable: true }));
        }
    }
}

/// mmap of a file of this file system as workload buffer `buf`: nothing is resident.
pub fn map_file(w: &mut World, process: u8, vma: Vma) -> VmaId {
    vma_link(w, Vma { process, ..vma })
}

/// mmap(2) of an open file of this file system, with `ext4_file_mmap()`,
/// fs/ext4/file.c:746. A mapping called shared of a file that is open for
/// reading only is private to the kernel too.
///
/// # Errors
/// `EACCES` if the file is not open for what is asked, `EINVAL` for an offset
/// inside a page, `EIO` after a shutdown.
pub async fn mmap_file(kt: &Kthread, file: FileId, vma: Vma, offset: u64) -> Result<VmaId, Errno> {
    let head = kt.with(|w| *w.files.at(file));
    if !offset.is_multiple_of(PAGE_SIZE) || vma.len == 0 {
        return Err(Errno::EINVAL);
    }
    // Not modelled: mappings of a DAX file, and stores through one in data=journal, see docs/omissions.md#mmap.
    if kt.with(|w| is_dax(w, head.inode)) {
        return Err(Errno::ENODEV);
    }
    if vma.shared && vma.writable && kt.with(|w| ext4_should_journal_data(w, head.inode)) {
        return Err(Errno::ENODEV);
    }
    if !head.readable || vma.shared && vma.writable && !head.writable {
        return Err(Errno::EACCES);
    }
    call!(kt, &site::EXT4_FILE_MMAP, &[], async {
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        touch_atime(kt, file).await;
        probe!(kt, FMM_OPS).await;
        let pgoff = u32::try_from(offset / PAGE_SIZE).map_err(|_| Errno::EOVERFLOW)?;
        let (shared, inode) = (vma.shared && head.writable, head.inode);
        let process = vma.process;
        Ok(kt.with(|w| map_file(w, process, Vma { kind: VmaKind::File, inode, pgoff, shared, ..vma })))
    })
    .await
}

/// msync(2) with MS_SYNC: what of `len` bytes from `address` is a shared mapping
/// of `file`, in whole pages.
///
/// # Errors
/// `ENOMEM` where nothing is mapped, or what the sync gives.
pub async fn msync(kt: &Kthread, process: u8, address: u64, len: u64, file: Option<FileId>) -> Result<(), Errno> {
    let mut at = address / PAGE_SIZE * PAGE_SIZE;
    let end = address + page_up(len);
    while at < end {
        let (_, vma) = kt.with(|w| find_vma(w, process, at)).ok_or(Errno::ENOMEM)?;
        let behind = end.min(vma.start + page_up(vma.len));
        if vma.kind == VmaKind::File
            && vma.shared
            && let Some(file) = file
        {
            let start = at - vma.start + u64::from(vma.pgoff) * PAGE_SIZE;
            vfs_fsync_range(kt, file, start, start + (behind - at) - 1, true).await?;
        }
        at = behind;
    }
    Ok(())
}

/// `vma_link()`: a new mapping; a shared one may be stored through, now or later.
fn vma_link(w: &mut World, vma: Vma) -> VmaId {
    if vma.kind == VmaKind::File && vma.shared {
        w.inode_mut(vma.inode).mmap_writable += 1;
    }
    let rec = w.rec;
    w.vmas.alloc(rec, vma)
}

/// `remove_vma()`.
fn remove_vma(w: &mut World, id: VmaId) {
    let vma = *w.vmas.at(id);
    if vma.kind == VmaKind::File && vma.shared {
        w.inode_mut(vma.inode).mmap_writable -= 1;
    }
    let rec = w.rec;
    w.vmas.release(rec, id);
}

/// The mapping that holds `address`.
#[must_use]
pub fn find_vma(w: &World, process: u8, address: u64) -> Option<(VmaId, Vma)> {
    let holds = |vma: &Vma| vma.process == process && (vma.start..vma.start + page_up(vma.len)).contains(&address);
    let at = w.vmas.slots().iter().position(holds)?;
    let id = VmaId::from_index(at);
    Some((id, *w.vmas.at(id)))
}

fn page_up(len: u64) -> u64 {
    len.div_ceil(PAGE_SIZE) * PAGE_SIZE
}

/// The bytes behind a present page, if reads are allowed there.
#[must_use]
pub fn present(w: &World, process: u8, address: u64) -> Option<ContentId> {
    match w.ptes.get((process, address / PAGE_SIZE))? {
        Pte::Own { content, .. } => Some(content),
        Pte::Cache { page, .. } => Some(w.pages.at(page).content),
    }
}

/// madvise(MADV_DONTNEED): page table entries go; private pages with them.
pub fn madvise_dontneed(w: &mut World, process: u8, address: u64, len: u64) {
    for number in address / PAGE_SIZE..(address + len).div_ceil(PAGE_SIZE) {
        zap_pte(w, process, number);
    }
}

fn zap_pte(w: &mut World, process: u8, number: u64) {
    let rec = w.rec;
    match w.ptes.get((process, number)) {
        Some(Pte::Own { content, .. }) => {
            w.pte_set((process, number), None);
            if !w.shmem.entries().values().any(|&shared| shared == content) {
                w.contents.release(rec, content);
                count_user_page(w, false);
            }
        }
        Some(Pte::Cache { page, young, .. }) => {
            w.pte_set((process, number), None);
            if young {
                mark_page_accessed(w, page);
            }
            filemap::put_page(w, page);
        }
        None => {}
    }
}

/// munmap of whole pages: the mapping is cut, split or dropped.
pub fn munmap(w: &mut World, process: u8, address: u64, len: u64) {
    let (from, to) = (address / PAGE_SIZE * PAGE_SIZE, (address + len).div_ceil(PAGE_SIZE) * PAGE_SIZE);
    madvise_dontneed(w, process, from, to - from);
    for (id, vma) in overlapping(w, process, from, to) {
        let end = vma.start + page_up(vma.len);
        remove_vma(w, id);
        if vma.start < from {
            vma_link(w, Vma { len: from - vma.start, ..vma });
        }
        if end > to {
            let pgoff = vma.pgoff + ((to - vma.start) / PAGE_SIZE) as u32;
            vma_link(w, Vma { start: to, len: end - to, pgoff, ..vma });
        }
    }
}

/// mprotect of whole pages.
pub fn mprotect(w: &mut World, process: u8, address: u64, len: u64, readable: bool, writable: bool) {
    let (from, to) = (address / PAGE_SIZE * PAGE_SIZE, (address + len).div_ceil(PAGE_SIZE) * PAGE_SIZE);
    if !writable {
        for number in from / PAGE_SIZE..to / PAGE_SIZE {
            // Not modelled: the same for memory of the process's own.
            if let Some(Pte::Cache { page, writable: true, young }) = w.ptes.get((process, number)) {
                w.pte_set((process, number), Some(Pte::Cache { page, writable: false, young }));
            }
        }
    }
    for (id, vma) in overlapping(w, process, from, to) {
        let end = vma.start + page_up(vma.len);
        let (middle_from, middle_to) = (vma.start.max(from), end.min(to));
        remove_vma(w, id);
        let pgoff = |at: u64| vma.pgoff + ((at - vma.start) / PAGE_SIZE) as u32;
        if vma.start < middle_from {
            vma_link(w, Vma { len: middle_from - vma.start, ..vma });
        }
        vma_link(
            w,
            Vma {
                start: middle_from,
                len: middle_to - middle_from,
                pgoff: pgoff(middle_from),
                readable,
                writable,
                ..vma
            },
        );
        if end > middle_to {
            vma_link(w, Vma { start: middle_to, len: end - middle_to, pgoff: pgoff(middle_to), ..vma });
        }
    }
}

fn overlapping(w: &World, process: u8, from: u64, to: u64) -> Vec<(VmaId, Vma)> {
    w.vmas
        .iter()
        .filter(|(_, vma)| vma.process == process && vma.start < to && vma.start + page_up(vma.len) > from)
        .map(|(id, vma)| (id, *vma))
        .collect()
}

/// True if a read of `address` needs no fault.
#[must_use]
pub fn readable_now(w: &World, process: u8, address: u64) -> bool {
    readable(w, process, address).is_some()
}

/// The bytes behind a present page of memory that may be read.
#[must_use]
pub fn readable(w: &World, process: u8, address: u64) -> Option<ContentId> {
    present(w, process, address).filter(|_| find_vma(w, process, address).is_some_and(|(_, vma)| vma.readable))
}

/// What the processor does when it uses an entry: it is young again. Only reclaim makes it old.
pub fn touch_pte(w: &mut World, process: u8, address: u64) {
    if !memory_is_limited(w) {
        return;
    }
    let key = (process, address / PAGE_SIZE);
    if let Some(Pte::Cache { page, writable, young: false }) = w.ptes.get(key) {
        w.pte_set(key, Some(Pte::Cache { page, writable, young: true }));
    }
}

/// A page fault on a read: makes the page present.
///
/// # Errors
/// `EFAULT` where nothing is mapped, reads are not allowed, or the file behind
/// the mapping ends before the page.
pub async fn handle_read_fault(kt: &Kthread, process: u8, address: u64, ip: FaultIp) -> Result<(), Errno> {
    kt.with(|w| {
        let (buf, off) = buffer_of(address).map_or((u64::from(u16::MAX), address), |(b, o)| (u64::from(b), o));
        write(w, TraceEvent::Fault, 0, &[buf, off, 0, ip as u64]);
    });
    fault_in_user_page(kt, process, address).await
}

/// `handle_mm_fault()` for a read, as `get_user_pages()` calls it too: makes the
/// page present.
///
/// # Errors
/// As [`handle_read_fault`].
pub async fn fault_in_user_page(kt: &Kthread, process: u8, address: u64) -> Result<(), Errno> {
    let found = kt.with(|w| find_vma(w, process, address));
    let Some((_, vma)) = found.filter(|(_, vma)| vma.readable) else {
        return Err(Errno::EFAULT);
    };
    kt.graph("handle_mm_fault {");
    let mapped = map_page(kt, process, address, vma).await;
    kt.graph("}");
    mapped
}

async fn map_page(kt: &Kthread, process: u8, address: u64, vma: Vma) -> Result<(), Errno> {
    match vma.kind {
        VmaKind::None => return Err(Errno::EFAULT),
        VmaKind::Anon => {
            alloc_page(kt).await;
            kt.with(|w| {
                let rec = w.rec;
                let content = w.contents.alloc(rec);
                count_user_page(w, true);
                w.pte_set((process, address / PAGE_SIZE), Some(Pte::Own { content, writable: true }));
            });
        }
        VmaKind::Memfd | VmaKind::FilePrivate => kt.with(|w| map_around(w, process, &vma, address)),
        VmaKind::File => {
            // do_read_fault(): what is cached first; else this page alone
            kt.with(|w| map_around(w, process, &vma, address));
            if kt.with(|w| present(w, process, address).is_some()) {
                return Ok(());
            }
            let index = vma.pgoff + ((address - vma.start) / PAGE_SIZE) as u32;
            kt.graph("ext4_filemap_fault {");
            let page = filemap_fault(kt, vma.inode, index).await.map_err(|_| Errno::EFAULT)?;
            kt.graph("}");
            kt.with(|w| {
                w.pte_set((process, address / PAGE_SIZE), Some(Pte::Cache { page, writable: false, young: true }))
            });
        }
    }
    Ok(())
}

/// `do_fault_around()`: maps what is cached within the 64 KiB around a fault.
fn map_around(w: &mut World, process: u8, vma: &Vma, address: u64) {
    let from = (address / FAULT_AROUND * FAULT_AROUND).max(vma.start);
    let to = (from + FAULT_AROUND).min(vma.start + page_up(vma.len));
    w.graph("filemap_map_pages {");
    for number in from / PAGE_SIZE..to / PAGE_SIZE {
        if w.ptes.get((process, number)).is_some() {
            continue;
        }
        let index = vma.pgoff + (number - vma.start / PAGE_SIZE) as u32;
        let entry = match vma.kind {
            VmaKind::File => w
                .find_page(vma.inode, index)
                .filter(|&page| {
                    let flags = w.pages.at(page).flags;
                    let skipped = PageFlags::LOCKED | PageFlags::READAHEAD;
                    flags.contains(PageFlags::UPTODATE) && !flags.intersects(skipped)
                })
                .map(|page| Pte::Cache { page, writable: false, young: true }),
            VmaKind::Memfd => w.shmem.get((vma.buf, index)).map(|content| Pte::Own { content, writable: true }),
            _ => w.shmem.get((vma.buf, index)).map(|content| Pte::Own { content, writable: false }),
        };
        if let Some(Pte::Cache { page, .. }) = entry {
            filemap::get_page(w, page);
        }
        if entry.is_some() {
            w.graph("unlock_page");
            w.pte_set((process, number), entry);
        }
    }
    w.graph("}");
}

/// The program itself reads its memory, page by page.
///
/// # Errors
/// `EFAULT` where the process would get a SIGSEGV or SIGBUS.
pub async fn user_load(kt: &Kthread, process: u8, address: u64, len: u64) -> Result<(), Errno> {
    let mut at = address;
    while at < address + len {
        if kt.with(|w| readable_now(w, process, at)) {
            kt.with(|w| touch_pte(w, process, at));
        } else {
            handle_read_fault(kt, process, at, FaultIp::User).await?;
        }
        at = (at / PAGE_SIZE + 1) * PAGE_SIZE;
    }
    Ok(())
}

/// The program itself stores bytes of `seed` (counted from 0 at `address`).
///
/// # Errors
/// `EFAULT` where the process would get a signal.
pub async fn user_store(kt: &Kthread, process: u8, address: u64, len: u64, seed: u64) -> Result<(), Errno> {
    let mut at = address;
    while at < address + len {
        let end = ((at / PAGE_SIZE + 1) * PAGE_SIZE).min(address + len);
        let vma = kt.with(|w| find_vma(w, process, at)).map(|(_, vma)| vma).filter(|vma| vma.writable);
        let vma = vma.ok_or(Errno::EFAULT)?;
        if vma.kind == VmaKind::File {
            write_fault_on_file(kt, process, &vma, at).await?;
        }
        if kt.with(|w| w.ptes.get((process, at / PAGE_SIZE)).is_none()) {
            alloc_page(kt).await;
        }
        kt.with(|w| {
            touch_pte(w, process, at);
            let content = writable_page(w, process, &vma, at);
            let rec = w.rec;
            let bytes = w.contents.range_mut(rec, content, (at % PAGE_SIZE) as usize, (end - at) as usize);
            for (byte, i) in bytes.iter_mut().zip(at - address..) {
                *byte = fill_byte(seed, i);
            }
        });
        at = end;
    }
    Ok(())
}

/// A store to a page of a file of this file system: nothing if its entry allows
/// it, else the fault that makes it so.
async fn write_fault_on_file(kt: &Kthread, process: u8, vma: &Vma, address: u64) -> Result<(), Errno> {
    let key = (process, address / PAGE_SIZE);
    let index = vma.pgoff + ((address - vma.start) / PAGE_SIZE) as u32;
    loop {
        let present = match kt.with(|w| w.ptes.get(key)) {
            Some(Pte::Own { writable: true, .. } | Pte::Cache { writable: true, .. }) => return Ok(()),
            other => other,
        };
        let (buf, off) = buffer_of(address).map_or((u64::from(u16::MAX), address), |(b, o)| (u64::from(b), o));
        let code = if present.is_some() { 7 } else { 6 };
        kt.with(|w| write(w, TraceEvent::Fault, 0, &[buf, off, code, FaultIp::User as u64]));
        kt.graph("handle_mm_fault {");
        let done = call!(kt, &site::DO_SHARED_FAULT, &[address], async {
            // With an entry there, do_wp_page() has the page already.
            let page = match present {
                Some(Pte::Cache { page, .. }) => {
                    kt.with(|w| filemap::get_page(w, page));
                    page
                }
                _ => {
                    kt.graph("ext4_filemap_fault {");
                    let page = filemap_fault(kt, vma.inode, index).await.map_err(|_| Errno::EFAULT)?;
                    kt.graph("} unlock_page");
                    page
                }
            };
            probe!(kt, DSF_PAGE, page = page).await;
            if !vma.shared {
                alloc_page(kt).await;
                kt.with(|w| copy_on_write(w, key, page));
                return Ok(true);
            }
            kt.graph("do_page_mkwrite {");
            let fault = ext4_page_mkwrite(kt, vma.inode, page).await;
            kt.graph("}");
            match fault {
                VmFault::Locked => {}
                VmFault::Nopage => {
                    kt.with(|w| filemap::put_page(w, page));
                    return Ok(false);
                }
                VmFault::Oom | VmFault::Sigbus => {
                    kt.with(|w| filemap::put_page(w, page));
                    return Err(Errno::EFAULT);
                }
            }
            kt.with(|w| {
                // The new entry holds the reference that the fault brought.
                if let Some(Pte::Cache { page, .. }) = w.ptes.get(key) {
                    filemap::put_page(w, page);
                }
                w.pte_set(key, Some(Pte::Cache { page, writable: true, young: true }));
                // fault_dirty_shared_page()
                w.graph("fault_dirty_shared_page {");
                set_page_dirty_buffers(w, page);
                filemap::unlock_page(w, page);
            });
            probe!(kt, DSF_DIRTY, page = page).await;
            balance_dirty_pages_ratelimited(kt).await;
            kt.graph("}");
            Ok(true)
        })
        .await;
        kt.graph("}");
        if done? {
            return Ok(());
        }
    }
}

/// `do_cow_fault()` and `wp_page_copy()`: a page of the process's own takes the
/// place of the file's.
fn copy_on_write(w: &mut World, key: (u8, u64), page: PageId) {
    let rec = w.rec;
    let bytes = w.contents.share(w.pages.at(page).content);
    let content = w.contents.alloc(rec);
    w.contents.replace(rec, content, bytes);
    count_user_page(w, true);
    if let Some(Pte::Cache { page, .. }) = w.ptes.get(key) {
        filemap::put_page(w, page);
    }
    w.pte_set(key, Some(Pte::Own { content, writable: true }));
    filemap::put_page(w, page);
}

/// The page behind `address`, present and the process's to write; a private
/// file page is copied first.
fn writable_page(w: &mut World, process: u8, vma: &Vma, address: u64) -> ContentId {
    let number = address / PAGE_SIZE;
    let entry = w.ptes.get((process, number));
    match entry {
        Some(Pte::Own { content, writable: true }) => return content,
        Some(Pte::Cache { page, writable: true, .. }) => return w.pages.at(page).content,
        _ => {}
    }
    let (buf, off) = buffer_of(address).map_or((u64::from(u16::MAX), address), |(b, o)| (u64::from(b), o));
    let code = if entry.is_some() { 7 } else { 6 };
    write(w, TraceEvent::Fault, 0, &[buf, off, code, FaultIp::User as u64]);
    let rec = w.rec;
    let index = vma.pgoff + (number - vma.start / PAGE_SIZE) as u32;
    let shared = w.shmem.get((vma.buf, index));
    let content = match (vma.kind, shared) {
        (VmaKind::Memfd, Some(content)) => content,
        _ => {
            let fresh = w.contents.alloc(rec);
            count_user_page(w, true);
            if let Some(from) = shared {
                let bytes = w.contents.share(from);
                w.contents.replace(rec, fresh, bytes);
            }
            fresh
        }
    };
    w.pte_set((process, number), Some(Pte::Own { content, writable: true }));
    content
}
