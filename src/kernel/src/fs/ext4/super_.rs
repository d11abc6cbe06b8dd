//! Mounting and unmounting. Mirrors fs/ext4/super.c.
//!
//! ```text
//!   bdev page cache: [ superblock ][ descriptors ... ]   pinned while mounted
//!                          │              │
//!                      SuperInfo      GroupInfo, counters
//! ```
//!
//! Not modelled: replay of a log, orphans left by a crash, quota, remount: a
//! mount that needs it is refused by name, see docs/omissions.md#jbd2.

use bitflags::bitflags;
use ondisk::layout::extent;
use ondisk::layout::group_desc::GroupDesc;
use ondisk::layout::inode::InodeFlags;
use ondisk::layout::journal::{BLOCKS_MIN, JournalSuperblock};
use ondisk::layout::superblock::{Compat, Incompat, RoCompat, Superblock};
use ondisk::mountable::{MountRefusal, check_descriptors, check_device, check_mountable};
use ondisk::{Ino, LayoutError};
use sched::Kthread;
use thiserror::Error;
use world::{
    BhFlags, BhId, Counter, Errno, Inode, InodeBits, InodeId, InodeState, PAGE_SIZE, PageFlags, PageId, SuperInfo,
    World,
};

use crate::block::ramdisk::REQ_META;
use crate::fs::buffer::bread;
use crate::fs::ext4::balloc::{ext4_count_free_clusters, ext4_get_group_desc, is_regular};
use crate::fs::ext4::ext4_jbd2::{ext4_journal_get_write_access, handle_dirty_metadata};
use crate::fs::ext4::extents_status::ES_WRITTEN;
use crate::fs::ext4::inode::disk::{Iget, S_IFDIR, S_IFMT, ext4_evict_inode, ext4_iget};
use crate::fs::ext4::mballoc;
use crate::fs::ext4::super_::error::{At, ext4_abort, ext4_commit_super};
use crate::fs::fs_writeback::{inode_io_list_del, inode_wait_for_writeback, mark_inode_dirty};
use crate::fs::jbd2::commit::jbd2_journal_commit_transaction;
use crate::fs::jbd2::journal::{journal_superblock, mark_journal_empty};
use crate::fs::sync::sync_filesystem;
use crate::mm::filemap;
use crate::mm::writeback::{LLONG_MAX, filemap_write_and_wait_range};
use crate::site;
use crate::trace::Graph as _;
use crate::{point, probe};

pub mod error;

bitflags! {
    /// Mount options in force, as [`SuperInfo::mount_opts`] keeps them.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MountOpts: u32 {
        /// delalloc.
        const DELALLOC = 1;
        /// dioread_nolock.
        const DIOREAD_NOLOCK = 2;
        /// data=journal.
        const DATA_JOURNAL = 1 << 2;
        /// data=ordered.
        const DATA_ORDERED = 1 << 3;
        /// data=writeback.
        const DATA_WRITEBACK = 1 << 4;
        /// barrier.
        const BARRIER = 1 << 5;
        /// noauto_da_alloc.
        const NO_AUTO_DA_ALLOC = 1 << 6;
        /// noatime.
        const NOATIME = 1 << 7;
        /// strictatime, else relatime.
        const STRICTATIME = 1 << 8;
        /// lazytime.
        const LAZYTIME = 1 << 9;
        /// sync.
        const SYNCHRONOUS = 1 << 10;
        /// dax=always.
        const DAX_ALWAYS = 1 << 11;
        /// discard.
        const DISCARD = 1 << 12;
        /// errors=remount-ro.
        const ERRORS_RO = 1 << 13;
        /// dax=never.
        const DAX_NEVER = 1 << 14;
        /// dax=inode.
        const DAX_INODE = 1 << 15;
        /// EXT4_FLAGS_BDEV_IS_DAX: the device's memory can be reached directly, page by page.
        const BDEV_IS_DAX = 1 << 30;
        /// EXT4_MF_MNTDIR_SAMPLED: the superblock names the mount point.
        const MNTDIR_SAMPLED = 1 << 31;
    }
}

impl MountOpts {
    /// Those of the mounted file system.
    #[must_use]
    pub fn of(w: &World) -> Self {
        Self::from_bits_retain(w.sb().mount_opts)
    }
}

/// What the data of a file waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// data=journal.
    Journal,
    /// data=ordered.
    Ordered,
    /// data=writeback.
    Writeback,
}

/// Options asked for; what is not said depends on the file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// ro.
    pub read_only: bool,
    /// delalloc or nodelalloc.
    pub delalloc: Option<bool>,
    /// dioread_nolock or dioread_lock.
    pub dioread_nolock: Option<bool>,
    /// data=...
    pub data: Option<DataMode>,
    /// barrier or nobarrier.
    pub barrier: Option<bool>,
    /// errors=remount-ro or errors=continue.
    pub errors_ro: Option<bool>,
    /// The plain flags among [`MountOpts`].
    pub flags: MountOpts,
}

