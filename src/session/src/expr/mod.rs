//! Expressions over the state after a step: watches, breakpoints, questions over all steps.
//!
//! ```text
//!   text ──parse──► Expr (typed) ──eval(At)──► value, or nothing where it names what is not there
//!                     └── Track: walks the steps once and keeps where the value changes
//! ```
//!
//! The language is described in docs/expressions.md. An expression reads the World and what ended the step, and changes
//! nothing. Deliberately absent: strings, loops, assignment, and anything that an expression could cost beyond its length.

mod complete;
mod parse;
mod paths;
mod track;

use std::fmt;

use kernel::iov_iter::iter_of;
use kernel::site::{self, FnSite, OP_BEGIN, SITES, Site, Ty};
use thiserror::Error;
use world::{BhId, Counter, History, InodeId, PageFlags, PageId, StepHeader, TaskId, World};

pub use complete::{Candidate, Completion, complete};
pub use track::{Point, Spans, Track};

use crate::scenario::{Reason, Scenario};
use paths::{Id, Kind};

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A signed integer of 64 bits; what is larger counts as the largest.
    Int,
    /// The name of a probe.
    Probe,
    /// The name of a function.
    Function,
    /// The name of a system call.
    Call,
}

impl Type {
    /// A value of it, in words.
    fn words(self) -> &'static str {
        match self {
            Type::Bool => "true or false",
            Type::Int => "an integer",
            Type::Probe => "a probe",
            Type::Function => "a function",
            Type::Call => "a system call",
        }
    }
}

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// The name of a probe, a function or a system call.
    Name(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(out, "{value}"),
            Value::Int(value) => write!(out, "{value}"),
            Value::Name(name) => out.write_str(name),
        }
    }
}

/// What is wrong with the text of an expression, and where. Its words can be said in another language.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at character {}: expected {expected}, found {found}", .at + 1)]
pub struct ExprError {
    /// Characters before it.
    pub at: usize,
    /// What could stand there.
    pub expected: Reason,
    /// What does.
    pub found: Reason,
}

/// System calls of a scenario's tasks, by their number.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    names: Vec<&'static str>,
    tasks: Vec<Vec<usize>>,
}

impl Calls {
    /// Of a scenario.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let mut calls = Calls::default();
        for task in &scenario.tasks {
            let numbers = task.all_ops().map(|(op, _)| {
                let known = calls.names.iter().position(|name| *name == op.name());
                known.unwrap_or_else(|| {
                    calls.names.push(op.name());
                    calls.names.len() - 1
                })
            });
            let numbers = numbers.collect();
            calls.tasks.push(numbers);
        }
        calls
    }

    fn at(&self, w: &World, task: TaskId) -> Option<usize> {
        let number = usize::from(w.runs.get(task)?.syscall).checked_sub(1)?;
        self.tasks.get(task.0 as usize)?.get(number).copied()
    }
}

/// Where an expression is looked at: the World stands behind `step` steps.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The state.
    pub w: &'a World,
    /// The steps.
    pub h: &'a History,
    /// Steps done.
    pub step: u32,
    /// The file that `inode`, `page` and `bh` speak of.
    pub focus: Option<InodeId>,
    /// The scenario's calls.
    pub calls: &'a Calls,
}

impl At<'_> {
    fn header(&self) -> Option<StepHeader> {
        self.h.steps.get(self.step.checked_sub(1)? as usize).copied()
    }

    fn task(&self) -> Option<TaskId> {
        self.header()?.task()
    }

    /// Functions on a stack and their depths, innermost first.
    fn stack(&self, frame: u32) -> impl Iterator<Item = (&'static FnSite, u32)> {
        let mut at = frame;
        std::iter::from_fn(move || {
            let node = self.h.frames.get(at as usize).filter(|_| at != 0)?;
            at = node.parent;
            Some((site::function(node.site), u32::from(node.depth)))
        })
    }

    /// The task's stack before the step.
    fn frame_before(&self) -> Option<u32> {
        let (header, task) = (self.header()?, self.task()?);
        let old = self.w.stacks.changed_in(self.step - 1).find(|(id, _)| *id == task);
        Some(old.map_or(header.frame(), |(_, stack)| stack.frame))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Bits,
}

