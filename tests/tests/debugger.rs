//! What the debugger tells beside a step: locals of outer frames, the difference of two steps, the runs that
//! interventions made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kernel::site::{self, SITES, Site};
use session::Session;
use session::library;
use session::run::Progress;
use session::scenario::{Act, At};
use view::kernel_source::{KernelFile, engine_stops, passes};
use writepath_tests::whole::whole;

#[test]
fn an_outer_frame_keeps_its_locals() {
    let (session, mut viewer) = whole("short-copy");
    let mut met = 0;
    for step in 1..=u64::from(session.run().len()) {
        let frame = viewer.frame(session.run(), step, None);
        let Some(task) = frame.tasks.iter().find(|task| task.current) else { continue };
        let (top, rows) = match viewer.locals(session.run(), step, task.id, 0) {
            Some(found) => found,
            None => continue,
        };
        if task.stack.first().is_some_and(|row| row.function == top) {
            assert_eq!(rows, frame.locals, "step {step}: the innermost frame");
        }
        // While write_begin runs, the loop's own variables are to be seen behind it.
        let Some(nth) = task.stack.iter().position(|row| row.function == "generic_perform_write") else { continue };
        let (function, rows) = viewer.locals(session.run(), step, task.id, nth).expect("the frame is there");
        assert_eq!(function, "generic_perform_write");
        assert!(rows.iter().any(|row| row.name == "bytes"), "step {step}");
        met += usize::from(nth > 0);
    }
    assert!(met > 20, "{met} steps deep in the loop");
}

/// As the kernel declares it: in C's letters, and a type of the kernel or of C.
#[test]
fn every_local_has_its_type() {
    let known = |word: &str| {
        let plain = ["unsigned", "long", "int", "short", "void", "__user", "*", "bool", "struct", "enum"];
        let named = ["page", "inode", "file", "buffer_head", "timespec64", "wb_reason"];
        let sized = word.trim_start_matches('_').trim_start_matches("le").trim_start_matches(['u', 's']);
        plain.contains(&word) || named.contains(&word) || word.ends_with("_t") || sized.parse::<u8>().is_ok()
    };
    let functions = SITES.iter().filter_map(|site| match site {
        Site::Function(function) => Some(function),
        Site::Probe(_) => None,
    });
    let mut locals = 0;
    for function in functions {
        for local in function.locals {
            let mut words = local.c.split(' ');
            assert!(!local.c.is_empty() && words.all(known), "{}: {} {}", function.name, local.c, local.name);
            locals += 1;
        }
    }
    assert!(locals > 400, "{locals}");
    let (session, mut viewer) = whole("short-copy");
    let frame = viewer.frame(session.run(), 45, None);
    let told: Vec<&str> = frame.locals.iter().map(|local| local.c.as_str()).collect();
    assert!(told.contains(&"size_t") && told.iter().all(|c| !c.is_empty()), "{told:?}");
}

/// The site has the sources of these folders (index.html), so the Engine tab has that of every step.
#[test]
fn every_step_ends_in_a_source_that_the_site_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let page = std::fs::read_to_string(root.join("index.html")).expect("the page is there");
    let folders = ["src/kernel/src", "src/sched/src", "src/session/src/run"];
    assert!(folders.iter().all(|folder| page.contains(&format!("copy-dir\" href=\"{folder}\""))));
    let (mut files, mut sources) = (BTreeSet::new(), BTreeMap::new());
    for name in ["short-copy", "throttled-killed", "fsync-after-write", "source-page-reclaimed", "two-writers-share"] {
        let (session, mut viewer) = whole(name);
        for step in 1..=u64::from(session.run().len()) {
            let at = viewer.frame(session.run(), step, None).source.clone().expect("a step ends somewhere");
            files.insert(at.file.clone());
            let stops = sources.entry(at.file.clone()).or_insert_with(|| {
                engine_stops(&std::fs::read_to_string(root.join(&at.file)).expect("it can be read"))
            });
            let probe = probe_at(&session, step);
            // Between two tasks time passes, or something outside acts: no line of the kernel's.
            let own = !["BIO_END", "DWORK_TIMER", "INTERVENE"].contains(&probe);
            assert!(
                !own || stops.get(&at.line).is_some_and(|names| names.iter().any(|name| name == probe)),
                "{}:{}: {probe}",
                at.file,
                at.line
            );
        }
    }
    for file in &files {
        assert!(root.join(&**file).exists() && folders.iter().any(|folder| file.starts_with(folder)), "{file}");
    }
    assert!(files.contains("src/session/src/run/program.rs"), "{files:?}");
}

