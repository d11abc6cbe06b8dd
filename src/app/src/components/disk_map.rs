//! Page cells over extents over the device: one axis of file blocks, wires to the blocks.

use std::rc::Rc;

use view::frame::{
    BioRow, BioState, CellState, Disk, Ext4, ExtentCell, ExtentKind, Journal, PageCache, PageRun, Region, RegionKind,
};
use view::number;
use view::trail::Spot;
use yew::prelude::*;

use super::bytes::{Bar, ByteBar, Bytes, REST_MS, use_asker};
use super::timeline::pointer_share;
use crate::draw::{PATH_PX, decimal, fits, pct, share, text_px, to_f64, to_u64};
use crate::engine::Intervention;
use crate::player::{Command, Send, use_send};
use crate::t;

/// Props of [`DiskMap`].
#[derive(Properties, PartialEq)]
pub struct DiskMapProps {
    /// The page cells.
    pub cache: Rc<PageCache>,
    /// The extents.
    pub ext4: Rc<Ext4>,
    /// The device.
    pub disk: Rc<Disk>,
    /// Transactions and handle.
    pub journal: Rc<Journal>,
}

/// The lower half of the path.
#[component]
pub fn DiskMap(props: &DiskMapProps) -> Html {
    let (send, bytes) = (use_send(), use_asker());
    html! {
        <>
            { zoom(&props.cache) }
            if !props.cache.runs.is_empty() { <Runs cache={props.cache.clone()} /> }
            <Cells cache={props.cache.clone()} />
            <Extents ext4={props.ext4.clone()} />
            { wires(&props.cache, &props.ext4, &props.disk) }
            <Device disk={props.disk.clone()} />
            { journal(&props.journal, &props.disk.bios, &send, &bytes) }
        </>
    }
}

/// From the large page to its cell.
fn zoom(cache: &PageCache) -> Html {
    let cell = cache.selected.as_ref().and_then(|page| cache.pages.iter().position(|cell| cell.index == page.index));
    let edge = |at: usize| share(at as u64, cache.pages.len() as u64);
    html! {
        <svg class="grow1" width="100%" height="12" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
            if let Some(at) = cell {
                <polygon class="zoom" points={format!("0,0 100,0 {},12 {},12", decimal(edge(at + 1), 3), decimal(edge(at), 3))} />
            }
        </svg>
    }
}

#[derive(Properties, PartialEq)]
struct CellsProps {
    cache: Rc<PageCache>,
}

#[component]
fn Cells(props: &CellsProps) -> Html {
    let send = use_send();
    let cache = &props.cache;
    let selected = cache.selected.as_ref().map(|page| page.index);
    if cache.pages.is_empty() {
        return html! { <div class="cells"><p class="none">{ t().no_pages }</p></div> };
    }
    let roomy = cache.pages.len() <= 4;
    let cells = cache.pages.iter().map(|cell| {
        let class = cell_class(cell.state);
        let label = format!(" {}{}", cell.label, if cell.changed { t().changed_now } else { "" });
        let (send, index) = (send.clone(), cell.index);
        let words = if roomy && cell.state == CellState::NotUptodate { t().not_uptodate } else { "" };
        html! {
            <button key={cell.index} type="button" title={label.clone()}
                aria-pressed={(selected == Some(cell.index)).to_string()}
                class={classes!("cell", class, cell.locked.then_some("lockc"), cell.changed.then_some("chg-o"))}
                onclick={move |_| send.emit(Command::SelectPage(index))}>
                <span><b>{ cell.index }</b>{ " " }{ &cell.letters }{ " " }{ words }</span><span class="vh">{ label }</span>
            </button>
        }
    });
    html! { <div class="cells" role="group" aria-label={t().pages_of_file} data-testid="pages">{ for cells }</div> }
}

const fn cell_class(state: CellState) -> Option<&'static str> {
    match state {
        CellState::Absent => None,
        CellState::NotUptodate => Some("newc"),
        CellState::Clean => Some("cleanc"),
        CellState::Dirty => Some("dirtyc"),
        CellState::Writeback => Some("wbc"),
        CellState::DirtyWriteback => Some("bothc"),
        CellState::Error => Some("errc"),
    }
}