/// Whose pages and fields.
#[derive(Clone, Debug)]
enum Who {
    Focus,
    Ino(Box<Node>),
    Device,
}

#[derive(Clone, Debug)]
struct Object {
    kind: Kind,
    who: Who,
    index: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Function(u16),
    Call(usize),
}

#[derive(Clone, Debug)]
enum Node {
    Const(i64),
    Not(Box<Node>),
    Neg(Box<Node>),
    Two(Op, Box<Node>, Box<Node>),
    In(Target),
    Enter(Target),
    Field(Object, fn(&World, Id) -> Option<i64>),
    Flag(Object, u64),
    There(Object),
    Byte(Object, Box<Node>),
    Counter(Counter),
    /// A local by name, of the innermost call that has set it, or of a function's innermost call.
    Local(Option<u16>, &'static str),
    TaskNamed(String),
    Step,
    Probe,
    Function,
    Call,
}

/// A text that was understood.
#[derive(Clone, Debug)]
pub struct Expr {
    text: String,
    root: Node,
    ty: Type,
    event: bool,
}

impl Expr {
    /// Reads a text.
    ///
    /// # Errors
    /// See [`ExprError`].
    pub fn parse(text: &str, calls: &Calls) -> Result<Self, ExprError> {
        let (root, ty, event) = parse::whole(text, calls)?;
        Ok(Expr { text: text.to_owned(), root, ty, event })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// It asks what ended the step, so each step at which it holds is one of its own.
    #[must_use]
    pub fn is_event(&self) -> bool {
        self.event
    }

    /// The value; `None` if it names what is not there, or cannot be computed.
    #[must_use]
    pub fn eval(&self, at: &At) -> Option<Value> {
        let value = eval(&self.root, at)?;
        Some(match self.ty {
            Type::Bool => Value::Bool(value != 0),
            Type::Int => Value::Int(value),
            Type::Call => Value::Name(at.calls.names.get(usize::try_from(value).ok()?)?),
            Type::Probe | Type::Function => Value::Name(match SITES.get(usize::try_from(value).ok()?)? {
                Site::Function(function) => function.name,
                Site::Probe(probe) => probe.name,
            }),
        })
    }
}

fn eval(node: &Node, at: &At) -> Option<i64> {
    Some(match node {
        Node::Const(value) => *value,
        Node::Not(one) => i64::from(eval(one, at)? == 0),
        Node::Neg(one) => eval(one, at)?.checked_neg()?,
        Node::Two(op, a, b) => return two(*op, a, b, at),
        Node::In(target) => i64::from(is_in(*target, at)?),
        Node::Enter(target) => i64::from(enters(*target, at)?),
        Node::Field(object, get) => get(at.w, object.there(at)?)?,
        Node::Flag(object, bit) => i64::from(object.kind.word(at.w, object.there(at)?) & bit != 0),
        Node::There(object) => i64::from(object.there(at).is_some()),
        Node::Byte(object, n) => {
            let (page, n) = (object.there(at)?, usize::try_from(eval(n, at)?).ok()?);
            i64::from(*at.w.page_bytes(PageId(page.0)).get(n)?)
        }
        Node::Counter(counter) => i64::try_from(at.w.counter(*counter)).unwrap_or(i64::MAX),
        Node::Local(function, name) => return local(*function, name, at),
        Node::TaskNamed(name) => {
            let named = at.w.comms.iter().find(|(_, comm)| comm.as_str() == name);
            i64::from(named?.0.0)
        }
        Node::Step => i64::from(at.step),
        Node::Probe => site::probe(at.header()?.site)?.id.into(),
        Node::Function => site::function(at.header()?.site).id.into(),
        Node::Call => i64::try_from(at.calls.at(at.w, at.task()?)?).ok()?,
    })
}

fn two(op: Op, a: &Node, b: &Node, at: &At) -> Option<i64> {
    // What is not there does not hold; only where both sides are needed is the whole not there.
    match op {
        Op::Or => return Some(i64::from([a, b].iter().any(|side| eval(side, at).is_some_and(|value| value != 0)))),
        Op::And => return Some(i64::from([a, b].iter().all(|side| eval(side, at).is_some_and(|value| value != 0)))),
        _ => {}
    }
    let (a, b) = (eval(a, at)?, eval(b, at)?);
    Some(match op {
        Op::Or | Op::And => return None,
        Op::Eq => i64::from(a == b),
        Op::Ne => i64::from(a != b),
        Op::Lt => i64::from(a < b),
        Op::Le => i64::from(a <= b),
        Op::Gt => i64::from(a > b),
        Op::Ge => i64::from(a >= b),
        Op::Add => a.checked_add(b)?,
        Op::Sub => a.checked_sub(b)?,
        Op::Mul => a.checked_mul(b)?,
        Op::Div => a.checked_div(b)?,
        Op::Rem => a.checked_rem(b)?,
        Op::Bits => a & b,
    })
}

fn is_in(target: Target, at: &At) -> Option<bool> {
    let header = at.header()?;
    Some(match target {
        Target::Function(id) => at.stack(header.frame()).any(|(function, _)| function.id == id),
        Target::Call(name) => at.calls.at(at.w, header.task()?) == Some(name),
    })
}

/// Whether the step is the first in a call: the task's stack has it more often than before.
fn enters(target: Target, at: &At) -> Option<bool> {
    let header = at.header()?;
    Some(match target {
        Target::Function(id) => {
            let count = |frame| at.stack(frame).filter(|(function, _)| function.id == id).count();
            count(header.frame()) > at.frame_before().map_or(0, count)
        }
        Target::Call(name) => header.site == OP_BEGIN.id && at.calls.at(at.w, header.task()?) == Some(name),
    })
}

fn local(function: Option<u16>, name: &str, at: &At) -> Option<i64> {
    let (header, task) = (at.header()?, at.task()?);
    let mut calls = at.stack(header.frame()).filter(|(call, _)| function.is_none_or(|id| id == call.id));
    let (word, ty) = calls.find_map(|(call, depth)| {
        let n = call.locals.iter().position(|local| local.name == name)?;
        Some((at.w.local(task, depth, u32::try_from(n).ok()?)?, call.locals[n].ty))
    })?;
    if name == "page" {
        // The local holds a number of our own; the reader knows pages by their index.
        let page = at.w.pages.get(PageId(u32::try_from(word).ok()?))?;
        return page.flags.contains(PageFlags::PRESENT).then_some(i64::from(page.index));
    }
    Some(if ty == Ty::Status { word.cast_signed() } else { i64::try_from(word).unwrap_or(i64::MAX) })
}

impl Object {
    fn there(&self, at: &At) -> Option<Id> {
        self.find(at).filter(|id| self.kind.is_there(at.w, *id))
    }

