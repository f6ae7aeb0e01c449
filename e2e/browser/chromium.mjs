// The browser of the stories, and what every page is checked with.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axeSource = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

export async function hasNoViolations(page, where) {
  // evaluated by the browser's debugger, so that the pages' own policy (no script) stays in force
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  const said = violations.map(
    (found) => `${found.id}: ${found.help}\n    ${found.nodes.map((node) => node.html).join("\n    ")}`,
  );
  assert.deepEqual(said, [], `${where} has accessibility violations`);
}

export function needed(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
}

export function launch() {
  return chromium.launch({
    executablePath: needed("FORETIDE_CHROMIUM"),
    // in a container there is no user name space to put a sandbox into
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
}

export async function fitsAPhone(page) {
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than a phone`);
  await page.setViewportSize({ width: 1280, height: 1080 });
}
