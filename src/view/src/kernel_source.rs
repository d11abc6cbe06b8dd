//! Source beside the steps: the kernel's own, of which the project ships none, so that a reader brings the file; and the
//! engine's.
//!
//! ```text
//! name and text ─ read ─► KernelFile ─ excerpt(function, line) ─► the lines of that function, one of them now
//!                                   └─ stops ─► the lines that steps end at, each with its probes
//! engine's text ─ engine_stops ─► the same
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use kernel::site::{FnSite, ProbeSite, SITES, Site};
use session::run::Run;

/// The lines of a file that steps end at, by number, and the names of the probes that stand there.
pub type Stops = BTreeMap<u32, Vec<String>>;

/// A file of somebody's kernel tree.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelFile {
    /// Its path in the tree: `mm/filemap.c`.
    pub path: &'static str,
    /// How many of the functions that the engine models stand on another line than in v5.10.238.
    pub moved: usize,
    /// Where steps end in it.
    pub stops: Rc<Stops>,
    lines: Vec<String>,
}

/// What of a file is shown at a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Excerpt<'a> {
    /// Number of the first line, from 1.
    pub first: u32,
    /// The lines.
    pub lines: &'a [String],
    /// Number of the step's line.
    pub now: u32,
}

impl KernelFile {
    /// Takes a file for that of the modelled ones which it has most functions of. `name` may be a path; its last part
    /// decides. `None` if it defines no function that the engine models.
    #[must_use]
    pub fn read(name: &str, text: &str) -> Option<Self> {
        let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let lines: Vec<String> = text.lines().map(|line| line.replace('\t', "    ")).collect();
        let mut best: Option<(usize, &'static str)> = None;
        for path in paths().filter(|path| path.rsplit('/').next() == Some(base)) {
            let found = functions(path).filter(|function| definition(&lines, function.name).is_some()).count();
            if found > best.map_or(0, |(most, _)| most) {
                best = Some((found, path));
            }
        }
        let (_, path) = best?;
        let moved = functions(path).filter(|function| shift(&lines, function).is_some_and(|by| by != 0)).count();
        let mut stops = Stops::new();
        for function in functions(path) {
            let by = shift(&lines, function).unwrap_or(0);
            for probe in probes().filter(|probe| probe.function.id == function.id) {
                let line =
                    probe.line.checked_add_signed(by).filter(|line| (1..=lines.len()).contains(&(*line as usize)));
                stops.entry(line.unwrap_or(0)).or_default().push(probe.name.to_owned());
            }
        }
        // Behind the end of the file.
        stops.remove(&0);
        Some(Self { path, moved, stops: Rc::new(stops), lines })
    }

    /// The function around a line of v5.10.238, with the comment above it. Where the file has `function` on another line,
    /// the line moves with it. `None` if the file ends before.
    #[must_use]
    pub fn excerpt(&self, function: &str, line: u32) -> Option<Excerpt<'_>> {
        let site = functions(self.path).find(|site| site.name == function)?;
        let now = line.checked_add_signed(shift(&self.lines, site).unwrap_or(0))?;
        let at = (now as usize).checked_sub(1).filter(|&at| at < self.lines.len())?;
        let Range { start, end } = around(&self.lines, at);
        Some(Excerpt { first: u32::try_from(start).ok()? + 1, lines: &self.lines[start..end], now })
    }
}

/// The files with modelled functions; one may come more than once.
fn paths() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    SITES.iter().filter_map(move |site| match site {
        Site::Function(function) if function.file != last => {
            last = function.file;
            Some(last)
        }
        _ => None,
    })
}

fn probes() -> impl Iterator<Item = &'static ProbeSite> {
    SITES.iter().filter_map(|site| match site {
        Site::Probe(probe) => Some(*probe),
        Site::Function(_) => None,
    })
}

/// The macros that end a step: `probe!(kt, GPW_COPY)`, and one of a file's own around it.
const ENDS: [&str; 2] = ["probe!(", "fate!("];

/// The lines of a file of the engine's own source that end a step. A call over several lines stands where it begins.
#[must_use]
pub fn engine_stops(text: &str) -> Stops {
    let mut stops = Stops::new();
    let mut from = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let code = line.split("//").next().unwrap_or_default();
        for at in ENDS.into_iter().flat_map(|end| code.match_indices(end).map(move |(at, _)| at + end.len())) {
            let site = text[from + at..].split_once(',').map_or("", |(_, rest)| rest.trim_start());
            let end = site.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
            let name = &site[..end.unwrap_or(site.len())];
            if !name.is_empty() {
                stops.entry(number).or_default().push(name.to_owned());
            }
        }
        from += line.len();
    }
    stops
}

/// How many steps of a run so far ended at each of these lines.
#[must_use]
pub fn passes(run: &Run, stops: &Stops) -> Vec<u64> {
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    run.machine().with_history(|_, h| {
        for header in &h.steps {
            *counts.entry(header.site).or_default() += 1;
        }
    });
    let of = |name: &String| probes().find(|probe| probe.name == *name).and_then(|probe| counts.get(&probe.id));
    stops.values().map(|names| names.iter().filter_map(of).sum()).collect()
}

/// The modelled functions of a file.
fn functions(path: &str) -> impl Iterator<Item = &'static FnSite> {
    SITES.iter().filter_map(move |site| match site {
        Site::Function(function) if function.file == path && function.line > 0 => Some(*function),
        _ => None,
    })
}

