// One session's history: a bar of the time it was shown as disconnected, and each such time in words.

import { element } from "./elements.js";
import { ask } from "./feed.js";
import { growing, now, span, timeElement } from "./moments.js";
import { reason } from "./reasons.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

const DAY = 86400000;

/** Days the bar spans: the least of these that reaches back to the first entry. */
const SPANS = [7, 30, 90, 365];

/** Outages that are read, and those shown in words. */
const READ = 500;
const SHOWN = 30;

/** Fill `place` with the outages of `session`. */
export async function showTimeline(place, session) {
  if (!place.childElementCount) place.append(element("p", { className: "explain" }, words.loading));
  let found = { outages: [], more: false };
  try {
    const answer = await ask(`outages?session=${encodeURIComponent(session)}&limit=${READ}`);
    // No event told of it: the gateway's list alone knows the session.
    if (answer.status !== 404) {
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      found = await answer.json();
    }
  } catch {
    place.replaceChildren(element("p", { className: "error" }, words.historyFailed));
    return;
  }
  const repeats = found.outages.length ? await repeated(session) : [];
  place.replaceChildren(bar(found.outages), ...list(found, repeats));
}

/** The moments at which a loss was told again; none where they cannot be read, since the outages tell of the losses. */
async function repeated(session) {
  try {
    const answer = await ask(`sessions/${encodeURIComponent(session)}/history?limit=${READ}`);
    const { history: lines } = answer.ok ? await answer.json() : { history: [] };
    return lines.filter((line) => line.change === "repeated").map((line) => Date.parse(line.at));
  } catch {
    return [];
  }
}

function bar(outages) {
  const end = now();
  const first = Math.min(end, ...outages.map((one) => Date.parse(one.since)));
  const days = SPANS.find((count) => end - count * DAY <= first) ?? SPANS.at(-1);
  const start = end - days * DAY;
  const strip = element("div", { className: "strip" });
  let lost = 0;
  let count = 0;
  for (const outage of outages) {
    const from = Math.max(start, Date.parse(outage.since));
    const to = outage.until ? Date.parse(outage.until) : end;
    if (to < start) continue;
    lost += to - from;
    count += 1;
    const gap = element("span", { className: outage.until ? "gap" : "gap open" });
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

function list({ outages, more }, repeats) {
  if (!outages.length) return [element("p", { className: "explain" }, words.historyNone)];
  const entries = element("ol", { className: "outages" });
  for (const outage of outages.slice(0, SHOWN)) entries.append(entry(outage, repeats));
  const older = outages.length - SHOWN;
  return older > 0 || more ? [entries, element("p", { className: "explain" }, more ? words.olderMany : words.older(older))] : [entries];
}

function entry(outage, repeats) {
  const length = element("p", { className: "length" });
  if (outage.until) length.append(outage.began_before ? "…" : span(outage.seconds * 1000));
  else length.append(growing(outage.since), ` (${words.ongoing})`);
  const one = element("li", { className: outage.until ? "" : "open" });
  one.append(length);
  const began = element("p");
  began.append(element("b", {}, words.began), " ");
  if (outage.began_before) began.append(words.beginningGone);
  else began.append(timeElement(outage.since, "at"), ": ", reason([outage.reason, outage.word].filter(Boolean).join(" ")));
  if (outage.gateway_said) began.append("; ", words.gatewaySaid(visible(outage.gateway_said)));
  const [from, to] = [Date.parse(outage.since), outage.until ? Date.parse(outage.until) : Infinity];
  const again = repeats.filter((at) => at >= from && at <= to).length;
  if (again) began.append("; ", words.repeated(again));
  one.append(began);
  if (outage.until) {
    const ended = element("p");
    ended.append(element("b", {}, words.ended), " ", timeElement(outage.until, "at"));
    if (outage.released) ended.append(": ", reason(outage.released));
    if (outage.released_by) ended.append(" ", words.by(visible(outage.released_by)));
    one.append(ended);
  }
  return one;
}