impl MountOptions {
    /// Options as `mount -o` takes them, separated by commas; empty for the defaults.
    ///
    /// ```
    /// # use kernel::fs::ext4::super_::{DataMode, MountOptions};
    /// let options = MountOptions::parse("nodelalloc,data=writeback").unwrap();
    /// assert_eq!((options.delalloc, options.data), (Some(false), Some(DataMode::Writeback)));
    /// ```
    ///
    /// # Errors
    /// [`MountError::UnknownOption`].
    pub fn parse(text: &str) -> Result<Self, MountError> {
        let mut options = Self::default();
        for option in text.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            match option {
                "rw" => options.read_only = false,
                "ro" => options.read_only = true,
                "delalloc" => options.delalloc = Some(true),
                "nodelalloc" => options.delalloc = Some(false),
                "dioread_nolock" => options.dioread_nolock = Some(true),
                "dioread_lock" | "nodioread_nolock" => options.dioread_nolock = Some(false),
                "data=journal" => options.data = Some(DataMode::Journal),
                "data=ordered" => options.data = Some(DataMode::Ordered),
                "data=writeback" => options.data = Some(DataMode::Writeback),
                "barrier" | "barrier=1" => options.barrier = Some(true),
                "nobarrier" | "barrier=0" => options.barrier = Some(false),
                "auto_da_alloc" | "auto_da_alloc=1" => options.flags.remove(MountOpts::NO_AUTO_DA_ALLOC),
                "noauto_da_alloc" | "auto_da_alloc=0" => options.flags.insert(MountOpts::NO_AUTO_DA_ALLOC),
                "atime" | "relatime" => options.flags.remove(MountOpts::NOATIME | MountOpts::STRICTATIME),
                "noatime" => options.flags.insert(MountOpts::NOATIME),
                "strictatime" => options.flags.insert(MountOpts::STRICTATIME),
                "lazytime" => options.flags.insert(MountOpts::LAZYTIME),
                "nolazytime" => options.flags.remove(MountOpts::LAZYTIME),
                "sync" => options.flags.insert(MountOpts::SYNCHRONOUS),
                "async" => options.flags.remove(MountOpts::SYNCHRONOUS),
                "dax" | "dax=always" => {
                    options.flags.insert(MountOpts::DAX_ALWAYS);
                    options.flags.remove(MountOpts::DAX_NEVER);
                }
                "dax=never" => {
                    options.flags.insert(MountOpts::DAX_NEVER);
                    options.flags.remove(MountOpts::DAX_ALWAYS);
                }
                "dax=inode" => {
                    options.flags.remove(MountOpts::DAX_ALWAYS | MountOpts::DAX_NEVER);
                    options.flags.insert(MountOpts::DAX_INODE);
                }
                "discard" => options.flags.insert(MountOpts::DISCARD),
                "nodiscard" => options.flags.remove(MountOpts::DISCARD),
                "errors=remount-ro" => options.errors_ro = Some(true),
                "errors=continue" => options.errors_ro = Some(false),
                "defaults" | "commit=5" | "acl" | "user_xattr" | "loop" => {}
                _ => return Err(MountError::UnknownOption { option: option.to_owned() }),
            }
        }
        Ok(options)
    }

    /// The options in force on a file system: fs/ext4/super.c, from line 4078.
    fn resolve(self, es: &Superblock) -> MountOpts {
        let mut opts = self.flags;
        let journal = es.compat().contains(Compat::HAS_JOURNAL);
        let data = self.data.unwrap_or(if journal { DataMode::Ordered } else { DataMode::Writeback });
        opts.insert(match data {
            DataMode::Journal => MountOpts::DATA_JOURNAL,
            DataMode::Ordered => MountOpts::DATA_ORDERED,
            DataMode::Writeback => MountOpts::DATA_WRITEBACK,
        });
        let whole_pages = u64::from(es.block_size()) == PAGE_SIZE;
        opts.set(MountOpts::ERRORS_RO, self.errors_ro.unwrap_or(es.s_errors.get() >= 2));
        opts.set(MountOpts::BARRIER, self.barrier.unwrap_or(true));
        opts.set(MountOpts::DELALLOC, self.delalloc.unwrap_or(true));
        opts.set(MountOpts::DIOREAD_NOLOCK, self.dioread_nolock.unwrap_or(whole_pages));
        if data == DataMode::Journal {
            opts.remove(MountOpts::DELALLOC | MountOpts::DIOREAD_NOLOCK);
        }
        opts
    }
}

