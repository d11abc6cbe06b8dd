// Acting on a run: the source page goes away, or the task is killed, at a step the reader picks.

import { test } from "node:test";
import assert from "node:assert/strict";
import { site } from "./harness.mjs";
import { complete, download, editor, judged, moves, narration, screen, shows, step, stepUntil } from "./reader.mjs";

const wp = site();

/** What the panels say; how many runs there were before is the tab's own memory. */
const panels = async (page) => (await page.locator("main").innerText()).replace(/^Runs\d*\n/m, "");

test("evicting the source between fault-in and copy makes the copy fault", async () => {
  const page = await wp.open("#1;s=lib:full-page;t=0");
  await complete(page);
  await stepUntil(page, /Page 0 is ready: locked/);
  const at = await step(page);
  await page.getByRole("button", { name: "Evict source" }).click();
  await page.locator(`[data-testid="app"][data-step="${at}"]`).waitFor();
  await page.waitForFunction(() => location.hash.startsWith("#1;s=z:"));
  await complete(page);
  await stepUntil(page, /source page at b\+0 is evicted/);
  await stepUntil(page, /write_end counts 0 of|tried again/);
  await stepUntil(page, /The loop returns 4096 bytes/);

  // The branch is in the link.
  const here = await step(page);
  await page.waitForFunction((here) => location.hash.endsWith(`;t=${here}`), here);
  const other = await wp.open(new URL(page.url()).hash);
  await shows(other, here);
  await complete(other);
  assert.equal(await narration(other), await narration(page));
  wp.clean(page);
  wp.clean(other);
});

test("SIGKILL in the loop ends the write early", async () => {
  const page = await wp.open("#1;s=lib:two-pages-unaligned;t=0");
  await complete(page);
  await stepUntil(page, /Written so far/);
  const at = await step(page);
  await page.getByRole("button", { name: "SIGKILL" }).click();
  await page.waitForFunction(() => location.hash.startsWith("#1;s=z:"));
  await shows(page, at);
  await complete(page);
  const said = await stepUntil(page, /The loop (returns|gave|gives)[^.]*\./);
  assert.match(said, /fatal|signal|bytes/i);
  assert.doesNotMatch(said, /The loop returns 6000 bytes/);

  // It is part of the scenario.
  const here = await step(page);
  await page.keyboard.press("e");
  await judged(page);
  assert.match(await page.locator("#ed-json").inputValue(), /"do": \{"sigkill": \{"task": "A"\}\}/);
  await page.keyboard.press("Escape");
  await editor(page).waitFor({ state: "detached" });

  // And of its link: a fresh profile lands on the same step, with the same state of every panel and of the device.
  await page.waitForFunction((here) => location.hash.endsWith(`;t=${here}`), here);
  const other = await wp.open(new URL(page.url()).hash);
  await shows(other, here);
  await complete(other);
  assert.deepEqual(await panels(other), await panels(page));
  assert.ok((await download(other)).equals(await download(page)));
  wp.clean(page);
  wp.clean(other);
});

test("a request that is in flight is failed by a click on it", async () => {
  const page = await wp.open("#1;s=lib:read-modify-write;t=0");
  await complete(page);
  const requests = page.getByTestId("bios").getByRole("button");
  while ((await requests.count()) === 0) await moves(page, "ArrowRight");
  const at = await step(page);
  const name = await requests.first().getAttribute("aria-label");
  assert.match(name, /Fail this request/);
  await requests.first().click();
  await page.waitForFunction(() => location.hash.startsWith("#1;s=z:"));
  await complete(page);
  assert.ok((await step(page)) < at, "it acts before the request is sent");
  await stepUntil(page, /EIO/);

  const here = await step(page);
  await page.keyboard.press("e");
  await judged(page);
  assert.match(await page.locator("#ed-json").inputValue(), /"do": \{"fault": \{"io": "read".*"times": 1\}\}/);
  await page.keyboard.press("Escape");
  await editor(page).waitFor({ state: "detached" });
  await page.waitForFunction((here) => location.hash.endsWith(`;t=${here}`), here);
  const other = await wp.open(new URL(page.url()).hash);
  await shows(other, here);
  await complete(other);
  assert.equal(await narration(other), await narration(page));
  wp.clean(page);
  wp.clean(other);
});

test("where it makes no sense, the reason is told and nothing changes", async () => {
  const page = await wp.open("#1;s=lib:full-page;t=0");
  await complete(page);
  const before = await screen(page);
  await page.getByRole("button", { name: "Evict source" }).click();
  await page.getByRole("alert").getByText("No call reads user memory at this step.").waitFor();
  await page.getByRole("button", { name: "Dismiss" }).click();
  await page.getByText("No call reads user memory").waitFor({ state: "detached" });
  assert.deepEqual(await screen(page), before);
  wp.clean(page);
});
