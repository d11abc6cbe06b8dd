//! The recorder's workload for a page, which reads the clock.

use session::run::Run;
use wasm_bindgen::prelude::wasm_bindgen;

/// A run of the workload.
#[wasm_bindgen]
pub struct Recorder(Run);

#[wasm_bindgen]
impl Recorder {
    /// Starts a run that writes `mib` MiB.
    #[wasm_bindgen(constructor)]
    pub fn new(mib: u32, recording: bool) -> Recorder {
        Recorder(crate::start(u64::from(mib), recording))
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

    /// Bytes of the record: without page contents, and those.
    #[wasm_bindgen(js_name = recordBytes)]
    pub fn record_bytes(&self) -> Vec<f64> {
        let (record, content) = self.0.machine().with_history(|w, history| history.log_bytes(w));
        vec![record as f64, content as f64]
    }

    /// Puts the state after `step` steps.
    pub fn seek(&self, step: u32) {
        self.0.seek(step);
    }
}