/// Why a file system was not mounted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MountError {
    /// Superblock or descriptors say no.
    #[error(transparent)]
    Refused(#[from] MountRefusal),
    /// An option that ext4 does not have, or the model does not read.
    #[error("mount option not known: {option}")]
    UnknownOption {
        /// As given.
        option: String,
    },
    /// dax=always where it cannot be.
    #[error("{why}")]
    Dax {
        /// As the kernel's log says it.
        why: &'static str,
    },
    /// What the kernel would do but the engine has no code for.
    #[error("not modelled: {what}")]
    NotModelled {
        /// The option or feature.
        what: &'static str,
    },
    /// One file system at a time.
    #[error("a file system is already mounted")]
    AlreadyMounted,
    /// A block could not be read.
    #[error("{what}: {errno:?}")]
    Unreadable {
        /// The structure.
        what: &'static str,
        /// Why.
        errno: Errno,
    },
    /// The journal's first block is not a journal superblock.
    #[error("journal (inode 8): {0}")]
    Journal(LayoutError),
    /// The journal is shorter than 1024 blocks.
    #[error("journal (inode 8): {blocks} blocks, too short (1024 are needed)")]
    JournalTooShort {
        /// Its blocks.
        blocks: u32,
    },
    /// The file system was not unmounted cleanly.
    #[error("journal (inode 8): the log starts at block {start} and needs replay, which is not modelled")]
    NeedsReplay {
        /// `s_start`.
        start: u32,
    },
    /// Inodes were being deleted or truncated when the machine stopped.
    #[error("superblock: orphan list begins with inode {first}; its cleanup is not modelled")]
    Orphans {
        /// `s_last_orphan`.
        first: u32,
    },
    /// Inode 2 is not a usable directory.
    #[error("root directory (inode 2): {errno:?}")]
    Root {
        /// Why.
        errno: Errno,
    },
}

// ---- what the mounted file system is ----

/// True if the file system has a journal.
#[must_use]
pub fn has_journal(w: &World) -> bool {
    Compat::from_bits_retain(w.sb().features[0]).contains(Compat::HAS_JOURNAL)
}

/// True if new files get extents.
#[must_use]
pub fn has_extents(w: &World) -> bool {
    Incompat::from_bits_retain(w.sb().features[1]).contains(Incompat::EXTENTS)
}

/// True if metadata has checksums.
#[must_use]
pub fn has_csum(w: &World) -> bool {
    RoCompat::from_bits_retain(w.sb().features[2]).contains(RoCompat::METADATA_CSUM)
}

/// The superblock's buffer and the superblock's place in it.
///
/// # Panics
/// If nothing is mounted.
#[must_use]
pub fn sb_place(w: &World) -> (BhId, usize) {
    let page = w.find_page(InodeId::BDEV, 0).expect("the superblock's page is pinned while mounted");
    if w.sb().block_bits == 10 { (page.bh(1), 0) } else { (page.bh(0), 1024) }
}

/// The superblock as its buffer has it (`s_es`).
///
/// # Panics
/// If nothing is mounted.
#[must_use]
pub fn raw_super(w: &World) -> &Superblock {
    let (bh, at) = sb_place(w);
    Superblock::of(&w.bh_bytes(bh)[at..]).expect("the buffer holds a whole superblock")
}

/// Inodes of the file system.
#[must_use]
pub fn inodes_count(w: &World) -> u32 {
    let sb = w.sb();
    sb.groups.saturating_mul(sb.inodes_per_group)
}

/// First inode that is not reserved.
#[must_use]
pub fn first_ino(w: &World) -> u32 {
    raw_super(w).s_first_ino.get()
}

/// A group's descriptor.
///
/// # Errors
/// `EIO` if there is no such group.
pub fn group_desc(w: &mut World, group: u32) -> Result<GroupDesc, Errno> {
    ext4_get_group_desc(w, group).map(|(desc, _)| desc)
}

/// Blocks of the journal; its inode stays in memory while mounted.
#[must_use]
pub fn journal_blocks(w: &World) -> u32 {
    let size = w.inode_hash.get(Ino::JOURNAL.0).map_or(0, |inode| w.sizes.at(inode).i_size);
    u32::try_from(size >> w.sb().block_bits).unwrap_or(u32::MAX)
}

/// Writes the bytes of a buffer that differ, so that the history keeps only those.
///
/// # Panics
/// If the two have different lengths.
pub fn put_changed(w: &mut World, bh: BhId, offset: usize, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len(), "a structure keeps its size");
    if let Some(changed) = changed_range(old, new) {
        w.bh_bytes_mut(bh, offset + changed.start, changed.len()).copy_from_slice(&new[changed]);
    }
}

/// The same against the bytes that the buffer has.
pub fn put_new(w: &mut World, bh: BhId, offset: usize, new: &[u8]) {
    if let Some(changed) = changed_range(&w.bh_bytes(bh)[offset..offset + new.len()], new) {
        w.bh_bytes_mut(bh, offset + changed.start, changed.len()).copy_from_slice(&new[changed]);
    }
}

