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
use world::{ContentId, Errno, InodeId, PAGE_SIZE, Pte, TraceEvent, Vma, VmaId, VmaKind, World};

use crate::fs::ext4::readpage::filemap_fault;
use crate::mm::filemap;
use crate::trace::write;

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
    if vma.shared && vma.writable {
        w.inode_mut(vma.inode).mmap_writable += 1;
    }
    let rec = w.rec;
    w.vmas.alloc(rec, Vma { process, ..vma })
}

/// The mapping that holds `address`.
#[must_use]
pub fn find_vma(w: &World, process: u8, address: u64) -> Option<(VmaId, Vma)> {
    w.vmas
        .iter()
        .find(|(_, vma)| vma.process == process && (vma.start..vma.start + page_up(vma.len)).contains(&address))
        .map(|(id, vma)| (id, *vma))
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
            }
        }
        Some(Pte::Cache { page, .. }) => {
            w.pte_set((process, number), None);
            filemap::put_page(w, page);
        }
        None => {}
    }
}

/// munmap of whole pages: the mapping is cut, split or dropped.
pub fn munmap(w: &mut World, process: u8, address: u64, len: u64) {
    let (from, to) = (address / PAGE_SIZE * PAGE_SIZE, (address + len).div_ceil(PAGE_SIZE) * PAGE_SIZE);
    madvise_dontneed(w, process, from, to - from);
    let rec = w.rec;
    for (id, vma) in overlapping(w, process, from, to) {
        let end = vma.start + page_up(vma.len);
        w.vmas.release(rec, id);
        if vma.start < from {
            w.vmas.alloc(rec, Vma { len: from - vma.start, ..vma });
        }
        if end > to {
            let pgoff = vma.pgoff + ((to - vma.start) / PAGE_SIZE) as u32;
            w.vmas.alloc(rec, Vma { start: to, len: end - to, pgoff, ..vma });
        }
    }
}

/// mprotect of whole pages.
pub fn mprotect(w: &mut World, process: u8, address: u64, len: u64, readable: bool, writable: bool) {
    let (from, to) = (address / PAGE_SIZE * PAGE_SIZE, (address + len).div_ceil(PAGE_SIZE) * PAGE_SIZE);
    let rec = w.rec;
    for (id, vma) in overlapping(w, process, from, to) {
        let end = vma.start + page_up(vma.len);
        let (middle_from, middle_to) = (vma.start.max(from), end.min(to));
        w.vmas.release(rec, id);
        let pgoff = |at: u64| vma.pgoff + ((at - vma.start) / PAGE_SIZE) as u32;
        if vma.start < middle_from {
            w.vmas.alloc(rec, Vma { len: middle_from - vma.start, ..vma });
        }
        w.vmas.alloc(
            rec,
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
            w.vmas.alloc(rec, Vma { start: middle_to, len: end - middle_to, pgoff: pgoff(middle_to), ..vma });
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
    present(w, process, address).is_some() && find_vma(w, process, address).is_some_and(|(_, vma)| vma.readable)
}

/// A page fault on a read: makes the page present.
///
/// # Errors
/// `EFAULT` where nothing is mapped, reads are not allowed, or the file behind
/// the mapping ends before the page.
pub async fn handle_read_fault(kt: &Kthread, process: u8, address: u64, ip: FaultIp) -> Result<(), Errno> {
    let found = kt.with(|w| {
        let (buf, off) = buffer_of(address).map_or((u64::from(u16::MAX), address), |(b, o)| (u64::from(b), o));
        write(w, TraceEvent::Fault, 0, &[buf, off, 0, ip as u64]);
        find_vma(w, process, address)
    });
    let Some((_, vma)) = found.filter(|(_, vma)| vma.readable) else {
        return Err(Errno::EFAULT);
    };
    match vma.kind {
        VmaKind::None => return Err(Errno::EFAULT),
        VmaKind::Anon => kt.with(|w| {
            let rec = w.rec;
            let content = w.contents.alloc(rec);
            w.pte_set((process, address / PAGE_SIZE), Some(Pte::Own { content, writable: true }));
        }),
        VmaKind::Memfd | VmaKind::FilePrivate => kt.with(|w| map_around(w, process, &vma, address)),
        VmaKind::File => {
            let index = vma.pgoff + ((address - vma.start) / PAGE_SIZE) as u32;
            let page = filemap_fault(kt, vma.inode, index).await.map_err(|_| Errno::EFAULT)?;
            kt.with(|w| {
                let entry = Pte::Cache { page, writable: false };
                w.pte_set((process, address / PAGE_SIZE), Some(entry));
                map_around(w, process, &vma, address);
            });
        }
    }
    Ok(())
}

/// `do_fault_around()`: maps what is cached within the 64 KiB around a fault.
fn map_around(w: &mut World, process: u8, vma: &Vma, address: u64) {
    let from = (address / FAULT_AROUND * FAULT_AROUND).max(vma.start);
    let to = (address / FAULT_AROUND * FAULT_AROUND + FAULT_AROUND).min(vma.start + page_up(vma.len));
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
                    flags.contains(world::PageFlags::UPTODATE) && !flags.contains(world::PageFlags::LOCKED)
                })
                .map(|page| Pte::Cache { page, writable: false }),
            VmaKind::Memfd => w.shmem.get((vma.buf, index)).map(|content| Pte::Own { content, writable: true }),
            _ => w.shmem.get((vma.buf, index)).map(|content| Pte::Own { content, writable: false }),
        };
        if let Some(Pte::Cache { page, .. }) = entry {
            filemap::get_page(w, page);
        }
        if entry.is_some() {
            w.pte_set((process, number), entry);
        }
    }
}

