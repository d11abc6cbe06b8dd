//! Small helpers for drawing: per cent as text, phase classes, what fits where.

use view::frame::Phase;
use yew::prelude::*;

/// A position in per cent, for SVG attributes.
pub fn pct(x: f64) -> AttrValue {
    (decimal(x, 3) + "%").into()
}

/// A number with at most so many decimals. Std's way is exact for any float, and slower and larger by that.
#[expect(clippy::cast_possible_truncation, reason = "positions on screen")]
pub fn decimal(x: f64, places: u32) -> String {
    let scale = 10_u64.pow(places);
    let all = (x * to_f64(scale)).round() as i64;
    let mut text = String::with_capacity(12);
    if all < 0 {
        text.push('-');
    }
    text.push_str(&(all.unsigned_abs() / scale).to_string());
    let (mut rest, mut place) = (all.unsigned_abs() % scale, scale);
    if rest > 0 {
        text.push('.');
    }
    while rest > 0 {
        place /= 10;
        text.push(char::from(b'0' + (rest / place) as u8));
        rest %= place;
    }
    text
}

/// `part` of `whole` in per cent; 0 if there is nothing to divide by.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * to_f64(part) / to_f64(whole) }
}

/// A count as a float. Exact below 2^53, which is beyond anything drawn.
#[expect(clippy::cast_precision_loss, reason = "positions on screen")]
pub const fn to_f64(n: u64) -> f64 {
    n as f64
}

/// A float as a count in `0..=max`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub fn to_u64(x: f64, max: u64) -> u64 {
    (x.max(0.0) as u64).min(max)
}

/// The class that gives an element its phase's hue.
pub const fn phase_class(phase: Phase) -> &'static str {
    match phase {
        Phase::None => "ph-n",
        Phase::FaultIn => "ph-f",
        Phase::Begin => "ph-b",
        Phase::Copy => "ph-c",
        Phase::End => "ph-e",
        Phase::Balance => "ph-d",
        Phase::Writeback => "ph-w",
        Phase::Journal => "ph-j",
    }
}

/// Width of the path drawings where there is room, and where there is none.
pub const PATH_PX: (f64, f64) = (588.0, 300.0);

/// How wide a text of the smallest size is, in px. A syllable of Hangul is as wide as it is high.
pub fn text_px(text: &str) -> f64 {
    text.chars().map(|letter| if ('\u{1100}'..='\u{d7af}').contains(&letter) { 11.0 } else { 6.65 }).sum()
}

/// Whether text of the smallest size fits a part of a drawing.
///
/// `None`: nowhere. `Some("wide")`: only where the drawing has its full width. `Some("")`: always.
pub fn fits(text: &str, width_pct: f64, (wide_px, narrow_px): (f64, f64)) -> Option<&'static str> {
    let need = text_px(text) + 5.0;
    if width_pct * narrow_px / 100.0 >= need {
        Some("")
    } else {
        (width_pct * wide_px / 100.0 >= need).then_some("wide")
    }
}

/// A plain ground for text over a pattern, since a halo leaves gaps between letters. `x` is the text's middle, or
/// its start.
pub fn plate(text: &str, x: f64, y: &'static str, height: &'static str, middle: bool, class: &'static str) -> Html {
    let width = text_px(text) + 8.0;
    let shift = if middle { -width / 2.0 } else { -4.0 };
    html! {
        <rect class={classes!("plate", class)} x={pct(x)} {y} width={decimal(width, 0)} {height} transform={format!("translate({} 0)", decimal(shift, 1))} />
    }
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_end_where_nothing_follows() {
        let cases = [
            (12.3456, 3),
            (99.9996, 3),
            (100.0, 3),
            (0.05, 2),
            (7.5, 0),
            (-17.96, 1),
            (-3.25, 2),
            (-0.04, 1),
            (f64::NAN, 3),
        ];
        let texts = cases.map(|(x, places)| decimal(x, places));
        assert_eq!(texts, ["12.346", "100", "100", "0.05", "8", "-18", "-3.25", "0", "0"]);
    }

    #[test]
    fn words_drop_out() {
        assert_eq!(fits("journal", 30.0, (560.0, 300.0)), Some(""));
        assert_eq!(fits("journal", 12.0, (560.0, 300.0)), Some("wide"));
        assert_eq!(fits("journal", 3.0, (560.0, 300.0)), None);
        assert!(text_px("저널") > text_px("jour") * 0.8);
    }
}
