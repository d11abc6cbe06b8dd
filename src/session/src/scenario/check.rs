//! What the types of a scenario cannot say: ranges, names, contradictions.

use std::collections::BTreeMap;

use kernel::site::{SITES, Site};

use super::ops::{Buffer, Op, Segment};
use super::{
    Act, At, BUFFER_LEN_MAX, DeviceKind, Fill, IMAGE_MIB_MAX, Image, Mkfs, SEGMENTS_MAX, Scenario, ScenarioError, Task,
    Upload, VERSION,
};

type Checked = Result<(), ScenarioError>;

fn fail(path: impl Into<String>, reason: impl Into<String>) -> Checked {
    Err(ScenarioError::new(path, reason))
}

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

/// With fewer pages than this there would be nothing to choose from.
pub(super) const PAGE_LIMIT_MIN: u32 = 16;

impl Scenario {
    /// Checks ranges, names and contradictions; [`super::parse`] does so too.
    ///
    /// # Errors
    /// The first fault, with its path.
    pub fn check(&self) -> Checked {
        if self.version != VERSION {
            return fail("version", format!("must be {VERSION}"));
        }
        if self.title.en.is_empty() {
            return fail("title.en", "a scenario needs a title");
        }
        match &self.image {
            Image::Mkfs(mkfs) => mkfs.check()?,
            Image::Upload(upload) => upload.check()?,
        }
        for (name, value) in
            [("bandwidth_kib_s", self.device.bandwidth_kib_s), ("queue_depth", self.device.queue_depth)]
        {
            if value == Some(0) || value.is_some() && self.device.kind != DeviceKind::Slow {
                return fail(format!("device.{name}"), "at least 1, and only of a slow device");
            }
        }
        match (self.device.kind, self.device.latency_ms) {
            (DeviceKind::Slow, 0) => return fail("device.latency_ms", "a slow device needs a latency"),
            (DeviceKind::Slow, 1..=60_000) | (_, 0) => {}
            (DeviceKind::Slow, _) => return fail("device.latency_ms", "at most 60000"),
            (_, _) => return fail("device.latency_ms", "only a slow device has a latency"),
        }
        for (n, fault) in self.device.faults.iter().enumerate() {
            fault.check(&format!("device.faults[{n}]"))?;
        }
        if !(16..=65_536).contains(&self.memory_mib) {
            return fail("memory_mib", format!("{} MiB: must be 16 to 65536", self.memory_mib));
        }
        for (name, percent) in
            [("dirty_ratio", self.vm.dirty_ratio), ("dirty_background_ratio", self.vm.dirty_background_ratio)]
        {
            if percent.is_some_and(|percent| percent > 100) {
                return fail(format!("vm.{name}"), "a percentage is at most 100");
            }
        }
        if self.vm.dirty_ratio.is_some() && self.vm.dirty_bytes.is_some() {
            return fail("vm.dirty_bytes", "the kernel keeps either dirty_bytes or dirty_ratio, not both");
        }
        if self.vm.dirty_background_ratio.is_some() && self.vm.dirty_background_bytes.is_some() {
            return fail("vm.dirty_background_bytes", "the kernel keeps either the bytes or the ratio, not both");
        }
        if self.vm.page_limit.is_some_and(|pages| pages < PAGE_LIMIT_MIN) {
            return fail("vm.page_limit", format!("at least {PAGE_LIMIT_MIN} pages"));
        }
        if self.op_gap_ms > 60_000 {
            return fail("op_gap_ms", "at most 60000");
        }
        self.check_tasks()?;
        for (n, intervention) in self.interventions.iter().enumerate() {
            self.check_at(&intervention.at, &format!("interventions[{n}].at"))?;
            let path = format!("interventions[{n}].do");
            match &intervention.act {
                Act::Evict { buf, off, len } => self.check_evict(buf, *off, *len, &format!("{path}.evict"))?,
                Act::Fault(fault) => fault.check(&format!("{path}.fault"))?,
                Act::Mend {} | Act::Shutdown {} | Act::AbortJournal {} | Act::EndSlice {} => {}
                Act::Fail { times, .. } if *times == 0 => {
                    return fail(format!("{path}.fail.times"), "must not be 0");
                }
                Act::Fail { .. } => {}
                Act::MemoryFailure { fd, .. } => self.check_opened(fd, &format!("{path}.memory_failure.fd"))?,
                Act::Sigkill { task } => {
                    self.task_named(task, &format!("{path}.sigkill.task"))?;
                }
            }
        }
        for (n, marker) in self.markers.iter().enumerate() {
            self.check_at(&marker.at, &format!("markers[{n}].at"))?;
        }
        Ok(())
    }

