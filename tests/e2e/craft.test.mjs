// The page for every reader: by keyboard alone, by a screen reader, at 200 %, in forced colours, in grey, at rest.

import { test } from "node:test";
import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { accessible, site } from "./harness.mjs";
import { complete, goTo, moves, narration } from "./reader.mjs";
import { fits } from "./looks.mjs";

const wp = site();

const zoomed = { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 };
const small = { viewport: { width: 360, height: 740 } };

/** What can be used, as a name each; the tabs and fields that an arrow key reaches from their neighbour are one stop. */
const controls = (page) =>
  page.evaluate(() => {
    const all = "a[href], button, select, input, textarea, summary, [tabindex='0'], [role=slider]";
    return [...document.querySelectorAll(all)]
      .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled && each.tabIndex >= 0)
      .filter((each) => each.type !== "radio" || each.checked)
      .map((each) => window.nameOf(each));
  });

/** Notes in the page how an element is told from all others. */
const named = (page) =>
  page.evaluate(() => {
    const numbers = new WeakMap();
    let next = 0;
    window.nameOf = (each) => {
      if (!numbers.has(each)) numbers.set(each, next++);
      return `${numbers.get(each)} ${each.localName} ${each.ariaLabel ?? each.textContent.trim().slice(0, 40)}`;
    };
  });

for (const [look, options] of Object.entries({ "1280 px": {}, "360 px": small, "200 %": zoomed, "forced colours": { forcedColors: "active" } })) {
  test(`Tab comes to every control, and shows where it is: ${look}`, async () => {
    const page = await wp.open("#1;s=lib:short-copy;t=74", options);
    await complete(page);
    await named(page);
    const wanted = await controls(page);
    assert.ok(wanted.length >= 15, wanted.join("\n"));
    const seen = new Set();
    const unmarked = [];
    for (let n = 0; n < wanted.length + 10; n++) {
      await page.keyboard.press("Tab");
      const [name, ring] = await page.evaluate(() => {
        const at = document.activeElement;
        if (!at || at === document.body) return ["", true];
        // The ring may be drawn by a frame around a field that is itself not seen.
        const rings = [at, at.closest("label"), at.parentElement].filter(Boolean).map((each) => {
          const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(each);
          return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && !/, 0\)$|transparent/.test(outlineColor);
        });
        const { width, height, bottom, top } = at.getBoundingClientRect();
        return [window.nameOf(at), rings.some(Boolean) && width > 0 && height > 0 && bottom > 0 && top < innerHeight];
      });
      if (!name) continue;
      if (!ring && !seen.has(name)) unmarked.push(name);
      seen.add(name);
    }
    assert.deepEqual(wanted.filter((name) => !seen.has(name)), [], "never reached");
    assert.deepEqual(unmarked, [], "reached without a ring in the window");
    wp.clean(page);
  });
}

test("without a mouse: a scenario chosen, played, stepped, watched, shared, and the picture's values asked", async () => {
  const page = await wp.open("");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("short-copy-race");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.includes("s=lib:short-copy-race"));
  const last = await complete(page);
  await moves(page, "ArrowRight");
  await moves(page, "n");
  await page.keyboard.press("w");
  await page.keyboard.type("page[0].dirty");
  await page.keyboard.press("Enter");
  await page.getByTestId("watches").locator("li, tr").first().waitFor();
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
  await moves(page, "End");
  assert.equal(await page.getByTestId("step").innerText(), String(last));
  wp.clean(page);
});

test("a screen reader hears each step once, from a region that was there before the first", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  const last = await complete(page);
  const region = page.locator("[aria-live=polite][data-testid=narration]");
  assert.equal(await region.count(), 1, "before any step");
  assert.equal(await region.getAttribute("aria-atomic"), "true");
  await region.evaluate((node) => {
    window.heard = [];
    window.region = node;
    new MutationObserver(() => window.heard.push(node.innerText)).observe(node, { childList: true, characterData: true, subtree: true });
  });
  const slider = page.getByRole("slider");
  const { name, min } = await slider.evaluate((node) => ({ name: node.ariaLabel, min: node.ariaValueMin }));
  assert.equal(name, "step");
  assert.equal(min, "0");
  let said = await narration(page);
  for (let at = 1; at <= Math.min(last, 90); at++) {
    await page.evaluate(() => (window.heard.length = 0));
    await moves(page, "ArrowRight");
    const [what] = (await narration(page)).split("\n");
    const heard = await page.evaluate(() => [window.heard.length, window.heard.at(-1), window.region.isConnected]);
    assert.ok(heard[2], "the region stays the same element");
    if ((await narration(page)) !== said) {
      assert.ok(heard[0] >= 1 && heard[1].startsWith(what), `step ${at}: heard ${heard[1]}`);
    }
    said = await narration(page);
    assert.equal(await slider.getAttribute("aria-valuenow"), String(at));
    assert.equal(await slider.getAttribute("aria-valuetext"), `step ${at}: ${what}`);
  }
  // While it plays, nothing is read out.
  await page.keyboard.press(" ");
  await page.locator("[aria-live=off][data-testid=narration]").waitFor();
  await page.keyboard.press(" ");
  await region.waitFor();
  wp.clean(page);
});

