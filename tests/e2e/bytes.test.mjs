// A byte anywhere tells where it came from and where else it is: by the pointer, and by the keyboard alone.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, site } from "./harness.mjs";
import { complete, goTo, moves, screen, stepUntil } from "./reader.mjs";

const wp = site();
const card = (page) => page.getByTestId("byte-card");
const row = (page) => page.getByTestId("origin");

/** Rests the pointer on a drawing, so far from its left and so many px below its top. */
async function pointAt(page, drawing, share, down) {
  const box = await drawing.boundingBox();
  await page.mouse.move(box.x + box.width * share - 1, box.y + down);
  await page.mouse.move(box.x + box.width * share, box.y + down);
}

const overlaps = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

test("the pointer on a byte brings its card after a while, beside it and off what changed", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  await complete(page);
  await stepUntil(page, /The copy has put 3096 bytes/);
  const before = await screen(page);
  for (const [drawing, down, words] of [
    [page.getByTestId("user-memory"), 12, /lost\+\d+, segment 1[^]*page 0, byte \d+, copied at 112/],
    [page.getByTestId("byte-strip"), 30, /page 0, byte \d+ = [0-9a-f]{2}[^]*lost\+\d+, segment 1 of pwritev #1, copied at 112/],
  ]) {
    const asked = Date.now();
    await pointAt(page, drawing, 0.6, down);
    await card(page).waitFor();
    assert.ok(Date.now() - asked >= 290, "not at once");
    assert.match(await card(page).innerText(), words);
    assert.ok((await card(page).locator("p, dl > div").count()) <= 6);
    const lines = await card(page).locator("p, dd").allInnerTexts();
    const told = await row(page).innerText();
    for (const line of lines) assert.ok(told.includes(line), `${line} is in the row: ${told}`);
    const box = await card(page).boundingBox();
    for (const each of await page.locator(".path .chg, .path .chg-o").all()) {
      assert.ok(!overlaps(box, await each.boundingBox()), "over what changed");
    }
    await page.keyboard.press("Escape");
    await card(page).waitFor({ state: "detached" });
    await pointAt(page, drawing, 0.7, down);
    await card(page).waitFor();
    await page.mouse.move(5, 5);
    await card(page).waitFor({ state: "detached" });
  }
  assert.deepEqual(await screen(page), before, "nothing is left of it");
  wp.clean(page);
});

test("the arrow keys move along the bytes, Escape closes, and a step asks anew", async () => {
  const page = await wp.open("#1;s=lib:read-modify-write;t=0");
  await complete(page);
  await stepUntil(page, /What the first pass gathered is submitted/);
  const byte = page.getByRole("spinbutton", { name: "A byte of the page" });
  await byte.focus();
  await page.getByText("page 0, byte 0 = 83").first().waitFor();
  for (let n = 0; n < 3; n++) await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await page.getByText("page 0, byte 2 = 91").first().waitFor();
  assert.equal(await byte.getAttribute("aria-valuenow"), "2");
  assert.match(await byte.getAttribute("aria-valuetext"), /byte 2 = 91 · from: block 1099, read at \d+ · in flight: write of block 1099 · on disk: block 1099, byte 2/);
  await accessible(page);
  await page.keyboard.press("End");
  await page.getByText("byte 4095 =").first().waitFor();
  await page.keyboard.press("Escape");
  await card(page).waitFor({ state: "detached" });
  assert.ok(await byte.evaluate((at) => at === document.activeElement), "the focus stays");
  await page.keyboard.press("Home");
  await moves(page, ".");
  await page.getByText("page 0, byte 0 = 83").first().waitFor();
  wp.clean(page);
});

