//! A stand-in for the engine while the page is built: one fixed screen, the short copy at step 74.

use std::rc::Rc;

use view::frame::*;

use crate::engine::*;

/// The stand-in.
pub fn engine() -> Box<dyn Engine> {
    Box::new(Fixture { name: "short-copy".into(), timeline: Rc::new(timeline()), frame: short_copy() })
}

struct Fixture {
    name: String,
    timeline: Rc<Timeline>,
    frame: Frame,
}

fn refuse(title: &str) -> Notice {
    Notice { title: title.into(), text: "The session before it is intact.".into(), error: true }
}

impl Engine for Fixture {
    fn scenarios(&self) -> Vec<ScenarioInfo> {
        let info = |name: &str, title: &str| ScenarioInfo { name: name.into(), title: title.into() };
        vec![
            info("short-copy", "The copy comes up short on a page that is not uptodate"),
            info("block-1k", "Four 1 KiB blocks a page"),
        ]
    }
    fn load(&mut self, name: &str) -> Result<(), Notice> {
        if !self.scenarios().iter().any(|info| info.name == name) {
            return Err(refuse(&format!("There is no scenario {name}.")));
        }
        self.name = name.into();
        Ok(())
    }
    fn load_json(&mut self, json: &str) -> Result<(), Notice> {
        self.name = json.into();
        Ok(())
    }
    fn run_own(&mut self, form: &OwnWrite) -> Result<(), Notice> {
        self.name = format!("{{\"own\":{:?}}}", form.file);
        Ok(())
    }
    fn open_image(&mut self, name: &str, bytes: Vec<u8>) -> Result<ImageInfo, Notice> {
        Ok(ImageInfo { name: name.into(), text: format!("{} bytes", bytes.len()), files: vec!["f".into()] })
    }
    fn scenario_ref(&self) -> ScenarioRef {
        if self.name.starts_with('{') {
            ScenarioRef::Json(self.name.clone())
        } else {
            ScenarioRef::Library(self.name.clone())
        }
    }
    fn run_slice(&mut self, _budget_ms: f64) {}
    fn frame(&mut self, step: u64, _page: Option<u64>) -> Rc<Frame> {
        let mut frame = self.frame.clone();
        frame.step = step;
        if self.name == "block-1k" {
            one_k(&mut frame);
        }
        Rc::new(frame)
    }
    fn timeline(&mut self) -> Rc<Timeline> {
        self.timeline.clone()
    }
    fn block(&mut self, _step: u64, block: u64) -> Result<Rc<BlockView>, Notice> {
        if block > 4095 {
            return Err(refuse("The device has no such block."));
        }
        let bytes: Vec<u8> =
            (0..4096u32).map(|i| if i < 1024 { 0 } else { u8::try_from((i * 7) % 251).unwrap_or(0) }).collect();
        let field = |offset, len, name: &str, value: &str, changed| {
            Rc::new(BlockField { offset, len, name: name.into(), value: value.into(), changed })
        };
        Ok(Rc::new(BlockView {
            block,
            last: 4095,
            title: "superblock".into(),
            note: String::new(),
            fields: vec![
                field(1024, 4, "s_inodes_count", "1024", false),
                field(1028, 4, "s_blocks_count_lo", "4096", true),
            ],
            bytes: Rc::new(bytes),
            changed: vec![(1028, 1032)],
        }))
    }
    fn intervene(&mut self, _step: u64, _what: Intervention) -> Result<(), Notice> {
        Err(refuse("Not yet."))
    }
    fn download(&mut self, step: u64) -> Result<Download, Notice> {
        Ok(Download { name: format!("{}-{step}.img", self.name), bytes: vec![0; 4096] })
    }
}

fn flag(letter: &'static str, name: &'static str, set: bool, changed: bool) -> Flag {
    Flag { letter, name, set, changed }
}