/// All pages of a file that has more than there are cells: neighbours of one state in one piece, and a frame around
/// those that have cells.
#[component]
fn Runs(props: &CellsProps) -> Html {
    let send = use_send();
    let cache = &props.cache;
    let pages = cache.runs.last().map_or(1, |run| run.from + run.len);
    let onclick = Callback::from(move |event: MouseEvent| {
        if let Some(at) = pointer_share(&event) {
            send.emit(Command::SelectPage(to_u64(at * to_f64(pages), pages - 1)));
        }
    });
    let run = |run: &PageRun| {
        let (x, width) = (share(run.from, pages), share(run.len, pages));
        let both = run.state == CellState::DirtyWriteback;
        html! {
            <>
                <rect class={classes!("rn", cell_class(run.state))} x={pct(x)} y="1.5" width={pct(width)} height="11" />
                if both { <rect class="rn dirtyc" x={pct(x)} y="1.5" width={pct(width)} height="5.5" /> }
                if let Some(class) = fits(run.state.letters(), width, PATH_PX).filter(|_| !run.state.letters().is_empty()) {
                    <text class={classes!("b", "halo", class)} x={pct(x + width / 2.0)} y="11" text-anchor="middle">{ run.state.letters() }</text>
                }
            </>
        }
    };
    let label: Vec<&str> = cache.runs.iter().map(|run| run.label.as_str()).collect();
    let (from, len) = (cache.pages.first().map_or(0, |cell| cell.index), cache.pages.len() as u64);
    html! {
        <svg class="runs" width="100%" height="14" role="img" aria-label={label.join("; ")} data-testid="runs" {onclick}>
            { for cache.runs.iter().map(run) }
            <rect class="win" x={pct(share(from, pages))} y="0.75" width={pct(share(len, pages).max(0.4))} height="12.5" rx="2" />
        </svg>
    }
}

#[derive(Properties, PartialEq)]
struct ExtentsProps {
    ext4: Rc<Ext4>,
}

#[component]
fn Extents(props: &ExtentsProps) -> Html {
    let send = use_send();
    let ext4 = &props.ext4;
    let label: Vec<&str> = ext4.extents.iter().map(|extent| extent.label.as_str()).collect();
    let cells = ext4.extents.iter().map(|extent| {
        let send = send.clone();
        let open = extent.pblk.map(|block| Callback::from(move |_: MouseEvent| send.emit(Command::OpenBlock(block))));
        extent_cell(extent, ext4, open)
    });
    html! {
        <ByteBar bar={Bar::File(ext4.clone())} class="by-file" keys=false>
            <svg class="extents" width="100%" height="24" role="img" aria-label={label.join("; ")} data-testid="extents">{ for cells }</svg>
        </ByteBar>
    }
}

/// Position and width on the axis of file blocks.
fn on_axis(extent: &ExtentCell, ext4: &Ext4) -> (f64, f64) {
    (share(extent.lblk.saturating_sub(ext4.axis_from), ext4.axis_blocks), share(extent.len, ext4.axis_blocks))
}

fn extent_cell(extent: &ExtentCell, ext4: &Ext4, open: Option<Callback<MouseEvent>>) -> Html {
    let (x, width) = on_axis(extent, ext4);
    let (class, fill, letter) = match extent.kind {
        ExtentKind::Hole => ("ex ex-hole", None, "·"),
        ExtentKind::Written => ("ex ex-written", None, "W"),
        ExtentKind::Unwritten => ("ex ex-unwritten", Some("url(#p-unwritten)"), "u"),
        ExtentKind::Delayed => ("ex ex-delayed", Some("url(#p-delayed)"), "d"),
        ExtentKind::Unknown => ("ex ex-unknown", None, "?"),
    };
    let text = match fits(&extent.text, width, PATH_PX) {
        Some("") => vec![(extent.text.as_str(), "")],
        Some(_) => vec![(extent.text.as_str(), "wide"), (letter, "narrow")],
        None => fits(letter, width, PATH_PX).map(|class| (letter, class)).into_iter().collect(),
    };
    let hue = match extent.kind {
        ExtentKind::Delayed | ExtentKind::Unwritten => "dl",
        ExtentKind::Hole | ExtentKind::Unknown => "q",
        ExtentKind::Written => "i",
    };
    html! {
        <g onclick={open} class={extent.pblk.is_some().then_some("opens")}>
            <title>{ &extent.label }</title>
            <rect {class} {fill} x={pct(x + 0.25)} y="3" width={pct((width - 0.5).max(0.2))} height="18.5" rx="2" />
            if extent.changed {
                <rect class="chg" x={pct(x)} y="2" width={pct(width)} height="20" />
                <circle class="chgdot" cx={pct(x + width)} cy="2" r="4" transform="translate(-3 0)" />
            }
            for (text, class) in text { <text class={classes!("ext", "halo", hue, class)} x={pct(x + width / 2.0)} y="16" text-anchor="middle">{ text }</text> }
        </g>
    }
}

