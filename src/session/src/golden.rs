//! Recorded cases: what a real kernel did, and how far we agree with it.
//!
//! | figure | measured as |
//! |---|---|
//! | result | operations, end of the process, files, free counts, e2fsck: all or nothing |
//! | loop | `loop.txt` line by line, see [`loop_lines`]: all or nothing |
//! | events | [`ratio`] of the lines of `events.txt`, see [`event_lines`] |
//! | graph | [`ratio`] of the names in `graph.txt`, see [`graph_names`] |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The `result.json` of a case, and of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// Name of the case.
    #[serde(default)]
    pub scenario: String,
    /// How the program ended.
    pub process_end: ProcessEnd,
    /// What every operation gave.
    pub syscalls: Vec<Syscall>,
    /// Exit status of `e2fsck -fn` on the image; `None` if it was not run.
    pub e2fsck_exit: Option<i32>,
    /// Counts of the superblock after the unmount.
    pub fs_after: FsCounts,
    /// State of each file, `None` if there is none of that name.
    pub files: BTreeMap<String, Option<FileState>>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEnd {
    /// Exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
}

/// What an operation gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syscall {
    /// Its number.
    pub op: usize,
    /// The operation on one line.
    #[serde(default)]
    pub text: String,
    /// Its result; absent if the process died in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ret: Option<i64>,
    /// Name of the error, if there is one: `EFAULT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// The process died in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub killed: bool,
    /// Traced, not set-up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub traced: bool,
    /// What `ext4_file_write_iter` returned in the call the process died in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_ret: Option<i64>,
}

/// The kernel's name of an error number.
#[must_use]
pub fn errno_name(number: u16) -> String {
    const NAMES: [(u16, &str); 36] = [
        (1, "EPERM"),
        (2, "ENOENT"),
        (4, "EINTR"),
        (5, "EIO"),
        (6, "ENXIO"),
        (9, "EBADF"),
        (11, "EAGAIN"),
        (12, "ENOMEM"),
        (13, "EACCES"),
        (14, "EFAULT"),
        (16, "EBUSY"),
        (17, "EEXIST"),
        (18, "EXDEV"),
        (19, "ENODEV"),
        (20, "ENOTDIR"),
        (21, "EISDIR"),
        (22, "EINVAL"),
        (25, "ENOTTY"),
        (26, "ETXTBSY"),
        (27, "EFBIG"),
        (28, "ENOSPC"),
        (29, "ESPIPE"),
        (30, "EROFS"),
        (31, "EMLINK"),
        (32, "EPIPE"),
        (34, "ERANGE"),
        (36, "ENAMETOOLONG"),
        (38, "ENOSYS"),
        (39, "ENOTEMPTY"),
        (61, "ENODATA"),
        (74, "EFSBADCRC"),
        (75, "EOVERFLOW"),
        (95, "EOPNOTSUPP"),
        (117, "EUCLEAN"),
        (122, "EDQUOT"),
        (125, "ECANCELED"),
    ];
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("E{number}"), |(_, name)| (*name).to_owned())
}

/// Counts of the superblock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsCounts {
    /// Free blocks.
    pub free_blocks: u64,
    /// Free inodes.
    pub free_inodes: u64,
}

/// A file as it stands on the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Inode number.
    pub ino: u32,
    /// `regular`, `directory`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Permissions, octal with a leading 0.
    pub mode: String,
    /// `i_flags`, hexadecimal.
    pub flags: String,
    /// Bytes.
    pub size: u64,
    /// Names.
    pub links: u16,
    /// Space used, 512-byte units.
    pub i_blocks: u64,
    /// Blocks of pointers: `IND`, `DIND`, `TIND` and where; block-mapped files only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indirect_blocks: Vec<(String, u64)>,
    /// `[logical, physical, length, unwritten]` in blocks.
    pub extents: Vec<(u64, u64, u64, u8)>,
    /// SHA-256 of the content; `None` for a file over 64 MiB.
    pub sha256: Option<String>,
}

/// Reads a `result.json`.
///
/// # Errors
/// Where and what is wrong with it.
pub fn parse_result(json: &str) -> Result<CaseResult, String> {
    crate::scenario::tracked::from_str(json).map(|(result, _)| result).map_err(|error| error.to_string())
}

