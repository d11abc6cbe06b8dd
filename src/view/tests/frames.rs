//! Frames of real runs of the library's scenarios.

use session::Session;
use view::Viewer;

fn run(name: &str) -> (Session, Viewer) {
    let scenario = session::library::scenario(name).expect("the library has it");
    let mut session = Session::open(scenario, None).expect("it starts");
    while session.extend(10_000) == session::run::Progress::Running {}
    let viewer = Viewer::new(name, session.scenario(), session.run());
    (session, viewer)
}

#[test]
fn dump() {
    let name = std::env::var("SCENARIO").unwrap_or("short-copy".into());
    let (session, mut viewer) = run(&name);
    let only: Option<u64> = std::env::var("STEP").ok().and_then(|s| s.parse().ok());
    let timeline = viewer.timeline(session.run());
    if let Some(step) = only {
        println!("{:#?}", viewer.frame(session.run(), step, None));
        return;
    }
    for step in 0..=timeline.last {
        let f = viewer.frame(session.run(), step, None);
        println!("{step:4} {:2} {:50} | {} — {}", f.narration.phase.letter(), f.narration.crumb, f.narration.what, f.narration.why);
        for c in &f.changes.rows {
            let parts: Vec<String> = c.parts.iter().map(|p| format!("{} {:?}→{:?}", p.name, p.old.as_deref().unwrap_or("·"), p.new.as_deref().unwrap_or("·"))).collect();
            println!("        {} {}: {}", c.sign.glyph(), c.object, parts.join("; "));
        }
    }
    println!("{:#?}", timeline.calls);
    println!("{:#?}", timeline.rounds);
    println!("{:#?}", timeline.phases);
    println!("{:#?}", timeline.lanes);
    println!("{:#?}", timeline.events);
    println!("{:#?}", timeline.counters);
}
