// The status page: keeps what the stream tells, and shows it with as few touches of the document as it takes.
// Ids, words and reasons come from outside: they become text and attributes' values only, never markup.

import { ask, follow, setToken } from "./feed.js";
import { explanation, setGateway, wayBack, whereToSet } from "./gateway.js";
import { at, growing, setClock, tick, timeElement, zone } from "./moments.js";
import { element, reason, showTimeline, spoken } from "./timeline.js";
import { visible } from "./visible.js";
import { language, words } from "./words.js";

const byId = (id) => document.getElementById(id);
const lists = { down: document.querySelector("#down ul"), rest: document.querySelector("#rest ul") };
const collator = new Intl.Collator(language, { numeric: true, sensitivity: "base" });

/** Milliseconds between two refreshes of "… ago". */
const TICK = 5000;

/** Changes spoken one by one; more at once are counted. */
const SPOKEN = 3;

/** Session id -> { report, row, folded, parts }. */
const sessions = new Map();
const changed = new Set();
let order = { down: [], rest: [] };
let moved = true;
let owed = 0;
let before = new Set();
let drawing = false;
let settled = false;
let announcements = [];
let health = {};
let heard = {};
let spool = null;
let hello = null;
let heardAt = null;
let link = "connecting";

// ---- what the stream tells ----

function tell(name, data) {
  setClock(data.now);
  heardAt = data.now;
  if ("started" in data) heard = data;
  if (name === "hello") {
    hello = data;
    spool = null;
    setGateway(data.guidance);
    drawWayBack();
    owed = data.total;
    before = new Set(sessions.keys());
    if (!owed) forgetTheRest();
  } else if (name === "sessions") {
    for (const report of data.sessions) take(report);
    if (owed > 0) {
      owed -= data.sessions.length;
      if (owed <= 0) forgetTheRest();
    }
  } else if (name === "gone") {
    data.sessions.forEach(forget);
  } else if (name === "health") {
    health = data;
  } else if (name === "spool") {
    spool = data.spool;
  }
  draw();
}

function take(report) {
  const known = sessions.get(report.session);
  before.delete(report.session);
  changed.add(report.session);
  if (!known) {
    sessions.set(report.session, { report, row: null, folded: fold(`${report.session} ${report.channel ?? ""}`) });
    moved = true;
    if (settled && report.shows === "disconnected") announcements.push(words.saidDown(visible(report.session), spoken(report.reason)));
    return;
  }
  const was = known.report;
  known.report = report;
  known.folded = fold(`${report.session} ${report.channel ?? ""}`);
  if (was.shows !== report.shows || was.since !== report.since) {
    moved = true;
    known.fresh = was.shows !== report.shows;
    if (known.timeline && !known.timeline.hidden) showTimeline(known.timeline, report.session, report);
  }
  if (was.shows !== report.shows) {
    const say = report.shows === "disconnected" ? words.saidDown : words.saidUp;
    announcements.push(say(visible(report.session), spoken(report.reason)));
  }
}

function forget(session) {
  sessions.get(session)?.row?.remove();
  sessions.delete(session);
  changed.delete(session);
  moved = true;
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
  link = state;
  document.body.dataset.link = state;
  draw();
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
    if (moved) arrange();
    drawHealth();
    drawNotices();
    drawSpool();
    keepFocus(focused);
    speak();
  });
}

