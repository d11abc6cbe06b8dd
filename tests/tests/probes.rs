//! A probe writes the locals of the innermost frame, by their place in its own
//! function's row: so it stands in a frame of that function, or of one whose
//! locals are the same (two functions of the kernel that share a body here).

use kernel::site::{FnSite, function, probe};
use session::run::{Run, RunOptions};
use writepath_tests::branches::scenarios;

fn names(function: &FnSite) -> Vec<&'static str> {
    function.locals.iter().map(|local| local.name).collect()
}

#[test]
fn every_probe_stands_in_its_own_function() {
    let mut steps = 0;
    let looked_at = |name: &str| name.starts_with("golden/") || name.contains("reclaim");
    for (name, scenario) in scenarios().into_iter().filter(|(name, _)| looked_at(name)) {
        let Ok(mut run) = Run::new(&scenario, RunOptions { recording: true, ..RunOptions::default() }) else {
            continue; // tests/golden/agreement.txt says which cases do not start
        };
        run.finish();
        run.machine().with_history(|_, history| {
            for step in history.steps.iter().filter(|step| step.task().is_some()) {
                let Some(probe) = probe(step.site) else { continue };
                let frame = history.frames[step.frame() as usize];
                assert_ne!(frame.depth, 0, "{name}: {} stands outside all functions", probe.name);
                let stands_in = function(frame.site);
                let at_home = stands_in.id == probe.function.id || names(stands_in) == names(probe.function);
                assert!(at_home, "{name}: {} of {} stands in {}", probe.name, probe.function.name, stands_in.name);
                steps += 1;
            }
        });
    }
    assert!(steps > 1000, "the cases were run: {steps} steps");
}
