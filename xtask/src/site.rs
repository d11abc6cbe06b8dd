//! The site: built by Trunk into `dist/`, measured, watched.

use crate::run::{Fault, Quiet, elapsed, fault, output_of, read, root, tool};
use crate::tools;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a first visit should load at the most, compressed.
const FIRST_VISIT_BROTLI_WANTED_BYTES: u64 = 300 * 1024;
/// What it may load: a ratchet, lowered with each saving. docs/decisions/0006 says what is in it.
const FIRST_VISIT_BROTLI_MAX_BYTES: u64 = 830 * 1024;

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
/// When a first visit would load more than it did.
pub fn within_budget() -> Result<String, Fault> {
    let brotli: u64 = measure()?.iter().map(|(_, sizes)| sizes[2]).sum();
    let (kib, max) = (brotli.div_ceil(1024), FIRST_VISIT_BROTLI_MAX_BYTES / 1024);
    if brotli > FIRST_VISIT_BROTLI_MAX_BYTES {
        return Err(fault(format!(
            "a first visit loads {kib} KiB (brotli), more than {max}; `cargo xtask dist` lists the files"
        )));
    }
    Ok(format!("first visit {kib} KiB brotli, at most {max}, wanted {}", FIRST_VISIT_BROTLI_WANTED_BYTES / 1024))
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

/// The files that a first visit loads: page, script, wasm, style.
fn first_visit() -> Result<Vec<PathBuf>, Fault> {
    let mut files: Vec<PathBuf> = ["html", "js", "wasm", "css"]
        .iter()
        .flat_map(|ending| crate::run::files_ending(&dist_dir(), &format!(".{ending}")))
        .collect();
    if files.is_empty() {
        return Err(fault("dist/ is empty: Trunk built nothing; see its output above"));
    }
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
