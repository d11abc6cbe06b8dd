//! jbd2, one module per file of fs/jbd2.
//!
//! ```text
//!   task ── Handle ──┐                    first dirtied order
//!   task ── Handle ──┴── running T (tid) ── buffer, buffer, ... ── commit
//! ```
//!
//! A buffer with [`world::BhFlags::JBD`] is known to the journal; one with a
//! `tid` is on that transaction's list of metadata. Until the commit it is
//! JBDDIRTY, never DIRTY, so ordinary writeback leaves it alone.

pub mod commit;
pub mod journal;
pub mod transaction;
