//! Calls and probes: how kernel code tells the viewer and the tracer where it is.

use sched::Kthread;
use world::{Errno, TraceEvent, World};

use crate::site::FnSite;

/// A value that fits a local or a trace argument.
pub trait Word {
    /// The value's 64 bits; negative numbers in two's complement.
    fn word(self) -> u64;
}

macro_rules! words {
    ($($ty:ty),*) => {$( impl Word for $ty { fn word(self) -> u64 { self as u64 } } )*};
}
words!(u8, u16, u32, u64, i32, i64, bool);

impl Word for usize {
    fn word(self) -> u64 {
        self as u64
    }
}
impl Word for Errno {
    fn word(self) -> u64 {
        self.as_ret() as u64
    }
}
impl Word for () {
    fn word(self) -> u64 {
        0
    }
}
impl<T: Word> Word for Result<T, Errno> {
    fn word(self) -> u64 {
        match self {
            Ok(value) => value.word(),
            Err(errno) => errno.word(),
        }
    }
}
macro_rules! id_words {
    ($($ty:ty),*) => {$( impl Word for $ty { fn word(self) -> u64 { u64::from(self.0) } } )*};
}
id_words!(world::PageId, world::BhId, world::InodeId, world::FileId, world::VmaId);

/// `call!(kt, &site::NAME, &[args], async { body }).await`: opens the function's frame, runs `body`, closes the
/// frame; the tracer sees entry (with the arguments) and exit if the function is one it follows.
///
/// A macro, not a function: a future given as an argument is kept twice, so that forty nested ones would not fit
/// on any stack.
#[macro_export]
macro_rules! call {
    ($kt:expr, $site:expr, $args:expr, $body:expr $(,)?) => {
        async {
            $crate::trace::enter($kt, $site, $args);
            let value = $body.await;
            $crate::trace::exit($kt, $site, $crate::trace::Word::word(value));
            value
        }
    };
}

pub use crate::call;

/// The same inside a function that already has the World: the tracer sees it,
/// the call stack does not.
#[inline(always)]
pub fn traced<T: Word + Copy>(
    w: &mut World,
    site: &'static FnSite,
    args: &[u64],
    body: impl FnOnce(&mut World) -> T,
) -> T {
    write(w, TraceEvent::Enter, site.id, args);
    let value = body(w);
    write(w, TraceEvent::Exit, site.id, &[value.word()]);
    value
}

/// The begin of [`call!`].
#[inline(always)]
pub fn enter(kt: &Kthread, site: &'static FnSite, args: &[u64]) {
    kt.with(|w| {
        if w.trace.on && (site.traced || w.trace.all_calls) {
            write(w, TraceEvent::Enter, site.id, args);
        }
    });
    kt.push_frame(site.id, args);
}

/// The end of [`call!`].
#[inline(always)]
pub fn exit(kt: &Kthread, site: &'static FnSite, value: u64) {
    kt.pop_frame();
    kt.with(|w| {
        if w.trace.on && (site.traced || w.trace.all_calls) {
            write(w, TraceEvent::Exit, site.id, &[value]);
        }
    });
}

/// Calls of functions that have no frame of their own, see [`world::Tracer::graph`]: what a function graph of
/// the kernel would show in between.
pub trait Graph {
    /// Notes `text`.
    fn graph(self, text: &'static str);
}

impl Graph for &mut World {
    #[inline(always)]
    fn graph(self, text: &'static str) {
        let (step, task) = (self.rec.step, self.current.0);
        self.trace.graph(step, task, text);
    }
}

impl Graph for &Kthread {
    #[inline(always)]
    fn graph(self, text: &'static str) {
        if world::GRAPHS {
            self.with(|w| w.graph(text));
        }
    }
}

/// Writes a trace record of the current task, if there is a tracer.
#[inline(always)]
pub fn write(w: &mut World, event: TraceEvent, site: u16, args: &[u64]) {
    if w.trace.on {
        let (step, task) = (w.rec.step, w.current.0);
        w.trace.write(step, task, event, site, args);
    }
}

/// Ends a step at a probe site, setting locals of the innermost frame by name:
/// `probe!(kt, GPW_SPLIT, pos = pos, bytes = bytes).await`.
#[macro_export]
macro_rules! probe {
    ($kt:expr, $site:ident $(, $name:ident = $value:expr)* $(,)?) => {{
        if $kt.recording() {
            $( $kt.set(const { $crate::site::$site.local(stringify!($name)) }, $crate::trace::Word::word($value)); )*
        }
        $kt.probe(const {
            &sched::At { site: $crate::site::$site.id, place: sched::Place { file: file!(), line: line!() } }
        })
    }};
}

/// Hits a tracepoint: `point!(w, EXT4_ES_LOOKUP_EXTENT_ENTER, ino, lblk)`.
#[macro_export]
macro_rules! point {
    ($w:expr, $point:ident $(, $value:expr)* $(,)?) => {
        if $w.trace.on {
            let args = [$( $crate::trace::Word::word($value) ),*];
            $crate::trace::write($w, world::TraceEvent::Point, $crate::tracepoint::$point.id, &args);
        }
    };
}
