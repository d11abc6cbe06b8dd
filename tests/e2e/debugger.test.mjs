// The debugger: watches, breakpoints, who set a value, markers, the palette. Values are the engine's own (short-copy).

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, site } from "./harness.mjs";
import { complete, goTo, moves, narration, shows, step, takeAway } from "./reader.mjs";

const wp = site();
const watches = (page) => page.getByTestId("watches").getByRole("listitem");

/** Types an expression into the field, as the keyboard does it. */
async function watch(page, text, key = "Enter") {
  await page.keyboard.press("w");
  await page.locator("#watch-field:focus").waitFor();
  await page.keyboard.type(text);
  await page.keyboard.press("Escape");
  await page.keyboard.press(key);
  await watches(page).filter({ hasText: text }).waitFor();
  await page.keyboard.press("Escape");
}

test("a watch says its value now and all steps at which it holds", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=54");
  await complete(page);
  await watch(page, "page[0].dirty");
  const row = watches(page);
  await row.filter({ hasText: /true.*holds \d+ × 53–\d+/s }).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await goTo(page, 52);
  await row.filter({ hasText: "false" }).waitFor();
  await page.waitForFunction(() => location.hash.includes(";w=page[0].dirty"));
  await accessible(page);
  wp.clean(page);
});

test("breakpoints stop runs in both directions, and never at the step they start from", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  const last = await complete(page);
  await watch(page, "probe == GPW_COPY", "Shift+Enter");
  const there = [];
  for (let at = -1; at !== (at = await hit(page, "r"));) there.push(at);
  assert.ok(there.length >= 3, `${there}`);
  assert.equal(there[0], 45);
  await goTo(page, last);
  const back = [];
  for (let at = -1; at !== (at = await hit(page, "R"));) back.unshift(at);
  assert.deepEqual(back, there);
  await page.waitForFunction(() => location.hash.includes(";bp=probe%20==%20GPW_COPY"));
  const hash = await page.evaluate(() => location.hash);
  const other = await wp.open(hash);
  await complete(other);
  await watches(other).filter({ hasText: "probe == GPW_COPY" }).waitFor();
  assert.equal(await other.getByRole("switch").getAttribute("aria-checked"), "true");
  wp.clean(page);
});

/** Runs to a hit; gives the step, the same one if there is none. */
async function hit(page, key) {
  const before = await step(page);
  await page.keyboard.press(key);
  await page.waitForFunction(
    (before) => document.querySelector('[data-testid="app"]').dataset.step !== String(before) || document.body.innerText.includes("No step in that direction hits"),
    before,
  );
  return step(page);
}

test("a breakpoint on a function and on a system call stops where it is entered", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0;bp=enter(pwritev),enter(ext4_da_write_begin)");
  await complete(page);
  assert.equal(await hit(page, "r"), 1);
  assert.equal(await hit(page, "r"), 27);
});

test("the field completes from the state and says where an error is", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=54");
  await complete(page);
  await page.keyboard.press("w");
  await page.locator("#watch-field:focus").waitFor();
  await page.keyboard.type("page[");
  const options = page.getByRole("listbox").getByRole("option");
  await options.filter({ hasText: "0]" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.type(".dir");
  await options.filter({ hasText: "dirty" }).filter({ hasText: "true" }).waitFor();
  await accessible(page);
  await page.keyboard.type("x");
  await page.locator("#watch-said").filter({ hasText: "at character 9: expected a field of `page`, found `dirx`" }).waitFor();
  wp.clean(page);
});

test("o goes to the step that wrote a value, and once more to the one before", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=60");
  await complete(page);
  await page.getByTestId("locals").locator('[data-path="generic_perform_write.copied"]').focus();
  const wrote = await moves(page, "o");
  assert.equal(wrote, 59);
  const list = page.getByTestId("writes");
  await list.locator('[aria-current="true"]').filter({ hasText: "59" }).waitFor();
  await list.getByRole("button", { name: "Go to step 49" }).click();
  await shows(page, 49);
  await accessible(page);
  // From a changed flag, with the keyboard alone.
  await goTo(page, 53);
  await page.getByRole("tab", { name: "Changes in this step" }).click();
  await page.getByTestId("changes").focus();
  await page.keyboard.press("ArrowDown");
  assert.ok(await page.evaluate(() => document.activeElement.dataset.path));
  wp.clean(page);
});

