// Why a correction began or ended: in words where they are known, and as the event wrote it.

import { element } from "./elements.js";
import { meaning } from "./gateway.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

/** A reason in words where they are known, and as the event wrote it. */
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

/** A reason in words alone, for a voice or a narrow cell; the event's own writing where no words are known. */
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
