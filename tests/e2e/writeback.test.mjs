// Dirty balance and writeback: what the screen says while a writer is slowed and while the flusher works.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, picture, site } from "./harness.mjs";
import { complete, moves } from "./reader.mjs";

const wp = site();

/** All that the screen says about writeback at this step. */
async function said(page) {
  const text = (id) => page.getByTestId(id).textContent();
  const label = async (id) => (await page.getByTestId(id).count()) ? page.getByTestId(id).getAttribute("aria-label") : "";
  const lane = (name) => page.locator(".lanes .lb", { hasText: new RegExp(`^${name}$`) }).locator("+ svg").textContent();
  return {
    gauge: await label("dirty"),
    ring: await text("ratelimit"),
    writer: await text("writer"),
    pace: await text("pace"),
    task: await text("task-state"),
    bios: await text("bios"),
    disk: await page.locator(".stn.last").textContent(),
    runs: await label("runs"),
    pages: (await page.getByTestId("pages").count()) ? await text("pages") : "",
    counters: await text("counters"),
    flusher: await lane("kworker/u2:0"),
    lane: await lane("A"),
  };
}

/** Steps on until one part of the screen says `words`; gives all that it says then. */
async function until(page, id, words) {
  for (let n = 0; n < 600; n++) {
    if (words.test(await page.getByTestId(id).textContent())) return said(page);
    await moves(page, "ArrowRight");
  }
  assert.fail(`${id} did not say ${words} within 600 steps`);
}

/** Goes to the end of a round of the write loop. */
async function round(page, number) {
  for (let n = 0; n < 2 * number; n++) {
    if ((await page.locator(".crumb").innerText()).includes(`iteration ${number} `)) return;
    await moves(page, "n");
  }
  assert.fail(`no round ${number}`);
}

test("a writer that dirties faster than the device writes is paused", async () => {
  const page = await wp.open("#1;s=lib:throttled-slow;t=0");
  await complete(page);

  // Free, while little is dirty.
  await round(page, 10);
  let now = await said(page);
  assert.match(now.gauge, /^Dirty pages 11, writeback 0 of limit 41; background 21, freerun 31, setpoint 36; device 11 \/ 41/);
  assert.match(now.ring, /^10 \/ 32 since last check, A/);
  assert.equal(now.writer, "free: no check in this step");
  assert.match(now.pace, /^pos_ratio – × 100\.0 = – MiB\/s, period – ms$/);
  assert.match(now.disk, /nothing in flight/);
  assert.match(now.disk, /device 0 of 4/);
  assert.equal(now.runs, "");

  // At the limit the rate is nothing, and the pause the longest.
  await round(page, 48);
  now = await until(page, "writer", /^pauses for/);
  assert.equal(now.writer, "pauses for 4 ms");
  assert.match(now.gauge, /^Dirty pages 50, writeback 0 of limit 41/);
  assert.match(now.ring, /^16 \/ 16/);
  assert.equal(now.pace, "pos_ratio 0.00 × 100.0 = 0.0 MiB/s, period 4 ms");
  await accessible(page);

  // It sleeps, the flusher runs.
  now = await until(page, "task-state", /^background/);
  assert.match(now.writer, /^paused \d of 4 ms, until 0\.196 s$/);
  assert.match(now.task, /^background: 0 pages written, until 16 dirty$/);
  assert.match(now.flusher, /background: 0 pages written, until 16 dirty/);
  assert.match(now.lane, /its pause, \d of 4 ms, until 0\.196 s/);
  assert.match(now.pages, /Page \d+: uptodate, dirty/);
  assert.match(now.runs, /^pages 0–48: dirty/);
  await page.getByRole("tab", { name: /^A (sleeping|runnable|running)/ }).click();
  assert.match((await said(page)).task, /^waits for its pause, \d of 4 ms, until 0\.196 s$/);
  // The arrows are the list of tasks' own while it has the focus.
  await page.evaluate(() => document.activeElement.blur());

  // All pages turn from dirty to writeback.
  now = await until(page, "counters", /writeback [1-9]/);
  assert.match(now.runs, /^pages 0–48: writeback/);
  assert.match(now.gauge, /^Dirty pages 0, writeback 49 of limit 41/);
  assert.match(now.counters, /dirty 0.*writeback 49/);
  now = await until(page, "bios", /in the device/);
  assert.match(now.bios, /write 1099–1147, pages 0–48, in the device/);
  assert.match(now.disk, /1 write in flight/);
  assert.match(now.disk, /device 1 of 4/);
  await picture(page, "throttled");
  await accessible(page);

  // The request is done, then the pages are clean, then the writer goes on.
  now = await until(page, "bios", /done/);
  assert.match(now.bios, /write 1099–1147, pages 0–48, done/);
  assert.match(now.disk, /nothing in flight/);
  assert.match(now.counters, /writeback 49/);
  now = await until(page, "counters", /writeback 0/);
  assert.match(now.runs, /^pages 0–48: clean/);
  assert.match(now.writer, /^paused \d of 4 ms/);
  now = await until(page, "writer", /goes on/);
  assert.equal(now.writer, "paused 4 ms, goes on");
  now = await until(page, "writer", /^free: next/);
  assert.match(now.gauge, /^Dirty pages 0, writeback 0 of limit 41/);
  wp.clean(page);
});

