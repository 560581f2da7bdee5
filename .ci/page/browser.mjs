// What the tests of the page share: a browser, a page of it, and what is asked of every page.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";
import { chromium } from "playwright-core";

export const url = process.env.STACK_URL;
export const folder = process.env.SCREENSHOTS;
export const desktop = { width: 1440, height: 900 };
export const phone = { width: 380, height: 820 };
export const narrow = { width: 320, height: 640 };
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A page of its own; `errors` takes what the page does wrong. */
export const start = async (errors) => {
  assert.ok(url, "STACK_URL is not set");
  if (folder) mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const page = await browser.newPage({ viewport: desktop, colorScheme: "light" });
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => errors.push(String(error)));
  // The browser itself reports a refused payment as an error of the console: that one is the test's doing.
  page.on("console", (message) => { if (message.type() === "error" && !/status of 409/.test(message.text())) errors.push(message.text()); });
  await page.goto(url);
  return { browser, page };
};

/** A test that leaves a picture of the page where it failed. */
export const stepOn = (pageNow) => (name, body) => test(name, async () => {
  try { await body(); } catch (error) {
    if (folder) await pageNow()?.screenshot({ path: path.join(folder, `failed-${name.replace(/\W+/g, "-")}.png`) }).catch(() => {});
    throw error;
  }
});

export const until = async (what, condition, { seconds = 30, nudge } = {}) => {
  const end = Date.now() + seconds * 1000;
  for (let round = 1; ; round += 1) {
    if (await condition()) return;
    if (Date.now() > end) assert.fail(`not within ${seconds} s: ${what}`);
    await new Promise((done) => { setTimeout(done, 150); });
    // Backoffs and leases are waited out by turning the local stack's clock, not ours.
    if (nudge && round % 20 === 0) await nudge();
  }
};

/** What axe has to say against a page. */
export const violations = async (target) => {
  await target.evaluate(axe);
  const { violations: found } = await target.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return found.map((rule) => `${rule.id}: ${rule.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} (${node.any[0]?.message ?? rule.help})`).join("; ")}`);
};
export const overflow = (target) => target.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
