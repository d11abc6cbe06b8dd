//! The operations of a workload, and the one line that traces print of each.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::reason::reason;
use super::{Big, Fault, Reason, is_default};

/// Memory of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Buffer {
    /// Its name.
    pub name: String,
    /// What lies behind it.
    #[serde(default)]
    pub kind: BufferKind,
    /// Bytes.
    #[serde(with = "Big")]
    pub len: u64,
    /// Its bytes to begin with.
    #[serde(default)]
    pub fill: Fill,
}

/// What lies behind a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BufferKind {
    /// Private memory, resident. Dropped pages come back as zeros.
    #[default]
    Anon,
    /// A shared mapping of a memory file, resident. Its bytes outlive a drop.
    Memfd,
    /// A private mapping of a file, not one page resident.
    Filepriv,
}

impl BufferKind {
    /// The word in JSON and in traces.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            BufferKind::Anon => "anon",
            BufferKind::Memfd => "memfd",
            BufferKind::Filepriv => "filepriv",
        }
    }
}

/// The bytes of a buffer; zeros behind them where they are shorter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// Byte `i` is `(131*s + 7*i + 31*(i>>8) + 17*(i>>16)) mod 256`.
    Seed(u32),
    /// UTF-8.
    Text(String),
    /// Two digits a byte; blanks between bytes are skipped.
    Hex(String),
    /// The usual alphabet, with padding.
    Base64(String),
}

impl Default for Fill {
    fn default() -> Self {
        Fill::Seed(1)
    }
}

/// Byte `i` of a buffer filled with `seed`.
#[must_use]
pub fn seed_byte(seed: u32, i: u64) -> u8 {
    let sum = (131 * u64::from(seed))
        .wrapping_add(i.wrapping_mul(7))
        .wrapping_add((i >> 8).wrapping_mul(31))
        .wrapping_add((i >> 16).wrapping_mul(17));
    sum.to_le_bytes()[0]
}

/// The first `len` bytes of a buffer filled with `seed`.
///
/// Within a row of 256 bytes only `7*i` changes, so that the first byte of a row tells all of it. The 256 rows of the
/// first 64 KiB begin with 256 different bytes, 31 apart: every row behind is one of them.
fn seed_bytes(seed: u32, len: u64) -> Vec<u8> {
    const ROW: u64 = 256;
    // 31 * 223 is 1 modulo 256.
    const UNDO_31: u8 = 223;
    let size = |len: u64| usize::try_from(len).unwrap_or_default();
    let mut bytes = Vec::with_capacity(size(len));
    bytes.extend((0..len.min(ROW * 256)).map(|i| seed_byte(seed, i)));
    for from in (ROW * 256..len).step_by(size(ROW)) {
        let row = seed_byte(seed, from).wrapping_sub(seed_byte(seed, 0)).wrapping_mul(UNDO_31);
        let same = usize::from(row) * size(ROW);
        bytes.extend_from_within(same..same + size(ROW.min(len - from)));
    }
    bytes
}

impl Fill {
    /// The bytes that were given, or `len` of a seed; the reason if they
    /// cannot be read.
    ///
    /// # Errors
    /// Digits that are none.
    pub fn bytes(&self, len: u64) -> Result<Vec<u8>, Reason> {
        match self {
            Fill::Seed(seed) => Ok(seed_bytes(*seed, len)),
            Fill::Text(text) => Ok(text.as_bytes().to_vec()),
            Fill::Hex(text) => from_hex(text),
            Fill::Base64(text) => from_base64(text),
        }
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>, Reason> {
    let mut digits = Vec::new();
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        digits.push(c.to_digit(16).ok_or_else(|| reason!("`{}` is no hexadecimal digit", c.to_string()))?);
    }
    if !digits.len().is_multiple_of(2) {
        return Err("an odd number of hexadecimal digits".into());
    }
    Ok(digits.chunks_exact(2).filter_map(|two| u8::try_from(two[0] * 16 + two[1]).ok()).collect())
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn from_base64(text: &str) -> Result<Vec<u8>, Reason> {
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !text.len().is_multiple_of(4) {
        return Err("base64 comes in fours; `=` pads the last".into());
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for (n, four) in text.chunks_exact(4).enumerate() {
        let last = (n + 1) * 4 == text.len();
        let pads = four.iter().rev().take_while(|byte| **byte == b'=').count();
        if pads > 2 || (pads > 0 && !last) {
            return Err("`=` stands only at the end of base64".into());
        }
        let mut bits = 0usize;
        for byte in &four[..4 - pads] {
            let value = BASE64.iter().position(|known| known == byte);
            bits = bits << 6 | value.ok_or_else(|| reason!("`{}` is no base64", char::from(*byte).to_string()))?;
        }
        bits <<= 6 * pads;
        let three = bits.to_le_bytes();
        out.extend([three[2], three[1], three[0]].iter().take(3 - pads));
    }
    Ok(out)
}

/// A piece of a buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Segment {
    /// The buffer.
    pub buf: String,
    /// First byte.
    #[serde(default, with = "Big", skip_serializing_if = "is_default")]
    pub off: u64,
    /// Bytes.
    #[serde(with = "Big")]
    pub len: u64,
}

/// Which access a mapping allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Prot {
    /// PROT_NONE.
    None,
    /// PROT_READ.
    R,
    /// PROT_READ and PROT_WRITE.
    Rw,
}

/// Who sees stores through a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// MAP_SHARED.
    Shared,
    /// MAP_PRIVATE.
    Private,
}

