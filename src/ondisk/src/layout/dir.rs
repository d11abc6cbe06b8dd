//! Linear directory blocks: `struct ext4_dir_entry_2`, fs/ext4/namei.c.
//!
//! ```text
//! entry  inode 4 | rec_len 2 | name_len 1 | file_type 1 | name | up to rec_len
//! ```
//!
//! Entries fill the block by their `rec_len`; inode 0 marks a free one. With
//! metadata_csum the last 12 bytes are a free entry of type 0xDE whose "name"
//! is the checksum.

use super::{LayoutError, le16, le32, put, same_checksum, take};
use crate::crc32c::crc32c;
use crate::ids::Ino;

/// Bytes of the checksum's entry.
pub const TAIL_SIZE: usize = 12;
/// File type that marks the checksum's entry.
pub const TAIL_TYPE: u8 = 0xde;
/// Bytes of an entry before its name.
const HEAD: usize = 8;

/// File types in entries.
pub mod file_type {
    /// No type known.
    pub const UNKNOWN: u8 = 0;
    /// A regular file.
    pub const REG_FILE: u8 = 1;
    /// A directory.
    pub const DIR: u8 = 2;
    /// A character device.
    pub const CHRDEV: u8 = 3;
    /// A block device.
    pub const BLKDEV: u8 = 4;
    /// A named pipe.
    pub const FIFO: u8 = 5;
    /// A socket.
    pub const SOCK: u8 = 6;
    /// A symbolic link.
    pub const SYMLINK: u8 = 7;
}

/// One entry, used or free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Byte offset in the block.
    pub offset: usize,
    /// Its inode; 0 if free.
    pub ino: Ino,
    /// Bytes to the next entry.
    pub rec_len: usize,
    /// One of [`file_type`].
    pub file_type: u8,
    /// The name, 1 to 255 bytes if used.
    pub name: &'a [u8],
}

/// Bytes that an entry with a name of `name_len` takes (`EXT4_DIR_REC_LEN`).
#[must_use]
pub fn rec_len_for(name_len: usize) -> usize {
    (HEAD + name_len).next_multiple_of(4)
}

/// Bytes for entries in a block: less the tail with metadata_csum.
#[must_use]
pub fn usable_len(block_size: usize, metadata_csum: bool) -> usize {
    if metadata_csum { block_size.saturating_sub(TAIL_SIZE) } else { block_size }
}

fn bad(field: &'static str, at: usize, found: usize, rule: &'static str) -> LayoutError {
    let found = found.try_into().unwrap_or(u64::MAX);
    LayoutError::BadField { what: "directory block", field, at, found, rule }
}

/// The entry at `offset`, tested as `__ext4_check_dir_entry` does.
///
/// # Errors
/// `TooShort`, or `BadField` with the rule that it breaks.
#[inline]
pub fn entry_at(block: &[u8], offset: usize) -> Result<Entry<'_>, LayoutError> {
    let [i0, i1, i2, i3, r0, r1, name_len, file_type] = take("directory block", block, offset)?;
    let rec_len = usize::from(u16::from_le_bytes([r0, r1]));
    let name_len = usize::from(name_len);
    if rec_len < rec_len_for(1) {
        return Err(bad("rec_len", offset + 4, rec_len, "below 12"));
    }
    if !rec_len.is_multiple_of(4) {
        return Err(bad("rec_len", offset + 4, rec_len, "not a multiple of 4"));
    }
    if rec_len < rec_len_for(name_len) {
        return Err(bad("rec_len", offset + 4, rec_len, "too small for the name"));
    }
    if offset + rec_len > block.len() {
        return Err(bad("rec_len", offset + 4, rec_len, "past the end of the block"));
    }
    let ino = Ino(u32::from_le_bytes([i0, i1, i2, i3]));
    let name = &block[offset + HEAD..offset + HEAD + name_len];
    Ok(Entry { offset, ino, rec_len, file_type, name })
}

/// All entries in order, free ones and the checksum's too; ends after an error.
pub fn entries(block: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, LayoutError>> {
    let mut next = Some(0);
    core::iter::from_fn(move || {
        let offset = next.filter(|&offset| offset < block.len())?;
        let entry = entry_at(block, offset);
        next = entry.as_ref().ok().map(|entry| offset + entry.rec_len);
        Some(entry)
    })
}

/// The used entry of that name, if the block has one.
///
/// # Errors
/// That of a damaged entry before it.
pub fn find<'a>(block: &'a [u8], name: &[u8]) -> Result<Option<Entry<'a>>, LayoutError> {
    let mut offset = 0;
    while offset < block.len() {
        let entry = entry_at(block, offset)?;
        // Names of a folder are mostly alike up to their ends.
        if entry.name.last() == name.last() && entry.name == name && entry.ino != Ino(0) {
            return Ok(Some(entry));
        }
        offset += entry.rec_len;
    }
    Ok(None)
}

