//! The objects of the World: plain data, at most about 48 bytes each.
//!
//! Ids are dense indices. `NONE` is no object. Lengths and offsets are bytes
//! unless the name says blocks, pages or sectors.

use bitflags::bitflags;

use crate::ContentId;
use crate::arena::Id;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// No object.
            pub const NONE: $name = $name(u32::MAX);

            /// True unless this is [`Self::NONE`].
            #[must_use]
            pub fn is_some(self) -> bool {
                self != Self::NONE
            }

            /// This id, unless it is [`Self::NONE`].
            #[must_use]
            pub fn some(self) -> Option<Self> {
                self.is_some().then_some(self)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::NONE
            }
        }

        impl Id for $name {
            fn from_index(index: usize) -> Self {
                $name(index as u32)
            }
            fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A page of the page cache.
    PageId;
    /// A buffer head.
    BhId;
    /// An in-core inode; [`InodeId::BDEV`] is the block device's own.
    InodeId;
    /// A task: user thread or kernel thread.
    TaskId;
    /// An open file description.
    FileId;
    /// A mapping of user memory.
    VmaId;
    /// An iterator over user memory; task `n` uses `IterId(n)`.
    IterId;
    /// A journal handle; task `n` uses `HandleId(n)`.
    HandleId;
    /// A block I/O request.
    BioId;
    /// A batch of data writes that end together (`ext4_io_end_t`).
    IoEndId;
    /// A preallocation of mballoc.
    PaId;
    /// A 4096-byte unit of the device's store.
    UnitId;
    /// A slot of an arena of plain words: a counter, a bitmap word, a local.
    WordId;
    /// A block group.
    GroupId;
}

impl PageId {
    /// The page's `n`th buffer head: slots are given by place, not allocated.
    #[must_use]
    pub fn bh(self, n: u32) -> BhId {
        BhId(self.0 * 4 + n)
    }
}

impl InodeId {
    /// The block device's inode: its page cache holds all metadata.
    pub const BDEV: InodeId = InodeId(0);
    /// mballoc's buddy cache inode (`s_buddy_cache`, ino 1 in traces).
    pub const BUDDY: InodeId = InodeId(1);
}

