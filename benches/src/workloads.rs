//! The six workloads of a file system without a recorder: the engine's system calls, and beside each a
//! plain copy of the same bytes in the same calls into the same kind of RAM disk.
//!
//! Nothing here reads a clock. The caller does: from [`Job::run`]'s begin to its end all bytes reach the disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use kernel::block::ramdisk::irq;
use kernel::fs::ext4::file::ext4_file_read_iter;
use kernel::fs::ext4::super_::{MountOptions, drop_caches, ext4_mount, ext4_umount};
use kernel::fs::open::{OpenFlags, do_sys_open, filp_close};
use kernel::fs::read_write::{fdget, ksys_pwrite64, ksys_write};
use kernel::fs::sync::ksys_sync;
use kernel::mm::memory::{buffer_address, fill_byte, map_buffer};
use kernel::start_kernel_threads;
use sched::{Kthread, Machine, Pause};
use session::run::{booted_world, image_bytes};
use session::scenario::{Image, Mkfs, Scenario};
use world::{Counter, PAGE_SIZE, Unit, VmaKind};

use crate::Positions;

/// Bytes of the user's buffer; a call takes its bytes from the next place in it, round and round.
const BUFFER: u64 = 1 << 20;
/// Bytes of a page.
const PAGE: usize = PAGE_SIZE as usize;
/// The process that calls.
const PROCESS: u8 = 1;
/// Its descriptor.
const FD: u32 = 3;
/// Calls after which a tick of the coarse clock has gone by.
const CALLS_A_TICK: u64 = 4096;
/// A tick, in nanoseconds.
const TICK_NS: u64 = 4_000_000;

/// How a workload's rate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// MiB a second.
    Mib,
    /// Operations a second.
    Ops,
}

/// What a workload's calls do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Each call behind the last one.
    Sequential,
    /// Each call over a random page of a file that is there and cached.
    Overwrite,
    /// Each call over another page of a file of so many MiB that has one in so many bytes.
    Scatter { mib: u64, apart: u64 },
    /// Each call a file of its own.
    Create,
    /// Each call reads what the one before did not.
    Read,
}

/// One of the workloads of `targets`.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// W1 to W6.
    pub name: &'static str,
    /// In words.
    pub what: &'static str,
    /// How its rate is told.
    pub rate: Rate,
    /// Wanted share of the plain copy's rate, in per cent: natively and in wasm.
    pub wanted: (f64, f64),
    kind: Kind,
    calls: u64,
    bytes: u64,
}

const MIB: u64 = 1 << 20;

/// 4 KiB writes over scattered pages of a full MiB, of 64 full MiB, and of a GiB with a page in each 256 KiB.
pub const SIZES: [Workload; 3] =
    [scatter("1 MiB", 1, PAGE_SIZE), scatter("64 MiB", 64, PAGE_SIZE), scatter("1 GiB, sparse", 1024, 256 << 10)];

const fn scatter(name: &'static str, mib: u64, apart: u64) -> Workload {
    let what = "4 KiB writes over scattered pages";
    workload(name, what, Kind::Scatter { mib, apart }, 256, PAGE_SIZE, (0.0, 0.0))
}

/// W1 to W6.
pub const WORKLOADS: [Workload; 6] = [
    workload("W1", "128 MiB in 4 KiB writes", Kind::Sequential, 32_768, 4096, (25.0, 25.0)),
    workload("W2", "128 MiB in 1 MiB writes", Kind::Sequential, 128, MIB, (40.0, 35.0)),
    workload("W3", "16,384 random 4 KiB overwrites in 64 MiB", Kind::Overwrite, 16_384, 4096, (45.0, 40.0)),
    workload("W4", "100,000 appends of 100 B", Kind::Sequential, 100_000, 100, (15.0, 25.0)),
    workload("W5", "2,000 files of 4 KiB created", Kind::Create, 2000, 4096, (4.5, 5.0)),
    workload("W6", "128 MiB read back in 4 KiB reads", Kind::Read, 32_768, 4096, (70.0, 90.0)),
];

const fn workload(
    name: &'static str,
    what: &'static str,
    kind: Kind,
    calls: u64,
    bytes: u64,
    wanted: (f64, f64),
) -> Workload {
    let rate = if bytes < 4096 || matches!(kind, Kind::Create) { Rate::Ops } else { Rate::Mib };
    Workload { name, what, rate, wanted, kind, calls, bytes }
}