/// The program itself reads its memory, page by page.
///
/// # Errors
/// `EFAULT` where the process would get a SIGSEGV or SIGBUS.
pub async fn user_load(kt: &Kthread, process: u8, address: u64, len: u64) -> Result<(), Errno> {
    let mut at = address;
    while at < address + len {
        if !kt.with(|w| readable_now(w, process, at)) {
            handle_read_fault(kt, process, at, FaultIp::User).await?;
        }
        at = (at / PAGE_SIZE + 1) * PAGE_SIZE;
    }
    Ok(())
}

/// The program itself stores bytes of `seed` (counted from 0 at `address`).
///
/// Not modelled yet: stores through a mapping of a file of this file system
/// (`page_mkwrite`); see docs/omissions.md#mm.
///
/// # Errors
/// `EFAULT` where the process would get a signal; `EOPNOTSUPP` for a mapping
/// of a file.
pub async fn user_store(kt: &Kthread, process: u8, address: u64, len: u64, seed: u64) -> Result<(), Errno> {
    let mut at = address;
    while at < address + len {
        let end = ((at / PAGE_SIZE + 1) * PAGE_SIZE).min(address + len);
        kt.with(|w| {
            let vma = find_vma(w, process, at).map(|(_, vma)| vma).filter(|vma| vma.writable).ok_or(Errno::EFAULT)?;
            if vma.kind == VmaKind::File {
                return Err(Errno::EOPNOTSUPP);
            }
            let content = writable_page(w, process, &vma, at);
            let rec = w.rec;
            let bytes = w.contents.range_mut(rec, content, (at % PAGE_SIZE) as usize, (end - at) as usize);
            for (byte, i) in bytes.iter_mut().zip(at - address..) {
                *byte = fill_byte(seed, i);
            }
            Ok(())
        })?;
        at = end;
    }
    Ok(())
}

/// The page behind `address`, present and the process's to write; a private
/// file page is copied first.
fn writable_page(w: &mut World, process: u8, vma: &Vma, address: u64) -> ContentId {
    let number = address / PAGE_SIZE;
    let entry = w.ptes.get((process, number));
    if let Some(Pte::Own { content, writable: true }) = entry {
        return content;
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
