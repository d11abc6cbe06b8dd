//! The Korean catalogue (`static/lang/ko.txt`) is complete, has nothing stale, and reads well at every step.
//!
//! What has to have Korean is found in the sources: texts given to `tr!` and `word`, labels, and each literal of the
//! narration that is more than a name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use session::Session;
use session::expr::{Calls, Expr};
use session::library;
use session::run::{Progress, Run, RunOptions};
use session::scenario::{Scenario, emit, parse_strict};
use view::Viewer;
use view::text::{Catalogue, count_holes, expression_fault, holes, refusal, speak};

/// Texts that have no Korean yet. It may only shrink.
const NOT_YET: &[&str] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_owned()
}

fn catalogue() -> &'static Catalogue {
    let path = root().join("static/lang/ko.txt");
    let text = std::fs::read_to_string(path).expect("the catalogue is there");
    Catalogue::parse(text).unwrap_or_else(|error| panic!("static/lang/ko.txt: {error}"))
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Token {
    Text(String),
    Name(String),
    Sign(char),
}

/// The tokens of a Rust file up to its unit tests.
fn tokens(source: &str) -> Vec<Token> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        match chars[i] {
            '/' if chars.get(i + 1) == Some(&'/') => {
                while i < chars.len() && chars[i] != '\n' {
                    i += 1;
                }
            }
            '"' => {
                let mut text = String::new();
                i += 1;
                while chars[i] != '"' {
                    if chars[i] == '\\' {
                        i += 1;
                        match chars[i] {
                            'n' => text.push('\n'),
                            // The line goes on behind the next one's indentation.
                            '\n' => {
                                while chars[i + 1].is_whitespace() {
                                    i += 1;
                                }
                            }
                            'u' => {
                                let end = (i..).find(|&at| chars[at] == '}').expect("it ends");
                                let hex: String = chars[i + 2..end].iter().collect();
                                let code = u32::from_str_radix(&hex, 16).expect("it is hex");
                                text.push(char::from_u32(code).expect("it is a character"));
                                i = end;
                            }
                            other => text.push(other),
                        }
                    } else {
                        text.push(chars[i]);
                    }
                    i += 1;
                }
                tokens.push(Token::Text(text));
                i += 1;
            }
            // A character, not a lifetime.
            '\'' if chars.get(i + 1) == Some(&'\\') => i = (i + 3..).find(|&at| chars[at] == '\'').unwrap_or(i) + 1,
            '\'' if chars.get(i + 2) == Some(&'\'') => i += 3,
            c if c.is_alphanumeric() || c == '_' => {
                let end = (i..chars.len()).find(|&at| !(chars[at].is_alphanumeric() || chars[at] == '_'));
                let end = end.unwrap_or(chars.len());
                tokens.push(Token::Name(chars[i..end].iter().collect()));
                i = end;
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Sign(c));
                }
                i += 1;
            }
        }
    }
    tokens
}

/// The texts between the bracket at `at` and the one that closes it.
fn inside(tokens: &[Token], at: usize) -> Vec<&str> {
    let mut depth = 0;
    let mut texts = Vec::new();
    for token in &tokens[at..] {
        match token {
            Token::Sign('(' | '{' | '[') => depth += 1,
            Token::Sign(')' | '}' | ']') => depth -= 1,
            Token::Text(text) => texts.push(text.as_str()),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    texts
}

fn files(folder: &str) -> Vec<(String, Vec<Token>)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let source = std::fs::read_to_string(&path).expect("it can be read");
                files.push((path.display().to_string(), tokens(&source)));
            }
        }
    }
    files.sort();
    files
}

fn is_sentence(text: &str) -> bool {
    text.chars().any(char::is_alphabetic) && (text.trim().contains(' ') || text.ends_with('.'))
}

