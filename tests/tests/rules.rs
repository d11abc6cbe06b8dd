//! Rules of v5.10 that no recorded case shows, in the form of a recorded case.

use cli::replay::{Replay, parse, replay};
use session::golden::FileState;

/// Runs `ops` (traced) behind `setup`, with buffer `b` of 64 KiB; e2fsck must find nothing.
fn run(mke2fs: &str, mount: &str, setup: &str, ops: &str) -> Replay {
    let buffer = r#"{"op":"buf","name":"b","kind":"anon","len":65536,"seed":1,"text":""}"#;
    let letters: Vec<String> = mke2fs.split(' ').map(|word| format!("\"{word}\"")).collect();
    let list = |text: &str| text.lines().map(operation).collect::<Vec<_>>().join(",");
    let json = format!(
        r#"{{"name":"rule","about":"","image":{{"size_mib":16,"mke2fs":[{}]}},"device":"ram","mount":"{mount}",
            "trace_scope":"wl","files":["f","g"],"setup":[{buffer},{}],"ops":[{}]}}"#,
        letters.join(","),
        list(setup.trim()),
        list(ops.trim()),
    );
    let input = parse("rule", &json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let replay = replay(&input, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(replay.result.e2fsck_exit, Some(0));
    replay
}

/// One line `name key=value ...`; `w=OFF:LEN` is a write's place.
fn operation(line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut fields = vec![format!(r#""op":"{}""#, words.next().expect("an operation has a name"))];
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        let field = match key {
            "w" => {
                let (off, len) = value.split_once(':').expect("offset and length");
                format!(r#""off":{off},"iov":[{{"buf":"b","off":0,"len":{len}}}]"#)
            }
            "off" | "len" | "ms" | "bytes" | "uid" => format!(r#""{key}":{value}"#),
            _ => format!(r#""{key}":"{value}""#),
        };
        fields.push(field);
    }
    format!(r#"{{{},"text":""}}"#, fields.join(","))
}

fn file<'a>(done: &'a Replay, path: &str) -> Option<&'a FileState> {
    done.result.files.get(path)?.as_ref()
}

fn count(text: &str, what: &str) -> usize {
    text.lines().filter(|line| line.contains(what)).count()
}

#[test]
fn on_a_sync_mount_every_write_waits_for_the_disk() {
    let write = |mount| run("-b 4096", mount, "open fd=f path=f flags=CREAT,RDWR", "pwrite fd=f w=0:100");
    assert_eq!(count(&write("sync").loop_text, "vfs_fsync_range("), 1);
    assert_eq!(count(&write("").loop_text, "vfs_fsync_range("), 0);
}

#[test]
fn low_space_is_seen_once_32_changes_have_gathered() {
    // 2997 blocks are free. 138 are left, then 118: below the mark of 128, but the
    // last 20 are still the processor's own.
    let setup = "open fd=g path=g flags=CREAT,RDWR\nfallocate fd=g mode=0 off=0 len=11710464\nopen fd=f path=f flags=CREAT,RDWR";
    let ops = |blocks: u32| format!("fallocate fd=f mode=keep off=40960 len={}\npwrite fd=f w=0:100", blocks * 4096);
    assert_eq!(count(&run("-b 4096", "", setup, &ops(20)).loop_text, "ext4_nonda_switch() = 0"), 1);
    assert_eq!(count(&run("-b 4096", "", setup, &ops(40)).loop_text, "ext4_nonda_switch() = 1"), 1);
}

#[test]
fn a_direct_write_that_a_limit_cuts_to_the_file_does_not_extend_it() {
    let setup = "open fd=f path=f flags=CREAT,RDWR\npwrite fd=f w=0:8192\nfsync fd=f\nrlimit_fsize bytes=8192\nopen fd=d path=f flags=RDWR,DIRECT";
    let cut = run("-b 4096", "", setup, "pwrite fd=d w=4096:8192");
    assert_eq!(cut.result.syscalls.last().map(|call| call.ret), Some(Some(4096)));
    // The times' handle only: no orphan is added and taken off again.
    assert_eq!(count(&cut.events_text, " ext4_journal_start:"), 1, "{}", cut.events_text);
}

#[test]
fn without_a_journal_a_number_just_given_up_is_left_alone() {
    let setup = "open fd=f path=f flags=CREAT,RDWR\nclose fd=f\nunlink path=f\nmsleep ms=2000";
    let number = |letters| {
        let done = run(letters, "", setup, "open fd=g path=g flags=CREAT,RDWR");
        file(&done, "g").map(|file| file.ino)
    };
    assert_eq!(number("-b 4096"), Some(12));
    assert_eq!(number("-b 4096 -O ^has_journal"), Some(13));
}

#[test]
fn a_block_goes_to_the_cluster_that_its_neighbour_has() {
    let setup = "open fd=f path=f flags=CREAT,RDWR\npwrite fd=f w=0:4096\nfsync fd=f";
    let done = run("-b 4096 -O bigalloc -C 16384", "", setup, "pwrite fd=f w=4096:4096\nfsync fd=f");
    let lines = done.events_text.lines().filter(|line| line.contains("ext4_get_implied_cluster_alloc_exit"));
    let lines: Vec<&str> = lines.map(|line| line.rsplit_once("m_len").expect("it has one").1.trim()).collect();
    assert_eq!(lines, ["1 m_flags ret 1"]);
}

#[test]
fn a_clean_unwritten_buffer_does_not_keep_its_page_dirty() {
    // 1 KiB blocks: the page's first is unwritten, its second written, so it is read
    // buffer by buffer; then the second is written again through the journal. The first fsync
    // commits, the next one writes the page (the flusher would, but its events are not traced).
    let setup = "open fd=f path=f flags=CREAT,RDWR\nfallocate fd=f mode=0 off=0 len=4096\npwrite fd=f w=1024:1024\nremount\nopen fd=f path=f flags=RDWR\npread fd=f off=0 len=4096";
    let done = run("-b 1024", "data=journal", setup, "pwrite fd=f w=1024:1024\nfsync fd=f\nfsync fd=f\nfsync fd=f");
    assert_eq!(count(&done.events_text, " ext4_writepage:"), 1, "{}", done.events_text);
}

#[test]
fn a_file_that_takes_anothers_name_is_written_first() {
    let setup = "open fd=g path=g flags=CREAT,RDWR\npwrite fd=g w=0:4096\nclose fd=g\nopen fd=f path=f flags=CREAT,RDWR\npwrite fd=f w=0:8192";
    let done = run("-b 4096", "", setup, "rename from=f to=g");
    assert_eq!(count(&done.events_text, " ext4_alloc_da_blocks:"), 1);
    assert_eq!(count(&done.events_text, "block_bio_queue: D W 8792 + 16"), 1, "{}", done.events_text);
    let file = file(&done, "g").expect("it is asked for");
    assert_eq!((file.ino, file.size, file.links), (13, 8192, 1));
    assert_eq!(
        done.result.fs_after.free_inodes,
        run("-b 4096", "", "msleep ms=1", "open fd=f path=f flags=CREAT").result.fs_after.free_inodes
    );
}

#[test]
fn a_file_renamed_to_a_free_name_stays_as_it_is() {
    let setup = "open fd=f path=f flags=CREAT,RDWR\npwrite fd=f w=0:8192";
    let done = run("-b 4096", "", setup, "rename from=f to=g\nfsync fd=f\nrename from=f to=h\nrename from=g to=g");
    let results: Vec<_> = done.result.syscalls.iter().rev().take(4).map(|call| call.errno.clone()).collect();
    assert_eq!(results, [None, Some("ENOENT".to_owned()), None, None]);
    assert_eq!(count(&done.events_text, " ext4_alloc_da_blocks:"), 0);
    assert_eq!(file(&done, "g").map(|file| (file.ino, file.size)), Some((12, 8192)));
}

#[test]
fn a_user_who_cuts_a_setuid_file_strips_the_bit() {
    let setup = "open fd=f path=f flags=CREAT,RDWR\nfchmod fd=f mode=4777\npwrite fd=f w=0:100";
    let mode = |ops| file(&run("-b 4096", "", setup, ops), "f").map(|file| file.mode.clone());
    assert_eq!(mode("ftruncate fd=f len=10"), Some("4777".to_owned()));
    assert_eq!(mode("seteuid uid=1000\nftruncate fd=f len=10"), Some("0777".to_owned()));
    // Another's file is not hers to change the mode of.
    assert_eq!(mode("seteuid uid=1000\nfchmod fd=f mode=600"), Some("4777".to_owned()));
}

#[test]
fn a_second_thread_whose_moment_never_came_acts_when_it_is_waited_for() {
    // The delayed write takes all from memory and never sleeps.
    let done = run(
        "-b 4096",
        "",
        "open fd=f path=f flags=CREAT,RDWR",
        "race_truncate fd=f len=10\npwrite fd=f w=0:100\nrace_wait",
    );
    assert_eq!(file(&done, "f").map(|f| f.size), Some(10));
}