/// The probe that a step ended at.
fn probe_at(session: &Session, step: u64) -> &'static str {
    let at = usize::try_from(step - 1).expect("a step");
    session.run().machine().with_history(|_, h| site::probe(h.steps[at].site).expect("a probe").name)
}

/// Every probe of a task has its line in the engine's source, so each can be run to in the Engine tab.
#[test]
fn every_probe_is_found_in_the_engines_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let mut folders =
        ["src/kernel/src", "src/sched/src", "src/session/src/run"].map(|folder| root.join(folder)).to_vec();
    let mut found: BTreeSet<String> = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("it can be read");
                found.extend(engine_stops(&text).into_values().flatten());
            }
        }
    }
    let missing: Vec<&str> = SITES
        .iter()
        .filter_map(|site| match site {
            Site::Probe(probe) if !found.contains(probe.name) => Some(probe.name),
            _ => None,
        })
        .collect();
    let probe = |name: &String| SITES.iter().any(|site| matches!(site, Site::Probe(probe) if probe.name == name));
    assert!(found.iter().all(probe), "{found:?}");
    // Steps of no task, and two statements that are listed but end none.
    assert_eq!(missing, ["BIO_END", "DWORK_TIMER", "INTERVENE", "VWV_START", "CP_ATOMIC"]);
}

/// A line of the kernel's file is run to by its probes, and the run is counted there.
#[test]
fn a_line_of_the_kernels_file_has_the_probes_of_its_steps() {
    let (session, mut viewer) = whole("short-copy");
    let mut text: Vec<String> = vec!["/* a line */".to_owned(); 3400];
    text[3294] = "ssize_t generic_perform_write(struct file *file, struct iov_iter *i, loff_t pos)".to_owned();
    text[3295] = "{".to_owned();
    text[3379] = "}".to_owned();
    let file = KernelFile::read("filemap.c", &text.join("\n")).expect("it is known");
    let counts = passes(session.run(), &file.stops);
    let mut seen: BTreeMap<u32, u64> = BTreeMap::new();
    for step in 1..=u64::from(session.run().len()) {
        let Some(at) = viewer.frame(session.run(), step, None).kernel.clone().filter(|at| at.file == file.path) else {
            continue;
        };
        assert!(file.stops[&at.line].iter().any(|name| name == probe_at(&session, step)), "{}", at.line);
        *seen.entry(at.line).or_default() += 1;
    }
    let told: BTreeMap<u32, u64> = file.stops.keys().copied().zip(counts).filter(|(_, count)| *count > 0).collect();
    assert_eq!(told, seen);
    assert_eq!(seen[&3344], 3, "the copy has three tries");
    let to = viewer.hit(session.run(), &["probe == GPW_EXIT".into(), "probe == GPW_COPY".into()], 1, true);
    assert_eq!(to.map(|step| probe_at(&session, step)), Some("GPW_COPY"), "the first of several");
}

#[test]
fn two_steps_differ_by_what_the_steps_between_changed() {
    let (session, mut viewer) = whole("full-page");
    let last = u64::from(session.run().len());
    for (a, b) in [(0, last), (20, 60), (60, 20), (31, 32)] {
        let diff = viewer.diff(session.run(), a, b);
        let mut objects: Vec<String> = Vec::new();
        for step in a.min(b) + 1..=a.max(b) {
            let frame = viewer.frame(session.run(), step, None);
            objects.extend(frame.changes.rows.iter().map(|row| row.object.clone()));
        }
        assert!(!diff.rows.is_empty());
        for row in &diff.rows {
            assert!(objects.contains(&row.object), "{a}~{b}: {} was changed by no step", row.object);
        }
    }
    assert!(viewer.diff(session.run(), 40, 40).rows.is_empty());
}

