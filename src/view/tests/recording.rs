//! A recording shows what the viewer shows.

use session::run::Progress;
use session::{Session, library};
use view::Viewer;
use view::recording::Recording;

fn open(name: &str) -> Session {
    let scenario = library::scenario(name).expect("the library has it");
    Session::open(scenario, None).expect("it starts")
}

#[test]
fn every_screen_is_the_viewers() {
    for name in ["full-page", "short-copy"] {
        let bytes = Recording::write(name, &mut open(name));
        let mut recording = Recording::read(&bytes).expect("what was written can be read");
        assert_eq!(recording.library(), view::library());

        let mut session = open(name);
        while session.extend(1000) == Progress::Running {}
        let marks = session.marker_steps();
        let mut viewer = Viewer::new(name, session.scenario(), session.run());
        viewer.set_marks(session.scenario(), &marks);
        let timeline = viewer.timeline(session.run());
        assert_eq!(*recording.timeline(), *timeline);
        // Backwards first: then all of them are unfolded at once.
        for step in [timeline.last].into_iter().chain(0..=timeline.last).chain([u64::MAX]) {
            let frame = viewer.frame(session.run(), step, None);
            assert_eq!(recording.frame(step).as_deref(), Some(&*frame), "{name}, step {step}");
        }
    }
}

#[test]
fn a_recording_is_the_same_each_time() {
    assert_eq!(
        Recording::write("full-page", &mut open("full-page")),
        Recording::write("full-page", &mut open("full-page"))
    );
}

#[test]
fn a_file_that_is_cut_is_none() {
    let bytes = Recording::write("full-page", &mut open("full-page"));
    for len in (0..bytes.len()).step_by(997) {
        assert!(Recording::read(&bytes[..len]).is_none(), "{len} of {} bytes", bytes.len());
    }
}
