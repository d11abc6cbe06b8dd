//! Extended attributes inside the inode: fs/ext4/xattr.h.
//!
//! ```text
//! slot   128 | i_extra_isize | magic 4 B | entry | entry | 0 (4 B) ... free ... | value | value
//!                                        ^ offsets of values count from here
//! ```
//!
//! With inline_data a file's bytes from 60 on are the value of `system.data`.
//! Entries stand in the order in which they were made; values grow down from the
//! end of the slot, padded to 4 bytes. The hash of an entry in an inode is 0.
//! Left out: attribute blocks, and values that are inodes of their own.

use core::ops::Range;

use super::{LayoutError, inode, le16, le32, put, take};

/// `EXT4_XATTR_MAGIC`.
pub const MAGIC: u32 = 0xea02_0000;
/// Name index of "user.".
pub const INDEX_USER: u8 = 1;
/// Name index of "security.".
pub const INDEX_SECURITY: u8 = 6;
/// Name index of "system."; inline data is the one named "data".
pub const INDEX_SYSTEM: u8 = 7;
/// Bytes of an entry before its name.
const HEAD: usize = 16;
const WHAT: &str = "inode attributes";

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Byte offset of its entry in the inode's slot.
    pub offset: usize,
    /// What stands before the name, as a number.
    pub name_index: u8,
    /// The rest of the name.
    pub name: &'a [u8],
    /// Byte offset of its value in the inode's slot; 0 if empty.
    pub value_at: usize,
    /// Its value.
    pub value: &'a [u8],
}

impl Attribute<'_> {
    /// Bytes that its entry takes, without the value.
    #[must_use]
    pub fn entry_len(&self) -> usize {
        entry_len(self.name.len())
    }
}

fn entry_len(name_len: usize) -> usize {
    (HEAD + name_len).next_multiple_of(4)
}

fn bad(field: &'static str, at: usize, found: usize, rule: &'static str) -> LayoutError {
    let found = found.try_into().unwrap_or(u64::MAX);
    LayoutError::BadField { what: WHAT, field, at, found, rule }
}

/// Where the magic stands in an inode's slot; the attributes begin 4 bytes later.
#[must_use]
pub fn header_at(slot: &[u8]) -> usize {
    inode::OLD_SIZE + usize::from(le16(slot, inode::OLD_SIZE))
}

/// Whether the slot has a list of attributes, be it empty.
#[must_use]
pub fn has_list(slot: &[u8]) -> bool {
    slot.len() > inode::OLD_SIZE && le32(slot, header_at(slot)) == MAGIC
}

/// Begins an empty list of attributes.
///
/// # Errors
/// `TooShort` if the slot has no room behind `i_extra_isize`.
pub fn init_list(slot: &mut [u8]) -> Result<(), LayoutError> {
    let at = header_at(slot);
    take::<8>(WHAT, slot, at)?;
    slot[at..].fill(0);
    put(WHAT, slot, at, &MAGIC.to_le_bytes())
}

/// The entry at `offset`; `None` at the end of the list.
fn attribute_at(slot: &[u8], offset: usize) -> Result<Option<Attribute<'_>>, LayoutError> {
    if take::<4>(WHAT, slot, offset)? == [0; 4] {
        return Ok(None);
    }
    let [name_len, name_index] = take(WHAT, slot, offset)?;
    take::<HEAD>(WHAT, slot, offset)?;
    let name = slot.get(offset + HEAD..offset + HEAD + usize::from(name_len));
    let name = name.ok_or_else(|| bad("e_name_len", offset, name_len.into(), "past the end of the inode"))?;
    if le32(slot, offset + 4) != 0 {
        return Err(bad("e_value_inum", offset + 4, super::index(le32(slot, offset + 4)), "not modelled"));
    }
    let len = super::index(le32(slot, offset + 8));
    let value_at = if len == 0 { 0 } else { header_at(slot) + 4 + usize::from(le16(slot, offset + 2)) };
    let value = value_at.checked_add(len).and_then(|end| slot.get(value_at..end));
    let value = value.ok_or_else(|| bad("e_value_size", offset + 8, len, "past the end of the inode"))?;
    Ok(Some(Attribute { offset, name_index, name, value_at, value }))
}

/// All attributes in order, none without a list; ends after an error.
pub fn attributes(slot: &[u8]) -> impl Iterator<Item = Result<Attribute<'_>, LayoutError>> {
    let mut next = has_list(slot).then(|| header_at(slot) + 4);
    core::iter::from_fn(move || {
        let attribute = attribute_at(slot, next?).transpose();
        next = match &attribute {
            Some(Ok(attribute)) => Some(attribute.offset + attribute.entry_len()),
            _ => None,
        };
        attribute
    })
}

