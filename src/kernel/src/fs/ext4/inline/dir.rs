//! Small directories inside their inode: the directory half of fs/ext4/inline.c.
//!
//! ```text
//!   i_block  parent's number 4 | names 56      value of "data"  names, made when the 56 are full
//! ```
//!
//! "." and ".." are not stored as entries. A directory whose names fit in
//! neither part gets a block.

use ondisk::Ino;
use ondisk::layout::dir::{self, file_type};
use sched::Kthread;
use world::{BhId, Errno, InodeId, World};

use super::convert::convert_inline_data_nolock;
use super::{
    I_BLOCK, Iloc, MIN_INLINE_DATA_SIZE, edit_slot, ext4_get_inline_size, ext4_prepare_inline_data, iloc,
    max_value_size, slot, update_inline_data, value_at,
};
use crate::fs::buffer::block_size;
use crate::fs::ext4::dir::{DirEntry, layout_errno, put_dirblock};
use crate::fs::ext4::ext4_jbd2::ext4_journal_get_write_access;
use crate::fs::ext4::inode::disk::{ext4_mark_inode_dirty, inode_place};
use crate::fs::ext4::namei::{FoundEntry, touch_dir, type_of};
use crate::fs::ext4::super_::has_csum;
use crate::trace::call;
use crate::{probe, site};

/// EXT4_INLINE_DOTDOT_SIZE: the parent's number.
const DOTDOT: usize = 4;

/// A part of the inode that holds names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// First byte in the raw inode.
    at: usize,
    /// Bytes.
    len: usize,
}

/// Names in `i_block`, and those behind, if there is room there.
fn parts(w: &World, inode: InodeId, iloc: Iloc) -> Result<Vec<Part>, Errno> {
    let mut parts = vec![Part { at: I_BLOCK + DOTDOT, len: 60 - DOTDOT }];
    let len = (ext4_get_inline_size(w, inode) - MIN_INLINE_DATA_SIZE) as usize;
    if len > 0 {
        parts.push(Part { at: value_at(slot(w, iloc))?, len });
    }
    Ok(parts)
}

fn part_bytes(slot: &[u8], part: Part) -> Result<&[u8], Errno> {
    slot.get(part.at..part.at + part.len).ok_or(Errno::EUCLEAN)
}

/// `ext4_try_create_inline_dir()`, fs/ext4/inline.c:1613: a new directory without
/// names. False if its inode has no room for it.
///
/// # Errors
/// What the journal gives.
pub async fn ext4_try_create_inline_dir(kt: &Kthread, parent: InodeId, inode: InodeId) -> Result<bool, Errno> {
    call!(kt, &site::EXT4_TRY_CREATE_INLINE_DIR, &[], async {
        match ext4_prepare_inline_data(kt, inode, MIN_INLINE_DATA_SIZE).await {
            Err(Errno::ENOSPC) => return Ok(false),
            prepared => prepared?,
        }
        let iloc = iloc(kt, inode).await?;
        kt.with(|w| {
            let parent = w.inodes.at(parent).ino;
            edit_slot(w, inode, iloc, |slot| {
                slot[I_BLOCK..I_BLOCK + DOTDOT].copy_from_slice(&parent.to_le_bytes());
                dir::init_empty(&mut slot[I_BLOCK + DOTDOT..I_BLOCK + 60], false).map_err(layout_errno)
            })?;
            w.inode_mut(inode).nlink = 2;
            let size = w.size_mut(inode);
            (size.i_size, size.i_disksize) = (MIN_INLINE_DATA_SIZE, MIN_INLINE_DATA_SIZE);
            Ok::<(), Errno>(())
        })?;
        probe!(kt, TCD_DONE).await;
        Ok(true)
    })
    .await
}

