//! Any sequence of calls on two files, with sources that cannot be read,
//! fallocate and O_DSYNC, on more kinds of file system than `posix.rs`: the
//! bytes are those of a plain model, and e2fsck finds nothing. One test a kind,
//! so that they run side by side.

use proptest::prelude::*;
use session::scenario::ops::{FallocateMode, Prot};
use session::scenario::{Buffer, BufferKind, Fill, Image, Mkfs, Op, Scenario, Segment};
use writepath_tests::{Scratch, bounded_run, debugfs_cat, fsck_clean, keep_failing};

/// Where a file ends at most, bytes.
const FILE_MAX: u64 = 260_000;
/// The source buffer's seed and length.
const SEED: u32 = 3;
const SOURCE: u64 = 1 << 16;
const FILES: [&str; 2] = ["f", "g"];

/// Where a segment's bytes come from.
#[derive(Clone, Copy, Debug)]
enum From {
    /// The source buffer.
    Good,
    /// A buffer of PROT_NONE.
    Protected,
    /// A buffer that was unmapped.
    Unmapped,
}

#[derive(Clone, Debug)]
enum Step {
    Write { file: usize, dsync: bool, off: u64, segments: Vec<(From, u64, u64)> },
    Append { file: usize, len: u64 },
    Truncate { file: usize, len: u64 },
    Fallocate { file: usize, mode: FallocateMode, off: u64, len: u64 },
    Fsync { file: usize, datasync: bool },
    Sync,
    Remount,
    Evict { off: u64, len: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let from = prop_oneof![12 => Just(From::Good), 1 => Just(From::Protected), 1 => Just(From::Unmapped)];
    let segment = (from, 0..SOURCE - 9000, 0u64..9000);
    let mode = prop::sample::select(vec![
        FallocateMode::Plain,
        FallocateMode::Keep,
        FallocateMode::Punch,
        FallocateMode::Punch,
        FallocateMode::Zero,
    ]);
    prop_oneof![
        8 => (0usize..2, prop::bool::weighted(0.2), 0..FILE_MAX - 40_000, prop::collection::vec(segment, 1..4))
            .prop_map(|(file, dsync, off, segments)| Step::Write { file, dsync, off, segments }),
        2 => (0usize..2, 1u64..9000).prop_map(|(file, len)| Step::Append { file, len }),
        2 => (0usize..2, 0..FILE_MAX).prop_map(|(file, len)| Step::Truncate { file, len }),
        3 => (0usize..2, mode, 0..FILE_MAX - 60_000, 1u64..60_000)
            .prop_map(|(file, mode, off, len)| Step::Fallocate { file, mode, off, len }),
        1 => (0usize..2, any::<bool>()).prop_map(|(file, datasync)| Step::Fsync { file, datasync }),
        1 => Just(Step::Sync),
        1 => Just(Step::Remount),
        1 => (0..SOURCE / 2, 1u64..8192).prop_map(|(off, len)| Step::Evict { off, len }),
    ]
}

/// A descriptor of a file: plain, `O_APPEND`, `O_DSYNC`.
fn open(file: usize, kind: &str, flags: &str) -> Op {
    Op::Open { fd: format!("{}{kind}", FILES[file]), path: FILES[file].into(), flags: flags.into(), mode: None }
}

fn open_all(ops: &mut Vec<Op>, create: &str) {
    for file in 0..FILES.len() {
        ops.extend([
            open(file, "", &format!("{create}RDWR")),
            open(file, "-a", "RDWR,APPEND"),
            open(file, "-s", "RDWR,DSYNC"),
        ]);
    }
}

/// A scenario of the steps, and the number of each step's operation.
fn scenario(mkfs: Mkfs, mount: &str, steps: &[Step]) -> (Scenario, Vec<usize>) {
    let mut scenario = Scenario::new("random", 16);
    scenario.image = Image::Mkfs(mkfs);
    scenario.mount = mount.to_owned();
    let ops = &mut scenario.tasks[0].ops;
    // A memfd: what is evicted from it comes back.
    let buffer = |name: &str, kind, len| Op::Buf(Buffer { name: name.into(), kind, len, fill: Fill::Seed(SEED) });
    ops.extend([
        buffer("b", BufferKind::Memfd, SOURCE),
        buffer("p", BufferKind::Anon, SOURCE),
        buffer("u", BufferKind::Anon, SOURCE),
        Op::Protect { buf: "p".into(), off: 0, len: SOURCE, prot: Prot::None },
        Op::Unmap { buf: "u".into(), off: 0, len: SOURCE },
    ]);
    open_all(ops, "CREAT,");
    let mut numbers = Vec::new();
    for step in steps {
        numbers.push(ops.len());
        match step {
            Step::Write { file, dsync, off, segments } => {
                let buf = |from: &From| match from {
                    From::Good => "b",
                    From::Protected => "p",
                    From::Unmapped => "u",
                };
                let iov = segments.iter().map(|&(from, off, len)| Segment { buf: buf(&from).into(), off, len });
                let fd = format!("{}{}", FILES[*file], if *dsync { "-s" } else { "" });
                ops.push(Op::Pwritev { fd, off: *off, iov: iov.collect() });
            }
            Step::Append { file, len } => {
                let iov = vec![Segment { buf: "b".into(), off: 0, len: *len }];
                ops.push(Op::Write { fd: format!("{}-a", FILES[*file]), iov });
            }
            Step::Truncate { file, len } => ops.push(Op::Ftruncate { fd: FILES[*file].into(), len: *len }),
            Step::Fallocate { file, mode, off, len } => {
                ops.push(Op::Fallocate { fd: FILES[*file].into(), mode: *mode, off: *off, len: *len });
            }
            Step::Fsync { file, datasync: false } => ops.push(Op::Fsync { fd: FILES[*file].into() }),
            Step::Fsync { file, datasync: true } => ops.push(Op::Fdatasync { fd: FILES[*file].into() }),
            Step::Sync => ops.push(Op::Sync {}),
            Step::Remount => {
                ops.push(Op::Remount {});
                open_all(ops, "");
            }
            Step::Evict { off, len } => ops.push(Op::Dontneed { buf: "b".into(), off: off / 4096 * 4096, len: *len }),
        }
    }
    (scenario, numbers)
}

fn source_byte(i: u64) -> u8 {
    (131 * u64::from(SEED) + 7 * i + 31 * (i >> 8) + 17 * (i >> 16)) as u8
}

fn grow(file: &mut Vec<u8>, end: usize) {
    if file.len() < end {
        file.resize(end, 0);
    }
}

fn put(file: &mut Vec<u8>, off: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        grow(file, off + bytes.len());
        file[off..off + bytes.len()].copy_from_slice(bytes);
    }
}

