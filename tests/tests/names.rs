//! Calls on names: link, rename, rmdir, and directories of tens of thousands of
//! names. What each call gives, what debugfs reads, and e2fsck's word on the image.

use std::collections::BTreeSet;

use ondisk::layout::dir_hash::{HashVersion, dx_hash};
use ondisk::layout::superblock::Superblock;
use session::run::{Progress, Run, RunOptions};
use session::scenario::{Buffer, BufferKind, Fill, Image, Mkfs, Op, Scenario, Segment};
use writepath_tests::{Scratch, fsck_clean, mke2fs_image, tool, upload};

const EPERM: u16 = 1;
const ENOENT: u16 = 2;
const EIO: u16 = 5;
const EACCES: u16 = 13;
const EBUSY: u16 = 16;
const EEXIST: u16 = 17;
const ENOTDIR: u16 = 20;
const EISDIR: u16 = 21;
const EINVAL: u16 = 22;
const ENOSPC: u16 = 28;
const EMLINK: u16 = 31;
const ENOTEMPTY: u16 = 39;

fn mkdir(path: &str) -> Op {
    Op::Mkdir { path: path.into(), mode: None }
}

fn open(fd: &str, path: &str) -> Op {
    Op::Open { fd: fd.into(), path: path.into(), flags: "CREAT,RDWR".into(), mode: None }
}

fn write(fd: &str, len: u64) -> Op {
    Op::Pwrite { fd: fd.into(), off: 0, iov: vec![Segment { buf: "b".into(), off: 0, len }] }
}

fn rename(from: &str, to: &str) -> Op {
    Op::Rename { from: from.into(), to: to.into() }
}

fn link(from: &str, to: &str) -> Op {
    Op::Link { from: from.into(), to: to.into() }
}

fn rmdir(path: &str) -> Op {
    Op::Rmdir { path: path.into() }
}

fn unlink(path: &str) -> Op {
    Op::Unlink { path: path.into() }
}

/// What a run of operations left.
struct Done {
    errnos: Vec<u16>,
    image: Vec<u8>,
    reached: BTreeSet<&'static str>,
    scratch: Scratch,
}

impl Done {
    fn debugfs(&self, command: &str) -> String {
        let path = self.scratch.file("image").display().to_string();
        String::from_utf8_lossy(&tool("debugfs", &["-R", command, &path]).stdout).into_owned()
    }
}

/// Runs `ops` and unmounts; the image must be clean.
fn run(image: Image, bytes: Option<Vec<u8>>, ops: Vec<Op>, recording: bool) -> Done {
    let mut scenario = Scenario::new("names", 16);
    scenario.image = image;
    let task = &mut scenario.tasks[0];
    let memory = Buffer { name: "b".into(), kind: BufferKind::Anon, len: 1 << 16, fill: Fill::Seed(3) };
    task.setup = vec![Op::Buf(memory)];
    let calls = ops.len();
    task.ops = ops;
    task.ops.push(Op::Umount {});
    let options = RunOptions { image: bytes, recording, ..RunOptions::default() };
    let mut run = Run::new(&scenario, options).unwrap_or_else(|error| panic!("it does not start: {error}"));
    assert_eq!(run.finish(), Progress::Finished);
    let results = run.results();
    let errnos = results[results.len() - calls - 1..results.len() - 1].iter();
    let reached = run.machine().with_history(|_, history| {
        history.steps.iter().filter_map(|step| kernel::site::probe(step.site)).map(|probe| probe.name).collect()
    });
    let done = Done {
        errnos: errnos.map(|result| result.errno.unwrap_or(0)).collect(),
        image: run.image(),
        reached,
        scratch: Scratch::default(),
    };
    std::fs::write(done.scratch.file("image"), &done.image).expect("the image can be stored");
    done
}

fn clean(done: &Done) {
    fsck_clean(&done.scratch.file("image"), "names");
}

fn mkfs(block_size: u32, features: &[&str]) -> Image {
    let features = features.iter().map(|&name| name.into()).collect();
    Image::Mkfs(Mkfs { size_mib: 16, block_size, features, ..Mkfs::default() })
}

