//! Running other programs: where they are found, what is shown while they run, what is said when they fail.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Why a command ended: one line, what is wrong and what to do.
#[derive(Debug)]
pub struct Fault(pub String);

/// A [`Fault`] with this line.
pub fn fault(line: impl Into<String>) -> Fault {
    Fault(line.into())
}

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask is a folder of the workspace").to_path_buf()
}

/// `program`, to be run at the repository's root without input.
///
/// The folders where Debian keeps `e2fsck` and friends are on its PATH even for a user who is not root. The variables
/// that `cargo run` set for xtask itself are taken away, so that a `cargo` below does not see them.
pub fn tool(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(root()).stdin(Stdio::null());
    for (key, _) in std::env::vars_os() {
        let key_text = key.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| key_text.starts_with(own)) {
            command.env_remove(&key);
        }
    }
    command.env("PATH", path_with(&[]));
    command
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// PATH with these folders before it and the system's own tools after it.
pub fn path_with(first: &[&Path]) -> OsString {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let mut all: Vec<PathBuf> = first.iter().map(|dir| dir.to_path_buf()).collect();
    all.extend(std::env::split_paths(&old));
    for system in ["/usr/sbin", "/sbin"] {
        if !all.iter().any(|dir| dir == Path::new(system)) {
            all.push(system.into());
        }
    }
    std::env::join_paths(all).unwrap_or(old)
}

/// Where `program` is on PATH, if it is.
pub fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&path_with(&[])).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// What `command` prints, trimmed; `None` if it cannot be run or fails.
pub fn output_of(command: &mut Command) -> Option<String> {
    let out = command.stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_string())
}

/// Runs `command` with its output going where ours goes.
pub fn stream(command: &mut Command, what: &str) -> Result<(), Fault> {
    ended(command.status(), what)
}

fn ended(status: std::io::Result<ExitStatus>, what: &str) -> Result<(), Fault> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(fault(format!("{what} failed ({status})"))),
        Err(error) => Err(fault(format!("{what} could not be started: {error}"))),
    }
}

/// Tests that libtest counted in one or more `test result:` lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that are switched off.
    pub ignored: u64,
}

impl Counts {
    /// Adds what a line says, if it is a result line of libtest or of Node's runner.
    pub fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split([' ', ';']).filter(|w| !w.is_empty()).collect();
        if line.starts_with("test result:") {
            for pair in words.windows(2) {
                if let Ok(n) = pair[0].parse::<u64>() {
                    self.add(pair[1], n);
                }
            }
        } else if let ["ℹ" | "#", word @ ("pass" | "fail" | "skipped"), n] = words[..] {
            self.add(word, n.parse().unwrap_or(0));
        }
    }

    fn add(&mut self, word: &str, n: u64) {
        match word {
            "passed" | "pass" => self.passed += n,
            "failed" | "fail" => self.failed += n,
            "ignored" | "skipped" => self.ignored += n,
            _ => {}
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed", self.passed)?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.ignored > 0 {
            write!(f, ", {} ignored", self.ignored)?;
        }
        Ok(())
    }
}

/// As [`stream`], counting the tests whose results go by.
pub fn stream_counting(command: &mut Command, what: &str) -> Result<Counts, Fault> {
    let mut counts = Counts::default();
    let start = command.stdout(Stdio::piped()).spawn();
    let mut child = start.map_err(|error| fault(format!("{what} could not be started: {error}")))?;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            println!("{line}");
            counts.read(&line);
        }
    }
    ended(child.wait(), what).map_err(|Fault(line)| fault(format!("{line}: {counts}")))?;
    Ok(counts)
}

/// A program running in the background, its output kept. Dropping it ends it.
pub struct Quiet {
    what: String,
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    start: Instant,
}

