//! Page cells over extents over the device: one axis of file blocks, wires to the blocks.

use std::rc::Rc;

use view::frame::{BioRow, CellState, Disk, Ext4, ExtentCell, ExtentKind, Journal, PageCache, Region, RegionKind};
use view::number;
use yew::prelude::*;

use super::timeline::pointer_share;
use crate::draw::{PATH_PX, fits, pct, share, to_f64, to_u64};
use crate::player::{Command, use_send};
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
    html! {
        <>
            { zoom(&props.cache) }
            <Cells cache={props.cache.clone()} />
            <Extents ext4={props.ext4.clone()} />
            { wires(&props.ext4, &props.disk) }
            <Device disk={props.disk.clone()} />
            { journal(&props.journal, &props.disk.bios) }
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
                <polygon class="zoom" points={format!("0,0 100,0 {:.3},12 {:.3},12", edge(at + 1), edge(at))} />
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
        let class = match cell.state {
            CellState::Absent => None,
            CellState::NotUptodate => Some("newc"),
            CellState::Clean => Some("cleanc"),
            CellState::Dirty => Some("dirtyc"),
            CellState::Writeback => Some("wbc"),
            CellState::DirtyWriteback => Some("bothc"),
            CellState::Error => Some("errc"),
        };
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
        <svg class="extents" width="100%" height="24" role="img" aria-label={label.join("; ")} data-testid="extents">{ for cells }</svg>
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
fn wires(ext4: &Ext4, disk: &Disk) -> Html {
    let middle = |extent: &ExtentCell| {
        let (x, width) = on_axis(extent, ext4);
        x + width / 2.0
    };
    let mapped =
        ext4.extents.iter().filter_map(|extent| extent.pblk.map(|block| (extent, block))).map(|(extent, block)| {
            let to = share(block, disk.blocks) + share(extent.len, disk.blocks) / 2.0;
            let class = classes!("wire", (extent.kind == ExtentKind::Unwritten).then_some("u"));
            html! { <line {class} x1={format!("{:.3}", middle(extent))} y1="0" x2={format!("{to:.3}")} y2="22" /> }
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
    html! {
        <div class="fun grow2" aria-hidden="true">
            <svg class="ovl" width="100%" height="100%" viewBox="0 0 100 22" preserveAspectRatio="none">{ for mapped }</svg>
            <svg class="ovl" width="100%" height="100%">{ for delayed }</svg>
        </div>
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
        html! { <rect class="bio" x={pct(share(bio.from, disk.blocks))} y="-2" width={width(bio.len, "4")} height="19" /> }
    });
    html! {
        <svg class="device" width="100%" height="30" role="img" aria-label={disk.label.clone()} data-testid="device" {onclick}>
            <rect class="dv" x="0" y="1" width="100%" height="13" />
            { for regions }
            { for bios }
            { for names }
            if told_to < 92.0 && disk.blocks > 0 { <text x="100%" y="27" text-anchor="end">{ number(disk.blocks - 1) }</text> }
        </svg>
    }
}

/// Names of the regions: inside where they fit, else below, where none runs into another. Data comes first.
fn names(disk: &Disk) -> (Vec<Html>, f64) {
    let mut below: Vec<(f64, f64)> = Vec::new();
    let mut out = Vec::new();
    let rank = |region: &Region| match region.kind {
        RegionKind::Data => 0,
        RegionKind::Journal => 1,
        RegionKind::Leaf => 2,
        RegionKind::Metadata => 3,
    };
    let mut regions: Vec<&Rc<Region>> = disk.regions.iter().collect();
    regions.sort_by_key(|region| (rank(region), region.from));
    for region in regions {
        let (x, width) = (share(region.from, disk.blocks), share(region.len, disk.blocks));
        if let Some(class) = fits(&region.text, width, PATH_PX) {
            out.push(html! { <text class={classes!("i", class)} x={pct(x + width / 2.0)} y="11.5" text-anchor="middle">{ &region.text }</text> });
            continue;
        }
        let chars = to_f64(u64::try_from(region.text.chars().count()).unwrap_or(0));
        let need = 100.0 * (6.7 * chars + 8.0) / PATH_PX.0;
        let from = (x + width / 2.0 - need / 2.0).clamp(0.0, (100.0 - need).max(0.0));
        if below.iter().all(|&(other, end)| from >= end || from + need <= other) {
            below.push((from, from + need));
            let class = (region.kind != RegionKind::Data).then_some("wide");
            out.push(html! { <text class={classes!("i", class)} x={pct(from)} y="27">{ &region.text }</text> });
        }
    }
    (out, below.iter().map(|name| name.1).fold(0.0, f64::max))
}

fn journal(journal: &Journal, bios: &[Rc<BioRow>]) -> Html {
    html! {
        <div class="jr" data-testid="journal">
            for tx in journal.transactions.iter() {
                <span key={tx.tid} class={classes!("tx", tx.changed.then_some("chg-o"))}>
                    <span><b>{ "tx " }{ tx.tid }</b>{ " " }{ &tx.state }if !tx.text.is_empty() { { ": " }{ &tx.text } }</span>
                </span>
            }
            if journal.transactions.is_empty() { <span>{ t().no_transaction }</span> }
            <span>{ if journal.handle.is_empty() { t().no_handle } else { journal.handle.as_str() } }{ if journal.handle_changed { " ●" } else { "" } }</span>
            for bio in bios.iter().take(3) {
                <span class="bioname"><span class="vh">{ t().in_flight }</span>{ &bio.text }{ if bio.changed { " ●" } else { "" } }</span>
            }
            if bios.len() > 3 { <span>{ format!("+{}", bios.len() - 3) }</span> }
        </div>
    }
}
