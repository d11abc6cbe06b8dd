//! Small files inside their inode. Mirrors fs/ext4/inline.c.
//!
//! ```text
//!   raw inode  | fields | i_block: bytes 0..60 | extra | magic | "data" entry | ... | bytes 60.. |
//!                                                                └ i_inline_off       └ its value
//! ```
//!
//! This file: the area in the inode and the page that shows it. [`mod@write`]: what a
//! write does, and how a file that outgrows its inode gets a block. [`convert`]:
//! who else makes it leave the inode; truncating. [`dir`]: small directories.
//!
//! Not modelled: `xattr_sem`, see docs/omissions.md#xattr.

pub mod convert;
pub mod dir;
pub mod write;

use ondisk::Ino;
use ondisk::layout::inode::{self as raw, InodeFlags};
use ondisk::layout::superblock::Incompat;
use ondisk::layout::xattr::{self, INDEX_SYSTEM};
use sched::{Kthread, RwSem, down_write, up_write};
use world::{BhId, Errno, IData, InlineArea, InodeBits, InodeId, PAGE_SIZE, PageFlags, PageId, World};

use crate::fs::ext4::dir::layout_errno;
use crate::fs::ext4::ext4_jbd2::ext4_journal_get_write_access;
use crate::fs::ext4::extents::ext4_ext_tree_init;
use crate::fs::ext4::inode::disk::{ext4_do_update_inode, ext4_get_inode_loc, ext4_mark_inode_dirty};
use crate::fs::ext4::super_::{has_csum, has_extents, put_changed};
use crate::mm::filemap::unlock_page;
use crate::trace::{Graph as _, call};
use crate::{probe, site};

/// `EXT4_MIN_INLINE_DATA_SIZE`: bytes of `i_block`.
pub const MIN_INLINE_DATA_SIZE: u64 = 60;
/// EXT4_XATTR_SYSTEM_DATA.
const DATA: &[u8] = b"data";
/// Bytes of the entry of that name, without its value.
const ENTRY: usize = 20;
/// Byte offset of `i_block` in the raw inode.
const I_BLOCK: usize = 40;

/// The buffer of an inode's table block, and the inode's place in it (`struct ext4_iloc`).
pub type Iloc = (BhId, usize);

/// `ext4_has_inline_data()`: the file's bytes are in its inode.
#[must_use]
pub fn ext4_has_inline_data(w: &World, inode: InodeId) -> bool {
    w.inodes.at(inode).flags & InodeFlags::INLINE_DATA.bits() != 0 && w.inline.get(inode).is_some()
}

/// EXT4_STATE_MAY_INLINE_DATA: a write may put its bytes into the inode.
#[must_use]
pub fn may_inline_data(w: &World, inode: InodeId) -> bool {
    w.inodes.at(inode).bits.contains(InodeBits::MAY_INLINE_DATA)
}

/// Clears EXT4_STATE_MAY_INLINE_DATA, so that no write tries again.
pub fn clear_may_inline_data(w: &mut World, inode: InodeId) {
    if may_inline_data(w, inode) {
        w.inode_mut(inode).bits.remove(InodeBits::MAY_INLINE_DATA);
    }
}

/// `ext4_has_feature_inline_data()`.
#[must_use]
pub fn has_feature_inline_data(w: &World) -> bool {
    Incompat::from_bits_retain(w.sb().features[1]).contains(Incompat::INLINE_DATA)
}

/// `ext4_get_inline_size()`: bytes that the inode has room for now.
#[must_use]
pub fn ext4_get_inline_size(w: &World, inode: InodeId) -> u64 {
    w.inline.get(inode).map_or(0, |area| area.size.into())
}

/// `ext4_get_inode_loc()` of an inode in memory.
///
/// # Errors
/// `EIO` if the table cannot be read.
pub async fn iloc(kt: &Kthread, inode: InodeId) -> Result<Iloc, Errno> {
    ext4_get_inode_loc(kt, kt.with(|w| w.inodes.at(inode).ino), true).await
}

fn slot(w: &World, (bh, offset): Iloc) -> &[u8] {
    &w.bh_bytes(bh)[offset..offset + usize::from(w.sb().inode_size)]
}