bitflags! {
    /// Flags of a page (include/linux/page-flags.h), and its xarray tags.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct PageFlags: u32 {
        /// PG_locked.
        const LOCKED = 1;
        /// PG_uptodate: the bytes are what a read would give.
        const UPTODATE = 1 << 1;
        /// PG_dirty.
        const DIRTY = 1 << 2;
        /// PG_writeback: under I/O to the device.
        const WRITEBACK = 1 << 3;
        /// PG_private: buffer heads are attached.
        const PRIVATE = 1 << 4;
        /// PG_error.
        const ERROR = 1 << 5;
        /// PG_checked: dirtied through a mapping in journal mode.
        const CHECKED = 1 << 6;
        /// PG_referenced.
        const REFERENCED = 1 << 7;
        /// PG_active: on the active list.
        const ACTIVE = 1 << 8;
        /// PG_readahead: reading it starts the next readahead.
        const READAHEAD = 1 << 9;
        /// PG_reclaim.
        const RECLAIM = 1 << 10;
        /// On an LRU list.
        const LRU = 1 << 11;
        /// PG_workingset: has been on the active list and left it.
        const WORKINGSET = 1 << 12;
        /// xarray mark PAGECACHE_TAG_DIRTY.
        const TAG_DIRTY = 1 << 16;
        /// xarray mark PAGECACHE_TAG_WRITEBACK.
        const TAG_WRITEBACK = 1 << 17;
        /// xarray mark PAGECACHE_TAG_TOWRITE.
        const TAG_TOWRITE = 1 << 18;
        /// The slot holds a page (so that page 0 with no flag is not empty).
        const PRESENT = 1 << 31;
    }

    /// State bits of a buffer head (include/linux/buffer_head.h, ext4, jbd2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct BhFlags: u32 {
        /// BH_Uptodate.
        const UPTODATE = 1;
        /// BH_Dirty.
        const DIRTY = 1 << 1;
        /// BH_Lock.
        const LOCK = 1 << 2;
        /// BH_Mapped: `blocknr` is valid.
        const MAPPED = 1 << 3;
        /// BH_New: mapped by the latest get_block, bytes not yet there.
        const NEW = 1 << 4;
        /// BH_Async_Write: under end_buffer_async_write I/O.
        const ASYNC_WRITE = 1 << 5;
        /// BH_Delay: reserved, no block on disk yet.
        const DELAY = 1 << 6;
        /// BH_Unwritten: block allocated, contents not valid on disk.
        const UNWRITTEN = 1 << 7;
        /// BH_Write_EIO.
        const WRITE_EIO = 1 << 8;
        /// BH_Boundary.
        const BOUNDARY = 1 << 9;
        /// BH_JBD: a journal head is attached.
        const JBD = 1 << 10;
        /// BH_JBDDirty: dirty, but the journal holds it back.
        const JBDDIRTY = 1 << 11;
        /// BH_Shadow: being written to the log.
        const SHADOW = 1 << 12;
        /// BH_Freed.
        const FREED = 1 << 13;
        /// BH_Verified (ext4): checksum and structure looked at.
        const VERIFIED = 1 << 14;
        /// The slot holds a buffer head.
        const PRESENT = 1 << 31;
    }

    /// `i_state` bits (include/linux/fs.h), in the order traces print them.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct InodeState: u32 {
        /// I_DIRTY_SYNC.
        const DIRTY_SYNC = 1;
        /// I_DIRTY_DATASYNC.
        const DIRTY_DATASYNC = 1 << 1;
        /// I_DIRTY_PAGES.
        const DIRTY_PAGES = 1 << 2;
        /// I_NEW.
        const NEW = 1 << 3;
        /// I_WILL_FREE.
        const WILL_FREE = 1 << 4;
        /// I_FREEING.
        const FREEING = 1 << 5;
        /// I_CLEAR.
        const CLEAR = 1 << 6;
        /// I_SYNC: being written back.
        const SYNC = 1 << 7;
        /// I_REFERENCED.
        const REFERENCED = 1 << 8;
        /// I_DIRTY_TIME.
        const DIRTY_TIME = 1 << 11;
        /// I_SYNC_QUEUED.
        const SYNC_QUEUED = 1 << 17;
    }

    /// ext4's in-core state and the VFS's S_ flags of an inode.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct InodeBits: u32 {
        /// EXT4_STATE_DA_ALLOC_CLOSE.
        const DA_ALLOC_CLOSE = 1;
        /// EXT4_STATE_MAY_INLINE_DATA.
        const MAY_INLINE_DATA = 1 << 1;
        /// EXT4_STATE_NEW.
        const STATE_NEW = 1 << 2;
        /// EXT4_STATE_XATTR: the raw inode has attributes behind its fields.
        const STATE_XATTR = 1 << 3;
        /// S_IMMUTABLE.
        const IMMUTABLE = 1 << 8;
        /// S_APPEND.
        const APPEND = 1 << 9;
        /// S_NOSEC: nothing to strip on write.
        const NOSEC = 1 << 10;
        /// S_SYNC.
        const S_SYNC = 1 << 11;
        /// S_SWAPFILE.
        const SWAPFILE = 1 << 12;
        /// S_DAX.
        const DAX = 1 << 13;
        /// Bytes differ from the buffer of the inode table.
        const STALE_RAW = 1 << 30;
        /// The slot holds an inode.
        const PRESENT = 1 << 31;
    }
}

/// A page of the page cache. Its buffer heads are `first_bh ..` in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    /// The inode whose page this is; [`InodeId::NONE`] once truncated.
    pub mapping: InodeId,
    /// Position in the file, in pages.
    pub index: u32,
    /// Flags and xarray tags.
    pub flags: PageFlags,
    /// `_refcount`.
    pub refs: u16,
    /// Buffer heads attached: 0, or 4096 / block size.
    pub nr_bhs: u8,
    /// The first of them.
    pub first_bh: BhId,
    /// The bytes.
    pub content: ContentId,
}

/// The LRU lists of file pages. They are kept in a run whose memory has a limit only: nobody
/// looks at them in others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LruList {
    /// On neither.
    #[default]
    None,
    /// LRU_INACTIVE_FILE.
    Inactive,
    /// LRU_ACTIVE_FILE.
    Active,
}

/// Where a page stands on the LRU lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LruPlace {
    /// Which.
    pub list: LruList,
    /// Place in it: the least is the tail, which reclaim takes first.
    pub seq: u64,
}

/// What a reclaimed page leaves in its mapping (a shadow entry).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shadow {
    /// `nonresident_age` when it went.
    pub eviction: u64,
    /// PG_workingset.
    pub workingset: bool,
}

