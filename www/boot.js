// Loads the wasm and starts the app. When the wasm has panicked it is beyond repair: boot.js takes the dead
// instance off the screen, says what happened and offers a fresh start, with the link or without.
//
// The app's panic hook tells the message by an event before the trap:
//   document.dispatchEvent(new CustomEvent("writepath:panic", { detail: { message, link } }))
// where `link` is the last hash it wrote; without it the address bar's hash is used.
// Nothing here is global.

const script = document.querySelector("script[data-wasm]");
const here = (path) => new URL(path, document.baseURI).href;

// The language of the running app; before it runs, the link's or the browser's.
let running = false;
const korean = () => {
  if (running) return document.documentElement.lang === "ko";
  const said = /;l=(en|ko)(;|$)/.exec(location.hash)?.[1];
  return (said ?? navigator.languages.find((tag) => /^(en|ko)\b/.test(tag)) ?? "en").startsWith("ko");
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

try {
  const { default: init } = await import(here(script.dataset.js));
  await init({ module_or_path: here(script.dataset.wasm) });
  running = true;
} catch (error) {
  if (trapped(error)) crashed(String(error));
  else fall(say("Writepath could not be loaded", "Writepath를 불러올 수 없다"), String(error), location.hash);
}