/// From the first byte that differs to the last, looked for sixteen at a time.
fn changed_range(old: &[u8], new: &[u8]) -> Option<std::ops::Range<usize>> {
    let ((old16, old_rest), (new16, new_rest)) = (old.as_chunks::<16>(), new.as_chunks::<16>());
    let rest = old16.len() * 16;
    let within = |from: usize, len: usize| {
        let (a, b) = (&old[from..from + len], &new[from..from + len]);
        let first = a.iter().zip(b).position(|(a, b)| a != b)?;
        let last = a.iter().zip(b).rposition(|(a, b)| a != b)?;
        Some(from + first..from + last + 1)
    };
    let tail = within(rest, old_rest.len().min(new_rest.len()));
    let Some(head) = old16.iter().zip(new16).position(|(a, b)| a != b) else { return tail };
    let start = within(head * 16, 16)?.start;
    let end = match tail {
        Some(tail) => tail.end,
        None => within(old16.iter().zip(new16).rposition(|(a, b)| a != b)? * 16, 16)?.end,
    };
    Some(start..end)
}

/// Changes the superblock in its buffer, checksum included.
pub fn edit_super(w: &mut World, edit: impl FnOnce(&mut Superblock)) {
    let (bh, at) = sb_place(w);
    let old = *raw_super(w);
    let mut new = old;
    edit(&mut new);
    new.update_checksum();
    put_changed(w, bh, at, old.as_bytes(), new.as_bytes());
}

/// Changes the superblock inside the task's handle (`ext4_handle_dirty_super`).
///
/// # Errors
/// What declaring the change gives.
pub async fn journal_super(kt: &Kthread, edit: impl FnOnce(&mut Superblock)) -> Result<(), Errno> {
    let bh = kt.with(|w| sb_place(w).0);
    ext4_journal_get_write_access(kt, bh).await?;
    kt.with(|w| {
        edit_super(w, edit);
        handle_dirty_metadata(w, kt, bh);
    });
    Ok(())
}

/// `ext4_should_dioread_nolock()`, fs/ext4/ext4_jbd2.h:502.
#[must_use]
pub fn ext4_should_dioread_nolock(w: &World, inode: InodeId) -> bool {
    let flags = InodeFlags::from_bits_retain(w.inodes.at(inode).flags);
    MountOpts::of(w).contains(MountOpts::DIOREAD_NOLOCK | MountOpts::DELALLOC)
        && is_regular(w, inode)
        && flags.contains(InodeFlags::EXTENTS)
        && !flags.contains(InodeFlags::JOURNAL_DATA)
}

/// Notes what [`ext4_should_dioread_nolock`] calls, if it comes that far.
pub fn graph_should_dioread_nolock(w: &mut World, inode: InodeId) {
    if MountOpts::of(w).contains(MountOpts::DIOREAD_NOLOCK) && crate::fs::ext4::inode::map::has_extents(w, inode) {
        w.graph("ext4_inode_journal_mode");
    }
}

/// `ext4_meta_trans_blocks()`, fs/ext4/inode.c:5812: credits for the metadata of
/// `lblocks` blocks that lie in `pextents` pieces.
#[must_use]
pub fn ext4_meta_trans_blocks(w: &World, inode: InodeId, lblocks: u32, pextents: u32) -> u32 {
    let sb = w.sb();
    let flags = InodeFlags::from_bits_retain(w.inodes.at(inode).flags);
    let index = if flags.contains(InodeFlags::INLINE_DATA) {
        1
    } else if flags.contains(InodeFlags::EXTENTS) {
        let depth = u32::from(extent::Header::depth(&w.idata.at(inode).0));
        depth * if pextents <= 1 { 2 } else { 3 }
    } else {
        lblocks.div_ceil(1 << (sb.block_bits - 2)) + 4
    };
    let touched = index + pextents;
    let per_block = (1u32 << sb.block_bits) / u32::from(sb.desc_size.max(32));
    let groups = touched.min(sb.groups);
    let descs = sb.groups.div_ceil(per_block);
    let descs = if groups > descs { descs } else { touched };
    index + groups + descs + crate::fs::ext4::ext4_jbd2::XATTR_TRANS_BLOCKS
}

/// Notes what [`ext4_writepage_trans_blocks`] calls.
pub fn graph_writepage_trans_blocks(w: &mut World, inode: InodeId) {
    w.graph("ext4_writepage_trans_blocks { jbd2_journal_blocks_per_page");
    graph_meta_trans_blocks(w, inode);
    w.graph("ext4_inode_journal_mode }");
}

/// Notes what [`ext4_meta_trans_blocks`] calls.
pub fn graph_meta_trans_blocks(w: &mut World, inode: InodeId) {
    let extents = crate::fs::ext4::inode::map::has_extents(w, inode);
    w.graph(if extents {
        "ext4_meta_trans_blocks { ext4_ext_index_trans_blocks }"
    } else {
        "ext4_meta_trans_blocks { ext4_ind_trans_blocks }"
    });
}

/// `ext4_writepage_trans_blocks()`, fs/ext4/inode.c:5858: journal credits to write one page.
#[must_use]
pub fn ext4_writepage_trans_blocks(w: &World, inode: InodeId) -> u32 {
    let blocks = (PAGE_SIZE >> w.sb().block_bits) as u32;
    let data = if MountOpts::of(w).contains(MountOpts::DATA_JOURNAL) { blocks } else { 0 };
    ext4_meta_trans_blocks(w, inode, blocks, blocks) + data
}