test("landmarks, headings and names, as a screen reader lists them", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=74");
  await complete(page);
  const tree = await page.locator("body").ariaSnapshot();
  for (const line of [
    /^- banner:$/m,
    /^- main:$/m,
    /- region "narration":/i,
    /- region "Timeline and transport":/,
    /heading "short-copy: [^"]+" \[level=1\]/,
    /- heading "User memory[^"]*" \[level=2\]/,
    /- heading "Page cache[^"]*" \[level=2\]/,
    /- heading "Page 0" \[level=3\]/,
    /- heading "ext4[^"]*" \[level=2\]/,
    /- heading "Disk[^"]*" \[level=2\]/,
    /- heading "Dirty balance" \[level=2\]/,
    /- tab "Outline" \[selected\]/,
    /- slider "step"/,
    /- button "Play"/,
    /- button "uptodate set/,
    /- textbox "[^"]*step[^"]*"/i,
  ]) assert.match(tree, line);
  const nameless = tree.split("\n").filter((line) => /^\s*- (button|link|textbox|combobox|slider|img|radio|tab|dialog|region|group)(:|$| \[)/.test(line));
  assert.deepEqual(nameless, []);
  // Headings do not skip a level.
  const levels = await page.locator("h1, h2, h3, h4").evaluateAll((all) => all.filter((each) => each.checkVisibility()).map((each) => Number(each.localName[1])));
  assert.equal(levels.filter((level) => level === 1).length, 1);
  levels.slice(1).forEach((level, at) => assert.ok(level <= levels[at] + 1, `h${level} after h${levels[at]}`));
});

test("nothing moves by itself for a reader who wants no motion", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=20", { reducedMotion: "reduce" });
  await complete(page);
  await page.evaluate(() => {
    window.moved = [];
    for (const kind of ["animationstart", "transitionrun"]) {
      addEventListener(kind, (event) => window.moved.push(`${kind} ${event.target.className?.baseVal ?? event.target.className}`), true);
    }
  });
  for (let at = 21; at <= 100; at++) {
    await moves(page, "ArrowRight");
    const running = await page.evaluate(() => document.getAnimations().map((each) => `${each.effect.getComputedTiming().duration} ms ${each.effect.target?.getAttribute("class")}`));
    assert.deepEqual(running, [], `step ${at}`);
  }
  assert.deepEqual(await page.evaluate(() => window.moved), []);
  wp.clean(page);
});

test("at 200 % and at 360 px nothing that can be used is out of the window's width or cut", async () => {
  for (const options of [zoomed, small]) {
    const page = await wp.open("#1;s=lib:short-copy;t=74", options);
    await complete(page);
    for (const tab of await page.locator("[role=tablist]").first().getByRole("tab").all()) {
      await tab.click();
      await fits(page);
      const cut = await page.evaluate(() => {
        const found = [];
        for (const each of document.querySelectorAll("button, select, input, a[href], [role=slider]")) {
          if (!each.checkVisibility({ visibilityProperty: true }) || each.closest("fieldset, .vh")) continue;
          const { left, right, width } = each.getBoundingClientRect();
          const name = each.ariaLabel ?? each.textContent.trim().slice(0, 40);
          if (left < -0.5 || right > innerWidth + 0.5) found.push(`${name}: ${left.toFixed()}..${right.toFixed()}`);
          // A list's choice may be longer than its field; a button's words may not.
          const { overflowX, textOverflow } = getComputedStyle(each);
          const words = each.localName === "button" && each.scrollWidth - each.clientWidth > 1 && overflowX !== "visible";
          if (words && textOverflow === "ellipsis" && each.title) continue; // code; the whole line is its title
          if (words && width > 0) found.push(`${name}: its words are cut`);
        }
        return found;
      });
      assert.deepEqual(cut, [], await tab.innerText());
    }
    wp.clean(page);
  }
});