/// The attribute of that name.
///
/// # Errors
/// That of a damaged entry before it.
pub fn find<'a>(slot: &'a [u8], name_index: u8, name: &[u8]) -> Result<Option<Attribute<'a>>, LayoutError> {
    for attribute in attributes(slot) {
        let attribute = attribute?;
        if attribute.name_index == name_index && attribute.name == name {
            return Ok(Some(attribute));
        }
    }
    Ok(None)
}

/// The list as a whole: where its end mark is, and where the lowest value begins.
fn extent_of(slot: &[u8]) -> Result<Range<usize>, LayoutError> {
    let mut free = header_at(slot) + 4..slot.len();
    for attribute in attributes(slot) {
        let attribute = attribute?;
        free.start = attribute.offset + attribute.entry_len();
        if attribute.value_at != 0 {
            free.end = free.end.min(attribute.value_at);
        }
    }
    if free.end < free.start + 4 {
        return Err(bad("e_value_offs", free.start, free.end, "inside the list of entries"));
    }
    Ok(free)
}

/// Bytes that a new attribute's entry and value may take together.
///
/// # Errors
/// That of a damaged entry.
pub fn free_bytes(slot: &[u8]) -> Result<usize, LayoutError> {
    let free = extent_of(slot)?;
    Ok(free.end - free.start - 4)
}

/// Takes an empty list away: its magic becomes 0 (`ext4_xattr_ibody_set`).
/// Whether the list was empty.
///
/// # Errors
/// That of a damaged entry.
pub fn drop_empty_list(slot: &mut [u8]) -> Result<bool, LayoutError> {
    let empty = has_list(slot) && attributes(slot).next().transpose()?.is_none();
    if empty {
        let at = header_at(slot);
        put(WHAT, slot, at, &[0; 4])?;
    }
    Ok(empty)
}

/// Sets an attribute (`ext4_xattr_set_entry`); false, and nothing changed, if
/// it does not fit. The list must have been begun.
///
/// # Errors
/// That of a damaged entry, or `BadField` for a name above 255 bytes.
pub fn set(slot: &mut [u8], name_index: u8, name: &[u8], value: &[u8]) -> Result<bool, LayoutError> {
    let name_len = u8::try_from(name.len()).map_err(|_| bad("e_name_len", 0, name.len(), "above 255"))?;
    if !has_list(slot) {
        return Err(bad("h_magic", header_at(slot), 0, "no list of attributes"));
    }
    let size = value.len().next_multiple_of(4);
    let found = find(slot, name_index, name)?;
    if let Some(Attribute { offset, value_at, value: old, .. }) = found
        && size > 0
        && old.len().next_multiple_of(4) == size
        && value_at + size <= slot.len()
    {
        // The same room: the other values stay where they are.
        slot[value_at..value_at + size].fill(0);
        put(WHAT, slot, value_at, value)?;
        put_len(slot, offset, value.len())?;
        return Ok(true);
    }
    let before = found.map(|a| (a.offset, a.value.len().next_multiple_of(4)));
    let need = size + if before.is_none() { entry_len(name.len()) } else { 0 };
    if need > free_bytes(slot)? + before.map_or(0, |(_, old)| old) {
        return Ok(false);
    }
    let offset = match before {
        Some((offset, _)) => {
            drop_value(slot, offset)?;
            offset
        }
        None => {
            let offset = extent_of(slot)?.start;
            slot[offset..offset + entry_len(name.len())].fill(0);
            put(WHAT, slot, offset, &[name_len, name_index])?;
            put(WHAT, slot, offset + HEAD, name)?;
            offset
        }
    };
    if size > 0 {
        let free = extent_of(slot)?;
        let at = free.end.checked_sub(size).filter(|&at| at >= free.start + 4);
        let at = at.ok_or_else(|| bad("e_value_offs", offset + 2, free.end, "overlapping another value"))?;
        slot[at..at + size].fill(0);
        put(WHAT, slot, at, value)?;
        put_place(slot, offset, at)?;
        put_len(slot, offset, value.len())?;
    }
    Ok(true)
}

fn put_len(slot: &mut [u8], offset: usize, len: usize) -> Result<(), LayoutError> {
    let stored = u32::try_from(len).map_err(|_| bad("e_value_size", offset, len, "too large"))?;
    put(WHAT, slot, offset + 8, &stored.to_le_bytes())
}

/// Removes an attribute; whether there was one.
///
/// # Errors
/// That of a damaged entry.
pub fn remove(slot: &mut [u8], name_index: u8, name: &[u8]) -> Result<bool, LayoutError> {
    let Some(attribute) = find(slot, name_index, name)? else { return Ok(false) };
    let (offset, len) = (attribute.offset, attribute.entry_len());
    drop_value(slot, offset)?;
    let end = extent_of(slot)?.start;
    slot.copy_within(offset + len..end, offset);
    slot[end - len..end].fill(0);
    Ok(true)
}

fn put_place(slot: &mut [u8], offset: usize, value_at: usize) -> Result<(), LayoutError> {
    let from_first = value_at.saturating_sub(header_at(slot) + 4);
    let stored = u16::try_from(from_first).map_err(|_| bad("e_value_offs", offset + 2, from_first, "above 65535"))?;
    put(WHAT, slot, offset + 2, &stored.to_le_bytes())
}

