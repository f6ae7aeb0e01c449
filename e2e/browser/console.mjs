// The console as a person uses it, in headless Chromium: log in, look at every page, approve a
// proposal. Every page is checked with axe; nothing may go wrong in the browser's own log.
//
// environment: CONSOLE_URL, CONSOLE_TOKEN, FORETIDE_CHROMIUM, and optionally PICTURES (a folder).

import assert from "node:assert/strict";
import path from "node:path";
import { fitsAPhone, hasNoViolations, launch, needed } from "./chromium.mjs";

const consoleUrl = needed("CONSOLE_URL");
const token = needed("CONSOLE_TOKEN");
const pictures = process.env.PICTURES;

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
  await open(page, "/");
  await fitsAPhone(page);
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

const browser = await launch();
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
