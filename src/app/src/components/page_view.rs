//! One page drawn large: flags, the four places of "dirty", buffer heads, bytes.

use std::rc::Rc;

use view::frame::{BufferPlace, BufferRow, ByteKind, ByteRange, CellState, CopyArrow, CopyKind, Flag, PageView as Row};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::bytes::{Bar, ByteBar, use_asker};
use super::user_memory::{Axis, caret_at};
use crate::draw::{PATH_PX, decimal, fits, pct, plate, share};
use crate::player::{Command, use_send};
use crate::t;

/// Props of [`PageView`].
#[derive(Properties, PartialEq)]
pub struct PageViewProps {
    /// The page.
    pub row: Option<Rc<Row>>,
    /// The copy into it, if the step shows one.
    pub copy: Option<Rc<CopyArrow>>,
    /// The axis of the user's bytes above.
    pub axis: Rc<Axis>,
}

/// The page under the funnel that the copied bytes fall through.
#[component]
pub fn PageView(props: &PageViewProps) -> Html {
    let Some(row) = &props.row else {
        return html! {
            <>
                { funnel(None, &props.axis, 4096) }
                <div class="pg empty" data-testid="page-view"><p class="none">{ t().no_page }</p></div>
            </>
        };
    };
    let state = match row.state {
        CellState::Absent => "absentst",
        CellState::NotUptodate => "newst",
        CellState::Clean => "cleanst",
        CellState::Dirty => "dirtyst",
        CellState::Writeback | CellState::DirtyWriteback => "wbst",
        CellState::Error => "errst",
    };
    let truths = row.dirty.iter().map(|truth| {
        let flag = Flag { letter: truth.letter.clone(), name: truth.name.clone(), set: truth.set, changed: truth.changed, path: truth.path.clone() };
        html! { <span class={classes!("truth", truth.place.is_empty().then_some("tag"))}>{ chip(&flag) }{ &*truth.place }</span> }
    });
    let (lead, range) = row.range.split_once(' ').unwrap_or(("", &row.range));
    let columns = match row.buffers.len() {
        0 | 1 => None,
        2 => Some("two-bh"),
        _ => Some("four"),
    };
    html! {
        <>
            { funnel(props.copy.as_deref(), &props.axis, row.size) }
            <div class={classes!("pg", state, row.locked.then_some("locked"))} data-testid="page-view">
                <div class="pgh" data-rove="" tabindex="0" role="group" aria-label={format!("{} {}", t().page, row.index)}>
                    <h3>{ t().page }{ " " }{ row.index }</h3>
                    <span class="r fit"><span></span><span><span class="roomy">{ lead }{ " " }</span>{ range }</span></span>
                    if row.absent {
                        <span class="r">{ t().not_cached }</span>
                    } else {
                        <span class="flags" role="group" aria-label={t().page}>{ for row.flags.iter().map(chip) }</span>
                        <span class="truths" role="group" aria-label={t().dirty_places}><span>{ t().dirty_word }</span>{ for truths }</span>
                    }
                </div>
                <div class={classes!("bhs", columns)} data-rove="" tabindex={if row.buffers.is_empty() { "-1" } else { "0" }} role="group" aria-label={t().buffers}>
                    for buffer in row.buffers.iter() {
                        <Buffer key={buffer.name.clone()} row={buffer.clone()} only={row.buffers.len() == 1} />
                    }
                    if row.buffers.is_empty() { <div class="bh"><span>{ t().no_buffers }</span></div> }
                </div>
                <Strip row={row.clone()} />
            </div>
        </>
    }
}

/// A flag as a chip that can be asked who set it: its letter when set, a dot when clear, the struck letter when just cleared.
fn chip(flag: &Flag) -> Html {
    let state = if flag.set { t().set } else { t().clear };
    let label = format!("{} {state}{}", flag.name, if flag.changed { t().changed_now } else { "" });
    let class = classes!("fl", flag.letter.clone(), flag.set.then_some("on"), flag.changed.then_some("chg-o"));
    html! {
        <button {class} type="button" tabindex="-1" data-path={(!flag.path.is_empty()).then(|| flag.path.clone())} aria-label={label.clone()} title={format!("{label}. {}", t().who_set)}>
            if flag.set { { &*flag.letter } } else if flag.changed { <s>{ &*flag.letter }</s> } else { { "·" } }
        </button>
    }
}

#[derive(Properties, PartialEq)]
struct BufferProps {
    row: Rc<BufferRow>,
    only: bool,
}

