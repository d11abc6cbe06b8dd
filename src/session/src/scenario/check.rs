//! What the types of a scenario cannot say: ranges, names, contradictions.

use kernel::fs::ext4::super_::{DataMode, MountOptions, MountOpts};
use kernel::site::{SITES, Site};
use ondisk::mkfs::Geometry;

use super::names::Names;
use super::ops::Op;
use super::reason::reason;
use super::{
    Act, At, Device, DeviceKind, HELPER, IMAGE_MIB_MAX, Image, Mkfs, Reason, Said, Scenario, ScenarioError, Task,
    Upload, VERSION, Vm,
};

pub(super) type Checked = Result<(), ScenarioError>;

pub(super) fn fail(path: impl Into<String>, reason: impl Into<Reason>) -> Checked {
    Err(ScenarioError::new(path, reason))
}

/// The smallest `vm.dirty_bytes`: two pages.
pub(super) const DIRTY_BYTES_MIN: u32 = 8192;
/// The largest number of a sysctl that the kernel keeps in an `int`.
pub(super) const INT_MAX: u32 = i32::MAX.unsigned_abs();
/// Numbers of operations have 16 bits.
pub(super) const OPS_MAX: usize = 65_000;

/// With fewer pages than this there would be nothing to choose from.
pub(super) const PAGE_LIMIT_MIN: u32 = 16;

impl Scenario {
    /// Checks ranges, names and contradictions; [`super::parse`] does so too.
    ///
    /// # Errors
    /// The first fault, with its path.
    pub fn check(&self) -> Checked {
        if self.version != VERSION {
            return fail("version", reason!("must be {}", VERSION));
        }
        if self.title.en.is_empty() {
            return fail("title.en", "a scenario needs a title");
        }
        if !(16..=65_536).contains(&self.memory_mib) {
            return fail("memory_mib", reason!("{} MiB: must be 16 to 65536", self.memory_mib));
        }
        match &self.image {
            Image::Mkfs(mkfs) => mkfs.check()?,
            Image::Upload(upload) => upload.check()?,
        }
        self.device.check()?;
        self.check_fault_sectors()?;
        self.check_mount()?;
        self.vm.check(self.memory_mib)?;
        if self.op_gap_ms > 60_000 {
            return fail("op_gap_ms", reason!("at most {}", 60_000_u32));
        }
        self.check_tasks()?;
        for (n, intervention) in self.interventions.iter().enumerate() {
            self.check_at(&intervention.at, &format!("interventions[{n}].at"))?;
            self.check_act(&intervention.act, &format!("interventions[{n}].do"))?;
        }
        for (n, marker) in self.markers.iter().enumerate() {
            self.check_at(&marker.at, &format!("markers[{n}].at"))?;
            if self.markers[..n].iter().any(|other| other.at == marker.at) {
                return fail(format!("markers[{n}].at"), "another marker stands at this step");
            }
        }
        Ok(())
    }

    fn check_act(&self, act: &Act, path: &str) -> Checked {
        match act {
            Act::Evict { buf, off, len } => self.check_evict(buf, *off, *len, &format!("{path}.evict")),
            Act::Fault(fault) => fault.check(&format!("{path}.fault")),
            Act::Mend {} | Act::Shutdown {} | Act::AbortJournal {} | Act::EndSlice {} => Ok(()),
            Act::Fail { times: 0, .. } => fail(format!("{path}.fail.times"), "must not be 0"),
            Act::Fail { .. } => Ok(()),
            Act::MemoryFailure { fd, off } => {
                self.check_opened(fd, &format!("{path}.memory_failure.fd"))?;
                within_file(*off, 1, &format!("{path}.memory_failure.off"))
            }
            Act::Sigkill { task } => self.task_named(task, &format!("{path}.sigkill.task")).map(|_| ()),
        }
    }

    /// A rule behind the end of the device would never fail anything.
    fn check_fault_sectors(&self) -> Checked {
        let Image::Mkfs(mkfs) = &self.image else { return Ok(()) };
        let sectors = u64::from(mkfs.size_mib) << 11;
        for (n, fault) in self.device.faults.iter().enumerate() {
            if fault.sector >= sectors {
                return fail(format!("device.faults[{n}].sector"), reason!("the device has {} sectors", sectors));
            }
        }
        Ok(())
    }

