// The page as such: it loads from any folder of a host, under its policy, and tells when it cannot go on.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, picture, site } from "./harness.mjs";

const wp = site({ prefix: "/some/folder/" });

for (const [name, options] of [
  ["wide", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 740 } }],
]) {
  test(`loads from a sub-path without a complaint: ${name}`, async () => {
    const page = await wp.open("", options);
    assert.match(await page.title(), /Writepath/);
    assert.equal(await page.locator("h1").count(), 1);
    await accessible(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px wider than the window`);
    await picture(page, `page-${name}`);
    wp.clean(page);
  });
}

test("shows the shell before the wasm is there", async () => {
  const page = await wp.blank();
  await page.route("**/*.wasm", () => {}); // never answered
  await page.goto(wp.url);
  await page.locator(".shell").waitFor();
  await page.getByRole("heading", { name: "Writepath", level: 1 }).waitFor();
  await accessible(page);
  await picture(page, "shell");
  wp.clean(page);
});

test("a wasm that does not arrive is told, with a way to try again", async () => {
  const page = await wp.blank();
  let blocked = true;
  await page.route("**/*.wasm", (route) => (blocked ? route.abort() : route.continue()));
  await page.goto(wp.url);
  await page.getByRole("alert").getByText("Writepath could not be loaded").waitFor();
  await accessible(page);
  blocked = false;
  await page.getByRole("button", { name: "Reload" }).click();
  await page.locator(".fault").waitFor({ state: "detached" });
});

test("a trap of the wasm takes the page down, keeps the link and offers a fresh start", async () => {
  const page = await wp.open("");
  const link = "#1;s=lib:short-copy;t=3";
  await page.evaluate((link) => {
    const detail = { message: "index out of bounds: the len is 3 but the index is 7", link };
    document.dispatchEvent(new CustomEvent("writepath:panic", { detail }));
    // (module (func (export "trap") unreachable))
    const bytes = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 116, 114, 97, 112, 0, 0, 10, 5, 1, 3, 0, 0, 11]);
    const { trap } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    setTimeout(trap);
  }, link);
  await page.getByRole("alert").getByText("Writepath has stopped").waitFor();
  assert.match(await page.locator(".fault pre").innerText(), /index out of bounds/);
  assert.equal(await page.locator(".fault-link").getAttribute("href"), link);
  await accessible(page);
  await picture(page, "fault");
  await page.getByRole("button", { name: "Start without the link" }).click();
  await page.locator(".fault").waitFor({ state: "detached" });
  assert.ok(!page.url().includes("t=3"));
});
