// What moves: at which step, which elements, and when nothing does.

import { test } from "node:test";
import assert from "node:assert/strict";
import { site } from "./harness.mjs";
import { complete, goTo, moves, screen, shows } from "./reader.mjs";

const wp = site();
const moving = { reducedMotion: "no-preference" };

/** What moves now: the kind, and which elements. */
const motion = (page) =>
  page.evaluate(() => {
    const running = document.getAnimations().filter((each) => each.id && each.playState === "running");
    const name = ({ target }) => (target.id ? `#${target.id}` : `.${target.classList[0]}`);
    return { kinds: [...new Set(running.map((each) => each.id))], of: [...new Set(running.map((each) => name(each.effect)))].sort() };
  });

/** Animations stand still at their beginning, so that a slow machine sees them. */
const slow = (page) =>
  page.evaluate(() => {
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...how) {
      const made = animate.apply(this, how);
      made.playbackRate = 0.001;
      return made;
    };
  });

/** One step from `at` to the next, in one turn of the page: what moves, and which step it is. */
async function stepTo(page, at) {
  await goTo(page, at - 1);
  assert.deepEqual((await motion(page)).kinds, [], `at ${at - 1}, by its number`);
  assert.equal(await moves(page, "ArrowRight"), at);
  return motion(page);
}

/** The kind of each step that moves something. */
async function kinds(page) {
  const last = await complete(page);
  const found = [];
  for (let at = 1; at <= last; at++) {
    await moves(page, "ArrowRight");
    const { kinds } = await motion(page);
    assert.ok(kinds.length <= 1, `step ${at} moves ${kinds}`);
    if (kinds.length > 0) found.push([at, kinds[0]]);
  }
  return found;
}

for (const [scenario, expected] of [
  ["short-copy", ["copy", "refuse", "retry", "copy", "advance", "copy", "advance", "submit", "end", "commit"]],
  ["read-modify-write", ["read", "copy", "keep", "advance", "submit", "end", "commit"]],
]) {
  test(`each step of ${scenario} moves what it moves, and leaves the screen as a jump there finds it`, async () => {
    const page = await wp.open(`#1;s=lib:${scenario};t=0`, moving);
    await slow(page);
    const found = await kinds(page);
    assert.deepEqual(found.map(([, kind]) => kind), expected);
    for (const [at, kind] of found) {
      assert.deepEqual((await stepTo(page, at)).kinds, [kind], `step ${at} again`);
      const stepped = await screen(page);
      await goTo(page, at + 1);
      assert.deepEqual((await motion(page)).kinds, [], "a jump cuts it short");
      await goTo(page, at);
      assert.deepEqual((await motion(page)).kinds, [], "a jump moves nothing");
      assert.deepEqual(await screen(page), stepped, `step ${at}`);
    }
    wp.clean(page);
  });
}

test("a copy moves its block, the funnel and the bytes, and is cut by the next step", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0", moving);
  await complete(page);
  await slow(page);
  let copy;
  for (let at = 1; !copy; at++) {
    await moves(page, "ArrowRight");
    const now = await motion(page);
    if (now.kinds[0] === "copy") copy = now;
  }
  assert.deepEqual(copy.of, ["#mv", ".by", ".copyfill", ".told"]);
  const box = () => page.locator("#mv").evaluate((block) => block.getBoundingClientRect().toJSON());
  const [block, bar] = [await box(), await page.getByTestId("user-memory").boundingBox()];
  assert.ok(Math.abs(block.left - bar.x) < 1 && Math.abs(block.top - bar.y) < 4, "it begins at the user's bytes");
  assert.ok(block.width > bar.width * 0.2 && block.width < bar.width * 0.3, "1000 of 4096 bytes");
  await moves(page, "ArrowRight");
  assert.deepEqual((await motion(page)).kinds, []);
  assert.equal(await page.locator("#mv").evaluate((block) => getComputedStyle(block).opacity), "0");
});

test("a commit draws its ring, and the pill's state comes last", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=213", moving);
  await complete(page);
  await slow(page);
  const pill = page.getByTestId("journal").locator(".tx");
  assert.match(await pill.innerText(), /tx 2 running/);
  await moves(page, "ArrowRight");
  assert.deepEqual(await motion(page), { kinds: ["commit"], of: ["#mv", ".state"] });
  assert.match(await pill.innerText(), /tx 2 committing/);
  await moves(page, "ArrowRight");
  assert.equal(await pill.count(), 0);
});

test("it ends by itself within 300 ms", async () => {
  const page = await wp.open("#1;s=lib:full-page;t=0", moving);
  await complete(page);
  for (let at = 1; (await motion(page)).kinds.length === 0; at++) await moves(page, "ArrowRight");
  const left = await page.evaluate(() => Math.max(...document.getAnimations().map((each) => each.effect.getComputedTiming().endTime)));
  assert.ok(left <= 300, `${left} ms`);
  await page.waitForFunction(() => document.getAnimations().length === 0);
});

test("nothing moves with reduced motion, while a key is held, back, by a jump, at high speed, or while scrubbing", async () => {
  const calm = await wp.open("#1;s=lib:full-page;t=0");
  await slow(calm);
  assert.deepEqual(await kinds(calm), []);
  // The static arrow with the count of bytes stands in the funnel then.
  await goTo(calm, 45);
  assert.match(await calm.getByTestId("copy").innerText(), /↓ 4096 copied/);

  const page = await wp.open("#1;s=lib:full-page;t=0", moving);
  await slow(page);
  const last = await complete(page);
  await page.evaluate(() => {
    window.moved = [];
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (keys, how) {
      window.moved.push(how.id);
      return animate.call(this, keys, how);
    };
  });
  const moved = () => page.evaluate(() => window.moved.splice(0));
  await page.keyboard.down("ArrowRight");
  await moved();
  for (let at = 1; at < last; at++) await page.keyboard.down("ArrowRight"); // again without up: held
  await page.keyboard.up("ArrowRight");
  await shows(page, last);
  assert.deepEqual(await moved(), [], "held");
  while ((await moves(page, "ArrowLeft")) > 1);
  assert.deepEqual(await moved(), [], "back");
  await page.keyboard.press("n");
  await page.keyboard.press("End");
  await shows(page, last);
  assert.deepEqual(await moved(), [], "jumps");
  const slider = await page.getByRole("slider").boundingBox();
  await page.mouse.move(slider.x + 2, slider.y + slider.height / 2);
  await page.mouse.down();
  await page.mouse.move(slider.x + slider.width - 2, slider.y + slider.height / 2, { steps: 100 });
  await page.mouse.up();
  assert.deepEqual(await moved(), [], "scrubbing");
  await page.keyboard.press("Home");
  await page.getByRole("combobox", { name: "Speed" }).selectOption({ label: "20×" });
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press(" ");
  await shows(page, last);
  assert.deepEqual(await moved(), [], "20×");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  while ((await moved()).length === 0) await moves(page, "ArrowRight");
  wp.clean(page);
});

test("playing at its own speed moves", async () => {
  const page = await wp.open("#1;s=lib:full-page;t=0", moving);
  await complete(page);
  await slow(page);
  await goTo(page, 43);
  await page.keyboard.press(" ");
  await page.waitForFunction(() => document.getAnimations().some((each) => each.id === "copy"));
  assert.equal(Number(await page.getByTestId("app").getAttribute("data-step")), 45);
  wp.clean(page);
});
