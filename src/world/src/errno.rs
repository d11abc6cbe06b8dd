//! The kernel's error numbers, as far as a write path can return them.

/// A kernel error number. Part of the story: shown, never only logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
#[allow(clippy::upper_case_acronyms)] // the kernel's own spelling
pub enum Errno {
    /// Operation not permitted.
    EPERM = 1,
    /// No such file or directory.
    ENOENT = 2,
    /// Interrupted system call.
    EINTR = 4,
    /// I/O error.
    EIO = 5,
    /// No such device or address: nothing of the kind behind the position.
    ENXIO = 6,
    /// Bad file number.
    EBADF = 9,
    /// Try again.
    EAGAIN = 11,
    /// Out of memory.
    ENOMEM = 12,
    /// Permission denied.
    EACCES = 13,
    /// Bad address.
    EFAULT = 14,
    /// Device or resource busy.
    EBUSY = 16,
    /// File exists.
    EEXIST = 17,
    /// No such device.
    ENODEV = 19,
    /// Not a directory.
    ENOTDIR = 20,
    /// Is a directory.
    EISDIR = 21,
    /// Invalid argument.
    EINVAL = 22,
    /// Text file busy.
    ETXTBSY = 26,
    /// File too large.
    EFBIG = 27,
    /// No space left on device.
    ENOSPC = 28,
    /// Illegal seek.
    ESPIPE = 29,
    /// Read-only file system.
    EROFS = 30,
    /// Too many links.
    EMLINK = 31,
    /// Math result not representable.
    ERANGE = 34,
    /// File name too long.
    ENAMETOOLONG = 36,
    /// Directory not empty.
    ENOTEMPTY = 39,
    /// No data available.
    ENODATA = 61,
    /// Value too large for defined data type.
    EOVERFLOW = 75,
    /// Operation not supported on transport endpoint.
    EOPNOTSUPP = 95,
    /// The file system was told to stop.
    ESHUTDOWN = 108,
    /// Quota exceeded.
    EDQUOT = 122,
    /// Structure needs cleaning.
    EUCLEAN = 117,
    /// Filesystem checksum failed (the kernel's alias of EBADMSG).
    EFSBADCRC = 74,
    /// A later feature than this model has (also the kernel's, for system calls).
    ENOSYS = 38,
}

impl Errno {
    /// All of them.
    pub const ALL: [Errno; 33] = [
        Errno::EPERM,
        Errno::ENOENT,
        Errno::EINTR,
        Errno::EIO,
        Errno::ENXIO,
        Errno::EBADF,
        Errno::EAGAIN,
        Errno::ENOMEM,
        Errno::EACCES,
        Errno::EFAULT,
        Errno::EBUSY,
        Errno::EEXIST,
        Errno::ENODEV,
        Errno::ENOTDIR,
        Errno::EISDIR,
        Errno::EINVAL,
        Errno::ETXTBSY,
        Errno::EFBIG,
        Errno::ENOSPC,
        Errno::ESPIPE,
        Errno::EROFS,
        Errno::EMLINK,
        Errno::ERANGE,
        Errno::ENAMETOOLONG,
        Errno::ENOTEMPTY,
        Errno::ENODATA,
        Errno::EOVERFLOW,
        Errno::EOPNOTSUPP,
        Errno::ESHUTDOWN,
        Errno::EDQUOT,
        Errno::EUCLEAN,
        Errno::EFSBADCRC,
        Errno::ENOSYS,
    ];

    /// The number, positive.
    #[must_use]
    pub fn number(self) -> i64 {
        i64::from(self as u16)
    }

    /// What a system call returns for it.
    #[must_use]
    pub fn as_ret(self) -> i64 {
        -self.number()
    }
}
