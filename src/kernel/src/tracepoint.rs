//! The kernel's tracepoints, with the fields in the kernel's own format.
//!
//! In a format `{}` is a decimal number, `{i}` a signed one, `{x}` hexadecimal,
//! `{o}` an octal mode with leading 0, `{state}` I_ flags of an inode, `{es}`
//! extent status letters, `{map}` EXT4_GET_BLOCKS_ flags, `{mflags}` EXT4_MAP_
//! letters, `{hint}` EXT4_MB_ flags, `{rwbs}` bio letters (R or W is bit 7),
//! `{free}` EXT4_FREE_BLOCKS_ flags.

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
    EXT4_EXT_SHOW_EXTENT = "ext4_ext_show_extent": "dev D ino {} lblk {} pblk {} len {}";
    EXT4_EXT_LOAD_EXTENT = "ext4_ext_load_extent": "dev D ino {} lblk {} pblk PTR";
    EXT4_EXT_HANDLE_UNWRITTEN_EXTENTS = "ext4_ext_handle_unwritten_extents": "dev D ino {} m_lblk {} m_pblk {} m_len {} flags {map} allocated {} newblock {}";
    EXT4_REQUEST_BLOCKS = "ext4_request_blocks": "dev D ino {} flags {hint} len {} lblk {} goal {} lleft {} lright {} pleft {} pright {}";
    EXT4_ALLOCATE_BLOCKS = "ext4_allocate_blocks": "dev D ino {} flags {hint} len {} block {} lblk {} goal {} lleft {} lright {} pleft {} pright {}";
    EXT4_MARK_INODE_DIRTY = "ext4_mark_inode_dirty": "dev D ino {} caller PTR";
    EXT4_JOURNAL_START = "ext4_journal_start": "dev D blocks {}, rsv_blocks {}, revoke_creds 8, caller PTR";
    JBD2_HANDLE_START = "jbd2_handle_start": "dev D tid {} type {} line_no 0 requested_blocks {}";
    JBD2_HANDLE_STATS = "jbd2_handle_stats": "dev D tid {} type {} line_no 0 interval N sync N requested_blocks {} dirtied_blocks {}";
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
}
