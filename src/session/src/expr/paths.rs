//! What an expression can name: the objects of the World and their fields, one table a kind.

use kernel::site::{FnSite, SITES, Site};
use world::{
    BhFlags, BhId, BioId, Counter, ExtentStatus, FileId, GroupId, HandleId, Inode, InodeBits, InodeId, InodeState,
    IterId, PageFlags, PageId, TaskId, TaskState, WordId, World,
};

use super::Type;

/// A field: its name, its type, and how it is read of an object that is there.
pub(super) struct Field {
    pub name: &'static str,
    pub ty: Type,
    pub get: fn(&World, Id) -> Option<i64>,
}

/// Names an object: an index of its arena, or what else finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(pub u32, pub u32);

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Page,
    Bh,
    Inode,
    Extent,
    Task,
    File,
    Iter,
    Handle,
    Bio,
    Group,
    Super,
    Wb,
}

/// A kind's name, how many indices it takes at least and at most, and what they are.
pub(super) const KINDS: [(&str, Kind, usize, usize); 12] = [
    ("page", Kind::Page, 1, 1),
    ("bh", Kind::Bh, 2, 2),
    ("inode", Kind::Inode, 0, 1),
    ("extent", Kind::Extent, 1, 1),
    ("task", Kind::Task, 0, 1),
    ("file", Kind::File, 1, 1),
    ("iter", Kind::Iter, 0, 0),
    ("handle", Kind::Handle, 0, 0),
    ("bio", Kind::Bio, 1, 1),
    ("group", Kind::Group, 1, 1),
    ("sb", Kind::Super, 0, 0),
    ("wb", Kind::Wb, 0, 0),
];

/// As an integer of the language: what does not fit is the largest.
fn int(value: impl TryInto<i64>) -> Option<i64> {
    Some(value.try_into().unwrap_or(i64::MAX))
}

macro_rules! fields {
    ($( $name:ident ( $w:ident, $id:ident ) = $object:expr; $( $field:literal $ty:ident $value:expr; )* )*) => {$(
        static $name: &[Field] = &[$(
            Field { name: $field, ty: Type::$ty, get: |$w, $id| { let o = $object; ($value)(o).and_then(int) } }
        ),*];
    )*};
}