/// Changes the raw inode's bytes, its checksum included. The caller has declared
/// the buffer, and dirties it.
fn edit_slot<T>(
    w: &mut World,
    inode: InodeId,
    iloc: Iloc,
    edit: impl FnOnce(&mut [u8]) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let old = slot(w, iloc).to_vec();
    let mut new = old.clone();
    let value = edit(&mut new)?;
    if has_csum(w) {
        let (seed, ino) = (w.sb().csum_seed, Ino(w.inodes.at(inode).ino));
        raw::update_checksum(&mut new, seed, ino).map_err(layout_errno)?;
    }
    put_changed(w, iloc.0, iloc.1, &old, &new);
    Ok(value)
}

/// The part of `ext4_iget_extra_inode()` that is about attributes: notes whether
/// the raw inode has any, and data among them. `flags` are its `i_flags`.
///
/// # Errors
/// `EUCLEAN` for a damaged list.
pub fn iget_xattrs(w: &mut World, inode: InodeId, slot: &[u8]) -> Result<(), Errno> {
    if !has_xattr_space(w, inode) || !xattr::has_list(slot) {
        return Ok(());
    }
    xattr::attributes(slot).try_for_each(|entry| entry.map(|_| ())).map_err(layout_errno)?;
    w.inode_mut(inode).bits.insert(InodeBits::STATE_XATTR);
    find_inline_data(w, inode, slot)?;
    if ext4_has_inline_data(w, inode) {
        w.inode_mut(inode).bits.insert(InodeBits::MAY_INLINE_DATA);
    }
    Ok(())
}

/// EXT4_INODE_HAS_XATTR_SPACE().
fn has_xattr_space(w: &World, inode: InodeId) -> bool {
    let extra = usize::from(w.inodes.at(inode).extra_isize);
    extra != 0 && raw::OLD_SIZE + extra + 8 <= usize::from(w.sb().inode_size)
}

/// `ext4_find_inline_data_nolock()`, fs/ext4/inline.c:137, of an inode in memory.
///
/// # Errors
/// `EIO` if the table cannot be read, `EUCLEAN` for a damaged list.
async fn ext4_find_inline_data_nolock(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    kt.graph("ext4_find_inline_data_nolock {");
    let iloc = iloc(kt, inode).await;
    note_ibody_find(kt, inode);
    kt.graph("}");
    let iloc = iloc?;
    kt.with(|w| {
        let slot = slot(w, iloc).to_vec();
        find_inline_data(w, inode, &slot)
    })
}

/// What a function graph shows of `ext4_xattr_ibody_find()`.
fn note_ibody_find(kt: &Kthread, inode: InodeId) {
    let listed = kt.with(|w| w.inodes.at(inode).bits.contains(InodeBits::STATE_XATTR));
    kt.graph(if listed { "ext4_xattr_ibody_find { xattr_find_entry }" } else { "ext4_xattr_ibody_find" });
}

/// Notes where the entry stands, if there is one.
fn find_inline_data(w: &mut World, inode: InodeId, slot: &[u8]) -> Result<(), Errno> {
    let area = area_of(slot)?;
    if area.is_some() && w.inline.get(inode) != area {
        w.inline_set(inode, area);
    }
    Ok(())
}

fn area_of(slot: &[u8]) -> Result<Option<InlineArea>, Errno> {
    let Some(entry) = xattr::find(slot, INDEX_SYSTEM, DATA).map_err(layout_errno)? else { return Ok(None) };
    let small = |n: usize| u16::try_from(n).map_err(|_| Errno::EUCLEAN);
    Ok(Some(InlineArea { off: small(entry.offset)?, size: small(entry.value.len() + 60)? }))
}

/// `get_max_inline_xattr_value_size()`, fs/ext4/inline.c:29: bytes that the value
/// of "data" could have, with what it has already.
fn max_value_size(w: &World, inode: InodeId, iloc: Iloc) -> usize {
    if !has_xattr_space(w, inode) {
        return 0;
    }
    let (slot, head) = (slot(w, iloc), w.inodes.at(inode));
    let rounded = |free: usize| free.checked_sub(3).map_or(0, |free| free.next_multiple_of(4));
    if !head.bits.contains(InodeBits::STATE_XATTR) {
        let list = slot.len() - raw::OLD_SIZE - usize::from(head.extra_isize) - 4;
        return rounded(list.saturating_sub(ENTRY + 4));
    }
    // A damaged list has no room.
    let Ok(free) = xattr::free_bytes(slot) else { return 0 };
    match w.inline.get(inode) {
        Some(area) => free + (usize::from(area.size) - 60).next_multiple_of(4),
        None => rounded(free.saturating_sub(ENTRY)),
    }
}

