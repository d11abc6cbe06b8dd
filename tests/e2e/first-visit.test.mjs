// What a first visit loads, and how the rest of the wasm comes when it is wanted.

import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dist, ready, site } from "./harness.mjs";
import { visit, windows } from "./first-visit.mjs";
import { complete, goTo, moves, narration, screen, shows } from "./reader.mjs";

const wp = site({ prefix: "/some/folder/" });
const [first] = JSON.parse(readFileSync(join(dist, "static/scenarios/index.json"), "utf8")).flatMap((group) => group.scenarios ?? [group]);

/** A page that keeps what it asked for: its path in the site without hashes, and by which way. */
async function watched(options) {
  const page = await wp.blank(options);
  const asked = [];
  page.on("request", (request) => {
    const path = request.url().split("#")[0].slice(wp.url.length).replace(/-[0-9a-f]{12,16}(?=[._])/, "");
    asked.push(`${request.resourceType()} ${path}`);
  });
  return { page, asked };
}

const rest = (asked) => asked.filter((each) => each.endsWith(" rest.wasm"));

/** Clicks without the pointer's coming near first. */
const suddenly = (button) => button.evaluate((element) => element.click());

for (const options of windows) {
  const lang = options.locale ? "ko" : "en";
  const look = `${options.viewport.width} px wide, ${lang}`;
  test(`a first visit loads these files alone, ${look}`, async () => {
    const { page, asked } = await watched(options);
    await page.goto(wp.url);
    await ready(page);
    const last = await complete(page);
    await moves(page, "ArrowRight");
    await page.keyboard.press("End");
    await shows(page, last);
    await page.waitForLoadState("networkidle");
    const words = lang === "ko" ? ["static/lang/ko.txt"] : [];
    const golden = first.golden ? [`static/golden/${first.name}.txt`] : [];
    // As xtask/src/site.rs counts them. The browser asks for the icon again when the address changes.
    const expected = ["", "boot.js", "motion.js", "app.js", "first.wasm", `screens-${lang}.txt`, "main.css", "icon.svg", ...words, ...golden];
    const files = new Set(asked.map((each) => each.split(" ")[1]));
    assert.deepEqual([...files].sort(), expected.sort());
    wp.clean(page);
  });

  test(`nothing that a reader of the first scenario does wants the rest, ${look}`, async () => {
    const { page, asked } = await watched(options);
    await page.goto(wp.url);
    await ready(page);
    await visit(page);
    assert.deepEqual(rest(asked), [], "run `cargo xtask first-visit`: www/later.txt is older than the code");
    wp.clean(page);
  });
}

for (const lang of ["en", "ko"]) {
  test(`the engine takes over from the recorded screens, and shows the same: ${lang}`, async () => {
    const { page, asked } = await watched();
    await page.goto(`${wp.url}#1;l=${lang}`);
    await ready(page);
    const last = await complete(page);
    const screens = async () => {
      const all = [];
      for (const step of [0, 1, last >> 1, last - 1, last]) {
        await goTo(page, step);
        all.push(await screen(page));
      }
      return all;
    };
    const recorded = await screens();
    assert.deepEqual(rest(asked), []);
    // A block of the device is no screen: the engine decodes it.
    const blocks = page.getByRole("button", { name: lang === "en" ? "Blocks" : "블록", exact: true });
    const coming = page.waitForResponse("**/rest-*.wasm");
    await blocks.hover();
    await (await coming).finished();
    await blocks.click();
    await page.getByTestId("block-fields").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("block-fields").waitFor({ state: "detached" });
    assert.deepEqual(rest(asked), ["fetch rest.wasm"]);
    const computed = await screens();
    for (const [n, screen] of recorded.entries()) assert.deepEqual(computed[n], screen);
    wp.clean(page);
  });
}

