//! What the benches measure, shared by the native ones and the page's.
//!
//! Nothing here reads a clock: the caller does, natively or in a browser.

#![recursion_limit = "256"]

#[cfg(target_arch = "wasm32")]
mod web;
pub mod workloads;

use session::run::{Progress, Run, RunOptions};
use session::scenario::{Buffer, BufferKind, Device, DeviceKind, Fill, Mkfs, Op, Scenario, Segment};

/// Bytes of one write of the recorder's workload.
const CALL: u64 = 1 << 20;

/// A scenario that writes `mib` MiB in calls of 1 MiB to a new file, on 4 KiB blocks.
#[must_use]
pub fn long_write(mib: u64) -> Scenario {
    let mut scenario = Scenario::new("long write", 256);
    scenario.image = session::scenario::Image::Mkfs(Mkfs { size_mib: 512, ..Mkfs::default() });
    scenario.memory_mib = 4096;
    scenario.op_gap_ms = 0;
    let task = &mut scenario.tasks[0];
    task.setup = vec![
        Op::Buf(Buffer { name: "b".into(), kind: BufferKind::Anon, len: CALL, fill: Fill::Seed(1) }),
        Op::Open { fd: "f".into(), path: "f".into(), flags: "CREAT,RDWR".into(), mode: None },
    ];
    task.ops = (0..mib)
        .map(|n| Op::Pwrite {
            fd: "f".into(),
            off: n * CALL,
            iov: vec![Segment { buf: "b".into(), off: 0, len: CALL }],
        })
        .collect();
    scenario
}

/// Two writers, `mib` MiB each in calls of 1 MiB, to two files of one slow device: both are
/// paused, the flusher writes, requests complete and their extents are converted. At most
/// 8 MiB may be dirty, and the flusher begins at 4.
#[must_use]
pub fn shared_write(mib: u64) -> Scenario {
    let mut scenario = long_write(mib);
    scenario.title.en = "shared write".into();
    scenario.device = Device {
        kind: DeviceKind::Slow,
        latency_ms: 5,
        bandwidth_kib_s: Some(64 << 10),
        queue_depth: Some(4),
        ..Device::default()
    };
    scenario.vm.dirty_bytes = Some(8 << 20);
    scenario.vm.dirty_background_bytes = Some(4 << 20);
    let task = &mut scenario.tasks[0];
    task.setup.push(Op::Open { fd: "g".into(), path: "g".into(), flags: "CREAT,RDWR".into(), mode: None });
    let writes = std::mem::take(&mut task.ops);
    task.ops = (0..mib)
        .zip(writes)
        .flat_map(|(n, write)| {
            let iov = vec![Segment { buf: "b".into(), off: 0, len: CALL }];
            [Op::RaceWrite { fd: "g".into(), off: n * CALL, iov }, write, Op::RaceWait {}]
        })
        .collect();
    scenario
}

/// 64 MiB in one call to a device of 16 MiB/s, and what was not yet on the disk by `sync`.
#[must_use]
pub fn slow_write() -> Scenario {
    let mut scenario = shared_write(0);
    scenario.title.en = "slow write".into();
    scenario.device.bandwidth_kib_s = Some(16 << 10);
    let len = 64 << 20;
    let task = &mut scenario.tasks[0];
    task.setup[0] = Op::Buf(Buffer { name: "b".into(), kind: BufferKind::Anon, len, fill: Fill::Seed(1) });
    task.ops =
        vec![Op::Pwrite { fd: "f".into(), off: 0, iov: vec![Segment { buf: "b".into(), off: 0, len }] }, Op::Sync {}];
    scenario
}

/// Starts a workload.
///
/// # Panics
/// If the scenario cannot start, which would be a fault of this crate.
#[must_use]
pub fn start(scenario: &Scenario, recording: bool) -> Run {
    let options = RunOptions { recording, ..RunOptions::default() };
    Run::new(scenario, options).expect("the workload is a good scenario")
}

/// Runs until `steps` more steps are done or the run ends; gives the steps done.
pub fn advance(run: &mut Run, steps: u32) -> u64 {
    let before = run.machine().steps_run();
    while run.machine().steps_run() - before < u64::from(steps) && run.step(steps) == Progress::Running {}
    run.machine().steps_run() - before
}

/// A small generator for positions, the same everywhere.
#[derive(Debug)]
pub struct Positions(pub u64);

impl Positions {
    /// A number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }
}