/// Puts a name into the first gap that holds it and returns its offset
/// (`ext4_find_dest_entry`, `ext4_insert_dentry`); `None` if there is no gap.
/// Whether the name is there already is for the caller to ask.
///
/// # Errors
/// That of a damaged entry on the way, or `BadField` for a name of 0 or above 255 bytes.
pub fn insert(
    block: &mut [u8],
    metadata_csum: bool,
    ino: Ino,
    file_type: u8,
    name: &[u8],
) -> Result<Option<usize>, LayoutError> {
    let name_len = u8::try_from(name.len())
        .ok()
        .filter(|&len| len > 0)
        .ok_or_else(|| bad("name_len", 6, name.len(), "must be 1 to 255"))?;
    let need = rec_len_for(name.len());
    let usable = usable_len(block.len(), metadata_csum);
    let mut offset = 0;
    while offset < usable {
        let entry = entry_at(&block[..usable], offset)?;
        let (rec_len, used) = (entry.rec_len, entry.ino != Ino(0));
        let kept = if used { rec_len_for(entry.name.len()) } else { 0 };
        if rec_len - kept < need {
            offset += rec_len;
            continue;
        }
        let at = offset + kept;
        if used {
            set_rec_len(block, offset, kept)?;
        }
        set_rec_len(block, at, rec_len - kept)?;
        put("directory block", block, at, &ino.0.to_le_bytes())?;
        put("directory block", block, at + 6, &[name_len, file_type])?;
        put("directory block", block, at + HEAD, name)?;
        return Ok(Some(at));
    }
    Ok(None)
}

/// Takes a name out: its space goes to the entry before, the block's first
/// entry gets inode 0 (`ext4_generic_delete_entry`). Returns its inode.
///
/// # Errors
/// That of a damaged entry on the way.
pub fn remove(block: &mut [u8], name: &[u8]) -> Result<Option<Ino>, LayoutError> {
    let Some(Entry { offset, ino, rec_len, .. }) = find(block, name)? else { return Ok(None) };
    let before = entries(block).flatten().take_while(|e| e.offset < offset).last();
    match before.map(|e| (e.offset, e.rec_len)) {
        Some((at, len)) => set_rec_len(block, at, len + rec_len)?,
        None => put("directory block", block, offset, &[0; 4])?,
    }
    Ok(Some(ino))
}

/// Changes the inode and type of the entry at `offset` (rename over a name; "..").
///
/// # Errors
/// `TooShort`.
pub fn set_target(block: &mut [u8], offset: usize, ino: Ino, file_type: u8) -> Result<(), LayoutError> {
    put("directory block", block, offset + 7, &[file_type])?;
    put("directory block", block, offset, &ino.0.to_le_bytes())
}

/// Changes how far the entry at `offset` reaches.
///
/// # Errors
/// `TooShort`, or `BadField` above 65535.
pub fn set_rec_len(block: &mut [u8], offset: usize, rec_len: usize) -> Result<(), LayoutError> {
    let stored = u16::try_from(rec_len).map_err(|_| bad("rec_len", offset + 4, rec_len, "above 65535"))?;
    put("directory block", block, offset + 4, &stored.to_le_bytes())
}

/// Makes `block` an empty directory block: one free entry, and the tail.
/// The checksum is for [`update_checksum`].
///
/// # Errors
/// `TooShort`, or `BadField` above 64 KiB.
pub fn init_empty(block: &mut [u8], metadata_csum: bool) -> Result<(), LayoutError> {
    block.fill(0);
    let usable = usable_len(block.len(), metadata_csum);
    set_rec_len(block, 0, usable)?;
    if metadata_csum {
        put("directory block", block, usable, &[0, 0, 0, 0, 12, 0, 0, TAIL_TYPE, 0, 0, 0, 0])?;
    }
    Ok(())
}

/// Makes `block` a new directory's first one: "." and "..", which takes the rest.
///
/// # Errors
/// As [`init_empty`].
pub fn init_first(block: &mut [u8], metadata_csum: bool, ino: Ino, parent: Ino) -> Result<(), LayoutError> {
    init_empty(block, metadata_csum)?;
    insert(block, metadata_csum, ino, file_type::DIR, b".")?;
    insert(block, metadata_csum, parent, file_type::DIR, b"..")?;
    Ok(())
}

