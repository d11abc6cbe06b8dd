//! Moving a name. Mirrors `ext4_rename()` of fs/ext4/namei.c.
//!
//! Not modelled: the flags of renameat2(2), see docs/omissions.md#names.

use ondisk::Ino;
use ondisk::layout::dir::{self, file_type};
use sched::Kthread;
use world::{BhId, Errno, InodeId};

use super::index::is_dx;
use super::{
    FoundEntry, dec_count, delete_entry, dir_is_full, ext4_add_entry, ext4_empty_dir, ext4_find_entry, ext4_orphan_add,
    inc_count, touch_dir, type_of,
};
use crate::fs::ext4::dir::{ext4_read_dirblock, layout_errno, put_dirblock, put_dxblock};
use crate::fs::ext4::ext4_jbd2::{
    HandleType, INDEX_EXTRA_TRANS_BLOCKS, data_trans_blocks, ext4_journal_get_write_access, ext4_journal_start,
    ext4_journal_stop, handle_sync_if,
};
use crate::fs::ext4::inline::dir::{ext4_set_inline_entry, ext4_set_inline_parent};
use crate::fs::ext4::inline::ext4_has_inline_data;
use crate::fs::ext4::inode::disk::{ext4_mark_inode_dirty, is_dir};
use crate::fs::ext4::super_::MountOpts;
use crate::fs::inode::current_time;
use crate::fs::open::ext4_alloc_da_blocks;
use crate::trace::call;
use crate::{probe, site};

/// One end of a rename (`struct ext4_renament`): a name and its directory.
#[derive(Clone, Copy, Debug)]
pub struct Renamed<'a> {
    /// The directory, locked.
    pub dir: InodeId,
    /// The name.
    pub name: &'a [u8],
}

/// `ext4_rename()`, fs/ext4/namei.c:3863: the name `old` of `inode` goes, `new`
/// comes; what had that name, `target`, loses it.
///
/// # Errors
/// `EIO` after a shutdown, `ENOENT`, `ENOTEMPTY`, `EMLINK`, `ENOSPC`, `EUCLEAN`, `EFSBADCRC`.
pub async fn ext4_rename(
    kt: &Kthread,
    old: Renamed<'_>,
    inode: InodeId,
    new: Renamed<'_>,
    target: Option<InodeId>,
) -> Result<(), Errno> {
    call!(kt, &site::EXT4_RENAME, &[], async {
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        let from = ext4_find_entry(kt, old.dir, old.name).await?.ok_or(Errno::ENOENT)?;
        let to = ext4_find_entry(kt, new.dir, new.name).await?;
        if target.is_some() && !kt.with(|w| MountOpts::of(w).contains(MountOpts::NO_AUTO_DA_ALLOC)) {
            // Who writes a file and moves it over another one finds the old bytes or the new ones.
            ext4_alloc_da_blocks(kt, inode).await;
            probe!(kt, RENAME_FLUSH).await;
        }
        let credits = kt.with(|w| 2 * data_trans_blocks(w)) + INDEX_EXTRA_TRANS_BLOCKS + 2;
        ext4_journal_start(kt, HandleType::Dir, credits).await?;
        kt.with(|w| {
            handle_sync_if(w, kt, old.dir);
            handle_sync_if(w, kt, new.dir);
        });
        let renamed = rename_in_handle(kt, (old, from), inode, (new, to), target).await;
        let _ = ext4_journal_stop(kt).await; // the kernel drops its error
        probe!(kt, RENAME_DONE).await;
        renamed
    })
    .await
}

