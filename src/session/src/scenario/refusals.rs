//! Every rule of `check` and `names`, each with a scenario that breaks it and
//! the sentence that it gets.

use std::collections::BTreeSet;

use super::*;

const WHOLE: &str = r#"{"version": 1, "title": {"en": "t"}, "image": {"mkfs": {"size_mib": 16}}, "mount": "",
    "device": {"kind": "slow", "latency_ms": 5}, "memory_mib": 64, "vm": {}, "op_gap_ms": 3,
    "buffers": [{"name": "b", "len": 8192, "fill": {"text": "x"}}],
    "tasks": [{"name": "A", "setup": [{"open": {"fd": "f", "path": "f", "flags": "CREAT,RDWR"}}], "ops": [
        {"pwrite": {"fd": "f", "off": 5, "iov": [{"buf": "b", "len": 100}]}},
        {"fsync": {"fd": "f"}}]}],
    "interventions": [{"at": {"step": 3}, "do": {"mend": {}}}],
    "markers": [{"at": {"step": 4}, "label": {"en": "m"}}]}"#;

const SIZE: &str = "\"size_mib\": 16";
const KIND: &str = "\"kind\": \"slow\", \"latency_ms\": 5";
const VM: &str = "\"vm\": {}";
const BUFFER: &str = "\"len\": 8192, \"fill\": {\"text\": \"x\"}";
const OPEN: &str = "\"path\": \"f\", \"flags\": \"CREAT,RDWR\"";
const WRITE: &str = "\"off\": 5, \"iov\": [{\"buf\": \"b\", \"len\": 100}]";
/// An operation; what stands for it comes between an open file and its fsync.
const OP: &str = "{\"pwrite\": {\"fd\": \"f\", \"off\": 5, \"iov\": [{\"buf\": \"b\", \"len\": 100}]}}";
const AT: &str = "{\"step\": 3}";
const DO: &str = "{\"mend\": {}}";

