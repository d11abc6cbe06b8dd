//! What `ondisk` says of the bytes of a block: titles, names of fields that the kernel does not name, and values.

use super::catalogue::{Part, fill, is_korean, word};
use super::message::best;

/// The texts, each `{}` for whatever stands there.
const TEXTS: &[&str] = &[
    "Boot block",
    "Free or unowned block",
    "Superblock",
    "Superblock, backup in group {}",
    "Group descriptors, block {} of the table in group {}",
    "Reserved descriptor block {} of group {}",
    "Block bitmap of group {}",
    "Inode bitmap of group {}",
    "Inode table of group {}, block {}: inodes from {}",
    "Extent node of inode {}, depth {}",
    "Indirect block of inode {}, level {}",
    "Extended attributes of inode {}",
    "Index {} of directory {}, block {}",
    "Directory {}, block {}",
    "Journal superblock",
    "Journal block {}: data, or not used yet",
    "Journal block {}: {} of transaction {}",
    "Data of inode {}, block {} of the file",
    "damage",
    "group {} {}",
    "used",
    "in use",
    "padding",
    "computed checksum",
    "uninitialised",
    "i_block {}",
    "inline data",
    "link target",
    "indirect",
    "double indirect",
    "triple indirect",
    "attributes",
    "attribute",
    "extent {}",
    "index {}",
    "entry",
    "unused entry",
    "dx entry {}",
    "tag {}",
    "revoked",
    "pointer {}",
    "pointers {}",
    "pointers",
    "bytes",
    "length",
    "{} of {} blocks",
    "{} of {} clusters",
    "{} of {} inodes",
    "and more",
    "all set",
    "bit {} is clear, must be set",
    "never written; made from the descriptor on first use",
    "never used",
    "unused, with a checksum",
    "{}, {} bytes, {} links",
    "from block {} of the file: node {}",
    "blocks {} of the file at {} ({})",
    "{} bytes",
    "{} -> inode {}, {}, rec_len {}",
    "file",
    "directory",
    "hashes from {}: block {}",
    "0 (the log is empty)",
    "0 (never)",
    "block {}, checksum {}, {}",
    "block {}",
    "none",
    "all zero",
    "zeros from byte {} on",
    "{} ({} bytes)",
    "{} (size {})",
    "{} (blocks {})",
    "{} (right)",
    "{} (wrong: {})",
    "{}: checksum is {}, computed {}",
    "Regular",
    "Directory",
    "Descriptor",
    "Revoke",
    "Commit",
];

/// A text of a decoded block in the language spoken. What is none of them, a kernel's name or a number, stays.
#[must_use]
pub fn decoded(english: &str) -> String {
    if !is_korean() {
        return english.to_owned();
    }
    if TEXTS.contains(&english) {
        return word(english).to_owned();
    }
    let Some((text, values)) = best(TEXTS.iter().copied(), english) else { return english.to_owned() };
    let values: Vec<String> = values.into_iter().map(decoded).collect();
    let parts: Vec<&dyn Part> = values.iter().map(|value| value as &dyn Part).collect();
    fill(text, &parts)
}
