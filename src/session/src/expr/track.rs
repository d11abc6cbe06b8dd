//! An expression over all steps: where its value changes, where it holds, where it hits.

use world::{History, InodeId, World};

use super::{At, Calls, Expr, Value};

/// From a step on the expression has this value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The first step with it.
    pub step: u32,
    /// The value; `None` where what it names is not there.
    pub value: Option<Value>,
}

/// One expression's course through a run, as far as it was walked.
///
/// Only changes are kept. Of an expression about what ended the step, each step at which it holds is kept:
/// two alike in a row are two.
#[derive(Clone, Debug)]
pub struct Track {
    expr: Expr,
    points: Vec<Point>,
    next: u32,
}

/// A step that the reader is to be stopped at, and how often an expression holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// Steps at which it holds, or at which its value changes if it is not true or false.
    pub count: u32,
    /// The first of them.
    pub first: Option<u32>,
    /// The last of them.
    pub last: Option<u32>,
}

impl Track {
    /// Of an expression, from the origin.
    #[must_use]
    pub fn new(expr: Expr) -> Self {
        Track { expr, points: Vec::new(), next: 0 }
    }

    /// The expression.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Steps walked; all of a run are `History::len() + 1`, for the origin is one of them.
    #[must_use]
    pub fn walked(&self) -> u32 {
        self.next
    }

    /// Walks up to `budget` steps on. True if the recorded steps are all walked.
    ///
    /// `focus` says which file `inode` and `page` speak of after a step.
    pub fn extend(
        &mut self,
        w: &mut World,
        h: &mut History,
        calls: &Calls,
        focus: &dyn Fn(&World, u32) -> Option<InodeId>,
        budget: u32,
    ) -> bool {
        let end = self.next.saturating_add(budget).min(h.len() + 1);
        while self.next < end {
            let step = self.next;
            h.seek(w, step);
            let value = self.expr.eval(&At { w, h, step, focus: focus(w, step), calls });
            let again = self.expr.is_event() && value == Some(Value::Bool(true));
            if again || self.points.last().is_none_or(|last| last.value != value) {
                self.points.push(Point { step, value });
            }
            self.next += 1;
        }
        self.next > h.len()
    }

    /// Where the value changes, from the origin on.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether a point begins a stretch in which the expression holds.
    fn hits(&self, at: usize) -> bool {
        match self.points[at].value {
            Some(Value::Bool(value)) => value,
            // What is not true or false hits where it changes; the origin is where it starts.
            _ => at > 0 && self.expr.ty() != super::Type::Bool,
        }
    }

    /// Steps to be stopped at: where it begins to hold, or where its value changes.
    pub fn hit_steps(&self) -> impl DoubleEndedIterator<Item = u32> {
        (0..self.points.len()).filter(|at| self.hits(*at)).map(|at| self.points[at].step)
    }

    /// The next hit behind a step; the step itself never is one, or nobody would get away from it.
    #[must_use]
    pub fn next_hit(&self, step: u32) -> Option<u32> {
        let from = self.points.partition_point(|point| point.step <= step);
        (from..self.points.len()).find(|at| self.hits(*at)).map(|at| self.points[at].step)
    }

    /// The last hit before a step.
    #[must_use]
    pub fn last_hit(&self, step: u32) -> Option<u32> {
        let to = self.points.partition_point(|point| point.step < step);
        (0..to).rev().find(|at| self.hits(*at)).map(|at| self.points[at].step)
    }

    /// Stretches of steps that count, first and one past the last.
    pub fn stretches(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..self.points.len()).filter(|at| self.hits(*at)).map(|at| {
            let from = self.points[at].step;
            let holds = self.expr.ty() == super::Type::Bool && !self.expr.is_event();
            (from, if holds { self.points.get(at + 1).map_or(self.next, |next| next.step) } else { from + 1 })
        })
    }

    /// How often, first and last.
    #[must_use]
    pub fn spans(&self) -> Spans {
        self.stretches().fold(Spans::default(), |sum, (from, to)| Spans {
            count: sum.count + (to - from),
            first: sum.first.or(Some(from)),
            last: Some(to - 1),
        })
    }
}