/// `ext4_find_inline_entry()`, fs/ext4/inline.c:1646.
///
/// # Errors
/// `EUCLEAN` for damaged entries.
pub async fn ext4_find_inline_entry(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<Option<FoundEntry>, Errno> {
    let mut entry = None;
    call!(kt, &site::EXT4_FIND_INLINE_ENTRY, &[], async {
        let iloc = iloc(kt, dir).await?;
        entry = kt.with(|w| find(w, dir, iloc, name))?.map(|(_, ino)| FoundEntry { bh: iloc.0, ino });
        probe!(kt, FIE_SEARCH, ino = entry.map_or(0, |entry| entry.ino)).await;
        Ok::<(), Errno>(())
    })
    .await?;
    Ok(entry)
}

/// A name's part and its inode.
fn find(w: &World, inode: InodeId, iloc: Iloc, name: &[u8]) -> Result<Option<(Part, u32)>, Errno> {
    for part in parts(w, inode, iloc)? {
        let found = dir::find(part_bytes(slot(w, iloc), part)?, name).map_err(layout_errno)?;
        if let Some(entry) = found {
            return Ok(Some((part, entry.ino.0)));
        }
    }
    Ok(None)
}

/// The same for a directory whose raw inode is in memory; reads nothing.
#[must_use]
pub fn cached_inline_entry(w: &mut World, inode: InodeId, name: &[u8]) -> Option<u32> {
    let iloc = inode_place(w, w.inodes.at(inode).ino)?;
    find(w, inode, iloc, name).ok().flatten().map(|(_, ino)| ino)
}

/// `ext4_read_inline_dir()`, fs/ext4/inline.c:1463: all names.
///
/// # Errors
/// `EUCLEAN` for damaged entries.
pub async fn ext4_read_inline_dir(kt: &Kthread, inode: InodeId) -> Result<Vec<DirEntry>, Errno> {
    let iloc = iloc(kt, inode).await?;
    kt.with(|w| {
        let slot = slot(w, iloc);
        let parent = slot[I_BLOCK..I_BLOCK + DOTDOT].try_into().map(u32::from_le_bytes).map_err(|_| Errno::EUCLEAN)?;
        let dots = |ino, name: &[u8]| DirEntry { ino, file_type: file_type::DIR, name: name.to_vec() };
        let mut names = vec![dots(w.inodes.at(inode).ino, b"."), dots(parent, b"..")];
        for part in parts(w, inode, iloc)? {
            for entry in dir::entries(part_bytes(slot, part)?) {
                let entry = entry.map_err(layout_errno)?;
                if entry.ino != Ino(0) {
                    names.push(DirEntry { ino: entry.ino.0, file_type: entry.file_type, name: entry.name.to_vec() });
                }
            }
        }
        Ok(names)
    })
}

/// `ext4_try_add_inline_entry()`, fs/ext4/inline.c:1282: a name for `inode`. False
/// if the directory has got a block instead, with no room for it yet asked there.
///
/// # Errors
/// `EEXIST`, `ENOSPC` if no block is free, `EUCLEAN` for damaged entries.
pub async fn ext4_try_add_inline_entry(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<bool, Errno> {
    call!(kt, &site::EXT4_TRY_ADD_INLINE_ENTRY, &[], async {
        let iloc = iloc(kt, dir).await?;
        let mut added = add_dirent(kt, dir, iloc, 0, name, inode).await?;
        probe!(kt, TAE_BLOCK, added = added).await;
        if !added {
            if kt.with(|w| ext4_get_inline_size(w, dir)) == MIN_INLINE_DATA_SIZE {
                update_inline_dir(kt, dir, iloc).await?;
            }
            if kt.with(|w| ext4_get_inline_size(w, dir)) > MIN_INLINE_DATA_SIZE {
                added = add_dirent(kt, dir, iloc, 1, name, inode).await?;
            }
            probe!(kt, TAE_VALUE, added = added).await;
        }
        if added {
            touch_dir(kt, dir, true).await?;
            return Ok(true);
        }
        let converted = Box::pin(convert_inline_data_nolock(kt, dir, iloc)).await;
        let marked = ext4_mark_inode_dirty(kt, dir).await;
        converted.and(marked)?;
        Ok(false)
    })
    .await
}

/// `ext4_add_dirent_to_inline()`, fs/ext4/inline.c:1028: false if the part has no gap.
async fn add_dirent(
    kt: &Kthread,
    dir: InodeId,
    iloc: Iloc,
    part: usize,
    name: &[u8],
    inode: InodeId,
) -> Result<bool, Errno> {
    ext4_journal_get_write_access(kt, iloc.0).await?;
    kt.with(|w| {
        let (head, part) = (*w.inodes.at(inode), *parts(w, dir, iloc)?.get(part).ok_or(Errno::EUCLEAN)?);
        if dir::find(part_bytes(slot(w, iloc), part)?, name).map_err(layout_errno)?.is_some() {
            return Err(Errno::EEXIST);
        }
        edit_slot(w, dir, iloc, |slot| {
            let bytes = slot.get_mut(part.at..part.at + part.len).ok_or(Errno::EUCLEAN)?;
            let place = dir::insert(bytes, false, Ino(head.ino), type_of(head.mode), name).map_err(layout_errno)?;
            Ok(place.is_some())
        })
    })
}

/// `ext4_update_inline_dir()`, fs/ext4/inline.c:1109: all the room behind for
/// names, if it is worth while.
async fn update_inline_dir(kt: &Kthread, dir: InodeId, iloc: Iloc) -> Result<(), Errno> {
    let room = kt.with(|w| max_value_size(w, dir, iloc));
    if room <= dir::rec_len_for(1) {
        return Ok(());
    }
    update_inline_data(kt, dir, room as u64 + MIN_INLINE_DATA_SIZE).await?;
    kt.with(|w| {
        let part = *parts(w, dir, iloc)?.get(1).ok_or(Errno::EUCLEAN)?;
        edit_slot(w, dir, iloc, |slot| {
            let bytes = slot.get_mut(part.at..part.at + part.len).ok_or(Errno::EUCLEAN)?;
            dir::init_empty(bytes, false).map_err(layout_errno)
        })?;
        let inline_size = ext4_get_inline_size(w, dir);
        let size = w.size_mut(dir);
        (size.i_size, size.i_disksize) = (inline_size, inline_size);
        Ok(())
    })
}

/// `ext4_delete_inline_entry()`, fs/ext4/inline.c:1709.
///
/// # Errors
/// `ENOENT`, `EUCLEAN` for damaged entries.
pub async fn ext4_delete_inline_entry(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<(), Errno> {
    call!(kt, &site::EXT4_DELETE_INLINE_ENTRY, &[], async {
        let iloc = iloc(kt, dir).await?;
        ext4_journal_get_write_access(kt, iloc.0).await?;
        kt.with(|w| {
            let (part, _) = find(w, dir, iloc, name)?.ok_or(Errno::ENOENT)?;
            edit_slot(w, dir, iloc, |slot| {
                let bytes = slot.get_mut(part.at..part.at + part.len).ok_or(Errno::EUCLEAN)?;
                dir::remove(bytes, name).map_err(layout_errno)?;
                Ok(())
            })
        })?;
        let marked = ext4_mark_inode_dirty(kt, dir).await;
        probe!(kt, DIN_DONE).await;
        marked
    })
    .await
}

/// A name leads to another inode: `ext4_setent()` of a directory in its inode.
///
/// # Errors
/// `ENOENT`, `EUCLEAN` for damaged entries.
pub async fn ext4_set_inline_entry(
    kt: &Kthread,
    dir: InodeId,
    name: &[u8],
    ino: Ino,
    file_type: u8,
) -> Result<(), Errno> {
    let iloc = iloc(kt, dir).await?;
    ext4_journal_get_write_access(kt, iloc.0).await?;
    kt.with(|w| {
        let (part, _) = find(w, dir, iloc, name)?.ok_or(Errno::ENOENT)?;
        edit_slot(w, dir, iloc, |slot| {
            let bytes = slot.get_mut(part.at..part.at + part.len).ok_or(Errno::EUCLEAN)?;
            let at = dir::find(bytes, name).map_err(layout_errno)?.ok_or(Errno::ENOENT)?.offset;
            dir::set_target(bytes, at, ino, file_type).map_err(layout_errno)
        })
    })
}

/// The double dot of a directory in its inode.
///
/// # Errors
/// What reading its table gives.
pub async fn ext4_inline_parent(kt: &Kthread, dir: InodeId) -> Result<u32, Errno> {
    let iloc = iloc(kt, dir).await?;
    kt.with(|w| slot(w, iloc)[I_BLOCK..I_BLOCK + DOTDOT].try_into().map(u32::from_le_bytes).map_err(|_| Errno::EUCLEAN))
}

/// The double dot of a directory in its inode leads elsewhere.
///
/// # Errors
/// What the journal gives.
pub async fn ext4_set_inline_parent(kt: &Kthread, dir: InodeId, parent: Ino) -> Result<(), Errno> {
    let iloc = iloc(kt, dir).await?;
    ext4_journal_get_write_access(kt, iloc.0).await?;
    kt.with(|w| {
        edit_slot(w, dir, iloc, |slot| {
            slot[I_BLOCK..I_BLOCK + DOTDOT].copy_from_slice(&parent.0.to_le_bytes());
            Ok(())
        })
    })?;
    ext4_mark_inode_dirty(kt, dir).await
}

/// `ext4_check_all_de()`: the names make sense before they move to a block.
pub(super) fn check_all_de(bytes: &[u8]) -> Result<(), Errno> {
    dir::entries(&bytes[DOTDOT..]).try_for_each(|entry| entry.map(|_| ())).map_err(layout_errno)
}

/// `ext4_finish_convert_inline_dir()`, fs/ext4/inline.c:1148: "." and "..", then the
/// names; the last one takes the rest of the block.
pub(super) async fn finish_convert(kt: &Kthread, inode: InodeId, bh: BhId, bytes: &[u8]) -> Result<(), Errno> {
    kt.with(|w| {
        let parent = bytes[..DOTDOT].try_into().map(u32::from_le_bytes).map_err(|_| Errno::EUCLEAN)?;
        let (ino, csum, size) = (w.inodes.at(inode).ino, has_csum(w), block_size(w));
        let mut block = vec![0; usize::try_from(size).expect("a block is small")];
        dir::init_first(&mut block, csum, Ino(ino), Ino(parent)).map_err(layout_errno)?;
        let names_at = dir::rec_len_for(1) + dir::rec_len_for(2);
        dir::set_rec_len(&mut block, dir::rec_len_for(1), dir::rec_len_for(2)).map_err(layout_errno)?;
        let names = &bytes[DOTDOT..];
        block[names_at..names_at + names.len()].copy_from_slice(names);
        let last = dir::entries(names).flatten().last().map_or(0, |entry| entry.offset);
        let rest = dir::usable_len(block.len(), csum) - names_at - last;
        dir::set_rec_len(&mut block, names_at + last, rest).map_err(layout_errno)?;
        let sizes = w.size_mut(inode);
        (sizes.i_size, sizes.i_disksize) = (size, size);
        w.bh_mut(bh).flags.insert(world::BhFlags::UPTODATE);
        put_dirblock(w, kt, inode, bh, block)
    })?;
    ext4_mark_inode_dirty(kt, inode).await
}
