//! Links: everything after `#`, as plain text.
//!
//! `#1;s=lib:short-copy@1;t=74;g=phase`: a version, then `key=value` pairs.
//! A pair without meaning is kept and written back, so that a link survives an
//! older page. Nothing of it reaches a server.
//!
//! | key | value |
//! |---|---|
//! | `s` | `lib:NAME[@VERSION]`, `z:` base64url of the deflated JSON, `u:https://..` |
//! | `t` | step: a number, or `task:op:round:try:probe:nth`, which outlives changes of the engine |
//! | `h` | digest of the World at `t`, hexadecimal |
//! | `g` | grain: `statement`, `phase`, `iteration` |
//! | `by` | the name of the only task that is stepped in |
//! | `ab` | a stretch of steps, `a~b` |
//! | `sel` | what is selected |
//! | `bp`, `w` | breakpoints and watches: expressions, with a comma between two |
//! | `ui` | `min`, `std`, `full` |
//! | `th`, `l` | theme and language |

use std::fmt;
use std::fmt::Write as _;

use thiserror::Error;

use crate::scenario::{self, ProbeAt, Scenario, ScenarioError};

/// Version that this program writes.
const VERSION: &str = "1";
/// The longest JSON that a link may unpack to.
const UNPACKED_MAX: usize = 4 << 20;

/// A parsed link. `parse(emit(x)) == x`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Which scenario.
    pub scenario: Option<ScenarioRef>,
    /// Which step.
    pub step: Option<StepRef>,
    /// Digest of the World at that step.
    pub digest: Option<u64>,
    /// `statement`, `phase` or `iteration`.
    pub grain: Option<String>,
    /// The only task that is stepped in.
    pub task: Option<String>,
    /// A stretch of steps, first and last.
    pub stretch: Option<(u64, u64)>,
    /// Path of what is selected.
    pub selected: Option<String>,
    /// Breakpoints, as the page writes them.
    pub breakpoints: Option<String>,
    /// Watches, as the page writes them.
    pub watches: Option<String>,
    /// `min`, `std` or `full`.
    pub ui: Option<String>,
    /// `light`, `dark` or `contrast`.
    pub theme: Option<String>,
    /// Language tag: `en`, `ko`.
    pub language: Option<String>,
    /// Pairs that are not understood, as they stood, in their order.
    pub unknown: Vec<String>,
}

/// Where a link's scenario is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScenarioRef {
    /// One of the library, with the version that the link was made with.
    Library {
        /// Its name.
        name: String,
        /// Its version.
        version: Option<u32>,
    },
    /// In the link itself: base64url of deflated JSON.
    Packed(String),
    /// Elsewhere, to be asked for first.
    Url(String),
}

impl ScenarioRef {
    fn parse(text: &str) -> Option<Self> {
        // A bare name is one of the library.
        let (kind, rest) = text.split_once(':').unwrap_or(("lib", text));
        match kind {
            "lib" if !rest.is_empty() => Some(match rest.rsplit_once('@') {
                Some((name, version)) if !name.is_empty() && canonical(version) => {
                    ScenarioRef::Library { name: name.to_owned(), version: version.parse().ok() }
                }
                _ => ScenarioRef::Library { name: rest.to_owned(), version: None },
            }),
            "z" if !rest.is_empty() => Some(ScenarioRef::Packed(rest.to_owned())),
            "u" if rest.starts_with("https://") => Some(ScenarioRef::Url(rest.to_owned())),
            _ => None,
        }
    }

    /// The scenario as a reference that holds it whole.
    #[must_use]
    pub fn pack(scenario: &Scenario, deflate: &dyn Deflate) -> Self {
        Self::from_deflated(&deflate.deflate(scenario::emit(scenario).as_bytes()))
    }

    /// For a caller that has deflated [`scenario::emit`]'s bytes itself (the
    /// browser's streams are asynchronous).
    #[must_use]
    pub fn from_deflated(bytes: &[u8]) -> Self {
        ScenarioRef::Packed(base64url(bytes))
    }