test("over the background threshold the flusher writes, and nobody is paused", async () => {
  const page = await wp.open("#1;s=lib:background-flush;t=0");
  await complete(page);
  const dirty = (now) => Number(/^Dirty pages (\d+), /.exec(now.gauge)[1]);

  await round(page, 20);
  let now = await said(page);
  assert.match(now.gauge, /writeback 0 of limit 328; background 28, freerun 178, setpoint 253/);
  assert.ok(dirty(now) < 28, now.gauge);
  assert.doesNotMatch(now.flusher, /background/);

  await round(page, 32);
  now = await said(page);
  assert.ok(dirty(now) > 28, now.gauge);
  assert.match(now.writer, /^free/);

  now = await until(page, "task-state", /^background/);
  assert.match(now.flusher, /background: \d+ pages written/);
  assert.doesNotMatch(now.lane, /its pause/);
  assert.match(now.runs, /^pages 0–39: dirty/);
  await accessible(page);

  now = await until(page, "counters", /writeback [1-9]/);
  assert.match(now.runs, /^pages 0–39: writeback/);
  assert.match(now.gauge, /^Dirty pages 0, writeback 40 of limit 328/);
  now = await until(page, "bios", /in the device/);
  assert.match(now.bios, /write \d+–\d+, pages 0–39, in the device/);
  assert.match(now.disk, /1 write in flight/);
  now = await until(page, "bios", /done/);
  assert.match(now.disk, /nothing in flight/);
  now = await until(page, "counters", /writeback 0/);
  assert.match(now.runs, /^pages 0–39: clean/);
  wp.clean(page);
});

test("a page is written again while the flusher writes it", async () => {
  const page = await wp.open("#1;s=lib:redirtied-under-writeback;t=0");
  const last = await complete(page);
  const turns = { cells: [], works: [], bios: [] };
  const note = (list, value) => list.at(-1) !== value && list.push(value);
  for (let step = 0; ; step = await moves(page, "ArrowRight")) {
    const now = await said(page);
    const letters = /^0 ([UDW]*)/.exec(now.pages);
    if (letters) note(turns.cells, letters[1]);
    note(turns.works, /(timer until [\d.]+ s|kupdate|background)/.exec(now.flusher)?.[1] ?? "");
    note(turns.bios, /pages 0–1, (\w+)|page 0, (\w+)/.exec(now.bios)?.slice(1).find(Boolean) ?? "");
    if (letters?.[1] === "UDW") {
      assert.match(now.pages, /Page 0: (locked, )?uptodate, dirty, writeback/);
      assert.match(now.gauge, /^Dirty pages 1, writeback \d/);
    }
    if (step === last) break;
  }
  assert.ok(turns.cells.join(" ").includes("UD UW UDW UD UW U"), turns.cells.join(" "));
  assert.ok(turns.bios.join(" ").includes("in done  in done"), turns.bios.join("|"));
  wp.clean(page);
});
