//! Files and counts, read off an image as `debugfs` and `dumpe2fs` show them.

use ondisk::layout::extent::{Extent, Header, Index};
use ondisk::layout::group_desc::GroupDesc;
use ondisk::layout::inode::{FileKind, I_BLOCK_AT, Inode, InodeFlags};
use ondisk::layout::superblock::Superblock;
use ondisk::layout::{LayoutError, dir, xattr};
use ondisk::{Ino, Pblk};
use session::golden::{FileState, FsCounts};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Files over this many bytes have no digest.
const DIGEST_MAX: u64 = 64 << 20;

/// An image that cannot be read.
#[derive(Debug, Error)]
pub enum ImageError {
    /// A structure is damaged.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A block past the end.
    #[error("block {block} lies past the end of the image")]
    Block {
        /// The block.
        block: u64,
    },
    /// An inode that cannot be.
    #[error("inode {ino} lies in no group")]
    Inode {
        /// Its number.
        ino: Ino,
    },
    /// Extents deeper than ext4 makes them.
    #[error("inode {ino}: the extent tree has no end")]
    Depth {
        /// The inode.
        ino: Ino,
    },
}

type Read<T> = Result<T, ImageError>;

/// An image whose superblock was found.
pub struct Image<'a> {
    bytes: &'a [u8],
    sb: Superblock,
}

/// Where a file's blocks are.
#[derive(Default)]
struct Map {
    extents: Vec<(u64, u64, u64, u8)>,
    indirect: Vec<(String, u64)>,
}

impl Map {
    /// Adds one block, to the last run if it goes on there.
    fn add(&mut self, logical: u64, physical: u64) {
        match self.extents.last_mut() {
            Some((l, p, len, 0)) if *l + *len == logical && *p + *len == physical => *len += 1,
            _ => self.extents.push((logical, physical, 1, 0)),
        }
    }
}

impl<'a> Image<'a> {
    /// Finds the superblock.
    ///
    /// # Errors
    /// If it is no ext4 image.
    pub fn new(bytes: &'a [u8]) -> Read<Self> {
        Ok(Image { bytes, sb: *Superblock::of_device(bytes)? })
    }

    /// Free blocks and inodes as the superblock counts them.
    #[must_use]
    pub fn counts(&self) -> FsCounts {
        FsCounts { free_blocks: self.sb.free_blocks_count(), free_inodes: u64::from(self.sb.s_free_inodes_count.get()) }
    }

