// The page's two questions: whether to release a session, and the admin token.

import { byId } from "./elements.js";
import { ask, setToken } from "./feed.js";
import { visible } from "./visible.js";
import { words } from "./words.js";

/** Ask whether to release a session, and do it; `closed` is called when the question is gone. */
export function confirmRelease(session, closed) {
  const dialog = byId("confirm");
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
  dialog.onclose = closed;
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

/** Ask for the admin token; `wrong`: the last one was. A promise for when one has been entered. */
export function unlock(wrong) {
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
