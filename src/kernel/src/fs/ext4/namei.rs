//! Names: look-up, entries, the index, unlinking, the orphan list. Mirrors
//! fs/ext4/namei.c.
//!
//! ```text
//!   linear   block 0: ".", "..", names | block 1: names | ...
//!   indexed  block 0: root (hash -> block) | leaf | leaf | ...
//! ```
//!
//! The index of a large directory is in `namei/index.rs`, moving a name in
//! `namei/rename.rs`.
//!
//! Not modelled: the start block that the last look-up found, symbolic links on
//! the way; see docs/omissions.md#names.

mod index;
mod rename;

use ondisk::Ino;
use ondisk::layout::dir::{self, file_type};
use ondisk::layout::inode::InodeFlags;
use sched::Kthread;
use world::{BhFlags, BhId, Counter, Errno, InodeId, InodeState, World};

use crate::fs::buffer::wait_on_buffer;
use crate::fs::ext4::balloc::ext4_should_retry_alloc;
use crate::fs::ext4::dir::{
    dir_blocks, ext4_bread, ext4_getblk, ext4_read_dirblock, layout_errno, put_dirblock, start_read, verify,
};
use crate::fs::ext4::ext4_jbd2::{
    HandleType, INDEX_EXTRA_TRANS_BLOCKS, XATTR_TRANS_BLOCKS, data_trans_blocks, ext4_journal_current_handle,
    ext4_journal_get_write_access, ext4_journal_start, ext4_journal_stop, handle_dirty_metadata, handle_sync_if,
};
use crate::fs::ext4::ialloc::{ext4_new_inode, unlock_new_inode};
use crate::fs::ext4::inline::dir::{
    cached_inline_entry, ext4_delete_inline_entry, ext4_find_inline_entry, ext4_try_add_inline_entry,
    ext4_try_create_inline_dir,
};
use crate::fs::ext4::inline::{ext4_has_inline_data, may_inline_data};
use crate::fs::ext4::inode::disk::{
    Iget, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, edit_raw_inode, ext4_do_update_inode, ext4_get_inode_loc, ext4_iget,
    ext4_mark_inode_dirty, ext4_reserve_inode_write, iput, is_dir, raw_inode,
};
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, ext4_map_blocks};
use crate::fs::ext4::super_::{self, block_of_dir, has_csum, has_journal};
use crate::fs::fs_writeback::mark_inode_dirty;
use crate::fs::inode::current_time;
use crate::fs::jbd2::transaction::jbd2_journal_dirty_metadata;
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe};
use index::{DxError, cached_indexed_entry, dx_add_entry, dx_find_entry, has_dir_index, is_dx, make_indexed_dir};
pub use rename::{Renamed, ext4_rename};

/// Longest name, bytes.
pub const EXT4_NAME_LEN: usize = 255;
/// Links that a directory without the dir_nlink feature may have.
const EXT4_LINK_MAX: u16 = 65000;
/// Directory blocks read ahead of the search.
const NAMEI_RA_SIZE: u32 = 8;

// ---- look-up ----

