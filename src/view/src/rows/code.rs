//! The outline: the probes of the function that runs, and the source place.

use std::collections::BTreeMap;
use std::rc::Rc;

use kernel::site::{self, FnSite, ProbeSite, SITES, Site};

use crate::frame::{Code, CodeLine, KernelAt, LineState, Phase, SourceAt};
use crate::moment::{Moment, number, phase, phase_of, stack_of, status};
use crate::program::op_text;

/// Steps to look back for what of a call has run.
const LOOK_BACK: u32 = 4096;
/// Lines of an unfolded phase.
const SUB_LINES: usize = 8;

/// Where in the engine's own source the step ended.
#[must_use]
pub fn source(m: &Moment) -> Option<Rc<SourceAt>> {
    let (file, line) = m.h.places.get(usize::from(m.header?.place))?;
    Some(Rc::new(SourceAt { file: (*file).to_owned(), line: *line }))
}

/// Where in the kernel's source the step is; `None` for steps of no kernel function.
#[must_use]
pub fn kernel(m: &Moment) -> Option<KernelAt> {
    let probe = m.probe().filter(|probe| probe.line > 0)?;
    Some(KernelAt { function: probe.function.name.into(), file: probe.function.file.into(), line: probe.line })
}

/// The outline of the innermost function; of the write loop while it runs.
#[must_use]
pub fn code(m: &Moment) -> Code {
    if m.call(&site::GENERIC_PERFORM_WRITE).is_some() {
        return write_loop(m);
    }
    match m.stack.first() {
        Some(call) if call.function.id != site::USER.id => function(m, call.function, call.frame),
        _ => program(m),
    }
}

/// The probes of a function, in the table's order.
pub fn probes_of(function: &FnSite) -> impl Iterator<Item = &'static ProbeSite> {
    let id = function.id;
    SITES.iter().filter_map(move |row| match row {
        Site::Probe(probe) if probe.function.id == id => Some(*probe),
        _ => None,
    })
}

fn head(function: &FnSite) -> Code {
    let at = if function.line == 0 { String::new() } else { format!("{}:{}", function.file, function.line) };
    Code { function: function.name.to_owned(), at, ..Code::default() }
}

/// What has run of one call of a function: site to step, newest kept.
fn ran(m: &Moment, frame: u32) -> BTreeMap<u16, u32> {
    let mut ran = BTreeMap::new();
    let Some(now) = m.header else { return ran };
    let depth = m.h.frames[frame as usize].depth;
    for step in (m.step.saturating_sub(LOOK_BACK).max(1)..=m.step).rev() {
        let header = m.h.steps[step as usize - 1];
        if header.task() != now.task() {
            continue;
        }
        if header.frame() == frame {
            ran.entry(header.site).or_insert(step);
        } else if m.h.frames[header.frame() as usize].depth <= depth {
            break; // outside this call
        }
    }
    ran
}

fn function(m: &Moment, function: &'static FnSite, frame: u32) -> Code {
    let ran = ran(m, frame);
    let now = m.header.map(|header| header.site);
    let lines = probes_of(function).map(|probe| {
        let state = match ran.get(&probe.id) {
            _ if now == Some(probe.id) => LineState::Now,
            Some(_) => LineState::Done,
            None => LineState::Ahead,
        };
        let value = ran.get(&probe.id).map_or_else(String::new, |&step| value(m, probe, step));
        Rc::new(line(probe, value, state, phase_of(&m.stack, Some(probe)), false))
    });
    Code { lines: lines.collect(), ..head(function) }
}

fn line(probe: &ProbeSite, value: String, state: LineState, phase: Phase, sub: bool) -> CodeLine {
    CodeLine {
        text: probe.code.to_owned(),
        value,
        file: if probe.line == 0 { String::new() } else { probe.function.file.to_owned() },
        line: probe.line,
        phase,
        state,
        sub,
        probe: probe.name.to_owned(),
    }
}

/// What a statement gave, as it was recorded when it ran.
fn value(m: &Moment, probe: &ProbeSite, step: u32) -> String {
    m.index.info(step).value.map_or_else(String::new, |(n, value)| {
        probe.function.locals.get(usize::from(n)).map_or_else(String::new, |local| m.text(local, value))
    })
}

/// The write loop with all its lines, the current phase unfolded.
fn write_loop(m: &Moment) -> Code {
    let function = &site::GENERIC_PERFORM_WRITE;
    let Some(call) = m.call(function) else { return head(function) };
    let (ran, inner) = this_try(m, call.frame);
    // The line of the loop that is under way: the latest of its own probes.
    let current = ran.iter().max_by_key(|(_, step)| **step).map(|(site, _)| *site);
    let mut lines = Vec::new();
    for probe in probes_of(function) {
        let state = match ran.get(&probe.id) {
            Some(_) if current == Some(probe.id) => LineState::Now,
            Some(_) => LineState::Done,
            None => LineState::Ahead,
        };
        let own = phase(probe.phase);
        lines.push(Rc::new(line(probe, loop_value(m, probe, &ran), state, own, false)));
        if state == LineState::Now {
            for (probe, step) in &inner {
                let state = if *step == m.step { LineState::Now } else { LineState::Done };
                lines.push(Rc::new(line(probe, value(m, probe, *step), state, own, true)));
            }
        }
    }
    Code { lines, ..head(function) }
}