function fill(one) {
  const { report } = one;
  if (!one.row) one.row = newRow(one);
  const { parts, row } = one;
  const down = report.shows === "disconnected";
  row.classList.toggle("lost", down);
  setText(parts.channel, report.channel && report.channel !== report.session ? words.channel(visible(report.channel)) : "");
  const waiting = !down && report.transient_word !== null;
  parts.pill.classList.toggle("waiting", waiting);
  if (waiting) setText(parts.pill, `“${visible(report.transient_word)}”`);
  else setText(parts.pill, !down ? words.pillRest : report.shown_at ? words.pillDown : words.pillWill);
  // What clients read where that is a word of the gateway's.
  setParts(parts.own, report, ["reads"], () =>
    (report.reads ?? "disconnected") === "disconnected" ? [] : [`${words.reads} `, element("q", {}, visible(report.reads))],
  );
  setParts(parts.since, report, ["shows", "since", "transient_due"], () => {
    if (waiting) return [`${words.waiting} `, timeElement(report.transient_due, "left")];
    return down && report.since ? [`${words.since} `, timeElement(report.since, "at"), " · ", growing(report.since)] : [];
  });
  setParts(parts.why, report, ["shows", "reason", "released_at", "caught_up"], () => {
    if (!report.reason) return ["–"];
    const told = [reason(report.reason)];
    if (!down && report.released_at) told.push(", ", timeElement(report.released_at, "ago"));
    return told;
  });
  setParts(parts.claim, report, ["shows", "gateway_said", "gateway_said_at", "caught_up"], () => {
    const told = [];
    if (report.gateway_said === null) told.push(element("span", { className: "quiet" }, words.notSeen));
    else {
      const means = explanation(report.gateway_said);
      told.push(element("q", {}, visible(report.gateway_said)), " ");
      if (means) told.push(means, " ");
      if (report.gateway_said_at) told.push(quiet(timeElement(report.gateway_said_at, "ago")));
    }
    if (down && report.caught_up) told.push(element("span", { className: "note" }, words.caughtUp[report.caught_up] ?? visible(report.caught_up)));
    return told;
  });
  setParts(parts.event, report, ["last_event", "last_event_at"], () =>
    report.last_event_at
      ? [timeElement(report.last_event_at, "ago"), " ", element("code", {}, visible(report.last_event ?? ""))]
      : [element("span", { className: "quiet" }, words.never)],
  );
  setParts(parts.message, report, ["last_message_at"], () =>
    report.last_message_at
      ? [timeElement(report.last_message_at, "ago")]
      : [element("span", { className: "quiet" }, words.never)],
  );
  parts.release.hidden = !down;
  if (one.fresh) {
    one.fresh = false;
    row.classList.remove("fresh");
    requestAnimationFrame(() => row.classList.add("fresh"));
  }
}

