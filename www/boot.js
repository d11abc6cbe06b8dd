// Loads the wasm and starts the app. When the wasm has panicked it is beyond repair: boot.js takes the dead
// instance off the screen, says what happened and offers a fresh start, with the link or without.
//
// The app's panic hook tells the message by an event before the trap:
//   document.dispatchEvent(new CustomEvent("writepath:panic", { detail: { message, link } }))
// where `link` is the last hash it wrote; without it the address bar's hash is used.
// Nothing here is global.

const script = document.querySelector("script[data-wasm]");
const here = (path) => new URL(path, document.baseURI).href;

// The language of the running app; before it runs, the link's, the one chosen last, or the browser's.
let running = false;
const korean = () => {
  if (running) return document.documentElement.lang === "ko";
  const said = /;l=(en|ko)(;|$)/.exec(location.hash)?.[1];
  return (said ?? kept("writepath.lang") ?? navigator.languages.find((tag) => /^(en|ko)\b/.test(tag)) ?? "en").startsWith("ko");
};
const kept = (name) => {
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined; // storage may be forbidden
  }
};
const say = (english, hangul) => (korean() ? hangul : english);

let fell = false;

/** Puts one element together; text goes in as text. */
function make(tag, props, ...children) {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
}

/** Replaces the page by the message, once: later traps of the dead instance add nothing. */
function fall(title, message, link) {
  if (fell) return;
  fell = true;
  const again = make("button", { type: "button", className: "fault-button" }, say("Reload", "새로 고침"));
  again.addEventListener("click", () => {
    if (link && link !== location.hash) history.replaceState(null, "", link);
    location.reload();
  });
  const body = [make("h1", {}, title), make("pre", { tabIndex: 0 }, message)];
  const actions = make("p", { className: "fault-actions" }, again);
  if (link) {
    const fresh = make("button", { type: "button", className: "fault-button" }, say("Start without the link", "링크 없이 시작"));
    fresh.addEventListener("click", () => {
      history.replaceState(null, "", location.pathname + location.search);
      location.reload();
    });
    actions.append(fresh);
    body.push(
      make("p", {}, say("You were here; the link is worth keeping for a report:", "여기까지 왔다. 신고할 때 쓸 링크:")),
      make("p", {}, make("a", { href: link, className: "fault-link" }, link)),
    );
  }
  const panel = make("main", { className: "fault" }, make("div", { role: "alert" }, ...body), actions);
  document.body.replaceChildren(panel);
  again.focus();
}

const trapped = (error) => error instanceof WebAssembly.RuntimeError;
let panic; // what the hook said, until the trap that follows it

document.addEventListener("writepath:panic", ({ detail }) => {
  panic = detail;
  // The trap unwinds to the event loop first; then this instance is not touched again.
  queueMicrotask(() => crashed(detail.message));
});
addEventListener("error", (event) => {
  if (trapped(event.error)) crashed(String(event.error));
});
addEventListener("unhandledrejection", (event) => {
  if (trapped(event.reason)) crashed(String(event.reason));
});

function crashed(message) {
  fall(say("Writepath has stopped", "Writepath가 멈췄다"), panic?.message ?? message, panic?.link || location.hash);
}

// The wasm is two modules (docs/decisions/0008). The first has all that a first visit runs; the second, data-rest, is
// fetched when more is wanted. Without data-rest, in a development build, the first is all of it.
const rest = script.dataset.rest && here(script.dataset.rest);
let first; // exports of the first module
let module; // the second one, compiled
let fetching;
let loaded = !rest;

/** The app gives its exports, before anything else. */
export function share_exports(exports) {
  first = exports;
}

/** Fetches the second module, so that load_rest has no need to. The app awaits it where it knows that it wants more. */
export function fetch_rest() {
  fetching ??= fetchedRest().catch((error) => {
    fetching = undefined; // so that it can be tried again
    throw error;
  });
  return fetching;
}

async function fetchedRest() {
  if (!loaded) module = await compiled(rest);
}

/** A wasm, compiled while it comes where the server tells that it is one. */
async function compiled(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const streams = answer.headers.get("Content-Type") === "application/wasm";
  return streams ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

/** Puts the second module in place. When the wasm needs it at once, it stands in the middle of a call: no await. */
export function load_rest() {
  if (loaded) return;
  try {
    new WebAssembly.Instance((module ??= new WebAssembly.Module(bytesNow(rest))), { first });
    loaded = true;
  } catch (error) {
    fall(say("Writepath could not be loaded", "Writepath를 불러올 수 없다"), String(error), location.hash);
    throw error;
  }
}

/** A file's bytes, while everything waits. Such a request cannot ask for bytes: it gets a letter for each. */
function bytesNow(address) {
  const request = new XMLHttpRequest();
  request.open("GET", address, false);
  request.overrideMimeType("text/plain; charset=x-user-defined");
  request.send();
  if (request.status !== 200) throw new Error(`${address}: ${request.status}`);
  return Uint8Array.from(request.responseText, (letter) => letter.charCodeAt(0) & 0xff);
}

// What a first visit shows was recorded when the site was built: the screens of the scenario that opens by itself, a file
// for each language.
const { first: opened, screensEn, screensKo } = script.dataset;
const asked = new Map();

/** The bytes of those screens, if `scenario` is the one that opens by itself; an empty name is it too. */
export async function fetch_screens(lang, scenario) {
  const file = lang === "ko" ? screensKo : screensEn;
  if (!file || (scenario && scenario !== opened)) return undefined;
  if (!asked.has(file)) asked.set(file, fetch(here(file)).then((answer) => (answer.ok ? answer.arrayBuffer() : undefined)));
  return asked.get(file);
}

// Asked for while the wasm is on its way, where the link lets it be.
{
  const scenario = /[;#]s=(?:lib:)?([^;@]*)/.exec(location.hash)?.[1] ?? "";
  fetch_screens(korean() ? "ko" : "en", scenario).catch(() => {});
}

// Whoever reaches for the choice of scenarios will want it.
for (const kind of ["pointerover", "focusin"]) {
  addEventListener(kind, ({ target }) => {
    if (target instanceof Element && target.closest("[data-more]")) fetch_rest().catch(() => {});
  });
}

/** Resolves when the style sheet applies. The shell needs none, so that it is painted without waiting for it. */
function styled() {
  const sheet = document.querySelector("link[data-css]");
  if (!sheet) return;
  return new Promise((done) => {
    sheet.addEventListener("load", done, { once: true });
    sheet.addEventListener("error", done, { once: true });
    sheet.rel = "stylesheet";
  });
}

// Not awaited here: the app's script imports this one, and would wait for its end.
(async () => {
  try {
    // All at once; motion.js would be asked for when the app's script has come.
    const coming = [import(here(script.dataset.js)), compiled(here(script.dataset.wasm)), styled(), import("./motion.js")];
    const [{ default: init }, module_or_path] = await Promise.all(coming);
    await init({ module_or_path });
    running = true;
  } catch (error) {
    if (trapped(error)) crashed(String(error));
    else fall(say("Writepath could not be loaded", "Writepath를 불러올 수 없다"), String(error), location.hash);
  }
})();
