// The order of sessions within a group, and which of them a search finds.

import { stateOf } from "./states.js";
import { language } from "./words.js";

const collator = new Intl.Collator(language, { numeric: true, sensitivity: "base" });

/** Give each session its place by name as people count, `shop 2` before `shop 10`, so that orders compare numbers. */
export function placeByName(all) {
  const placed = [...all].sort(({ report: a }, { report: b }) => collator.compare(a.session, b.session) || (a.session < b.session ? -1 : 1));
  placed.forEach((one, place) => (one.place = place));
}

const byName = (a, b) => a.place - b.place;
const newest = ({ report }) => (stateOf(report) === "lost" && report.since ? Date.parse(report.since) : 0);
const heard = ({ report }) => (report.last_event_at ? Date.parse(report.last_event_at) : Infinity);

/** Name of an order -> comparison of two sessions. */
export const ORDERS = {
  urgency: (a, b) => newest(b) - newest(a) || byName(a, b),
  name: byName,
  uptime: (a, b) => (a.report.uptime ?? 2) - (b.report.uptime ?? 2) || byName(a, b),
  lost: (a, b) => (b.report.lost_seconds ?? 0) - (a.report.lost_seconds ?? 0) || byName(a, b),
  losses: (a, b) => (b.report.losses ?? 0) - (a.report.losses ?? 0) || byName(a, b),
  // Sessions that no event told of come last. Infinity less Infinity is no number, and counts as equal.
  quietest: (a, b) => heard(a) - heard(b) || byName(a, b),
};

/** Text without case and accents, as searches compare it. */
export function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** What a search looks for in a session: its id, its channel, and the word that the list shows. */
export function searched(report) {
  return fold(`${report.session} ${report.channel ?? ""} ${report.list_shows ?? ""}`);
}
