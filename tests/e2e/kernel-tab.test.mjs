// The Kernel tab: a reader's own file, one fetched on a click, and a host that forbids the request.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, picture, site } from "./harness.mjs";
import { complete, goTo } from "./reader.mjs";

const strict = site();
const own = site({ own: true });

/** Our own file with the write loop in its place; the real one is nobody's to ship. */
const lines = Array(3400).fill("/* a line */");
lines[3294] = "ssize_t generic_perform_write(struct file *file,";
lines[3295] = "\t\tstruct iov_iter *i, loff_t pos)";
lines[3296] = "{";
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
    assert.match(await now.innerText(), /^3344\s+copied = the_copy\(\);$/);
    await accessible(page);
    await picture(page, `kernel-tab-${size}`);
    strict.clean(page);
  });
}

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
