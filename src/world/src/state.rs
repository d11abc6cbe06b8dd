//! The World: every arena, declared once.

use crate::arena::{Arena, Log, Map, MapEntry, Rec, Slots};
use crate::content::{Block, ContentLog, Contents};
use crate::objects::*;
use crate::sorted::SortedMap;
use crate::trace::Tracer;
use crate::{ContentId, PAGE_SIZE};

/// Bytes of one unit of the device; `None` was never written and reads as zeros.
pub type Unit = Option<Block>;

/// Frames of one task's call stack that keep locals.
pub const DEPTH_MAX: u32 = 48;
/// Locals of a frame.
pub const LOCALS_MAX: u32 = 8;

macro_rules! world {
    (
        arenas { $( $(#[$adoc:meta])* $arena:ident / $arena_mut:ident : $T:ty [ $I:ty ]; )* }
        maps { $( $(#[$mdoc:meta])* $map:ident / $map_set:ident : $K:ty => $V:ty; )* }
    ) => {
        /// All state of the modelled machine.
        #[derive(Debug, Default)]
        pub struct World {
            /// Where changes are logged.
            pub rec: Rec,
            /// The task that runs.
            pub current: TaskId,
            /// A task that goes first has become runnable; not state.
            pub need_resched: bool,
            /// What a tracer would print; not state.
            pub trace: Tracer,
            /// Bytes of pages and user memory.
            pub contents: Contents,
            $( $(#[$adoc])* pub $arena: Arena<$T, $I>, )*
            $( $(#[$mdoc])* pub $map: Map<$K, $V>, )*
        }

        /// The logs of one chunk of steps.
        #[derive(Debug, Default)]
        pub struct Logs {
            contents: ContentLog,
            $( $arena: Log<$T>, )*
            $( $map: (Vec<MapEntry<$K, $V>>, usize), )*
        }

        /// The state at a chunk's end, without logs.
        #[derive(Clone, Debug)]
        pub struct Snapshot {
            contents: Slots<Block>,
            $( $arena: Slots<$T>, )*
            $( $map: SortedMap<$K, $V>, )*
        }

        /// What a step touched.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(non_camel_case_types)] // one variant per arena, by its name
        pub enum Change {
            /// Bytes of content: first, how many.
            contents(ContentId, u16, u16),
            $( $(#[$adoc])* $arena($I, $T), )*
            $( $(#[$mdoc])* $map($K, Option<$V>), )*
        }

        impl World {
            $(
                /// The object, to be changed (logged at first touch).
                #[inline]
                pub fn $arena_mut(&mut self, id: $I) -> &mut $T {
                    self.$arena.touch(self.rec, id)
                }
            )*
            $(
                /// Puts or removes a key (logged).
                #[inline]
                pub fn $map_set(&mut self, key: $K, value: Option<$V>) {
                    self.$map.set(self.rec, key, value);
                }
            )*

            /// A hash of all state, the same natively and in wasm.
            #[must_use]
            pub fn digest(&self) -> u64 {
                self.digests().iter().fold(0, |sum, (_, digest)| u64::wrapping_add(sum, *digest))
            }

            /// Its parts by arena, to tell where two states differ.
            #[must_use]
            pub fn digests(&self) -> Vec<(&'static str, u64)> {
                let mut parts = vec![("contents", self.contents.digest(0))];
                $( parts.push((stringify!($arena), self.$arena.digest(parts.len() as u64))); )*
                $( parts.push((stringify!($map), self.$map.digest(parts.len() as u64))); )*
                parts
            }

            /// A copy of all state.
            #[must_use]
            pub fn snapshot(&self) -> Snapshot {
                Snapshot {
                    contents: self.contents.snapshot(),
                    $( $arena: self.$arena.snapshot(), )*
                    $( $map: self.$map.snapshot(), )*
                }
            }

            /// A copy of all state, with which the next one shares what does not change until then.
            pub(crate) fn keep_snapshot(&mut self) -> Snapshot {
                let copy = self.snapshot();
                self.contents.keep_copy(&copy.contents);
                $( self.$arena.keep_copy(&copy.$arena); )*
                copy
            }

            /// Bytes that a snapshot would take now, beside page contents and what it would share.
            pub(crate) fn snapshot_bytes(&self) -> usize {
                self.contents.copy_bytes() $( + self.$arena.copy_bytes() )* $( + self.$map.copy_bytes() )*
            }

            /// Forgets every logged change: the state as it is becomes step 0, and changes are logged.
            pub fn restart_log(&mut self) {
                self.swap_logs(&mut Logs::default());
                self.rec = Rec { step: 0, on: true };
                self.contents.forget_stamps();
                $( self.$arena.forget_stamps(); )*
            }

            /// What differs from a snapshot, with its values.
            #[must_use]
            pub fn changes_from(&self, old: &Snapshot) -> Vec<Change> {
                let mut changes: Vec<Change> = self
                    .contents
                    .differing(&old.contents)
                    .map(|(id, off, len)| Change::contents(id, off, len))
                    .collect();
                $( changes.extend(self.$arena.differing(&old.$arena).map(|(id, old)| Change::$arena(id, old))); )*
                $( changes.extend(self.$map.differing(&old.$map).map(|(key, old)| Change::$map(key, old))); )*
                changes
            }

            pub(crate) fn restore(&mut self, from: &Snapshot) {
                self.contents.restore(&from.contents);
                $( self.$arena.restore(&from.$arena); )*
                $( self.$map.restore(&from.$map); )*
            }

            pub(crate) fn swap_logs(&mut self, logs: &mut Logs) {
                std::mem::swap(&mut self.contents.log, &mut logs.contents);
                $( std::mem::swap(&mut self.$arena.log, &mut logs.$arena); )*
                $( std::mem::swap(&mut self.$map.log, &mut logs.$map.0);
                   std::mem::swap(&mut self.$map.cursor, &mut logs.$map.1); )*
            }

            pub(crate) fn seek(&mut self, target: u32) {
                self.contents.seek(target);
                $( self.$arena.seek(target); )*
                $( self.$map.seek(target); )*
            }

            /// Everything that `step` changed, with the value before it, given
            /// that the state stands just behind that step.
            #[must_use]
            pub fn changes_of(&self, step: u32) -> Vec<Change> {
                let mut changes = Vec::new();
                for entry in self.contents.changed_in(step) {
                    let (off, len) = entry.range();
                    changes.push(Change::contents(entry.id, off, len));
                }
                $( changes.extend(self.$arena.changed_in(step).map(|(id, old)| Change::$arena(id, old.clone()))); )*
                $( changes.extend(self.$map.changed_in(step).map(|(key, old)| Change::$map(key, old))); )*
                changes
            }

            /// Entries and bytes of the current chunk's log by arena, to see what a step costs.
            #[must_use]
            pub fn log_sizes(&self) -> Vec<(&'static str, usize)> {
                let mut sizes = vec![("contents", self.contents.log.log_bytes().0)];
                $( sizes.push((stringify!($arena), self.$arena.log_bytes())); )*
                $( sizes.push((stringify!($map), self.$map.log_bytes())); )*
                sizes
            }

            /// Bytes of the current chunk's logs: entries, and kept content.
            #[must_use]
            pub fn log_bytes(&self) -> (usize, usize) {
                let (entries, content) = self.contents.log.log_bytes();
                let entries = entries $( + self.$arena.log_bytes() )* $( + self.$map.log_bytes() )*;
                (entries, content)
            }
        }
    };
}

impl Snapshot {
    /// The bytes of `id`; `None` if it had none yet.
    #[must_use]
    pub fn bytes(&self, id: ContentId) -> Option<&[u8; 4096]> {
        self.contents.get(id.0 as usize).map(|block| &**block)
    }
}

impl Default for Rec {
    fn default() -> Self {
        Rec { step: 0, on: true }
    }
}

world! {
    arenas {
        /// Pages of the page cache.
        pages / page_mut: Page [PageId];
        /// Their places on the LRU lists.
        lru_places / lru_place_mut: LruPlace [PageId];
        /// Buffer heads.
        bhs / bh_mut: BufferHead [BhId];
        /// In-core inodes.
        inodes / inode_mut: Inode [InodeId];
        /// Their sizes.
        sizes / size_mut: InodeSize [InodeId];
        /// Their times.
        times / times_mut: InodeTimes [InodeId];
        /// Their journal and writeback words.
        syncs / sync_mut: InodeSync [InodeId];
        /// Their `i_block`.
        idata / idata_mut: IData [InodeId];
        /// Their locks.
        locks / locks_mut: InodeLocks [InodeId];
        /// Open file descriptions.
        files / file_mut: File [FileId];
        /// Tasks.
        tasks / task_mut: Task [TaskId];
        /// Their call stacks.
        stacks / stack_mut: Stack [TaskId];
        /// Where they are.
        runs / run_mut: TaskRun [TaskId];
        /// Their accounting.
        accts / acct_mut: TaskAcct [TaskId];
        /// Their names.
        comms / comm_mut: Comm [TaskId];
        /// Locals of their frames, see [`World::local_slot`].
        locals / local_mut: u32 [WordId];
        /// Their upper halves.
        locals_high / local_high_mut: u32 [WordId];
        /// Mappings of user memory.
        vmas / vma_mut: Vma [VmaId];
        /// Iterators over user memory.
        iters / iter_mut: IovIter [IterId];
        /// Journal handles.
        handles / handle_mut: Handle [HandleId];
        /// Requests in flight.
        bios / bio_mut: Bio [BioId];
        /// Batches of data writes.
        io_ends / io_end_mut: IoEnd [IoEndId];
        /// Writeback words of inodes' mappings.
        wbs / wb_mut: MappingWb [InodeId];
        /// The device's flusher, slot 0.
        flushers / flusher_mut: WbState [WordId];
        /// Its rates, slot 0.
        wb_rates / wb_rates_mut: WbRates [WordId];
        /// The dirty domain, slot 0.
        wb_domains / wb_domain_mut: WbDomain [WordId];
        /// Readahead of open files.
        ras / ra_mut: RaState [FileId];
        /// Block groups.
        groups / group_mut: GroupInfo [GroupId];
        /// Words of the in-core block bitmaps, group after group.
        bitmap / bitmap_mut: u64 [WordId];
        /// Preallocations.
        pas / pa_mut: Prealloc [PaId];
        /// The mounted file system, slot 0.
        supers / super_slot_mut: SuperInfo [WordId];
        /// Global counters, by [`Counter`].
        counters / counter_slot_mut: u64 [WordId];
        /// The block device, in units of 4096 bytes.
        device / unit_mut: Unit [UnitId];
    }
    maps {
        /// The page cache: inode and index to page.
        cache / cache_set: (InodeId, u32) => PageId;
        /// The LRU lists of file pages: which, and place in it.
        lru / lru_set: (LruList, u64) => PageId;
        /// What reclaimed pages left in the cache.
        shadows / shadow_set: (InodeId, u32) => Shadow;
        /// Page table entries: process and page number.
        ptes / pte_set: (u8, u64) => Pte;
        /// Pages of memfd and other files: buffer and index.
        shmem / shmem_set: (u16, u32) => ContentId;
        /// Segments: iterator and number.
        iovecs / iovec_set: (IterId, u32) => Iovec;
        /// Descriptors: process and number.
        fds / fd_set: (u8, u32) => FileId;
        /// Extent status: inode and first logical block.
        es / es_set: (InodeId, u32) => ExtentStatus;
        /// What the device fails, in the order asked for.
        faults / fault_set: u32 => DeviceFault;
        /// Pieces of bios.
        bio_vecs / bio_vec_set: (BioId, u16) => BioVec;
        /// Byte ranges to convert: batch and number.
        io_end_vecs / io_end_vec_set: (IoEndId, u16) => IoEndVec;
        /// Completed pieces that wait in a batch: batch and number.
        io_end_pieces / io_end_piece_set: (IoEndId, u16) => IoEndPiece;
        /// The batch a page under writeback belongs to.
        page_io_end / page_io_end_set: PageId => IoEndId;
        /// Batches that wait for conversion (`i_rsv_conversion_list`), in order.
        completed_io / completed_io_set: u64 => IoEndId;
        /// What happens by itself: time in ns and order.
        events / event_set: (u64, u64) => Event;
        /// The flusher's lists: which, and place in it.
        io_lists / io_list_set: (WbList, u64) => InodeId;
        /// Works for the flusher (`wb->work_list`), in order.
        wb_works / wb_work_set: u64 => WbWork;
        /// Works that a task waits for, and how many are not done.
        wb_waits / wb_wait_set: TaskId => u32;
        /// Buffers of a transaction in the order first dirtied.
        journal / journal_set: (u32, u64) => BhId;
        /// What the log holds of buffers that the running transaction changes.
        logged / logged_set: BhId => ContentId;
        /// Inode numbers to in-core inodes.
        inode_hash / inode_hash_set: u32 => InodeId;
        /// Clusters freed in a transaction that is not yet committed.
        freed / freed_set: (u32, u64) => u32;
        /// Inodes with room for data in themselves.
        inline / inline_set: InodeId => InlineArea;
    }
}

impl World {
    /// Slot of local `n` of the frame at `depth` of `task`. Slot [`LOCALS_MAX`]
    /// says which of them are set, a bit each.
    #[must_use]
    #[inline]
    pub fn local_slot(task: TaskId, depth: u32, n: u32) -> WordId {
        WordId((task.0 * DEPTH_MAX + depth.min(DEPTH_MAX - 1)) * (LOCALS_MAX + 1) + n)
    }

    /// Task, depth and number of a slot of `locals`; the number is
    /// [`LOCALS_MAX`] for the word that says which are set.
    #[must_use]
    pub fn local_of_slot(slot: WordId) -> (TaskId, u32, u32) {
        let (frame, n) = (slot.0 / (LOCALS_MAX + 1), slot.0 % (LOCALS_MAX + 1));
        (TaskId(frame / DEPTH_MAX), frame % DEPTH_MAX, n)
    }

    /// A local, if the function has set it.
    #[must_use]
    pub fn local(&self, task: TaskId, depth: u32, n: u32) -> Option<u64> {
        let set = self.word(Self::local_slot(task, depth, LOCALS_MAX));
        (set & 1 << n != 0).then(|| self.word(Self::local_slot(task, depth, n)))
    }

    /// Both halves of a slot of `locals`.
    #[must_use]
    pub fn word(&self, slot: WordId) -> u64 {
        let half = |half: Option<&u32>| u64::from(half.copied().unwrap_or(0));
        half(self.locals_high.get(slot)) << 32 | half(self.locals.get(slot))
    }

    /// Begins a frame: its arguments are set, its other locals are not.
    #[inline]
    pub fn begin_locals(&mut self, task: TaskId, depth: u32, args: &[u64]) {
        let args = &args[..args.len().min(LOCALS_MAX as usize)];
        self.set_word(Self::local_slot(task, depth, LOCALS_MAX), (1 << args.len()) - 1);
        for (n, &value) in args.iter().enumerate() {
            self.set_word(Self::local_slot(task, depth, n as u32), value);
        }
    }

    /// Sets a local of the frame at `depth`.
    #[inline]
    pub fn set_local(&mut self, task: TaskId, depth: u32, n: u32, value: u64) {
        let mask = Self::local_slot(task, depth, LOCALS_MAX);
        let set = self.word(mask);
        self.set_word(mask, set | 1 << n);
        self.set_word(Self::local_slot(task, depth, n), value);
    }

    /// Each half is logged only if it differs.
    #[inline]
    fn set_word(&mut self, slot: WordId, value: u64) {
        let (low, high) = (value as u32, (value >> 32) as u32);
        if self.locals.get(slot).copied().unwrap_or(0) != low {
            *self.local_mut(slot) = low;
        }
        if self.locals_high.get(slot).copied().unwrap_or(0) != high {
            *self.local_high_mut(slot) = high;
        }
    }

    /// A counter.
    #[must_use]
    #[inline]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters.get(WordId(counter as u32)).copied().unwrap_or(0)
    }

    /// A counter, to be changed.
    #[inline]
    pub fn counter_mut(&mut self, counter: Counter) -> &mut u64 {
        self.counter_slot_mut(WordId(counter as u32))
    }

    /// Adds one to a counter and gives its new value.
    pub fn next(&mut self, counter: Counter) -> u64 {
        let slot = self.counter_mut(counter);
        *slot += 1;
        *slot
    }

    /// The file system's words.
    #[must_use]
    #[inline]
    pub fn sb(&self) -> SuperInfo {
        self.supers.get(WordId(0)).copied().unwrap_or_default()
    }

    /// The file system's words, to be changed.
    pub fn sb_mut(&mut self) -> &mut SuperInfo {
        self.super_slot_mut(WordId(0))
    }

    /// The page at `index` of an inode's cache.
    #[must_use]
    #[inline]
    pub fn find_page(&self, inode: InodeId, index: u32) -> Option<PageId> {
        self.cache.get((inode, index))
    }

    /// The bytes of a page.
    #[must_use]
    pub fn page_bytes(&self, page: PageId) -> &[u8; PAGE_SIZE as usize] {
        self.contents.get(self.pages.at(page).content)
    }

    /// The bytes of a buffer head.
    #[must_use]
    pub fn bh_bytes(&self, bh: BhId) -> &[u8] {
        let head = self.bhs.at(bh);
        let from = usize::from(head.offset);
        &self.page_bytes(head.page)[from..from + usize::from(head.size)]
    }

    /// Bytes of a buffer head, to be changed (the range is logged).
    pub fn bh_bytes_mut(&mut self, bh: BhId, off: usize, len: usize) -> &mut [u8] {
        let head = *self.bhs.at(bh);
        let content = self.pages.at(head.page).content;
        assert!(off + len <= usize::from(head.size), "a write stays inside its buffer");
        self.contents.range_mut(self.rec, content, usize::from(head.offset) + off, len)
    }

    /// Buffer heads of a page, in order.
    pub fn page_bhs(&self, page: PageId) -> impl Iterator<Item = BhId> + use<> {
        let page = self.pages.at(page);
        let first = page.first_bh.0;
        (0..u32::from(page.nr_bhs)).map(move |n| BhId(first + n))
    }
}