fields! {
    PAGE(w, id) = w.pages.get(PageId(id.0))?;
        "index" Int |o: &world::Page| Some(o.index);
        "refs" Int |o: &world::Page| Some(o.refs);
        "buffers" Int |o: &world::Page| Some(o.nr_bhs);
    BH(w, id) = w.bhs.get(BhId(id.0))?;
        "blocknr" Int |o: &world::BufferHead| o.flags.contains(BhFlags::MAPPED).then_some(o.blocknr);
        "size" Int |o: &world::BufferHead| Some(o.size);
        "offset" Int |o: &world::BufferHead| Some(o.offset);
        "tid" Int |o: &world::BufferHead| Some(o.tid);
    INODE(w, id) = (w, InodeId(id.0));
        "i_size" Int |(w, id): (&World, InodeId)| Some(w.sizes.get(id)?.i_size);
        "i_disksize" Int |(w, id): (&World, InodeId)| Some(w.sizes.get(id)?.i_disksize);
        "i_blocks" Int |(w, id): (&World, InodeId)| Some(w.sizes.get(id)?.i_blocks);
        "i_reserved_data_blocks" Int |(w, id): (&World, InodeId)| Some(w.sizes.get(id)?.reserved);
        "nrpages" Int |(w, id): (&World, InodeId)| Some(w.sizes.get(id)?.nrpages);
        "i_ino" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.ino);
        "i_mode" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.mode);
        "i_nlink" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.nlink);
        "i_uid" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.uid);
        "i_gid" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.gid);
        "i_flags" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.flags);
        "i_count" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.count);
        "i_writecount" Int |(w, id): (&World, InodeId)| Some(w.inodes.get(id)?.writers);
        "i_atime" Int |(w, id): (&World, InodeId)| Some(w.times.get(id)?.atime);
        "i_ctime" Int |(w, id): (&World, InodeId)| Some(w.times.get(id)?.ctime);
        "i_mtime" Int |(w, id): (&World, InodeId)| Some(w.times.get(id)?.mtime);
        "i_sync_tid" Int |(w, id): (&World, InodeId)| Some(w.syncs.get(id)?.sync_tid);
        "i_datasync_tid" Int |(w, id): (&World, InodeId)| Some(w.syncs.get(id)?.datasync_tid);
        "dirtied_when" Int |(w, id): (&World, InodeId)| Some(w.syncs.get(id)?.dirtied_when);
        "writeback_index" Int |(w, id): (&World, InodeId)| Some(w.syncs.get(id)?.writeback_index);
        "wb_err" Int |(w, id): (&World, InodeId)| Some(w.wbs.get(id)?.wb_err);
        "i_rwsem" Bool |(w, id): (&World, InodeId)| Some(w.locks.get(id)?.i_rwsem.writer != 0);
        "i_data_sem" Bool |(w, id): (&World, InodeId)| Some(w.locks.get(id)?.i_data_sem.writer != 0);
    EXTENT(w, id) = extent(w, id)?;
        "pblk" Int |(first, o, at): (u32, ExtentStatus, u32)| (o.status & 3 != 0).then(|| o.pblk + u64::from(at - first));
        "first" Int |(first, ..): (u32, ExtentStatus, u32)| Some(first);
        "len" Int |(_, o, _): (u32, ExtentStatus, u32)| Some(o.len);
        "written" Bool |(_, o, _): (u32, ExtentStatus, u32)| Some(o.status & 1 != 0);
        "unwritten" Bool |(_, o, _): (u32, ExtentStatus, u32)| Some(o.status & 2 != 0);
        "delayed" Bool |(_, o, _): (u32, ExtentStatus, u32)| Some(o.status & 4 != 0);
        "hole" Bool |(_, o, _): (u32, ExtentStatus, u32)| Some(o.status & 8 != 0);
    TASK(w, id) = (w, TaskId(id.0));
        "running" Bool |(w, id): (&World, TaskId)| Some(w.tasks.get(id)?.state == TaskState::Runnable);
        "sleeping" Bool |(w, id): (&World, TaskId)| Some(w.tasks.get(id)?.state == TaskState::Sleeping);
        "dead" Bool |(w, id): (&World, TaskId)| Some(w.tasks.get(id)?.state == TaskState::Dead);
        "killed" Bool |(w, id): (&World, TaskId)| Some(w.tasks.get(id)?.killed);
        "killable" Bool |(w, id): (&World, TaskId)| Some(w.tasks.get(id)?.killable);
        "signals" Int |(w, id): (&World, TaskId)| Some(w.tasks.get(id)?.signals);
        "priority" Int |(w, id): (&World, TaskId)| Some(w.tasks.get(id)?.priority);
        "syscall" Int |(w, id): (&World, TaskId)| Some(w.runs.get(id)?.syscall);
        "iteration" Int |(w, id): (&World, TaskId)| Some(w.runs.get(id)?.iteration);
        "retry" Int |(w, id): (&World, TaskId)| Some(w.runs.get(id)?.retry);
        "atomic" Int |(w, id): (&World, TaskId)| Some(w.runs.get(id)?.atomic);
        "nr_dirtied" Int |(w, id): (&World, TaskId)| Some(w.accts.get(id)?.nr_dirtied);
        "nr_dirtied_pause" Int |(w, id): (&World, TaskId)| Some(w.accts.get(id)?.nr_dirtied_pause);
        "dirty_paused_when" Int |(w, id): (&World, TaskId)| Some(w.accts.get(id)?.dirty_paused_when);
        "pid" Int |(w, id): (&World, TaskId)| Some(w.accts.get(id)?.pid);
    FILE(w, id) = w.files.get(FileId(id.0))?;
        "f_pos" Int |o: &world::File| Some(o.f_pos);
        "f_flags" Int |o: &world::File| Some(o.f_flags);
        "f_wb_err" Int |o: &world::File| Some(o.wb_err);
        "readable" Bool |o: &world::File| Some(o.readable);
        "writable" Bool |o: &world::File| Some(o.writable);
    ITER(w, id) = w.iters.get(IterId(id.0))?;
        "count" Int |o: &world::IovIter| Some(o.count);
        "iov_offset" Int |o: &world::IovIter| Some(o.iov_offset);
        "nr_segs" Int |o: &world::IovIter| Some(o.nr_segs);
        "seg" Int |o: &world::IovIter| Some(o.seg);
    HANDLE(w, id) = w.handles.get(HandleId(id.0))?;
        "h_ref" Int |o: &world::Handle| Some(o.refs);
        "h_type" Int |o: &world::Handle| Some(o.kind);
        "tid" Int |o: &world::Handle| Some(o.tid);
        "credits" Int |o: &world::Handle| Some(o.credits);
        "requested" Int |o: &world::Handle| Some(o.requested);
        "dirtied" Int |o: &world::Handle| Some(o.dirtied);
        "sync" Bool |o: &world::Handle| Some(o.sync);
    BIO(w, id) = w.bios.get(BioId(id.0))?;
        "write" Bool |o: &world::Bio| Some(o.write);
        "sector" Int |o: &world::Bio| Some(o.sector);
        "len" Int |o: &world::Bio| Some(o.len);
        "error" Int |o: &world::Bio| Some(o.error);
    GROUP(w, id) = w.groups.get(GroupId(id.0))?;
        "free" Int |o: &world::GroupInfo| Some(o.free);
        "fragments" Int |o: &world::GroupInfo| Some(o.fragments);
        "first_free" Int |o: &world::GroupInfo| Some(o.first_free);
        "loaded" Bool |o: &world::GroupInfo| Some(o.loaded);
    SUPER(w, _id) = w.sb();
        "mounted" Bool |o: world::SuperInfo| Some(o.mounted);
        "read_only" Bool |o: world::SuperInfo| Some(o.read_only);
        "aborted" Bool |o: world::SuperInfo| Some(o.aborted);
        "shutdown" Bool |o: world::SuperInfo| Some(o.shutdown);
        "frozen" Int |o: world::SuperInfo| Some(o.frozen);
        "running_tid" Int |o: world::SuperInfo| Some(o.running_tid);
        "next_tid" Int |o: world::SuperInfo| Some(o.next_tid);
        "blocks" Int |o: world::SuperInfo| Some(o.blocks);
        "s_resv_clusters" Int |o: world::SuperInfo| Some(o.resv_clusters);
    WB(w, _id) = (w.flushers.get(WordId(0))?, w.wb_rates.get(WordId(0))?);
        "queued" Bool |(o, _): (&world::WbState, &world::WbRates)| Some(o.queued);
        "has_dirty_io" Bool |(o, _): (&world::WbState, &world::WbRates)| Some(o.has_dirty_io);
        "dirty_exceeded" Bool |(o, _): (&world::WbState, &world::WbRates)| Some(o.dirty_exceeded);
        "works" Int |(o, _): (&world::WbState, &world::WbRates)| Some(o.works);
        "write_bandwidth" Int |(_, o): (&world::WbState, &world::WbRates)| Some(o.write_bandwidth);
        "dirty_ratelimit" Int |(_, o): (&world::WbState, &world::WbRates)| Some(o.dirty_ratelimit);
        "balanced_dirty_ratelimit" Int |(_, o): (&world::WbState, &world::WbRates)| Some(o.balanced_dirty_ratelimit);
}