/// A buffer head: one block of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BufferHead {
    /// State bits.
    pub flags: BhFlags,
    /// The page it is a part of.
    pub page: PageId,
    /// Block on the device, valid if MAPPED.
    pub blocknr: u64,
    /// Offset of its bytes in the page.
    pub offset: u16,
    /// Length in bytes.
    pub size: u16,
    /// Transaction that holds it (`b_transaction`), 0 for none.
    pub tid: u32,
}

/// What never or rarely changes in an inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Inode number on disk.
    pub ino: u32,
    /// Type and permissions.
    pub mode: u16,
    /// Hard links.
    pub nlink: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// On-disk flags (EXTENTS 0x80000, ...).
    pub flags: u32,
    /// `i_generation`.
    pub generation: u32,
    /// `i_state`.
    pub state: InodeState,
    /// In-core state and S_ flags.
    pub bits: InodeBits,
    /// Open file descriptions and other users.
    pub count: u16,
    /// `i_writecount`.
    pub writers: u16,
    /// Writable shared mappings (`i_mmap_writable`).
    pub mmap_writable: u16,
    /// Bytes of `i_extra_isize`.
    pub extra_isize: u16,
}

/// Sizes of an inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InodeSize {
    /// `i_size`: what stat shows.
    pub i_size: u64,
    /// `i_disksize`: what the disk inode will say.
    pub i_disksize: u64,
    /// `i_blocks` in 512-byte units, without reservations.
    pub i_blocks: u64,
    /// `i_reserved_data_blocks`, in clusters.
    pub reserved: u32,
    /// Pages in the cache (`nrpages`).
    pub nrpages: u32,
}

/// Times of an inode, in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InodeTimes {
    /// Last access.
    pub atime: u64,
    /// Last change of the inode.
    pub ctime: u64,
    /// Last change of the content.
    pub mtime: u64,
    /// Creation.
    pub crtime: u64,
}

/// Journal and writeback words of an inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InodeSync {
    /// `i_sync_tid`.
    pub sync_tid: u32,
    /// `i_datasync_tid`.
    pub datasync_tid: u32,
    /// `dirtied_when`, jiffies.
    pub dirtied_when: u64,
    /// `dirtied_time_when`, jiffies.
    pub dirtied_time_when: u64,
    /// Place in that list, ascending from the one to be written first.
    pub list_seq: u64,
    /// `writeback_index`, pages.
    pub writeback_index: u32,
    /// The flusher's list that `i_io_list` is in.
    pub list: WbList,
}

/// Lists of a `bdi_writeback`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WbList {
    /// None of them.
    #[default]
    None,
    /// `b_dirty`: dirty inodes, by the time they became so.
    Dirty,
    /// `b_io`: those a work is about to write.
    Io,
    /// `b_more_io`: those it has to come back to.
    MoreIo,
    /// `b_dirty_time`: only time stamps changed.
    DirtyTime,
}

/// `i_block`: the extent root, the block map, or inline bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IData(pub [u8; 60]);

impl Default for IData {
    fn default() -> Self {
        IData([0; 60])
    }
}

/// Where a small file's bytes lie in its raw inode: `i_inline_off`, `i_inline_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InlineArea {
    /// Byte offset of the `system.data` entry in the raw inode.
    pub off: u16,
    /// Bytes that fit: 60 in `i_block`, the rest in the entry's value.
    pub size: u16,
}

/// Owner and mode of a sleeping lock: 0 free, else task + 1; readers apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RwLock {
    /// Exclusive owner, task + 1.
    pub writer: u32,
    /// Shared holders.
    pub readers: u32,
}

/// Locks of an inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InodeLocks {
    /// `i_rwsem`.
    pub i_rwsem: RwLock,
    /// `EXT4_I(inode)->i_data_sem`.
    pub i_data_sem: RwLock,
    /// `EXT4_I(inode)->i_mmap_sem`.
    pub i_mmap_sem: RwLock,
}

/// An open file description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct File {
    /// The inode; [`InodeId::NONE`] if the slot is free.
    pub inode: InodeId,
    /// `f_flags` in the kernel's numbers.
    pub f_flags: u32,
    /// `f_pos`.
    pub f_pos: u64,
    /// Descriptors that name it.
    pub refs: u16,
    /// Opened for reading.
    pub readable: bool,
    /// Opened for writing.
    pub writable: bool,
    /// `f_wb_err`: writeback errors seen.
    pub wb_err: u32,
}

