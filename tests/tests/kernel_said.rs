//! What the real kernel said at the steps of the library's scenarios: `static/golden/NAME.txt`, which the page fetches.
//! `UPDATE_GOLDEN=1` rewrites them: read the diff.

use std::path::{Path, PathBuf};

use session::align::{Mark, Row, align, emit};
use session::library;
use session::loop_text::{Detail, text_by_step};
use session::run::{Progress, Run, RunOptions};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a scenario of the library beside its case, and the file that says so.
fn rows(name: &str, case: &str) -> (Vec<Row>, String) {
    let scenario = library::scenario(name).expect("the library has it");
    let options = RunOptions { recording: true, trace: true, ..RunOptions::default() };
    let mut run = Run::new(&scenario, options).unwrap_or_else(|error| panic!("{name}: {error}"));
    while run.step(100_000) == Progress::Running {}
    let first = scenario.tasks.first().map_or(0, |task| task.setup.len()) as u64;
    let (ours, steps) = text_by_step(&run.trace(), &cli::replay::labels(&run, &scenario, false), first, Detail::Events);
    let kernel = read(&root().join("tests/golden").join(case).join("events.txt"));
    let rows = align(&kernel, &ours, &steps);
    let theirs: Vec<&str> =
        rows.iter().filter(|row| !matches!(row.mark, Mark::Ours | Mark::Extra)).map(|row| row.text.as_str()).collect();
    assert_eq!(theirs, kernel.lines().collect::<Vec<_>>(), "{name}: every line of the kernel's is there, as it was");
    assert!(rows.iter().all(|row| row.step <= run.len()), "{name}: a line behind the last step");
    let file = emit(run.len(), &rows);
    (rows, file)
}

#[test]
fn the_library_shows_what_the_kernel_said() {
    let folder = root().join("static/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut names = Vec::new();
    for entry in library::entries() {
        let Some(case) = &entry.golden else { continue };
        let path = folder.join(format!("{}.txt", entry.name));
        let (rows, file) = rows(&entry.name, case);
        let agree = rows.iter().filter(|row| row.mark == Mark::Agrees).count();
        let compared = rows.iter().filter(|row| matches!(row.mark, Mark::Agrees | Mark::Differs | Mark::Missing));
        let compared = compared.count();
        assert!(10 * agree >= 9 * compared, "{}: only {agree} of {compared} lines of {case} agree", entry.name);
        if update {
            std::fs::create_dir_all(&folder).expect("the folder can be made");
            std::fs::write(&path, &file).expect("the file can be written");
        }
        assert!(read(&path) == file, "{}: changed; UPDATE_GOLDEN=1 writes it, read the diff", path.display());
        names.push(format!("{}.txt", entry.name));
    }
    let on_disk = std::fs::read_dir(&folder).expect("the folder is there").flatten();
    let strays: Vec<String> = on_disk
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .filter(|file| !names.contains(file))
        .collect();
    assert!(strays.is_empty(), "no scenario of the library has {strays:?}");
}