test("two markers are compared leaf by leaf and stand in the link", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=20");
  await complete(page);
  await page.keyboard.press("a");
  await goTo(page, 54);
  await page.keyboard.press("b");
  await page.keyboard.press("d");
  await page.getByTestId("diff").filter({ hasText: /NR_FILE_DIRTY\s*1 → 2/ }).waitFor();
  await page.waitForFunction(() => location.hash.includes(";ab=20~54"));
  // The scenario's own marker stands between.
  const own = await moves(page, "[");
  assert.ok(20 < own && own < 54);
  assert.equal(await moves(page, "["), 20);
  assert.equal(await moves(page, "]"), own);
  assert.equal(await moves(page, "]"), 54);
  await accessible(page);
  const other = await wp.open(await page.evaluate(() => location.hash));
  await complete(other);
  await other.getByTestId("diff").filter({ hasText: /NR_FILE_DIRTY\s*1 → 2/ }).waitFor();
  wp.clean(page);
});

test("the palette runs a command, opens a scenario and goes to a step", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  await complete(page);
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Commands" });
  await palette.waitFor();
  await accessible(page);
  await page.keyboard.type("next iter");
  await moves(page, "Enter");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("33");
  await page.keyboard.press("Enter");
  await shows(page, 33);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("open full-page");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.includes("s=lib:full-page"));
  wp.clean(page);
});

test("the palette finds a scenario by its title and by its name, in the language of the page", async () => {
  for (const [lang, typed, opened] of [["en", "nothing is kept", "short-copy"], ["ko", "모자란 복사 아무것도", "short-copy"], ["ko", "enospc", "enospc-delalloc"]]) {
    const page = await wp.open(`#1;s=lib:hole;t=0;l=${lang}`);
    await complete(page);
    await page.keyboard.press("Control+k");
    await page.keyboard.type(typed);
    await page.keyboard.press("Enter");
    await page.waitForFunction((name) => location.hash.includes(`s=lib:${name};`), opened);
    wp.clean(page);
  }
});

test("a line of the outline takes a breakpoint and runs to itself", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=21");
  await complete(page);
  const outline = page.getByTestId("outline");
  const line = outline.locator('[data-line="GPW_WRITE_BEGIN"]');
  await line.click();
  await shows(page, 26);
  await line.focus();
  await page.keyboard.press("B");
  assert.equal(await outline.locator('li:has([data-line="GPW_WRITE_BEGIN"]) .gut').getAttribute("aria-pressed"), "true");
  await accessible(page);
  await page.evaluate(() => document.activeElement.blur());
  assert.equal(await moves(page, "N") > 26, true);
  wp.clean(page);
});

test("each grain is stepped into, over and out of, and back", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=30");
  const last = await complete(page);
  const grain = (name) => page.getByRole("radio", { name }).check({ force: true });
  await grain("phase");
  await page.evaluate(() => document.activeElement.blur());
  assert.equal(await moves(page, "ArrowRight"), 44);
  assert.equal(await moves(page, "Shift+ArrowUp"), 60);
  assert.equal(await moves(page, "Shift+ArrowRight"), 63);
  assert.equal(await moves(page, "Shift+ArrowLeft"), 58);
  await goTo(page, 30);
  await grain("iteration");
  await page.evaluate(() => document.activeElement.blur());
  assert.equal(await moves(page, "ArrowRight"), 60);
  await goTo(page, 30);
  assert.equal(await moves(page, "Shift+ArrowRight"), 94);
  assert.equal(await moves(page, "Shift+ArrowUp"), 135);
  assert.equal(await moves(page, "Shift+ArrowDown"), 0);
  assert.ok(last > 135);
  wp.clean(page);
});

