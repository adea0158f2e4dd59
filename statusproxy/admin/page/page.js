// The status page: keeps what the stream tells, and shows it with as few touches of the document as it takes.
// Ids, words and reasons come from outside: they become text and attributes' values only, never markup.

import { fillDetails, loadDetails, makeDetails } from "./details.js";
import { findings, silence } from "./doctor.js";
import { byId, setText } from "./elements.js";
import { ask, follow } from "./feed.js";
import { setGateway } from "./gateway.js";
import { arrange, filter, makeGroups, showAll } from "./groups.js";
import { now, setClock, span, tick } from "./moments.js";
import { drawHealth, drawNotices, drawSpool, drawWayBack } from "./notices.js";
import { confirmRelease, unlock } from "./questions.js";
import { spoken } from "./reasons.js";
import { fillRow, linkTo, makeRow } from "./rows.js";
import { placeByName, searched } from "./sorting.js";
import { countDown, countStates, isDown, stateOf } from "./states.js";
import { dayAt, lossesPerDay, sparkPath, totals } from "./uptime.js";
import { visible } from "./visible.js";
import { language, words } from "./words.js";

/** Milliseconds between two refreshes of "… ago", and between two looks at what the doctor finds. */
const TICK = 5000;
const LOOK = 60000;

/** Changes spoken one by one; more at once are counted. */
const SPOKEN = 3;

/** Session id -> { report, folded, row, parts, panel }. */
const sessions = new Map();
const changed = new Set();
let moved = true;
let summed = false;
let placed = 0;
let renamed = false;
let owed = 0;
let before = new Set();
let drawing = false;
let settled = false;
let announcements = [];
let linked = addressed();
let looked = null;
const seen = { link: "connecting", hello: null, health: {}, heard: {}, heardAt: null, spool: null, silent: false, findings: [] };

// ---- what the stream tells ----

function tell(name, data) {
  setClock(data.now);
  seen.heardAt = data.now;
  if ("started" in data) seen.heard = data;
  if (name === "hello") {
    seen.hello = data;
    seen.spool = null;
    setGateway(data.guidance);
    drawWayBack();
    owed = data.total;
    before = new Set(sessions.keys());
    if (!owed) forgetTheRest();
    look();
  } else if (name === "sessions") {
    for (const report of data.sessions) take(report);
    if (owed > 0) {
      owed -= data.sessions.length;
      if (owed <= 0) forgetTheRest();
    }
  } else if (name === "gone") {
    data.sessions.forEach(forget);
  } else if (name === "health") {
    seen.health = data;
  } else if (name === "spool") {
    seen.spool = data.spool;
  }
  draw();
}

function take(report) {
  const { session } = report;
  const known = sessions.get(session);
  before.delete(session);
  changed.add(session);
  if (!known) {
    sessions.set(session, { report, folded: searched(report), row: null });
    moved = summed = renamed = true;
    if (settled && stateOf(report) === "lost") announce(report);
    return;
  }
  const was = known.report;
  known.report = report;
  known.folded = searched(report);
  moved ||= ["state", "shows", "since", "uptime", "lost_seconds", "losses", "last_event_at"].some((key) => was[key] !== report[key]);
  summed ||= was.days !== report.days || was.lost_seconds !== report.lost_seconds;
  known.stale ||= was.shows !== report.shows || was.since !== report.since;
  if (stateOf(was) === stateOf(report)) return;
  known.fresh = true;
  announce(report);
}

/** A voice says how a session stands now. */
function announce(report) {
  const state = stateOf(report);
  const why = report.reason ? spoken(report.reason) : null;
  announcements.push(words.said(visible(report.session), words.stateNames[state], state === "lost" || (state === "connected" && report.released_at) ? why : null));
}

function forget(session) {
  sessions.get(session)?.row?.remove();
  sessions.delete(session);
  changed.delete(session);
  moved = summed = true;
}

/** After a new beginning: what it did not name is not known any more. */
function forgetTheRest() {
  before.forEach(forget);
  before = new Set();
  owed = 0;
  // What comes from now on is news; what came until now was there before.
  if (!settled) announcements = [];
  settled = true;
}

function setLink(state) {
  seen.link = state;
  document.body.dataset.link = state;
  draw();
}

/** Ask what the doctor finds. A proxy that does not answer is told by the stream. */
async function look() {
  try {
    const answer = await ask("doctor");
    looked = answer.ok ? await answer.json() : null;
  } catch {
    looked = null;
  }
  judge();
  draw();
}

function judge() {
  const seconds = now() / 1000;
  // The stream knows newer webhooks than the look.
  const last = seen.heard.webhook_last_heard;
  const report = looked && { ...looked, webhooks: { ...looked.webhooks, last_heard: last ? Date.parse(last) / 1000 : null } };
  seen.findings = report ? findings(report, seconds) : [];
  seen.silent = report !== null && silence(report, seconds) !== null;
}

// ---- drawing ----

function draw() {
  if (drawing) return;
  drawing = true;
  // A hidden page draws no frames; it must be right when it is looked at.
  (document.hidden ? setTimeout : requestAnimationFrame)(() => {
    drawing = false;
    const focused = document.activeElement;
    for (const session of changed) {
      const one = sessions.get(session);
      if (one) fill(one);
    }
    changed.clear();
    // Of thousands that are on their way, the first are shown at once, and the others when all are here.
    if (moved && (owed <= 0 || !placed)) {
      moved = false;
      if (renamed) placeByName(sessions.values());
      placed = sessions.size;
      renamed = false;
      arrange(sessions);
      drawCounts();
    }
    if (summed && owed <= 0) drawSums();
    drawHealth(seen);
    drawNotices({ ...seen, empty: !owed && !sessions.size });
    drawSpool(seen);
    keepFocus(focused);
    if (linked !== null && sessions.has(linked) && owed <= 0) goToLinked();
    speak();
  });
}

