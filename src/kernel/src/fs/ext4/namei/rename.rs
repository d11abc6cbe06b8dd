//! `ext4_rename()`, fs/ext4/namei.c: a file gets another name, maybe that of a
//! file that has it already.
//!
//! Not modelled: directories, exchange, whiteouts; see docs/omissions.md#names.

use ondisk::Ino;
use ondisk::layout::dir;
use sched::Kthread;
use world::{BhId, Errno, InodeId};

use super::{delete_entry, ext4_add_entry, ext4_find_entry, ext4_orphan_add, touch_dir, type_of};
use crate::fs::ext4::dir::{layout_errno, put_dirblock};
use crate::fs::ext4::ext4_jbd2::{
    HandleType, INDEX_EXTRA_TRANS_BLOCKS, data_trans_blocks, ext4_journal_get_write_access, ext4_journal_start,
    ext4_journal_stop, handle_sync_if,
};
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::super_::MountOpts;
use crate::fs::inode::current_time;
use crate::fs::open::ext4_alloc_da_blocks;
use crate::trace::call;
use crate::{probe, site};

/// `struct ext4_renament`: one end of a renaming.
#[derive(Clone, Copy, Debug)]
pub struct Renament<'a> {
    /// The directory.
    pub dir: InodeId,
    /// The name in it.
    pub name: &'a [u8],
    /// Which file has the name; none for a new name that is free.
    pub inode: Option<InodeId>,
}

/// `ext4_rename()`, fs/ext4/namei.c:3863: file `inode` leaves `old` and gets `new`;
/// a file that has that name loses it. Directories and files are locked.
///
/// # Errors
/// `EIO` after a shutdown, `ENOENT`, `ENOSPC`, `EUCLEAN`, `EFSBADCRC`.
pub async fn ext4_rename(kt: &Kthread, inode: InodeId, old: Renament<'_>, new: Renament<'_>) -> Result<(), Errno> {
    call!(kt, &site::EXT4_RENAME, &[], async {
        if kt.with(|w| w.sb().shutdown) {
            return Err(Errno::EIO);
        }
        let found = ext4_find_entry(kt, old.dir, old.name).await?.ok_or(Errno::ENOENT)?;
        if found.ino != kt.with(|w| w.inodes.at(inode).ino) {
            return Err(Errno::ENOENT);
        }
        let taken = ext4_find_entry(kt, new.dir, new.name).await?.filter(|_| new.inode.is_some());
        if new.inode.is_some() && !kt.with(|w| MountOpts::of(w).contains(MountOpts::NO_AUTO_DA_ALLOC)) {
            // A program that replaces a file this way counts on its data being there.
            ext4_alloc_da_blocks(kt, inode).await;
            probe!(kt, RENAME_FLUSH).await;
        }
        let credits = kt.with(|w| 2 * data_trans_blocks(w)) + INDEX_EXTRA_TRANS_BLOCKS + 2;
        ext4_journal_start(kt, HandleType::Dir, credits).await?;
        kt.with(|w| {
            handle_sync_if(w, kt, old.dir);
            handle_sync_if(w, kt, new.dir);
        });
        let renamed = rename_in_handle(kt, inode, old, new, found.bh, taken.map(|taken| taken.bh)).await;
        let stopped = ext4_journal_stop(kt).await;
        probe!(kt, RENAME_DONE).await;
        renamed.and(stopped)
    })
    .await
}

async fn rename_in_handle(
    kt: &Kthread,
    inode: InodeId,
    old: Renament<'_>,
    new: Renament<'_>,
    old_bh: BhId,
    taken: Option<BhId>,
) -> Result<(), Errno> {
    match taken {
        Some(bh) => ext4_setent(kt, new, bh, inode).await?,
        None => ext4_add_entry(kt, new.dir, new.name, inode).await?,
    }
    kt.with(|w| {
        let now = current_time(w);
        w.times_mut(inode).ctime = now;
    });
    ext4_mark_inode_dirty(kt, inode).await?;
    // ext4_rename_delete(): the new name may have moved the old one to another block.
    // Its error is a warning only.
    let _ = match kt.with(|w| dir::find(w.bh_bytes(old_bh), old.name).is_ok_and(|entry| entry.is_some())) {
        true => delete_entry(kt, old.dir, old.name, old_bh).await,
        false => find_delete_entry(kt, old).await,
    };
    let links = new.inode.map(|target| {
        kt.with(|w| {
            let now = current_time(w);
            w.times_mut(target).ctime = now;
            let head = w.inode_mut(target);
            head.nlink = head.nlink.saturating_sub(1);
            head.nlink
        })
    });
    touch_dir(kt, old.dir, true).await?;
    if let Some(target) = new.inode {
        ext4_mark_inode_dirty(kt, target).await?;
        if links == Some(0) {
            // The kernel drops its error.
            let _ = ext4_orphan_add(kt, target).await;
        }
    }
    Ok(())
}

/// `ext4_find_delete_entry()`.
async fn find_delete_entry(kt: &Kthread, old: Renament<'_>) -> Result<(), Errno> {
    let found = ext4_find_entry(kt, old.dir, old.name).await?.ok_or(Errno::ENOENT)?;
    delete_entry(kt, old.dir, old.name, found.bh).await
}

/// `ext4_setent()`: the name stands for another inode from now on.
async fn ext4_setent(kt: &Kthread, ent: Renament<'_>, bh: BhId, inode: InodeId) -> Result<(), Errno> {
    ext4_journal_get_write_access(kt, bh).await?;
    touch_dir(kt, ent.dir, false).await?;
    kt.with(|w| {
        let head = w.inodes.at(inode);
        let (ino, file_type) = (Ino(head.ino), type_of(head.mode));
        let mut bytes = w.bh_bytes(bh).to_vec();
        let entry = dir::find(&bytes, ent.name).map_err(layout_errno)?.ok_or(Errno::ENOENT)?;
        let offset = entry.offset;
        dir::set_target(&mut bytes, offset, ino, file_type).map_err(layout_errno)?;
        put_dirblock(w, kt, ent.dir, bh, bytes)
    })
}
