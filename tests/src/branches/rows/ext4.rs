//! Rows 107 to 215: write_begin and write_end of ext4.

use kernel::fs::ext4::inode::writepages::ext4_should_journal_data;
use kernel::site::*;
use kernel::tracepoint::EXT4_WRITE_BEGIN;
use world::{Errno, PageFlags};

use super::super::observe::At;
use super::{Row, at, hit, inode, number, page, ret};

/// True if the write would end behind the file's end.
fn past_the_end(at: &At<'_>, loop_: &FnSite) -> bool {
    let end = at.local_of(loop_, "pos") + at.local_of(loop_, "len");
    at.locked_inode().is_some_and(|inode| end > at.w.sizes.at(inode).i_size.cast_signed())
}

/// `pos + copied` of a write_end lies behind the end that the file had.
fn grows(at: &At<'_>) -> bool {
    let end = at.arg(0) + at.arg(2);
    at.arg(2) > 0 && inode(at).is_some_and(|inode| end > at.w.sizes.at(inode).i_size.cast_signed())
}

fn disksize_followed(at: &At<'_>) -> bool {
    inode(at).is_some_and(|inode| at.w.sizes.at(inode).i_disksize.cast_signed() == at.arg(0) + at.arg(2))
}

/// The file ended before the write's position, and now ends behind it.
fn closes_a_gap(at: &At<'_>) -> bool {
    inode(at).is_some_and(|inode| at.sizes_before(inode).i_size.cast_signed() < at.arg(0) && at.arg(2) > 0)
}

fn buffers_are_new(at: &At<'_>) -> bool {
    at.changes()
        .iter()
        .any(|change| matches!(change, world::Change::pages(id, old) if old.nr_bhs == 0 && at.page(*id).nr_bhs > 0))
}

fn short(at: &At<'_>) -> bool {
    at.arg(2) < at.arg(1)
}

fn uptodate(at: &At<'_>) -> bool {
    at.page(page(at)).flags.contains(PageFlags::UPTODATE)
}

