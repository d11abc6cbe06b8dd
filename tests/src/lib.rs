//! What the tests share: runs of scenarios, and the real tools that judge the
//! images they leave.

pub mod branches;
pub mod json_schema;
pub mod whole;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use session::run::{Progress, Run, RunOptions};
use session::scenario::{Buffer, BufferKind, Fill, Image, Mkfs, Op, Scenario, Segment, Upload};

/// A folder that goes with its owner.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Default for Scratch {
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("writepath-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a scratch folder can be made");
        Scratch(dir)
    }
}

impl Scratch {
    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs one of the e2fsprogs.
///
/// # Panics
/// If it is not there: these tests are worth nothing without.
#[must_use]
pub fn tool(name: &str, args: &[&str]) -> Output {
    let path =
        ["/usr/sbin", "/sbin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists());
    let path = path.unwrap_or_else(|| panic!("{name} is needed (package e2fsprogs)"));
    Command::new(path).args(args).output().unwrap_or_else(|error| panic!("{name} does not start: {error}"))
}

/// `e2fsck -fn` must find nothing.
///
/// # Panics
/// With e2fsck's own words, if it finds something.
pub fn fsck_clean(image: &Path, what: &str) {
    let output = tool("e2fsck", &["-fn", &image.display().to_string()]);
    assert!(output.status.success(), "{what}: e2fsck says\n{}", String::from_utf8_lossy(&output.stdout));
}

/// The bytes of a file of an image, as debugfs reads them.
#[must_use]
pub fn debugfs_cat(image: &Path, file: &str) -> Vec<u8> {
    let mut bytes = tool("debugfs", &["-R", &format!("cat {file}"), &image.display().to_string()]).stdout;
    if bytes.len() == 60 {
        // Of a file in its inode debugfs prints all of i_block, whatever the size.
        let stat = tool("debugfs", &["-R", &format!("stat {file}"), &image.display().to_string()]).stdout;
        let stat = String::from_utf8_lossy(&stat);
        let size = stat.split_whitespace().skip_while(|word| *word != "Size:").nth(1);
        bytes.truncate(size.and_then(|size| size.parse().ok()).unwrap_or(60));
    }
    bytes
}

/// A write of a test: file offset and bytes of the pattern, maybe in pieces.
#[derive(Clone, Debug)]
pub struct Write {
    /// File offset in bytes.
    pub off: u64,
    /// Lengths of the segments.
    pub segments: Vec<u64>,
}

impl Write {
    /// One segment.
    #[must_use]
    pub fn at(off: u64, len: u64) -> Self {
        Write { off, segments: vec![len] }
    }
}

/// A scenario that creates `f` and does `writes`, all from one buffer whose bytes go on from write to write.
#[must_use]
pub fn writes(image: Image, writes: &[Write]) -> Scenario {
    let mut scenario = Scenario::new("test", 16);
    scenario.image = image;
    let total: u64 = writes.iter().flat_map(|write| &write.segments).sum();
    let task = &mut scenario.tasks[0];
    task.setup.push(Op::Buf(Buffer {
        name: "b".into(),
        kind: BufferKind::Anon,
        len: total.max(1),
        fill: Fill::Seed(3),
    }));
    task.setup.push(Op::Open { fd: "f".into(), path: "f".into(), flags: "CREAT,RDWR".into(), mode: None });
    let mut from = 0;
    for write in writes {
        let iov = write
            .segments
            .iter()
            .map(|&len| {
                from += len;
                Segment { buf: "b".into(), off: from - len, len }
            })
            .collect();
        task.ops.push(Op::Pwritev { fd: "f".into(), off: write.off, iov });
    }
    scenario
}

/// What a file holds after `writes`, by the plainest model.
#[must_use]
pub fn expected(writes: &[Write]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut from = 0;
    for write in writes {
        let len: u64 = write.segments.iter().sum();
        let end = (write.off + len) as usize;
        if file.len() < end {
            file.resize(end, 0);
        }
        for i in 0..len {
            file[(write.off + i) as usize] = kernel_byte(from + i);
        }
        from += len;
    }
    file
}

/// Byte `i` of a buffer that is filled from seed 3.
#[must_use]
pub fn kernel_byte(i: u64) -> u8 {
    (131 * 3 + 7 * i + 31 * (i >> 8) + 17 * (i >> 16)) as u8
}

/// Our own mkfs's image.
#[must_use]
pub fn own_image(size_mib: u32, block_size: u32) -> Image {
    Image::Mkfs(Mkfs { size_mib, block_size, ..Mkfs::default() })
}

/// An image made by the real mke2fs, as a user would drop it.
#[must_use]
pub fn mke2fs_image(size_mib: u32, args: &[&str]) -> Vec<u8> {
    let scratch = Scratch::default();
    let path = scratch.file("image").display().to_string();
    let size = format!("{size_mib}M");
    let mut all = vec!["-q", "-F", "-t", "ext4"];
    all.extend(args);
    all.extend([path.as_str(), size.as_str()]);
    let output = tool("mke2fs", &all);
    assert!(output.status.success(), "mke2fs: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(&path).expect("mke2fs has made the image")
}

/// The scenario's name for an uploaded image.
#[must_use]
pub fn upload() -> Image {
    Image::Upload(Upload { name: "image".into(), sha256: "0".repeat(64) })
}

/// Runs a scenario to its end and gives the image.
///
/// # Panics
/// If it does not start or not end.
#[must_use]
pub fn run(scenario: &Scenario, image: Option<Vec<u8>>) -> Run {
    let options = RunOptions { image, ..RunOptions::default() };
    let mut run = Run::new(scenario, options).unwrap_or_else(|error| panic!("the scenario does not start: {error}"));
    assert_eq!(run.finish(), Progress::Finished);
    run
}

/// More steps than any run of the searches takes that comes to an end.
const SEARCH_STEPS: u32 = 2_000_000;

/// Runs a scenario of a search: one that goes on and on is a failure, not a test without end.
///
/// # Panics
/// If it does not start or not end.
#[must_use]
pub fn bounded_run(scenario: &Scenario) -> Run {
    let mut run = Run::new(scenario, RunOptions::default())
        .unwrap_or_else(|error| panic!("the scenario does not start: {error}"));
    assert_eq!(run.step(SEARCH_STEPS), Progress::Finished);
    run
}

/// Runs `body` with the scenario stored in a file of the scratch folder. If
/// `body` panics, the file stays, and the panic goes on with its name: what a
/// search for a smaller case stores last is the smallest that still fails. If
/// `body` never comes back, the file shows why.
///
/// # Panics
/// If `body` does.
pub fn keep_failing(name: &str, scenario: &Scenario, body: impl FnOnce()) {
    let path = |state: &str| std::env::temp_dir().join(format!("writepath-{state}-{name}.json"));
    let (running, failing) = (path("running"), path("failing"));
    std::fs::write(&running, session::scenario::emit_pretty(scenario)).expect("the scenario can be stored");
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    let Err(panic) = done else {
        std::fs::remove_file(&running).expect("what was stored can be removed");
        return;
    };
    let reason = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    std::fs::rename(&running, &failing).expect("what was stored can be renamed");
    panic!("{reason}\nthe scenario is {}", failing.display());
}