fn lines() -> Vec<Rc<CodeLine>> {
    use LineState::{Ahead, Done, Now};
    use Phase::{Balance, Begin, Copy, End, FaultIn, None};
    let (f, b) = ("mm/filemap.c", "fs/buffer.c");
    [
        ("bytes = min(4096 − offset, count)", "4096", f, 3312, None, Done, false),
        ("again: fault_in_readable(i, bytes)", "0", f, 3326, FaultIn, Done, false),
        ("write_begin(pos, bytes) → page", "0", f, 3336, Begin, Done, false),
        ("copied = copy_atomic(page, i, bytes)", "1000", f, 3344, Copy, Done, false),
        ("copied = write_end(page, copied)", "1000 → 0", f, 3347, End, Now, false),
        ("copied < len", "1000 < 4096", b, 2141, End, Done, true),
        ("page not uptodate: copied = 0", "0", b, 2154, End, Done, true),
        ("page_zero_new_buffers(0, 4096)", "−New +U +D", b, 2157, End, Done, true),
        ("__block_commit_write(0, 0)", "PG_uptodate", b, 2162, End, Done, true),
        ("unlock_page; ext4_journal_stop", "0", "fs/ext4/inode.c", 3178, End, Done, true),
        ("iov_iter_advance(i, copied)", "", f, 3355, None, Ahead, false),
        ("if !copied: bytes = one seg; goto again", "", f, 3356, None, Ahead, false),
        ("pos += copied; written += copied", "", f, 3369, None, Ahead, false),
        ("balance_dirty_pages_ratelimited()", "", f, 3372, Balance, Ahead, false),
        ("while count; return written or status", "", f, 3373, None, Ahead, false),
    ]
    .into_iter()
    .map(|(text, value, file, line, phase, state, sub)| {
        Rc::new(CodeLine { text: text.into(), value: value.into(), file: file.into(), line, phase, state, sub })
    })
    .collect()
}

