//! Reading pages. Mirrors fs/ext4/readpage.c, with `block_read_full_page()` of
//! fs/buffer.c.
//!
//! A page that is contiguous on disk, maybe with a hole at its end, is read
//! whole, together with its neighbours. Any other is "confused": read buffer
//! by buffer.
//!
//! Not modelled: encryption, fs-verity; and a page read buffer by
//! buffer is waited for by whoever submitted it, readahead too, see
//! docs/omissions.md#mm.

use sched::Kthread;
use world::{BhFlags, BhId, BioVec, Errno, InodeId, PAGE_SIZE, PageFlags, PageId, World};

use crate::block::ramdisk::{Completion, REQ_RAHEAD, Request, submit_bio};
use crate::fs::buffer::{block_size, create_empty_buffers, submit_bh_read, wait_on_buffer};
use crate::fs::ext4::inline::{ext4_has_inline_data, ext4_readpage_inline};
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_get_block, ext4_map_blocks};
use crate::mm::filemap::{put_page, unlock_page};
pub use crate::mm::filemap_read::filemap_fault;
use crate::mm::page_writeback::ino_of;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe, site};

/// BIO_MAX_PAGES.
const BIO_MAX_PAGES: usize = 256;

/// The bio being built, on its caller's stack as in C.
struct ReadBio {
    inode: InodeId,
    rwbs: u8,
    vecs: Vec<BioVec>,
    first_block: u64,
    /// `last_block_in_bio`.
    last_block: u64,
}

impl ReadBio {
    fn submit(&mut self, w: &mut World) {
        if self.vecs.is_empty() {
            return;
        }
        let vecs = std::mem::take(&mut self.vecs);
        let offset_bytes = self.first_block * block_size(w);
        let (rwbs, inode) = (self.rwbs, self.inode);
        let completion = Completion::ReadPages;
        submit_bio(w, Request { write: false, offset_bytes, vecs: &vecs, completion, rwbs, inode });
    }
}

/// What a page's blocks turned out to be.
enum Shape {
    /// To be read up to byte `len` from `blocks[0]` on.
    Run { blocks: Vec<u64>, len: u64, ends_at_boundary: bool },
    /// Nothing but holes.
    Hole,
    /// To be read buffer by buffer.
    Confused,
    /// Mapping failed.
    Error,
}

/// `ext4_readpage()`, fs/ext4/inode.c:3304, of a locked page; the read's end unlocks it.
pub async fn ext4_readpage(kt: &Kthread, inode: InodeId, page: PageId) {
    kt.with(|w| {
        let index = w.pages.at(page).index;
        point!(w, EXT4_READPAGE, ino_of(w, inode), index);
    });
    kt.graph("ext4_readpage {");
    if kt.with(|w| ext4_has_inline_data(w, inode)) {
        Box::pin(ext4_readpage_inline(kt, inode, page)).await;
    } else {
        ext4_mpage_readpages(kt, inode, &[page], false).await;
    }
    kt.graph("}");
}

/// `ext4_readahead()`, fs/ext4/inode.c:3316: the caller's references go too. Of a
/// file in its inode nothing is read ahead: the pages stay as they are.
pub async fn ext4_readahead(kt: &Kthread, inode: InodeId, pages: &[PageId]) {
    if kt.with(|w| ext4_has_inline_data(w, inode)) {
        kt.with(|w| {
            for &page in pages {
                unlock_page(w, page);
                put_page(w, page);
            }
        });
    } else {
        ext4_mpage_readpages(kt, inode, pages, true).await;
    }
}

