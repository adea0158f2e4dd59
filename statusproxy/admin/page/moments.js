// Times in words: how long ago, since when, by the proxy's clock, which this device's may differ from.

import { language, locale, words } from "./words.js";

let ahead = 0;

// The clock has 12 or 24 hours as the browser's first language has it, also where that is none of this page's.
const { hourCycle } = new Intl.DateTimeFormat(navigator.languages?.[0] ?? locale, { hour: "numeric" }).resolvedOptions();
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle });
const dayAndClock = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle });
const yearAndDay = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", hourCycle });
const whole = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long", hourCycle });

/** Set this page's clock by the proxy's (an ISO 8601 moment of just now). */
export function setClock(moment) {
  ahead = Date.parse(moment) - Date.now();
}

/** The proxy's time now, in milliseconds. */
export function now() {
  return Date.now() + ahead;
}

/** A length of time in two units at most: `40 s`, `12 min`, `2 h 13 min`, `3 d 4 h`. */
export function span(milliseconds) {
  const { s, min, h, d } = words.units;
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} ${s}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} ${min}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} ${h} ${minutes % 60} ${min}` : `${hours} ${h}`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 10 ? `${days} ${d} ${hours % 24} ${h}` : `${days} ${d}`;
}

/** How long ago a moment was. */
export function ago(moment) {
  const passed = now() - Date.parse(moment);
  return passed < 5000 ? words.now : words.ago(span(passed));
}

/** A moment on the clock, with its day where that is neither today nor the day of `near`, which is shown beside it. */
export function at(moment, near = null) {
  const then = new Date(moment);
  const today = new Date(now());
  if ([today, new Date(near ?? today)].some((day) => day.toDateString() === then.toDateString())) return clock.format(then);
  return (then.getFullYear() === today.getFullYear() ? dayAndClock : yearAndDay).format(then);
}

/** How long it is until a moment. */
export function left(moment) {
  const rest = Date.parse(moment) - now();
  return rest < 1000 ? words.soon : words.left(span(rest));
}

/** A `<time>` that reads as `how` says (`ago`, `at` or `left`), now and whenever `tick` is called. */
export function timeElement(moment, how) {
  const element = document.createElement("time");
  element.dateTime = moment;
  element.title = whole.format(new Date(moment));
  element.lang = language;
  element.dataset.how = how;
  element.textContent = { ago, at, left }[how](moment);
  return element;
}

/** Have the `<time>`s and `<data class=span>`s below `root` read what they must by now. */
export function tick(root) {
  for (const element of root.querySelectorAll("[data-how]")) {
    const moment = element.dateTime ?? element.value;
    const text = { ago, at, left, span: (since) => span(now() - Date.parse(since)) }[element.dataset.how](moment);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** How long it has been since a moment, growing as time passes. */
export function growing(moment) {
  const element = document.createElement("data");
  element.value = moment;
  element.dataset.how = "span";
  element.textContent = span(now() - Date.parse(moment));
  return element;
}

/** The name of this device's time zone. */
export const zone = new Intl.DateTimeFormat(locale).resolvedOptions().timeZone;
