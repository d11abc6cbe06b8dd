//! What a scenario may hold, as a table: the form draws it, and the JSON pane completes from it.
//!
//! The types are `session::scenario`'s; a test holds the table against them, so that neither has a key or an operation
//! that the other lacks.

/// What stands at a place.
#[derive(Debug)]
pub enum Kind {
    /// One line of text.
    Text,
    /// Several lines of text.
    Long,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// One of some words.
    Word(&'static [&'static str]),
    /// One of some numbers.
    Size(&'static [&'static str]),
    /// Some of some words, with commas between.
    Words(&'static [&'static str]),
    /// A name that stands elsewhere in the scenario.
    Name(Names),
    /// A list of words.
    List,
    /// An object.
    Object(&'static [Field]),
    /// A list of like things, and the JSON of a new one.
    Items(&'static Kind, &'static str),
    /// An object of one key, which says what it is.
    Choice(&'static [Choice]),
    /// Pieces of buffers.
    Segments,
}

/// Whose names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Names {
    /// Buffers.
    Buffers,
    /// Descriptors.
    Fds,
    /// Tasks.
    Tasks,
    /// Probes.
    Sites,
    /// Files of the image that was taken.
    Files,
}

impl Names {
    /// All.
    pub const ALL: [Self; 5] = [Self::Buffers, Self::Fds, Self::Tasks, Self::Sites, Self::Files];

    /// The id of the list that offers them.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Buffers => "names-buffers",
            Self::Fds => "names-fds",
            Self::Tasks => "names-tasks",
            Self::Sites => "names-sites",
            Self::Files => "files",
        }
    }
}

/// A key of an object.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What stands there.
    pub kind: Kind,
    /// What is taken if it is absent; none if it must be there.
    pub absent: Option<&'static str>,
}

/// A key of an object that has one of several.
#[derive(Debug)]
pub struct Choice {
    /// The key.
    pub key: &'static str,
    /// What stands there.
    pub kind: Kind,
    /// The JSON of a new one. `$b`, `$n`, `$f` and `$t` stand for a buffer, its length, a descriptor and a task.
    pub new: &'static str,
}

const fn need(key: &'static str, kind: Kind) -> Field {
    Field { key, kind, absent: None }
}

const fn may(key: &'static str, kind: Kind, absent: &'static str) -> Field {
    Field { key, kind, absent: Some(absent) }
}

const fn choice(key: &'static str, kind: Kind, new: &'static str) -> Choice {
    Choice { key, kind, new }
}

const fn call(key: &'static str, fields: &'static [Field], new: &'static str) -> Choice {
    choice(key, Kind::Object(fields), new)
}

use Kind::{Flag, Items, List, Long, Name, Number, Object, Segments, Size, Text, Word, Words};

const FD: Field = need("fd", Name(Names::Fds));
const BUF: Field = need("buf", Name(Names::Buffers));
const OFF: Field = may("off", Number, "0");
const LEN: Field = need("len", Number);
const IOV: Field = need("iov", Segments);
const PATH: Field = need("path", Name(Names::Files));
const MODE: Field = need("mode", Text);

const WORDS: Kind = Object(&[need("en", Long), may("ko", Long, "")]);

