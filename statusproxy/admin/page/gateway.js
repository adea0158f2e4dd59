// The gateway in its own words: what they mean, where the URL of its webhooks is set, how a lost session comes back.

import { words } from "./words.js";

let told = { title: "", url: "", set_url: [], bring_back: [] };
let states = new Map();

/** Keep what the preset says of its gateway (`guidance` of the stream's event `hello`). */
export function setGateway(guidance) {
  told = guidance;
  states = new Map(Object.entries(guidance.states).map(([word, means]) => [word.toLowerCase(), means]));
}

/** What one of the gateway's words means, in this page's language; null where that is not known. */
export function meaning(word) {
  return words.states[states.get(word.toLowerCase())] ?? null;
}

/** The same, but null also where it says no more than the word, or would have us say that a session is connected. */
export function explanation(word) {
  const means = states.get(word.toLowerCase()) === "connected" ? null : meaning(word);
  return means?.toLowerCase() === word.toLowerCase() ? null : means;
}

/** Where to set the URL of the webhooks, as a sentence and the gateway's own variables and calls; null if not known. */
export function whereToSet() {
  return told.set_url.length ? { text: words.setUrl(told.title, told.url), codes: told.set_url } : null;
}

/** How a lost session comes back: the gateway's own routes in their order; null if not known. */
export function wayBack() {
  return told.bring_back.length ? { text: words.bringBack(told.title), codes: told.bring_back } : null;
}