/// Texts of the sources that have to have Korean, in their order.
fn wanted() -> Vec<String> {
    let mut wanted: Vec<String> = Vec::new();
    for (path, tokens) in files("src/view/src").into_iter().chain(files("src/app/src")) {
        let (labels, decoded) = (path.ends_with("/labels.rs"), path.ends_with("/text/decoded.rs"));
        let sentences = labels || path.contains("/narration/") || path.contains("/rows/changes");
        for (at, token) in tokens.iter().enumerate() {
            let before = |n: usize| at.checked_sub(n).and_then(|at| tokens.get(at));
            let after = |n: usize| tokens.get(at + n);
            let opens = |n: usize| after(n) == Some(&Token::Sign('('));
            match token {
                Token::Name(name) if name == "tr" && after(1) == Some(&Token::Sign('!')) && opens(2) => {
                    wanted.extend(inside(&tokens, at + 2).first().map(|text| (*text).to_owned()));
                }
                Token::Name(name) if name == "word" && opens(1) => {
                    wanted.extend(inside(&tokens, at + 1).into_iter().map(str::to_owned));
                }
                Token::Name(name) if ["count", "plural_is"].contains(&name.as_str()) && opens(1) => {
                    let one = inside(&tokens, at + 1).last().copied().filter(|one| !one.contains('_'));
                    wanted.extend(one.map(|one| format!("{{}} {one}{}", if one.ends_with("ch") { "es" } else { "s" })));
                }
                // Keys and letters stand before what they mean.
                Token::Text(_)
                    if labels && before(1) == Some(&Token::Sign('(')) && matches!(after(2), Some(Token::Text(_))) => {}
                Token::Text(_) if before(2) == Some(&Token::Name("reason".to_owned())) => {}
                Token::Text(text) if labels && before(1) == Some(&Token::Sign(':')) => wanted.push(text.clone()),
                Token::Text(text) if decoded => wanted.push(text.clone()),
                Token::Text(text)
                    if sentences && is_sentence(text) && !(path.contains("/rows/") && text.contains('{')) =>
                {
                    wanted.push(text.clone());
                }
                _ => {}
            }
        }
    }
    let mut seen = BTreeSet::new();
    wanted.retain(|text| text.chars().any(char::is_alphabetic) && seen.insert(text.clone()));
    wanted
}

/// A literal of a message, its values taken out: `no task is called `{}``.
fn without_values(text: &str) -> String {
    let mut pieces = text.split('{');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| format!("{text}{{}}{}", piece.split_once('}').map_or("", |(_, rest)| rest)))
}

/// Messages that a person meets: of a scenario, an image or a mount that is refused, of an expression that is wrong.
fn messages() -> Vec<String> {
    let mut messages = BTreeSet::new();
    for folder in ["src/session/src", "src/ondisk/src", "src/kernel/src/fs/ext4"] {
        for (path, tokens) in files(folder) {
            if NO_MESSAGES.iter().any(|part| path.contains(part)) {
                continue;
            }
            let reasons = path.contains("/scenario/") || path.contains("/expr/");
            for (at, token) in tokens.iter().enumerate() {
                let error = [Token::Sign('['), Token::Name("error".to_owned()), Token::Sign('(')];
                let Token::Text(text) = token else { continue };
                let declared = at >= 3 && tokens[at - 3..at] == error;
                // Left of an arrow stand serde's words; what an `expect` says is never met, and a `format!` speaks to
                // the terminal.
                let arrow = matches!(tokens.get(at + 1), Some(Token::Sign('=' | '|')));
                let behind = |n: usize, name: &str| at >= n && tokens[at - n] == Token::Name(name.to_owned());
                let after_owned = tokens.get(at + 2) == Some(&Token::Name("to_owned".to_owned()));
                let ours = !arrow
                    && !behind(2, "expect")
                    && !behind(2, "reason")
                    && !behind(3, "format")
                    && !behind(2, "split")
                    && !after_owned;
                let checked = reasons && ours && is_sentence(text);
                let letters = text.split(['{', '}']).step_by(2).any(|part| part.trim().contains(' '));
                if (declared || checked) && letters {
                    messages.insert(without_values(text));
                }
            }
        }
    }
    messages.into_iter().collect()
}

/// Tools', and what only tests or readers of the schema see.
const NO_MESSAGES: [&str; 5] = ["/golden", "/align", "/tests.rs", "/refusals", "/schema"];

#[test]
fn every_message_has_korean() {
    let catalogue = catalogue();
    let missing = list(messages().iter().filter(|text| catalogue.find(text).is_none()));
    assert!(missing.is_empty(), "no Korean in static/lang/ko.txt:\n{missing}");
}

/// A list of texts, one a line.
fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    texts.into_iter().map(|text| format!("{text}\n")).collect()
}

#[test]
fn every_text_has_korean() {
    let catalogue = catalogue();
    let wanted = wanted();
    let lacks = |text: &&String| catalogue.find(text).is_none();
    let missing = list(wanted.iter().filter(lacks).filter(|text| !NOT_YET.contains(&text.as_str())));
    assert!(missing.is_empty(), "no Korean in static/lang/ko.txt:\n{missing}");
    let done: Vec<_> = NOT_YET.iter().filter(|text| !wanted.iter().any(|lacking| lacking == *text)).collect();
    assert!(done.is_empty(), "these have Korean now, or are gone; strike them from the list: {done:?}");
}

