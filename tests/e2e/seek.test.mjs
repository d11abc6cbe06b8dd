// The screen of a step is the same whatever road leads to it.

import { test } from "node:test";
import assert from "node:assert/strict";
import { site } from "./harness.mjs";
import { complete, goTo, moves, screen, shows } from "./reader.mjs";

const wp = site();

for (const scenario of ["short-copy", "two-pages-unaligned", "read-modify-write", "fatal-signal"]) {
  test(`stepping, opening the link and seeking from the end show the same: ${scenario}`, async () => {
    // With motion, which the pages below do without: it leaves nothing behind.
    const page = await wp.open(`#1;s=lib:${scenario};t=0`, { reducedMotion: "no-preference" });
    const last = await complete(page);
    const looked = [1, 2, 3, 4, 5].map((part) => Math.floor((last * part) / 5));
    const stepped = new Map();
    for (let at = 1; at <= last; at++) {
      assert.equal(await moves(page, "ArrowRight"), at);
      if (looked.includes(at)) stepped.set(at, await screen(page));
    }
    for (const at of looked.slice(0, -1)) {
      await page.keyboard.press("End");
      await shows(page, last);
      await goTo(page, at);
      assert.deepEqual(await screen(page), stepped.get(at), `step ${at}, from the end`);
    }
    for (const at of looked) {
      const other = await wp.open(`#1;s=lib:${scenario};t=${at}`);
      await shows(other, at);
      await complete(other);
      assert.deepEqual(await screen(other), stepped.get(at), `step ${at}, by its link`);
      wp.clean(other);
      await other.context().close();
    }
    for (let at = last - 1; at >= looked[3]; at--) {
      if (at === last - 1) {
        await page.keyboard.press("End");
        await shows(page, last);
      }
      assert.equal(await moves(page, "ArrowLeft"), at);
    }
    assert.deepEqual(await screen(page), stepped.get(looked[3]), `step ${looked[3]}, backwards`);
    wp.clean(page);
  });
}
