//! The kernel's tracepoints, with the fields in the kernel's own format.
//!
//! In a format `{}` is a decimal number, `{i}` a signed one, `{x}` hexadecimal,
//! `{o}` an octal mode with leading 0, `{state}` I_ flags of an inode, `{es}`
//! extent status letters, `{map}` EXT4_GET_BLOCKS_ flags, `{mflags}` EXT4_MAP_
//! letters, `{hint}` EXT4_MB_ flags, `{rwbs}` bio letters (R or W is bit 7),
//! `{free}` EXT4_FREE_BLOCKS_ flags, `{falloc}` FALLOC_FL_ flags. Two numbers in one word, the first in the
//! high 32 bits: `{/}` as `a/b`, `{@}` as `a@b`, `{split}` as `tail a broken b`.
//! `{two:a:b}` as `a=hi b=lo`, the low half signed. `{reason}` is an `enum wb_reason`.
//! `{search}` is `blks a grps b cr c`, from bits 32.., 8..32 and 0..8.

/// A tracepoint.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Index in [`POINTS`].
    pub id: u16,
    /// Name.
    pub name: &'static str,
    /// Fields.
    pub format: &'static str,
}

macro_rules! points {
    ($( $(#[$doc:meta])* $P:ident = $name:literal : $format:literal ; )*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Ids { $( $P ),* }
        $(
            #[doc = concat!("`", $name, "`: `", $format, "`.")]
            $(#[$doc])*
            pub const $P: Point = Point { id: Ids::$P as u16, name: $name, format: $format };
        )*
        /// All of them, by number.
        pub static POINTS: &[Point] = &[$( $P ),*];
    };
}

points! {
    EXT4_ES_LOOKUP_EXTENT_ENTER = "ext4_es_lookup_extent_enter": "dev D ino {} lblk {}";
    EXT4_ES_LOOKUP_EXTENT_EXIT = "ext4_es_lookup_extent_exit": "dev D ino {} found {} [{}/{}) {} {es}";
    EXT4_ES_INSERT_EXTENT = "ext4_es_insert_extent": "dev D ino {} es [{}/{}) mapped {} status {es}";
    EXT4_ES_CACHE_EXTENT = "ext4_es_cache_extent": "dev D ino {} es [{}/{}) mapped {} status {es}";
    EXT4_ES_REMOVE_EXTENT = "ext4_es_remove_extent": "dev D ino {} es [{}/{})";
    EXT4_ES_FIND_EXTENT_RANGE_ENTER = "ext4_es_find_extent_range_enter": "dev D ino {} lblk {}";
    EXT4_ES_FIND_EXTENT_RANGE_EXIT = "ext4_es_find_extent_range_exit": "dev D ino {} es [{}/{}) mapped {} status {es}";
    EXT4_ES_INSERT_DELAYED_BLOCK = "ext4_es_insert_delayed_block": "dev D ino {} es [{}/{}) mapped {} status {es} allocated {}";
    EXT4_DA_RESERVE_SPACE = "ext4_da_reserve_space": "dev D ino {} mode {o} i_blocks {} reserved_data_blocks {}";
    EXT4_DA_UPDATE_RESERVE_SPACE = "ext4_da_update_reserve_space": "dev D ino {} mode {o} i_blocks {} used_blocks {} reserved_data_blocks {} quota_claim {}";
    EXT4_EXT_MAP_BLOCKS_ENTER = "ext4_ext_map_blocks_enter": "dev D ino {} lblk {} len {} flags {map}";
    EXT4_EXT_MAP_BLOCKS_EXIT = "ext4_ext_map_blocks_exit": "dev D ino {} flags {map} lblk {} pblk {} len {} mflags {mflags} ret {i}";
    EXT4_IND_MAP_BLOCKS_ENTER = "ext4_ind_map_blocks_enter": "dev D ino {} lblk {} len {} flags {map}";
    EXT4_IND_MAP_BLOCKS_EXIT = "ext4_ind_map_blocks_exit": "dev D ino {} flags {map} lblk {} pblk {} len {} mflags {mflags} ret {i}";
    EXT4_EXT_SHOW_EXTENT = "ext4_ext_show_extent": "dev D ino {} lblk {} pblk {} len {}";
    EXT4_ALLOC_DA_BLOCKS = "ext4_alloc_da_blocks": "dev D ino {} reserved_data_blocks {}";
    EXT4_GET_IMPLIED_CLUSTER_ALLOC_EXIT = "ext4_get_implied_cluster_alloc_exit": "dev D m_lblk {} m_pblk {} m_len {} m_flags {mflags} ret {}";
    EXT4_EXT_LOAD_EXTENT = "ext4_ext_load_extent": "dev D ino {} lblk {} pblk PTR";
    EXT4_EXT_HANDLE_UNWRITTEN_EXTENTS = "ext4_ext_handle_unwritten_extents": "dev D ino {} m_lblk {} m_pblk {} m_len {} flags {map} allocated {} newblock {}";
    EXT4_REQUEST_BLOCKS = "ext4_request_blocks": "dev D ino {} flags {hint} len {} lblk {} goal {} lleft {} lright {} pleft {} pright {}";
    EXT4_ALLOCATE_BLOCKS = "ext4_allocate_blocks": "dev D ino {} flags {hint} len {} block {} lblk {} goal {} lleft {} lright {} pleft {} pright {}";
    EXT4_EXT_CONVERT_TO_INITIALIZED_ENTER = "ext4_ext_convert_to_initialized_enter": "dev D ino {} m_lblk {} m_len {} u_lblk {} u_len {} u_pblk {}";
    EXT4_EXT_CONVERT_TO_INITIALIZED_FASTPATH = "ext4_ext_convert_to_initialized_fastpath": "dev D ino {} m_lblk {} m_len {} u_lblk {} u_len {} u_pblk {} i_lblk {} i_len {} i_pblk {}";
    EXT4_EXT_RM_LEAF = "ext4_ext_rm_leaf": "dev D ino {} start_lblk {} last_extent [{}({}), {}]partial [pclu {} lblk {} state {}]";
    EXT4_EXT_RM_IDX = "ext4_ext_rm_idx": "dev D ino {} index_pblk {}";
    EXT4_EXT_REMOVE_SPACE = "ext4_ext_remove_space": "dev D ino {} since {} end {} depth {}";
    EXT4_EXT_REMOVE_SPACE_DONE = "ext4_ext_remove_space_done": "dev D ino {} since {} end {} depth {} partial [pclu {} lblk {} state {}] remaining_entries {}";
    EXT4_REMOVE_BLOCKS = "ext4_remove_blocks": "dev D ino {} extent [{}({}), {}]from {} to {} partial [pclu {} lblk {} state {}]";
    EXT4_DA_RELEASE_SPACE = "ext4_da_release_space": "dev D ino {} mode {o} i_blocks {} freed_blocks {} reserved_data_blocks {}";
    EXT4_FREE_BLOCKS = "ext4_free_blocks": "dev D ino {} mode {o} block {} count {} flags {free}";
    EXT4_FORGET = "ext4_forget": "dev D ino {} mode {o} is_metadata {} block {}";
    EXT4_READ_BLOCK_BITMAP_LOAD = "ext4_read_block_bitmap_load": "dev D group {} prefetch {}";
    EXT4_MB_BITMAP_LOAD = "ext4_mb_bitmap_load": "dev D group {}";
    EXT4_MB_BUDDY_BITMAP_LOAD = "ext4_mb_buddy_bitmap_load": "dev D group {}";
    EXT4_MB_NEW_GROUP_PA = "ext4_mb_new_group_pa": "dev D ino {} pstart {} len {} lstart {}";
    EXT4_MB_NEW_INODE_PA = "ext4_mb_new_inode_pa": "dev D ino {} pstart {} len {} lstart {}";
    EXT4_MB_RELEASE_GROUP_PA = "ext4_mb_release_group_pa": "dev D pstart {} len {}";
    EXT4_MB_RELEASE_INODE_PA = "ext4_mb_release_inode_pa": "dev D ino {} block {} count {}";
    EXT4_MB_DISCARD_PREALLOCATIONS = "ext4_mb_discard_preallocations": "dev D needed {}";
    EXT4_DISCARD_PREALLOCATIONS = "ext4_discard_preallocations": "dev D ino {} len: {} needed {}";
    EXT4_MBALLOC_ALLOC = "ext4_mballoc_alloc": "dev D inode {} orig {/}/{@} goal {/}/{@} result {/}/{@} {search} flags {hint} {split}";
    EXT4_MBALLOC_PREALLOC = "ext4_mballoc_prealloc": "dev D inode {} orig {/}/{@} result {/}/{@}";
    EXT4_MBALLOC_DISCARD = "ext4_mballoc_discard": "dev D inode {} extent {}/{}/{}";
    EXT4_MBALLOC_FREE = "ext4_mballoc_free": "dev D inode {} extent {}/{}/{}";
    EXT4_MARK_INODE_DIRTY = "ext4_mark_inode_dirty": "dev D ino {} caller PTR";
    EXT4_JOURNAL_START = "ext4_journal_start": "dev D blocks {}, rsv_blocks {}, revoke_creds 8, caller PTR";
    JBD2_HANDLE_START = "jbd2_handle_start": "dev D tid {} type {} line_no 0 requested_blocks {}";
    JBD2_HANDLE_STATS = "jbd2_handle_stats": "dev D tid {} type {} line_no 0 interval N sync N requested_blocks {} dirtied_blocks {i}";
    JBD2_HANDLE_EXTEND = "jbd2_handle_extend": "dev D tid {} type {} line_no 0 buffer_credits {} requested_blocks {}";
    WRITEBACK_MARK_INODE_DIRTY = "writeback_mark_inode_dirty": "bdi D: ino={} state={state} flags={state}";
    WRITEBACK_DIRTY_INODE_START = "writeback_dirty_inode_start": "bdi D: ino={} state={state} flags={state}";
    WRITEBACK_DIRTY_INODE = "writeback_dirty_inode": "bdi D: ino={} state={state} flags={state}";
    WRITEBACK_DIRTY_INODE_ENQUEUE = "writeback_dirty_inode_enqueue": "dev D ino {} dirtied=N state {state} mode {o}";
    WRITEBACK_DIRTY_PAGE = "writeback_dirty_page": "bdi D: ino={} index={}";
    BLOCK_DIRTY_BUFFER = "block_dirty_buffer": "D sector={} size={}";
    BLOCK_BIO_QUEUE = "block_bio_queue": "D {rwbs} {} + {} [COMM]";
    BLOCK_BIO_COMPLETE = "block_bio_complete": "D {rwbs} {} + {} [{}]";
    MM_FILEMAP_ADD = "mm_filemap_add_to_page_cache": "dev D ino {x} ofs={}";
    MM_FILEMAP_DELETE = "mm_filemap_delete_from_page_cache": "dev D ino {x} ofs={}";
    EXT4_DA_WRITE_BEGIN = "ext4_da_write_begin": "dev D ino {} pos {} len {} flags {}";
    EXT4_DA_WRITE_END = "ext4_da_write_end": "dev D ino {} pos {} len {} copied {}";
    EXT4_WRITE_BEGIN = "ext4_write_begin": "dev D ino {} pos {} len {} flags {}";
    EXT4_WRITE_END = "ext4_write_end": "dev D ino {} pos {} len {} copied {}";
    EXT4_JOURNALLED_WRITE_END = "ext4_journalled_write_end": "dev D ino {} pos {} len {} copied {}";
    EXT4_SYNC_FILE_ENTER = "ext4_sync_file_enter": "dev D ino {} parent {} datasync {}";
    EXT4_SYNC_FILE_EXIT = "ext4_sync_file_exit": "dev D ino {} ret {i}";
    EXT4_WRITEPAGES = "ext4_writepages": "dev D ino {} nr_to_write {i} pages_skipped {i} range_start {i} range_end {i} sync_mode {} for_kupdate {} range_cyclic {} writeback_index {}";
    EXT4_WRITEPAGES_RESULT = "ext4_writepages_result": "dev D ino {} ret {i} pages_written {i} pages_skipped {i} sync_mode {} writeback_index {}";
    EXT4_DA_WRITE_PAGES = "ext4_da_write_pages": "dev D ino {} first_page {} nr_to_write {i} sync_mode {}";
    EXT4_DA_WRITE_PAGES_EXTENT = "ext4_da_write_pages_extent": "dev D ino {} lblk {} len {} flags {mflags}";
    EXT4_WRITEPAGE = "ext4_writepage": "dev D ino {} page_index {}";
    WBC_WRITEPAGE = "wbc_writepage": "bdi D: towrt={i} skip={i} mode={} kupd={} bgrd={} reclm=0 cyclic={} start=0x{x} end=PTR";
    SB_MARK_INODE_WRITEBACK = "sb_mark_inode_writeback": "dev D ino {} dirtied=N state {state} mode {o}";
    SB_CLEAR_INODE_WRITEBACK = "sb_clear_inode_writeback": "dev D ino {} dirtied=N state {state} mode {o}";
    WRITEBACK_QUEUE = "writeback_queue": "bdi D: sb_dev D nr_pages={i} sync_mode={} kupdate=0 range_cyclic={} background=0 reason={reason}";
    WRITEBACK_EXEC = "writeback_exec": "bdi D: sb_dev D nr_pages={i} sync_mode={} kupdate=0 range_cyclic={} background=0 reason={reason}";
    WRITEBACK_START = "writeback_start": "bdi D: sb_dev {dev} nr_pages={i} sync_mode={} kupdate={} range_cyclic={} background={} reason={reason}";
    WRITEBACK_WRITTEN = "writeback_written": "bdi D: sb_dev {dev} nr_pages={i} sync_mode={} kupdate={} range_cyclic={} background={} reason={reason}";
    WRITEBACK_QUEUE_IO = "writeback_queue_io": "bdi D: older=N age=N enqueue={} reason={reason}";
    WRITEBACK_SINGLE_INODE_START = "writeback_single_inode_start": "bdi D: ino={} state={state} dirtied_when=N age=N index={} to_write={i} wrote={i}";
    WRITEBACK_SINGLE_INODE_END = "writeback_single_inode": "bdi D: ino={} state={state} dirtied_when=N age=N index={} to_write={i} wrote={i}";
    WRITEBACK_WRITE_INODE_START = "writeback_write_inode_start": "bdi D: ino={} sync_mode={}";
    WRITEBACK_WRITE_INODE = "writeback_write_inode": "bdi D: ino={} sync_mode={}";
    WRITEBACK_PAGES_WRITTEN = "writeback_pages_written": "{i}";
    WRITEBACK_WAKE_BACKGROUND = "writeback_wake_background": "bdi D:";
    GLOBAL_DIRTY_STATE = "global_dirty_state": "dirty={} writeback={} bg_thresh={} thresh={} limit={} dirtied={} written={}";
    BALANCE_DIRTY_PAGES = "balance_dirty_pages": "bdi D: {two:limit:setpoint} dirty={} {two:bdi_setpoint:bdi_dirty} {two:dirty_ratelimit:task_ratelimit} {two:dirtied:dirtied_pause} {two:paused:pause} {two:period:think}";
    BDI_DIRTY_RATELIMIT = "bdi_dirty_ratelimit": "bdi D: write_bw={} awrite_bw={} dirty_rate={} dirty_ratelimit={} task_ratelimit={} balanced_dirty_ratelimit={}";
    EXT4_JOURNAL_START_RESERVED = "ext4_journal_start_reserved": "dev D blocks, {} caller PTR";
    EXT4_FC_COMMIT_START = "ext4_fc_commit_start": "fast_commit started on dev D";
    EXT4_FC_COMMIT_STOP = "ext4_fc_commit_stop": "fc on D nblks 0, reason 1, fc = 0, ineligible = {}, agg_nblks 0";
    EXT4_READPAGE = "ext4_readpage": "dev D ino {} page_index {}";
    EXT4_INVALIDATEPAGE = "ext4_invalidatepage": "dev D ino {} page_index {} offset {} length {}";
    EXT4_JOURNALLED_INVALIDATEPAGE = "ext4_journalled_invalidatepage": "dev D ino {} page_index {} offset {} length {}";
    EXT4_RELEASEPAGE = "ext4_releasepage": "dev D ino {} page_index {}";
    EXT4_BEGIN_ORDERED_TRUNCATE = "ext4_begin_ordered_truncate": "dev D ino {} new_size {}";
    EXT4_TRUNCATE_ENTER = "ext4_truncate_enter": "dev D ino {} blocks {}";
    EXT4_TRUNCATE_EXIT = "ext4_truncate_exit": "dev D ino {} blocks {}";
    EXT4_REQUEST_INODE = "ext4_request_inode": "dev D dir {} mode {o}";
    EXT4_ALLOCATE_INODE = "ext4_allocate_inode": "dev D ino {} dir {} mode {o}";
    EXT4_LOAD_INODE_BITMAP = "ext4_load_inode_bitmap": "dev D group {}";
    EXT4_LOAD_INODE = "ext4_load_inode": "dev D ino {}";
    EXT4_FREE_INODE = "ext4_free_inode": "dev D ino {} mode {o} uid {} gid {} blocks {}";
    EXT4_DROP_INODE = "ext4_drop_inode": "dev D ino {} drop {}";
    EXT4_EVICT_INODE = "ext4_evict_inode": "dev D ino {} nlink {}";
    EXT4_UNLINK_ENTER = "ext4_unlink_enter": "dev D ino {} size {} parent {}";
    EXT4_UNLINK_EXIT = "ext4_unlink_exit": "dev D ino {} ret {i}";
    EXT4_FALLOCATE_ENTER = "ext4_fallocate_enter": "dev D ino {} offset {} len {} mode {falloc}";
    EXT4_FALLOCATE_EXIT = "ext4_fallocate_exit": "dev D ino {} pos {} blocks {} ret {i}";
    EXT4_ZERO_RANGE = "ext4_zero_range": "dev D ino {} offset {} len {} mode {falloc}";
    EXT4_PUNCH_HOLE = "ext4_punch_hole": "dev D ino {} offset {} len {} mode {falloc}";
    EXT4_COLLAPSE_RANGE = "ext4_collapse_range": "dev D ino {} offset {} len {}";
    EXT4_INSERT_RANGE = "ext4_insert_range": "dev D ino {} offset {} len {}";
    EXT4_SHUTDOWN = "ext4_shutdown": "dev D flags {}";
    JBD2_WRITE_SUPERBLOCK = "jbd2_write_superblock": "dev D write_op {x}";
    SIGNAL_DELIVER = "signal_deliver": "sig={} errno=0 code=0 sa_handler=0 sa_flags=0";
    EXT4_SYNC_FS = "ext4_sync_fs": "dev D wait {}";
}