static FILL: [Choice; 4] = [
    choice("text", Long, "\"Hello, page cache!\\n\""),
    choice("hex", Long, "\"00 ff\""),
    choice("seed", Number, "1"),
    choice("base64", Long, "\"\""),
];
static BUFFER: [Field; 4] = [
    need("name", Text),
    may("kind", Word(&["anon", "memfd", "filepriv"]), "anon"),
    LEN,
    may("fill", Kind::Choice(&FILL), "seed 1"),
];
/// A piece of a buffer.
pub static SEGMENT: [Field; 3] = [BUF, OFF, LEN];
static FAULT: [Field; 6] = [
    need("io", Word(&["write", "read"])),
    may("of", Word(&["any", "data", "metadata"]), "any"),
    may("sector", Number, "0"),
    may("sectors", Number, "∞"),
    may("skip", Number, "0"),
    may("times", Number, "∞"),
];
const FAULT_NEW: &str = "{\"io\": \"write\", \"of\": \"data\", \"times\": 1}";
const RANGE: [Field; 3] = [BUF, OFF, LEN];
const RANGE_NEW: &str = "{\"buf\": \"$b\", \"len\": $n}";
const NOTHING: &str = "{}";
const FD_NEW: &str = "{\"fd\": \"$f\"}";
const FD_LEN_NEW: &str = "{\"fd\": \"$f\", \"len\": 0}";
const WRITE: [Field; 2] = [FD, IOV];
const WRITE_NEW: &str = "{\"fd\": \"$f\", \"iov\": [{\"buf\": \"$b\", \"len\": $n}]}";
const WRITE_AT: [Field; 3] = [FD, OFF, IOV];
const WRITE_AT_NEW: &str = "{\"fd\": \"$f\", \"off\": 0, \"iov\": [{\"buf\": \"$b\", \"len\": $n}]}";
const PATH_NEW: &str = "{\"path\": \"hello.txt\"}";
const TWO_PATHS: [Field; 2] = [need("from", Name(Names::Files)), need("to", Text)];
const TWO_PATHS_NEW: &str = "{\"from\": \"hello.txt\", \"to\": \"other.txt\"}";
const OPEN_FLAGS: &[&str] = &[
    "RDWR",
    "WRONLY",
    "RDONLY",
    "CREAT",
    "TRUNC",
    "APPEND",
    "EXCL",
    "DIRECT",
    "SYNC",
    "DSYNC",
    "NOATIME",
    "NOFOLLOW",
    "DIRECTORY",
    "TMPFILE",
    "NONBLOCK",
    "CLOEXEC",
];
const RWF_FLAGS: &[&str] = &["HIPRI", "DSYNC", "SYNC", "NOWAIT", "APPEND"];

