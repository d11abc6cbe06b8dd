//! The journal as a whole: its superblock, and its end. Mirrors fs/jbd2/journal.c.

use ondisk::Ino;
use ondisk::layout::journal::{JournalIncompat, JournalSuperblock};
use ondisk::layout::superblock::Incompat;
use sched::Kthread;
use world::{BhFlags, BhId, Errno, World};

use crate::block::ramdisk::{REQ_META, REQ_SYNC};
use crate::fs::buffer::{bread, mark_buffer_dirty, submit_bh_write, wait_on_buffer};
use crate::fs::ext4::inode::map::{GetBlocks, MapBlocks, ext4_map_blocks};
use crate::fs::ext4::super_::{block_of_dir, has_csum, has_journal, put_changed};
use crate::fs::jbd2::commit::drop_running_transaction;
use crate::point;
use crate::trace::Graph as _;

/// REQ_SYNC and REQ_FUA, as the kernel's bits.
const REQ_SYNC_FUA: u64 = 0x2_0800;

/// `is_journal_aborted()`, include/linux/jbd2.h.
#[must_use]
pub fn is_journal_aborted(w: &World) -> bool {
    w.sb().aborted
}

/// The buffer of the journal's first block, which stays in memory while mounted.
///
/// # Errors
/// `EIO` if it cannot be read.
pub async fn journal_superblock(kt: &Kthread) -> Result<BhId, Errno> {
    if let Some(bh) = kt.with(|w| cached_superblock(w)) {
        return Ok(bh);
    }
    let inode = kt.with(|w| w.inode_hash.get(Ino::JOURNAL.0)).ok_or(Errno::EIO)?;
    let mut map = MapBlocks { lblk: 0, len: 1, ..MapBlocks::default() };
    if ext4_map_blocks(kt, inode, &mut map, GetBlocks::empty()).await? == 0 {
        return Err(Errno::EUCLEAN);
    }
    bread(kt, map.pblk, REQ_META).await
}

fn cached_superblock(w: &World) -> Option<BhId> {
    block_of_dir(w, w.inode_hash.get(Ino::JOURNAL.0)?, 0)
}

/// `jbd2_journal_abort()`, fs/jbd2/journal.c:2436: the running transaction is
/// lost, and the log's superblock says why, but for `ESHUTDOWN`.
pub async fn jbd2_journal_abort(kt: &Kthread, errno: Errno) {
    if let Some(bh) = kt.with(|w| journal_abort(w, errno)) {
        wait_on_buffer(kt, bh).await;
    }
}

/// The same, but nobody waits for the superblock, whose buffer is given.
pub fn journal_abort(w: &mut World, errno: Errno) -> Option<BhId> {
    if !has_journal(w) || is_journal_aborted(w) {
        return None;
    }
    w.sb_mut().aborted = true;
    drop_running_transaction(w);
    let bh = cached_superblock(w)?;
    if errno != Errno::ESHUTDOWN
        && let Ok(old) = JournalSuperblock::parse(w.bh_bytes(bh))
    {
        let mut new = old;
        new.s_errno.set(-i32::from(errno as u16) as u32);
        new.update_checksum();
        put_changed(w, bh, 0, old.as_bytes(), new.as_bytes());
    }
    w.graph("jbd2_journal_abort { jbd2_journal_update_sb_errno { jbd2_write_superblock { jbd2_superblock_csum");
    point!(w, JBD2_WRITE_SUPERBLOCK, REQ_SYNC_FUA);
    // Submitted at once: dirty without a place on any list.
    w.bh_mut(bh).flags.insert(BhFlags::DIRTY);
    submit_bh_write(w, bh, REQ_SYNC);
    w.graph("} } }");
    Some(bh)
}

/// `jbd2_journal_destroy()`, fs/jbd2/journal.c: the log is empty and the next
/// transaction's number is kept, with the features that ext4 asks for.
///
/// # Errors
/// `EIO` if the log's superblock cannot be written.
pub async fn mark_journal_empty(kt: &Kthread) -> Result<(), Errno> {
    let bh = journal_superblock(kt).await?;
    kt.with(|w| {
        let old = JournalSuperblock::parse(w.bh_bytes(bh)).map_err(|_| Errno::EUCLEAN)?;
        let next = w.sb().next_tid;
        if next == old.s_sequence.get().wrapping_add(1).max(1) {
            return Ok(()); // no transaction ran, so the kernel leaves it alone
        }
        let mut new = old;
        let mut features = new.incompat();
        features.set(JournalIncompat::CSUM_V3, has_csum(w));
        features
            .set(JournalIncompat::BITS64, Incompat::from_bits_retain(w.sb().features[1]).contains(Incompat::BITS64));
        new.s_feature_incompat.set(features.bits());
        new.s_checksum_type = if has_csum(w) { 4 } else { new.s_checksum_type };
        new.s_sequence.set(next.wrapping_add(1));
        new.s_start.set(0);
        new.update_checksum();
        put_changed(w, bh, 0, old.as_bytes(), new.as_bytes());
        mark_buffer_dirty(w, bh);
        submit_bh_write(w, bh, REQ_SYNC);
        Ok(())
    })?;
    wait_on_buffer(kt, bh).await;
    kt.with(|w| if w.bhs.at(bh).flags.contains(BhFlags::WRITE_EIO) { Err(Errno::EIO) } else { Ok(()) })
}
