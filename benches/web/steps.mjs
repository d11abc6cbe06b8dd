// The page at work on large runs: one step by key, scrubbing, and the opening of 100,000 steps.
// Run by `cargo xtask bench`; what we want is in the last column. `node benches/web/steps.mjs` with WRITEPATH_DIST set
// to a built site does it alone.
//
// "Work" is what the main thread does, by Chromium's own trace: its time on a processor in all tasks between a key and the
// end of the frame that shows it, layout and paint among them, without the wait for that frame. So another program on the
// machine does not count; the tracing itself does, a little. What the two frames behind it do, which the script waits for
// and the reader does not, is told beside it.

import { deflateRawSync } from "node:zlib";
import { launch, ready, serve } from "../../tests/e2e/harness.mjs";

const PAGE = 4096;

/** A link that holds the scenario itself. */
const link = (scenario, step = 0) => `#1;s=z:${deflateRawSync(JSON.stringify(scenario)).toString("base64url")};t=${step}`;

/** A file of `cached` pages that the run does not record, and a recorded write of `written` pages behind it. */
const scenario = (cached, written) => ({
  version: 1,
  title: { en: `${cached} cached pages, ${written} written` },
  image: { mkfs: { size_mib: 128 } },
  buffers: [{ name: "b", len: Math.max(cached, written) * PAGE }],
  tasks: [{
    name: "A",
    setup: [
      { open: { fd: "f", path: "x", flags: "CREAT,RDWR" } },
      ...(cached > 0 ? [{ pwrite: { fd: "f", off: 0, iov: [{ buf: "b", len: cached * PAGE }] } }] : []),
    ],
    ops: [{ pwrite: { fd: "f", off: cached * PAGE, iov: [{ buf: "b", len: written * PAGE }] } }],
  }],
});

const at = (list, share) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];
const median = (list) => at(list, 0.5);
const p95 = (list) => at(list, 0.95);
const met = (found, wanted) => (found <= wanted ? "met" : "not met");
const told = (what, found) => console.log(`${what.padEnd(62)} ${found.toFixed(1).padStart(8)} ms`);
const line = (what, found, wanted, unit = "ms") =>
  console.log(`${what.padEnd(62)} ${found.toFixed(1).padStart(8)} ${unit}   at most ${wanted}: ${met(found, wanted)}`);

const categories = ["toplevel", "disabled-by-default-devtools.timeline", "devtools.timeline", "blink.user_timing"];

/** Runs `work` in the page, which marks its pieces by performance.mark("piece"); gives the trace. */
async function traced(browser, page, work, argument) {
  await browser.startTracing(page, { categories });
  await page.evaluate(work, argument);
  return JSON.parse(await browser.stopTracing()).traceEvents;
}

/** The main thread's tasks of a trace. */
function tasksOf(events) {
  const mark = events.find((event) => event.name === "piece") ?? events.find((event) => event.name === "navigationStart");
  const main = events.find((event) => event.name === "thread_name" && event.args.name === "CrRendererMain" && event.pid === mark.pid);
  const ours = (event) => event.pid === main.pid && event.tid === main.tid;
  const tasks = events.filter((event) => event.name === "RunTask" && event.dur && event.tdur && ours(event)).sort((a, b) => a.ts - b.ts);
  if (tasks.length === 0) throw new Error("the trace has no tasks");
  return tasks;
}

/** The main thread's work of each piece, ms: to the next piece, or to the end of the first frame that paints in it. */
function worked(events, { toPaint = false } = {}) {
  const marks = events.filter((event) => event.name === "piece").map((event) => event.ts).sort((a, b) => a - b);
  const tasks = tasksOf(events);
  const painted = ({ name, pid, tid }) => name === "Paint" && pid === tasks[0].pid && tid === tasks[0].tid;
  const paints = events.filter(painted).map((event) => event.ts).sort((a, b) => a - b);
  const shown = (from, next) => {
    const paint = paints.find((ts) => ts > from && ts < next);
    const frame = tasks.find(({ ts, dur }) => paint > ts && paint < ts + dur);
    if (!frame) throw new Error("a step was not painted");
    return Math.min(frame.ts + frame.dur, next);
  };
  return marks.slice(0, -1).map((from, at) => {
    const to = toPaint ? shown(from, marks[at + 1]) : marks[at + 1];
    // The task that set the mark began before it.
    const within = tasks.filter(({ ts, dur }) => ts + dur > from && ts < to);
    const inside = ({ ts, dur }) => (Math.min(ts + dur, to) - Math.max(ts, from)) / dur;
    return within.reduce((sum, task) => sum + task.tdur * inside(task), 0) / 1000;
  });
}

async function opened(browser, url, hash) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(url + hash);
  await ready(page);
  await page.locator('[data-testid="app"][data-complete="true"]').waitFor({ timeout: 120_000 });
  return page;
}