function newRow(one) {
  const { session } = one.report;
  const row = byId("row").content.cloneNode(true).querySelector("li");
  const part = (selector) => row.querySelector(selector);
  one.parts = {
    channel: part(".channel"),
    pill: part(".pill"),
    own: part(".own"),
    since: part(".since"),
    why: part(".why dd"),
    claim: part(".claim dd"),
    event: part(".event dd"),
    message: part(".message dd"),
    history: part("button.history"),
    release: part("button.release"),
  };
  part("h3").textContent = visible(session);
  one.parts.history.setAttribute("aria-label", words.historyOf(visible(session)));
  one.parts.release.setAttribute("aria-label", words.releaseOf(visible(session)));
  row.dataset.session = session;
  return row;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replace a cell only if what it is made of is not what it was made of. */
function setParts(node, report, keys, make) {
  const made = keys.map((key) => report[key]).join("\n");
  if (node.made === made) return;
  node.made = made;
  node.replaceChildren(...make());
}

function quiet(node) {
  node.classList.add("quiet");
  return node;
}

/** Put every row into its list and place: those lost last come first, the others by name. */
function arrange() {
  moved = false;
  const all = [...sessions.values()];
  order = {
    down: all
      .filter((one) => one.report.shows === "disconnected")
      .sort((a, b) => (b.report.since ?? "").localeCompare(a.report.since ?? "") || byName(a, b)),
    rest: all.filter((one) => one.report.shows !== "disconnected").sort(byName),
  };
  for (const [name, list] of Object.entries(lists)) {
    // From the end, so that a row that comes or goes costs one move, not one for each that follows it.
    let next = null;
    for (const { row } of order[name].toReversed()) {
      if (row.nextElementSibling !== next || row.parentElement !== list) list.insertBefore(row, next);
      next = row;
    }
    setText(byId(name).querySelector("h2 b"), String(order[name].length));
  }
  const down = order.down.length;
  document.title = words.title(down);
  const icon = down ? "icon-down.svg" : "icon.svg";
  if (byId("icon").getAttribute("href") !== icon) byId("icon").setAttribute("href", icon);
  filter();
}

function byName(a, b) {
  return collator.compare(a.report.session, b.report.session) || (a.report.session < b.report.session ? -1 : 1);
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

// ---- above the lists ----

/** That the store works; and how many proxies share it, where there are several. */
function sharing(proxies) {
  return proxies && proxies.length > 1 ? words.shared(proxies.length) : words.ok;
}

function drawHealth() {
  const state = (id, well, ...told) => {
    const place = byId(id);
    place.className = well === null ? "" : well ? "well" : "ill";
    const text = told.map((part) => (typeof part === "string" ? part : part.dateTime)).join();
    if (place.made === text) return;
    place.made = text;
    place.querySelector("dd").replaceChildren(...told);
  };
  state("link", link === "live" ? true : link === "lost" ? false : null, words[link]);
  if (link === "lost" && hello) {
    for (const id of ["gateway", "store"]) state(id, null, words.unknown);
  } else if (health.gateway) {
    state("gateway", health.gateway === "ok", health.gateway === "ok" ? words.reachable : words.unreachable);
    const damaged = health.store === "ok" && health.damage;
    state("store", health.store === "ok" && !damaged, damaged ? words.damaged : health.store === "ok" ? sharing(health.proxies) : words.fails);
  }
  if (hello && heard.started) {
    const last = heard.webhook_last_heard;
    state("webhooks", last ? null : false, last ? timeElement(last, "ago") : heard.webhooks.came ? words.noneTrusted : words.noWebhook);
    setText(byId("about"), words.about(hello.version, at(heard.started), zone));
    byId("gateway").title = hello.gateway_url;
  }
}

/** What is wrong with the gateway, in words where the code is known. */
function problem(text) {
  const code = text.split(":")[0];
  return Object.hasOwn(words.problems, code) ? words.problems[code] : visible(text);
}

function drawNotices() {
  const notices = [];
  if (link === "lost") notices.push(heardAt ? words.lostNotice(at(heardAt)) : words.neverNotice);
  else if (hello) {
    if (health.gateway && health.gateway !== "ok") notices.push(words.gatewayNotice(problem(health.gateway)));
    if (health.store && health.store !== "ok") notices.push(words.storeNotice(visible(health.store)));
    for (const what of health.missing ?? []) if (words.missing[what]) notices.push(words.missing[what]);
    for (const text of health.damage ?? []) notices.push(words.damageNotice(visible(text)));
    if (heard.started && !heard.webhook_last_heard) {
      const { came } = heard.webhooks;
      const where = came ? null : whereToSet();
      const told = came ? words.untrustedNotice(came) : words.noWebhookNotice(at(heard.started));
      notices.push(where ? [`${told} ${where.text}`, ...where.codes] : told);
    }
    if (!owed && !sessions.size) notices.push(words.none);
  }
  const place = byId("notices");
  if (place.made === notices.join("\n")) return;
  place.made = notices.join("\n");
  place.replaceChildren(
    ...notices.map((told) => {
      const [text, ...codes] = [told].flat();
      const notice = element("div", { className: "notice" });
      notice.append(element("p", {}, text), ...ways("ul", codes));
      return notice;
    }),
  );
}

/** The gateway's own variables and calls, to be copied; nothing where there are none. */
function ways(kind, codes) {
  if (!codes.length) return [];
  const list = element(kind, { className: "ways" });
  for (const code of codes) {
    const one = element("li");
    one.append(element("code", {}, visible(code)));
    list.append(one);
  }
  return [list];
}

/** Above the lost sessions: how one comes back, where the preset says so. */
function drawWayBack() {
  const back = wayBack();
  const place = byId("back");
  place.hidden = !back;
  if (back) place.replaceChildren(element("p", {}, back.text), ...ways("ol", back.codes));
}

/** What is kept of events that were not taken. Not among the notices, which are read out: its counts change often. */
function drawSpool() {
  const told = [];
  if (spool?.waiting) told.push(words.spoolWaiting(spool.waiting, at(spool.waiting_since)));
  if (spool?.unknown) told.push(words.spoolUnknown(spool.unknown));
  if (spool?.dead) told.push(words.spoolDead(spool.dead));
  for (const { receiver, since } of spool?.away ?? []) {
    told.push(words.spoolAway(receiver === "gateway" ? words.spoolGateway : visible(receiver), at(since)));
  }
  const place = byId("spool");
  place.hidden = link === "lost" || !told.length;
  setText(place, told.join(" "));
}

// ---- the filter ----

function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function filter() {
  const wanted = fold(byId("filter").value.trim()).split(/\s+/);
  const which = document.querySelector("input[name=which]:checked").value;
  let shown = 0;
  for (const name of ["down", "rest"]) {
    let here = 0;
    for (const one of order[name]) {
      const hidden = (which !== "all" && which !== name) || !wanted.every((word) => one.folded.includes(word));
      if (one.row.hidden !== hidden) one.row.hidden = hidden;
      here += hidden ? 0 : 1;
    }
    byId(name).hidden = which !== "all" && which !== name;
    byId(name).classList.toggle("empty", !here);
    shown += here;
  }
  const told = shown || !sessions.size ? words.count(shown, sessions.size) : words.noMatch;
  setText(byId("count"), hello ? told : "");
}

// ---- what a person does ----

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("li.session button");
  if (!button) return;
  const one = sessions.get(button.closest("li").dataset.session);
  if (button.classList.contains("history")) toggleTimeline(one);
  else confirmRelease(one);
});

