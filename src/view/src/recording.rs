//! The screens of a whole run as a file: what a page shows before it has an engine.
//!
//! Each screen is kept as what it differs in from the one before, so the file is small whoever serves it:
//!
//! ```text
//! screen k  = pieces of screen k - 1, and new bytes between them   (as borsh writes a Frame)
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;

use borsh::{BorshDeserialize, BorshSerialize};
use session::Session;
use session::run::Progress;

use crate::Viewer;
use crate::frame::{Frame, ScenarioInfo, Timeline};
use crate::library;
use crate::viewer::keep;

/// Bytes that have to be equal for a piece to be worth naming.
const PIECE: usize = 12;

/// Steps run at once.
const BATCH: u32 = 10_000;

/// A file as it is written.
#[derive(BorshDeserialize, BorshSerialize)]
struct File {
    library: Rc<Vec<ScenarioInfo>>,
    timeline: Rc<Timeline>,
    screens: Vec<Patch>,
}

/// A screen by the one before it.
type Patch = Vec<Piece>;

/// Bytes of the screen before, and new ones behind them.
#[derive(Debug, BorshDeserialize, BorshSerialize)]
struct Piece {
    from: u32,
    len: u32,
    new: Vec<u8>,
}

/// The screens of one run of a scenario of the library, from its first step to its last.
pub struct Recording {
    file: File,
    /// The screens unfolded so far.
    screens: Vec<Vec<u8>>,
    shown: Rc<Frame>,
}

impl Recording {
    /// Runs a scenario of the library to its end and writes the file for it, in the language that is spoken.
    ///
    /// # Panics
    /// Never: a vector takes all bytes.
    #[must_use]
    pub fn write(name: &str, session: &mut Session) -> Vec<u8> {
        while session.extend(BATCH) == Progress::Running {}
        let mut viewer = Viewer::new(name, session.scenario(), session.run());
        let marks = session.marker_steps();
        viewer.set_marks(session.scenario(), &marks);
        let run = session.run();
        let timeline = viewer.timeline(run);
        let mut before = Vec::new();
        let screens = (0..=timeline.last).map(|step| {
            let bytes = borsh::to_vec(&*viewer.frame(run, step, None)).expect("a vector takes all bytes");
            let patch = patch(&before, &bytes);
            before = bytes;
            patch
        });
        let screens = screens.collect();
        borsh::to_vec(&File { library: Rc::new(library()), timeline, screens }).expect("a vector takes all bytes")
    }

    /// Reads a file; `None` if it is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let file = File::try_from_slice(bytes).ok()?;
        let mut all = Self { file, screens: Vec::new(), shown: Rc::default() };
        all.frame(0)?;
        Some(all)
    }

    /// The scenarios of the library.
    #[must_use]
    pub fn library(&self) -> &[ScenarioInfo] {
        &self.file.library
    }

    /// The run at a glance.
    #[must_use]
    pub fn timeline(&self) -> Rc<Timeline> {
        Rc::clone(&self.file.timeline)
    }

    /// The screen at `step`; the last one for a step past it. `None` if the file is damaged.
    pub fn frame(&mut self, step: u64) -> Option<Rc<Frame>> {
        let at = usize::try_from(step.min(self.file.timeline.last)).ok()?;
        while self.screens.len() <= at {
            let before = self.screens.last().map_or(&[][..], Vec::as_slice);
            let screen = apply(before, self.file.screens.get(self.screens.len())?)?;
            self.screens.push(screen);
        }
        let frame = keep(&self.shown, Frame::try_from_slice(&self.screens[at]).ok()?);
        if *self.shown != frame {
            self.shown = Rc::new(frame);
        }
        Some(Rc::clone(&self.shown))
    }
}

fn apply(before: &[u8], patch: &Patch) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for piece in patch {
        let from = piece.from as usize;
        out.extend_from_slice(before.get(from..from.checked_add(piece.len as usize)?)?);
        out.extend_from_slice(&piece.new);
    }
    Some(out)
}

/// What makes `after` of `before`: at each place the longest piece that begins where an equal one last did.
fn patch(before: &[u8], after: &[u8]) -> Patch {
    let mut known: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (at, piece) in before.windows(PIECE).enumerate() {
        known.entry(piece).or_default().push(at);
    }
    let number = |at: usize| u32::try_from(at).expect("a screen is smaller than 4 GiB");
    let same = |from: usize, at: usize| {
        before[from..].iter().zip(&after[at..]).take_while(|(one, other)| one == other).count()
    };
    let mut patch = vec![Piece { from: 0, len: 0, new: Vec::new() }];
    let (mut at, mut expected) = (0, 0);
    while at < after.len() {
        // Going on where the last piece stopped, as if what is new had replaced as much, is most often right.
        let near = known.get(after.get(at..at + PIECE).unwrap_or_default()).into_iter().flatten();
        let best = near.max_by_key(|from| (same(**from, at), std::cmp::Reverse(from.abs_diff(expected))));
        match best {
            Some(&from) => {
                let len = same(from, at);
                patch.push(Piece { from: number(from), len: number(len), new: Vec::new() });
                at += len;
                expected = from + len;
            }
            None => {
                patch.last_mut().expect("it begins with one").new.push(after[at]);
                at += 1;
                expected += 1;
            }
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_makes_one_of_the_other() {
        let long: Vec<u8> = (0..4000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        let mut other = long.clone();
        other.splice(1000..1010, [7; 40]);
        other.truncate(3000);
        for (before, after) in [(&[][..], &long[..]), (&long, &other), (&other, &long), (&long, &[]), (b"abc", b"abd")]
        {
            let patch = patch(before, after);
            assert_eq!(apply(before, &patch).as_deref(), Some(after));
        }
        let new: usize = patch(&long, &other).iter().map(|piece| piece.new.len()).sum();
        assert!(new < 60, "{new} bytes for 40 new ones");
    }

    #[test]
    fn what_is_no_file_is_none() {
        assert!(Recording::read(&[]).is_none());
        assert!(Recording::read(&[1; 100]).is_none());
        assert!(apply(b"abc", &vec![Piece { from: 2, len: 2, new: Vec::new() }]).is_none());
    }
}
