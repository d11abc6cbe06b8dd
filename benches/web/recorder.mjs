// Steps a second, bytes a step, and seeks, over a million recorded steps of the real engine, in Chromium.
// Run by `cargo xtask bench`; the figures' meaning is that of benches/recorder.rs.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { launch } from "../../tests/e2e/harness.mjs";

const dir = process.env.WRITEPATH_BENCH;
const types = { ".js": "text/javascript", ".wasm": "application/wasm" };
const server = createServer((request, response) => {
  const path = new URL(request.url, "http://localhost").pathname;
  const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
  if (path === "/") {
    response.writeHead(200, { "Content-Type": "text/html", ...isolated });
    return void response.end("<!doctype html><title>bench</title>");
  }
  const type = types[path.slice(path.lastIndexOf("."))];
  if (!type) return void response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": type, ...isolated });
  response.end(readFileSync(join(dir, path.slice(1))));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  for (const two of [false, true]) {
    console.log(two ? "two writers, the flusher and a slow device" : "one writer");
    const figures = await page.evaluate(async (two) => {
      const engine = await import("/benches.js");
      await engine.default({ module_or_path: "/benches_bg.wasm" });
      const steps = 1_000_000;
      const timed = (work) => {
        const begin = performance.now();
        const result = work();
        return [performance.now() - begin, result];
      };
      const rate = (recording) => {
        const run = new engine.Recorder(128, two, recording);
        const [ms, done] = timed(() => run.advance(steps));
        return { run, perSecond: (done / ms) * 1000 };
      };
      const off = rate(false);
      off.run.free();
      const cold = rate(true);
      cold.run.free();
      const { run, perSecond } = rate(true);
      const len = run.len();
      const [record, kept, content] = run.recordBytes();
      let state = 7;
      const below = (end) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % end;
      const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
      const seeks = Array.from({ length: 2000 }, () => timed(() => run.seek(below(len)))[0]);
      let at = len >> 1;
      run.seek(at);
      const back = Array.from({ length: 1000 }, () => timed(() => run.seek(--at))[0]);
      return {
        "recorded steps": len,
        "steps/s, recording off, M": off.perSecond / 1e6,
        "steps/s, recording, cold, M": cold.perSecond / 1e6,
        "steps/s, recording, warm, M": perSecond / 1e6,
        "recording slows the engine, x": off.perSecond / perSecond,
        "bytes a step": record / len,
        "bytes a step, kept states": kept / len,
        "bytes a step, page contents": content / len,
        "seek, median, us": median(seeks) * 1000,
        "seek, worst, us": Math.max(...seeks) * 1000,
        "one step back, median, us": median(back) * 1000,
        "one step back, worst, us": Math.max(...back) * 1000,
      };
    }, two);
    for (const [name, value] of Object.entries(figures)) {
      console.log(`${name.padEnd(32)} ${Number.isInteger(value) ? value : value.toFixed(2)}`);
    }
  }
} finally {
  await browser.close();
  server.close();
}
