// Shows what a step moves. The app says what, and where on its axes (src/app/src/motion.rs, src/view/src/motion.rs); the
// elements stand where the step left them already, and nothing here changes them: only animations run, and one block of
// colour, #mv, travels over the page.

const kinds = ["copy", "refuse", "keep", "advance", "retry", "read", "submit", "end", "commit"];
const lasts = [220, 300, 90, 220, 220, 220, 300, 90, 300];
// The element of each axis, and where on it the bytes are drawn: top and height, px.
const axes = [[".mem", 1, 24], [".strip", 7, 44], [".cells", 0, 26], [".device", 1, 13], [".tx", 0, 20]];
const fall = "cubic-bezier(.3,0,.2,1)";
const settle = "cubic-bezier(.2,.8,.2,1)";
const still = matchMedia("(prefers-reduced-motion: reduce)");
const forced = matchMedia("(forced-colors: active)"); // the block has the colour of the words that it passes over

let block; // #mv
let running = [];

const find = (selector) => document.querySelector(selector);
const hidden = { opacity: 0 };

/** Where a stretch is on the page. */
function place(axis, begin, end) {
  const [selector, top, height] = axes[axis];
  const box = find(selector)?.getBoundingClientRect() ?? { width: 0 };
  const width = Math.max(((end - begin) * box.width) / 100, 2);
  return { x: box.left + (begin * box.width) / 100, y: box.top + top, width, height, seen: box.width > 0 };
}

/** Where a shape of the drawing begins and how wide it is, in per cent. */
const stretch = (shape) => ["x", "width"].map((name) => parseFloat(shape.getAttribute(name)));

/** The travelling block there; it is 1 px wide and high. */
const at = ({ x, y, width, height }, background, more) => ({
  opacity: forced.matches ? 0.45 : 0.9, background: `var(--${background})`, transform: `translate(${x}px,${y}px) scale(${width},${height})`, ...more,
});

/** A dot about a point. */
const dot = (x, y, size) => at({ x: x - size / 2, y: y - size / 2, width: size, height: size }, "writeback", { opacity: 0.9, clipPath: "circle()" });

/** Ends the motion before, and shows this one; `ends` are two stretches: an axis, and begin and end in per cent of it. */
export function show(kind, stays, ...ends) {
  for (const each of running) each.cancel();
  running = [];
  const duration = lasts[kind];
  if (duration > stays || still.matches) return;
  const [from, to] = [place(...ends.slice(0, 3)), place(...ends.slice(3))];
  if (!from.seen || !to.seen) return; // in another panel
  if (!block?.isConnected) {
    block = document.body.appendChild(document.createElement("div"));
    block.id = "mv";
    block.ariaHidden = "true";
  }
  const id = kinds[kind];
  const run = (elements, keys, easing = fall) => {
    for (const element of [elements].flat()) if (element) running.push(element.animate(keys, { id, duration, easing }));
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  // What arrives is covered until the block is nearly there; its words come last.
  const land = (clip) => {
    const [bytes, words] = [all(".strip .by"), all(".strip .told")];
    bytes.forEach((range, n) => {
      const [x, width] = stretch(range);
      if (x + width < ends[4] + 0.001 || x > ends[5] - 0.001) return;
      run(range, [{ clipPath: clip }, { clipPath: clip, offset: 0.6 }, { clipPath: "inset(0)" }]);
      run(words[n], [hidden, hidden]);
    });
  };
  const show = {
    copy() {
      run(block, [at(from, "ph-copy"), at(to, "ph-copy")]);
      run(find(".copyfill"), [{ clipPath: "inset(0 0 100% 0)" }, { clipPath: "inset(0)" }]);
      land("inset(0 0 100% 0)");
    },
    refuse() {
      run(block, [at(to, "ph-copy", { clipPath: "inset(0)" }), at(to, "ph-copy", { clipPath: "inset(0 0 0 100%)" })]);
      run(all(".copyghost"), [hidden, {}]);
      run(find(".endt"), [hidden, { ...hidden, offset: 0.7 }, {}]);
    },
    keep() {
      run(all(".pg .chg-o"), [{ outlineColor: "transparent" }, {}]);
    },
    advance() {
      run(find(".mem .caret"), [{ transform: `translateX(${from.x - to.x}px)` }, {}], settle);
      for (const hatch of all(".mem .used")) {
        const [x, width] = stretch(hatch);
        const ahead = Math.min(100, (100 * (x + width - ends[1])) / width);
        if (ahead > 0) run(hatch, [{ clipPath: `inset(0 ${ahead}% 0 0)` }, { clipPath: "inset(0)" }], settle);
      }
    },
    retry() {
      const [line, , tick] = all(".brk");
      run(line, [{ transform: `scaleX(${from.width / to.width})` }, {}], settle);
      run(tick, [{ transform: `translateX(${from.width - to.width}px)` }, {}], settle);
    },
    read() {
      // Up its wire to the file's block, and from there into the page.
      const cell = find(".cell[aria-pressed=true]")?.getBoundingClientRect() ?? to;
      run(block, [from, cell, to].map((there) => at(there, "clean")));
      land("inset(100% 0 0 0)");
    },
    submit() {
      // Down the wire, which runs from below the extents to the device.
      const wire = find(".grow2").getBoundingClientRect();
      run(block, [dot(from.x + from.width / 2, wire.top, 8), dot(to.x + to.width / 2, wire.bottom, 8)]);
      for (const cell of all(".cell.wbc.chg-o")) run(cell, [{ background: "var(--dirty-tint)" }, {}]);
    },
    end() {
      run(block, [dot(to.x + to.width / 2, to.y + 6, 16), dot(to.x + to.width / 2, to.y + 6, 4)]);
      run(all(".bm.done"), [hidden, {}]);
    },
    commit() {
      // A fan that opens once around, over a ring as wide as the pill.
      const corners = ["-4% -20%", "104% -20%", "104% 120%", "-4% 120%", "-4% -20%"];
      const fan = (n) => `polygon(50% 50%,${corners.map((_, i) => corners[Math.min(i, n)])})`;
      const ring = { opacity: 1, width: `${to.width}px`, height: "20px", borderRadius: "10px", boxShadow: "0 0 0 2px var(--ph-journal)" };
      const transform = `translate(${to.x}px,${to.y}px)`;
      run(block, corners.map((_, n) => ({ ...ring, transform, clipPath: fan(n) })), "linear");
      // Its state comes last: committing.
      const before = { ...hidden, transform: "translateX(-12px)" };
      run(find(".tx.chg-o .state"), [before, { ...before, offset: 0.7 }, {}], settle);
    },
  };
  show[id]();
}
