//! The multi-block allocator. Mirrors fs/ext4/mballoc.c.
