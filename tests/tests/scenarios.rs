//! Scenarios, each a folder of `scenarios/` with a `scenario.json`, or with a
//! `reaches.txt` for the library's of its name: what every operation gave, what e2fsck says of the image
//! left behind, and that the steps named in `reaches.txt`, if there is one, were
//! taken.
//! `UPDATE_GOLDEN=1` rewrites `results.txt`: read the diff.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use session::library;
use session::run::{Progress, Run, RunOptions};
use session::scenario::{Scenario, parse_strict};
use writepath_tests::{Scratch, tool};

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(all)
        .expect("the scenarios are there")
        .map(|entry| entry.expect("they can be listed").path())
        .filter(|path| path.join("scenario.json").exists() || path.join("reaches.txt").exists())
        .collect();
    folders.sort();
    folders
}

/// e2fsck's exit code with `flag`, and what it says but for names and times.
fn fsck(image: &Path, flag: &str) -> (i32, String) {
    let name = image.display().to_string();
    let output = tool("e2fsck", &[flag, &name]);
    let said = String::from_utf8_lossy(&output.stdout).replace(&name, "image");
    let kept = said.lines().filter(|line| !line.is_empty() && !line.starts_with("Pass ") && !line.contains(" files ("));
    (output.status.code().unwrap_or(-1), kept.map(|line| format!("  {line}\n")).collect())
}

fn scenario(folder: &Path) -> Scenario {
    let Ok(json) = std::fs::read_to_string(folder.join("scenario.json")) else {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a folder has a name");
        return library::scenario(name).unwrap_or_else(|| panic!("{name}: no scenario.json, nor is it in the library"));
    };
    parse_strict(&json).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// Runs the scenario; its results, and the names of the probes it came by.
fn results(folder: &Path) -> (String, BTreeSet<&'static str>) {
    let scenario = scenario(folder);
    let options = RunOptions { recording: true, ..RunOptions::default() };
    let mut run = Run::new(&scenario, options).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut text = String::new();
    let progress = run.finish();
    assert_eq!(progress, Progress::Finished, "{}", folder.display());
    for result in run.results() {
        let errno = result.errno.map_or(String::new(), |errno| format!(" errno {errno}"));
        writeln!(text, "{} {} = {}{errno}", result.index, result.text, result.ret).expect("a string takes it");
    }
    let end = run.process_end();
    writeln!(text, "end exit {:?} signal {:?}", end.exit, end.signal).expect("a string takes it");
    let scratch = Scratch::default();
    let image = scratch.file("image");
    std::fs::write(&image, run.image()).expect("the image can be stored");
    let (code, said) = fsck(&image, "-fn");
    write!(text, "e2fsck -fn: {code}\n{said}").expect("a string takes it");
    if code != 0 {
        let (code, _) = fsck(&image, "-fy");
        writeln!(text, "e2fsck -fy: {code}").expect("a string takes it");
        let (code, said) = fsck(&image, "-fn");
        assert_eq!(code, 0, "{}: not mended: {said}", folder.display());
    }
    let reached = run.machine().with_history(|_, history| {
        history.steps.iter().filter_map(|step| kernel::site::probe(step.site)).map(|probe| probe.name).collect()
    });
    (text, reached)
}

#[test]
fn what_goes_wrong_gives_what_it_gave() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for folder in folders() {
        let (found, reached) = results(&folder);
        let path = folder.join("results.txt");
        if update {
            std::fs::write(&path, &found).expect("results can be written");
        } else {
            let expected = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes it", path.display()));
            assert_eq!(found, expected, "{}", folder.display());
        }
        // Where there is none, `branches.txt` says what the scenario is for.
        let wanted = std::fs::read_to_string(folder.join("reaches.txt")).unwrap_or_default();
        for probe in wanted.split_whitespace() {
            assert!(reached.contains(probe), "{}: {probe} was not reached", folder.display());
        }
    }
}
