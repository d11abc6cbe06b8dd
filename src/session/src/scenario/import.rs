//! Recorded cases: their `scenario.json` as a [`Scenario`].

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ops::Op;
use super::reason::reason;
use super::{Device, DeviceKind, Image, Mkfs, Reason, Scenario, ScenarioError, Task, Text, tracked};

/// The part of a case's `scenario.json` that is input.
#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    about: String,
    image: CaseImage,
    device: String,
    mount: String,
    setup: Vec<Map<String, Value>>,
    ops: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct CaseImage {
    size_mib: u32,
    mke2fs: Vec<String>,
}

/// Reads the `scenario.json` of a recorded case. A slow device takes 20 ms,
/// every operation begins 12 ms after the last, periodic writeback is off. What a real kernel was asked is replayed
/// as it was, sensible or not: it is not checked further.
///
/// # Errors
/// Not JSON, or something that this format cannot say.
pub fn from_golden(json: &str) -> Result<Scenario, ScenarioError> {
    let (case, _): (Case, _) = tracked::from_str(json)?;
    let mut scenario = Scenario::new(&case.name, case.image.size_mib);
    scenario.text = Text { en: case.about, ko: None };
    let mut mkfs = Mkfs::from_letters(&case.image.mke2fs)
        .map_err(|text| ScenarioError::new("image.mke2fs", reason!("{}", text)))?;
    mkfs.size_mib = case.image.size_mib;
    scenario.image = Image::Mkfs(mkfs);
    scenario.device = match case.device.as_str() {
        "ram" => Device { kind: DeviceKind::Ram, latency_ms: 0, ..Device::default() },
        "slow" => Device { kind: DeviceKind::Slow, latency_ms: 20, ..Device::default() },
        "pmem" => Device { kind: DeviceKind::Pmem, latency_ms: 0, ..Device::default() },
        other => {
            return Err(ScenarioError::new(
                "device",
                reason!("`{}` is none of {}", other.to_owned(), "ram, slow, pmem".to_owned()),
            ));
        }
    };
    scenario.mount = case.mount;
    scenario.vm.dirty_writeback_centisecs = Some(0);
    scenario.tasks = vec![Task { name: "A".to_owned(), setup: ops(case.setup, "setup")?, ops: ops(case.ops, "ops")? }];
    Ok(scenario)
}

fn ops(list: Vec<Map<String, Value>>, what: &str) -> Result<Vec<Op>, ScenarioError> {
    let each = list.into_iter().enumerate();
    each.map(|(n, fields)| op(fields, &format!("{what}[{n}]"))).collect()
}

/// `{"op": "pwrite", ..., "text": ".."}` as `{"pwrite": {...}}`.
fn op(mut fields: Map<String, Value>, path: &str) -> Result<Op, ScenarioError> {
    let Some(Value::String(name)) = fields.remove("op") else {
        return Err(ScenarioError::new(format!("{path}.op"), "the operation's name is missing"));
    };
    fields.remove("text");
    match name.as_str() {
        "buf" => {
            if let Some(seed) = fields.remove("seed") {
                fields.insert("fill".to_owned(), serde_json::json!({ "seed": seed }));
            }
        }
        "splice" => fields.retain(|_, value| value != "-"),
        _ => {}
    }
    // These are numbers, in quotes.
    for key in ["signal", "how", "flags"] {
        let number = fields.get(key).and_then(Value::as_str).and_then(|text| text.parse::<u32>().ok());
        if let Some(number) = number {
            fields.insert(key.to_owned(), number.into());
        }
    }
    let mut whole = Map::new();
    whole.insert(name, Value::Object(fields));
    let read = tracked::from_value(&Value::Object(whole));
    let (read, unknown) = read.map_err(|error| ScenarioError::new(format!("{path}.{}", error.path), error.reason))?;
    match unknown.into_iter().next() {
        Some(key) => Err(ScenarioError::new(format!("{path}.{key}"), "unknown key")),
        None => Ok(read),
    }
}

