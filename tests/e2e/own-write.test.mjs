// The reader's own bytes, from the form through the run into an image that the real tools read.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, site } from "./harness.mjs";
import { complete, download, goTo, holds, narration, shows, stepUntil, write } from "./reader.mjs";

const wp = site();

const open = async (page) => {
  await complete(page);
  await page.keyboard.press("e");
  await page.getByRole("dialog", { name: "Write your own" }).waitFor();
};

async function ended(page, last) {
  await page.keyboard.press("End");
  await shows(page, last);
  return download(page);
}

test("own text in several segments is read back by debugfs", async () => {
  const page = await wp.open("");
  await open(page);
  await accessible(page);
  const text = "Grüße, page cache!\n한국어도 됩니다.\n".repeat(40);
  const bytes = Buffer.from(text);
  const last = await write(page, { text, call: "pwritev", path: "letter.txt", offset: 100, segments: "1, 700 63" });
  assert.equal(await page.getByTestId("app").getAttribute("data-step"), "0");
  const said = await stepUntil(page, /become one iterator/);
  assert.match(said, new RegExp(`4 segments become one iterator of ${bytes.length} bytes`));

  // Its link holds the whole scenario, and opens at this very step.
  const at = Number(await page.getByTestId("app").getAttribute("data-step"));
  await page.waitForFunction((at) => location.hash.startsWith("#1;s=z:") && location.hash.endsWith(`;t=${at}`), at);
  const other = await wp.open(new URL(page.url()).hash);
  await shows(other, at);
  assert.equal(await narration(other), said);
  wp.clean(other);

  const image = await ended(page, last);
  await holds(image, "letter.txt", Buffer.concat([Buffer.alloc(100), bytes]));
  wp.clean(page);
});

test("100 KB of a file, blocks of 1 KiB, writev", async () => {
  const page = await wp.open("");
  await open(page);
  const file = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8) * 13) & 255));
  const last = await write(page, { file, call: "writev", path: "data.bin", segments: "4095, 2, 70000", blockSize: 1024 });
  await holds(await ended(page, last), "data.bin", file);
  wp.clean(page);
});

test("what the form cannot run is told in the form, and the run before it stays", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  await complete(page);
  await goTo(page, 54);
  await page.keyboard.press("e");
  const form = page.getByRole("dialog", { name: "Write your own" });
  await form.getByLabel("Text", { exact: true }).fill("short");
  await form.getByLabel("System call").selectOption("writev");
  await form.getByLabel(/^Segment lengths/).fill("3, many");
  await form.getByRole("button", { name: "Run" }).click();
  await form.getByRole("alert").getByText("Not a number: many").waitFor();
  await form.getByLabel(/^Segment lengths/).fill("3, 9");
  await form.getByRole("button", { name: "Run" }).click();
  await form.getByRole("alert").getByText("The segments are longer than the bytes.").waitFor();
  await page.keyboard.press("Escape");
  await form.waitFor({ state: "detached" });
  await shows(page, 54);
  assert.match(page.url(), /s=lib:short-copy;t=54$/);
  wp.clean(page);
});
