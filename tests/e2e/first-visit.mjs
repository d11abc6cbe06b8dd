// What a first visit is: the page opens on its first scenario, and a reader steps through it.
//
// Run by `cargo xtask first-visit` on a site whose wasm notes which functions are entered:
//   node first-visit.mjs FILE BEGIN     writes the notes, which begin at BEGIN in the wasm's memory, to FILE
// That page looks for the rest of its wasm in rest.wasm, which is not there: the wasm has all.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch, ready, serve } from "./harness.mjs";
import { complete, goTo, shows } from "./reader.mjs";

/** Windows: all panels side by side, fewer of them in the dark, one at a time; and in Korean. */
export const windows = [
  { viewport: { width: 1600, height: 1000 } },
  { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  { viewport: { width: 360, height: 740 } },
  { viewport: { width: 1280, height: 900 }, locale: "ko-KR" },
];

/** What a reader does who came to look: steps in every way, plays, turns to each panel, reads the keys. */
export async function visit(page) {
  const last = await complete(page);
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  for (let step = 0; step < last; step++) await press("ArrowRight");
  await shows(page, last);
  await press("Home");
  await shows(page, 0);
  await press("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowLeft", "n", "n", "p", "ArrowLeft");
  for (const grain of [1, 2, 0]) {
    await page.locator("input[name=grain]").nth(grain).evaluate((radio) => radio.click());
    await page.evaluate(() => document.activeElement.blur());
    await press("ArrowRight", "ArrowRight", "ArrowLeft");
  }
  await press("1", "2", "3", "4", "5", "6", "7", "ArrowRight", "ArrowLeft", "PageDown", "PageUp");
  await page.evaluate(() => document.activeElement.blur());
  await press("f", "f");
  await goTo(page, last >> 1);
  await press(" ");
  await page.locator(`[data-testid="app"]:not([data-step="${last >> 1}"])`).waitFor();
  await press(" ");
  // But the list of steps: its rows are sentences that only the engine can say.
  const tabs = await page.locator("[role=tab]:not(#low-steps)").all();
  for (const tab of [...tabs, ...tabs.slice().reverse()]) if (await tab.isVisible()) await tab.click();
  const slider = await page.getByRole("slider").boundingBox();
  const line = slider.y + slider.height / 2;
  await page.mouse.move(slider.x + slider.width / 3, line);
  await page.mouse.down();
  await page.mouse.move(slider.x + slider.width / 2, line, { steps: 5 });
  await page.mouse.up();
  await press("?");
  await page.getByRole("dialog").waitFor();
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.locator("#theme").click();
  await press("End");
  await shows(page, last);
}

/** What the page does itself when more is wanted: first it does not come, then it does, and has nothing in it. */
async function wantsMore(page) {
  const again = () => page.locator("#scenario").dispatchEvent("change");
  await again();
  await page.getByText("A part of the program could not be loaded.").waitFor();
  const nothing = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  await page.route("**/rest.wasm", (route) => route.fulfill({ contentType: "application/wasm", body: nothing }));
  await again();
  await shows(page, 0);
  await page.evaluate(() => (location.hash = location.hash.replace(/t=\d+/, "t=2")));
  await shows(page, 2);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, begin] = [process.argv[2], Number(process.argv[3])];
  const [server, browser] = await Promise.all([serve(), launch()]);
  const notes = [];
  try {
    // Twice: what is dropped when depends on the moment.
    for (const window of [...windows, ...windows]) {
      const page = await (await browser.newContext(window)).newPage();
      const note = async () => {
        const entered = await page.evaluate(async (begin) => {
          const { default: init } = await import(new URL(document.querySelector("script[data-js]").dataset.js, document.baseURI));
          const { memory } = await init();
          return [...new Uint8Array(memory.buffer, begin, 65536)];
        }, begin);
        entered.forEach((note, at) => (notes[at] |= note));
      };
      await page.goto(server.url);
      await ready(page);
      await visit(page);
      if (!window.locale) await wantsMore(page);
      await note();
      await page.reload(); // with a link and a theme by now
      await complete(page);
      await note();
    }
  } finally {
    await browser.close();
    await server.close();
  }
  await writeFile(file, Uint8Array.from(notes));
}
