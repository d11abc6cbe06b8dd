//! `cargo xtask test`: every check, in the order in which a fault is cheapest to find.
//!
//! Crates below `app` are checked and tested natively, `app` and `embed` for wasm, where they run: so little is
//! compiled for a target it never sees, only the unit tests of `app`. The site is built in the background meanwhile, in a
//! profile and thus a folder of its own, and is ready when the end-to-end tests want it.

use crate::run::{Counts, Fault, Quiet, cargo, elapsed, fault, files_ending, root, stream, stream_counting, tool};
use crate::{site, tidy, tools};
use std::process::Command;
use std::time::{Duration, Instant};

/// Crates that only run in a browser.
const WASM_CRATES: [&str; 2] = ["app", "embed"];
/// Crates with tests that run in a browser.
const WASM_TEST_CRATES: [&str; 2] = ["app", "embed"];
const WASM_TARGET: &str = "wasm32-unknown-unknown";

type Run = fn(&mut Context) -> Result<String, Fault>;

/// Name, what it does, how. A name may be given on the command line.
const PHASES: [(&str, &str, Run); 9] = [
    ("tools", "what the tests take is there", check_tools),
    ("fmt", "the code is formatted", check_format),
    ("tidy", "the shape of the repository", check_tidy),
    ("clippy", "no warning, natively and for wasm", check_clippy),
    ("doc", "no warning of rustdoc", check_docs),
    ("native", "unit, scenario, golden and image tests", test_native),
    ("wasm", "component tests in Chromium", test_wasm),
    ("site", "the release site and its size", build_site),
    ("e2e", "the built site, as a user", test_e2e),
];

#[derive(Default)]
struct Context {
    site: Option<Quiet>,
    built: bool,
}

/// Runs all phases, or the named ones, up to the first that fails.
pub fn test(names: &[String]) -> Result<(), Fault> {
    if let Some(odd) = names.iter().find(|name| !PHASES.iter().any(|phase| phase.0 == *name)) {
        let all: Vec<&str> = PHASES.iter().map(|phase| phase.0).collect();
        return Err(fault(format!("there is no phase `{odd}`; there are {}", all.join(", "))));
    }
    let start = Instant::now();
    let mut context = Context::default();
    let mut rows: Vec<(&str, Duration, String)> = Vec::new();
    let mut failed = None;
    for (name, what, run) in PHASES {
        let named = names.iter().any(|given| given == name);
        if !names.is_empty() && !named {
            continue;
        }
        println!("\n=== {name}: {what} [{} so far]", elapsed(start.elapsed()));
        let began = Instant::now();
        match run(&mut context) {
            Ok(note) => rows.push((name, began.elapsed(), note)),
            Err(Fault(line)) => {
                rows.push((name, began.elapsed(), "FAILED".into()));
                failed = Some(fault(format!("phase {name}: {line}")));
                break;
            }
        }
        // Whatever compiles at all has compiled by now.
        if name == "clippy" && names.is_empty() {
            context.site = Some(site::start()?);
        }
    }
    println!("\n{:<8} {:>12}  result", "phase", "time");
    for (name, took, note) in &rows {
        println!("{name:<8} {:>12}  {note}", elapsed(*took));
    }
    println!("{:<8} {:>12}", "all", elapsed(start.elapsed()));
    match failed {
        Some(fault) => Err(fault),
        None => {
            println!("passed");
            Ok(())
        }
    }
}

fn ok() -> String {
    "ok".into()
}

fn check_tools(_: &mut Context) -> Result<String, Fault> {
    tools::rust_components()?;
    tools::browser()?;
    tools::test_system()?;
    tools::node_modules(&root().join("tests/e2e"))?;
    tools::site()?;
    Ok(ok())
}

fn check_format(_: &mut Context) -> Result<String, Fault> {
    stream(cargo().args(["fmt", "--all", "--check"]), "cargo fmt")
        .map_err(|Fault(line)| fault(format!("{line}; `cargo fmt --all` mends it")))?;
    Ok(ok())
}

fn check_tidy(_: &mut Context) -> Result<String, Fault> {
    tidy::tidy()?;
    Ok(ok())
}

/// The crates that run natively, and those that run in a browser, each as cargo's arguments.
fn halves() -> [Vec<&'static str>; 2] {
    let mut native = vec!["--workspace"];
    let mut wasm = vec!["--target", WASM_TARGET];
    for name in WASM_CRATES {
        native.extend(["--exclude", name]);
        wasm.extend(["--package", name]);
    }
    [native, wasm]
}

fn check_clippy(_: &mut Context) -> Result<String, Fault> {
    tools::wasm_target()?;
    for half in halves() {
        let mut command = cargo();
        command.arg("clippy").args(half).arg("--all-targets");
        stream(command.args(["--", "-D", "warnings"]), "cargo clippy")?;
    }
    Ok(ok())
}

fn check_docs(_: &mut Context) -> Result<String, Fault> {
    tools::wasm_target()?;
    for half in halves() {
        let mut command = cargo();
        command.args(["doc", "--no-deps"]).args(half).env("RUSTDOCFLAGS", "-D warnings");
        stream(&mut command, "cargo doc")?;
    }
    Ok(ok())
}

/// Tests that ran, or the complaint that there were none: an empty run must not look like a green one.
fn ran(counts: Counts, what: &str) -> Result<String, Fault> {
    if counts.passed == 0 {
        return Err(fault(format!("{what} ran no test at all")));
    }
    Ok(counts.to_string())
}

/// Of `app`, the tests that need no browser; the others are [`test_wasm`]'s.
fn test_native(_: &mut Context) -> Result<String, Fault> {
    let counts = stream_counting(cargo().args(["test", "--workspace", "--exclude", "embed"]), "cargo test")?;
    ran(counts, "cargo test")
}

fn test_wasm(_: &mut Context) -> Result<String, Fault> {
    let browser = tools::browser()?;
    tools::wasm_target()?;
    let runner = tools::bindgen()?.join("wasm-bindgen-test-runner");
    let mut command = cargo();
    command.args(["test", "--target", WASM_TARGET]);
    for name in WASM_TEST_CRATES {
        command.args(["--package", name]);
    }
    command
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
        .env("CHROMEDRIVER", browser.chromedriver)
        .env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    let counts = stream_counting(&mut command, "cargo test for wasm")?;
    ran(counts, "cargo test for wasm")
}

fn build_site(context: &mut Context) -> Result<String, Fault> {
    let site = match context.site.take() {
        Some(started) => started,
        None => site::start()?,
    };
    let took = site.wait()?;
    context.built = true;
    Ok(format!("{} of building, {}", elapsed(took), site::within_budget()?))
}

fn test_e2e(context: &mut Context) -> Result<String, Fault> {
    let browser = tools::browser()?;
    let dir = root().join("tests/e2e");
    tools::node_modules(&dir)?;
    if !context.built && site::dist_dir().join("index.html").is_file() {
        println!("on dist/ as it is; `cargo xtask test site e2e` builds it anew");
    } else if !context.built {
        site::build()?;
    }
    let mut command: Command = tool("node");
    command
        .args(["--test", "--test-reporter=spec"])
        .args(files_ending(&dir, ".test.mjs"))
        .env("CHROME", browser.chromium)
        .env("WRITEPATH_DIST", site::dist_dir());
    let counts = stream_counting(&mut command, "the end-to-end tests")?;
    ran(counts, "node --test")
}