/// `ext4_get_max_inline_size()`, fs/ext4/inline.c:104: the longest file that the
/// inode could hold; 0 if it has no room for the entry that says so.
///
/// # Errors
/// `EIO` if the table cannot be read, which the kernel takes for 0.
pub async fn ext4_get_max_inline_size(kt: &Kthread, inode: InodeId) -> Result<u64, Errno> {
    kt.graph("ext4_get_max_inline_size {");
    let iloc = iloc(kt, inode).await;
    kt.graph("get_max_inline_xattr_value_size }");
    let iloc = iloc?;
    Ok(match kt.with(|w| max_value_size(w, inode, iloc)) {
        0 => 0,
        value => MIN_INLINE_DATA_SIZE + value as u64,
    })
}

/// `ext4_read_inline_data()`, fs/ext4/inline.c:170: the file's first `len` bytes.
fn read_inline_data(w: &World, inode: InodeId, iloc: Iloc, len: u64) -> Result<Vec<u8>, Errno> {
    assert!(len <= ext4_get_inline_size(w, inode), "BUG_ON: more than the inode holds");
    let slot = slot(w, iloc);
    let mut bytes = slot[I_BLOCK..I_BLOCK + 60].to_vec();
    if let Some(entry) = xattr::find(slot, INDEX_SYSTEM, DATA).map_err(layout_errno)? {
        bytes.extend_from_slice(entry.value);
    }
    bytes.truncate(usize::try_from(len).map_err(|_| Errno::EUCLEAN)?);
    Ok(bytes)
}

/// `ext4_write_inline_data()`, fs/ext4/inline.c:216: `bytes` at `pos` of the
/// file, into the room that was prepared.
fn write_inline_data(w: &mut World, inode: InodeId, iloc: Iloc, pos: u64, bytes: &[u8]) -> Result<(), Errno> {
    w.graph("ext4_write_inline_data");
    if w.sb().shutdown {
        return Ok(());
    }
    let end = pos + bytes.len() as u64;
    assert!(end <= ext4_get_inline_size(w, inode), "BUG_ON: the room was not prepared");
    edit_slot(w, inode, iloc, |slot| {
        let value_at = value_at(slot)?;
        for (at, &byte) in (pos..).zip(bytes) {
            let at = usize::try_from(at).map_err(|_| Errno::EUCLEAN)?;
            slot[if at < 60 { I_BLOCK + at } else { value_at + at - 60 }] = byte;
        }
        Ok(())
    })
}

/// Where in the raw inode the value of "data" begins (`ext4_get_inline_xattr_pos()`).
fn value_at(slot: &[u8]) -> Result<usize, Errno> {
    Ok(xattr::find(slot, INDEX_SYSTEM, DATA).map_err(layout_errno)?.map_or(0, |entry| entry.value_at))
}

/// `ext4_xattr_ibody_set()`, fs/ext4/xattr.c, of "system.data"; `None` removes it.
///
/// # Errors
/// `ENOSPC` if it does not fit, `EUCLEAN` for a damaged list.
fn set_value(w: &mut World, inode: InodeId, iloc: Iloc, value: Option<&[u8]>) -> Result<(), Errno> {
    w.graph("ext4_xattr_ibody_set { ext4_xattr_set_entry }");
    let listed = edit_slot(w, inode, iloc, |slot| {
        if !xattr::has_list(slot) {
            xattr::init_list(slot).map_err(layout_errno)?;
        }
        match value {
            Some(value) if xattr::set(slot, INDEX_SYSTEM, DATA, value).map_err(layout_errno)? => {}
            Some(_) => return Err(Errno::ENOSPC),
            None => {
                xattr::remove(slot, INDEX_SYSTEM, DATA).map_err(layout_errno)?;
            }
        }
        xattr::drop_empty_list(slot).map_err(layout_errno).map(|dropped| !dropped)
    })?;
    let before = w.inodes.at(inode).bits.contains(InodeBits::STATE_XATTR);
    if before != listed {
        w.inode_mut(inode).bits.set(InodeBits::STATE_XATTR, listed);
    }
    Ok(())
}

