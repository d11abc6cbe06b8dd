//! What a tracer of the real kernel would have seen: function calls with
//! arguments and return values, tracepoints, page faults.
//!
//! Records point into tables of the kernel crate, so that they are small; text
//! is made of them only where a person or a test reads it.

use std::collections::BTreeSet;

/// One thing a tracer would print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceEvent {
    /// A traced function was entered.
    Enter,
    /// A traced function returned; `args[0]` is the value.
    Exit,
    /// A tracepoint was hit.
    Point,
    /// A page fault on user memory: address and error code.
    Fault,
    /// An operation of the workload begins; `args[0]` is its index.
    OpBegin,
    /// It ended: index, return value, error number.
    OpEnd,
    /// Functions that have no row in the table of sites were called, see [`Tracer::graph`].
    Graph(&'static str),
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// The step during which it was written.
    pub step: u32,
    /// The task.
    pub task: u32,
    /// Kind.
    pub event: TraceEvent,
    /// Which function or tracepoint: an index of the kernel crate's tables.
    pub site: u16,
    /// Arguments, in the order of the table.
    pub args: [u64; 10],
}

/// Whether runs can be asked for a function graph; the page shows none, and nothing of it is compiled in there.
pub const GRAPHS: bool = cfg!(not(target_arch = "wasm32"));

/// Buffers that a CPU remembers, fs/buffer.c.
const BH_LRU_SIZE: usize = 16;

/// The list of records; empty unless switched on.
#[derive(Debug, Default)]
pub struct Tracer {
    /// Write records.
    pub on: bool,
    /// Calls of every function are written, not only of those that recorded traces follow.
    pub all_calls: bool,
    /// No notes, see [`Tracer::graph`], for a while: what happens has no counterpart in the kernel.
    pub quiet: bool,
    /// What was written.
    pub records: Vec<TraceRecord>,
    /// Device blocks looked up last, the latest first.
    recent: Vec<u64>,
    /// Blocks that the journal was asked for.
    journaled: BTreeSet<u64>,
}

impl Tracer {
    /// Writes a record, if switched on.
    pub fn write(&mut self, step: u32, task: u32, event: TraceEvent, site: u16, args: &[u64]) {
        if self.on {
            let mut all = [0; 10];
            all[..args.len()].copy_from_slice(args);
            self.records.push(TraceRecord { step, task, event, site, args: all });
        }
    }

    /// Notes calls of functions that have no frame: `f` was called and has returned; `f {` was called, and
    /// what follows up to a `}` happens inside. Several can stand in one text: `f { g h { k } }`.
    /// It costs nothing in the page, which shows no graph.
    #[inline(always)]
    pub fn graph(&mut self, step: u32, task: u32, text: &'static str) {
        if GRAPHS && self.on && self.all_calls && !self.quiet {
            self.write(step, task, TraceEvent::Graph(text), 0, &[]);
        }
    }

    /// Whether a device block is among those that the CPU looked up last (`bh_lrus`).
    #[must_use]
    pub fn is_recent(&self, block: u64) -> bool {
        GRAPHS && self.recent.contains(&block)
    }

    /// A look-up that found no buffer leaves nothing in that list.
    pub fn forget_buffer(&mut self, block: u64) {
        if GRAPHS {
            self.recent.retain(|known| *known != block);
        }
    }

    /// A device block was looked up; the list is kept only where a graph is wanted.
    pub fn touch_buffer(&mut self, block: u64) {
        if GRAPHS && self.all_calls && !self.quiet {
            self.recent.retain(|known| *known != block);
            self.recent.truncate(BH_LRU_SIZE - 1);
            self.recent.insert(0, block);
        }
    }

    /// Whether the journal has never been asked for this block before (`BH_RevokeValid` is clear).
    pub fn is_first_in_journal(&mut self, block: u64) -> bool {
        GRAPHS && self.all_calls && self.journaled.insert(block)
    }
}
