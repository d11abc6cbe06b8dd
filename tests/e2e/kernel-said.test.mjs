// What the real kernel's trace says stands beside the steps of a scenario that was recorded.

import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { accessible, dist, picture, site } from "./harness.mjs";
import { complete, goTo, moves } from "./reader.mjs";

const wp = site();

const sizes = {
  wide: { viewport: { width: 1280, height: 900 } },
  dark: { viewport: { width: 1600, height: 1000 }, colorScheme: "dark" },
  narrow: { viewport: { width: 360, height: 740 } },
};

/** Lines of the kernel's trace of a short copy, and a step where none falls. */
const lines = [
  "iov_iter_copy_from_user_atomic(offset=0 bytes=4096) {",
  "page_zero_new_buffers(from=0 to=4096) {",
  "iov_iter_single_seg_count() = 1000",
  "",
];
const file = () => readFileSync(join(dist, "static/golden/short-copy-race.txt"), "utf8").split("\n").slice(1, -1);
const stepOf = (line) => {
  const all = file().map((each) => /^(\d+)(.)(.*)$/.exec(each));
  if (line) return Number(all.find(([, , , text]) => text.trim() === line)[1]);
  const taken = new Set(all.map(([, step]) => Number(step)));
  return [...Array(taken.size).keys()].find((step) => !taken.has(step + 1)) + 1;
};

for (const [size, options] of Object.entries(sizes)) {
  test(`the kernel's lines beside the steps, ${size}`, async () => {
    const page = await wp.open("#1;s=lib:short-copy-race;t=0", options);
    await complete(page);
    if (size === "narrow") await page.getByRole("tab", { name: "Code", exact: true }).click();
    const slot = page.getByRole("region", { name: "The kernel said" });
    const list = page.getByTestId("kernel-said");
    await list.waitFor();
    assert.match(await page.getByTestId("lines-agree").innerText(), /^(\d+) of \1 lines agree$/);
    // The narration above may take a line more on a small screen, and the code scrolls: in the panels the slot stays.
    const place = () =>
      slot.evaluate((its) => {
        const main = its.closest("main");
        const [here, there] = [its, main].map((each) => each.getBoundingClientRect());
        return [here.x - there.x, here.y - there.y, here.width, here.height];
      });
    const first = await place();
    for (const line of lines) {
      const step = stepOf(line);
      await goTo(page, step);
      const said = await list.innerText();
      if (line) assert.ok(said.includes(line), `step ${step} says ${said}`);
      else assert.equal(said, "no line of the kernel’s trace falls here");
      assert.equal((await list.getByRole("img", { name: "agrees" }).count()) > 0, line !== "");
      assert.deepEqual(await place(), first, "the slot stays where it is");
      await picture(page, `kernel-said-${size}-${step}`);
    }
    await accessible(page);
    await list.focus();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "kernel-said");
    wp.clean(page);
  });
}

test("a scenario that was not recorded has no such slot, and one that was gets its own lines", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  await complete(page);
  assert.equal(await page.getByTestId("kernel-said").count(), 0);
  await page.locator("select").first().selectOption("full-page");
  await page.getByTestId("kernel-said").waitFor();
  await complete(page);
  await goTo(page, 1);
  const first = await page.getByTestId("kernel-said").innerText();
  assert.match(first, /# op2 begin pwrite f 0 b0:0:4096/);
  await moves(page, "ArrowRight");
  assert.notEqual(await page.getByTestId("kernel-said").innerText(), first);
  wp.clean(page);
});
