//! Ranges taken out of and put into a file: what is left is what a plain model
//! has, and e2fsck finds nothing.

use session::scenario::{Buffer, BufferKind, FallocateMode, Fill, Image, Mkfs, Op, Scenario, Segment};
use writepath_tests::{Scratch, debugfs_cat, fsck_clean, kernel_byte, run};

/// `f` with `len` bytes of a pattern from `off`, then `ops`.
fn scenario(mkfs: Mkfs, (off, len): (u64, u64), ops: Vec<Op>) -> Scenario {
    let mut scenario = Scenario::new("fallocate", 16);
    scenario.image = Image::Mkfs(mkfs);
    let task = &mut scenario.tasks[0];
    task.ops.push(Op::Buf(Buffer { name: "b".into(), kind: BufferKind::Anon, len, fill: Fill::Seed(3) }));
    task.ops.push(Op::Open { fd: "f".into(), path: "f".into(), flags: "CREAT,RDWR".into(), mode: None });
    task.ops.push(Op::Pwrite { fd: "f".into(), off, iov: vec![Segment { buf: "b".into(), off: 0, len }] });
    task.ops.extend(ops);
    scenario
}

fn fallocate(mode: FallocateMode, off: u64, len: u64) -> Op {
    Op::Fallocate { fd: "f".into(), mode, off, len }
}

fn check(what: &str, scenario: &Scenario, expected: &[u8]) {
    let run = run(scenario, None);
    for result in run.results() {
        assert_eq!(result.errno, None, "{what}: {}", result.text);
    }
    let scratch = Scratch::default();
    let image = scratch.file("image");
    std::fs::write(&image, run.image()).expect("the image can be stored");
    fsck_clean(&image, what);
    assert!(debugfs_cat(&image, "f") == expected, "{what}: debugfs reads other bytes");
}

#[test]
fn the_front_of_a_file_can_be_collapsed() {
    let mkfs = Mkfs { size_mib: 16, block_size: 4096, ..Mkfs::default() };
    let bytes: Vec<u8> = (0..31_645).map(kernel_byte).collect();
    for off in [0, 4096, 8192] {
        let ops = vec![fallocate(FallocateMode::Collapse, off, 4096)];
        let at = usize::try_from(off).expect("a small file");
        let expected = [&bytes[..at], &bytes[at + 4096..]].concat();
        check(&format!("collapse at {off}"), &scenario(mkfs.clone(), (0, 31_645), ops), &expected);
    }
}

#[test]
fn a_hole_spares_the_cluster_that_the_extent_behind_it_shares() {
    // Clusters of 16 blocks. The second has blocks of two extents; the hole takes
    // the first of them and ends, at the file's end, before the second.
    let mkfs = Mkfs {
        size_mib: 8,
        block_size: 2048,
        cluster_size: Some(32_768),
        features: vec!["bigalloc".into()],
        ..Mkfs::default()
    };
    let ops = vec![
        Op::Fsync { fd: "f".into() },
        fallocate(FallocateMode::Keep, 122_827, 1),
        fallocate(FallocateMode::Punch, 78_183, 46_827),
        fallocate(FallocateMode::Keep, 32_768, 4096),
    ];
    let mut expected = vec![0; 77_824 + 24_576];
    for (i, byte) in (0..78_183 - 77_824).zip(&mut expected[77_824..]) {
        *byte = kernel_byte(i);
    }
    check("a punch before a shared cluster", &scenario(mkfs, (77_824, 24_576), ops), &expected);
}

#[test]
fn clusters_of_1_kib_blocks_count_from_block_0() {
    let mkfs = Mkfs {
        size_mib: 16,
        block_size: 1024,
        cluster_size: Some(16_384),
        features: vec!["bigalloc".into()],
        ..Mkfs::default()
    };
    let expected: Vec<u8> = (0..40_000).map(kernel_byte).collect();
    check("bigalloc with 1 KiB blocks", &scenario(mkfs, (0, 40_000), vec![]), &expected);
}