/// What a step with result `ret` makes of the files; the reason if it cannot be that.
fn apply(files: &mut [Vec<u8>; 2], step: &Step, ret: i64, errno: Option<u16>) -> Result<(), String> {
    const EFAULT: u16 = 14;
    let good = |expected: u64| {
        if errno.is_none() && ret as u64 == expected { Ok(()) } else { Err(format!("{ret} {errno:?}, not {expected}")) }
    };
    match step {
        Step::Write { file, off, segments, .. } => {
            let readable = segments.iter().take_while(|(from, _, len)| matches!(from, From::Good) || *len == 0);
            let bytes: Vec<u8> = readable.flat_map(|&(_, from, len)| (from..from + len).map(source_byte)).collect();
            let all: u64 = segments.iter().map(|(_, _, len)| len).sum();
            if bytes.len() as u64 == all {
                good(all)?;
            } else if ret < 0 && errno != Some(EFAULT) || ret > bytes.len() as i64 {
                return Err(format!("{ret} {errno:?} of {} readable bytes", bytes.len()));
            }
            put(&mut files[*file], *off as usize, &bytes[..usize::try_from(ret).unwrap_or(0)]);
        }
        Step::Append { file, len } => {
            good(*len)?;
            let end = files[*file].len();
            put(&mut files[*file], end, &(0..*len).map(source_byte).collect::<Vec<_>>());
        }
        Step::Truncate { file, len } => {
            good(0)?;
            files[*file].resize(*len as usize, 0);
        }
        Step::Fallocate { file, mode, off, len } => {
            good(0)?;
            let (off, end) = (*off as usize, (off + len) as usize);
            let file = &mut files[*file];
            if matches!(mode, FallocateMode::Plain | FallocateMode::Zero) {
                grow(file, end);
            }
            if matches!(mode, FallocateMode::Punch | FallocateMode::Zero) && off < file.len() {
                let end = end.min(file.len());
                file[off..end].fill(0);
            }
        }
        Step::Fsync { .. } | Step::Sync | Step::Remount | Step::Evict { .. } => good(0)?,
    }
    Ok(())
}

fn check(name: &str, mkfs: Mkfs, mount: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    let (scenario, numbers) = scenario(mkfs, mount, steps);
    keep_failing(name, &scenario, || {
        let run = bounded_run(&scenario);
        let results = run.results();
        let mut files = [Vec::new(), Vec::new()];
        for (step, number) in steps.iter().zip(numbers) {
            let result = &results[number];
            if let Err(reason) = apply(&mut files, step, result.ret, result.errno) {
                panic!("{}: {reason}", result.text);
            }
        }
        let scratch = Scratch::default();
        let image = scratch.file("image");
        std::fs::write(&image, run.image()).expect("the image can be stored");
        fsck_clean(&image, name);
        for (file, bytes) in FILES.iter().zip(&files) {
            assert!(debugfs_cat(&image, file) == *bytes, "other bytes in {file}");
        }
    });
    Ok(())
}

fn blocks(block_size: u32) -> Mkfs {
    Mkfs { size_mib: 16, block_size, ..Mkfs::default() }
}

fn bigalloc(block_size: u32) -> Mkfs {
    Mkfs { features: vec!["bigalloc".into()], cluster_size: Some(16 * block_size.min(1024)), ..blocks(block_size) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn with_whole_pages(
        mount in prop::sample::select(vec!["", "nodelalloc", "dioread_lock", "data=writeback"]),
        steps in prop::collection::vec(step(), 1..12),
    ) {
        check("with_whole_pages", blocks(4096), mount, &steps)?;
    }

    #[test]
    fn with_small_blocks(
        block_size in prop::sample::select(vec![1024, 2048]),
        mount in prop::sample::select(vec!["", "nodelalloc", "data=writeback"]),
        steps in prop::collection::vec(step(), 1..12),
    ) {
        check("with_small_blocks", blocks(block_size), mount, &steps)?;
    }

    #[test]
    fn with_data_in_the_journal(
        block_size in prop::sample::select(vec![1024, 4096]),
        steps in prop::collection::vec(step(), 1..12),
    ) {
        check("with_data_in_the_journal", blocks(block_size), "data=journal", &steps)?;
    }

    #[test]
    fn with_clusters(
        block_size in prop::sample::select(vec![1024, 4096]),
        mount in prop::sample::select(vec!["", "nodelalloc"]),
        steps in prop::collection::vec(step(), 1..12),
    ) {
        check("with_clusters", bigalloc(block_size), mount, &steps)?;
    }
}
