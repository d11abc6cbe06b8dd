//! The file in ext4's eyes: extents on the axis of the page cells, and sizes.

use std::collections::BTreeMap;
use std::rc::Rc;

use kernel::fs::ext4::extents_status::{ES_DELAYED, ES_HOLE, ES_UNWRITTEN, ES_WRITTEN};
use ondisk::layout::extent::{DEPTH_MAX, Extent, Header, Index};
use ondisk::layout::superblock::Superblock;
use world::{BhFlags, Change, Counter, ExtentStatus, InodeId, InodeSize, PAGE_SIZE, UnitId, World};

use crate::frame::{Ext4, ExtentCell, ExtentKind, Fact};
use crate::moment::{Moment, count, number, span};
use crate::rows::cache::Window;

/// EXT4_EXTENTS_FL.
const EXTENTS_FL: u32 = 0x8_0000;
/// Nodes of a tree looked at, so that a damaged one cannot hold the screen up.
const NODES_MAX: usize = 512;

/// Bytes of a file system block.
#[must_use]
pub fn block_size(w: &World) -> u64 {
    match w.sb().block_bits {
        // Not mounted: the device's superblock says.
        0 => {
            let unit = w.device.get(UnitId(0)).and_then(Option::as_ref);
            let superblock = unit.and_then(|unit| Superblock::parse(&unit[1024..2048]).ok());
            superblock.map_or(4096, |sb| u64::from(sb.block_size()).clamp(1024, PAGE_SIZE))
        }
        bits => 1 << bits.clamp(10, 12),
    }
}

/// A block's bytes as the kernel would see them: the cached copy, else the device's.
#[must_use]
pub fn block_bytes(w: &World, block: u64) -> Vec<u8> {
    cached_block(w, block).unwrap_or_else(|| device_block(w, block))
}

/// The copy of a block in the device's page cache, if it is uptodate.
#[must_use]
pub fn cached_block(w: &World, block: u64) -> Option<Vec<u8>> {
    let size = block_size(w);
    let index = u32::try_from(block * size / PAGE_SIZE).ok()?;
    let page = w.find_page(InodeId::BDEV, index)?;
    let bh = w.page_bhs(page).find(|bh| w.bhs.at(*bh).blocknr == block)?;
    let head = w.bhs.at(bh);
    head.flags.contains(BhFlags::UPTODATE).then(|| w.bh_bytes(bh).to_vec())
}

/// A block's bytes on the device.
#[must_use]
pub fn device_block(w: &World, block: u64) -> Vec<u8> {
    let size = block_size(w);
    let at = block * size;
    let unit = UnitId(u32::try_from(at / PAGE_SIZE).unwrap_or(u32::MAX));
    match w.device.get(unit) {
        Some(Some(bytes)) => {
            let from = (at % PAGE_SIZE) as usize;
            bytes[from..from + size as usize].to_vec()
        }
        _ => vec![0; size as usize],
    }
}

/// The extents of a tree, and the blocks of its nodes; `None` for what cannot be read.
#[must_use]
pub fn extents(w: &World, root: &[u8]) -> Option<(Vec<Extent>, Vec<u64>)> {
    let mut extents = Vec::new();
    let mut nodes = Vec::new();
    walk(w, root, DEPTH_MAX, &mut extents, &mut nodes).then_some((extents, nodes))
}

fn walk(w: &World, node: &[u8], depth_max: u16, extents: &mut Vec<Extent>, nodes: &mut Vec<u64>) -> bool {
    let Ok(header) = Header::parse(node) else { return false };
    if header.depth == 0 {
        extents.extend(Extent::all(node));
        return true;
    }
    if header.depth > depth_max {
        return false;
    }
    for index in Index::all(node) {
        if nodes.len() >= NODES_MAX || index.leaf.0 >= w.sb().blocks {
            return false;
        }
        nodes.push(index.leaf.0);
        if !walk(w, &block_bytes(w, index.leaf.0), header.depth - 1, extents, nodes) {
            return false;
        }
    }
    true
}

/// The extents of an inode on disk; `None` if it has no extent tree.
#[must_use]
pub fn inode_extents(w: &World, inode: InodeId) -> Option<(Vec<Extent>, Vec<u64>)> {
    let has = w.inodes.get(inode).is_some_and(|inode| inode.flags & EXTENTS_FL != 0);
    has.then(|| extents(w, &w.idata.get(inode)?.0)).flatten()
}

type Cell = (ExtentKind, Option<u64>);

fn classify(es: &BTreeMap<u32, ExtentStatus>, tree: Option<&[Extent]>, lblk: u32) -> Cell {
    let known = es.range(..=lblk).next_back();
    if let Some((from, status)) = known.filter(|(from, status)| lblk - **from < status.len) {
        let pblk = Some(status.pblk + u64::from(lblk - from));
        if status.status & ES_UNWRITTEN != 0 {
            return (ExtentKind::Unwritten, pblk);
        }
        if status.status & ES_DELAYED != 0 {
            return (ExtentKind::Delayed, None);
        }
        if status.status & ES_WRITTEN != 0 {
            return (ExtentKind::Written, pblk);
        }
        if status.status & ES_HOLE != 0 {
            return (ExtentKind::Hole, None);
        }
    }
    let Some(tree) = tree else { return (ExtentKind::Unknown, None) };
    let found = tree.iter().find_map(|extent| Some((extent, extent.map(ondisk::Lblk(lblk))?)));
    match found {
        Some((extent, pblk)) if extent.unwritten => (ExtentKind::Unwritten, Some(pblk.0)),
        Some((_, pblk)) => (ExtentKind::Written, Some(pblk.0)),
        None => (ExtentKind::Hole, None),
    }
}