/// Writes a `result.json`.
#[must_use]
pub fn emit_result(result: &CaseResult) -> String {
    let mut json = serde_json::to_string_pretty(result).expect("a result holds only strings, numbers and lists");
    json.push('\n');
    json
}

/// The first thing in which our result differs; `None` if they agree.
#[must_use]
pub fn result_difference(expected: &CaseResult, ours: &CaseResult) -> Option<String> {
    for (n, want) in expected.syscalls.iter().enumerate() {
        let Some(have) = ours.syscalls.get(n) else {
            return Some(format!("op{n} {}: was not run", want.text));
        };
        if (want.op, want.ret, &want.errno) != (have.op, have.ret, &have.errno)
            || (want.killed, want.kernel_ret) != (have.killed, have.kernel_ret)
        {
            return Some(format!("op{n} {}: {}, expected {}", want.text, outcome_text(have), outcome_text(want)));
        }
    }
    if let Some(extra) = ours.syscalls.get(expected.syscalls.len()) {
        return Some(format!("op{} {}: should not have run", extra.op, extra.text));
    }
    if expected.process_end != ours.process_end {
        return Some(format!("process_end: {:?}, expected {:?}", ours.process_end, expected.process_end));
    }
    for (path, want) in &expected.files {
        match (want, ours.files.get(path).and_then(Option::as_ref)) {
            (None, None) => {}
            (None, Some(_)) => return Some(format!("{path}: is there, expected gone")),
            (Some(_), None) => return Some(format!("{path}: is missing")),
            (Some(want), Some(have)) => {
                if let Some(difference) = file_difference(want, have) {
                    return Some(format!("{path}: {difference}"));
                }
            }
        }
    }
    let (want, have) = (expected.fs_after, ours.fs_after);
    if want.free_blocks != have.free_blocks {
        return Some(format!("free_blocks: {}, expected {}", have.free_blocks, want.free_blocks));
    }
    if want.free_inodes != have.free_inodes {
        return Some(format!("free_inodes: {}, expected {}", have.free_inodes, want.free_inodes));
    }
    if expected.e2fsck_exit != ours.e2fsck_exit {
        return Some(format!("e2fsck_exit: {:?}, expected {:?}", ours.e2fsck_exit, expected.e2fsck_exit));
    }
    None
}

fn outcome_text(call: &Syscall) -> String {
    let mut words = Vec::new();
    words.extend(call.ret.map(|ret| format!("ret {ret}")));
    words.extend(call.errno.clone());
    words.extend(call.killed.then(|| "killed".to_owned()));
    words.extend(call.kernel_ret.map(|ret| format!("kernel_ret {ret}")));
    words.join(" ")
}

fn file_difference(want: &FileState, have: &FileState) -> Option<String> {
    macro_rules! first {
        ($($field:ident),*) => {$(
            if want.$field != have.$field {
                return Some(format!("{} {:?}, expected {:?}", stringify!($field), have.$field, want.$field));
            }
        )*};
    }
    first!(ino, kind, mode, flags, size, links, i_blocks, indirect_blocks, extents, sha256);
    None
}

/// A cut file says so in a line of its own, and is not compared.
#[must_use]
pub fn is_cut(text: &str) -> bool {
    text.contains("lines left out here")
}

/// The lines of a `loop.txt` that are compared: without `ip=`, and without
/// page faults inside `iov_iter_copy_from_user_atomic`, whose number depends
/// on the CPU; the call then closes on its own line.
#[must_use]
pub fn loop_lines(text: &str) -> Vec<String> {
    loop_rows(text).into_iter().map(|(_, line)| line).collect()
}

