//! The engine with recording off beside a plain copy of the same bytes: `cargo bench --bench workloads`.
//!
//! Built like the engine of the site (optimised for speed, one unit with what it calls). Medians of runs that
//! take turns with the copy's; memory that the program has once had is kept, so that the host's page faults do
//! not count. Every image is checked with e2fsck and read back.
//!
//! `cargo bench --bench workloads -- --once W4` runs a workload once and prints nothing, to count instructions:
//! `valgrind --tool=callgrind --toggle-collect='*Job::run*'` before the program that cargo names.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock; the engine does not")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use benches::workloads::{Copy, Job, Rate, SIZES, WORKLOADS, Workload, fresh_mount};

/// Runs of each kind, after one that warms up.
const RUNS: usize = 7;

/// The system's allocator; counts the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.store(IN_USE.load(Relaxed).wrapping_add(layout.size()), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.store(IN_USE.load(Relaxed).wrapping_sub(layout.size()), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.store(IN_USE.load(Relaxed).wrapping_add(size).wrapping_sub(layout.size()), Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    if std::env::args().any(|arg| arg == "--once") {
        let all = WORKLOADS.iter().chain(&SIZES);
        all.filter(|workload| chosen(workload.name)).for_each(|workload| Job::new(*workload).run());
        return;
    }
    if keep_memory() {
        return;
    }
    println!("recording off; 256 MiB RAM disk, ext4 with journal and checksums; clock until all is on the disk");
    println!("without the journal's log: a commit writes nothing there yet (docs/omissions.md#jbd2)");
    println!("share: of the copy into blocks that are there; in brackets, into blocks that have to be made");
    for workload in WORKLOADS.iter().filter(|workload| chosen(workload.name)) {
        measure(workload);
    }
    for workload in SIZES.iter().filter(|_| chosen("sizes")) {
        let mut times = times(|| {
            let job = Job::new(*workload);
            // So few calls would else be timed with the page faults of their new memory.
            drop(std::hint::black_box(vec![1u8; 64 << 20]));
            time(&job)
        });
        let ns = median(&mut times) * 1e9 / workload.calls() as f64;
        println!("4 KiB write into a file of {:<14} {ns:>6.0} ns", workload.name);
    }
    let before = IN_USE.load(Relaxed);
    let mount = fresh_mount();
    let mib = (IN_USE.load(Relaxed) - before) as f64 / (1 << 20) as f64;
    println!("memory of a fresh mount of 256 MiB {mib:.2} MiB, wanted < 8: {}", met(mib < 8.0));
    drop(mount);
}

/// Names on the command line choose; none chooses all.
fn chosen(name: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|arg| arg == name)
}

/// Starts this program again with an allocator that gives nothing back to the host; true if it did.
fn keep_memory() -> bool {
    const KEEP: &str = "MALLOC_TRIM_THRESHOLD_";
    if std::env::var_os(KEEP).is_some() {
        return false;
    }
    let program = std::env::current_exe().expect("a program knows its file");
    let all = "1000000000000";
    let ended = Command::new(program)
        .args(std::env::args().skip(1))
        .env(KEEP, all)
        .env("MALLOC_MMAP_THRESHOLD_", all)
        .env("MALLOC_TOP_PAD_", "67108864")
        .status()
        .expect("a program can start itself");
    std::process::exit(ended.code().unwrap_or(1));
}

fn time(job: &Job) -> f64 {
    let begin = Instant::now();
    job.run();
    begin.elapsed().as_secs_f64()
}

fn time_copy(workload: &Workload, touched: bool) -> f64 {
    let mut copy = Copy::new(*workload, touched);
    let begin = Instant::now();
    copy.run();
    begin.elapsed().as_secs_f64()
}

fn times(mut run: impl FnMut() -> f64) -> Vec<f64> {
    run();
    (0..RUNS).map(|_| run()).collect()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn measure(workload: &Workload) {
    let (mut copies, mut fresh, mut cold) = (Vec::new(), Vec::new(), 0.0);
    let mut first = true;
    let mut engine = times(|| {
        let taken = time(&Job::new(*workload));
        if std::mem::take(&mut first) {
            cold = taken;
        }
        copies.push(time_copy(workload, true));
        fresh.push(time_copy(workload, false));
        taken
    });
    let (engine, copy, fresh) = (median(&mut engine), median(&mut copies[1..]), median(&mut fresh[1..]));
    let (share, wanted) = (copy / engine * 100.0, workload.wanted.0);
    let tell = |seconds: f64| match workload.rate {
        Rate::Mib => format!("{:.0} MiB/s", workload.per_second(seconds)),
        Rate::Ops => format!("{:.0} ops/s", workload.per_second(seconds)),
    };
    println!("{} {}", workload.name, workload.what);
    println!(
        "   engine {} (first run {}), copy {} ({}): share {share:.1} % ({:.1} %), wanted {wanted} %: {}",
        tell(engine),
        tell(cold),
        tell(copy),
        tell(fresh),
        fresh / engine * 100.0,
        met(share >= wanted)
    );
    check(workload);
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "not met" }
}

/// Bytes to the device; the image after the unmount; the bytes read back.
fn check(workload: &Workload) {
    let job = Job::new(*workload);
    let steps = job.steps();
    job.run();
    let steps = (job.steps() - steps) as f64 / workload.calls() as f64;
    let image = job.image();
    let written = job.bytes_written() as f64 / workload.data_bytes() as f64;
    job.verify();
    let path = std::env::temp_dir().join(format!("writepath-{}-{}.img", workload.name, std::process::id()));
    std::fs::write(&path, image).expect("there is room for an image");
    let checked = Command::new("e2fsck").arg("-fn").arg(&path).output().expect("e2fsck is installed");
    std::fs::remove_file(&path).expect("it was written just now");
    let clean = checked.status.success();
    let verdict = if clean { "clean" } else { "NOT CLEAN" };
    let goal =
        if workload.name == "W1" { format!(", wanted <= 1.01: {}", met(written <= 1.01)) } else { String::new() };
    println!(
        "   {steps:.1} steps a call; bytes to the disk per byte {written:.3}{goal}; e2fsck: {verdict}; read back: same"
    );
    assert!(clean, "{}", String::from_utf8_lossy(&checked.stdout));
}
