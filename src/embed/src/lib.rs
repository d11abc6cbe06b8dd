//! A run for other people's JavaScript: a scenario in, any of its steps out as plain objects.
//!
//! ```js
//! const run = new Run(await (await fetch("short-copy.json")).text());
//! while (!run.extend(10_000));
//! run.at(70);  // { step, task, phase, crumb, what, why, changes: [...] }
//! run.free();
//! ```
//!
//! Two runs share no state. Digests are decimal strings, since a number of JavaScript holds 53 bits. Deliberately
//! absent: the DOM. The custom element and the pictures get their own issue.

use heap as _;

use js_sys::{Error, Uint8Array};
use serde::Serialize;
use session::Session;
use session::run::Progress;
use session::scenario::parse;
use view::Viewer;
use view::frame::Frame;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// One run of one scenario.
#[wasm_bindgen]
pub struct Run {
    session: Session,
    viewer: Viewer,
}

/// What is known of a step.
#[derive(Serialize)]
struct Step<'a> {
    step: u64,
    task: Option<&'a str>,
    phase: &'a str,
    crumb: &'a str,
    what: &'a str,
    why: &'a str,
    changes: Vec<Change<'a>>,
}

/// What the step changed in one object.
#[derive(Serialize)]
struct Change<'a> {
    sign: &'a str,
    object: &'a str,
    parts: Vec<Part<'a>>,
}

/// One leaf of a change.
#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    old: Option<&'a str>,
    new: Option<&'a str>,
}

#[wasm_bindgen]
impl Run {
    /// Starts the scenario given as JSON; its set-up is run, no step is recorded yet.
    ///
    /// # Errors
    /// An `Error` with the path of what is wrong in the scenario, or why it cannot start.
    #[wasm_bindgen(constructor)]
    pub fn new(scenario: &str) -> Result<Run, Error> {
        let parsed = parse(scenario).map_err(|error| Error::new(&error.to_string()))?;
        let session = Session::open(parsed.scenario, None).map_err(|error| Error::new(&error.to_string()))?;
        let viewer = Viewer::new("", session.scenario(), session.run());
        Ok(Run { session, viewer })
    }

    /// Records up to `steps` more steps; true once the run is complete.
    pub fn extend(&mut self, steps: u32) -> bool {
        self.session.extend(steps) != Progress::Running
    }

    /// Steps recorded so far; step 0 is the state before the first one.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> u32 {
        self.session.run().len()
    }

    /// A step in words: `{step, task, phase, crumb, what, why, changes}`.
    ///
    /// # Errors
    /// An `Error` if the step is not recorded.
    pub fn at(&mut self, step: u32) -> Result<JsValue, Error> {
        self.check(step)?;
        let frame = self.viewer.frame(self.session.run(), u64::from(step), None);
        serde_wasm_bindgen::to_value(&step_of(&frame)).map_err(|error| Error::new(&error.to_string()))
    }

    /// A digest of the whole state after a step, a decimal string.
    ///
    /// # Errors
    /// An `Error` if the step is not recorded.
    pub fn digest(&self, step: u32) -> Result<String, Error> {
        self.check(step)?;
        Ok(self.session.digest_at(step).to_string())
    }

    /// The device's bytes after a step.
    ///
    /// # Errors
    /// An `Error` if the step is not recorded.
    pub fn image(&self, step: u32) -> Result<Uint8Array, Error> {
        self.check(step)?;
        Ok(Uint8Array::from(self.session.image_at(step).as_slice()))
    }
}

impl Run {
    fn check(&self, step: u32) -> Result<(), Error> {
        let recorded = self.length();
        if step > recorded {
            return Err(Error::new(&format!("step {step} is not recorded, the last one is {recorded}")));
        }
        Ok(())
    }
}

fn step_of(frame: &Frame) -> Step<'_> {
    let changes = frame.changes.rows.iter().map(|row| Change {
        sign: row.sign.name(),
        object: &row.object,
        parts: row
            .parts
            .iter()
            .map(|part| Part { name: &part.name, old: part.old.as_deref(), new: part.new.as_deref() })
            .collect(),
    });
    Step {
        step: frame.step,
        task: frame.tasks.iter().find(|task| task.current).map(|task| task.name.as_str()),
        phase: frame.narration.phase.name(),
        crumb: &frame.narration.crumb,
        what: &frame.narration.what,
        why: &frame.narration.why,
        changes: changes.collect(),
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use js_sys::Reflect;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    use super::*;

    wasm_bindgen_test_configure!(run_in_browser);

    const SHORT_COPY: &str = include_str!("../../../static/scenarios/short-copy.json");

    fn complete() -> Run {
        let mut run = Run::new(SHORT_COPY).unwrap_or_else(|_| panic!("the library's scenario starts"));
        while !run.extend(100) {}
        run
    }

    #[wasm_bindgen_test]
    fn a_step_comes_out_as_an_object() {
        let mut run = complete();
        let words = (0..=run.length()).filter_map(|step| run.at(step).ok());
        let what = words.filter_map(|step| Reflect::get(&step, &"what".into()).ok()?.as_string());
        assert!(what.collect::<Vec<_>>().iter().any(|what| what.contains("counts 0 of the 1000 bytes")));
    }

    #[wasm_bindgen_test]
    fn two_runs_agree_and_share_nothing() {
        let (mut one, other) = (complete(), complete());
        let last = one.length();
        assert_eq!(last, other.length());
        let _ = one.at(1);
        for step in 0..=last {
            assert_eq!(one.digest(step).ok(), other.digest(step).ok());
        }
        assert!(one.digest(last + 1).is_err());
    }

    /// The last state's digest that the native tests wrote down.
    fn native(steps: &str) -> String {
        let digest = steps.lines().last().and_then(|line| line.strip_prefix("digest ")).unwrap_or_default();
        u64::from_str_radix(digest, 16).map_or_else(|_| String::new(), |digest| digest.to_string())
    }

    #[wasm_bindgen_test]
    fn wasm_comes_to_the_same_state_as_native_code() {
        macro_rules! check {
            ($($name:literal),*) => {$(
                let scenario = include_str!(concat!("../../../static/scenarios/", $name, ".json"));
                let steps = include_str!(concat!("../../../tests/scenarios/", $name, "/steps.txt"));
                let mut run = Run::new(scenario).unwrap_or_else(|_| panic!("the library's scenario starts"));
                while !run.extend(1000) {}
                assert_eq!(run.digest(run.length()).unwrap_or_default(), native(steps), $name);
            )*};
        }
        check!("short-copy", "short-copy-nothing", "read-modify-write", "fatal-signal", "writev-odd-segments", "hole");
    }

    #[wasm_bindgen_test]
    fn a_bad_scenario_says_where() {
        let json = SHORT_COPY.replace("\"len\": 3096", "\"len\": 30960");
        let Err(error) = Run::new(&json) else { panic!("the segment lies outside its buffer") };
        assert!(String::from(error.message()).contains("iov[1]"), "{}", String::from(error.message()));
    }
}