/// What `lseek` counts from or looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Whence {
    /// SEEK_SET.
    Set,
    /// SEEK_CUR.
    Cur,
    /// SEEK_END.
    End,
    /// SEEK_DATA.
    Data,
    /// SEEK_HOLE.
    Hole,
}

/// What `fallocate` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum FallocateMode {
    /// Allocates.
    #[serde(rename = "0")]
    Plain,
    /// FALLOC_FL_KEEP_SIZE.
    #[serde(rename = "keep")]
    Keep,
    /// FALLOC_FL_PUNCH_HOLE and KEEP_SIZE.
    #[serde(rename = "punch")]
    Punch,
    /// FALLOC_FL_ZERO_RANGE.
    #[serde(rename = "zero")]
    Zero,
    /// FALLOC_FL_COLLAPSE_RANGE.
    #[serde(rename = "collapse")]
    Collapse,
    /// FALLOC_FL_INSERT_RANGE.
    #[serde(rename = "insert")]
    Insert,
}

/// Sets or clears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SetClear {
    /// Sets.
    Set,
    /// Clears.
    Clear,
}

/// `posix_fadvise` advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Advice {
    /// POSIX_FADV_NORMAL.
    Normal,
    /// POSIX_FADV_WILLNEED.
    Willneed,
    /// POSIX_FADV_DONTNEED.
    Dontneed,
    /// POSIX_FADV_SEQUENTIAL.
    Sequential,
    /// POSIX_FADV_RANDOM.
    Random,
}

macro_rules! words {
    ($($Type:ident { $($Value:ident = $word:literal),* })*) => {$(
        impl $Type {
            /// The word in JSON and in traces.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $($Type::$Value => $word),* }
            }
        }
    )*};
}
words! {
    Prot { None = "none", R = "r", Rw = "rw" }
    Sharing { Shared = "shared", Private = "private" }
    Whence { Set = "set", Cur = "cur", End = "end", Data = "data", Hole = "hole" }
    FallocateMode {
        Plain = "0", Keep = "keep", Punch = "punch", Zero = "zero", Collapse = "collapse", Insert = "insert"
    }
    SetClear { Set = "set", Clear = "clear" }
    Advice {
        Normal = "normal", Willneed = "willneed", Dontneed = "dontneed", Sequential = "sequential",
        Random = "random"
    }
}