/// An operation. The ones that people want most come first.
pub static OP: Kind = Kind::Choice(&OPS);
static OPS: [Choice; 56] = [
    call(
        "open",
        &[FD, PATH, need("flags", Words(OPEN_FLAGS)), may("mode", Text, "0644")],
        "{\"fd\": \"g\", \"path\": \"hello.txt\", \"flags\": \"RDWR,CREAT\"}",
    ),
    call("write", &WRITE, WRITE_NEW),
    call("pwrite", &WRITE_AT, WRITE_AT_NEW),
    call("writev", &WRITE, WRITE_NEW),
    call("pwritev", &WRITE_AT, WRITE_AT_NEW),
    call(
        "pwritev2",
        &[FD, OFF, need("rwf", Words(RWF_FLAGS)), IOV],
        "{\"fd\": \"$f\", \"off\": 0, \"rwf\": \"DSYNC\", \"iov\": [{\"buf\": \"$b\", \"len\": $n}]}",
    ),
    call("kernel_write", &WRITE_AT, WRITE_AT_NEW),
    call("pread", &[FD, OFF, LEN], "{\"fd\": \"$f\", \"len\": 4096}"),
    call(
        "lseek",
        &[FD, need("off", Number), need("whence", Word(&["set", "cur", "end", "data", "hole"]))],
        "{\"fd\": \"$f\", \"off\": 0, \"whence\": \"set\"}",
    ),
    call("close", &[FD], FD_NEW),
    call("fsync", &[FD], FD_NEW),
    call("fdatasync", &[FD], FD_NEW),
    call("sync", &[], NOTHING),
    call("ftruncate", &[FD, LEN], FD_LEN_NEW),
    call(
        "fallocate",
        &[FD, need("mode", Word(&["0", "keep", "punch", "zero", "collapse", "insert"])), OFF, LEN],
        "{\"fd\": \"$f\", \"mode\": \"0\", \"len\": 4096}",
    ),
    call(
        "fadvise",
        &[FD, OFF, LEN, need("advice", Word(&["normal", "willneed", "dontneed", "sequential", "random"]))],
        "{\"fd\": \"$f\", \"len\": 0, \"advice\": \"willneed\"}",
    ),
    call("buf", &BUFFER, "{\"name\": \"c\", \"len\": 4096}"),
    call(
        "bufmap",
        &[
            need("name", Text),
            FD,
            OFF,
            LEN,
            need("prot", Word(&["none", "r", "rw"])),
            need("sharing", Word(&["shared", "private"])),
        ],
        "{\"name\": \"m\", \"fd\": \"$f\", \"len\": 4096, \"prot\": \"rw\", \"sharing\": \"shared\"}",
    ),
    call("fill", &[BUF, OFF, LEN, need("seed", Number)], "{\"buf\": \"$b\", \"len\": $n, \"seed\": 2}"),
    call("load", &RANGE, RANGE_NEW),
    call("dontneed", &RANGE, RANGE_NEW),
    call("unmap", &RANGE, RANGE_NEW),
    call(
        "protect",
        &[BUF, OFF, LEN, need("prot", Word(&["none", "r", "rw"]))],
        "{\"buf\": \"$b\", \"len\": $n, \"prot\": \"none\"}",
    ),
    call("msync", &RANGE, RANGE_NEW),
    call("unlink", &[PATH], PATH_NEW),
    call("mkdir", &[need("path", Text), may("mode", Text, "0755")], "{\"path\": \"d\"}"),
    call("rmdir", &[PATH], "{\"path\": \"d\"}"),
    call("link", &TWO_PATHS, TWO_PATHS_NEW),
    call("rename", &TWO_PATHS, TWO_PATHS_NEW),
    call("linkfd", &[FD, need("path", Text)], "{\"fd\": \"$f\", \"path\": \"other.txt\"}"),
    call("fchmod", &[FD, MODE], "{\"fd\": \"$f\", \"mode\": \"0644\"}"),
    call(
        "setflags",
        &[FD, need("action", Word(&["set", "clear"])), need("flags", Text)],
        "{\"fd\": \"$f\", \"action\": \"set\", \"flags\": \"append\"}",
    ),
    call("fiemap", &[FD, need("flags", Number)], "{\"fd\": \"$f\", \"flags\": 0}"),
    call("pipe", &[need("rfd", Text), need("wfd", Text)], "{\"rfd\": \"r\", \"wfd\": \"w\"}"),
    call(
        "splice",
        &[
            need("in", Name(Names::Fds)),
            may("inoff", Number, "null"),
            need("out", Name(Names::Fds)),
            may("outoff", Number, "null"),
            LEN,
        ],
        "{\"in\": \"$f\", \"out\": \"$f\", \"len\": 4096}",
    ),
    call("msleep", &[need("ms", Number)], "{\"ms\": 100}"),
    call(
        "sysctl",
        &[need("path", Text), need("value", Text)],
        "{\"path\": \"/proc/sys/vm/drop_caches\", \"value\": \"1\"}",
    ),
    call("sigign", &[need("signal", Number)], "{\"signal\": 25}"),
    call("rlimit_fsize", &[need("bytes", Number)], "{\"bytes\": 65536}"),
    call("seteuid", &[need("uid", Number)], "{\"uid\": 1000}"),
    call("remount", &[], NOTHING),
    call("umount", &[], NOTHING),
    call("shutdown", &[FD, need("how", Number)], "{\"fd\": \"$f\", \"how\": 2}"),
    call("abort", &[], NOTHING),
    call("fault", &FAULT, FAULT_NEW),
    call("mend", &[], NOTHING),
    call("freeze", &[], NOTHING),
    call("thaw", &[], NOTHING),
    call("swapon", &[PATH], "{\"path\": \"swap\"}"),
    call("swapoff", &[PATH], "{\"path\": \"swap\"}"),
    call("race_dontneed", &RANGE, RANGE_NEW),
    call("race_write", &WRITE_AT, WRITE_AT_NEW),
    call("race_truncate", &[FD, LEN], FD_LEN_NEW),
    call("race_kill", &[], NOTHING),
    choice("race", Kind::Choice(&OPS), "{\"ftruncate\": {\"fd\": \"$f\", \"len\": 0}}"),
    call("race_wait", &[], NOTHING),
];
/// A new operation.
pub const OP_NEW: &str = "{\"pwrite\": {\"fd\": \"$f\", \"off\": 0, \"iov\": [{\"buf\": \"$b\", \"len\": $n}]}}";