/// The buffer of a directory's block if both its place and its bytes are in
/// memory; looks without leaving a trace.
#[must_use]
pub fn block_of_dir(w: &World, dir: InodeId, lblk: u32) -> Option<BhId> {
    let (&(_, start), status) = w.es.entries().range((dir, 0)..=(dir, lblk)).next_back()?;
    if lblk - start >= status.len || status.status & ES_WRITTEN == 0 {
        return None;
    }
    let bytes = (status.pblk + u64::from(lblk - start)) << w.sb().block_bits;
    let page = w.find_page(InodeId::BDEV, u32::try_from(bytes / PAGE_SIZE).ok()?)?;
    if w.pages.at(page).nr_bhs == 0 {
        return None;
    }
    let bh = page.bh(((bytes % PAGE_SIZE) >> w.sb().block_bits) as u32);
    w.bhs.at(bh).flags.contains(BhFlags::UPTODATE).then_some(bh)
}

// ---- mount ----

/// `ext4_fill_super()`, fs/ext4/super.c: mounts the device's file system.
///
/// On an error nothing is mounted and the page cache is empty again.
///
/// # Errors
/// [`MountError`], which names the structure.
pub async fn ext4_mount(kt: &Kthread, options: MountOptions) -> Result<(), MountError> {
    if kt.with(|w| w.sb().mounted) {
        return Err(MountError::AlreadyMounted);
    }
    kt.push_frame(site::EXT4_FILL_SUPER.id, &[]);
    let mounted = Box::pin(fill_super(kt, options)).await;
    if mounted.is_err() {
        kt.with(forget_everything);
    }
    kt.pop_frame();
    mounted
}

async fn fill_super(kt: &Kthread, options: MountOptions) -> Result<(), MountError> {
    let unreadable = |what| move |errno| MountError::Unreadable { what, errno };
    // The first read is with the smallest block size; then the page goes again.
    kt.with(|w| {
        let present = |ino, mode| Inode { ino, mode, count: 1, bits: InodeBits::PRESENT, ..Inode::default() };
        *w.inode_mut(InodeId::BDEV) = present(0, 0o060_000);
        *w.inode_mut(InodeId::BUDDY) = present(1, 0);
        for inode in [InodeId::BDEV, InodeId::BUDDY] {
            *w.size_mut(inode) = world::InodeSize::default();
            *w.sync_mut(inode) = world::InodeSync::default();
            *w.wb_mut(inode) = world::MappingWb::default();
        }
        *w.sb_mut() = SuperInfo { block_bits: 10, ..SuperInfo::default() };
    });
    let bh = bread(kt, 1, REQ_META).await.map_err(unreadable("superblock"))?;
    let es = kt.with(|w| Superblock::parse(w.bh_bytes(bh))).map_err(MountRefusal::from)?;
    check_mountable(&es)?;
    let mut opts = options.resolve(&es);
    // bdev_dax_supported(): blocks of a page only
    let dax_device = kt.with(|w| w.counter(Counter::DaxDevice) != 0);
    opts.set(MountOpts::BDEV_IS_DAX, dax_device && u64::from(es.block_size()) == PAGE_SIZE);
    check_dax(&es, opts)?;
    kt.with(|w| {
        check_device(&es, w.device.len() as u64 * PAGE_SIZE / u64::from(es.block_size()))?;
        drop_inode_pages(w, InodeId::BDEV);
        let stable = w.counter(Counter::StableWrites) != 0;
        *w.sb_mut() = super_info(&es, opts, options.read_only, stable);
        Ok::<(), MountRefusal>(())
    })?;
    let block = es.superblock_block().0;
    let sbh = bread(kt, block, REQ_META).await.map_err(unreadable("superblock"))?;
    kt.with(|w| pin(w, sbh));
    probe!(kt, FS_SUPER).await;

    let mut table = Vec::new();
    for n in 0..u64::from(es.desc_blocks()) {
        let bh = bread(kt, block + 1 + n, REQ_META).await.map_err(unreadable("group descriptors"))?;
        kt.with(|w| {
            pin(w, bh);
            table.extend_from_slice(w.bh_bytes(bh));
        });
    }
    let descs = check_descriptors(&es, &table)?;
    kt.with(|w| {
        let free = ext4_count_free_clusters(w);
        *w.counter_mut(Counter::FreeClusters) = free;
        *w.counter_mut(Counter::FreeClustersApprox) = free;
        *w.counter_mut(Counter::DirtyClusters) = 0;
        *w.counter_mut(Counter::DirtyClustersApprox) = 0;
        *w.counter_mut(Counter::FreeInodes) = descs.iter().map(|desc| u64::from(desc.free_inodes())).sum();
        *w.counter_mut(Counter::Dirs) = descs.iter().map(|desc| u64::from(desc.used_dirs())).sum();
        *w.counter_mut(Counter::LastOrphan) = u64::from(es.s_last_orphan.get());
        *w.counter_mut(Counter::SectorsWritten) = 0;
        *w.counter_mut(Counter::FcIneligible) = 0;
        mballoc::ext4_mb_init(w);
    });
    probe!(kt, FS_GROUPS).await;
    if es.s_last_orphan.get() != 0 {
        return Err(MountError::Orphans { first: es.s_last_orphan.get() });
    }
    if es.compat().contains(Compat::HAS_JOURNAL) {
        ext4_load_journal(kt, &es).await?;
        probe!(kt, FS_JOURNAL).await;
    }
    let root = ext4_iget(kt, Ino::ROOT.0, Iget::Special).await.map_err(|errno| MountError::Root { errno })?;
    kt.with(|w| {
        let usable = w.inodes.at(root).mode & S_IFMT == S_IFDIR && w.sizes.at(root).i_size > 0;
        if usable { Ok(()) } else { Err(MountError::Root { errno: Errno::EUCLEAN }) }
    })?;
    probe!(kt, FS_ROOT).await;
    kt.with(|w| w.sb_mut().mounted = true);
    if !options.read_only {
        ext4_setup_super(kt).await.map_err(unreadable("superblock"))?;
    }
    probe!(kt, FS_DONE).await;
    Ok(())
}

