//! The workloads for a page or for node, which read the clock.

use heap as _;

use crate::workloads::{Copy, Job, Rate, WORKLOADS};
use session::run::Run;
use wasm_bindgen::prelude::wasm_bindgen;

/// A run of the workload.
#[wasm_bindgen]
pub struct Recorder(Run);

#[wasm_bindgen]
impl Recorder {
    /// Starts a run in which one or two writers write `mib` MiB each; two have a slow device.
    #[wasm_bindgen(constructor)]
    pub fn new(mib: u32, two: bool, recording: bool) -> Recorder {
        let scenario = if two { crate::shared_write } else { crate::long_write };
        Recorder(crate::start(&scenario(u64::from(mib)), recording))
    }

    /// Runs `steps` more steps; gives those done.
    pub fn advance(&mut self, steps: u32) -> f64 {
        crate::advance(&mut self.0, steps) as f64
    }

    /// Steps recorded.
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// True before the first recorded step.
    #[wasm_bindgen(js_name = isEmpty)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of the record: headers and logs, kept states, page contents.
    #[wasm_bindgen(js_name = recordBytes)]
    pub fn record_bytes(&self) -> Vec<f64> {
        self.0.machine().with_history(|w, history| {
            let (record, content) = history.log_bytes(w);
            vec![record as f64, history.snapshot_bytes() as f64, content as f64]
        })
    }

    /// Puts the state after `step` steps.
    pub fn seek(&self, step: u32) {
        self.0.seek(step);
    }
}

/// A workload on the engine, by its place in the list.
#[wasm_bindgen]
pub struct Engine(Job);

#[wasm_bindgen]
impl Engine {
    /// Mounts a fresh image and prepares the workload's files.
    #[wasm_bindgen(constructor)]
    pub fn new(workload: usize) -> Engine {
        Engine(Job::new(WORKLOADS[workload]))
    }

    /// What the clock is for.
    pub fn run(&self) {
        self.0.run();
    }

    /// Bytes written to the device since the clock began to run, for each byte of data.
    #[wasm_bindgen(js_name = bytesWritten)]
    pub fn bytes_written(&self, workload: usize) -> f64 {
        self.0.bytes_written() as f64 / WORKLOADS[workload].data_bytes() as f64
    }

    /// Unmounts; gives the image.
    pub fn image(&self) -> Vec<u8> {
        self.0.image()
    }

    /// Reads all back from the device.
    pub fn verify(&self) {
        self.0.verify();
    }
}

/// The same calls as a plain copy.
#[wasm_bindgen]
pub struct Plain(Copy);

#[wasm_bindgen]
impl Plain {
    /// The disk before the clock runs; with `touched` all of its blocks are there.
    #[wasm_bindgen(constructor)]
    pub fn new(workload: usize, touched: bool) -> Plain {
        Plain(Copy::new(WORKLOADS[workload], touched))
    }

    /// What the clock is for.
    pub fn run(&mut self) {
        self.0.run();
    }
}

/// A workload's name and words; nothing behind the last one.
#[wasm_bindgen]
pub fn describe(workload: usize) -> Option<String> {
    WORKLOADS.get(workload).map(|workload| format!("{} {}", workload.name, workload.what))
}

/// A workload's rate: MiB/s, or operations a second.
#[wasm_bindgen]
pub fn rate(workload: usize, seconds: f64) -> f64 {
    WORKLOADS[workload].per_second(seconds)
}

/// How that is told.
#[wasm_bindgen]
pub fn unit(workload: usize) -> String {
    match WORKLOADS[workload].rate {
        Rate::Mib => "MiB/s".into(),
        Rate::Ops => "ops/s".into(),
    }
}

/// Wanted share of the plain copy's rate, in per cent.
#[wasm_bindgen]
pub fn wanted(workload: usize) -> f64 {
    WORKLOADS[workload].wanted.1
}
