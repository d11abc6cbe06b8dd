//! rename(2). Mirrors the rename part of fs/namei.c; walking paths and the other
//! calls on names are in `fs/open.rs`.

use sched::{Kthread, RwSem, down_write, up_write};
use world::{Errno, InodeId};

use crate::fs::ext4::inline::dir::ext4_inline_parent;
use crate::fs::ext4::inline::ext4_has_inline_data;
use crate::fs::ext4::inode::disk::{Iget, ext4_iget, iput, is_dir};
use crate::fs::ext4::namei::{Renamed, ext4_find_entry, ext4_rename};
use crate::fs::open::{MAY_EXEC, MAY_WRITE, Parent, inode_permission, link_path_walk, may_delete, walk_component};
use crate::fs::super_::{Freeze, sb_end_write, sb_start_write};

/// `do_renameat2()`, fs/namei.c:4440, without flags.
///
/// # Errors
/// What rename(2) gives.
pub async fn do_rename(kt: &Kthread, from: &str, to: &str) -> Result<(), Errno> {
    let old = link_path_walk(kt, from).await?;
    let new = match link_path_walk(kt, to).await {
        Ok(new) => new,
        Err(errno) => {
            iput(kt, old.dir).await?;
            return Err(errno);
        }
    };
    let renamed = if [old.name, new.name].iter().any(|name| matches!(*name, b"" | b"..")) {
        Err(Errno::EBUSY)
    } else {
        sb_start_write(kt, Freeze::Write).await; // mnt_want_write()
        let renamed = lock_rename(kt, old, new).await;
        kt.with(|w| sb_end_write(w, Freeze::Write));
        renamed
    };
    iput(kt, old.dir).await?;
    iput(kt, new.dir).await?;
    renamed
}

/// `lock_rename()`: both directories, once each. s_vfs_rename_mutex keeps two
/// renames apart in the kernel; here the order of numbers does.
async fn lock_rename(kt: &Kthread, old: Parent<'_>, new: Parent<'_>) -> Result<(), Errno> {
    let locked = lock_both(kt, old.dir, Some(new.dir)).await;
    let renamed = look_up_and_rename(kt, old, new).await;
    unlock(kt, &locked);
    renamed
}

/// Locks one or two inodes, in the order of their numbers.
async fn lock_both(kt: &Kthread, one: InodeId, other: Option<InodeId>) -> Vec<InodeId> {
    let mut inodes: Vec<InodeId> = [Some(one), other].into_iter().flatten().collect();
    inodes.sort_unstable();
    inodes.dedup();
    for &inode in &inodes {
        down_write(kt, RwSem::IRwsem(inode)).await;
    }
    inodes
}

fn unlock(kt: &Kthread, locked: &[InodeId]) {
    kt.with(|w| locked.iter().rev().for_each(|&inode| up_write(w, RwSem::IRwsem(inode))));
}

async fn look_up_and_rename(kt: &Kthread, old: Parent<'_>, new: Parent<'_>) -> Result<(), Errno> {
    let inode = walk_component(kt, old.dir, old.name).await?.ok_or(Errno::ENOENT)?;
    let renamed = match walk_component(kt, new.dir, new.name).await {
        Ok(target) => {
            let renamed = checked_rename(kt, old, inode, new, target).await;
            if let Some(target) = target {
                iput(kt, target).await?;
            }
            renamed
        }
        Err(errno) => Err(errno),
    };
    iput(kt, inode).await?;
    renamed
}

/// No directory may come to lie in itself, and no target may hold the source.
async fn checked_rename(
    kt: &Kthread,
    old: Parent<'_>,
    inode: InodeId,
    new: Parent<'_>,
    target: Option<InodeId>,
) -> Result<(), Errno> {
    if old.dir != new.dir {
        if lies_in(kt, new.dir, inode).await? {
            return Err(Errno::EINVAL);
        }
        if let Some(target) = target
            && lies_in(kt, old.dir, target).await?
        {
            return Err(Errno::ENOTEMPTY);
        }
    }
    vfs_rename(kt, old, inode, new, target).await
}

/// Whether `dir` is `above` or lies below it, by the double dots on the way to the root.
async fn lies_in(kt: &Kthread, dir: InodeId, above: InodeId) -> Result<bool, Errno> {
    let (mut at, wanted) = kt.with(|w| (w.inodes.at(dir).ino, w.inodes.at(above).ino));
    while at != wanted && at != ondisk::Ino::ROOT.0 {
        let inode = ext4_iget(kt, at, Iget::Normal).await?;
        let parent = if kt.with(|w| ext4_has_inline_data(w, inode)) {
            ext4_inline_parent(kt, inode).await
        } else {
            ext4_find_entry(kt, inode, b"..").await.and_then(|found| Ok(found.ok_or(Errno::EUCLEAN)?.ino))
        };
        iput(kt, inode).await?;
        at = parent?;
    }
    Ok(at == wanted)
}

/// `vfs_rename()`, fs/namei.c:4288.
async fn vfs_rename(
    kt: &Kthread,
    old: Parent<'_>,
    inode: InodeId,
    new: Parent<'_>,
    target: Option<InodeId>,
) -> Result<(), Errno> {
    if target == Some(inode) {
        return Ok(()); // two names of one file
    }
    let moves_dir = kt.with(|w| {
        inode_permission(w, kt.task, old.dir, MAY_WRITE | MAY_EXEC)?;
        may_delete(w, inode)?;
        inode_permission(w, kt.task, new.dir, MAY_WRITE | MAY_EXEC)?;
        let moves_dir = is_dir(w, inode);
        if let Some(target) = target {
            may_delete(w, target)?;
            match (moves_dir, is_dir(w, target)) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
        if moves_dir && old.dir != new.dir {
            inode_permission(w, kt.task, inode, MAY_WRITE)?; // its double dot changes
        }
        Ok(moves_dir)
    })?;
    // Of a directory that moves only the one that it replaces is locked.
    let locked = match (moves_dir, target) {
        (false, _) => lock_both(kt, inode, target).await,
        (true, Some(target)) => lock_both(kt, target, None).await,
        (true, None) => Vec::new(),
    };
    let (from, to) = (Renamed { dir: old.dir, name: old.name }, Renamed { dir: new.dir, name: new.name });
    let renamed = Box::pin(ext4_rename(kt, from, inode, to, target)).await;
    unlock(kt, &locked);
    renamed
}