type Inner = Vec<(&'static ProbeSite, u32)>;

/// What of the write loop ran in this try, and what ran inside the line under way.
fn this_try(m: &Moment, frame: u32) -> (BTreeMap<u16, u32>, Inner) {
    let mut ran = BTreeMap::new();
    let mut inner: Inner = Vec::new();
    let Some(now) = m.header else { return (ran, inner) };
    let depth = m.h.frames[frame as usize].depth;
    let mut retried = false;
    for step in (m.step.saturating_sub(LOOK_BACK).max(1)..=m.step).rev() {
        let header = m.h.steps[step as usize - 1];
        if header.task() != now.task() {
            continue;
        }
        let Some(probe) = site::probe(header.site) else { continue };
        if header.frame() != frame {
            if m.h.frames[header.frame() as usize].depth <= depth {
                break;
            }
            let known = inner.iter().any(|(seen, _)| seen.id == probe.id);
            if ran.is_empty() && !known && inner.len() < SUB_LINES {
                inner.push((probe, step));
            }
            continue;
        }
        // After a retry the lines before `again:` still count as run.
        if !retried || probe.id == site::GPW_SPLIT.id {
            ran.entry(probe.id).or_insert(step);
        }
        retried |= probe.id == site::GPW_AGAIN.id && step != m.step;
        if probe.id == site::GPW_SPLIT.id {
            break;
        }
    }
    if retried {
        // AGAIN belongs to the try before, unless it is the step itself.
        ran.remove(&site::GPW_AGAIN.id);
    }
    inner.reverse();
    (ran, inner)
}

/// Values of the loop's lines: those of phases are known once the phase is over.
fn loop_value(m: &Moment, probe: &ProbeSite, ran: &BTreeMap<u16, u32>) -> String {
    let has = |probe: &ProbeSite| ran.contains_key(&probe.id);
    let looped = |name: &str| m.looped(name).unwrap_or(0);
    let recorded = |name: &str| number(looped(name));
    if !has(probe) {
        return String::new();
    }
    let id = probe.id;
    if id == site::GPW_SPLIT.id {
        recorded("bytes")
    } else if id == site::GPW_FAULT_IN.id {
        if has(&site::GPW_SIGNAL) { "0".to_owned() } else { String::new() }
    } else if id == site::GPW_SIGNAL.id {
        status(m.index.info(ran[&id]).value.map_or(0, |(_, value)| value))
    } else if id == site::GPW_WRITE_BEGIN.id {
        if has(&site::GPW_COPY) { "0".to_owned() } else { String::new() }
    } else if id == site::GPW_COPY.id {
        copied(m, ran).map_or_else(String::new, number)
    } else if id == site::GPW_WRITE_END.id {
        match (copied(m, ran), has(&site::GPW_RESCHED)) {
            (Some(copied), true) => format!("{} → {}", number(copied), recorded("copied")),
            _ => String::new(),
        }
    } else if id == site::GPW_ACCOUNT.id {
        format!("{}, {}", recorded("pos"), recorded("written"))
    } else if id == site::GPW_LOOP.id {
        recorded("count")
    } else if id == site::GPW_AGAIN.id {
        recorded("bytes")
    } else if id == site::GPW_EXIT.id {
        let written = looped("written");
        if written > 0 { number(written) } else { status(looped("status")) }
    } else {
        String::new()
    }
}

/// Bytes that the copy of this try gave, once it is over.
fn copied(m: &Moment, ran: &BTreeMap<u16, u32>) -> Option<u64> {
    m.index.copied(*ran.get(&site::GPW_WRITE_END.id)?)
}

/// Outside the kernel: the operations of the program.
fn program(m: &Moment) -> Code {
    let info = m.index.info(m.step);
    let task = if m.step == 0 { 0 } else { info.task };
    let inside = m.header.is_some_and(|header| !stack_of(m.h, header.frame()).is_empty());
    let lines = m.program.ops(task).map(|(n, op)| {
        let state = match n.cmp(&info.syscall) {
            std::cmp::Ordering::Less => LineState::Done,
            std::cmp::Ordering::Equal if inside => LineState::Now,
            std::cmp::Ordering::Equal => LineState::Done,
            std::cmp::Ordering::Greater => LineState::Ahead,
        };
        Rc::new(CodeLine { text: op_text(op), state, ..CodeLine::default() })
    });
    let name = crate::moment::task_name(m.w, world::TaskId(task));
    let about = if m.step == 0 { m.program.text.clone() } else { String::new() };
    Code { function: tr!("program {}", name), about, lines: lines.collect(), ..Code::default() }
}
