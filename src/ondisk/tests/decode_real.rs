//! The decoder on an image that e2fsprogs filled: all kinds of blocks are found
//! where the bitmaps say they are, and every checksum is right.
//!
//! The journal's blocks likewise, on logs that debugfs wrote.
//!
//! Needs `mke2fs`, `e2fsck` and `debugfs` of e2fsprogs 1.47, here or in `/usr/sbin`.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use ondisk::decode::{BlockKind, DecodeCtx, classify_all, decode_block};
use ondisk::layout::inode::{FileKind, InodeFlags};
use ondisk::layout::journal::{self, BlockHeader, BlockType};
use ondisk::layout::superblock::Superblock;
use ondisk::layout::xattr;
use ondisk::mountable::{check_descriptors, check_mountable};
use ondisk::{Ino, Lblk, Pblk};

fn run(program: &str, args: &[&str]) {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mke2fs.conf");
    let path_var = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program)
        .env("PATH", path_var)
        .env("MKE2FS_CONFIG", conf)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be run ({error}): install e2fsprogs 1.47"));
    assert!(output.status.code() < Some(4), "{program} {args:?}: {output:?}");
}

/// Files, a directory of many names, links short and long, and a file of many extents.
fn populate(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
    let many = dir.join("many");
    fs::create_dir_all(&many).unwrap();
    for n in 0..700 {
        fs::write(many.join(format!("a-file-with-a-rather-long-name-{n:04}")), vec![b'x'; n]).unwrap();
    }
    let mut sparse = File::create(dir.join("sparse")).unwrap();
    for n in 0..500 {
        sparse.seek(SeekFrom::Start(n * 16384)).unwrap();
        sparse.write_all(&[7; 4096]).unwrap();
    }
    for (name, len) in [("short", 20), ("long", 200)] {
        std::os::unix::fs::symlink("t".repeat(len), dir.join(name)).unwrap();
    }
}

/// Blocks of an image; none past its end.
fn reader(bytes: &[u8], block_size: u32) -> impl Fn(Pblk) -> Vec<u8> {
    let len = block_size as usize;
    move |block| {
        let at = usize::try_from(block.0).unwrap().saturating_mul(len);
        bytes.get(at..at + len).unwrap_or(&[]).to_vec()
    }
}