/// How far a function stands from its line in v5.10.238. Its type may stand on a line of its own.
fn shift(lines: &[String], function: &FnSite) -> Option<i32> {
    let by = i32::try_from(definition(lines, function.name)? + 1).ok()? - i32::try_from(function.line).ok()?;
    Some(if by == 1 { 0 } else { by })
}

/// The line, from 0, on which a function's definition names it.
fn definition(lines: &[String], name: &str) -> Option<usize> {
    (0..lines.len()).find(|&at| {
        let Some((before, _)) = lines[at].split_once(name).filter(|(_, after)| after.starts_with('(')) else {
            return false;
        };
        let first = lines[at].chars().next().unwrap_or(' ');
        let whole = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let outside = first.is_ascii_alphabetic() || first == '_';
        // A declaration ends before a body begins.
        whole
            && outside
            && lines[at..].iter().take(8).find_map(|line| match line.trim_end() {
                end if end.ends_with('{') => Some(true),
                end if end.ends_with(';') => Some(false),
                _ => None,
            }) == Some(true)
    })
}

/// From behind the closing brace before a line to the one after it.
fn around(lines: &[String], at: usize) -> Range<usize> {
    let closes = |line: &String| line.starts_with('}');
    let start = lines[..at].iter().rposition(closes).map_or(0, |before| before + 1);
    let blank = lines[start..at].iter().take_while(|line| line.trim().is_empty()).count();
    let end = lines[at..].iter().position(closes).map_or(lines.len(), |after| at + after + 1);
    start + blank..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a function on a line, in our own words.
    fn file(at: usize, name: &str) -> String {
        let mut text = String::from("int before(void);\n\nint before(void)\n{\n\treturn 1;\n}\n\n/* About it. */\n");
        while text.lines().count() + 1 < at {
            text.push_str("/* a line */\n");
        }
        text.push_str(&format!("static int {name}(int a,\n\t\tint b)\n{{\n\tone();\n\ttwo();\n}}\n\nint after;\n"));
        text
    }

    #[test]
    fn a_function_on_its_own_line() {
        let site = functions("mm/filemap.c").find(|site| site.name == "generic_perform_write").expect("it is modelled");
        let file = KernelFile::read("filemap.c", &file(site.line as usize, site.name)).expect("it is known");
        assert_eq!((file.path, file.moved), ("mm/filemap.c", 0));
        let shown = file.excerpt(site.name, site.line + 3).expect("the line is there");
        assert_eq!(shown.now, site.line + 3);
        assert_eq!(shown.lines[(shown.now - shown.first) as usize].trim(), "one();");
        assert_eq!(shown.lines.first().map(String::as_str), Some("/* About it. */"));
        assert_eq!(shown.lines.last().map(String::as_str), Some("}"));
    }

    #[test]
    fn a_function_that_moved_takes_its_lines_along() {
        let site = functions("mm/filemap.c").find(|site| site.name == "generic_perform_write").expect("it is modelled");
        let file = KernelFile::read("linux/mm/filemap.c", &file(40, site.name)).expect("it is known");
        assert_eq!(file.moved, 1);
        let shown = file.excerpt(site.name, site.line + 4).expect("the line is there");
        assert_eq!((shown.now, shown.lines[(shown.now - shown.first) as usize].trim()), (44, "two();"));
    }

    #[test]
    fn one_name_in_two_folders_is_told_apart_by_its_functions() {
        for path in ["fs/inode.c", "fs/ext4/inode.c"] {
            let site = functions(path).next().expect("it is modelled");
            assert_eq!(KernelFile::read("inode.c", &file(12, site.name)).map(|file| file.path), Some(path));
        }
    }

    #[test]
    fn lines_with_probes_move_with_their_function() {
        let site = functions("mm/filemap.c").find(|site| site.name == "generic_perform_write").expect("it is modelled");
        for at in [site.line as usize, 40] {
            let text = format!("{}{}", file(at, site.name), "/* a line */\n".repeat(200));
            let file = KernelFile::read("filemap.c", &text).expect("it is known");
            let copy = u32::try_from(at).expect("a line") + 3344 - site.line;
            assert_eq!(file.stops.get(&copy), Some(&vec!["GPW_COPY".to_owned()]), "{at}");
            assert!(file.stops.keys().all(|line| (1..=text.lines().count()).contains(&(*line as usize))));
        }
        let short = KernelFile::read("filemap.c", &file(9, site.name)).expect("it is known");
        assert!(!short.stops.values().flatten().any(|probe| *probe == "GPW_COPY"), "behind the end");
    }

    #[test]
    fn the_engines_lines_with_probes() {
        let text = "// probe!(kt, GPW_LOOP)\nfate!(kt, SPL_KEEP, at);\nprobe!(\n    kt,\n    GPW_COPY,\n    a = b,\n);\npoint!(w, NOTHING);\n\
            probe!($kt, $probe);\nlet a = 1; probe!(self.kt, GPW_EXIT).await;\nprobe!(";
        let found: Vec<(u32, Vec<String>)> = engine_stops(text).into_iter().collect();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(found, [(2, names(&["SPL_KEEP"])), (3, names(&["GPW_COPY"])), (10, names(&["GPW_EXIT"]))]);
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        assert_eq!(KernelFile::read("filemap.c", "int main(void)\n{\n}\n"), None);
        assert_eq!(KernelFile::read("nothing.c", &file(9, "generic_perform_write")), None);
        assert_eq!(KernelFile::read("filemap.c", ""), None);
        let short = KernelFile::read("filemap.c", &file(9, "generic_perform_write")).expect("it is known");
        assert_eq!(short.excerpt("generic_perform_write", 9_000), None);
        assert_eq!(short.excerpt("no_such_function", 1), None);
    }
}