    fn inode(&self, at: &At) -> Option<InodeId> {
        match &self.who {
            Who::Focus => at.focus,
            Who::Ino(ino) => at.w.inode_hash.get(u32::try_from(eval(ino, at)?).ok()?),
            Who::Device => Some(InodeId::BDEV),
        }
    }

    fn find(&self, at: &At) -> Option<Id> {
        let mut index = [None; 2];
        for (slot, node) in index.iter_mut().zip(&self.index) {
            *slot = Some(u32::try_from(eval(node, at)?).ok()?);
        }
        let [first, second] = index;
        let id = match self.kind {
            Kind::Page => at.w.find_page(self.inode(at)?, first?)?.0,
            Kind::Bh => {
                let page = at.w.pages.get(at.w.find_page(self.inode(at)?, first?)?)?;
                let n = second.filter(|n| *n < u32::from(page.nr_bhs))?;
                BhId(page.first_bh.0 + n).0
            }
            Kind::Inode => self.inode(at)?.0,
            Kind::Extent => return Some(Id(self.inode(at)?.0, first?)),
            Kind::Task => first.or_else(|| Some(at.task()?.0))?,
            Kind::File => at.w.fds.get((at.w.tasks.get(at.task()?)?.process, first?))?.0,
            Kind::Iter => iter_of(at.task()?).0,
            Kind::Handle => at.task()?.0,
            Kind::Bio | Kind::Group => first?,
            Kind::Super | Kind::Wb => 0,
        };
        Some(Id(id, 0))
    }
}