/// What is changed, to what, and then the path and the sentence.
const RULES: &[(&str, &str, &str, &str)] = &[
    // Reading.
    (WHOLE, "[", ".", "not JSON: the text ends too early, at line 1, column 1"),
    (WHOLE, "[1 2]", ".", "not JSON at line 1, column 4: expected `,` or `]`"),
    ("\"version\": 1, ", "", "version", "missing; this program reads version 1"),
    ("\"version\": 1", "\"version\": 2", "version", "this program reads version 1, the file has 2"),
    ("\"title\": {\"en\": \"t\"}, ", "", ".", "the key `title` is missing"),
    (
        "\"memory_mib\": 64",
        "\"memory_mib\": \"64\"",
        "memory_mib",
        "a text stands here, and it has to be a whole number from 0 to 4294967295",
    ),
    (
        "\"memory_mib\": 64",
        "\"memory_mib\": 1.5",
        "memory_mib",
        "a number with a fraction stands here, and it has to be a whole number from 0 to 4294967295",
    ),
    (
        "\"memory_mib\": 64",
        "\"memory_mib\": -1",
        "memory_mib",
        "`-1` cannot stand here: it has to be a whole number from 0 to 4294967295",
    ),
    (
        SIZE,
        "\"size_mib\": 16, \"reserved_percent\": 256",
        "image.mkfs.reserved_percent",
        "`256` cannot stand here: it has to be a whole number from 0 to 255",
    ),
    ("\"mount\": \"\"", "\"mount\": []", "mount", "a list stands here, and it has to be a text"),
    ("\"mount\": \"\"", "\"mount\": true", "mount", "true or false stands here, and it has to be a text"),
    (VM, "\"vm\": null", "vm", "null stands here, and it has to be an object"),
    ("[{\"name\": \"b\"", "[3, {\"name\": \"b\"", "buffers[0]", "a number stands here, and it has to be an object"),
    (WRITE, "\"off\": 5, \"iov\": {}", "tasks[0].ops[0].pwrite.iov", "an object stands here, and it has to be a list"),
    (
        "\"off\": 5",
        "\"off\": \"x\"",
        "tasks[0].ops[0].pwrite.off",
        "`x` cannot stand here: it has to be a number from 0 to 2^64-1, over 2^53 as a decimal string",
    ),
    (
        "\"off\": 5",
        "\"off\": -5",
        "tasks[0].ops[0].pwrite.off",
        "a negative number stands here, and it has to be a number from 0 to 2^64-1, over 2^53 as a decimal string",
    ),
    (OP, "{\"pwrit\": {}}", "tasks[0].ops[0]", ""),
    (OP, "{\"sync\": {}, \"mend\": {}}", "tasks[0].ops[0]", "this has 2 keys, and it has to have one"),
    (OP, "[]", "tasks[0].ops[0]", "a list stands here, and it has to be a name, or an object with one key"),
    (OP, "\"sync\"", "tasks[0].ops[0]", "`sync` is an object with one key, and its fields behind it"),
    (KIND, "\"kind\": {\"slow\": 5}", "device.kind", "`slow` is a plain text, not an object"),
    (
        "\"latency_ms\": 5",
        "\"latency_ms\": 5, \"stable_writes\": 1",
        "device.stable_writes",
        "a number stands here, and it has to be true or false",
    ),
    (
        OP,
        "{\"lseek\": {\"fd\": \"f\", \"off\": \"1\", \"whence\": \"set\"}}",
        "tasks[0].ops[0].lseek.off",
        "a text stands here, and it has to be a whole number from -2^63 to 2^63-1",
    ),
    (
        OP,
        "{\"splice\": {\"in\": \"f\", \"inoff\": -1, \"out\": \"f\", \"len\": 1}}",
        "tasks[0].ops[0].splice.inoff",
        "`-1` cannot stand here: it has to be a whole number from 0 to 2^64-1",
    ),
    (
        AT,
        "{\"probe\": {\"task\": \"A\", \"op\": 1, \"nth\": 65536, \"site\": \"GPW_COPY\"}}",
        "interventions[0].at.probe.nth",
        "`65536` cannot stand here: it has to be a whole number from 0 to 65535",
    ),
    ("\"op_gap_ms\"", "\"op_gap\"", "op_gap", "unknown key"),
    // The machine.
    ("{\"en\": \"t\"}", "{\"en\": \"\"}", "title.en", "a scenario needs a title"),
    ("\"memory_mib\": 64", "\"memory_mib\": 15", "memory_mib", "15 MiB: must be 16 to 65536"),
    ("\"op_gap_ms\": 3", "\"op_gap_ms\": 60001", "op_gap_ms", "at most 60000"),
    (KIND, "\"kind\": \"slow\"", "device.latency_ms", "a slow device needs a latency"),
    ("\"kind\": \"slow\"", "\"kind\": \"ram\"", "device.latency_ms", "only of a slow device"),
    ("\"latency_ms\": 5", "\"latency_ms\": 60001", "device.latency_ms", "at most 60000"),
    (KIND, "\"kind\": \"ram\", \"bandwidth_kib_s\": 5", "device.bandwidth_kib_s", "only of a slow device"),
    ("\"latency_ms\": 5", "\"latency_ms\": 5, \"queue_depth\": 0", "device.queue_depth", "must not be 0"),
    (
        "\"latency_ms\": 5",
        "\"latency_ms\": 5, \"faults\": [{\"io\": \"read\", \"times\": 0}]",
        "device.faults[0].times",
        "must not be 0",
    ),
    (
        "\"latency_ms\": 5",
        "\"latency_ms\": 5, \"faults\": [{\"io\": \"read\", \"sectors\": 0}]",
        "device.faults[0].sectors",
        "must not be 0",
    ),
    (
        "\"latency_ms\": 5",
        "\"latency_ms\": 5, \"faults\": [{\"io\": \"read\", \"sector\": 32768}]",
        "device.faults[0].sector",
        "the device has 32768 sectors",
    ),
    (VM, "\"vm\": {\"dirty_ratio\": 101}", "vm.dirty_ratio", "a percentage is at most 100"),
    (
        VM,
        "\"vm\": {\"dirty_ratio\": 10, \"dirty_bytes\": 9999}",
        "vm.dirty_bytes",
        "the kernel keeps either the bytes or the ratio, not both",
    ),
    (VM, "\"vm\": {\"dirty_bytes\": 8191}", "vm.dirty_bytes", "at least 8192"),
    (
        VM,
        "\"vm\": {\"dirty_background_bytes\": 67108865}",
        "vm.dirty_background_bytes",
        "more than the memory of 64 MiB",
    ),
    (VM, "\"vm\": {\"dirty_expire_centisecs\": 2147483648}", "vm.dirty_expire_centisecs", "at most 2147483647"),
    // The image and its mount.
    (SIZE, "\"size_mib\": 1", "image.mkfs.size_mib", "1 MiB: an image has 2 to 1024"),
    (SIZE, "\"size_mib\": 16, \"block_size\": 512", "image.mkfs.block_size", "512: must be 1024, 2048 or 4096"),
    (SIZE, "\"size_mib\": 16, \"reserved_percent\": 51", "image.mkfs.reserved_percent", "at most 50"),
    (SIZE, "\"size_mib\": 16, \"label\": \"seventeen letters\"", "image.mkfs.label", "17 bytes: at most 16"),
    (SIZE, "\"size_mib\": 16, \"uuid\": \"5a\"", "image.mkfs.uuid", "32 hexadecimal digits, with dashes or without"),
    (SIZE, "\"size_mib\": 16, \"inodes\": 0", "image.mkfs.inodes", "must not be 0"),
    (
        SIZE,
        "\"size_mib\": 16, \"inodes\": 99, \"inode_ratio\": 8192",
        "image.mkfs.inodes",
        "either a number of inodes or a ratio, not both",
    ),
    (SIZE, "\"size_mib\": 16, \"inodes\": 4000000000", "image.mkfs", ""),
    (
        SIZE,
        "\"size_mib\": 16, \"features\": [\"64bit\", \"^64bit\"]",
        "image.mkfs.features[1]",
        "`64bit` is named twice",
    ),
    (
        SIZE,
        "\"size_mib\": 16, \"features\": [\"encrypt\"]",
        "image.mkfs.features",
        "our mkfs cannot make an image with `encrypt`",
    ),
    (
        SIZE,
        "\"size_mib\": 16, \"features\": [\"bigalloc\", \"^extents\"]",
        "image.mkfs.features",
        "bigalloc needs extents",
    ),
    (SIZE, "\"size_mib\": 16, \"cluster_size\": 16384", "image.mkfs.cluster_size", "only with the feature bigalloc"),
    (
        SIZE,
        "\"size_mib\": 16, \"features\": [\"bigalloc\"], \"cluster_size\": 2048",
        "image.mkfs.cluster_size",
        "2048: must be a power of two, 1 to 32768 times the block size",
    ),
    (
        SIZE,
        "\"size_mib\": 16, \"features\": [\"^has_journal\"], \"journal_mib\": 4",
        "image.mkfs.journal_mib",
        "the image has no journal",
    ),
    (
        SIZE,
        "\"size_mib\": 16, \"journal_mib\": 9",
        "image.mkfs.journal_mib",
        "9 MiB: at least 1024 blocks, at most half of the device",
    ),
    (
        "{\"mkfs\": {\"size_mib\": 16}}",
        "{\"upload\": {\"name\": \"x\", \"sha256\": \"5a\"}}",
        "image.upload.sha256",
        "64 hexadecimal digits",
    ),
    (
        "{\"mkfs\": {\"size_mib\": 16}}",
        "{\"upload\": {\"name\": \"\", \"sha256\": \"0000000000000000000000000000000000000000000000000000000000000000\"}}",
        "image.upload.name",
        "the file that is asked for needs a name",
    ),
    ("\"mount\": \"\"", "\"mount\": \"noatime,noload\"", "mount", "the option `noload` is not known here"),
    (
        "\"mount\": \"\"",
        "\"mount\": \"data=journal,delalloc\"",
        "mount",
        "data=journal does not allocate late: not with delalloc",
    ),
    ("\"mount\": \"\"", "\"mount\": \"data=journal,dax\"", "mount", "data=journal and dax exclude each other"),
    ("\"mount\": \"\"", "\"mount\": \"dax\"", "mount", "dax needs a device of the kind pmem"),
    (
        "\"size_mib\": 16}}, \"mount\": \"\",\n    \"device\": {\"kind\": \"slow\", \"latency_ms\": 5}",
        "\"size_mib\": 16, \"block_size\": 1024}}, \"mount\": \"dax\", \"device\": {\"kind\": \"pmem\"}",
        "mount",
        "dax needs blocks of 4096 bytes, as large as a page",
    ),
    (
        "{\"size_mib\": 16}}, \"mount\": \"\"",
        "{\"size_mib\": 16, \"features\": [\"^has_journal\"]}}, \"mount\": \"data=ordered\"",
        "mount",
        "data= needs a journal, and the image has none",
    ),
    // Memory.
    (BUFFER, "\"len\": 0", "buffers[0].len", "0 bytes: must be 1 to 268435456"),
    (BUFFER, "\"len\": 100000000", "buffers[0].len", "the buffers are larger than the memory of 64 MiB"),
    (BUFFER, "\"len\": 2, \"fill\": {\"text\": \"abc\"}", "buffers[0].fill", "3 bytes do not fit into 2"),
    (BUFFER, "\"len\": 8, \"fill\": {\"hex\": \"0g\"}", "buffers[0].fill", "`g` is no hexadecimal digit"),
    (BUFFER, "\"len\": 8, \"fill\": {\"hex\": \"000\"}", "buffers[0].fill", "an odd number of hexadecimal digits"),
    (
        BUFFER,
        "\"len\": 8, \"fill\": {\"base64\": \"abc\"}",
        "buffers[0].fill",
        "base64 comes in fours; `=` pads the last",
    ),
    (BUFFER, "\"len\": 8, \"fill\": {\"base64\": \"a=bc\"}", "buffers[0].fill", "`=` is no base64"),
    (
        BUFFER,
        "\"len\": 8, \"fill\": {\"base64\": \"abc=abcd\"}",
        "buffers[0].fill",
        "`=` stands only at the end of base64",
    ),
    ("\"buffers\": [", "\"buffers\": [{\"name\": \"b\", \"len\": 1}, ", "buffers[1].name", "a second buffer `b`"),
    ("\"name\": \"b\"", "\"name\": \"b b\"", "buffers[0].name", "a name has 1 to 32 letters, digits, `_` or `-`"),
    // The program.
    (
        "\"tasks\": [",
        "\"tasks\": [{\"name\": \"B\", \"ops\": []}, ",
        "tasks",
        "there is one program; `race` and the like give it a second thread",
    ),
    (
        "\"iov\": [{\"buf\": \"b\", \"len\": 100}]",
        "\"iov\": []",
        "tasks[0].ops[0].pwrite.iov",
        "this call takes one segment; the calls with a v take several",
    ),
    (
        "\"buf\": \"b\", \"len\": 100",
        "\"buf\": \"c\", \"len\": 100",
        "tasks[0].ops[0].pwrite.iov[0].buf",
        "no buffer is called `c`",
    ),
    (
        "\"buf\": \"b\", \"len\": 100",
        "\"buf\": \"b\", \"off\": 8100, \"len\": 100",
        "tasks[0].ops[0].pwrite.iov[0]",
        "100 bytes at 8100 do not lie in `b`, which has 8192",
    ),
    (
        "\"pwrite\": {\"fd\": \"f\"",
        "\"pwrite\": {\"fd\": \"g\"",
        "tasks[0].ops[0].pwrite.fd",
        "no descriptor is called `g` here",
    ),
    (
        OP,
        "{\"open\": {\"fd\": \"f\", \"path\": \"g\", \"flags\": \"RDWR\"}}",
        "tasks[0].ops[0].open.fd",
        "the descriptor `f` is open already",
    ),
    (
        OPEN,
        "\"path\": \"a b\", \"flags\": \"RDWR\"",
        "tasks[0].setup[0].open.path",
        "a path has 1 to 4095 bytes and no blanks",
    ),
    (OPEN, "\"path\": \"f\", \"flags\": \"RDWRITE\"", "tasks[0].setup[0].open.flags", ""),
    (
        OPEN,
        "\"path\": \"f\", \"flags\": \"RDONLY,RDWR\"",
        "tasks[0].setup[0].open.flags",
        "only one of RDONLY, WRONLY and RDWR",
    ),
    (
        OPEN,
        "\"path\": \"f\", \"flags\": \"RDWR\", \"mode\": \"888\"",
        "tasks[0].setup[0].open.mode",
        "`888`: an octal mode, at most 7777",
    ),
    (
        OP,
        "{\"pread\": {\"fd\": \"f\", \"off\": 1, \"len\": \"9223372036854775807\"}}",
        "tasks[0].ops[0].pread.off",
        "9223372036854775807 bytes at 1 go past 2^63, where no file reaches",
    ),
    (
        OP,
        "{\"bufmap\": {\"name\": \"m\", \"fd\": \"f\", \"len\": 0, \"prot\": \"r\", \"sharing\": \"shared\"}}",
        "tasks[0].ops[0].bufmap.len",
        "0 bytes: must be 1 to 268435456",
    ),
    (
        OP,
        "{\"dontneed\": {\"buf\": \"b\", \"off\": 5, \"len\": 1}}",
        "tasks[0].ops[0].dontneed.off",
        "5 is not the begin of a page",
    ),
    (
        OP,
        "{\"setflags\": {\"fd\": \"f\", \"action\": \"set\", \"flags\": \"x\"}}",
        "tasks[0].ops[0].setflags.flags",
        "`x` is none of sync, immutable, append, dax, journal_data, noatime, nodump, dirsync",
    ),
    (OP, "{\"shutdown\": {\"fd\": \"f\", \"how\": 3}}", "tasks[0].ops[0].shutdown.how", "0, 1 or 2"),
    (
        OP,
        "{\"pipe\": {\"rfd\": \"r\", \"wfd\": \"w\"}}, {\"fsync\": {\"fd\": \"w\"}}",
        "tasks[0].ops[1].fsync.fd",
        "`w` is the end of a pipe: only splice and close take it here",
    ),
    (
        OP,
        "{\"pipe\": {\"rfd\": \"r\", \"wfd\": \"w\"}}, {\"splice\": {\"in\": \"r\", \"out\": \"w\", \"len\": 1}}",
        "tasks[0].ops[1].splice",
        "from pipe to pipe is not modelled",
    ),
    (
        OP,
        "{\"splice\": {\"in\": \"f\", \"out\": \"f\", \"len\": 1}}",
        "tasks[0].ops[0].splice",
        "one end has to be a pipe",
    ),
    (OP, "{\"sigign\": {\"signal\": 9}}", "tasks[0].ops[0].sigign.signal", "SIGKILL and SIGSTOP cannot be ignored"),
    (OP, "{\"sigign\": {\"signal\": 65}}", "tasks[0].ops[0].sigign.signal", "signals are 1 to 64"),
    (
        OP,
        "{\"sysctl\": {\"path\": \"/proc/x\", \"value\": \"1\"}}",
        "tasks[0].ops[0].sysctl.path",
        "a file under /proc/sys/",
    ),
    (
        OP,
        "{\"sysctl\": {\"path\": \"/proc/sys/x\", \"value\": \"on\"}}",
        "tasks[0].ops[0].sysctl.value",
        "`on` is not a number",
    ),
    (OP, "{\"msleep\": {\"ms\": 600001}}", "tasks[0].ops[0].msleep.ms", "at most 600000"),
    (
        OP,
        "{\"umount\": {}}, {\"sync\": {}}",
        "tasks[0].ops[1].sync",
        "nothing is mounted here; only remount can follow umount",
    ),
    (
        OP,
        "{\"race_kill\": {}}, {\"race_kill\": {}}",
        "tasks[0].ops[1].race_kill",
        "a helper is ready already; wait for it with race_wait",
    ),
    (OP, "{\"race_wait\": {}}", "tasks[0].ops[0].race_wait", "no helper is ready"),
    (
        OP,
        "{\"race_kill\": {}}, {\"race_wait\": {}}",
        "tasks[0].ops[0].race_kill",
        "no write, fsync, ftruncate or fill follows in which the helper could act",
    ),
    (
        "{\"fsync\": {\"fd\": \"f\"}}",
        "{\"race_kill\": {}}",
        "tasks[0].ops[1].race_kill",
        "no write, fsync, ftruncate or fill follows in which the helper could act",
    ),
    (OP, "{\"race\": {\"umount\": {}}}", "tasks[0].ops[0].race", "the second thread does one plain call"),
    // From outside.
    (
        AT,
        "{\"probe\": {\"task\": \"C\", \"op\": 1, \"site\": \"GPW_COPY\"}}",
        "interventions[0].at.probe.task",
        "no task is called `C`",
    ),
    (
        AT,
        "{\"probe\": {\"task\": \"A\", \"op\": 0, \"site\": \"GPW_COPY\"}}",
        "interventions[0].at.probe.op",
        "the recorded operations are 1 to 2, the exit is 3",
    ),
    (
        "{\"fsync\": {\"fd\": \"f\"}}]}],\n    \"interventions\": [{\"at\": {\"step\": 3}",
        "{\"race_kill\": {}}, {\"fsync\": {\"fd\": \"f\"}}]}],\n    \"interventions\": [{\"at\": {\"probe\": {\"task\": \"B\", \"op\": 3, \"site\": \"USER_ACT\"}}",
        "interventions[0].at.probe.op",
        "no recorded operation of this number makes a second thread ready",
    ),
    (
        AT,
        "{\"probe\": {\"task\": \"A\", \"op\": 1, \"iteration\": 1, \"site\": \"GPW_COPY\"}}",
        "interventions[0].at.probe.retry",
        "round and try are both 0 outside of the loop, both from 1 inside",
    ),
    (
        AT,
        "{\"probe\": {\"task\": \"A\", \"op\": 1, \"nth\": 0, \"site\": \"GPW_COPY\"}}",
        "interventions[0].at.probe.nth",
        "hits are counted from 1",
    ),
    (
        AT,
        "{\"probe\": {\"task\": \"A\", \"op\": 1, \"site\": \"GPW_COPPY\"}}",
        "interventions[0].at.probe.site",
        "no probe is called `GPW_COPPY`",
    ),
    (DO, "{\"fail\": {\"what\": \"slab\", \"times\": 0}}", "interventions[0].do.fail.times", "must not be 0"),
    (
        DO,
        "{\"memory_failure\": {\"fd\": \"g\"}}",
        "interventions[0].do.memory_failure.fd",
        "no descriptor is called `g`",
    ),
    (
        DO,
        "{\"evict\": {\"buf\": \"b\", \"off\": 1, \"len\": 1}}",
        "interventions[0].do.evict.off",
        "1 is not the begin of a page",
    ),
    (DO, "{\"sigkill\": {\"task\": \"C\"}}", "interventions[0].do.sigkill.task", "no task is called `C`"),
    (
        "\"markers\": [",
        "\"markers\": [{\"at\": {\"step\": 4}, \"label\": {\"en\": \"n\"}}, ",
        "markers[1].at",
        "another marker stands at this step",
    ),
];

