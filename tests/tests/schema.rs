//! The published schema is that of the types, every scenario fits it, and what
//! it refuses the reader of scenarios refuses too. `UPDATE_GOLDEN=1` rewrites
//! the files of `static/schema`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use session::scenario::{parse_strict, schema};
use writepath_tests::json_schema::validate;

fn from_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_published_files_are_those_of_the_types() {
    for (file, text) in [("scenario-1.json", cli::schema::text()), ("keys-1.json", cli::schema::keys_text())] {
        let path = from_root("static/schema").join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).expect("the file can be written");
        }
        assert!(read(&path) == text, "{} is not what the types say: UPDATE_GOLDEN=1 writes it", path.display());
    }
}

#[test]
fn every_property_says_what_it_is() {
    fn look(name: &str, value: &Value) {
        for (key, inner) in value["keys"].as_array().into_iter().flatten().map(|one| (&one["key"], one)) {
            assert!(inner["doc"].is_string(), "{name}.{key}: no description");
            assert_ne!(inner["value"], "any", "{name}.{key}");
        }
        for one in ["one", "words"].iter().filter_map(|list| value[list].as_array()).flatten() {
            assert!(one["doc"].is_string() || one["word"].is_u64() || name == "Mkfs.features", "{name}: {one}");
        }
    }
    let keys = schema::keys();
    for (name, value) in keys["types"].as_object().expect("types by name") {
        look(name, value);
    }
}

#[test]
fn every_scenario_fits() {
    let schema = schema::schema();
    let library = std::fs::read_dir(from_root("static/scenarios")).expect("the library is there");
    let snapshots = std::fs::read_dir(from_root("tests/scenarios")).expect("the scenarios are there");
    let files =
        library.map(|entry| entry.expect("it can be listed").path()).filter(|path| !path.ends_with("index.json"));
    let files = files.chain(snapshots.map(|entry| entry.expect("it can be listed").path().join("scenario.json")));
    let mut count = 0;
    for path in files.filter(|path| path.is_file()) {
        let fits = validate(&schema, &read_json(&path));
        assert_eq!(fits, Ok(()), "{}", path.display());
        count += 1;
    }
    assert!(count > 90, "{count} scenarios");
}

const WHOLE: &str = r#"{"version": 1, "title": {"en": "t"}, "image": {"mkfs": {"size_mib": 16}},
    "device": {"kind": "slow", "latency_ms": 5}, "memory_mib": 64, "vm": {"dirty_ratio": 20}, "op_gap_ms": 3,
    "buffers": [{"name": "b", "len": 8192, "fill": {"seed": 7}}],
    "tasks": [{"name": "A", "ops": [
        {"open": {"fd": "f", "path": "f", "flags": "CREAT,RDWR"}},
        {"pwrite": {"fd": "f", "off": 5, "iov": [{"buf": "b", "len": 100}]}},
        {"sigign": {"signal": 25}}, {"msleep": {"ms": 1}}, {"shutdown": {"fd": "f", "how": 2}}]}],
    "interventions": [{"at": {"step": 3}, "do": {"fail": {"what": "slab", "times": 2}}}]}"#;

