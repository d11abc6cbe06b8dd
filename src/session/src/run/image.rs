//! The image a run begins with, and the bytes it leaves.

use ondisk::Pblk;
use ondisk::mkfs::{BlockWrite, mkfs};
use world::{PAGE_SIZE, UnitId, World};

use kernel::block::ramdisk::unit_bytes;

use super::{BOOT_SECONDS, RunError};
use crate::scenario::{Image, Scenario};

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
            let mut options = wanted.options().map_err(|reason| RunError::Mkfs(reason.to_string()))?;
            options.time = BOOT_SECONDS;
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
