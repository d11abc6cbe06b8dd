//! Small files inside their inode: each branch of fs/ext4/inline.c that a program
//! can take, with the bytes that debugfs then reads and e2fsck's word on the image.

use std::collections::BTreeSet;

use proptest::prelude::*;
use session::run::{Progress, Run, RunOptions};
use session::scenario::ops::{FallocateMode, Prot, Sharing, Whence};
use session::scenario::{
    Act, At, Buffer, BufferKind, Fill, Image, Intervention, Mkfs, Op, ProbeAt, Scenario, Segment, emit_pretty,
};
use writepath_tests::{Scratch, debugfs_cat, fsck_clean, mke2fs_image, tool, upload};

/// The source buffer's seed and length.
const SEED: u32 = 3;
const SOURCE: u64 = 1 << 22;

fn pwrite(off: u64, from: u64, len: u64) -> Op {
    pwrite_to("f", off, from, len)
}

fn pwrite_to(fd: &str, off: u64, from: u64, len: u64) -> Op {
    Op::Pwritev { fd: fd.into(), off, iov: vec![Segment { buf: "b".into(), off: from, len }] }
}

fn open(fd: &str, path: &str, flags: &str) -> Op {
    Op::Open { fd: fd.into(), path: path.into(), flags: flags.into(), mode: None }
}

fn truncate(len: u64) -> Op {
    Op::Ftruncate { fd: "f".into(), len }
}

fn fallocate(mode: FallocateMode, off: u64, len: u64) -> Op {
    Op::Fallocate { fd: "f".into(), mode, off, len }
}

fn pread(off: u64, len: u64) -> Op {
    Op::Pread { fd: "f".into(), off, len }
}

fn again() -> [Op; 2] {
    [Op::Remount {}, open("f", "f", "RDWR")]
}

fn scenario(mount: &str, ops: impl IntoIterator<Item = Op>) -> Scenario {
    let mut scenario = Scenario::new("inline", 16);
    scenario.image = Image::Mkfs(Mkfs { size_mib: 16, features: vec!["inline_data".into()], ..Mkfs::default() });
    scenario.mount = mount.to_owned();
    let memory =
        |name: &str, len| Op::Buf(Buffer { name: name.into(), kind: BufferKind::Memfd, len, fill: Fill::Seed(SEED) });
    let task = &mut scenario.tasks[0];
    task.setup = vec![memory("b", SOURCE), open("f", "f", "CREAT,RDWR")];
    task.ops = ops.into_iter().collect();
    scenario
}

fn source_byte(i: u64) -> u8 {
    (131 * u64::from(SEED) + 7 * i + 31 * (i >> 8) + 17 * (i >> 16)) as u8
}

/// A file of `size` bytes after writes of `(offset, source offset, length)`.
fn file(size: usize, writes: &[(usize, u64, usize)]) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for &(off, from, len) in writes {
        for (at, i) in (off..off + len).zip(from..) {
            bytes[at] = source_byte(i);
        }
    }
    bytes
}

struct After {
    probes: BTreeSet<&'static str>,
    results: Vec<(i64, Option<u16>)>,
    scratch: Scratch,
}

impl After {
    fn image(&self) -> std::path::PathBuf {
        self.scratch.file("image")
    }

    fn cat(&self, path: &str) -> Vec<u8> {
        debugfs_cat(&self.image(), path)
    }

