//! What a fresh machine with Rust and Node lacks, installed by whoever needs it first.
//!
//! Trunk, `wasm-bindgen` and `wasm-opt` go to a per-user cache keyed by tool and version, so that neither a clean
//! clone nor another branch builds them again:
//!
//! ```text
//! ~/.cache/writepath/tools/trunk-0.21.14/bin/trunk
//!                          wasm-bindgen-cli-0.2.130/bin/{wasm-bindgen,wasm-bindgen-test-runner}
//!                          binaryen-132.0.0/node_modules/.bin/wasm-opt
//! ```
//!
//! The browser and the file system's tools come from the system: what is on PATH is used, else apt installs it if we
//! are root. Nothing here falls back or skips: a tool that is not there is a [`Fault`] that says what it is for.

use crate::run::{Fault, cargo, elapsed, fault, find, locked_version, output_of, path_with, quiet, tool};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const TRUNK: &str = "0.21.14";
const BINARYEN: &str = "132.0.0";
const WASM_TARGET: &str = "wasm32-unknown-unknown";
const NODE_MAJOR_MIN: u32 = 20;

/// What building the site takes.
pub struct SiteTools {
    /// The program `trunk`.
    pub trunk: PathBuf,
    /// The folder of `wasm-bindgen` and `wasm-bindgen-test-runner`.
    pub bindgen_bin: PathBuf,
    /// The folder of `wasm-opt`.
    binaryen_bin: PathBuf,
}

impl SiteTools {
    /// PATH on which Trunk finds the other two.
    pub fn path(&self) -> OsString {
        path_with(&[&self.bindgen_bin, &self.binaryen_bin])
    }
}

/// Installs what building the site lacks.
pub fn site() -> Result<SiteTools, Fault> {
    node()?;
    wasm_target()?;
    let binaryen_bin = binaryen()?;
    let bindgen_bin = bindgen()?;
    let trunk = cargo_install("trunk", TRUNK, "trunk", "builds the site", true)?.join("trunk");
    Ok(SiteTools { trunk, bindgen_bin, binaryen_bin })
}

/// `wasm-bindgen` and its test runner, in the very version of the crate: their protocol changes with each.
pub fn bindgen() -> Result<PathBuf, Fault> {
    let version = locked_version("wasm-bindgen")?;
    cargo_install(
        "wasm-bindgen-cli",
        &version,
        "wasm-bindgen",
        "makes the wasm loadable by a page and runs its tests",
        false, // its own lock file holds crates that have been withdrawn
    )
}

/// The standard library for wasm.
pub fn wasm_target() -> Result<(), Fault> {
    let sysroot = output_of(tool("rustc").args(["--print", "sysroot"]))
        .ok_or_else(|| fault("rustc is missing: it compiles the project; install Rust from https://rustup.rs"))?;
    let lib = Path::new(&sysroot).join("lib/rustlib").join(WASM_TARGET);
    if lib.join("lib").is_dir() {
        return Ok(());
    }
    install(
        tool("rustup").args(["target", "add", WASM_TARGET]),
        &format!("Rust's {WASM_TARGET} target"),
        "the page is wasm",
        &format!("run `rustup target add {WASM_TARGET}`"),
    )
}

/// rustfmt and clippy.
pub fn rust_components() -> Result<(), Fault> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        let works = output_of(tool(program).arg("--version")).is_some();
        if !works {
            install(
                tool("rustup").args(["component", "add", component]),
                component,
                "the code is checked by it",
                &format!("run `rustup component add {component}`"),
            )?;
        }
    }
    Ok(())
}

/// Node, recent enough.
pub fn node() -> Result<(), Fault> {
    let to_do = format!("install Node {NODE_MAJOR_MIN} or newer, with npm");
    let why = "wasm-opt and the browser tests run on it";
    let version =
        output_of(tool("node").arg("--version")).ok_or_else(|| fault(format!("node is missing: {why}; {to_do}")))?;
    let major = version.trim_start_matches('v').split('.').next();
    if major.and_then(|major| major.parse().ok()).is_none_or(|major: u32| major < NODE_MAJOR_MIN) {
        return Err(fault(format!("node {version} is too old: {why}; {to_do}")));
    }
    match find("npm") {
        Some(_) => Ok(()),
        None => Err(fault(format!("npm is missing: {why}; {to_do}"))),
    }
}