impl Quiet {
    /// Starts `command`, which does `what` ("building the site").
    pub fn start(command: &mut Command, what: &str) -> Result<Self, Fault> {
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| fault(format!("{what}: could not be started: {error}")))?;
        let (send, lines) = mpsc::channel();
        let pipes: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
        for pipe in pipes.into_iter().flatten() {
            let send = send.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { what: what.to_string(), child, lines, seen: Vec::new(), start: Instant::now() })
    }

    /// Waits for its end, telling the elapsed time: on a terminal in one line that changes, else every 20 seconds.
    ///
    /// # Errors
    /// Its failure, with its last words; all of them have been printed.
    pub fn wait(mut self) -> Result<Duration, Fault> {
        let mut err = std::io::stderr();
        let live = err.is_terminal();
        let mut told = Instant::now();
        let status = loop {
            match self.lines.recv_timeout(Duration::from_millis(200)) {
                Ok(line) => self.seen.push(line),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                // Both pipes are closed: it has ended or is about to.
                Err(mpsc::RecvTimeoutError::Disconnected) => break self.child.wait(),
            }
            let line = format!("{} · {}", self.what, elapsed(self.start.elapsed()));
            if live {
                let last = self.seen.last().map_or("", |last| last.trim());
                let short: String = last.chars().filter(|c| !c.is_control()).take(48).collect();
                let _ = write!(err, "\r\x1b[2K{line} · {short}");
                let _ = err.flush();
            } else if told.elapsed() > Duration::from_secs(20) {
                told = Instant::now();
                eprintln!("  {line}");
            }
        };
        if live {
            let _ = write!(err, "\r\x1b[2K");
        }
        let took = self.start.elapsed();
        let failed = match status {
            Ok(status) if status.success() => return Ok(took),
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        for line in &self.seen {
            eprintln!("{line}");
        }
        let told = self.seen.iter().find(|line| line.to_lowercase().contains("error"));
        let last = told.or(self.seen.last()).map_or("", |line| line.trim());
        Err(fault(format!("{} failed ({failed}): {last}", self.what)))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end without showing its output, unless it fails.
pub fn quiet(command: &mut Command, what: &str) -> Result<Duration, Fault> {
    Quiet::start(command, what)?.wait()
}

/// "8.3 s", "2 min 05 s".
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// The files right in `dir` whose name ends so, sorted.
pub fn files_ending(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(ending) && path.is_file())
        .collect();
    found.sort();
    found
}

/// The text of a file of the repository.
pub fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|error| fault(format!("cannot read {}: {error}", path.display())))
}

/// `name -> version` of the packages in Cargo.lock with this name; the highest if there are several.
pub fn locked_version(package: &str) -> Result<String, Fault> {
    let lock = read(&root().join("Cargo.lock"))?;
    locked(&lock).remove(package).ok_or_else(|| fault(format!("Cargo.lock has no package `{package}`")))
}

fn locked(lock: &str) -> BTreeMap<String, String> {
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(rest.strip_suffix('"')?.to_string())
    };
    let mut name = String::new();
    let mut all = BTreeMap::new();
    for line in lock.lines() {
        if let Some(found) = value(line, "name") {
            name = found;
        } else if let Some(version) = value(line, "version") {
            all.insert(std::mem::take(&mut name), version);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_gives_versions_by_name() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.2.130\"\ndependencies = [\n \"b\",\n]\n\n\
                    [[package]]\nname = \"b\"\nversion = \"1.0.0\"\n";
        let all = locked(lock);
        assert_eq!(all["a"], "0.2.130");
        assert_eq!(all["b"], "1.0.0");
    }

    #[test]
    fn result_lines_add_up() {
        let mut counts = Counts::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
            "ℹ pass 4",
            "ℹ fail 0",
            "4 passed",
        ] {
            counts.read(line);
        }
        assert_eq!(counts, Counts { passed: 18, failed: 1, ignored: 1 });
        assert_eq!(counts.to_string(), "18 passed, 1 failed, 1 ignored");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(elapsed(Duration::from_millis(8340)), "8.3 s");
        assert_eq!(elapsed(Duration::from_secs(125)), "2 min 05 s");
    }
}