pub(super) const ROWS: &[Row] = &[
    // ---- ext4_da_write_begin ----
    hit(107, &DWB_SHUTDOWN),
    ret(108, &EXT4_WRITE_BEGIN_FN, |a| a.called_by(&EXT4_DA_WRITE_BEGIN_FN)),
    ret(115, &EXT4_DA_WRITE_BEGIN_FN, |a| {
        a.after(&DWB_NONDA) && !a.has_called(&EXT4_WRITE_BEGIN_FN) && a.ret == number(Errno::ENOMEM)
    }),
    ret(116, &EXT4_DA_WRITE_BEGIN_FN, |a| a.after(&DWB_JOURNAL) && a.ret < 0),
    hit(117, &DWB_TRUNCATED),
    at(118, &WSP_WAIT, |a| a.inside(&EXT4_DA_WRITE_BEGIN_FN)),
    hit(119, &DWB_FAIL),
    at(120, &DWB_FAIL, |a| past_the_end(a, &EXT4_DA_WRITE_BEGIN_FN)),
    at(121, &DWB_FAIL, |a| !past_the_end(a, &EXT4_DA_WRITE_BEGIN_FN)),
    at(122, &DWB_JOURNAL, |a| a.after(&DWB_FAIL)),
    ret(123, &EXT4_DA_WRITE_BEGIN_FN, |a| a.after(&DWB_FAIL) && a.ret < 0),
    hit(124, &DWB_OK),
    // ---- ext4_da_write_end ----
    ret(125, &EXT4_WRITE_END_FN, |a| a.called_by(&EXT4_DA_WRITE_END_FN)),
    at(126, &DWE_ISIZE, grows),
    at(127, &DWE_ISIZE, |a| !grows(a)),
    at(129, &DWE_ISIZE, |a| grows(a) && disksize_followed(a)),
    at(130, &DWE_ISIZE, |a| grows(a) && !disksize_followed(a)),
    ret(133, &GENERIC_WRITE_END, |a| a.called_by(&EXT4_DA_WRITE_END_FN)),
    ret(134, &EXT4_DA_WRITE_END_FN, |a| a.after(&DWE_STOP) && a.ret < 0),
    // ---- ext4_write_begin ----
    ret(135, &EXT4_WRITE_BEGIN_FN, |a| {
        a.ret == number(Errno::EIO) && a.w.sb().shutdown && a.points(&EXT4_WRITE_BEGIN).next().is_none()
    }),
    ret(139, &EXT4_WRITE_BEGIN_FN, |a| a.ret == number(Errno::ENOMEM) && !a.has_hit(&WB_UNLOCK)),
    at(140, &WB_UNLOCK, buffers_are_new),
    ret(141, &EXT4_WRITE_BEGIN_FN, |a| a.after(&WB_JOURNAL) && a.ret < 0),
    hit(142, &WB_TRUNCATED),
    ret(143, &EXT4_GET_BLOCK_UNWRITTEN_FN, |a| a.inside(&EXT4_WRITE_BEGIN_FN)),
    ret(144, &EXT4_GET_BLOCK_FN, |a| a.inside(&EXT4_WRITE_BEGIN_FN)),
    at(145, &JWE_WALK, |a| inode(a).is_some_and(|inode| ext4_should_journal_data(a.w, inode))),
    hit(146, &WB_FAIL),
    ret(147, &EXT4_ORPHANS, |a| a.after(&ORPHAN_ADD) && a.called_by(&EXT4_WRITE_BEGIN_FN)),
    ret(148, &EXT4_TRUNCATE, |a| a.called_by(&EXT4_WRITE_BEGIN_FN)),
    ret(149, &EXT4_TRUNCATE, |a| a.called_by(&EXT4_WRITE_BEGIN_FN)),
    at(150, &WB_JOURNAL, |a| a.after(&WB_FAIL)),
    ret(151, &EXT4_WRITE_BEGIN_FN, |a| a.after(&WB_FAIL) && a.ret < 0),
    ret(152, &EXT4_WRITE_BEGIN_FN, |a| a.ret == 0),
    // ---- ext4_write_end ----
    hit(155, &WE_BLOCK),
    at(156, &WE_ISIZE, |a| inode(a).is_some_and(|inode| a.sizes_before(inode).i_size < a.w.sizes.at(inode).i_size)),
    at(158, &WE_ISIZE, closes_a_gap),
    ret(159, &EXT4_WRITE_END_FN, |a| a.has_called(&EXT4_MARK_INODE_DIRTY_FN)),
    ret(160, &EXT4_WRITE_END_FN, |a| !a.has_called(&EXT4_MARK_INODE_DIRTY_FN)),
    ret(161, &EXT4_ORPHANS, |a| a.after(&ORPHAN_ADD) && a.called_by(&EXT4_WRITE_END_FN)),
    ret(162, &EXT4_WRITE_END_FN, |a| a.after(&WE_STOP) && a.ret < 0),
    ret(163, &EXT4_TRUNCATE, |a| a.called_by(&EXT4_WRITE_END_FN)),
    ret(164, &EXT4_TRUNCATE, |a| a.called_by(&EXT4_WRITE_END_FN)),
    // ---- ext4_journalled_write_end ----
    ret(166, &EXT4_JOURNALLED_WRITE_END_FN, |a| short(a) && a.arg(3) == 0),
    ret(167, &EXT4_JOURNALLED_WRITE_END_FN, |a| short(a) && a.arg(3) == 1),
    ret(168, &EXT4_JOURNALLED_WRITE_END_FN, |a| !short(a)),
    at(169, &JWE_WALK, uptodate),
    at(170, &JWE_WALK, |a| !uptodate(a) && a.arg(2) > 0 && !short(a)),
    ret(171, &EXT4_JOURNALLED_WRITE_END_FN, |a| a.local_before("old_size") < a.arg(0) && a.ret > 0),
    ret(172, &EXT4_JOURNALLED_WRITE_END_FN, |a| a.local_before("old_size") < a.arg(0) + a.ret),
    ret(173, &EXT4_JOURNALLED_WRITE_END_FN, |a| a.has_called(&EXT4_MARK_INODE_DIRTY_FN)),
    ret(174, &EXT4_ORPHANS, |a| a.after(&ORPHAN_ADD) && a.called_by(&EXT4_JOURNALLED_WRITE_END_FN)),
    ret(175, &EXT4_TRUNCATE, |a| a.called_by(&EXT4_JOURNALLED_WRITE_END_FN)),
    // ---- ext4_dax_write_iter ----
    ret(208, &EXT4_DAX_WRITE_ITER, |a| a.after(&DWI_TRYLOCK) && a.ret == number(Errno::EAGAIN)),
    at(209, &DWI_CHECKS, |a| a.local("ret") <= 0),
    at(210, &DWI_ORPHAN, |a| a.local("ret") == 0),
    at(211, &DWI_HANDLE, |a| a.local("ret") < 0),
    at(212, &DWI_ORPHAN, |a| a.local("ret") < 0),
    hit(213, &DWI_EXTEND),
    hit(214, &DWI_TRUNCATE),
    hit(215, &DWI_SYNC),
];
