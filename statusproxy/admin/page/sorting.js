// The order of sessions within a group, and which of them a search finds.

import { stateOf } from "./states.js";
import { language } from "./words.js";

const collator = new Intl.Collator(language, { numeric: true, sensitivity: "base" });

/** By name as people count: `shop 2` before `shop 10`. */
export function byName(a, b) {
  return collator.compare(a.session, b.session) || (a.session < b.session ? -1 : a.session > b.session ? 1 : 0);
}

const newest = (one) => (stateOf(one) === "lost" && one.since ? Date.parse(one.since) : 0);
const heard = (one) => (one.last_event_at ? Date.parse(one.last_event_at) : Infinity);

/** Name of an order -> comparison of two reports. */
export const ORDERS = {
  urgency: (a, b) => newest(b) - newest(a) || byName(a, b),
  name: byName,
  uptime: (a, b) => (a.uptime ?? 2) - (b.uptime ?? 2) || byName(a, b),
  lost: (a, b) => (b.lost_seconds ?? 0) - (a.lost_seconds ?? 0) || byName(a, b),
  losses: (a, b) => (b.losses ?? 0) - (a.losses ?? 0) || byName(a, b),
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