test("a request, a block of the device, and a byte of the inspector tell theirs", async () => {
  const page = await wp.open("#1;s=lib:read-modify-write;t=0");
  await complete(page);
  await stepUntil(page, /What the first pass gathered is submitted/);
  await page.getByTestId("bios").getByRole("button").first().focus();
  await card(page).waitFor();
  assert.match(await card(page).innerText(), /new\+0, segment 0 of pwrite #1, copied at 47/);
  await page.getByRole("spinbutton", { name: "A block of the device" }).focus();
  await page.getByText("block 1099, byte 0 = 83").first().waitFor();
  await stepUntil(page, /The device has completed a write of block 1099/, ".");
  await page.locator(".blk").first().click();
  const sheet = page.getByRole("dialog");
  await pointAt(page, sheet.locator(".hx").nth(3).locator(".by16"), 0.99, 8);
  await sheet.getByText("block 1099, byte 63 = ").first().waitFor();
  await sheet.getByRole("spinbutton", { name: "A byte of the block" }).focus();
  for (const key of ["PageUp", "PageUp", "ArrowRight"]) await page.keyboard.press(key);
  await sheet.getByText("block 1099, byte 129 = ").first().waitFor();
  assert.match(await sheet.getByTestId("block-byte").innerText(), /sent at \d+ · cached: page 0, byte 129, clean/);
  await accessible(page);
  wp.clean(page);
});

for (const [size, viewport] of Object.entries({ "360 px": { width: 360, height: 740 }, "1280 px": { width: 1280, height: 900 } })) {
  test(`a tap on a byte brings its card, a tap elsewhere takes it away, ${size}`, async () => {
    const page = await wp.open("#1;s=lib:short-copy;t=112", { viewport, hasTouch: true, isMobile: size === "360 px" });
    await complete(page);
    const tap = async (drawing, share, down) => {
      await drawing.scrollIntoViewIfNeeded();
      const box = await drawing.boundingBox();
      await page.touchscreen.tap(box.x + box.width * share, box.y + down);
    };
    const strip = page.getByTestId("byte-strip");
    if (!(await strip.isVisible())) await page.getByRole("tab", { name: "Page", exact: true }).click();
    for (const share of [0.02, 0.6, 0.98]) {
      await tap(strip, share, 30);
      await card(page).waitFor();
      await page.waitForFunction((share) => {
        const byte = Number(/byte (\d+)/.exec(document.querySelector('[data-testid="byte-card"]')?.innerText)?.[1]);
        return Math.abs(byte / 4096 - share) < 0.05;
      }, share);
      const box = await card(page).boundingBox();
      assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= viewport.width && box.y + box.height <= viewport.height, JSON.stringify(box));
    }
    // The card itself is no elsewhere.
    const box = await card(page).boundingBox();
    await page.touchscreen.tap(box.x + box.width / 2, box.y + box.height / 2);
    assert.ok(await card(page).isVisible());
    await page.touchscreen.tap(viewport.width / 2, 90);
    await card(page).waitFor({ state: "detached" });
    // A finger beside the bytes still means them; one that scrolls does not.
    await tap(strip, 0.3, 54);
    await card(page).waitFor();
    const at = await strip.boundingBox();
    const client = await page.context().newCDPSession(page);
    const touch = (type, y) => client.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x: at.x + at.width * 0.7, y }] });
    await touch("touchStart", at.y + 30);
    for (let n = 1; n <= 10; n++) await touch("touchMove", at.y + 30 - 12 * n);
    await touch("touchEnd");
    await card(page).waitFor({ state: "detached" });
    await page.evaluate(() => new Promise((done) => setTimeout(done, 400)));
    assert.equal(await card(page).count(), 0, "a scroll asks nothing");
    wp.clean(page);
  });
}

test("in Korean too", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=112;l=ko");
  await complete(page);
  await page.getByRole("spinbutton", { name: "사용자 메모리의 바이트" }).focus();
  await card(page).waitFor();
  assert.match(await card(page).innerText(), /세그먼트 1[^]*페이지 0, 바이트 \d+, 112단계에서 복사/);
  wp.clean(page);
});
