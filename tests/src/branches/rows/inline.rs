//! Rows of files in their inode, in every tier.

use kernel::fs::ext4::inline::ext4_has_inline_data;
use kernel::site::*;
use world::Errno;

use super::super::observe::At;
use super::{Row, at, hit, inode, number, ret};

/// AOP_FLAG_NOFS.
const NOFS: i64 = 0x2;
/// CONVERT_INLINE_DATA.
const CONVERT: i64 = 2;

fn nofs(at: &At<'_>) -> bool {
    at.arg(1) & NOFS != 0
}

fn disksize_of_inline_data_followed(at: &At<'_>) -> bool {
    inode(at).is_some_and(|inode| {
        ext4_has_inline_data(at.w, inode) && at.w.sizes.at(inode).i_disksize.cast_signed() == at.arg(0) + at.arg(2)
    })
}

pub(super) const ROWS: &[Row] = &[
    // ---- fs/ext4/inode.c ----
    hit(111, &DWB_INLINE),
    at(112, &DWB_INLINE, |a| a.local("ret") < 0),
    at(113, &DWB_INLINE, |a| a.local("ret") == 1),
    at(114, &DWB_INLINE, |a| a.local("ret") == 0),
    at(128, &DWE_ISIZE, disksize_of_inline_data_followed),
    hit(131, &DWE_INLINE),
    ret(132, &EXT4_DA_WRITE_END_FN, |a| a.local_before("write_mode") == CONVERT && a.has_called(&GENERIC_WRITE_END)),
    hit(136, &WB_INLINE),
    at(137, &WB_INLINE, |a| a.local("ret") < 0),
    at(138, &WB_INLINE, |a| a.local("ret") == 1),
    hit(153, &WE_INLINE),
    hit(165, &JWE_INLINE),
    hit(293, &DGB_INLINE),
    // ---- mm/filemap.c ----
    ret(230, &GRAB_CACHE_PAGE_WRITE_BEGIN, nofs),
    ret(240, &GRAB_CACHE_PAGE_WRITE_BEGIN, nofs),
    // ---- fs/ext4/inline.c ----
    at(312, &DIB_SIZE, |a| a.arg(0) + a.arg(1) <= a.local("inline_size")),
    hit(313, &DIB_CONVERT),
    hit(314, &DIB_RETRY),
    ret(315, &EXT4_DA_WRITE_INLINE_DATA_BEGIN, |a| a.ret == number(Errno::ENOMEM)),
    hit(317, &DCI_NONE),
    at(318, &DCI_RESERVE, |a| a.local("ret") < 0),
    hit(319, &DCI_DIRTY),
];
