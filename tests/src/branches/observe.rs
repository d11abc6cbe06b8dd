//! A recorded run, step by step, with the calls that are open at each.

use std::cell::OnceCell;

use kernel::site::{self, FnSite, ProbeSite, function};
use kernel::tracepoint::Point;
use session::run::Run;
use world::{
    BhId, BufferHead, Change, InodeId, InodeSize, IovIter, IterId, Page, PageId, TaskId, TraceEvent, TraceRecord, World,
};

/// A call that is open, or has just returned.
#[derive(Debug)]
pub struct Call {
    function: u16,
    /// What it was called with.
    args: [u64; 10],
    /// The probes of its own that were hit, each once.
    hit: Vec<u16>,
    /// The last of them, and what the locals were then.
    last: Option<(u16, Vec<i64>)>,
    /// The functions that it called itself, each once.
    called: Vec<u16>,
}

/// A step, with what stands around it.
struct Step<'a> {
    number: u32,
    /// Who took the step before, if anybody did.
    before: Option<TaskId>,
    /// Functions and depths of the call stack, innermost first.
    stack: Vec<(u16, u32)>,
    records: &'a [TraceRecord],
    changes: OnceCell<Vec<Change>>,
}

/// What a predicate looks at: a probe just hit or a call just returned, and the World behind that step.
pub struct At<'a> {
    /// The World right behind the step.
    pub w: &'a World,
    /// What the call returned, negative for an error; 0 at a probe.
    pub ret: i64,
    task: TaskId,
    step: &'a Step<'a>,
    call: &'a Call,
    callers: &'a [Call],
}

impl<'a> At<'a> {
    /// A local of the probe's function, 0 if it is not set; signed, as errors are negative.
    #[must_use]
    pub fn local(&self, name: &str) -> i64 {
        self.local_of(function(self.call.function), name)
    }

    /// A local of the innermost open call of `callee`, 0 if there is none.
    #[must_use]
    pub fn local_of(&self, callee: &FnSite, name: &str) -> i64 {
        let depth = self.step.stack.iter().find(|(id, _)| *id == callee.id).map(|(_, depth)| *depth);
        let n = callee.locals.iter().position(|local| local.name == name);
        let n = n.unwrap_or_else(|| panic!("{} has no local {name}", callee.name));
        depth.and_then(|depth| self.w.local(self.task, depth, n as u32)).unwrap_or(0).cast_signed()
    }

    /// An argument of the call, as its trace shows them.
    #[must_use]
    pub fn arg(&self, n: usize) -> i64 {
        self.call.args[n].cast_signed()
    }

    /// True if the call's last probe before this one was `probe`; at a return, if its last one was.
    #[must_use]
    pub fn after(&self, probe: &ProbeSite) -> bool {
        self.call.last.as_ref().is_some_and(|(site, _)| *site == probe.id)
    }

    /// What a local was at the call's probe before this one.
    #[must_use]
    pub fn local_before(&self, name: &str) -> i64 {
        let n = function(self.call.function).local(name) as usize;
        self.call.last.as_ref().map_or(0, |(_, locals)| locals[n])
    }

    /// True if the call has hit `probe` before.
    #[must_use]
    pub fn has_hit(&self, probe: &ProbeSite) -> bool {
        self.call.hit.contains(&probe.id)
    }

    /// True if the call has called `callee` itself.
    #[must_use]
    pub fn has_called(&self, callee: &FnSite) -> bool {
        self.call.called.contains(&callee.id)
    }

    /// True if it is a call of `function`.
    #[must_use]
    pub fn is_call_of(&self, function: &FnSite) -> bool {
        self.call.function == function.id
    }

    /// The inode whose `i_rwsem` the task holds for writing.
    #[must_use]
    pub fn locked_inode(&self) -> Option<InodeId> {
        let owner = self.task.0 + 1;
        self.w.locks.iter().find(|(_, locks)| locks.i_rwsem.writer == owner).map(|(inode, _)| inode)
    }

    /// True if the call was made by `caller`.
    #[must_use]
    pub fn called_by(&self, caller: &FnSite) -> bool {
        self.callers.last().is_some_and(|call| call.function == caller.id)
    }

    /// True if `caller` is open further out.
    #[must_use]
    pub fn inside(&self, caller: &FnSite) -> bool {
        self.callers.iter().any(|call| call.function == caller.id)
    }

    /// True if `caller` is open further out and has hit `probe` of its own.
    #[must_use]
    pub fn inside_after(&self, caller: &FnSite, probe: &ProbeSite) -> bool {
        self.callers.iter().any(|call| call.function == caller.id && call.hit.contains(&probe.id))
    }

