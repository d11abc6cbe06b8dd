// How soon the page paints and can be used, beside a page without scripts and the smallest Yew app, in the same run.
// Run by `cargo xtask bench`; what we want is in the last column.

import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, serve } from "../../tests/e2e/harness.mjs";

const rounds = 15;
const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'self'; script-src 'self' 'wasm-unsafe-eval'">`;
const page = (body) => `<!doctype html><html lang="en"><meta charset="utf-8">${policy}<title>bench</title>${body}</html>`;

const folder = await mkdtemp(join(tmpdir(), "writepath-bench-"));
const [still, minimal] = [join(folder, "static"), join(folder, "minimal")];
await mkdir(still);
await writeFile(join(still, "index.html"), page("<h1>Writepath</h1><p>Loading the machine</p>"));
await cp(process.env.WRITEPATH_BENCH, minimal, { recursive: true });
await writeFile(join(minimal, "index.html"), page(`<script type="module" src="start.js"></script>`));
await writeFile(join(minimal, "start.js"), `import init from "./minimal.js"; init({ module_or_path: "./minimal_bg.wasm" });`);
const sites = { "static page": still, "smallest Yew app": minimal, Writepath: process.env.WRITEPATH_DIST };

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const browser = await launch();
const figures = {};
try {
  const servers = await Promise.all(Object.values(sites).map((dir) => serve(dir)));
  const names = Object.keys(sites);
  for (let round = 0; round < rounds; round++) {
    // In turns, so that a busy moment of the machine falls on all.
    for (const [at, name] of names.entries()) {
      const context = await browser.newContext();
      const tab = await context.newPage();
      await tab.addInitScript(() => {
        const seen = () => {
          if (!document.querySelector('[data-testid="app"]')) return;
          window.usable ??= performance.now();
          watch.disconnect();
        };
        const watch = new MutationObserver(seen);
        watch.observe(document, { childList: true, subtree: true });
      });
      await tab.goto(servers[at].url);
      const times = await tab.evaluate(async (app) => {
        const painted = await new Promise((done) =>
          new PerformanceObserver((list) => list.getEntries().forEach((each) => each.name === "first-contentful-paint" && done(each.startTime)))
            .observe({ type: "paint", buffered: true }));
        while (app && !window.usable) await new Promise((done) => setTimeout(done, 5));
        return [painted, window.usable ?? performance.timing.domInteractive - performance.timing.navigationStart];
      }, name !== "static page");
      (figures[name] ??= [[], []]).forEach((list, which) => list.push(times[which]));
      await context.close();
    }
  }
  await Promise.all(servers.map((server) => server.close()));
} finally {
  await browser.close();
  await rm(folder, { recursive: true });
}
const [paint, usable] = [0, 1].map((which) => Object.fromEntries(Object.entries(figures).map(([name, lists]) => [name, median(lists[which])])));
for (const name of Object.keys(sites)) {
  console.log(`${name.padEnd(20)} first contentful paint ${paint[name].toFixed(0).padStart(5)} ms   usable ${usable[name].toFixed(0).padStart(5)} ms`);
}
console.log(`first contentful paint, to the static page   x ${(paint.Writepath / paint["static page"]).toFixed(2)}   at most 1.2`);
console.log(`usable, to the smallest Yew app              x ${(usable.Writepath / usable["smallest Yew app"]).toFixed(2)}   at most 2`);
