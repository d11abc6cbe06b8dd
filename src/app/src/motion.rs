//! The transport of bytes: when a step's motion is shown, and where on the screen its two ends are.
//!
//! `www/motion.js` shows it by the browser's own animations, over elements that stand where the step left them, so a
//! screen is the same with motion and without.

use std::cell::Cell;
use std::rc::Rc;

use view::frame::Frame;
use view::motion::{Axis as On, Motion};
use yew::prelude::*;

use crate::components::user_memory::Axis;
use crate::draw::share;
use crate::player::{Command, SPEEDS, Send};

#[cfg(not(test))]
mod page {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen(raw_module = "./motion.js")]
    extern "C" {
        /// Ends the motion before, and shows this one if it lasts no longer than `stays` ms. A stretch is a number of
        /// its axis, and begin and end in per cent of it.
        pub fn show(kind: u8, stays: f64, from: u8, begin: f64, end: f64, to: u8, there: f64, its_end: f64);
    }
}

/// The tests have no page around them.
#[cfg(test)]
mod page {
    #[expect(clippy::too_many_arguments, reason = "as in the page")]
    pub const fn show(_: u8, _: f64, _: u8, _: f64, _: f64, _: u8, _: f64, _: f64) {}
}

/// By which way the next step on screen is reached.
#[derive(Default)]
pub struct Pace {
    /// How long it will stay, ms; 0 if the reader goes anywhere but one step on.
    stays: Cell<f64>,
    /// A key is held down.
    held: Cell<bool>,
    /// The speed of the play, if it plays.
    playing: Cell<Option<usize>>,
}

impl Pace {
    /// A key goes down; `again` if it is held.
    pub fn key(&self, again: bool) {
        self.held.set(again);
    }

    /// `send`, with an eye on the commands that go by.
    pub fn watch(self: &Rc<Self>, send: Send) -> Send {
        let pace = Rc::clone(self);
        Callback::from(move |command: Command| {
            pace.stays.set(match command {
                Command::Next | Command::Over if !pace.held.get() => f64::INFINITY,
                Command::Tick(_) => pace.playing.get().map_or(0.0, |speed| 1000.0 / SPEEDS[speed].1),
                _ => 0.0,
            });
            send.emit(command);
        })
    }
}

/// Shows the motion of a step that one step forwards has reached and that outlasts it; whatever comes next cuts it
/// short.
#[hook]
pub fn use_motion(frame: &Rc<Frame>, pace: &Rc<Pace>, playing: Option<usize>) {
    pace.playing.set(playing);
    let stays = pace.stays.get();
    let before = use_mut_ref(|| 0).replace(frame.step);
    let frame = Rc::clone(frame);
    use_effect_with(frame.step, move |step| match frame.motion.filter(|_| *step > before) {
        Some(Motion { kind, from, to }) => {
            let at = |n: u64, on: On| on_axis(&frame, on, n);
            let ends = [at(from.from, from.on), at(from.to, from.on), at(to.from, to.on), at(to.to, to.on)];
            page::show(kind as u8, stays, from.on as u8, ends[0], ends[1], to.on as u8, ends[2], ends[3]);
        }
        None => page::show(0, 0.0, 0, 0.0, 0.0, 0, 0.0, 0.0),
    });
}

/// Where the drawing has it, in per cent.
fn on_axis(frame: &Frame, on: On, n: u64) -> f64 {
    let cells = &frame.cache.pages;
    match on {
        On::User => Axis::new(&frame.user).at(n),
        On::Page => share(n, 4096),
        On::Pages => {
            let first = cells.first().map_or(0, |cell| cell.index);
            share(n.saturating_sub(first), cells.len() as u64).min(100.0)
        }
        On::Device => share(n, frame.disk.blocks),
        On::Journal => share(n, 1),
    }
}
