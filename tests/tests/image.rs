//! What a run leaves on the device is an ext4 file system with the very bytes
//! written: judged by the real e2fsck and debugfs.

use session::scenario::Image;
use writepath_tests::{
    Scratch, Write, debugfs_cat, expected, fsck_clean, mke2fs_image, own_image, run, upload, writes,
};

fn cases() -> Vec<(&'static str, Vec<Write>)> {
    vec![
        ("one full page", vec![Write::at(0, 4096)]),
        ("100 B at 3,000", vec![Write::at(3000, 100)]),
        ("6,000 B over two pages", vec![Write::at(1000, 6000)]),
        ("a hole", vec![Write::at(0, 10), Write::at(100_000, 500)]),
        ("1 MiB", vec![Write::at(0, 1 << 20)]),
        ("five odd segments", vec![Write { off: 77, segments: vec![1, 4095, 3, 5000, 701] }]),
        ("overwrites", vec![Write::at(0, 9000), Write::at(4000, 200), Write::at(8999, 5000)]),
        ("every other block", (0..12).map(|n| Write::at(n * 8192, 4096)).collect()),
    ]
}

fn check(image: impl Fn() -> (Image, Option<Vec<u8>>), what: &str) {
    for (name, list) in cases() {
        let what = format!("{name} on {what}");
        let (image, bytes) = image();
        let run = run(&writes(image, &list), bytes);
        for result in run.results() {
            assert_eq!(result.errno, None, "{what}: {}", result.text);
        }
        let scratch = Scratch::default();
        let file = scratch.file("after");
        std::fs::write(&file, run.image()).expect("the image can be stored");
        fsck_clean(&file, &what);
        assert!(debugfs_cat(&file, "f") == expected(&list), "{what}: debugfs reads other bytes");
    }
}

#[test]
fn on_our_own_mkfs_with_4_kib_blocks() {
    check(|| (own_image(16, 4096), None), "our mkfs, 4 KiB blocks");
}

#[test]
fn on_our_own_mkfs_with_2_kib_blocks() {
    check(|| (own_image(16, 2048), None), "our mkfs, 2 KiB blocks");
}

#[test]
fn on_our_own_mkfs_with_1_kib_blocks() {
    check(|| (own_image(16, 1024), None), "our mkfs, 1 KiB blocks");
}

#[test]
fn on_mke2fs_with_its_default_features() {
    let image = mke2fs_image(32, &["-b", "4096"]);
    check(|| (upload(), Some(image.clone())), "mke2fs -b 4096");
}

#[test]
fn on_a_small_mke2fs_image_with_its_default_block_size() {
    let image = mke2fs_image(16, &[]);
    check(|| (upload(), Some(image.clone())), "mke2fs, 16 MiB");
}

#[test]
fn on_mke2fs_with_todays_upstream_features() {
    let image = mke2fs_image(64, &["-O", "orphan_file,metadata_csum_seed"]);
    check(|| (upload(), Some(image.clone())), "mke2fs -O orphan_file,metadata_csum_seed");
}
