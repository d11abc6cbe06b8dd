//! The programs of a scenario, as the screen speaks of them.

use session::scenario::{Op, Scenario, Segment};
use world::World;

use crate::moment::{buffer_offset, number};
use crate::text::is_korean;

/// What the viewer keeps of the scenario.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The scenario's name, as in links.
    pub name: String,
    /// One line about it.
    pub title: String,
    /// What to think about before one steps through it; may be empty.
    pub question: String,
    /// A paragraph about it; may be empty.
    pub text: String,
    /// Names of the buffers by number.
    pub buffers: Vec<String>,
    /// Operations of each task, and how many of them are set-up.
    tasks: Vec<(String, Vec<Op>, usize)>,
}

impl Program {
    /// Of a scenario.
    #[must_use]
    pub fn new(name: &str, scenario: &Scenario, buffers: Vec<String>) -> Self {
        let tasks = scenario
            .tasks
            .iter()
            .map(|task| (task.name.clone(), task.all_ops().map(|(op, _)| op.clone()).collect(), task.setup.len()));
        Program {
            name: name.to_owned(),
            title: scenario.title.of(is_korean()).to_owned(),
            question: scenario.question.of(is_korean()).to_owned(),
            text: scenario.text.of(is_korean()).to_owned(),
            buffers,
            tasks: tasks.collect(),
        }
    }

    /// Operation `number` of a task, counted from 1 as the World counts them.
    #[must_use]
    pub fn op(&self, task: u32, number: u16) -> Option<&Op> {
        self.tasks.get(task as usize)?.1.get(usize::from(number.checked_sub(1)?))
    }

    /// Operations of a task that are recorded, with their numbers from 1.
    pub fn ops(&self, task: u32) -> impl Iterator<Item = (u16, &Op)> {
        let task = self.tasks.get(task as usize);
        task.into_iter().flat_map(|(_, ops, setup)| {
            ops.iter().enumerate().skip(*setup).map(|(n, op)| (u16::try_from(n + 1).unwrap_or(u16::MAX), op))
        })
    }

    /// `pwritev #1`: the operation's name and which of that name it is.
    #[must_use]
    pub fn call_name(&self, task: u32, number: u16) -> String {
        let Some(op) = self.op(task, number) else {
            return if number == 0 { String::new() } else { "exit".to_owned() };
        };
        let nth = self.ops(task).filter(|(n, other)| *n <= number && other.name() == op.name()).count();
        format!("{} #{}", op.name(), nth.max(1))
    }

    /// An operation as one would write the call.
    #[must_use]
    pub fn call_text(&self, task: u32, number: u16) -> String {
        match self.op(task, number) {
            Some(op) => op_text(op),
            None if number == 0 => String::new(),
            None => "exit, sync, umount".to_owned(),
        }
    }

    /// The name of a buffer.
    #[must_use]
    pub fn buffer(&self, buf: u16) -> String {
        self.buffers.get(usize::from(buf)).cloned().unwrap_or_else(|| tr!("buffer {}", buf))
    }

    /// `b0+1000`, or the bare address where no buffer is.
    #[must_use]
    pub fn address(&self, w: &World, address: u64) -> String {
        match buffer_offset(w, address) {
            Some((buf, off)) if usize::from(buf) < self.buffers.len() => {
                format!("{}+{}", self.buffer(buf), number(off))
            }
            _ => format!("{address:#x}"),
        }
    }
}

/// An operation as one would write the call: `pwritev(f, [b0 1000, b1 3096], 4096)`.
#[must_use]
pub fn op_text(op: &Op) -> String {
    let one = |iov: &[Segment]| match iov.first() {
        Some(s) if s.off > 0 => format!("{}+{}, {}", s.buf, s.off, s.len),
        Some(s) => format!("{}, {}", s.buf, s.len),
        None => "NULL, 0".to_owned(),
    };
    let many = |iov: &[Segment]| {
        let mut pieces: Vec<String> = iov
            .iter()
            .take(4)
            .map(|s| if s.off > 0 { format!("{}+{} {}", s.buf, s.off, s.len) } else { format!("{} {}", s.buf, s.len) })
            .collect();
        if iov.len() > 4 {
            pieces.push(tr!("… {} more", iov.len() - 4));
        }
        format!("[{}]", pieces.join(", "))
    };
    match op {
        Op::Write { fd, iov } => format!("write({}, {})", fd, one(iov)),
        Op::Pwrite { fd, off, iov } => format!("pwrite({}, {}, {})", fd, one(iov), off),
        Op::Writev { fd, iov } => format!("writev({}, {})", fd, many(iov)),
        Op::Pwritev { fd, off, iov } => format!("pwritev({}, {}, {})", fd, many(iov), off),
        Op::Pwritev2 { fd, off, rwf, iov } => format!("pwritev2({}, {}, {}, {})", fd, many(iov), off, rwf),
        other => {
            let text = other.text();
            match text.split_once(' ') {
                Some((name, args)) => format!("{name}({})", args.replace(' ', ", ")),
                None => format!("{text}()"),
            }
        }
    }
}
