// Keys, sheets, links, and the page at its smallest: by keyboard alone, with axe looking at each.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, site } from "./harness.mjs";
import { complete, goTo, moves, screen, shows } from "./reader.mjs";

const wp = site();

const looks = {
  wide: {},
  dark: { colorScheme: "dark" },
  narrow: { viewport: { width: 360, height: 740 } },
  "narrow, dark": { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
};

async function fits(page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${over} px wider than the window`);
}

for (const [look, options] of Object.entries(looks)) {
  test(`every sheet opens and closes by keyboard, and axe finds nothing: ${look}`, async () => {
    const page = await wp.open("#1;s=lib:short-copy;t=54", options);
    await complete(page);
    await accessible(page);
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keys and help" });
    await help.waitFor();
    await accessible(page);
    await fits(page);
    await help.getByRole("button", { name: "About this model" }).focus();
    await page.keyboard.press("Enter");
    const about = page.getByRole("dialog", { name: "About this model" });
    await about.waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    await about.waitFor({ state: "detached" });
    await page.keyboard.press("e");
    const own = page.getByRole("dialog", { name: "Edit the scenario" });
    await own.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.localName), "textarea");
    await accessible(page);
    await fits(page);
    await page.keyboard.press("Escape");
    await own.waitFor({ state: "detached" });
    assert.equal(await page.getByTestId("step").innerText(), "54");
    wp.clean(page);
  });

  test(`every scenario's phases pass axe: ${look}`, async () => {
    const page = await wp.open("", options);
    const names = await page.locator("select").first().locator("option").evaluateAll((list) => list.map((each) => each.value));
    assert.ok(names.length >= 9, `${names}`);
    for (const name of names) {
      // The one on screen is not chosen again: it would begin anew, at a moment that nothing on the page tells.
      const choice = page.locator("select").first();
      if ((await choice.inputValue()) !== name) await choice.selectOption(name);
      await page.waitForFunction((name) => location.hash.includes(`s=lib:${name};t=0`), name);
      const last = await complete(page);
      await goTo(page, Math.floor(last / 2));
      await accessible(page);
      await fits(page);
    }
    wp.clean(page);
  });
}

test("any block opens decoded, with its bytes, by keyboard", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=54");
  await complete(page);
  await page.getByRole("button", { name: "Blocks" }).focus();
  await page.keyboard.press("Enter");
  const sheet = page.getByRole("dialog", { name: /^Block 0/ });
  await sheet.waitFor();
  assert.match(await sheet.getByTestId("block-fields").innerText(), /s_magic\s+0xef53/);
  assert.match(await sheet.getByTestId("block-hex").innerText(), /53 ef/);
  await accessible(page);
  await sheet.getByRole("button", { name: "s_magic" }).focus();
  await page.keyboard.press("Enter");
  assert.equal((await sheet.locator("mark").innerText()).trim(), "53 ef");
  await sheet.getByRole("textbox", { name: "Block" }).fill("35");
  await page.keyboard.press("Enter");
  const inodes = page.getByRole("dialog", { name: /^Block 35 · .*inode table/i });
  await inodes.waitFor();
  assert.match(await inodes.getByTestId("block-fields").innerText(), /i_mode/);
  await accessible(page);
  await page.keyboard.press("Escape");
  await inodes.waitFor({ state: "detached" });
  wp.clean(page);
});

test("the keys of the table", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  const last = await complete(page);
  assert.equal(await moves(page, "."), 1);
  assert.equal(await moves(page, ","), 0);
  assert.equal(await moves(page, "End"), last);
  assert.equal(await moves(page, "Home"), 0);
  await goTo(page, 40);
  const over = await moves(page, "Shift+ArrowRight");
  assert.ok(over > 40);
  await moves(page, "Shift+ArrowLeft");
  const out = await moves(page, "Shift+ArrowUp");
  assert.ok(out > 40);
  for (const [key, id] of [["1", "panel-code"], ["2", "panel-mem"], ["3", "panel-page"], ["4", "panel-disk"], ["5", "panel-dirty"], ["6", "panel-changes"], ["7", "timeline"]]) {
    await page.keyboard.press(key);
    await page.waitForFunction((id) => document.activeElement.id === id, id);
  }
  assert.equal(await moves(page, "PageDown"), Math.min(out + 10, last));
  await page.evaluate(() => document.activeElement.blur());
  // A browser's own keys are left alone.
  const taken = await page.evaluate(() => {
    const event = new KeyboardEvent("keydown", { key: "ArrowRight", altKey: true, bubbles: true, cancelable: true });
    document.body.dispatchEvent(event);
    return event.defaultPrevented;
  });
  assert.equal(taken, false);
  // Playing ends at the end.
  await page.getByRole("combobox", { name: "speed" }).selectOption("100×");
  await page.keyboard.press("Home");
  await shows(page, 0);
  await page.keyboard.press(" ");
  await shows(page, last);
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  wp.clean(page);
});

