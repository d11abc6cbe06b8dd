// Images from outside: made by the real mke2fs, written to in the page, and read by the real tools; or refused.

import { test } from "node:test";
import assert from "node:assert/strict";
import { accessible, site } from "./harness.mjs";
import { complete, download, dropFile, editor, goTo, holds, mke2fs, openImage, screen, shows, tool, withFile, write } from "./reader.mjs";

const wp = site();

for (const [name, kib, args, blockSize] of [
  ["small, so of 1 KiB blocks", 8192, [], 1024],
  ["of 4 KiB blocks", 32768, ["-b", "4096"], 4096],
]) {
  test(`an image of mke2fs's defaults is written to: ${name}`, async () => {
    const image = await mke2fs(kib, ...args);
    const page = await wp.open("");
    await complete(page);
    await openImage(page, "disk.img", image);
    const form = editor(page);
    await form.getByText(`disk.img: ${kib} KiB, blocks of ${blockSize} B`).waitFor();
    assert.match(await form.innerText(), /has_journal.*metadata_csum/s);
    await accessible(page);
    const text = `blocks of ${blockSize}\n`.repeat(500);
    const last = await write(page, { text, path: "note.txt", offset: 3000 });
    await page.keyboard.press("End");
    await shows(page, last);
    await holds(await download(page), "note.txt", Buffer.concat([Buffer.alloc(3000), Buffer.from(text)]));
    wp.clean(page);
  });
}

test("a file that is in the image is offered, and overwritten in its middle", async () => {
  const image = await withFile(await mke2fs(16384, "-b", "4096"), async (file, folder) => {
    const { readFile, writeFile } = await import("node:fs/promises");
    await writeFile(`${folder}/old`, "x".repeat(10_000));
    tool("debugfs", "-w", "-R", `write ${folder}/old old.txt`, file);
    return readFile(file);
  });
  const page = await wp.open("");
  await complete(page);
  await dropFile(page, "disk.img", image);
  const form = editor(page);
  await form.getByText("disk.img:").waitFor();
  assert.ok(await form.locator('#files option[value$="old.txt"]').count(), "old.txt is not offered");
  const last = await write(page, { text: "new", path: "old.txt", offset: 5000 });
  await page.keyboard.press("End");
  await shows(page, last);
  await holds(await download(page), "old.txt", Buffer.from("x".repeat(5000) + "new" + "x".repeat(4997)));
  wp.clean(page);
});

test("what cannot be mounted is refused with its reason, and the session stays", async () => {
  const good = await mke2fs(8192);
  const damaged = (at) => {
    const copy = Buffer.from(good);
    copy[at] ^= 0x5a;
    return copy;
  };
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  await complete(page);
  await goTo(page, 54);
  const before = await screen(page);
  const cases = [
    ["notes.txt", Buffer.from("this is no file system"), /.+/],
    ["zeros.img", Buffer.alloc(1 << 20), /magic is 0x0, not 0xef53/],
    ["super.img", damaged(1024 + 0x78), /superblock.*checksum|checksum.*superblock/is],
    ["group.img", damaged(2048 + 0x0c), /checksum|descriptor/i],
    ["encrypt.img", await mke2fs(8192, "-O", "encrypt"), /encrypt/],
  ];
  for (const [name, bytes, reason] of cases) {
    await openImage(page, name, bytes);
    const alert = page.getByRole("alert");
    await alert.or(page.getByRole("dialog")).first().waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0, `${name} was taken`);
    await alert.getByText("What was open before is intact.").waitFor();
    assert.match(await alert.innerText(), reason, name);
    if (name === "zeros.img") await accessible(page);
    await alert.getByRole("button", { name: "Dismiss" }).click();
    await page.getByText("What was open before is intact.").waitFor({ state: "detached" });
    assert.deepEqual(await screen(page), before, name);
  }
  wp.clean(page);
});
