//! What a 4 KiB write costs does not depend on the size of its file.
#![allow(clippy::disallowed_methods, reason = "a test of speed reads the clock; the engine does not")]

use std::time::Instant;

use benches::workloads::{Job, SIZES};

#[test]
fn a_write_costs_the_same_in_a_file_of_any_size() {
    let costs = SIZES.map(|workload| {
        let job = Job::recorded(workload);
        let (steps, bytes) = (job.steps(), job.record_bytes());
        job.run();
        let counted = (job.steps() - steps, job.record_bytes() - bytes);
        let time = || {
            let job = Job::new(workload);
            let begin = Instant::now();
            job.run();
            begin.elapsed().as_secs_f64()
        };
        (workload.name, counted, time().min(time()).min(time()))
    });
    let (_, (steps, bytes), least) = costs[0];
    for (name, counted, time) in costs {
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 0.02;
        assert!(near(counted.0 as f64, steps as f64), "{name}: {} steps, {steps} in the smallest file", counted.0);
        assert!(near(counted.1 as f64, bytes as f64), "{name}: {} bytes, {bytes} in the smallest file", counted.1);
        assert!(time < 10.0 * least, "{name}: {time} s, {least} s in the smallest file");
    }
}
