//! Step snapshots: for each scenario of the library, every step's task, place
//! and changes, and the digest of the last state. `UPDATE_GOLDEN=1` rewrites
//! them: read the diff. The page's tests hold wasm to the same digests.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use session::Session;
use session::library;
use session::run::Progress;
use view::Viewer;
use view::frame::{Change, Frame};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn change(row: &Change) -> String {
    let parts: Vec<String> = row
        .parts
        .iter()
        .map(|part| {
            let values = match (&part.old, &part.new) {
                (Some(old), Some(new)) => format!("{old}->{new}"),
                (None, Some(new)) => new.clone(),
                (Some(old), None) => format!("{old}->"),
                (None, None) => String::new(),
            };
            format!("{} {values}", part.name).trim().to_owned()
        })
        .collect();
    format!("{}{} {}", row.sign.glyph(), row.object, parts.join(", "))
}

fn line(frame: &Frame, place: &str) -> String {
    let task = frame.tasks.iter().find(|task| task.current).map_or("-", |task| &task.name);
    let changes: Vec<String> = frame.changes.rows.iter().map(|row| change(row)).collect();
    format!("{:04} {task} {place}  {}", frame.step, changes.join("  ")).trim_end().to_owned()
}

fn steps(name: &str) -> String {
    let scenario = library::scenario(name).expect("the library has it");
    let mut session = Session::open(scenario, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    while session.extend(100_000) == Progress::Running {}
    let mut viewer = Viewer::new(name, session.scenario(), session.run());
    let mut text = String::new();
    let last = session.run().len();
    for step in 1..=last {
        let site = session.run().machine().with_history(|_, history| history.steps[step as usize - 1].site);
        let place = kernel::site::probe(site).map_or_else(String::new, |probe| {
            format!("{} {}:{} {}", probe.function.file, probe.function.name, probe.line, probe.name)
        });
        let frame = viewer.frame(session.run(), u64::from(step), None);
        writeln!(text, "{}", line(&frame, &place)).expect("a string takes it");
    }
    writeln!(text, "digest {:016x}", session.digest_at(last)).expect("a string takes it");
    text
}

#[test]
fn each_step_of_the_library_is_as_it_was() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for entry in library::entries() {
        let path = folder().join(&entry.name).join("steps.txt");
        let found = steps(&entry.name);
        if update {
            std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder can be made");
            std::fs::write(&path, &found).expect("a snapshot can be written");
            continue;
        }
        let expected = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes it", path.display()));
        for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{}, line {}", entry.name, number + 1);
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "{}: steps", entry.name);
    }
}
