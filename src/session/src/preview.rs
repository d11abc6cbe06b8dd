//! A look ahead: a scenario run up to the end of the first round of its first write.
//!
//! It goes in slices, so that who types beside it is not held up.

use kernel::site::{FnSite, GENERIC_PERFORM_WRITE, Phase};
use world::TraceEvent;

use crate::loop_text::function;
use crate::run::{Progress, Run, RunError, RunOptions};
use crate::scenario::Scenario;

/// Steps after which nothing more is looked for.
const STEPS_MAX: u32 = 50_000;

/// A run that is not kept.
pub struct Preview {
    run: Run,
    /// The names of the operations, on one line each.
    ops: Vec<String>,
    steps: u32,
}

/// One call of the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The kernel's function.
    pub function: &'static str,
    /// Its phase.
    pub phase: Phase,
    /// Bytes it was asked for.
    pub asked: Option<u64>,
    /// What it returned: bytes, 0, or a negative error.
    pub result: Option<i64>,
    /// Page of the file that it is about.
    pub page: Option<u64>,
    /// Page faults on user memory in it.
    pub faults: u32,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct First {
    /// The operation, on one line.
    pub call: String,
    /// The round, with all its tries. Empty if there was none.
    pub rows: Vec<Row>,
    /// What the operation returned, and its error number; none while it runs.
    pub result: Option<(i64, u64)>,
}

impl Preview {
    /// Makes the machine.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn open(scenario: &Scenario, image: Option<Vec<u8>>) -> Result<Self, RunError> {
        let run = Run::begin(scenario, RunOptions { trace: true, image, ..RunOptions::default() })?;
        let ops = scenario.tasks.iter().take(1).flat_map(|task| task.all_ops().map(|(op, _)| op.text())).collect();
        Ok(Preview { run, ops, steps: 0 })
    }

    /// Goes on by some steps. True once nothing more will come.
    ///
    /// # Errors
    /// The image cannot be mounted.
    pub fn advance(&mut self, budget: u32) -> Result<bool, RunError> {
        self.steps = self.steps.saturating_add(budget);
        if self.run.set_up(budget)? && self.run.step(budget) != Progress::Running {
            return Ok(true);
        }
        Ok(self.steps >= STEPS_MAX || self.read().1)
    }

    /// What was found so far.
    #[must_use]
    pub fn first(&self) -> First {
        self.read().0
    }

    fn read(&self) -> (First, bool) {
        let mut first = First::default();
        let mut open: Vec<(&FnSite, Option<usize>)> = Vec::new();
        let mut over = false;
        for record in self.run.trace().iter().filter(|record| record.task == 0) {
            match record.event {
                TraceEvent::OpBegin if !over => {
                    let op = usize::try_from(record.args[0]).ok().and_then(|n| self.ops.get(n));
                    first = First { call: op.cloned().unwrap_or_default(), ..First::default() };
                }
                TraceEvent::OpEnd => {
                    if first.result.is_none() {
                        first.result = Some((record.args[1].cast_signed(), record.args[2]));
                    }
                    // A later call is looked at only for want of a round.
                    if !first.rows.is_empty() {
                        return (first, true);
                    }
                }
                TraceEvent::Enter => {
                    let Some(site) = function(record.site) else { continue };
                    let in_round = open.last().is_some_and(|(outer, _)| outer.id == GENERIC_PERFORM_WRITE.id);
                    let row = (in_round && !over).then_some(first.rows.len());
                    if row.is_some() {
                        let argument = |names: &[&str]| {
                            let at = site.locals[..site.args].iter().position(|local| names.contains(&local.name))?;
                            Some(record.args[at])
                        };
                        let before = first.rows.iter().rev().find_map(|row| row.page);
                        let page = argument(&["pos"]).map(|pos| pos / 4096).or(before);
                        first.rows.push(Row {
                            function: site.name,
                            phase: site.phase,
                            asked: argument(&["bytes", "len"]),
                            result: None,
                            page: page.filter(|_| site.phase != Phase::FaultIn),
                            faults: 0,
                        });
                    }
                    open.push((site, row));
                }
                TraceEvent::Exit => {
                    let Some((site, row)) = open.pop() else { continue };
                    if let Some(row) = row.and_then(|row| first.rows.get_mut(row)) {
                        row.result = (site.ret != kernel::site::Ret::Void).then_some(record.args[0].cast_signed());
                        over |= site.phase == Phase::Balance;
                    }
                }
                TraceEvent::Fault => {
                    let row = open.iter().rev().find_map(|frame| frame.1).and_then(|row| first.rows.get_mut(row));
                    if let Some(row) = row {
                        row.faults += 1;
                    }
                }
                TraceEvent::OpBegin | TraceEvent::Point | TraceEvent::Graph(_) => {}
            }
        }
        (first, over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library;

    fn look(name: &str) -> First {
        let scenario = library::scenario(name).expect("the library has it");
        let mut preview = Preview::open(&scenario, None).expect("it starts");
        while !preview.advance(50).expect("it mounts") {}
        preview.first()
    }

    fn check(name: &str, expect: &[(&str, Option<u64>, Option<i64>)]) {
        let found: Vec<_> = look(name).rows.iter().map(|row| (row.function, row.asked, row.result)).collect();
        assert_eq!(found, expect, "{name}");
    }

    #[test]
    fn a_round_of_a_full_page() {
        check(
            "full-page",
            &[
                ("iov_iter_fault_in_readable", Some(4096), Some(0)),
                ("ext4_da_write_begin", Some(4096), Some(0)),
                ("iov_iter_copy_from_user_atomic", Some(4096), Some(4096)),
                ("ext4_da_write_end", Some(4096), Some(4096)),
                ("iov_iter_advance", Some(4096), None),
                ("balance_dirty_pages_ratelimited", None, None),
            ],
        );
    }

    #[test]
    fn a_try_more_is_the_same_round() {
        let first = look("short-copy");
        let copies: Vec<_> = first.rows.iter().filter(|row| row.phase == Phase::Copy && row.result.is_some()).collect();
        assert_eq!(copies[0].result, Some(1000));
        assert!(copies.len() >= 2, "{first:?}");
    }
}
