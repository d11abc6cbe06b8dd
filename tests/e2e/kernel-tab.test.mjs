// The Kernel tab: a reader's own file, one fetched on a click, and a host that forbids the request.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, picture, site } from "./harness.mjs";
import { complete, goTo, moves, shows, step } from "./reader.mjs";

const strict = site();
const own = site({ own: true });

/** Our own file with the write loop in its place; the real one is nobody's to ship. */
const lines = Array(3400).fill("/* a line */");
lines[3294] = "ssize_t generic_perform_write(struct file *file,";
lines[3295] = "\t\tstruct iov_iter *i, loff_t pos)";
lines[3296] = "{";
lines[3335] = "\tstatus = the_begin();";
lines[3368] = "\tthe_count();";
lines[3340] = "\tthe_alias();";
lines[3343] = "\tcopied = the_copy();";
lines[3379] = "}";
const text = lines.join("\n");

async function open(wp, options) {
  const page = await wp.open("#1;s=lib:full-page;t=0", options);
  await complete(page);
  const tab = page.getByRole("tab", { name: "Kernel" });
  if (!(await tab.isVisible())) await page.getByRole("tab", { name: "Code", exact: true }).click();
  await tab.click();
  return page;
}

/** The first step at the copy itself, by the outline's place. */
async function toTheCopy(page) {
  for (let step = 20; step < 80; step++) {
    await goTo(page, step);
    if ((await page.locator("#code-body").innerText()).includes("mm/filemap.c:3344")) return step;
  }
  throw new Error("no step stands at mm/filemap.c:3344");
}

for (const [size, options] of Object.entries({
  wide: { viewport: { width: 1280, height: 900 } },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
})) {
  test(`a file from the reader's own tree, ${size}`, async () => {
    const page = await open(strict, options);
    assert.match(await page.locator("#code-body").innerText(), /not in the kernel's source/);
    await toTheCopy(page);
    await accessible(page);
    await picture(page, `kernel-tab-none-${size}`);
    const input = page.locator(".kernel input[type=file]");
    await input.setInputFiles({ name: "notes.c", mimeType: "text/x-c", buffer: Buffer.from("int main(void)\n{\n}\n") });
    await page.getByRole("status").getByText("notes.c defines no function that this page steps through.").waitFor();
    await input.setInputFiles({ name: "filemap.c", mimeType: "text/x-c", buffer: Buffer.from(text) });
    const now = page.getByTestId("kernel-source").locator("[aria-current=step]");
    await now.waitFor();
    assert.match(await now.innerText(), /^3344\s[^]*copied = the_copy\(\);/);
    await accessible(page);
    await picture(page, `kernel-tab-${size}`);
    strict.clean(page);
  });
}

/** A line of the kernel's file by its words. */
const line = (page, words) => page.getByTestId("kernel-source").getByRole("listitem").filter({ hasText: words });
const target = (page, words) => line(page, words).locator("[data-line]");

async function withFile(page) {
  const copy = await toTheCopy(page);
  await page.locator(".kernel input[type=file]").setInputFiles({ name: "filemap.c", mimeType: "text/x-c", buffer: Buffer.from(text) });
  await target(page, "the_copy").waitFor();
  return copy;
}

test("a line that steps end at is run to and back to, and says how many do", async () => {
  const page = await open(strict);
  const copy = await withFile(page);
  assert.equal(await line(page, "a line").first().getByRole("button").count(), 0, "where no step ends there is nothing to press");
  const begin = await moves(page, () => target(page, "the_begin").click({ modifiers: ["Shift"] }));
  assert.ok(begin < copy);
  assert.match(await line(page, "the_begin").getAttribute("aria-current"), /step/);
  assert.equal(await moves(page, () => target(page, "the_copy").click()), copy);
  await line(page, "the_copy").locator(".n").filter({ hasText: "1×" }).waitFor();
  assert.match(await target(page, "the_copy").innerText(), /Steps of the run that end here: 1/);
  // The run never comes to this one.
  await line(page, "the_alias").locator(".n").filter({ hasText: "0×" }).waitFor();
  await target(page, "the_alias").click();
  await page.getByText("No step in that direction hits.").waitFor();
  assert.equal(await step(page), copy, "nothing moved");
  await accessible(page);
  strict.clean(page);
});

test("the keyboard alone goes along the lines, runs to them, and sets a breakpoint that hits", async () => {
  const page = await open(strict);
  const copy = await withFile(page);
  await page.locator("#code-body").focus();
  await page.keyboard.press("ArrowDown");
  const focused = () => page.evaluate(() => document.activeElement.dataset.line);
  assert.equal(await focused(), "GPW_COPY", "into the list at the step's own line");
  for (let n = 0; (await focused()) !== "GPW_WRITE_BEGIN"; n++) {
    assert.ok(n < 9, "the line is above");
    await page.keyboard.press("ArrowUp");
  }
  assert.equal(await page.locator("#code-body :is(button, a)[tabindex='0']").count(), 0, "one tab stop for the list");
  assert.ok((await moves(page, "C")) < copy);
  await goTo(page, copy);
  await page.locator("#code-body").focus();
  await page.keyboard.press("ArrowDown");
  await target(page, "the_count").focus();
  await page.keyboard.press("B");
  assert.equal(await line(page, "the_count").locator(".gut").getAttribute("aria-pressed"), "true");
  await accessible(page);
  await page.evaluate(() => document.activeElement.blur());
  const hit = await moves(page, "r");
  assert.match(await page.locator("#code-body").innerText(), /the_count/);
  assert.match(await line(page, "the_count").getAttribute("aria-current"), /step/);
  // The outline has the same one, and its gutter takes it away.
  await page.getByRole("tab", { name: "Outline" }).click();
  const gutter = page.getByTestId("outline").locator('li:has([data-line="GPW_ACCOUNT"]) .gut');
  assert.equal(await gutter.getAttribute("aria-pressed"), "true");
  await gutter.click();
  await page.getByRole("tab", { name: "Kernel" }).click();
  await page.waitForFunction(() => !document.querySelector('.kernel [aria-pressed="true"]'));
  await shows(page, hit);
  strict.clean(page);
});

test("a host that forbids the request is told of, and the file can still be opened", async () => {
  const page = await open(strict);
  await toTheCopy(page);
  await page.getByRole("button", { name: "Fetch it from raw.githubusercontent.com" }).click();
  await page.getByRole("status").getByText("The policy of this site forbids the request.").waitFor();
  assert.ok(await page.locator(".kernel input[type=file]").isEnabled());
  assert.ok(strict.complaints(page).every((each) => each.includes("raw.githubusercontent.com")), "no other complaint");
});

test("it is fetched on a click, and on nothing else", async () => {
  const page = await own.blank();
  const asked = [];
  await page.route("https://raw.githubusercontent.com/**", (route) => {
    asked.push(route.request().url());
    return route.fulfill({ body: text, headers: { "Access-Control-Allow-Origin": "*" } });
  });
  await page.goto(`${own.url}#1;s=lib:full-page;t=0`);
  await complete(page);
  await page.getByRole("tab", { name: "Kernel" }).click();
  await toTheCopy(page);
  assert.deepEqual(asked, []);
  await page.getByRole("button", { name: "Fetch it from raw.githubusercontent.com" }).click();
  await page.getByTestId("kernel-source").locator("[aria-current=step]").getByText("the_copy").waitFor();
  assert.deepEqual(asked, ["https://raw.githubusercontent.com/gregkh/linux/v5.10.238/mm/filemap.c"]);
});