/// The same with the number of the line in the text, from 0.
fn loop_rows(text: &str) -> Vec<(usize, String)> {
    const COPY: &str = "iov_iter_copy_from_user_atomic";
    let mut lines: Vec<(usize, String)> = Vec::new();
    // By tag: the line that opened a copy.
    let mut copying: BTreeMap<String, usize> = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let (tag, rest) = split_tag(line);
        let inner = rest.trim_start();
        if inner.starts_with(COPY) && inner.ends_with('{') {
            copying.insert(tag.to_owned(), lines.len());
        } else if inner.starts_with("! page_fault") {
            if copying.contains_key(tag) {
                continue;
            }
            let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with("ip=")).collect();
            lines.push((number, words.join(" ")));
            continue;
        } else if let Some(value) = inner.strip_prefix("} ").and_then(|end| end.strip_prefix(COPY))
            && let Some(open) = copying.remove(tag)
        {
            // Something else may stand inside in events.txt: then it stays a block.
            let prefix = format!("{tag}{}", &rest[..rest.len() - inner.len() + 1]);
            let own =
                |(_, line): &(usize, String)| line.starts_with(&prefix) || (tag.is_empty() && line.starts_with(' '));
            if !lines[open + 1..].iter().any(own) {
                let closed = lines[open].1.trim_end_matches(" {").to_owned() + value;
                lines[open].1 = closed;
                continue;
            }
        }
        lines.push((number, line.to_owned()));
    }
    lines
}

/// `[A] ` and what follows; an empty tag if there is none.
fn split_tag(line: &str) -> (&str, &str) {
    if line.starts_with('[')
        && let Some(end) = line.find("] ")
    {
        return line.split_at(end + 2);
    }
    ("", line)
}

/// Where two texts part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineDifference {
    /// Number of the line among those compared, from 1.
    pub line: usize,
    /// The line expected, if there is one.
    pub expected: Option<String>,
    /// Our line, if there is one.
    pub ours: Option<String>,
}

impl std::fmt::Display for LineDifference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |line: &Option<String>| line.as_ref().map_or("the end".into(), |line| format!("`{}`", line.trim()));
        write!(out, "line {}: {}, expected {}", self.line, show(&self.ours), show(&self.expected))
    }
}

/// The first line in which two `loop.txt` differ; `None` if they agree.
#[must_use]
pub fn loop_difference(expected: &str, ours: &str) -> Option<LineDifference> {
    let (expected, ours) = (loop_lines(expected), loop_lines(ours));
    let line = (0..expected.len().max(ours.len())).find(|&n| expected.get(n) != ours.get(n))?;
    Some(LineDifference { line: line + 1, expected: expected.get(line).cloned(), ours: ours.get(line).cloned() })
}

/// The lines of an `events.txt` that are compared: those of the workload and
/// the flusher, not of jbd2's thread, without indentation and without the fields that differ from run to run or
/// between stable releases.
#[must_use]
pub fn event_lines(text: &str) -> Vec<String> {
    event_rows(text).into_iter().map(|(_, line)| line).collect()
}

/// The same with the number of the line in the text, from 0.
#[must_use]
pub fn event_rows(text: &str) -> Vec<(usize, String)> {
    let kept = loop_rows(text).into_iter().filter_map(|(number, line)| {
        let (tag, rest) = split_tag(&line);
        if tag.starts_with("[jbd2]") {
            return None;
        }
        let rest = rest.trim();
        if rest.starts_with(". ext4_fc_track_") || rest.starts_with(". global_dirty_state") {
            return None;
        }
        let tag = if tag == "[A] " { "" } else { tag };
        let line = format!("{tag}{}", if rest.starts_with(". ") { without_fields(rest) } else { rest.to_owned() });
        Some((number, line))
    });
    kept.collect()
}

fn without_fields(line: &str) -> String {
    const DROPPED: [&str; 8] =
        ["line_no", "request_delay", "interval", "sync", "tid", "requested_blocks", "rsv_blocks", "revoke_creds"];
    let journal_start = line.starts_with(". ext4_journal_start");
    let mut out: Vec<&str> = Vec::new();
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let name = word.trim_end_matches(',');
        if DROPPED.contains(&name) || (journal_start && name == "blocks") {
            words.next();
        } else if name == "caller" {
            words.next();
            words.next_if(|module| module.starts_with('['));
        } else {
            out.push(word);
        }
    }
    out.join(" ")
}