/// From each extent to its blocks; a delayed one ends in an open ring.
fn wires(cache: &PageCache, ext4: &Ext4, disk: &Disk) -> Html {
    let middle = |extent: &ExtentCell| {
        let (x, width) = on_axis(extent, ext4);
        x + width / 2.0
    };
    let mapped =
        ext4.extents.iter().filter_map(|extent| extent.pblk.map(|block| (extent, block))).map(|(extent, block)| {
            let to = share(block, disk.blocks) + share(extent.len, disk.blocks) / 2.0;
            let class = classes!("wire", (extent.kind == ExtentKind::Unwritten).then_some("u"));
            html! { <line {class} x1={decimal(middle(extent), 3)} y1="0" x2={decimal(to, 3)} y2="22" /> }
        });
    let delayed = ext4.extents.iter().filter(|extent| extent.kind == ExtentKind::Delayed).map(|extent| {
        let x = pct(middle(extent));
        html! {
            <>
                <line class="wire d" x1={x.clone()} x2={x.clone()} y1="0" y2="52%" />
                <circle class="noblk" cx={x} cy="62%" r="3.5" />
            </>
        }
    });
    let bios: Vec<_> = disk.bios.iter().filter_map(|bio| Some((bio, way(bio, cache, disk)?))).take(BIOS).collect();
    let lines = bios.iter().map(|(_, (x, to))| {
        html! { <line class="wire w" x1={decimal(*x, 3)} y1="0" x2={decimal(*to, 3)} y2="22" /> }
    });
    let mut taken = Vec::new();
    let marks = bios.iter().map(|(bio, way)| bio_mark(bio, *way, &mut taken)).collect::<Vec<_>>();
    html! {
        <div class="fun grow2" aria-hidden="true">
            <svg class="ovl" width="100%" height="100%" viewBox="0 0 100 22" preserveAspectRatio="none">
                { for mapped }
                { for lines }
            </svg>
            <svg class="ovl" width="100%" height="100%">{ for delayed }{ for marks }</svg>
        </div>
    }
}

/// Requests with a mark at most.
const BIOS: usize = 8;

/// From where to where on the two axes the bytes of a request go; its pages may lie beside those shown.
fn way(bio: &BioRow, cache: &PageCache, disk: &Disk) -> Option<(f64, f64)> {
    let (first, len) = bio.pages?;
    let (from, shown) = (cache.pages.first()?.index, cache.pages.len() as u64);
    let at = |page: u64| share(page.clamp(from, from + shown) - from, shown);
    let x = f64::midpoint(at(first), at(first + len));
    Some((x, share(bio.from, disk.blocks) + share(bio.len, disk.blocks) / 2.0))
}

/// A request on its wire: a square while it waits, a disc in the device, a ring when it is done.
fn bio_mark(bio: &BioRow, (x, to): (f64, f64), taken: &mut Vec<(f64, f64, f64)>) -> Html {
    let (far, d) = match bio.state {
        BioState::Queued => (0.25, "M-3.5-3.5h7v7h-7z"),
        BioState::InDevice => (0.62, "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"),
        BioState::Done => (0.92, "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"),
    };
    let class = match bio.state {
        BioState::Queued => "bm queued",
        BioState::InDevice => "bm inside",
        BioState::Done => "bm done",
    };
    let (at, text) = (x + (to - x) * far, bio.text.split_once(", ").map_or("", |(_, text)| text));
    let need = 100.0 * (text_px(text) + 12.0) / PATH_PX.0;
    let left = at + need > 100.0;
    let span = if left { (at - need, at + 1.0) } else { (at - 1.0, at + need) };
    let told = taken.iter().all(|each| (each.0 - far).abs() > 0.3 || span.1 <= each.1 || span.0 >= each.2);
    if told {
        taken.push((far, span.0, span.1));
    }
    html! {
        <svg x={pct(at)} y={pct(100.0 * far)} width="1" height="1" overflow="visible">
            <path {class} {d} />
            if told { <text class="halo wide bmt" x={if left { "-8" } else { "8" }} y="4" text-anchor={if left { "end" } else { "start" }}>{ text }</text> }
        </svg>
    }
}

#[derive(Properties, PartialEq)]
struct DeviceProps {
    disk: Rc<Disk>,
}

