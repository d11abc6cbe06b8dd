//! Dirty pages against the limits; the task's own count to its next check.

use std::rc::Rc;

use view::frame::DirtyBalance as Row;
use view::number;
use yew::prelude::*;

use crate::draw::{decimal, pct, share, text_px};
use crate::t;

/// Props of [`DirtyBalance`].
#[derive(Properties, PartialEq)]
pub struct DirtyBalanceProps {
    /// The counters.
    pub row: Rc<Row>,
}

/// Width of the gauge where there is room, and where there is least.
const GAUGE_PX: [f64; 2] = [314.0, 296.0];

/// How wide a text is, in per cent of a gauge.
fn wide(text: &str, gauge_px: f64) -> f64 {
    100.0 * (text_px(text) + 4.0) / gauge_px
}

/// The limits, the most telling first, and where their names fit: in the wide gauge, in the narrow one. A name that
/// would run into an earlier one is left to the drawing's label.
fn marks(row: &Row, whole: u64) -> Vec<(u64, String, [bool; 2])> {
    let all =
        [(row.limit, t().limit), (row.freerun, t().freerun), (row.setpoint, t().setpoint), (row.background, t().bg)];
    let mut taken: [Vec<(f64, f64)>; 2] = [Vec::new(), Vec::new()];
    let place = |(pages, name): (u64, &str)| {
        let text = format!("{name} {}", number(pages));
        let x = share(pages, whole);
        let told = [0, 1].map(|i| {
            let need = wide(&text, GAUGE_PX[i]);
            let from = if x > 99.9 { x - need } else { x - need / 2.0 };
            let free = taken[i].iter().all(|&(other, end)| from >= end || from + need <= other);
            if free {
                taken[i].push((from, from + need));
            }
            free
        });
        (pages, text, told)
    };
    all.into_iter().map(place).collect()
}

/// Dirty pages as a bar, those under writeback as a frame behind it.
fn bar(dirty: u64, writeback: u64, whole: u64, y: &'static str, height: &'static str) -> Html {
    let (x, end) = (share(dirty, whole), share(dirty + writeback, whole));
    html! {
        <>
            if dirty > 0 { <rect class="nd" x="0" width={pct(x)} {y} {height} /> }
            if writeback > 0 { <rect class="nw" x={pct(x)} width={pct(end - x)} {y} {height} /> }
        </>
    }
}