#[component]
fn Buffer(props: &BufferProps) -> Html {
    let send = use_send();
    let row = &props.row;
    let striped = match row.place {
        BufferPlace::Delayed => Some("tagd"),
        BufferPlace::Unwritten => Some("tagu"),
        BufferPlace::Unmapped | BufferPlace::Block => None,
    };
    // "delayed: no block yet": what stands behind the colon gives way where there is little room.
    let (head, tail) = row.text.split_once(": ").map_or((row.text.as_str(), ""), |(head, tail)| (head, tail));
    let text = html! { <>{ head }if !tail.is_empty() { <span class="wide2">{ format!(": {tail}") }</span> }</> };
    let place = match row.block {
        Some(block) => html! {
            <button type="button" class={classes!("bk", "blk", striped)} title={t().open_block}
                onclick={move |_| send.emit(Command::OpenBlock(block))}>{ text }</button>
        },
        None => html! { <span class={classes!("bk", striped)}>{ text }</span> },
    };
    // Four to a page: the first three flags keep their place, others come when they are set or just changed.
    let flags = row.flags.iter().enumerate().filter(|(i, flag)| props.only || *i < 3 || flag.set || flag.changed);
    html! {
        <div class="bh">
            <b>{ &row.name }</b>
            <span class="flags" role="group" aria-label={row.name.clone()}>{ for flags.map(|(_, flag)| chip(flag)) }</span>
            if props.only { <span>{ format!("{} B", row.size) }</span> }
            { place }
            if props.only { <span class="wide">{ t().logical_block }{ " " }{ row.lblk }</span> }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct StripProps {
    row: Rc<Row>,
}

/// The page's bytes. All there is to know of a range is in the row below; the list there chooses it.
#[component]
fn Strip(props: &StripProps) -> Html {
    let row = &props.row;
    let chosen = use_state(|| None::<usize>);
    let bytes = use_asker();
    use_effect_with(row.clone(), {
        let chosen = chosen.clone();
        move |_| chosen.set(None)
    });
    let at = (*chosen).filter(|at| *at < row.strip.len()).unwrap_or_else(|| telling(row));
    let place = |byte: u32| share(u64::from(byte), u64::from(row.size));
    let label: Vec<String> = row.strip.iter().map(|range| in_words(range)).collect();
    let bodies = row.strip.iter().enumerate().map(|(i, range)| {
        let chosen = chosen.clone();
        let (x, end) = (place(range.from), place(range.to));
        html! {
            <g onclick={move |_: MouseEvent| chosen.set(Some(i))}>
                { body(range, x, end - x) }
                if i == at && row.strip.len() > 1 { <rect class="picked" x={pct(x)} y="52" width={pct(end - x)} height="3" /> }
            </g>
        }
    });
    let edges = (1..row.buffers.len()).map(|i| {
        let x = pct(share(i as u64, row.buffers.len() as u64));
        html! { <line class="bhl" x1={x.clone()} x2={x} y1="0" y2="51" /> }
    });
    html! {
        <>
            <ByteBar bar={Bar::Page(row.index, row.size)} class="by-page" keys={!row.absent}>
            <svg class="strip" width="100%" height="78" role="img" aria-label={label.join("; ")} data-testid="byte-strip">
                { for bodies }
                { for edges }
                { for row.strip.iter().map(|range| inner_text(range, place(range.from), place(range.to))) }
                if let Some((from, to)) = row.changed {
                    <rect class="chg" x={pct(place(from))} y="8" width={pct(place(to) - place(from))} height="42" />
                    <circle class="chgdot" cx={pct(place(to))} cy="8" r="4.5" transform={if to == row.size { "translate(-3 0)" } else { "" }} />
                }
                { for ticks(row).into_iter().map(|(byte, strong)| tick(byte, strong, row.size)) }
                if let Some(byte) = row.caret { { caret_at(place(byte), "59") } }
            </svg>
            </ByteBar>
            if let Some(told) = bytes.told { <div class="origin whole" data-testid="origin"><span>{ told.trail.text() }</span></div> } else { { origin(row, at, &chosen) } }
        </>
    }
}

/// The range worth telling about: what this step wrote, else what it changed, else what this call kept, else the first.
fn telling(row: &Row) -> usize {
    let find = |kind: ByteKind| row.strip.iter().position(|range| range.kind == kind);
    let changed = |range: &Rc<ByteRange>| row.changed.is_some_and(|(from, to)| range.from < to && range.to > from);
    find(ByteKind::WrittenNow)
        .or_else(|| find(ByteKind::Refused))
        .or_else(|| row.strip.iter().position(changed))
        .or_else(|| find(ByteKind::KeptEarlier))
        .unwrap_or(0)
}

fn inclusive(range: &ByteRange) -> String {
    format!("{}–{}", range.from, range.to.saturating_sub(1))
}

fn in_words(range: &ByteRange) -> String {
    let mut text = format!("{} {} {}", t().bytes, inclusive(range), range.kind.name());
    for (lead, part) in [("", &range.origin), (t().before, &range.before), (t().now_in, &range.now_in)] {
        if !part.is_empty() {
            text.push_str(", ");
            text.push_str(lead);
            text.push_str(if lead.is_empty() { "" } else { " " });
            text.push_str(part);
        }
    }
    text
}

fn body(range: &ByteRange, x: f64, width: f64) -> Html {
    let (x, width) = (pct(x), pct(width));
    let (fill, class) = match range.kind {
        ByteKind::NotUptodate => (Some("url(#p-nou)"), "by"),
        ByteKind::Zeroed | ByteKind::Refused => (Some("url(#p-zero)"), "by"),
        ByteKind::Valid => (None, "by by-valid"),
        ByteKind::WrittenNow => (None, "by by-now"),
        ByteKind::KeptEarlier => (None, "by by-kept"),
        ByteKind::PastEof => (None, "by by-eof"),
    };
    html! {
        <>
            <rect {class} {fill} x={x.clone()} y="7" width={width.clone()} height="44" />
            if range.kind == ByteKind::KeptEarlier { <rect class="by-edge" x={x.clone()} y="7" width="3" height="44" /> }
            if range.kind == ByteKind::Refused { <rect class="copyghost" x={x.clone()} y="8" width={width.clone()} height="42" /> }
        </>
    }
}

/// Bytes at the left edge, old ones struck below them; a word in the middle.
fn inner_text(range: &ByteRange, x: f64, end: f64) -> Html {
    let width = end - x;
    let part = if range.label.is_empty() { 1.0 } else { 0.4 };
    let hex = fits(&format!("{} ", range.hex), width * part, PATH_PX).filter(|_| !range.hex.is_empty());
    let part = if hex.is_some() { 0.6 } else { 1.0 };
    let label = fits(&format!("{} ", range.label), width * part, PATH_PX).filter(|_| !range.label.is_empty());
    let middle = x + width * if hex.is_some() { 0.66 } else { 0.5 };
    let plain = matches!(range.kind, ByteKind::Valid | ByteKind::KeptEarlier | ByteKind::PastEof);
    html! {
        <g class="told">
            if let Some(class) = hex {
                <svg x={pct(x)} y="0" width="100%" height="78" class="shift" role="presentation">
                    { plate(&range.hex, 0.0, if range.was.is_some() { "12" } else { "21" }, if range.was.is_some() { "34" } else { "17" }, false, class) }
                    <text class={classes!("i", class)} x="0" y={if range.was.is_some() { "25" } else { "33" }}>{ &range.hex }</text>
                    if let Some(was) = &range.was { <text class={classes!("copyt", "st", class)} x="0" y="42">{ was }</text> }
                </svg>
            }
            if let Some(class) = label {
                if !plain { { plate(&range.label, middle, "19", "20", true, class) } }
                <text class={classes!(if plain { "i" } else { "b" }, class)} x={pct(middle)} y="33" text-anchor="middle">{ &range.label }</text>
            }
        </g>
    }
}

/// Edges worth a number: the ends, what changed, ranges, buffer heads. At most nine.
fn ticks(row: &Row) -> Vec<(u32, bool)> {
    let mut edges = vec![(0, false), (row.size, false)];
    edges.extend(row.changed.into_iter().flat_map(|(from, to)| [(from, true), (to, true)]));
    edges.extend(row.strip.iter().map(|range| (range.from, false)));
    let parts = u32::try_from(row.buffers.len()).unwrap_or(1).max(2);
    edges.extend((1..parts).map(|i| (i * (row.size / parts), false)));
    // Nothing closer to an earlier one than a number is wide.
    let mut kept: Vec<(u32, bool)> = Vec::new();
    for (at, strong) in edges {
        if kept.len() < 9 && kept.iter().all(|&(other, _)| other.abs_diff(at) > row.size / 14) {
            kept.push((at, strong));
        }
    }
    kept.sort_unstable();
    kept
}

fn tick(byte: u32, strong: bool, size: u32) -> Html {
    let x = pct(share(u64::from(byte), u64::from(size)));
    let (anchor, dx) = match byte {
        0 => ("start", "6"),
        end if end == size => ("end", "-6"),
        _ => ("middle", "0"),
    };
    html! {
        <g>
            <line class="ruler" x1={x.clone()} x2={x.clone()} y1="51" y2="57" />
            <text class={classes!(strong.then_some("b"))} {x} {dx} y="68" text-anchor={anchor}>{ byte }</text>
        </g>
    }
}

fn origin(row: &Row, at: usize, chosen: &UseStateHandle<Option<usize>>) -> Html {
    let Some(range) = row.strip.get(at) else {
        return html! { <div class="origin" data-testid="origin">{ t().none }</div> };
    };
    let onchange = {
        let chosen = chosen.clone();
        Callback::from(move |event: Event| {
            let select = event.target_dyn_into::<HtmlSelectElement>();
            chosen.set(select.and_then(|select| select.value().parse().ok()));
        })
    };
    let origin = if range.origin.is_empty() { range.kind.name() } else { range.origin.as_str() };
    html! {
        <div class="origin" data-testid="origin">
            if row.strip.len() > 1 {
                <select aria-label={t().byte_range} {onchange}>
                    for (i, each) in row.strip.iter().enumerate() {
                        <option key={i} value={i.to_string()} selected={i == at}>{ inclusive(each) }</option>
                    }
                </select>
            } else {
                <span class="q">{ inclusive(range) }</span>
            }
            <span>if !range.hex.is_empty() { <b>{ range.hex.get(..8).unwrap_or(&range.hex) }{ " … " }</b> }{ origin }</span>
            if !range.before.is_empty() { <span><span class="q">{ t().before }{ " " }</span>{ &range.before }</span> }
            if !range.now_in.is_empty() { <span><span class="q">{ t().now_in }{ " " }</span><b>{ &range.now_in }</b></span> }
        </div>
    }
}

/// The space between bracket and page: empty, a funnel, or the ghost of a refused copy.
fn funnel(copy: Option<&CopyArrow>, axis: &Axis, size: u32) -> Html {
    let Some(copy) = copy else {
        return html! { <div class="fun f28" aria-hidden="true"></div> };
    };
    let place = |byte: u32| share(u64::from(byte), u64::from(size));
    let (a, b, c, d) = (axis.at(copy.from), axis.at(copy.to), place(copy.page_from), place(copy.page_to));
    let class = match copy.kind {
        CopyKind::Planned => "copyplan",
        CopyKind::Done => "copyfill",
        CopyKind::Refused => "copyghost",
    };
    let (verdict, reason) = copy.verdict.split_once(':').unwrap_or((&copy.verdict, ""));
    let middle = ((a + b + c + d) / 4.0).clamp(12.0, 88.0);
    let text = format!("↓ {}", copy.text);
    html! {
        <div class="fun f28" data-testid="copy">
            <svg class="ovl" width="100%" height="100%" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
                <polygon {class} points={format!("{},0 {},0 {},28 {},28", decimal(a, 3), decimal(b, 3), decimal(d, 3), decimal(c, 3))} />
            </svg>
            <svg class="ovl" width="100%" height="100%" role="img" aria-label={format!("{}. {}", copy.text, copy.verdict)}>
                if copy.verdict.is_empty() {
                    <text class="copyt halo" x={pct(middle)} y="18" text-anchor="middle">{ text }</text>
                } else {
                    <text class="copyt halo" x={pct(a.min(40.0))} dx="8" y="18">{ text }</text>
                    <text class="endt halo" x={pct(b.clamp(33.0, 50.0))} dx="10" y="18">
                        { verdict }
                        if !reason.is_empty() { <tspan class="wide">{ format!(":{reason}") }</tspan> }
                    </text>
                }
            </svg>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(strip: &[(u32, u32, ByteKind)], changed: Option<(u32, u32)>) -> Row {
        let range =
            |&(from, to, kind): &(u32, u32, ByteKind)| Rc::new(ByteRange { from, to, kind, ..ByteRange::default() });
        Row { size: 4096, strip: strip.iter().map(range).collect(), changed, ..Row::default() }
    }

    #[test]
    fn numbers_under_the_strip_do_not_collide() {
        let row = page(
            &[(0, 1000, ByteKind::Valid), (1000, 1010, ByteKind::WrittenNow), (1010, 4096, ByteKind::Valid)],
            Some((1000, 1010)),
        );
        let ticks = ticks(&row);
        assert!(ticks.contains(&(1000, true)));
        assert!(ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 > 4096 / 14), "{ticks:?}");
    }

    #[test]
    fn what_was_written_is_told() {
        let row = page(
            &[(0, 10, ByteKind::Valid), (10, 20, ByteKind::WrittenNow), (20, 4096, ByteKind::Zeroed)],
            Some((10, 4096)),
        );
        assert_eq!(telling(&row), 1);
        assert_eq!(telling(&page(&[(0, 4096, ByteKind::Valid)], None)), 0);
    }
}
