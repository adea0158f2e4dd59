// Above the lists: whether what is seen can be relied on, what is wrong, and what the doctor finds.

import { byId, element, setText, ways } from "./elements.js";
import { wayBack, whereToSet } from "./gateway.js";
import { at, timeElement, zone } from "./moments.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

/** That the store works; and how many proxies share it, where there are several. */
function sharing(proxies) {
  return proxies && proxies.length > 1 ? words.shared(proxies.length) : words.ok;
}

/** Whether page, gateway, store and webhooks work. `seen`: what the stream told last. */
export function drawHealth({ link, hello, health, heard, silent }) {
  const state = (id, well, ...told) => {
    const place = byId(id);
    const kind = well === null ? "" : well ? "well" : "ill";
    if (place.className !== kind) place.className = kind;
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
    state("webhooks", last && !silent ? null : false, last ? timeElement(last, "ago") : heard.webhooks.came ? words.noneTrusted : words.noWebhook);
    setText(byId("about"), words.about(hello.version, at(heard.started), zone));
    byId("gateway").title = hello.gateway_url;
  }
}

/** What is wrong with the gateway, in words where the code is known. */
function problem(text) {
  const code = text.split(":")[0];
  return Object.hasOwn(words.problems, code) ? words.problems[code] : visible(text);
}

/** What is wrong, a notice each. */
export function drawNotices({ link, hello, health, heard, heardAt, findings, empty }) {
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
    notices.push(...findings.map((text) => `${words.doctor} ${text}`));
    if (empty) notices.push(words.none);
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

/** With the lost sessions: how one comes back, where the preset says so. */
export function drawWayBack() {
  const back = wayBack();
  const place = document.querySelector("#group-lost .back");
  place.hidden = !back;
  if (!back) return;
  const summary = element("summary", {}, words.howBack);
  place.replaceChildren(summary, element("p", {}, back.text), ...ways("ol", back.codes));
}

/** What is kept of events that were not taken. Not among the notices, which are read out: its counts change often. */
export function drawSpool({ link, spool }) {
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