#[test]
fn files_and_directories_get_other_names() {
    for image in [mkfs(1024, &[]), mkfs(4096, &[]), mkfs(4096, &["inline_data"]), mkfs(1024, &["^has_journal"])] {
        let calls = [
            (mkdir("d"), 0),
            (mkdir("d/e"), 0),
            (mkdir("x"), 0),
            (open("f", "f"), 0),
            (write("f", 5000), 0),
            (open("g", "x/g"), 0),
            (write("g", 3000), 0),
            (link("f", "d/f2"), 0),
            (link("f", "d/f2"), EEXIST),
            (link("d", "d2"), EPERM),
            (link("none", "d2"), ENOENT),
            // Over another file, which has no name then but a descriptor.
            (rename("f", "x/g"), 0),
            (rename("f", "h"), ENOENT),
            // Two names of one file: nothing happens.
            (rename("x/g", "d/f2"), 0),
            (rename("x/g", "x/k"), 0),
            // A directory to another parent, and back over an empty one.
            (rename("d/e", "x/e"), 0),
            (mkdir("d/e"), 0),
            (mkdir("x/e/below"), 0),
            (rename("d/e", "x/e"), ENOTEMPTY),
            (rename("x/e", "d/e"), 0),
            (rename("d/e", "d/e2"), 0),
            // What cannot be.
            (rename("d", "d/e2/below/d"), EINVAL),
            (rename("d/e2/below", "d"), ENOTEMPTY),
            (rename("x/k", "d"), EISDIR),
            (rename("d", "x/k"), ENOTDIR),
            (rename("/", "x/r"), EBUSY),
            (rename("x/k", "d/.."), EBUSY),
            (rename("x/k", "none/k"), ENOENT),
            (rename("none/k", "x/k"), ENOENT),
            (rmdir("d"), ENOTEMPTY),
            (rmdir("x/k"), ENOTDIR),
            (rmdir("d/e2/below"), 0),
            (rmdir("d/e2"), 0),
            (mkdir("y"), 0),
            (Op::Fsync { fd: "g".into() }, 0),
        ];
        let (ops, wanted): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        let done = run(image, None, ops, false);
        assert_eq!(done.errnos, wanted);
        clean(&done);
        let root = done.debugfs("ls -p /");
        let names = |listed: &str| -> Vec<String> {
            // A removed name at the begin of a block is listed with inode 0.
            let lines = listed.lines().filter(|line| !line.starts_with("/0/"));
            lines.filter_map(|line| line.split('/').nth(5)).map(str::to_owned).collect()
        };
        assert_eq!(names(&root), [".", "..", "lost+found", "d", "x", "y"], "{root}");
        assert_eq!(names(&done.debugfs("ls -p d")), [".", "..", "f2"]);
        assert_eq!(names(&done.debugfs("ls -p x")), [".", "..", "k"]);
        assert!(done.debugfs("stat x/k").contains("Links: 2"));
        assert_eq!(done.debugfs("stat x/k").lines().next(), done.debugfs("stat d/f2").lines().next());
    }
}

#[test]
fn a_rename_asks_for_leave() {
    let open_to_all = |path: &str| Op::Mkdir { path: path.into(), mode: Some("0777".into()) };
    let calls = [
        (mkdir("mine"), 0),
        (open_to_all("d"), 0),
        (open_to_all("e"), 0),
        (mkdir("d/sub"), 0),
        (open("f", "d/f"), 0),
        (open("g", "mine/g"), 0),
        (Op::Seteuid { uid: 1000 }, 0),
        (rename("d/f", "e/f"), 0),
        (rename("e/f", "mine/f"), EACCES),
        (rename("mine/g", "e/g"), EACCES),
        // In its directory it may get another name, but its double dot is not the user's to change.
        (rename("d/sub", "d/sub2"), 0),
        (rename("d/sub2", "e/sub"), EACCES),
        (Op::Seteuid { uid: 0 }, 0),
        (Op::Setflags { fd: "f".into(), action: session::scenario::ops::SetClear::Set, flags: "append".into() }, 0),
        (rename("e/f", "e/h"), EPERM),
        (rename("mine/g", "e/f"), EPERM),
        (Op::Shutdown { fd: "f".into(), how: 0 }, 0),
        (rename("mine/g", "mine/h"), EIO),
    ];
    let (ops, wanted): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    assert_eq!(run(mkfs(4096, &[]), None, ops, false).errnos, wanted);
}

