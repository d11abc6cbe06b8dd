//! Locals of the innermost function, and all call stacks.

use std::collections::BTreeMap;
use std::rc::Rc;

use kernel::site::{self, Ty};
use world::{TaskId, WaitOn, World};

use crate::frame::{Local, StackRow, TaskRow, TaskState};
use crate::index::task_state;
use crate::moment::{Call, Moment, sleep_name, stack_of, task_name};
use crate::rows::dirty;
use crate::text::word;

/// Steps to look back for the line a frame stands at.
const LOOK_BACK: usize = 4096;

/// Locals of the function that the step ended in.
#[must_use]
pub fn locals(m: &Moment) -> Vec<Rc<Local>> {
    m.task().zip(m.stack.first()).map_or_else(Vec::new, |(task, call)| locals_of(m, task, *call))
}

/// Locals of one frame of a task's stack, counted from the innermost; and its function.
#[must_use]
pub fn locals_at(m: &Moment, task: TaskId, nth: usize) -> Option<(&'static str, Vec<Rc<Local>>)> {
    let call = stack_of(m.h, m.w.stacks.get(task)?.frame).get(nth).copied()?;
    Some((call.function.name, locals_of(m, task, call)))
}

fn locals_of(m: &Moment, task: TaskId, call: Call) -> Vec<Rc<Local>> {
    let entered = m.entered(task, call);
    let mut rows = Vec::new();
    for (n, local) in call.function.locals.iter().enumerate() {
        let slot = World::local_slot(task, call.depth, u32::try_from(n).unwrap_or(0));
        let value = m.w.local(task, call.depth, u32::try_from(n).unwrap_or(0));
        let was = m.old_word(slot);
        let text = value.map_or_else(|| "–".to_owned(), |value| m.text(local, value));
        let was = was
            .map(|old| m.text(local, old))
            .filter(|old| *old != text && !entered && m.was_set(task, call.depth, n as u32));
        let unit = match local.ty {
            Ty::Bytes => "bytes",
            Ty::Status => "status",
            Ty::Address => "address",
            Ty::Count => "number",
            Ty::Flags => "flags",
            Ty::Bool => "true or false",
        };
        let path = format!("{}.{}", call.function.name, local.name);
        let (name, unit) = (local.name.to_owned(), word(unit).to_owned());
        rows.push(Rc::new(Local { name, c: local.c.to_owned(), value: text, was, unit, path }));
    }
    rows
}

/// All tasks with their stacks.
#[must_use]
pub fn tasks(m: &Moment) -> Vec<Rc<TaskRow>> {
    let lines = lines(m);
    let mut rows = Vec::new();
    for (id, task) in m.w.tasks.iter() {
        if task.state == world::TaskState::Absent {
            continue;
        }
        let state = task_state(m.w, id, m.task());
        let on = match (task.state, task.wait) {
            (world::TaskState::Sleeping, WaitOn::DirtyPause) => {
                dirty::pause_words(m, id).map_or_else(String::new, |words| tr!("its pause, {}", words))
            }
            (world::TaskState::Sleeping, _) => sleep_name(m.w, id),
            _ => String::new(),
        };
        let frame = m.w.stacks.get(id).map_or(0, |stack| stack.frame);
        let stack = stack_of(m.h, frame).into_iter().filter(|call| call.function.id != site::USER.id).map(|call| {
            let line = lines.get(&(id, call.frame)).copied().unwrap_or(call.function.line);
            StackRow { function: call.function.name.to_owned(), file: call.function.file.to_owned(), line }
        });
        rows.push(Rc::new(TaskRow {
            id: id.0,
            name: task_name(m.w, id),
            state,
            on,
            doing: dirty::doing(m, id),
            current: m.task() == Some(id),
            stack: stack.collect(),
        }));
    }
    // Programs, then the kernel's threads; idle ones and those that are done last.
    let rests = |state| matches!(state, TaskState::Idle | TaskState::Done);
    rows.sort_by_key(|row| (row.state == TaskState::Done, m.w.tasks.at(TaskId(row.id)).process == 0, rests(row.state)));
    rows
}

/// The line of the latest probe in each frame.
fn lines(m: &Moment) -> BTreeMap<(TaskId, u32), u32> {
    let mut lines = BTreeMap::new();
    for header in m.h.steps[..m.step as usize].iter().rev().take(LOOK_BACK) {
        if let (Some(probe), Some(task)) = (site::probe(header.site), header.task()) {
            lines.entry((task, header.frame())).or_insert(probe.line);
        }
    }
    lines
}
