//! The user's segments, what of them is resident, and what the try asks for.

use std::rc::Rc;

use view::frame::{Bracket, Probe, Residency, Resident, Segment, UserMemory as Row};
use view::number;
use yew::prelude::*;

use super::bytes::{Bar, ByteBar};
use crate::draw::{PATH_PX, fits, pct, plate, to_f64, to_u64};
use crate::engine::Intervention;
use crate::player::{Command, Send, use_send};
use crate::t;

/// Cells that are tab stops; a mouse reaches all.
const STOPS: usize = 16;

/// Bytes of the iovec to positions in per cent: widths in proportion, but none below a floor.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// `(first byte, first position)` of each segment, and the end.
    marks: Vec<(u64, f64)>,
}

impl Axis {
    /// The axis of these segments.
    #[must_use]
    pub fn new(row: &Row) -> Self {
        let total: u64 = row.segments.iter().map(|segment| segment.len).sum();
        let count = to_f64(u64::try_from(row.segments.len()).unwrap_or(1).max(1));
        let floor = (60.0 / count).min(5.0);
        let wide = |len: u64| if total == 0 { floor } else { (100.0 * to_f64(len) / to_f64(total)).max(floor) };
        let sum: f64 = row.segments.iter().map(|segment| wide(segment.len)).sum();
        // What the floors take too much is taken from those above them.
        let spare: f64 = row.segments.iter().map(|segment| wide(segment.len) - floor).sum();
        let shrink = if spare > 0.0 { (100.0 - floor * count) / spare } else { 0.0 };
        let mut marks = vec![(0, 0.0)];
        let (mut byte, mut at) = (0, 0.0);
        for segment in &row.segments {
            byte += segment.len;
            at += if sum > 100.0 + 1e-9 || spare <= 0.0 {
                if spare > 0.0 { floor + (wide(segment.len) - floor) * shrink } else { 100.0 / count }
            } else {
                wide(segment.len)
            };
            marks.push((byte, at));
        }
        Self { marks }
    }

    /// The byte at a position in per cent.
    #[must_use]
    pub fn byte_at(&self, x: f64) -> u64 {
        let next = self.marks.partition_point(|mark| mark.1 <= x);
        match (next.checked_sub(1).and_then(|i| self.marks.get(i)), self.marks.get(next)) {
            (Some(&(from, at)), Some(&(to, end))) => {
                from + to_u64((x - at) / (end - at) * to_f64(to - from), to - from)
            }
            (Some(&(from, _)), None) => from,
            _ => 0,
        }
    }

    /// Position of a byte, in per cent.
    #[must_use]
    pub fn at(&self, byte: u64) -> f64 {
        let next = self.marks.partition_point(|mark| mark.0 <= byte);
        match (next.checked_sub(1).and_then(|i| self.marks.get(i)), self.marks.get(next)) {
            (Some(&(from, x)), Some(&(to, end))) => x + (end - x) * to_f64(byte - from) / to_f64(to - from),
            (Some(&(_, x)), None) => x,
            _ => 0.0,
        }
    }
}

/// Props of [`UserMemory`].
#[derive(Properties, PartialEq)]
pub struct UserMemoryProps {
    /// The iterator.
    pub row: Rc<Row>,
    /// Its axis.
    pub axis: Rc<Axis>,
}