/// dax=always asks for a device that can do it, and for files that it can be about.
fn check_dax(es: &Superblock, opts: MountOpts) -> Result<(), MountError> {
    let refused = |why| Err(MountError::Dax { why });
    if !opts.contains(MountOpts::DAX_ALWAYS) {
        Ok(())
    } else if opts.contains(MountOpts::DATA_JOURNAL) {
        refused("can't mount with both data=journal and dax")
    } else if es.incompat().contains(Incompat::INLINE_DATA) {
        refused("Cannot use DAX on a filesystem that may contain inline data")
    } else if !opts.contains(MountOpts::BDEV_IS_DAX) {
        refused("DAX unsupported by block device.")
    } else {
        Ok(())
    }
}

/// The words of a mounted file system.
fn super_info(es: &Superblock, opts: MountOpts, read_only: bool, stable_writes: bool) -> SuperInfo {
    let flex = es.incompat().contains(Incompat::FLEX_BG);
    let clusters = es.blocks_count() / u64::from(es.cluster_ratio());
    SuperInfo {
        mounted: false,
        read_only,
        stable_writes,
        umount: false,
        shutdown: false,
        aborted: false,
        fs_aborted: false,
        frozen: 0,
        bdev_wb_err: 0,
        block_bits: es.block_size().trailing_zeros() as u8,
        cluster_bits: es.cluster_ratio().trailing_zeros() as u8,
        flex_bits: if flex && es.s_log_groups_per_flex < 32 { es.s_log_groups_per_flex } else { 0 },
        desc_size: es.desc_size(),
        inode_size: es.inode_size(),
        mount_opts: opts.bits(),
        features: [es.compat().bits(), es.incompat().bits(), es.ro_compat().bits()],
        groups: es.groups(),
        csum_seed: es.checksum_seed(),
        first_data_block: es.s_first_data_block.get(),
        clusters_per_group: es.s_clusters_per_group.get(),
        inodes_per_group: es.s_inodes_per_group.get(),
        blocks: es.blocks_count(),
        reserved_blocks: es.r_blocks_count(),
        // ext4_calculate_resv_clusters(): none without extents, else 2 % but at most 4096.
        resv_clusters: if es.incompat().contains(Incompat::EXTENTS) { (clusters / 50).min(4096) } else { 0 },
        next_tid: 0,
        running_tid: 0,
    }
}

/// `ext4_load_journal()`, fs/ext4/super.c: inode 8 and the journal's superblock.
async fn ext4_load_journal(kt: &Kthread, es: &Superblock) -> Result<(), MountError> {
    if es.s_journal_inum.get() != Ino::JOURNAL.0 {
        return Err(MountError::NotModelled { what: "a journal that is not inode 8" });
    }
    let unreadable = |errno| MountError::Unreadable { what: "journal (inode 8)", errno };
    ext4_iget(kt, Ino::JOURNAL.0, Iget::Special).await.map_err(unreadable)?;
    let bh = journal_superblock(kt).await.map_err(unreadable)?;
    let journal = kt.with(|w| JournalSuperblock::parse(w.bh_bytes(bh))).map_err(MountError::Journal)?;
    journal.verify().map_err(MountError::Journal)?;
    if journal.s_start.get() != 0 {
        return Err(MountError::NeedsReplay { start: journal.s_start.get() });
    }
    let blocks = journal.s_maxlen.get().min(kt.with(|w| journal_blocks(w)));
    if blocks < BLOCKS_MIN {
        return Err(MountError::JournalTooShort { blocks });
    }
    kt.with(|w| pin(w, bh));
    kt.with(|w| w.sb_mut().next_tid = journal.s_sequence.get().wrapping_add(1).max(1));
    Ok(())
}