/// What a task is doing, for the scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// No such task.
    #[default]
    Absent,
    /// Would run if a CPU were free.
    Runnable,
    /// Asleep until its wait is over.
    Sleeping,
    /// Returned, or killed.
    Dead,
}

/// What a sleeper waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitOn {
    /// Nothing.
    #[default]
    Nothing,
    /// The clock.
    Timer,
    /// A page's lock.
    PageLock(PageId),
    /// A page's writeback to end.
    PageWriteback(PageId),
    /// A buffer's I/O to end.
    Buffer(BhId),
    /// `i_rwsem` of an inode.
    InodeRwsem(InodeId),
    /// `i_data_sem` of an inode.
    DataSem(InodeId),
    /// `i_mmap_sem` of an inode.
    MmapSem(InodeId),
    /// Another task's progress.
    Task(TaskId),
    /// The journal: a commit to end or space.
    Journal(u32),
    /// A frozen file system to thaw.
    Thaw,
    /// The last writer, so that a file system can be frozen.
    Writers,
    /// A work queue of a kernel thread.
    Work(u32),
    /// The flusher's next work.
    Flusher,
    /// I_SYNC of an inode to go.
    InodeSync(InodeId),
    /// The works that a task has handed to the flusher (`wb_completion`).
    WbCompletion(TaskId),
    /// A pause in balance_dirty_pages().
    DirtyPause,
}

/// Scheduling data of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Task {
    /// State.
    pub state: TaskState,
    /// What it sleeps on.
    pub wait: WaitOn,
    /// Order among sleepers and runnable tasks.
    pub seq: u32,
    /// When a timed sleep ends, ns; 0 for none.
    pub wake_at: u64,
    /// Lower runs first; real-time tasks are 0.
    pub priority: u8,
    /// SIGKILL is pending.
    pub killed: bool,
    /// The sleep may be ended by a fatal signal (TASK_KILLABLE).
    pub killable: bool,
    /// Process (address space and descriptor table).
    pub process: u8,
    /// Other signals pending, bit = number.
    pub signals: u64,
}

/// A task's call stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Innermost frame, see `History::frames`.
    pub frame: u32,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TaskRun {
    /// System calls begun, from 1.
    pub syscall: u16,
    /// Rounds of generic_perform_write in this system call, from 1.
    pub iteration: u32,
    /// Tries of this round, from 1.
    pub retry: u16,
    /// Depth of sections that must not sleep.
    pub atomic: u16,
}

/// Per-task accounting (task_struct words that matter here).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TaskAcct {
    /// `nr_dirtied`: pages turned dirty since the last check.
    pub nr_dirtied: u32,
    /// `nr_dirtied_pause`: check when `nr_dirtied` reaches this.
    pub nr_dirtied_pause: u32,
    /// `dirty_paused_when`, jiffies.
    pub dirty_paused_when: u64,
    /// RLIMIT_FSIZE, bytes; `u64::MAX` for none.
    pub rlimit_fsize: u64,
    /// Effective user.
    pub euid: u32,
    /// Process id.
    pub pid: u32,
    /// `current->backing_dev_info` is set (inside a write).
    pub bdi_set: bool,
}

/// A name of at most 16 bytes, as `comm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Comm(pub [u8; 16]);

impl Comm {
    /// The name, cut to 16 bytes.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut comm = [0; 16];
        let len = name.len().min(16);
        comm[..len].copy_from_slice(&name.as_bytes()[..len]);
        Comm(comm)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(16);
        std::str::from_utf8(&self.0[..len]).unwrap_or("?")
    }
}

/// What stands behind a mapping of user memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VmaKind {
    /// Free slot.
    #[default]
    None,
    /// Private anonymous memory.
    Anon,
    /// Shared memory that outlives its page table entries; pages in `shmem`.
    Memfd,
    /// A private mapping of another file; pages in `shmem`.
    FilePrivate,
    /// A mapping of a file of this file system.
    File,
}

/// A mapping of user memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Vma {
    /// First address.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// What stands behind it.
    pub kind: VmaKind,
    /// Index of the workload's buffer (its name is the scenario's).
    pub buf: u16,
    /// Process.
    pub process: u8,
    /// PROT_READ.
    pub readable: bool,
    /// PROT_WRITE.
    pub writable: bool,
    /// MAP_SHARED.
    pub shared: bool,
    /// The file, for [`VmaKind::File`].
    pub inode: InodeId,
    /// Page of the file (or of the shmem object) at `start`.
    pub pgoff: u32,
}