/// `ext4_mpage_readpages()`, fs/ext4/readpage.c:224: reads locked pages, in a
/// row if there are several; each is unlocked when it is there. With
/// `readahead` the caller's references go too.
async fn ext4_mpage_readpages(kt: &Kthread, inode: InodeId, pages: &[PageId], readahead: bool) {
    let Some(&first) = pages.first() else { return };
    let index = kt.with(|w| w.pages.at(first).index);
    call!(
        kt,
        &site::EXT4_MPAGE_READPAGES,
        &[u64::from(index), pages.len() as u64],
        Box::pin(async {
            let rwbs = if readahead { REQ_RAHEAD } else { 0 };
            let mut bio = ReadBio { inode, rwbs, vecs: Vec::new(), first_block: 0, last_block: 0 };
            let mut map = MapBlocks::default();
            for (n, &page) in pages.iter().enumerate() {
                match page_shape(kt, inode, page, pages.len() - n, &mut map).await {
                    Shape::Error => kt.with(|w| {
                        w.page_mut(page).flags.insert(PageFlags::ERROR);
                        zero_from(w, page, 0);
                        unlock_page(w, page);
                    }),
                    Shape::Hole => {
                        kt.with(|w| {
                            zero_from(w, page, 0);
                            w.page_mut(page).flags.insert(PageFlags::UPTODATE);
                            unlock_page(w, page);
                        });
                        probe!(kt, MRP_HOLE).await;
                    }
                    Shape::Run { blocks, len, ends_at_boundary } => {
                        kt.with(|w| {
                            if len < PAGE_SIZE {
                                zero_from(w, page, len as usize);
                            }
                            if !bio.vecs.is_empty()
                                && (bio.last_block + 1 != blocks[0] || bio.vecs.len() == BIO_MAX_PAGES)
                            {
                                bio.submit(w);
                            }
                            if bio.vecs.is_empty() {
                                bio.first_block = blocks[0];
                            }
                            bio.vecs.push(BioVec { page, offset: 0, len: len as u32, content: None });
                            bio.last_block = blocks[blocks.len() - 1];
                        });
                        probe!(kt, MRP_ADD, pblk = blocks[0]).await;
                        if ends_at_boundary || len < PAGE_SIZE {
                            kt.with(|w| bio.submit(w));
                        }
                    }
                    Shape::Confused => {
                        kt.with(|w| bio.submit(w));
                        if kt.with(|w| w.pages.at(page).flags.contains(PageFlags::UPTODATE)) {
                            kt.with(|w| unlock_page(w, page));
                        } else {
                            probe!(kt, MRP_CONFUSED).await;
                            block_read_full_page(kt, inode, page).await;
                        }
                    }
                }
                if readahead {
                    kt.with(|w| put_page(w, page));
                }
            }
            kt.with(|w| bio.submit(w));
        }),
    )
    .await;
}

fn zero_from(w: &mut World, page: PageId, from: usize) {
    let (content, rec) = (w.pages.at(page).content, w.rec);
    if w.contents.get(content)[from..].iter().any(|&byte| byte != 0) {
        w.contents.range_mut(rec, content, from, PAGE_SIZE as usize - from).fill(0);
    }
}

/// Maps a page's blocks; `map` is what the last look-up gave and may cover this
/// page too.
async fn page_shape(kt: &Kthread, inode: InodeId, page: PageId, pages_left: usize, map: &mut MapBlocks) -> Shape {
    let (has_buffers, index, size, block) = kt.with(|w| {
        let head = w.pages.at(page);
        (head.nr_bhs > 0, head.index, w.sizes.at(inode).i_size, block_size(w))
    });
    if has_buffers {
        return Shape::Confused;
    }
    let per_page = u32::try_from(PAGE_SIZE / block).expect("a block is at most a page");
    let mut block_in_file = index * per_page;
    let behind = u64::from(block_in_file) + pages_left as u64 * u64::from(per_page);
    let last_block = u32::try_from(behind.min(size.div_ceil(block))).unwrap_or(u32::MAX);
    let mut blocks: Vec<u64> = Vec::with_capacity(per_page as usize);
    let (mut first_hole, mut at, mut taken) = (per_page, 0, 0);
    if map.flags.contains(MapFlags::MAPPED) && block_in_file > map.lblk && block_in_file < map.lblk + map.len {
        let skip = block_in_file - map.lblk;
        while at < per_page && skip + taken < map.len {
            blocks.push(map.pblk + u64::from(skip + taken));
            taken += 1;
            at += 1;
            block_in_file += 1;
        }
        if at < per_page {
            map.flags.remove(MapFlags::MAPPED);
        }
    }
    while at < per_page {
        if block_in_file < last_block {
            *map = MapBlocks { lblk: block_in_file, len: last_block - block_in_file, ..MapBlocks::default() };
            if ext4_map_blocks(kt, inode, map, GetBlocks::empty()).await.is_err() {
                return Shape::Error;
            }
            probe!(kt, MRP_MAP, lblk = map.lblk, len = map.len, pblk = map.pblk).await;
        }
        if !map.flags.contains(MapFlags::MAPPED) {
            first_hole = first_hole.min(at);
            at += 1;
            block_in_file += 1;
            continue;
        }
        if first_hole != per_page || blocks.last().is_some_and(|&before| before + 1 != map.pblk) {
            return Shape::Confused; // data behind a hole, or two extents
        }
        taken = 0;
        while at < per_page && taken < map.len {
            blocks.push(map.pblk + u64::from(taken));
            taken += 1;
            at += 1;
            block_in_file += 1;
        }
        if at < per_page {
            map.flags.remove(MapFlags::MAPPED);
        }
    }
    if first_hole == 0 {
        return Shape::Hole;
    }
    let ends_at_boundary = map.flags.contains(MapFlags::BOUNDARY) && taken == map.len;
    Shape::Run { blocks, len: u64::from(first_hole) * block, ends_at_boundary }
}