test("c runs to a line or to a row of the stack, and C back to it", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=21");
  await complete(page);
  const line = page.getByTestId("outline").locator('[data-line="GPW_WRITE_BEGIN"]');
  await line.focus();
  assert.equal(await moves(page, "c"), 26);
  await goTo(page, 60);
  await line.focus();
  assert.equal(await moves(page, "C"), 26);
  await goTo(page, 60);
  assert.equal(await moves(page, () => line.click({ modifiers: ["Shift"] })), 26);
  // Deep in write_begin, to where the loop is the innermost again; and back to before it was entered.
  await goTo(page, 35);
  const loop = page.getByTestId("stack").getByRole("button", { name: "generic_perform_write" });
  await page.getByTestId("stack").getByRole("button").first().focus();
  for (;;) {
    await page.keyboard.press("ArrowDown");
    if (await loop.evaluate((row) => row === document.activeElement)) break;
  }
  const after = await moves(page, "c");
  assert.ok(after > 35);
  assert.equal(await page.getByTestId("stack").getByRole("button").first().innerText(), "generic_perform_write");
  await goTo(page, 35);
  await loop.focus();
  assert.ok((await moves(page, "C")) < 35);
  assert.equal(await page.getByTestId("stack").getByRole("button").first().innerText(), "generic_perform_write");
  wp.clean(page);
});

test("a task is chosen to step in, is in the link, and is let go", async () => {
  const page = await wp.open("#1;s=lib:two-writers-share;t=1440");
  await complete(page);
  const current = async () => (await page.getByRole("tab", { selected: true }).and(page.locator(".task")).innerText()).split(" ")[0];
  assert.equal(await current(), "B");
  await page.keyboard.press("t");
  await page.getByTestId("followed").filter({ hasText: "B" }).waitFor();
  assert.equal(await page.locator("#follow").getAttribute("aria-pressed"), "true");
  await page.waitForFunction(() => location.hash.includes(";by=B"));
  const held = [];
  for (let n = 0; n < 8; n++) held.push(await moves(page, "ArrowRight"));
  assert.ok(held[7] > 1520, `${held}: over the steps of others`);
  assert.equal(await current(), "B");
  await accessible(page);
  const other = await wp.open(await page.evaluate(() => location.hash));
  await other.getByTestId("followed").filter({ hasText: "B" }).waitFor();
  // Another task from the palette, then none.
  await page.keyboard.press("Control+k");
  await page.keyboard.type("only steps of A");
  await page.keyboard.press("Enter");
  await page.getByTestId("followed").filter({ hasText: "A" }).waitFor();
  await page.getByTestId("followed").click();
  await page.getByTestId("followed").waitFor({ state: "detached" });
  await page.waitForFunction(() => !location.hash.includes(";by="));
  // The lane's name in the timeline.
  await page.locator(".lanes .lane").filter({ hasText: "B" }).click();
  await page.getByTestId("followed").filter({ hasText: "B" }).waitFor();
  assert.match(await page.locator(".lanes .lane.on").innerText(), /▸ B/);
  wp.clean(page);
});

test("a task is chosen by keyboard alone: its tab in the call stack, and t", async () => {
  const page = await wp.open("#1;s=lib:two-writers-share;t=1440");
  await complete(page);
  const lanes = (await page.locator(".lanes .lane").allInnerTexts()).map((name) => name.replace("▸ ", ""));
  const tabs = await page.locator(".task").allTextContents();
  assert.deepEqual(lanes.filter((name) => !tabs.some((tab) => tab.startsWith(name))), [], "every lane has a tab");
  await page.locator(".task[aria-selected=true]").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("t");
  await page.getByTestId("followed").filter({ hasText: lanes[0] }).waitFor();
  assert.match(await page.locator("#follow").innerText(), new RegExp(`${lanes[0]}$`));
  wp.clean(page);
});