    fn check_mount(&self) -> Checked {
        let options = match MountOptions::parse(&self.mount) {
            Ok(options) => options,
            Err(_) => {
                let known = |option: &&str| MountOptions::parse(option).is_ok();
                let bad = self.mount.split(',').find(|option| !known(option)).unwrap_or_default();
                return fail("mount", reason!("the option `{}` is not known here", bad.to_owned()));
            }
        };
        let journals_data = options.data == Some(DataMode::Journal);
        let dax = options.flags.contains(MountOpts::DAX_ALWAYS);
        if journals_data && options.delalloc == Some(true) {
            return fail("mount", "data=journal does not allocate late: not with delalloc");
        }
        if journals_data && dax {
            return fail("mount", "data=journal and dax exclude each other");
        }
        if dax && self.device.kind != DeviceKind::Pmem {
            return fail("mount", "dax needs a device of the kind pmem");
        }
        let Image::Mkfs(mkfs) = &self.image else { return Ok(()) };
        if dax && mkfs.block_size != 4096 {
            return fail("mount", "dax needs blocks of 4096 bytes, as large as a page");
        }
        if options.data.is_some() && !mkfs.has("has_journal", true) {
            return fail("mount", "data= needs a journal, and the image has none");
        }
        Ok(())
    }

    fn check_tasks(&self) -> Checked {
        let mut names = Names::new(self.memory_mib);
        for (n, buffer) in self.buffers.iter().enumerate() {
            names.add_buffer(buffer, &format!("buffers[{n}]"))?;
        }
        let [task] = self.tasks.as_slice() else {
            return fail("tasks", "there is one program; `race` and the like give it a second thread");
        };
        check_name(&task.name, "tasks[0].name")?;
        let count = task.setup.len() + task.ops.len();
        if count > OPS_MAX {
            return fail("tasks[0].ops", reason!("{} operations: at most {}", count, OPS_MAX));
        }
        let setup = task.setup.iter().enumerate().map(|(i, op)| (format!("tasks[0].setup[{i}]"), op));
        let ops = task.ops.iter().enumerate().map(|(i, op)| (format!("tasks[0].ops[{i}]"), op));
        for (path, op) in setup.chain(ops) {
            names.check(op, &format!("{path}.{}", op.name()))?;
        }
        names.check_end()
    }

    fn task_named(&self, name: &str, path: &str) -> Result<&Task, ScenarioError> {
        let found = self.tasks.iter().find(|task| task.name == name);
        found.ok_or_else(|| ScenarioError::new(path, reason!("no task is called `{}`", name.to_owned())))
    }

    fn check_at(&self, at: &At, path: &str) -> Checked {
        let At::Probe(probe) = at else { return Ok(()) };
        let path = format!("{path}.probe");
        if self.helper_at(probe).is_none() {
            let named = self.task_named(&probe.task, &format!("{path}.task"));
            if named.is_err() && probe.task == HELPER && self.helper_ops().next().is_some() {
                return fail(format!("{path}.op"), "no recorded operation of this number makes a second thread ready");
            }
            let task = named?;
            let (first, end) = (task.setup.len(), task.setup.len() + task.ops.len());
            if usize::try_from(probe.op).map_or(true, |op| !(first..=end).contains(&op)) {
                let reason =
                    reason!("the recorded operations are {} to {}, the exit is {}", first, end.max(first + 1) - 1, end);
                return fail(format!("{path}.op"), reason);
            }
        }
        if (probe.iteration == 0) != (probe.retry == 0) {
            return fail(format!("{path}.retry"), "round and try are both 0 outside of the loop, both from 1 inside");
        }
        if probe.nth == 0 {
            return fail(format!("{path}.nth"), "hits are counted from 1");
        }
        let known = SITES.iter().any(|site| matches!(site, Site::Probe(known) if known.name == probe.site));
        if !known {
            return fail(format!("{path}.site"), reason!("no probe is called `{}`", &probe.site));
        }
        Ok(())
    }