/// Takes an entry's value away: lower values move up into its room.
fn drop_value(slot: &mut [u8], offset: usize) -> Result<(), LayoutError> {
    let Some(Attribute { value_at, value, .. }) = attribute_at(slot, offset)? else { return Ok(()) };
    let size = value.len().next_multiple_of(4);
    if size == 0 {
        return Ok(());
    }
    let low = extent_of(slot)?.end;
    if value_at + size > slot.len() {
        return Err(bad("e_value_offs", offset + 2, value_at, "past the end of the inode"));
    }
    let lower: Vec<(usize, usize)> = attributes(slot)
        .flatten()
        .filter(|other| other.value_at != 0 && other.value_at < value_at)
        .map(|other| (other.offset, other.value_at))
        .collect();
    slot.copy_within(low..value_at, low + size);
    slot[low..low + size].fill(0);
    for (other, at) in lower {
        put_place(slot, other, at + size)?;
    }
    put(WHAT, slot, offset + 2, &[0; 2])?;
    put(WHAT, slot, offset + 8, &[0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn empty() -> Vec<u8> {
        let mut slot = vec![0; 256];
        slot[128] = 32;
        init_list(&mut slot).unwrap();
        slot
    }

    #[test]
    fn inline_data_has_68_bytes_beyond_i_block() {
        let mut slot = empty();
        assert_eq!(free_bytes(&slot).unwrap() - entry_len(4), 68);
        assert_eq!(set(&mut slot, INDEX_SYSTEM, b"data", &[7; 69]), Ok(false));
        assert_eq!(set(&mut slot, INDEX_SYSTEM, b"data", &[7; 68]), Ok(true));
        assert_eq!(free_bytes(&slot), Ok(0));
        assert_eq!(find(&slot, INDEX_SYSTEM, b"data").unwrap().unwrap().value, [7; 68]);
        assert_eq!(remove(&mut slot, INDEX_SYSTEM, b"data"), Ok(true));
        assert_eq!(slot, empty());
        assert_eq!(drop_empty_list(&mut slot), Ok(true));
        assert!(!has_list(&slot));
    }

    #[test]
    fn a_value_of_the_same_room_stays_in_its_place() {
        let mut slot = empty();
        set(&mut slot, INDEX_SYSTEM, b"data", &[7; 9]).unwrap();
        set(&mut slot, INDEX_USER, b"a", &[8; 4]).unwrap();
        let before = find(&slot, INDEX_SYSTEM, b"data").unwrap().unwrap().value_at;
        set(&mut slot, INDEX_SYSTEM, b"data", &[9; 11]).unwrap();
        let after = find(&slot, INDEX_SYSTEM, b"data").unwrap().unwrap();
        assert_eq!((after.value_at, after.value), (before, &[9; 11][..]));
        assert_eq!(drop_empty_list(&mut slot), Ok(false));
    }

    proptest! {
        /// The list behaves as a map that may be full.
        #[test]
        fn behaves_as_a_map(ops in prop::collection::vec((0u8..4, prop::option::of(0usize..30)), 0..20)) {
            let (mut slot, mut model) = (empty(), BTreeMap::new());
            for (step, (name, len)) in (0..).zip(ops) {
                let key = [b'a' + name];
                if let Some(len) = len {
                    let value = vec![step; len];
                    if set(&mut slot, INDEX_USER, &key, &value).unwrap() {
                        model.insert(key, value);
                    }
                } else {
                    prop_assert_eq!(remove(&mut slot, INDEX_USER, &key).unwrap(), model.remove(&key).is_some());
                }
                let mut found: Vec<_> = attributes(&slot).map(|a| a.unwrap()).collect();
                found.sort_by_key(|a| a.name);
                prop_assert!(found.iter().map(|a| (a.name, a.value)).eq(model.iter().map(|(k, v)| (&k[..], &v[..]))));
            }
        }

        #[test]
        fn damaged_slots_never_panic(
            noise in prop::collection::vec((124usize..256, any::<u8>()), 0..30), raw: Vec<u8>, len in 0usize..80,
        ) {
            let mut slot = empty();
            set(&mut slot, INDEX_USER, b"a", &[1; 9]).unwrap();
            set(&mut slot, INDEX_USER, b"b", &[2; 7]).unwrap();
            for (at, byte) in noise { slot[at] = byte }
            for mut slot in [slot, raw] {
                let _ = (attributes(&slot).count(), free_bytes(&slot));
                let _ = set(&mut slot, INDEX_USER, b"a", &vec![3; len]);
                let _ = set(&mut slot, INDEX_USER, b"c", &vec![3; len]);
                let _ = (remove(&mut slot, INDEX_USER, b"b"), init_list(&mut slot));
            }
        }
    }
}