/// One thing that a program does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are those of the call that each variant names")]
pub enum Op {
    /// Makes a buffer.
    Buf(Buffer),
    /// `mmap` of a file of the scenario; not resident.
    Bufmap {
        name: String,
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
        prot: Prot,
        sharing: Sharing,
    },
    /// `munmap`.
    Unmap {
        buf: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
    },
    /// `mprotect`.
    Protect {
        buf: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
        prot: Prot,
    },
    /// `madvise(MADV_DONTNEED)`.
    Dontneed {
        buf: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
    },
    /// `msync(MS_SYNC)`.
    Msync {
        buf: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
    },
    /// Stores by the program itself; the seed counts from `off`.
    Fill {
        buf: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
        seed: u32,
    },
    /// Loads by the program itself.
    Load {
        buf: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
    },
    /// `open`; flags without `O_`, comma separated; the mode octal, 0644 if absent.
    Open {
        fd: String,
        path: String,
        flags: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<String>,
    },
    /// `close`.
    Close { fd: String },
    /// `write`.
    Write { fd: String, iov: Vec<Segment> },
    /// `writev`.
    Writev { fd: String, iov: Vec<Segment> },
    /// `pwrite`.
    Pwrite {
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        iov: Vec<Segment>,
    },
    /// `pwritev`.
    Pwritev {
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        iov: Vec<Segment>,
    },
    /// `pwritev2`; flags without `RWF_`, comma separated.
    Pwritev2 {
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        rwf: String,
        iov: Vec<Segment>,
    },
    /// `kernel_write()`, a write by the kernel itself, as acct(2) makes to its log.
    KernelWrite {
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        iov: Vec<Segment>,
    },
    /// `pread`.
    Pread {
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
    },
    /// `lseek`.
    Lseek { fd: String, off: i64, whence: Whence },
    /// `fsync`.
    Fsync { fd: String },
    /// `fdatasync`.
    Fdatasync { fd: String },
    /// `sync`.
    Sync {},
    /// `ftruncate`.
    Ftruncate {
        fd: String,
        #[serde(with = "Big")]
        len: u64,
    },
    /// `fallocate`.
    Fallocate {
        fd: String,
        mode: FallocateMode,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
    },
    /// `fchmod`; the mode octal.
    Fchmod { fd: String, mode: String },
    /// `posix_fadvise`.
    Fadvise {
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
        advice: Advice,
    },
    /// FS_IOC_SETFLAGS: `append`, `immutable`, `sync`, `journal_data`, ..., comma separated.
    Setflags { fd: String, action: SetClear, flags: String },
    /// EXT4_IOC_SHUTDOWN: 0 flush, 1 log flush, 2 no log flush.
    Shutdown { fd: String, how: u32 },
    /// FS_IOC_FIEMAP.
    Fiemap { fd: String, flags: u32 },
    /// `unlink`.
    Unlink { path: String },
    /// `mkdir`; the mode octal, 0755 if absent.
    Mkdir {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<String>,
    },
    /// `rmdir`.
    Rmdir { path: String },
    /// `link`: one more name for a file.
    Link { from: String, to: String },
    /// `rename`.
    Rename { from: String, to: String },
    /// `linkat` of an open file to a name.
    Linkfd { fd: String, path: String },
    /// `pipe`.
    Pipe { rfd: String, wfd: String },
    /// `splice`; an absent offset is a null pointer.
    Splice {
        #[serde(rename = "in")]
        from: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inoff: Option<u64>,
        #[serde(rename = "out")]
        to: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outoff: Option<u64>,
        #[serde(with = "Big")]
        len: u64,
    },
    /// Ignores a signal.
    Sigign { signal: u32 },
    /// `setrlimit(RLIMIT_FSIZE)`.
    RlimitFsize {
        #[serde(with = "Big")]
        bytes: u64,
    },
    /// `seteuid`.
    Seteuid { uid: u32 },
    /// Writes a file under /proc/sys.
    Sysctl { path: String, value: String },
    /// The device fails requests from now on: no call of the program's own.
    Fault(Fault),
    /// The device fails no more.
    Mend {},
    /// FIFREEZE.
    Freeze {},
    /// FITHAW.
    Thaw {},
    /// mount -o remount,abort.
    Abort {},
    /// `swapon`; the file needs the header that mkswap(8) writes.
    Swapon { path: String },
    /// `swapoff`.
    Swapoff { path: String },
    /// Sleeps.
    Msleep { ms: u32 },
    /// Closes everything, unmounts, drops all caches, mounts.
    Remount {},
    /// Closes everything and unmounts.
    Umount {},
    /// A second thread waits, and drops that memory as soon as this one sleeps in its next write.
    RaceDontneed {
        buf: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        #[serde(with = "Big")]
        len: u64,
    },
    /// The same, but it writes.
    RaceWrite {
        fd: String,
        #[serde(default, with = "Big", skip_serializing_if = "is_default")]
        off: u64,
        iov: Vec<Segment>,
    },
    /// The same, but it truncates.
    RaceTruncate {
        fd: String,
        #[serde(with = "Big")]
        len: u64,
    },
    /// The same, but it sends SIGKILL to the writer.
    RaceKill {},
    /// The same, with any call that names no other operation.
    Race(Box<Op>),
    /// Waits for that thread, which acts now if no call has slept; the result is its call's.
    RaceWait {},
}