    /// Fields of the tracepoints that the step hit.
    pub fn points(&self, point: &Point) -> impl Iterator<Item = &'a [u64; 10]> {
        let id = point.id;
        self.step
            .records
            .iter()
            .filter(move |record| record.event == TraceEvent::Point && record.site == id)
            .map(|r| &r.args)
    }

    /// What the step changed, with the values before it.
    pub fn changes(&self) -> &[Change] {
        self.step.changes.get_or_init(|| self.w.changes_of(self.step.number))
    }

    /// A page before the step.
    #[must_use]
    pub fn page_before(&self, id: PageId) -> Page {
        let old = self.changes().iter().find_map(|change| match change {
            Change::pages(changed, old) if *changed == id => Some(*old),
            _ => None,
        });
        old.unwrap_or_else(|| self.page(id))
    }

    /// A page, an empty one if there is none of that number.
    #[must_use]
    pub fn page(&self, id: PageId) -> Page {
        self.w.pages.get(id).copied().unwrap_or_default()
    }

    /// A buffer before the step.
    #[must_use]
    pub fn bh_before(&self, id: BhId) -> BufferHead {
        let old = self.changes().iter().find_map(|change| match change {
            Change::bhs(changed, old) if *changed == id => Some(*old),
            _ => None,
        });
        old.unwrap_or_else(|| self.w.bhs.get(id).copied().unwrap_or_default())
    }

    /// Sizes of an inode before the step.
    #[must_use]
    pub fn sizes_before(&self, id: InodeId) -> InodeSize {
        let old = self.changes().iter().find_map(|change| match change {
            Change::sizes(changed, old) if *changed == id => Some(*old),
            _ => None,
        });
        old.unwrap_or_else(|| *self.w.sizes.at(id))
    }

    /// An iterator before the step.
    #[must_use]
    pub fn iter_before(&self, id: IterId) -> IovIter {
        let old = self.changes().iter().find_map(|change| match change {
            Change::iters(changed, old) if *changed == id => Some(*old),
            _ => None,
        });
        old.unwrap_or_else(|| *self.w.iters.at(id))
    }

    /// True if another task took the step before this one.
    #[must_use]
    pub fn has_waited_its_turn(&self) -> bool {
        self.step.before.is_some_and(|task| task != self.task)
    }

    /// The task that took the step.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.task
    }
}

/// What a row of the table waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// A probe.
    Probe(u16),
    /// A function's return.
    Return(u16),
}

/// Goes through the run and tells `see` of each probe and each return, in order.
pub fn walk(run: &Run, mut see: impl FnMut(Trigger, &At<'_>)) {
    let records = run.trace();
    let mut records = records.as_slice();
    let mut calls: Vec<(u32, Vec<Call>)> = Vec::new();
    for number in 0..run.len() {
        run.seek(number + 1);
        let here = records.iter().take_while(|record| record.step <= number).count();
        let (now, later) = records.split_at(here);
        records = later;
        run.machine().with_history(|w, history| {
            let header = history.steps[number as usize];
            let mut stack = Vec::new();
            let mut at = header.frame();
            while at != 0 {
                let node = history.frames[at as usize];
                stack.push((node.site, u32::from(node.depth)));
                at = node.parent;
            }
            let before = number.checked_sub(1).and_then(|last| history.steps[last as usize].task());
            let step = Step { number, before, stack, records: now, changes: OnceCell::new() };
            for record in now {
                let open = calls_of(&mut calls, record.task);
                match record.event {
                    TraceEvent::Enter => {
                        if let Some(caller) = open.last_mut() {
                            note(&mut caller.called, record.site);
                        }
                        open.push(Call {
                            function: record.site,
                            args: record.args,
                            hit: Vec::new(),
                            last: None,
                            called: Vec::new(),
                        });
                    }
                    TraceEvent::Exit => {
                        // The trace began inside of calls that end now.
                        let Some(call) = open.pop_if(|call| call.function == record.site) else { continue };
                        let ret = record.args[0].cast_signed();
                        let task = TaskId(record.task);
                        let at = At { w, ret, task, step: &step, call: &call, callers: open };
                        see(Trigger::Return(record.site), &at);
                    }
                    _ => {}
                }
            }
            let (Some(task), Some(probe)) = (header.task(), site::probe(header.site)) else { return };
            let open = calls_of(&mut calls, task.0);
            if let Some((call, callers)) = open.split_last_mut() {
                see(Trigger::Probe(probe.id), &At { w, ret: 0, task, step: &step, call, callers });
                note(&mut call.hit, probe.id);
                let own = function(call.function);
                let depth = step.stack.first().map_or(0, |(_, depth)| *depth);
                let locals = (0..own.locals.len()).map(|n| w.local(task, depth, n as u32).unwrap_or(0).cast_signed());
                call.last = Some((probe.id, locals.collect()));
            }
        });
    }
}

fn calls_of(calls: &mut Vec<(u32, Vec<Call>)>, task: u32) -> &mut Vec<Call> {
    let place = calls.iter().position(|(of, _)| *of == task).unwrap_or_else(|| {
        calls.push((task, Vec::new()));
        calls.len() - 1
    });
    &mut calls[place].1
}

fn note(list: &mut Vec<u16>, site: u16) {
    if !list.contains(&site) {
        list.push(site);
    }
}
