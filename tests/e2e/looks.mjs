// What a page looks like, in pixels: whether its texts can be read, and whether it is the picture that it was.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { output } from "./harness.mjs";

const snapshots = join(dirname(fileURLToPath(import.meta.url)), "snapshots");

/** Nothing is wider than the window. */
export async function fits(page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${over} px wider than the window`);
}

/** A page of its own in the same context that knows how to look at pictures; no site's policy binds it. */
async function eye(page) {
  const other = await page.context().newPage();
  await other.evaluate(() => {
    globalThis.pixels = async (png) => {
      const blob = await (await fetch(`data:image/png;base64,${png}`)).blob();
      const bitmap = await createImageBitmap(blob);
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
      canvas.drawImage(bitmap, 0, 0);
      return canvas.getImageData(0, 0, bitmap.width, bitmap.height);
    };
  });
  return other;
}

/** Asserts that every text in the window stands out from what is behind it, by its luminance alone: so in grey too. */
export async function legible(page) {
  const texts = await page.evaluate(() => {
    const found = [];
    const root = document.querySelector("dialog[open]") ?? document.body;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const words = node.data.trim();
      // A dot stands for a flag that is clear, a dash for a value there is none of: both are meant to be faint.
      if (!words || words === "·" || words === "–") continue;
      const parent = node.parentElement;
      if (parent.closest(".vh, [disabled], option, title, script") || !parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const { x, y, width, height } of range.getClientRects()) {
        const over = document.elementFromPoint(x + width / 2, y + height / 2);
        const svg = parent.closest("svg");
        const seen = parent.contains(over) || (svg && over?.closest("svg") === svg);
        if (seen && width > 3 && x >= 0 && y >= 0 && x + width <= innerWidth && y + height <= innerHeight) {
          found.push({ words, box: [x, y, width, height] });
        }
      }
    }
    return found;
  });
  assert.ok(texts.length > 5, `only ${texts.length} texts`);
  const scale = await page.evaluate(() => devicePixelRatio);
  const png = (await page.screenshot({ scale: "device", caret: "hide" })).toString("base64");
  const other = await eye(page);
  const faint = await other.evaluate(async ([png, texts, scale]) => {
    const { data, width: across } = await pixels(png);
    const linear = (byte) => ((byte /= 255) <= 0.04045 ? byte / 12.92 : ((byte + 0.055) / 1.055) ** 2.4);
    const faint = [];
    for (const { words, box } of texts) {
      const [x, y, width, height] = box.map((each) => Math.round(each * scale));
      let [least, most] = [1, 0];
      for (let row = y; row < y + height; row++) {
        for (let at = (row * across + x) * 4; at < (row * across + x + width) * 4; at += 4) {
          const light = 0.2126 * linear(data[at]) + 0.7152 * linear(data[at + 1]) + 0.0722 * linear(data[at + 2]);
          least = Math.min(least, light);
          most = Math.max(most, light);
        }
      }
      const contrast = (most + 0.05) / (least + 0.05);
      // Thin strokes are never drawn in their full colour, so this is below axe's 4.5.
      if (!(contrast >= 3)) faint.push(`${words}: ${contrast.toFixed(2)} at ${box.map(Math.round)}`);
    }
    return faint;
  }, [png, texts, scale]);
  await other.close();
  assert.deepEqual(faint, []);
}

/** How many px of the window's width and height are one of a snapshot: letters are grey there, boxes are boxes. */
const BLOCK = 4;
/** A block has changed when a colour is off by more than this, of 255. */
const OFF = 32;
/** So many of 1000 blocks may have changed: with the fonts that the snapshots were taken with, and with others. */
const SHARE = { same: 1, other: 40 };

/**
 * How wide a line is in the page's two families: other fonts give other numbers.
 * Fonts are the machine's own, for none is loaded; where they are others, every letter is.
 */
const fonts = (page) =>
  page.evaluate(() => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    const of = getComputedStyle(document.documentElement);
    return ["--sans", "--mono"].map((family) => {
      pen.font = `16px ${of.getPropertyValue(family)}`;
      return pen.measureText("Every buffer of page 0 that the write touches is mapped, 0123456789.").width;
    });
  });

/**
 * Asserts that the window looks as in tests/e2e/snapshots/NAME.png. UPDATE_SNAPSHOTS=1 writes that picture anew.
 *
 * A snapshot has the mean of each 4 x 4 px, in steps of 16. Measured on the six steps: the same build differs in 0 of 1000
 * blocks; other fonts in 18 to 31; a panel 16 px lower in 53 to 76, a wider gap between panels in 15 to 47, a gauge that is
 * gone in 2 to 10. So with the snapshots' own fonts 1 is the limit, and with others, where only what is large can be told
 * from the letters, 40.
 */
export async function looksAsBefore(page, name) {
  const png = (await page.screenshot({ caret: "hide" })).toString("base64");
  const file = join(snapshots, `${name}.png`);
  const before = await readFile(file, "base64").catch(() => "");
  const update = Boolean(process.env.UPDATE_SNAPSHOTS);
  const [mine, theirs] = [await fonts(page), JSON.parse(await readFile(join(snapshots, "fonts.json"), "utf8").catch(() => "[]"))];
  const most = mine.every((width, at) => Math.abs(width - theirs[at]) < 0.5) ? SHARE.same : SHARE.other;
  assert.ok(before || update, `${file} is missing; UPDATE_SNAPSHOTS=1 writes it`);
  const other = await eye(page);
  const { now, marked, share } = await other.evaluate(async ([png, before, block, off]) => {
    const large = await pixels(png);
    const [width, height] = [large.width / block, large.height / block].map(Math.floor);
    const small = new ImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      const [x, y] = [(at % width) * block, Math.floor(at / width) * block];
      for (let colour = 0; colour < 4; colour++) {
        let sum = 0;
        for (let row = 0; row < block; row++) {
          for (let column = 0; column < block; column++) sum += large.data[((y + row) * large.width + x + column) * 4 + colour];
        }
        small.data[at * 4 + colour] = colour === 3 ? 255 : Math.round(sum / block ** 2 / 16) * 16;
      }
    }
    const encode = async (image) => {
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext("2d").putImageData(image, 0, 0);
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    };
    const now = await encode(small);
    if (!before) return { now, marked: now, share: 0 };
    const old = await pixels(before);
    if (old.width !== width || old.height !== height) return { now, marked: now, share: 1000 };
    const marked = new ImageData(small.data.slice(), width, height);
    let changed = 0;
    for (let at = 0; at < width * height * 4; at += 4) {
      const apart = Math.max(...[0, 1, 2].map((colour) => Math.abs(small.data[at + colour] - old.data[at + colour])));
      if (apart > off) {
        changed += 1;
        marked.data.set([255, 0, 0, 255], at);
      }
    }
    return { now, marked: await encode(marked), share: (1000 * changed) / (width * height) };
  }, [png, before, BLOCK, OFF]);
  await other.close();
  if (update) {
    await mkdir(snapshots, { recursive: true });
    await writeFile(file, Buffer.from(now, "base64"));
    await writeFile(join(snapshots, "fonts.json"), `${JSON.stringify(mine)}\n`);
    return;
  }
  if (share > most) {
    await mkdir(output, { recursive: true });
    await writeFile(join(output, `${name}-marked.png`), Buffer.from(marked, "base64"));
    await writeFile(join(output, `${name}.png`), Buffer.from(png, "base64"));
  }
  assert.ok(share <= most, `${share.toFixed(1)} of 1000 blocks of ${name} have changed, at most ${most} may; see tests/e2e/output/${name}-marked.png, and UPDATE_SNAPSHOTS=1 if it is meant`);
}
