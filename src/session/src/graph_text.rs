//! Trace records as a function graph, as the recorded `graph.txt` have it.
//!
//! ```text
//! # op15 begin pwritev f 4096 b0:0:1000,b1:0:3096
//! ext4_file_write_iter() {
//!   ext4_generic_write_checks() {
//!     generic_write_checks();
//!   }
//! --- switch to B
//! set_page_dirty();
//! --- switch to A
//! }
//! # op15 end ret=4096 errno=0
//! ```
//!
//! Frames of the engine are calls, and so is what stands between them in [`TraceEvent::Graph`]. A function that
//! the compiler has inlined, or that was not chosen to be shown, has no line of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kernel::site::FnSite;
use world::{TraceEvent, TraceRecord};

use crate::loop_text::{Labels, function, op_text, printed};

/// Functions with a frame here and none in a recorded graph: not among those that were followed, or inlined by
/// that kernel's compiler.
const NOT_SHOWN: [&str; 39] = [
    "cpu_idle",
    "user",
    "ksys_write",
    "ksys_pwrite64",
    "do_writev",
    "do_pwritev",
    "vfs_write",
    "vfs_writev",
    "ksys_sync",
    "wb_do_writeback",
    "sync_inodes_sb",
    "sync_filesystem",
    "__writeback_inodes_sb_nr",
    "do_sys_openat2",
    "filp_close",
    "do_shared_fault",
    "iov_iter_fault_in_readable",
    "iov_iter_copy_from_user_atomic",
    "iov_iter_advance",
    "iov_iter_single_seg_count",
    "ext4_write_checks",
    "ext4_dio_write_iter",
    "ext4_dax_write_iter",
    "dax_iomap_actor",
    "dax_iomap_zero",
    "mpage_map_and_submit_extent",
    "ext4_end_io_end",
    "ext4_zero_range",
    "ext4_collapse_range",
    "ext4_insert_range",
    "ext4_shutdown",
    "ext4_ext_handle_unwritten_extents",
    "ext4_alloc_branch",
    "ext4_splice_branch",
    "ext4_orphan_add",
    "ext4_file_mmap",
    "block_read_full_page",
    "ext4_da_convert_inline_data_to_extent",
    "ext4_convert_inline_data_to_extent",
];

/// The graph of `records`, from the begin of operation `first` to the end of the last one.
#[must_use]
pub fn text(records: &[TraceRecord], labels: &Labels, first: u64) -> String {
    let mut printer = Printer::default();
    for record in printed(records, first).iter().filter(|record| labels.tasks.contains_key(&record.task)) {
        printer.record(record, labels);
    }
    printer.finish()
}

#[derive(Default)]
struct Printer {
    lines: Vec<(usize, String)>,
    /// By task: its open calls, a name and the number of its line.
    open: BTreeMap<u32, Vec<(&'static str, usize)>>,
    task: Option<u32>,
}

impl Printer {
    fn record(&mut self, r: &TraceRecord, labels: &Labels) {
        match r.event {
            TraceEvent::OpBegin | TraceEvent::OpEnd => {
                self.switch(r.task, labels);
                self.lines.push((0, op_text(r, labels)));
            }
            TraceEvent::Enter => {
                if let Some(site) = shown(r.site, labels.task(r.task)) {
                    self.switch(r.task, labels);
                    self.call(r.task, site.name);
                }
            }
            TraceEvent::Exit => {
                if let Some(site) = shown(r.site, labels.task(r.task)) {
                    self.switch(r.task, labels);
                    self.end_of(r.task, site.name);
                }
            }
            TraceEvent::Graph(text) => {
                self.switch(r.task, labels);
                self.noted(r.task, text);
            }
            TraceEvent::Point | TraceEvent::Fault => {}
        }
    }

    fn switch(&mut self, task: u32, labels: &Labels) {
        if self.task.replace(task).is_some_and(|before| before != task) {
            self.lines.push((0, format!("--- switch to {}", labels.task(task))));
        }
    }

    fn call(&mut self, task: u32, name: &'static str) {
        let open = self.open.entry(task).or_default();
        self.lines.push((open.len(), name.to_owned()));
        open.push((name, self.lines.len() - 1));
    }

