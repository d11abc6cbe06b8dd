//! The kernel's own source beside the steps. The project ships none of it: a reader brings the file.
//!
//! ```text
//! name and text ─ read ─► KernelFile ─ excerpt(function, line) ─► the lines of that function, one of them now
//! ```

use std::ops::Range;

use kernel::site::{FnSite, SITES, Site};

/// A file of somebody's kernel tree.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelFile {
    /// Its path in the tree: `mm/filemap.c`.
    pub path: &'static str,
    /// How many of the functions that the engine models stand on another line than in v5.10.238.
    pub moved: usize,
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
        Some(Self { path, moved, lines })
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
    fn what_is_no_such_file_is_refused() {
        assert_eq!(KernelFile::read("filemap.c", "int main(void)\n{\n}\n"), None);
        assert_eq!(KernelFile::read("nothing.c", &file(9, "generic_perform_write")), None);
        assert_eq!(KernelFile::read("filemap.c", ""), None);
        let short = KernelFile::read("filemap.c", &file(9, "generic_perform_write")).expect("it is known");
        assert_eq!(short.excerpt("generic_perform_write", 9_000), None);
        assert_eq!(short.excerpt("no_such_function", 1), None);
    }
}