#[test]
fn a_run_that_was_left_can_be_returned_to() {
    let (mut session, _) = whole("full-page");
    let (len, digest) = (session.run().len(), session.digest_at(session.run().len()));
    session.intervene(30, Act::Sigkill { task: "A".into() }).expect("there is such a step");
    while session.extend(100_000) == Progress::Running {}
    let (runs, current) = session.runs();
    assert_eq!((runs.len(), current), (2, 1));
    assert_ne!(session.run().len(), len);
    let kept = runs.to_vec();

    session.go_to_run(0).expect("it ran before");
    while session.extend(100_000) == Progress::Running {}
    assert_eq!((session.run().len(), session.digest_at(len)), (len, digest));
    assert_eq!(session.runs().1, 0);

    // A page opened anew has the link's scenario and the list that was kept.
    let mut again = Session::open(kept[1].clone(), None).expect("it ran before");
    assert!(again.restore_runs(kept.clone()));
    assert_eq!((again.runs().0.len(), again.runs().1), (2, 1));
    let mut other = Session::open(library::scenario("hole").expect("it is there"), None).expect("it runs");
    assert!(!other.restore_runs(kept));
    assert_eq!(other.runs().0.len(), 1, "a list that this run is not in is left alone");
}

#[test]
fn markers_stand_at_their_steps() {
    let (mut session, mut viewer) = whole("throttled-killed");
    let steps = session.marker_steps();
    let markers = session.scenario().markers.clone();
    assert_eq!(steps.len(), markers.len());
    viewer.set_marks(session.scenario(), &steps);
    for (marker, step) in markers.iter().zip(&steps) {
        let step = step.expect("the library's markers are met");
        if let At::Probe(at) = &marker.at {
            assert_eq!(session.address_of(step).as_ref(), Some(at));
        }
        assert_eq!(viewer.frame(session.run(), step.into(), None).narration.mark, marker.label.en);
    }
    assert_eq!(viewer.timeline(session.run()).marks.len(), markers.len());
    assert_eq!(viewer.frame(session.run(), 0, None).narration.mark, "");
}

#[test]
fn every_flag_on_screen_can_be_asked_who_set_it() {
    let mut asked = BTreeSet::new();
    for name in ["short-copy", "block-1k-overwrite-uncached", "background-flush"] {
        let (session, mut viewer) = whole(name);
        for step in 1..=u64::from(session.run().len()) {
            let frame = viewer.frame(session.run(), step, None);
            let Some(page) = frame.cache.selected.clone() else { continue };
            let heads = page.buffers.iter().flat_map(|head| &head.flags);
            let flags = page.flags.iter().chain(heads).map(|flag| (&flag.path, flag.set, flag.changed));
            let truths = page.dirty.iter().map(|truth| (&truth.path, truth.set, truth.changed));
            for (path, set, changed) in flags.chain(truths).filter(|(path, ..)| !path.is_empty()) {
                let row = viewer.watch(session.run(), path, step);
                assert_eq!(row.value, set.to_string(), "{name} {step}: {path}");
                asked.insert(path.clone());
                if changed && page.buffers.len() < 2 {
                    let writes = viewer.writes(session.run(), path).expect("it is an expression");
                    assert!(writes.iter().any(|write| write.step == step), "{name} {step}: {path}");
                }
            }
        }
        for path in ["NR_FILE_DIRTY", "balance_dirty_pages.thresh", "balance_dirty_pages.bg_thresh"] {
            viewer.writes(session.run(), path).expect("the gauge's marks are expressions");
        }
    }
    for path in ["page[0].locked", "page[0].tag_dirty", "bh[0][0].delay", "bh[0][2].mapped", "inode.dirty_pages"] {
        assert!(asked.contains(path), "{path} is in {asked:?}");
    }
}