    /// The deflated bytes of a packed scenario; `None` for other kinds.
    ///
    /// # Errors
    /// If it is no base64url.
    pub fn deflated(&self) -> Result<Option<Vec<u8>>, LinkError> {
        match self {
            ScenarioRef::Packed(text) => from_base64url(text).map(Some),
            _ => Ok(None),
        }
    }

    /// The scenario that a packed reference holds; `None` for other kinds.
    ///
    /// # Errors
    /// If the text is damaged or what it holds is no scenario.
    pub fn unpack(&self, deflate: &dyn Deflate) -> Result<Option<scenario::Parsed>, LinkError> {
        let Some(bytes) = self.deflated()? else { return Ok(None) };
        let json = deflate.inflate(&bytes, UNPACKED_MAX).ok_or(LinkError::Deflate)?;
        let json = String::from_utf8(json).map_err(|_| LinkError::Deflate)?;
        Ok(Some(scenario::parse(&json)?))
    }
}

impl fmt::Display for ScenarioRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScenarioRef::Library { name, version: Some(version) } => write!(out, "lib:{name}@{version}"),
            ScenarioRef::Library { name, version: None } => write!(out, "lib:{name}"),
            ScenarioRef::Packed(text) => write!(out, "z:{text}"),
            ScenarioRef::Url(url) => write!(out, "u:{url}"),
        }
    }
}

/// A step that a link points at.
#[derive(Clone, Debug, PartialEq)]
pub enum StepRef {
    /// By number.
    Index(u64),
    /// By what it is.
    Probe(ProbeAt),
}

impl StepRef {
    fn parse(text: &str) -> Option<Self> {
        if canonical(text) {
            return text.parse().ok().map(StepRef::Index);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let [task, op, iteration, retry, site, nth] = parts.as_slice() else { return None };
        if [task, site].iter().any(|word| word.is_empty()) || ![op, iteration, retry, nth].iter().all(|n| canonical(n))
        {
            return None;
        }
        Some(StepRef::Probe(ProbeAt {
            task: (*task).to_owned(),
            op: op.parse().ok()?,
            iteration: iteration.parse().ok()?,
            retry: retry.parse().ok()?,
            site: (*site).to_owned(),
            nth: nth.parse().ok()?,
        }))
    }
}

impl fmt::Display for StepRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepRef::Index(index) => write!(out, "{index}"),
            StepRef::Probe(p) => {
                write!(out, "{}:{}:{}:{}:{}:{}", p.task, p.op, p.iteration, p.retry, p.site, p.nth)
            }
        }
    }
}

/// A number that is written back as it stood.
fn canonical(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|number| number.to_string() == text)
}

/// Raw deflate, which the page and the terminal have from different places.
pub trait Deflate {
    /// Packs.
    fn deflate(&self, bytes: &[u8]) -> Vec<u8>;
    /// Unpacks; `None` if damaged or longer than `max` bytes.
    fn inflate(&self, bytes: &[u8], max: usize) -> Option<Vec<u8>>;
}

/// A scenario in a link that cannot be opened.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Not base64url.
    #[error("the link is damaged: `{found}` does not belong into it")]
    Alphabet {
        /// The first odd letter.
        found: char,
    },
    /// Not deflated text.
    #[error("the link is damaged or cut short: its scenario cannot be unpacked")]
    Deflate,
    /// Not a scenario.
    #[error("the link's scenario cannot be used: {0}")]
    Scenario(#[from] ScenarioError),
}

/// Reads what stands after `#` (the `#` itself may be there too).
///
/// Nothing is an error: a link of no known version is taken as empty, a pair
/// without meaning is kept.
#[must_use]
pub fn parse(hash: &str) -> Link {
    let text = hash.strip_prefix('#').unwrap_or(hash);
    let mut parts = text.split(';');
    let mut link = Link::default();
    if parts.next() != Some(VERSION) {
        return link;
    }
    for part in parts.filter(|part| !part.is_empty()) {
        if take(&mut link, part).is_none() {
            link.unknown.push(part.to_owned());
        }
    }
    link
}