/// A present page table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pte {
    /// A page of the process's own or of shared memory.
    Own {
        /// Its bytes.
        content: ContentId,
        /// Stores are allowed.
        writable: bool,
    },
    /// A page of this file system's page cache.
    Cache {
        /// The page.
        page: PageId,
        /// Stores are allowed.
        writable: bool,
        /// Used since reclaim last looked.
        young: bool,
    },
}

/// One segment of an iovec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Iovec {
    /// User address.
    pub base: u64,
    /// Bytes.
    pub len: u64,
}

/// An `iov_iter` of kind ITER_IOVEC; its segments are `iovecs[(iter, n)]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IovIter {
    /// Bytes left.
    pub count: u64,
    /// Bytes consumed of the current segment.
    pub iov_offset: u64,
    /// Index of the current segment.
    pub seg: u32,
    /// Segments left, the current one included.
    pub nr_segs: u32,
    /// Segments at the start of the call.
    pub total_segs: u32,
    /// ITER_KVEC: the segments are kernel memory, which is always there.
    pub kvec: bool,
    /// Bytes of the round in progress (the bracket), 0 outside.
    pub bytes: u32,
}

/// An open journal handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Nesting (`h_ref`); 0 for no handle.
    pub refs: u16,
    /// Type number of include/trace/events/ext4.h.
    pub kind: u8,
    /// The handle asked for synchronous commit.
    pub sync: bool,
    /// Transaction.
    pub tid: u32,
    /// Credits asked for.
    pub requested: u32,
    /// Credits left.
    pub credits: u32,
    /// Credits used: blocks first modified in the transaction by this handle, less
    /// those it made the journal forget, whoever had modified them.
    pub dirtied: i32,
    /// Revoke records it may still make (`h_revoke_credits`).
    pub revoke_credits: u32,
    /// `h_err`: what went wrong inside, a number, 0 for nothing.
    pub err: u16,
}

/// A block I/O request in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bio {
    /// Present.
    pub used: bool,
    /// A write, else a read.
    pub write: bool,
    /// First 512-byte sector.
    pub sector: u64,
    /// Bytes.
    pub len: u32,
    /// Who is told: what `completion` means is the kernel crate's business.
    pub completion: u8,
    /// Segments in `bio_vecs`.
    pub nr_vecs: u16,
    /// The inode, for data.
    pub inode: InodeId,
    /// rwbs letters A (readahead) 1, S (sync) 2, M (meta) 4.
    pub rwbs: u8,
    /// Failed, with this error number.
    pub error: u16,
}

/// Which requests a [`DeviceFault`] is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FaultOf {
    /// All.
    #[default]
    Any,
    /// Those for the data of a file.
    Data,
    /// Those for the device's own page cache.
    Metadata,
}

/// Requests that the device fails with `EIO`, as `fail_make_request` or a bad
/// sector does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceFault {
    /// Writes, else reads.
    pub write: bool,
    /// Which of them.
    pub of: FaultOf,
    /// They touch a sector from this one on,
    pub first: u64,
    /// to this one.
    pub last: u64,
    /// So many still go well.
    pub skip: u32,
    /// So many fail then; `u32::MAX` for all.
    pub times: u32,
}

/// One piece of a bio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BioVec {
    /// Page.
    pub page: PageId,
    /// First byte in the page.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
    /// The bytes as they were at submission, for a write in flight.
    pub content: Option<ContentId>,
}

/// A batch of data writes of one inode (`ext4_io_end_t`): its pages leave
/// writeback when all is on disk and the extents say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IoEnd {
    /// Present.
    pub used: bool,
    /// The inode.
    pub inode: InodeId,
    /// References: the submitter's and one for each bio in flight.
    pub count: u16,
    /// EXT4_IO_END_UNWRITTEN: extents are to be converted when the data is there.
    pub unwritten: bool,
    /// Credits reserved for that, 0 for none.
    pub rsv_credits: u32,
    /// Entries in `io_end_vecs`.
    pub nr_vecs: u16,
    /// Entries in `io_end_pieces`.
    pub nr_pieces: u16,
}

/// A byte range that an [`IoEnd`] converts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IoEndVec {
    /// First byte in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// A piece of a completed bio that waits in its [`IoEnd`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IoEndPiece {
    /// Page.
    pub page: PageId,
    /// First byte in the page.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
    /// Error number, 0 for none.
    pub error: u16,
}

