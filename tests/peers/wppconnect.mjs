// The engine of wppconnect-server, WPPConnect, with a real Chromium. What it says of a session is posted as the server
// posts it.
//
//   node wppconnect.mjs CHROMIUM FOLDER WEBHOOK SESSION
//
// Each line of standard input is an order: `open SCENE` (one of wa-version/index.cjs), then for that browser `scan`,
// `unlink` or `kill`. Each word of the engine is printed as {"status": WORD, "taken": STATUS OF THE WEBHOOK'S ANSWER}.
// The browser finds no host, and its page is the one of wa-version.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const require = createRequire(import.meta.url);
const { create, defaultLogger, Whatsapp } = require("@wppconnect-team/wppconnect");
const { connect } = require("puppeteer-core");

const [executablePath, folder, webhook, session] = process.argv.slice(2);
const patience = 1000; // ms that the engine waits for a scan, and for the phone
defaultLogger.silent = true;

// One after the other, so that they arrive in the order in which the engine said them.
let posted = Promise.resolve();
function tell(status) {
  posted = posted.then(async () => {
    const body = JSON.stringify({ event: "status-find", session, status });
    const answer = await fetch(webhook, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    console.log(JSON.stringify({ status, taken: answer.status }));
  });
}

// The engine looks whether it is linked when its page is loaded, and once a second. If its first look finds that it is
// not, it says `disconnectedMobile` a second later, even if a phone was linked in that second; and if the first look comes
// late, it takes an unlinking for the state of the start. Nobody scans or unlinks that fast. So both orders wait until
// this is over: the engine's page answers in order, and the timers of one process end in order.
let settled, settle;
const { afterPageScriptInjected } = Whatsapp.prototype;
Whatsapp.prototype.afterPageScriptInjected = async function () {
  const ofThisBrowser = settle;
  await afterPageScriptInjected.call(this);
  await this.page.evaluate("0").catch(() => {}); // of a browser that has ended nothing is asked any more
  await setTimeout(1001);
  ofThisBrowser();
};

let browsers = 0;
let userDataDir;
let client;

const orders = {
  // A scene in which nobody scans ends by itself, and so the order ends before the engine is done.
  open(scene) {
    userDataDir = join(folder, `browser-${++browsers}`);
    settled = new Promise((resolve) => { settle = resolve; });
    client = create({
      session,
      statusFind: tell,
      autoClose: scene === "never-scanned" ? patience : 0,
      deviceSyncTimeout: scene === "phone-away" ? patience : 0,
      whatsappVersion: scene,
      useChrome: false,
      disableWelcome: true,
      updatesLog: false,
      logQR: false,
      browserArgs: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"],
      puppeteerOptions: { executablePath, userDataDir, timeout: 0 },
    });
    client.catch(() => {}); // it says so by a word
  },

  // The engine gives its page only after the scan.
  async scan() {
    await settled;
    const [port, path] = readFileSync(join(userDataDir, "DevToolsActivePort"), "utf8").split("\n");
    const browser = await connect({ browserWSEndpoint: `ws://127.0.0.1:${port}${path}` });
    const [page] = await browser.pages();
    await page.evaluate("scan()");
    await browser.disconnect();
  },

  // The engine looks once a second, and notices the end of what it has seen begin.
  async unlink() {
    const opened = await client;
    await settled;
    while (!opened.connected) await setTimeout(50);
    await opened.page.evaluate("scene.registered = scene.open = false");
  },

  async kill() {
    (await client).page.browser().process().kill("SIGKILL");
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [order, scene] = line.split(" ");
  await orders[order](scene);
}
process.exit();
