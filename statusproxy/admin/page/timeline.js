// One session's history: a bar of the time it was shown as disconnected, and each such time in words.

import { ask } from "./feed.js";
import { meaning } from "./gateway.js";
import { growing, now, span, timeElement } from "./moments.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

const DAY = 86400000;

/** Days the bar spans: the least of these that reaches back to the first entry. */
const SPANS = [7, 30, 90, 365];

/** Entries shown in words. */
const SHOWN = 30;

/** Fill `place` with the history of `session`, whose latest report is `report`. */
export async function showTimeline(place, session, report) {
  if (!place.childElementCount) place.append(element("p", { className: "explain" }, words.loading));
  let changes;
  try {
    const answer = await ask(`sessions/${encodeURIComponent(session)}/history`);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    changes = (await answer.json()).history;
  } catch {
    place.replaceChildren(element("p", { className: "error" }, words.historyFailed));
    return;
  }
  const outages = pair(changes, report);
  place.replaceChildren(bar(outages), ...list(outages));
}

/** The changes, newest first, as times of disconnection, newest first. */
export function pair(changes, report) {
  const outages = [];
  let open = null;
  for (const change of changes.toReversed()) {
    if (change.change === "started") {
      open = { from: change.at, why: change.reason, said: change.gateway_said, repeated: 0, to: null };
      outages.push(open);
    } else if (change.change === "repeated") {
      if (open) open.repeated += 1;
    } else if (change.change === "released") {
      // Its beginning may be older than what is kept.
      if (!open) outages.push((open = { from: null, why: null, said: null, repeated: 0, to: null }));
      Object.assign(open, { to: change.at, back: change.reason, saidAtEnd: change.gateway_said });
      if (open.from && open.to < open.from) open.to = change.recorded_at;
      open = null;
    }
  }
  if (report?.shows === "disconnected" && !open) {
    outages.push({ from: report.since, why: report.reason, said: null, repeated: 0, to: null });
  }
  return outages.toReversed();
}

function bar(outages) {
  const end = now();
  const first = Math.min(end, ...outages.map((one) => Date.parse(one.from ?? one.to)));
  const days = SPANS.find((count) => end - count * DAY <= first) ?? SPANS.at(-1);
  const start = end - days * DAY;
  const strip = element("div", { className: "strip" });
  let lost = 0;
  let count = 0;
  for (const outage of outages) {
    const from = Math.max(start, outage.from ? Date.parse(outage.from) : start);
    const to = outage.to ? Date.parse(outage.to) : end;
    if (to < start) continue;
    lost += to - from;
    count += 1;
    const gap = element("span", { className: outage.to ? "gap" : "gap open" });
    // However short, it must be seen, also at the very end.
    gap.style.insetInlineStart = `min(${(100 * (from - start)) / (end - start)}%, 100% - 4px)`;
    gap.style.inlineSize = `${(100 * (to - from)) / (end - start)}%`;
    strip.append(gap);
  }
  strip.setAttribute("role", "img");
  strip.setAttribute("aria-label", words.bar(count, span(lost), days));
  const scale = element("p", { className: "scale", ariaHidden: "true" });
  scale.append(element("span", {}, words.daysAgo(days)), element("span", {}, words.today));
  const whole = element("div", { className: "bar" });
  whole.append(element("p", { className: "sum", ariaHidden: "true" }, words.bar(count, span(lost), days)), strip, scale);
  return whole;
}

function list(outages) {
  if (!outages.length) return [element("p", { className: "explain" }, words.historyNone)];
  const entries = element("ol", { className: "outages" });
  for (const outage of outages.slice(0, SHOWN)) entries.append(entry(outage));
  const older = outages.length - SHOWN;
  return older > 0 ? [entries, element("p", { className: "explain" }, words.older(older))] : [entries];
}

function entry(outage) {
  const length = element("p", { className: "length" });
  if (!outage.to) length.append(growing(outage.from), ` (${words.ongoing})`);
  else if (outage.from) length.append(span(Date.parse(outage.to) - Date.parse(outage.from)));
  else length.append("…");
  const one = element("li", { className: outage.to ? "" : "open" });
  one.append(length);
  const began = element("p");
  began.append(element("b", {}, words.began), " ");
  if (outage.from) {
    began.append(timeElement(outage.from, "at"), ": ", reason(outage.why));
    if (outage.said) began.append("; ", words.gatewaySaid(visible(outage.said)));
    if (outage.repeated) began.append("; ", words.repeated(outage.repeated));
  } else {
    began.append(words.beginningGone);
  }
  one.append(began);
  if (outage.to) {
    const ended = element("p");
    ended.append(element("b", {}, words.ended), " ", timeElement(outage.to, "at"), ": ", reason(outage.back));
    if (outage.saidAtEnd) ended.append("; ", words.gatewaySaid(visible(outage.saidAtEnd)));
    one.append(ended);
  }
  return one;
}

/** Why something began or ended: in words where they are known, and as the event wrote it. */
export function reason(text) {
  const whole = document.createElement("span");
  if (text === null || text === undefined) return whole;
  const said = inWords(text);
  if (said) whole.append(said);
  if (!(text in words.reasons)) {
    if (said) whole.append(" ");
    whole.append(element("code", {}, visible(text)));
  }
  return whole;
}

/** A reason in words alone, for a voice; the event's own writing where no words are known. */
export function spoken(text) {
  return inWords(text ?? "") ?? words.cause(visible(text ?? ""));
}

function inWords(text) {
  if (Object.hasOwn(words.reasons, text)) return words.reasons[text];
  const word = text.split(" ").at(-1).toLowerCase();
  const own = meaning(word);
  if (own) return own;
  return Object.hasOwn(words.causes, word) ? words.causes[word] : null;
}

/** A new element with properties and text; text is never read as markup. */
export function element(name, properties = {}, text = null) {
  const made = Object.assign(document.createElement(name), properties);
  if (text !== null) made.textContent = text;
  return made;
}