/// Writeback words of a mapping (`struct address_space`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MappingWb {
    /// Pages with the WRITEBACK tag.
    pub writeback: u32,
    /// `wb_err`: how many errors were recorded.
    pub wb_err: u32,
    /// The latest of them, a number.
    pub errno: u16,
    /// It was reported to somebody (ERRSEQ_SEEN).
    pub seen: bool,
    /// AS_EIO or AS_ENOSPC, a number, 0 for none.
    pub as_error: u16,
}

/// Readahead of an open file (`struct file_ra_state`), in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RaState {
    /// Where the current window starts.
    pub start: u32,
    /// Its pages.
    pub size: u32,
    /// How many are left when the next window is read.
    pub async_size: u32,
    /// Last byte read, + 1.
    pub prev_pos: u64,
}

/// What happens by itself at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Event {
    /// Free.
    #[default]
    None,
    /// A request completes.
    BioEnd(BioId),
    /// A timed sleep is over.
    Wake(TaskId),
    /// The flusher's delayed work is due (`wb->dwork`).
    Flusher,
}

/// State of the device's `struct bdi_writeback`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WbState {
    /// The work is queued: the flusher runs as soon as it can.
    pub queued: bool,
    /// WB_writeback_running.
    pub running: bool,
    /// WB_has_dirty_io: b_dirty, b_io or b_more_io holds an inode.
    pub has_dirty_io: bool,
    /// WB_start_all: everything is to be written.
    pub start_all: bool,
    /// `start_all_reason`, the number of an `enum wb_reason`.
    pub start_all_reason: u8,
    /// `dirty_exceeded`: over both limits; every task checks after 8 pages.
    pub dirty_exceeded: bool,
    /// BDI_CAP_STRICTLIMIT.
    pub strictlimit: bool,
    /// When the delayed work is due, ns and order of its event; 0 for never.
    pub timer: (u64, u64),
    /// `last_old_flush`, jiffies.
    pub last_old_flush: u64,
    /// Works queued so far.
    pub works: u64,
}

/// Its measured rates, in pages per second and jiffies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WbRates {
    /// `bw_time_stamp`: of the last update.
    pub bw_time_stamp: u64,
    /// `dirtied_stamp`: WB_DIRTIED then.
    pub dirtied_stamp: u64,
    /// `written_stamp`: WB_WRITTEN then.
    pub written_stamp: u64,
    /// `write_bandwidth`.
    pub write_bandwidth: u64,
    /// `avg_write_bandwidth`: the same, smoothed once more.
    pub avg_write_bandwidth: u64,
    /// `dirty_ratelimit`: what one dirtier may do.
    pub dirty_ratelimit: u64,
    /// `balanced_dirty_ratelimit`: where that is heading.
    pub balanced_dirty_ratelimit: u64,
}

/// INIT_BW: 100 MiB/s in pages.
const INIT_BW: u64 = 100 << (20 - 12);

impl Default for WbRates {
    fn default() -> Self {
        WbRates {
            bw_time_stamp: 0,
            dirtied_stamp: 0,
            written_stamp: 0,
            write_bandwidth: INIT_BW,
            avg_write_bandwidth: INIT_BW,
            dirty_ratelimit: INIT_BW,
            balanced_dirty_ratelimit: INIT_BW,
        }
    }
}

/// A count that one CPU keeps in batches (`struct percpu_counter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PercpuCounter {
    /// What a cheap read sees.
    pub count: u64,
    /// What the CPU has not handed in.
    pub local: i32,
}

impl PercpuCounter {
    /// `percpu_counter_add_batch()`.
    pub fn add(&mut self, amount: i32, batch: i32) {
        self.local += amount;
        if self.local.abs() >= batch {
            self.count = self.count.saturating_add_signed(i64::from(self.local));
            self.local = 0;
        }
    }

    /// `percpu_counter_sum()`.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.count.saturating_add_signed(i64::from(self.local))
    }

    /// Takes the value `sum`, nothing of it in the batch.
    pub fn set(&mut self, sum: u64) {
        *self = PercpuCounter { count: sum, local: 0 };
    }
}

/// `global_wb_domain`, and the device's part in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WbDomain {
    /// `dirty_limit`, pages: follows the threshold up at once, down slowly.
    pub dirty_limit: u64,
    /// When it last did, jiffies.
    pub dirty_limit_tstamp: u64,
    /// `period_time`, jiffies: when the completions are next halved; 0 for never.
    pub period_time: u64,
    /// `completions.period`.
    pub period: u32,
    /// Period that `wb_completions` is of.
    pub wb_period: u32,
    /// `completions.events`: pages written by all devices.
    pub completions: PercpuCounter,
    /// `wb->completions`: those of this one.
    pub wb_completions: PercpuCounter,
}

