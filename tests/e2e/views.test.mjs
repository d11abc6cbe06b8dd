// Every view, in every look: axe finds nothing, nothing is wider than the window, and every text can be read.

import { test } from "node:test";
import { accessible, site } from "./harness.mjs";
import { complete } from "./reader.mjs";
import { fits, legible } from "./looks.mjs";

const wp = site();

const small = { viewport: { width: 360, height: 740 } };
const looks = {
  light: {},
  dark: { colorScheme: "dark" },
  "360 px": small,
  "360 px, dark": { ...small, colorScheme: "dark" },
  // A window of 1280 x 900 at 200 %.
  "200 %": { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 },
  "forced colours": { forcedColors: "active" },
  "forced colours, dark": { forcedColors: "active", colorScheme: "dark" },
  Korean: { korean: true },
  "Korean, 360 px": { ...small, korean: true },
};

/** By the palette, which has every command at every width. */
async function command(page, words) {
  await page.keyboard.press("Control+k");
  await page.locator("#palette-field").fill(words);
  await page.locator("#palette-options [role=option]").first().waitFor();
  await page.keyboard.press("Enter");
}

const sheet = (page) => page.locator("dialog[open]");

/** Each view, opened over the page; `korean` is what to type there. */
const views = {
  page: async () => {},
  message: async (page) => {
    await page.evaluate(() => (location.hash = "#1;s=lib:no-such-thing"));
    await page.getByRole("alert").locator("button").waitFor();
  },
  share: async (page, say) => {
    await page.getByRole("button", { name: say("Share", "공유") }).click();
    await page.getByTestId("notice").locator("button").waitFor();
  },
  commands: async (page) => {
    await page.keyboard.press("Control+k");
    await page.locator("#palette-options").waitFor();
  },
  help: async (page) => {
    await page.keyboard.press("?");
    await sheet(page).waitFor();
  },
  library: async (page, say) => {
    await command(page, say("Choose a scenario", "시나리오를 고"));
    await page.locator(".library").waitFor();
  },
  about: async (page, say) => {
    await command(page, say("About this model", "이 모델에 대하여"));
    await sheet(page).waitFor();
  },
  block: async (page, say) => {
    await command(page, say("Any block", "블록"));
    await page.getByTestId("block-hex").waitFor();
  },
  "editor, form": async (page) => {
    await page.keyboard.press("e");
    await page.locator("#ed-problem[data-state=good]").waitFor();
    const tab = page.locator("#ed-tab-form");
    if (await tab.isVisible()) await tab.click();
  },
  "editor, JSON": async (page) => {
    await page.keyboard.press("e");
    await page.locator("#ed-problem[data-state=good]").waitFor();
    const tab = page.locator("#ed-tab-json");
    if (await tab.isVisible()) await tab.click();
  },
  "kernel tab": async (page) => {
    await page.keyboard.press("1");
    await page.locator(".code [role=tab]").nth(2).click();
    await page.locator(".kernel").waitFor();
  },
  watch: async (page) => {
    await page.keyboard.press("w");
    await page.locator("#watch-field").fill("page[0].dirty");
    await page.keyboard.press("Enter");
    await page.getByTestId("watches").locator("li, tr").first().waitFor();
  },
};

for (const [look, { korean, ...options }] of Object.entries(looks)) {
  test(`every view: ${look}`, async (t) => {
    const page = await wp.open(`#1;s=lib:short-copy;t=54${korean ? ";l=ko" : ""}`, options);
    await complete(page);
    const hash = new URL(page.url()).hash;
    const say = (english, hangul) => (korean ? hangul : english);
    for (const [view, open] of Object.entries(views)) {
      await t.test(view, async () => {
        await open(page, say);
        await accessible(page);
        await fits(page);
        await legible(page);
      });
      await page.goto("about:blank");
      await page.goto(wp.url + hash);
      await complete(page);
    }
    wp.clean(page);
    await page.context().close();
  });
}
