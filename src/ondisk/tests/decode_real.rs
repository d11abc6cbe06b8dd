//! The decoder on an image that e2fsprogs filled: all kinds of blocks are found
//! where the bitmaps say they are, and every checksum is right.
//!
//! Needs `mke2fs` and `e2fsck` of e2fsprogs 1.47, here or in `/usr/sbin`.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use ondisk::Pblk;
use ondisk::decode::{BlockKind, DecodeCtx, classify_all, decode_block};
use ondisk::layout::superblock::Superblock;
use ondisk::mountable::{check_descriptors, check_mountable};

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
        use std::io::Write;
        sparse.seek(SeekFrom::Start(n * 16384)).unwrap();
        sparse.write_all(&[7; 4096]).unwrap();
    }
    for (name, len) in [("short", 20), ("long", 200)] {
        std::os::unix::fs::symlink("t".repeat(len), dir.join(name)).unwrap();
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

    let mut bytes = Vec::new();
    File::open(&image).and_then(|mut file| file.read_to_end(&mut bytes)).unwrap();
    let len = block_size as usize;
    let reader = |block: Pblk| {
        let at = usize::try_from(block.0).unwrap().saturating_mul(len);
        bytes.get(at..at + len).unwrap_or(&[]).to_vec()
    };
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
    check("map", 1024, "^extents,^64bit");
}