/// Takes a pair that has meaning and did not stand before.
fn take(link: &mut Link, part: &str) -> Option<()> {
    let (key, value) = part.split_once('=')?;
    let value = unescape(value)?;
    fn put<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
        if slot.is_some() {
            return None;
        }
        *slot = Some(value?);
        Some(())
    }
    let one_of = |known: &[&str]| known.contains(&value.as_str()).then(|| value.clone());
    let some = || (!value.is_empty()).then(|| value.clone());
    match key {
        "s" => put(&mut link.scenario, ScenarioRef::parse(&value)),
        "t" => put(&mut link.step, StepRef::parse(&value)),
        "h" => {
            let digest = u64::from_str_radix(&value, 16).ok().filter(|digest| format!("{digest:x}") == value);
            put(&mut link.digest, digest)
        }
        "g" => put(&mut link.grain, one_of(&["statement", "phase", "iteration"])),
        "by" => put(&mut link.task, some()),
        "ab" => {
            let ends = value.split_once('~').filter(|(a, b)| canonical(a) && canonical(b));
            put(&mut link.stretch, ends.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?))))
        }
        "sel" => put(&mut link.selected, some()),
        "bp" => put(&mut link.breakpoints, some()),
        "w" => put(&mut link.watches, some()),
        "ui" => put(&mut link.ui, one_of(&["min", "std", "full"])),
        "th" => put(&mut link.theme, one_of(&["light", "dark", "contrast"])),
        "l" => put(&mut link.language, one_of(&["en", "ko"])),
        _ => None,
    }
}

/// Writes a link, with its `#`.
#[must_use]
pub fn emit(link: &Link) -> String {
    let mut out = format!("#{VERSION}");
    let mut pair = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(out, ";{key}={}", escape(&value));
        }
    };
    pair("s", link.scenario.as_ref().map(ToString::to_string));
    pair("t", link.step.as_ref().map(ToString::to_string));
    pair("h", link.digest.map(|digest| format!("{digest:x}")));
    pair("g", link.grain.clone());
    pair("by", link.task.clone());
    pair("ab", link.stretch.map(|(a, b)| format!("{a}~{b}")));
    pair("sel", link.selected.clone());
    pair("bp", link.breakpoints.clone());
    pair("w", link.watches.clone());
    pair("ui", link.ui.clone());
    pair("th", link.theme.clone());
    pair("l", link.language.clone());
    for part in &link.unknown {
        out.push(';');
        out.push_str(part);
    }
    out
}

/// Escapes what would end a pair or not survive in an address: `%`, `;`, `#`,
/// blanks and anything not ASCII.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"%;#\"<>\\^`{|}".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Undoes [`escape`]; a `%` that escapes nothing stands for itself. `None` if
/// what comes out is no text.
fn unescape(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let byte = hex.and_then(|two| std::str::from_utf8(two).ok()).and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte {
            Some(byte) if bytes[i] == b'%' => {
                out.push(byte);
                i += 3;
            }
            _ => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Without padding.
fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |n: usize| usize::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..=three.len() {
            out.push(char::from(BASE64URL[bits >> (18 - 6 * n) & 63]));
        }
    }
    out
}