function toggleTimeline(one) {
  const { row, report, parts } = one;
  if (!one.timeline) {
    one.timeline = element("div", { className: "timeline", hidden: true });
    row.append(one.timeline);
  }
  one.timeline.hidden = !one.timeline.hidden;
  parts.history.setAttribute("aria-expanded", String(!one.timeline.hidden));
  row.classList.toggle("told", !one.timeline.hidden);
  if (!one.timeline.hidden) showTimeline(one.timeline, report.session, report);
}

function confirmRelease(one) {
  const dialog = byId("confirm");
  const { session } = one.report;
  byId("confirm-title").textContent = words.confirmTitle(visible(session));
  dialog.querySelector(".error").textContent = "";
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    if (event.submitter?.value !== "yes") {
      dialog.close();
      return;
    }
    event.submitter.disabled = true;
    const error = await release(session);
    event.submitter.disabled = false;
    if (error) dialog.querySelector(".error").textContent = words.releaseFailed(visible(error));
    else dialog.close();
  };
  // Released, its button may be gone by the time the dialog gives the focus back.
  dialog.onclose = () => keepFocus(one.parts.release);
  dialog.showModal();
}

/** Release a session; why it did not work, or null. The stream tells what came of it. */
async function release(session) {
  try {
    const answer = await ask(`sessions/${encodeURIComponent(session)}/release`, { method: "POST" });
    if (answer.ok) return null;
    return (await answer.json()).error ?? `status ${answer.status}`;
  } catch {
    return words.noAnswer;
  }
}

function unlock(wrong) {
  const dialog = byId("token");
  dialog.querySelector(".error").textContent = wrong ? words.tokenWrong : "";
  byId("secret").value = "";
  dialog.showModal();
  // There is nothing to see without it, so that it cannot be closed by Escape.
  dialog.oncancel = (event) => event.preventDefault();
  return new Promise((resolve) => {
    dialog.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      setToken(byId("secret").value);
      dialog.close();
      resolve();
    };
  });
}

// ---- beginning ----

document.documentElement.lang = language;
for (const root of [document, byId("row").content]) {
  for (const node of root.querySelectorAll("[data-say]")) node.textContent = words[node.dataset.say];
  for (const node of root.querySelectorAll("[data-say-label]")) node.setAttribute("aria-label", words[node.dataset.sayLabel]);
}
byId("confirm-text").textContent = words.confirmText;
byId("tools").addEventListener("input", filter);
byId("tools").addEventListener("submit", (event) => event.preventDefault());
setInterval(() => document.hidden || tick(document), TICK);
document.addEventListener("visibilitychange", () => document.hidden || tick(document));
drawHealth();
drawNotices();
follow({ tell, state: setLink, unlock });
