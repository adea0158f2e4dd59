// The groups of sessions, one for each state: their rows in order, those that a search or filter hides, their counts.

import { byId, element, setText } from "./elements.js";
import { ORDERS, fold } from "./sorting.js";
import { STATES, stateOf } from "./states.js";
import { words } from "./words.js";

const groups = new Map();

/** Make the groups, and a choice of each state above them. */
export function makeGroups() {
  for (const state of STATES) {
    const group = byId("group").content.firstElementChild.cloneNode(true);
    group.id = `group-${state}`;
    group.dataset.state = state;
    const title = group.querySelector("h2");
    title.id = `title-${state}`;
    group.setAttribute("aria-labelledby", title.id);
    title.querySelector("span").textContent = words.stateNames[state];
    group.querySelector(".explain").textContent = words.explained[state];
    byId("groups").append(group);
    groups.set(state, { group, title: title.querySelector("b"), list: group.querySelector("ul"), order: [] });
  }
  for (const state of ["all", ...STATES]) {
    const choice = byId("choice").content.firstElementChild.cloneNode(true);
    choice.dataset.state = state;
    const input = choice.querySelector("input");
    input.value = state;
    input.checked = state === "all";
    choice.querySelector("span").textContent = state === "all" ? words.all : words.stateNames[state];
    byId("choices").append(choice);
  }
  for (const name of Object.keys(ORDERS)) byId("sort").append(element("option", { value: name }, words.orders[name]));
}

/** Put every row into its group and place. */
export function arrange(sessions) {
  const compare = ORDERS[byId("sort").value];
  const members = new Map(STATES.map((state) => [state, []]));
  for (const one of sessions.values()) members.get(stateOf(one.report)).push(one);
  for (const [state, each] of groups) {
    each.order = members.get(state).sort(compare);
    // From the end, so that a row that comes or goes costs one move, not one for each that follows it.
    let next = null;
    for (const { row } of each.order.toReversed()) {
      if (row.nextElementSibling !== next || row.parentElement !== each.list) each.list.insertBefore(row, next);
      next = row;
    }
    const count = String(each.order.length);
    setText(each.title, count);
    setText(byId("choices").querySelector(`[data-state=${state}] b`), count);
  }
  setText(byId("choices").querySelector("[data-state=all] b"), String(sessions.size));
  filter(sessions.size);
}

/** Show the rows that the search and the chosen state ask for; `total` sessions are known. */
export function filter(total) {
  const wanted = fold(byId("filter").value.trim()).split(/\s+/);
  const which = document.querySelector("input[name=which]:checked").value;
  let shown = 0;
  for (const [state, { group, order }] of groups) {
    let here = 0;
    for (const { row, folded } of order) {
      const hidden = (which !== "all" && which !== state) || !wanted.every((word) => folded.includes(word));
      if (row.hidden !== hidden) row.hidden = hidden;
      here += hidden ? 0 : 1;
    }
    if (group.hidden !== !here) group.hidden = !here;
    shown += here;
  }
  setText(byId("count"), shown || !total ? words.count(shown, total) : words.noMatch);
}

/** Show all sessions, whatever was looked for. */
export function showAll(total) {
  byId("filter").value = "";
  document.querySelector("input[name=which][value=all]").checked = true;
  filter(total);
}
