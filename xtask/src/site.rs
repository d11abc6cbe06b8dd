//! The site: built by Trunk into `dist/`, measured, watched.

use crate::run::{Fault, Quiet, cargo, elapsed, fault, files_ending, output_of, read, root, stream, tool};
use crate::{split, tools};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a first visit may load, compressed. docs/decisions/0006 says what is in it.
const FIRST_VISIT_BROTLI_MAX_BYTES: u64 = 300 * 1024;

/// The functions that a first visit does not run, of this repository.
const LATER: &str = "www/later.txt";
/// How small, and with what the modules are made of.
const WASM_OPT: [&str; 10] = [
    "-Oz",
    // Small functions beside each other compress better than large ones.
    "--one-caller-inline-max-function-size=20",
    "--mvp-features",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-sign-ext",
    "--enable-reference-types",
    "--enable-multivalue",
];
/// How the names of wasm files begin that a first visit does not load.
const REST: &str = "rest";
/// How the names of the recorded screens begin.
const SCREENS: &str = "screens";
/// In the environment of a build: the file where the wasm with its names goes, while the site gets one with notes.
const NOTES: &str = "WRITEPATH_NOTES";

/// Where the built site is.
pub fn dist_dir() -> PathBuf {
    root().join("dist")
}

/// Builds the release site.
pub fn build() -> Result<(), Fault> {
    let took = start()?.wait()?;
    eprintln!("built the site in {}", elapsed(took));
    Ok(())
}

/// Starts building the release site, installing first what that takes.
pub fn start() -> Result<Quiet, Fault> {
    let tools = tools::site()?;
    Quiet::start(trunk(&tools)?.args(["build", "--release"]), "building the site")
}

/// Trunk's watch mode: an unoptimised build that reloads itself, under a policy loosened for Trunk's own script.
pub fn watch(port: u16) -> Result<(), Fault> {
    let tools = tools::site()?;
    let page = root().join("index.dev.html");
    let loose = read(&root().join("index.html"))?
        .replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")
        .replace("connect-src 'self'", "connect-src 'self' ws:");
    std::fs::write(&page, loose).map_err(|error| fault(format!("cannot write {}: {error}", page.display())))?;
    eprintln!("http://127.0.0.1:{port}/ once it is built; Ctrl+C ends it");
    // Trunk takes our place, so that whoever ends us ends it.
    let error = trunk(&tools)?
        .args(["serve", "--cargo-profile", "dev", "--address", "127.0.0.1"])
        .args(["--dist", "target/dev-site", "--port", &port.to_string()])
        .arg(&page)
        .exec();
    Err(fault(format!("trunk could not be started: {error}")))
}

fn trunk(tools: &tools::SiteTools) -> Result<Command, Fault> {
    let own = std::env::current_exe().map_err(|error| fault(format!("cannot tell where xtask itself is: {error}")))?;
    let mut command = tool(&tools.trunk);
    command.env("PATH", tools.path());
    // Trunk's hook calls us back; through `cargo xtask` it would wait for a build that is going on.
    command.env("WRITEPATH_XTASK", own);
    // Names with their generic arguments: www/later.txt names functions, and has to mean one each.
    // And the linker's relocations: what the first half does not reach of the data is found by them.
    command
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Csymbol-mangling-version=v0 -Clink-arg=--emit-relocs");
    // Trunk takes NO_COLOR for a flag and refuses the customary "1".
    command.env_remove("NO_COLOR");
    Ok(command)
}

