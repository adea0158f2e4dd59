// One session's row: its name, the word that the list shows, why, and its uptime. Made once, then changed cell by cell.

import { byId, element, quiet, setParts, setText } from "./elements.js";
import { explanation } from "./gateway.js";
import { at, growing, span, timeElement } from "./moments.js";
import { spoken } from "./reasons.js";
import { isDown, listWord, stateOf } from "./states.js";
import { drawDays, share, told } from "./uptime.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

/** A session's place in the address: `#sales`. */
export function linkTo(session) {
  return `#${encodeURIComponent(session)}`;
}

/** A new row; `one` is `{ report, parts, row }`, of which this fills the last two. */
export function makeRow(one) {
  const { session } = one.report;
  const row = byId("row").content.firstElementChild.cloneNode(true);
  const part = (selector) => row.querySelector(selector);
  one.row = row;
  one.parts = {
    channel: part(".channel"),
    state: part(".shown .unseen"),
    pill: part(".pill"),
    why: part(".why"),
    heard: part(".heard"),
    days: part(".days"),
    share: part(".share"),
    total: part(".total"),
    history: part("button.history"),
  };
  const name = part("h3 a");
  name.textContent = visible(session);
  name.href = linkTo(session);
  one.parts.history.setAttribute("aria-label", words.historyOf(visible(session)));
  row.dataset.session = session;
}

/** Have a row show its session's report. */
export function fillRow(one) {
  const { parts, row, report } = one;
  const state = stateOf(report);
  if (row.dataset.state !== state) row.dataset.state = state;
  setText(parts.channel, report.channel && report.channel !== report.session ? words.channel(visible(report.channel)) : "");
  parts.channel.title = visible(report.channel ?? "");
  setText(parts.state, `${words.stateNames[state]}: `);
  setText(parts.pill, pill(report, state));
  setParts(parts.why, report, ["state", "shows", "since", "reason", "released_at", "alerted_at", "gateway_said", "gateway_said_at", "transient_word", "transient_due", "listed"], () => why(report, state));
  setParts(parts.heard, report, ["last_event_at"], () =>
    report.last_event_at ? [timeElement(report.last_event_at, "ago")] : [quiet(element("span", {}, words.noEvent))],
  );
  if (one.drawn !== report.days || one.share !== report.uptime || one.lost !== report.lost_seconds) {
    [one.drawn, one.share, one.lost] = [report.days, report.uptime, report.lost_seconds];
    drawDays(parts.days, report);
    setText(parts.share, share(report.uptime));
    setText(parts.total, report.lost_seconds ? span(report.lost_seconds * 1000) : "–");
    parts.total.title = parts.share.title = told(report);
    parts.total.classList.toggle("quiet", !report.lost_seconds);
  }
  if (one.fresh) {
    one.fresh = false;
    row.classList.remove("fresh");
    requestAnimationFrame(() => row.classList.add("fresh"));
  }
}

/** The word that the list shows; where no list has one, what we know, in our own words. */
export function pill(report, state) {
  const word = listWord(report);
  if (word !== null && word !== "") return visible(word);
  return words.stateNames[state].toLowerCase();
}

function why(report, state) {
  if (state === "lost") {
    const parts = report.since ? [growing(report.since), `, ${words.since} `, timeElement(report.since, "at")] : [];
    if (report.reason) parts.push(": ", spoken(report.reason));
    if (report.alerted_at) parts.push(" ", quiet(element("span", { className: "alerted" }, `· ${words.alerted(at(report.alerted_at, report.since))}`)));
    return parts;
  }
  if ((report.transient_word ?? null) !== null) {
    return [`“${visible(report.transient_word)}”, ${words.waiting} `, timeElement(report.transient_due, "left")];
  }
  if (isDown(state) || (state === "unknown" && report.gateway_said)) {
    const means = report.gateway_said ? explanation(report.gateway_said) : null;
    const said = [means ? `${words.gatewaySays}: ${means}` : words.gatewaySays];
    return report.gateway_said_at ? [...said, ", ", quiet(timeElement(report.gateway_said_at, "ago"))] : said;
  }
  if (state === "unknown") return [quiet(element("span", {}, report.listed ? words.noWord : words.notListed))];
  if (report.reason && report.released_at) return [quiet(element("span", {}, `${spoken(report.reason)}, `)), quiet(timeElement(report.released_at, "ago"))];
  return [];
}