    /// What debugfs says of an inode.
    fn stat(&self, path: &str) -> String {
        let output = tool("debugfs", &["-R", &format!("stat {path}"), &self.image().display().to_string()]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn reached(&self, probes: &[&str]) {
        for probe in probes {
            assert!(self.probes.contains(probe), "{probe} is not reached, but {:?}", self.probes);
        }
    }
}

fn run_on(scenario: &Scenario, image: Option<Vec<u8>>) -> After {
    let options = RunOptions { recording: true, image, ..RunOptions::default() };
    let mut run = Run::new(scenario, options).expect("it starts");
    assert_eq!(run.finish(), Progress::Finished, "{}", emit_pretty(scenario));
    let probes = run.machine().with_history(|_, history| {
        history.steps.iter().filter_map(|step| kernel::site::probe(step.site)).map(|probe| probe.name).collect()
    });
    let results = run.results().iter().map(|result| (result.ret, result.errno)).collect();
    let after = After { probes, results, scratch: Scratch::default() };
    std::fs::write(after.image(), run.image()).expect("the image can be stored");
    fsck_clean(&after.image(), &emit_pretty(scenario));
    after
}

fn run(mount: &str, ops: impl IntoIterator<Item = Op>) -> After {
    run_on(&scenario(mount, ops), None)
}

fn check(mount: &str, ops: impl IntoIterator<Item = Op>, bytes: &[u8], probes: &[&str]) -> After {
    let after = run(mount, ops);
    assert!(after.results.iter().all(|(_, errno)| errno.is_none()), "{mount}: {:?}", after.results);
    assert!(after.cat("f") == bytes, "{mount}: other bytes");
    after.reached(probes);
    after
}

const INLINE: &str = "Flags: 0x10000000";
const EXTENTS: &str = "Flags: 0x80000";

#[test]
fn a_file_grows_inside_its_inode() {
    let ops = || [pwrite(0, 0, 50), pwrite(50, 50, 40), pwrite(3, 1000, 5)];
    let bytes = file(90, &[(0, 0, 90), (3, 1000, 5)]);
    let after = check(
        "",
        ops(),
        &bytes,
        &["DWB_INLINE", "DIB_SIZE", "PID_CREATE", "PID_UPDATE", "DIB_INSIDE", "WID_COPY", "DIE_ISIZE", "DWE_INLINE"],
    );
    assert!(after.stat("f").contains(INLINE));
    for mount in ["nodelalloc", "data=journal"] {
        let end = if mount == "nodelalloc" { "WE_INLINE" } else { "JWE_INLINE" };
        let after = check(mount, ops(), &bytes, &["WB_INLINE", "TWI_SIZE", "TWI_PREPARE", "TWI_INSIDE", end]);
        assert!(after.stat("f").contains(INLINE), "{mount}");
    }
}

#[test]
fn a_gap_inside_the_inode_is_zero() {
    for mount in ["", "nodelalloc", "data=journal"] {
        let bytes = file(110, &[(5, 0, 10), (100, 50, 10)]);
        let after = check(mount, [pwrite(5, 0, 10), pwrite(100, 50, 10)], &bytes, &["PID_UPDATE"]);
        assert!(after.stat("f").contains(INLINE), "{mount}");
    }
}

#[test]
fn the_last_byte_that_fits_is_the_128th() {
    for mount in ["", "nodelalloc", "data=journal"] {
        let after = check(mount, [pwrite(0, 0, 128)], &file(128, &[(0, 0, 128)]), &[]);
        assert!(after.stat("f").contains(INLINE), "{mount}");
        let after = check(mount, [pwrite(0, 0, 129)], &file(129, &[(0, 0, 129)]), &[]);
        assert!(after.stat("f").contains(EXTENTS), "{mount}");
    }
}

#[test]
fn a_file_that_outgrows_its_inode_gets_a_block() {
    let ops = || [pwrite(0, 0, 50), pwrite(50, 50, 500), Op::Fsync { fd: "f".into() }, pwrite(9000, 600, 20)];
    let bytes = file(9020, &[(0, 0, 550), (9000, 600, 20)]);
    check("", ops(), &bytes, &["DIB_CONVERT", "DCI_RESERVE", "DCI_DIRTY", "DGB_INLINE", "WP_INLINE", "DID_DONE"]);
    for mount in ["nodelalloc", "nodelalloc,dioread_lock", "data=journal"] {
        let probes = ["TWI_CONVERT", "CIE_HANDLE", "CIE_DESTROY", "CIE_BLOCKS", "DID_DONE"];
        let after = check(mount, ops(), &bytes, &probes);
        assert!(after.stat("f").contains(EXTENTS), "{mount}");
    }
}

#[test]
fn a_file_half_way_out_of_its_inode_is_written_read_and_cut() {
    // The second write leaves page 0 dirty and the inode's copy in place.
    let half_out = || vec![pwrite(0, 0, 50), pwrite(5000, 50, 10)];
    let all = |more: Vec<Op>| half_out().into_iter().chain(more).collect::<Vec<_>>();
    let writes = &[(0, 0, 50), (5000, 50, 10)];
    check("", half_out(), &file(5010, writes), &["DGB_INLINE"]);
    check("", all(vec![pwrite(20, 500, 100)]), &file(5010, &[writes[0], writes[1], (20, 500, 100)]), &[]);
    check("", all(vec![truncate(0), pwrite(3, 7, 9)]), &file(12, &[(3, 7, 9)]), &["ITR_DONE"]);
    check("", all(vec![truncate(20)]), &file(20, &[(0, 0, 20)]), &["ITR_CUT"]);
    check("", all(vec![truncate(4100), pwrite(8200, 1, 1)]), &file(8201, &[(0, 0, 50), (8200, 1, 1)]), &[]);
    let punch = fallocate(FallocateMode::Keep, 0, 4096);
    check("", all(vec![punch]), &file(5010, writes), &["CID_FLUSH", "WP_INLINE"]);
}

#[test]
fn a_first_write_that_is_too_large_goes_to_blocks() {
    let bytes = file(700, &[(100, 0, 600)]);
    check("", [pwrite(100, 0, 600)], &bytes, &["DCI_NONE"]);
    check("nodelalloc", [pwrite(100, 0, 600)], &bytes, &["CIE_NONE"]);
    check("data=journal", [pwrite(100, 0, 600)], &bytes, &["CIE_NONE"]);
}

#[test]
fn truncating_inside_the_inode() {
    for mount in ["", "nodelalloc", "data=journal"] {
        let cut = |len: u64| vec![pwrite(0, 0, 120), truncate(len)];
        for len in [0, 1, 30, 59, 60, 61, 100] {
            check(
                mount,
                cut(len),
                &file(len as usize, &[(0, 0, len as usize)]),
                &["ETR_INLINE", "ITR_CUT", "ITR_DONE"],
            );
        }
        let grown = [cut(30), vec![truncate(60), pwrite(100, 200, 20)]].concat();
        let after = check(mount, grown, &file(120, &[(0, 0, 30), (100, 200, 20)]), &[]);
        assert!(after.stat("f").contains(INLINE), "{mount}");
    }
}

#[test]
fn a_file_made_longer_than_its_inode_gets_a_block() {
    for mount in ["", "nodelalloc", "data=journal"] {
        let ops = [pwrite(0, 0, 30), truncate(5000)];
        check(mount, ops, &file(5000, &[(0, 0, 30)]), &["CID_HANDLE", "CIN_BLOCK", "CID_DONE"]);
    }
}

#[test]
fn what_the_inode_holds_is_read_again_after_a_mount() {
    let read = |off, len| vec![pread(off, len)];
    for mount in ["", "nodelalloc", "data=journal"] {
        let ops = [vec![pwrite(0, 0, 100)], again().to_vec(), read(0, 200), vec![pwrite(90, 300, 20)]].concat();
        let after = check(mount, ops, &file(110, &[(0, 0, 90), (90, 300, 20)]), &["RPI_READ", "PID_UPDATE"]);
        assert!(after.results.contains(&(100, None)), "{:?}", after.results);
        // A page behind the data, of a file that is half way out.
        let half_out = [vec![pwrite(0, 0, 50)], again().to_vec(), vec![pwrite(9000, 0, 9)], read(4096, 100)].concat();
        check(mount, half_out, &file(9009, &[(0, 0, 50), (9000, 0, 9)]), &[]);
    }
}

#[test]
fn fallocate_makes_a_file_leave_its_inode() {
    use FallocateMode::{Keep, Plain, Punch, Zero};
    for mount in ["", "nodelalloc", "data=journal"] {
        for mode in [Plain, Keep] {
            let size = if mode == Plain { 9000 } else { 100 };
            let ops = [pwrite(0, 0, 100), fallocate(mode, 0, 9000)];
            check(mount, ops, &file(size, &[(0, 0, 100)]), &["CID_HANDLE", "CIN_BLOCK", "CID_DONE"]);
        }
        // Nothing in the inode yet: it stays a file with blocks.
        let ops = [fallocate(Keep, 0, 4096), pwrite(0, 0, 10)];
        let after = check(mount, ops, &file(10, &[(0, 0, 10)]), &[]);
        assert!(after.stat("f").contains(EXTENTS), "{mount}");
        let ops = [pwrite(0, 0, 100), Op::Fsync { fd: "f".into() }, fallocate(Punch, 10, 20)];
        run(mount, ops).reached(&["CIN_BLOCK", "EPH_EDGES"]);
        if mount != "data=journal" {
            run(mount, [pwrite(0, 0, 100), fallocate(Zero, 10, 20)]).reached(&["CIN_BLOCK", "EZR_EDGES"]);
        }
    }
}

#[test]
fn a_store_through_a_mapping_makes_a_file_leave_its_inode() {
    for mount in ["", "nodelalloc"] {
        let (fd, name) = ("f".into(), "m".into());
        let map = Op::Bufmap { name, fd, off: 0, len: 4096, prot: Prot::Rw, sharing: Sharing::Shared };
        let store = Op::Fill { buf: "m".into(), off: 10, len: 5, seed: 9 };
        let after = run(mount, [vec![pwrite(0, 0, 100)], again().to_vec(), vec![map, store]].concat());
        after.reached(&["CID_DONE", "PMK_TIME", "RPI_READ"]);
        assert_eq!(after.cat("f").len(), 100, "{mount}");
        assert!(after.stat("f").contains(EXTENTS), "{mount}");
    }
}

#[test]
fn direct_writes() {
    let direct = || open("d", "f", "RDWR,DIRECT");
    // A file in its inode is written through the cache.
    let ops = [pwrite(0, 0, 100), direct(), pwrite_to("d", 0, 4096, 4096)];
    check("", ops, &file(4096, &[(0, 4096, 4096)]), &["DCI_DIRTY"]);
    // One that is empty gets blocks, and never moves in.
    let ops = [direct(), pwrite_to("d", 0, 4096, 4096), truncate(0), pwrite(0, 0, 10)];
    let after = check("", ops, &file(10, &[(0, 0, 10)]), &["EIB_ALLOC"]);
    assert!(after.stat("f").contains(EXTENTS));
}

#[test]
fn where_the_data_lies() {
    let seek = |off: i64, whence| Op::Lseek { fd: "f".into(), off, whence };
    let ops = [
        pwrite(0, 0, 100),
        seek(30, Whence::Data),
        seek(30, Whence::Hole),
        seek(100, Whence::Data),
        Op::Fiemap { fd: "f".into(), flags: 0 },
        Op::Fiemap { fd: "f".into(), flags: 1 },
    ];
    let after = run("", ops);
    after.reached(&["IBR_INLINE"]);
    let last: Vec<_> = after.results.iter().rev().take(5).rev().copied().collect();
    assert_eq!(last, [(30, None), (100, None), (-1, Some(6)), (1, None), (1, None)]);
    // Half way out the inode knows its own part only; v5.10 then says ENOENT.
    let ops = [pwrite(0, 0, 50), pwrite(50, 50, 500), seek(0, Whence::Data), seek(0, Whence::Hole)];
    let after = run("", ops);
    assert_eq!(after.results[after.results.len() - 2..], [(0, None), (-1, Some(2))]);
}

#[test]
fn a_short_copy_into_the_inode_is_kept() {
    for mount in ["", "nodelalloc", "data=journal"] {
        let pieces =
            vec![Segment { buf: "b".into(), off: 4000, len: 96 }, Segment { buf: "b".into(), off: 4096, len: 20 }];
        let mut scenario = scenario(mount, [Op::Pwritev { fd: "f".into(), off: 0, iov: pieces }]);
        let at = ProbeAt {
            task: scenario.tasks[0].name.clone(),
            op: 2,
            iteration: 1,
            retry: 1,
            site: "GPW_COPY".into(),
            nth: 1,
        };
        let act = Act::Evict { buf: "b".into(), off: 4096, len: 4096 };
        scenario.interventions.push(Intervention { at: At::Probe(at), act });
        let after = run_on(&scenario, None);
        // The page is uptodate, so what was copied counts; the rest is one more round.
        assert_eq!(after.cat("f"), file(116, &[(0, 4000, 116)]), "{mount}");
        after.reached(&["CP_SHORT", "WID_COPY"]);
        assert!(!after.probes.contains("GPW_AGAIN"), "{mount}");
        assert!(after.stat("f").contains(INLINE), "{mount}");
    }
}

#[test]
fn no_space_for_the_block_that_it_needs() {
    // A writer that may not use the last blocks, while enough are free for delayed allocation to go on.
    let full = || {
        vec![
            pwrite(0, 0, 50),
            open("g", "g", "CREAT,RDWR"),
            Op::Seteuid { uid: 1000 },
            fallocate_to("g", 16 << 20),
            pwrite_to("g", 0, 0, SOURCE),
            pwrite_to("g", SOURCE, 0, SOURCE),
            pwrite_to("g", 2 * SOURCE, 0, SOURCE),
        ]
    };
    fn fallocate_to(fd: &str, len: u64) -> Op {
        Op::Fallocate { fd: fd.into(), mode: FallocateMode::Keep, off: 0, len }
    }
    let reserving = |mount: &str, ops: Vec<Op>| {
        let mut scenario = scenario(mount, ops);
        if let Image::Mkfs(mkfs) = &mut scenario.image {
            mkfs.reserved_percent = 40;
        }
        run_on(&scenario, None)
    };
    let with = |mount: &str, more: Vec<Op>| reserving(mount, [full(), more].concat());
    let after = with("", vec![pwrite(50, 50, 500)]);
    assert_eq!(after.results.last(), Some(&(-1, Some(28))));
    assert_eq!(after.cat("f"), file(50, &[(0, 0, 50)]), "the data stays in the inode");
    after.reached(&["DCI_RESERVE", "DIB_CONVERT", "DWB_INLINE"]);

    // Blocks were freed in the running transaction: one more try after its commit, too few all the same.
    let root_was_here = vec![
        pwrite(0, 0, 50),
        open("g", "g", "CREAT,RDWR"),
        pwrite_to("g", 0, 0, SOURCE),
        pwrite_to("g", SOURCE, 0, SOURCE * 3 / 8),
        Op::Sync {},
        Op::Seteuid { uid: 1000 },
        Op::Ftruncate { fd: "g".into(), len: SOURCE * 5 / 4 },
        pwrite(50, 50, 500),
    ];
    let after = reserving("", root_was_here.clone());
    assert_eq!(after.results.last(), Some(&(-1, Some(28))), "{:?}", after.results);
    assert_eq!(after.cat("f"), file(50, &[(0, 0, 50)]));
    after.reached(&["DIB_RETRY"]);
    let after = reserving("nodelalloc", root_was_here);
    assert_eq!(after.results.last(), Some(&(-1, Some(28))), "{:?}", after.results);

    // fallocate puts the data back.
    let after = with("", vec![fallocate_to("f", 8192)]);
    assert_eq!(after.results.last(), Some(&(-1, Some(28))));
    assert_eq!(after.cat("f"), file(50, &[(0, 0, 50)]));
    assert!(after.stat("f").contains(INLINE));
    after.reached(&["CIN_BLOCK", "CIN_RESTORE", "CID_DONE"]);

    // Without delayed allocation v5.10 has destroyed the inode's copy before it asks for the block.
    let after = with("nodelalloc", vec![pwrite(50, 50, 500)]);
    assert_eq!(after.results.last(), Some(&(-1, Some(28))));
    assert_eq!(after.cat("f"), file(50, &[]));
    after.reached(&["CIE_BLOCKS", "TWI_CONVERT", "WB_INLINE"]);
}

#[test]
fn unlinking_frees_the_inode() {
    for mount in ["", "nodelalloc", "data=journal"] {
        let after = run(mount, [pwrite(0, 0, 100), Op::Unlink { path: "f".into() }, pwrite(100, 100, 20)]);
        assert_eq!(after.results.last(), Some(&(20, None)));
        assert!(after.cat("f").is_empty());
    }
    run("", [pwrite(0, 0, 100), pwrite(100, 100, 500), Op::Unlink { path: "f".into() }]);
}

#[test]
fn images_of_mke2fs() {
    // No room behind the fields; the usual room; room for a kilobyte; other block sizes.
    let sizes: &[(&[&str], usize)] = &[
        (&["-b", "4096", "-I", "256"], 128),
        (&["-b", "1024", "-I", "256"], 128),
        (&["-b", "2048", "-I", "512"], 384),
        (&["-b", "4096", "-I", "1024"], 896),
        (&["-b", "4096", "-I", "256", "-O", "^has_journal"], 128),
        (&["-b", "1024", "-I", "256", "-O", "^metadata_csum"], 128),
    ];
    for (args, most) in sizes {
        let mut all = vec!["-O", "inline_data"];
        all.extend(*args);
        let image = mke2fs_image(16, &all);
        for (len, flags) in [(*most, INLINE), (*most + 1, EXTENTS)] {
            let len64 = len as u64;
            let ops = [pwrite(0, 0, 40), pwrite(40, 40, len64 - 40)];
            let mut scenario = scenario("", ops);
            scenario.image = upload();
            let after = run_on(&scenario, Some(image.clone()));
            assert_eq!(after.cat("f"), file(len, &[(0, 0, len)]), "{args:?}");
            assert!(after.stat("f").contains(flags), "{args:?}, {len} bytes: {}", after.stat("f"));
        }
    }
}

#[test]
fn a_file_that_debugfs_put_into_its_inode() {
    let scratch = Scratch::default();
    let (image, source) = (scratch.file("image"), scratch.file("source"));
    std::fs::write(&image, mke2fs_image(16, &["-b", "4096", "-I", "256", "-O", "inline_data"])).expect("it fits");
    std::fs::write(&source, file(100, &[(0, 0, 100)])).expect("it fits");
    let write = format!("write {} f", source.display());
    assert!(tool("debugfs", &["-w", "-R", &write, &image.display().to_string()]).status.success());
    // Another attribute takes room from the data.
    let attribute = "ea_set f user.x 0123456789";
    assert!(tool("debugfs", &["-w", "-R", attribute, &image.display().to_string()]).status.success());
    let bytes = std::fs::read(&image).expect("it is there");
    let mut scenario = scenario("", [pwrite(0, 500, 10), pwrite(95, 600, 10), pwrite(100, 700, 30)]);
    scenario.image = upload();
    let after = run_on(&scenario, Some(bytes));
    let expected = file(130, &[(0, 0, 100), (0, 500, 10), (95, 600, 10), (100, 700, 30)]);
    assert_eq!(after.cat("f"), expected);
    after.reached(&["PID_UPDATE", "DCI_DIRTY", "WP_INLINE"]);
    let value = tool("debugfs", &["-R", "ea_get f user.x", &after.image().display().to_string()]);
    assert!(String::from_utf8_lossy(&value.stdout).contains("0123456789"), "the other attribute is kept");
}

#[test]
fn small_directories_live_in_their_inode() {
    let mkdir = || Op::Mkdir { path: "d".into(), mode: None };
    let name = |n: usize| format!("d/name-{n}");
    let create =
        |n: usize| [open("g", &name(n), "CREAT,RDWR"), pwrite_to("g", 0, n as u64, 20), Op::Close { fd: "g".into() }];
    let after = run("", [mkdir()]);
    after.reached(&["TCD_DONE"]);
    assert!(after.stat("d").contains(INLINE), "{}", after.stat("d"));
    for (count, probes, flags) in
        [(2, &["TAE_BLOCK"][..], INLINE), (5, &["TAE_VALUE"], INLINE), (9, &["CIN_BLOCK", "DID_DONE"], EXTENTS)]
    {
        for mount in ["", "nodelalloc", "data=journal"] {
            let mut ops = vec![mkdir()];
            ops.extend((0..count).flat_map(create));
            ops.extend([Op::Remount {}, open("g", &name(1), "RDWR"), pwrite_to("g", 5, 900, 5)]);
            ops.push(Op::Unlink { path: name(0) });
            let after = run(mount, ops);
            assert!(after.results.iter().all(|(_, errno)| errno.is_none()), "{:?}", after.results);
            after.reached(probes);
            after.reached(&["FIE_SEARCH"]);
            assert!(after.stat("d").contains(flags), "{count} names: {}", after.stat("d"));
            for n in 1..count {
                let mut bytes = file(20, &[(0, n as u64, 20)]);
                if n == 1 {
                    bytes = file(20, &[(0, 1, 20), (5, 900, 5)]);
                }
                assert_eq!(after.cat(&name(n)), bytes, "{count} names, {n}");
            }
            assert!(after.cat(&name(0)).is_empty());
        }
    }
}

/// Where an inode of an image begins, in bytes.
fn inode_at(image: &std::path::Path, inode: &str) -> usize {
    let said = tool("debugfs", &["-R", &format!("imap {inode}"), &image.display().to_string()]).stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let word = |key: &str| {
        let rest = &said[said.find(key).expect("debugfs says where") + key.len()..];
        rest.trim_start().split(|c: char| !c.is_ascii_hexdigit() && c != 'x').next().unwrap_or_default().to_owned()
    };
    let block: usize = word("located at block").parse().expect("a number");
    block * 4096 + usize::from_str_radix(word("offset 0x").trim(), 16).expect("a number")
}

/// An image without checksums, with `f` and the directory `d`, which has `d/e`, in their inodes; and where those are.
fn damageable() -> (Vec<u8>, [usize; 2]) {
    let scratch = Scratch::default();
    let (image, source) = (scratch.file("image"), scratch.file("source"));
    let args = ["-b", "4096", "-I", "256", "-O", "inline_data,^metadata_csum"];
    std::fs::write(&image, mke2fs_image(16, &args)).expect("it fits");
    std::fs::write(&source, file(100, &[(0, 0, 100)])).expect("it fits");
    let path = image.display().to_string();
    for command in
        [format!("write {} f", source.display()), "mkdir d".into(), format!("write {} d/e", source.display())]
    {
        assert!(tool("debugfs", &["-w", "-R", &command, &path]).status.success());
    }
    let places = ["f", "d"].map(|name| inode_at(&image, name));
    (std::fs::read(&image).expect("it is there"), places)
}

/// Changes bytes of those two inodes (true: of the directory's), and tries all that looks at them.
fn survives(noise: &[(bool, usize, u8)], mount: &str) {
    static IMAGE: std::sync::OnceLock<(Vec<u8>, [usize; 2])> = std::sync::OnceLock::new();
    let (image, places) = IMAGE.get_or_init(damageable);
    let mut image = image.clone();
    for &(dir, at, byte) in noise {
        image[places[usize::from(dir)] + at] = byte;
    }
    let mut scenario = scenario(
        mount,
        [
            pread(0, 200),
            pwrite(50, 0, 20),
            pwrite(100, 0, 25),
            open("e", "d/e", "RDWR"),
            open("n", "d/another-name", "CREAT,RDWR"),
            open("m", "d/a-name-that-is-rather-long", "CREAT,RDWR"),
            Op::Unlink { path: "d/e".into() },
            truncate(20),
            pwrite(50, 0, 500),
            Op::Fsync { fd: "f".into() },
            fallocate(FallocateMode::Keep, 0, 8192),
            Op::Remount {},
            open("f", "f", "RDWR"),
            pread(0, 600),
        ],
    );
    scenario.image = upload();
    let options = RunOptions { image: Some(image), ..RunOptions::default() };
    if let Ok(mut run) = Run::new(&scenario, options) {
        assert_eq!(run.finish(), Progress::Finished);
    }
}

/// A name must not lead to the file system's own inodes.
#[test]
fn a_name_of_the_journal_leads_nowhere() {
    survives(&[(true, 44, 8)], "");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever stands in the inodes: the calls give errors, and the engine goes on.
    #[test]
    fn a_damaged_inode_gives_errors(
        noise in prop::collection::vec((any::<bool>(), prop_oneof![24usize..44, 40usize..100, 128usize..256], any::<u8>()), 1..6),
        mount in prop::sample::select(vec!["", "nodelalloc", "data=journal"]),
    ) {
        survives(&noise, mount);
    }
}