/// The short copy at step 74.
pub fn short_copy() -> Frame {
    let f = "mm/filemap.c";
    let local = |name: &str, value: &str, was: Option<&str>| {
        Rc::new(Local { name: name.into(), value: value.into(), was: was.map(Into::into), unit: "bytes".into() })
    };
    let stack = |function: &str, file: &str, line| StackRow { function: function.into(), file: file.into(), line };
    let delta = |name: &str, old: &str, new: &str| Delta {
        name: name.into(),
        old: (!old.is_empty()).then(|| old.into()),
        new: (!new.is_empty()).then(|| new.into()),
    };
    let change = |sign, object: &str, parts| Rc::new(Change { sign, object: object.into(), parts });
    let fact = |text: &str| Fact { text: text.into(), changed: false };
    let cell = |index: u64| {
        let dirty = index == 1;
        Rc::new(PageCell {
            index,
            state: if dirty { CellState::Dirty } else { CellState::Absent },
            locked: false,
            letters: if dirty { "U D".into() } else { String::new() },
            label: format!("Page {index}: {}", if dirty { "uptodate, dirty" } else { "absent" }),
            changed: dirty,
        })
    };
    let extent = |lblk: u64| {
        let (kind, pblk, text) = match lblk {
            1 => (ExtentKind::Delayed, None, "d".to_owned()),
            even if even % 2 == 0 => (ExtentKind::Written, Some(1099 + even / 2), (1099 + even / 2).to_string()),
            _ => (ExtentKind::Hole, None, "hole".to_owned()),
        };
        Rc::new(ExtentCell { lblk, len: 1, kind, pblk, label: format!("block {lblk}: {text}"), text, changed: false })
    };
    let region = |from, len, kind, text: &str| Rc::new(Region { from, len, kind, text: text.into(), changed: false });
    Frame {
        step: 74,
        header: Rc::new(Header {
            scenario: "short-copy".into(),
            title: "The copy comes up short on a page that is not uptodate".into(),
            call: "pwritev(f, [b0 1000, b1 3096], 4096)".into(),
        }),
        narration: Rc::new(Narration {
            phase: Phase::End,
            crumb: "pwritev #1 · iteration 1 · try 1".into(),
            what: "write_end counts 0 of the 1000 bytes copied, yet leaves page 1 uptodate and dirty.".into(),
            why: "A short copy into a page that is not uptodate is dropped whole. All 4096 bytes of its new buffer are zeroed and marked dirty instead, so no stale memory can show.".into(),
        }),
        code: Rc::new(Code { function: "generic_perform_write".into(), at: "mm/filemap.c:3295".into(), lines: lines() }),
        source: Some(Rc::new(SourceAt { file: "src/kernel/src/iov_iter.rs".into(), line: 12 })),
        locals: vec![
            local("pos", "4096", None),
            local("copied", "0", Some("1000")),
            local("offset", "0", None),
            local("status", "0", None),
            local("bytes", "4096", None),
            local("written", "0", None),
            local("count", "4096", None),
            local("page", "1", None),
        ],
        tasks: vec![
            Rc::new(TaskRow {
                id: 0,
                name: "A".into(),
                state: TaskState::Running,
                on: String::new(),
                current: true,
                stack: vec![
                    stack("generic_perform_write", f, 3351),
                    stack("ext4_buffered_write_iter", "fs/ext4/file.c", 269),
                    stack("ext4_file_write_iter", "fs/ext4/file.c", 662),
                    stack("do_iter_readv_writev", "fs/read_write.c", 725),
                ],
            }),
            Rc::new(TaskRow { id: 1, name: "B".into(), state: TaskState::Idle, ..TaskRow::default() }),
        ],
        user: Rc::new(UserMemory {
            facts: vec!["count 4096".into(), "iov_offset 0".into(), "nr_segs 2".into()],
            active: true,
            segments: vec![
                Rc::new(Segment { name: "seg0".into(), base: "b0+0".into(), len: 1000, consumed: 0, current: true }),
                Rc::new(Segment { name: "seg1".into(), base: "b1+0".into(), len: 3096, consumed: 0, current: true }),
            ],
            residency: vec![
                Rc::new(Residency { from: 0, to: 1000, ..Residency::default() }),
                Rc::new(Residency { from: 1000, to: 4096, state: Resident::Faults, note: "unmapped by B at 36".into(), changed: false }),
            ],
            probes: vec![Probe { at: 0, ..Probe::default() }, Probe { at: 1000, note: "probed ok at 20".into(), changed: false }],
            caret: Some(0),
            bracket: Some(Bracket { from: 0, to: 4096, text: "bytes = 4096".into(), changed: false }),
            label: "Segment 0: b0, 1000 bytes, resident. Segment 1: b1, 3096 bytes, not mapped. This try asks for 4096 bytes.".into(),
            ..UserMemory::default()
        }),
        copy: Some(Rc::new(CopyArrow {
            from: 0,
            to: 1000,
            page_from: 0,
            page_to: 1000,
            kind: CopyKind::Refused,
            text: "1000 copied".into(),
            verdict: "0 counted: page 1 was not uptodate".into(),
        })),
        cache: Rc::new(PageCache {
            facts: vec!["inode 12".into(), "1 of 11 pages".into(), "0 bytes kept".into()],
            pages: (0..11).map(cell).collect(),
            selected: Some(Rc::new(page())),
            ..PageCache::default()
        }),
        ext4: Rc::new(Ext4 {
            facts: vec![fact("1 block reserved"), fact("2990 free"), fact("i_size 45056"), fact("i_disksize 45056")],
            active: false,
            axis_from: 0,
            axis_blocks: 11,
            extents: (0..11).map(extent).collect(),
        }),
        disk: Rc::new(Disk {
            facts: vec![fact("nothing in flight")],
            active: false,
            blocks: 4096,
            block_size: 4096,
            regions: vec![
                region(0, 99, RegionKind::Metadata, "inode table 35"),
                region(100, 999, RegionKind::Journal, "journal"),
                region(1099, 6, RegionKind::Data, "1099–1104"),
                region(1611, 1, RegionKind::Leaf, "1611 leaf"),
            ],
            bios: vec![],
            label: "Block device, 4096 blocks of 4 KiB: journal in 100–1098; file data 1099–1104; extent leaf 1611".into(),
        }),
        journal: Rc::new(Journal {
            transactions: vec![Transaction { tid: 5, state: "running".into(), text: "inode 12, block 35".into(), changed: false }],
            handle: "handle write_page stopped, 0 blocks dirtied".into(),
            handle_changed: true,
        }),
        dirty: Rc::new(DirtyBalance {
            dirty: 1,
            background: 100,
            freerun: 220,
            setpoint: 434,
            limit: 649,
            dirty_changed: true,
            nr_dirtied: 7,
            nr_dirtied_pause: 32,
            nr_dirtied_changed: true,
            note: "no check in this try".into(),
            ..DirtyBalance::default()
        }),
        changes: Rc::new(Changes {
            since: "since 63, end of copy".into(),
            rows: vec![
                change(Sign::Changed, "bytes", vec![delta("0–999", "b0", "00"), delta("1000–4095", "??", "00")]),
                change(Sign::Changed, "page 1", vec![delta("", "", "+U +D −L"), delta("xarray", "", "+DIRTY")]),
                change(Sign::Changed, "bh0", vec![delta("", "", "+U +D −N")]),
                change(Sign::Removed, "handle", vec![delta("write_page, tx 5", "", "")]),
                change(Sign::Changed, "counters", vec![delta("NR_FILE_DIRTY", "0", "1"), delta("nr_dirtied", "6", "7")]),
                change(Sign::Changed, "locals", vec![delta("copied", "1000", "0")]),
            ],
        }),
        notice: None,
    }
}

