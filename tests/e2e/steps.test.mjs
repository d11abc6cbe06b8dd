// The list of all steps and the words that are found in it: few rows however long the run, one place with the slider,
// everything by the keyboard.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { accessible, dist, site } from "./harness.mjs";
import { fits, legible } from "./looks.mjs";
import { complete, dropFile, goTo, moves, shows, step } from "./reader.mjs";

const wp = site();
const list = (page) => page.getByTestId("steps");
const field = (page) => page.locator("#find-field");
const small = { viewport: { width: 360, height: 740 } };

/** Opens the list by its tab. */
async function open(page) {
  await page.locator("#low-steps").click();
  await list(page).locator("[role=option]").first().waitFor();
  // The arrow keys are the page's again, not those of the tabs.
  await page.evaluate(() => document.activeElement.blur());
}

/** The rows in the document, with their place in the list's own window. */
const rows = (page) =>
  list(page).evaluate((node) => {
    const area = node.getBoundingClientRect();
    const children = [...node.querySelectorAll(".drawn > *")].map((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return { to: Number(row.dataset.to), option: row.role === "option", top: top - area.top, bottom: bottom - area.top };
    });
    return { height: area.height, top: node.scrollTop, all: node.scrollHeight, children };
  });

/** The step of the row that stands for the step on screen, once it can be seen in the list. */
async function marked(page, wanted) {
  await page.waitForFunction((wanted) => {
    const row = document.querySelector("#steps [aria-selected=true]");
    if (!row || (wanted !== null && row.dataset.to !== String(wanted))) return false;
    const [one, all] = [row.getBoundingClientRect(), document.querySelector("#steps").getBoundingClientRect()];
    return one.top >= all.top - 0.5 && one.bottom <= all.bottom + 0.5;
  }, wanted ?? null);
  return Number(await list(page).locator("[aria-selected=true]").getAttribute("data-to"));
}

/** A scenario of some 90,000 steps: a write of 2,250 pages. */
function long() {
  const scenario = JSON.parse(readFileSync(join(dist, "static/scenarios/full-page.json"), "utf8"));
  const len = 2250 * 4096;
  scenario.image.mkfs.size_mib = 64;
  scenario.buffers[0].len = len;
  scenario.tasks[0].ops[0].pwrite.iov[0].len = len;
  return JSON.stringify({ ...scenario, markers: [] });
}