/// `ext4_setup_super()`, fs/ext4/super.c: counts the mount and says that the log matters.
async fn ext4_setup_super(kt: &Kthread) -> Result<(), Errno> {
    kt.with(|w| {
        let (journal, now) = (has_journal(w), seconds(w));
        edit_super(w, |es| {
            es.s_mnt_count.set(es.s_mnt_count.get().wrapping_add(1));
            es.s_mtime.set(now as u32);
            es.s_mtime_hi = (now >> 32) as u8;
            if journal {
                es.s_feature_incompat.set((es.incompat() | Incompat::RECOVER).bits());
            } else {
                es.s_state.set(es.s_state.get() & !1);
            }
        });
    });
    ext4_commit_super(kt).await
}

fn seconds(w: &World) -> u64 {
    crate::fs::inode::current_time(w) / 1_000_000_000
}

/// Keeps a metadata page in memory until the umount, as the kernel's reference
/// to the buffer does.
fn pin(w: &mut World, bh: BhId) {
    let page = w.bhs.at(bh).page;
    filemap::get_page(w, page);
}

// ---- sync and unmount ----

/// `ext4_sync_fs()`, fs/ext4/super.c: starts the commit of what runs and, with
/// `wait`, waits for it.
///
/// Not modelled: the commit's own thread, so what is not waited for does not begin.
///
/// # Errors
/// None today: the model's commits do not fail.
pub async fn ext4_sync_fs(kt: &Kthread, wait: bool) -> Result<(), Errno> {
    if kt.with(|w| w.sb().shutdown) {
        return Ok(());
    }
    kt.with(|w| point!(w, EXT4_SYNC_FS, wait));
    if wait {
        jbd2_journal_commit_transaction(kt).await;
    }
    Ok(())
}

/// `sync_blockdev()`, fs/block_dev.c: writes every dirty block of the device's
/// own page cache, and waits.
///
/// # Errors
/// `EIO` if a write fails.
pub async fn sync_blockdev(kt: &Kthread) -> Result<(), Errno> {
    filemap_write_and_wait_range(kt, InodeId::BDEV, 0, LLONG_MAX).await
}

/// `generic_shutdown_super()` and `ext4_put_super()`, fs/ext4/super.c: unmounts.
/// The caller has closed the files and written the data.
///
/// # Errors
/// `EBUSY` while a file is open.
pub async fn ext4_umount(kt: &Kthread) -> Result<(), Errno> {
    kt.push_frame(site::EXT4_PUT_SUPER.id, &[]);
    let unmounted = Box::pin(put_super(kt)).await;
    kt.pop_frame();
    unmounted
}

async fn put_super(kt: &Kthread) -> Result<(), Errno> {
    if !kt.with(|w| w.sb().mounted) {
        return Err(Errno::EINVAL);
    }
    if kt.with(|w| w.files.iter().next().is_some()) {
        return Err(Errno::EBUSY);
    }
    kt.with(|w| w.sb_mut().umount = true); // s_umount is held: the flusher passes it by
    // From here on nothing stops an umount: what fails is lost.
    let _ = sync_filesystem(kt).await;
    let inodes: Vec<(u32, InodeId)> = kt.with(|w| w.inode_hash.entries().iter().map(|(&k, &v)| (k, v)).collect());
    for &(ino, inode) in &inodes {
        if ino != Ino::JOURNAL.0 {
            if kt.with(|w| w.inodes.at(inode).state.contains(InodeState::DIRTY_TIME)) {
                mark_inode_dirty(kt, inode, InodeState::DIRTY_SYNC).await; // lazytime: now or never
            }
            inode_wait_for_writeback(kt, inode).await;
            let _ = ext4_evict_inode(kt, inode).await;
        }
    }
    probe!(kt, PS_INODES).await;
    let (read_only, aborted) = kt.with(|w| (w.sb().read_only, w.sb().aborted));
    if !read_only {
        jbd2_journal_commit_transaction(kt).await;
        if kt.with(|w| has_journal(w)) && !aborted && mark_journal_empty(kt).await.is_err() {
            ext4_abort(kt, At("ext4_put_super", 1193), Errno::EIO).await;
        }
        probe!(kt, PS_JOURNAL).await;
    }
    kt.with(mballoc::ext4_mb_release);
    let _ = sync_blockdev(kt).await;
    probe!(kt, PS_SYNC).await;
    if !kt.with(|w| w.sb().read_only) {
        if !aborted {
            kt.with(|w| {
                edit_super(w, |es| {
                    es.s_feature_incompat.set((es.incompat() - Incompat::RECOVER).bits());
                    es.s_state.set(es.s_state.get() | 1);
                });
            });
        }
        let _ = ext4_commit_super(kt).await;
    }
    if let Some(&(_, journal)) = inodes.iter().find(|(ino, _)| *ino == Ino::JOURNAL.0) {
        let _ = ext4_evict_inode(kt, journal).await;
    }
    kt.with(forget_everything);
    probe!(kt, PS_DONE).await;
    Ok(())
}