test("in the narrowest window every command is a press away", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=74", small);
  await complete(page);
  await page.getByRole("button", { name: "Commands" }).click();
  const palette = page.locator("#palette-options");
  await palette.waitFor();
  const all = await palette.getByRole("option").allInnerTexts();
  for (const words of ["Edit", "Any block", "image", "Korean|한국어", "light and dark", "SIGKILL", "speed", "statement", "About", "link"]) {
    assert.ok(all.some((line) => new RegExp(words, "i").test(line)), `${words} in\n${all.join("\n")}`);
  }
  await page.keyboard.type("light and");
  await page.keyboard.press("Enter");
  await page.locator("html[data-theme=dark]").waitFor();
  wp.clean(page);
});

/** Every mark of a state that is on screen: its kind, its state, and what is left of its look without colour. */
const marks = (page) =>
  page.evaluate(() => {
    const shape = (style) =>
      [style.borderTopStyle, style.borderTopWidth, style.boxShadow.split("px").length, style.backgroundImage.replace(/rgb[^)]*\)/g, ""), style.strokeDasharray, style.fill.startsWith("url") ? style.fill : ""].join("/");
    const kinds = { chip: ".fl", page: ".cell", extent: ".ex", bytes: ".by", residency: ".res", place: ".bk", phase: ".badge" };
    return Object.entries(kinds).flatMap(([kind, selector]) =>
      [...document.querySelectorAll(selector)].map((each) => {
        const style = getComputedStyle(each);
        const beside = each.closest("g")?.querySelector("text");
        // Letters only: a number is no state.
        const words = (each.matches("rect") ? beside?.textContent : each.firstElementChild?.textContent || each.textContent) ?? "";
        const letters = each.querySelector("s") ? `struck ${words}` : words.replace(/[0-9\s]+/g, "");
        const set = !each.matches(".fl:not(.on)");
        const state = set ? [...each.classList].filter((name) => !/^(chg-o|wide|narrow|act|ph|opens)$/.test(name)).join(".") : "clear";
        const edge = each.parentElement.querySelector(".by-edge") ? "edge" : "";
        return { kind, state, shape: `${shape(style)} ${edge} ${letters}` };
      }));
  });

for (const [look, options] of Object.entries({ "in grey": {}, "in grey, dark": { colorScheme: "dark" }, "forced colours": { forcedColors: "active" } })) {
  test(`states differ in letter or shape, not in colour alone: ${look}`, async () => {
    const page = await wp.open("", options);
    const shapes = new Map();
    for (const [name, steps] of Object.entries({
      "short-copy": [20, 45, 54, 60, 80, 150, 173, 230],
      "read-modify-write": [30, 50, 70, 110],
      "fallocate-then-write": [60, 120, 180],
      "overwrite-uncached-partial": [10, 40, 60],
      "redirtied-under-writeback": [150, 200, 250, 300],
    })) {
      await page.evaluate((name) => (location.hash = `#1;s=lib:${name};t=0`), name);
      await page.waitForFunction((name) => document.querySelector("#scenario").value === name, name);
      const last = await complete(page);
      for (const at of steps.filter((at) => at <= last)) {
        await goTo(page, at);
        for (const mark of await marks(page)) {
          const key = `${mark.kind} ${mark.shape}`;
          if (!shapes.has(key)) shapes.set(key, new Map());
          shapes.get(key).set(mark.state, `${name} ${at}`);
        }
      }
    }
    const alike = [...shapes].filter(([, states]) => states.size > 1).map(([shape, states]) => `${shape}: ${[...states].map((each) => each.join(" at ")).join(", ")}`);
    assert.deepEqual(alike, []);
    assert.ok(shapes.size >= 20, `${shapes.size} marks`);
    wp.clean(page);
  });
}

test("in forced colours every box has a border, and the gauges their bars", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=74", { forcedColors: "active" });
  await complete(page);
  const bare = await page.evaluate(() => {
    const boxes = ".panel, .say, .tl, .pg, .cell, .fl, .tx, .btn.go, .segd";
    return [...document.querySelectorAll(boxes)]
      .filter((each) => each.checkVisibility())
      .filter((each) => {
        const { borderTopStyle, borderTopWidth, backgroundColor } = getComputedStyle(each);
        const filled = each.matches(".btn.go") && backgroundColor !== getComputedStyle(document.body).backgroundColor;
        return !filled && (borderTopStyle === "none" || parseFloat(borderTopWidth) === 0);
      })
      .map((each) => each.className);
  });
  assert.deepEqual(bare, []);
  const drawn = await page.evaluate(() => {
    const ground = getComputedStyle(document.body).backgroundColor;
    const shapes = "svg .trk, svg .seg, svg .res, svg .ex, svg .dv, svg .sl, svg .it, svg .rg0";
    return [...document.querySelectorAll(shapes)]
      .filter((each) => {
        const { fill, stroke } = getComputedStyle(each);
        const plain = (paint) => paint === "none" || paint === ground;
        return plain(fill) && plain(stroke);
      })
      .map((each) => each.getAttribute("class"));
  });
  assert.deepEqual([...new Set(drawn)], [], "drawn in the colour of the ground");
  wp.clean(page);
});