test("a recording that does not come is no loss: the engine comes at once", async () => {
  for (const file of [(route) => route.abort(), (route) => route.fulfill({ body: "no recording" })]) {
    const { page } = await watched();
    await page.route("**/screens-en-*", file);
    await page.goto(wp.url);
    await ready(page);
    const last = await complete(page);
    await goTo(page, last);
    assert.notEqual(await narration(page), "");
  }
});

test("another scenario brings the rest, once", async () => {
  const { page, asked } = await watched();
  await page.goto(wp.url);
  await ready(page);
  await page.locator("#scenario").selectOption("short-copy");
  await page.waitForFunction(() => location.hash.includes("s=lib:short-copy;"));
  await complete(page);
  await page.locator("#scenario").selectOption("data-journal");
  await page.waitForFunction(() => location.hash.includes("s=lib:data-journal;"));
  await complete(page);
  assert.deepEqual(rest(asked), ["fetch rest.wasm"]);
  wp.clean(page);
});

test("of two scenarios chosen one after the other the last one opens, whichever arrives first", async () => {
  const { page } = await watched();
  let letGo;
  const held = new Promise((done) => (letGo = done));
  await page.route("**/scenarios/short-copy.json", (route) => held.then(() => route.continue()));
  await page.goto(wp.url);
  await ready(page);
  const asked = page.waitForRequest("**/scenarios/short-copy.json");
  await page.locator("#scenario").selectOption("short-copy");
  await asked;
  await page.locator("#scenario").selectOption("data-journal");
  await page.waitForFunction(() => location.hash.includes("s=lib:data-journal;"));
  await complete(page);
  const late = page.waitForResponse("**/scenarios/short-copy.json");
  letGo();
  await (await late).finished();
  await page.evaluate(() => new Promise(requestAnimationFrame));
  assert.match(await page.evaluate(() => location.hash), /s=lib:data-journal;/);
  wp.clean(page);
});

test("the pointer over the choice of scenarios fetches it ahead", async () => {
  const { page, asked } = await watched();
  await page.goto(wp.url);
  await ready(page);
  assert.deepEqual(rest(asked), []);
  const coming = page.waitForRequest("**/rest-*.wasm");
  await page.locator("#scenario").hover();
  await coming;
  wp.clean(page);
});

test("a link to another scenario opens it", async () => {
  const { page, asked } = await watched();
  await page.goto(`${wp.url}#1;s=lib:short-copy;t=54`);
  await shows(page, 54);
  assert.deepEqual(rest(asked), ["fetch rest.wasm"]);
  wp.clean(page);
});

test("a function that is not there has the rest loaded in the middle of the call", async () => {
  const { page, asked } = await watched();
  await page.goto(wp.url);
  await ready(page);
  await complete(page);
  // Nothing says ahead that this will be wanted, and no first visit does it.
  await suddenly(page.getByRole("button", { name: "Share" }));
  await page.getByText(/^Link (copied|not copied)/).waitFor();
  assert.deepEqual(rest(asked), ["xhr rest.wasm"]);
  await page.keyboard.press("ArrowRight");
  await shows(page, 1);
  assert.notEqual(await narration(page), "");
});

test("if the rest does not come, the run goes on, and it may be tried again", async () => {
  const { page } = await watched();
  let away = true;
  await page.route("**/rest-*.wasm", (route) => (away ? route.abort() : route.continue()));
  await page.goto(wp.url);
  await ready(page);
  const last = await complete(page);
  await page.locator("#scenario").selectOption("short-copy");
  await page.getByText("A part of the program could not be loaded.").waitFor();
  await page.keyboard.press("End");
  await shows(page, last);
  away = false;
  await page.keyboard.press("e");
  await page.getByRole("dialog", { name: "Edit the scenario" }).waitFor();
});

test("if it does not come in the middle of a call, the page says so", async () => {
  const { page } = await watched();
  await page.route("**/rest-*.wasm", (route) => route.abort());
  await page.goto(wp.url);
  await ready(page);
  await complete(page);
  await suddenly(page.getByRole("button", { name: "Share" }));
  await page.getByRole("alert").getByText("Writepath could not be loaded").waitFor();
});
