//! Reading, writing and refusing scenarios.

use proptest::prelude::*;

use super::ops::{Advice, FallocateMode, Prot, Sharing, Whence};
use super::*;

const SMALL: &str = r#"{"version": 1, "title": {"en": "t"}, "image": {"mkfs": {"size_mib": 16}},
    "buffers": [{"name": "b", "len": 100}],
    "tasks": [{"name": "A", "ops": [
        {"open": {"fd": "f", "path": "f", "flags": "CREAT,RDWR"}},
        {"pwrite": {"fd": "f", "off": 5, "iov": [{"buf": "b", "len": 100}]}}]}]}"#;

fn check(json: &str, path: &str, reason: &str) {
    let error = parse(json).expect_err("the scenario is wrong");
    assert_eq!(error.path, path, "{error}");
    assert!(error.reason.to_string().contains(reason), "{error}");
}

#[test]
fn a_small_one() {
    let parsed = parse(SMALL).expect("it is right");
    assert_eq!(parsed.warnings, Vec::<String>::new());
    let task = &parsed.scenario.tasks[0];
    assert_eq!(task.ops[1].text(), "pwrite f 5 b:0:100");
    assert_eq!(parse_strict(&emit_pretty(&parsed.scenario)), Ok(parsed.scenario));
}

#[test]
fn faults_have_their_path() {
    check("[", ".", "ends too early");
    check("{}", "version", "missing");
    check(&SMALL.replace("\"version\": 1", "\"version\": 2"), "version", "has 2");
    check(&SMALL.replace("\"len\": 100}]}}", "\"len\": 101}]}}"), "tasks[0].ops[1].pwrite.iov[0]", "do not lie in `b`");
    check(&SMALL.replace("\"off\": 5", "\"off\": -5"), "tasks[0].ops[1].pwrite.off", "a negative number");
    check(&SMALL.replace("\"off\": 5", "\"off\": \"x\""), "tasks[0].ops[1].pwrite.off", "cannot stand here");
    check(&SMALL.replace("\"buf\": \"b\"", "\"buf\": \"c\""), "tasks[0].ops[1].pwrite.iov[0].buf", "`c`");
    check(&SMALL.replace("pwrite", "pwrit"), "tasks[0].ops[1]", "`pwrit` is none of buf");
    check(&SMALL.replace("{\"fd\": \"f\", \"off\"", "{\"fd\": \"g\", \"off\""), "tasks[0].ops[1].pwrite.fd", "`g`");
    check(&SMALL.replace("RDWR", "RDW"), "tasks[0].ops[0].open.flags", "`RDW`");
    check(&SMALL.replace("\"size_mib\": 16", "\"size_mib\": 1025"), "image.mkfs.size_mib", "1025");
    check(&SMALL.replace("\"size_mib\": 16", "\"size_mib\": 16, \"block_size\": 512"), "image.mkfs.block_size", "512");
    check(&SMALL.replace("\"name\": \"A\"", "\"name\": \"A b\""), "tasks[0].name", "1 to 32");
    check(
        &SMALL.replace("\"title\"", "\"device\": {\"kind\": \"slow\"}, \"title\""),
        "device.latency_ms",
        "needs a latency",
    );
    check(&format!("{SMALL} x"), ".", "trailing");
    check(&SMALL.replace("{\"open\"", "{\"close\": {}, \"open\""), "tasks[0].ops[0]", "this has 2 keys");
    check(&SMALL.replace("{\"name\": \"b\", \"len\": 100}", "[\"b\", 100]"), "buffers[0]", "it has to be an object");
    check(
        &SMALL.replace("\"size_mib\": 16", "\"size_mib\": 1.5"),
        "image.mkfs.size_mib",
        "a number with a fraction stands here",
    );
}

#[test]
fn too_many_segments() {
    let one = "{\"buf\": \"b\", \"len\": 1}";
    let many = vec![one; SEGMENTS_MAX + 1].join(",");
    let json = SMALL.replace("pwrite", "pwritev").replace("{\"buf\": \"b\", \"len\": 100}", &many);
    check(&json, "tasks[0].ops[1].pwritev.iov", "1025 segments");
}

#[test]
fn interventions_name_what_there_is() {
    let with = |at: &str, act: &str| {
        SMALL.replace(
            "\"buffers\"",
            &format!("\"interventions\": [{{\"at\": {{{at}}}, \"do\": {{{act}}}}}], \"buffers\""),
        )
    };
    let probe = r#""probe": {"task": "A", "op": 1, "iteration": 1, "retry": 1, "site": "GPW_COPY"}"#;
    let evict = r#""evict": {"buf": "b", "len": 100}"#;
    let parsed = parse(&with(probe, evict)).expect("it is right");
    assert_eq!(parse_strict(&emit(&parsed.scenario)), Ok(parsed.scenario));
    check(&with(&probe.replace("COPY", "COPPY"), evict), "interventions[0].at.probe.site", "GPW_COPPY");
    check(
        &with(&probe.replace("\"op\": 1", "\"op\": 3"), evict),
        "interventions[0].at.probe.op",
        "0 to 1, the exit is 2",
    );
    check(&with("\"step\": 3", &evict.replace("\"b\"", "\"z\"")), "interventions[0].do.evict.buf", "`z`");
    check(&with("\"step\": 3", "\"sigkill\": {\"task\": \"B\"}"), "interventions[0].do.sigkill.task", "`B`");
}