fn clear_i_block(w: &mut World, inode: InodeId, iloc: Iloc, from: u64) -> Result<(), Errno> {
    let from = usize::try_from(from).map_err(|_| Errno::EUCLEAN)?;
    edit_slot(w, inode, iloc, |slot| {
        slot[I_BLOCK + from..I_BLOCK + 60].fill(0);
        Ok(())
    })
}

/// `ext4_create_inline_data()`, fs/ext4/inline.c:255: an inode that had no data
/// gets zeroed room for `len` bytes of it.
async fn create_inline_data(kt: &Kthread, inode: InodeId, len: u64) -> Result<(), Errno> {
    kt.graph("ext4_create_inline_data {");
    let iloc = iloc(kt, inode).await?;
    ext4_journal_get_write_access(kt, iloc.0).await?;
    note_ibody_find(kt, inode);
    let created = kt.with(|w| {
        if area_of(slot(w, iloc))?.is_some() {
            return Err(Errno::EUCLEAN); // an entry that nobody asked for
        }
        let value = vec![0; len.saturating_sub(MIN_INLINE_DATA_SIZE) as usize];
        let set = set_value(w, inode, iloc, Some(&value));
        if set == Err(Errno::ENOSPC) {
            clear_may_inline_data(w, inode);
        }
        set?;
        clear_i_block(w, inode, iloc, 0)?;
        let area = area_of(slot(w, iloc))?;
        w.inline_set(inode, area);
        let flags = &mut w.inode_mut(inode).flags;
        *flags = *flags & !InodeFlags::EXTENTS.bits() | InodeFlags::INLINE_DATA.bits();
        ext4_do_update_inode(w, kt, inode, iloc.0, iloc.1);
        Ok(())
    });
    kt.graph("}");
    created
}

/// `ext4_update_inline_data()`, fs/ext4/inline.c:319: the room grows to `len`
/// bytes, if it is not that large already.
async fn update_inline_data(kt: &Kthread, inode: InodeId, len: u64) -> Result<(), Errno> {
    if len <= kt.with(|w| ext4_get_inline_size(w, inode)) {
        kt.graph("ext4_update_inline_data");
        return Ok(());
    }
    kt.graph("ext4_update_inline_data {");
    let iloc = iloc(kt, inode).await?;
    note_ibody_find(kt, inode);
    kt.graph("ext4_xattr_ibody_get { ext4_get_inode_loc { __ext4_get_inode_loc { __getblk_gfp { __find_get_block } } } xattr_find_entry }");
    ext4_journal_get_write_access(kt, iloc.0).await?;
    let updated = kt.with(|w| {
        let entry = xattr::find(slot(w, iloc), INDEX_SYSTEM, DATA).map_err(layout_errno)?.ok_or(Errno::EUCLEAN)?;
        let mut value = entry.value.to_vec();
        value.resize(usize::try_from(len - MIN_INLINE_DATA_SIZE).map_err(|_| Errno::EUCLEAN)?, 0);
        set_value(w, inode, iloc, Some(&value))?;
        let area = area_of(slot(w, iloc))?;
        w.inline_set(inode, area);
        ext4_do_update_inode(w, kt, inode, iloc.0, iloc.1);
        Ok(())
    });
    kt.graph("}");
    updated
}

/// `ext4_prepare_inline_data()`, fs/ext4/inline.c:385: room for `len` bytes in
/// the inode, inside the task's handle.
///
/// # Errors
/// `ENOSPC` if they do not fit.
pub(super) async fn ext4_prepare_inline_data(kt: &Kthread, inode: InodeId, len: u64) -> Result<(), Errno> {
    call!(kt, &site::EXT4_PREPARE_INLINE_DATA, &[len], async {
        if !kt.with(|w| may_inline_data(w, inode)) || ext4_get_max_inline_size(kt, inode).await? < len {
            return Err(Errno::ENOSPC);
        }
        ext4_find_inline_data_nolock(kt, inode).await?;
        if kt.with(|w| w.inline.get(inode).is_some()) {
            let grown = update_inline_data(kt, inode, len).await;
            probe!(kt, PID_UPDATE, ret = grown).await;
            grown
        } else {
            let created = create_inline_data(kt, inode, len).await;
            probe!(kt, PID_CREATE, ret = created).await;
            created
        }
    })
    .await
}