function fill(one) {
  if (!one.row) makeRow(one);
  fillRow(one);
  if (!one.panel || one.panel.panel.hidden) return;
  fillDetails(one);
  if (one.stale) loadDetails(one);
  one.stale = false;
}

/** How many do not work: on the page, in its title and its icon. */
function drawCounts() {
  const down = countDown(countStates([...sessions.values()].map((one) => one.report)));
  const place = byId("sum");
  place.classList.toggle("ill", down > 0);
  place.hidden = !sessions.size;
  setText(place.querySelector("b"), String(down));
  setText(place.querySelector("span"), words.down(down, sessions.size));
  document.title = words.title(down);
  const icon = down ? "icon-down.svg" : "icon.svg";
  if (byId("icon").getAttribute("href") !== icon) byId("icon").setAttribute("href", icon);
}

/** Losses of all sessions: the sparkline, and their sum. */
function drawSums() {
  summed = false;
  const reports = [...sessions.values()].map((one) => one.report);
  const counts = lossesPerDay(reports);
  const { seconds, losses } = totals(reports);
  byId("spark").hidden = !reports.some((report) => report.days);
  byId("spark").querySelector("path").setAttribute("d", sparkPath(counts));
  byId("spark").querySelector("svg").setAttribute("aria-label", words.spark(Math.max(...counts), counts.at(-1)));
  byId("spark").title = words.spark(Math.max(...counts), counts.at(-1));
  setText(byId("spark").querySelector("figcaption"), words.sums(losses, span(seconds * 1000)));
}

/** The element with the focus keeps it, also where the row has moved or the button is gone. */
function keepFocus(focused) {
  const row = focused?.closest?.("li.session");
  if (!row?.isConnected) return;
  if (focused.hidden) row.querySelector("button.history").focus({ preventScroll: true });
  else if (focused !== document.activeElement) focused.focus({ preventScroll: true });
}

function speak() {
  if (!announcements.length) return;
  const told = announcements.length > SPOKEN ? [words.saidMany(announcements.length)] : announcements;
  byId("said").textContent = told.join(". ");
  announcements = [];
}

// ---- what a person does ----

/** The session that the page's address names, or null. */
function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

/** Open the session that the address names, and go to it. */
function goToLinked() {
  const one = sessions.get(linked);
  linked = null;
  if (one.row.hidden) showAll(sessions.size);
  toggle(one, true);
  one.row.scrollIntoView({ block: "center" });
  one.row.querySelector("h3 a").focus({ preventScroll: true });
}

function toggle(one, open) {
  if (!one.panel) makeDetails(one, (each) => confirmRelease(each.report.session, () => keepFocus(each.panel.button)));
  one.panel.panel.hidden = !open;
  one.parts.history.setAttribute("aria-expanded", String(open));
  one.row.classList.toggle("open", open);
  const link = linkTo(one.report.session);
  if (open) {
    fillDetails(one);
    loadDetails(one);
    history.replaceState(null, "", link);
  } else if (location.hash === link) {
    history.replaceState(null, "", location.pathname + location.search);
  }
}

document.addEventListener("click", (event) => {
  const pressed = event.target.closest?.("li.session :is(button.history, h3 a)");
  if (!pressed) return;
  const one = sessions.get(pressed.closest("li").dataset.session);
  if (pressed.tagName === "A") {
    // Another tab or window is the browser's to open.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
  }
  toggle(one, !one.row.classList.contains("open"));
});

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is that of the session that is open
  byId("sessions").focus();
});

addEventListener("hashchange", () => {
  linked = addressed();
  draw();
});

// What a day of the bar is, where the pointer is on it.
document.addEventListener("pointermove", (event) => {
  const bar = event.target.closest?.(".bar90");
  if (!bar) return;
  const { left, width } = bar.getBoundingClientRect();
  const { report } = sessions.get(bar.closest("li").dataset.session);
  bar.title = dayAt(report, (event.clientX - left) / width);
}, { passive: true });

// ---- beginning ----

document.documentElement.lang = language;
for (const root of [document, byId("row").content]) {
  for (const node of root.querySelectorAll("[data-say]")) node.textContent = words[node.dataset.say];
  for (const node of root.querySelectorAll("[data-say-label]")) node.setAttribute("aria-label", words[node.dataset.sayLabel]);
}
byId("confirm-text").textContent = words.confirmText;
byId("filter").placeholder = words.filter;
makeGroups();
byId("tools").addEventListener("input", (event) => {
  if (event.target.id !== "sort") filter(sessions.size);
});
byId("sort").addEventListener("change", () => arrange(sessions));
byId("tools").addEventListener("submit", (event) => event.preventDefault());
function refresh() {
  if (document.hidden) return;
  judge();
  draw();
  tick(document);
}
setInterval(refresh, TICK);
setInterval(() => document.hidden || seen.link !== "live" || look(), LOOK);
document.addEventListener("visibilitychange", refresh);
drawHealth(seen);
drawNotices({ ...seen, empty: false });
follow({ tell, state: setLink, unlock });