    fn check_tasks(&self) -> Checked {
        let mut shared = Names::default();
        for (n, buffer) in self.buffers.iter().enumerate() {
            shared.add_buffer(buffer, &format!("buffers[{n}]"))?;
        }
        if self.tasks.is_empty() {
            return fail("tasks", "a scenario needs a task");
        }
        for (n, task) in self.tasks.iter().enumerate() {
            let path = format!("tasks[{n}]");
            check_name(&task.name, &format!("{path}.name"))?;
            if self.tasks[..n].iter().any(|other| other.name == task.name) {
                return fail(format!("{path}.name"), format!("a second task `{}`", task.name));
            }
            let mut names = shared.clone();
            let setup = task.setup.iter().enumerate().map(|(i, op)| (format!("{path}.setup[{i}]"), op));
            let ops = task.ops.iter().enumerate().map(|(i, op)| (format!("{path}.ops[{i}]"), op));
            for (path, op) in setup.chain(ops) {
                names.check(op, &format!("{path}.{}", op.name()))?;
            }
        }
        Ok(())
    }

    fn task_named(&self, name: &str, path: &str) -> Result<&Task, ScenarioError> {
        let found = self.tasks.iter().find(|task| task.name == name);
        found.ok_or_else(|| ScenarioError::new(path, format!("no task is called `{name}`")))
    }

    fn check_at(&self, at: &At, path: &str) -> Checked {
        let At::Probe(probe) = at else { return Ok(()) };
        let path = format!("{path}.probe");
        let task = self.task_named(&probe.task, &format!("{path}.task"))?;
        let count = task.setup.len() + task.ops.len();
        if usize::try_from(probe.op).map_or(true, |op| op >= count) {
            return fail(
                format!("{path}.op"),
                format!("task `{}` has operations 0 to {}", task.name, count.max(1) - 1),
            );
        }
        if (probe.iteration == 0) != (probe.retry == 0) {
            return fail(format!("{path}.retry"), "round and try are both 0 outside of the loop, both from 1 inside");
        }
        if probe.nth == 0 {
            return fail(format!("{path}.nth"), "hits are counted from 1");
        }
        let known = SITES.iter().any(|site| matches!(site, Site::Probe(known) if known.name == probe.site));
        if !known {
            return fail(format!("{path}.site"), format!("no probe is called `{}`", probe.site));
        }
        Ok(())
    }

    /// Some task opens a file under this name.
    fn check_opened(&self, name: &str, path: &str) -> Checked {
        let mut ops = self.tasks.iter().flat_map(Task::all_ops);
        if ops.any(|(op, _)| matches!(op, Op::Open { fd, .. } if fd == name)) {
            return Ok(());
        }
        fail(path, format!("no descriptor is called `{name}`"))
    }

    /// The buffer may be one of the scenario, or one that a task makes.
    fn check_evict(&self, buf: &str, off: u64, len: u64, path: &str) -> Checked {
        let made = self.tasks.iter().flat_map(Task::all_ops).filter_map(|(op, _)| match op {
            Op::Buf(buffer) => Some((&buffer.name, buffer.len)),
            Op::Bufmap { name, len, .. } => Some((name, *len)),
            _ => None,
        });
        let all = self.buffers.iter().map(|buffer| (&buffer.name, buffer.len)).chain(made);
        let whole = all.filter(|(name, _)| *name == buf).map(|(_, len)| len).max();
        let Some(whole) = whole else {
            return fail(format!("{path}.buf"), format!("no buffer is called `{buf}`"));
        };
        inside(off, len, whole, buf, path)
    }
}

impl Mkfs {
    fn check(&self) -> Checked {
        if !(2..=IMAGE_MIB_MAX).contains(&self.size_mib) {
            let reason = format!("{} MiB: an image has 2 to {IMAGE_MIB_MAX}", self.size_mib);
            return fail("image.mkfs.size_mib", reason);
        }
        if ![1024, 2048, 4096].contains(&self.block_size) {
            return fail("image.mkfs.block_size", format!("{}: must be 1024, 2048 or 4096", self.block_size));
        }
        if self.reserved_percent > 50 {
            return fail("image.mkfs.reserved_percent", "at most 50");
        }
        if self.label.len() > 16 {
            return fail("image.mkfs.label", format!("{} bytes: at most 16", self.label.len()));
        }
        if uuid_bytes(&self.uuid).is_none() {
            return fail("image.mkfs.uuid", "32 hexadecimal digits, with dashes or without");
        }
        if self.inode_ratio == Some(0) {
            return fail("image.mkfs.inode_ratio", "must not be 0");
        }
        if self.cluster_size.is_some() && !self.features.iter().any(|name| name == "bigalloc") {
            return fail("image.mkfs.cluster_size", "only with the feature bigalloc");
        }
        Ok(())
    }
}

