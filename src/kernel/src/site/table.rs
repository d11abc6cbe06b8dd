//! The rows. A function's probes stand behind it in the order of its lines.

use super::*;

sites! {
    // ---- time passes, and what the workload does ----
    fn IDLE = "cpu_idle" "kernel/sched/idle.c":239 Entry () {
        BIO_END :239 Statement/Writeback "a request completes";
        DWORK_TIMER :239 Statement/Writeback "the flusher's delayed work is due";
    }
    fn USER = "user" "user space":0 Entry (op: "int" Count) {
        OP_BEGIN :0 Iteration "the program makes its next call";
        OP_END :0 Statement "the call has returned";
        USER_ACT :0 Statement "the program uses its memory";
        INTERVENE :0 Statement "something outside acts";
        TASK_EXIT :0 Statement "the program exits; its descriptors close";
    }

    // ---- fs/read_write.c ----
    fn KSYS_WRITE = "ksys_write" "fs/read_write.c":647 Entry (fd: "unsigned int" Count, count: "size_t" Bytes, pos: "loff_t" Bytes, ret: "ssize_t" Status) {
        KW_FDGET :649 Statement "f = fdget_pos(fd)";
        KW_POS :654 Statement "pos = file->f_pos";
        KW_DONE :659 Statement "if (ret >= 0) file->f_pos = pos";
    }
    fn KSYS_PWRITE64 = "ksys_pwrite64" "fs/read_write.c":699 Entry (fd: "unsigned int" Count, count: "size_t" Bytes, pos: "loff_t" Bytes, ret: "ssize_t" Status) {
        KPW_CHECK :705 Statement "if (pos < 0) return -EINVAL";
        KPW_FDGET :708 Statement "f = fdget(fd)";
        KPW_DONE :715 Statement "return ret";
    }
    fn KERNEL_WRITE = "kernel_write" "fs/read_write.c":569 Entry (pos: "loff_t *" Bytes, count: "size_t" Bytes, ret: "ssize_t" Status) {
        KW_KVEC :547 Statement "iov_iter_kvec(&iter, WRITE, &iov, 1, count); ret = file->f_op->write_iter(&kiocb, &iter)";
    }
    fn DO_WRITEV = "do_writev" "fs/read_write.c":970 Entry (fd: "unsigned long" Count, vlen: "unsigned long" Count, pos: "loff_t" Bytes, ret: "ssize_t" Status) {
        DWV_FDGET :973 Statement "f = fdget_pos(fd)";
        DWV_DONE :984 Statement "if (ret >= 0) file->f_pos = pos";
    }
    fn DO_PWRITEV = "do_pwritev" "fs/read_write.c":1023 Entry (fd: "unsigned long" Count, vlen: "unsigned long" Count, pos: "loff_t" Bytes, ret: "ssize_t" Status) {
        DPWV_FDGET :1033 Statement "f = fdget(fd)";
        DPWV_DONE :1040 Statement "return ret";
    }
    fn VFS_WRITE = "vfs_write" "fs/read_write.c":585 Entry (pos: "loff_t *" Bytes, count: "size_t" Bytes, ret: "ssize_t" Status) {
        VW_MODE :589 Statement "if (!(file->f_mode & FMODE_WRITE)) return -EBADF";
        VW_ACCESS :593 Statement "if (!access_ok(buf, count)) return -EFAULT";
        VW_AREA :596 Statement "ret = rw_verify_area(WRITE, file, pos, count)";
        VW_CALL :605 Statement "ret = new_sync_write(file, buf, count, pos)";
        VW_NOTIFY :609 Statement "if (ret > 0) fsnotify_modify(file), add_wchar()";
    }
    fn VFS_WRITEV = "vfs_writev" "fs/read_write.c":928 Entry (vlen: "unsigned long" Count, count: "size_t" Bytes, pos: "loff_t *" Bytes, ret: "ssize_t" Status) {
        VWV_IMPORT :935 Statement "ret = import_iovec(WRITE, vec, vlen, &iter)";
        VWV_START :937 Statement "file_start_write(file)";
        VWV_MODE :852 Statement "if (!(file->f_mode & FMODE_WRITE)) return -EBADF";
        VWV_ZERO :858 Statement "if (!tot_len) return 0";
        VWV_CALL :866 Statement "ret = do_iter_readv_writev(file, iter, pos, WRITE, flags)";
        VWV_NOTIFY :870 Statement "if (ret > 0) fsnotify_modify(file)";
    }

    // ---- fs/ext4/file.c ----
    fn EXT4_FILE_WRITE_ITER = "ext4_file_write_iter" "fs/ext4/file.c":648 Entry traced 2 -> Decimal (pos: "loff_t" Bytes, count: "size_t" Bytes) {
        FWI_SHUTDOWN :652 Statement "if (ext4_forced_shutdown(sb)) return -EIO";
        FWI_DAX :656 Statement "if (IS_DAX(inode)) return ext4_dax_write_iter(iocb, from)";
        FWI_DIRECT :659 Statement "if (iocb->ki_flags & IOCB_DIRECT) return ext4_dio_write_iter(iocb, from)";
        FWI_BUFFERED :662 Statement "return ext4_buffered_write_iter(iocb, from)";
    }
    fn EXT4_BUFFERED_WRITE_ITER = "ext4_buffered_write_iter" "fs/ext4/file.c":254 Entry traced 2 -> Decimal (pos: "loff_t" Bytes, count: "size_t" Bytes, ret: "ssize_t" Status) {
        BWI_NOWAIT :260 Statement "if (iocb->ki_flags & IOCB_NOWAIT) return -EOPNOTSUPP";
        BWI_LOCK :263 Statement "inode_lock(inode)";
        BWI_CHECKS :264 Statement "ret = ext4_write_checks(iocb, from); if (ret <= 0) goto out";
        BWI_BDI :268 Statement "current->backing_dev_info = inode_to_bdi(inode)";
        BWI_UNLOCK :273 Statement "inode_unlock(inode)";
        BWI_POS :274 Statement "if (ret > 0) iocb->ki_pos += ret";
        BWI_SYNC :276 Statement "ret = generic_write_sync(iocb, ret)";
    }
    fn EXT4_WRITE_CHECKS = "ext4_write_checks" "fs/ext4/file.c":240 Entry (pos: "loff_t" Bytes, count: "ssize_t" Bytes, ret: "ssize_t" Status) {
        EWC_COUNT :245 Statement "ret = ext4_generic_write_checks(); if (ret <= 0) return ret";
        EWC_MODIFIED :248 Statement "ret = file_modified(file)";
    }
    fn EXT4_GENERIC_WRITE_CHECKS = "ext4_generic_write_checks" "fs/ext4/file.c":212 Entry traced 2 -> Decimal (pos: "loff_t" Bytes, count: "size_t" Bytes, ret: "ssize_t" Status) {
        EGWC_IMMUTABLE :218 Statement "if (IS_IMMUTABLE(inode)) return -EPERM";
        EGWC_BITMAP :229 Statement "if (!extents) limit to s_bitmap_maxbytes";
    }
    fn GENERIC_WRITE_CHECKS = "generic_write_checks" "fs/read_write.c":1655 Entry traced 2 -> Decimal (pos: "loff_t" Bytes, count: "loff_t" Bytes, ret: "int" Status) {
        GWC_SWAP :1662 Statement "if (IS_SWAPFILE(inode)) return -ETXTBSY";
        GWC_ZERO :1665 Statement "if (!iov_iter_count(from)) return 0";
        GWC_APPEND :1669 Statement "if (IOCB_APPEND) iocb->ki_pos = i_size_read(inode)";
        GWC_LIMITS :1629 Statement "if (pos >= RLIMIT_FSIZE) SIGXFSZ, -EFBIG; else clip";
        GWC_MAX :1640 Statement "if (pos >= s_maxbytes) return -EFBIG; clip";
        GWC_DONE :1680 Statement "return iov_iter_count(from)";
    }
    fn FILE_MODIFIED = "file_modified" "fs/inode.c":2054 Entry traced 0 -> Decimal (ret: "int" Status) {
        FM_PRIVS :2062 Statement "err = file_remove_privs(file)";
        FM_TIME :2069 Statement "return file_update_time(file)";
    }
    fn FILE_REMOVE_PRIVS = "file_remove_privs" "fs/inode.c":1977 Entry traced 0 -> Decimal (kill: "int" Flags) {
        FRP_FAST :1990 Statement "if (IS_NOSEC(inode)) return 0";
        FRP_FAIL :1998 Statement "if (error) return error";
        FRP_KILL :1997 Statement "if (kill) notify_change(ATTR_KILL_SUID | ATTR_KILL_SGID)";
        FRP_NOSEC :1999 Statement "inode_has_no_xattr(inode)";
    }
    fn EXT4_SETATTR_MODE = "ext4_setattr" "fs/ext4/inode.c":5470 Entry traced 0 -> Decimal () {
    }
    fn FILE_UPDATE_TIME = "file_update_time" "fs/inode.c":2018 Entry traced 0 -> Decimal (now: "struct timespec64" Count) {
        FUT_SAME :2029 Statement "if (mtime == now && ctime == now) return 0";
        FUT_READ_ONLY :2043 Statement "if (__mnt_want_write_file(file)) return 0";
        FUT_DO :2046 Statement "mtime = ctime = now; __mark_inode_dirty(inode)";
    }

    // ---- mm/filemap.c ----
    fn GENERIC_PERFORM_WRITE = "generic_perform_write" "mm/filemap.c":3295 Entry traced 2 -> Decimal (pos: "loff_t" Bytes, count: "size_t" Bytes, offset: "unsigned long" Bytes, bytes: "unsigned long" Bytes, copied: "size_t" Bytes, status: "long" Status, written: "ssize_t" Bytes, page: "struct page *" Count) {
        GPW_SPLIT :3312 Iteration "bytes = min(PAGE_SIZE − offset, iov_iter_count(i))";
        GPW_FAULT_IN :3326 Phase/FaultIn "again: if (iov_iter_fault_in_readable(i, bytes)) status = -EFAULT";
        GPW_SIGNAL :3331 Statement "if (fatal_signal_pending(current)) status = -EINTR";
        GPW_WRITE_BEGIN :3336 Phase/WriteBegin "status = a_ops->write_begin(file, mapping, pos, bytes, &page)";
        GPW_ALIAS :3341 Statement "if (mapping_writably_mapped(mapping)) flush_dcache_page(page)";
        GPW_COPY :3344 Phase/Copy "copied = iov_iter_copy_from_user_atomic(page, i, offset, bytes)";
        GPW_WRITE_END :3347 Phase/WriteEnd "status = a_ops->write_end(file, mapping, pos, bytes, copied, page)";
        GPW_RESCHED :3353 Statement "copied = status; cond_resched()";
        GPW_ADVANCE :3355 Statement "iov_iter_advance(i, copied)";
        GPW_AGAIN :3356 Phase "if (!copied) bytes = min(PAGE_SIZE − offset, single segment); goto again";
        GPW_ACCOUNT :3369 Statement "pos += copied; written += copied";
        GPW_BALANCE :3372 Phase/Balance "balance_dirty_pages_ratelimited(mapping)";
        GPW_LOOP :3373 Statement "while (iov_iter_count(i))";
        GPW_EXIT :3375 Statement "return written ? written : status";
    }
    fn GRAB_CACHE_PAGE_WRITE_BEGIN = "grab_cache_page_write_begin" "mm/filemap.c":3277 WriteBegin traced 2 -> Void (index: "pgoff_t" Count, flags: "unsigned" Flags, page: "struct page *" Count, err: "int" Status) {
        GRAB_LOOKUP :1797 Statement "page = find_get_entry(mapping, index)";
        GRAB_SHADOW :1798 Statement "if (xa_is_value(page)) page = NULL: only a shadow of it";
        GRAB_LOCK :1808 Statement "lock_page(page)";
        GRAB_NO_PAGE :1841 Statement "page = __page_cache_alloc(gfp_mask); if (!page) return NULL";
        GRAB_INSERT :1851 Statement "add_to_page_cache_lru(page, mapping, index)";
        GRAB_INSERT_FAILED :1852 Statement "if (err) put_page(page); if (err == -EEXIST) goto repeat";
    }
    fn IOV_ITER_FAULT_IN_READABLE = "iov_iter_fault_in_readable" "lib/iov_iter.c":431 FaultIn traced 1 -> Decimal (bytes: "size_t" Bytes, seg: "unsigned long" Count, address: "void __user *" Address, len: "size_t" Bytes) {
        FI_SEGMENT :440 Statement "for each segment of the chunk: fault_in_pages_readable(v.iov_base, v.iov_len)";
        FI_FAULT :738 Statement "__get_user(c, uaddr): the page is not there: page fault";
    }
    fn IOV_ITER_COPY_FROM_USER_ATOMIC = "iov_iter_copy_from_user_atomic" "lib/iov_iter.c":985 Copy traced 2 -> Decimal (offset: "unsigned long" Bytes, bytes: "size_t" Bytes, copied: "size_t" Bytes) {
        CP_ATOMIC :988 Statement "kaddr = kmap_atomic(page): page faults are off";
        CP_INJECTED :153 Statement "if (should_fail_usercopy()) return n";
        CP_SEGMENT :996 Statement "copyin(kaddr + offset, v.iov_base, v.iov_len)";
        CP_SHORT :996 Statement "the source page is not there: the copy stops";
    }
    fn IOV_ITER_ADVANCE = "iov_iter_advance" "lib/iov_iter.c":1063 Entry traced 1 -> Void (bytes: "size_t" Bytes) {
    }
    fn IOV_ITER_SINGLE_SEG_COUNT = "iov_iter_single_seg_count" "lib/iov_iter.c":1148 Entry traced 0 -> Decimal () {
    }
    fn BALANCE_DIRTY_PAGES_RATELIMITED = "balance_dirty_pages_ratelimited" "mm/page-writeback.c":1899 Balance traced 0 -> Void (nr_dirtied: "int" Count, ratelimit: "int" Count) {
        BDR_LIMIT :1915 Statement "ratelimit = current->nr_dirtied_pause; if (wb->dirty_exceeded) ratelimit = min(ratelimit, 8)";
        BDR_CPU :1927 Statement "if (nr_dirtied >= ratelimit) bdp_ratelimits = 0; else if (bdp_ratelimits >= ratelimit_pages) ratelimit = 0";
        BDR_LEAK :1939 Statement "what tasks that have exited left is added to current->nr_dirtied";
        BDR_CALL :1947 Statement "if (current->nr_dirtied >= ratelimit) balance_dirty_pages(wb, nr_dirtied)";
    }
    fn BALANCE_DIRTY_PAGES = "balance_dirty_pages" "mm/page-writeback.c":1577 Balance traced 0 -> Void (pages_dirtied: "unsigned long" Count, nr_dirty: "unsigned long" Count, thresh: "unsigned long" Count, bg_thresh: "unsigned long" Count, intv: "unsigned long" Count, pos_ratio: "unsigned long" Count, task_ratelimit: "unsigned long" Count, pause: "long" Status) {
        BDP_LIMITS :1610 Phase "domain_dirty_limits(): thresh, bg_thresh";
        BDP_FREERUN :1662 Statement "if (dirty <= (thresh + bg_thresh) / 2): no pause, next check after intv pages";
        BDP_KICK :1680 Statement "if (!writeback_in_progress(wb)) wb_start_background_writeback(wb)";
        BDP_POS :1706 Statement "dirty_exceeded; wb_position_ratio(gdtc)";
        BDP_BANDWIDTH :1744 Statement "200 ms since the last time: __wb_update_bandwidth()";
        BDP_RATE :1751 Statement "task_ratelimit = dirty_ratelimit * pos_ratio; max_pause, min_pause";
        BDP_ZERO :1757 Statement "if (task_ratelimit == 0) period = pause = max_pause";
        BDP_RESET :1786 Statement "if (pause < -HZ) dirty_paused_when = now, nr_dirtied = 0";
        BDP_PERIOD :1789 Statement "pause < min_pause: dirty_paused_when += period, nr_dirtied = 0";
        BDP_TINY :1792 Statement "pause < min_pause: nr_dirtied_pause += pages_dirtied if it was reached";
        BDP_CLAMP :1796 Statement "if (pause > max_pause) pause = max_pause";
        BDP_SLEEP :1815 Phase "__set_current_state(TASK_KILLABLE); io_schedule_timeout(pause)";
        BDP_WOKEN :1819 Statement "dirty_paused_when = now + pause; nr_dirtied = 0; if (task_ratelimit) break";
        BDP_SMALL :1840 Statement "if (wb_dirty <= wb_stat_error()) break";
        BDP_KILLED :1843 Statement "if (fatal_signal_pending(current)) break";
        BDP_CLEAR :1847 Statement "if (!dirty_exceeded && wb->dirty_exceeded) wb->dirty_exceeded = 0";
        BDP_RUNNING :1850 Statement "if (writeback_in_progress(wb)) return";
        BDP_LAPTOP :1861 Statement "if (laptop_mode) return";
        BDP_BACKGROUND :1864 Statement "if (nr_reclaimable > bg_thresh) wb_start_background_writeback(wb)";
    }

    // ---- fs/ext4/inode.c, delayed allocation ----
    fn EXT4_DA_WRITE_BEGIN_FN = "ext4_da_write_begin" "fs/ext4/inode.c":3002 WriteBegin traced 3 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, flags: "unsigned" Flags, index: "pgoff_t" Count, page: "struct page *" Count, ret: "int" Status) {
        DWB_SHUTDOWN :3012 Statement "if (ext4_forced_shutdown(sb)) return -EIO";
        DWB_NONDA :3017 Statement "if (ext4_nonda_switch(sb)) return ext4_write_begin()";
        DWB_INLINE :3026 Statement "if (MAY_INLINE_DATA) ret = ext4_da_write_inline_data_begin(); if (ret) done";
        DWB_UNLOCK :3047 Statement "unlock_page(page)";
        DWB_JOURNAL :3056 Statement "handle = ext4_journal_start(inode, EXT4_HT_WRITE_PAGE, credits)";
        DWB_RELOCK :3063 Statement "lock_page(page)";
        DWB_TRUNCATED :3064 Statement "if (page->mapping != mapping) goto retry_grab";
        DWB_BLOCKS :3075 Statement "ret = ext4_block_write_begin(page, pos, len, ext4_da_get_block_prep)";
        DWB_FAIL :3080 Statement "if (ret < 0): unlock, stop the handle, truncate what went past i_size";
        DWB_OK :3099 Statement "*pagep = page; return 0";
    }
    fn EXT4_NONDA_SWITCH = "ext4_nonda_switch" "fs/ext4/inode.c":2955 WriteBegin traced 0 -> Decimal (free: "s64" Count, dirty: "s64" Count) {
        NDS_KICK :2978 Statement "try_to_writeback_inodes_sb(sb, WB_REASON_FS_FREE_SPACE)";
    }
    fn EXT4_BLOCK_WRITE_BEGIN = "ext4_block_write_begin" "fs/ext4/inode.c":1060 WriteBegin traced 2 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, block: "sector_t" Count, bh: "struct buffer_head *" Count, err: "int" Status) {
        EBWB_OUTSIDE :1089 Statement "if (block_end <= from || block_start >= to) continue";
        EBWB_NEW :1096 Statement "if (buffer_new(bh)) clear_buffer_new(bh)";
        EBWB_MAP :1098 Statement "if (!buffer_mapped(bh)) err = get_block(inode, block, bh, 1)";
        EBWB_DIRTY :1104 Statement "if (PageUptodate(page)) clear new, set uptodate, mark_buffer_dirty(bh)";
        EBWB_ZERO :1110 Statement "if (block_end > to || block_start < from) zero_user_segments()";
        EBWB_UPTODATE :1116 Statement "if (PageUptodate(page)) set_buffer_uptodate(bh)";
        EBWB_READ :1121 Statement "if (!buffer_uptodate(bh) && partly covered) ext4_read_bh_lock(bh)";
        EBWB_WAIT :1131 Statement "wait_on_buffer(wait[i]); if (!buffer_uptodate) err = -EIO";
        EBWB_FAIL :1136 Statement "if (err) page_zero_new_buffers(page, from, to)";
    }
    fn EXT4_DA_GET_BLOCK_PREP = "ext4_da_get_block_prep" "fs/ext4/inode.c":1852 WriteBegin traced 2 -> Decimal (iblock: "sector_t" Count, create: "int" Count, pblk: "ext4_fsblk_t" Count, ret: "int" Status) {
        DGB_ES :1760 Statement "ext4_es_lookup_extent(inode, iblock, &es)";
        DGB_DISK :1798 Statement "retval = ext4_map_query_blocks(inode, map)";
        DGB_INLINE :1799 Statement "if (ext4_has_inline_data(inode)) retval = 0: a hole, the disk is not asked";
        DGB_RESERVE :1829 Statement "ext4_insert_delayed_block(inode, lblk): reserve a cluster";
        DGB_DONE :1876 Statement "map_bh(bh, inode->i_sb, map.m_pblk)";
    }
    fn EXT4_DA_WRITE_END_FN = "ext4_da_write_end" "fs/ext4/inode.c":3126 WriteEnd traced 6 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, copied: "unsigned" Bytes, uptodate: "int" Bool, dirty: "int" Bool, private: "int" Bool, write_mode: "int" Count, ret: "int" Status) {
        DWE_ISIZE :3161 Statement "if (copied && new_i_size > inode->i_size) maybe raise i_disksize";
        DWE_INLINE :3168 Statement "if (MAY_INLINE_DATA && write_mode != CONVERT) ret = ext4_da_write_inline_data_end()";
        DWE_STOP :3178 Statement "ext4_journal_stop(handle)";
    }
    fn GENERIC_WRITE_END = "generic_write_end" "fs/buffer.c":2168 WriteEnd traced 5 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, copied: "unsigned" Bytes, uptodate: "int" Bool, dirty: "int" Bool, start: "loff_t" Bytes, old_size: "loff_t" Bytes) {
        BWE_SHORT :2141 Statement "if (copied < len) …";
        BWE_DROP :2154 Statement "if (!PageUptodate(page)) copied = 0";
        BWE_ZERO :2157 Statement "page_zero_new_buffers(page, start + copied, start + len)";
        BWE_COMMIT :2162 Statement "__block_commit_write(inode, page, start, start + copied)";
        GWE_ISIZE :2185 Statement "if (pos + copied > inode->i_size) i_size_write(inode, pos + copied)";
        GWE_UNLOCK :2190 Statement "unlock_page(page); put_page(page)";
        GWE_EXTENDED :2193 Statement "if (old_size < pos) pagecache_isize_extended()";
        GWE_DIRTY :2200 Statement "if (i_size_changed) mark_inode_dirty(inode)";
    }
    fn EXT4_WRITE_BEGIN_FN = "ext4_write_begin" "fs/ext4/inode.c":1155 WriteBegin traced 3 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, flags: "unsigned" Flags, ret: "int" Status) {
        WB_SHUTDOWN :1167 Statement "if (ext4_forced_shutdown(sb)) return -EIO";
        WB_INLINE :1180 Statement "if (MAY_INLINE_DATA) ret = ext4_try_to_write_inline_data(); if (ret) done";
        WB_UNLOCK :1207 Statement "create_empty_buffers(page) if it has none; unlock_page(page)";
        WB_JOURNAL :1210 Statement "handle = ext4_journal_start(inode, EXT4_HT_WRITE_PAGE, needed_blocks)";
        WB_RELOCK :1216 Statement "lock_page(page)";
        WB_TRUNCATED :1217 Statement "if (page->mapping != mapping) goto retry_grab";
        WB_BLOCKS :1228 Statement "ret = ext4_block_write_begin(page, pos, len, ext4_get_block…)";
        WB_FAIL :1247 Statement "if (ret): unlock, stop the handle, truncate what went past i_size";
    }
    fn EXT4_WRITE_END_FN = "ext4_write_end" "fs/ext4/inode.c":1306 WriteEnd traced 6 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, copied: "unsigned" Bytes, uptodate: "int" Bool, dirty: "int" Bool, private: "int" Bool, ret: "int" Status) {
        WE_INLINE :1320 Statement "if (inline_data) ret = ext4_write_inline_data_end(inode, pos, len, copied, page)";
        WE_BLOCK :1332 Statement "copied = block_write_end(file, mapping, pos, len, copied, page)";
        WE_ISIZE :1341 Statement "i_size_changed = ext4_update_inode_size(inode, pos + copied)";
        WE_STOP :1365 Statement "unlock_page; mark the inode dirty; ext4_journal_stop(handle)";
    }
    fn EXT4_JOURNALLED_WRITE_END_FN = "ext4_journalled_write_end" "fs/ext4/inode.c":1417 WriteEnd traced 6 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, copied: "unsigned" Bytes, uptodate: "int" Bool, dirty: "int" Bool, private: "int" Bool, old_size: "loff_t" Bytes, ret: "int" Status) {
        JWE_INLINE :1438 Statement "if (inline_data) ret = ext4_write_inline_data_end(inode, pos, len, copied, page)";
        JWE_WALK :1455 Statement "ext4_walk_page_buffers(handle, bhs, from, from + copied, write_end_fn)";
        JWE_STOP :1480 Statement "unlock_page; mark the inode dirty; ext4_journal_stop(handle)";
    }
    fn BLOCK_WRITE_END = "block_write_end" "fs/buffer.c":2132 WriteEnd traced 5 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, copied: "unsigned" Bytes, uptodate: "int" Bool, dirty: "int" Bool) {
    }
    fn BLOCK_WRITE_BEGIN = "__block_write_begin" "fs/buffer.c":2058 WriteBegin traced 2 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes) {
    }
    fn PAGE_ZERO_NEW_BUFFERS = "page_zero_new_buffers" "fs/buffer.c":1881 WriteEnd traced 2 -> Void (from: "unsigned" Bytes, to: "unsigned" Bytes) {
    }

    // ---- fs/ext4/inline.c: small files inside their inode ----
    fn EXT4_DA_WRITE_INLINE_DATA_BEGIN = "ext4_da_write_inline_data_begin" "fs/ext4/inline.c":871 WriteBegin traced 2 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, inline_size: "int" Bytes, page: "struct page *" Count, ret: "int" Status) {
        DIB_SIZE :896 Statement "inline_size = ext4_get_max_inline_size(inode)";
        DIB_CONVERT :912 Statement "if (ret == -ENOSPC) ret = ext4_da_convert_inline_data_to_extent(mapping, inode, flags, fsdata)";
        DIB_RETRY :916 Statement "if (ret == -ENOSPC && ext4_should_retry_alloc()) goto retry_journal";
        DIB_INSIDE :945 Statement "page 0 has the inode's bytes: *pagep = page; return 1";
    }
    fn EXT4_DA_CONVERT_INLINE_DATA_TO_EXTENT = "ext4_da_convert_inline_data_to_extent" "fs/ext4/inline.c":813 WriteBegin (inline_size: "int" Bytes, page: "struct page *" Count, ret: "int" Status) {
        DCI_NONE :826 Statement "if (!ext4_has_inline_data(inode)) clear MAY_INLINE_DATA";
        DCI_RESERVE :839 Statement "ret = __block_write_begin(page, 0, inline_size, ext4_da_get_block_prep)";
        DCI_DIRTY :849 Statement "SetPageDirty(page); clear MAY_INLINE_DATA; *fsdata = CONVERT_INLINE_DATA";
    }
    fn EXT4_TRY_TO_WRITE_INLINE_DATA = "ext4_try_to_write_inline_data" "fs/ext4/inline.c":657 WriteBegin traced 2 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, inline_size: "int" Bytes, page: "struct page *" Count, ret: "int" Status) {
        TWI_SIZE :668 Statement "if (pos + len > ext4_get_max_inline_size(inode)) goto convert";
        TWI_PREPARE :686 Statement "ret = ext4_prepare_inline_data(handle, inode, pos + len)";
        TWI_INSIDE :726 Statement "page 0 has the inode's bytes: ret = 1";
        TWI_CONVERT :737 Statement "return ext4_convert_inline_data_to_extent(mapping, inode, flags)";
    }
    fn EXT4_CONVERT_INLINE_DATA_TO_EXTENT = "ext4_convert_inline_data_to_extent" "fs/ext4/inline.c":537 WriteBegin (page: "struct page *" Count, ret: "int" Status) {
        CIE_NONE :548 Statement "if (!ext4_has_inline_data(inode)) clear MAY_INLINE_DATA; return 0";
        CIE_HANDLE :564 Statement "handle = ext4_journal_start(inode, EXT4_HT_WRITE_PAGE, needed_blocks)";
        CIE_DESTROY :597 Statement "page 0 has the bytes; ret = ext4_destroy_inline_data_nolock(handle, inode)";
        CIE_BLOCKS :601 Statement "ret = __block_write_begin(page, from, to, ext4_get_block…)";
    }
    fn EXT4_PREPARE_INLINE_DATA = "ext4_prepare_inline_data" "fs/ext4/inline.c":385 WriteBegin (len: "loff_t" Bytes, ret: "int" Status) {
        PID_UPDATE :400 Statement "if (ei->i_inline_off) ret = ext4_update_inline_data(handle, inode, len)";
        PID_CREATE :402 Statement "else ret = ext4_create_inline_data(handle, inode, len)";
    }
    fn EXT4_DESTROY_INLINE_DATA_NOLOCK = "ext4_destroy_inline_data_nolock" "fs/ext4/inline.c":408 WriteBegin (error: "int" Status) {
        DID_DONE :465 Statement "no bytes and no entry left; an empty extent tree; clear INLINE_DATA";
    }
    fn EXT4_READPAGE_INLINE = "ext4_readpage_inline" "fs/ext4/inline.c":510 Entry (index: "pgoff_t" Count, ret: "int" Status) {
        RPI_READ :525 Statement "if (!page->index) ret = ext4_read_inline_page(inode, page); else zeros";
    }
    fn EXT4_WRITE_INLINE_DATA_END = "ext4_write_inline_data_end" "fs/ext4/inline.c":741 WriteEnd traced 3 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, copied: "unsigned" Bytes) {
        WID_COPY :767 Statement "ext4_write_inline_data(inode, &iloc, kaddr, pos, copied); ClearPageDirty(page)";
    }
    fn EXT4_DA_WRITE_INLINE_DATA_END = "ext4_da_write_inline_data_end" "fs/ext4/inline.c":958 WriteEnd traced 3 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, copied: "unsigned" Bytes) {
        DIE_ISIZE :979 Statement "if (pos + copied > inode->i_size) i_size_write(inode, pos + copied)";
    }
    fn EXT4_CONVERT_INLINE_DATA_NOLOCK = "ext4_convert_inline_data_nolock" "fs/ext4/inline.c":1193 Entry (inline_size: "int" Bytes, error: "int" Status) {
        CIN_BLOCK :1260 Statement "the bytes go to a new block's buffer: ext4_handle_dirty_metadata(handle, inode, data_bh)";
        CIN_RESTORE :1269 Statement "if (error) ext4_restore_inline_data(handle, inode, iloc, buf, inline_size)";
    }
    fn EXT4_CONVERT_INLINE_DATA = "ext4_convert_inline_data" "fs/ext4/inline.c":1996 Entry (error: "int" Status) {
        CID_FLUSH :2012 Statement "if (!MAY_INLINE_DATA) error = filemap_flush(inode->i_mapping)";
        CID_HANDLE :2026 Statement "handle = ext4_journal_start(inode, EXT4_HT_WRITE_PAGE, needed_blocks)";
        CID_DONE :2036 Statement "ext4_convert_inline_data_nolock(handle, inode, &iloc); ext4_journal_stop(handle)";
    }
    fn EXT4_INLINE_DATA_TRUNCATE = "ext4_inline_data_truncate" "fs/ext4/inline.c":1897 Entry (i_size: "loff_t" Bytes, err: "int" Status) {
        ITR_CUT :1960 Statement "if (i_size < inline_size) the entry's value is cut, i_block zeroed behind i_size";
        ITR_DONE :1988 Statement "ext4_orphan_del(); times; ext4_mark_inode_dirty(); ext4_journal_stop()";
    }
    fn EXT4_TRY_CREATE_INLINE_DIR = "ext4_try_create_inline_dir" "fs/ext4/inline.c":1613 Entry () {
        TCD_DONE :1638 Statement "de->inode = parent->i_ino; an empty entry takes the rest; i_size = 60";
    }
    fn EXT4_FIND_INLINE_ENTRY = "ext4_find_inline_entry" "fs/ext4/inline.c":1646 Entry (ino: "unsigned long" Count) {
        FIE_SEARCH :1680 Statement "ret = ext4_search_dir(iloc.bh, inline_start, inline_size, dir, fname)";
    }
    fn EXT4_TRY_ADD_INLINE_ENTRY = "ext4_try_add_inline_entry" "fs/ext4/inline.c":1282 Entry (added: "int" Bool) {
        TAE_BLOCK :1300 Statement "ret = ext4_add_dirent_to_inline(): into i_block";
        TAE_VALUE :1323 Statement "ret = ext4_add_dirent_to_inline(): into the value of system.data";
    }
    fn EXT4_DELETE_INLINE_ENTRY = "ext4_delete_inline_entry" "fs/ext4/inline.c":1709 Entry () {
        DIN_DONE :1741 Statement "ext4_generic_delete_entry(); ext4_mark_inode_dirty(handle, dir)";
    }

    // ---- fs/ext4/inode.c, writeback ----
    fn EXT4_WRITEPAGES_FN = "ext4_writepages" "fs/ext4/inode.c":2702 Writeback (nr_to_write: "long" Count, range_start: "loff_t" Bytes, range_end: "loff_t" Bytes, first_page: "pgoff_t" Count, last_page: "pgoff_t" Count, ret: "int" Status) {
        WP_SHUTDOWN :2717 Statement "if (ext4_forced_shutdown(sb)) return -EIO";
        WP_EMPTY :2728 Statement "if (!nrpages || !mapping_tagged(DIRTY)) nothing to do";
        WP_JDATA :2731 Statement "if (ext4_should_journal_data(inode)) generic_writepages(mapping, wbc)";
        WP_INLINE :2757 Statement "if (ext4_has_inline_data(inode)) ext4_destroy_inline_data(handle, inode)";
        WP_RANGE :2782 Statement "range_cyclic: go on at writeback_index; else the range asked for";
        WP_TAG :2797 Statement "if (WB_SYNC_ALL || tagged) tag_pages_for_writeback(first_page, last_page)";
        WP_PASS1 :2814 Phase "do_map = 0: write what needs no mapping, without a handle";
        WP_PASS1_SUBMIT :2818 Statement "ext4_io_submit(io_submit)";
        WP_LOOP :2824 Iteration "while (!scanned_until_end && nr_to_write > 0)";
        WP_HANDLE :2843 Statement "handle = ext4_journal_start_with_reserve(WRITE_PAGE, needed, rsv)";
        WP_PREPARE :2858 Statement "ret = mpage_prepare_extent_to_map(mpd)";
        WP_STOP :2873 Statement "ext4_journal_stop(handle)";
        WP_RELEASE :2878 Statement "mpage_release_unused_pages(mpd)";
        WP_SUBMIT :2880 Statement "ext4_io_submit(io_submit)";
        WP_IO_END :2893 Statement "ext4_put_io_end(io_end): convert if all is on disk";
        WP_NOSPC :2902 Statement "if (ret == -ENOSPC) force a commit, try again";
        WP_CYCLE :2912 Statement "if (!cycled) once more, from page 0 to writeback_index";
        WP_INDEX :2925 Statement "mapping->writeback_index = first_page";
    }
    fn MPAGE_PREPARE_EXTENT_TO_MAP = "mpage_prepare_extent_to_map" "fs/ext4/inode.c":2598 Writeback (first_page: "pgoff_t" Count, next_page: "pgoff_t" Count, lblk: "ext4_lblk_t" Count, len: "unsigned int" Count, page: "struct page *" Count) {
        MPE_LOCK :2644 Statement "lock_page(page)";
        MPE_SKIP :2652 Statement "clean, truncated or already under writeback: unlock, next page";
        MPE_WAIT :2660 Statement "wait_on_page_writeback(page)";
        MPE_BUFS :2686 Statement "mpage_process_page_bufs(): add its dirty buffers to the extent, or submit it";
        MPE_DONE :2695 Statement "no tagged page left: scanned_until_end";
    }
    fn MPAGE_MAP_AND_SUBMIT_EXTENT = "mpage_map_and_submit_extent" "fs/ext4/inode.c":2475 Writeback (lblk: "ext4_lblk_t" Count, len: "unsigned int" Count, pblk: "ext4_fsblk_t" Count, flags: "unsigned int" Flags, err: "int" Status, disksize: "loff_t" Bytes) {
        MME_MAP :2492 Statement "err = mpage_map_one_extent(handle, mpd)";
        MME_LOST :2517 Statement "Delayed block allocation failed: data will be lost";
        MME_BUFFERS :2531 Statement "mpage_map_and_submit_buffers(mpd): buffers get their blocks, pages go to the bio";
        MME_DISKSIZE :2551 Statement "i_disksize = min(first_page << 12, i_size); ext4_mark_inode_dirty()";
    }
    fn WRITE_CACHE_PAGES = "write_cache_pages" "mm/page-writeback.c":2190 Writeback (nr_to_write: "long" Count, page: "struct page *" Count, ret: "int" Status) {
        WCP_LOCK :2235 Statement "lock_page(page)";
        WCP_WAIT :2258 Statement "wait_on_page_writeback(page)";
        WCP_WRITE :2264 Statement "if (clear_page_dirty_for_io(page)) error = writepage(page, wbc)";
    }
    fn WAIT_FOR_STABLE_PAGE = "wait_for_stable_page" "mm/page-writeback.c":2866 WriteBegin (page: "struct page *" Count) {
        WSP_WAIT :2870 Statement "if (sb->s_iflags & SB_I_STABLE_WRITES) wait_on_page_writeback(page)";
    }
    fn EXT4_WRITEPAGE_FN = "ext4_writepage" "fs/ext4/inode.c":2026 Writeback (page: "struct page *" Count, len: "unsigned int" Bytes, ret: "int" Status) {
        EWP_UNMAPPED :2080 Statement "delayed or unwritten blocks: redirty the page";
        EWP_BIO :2110 Statement "ext4_bio_write_page(page, len)";
    }
    fn EXT4_END_IO_END = "ext4_end_io_end" "fs/ext4/page-io.c":178 Writeback (offset: "loff_t" Bytes, size: "ssize_t" Bytes, ret: "int" Status) {
        EIE_CONVERT :189 Statement "ext4_convert_unwritten_io_end_vec(handle, io_end)";
        EIE_RELEASE :197 Statement "ext4_release_io_end(): its pages leave writeback";
    }
    fn FDATAWAIT_RANGE = "__filemap_fdatawait_range" "mm/filemap.c":504 Writeback (start: "loff_t" Bytes, end: "pgoff_t" Bytes, page: "struct page *" Count) {
        FWR_WAIT :527 Statement "wait_on_page_writeback(page)";
    }

    // ---- fsync and sync ----
    fn VFS_FSYNC_RANGE = "vfs_fsync_range" "fs/sync.c":194 Writeback traced 3 -> Decimal (start: "loff_t" Bytes, end: "loff_t" Bytes, datasync: "int" Bool) {
        VFR_CALL :202 Phase "return file->f_op->fsync(file, start, end, datasync)";
    }
    fn VFS_FSYNC_RANGE_INLINED = "vfs_fsync_range" "fs/sync.c":194 Writeback (start: "loff_t" Bytes, end: "loff_t" Bytes, datasync: "int" Bool) {
    }
    fn EXT4_SYNC_FILE = "ext4_sync_file" "fs/ext4/fsync.c":129 Writeback traced 3 -> Decimal (start: "loff_t" Bytes, end: "loff_t" Bytes, datasync: "int" Bool, tid: "tid_t" Count, ret: "int" Status) {
        ESF_SHUTDOWN :136 Statement "if (ext4_forced_shutdown(sb)) return -EIO";
        ESF_RO :143 Statement "if (sb_rdonly(sb)) goto out";
        ESF_DATA :151 Statement "ret = file_write_and_wait_range(file, start, end)";
        ESF_JDATA :171 Statement "journal mode: ext4_force_commit(sb)";
        ESF_JOURNAL :173 Statement "ext4_fsync_journal(): commit datasync ? i_datasync_tid : i_sync_tid";
        ESF_BARRIER :176 Statement "if (needs_barrier) blkdev_issue_flush(bdev)";
        ESF_WBERR :182 Statement "file_check_and_advance_wb_err(file)";
    }
    fn SYNC_FILESYSTEM = "sync_filesystem" "fs/sync.c":29 Writeback (ret: "int" Status) {
        SFS_STARTED :59 Statement "__sync_filesystem(sb, 0): writes are started, none is waited for";
        SFS_DONE :62 Statement "__sync_filesystem(sb, 1): the same, and all is waited for";
    }
    fn KSYS_SYNC = "ksys_sync" "fs/sync.c":111 Writeback () {
        KS_WAKE :115 Statement "wakeup_flusher_threads(WB_REASON_SYNC)";
        KS_INODES :116 Statement "sync_inodes_sb(): every dirty inode's pages";
        KS_FS :118 Statement "sync_fs(wait): commit the journal";
        KS_BDEV :119 Statement "write the block device's own dirty buffers";
    }

    // ---- fs/fs-writeback.c, the flusher ----
    fn WRITEBACK_SINGLE_INODE = "__writeback_single_inode" "fs/fs-writeback.c":1459 Writeback (ino: "unsigned long" Count, ret: "int" Status) {
        WSI_PAGES :1470 Statement "ret = do_writepages(mapping, wbc)";
        WSI_CLEAR :1505 Statement "i_state &= ~I_DIRTY, unless pages are still tagged";
    }
    fn WRITEBACK_SB_INODES = "writeback_sb_inodes" "fs/fs-writeback.c":1640 Writeback (ino: "unsigned long" Count, write_chunk: "long" Status, wrote: "long" Count, total_wrote: "long" Count) {
        WSB_OTHER :1670 Statement "another file system's inode: redirty_tail(inode, wb)";
        WSB_FREEING :1689 Statement "if (inode->i_state & (I_NEW | I_FREEING | I_WILL_FREE)) redirty_tail(inode, wb)";
        WSB_CHUNK :1725 Phase "inode->i_state |= I_SYNC; write_chunk = writeback_chunk_size(wb, work)";
        WSB_REQUEUE :1762 Statement "requeue_inode(inode, wb, &wbc); inode_sync_complete(inode)";
    }
    fn WB_WRITEBACK = "wb_writeback" "fs/fs-writeback.c":1856 Writeback (nr_pages: "long" Status, progress: "long" Count) {
        WBW_LOOP :1872 Iteration "if (work->nr_pages <= 0) break";
        WBW_YIELD :1881 Statement "background and old data give way to works that wait";
        WBW_UNDER :1889 Statement "if (work->for_background && !wb_over_bg_thresh(wb)) break";
        WBW_QUEUE :1906 Statement "if (list_empty(&wb->b_io)) queue_io(wb, work, dirtied_before)";
        WBW_PROGRESS :1923 Statement "if (progress) continue";
    }
    fn WB_DO_WRITEBACK = "wb_do_writeback" "fs/fs-writeback.c":2045 Writeback (nr_pages: "long" Status, reason: "enum wb_reason" Count, wrote: "long" Count, over: "bool" Bool) {
        WDW_WORK :2051 Phase "work = get_next_work_item(wb)";
        WDW_FINISH :2054 Statement "finish_writeback_work(wb, work)";
        WDW_START_ALL :2060 Phase "wrote += wb_check_start_all(wb)";
        WDW_OLD_DATA :2065 Phase "wrote += wb_check_old_data_flush(wb)";
        WDW_BACKGROUND :2066 Phase "wrote += wb_check_background_flush(wb)";
    }
    fn WB_WORKFN = "wb_workfn" "fs/fs-writeback.c":2076 Writeback (pages_written: "long" Count) {
        WF_WRITTEN :2094 Statement "pages_written = wb_do_writeback(wb)";
        WF_REARM :2111 Statement "if (wb_has_dirty_io(wb) && dirty_writeback_interval) wb_wakeup_delayed(wb)";
    }
    fn WRITEBACK_INODES_SB = "__writeback_inodes_sb_nr" "fs/fs-writeback.c":2444 Writeback (nr_pages: "unsigned long" Count) {
        WIS_QUEUED :2462 Statement "bdi_split_work_to_wbs(sb->s_bdi, &work, skip_if_busy)";
        WIS_DONE :2463 Statement "wb_wait_for_completion(&done)";
    }
    fn SYNC_INODES_SB = "sync_inodes_sb" "fs/fs-writeback.c":2523 Writeback () {
        SIS_QUEUED :2548 Statement "bdi_split_work_to_wbs(bdi, &work, false)";
        SIS_WRITTEN :2549 Statement "wb_wait_for_completion(&done)";
        SIS_WAITED :2552 Statement "wait_sb_inodes(sb)";
    }

    // ---- reading ----
    fn GENERIC_FILE_BUFFERED_READ = "generic_file_buffered_read" "mm/filemap.c":2189 Entry (pos: "loff_t" Bytes, count: "size_t" Bytes, index: "pgoff_t" Count, offset: "unsigned long" Bytes, nr: "unsigned long" Bytes, written: "ssize_t" Bytes, page: "struct page *" Count) {
        GFR_FIND :2238 Statement "page = find_get_page(mapping, index)";
        GFR_SYNC :2242 Statement "page_cache_sync_readahead(index, last_index - index)";
        GFR_ASYNC :2254 Statement "if (PageReadahead(page)) page_cache_async_readahead()";
        GFR_WAIT :2276 Statement "wait_on_page_locked_killable(page)";
        GFR_READPAGE :2404 Statement "error = readpage(file, page)";
        GFR_EOF :2311 Statement "if (index > end_index) the file ends before this page";
        GFR_COPY :2347 Statement "ret = copy_page_to_iter(page, offset, nr, iter)";
    }
    fn PAGECACHE_GET_PAGE = "pagecache_get_page" "mm/filemap.c":1791 Entry (index: "pgoff_t" Count, page: "struct page *" Count) {
        PGP_ACCESSED :1822 Statement "if (fgp_flags & FGP_ACCESSED) mark_page_accessed(page)";
    }
    fn FILEMAP_FAULT = "filemap_fault" "mm/filemap.c":2716 Entry (index: "pgoff_t" Count, page: "struct page *" Count) {
        FF_SIGBUS :2731 Statement "if (offset >= max_off) return VM_FAULT_SIGBUS";
        FF_AROUND :2748 Statement "do_sync_mmap_readahead(): 32 pages around";
        FF_LOCK :2760 Statement "lock_page(page)";
        FF_READPAGE :2811 Statement "error = readpage(file, page)";
    }
    fn EXT4_MPAGE_READPAGES = "ext4_mpage_readpages" "fs/ext4/readpage.c":224 Entry (index: "pgoff_t" Count, nr_pages: "unsigned int" Count, lblk: "ext4_lblk_t" Count, len: "unsigned int" Count, pblk: "ext4_fsblk_t" Count) {
        MRP_MAP :304 Statement "ext4_map_blocks(NULL, inode, &map, 0)";
        MRP_HOLE :342 Statement "nothing mapped: zeros, uptodate, unlock";
        MRP_ADD :387 Statement "bio_add_page(bio, page, length, 0)";
        MRP_CONFUSED :404 Statement "block_read_full_page(page, ext4_get_block)";
    }
    fn BLOCK_READ_FULL_PAGE = "block_read_full_page" "fs/buffer.c":2259 Entry (page: "struct page *" Count, iblock: "sector_t" Count) {
        BRF_MAP :2288 Statement "err = get_block(inode, iblock, bh, 0)";
        BRF_ZERO :2293 Statement "a hole: zero_user(page, i * blocksize, blocksize)";
        BRF_READ :2339 Statement "submit_bh(REQ_OP_READ, 0, bh)";
    }

    // ---- truncating ----
    fn EXT4_SETATTR = "ext4_setattr" "fs/ext4/inode.c":5470 Entry traced 0 -> Decimal (size: "loff_t" Bytes, oldsize: "loff_t" Bytes, error: "int" Status) {
        ESA_ORDERED :5578 Statement "if (shrink && ordered) ext4_begin_ordered_truncate(inode, size)";
        ESA_MMAP_SEM :5590 Statement "down_write(i_mmap_sem)";
        ESA_HANDLE :5599 Statement "handle = ext4_journal_start(inode, EXT4_HT_INODE, 3)";
        ESA_ORPHAN :5605 Statement "if (shrink) ext4_orphan_add(handle, inode)";
        ESA_SIZE :5642 Statement "i_disksize = size; ext4_mark_inode_dirty(); i_size_write(inode, size)";
        ESA_EXTENDED :5650 Statement "if (!shrink) pagecache_isize_extended(inode, oldsize, size)";
        ESA_PAGES :5661 Statement "truncate_pagecache(inode, i_size)";
        ESA_TRUNCATE :5667 Statement "if (size <= oldsize) ext4_truncate(inode)";
        ESA_DIRTY :5677 Statement "mark_inode_dirty(inode)";
    }
    fn EXT4_TRUNCATE = "ext4_truncate" "fs/ext4/inode.c":4277 Entry traced 0 -> Decimal (i_size: "loff_t" Bytes, first_block: "ext4_lblk_t" Count, err: "int" Status) {
        ETR_CLOSE :4298 Statement "if (i_size == 0) set DA_ALLOC_CLOSE: flush when the file is closed";
        ETR_INLINE :4302 Statement "if (ext4_has_inline_data(inode)) err = ext4_inline_data_truncate()";
        ETR_HANDLE :4320 Statement "handle = ext4_journal_start(inode, EXT4_HT_TRUNCATE, credits)";
        ETR_TAIL :4327 Statement "ext4_block_truncate_page(): zero the tail block past i_size";
        ETR_ORPHAN :4338 Statement "err = ext4_orphan_add(handle, inode)";
        ETR_PAS :4344 Statement "down_write(i_data_sem); ext4_discard_preallocations(inode)";
        ETR_EXTENTS :4347 Statement "err = ext4_ext_truncate(handle, inode)";
        ETR_DONE :4370 Statement "ext4_orphan_del(); times; ext4_mark_inode_dirty(); ext4_journal_stop()";
    }
    fn TRUNCATE_INODE_PAGES_RANGE = "truncate_inode_pages_range" "mm/truncate.c":288 Entry (lstart: "loff_t" Bytes, start: "pgoff_t" Count, page: "struct page *" Count) {
        TIP_BATCH :363 Statement "a batch of whole pages: invalidate, release, delete from the cache";
        TIP_PARTIAL :381 Statement "the page that straddles lstart: wait for its writeback, zero the tail";
        TIP_WAIT :446 Statement "lock_page(page); wait_on_page_writeback(page); truncate_inode_page()";
    }

    // ---- the middle of a file: fs/ext4/extents.c, inode.c ----
    fn EXT4_FALLOCATE = "ext4_fallocate" "fs/ext4/extents.c":4723 Entry traced 3 -> Decimal (mode: "int" Flags, offset: "loff_t" Bytes, len: "loff_t" Bytes) {
        EFA_MODE :4750 Statement "punch, collapse, insert and zero have functions of their own";
        EFA_LOCK :4780 Statement "inode_lock(inode)";
    }
    fn EXT4_ALLOC_FILE_BLOCKS = "ext4_alloc_file_blocks" "fs/ext4/extents.c":4474 Entry (lblk: "ext4_lblk_t" Count, len: "ext4_lblk_t" Count, ret: "int" Status) {
        EAFB_MAP :4521 Statement "ret = ext4_map_blocks(handle, inode, &map, flags)";
        EAFB_STOP :4543 Statement "ext4_mark_inode_dirty(handle, inode); ext4_journal_stop(handle)";
    }
    fn EXT4_ZERO_RANGE_FN = "ext4_zero_range" "fs/ext4/extents.c":4561 Entry (offset: "loff_t" Bytes, len: "loff_t" Bytes) {
        EZR_LOCK :4606 Statement "inode_lock(inode)";
        EZR_OUTER :4636 Statement "ext4_alloc_file_blocks(): the range, rounded outwards";
        EZR_INNER :4672 Statement "truncate_pagecache_range(); whole blocks become unwritten";
        EZR_EDGES :4702 Statement "ext4_zero_partial_blocks(handle, inode, offset, len)";
    }
    fn EXT4_COLLAPSE_RANGE_FN = "ext4_collapse_range" "fs/ext4/extents.c":5315 Entry (offset: "loff_t" Bytes, len: "loff_t" Bytes) {
        ECR_LOCK :5349 Statement "inode_lock(inode)";
        ECR_WRITE :5399 Statement "filemap_write_and_wait_range(): what will move, and the page before it";
        ECR_PAGES :5403 Statement "truncate_pagecache(inode, ioffset)";
        ECR_SHIFT :5430 Statement "ext4_ext_remove_space(); ext4_ext_shift_extents(SHIFT_LEFT); i_size -= len";
    }
    fn EXT4_INSERT_RANGE_FN = "ext4_insert_range" "fs/ext4/extents.c":5466 Entry (offset: "loff_t" Bytes, len: "loff_t" Bytes) {
        EIR_LOCK :5502 Statement "inode_lock(inode)";
        EIR_WRITE :5544 Statement "filemap_write_and_wait_range(ioffset, LLONG_MAX)";
        EIR_PAGES :5548 Statement "truncate_pagecache(inode, ioffset)";
        EIR_SHIFT :5620 Statement "the extent at offset is split; ext4_ext_shift_extents(SHIFT_RIGHT)";
    }
    fn EXT4_EXT_SHIFT_EXTENTS = "ext4_ext_shift_extents" "fs/ext4/extents.c":5171 Entry (start: "ext4_lblk_t" Count, shift: "ext4_lblk_t" Count) {
        ESX_LEAF :5297 Statement "ext4_ext_shift_path_extents(): the extents of one leaf";
    }
    fn EXT4_PUNCH_HOLE_FN = "ext4_punch_hole" "fs/ext4/inode.c":4062 Entry (offset: "loff_t" Bytes, len: "loff_t" Bytes) {
        EPH_WRITE :4081 Statement "filemap_write_and_wait_range(mapping, offset, offset + length − 1)";
        EPH_LOCK :4087 Statement "inode_lock(inode)";
        EPH_PAGES :4148 Statement "truncate_pagecache_range(): whole blocks leave the cache";
        EPH_EDGES :4163 Statement "ext4_zero_partial_blocks(handle, inode, offset, length)";
        EPH_BLOCKS :4186 Statement "ext4_ext_remove_space(inode, first_block, stop_block − 1)";
    }

    // ---- stores through a mapping: mm/memory.c, fs/buffer.c, fs/ext4/inode.c ----
    fn EXT4_PAGE_MKWRITE = "ext4_page_mkwrite" "fs/ext4/inode.c":6217 WriteBegin traced 0 -> Hex (page: "struct page *" Count, len: "loff_t" Bytes, err: "int" Status) {
        PMK_IMMUTABLE :6234 Statement "if (IS_IMMUTABLE(inode)) return VM_FAULT_SIGBUS";
        PMK_TIME :6238 Statement "file_update_time(vma->vm_file)";
        PMK_DA :6258 Statement "err = block_page_mkwrite(vma, vmf, ext4_da_get_block_prep)";
        PMK_MAPPED :6289 Statement "all buffers mapped: return VM_FAULT_LOCKED";
        PMK_JOURNAL :6303 Statement "handle = ext4_journal_start(inode, EXT4_HT_WRITE_PAGE)";
        PMK_BLOCKS :6317 Statement "err = block_page_mkwrite(vma, vmf, get_block)";
    }
    fn BLOCK_WRITE_BEGIN_INT = "__block_write_begin_int" "fs/buffer.c":1973 WriteBegin traced 2 -> Decimal (pos: "loff_t" Bytes, len: "unsigned" Bytes, block: "sector_t" Count, bh: "struct buffer_head *" Count, err: "int" Status) {
        BWB_MAPPED :2053 Statement "each buffer of the range is mapped; if (err) page_zero_new_buffers()";
    }
    fn DO_SHARED_FAULT = "do_shared_fault" "mm/memory.c":4178 Entry (address: "unsigned long" Address, page: "struct page *" Count) {
        DSF_PAGE :4183 Statement "ret = __do_fault(vmf): the page is in the cache";
        DSF_DIRTY :4209 Statement "finish_fault(); fault_dirty_shared_page(): the entry allows stores now";
    }
    fn EXT4_FILE_MMAP = "ext4_file_mmap" "fs/ext4/file.c":746 Entry () {
        FMM_OPS :763 Statement "file_accessed(file); vma->vm_ops = &ext4_file_vm_ops";
    }

    // ---- memory pressure: mm/page_alloc.c, mm/vmscan.c ----
    fn ALLOC_PAGES_SLOWPATH = "__alloc_pages_slowpath" "mm/page_alloc.c":4643 Entry (did_some_progress: "unsigned long" Count, no_progress_loops: "int" Count) {
        ASP_RECLAIM :4829 Statement "page = __alloc_pages_direct_reclaim(&did_some_progress)";
        ASP_PAGE :4391 Statement "page = get_page_from_freelist()";
        ASP_NORETRY :4841 Statement "if (gfp_mask & __GFP_NORETRY) goto nopage";
        ASP_WAIT :4584 Statement "if (2 * write_pending > reclaimable) congestion_wait(BLK_RW_ASYNC, HZ / 10)";
        ASP_OOM :4878 Statement "page = __alloc_pages_may_oom(&did_some_progress)";
    }
    fn DO_TRY_TO_FREE_PAGES = "do_try_to_free_pages" "mm/vmscan.c":3029 Entry () {
        DTF_FORCE :3098 Statement "if (sc->skipped_deactivate) sc->force_deactivate = 1, goto retry";
    }
    fn SHRINK_LRUVEC = "shrink_lruvec" "mm/vmscan.c":2441 Entry (priority: "s8" Count, nr_inactive: "unsigned long" Count, nr_active: "unsigned long" Count) {
        SLV_SCAN :2452 Statement "get_scan_count(lruvec, sc, nr): size >> priority of each list";
    }
    fn SHRINK_INACTIVE_LIST = "shrink_inactive_list" "mm/vmscan.c":1927 Entry (nr_to_scan: "unsigned long" Count, nr_taken: "unsigned long" Count, nr_reclaimed: "unsigned int" Count) {
        SIL_ISOLATE :1957 Statement "nr_taken = isolate_lru_pages(nr_to_scan, lruvec, &page_list, ...)";
        SIL_PUTBACK :1976 Statement "move_pages_to_lru(lruvec, &page_list)";
        SIL_WAKE :2003 Statement "if (stat.nr_unqueued_dirty == nr_taken) wakeup_flusher_threads(WB_REASON_VMSCAN)";
    }
    fn SHRINK_PAGE_LIST = "shrink_page_list" "mm/vmscan.c":1082 Entry (page: "struct page *" Count, ino: "unsigned long" Count, index: "pgoff_t" Count) {
        SPL_LOCKED :1108 Statement "if (!trylock_page(page)) goto keep";
        SPL_WRITEBACK :1216 Statement "PageWriteback: SetPageReclaim(page), goto activate_locked";
        SPL_ACTIVATE :1234 Statement "PAGEREF_ACTIVATE: goto activate_locked";
        SPL_KEEP :1236 Statement "PAGEREF_KEEP: goto keep_locked";
        SPL_UNMAP :1317 Statement "try_to_unmap(page, flags)";
        SPL_DIRTY :1346 Statement "PageDirty and not kswapd: SetPageReclaim(page), goto activate_locked";
        SPL_BUFFERS :1413 Statement "if (!try_to_release_page(page, gfp_mask)) goto activate_locked";
        SPL_BUSY :1444 Statement "if (!__remove_mapping(mapping, page)) goto keep_locked";
        SPL_FREE :1454 Statement "unlock_page(page), nr_reclaimed += nr_pages";
    }
    fn SHRINK_ACTIVE_LIST = "shrink_active_list" "mm/vmscan.c":2019 Entry (nr_to_scan: "unsigned long" Count, page: "struct page *" Count, nr_taken: "unsigned long" Count) {
        SAL_DEACTIVATE :2087 Statement "ClearPageActive(page), SetPageWorkingset(page)";
        SAL_PUTBACK :2098 Statement "move_pages_to_lru(lruvec, &l_inactive)";
    }

    // ---- past the cache: fs/ext4/file.c, fs/iomap/direct-io.c ----
    fn EXT4_DIO_WRITE_ITER = "ext4_dio_write_iter" "fs/ext4/file.c":440 Entry (pos: "loff_t" Bytes) {
        DIO_LOCK :467 Statement "inode_lock_shared(inode), or inode_lock(inode) if unaligned or extending";
        DIO_CHECKS :490 Statement "ret = ext4_dio_write_checks(iocb, from, &ilock_shared, &extend)";
        DIO_ORPHAN :523 Statement "if (extend) ext4_orphan_add(handle, inode)";
        DIO_UNLOCK :557 Statement "inode_unlock(inode)";
        DIO_BUFFERED :562 Statement "if (iov_iter_count(from)) the rest through the cache, written and dropped";
    }
    fn IOMAP_DIO_RW = "iomap_dio_rw" "fs/iomap/direct-io.c":423 Writeback traced 0 -> Decimal (pos: "loff_t" Bytes) {
        IDR_INVALIDATE :505 Statement "filemap_write_and_wait_range(); invalidate_inode_pages2_range()";
        IDR_SUBMIT :318 Statement "iomap_dio_submit_bio(dio, iomap, bio, pos)";
        IDR_WAIT :591 Statement "wait until all requests are done";
        IDR_CONVERT :361 Statement "ext4_convert_unwritten_extents(NULL, inode, pos, size)";
    }
    fn EXT4_IOMAP_BEGIN = "ext4_iomap_begin" "fs/ext4/inode.c":3514 Entry (pos: "loff_t" Bytes, len: "loff_t" Bytes, lblk: "ext4_lblk_t" Count, pblk: "ext4_fsblk_t" Count, blocks: "unsigned int" Count) {
        EIB_FOUND :3543 Statement "if (ret > 0 && (map.m_flags & EXT4_MAP_MAPPED)) goto out";
        EIB_ALLOC :3546 Statement "ret = ext4_iomap_alloc(inode, &map, flags)";
        EIB_LOOKED :3548 Statement "ret = ext4_map_blocks(NULL, inode, &map, 0)";
    }
    fn EXT4_HANDLE_INODE_EXTENSION = "ext4_handle_inode_extension" "fs/ext4/file.c":282 Entry (offset: "loff_t" Bytes, count: "ssize_t" Status) {
        HIE_SIZE :302 Statement "ext4_update_inode_size(inode, offset + count); ext4_orphan_del(handle, inode)";
    }

    // ---- to the device's own memory: fs/ext4/file.c, fs/dax.c ----
    fn EXT4_DAX_WRITE_ITER = "ext4_dax_write_iter" "fs/ext4/file.c":593 Entry (pos: "loff_t" Bytes, count: "size_t" Bytes, ret: "ssize_t" Status) {
        DWI_TRYLOCK :603 Statement "if (!inode_trylock(inode)) return -EAGAIN";
        DWI_LOCK :606 Statement "inode_lock(inode)";
        DWI_CHECKS :610 Statement "ret = ext4_write_checks(iocb, from); if (ret <= 0) goto out";
        DWI_HANDLE :617 Statement "handle = ext4_journal_start(inode, EXT4_HT_INODE, 2)";
        DWI_ORPHAN :623 Statement "ret = ext4_orphan_add(handle, inode)";
        DWI_COPIED :633 Statement "ret = dax_iomap_rw(iocb, from, &ext4_iomap_ops)";
        DWI_EXTEND :636 Statement "ret = ext4_handle_inode_extension(inode, offset, ret)";
        DWI_TRUNCATE :637 Statement "ext4_inode_extension_cleanup(inode, ret < count)";
        DWI_UNLOCK :640 Statement "inode_unlock(inode)";
        DWI_SYNC :642 Statement "if (ret > 0) ret = generic_write_sync(iocb, ret)";
    }
    fn EXT4_DAX_READ_ITER = "ext4_dax_read_iter" "fs/ext4/file.c":86 Entry (pos: "loff_t" Bytes, count: "size_t" Bytes, ret: "ssize_t" Status) {
        DRI_LOCK :95 Statement "inode_lock_shared(inode)";
        DRI_DONE :109 Statement "inode_unlock_shared(inode); file_accessed(file)";
    }
    fn DAX_IOMAP_RW = "dax_iomap_rw" "fs/dax.c":1198 Entry traced 0 -> Decimal (pos: "loff_t" Bytes, done: "loff_t" Bytes, ret: "int" Status) {
        DIR_APPLY :1217 Statement "ret = iomap_apply(inode, pos, iov_iter_count(iter), flags, ops, iter, dax_iomap_actor)";
    }
    fn DAX_IOMAP_ACTOR = "dax_iomap_actor" "fs/dax.c":1095 Copy (pos: "loff_t" Bytes, length: "loff_t" Bytes, pblk: "ext4_fsblk_t" Count, offset: "unsigned" Bytes, xfer: "ssize_t" Bytes, done: "ssize_t" Bytes) {
        DIA_HOLE :1113 Statement "if (hole or unwritten) return iov_iter_zero(min(length, end - pos), iter)";
        DIA_SIGNAL :1139 Statement "if (fatal_signal_pending(current)) ret = -EINTR";
        DIA_ACCESS :1148 Statement "map_len = dax_direct_access(dax_dev, pgoff, PHYS_PFN(size), &kaddr)";
        DIA_COPY :1167 Statement "xfer = dax_copy_from_iter(dax_dev, pgoff, kaddr, map_len, iter)";
        DIA_READ :1170 Statement "xfer = dax_copy_to_iter(dax_dev, pgoff, kaddr, map_len, iter)";
    }
    fn DAX_IOMAP_ZERO = "dax_iomap_zero" "fs/dax.c":1058 Entry (pos: "loff_t" Bytes, length: "u64" Bytes, pblk: "ext4_fsblk_t" Count) {
        DIZ_ZERO :1089 Statement "memset(kaddr + offset, 0, size); dax_flush(dax_dev, kaddr + offset, size)";
    }
    fn EXT4_DAX_WRITEPAGES = "ext4_dax_writepages" "fs/ext4/inode.c":2936 Writeback (nr_to_write: "long" Count) {
        WPD_RANGE :2950 Statement "ret = dax_writeback_mapping_range(mapping, daxdev, wbc)";
    }

    // ---- through a pipe: fs/splice.c ----
    fn GENERIC_FILE_SPLICE_READ = "generic_file_splice_read" "fs/splice.c":298 Entry (pos: "loff_t" Bytes, len: "size_t" Bytes) {
        GSR_PAGES :307 Statement "ret = call_read_iter(in, &kiocb, &to): pages of the cache go into the pipe";
    }
    fn ITER_FILE_SPLICE_WRITE = "iter_file_splice_write" "fs/splice.c":618 Entry traced 0 -> Decimal () {
        IFS_WRITE :686 Statement "ret = vfs_iter_write(out, &from, &sd.pos, 0)";
    }

    // ---- where data lies: fs/iomap, fs/ext4/inode.c ----
    fn EXT4_IOMAP_BEGIN_REPORT = "ext4_iomap_begin_report" "fs/ext4/inode.c":3622 Entry (offset: "loff_t" Bytes, lblk: "ext4_lblk_t" Count, len: "unsigned int" Count) {
        IBR_INLINE :3636 Statement "if (ext4_has_inline_data(inode)) ret = ext4_inline_data_iomap(inode, iomap)";
        IBR_MAP :3665 Statement "ret = ext4_map_blocks(NULL, inode, &map, 0)";
    }

    // ---- the end of a mount that went wrong ----
    fn EXT4_SHUTDOWN_FN = "ext4_shutdown" "fs/ext4/ioctl.c":611 Journal (flags: "__u32" Count) {
        SHD_FLAG :637 Statement "set_bit(EXT4_FLAGS_SHUTDOWN, &sbi->s_ext4_flags)";
        SHD_ABORT :650 Statement "jbd2_journal_abort(sbi->s_journal): the superblock of the log says so";
    }

    // ---- fs/super.c: freezing ----
    fn SB_START_WRITE = "__sb_start_write" "include/linux/fs.h":1673 Entry (level: "int" Count) {
        SSW_WAIT :1675 Statement "percpu_down_read(sb->s_writers.rw_sem + level - 1)";
    }
    fn FREEZE_SUPER = "freeze_super" "fs/super.c":1733 Entry (level: "int" Count, ret: "int" Status) {
        FRZ_BUSY :1739 Statement "if (sb->s_writers.frozen != SB_UNFROZEN) return -EBUSY";
        FRZ_LEVEL :1759 Statement "sb->s_writers.frozen = level; sb_wait_write(sb, level)";
        FRZ_SYNC :1767 Statement "ret = sync_filesystem(sb)";
        FRZ_DONE :1796 Statement "sb->s_op->freeze_fs(sb); sb->s_writers.frozen = SB_FREEZE_COMPLETE";
    }
    fn THAW_SUPER = "thaw_super" "fs/super.c":1844 Entry () {
        THW_WAKE :1839 Statement "sb->s_op->unfreeze_fs(sb); wake_up(&sb->s_writers.wait_unfrozen)";
    }

    // ---- mm/swapfile.c ----
    fn SWAPON = "swapon" "mm/swapfile.c":3175 Entry (ret: "int" Status) {
        SWO_HEADER :3250 Statement "if (IS_SWAPFILE(inode)) -EBUSY; maxpages = read_swap_header(p, swap_header, inode)";
        SWO_EXTENTS :3314 Statement "nr_extents = setup_swap_extents(): no hole, something in a row";
        SWO_FLAG :3385 Statement "inode->i_flags |= S_SWAPFILE; error = inode_drain_writes(inode)";
    }

    // ---- fs/ext4/super.c: errors ----
    fn EXT4_ERROR = "__ext4_error" "fs/ext4/super.c":683 Journal (errno: "int" Count, ino: "unsigned long" Count, block: "__u64" Count) {
        EE_SAVED :704 Statement "save_error_info(sb, error, ino, block, function, line)";
    }
    fn EXT4_STD_ERROR = "__ext4_std_error" "fs/ext4/super.c":824 Journal (errno: "int" Count) {
        ESE_SAVED :845 Statement "save_error_info(sb, -errno, 0, 0, function, line)";
    }
    fn EXT4_HANDLE_ERROR = "ext4_handle_error" "fs/ext4/super.c":647 Journal () {
        EHE_READ_ONLY :672 Statement "if (test_opt(sb, ERRORS_RO)) abort the journal; sb->s_flags |= SB_RDONLY";
    }
    fn EXT4_ABORT = "__ext4_abort" "fs/ext4/super.c":859 Journal (errno: "int" Count) {
        EA_SAVED :869 Statement "save_error_info(sb, error, 0, 0, function, line)";
        EA_READ_ONLY :888 Statement "jbd2_journal_abort(journal, -EIO); sb->s_flags |= SB_RDONLY";
    }

    // ---- fs/ext4/extents.c, mballoc.c, balloc.c: which block ----
    fn EXT4_MAP_BLOCKS = "ext4_map_blocks" "fs/ext4/inode.c":539 WriteBegin (lblk: "ext4_lblk_t" Count, len: "unsigned int" Count, flags: "int" Flags, pblk: "ext4_fsblk_t" Count, ret: "int" Status) {
        EMB_ES :567 Statement "ext4_es_lookup_extent(inode, map->m_lblk, &es)";
        EMB_DISK :598 Statement "down_read(i_data_sem); ext4_ext_map_blocks(handle, inode, map, 0)";
        EMB_LOOKED :634 Statement "return if it is only a look-up, or the blocks are there";
        EMB_CREATE :673 Statement "down_write(i_data_sem); ext4_ext_map_blocks(handle, inode, map, flags)";
        EMB_INSERT :732 Statement "ext4_es_insert_extent(inode, map->m_lblk, map->m_len, map->m_pblk, status)";
    }
    fn EXT4_GET_BLOCK_FN = "ext4_get_block" "fs/ext4/inode.c":830 WriteBegin traced 2 -> Decimal (iblock: "sector_t" Count, create: "int" Count, pblk: "ext4_fsblk_t" Count, ret: "int" Status) {
        EGB_BH :819 Statement "map_bh(bh, inode->i_sb, map.m_pblk)";
    }
    fn EXT4_GET_BLOCK_UNWRITTEN_FN = "ext4_get_block_unwritten" "fs/ext4/inode.c":842 WriteBegin traced 2 -> Decimal (iblock: "sector_t" Count, create: "int" Count, pblk: "ext4_fsblk_t" Count, ret: "int" Status) {
        EGBU_BH :819 Statement "map_bh(bh, inode->i_sb, map.m_pblk)";
    }
    fn EXT4_EXT_MAP_BLOCKS = "ext4_ext_map_blocks" "fs/ext4/extents.c":4152 WriteBegin (lblk: "ext4_lblk_t" Count, len: "unsigned int" Count, flags: "int" Flags, pblk: "ext4_fsblk_t" Count, allocated: "int" Count) {
        EEM_FIND :4169 Statement "path = ext4_find_extent(inode, map->m_lblk)";
        EEM_FOUND :4208 Statement "if (in_range(map->m_lblk, ee_block, ee_len)): the extent covers the block";
        EEM_HOLE :4249 Statement "if (!(flags & CREATE)): a hole; it goes into the status tree";
        EEM_ALLOC :4344 Statement "newblock = ext4_mb_new_blocks(handle, &ar, &err)";
        EEM_INSERT :4365 Statement "err = ext4_ext_insert_extent(handle, inode, &path, &newex, flags)";
        EEM_RESERVED :4380 Statement "ext4_da_update_reserve_space(inode, allocated_clusters, 1)";
    }
    fn EXT4_IND_MAP_BLOCKS = "ext4_ind_map_blocks" "fs/ext4/indirect.c":528 WriteBegin (lblk: "ext4_lblk_t" Count, len: "unsigned int" Count, flags: "int" Flags, pblk: "ext4_fsblk_t" Count, count: "u64" Count) {
        IMB_BRANCH :552 Statement "partial = ext4_get_branch(inode, depth, offsets, chain, &err)";
        IMB_FOUND :569 Statement "if (!partial) goto got_it: the block, and those behind it that follow on the device";
        IMB_HOLE :592 Statement "if (!(flags & CREATE)): a hole, as long as the missing pointer could reach";
        IMB_ALLOC :640 Statement "err = ext4_alloc_branch(handle, &ar, indirect_blks, offsets, partial)";
        IMB_SPLICE :651 Statement "err = ext4_splice_branch(handle, &ar, partial, indirect_blks)";
        IMB_RESERVED :665 Statement "ext4_da_update_reserve_space(inode, count, 1)";
    }
    fn EXT4_GET_BRANCH = "ext4_get_branch" "fs/ext4/indirect.c":144 WriteBegin (depth: "int" Count, block: "__le32" Count) {
        GBR_READ :185 Statement "bh = sb_getblk(sb, key): one level down; add_chain(++p, bh, b_data + *++offsets)";
    }
    fn EXT4_ALLOC_BRANCH = "ext4_alloc_branch" "fs/ext4/indirect.c":328 Writeback (indirect_blks: "int" Count, goal: "ext4_fsblk_t" Count, block: "ext4_fsblk_t" Count, err: "int" Status) {
        ABR_BLOCK :348 Statement "new_blocks[i] = ext4_new_meta_blocks() for pointers, ext4_mb_new_blocks() for data";
        ABR_FILLED :383 Statement "the new block of pointers is zeroed, its pointers to what comes next are set";
        ABR_FAILED :391 Statement "failed: what was taken for this branch is freed";
    }
    fn EXT4_SPLICE_BRANCH = "ext4_splice_branch" "fs/ext4/indirect.c":424 Writeback (indirect_blks: "int" Count, len: "unsigned int" Count, block: "ext4_lblk_t" Count) {
        SPL_LINK :446 Statement "*where->p = where->key: the missing link";
    }
    fn EXT4_IND_TRUNCATE = "ext4_ind_truncate" "fs/ext4/indirect.c":1114 Entry (i_size: "loff_t" Bytes, last_block: "ext4_lblk_t" Count) {
        ITR_SIZE :1145 Statement "ext4_es_remove_extent(inode, last_block, EXT_MAX_BLOCKS − last_block); i_disksize = i_size";
        ITR_DIRECT :1154 Statement "ext4_free_data(): pointers of the inode to data";
        ITR_TOP :1174 Statement "ext4_free_branches(): the whole subtree that begins where the file now ends";
        ITR_TAILS :1185 Statement "ext4_free_branches(): the ends of the blocks of pointers that stay";
        ITR_WHOLE :1216 Statement "ext4_free_branches(): the whole subtrees behind";
    }
    fn EXT4_IND_REMOVE_SPACE = "ext4_ind_remove_space" "fs/ext4/indirect.c":1229 Entry (start: "ext4_lblk_t" Count, end: "ext4_lblk_t" Count) {
        IRS_DIRECT :1260 Statement "ext4_free_data(): only pointers of the inode to data";
        IRS_LEVELS :1347 Statement "the end of the first level, what lies between, the begin of the last";
        IRS_LEVEL :1409 Statement "both ends in one level: each is cleared up to where they meet";
    }
    fn EXT4_FREE_BRANCHES = "ext4_free_branches" "fs/ext4/indirect.c":1003 Entry (depth: "int" Count, block: "ext4_fsblk_t" Count) {
        FBR_FREED :1082 Statement "ext4_free_blocks(): the block of pointers, after what it pointed to";
    }
    fn EXT4_FREE_DATA = "ext4_free_data" "fs/ext4/indirect.c":918 Entry (block: "ext4_fsblk_t" Count, count: "unsigned long" Count) {
        FRD_RUN :949 Statement "err = ext4_clear_blocks(): a run of blocks is freed, its pointers are zeroed";
    }
    fn EXT4_FIND_EXTENT = "ext4_find_extent" "fs/ext4/extents.c":866 WriteBegin (block: "ext4_lblk_t" Count, depth: "short int" Count, node: "ext4_fsblk_t" Count) {
        EFE_ROOT :907 Statement "the root is in the inode: cache its extents if it is a leaf";
        EFE_DOWN :919 Statement "bh = read_extent_tree_block(inode, path[ppos].p_idx, --i): one level down";
        EFE_LEAF :936 Statement "ext4_ext_binsearch(inode, path + ppos, block)";
    }
    fn EXT4_EXT_INSERT_EXTENT = "ext4_ext_insert_extent" "fs/ext4/extents.c":1960 Writeback (block: "ext4_lblk_t" Count, len: "unsigned short" Count, pblk: "ext4_fsblk_t" Count, entries: "__le16" Count) {
        EIE_MERGE :2009 Statement "if (ext4_can_extents_be_merged(inode, ex, newext)): a neighbour grows";
        EIE_FULL :2097 Statement "err = ext4_ext_create_new_leaf(handle, inode, ppath, newext)";
        EIE_PUT :2157 Statement "the new extent takes its place in the leaf";
        EIE_DONE :2170 Statement "ext4_ext_try_to_merge(); ext4_ext_correct_indexes(); ext4_ext_dirty()";
    }
    fn EXT4_EXT_SPLIT = "ext4_ext_split" "fs/ext4/extents.c":1038 Writeback (at: "int" Count, depth: "int" Count, border: "__le32" Count, newblock: "ext4_fsblk_t" Count) {
        EES_BLOCKS :1098 Statement "newblock = ext4_ext_new_meta_block(): one for each new node";
        EES_LEAF :1139 Statement "entries behind the border move to the new leaf";
        EES_INDEX :1263 Statement "ext4_ext_insert_index(handle, inode, path + at, border, newblock)";
    }
    fn EXT4_EXT_GROW_INDEPTH = "ext4_ext_grow_indepth" "fs/ext4/extents.c":1295 Writeback (depth: "__le16" Count, newblock: "ext4_fsblk_t" Count) {
        EEG_BLOCK :1313 Statement "newblock = ext4_new_meta_blocks(handle, inode, goal, flags)";
        EEG_COPY :1331 Statement "the root moves to the new block";
        EEG_ROOT :1352 Statement "the root becomes one index that points there; eh_depth + 1";
    }
    fn EXT4_SPLIT_EXTENT_AT = "ext4_split_extent_at" "fs/ext4/extents.c":3146 Writeback (split: "ext4_lblk_t" Count, block: "ext4_lblk_t" Count, len: "unsigned int" Count) {
        ESE_MARK :3187 Statement "if (split == ee_block): only the extent's type changes";
        ESE_CUT :3207 Statement "the extent ends at split";
        ESE_REST :3226 Statement "ext4_ext_insert_extent(): the rest is an extent of its own";
        ESE_ZERO :3251 Statement "no room for it: the unwritten part is zeroed instead";
    }
    fn EXT4_EXT_HANDLE_UNWRITTEN_EXTENTS_FN = "ext4_ext_handle_unwritten_extents" "fs/ext4/extents.c":3855 Writeback (lblk: "ext4_lblk_t" Count, len: "unsigned int" Count, flags: "int" Flags, allocated: "unsigned int" Count) {
        HUE_PRE_IO :3878 Statement "if (flags & PRE_IO) ext4_split_convert_extents(): split before the data is written";
        HUE_CONVERT :3900 Statement "if (flags & CONVERT) ext4_convert_unwritten_extents_endio(): the data is on disk";
        HUE_INITIALIZE :3936 Statement "ext4_ext_convert_to_initialized()";
    }
    fn EXT4_EXT_REMOVE_SPACE_FN = "ext4_ext_remove_space" "fs/ext4/extents.c":2782 Entry (start: "ext4_lblk_t" Count, end: "ext4_lblk_t" Count, depth: "int" Count) {
        ERS_SPLIT :2868 Statement "the extent that covers end is split there";
        ERS_LEAF :2927 Statement "ext4_ext_rm_leaf(): extents of a leaf, from the right";
        ERS_EMPTY :3020 Statement "if (!eh_entries): the root is a leaf again";
    }
    fn EXT4_CONVERT_UNWRITTEN_EXTENTS = "ext4_convert_unwritten_extents" "fs/ext4/extents.c":4842 Writeback (offset: "loff_t" Bytes, len: "ssize_t" Bytes, ret: "int" Status) {
        CUE_MAP :4871 Statement "ret = ext4_map_blocks(handle, inode, &map, EXT4_GET_BLOCKS_IO_CONVERT_EXT)";
    }
    fn EXT4_DA_UPDATE_RESERVE_SPACE_FN = "ext4_da_update_reserve_space" "fs/ext4/inode.c":363 Writeback (used: "int" Count, quota_claim: "int" Bool) {
        DUR_COUNT :381 Statement "i_reserved_data_blocks -= used; s_dirtyclusters -= used";
    }
    fn EXT4_MB_NEW_BLOCKS = "ext4_mb_new_blocks" "fs/ext4/mballoc.c":5155 Writeback (len: "unsigned int" Count, logical: "ext4_lblk_t" Count, goal: "ext4_fsblk_t" Count, found: "bool" Bool) {
        MNB_CLAIM :5185 Statement "while (ar->len && ext4_claim_free_clusters(sbi, ar->len)) ar->len >>= 1";
        MNB_PREALLOC :5231 Statement "if (!ext4_mb_use_preallocated(ac))";
        MNB_NORMALIZE :5233 Statement "ext4_mb_normalize_request(ac, ar): ask for more than needed now";
        MNB_FOUND :5240 Statement "ext4_mb_regular_allocator(ac)";
    }
    fn EXT4_MB_REGULAR_ALLOCATOR = "ext4_mb_regular_allocator" "fs/ext4/mballoc.c":2324 Writeback (group: "ext4_group_t" Count, start: "ext4_grpblk_t" Count, len: "ext4_grpblk_t" Count, cr: "int" Count) {
        MRA_GOAL :2345 Statement "ext4_mb_find_by_goal(ac, &e4b)";
        MRA_SCAN :2458 Statement "scan a good group: cr 0 by chunks, cr 1 to 3 by free extents";
    }
    fn EXT4_MB_MARK_DISKSPACE_USED = "ext4_mb_mark_diskspace_used" "fs/ext4/mballoc.c":3303 Writeback (group: "ext4_group_t" Count, start: "ext4_grpblk_t" Count, len: "unsigned int" Count) {
        MDU_BITS :3374 Statement "ext4_set_bits(bitmap_bh->b_data, start, len); free counts and checksums";
        MDU_DESC :3399 Statement "ext4_handle_dirty_metadata(): bitmap and descriptor";
    }
    fn EXT4_FREE_BLOCKS_FN = "ext4_free_blocks" "fs/ext4/mballoc.c":5655 Writeback (block: "ext4_fsblk_t" Count, count: "unsigned long" Count, flags: "int" Flags) {
        FRB_BITS :5745 Statement "ext4_mb_clear_bb(): free on disk, to be allocated again after the commit";
    }
    fn EXT4_SHOULD_RETRY_ALLOC = "ext4_should_retry_alloc" "fs/ext4/balloc.c":677 WriteBegin traced 0 -> Decimal (retries: "int *" Count) {
        SRA_NOTHING :694 Statement "if (sbi->s_mb_free_pending == 0) return ext4_has_free_clusters(sbi, 1, 0)";
        SRA_COMMIT :702 Statement "jbd2_journal_force_commit_nested(sbi->s_journal); return 1";
    }

    // ---- fs/fs-writeback.c: an inode becomes dirty ----
    fn MARK_INODE_DIRTY = "__mark_inode_dirty" "fs/fs-writeback.c":2237 Journal (flags: "int" Flags) {
        MID_STATE :2280 Statement "inode->i_state |= flags; was it clean: list it on wb->b_dirty";
    }

    // ---- the inode on disk: fs/ext4/inode.c ----
    fn EXT4_IGET = "__ext4_iget" "fs/ext4/inode.c":4742 Entry (ino: "unsigned long" Count, inode: "struct inode *" Count) {
        IGET_CACHED :4773 Statement "if (!(inode->i_state & I_NEW)) return inode: it is in memory";
        IGET_READ :4785 Statement "ext4_get_inode_loc(inode, &iloc); raw_inode = ext4_raw_inode(&iloc)";
    }
    fn EXT4_MARK_INODE_DIRTY_FN = "__ext4_mark_inode_dirty" "fs/ext4/inode.c":6063 Journal (ino: "unsigned long" Count) {
        EMID_UPDATE :6080 Statement "ext4_do_update_inode(): fields and checksum go to the inode table's buffer";
    }
    fn EXT4_DIRTY_INODE = "ext4_dirty_inode" "fs/ext4/inode.c":6106 Journal () {
    }
    fn EXT4_EVICT_INODE_FN = "ext4_evict_inode" "fs/ext4/inode.c":169 Entry (ino: "unsigned long" Count) {
        EVICT_PAGES :226 Statement "truncate_inode_pages_final(&inode->i_data)";
        EVICT_TRUNCATED :291 Statement "if (inode->i_blocks) ext4_truncate(inode)";
    }

    // ---- the journal: fs/jbd2/transaction.c, commit.c ----
    fn START_THIS_HANDLE = "start_this_handle" "fs/jbd2/transaction.c":325 Journal (credits: "int" Count, tid: "tid_t" Count) {
        STH_FULL :416 Statement "add_transaction_credits(): too many blocks, wait for a commit";
        STH_JOIN :438 Statement "handle->h_transaction = transaction; atomic_inc(&transaction->t_updates)";
    }
    fn JBD2_JOURNAL_STOP = "jbd2_journal_stop" "fs/jbd2/transaction.c":1804 Journal (tid: "tid_t" Count, dirtied: "int" Count) {
        JS_STOP :1930 Statement "stop_this_handle(handle): t_updates--, unused credits go back";
    }
    fn JBD2_JOURNAL_COMMIT_TRANSACTION = "jbd2_journal_commit_transaction" "fs/jbd2/commit.c":382 Journal (tid: "tid_t" Count) {
        JCT_LOCK :475 Statement "commit_transaction->t_state = T_LOCKED; wait until t_updates is 0";
        JCT_REFILE :1087 Statement "__jbd2_journal_refile_buffer(jh): JBDDirty becomes Dirty";
    }

    // ---- names and inodes: fs/ext4/namei.c, ialloc.c ----
    fn EXT4_LOOKUP = "ext4_lookup" "fs/ext4/namei.c":1733 Entry (len: "u32" Bytes, ino: "__u32" Count) {
        EL_FOUND :1742 Statement "bh = ext4_lookup_entry(dir, dentry, &de)";
    }
    fn EXT4_FIND_ENTRY = "__ext4_find_entry" "fs/ext4/namei.c":1493 Entry (block: "ext4_lblk_t" Count) {
        FE_SEARCH :1603 Statement "i = search_dirblock(bh, dir, fname, offset, res_dir)";
    }
    fn EXT4_ADD_ENTRY = "ext4_add_entry" "fs/ext4/namei.c":2286 Entry (len: "u32" Bytes, block: "ext4_lblk_t" Count) {
        APPEND_BLOCK :83 Statement "ext4_append(): a new block at the directory's end";
        AE_ENTRY :2080 Statement "ext4_insert_dentry(); mark the directory dirty; ext4_handle_dirty_dirblock()";
        AE_INDEX :2233 Statement "make_indexed_dir(): block 0 becomes the root of an index";
        AE_SPLIT :1945 Statement "do_split(): the upper half of the hashes moves to the new block";
        AE_FULL :2461 Statement "ext4_dx_add_entry(): the index has as many levels as it may";
        AE_NODE :2511 Statement "ext4_dx_add_entry(): the upper half of an index block moves to the new one";
        AE_LEVEL :2537 Statement "ext4_dx_add_entry(): the root's entries move to a block below it";
    }
    fn EXT4_CREATE = "ext4_create" "fs/ext4/namei.c":2717 Entry (mode: "umode_t" Flags, inode: "struct inode *" Count) {
        EC_INODE :2731 Statement "inode = ext4_new_inode_start_handle(dir, mode, &dentry->d_name, ...)";
    }
    fn EXT4_TMPFILE = "ext4_tmpfile" "fs/ext4/namei.c":2786 Entry (mode: "umode_t" Flags) {
    }
    fn EXT4_MKDIR = "ext4_mkdir" "fs/ext4/namei.c":2895 Entry (mode: "umode_t" Flags) {
        MKDIR_DONE :2939 Statement "ext4_inc_count(dir); ext4_mark_inode_dirty(handle, dir)";
    }
    fn EXT4_LINK = "__ext4_link" "fs/ext4/namei.c":3535 Entry () {
        LINK_DONE :3567 Statement "ext4_journal_stop(handle)";
    }
    fn EXT4_UNLINK = "ext4_unlink" "fs/ext4/namei.c":3369 Entry () {
        UNLINK_DONE :3355 Statement "drop_nlink(inode); if (!inode->i_nlink) ext4_orphan_add(handle, inode)";
    }
    fn EXT4_RENAME = "ext4_rename" "fs/ext4/namei.c":3863 Entry () {
        RENAME_FLUSH :3942 Statement "ext4_alloc_da_blocks(old.inode)";
        RENAME_NAMED :4007 Statement "ext4_add_entry(handle, new.dentry, old.inode) or ext4_setent(handle, &new, ...)";
        RENAME_DELETED :4029 Statement "ext4_rename_delete(handle, &old, force_reread)";
        RENAME_DONE :4099 Statement "ext4_journal_stop(handle)";
    }
    fn EXT4_RMDIR = "ext4_rmdir" "fs/ext4/namei.c":3206 Entry () {
        RMDIR_DONE :3282 Statement "ext4_journal_stop(handle)";
    }
    fn EXT4_ORPHANS = "ext4_orphan_add" "fs/ext4/namei.c":3044 Journal (ino: "unsigned long" Count) {
        ORPHAN_ADD :3090 Statement "NEXT_ORPHAN(inode) = s_last_orphan; s_last_orphan = inode->i_ino";
        ORPHAN_DEL :3174 Statement "ext4_orphan_del(): the one before points to the next";
    }
    fn EXT4_NEW_INODE = "__ext4_new_inode" "fs/ext4/ialloc.c":932 Entry (mode: "umode_t" Flags, group: "ext4_group_t" Count, ino: "unsigned long" Count) {
        NI_GROUP :1023 Statement "find_group_orlov() for a directory, find_group_other() for a file";
        NI_BIT :1103 Statement "ret2 = ext4_test_and_set_bit(ino, inode_bitmap_bh->b_data)";
        NI_DESC :1223 Statement "free inodes, itable_unused and checksums of the group's descriptor";
        NI_DONE :1351 Statement "ext4_mark_inode_dirty(handle, inode)";
    }
    fn EXT4_FREE_INODE_FN = "ext4_free_inode" "fs/ext4/ialloc.c":235 Entry (ino: "unsigned long" Count) {
        FI_CLEARED :314 Statement "cleared = ext4_test_and_clear_bit(bit, bitmap_bh->b_data)";
    }

    // ---- open and close: fs/open.c, fs/namei.c, fs/ext4/file.c ----
    fn DO_SYS_OPENAT2 = "do_sys_openat2" "fs/open.c":1213 Entry (flags: "int" Flags, mode: "umode_t" Flags, inode: "unsigned long" Count, created: "bool" Bool, file: "struct file *" Count) {
        DSO_OPEN :1229 Statement "f = do_filp_open(dfd, tmp, &op)";
        PO_FOUND :3430 Statement "open_last_lookups(nd, file, op)";
        PO_OPENED :3315 Statement "vfs_open(&nd->path, file)";
        DSO_DONE :1235 Statement "fd_install(fd, f)";
    }
    fn EXT4_FILE_OPEN = "ext4_file_open" "fs/ext4/file.c":820 Entry () {
        EFO_SAMPLED :827 Statement "ext4_sample_last_mounted(): the superblock names the mount point";
    }
    fn FILP_CLOSE = "filp_close" "fs/open.c":1329 Entry (file: "struct file *" Count) {
        FC_SHARED :1345 Statement "fput(filp): other descriptors name the file";
        FC_RELEASED :1345 Statement "fput(filp): ext4_release_file(), the file is gone";
    }

    // ---- mount and umount: fs/ext4/super.c ----
    fn EXT4_FILL_SUPER = "ext4_fill_super" "fs/ext4/super.c":4023 Entry () {
        FS_SUPER :4099 Statement "es = bh->b_data + offset: the superblock";
        FS_GROUPS :4726 Statement "ext4_check_descriptors(); ext4_mb_init(sb)";
        FS_JOURNAL :4802 Statement "ext4_load_journal(sb, es, journal_devnum)";
        FS_ROOT :4971 Statement "root = ext4_iget(sb, EXT4_ROOT_INO, EXT4_IGET_SPECIAL)";
        FS_DONE :4996 Statement "ext4_setup_super(): one more mount, needs_recovery";
    }
    fn EXT4_COMMIT_SUPER = "ext4_commit_super" "fs/ext4/super.c":5518 Journal () {
        CS_WRITTEN :5579 Statement "__sync_dirty_buffer(sbh, REQ_SYNC)";
    }
    fn EXT4_PUT_SUPER = "ext4_put_super" "fs/ext4/super.c":1162 Entry () {
        PS_INODES :1184 Statement "evict_inodes(sb)";
        PS_JOURNAL :1190 Statement "jbd2_journal_destroy(): commit, empty log";
        PS_SYNC :1200 Statement "ext4_mb_release(sb); metadata goes to its place";
        PS_DONE :1240 Statement "ext4_commit_super(sb, 1); invalidate_bdev(sb->s_bdev)";
    }
}
