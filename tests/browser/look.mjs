// Look at pages in headless Chromium: violations of axe, requests, errors, and overflow, as JSON.
// usage: node look.mjs CHROMIUM FOLDER_OF_SCREENSHOTS PAGE…
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, folder, ...pages] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const sizes = { wide: { width: 1280, height: 900 }, phone: { width: 375, height: 812 } };
const browser = await chromium.launch({ executablePath, args });
const found = [];
for (const page of pages) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(sizes)) {
      const context = await browser.newContext({ colorScheme, viewport });
      const tab = await context.newPage();
      const requests = [];
      const errors = [];
      tab.on("request", (r) => requests.push(r.url()));
      tab.on("console", (m) => { if (m.type() === "error") errors.push(m.text()); });
      tab.on("pageerror", (e) => errors.push(String(e)));
      await tab.goto(pathToFileURL(page).href);
      const name = `${folder}/${basename(page, ".html")}-${colorScheme}-${size}`;
      const overflow = await tab.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await tab.emulateMedia({ media: "print", colorScheme });
      const unprinted = await tab.evaluate(() => [...document.querySelectorAll("details")].filter(
        (d) => d.lastElementChild.getBoundingClientRect().height === 0).length);
      await tab.emulateMedia({ media: "screen", colorScheme });
      await tab.screenshot({ path: `${name}.png`, fullPage: true });
      await tab.evaluate(
        () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
      const elements = await tab.evaluate(() => document.querySelectorAll("*").length);
      await tab.evaluate(axe); // by the debugger, which the page's policy does not bind
      const { violations } = await tab.evaluate(() => window.axe.run(document));
      found.push({
        page: basename(page), colorScheme, size, overflow, unprinted, requests, errors, elements,
        violations: violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3).join(" | ")}`),
      });
      if (colorScheme === "light" && size === "wide") {
        await tab.pdf({ path: `${name}.pdf`, format: "A4", printBackground: true });
      }
      await context.close();
    }
  }
}
await browser.close();
console.log(JSON.stringify(found));
