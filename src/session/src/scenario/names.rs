//! The names that operations give and use, in order: buffers, descriptors,
//! helpers; and what is wrong with each operation by itself.

use std::collections::BTreeMap;

use super::check::{Checked, check_name, check_octal, check_path, check_words, fail, inside, page_begin, within_file};
use super::ops::{Buffer, Op, Segment};
use super::reason::reason;
use super::{BUFFER_LEN_MAX, Fill, SEGMENTS_MAX, ScenarioError};

pub(super) const OPEN_FLAGS: [&str; 16] = [
    "RDONLY",
    "WRONLY",
    "RDWR",
    "CREAT",
    "EXCL",
    "TRUNC",
    "APPEND",
    "DIRECT",
    "SYNC",
    "DSYNC",
    "NOATIME",
    "NOFOLLOW",
    "DIRECTORY",
    "TMPFILE",
    "NONBLOCK",
    "CLOEXEC",
];
pub(super) const RWF_FLAGS: [&str; 5] = ["HIPRI", "DSYNC", "SYNC", "NOWAIT", "APPEND"];
/// Attributes of a file. The model answers EOPNOTSUPP to all but the first four.
pub(super) const FILE_FLAGS: [&str; 8] =
    ["sync", "immutable", "append", "dax", "journal_data", "noatime", "nodump", "dirsync"];
const NEVER_MET: &str = "no write, fsync, ftruncate or fill follows in which the helper could act";

/// Buffers and descriptors known so far.
pub(super) struct Names {
    buffers: BTreeMap<String, u64>,
    fds: Vec<String>,
    /// Those of `fds` that are ends of a pipe.
    pipes: Vec<String>,
    /// Bytes that buffers may still take.
    memory_left: u64,
    memory_mib: u32,
    race: Option<Race>,
    unmounted: bool,
}

/// A helper that was made ready.
struct Race {
    path: String,
    /// A call has come in which it can act.
    met: bool,
}

impl Names {
    pub(super) fn new(memory_mib: u32) -> Self {
        Names {
            buffers: BTreeMap::new(),
            fds: Vec::new(),
            pipes: Vec::new(),
            memory_left: u64::from(memory_mib) << 20,
            memory_mib,
            race: None,
            unmounted: false,
        }
    }

    /// After the last operation.
    pub(super) fn check_end(&self) -> Checked {
        match &self.race {
            Some(race) if !race.met => fail(&race.path, NEVER_MET),
            _ => Ok(()),
        }
    }

    pub(super) fn add_buffer(&mut self, buffer: &Buffer, path: &str) -> Checked {
        check_name(&buffer.name, &format!("{path}.name"))?;
        if !(1..=BUFFER_LEN_MAX).contains(&buffer.len) {
            return fail(format!("{path}.len"), reason!("{} bytes: must be 1 to {}", buffer.len, BUFFER_LEN_MAX));
        }
        match self.memory_left.checked_sub(buffer.len) {
            Some(left) => self.memory_left = left,
            None => {
                let reason = reason!("the buffers are larger than the memory of {} MiB", self.memory_mib);
                return fail(format!("{path}.len"), reason);
            }
        }
        if !matches!(buffer.fill, Fill::Seed(_)) {
            let bytes =
                buffer.fill.bytes(buffer.len).map_err(|reason| ScenarioError::new(format!("{path}.fill"), reason))?;
            if u64::try_from(bytes.len()).map_or(true, |len| len > buffer.len) {
                let reason = reason!("{} bytes do not fit into {}", bytes.len(), buffer.len);
                return fail(format!("{path}.fill"), reason);
            }
        }
        self.name_buffer(&buffer.name, buffer.len, path)
    }

    fn name_buffer(&mut self, name: &str, len: u64, path: &str) -> Checked {
        match self.buffers.insert(name.to_owned(), len) {
            None => Ok(()),
            Some(_) => fail(format!("{path}.name"), reason!("a second buffer `{}`", name.to_owned())),
        }
    }

    fn buffer(&self, name: &str, off: u64, len: u64, path: &str) -> Checked {
        match self.buffers.get(name) {
            Some(whole) => inside(off, len, *whole, name, path),
            None => fail(format!("{path}.buf"), reason!("no buffer is called `{}`", name.to_owned())),
        }
    }

    fn iov(&self, iov: &[Segment], path: &str) -> Checked {
        if iov.len() > SEGMENTS_MAX {
            return fail(format!("{path}.iov"), reason!("{} segments: at most {}", iov.len(), SEGMENTS_MAX));
        }
        iov.iter().enumerate().try_for_each(|(n, s)| self.buffer(&s.buf, s.off, s.len, &format!("{path}.iov[{n}]")))
    }

