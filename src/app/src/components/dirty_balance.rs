//! Dirty pages against the limits; the task's own count to its next check.

use std::rc::Rc;

use view::frame::DirtyBalance as Row;
use view::number;
use yew::prelude::*;

use crate::draw::{pct, share, to_f64};
use crate::t;

/// Props of [`DirtyBalance`].
#[derive(Properties, PartialEq)]
pub struct DirtyBalanceProps {
    /// The counters.
    pub row: Rc<Row>,
}

/// Width of the gauge where there is room, and where there is least.
const GAUGE_PX: [f64; 2] = [372.0, 316.0];

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
            let need = 100.0 * (6.7 * to_f64(text.chars().count() as u64) + 2.0) / GAUGE_PX[i];
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

/// A gauge and a ring.
#[component]
pub fn DirtyBalance(props: &DirtyBalanceProps) -> Html {
    let row = &props.row;
    let whole = row.limit.max(row.dirty).max(1);
    let at = |pages: u64| share(pages, whole);
    let (free, goal, needle) = (at(row.freerun), at(row.setpoint), at(row.dirty));
    let label = format!(
        "{} {} {} {}; {} {}, {} {}, {} {}",
        t().dirty_pages,
        row.dirty,
        t().of_limit,
        row.limit,
        t().background,
        row.background,
        t().freerun,
        row.freerun,
        t().setpoint,
        row.setpoint
    );
    let mark = |(pages, text, told): (u64, String, [bool; 2])| {
        let x = pct(at(pages));
        let anchor = if pages == whole { "end" } else { "middle" };
        html! {
            <>
                <line class="ruler" x1={x.clone()} x2={x.clone()} y1="8" y2="26" />
                if told[0] { <text class={(!told[1]).then_some("wide")} {x} y="39" text-anchor={anchor}>{ text }</text> }
            </>
        }
    };
    let zone = |from: f64, to: f64, name: &'static str| {
        if to - from < 14.0 {
            return Html::default();
        }
        html! { <text class="q" x={pct(f64::midpoint(from, to))} y="8" text-anchor="middle">{ name }</text> }
    };
    let count = share(row.nr_dirtied.min(row.nr_dirtied_pause), row.nr_dirtied_pause.max(1));
    let dot = |changed: bool| if changed { " ●" } else { "" };
    html! {
        <section class="panel dirty" id="panel-dirty" tabindex="-1" aria-labelledby="h-dty">
            <div class="ttl"><h2 id="h-dty">{ t().dirty_balance }</h2>{ t().pages }</div>
            <svg height="42" width="100%" role="img" aria-label={label} data-testid="dirty">
                <rect class="trk" x="0" y="12" width="100%" height="10" rx="1" />
                <rect class="z2" x={pct(free)} y="12" width={pct(100.0 - free)} height="10" />
                <rect x={pct(goal)} y="12" width={pct(100.0 - goal)} height="10" fill="url(#p-nou)" opacity=".55" />
                { for marks(row, whole).into_iter().map(mark) }
                { zone(at(row.background), free, t().zone_free) }
                { zone(free, goal, t().zone_throttled) }
                { zone(goal, 100.0, t().zone_more) }
                <line class="needle" x1={pct(needle)} x2={pct(needle)} y1="9" y2="25" />
                <text class="b halo" x={pct(needle)} y="7" text-anchor={if needle > 85.0 { "end" } else { "start" }}>{ number(row.dirty) }{ dot(row.dirty_changed) }</text>
            </svg>
            <div class="ring" data-testid="ratelimit">
                <svg width="40" height="40" viewBox="0 0 40 40" aria-hidden="true">
                    <circle class="rg0" cx="20" cy="20" r="16" />
                    <circle class="rg1" cx="20" cy="20" r="16" pathLength="100" stroke-dasharray={format!("{count:.2} 100")} transform="rotate(-90 20 20)" />
                    if row.nr_dirtied_changed && row.nr_dirtied > 0 {
                        <circle class="rg2" cx="20" cy="20" r="16" pathLength="100" stroke-dasharray="2.2 100"
                            stroke-dashoffset={format!("{:.2}", 2.2 - count)} transform="rotate(-90 20 20)" />
                    }
                </svg>
                <span>
                    <b>{ format!("{} / {}", number(row.nr_dirtied), number(row.nr_dirtied_pause)) }{ dot(row.nr_dirtied_changed) }</b>
                    { " " }{ t().since_check }<br />{ &row.note }
                    <span class="vh">{ format!(" bdp_ratelimits {}, {} {}", row.bdp_ratelimits, t().writeback, row.writeback) }</span>
                </span>
            </div>
        </section>
    }
}