fn check(name: &str, block_size: u32, features: &str) {
    let tmp = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (dir, image) = (tmp.join(format!("decode-{name}")), tmp.join(format!("decode-{name}.img")));
    populate(&dir);
    let _ = fs::remove_file(&image);
    File::create(&image).and_then(|file| file.set_len(32 << 20)).unwrap();
    let (image_text, dir_text) = (image.to_str().unwrap(), dir.to_str().unwrap());
    let size = block_size.to_string();
    run("mke2fs", &["-q", "-F", "-t", "ext4", "-b", &size, "-O", features, "-d", dir_text, image_text]);
    run("e2fsck", &["-fyD", image_text]);

    let bytes = fs::read(&image).unwrap();
    let reader = reader(&bytes, block_size);
    let len = block_size as usize;
    let sb = *Superblock::of_device(&bytes).unwrap();
    check_mountable(&sb).unwrap();
    check_descriptors(&sb, &bytes[(usize::try_from(sb.superblock_block().0).unwrap() + 1) * len..]).unwrap();
    let ctx = DecodeCtx::new(sb, &reader);
    let kinds = classify_all(&ctx, &reader);
    let free: u64 = ctx.descs.iter().map(|desc| u64::from(desc.free_clusters())).sum();
    let first = Pblk(sb.s_first_data_block.get().into());
    assert_eq!(kinds.range(first..).count() as u64 + free, sb.blocks_count() - first.0, "{name}: blocks in use");
    let mut titles = std::collections::BTreeSet::new();
    for (&block, &kind) in &kinds {
        let decoded = decode_block(kind, &reader(block), &ctx);
        for field in &decoded.fields {
            assert!(field.name != "damage" && !field.value.contains("wrong"), "{name}: block {block}: {decoded:?}");
        }
        titles.insert(decoded.title.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    }
    if features == "inline_data" {
        let mut inodes = (12..sb.s_inodes_count.get()).filter_map(|ino| ctx.inode(Ino(ino), &reader));
        let inline = inodes.find(|inode| inode.kind() == FileKind::Regular && inode.size() == 100).unwrap();
        assert!(inline.flags().contains(InodeFlags::INLINE_DATA));
        let rest = xattr::find(inline.as_bytes(), xattr::INDEX_SYSTEM, b"data").unwrap().unwrap();
        assert_eq!((inline.i_block, rest.value), ([b'x'; 60], &[b'x'; 40][..]));
    }
    let tree = kinds.values().any(|kind| match kind {
        BlockKind::ExtentNode { .. } => features != "^extents,^64bit",
        BlockKind::Indirect { level, .. } => *level == 2 && features == "^extents,^64bit",
        _ => false,
    });
    assert!(tree && titles.contains("Index root"), "{name}: {titles:?}");
    fs::remove_dir_all(&dir).and_then(|()| fs::remove_file(&image)).unwrap();
}

#[test]
fn every_block_of_a_filled_image_is_known() {
    check("1k", 1024, "dir_index");
    check("4k", 4096, "dir_index");
    check("inline", 1024, "inline_data");
    check("map", 1024, "^extents,^64bit");
}

/// A log of one transaction and a revoke block, as `debugfs` writes it.
fn check_log(name: &str, open: &str, checksum_bits: u32) {
    let tmp = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let [image, data, commands] = ["img", "data", "commands"].map(|end| tmp.join(format!("log-{name}.{end}")));
    let _ = fs::remove_file(&image);
    File::create(&image).and_then(|file| file.set_len(16 << 20)).unwrap();
    let image_text = image.to_str().unwrap();
    run("mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", image_text]);
    let written: Vec<u8> = (0..3072_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    fs::write(&data, &written).unwrap();
    let lines = format!("{open}\njw -b 9000,9001,9002 {}\njw -r 9000,9001\njc\nq\n", data.display());
    fs::write(&commands, lines).unwrap();
    run("debugfs", &["-w", "-f", commands.to_str().unwrap(), image_text]);

    let bytes = fs::read(&image).unwrap();
    let reader = reader(&bytes, 1024);
    let sb = *Superblock::of_device(&bytes).unwrap();
    let ctx = DecodeCtx::new(sb, &reader);
    let kinds = classify_all(&ctx, &reader);
    let at = |lblk| {
        let kind = BlockKind::JournalLog { lblk: Lblk(lblk) };
        reader(*kinds.iter().find(|(_, here)| **here == kind).unwrap().0)
    };
    for (lblk, kind) in [(1, BlockType::Descriptor), (5, BlockType::Commit), (6, BlockType::Revoke)] {
        assert_eq!(BlockHeader::parse(&at(lblk)).unwrap().kind, kind, "{name}");
        let decoded = decode_block(BlockKind::JournalLog { lblk: Lblk(lblk) }, &at(lblk), &ctx);
        let words: Vec<&str> = decoded.fields.iter().map(|field| field.value.as_str()).collect();
        assert!(!words.iter().any(|word| word.contains("wrong")), "{name}: {decoded:?}");
        assert_eq!(
            words.iter().filter(|word| word.contains("(right)")).count(),
            usize::from(checksum_bits > 0),
            "{name}: {decoded:?}"
        );
    }
    let tags: Vec<_> = journal::tags(&at(1), ctx.tag_format).map(|(_, tag)| tag).collect();
    assert_eq!(tags.iter().map(|tag| tag.block).collect::<Vec<_>>(), [Pblk(9000), Pblk(9001), Pblk(9002)]);
    for (tag, data) in tags.iter().zip(written.chunks(1024)) {
        let mask = u32::try_from((1_u64 << checksum_bits) - 1).unwrap();
        assert_eq!(tag.checksum, journal::data_checksum(ctx.journal_seed, 1, data) & mask, "{name}");
    }
    let revoked: Vec<_> = journal::revoked(&at(6), ctx.tag_format).collect();
    assert_eq!(revoked, [Pblk(9000), Pblk(9001)]);
    [image, data, commands].iter().for_each(|path| fs::remove_file(path).unwrap());
}

#[test]
fn a_log_reads_as_debugfs_wrote_it() {
    check_log("v3", "jo -c -v 3", 32);
    check_log("v2", "jo -c -v 2", 16);
}