    fn single(&self, iov: &[Segment], path: &str) -> Checked {
        if iov.len() != 1 {
            return fail(format!("{path}.iov"), "this call takes one segment; the calls with a v take several");
        }
        self.iov(iov, path)
    }

    /// A file that is open.
    fn fd(&self, fd: &str, path: &str) -> Checked {
        let path = format!("{path}.fd");
        self.fd_at(fd, &path)?;
        if self.pipes.iter().any(|pipe| pipe == fd) {
            return fail(path, reason!("`{}` is the end of a pipe: only splice and close take it here", fd.to_owned()));
        }
        Ok(())
    }

    fn fd_at(&self, fd: &str, path: &str) -> Checked {
        if self.fds.iter().any(|known| known == fd) {
            return Ok(());
        }
        fail(path, reason!("no descriptor is called `{}` here", fd.to_owned()))
    }

    fn open(&mut self, fd: &str, path: &str) -> Checked {
        check_name(fd, path)?;
        if self.fds.iter().any(|known| known == fd) {
            return fail(path, reason!("the descriptor `{}` is open already", fd.to_owned()));
        }
        self.fds.push(fd.to_owned());
        Ok(())
    }

    fn race(&mut self, path: &str) -> Checked {
        if self.race.is_some() {
            return fail(path, "a helper is ready already; wait for it with race_wait");
        }
        self.race = Some(Race { path: path.to_owned(), met: false });
        Ok(())
    }

    pub(super) fn check(&mut self, op: &Op, path: &str) -> Checked {
        if let Some(race) = &mut self.race {
            race.met |= op.lets_a_helper_act();
        }
        self.check_one(op, path)
    }

