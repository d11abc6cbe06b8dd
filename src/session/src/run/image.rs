//! The image a run begins with, and the bytes it leaves.

use ondisk::Pblk;
use ondisk::mkfs::{BlockWrite, MkfsOptions, mkfs};
use world::{PAGE_SIZE, UnitId, World};

use kernel::block::ramdisk::unit_bytes;

use super::{BOOT_SECONDS, RunError};
use crate::scenario::{Image, Mkfs, Scenario};

/// Puts the scenario's image on the device; gives its size in bytes.
pub(super) fn load(w: &mut World, scenario: &Scenario, upload: Option<&[u8]>) -> Result<u64, RunError> {
    match &scenario.image {
        Image::Upload(wanted) => {
            let bytes = upload
                .ok_or_else(|| RunError::ImageMissing { name: wanted.name.clone(), sha256: wanted.sha256.clone() })?;
            store(w, 0, bytes);
            w.device.reserve_slots(bytes.len().div_ceil(PAGE_SIZE as usize));
            Ok(bytes.len() as u64)
        }
        Image::Mkfs(wanted) => {
            let options = mkfs_options(wanted)?;
            w.device.reserve_slots((options.size_bytes / PAGE_SIZE) as usize);
            let block_size = u64::from(options.block_size);
            mkfs(&options, &mut Device { world: w, block_size }).map_err(|error| RunError::Mkfs(error.to_string()))?;
            Ok(options.size_bytes)
        }
    }
}

struct Device<'a> {
    world: &'a mut World,
    block_size: u64,
}

impl BlockWrite for Device<'_> {
    fn write_block(&mut self, block: Pblk, data: &[u8]) -> std::io::Result<()> {
        store(self.world, block.0 * self.block_size, data);
        Ok(())
    }
}

/// Stores bytes at a device offset; zeros that were never written stay unstored.
fn store(w: &mut World, offset: u64, bytes: &[u8]) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (unit, within) = (UnitId((at / PAGE_SIZE) as u32), (at % PAGE_SIZE) as usize);
        let (piece, left) = rest.split_at(rest.len().min(PAGE_SIZE as usize - within));
        let stored = matches!(w.device.get(unit), Some(Some(_)));
        if stored || piece.iter().any(|&byte| byte != 0) {
            let mut block = *unit_bytes(w, unit);
            block[within..within + piece.len()].copy_from_slice(piece);
            *w.unit_mut(unit) = Some(std::sync::Arc::new(block));
        }
        at += piece.len() as u64;
        rest = left;
    }
}

/// What mkfs is told for an image of a scenario.
///
/// # Errors
/// An identity that is none, or a feature that our mkfs cannot switch.
pub fn mkfs_options(wanted: &Mkfs) -> Result<MkfsOptions, RunError> {
    let mut options = MkfsOptions::new(u64::from(wanted.size_mib) << 20, wanted.block_size);
    let uuid = parse_uuid(&wanted.uuid).ok_or_else(|| RunError::Mkfs(format!("`{}` is no UUID", wanted.uuid)))?;
    options.uuid = uuid;
    options.hash_seed = uuid;
    options.time = BOOT_SECONDS;
    options.cluster_size = wanted.cluster_size;
    options.reserved_percent = wanted.reserved_percent;
    options.inodes_count = wanted.inodes;
    options.journal_size_mib = wanted.journal_mib;
    if let Some(ratio) = wanted.inode_ratio {
        options.inode_ratio = ratio;
    }
    for (to, from) in options.label.iter_mut().zip(wanted.label.bytes()) {
        *to = from;
    }
    for feature in &wanted.features {
        let (name, on) = feature.strip_prefix('^').map_or((feature.as_str(), true), |name| (name, false));
        let switch = match name {
            "has_journal" => &mut options.has_journal,
            "extent" | "extents" => &mut options.extents,
            "64bit" => &mut options.bits64,
            "inline_data" => &mut options.inline_data,
            "resize_inode" => &mut options.resize_inode,
            "metadata_csum" => &mut options.metadata_csum,
            "bigalloc" => continue, // the cluster size says it
            _ => return Err(RunError::Mkfs(format!("the feature {name} cannot be switched"))),
        };
        *switch = on;
    }
    Ok(options)
}

/// 16 bytes of `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u32> = text.chars().filter(|&c| c != '-').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect();
    (digits.len() == 32).then(|| bytes.try_into().ok())?
}

/// The device's bytes.
#[must_use]
pub fn image_bytes(w: &World, size_bytes: u64) -> Vec<u8> {
    let mut bytes = vec![0; size_bytes as usize];
    for (unit, chunk) in bytes.chunks_mut(PAGE_SIZE as usize).enumerate() {
        let id = UnitId(unit as u32);
        if matches!(w.device.get(id), Some(Some(_))) {
            chunk.copy_from_slice(&unit_bytes(w, id)[..chunk.len()]);
        }
    }
    bytes
}