/// The sixteen bytes of a UUID.
pub(crate) fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let digits: Option<Vec<u32>> = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 32)?;
    Some(std::array::from_fn(|n| (digits[2 * n] * 16 + digits[2 * n + 1]).to_le_bytes()[0]))
}

impl Upload {
    fn check(&self) -> Checked {
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return fail("image.upload.sha256", "64 hexadecimal digits");
        }
        if self.name.is_empty() {
            return fail("image.upload.name", "the file that is asked for needs a name");
        }
        Ok(())
    }
}

/// Names end up in one-line texts, where `:`, `,` and blanks mean something.
fn check_name(name: &str, path: &str) -> Checked {
    let fits = !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits { Ok(()) } else { fail(path, "a name has 1 to 32 letters, digits, `_` or `-`") }
}

fn check_path(name: &str, path: &str) -> Checked {
    if name.is_empty() || name.len() > 4095 || name.contains('\0') || name.contains(char::is_whitespace) {
        return fail(path, "a path has 1 to 4095 bytes and no blanks");
    }
    match name.split('/').find(|part| part.len() > 255) {
        Some(_) => fail(path, "a name in a path has at most 255 bytes"),
        None => Ok(()),
    }
}

fn check_octal(mode: &str, path: &str) -> Checked {
    match u32::from_str_radix(mode, 8) {
        Ok(0..=0o7777) => Ok(()),
        _ => fail(path, format!("`{mode}`: an octal mode, at most 7777")),
    }
}

fn check_words(text: &str, known: &[&str], path: &str) -> Checked {
    match text.split(',').find(|word| !known.contains(word)) {
        Some(word) => fail(path, format!("`{word}` is none of {}", known.join(", "))),
        None => Ok(()),
    }
}

fn inside(off: u64, len: u64, whole: u64, name: &str, path: &str) -> Checked {
    match off.checked_add(len) {
        Some(end) if end <= whole => Ok(()),
        _ => fail(path, format!("{len} bytes at {off} do not lie in `{name}`, which has {whole}")),
    }
}

/// Buffers and descriptors known so far.
#[derive(Clone, Default)]
struct Names {
    buffers: BTreeMap<String, u64>,
    fds: Vec<String>,
    racing: bool,
    unmounted: bool,
}

impl Names {
    fn add_buffer(&mut self, buffer: &Buffer, path: &str) -> Checked {
        check_name(&buffer.name, &format!("{path}.name"))?;
        if !(1..=BUFFER_LEN_MAX).contains(&buffer.len) {
            return fail(format!("{path}.len"), format!("{} bytes: must be 1 to {BUFFER_LEN_MAX}", buffer.len));
        }
        if !matches!(buffer.fill, Fill::Seed(_)) {
            let bytes =
                buffer.fill.bytes(buffer.len).map_err(|reason| ScenarioError::new(format!("{path}.fill"), reason))?;
            if u64::try_from(bytes.len()).map_or(true, |len| len > buffer.len) {
                let reason = format!("{} bytes do not fit into {}", bytes.len(), buffer.len);
                return fail(format!("{path}.fill"), reason);
            }
        }
        self.name_buffer(&buffer.name, buffer.len, path)
    }

    fn name_buffer(&mut self, name: &str, len: u64, path: &str) -> Checked {
        match self.buffers.insert(name.to_owned(), len) {
            None => Ok(()),
            Some(_) => fail(format!("{path}.name"), format!("a second buffer `{name}`")),
        }
    }

    fn buffer(&self, name: &str, off: u64, len: u64, path: &str) -> Checked {
        match self.buffers.get(name) {
            Some(whole) => inside(off, len, *whole, name, path),
            None => fail(format!("{path}.buf"), format!("no buffer is called `{name}`")),
        }
    }

    fn iov(&self, iov: &[Segment], path: &str) -> Checked {
        if iov.len() > SEGMENTS_MAX {
            return fail(format!("{path}.iov"), format!("{} segments: at most {SEGMENTS_MAX}", iov.len()));
        }
        iov.iter().enumerate().try_for_each(|(n, s)| self.buffer(&s.buf, s.off, s.len, &format!("{path}.iov[{n}]")))
    }