test("of ninety thousand steps only those in sight are in the document, wherever the list is scrolled to", async () => {
  const page = await wp.open("");
  await dropFile(page, "long.json", long());
  await page.waitForFunction(() => Number(document.querySelector("[role=slider]").ariaValueMax) > 1000);
  const last = await complete(page);
  assert.ok(last > 85_000, `${last} steps`);
  await open(page);
  const counts = [];
  for (const part of [0, 0.01, 0.5, 0.77, 1, 0.2]) {
    await list(page).evaluate((node, part) => (node.scrollTop = part * node.scrollHeight), part);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const { height, children } = await rows(page);
    assert.ok(children[0].top <= 0.5 && children.at(-1).bottom >= height - 0.5, `a gap at ${part}: ${JSON.stringify([height, children[0], children.at(-1)])}`);
    counts.push(children.length);
  }
  assert.ok(Math.max(...counts) <= 50 && Math.min(...counts) >= 10, `${counts}`);
  // Every row says its sentence.
  const said = await list(page).locator("[role=option] .tells").allInnerTexts();
  assert.ok(said.every((text) => text.length > 5), `${said}`);
  assert.equal(await list(page).locator("[role=option]").first().getAttribute("aria-setsize"), String(last + 1));

  // The end of the list is the end of the run.
  await list(page).focus();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await shows(page, last);
  assert.equal(await marked(page, last), last);

  // A search over all of it lets the page step meanwhile, says how far it is, and then how many there are.
  await page.evaluate(() => {
    window.slow = [];
    new PerformanceObserver((found) => window.slow.push(...found.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
  });
  await page.keyboard.press("/");
  await page.locator("#find-field:focus").waitFor();
  await page.keyboard.type("no step says such words");
  await page.locator(".findbar .nth").filter({ hasText: "%" }).waitFor();
  await page.locator("#find-said").filter({ hasText: "No step says this" }).waitFor({ state: "attached" });
  await field(page).fill("\"write_end\" 2249");
  await page.locator("#find-said").filter({ hasText: /step/ }).waitFor({ state: "attached" });
  const slow = await page.evaluate(() => window.slow);
  console.log(`tasks over 50 ms while 90,000 steps were searched twice: ${slow.length}, the longest ${Math.max(0, ...slow)} ms`);
  assert.ok(Math.max(0, ...slow) < 200, `${slow}`);
  wp.clean(page);
});

test("list and slider are one place: each follows the other, and the page does not scroll", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=40");
  const last = await complete(page);
  await open(page);
  assert.equal(await marked(page), 40);
  const at = () => page.evaluate(() => [scrollX, scrollY, document.querySelector("main").scrollTop]);
  const before = await at();
  for (let k = 0; k < 25; k++) {
    const now = await moves(page, "ArrowRight");
    assert.equal(await marked(page, now), now);
  }
  await moves(page, "End");
  assert.equal(await marked(page, last), last);
  assert.deepEqual(await at(), before);
  // A row drives the run as the slider does.
  await goTo(page, 100);
  await marked(page, 100);
  await list(page).locator("[data-to='98'][role=option]").click();
  await shows(page, 98);
  const slider = page.getByRole("slider");
  assert.equal(await slider.getAttribute("aria-valuenow"), "98");
  const [what] = (await slider.getAttribute("aria-valuetext")).split(/^step 98: /).slice(1);
  assert.ok((await list(page).locator("[aria-selected=true] .tells").innerText()) === what, "the row says the slider's sentence");
  // A click is a jump: the browser's button leads back.
  await page.goBack();
  await shows(page, 100);
  // Scrolled away by hand it stays there until the run moves.
  await list(page).evaluate((node) => (node.scrollTop = 0));
  await page.waitForFunction(() => document.querySelector("#steps [data-to='0']"));
  await moves(page, "ArrowRight");
  assert.equal(await marked(page, 101), 101);
  wp.clean(page);
});

test("without a mouse: the tab, the rows, and the way to a step", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=40");
  await complete(page);
  await page.locator("#low-changes").focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("#low-steps[aria-selected=true]:focus").waitFor();
  for (let n = 0; n < 8 && (await page.evaluate(() => document.activeElement.id)) !== "steps"; n++) await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "steps");
  const active = async () => {
    const id = await list(page).getAttribute("aria-activedescendant");
    return Number(await page.locator(`[id="${id}"]`).getAttribute("data-to"));
  };
  const reaches = (wanted) =>
    page.waitForFunction((wanted) => document.querySelector("#steps").getAttribute("aria-activedescendant") === `row-${wanted}`, wanted);
  assert.equal(await active(), 40);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await reaches(42);
  await page.keyboard.press("ArrowUp");
  await reaches(41);
  assert.equal(await step(page), 40, "looking does not step");
  await page.keyboard.press("PageDown");
  await page.waitForFunction(() => Number(document.querySelector("#steps").getAttribute("aria-activedescendant").slice(4)) > 44);
  const there = await active();
  await page.keyboard.press("Enter");
  await shows(page, there);
  assert.equal(await marked(page, there), there);
  await page.keyboard.press("Home");
  await reaches(0);
  // The keys of the page step from the step on screen, and the list goes along.
  assert.equal(await moves(page, "ArrowRight"), there + 1);
  await reaches(there + 1);
  await accessible(page);
  wp.clean(page);
});

test("the grain chooses the rows: those that the key stops at", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0;g=phase");
  await complete(page);
  await open(page);
  const size = async () => Number(await list(page).locator("[role=option]").first().getAttribute("aria-setsize"));
  const phases = await size();
  const stops = [0];
  for (let k = 1; k < phases; k++) stops.push(await moves(page, "ArrowRight"));
  for (const stop of stops) {
    await goTo(page, stop);
    assert.equal(await marked(page, stop), stop);
    const position = await list(page).locator("[aria-selected=true]").getAttribute("aria-posinset");
    assert.equal(Number(position), stops.indexOf(stop) + 1);
  }
  await page.getByRole("radio", { name: "iteration" }).or(page.getByRole("button", { name: "iteration", exact: true })).first().click();
  await page.waitForFunction((phases) => Number(document.querySelector("#steps [role=option]").ariaSetSize) < phases, phases);
  wp.clean(page);
});

