//! The step table: a run, or a stretch of it, as rows to read elsewhere.

use std::fmt::Write as _;

use session::run::Run;

use crate::frame::{Change, Frame, Notice};
use crate::viewer::Viewer;

/// How the table is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TableFormat {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// A Markdown table.
    Markdown,
}

/// Most rows of one table.
pub const ROWS_MAX: u64 = 20_000;

/// The columns; their names are those of the kernel and of links, the same in every language.
const COLUMNS: [&str; 10] = ["step", "task", "place", "phase", "function", "source", "what", "why", "mark", "changes"];

impl Viewer {
    /// The steps `from..=to`, one row each.
    ///
    /// # Errors
    /// They are more than [`ROWS_MAX`].
    pub fn table(&mut self, run: &Run, from: u64, to: u64, format: TableFormat) -> Result<String, Notice> {
        if to.saturating_sub(from) >= ROWS_MAX {
            return Err(Notice {
                title: tr!("A table holds at most {} steps.", crate::number(ROWS_MAX)),
                text: tr!("Put marker A and marker B around those that you want."),
                error: false,
            });
        }
        let mut text = String::new();
        row(&mut text, format, &COLUMNS.map(str::to_owned));
        if format == TableFormat::Markdown {
            row(&mut text, format, &COLUMNS.map(|_| "---".to_owned()));
        }
        for step in from..=to {
            row(&mut text, format, &cells(&self.frame(run, step, None)));
        }
        Ok(text)
    }
}

fn cells(frame: &Frame) -> [String; 10] {
    let task = frame.tasks.iter().find(|task| task.current);
    let top = task.and_then(|task| task.stack.first());
    let say = &frame.narration;
    [
        frame.step.to_string(),
        task.map_or_else(String::new, |task| task.name.clone()),
        say.crumb.clone(),
        say.phase.name().to_owned(),
        top.map_or_else(String::new, |top| top.function.clone()),
        top.map_or_else(String::new, |top| format!("{}:{}", top.file, top.line)),
        say.what.clone(),
        say.why.clone(),
        say.mark.clone(),
        frame.changes.rows.iter().map(|row| change(row)).collect::<Vec<_>>().join("; "),
    ]
}

/// `~ page 0: +U +D`, `~ locals: copied 0 → 876`.
fn change(row: &Change) -> String {
    let parts = row.parts.iter().map(|part| {
        let values = match (&part.old, &part.new) {
            (Some(old), Some(new)) => format!("{old} → {new}"),
            (Some(old), None) => format!("−{old}"),
            (None, new) => new.clone().unwrap_or_default(),
        };
        format!("{} {values}", part.name).trim().to_owned()
    });
    format!("{} {}: {}", row.sign.glyph(), row.object, parts.collect::<Vec<_>>().join(" "))
}

fn row(text: &mut String, format: TableFormat, cells: &[String; 10]) {
    // Writing to a string does not fail.
    let _ = match format {
        TableFormat::Csv => writeln!(text, "{}\r", cells.each_ref().map(|cell| csv(cell)).join(",")),
        TableFormat::Markdown => writeln!(text, "| {} |", cells.each_ref().map(|cell| markdown(cell)).join(" | ")),
    };
}

/// In quotes where it has to be. A cell that a spreadsheet would take for a formula begins with a quote sign.
fn csv(cell: &str) -> String {
    let cell = if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

fn markdown(cell: &str) -> String {
    cell.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_as_their_format_asks() {
        assert_eq!(csv("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("plain"), "plain");
        assert_eq!(markdown("a | b <c>"), "a \\| b &lt;c>");
    }
}
