// Uptime of the last 90 days: what is drawn of a session's days, and of the losses of all sessions.
// Drawn as SVG paths: one stroke for a run of good days, so that a row costs four elements, however many days it shows.

import { locale, words } from "./words.js";
import { now, span } from "./moments.js";

/** Days shown. */
export const DAYS = 90;

const DAY = 86400000;

const dayOnly = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
const monthOnly = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" });
const shares = [0, 2].map((digits) => new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }));

/** The paths of a row's days (`days` of a report, today last): no data, nothing lost, and lost. Height: a tenth each. */
export function dayPaths(days) {
  const shown = days.slice(-DAYS);
  const first = DAYS - shown.length;
  const paths = { none: "", well: "", lost: "" };
  const run = (kind, from, to) => (paths[kind] += `M${from} 5H${to}`);
  if (first) run("none", 0, first);
  let from = 0;
  for (let at = 0; at <= shown.length; at += 1) {
    const digit = shown[at];
    if (at && kindOf(shown[at - 1]) !== kindOf(digit)) {
      run(kindOf(shown[at - 1]), first + from, first + at);
      from = at;
    }
    if (digit > "0" && digit <= "9") {
      // However short a loss was, its day must be seen; the last step is the whole day.
      const height = digit === "9" ? 10 : Math.max(4, Number(digit));
      paths.lost += `M${first + at} 10v-${height}h.8v${height}z`;
    }
  }
  return paths;
}

// The good part of a day with a loss is drawn below the loss.
function kindOf(digit) {
  return digit === undefined ? null : digit === "-" ? "none" : "well";
}

/** Draw the days of a report. */
export function drawDays(drawing, report) {
  const paths = dayPaths(report.days ?? "");
  for (const path of drawing.children) path.setAttribute("d", paths[path.getAttribute("class")]);
  drawing.setAttribute("aria-label", told(report));
}

/** A report's uptime in words. */
export function told(report) {
  if ((report.uptime ?? null) === null) return words.uptimeUnknown;
  return words.uptimeTold(share(report.uptime), report.losses ?? 0, span((report.lost_seconds ?? 0) * 1000));
}

/** A share as a percentage, never rounded up: `99.99 %` is not `100 %`. */
export function share(value) {
  if (value === null || value === undefined) return "–";
  return value >= 1 ? shares[0].format(1) : shares[1].format(Math.max(0, Math.floor(value * 1e4) / 1e4));
}

/** A month (`2026-01`) in words. */
export function monthName(month) {
  return monthOnly.format(new Date(`${month}-01T00:00:00Z`));
}

/** What a report's days say of the day that is shown at this share of the drawing's width (0–1). */
export function dayAt(report, place) {
  const days = (report.days ?? "").slice(-DAYS);
  const at = Math.min(DAYS - 1, Math.max(0, Math.floor(place * DAYS)));
  const digit = days[at - (DAYS - days.length)] ?? "-";
  const date = dayOnly.format(new Date(now() - (DAYS - 1 - at) * DAY));
  if (digit === "-") return `${date}: ${words.dayUnknown}`;
  return `${date}: ${digit === "0" ? words.dayWell : words.dayLost(Number(digit))}`;
}

/** How many sessions lost time on each of the last 90 days, the oldest first. */
export function lossesPerDay(reports) {
  const counts = new Array(DAYS).fill(0);
  for (const { days } of reports) {
    if (!days) continue;
    const shown = days.slice(-DAYS);
    for (let at = 0; at < shown.length; at += 1) if (shown[at] > "0" && shown[at] <= "9") counts[DAYS - shown.length + at] += 1;
  }
  return counts;
}

/** The path of a sparkline of these counts, in a box of 90 × 20. */
export function sparkPath(counts) {
  const most = Math.max(1, ...counts);
  return counts.map((count, at) => (count ? `M${at} 20v-${Math.max(2, (18 * count) / most).toFixed(1)}h.8V20z` : "")).join("");
}

/** The sum of what all sessions lost: seconds, and how often. */
export function totals(reports) {
  let seconds = 0;
  let losses = 0;
  for (const report of reports) {
    seconds += report.lost_seconds ?? 0;
    losses += report.losses ?? 0;
  }
  return { seconds, losses };
}