    /// Closes the innermost call of that name, and what was left open inside it.
    fn end_of(&mut self, task: u32, name: &str) {
        let open = self.open.entry(task).or_default();
        if let Some(n) = open.iter().rposition(|(known, _)| *known == name) {
            while self.open.get(&task).is_some_and(|open| open.len() > n) {
                self.end(task);
            }
        }
    }

    fn end(&mut self, task: u32) {
        let Some(open) = self.open.get_mut(&task) else { return };
        let Some((name, line)) = open.pop() else { return };
        if line + 1 == self.lines.len() && name == "__ext4_iget" {
            // In memory already: the kernel's cache of names has it, and does not ask.
            self.lines.pop();
        } else if line + 1 == self.lines.len() {
            self.lines[line].1.push_str("();");
        } else {
            self.lines[line].1.push_str("() {");
            self.lines.push((open.len(), "}".to_owned()));
        }
    }

    /// `f g { h }`: calls that have returned, braces around what happened inside.
    fn noted(&mut self, task: u32, text: &'static str) {
        let mut called = false;
        for word in text.split_whitespace() {
            if word == "{" {
                called = false;
                continue;
            }
            if std::mem::take(&mut called) {
                self.end(task);
            }
            if word == "}" {
                self.end(task);
            } else {
                self.call(task, word);
                called = true;
            }
        }
        if called {
            self.end(task);
        }
    }

    fn finish(mut self) -> String {
        // A call that never returned.
        let left: Vec<usize> = self.open.values().flatten().map(|(_, line)| *line).collect();
        left.into_iter().for_each(|line| self.lines[line].1.push_str("() {"));
        let mut out = String::new();
        for (depth, line) in &self.lines {
            let _ = writeln!(out, "{:width$}{line}", "", width = 2 * depth);
        }
        out
    }
}

/// The row, if its calls have a line. A commit has one where the journal's own thread does it.
fn shown(site: u16, by: &str) -> Option<&'static FnSite> {
    let inlined = kernel::site::VFS_FSYNC_RANGE_INLINED.id;
    let commit = kernel::site::JBD2_JOURNAL_COMMIT_TRANSACTION.id;
    function(site)
        .filter(|site| site.id != inlined && (site.id != commit || by == "jbd2") && !NOT_SHOWN.contains(&site.name))
}

#[cfg(test)]
mod tests {
    use kernel::site;

    use super::*;

    fn record(task: u32, event: TraceEvent, site: u16) -> TraceRecord {
        TraceRecord { step: 0, task, event, site, args: [0; 10] }
    }

    #[test]
    fn frames_and_notes_nest() {
        let graph = |task, text| record(task, TraceEvent::Graph(text), 0);
        let frame = |event, site: &FnSite| record(0, event, site.id);
        let records = [
            record(0, TraceEvent::OpBegin, 0),
            frame(TraceEvent::Enter, &site::FILE_MODIFIED),
            frame(TraceEvent::Exit, &site::FILE_MODIFIED),
            frame(TraceEvent::Enter, &site::EXT4_WRITE_CHECKS),
            frame(TraceEvent::Enter, &site::GENERIC_PERFORM_WRITE),
            graph(0, "a { b c { d"),
            graph(1, "set_page_dirty"),
            graph(0, "e } }"),
            graph(0, "left_open {"),
            frame(TraceEvent::Exit, &site::GENERIC_PERFORM_WRITE),
            frame(TraceEvent::Exit, &site::EXT4_WRITE_CHECKS),
            graph(0, "f"),
            record(0, TraceEvent::OpEnd, 0),
        ];
        let labels = Labels {
            ops: vec!["write f b0:0:9".to_owned()],
            buffers: Vec::new(),
            tasks: [(0, "A".to_owned()), (1, "B".to_owned())].into(),
        };
        let expect = "# op0 begin write f b0:0:9\nfile_modified();\ngeneric_perform_write() {\n  a() {\n    b();\n    \
                      c() {\n      d();\n--- switch to B\nset_page_dirty();\n--- switch to A\n      e();\n    }\n  }\n  \
                      left_open();\n}\nf();\n# op0 end ret=0 errno=0\n";
        assert_eq!(text(&records, &labels, 0), expect);
    }
}
