//! Handles and the running transaction. Mirrors fs/jbd2/transaction.c.
//!
//! A task has one handle, [`HandleId`] of its own number; starting again nests.
//!
//! Not modelled: credits set apart for a reserved handle, revoke records, frozen
//! copies (a plain commit never leaves a buffer half way), see
//! docs/omissions.md#jbd2.

use sched::{Kthread, wake_all};
use world::{BhFlags, BhId, ContentId, Counter, Errno, Handle, HandleId, TaskId, WaitOn, World};

use crate::block::ramdisk::replay_buffer;
use crate::fs::buffer::{graph_find_get_block, wait_on_buffer};
use crate::fs::ext4::ext4_jbd2::HandleType;
use crate::fs::ext4::super_::{has_journal, journal_blocks};
use crate::fs::jbd2::commit::{jbd2_journal_commit_transaction, jbd2_log_wait_commit};
use crate::fs::jbd2::journal::is_journal_aborted;
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{point, probe};

/// `ext4_trans_default_revoke_credits()`: revoke records every handle may make, in clusters.
const REVOKE_CREDITS: u32 = 8;

/// The handle slot of a task.
#[must_use]
pub fn handle_id(task: TaskId) -> HandleId {
    HandleId(task.0)
}

/// `journal_current_handle()`: the task's open handle.
#[must_use]
pub fn journal_current_handle(w: &World, task: TaskId) -> Option<Handle> {
    w.handles.get(handle_id(task)).copied().filter(|handle| handle.refs > 0)
}

/// `jbd2__journal_start()`, fs/jbd2/transaction.c:473: nests in the task's
/// handle, or joins the running transaction with a new one.
///
/// `credits` are metadata blocks the caller may dirty; one more is asked for
/// the revoke records. Without a journal the handle is a mere counter.
///
/// # Errors
/// `ENOSPC` for more credits than a transaction can have, `EROFS` after an abort.
pub async fn jbd2_journal_start(kt: &Kthread, kind: u8, credits: u32) -> Result<(), Errno> {
    let id = handle_id(kt.task);
    let counted = kt.with(|w| {
        let nested = journal_current_handle(w, kt.task).is_some();
        if nested {
            w.handle_mut(id).refs += 1;
        } else if !has_journal(w) {
            *w.handle_mut(id) = Handle { refs: 1, kind, ..Handle::default() };
        }
        nested || !has_journal(w)
    });
    if counted { Ok(()) } else { start_this_handle(kt, kind, credits + 1).await }
}

/// `start_this_handle()`, fs/jbd2/transaction.c:325.
async fn start_this_handle(kt: &Kthread, kind: u8, credits: u32) -> Result<(), Errno> {
    call!(kt, &site::START_THIS_HANDLE, &[u64::from(credits)], async {
        if kt.with(|w| is_journal_aborted(w)) {
            return Err(Errno::EROFS);
        }
        let max = kt.with(|w| transaction_buffers_max(w));
        if credits > max {
            return Err(Errno::ENOSPC);
        }
        while kt.with(|w| outstanding_credits(w) + credits > max) {
            probe!(kt, STH_FULL).await;
            jbd2_journal_commit_transaction(kt).await;
        }
        let tid = kt.with(|w| {
            let tid = running_tid(w);
            if kind != HandleType::ExtConvert as u8 {
                w.graph("add_transaction_credits");
            }
            let revoke_credits = REVOKE_CREDITS << w.sb().cluster_bits;
            *w.handle_mut(handle_id(kt.task)) =
                Handle { refs: 1, kind, tid, requested: credits, credits, revoke_credits, ..Handle::default() };
            point!(w, JBD2_HANDLE_START, tid, kind, credits);
            tid
        });
        probe!(kt, STH_JOIN, tid = tid).await;
        Ok(())
    })
    .await
}

/// The running transaction; a new one if there is none (`jbd2_get_transaction`).
fn running_tid(w: &mut World) -> u32 {
    let sb = w.sb();
    if sb.running_tid != 0 {
        return sb.running_tid;
    }
    w.graph("journal_tag_bytes");
    let sb_ref = w.sb_mut();
    sb_ref.running_tid = sb.next_tid;
    sb_ref.next_tid = sb.next_tid.wrapping_add(1).max(1);
    sb.next_tid
}

/// `j_max_transaction_buffers`: a quarter of the journal.
fn transaction_buffers_max(w: &World) -> u32 {
    journal_blocks(w) / 4
}

