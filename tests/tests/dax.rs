//! Files in persistent memory: whatever a program does to one, its bytes lie on the device as debugfs reads them, no page
//! of it is cached, and e2fsck has nothing to say.

use proptest::prelude::*;
use session::run::{Progress, Run, RunOptions};
use session::scenario::ops::FallocateMode;
use session::scenario::{
    Buffer, BufferKind, Device, DeviceKind, Fill, Image, Mkfs, Op, Scenario, Segment, emit_pretty,
};
use writepath_tests::{Scratch, debugfs_cat, fsck_clean};

/// The source buffer's seed and length.
const SEED: u32 = 3;
const SOURCE: u64 = 1 << 16;
/// Where a step begins at most, and how much it takes.
const REACH: u64 = 60_000;
const LENGTH: u64 = 20_000;

#[derive(Clone, Debug)]
enum Step {
    Write { direct: bool, off: u64, segments: Vec<(u64, u64)> },
    Read { off: u64, len: u64 },
    Truncate(u64),
    Allocate { keep: bool, off: u64, len: u64 },
    Zero { punch: bool, off: u64, len: u64 },
    Fsync,
    Remount,
}

fn step() -> impl Strategy<Value = Step> {
    let range = || (0..REACH, 1..LENGTH);
    let segments = || prop::collection::vec((0..SOURCE - LENGTH, 0..LENGTH), 1..4);
    prop_oneof![
        6 => (any::<bool>(), 0..REACH, segments())
            .prop_map(|(direct, off, segments)| Step::Write { direct, off, segments }),
        2 => range().prop_map(|(off, len)| Step::Read { off, len }),
        2 => (0..REACH).prop_map(Step::Truncate),
        1 => (any::<bool>(), range()).prop_map(|(keep, (off, len))| Step::Allocate { keep, off, len }),
        2 => (any::<bool>(), range()).prop_map(|(punch, (off, len))| Step::Zero { punch, off, len }),
        1 => Just(Step::Fsync),
        1 => Just(Step::Remount),
    ]
}

fn source_byte(i: u64) -> u8 {
    (131 * u64::from(SEED) + 7 * i + 31 * (i >> 8) + 17 * (i >> 16)) as u8
}

fn open(fd: &str, flags: &str) -> Op {
    Op::Open { fd: fd.into(), path: "f".into(), flags: flags.into(), mode: None }
}

/// The step's operations, and what the first of them gives; `file` becomes what it is to be.
fn apply(step: &Step, file: &mut Vec<u8>) -> (Vec<Op>, u64) {
    let fallocate = |mode, off, len| Op::Fallocate { fd: "f".into(), mode, off, len };
    let at = |n: u64| usize::try_from(n).expect("a small file");
    match step {
        Step::Write { direct, off, segments } => {
            let bytes: Vec<u8> = segments.iter().flat_map(|&(from, len)| (from..from + len).map(source_byte)).collect();
            if !bytes.is_empty() {
                file.resize(file.len().max(at(*off) + bytes.len()), 0);
                file[at(*off)..at(*off) + bytes.len()].copy_from_slice(&bytes);
            }
            let iov = segments.iter().map(|&(off, len)| Segment { buf: "b".into(), off, len }).collect();
            let fd = if *direct { "d" } else { "f" };
            (vec![Op::Pwritev { fd: fd.into(), off: *off, iov }], bytes.len() as u64)
        }
        Step::Read { off, len } => (
            vec![Op::Pread { fd: "f".into(), off: *off, len: *len }],
            (file.len() as u64).saturating_sub(*off).min(*len),
        ),
        Step::Truncate(len) => {
            file.resize(at(*len), 0);
            (vec![Op::Ftruncate { fd: "f".into(), len: *len }], 0)
        }
        Step::Allocate { keep, off, len } => {
            if !keep {
                file.resize(file.len().max(at(off + len)), 0);
            }
            (vec![fallocate(if *keep { FallocateMode::Keep } else { FallocateMode::Plain }, *off, *len)], 0)
        }
        Step::Zero { punch, off, len } => {
            if !punch {
                file.resize(file.len().max(at(off + len)), 0);
            }
            let end = file.len().min(at(off + len));
            file[at(*off).min(end)..end].fill(0);
            (vec![fallocate(if *punch { FallocateMode::Punch } else { FallocateMode::Zero }, *off, *len)], 0)
        }
        Step::Fsync => (vec![Op::Fsync { fd: "f".into() }], 0),
        Step::Remount => (vec![Op::Remount {}, open("f", "RDWR"), open("d", "RDWR,DIRECT")], 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_device_has_what_was_written(
        steps in prop::collection::vec(step(), 1..25),
        mount in prop::sample::select(vec!["dax", "dax=always,nodelalloc"]),
        indirect in any::<bool>(),
    ) {
        let mut scenario = Scenario::new("dax", 16);
        let features = if indirect { vec!["^extents".into(), "^64bit".into()] } else { Vec::new() };
        scenario.image = Image::Mkfs(Mkfs { size_mib: 16, features, ..Mkfs::default() });
        scenario.device = Device { kind: DeviceKind::Pmem, ..Device::default() };
        scenario.mount = mount.to_owned();
        let memory = Buffer { name: "b".into(), kind: BufferKind::Memfd, len: SOURCE, fill: Fill::Seed(SEED) };
        scenario.tasks[0].setup = vec![Op::Buf(memory), open("f", "CREAT,RDWR"), open("d", "RDWR,DIRECT")];
        let (mut file, mut expected) = (Vec::new(), Vec::new());
        for step in steps.iter().filter(|step| !indirect || !matches!(step, Step::Allocate { .. } | Step::Zero { punch: false, .. })) {
            let (ops, ret) = apply(step, &mut file);
            expected.push((scenario.tasks[0].setup.len() + scenario.tasks[0].ops.len(), ret));
            scenario.tasks[0].ops.extend(ops);
        }
        let mut run = Run::new(&scenario, RunOptions::default()).expect("it starts");
        prop_assert_eq!(run.finish(), Progress::Finished);
        let results = run.results();
        for (index, ret) in expected {
            let result = results.iter().find(|result| result.index == index).expect("each call returns");
            prop_assert_eq!(result.ret, ret.cast_signed(), "{} in {}", result.text, emit_pretty(&scenario));
        }
        let scratch = Scratch::default();
        let image = scratch.file("image");
        std::fs::write(&image, run.image()).expect("the image can be stored");
        fsck_clean(&image, &emit_pretty(&scenario));
        prop_assert!(debugfs_cat(&image, "f") == file, "other bytes: {}", emit_pretty(&scenario));
    }
}
