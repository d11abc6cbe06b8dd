//! Commit, the plain form. Mirrors fs/jbd2/commit.c, phase 6.
//!
//! **Nothing is written to the log.** A commit waits until no handle is open,
//! then every metadata buffer of the transaction turns from JBDDIRTY to DIRTY at
//! once, in the order of the real phase 6, and freed clusters may be used
//! again. The log, its recovery and crashes are a later chapter, see
//! docs/omissions.md#jbd2; so is the commit's own thread: whoever waits for the
//! commit does it.

use sched::{Kthread, wake_all};
use world::{BhFlags, BhId, Errno, TaskId, WaitOn, World};

use crate::fs::buffer::mark_buffer_dirty;
use crate::fs::ext4::mballoc;
use crate::fs::jbd2::journal::is_journal_aborted;
use crate::fs::jbd2::transaction::{drop_logged, journal_current_handle};
use crate::probe;
use crate::site;
use crate::trace::Graph as _;
use crate::trace::call;

/// `jbd2_journal_commit_transaction()`, fs/jbd2/commit.c:382, of the running
/// transaction; returns at once if there is none.
///
/// # Panics
/// If the task holds a handle itself: it would wait for itself.
pub async fn jbd2_journal_commit_transaction(kt: &Kthread) {
    let tid = kt.with(|w| {
        assert!(journal_current_handle(w, kt.task).is_none(), "nobody waits for a commit inside a handle");
        w.sb().running_tid
    });
    if tid == 0 {
        return;
    }
    call!(kt, &site::JBD2_JOURNAL_COMMIT_TRANSACTION, &[u64::from(tid)], async {
        probe!(kt, JCT_LOCK).await;
        while kt.with(|w| w.handles.iter().any(|(_, h)| h.refs > 0 && h.tid == tid)) {
            kt.sleep_on(WaitOn::Journal(tid)).await;
        }
        // Another task that waited too may have been first.
        if kt.with(|w| w.sb().running_tid == tid) {
            kt.with(|w| finish(w, tid));
            probe!(kt, JCT_REFILE).await;
        }
    })
    .await;
}

/// Phases 6 and 7: the buffers may be written in place, the freed clusters used.
fn finish(w: &mut World, tid: u32) {
    w.sb_mut().running_tid = 0;
    let listed: Vec<(u64, BhId)> =
        w.journal.entries().range((tid, 0)..=(tid, u64::MAX)).map(|(&(_, seq), &bh)| (seq, bh)).collect();
    // The journal's own thread does this in the kernel: neither its trace lines nor
    // the pages it dirties are the waiting task's. The lines come with that thread.
    let waiter = std::mem::replace(&mut w.current, TaskId::NONE);
    let traced = std::mem::replace(&mut w.trace.on, false);
    // Taken off the shadow list from its tail: the last one dirtied comes first.
    for (seq, bh) in listed.into_iter().rev() {
        w.journal_set((tid, seq), None);
        let head = w.bh_mut(bh);
        head.tid = 0;
        let dirty = head.flags.contains(BhFlags::JBDDIRTY);
        head.flags.remove(BhFlags::JBDDIRTY | BhFlags::JBD);
        if dirty {
            mark_buffer_dirty(w, bh);
        }
    }
    drop_logged(w, false);
    mballoc::mb_commit_callback(w, tid);
    (w.current, w.trace.on) = (waiter, traced);
    wake_all(w, WaitOn::Journal(tid));
}

/// After an abort: what the running transaction changed stays in memory only.
pub fn drop_running_transaction(w: &mut World) {
    let tid = std::mem::take(&mut w.sb_mut().running_tid);
    if tid == 0 {
        return;
    }
    let listed: Vec<(u64, BhId)> =
        w.journal.entries().range((tid, 0)..=(tid, u64::MAX)).map(|(&(_, seq), &bh)| (seq, bh)).collect();
    for (seq, bh) in listed {
        w.journal_set((tid, seq), None);
        let head = w.bh_mut(bh);
        head.tid = 0;
        head.flags.remove(BhFlags::JBDDIRTY | BhFlags::JBD);
    }
    drop_logged(w, true);
    // A commit of an aborted journal calls back as well: what was freed may be used again.
    mballoc::mb_commit_callback(w, tid);
    wake_all(w, WaitOn::Journal(tid));
}

/// `jbd2_log_wait_commit()`, fs/jbd2/journal.c:682: returns when `tid` is committed.
///
/// # Errors
/// `EIO` if the journal was aborted.
pub async fn jbd2_log_wait_commit(kt: &Kthread, tid: u32) -> Result<(), Errno> {
    if kt.with(|w| tid != 0 && w.sb().running_tid == tid) {
        kt.graph("jbd2_log_wait_commit {");
        jbd2_journal_commit_transaction(kt).await;
        kt.graph("}");
    }
    kt.with(|w| if is_journal_aborted(w) { Err(Errno::EIO) } else { Ok(()) })
}

/// `jbd2_complete_transaction()`, fs/jbd2/journal.c:829: starts the commit of
/// `tid` if it is the running one, and waits for it.
///
/// # Errors
/// `EIO` if the journal was aborted meanwhile.
pub async fn jbd2_complete_transaction(kt: &Kthread, tid: u32) -> Result<(), Errno> {
    if kt.with(|w| tid == 0 || w.sb().running_tid != tid) {
        return Ok(()); // neither running nor being committed
    }
    jbd2_log_wait_commit(kt, tid).await
}

/// `ext4_force_commit()`, fs/ext4/super.c: commits whatever runs.
///
/// # Errors
/// `EIO` if the journal was aborted meanwhile.
pub async fn ext4_force_commit(kt: &Kthread) -> Result<(), Errno> {
    let tid = kt.with(|w| w.sb().running_tid);
    if tid == 0 {
        return Ok(());
    }
    jbd2_log_wait_commit(kt, tid).await
}