impl Mkfs {
    /// Reads the letters of mke2fs that this program knows: `-b -C -O -m -N -i
    /// -L -U`, `-J size=`, `-I 256`. The size stays at its default.
    ///
    /// # Errors
    /// A letter that is not known, or a value that is none.
    pub fn from_letters(args: &[String]) -> Result<Self, String> {
        let mut mkfs = Mkfs::default();
        let mut args = args.iter();
        while let Some(letter) = args.next() {
            let value = args.next().ok_or_else(|| format!("{letter} needs a value"))?;
            let number = || value.parse::<u32>().map_err(|_| format!("{letter} {value}: not a number"));
            match letter.as_str() {
                "-b" => mkfs.block_size = number()?,
                "-C" => mkfs.cluster_size = Some(number()?),
                "-O" => mkfs.features.extend(value.split(',').map(str::to_owned)),
                "-N" => mkfs.inodes = Some(number()?),
                "-i" => mkfs.inode_ratio = Some(number()?),
                "-L" => mkfs.label.clone_from(value),
                "-U" => mkfs.uuid.clone_from(value),
                "-m" => {
                    mkfs.reserved_percent = value.parse().map_err(|_| format!("-m {value}: a whole percentage"))?;
                }
                "-I" if number()? == 256 => {}
                "-I" => return Err(format!("-I {value}: inodes have 256 bytes here")),
                "-J" => {
                    let mib = value.strip_prefix("size=").and_then(|mib| mib.parse().ok());
                    mkfs.journal_mib = Some(mib.ok_or_else(|| format!("-J {value}: only size=MIB"))?);
                }
                other => return Err(format!("{other}: not a letter of mke2fs that is known here")),
            }
        }
        Ok(mkfs)
    }

    /// What [`ondisk::mkfs::mkfs`] is told.
    ///
    /// # Errors
    /// A feature that our mkfs does not switch, as a sentence.
    pub fn options(&self) -> Result<ondisk::mkfs::MkfsOptions, Reason> {
        let mut options = ondisk::mkfs::MkfsOptions::new(u64::from(self.size_mib) << 20, self.block_size);
        let uuid = super::check::uuid_bytes(&self.uuid).ok_or("32 hexadecimal digits, with dashes or without")?;
        (options.uuid, options.hash_seed, options.time) = (uuid, uuid, MKFS_TIME);
        options.reserved_percent = self.reserved_percent;
        options.inodes_count = self.inodes;
        options.inode_ratio = self.inode_ratio.unwrap_or(options.inode_ratio);
        options.journal_size_mib = self.journal_mib;
        let label = self.label.as_bytes();
        options.label = std::array::from_fn(|n| label.get(n).copied().unwrap_or(0));
        let mut bigalloc = false;
        for feature in &self.features {
            let (name, on) = feature.strip_prefix('^').map_or((feature.as_str(), true), |name| (name, false));
            match name {
                "has_journal" => options.has_journal = on,
                "extent" | "extents" => options.extents = on,
                "64bit" => options.bits64 = on,
                "inline_data" => options.inline_data = on,
                "resize_inode" => options.resize_inode = on,
                "metadata_csum" => options.metadata_csum = on,
                "bigalloc" => bigalloc = on,
                _ if KEPT_FEATURES.contains(&name) == on => {}
                _ => return Err(reason!("our mkfs cannot make an image with `{}`", feature)),
            }
        }
        if bigalloc {
            // mke2fs: 16 blocks unless -C says otherwise.
            options.cluster_size = Some(self.cluster_size.unwrap_or(self.block_size * 16));
        }
        Ok(options)
    }
}

/// Time stamps of a new image, seconds since 1970.
pub const MKFS_TIME: u32 = 1_600_000_000;
/// Features that our mkfs makes or leaves out.
#[cfg(feature = "schema")]
pub(super) const FEATURES: [&str; 8] =
    ["has_journal", "extent", "extents", "64bit", "inline_data", "resize_inode", "metadata_csum", "bigalloc"];
/// Features that our images always have.
pub const KEPT_FEATURES: [&str; 9] = [
    "huge_file",
    "flex_bg",
    "dir_nlink",
    "extra_isize",
    "sparse_super",
    "large_file",
    "filetype",
    "dir_index",
    "ext_attr",
];
