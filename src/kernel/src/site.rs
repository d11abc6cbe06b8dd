//! One table of all functions and probes: name, file, line in v5.10.238, grain,
//! phase, and the statement as the Outline shows it (our own words, the
//! kernel's names).

/// How fine a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// One statement.
    Statement,
    /// The begin of a phase of the write loop.
    Phase,
    /// The begin of a round of the write loop, or of a system call.
    Iteration,
}

/// Which part of the story a site belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// System call entry, checks, and everything else around the loop.
    Entry,
    /// F: fault-in of the source.
    FaultIn,
    /// B: write_begin.
    WriteBegin,
    /// C: the atomic copy.
    Copy,
    /// E: write_end.
    WriteEnd,
    /// D: balance_dirty_pages.
    Balance,
    /// W: writeback and the device.
    Writeback,
    /// J: journal.
    Journal,
}

/// How a local or argument is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// Bytes, decimal.
    Bytes,
    /// A plain count or number, decimal.
    Count,
    /// Signed: a status, negative for an error number.
    Status,
    /// Hexadecimal flags.
    Flags,
    /// True or false.
    Bool,
    /// A user address.
    Address,
}

/// A local variable of a function.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// Name in the C code.
    pub name: &'static str,
    /// Its type there; where it stands for a field or for what an expression gives, the type of that.
    pub c: &'static str,
    /// How it is read.
    pub ty: Ty,
}

/// What a trace prints of a return value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// Nothing.
    Void,
    /// A signed decimal number.
    Decimal,
    /// Hexadecimal.
    Hex,
}

/// A kernel function that the engine models.
#[derive(Clone, Copy, Debug)]
pub struct FnSite {
    /// Index in [`SITES`].
    pub id: u16,
    /// Its name.
    pub name: &'static str,
    /// Path in the kernel tree.
    pub file: &'static str,
    /// Line of its definition in v5.10.238.
    pub line: u32,
    /// Phase.
    pub phase: Phase,
    /// The golden traces follow it.
    pub traced: bool,
    /// How many of `locals` are arguments a trace prints, from the first.
    pub args: usize,
    /// What a trace prints at its end.
    pub ret: Ret,
    /// Arguments, then locals: at most 8.
    pub locals: &'static [Local],
}

/// A probe: a place where a reader of the C code would pause.
#[derive(Clone, Copy, Debug)]
pub struct ProbeSite {
    /// Index in [`SITES`].
    pub id: u16,
    /// Its name in this table.
    pub name: &'static str,
    /// The function it stands in.
    pub function: &'static FnSite,
    /// Line in that function's file, v5.10.238.
    pub line: u32,
    /// Grain.
    pub grain: Grain,
    /// Phase.
    pub phase: Phase,
    /// The statement, condensed.
    pub code: &'static str,
}

impl FnSite {
    /// Index of a local by name.
    ///
    /// # Panics
    /// If the function has no such local (at compile time, from `probe!`).
    #[must_use]
    pub const fn local(&self, name: &str) -> u32 {
        let mut n = 0;
        while n < self.locals.len() {
            if same(self.locals[n].name, name) {
                return n as u32;
            }
            n += 1;
        }
        panic!("the function's row in site.rs lists no such local")
    }
}

impl ProbeSite {
    /// Index of a local of the probe's function by name.
    #[must_use]
    pub const fn local(&self, name: &str) -> u32 {
        self.function.local(name)
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut n = 0;
    while n < a.len() {
        if a[n] != b[n] {
            return false;
        }
        n += 1;
    }
    true
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub enum Site {
    /// A function.
    Function(&'static FnSite),
    /// A probe.
    Probe(&'static ProbeSite),
}

/// The row of a site number.
///
/// # Panics
/// If no such site exists.
#[must_use]
pub fn site(id: u16) -> Site {
    SITES[usize::from(id)]
}

/// The probe of a site number, if it is one.
#[must_use]
pub fn probe(id: u16) -> Option<&'static ProbeSite> {
    match SITES.get(usize::from(id)) {
        Some(Site::Probe(probe)) => Some(probe),
        _ => None,
    }
}

/// The function of a site number, or of the probe that stands in it.
#[must_use]
pub fn function(id: u16) -> &'static FnSite {
    match site(id) {
        Site::Function(function) => function,
        Site::Probe(probe) => probe.function,
    }
}

// `fn NAME = "name" "file":line Phase [traced N -> Ret] (local: "C type" Ty, ...) { .. }` then its probes:
// `    PROBE :line Grain "code";`  a probe may name a phase of its own: `PROBE :line Grain/Phase "code";`
macro_rules! sites {
    ($(
        fn $F:ident = $name:literal $file:literal : $fline:literal $fphase:ident
            $(traced $nargs:literal -> $ret:ident)? ( $( $local:ident : $c:literal $ty:ident ),* $(,)? )
        { $( $P:ident : $pline:literal $grain:ident $(/ $pphase:ident)? $code:literal ; )* }
    )*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Ids { $( $F, $( $P, )* )* }
        $(
            #[doc = concat!("`", $name, "()`, ", $file, ":", stringify!($fline), ".")]
            pub const $F: FnSite = FnSite {
                id: Ids::$F as u16,
                name: $name,
                file: $file,
                line: $fline,
                phase: Phase::$fphase,
                traced: sites!(@traced $($nargs)?),
                args: sites!(@args $($nargs)?),
                ret: sites!(@ret $($ret)?),
                locals: &[$( Local { name: stringify!($local), c: $c, ty: Ty::$ty } ),*],
            };
            $(
                #[doc = concat!($name, ":", stringify!($pline), ": `", $code, "`.")]
                pub const $P: ProbeSite = ProbeSite {
                    id: Ids::$P as u16,
                    name: stringify!($P),
                    function: &$F,
                    line: $pline,
                    grain: Grain::$grain,
                    phase: sites!(@phase $fphase $($pphase)?),
                    code: $code,
                };
            )*
        )*
        /// Every row, by number.
        pub static SITES: &[Site] = &[$( Site::Function(&$F), $( Site::Probe(&$P), )* )*];
    };
    (@traced) => { false };
    (@traced $n:literal) => { true };
    (@args) => { 0 };
    (@args $n:literal) => { $n };
    (@ret) => { Ret::Void };
    (@ret $ret:ident) => { Ret::$ret };
    (@phase $f:ident) => { Phase::$f };
    (@phase $f:ident $p:ident) => { Phase::$p };
}

mod table;
pub use table::*;
