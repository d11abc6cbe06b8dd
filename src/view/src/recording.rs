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

/// Bytes that have to be equal for a piece to be worth naming: with fewer, the numbers of pieces compress worse than bytes.
const PIECE: usize = 40;

/// Steps run at once.
const BATCH: u32 = 10_000;

/// A file as it is written. What is alike stands together, so that it compresses well.
#[derive(Default, BorshDeserialize, BorshSerialize)]
struct File {
    library: Rc<Vec<ScenarioInfo>>,
    timeline: Rc<Timeline>,
    /// Pieces of each screen.
    pieces: Vec<u32>,
    /// Of each piece: how far behind the end of the last one it begins in the screen before.
    skip: Vec<i32>,
    /// How long it is.
    len: Vec<u32>,
    /// How many new bytes follow it.
    add: Vec<u32>,
    /// These bytes.
    new: Vec<u8>,
}

/// Bytes of the screen before, and new ones behind them.
struct Piece {
    skip: i32,
    len: u32,
    new: Vec<u8>,
}

/// The screens of one run of a scenario of the library, from its first step to its last.
pub struct Recording {
    file: File,
    /// The screens unfolded so far, and how many pieces and new bytes they took.
    screens: Vec<Vec<u8>>,
    taken: (usize, usize),
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
        let timeline = viewer.timeline(session.run());
        let mut file = File { library: Rc::new(library()), timeline, ..File::default() };
        let mut before = Vec::new();
        for step in 0..=file.timeline.last {
            let frame = viewer.frame(session.run(), step, None);
            let screen = borsh::to_vec(&*frame).expect("a vector takes all bytes");
            file.add(&patch(&before, &screen));
            before = screen;
        }
        borsh::to_vec(&file).expect("a vector takes all bytes")
    }

    /// Reads a file; `None` if it is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let file = File::try_from_slice(bytes).ok()?;
        let mut all = Self { file, screens: Vec::new(), taken: (0, 0), shown: Rc::default() };
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
            let screen = self.unfold()?;
            self.screens.push(screen);
        }
        let frame = keep(&self.shown, Frame::try_from_slice(&self.screens[at]).ok()?);
        if *self.shown != frame {
            self.shown = Rc::new(frame);
        }
        Some(Rc::clone(&self.shown))
    }

    /// The next screen.
    fn unfold(&mut self) -> Option<Vec<u8>> {
        let before = self.screens.last().map_or(&[][..], Vec::as_slice);
        let (file, (mut piece, mut byte)) = (&self.file, self.taken);
        let (mut out, mut end) = (Vec::new(), 0_usize);
        for _ in 0..*file.pieces.get(self.screens.len())? {
            let from = end.checked_add_signed(*file.skip.get(piece)? as isize)?;
            end = from.checked_add(*file.len.get(piece)? as usize)?;
            let fresh = byte.checked_add(*file.add.get(piece)? as usize)?;
            out.extend_from_slice(before.get(from..end)?);
            out.extend_from_slice(file.new.get(byte..fresh)?);
            (piece, byte) = (piece + 1, fresh);
        }
        self.taken = (piece, byte);
        Some(out)
    }
}

impl File {
    /// Adds a screen.
    fn add(&mut self, patch: &[Piece]) {
        self.pieces.push(patch.len() as u32);
        for piece in patch {
            self.skip.push(piece.skip);
            self.len.push(piece.len);
            self.add.push(piece.new.len() as u32);
            self.new.extend_from_slice(&piece.new);
        }
    }
}

/// What makes `after` of `before`: at each place the longest piece, of equal ones the nearest to where the last one ended.
fn patch(before: &[u8], after: &[u8]) -> Vec<Piece> {
    let mut known: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (at, piece) in before.windows(PIECE).enumerate() {
        known.entry(piece).or_default().push(at);
    }
    let same = |from: usize, at: usize| {
        before[from..].iter().zip(&after[at..]).take_while(|(one, other)| one == other).count()
    };
    let mut patch = vec![Piece { skip: 0, len: 0, new: Vec::new() }];
    let (mut at, mut end) = (0, 0_usize);
    while at < after.len() {
        let places = known.get(after.get(at..at + PIECE).unwrap_or_default()).into_iter().flatten();
        let best = places.max_by_key(|from| (same(**from, at), std::cmp::Reverse(from.abs_diff(end))));
        if let Some(&from) = best {
            let len = same(from, at);
            let skip = i32::try_from(from).and_then(|from| Ok(from - i32::try_from(end)?));
            let skip = skip.expect("a screen is smaller than 2 GiB");
            patch.push(Piece { skip, len: u32::try_from(len).expect("as is a piece"), new: Vec::new() });
            (at, end) = (at + len, from + len);
        } else {
            patch.last_mut().expect("it begins with one").new.push(after[at]);
            at += 1;
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screens_unfold_as_they_were() {
        let long: Vec<u8> = (0..4000_u32).map(|n| ((n * n) >> 3) as u8).collect();
        let mut other = long.clone();
        other.splice(1000..1010, [7; 40]);
        other.truncate(3000);
        let screens = [&long[..], &other, &other, &long, &[], b"abc", b"abd"];
        let mut file = File::default();
        let mut before = &[][..];
        for screen in screens {
            file.add(&patch(before, screen));
            before = screen;
        }
        assert!(file.new.len() < 4000 + 60 + 1100 + 10, "{} bytes", file.new.len());
        let mut recording = Recording { file, screens: Vec::new(), taken: (0, 0), shown: Rc::default() };
        for screen in screens {
            assert_eq!(recording.unfold().as_deref(), Some(screen));
            recording.screens.push(screen.to_vec());
        }
        assert!(recording.unfold().is_none());
    }

    #[test]
    fn what_is_no_file_is_none() {
        assert!(Recording::read(&[]).is_none());
        assert!(Recording::read(&[1; 100]).is_none());
    }
}