    /// The file of that path, `None` if there is none.
    ///
    /// # Errors
    /// If something on the way is damaged.
    pub fn file(&self, path: &str) -> Read<Option<FileState>> {
        let mut ino = Ino::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            match self.entry(ino, name.as_bytes())? {
                Some(found) => ino = found,
                None => return Ok(None),
            }
        }
        self.state(ino).map(Some)
    }

    fn state(&self, ino: Ino) -> Read<FileState> {
        let (inode, slot) = self.inode(ino)?;
        let map = self.map(ino, &inode)?;
        let unit =
            if inode.flags().contains(InodeFlags::HUGE_FILE) { u64::from(self.sb.block_size()) / 512 } else { 1 };
        Ok(FileState {
            ino: ino.0,
            kind: kind_name(inode.kind()).to_owned(),
            mode: format!("{:04o}", inode.i_mode.get() & 0o7777),
            flags: format!("{:#x}", inode.i_flags.get()),
            size: inode.size(),
            links: inode.i_links_count.get(),
            i_blocks: inode.blocks() * unit,
            sha256: if inode.size() > DIGEST_MAX { None } else { Some(self.digest(&inode, slot, &map)?) },
            indirect_blocks: map.indirect,
            extents: map.extents,
        })
    }

    fn block(&self, block: u64) -> Read<&'a [u8]> {
        let size = u64::from(self.sb.block_size());
        let start = block.checked_mul(size).and_then(|start| usize::try_from(start).ok());
        let range = start.and_then(|start| Some(start..start.checked_add(usize::try_from(size).ok()?)?));
        range.and_then(|range| self.bytes.get(range)).ok_or(ImageError::Block { block })
    }

    fn inode(&self, ino: Ino) -> Read<(Inode, &'a [u8])> {
        let (group, index) = self.sb.group_of_inode(ino).ok_or(ImageError::Inode { ino })?;
        let block_size = u64::from(self.sb.block_size());
        let desc_at = u64::from(group.0) * u64::from(self.sb.desc_size());
        let table = self.sb.superblock_block().0 + 1 + desc_at / block_size;
        let into = usize::try_from(desc_at % block_size).unwrap_or(0);
        let desc = GroupDesc::parse_sized(&self.block(table)?[into..], self.sb.desc_size())?;
        let size = u64::from(self.sb.inode_size());
        let at = u64::from(index) * size;
        let block = self.block(desc.inode_table().0 + at / block_size)?;
        let into = usize::try_from(at % block_size).unwrap_or(0);
        let slot = &block[into..(into + usize::from(self.sb.inode_size())).min(block.len())];
        Ok((Inode::parse_sized(slot, self.sb.inode_size())?, slot))
    }

    fn map(&self, ino: Ino, inode: &Inode) -> Read<Map> {
        let mut map = Map::default();
        let flags = inode.flags();
        let no_blocks = matches!(inode.kind(), FileKind::Symlink) && inode.blocks() == 0;
        if flags.contains(InodeFlags::INLINE_DATA) || no_blocks {
            return Ok(map);
        }
        if flags.contains(InodeFlags::EXTENTS) {
            self.extents(ino, &inode.i_block, 5, &mut map)?;
            return Ok(map);
        }
        let pointers = inode.block_pointers();
        for (n, pointer) in (0..12).zip(pointers) {
            if pointer != 0 {
                map.add(n, pointer.into());
            }
        }
        let per_block = u64::from(self.sb.block_size()) / 4;
        let mut first = 12;
        for level in 1..=3 {
            let pointer = pointers[11 + level];
            if pointer != 0 {
                self.pointers(pointer.into(), level, first, &mut map)?;
            }
            first += per_block.pow(u32::try_from(level).unwrap_or(0));
        }
        Ok(map)
    }

    fn extents(&self, ino: Ino, node: &[u8], levels_left: u16, map: &mut Map) -> Read<()> {
        let header = Header::parse(node)?;
        if header.depth == 0 {
            map.extents.extend(
                Extent::all(node).map(|e| (u64::from(e.block.0), e.start.0, u64::from(e.len), u8::from(e.unwritten))),
            );
            return Ok(());
        }
        if levels_left == 0 {
            return Err(ImageError::Depth { ino });
        }
        for index in Index::all(node) {
            self.extents(ino, self.block(index.leaf.0)?, levels_left - 1, map)?;
        }
        Ok(())
    }

    fn pointers(&self, block: u64, level: usize, first: u64, map: &mut Map) -> Read<()> {
        map.indirect.push((["IND", "DIND", "TIND"][level - 1].to_owned(), block));
        let per_block = u64::from(self.sb.block_size()) / 4;
        let span = per_block.pow(u32::try_from(level - 1).unwrap_or(0));
        for (n, pointer) in (0..).zip(self.block(block)?.as_chunks::<4>().0) {
            let pointer = u64::from(u32::from_le_bytes(*pointer));
            match (pointer, level) {
                (0, _) => {}
                (_, 1) => map.add(first + n, pointer),
                _ => self.pointers(pointer, level - 1, first + n * span, map)?,
            }
        }
        Ok(())
    }

    /// The whole content; the caller has looked at the size.
    fn content(&self, inode: &Inode, slot: &[u8], map: &Map) -> Read<Vec<u8>> {
        let size = usize::try_from(inode.size()).unwrap_or(usize::MAX);
        if inode.flags().contains(InodeFlags::INLINE_DATA) {
            let mut bytes = slot[I_BLOCK_AT..I_BLOCK_AT + 60].to_vec();
            if let Some(rest) = xattr::find(slot, xattr::INDEX_SYSTEM, b"data")? {
                bytes.extend_from_slice(rest.value);
            }
            bytes.resize(size, 0);
            return Ok(bytes);
        }
        let mut bytes = vec![0; size];
        let block_size = u64::from(self.sb.block_size());
        for &(logical, physical, len, unwritten) in &map.extents {
            for n in (0..len).filter(|_| unwritten == 0) {
                let Ok(start) = usize::try_from((logical + n) * block_size) else { break };
                if start >= size {
                    break;
                }
                let block = self.block(physical + n)?;
                let end = (start + block.len()).min(size);
                bytes[start..end].copy_from_slice(&block[..end - start]);
            }
        }
        Ok(bytes)
    }

    fn digest(&self, inode: &Inode, slot: &[u8], map: &Map) -> Read<String> {
        let digest = Sha256::digest(self.content(inode, slot, map)?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The inode of a name in a directory; index blocks read as empty entries.
    fn entry(&self, ino: Ino, name: &[u8]) -> Read<Option<Ino>> {
        let (inode, slot) = self.inode(ino)?;
        if inode.kind() != FileKind::Directory {
            return Ok(None);
        }
        if inode.flags().contains(InodeFlags::INLINE_DATA) {
            // The parent's number, then entries; more of them in the attribute.
            let more = xattr::find(slot, xattr::INDEX_SYSTEM, b"data")?.map_or(&[][..], |attribute| attribute.value);
            let found = dir::find(&inode.i_block[4..], name)?.map(|entry| entry.ino);
            return Ok(match found {
                Some(found) => Some(found),
                None => dir::find(more, name)?.map(|entry| entry.ino),
            });
        }
        for (_, physical, len, _) in self.map(ino, &inode)?.extents {
            for block in physical..physical + len {
                if let Some(found) = dir::find(self.block(block)?, name)? {
                    return Ok(Some(found.ino));
                }
            }
        }
        Ok(None)
    }

    /// Bytes of a file, as `debugfs -R "cat PATH"` prints them.
    ///
    /// # Errors
    /// If something on the way is damaged.
    pub fn read(&self, path: &str) -> Read<Option<Vec<u8>>> {
        let Some(state) = self.file(path)? else { return Ok(None) };
        let (inode, slot) = self.inode(Ino(state.ino))?;
        let map = self.map(Ino(state.ino), &inode)?;
        self.content(&inode, slot, &map).map(Some)
    }
}

fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Fifo => "FIFO",
        FileKind::CharDevice => "character special",
        FileKind::Directory => "directory",
        FileKind::BlockDevice => "block special",
        FileKind::Regular => "regular",
        FileKind::Symlink => "symlink",
        FileKind::Socket => "socket",
        FileKind::Unknown => "bad type",
    }
}

impl ondisk::mkfs::BlockWrite for BlockFile<'_> {
    fn write_block(&mut self, block: Pblk, data: &[u8]) -> std::io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        if data.iter().all(|byte| *byte == 0) {
            return Ok(()); // the file is made of zeros
        }
        self.file.seek(SeekFrom::Start(block.0 * self.block_size))?;
        self.file.write_all(data)
    }
}

/// A new file as a device.
pub struct BlockFile<'a> {
    /// All zeros so far.
    pub file: &'a mut std::fs::File,
    /// Bytes of a block.
    pub block_size: u64,
}

/// Writes an image, leaving blocks of zeros as holes of the file.
///
/// # Errors
/// Those of the file.
pub fn write_sparse(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = std::fs::File::create(path)?;
    file.set_len(bytes.len() as u64)?;
    for (n, chunk) in bytes.chunks(65_536).enumerate() {
        if chunk.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(n as u64 * 65_536))?;
            file.write_all(chunk)?;
        }
    }
    Ok(())
}
