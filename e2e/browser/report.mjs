// The page of `foretide backtest --html`, opened from the disk as somebody who was sent it would.
//
// environment: REPORT (the file), FORETIDE_CHROMIUM, and optionally PICTURES (a folder).

import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { fitsAPhone, hasNoViolations, launch, needed } from "./chromium.mjs";

const address = pathToFileURL(needed("REPORT")).href;
const pictures = process.env.PICTURES;

async function opensInColours(browser, colorScheme) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 1080 } });
  const page = await context.newPage();
  const problems = [];
  const asked = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => problems.push(message.text()));
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(address);
  assert.deepEqual(asked, [address], "the page needs something from outside");
  const plots = await page.locator("svg").count();
  assert.ok(plots >= 4, `the page has ${plots} plots`);
  await hasNoViolations(page, `the report in ${colorScheme} colours`);
  await fitsAPhone(page);
  if (pictures) {
    const file = path.join(pictures, `report-${colorScheme}.png`);
    await page.screenshot({ path: file, fullPage: true });
  }
  assert.deepEqual(problems, [], "the browser complained");
  await context.close();
  console.log(`ok ${colorScheme}, ${plots} plots`);
}

const browser = await launch();
try {
  await opensInColours(browser, "light");
  await opensInColours(browser, "dark");
} finally {
  await browser.close();
}