/// The entry of the extent status tree that covers a block: where it begins, and the block.
fn extent(w: &World, id: Id) -> Option<(u32, ExtentStatus, u32)> {
    let (&(inode, first), &entry) = w.es.entries().at_or_before(&(InodeId(id.0), id.1))?;
    (inode == InodeId(id.0) && id.1 - first < entry.len).then_some((first, entry, id.1))
}

/// Flags by name; those that only say that a slot is taken are left out.
fn names<F: bitflags::Flags<Bits = u32>>() -> impl Iterator<Item = (&'static str, u32)> {
    F::FLAGS.iter().map(|flag| (flag.name(), flag.value().bits())).filter(|(_, bits)| *bits != 1 << 31)
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        KINDS.iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }

    pub(super) fn fields(self) -> &'static [Field] {
        match self {
            Kind::Page => PAGE,
            Kind::Bh => BH,
            Kind::Inode => INODE,
            Kind::Extent => EXTENT,
            Kind::Task => TASK,
            Kind::File => FILE,
            Kind::Iter => ITER,
            Kind::Handle => HANDLE,
            Kind::Bio => BIO,
            Kind::Group => GROUP,
            Kind::Super => SUPER,
            Kind::Wb => WB,
        }
    }

    /// Flags with their bits; an inode's own state is in the upper half.
    pub(super) fn flags(self) -> Vec<(String, u64)> {
        let mut flags: Vec<(&str, u64)> = match self {
            Kind::Page => names::<PageFlags>().map(|(name, bits)| (name, u64::from(bits))).collect(),
            Kind::Bh => names::<BhFlags>().map(|(name, bits)| (name, u64::from(bits))).collect(),
            Kind::Inode => names::<InodeState>().map(|(name, bits)| (name, u64::from(bits))).collect(),
            _ => Vec::new(),
        };
        if self == Kind::Inode {
            flags.extend(names::<InodeBits>().map(|(name, bits)| (name, u64::from(bits) << 32)));
        }
        flags.into_iter().map(|(name, bits)| (name.to_ascii_lowercase(), bits)).collect()
    }

    /// The flags of an object.
    pub(super) fn word(self, w: &World, id: Id) -> u64 {
        match self {
            Kind::Page => w.pages.get(PageId(id.0)).map_or(0, |page| page.flags.bits().into()),
            Kind::Bh => w.bhs.get(BhId(id.0)).map_or(0, |bh| bh.flags.bits().into()),
            Kind::Inode => w
                .inodes
                .get(InodeId(id.0))
                .map_or(0, |inode: &Inode| u64::from(inode.state.bits()) | u64::from(inode.bits.bits()) << 32),
            _ => 0,
        }
    }

    /// Whether there is such an object.
    pub(super) fn is_there(self, w: &World, id: Id) -> bool {
        let present = match self {
            Kind::Page | Kind::Bh => 1 << 31,
            Kind::Inode => 1 << 63,
            Kind::Task => return w.tasks.get(TaskId(id.0)).is_some_and(|task| task.state != TaskState::Absent),
            Kind::File => return w.files.get(FileId(id.0)).is_some_and(|file| file.inode.is_some()),
            Kind::Handle => return w.handles.get(HandleId(id.0)).is_some_and(|handle| handle.refs > 0),
            Kind::Bio => return w.bios.get(BioId(id.0)).is_some_and(|bio| bio.used),
            Kind::Group => return w.groups.get(GroupId(id.0)).is_some(),
            Kind::Iter => return w.iters.get(IterId(id.0)).is_some(),
            Kind::Extent => return extent(w, id).is_some(),
            Kind::Super | Kind::Wb => return true,
        };
        self.word(w, id) & present != 0
    }
}