/// `struct wb_writeback_work`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WbWork {
    /// Pages to write; counts down.
    pub nr_pages: i64,
    /// Of the mounted file system only (`sb`).
    pub sb: bool,
    /// WB_SYNC_ALL.
    pub sync_all: bool,
    /// Tag first what is dirty now.
    pub tagged_writepages: bool,
    /// Old data.
    pub for_kupdate: bool,
    /// Until the background threshold.
    pub for_background: bool,
    /// Of sync(2).
    pub for_sync: bool,
    /// Go on where the last such work stopped.
    pub range_cyclic: bool,
    /// Number of an `enum wb_reason`.
    pub reason: u8,
    /// Who waits for it (`done`).
    pub waiter: TaskId,
}

/// An entry of the extent status tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExtentStatus {
    /// Blocks.
    pub len: u32,
    /// First physical block.
    pub pblk: u64,
    /// Bits W 1, U 2, D 4, H 8, R 16.
    pub status: u8,
}

/// mballoc's words about a block group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupInfo {
    /// In-core bitmap and buddy are there.
    pub loaded: bool,
    /// Free clusters in the in-core bitmap.
    pub free: u32,
    /// Free runs.
    pub fragments: u32,
    /// First free cluster.
    pub first_free: u32,
}

/// A preallocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prealloc {
    /// Present.
    pub used: bool,
    /// A locality group's, else the inode's.
    pub group: bool,
    /// The inode, for an inode's.
    pub inode: InodeId,
    /// First physical block (moves with use, for a group's).
    pub pstart: u64,
    /// First logical block, for an inode's.
    pub lstart: u32,
    /// Blocks.
    pub len: u32,
    /// Blocks not yet used.
    pub free: u32,
}

/// A mounted file system's words (`ext4_sb_info`), fixed from mount to umount
/// but for the last lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SuperInfo {
    /// Mounted.
    pub mounted: bool,
    /// Read only.
    pub read_only: bool,
    /// SB_I_STABLE_WRITES: a page under writeback is left alone.
    pub stable_writes: bool,
    /// `s_umount` is held for an unmount.
    pub umount: bool,
    /// EXT4_FLAGS_SHUTDOWN.
    pub shutdown: bool,
    /// `s_writers.frozen`: 0, or how far a freeze has come.
    pub frozen: u8,
    /// The journal was aborted: nothing is committed any more.
    pub aborted: bool,
    /// EXT4_MF_FS_ABORTED: read only because of an error.
    pub fs_aborted: bool,
    /// `s_bdev_wb_err`: errors of writing metadata seen.
    pub bdev_wb_err: u32,
    /// log2 of the block size.
    pub block_bits: u8,
    /// log2 of blocks per cluster.
    pub cluster_bits: u8,
    /// log2 of groups per flex group.
    pub flex_bits: u8,
    /// Bytes per descriptor.
    pub desc_size: u16,
    /// Bytes per inode.
    pub inode_size: u16,
    /// Mount options, see the kernel crate's `MountOpts`.
    pub mount_opts: u32,
    /// Feature words: compat, incompat, ro_compat.
    pub features: [u32; 3],
    /// Groups.
    pub groups: u32,
    /// Seed of all metadata checksums.
    pub csum_seed: u32,
    /// First data block.
    pub first_data_block: u32,
    /// Clusters per group.
    pub clusters_per_group: u32,
    /// Inodes per group.
    pub inodes_per_group: u32,
    /// Blocks.
    pub blocks: u64,
    /// Blocks only root may use.
    pub reserved_blocks: u64,
    /// Clusters only metadata may use (`s_resv_clusters`).
    pub resv_clusters: u64,
    /// Next transaction.
    pub next_tid: u32,
    /// Running transaction, 0 for none.
    pub running_tid: u32,
}