test("the tabs of the smallest page show every panel", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=173", { viewport: { width: 360, height: 740 } });
  await complete(page);
  await page.getByRole("tab", { name: "Page" }).focus();
  const seen = { Code: "outline", Memory: "user-memory", Page: "page-view", Disk: "device", Dirty: "dirty", Changes: "changes" };
  if (!(await page.getByTestId("user-memory").count())) seen.Memory = undefined;
  for (const [name, id] of Object.entries(seen)) {
    await page.getByRole("tab", { name, exact: true }).click();
    await page.getByRole("tab", { name, exact: true, selected: true }).waitFor();
    if (id) assert.ok(await page.getByTestId(id).isVisible(), name);
    await accessible(page);
    await fits(page);
  }
  wp.clean(page);
});

test("the hash always holds scenario and step; what it does not know is kept", async () => {
  const page = await wp.open("");
  const hash = (text) => page.waitForFunction((text) => location.hash === text, text);
  await hash("#1;s=lib:full-page;t=0");
  await moves(page, "ArrowRight");
  await hash("#1;s=lib:full-page;t=1");

  await page.evaluate(() => (location.hash = "#1;s=lib:short-copy;t=54;bp=copy%3B2;flag"));
  await shows(page, 54);
  assert.match(await page.getByTestId("narration").innerText(), /yet leaves page 0 uptodate and dirty/);
  await moves(page, "ArrowRight");
  await hash("#1;s=lib:short-copy;t=55;bp=copy%3B2;flag");

  // Stepping leaves no trail in the browser's history, a jump does.
  await goTo(page, 100);
  await hash("#1;s=lib:short-copy;t=100;bp=copy%3B2;flag");
  await page.goBack();
  await shows(page, 55);

  await complete(page);
  const before = await screen(page);
  await page.reload();
  await shows(page, 55);
  await complete(page);
  assert.deepEqual(await screen(page), before);
  wp.clean(page);
});

test("a shared link has the digest of its step, and whoever opens it learns if the model has changed", async () => {
  const page = await wp.blank({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto(`${wp.url}#1;s=lib:short-copy;t=54`);
  await complete(page);
  await shows(page, 54);
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await page.getByText("Link copied.").waitFor();
  const hash = new URL(await page.evaluate(() => navigator.clipboard.readText())).hash;
  assert.match(hash, /;t=54;h=[0-9a-f]+/);

  const same = await wp.open(hash);
  await complete(same);
  await shows(same, 54);
  assert.equal(await same.getByTestId("notice").innerText(), "");
  await moves(same, "ArrowRight");
  await same.waitForFunction(() => location.hash.includes(";t=55") && !location.hash.includes(";h="));

  const stale = await wp.open(hash.replace(/;h=[0-9a-f]+/, ";h=1234"));
  await stale.getByText("The model has changed since this link was made.").waitFor();
  await shows(stale, 54);
  wp.clean(same);
  wp.clean(stale);
});

test("a link to what does not exist is told, and the page is of use", async () => {
  const page = await wp.open("#1;s=lib:no-such-thing;t=5");
  await page.getByRole("alert").getByText("no-such-thing").waitFor();
  await page.getByRole("button", { name: "Dismiss" }).click();
  await moves(page, "ArrowRight");
  wp.clean(page);

  const damaged = await wp.open("#1;s=z:AAAA;t=5");
  await damaged.getByRole("alert").getByText("This link cannot be read.").waitFor();
  await damaged.getByRole("button", { name: "Dismiss" }).click();
  await moves(damaged, "ArrowRight");
  wp.clean(damaged);

  const beyond = await wp.open("#1;s=lib:short-copy;t=99999");
  await shows(beyond, await complete(beyond));
  wp.clean(beyond);
});

test("slots stay where they are from step to step", async () => {
  for (const viewport of [{ width: 1280, height: 900 }, { width: 1600, height: 1000 }]) {
    const page = await wp.open("#1;s=lib:short-copy;t=0", { viewport });
    const last = await complete(page);
    const places = () =>
      page.evaluate(() =>
        [".say", ".code", ".locals", ".stacks", ".changes", "#panel-mem", "#panel-page", "#panel-disk", "[data-testid=device]", "#panel-dirty", ".tl", ".bar"].map((slot) => {
          const { x, y, width, height } = document.querySelector(slot).getBoundingClientRect();
          return `${slot} ${[x, y, width, height].map(Math.round)}`;
        }));
    const first = await places();
    for (let at = 1; at <= last; at++) {
      await moves(page, "ArrowRight");
      assert.deepEqual(await places(), first, `${viewport.width} px, step ${at}`);
    }
    wp.clean(page);
  }
});