/// Blocks that the running transaction holds and that open handles may add.
fn outstanding_credits(w: &World) -> u32 {
    let tid = w.sb().running_tid;
    if tid == 0 {
        return 0;
    }
    let open: u32 = w.handles.iter().filter(|(_, h)| h.refs > 0 && h.tid == tid).map(|(_, h)| h.credits).sum();
    let mut held = w.journal.entries().range((tid, 0)..=(tid, u64::MAX));
    // Numbers are given one by one, so the ends tell how many there are at most.
    let first = held.next().map_or(0, |((_, seq), _)| *seq);
    let last = held.next_back().map_or(first, |((_, seq), _)| *seq);
    let blocks = if first == 0 { 0 } else { last - first + 1 };
    open.saturating_add(u32::try_from(blocks).unwrap_or(u32::MAX))
}

/// `jbd2_journal_stop()`, fs/jbd2/transaction.c:1804: leaves the nesting, or
/// closes the handle; a synchronous one waits for the commit.
///
/// # Errors
/// `EIO` after an abort.
///
/// # Panics
/// If the task has no handle.
pub async fn jbd2_journal_stop(kt: &Kthread) -> Result<(), Errno> {
    let id = handle_id(kt.task);
    let aborted = kt.with(|w| has_journal(w) && is_journal_aborted(w));
    let closed = kt.with(|w| {
        let handle = journal_current_handle(w, kt.task).expect("only an open handle is stopped");
        if handle.refs > 1 {
            w.handle_mut(id).refs -= 1;
            w.graph("jbd2_journal_stop");
            return None;
        }
        *w.handle_mut(id) = Handle::default();
        if handle.tid != 0 {
            point!(w, JBD2_HANDLE_STATS, handle.tid, handle.kind, handle.requested, handle.dirtied);
            wake_all(w, WaitOn::Journal(handle.tid));
        }
        (handle.tid != 0).then_some(handle)
    });
    let result = if aborted { Err(Errno::EIO) } else { Ok(()) };
    let Some(handle) = closed else { return result };
    call!(kt, &site::JBD2_JOURNAL_STOP, &[u64::from(handle.tid), u64::from(handle.dirtied.unsigned_abs())], async {
        kt.graph("stop_this_handle");
        probe!(kt, JS_STOP).await;
        if handle.sync {
            let waited = jbd2_log_wait_commit(kt, handle.tid).await;
            return result.and(waited);
        }
        result
    })
    .await
}

/// `jbd2_journal_get_write_access()`, fs/jbd2/transaction.c:1209: the journal
/// knows the buffer from now on. Waits while the buffer is on its way to the disk.
///
/// Not modelled: BJ_Reserved, so `tid` says nothing before the buffer is dirtied.
///
/// # Errors
/// `EROFS` after an abort.
pub async fn jbd2_journal_get_write_access(kt: &Kthread, bh: BhId) -> Result<(), Errno> {
    if kt.with(|w| is_journal_aborted(w)) {
        return Err(Errno::EROFS);
    }
    wait_on_buffer(kt, bh).await;
    kt.with(|w| {
        graph_write_access(w, kt.task, bh);
        keep_logged(w, bh);
        if !w.bhs.at(bh).flags.contains(BhFlags::JBD) {
            w.bh_mut(bh).flags.insert(BhFlags::JBD);
        }
    });
    Ok(())
}

/// A committed buffer that did not reach its place yet is about to change: the
/// log would have the bytes as they are now.
fn keep_logged(w: &mut World, bh: BhId) {
    let head = *w.bhs.at(bh);
    if head.tid != 0 || !head.flags.contains(BhFlags::DIRTY) || w.logged.get(bh).is_some() {
        return;
    }
    let rec = w.rec;
    let bytes = w.contents.share(w.pages.at(head.page).content);
    let copy = w.contents.alloc(rec);
    w.contents.replace(rec, copy, bytes);
    w.logged_set(bh, Some(copy));
}

/// The copies are of no use any more; with `put_back` they go to their places
/// first, as a replay of the log would put them there.
pub(super) fn drop_logged(w: &mut World, put_back: bool) {
    let copies: Vec<(BhId, ContentId)> = w.logged.entries().iter().map(|(&bh, &copy)| (bh, copy)).collect();
    for (bh, copy) in copies {
        if put_back {
            replay_buffer(w, bh, copy);
        }
        w.logged_set(bh, None);
        let rec = w.rec;
        w.contents.release(rec, copy);
    }
}

