//! `cargo xtask branches`: the rows of `tests/branches.csv` that no scenario reaches, and how many each tier has.
#![forbid(unsafe_code)]

use writepath_tests::branches::{coverage, report};

fn main() {
    print!("{}", report(&coverage()));
}
