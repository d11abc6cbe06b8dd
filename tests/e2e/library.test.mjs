// A learner starts from a question: the library's sheet, by mouse and by keys, wide and narrow.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, picture, ready, site } from "./harness.mjs";

const wp = site();

for (const [size, options] of Object.entries({
  wide: { viewport: { width: 1280, height: 900 } },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
})) {
  test(`a scenario is chosen by its question, ${size}`, async () => {
    const page = await wp.open("#1;s=lib:full-page", options);
    await ready(page);
    const open = page.getByRole("button", { name: "Library" });
    await open.focus();
    await page.keyboard.press("Enter");
    const sheet = page.getByRole("dialog", { name: "Choose a scenario by the question it answers" });
    await sheet.waitFor();
    const questions = await sheet.getByRole("heading", { level: 3 }).allInnerTexts();
    assert.ok(questions.includes("Why did my write return less?"), questions.join(" "));
    assert.ok((await sheet.getByRole("button").count()) >= 25, "two dozen scenarios and the way out");
    assert.equal(await sheet.locator("[aria-current=true] code").innerText(), "full-page");
    await accessible(page);
    await picture(page, `library-${size}`);
    const cut = sheet.getByRole("button", { name: /Cut at RLIMIT_FSIZE/ });
    assert.match(await cut.innerText(), /with a real kernel's trace/);
    await cut.focus();
    await page.keyboard.press("Enter");
    await sheet.waitFor({ state: "hidden" });
    await page.waitForFunction(() => location.hash.includes("s=lib:rlimit-fsize"));
    assert.equal(await page.locator("#scenario").inputValue(), "rlimit-fsize");
    assert.equal(
      await page.locator("#scenario option:checked").evaluate((its) => its.parentElement.label),
      "Why did my write return less?",
    );
    await open.click();
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "hidden" });
    assert.equal(await page.locator("#scenario").inputValue(), "rlimit-fsize", "looking changes nothing");
    wp.clean(page);
  });
}
