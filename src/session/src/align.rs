//! A recorded `events.txt` beside a run: which line of the real kernel belongs to which step, and whether it agrees.
//!
//! ```text
//! kernel   begin  a  b      d  e   end
//! ours     begin  a  b'  c  d      end
//!          =      =  ~   +  =  -   =
//! ```
//!
//! Lines are compared as [`golden::event_rows`] has them, and whatever a scenario is free to choose is not compared:
//! numbers of operations, names of buffers. What the run does beyond the recorded operations is left out.

use std::fmt::Write as _;

use crate::golden;

/// How a line of one side stands to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Both have it.
    Agrees,
    /// Both have it with different values; ours follows as [`Mark::Ours`].
    Differs,
    /// The kernel's alone.
    Missing,
    /// Ours, for the line before.
    Ours,
    /// Ours alone.
    Extra,
    /// The kernel's, and not compared.
    Aside,
}

impl Mark {
    /// The letter in the file.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Mark::Agrees => '=',
            Mark::Differs => '~',
            Mark::Missing => '-',
            Mark::Ours => '!',
            Mark::Extra => '+',
            Mark::Aside => '.',
        }
    }
}

/// A line at the step where it falls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The step, from 1.
    pub step: u32,
    /// How it stands.
    pub mark: Mark,
    /// The line as it was written, indented.
    pub text: String,
}

/// One side: its lines, and those of them that are compared.
struct Side<'a> {
    lines: Vec<&'a str>,
    rows: Vec<(usize, String)>,
}

impl<'a> Side<'a> {
    fn new(text: &'a str) -> Self {
        let rows = golden::event_rows(text).into_iter().map(|(line, row)| (line, free(&row))).collect();
        Side { lines: text.lines().collect(), rows }
    }
}

/// A line without what a scenario is free to choose.
fn free(row: &str) -> String {
    if let Some(rest) = row.strip_prefix("# op") {
        let mut words = rest.split(' ').skip(1);
        return match words.next() {
            Some("begin") => format!("# begin {}", words.next().unwrap_or_default()),
            _ => format!("# end {}", words.collect::<Vec<_>>().join(" ")),
        };
    }
    match (row.find("address="), row.find('+')) {
        (Some(from), Some(to)) if from < to && row.starts_with("! page_fault") => row[..from].to_owned() + &row[to..],
        _ => row.to_owned(),
    }
}

/// Puts the kernel's lines at the steps of a run, whose own lines come with the step of each, from 1.
#[must_use]
pub fn align(kernel: &str, ours: &str, steps: &[u32]) -> Vec<Row> {
    let (kernel, mut ours) = (Side::new(kernel), Side::new(ours));
    let is_end = |(_, row): &(usize, String)| row.starts_with("# end");
    let ops = kernel.rows.iter().filter(|row| is_end(row)).count();
    if let Some((last, _)) = ours.rows.iter().enumerate().filter(|(_, row)| is_end(row)).nth(ops.saturating_sub(1)) {
        ours.rows.truncate(last + 1);
    }
    let step_of = |line: usize| steps.get(line).copied().unwrap_or(1);
    let mut out = Vec::new();
    let (mut i, mut j, mut step) = (0, 0, steps.first().copied().unwrap_or(1));
    let pairs = pairs(&kernel.rows, &ours.rows);
    for (to_i, to_j) in pairs.into_iter().chain([(kernel.rows.len(), ours.rows.len())]) {
        while i < to_i || j < to_j {
            let theirs = (i < to_i).then(|| kernel.rows[i].0);
            let our = (j < to_j).then(|| ours.rows[j].0);
            let same_name = |a: &str, b: &str| name(a) == name(b);
            match (theirs, our) {
                (Some(theirs), Some(our)) if same_name(kernel.lines[theirs], ours.lines[our]) => {
                    step = step_of(our);
                    out.push((theirs, Row { step, mark: Mark::Differs, text: kernel.lines[theirs].to_owned() }));
                    out.push((theirs, Row { step, mark: Mark::Ours, text: ours.lines[our].to_owned() }));
                    (i, j) = (i + 1, j + 1);
                }
                (Some(theirs), _) => {
                    out.push((theirs, Row { step, mark: Mark::Missing, text: kernel.lines[theirs].to_owned() }));
                    i += 1;
                }
                (None, Some(our)) => {
                    step = step_of(our);
                    let after = i.checked_sub(1).map_or(0, |before| kernel.rows[before].0);
                    out.push((after, Row { step, mark: Mark::Extra, text: ours.lines[our].to_owned() }));
                    j += 1;
                }
                (None, None) => break,
            }
        }
        if i < kernel.rows.len() {
            let theirs = kernel.rows[i].0;
            step = step_of(ours.rows[j].0);
            out.push((theirs, Row { step, mark: Mark::Agrees, text: kernel.lines[theirs].to_owned() }));
            (i, j) = (i + 1, j + 1);
        }
    }
    with_asides(&kernel, out)
}

/// The first word: a function's, a tracepoint's.
fn name(line: &str) -> &str {
    let line = line.trim_start_matches(['[', ']', 'A', 'B', ' ', '.', '}', '#', '!']);
    line.split(['(', ':', ' ']).next().unwrap_or_default()
}