/// `ext4_freeze()`, fs/ext4/super.c:5735: the log is empty, all metadata in its place.
///
/// # Errors
/// `EIO` if a write fails; the file system then still needs recovery.
pub async fn ext4_freeze(kt: &Kthread) -> Result<(), Errno> {
    if kt.with(|w| has_journal(w)) {
        jbd2_journal_commit_transaction(kt).await;
        sync_blockdev(kt).await?;
        mark_journal_empty(kt).await?;
        kt.with(|w| edit_super(w, |es| es.s_feature_incompat.set((es.incompat() - Incompat::RECOVER).bits())));
    }
    ext4_commit_super(kt).await
}

/// `ext4_unfreeze()`, fs/ext4/super.c:5773.
pub async fn ext4_unfreeze(kt: &Kthread) {
    if kt.with(|w| w.sb().shutdown) {
        return;
    }
    if kt.with(|w| has_journal(w)) {
        kt.with(|w| edit_super(w, |es| es.s_feature_incompat.set((es.incompat() | Incompat::RECOVER).bits())));
    }
    // The kernel drops its error.
    let _ = ext4_commit_super(kt).await;
}

/// Drops an inode's pages from the cache, written or not
/// (`truncate_inode_pages_final()` where nothing is under I/O).
pub fn drop_inode_pages(w: &mut World, inode: InodeId) {
    let pages: Vec<PageId> = w.cache.entries().range((inode, 0)..=(inode, u32::MAX)).map(|(_, &page)| page).collect();
    for page in pages {
        if w.pages.at(page).flags.contains(PageFlags::DIRTY) {
            w.page_mut(page).flags.remove(PageFlags::DIRTY | PageFlags::TAG_DIRTY);
            crate::mm::page_writeback::account_page_cleaned(w);
        }
        filemap::delete_from_page_cache(w, page);
    }
}

/// Nothing of a file system is left in memory.
fn forget_everything(w: &mut World) {
    let inodes: Vec<u32> = w.inode_hash.entries().keys().copied().collect();
    for ino in inodes {
        if let Some(inode) = w.inode_hash.get(ino) {
            drop_inode_pages(w, inode);
            crate::fs::ext4::inode::disk::ext4_clear_inode(w, inode);
        }
    }
    // The references that pinned superblock and descriptors go with the pages.
    let pinned: Vec<(PageId, u16)> = w
        .cache
        .entries()
        .range((InodeId::BDEV, 0)..=(InodeId::BDEV, u32::MAX))
        .map(|(_, &page)| (page, w.pages.at(page).refs - 1 - u16::from(w.pages.at(page).nr_bhs > 0)))
        .collect();
    for (page, refs) in pinned {
        for _ in 0..refs {
            filemap::put_page(w, page);
        }
    }
    for inode in [InodeId::BDEV, InodeId::BUDDY] {
        drop_inode_pages(w, inode);
        inode_io_list_del(w, inode);
        w.inode_mut(inode).state = InodeState::empty();
    }
    *w.sb_mut() = SuperInfo::default();
    for counter in [
        Counter::FreeClusters,
        Counter::FreeClustersApprox,
        Counter::DirtyClusters,
        Counter::DirtyClustersApprox,
        Counter::FreeInodes,
        Counter::Dirs,
        Counter::LastOrphan,
    ] {
        *w.counter_mut(counter) = 0;
    }
}

/// `echo 3 > /proc/sys/vm/drop_caches`: clean pages that nobody uses go, and
/// unused inodes with all their state. What is dirty, pinned or known to the
/// journal stays.
pub fn drop_caches(w: &mut World) {
    let pages: Vec<PageId> =
        w.cache.entries().iter().filter(|((inode, _), _)| *inode != InodeId::BUDDY).map(|(_, &page)| page).collect();
    for page in pages {
        let head = *w.pages.at(page);
        let busy_page = PageFlags::DIRTY | PageFlags::WRITEBACK | PageFlags::LOCKED;
        let busy_bh = BhFlags::DIRTY | BhFlags::JBDDIRTY | BhFlags::JBD | BhFlags::LOCK | BhFlags::ASYNC_WRITE;
        let used = head.refs > 1 + u16::from(head.nr_bhs > 0);
        let journalled = head.nr_bhs > 0 && w.page_bhs(page).any(|bh| w.bhs.at(bh).flags.intersects(busy_bh));
        if !used && !journalled && !head.flags.intersects(busy_page) {
            filemap::delete_from_page_cache(w, page);
        }
    }
    let unused: Vec<InodeId> = w
        .inode_hash
        .entries()
        .values()
        .copied()
        .filter(|&inode| {
            let head = w.inodes.at(inode);
            head.count == 0 && head.state.is_empty() && w.sizes.at(inode).nrpages == 0
        })
        .collect();
    for inode in unused {
        crate::fs::ext4::inode::disk::ext4_clear_inode(w, inode);
    }
}

#[cfg(test)]
mod tests;
