//! Rows 216 to 358: what lies below write_begin and write_end.

use kernel::fs::ext4::super_::{MountOpts, has_journal};
use kernel::site::*;
use kernel::tracepoint::{EXT4_ES_INSERT_DELAYED_BLOCK, MM_FILEMAP_ADD};
use world::{BhFlags, BufferHead, Change, Counter, Errno, InodeTimes, PAGE_SIZE, Page, PageFlags, PageId, Pte};

use super::super::observe::At;
use super::{Row, at, buffer, covered, hit, number, page, range_of_walk, ret};

/// The inode's times before and after a step inside `file_update_time()` that sets them.
fn stamped(at: &At<'_>) -> Option<(InodeTimes, InodeTimes)> {
    at.changes().iter().find_map(|change| match change {
        Change::times(id, old) => Some((*old, *at.w.times.at(*id))),
        _ => None,
    })
}

fn grabbed(at: &At<'_>) -> Page {
    u32::try_from(at.local("page")).map(|id| at.page(PageId(id))).unwrap_or_default()
}

/// The page whose buffers the walk of write_begin goes through.
fn walked(at: &At<'_>) -> Page {
    at.page(buffer(at).page)
}

/// The buffer got a block that was not there before, and wants no zeros around the data.
fn new_and_covered(at: &At<'_>) -> bool {
    buffer(at).flags.contains(BhFlags::NEW) && covered(at) && !walked(at).flags.contains(PageFlags::UPTODATE)
}

/// The buffer's block was there, and the write will cover it.
fn old_and_covered(at: &At<'_>) -> bool {
    !buffer(at).flags.contains(BhFlags::NEW) && covered(at) && !walked(at).flags.contains(PageFlags::UPTODATE)
}

/// Buffers of a page before and after the step.
fn buffers<'a>(at: &'a At<'_>, id: PageId) -> impl Iterator<Item = (BufferHead, BufferHead)> + 'a {
    let count = at.page(id).nr_bhs;
    (0..count.into()).map(move |n| id.bh(n)).map(|bh| (at.bh_before(bh), *at.w.bhs.at(bh)))
}

fn overlaps(bh: BufferHead, from: i64, to: i64) -> bool {
    i64::from(bh.offset) < to && i64::from(bh.offset) + i64::from(bh.size) > from
}

/// Buffers of the page that write_end commits: before, after, and whether the data lies in them.
fn committed<'a>(at: &'a At<'_>) -> impl Iterator<Item = (BufferHead, BufferHead, bool)> + 'a {
    let from = at.arg(0) % PAGE_SIZE.cast_signed();
    let to = from + at.local("copied");
    buffers(at, page(at)).map(move |(old, new)| (old, new, to > from && overlaps(new, from, to)))
}

fn inside_becomes_dirty(at: &At<'_>) -> bool {
    committed(at)
        .any(|(old, new, inside)| inside && !old.flags.contains(BhFlags::DIRTY) && new.flags.contains(BhFlags::DIRTY))
}

fn page_was_dirty(at: &At<'_>) -> bool {
    at.page_before(page(at)).flags.contains(PageFlags::DIRTY)
}

/// The buffers that `page_zero_new_buffers()` went through: before and after.
fn zeroed<'a>(at: &'a At<'_>) -> impl Iterator<Item = (BufferHead, BufferHead, bool)> + 'a {
    let page = if at.inside(&EXT4_BLOCK_WRITE_BEGIN) { buffer(at).page } else { page(at) };
    buffers(at, page).map(|(old, new)| (old, new, overlaps(new, at.arg(0), at.arg(1))))
}

/// What `pagecache_isize_extended()` finds: where the size was and is, in bytes, and the block size.
struct Extended {
    from: i64,
    to: i64,
    block: i64,
}

impl Extended {
    fn of(at: &At<'_>) -> Self {
        let (from, to) = match at.is_call_of(&EXT4_SETATTR) {
            true => (at.local("oldsize"), at.local("size")),
            false => (at.local("old_size"), at.local("pos")),
        };
        Extended { from, to, block: 1 << at.w.sb().block_bits }
    }

    fn is_trivial(&self) -> bool {
        self.block == PAGE_SIZE.cast_signed() || self.from >= self.to
    }

    fn stays_in_block(&self) -> bool {
        let rounded = (self.from + self.block - 1) / self.block * self.block;
        !self.is_trivial() && (self.to <= rounded || rounded % PAGE_SIZE.cast_signed() == 0)
    }

    fn looks_for_the_page(&self) -> bool {
        !self.is_trivial() && !self.stays_in_block()
    }
}

