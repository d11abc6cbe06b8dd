// The lesson: a short copy into a page that is not uptodate counts for nothing, and the loop gets out of it.

import { test } from "node:test";
import assert from "node:assert/strict";
import { site } from "./harness.mjs";
import { complete, moves, narration, shows, step, stepUntil } from "./reader.mjs";

const wp = site();

const ways = {
  keyboard: (page) => ["ArrowRight", "ArrowLeft"].map((key) => () => page.keyboard.press(key)),
  buttons: (page) => ["Step", "Step back"].map((name) => () => page.getByRole("button", { name, exact: true }).click()),
};

for (const [way, hands] of Object.entries(ways)) {
  test(`short-copy, step by step, by ${way}`, async () => {
    const page = await wp.open("#1;s=lib:short-copy;t=0");
    const last = await complete(page);
    const [on, back] = hands(page);
    const until = (words) => stepUntil(page, words, on);
    const phase = () => page.getByTestId("phase").innerText();
    const view = page.getByTestId("page-view");
    const memory = page.getByTestId("user-memory");

    assert.equal(await step(page), 0);
    await page.getByText("no write under way").waitFor();

    // Fault-in reads a byte of each segment: both are there.
    await until(/The source of 4096 bytes is touched/);
    assert.equal(await phase(), "fault-in");
    await until(/Segment 1 is touched from lost\+0/);
    assert.match(await memory.textContent(), /seg0.*1000.*kept\+0.*seg1.*3096.*lost\+0.*bytes = 4096/s);

    // write_begin: a new page, not uptodate, and a buffer without a block.
    await until(/The buffer of block 0 is mapped, new and delayed/);
    assert.equal(await phase(), "write_begin");
    assert.match(await view.textContent(), /delayed: no block yet/);
    assert.match(await page.getByTestId("pages").textContent(), /not uptodate/);
    await until(/Page 0 is ready: locked/);

    // The second segment goes away, and the copy comes up short.
    await until(/From outside, the source page at lost\+0 is evicted/);
    await until(/The copy stops after 1000 of 4096 bytes: lost\+0 is not there/);
    assert.equal(await phase(), "copy");
    assert.match(await page.getByTestId("copy").textContent(), /1000 copied/);
    assert.match(await page.getByTestId("locals").textContent(), /copied: size_t, bytes1000/);

    // write_end counts nothing of it …
    await until(/write_end counts 0 of the 1000 bytes copied: page 0 is not uptodate/);
    assert.equal(await phase(), "write_end");
    assert.match(await page.getByTestId("copy").textContent(), /0 counted/);
    // … zeroes the whole new buffer …
    await until(/4096 bytes of new buffers are zeroed in page 0, which becomes dirty/);
    assert.match(await page.getByTestId("byte-strip").textContent(), /4096 bytes zeroed/);
    assert.match(await page.getByTestId("origin").textContent(), /zero-filled/);
    // … and leaves the page uptodate and dirty.
    await until(/yet leaves page 0 uptodate and dirty/);
    const refused = await step(page);
    assert.match(await page.getByTestId("pages").textContent(), /Page 0: .*uptodate.*dirty/);
    assert.doesNotMatch(await page.getByTestId("pages").textContent(), /not uptodate/);
    assert.match(await page.getByTestId("changes").textContent(), /page 0\s*\+U/);
    await until(/i_size stays 0/);
    await until(/The iterator stays where it is/);

    // The retry asks for one segment only.
    await until(/tried again with 1000 bytes/);
    assert.match(await memory.textContent(), /bytes = 1000/);
    assert.match(await page.locator(".crumb").innerText(), /iteration 1 · try 2/);
    await until(/The copy has put 1000 bytes into page 0 from offset 0/);
    await until(/write_end counted 1000 bytes/);
    await until(/The iterator moves on by 1000 bytes/);
    const [, dirtied] = /(\d+) of 32: no check is due/.exec(await until(/of 32: no check is due/));
    assert.equal(await phase(), "balance");
    assert.match(await page.getByTestId("ratelimit").textContent(), new RegExp(`^.*\\b${dirtied} / 32`));

    // The second iteration faults the segment in again and writes the rest.
    await until(/Round 2 takes 3096 bytes for page 0, from offset 1000/);
    assert.match(await page.locator(".crumb").innerText(), /iteration 2 · try 1/);
    await until(/Reading lost\+0 took a page fault; now its page is there/);
    await until(/The copy has put 3096 bytes into page 0 from offset 1000/);
    await until(/The file grows from 1000 to 4096 bytes/);
    await until(/The loop returns 4096 bytes/);

    // Back again, to the same words.
    while ((await step(page)) > refused) await moves(page, back);
    assert.match(await narration(page), /yet leaves page 0 uptodate and dirty/);
    assert.match(await page.getByTestId("changes").textContent(), /page 0\s*\+U/);
    assert.ok(refused < last);
    wp.clean(page);
  });
}

test("there and back by phases, and by iterations", async () => {
  const page = await wp.open("#1;s=lib:short-copy;t=0");
  const last = await complete(page);
  await page.getByRole("radio", { name: "phase" }).check({ force: true });
  const forth = [0];
  while (forth.at(-1) < last) forth.push(await moves(page, "ArrowRight"));
  assert.ok(forth.length > 12 && forth.length < last / 3, `${forth.length} phases in ${last} steps`);
  await page.waitForFunction(() => location.hash.includes(";g=phase"));

  await page.keyboard.press("Home");
  await shows(page, 0);
  const rounds = [];
  while (rounds.length < 3) rounds.push([await moves(page, "n"), await page.locator(".crumb").innerText()]);
  assert.match(rounds[0][1], /iteration 1 · try 1/);
  assert.match(rounds[1][1], /iteration 1 · try 2/);
  assert.match(rounds[2][1], /iteration 2 · try 1/);
  assert.equal(await moves(page, "p"), rounds[1][0]);
  assert.equal(await moves(page, "p"), rounds[0][0]);
  wp.clean(page);
});
