//! The journal.

use kernel::site;
use world::{Change, Handle, HandleId, TaskId};

use crate::frame::{Journal, Transaction};
use crate::moment::{Moment, count, local, stack_of};
use crate::rows::device::Layout;
use crate::text::word;

/// Buffers named at most.
const NAMES: usize = 3;

/// The name of a handle's type.
#[must_use]
pub fn handle_kind(kind: u8) -> &'static str {
    match kind {
        0 => "misc",
        1 => "inode",
        2 => "write_page",
        3 => "map_blocks",
        4 => "dir",
        5 => "truncate",
        6 => "quota",
        7 => "resize",
        8 => "migrate",
        9 => "move_extents",
        10 => "xattr",
        11 => "ext_convert",
        _ => "handle",
    }
}

/// Transactions, and the handle of the step's task.
#[must_use]
pub fn journal(m: &Moment, layout: &Layout) -> Journal {
    let sb = m.w.sb();
    let mut tids: Vec<u32> = m.w.journal.entries().keys().map(|(tid, _)| *tid).collect();
    tids.dedup();
    if sb.running_tid != 0 && !tids.contains(&sb.running_tid) {
        tids.push(sb.running_tid);
    }
    tids.sort_unstable_by_key(|&tid| (tid != sb.running_tid, tid));
    let old_running = m.changes.iter().find_map(|change| match change {
        Change::supers(_, old) => Some(old.running_tid),
        _ => None,
    });
    let transactions = tids.into_iter().map(|tid| {
        let blocks: Vec<u64> =
            m.w.journal
                .entries()
                .range((tid, 0)..=(tid, u64::MAX))
                .filter_map(|(_, bh)| m.w.bhs.get(*bh).map(|head| head.blocknr))
                .collect();
        let mut names: Vec<String> = blocks.iter().take(NAMES).map(|block| layout.name(*block)).collect();
        if blocks.len() > NAMES {
            names.push(tr!("{} more", blocks.len() - NAMES));
        }
        let moved = m.changes.iter().any(|change| matches!(change, Change::journal((t, _), _) if *t == tid));
        let new = old_running.is_some_and(|old| (old == tid) != (sb.running_tid == tid));
        let commits = committing(m, tid);
        Transaction {
            tid,
            state: word(if tid == sb.running_tid && !commits { "running" } else { "committing" }).to_owned(),
            text: if names.is_empty() { tr!("empty") } else { names.join(", ") },
            changed: moved || new || (commits && m.is(&[site::JCT_LOCK])),
        }
    });
    let (handle, handle_changed) = handle(m);
    Journal { transactions: transactions.collect(), handle, handle_changed }
}

/// Whether a task commits this transaction: from T_LOCKED on it takes no more handles.
fn committing(m: &Moment, tid: u32) -> bool {
    m.w.stacks.iter().any(|(task, stack)| {
        let calls = stack_of(m.h, stack.frame);
        let commit = calls.into_iter().find(|call| call.function.id == site::JBD2_JOURNAL_COMMIT_TRANSACTION.id);
        commit.and_then(|call| local(m.w, task, call, "tid")) == Some(tid.into())
    })
}

/// A handle before the step, if the step touched it.
#[must_use]
pub fn old_handle(m: &Moment, task: TaskId) -> Option<Handle> {
    m.changes.iter().find_map(|change| match change {
        Change::handles(id, old) if *id == HandleId(task.0) => Some(*old),
        _ => None,
    })
}

fn handle(m: &Moment) -> (String, bool) {
    let info = m.index.info(m.step);
    let task = m.task().unwrap_or(TaskId(info.task));
    let now = m.w.handles.get(HandleId(task.0)).copied().unwrap_or_default();
    let old = old_handle(m, task);
    if now.refs > 0 {
        let nested = if now.refs > 1 { tr!(", nested {}", now.refs) } else { String::new() };
        let tx = if now.tid > 0 { format!(", tx {}", now.tid) } else { String::new() };
        let text =
            tr!("handle {} open{}, {}{}", handle_kind(now.kind), tx, count(u64::from(now.credits), "credit"), nested);
        return (text, old.is_some_and(|old| old != now));
    }
    match old.filter(|old| old.refs > 0) {
        Some(old) => {
            let dirtied = count(old.dirtied.max(0).unsigned_abs().into(), "block");
            (tr!("handle {} stopped, {} dirtied", handle_kind(old.kind), dirtied), true)
        }
        None => (String::new(), false),
    }
}
