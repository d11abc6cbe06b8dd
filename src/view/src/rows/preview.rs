//! The first round of a write that does not run yet.

use session::preview::First;

use crate::frame::{FirstRound, RoundRow};
use crate::moment::{number, phase, status};

/// The round in words and numbers.
#[must_use]
pub fn first_round(first: &First) -> FirstRound {
    let rows = first.rows.iter().map(|row| RoundRow {
        phase: phase(row.phase),
        function: row.function,
        asked: row.asked.map(number).unwrap_or_default(),
        page: row.page.map(number).unwrap_or_default(),
        faults: if row.faults > 0 { number(row.faults.into()) } else { String::new() },
        result: row.result.map(|value| status(value.cast_unsigned())).unwrap_or_default(),
    });
    // A program is told −1 and the number of the error.
    let result =
        first.result.map(|(ret, errno)| status(if errno > 0 { errno.wrapping_neg() } else { ret.cast_unsigned() }));
    FirstRound { call: first.call.clone(), result: result.unwrap_or_default(), rows: rows.collect() }
}