/// The tail page of the inode whose size grew, if it is cached.
fn tail_page(at: &At<'_>) -> Option<PageId> {
    let index = u32::try_from(Extended::of(at).from / PAGE_SIZE.cast_signed()).ok()?;
    let file = at.page(page(at)).mapping;
    let file = if file.is_some() { file } else { at.locked_inode()? };
    at.w.find_page(file, index)
}

/// Clusters: free, wanted after the claim, kept for metadata, kept for root.
fn clusters(at: &At<'_>) -> [i64; 4] {
    let sb = at.w.sb();
    let counter = |counter| at.w.counter(counter).cast_signed();
    let root = (sb.reserved_blocks >> sb.cluster_bits).cast_signed();
    [counter(Counter::FreeClusters), counter(Counter::DirtyClusters), sb.resv_clusters.cast_signed(), root]
}

fn claim_fits(at: &At<'_>) -> bool {
    let [free, wanted, reserve, root] = clusters(at);
    free >= wanted + reserve + root
}

fn claim_takes_roots(at: &At<'_>) -> bool {
    let [free, wanted, reserve, _] = clusters(at);
    !claim_fits(at) && free >= wanted + reserve
}

fn claim_takes_reserve(at: &At<'_>) -> bool {
    let [free, wanted, reserve, _] = clusters(at);
    wanted <= free && free < wanted + reserve
}

