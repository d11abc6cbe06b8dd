//! Bytes to ext4 and jbd2 structures, and back.
//!
//! Pure functions over byte slices: the layout and the checksums, never the
//! cache. ext4 is little endian, jbd2 is big endian; the field types say which.
//!
//! | module | what |
//! |---|---|
//! | [`ids`] | block, inode and group numbers as types of their own |
//! | [`crc32c`](mod@crc32c) | the kernel's seeded CRC |
//! | [`layout`] | one module per structure on the disk |
//! | [`mkfs`] | a new file system, byte for byte as mke2fs makes it |
//! | [`decode`] | a block as named fields, for the block inspector |
//! | [`mountable`] | whether a v5.10 kernel would mount this image |
//!
//! Nothing here panics on damaged bytes: a field beyond the end of a block is
//! an error or reads as zero, as each function says.
#![forbid(unsafe_code)]

pub mod crc32c;
pub mod decode;
pub mod ids;
pub mod layout;
pub mod mkfs;
pub mod mountable;

pub use ids::{Group, Ino, Lblk, Pblk};
pub use layout::LayoutError;
