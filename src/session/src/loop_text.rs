//! Trace records as text, line by line as the recorded cases have it.
//!
//! ```text
//! # op15 begin pwritev f 4096 b0:0:1000,b1:0:3096
//! ext4_file_write_iter(pos=4096 count=4096) {
//!   iov_iter_fault_in_readable(bytes=4096) {
//!     ! page_fault_kernel: address=b1+0x0 ip=__get_user_nocheck_1 error_code=0x0
//!   } iov_iter_fault_in_readable = 0
//! } ext4_file_write_iter = 4096
//! # op15 end ret=4096 errno=0
//! ```
//!
//! A call inside of which nothing is printed is one line, `name(args) = ret`.
//! Tags such as `[A]` stand before the indentation of every line if a second
//! task has a line, and each task has its own depth. `loop.txt` has no
//! tracepoints, `events.txt` has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kernel::site::{FnSite, Ret, Ty};
use kernel::tracepoint::POINTS;
use world::{TraceEvent, TraceRecord};

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Calls and page faults: `loop.txt`.
    Loop,
    /// The same with tracepoints: `events.txt`.
    Events,
}

/// What records name by number.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// One-line text of each operation, by its number.
    pub ops: Vec<String>,
    /// Names of the workload's buffers, by their number.
    pub buffers: Vec<String>,
    /// Tag of each task (`A`, `B`, `jbd2`, `kworker`); `A` makes operations. What
    /// belongs to no task, as a request that completes later, is not printed.
    pub tasks: BTreeMap<u32, String>,
}

impl Labels {
    pub(crate) fn task(&self, task: u32) -> &str {
        self.tasks.get(&task).map_or("?", String::as_str)
    }
}

/// Those of `records` that are printed: between the begin of operation `first` and the end of the last one.
pub(crate) fn printed(records: &[TraceRecord], first: u64) -> &[TraceRecord] {
    let traced = records
        .iter()
        .position(|r| r.event == TraceEvent::OpBegin && r.args[0] >= first)
        .map_or(&[][..], |begin| &records[begin..]);
    let end = traced.iter().rposition(|r| r.event == TraceEvent::OpEnd).map_or(0, |end| end + 1);
    // The operation in which the program dies has no end.
    let dying = traced[end..].iter().any(|r| r.event == TraceEvent::OpBegin);
    if dying { traced } else { &traced[..end] }
}

/// The text of `records`. Only what lies between the begin of operation
/// `first` and the end of the last one is printed.
#[must_use]
pub fn text(records: &[TraceRecord], labels: &Labels, first: u64, detail: Detail) -> String {
    print(records, labels, first, detail).finish()
}

/// The same, and for each line the step in which it was complete, from 1: a recorded run has one.
#[must_use]
pub fn text_by_step(records: &[TraceRecord], labels: &Labels, first: u64, detail: Detail) -> (String, Vec<u32>) {
    let printer = print(records, labels, first, detail);
    let steps = printer.lines.iter().map(|line| line.step + 1).collect();
    (printer.finish(), steps)
}

fn print<'a>(records: &[TraceRecord], labels: &'a Labels, first: u64, detail: Detail) -> Printer<'a> {
    let mut printer = Printer { labels, lines: Vec::new(), open: BTreeMap::new() };
    for record in printed(records, first) {
        if labels.tasks.contains_key(&record.task) {
            printer.record(record, detail);
        }
    }
    printer
}

/// A call that has not returned.
struct Open {
    /// Its line, closed to one line if nothing follows.
    line: usize,
    site: &'static FnSite,
    leaf: bool,
}

struct Line {
    task: u32,
    depth: usize,
    step: u32,
    text: String,
}

struct Printer<'a> {
    labels: &'a Labels,
    lines: Vec<Line>,
    open: BTreeMap<u32, Vec<Open>>,
}