/// Builds the site and tells how large its parts are.
pub fn dist() -> Result<(), Fault> {
    build()?;
    println!("\n{:>11} {:>11} {:>11}  file", "bytes", "gzip", "brotli");
    let mut total = [0; 3];
    for (file, sizes) in measure()? {
        for (sum, size) in total.iter_mut().zip(sizes) {
            *sum += size;
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("{:>11} {:>11} {:>11}  {name}", sizes[0], sizes[1], sizes[2]);
    }
    println!("{:>11} {:>11} {:>11}  first visit", total[0], total[1], total[2]);
    println!("\nThe site is in dist/: copy it to any folder of any static host.");
    Ok(())
}

/// Checks the built site's size on the wire and tells it.
///
/// # Errors
/// When a first visit would load more than it may.
pub fn within_budget() -> Result<String, Fault> {
    let brotli: u64 = measure()?.iter().map(|(_, sizes)| sizes[2]).sum();
    let (kib, max) = (brotli.div_ceil(1024), FIRST_VISIT_BROTLI_MAX_BYTES / 1024);
    if brotli > FIRST_VISIT_BROTLI_MAX_BYTES {
        return Err(fault(format!(
            "a first visit loads {kib} KiB (brotli), more than {max}; `cargo xtask dist` lists the files"
        )));
    }
    Ok(format!("first visit {kib} KiB brotli, at most {max}"))
}

/// Trunk's hook behind a build: takes the one wasm of the folder it builds in for two.
///
/// With [`NOTES`] set, the wasm instead notes what it runs, and stays as it was in the file named there.
pub fn halves() -> Result<(), Fault> {
    let of_trunk = |key: &str| std::env::var(key).map_err(|_| fault(format!("{key} is not set: Trunk calls this")));
    if of_trunk("TRUNK_PROFILE")? == "debug" {
        return Ok(());
    }
    let dir = PathBuf::from(of_trunk("TRUNK_STAGING_DIR")?);
    let [built] = &files_ending(&dir, ".wasm")[..] else {
        return Err(fault(format!("{} has not one wasm to be split", dir.display())));
    };
    let bytes = std::fs::read(built).map_err(|error| fault(format!("cannot read {}: {error}", built.display())))?;
    let old = built.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let screens = record(&dir)?;
    if let Some(named) = std::env::var_os(NOTES) {
        let (noting, _) = split::with_notes(&bytes)?;
        write(Path::new(&named), &bytes)?;
        write(built, &noting)?;
        return name_halves(&dir, &old, &old, "rest.wasm", &screens);
    }
    let linked = crate::run::target_dir().join("wasm32-unknown-unknown/web/app.wasm");
    let linked = std::fs::read(&linked).map_err(|error| fault(format!("cannot read {}: {error}", linked.display())))?;
    let halves = split::split(&bytes, &linked, &read(&root().join(LATER))?)?;
    let (first_bytes, rest_bytes) = (optimised(&dir, &halves.first)?, optimised(&dir, &halves.rest)?);
    let (first, rest) = (named("first", "wasm", &first_bytes), named(REST, "wasm", &rest_bytes));
    name_halves(&dir, &old, &first, &rest, &screens)?;
    write(&dir.join(first), &first_bytes)?;
    write(&dir.join(rest), &rest_bytes)?;
    std::fs::remove_file(built).map_err(|error| fault(format!("cannot remove {}: {error}", built.display())))
}

/// Records the screens of the scenario that opens by itself, in each language, into files of the site. Gives what the
/// page says of them.
fn record(dir: &Path) -> Result<String, Fault> {
    let name = first_scenario(dir)?;
    let mut said = format!("data-first=\"{name}\"");
    for (lang, words) in [("en", None), ("ko", Some("static/lang/ko.txt"))] {
        let made = dir.join("screens");
        let mut record = cargo();
        record.args(["run", "--quiet", "--package", "cli", "--", "screens", &name]).arg(&made);
        record.args(words.iter().flat_map(|words| ["--words", words]));
        stream(&mut record, "recording the first screens")?;
        let bytes = std::fs::read(&made).map_err(|error| fault(format!("cannot read {}: {error}", made.display())))?;
        // Hosts tell by the ending what to compress, and know few.
        let file = named(&format!("{SCREENS}-{lang}"), "txt", &bytes);
        std::fs::rename(&made, dir.join(&file)).map_err(|error| fault(format!("cannot name {file}: {error}")))?;
        said += &format!(" data-screens-{lang}=\"./{file}\"");
    }
    Ok(said)
}

/// The scenario of the library that opens by itself.
fn first_scenario(dir: &Path) -> Result<String, Fault> {
    let library = read(&dir.join("static/scenarios/index.json"))?;
    let name = library.split_once("\"name\": \"").and_then(|(_, rest)| rest.split('"').next());
    name.map(str::to_owned).ok_or_else(|| fault("static/scenarios/index.json names no scenario"))
}

/// Writes the names of both halves into the page, for the one that Trunk wrote there, and what it says of its screens.
fn name_halves(dir: &Path, old: &str, first: &str, rest: &str, screens: &str) -> Result<(), Fault> {
    let page = dir.join("index.html");
    let html = read(&page)?.replace(old, first);
    let Some((before, after)) = html.split_once("data-wasm=") else {
        return Err(fault("index.html has no data-wasm: boot.js looks for it"));
    };
    let html = format!("{before}{screens} data-rest=\"./{rest}\" data-wasm={after}");
    // The shell is painted while this one is on its way; boot.js applies it before the app is drawn.
    let (late, held) =
        ("<link rel=\"stylesheet\" href=\"./main", "<link rel=\"preload\" as=\"style\" data-css href=\"./main");
    if !html.contains(late) {
        return Err(fault("index.html has no style sheet of the app"));
    }
    write(&page, html.replace(late, held).as_bytes())
}

/// A wasm made small, in a folder for files that do not stay.
fn optimised(dir: &Path, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let (from, to) = (dir.join("from.wasm"), dir.join("to.wasm"));
    write(&from, bytes)?;
    stream(tool("wasm-opt").args(WASM_OPT).arg(&from).arg("-o").arg(&to), "wasm-opt")?;
    let small = std::fs::read(&to).map_err(|error| fault(format!("cannot read {}: {error}", to.display())))?;
    for file in [from, to] {
        std::fs::remove_file(&file).map_err(|error| fault(format!("cannot remove {}: {error}", file.display())))?;
    }
    Ok(small)
}

/// A file's name by what is in it, so that a page never meets another build's file in a cache.
fn named(name: &str, ending: &str, bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{name}-{:016x}.{ending}", hasher.finish())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    std::fs::write(path, bytes).map_err(|error| fault(format!("cannot write {}: {error}", path.display())))
}

/// Drives a first visit in Chromium, with a wasm that notes what it runs, and writes the list of what it did not.
pub fn look_at_first_visit() -> Result<(), Fault> {
    let tools = tools::site()?;
    let browser = tools::browser()?;
    tools::node_modules(&root().join("tests/e2e"))?;
    let dir = crate::run::target_dir().join("first-visit");
    let (site, named, notes) = (dir.join("site"), dir.join("named.wasm"), dir.join("notes"));
    std::fs::create_dir_all(&dir).map_err(|error| fault(format!("cannot make {}: {error}", dir.display())))?;
    let mut build = trunk(&tools)?;
    build.args(["build", "--release", "--dist"]).arg(&site).env(NOTES, &named);
    Quiet::start(&mut build, "building the site with notes")?.wait()?;
    let bytes =
        |path: &Path| std::fs::read(path).map_err(|error| fault(format!("cannot read {}: {error}", path.display())));
    let whole = bytes(&named)?;
    let (_, begin) = split::with_notes(&whole)?;
    let mut node = tool("node");
    node.arg(root().join("tests/e2e/first-visit.mjs")).arg(&notes).arg(begin.to_string());
    node.env("CHROME", &browser.chromium).env("WRITEPATH_DIST", &site);
    stream(&mut node, "a first visit in Chromium")?;
    let later = split::later(&whole, &bytes(&notes)?)?;
    let head =
        "# Functions that a first visit does not run, by `cargo xtask first-visit`: they go to a wasm of their own.\n";
    write(&root().join(LATER), (head.to_string() + &later).as_bytes())?;
    println!("{LATER} has {} functions", later.lines().count());
    Ok(())
}

/// Each file of a first visit with its [`sizes`].
fn measure() -> Result<Vec<(PathBuf, [u64; 3])>, Fault> {
    first_visit()?
        .into_iter()
        .map(|file| {
            let sizes = sizes(&file)?;
            Ok((file, sizes))
        })
        .collect()
}

/// The files that a first visit loads; tests/e2e/first-visit.test.mjs sees that they are these.
fn first_visit() -> Result<Vec<PathBuf>, Fault> {
    let dist = dist_dir();
    let mut files: Vec<PathBuf> = ["html", "js", "wasm", "css", "svg"]
        .iter()
        .flat_map(|ending| files_ending(&dist, &format!(".{ending}")))
        .collect();
    if files.is_empty() {
        return Err(fault("dist/ is empty: Trunk built nothing; see its output above"));
    }
    files.retain(|file| !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(REST)));
    // The scenario that opens by itself, in one language, and what the real kernel said of it.
    let english = |file: &PathBuf| {
        file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{SCREENS}-en-")))
    };
    files.extend(files_ending(&dist, ".txt").into_iter().filter(english));
    let name = first_scenario(&dist)?;
    files.extend(Some(dist.join(format!("static/golden/{name}.txt"))).filter(|said| said.is_file()));
    files.sort();
    Ok(files)
}

/// Bytes of a file: as it is, gzip -9, brotli -11.
fn sizes(file: &Path) -> Result<[u64; 3], Fault> {
    let script = "const z=require('zlib'),b=require('fs').readFileSync(process.argv[1]);\
        console.log(b.length,z.gzipSync(b,{level:9}).length,z.brotliCompressSync(b,\
        {params:{[z.constants.BROTLI_PARAM_SIZE_HINT]:b.length}}).length)";
    let printed = output_of(tool("node").args(["-e", script]).arg(file));
    let sizes: Vec<u64> = printed.iter().flat_map(|line| line.split(' ')).filter_map(|n| n.parse().ok()).collect();
    sizes.try_into().map_err(|_| fault(format!("node could not measure {}", file.display())))
}