test("words are found, gone through both ways and round the ends, and let go of", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=40");
  await complete(page);
  await page.getByRole("slider").focus();
  await page.keyboard.press("/");
  await page.locator("#find-field:focus").waitFor();
  await page.keyboard.type("generic_perform_write");
  const said = page.locator("#find-said");
  await said.filter({ hasText: /^\d+ steps$|of/ }).waitFor({ state: "attached" });
  const steps = await list(page).evaluate((node) => {
    node.scrollTop = 0;
    return Number(node.querySelector("[role=option]").ariaSetSize);
  });
  const all = [];
  const enter = async (key) => {
    const was = await step(page);
    await page.keyboard.press(key);
    await page.locator(`[data-testid="app"]:not([data-step="${was}"])`).waitFor();
    return step(page);
  };
  const first = await enter("Enter");
  assert.ok(first > 40);
  all.push(first);
  while (all.length < steps) all.push(await enter("Enter"));
  assert.equal(await enter("Enter"), first, "after all of them comes the first again");
  assert.equal(new Set(all).size, steps);
  const sorted = all.toSorted((a, b) => a - b);
  await said.filter({ hasText: `${sorted.indexOf(first) + 1} of ${steps}` }).waitFor({ state: "attached" });
  assert.equal(await enter("Shift+Enter"), all.at(-1));
  assert.equal(await field(page).inputValue(), "generic_perform_write");
  await accessible(page);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "timeline", "who had the focus has it again");
  assert.equal(await field(page).inputValue(), "");
  assert.equal(await marked(page), all.at(-1));
  // Nothing found is said, and Enter leads nowhere.
  await page.keyboard.press("/");
  await page.keyboard.type("zzz");
  await said.filter({ hasText: "No step says this" }).waitFor({ state: "attached" });
  await page.keyboard.press("Enter");
  // A step would be on screen by then.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(await step(page), all.at(-1));
  await accessible(page);
  wp.clean(page);
});

test("rare events are listed alone, with what happened", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  await complete(page);
  await open(page);
  await page.getByLabel("Which steps are listed").selectOption({ label: "faults, short copies" });
  await page.locator("#find-said").filter({ hasText: /^\d steps$/ }).waitFor({ state: "attached" });
  const said = await list(page).locator(".ev").allInnerTexts();
  assert.ok(said.length >= 2 && said.every((text) => /fault/.test(text)), `${said}`);
  await page.getByRole("button", { name: "Next match" }).click();
  const found = Number(await list(page).locator("[role=option]").first().getAttribute("data-to"));
  await shows(page, found);
  // With words, those of them that say them.
  await field(page).fill("mapped");
  await page.waitForFunction((all) => document.querySelectorAll("#steps [role=option]").length < all, said.length);
  wp.clean(page);
});

test("in Korean the rows speak Korean and its words are found; another scenario is searched anew", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=40;l=ko");
  await complete(page);
  await open(page);
  const row = await list(page).locator("[aria-selected=true] .tells").innerText();
  assert.match(row, /[가-힣]/);
  await page.keyboard.press("/");
  await page.keyboard.type("복사");
  await page.locator("#find-said").filter({ hasText: /[0-9]단계|중/ }).waitFor({ state: "attached" });
  await accessible(page);
  await fits(page);
  await legible(page);
  const before = await page.locator("#find-said").innerText();
  await page.evaluate(() => (location.hash = "#1;s=lib:two-writers-share;t=0;l=ko"));
  await complete(page);
  await page.waitForFunction((before) => {
    const said = document.querySelector("#find-said").innerText;
    return said !== "" && said !== before;
  }, before);
  wp.clean(page);
});

for (const [look, options] of Object.entries({ "360 px": small, "360 px, dark": { ...small, colorScheme: "dark" }, "forced colours": { forcedColors: "active" }, dark: { colorScheme: "dark" } })) {
  test(`the list can be read and used, ${look}`, async () => {
    const page = await wp.open("#1;s=lib:two-writers-share;t=300", options);
    await complete(page);
    await page.keyboard.press("/");
    await page.locator("#find-field:focus").waitFor();
    await marked(page, 300);
    await accessible(page);
    await fits(page);
    await legible(page);
    await list(page).locator("[role=option]").nth(8).click();
    await page.locator('[data-testid="app"]:not([data-step="300"])').waitFor();
    wp.clean(page);
  });
}

test("on a first visit the list brings the engine, and shows the same step", async () => {
  const page = await wp.open("");
  await complete(page);
  await moves(page, "ArrowRight");
  await page.keyboard.press("/");
  await page.locator("#find-field:focus").waitFor();
  assert.equal(await marked(page, 1), 1);
  wp.clean(page);
});
