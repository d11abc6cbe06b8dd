// What every end-to-end test stands on: the built site on a free port under its own policy, Chromium, and a page
// that takes note of every console error, policy violation and foreign request.
//
//   import { site } from "./harness.mjs";
//   const wp = site();                                    // once a file; opened before and closed after its tests
//   test("…", async () => {
//     const page = await wp.open("#1;s=lib:short-copy;t=74", { viewport: { width: 360, height: 740 } });
//     …
//     wp.clean(page);                                     // nothing complained
//   });

import { after, before } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { delimiter, dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
export const dist = process.env.WRITEPATH_DIST ?? join(here, "../../dist");
/** Where screenshots and downloads go; not in git. */
export const output = join(here, "output");

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
};

/** The strictest policy that a host may send: under it everything works but fetching the kernel's source. */
const strict =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; " +
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'";

/** Serves `dir` under `prefix` (as `/a/b/`) on a free port, with a policy as a header: the strict one, or the page's own. */
export async function serve(dir = dist, prefix = "/", own = false) {
  const index = join(dir, "index.html");
  assert.ok(existsSync(index), `${index} is missing: run \`cargo xtask dist\` first`);
  const its = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(readFileSync(index, "utf8"))?.[1];
  assert.ok(its, "index.html has no policy");
  const policy = own ? its : strict;
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    let file = path.startsWith(prefix) && join(dir, normalize("/" + path.slice(prefix.length)));
    if (file && path.endsWith("/")) file = join(file, "index.html");
    if (!file || !existsSync(file) || statSync(file).isDirectory()) return void response.writeHead(404).end();
    response.writeHead(200, {
      "Content-Type": types[extname(file)] ?? "application/octet-stream",
      "Content-Security-Policy": policy,
      "Cache-Control": "no-cache",
    });
    response.end(readFileSync(file));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

function chrome() {
  if (process.env.CHROME) return process.env.CHROME;
  const names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
  const found = process.env.PATH.split(delimiter).flatMap((dir) => names.map((name) => join(dir, name))).find(existsSync);
  assert.ok(found, "no Chromium on PATH; set CHROME to one");
  return found;
}

export function launch() {
  return chromium.launch({
    executablePath: chrome(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** The site and a browser for one test file. */
export function site({ prefix = "/", own = false } = {}) {
  let server, browser;
  const complaints = new WeakMap();
  before(async () => {
    [server, browser] = await Promise.all([serve(dist, prefix, own), launch()]);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  return {
    get url() {
      return server.url;
    },

    /** A page at this hash in a context of its own, once the app is there. `options` go to the context. */
    async open(hash = "", options = {}) {
      const page = await this.blank(options);
      await page.goto(server.url + hash);
      await ready(page);
      return page;
    },

    /** The same without going anywhere. Animations are off unless `options` say otherwise. */
    async blank(options = {}) {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 900 },
        reducedMotion: "reduce",
        acceptDownloads: true,
        ...options,
      });
      const page = await context.newPage();
      const noted = [];
      complaints.set(page, noted);
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") noted.push(`${message.type()}: ${message.text()}`);
      });
      page.on("pageerror", (error) => noted.push(`uncaught: ${error}`));
      page.on("requestfailed", (request) => {
        const why = request.failure()?.errorText;
        if (why !== "net::ERR_ABORTED") noted.push(`failed: ${request.url()} ${why}`);
      });
      page.on("request", (request) => {
        const url = request.url();
        if (!/^(data|blob):/.test(url) && !url.startsWith(new URL(server.url).origin)) noted.push(`foreign request: ${url}`);
      });
      await page.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) =>
          console.error(`policy: ${event.violatedDirective} blocked ${event.blockedURI || "inline"} at ${event.sourceFile}:${event.lineNumber}`));
      });
      return page;
    },

    /** What the page complained of so far. */
    complaints: (page) => complaints.get(page),

    /** Asserts that it did not complain. */
    clean(page) {
      assert.deepEqual(complaints.get(page), []);
    },
  };
}

/** Waits until the app has replaced the shell, or fails with what stands there instead. */
export async function ready(page) {
  await page.waitForFunction(() => !document.querySelector(".shell"), undefined, { timeout: 60_000 });
  const fault = await page.locator(".fault").allInnerTexts();
  assert.deepEqual(fault, [], "the page stopped");
}

const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Asserts that axe finds nothing, in the whole page or within `selector`. */
export async function accessible(page, selector) {
  // Evaluated by the debugger, so the page's policy does not apply to it.
  await page.evaluate(readFileSync(axeFile, "utf8"));
  const found = await page.evaluate((within) => window.axe.run(within ?? document, { resultTypes: ["violations"] }), selector);
  const lines = found.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\n").slice(1).join(";").trim()}`));
  assert.deepEqual(lines, []);
}

/** A picture in tests/e2e/output. */
export async function picture(page, name) {
  await mkdir(output, { recursive: true });
  await page.screenshot({ path: join(output, `${name}.png`) });
}
