// What the doctor finds that a page can say: of the running proxy's own report (`GET /doctor`).

import { span } from "./moments.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

// The rhythm of webhooks, as `observe/silence.py` judges it; a test compares the numbers.
const KNOWN_AFTER = 20;
const TIMES = 20;
const SHORTEST = 900;
const LONGEST = 3600;

/** Seconds of silence after which what came `count` times, at most `gap` seconds apart, has stopped coming. */
export function patience(count, gap) {
  return count < KNOWN_AFTER ? LONGEST : Math.min(Math.max(TIMES * gap, SHORTEST), LONGEST);
}

/** Seconds since the last webhook, where that is too long; else null. */
export function silence(report, seconds) {
  const { last_heard: last, heard, gap } = report.webhooks;
  const silent = last === null ? 0 : seconds - last;
  return last !== null && silent > patience(heard, gap) ? silent : null;
}

/** Findings of a report as sentences, at `seconds` of the epoch by the proxy's clock. */
export function findings(report, seconds) {
  const told = [];
  const silent = silence(report, seconds);
  if (silent !== null) told.push(words.findSilent(span(silent * 1000), span(report.webhooks.gap * 1000)));
  for (const { path, count, last, gap } of report.webhooks.paths ?? []) {
    if (silent === null && count && seconds - last > patience(count, gap)) told.push(words.findPath(visible(path), span((seconds - last) * 1000)));
  }
  for (const { address, believed, doubts } of report.webhooks.senders ?? []) {
    const count = Object.values(doubts).reduce((sum, one) => sum + one, 0);
    // A sender that is trusted by now was let in meanwhile, or sends both: the command looks closer.
    if (count && !believed && report.webhooks.heard) told.push(words.findSender(visible(address), count, Object.keys(doubts).map(visible).join(", ")));
  }
  if (report.waiting?.length) told.push(words.findWaiting(report.waiting.map(visible).join(", ")));
  if (report.forwarding_strangers?.length) told.push(words.findStrangers(report.forwarding_strangers.map(visible).join(", ")));
  return told;
}
