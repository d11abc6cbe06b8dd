//! Rows 1 to 106: the call, its checks, the loop over pages, and the user's memory.

use kernel::fs::ext4::file::maxbytes;
use kernel::site::*;
use kernel::tracepoint::EXT4_SHUTDOWN;
use world::{Errno, IterId, PAGE_SIZE, World};

use super::super::observe::At;
use super::{Row, at, hit, number, ret};

const PAGE: i64 = PAGE_SIZE.cast_signed();

/// True if another holds the write lock that the probe is about to take.
fn contended(at: &At<'_>) -> bool {
    let own = at.task().0 + 1;
    at.w.locks.iter().any(|(_, locks)| ![0, own].contains(&locks.i_rwsem.writer))
}

/// Length of the segment with a number.
fn segment_len(w: &World, iter: IterId, n: u32) -> u64 {
    w.iovecs.get((iter, n)).map_or(0, |segment| segment.len)
}

/// True if an empty segment stands before the one that is looked at.
fn skips_an_empty_one(at: &At<'_>) -> bool {
    let id = IterId(at.task().0);
    let (Some(iter), Ok(now)) = (at.w.iters.get(id), u32::try_from(at.local("seg"))) else { return false };
    (iter.seg..now).any(|n| segment_len(at.w, id, n) == 0)
}

/// True if probing every 4096 bytes ends inside the page of the last byte, which is then probed too.
fn overshoots(at: &At<'_>) -> bool {
    let (start, len) = (at.local("address"), at.local("len"));
    let (end, next) = (start + len - 1, start + (len - 1) / PAGE * PAGE + PAGE);
    next / PAGE == end / PAGE
}

/// Segments that the step left behind, and whether it moved inside one.
fn advanced(at: &At<'_>) -> (u32, bool) {
    let id = IterId(at.task().0);
    let now = *at.w.iters.at(id);
    let old = at.iter_before(id);
    (now.seg - old.seg, now.seg == old.seg && now.iov_offset > old.iov_offset)
}

fn largest(at: &At<'_>) -> i64 {
    maxbytes(at.w).cast_signed()
}

/// The call was made by write(2) on a file that is not O_SYNC, or by one that is.
fn syncs_a_write(at: &At<'_>, datasync: i64) -> bool {
    at.inside(&EXT4_BUFFERED_WRITE_ITER) && at.local("datasync") == datasync
}