/// Where the checksum stands, if the block ends in the checksum's entry.
#[must_use]
pub fn checksum_at(block: &[u8]) -> Option<usize> {
    let at = block.len().checked_sub(TAIL_SIZE)?;
    let is_tail = le32(block, at) == 0 && le16(block, at + 4) == 12 && block[at + 6..at + 8] == [0, TAIL_TYPE];
    is_tail.then_some(at + 8)
}

/// The checksum of a linear block (`ext4_dirblock_csum`); `inode_seed` is
/// [`inode::seed`](super::inode::seed).
#[must_use]
pub fn compute_checksum(block: &[u8], inode_seed: u32) -> u32 {
    crc32c(inode_seed, &block[..usable_len(block.len(), true)])
}

/// Stores the checksum.
///
/// # Errors
/// `BadField` if the block has no tail.
pub fn update_checksum(block: &mut [u8], inode_seed: u32) -> Result<(), LayoutError> {
    let at = checksum_at(block).ok_or_else(|| bad("tail", 0, 0, "no checksum entry"))?;
    let checksum = compute_checksum(block, inode_seed);
    put("directory block", block, at, &checksum.to_le_bytes())
}

/// Compares the checksum.
///
/// # Errors
/// `BadChecksum`, or `BadField` if the block has no tail.
pub fn verify_checksum(block: &[u8], inode_seed: u32) -> Result<(), LayoutError> {
    let at = checksum_at(block).ok_or_else(|| bad("tail", 0, 0, "no checksum entry"))?;
    same_checksum("directory block", compute_checksum(block, inode_seed), le32(block, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(block: &[u8]) -> Vec<String> {
        entries(block)
            .map(|e| e.unwrap())
            .filter(|e| e.ino != Ino(0))
            .map(|e| String::from_utf8_lossy(e.name).into_owned())
            .collect()
    }

    #[test]
    fn names_come_and_go() {
        let mut block = vec![0; 1024];
        init_first(&mut block, true, Ino(12), Ino(2)).unwrap();
        assert_eq!(entry_at(&block, 12).unwrap().rec_len, 1000);
        assert_eq!(insert(&mut block, true, Ino(13), 1, b"file"), Ok(Some(24)));
        assert_eq!(insert(&mut block, true, Ino(14), 1, b"other"), Ok(Some(36)));
        assert_eq!(names(&block), [".", "..", "file", "other"]);
        assert_eq!(remove(&mut block, b"file"), Ok(Some(Ino(13))));
        assert_eq!(remove(&mut block, b"file"), Ok(None));
        assert_eq!(entry_at(&block, 12).unwrap().rec_len, 24);
        assert_eq!(insert(&mut block, true, Ino(15), 1, b"f"), Ok(Some(24)));
        assert_eq!(remove(&mut block, b"."), Ok(Some(Ino(12))));
        assert_eq!(names(&block), ["..", "f", "other"]);
        update_checksum(&mut block, 5).unwrap();
        verify_checksum(&block, 5).unwrap();
        assert!(verify_checksum(&block, 6).is_err());
    }

    #[test]
    fn a_full_block_takes_no_more() {
        for csum in [false, true] {
            let mut block = vec![0; 1024];
            init_empty(&mut block, csum).unwrap();
            let mut count = 0;
            while insert(&mut block, csum, Ino(20), 1, b"four").unwrap().is_some() {
                count += 1;
            }
            assert_eq!(count, usable_len(1024, csum) / 12);
            assert_eq!(checksum_at(&block).is_some(), csum);
        }
        assert!(insert(&mut [0; 64], false, Ino(1), 1, b"").is_err());
    }

    proptest! {
        #[test]
        fn damaged_blocks_never_panic(
            noise in prop::collection::vec(any::<u8>(), 0..80), at in 0usize..200,
            raw: bool, csum: bool, name in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let mut block = if raw { noise.clone() } else { vec![0; 256] };
            if !raw {
                init_first(&mut block, csum, Ino(2), Ino(2)).unwrap();
                for (slot, byte) in block[at..].iter_mut().zip(&noise) { *slot = *byte }
            }
            let _ = (entries(&block).count(), find(&block, &name).is_ok());
            let _ = (entry_at(&block, at).is_ok(), verify_checksum(&block, 3));
            let _ = (insert(&mut block, csum, Ino(3), 1, &name), remove(&mut block, &name));
            let _ = (update_checksum(&mut block, 3), set_target(&mut block, at, Ino(1), 1));
            let _ = (init_empty(&mut block, csum), init_first(&mut block, csum, Ino(2), Ino(2)));
        }
    }
}
