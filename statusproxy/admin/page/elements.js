// Parts of the document: elements with text, and cells that are replaced only where they change.

import { visible } from "./visible.js";

export const byId = (id) => document.getElementById(id);

/** A new element with properties and text; text is never read as markup. */
export function element(name, properties = {}, text = null) {
  const made = Object.assign(document.createElement(name), properties);
  if (text !== null) made.textContent = text;
  return made;
}

/** Set a node's text if it reads otherwise. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replace a cell only if what it is made of is not what it was made of. */
export function setParts(node, report, keys, make) {
  const made = keys.map((key) => report[key]).join("\n");
  if (node.made === made) return;
  node.made = made;
  node.replaceChildren(...make());
}

/** A quieter look for a node. */
export function quiet(node) {
  node.classList.add("quiet");
  return node;
}

/** The gateway's own variables and calls, to be copied; nothing where there are none. */
export function ways(kind, codes) {
  if (!codes.length) return [];
  const list = element(kind, { className: "ways" });
  for (const code of codes) {
    const one = element("li");
    one.append(element("code", {}, visible(code)));
    list.append(one);
  }
  return [list];
}
