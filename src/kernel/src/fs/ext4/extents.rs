//! The extent tree. Mirrors fs/ext4/extents.c.