impl Workload {
    /// Its rate, given how long it took.
    #[must_use]
    pub fn per_second(&self, seconds: f64) -> f64 {
        match self.rate {
            Rate::Mib => (self.calls * self.bytes) as f64 / MIB as f64 / seconds,
            Rate::Ops => self.calls as f64 / seconds,
        }
    }

    /// Calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Bytes of data.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.calls * self.bytes
    }

    /// What is in the file before the clock runs: its end, a step from piece to piece, and a piece's bytes.
    fn prepared(&self) -> (u64, usize, u64) {
        match self.kind {
            Kind::Overwrite => (64 * MIB, BUFFER as usize, BUFFER),
            Kind::Scatter { mib, apart } => (mib * MIB, apart as usize, PAGE_SIZE),
            Kind::Read => (self.calls * self.bytes, BUFFER as usize, BUFFER),
            Kind::Sequential | Kind::Create => (0, 1, 0),
        }
    }

    /// Where call `n` writes or reads, and where in the user's buffer.
    fn place(&self, n: u64, positions: &mut Positions) -> (u64, u64) {
        let from = n % (BUFFER / self.bytes) * self.bytes;
        match self.kind {
            Kind::Overwrite => (u64::from(positions.below((64 * MIB / PAGE_SIZE) as u32)) * PAGE_SIZE, from),
            // A prime step: no page twice.
            Kind::Scatter { mib, apart } => (n * 7919 % (mib * MIB / apart) * apart, from),
            Kind::Create => (0, from),
            Kind::Sequential | Kind::Read => (n * self.bytes, from),
        }
    }
}

fn user_buffer() -> Vec<u8> {
    (0..BUFFER).map(|i| fill_byte(1, i)).collect()
}

fn file_name(n: u64) -> String {
    format!("f{n}")
}

/// The image that all workloads begin with: 256 MiB as `mke2fs -t ext4 -b 4096 -I 256` makes it.
fn scenario() -> Scenario {
    let mut scenario = Scenario::new("bench", 256);
    scenario.image = Image::Mkfs(Mkfs { size_mib: 256, ..Mkfs::default() });
    scenario.memory_mib = 4096;
    scenario.op_gap_ms = 0;
    scenario
}

/// A workload on the engine, recording off: mounted, its files prepared and cached.
pub struct Job {
    machine: Rc<Machine>,
    size_bytes: u64,
    /// Bytes written to the device before the clock runs.
    before: u64,
}

impl Job {
    /// Mounts a fresh image and prepares the workload's files.
    ///
    /// # Panics
    /// If a call fails, which would be a fault of the engine.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        Self::start(workload, false)
    }

    /// The same, which records from where the clock begins.
    ///
    /// # Panics
    /// As [`Job::new`].
    #[must_use]
    pub fn recorded(workload: Workload) -> Self {
        Self::start(workload, true)
    }

    fn start(workload: Workload, recorded: bool) -> Self {
        let (world, size_bytes) = booted_world(&scenario(), None).expect("the scenario is a good one");
        let machine = Machine::new(world, false);
        machine.spawn("bench", PROCESS, 0, move |kt| async move { Box::pin(program(&kt, workload)).await });
        start_kernel_threads(&machine);
        let mut job = Job { machine, size_bytes, before: 0 };
        job.advance();
        job.before = job.device_bytes();
        if recorded {
            job.machine.record_from_here();
        }
        job
    }

    /// To the program's next pause.
    fn advance(&self) {
        let pause = self.machine.run(u32::MAX, irq);
        assert!(matches!(pause, Pause::Budget | Pause::Finished), "the program goes on to its next pause");
    }

    fn device_bytes(&self) -> u64 {
        self.machine.with(|w| w.counter(Counter::DeviceBytesWritten))
    }

    /// What the clock is for: all calls, then sync(2); of [`SIZES`] only the calls.
    #[inline(never)]
    pub fn run(&self) {
        self.advance();
    }

    /// Bytes written to the device since the clock began to run.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.device_bytes() - self.before
    }

    /// Steps that probes have ended.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.machine.steps_run()
    }

    /// Bytes that the record takes, without page contents.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.machine.with_history(|w, history| history.log_bytes(w).0)
    }

    /// Unmounts; gives the image.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        self.advance();
        self.machine.with(|w| image_bytes(w, self.size_bytes))
    }

    /// Mounts once more and reads all back from the device.
    ///
    /// # Panics
    /// If a byte differs from what was written.
    pub fn verify(&self) {
        self.advance();
    }
}

