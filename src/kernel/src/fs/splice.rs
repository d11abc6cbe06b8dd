//! Pages between files without a copy: splice(2). Mirrors fs/splice.c.
//!
//! ```text
//!   file ─ read into the cache ─ page referenced by a pipe buffer ─ ITER_BVEC ─ write to a file
//! ```
//!
//! A pipe buffer's bytes are reached through an address behind all user
//! memory, so that the write loop sees them as it sees a user's: always present.
//!
//! Not modelled: a pipe that is waited for (an empty or full one ends the call),
//! tee, vmsplice, sockets, SPLICE_F_ flags; see docs/omissions.md#mm.

use sched::Kthread;
use world::{Errno, FileId, Iovec, PAGE_SIZE, Pte, Vma, VmaKind, World};

use crate::fs::ext4::file::ext4_file_read_iter;
use crate::fs::ext4::file::{Iocb, Kiocb, ext4_file_write_iter};
use crate::fs::inode::is_dax;
use crate::fs::open::OpenFlags;
use crate::fs::read_write::iocb_flags;
use crate::fs::super_::{file_end_write, file_start_write};
use crate::iov_iter::iov_iter_init;
use crate::mm::filemap::{get_page, put_page};
use crate::mm::memory::{BUFFERS_APART, buffer_address};
use crate::trace::call;
use crate::{probe, site};

/// PIPE_DEF_BUFFERS: pages that a pipe holds.
pub const PIPE_BUFFERS: usize = 16;
/// The number of the first pipe, counted like a workload's buffers.
pub const FIRST_PIPE: u16 = 0x7000;

/// What a pipe holds: pieces of pages, in order.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    number: u16,
    next_slot: u64,
    buffers: Vec<Iovec>,
}

/// pipe(2): the `n`th of a process.
pub fn create_pipe(w: &mut World, process: u8, n: u16) -> Pipe {
    let number = FIRST_PIPE + n;
    let rec = w.rec;
    let start = buffer_address(number, 0);
    w.vmas.alloc(
        rec,
        Vma {
            start,
            len: BUFFERS_APART,
            kind: VmaKind::FilePrivate,
            buf: number,
            process,
            readable: true,
            ..Vma::default()
        },
    );
    Pipe { number, ..Pipe::default() }
}

/// The last end is closed: its pages are let go.
pub fn free_pipe(w: &mut World, process: u8, pipe: &mut Pipe) {
    for buffer in std::mem::take(&mut pipe.buffers) {
        release(w, process, buffer.base);
    }
    let gone: Vec<_> = w.vmas.iter().filter(|(_, vma)| vma.buf == pipe.number).map(|(id, _)| id).collect();
    let rec = w.rec;
    gone.into_iter().for_each(|id| w.vmas.release(rec, id));
}

fn release(w: &mut World, process: u8, address: u64) {
    let key = (process, address / PAGE_SIZE);
    if let Some(Pte::Cache { page, .. }) = w.ptes.get(key) {
        w.pte_set(key, None);
        put_page(w, page);
    }
}

/// splice(2) from a file: `generic_file_splice_read()`, fs/splice.c:298. The
/// pages are read into the cache and referenced by the pipe.
///
/// # Errors
/// `EBADF` if the file is not open for reading, `EAGAIN` for a full pipe, or
/// what the read gives.
pub async fn splice_read(
    kt: &Kthread,
    process: u8,
    file: FileId,
    pos: u64,
    len: u64,
    pipe: &mut Pipe,
) -> Result<u64, Errno> {
    if !kt.with(|w| w.files.at(file).readable) {
        return Err(Errno::EBADF);
    }
    // Not modelled: a DAX file has no pages to hand over, see docs/omissions.md#dax.
    if kt.with(|w| is_dax(w, w.files.at(file).inode)) {
        return Err(Errno::EINVAL);
    }
    let space = (PIPE_BUFFERS - pipe.buffers.len()) as u64 * PAGE_SIZE;
    if space == 0 {
        return Err(Errno::EAGAIN);
    }
    // A piece of a page takes a buffer of its own.
    let len = len.min(space).min(space - pos % PAGE_SIZE);
    call!(kt, &site::GENERIC_FILE_SPLICE_READ, &[pos, len], async {
        let read = ext4_file_read_iter(kt, file, pos, len, &mut Vec::new()).await?;
        kt.with(|w| {
            let inode = w.files.at(file).inode;
            let (mut at, end) = (pos, pos + read);
            while at < end {
                let piece = (PAGE_SIZE - at % PAGE_SIZE).min(end - at);
                let index = u32::try_from(at / PAGE_SIZE).expect("page indices fit");
                let Some(page) = w.find_page(inode, index) else { break };
                get_page(w, page);
                let base = buffer_address(pipe.number, pipe.next_slot * PAGE_SIZE + at % PAGE_SIZE);
                w.pte_set((process, base / PAGE_SIZE), Some(Pte::Cache { page, writable: false, young: false }));
                pipe.next_slot = (pipe.next_slot + 1) % (BUFFERS_APART / PAGE_SIZE);
                pipe.buffers.push(Iovec { base, len: piece });
                at += piece;
            }
        });
        probe!(kt, GSR_PAGES).await;
        Ok(read)
    })
    .await
}

/// splice(2) to a file: `iter_file_splice_write()`, fs/splice.c:618.
///
/// # Errors
/// `EBADF` if the file is not open for writing, `EINVAL` for one that appends,
/// or what the write gives.
pub async fn splice_write(
    kt: &Kthread,
    process: u8,
    pipe: &mut Pipe,
    file: FileId,
    pos: &mut u64,
    len: u64,
) -> Result<u64, Errno> {
    let head = kt.with(|w| *w.files.at(file));
    if !head.writable {
        return Err(Errno::EBADF);
    }
    if head.f_flags & OpenFlags::APPEND.bits() != 0 {
        return Err(Errno::EINVAL);
    }
    let started = file_start_write(kt, file).await;
    let ret = call!(kt, &site::ITER_FILE_SPLICE_WRITE, &[], async {
        let (mut left, mut done) = (len, 0);
        while left > 0 && !pipe.buffers.is_empty() {
            let mut array = Vec::new();
            let mut bytes = 0;
            for buffer in &pipe.buffers {
                let take = buffer.len.min(left - bytes);
                if take == 0 {
                    break;
                }
                array.push(Iovec { base: buffer.base, len: take });
                bytes += take;
            }
            let flags = kt.with(|w| {
                iov_iter_init(w, kt.task, &array);
                iocb_flags(w, file) - Iocb::APPEND
            });
            probe!(kt, IFS_WRITE).await;
            let mut iocb = Kiocb { file, pos: *pos, flags };
            let written = match Box::pin(ext4_file_write_iter(kt, &mut iocb)).await {
                Ok(0) => break,
                Ok(written) => written,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            };
            *pos = iocb.pos;
            done += written;
            left -= written;
            consume(kt, process, pipe, written);
        }
        Ok(done)
    })
    .await;
    file_end_write(kt, started);
    ret
}

/// What was written leaves the pipe.
fn consume(kt: &Kthread, process: u8, pipe: &mut Pipe, mut bytes: u64) {
    while bytes > 0 {
        let Some(first) = pipe.buffers.first_mut() else { return };
        let take = first.len.min(bytes);
        bytes -= take;
        if take == first.len {
            let base = first.base;
            pipe.buffers.remove(0);
            kt.with(|w| release(w, process, base));
        } else {
            first.base += take;
            first.len -= take;
        }
    }
}
