//! The machine's state as one value, and its history.
//!
//! ```text
//!   World ── arenas of plain objects (pages, buffer heads, inodes, ...)
//!     │        each: items[id]  stamp[id]  log[(step, id, old value)]
//!     └── History ── steps[k] (site, task, frame)
//!                    chunks of 2^16 steps: their logs, a snapshot at each end
//! ```
//!
//! State is plain arenas. The first time a step touches an object, the object's
//! old value goes to that arena's log; seeking swaps log and arena entries in
//! place, so one log serves undo and redo, and tells the view what a step
//! changed. No policy lives here: what the kernel would do is in `kernel`.
#![forbid(unsafe_code)]

mod arena;
mod content;
mod errno;
mod history;
mod objects;
mod sorted;
mod state;
mod trace;

pub use arena::{Arena, Id, Map, MapEntry, Rec, Slot, Slots};
pub use content::{Block, ContentEntry, ContentId, Contents, ZERO_BLOCK};
pub use errno::Errno;
pub use history::{Chunk, Frame, FrameId, History, StepHeader};
pub use objects::*;
pub use sorted::{Entries, SortedMap};
pub use state::{Change, DEPTH_MAX, LOCALS_MAX, Logs, Snapshot, Unit, World};
pub use trace::{GRAPHS, TraceEvent, TraceRecord, Tracer};

/// Bytes in a page of memory, and in a unit of the block device's store.
pub const PAGE_SIZE: u64 = 4096;