/// A fresh mount of 256 MiB, to weigh.
#[must_use]
pub fn fresh_mount() -> Job {
    Job::new(workload("", "", Kind::Sequential, 0, 4096, (0.0, 0.0)))
}

/// The program: pauses where the clock begins and ends, after the unmount, and after the check.
async fn program(kt: &Kthread, job: Workload) {
    let options = MountOptions::parse("").expect("no option is a good one");
    Box::pin(ext4_mount(kt, options)).await.expect("a fresh image is mounted");
    let buffer = user_buffer();
    kt.with(|w| map_buffer(w, PROCESS, 0, VmaKind::Anon, &buffer));
    prepare(kt, job).await;
    kt.pause().await;

    calls(kt, job).await;
    if !matches!(job.kind, Kind::Scatter { .. }) {
        ksys_sync(kt).await;
    }
    kt.pause().await;

    unmount(kt).await;
    kt.pause().await;

    kt.with(drop_caches);
    Box::pin(ext4_mount(kt, options)).await.expect("a fresh image is mounted");
    verify(kt, job, &buffer).await;
    unmount(kt).await;
}

async fn unmount(kt: &Kthread) {
    close(kt).await;
    ksys_sync(kt).await;
    ext4_umount(kt).await.expect("nothing is open");
}

async fn prepare(kt: &Kthread, job: Workload) {
    if job.kind != Kind::Create {
        open(kt, "f").await;
    }
    let (end, apart, len) = job.prepared();
    for at in (0..end).step_by(apart) {
        write_at(kt, at, 0, len).await;
    }
    ksys_sync(kt).await;
}

async fn calls(kt: &Kthread, job: Workload) {
    let mut positions = Positions(3);
    let mut read = Vec::new();
    let file = kt.with(|w| fdget(w, PROCESS, FD)).ok();
    for n in 0..job.calls {
        let (at, from) = job.place(n, &mut positions);
        match job.kind {
            Kind::Sequential => {
                let written = ksys_write(kt, FD, buffer_address(0, from), job.bytes).await;
                assert_eq!(written, Ok(job.bytes));
            }
            Kind::Overwrite | Kind::Scatter { .. } => write_at(kt, at, from, job.bytes).await,
            Kind::Create => {
                open(kt, &file_name(n)).await;
                write_at(kt, 0, from, job.bytes).await;
                close(kt).await;
            }
            Kind::Read => {
                let file = file.expect("the file is open");
                read.clear();
                assert_eq!(ext4_file_read_iter(kt, file, at, job.bytes, &mut read).await, Ok(job.bytes));
            }
        }
        if n % CALLS_A_TICK == CALLS_A_TICK - 1 {
            kt.sleep_for(TICK_NS).await;
        }
    }
    std::hint::black_box(&read);
}

async fn open(kt: &Kthread, path: &str) {
    let flags = OpenFlags::CREAT | OpenFlags::RDWR | OpenFlags::LARGEFILE;
    let file = do_sys_open(kt, path, flags, 0o644).await.expect("the file can be made");
    kt.with(|w| w.fd_set((PROCESS, FD), Some(file)));
}

async fn close(kt: &Kthread) {
    if let Ok(file) = kt.with(|w| fdget(w, PROCESS, FD)) {
        kt.with(|w| w.fd_set((PROCESS, FD), None));
        filp_close(kt, file).await;
    }
}

async fn write_at(kt: &Kthread, at: u64, from: u64, len: u64) {
    let at = i64::try_from(at).expect("files are small");
    let written = ksys_pwrite64(kt, FD, buffer_address(0, from), len, at).await;
    assert_eq!(written, Ok(len), "the disk has room");
}