fn from_base64url(text: &str) -> Result<Vec<u8>, LinkError> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let letters: Vec<char> = text.trim_end_matches('=').chars().collect();
    for four in letters.chunks(4) {
        let mut bits = 0;
        for letter in four {
            let value = BASE64URL.iter().position(|known| char::from(*known) == *letter);
            bits = bits << 6 | value.ok_or(LinkError::Alphabet { found: *letter })?;
        }
        bits <<= 6 * (4 - four.len());
        let bytes = bits.to_le_bytes();
        out.extend([bytes[2], bytes[1], bytes[0]].iter().take(four.len() * 3 / 4));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Miniz;

    impl Deflate for Miniz {
        fn deflate(&self, bytes: &[u8]) -> Vec<u8> {
            miniz_oxide::deflate::compress_to_vec(bytes, 9)
        }
        fn inflate(&self, bytes: &[u8], max: usize) -> Option<Vec<u8>> {
            miniz_oxide::inflate::decompress_to_vec_with_limit(bytes, max).ok()
        }
    }

    fn check(hash: &str, expect: &Link) {
        let link = parse(hash);
        assert_eq!(&link, expect, "{hash}");
        assert_eq!(&parse(&emit(&link)), expect, "{hash} written back");
    }

    fn library(name: &str, version: Option<u32>) -> Option<ScenarioRef> {
        Some(ScenarioRef::Library { name: name.to_owned(), version })
    }

    #[test]
    fn a_plain_link() {
        let text = "#1;s=lib:short-copy@2;t=74;h=9f;g=phase;by=kworker/u2:0;ab=3~9;sel=page/3;ui=min;th=dark;l=ko";
        check(
            text,
            &Link {
                scenario: library("short-copy", Some(2)),
                step: Some(StepRef::Index(74)),
                digest: Some(0x9f),
                grain: Some("phase".into()),
                task: Some("kworker/u2:0".into()),
                stretch: Some((3, 9)),
                selected: Some("page/3".into()),
                ui: Some("min".into()),
                theme: Some("dark".into()),
                language: Some("ko".into()),
                ..Link::default()
            },
        );
        assert_eq!(emit(&parse(text)), text);
        check(
            "#1;s=lib:short-copy;t=74",
            &Link { scenario: library("short-copy", None), step: Some(StepRef::Index(74)), ..Link::default() },
        );
    }

    #[test]
    fn a_step_by_what_it_is() {
        let text = "#1;t=A:15:1:2:GPW_COPY:1";
        let probe = ProbeAt { task: "A".into(), op: 15, iteration: 1, retry: 2, site: "GPW_COPY".into(), nth: 1 };
        check(text, &Link { step: Some(StepRef::Probe(probe)), ..Link::default() });
        assert_eq!(emit(&parse(text)), text);
    }

    #[test]
    fn what_has_no_meaning_is_written_back() {
        for text in [
            "#1;s=lib:x;t=3;new=a~b;flag;t=8;g=never",
            "#1;s=ftp:x;t=+3;t=03;h=0f;ab=1;sel=;z",
            "#1;s=u:http://x;th=pink",
            "#1;sel=%FF",
        ] {
            assert_eq!(emit(&parse(text)).len(), text.len(), "{text}");
            assert_eq!(parse(&emit(&parse(text))), parse(text));
        }
    }

    #[test]
    fn what_is_no_link_is_empty() {
        for text in ["", "#", "#2;s=lib:x", "#main", "1"] {
            check(text, &Link::default());
        }
    }

    #[test]
    fn a_packed_scenario_comes_back() {
        let scenario = Scenario::new("Two pages", 16);
        let packed = ScenarioRef::pack(&scenario, &Miniz);
        let link = Link { scenario: Some(packed), ..Link::default() };
        let back = parse(&emit(&link)).scenario.expect("there is one");
        assert_eq!(back.unpack(&Miniz).expect("it unpacks").expect("it is packed").scenario, scenario);
        let ScenarioRef::Packed(text) = back else { panic!("packed") };
        let cut = ScenarioRef::Packed(text[..text.len() / 2].to_owned());
        assert!(matches!(cut.unpack(&Miniz), Err(LinkError::Deflate)));
        let odd = ScenarioRef::Packed("ab*".to_owned());
        assert!(matches!(odd.unpack(&Miniz), Err(LinkError::Alphabet { found: '*' })));
    }

    proptest! {
        #[test]
        fn base64url_round_trips(bytes: Vec<u8>) {
            prop_assert_eq!(from_base64url(&base64url(&bytes)).expect("it is right"), bytes);
        }

        #[test]
        fn links_round_trip(
            name in "\\PC{1,12}", version: Option<u32>, step: Option<u64>, digest: Option<u64>,
            selected in prop::option::of("\\PC{1,12}"), unknown in prop::collection::vec("[a-z]{4,6}=[a-z0-9]{0,4}", 0..3),
        ) {
            prop_assume!(version.is_some() || !name.contains('@'));
            let link = Link {
                scenario: library(&name, version),
                step: step.map(StepRef::Index),
                digest,
                selected,
                unknown,
                ..Link::default()
            };
            prop_assert_eq!(parse(&emit(&link)), link);
        }

        #[test]
        fn any_text_is_read_once_and_for_all(text in "#1(;[a-z]{1,3}=?[ -~]{0,9}){0,5}") {
            let link = parse(&text);
            prop_assert_eq!(parse(&emit(&link)), link);
        }
    }
}