/// Two gauges on one axis, all devices and the one, and a ring.
#[component]
pub fn DirtyBalance(props: &DirtyBalanceProps) -> Html {
    let row = &props.row;
    let total = row.dirty + row.writeback;
    let whole = row.limit.max(total).max(1);
    let at = |pages: u64| share(pages, whole);
    let (free, goal, needle) = (at(row.freerun), at(row.setpoint), at(total));
    let device = format!("{} {} / {}", t().device, number(row.wb_dirty + row.wb_writeback), number(row.wb_thresh));
    let label = format!(
        "{} {}, {} {} {} {}; {} {}, {} {}, {} {}; {device}, {} {}",
        t().dirty_pages,
        row.dirty,
        t().writeback,
        row.writeback,
        t().of_limit,
        row.limit,
        t().background,
        row.background,
        t().freerun,
        row.freerun,
        t().setpoint,
        row.setpoint,
        t().background,
        row.wb_background
    );
    let mark = |(pages, text, told): (u64, String, [bool; 2])| {
        // All limits come of these two, as balance_dirty_pages worked them out.
        let path = if pages == row.background { "balance_dirty_pages.bg_thresh" } else { "balance_dirty_pages.thresh" };
        let x = pct(at(pages));
        let anchor = if pages == whole { "end" } else { "middle" };
        html! {
            <g data-path={path} tabindex="-1" role="button" aria-label={text.clone()}>
                <title>{ t().who_set }</title>
                <line class="ruler" x1={x.clone()} x2={x.clone()} y1="9" y2="33" />
                if told[0] { <text class={(!told[1]).then_some("wide")} {x} y="44" text-anchor={anchor}>{ text }</text> }
            </g>
        }
    };
    let dot = |changed: bool| if changed { " ●" } else { "" };
    let said = match row.writeback {
        0 => number(row.dirty),
        writeback => format!("{} D + {} W", number(row.dirty), number(writeback)),
    };
    let said = format!("{said}{}", dot(row.dirty_changed));
    let need = wide(&said, GAUGE_PX[1]);
    let from = if needle > 50.0 { needle - need } else { needle };
    let zone = |begin: f64, end: f64, name: &'static str| {
        let (middle, half) = (f64::midpoint(begin, end), wide(name, GAUGE_PX[1]) / 2.0);
        let free = middle + half <= from || middle - half >= from + need;
        if end - begin < 2.0 * half || !free {
            return Html::default();
        }
        html! { <text class="q" x={pct(middle)} y="8" text-anchor="middle">{ name }</text> }
    };
    let count = share(row.nr_dirtied.min(row.nr_dirtied_pause), row.nr_dirtied_pause.max(1));
    let count_text =
        format!("{} / {}{}", number(row.nr_dirtied), number(row.nr_dirtied_pause), dot(row.nr_dirtied_changed));
    html! {
        <section class="panel dirty" id="panel-dirty" tabindex="-1" aria-labelledby="h-dty">
            <div class="ttl"><h2 id="h-dty">{ t().dirty_balance }</h2>{ t().pages_at }{ " " }{ &row.clock }<br />{ &device }</div>
            <svg height="47" width="100%" role="group" tabindex="0" data-rove="" aria-label={label} data-testid="dirty">
                <rect class="trk" x="0" y="12" width="100%" height="11" rx="1" />
                <rect class="z2" x={pct(free)} y="12" width={pct(100.0 - free)} height="11" />
                <rect x={pct(goal)} y="12" width={pct(100.0 - goal)} height="11" fill="url(#p-nou)" opacity=".55" />
                { bar(row.dirty, row.writeback, whole, "14.5", "6") }
                <rect class="trk" x="0" y="26" width="100%" height="5" rx="1" />
                { bar(row.wb_dirty, row.wb_writeback, whole, "27", "3") }
                { for marks(row, whole).into_iter().map(mark) }
                <line class="wbt" x1={pct(at(row.wb_thresh))} x2={pct(at(row.wb_thresh))} y1="24.5" y2="32.5" />
                { zone(at(row.background), free, t().zone_free) }
                { zone(free, goal, t().zone_throttled) }
                { zone(goal, 100.0, t().zone_more) }
                <g data-path="NR_FILE_DIRTY" tabindex="-1" role="button" aria-label={format!("{said} {}", t().dirty_pages)}>
                <title>{ t().who_set }</title>
                <line class="needle" x1={pct(needle)} x2={pct(needle)} y1="9" y2="25" />
                <text class="b halo" x={pct(needle)} y="8" text-anchor={if needle > 50.0 { "end" } else { "start" }}>{ said }</text>
                </g>
            </svg>
            <div class="ring" data-testid="ratelimit">
                <svg width="40" height="40" viewBox="0 0 40 40" aria-hidden="true">
                    <circle class="rg0" cx="20" cy="20" r="16" />
                    <circle class="rg1" cx="20" cy="20" r="16" pathLength="100" stroke-dasharray={format!("{} 100", decimal(count, 2))} transform="rotate(-90 20 20)" />
                    if row.nr_dirtied_changed && row.nr_dirtied > 0 {
                        <circle class="rg2" cx="20" cy="20" r="16" pathLength="100" stroke-dasharray="2.2 100"
                            stroke-dashoffset={decimal(2.2 - count, 2)} transform="rotate(-90 20 20)" />
                    }
                    if let Some((passed, all)) = row.pause {
                        <circle class="rg3" cx="20" cy="20" r="7" />
                        <path class="rg4" d={hand(share(passed, all))} />
                    }
                </svg>
                <span>
                    if row.task.is_empty() {
                        <b>{ count_text }</b>
                    } else {
                        <button type="button" data-path={format!("task[{}].nr_dirtied", row.task)} title={t().who_set}><b>{ count_text }</b></button>
                    }
                    { " " }{ t().since_check }if !row.task.is_empty() { { format!(", {}", row.task) } }<br />
                    <span class={row.pause.map(|_| "paused")} data-testid="writer">{ &row.note }</span><br />
                    <span data-testid="pace">{ &row.pace }<span class="period">{ ", " }{ &row.period }</span></span>
                    <span class="vh">{ format!(" bdp_ratelimits {}", row.bdp_ratelimits) }</span>
                </span>
            </div>
        </section>
    }
}

/// A pie's slice of so many per cent, around the ring's middle.
fn hand(part: f64) -> String {
    let (sin, cos) = (part / 50.0 * std::f64::consts::PI).sin_cos();
    let large = u8::from(part > 50.0);
    if part > 99.9 {
        return "M20 13a7 7 0 1 1 0 14a7 7 0 1 1 0-14z".to_owned();
    }
    format!("M20 20V13A7 7 0 {large} 1 {} {}z", decimal(20.0 + 7.0 * sin, 2), decimal(20.0 - 7.0 * cos, 2))
}