/// `ext4_destroy_inline_data_nolock()`, fs/ext4/inline.c:408: the inode forgets
/// its data, which the caller has elsewhere, and has an empty extent tree.
///
/// # Errors
/// What the journal gives, `EUCLEAN` for a damaged list.
pub(super) async fn ext4_destroy_inline_data(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    if kt.with(|w| w.inline.get(inode).is_none()) {
        return Ok(());
    }
    call!(kt, &site::EXT4_DESTROY_INLINE_DATA_NOLOCK, &[], async {
        down_write(kt, RwSem::IDataSem(inode)).await;
        let destroyed = destroy(kt, inode).await;
        kt.with(|w| up_write(w, RwSem::IDataSem(inode)));
        probe!(kt, DID_DONE, error = destroyed).await;
        destroyed
    })
    .await
}

async fn destroy(kt: &Kthread, inode: InodeId) -> Result<(), Errno> {
    let iloc = iloc(kt, inode).await?;
    note_ibody_find(kt, inode);
    ext4_journal_get_write_access(kt, iloc.0).await?;
    let extents = kt.with(|w| {
        set_value(w, inode, iloc, None)?;
        clear_i_block(w, inode, iloc, 0)?;
        *w.idata_mut(inode) = IData::default();
        if has_extents(w) {
            w.inode_mut(inode).flags |= InodeFlags::EXTENTS.bits();
            ext4_ext_tree_init(w, inode);
        }
        Ok::<bool, Errno>(has_extents(w))
    })?;
    if extents {
        kt.graph("ext4_ext_tree_init {");
        let marked = ext4_mark_inode_dirty(kt, inode).await;
        kt.graph("}");
        marked?;
    }
    kt.with(|w| {
        w.inode_mut(inode).flags &= !InodeFlags::INLINE_DATA.bits();
        ext4_do_update_inode(w, kt, inode, iloc.0, iloc.1);
        w.inline_set(inode, None);
        clear_may_inline_data(w, inode);
    });
    Ok(())
}

/// `ext4_read_inline_page()`, fs/ext4/inline.c:474: the file's bytes into its
/// first page, which is locked; zeros behind them.
async fn read_inline_page(kt: &Kthread, inode: InodeId, page: PageId) -> Result<(), Errno> {
    kt.graph("ext4_read_inline_page {");
    let iloc = iloc(kt, inode).await;
    kt.graph("}");
    let iloc = iloc?;
    kt.with(|w| {
        let len = ext4_get_inline_size(w, inode).min(w.sizes.at(inode).i_size);
        if len > PAGE_SIZE {
            return Err(Errno::EUCLEAN);
        }
        let mut bytes = read_inline_data(w, inode, iloc, len)?;
        bytes.resize(PAGE_SIZE as usize, 0);
        let (content, rec) = (w.pages.at(page).content, w.rec);
        let old = w.contents.get(content);
        if let Some(last) = old.iter().zip(&bytes).rposition(|(a, b)| a != b) {
            w.contents.range_mut(rec, content, 0, last + 1).copy_from_slice(&bytes[..=last]);
        }
        w.page_mut(page).flags.insert(PageFlags::UPTODATE);
        Ok(())
    })
}

/// `ext4_readpage_inline()`, fs/ext4/inline.c:510, of a locked page, which it
/// unlocks: only the first one can hold anything.
pub async fn ext4_readpage_inline(kt: &Kthread, inode: InodeId, page: PageId) {
    let index = kt.with(|w| w.pages.at(page).index);
    call!(kt, &site::EXT4_READPAGE_INLINE, &[u64::from(index)], async {
        let read = if index == 0 {
            read_inline_page(kt, inode, page).await
        } else {
            kt.with(|w| w.page_mut(page).flags.insert(PageFlags::UPTODATE));
            Ok(())
        };
        probe!(kt, RPI_READ, ret = read).await;
        kt.with(|w| unlock_page(w, page));
    })
    .await;
}
