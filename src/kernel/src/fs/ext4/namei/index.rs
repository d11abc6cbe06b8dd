//! The index of a large directory: a tree of hashes over the blocks of names.
//! Mirrors the `dx_` functions of fs/ext4/namei.c.
//!
//! ```text
//!   one level    root ─┬─ leaf           two levels   root ─┬─ node ─┬─ leaf
//!                      └─ leaf                              │        └─ leaf
//!                                                           └─ node ─── leaf
//! ```

use ondisk::layout::dir::{self, file_type};
use ondisk::layout::dir_hash::{HashVersion, dx_hash};
use ondisk::layout::htree::{self, DxEntry, RootInfo};
use ondisk::layout::inode::InodeFlags;
use ondisk::layout::superblock::{Compat, Incompat};
use ondisk::{Ino, Lblk};
use sched::Kthread;
use world::{BhId, Errno, InodeId, World};

use super::{FoundEntry, add_dirent_to_buf, ext4_append, search_dirblock};
use crate::fs::ext4::dir::{ext4_read_dirblock, layout_errno, put_dirblock, put_dxblock};
use crate::fs::ext4::ext4_jbd2::ext4_journal_get_write_access;
use crate::fs::ext4::inode::disk::ext4_mark_inode_dirty;
use crate::fs::ext4::super_::{self, block_of_dir, has_csum, raw_super};
use crate::probe;

pub(super) enum DxError {
    /// ERR_BAD_DX_DIR: no index to trust.
    BadDir,
    Errno(Errno),
}

impl From<Errno> for DxError {
    fn from(errno: Errno) -> Self {
        DxError::Errno(errno)
    }
}

/// One level of the way to a leaf (`dx_frame`).
#[derive(Clone, Copy, Debug)]
struct DxFrame {
    bh: BhId,
    /// Where limit and count stand.
    count_at: usize,
    /// The entry that was followed.
    at: u16,
}

/// The way from the root to the index block above a leaf.
#[derive(Debug)]
struct DxPath {
    frames: Vec<DxFrame>,
    hash: u32,
    version: HashVersion,
}

/// `is_dx()`: the directory has an index.
pub(super) fn is_dx(w: &World, dir: InodeId) -> bool {
    let flags = InodeFlags::from_bits_retain(w.inodes.at(dir).flags);
    has_dir_index(w) && flags.contains(InodeFlags::INDEX)
}

pub(super) fn has_dir_index(w: &World) -> bool {
    Compat::from_bits_retain(w.sb().features[0]).contains(Compat::DIR_INDEX)
}

/// `ext4_dir_htree_level()`, fs/ext4/ext4.h: levels that an index may have.
fn dir_htree_level(w: &World) -> u8 {
    if Incompat::from_bits_retain(w.sb().features[1]).contains(Incompat::LARGEDIR) { 3 } else { 2 }
}

/// The entry of an index block to follow: the last whose hash is not above `hash`.
fn entry_for(block: &[u8], count_at: usize, hash: u32) -> u16 {
    let above = htree::entries(block, count_at).skip(1).take_while(|entry| entry.hash <= hash);
    u16::try_from(above.count()).expect("a count is 16 bits")
}

/// The hash of names as the superblock's flags want it.
fn hash_of(w: &World, number: u8, name: &[u8]) -> Option<(HashVersion, u32)> {
    let es = raw_super(w);
    let version = HashVersion::from_number(number)?;
    let version = if es.s_flags.get() & 2 != 0 { version.unsigned() } else { version };
    Some((version, dx_hash(version, es.s_hash_seed.map(|word| word.get()), name).0))
}