/// The function names of a `graph.txt`, in order.
#[must_use]
pub fn graph_names(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| {
        let line = split_tag(line).1.trim();
        if line.starts_with(['#', '}', '.', '!', '/', '-']) {
            return None;
        }
        let name = line.split(['(', ' ', ';', '{']).next().unwrap_or_default();
        let name = name.split('.').next().unwrap_or_default();
        (!name.is_empty() && !["timestamp_truncate", "iomap_apply"].contains(&name)).then(|| name.to_owned())
    });
    names.collect()
}

/// `2M/T`: twice the number of matching items over the number of all, as
/// `difflib.SequenceMatcher(None, a, b).ratio()` of Python counts it, its
/// heuristic for popular items included. 1 if both are empty.
#[must_use]
pub fn ratio<T: Ord>(a: &[T], b: &[T]) -> f64 {
    let total = a.len() + b.len();
    if total == 0 {
        return 1.0;
    }
    // Exact: both counts are far below 2^52.
    #[allow(clippy::cast_precision_loss, reason = "line counts")]
    let ratio = 2.0 * matching(a, b) as f64 / total as f64;
    ratio
}

fn matching<T: Ord>(a: &[T], b: &[T]) -> usize {
    let mut places: BTreeMap<&T, Vec<usize>> = BTreeMap::new();
    for (j, item) in b.iter().enumerate() {
        places.entry(item).or_default().push(j);
    }
    if b.len() >= 200 {
        let most = b.len() / 100 + 1;
        places.retain(|_, js| js.len() <= most);
    }
    let none = Vec::new();
    let a_places: Vec<&Vec<usize>> = a.iter().map(|item| places.get(item).unwrap_or(&none)).collect();
    let mut sum = 0;
    let mut queue = vec![(0, a.len(), 0, b.len())];
    // Length of the match that ends at j, for the row before and this one.
    let (mut before, mut now) = (vec![0; b.len() + 1], vec![0; b.len() + 1]);
    while let Some((alo, ahi, blo, bhi)) = queue.pop() {
        let (mut i0, mut j0, mut size) = (alo, blo, 0);
        let mut touched_before: Vec<usize> = Vec::new();
        for (i, js) in a_places.iter().enumerate().take(ahi).skip(alo) {
            let mut touched = Vec::new();
            for &j in js.iter().skip_while(|j| **j < blo).take_while(|j| **j < bhi) {
                let length = if j > blo { before[j - 1] } else { 0 } + 1;
                now[j] = length;
                touched.push(j);
                if length > size {
                    (i0, j0, size) = (i + 1 - length, j + 1 - length, length);
                }
            }
            touched_before.iter().for_each(|&j| before[j] = 0);
            std::mem::swap(&mut before, &mut now);
            touched_before = touched;
        }
        touched_before.iter().for_each(|&j| before[j] = 0);
        while i0 > alo && j0 > blo && a[i0 - 1] == b[j0 - 1] {
            (i0, j0, size) = (i0 - 1, j0 - 1, size + 1);
        }
        while i0 + size < ahi && j0 + size < bhi && a[i0 + size] == b[j0 + size] {
            size += 1;
        }
        if size > 0 {
            sum += size;
            if alo < i0 && blo < j0 {
                queue.push((alo, i0, blo, j0));
            }
            if i0 + size < ahi && j0 + size < bhi {
                queue.push((i0 + size, ahi, j0 + size, bhi));
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `python3 -c "import difflib; print(difflib.SequenceMatcher(None, a, b).ratio())"` prints.
    fn check(a: &[u64], b: &[u64], expect: f64) {
        let ours = ratio(a, b);
        assert!((ours - expect).abs() < 1e-12, "{ours}, Python says {expect}");
    }

    /// A row of numbers below `most`, the same in the Python that made the expectations.
    fn row(seed: u64, len: usize, most: u64) -> Vec<u64> {
        let mut x = seed;
        (0..len)
            .map(|_| {
                x = (x * 1_103_515_245 + 12_345) % (1 << 31);
                (x >> 16) % most
            })
            .collect()
    }

    #[test]
    fn the_ratio_is_difflibs() {
        check(&[], &[], 1.0);
        check(&[1, 2, 3, 4], &[2, 3, 4, 5], 0.75);
        check(&[1], &[], 0.0);
        check(&row(1, 50, 9), &row(2, 60, 9), RATIOS[0]);
        check(&row(3, 300, 40), &row(4, 250, 40), RATIOS[1]);
        check(&row(5, 500, 120), &row(6, 400, 120), RATIOS[2]);
        check(&row(7, 500, 1000), &row(7, 450, 1000), RATIOS[3]);
    }

    const RATIOS: [f64; 4] = [0.2727272727272727, 0.014545454545454545, 0.05333333333333334, 0.9473684210526315];

    #[test]
    fn faults_in_the_copy_are_left_out() {
        let text = "x(a=1) {\n  iov_iter_copy_from_user_atomic(offset=0 bytes=9) {\n    ! page_fault_kernel: address=b+0x0 \
                    ip=f error_code=0x0\n  } iov_iter_copy_from_user_atomic = 5\n  y() {\n    ! page_fault_kernel: \
                    address=b+0x0 ip=g error_code=0x0\n  } y = 0\n} x\n";
        let expect = [
            "x(a=1) {",
            "  iov_iter_copy_from_user_atomic(offset=0 bytes=9) = 5",
            "  y() {",
            "    ! page_fault_kernel: address=b+0x0 error_code=0x0",
            "  } y = 0",
            "} x",
        ];
        assert_eq!(loop_lines(text), expect);
        let tagged: String = text.lines().map(|line| format!("[A] {line}\n")).collect();
        let expect: Vec<String> = expect.iter().map(|line| format!("[A] {line}")).collect();
        assert_eq!(loop_lines(&tagged), expect);
        assert_eq!(loop_difference(text, text), None);
        let short = text.replace("} x\n", "");
        let difference = loop_difference(text, &short).expect("a line is missing");
        assert_eq!(difference.to_string(), "line 6: the end, expected `} x`");
    }

    #[test]
    fn what_varies_is_left_out_of_events() {
        let text = "[A] f() {\n[A]   . ext4_journal_start: dev D blocks 2, rsv_blocks 0, revoke_creds 8, caller g [ext4]\n\
                    [jbd2] . jbd2_end_commit: dev D\n[A]   . jbd2_handle_stats: dev D tid 5 type 1 line_no 6146 interval N \
                    sync N requested_blocks 3 dirtied_blocks 0\n[A]   . ext4_fc_track_inode: dev D, inode 12, error -95\n\
                    [B]   . ext4_truncate_enter: dev D ino 12 blocks 8\n[A] } f = 0\n";
        let expect = [
            "f() {",
            ". ext4_journal_start: dev D",
            ". jbd2_handle_stats: dev D type 1 dirtied_blocks 0",
            "[B] . ext4_truncate_enter: dev D ino 12 blocks 8",
            "} f = 0",
        ];
        assert_eq!(event_lines(text), expect);
    }

    #[test]
    fn a_difference_is_named() {
        let file = FileState { ino: 12, extents: vec![(0, 1099, 1, 0)], ..FileState::default() };
        let call = Syscall { text: "write f b0:0:9".into(), ret: Some(9), ..Syscall::default() };
        let expected = CaseResult {
            syscalls: vec![call],
            files: [("f".to_owned(), Some(file))].into(),
            e2fsck_exit: Some(0),
            ..CaseResult::default()
        };
        assert_eq!(result_difference(&expected, &expected), None);
        let check = |change: fn(&mut CaseResult), expect: &str| {
            let mut ours = expected.clone();
            change(&mut ours);
            assert_eq!(result_difference(&expected, &ours).as_deref(), Some(expect));
        };
        check(
            |ours| (ours.syscalls[0].ret, ours.syscalls[0].errno) = (Some(-1), Some(errno_name(28))),
            "op0 write f b0:0:9: ret -1 ENOSPC, expected ret 9",
        );
        check(|ours| ours.syscalls.clear(), "op0 write f b0:0:9: was not run");
        check(|ours| ours.files.clear(), "f: is missing");
        check(
            |ours| ours.files.values_mut().flatten().for_each(|file| file.extents.clear()),
            "f: extents [], expected [(0, 1099, 1, 0)]",
        );
        check(|ours| ours.fs_after.free_blocks = 7, "free_blocks: 7, expected 0");
    }
}