/// Extents and sizes of the file.
#[must_use]
pub fn ext4(m: &Moment, inode: InodeId, window: Window) -> Ext4 {
    let per_page = PAGE_SIZE / block_size(m.w);
    let (axis_from, axis_blocks) = (window.from * per_page, window.len * per_page);
    let es: BTreeMap<u32, ExtentStatus> =
        m.w.es.entries().range((inode, 0)..=(inode, u32::MAX)).map(|((_, lblk), status)| (*lblk, *status)).collect();
    let tree = inode_extents(m.w, inode);
    let tree = tree.as_ref().map(|(extents, _)| &extents[..]);
    let mut old_es = es.clone();
    let mut changed = false;
    for change in &m.changes {
        if let Change::es((id, lblk), old) = change
            && *id == inode
        {
            changed = true;
            match old {
                Some(old) => old_es.insert(*lblk, *old),
                None => old_es.remove(lblk),
            };
        }
    }
    let old_root = m.changes.iter().find_map(|change| match change {
        Change::idata(id, old) if *id == inode => Some(*old),
        _ => None,
    });
    let old_tree = old_root.and_then(|root| extents(m.w, &root.0));
    let old_tree = old_tree.as_ref().map_or(tree, |(extents, _)| Some(&extents[..]));
    let changed = changed || old_root.is_some();
    let mut cells: Vec<ExtentCell> = Vec::new();
    for lblk in axis_from..axis_from + axis_blocks {
        let at = u32::try_from(lblk).unwrap_or(u32::MAX);
        let (kind, pblk) = classify(&es, tree, at);
        let new = changed && classify(&old_es, old_tree, at).0 != kind;
        match cells.last_mut() {
            Some(last)
                if last.kind == kind
                    && last.changed == new
                    && pblk == last.pblk.map(|first| first + last.len)
                    && (kind != ExtentKind::Delayed || per_page > 1 || axis_blocks > 16) =>
            {
                last.len += 1;
            }
            _ => cells.push(ExtentCell { lblk, len: 1, kind, pblk, changed: new, ..ExtentCell::default() }),
        }
    }
    for cell in &mut cells {
        (cell.text, cell.label) = words(cell);
    }
    Ext4 {
        facts: facts(m, inode),
        active: m.kept_pages().iter().filter(|page| m.w.pages.at(**page).mapping == inode).any(|page| {
            m.w.page_bhs(*page).any(|bh| {
                let flags = m.w.bhs.at(bh).flags;
                flags.contains(BhFlags::MAPPED) && !flags.contains(BhFlags::DELAY)
            })
        }),
        axis_from,
        axis_blocks,
        extents: cells.into_iter().map(Rc::new).collect(),
    }
}

fn words(cell: &ExtentCell) -> (String, String) {
    let blocks = span(cell.lblk, cell.lblk + cell.len);
    let one = if cell.len == 1 { "block" } else { "blocks" };
    let place = cell.pblk.map_or_else(String::new, |first| span(first, first + cell.len));
    match cell.kind {
        ExtentKind::Hole => (tr!("hole"), tr!("{} {}: hole", one, blocks)),
        ExtentKind::Written => (place.clone(), tr!("{} {}: on device block {}", one, blocks, place)),
        ExtentKind::Unwritten => (format!("u {place}"), tr!("{} {}: unwritten, device block {}", one, blocks, place)),
        ExtentKind::Delayed => {
            ("d".to_owned(), tr!("{} {}: delayed, {} reserved", one, blocks, count(cell.len, "block")))
        }
        ExtentKind::Unknown => ("?".to_owned(), tr!("{} {}: not looked up", one, blocks)),
    }
}

fn facts(m: &Moment, inode: InodeId) -> Vec<Fact> {
    let size = m.w.sizes.get(inode).copied().unwrap_or_default();
    let old: Option<InodeSize> = m.changes.iter().find_map(|change| match change {
        Change::sizes(id, old) if *id == inode => Some(*old),
        _ => None,
    });
    let old = old.unwrap_or(size);
    let free = |clusters: u64, reserved: u64| clusters.saturating_sub(reserved);
    let (now, before) = (
        free(m.w.counter(Counter::FreeClusters), m.w.counter(Counter::DirtyClusters)),
        free(m.old_counter(Counter::FreeClusters), m.old_counter(Counter::DirtyClusters)),
    );
    let unit = if m.w.sb().cluster_bits > 0 { "cluster" } else { "block" };
    vec![
        Fact {
            text: tr!("{} reserved", count(u64::from(size.reserved), unit)),
            changed: size.reserved != old.reserved,
        },
        Fact { text: tr!("{} free", number(now)), changed: now != before },
        Fact { text: format!("i_size {}", number(size.i_size)), changed: size.i_size != old.i_size },
        Fact { text: format!("i_disksize {}", number(size.i_disksize)), changed: size.i_disksize != old.i_disksize },
    ]
}