impl Printer<'_> {
    fn record(&mut self, r: &TraceRecord, detail: Detail) {
        match r.event {
            TraceEvent::OpBegin | TraceEvent::OpEnd => {
                self.lines.push(Line { task: r.task, depth: 0, step: r.step, text: op_text(r, self.labels) });
            }
            TraceEvent::Enter => {
                let Some(site) = function(r.site).filter(|site| site.traced) else { return };
                let line = self.inner(r, call_text(site, &r.args));
                self.open.entry(r.task).or_default().push(Open { line, site, leaf: true });
            }
            TraceEvent::Exit => self.exit(r),
            TraceEvent::Point if detail == Detail::Loop => {}
            TraceEvent::Graph(_) => {}
            TraceEvent::Point => {
                let Some(point) = POINTS.get(usize::from(r.site)) else { return };
                let fields = point_text(point.format, &r.args).replace("[COMM]", self.comm(r.task));
                let text = format!(". {}: {fields}", point.name);
                // Runs of blanks count as one.
                let text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
                self.inner(r, text);
            }
            TraceEvent::Fault => {
                let text = self.fault_text(r);
                self.inner(r, text);
            }
        }
    }

    /// Adds a line inside the task's innermost open call.
    fn inner(&mut self, r: &TraceRecord, text: String) -> usize {
        let task = r.task;
        let open = self.open.entry(task).or_default();
        if let Some(frame) = open.last_mut()
            && std::mem::take(&mut frame.leaf)
        {
            self.lines[frame.line].text.push_str(" {");
        }
        self.lines.push(Line { task, depth: open.len(), step: r.step, text });
        self.lines.len() - 1
    }

    fn exit(&mut self, r: &TraceRecord) {
        let open = self.open.entry(r.task).or_default();
        // A call that began before the first printed line has none here.
        if open.last().is_none_or(|frame| frame.site.id != r.site) {
            return;
        }
        let Some(frame) = open.pop() else { return };
        let value = match frame.site.ret {
            Ret::Void => String::new(),
            Ret::Decimal => format!(" = {}", r.args[0].cast_signed()),
            Ret::Hex => format!(" = {:#x}", r.args[0]),
        };
        if frame.leaf {
            self.lines[frame.line].text.push_str(&value);
            self.lines[frame.line].step = r.step;
        } else {
            let depth = open.len();
            self.lines.push(Line { task: r.task, depth, step: r.step, text: format!("}} {}{value}", frame.site.name) });
        }
    }

    /// Buffer, offset, error code; the place is the innermost call.
    fn fault_text(&self, r: &TraceRecord) -> String {
        let [buffer, offset, code, ..] = r.args;
        let name = usize::try_from(buffer).ok().and_then(|n| self.labels.buffers.get(n));
        let address = name.map_or(format!("{offset:#x}"), |name| format!("{name}+{offset:#x}"));
        let inner = self.open.get(&r.task).and_then(|open| open.last()).map(|frame| frame.site.name);
        let (kind, ip) = match inner {
            Some("iov_iter_copy_from_user_atomic") => ("kernel", "copy_user_generic_string"),
            Some("dax_iomap_rw") => ("kernel", "__copy_user_nocache"),
            Some(_) => ("kernel", "__get_user_nocheck_1"),
            None => ("user", "user"),
        };
        format!("! page_fault_{kind}: address={address} ip={ip} error_code={code:#x}")
    }

    /// The task's name as the block layer prints it.
    fn comm(&self, task: u32) -> &'static str {
        match self.labels.task(task) {
            "jbd2" => "[jbd2]",
            "kworker" => "[kworker]",
            _ => "[wl]",
        }
    }

    fn finish(self) -> String {
        let tagged = self.lines.first().is_some_and(|first| self.lines.iter().any(|line| line.task != first.task));
        let mut out = String::new();
        for line in &self.lines {
            if tagged {
                let _ = write!(out, "[{}] ", self.labels.task(line.task));
            }
            let _ = writeln!(out, "{:width$}{}", "", line.text, width = 2 * line.depth);
        }
        out
    }
}

/// The line that begins or ends an operation.
pub(crate) fn op_text(r: &TraceRecord, labels: &Labels) -> String {
    let [number, ret, errno, ..] = r.args;
    if r.event == TraceEvent::OpEnd {
        return format!("# op{number} end ret={} errno={errno}", ret.cast_signed());
    }
    let op = usize::try_from(number).ok().and_then(|n| labels.ops.get(n));
    format!("# op{number} begin {}", op.map_or("?", String::as_str))
}