/// Segments, residency cells, caret and bracket.
#[component]
pub fn UserMemory(props: &UserMemoryProps) -> Html {
    let send = use_send();
    let (row, axis) = (&props.row, &*props.axis);
    if row.segments.is_empty() {
        return html! { <div class="mem empty"><p class="none">{ t().no_call }</p></div> };
    }
    let mut from = 0;
    let mut segments = Vec::with_capacity(row.segments.len());
    for each in &row.segments {
        segments.push(segment(each, axis, from));
        from += each.len;
    }
    let next = |i: usize| row.probes.get(i + 1).map_or(100.0, |probe| axis.at(probe.at));
    // A probe's words stay within its cell.
    let room = |i: usize, at: u64| {
        let cell = row.residency.iter().find(|cell| (cell.from..cell.to).contains(&at));
        let (x, end) = (axis.at(at), cell.map_or(100.0, |cell| axis.at(cell.to)));
        // Nor do they run over the letter in its middle.
        let letter = cell.map_or(100.0, |cell| f64::midpoint(axis.at(cell.from), end) - 2.0);
        let end = if x < letter && end - letter > 20.0 { letter } else { end };
        next(i).min(end)
    };
    html! {
        <ByteBar bar={Bar::User(row.clone(), props.axis.clone())} class="by-user">
        <svg class="mem" width="100%" height="70" role="group" aria-label={row.label.clone()} data-testid="user-memory">
            { for segments }
            { for row.residency.iter().enumerate().map(|(n, cell)| residency(cell, axis, row.probes.iter().any(|probe| probe.at == cell.from), n < STOPS, &send)) }
            { for row.probes.iter().enumerate().map(|(i, each)| probe(each, axis, room(i, each.at))) }
            if let Some(byte) = row.caret { { caret(axis.at(byte)) } }
            if let Some(each) = &row.bracket { { bracket(each, axis) } }
            if row.before > 0 { <text class="q" x="0" y="66">{ format!("← {}", row.before) }</text> }
            if row.after > 0 { <text class="q" x="100%" y="66" text-anchor="end">{ format!("{} →", row.after) }</text> }
        </svg>
        </ByteBar>
    }
}

fn segment(segment: &Segment, axis: &Axis, from: u64) -> Html {
    let (x, end) = (axis.at(from), axis.at(from + segment.len));
    let width = end - x;
    let used = axis.at(from + segment.consumed.min(segment.len)) - x;
    let len = number(segment.len);
    let name = fits(&segment.name, width, PATH_PX);
    let both = fits(&format!("{}  {len} ", segment.name), width, PATH_PX);
    let all = fits(&format!("{}  {len}  {} ", segment.name, segment.base), width, PATH_PX);
    html! {
        <g>
            <rect class={classes!("seg", segment.current.then_some("cur"))} x={pct(x)} y="1" width={pct(width)} height="24" />
            if segment.consumed > 0 { <rect class="used" x={pct(x)} y="2" width={pct(used)} height="22" fill="url(#p-nou)" /> }
            if let Some(class) = name { <text class={classes!("b", "halo", class)} x={pct(x)} dx="8" y="17">{ &segment.name }</text> }
            if let Some(class) = both { <text class={classes!("i", "halo", class)} x={pct(end)} dx="-8" y="17" text-anchor="end">{ len }</text> }
            if let Some(class) = all { <text class={classes!("halo", class)} x={pct(x)} dx="40" y="17">{ &segment.base }</text> }
        </g>
    }
}

/// A cell; whoever presses it drops the source page under the pointer, or with a key the cell's first one.
fn residency(cell: &Residency, axis: &Axis, probed: bool, stop: bool, send: &Send) -> Html {
    let (x, end) = (axis.at(cell.from), axis.at(cell.to));
    let class = match cell.state {
        Resident::Resident => "res",
        Resident::Faults => "res f",
        Resident::Unmapped => "res x",
    };
    // A narrow cell's letter makes room for the dot of a probe.
    let narrow = probed && fits("R      ", end - x, PATH_PX) != Some("");
    let letter = if narrow { x + 0.72 * (end - x) } else { f64::midpoint(x, end) };
    // Beside the letter in the middle.
    let note = fits(&format!("{}     ", cell.note), (end - x) / 2.0, PATH_PX).filter(|_| !cell.note.is_empty());
    let (from, to) = (cell.from, cell.to);
    let press = {
        let send = send.clone();
        Callback::from(move |event: MouseEvent| {
            let shape = event.target_dyn_into::<web_sys::Element>().map(|target| target.get_bounding_client_rect());
            let share =
                shape.map_or(0.0, |shape| (f64::from(event.client_x()) - shape.left()) / shape.width().max(1.0));
            let byte = from + to_u64(share.clamp(0.0, 1.0) * to_f64(to - from), (to - from).saturating_sub(1));
            send.emit(Command::Intervene(Intervention::EvictPage(byte)));
        })
    };
    let key = {
        let send = send.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                event.prevent_default();
                send.emit(Command::Intervene(Intervention::EvictPage(from)));
            }
        })
    };
    let label = format!("{}: {from}–{}, {}", t().evict_here, to.saturating_sub(1), cell.state.letter());
    html! {
        <g>
            <rect class={classes!(class, "act")} x={pct(x)} y="29" width={pct(end - x)} height="16" rx="1"
                role="button" tabindex={if stop { "0" } else { "-1" }} aria-label={label} onclick={press} onkeydown={key}><title>{ t().evict_here_long }</title></rect>
            if cell.changed {
                <rect class="chg" x={pct(x)} y="29" width={pct(end - x)} height="16" rx="1" />
                <circle class="chgdot" cx={pct(end)} cy="29" r="4" transform="translate(-3 0)" />
            }
            if fits("R", end - x, PATH_PX).is_some() {
                <text class="b" x={pct(letter)} y="41" text-anchor="middle">{ cell.state.letter() }</text>
            }
            if let Some(class) = note {
                <text class={classes!("q", class)} x={pct(end)} dx="-8" y="41" text-anchor="end">{ &cell.note }</text>
            }
        </g>
    }
}