fn page() -> PageView {
    let truth = |place, name, changed| DirtyTruth { place, name, set: true, changed };
    let range = |from, to, kind, label: &str, hex: &str| ByteRange {
        from,
        to,
        kind,
        label: label.into(),
        hex: hex.into(),
        origin: "zero-filled at 67".into(),
        before: "b0+0 … 999, copied at 60".into(),
        now_in: "cache only".into(),
        was: (!hex.is_empty()).then(|| "83 8a 91 98 9f a6".into()),
    };
    PageView {
        index: 1,
        state: CellState::Dirty,
        size: 4096,
        range: "file 4096–8191".into(),
        flags: vec![
            flag("L", "locked", false, true),
            flag("U", "uptodate", true, true),
            flag("D", "dirty", true, true),
            flag("W", "writeback", false, false),
        ],
        dirty: vec![
            truth("bh0", "buffer head 0 dirty", true),
            truth("page", "PG_dirty", true),
            truth("xarray", "xarray tag DIRTY", true),
            truth("inode", "inode I_DIRTY_PAGES", false),
        ],
        buffers: vec![Rc::new(BufferRow {
            name: "bh0".into(),
            flags: vec![
                flag("M", "mapped", true, false),
                flag("U", "uptodate", true, true),
                flag("D", "dirty", true, true),
                flag("N", "new", false, true),
                flag("d", "delay", true, false),
            ],
            size: 4096,
            block: None,
            lblk: 1,
            place: BufferPlace::Delayed,
            text: "delayed: no block yet".into(),
        })],
        strip: vec![
            Rc::new(range(0, 1000, ByteKind::Refused, "", "00 00 00 00 00 00")),
            Rc::new(range(1000, 4096, ByteKind::Zeroed, "4096 bytes zeroed", "")),
        ],
        changed: Some((0, 4096)),
        caret: Some(0),
        flags_changed: true,
        ..PageView::default()
    }
}

