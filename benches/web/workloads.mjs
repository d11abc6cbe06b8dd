// The engine in wasm with recording off beside a plain copy of the same bytes, under node.
// Run by `cargo xtask bench`; the figures' meaning is that of benches/workloads.rs.

import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const dir = process.env.WRITEPATH_BENCH;
const runs = 5;
const load = async (n) => {
  // A fresh module each time: its memory only grows.
  const engine = await import(`${pathToFileURL(join(dir, "benches.js"))}?${n}`);
  const wasm = engine.initSync({ module: readFileSync(join(dir, "benches_bg.wasm")) });
  return { engine, wasm };
};
const seconds = (job) => {
  const begin = performance.now();
  job.run();
  return (performance.now() - begin) / 1000;
};
const once = (job) => {
  const taken = seconds(job);
  job.free();
  return taken;
};
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const met = (yes) => (yes ? "met" : "not met");

console.log("wasm under node, recording off; clock until all is on the disk; without the journal's log");
console.log("share: of the copy into blocks that are there; in brackets, into blocks that have to be made");
for (let n = 0; ; n++) {
  const { engine } = await load(n);
  const words = engine.describe(n);
  if (words === undefined) break;
  const times = { engine: [], copy: [], fresh: [] };
  for (let run = 0; run <= runs; run++) {
    const taken = [once(new engine.Engine(n)), once(new engine.Plain(n, true)), once(new engine.Plain(n, false))];
    if (run > 0) ["engine", "copy", "fresh"].forEach((kind, at) => times[kind].push(taken[at]));
  }
  const [ours, copy, fresh] = [times.engine, times.copy, times.fresh].map(median);
  const tell = (time) => `${engine.rate(n, time).toFixed(0)} ${engine.unit(n)}`;
  const share = (time) => (time / ours) * 100;
  const wanted = engine.wanted(n);
  console.log(words);
  console.log(
    `   engine ${tell(ours)}, copy ${tell(copy)} (${tell(fresh)}): share ${share(copy).toFixed(1)} % ` +
      `(${share(fresh).toFixed(1)} %), wanted ${wanted} %: ${met(share(copy) >= wanted)}`,
  );
  const job = new engine.Engine(n);
  job.run();
  const image = job.image();
  const written = job.bytesWritten(n);
  job.verify();
  job.free();
  const path = join(tmpdir(), `writepath-wasm-${n}-${process.pid}.img`);
  writeFileSync(path, image);
  const checked = spawnSync("e2fsck", ["-fn", path]);
  rmSync(path);
  console.log(
    `   bytes to the disk per byte ${written.toFixed(3)}; e2fsck: ${checked.status === 0 ? "clean" : "NOT CLEAN"}; ` +
      "read back: same",
  );
  if (checked.status !== 0) throw new Error(String(checked.stdout));
}