    fn check_one(&mut self, op: &Op, path: &str) -> Checked {
        if self.unmounted && !matches!(op, Op::Remount {} | Op::Msleep { .. }) {
            return fail(path, "nothing is mounted here; only remount can follow umount");
        }
        match op {
            Op::Buf(buffer) => self.add_buffer(buffer, path),
            Op::Bufmap { name, fd, off, len, .. } => {
                self.fd(fd, path)?;
                page_begin(*off, path)?;
                within_file(*off, *len, &format!("{path}.off"))?;
                check_name(name, &format!("{path}.name"))?;
                if !(1..=BUFFER_LEN_MAX).contains(len) {
                    return fail(format!("{path}.len"), reason!("{} bytes: must be 1 to {}", *len, BUFFER_LEN_MAX));
                }
                self.name_buffer(name, *len, path)
            }
            Op::Unmap { buf, off, len }
            | Op::Protect { buf, off, len, .. }
            | Op::Dontneed { buf, off, len }
            | Op::Msync { buf, off, len } => {
                self.buffer(buf, *off, *len, path)?;
                page_begin(*off, path)
            }
            Op::Fill { buf, off, len, .. } | Op::Load { buf, off, len } => self.buffer(buf, *off, *len, path),
            Op::Open { fd, path: name, flags, mode } => {
                check_path(name, &format!("{path}.path"))?;
                check_words(flags, &OPEN_FLAGS, &format!("{path}.flags"))?;
                let access = flags.split(',').filter(|flag| ["RDONLY", "WRONLY", "RDWR"].contains(flag)).count();
                if access > 1 {
                    return fail(format!("{path}.flags"), "only one of RDONLY, WRONLY and RDWR");
                }
                if let Some(mode) = mode {
                    check_octal(mode, &format!("{path}.mode"))?;
                }
                self.open(fd, &format!("{path}.fd"))
            }
            Op::Close { fd } => {
                self.fd_at(fd, &format!("{path}.fd"))?;
                self.fds.retain(|known| known != fd);
                self.pipes.retain(|known| known != fd);
                Ok(())
            }
            Op::Write { fd, iov } | Op::Pwrite { fd, iov, .. } | Op::KernelWrite { fd, iov, .. } => {
                self.fd(fd, path)?;
                self.single(iov, path)
            }
            Op::Writev { fd, iov } | Op::Pwritev { fd, iov, .. } => {
                self.fd(fd, path)?;
                self.iov(iov, path)
            }
            Op::Pwritev2 { fd, rwf, iov, .. } => {
                self.fd(fd, path)?;
                check_words(rwf, &RWF_FLAGS, &format!("{path}.rwf"))?;
                self.iov(iov, path)
            }
            Op::Pread { fd, off, len } | Op::Fadvise { fd, off, len, .. } => {
                self.fd(fd, path)?;
                within_file(*off, *len, &format!("{path}.off"))
            }
            Op::Setflags { fd, flags, .. } => {
                self.fd(fd, path)?;
                check_words(&flags.to_ascii_lowercase(), &FILE_FLAGS, &format!("{path}.flags"))
            }
            Op::Lseek { fd, .. }
            | Op::Fsync { fd }
            | Op::Fdatasync { fd }
            | Op::Ftruncate { fd, .. }
            | Op::Fallocate { fd, .. }
            | Op::Fiemap { fd, .. } => self.fd(fd, path),
            Op::Fchmod { fd, mode } => {
                self.fd(fd, path)?;
                check_octal(mode, &format!("{path}.mode"))
            }
            Op::Shutdown { fd, how } => {
                self.fd(fd, path)?;
                if *how <= 2 { Ok(()) } else { fail(format!("{path}.how"), "0, 1 or 2") }
            }
            Op::Linkfd { fd, path: name } => {
                self.fd(fd, path)?;
                check_path(name, &format!("{path}.path"))
            }
            Op::Unlink { path: name } | Op::Rmdir { path: name } => check_path(name, &format!("{path}.path")),
            Op::Mkdir { path: name, mode } => {
                if let Some(mode) = mode {
                    check_octal(mode, &format!("{path}.mode"))?;
                }
                check_path(name, &format!("{path}.path"))
            }
            Op::Rename { from, to } | Op::Link { from, to } => {
                check_path(from, &format!("{path}.from"))?;
                check_path(to, &format!("{path}.to"))
            }
            Op::Pipe { rfd, wfd } => {
                self.open(rfd, &format!("{path}.rfd"))?;
                self.open(wfd, &format!("{path}.wfd"))?;
                self.pipes.extend([rfd.clone(), wfd.clone()]);
                Ok(())
            }
            Op::Splice { from, inoff, to, outoff, .. } => {
                self.fd_at(from, &format!("{path}.in"))?;
                self.fd_at(to, &format!("{path}.out"))?;
                within_file(inoff.unwrap_or(0), 0, &format!("{path}.inoff"))?;
                within_file(outoff.unwrap_or(0), 0, &format!("{path}.outoff"))?;
                match (self.pipes.contains(from), self.pipes.contains(to)) {
                    (true, true) => fail(path, "from pipe to pipe is not modelled"),
                    (false, false) => fail(path, "one end has to be a pipe"),
                    _ => Ok(()),
                }
            }
            Op::Sigign { signal } => {
                let path = format!("{path}.signal");
                match signal {
                    9 | 19 => fail(path, "SIGKILL and SIGSTOP cannot be ignored"),
                    1..=64 => Ok(()),
                    _ => fail(path, "signals are 1 to 64"),
                }
            }
            Op::Sysctl { path: name, value } => {
                if !name.starts_with("/proc/sys/") {
                    return fail(format!("{path}.path"), "a file under /proc/sys/");
                }
                if value.parse::<u64>().is_err() {
                    return fail(format!("{path}.value"), reason!("`{}` is not a number", value.to_owned()));
                }
                Ok(())
            }
            Op::Msleep { ms } => {
                if *ms <= 600_000 {
                    Ok(())
                } else {
                    fail(format!("{path}.ms"), reason!("at most {}", 600_000_u32))
                }
            }
            Op::Remount {} => {
                self.fds.clear();
                self.pipes.clear();
                self.unmounted = false;
                Ok(())
            }
            Op::Umount {} => {
                self.fds.clear();
                self.pipes.clear();
                self.unmounted = true;
                Ok(())
            }
            Op::RaceDontneed { buf, off, len } => {
                self.buffer(buf, *off, *len, path)?;
                page_begin(*off, path)?;
                self.race(path)
            }
            Op::RaceWrite { fd, iov, .. } => {
                self.fd(fd, path)?;
                self.single(iov, path)?;
                self.race(path)
            }
            Op::RaceTruncate { fd, .. } => {
                self.fd(fd, path)?;
                self.race(path)
            }
            Op::RaceKill {} => self.race(path),
            Op::RaceWait {} => match self.race.take() {
                Some(race) if race.met => Ok(()),
                Some(race) => fail(race.path, NEVER_MET),
                None => fail(path, "no helper is ready"),
            },
            Op::Fault(fault) => fault.check(path),
            Op::Swapon { path: name } | Op::Swapoff { path: name } => check_path(name, &format!("{path}.path")),
            Op::Race(op) => {
                if matches!(**op, Op::Race(_) | Op::RaceWait {} | Op::Remount {} | Op::Umount {} | Op::Buf(_)) {
                    return fail(path, "the second thread does one plain call");
                }
                self.check_one(op, &format!("{path}.{}", op.name()))?;
                self.race(path)
            }
            Op::Mend {}
            | Op::Freeze {}
            | Op::Thaw {}
            | Op::Abort {}
            | Op::Sync {}
            | Op::RlimitFsize { .. }
            | Op::Seteuid { .. } => Ok(()),
        }
    }
}
