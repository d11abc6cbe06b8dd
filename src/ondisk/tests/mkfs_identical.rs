//! Our mkfs against the real one: every byte of the image must be equal.
//!
//! Needs `mke2fs` 1.47.0 of e2fsprogs, here or in `/usr/sbin`.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use ondisk::layout::superblock::Superblock;
use ondisk::mkfs::{MkfsOptions, mkfs};
use ondisk::{Group, Pblk};

const UUID: &str = "5a3c0f5e-0000-4000-8000-00000000e4e4";
const TIME: u32 = 1_600_000_000;

/// The sixteen bytes of a uuid in text form.
fn uuid_bytes(text: &str) -> [u8; 16] {
    let digits: String = text.chars().filter(|&c| c != '-').collect();
    std::array::from_fn(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap())
}

/// Runs mke2fs with our fixed settings on a new sparse file.
fn real_image(path: &Path, size_bytes: u64, block_size: u32, args: &[&str]) {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mke2fs.conf");
    let _ = std::fs::remove_file(path);
    File::create(path).and_then(|file| file.set_len(size_bytes)).expect("a sparse file can be made");
    let path_var = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("mke2fs")
        .env("PATH", path_var)
        .env("MKE2FS_CONFIG", conf)
        .env("E2FSPROGS_FAKE_TIME", TIME.to_string())
        .args(["-q", "-F", "-t", "ext4", "-U", UUID, "-b", &block_size.to_string()])
        .args(["-E", &format!("hash_seed={UUID},lazy_itable_init=0,lazy_journal_init=0,nodiscard")])
        .args(args)
        .arg(path)
        .output()
        .unwrap_or_else(|error| panic!("mke2fs cannot be run ({error}): install e2fsprogs 1.47"));
    assert!(output.status.success(), "mke2fs {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What lies in a block, for the message.
fn owner(blocks: &BTreeMap<Pblk, Vec<u8>>, sb: &Superblock, block: Pblk) -> String {
    let Some(group) = sb.group_of_block(block) else { return "before the first group".into() };
    let desc = |group: Group| {
        let size = usize::from(sb.desc_size());
        let byte = group.0 as usize * size;
        let len = sb.block_size() as usize;
        let table = blocks.get(&Pblk(sb.superblock_block().0 + 1 + (byte / len) as u64))?;
        ondisk::layout::group_desc::GroupDesc::parse_sized(&table[byte % len..], sb.desc_size()).ok()
    };
    for group in (0..sb.groups()).map(Group) {
        let Some(desc) = desc(group) else { continue };
        if block == desc.block_bitmap() {
            return format!("block bitmap of group {group}");
        }
        if block == desc.inode_bitmap() {
            return format!("inode bitmap of group {group}");
        }
        let into = block.0.wrapping_sub(desc.inode_table().0);
        if into < sb.inode_table_blocks().into() {
            return format!("block {into} of the inode table of group {group}");
        }
    }
    format!("block {} of group {group}", block.0 - sb.group_first_block(group).0)
}

/// Makes both images and reports the first byte that differs.
fn check(name: &str, size_bytes: u64, block_size: u32, args: &[&str], change: fn(&mut MkfsOptions)) {
    let mut options = MkfsOptions::new(size_bytes, block_size);
    options.uuid = uuid_bytes(UUID);
    options.hash_seed = uuid_bytes(UUID);
    options.time = TIME;
    change(&mut options);
    let mut ours = BTreeMap::new();
    mkfs(&options, &mut ours).unwrap_or_else(|error| panic!("{name}: {error}"));

    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("mkfs-{name}.img"));
    real_image(&path, size_bytes, block_size, args);
    let mut file = File::open(&path).unwrap();
    let mut theirs = vec![0; block_size as usize];
    let zeros = theirs.clone();
    let sb_block = ours.get(&Pblk(u64::from(block_size == 1024))).expect("a superblock");
    let sb = *Superblock::of(&sb_block[if block_size == 1024 { 0 } else { 1024 }..]).unwrap();
    let mut wrong = Vec::new();
    for number in 0..size_bytes / u64::from(block_size) {
        file.read_exact(&mut theirs).unwrap();
        let ours_here = ours.get(&Pblk(number)).unwrap_or(&zeros);
        if *ours_here != theirs {
            let at = ours_here.iter().zip(&theirs).position(|(a, b)| a != b).unwrap();
            wrong.push(format!(
                "byte {} (+{at} in block {number}, {}): ours {:02x?}, mke2fs {:02x?}",
                number * u64::from(block_size) + at as u64,
                owner(&ours, &sb, Pblk(number)),
                &ours_here[at..(at + 8).min(theirs.len())],
                &theirs[at..(at + 8).min(theirs.len())],
            ));
        }
    }
    let _ = std::fs::remove_file(&path);
    assert!(
        wrong.is_empty(),
        "{name}: {} blocks differ, first:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}

const MIB: u64 = 1 << 20;

#[test]
fn sizes_and_block_sizes() {
    for block_size in [1024, 2048, 4096] {
        for mib in [8, 16, 64] {
            check(&format!("{block_size}-{mib}"), mib * MIB, block_size, &[], |_| ());
        }
    }
    check("4096-256", 256 * MIB, 4096, &[], |_| ());
}

/// Sizes that leave a short last group, or one too short to keep.
#[test]
fn odd_sizes() {
    for (block_size, kib) in
        [(1024, 8193 + 300), (1024, 8193 + 70), (1024, 24577), (4096, 131_072 + 900), (2048, 40_003)]
    {
        check(&format!("odd-{block_size}-{kib}"), kib * 1024, block_size, &[], |_| ());
    }
}

/// Every feature that can be switched, at each block size.
#[test]
fn features() {
    type Variant = (&'static str, &'static [&'static str], fn(&mut MkfsOptions));
    let variants: [Variant; 8] = [
        ("no-journal", &["-O", "^has_journal"], |o| o.has_journal = false),
        ("no-extents", &["-O", "^extents,^64bit"], |o| (o.extents, o.bits64) = (false, false)),
        ("inline", &["-O", "inline_data"], |o| o.inline_data = true),
        ("bigalloc", &["-O", "bigalloc", "-C", "16384"], |o| o.cluster_size = Some(16384)),
        ("no-resize", &["-O", "^resize_inode"], |o| o.resize_inode = false),
        ("no-csum", &["-O", "^metadata_csum"], |o| o.metadata_csum = false),
        ("no-reserve", &["-m", "0"], |o| o.reserved_percent = 0),
        ("label", &["-L", "writes"], |o| o.label[..6].copy_from_slice(b"writes")),
    ];
    for block_size in [1024, 2048, 4096] {
        for (name, args, change) in variants {
            check(&format!("{name}-{block_size}"), 16 * MIB, block_size, args, change);
        }
    }
}

#[test]
fn inodes_and_journal_sizes() {
    check("inodes", 32 * MIB, 4096, &["-N", "500"], |o| o.inodes_count = Some(500));
    check("few-inodes", 200 * MIB, 1024, &["-N", "300"], |o| o.inodes_count = Some(300));
    check("wide-clusters", 48 * MIB, 4096, &["-O", "bigalloc", "-C", "65536"], |o| o.cluster_size = Some(65536));
    check("two-bigalloc-groups", 200 * MIB, 1024, &["-O", "bigalloc", "-C", "16384"], |o| o.cluster_size = Some(16384));
    check("ratio", 32 * MIB, 1024, &["-i", "4096"], |o| o.inode_ratio = 4096);
    check("journal", 64 * MIB, 4096, &["-J", "size=8"], |o| o.journal_size_mib = Some(8));
}
