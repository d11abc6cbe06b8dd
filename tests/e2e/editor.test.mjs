// The editor: a scenario written, broken, mended, kept and run, as a reader does it.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, site } from "./harness.mjs";
import { at, complete, download, editor, goTo, holds, judged, narration, shows, step, stepUntil, write } from "./reader.mjs";

const wp = site();

async function open(page) {
  await complete(page);
  await page.keyboard.press("e");
  await editor(page).waitFor();
  await judged(page);
}

const fromNothing = (page) => editor(page).getByRole("button", { name: "From nothing" }).click();
const json = (page) => page.locator("#ed-json").inputValue();

/** Tabs until the focus is on the element with this id, or on one of this name. */
async function tabTo(page, wanted) {
  for (let n = 0; n < 200; n++) {
    const here = await page.evaluate(() => [document.activeElement.id, document.activeElement.textContent.trim()]);
    if (here.includes(wanted)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key never came to ${wanted}`);
}

test("own text in several segments is read back by debugfs", async () => {
  const page = await wp.open("");
  await open(page);
  await accessible(page);
  await fromNothing(page);
  const text = "Grüße, page cache!\n한국어도 됩니다.\n".repeat(40);
  const bytes = Buffer.from(text);
  const last = await write(page, { text, call: "pwritev", path: "letter.txt", offset: 100, segments: [1, 700, 63] });
  assert.equal(await step(page), 0);
  const said = await stepUntil(page, /become one iterator/);
  assert.match(said, new RegExp(`4 segments become one iterator of ${bytes.length} bytes`));

  // Its link holds the whole scenario, and opens at this very step.
  const here = await step(page);
  await page.waitForFunction((here) => location.hash.startsWith("#1;s=z:") && location.hash.endsWith(`;t=${here}`), here);
  const other = await wp.open(new URL(page.url()).hash);
  await shows(other, here);
  assert.equal(await narration(other), said);
  wp.clean(other);

  await page.keyboard.press("End");
  await shows(page, last);
  await holds(await download(page), "letter.txt", Buffer.concat([Buffer.alloc(100), bytes]));
  wp.clean(page);
});

test("100 KB of a file, blocks of 1 KiB, writev", async () => {
  const page = await wp.open("");
  await open(page);
  await fromNothing(page);
  const file = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8) * 13) & 255));
  const last = await write(page, { file, call: "writev", path: "data.bin", segments: [4095, 2, 70000], blockSize: 1024 });
  await page.keyboard.press("End");
  await shows(page, last);
  await holds(await download(page), "data.bin", file);
  wp.clean(page);
});

test("a scenario from nothing with the keyboard alone, and its first round ahead of the run", async () => {
  const page = await wp.open("");
  await open(page);
  await tabTo(page, "From nothing");
  await page.keyboard.press("Enter");
  await tabTo(page, "at:title.en");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Two pages by hand");
  await tabTo(page, "at:buffers[0].fill.text");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("x".repeat(300));
  await tabTo(page, "at:tasks[0].ops[0].pwrite.off");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("4000");
  await judged(page);
  // 300 bytes at 4000: the first round has 96 of them.
  await page.getByTestId("first-round").getByRole("row").filter({ hasText: "iov_iter_copy_from_user_atomic" }).getByRole("cell", { name: "96" }).first().waitFor();
  await page.keyboard.press("Shift+Tab");
  await page.evaluate(() => document.querySelector(".sheet-head button").focus());
  await tabTo(page, "Run");
  await page.keyboard.press("Enter");
  await editor(page).waitFor({ state: "detached" });
  await complete(page);
  await stepUntil(page, /The loop returns 300 bytes/);
  wp.clean(page);
});

test("what is wrong has its path, its line and its reason, and what was open stays", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  await complete(page);
  await goTo(page, 54);
  await page.keyboard.press("e");
  await judged(page);
  const good = await json(page);
  const area = page.locator("#ed-json");
  for (const [wrong, path, reason] of [
    [good.replace('"version": 1', '"version": 1, "shape": 2'), "shape", /unknown key/],
    [good.replace('"len": 3096', '"len": 9999'), "tasks[0].ops[0].pwritev.iov[1]", /do not lie in `lost`/],
    [good.replace('"size_mib": 16', '"size_mib": 5000'), "image.mkfs.size_mib", /an image has 2 to/],
    [good.replace('"size_mib": 16', '"size_mib": "many"'), "image.mkfs.size_mib", /has to be a whole number/],
    [good.replace('"pwritev"', '"pwritw"'), "tasks[0].ops[0]", /`pwritw` is none of/],
    [good.replace('"pwritev": ', '"pwritev" '), "JSON", /expected `:`/],
  ]) {
    assert.notEqual(wrong, good, path);
    await area.fill(wrong);
    const said = await judged(page, "bad");
    assert.ok(said.includes(path), `${said} does not say ${path}`);
    assert.match(said, reason);
    const line = Number(/line (\d+)/.exec(said)[1]);
    assert.notEqual(wrong.split("\n")[line - 1], good.split("\n")[line - 1], `${path} is said to be in line ${line}`);
    assert.equal(await page.locator(".ed-gutter mark").innerText(), `×${line}\n`);
    await editor(page).getByRole("button", { name: "Run" }).click();
    assert.ok(await editor(page).isVisible(), "a wrong scenario was run");
    await area.fill(good);
    await judged(page);
  }
  // In the form, it stands at the field.
  await at(page, "image.mkfs.size_mib").fill("1");
  await judged(page, "bad");
  assert.equal(await at(page, "image.mkfs.size_mib").getAttribute("aria-invalid"), "true");
  await accessible(page);
  await editor(page).getByRole("button", { name: "Show it" }).click();
  assert.equal(await page.evaluate(() => document.activeElement.id), "at:image.mkfs.size_mib");
  await page.keyboard.press("Escape");
  await editor(page).waitFor({ state: "detached" });
  await shows(page, 54);
  assert.match(page.url(), /s=lib:short-copy;t=54$/);
  wp.clean(page);
});

test("undo, redo, and a draft that outlives Escape", async () => {
  const page = await wp.open("#1;s=lib:full-page;t=0");
  await open(page);
  const first = await json(page);
  await at(page, "mount").fill("nodelalloc");
  await page.locator('[id="add:tasks[0].ops"]').click();
  const third = await json(page);
  assert.notEqual(third, first);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  assert.equal(await json(page), first);
  await page.keyboard.press("Control+Shift+z");
  await page.keyboard.press("Control+Shift+z");
  assert.equal(await json(page), third);
  await page.keyboard.press("Escape");
  await editor(page).waitFor({ state: "detached" });
  await page.keyboard.press("e");
  assert.equal(await json(page), third);
  wp.clean(page);
});

test("kept in the browser: found after a reload, renamed, opened, deleted", async () => {
  const page = await wp.open("");
  await open(page);
  await fromNothing(page);
  await at(page, "title.en").fill("A letter");
  const text = await json(page);
  const list = () => page.locator(".ed-kept");
  await list().locator("summary").click();
  await list().getByRole("button", { name: "Keep", exact: true }).click();
  await list().getByText("Kept as A letter").waitFor();
  await page.reload();
  await open(page);
  await list().locator("summary").click();
  await list().getByLabel("Rename A letter").fill("The letter");
  await page.keyboard.press("Enter");
  await list().getByRole("button", { name: "Open The letter" }).click();
  await page.waitForFunction((text) => document.getElementById("ed-json").value === text, text);
  await accessible(page);
  await list().getByRole("button", { name: "Delete The letter" }).click();
  await list().getByText("Nothing is kept yet.").waitFor();
  wp.clean(page);
});

test("the JSON pane completes keys and values", async () => {
  const page = await wp.open("");
  await open(page);
  await fromNothing(page);
  const area = page.locator("#ed-json");
  await area.fill('{"version": 1, "device": {"kind": ');
  await page.keyboard.type('"s');
  const offers = page.getByRole("listbox", { name: "What can stand here" });
  await offers.getByRole("option", { name: "slow" }).waitFor();
  await accessible(page, ".ed");
  await page.keyboard.press("Enter");
  assert.ok((await json(page)).endsWith('"kind": "slow"'));
  await page.keyboard.type(", ");
  await page.keyboard.press("Control+Space");
  assert.deepEqual(await offers.getByRole("option").allInnerTexts(), ["latency_ms", "bandwidth_kib_s", "queue_depth", "stable_writes", "faults"]);
  await page.keyboard.press("Escape");
  await offers.waitFor({ state: "detached" });
  assert.ok(await editor(page).isVisible());
  wp.clean(page);
});

test("borders of segments are moved by keys", async () => {
  const page = await wp.open("");
  await open(page);
  await fromNothing(page);
  await at(page, "tasks[0].ops[0]").selectOption("pwritev");
  await editor(page).getByRole("button", { name: "Split the longest" }).click();
  await page.getByRole("slider", { name: "Border behind segment 0" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await judged(page);
  assert.match(await json(page), /"iov": \[\{"buf": "b", "len": 12\}, \{"buf": "b", "off": 12, "len": 7\}\]/);
  wp.clean(page);
});

test("a page of user memory is dropped by a click on it, and the copy comes back short", async () => {
  const page = await wp.open("#1;s=lib:full-page;t=0");
  await complete(page);
  await stepUntil(page, /Page 0 is ready: locked/);
  const here = await step(page);
  await page.getByTestId("user-memory").getByRole("button", { name: /^Drop the source page/ }).first().click();
  await page.waitForFunction(() => location.hash.startsWith("#1;s=z:"));
  await shows(page, here);
  await complete(page);
  await stepUntil(page, /source page at b\+0 is evicted/);
  await stepUntil(page, /write_end counts 0 of|tried again/);
  // It is part of the scenario.
  await page.keyboard.press("e");
  await judged(page);
  assert.match(await json(page), /"evict": \{"buf": "b", "len": 4096\}/);
  wp.clean(page);
});

test("at 360 px nothing is wider than the screen", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0", { viewport: { width: 360, height: 740 } });
  await complete(page);
  await page.getByRole("button", { name: "Edit" }).click();
  await judged(page);
  for (const side of ["JSON", "Form"]) {
    await page.getByRole("tab", { name: side, exact: true }).click();
    assert.equal(await page.evaluate(() => document.querySelector("dialog").scrollWidth), 360, side);
    await accessible(page);
  }
  wp.clean(page);
});
