//! Whatever the device fails, whenever the journal aborts or the file system is
//! shut down or frozen: no panic, nobody sleeps for ever, and e2fsck can mend
//! what is left.

use proptest::prelude::*;
use session::scenario::ops::FallocateMode;
use session::scenario::{
    Act, At, Buffer, BufferKind, Fault, FaultIo, FaultOf, Fill, Image, Intervention, Mkfs, Op, Scenario, Segment,
};
use writepath_tests::{Scratch, bounded_run, keep_failing, tool};

const SOURCE: u64 = 1 << 16;

fn fault() -> impl Strategy<Value = Fault> {
    let io = prop::sample::select(vec![FaultIo::Read, FaultIo::Write]);
    let of = prop::sample::select(vec![FaultOf::Any, FaultOf::Data, FaultOf::Metadata]);
    (io, of, 0u32..6, prop::option::of(1u32..4)).prop_map(|(io, of, skip, times)| Fault {
        io,
        of,
        sector: 0,
        sectors: None,
        skip,
        times,
    })
}

fn iov(len: u64) -> Vec<Segment> {
    vec![Segment { buf: "b".into(), off: 0, len }]
}

fn op() -> impl Strategy<Value = Op> {
    let file = prop::sample::select(vec!["f", "g"]).prop_map(str::to_owned);
    let mode = prop::sample::select(vec![FallocateMode::Plain, FallocateMode::Punch, FallocateMode::Zero]);
    prop_oneof![
        6 => (file.clone(), 0u64..200_000, 1u64..30_000)
            .prop_map(|(fd, off, len)| Op::Pwrite { fd, off, iov: iov(len) }),
        1 => (1u64..20).prop_map(|blocks| Op::Pwrite { fd: "d".into(), off: 0, iov: iov(blocks * 512) }),
        1 => (1u64..9000).prop_map(|len| Op::Write { fd: "s".into(), iov: iov(len) }),
        1 => (file.clone(), 0u64..200_000, 1u64..20_000).prop_map(|(fd, off, len)| Op::Pread { fd, off, len }),
        1 => (file.clone(), 0u64..200_000).prop_map(|(fd, len)| Op::Ftruncate { fd, len }),
        1 => (file.clone(), mode, 0u64..200_000, 1u64..50_000)
            .prop_map(|(fd, mode, off, len)| Op::Fallocate { fd, mode, off, len }),
        2 => file.clone().prop_map(|fd| Op::Fsync { fd }),
        1 => Just(Op::Sync {}),
        1 => Just(Op::Unlink { path: "g".into() }),
        1 => Just(Op::Rename { from: "f".into(), to: "g".into() }),
        1 => (0u32..40, 0u32..40).prop_map(|(n, m)| Op::Rename { from: format!("d{n}"), to: format!("d{m}/e") }),
        1 => (0u32..40).prop_map(|n| Op::Mkdir { path: format!("d{n}"), mode: None }),
        3 => fault().prop_map(Op::Fault),
        1 => Just(Op::Mend {}),
        1 => Just(Op::Freeze {}),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => fault().prop_map(Act::Fault),
        1 => Just(Act::Shutdown {}),
        1 => Just(Act::AbortJournal {}),
        1 => Just(Act::Mend {}),
    ]
}

fn scenario(block_size: u32, mount: &str, ops: &[Op], acts: &[(u32, Act)], end: Option<Op>) -> Scenario {
    let mut scenario = Scenario::new("faults", 16);
    scenario.image = Image::Mkfs(Mkfs { size_mib: 16, block_size, ..Mkfs::default() });
    scenario.mount = mount.to_owned();
    let open = |fd: &str, path: &str, flags: &str| Op::Open {
        fd: fd.into(),
        path: path.into(),
        flags: flags.into(),
        mode: None,
    };
    let task = &mut scenario.tasks[0];
    task.setup.extend([
        Op::Buf(Buffer { name: "b".into(), kind: BufferKind::Anon, len: SOURCE, fill: Fill::Seed(5) }),
        open("f", "f", "CREAT,RDWR"),
        open("g", "g", "CREAT,RDWR"),
        Op::Pwrite { fd: "f".into(), off: 0, iov: iov(60_000) },
        Op::Remount {},
        open("f", "f", "RDWR"),
        open("g", "g", "RDWR"),
        open("s", "f", "RDWR,SYNC"),
        open("d", "f", "RDWR,DIRECT"),
    ]);
    for op in ops {
        task.ops.push(op.clone());
        if matches!(op, Op::Freeze {}) {
            task.ops.push(Op::Thaw {}); // else the next write would wait for ever, as it should
        }
    }
    task.ops.extend(end);
    scenario.interventions =
        acts.iter().map(|(step, act)| Intervention { at: At::Step(*step), act: act.clone() }).collect();
    scenario
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_goes_wrong_is_more_than_an_error(
        block_size in prop::sample::select(vec![1024u32, 4096]),
        mount in prop::sample::select(vec![
            "", "nodelalloc", "errors=remount-ro", "nodelalloc,errors=remount-ro", "data=journal", "dioread_lock",
        ]),
        ops in prop::collection::vec(op(), 1..14),
        acts in prop::collection::vec((0u32..1500, act()), 0..3),
        end in prop_oneof![
            2 => Just(None),
            1 => Just(Some(Op::Abort {})),
            1 => (0u32..3).prop_map(|how| Some(Op::Shutdown { fd: "f".into(), how })),
        ],
    ) {
        let scenario = scenario(block_size, mount, &ops, &acts, end);
        keep_failing("faults", &scenario, || {
            let run = bounded_run(&scenario);
            let scratch = Scratch::default();
            let image = scratch.file("image");
            std::fs::write(&image, run.image()).expect("the image can be stored");
            let name = image.display().to_string();
            let mended = tool("e2fsck", &["-fy", &name]);
            assert!(mended.status.code().is_some_and(|code| code <= 1), "{}", String::from_utf8_lossy(&mended.stdout));
            let clean = tool("e2fsck", &["-fn", &name]);
            assert!(clean.status.success(), "{}", String::from_utf8_lossy(&clean.stdout));
        });
    }
}
