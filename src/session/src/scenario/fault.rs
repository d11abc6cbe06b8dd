//! Requests that the device fails.

use serde::{Deserialize, Serialize};
use world::DeviceFault;

use super::{Big, ScenarioError, is_default};

/// Requests that end with `EIO`: those of a kind that touch some sectors, after
/// `skip` that go well. Each rule counts for itself.
///
/// `{"io": "write", "of": "data", "skip": 2, "times": 1}` fails the third write of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fault {
    /// Reads or writes.
    pub io: FaultIo,
    /// Data of files, metadata, or both.
    #[serde(default, skip_serializing_if = "is_default")]
    pub of: FaultOf,
    /// First sector of 512 bytes.
    #[serde(default, with = "Big", skip_serializing_if = "is_default")]
    pub sector: u64,
    /// Sectors; absent for all that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sectors: Option<u32>,
    /// Requests that still go well.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip: u32,
    /// Requests that fail then; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FaultIo {
    /// From the device.
    Read,
    /// To it.
    Write,
}

/// What the bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FaultOf {
    /// Anything.
    #[default]
    Any,
    /// Bytes of files.
    Data,
    /// Bitmaps, inode tables, extent blocks, directories, the superblock.
    Metadata,
}

impl Fault {
    pub(super) fn check(&self, path: &str) -> Result<(), ScenarioError> {
        if self.sectors == Some(0) {
            return Err(ScenarioError::new(format!("{path}.sectors"), "must not be 0"));
        }
        if self.times == Some(0) {
            return Err(ScenarioError::new(format!("{path}.times"), "must not be 0"));
        }
        Ok(())
    }

    /// The rule as the device keeps it.
    #[must_use]
    pub fn rule(&self) -> DeviceFault {
        DeviceFault {
            write: self.io == FaultIo::Write,
            of: match self.of {
                FaultOf::Any => world::FaultOf::Any,
                FaultOf::Data => world::FaultOf::Data,
                FaultOf::Metadata => world::FaultOf::Metadata,
            },
            first: self.sector,
            last: self.sectors.map_or(u64::MAX, |sectors| self.sector.saturating_add(u64::from(sectors) - 1)),
            skip: self.skip,
            times: self.times.unwrap_or(u32::MAX),
        }
    }

    /// Its words on one line.
    #[must_use]
    pub fn text(&self) -> String {
        let io = match self.io {
            FaultIo::Read => "read",
            FaultIo::Write => "write",
        };
        let of = match self.of {
            FaultOf::Any => "any",
            FaultOf::Data => "data",
            FaultOf::Metadata => "metadata",
        };
        let all = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
        format!("{io} {of} {} {} {} {}", self.sector, all(self.sectors), self.skip, all(self.times))
    }
}