/// `block_read_full_page()`, fs/buffer.c:2259, with `ext4_get_block()`: the
/// buffers of a locked page that are not there; holes become zeros. Unlocks
/// the page.
pub async fn block_read_full_page(kt: &Kthread, inode: InodeId, page: PageId) {
    call!(
        kt,
        &site::BLOCK_READ_FULL_PAGE,
        &[u64::from(page.0)],
        Box::pin(async {
            let (bhs, mut iblock, lblock) = kt.with(|w| {
                if w.pages.at(page).nr_bhs == 0 {
                    create_empty_buffers(w, page);
                }
                let bhs: Vec<BhId> = w.page_bhs(page).collect();
                let block = block_size(w);
                let first = u64::from(w.pages.at(page).index) * (PAGE_SIZE / block);
                (bhs, first, w.sizes.at(inode).i_size.div_ceil(block))
            });
            let mut reads = Vec::new();
            for bh in bhs {
                let at = u32::try_from(iblock).expect("a file has fewer than 2^32 blocks");
                iblock += 1;
                let flags = kt.with(|w| w.bhs.at(bh).flags);
                if flags.contains(BhFlags::UPTODATE) {
                    continue;
                }
                if !flags.contains(BhFlags::MAPPED) {
                    let mut got = Ok(());
                    if u64::from(at) < lblock {
                        got = ext4_get_block(kt, inode, at, bh, false).await;
                        probe!(kt, BRF_MAP, iblock = at).await;
                    }
                    if got.is_err() {
                        kt.with(|w| w.page_mut(page).flags.insert(PageFlags::ERROR));
                    }
                    let flags = kt.with(|w| w.bhs.at(bh).flags);
                    if !flags.contains(BhFlags::MAPPED) {
                        kt.with(|w| {
                            let size = usize::from(w.bhs.at(bh).size);
                            w.bh_bytes_mut(bh, 0, size).fill(0);
                            if got.is_ok() {
                                w.bh_mut(bh).flags.insert(BhFlags::UPTODATE);
                            }
                        });
                        probe!(kt, BRF_ZERO).await;
                        continue;
                    }
                    if flags.contains(BhFlags::UPTODATE) {
                        continue;
                    }
                }
                reads.push(bh);
            }
            for &bh in &reads {
                kt.with(|w| submit_bh_read(w, bh, 0));
                probe!(kt, BRF_READ).await;
            }
            for &bh in &reads {
                wait_on_buffer(kt, bh).await;
            }
            kt.with(|w| {
                // end_buffer_async_read() of the last one
                let there = w.page_bhs(page).all(|bh| w.bhs.at(bh).flags.contains(BhFlags::UPTODATE));
                let flags = &mut w.page_mut(page).flags;
                if !there {
                    flags.insert(PageFlags::ERROR);
                } else if !flags.contains(PageFlags::ERROR) {
                    flags.insert(PageFlags::UPTODATE);
                }
                unlock_page(w, page);
            });
        }),
    )
    .await;
}

/// `read_cache_page()`, mm/filemap.c:3041: the page at `index`, uptodate and
/// unlocked, with a reference.
///
/// # Errors
/// `EIO` for a failed read.
pub async fn read_cache_page(kt: &Kthread, inode: InodeId, index: u32) -> Result<PageId, Errno> {
    crate::mm::filemap_read::read_cache_page(kt, inode, index).await
}