impl Op {
    /// The operation's name, as in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Op::Buf(_) => "buf",
            Op::Bufmap { .. } => "bufmap",
            Op::Unmap { .. } => "unmap",
            Op::Protect { .. } => "protect",
            Op::Dontneed { .. } => "dontneed",
            Op::Msync { .. } => "msync",
            Op::Fill { .. } => "fill",
            Op::Load { .. } => "load",
            Op::Open { .. } => "open",
            Op::Close { .. } => "close",
            Op::Write { .. } => "write",
            Op::Writev { .. } => "writev",
            Op::Pwrite { .. } => "pwrite",
            Op::Pwritev { .. } => "pwritev",
            Op::Pwritev2 { .. } => "pwritev2",
            Op::KernelWrite { .. } => "kernel_write",
            Op::Pread { .. } => "pread",
            Op::Lseek { .. } => "lseek",
            Op::Fsync { .. } => "fsync",
            Op::Fdatasync { .. } => "fdatasync",
            Op::Sync {} => "sync",
            Op::Ftruncate { .. } => "ftruncate",
            Op::Fallocate { .. } => "fallocate",
            Op::Fchmod { .. } => "fchmod",
            Op::Fadvise { .. } => "fadvise",
            Op::Setflags { .. } => "setflags",
            Op::Shutdown { .. } => "shutdown",
            Op::Fiemap { .. } => "fiemap",
            Op::Unlink { .. } => "unlink",
            Op::Mkdir { .. } => "mkdir",
            Op::Rmdir { .. } => "rmdir",
            Op::Link { .. } => "link",
            Op::Rename { .. } => "rename",
            Op::Linkfd { .. } => "linkfd",
            Op::Pipe { .. } => "pipe",
            Op::Splice { .. } => "splice",
            Op::Sigign { .. } => "sigign",
            Op::RlimitFsize { .. } => "rlimit_fsize",
            Op::Seteuid { .. } => "seteuid",
            Op::Sysctl { .. } => "sysctl",
            Op::Fault(_) => "fault",
            Op::Mend {} => "mend",
            Op::Freeze {} => "freeze",
            Op::Thaw {} => "thaw",
            Op::Abort {} => "abort",
            Op::Swapon { .. } => "swapon",
            Op::Swapoff { .. } => "swapoff",
            Op::Msleep { .. } => "msleep",
            Op::Remount {} => "remount",
            Op::Umount {} => "umount",
            Op::RaceDontneed { .. } => "race_dontneed",
            Op::RaceWrite { .. } => "race_write",
            Op::RaceTruncate { .. } => "race_truncate",
            Op::RaceKill {} => "race_kill",
            Op::Race(_) => "race",
            Op::RaceWait {} => "race_wait",
        }
    }

    /// True of the operations that make a second thread ready.
    #[must_use]
    pub fn starts_a_helper(&self) -> bool {
        matches!(
            self,
            Op::RaceDontneed { .. } | Op::RaceWrite { .. } | Op::RaceTruncate { .. } | Op::RaceKill {} | Op::Race(_)
        )
    }

    /// True of the calls that a helper waits for.
    #[must_use]
    pub fn lets_a_helper_act(&self) -> bool {
        matches!(
            self,
            Op::Write { .. }
                | Op::Writev { .. }
                | Op::Pwrite { .. }
                | Op::Pwritev { .. }
                | Op::Pwritev2 { .. }
                | Op::Fsync { .. }
                | Op::Ftruncate { .. }
                | Op::Fill { .. }
        )
    }

    /// The operation on one line, as traces print it: `pwrite f 4096 b0:0:100`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = self.name().to_owned();
        let mut word = |word: &dyn std::fmt::Display| {
            let _ = write!(out, " {word}");
        };
        match self {
            Op::Buf(Buffer { name, kind, len, fill }) => {
                word(name);
                word(&kind.word());
                word(len);
                match fill {
                    Fill::Seed(seed) => word(seed),
                    Fill::Text(_) => word(&"text"),
                    Fill::Hex(_) => word(&"hex"),
                    Fill::Base64(_) => word(&"base64"),
                }
            }
            Op::Bufmap { name, fd, off, len, prot, sharing } => {
                word(name);
                word(fd);
                word(off);
                word(len);
                word(&prot.word());
                word(&sharing.word());
            }
            Op::Unmap { buf, off, len }
            | Op::Dontneed { buf, off, len }
            | Op::Msync { buf, off, len }
            | Op::Load { buf, off, len }
            | Op::RaceDontneed { buf, off, len } => {
                word(buf);
                word(off);
                word(len);
            }
            Op::Protect { buf, off, len, prot } => {
                word(buf);
                word(off);
                word(len);
                word(&prot.word());
            }
            Op::Fill { buf, off, len, seed } => {
                word(buf);
                word(off);
                word(len);
                word(seed);
            }
            Op::Open { fd, path, flags, mode } => {
                word(fd);
                word(path);
                word(flags);
                if let Some(mode) = mode {
                    word(mode);
                }
            }
            Op::Close { fd } | Op::Fsync { fd } | Op::Fdatasync { fd } => word(fd),
            Op::Write { fd, iov } | Op::Writev { fd, iov } => {
                word(fd);
                word(&iov_text(iov));
            }
            Op::Pwrite { fd, off, iov }
            | Op::Pwritev { fd, off, iov }
            | Op::KernelWrite { fd, off, iov }
            | Op::RaceWrite { fd, off, iov } => {
                word(fd);
                word(off);
                word(&iov_text(iov));
            }
            Op::Pwritev2 { fd, off, rwf, iov } => {
                word(fd);
                word(off);
                word(rwf);
                word(&iov_text(iov));
            }
            Op::Pread { fd, off, len } => {
                word(fd);
                word(off);
                word(len);
            }
            Op::Lseek { fd, off, whence } => {
                word(fd);
                word(off);
                word(&whence.word());
            }
            Op::Ftruncate { fd, len } | Op::RaceTruncate { fd, len } => {
                word(fd);
                word(len);
            }
            Op::Fallocate { fd, mode, off, len } => {
                word(fd);
                word(&mode.word());
                word(off);
                word(len);
            }
            Op::Fchmod { fd, mode } => {
                word(fd);
                word(mode);
            }
            Op::Fadvise { fd, off, len, advice } => {
                word(fd);
                word(off);
                word(len);
                word(&advice.word());
            }
            Op::Setflags { fd, action, flags } => {
                word(fd);
                word(&action.word());
                word(flags);
            }
            Op::Shutdown { fd, how: number } | Op::Fiemap { fd, flags: number } => {
                word(fd);
                word(number);
            }
            Op::Unlink { path } | Op::Rmdir { path } | Op::Swapon { path } | Op::Swapoff { path } => word(path),
            Op::Race(op) => word(&op.text()),
            Op::Mkdir { path, mode } => {
                word(path);
                if let Some(mode) = mode {
                    word(mode);
                }
            }
            Op::Rename { from, to } | Op::Link { from, to } => {
                word(from);
                word(to);
            }
            Op::Linkfd { fd, path } => {
                word(fd);
                word(path);
            }
            Op::Pipe { rfd, wfd } => {
                word(rfd);
                word(wfd);
            }
            Op::Splice { from, inoff, to, outoff, len } => {
                let offset = |off: &Option<u64>| off.map_or("-".to_owned(), |off| off.to_string());
                word(from);
                word(&offset(inoff));
                word(to);
                word(&offset(outoff));
                word(len);
            }
            Op::Sigign { signal } => word(signal),
            Op::RlimitFsize { bytes } => word(bytes),
            Op::Seteuid { uid } => word(uid),
            Op::Sysctl { path, value } => {
                word(path);
                word(value);
            }
            Op::Fault(fault) => word(&fault.text()),
            Op::Msleep { ms } => word(ms),
            Op::Mend {}
            | Op::Freeze {}
            | Op::Thaw {}
            | Op::Abort {}
            | Op::Sync {}
            | Op::Remount {}
            | Op::Umount {}
            | Op::RaceKill {}
            | Op::RaceWait {} => {}
        }
        out
    }
}

