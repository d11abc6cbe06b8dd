// The editor: a scenario written, broken, mended, kept and run, as a reader does it.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, site } from "./harness.mjs";
import { readFile } from "node:fs/promises";
import { at, complete, download, dropFile, editor, goTo, holds, judged, narration, shows, step, stepUntil, write } from "./reader.mjs";

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

for (const key of ["Control", "Meta"]) {
  test(`undo, redo, and a draft that outlives Escape: ${key}+Z`, async () => {
    const page = await wp.open("#1;s=lib:full-page;t=0");
    await open(page);
    const first = await json(page);
    await at(page, "mount").fill("nodelalloc");
    await page.locator('[id="add:tasks[0].ops"]').click();
    const third = await json(page);
    assert.notEqual(third, first);
    await page.keyboard.press(`${key}+z`);
    await page.keyboard.press(`${key}+z`);
    assert.equal(await json(page), first);
    await page.keyboard.press(`${key}+Shift+z`);
    await page.keyboard.press(`${key}+Shift+z`);
    assert.equal(await json(page), third);
    // What was typed in the JSON is undone by the same key, from within its field.
    await page.locator("#ed-json").fill(third.replace("nodelalloc", "delalloc"));
    await page.keyboard.press(`${key}+z`);
    assert.equal(await json(page), third);
    await page.keyboard.press("Escape");
    await editor(page).waitFor({ state: "detached" });
    await page.keyboard.press("e");
    assert.equal(await json(page), third);
    wp.clean(page);
  });
}

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

test("saved as a file, and dropped in again: into the editor, and onto the page", async () => {
  const page = await wp.open("#1;s=lib:full-page;t=0");
  await open(page);
  await fromNothing(page);
  await at(page, "title.en").fill("A letter");
  await judged(page);
  const text = await json(page);
  const [file] = await Promise.all([page.waitForEvent("download"), editor(page).getByRole("button", { name: "Save as a file" }).click()]);
  assert.equal(file.suggestedFilename(), "scenario.json");
  const bytes = await readFile(await file.path());
  assert.equal(bytes.toString(), text);

  await at(page, "title.en").fill("Something else");
  await dropFile(page, "scenario.json", bytes);
  await page.waitForFunction((text) => document.getElementById("ed-json").value === text, text);
  await judged(page);

  const other = await wp.open("#1;s=lib:full-page;t=0");
  await complete(other);
  await dropFile(other, "scenario.json", bytes);
  await other.waitForFunction(() => location.hash.startsWith("#1;s=z:"));
  await complete(other);
  await goTo(other, 30);
  await other.keyboard.press("e");
  await judged(other);
  // Loaded, it has its defaults written out; what was typed is there.
  const read = JSON.parse(await json(other));
  assert.deepEqual([read.title.en, read.buffers[0].fill.text], ["A letter", "Hello, page cache!\n"]);
  await other.keyboard.press("Escape");
  await editor(other).waitFor({ state: "detached" });
  // One that is none is refused, and what was open stays.
  await dropFile(other, "scenario.json", '{"version": 7}');
  await other.getByRole("alert").getByText("version: this program reads version 1, the file has 7").waitFor();
  await shows(other, 30);
  wp.clean(page);
  wp.clean(other);
});

test("where the browser keeps nothing, the editor says so and works", async () => {
  const page = await wp.blank();
  await page.addInitScript(() => {
    const refuse = { get: () => { throw new DOMException("no", "SecurityError"); } };
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) Object.defineProperty(window, name, refuse);
  });
  await page.goto(wp.url);
  await open(page);
  await fromNothing(page);
  await at(page, "buffers[0].fill.text").fill("Nothing is kept.");
  await judged(page);
  const list = page.locator(".ed-kept");
  await list.locator("summary").click();
  await list.getByText("This browser keeps nothing for this page").waitFor();
  await list.getByRole("button", { name: "Keep", exact: true }).click();
  await list.getByRole("status").getByText("This browser keeps nothing for this page").waitFor();
  await list.locator("summary").click();
  const [file] = await Promise.all([page.waitForEvent("download"), editor(page).getByRole("button", { name: "Save as a file" }).click()]);
  assert.equal((await readFile(await file.path())).toString(), await json(page));
  await editor(page).getByRole("button", { name: "Run" }).click();
  await editor(page).waitFor({ state: "detached" });
  const last = await complete(page);
  await page.keyboard.press("End");
  await shows(page, last);
  await holds(await download(page), "hello.txt", Buffer.from("Nothing is kept."));
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
  assert.deepEqual(await offers.getByRole("option").allInnerTexts(), ["latency_ms", "bandwidth_kib_s", "queue_depth", "stable_writes", "strict_limit", "faults"]);
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

test("a border of segments is dragged, and one undo takes the drag back", async () => {
  const page = await wp.open("");
  await open(page);
  await fromNothing(page);
  await at(page, "tasks[0].ops[0]").selectOption("pwritev");
  await editor(page).getByRole("button", { name: "Split the longest" }).click();
  await judged(page);
  const before = await json(page);
  const border = page.getByRole("slider", { name: "Border behind segment 0" });
  await border.scrollIntoViewIfNeeded();
  const [grip, bar] = [await border.boundingBox(), await page.locator(".ed-bar").first().boundingBox()];
  const y = grip.y + grip.height / 2;
  await page.mouse.move(grip.x + grip.width / 2, y);
  await page.mouse.down();
  for (const share of [8, 6, 4, 15]) await page.mouse.move(bar.x + (bar.width * share) / 19, y, { steps: 4 });
  await page.mouse.up();
  await page.mouse.move(bar.x, y);
  await judged(page);
  assert.match(await json(page), /"iov": \[\{"buf": "b", "len": 15\}, \{"buf": "b", "off": 15, "len": 4\}\]/);
  assert.equal(await border.getAttribute("aria-valuenow"), "15");
  await page.keyboard.press("Control+z");
  assert.equal(await json(page), before);
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
  await page.getByRole("button", { name: "Commands" }).click();
  await page.getByRole("option", { name: "Edit the scenario" }).click();
  await judged(page);
  for (const side of ["JSON", "Form"]) {
    await page.getByRole("tab", { name: side, exact: true }).click();
    assert.equal(await page.evaluate(() => document.querySelector("dialog").scrollWidth), 360, side);
    await accessible(page);
  }
  wp.clean(page);
});