static AT: [Choice; 2] = [
    call(
        "probe",
        &[
            need("task", Name(Names::Tasks)),
            need("op", Number),
            may("iteration", Number, "0"),
            may("retry", Number, "0"),
            need("site", Name(Names::Sites)),
            may("nth", Number, "1"),
        ],
        "{\"task\": \"$t\", \"op\": 1, \"iteration\": 1, \"retry\": 1, \"site\": \"GPW_COPY\"}",
    ),
    choice("step", Number, "0"),
];
static DO: [Choice; 9] = [
    call("evict", &RANGE, RANGE_NEW),
    call("sigkill", &[need("task", Name(Names::Tasks))], "{\"task\": \"$t\"}"),
    call("fault", &FAULT, FAULT_NEW),
    call("mend", &[], NOTHING),
    call(
        "fail",
        &[need("what", Word(&["page_alloc", "slab", "usercopy"])), may("times", Number, "1")],
        "{\"what\": \"usercopy\"}",
    ),
    call("memory_failure", &[FD, OFF], FD_NEW),
    call("end_slice", &[], NOTHING),
    call("shutdown", &[], NOTHING),
    call("abort_journal", &[], NOTHING),
];
static TASK: [Field; 3] = [need("name", Text), may("setup", Items(&OP, OP_NEW), ""), need("ops", Items(&OP, OP_NEW))];
static TASK_KIND: Kind = Object(&TASK);
static BUFFER_KIND: Kind = Object(&BUFFER);
static FAULT_KIND: Kind = Object(&FAULT);
static INTERVENTION: Kind = Object(&[need("at", Kind::Choice(&AT)), need("do", Kind::Choice(&DO))]);
static MARKER: Kind = Object(&[need("at", Kind::Choice(&AT)), need("label", WORDS)]);

static IMAGE: [Choice; 2] = [
    call(
        "mkfs",
        &[
            need("size_mib", Number),
            may("block_size", Size(&["1024", "2048", "4096"]), "4096"),
            may("features", List, "^has_journal"),
            may("label", Text, ""),
            may("cluster_size", Number, ""),
            may("reserved_percent", Number, "5"),
            may("inode_ratio", Number, ""),
            may("inodes", Number, ""),
            may("journal_mib", Number, ""),
            may("uuid", Text, ""),
        ],
        "{\"size_mib\": 16}",
    ),
    call("upload", &[need("name", Text), need("sha256", Text)], "{\"name\": \"disk.img\", \"sha256\": \"\"}"),
];
static DEVICE: [Field; 7] = [
    may("kind", Word(&["ram", "slow", "pmem"]), "ram"),
    may("latency_ms", Number, "0"),
    may("bandwidth_kib_s", Number, "∞"),
    may("queue_depth", Number, "∞"),
    may("stable_writes", Flag, ""),
    may("strict_limit", Flag, ""),
    may("faults", Items(&FAULT_KIND, FAULT_NEW), ""),
];
static VM: [Field; 7] = [
    may("dirty_background_ratio", Number, "10"),
    may("dirty_ratio", Number, "20"),
    may("dirty_background_bytes", Number, ""),
    may("dirty_bytes", Number, ""),
    may("dirty_expire_centisecs", Number, "3000"),
    may("dirty_writeback_centisecs", Number, "0"),
    may("page_limit", Number, "∞"),
];

/// A whole scenario, in the order in which the form shows it.
pub static SCENARIO: [Field; 14] = [
    need("version", Number),
    need("title", WORDS),
    may("text", WORDS, ""),
    may("question", WORDS, ""),
    need("image", Kind::Choice(&IMAGE)),
    may("mount", Text, "data=ordered"),
    may("device", Object(&DEVICE), ""),
    may("memory_mib", Number, "512"),
    may("vm", Object(&VM), ""),
    may("op_gap_ms", Number, "12"),
    may("buffers", Items(&BUFFER_KIND, "{\"name\": \"b\", \"len\": 4096, \"fill\": {\"seed\": 1}}"), ""),
    need("tasks", Items(&TASK_KIND, "{\"name\": \"B\", \"ops\": []}")),
    may(
        "interventions",
        Items(
            &INTERVENTION,
            "{\"at\": {\"probe\": {\"task\": \"$t\", \"op\": 1, \"iteration\": 1, \"retry\": 1, \"site\": \"GPW_COPY\"}}, \
             \"do\": {\"evict\": {\"buf\": \"$b\", \"len\": $n}}}",
        ),
        "",
    ),
    may(
        "markers",
        Items(
            &MARKER,
            "{\"at\": {\"probe\": {\"task\": \"$t\", \"op\": 1, \"iteration\": 1, \"retry\": 1, \"site\": \"GPW_COPY\"}}, \
             \"label\": {\"en\": \"The copy\"}}",
        ),
        "",
    ),
];