fn iov_text(iov: &[Segment]) -> String {
    let pieces: Vec<String> = iov.iter().map(|s| format!("{}:{}:{}", s.buf, s.off, s.len)).collect();
    pieces.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_fills() {
        assert_eq!(Fill::Seed(2).bytes(3), Ok(vec![6, 13, 20]));
        for len in [65_535, 65_536, 70_001, (1 << 24) + 300] {
            assert!(Fill::Seed(7).bytes(len) == Ok((0..len).map(|i| seed_byte(7, i)).collect()), "{len}");
        }
        assert_eq!(Fill::Hex("00 fF1".into()).bytes(9), Err("an odd number of hexadecimal digits".into()));
        assert_eq!(Fill::Hex("00 fF".into()).bytes(9), Ok(vec![0, 255]));
        assert_eq!(Fill::Base64("aGVsbG8=".into()).bytes(9), Ok(b"hello".to_vec()));
        assert_eq!(Fill::Base64("aGVsbA==".into()).bytes(9), Ok(b"hell".to_vec()));
        assert_eq!(Fill::Base64("aGVs".into()).bytes(9), Ok(b"hel".to_vec()));
        assert!(Fill::Base64("aG=sbA==".into()).bytes(9).is_err());
        assert!(Fill::Base64("a".into()).bytes(9).is_err());
    }

    #[test]
    fn a_seed_agrees_with_the_kernel_crates() {
        for (seed, i) in [(1, 0), (9, 255), (255, 65_535), (3, 1 << 20)] {
            assert_eq!(seed_byte(seed, i), kernel::mm::memory::fill_byte(seed.into(), i));
        }
    }
}
