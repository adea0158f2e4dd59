// What the page says, in English and Portuguese, chosen by the browser's languages.

import { english } from "./english.js";
import { portuguese } from "./portuguese.js";

const wanted = (navigator.languages?.length ? navigator.languages : [navigator.language || "en"])
  .map((tag) => tag.toLowerCase())
  .find((tag) => tag.startsWith("pt") || tag.startsWith("en"));

export const portugueseWanted = Boolean(wanted?.startsWith("pt"));
export const words = portugueseWanted ? portuguese : english;
/** The page's own language, as `lang` has it. */
export const language = portugueseWanted ? "pt-BR" : "en";
/** For dates: the browser's own variant of that language (12 or 24 hours, order of day and month). */
export const locale = navigator.languages?.find((tag) => tag.toLowerCase().startsWith(language.slice(0, 2))) ?? language;