/// Four buffer heads, mid copy.
fn one_k(frame: &mut Frame) {
    let range = |from, to, kind, label: &str, hex: &str| {
        Rc::new(ByteRange {
            from,
            to,
            kind,
            label: label.into(),
            hex: hex.into(),
            origin: "block 15362, read at 41".into(),
            ..ByteRange::default()
        })
    };
    let buffer = |i: u64, block: Option<u64>| {
        let on = block.is_some();
        Rc::new(BufferRow {
            name: format!("bh{i}"),
            flags: vec![
                flag("M", "mapped", on, false),
                flag("U", "uptodate", on, false),
                flag("D", "dirty", false, false),
                flag("N", "new", false, false),
                flag("d", "delay", false, false),
            ],
            size: 1024,
            block,
            lblk: i,
            place: if on { BufferPlace::Block } else { BufferPlace::Unmapped },
            text: block.map_or_else(|| "not mapped".to_owned(), |block| format!("block {block}")),
        })
    };
    let page = PageView {
        locked: true,
        state: CellState::NotUptodate,
        buffers: vec![buffer(0, None), buffer(1, Some(15362)), buffer(2, Some(15363)), buffer(3, None)],
        strip: vec![
            range(0, 1024, ByteKind::NotUptodate, "not read", ""),
            range(1024, 1500, ByteKind::Valid, "from disk", ""),
            range(1500, 2200, ByteKind::WrittenNow, "b1, 700", "06 0d 14"),
            range(2200, 3072, ByteKind::Valid, "from disk", ""),
            range(3072, 4096, ByteKind::NotUptodate, "not read", ""),
        ],
        changed: Some((1500, 2200)),
        caret: None,
        ..page()
    };
    frame.cache = Rc::new(PageCache { selected: Some(Rc::new(page)), ..(*frame.cache).clone() });
    frame.copy = Some(Rc::new(CopyArrow {
        from: 0,
        to: 4096,
        page_from: 1500,
        page_to: 2200,
        kind: CopyKind::Done,
        text: "700 copied".into(),
        verdict: String::new(),
    }));
}

fn timeline() -> Timeline {
    use Phase::{Balance, Begin, Copy, End, FaultIn, None};
    let slice = |from, to, phase: Phase, text: &str| Slice { from, to, phase, text: text.into() };
    let starts = [
        (1, None),
        (20, FaultIn),
        (21, Begin),
        (60, Copy),
        (64, End),
        (75, None),
        (77, FaultIn),
        (78, Begin),
        (86, Copy),
        (87, End),
        (94, None),
        (95, Balance),
        (96, FaultIn),
        (99, Begin),
        (107, Copy),
        (108, End),
        (115, None),
        (116, Balance),
        (117, None),
        (120, None),
    ];
    let phases = starts.windows(2).map(|pair| slice(pair[0].0, pair[1].0, pair[0].1, pair[0].1.name())).collect();
    let span = |from, to, state, text: &str| LaneSpan { from, to, state, text: text.into() };
    let event = |step, kind, text: &str| Event { step, kind, text: text.into() };
    use TaskState::{Running, Sleeping};
    Timeline {
        last: 119,
        complete: true,
        calls: vec![slice(14, 120, None, "pwritev #1")],
        rounds: vec![
            slice(18, 77, None, "iteration 1, try 1"),
            slice(77, 96, None, "try 2, one segment"),
            slice(96, 117, None, "iteration 2"),
        ],
        phases,
        depth: Rc::new((1..=119u16).map(|i| u8::try_from(3 + (i * 7 % 11) / 2).unwrap_or(0)).collect()),
        lanes: vec![
            Lane {
                name: "A".into(),
                spans: vec![span(1, 37, Running, ""), span(37, 38, Sleeping, ""), span(38, 120, Running, "")],
            },
            Lane {
                name: "B".into(),
                spans: vec![span(37, 38, Running, "madvise(b1, DONTNEED) while A waits for block 1611")],
            },
        ],
        events: vec![
            event(36, EventKind::Read, "read 1611"),
            event(61, EventKind::Fault, ""),
            event(62, EventKind::Fault, "b1+0, refused"),
            event(97, EventKind::Fault, "b1+0, mapped"),
        ],
        counters: vec![
            Counter { name: "dirty".into(), points: vec![(0, 0), (68, 1)] },
            Counter { name: "reserved".into(), points: vec![(0, 0), (55, 1)] },
        ],
    }
}