fn probe(probe: &Probe, axis: &Axis, next: f64) -> Html {
    let x = axis.at(probe.at);
    // Behind the dot, and before the cell's letter.
    let note = fits(&format!("{}      ", probe.note), (next - x) / 2.0, PATH_PX).filter(|_| !probe.note.is_empty());
    let transform = if x > 98.0 { "translate(-8 0)" } else { "translate(8 0)" };
    html! {
        <g>
            if probe.changed { <circle class="probe-now" cx={pct(x)} cy="37" r="6.5" {transform} /> }
            <circle class="probe" cx={pct(x)} cy="37" r="4.5" {transform} />
            if let Some(class) = note { <text class={classes!("q", class)} x={pct(x)} dx="18" y="41">{ &probe.note }</text> }
        </g>
    }
}

/// The triangle under a position; it leans in at the edges.
pub fn caret_at(x: f64, y: &'static str) -> Html {
    let transform = if x < 1.0 {
        "translate(6 0)"
    } else if x > 99.0 {
        "translate(-6 0)"
    } else {
        "translate(0 0)"
    };
    html! { <svg x={pct(x)} {y} width="1" height="1" overflow="visible" class="caretbox" aria-hidden="true"><path class="caret" d="M-5 0h10L0-7z" {transform} /></svg> }
}

fn caret(x: f64) -> Html {
    caret_at(x, "54")
}

fn bracket(bracket: &Bracket, axis: &Axis) -> Html {
    let (x, end) = (axis.at(bracket.from), axis.at(bracket.to));
    let text = format!("{}{}", bracket.text, if bracket.changed { " ●" } else { "" });
    let middle = f64::midpoint(x, end).clamp(11.0, 89.0);
    html! {
        <g>
            <line class="brk" x1={pct(x)} x2={pct(end)} y1="60" y2="60" />
            <line class="brk" x1={pct(x)} x2={pct(x)} y1="55" y2="65" transform="translate(.8 0)" />
            <line class="brk" x1={pct(end)} x2={pct(end)} y1="55" y2="65" transform="translate(-.8 0)" />
            { plate(&text, middle, "53", "14", true, "") }
            <text class="b" x={pct(middle)} y="64" text-anchor="middle">{ text }</text>
        </g>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(lens: &[u64]) -> Axis {
        let segments = lens.iter().map(|&len| Rc::new(Segment { len, ..Segment::default() })).collect();
        Axis::new(&Row { segments, ..Row::default() })
    }

    #[test]
    fn in_proportion() {
        let axis = axis(&[1000, 3000]);
        assert!((axis.at(1000) - 25.0).abs() < 1e-9);
        assert!((axis.at(4000) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn no_segment_vanishes_and_all_fit() {
        for lens in [&[1, 1_000_000, 0, 7][..], &[0, 0], &[5; 100], &[1]] {
            let axis = axis(lens);
            let total: u64 = lens.iter().sum();
            assert!((axis.at(total) - 100.0).abs() < 1e-6, "{lens:?}");
            assert!(axis.marks.windows(2).all(|pair| pair[1].1 - pair[0].1 > 0.5), "{lens:?}");
        }
    }
}
