//! Opening files. Mirrors fs/open.c.

use bitflags::bitflags;

bitflags! {
    /// `f_flags` in the kernel's numbers.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        /// O_WRONLY.
        const WRONLY = 0o1;
        /// O_RDWR.
        const RDWR = 0o2;
        /// O_CREAT.
        const CREAT = 0o100;
        /// O_EXCL.
        const EXCL = 0o200;
        /// O_TRUNC.
        const TRUNC = 0o1000;
        /// O_APPEND.
        const APPEND = 0o2000;
        /// O_NONBLOCK.
        const NONBLOCK = 0o4000;
        /// O_DSYNC.
        const DSYNC = 0o10000;
        /// O_DIRECT.
        const DIRECT = 0o40000;
        /// O_LARGEFILE.
        const LARGEFILE = 0o100_000;
        /// O_DIRECTORY.
        const DIRECTORY = 0o200_000;
        /// O_NOATIME.
        const NOATIME = 0o1_000_000;
        /// __O_SYNC (O_SYNC is this with O_DSYNC).
        const SYNC = 0o4_000_000;
        /// __O_TMPFILE.
        const TMPFILE = 0o20_000_000;
    }
}