/// What the function calls: nothing more if the buffer is in this transaction.
fn graph_write_access(w: &mut World, task: TaskId, bh: BhId) {
    if !world::GRAPHS {
        return;
    }
    let head = *w.bhs.at(bh);
    w.graph("jbd2_journal_get_write_access {");
    if !head.flags.contains(BhFlags::DIRTY) {
        w.graph("jbd2_write_access_granted");
    }
    let here = journal_current_handle(w, task).is_some_and(|handle| handle.tid == head.tid);
    if !here && !head.flags.contains(BhFlags::JBD) {
        w.graph("jbd2_journal_add_journal_head do_get_write_access {");
        w.graph("__jbd2_journal_file_buffer { jbd2_journal_grab_journal_head } unlock_buffer");
        let first = w.trace.is_first_in_journal(head.blocknr);
        w.graph("jbd2_journal_cancel_revoke {");
        if first {
            w.graph("find_revoke_record");
            graph_find_get_block(w, head.blocknr);
        }
        w.graph("} }");
        w.graph("jbd2_journal_put_journal_head");
    }
    w.graph("}");
}

/// `jbd2_journal_dirty_metadata()`, fs/jbd2/transaction.c:1464: the task's
/// handle changed `bh`; the first time in the transaction costs a credit and
/// puts the buffer at the end of the transaction's list.
///
/// # Panics
/// If the task has no handle, or did not declare the change before.
pub fn jbd2_journal_dirty_metadata(w: &mut World, task: TaskId, bh: BhId) {
    let handle = journal_current_handle(w, task).expect("metadata changes inside a handle");
    let head = *w.bhs.at(bh);
    assert!(head.flags.contains(BhFlags::JBD), "J_ASSERT: get_write_access comes before dirty_metadata");
    if head.tid != handle.tid {
        w.graph("jbd2_journal_dirty_metadata { __jbd2_journal_file_buffer { __jbd2_journal_temp_unlink_buffer } }");
        let seq = w.next(Counter::JournalSeq);
        w.journal_set((handle.tid, seq), Some(bh));
        w.bh_mut(bh).tid = handle.tid;
        let handle = w.handle_mut(handle_id(task));
        handle.dirtied += 1;
        handle.credits = handle.credits.saturating_sub(1);
    } else {
        w.graph("jbd2_journal_dirty_metadata");
    }
    if head.flags.intersection(BhFlags::JBDDIRTY | BhFlags::DIRTY) != BhFlags::JBDDIRTY {
        let flags = &mut w.bh_mut(bh).flags;
        flags.remove(BhFlags::DIRTY);
        flags.insert(BhFlags::JBDDIRTY);
    }
}

/// `jbd2_journal_extend()`, fs/jbd2/transaction.c: more credits for the task's handle.
///
/// Not modelled: a transaction that cannot grow any more, see docs/omissions.md#allocator.
pub fn jbd2_journal_extend(w: &mut World, task: TaskId, blocks: u32, revoke_records: u32) {
    let id = handle_id(task);
    let handle = *w.handles.at(id);
    point!(w, JBD2_HANDLE_EXTEND, handle.tid, handle.kind, handle.credits, blocks);
    let extended = w.handle_mut(id);
    extended.credits += blocks;
    extended.requested += blocks;
    extended.revoke_credits += revoke_records;
}

/// `jbd2_journal_forget()` inside the task's handle: a credit comes back for a
/// buffer that the transaction had changed.
pub fn forget_in_handle(w: &mut World, task: TaskId, bh: BhId) {
    let tid = w.bhs.at(bh).tid;
    if journal_current_handle(w, task).is_some_and(|handle| tid != 0 && handle.tid == tid) {
        let handle = w.handle_mut(handle_id(task));
        handle.credits += 1;
        handle.dirtied -= 1;
    }
    jbd2_journal_forget(w, bh);
}

/// `jbd2_journal_forget()`, fs/jbd2/transaction.c:1636: the block was freed;
/// its bytes need not reach the disk any more.
///
/// Not modelled: the revoke record, without which a log replay could bring the
/// old bytes back.
pub fn jbd2_journal_forget(w: &mut World, bh: BhId) {
    let head = *w.bhs.at(bh);
    if head.tid != 0 {
        let range = (head.tid, 0)..=(head.tid, u64::MAX);
        let key = w.journal.entries().range(range).find(|(_, listed)| **listed == bh).map(|(key, _)| *key);
        if let Some(key) = key {
            w.journal_set(key, None);
        }
    }
    let head = w.bh_mut(bh);
    head.tid = 0;
    head.flags.remove(BhFlags::JBD | BhFlags::JBDDIRTY | BhFlags::DIRTY);
}