/// Global counters, each a logged word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Counter {
    /// Nanoseconds since boot.
    Clock,
    /// NR_FILE_PAGES.
    FilePages,
    /// NR_FILE_DIRTY.
    FileDirty,
    /// NR_WRITEBACK.
    Writeback,
    /// NR_DIRTIED.
    Dirtied,
    /// NR_WRITTEN.
    Written,
    /// WB_RECLAIMABLE of the device's bdi.
    WbReclaimable,
    /// WB_WRITEBACK.
    WbWriteback,
    /// WB_DIRTIED.
    WbDirtied,
    /// WB_WRITTEN.
    WbWritten,
    /// This CPU's `bdp_ratelimits`.
    BdpRatelimits,
    /// `s_freeclusters_counter`.
    FreeClusters,
    /// `s_dirtyclusters_counter` (reserved by delayed allocation).
    DirtyClusters,
    /// What `s_dirtyclusters_counter` shows without the CPU's own delta.
    DirtyClustersApprox,
    /// What `s_freeclusters_counter` shows without the CPU's own delta.
    FreeClustersApprox,
    /// Free inodes.
    FreeInodes,
    /// Directories.
    Dirs,
    /// Pages of memory.
    MemoryPages,
    /// Free pages of memory.
    FreePages,
    /// Order of wake-ups and sleeps.
    SleepSeq,
    /// Order of events with the same time.
    EventSeq,
    /// Order of dirty inodes.
    DirtySeq,
    /// Order of buffers in a transaction.
    JournalSeq,
    /// Stream goal of mballoc: group and offset.
    StreamGoal,
    /// Boot time, ns since the epoch.
    BootTime,
    /// vm.dirty_background_ratio or bytes (top bit).
    DirtyBackground,
    /// vm.dirty_ratio or bytes (top bit).
    DirtyLimit,
    /// ratelimit_pages.
    RatelimitPages,
    /// Latency of a device request, ns; 0 completes inside submit.
    DeviceLatency,
    /// The device wants pages under writeback left alone, 1, or not, 0.
    StableWrites,
    /// Tasks inside sb_start_write().
    SbWriters,
    /// Tasks inside sb_start_pagefault().
    SbFaults,
    /// Tasks inside sb_start_intwrite().
    SbInternal,
    /// s_kbytes_written: sectors written since mount.
    SectorsWritten,
    /// Bytes written to the device.
    DeviceBytesWritten,
    /// Bytes read from the device.
    DeviceBytesRead,
    /// Next inode generation (a small generator's state).
    Random,
    /// Orphan list head.
    LastOrphan,
    /// Fast commits that were refused since the mount.
    FcIneligible,
    /// Order of completed I/O that waits for conversion.
    CompletedIoSeq,
    /// Page allocations of files that are yet to fail (fail_page_alloc).
    FailPageAlloc,
    /// Allocations of tree nodes that are yet to fail (failslab).
    FailSlab,
    /// Copies of a segment from user memory that are yet to fail (fail_usercopy).
    FailUsercopy,
    /// NR_FILE_DIRTY as read: without what the CPU has not handed in.
    FileDirtyApprox,
    /// NR_WRITEBACK as read.
    WritebackApprox,
    /// When the CPU last handed these in, ns.
    VmstatClock,
    /// WB_RECLAIMABLE as read.
    WbReclaimableApprox,
    /// WB_WRITEBACK as read.
    WbWritebackApprox,
    /// `dirty_throttle_leaks`: pages dirtied by tasks that have exited.
    DirtyThrottleLeaks,
    /// vm.dirty_expire_centisecs.
    DirtyExpire,
    /// vm.dirty_writeback_centisecs.
    DirtyWriteback,
    /// vm.laptop_mode.
    LaptopMode,
    /// Bytes that the device moves in a second, 0 for any number.
    DeviceBandwidth,
    /// Requests that it works on at once, 0 for any number.
    DeviceQueueDepth,
    /// When it will have moved the bytes of all requests, ns.
    DeviceBusyUntil,
    /// The device's memory can be reached directly (`dax_device`), 1, or not, 0.
    DaxDevice,
    /// Pages that file data and programs may take together, 0 for any number.
    PageLimit,
    /// Pages of programs (NR_ANON_MAPPED and NR_SHMEM), counted under a limit.
    UserPages,
    /// NR_INACTIVE_FILE, under a limit.
    InactiveFile,
    /// NR_ACTIVE_FILE, under a limit.
    ActiveFile,
    /// NR_ISOLATED_FILE: taken off the lists to be looked at.
    IsolatedFile,
    /// `nonresident_age`: evictions and activations.
    NonresidentAge,
    /// WORKINGSET_ACTIVATE_FILE: pages that came back soon after they had gone.
    WorkingsetActivate,
    /// The same as the last reclaim saw it (`refaults`).
    Refaults,
    /// Number of these.
    Count,
}