/// `ext4_lookup()`, fs/ext4/namei.c:1733: the inode of a name, with one more
/// user; `None` if there is no such name.
///
/// # Errors
/// `ENAMETOOLONG`, `EUCLEAN`, `EFSBADCRC`, `EIO`.
pub async fn ext4_lookup(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<Option<InodeId>, Errno> {
    kt.push_frame(site::EXT4_LOOKUP.id, &[name.len() as u64]);
    let found = lookup(kt, dir, name).await;
    kt.pop_frame();
    found
}

async fn lookup(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<Option<InodeId>, Errno> {
    if name.len() > EXT4_NAME_LEN {
        return Err(Errno::ENAMETOOLONG);
    }
    let found = ext4_find_entry(kt, dir, name).await?;
    probe!(kt, EL_FOUND, ino = found.map_or(0, |found| found.ino)).await;
    let Some(found) = found else { return Ok(None) };
    if found.ino < Ino::ROOT.0 || found.ino > kt.with(|w| super_::inodes_count(w)) {
        return Err(Errno::EUCLEAN);
    }
    ext4_iget(kt, found.ino, Iget::Normal).await.map(Some)
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundEntry {
    /// The block's buffer.
    pub bh: BhId,
    /// Its inode.
    pub ino: u32,
}

/// `__ext4_find_entry()`, fs/ext4/namei.c:1493: by the index if there is one,
/// else block after block.
///
/// # Errors
/// `EUCLEAN`, `EFSBADCRC`, `EIO` for unreadable or damaged blocks.
pub async fn ext4_find_entry(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<Option<FoundEntry>, Errno> {
    kt.push_frame(site::EXT4_FIND_ENTRY.id, &[]);
    let found = find_entry(kt, dir, name).await;
    kt.pop_frame();
    found
}

async fn find_entry(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<Option<FoundEntry>, Errno> {
    if kt.with(|w| ext4_has_inline_data(w, dir)) {
        return ext4_find_inline_entry(kt, dir, name).await;
    }
    let dots = matches!(name, b"." | b"..");
    if !dots && kt.with(|w| is_dx(w, dir)) {
        match dx_find_entry(kt, dir, name).await {
            Err(DxError::BadDir) => {} // the index is damaged: search the old way
            Err(DxError::Errno(errno)) => return Err(errno),
            Ok(found) => return Ok(found),
        }
    }
    let blocks = if dots { 1 } else { kt.with(|w| dir_blocks(w, dir)) };
    let mut next = 0;
    while next < blocks {
        let batch = bread_batch(kt, dir, next, (blocks - next).min(NAMEI_RA_SIZE)).await?;
        for (n, bh) in (next..).zip(batch) {
            let Some(bh) = bh else { continue };
            wait_on_buffer(kt, bh).await;
            let found = kt.with(|w| search_dirblock(w, dir, bh, name))?;
            probe!(kt, FE_SEARCH, block = n).await;
            if let Some(ino) = found {
                return Ok(Some(FoundEntry { bh, ino }));
            }
        }
        next += NAMEI_RA_SIZE;
    }
    Ok(None)
}

/// `ext4_bread_batch()`, fs/ext4/inode.c:939: maps all, then reads all.
async fn bread_batch(kt: &Kthread, dir: InodeId, first: u32, count: u32) -> Result<Vec<Option<BhId>>, Errno> {
    let mut bhs = Vec::new();
    for lblk in first..first + count {
        bhs.push(ext4_getblk(kt, dir, lblk, GetBlocks::empty()).await?);
    }
    kt.with(|w| bhs.iter().flatten().for_each(|&bh| start_read(w, bh)));
    Ok(bhs)
}

/// `search_dirblock()`: the inode of a name in a block just read.
fn search_dirblock(w: &mut World, dir: InodeId, bh: BhId, name: &[u8]) -> Result<Option<u32>, Errno> {
    if !w.bhs.at(bh).flags.contains(BhFlags::UPTODATE) {
        return Err(Errno::EIO);
    }
    verify(w, dir, bh)?;
    dir::find(w.bh_bytes(bh), name).map(|found| found.map(|entry| entry.ino.0)).map_err(layout_errno)
}

/// What the dentry cache would know: the inode of a name whose block and inode
/// are both in memory. Reads nothing, leaves no trace.
///
/// The kernel keeps names in a cache of their own; here a name is cached exactly
/// while its directory block and its inode are.
#[must_use]
pub fn cached_dentry(w: &mut World, dir: InodeId, name: &[u8]) -> Option<InodeId> {
    if ext4_has_inline_data(w, dir) {
        let ino = cached_inline_entry(w, dir, name)?;
        return w.inode_hash.get(ino);
    }
    if name != b".." && is_dx(w, dir) {
        let ino = cached_indexed_entry(w, dir, name)?;
        return w.inode_hash.get(ino);
    }
    (0..dir_blocks(w, dir)).find_map(|lblk| {
        let bh = block_of_dir(w, dir, lblk)?;
        let entry = dir::find(w.bh_bytes(bh), name).ok().flatten()?;
        w.inode_hash.get(entry.ino.0)
    })
}

// ---- adding a name ----

/// `ext4_append()`, fs/ext4/namei.c:53: a new block at a directory's end, zeroed
/// and declared to the journal.
///
/// # Errors
/// `ENOSPC`, `EUCLEAN` if there is a block already.
pub async fn ext4_append(kt: &Kthread, dir: InodeId) -> Result<(BhId, u32), Errno> {
    let lblk = kt.with(|w| dir_blocks(w, dir));
    let mut map = MapBlocks { lblk, len: 1, ..MapBlocks::default() };
    if ext4_map_blocks(kt, dir, &mut map, GetBlocks::empty()).await? != 0 {
        return Err(Errno::EUCLEAN);
    }
    let bh = ext4_bread(kt, dir, lblk, GetBlocks::CREATE).await?.ok_or(Errno::ENOSPC)?;
    kt.with(|w| {
        let bytes = 1u64 << w.sb().block_bits;
        let size = w.size_mut(dir);
        size.i_size += bytes;
        size.i_disksize = size.i_size;
    });
    ext4_journal_get_write_access(kt, bh).await?;
    probe!(kt, APPEND_BLOCK, block = lblk).await;
    Ok((bh, lblk))
}

pub(super) fn type_of(mode: u16) -> u8 {
    match mode & S_IFMT {
        S_IFREG => file_type::REG_FILE,
        S_IFDIR => file_type::DIR,
        S_IFLNK => file_type::SYMLINK,
        0o020_000 => file_type::CHRDEV,
        0o060_000 => file_type::BLKDEV,
        0o010_000 => file_type::FIFO,
        0o140_000 => file_type::SOCK,
        _ => file_type::UNKNOWN,
    }
}

/// `ext4_add_entry()`, fs/ext4/namei.c:2286: puts a name for `inode` into `dir`,
/// inside the task's handle. That the name is new is the caller's to know.
///
/// # Errors
/// `ENOSPC`, `EUCLEAN`, `EFSBADCRC`, `EIO`.
pub async fn ext4_add_entry(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), Errno> {
    call!(kt, &site::EXT4_ADD_ENTRY, &[name.len() as u64], async {
        if name.is_empty() {
            return Err(Errno::EINVAL);
        }
        if kt.with(|w| ext4_has_inline_data(w, dir))
            && Box::pin(ext4_try_add_inline_entry(kt, dir, name, inode)).await?
        {
            return Ok(());
        }
        if kt.with(|w| is_dx(w, dir)) {
            match dx_add_entry(kt, dir, name, inode).await {
                Ok(()) => return Ok(()),
                Err(DxError::Errno(errno)) => return Err(errno),
                Err(DxError::BadDir) if kt.with(|w| has_csum(w)) => return Err(Errno::EUCLEAN),
                Err(DxError::BadDir) => {}
            }
            kt.with(|w| w.inode_mut(dir).flags &= !InodeFlags::INDEX.bits());
            ext4_mark_inode_dirty(kt, dir).await?;
        }
        let blocks = kt.with(|w| dir_blocks(w, dir));
        for lblk in 0..blocks {
            let bh = ext4_read_dirblock(kt, dir, lblk).await?;
            if add_dirent_to_buf(kt, dir, bh, name, inode).await? {
                return Ok(());
            }
            if blocks == 1 && kt.with(|w| has_dir_index(w)) {
                return make_indexed_dir(kt, dir, bh, name, inode).await;
            }
        }
        let (bh, _) = ext4_append(kt, dir).await?;
        kt.with(|w| {
            let mut new = w.bh_bytes(bh).to_vec();
            dir::init_empty(&mut new, has_csum(w)).map_err(layout_errno)?;
            let old = w.bh_bytes(bh).to_vec();
            super_::put_changed(w, bh, 0, &old, &new);
            Ok::<(), Errno>(())
        })?;
        if add_dirent_to_buf(kt, dir, bh, name, inode).await? { Ok(()) } else { Err(Errno::ENOSPC) }
    })
    .await
}

/// `add_dirent_to_buf()`, fs/ext4/namei.c:2054: false if the block has no gap
/// for the name.
async fn add_dirent_to_buf(kt: &Kthread, dir: InodeId, bh: BhId, name: &[u8], inode: InodeId) -> Result<bool, Errno> {
    let new = kt.with(|w| {
        let (ino, mode) = (w.inodes.at(inode).ino, w.inodes.at(inode).mode);
        let mut new = w.bh_bytes(bh).to_vec();
        if dir::find(&new, name).map_err(layout_errno)?.is_some() {
            return Err(Errno::EEXIST);
        }
        let csum = has_csum(w);
        let place = dir::insert(&mut new, csum, Ino(ino), type_of(mode), name).map_err(layout_errno)?;
        Ok(place.map(|_| new))
    })?;
    let Some(new) = new else { return Ok(false) };
    ext4_journal_get_write_access(kt, bh).await?;
    touch_dir(kt, dir, true).await?;
    kt.with(|w| put_dirblock(w, kt, dir, bh, new))?;
    probe!(kt, AE_ENTRY).await;
    Ok(true)
}

/// A directory whose names changed: its times, its version, no index flag
/// without the feature.
pub(super) async fn touch_dir(kt: &Kthread, dir: InodeId, update_dx: bool) -> Result<(), Errno> {
    let ino = kt.with(|w| {
        let now = current_time(w);
        let times = w.times_mut(dir);
        (times.mtime, times.ctime) = (now, now);
        if update_dx && !has_dir_index(w) {
            w.inode_mut(dir).flags &= !InodeFlags::INDEX.bits();
        }
        w.inodes.at(dir).ino
    });
    ext4_mark_inode_dirty(kt, dir).await?;
    let (bh, offset) = ext4_get_inode_loc(kt, ino, true).await?;
    kt.with(|w| {
        edit_raw_inode(w, ino, bh, offset, |disk| disk.i_version.set(disk.i_version.get().wrapping_add(1)));
        handle_dirty_metadata(w, kt, bh);
    });
    Ok(())
}

// ---- making and removing files ----

/// `ext4_create()`, fs/ext4/namei.c:2717: a new regular file with that name.
/// The directory is locked.
///
/// # Errors
/// `ENOSPC`, `EUCLEAN`, `EFSBADCRC`, `EIO`.
pub async fn ext4_create(kt: &Kthread, dir: InodeId, name: &[u8], mode: u16) -> Result<InodeId, Errno> {
    call!(kt, &site::EXT4_CREATE, &[u64::from(mode)], async {
        let credits = kt.with(|w| data_trans_blocks(w)) + INDEX_EXTRA_TRANS_BLOCKS + 3;
        let mut retries = 0;
        loop {
            let made = match ext4_new_inode(kt, dir, S_IFREG | mode, Some(name), credits).await {
                Ok(inode) => {
                    probe!(kt, EC_INODE, inode = inode).await;
                    ext4_add_nondir(kt, dir, name, inode).await.map(|()| inode)
                }
                Err(errno) => Err(errno),
            };
            stop_if_open(kt).await?;
            if made == Err(Errno::ENOSPC) && ext4_should_retry_alloc(kt, &mut retries).await {
                continue;
            }
            return made;
        }
    })
    .await
}

async fn stop_if_open(kt: &Kthread) -> Result<(), Errno> {
    if kt.with(|w| ext4_journal_current_handle(w, kt).is_some()) { ext4_journal_stop(kt).await } else { Ok(()) }
}

/// `ext4_add_nondir()`, fs/ext4/namei.c:2689. On an error the inode is an orphan
/// without a user.
async fn ext4_add_nondir(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), Errno> {
    match ext4_add_entry(kt, dir, name, inode).await {
        Ok(()) => {
            let marked = ext4_mark_inode_dirty(kt, inode).await;
            kt.with(|w| {
                handle_sync_if(w, kt, dir);
                unlock_new_inode(w, inode);
            });
            marked
        }
        Err(errno) => {
            kt.with(|w| w.inode_mut(inode).nlink = 0);
            ext4_orphan_add(kt, inode).await?;
            kt.with(|w| unlock_new_inode(w, inode));
            iput(kt, inode).await?;
            Err(errno)
        }
    }
}

/// `ext4_tmpfile()`, fs/ext4/namei.c:2786: a regular file without a name, on the
/// orphan list.
///
/// # Errors
/// `ENOSPC`, `EUCLEAN`, `EFSBADCRC`, `EIO`.
pub async fn ext4_tmpfile(kt: &Kthread, dir: InodeId, mode: u16) -> Result<InodeId, Errno> {
    call!(kt, &site::EXT4_TMPFILE, &[u64::from(mode)], async {
        // Four, the attributes, and the security label that a real kernel keeps room for.
        let made = ext4_new_inode(kt, dir, S_IFREG | mode, None, 4 + XATTR_TRANS_BLOCKS).await;
        let Ok(inode) = made else {
            stop_if_open(kt).await?;
            return made;
        };
        let all = InodeState::DIRTY_SYNC | InodeState::DIRTY_DATASYNC | InodeState::DIRTY_PAGES;
        kt.with(|w| w.inode_mut(inode).nlink = 0);
        mark_inode_dirty(kt, inode, all).await; // d_tmpfile()
        ext4_orphan_add(kt, inode).await?;
        mark_inode_dirty(kt, inode, all).await;
        kt.with(|w| unlock_new_inode(w, inode));
        ext4_journal_stop(kt).await?;
        Ok(inode)
    })
    .await
}

/// `ext4_mkdir()`, fs/ext4/namei.c:2895: a new directory with that name.
///
/// # Errors
/// `EMLINK`, `ENOSPC`, `EUCLEAN`, `EFSBADCRC`, `EIO`.
pub async fn ext4_mkdir(kt: &Kthread, dir: InodeId, name: &[u8], mode: u16) -> Result<InodeId, Errno> {
    call!(kt, &site::EXT4_MKDIR, &[u64::from(mode)], async {
        if kt.with(|w| dir_is_full(w, dir)) {
            return Err(Errno::EMLINK);
        }
        let credits = kt.with(|w| data_trans_blocks(w)) + INDEX_EXTRA_TRANS_BLOCKS + 3;
        let mut retries = 0;
        loop {
            let made = match ext4_new_inode(kt, dir, S_IFDIR | mode, Some(name), credits).await {
                Ok(inode) => fill_new_dir(kt, dir, name, inode).await.map(|()| inode),
                Err(errno) => Err(errno),
            };
            stop_if_open(kt).await?;
            if made == Err(Errno::ENOSPC) && ext4_should_retry_alloc(kt, &mut retries).await {
                continue;
            }
            return made;
        }
    })
    .await
}

/// `EXT4_DIR_LINK_MAX()`, fs/ext4/ext4.h: the directory takes no other one.
fn dir_is_full(w: &World, dir: InodeId) -> bool {
    !is_dx(w, dir) && w.inodes.at(dir).nlink >= EXT4_LINK_MAX
}

/// `ext4_inc_count()`: 1 stands for "too many to count" in an indexed directory.
fn inc_count(w: &mut World, dir: InodeId) {
    let links = w.inodes.at(dir).nlink;
    let links = if links == 1 || links + 1 >= EXT4_LINK_MAX && is_dx(w, dir) { 1 } else { links + 1 };
    w.inode_mut(dir).nlink = links;
}

/// `ext4_dec_count()`: a directory keeps its two own links, or the 1.
fn dec_count(w: &mut World, inode: InodeId) {
    let least = if is_dir(w, inode) { 2 } else { 0 };
    let links = &mut w.inode_mut(inode).nlink;
    *links -= u16::from(*links > least);
}

async fn fill_new_dir(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), Errno> {
    let named = name_new_dir(kt, dir, name, inode).await;
    if named.is_err() {
        kt.with(|w| w.inode_mut(inode).nlink = 0);
        ext4_orphan_add(kt, inode).await?;
        kt.with(|w| unlock_new_inode(w, inode));
        ext4_mark_inode_dirty(kt, inode).await?;
        ext4_journal_stop(kt).await?;
        iput(kt, inode).await?;
        return named;
    }
    kt.with(|w| inc_count(w, dir));
    ext4_mark_inode_dirty(kt, dir).await?;
    kt.with(|w| {
        unlock_new_inode(w, inode);
        handle_sync_if(w, kt, dir);
    });
    probe!(kt, MKDIR_DONE).await;
    Ok(())
}

async fn name_new_dir(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), Errno> {
    // ext4_init_new_dir(): inside its inode, or its first block.
    let inside = kt.with(|w| may_inline_data(w, inode)) && ext4_try_create_inline_dir(kt, dir, inode).await?;
    if inside {
        ext4_mark_inode_dirty(kt, inode).await?;
        return ext4_add_entry(kt, dir, name, inode).await;
    }
    let (bh, _) = ext4_append(kt, inode).await?;
    kt.with(|w| {
        let (ino, parent, csum) = (w.inodes.at(inode).ino, w.inodes.at(dir).ino, has_csum(w));
        let mut new = w.bh_bytes(bh).to_vec();
        dir::init_first(&mut new, csum, Ino(ino), Ino(parent)).map_err(layout_errno)?;
        w.inode_mut(inode).nlink = 2;
        put_dirblock(w, kt, inode, bh, new)
    })?;
    ext4_mark_inode_dirty(kt, inode).await?;
    ext4_add_entry(kt, dir, name, inode).await
}

/// `__ext4_link()`, fs/ext4/namei.c:3535: one more name for `inode`; the first
/// name of an O_TMPFILE inode takes it off the orphan list.
///
/// # Errors
/// `EMLINK`, `ENOSPC`, `EUCLEAN`, `EFSBADCRC`, `EIO`.
pub async fn ext4_link(kt: &Kthread, inode: InodeId, dir: InodeId, name: &[u8]) -> Result<(), Errno> {
    call!(kt, &site::EXT4_LINK, &[], async {
        if kt.with(|w| w.inodes.at(inode).nlink >= EXT4_LINK_MAX) {
            return Err(Errno::EMLINK);
        }
        let credits = kt.with(|w| data_trans_blocks(w)) + INDEX_EXTRA_TRANS_BLOCKS + 1;
        ext4_journal_start(kt, HandleType::Dir, credits).await?;
        kt.with(|w| {
            handle_sync_if(w, kt, dir);
            let now = current_time(w);
            w.times_mut(inode).ctime = now;
            w.inode_mut(inode).nlink += 1;
        });
        let added = match ext4_add_entry(kt, dir, name, inode).await {
            Ok(()) => {
                ext4_mark_inode_dirty(kt, inode).await?;
                if kt.with(|w| w.inodes.at(inode).nlink == 1) { ext4_orphan_del(kt, inode).await } else { Ok(()) }
            }
            Err(errno) => {
                kt.with(|w| w.inode_mut(inode).nlink -= 1);
                Err(errno)
            }
        };
        let stopped = ext4_journal_stop(kt).await;
        probe!(kt, LINK_DONE).await;
        added.and(stopped)
    })
    .await
}

/// `ext4_unlink()`, fs/ext4/namei.c:3369: takes a name away; an inode without
/// names becomes an orphan until its last user is gone.
///
/// # Errors
/// `ENOENT`, `EUCLEAN`, `EFSBADCRC`, `EIO`.
pub async fn ext4_unlink(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), Errno> {
    call!(kt, &site::EXT4_UNLINK, &[], async {
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        let (ino, parent) = kt.with(|w| (w.inodes.at(inode).ino, w.inodes.at(dir).ino));
        kt.with(|w| point!(w, EXT4_UNLINK_ENTER, ino, w.sizes.at(inode).i_size, parent));
        let result = unlink(kt, dir, name, inode).await;
        kt.with(|w| point!(w, EXT4_UNLINK_EXIT, ino, result));
        result
    })
    .await
}

async fn unlink(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), Errno> {
    let found = ext4_find_entry(kt, dir, name).await?.ok_or(Errno::ENOENT)?;
    if found.ino != kt.with(|w| w.inodes.at(inode).ino) {
        return Err(Errno::ENOENT);
    }
    ext4_journal_start(kt, HandleType::Dir, kt.with(|w| data_trans_blocks(w))).await?;
    kt.with(|w| handle_sync_if(w, kt, dir));
    let removed = unlink_in_handle(kt, dir, name, inode, found.bh).await;
    let stopped = ext4_journal_stop(kt).await;
    removed.and(stopped)
}

async fn unlink_in_handle(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId, bh: BhId) -> Result<(), Errno> {
    delete_entry(kt, dir, name, bh).await?;
    touch_dir(kt, dir, true).await?;
    let links = kt.with(|w| {
        let head = w.inode_mut(inode);
        head.nlink = head.nlink.saturating_sub(1);
        head.nlink
    });
    if links == 0 {
        ext4_orphan_add(kt, inode).await?;
    }
    kt.with(|w| {
        let now = current_time(w);
        w.times_mut(inode).ctime = now;
    });
    probe!(kt, UNLINK_DONE).await;
    ext4_mark_inode_dirty(kt, inode).await
}

/// `ext4_delete_entry()`, fs/ext4/namei.c:2613.
async fn delete_entry(kt: &Kthread, dir: InodeId, name: &[u8], bh: BhId) -> Result<(), Errno> {
    if kt.with(|w| ext4_has_inline_data(w, dir)) {
        return ext4_delete_inline_entry(kt, dir, name).await;
    }
    ext4_journal_get_write_access(kt, bh).await?;
    kt.with(|w| {
        let mut new = w.bh_bytes(bh).to_vec();
        dir::remove(&mut new, name).map_err(layout_errno)?.ok_or(Errno::ENOENT)?;
        put_dirblock(w, kt, dir, bh, new)
    })
}

/// `ext4_empty_dir()`, fs/ext4/namei.c:2962: no names but the dots.
async fn ext4_empty_dir(kt: &Kthread, inode: InodeId) -> Result<bool, Errno> {
    let names = super::dir::ext4_readdir(kt, inode).await?;
    Ok(names.iter().all(|entry| matches!(&entry.name[..], b"." | b"..")))
}

/// `ext4_rmdir()`, fs/ext4/namei.c:3206: removes an empty directory.
///
/// # Errors
/// `ENOTEMPTY`, `ENOTDIR`, and as [`ext4_unlink`].
pub async fn ext4_rmdir(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), Errno> {
    if !kt.with(|w| is_dir(w, inode)) {
        return Err(Errno::ENOTDIR);
    }
    if !ext4_empty_dir(kt, inode).await? {
        return Err(Errno::ENOTEMPTY);
    }
    call!(kt, &site::EXT4_RMDIR, &[], async {
        let found = ext4_find_entry(kt, dir, name).await?.ok_or(Errno::ENOENT)?;
        ext4_journal_start(kt, HandleType::Dir, kt.with(|w| data_trans_blocks(w))).await?;
        kt.with(|w| handle_sync_if(w, kt, dir));
        let removed = async {
            delete_entry(kt, dir, name, found.bh).await?;
            kt.with(|w| {
                let now = current_time(w);
                w.inode_mut(inode).nlink = 0;
                w.size_mut(inode).i_size = 0;
                w.times_mut(inode).ctime = now;
            });
            ext4_orphan_add(kt, inode).await?;
            ext4_mark_inode_dirty(kt, inode).await?;
            kt.with(|w| dec_count(w, dir));
            touch_dir(kt, dir, true).await
        }
        .await;
        let stopped = ext4_journal_stop(kt).await;
        probe!(kt, RMDIR_DONE).await;
        removed.and(stopped)
    })
    .await
}

// ---- orphans ----

/// `ext4_orphan_add()`, fs/ext4/namei.c:3044: puts an inode at the head of the
/// list that a mount after a crash cleans up; nothing without a journal.
///
/// # Errors
/// What reading its table gives.
pub async fn ext4_orphan_add(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let ino = kt.with(|w| w.inodes.at(inode).ino);
    if !kt.with(|w| has_journal(w)) || orphan_before(kt, ino).await?.is_some() {
        kt.graph("ext4_orphan_add");
        return Ok(());
    }
    kt.graph("ext4_orphan_add {");
    ext4_journal_get_write_access(kt, super_place(kt)).await?;
    let (bh, offset) = ext4_reserve_inode_write(kt, inode).await?;
    kt.with(|w| {
        // Both ends of the link at once, as under s_orphan_lock.
        let next = w.counter(Counter::LastOrphan) as u32;
        set_last_orphan(w, kt, ino);
        edit_raw_inode(w, ino, bh, offset, |disk| disk.i_dtime.set(next));
        ext4_do_update_inode(w, kt, inode, bh, offset);
    });
    kt.graph("}");
    call!(kt, &site::EXT4_ORPHANS, &[u64::from(ino)], async { probe!(kt, ORPHAN_ADD).await }).await;
    Ok(())
}

/// The list's head changes; the superblock's buffer was declared to the journal.
fn set_last_orphan(w: &mut World, kt: &Kthread, ino: u32) {
    *w.counter_mut(Counter::LastOrphan) = u64::from(ino);
    super_::edit_super(w, |es| es.s_last_orphan.set(ino));
    let sbh = super_::sb_place(w).0;
    w.graph("__ext4_handle_dirty_super { ext4_superblock_csum_set");
    jbd2_journal_dirty_metadata(w, kt.task, sbh);
    w.graph("}");
}

fn super_place(kt: &Kthread) -> BhId {
    kt.with(|w| super_::sb_place(w).0)
}

/// What stands before an inode in the orphan list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// The superblock.
    Head,
    /// Another inode, by number.
    Inode(u32),
}

/// Looks for an inode in the list; the links are `i_dtime` of the raw inodes.
async fn orphan_before(kt: &Kthread, ino: u32) -> Result<Option<Before>, Errno> {
    let (mut at, limit) = kt.with(|w| (w.counter(Counter::LastOrphan) as u32, super_::inodes_count(w)));
    let mut before = Before::Head;
    for _ in 0..=limit {
        if at == 0 {
            return Ok(None);
        }
        if at == ino {
            return Ok(Some(before));
        }
        let (bh, offset) = ext4_get_inode_loc(kt, at, true).await?;
        before = Before::Inode(at);
        at = kt.with(|w| raw_inode(w, bh, offset).i_dtime.get());
    }
    Err(Errno::EUCLEAN) // the list goes round in a circle
}

/// `!list_empty(&EXT4_I(inode)->i_orphan)`.
pub async fn ext4_is_orphan(kt: &Kthread, inode: InodeId) -> bool {
    let ino = kt.with(|w| w.inodes.at(inode).ino);
    orphan_before(kt, ino).await.is_ok_and(|before| before.is_some())
}

/// `ext4_orphan_del()`, fs/ext4/namei.c:3127: takes an inode off the list, if it
/// is there.
///
/// # Errors
/// What reading a table gives.
pub async fn ext4_orphan_del(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    if !kt.with(|w| has_journal(w)) {
        return Ok(());
    }
    let ino = kt.with(|w| w.inodes.at(inode).ino);
    kt.graph("ext4_orphan_del {");
    while let Some(before) = orphan_before(kt, ino).await? {
        let (bh, offset) = ext4_reserve_inode_write(kt, inode).await?;
        let previous = match before {
            Before::Head => (super_place(kt), 0),
            Before::Inode(previous) => ext4_get_inode_loc(kt, previous, true).await?,
        };
        ext4_journal_get_write_access(kt, previous.0).await?;
        let removed = kt.with(|w| {
            let next = raw_inode(w, bh, offset).i_dtime.get();
            match before {
                Before::Head if w.counter(Counter::LastOrphan) == u64::from(ino) => set_last_orphan(w, kt, next),
                Before::Inode(at) if raw_inode(w, previous.0, previous.1).i_dtime.get() == ino => {
                    edit_raw_inode(w, at, previous.0, previous.1, |disk| disk.i_dtime.set(next));
                    handle_dirty_metadata(w, kt, previous.0);
                }
                _ => return false, // the list changed while a buffer was waited for
            }
            edit_raw_inode(w, ino, bh, offset, |disk| disk.i_dtime.set(0));
            ext4_do_update_inode(w, kt, inode, bh, offset);
            true
        });
        if removed {
            break;
        }
    }
    kt.graph("}");
    call!(kt, &site::EXT4_ORPHANS, &[u64::from(ino)], async { probe!(kt, ORPHAN_DEL).await }).await;
    Ok(())
}
