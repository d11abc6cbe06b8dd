//! Blocks for those who go past the page cache: `ext4_iomap_begin()`, for direct
//! I/O and DAX.

use sched::Kthread;
use world::{Errno, InodeId};

use crate::fs::buffer::block_size;
use crate::fs::ext4::balloc::ext4_should_retry_alloc;
use crate::fs::ext4::dio::NOT_BLOCK;
use crate::fs::ext4::ext4_jbd2::{HandleType, ext4_journal_start, ext4_journal_stop};
use crate::fs::ext4::extents_status::EXT_MAX_BLOCKS;
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, MapFlags, ext4_map_blocks, has_extents};
use crate::fs::ext4::super_::{ext4_meta_trans_blocks, graph_meta_trans_blocks};
use crate::fs::inode::is_dax;
use crate::trace::Graph as _;
use crate::trace::call;
use crate::{probe, site};

/// DIO_MAX_BLOCKS.
const DIO_MAX_BLOCKS: u32 = 4096;

/// The blocks that bytes `pos..pos + len` touch.
pub(in crate::fs::ext4) fn blocks_of(kt: &Kthread, pos: u64, len: u64) -> Option<MapBlocks> {
    let block = kt.with(|w| block_size(w));
    let lblk = u32::try_from(pos / block).ok().filter(|&lblk| lblk != EXT_MAX_BLOCKS)?;
    let last = u32::try_from((pos + len - 1) / block).unwrap_or(u32::MAX).min(EXT_MAX_BLOCKS - 1);
    Some(MapBlocks { lblk, len: last - lblk + 1, ..MapBlocks::default() })
}

/// `ext4_iomap_begin()`, fs/ext4/inode.c:3514: what lies at `pos`; for a write,
/// blocks are allocated where there are none.
///
/// # Errors
/// `EINVAL` behind the last block a file can have, or what the mapping gives.
pub async fn ext4_iomap_begin(
    kt: &Kthread,
    inode: InodeId,
    pos: u64,
    len: u64,
    write: bool,
) -> Result<MapBlocks, Errno> {
    let mut map = blocks_of(kt, pos, len).ok_or(Errno::EINVAL)?;
    call!(kt, &site::EXT4_IOMAP_BEGIN, &[pos, len, u64::from(map.lblk)], async {
        let there = write && pos + len <= kt.with(|w| w.sizes.at(inode).i_size) && {
            let found = ext4_map_blocks(kt, inode, &mut map, GetBlocks::empty()).await?;
            found > 0 && map.flags.contains(MapFlags::MAPPED)
        };
        if there {
            probe!(kt, EIB_FOUND, pblk = map.pblk, blocks = map.len).await;
        } else if write {
            ext4_iomap_alloc(kt, inode, &mut map).await?;
            probe!(kt, EIB_ALLOC, pblk = map.pblk, blocks = map.len).await;
        } else {
            ext4_map_blocks(kt, inode, &mut map, GetBlocks::empty()).await?;
            probe!(kt, EIB_LOOKED, pblk = map.pblk, blocks = map.len).await;
        }
        kt.graph("ext4_set_iomap { jbd2_transaction_committed }");
        Ok::<(), Errno>(())
    })
    .await?;
    Ok(map)
}

/// `ext4_iomap_alloc()`, fs/ext4/inode.c:3452: of a DAX file the new blocks are
/// zeroed. Else behind `i_size` they are written at once, inside it they stay
/// unwritten until the data is there.
async fn ext4_iomap_alloc(kt: &Kthread, inode: InodeId, map: &mut MapBlocks) -> Result<(), Errno> {
    map.len = map.len.min(DIO_MAX_BLOCKS);
    kt.with(|w| graph_meta_trans_blocks(w, inode));
    let credits = kt.with(|w| ext4_meta_trans_blocks(w, inode, map.len, 1));
    let mut retries = 0;
    loop {
        ext4_journal_start(kt, HandleType::MapBlocks, credits).await?;
        let flags = kt.with(|w| {
            let behind = u64::from(map.lblk) * block_size(w) >= w.sizes.at(inode).i_size;
            if is_dax(w, inode) {
                GetBlocks::CREATE | GetBlocks::ZERO
            } else if behind {
                GetBlocks::CREATE
            } else if has_extents(w, inode) {
                GetBlocks::CREATE | GetBlocks::UNWRIT_EXT | GetBlocks::PRE_IO
            } else {
                // A hole of a block-mapped file: stale data could show after a crash.
                GetBlocks::empty()
            }
        });
        let mut mapped = ext4_map_blocks(kt, inode, map, flags).await;
        if flags.is_empty() && mapped == Ok(0) {
            mapped = Err(NOT_BLOCK);
        }
        // The kernel drops the error of stopping.
        let _ = ext4_journal_stop(kt).await;
        if mapped == Err(Errno::ENOSPC) && ext4_should_retry_alloc(kt, &mut retries).await {
            continue;
        }
        return mapped.map(|_| ());
    }
}
