// English and Korean: which one a page opens in, and a switch in the middle of a run.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, picture, site } from "./harness.mjs";
import { complete, goTo, judged } from "./reader.mjs";

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

test("a broken scenario is told in Korean, with path, line and reason, and what was open stays", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=54;l=ko");
  await inKorean(page);
  await complete(page);
  await goTo(page, 54);
  const before = await what(page).innerText();
  await page.keyboard.press("e");
  await judged(page);
  await accessible(page);
  const area = page.locator("#ed-json");
  const good = await area.inputValue();
  for (const [wrong, path, reason] of [
    [good.replace('"version": 1', '"version": 1, "shape": 2'), "shape", /: 모르는 키$/],
    [good.replace('"len": 3096', '"len": 9999'), "tasks[0].ops[0].pwritev.iov[1]", /: 0의 9999바이트는 .*바이트인 `lost` 안에 있지 않다$/],
    [good.replace('"size_mib": 16', '"size_mib": 5000'), "image.mkfs.size_mib", /: 5000 MiB: 이미지는 2에서 1024까지다$/],
    [good.replace('"size_mib": 16', '"size_mib": "many"'), "image.mkfs.size_mib", /: 0에서 4294967295까지의 정수가 와야 하는데 문자열이 있다$/],
    [good.replace('"pwritev"', '"pwritw"'), "tasks[0].ops[0]", /: pwritw는 다음 중 하나가 아니다: buf, /],
    [good.replace('"pwritev": ', '"pwritev" '), "JSON", /줄 \d+번째 글자부터 JSON이 아니다: `:`가 와야 한다$/],
  ]) {
    assert.notEqual(wrong, good, path);
    await area.fill(wrong);
    const said = (await judged(page, "bad")).split("\n")[0].trim();
    assert.ok(said.includes(path), `${said} does not say ${path}`);
    assert.match(said, reason);
    const line = Number(/\(줄 (\d+)\)/.exec(said)[1]);
    assert.notEqual(wrong.split("\n")[line - 1], good.split("\n")[line - 1], `${path} is said to be in line ${line}`);
    await area.fill(good);
    await judged(page);
  }
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await step(page), "54");
  assert.equal(await what(page).innerText(), before);
  // An expression is told in the same way.
  await page.keyboard.press("w");
  await page.locator("#watch-field:focus").waitFor();
  await page.keyboard.type("page[0].drity");
  await page.locator("#watch-said").getByText("9번째 글자: page의 필드가 와야 하는데 `drity`가 나왔다").waitFor();
  wp.clean(page);
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