    fn single(&self, iov: &[Segment], path: &str) -> Checked {
        if iov.len() != 1 {
            return fail(format!("{path}.iov"), "this call takes one segment; the calls with a v take several");
        }
        self.iov(iov, path)
    }

    fn fd(&self, fd: &str, path: &str) -> Checked {
        self.fd_at(fd, &format!("{path}.fd"))
    }

    fn fd_at(&self, fd: &str, path: &str) -> Checked {
        if self.fds.iter().any(|known| known == fd) {
            return Ok(());
        }
        fail(path, format!("no descriptor is called `{fd}` here"))
    }

    fn open(&mut self, fd: &str, path: &str) -> Checked {
        check_name(fd, path)?;
        if self.fds.iter().any(|known| known == fd) {
            return fail(path, format!("the descriptor `{fd}` is open already"));
        }
        self.fds.push(fd.to_owned());
        Ok(())
    }

    fn race(&mut self, path: &str) -> Checked {
        if std::mem::replace(&mut self.racing, true) {
            return fail(path, "a helper is ready already; wait for it with race_wait");
        }
        Ok(())
    }

    fn check(&mut self, op: &Op, path: &str) -> Checked {
        if self.unmounted && !matches!(op, Op::Remount {} | Op::Msleep { .. }) {
            return fail(path, "nothing is mounted here; only remount can follow umount");
        }
        match op {
            Op::Buf(buffer) => self.add_buffer(buffer, path),
            Op::Bufmap { name, fd, len, .. } => {
                self.fd(fd, path)?;
                check_name(name, &format!("{path}.name"))?;
                if !(1..=BUFFER_LEN_MAX).contains(len) {
                    return fail(format!("{path}.len"), format!("must be 1 to {BUFFER_LEN_MAX}"));
                }
                self.name_buffer(name, *len, path)
            }
            Op::Unmap { buf, off, len }
            | Op::Protect { buf, off, len, .. }
            | Op::Dontneed { buf, off, len }
            | Op::Msync { buf, off, len } => {
                self.buffer(buf, *off, *len, path)?;
                if off.is_multiple_of(4096) {
                    return Ok(());
                }
                fail(format!("{path}.off"), format!("{off} is not the begin of a page"))
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
                self.fd(fd, path)?;
                self.fds.retain(|known| known != fd);
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
            Op::Pread { fd, .. }
            | Op::Lseek { fd, .. }
            | Op::Fsync { fd }
            | Op::Fdatasync { fd }
            | Op::Ftruncate { fd, .. }
            | Op::Fallocate { fd, .. }
            | Op::Fadvise { fd, .. }
            | Op::Setflags { fd, .. }
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
                self.open(wfd, &format!("{path}.wfd"))
            }
            Op::Splice { from, to, .. } => {
                self.fd_at(from, &format!("{path}.in"))?;
                self.fd_at(to, &format!("{path}.out"))
            }
            Op::Sigign { signal } => {
                if (1..=64).contains(signal) {
                    Ok(())
                } else {
                    fail(format!("{path}.signal"), "1 to 64")
                }
            }
            Op::Sysctl { path: name, value } => {
                if !name.starts_with("/proc/sys/") {
                    return fail(format!("{path}.path"), "a file under /proc/sys/");
                }
                if value.parse::<u64>().is_err() {
                    return fail(format!("{path}.value"), format!("`{value}` is not a number"));
                }
                Ok(())
            }
            Op::Msleep { ms } => {
                if *ms <= 600_000 {
                    Ok(())
                } else {
                    fail(format!("{path}.ms"), "at most 600000")
                }
            }
            Op::Remount {} => {
                self.fds.clear();
                self.unmounted = false;
                Ok(())
            }
            Op::Umount {} => {
                self.fds.clear();
                self.unmounted = true;
                Ok(())
            }
            Op::RaceDontneed { buf, off, len } => {
                self.buffer(buf, *off, *len, path)?;
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
            Op::RaceWait {} => {
                if std::mem::take(&mut self.racing) {
                    Ok(())
                } else {
                    fail(path, "no helper is ready")
                }
            }
            Op::Fault(fault) => fault.check(path),
            Op::Swapon { path: name } | Op::Swapoff { path: name } => check_path(name, &format!("{path}.path")),
            Op::Race(op) => {
                if matches!(**op, Op::Race(_) | Op::RaceWait {} | Op::Remount {} | Op::Umount {} | Op::Buf(_)) {
                    return fail(path, "the second thread does one plain call");
                }
                self.check(op, &format!("{path}.{}", op.name()))?;
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
