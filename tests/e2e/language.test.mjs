// English and Korean: which one a page opens in, and a switch in the middle of a run.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, picture, site } from "./harness.mjs";

const wp = site();
const what = (page) => page.locator(".what").first();
const step = (page) => page.getByTestId("app").getAttribute("data-step");
const inKorean = (page) => page.locator("html[lang=ko]").waitFor();

test("a switch to Korean and back keeps the step and the reader's place", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=60");
  await page.locator('[data-step="60"]').waitFor();
  const english = await what(page).innerText();
  await page.getByRole("button", { name: "한국어로 바꾸기" }).click();
  await inKorean(page);
  await page.waitForFunction((old) => document.querySelector(".what").innerText !== old, english);
  assert.match(await what(page).innerText(), /[가-힣].*다\.$/);
  assert.equal(await step(page), "60");
  await page.waitForFunction(() => document.activeElement.id === "lang" && location.hash.includes("l=ko"));
  await accessible(page);
  await page.keyboard.press("Enter");
  await page.locator("html[lang=en]").waitFor();
  await page.waitForFunction((old) => document.querySelector(".what").innerText === old, english);
  assert.equal(await step(page), "60");
  wp.clean(page);
});

test("the language can be switched where nothing can be stored", async () => {
  const page = await wp.blank();
  await page.addInitScript(() => {
    Object.defineProperty(window, "localStorage", { get: () => { throw new DOMException("no", "SecurityError"); } });
  });
  await page.goto(`${wp.url}#1;s=lib:full-page;t=5`);
  await page.getByRole("button", { name: "한국어로 바꾸기" }).click();
  await inKorean(page);
  assert.equal(await step(page), "5");
});

for (const [name, viewport] of [["wide", { width: 1280, height: 900 }], ["narrow", { width: 360, height: 740 }]]) {
  test(`Korean fits its places: ${name}`, async () => {
    const page = await wp.open("#1;s=lib:short-copy;t=74;l=ko", { viewport });
    await inKorean(page);
    await accessible(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px wider than the window`);
    await picture(page, `korean-${name}`);
    wp.clean(page);
  });
}
