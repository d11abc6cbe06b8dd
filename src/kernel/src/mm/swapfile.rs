//! Files that the machine swaps to: what swapon(2) checks, and the flag that
//! keeps writers away. Mirrors mm/swapfile.c and fs/iomap/swapfile.c.
//!
//! Not modelled: the swapping itself; see docs/omissions.md#mmap.

use sched::{Kthread, RwSem, down_write, up_write};
use world::{Errno, InodeBits, InodeId, PAGE_SIZE, World};

use crate::fs::ext4::inode::disk::iput;
use crate::fs::inode::is_regular;
use crate::fs::iomap::{IomapType, stretch};
use crate::fs::open::{OpenFlags, do_sys_open, filp_close};
use crate::fs::sync::vfs_fsync;
use crate::mm::filemap::put_page;
use crate::mm::filemap_read::read_cache_page;
use crate::mm::writeback::{LLONG_MAX, filemap_write_and_wait_range};
use crate::trace::call;
use crate::{probe, site};

/// Where the signature stands in the first page.
const MAGIC: &[u8; 10] = b"SWAPSPACE2";
const MAGIC_AT: usize = PAGE_SIZE as usize - MAGIC.len();
/// Where version, last page and the number of bad pages stand.
const INFO_AT: usize = 1024;

/// swapon(2), mm/swapfile.c:3175: from now on the file can be neither written
/// nor cut.
///
/// # Errors
/// `EPERM` for a user, `EBUSY` if it is in use, `EINVAL` without a signature or
/// with a hole, and what opening, reading and syncing give.
pub async fn swapon(kt: &Kthread, path: &str) -> Result<(), Errno> {
    if kt.with(|w| w.accts.at(kt.task).euid != 0) {
        return Err(Errno::EPERM);
    }
    let file = do_sys_open(kt, path, OpenFlags::RDWR | OpenFlags::LARGEFILE, 0).await?;
    let done = call!(kt, &site::SWAPON, &[], async {
        let inode = kt.with(|w| w.files.at(file).inode);
        if !kt.with(|w| is_regular(w.inodes.at(inode).mode)) {
            return Err(Errno::EINVAL);
        }
        down_write(kt, RwSem::IRwsem(inode)).await;
        let pages = if kt.with(|w| w.inodes.at(inode).bits.contains(InodeBits::SWAPFILE)) {
            Err(Errno::EBUSY)
        } else {
            read_swap_header(kt, inode).await
        };
        probe!(kt, SWO_HEADER, ret = pages).await;
        let mut done = match pages {
            Ok(pages) => {
                // iomap_swapfile_activate(): the metadata first
                let synced = vfs_fsync(kt, file, true).await;
                match synced {
                    Ok(()) => iomap_swapfile_activate(kt, inode, pages).await,
                    failed => failed,
                }
            }
            Err(errno) => Err(errno),
        };
        probe!(kt, SWO_EXTENTS, ret = done).await;
        if done.is_ok() {
            kt.with(|w| w.inode_mut(inode).bits.insert(InodeBits::SWAPFILE));
            // inode_drain_writes()
            done = filemap_write_and_wait_range(kt, inode, 0, LLONG_MAX).await;
            kt.with(|w| {
                if done.is_ok() {
                    w.inode_mut(inode).count += 1; // as the open file that the kernel keeps
                } else {
                    w.inode_mut(inode).bits.remove(InodeBits::SWAPFILE);
                }
            });
            probe!(kt, SWO_FLAG, ret = done).await;
        }
        kt.with(|w| up_write(w, RwSem::IRwsem(inode)));
        done
    })
    .await;
    filp_close(kt, file).await;
    done
}

/// `read_swap_header()`, mm/swapfile.c:3006: how many pages the header speaks of.
async fn read_swap_header(kt: &Kthread, inode: InodeId) -> Result<u64, Errno> {
    let page = read_cache_page(kt, inode, 0).await?;
    kt.with(|w| {
        let bytes = w.page_bytes(page);
        let word = |n: usize| {
            let at = INFO_AT + 4 * n;
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let pages = u64::from(word(1)) + 1;
        let file_pages = w.sizes.at(inode).i_size / PAGE_SIZE;
        let good = bytes[MAGIC_AT..] == *MAGIC
            && word(0) == 1
            && pages > 1
            && word(2) == 0
            && (file_pages == 0 || pages <= file_pages);
        put_page(w, page);
        if good { Ok(pages) } else { Err(Errno::EINVAL) }
    })
}

/// `iomap_swapfile_activate()`, fs/iomap/swapfile.c:134: all of the file has
/// blocks, and a page's worth of them lies in a row. One disk: stretches that
/// follow each other there count as one.
async fn iomap_swapfile_activate(kt: &Kthread, inode: InodeId, mut pages: u64) -> Result<(), Errno> {
    let len = kt.with(|w| w.sizes.at(inode).i_size) / PAGE_SIZE * PAGE_SIZE;
    let (mut pos, mut usable, mut held) = (0, 0, None::<(u64, u64)>);
    let mut add = |(addr, length): (u64, u64), pages: &mut u64| {
        let (first, next) = (addr.div_ceil(PAGE_SIZE), (addr + length) / PAGE_SIZE);
        let taken = next.saturating_sub(first).min(*pages);
        *pages -= taken;
        usable += taken;
    };
    while pos < len {
        let (iomap, length) = stretch(kt, inode, pos, len - pos).await?;
        if !matches!(iomap.kind, IomapType::Mapped | IomapType::Unwritten) || length == 0 {
            return Err(Errno::EINVAL);
        }
        let addr = iomap.addr + (pos - iomap.offset);
        held = match held {
            Some((start, so_far)) if start + so_far == addr => Some((start, so_far + length)),
            Some(before) => {
                add(before, &mut pages);
                Some((addr, length))
            }
            None => Some((addr, length)),
        };
        pos += length;
    }
    if let Some(last) = held {
        add(last, &mut pages);
    }
    if usable == 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// swapoff(2), mm/swapfile.c:2553: the file is like any other again.
///
/// # Errors
/// `EPERM` for a user, `EINVAL` if it is not in use.
pub async fn swapoff(kt: &Kthread, path: &str) -> Result<(), Errno> {
    if kt.with(|w| w.accts.at(kt.task).euid != 0) {
        return Err(Errno::EPERM);
    }
    let file = do_sys_open(kt, path, OpenFlags::RDWR | OpenFlags::LARGEFILE, 0).await?;
    let inode = kt.with(|w| w.files.at(file).inode);
    let released = if kt.with(|w| w.inodes.at(inode).bits.contains(InodeBits::SWAPFILE)) {
        release_swapfile(kt, inode).await
    } else {
        Err(Errno::EINVAL)
    };
    filp_close(kt, file).await;
    released
}

async fn release_swapfile(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    down_write(kt, RwSem::IRwsem(inode)).await;
    kt.with(|w| {
        w.inode_mut(inode).bits.remove(InodeBits::SWAPFILE);
        up_write(w, RwSem::IRwsem(inode));
    });
    iput(kt, inode).await
}

/// swapoff of all files, as before an umount at shutdown.
///
/// # Errors
/// What dropping the last user of a file gives.
pub async fn swapoff_all(kt: &Kthread) -> Result<(), Errno> {
    while let Some(inode) = kt.with(|w| first_swapfile(w)) {
        release_swapfile(kt, inode).await?;
    }
    Ok(())
}

fn first_swapfile(w: &World) -> Option<InodeId> {
    w.inodes.iter().find(|(_, inode)| inode.bits.contains(InodeBits::SWAPFILE)).map(|(id, _)| id)
}