/// A scenario to begin with: one task writes a line of text.
pub const EMPTY: &str = r#"{"version": 1, "title": {"en": "A write of my own"}, "image": {"mkfs": {"size_mib": 16}},
"buffers": [{"name": "b", "len": 19, "fill": {"text": "Hello, page cache!\n"}}],
"tasks": [{"name": "A",
"setup": [{"open": {"fd": "f", "path": "hello.txt", "flags": "RDWR,CREAT"}}],
"ops": [{"pwrite": {"fd": "f", "off": 0, "iov": [{"buf": "b", "len": 19}]}}, {"close": {"fd": "f"}}]}]}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use session::scenario::{Scenario, parse_strict};

    /// Every choice as a scenario that has it, with all its keys that take a value.
    fn with_op(op: &str) -> String {
        let op = op.replace("$b", "b").replace("$n", "19").replace("$f", "f").replace("$t", "A");
        EMPTY.replace("{\"close\"", &format!("{op}, {{\"close\""))
    }

    fn read(json: &str) -> Scenario {
        parse_strict(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    #[test]
    fn every_new_operation_is_one() {
        for op in &OPS {
            // What has to stand before it; a second thread wants a call in which it can act.
            let (before, after) = match op.key {
                "race_wait" => ("{\"race_kill\": {}}, {\"fsync\": {\"fd\": \"f\"}}, ", ""),
                "splice" => ("{\"pipe\": {\"rfd\": \"r\", \"wfd\": \"w\"}}, ", ""),
                key if key.starts_with("race") => ("", ", {\"fsync\": {\"fd\": \"f\"}}"),
                _ => ("", ""),
            };
            let new = if op.key == "splice" {
                op.new.replace("\"out\": \"$f\"", "\"out\": \"w\"")
            } else {
                op.new.to_owned()
            };
            let close = matches!(op.key, "close" | "umount" | "remount");
            let json = with_op(&format!("{before}{{\"{}\": {new}}}{after}", op.key));
            let json = if close { json.replace(", {\"close\": {\"fd\": \"f\"}}]}]}", "]}]}") } else { json };
            let found = read(&json).tasks[0].ops.iter().any(|known| known.name() == op.key);
            assert!(found, "{}", op.key);
        }
    }

    /// The published schema, which a test of `session` holds against the types.
    fn schema() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../../static/schema/scenario-1.json")).expect("it is JSON")
    }

    /// The keys of an object of the schema, sorted.
    fn keys(object: &serde_json::Value, all: &serde_json::Value) -> Vec<String> {
        let name = object["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let object = name.map_or(object, |name| &all["$defs"][name]);
        let mut found: Vec<String> =
            object["properties"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
        found.sort();
        found
    }

    fn own(fields: &[Field]) -> Vec<String> {
        let mut found: Vec<String> = fields.iter().map(|field| field.key.to_owned()).collect();
        found.sort();
        found
    }

    #[test]
    fn objects_are_those_of_the_schema() {
        let all = schema();
        assert_eq!(own(&SCENARIO), keys(&all, &all));
        for (name, fields) in [
            ("Buffer", &BUFFER[..]),
            ("Segment", &SEGMENT),
            ("Fault", &FAULT),
            ("Task", &TASK),
            ("Device", &DEVICE),
            ("Vm", &VM),
        ] {
            assert_eq!(own(fields), keys(&all["$defs"][name], &all), "{name}");
        }
    }

    #[test]
    fn choices_are_those_of_the_schema() {
        let all = schema();
        for (name, choices) in [("Op", &OPS[..]), ("Act", &DO), ("At", &AT), ("Image", &IMAGE), ("Fill", &FILL)] {
            let theirs = all["$defs"][name]["oneOf"].as_array().expect("one of several");
            let mut seen: Vec<&str> = Vec::new();
            for one in theirs {
                let (key, content) = one["properties"].as_object().and_then(|one| one.iter().next()).expect("a key");
                let own_choice = choices.iter().find(|choice| choice.key == key);
                let choice = own_choice.unwrap_or_else(|| panic!("{name} lacks {key}"));
                if let Kind::Object(fields) = &choice.kind {
                    assert_eq!(own(fields), keys(content, &all), "{name} {key}");
                }
                seen.push(choice.key);
            }
            assert_eq!(seen.len(), choices.len(), "{name} has more than the schema: {seen:?}");
        }
    }
}