/// A text that no source holds any more.
#[test]
fn no_entry_is_stale() {
    let mut known: BTreeSet<String> = wanted().into_iter().collect();
    let folders = ["src/view/src", "src/app/src", "src/session/src", "src/ondisk/src", "src/kernel/src"];
    for (path, tokens) in folders.map(files).concat() {
        if path.ends_with("/refusals.rs") || path.ends_with("/tests.rs") {
            continue;
        }
        known.extend(tokens.into_iter().filter_map(|token| match token {
            Token::Text(text) => Some(without_values(&text)),
            _ => None,
        }));
    }
    let stale = catalogue().entries().iter().map(|(english, _)| (*english).to_owned());
    let stale = list(&stale.filter(|english| !known.contains(english)).collect::<Vec<_>>());
    assert!(stale.is_empty(), "in static/lang/ko.txt, but in no source:\n{stale}");
}

/// Refusals as a person reads them: their words, their values, and the particles behind these.
#[test]
fn refusals_read_well() {
    speak(Some(catalogue()));
    let good = emit(&library::scenario("short-copy").expect("it is there"));
    for (part, broken, korean) in [
        ("\"version\":1", "\"version\":1,\"shape\":2", "shape: 모르는 키"),
        ("\"version\":1", "\"version\" 1", ".: 1번째 줄 12번째 글자부터 JSON이 아니다: `:`가 와야 한다"),
        (
            "\"size_mib\":16",
            "\"size_mib\":\"x\"",
            "image.mkfs.size_mib: 0에서 4294967295까지의 정수가 와야 하는데 문자열이 있다",
        ),
        ("\"size_mib\":16", "\"size_mib\":2000", "image.mkfs.size_mib: 2000 MiB: 이미지는 2에서 1024까지다"),
        (
            "\"size_mib\":16",
            "\"size_mib\":16,\"cluster_size\":4096",
            "image.mkfs.cluster_size: bigalloc 기능이 있을 때만",
        ),
        (
            "\"size_mib\":16",
            "\"size_mib\":1024,\"inodes\":4000000000",
            "image.mkfs: 만들 수 없다: 그룹당 inode 500000000개는 너무 많다: 많아야 32768개",
        ),
        ("\"version\":1", "\"version\":1,\"mount\":\"noise\"", "mount: 모르는 옵션: noise"),
    ] {
        assert!(good.contains(part), "{part}");
        let error = parse_strict(&good.replacen(part, broken, 1)).expect_err(broken);
        assert_eq!(refusal(&error), korean);
    }
    for (text, korean) in [
        ("page[0].drity", "9번째 글자: page의 필드가 와야 하는데 `drity`가 나왔다"),
        ("page[0]", "8번째 글자: `.`가 와야 하는데 식의 끝이 나왔다"),
        ("copied = 0", "8번째 글자: 연산자나 식의 끝이 와야 하는데 `=`가 나왔다"),
        ("page[0].dirty == 1", "18번째 글자: true나 false가 와야 하는데 정수가 나왔다"),
        ("probe == GPW_CPOY", "10번째 글자: 프로브가 와야 하는데 `GPW_CPOY`가 나왔다"),
    ] {
        let error = Expr::parse(text, &Calls::default()).expect_err(text);
        assert_eq!(expression_fault(&error), korean);
    }
}

/// Each value has its place, so none is dropped: but where Korean says it with no word, or with another one.
#[test]
fn values_have_places() {
    for (english, korean) in catalogue().entries() {
        let mut places = holes(korean).expect("it was read");
        places.sort_unstable();
        places.dedup();
        let all: Vec<usize> = (0..count_holes(english)).collect();
        assert_eq!(places, all, "{english}: {korean}");
        // A piece that is added to another text brings its blank with it.
        let piece = english.trim() != *english;
        assert!(piece || korean.trim() == *korean, "{english}: {korean}");
        assert!(!korean.contains("  "), "{english}: {korean}");
    }
}

/// Small words of English that a Korean text has no use for.
const SMALL: &[&str] = &[
    "the",
    "of",
    "is",
    "are",
    "not",
    "no",
    "at",
    "in",
    "to",
    "from",
    "by",
    "on",
    "with",
    "and",
    "flag",
    "head",
    "tag",
    "state",
    "max",
    "refs",
    "completions",
    "running",
];

/// What is wrong with a text that shall be Korean, or a name.
fn fault(text: &str) -> Option<&'static str> {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || "_./-".contains(c)));
    if text.contains(['{', '}']) || ["은/는", "이/가", "을/를", "으로/로"].iter().any(|pair| text.contains(pair))
    {
        Some("a place is not filled")
    } else if text.contains("  ") {
        Some("two blanks")
    } else if words.any(|word| SMALL.contains(&word)) {
        Some("English")
    } else {
        None
    }
}