#[test]
fn unknown_keys_are_named() {
    let json =
        SMALL.replace("\"off\": 5", "\"off\": 5, \"colour\": 1").replace("\"title\"", "\"shape\": {}, \"title\"");
    let parsed = parse(&json).expect("they are no error");
    assert_eq!(parsed.warnings.len(), 2);
    assert_eq!(parsed.warnings[0], "shape");
    assert_eq!(parsed.warnings[1], "tasks[0].ops[1].pwrite.colour");
    assert_eq!(parse_strict(&json).map_err(|error| error.reason), Err("unknown key".into()));
}

#[test]
fn large_numbers_are_strings() {
    let json = SMALL.replace("\"off\": 5", "\"off\": \"18446744073709551615\"");
    let scenario = parse_strict(&json).expect("it is right");
    assert!(emit(&scenario).contains(r#""off":"18446744073709551615""#));
    assert_eq!(parse_strict(&emit(&scenario)), Ok(scenario));
}

/// Buffers `b0` and `b1` of 64 KiB, descriptor `f` and the pipe `r`, `w` are there.
fn any_op() -> impl Strategy<Value = Op> {
    let fd = || Just("f".to_owned());
    let segment = ("b[01]", 0u64..30_000, 0u64..30_000).prop_map(|(buf, off, len)| Segment { buf, off, len });
    let place = ("b[01]", 0u64..8, 0u64..20_000).prop_map(|(buf, page, len)| (buf, page * 4096, len));
    prop_oneof![
        (any::<u64>(), segment.clone()).prop_map(|(off, s)| Op::Pwrite { fd: "f".into(), off, iov: vec![s] }),
        segment.clone().prop_map(|s| Op::Write { fd: "f".into(), iov: vec![s] }),
        (any::<u64>(), prop::collection::vec(segment, 0..9)).prop_map(|(off, iov)| Op::Pwritev {
            fd: "f".into(),
            off,
            iov
        }),
        place.clone().prop_map(|(buf, off, len)| Op::Dontneed { buf, off, len }),
        place.clone().prop_map(|(buf, off, len)| Op::Protect { buf, off, len, prot: Prot::None }),
        place.prop_map(|(buf, off, len)| Op::Fill { buf, off, len, seed: 7 }),
        (any::<u64>(), any::<u64>()).prop_map(|(off, len)| Op::Fallocate {
            fd: "f".into(),
            mode: FallocateMode::Punch,
            off,
            len
        }),
        any::<i64>().prop_map(|off| Op::Lseek { fd: "f".into(), off, whence: Whence::Data }),
        (0..=u64::MAX >> 1).prop_map(|len| Op::Fadvise { fd: "f".into(), off: 0, len, advice: Advice::Willneed }),
        fd().prop_map(|fd| Op::Fsync { fd }),
        (any::<Option<u32>>(), 0u64..9).prop_map(|(off, len)| Op::Splice {
            from: "f".into(),
            inoff: off.map(u64::from),
            to: "w".into(),
            outoff: None,
            len
        }),
        Just(Op::Sync {}),
        "[0-7]{3}".prop_map(|mode| Op::Fchmod { fd: "f".into(), mode }),
    ]
}

fn any_fill() -> impl Strategy<Value = Fill> {
    prop_oneof![
        any::<u32>().prop_map(Fill::Seed),
        "\\PC{0,20}".prop_map(Fill::Text),
        "([0-9a-f]{2}){0,9}".prop_map(Fill::Hex),
    ]
}

fn any_text() -> impl Strategy<Value = Text> {
    ("\\PC{1,30}", prop::option::of("\\PC{0,9}")).prop_map(|(en, ko)| Text { en, ko })
}

prop_compose! {
    fn any_scenario()(
        title in any_text(),
        text in any_text(),
        size_mib in 2u32..=1024,
        block_size in prop::sample::select(vec![1024u32, 2048, 4096]),
        label in "[a-z]{0,16}",
        slow in any::<Option<u8>>(),
        vm in (prop::option::of(8192u32..=512 << 20), prop::option::of(0u32..1 << 31)),
        fills in (any_fill(), any_fill()),
        setup in prop::collection::vec(any_op(), 0..5),
        ops in prop::collection::vec(any_op(), 1..5),
        step in any::<u32>(),
        ats in (0u32..3, 1u16..4),
    ) -> Scenario {
        let mut scenario = Scenario::new("x", size_mib);
        scenario.title = title.clone();
        scenario.text = text;
        scenario.image = Image::Mkfs(Mkfs { size_mib, block_size, label, ..Mkfs::default() });
        if let Some(latency) = slow {
            scenario.device = Device { kind: DeviceKind::Slow, latency_ms: u32::from(latency) + 1, ..Device::default() };
        }
        scenario.vm.dirty_bytes = vm.0;
        scenario.vm.dirty_expire_centisecs = vm.1;
        let (first, second) = fills;
        scenario.buffers = vec![
            Buffer { name: "b0".into(), kind: BufferKind::Memfd, len: 65_536, fill: first },
            Buffer { name: "b1".into(), kind: BufferKind::Anon, len: 65_536, fill: second },
        ];
        let open = Op::Open { fd: "f".into(), path: "d/f".into(), flags: "CREAT,RDWR".into(), mode: Some("0600".into()) };
        let map = Op::Bufmap {
            name: "m".into(), fd: "f".into(), off: 4096, len: 8192, prot: Prot::Rw, sharing: Sharing::Shared,
        };
        scenario.tasks[0].setup = [open, map, Op::Pipe { rfd: "r".into(), wfd: "w".into() }].into_iter().chain(setup).collect();
        scenario.tasks[0].ops = ops;
        let probe = ProbeAt {
            task: "A".into(), op: scenario.tasks[0].setup.len() as u32, iteration: ats.0, retry: u16::from(ats.0 > 0), site: "GPW_COPY".into(),
            nth: ats.1,
        };
        scenario.interventions = vec![
            Intervention { at: At::Step(step), act: Act::Sigkill { task: "A".into() } },
            Intervention { at: At::Probe(probe.clone()), act: Act::Evict { buf: "m".into(), off: 0, len: 4096 } },
        ];
        scenario.markers = vec![Marker { at: At::Probe(probe), label: title }];
        scenario
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(scenario in any_scenario()) {
        prop_assert_eq!(parse_strict(&emit(&scenario)), Ok(scenario.clone()));
        prop_assert_eq!(parse_strict(&emit_pretty(&scenario)), Ok(scenario));
    }

    #[test]
    fn damaged_text_is_an_error_not_a_panic(scenario in any_scenario(), at: prop::sample::Index, byte in 32u8..127) {
        let mut json = emit(&scenario).into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(json) = String::from_utf8(json) {
            let _ = parse(&json);
        }
    }
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Paths from the root of the repository.
fn from_root(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn every_recorded_case_is_imported() {
    let mut count = 0;
    for entry in std::fs::read_dir(from_root("tests/golden")).expect("the cases are there").flatten() {
        let path = entry.path().join("scenario.json");
        if !path.is_file() {
            continue;
        }
        let json = read(&path);
        let scenario = from_golden(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let raw: serde_json::Value = serde_json::from_str(&json).unwrap();
        let texts = ["setup", "ops"].into_iter().flat_map(|list| raw[list].as_array().unwrap());
        let texts: Vec<&str> = texts.map(|op| op["text"].as_str().unwrap()).collect();
        let ours: Vec<String> = scenario.tasks[0].all_ops().map(|(op, _)| op.text()).collect();
        assert_eq!(ours, texts, "{}", path.display());
        let Image::Mkfs(mkfs) = &scenario.image else { panic!("made by mkfs") };
        mkfs.options().unwrap_or_else(|reason| panic!("{}: {reason}", path.display()));
        assert_eq!(parse_strict(&emit(&scenario)), Ok(scenario), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 67);
}

#[test]
fn the_library_is_valid() {
    for entry in crate::library::entries() {
        let path = from_root(&format!("static/scenarios/{}.json", entry.name));
        let scenario = parse_strict(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        assert_eq!((&entry.title, &entry.question), (&scenario.title, &scenario.question), "{}", entry.name);
        assert!(!scenario.text.en.is_empty() && !entry.question.en.is_empty(), "{}", entry.name);
        assert!(entry.version >= 1, "{}", entry.name);
    }
}

/// The words of the JSON parser are known, so that another language has them: what is not in the list stays English.
#[test]
fn what_the_parser_says_is_known() {
    for broken in [
        "{\"a\" 1}",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1,}",
        "[1,]",
        "{a:1}",
        "{1:2}",
        "nul1",
        "trux",
        "@",
        "'a'",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\u12x4\"",
        "\"a\nb\"",
        "01",
        "-",
        "1.x",
        "1e999",
        "{} x",
        "{,}",
        "1ex",
        "\"\\ud800x\"",
        &"[".repeat(200),
    ] {
        let error = parse(broken).expect_err(broken);
        assert_eq!(error.path, ".", "{error}");
        if error.reason.values.len() == 3 {
            assert!(matches!(error.reason.values[2], Said::Word(_)), "{broken}: {error}");
        }
    }
}