const byKey = async ({ from, steps }) => {
  const app = document.querySelector('[data-testid="app"]');
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  location.hash = location.hash.replace(/t=\d+/, `t=${from}`);
  while (app.dataset.step !== String(from)) await frame();
  for (let warm = 0; warm < 20; warm++) {
    press("ArrowRight");
    await frame();
    await frame();
  }
  for (let step = 0; step <= steps; step++) {
    await frame();
    performance.mark("piece");
    const before = app.dataset.step;
    press("ArrowRight");
    await frame();
    if (app.dataset.step === before) throw new Error(`step ${before} stayed beyond a frame`);
    await frame();
  }
};

const byPointer = async ({ frames }) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const slider = document.querySelector("#timeline");
  const area = document.querySelector(".map").getBoundingClientRect();
  const pointer = (kind, share) =>
    slider.querySelector(".map").dispatchEvent(new PointerEvent(kind, {
      bubbles: true, cancelable: true, pointerId: 1, button: 0, isPrimary: true,
      clientX: area.left + area.width * share, clientY: area.top + area.height / 2,
    }));
  slider.setPointerCapture = () => {};
  pointer("pointerdown", 0);
  for (let at = 0; at <= frames; at++) {
    // To and fro over the whole run, faster and slower.
    const share = 0.5 - 0.5 * Math.cos((at / frames) ** 1.5 * 6 * Math.PI);
    performance.mark("piece");
    pointer("pointermove", Math.min(share, 0.9999));
    await frame();
  }
  pointer("pointerup", 0);
};

const server = await serve();
const browser = await launch();
try {
  for (const [cached, wanted] of [[256, [8, 16]], [10_000, [16, 33]]]) {
    const page = await opened(browser, server.url, link(scenario(cached, 16)));
    const held = await page.locator(".facts").nth(1).innerText();
    const trace = await traced(browser, page, byKey, { from: 60, steps: 200 });
    const work = worked(trace, { toPaint: true });
    console.log(`one step by key, ${held.replace(/\s+/g, " ")}`);
    line("  work from keydown to paint, median", median(work), wanted[0]);
    line("  work from keydown to paint, p95", p95(work), wanted[1]);
    told("  the same with two frames more, median", median(worked(trace)));
    await page.context().close();
  }

  const large = link(scenario(0, 2560));
  const page = await opened(browser, server.url, large);
  const steps = Number(await page.getByRole("slider").getAttribute("aria-valuemax"));
  const work = worked(await traced(browser, page, byPointer, { frames: 400 }));
  console.log(`scrubbing over ${steps} steps`);
  line("  work of a frame, p95", p95(work), 20);
  line("  work of a frame, median", median(work), 20);
  const trace = await traced(browser, page, byKey, { from: steps >> 1, steps: 200 });
  const key = worked(trace, { toPaint: true });
  line("  one step by key in the middle, median", median(key), 8);
  line("  one step by key in the middle, p95", p95(key), 16);
  told("  the same with two frames more, median", median(worked(trace)));
  await page.context().close();

  const [first, whole, blocked, after] = [[], [], [], []];
  for (let round = 0; round < 5; round++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const tab = await context.newPage();
    await tab.addInitScript(() => {
      const look = () => {
        const app = document.querySelector('[data-testid="app"]');
        // The app comes up with an empty screen while it unpacks the link.
        const shown = app && /cached pages/.test(document.querySelector("h1")?.textContent ?? "");
        if (shown && !window.first) {
          window.first = performance.now();
          performance.mark("first");
        }
        if (shown && app.dataset.complete === "true") window.whole ??= performance.now();
        if (!window.whole) requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await tab.goto("about:blank");
    await browser.startTracing(tab, { categories: [...categories, "blink.user_timing"] });
    await tab.goto(server.url + large);
    await tab.waitForFunction(() => window.whole, undefined, { timeout: 120_000 });
    const { traceEvents } = JSON.parse(await browser.stopTracing());
    const [one, all] = await tab.evaluate(() => [window.first, window.whole]);
    const tasks = tasksOf(traceEvents.map((event) => (event.name === "first" ? { ...event, name: "piece" } : event)));
    const mark = traceEvents.find((event) => event.name === "first").ts;
    const worst = (list) => Math.max(...list.map((task) => task.tdur / 1000));
    first.push(one);
    whole.push(all);
    blocked.push(worst(tasks));
    after.push(worst(tasks.filter((task) => task.ts > mark)));
    await context.close();
  }
  console.log(`opening ${steps} steps by a link, from the navigation on`);
  line("  its first step is on screen", median(first), 1000);
  line("  the longest block of input before and after", median(blocked), 50);
  line("  the longest block of input after the first step", median(after), 50);
  told("  all of it is computed", median(whole));
} finally {
  await browser.close();
  await server.close();
}