for (const scheme of ["light", "dark"]) {
  test(`in forced colours what moves and what is told of a byte can be read, ${scheme}`, async () => {
    const page = await wp.open("#1;s=lib:short-copy;t=46", { forcedColors: "active", colorScheme: scheme, reducedMotion: "no-preference" });
    await complete(page);
    const system = (name) =>
      page.evaluate((name) => {
        const probe = document.body.appendChild(document.createElement("i"));
        probe.style.setProperty("color", name);
        const { color } = getComputedStyle(probe);
        probe.remove();
        return color;
      }, name);
    const [text, ground] = [await system("CanvasText"), await system("Canvas")];
    await page.evaluate(() => {
      const animate = Element.prototype.animate;
      Element.prototype.animate = function (...how) {
        const made = animate.apply(this, how);
        made.playbackRate = 0.001;
        return made;
      };
    });
    // The block of a copy is seen, and the words below it are read through it.
    await moves(page, "ArrowRight");
    const block = await page.locator("#mv").evaluate((block) => {
      const { backgroundColor, opacity } = getComputedStyle(block);
      return { backgroundColor, opacity };
    });
    assert.equal(block.backgroundColor, text);
    assert.ok(block.opacity >= 0.4 && block.opacity <= 0.5, `opacity ${block.opacity}`);
    // The ring of a commit.
    const at = await page.evaluate(() => document.querySelector('[data-testid="app"]').dataset.step);
    assert.equal(at, "47");
    await goTo(page, 213);
    await moves(page, "ArrowRight");
    const ring = await page.locator("#mv").evaluate((block) => getComputedStyle(block).boxShadow);
    assert.ok(ring.startsWith(text), ring);
    // A byte's card, and a breakpoint in the gutter.
    await goTo(page, 120);
    await page.getByRole("spinbutton", { name: "A byte of the page" }).focus();
    const card = page.getByTestId("byte-card");
    await card.waitFor();
    const look = await card.evaluate((card) => {
      const { color, backgroundColor, borderTopColor, borderTopStyle, borderTopWidth } = getComputedStyle(card);
      return [color, backgroundColor, borderTopColor, borderTopStyle, parseFloat(borderTopWidth) >= 1];
    });
    assert.deepEqual(look, [text, ground, text, "solid", true]);
    const gutter = page.getByTestId("outline").locator('li:has([data-line="GPW_COPY"]) .gut');
    await gutter.click();
    const dot = await gutter.evaluate((gutter) => getComputedStyle(gutter, "::before").backgroundColor);
    assert.equal(dot, await system("ButtonText"));
    await accessible(page);
    wp.clean(page);
  });
}

test("a long run says how far it is computed, and can be stopped and taken up again", async () => {
  const scenario = {
    version: 1,
    title: { en: "4000 pages" },
    image: { mkfs: { size_mib: 64 } },
    buffers: [{ name: "b", len: 4000 * 4096 }],
    tasks: [{ name: "A", setup: [{ open: { fd: "f", path: "x", flags: "CREAT,RDWR" } }], ops: [{ pwrite: { fd: "f", off: 0, iov: [{ buf: "b", len: 4000 * 4096 }] } }] }],
  };
  for (const options of [{}, small]) {
    const page = await wp.open("", options);
    await complete(page);
    await page.evaluate((hash) => (location.hash = hash), `#1;s=z:${deflateRawSync(JSON.stringify(scenario)).toString("base64url")};t=0`);
    const bar = page.getByTestId("computing");
    await bar.getByRole("button", { name: "Stop" }).click();
    await bar.getByRole("button", { name: "Go on" }).waitFor();
    const slider = page.getByRole("slider");
    const stopped = Number(await slider.getAttribute("aria-valuemax"));
    assert.ok(stopped >= 5000, `${stopped} steps`);
    const percent = Number(await page.getByRole("progressbar", { name: "Computing the run" }).getAttribute("value"));
    assert.ok(percent > 0 && percent < 100, `${percent} %`);
    await accessible(page);
    await fits(page);
    // What is there can be stepped through meanwhile, and nothing is added.
    assert.equal(await moves(page, "ArrowRight"), 1);
    assert.equal(Number(await slider.getAttribute("aria-valuemax")), stopped);
    await bar.getByRole("button", { name: "Go on" }).click();
    const last = await complete(page);
    assert.ok(last > 100_000, `${last} steps`);
    assert.equal(await bar.count(), 0);
    wp.clean(page);
    await page.context().close();
  }
});