async fn rename_in_handle(
    kt: &Kthread,
    (old, from): (Renamed<'_>, FoundEntry),
    inode: InodeId,
    (new, to): (Renamed<'_>, Option<FoundEntry>),
    target: Option<InodeId>,
) -> Result<(), Errno> {
    let moves_dir = kt.with(|w| is_dir(w, inode));
    if moves_dir {
        match target {
            Some(target) if !ext4_empty_dir(kt, target).await? => return Err(Errno::ENOTEMPTY),
            None if new.dir != old.dir && kt.with(|w| dir_is_full(w, new.dir)) => return Err(Errno::EMLINK),
            _ => {}
        }
    }
    let parent_block = if moves_dir { rename_dir_prepare(kt, inode).await? } else { None };
    match to {
        Some(to) => setent(kt, new, to.bh, inode).await?,
        None => ext4_add_entry(kt, new.dir, new.name, inode).await?,
    }
    probe!(kt, RENAME_NAMED).await;
    kt.with(|w| {
        let now = current_time(w);
        w.times_mut(inode).ctime = now;
    });
    ext4_mark_inode_dirty(kt, inode).await?;
    // An error of this is a warning only.
    let _ = rename_delete(kt, old, from.bh).await;
    probe!(kt, RENAME_DELETED).await;
    kt.with(|w| {
        let now = current_time(w);
        if let Some(target) = target {
            dec_count(w, target);
            w.times_mut(target).ctime = now;
        }
    });
    if moves_dir {
        rename_dir_finish(kt, inode, parent_block, new.dir).await?;
        kt.with(|w| dec_count(w, old.dir));
        match target {
            Some(target) => kt.with(|w| w.inode_mut(target).nlink = 0),
            None => {
                kt.with(|w| inc_count(w, new.dir));
                ext4_mark_inode_dirty(kt, new.dir).await?;
            }
        }
    }
    touch_dir(kt, old.dir, true).await?;
    if let Some(target) = target {
        ext4_mark_inode_dirty(kt, target).await?;
        if kt.with(|w| w.inodes.at(target).nlink == 0) {
            ext4_orphan_add(kt, target).await?;
        }
    }
    Ok(())
}

/// `ext4_setent()`, fs/ext4/namei.c:3709: a name that is there leads to `inode` now.
async fn setent(kt: &Kthread, new: Renamed<'_>, bh: BhId, inode: InodeId) -> Result<(), Errno> {
    let (ino, file_type) = kt.with(|w| (w.inodes.at(inode).ino, type_of(w.inodes.at(inode).mode)));
    if kt.with(|w| ext4_has_inline_data(w, new.dir)) {
        ext4_set_inline_entry(kt, new.dir, new.name, Ino(ino), file_type).await?;
        return touch_dir(kt, new.dir, false).await;
    }
    ext4_journal_get_write_access(kt, bh).await?;
    touch_dir(kt, new.dir, false).await?;
    kt.with(|w| {
        let mut bytes = w.bh_bytes(bh).to_vec();
        let at = dir::find(&bytes, new.name).map_err(layout_errno)?.ok_or(Errno::ENOENT)?.offset;
        dir::set_target(&mut bytes, at, Ino(ino), file_type).map_err(layout_errno)?;
        put_dirblock(w, kt, new.dir, bh, bytes)
    })
}

/// `ext4_rename_delete()`, fs/ext4/namei.c:3779: adding the new name may have
/// moved the old one to another block.
async fn rename_delete(kt: &Kthread, old: Renamed<'_>, bh: BhId) -> Result<(), Errno> {
    let stays = kt.with(|w| {
        ext4_has_inline_data(w, old.dir) || dir::find(w.bh_bytes(bh), old.name).is_ok_and(|found| found.is_some())
    });
    let bh = if stays { bh } else { ext4_find_entry(kt, old.dir, old.name).await?.ok_or(Errno::ENOENT)?.bh };
    delete_entry(kt, old.dir, old.name, bh).await
}

/// `ext4_rename_dir_prepare()`, fs/ext4/namei.c:3668: the first block of the directory
/// that moves, `None` if it lives in its inode.
async fn rename_dir_prepare(kt: &Kthread, inode: InodeId) -> Result<Option<BhId>, Errno> {
    if kt.with(|w| ext4_has_inline_data(w, inode)) {
        return Ok(None);
    }
    let bh = ext4_read_dirblock(kt, inode, 0).await?;
    ext4_journal_get_write_access(kt, bh).await?;
    Ok(Some(bh))
}

/// `ext4_rename_dir_finish()`, fs/ext4/namei.c:3683: the double dot leads to the new parent.
async fn rename_dir_finish(kt: &Kthread, inode: InodeId, bh: Option<BhId>, parent: InodeId) -> Result<(), Errno> {
    let parent = Ino(kt.with(|w| w.inodes.at(parent).ino));
    let Some(bh) = bh else { return ext4_set_inline_parent(kt, inode, parent).await };
    kt.with(|w| {
        let mut bytes = w.bh_bytes(bh).to_vec();
        let at = dir::find(&bytes, b"..").map_err(layout_errno)?.ok_or(Errno::EUCLEAN)?.offset;
        dir::set_target(&mut bytes, at, parent, file_type::DIR).map_err(layout_errno)?;
        if is_dx(w, inode) { put_dxblock(w, kt, inode, bh, bytes) } else { put_dirblock(w, kt, inode, bh, bytes) }
    })
}