fn refused(part: &str, broken: &str) -> ScenarioError {
    assert!(WHOLE.contains(part), "{part} is not in the scenario");
    parse_strict(&WHOLE.replacen(part, broken, 1)).expect_err(broken)
}

#[test]
fn each_rule_has_its_path_and_sentence() {
    parse_strict(WHOLE).expect("it is right");
    let mut wrong = Vec::new();
    for (part, broken, path, sentence) in RULES {
        let error = refused(part, broken);
        let said = error.reason.to_string();
        let fits = error.path == *path && (sentence.is_empty() || said == *sentence) && !said.contains("{}");
        if !fits {
            wrong.push(format!("{broken}\n  {error}\n  {path}: {sentence}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sentences that no scenario of `RULES` reaches, each with the reason.
const UNREACHED: &[&str] = &[
    // Of recorded cases, see `import`.
    "the operation's name is missing",
    "{} needs a value",
    // Too long for a table; see `tests::too_many_segments`, and alike.
    "{} operations: at most {}",
    "{} segments: at most {}",
    "a name in a path has at most 255 bytes",
    // The version is looked at before the rest.
    "must be {}",
];

/// The sentences in the sources are those of the table: a new rule comes with its line.
#[test]
fn each_sentence_is_in_the_table() {
    let mut known: BTreeSet<String> = UNREACHED.iter().map(|text| (*text).to_owned()).collect();
    for (part, broken, ..) in RULES {
        let reason = refused(part, broken).reason;
        known.insert(reason.english.to_owned());
        for value in reason.values {
            if let Said::Word(word) = value {
                known.insert(word.to_owned());
            }
        }
    }
    let sources = [include_str!("check.rs"), include_str!("names.rs"), include_str!("tracked.rs")];
    for line in sources.iter().flat_map(|source| source.lines()).filter(|line| !line.trim_start().starts_with("//")) {
        if line.contains("expect(\"") {
            continue;
        }
        // Left of an arrow stand serde's words, not ours.
        let ours = line.rsplit("=>").next().unwrap_or_default();
        let texts = ours.split('"').skip(1).step_by(2);
        for text in texts.filter(|text| text.contains(' ') && !text.starts_with([' ', ','])) {
            assert!(known.contains(text), "{text}: no scenario of RULES is refused with it");
        }
    }
}