pub(super) const ROWS: &[Row] = &[
    // ---- fs/inode.c ----
    hit(216, &FRP_FAST),
    hit(218, &FRP_KILL),
    at(219, &FRP_NOSEC, |a| a.local("kill") == 0),
    hit(220, &FRP_NOSEC),
    ret(221, &FILE_MODIFIED, |a| a.after(&FM_PRIVS) && a.ret < 0),
    at(223, &STH_JOIN, |a| a.inside(&FILE_UPDATE_TIME) && stamped(a).is_some_and(|(old, new)| old.mtime != new.mtime)),
    at(224, &STH_JOIN, |a| a.inside(&FILE_UPDATE_TIME) && stamped(a).is_some_and(|(old, new)| old.ctime != new.ctime)),
    hit(226, &FUT_SAME),
    hit(227, &FUT_READ_ONLY),
    hit(228, &FUT_DO),
    at(229, &MID_STATE, |a| a.inside(&FILE_UPDATE_TIME) && MountOpts::of(a.w).contains(MountOpts::LAZYTIME)),
    // ---- the page: mm/filemap.c ----
    ret(231, &GRAB_CACHE_PAGE_WRITE_BEGIN, |a| a.after(&GRAB_NO_PAGE)),
    hit(232, &GRAB_SHADOW),
    at(233, &GRAB_INSERT, |a| a.after(&GRAB_LOOKUP)),
    at(234, &GRAB_LOOKUP, |a| grabbed(a).flags.contains(PageFlags::LOCKED)),
    at(235, &GRAB_LOOKUP, |a| a.after(&GRAB_LOOKUP)),
    hit(236, &PGP_ACCESSED),
    hit(238, &GRAB_INSERT),
    hit(239, &GRAB_INSERT),
    hit(241, &GRAB_NO_PAGE),
    at(242, &GRAB_INSERT_FAILED, |a| a.local("err") == number(Errno::ENOMEM)),
    at(243, &GRAB_LOOKUP, |a| a.after(&GRAB_INSERT_FAILED)),
    at(244, &FF_LOCK, |a| a.points(&MM_FILEMAP_ADD).next().is_some()),
    hit(245, &WSP_WAIT),
    at(246, &DWB_BLOCKS, |a| a.has_hit(&DWB_RELOCK)),
    // ---- __block_write_begin_int, here as ext4_block_write_begin ----
    at(247, &EBWB_OUTSIDE, |a| walked(a).flags.contains(PageFlags::UPTODATE)),
    at(248, &EBWB_OUTSIDE, |a| !walked(a).flags.contains(PageFlags::UPTODATE)),
    hit(249, &EBWB_NEW),
    hit(250, &EBWB_MAP),
    at(251, &EBWB_UPTODATE, |a| !a.after(&EBWB_MAP)),
    ret(252, &EXT4_BLOCK_WRITE_BEGIN, |a| a.after(&EBWB_FAIL) && !a.has_hit(&EBWB_WAIT)),
    hit(253, &EBWB_DIRTY),
    hit(253, &EBWB_ZERO),
    hit(254, &EBWB_DIRTY),
    hit(255, &EBWB_ZERO),
    at(256, &DGB_DONE, new_and_covered),
    at(256, &EGB_BH, new_and_covered),
    at(256, &EGBU_BH, new_and_covered),
    hit(257, &EBWB_UPTODATE),
    hit(258, &EBWB_READ),
    at(259, &DGB_DONE, old_and_covered),
    at(259, &EGB_BH, old_and_covered),
    at(260, &EBWB_WAIT, |a| a.after(&EBWB_WAIT)),
    at(261, &EBWB_WAIT, |a| a.local("err") < 0),
    at(262, &EBWB_FAIL, |a| range_of_walk(a).0 < range_of_walk(a).1),
    at(263, &EBWB_READ, |a| a.is_call_of(&EXT4_BLOCK_WRITE_BEGIN)),
    // ---- block_write_end and what it calls ----
    hit(266, &BWE_SHORT),
    hit(267, &BWE_DROP),
    at(268, &BWE_ZERO, |a| a.after(&BWE_SHORT)),
    at(269, &BWE_COMMIT, |a| a.local("copied") == a.arg(1)),
    ret(270, &PAGE_ZERO_NEW_BUFFERS, |a| zeroed(a).any(|(old, _, _)| !old.flags.contains(BhFlags::NEW))),
    ret(271, &PAGE_ZERO_NEW_BUFFERS, |a| {
        zeroed(a).any(|(old, _, overlap)| old.flags.contains(BhFlags::NEW) && !overlap)
    }),
    ret(272, &PAGE_ZERO_NEW_BUFFERS, |a| {
        zeroed(a).any(|(old, new, overlap)| {
            overlap
                && old.flags.contains(BhFlags::NEW)
                && !old.flags.contains(BhFlags::UPTODATE)
                && new.flags.contains(BhFlags::UPTODATE)
        })
    }),
    at(273, &BWE_COMMIT, |a| committed(a).any(|(old, _, inside)| !inside && !old.flags.contains(BhFlags::UPTODATE))),
    at(274, &BWE_COMMIT, |a| committed(a).any(|(old, _, inside)| !inside && old.flags.contains(BhFlags::UPTODATE))),
    at(275, &BWE_COMMIT, |a| committed(a).any(|(_, _, inside)| inside)),
    at(276, &BWE_COMMIT, |a| a.page(page(a)).flags.contains(PageFlags::UPTODATE)),
    at(277, &BWE_COMMIT, |a| !a.page(page(a)).flags.contains(PageFlags::UPTODATE)),
    at(278, &BWE_COMMIT, |a| committed(a).any(|(old, _, inside)| inside && old.flags.contains(BhFlags::DIRTY))),
    at(279, &BWE_COMMIT, |a| inside_becomes_dirty(a) && !page_was_dirty(a)),
    at(280, &BWE_COMMIT, |a| inside_becomes_dirty(a) && page_was_dirty(a)),
    // ---- generic_write_end ----
    at(281, &GWE_ISIZE, |a| a.local("copied") > 0 && a.arg(0) + a.local("copied") > a.local("old_size")),
    at(282, &GWE_ISIZE, |a| a.local("copied") == 0 && a.arg(0) > a.local("old_size")),
    hit(283, &GWE_EXTENDED),
    hit(284, &GWE_DIRTY),
    at(285, &GWE_EXTENDED, |a| Extended::of(a).is_trivial()),
    at(286, &GWE_EXTENDED, |a| Extended::of(a).stays_in_block()),
    at(287, &GWE_EXTENDED, |a| Extended::of(a).looks_for_the_page() && tail_page(a).is_none()),
    at(288, &GWE_EXTENDED, tail_is_protected),
    at(285, &ESA_EXTENDED, |a| Extended::of(a).is_trivial()),
    at(286, &ESA_EXTENDED, |a| Extended::of(a).stays_in_block()),
    at(287, &ESA_EXTENDED, |a| Extended::of(a).looks_for_the_page() && tail_page(a).is_none()),
    at(288, &ESA_EXTENDED, tail_is_protected),
    // ---- ext4_da_map_blocks, here in ext4_da_get_block_prep ----
    at(289, &DGB_RESERVE, |a| a.after(&DGB_ES)),
    at(290, &DGB_DONE, |a| a.after(&DGB_ES) && buffer(a).flags.contains(BhFlags::DELAY)),
    at(291, &DGB_DONE, |a| a.after(&DGB_ES) && !buffer(a).flags.intersects(BhFlags::DELAY | BhFlags::UNWRITTEN)),
    at(292, &DGB_DONE, |a| a.after(&DGB_ES) && buffer(a).flags.contains(BhFlags::UNWRITTEN)),
    at(294, &DGB_DONE, |a| a.after(&DGB_DISK)),
    ret(295, &EXT4_DA_GET_BLOCK_PREP, |a| a.after(&DGB_DISK) && a.ret < 0 && a.ret != number(Errno::ENOSPC)),
    at(296, &DGB_RESERVE, |a| a.points(&EXT4_ES_INSERT_DELAYED_BLOCK).next().is_none()),
    ret(297, &EXT4_DA_GET_BLOCK_PREP, |a| a.ret == number(Errno::ENOSPC)),
    at(298, &DGB_RESERVE, |a| a.points(&EXT4_ES_INSERT_DELAYED_BLOCK).next().is_some()),
    ret(300, &EXT4_DA_GET_BLOCK_PREP, |a| a.ret == number(Errno::ENOSPC)),
    // ---- room: fs/ext4/inode.c, balloc.c ----
    hit(301, &NDS_KICK),
    // So much is reserved that writing it has been asked for too.
    at(302, &NDS_KICK, |a| 2 * a.local("free") < 3 * a.local("dirty")),
    ret(303, &EXT4_NONDA_SWITCH, |a| a.ret == 1 && !a.has_hit(&NDS_KICK)),
    ret(304, &EXT4_NONDA_SWITCH, |a| a.ret == 0),
    ret(305, &EXT4_SHOULD_RETRY_ALLOC, |a| !has_journal(a.w)),
    ret(306, &EXT4_SHOULD_RETRY_ALLOC, |a| a.arg(0) > 3),
    ret(307, &EXT4_SHOULD_RETRY_ALLOC, |a| {
        has_journal(a.w) && a.arg(0) <= 3 && !a.has_called(&JBD2_JOURNAL_COMMIT_TRANSACTION)
    }),
    ret(308, &EXT4_SHOULD_RETRY_ALLOC, |a| a.has_called(&JBD2_JOURNAL_COMMIT_TRANSACTION)),
    at(309, &DGB_RESERVE, claim_fits),
    at(309, &MNB_CLAIM, claim_fits),
    at(310, &DGB_RESERVE, claim_takes_roots),
    at(310, &MNB_CLAIM, claim_takes_roots),
    at(311, &MNB_CLAIM, claim_takes_reserve),
    // ---- balance_dirty_pages ----
    hit(322, &BDP_FREERUN),
    hit(323, &BDP_KICK),
    at(325, &BDP_POS, |a| kernel::mm::backing_dev::flusher(a.w).dirty_exceeded),
    hit(326, &BDP_BANDWIDTH),
    hit(327, &BDP_ZERO),
    hit(328, &BDP_RESET),
    hit(328, &BDP_PERIOD),
    hit(328, &BDP_TINY),
    hit(329, &BDP_RESET),
    hit(330, &BDP_PERIOD),
    hit(331, &BDP_TINY),
    hit(332, &BDP_CLAMP),
    hit(333, &BDP_SLEEP),
    at(334, &BDP_WOKEN, |a| a.local("task_ratelimit") != 0),
    hit(335, &BDP_SMALL),
    hit(336, &BDP_KILLED),
    hit(337, &BDP_CLEAR),
    hit(338, &BDP_RUNNING),
    hit(339, &BDP_LAPTOP),
    hit(340, &BDP_BACKGROUND),
    // ---- fs/ext4/fsync.c ----
    hit(341, &ESF_SHUTDOWN),
    hit(342, &ESF_RO),
    ret(344, &EXT4_SYNC_FILE, |a| {
        a.has_hit(&ESF_DATA) && !a.has_hit(&ESF_JDATA) && !a.has_hit(&ESF_JOURNAL) && a.ret < 0
    }),
    at(345, &ESF_WBERR, |a| a.has_hit(&ESF_DATA) && !has_journal(a.w)),
    hit(346, &ESF_JDATA),
    hit(347, &ESF_JOURNAL),
    at(350, &ESF_JOURNAL, |a| a.local("datasync") == 1),
    at(351, &ESF_JOURNAL, |a| a.local("datasync") == 0),
    at(353, &ESF_BARRIER, |a| a.after(&ESF_JOURNAL)),
];

/// A page that was mapped for stores is not any more, so that the next store faults.
fn tail_is_protected(at: &At<'_>) -> bool {
    let protects = |change: &Change| match change {
        Change::ptes(key, Some(Pte::Cache { writable: true, .. })) => {
            matches!(at.w.ptes.get(*key), Some(Pte::Cache { writable: false, .. }))
        }
        _ => false,
    };
    Extended::of(at).looks_for_the_page() && at.changes().iter().any(protects)
}
