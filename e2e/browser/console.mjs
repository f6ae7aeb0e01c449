// The console as a person uses it, in headless Chromium: log in, look at every page, approve a
// proposal. Every page is checked with axe; nothing may go wrong in the browser's own log.
//
// environment: CONSOLE_URL, CONSOLE_TOKEN, FORETIDE_CHROMIUM, and optionally PICTURES (a folder).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axeSource = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

const consoleUrl = needed("CONSOLE_URL");
const token = needed("CONSOLE_TOKEN");
const pictures = process.env.PICTURES;

function needed(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set`);
  return value;
}

async function hasNoViolations(page, where) {
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

async function open(page, address) {
  const answer = await page.goto(new URL(address, consoleUrl).href);
  assert.equal(answer.status(), 200, `${address} answered ${answer.status()}`);
  await hasNoViolations(page, address);
  console.log(`ok ${address}`);
}

async function picture(page, name) {
  if (pictures) {
    await page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }
}

async function logIn(page) {
  await page.goto(consoleUrl);
  assert.match(page.url(), /\/login/, "a stranger is led to the login page");
  await hasNoViolations(page, "the login page");
  await page.fill("#login-token", "not-a-token-of-anybody");
  await page.click("#login-button");
  await page.waitForSelector("#login-problem");
  await page.fill("#login-token", token);
  await page.click("#login-button");
  await page.waitForSelector("nav[aria-label=Main]");
  console.log("ok login");
}

async function lookAround(page) {
  await open(page, "/");
  await page.waitForSelector("#forecast-chart polyline.median");
  const points = await page.getAttribute("#forecast-chart polyline.median", "points");
  assert.ok(points.trim().split(/\s+/).length >= 48, "the chart shows fewer than 48 hours");
  const menu = await page.$$eval("nav[aria-label=Main] a", (links) => links.map((link) => link.pathname));
  for (const address of menu) {
    await open(page, address);
  }
  await open(page, "/runs");
  const run = await page.getAttribute('a[href^="/runs/"]', "href");
  await open(page, run);
}

async function worksOnAPhone(page) {
  await page.setViewportSize({ width: 360, height: 740 });
  await open(page, "/");
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than a phone`);
  await page.setViewportSize({ width: 1280, height: 1080 });
}

async function approve(page) {
  await open(page, "/proposals?state=waiting");
  const proposal = await page.getAttribute('#proposals-table a[href^="/proposals/"]', "href");
  await open(page, proposal);
  const payload = await page.textContent("#payload");
  assert.ok(payload.includes("AdaptiveCard"), "the page does not show what will be sent");
  await picture(page, "proposal");
  await page.fill("#comment", "read and agreed");
  await page.click("#approve-button");
  await page.waitForSelector("#execution-outcome");
  await hasNoViolations(page, "the approved proposal");
  const state = (await page.textContent("#proposal-state")).trim();
  assert.match(state, /executed/i);
  assert.equal(await page.$("#approve-button"), null, "it could be approved a second time");
  console.log("ok approved");
}

async function logOut(page) {
  await page.click("#logout-button");
  await page.goto(new URL("/proposals", consoleUrl).href);
  assert.match(page.url(), /\/login/, "after logging out the pages are closed");
  console.log("ok logout");
}

const browser = await chromium.launch({
  executablePath: needed("FORETIDE_CHROMIUM"),
  // in a container there is no user name space to put a sandbox into
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1080 } });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // the refused login is meant to be refused
    if (message.type() === "error" && !message.text().includes("401")) {
      problems.push(message.text());
    }
  });
  await logIn(page);
  await lookAround(page);
  await worksOnAPhone(page);
  await open(page, "/?use_case=risk_period");
  await picture(page, "console");
  await approve(page);
  await logOut(page);
  assert.deepEqual(problems, [], "the browser complained");
} finally {
  await browser.close();
}