async fn verify(kt: &Kthread, job: Workload, buffer: &[u8]) {
    if job.kind == Kind::Create {
        for n in 0..job.calls {
            open(kt, &file_name(n)).await;
            let from = job.place(n, &mut Positions(3)).1 as usize;
            check(kt, 0, &buffer[from..from + job.bytes as usize]).await;
            close(kt).await;
        }
        return;
    }
    open(kt, "f").await;
    for (at, bytes) in expected_pieces(job, buffer) {
        check(kt, at, bytes).await;
    }
    close(kt).await;
}

async fn check(kt: &Kthread, at: u64, expected: &[u8]) {
    let file = kt.with(|w| fdget(w, PROCESS, FD)).expect("the file is open");
    let mut read = Vec::new();
    ext4_file_read_iter(kt, file, at, expected.len() as u64, &mut read).await.expect("the file can be read");
    assert!(read == expected, "byte {at} and those behind it are what was written");
}

/// What the file holds, by where.
fn expected_pieces(job: Workload, buffer: &[u8]) -> BTreeMap<u64, &[u8]> {
    let (end, apart, len) = job.prepared();
    let mut pieces = BTreeMap::new();
    for at in (0..end).step_by(apart) {
        for page in (0..len).step_by(PAGE) {
            pieces.insert(at + page, &buffer[page as usize..page as usize + PAGE]);
        }
    }
    let mut positions = Positions(3);
    for n in 0..if job.kind == Kind::Read { 0 } else { job.calls } {
        let (at, from) = job.place(n, &mut positions);
        pieces.insert(at, &buffer[from as usize..(from + job.bytes) as usize]);
    }
    pieces
}

/// The same calls with nothing in between: each copies its bytes to or from the RAM disk's blocks, which
/// are those of the engine's disk: there only once touched.
pub struct Copy {
    workload: Workload,
    disk: Vec<Unit>,
    buffer: Vec<u8>,
    read: Vec<u8>,
    /// First unit by name, as a directory without a format.
    names: RefCell<BTreeMap<String, usize>>,
}

impl Copy {
    /// The disk and what is on it before the clock runs. With `touched` all of its blocks are there: then the
    /// clock sees the copy alone, else the memory for each new block too, as with the engine.
    #[must_use]
    pub fn new(workload: Workload, touched: bool) -> Self {
        let mut copy = Copy {
            workload,
            disk: vec![None; (workload.prepared().0.max(256 * MIB) / PAGE_SIZE) as usize],
            buffer: user_buffer(),
            read: vec![0; workload.bytes as usize],
            names: RefCell::default(),
        };
        if touched {
            copy.disk.fill_with(|| Some(Arc::new([0; PAGE])));
        }
        let (end, apart, len) = workload.prepared();
        for at in (0..end).step_by(apart) {
            copy.write(at, 0, len as usize);
        }
        copy
    }

    fn write(&mut self, at: u64, from: usize, len: usize) {
        let (mut at, mut rest) = (at as usize, &self.buffer[from..from + len]);
        while !rest.is_empty() {
            let within = at % PAGE;
            let (piece, left) = rest.split_at(rest.len().min(PAGE - within));
            let unit = self.disk[at / PAGE].get_or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(unit)[within..within + piece.len()].copy_from_slice(piece);
            at += piece.len();
            rest = left;
        }
    }

    fn read(&mut self, at: u64, len: usize) {
        let (at, mut done) = (at as usize, 0);
        while done < len {
            let within = (at + done) % PAGE;
            let piece = (len - done).min(PAGE - within);
            if let Some(unit) = &self.disk[(at + done) / PAGE] {
                self.read[done..done + piece].copy_from_slice(&unit[within..within + piece]);
            }
            done += piece;
        }
    }

    /// What the clock is for.
    pub fn run(&mut self) {
        let mut positions = Positions(3);
        let job = self.workload;
        for n in 0..job.calls {
            let (at, from) = job.place(n, &mut positions);
            match job.kind {
                Kind::Read => {
                    self.read(at, job.bytes as usize);
                    std::hint::black_box(&self.read);
                }
                Kind::Create => {
                    let unit = self.names.borrow().len();
                    self.names.borrow_mut().insert(file_name(n), unit);
                    self.write(unit as u64 * PAGE_SIZE, from as usize, job.bytes as usize);
                }
                Kind::Sequential | Kind::Overwrite | Kind::Scatter { .. } => {
                    self.write(at, from as usize, job.bytes as usize);
                }
            }
        }
        std::hint::black_box(&self.disk);
    }
}
