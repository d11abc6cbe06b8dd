//! A scenario of the library, run to its end.

use session::Session;
use session::library;
use session::run::Progress;
use view::Viewer;

/// The session with every step recorded, and what looks at it.
///
/// # Panics
/// The library has no such scenario, or it does not start.
#[must_use]
pub fn whole(name: &str) -> (Session, Viewer) {
    let scenario = library::scenario(name).expect("the library has it");
    let mut session = Session::open(scenario, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    while session.extend(100_000) == Progress::Running {}
    let viewer = Viewer::new(name, session.scenario(), session.run());
    (session, viewer)
}