test("o on a flag's chip and on a mark of the gauge", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=120");
  await complete(page);
  const origin = page.locator("section:has(#low-origin)");
  // By keyboard: into the head of the page's card, and along its chips.
  await page.locator(".pgh").focus();
  for (let n = 0; n < 3; n++) await page.keyboard.press("ArrowDown");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^dirty set/);
  const wrote = await moves(page, "o");
  assert.ok(wrote < 120);
  await origin.filter({ hasText: "page[0].dirty" }).waitFor();
  assert.match(await page.locator(".pgh .fl.D").first().getAttribute("aria-label"), /changed in this step/);
  await goTo(page, 120);
  await page.locator(".bhs .fl.d").first().click();
  await origin.filter({ hasText: "bh[0][0].delay" }).waitFor();
  await page.getByTestId("dirty").focus();
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.path), "NR_FILE_DIRTY");
  assert.ok((await moves(page, "o")) < 120);
  await origin.filter({ hasText: "NR_FILE_DIRTY" }).waitFor();
  // The count in the ring, by keyboard alone.
  await goTo(page, 120);
  const count = page.getByTestId("ratelimit").getByRole("button");
  await count.focus();
  await page.keyboard.press("Enter");
  await origin.filter({ hasText: "task[A].nr_dirtied" }).waitFor();
  assert.ok((await moves(page, "o")) < 120);
  await accessible(page);
  wp.clean(page);
});

test("the engine tab has the source of set-up steps too", async () => {
  const page = await wp.open("#1;s=lib:throttled-killed;t=1");
  const last = await complete(page);
  await page.getByRole("tab", { name: "Engine" }).click();
  for (const [at, file] of [[1, "program.rs"], [40, "kernel/src"], [last, ".rs"]]) {
    await goTo(page, at);
    await page.getByTestId("engine-source").locator("[aria-current=step]").waitFor();
    assert.ok((await page.locator("#panel-code .fn").getAttribute("title")).includes(file));
  }
  wp.clean(page);
});

test("a line of the engine's source is run to, and back to with Shift or C", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=21");
  await complete(page);
  await page.getByRole("tab", { name: "Engine" }).click();
  const line = page.getByTestId("engine-source").locator('[data-line="GPW_WRITE_BEGIN"]');
  assert.equal(await moves(page, () => line.click()), 26);
  const row = page.getByTestId("engine-source").getByRole("listitem").filter({ has: page.locator('[data-line="GPW_WRITE_BEGIN"]') });
  assert.equal(await row.getAttribute("aria-current"), "step");
  await row.locator(".n").filter({ hasText: "3×" }).waitFor();
  await page.waitForFunction(() => document.activeElement.dataset.line === "GPW_WRITE_BEGIN");
  assert.ok((await moves(page, "c")) > 26);
  assert.equal(await moves(page, "C"), 26);
  await row.locator(".gut").click();
  assert.equal(await row.locator(".gut").getAttribute("aria-pressed"), "true");
  await page.waitForFunction(() => location.hash.includes(";bp=probe%20==%20GPW_WRITE_BEGIN"));
  await accessible(page);
  wp.clean(page);
});

test("it works at 360 px", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=54;w=page[0].dirty,NR_FILE_DIRTY;bp=copied == 0", { viewport: { width: 360, height: 740 } });
  await complete(page);
  await page.getByRole("tab", { name: "Changes", exact: true }).click();
  await watches(page).nth(2).waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360));
  await accessible(page);
  wp.clean(page);
});

test("the scenario says what it is about, and its markers stand on the timeline", async () => {
  const page = await wp.open("#1;s=lib:throttled-killed;t=0");
  const last = await complete(page);
  assert.match(await narration(page), /Which bytes are in the file/);
  assert.match(await page.getByTestId("about-scenario").innerText(), /balance_dirty_pages/);
  const first = await moves(page, "]");
  assert.ok(first > 0 && first < last);
  assert.match(await narration(page), /◆/);
  assert.equal(await page.getByTestId("about-scenario").count(), 0);
  const second = await moves(page, "]");
  assert.ok(second > first);
  assert.equal(await moves(page, "["), first);
  await accessible(page);
  wp.clean(page);
});

