// Six steps, in light and dark, look as they did. UPDATE_SNAPSHOTS=1 takes the pictures anew: look at them, and at the diff.

import { test } from "node:test";
import { site } from "./harness.mjs";
import { complete, goTo } from "./reader.mjs";
import { looksAsBefore } from "./looks.mjs";

const wp = site();

/** What each is of: a refused copy, a read before a write, small blocks, a loop over segments, a commit, a slowed writer. */
const steps = [
  ["short-copy", 54],
  ["read-modify-write", 60],
  ["block-1k-overwrite-uncached", 50],
  ["writev-odd-segments", 120],
  ["stable-writes", 300],
  ["throttled-slow", 1900],
];

for (const colorScheme of ["light", "dark"]) {
  for (const [name, step] of steps) {
    test(`${name}, step ${step}, ${colorScheme}`, async () => {
      const page = await wp.open(`#1;s=lib:${name};t=${step}`, { colorScheme });
      await complete(page);
      await goTo(page, step);
      await page.mouse.move(0, 0);
      await page.evaluate(() => document.fonts.ready);
      await looksAsBefore(page, `${name}-${colorScheme}`);
      wp.clean(page);
      await page.context().close();
    });
  }
}
