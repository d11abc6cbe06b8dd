//! What a tracer of the real kernel would have seen: function calls with
//! arguments and return values, tracepoints, page faults.
//!
//! Records point into tables of the kernel crate, so that they are small; text
//! is made of them only where a person or a test reads it.

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

/// The list of records; empty unless switched on.
#[derive(Debug, Default)]
pub struct Tracer {
    /// Write records.
    pub on: bool,
    /// Calls of every function are written, not only of those that recorded traces follow.
    pub all_calls: bool,
    /// What was written.
    pub records: Vec<TraceRecord>,
}

impl Tracer {
    /// Writes a record, if switched on.
    #[inline]
    pub fn write(&mut self, step: u32, task: u32, event: TraceEvent, site: u16, args: &[u64]) {
        if self.on {
            let mut all = [0; 10];
            all[..args.len()].copy_from_slice(args);
            self.records.push(TraceRecord { step, task, event, site, args: all });
        }
    }
}
