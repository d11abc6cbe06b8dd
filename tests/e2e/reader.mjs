// What a reader of the page does and sees, in words that the tests share. Every wait is for a state of the DOM.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const app = (page) => page.getByTestId("app");

/** Waits until the run is computed to its end; gives the number of its last step. */
export async function complete(page) {
  await page.locator('[data-testid="app"][data-complete="true"]').waitFor();
  return Number(await page.getByRole("slider").getAttribute("aria-valuemax"));
}

/** The step on screen. */
export async function step(page) {
  return Number(await app(page).getAttribute("data-step"));
}

/** Waits until this step is on screen. */
export async function shows(page, number) {
  await page.locator(`[data-testid="app"][data-step="${number}"]`).waitFor();
}

/** Presses a key (or does what `act` does) and waits for another step; gives its number. */
export async function moves(page, act) {
  const before = await app(page).getAttribute("data-step");
  await (typeof act === "string" ? page.keyboard.press(act) : act());
  await page.locator(`[data-testid="app"]:not([data-step="${before}"])`).waitFor();
  return step(page);
}

/** Goes to a step by its number, as the keyboard does it. */
export async function goTo(page, number) {
  await page.keyboard.press("g");
  await page.keyboard.type(String(number));
  await page.keyboard.press("Enter");
  await shows(page, number);
  await page.evaluate(() => document.activeElement.blur());
}

export const narration = (page) => page.getByTestId("narration").innerText();

/** Steps on until the narration says `words`, by a key or by `act`. The step it is at counts too. */
export async function stepUntil(page, words, act = "ArrowRight") {
  for (;;) {
    const said = await narration(page);
    if (words.test(said)) return said;
    assert.ok(!(await atEnd(page)), `the run ended before ${words}`);
    await moves(page, act);
  }
}

async function atEnd(page) {
  const slider = page.getByRole("slider");
  return (await slider.getAttribute("aria-valuenow")) === (await slider.getAttribute("aria-valuemax"));
}

/** The whole screen as text: every element of every panel with its attributes, in an order of their own. */
export function screen(page) {
  return page.evaluate(() => {
    const lines = [];
    const walk = (node, depth) => {
      if (node.nodeType === Node.TEXT_NODE) {
        lines.push(" ".repeat(depth) + JSON.stringify(node.data));
      } else if (node.nodeType === Node.ELEMENT_NODE) {
        const attributes = [...node.attributes].map((each) => `${each.name}=${JSON.stringify(each.value)}`).sort();
        const value = "value" in node && node.localName !== "li" ? ` :value=${JSON.stringify(String(node.value))}` : "";
        lines.push(" ".repeat(depth) + [node.localName, ...attributes].join(" ") + value);
        for (const child of node.childNodes) walk(child, depth + 1);
      }
    };
    walk(document.querySelector('[data-testid="app"]'), 0);
    // Neighbouring texts are one text to a reader.
    return lines.filter((line) => line.trim() !== '""');
  });
}

/** Takes something away as a file, by its words in the menu; gives the file's name and bytes. */
export async function takeAway(page, words) {
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const item = page.getByRole("group", { name: "Take something away as a file" }).getByRole("button", { name: words });
  const [file] = await Promise.all([page.waitForEvent("download"), item.click()]);
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
}

/** Saves the device as it is at this step; gives its bytes. */
export async function download(page) {
  return (await takeAway(page, "Disk image")).bytes;
}

/** The editor. */
export const editor = (page) => page.getByRole("dialog", { name: "Edit the scenario" });

/** The field of the form at a path. */
export const at = (page, path) => page.locator(`[id="at:${path}"]`);

/** Waits until the editor has looked at what is written: "good" or "bad". */
export async function judged(page, state = "good") {
  await page.locator(`#ed-problem[data-state="${state}"]`).waitFor();
  return page.locator("#ed-problem").innerText();
}

/** Writes one's own bytes in the editor, beginning with its scenario of one small write, and runs it. */
export async function write(page, { text, file, call = "pwrite", path, offset, segments, blockSize }) {
  const form = editor(page);
  if (file) {
    await form.getByLabel("or a file’s bytes").first().setInputFiles({ name: "bytes", mimeType: "", buffer: file });
    await page.waitForFunction((len) => document.querySelector('[id="at:buffers[0].len"]').value === String(len), file.length);
  } else {
    await at(page, "buffers[0].fill.text").fill(text);
  }
  await at(page, "tasks[0].setup[0].open.path").fill(path);
  const op = "tasks[0].ops[0]";
  await at(page, op).selectOption(call);
  if (offset !== undefined) await at(page, `${op}.${call}.off`).fill(String(offset));
  const total = Buffer.byteLength(file ?? text);
  let begin = 0;
  for (const [n, len] of [...(segments ?? []), total - (segments ?? []).reduce((sum, len) => sum + len, 0)].entries()) {
    const piece = `${op}.${call}.iov[${n}]`;
    if (n > 0) await form.getByRole("button", { name: "+ segment" }).click();
    await at(page, `${piece}.len`).fill(String(len));
    if (begin > 0) await at(page, `${piece}.off`).fill(String(begin));
    begin += len;
  }
  if (blockSize !== undefined) await at(page, "image.mkfs.block_size").selectOption(String(blockSize));
  await judged(page);
  await form.getByRole("button", { name: "Run" }).click();
  await form.waitFor({ state: "detached" });
  return complete(page);
}

/** Opens an image by the page's own button. */
export function openImage(page, name, bytes) {
  return page.getByLabel("Open an ext4 image file").setInputFiles({ name, mimeType: "application/octet-stream", buffer: bytes });
}

/** Drops a file on the page, or on the sheet that is over it, as a reader does from a folder. */
export async function dropFile(page, name, bytes) {
  const field = await page.evaluateHandle(() => Object.assign(document.createElement("input"), { type: "file" }));
  await field.setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) });
  await field.evaluate((input) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(input.files[0]);
    const target = document.querySelector("dialog .ed-all") ?? document.querySelector("main") ?? document.body;
    for (const kind of ["dragover", "drop"]) {
      target.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
    }
  });
}

/** Runs one of the e2fsprogs. Debian keeps them where a user's PATH does not look. */
export function tool(name, ...args) {
  const PATH = [process.env.PATH, "/usr/sbin", "/sbin"].join(delimiter);
  return execFileSync(name, args, { env: { ...process.env, PATH }, stdio: ["ignore", "pipe", "pipe"], maxBuffer: 64 << 20 });
}

/** Calls `use` with a file of these bytes, and with its folder. */
export async function withFile(bytes, use) {
  const folder = await mkdtemp(join(tmpdir(), "writepath-e2e-"));
  try {
    const file = join(folder, "image");
    if (bytes) await writeFile(file, bytes);
    return await use(file, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Asserts that the real tools find a clean file system, in which `path` holds `expected`. */
export async function holds(image, path, expected) {
  await withFile(image, (file) => {
    tool("e2fsck", "-fn", file);
    const found = tool("debugfs", "-R", `cat ${path}`, file);
    assert.ok(found.equals(expected), `${path} holds ${found.length} B, ${expected.length} B were written`);
  });
}

/** An image made by the real mke2fs, without a word about features unless `args` say one. */
export function mke2fs(kib, ...args) {
  return withFile(undefined, async (file) => {
    tool("mke2fs", "-q", "-t", "ext4", ...args, file, `${kib}k`);
    return readFile(file);
  });
}
