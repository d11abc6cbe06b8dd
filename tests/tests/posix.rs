//! What a file holds after any sequence of calls is what the plainest model of
//! them says, on any block size and mount; and e2fsck finds nothing.

use proptest::prelude::*;
use session::run::Progress;
use session::scenario::ops::FallocateMode;
use session::scenario::{Buffer, BufferKind, Fill, Image, Mkfs, Op, Scenario, Segment, emit_pretty};
use writepath_tests::{Scratch, debugfs_cat, fsck_clean};

/// Longest file of a sequence, bytes.
const FILE_MAX: u64 = 300_000;
/// The source buffer's seed and length.
const SEED: u32 = 3;
const SOURCE: u64 = 1 << 16;

#[derive(Clone, Debug)]
enum Step {
    Write { off: u64, segments: Vec<(u64, u64)> },
    Append { len: u64 },
    Truncate { len: u64 },
    Fsync,
    Sync,
    Remount,
    Evict { off: u64, len: u64 },
    Punch { off: u64, len: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let segment = (0..SOURCE - 9000, 0u64..9000);
    prop_oneof![
        6 => (0..FILE_MAX - 40_000, prop::collection::vec(segment, 1..4))
            .prop_map(|(off, segments)| Step::Write { off, segments }),
        2 => (1u64..9000).prop_map(|len| Step::Append { len }),
        2 => (0..FILE_MAX).prop_map(|len| Step::Truncate { len }),
        1 => Just(Step::Fsync),
        1 => Just(Step::Sync),
        1 => Just(Step::Remount),
        1 => (0..SOURCE / 2, 1u64..8192).prop_map(|(off, len)| Step::Evict { off, len }),
    ]
}

/// Steps on a file that a small inode can hold, or just not. A truncate stays
/// within what every inode has room for: beyond, v5.10 moves the data to a block
/// past the page cache, and loses later writes to it.
fn small_step() -> impl Strategy<Value = Step> {
    let segment = (0..SOURCE - 200, 0u64..70);
    prop_oneof![
        6 => (0u64..130, prop::collection::vec(segment, 1..3))
            .prop_map(|(off, segments)| Step::Write { off, segments }),
        1 => (0..6000u64, 1u64..300).prop_map(|(off, len)| Step::Write { off, segments: vec![(0, len)] }),
        2 => (1u64..60).prop_map(|len| Step::Append { len }),
        2 => (0u64..=60).prop_map(|len| Step::Truncate { len }),
        1 => Just(Step::Fsync),
        1 => Just(Step::Sync),
        2 => Just(Step::Remount),
        1 => (0..SOURCE / 2, 1u64..8192).prop_map(|(off, len)| Step::Evict { off, len }),
    ]
}

fn open(flags: &str) -> Op {
    let fd = if flags.contains("APPEND") { "a" } else { "f" };
    Op::Open { fd: fd.into(), path: "f".into(), flags: flags.into(), mode: None }
}

/// Where the pointers to data change their level, in bytes: behind the inode's
/// own, and behind those of the first block of pointers.
fn levels(block_size: u32) -> [u64; 2] {
    let block = u64::from(block_size);
    [12 * block, (12 + block / 4) * block]
}

/// What is done to a block-mapped file: near the places where its map gets a level.
fn mapped_step(block_size: u32) -> impl Strategy<Value = Step> {
    let [single, double] = levels(block_size);
    let room = 600_000u64;
    let place =
        prop_oneof![0..room, Just(single), Just(double), double - 20_000..double + 20_000, double..double + room];
    let segment = (0..SOURCE - 9000, 0u64..9000);
    prop_oneof![
        6 => (place.clone(), prop::collection::vec(segment, 1..8))
            .prop_map(|(off, segments)| Step::Write { off, segments }),
        2 => (1u64..9000).prop_map(|len| Step::Append { len }),
        2 => place.clone().prop_map(|len| Step::Truncate { len }),
        3 => (place, prop_oneof![1u64..40_000, 1..2 * room]).prop_map(|(off, len)| Step::Punch { off, len }),
        1 => Just(Step::Fsync),
        1 => Just(Step::Sync),
        1 => Just(Step::Remount),
    ]
}

fn scenario(block_size: u32, features: &[&str], mount: &str, steps: &[Step]) -> Scenario {
    let mut scenario = Scenario::new("random", 16);
    let features = features.iter().map(|&feature| feature.to_owned()).collect();
    scenario.image = Image::Mkfs(Mkfs { size_mib: 16, block_size, features, ..Mkfs::default() });
    scenario.mount = mount.to_owned();
    let ops = &mut scenario.tasks[0].ops;
    // A memfd: what is evicted from it comes back.
    let source = Buffer { name: "b".into(), kind: BufferKind::Memfd, len: SOURCE, fill: Fill::Seed(SEED) };
    ops.extend([Op::Buf(source), open("CREAT,RDWR"), open("RDWR,APPEND")]);
    for step in steps {
        match step {
            Step::Write { off, segments } => {
                let iov = segments.iter().map(|&(off, len)| Segment { buf: "b".into(), off, len }).collect();
                ops.push(Op::Pwritev { fd: "f".into(), off: *off, iov });
            }
            Step::Append { len } => {
                ops.push(Op::Write { fd: "a".into(), iov: vec![Segment { buf: "b".into(), off: 0, len: *len }] });
            }
            Step::Truncate { len } => ops.push(Op::Ftruncate { fd: "f".into(), len: *len }),
            Step::Fsync => ops.push(Op::Fsync { fd: "f".into() }),
            Step::Sync => ops.push(Op::Sync {}),
            Step::Remount => ops.extend([Op::Remount {}, open("RDWR"), open("RDWR,APPEND")]),
            Step::Evict { off, len } => ops.push(Op::Dontneed { buf: "b".into(), off: *off, len: *len }),
            Step::Punch { off, len } => {
                ops.push(Op::Fallocate { fd: "f".into(), mode: FallocateMode::Punch, off: *off, len: *len });
            }
        }
    }
    scenario
}

fn source_byte(i: u64) -> u8 {
    (131 * u64::from(SEED) + 7 * i + 31 * (i >> 8) + 17 * (i >> 16)) as u8
}

fn model(steps: &[Step]) -> Vec<u8> {
    let mut file: Vec<u8> = Vec::new();
    let put = |file: &mut Vec<u8>, off: u64, bytes: Vec<u8>| {
        let end = off as usize + bytes.len();
        if !bytes.is_empty() && file.len() < end {
            file.resize(end, 0);
        }
        if !bytes.is_empty() {
            file[off as usize..end].copy_from_slice(&bytes);
        }
    };
    for step in steps {
        match step {
            Step::Write { off, segments } => {
                let bytes = segments.iter().flat_map(|&(from, len)| (from..from + len).map(source_byte)).collect();
                put(&mut file, *off, bytes);
            }
            Step::Append { len } => {
                let end = file.len() as u64;
                put(&mut file, end, (0..*len).map(source_byte).collect());
            }
            Step::Truncate { len } => file.resize(*len as usize, 0),
            Step::Punch { off, len } => {
                let end = (off + len).min(file.len() as u64) as usize;
                if let Some(hole) = file.get_mut(*off as usize..end) {
                    hole.fill(0);
                }
            }
            Step::Fsync | Step::Sync | Step::Remount | Step::Evict { .. } => {}
        }
    }
    file
}

/// Runs the scenario and compares the file, by debugfs, with the model.
fn check(scenario: &Scenario, steps: &[Step]) -> Result<(), TestCaseError> {
    let what = || format!("this scenario fails:\n{}", emit_pretty(scenario));
    let run = writepath_tests::run(scenario, None);
    prop_assert_eq!(run.progress(), Progress::Finished);
    for result in run.results() {
        prop_assert!(result.errno.is_none(), "{} gives {:?}; {}", result.text, result.errno, what());
    }
    let scratch = Scratch::default();
    let image = scratch.file("image");
    std::fs::write(&image, run.image()).expect("the image can be stored");
    fsck_clean(&image, &what());
    prop_assert!(debugfs_cat(&image, "f") == model(steps), "other bytes; {}", what());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_leaves_the_bytes_a_plain_model_has(
        block_size in prop::sample::select(vec![1024u32, 2048, 4096]),
        mount in prop::sample::select(vec!["", "nodelalloc", "data=writeback", "dioread_lock"]),
        steps in prop::collection::vec(step(), 1..14),
    ) {
        check(&scenario(block_size, &[], mount, &steps), &steps)?;
    }

    #[test]
    fn so_does_any_sequence_on_a_file_that_may_live_in_its_inode(
        block_size in prop::sample::select(vec![1024u32, 4096]),
        mount in prop::sample::select(vec!["", "nodelalloc", "data=journal", "dioread_lock"]),
        steps in prop::collection::vec(small_step(), 1..12),
    ) {
        check(&scenario(block_size, &["inline_data"], mount, &steps), &steps)?;
    }

    #[test]
    fn so_does_a_sequence_on_a_block_mapped_file(
        (block_size, steps) in prop::sample::select(vec![1024u32, 2048, 4096])
            .prop_flat_map(|size| (Just(size), prop::collection::vec(mapped_step(size), 1..20))),
        journal in any::<bool>(),
        mount in prop::sample::select(vec!["", "nodelalloc", "data=journal"]),
    ) {
        let features: &[&str] = if journal { &["^extents", "^64bit"] } else { &["^extents", "^64bit", "^has_journal"] };
        let mount = if journal || mount != "data=journal" { mount } else { "" };
        check(&scenario(block_size, features, mount, &steps), &steps)?;
    }
}
