// What an open session shows below its row: what to do next, what is known of it, its uptime by month, its history.

import { element, quiet, ways } from "./elements.js";
import { ask } from "./feed.js";
import { explanation, wayBack } from "./gateway.js";
import { span, timeElement } from "./moments.js";
import { reason } from "./reasons.js";
import { isDown, stateOf } from "./states.js";
import { showTimeline } from "./timeline.js";
import { monthName, share, told } from "./uptime.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

/** Months of uptime that are shown. */
const MONTHS = 12;

/** Put an empty panel below a row; `release` is called when its button is pressed. */
export function makeDetails(one, release) {
  const panel = element("div", { className: "details", hidden: true });
  const next = element("div", { className: "next" });
  const button = element("button", { type: "button", className: "release", hidden: true }, words.release);
  button.setAttribute("aria-label", words.releaseOf(visible(one.report.session)));
  button.addEventListener("click", () => release(one));
  const facts = element("dl", { className: "facts" });
  const months = element("div", { className: "months" });
  const timeline = element("div", { className: "timeline" });
  panel.append(next, button, facts, months, element("h4", {}, words.history), timeline);
  one.row.append(panel);
  one.panel = { panel, next, button, facts, months, timeline };
}

/** Have an open panel say what its session's report says. */
export function fillDetails(one) {
  const { next, button, facts } = one.panel;
  const { report } = one;
  const state = stateOf(report);
  button.hidden = state !== "lost";
  const steps = whatNext(report, state);
  next.hidden = !steps.length;
  next.replaceChildren(...steps);
  facts.replaceChildren(...factsOf(report, state));
}

/** Read what is too long for the stream: the history, and the uptime by month. */
export async function loadDetails(one) {
  const { months, timeline } = one.panel;
  const { session } = one.report;
  const shown = showTimeline(timeline, session);
  try {
    const answer = await ask(`uptime?session=${encodeURIComponent(session)}&months=${MONTHS}`);
    if (answer.ok) months.replaceChildren(...monthsTable(await answer.json()));
  } catch {
    // The history says that the proxy does not answer.
  }
  await shown;
}

function whatNext(report, state) {
  if (!isDown(state)) return [];
  const parts = [element("h4", {}, words.next)];
  const back = wayBack();
  const steps = (back?.codes ?? []).map((code) => code.replaceAll("{session}", encodeURIComponent(report.session)));
  parts.push(element("p", {}, words.nextFor[state]));
  if (back) parts.push(element("p", {}, back.text), ...ways("ol", steps));
  if (report.alerted_at) {
    const sent = element("p");
    sent.append(`${words.alertedAt} `, timeElement(report.alerted_at, "at"), " (", timeElement(report.alerted_at, "ago"), ").");
    parts.push(sent);
  }
  return parts;
}

function factsOf(report, state) {
  const facts = [];
  const add = (name, kind, ...parts) => {
    const one = element("div", { className: `fact ${kind}` });
    const value = element("dd");
    value.append(...parts.filter((part) => part !== null));
    one.append(element("dt", {}, words[name]), value);
    facts.push(one);
  };
  if (state === "lost") {
    add("why", "because", reason(report.reason), ...(report.since ? [`, ${words.since} `, timeElement(report.since, "at")] : []));
    add("shownSince", "corrected", report.shown_at ? timeElement(report.shown_at, "at") : words.notShown);
  } else if (report.reason) {
    const by = report.released === "operator" && report.released_by ? ` ${words.by(visible(report.released_by))}` : null;
    add("before", "because", reason(report.reason), by, ...(report.released_at ? [", ", timeElement(report.released_at, "at")] : []));
  }
  add("claim", "claim", ...claim(report));
  const noticed = state === "lost" && report.caught_up;
  if (noticed) add("noticed", "noticed", words.caughtUp[report.caught_up] ?? visible(report.caught_up));
  const event = report.last_event_at ? [timeElement(report.last_event_at, "ago"), " ", element("code", {}, visible(report.last_event ?? ""))] : [none()];
  add("event", "event", ...event);
  add("message", "message", report.last_message_at ? timeElement(report.last_message_at, "ago") : none());
  if (report.first_heard) add("first", "began", timeElement(report.first_heard, "at"));
  if (report.channel && report.channel !== report.session) add("channelName", "name", visible(report.channel));
  if ("listed" in report) add("inList", "listed", report.listed ? words.yes : words.no);
  add("days90", "sum90", told(report));
  return facts;
}

function none() {
  return quiet(element("span", {}, words.never));
}

function claim(report) {
  if (report.gateway_said === null) return [quiet(element("span", {}, words.notSeen))];
  const means = explanation(report.gateway_said);
  const told = [element("q", {}, visible(report.gateway_said))];
  if (means) told.push(` ${means}`);
  if (report.gateway_said_at) told.push(" ", quiet(timeElement(report.gateway_said_at, "ago")));
  return told;
}

/** The months of an answer of `GET /uptime`, the newest first, as a table; nothing where it has none. */
function monthsTable(answer) {
  const months = answer.months.filter((one) => one.uptime !== null);
  if (!months.length) return [];
  const table = element("table");
  const head = element("tr");
  head.append(...["month", "uptime", "lostTime", "losses"].map((name) => element("th", { scope: "col" }, words[name])));
  table.append(element("caption", {}, words.monthly), head);
  for (const { month, uptime, lost_seconds: lost, losses } of months) {
    const line = element("tr");
    line.append(
      element("th", { scope: "row" }, monthName(month)),
      element("td", {}, share(uptime)),
      element("td", {}, lost ? span(lost * 1000) : "–"),
      element("td", {}, String(losses ?? "–")),
    );
    table.append(line);
  }
  return [table];
}