pub(crate) fn function(site: u16) -> Option<&'static FnSite> {
    match kernel::site::SITES.get(usize::from(site)) {
        Some(kernel::site::Site::Function(function)) => Some(function),
        _ => None,
    }
}

/// `name(pos=0 len=4096 flags=0x0)`.
fn call_text(site: &FnSite, args: &[u64]) -> String {
    let args: Vec<String> = site.locals[..site.args.min(site.locals.len())]
        .iter()
        .zip(args)
        .map(|(local, value)| match local.ty {
            Ty::Flags | Ty::Address => format!("{}={value:#x}", local.name),
            Ty::Status => format!("{}={}", local.name, value.cast_signed()),
            Ty::Bytes | Ty::Count | Ty::Bool => format!("{}={value}", local.name),
        })
        .collect();
    format!("{}({})", site.name, args.join(" "))
}

type Bits = [(u64, &'static str)];

/// `i_state`, include/trace/events/writeback.h.
const STATE: &Bits = &[
    (1, "I_DIRTY_SYNC"),
    (1 << 1, "I_DIRTY_DATASYNC"),
    (1 << 2, "I_DIRTY_PAGES"),
    (1 << 3, "I_NEW"),
    (1 << 4, "I_WILL_FREE"),
    (1 << 5, "I_FREEING"),
    (1 << 6, "I_CLEAR"),
    (1 << 7, "I_SYNC"),
    (1 << 11, "I_DIRTY_TIME"),
    (1 << 8, "I_REFERENCED"),
];
/// Status of an extent in the tree, include/trace/events/ext4.h and below.
const ES: &Bits = &[(1, "W"), (1 << 1, "U"), (1 << 2, "D"), (1 << 3, "H"), (1 << 4, "R")];
/// EXT4_GET_BLOCKS_.
const MAP: &Bits = &[
    (1, "CREATE"),
    (1 << 1, "UNWRIT"),
    (1 << 2, "DELALLOC"),
    (1 << 3, "PRE_IO"),
    (1 << 4, "CONVERT"),
    (1 << 5, "METADATA_NOFAIL"),
    (1 << 6, "NO_NORMALIZE"),
    (1 << 8, "CONVERT_UNWRITTEN"),
    (1 << 9, "ZERO"),
    (1 << 10, "IO_SUBMIT"),
    (1 << 30, "EX_NOCACHE"),
];
/// EXT4_MAP_.
const MFLAGS: &Bits = &[(1 << 5, "N"), (1 << 4, "M"), (1 << 11, "U"), (1 << 9, "B")];
/// EXT4_MB_.
const HINT: &Bits = &[
    (1, "HINT_MERGE"),
    (1 << 1, "HINT_RESV"),
    (1 << 2, "HINT_MDATA"),
    (1 << 3, "HINT_FIRST"),
    (1 << 4, "HINT_BEST"),
    (1 << 5, "HINT_DATA"),
    (1 << 6, "HINT_NOPREALLOC"),
    (1 << 7, "HINT_GRP_ALLOC"),
    (1 << 8, "HINT_GOAL_ONLY"),
    (1 << 9, "HINT_TRY_GOAL"),
    (1 << 10, "DELALLOC_RESV"),
    (1 << 11, "STREAM_ALLOC"),
    (1 << 12, "USE_ROOT_BLKS"),
    (1 << 13, "USE_RESV"),
    (1 << 14, "STRICT_CHECK"),
];
/// EXT4_FREE_BLOCKS_.
const FREE: &Bits = &[
    (1, "METADATA"),
    (1 << 1, "FORGET"),
    (1 << 2, "VALIDATED"),
    (1 << 3, "NO_QUOTA"),
    (1 << 4, "1ST_CLUSTER"),
    (1 << 5, "LAST_CLUSTER"),
];
/// FALLOC_FL_.
const FALLOC: &Bits = &[
    (1, "KEEP_SIZE"),
    (1 << 1, "PUNCH_HOLE"),
    (1 << 2, "NO_HIDE_STALE"),
    (1 << 3, "COLLAPSE_RANGE"),
    (1 << 4, "ZERO_RANGE"),
];

/// `enum wb_reason`.
const REASONS: [&str; 7] =
    ["background", "vmscan", "sync", "periodic", "laptop_timer", "fs_free_space", "forker_thread"];

/// The second of two numbers in one word.
const LOW: u64 = 0xffff_ffff;

/// Fills the fields of a tracepoint's format.
fn point_text(format: &str, args: &[u64]) -> String {
    let mut out = String::new();
    let mut args = args.iter().copied();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (kind, after) = after.split_once('}').unwrap_or((after, ""));
        rest = after;
        let value = args.next().unwrap_or(0);
        match kind {
            "i" => _ = write!(out, "{}", value.cast_signed()),
            "x" => _ = write!(out, "{value:x}"),
            "o" => _ = write!(out, "0{value:o}"),
            "state" => out.push_str(&bits(value, STATE, "|", true)),
            "es" => out.push_str(&bits(value, ES, "", false)),
            "map" => out.push_str(&bits(value, MAP, "|", true)),
            "mflags" => out.push_str(&bits(value, MFLAGS, "", true)),
            "hint" => out.push_str(&bits(value, HINT, "|", true)),
            "free" => out.push_str(&bits(value, FREE, "|", true)),
            "falloc" => out.push_str(&bits(value, FALLOC, "|", true)),
            "/" => _ = write!(out, "{}/{}", value >> 32, value & LOW),
            "@" => _ = write!(out, "{}@{}", value >> 32, value & LOW),
            "split" => _ = write!(out, "tail {} broken {}", value >> 32, value & LOW),
            "dev" => out.push_str(if value == 0 { "0:0" } else { "D" }),
            "reason" => out.push_str(REASONS.get(value as usize).copied().unwrap_or("?")),
            "search" => _ = write!(out, "blks {} grps {} cr {}", value >> 32, (value & LOW) >> 8, value & 0xff),
            two if two.starts_with("two:") => {
                let mut names = two.split(':').skip(1);
                let (a, b) = (names.next().unwrap_or(""), names.next().unwrap_or(""));
                let low = ((value & LOW) as u32).cast_signed();
                _ = write!(out, "{a}={} {b}={low}", value >> 32);
            }
            "rwbs" => {
                out.push(if value & 0x80 == 0 { 'R' } else { 'W' });
                out.push_str(&bits(value, &[(1, "A"), (2, "S"), (4, "M")], "", false));
            }
            _ => _ = write!(out, "{value}"),
        }
    }
    out.push_str(rest);
    out
}

/// The names of the bits that are set; what is left over as one hex number.
fn bits(value: u64, names: &Bits, between: &str, rest: bool) -> String {
    let mut left = value;
    let mut words: Vec<String> = Vec::new();
    for (bit, name) in names {
        if value & bit != 0 {
            words.push((*name).to_owned());
            left &= !bit;
        }
    }
    if rest && left != 0 {
        words.push(format!("{left:#x}"));
    }
    words.join(between)
}

#[cfg(test)]
mod tests {
    use kernel::{site, tracepoint};

    use super::*;

    fn record(task: u32, event: TraceEvent, site: u16, args: &[u64]) -> TraceRecord {
        let mut all = [0; 10];
        all[..args.len()].copy_from_slice(args);
        TraceRecord { step: 0, task, event, site, args: all }
    }
    fn enter(site: &FnSite, args: &[u64]) -> TraceRecord {
        record(0, TraceEvent::Enter, site.id, args)
    }
    fn exit(site: &FnSite, value: i64) -> TraceRecord {
        record(0, TraceEvent::Exit, site.id, &[value.cast_unsigned()])
    }
    fn begin(op: u64) -> TraceRecord {
        record(0, TraceEvent::OpBegin, 0, &[op])
    }
    fn end(op: u64, ret: i64, errno: u64) -> TraceRecord {
        record(0, TraceEvent::OpEnd, 0, &[op, ret.cast_unsigned(), errno])
    }
    fn labels() -> Labels {
        Labels {
            ops: ["buf b0 memfd 4096 1", "pwrite f 0 b0:0:100", "race_wait"].map(str::to_owned).to_vec(),
            buffers: vec!["b0".into(), "b1".into()],
            tasks: [(0, "A".to_owned()), (3, "B".to_owned())].into(),
        }
    }
    fn check(records: &[TraceRecord], detail: Detail, expect: &str) {
        assert_eq!(text(records, &labels(), 1, detail), expect);
    }

    #[test]
    fn calls_nest_and_close() {
        let records = [
            begin(0),
            enter(&site::FILE_MODIFIED, &[]),
            exit(&site::FILE_MODIFIED, 0),
            end(0, 0, 0),
            begin(1),
            enter(&site::EXT4_DA_WRITE_BEGIN_FN, &[4096, 1000, 0]),
            enter(&site::EXT4_NONDA_SWITCH, &[]),
            exit(&site::EXT4_NONDA_SWITCH, 0),
            enter(&site::GRAB_CACHE_PAGE_WRITE_BEGIN, &[1, 0]),
            exit(&site::GRAB_CACHE_PAGE_WRITE_BEGIN, 0),
            exit(&site::EXT4_DA_WRITE_BEGIN_FN, -28),
            enter(&site::IOV_ITER_ADVANCE, &[0]),
            exit(&site::IOV_ITER_ADVANCE, 0),
            end(1, -1, 28),
        ];
        let expect = "# op1 begin pwrite f 0 b0:0:100\n\
            ext4_da_write_begin(pos=4096 len=1000 flags=0x0) {\n\
            \x20 ext4_nonda_switch() = 0\n\
            \x20 grab_cache_page_write_begin(index=1 flags=0x0)\n\
            } ext4_da_write_begin = -28\n\
            iov_iter_advance(bytes=0)\n\
            # op1 end ret=-1 errno=28\n";
        check(&records, Detail::Loop, expect);
    }

    #[test]
    fn points_show_in_events_only() {
        let grab = &site::GRAB_CACHE_PAGE_WRITE_BEGIN;
        let records = [
            begin(1),
            enter(grab, &[1, 0]),
            record(0, TraceEvent::Point, tracepoint::MM_FILEMAP_ADD.id, &[12, 4096]),
            exit(grab, 0),
            end(1, 0, 0),
        ];
        let line = "grab_cache_page_write_begin(index=1 flags=0x0)";
        let begin = "# op1 begin pwrite f 0 b0:0:100\n";
        let end = "# op1 end ret=0 errno=0\n";
        check(&records, Detail::Loop, &format!("{begin}{line}\n{end}"));
        let expect = format!(
            "{begin}{line} {{\n  . mm_filemap_add_to_page_cache: dev D ino c ofs=4096\n\
             }} grab_cache_page_write_begin\n{end}"
        );
        check(&records, Detail::Events, &expect);
    }

    #[test]
    fn faults_name_buffer_and_place() {
        let fault = |off, code| record(0, TraceEvent::Fault, 0, &[1, off, code]);
        let records = [
            begin(1),
            enter(&site::IOV_ITER_FAULT_IN_READABLE, &[4096]),
            fault(0x17ff, 0),
            exit(&site::IOV_ITER_FAULT_IN_READABLE, -14),
            fault(0x64, 6),
            end(1, 0, 0),
        ];
        let expect = "# op1 begin pwrite f 0 b0:0:100\n\
            iov_iter_fault_in_readable(bytes=4096) {\n\
            \x20 ! page_fault_kernel: address=b1+0x17ff ip=__get_user_nocheck_1 error_code=0x0\n\
            } iov_iter_fault_in_readable = -14\n\
            ! page_fault_user: address=b1+0x64 ip=user error_code=0x6\n\
            # op1 end ret=0 errno=0\n";
        check(&records, Detail::Loop, expect);
    }

    #[test]
    fn a_second_task_brings_tags() {
        let write = &site::EXT4_FILE_WRITE_ITER;
        let other = |event, args: &[u64]| record(3, event, write.id, args);
        let records = [
            begin(1),
            enter(write, &[100, 200]),
            enter(&site::EXT4_BUFFERED_WRITE_ITER, &[100, 200]),
            other(TraceEvent::Enter, &[4196, 100]),
            exit(&site::EXT4_BUFFERED_WRITE_ITER, 200),
            exit(write, 200),
            end(1, 200, 0),
            begin(2),
            other(TraceEvent::Exit, &[100]),
            end(2, 100, 0),
        ];
        let expect = "[A] # op1 begin pwrite f 0 b0:0:100\n\
            [A] ext4_file_write_iter(pos=100 count=200) {\n\
            [A]   ext4_buffered_write_iter(pos=100 count=200) = 200\n\
            [B] ext4_file_write_iter(pos=4196 count=100) = 100\n\
            [A] } ext4_file_write_iter = 200\n\
            [A] # op1 end ret=200 errno=0\n\
            [A] # op2 begin race_wait\n\
            [A] # op2 end ret=100 errno=0\n";
        check(&records, Detail::Loop, expect);
    }

    #[test]
    fn the_operation_of_death_has_no_end() {
        let write = &site::EXT4_FILE_WRITE_ITER;
        let records = [begin(1), end(1, 0, 0), begin(2), enter(write, &[0, 9]), exit(write, 4)];
        let expect = "# op1 begin pwrite f 0 b0:0:100\n# op1 end ret=0 errno=0\n\
            # op2 begin race_wait\next4_file_write_iter(pos=0 count=9) = 4\n";
        check(&records, Detail::Loop, expect);
    }

    /// Reads a recorded `loop.txt` back into records; `None` if it calls a
    /// function that the table does not have yet.
    fn records_of(text: &str) -> Option<(Vec<TraceRecord>, Labels)> {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
            None => text.parse::<i64>().map_or_else(|_| text.parse().unwrap(), i64::cast_unsigned),
        };
        let site = |name: &str| {
            kernel::site::SITES.iter().find_map(|row| match row {
                kernel::site::Site::Function(function) if function.traced && function.name == name => Some(*function),
                _ => None,
            })
        };
        let mut labels = Labels { tasks: [(0, "A".to_owned()), (1, "B".to_owned())].into(), ..Labels::default() };
        let mut records = Vec::new();
        for line in text.lines() {
            let (task, line) = match line.strip_prefix("[B] ") {
                Some(rest) => (1, rest),
                None => (0, line.strip_prefix("[A] ").unwrap_or(line)),
            };
            let line = line.trim_start();
            let mut push = |event, site, args: &[u64]| records.push(record(task, event, site, args));
            if let Some(op) = line.strip_prefix("# op") {
                let (n, rest) = op.split_once(' ').unwrap();
                let n: usize = n.parse().unwrap();
                match rest.strip_prefix("begin ") {
                    Some(text) => {
                        labels.ops.resize(n + 1, String::new());
                        labels.ops[n] = text.to_owned();
                        push(TraceEvent::OpBegin, 0, &[n as u64]);
                    }
                    None => {
                        let words: Vec<u64> =
                            rest.split(['=', ' ']).filter_map(|w| w.parse().ok()).map(i64::cast_unsigned).collect();
                        push(TraceEvent::OpEnd, 0, &[n as u64, words[0], words[1]]);
                    }
                }
            } else if let Some(fault) = line.strip_prefix("! page_fault_") {
                let address = fault.split(['=', ' ']).nth(2).unwrap();
                let (buffer, off) = address.split_once('+').unwrap();
                let known = labels.buffers.iter().position(|name| name == buffer);
                let index = known.unwrap_or_else(|| {
                    labels.buffers.push(buffer.to_owned());
                    labels.buffers.len() - 1
                });
                let code = number(line.rsplit_once('=').unwrap().1);
                push(TraceEvent::Fault, 0, &[index as u64, number(off), code]);
            } else if let Some(end) = line.strip_prefix("} ") {
                let (name, value) = end.split_once(" = ").unwrap_or((end, "0"));
                push(TraceEvent::Exit, site(name)?.id, &[number(value)]);
            } else {
                let (name, rest) = line.split_once('(').unwrap();
                let (args, rest) = rest.split_once(')').unwrap();
                let args: Vec<(&str, u64)> = args
                    .split_whitespace()
                    .map(|arg| arg.split_once('=').unwrap())
                    .map(|(k, v)| (k, number(v)))
                    .collect();
                let site = site(name)?;
                let names: Vec<&str> = site.locals[..site.args].iter().map(|local| local.name).collect();
                assert_eq!(names, args.iter().map(|arg| arg.0).collect::<Vec<_>>(), "{name}");
                push(TraceEvent::Enter, site.id, &args.iter().map(|arg| arg.1).collect::<Vec<_>>());
                if !rest.ends_with('{') {
                    push(TraceEvent::Exit, site.id, &[number(rest.strip_prefix(" = ").unwrap_or("0"))]);
                }
            }
        }
        Some((records, labels))
    }

    #[test]
    fn recorded_loops_are_written_as_they_stand() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
        let mut compared = 0;
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let Ok(recorded) = std::fs::read_to_string(entry.path().join("loop.txt")) else { continue };
            if crate::golden::is_cut(&recorded) {
                continue;
            }
            let Some((records, labels)) = records_of(&recorded) else { continue };
            let ours = text(&records, &labels, 0, Detail::Loop);
            if let Some(difference) = crate::golden::loop_difference(&recorded, &ours) {
                panic!("{}: {difference}", entry.path().display());
            }
            compared += 1;
        }
        assert!(compared > 30, "only {compared} cases call known functions alone");
    }

    #[test]
    fn fields_of_points() {
        let check = |point: tracepoint::Point, args: &[u64], expect: &str| {
            let records = [begin(1), record(0, TraceEvent::Point, point.id, args), end(1, 0, 0)];
            let text = text(&records, &labels(), 1, Detail::Events);
            assert_eq!(text.lines().nth(1), Some(format!(". {}: {expect}", point.name).as_str()));
        };
        check(
            tracepoint::EXT4_EXT_MAP_BLOCKS_EXIT,
            &[12, 0x42f, 0, 1099, 1, 0x830, 1],
            "dev D ino 12 flags CREATE|UNWRIT|DELALLOC|PRE_IO|METADATA_NOFAIL|IO_SUBMIT lblk 0 pblk 1099 len 1 \
             mflags NMU ret 1",
        );
        check(tracepoint::EXT4_EXT_MAP_BLOCKS_ENTER, &[12, 1, 1, 0], "dev D ino 12 lblk 1 len 1 flags");
        check(tracepoint::EXT4_ES_LOOKUP_EXTENT_EXIT, &[12, 1, 1, 1, 0, 24], "dev D ino 12 found 1 [1/1) 0 HR");
        check(
            tracepoint::EXT4_MBALLOC_ALLOC,
            &[12, 0, 2 << 32, 0, 512 << 32, 1099, 512 << 32, 2 << 32 | 1 << 8 | 1, 0x24a0, 75 << 32 | 512],
            "dev D inode 12 orig 0/0/2@0 goal 0/0/512@0 result 0/1099/512@0 blks 2 grps 1 cr 1 flags \
             HINT_DATA|HINT_GRP_ALLOC|DELALLOC_RESV|USE_RESV tail 75 broken 512",
        );
        check(tracepoint::EXT4_DA_WRITE_PAGES_EXTENT, &[12, 0, 2, 0x100], "dev D ino 12 lblk 0 len 2 flags 0x100");
        check(tracepoint::BLOCK_BIO_QUEUE, &[5, 12, 8], "D RAM 12 + 8 [wl]");
        check(tracepoint::BLOCK_BIO_QUEUE, &[0x82, 12, 8], "D WS 12 + 8 [wl]");
        check(
            tracepoint::WRITEBACK_DIRTY_INODE_ENQUEUE,
            &[12, 0x2_0005, 0o100_644],
            "dev D ino 12 dirtied=N state I_DIRTY_SYNC|I_DIRTY_PAGES|0x20000 mode 0100644",
        );
        check(
            tracepoint::WRITEBACK_MARK_INODE_DIRTY,
            &[12, 0, 0x801],
            "bdi D: ino=12 state= flags=I_DIRTY_SYNC|I_DIRTY_TIME",
        );
        check(
            tracepoint::EXT4_REQUEST_BLOCKS,
            &[12, 0x2420, 1, 0, 1],
            "dev D ino 12 flags HINT_DATA|DELALLOC_RESV|USE_RESV len 1 lblk 0 goal 1 lleft 0 lright 0 pleft 0 pright 0",
        );
    }
}