/// What the schema says of `WHOLE` with one part changed; the reader must agree
/// that it is wrong.
#[test]
fn what_the_schema_refuses_the_reader_refuses() {
    let schema = schema::schema();
    let whole: Value = serde_json::from_str(WHOLE).expect("it is JSON");
    assert_eq!(validate(&schema, &whole), Ok(()));
    parse_strict(WHOLE).expect("it is a scenario");
    for (part, broken) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"title\": {\"en\": \"t\"}, ", ""),
        ("{\"en\": \"t\"}", "{\"en\": \"\"}"),
        ("{\"en\": \"t\"}", "\"t\""),
        ("\"size_mib\": 16", "\"size_mib\": 1"),
        ("\"size_mib\": 16", "\"size_mib\": 1025"),
        ("\"size_mib\": 16", "\"size_mib\": \"16\""),
        ("\"size_mib\": 16", "\"size_mib\": 1.5"),
        ("\"size_mib\": 16", "\"size_mib\": 16, \"block_size\": 512"),
        ("\"size_mib\": 16", "\"size_mib\": 16, \"cluster_size\": 16384"),
        ("\"size_mib\": 16", "\"size_mib\": 16, \"reserved_percent\": 51"),
        ("\"size_mib\": 16", "\"size_mib\": 16, \"inode_ratio\": 0"),
        ("\"size_mib\": 16", "\"size_mib\": 16, \"label\": \"seventeen letters\""),
        ("\"size_mib\": 16", "\"size_mib\": 16, \"uuid\": \"5a3c\""),
        ("{\"mkfs\": {\"size_mib\": 16}}", "{\"upload\": {\"name\": \"x\", \"sha256\": \"00\"}}"),
        ("{\"mkfs\": {\"size_mib\": 16}}", "{}"),
        ("\"latency_ms\": 5", "\"latency_ms\": 60001"),
        ("\"kind\": \"slow\"", "\"kind\": \"ram\""),
        ("\"kind\": \"slow\"", "\"kind\": \"floppy\""),
        (", \"latency_ms\": 5", ""),
        ("\"latency_ms\": 5", "\"latency_ms\": 5, \"queue_depth\": 0"),
        ("\"latency_ms\": 5", "\"latency_ms\": 5, \"bandwidth_kib_s\": 0"),
        ("\"kind\": \"slow\", \"latency_ms\": 5", "\"kind\": \"ram\", \"queue_depth\": 4"),
        ("\"latency_ms\": 5", "\"latency_ms\": 5, \"faults\": [{\"io\": \"read\", \"times\": 0}]"),
        ("\"memory_mib\": 64", "\"memory_mib\": 15"),
        ("\"memory_mib\": 64", "\"memory_mib\": 65537"),
        ("\"dirty_ratio\": 20", "\"dirty_bytes\": 8191"),
        ("\"dirty_ratio\": 20", "\"dirty_expire_centisecs\": 2147483648"),
        ("\"tasks\": [", "\"tasks\": [{\"name\": \"B\", \"ops\": []}, "),
        ("\"size_mib\": 16", "\"size_mib\": 16, \"inodes\": 9, \"inode_ratio\": 4096"),
        ("\"dirty_ratio\": 20", "\"dirty_ratio\": 101"),
        ("\"dirty_ratio\": 20", "\"dirty_ratio\": 20, \"dirty_bytes\": 65536"),
        ("\"op_gap_ms\": 3", "\"op_gap_ms\": 60001"),
        ("\"op_gap_ms\": 3", "\"op_gap\": 3"),
        ("\"name\": \"b\"", "\"name\": \"b b\""),
        ("\"len\": 8192", "\"len\": 0"),
        ("\"len\": 8192", "\"len\": 268435457"),
        ("\"fill\": {\"seed\": 7}", "\"fill\": {\"seed\": 7, \"text\": \"x\"}"),
        ("\"fill\": {\"seed\": 7}", "\"fill\": 7"),
        ("\"name\": \"A\"", "\"name\": \"\""),
        ("CREAT,RDWR", "CREAT,RDWRITE"),
        ("CREAT,RDWR", ""),
        ("\"off\": 5", "\"off\": -5"),
        ("\"off\": 5", "\"off\": \"0x5\""),
        ("\"off\": 5", "\"offset\": 5"),
        ("{\"buf\": \"b\", \"len\": 100}", ""),
        ("{\"buf\": \"b\", \"len\": 100}", "{\"buf\": \"b\", \"len\": 100}, {\"buf\": \"b\", \"len\": 100}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"msleep\": {\"ms\": 600001}}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"mslep\": {\"ms\": 1}}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"race\": {\"remount\": {}}}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"race\": {\"race_kill\": {}}}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"sync\": {\"now\": true}}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"fchmod\": {\"fd\": \"f\", \"mode\": \"888\"}}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"sysctl\": {\"path\": \"/proc/vm\", \"value\": \"1\"}}"),
        ("{\"msleep\": {\"ms\": 1}}", "{\"sysctl\": {\"path\": \"/proc/sys/vm/laptop_mode\", \"value\": \"on\"}}"),
        ("\"signal\": 25", "\"signal\": 65"),
        ("\"how\": 2", "\"how\": 3"),
        ("\"times\": 2", "\"times\": 0"),
        ("\"what\": \"slab\"", "\"what\": \"slub\""),
        ("{\"step\": 3}", "{\"step\": 3, \"probe\": {}}"),
        ("{\"step\": 3}", "{\"probe\": {\"task\": \"A\", \"op\": 1, \"site\": \"VFS_WRITE\", \"nth\": 0}}"),
    ] {
        assert!(WHOLE.contains(part), "{part} is not in the scenario");
        let json = WHOLE.replacen(part, broken, 1);
        let value: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{broken}: {error}"));
        assert!(validate(&schema, &value).is_err(), "the schema takes {broken}");
        assert!(parse_strict(&json).is_err(), "the reader takes {broken}");
    }
}
