//! The project's commands, `cargo xtask help` lists them.
//!
//! Everything that a fresh machine with Rust and Node lacks is installed by the command that needs it ([`tools`]);
//! what cannot be installed is named in one line. Standard library only, so that a clone's first build is short.

// The engine must not read the machine's clock; this program measures how long things take.
#![allow(clippy::disallowed_methods)]

mod data;
mod kernel_map;
mod run;
mod serve;
mod site;
mod split;
mod styles;
mod test;
mod tidy;
mod tools;
mod wasm;

use run::{Fault, cargo, fault, root, stream};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  serve [--port N]        build the site and serve it on 127.0.0.1 (port 8080)
  serve --dev [--port N]  the same in Trunk's watch mode: rebuilds and reloads when a file changes
  dist                    the static site in dist/, for any sub-path of any static host, and its sizes
  test [PHASE...]         all checks and tests, as CI runs them; or only the named phases
  tidy                    the arrows between the crates, docs per crate, licences, no machine's paths
  conform [DIR...]        the engine against what a real kernel did (tests/golden)
  branches                which branches of the write path no scenario reaches (tests/branches.csv)
  bench                   native benches, then those in Chromium (benches/web)
  first-visit             notes in Chromium what a first visit runs: www/later.txt has the rest
  kernel-map TREE         the engine's table of sites against a v5.10.238 tree
  styles                  www/styles as one file (Trunk calls this)
  halves                  the built wasm as two modules (Trunk calls this)
  help                    this text

Tools are kept in $XDG_CACHE_HOME or ~/.cache, under writepath/tools.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else {
        print!("{HELP}");
        return ExitCode::from(2);
    };
    let done = match command.as_str() {
        "serve" => serve_command(rest),
        "dist" => no_args(rest).and_then(|()| site::dist()),
        "test" => test::test(rest),
        "tidy" => no_args(rest).and_then(|()| tidy::tidy()),
        "conform" => conform(rest),
        "branches" => no_args(rest).and_then(|()| branches()),
        "bench" => no_args(rest).and_then(|()| bench()),
        "kernel-map" => match rest {
            [tree] => kernel_map::check(std::path::Path::new(tree)),
            _ => Err(fault("`kernel-map` takes one folder: the root of a v5.10.238 tree")),
        },
        "styles" => no_args(rest).and_then(|()| styles::bundle()),
        "halves" => no_args(rest).and_then(|()| site::halves()),
        "first-visit" => no_args(rest).and_then(|()| site::look_at_first_visit()),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(fault(format!("there is no command `{other}`; see `cargo xtask help`"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault(line)) => {
            eprintln!("error: {line}");
            ExitCode::FAILURE
        }
    }
}

fn no_args(rest: &[String]) -> Result<(), Fault> {
    match rest.first() {
        None => Ok(()),
        Some(arg) => Err(fault(format!("`{arg}` is not understood; see `cargo xtask help`"))),
    }
}

fn serve_command(rest: &[String]) -> Result<(), Fault> {
    let (mut port, mut dev) = (8080, false);
    let mut args = rest.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--dev" => dev = true,
            "--port" => {
                let given = args.next().map_or("", String::as_str);
                port = given.parse().map_err(|_| fault(format!("--port takes a number up to 65535, not `{given}`")))?;
            }
            other => {
                return Err(fault(format!("`serve` does not know `{other}`; see `cargo xtask help`")));
            }
        }
    }
    if dev {
        return site::watch(port);
    }
    // Bound before the build: a taken port is told at once, not after minutes.
    let listener = serve::bind(port)?;
    site::build()?;
    serve::serve(&listener, &site::dist_dir())
}

/// Replays the golden cases with the release build of `writepath`.
fn conform(dirs: &[String]) -> Result<(), Fault> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--bin", "writepath", "--", "conform"]);
    if dirs.is_empty() {
        command.arg("tests/golden");
    }
    stream(command.args(dirs), "writepath conform")
}

/// Runs all scenarios with the calls and probes they hit recorded, against `tests/branches.csv`.
fn branches() -> Result<(), Fault> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "-p", "writepath-tests", "--bin", "branches"]);
    stream(&mut command, "branches")
}

/// `cargo bench`, then each script of `benches/web` in Chromium, on the engine as the page builds it.
fn bench() -> Result<(), Fault> {
    stream(cargo().args(["bench", "-p", "benches"]), "cargo bench")?;
    let scripts = run::files_ending(&root().join("benches/web"), ".mjs");
    let browser = tools::browser()?;
    tools::node_modules(&root().join("tests/e2e"))?;
    let engine = bench_engine()?;
    site::build()?;
    for script in scripts {
        let mut node = run::tool("node");
        node.arg(&script)
            .env("CHROME", &browser.chromium)
            .env("WRITEPATH_DIST", site::dist_dir())
            .env("WRITEPATH_BENCH", &engine);
        stream(&mut node, "a bench in Chromium")?;
    }
    Ok(())
}

/// What `cargo rustc` builds for the page.
const CDYLIB: [&str; 2] = ["--crate-type", "cdylib"];

/// The benches and the smallest Yew app as modules for a page, with the page's own profile.
fn bench_engine() -> Result<std::path::PathBuf, Fault> {
    tools::wasm_target()?;
    let bindgen = tools::bindgen()?.join("wasm-bindgen");
    let target = "wasm32-unknown-unknown";
    stream(
        // As a cdylib alone: cargo gives a crate that is an rlib too no link-time optimisation.
        cargo().args(["rustc", "-p", "benches", "--lib", "--profile", "web", "--target", target]).args(CDYLIB),
        "benches in wasm",
    )?;
    stream(
        cargo().args(["build", "-p", "app", "--example", "minimal", "--profile", "web", "--target", target]),
        "the smallest Yew app",
    )?;
    let built = run::target_dir().join(target).join("web");
    let out = run::target_dir().join("bench-web");
    for wasm in ["benches.wasm", "examples/minimal.wasm"] {
        let mut command = run::tool(&bindgen);
        command.args(["--target", "web", "--out-dir"]).arg(&out).arg(built.join(wasm));
        stream(&mut command, "wasm-bindgen")?;
    }
    Ok(out)
}