test("a frame of the stack shows its own locals as long as it is there", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=30");
  await complete(page);
  const locals = page.getByTestId("locals");
  const outer = page.getByTestId("stack").getByRole("button", { name: "generic_perform_write" });
  assert.doesNotMatch(await locals.innerText(), /copied/);
  await outer.click();
  await page.getByTestId("locals-of").filter({ hasText: "generic_perform_write" }).waitFor();
  assert.deepEqual((await locals.locator("dt").allTextContents()).filter((text) => text.startsWith("bytes")), ["bytes: unsigned long, bytes"]);
  assert.match(await locals.innerText(), /copied/);
  // The frame is not where it was: the innermost one's are shown again.
  await goTo(page, 9);
  assert.equal(await page.getByTestId("locals-of").count(), 0);
  await accessible(page);
  wp.clean(page);
});

test("a run that an intervention left stays in a list, over a reload too", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=74");
  const whole = await complete(page);
  await page.getByRole("button", { name: "SIGKILL", exact: true }).click();
  await page.waitForFunction(() => location.hash.includes("s=z:"));
  const cut = await complete(page);
  assert.notEqual(cut, whole);
  await page.reload();
  assert.equal(await complete(page), cut);
  await page.getByRole("tab", { name: /Runs/ }).click();
  const runs = page.getByTestId("runs").getByRole("listitem");
  assert.deepEqual(await runs.count(), 2);
  assert.match(await runs.nth(1).innerText(), /SIGKILL A: pwritev iteration 1/);
  await accessible(page);
  await runs.first().getByRole("button").click();
  await page.locator(`[role=slider][aria-valuemax="${whole}"]`).waitFor();
  assert.equal(await complete(page), whole);
  // The first run has the library's name, and the list outlives a language switch in another scenario.
  await page.waitForFunction(() => location.hash.includes("s=lib:short-copy"));
  await runs.nth(1).getByRole("button").click();
  await page.locator(`[role=slider][aria-valuemax="${cut}"]`).waitFor();
  const hash = await page.evaluate(() => location.hash);
  await page.evaluate(() => (location.hash = "#1;s=lib:hole;t=0"));
  await page.waitForFunction(() => document.querySelector("#scenario").value === "hole");
  await page.locator("#lang").click();
  await page.locator("html[lang=ko]").waitFor();
  await page.evaluate((hash) => (location.hash = hash), hash);
  await page.locator(`[role=slider][aria-valuemax="${cut}"]`).waitFor();
  await page.locator("#low-runs").click();
  assert.equal(await runs.count(), 2);
  wp.clean(page);
});

test("steps, picture and scenario are taken away as files", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=54");
  const last = await complete(page);
  const said = (await narration(page)).split("\n")[0];
  const csv = await takeAway(page, "(.csv)");
  assert.equal(csv.name, "short-copy-steps.csv");
  assert.equal(csv.bytes.toString().trimEnd().split("\r\n").length, last + 2);
  const picture = await takeAway(page, "Picture");
  assert.equal(picture.name, "short-copy-54.svg");
  assert.ok(picture.bytes.toString().includes(said.slice(0, 20)));
  const scenario = await takeAway(page, "Scenario");
  assert.equal(JSON.parse(scenario.bytes).version, 1);
  // Between the markers only.
  await goTo(page, 20);
  await page.keyboard.press("a");
  await goTo(page, 24);
  await page.keyboard.press("b");
  const rows = (await takeAway(page, "(.md)")).bytes.toString().trim().split("\n");
  assert.deepEqual([rows.length, rows[2].slice(0, 5), rows[6].slice(0, 5)], [7, "| 20 ", "| 24 "]);
  wp.clean(page);
});
