//! `cargo xtask kernel-map TREE`: the engine's table of sites against a kernel tree that the user has.
//!
//! The project ships no kernel source, so the lines in `src/kernel/src/site/table.rs` are checked where a tree is at
//! hand. A function's line must be that of its definition; a probe's line should lie inside its function (one that lies
//! elsewhere is told, since the engine folds some small functions into their caller).

use crate::run::{Fault, fault, read, root};
use std::collections::BTreeMap;
use std::path::Path;

/// Checks the table against `tree`, which should be v5.10.238.
pub fn check(tree: &Path) -> Result<(), Fault> {
    let makefile = read(&tree.join("Makefile")).unwrap_or_default();
    let version = ["VERSION", "PATCHLEVEL", "SUBLEVEL"].map(|key| {
        let line = makefile.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
        line.map_or("?", str::trim).to_string()
    });
    println!("the tree is {}, the table is of 5.10.238", version.join("."));
    let table = read(&root().join("src/kernel/src/site/table.rs"))?;
    let mut sources = BTreeMap::new();
    let (mut checked, mut wrong, mut aside) = (0, 0, 0);
    for row in rows(&table) {
        if row.line == 0 {
            continue; // no place in the kernel, as the user's program
        }
        let source = sources.entry(row.file).or_insert_with(|| {
            let text = std::fs::read_to_string(tree.join(row.file)).ok();
            if text.is_none() {
                println!("{}: not in the tree, its sites are not checked", row.file);
            }
            text
        });
        let Some(source) = source else { continue };
        checked += 1;
        match definition(source, row.function) {
            None => {
                wrong += 1;
                println!("{}: the tree does not define {}", row.file, row.function);
            }
            Some((first, last)) => {
                if row.probe.is_none() && row.line != first && row.line + 1 != first {
                    wrong += 1;
                    println!("{}:{}: the tree defines {} in line {first}", row.file, row.line, row.function);
                }
                if let Some(probe) = row.probe.filter(|_| !(first..=last).contains(&row.line)) {
                    aside += 1;
                    println!("{}:{}: {probe} is not in {} ({first}-{last})", row.file, row.line, row.function);
                }
            }
        }
    }
    println!("{checked} sites: {wrong} wrong, {aside} in another function");
    match (checked, wrong) {
        (0, _) => {
            Err(fault(format!("{} has none of the table's files; give the root of a kernel tree", tree.display())))
        }
        (_, 0) => Ok(()),
        _ => Err(fault("the table does not agree with this tree; is it v5.10.238?")),
    }
}

/// A function, or a probe in it.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    file: &'a str,
    function: &'a str,
    probe: Option<&'a str>,
    line: usize,
}

/// `fn F = "name" "file":line …` and, below it, `PROBE :line Grain "code";`.
fn rows(table: &str) -> Vec<Row<'_>> {
    let number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok()
    };
    let mut rows: Vec<Row<'_>> = Vec::new();
    let (mut file, mut function) = ("", "");
    for text in table.lines().map(str::trim) {
        if let Some(rest) = text.strip_prefix("fn ") {
            let parts: Vec<&str> = rest.splitn(5, '"').collect();
            let [_, name, _, path, rest] = parts[..] else { continue };
            let Some(line) = rest.strip_prefix(':').and_then(number) else { continue };
            (file, function) = (path, name);
            rows.push(Row { file, function, probe: None, line });
        } else if let Some((probe, rest)) = text.split_once(" :") {
            let Some(line) = number(rest).filter(|_| !file.is_empty() && !text.starts_with("//")) else { continue };
            rows.push(Row { file, function, probe: Some(probe), line });
        }
    }
    rows
}

/// First and last line of a C function: its name at the left margin, arguments, then a body up to the `}` at the margin.
fn definition(source: &str, name: &str) -> Option<(usize, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let call = format!("{name}(");
    let starts = |line: &str| {
        line.find(&call).is_some_and(|at| {
            !line.starts_with(|c: char| c.is_whitespace() || "#*/}".contains(c))
                && !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    };
    (0..lines.len()).filter(|&at| starts(lines[at])).find_map(|at| {
        let rest = &lines[at..];
        let body = rest.iter().position(|line| line.contains(['{', ';']))?;
        if !rest[body].starts_with('{') && !rest[body].contains('{') {
            return None; // a declaration
        }
        let end = rest.iter().position(|line| line.starts_with('}')).unwrap_or(body);
        Some((at + 1, at + end + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_functions_and_their_probes() {
        let table = "sites! {\n    // ---- a.c :1 ----\n    fn F = \"f\" \"a.c\":12 Entry traced 2 -> Decimal (pos: Bytes) {\n        \
                     F_ONE :14 Statement/Writeback \"x = 1\";\n    }\n}\n";
        let row = |probe, line| Row { file: "a.c", function: "f", probe, line };
        assert_eq!(rows(table), [row(None, 12), row(Some("F_ONE"), 14)]);
    }

    #[test]
    fn a_definition_is_told_from_declaration_and_call() {
        let source =
            "int f(int);\nint g(void)\n{\n\treturn f(1);\n}\n\nstatic int\nf(int a,\n  int b)\n{\n\treturn 0;\n}\n";
        assert_eq!(definition(source, "f"), Some((8, 12)));
        assert_eq!(definition(source, "g"), Some((2, 5)));
        assert_eq!(definition(source, "h"), None);
    }
}