/// What is shown of runs, in Korean.
#[derive(Default)]
struct Look {
    /// Each probe's whole screen is looked at once, its sentences at every step.
    seen: BTreeSet<u16>,
    /// Texts with something wrong, digits aside.
    wrong: BTreeSet<String>,
}

impl Look {
    fn text(&mut self, name: &str, text: &str, fault: &str) {
        let text: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        if !self.wrong.iter().any(|known| known.ends_with(&text)) {
            self.wrong.insert(format!("{name}: {fault}: {text}"));
        }
    }

    /// The texts in the debug form of a part of the screen.
    fn debug(&mut self, name: &str, debug: &str) {
        for text in debug.replace("\\u{202f}", "").split('"').skip(1).step_by(2) {
            if let Some(fault) = fault(text) {
                self.text(name, text, fault);
            }
        }
    }

    fn run(&mut self, name: &str, scenario: &Scenario, run: &Run) {
        let mut viewer = Viewer::new(name, scenario, run);
        let last = run.len();
        for step in 0..=last.min(STEPS) {
            let site = step.checked_sub(1).map_or(u16::MAX, |before| {
                run.machine().with_history(|_, history| history.steps[before as usize].site)
            });
            let mut frame = (*viewer.frame(run, u64::from(step), None)).clone();
            if step == 0 && !scenario.question.en.is_empty() {
                // The scenario's own words.
                frame.narration = Rc::default();
            }
            let said = Rc::clone(&frame.narration);
            for text in [&said.what, &said.why] {
                let korean = text.is_empty() || (text.contains(|c| ('가'..='힣').contains(&c)) && text.ends_with('.'));
                if !korean || fault(text).is_some() {
                    self.text(name, text, "a sentence");
                }
            }
            if self.seen.insert(site) {
                // Statements of the kernel, and what the scenario is called.
                frame.code = Rc::default();
                frame.header = Rc::default();
                self.debug(name, &format!("{frame:?}"));
            }
        }
        self.debug(name, &format!("{:?}", viewer.timeline(run).events));
        if DECODED.contains(&name) {
            self.blocks(name, &mut viewer, run);
        }
    }
}

impl Look {
    /// Each block that holds something, decoded: its title is Korean, and what it says of its fields.
    fn blocks(&mut self, name: &str, viewer: &mut Viewer, run: &Run) {
        for number in 0..BLOCKS {
            let Ok(block) = viewer.block(run, run.len().into(), number) else { break };
            if !block.title.contains(|c| ('가'..='힣').contains(&c)) {
                self.text(name, &block.title, "a title");
            }
            for field in &block.fields {
                let quoted = field.value.contains('"'); // a name in a directory
                let own = field.name.contains('.') || ["바이트", "인라인 데이터"].contains(&field.name.as_str());
                for text in [&field.name, &field.value] {
                    let english = fault(text).is_some()
                        || text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| LEFT.contains(&word));
                    if english && !quoted && !own {
                        self.text(name, text, "a field");
                    }
                }
            }
        }
    }
}

/// Runs whose devices are looked at: a plain one, inline data, a journal with data, block maps, bigalloc.
const DECODED: [&str; 5] = ["short-copy", "inline-data", "data-journal", "block-mapped", "bigalloc"];
/// Blocks looked at of a device: metadata stand first.
const BLOCKS: u64 = 400;
/// Words of the decoder that may not be left in Korean.
const LEFT: [&str; 11] =
    ["right", "wrong", "never", "unused", "zero", "block", "blocks", "bytes", "links", "pointer", "group"];

/// Steps looked at of a long run.
const STEPS: u32 = 1500;

#[test]
fn every_step_is_told_in_korean() {
    speak(Some(catalogue()));
    let mut look = Look::default();
    for entry in library::entries() {
        let scenario = library::scenario(&entry.name).expect("it is in the list");
        let mut session = Session::open(scenario, None).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        while session.extend(100_000) == Progress::Running {}
        look.run(&entry.name, session.scenario(), session.run());
    }
    for entry in std::fs::read_dir(root().join("tests/scenarios")).expect("the scenarios are there") {
        let folder = entry.expect("it can be listed").path();
        let Ok(json) = std::fs::read_to_string(folder.join("scenario.json")) else { continue };
        let scenario = parse_strict(&json).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let options = RunOptions { recording: true, ..RunOptions::default() };
        let mut run = Run::new(&scenario, options).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        run.finish();
        look.run(&folder.file_name().unwrap_or_default().to_string_lossy(), &scenario, &run);
    }
    assert!(look.wrong.is_empty(), "{}", list(&look.wrong));
}
