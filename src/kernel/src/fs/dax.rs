//! Direct access: read(2) and write(2) between user memory and the device's own
//! memory. Mirrors fs/dax.c, and `iomap_zero_range()` of fs/iomap/buffered-io.c
//! as far as such a file takes it.
//!
//! ```text
//!   dax_iomap_rw ── for each extent: ext4_iomap_begin
//!                      └── dax_iomap_actor   the device's address ── the copy
//! ```
//!
//! A write leaves no entry in the file's mapping; only a fault does. The copy
//! goes past the processor's caches, so nothing of it is left to write.
//!
//! Not modelled: faults (nobody maps such a file), memory errors; see
//! docs/omissions.md#dax.

use sched::{Kthread, check_fatal_signal};
use world::{Errno, InodeId, PAGE_SIZE};

use crate::block::ramdisk::{load_bytes, store_bytes};
use crate::fs::buffer::block_size;
use crate::fs::ext4::file::Kiocb;
use crate::fs::ext4::inode::iomap::ext4_iomap_begin;
use crate::fs::ext4::inode::map::{MapBlocks, MapFlags};
use crate::iov_iter::{copy_from_iter_flushcache, iov_iter_count};
use crate::mm::truncate::invalidate_inode_pages2_range;
use crate::mm::writeback::page_index;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{probe, site};

/// What the bytes come from or go to.
#[derive(Debug)]
pub enum DaxIter<'a> {
    /// A write: the task's iterator.
    From,
    /// A read.
    To {
        /// Where the bytes are appended.
        out: &'a mut Vec<u8>,
        /// Bytes still wanted.
        left: u64,
    },
}

impl DaxIter<'_> {
    fn count(&self, kt: &Kthread) -> u64 {
        match self {
            DaxIter::From => kt.with(|w| iov_iter_count(w, kt.task)),
            DaxIter::To { left, .. } => *left,
        }
    }
}

/// `dax_iomap_rw()`, fs/dax.c:1198: bytes moved; the position follows. The caller
/// holds `i_rwsem`.
///
/// # Errors
/// What the mapping gives, `EFAULT`, `EINTR` on a fatal signal, if nothing was moved.
pub async fn dax_iomap_rw(kt: &Kthread, iocb: &mut Kiocb, iter: &mut DaxIter<'_>) -> Result<u64, Errno> {
    call!(
        kt,
        &site::DAX_IOMAP_RW,
        &[iocb.pos],
        Box::pin(async {
            let inode = kt.with(|w| w.files.at(iocb.file).inode);
            let (mut done, mut ret) = (0, Ok(0));
            while iter.count(kt) > 0 {
                ret = apply(kt, inode, iocb.pos + done, iter).await;
                if let Ok(moved) = ret {
                    done += moved;
                }
                probe!(kt, DIR_APPLY, done = done, ret = ret).await;
                if ret.is_err() || ret == Ok(0) {
                    break;
                }
            }
            iocb.pos += done;
            if done > 0 { Ok(done) } else { ret }
        }),
    )
    .await
}

/// `iomap_apply()`: one extent's share.
async fn apply(kt: &Kthread, inode: InodeId, pos: u64, iter: &mut DaxIter<'_>) -> Result<u64, Errno> {
    let count = iter.count(kt);
    let map = ext4_iomap_begin(kt, inode, pos, count, matches!(iter, DaxIter::From)).await?;
    let behind = (u64::from(map.lblk) + u64::from(map.len)) * kt.with(|w| block_size(w));
    let moved = dax_iomap_actor(kt, inode, pos, count.min(behind - pos), &map, iter).await;
    kt.graph("ext4_iomap_end");
    moved
}

/// The byte on the device where byte `pos` of the file lies.
fn dax_iomap_byte(map: &MapBlocks, block: u64, pos: u64) -> u64 {
    (map.pblk - u64::from(map.lblk)) * block + pos
}

/// True for blocks that hold data.
fn is_mapped(map: &MapBlocks) -> bool {
    map.flags.contains(MapFlags::MAPPED) && !map.flags.contains(MapFlags::UNWRITTEN)
}