/// Global counters by the kernel's names.
pub(super) const COUNTERS: [(&str, Counter); 24] = [
    ("NR_FILE_PAGES", Counter::FilePages),
    ("NR_FILE_DIRTY", Counter::FileDirty),
    ("NR_WRITEBACK", Counter::Writeback),
    ("NR_DIRTIED", Counter::Dirtied),
    ("NR_WRITTEN", Counter::Written),
    ("NR_FREE_PAGES", Counter::FreePages),
    ("WB_RECLAIMABLE", Counter::WbReclaimable),
    ("WB_WRITEBACK", Counter::WbWriteback),
    ("WB_DIRTIED", Counter::WbDirtied),
    ("WB_WRITTEN", Counter::WbWritten),
    ("bdp_ratelimits", Counter::BdpRatelimits),
    ("ratelimit_pages", Counter::RatelimitPages),
    ("dirty_throttle_leaks", Counter::DirtyThrottleLeaks),
    ("s_freeclusters_counter", Counter::FreeClusters),
    ("s_dirtyclusters_counter", Counter::DirtyClusters),
    ("s_freeinodes_counter", Counter::FreeInodes),
    ("s_dirs_counter", Counter::Dirs),
    ("s_last_orphan", Counter::LastOrphan),
    ("sectors_written", Counter::SectorsWritten),
    ("device_bytes_written", Counter::DeviceBytesWritten),
    ("device_bytes_read", Counter::DeviceBytesRead),
    ("sb_writers", Counter::SbWriters),
    ("clock", Counter::Clock),
    ("memory_pages", Counter::MemoryPages),
];

/// All functions of the table of sites.
pub(super) fn functions() -> impl Iterator<Item = &'static FnSite> {
    SITES.iter().filter_map(|site| match site {
        Site::Function(function) => Some(*function),
        Site::Probe(_) => None,
    })
}

/// Names of all probes, with their numbers.
pub(super) fn probes() -> impl Iterator<Item = (&'static str, u16)> {
    SITES.iter().filter_map(|site| match site {
        Site::Probe(probe) => Some((probe.name, probe.id)),
        Site::Function(_) => None,
    })
}
