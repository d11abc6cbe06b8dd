//! Dirty inodes and their way out. Mirrors fs/fs-writeback.c.
//!
//! ```text
//!   __mark_inode_dirty ─> b_dirty ── queue_io ─> b_io ── writeback_sb_inodes ─> clean
//!        (only times: b_dirty_time)     ^         │ I_SYNC, or its share used up
//!                                       └─ b_more_io
//!   sync, writeback_inodes_sb ─> work_list ─┐
//!   balance_dirty_pages, 5 s timer ─────────┴─> wb_workfn (the flusher's task)
//! ```
//!
//! | module | what |
//! |---|---|
//! | `dirty` | `__mark_inode_dirty()` |
//! | `lists` | the lists and who moves between them |
//! | `single` | one inode: pages, then its bits |
//! | `work` | the flusher |
//! | `sync` | who hands works to it and waits |

mod dirty;
mod lists;
mod single;
mod sync;
mod work;

pub use dirty::{I_DIRTY, I_DIRTY_INODE, mark_inode_dirty, mark_inode_dirty_state};
pub use lists::inode_io_list_del;
pub use single::inode_wait_for_writeback;
pub use sync::{sync_inodes_sb, try_to_writeback_inodes_sb, wakeup_flusher_threads, writeback_inodes_sb};
pub use work::{bdi_wq_worker, get_nr_dirty_pages, wb_start_background_writeback};

/// `enum wb_reason`: who asked for a writeback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// WB_REASON_BACKGROUND.
    Background = 0,
    /// WB_REASON_VMSCAN.
    Vmscan = 1,
    /// WB_REASON_SYNC.
    Sync = 2,
    /// WB_REASON_PERIODIC.
    Periodic = 3,
    /// WB_REASON_FS_FREE_SPACE.
    FsFreeSpace = 5,
}