pub(super) const ROWS: &[Row] = &[
    // ---- ext4_file_operations ----
    hit(3, &FWI_SHUTDOWN),
    at(5, &SHD_FLAG, |a| a.points(&EXT4_SHUTDOWN).next().is_some()),
    hit(7, &FMM_OPS),
    hit(9, &PO_OPENED),
    hit(10, &FC_RELEASED),
    hit(11, &VFR_CALL),
    hit(11, &ESF_DATA),
    hit(15, &EFA_MODE),
    hit(15, &EFA_LOCK),
    // ---- ext4_file_write_iter ----
    at(16, &FWI_SHUTDOWN, |a| a.w.sb().shutdown),
    at(17, &FWI_SHUTDOWN, |a| !a.w.sb().shutdown),
    hit(18, &FWI_DAX),
    hit(19, &FWI_DIRECT),
    hit(20, &FWI_BUFFERED),
    // ---- ext4_buffered_write_iter ----
    hit(21, &BWI_NOWAIT),
    at(22, &BWI_LOCK, contended),
    at(23, &BWI_UNLOCK, |a| a.after(&BWI_CHECKS) && a.local("ret") < 0),
    at(24, &BWI_UNLOCK, |a| a.after(&BWI_CHECKS) && a.local("ret") == 0),
    hit(25, &BWI_BDI),
    hit(26, &BWI_POS),
    at(27, &BWI_UNLOCK, |a| a.after(&BWI_BDI) && a.local("ret") <= 0),
    ret(28, &EXT4_BUFFERED_WRITE_ITER, |a| a.after(&BWI_SYNC) && a.ret < 0),
    ret(29, &EXT4_BUFFERED_WRITE_ITER, |a| a.has_hit(&BWI_POS) && a.ret > 0),
    // ---- generic_perform_write ----
    at(30, &GPW_SPLIT, |a| a.local("bytes") == PAGE - a.local("offset")),
    at(31, &GPW_SPLIT, |a| a.local("bytes") == a.local("count") && a.local("bytes") < PAGE - a.local("offset")),
    at(32, &GPW_EXIT, |a| {
        a.after(&GPW_FAULT_IN) && a.local("status") == number(Errno::EFAULT) && a.local("written") == 0
    }),
    at(33, &GPW_EXIT, |a| {
        a.after(&GPW_FAULT_IN) && a.local("status") == number(Errno::EFAULT) && a.local("written") > 0
    }),
    hit(34, &GPW_SIGNAL),
    at(35, &GPW_EXIT, |a| a.after(&GPW_SIGNAL) && a.local("status") == number(Errno::EINTR) && a.local("written") == 0),
    at(36, &GPW_EXIT, |a| a.after(&GPW_SIGNAL) && a.local("status") == number(Errno::EINTR) && a.local("written") > 0),
    at(37, &GPW_EXIT, |a| a.after(&GPW_WRITE_BEGIN) && a.local("written") == 0),
    at(38, &GPW_EXIT, |a| a.after(&GPW_WRITE_BEGIN) && a.local("written") > 0),
    hit(39, &GPW_COPY),
    hit(40, &GPW_ALIAS),
    at(41, &GPW_COPY, |a| a.after(&GPW_WRITE_BEGIN)),
    at(42, &GPW_WRITE_END, |a| a.local("copied") == a.local("bytes")),
    at(43, &GPW_WRITE_END, |a| 0 < a.local("copied") && a.local("copied") < a.local("bytes")),
    at(44, &GPW_WRITE_END, |a| a.local("copied") == 0),
    at(45, &GPW_EXIT, |a| a.after(&GPW_WRITE_END) && a.local("status") < 0),
    at(46, &GPW_RESCHED, |a| a.local("status") >= 0),
    at(47, &GPW_ADVANCE, |a| a.has_waited_its_turn()),
    hit(48, &GPW_AGAIN),
    hit(49, &GPW_ACCOUNT),
    at(50, &GPW_AGAIN, |a| 0 < a.local("bytes") && a.local("bytes") < a.local_before("bytes")),
    at(51, &GPW_AGAIN, |a| a.local("bytes") == 0),
    hit(52, &GPW_BALANCE),
    at(53, &GPW_LOOP, |a| a.local("count") > 0),
    at(54, &GPW_LOOP, |a| a.local("count") == 0),
    at(55, &GPW_EXIT, |a| a.local("written") > 0),
    at(56, &GPW_EXIT, |a| a.local("written") == 0),
    // ---- the checks ----
    hit(57, &EGWC_IMMUTABLE),
    ret(58, &EXT4_GENERIC_WRITE_CHECKS, |a| a.has_called(&GENERIC_WRITE_CHECKS) && a.ret <= 0),
    hit(59, &EGWC_BITMAP),
    at(60, &EGWC_BITMAP, |a| a.local("ret") == number(Errno::EFBIG)),
    at(61, &EGWC_BITMAP, |a| a.local("ret") > 0),
    ret(62, &EXT4_GENERIC_WRITE_CHECKS, |a| !a.has_hit(&EGWC_BITMAP) && a.ret > 0),
    at(63, &EWC_COUNT, |a| a.local("ret") <= 0),
    at(64, &EWC_MODIFIED, |a| a.local("ret") < 0),
    hit(65, &GWC_SWAP),
    hit(66, &GWC_ZERO),
    hit(67, &GWC_APPEND),
    ret(68, &GENERIC_WRITE_CHECKS, |a| a.ret == number(Errno::EINVAL)),
    ret(69, &GENERIC_WRITE_CHECKS, |a| (a.after(&GWC_LIMITS) || a.after(&GWC_MAX)) && a.ret < 0),
    at(70, &GWC_DONE, |a| !a.has_hit(&GWC_LIMITS)),
    at(71, &GWC_LIMITS, |a| a.local("ret") == number(Errno::EFBIG)),
    at(72, &GWC_LIMITS, |a| a.local("ret") != number(Errno::EFBIG) && a.local("count") < a.arg(1)),
    at(73, &GWC_MAX, |a| a.local("pos") < largest(a)),
    at(74, &GWC_MAX, |a| a.local("ret") == number(Errno::EFBIG)),
    at(75, &GWC_DONE, |a| !a.has_hit(&GWC_LIMITS) && a.local("ret") < a.arg(1)),
    // ---- generic_write_sync ----
    ret(76, &EXT4_BUFFERED_WRITE_ITER, |a| a.after(&BWI_POS)),
    at(77, &VFR_CALL, |a| syncs_a_write(a, 1)),
    at(78, &VFR_CALL, |a| syncs_a_write(a, 0)),
    ret(79, &EXT4_BUFFERED_WRITE_ITER, |a| a.after(&BWI_SYNC) && a.ret < 0),
    // ---- the source is made present ----
    ret(80, &IOV_ITER_FAULT_IN_READABLE, |a| a.w.iters.at(IterId(a.task().0)).kvec),
    at(81, &FI_SEGMENT, |a| a.has_hit(&FI_SEGMENT)),
    at(82, &FI_SEGMENT, skips_an_empty_one),
    ret(83, &IOV_ITER_FAULT_IN_READABLE, |a| a.local_before("seg") > 0 && a.ret < 0),
    ret(84, &IOV_ITER_FAULT_IN_READABLE, |a| a.ret == number(Errno::EFAULT)),
    hit(85, &FI_FAULT),
    at(86, &FI_SEGMENT, overshoots),
    at(87, &FI_SEGMENT, |a| !overshoots(a)),
    // ---- the copy ----
    hit(88, &CP_SEGMENT),
    hit(89, &CP_SHORT),
    hit(90, &CP_INJECTED),
    at(92, &CP_SEGMENT, |a| a.w.iters.at(IterId(a.task().0)).kvec),
    // ---- the iterator moves ----
    at(94, &GPW_ADVANCE, |a| advanced(a).1),
    at(95, &GPW_ADVANCE, |a| advanced(a).0 > 0 && a.local("copied") > 0),
    at(96, &GPW_ADVANCE, |a| advanced(a).0 > 0 && a.local("copied") == 0),
    ret(97, &IOV_ITER_SINGLE_SEG_COUNT, |a| a.w.iters.at(IterId(a.task().0)).nr_segs == 1),
    ret(98, &IOV_ITER_SINGLE_SEG_COUNT, |a| a.w.iters.at(IterId(a.task().0)).nr_segs > 1),
    // ---- balance_dirty_pages_ratelimited ----
    at(100, &BDR_LIMIT, |a| kernel::mm::backing_dev::flusher(a.w).dirty_exceeded),
    at(101, &BDR_CPU, |a| a.local("nr_dirtied") >= a.local("ratelimit") && a.local("ratelimit") > 0),
    at(102, &BDR_CPU, |a| a.local("ratelimit") == 0),
    at(103, &BDR_CPU, |a| a.local("nr_dirtied") < a.local("ratelimit")),
    hit(104, &BDR_LEAK),
    hit(105, &BDR_CALL),
    ret(106, &BALANCE_DIRTY_PAGES_RATELIMITED, |a| !a.has_hit(&BDR_CALL)),
];
