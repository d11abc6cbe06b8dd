//! The branches of the write path that scenarios reach stay reached, and each that is missed has its reason.
//! `UPDATE_GOLDEN=1` rewrites `branches.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use writepath_tests::branches::{branches, coverage, missed, report};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows that `docs/omissions.md#branches` gives reasons for: numbers and ranges in the first cell of its table.
fn reasons() -> BTreeSet<u16> {
    let page = std::fs::read_to_string(root().join("docs/omissions.md")).expect("the page is there");
    let section = page.split("\n## ").find(|section| section.starts_with("branches\n")).expect("it has the section");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let mut rows = BTreeSet::new();
    for part in cells.flat_map(|cell| cell.split(',')).map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            rows.extend(first..=last);
        }
    }
    rows
}

#[test]
fn branches_that_were_reached_still_are() {
    let coverage = coverage();
    print!("{}", report(&coverage));
    let path = root().join("tests/branches.txt");
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let known: BTreeMap<u16, &str> = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(id, by)| Some((id.parse().ok()?, by)))
        .collect();
    let still = |id: &u16, by: &str| coverage.get(id).is_some_and(|all| all.iter().any(|name| name == by));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let mut text = String::from("# row of branches.csv, and a scenario that reaches it\n");
        for (id, all) in &coverage {
            let by = known.get(id).copied().filter(|by| still(id, by)).unwrap_or(&all[0]);
            writeln!(text, "{id} {by}").expect("a string takes it");
        }
        std::fs::write(&path, text).expect("branches.txt can be written");
        return;
    }
    for (id, by) in &known {
        assert!(still(id, by), "row {id} is not reached by {by} any more; now by {:?}", coverage.get(id));
    }
    let new: Vec<&u16> = coverage.keys().filter(|id| !known.contains_key(id)).collect();
    assert!(new.is_empty(), "rows {new:?} are reached now: UPDATE_GOLDEN=1 writes them down");
    let missed: BTreeSet<u16> = missed(&coverage).iter().map(|branch| branch.id).collect();
    let reasons = reasons();
    let without: Vec<_> = missed.difference(&reasons).collect();
    assert!(without.is_empty(), "missed, and docs/omissions.md#branches gives no reason: {without:?}");
    let needless: Vec<_> = reasons.difference(&missed).collect();
    assert!(needless.is_empty(), "reached, but docs/omissions.md#branches gives a reason why not: {needless:?}");
}

#[test]
fn the_list_is_whole() {
    let all = branches();
    assert!(all.iter().map(|branch| branch.id).eq(1..=358), "rows 1 to 358");
    let later = |tier| all.iter().filter(|branch| branch.tier == tier && branch.is_later()).count();
    assert_eq!([later(1), later(2), later(3)], [8, 45, 18]);
}
