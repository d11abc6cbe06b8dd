//! What we read off an image against what debugfs and dumpe2fs say of it.
//!
//! Needs mke2fs and debugfs of e2fsprogs, here or in `/usr/sbin`.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cli::image::Image;

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: install e2fsprogs"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Puts `content` onto a new image as `d/f`, and the path of the image.
fn image_with(name: &str, content: &[u8], args: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (image, file) = (folder.join(format!("{name}.img")), folder.join(format!("{name}.bin")));
    std::fs::write(&file, content).unwrap();
    let _ = std::fs::remove_file(&image);
    output(tool("mke2fs").args(["-q", "-t", "ext4"]).args(args).arg(&image).arg("16M"));
    let mut script = String::from("mkdir d\ncd d\n");
    writeln!(script, "write {} f", file.display()).unwrap();
    let mut debugfs = tool("debugfs")
        .args(["-w", "-f", "-"])
        .arg(&image)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    debugfs.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(debugfs.wait().unwrap().success());
    image
}

/// The word behind `key` in what debugfs prints.
fn word<'a>(text: &'a str, key: &str) -> &'a str {
    let rest = &text[text.find(key).unwrap_or_else(|| panic!("no {key} in {text}")) + key.len()..];
    rest.split_whitespace().next().unwrap()
}

fn check(name: &str, content: &[u8], args: &[&str], extents: usize, indirect: usize) {
    let path = image_with(name, content, args);
    let bytes = std::fs::read(&path).unwrap();
    let image = Image::new(&bytes).unwrap();
    let state = image.file("d/f").unwrap().expect("the file is there");
    assert!(image.file("d/g").unwrap().is_none());
    assert!(image.file("e/f").unwrap().is_none());
    assert_eq!(image.read("/d/f").unwrap().unwrap(), content, "{name}");

    let stat = output(tool("debugfs").args(["-R", "stat d/f"]).arg(&path));
    assert_eq!(word(&stat, "Inode:"), state.ino.to_string());
    assert_eq!(word(&stat, "Flags:"), state.flags);
    assert_eq!(word(&stat, "Mode:"), state.mode);
    assert_eq!(word(&stat, "Size:"), state.size.to_string());
    assert_eq!(word(&stat, "Links:"), state.links.to_string());
    assert_eq!(word(&stat, "Blockcount:"), state.i_blocks.to_string());
    assert_eq!(word(&stat, "Type:"), state.kind);
    assert_eq!(state.extents.len(), extents, "{name}: {:?}", state.extents);
    assert_eq!(state.indirect_blocks.len(), indirect, "{name}: {:?}", state.indirect_blocks);
    // debugfs lists every block of an inode, those of the tree too.
    let blocks = output(tool("debugfs").args(["-R", "blocks d/f"]).arg(&path));
    let blocks: Vec<u64> = blocks.split_whitespace().map(|block| block.parse().unwrap()).collect();
    for &(_, physical, len, _) in &state.extents {
        assert!((physical..physical + len).all(|block| blocks.contains(&block)), "{name}");
    }
    assert!(state.indirect_blocks.iter().all(|(_, block)| blocks.contains(block)), "{name}");

    let header = output(tool("dumpe2fs").arg("-h").arg(&path));
    assert_eq!(word(&header, "Free blocks:"), image.counts().free_blocks.to_string());
    assert_eq!(word(&header, "Free inodes:"), image.counts().free_inodes.to_string());
    let _ = std::fs::remove_file(&path);
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 253) as u8 | 1).collect()
}

#[test]
fn agrees_with_debugfs() {
    check("extents", &content(300_000), &["-b", "1024"], 1, 0);
    check("one-block", &content(100), &["-b", "4096"], 1, 0);
    check("empty", &[], &["-b", "4096"], 0, 0);
    check("inline-small", &content(50), &["-b", "4096", "-O", "inline_data"], 0, 0);
    check("inline-large", &content(120), &["-b", "4096", "-O", "inline_data"], 0, 0);
    check("pointers", &content(12 * 1024), &["-b", "1024", "-O", "^extents,^64bit"], 1, 0);
    check("indirect", &content(200 * 1024), &["-b", "1024", "-O", "^extents,^64bit"], 2, 1);
    check("double", &content(400 * 1024), &["-b", "1024", "-O", "^extents,^64bit"], 3, 3);
    check("clusters", &content(9000), &["-b", "4096", "-O", "bigalloc", "-C", "16384"], 1, 0);
}

#[test]
fn what_is_no_image_is_an_error() {
    assert!(Image::new(&[0; 4096]).is_err());
    assert!(Image::new(&[]).is_err());
    let mut bytes = std::fs::read(image_with("cut", &content(5000), &["-b", "4096"])).unwrap();
    bytes.truncate(100_000);
    let cut = Image::new(&bytes).unwrap();
    assert!(cut.file("d/f").is_err());
}
