//! Steps a second, bytes a step, and seeks, over a million recorded steps of
//! the real engine: `cargo bench --bench recorder`.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock; the engine does not")]

use std::time::Instant;

use benches::{Positions, advance, long_write, shared_write, slow_write, start};
use session::expr::{Calls, Expr, Track};
use session::run::{Progress, Run};
use session::scenario::Scenario;

const STEPS: u32 = 1_000_000;

fn main() {
    println!("one writer");
    let run = million(&long_write(128));
    expressions(&run);
    drop(run);
    println!("two writers, the flusher and a slow device");
    drop(million(&shared_write(128)));
    println!("64 MiB to a slow device");
    let begin = Instant::now();
    let mut run = start(&slow_write(), true);
    while run.step(STEPS) == Progress::Running {}
    println!("{} steps recorded to the end   {:.2} s", run.len(), begin.elapsed().as_secs_f64());
}

/// Records a million steps, and seeks in them.
fn million(scenario: &Scenario) -> Run {
    let mut plain = start(scenario, false);
    let begin = Instant::now();
    let done = advance(&mut plain, STEPS);
    let off = begin.elapsed().as_secs_f64();
    drop(plain);

    let mut run = start(scenario, true);
    let begin = Instant::now();
    let recorded = advance(&mut run, STEPS);
    let cold = begin.elapsed().as_secs_f64();

    let mut again = start(scenario, true);
    let begin = Instant::now();
    advance(&mut again, STEPS);
    let warm = begin.elapsed().as_secs_f64();
    drop(again);

    let len = run.len();
    let (record, content) = run.machine().with_history(|w, history| history.log_bytes(w));
    println!("recorded steps                 {len}");
    println!("steps/s, recording off         {:.2} M", done as f64 / off / 1e6);
    println!("steps/s, recording, cold       {:.2} M", recorded as f64 / cold / 1e6);
    println!("steps/s, recording, warm       {:.2} M", recorded as f64 / warm / 1e6);
    println!("recording slows the engine     {:.2} x", (warm / recorded as f64) / (off / done as f64));
    println!("bytes a step                   {:.1}", record as f64 / f64::from(len));
    let kept = run.machine().with_history(|_, history| history.snapshot_bytes());
    println!("bytes a step, kept states      {:.1}", kept as f64 / f64::from(len));
    println!("bytes a step, page contents    {:.1}", content as f64 / f64::from(len));
    println!("  of the last chunk: {}", most(&run));

    let mut positions = Positions(7);
    let mut times: Vec<f64> = (0..2000)
        .map(|_| {
            let target = positions.below(len);
            let begin = Instant::now();
            run.seek(target);
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("seek, median                   {:.0} us", times[times.len() / 2]);
    println!("seek, worst of {}            {:.0} us", times.len(), times[times.len() - 1]);

    let mut at = len / 2;
    run.seek(at);
    let mut back: Vec<f64> = (0..1000)
        .map(|_| {
            at -= 1;
            let begin = Instant::now();
            run.seek(at);
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    back.sort_by(f64::total_cmp);
    println!("one step back, median          {:.2} us", back[back.len() / 2]);
    println!("one step back, worst           {:.2} us", back[back.len() - 1]);
    run
}

/// The logs of the last chunk that take most, in per cent of all of them.
fn most(run: &Run) -> String {
    let mut sizes = run.machine().with_history(|w, _| w.log_sizes());
    sizes.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
    let all: usize = sizes.iter().map(|&(_, bytes)| bytes).sum();
    let share = |&(name, bytes): &(_, usize)| format!("{name} {:.0} %", bytes as f64 * 100.0 / all as f64);
    sizes.iter().take(8).map(share).collect::<Vec<_>>().join(", ")
}

/// How long a watch of a million steps takes.
fn expressions(run: &Run) {
    let len = run.len();
    let file = run.machine().with_history(|w, _| w.inode_hash.entries().values().last().copied());
    for text in ["page[1].dirty", "copied == 0", "enter(ext4_da_write_begin)", "inode.i_size > inode.i_disksize"] {
        let mut track = Track::new(Expr::parse(text, &Calls::default()).expect("it is an expression"));
        let begin = Instant::now();
        run.machine().with_history(|w, h| track.extend(w, h, &Calls::default(), &|_, _| file, u32::MAX));
        let ms = begin.elapsed().as_secs_f64() * 1e3 / f64::from(len) * 1e5;
        println!("100,000 steps of {text:<32} {ms:.0} ms, {} points", track.points().len());
    }
}