#[test]
fn a_directory_with_65000_others_takes_no_more() {
    let bytes = mke2fs_image(16, &["-b", "4096"]);
    let scratch = Scratch::default();
    let path = scratch.file("image");
    std::fs::write(&path, bytes).expect("the image can be stored");
    for command in ["mkdir d", "mkdir e", "sif d links_count 65000"] {
        assert!(tool("debugfs", &["-w", "-R", command, &path.display().to_string()]).status.success());
    }
    let bytes = std::fs::read(&path).expect("it is there");
    let done = run(upload(), Some(bytes), vec![mkdir("d/x"), rename("e", "d/e"), rename("e", "f")], false);
    assert_eq!(done.errnos, [EMLINK, EMLINK, 0]);
}

/// Where names fall is the same in each run.
const HASH_SEED: &str = "hash_seed=6a7ae7e4-ad38-11ee-8c90-0242ac120002";

/// A name of 250 bytes: three fill a block of 1 KiB.
fn long(number: u32) -> String {
    format!("{number:06}{}", "n".repeat(244))
}

#[test]
fn a_directory_of_tens_of_thousands_of_names_has_an_index_of_two_levels_or_three() {
    const NAMES: u32 = 33_000;
    for (features, levels) in [("^large_dir", 1), ("large_dir", 2)] {
        let bytes = mke2fs_image(96, &["-b", "1024", "-O", features, "-E", HASH_SEED]);
        let mut ops = vec![mkdir("d"), mkdir("e"), open("f", "f")];
        ops.extend((0..NAMES).map(|n| link("f", &format!("d/{}", long(n)))));
        let filled = ops.len();
        ops.push(Op::Remount {});
        ops.extend((0..NAMES).step_by(500).map(|n| unlink(&format!("d/{}", long(n)))));
        ops.push(rename("d", "e/d"));
        ops.push(link(&format!("e/d/{}", long(1)), "h"));
        let done = run(upload(), Some(bytes), ops, false);
        clean(&done);
        let kept = done.errnos[3..filled].iter().take_while(|&&errno| errno == 0).count();
        if levels == 1 {
            assert!(kept > 15_000, "{kept}");
            assert_eq!(done.errnos[3 + kept], ENOSPC);
        } else {
            assert_eq!(kept, NAMES as usize);
            assert!(done.errnos[filled..].iter().all(|&errno| errno == 0));
        }
        let index = done.debugfs("htree e/d");
        assert!(index.contains(&format!("Indirect levels: {levels}")), "{}", &index[..400]);
    }
}

/// Names of which each has the hash of another, with the seed of the image.
fn twins(image: &[u8]) -> Vec<String> {
    let es = Superblock::of_device(image).expect("it is an image");
    let version = HashVersion::from_number(es.s_def_hash_version).expect("it is known");
    let version = if es.s_flags.get() & 2 != 0 { version.unsigned() } else { version };
    let seed = es.s_hash_seed.map(|word| word.get());
    let mut hashes: Vec<(u32, u32)> = (0..800_000).map(|n| (dx_hash(version, seed, long(n).as_bytes()).0, n)).collect();
    hashes.sort_unstable();
    let same = hashes.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    same.flat_map(|pair| [long(pair[0].1), long(pair[1].1)]).collect()
}

#[test]
fn a_name_is_found_behind_another_of_the_same_hash() {
    let bytes = mke2fs_image(16, &["-b", "1024", "-E", HASH_SEED]);
    let names = twins(&bytes);
    assert!(names.len() > 200, "{}", names.len());
    let mut ops = vec![mkdir("d"), open("f", "f")];
    ops.extend(names.iter().map(|name| link("f", &format!("d/{name}"))));
    ops.push(Op::Remount {});
    ops.extend(names.iter().map(|name| rename(&format!("d/{name}"), &format!("d/{}", name.replace("nnn", "m")))));
    ops.extend(names.iter().map(|name| unlink(&format!("d/{}", name.replace("nnn", "m")))));
    ops.extend([rmdir("d")]);
    let done = run(upload(), Some(bytes), ops, true);
    assert!(done.errnos.iter().all(|&errno| errno == 0), "{:?}", done.errnos);
    assert!(done.reached.contains("AE_LEVEL"));
    clean(&done);
}