    /// Some task opens a file under this name.
    fn check_opened(&self, name: &str, path: &str) -> Checked {
        let mut ops = self.tasks.iter().flat_map(Task::all_ops);
        if ops.any(|(op, _)| matches!(op, Op::Open { fd, .. } if fd == name)) {
            return Ok(());
        }
        fail(path, reason!("no descriptor is called `{}`", name.to_owned()))
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
            return fail(format!("{path}.buf"), reason!("no buffer is called `{}`", buf.to_owned()));
        };
        inside(off, len, whole, buf, path)?;
        if len == 0 {
            return fail(format!("{path}.len"), "must not be 0");
        }
        page_begin(off, path)
    }
}

impl Device {
    fn check(&self) -> Checked {
        let slow = self.kind == DeviceKind::Slow;
        for (name, value) in [("bandwidth_kib_s", self.bandwidth_kib_s), ("queue_depth", self.queue_depth)] {
            if value == Some(0) {
                return fail(format!("device.{name}"), "must not be 0");
            }
            if value.is_some() && !slow {
                return fail(format!("device.{name}"), "only of a slow device");
            }
        }
        match self.latency_ms {
            0 if slow => return fail("device.latency_ms", "a slow device needs a latency"),
            1.. if !slow => return fail("device.latency_ms", "only of a slow device"),
            60_001.. => return fail("device.latency_ms", reason!("at most {}", 60_000_u32)),
            _ => {}
        }
        for (n, fault) in self.faults.iter().enumerate() {
            fault.check(&format!("device.faults[{n}]"))?;
        }
        Ok(())
    }
}

impl Vm {
    fn check(&self, memory_mib: u32) -> Checked {
        let memory = u64::from(memory_mib) << 20;
        for (name, percent) in
            [("dirty_ratio", self.dirty_ratio), ("dirty_background_ratio", self.dirty_background_ratio)]
        {
            if percent.is_some_and(|percent| percent > 100) {
                return fail(format!("vm.{name}"), "a percentage is at most 100");
            }
        }
        for (name, ratio, bytes, least) in [
            ("dirty_bytes", self.dirty_ratio, self.dirty_bytes, DIRTY_BYTES_MIN),
            ("dirty_background_bytes", self.dirty_background_ratio, self.dirty_background_bytes, 1),
        ] {
            let Some(bytes) = bytes else { continue };
            let path = format!("vm.{name}");
            if ratio.is_some() {
                return fail(path, "the kernel keeps either the bytes or the ratio, not both");
            }
            if bytes < least {
                return fail(path, reason!("at least {}", least));
            }
            if u64::from(bytes) > memory {
                return fail(path, reason!("more than the memory of {} MiB", memory_mib));
            }
        }
        for (name, value) in [
            ("dirty_expire_centisecs", self.dirty_expire_centisecs),
            ("dirty_writeback_centisecs", self.dirty_writeback_centisecs),
        ] {
            if value.is_some_and(|value| value > INT_MAX) {
                return fail(format!("vm.{name}"), reason!("at most {}", INT_MAX));
            }
        }
        if self.page_limit.is_some_and(|pages| pages < PAGE_LIMIT_MIN) {
            return fail("vm.page_limit", reason!("at least {}", PAGE_LIMIT_MIN));
        }
        Ok(())
    }
}