#[component]
fn Device(props: &DeviceProps) -> Html {
    let send = use_send();
    let disk = &props.disk;
    let onclick = {
        let blocks = disk.blocks;
        Callback::from(move |event: MouseEvent| {
            if let Some(at) = pointer_share(&event) {
                send.emit(Command::OpenBlock(to_u64(at * to_f64(blocks), blocks.saturating_sub(1))));
            }
        })
    };
    let width = |len: u64, least: &'static str| {
        let width = share(len, disk.blocks);
        if width < 0.6 { AttrValue::from(least) } else { pct(width) }
    };
    let (names, told_to) = names(disk);
    let regions = disk.regions.iter().map(|region| {
        let class = match region.kind {
            RegionKind::Metadata => "dv it",
            RegionKind::Journal => "dv j",
            RegionKind::Data => "dv f",
            RegionKind::Leaf => "dv lf",
        };
        let x = pct(share(region.from, disk.blocks));
        html! {
            <g>
                <title>{ &region.text }</title>
                <rect {class} x={x.clone()} y="1" width={width(region.len, "3")} height="13" />
                if region.changed { <circle class="chgdot" cx={x} cy="1" r="4" transform="translate(2 0)" /> }
            </g>
        }
    });
    let bios = disk.bios.iter().map(|bio| {
        html! { <rect class={if bio.state == BioState::Queued { "bio queued" } else { "bio" }} x={pct(share(bio.from, disk.blocks))} y="-2" width={width(bio.len, "4")} height="19" /> }
    });
    html! {
        <ByteBar bar={Bar::Device(disk.clone())} class="by-device">
        <svg class="device" width="100%" height="30" role="img" aria-label={disk.label.clone()} data-testid="device" {onclick}>
            <rect class="dv" x="0" y="1" width="100%" height="13" />
            { for regions }
            { for bios }
            { for names }
            if told_to < 92.0 && disk.blocks > 0 { <text x="100%" y="27" text-anchor="end">{ number(disk.blocks - 1) }</text> }
        </svg>
        </ByteBar>
    }
}

/// Names of the regions: inside where they fit, else below, where none runs into another. Data comes first.
fn names(disk: &Disk) -> (Vec<Html>, f64) {
    let mut below: Vec<(f64, f64)> = Vec::new();
    let mut out = Vec::new();
    let mut inside: Vec<&str> = Vec::new();
    let rank = |region: &Region| match region.kind {
        RegionKind::Data => 0,
        RegionKind::Journal => 1,
        RegionKind::Leaf => 2,
        RegionKind::Metadata => 3,
    };
    let mut regions: Vec<&Rc<Region>> = disk.regions.iter().collect();
    regions.sort_by_key(|region| (rank(region), std::cmp::Reverse(region.len)));
    for region in regions {
        let (x, width) = (share(region.from, disk.blocks), share(region.len, disk.blocks));
        if let Some(class) = fits(&region.text, width, PATH_PX) {
            inside.push(&region.text);
            out.push(html! { <text class={classes!("i", class)} x={pct(x + width / 2.0)} y="11.5" text-anchor="middle">{ &region.text }</text> });
            continue;
        }
        let need = 100.0 * (text_px(&region.text) + 8.0) / PATH_PX.0;
        let from = (x + width / 2.0 - need / 2.0).clamp(0.0, (100.0 - need).max(0.0));
        let told = inside.contains(&region.text.as_str());
        if !told && below.iter().all(|&(other, end)| from >= end || from + need <= other) {
            below.push((from, from + need));
            let class = (region.kind != RegionKind::Data).then_some("wide");
            out.push(html! { <text class={classes!("i", class)} x={pct(from)} y="27">{ &region.text }</text> });
        }
    }
    (out, below.iter().map(|name| name.1).fold(0.0, f64::max))
}

fn journal(journal: &Journal, bios: &[Rc<BioRow>], send: &Send, bytes: &Bytes) -> Html {
    let fail = |bio: &BioRow| {
        let (send, what) = (send.clone(), Intervention::FailRequest(bio.from, bio.len, bio.write));
        move |_: MouseEvent| send.emit(Command::Intervene(what))
    };
    html! {
        <div class="jr" data-testid="journal">
            <div>
                for tx in journal.transactions.iter() {
                    <span key={tx.tid} class={classes!("tx", tx.changed.then_some("chg-o"))}>
                        <span><b>{ "tx " }{ tx.tid }</b>{ " " }<span class="state">{ &tx.state }</span>if !tx.text.is_empty() { { ": " }{ &tx.text } }</span>
                    </span>
                }
                if journal.transactions.is_empty() { <span>{ t().no_transaction }</span> }
            </div>
            <div>
                <span>{ if journal.handle.is_empty() { t().no_handle } else { journal.handle.as_str() } }{ if journal.handle_changed { " ●" } else { "" } }</span>
                <ul class="bios" aria-label={t().in_flight} data-testid="bios">
                    for (n, bio) in bios.iter().take(BIOS).enumerate() {
                        <li><button class="bioname" type="button" title={t().fail_request_long}
                            onfocus={bytes.about(Spot::Bio(n), 0)} onblur={bytes.nothing()} onpointerenter={bytes.about(Spot::Bio(n), REST_MS)} onpointerleave={bytes.nothing()} aria-label={format!("{}. {}", bio.text, t().fail_request)} onclick={fail(bio)}>{ &bio.text }{ if bio.changed { " ●" } else { "" } }</button></li>
                    }
                    if bios.len() > BIOS { <li>{ format!("+{}", bios.len() - BIOS) }</li> }
                </ul>
            </div>
        </div>
    }
}