/// `dx_probe()`, fs/ext4/namei.c:782: the index blocks on the way to a name's leaf.
async fn dx_probe(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<DxPath, DxError> {
    let root = ext4_read_dirblock(kt, dir, 0).await?;
    let (info, version, hash) = kt
        .with(|w| {
            let info = RootInfo::parse(w.bh_bytes(root)).ok()?;
            let (version, hash) = hash_of(w, info.hash_version, name)?;
            Some((info, version, hash))
        })
        .ok_or(DxError::BadDir)?;
    if info.indirect_levels >= kt.with(|w| dir_htree_level(w)) {
        return Err(DxError::BadDir);
    }
    let mut path = DxPath { frames: Vec::new(), hash, version };
    let (mut bh, mut count_at) = (root, htree::ROOT_COUNT_AT);
    let mut visited = vec![Lblk(0)];
    for level in 0..=info.indirect_levels {
        let (at, block) = kt.with(|w| {
            let bytes = w.bh_bytes(bh);
            let (limit, count) = htree::limit_count(bytes, count_at);
            if limit != htree::capacity(bytes.len(), count_at, has_csum(w)) || count == 0 || count > limit {
                return Err(DxError::BadDir);
            }
            let at = entry_for(bytes, count_at, hash);
            let entry = htree::get(bytes, count_at, at).ok_or(DxError::BadDir)?;
            Ok((at, entry.block))
        })?;
        if visited.contains(&block) {
            return Err(DxError::BadDir); // the index goes round in a circle
        }
        visited.push(block);
        path.frames.push(DxFrame { bh, count_at, at });
        if level < info.indirect_levels {
            bh = ext4_read_dirblock(kt, dir, block.0).await?;
            count_at = htree::NODE_COUNT_AT;
        }
    }
    Ok(path)
}

fn leaf_of(w: &World, frame: &DxFrame) -> Option<DxEntry> {
    htree::get(w.bh_bytes(frame.bh), frame.count_at, frame.at)
}

/// `ext4_dx_find_entry()`, fs/ext4/namei.c:1680.
pub(super) async fn dx_find_entry(kt: &Kthread, dir: InodeId, name: &[u8]) -> Result<Option<FoundEntry>, DxError> {
    let mut path = dx_probe(kt, dir, name).await?;
    loop {
        let frame = path.frames.last().ok_or(DxError::BadDir)?;
        let leaf = kt.with(|w| leaf_of(w, frame)).ok_or(DxError::BadDir)?.block;
        let bh = ext4_read_dirblock(kt, dir, leaf.0).await?;
        let found = kt.with(|w| search_dirblock(w, dir, bh, name))?;
        probe!(kt, FE_SEARCH, block = leaf.0).await;
        if let Some(ino) = found {
            return Ok(Some(FoundEntry { bh, ino }));
        }
        if !htree_next_block(kt, dir, &mut path).await? {
            return Ok(None);
        }
    }
}

/// `ext4_htree_next_block()`, fs/ext4/namei.c:970: the next leaf, if the hash goes on there.
async fn htree_next_block(kt: &Kthread, dir: InodeId, path: &mut DxPath) -> Result<bool, DxError> {
    let next = kt.with(|w| {
        path.frames.iter().enumerate().rev().find_map(|(level, frame)| {
            let entry = leaf_of(w, &DxFrame { at: frame.at + 1, ..*frame })?;
            Some((level, entry))
        })
    });
    let Some((level, mut entry)) = next.filter(|(_, entry)| entry.hash & !1 == path.hash) else { return Ok(false) };
    path.frames[level].at += 1;
    for frame in &mut path.frames[level + 1..] {
        let bh = ext4_read_dirblock(kt, dir, entry.block.0).await?;
        *frame = DxFrame { bh, count_at: htree::NODE_COUNT_AT, at: 0 };
        entry = kt.with(|w| leaf_of(w, frame)).ok_or(DxError::BadDir)?;
    }
    Ok(true)
}

/// The inode of a name by the blocks that are in memory; nothing is read.
pub(super) fn cached_indexed_entry(w: &World, dir: InodeId, name: &[u8]) -> Option<u32> {
    let root = w.bh_bytes(block_of_dir(w, dir, 0)?);
    let info = RootInfo::parse(root).ok()?;
    let (_, hash) = hash_of(w, info.hash_version, name)?;
    let (mut block, mut count_at) = (root, htree::ROOT_COUNT_AT);
    for _ in 0..info.indirect_levels {
        let next = htree::get(block, count_at, entry_for(block, count_at, hash))?.block;
        (block, count_at) = (w.bh_bytes(block_of_dir(w, dir, next.0)?), htree::NODE_COUNT_AT);
    }
    let first = usize::from(entry_for(block, count_at, hash));
    let leaves = htree::entries(block, count_at).skip(first).enumerate();
    leaves.take_while(|(n, leaf)| *n == 0 || leaf.hash & !1 == hash).find_map(|(_, leaf)| {
        let entry = dir::find(w.bh_bytes(block_of_dir(w, dir, leaf.block.0)?), name).ok().flatten()?;
        Some(entry.ino.0)
    })
}

/// `make_indexed_dir()`, fs/ext4/namei.c:2154: block 0 is full; its names move
/// to a leaf, it becomes the root, the leaf is split.
pub(super) async fn make_indexed_dir(
    kt: &Kthread,
    dir: InodeId,
    bh: BhId,
    name: &[u8],
    inode: InodeId,
) -> Result<(), Errno> {
    ext4_journal_get_write_access(kt, bh).await?;
    let (leaf, lblk) = ext4_append(kt, dir).await?;
    let path = kt.with(|w| {
        let (csum, mut root) = (has_csum(w), w.bh_bytes(bh).to_vec());
        let parent = dir::entry_at(&root, dir::rec_len_for(1)).map_err(layout_errno)?;
        let (dotdot, names_at, parent_ino) = (parent.offset, parent.offset + parent.rec_len, parent.ino);
        let names: Vec<Name> = names_of(&root)?.into_iter().filter(|name| name.offset >= names_at).collect();
        let mut bytes = w.bh_bytes(leaf).to_vec();
        pack(&mut bytes, csum, &names)?;
        w.inode_mut(dir).flags |= InodeFlags::INDEX.bits();

        let size = root.len();
        root[dotdot..].fill(0);
        dir::set_target(&mut root, dotdot, parent_ino, file_type::DIR).map_err(layout_errno)?;
        let rest = u16::try_from(size - dotdot).map_err(|_| Errno::EUCLEAN)?;
        root[dotdot + 4..dotdot + 6].copy_from_slice(&rest.to_le_bytes());
        root[dotdot + 6] = 2;
        root[dotdot + 8..dotdot + 10].copy_from_slice(b"..");
        let number = raw_super(w).s_def_hash_version;
        let info = RootInfo { hash_version: number, info_length: 8, indirect_levels: 0, unused_flags: 0 };
        info.write_to(&mut root).map_err(layout_errno)?;
        let count_at = htree::ROOT_COUNT_AT;
        let limit = htree::capacity(size, count_at, csum);
        htree::set_limit_count(&mut root, count_at, limit, 1).map_err(layout_errno)?;
        htree::set(&mut root, count_at, 0, DxEntry { hash: 0, block: Lblk(lblk) }).map_err(layout_errno)?;
        put_dxblock(w, kt, dir, bh, root)?;
        put_dirblock(w, kt, dir, leaf, bytes)?;
        let (version, hash) = hash_of(w, number, name).ok_or(Errno::EUCLEAN)?;
        Ok(DxPath { frames: vec![DxFrame { bh, count_at, at: 0 }], hash, version })
    })?;
    probe!(kt, AE_INDEX).await;
    let target = do_split(kt, dir, leaf, &path).await;
    let added = match target {
        Ok(target) => add_dirent_to_buf(kt, dir, target, name, inode).await,
        Err(errno) => Err(errno),
    };
    match added {
        Ok(true) => Ok(()),
        // What was done so far must reach the disk all the same.
        Ok(false) => ext4_mark_inode_dirty(kt, dir).await.and(Err(Errno::ENOSPC)),
        Err(errno) => ext4_mark_inode_dirty(kt, dir).await.and(Err(errno)),
    }
}

/// `ext4_dx_add_entry()`, fs/ext4/namei.c:2401.
pub(super) async fn dx_add_entry(kt: &Kthread, dir: InodeId, name: &[u8], inode: InodeId) -> Result<(), DxError> {
    loop {
        let mut path = dx_probe(kt, dir, name).await?;
        let frame = *path.frames.last().ok_or(DxError::BadDir)?;
        let leaf = kt.with(|w| leaf_of(w, &frame)).ok_or(DxError::BadDir)?.block;
        let bh = ext4_read_dirblock(kt, dir, leaf.0).await?;
        ext4_journal_get_write_access(kt, bh).await?;
        if add_dirent_to_buf(kt, dir, bh, name, inode).await? {
            return Ok(());
        }
        if kt.with(|w| is_full(w, &frame)) && split_index(kt, dir, &mut path).await? {
            continue; // the way to the leaf is another one now
        }
        let target = do_split(kt, dir, bh, &path).await?;
        let added = add_dirent_to_buf(kt, dir, target, name, inode).await?;
        return if added { Ok(()) } else { Err(DxError::Errno(Errno::ENOSPC)) };
    }
}

fn is_full(w: &World, frame: &DxFrame) -> bool {
    let (limit, count) = htree::limit_count(w.bh_bytes(frame.bh), frame.count_at);
    count == limit
}

/// Makes room in the lowest index block, which is full: the highest full block
/// below one with room is split, or a full root hands its entries to a new
/// block below it. True if the path must be walked again.
async fn split_index(kt: &Kthread, dir: InodeId, path: &mut DxPath) -> Result<bool, DxError> {
    let lowest = path.frames.len() - 1;
    let parent = kt.with(|w| path.frames.iter().rposition(|frame| !is_full(w, frame)));
    if parent.is_none() && path.frames.len() == usize::from(kt.with(|w| dir_htree_level(w))) {
        probe!(kt, AE_FULL).await;
        return Err(DxError::Errno(Errno::ENOSPC));
    }
    let (new_bh, new_block) = ext4_append(kt, dir).await?;
    let Some(parent) = parent else {
        let root = path.frames[0];
        ext4_journal_get_write_access(kt, root.bh).await?;
        kt.with(|w| add_level(w, kt, dir, &root, new_bh, new_block))?;
        probe!(kt, AE_LEVEL).await;
        return Ok(true);
    };
    let (above, full) = (path.frames[parent], path.frames[parent + 1]);
    ext4_journal_get_write_access(kt, full.bh).await?;
    ext4_journal_get_write_access(kt, above.bh).await?;
    let kept = kt.with(|w| {
        let (mut lower, mut index) = (w.bh_bytes(full.bh).to_vec(), w.bh_bytes(above.bh).to_vec());
        let mut entries: Vec<DxEntry> = htree::entries(&lower, full.count_at).collect();
        let upper = entries.split_off(entries.len() / 2);
        let hash = upper.first().ok_or(Errno::EUCLEAN)?.hash;
        let upper = new_node(lower.len(), has_csum(w), &upper)?;
        put_entries(&mut lower, full.count_at, &entries)?;
        insert_index(&mut index, &above, DxEntry { hash, block: Lblk(new_block) })?;
        put_dxblock(w, kt, dir, new_bh, upper)?;
        put_dxblock(w, kt, dir, above.bh, index)?;
        put_dxblock(w, kt, dir, full.bh, lower)?;
        Ok::<usize, Errno>(entries.len())
    })?;
    let kept = u16::try_from(kept).map_err(|_| Errno::EUCLEAN)?;
    if full.at >= kept {
        path.frames[parent + 1] = DxFrame { bh: new_bh, at: full.at - kept, ..full };
    }
    probe!(kt, AE_NODE).await;
    Ok(parent + 1 != lowest)
}

/// All entries of a full root go to a new block, the only one below the root.
fn add_level(
    w: &mut World,
    kt: &Kthread,
    dir: InodeId,
    frame: &DxFrame,
    new_bh: BhId,
    new_block: u32,
) -> Result<(), Errno> {
    let mut root = w.bh_bytes(frame.bh).to_vec();
    let entries: Vec<DxEntry> = htree::entries(&root, frame.count_at).collect();
    let node = new_node(root.len(), has_csum(w), &entries)?;
    put_entries(&mut root, frame.count_at, &[DxEntry { hash: 0, block: Lblk(new_block) }])?;
    let mut info = RootInfo::parse(&root).map_err(layout_errno)?;
    info.indirect_levels += 1;
    info.write_to(&mut root).map_err(layout_errno)?;
    put_dxblock(w, kt, dir, frame.bh, root)?;
    put_dxblock(w, kt, dir, new_bh, node)
}

/// An index block below the root.
fn new_node(size: usize, csum: bool, entries: &[DxEntry]) -> Result<Vec<u8>, Errno> {
    let mut node = vec![0; size];
    let rec_len = u16::try_from(size).map_err(|_| Errno::EUCLEAN)?;
    node[4..6].copy_from_slice(&rec_len.to_le_bytes());
    let count_at = htree::NODE_COUNT_AT;
    let limit = htree::capacity(size, count_at, csum);
    htree::set_limit_count(&mut node, count_at, limit, 0).map_err(layout_errno)?;
    put_entries(&mut node, count_at, entries)?;
    Ok(node)
}

/// An index block's entries, and how many they are.
fn put_entries(block: &mut [u8], count_at: usize, entries: &[DxEntry]) -> Result<(), Errno> {
    let (limit, _) = htree::limit_count(block, count_at);
    let count = u16::try_from(entries.len()).map_err(|_| Errno::EUCLEAN)?;
    htree::set_limit_count(block, count_at, limit, count).map_err(layout_errno)?;
    for (n, &entry) in (0..).zip(entries) {
        htree::set(block, count_at, n, entry).map_err(layout_errno)?;
    }
    Ok(())
}

/// A name taken out of its block.
#[derive(Clone, Debug)]
struct Name {
    offset: usize,
    rec_len: usize,
    ino: Ino,
    file_type: u8,
    name: Vec<u8>,
}

fn names_of(block: &[u8]) -> Result<Vec<Name>, Errno> {
    let mut names = Vec::new();
    for entry in dir::entries(block) {
        let entry = entry.map_err(layout_errno)?;
        if entry.ino != Ino(0) && !entry.name.is_empty() {
            let (offset, rec_len, file_type) = (entry.offset, entry.rec_len, entry.file_type);
            names.push(Name { offset, rec_len, ino: entry.ino, file_type, name: entry.name.to_vec() });
        }
    }
    Ok(names)
}

/// Fills a block with names, one behind the other; the last takes the rest.
fn pack(block: &mut [u8], csum: bool, names: &[Name]) -> Result<(), Errno> {
    dir::init_empty(block, csum).map_err(layout_errno)?;
    for name in names {
        let place = dir::insert(block, csum, name.ino, name.file_type, &name.name).map_err(layout_errno)?;
        place.ok_or(Errno::EUCLEAN)?;
    }
    Ok(())
}

/// `do_split()`, fs/ext4/namei.c:1868: the upper half of a full leaf's hashes
/// moves to a new block. Gives the block of the two that the path's hash belongs to.
async fn do_split(kt: &Kthread, dir: InodeId, bh: BhId, path: &DxPath) -> Result<BhId, Errno> {
    let (new_bh, new_block) = ext4_append(kt, dir).await?;
    let frame = *path.frames.last().ok_or(Errno::EUCLEAN)?;
    ext4_journal_get_write_access(kt, bh).await?;
    ext4_journal_get_write_access(kt, frame.bh).await?;
    let target = kt.with(|w| {
        let (csum, mut lower) = (has_csum(w), w.bh_bytes(bh).to_vec());
        let seed = raw_super(w).s_hash_seed.map(|word| word.get());
        let mut map: Vec<(u32, Name)> =
            names_of(&lower)?.into_iter().map(|name| (dx_hash(path.version, seed, &name.name).0, name)).collect();
        map.sort_by_key(|(hash, _)| *hash);
        let split = split_point(&map, lower.len());
        let hash = map.get(split).ok_or(Errno::EUCLEAN)?.0;
        let continued = split > 0 && map[split - 1].0 == hash;

        let moved: Vec<Name> = map.split_off(split).into_iter().map(|(_, name)| name).collect();
        let mut kept: Vec<Name> = map.into_iter().map(|(_, name)| name).collect();
        kept.sort_by_key(|name| name.offset);
        let mut upper = w.bh_bytes(new_bh).to_vec();
        pack(&mut lower, csum, &kept)?;
        pack(&mut upper, csum, &moved)?;
        let old = w.bh_bytes(frame.bh).to_vec();
        let mut index = old.clone();
        insert_index(&mut index, &frame, DxEntry { hash: hash | u32::from(continued), block: Lblk(new_block) })?;
        // The block that gets the name is dirtied with the name, the other one now.
        let (target, target_bytes, other, other_bytes) =
            if path.hash >= hash { (new_bh, upper, bh, lower) } else { (bh, lower, new_bh, upper) };
        let before = w.bh_bytes(target).to_vec();
        super_::put_changed(w, target, 0, &before, &target_bytes);
        put_dirblock(w, kt, dir, other, other_bytes)?;
        put_dxblock(w, kt, dir, frame.bh, index)?;
        Ok::<BhId, Errno>(target)
    })?;
    probe!(kt, AE_SPLIT).await;
    Ok(target)
}

/// Which name, in order of hash, is the first of the upper half.
fn split_point(map: &[(u32, Name)], block_size: usize) -> usize {
    let (mut size, mut moved) = (0, 0);
    for (_, name) in map.iter().rev() {
        if size + name.rec_len / 2 > block_size / 2 {
            return map.len() - moved;
        }
        size += name.rec_len;
        moved += 1;
    }
    map.len() / 2
}

/// `dx_insert_block()`: an entry behind the one that was followed.
fn insert_index(block: &mut [u8], frame: &DxFrame, entry: DxEntry) -> Result<(), Errno> {
    let mut entries: Vec<DxEntry> = htree::entries(block, frame.count_at).collect();
    entries.insert(usize::from(frame.at) + 1, entry);
    put_entries(block, frame.count_at, &entries)
}