/// `dax_iomap_actor()`, fs/dax.c:1095: the bytes of one extent. The device gives
/// the address of all of them at once, so the kernel's loop has one round.
///
/// # Errors
/// `EFAULT` or `EINTR` if nothing was moved.
async fn dax_iomap_actor(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    length: u64,
    map: &MapBlocks,
    iter: &mut DaxIter<'_>,
) -> Result<u64, Errno> {
    call!(kt, &site::DAX_IOMAP_ACTOR, &[pos, length, map.pblk], async {
        let mut end = pos + length;
        if let DaxIter::To { out, left } = iter {
            end = end.min(kt.with(|w| w.sizes.at(inode).i_size));
            if pos >= end {
                return Ok(0);
            }
            if !is_mapped(map) {
                let zeros = end - pos;
                out.resize(out.len() + zeros as usize, 0);
                *left -= zeros;
                probe!(kt, DIA_HOLE, done = zeros).await;
                return Ok(zeros);
            }
        }
        assert!(is_mapped(map), "WARN_ON_ONCE: a write has blocks with data");
        if map.flags.contains(MapFlags::NEW) {
            // Not modelled: DAX faults, so no page of zeros is mapped over the hole that was here.
            invalidate_inode_pages2_range(kt, inode, page_index(pos), page_index(end - 1)).await;
        }
        if let Err(killed) = kt.with(|w| check_fatal_signal(w, kt.task)) {
            probe!(kt, DIA_SIGNAL).await;
            return Err(killed);
        }
        let at = kt.with(|w| dax_iomap_byte(map, block_size(w), pos));
        kt.graph("dax_direct_access");
        probe!(kt, DIA_ACCESS, pblk = at / kt.with(|w| block_size(w)), offset = at % PAGE_SIZE).await;
        let moved = match iter {
            DaxIter::From => dax_copy_from_iter(kt, at, end - pos).await,
            DaxIter::To { out, left } => {
                kt.graph("dax_copy_to_iter");
                kt.with(|w| load_bytes(w, at, end - pos, out));
                *left -= end - pos;
                probe!(kt, DIA_READ, xfer = end - pos, done = end - pos).await;
                end - pos
            }
        };
        if moved == 0 { Err(Errno::EFAULT) } else { Ok(moved) }
    })
    .await
}

/// `dax_copy_from_iter()`: up to `bytes` from user memory to byte `at` of the
/// device, a step for each piece that lies in one page of both.
async fn dax_copy_from_iter(kt: &Kthread, at: u64, bytes: u64) -> u64 {
    kt.graph("dax_copy_from_iter {");
    let mut done = 0;
    while done < bytes {
        let here = at + done;
        let offset = here % PAGE_SIZE;
        let piece = copy_from_iter_flushcache(kt, (PAGE_SIZE - offset).min(bytes - done)).await;
        if piece.is_empty() {
            break;
        }
        let xfer = piece.len() as u64;
        done += xfer;
        let block = kt.with(|w| {
            store_bytes(w, here, &piece);
            here / block_size(w)
        });
        probe!(kt, DIA_COPY, pblk = block, offset = offset, xfer = xfer, done = done).await;
    }
    kt.graph("}");
    done
}

/// `iomap_zero_range()`, fs/iomap/buffered-io.c, of a DAX file: zeroes `length`
/// bytes from `pos` inside one block; a hole stays a hole, and so does what is unwritten.
///
/// # Errors
/// What the mapping gives.
pub async fn iomap_zero_range(kt: &Kthread, inode: InodeId, pos: u64, length: u64) -> Result<(), Errno> {
    kt.graph("iomap_zero_range {");
    let map = ext4_iomap_begin(kt, inode, pos, length, false).await?;
    if is_mapped(&map) {
        dax_iomap_zero(kt, pos, length, &map).await;
    }
    kt.graph("ext4_iomap_end }");
    Ok(())
}

/// `dax_iomap_zero()`, fs/dax.c:1058: part of a page of the device.
async fn dax_iomap_zero(kt: &Kthread, pos: u64, length: u64, map: &MapBlocks) {
    call!(kt, &site::DAX_IOMAP_ZERO, &[pos, length, map.pblk], async {
        kt.graph("dax_direct_access dax_flush");
        kt.with(|w| {
            let at = dax_iomap_byte(map, block_size(w), pos);
            store_bytes(w, at, &vec![0; length as usize]);
        });
        probe!(kt, DIZ_ZERO).await;
    })
    .await;
}