impl Mkfs {
    fn check(&self) -> Checked {
        let at = |key: &str| format!("image.mkfs.{key}");
        if !(2..=IMAGE_MIB_MAX).contains(&self.size_mib) {
            let reason = reason!("{} MiB: an image has 2 to {}", self.size_mib, IMAGE_MIB_MAX);
            return fail(at("size_mib"), reason);
        }
        if ![1024, 2048, 4096].contains(&self.block_size) {
            return fail(at("block_size"), reason!("{}: must be 1024, 2048 or 4096", self.block_size));
        }
        if self.reserved_percent > 50 {
            return fail(at("reserved_percent"), reason!("at most {}", 50_u32));
        }
        if self.label.len() > 16 {
            return fail(at("label"), reason!("{} bytes: at most 16", self.label.len()));
        }
        if uuid_bytes(&self.uuid).is_none() {
            return fail(at("uuid"), "32 hexadecimal digits, with dashes or without");
        }
        for (key, value) in [("inode_ratio", self.inode_ratio), ("inodes", self.inodes)] {
            if value == Some(0) {
                return fail(at(key), "must not be 0");
            }
        }
        if self.inodes.is_some() && self.inode_ratio.is_some() {
            return fail(at("inodes"), "either a number of inodes or a ratio, not both");
        }
        for (n, feature) in self.features.iter().enumerate() {
            let bare = |feature: &str| feature.trim_start_matches('^').to_owned();
            if self.features[..n].iter().any(|other| bare(other) == bare(feature)) {
                return fail(at(&format!("features[{n}]")), reason!("`{}` is named twice", bare(feature)));
            }
        }
        let options = self.options().map_err(|reason| ScenarioError::new(at("features"), reason))?;
        let bigalloc = self.has("bigalloc", false);
        if bigalloc && !options.extents {
            return fail(at("features"), "bigalloc needs extents");
        }
        if let Some(bytes) = self.cluster_size {
            if !bigalloc {
                return fail(at("cluster_size"), "only with the feature bigalloc");
            }
            if !bytes.is_power_of_two() || !(self.block_size..=self.block_size << 15).contains(&bytes) {
                let reason = reason!("{}: must be a power of two, 1 to 32768 times the block size", bytes);
                return fail(at("cluster_size"), reason);
            }
        }
        if let Some(mib) = self.journal_mib {
            if !options.has_journal {
                return fail(at("journal_mib"), "the image has no journal");
            }
            let least = self.block_size >> 10;
            if mib < least || mib > self.size_mib / 2 {
                let reason = reason!("{} MiB: at least 1024 blocks, at most half of the device", mib);
                return fail(at("journal_mib"), reason);
            }
        }
        let made = Geometry::new(&options).map(|_| ());
        made.map_err(|error| {
            ScenarioError::new("image.mkfs", reason!("cannot be made: {}", Said::Message(error.to_string())))
        })
    }

    /// Whether a feature is on; `default` if it is not named.
    fn has(&self, feature: &str, default: bool) -> bool {
        let named = self.features.iter().rev().find(|named| named.trim_start_matches('^') == feature);
        named.map_or(default, |named| !named.starts_with('^'))
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
pub(super) fn check_name(name: &str, path: &str) -> Checked {
    let fits = !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits { Ok(()) } else { fail(path, "a name has 1 to 32 letters, digits, `_` or `-`") }
}

pub(super) fn check_path(name: &str, path: &str) -> Checked {
    if name.is_empty() || name.len() > 4095 || name.contains('\0') || name.contains(char::is_whitespace) {
        return fail(path, "a path has 1 to 4095 bytes and no blanks");
    }
    match name.split('/').find(|part| part.len() > 255) {
        Some(_) => fail(path, "a name in a path has at most 255 bytes"),
        None => Ok(()),
    }
}

pub(super) fn check_octal(mode: &str, path: &str) -> Checked {
    match u32::from_str_radix(mode, 8) {
        Ok(0..=0o7777) => Ok(()),
        _ => fail(path, reason!("`{}`: an octal mode, at most 7777", mode.to_owned())),
    }
}

pub(super) fn check_words(text: &str, known: &[&str], path: &str) -> Checked {
    match text.split(',').find(|word| !known.contains(word)) {
        Some(word) => fail(path, reason!("`{}` is none of {}", word.to_owned(), known.join(", "))),
        None => Ok(()),
    }
}

pub(super) fn inside(off: u64, len: u64, whole: u64, name: &str, path: &str) -> Checked {
    match off.checked_add(len) {
        Some(end) if end <= whole => Ok(()),
        _ => fail(path, reason!("{} bytes at {} do not lie in `{}`, which has {}", len, off, name.to_owned(), whole)),
    }
}

/// Offsets in a file have 63 bits.
pub(super) fn within_file(off: u64, len: u64, path: &str) -> Checked {
    match off.checked_add(len) {
        Some(end) if i64::try_from(end).is_ok() => Ok(()),
        _ => fail(path, reason!("{} bytes at {} go past 2^63, where no file reaches", len, off)),
    }
}

/// What drops or maps memory does so by pages.
pub(super) fn page_begin(off: u64, path: &str) -> Checked {
    if off.is_multiple_of(4096) {
        return Ok(());
    }
    fail(format!("{path}.off"), reason!("{} is not the begin of a page", off))
}