/// The npm packages of a folder with a lock file, exactly as locked.
pub fn node_modules(dir: &Path) -> Result<(), Fault> {
    node()?;
    let lock = crate::run::read(&dir.join("package-lock.json"))?;
    let stamp = dir.join("node_modules/.installed-from");
    if std::fs::read_to_string(&stamp).is_ok_and(|from| from == lock) {
        return Ok(());
    }
    install(
        tool("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(dir),
        "the browser tests' npm packages",
        "they drive Chromium",
        "check the network, then run this again",
    )?;
    std::fs::write(&stamp, lock).map_err(|error| fault(format!("cannot write {}: {error}", stamp.display())))
}

/// The browser and its driver.
pub struct Browser {
    /// Chromium.
    pub chromium: PathBuf,
    /// The program that drives it for wasm-bindgen's test runner.
    pub chromedriver: PathBuf,
}

/// Chromium with its driver, from PATH or from apt.
pub fn browser() -> Result<Browser, Fault> {
    let chromium = || ["chromium", "chromium-browser", "google-chrome", "chrome"].iter().find_map(|n| find(n));
    let chromedriver = || find("chromedriver");
    let mut lacking = Vec::new();
    if chromium().is_none() {
        lacking.push(Lacking("chromium", "chromium"));
    }
    if chromedriver().is_none() {
        lacking.push(Lacking("chromedriver", "chromium-driver"));
    }
    apt(&lacking, "wasm and end-to-end tests run in a browser")?;
    match (chromium(), chromedriver()) {
        (Some(chromium), Some(chromedriver)) => Ok(Browser { chromium, chromedriver }),
        _ => Err(fault(
            "chromium or chromedriver is still missing after apt-get: wasm and end-to-end tests run in a browser; \
             put both on PATH",
        )),
    }
}

/// What else the tests take: the file system's own tools, and a Korean font for the screenshots.
pub fn test_system() -> Result<(), Fault> {
    let e2fs = ["mke2fs", "e2fsck", "debugfs"]
        .into_iter()
        .filter(|program| find(program).is_none())
        .map(|program| Lacking(program, "e2fsprogs"))
        .next();
    apt(&e2fs.into_iter().collect::<Vec<_>>(), "tests check our images with the real tools")?;
    let korean = || output_of(tool("fc-list").arg(":lang=ko")).is_some_and(|list| !list.is_empty());
    if korean() {
        return Ok(());
    }
    let why = "the Korean page is tested as it looks";
    let font = [Lacking("a Korean font", "fonts-noto-cjk"), Lacking("fc-list", "fontconfig")];
    apt(&font, why)?;
    if korean() {
        Ok(())
    } else {
        Err(fault(format!(
            "a Korean font is still missing after apt-get: {why}; install one that `fc-list :lang=ko` shows"
        )))
    }
}

/// A program (or thing) that is not there, and Debian's package with it.
struct Lacking(&'static str, &'static str);

fn apt(lacking: &[Lacking], why: &str) -> Result<(), Fault> {
    if lacking.is_empty() {
        return Ok(());
    }
    let what: Vec<&str> = lacking.iter().map(|l| l.0).collect();
    let packages: Vec<&str> = lacking.iter().map(|l| l.1).collect();
    let (what, names) = (what.join(" and "), packages.join(" "));
    let is_root = output_of(tool("id").arg("-u")).is_some_and(|uid| uid == "0");
    if !is_root || find("apt-get").is_none() {
        return Err(fault(format!(
            "missing: {what}; {why}; install with `apt-get install {names}` or the like and run this again"
        )));
    }
    let apt = || {
        let mut command = tool("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let to_do = format!("run `apt-get install {names}`, or put it on PATH some other way");
    install(apt().arg("update"), "apt-get's package lists", why, &to_do)?;
    install(apt().args(["install", "-y", "--no-install-recommends"]).args(&packages), &what, why, &to_do)
}

fn cache() -> Result<PathBuf, Fault> {
    let from = |key: &str| std::env::var_os(key).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    from("XDG_CACHE_HOME")
        .or_else(|| Some(from("HOME")?.join(".cache")))
        .map(|dir| dir.join("writepath/tools"))
        .ok_or_else(|| fault("no place for the tools: neither XDG_CACHE_HOME nor HOME is set; set one of them"))
}

/// The folder with the programs of a crate from crates.io, installed into the cache unless it is there.
fn cargo_install(package: &str, version: &str, program: &str, job: &str, locked: bool) -> Result<PathBuf, Fault> {
    let home = cache()?.join(format!("{package}-{version}"));
    let bin = home.join("bin");
    if bin.join(program).is_file() {
        return Ok(bin);
    }
    // Built in the cache rather than in a temporary folder: an install that was cut off goes on where it stopped.
    let build = home.join("build");
    let mut command = cargo();
    command
        .args(["install", package, "--version", &format!("={version}")])
        .arg("--root")
        .arg(&home)
        .arg("--target-dir")
        .arg(&build);
    if locked {
        command.arg("--locked");
    }
    // They run for seconds: a short build is worth more than a fast program.
    for (key, value) in [("OPT_LEVEL", "1"), ("LTO", "off"), ("CODEGEN_UNITS", "16"), ("DEBUG", "false")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    install(
        &mut command,
        &format!("{package} {version}"),
        &format!("it {job}"),
        &format!(
            "check the network and that crates.io can be reached, or put {program} {version} in {}",
            bin.display()
        ),
    )?;
    let _ = std::fs::remove_dir_all(&build);
    Ok(bin)
}

/// The folder with `wasm-opt`, from npm: its own releases are not needed then.
fn binaryen() -> Result<PathBuf, Fault> {
    let home = cache()?.join(format!("binaryen-{BINARYEN}"));
    let bin = home.join("node_modules/.bin");
    if bin.join("wasm-opt").is_file() {
        return Ok(bin);
    }
    let to_do = "check the network and that npm's registry can be reached";
    install(
        tool("npm")
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(&home)
            .arg(format!("binaryen@{BINARYEN}")),
        &format!("binaryen {BINARYEN}"),
        "its wasm-opt makes the wasm small",
        to_do,
    )?;
    if bin.join("wasm-opt").is_file() {
        Ok(bin)
    } else {
        Err(fault(format!(
            "npm installed binaryen {BINARYEN} without wasm-opt, which makes the wasm small; remove {} and run this again",
            home.display()
        )))
    }
}

/// Runs an installer: the output is shown only if it fails, then one line tells what, why and what to do.
fn install(command: &mut Command, what: &str, why: &str, to_do: &str) -> Result<(), Fault> {
    eprintln!("installing {what}: {why}");
    match quiet(command, &format!("installing {what}")) {
        Ok(took) => {
            eprintln!("installed {what} in {}", elapsed(took));
            Ok(())
        }
        Err(Fault(line)) => {
            Err(fault(format!("{what} is missing and could not be installed: {why}; {to_do} ({line})")))
        }
    }
}