/// Adds the kernel's lines that are not compared, each behind the line that it stands behind.
fn with_asides(kernel: &Side<'_>, rows: Vec<(usize, Row)>) -> Vec<Row> {
    let compared: std::collections::BTreeSet<usize> = kernel.rows.iter().map(|(line, _)| *line).collect();
    let mut out: Vec<Row> = Vec::new();
    let mut next = 0;
    let aside = |from: usize, to: usize, step: u32, out: &mut Vec<Row>| {
        for line in (from..to).filter(|line| !compared.contains(line)) {
            // The end of a call whose inside is not compared is one with its begin.
            let closes = kernel.lines[line].trim_start().starts_with("} ");
            let agrees =
                closes && out.iter().rfind(|row| row.mark != Mark::Aside).is_some_and(|row| row.mark == Mark::Agrees);
            let mark = if agrees { Mark::Agrees } else { Mark::Aside };
            out.push(Row { step, mark, text: kernel.lines[line].to_owned() });
        }
    };
    for (line, row) in rows {
        if line + 1 > next {
            let step = out.last().map_or(row.step, |before| before.step);
            aside(next, line, step, &mut out);
            next = line + 1;
        }
        out.push(row);
    }
    let step = out.last().map_or(1, |before| before.step);
    aside(next, kernel.lines.len(), step, &mut out);
    out
}

/// Equal lines of both sides, in order, as many as can be.
fn pairs(a: &[(usize, String)], b: &[(usize, String)]) -> Vec<(usize, usize)> {
    let same = |i: usize, j: usize| a[i].1 == b[j].1;
    let least = a.len().min(b.len());
    let head = (0..least).take_while(|&n| same(n, n)).count();
    let tail = (0..least - head).take_while(|&n| same(a.len() - 1 - n, b.len() - 1 - n)).count();
    let (rows, columns) = (a.len() - head - tail, b.len() - head - tail);
    // Length of the longest common part of what is left from each place on.
    let mut longest = vec![vec![0u32; columns + 1]; rows + 1];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            longest[i][j] = if same(head + i, head + j) {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let mut out: Vec<(usize, usize)> = (0..head).map(|n| (n, n)).collect();
    let (mut i, mut j) = (0, 0);
    while i < rows && j < columns {
        if same(head + i, head + j) {
            out.push((head + i, head + j));
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    out.extend((0..tail).rev().map(|n| (a.len() - 1 - n, b.len() - 1 - n)));
    out
}

/// The file of a case: the run's number of steps, then a row a line: step, letter, text.
#[must_use]
pub fn emit(steps: u32, rows: &[Row]) -> String {
    let mut out = format!("steps {steps}\n");
    for row in rows {
        let _ = writeln!(out, "{}{}{}", row.step, row.mark.letter(), row.text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kernel: &str, ours: &[(u32, &str)], expect: &str) {
        let text: String = ours.iter().map(|(_, line)| format!("{line}\n")).collect();
        let steps: Vec<u32> = ours.iter().map(|(step, _)| *step).collect();
        let rows = align(kernel, &text, &steps);
        assert_eq!(emit(9, &rows), format!("steps 9\n{expect}"));
        let theirs: Vec<&str> = rows
            .iter()
            .filter(|row| !matches!(row.mark, Mark::Ours | Mark::Extra))
            .map(|row| row.text.as_str())
            .collect();
        assert_eq!(theirs, kernel.lines().collect::<Vec<_>>(), "every line of the kernel, in order");
    }

    #[test]
    fn lines_fall_where_ours_do() {
        check(
            "# op2 begin write f b0:0:9\nf(a=1) {\n  . p: x 1\n  . q: y\n} f = 0\n# op2 end ret=9 errno=0\n",
            &[
                (1, "# op1 begin write f mine:0:9"),
                (2, "f(a=1) {"),
                (3, "  . p: x 2"),
                (5, "  . r: z"),
                (6, "} f = 0"),
                (7, "# op1 end ret=9 errno=0"),
                (8, "# op2 begin fsync f"),
                (9, "# op2 end ret=0 errno=0"),
            ],
            "1=# op2 begin write f b0:0:9\n2=f(a=1) {\n3~  . p: x 1\n3!  . p: x 2\n3-  . q: y\n5+  . r: z\n\
             6=} f = 0\n7=# op2 end ret=9 errno=0\n",
        );
    }

    #[test]
    fn faults_of_the_copy_stand_aside() {
        check(
            "# op0 begin write f b:0:9\niov_iter_copy_from_user_atomic(offset=0 bytes=9) {\n  ! page_fault_kernel: \
             address=b+0x0 ip=f error_code=0x0\n} iov_iter_copy_from_user_atomic = 5\n# op0 end ret=5 errno=0\n",
            &[
                (1, "# op0 begin write f b:0:9"),
                (4, "iov_iter_copy_from_user_atomic(offset=0 bytes=9) = 5"),
                (6, "# op0 end ret=5 errno=0"),
            ],
            "1=# op0 begin write f b:0:9\n4=iov_iter_copy_from_user_atomic(offset=0 bytes=9) {\n4.  ! page_fault_kernel: \
             address=b+0x0 ip=f error_code=0x0\n4=} iov_iter_copy_from_user_atomic = 5\n6=# op0 end ret=5 errno=0\n",
        );
    }
}
