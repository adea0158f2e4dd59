// The stream of what changes: server-sent events over fetch, since EventSource can send no token.

/** Milliseconds between two tries; the last stays. */
const PAUSES = [1000, 2000, 4000, 8000, 15000];

/** Milliseconds of silence after which the stream counts as broken; the server speaks at least every 5 s. */
const SILENCE = 16000;

const STORED = "statusproxy-token";

let token = null;
try {
  token = sessionStorage.getItem(STORED);
} catch {
  // Storage is turned off: the token is asked for again after a reload.
}

/** Remember the admin token for as long as this tab is open. */
export function setToken(value) {
  token = value;
  try {
    sessionStorage.setItem(STORED, value);
  } catch {
    // see above
  }
}

/** Ask the admin listener; paths are relative to the page, so that it may stand behind another path. */
export function ask(path, options = {}) {
  const headers = token === null ? {} : { Authorization: `Bearer ${encodeToken(token)}` };
  return fetch(new URL(path, document.baseURI), { cache: "no-store", ...options, headers });
}

// Fields carry bytes: a token beyond ASCII goes as the UTF-8 that the server compares it with.
function encodeToken(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/**
 * Follow the stream for ever. `tell(event, data)` gets each event, `state(word)` is told "live" or "lost", and
 * `unlock(wrong)` gives, as a promise, when a token has been entered.
 */
export async function follow({ tell, state, unlock }) {
  let failures = 0;
  let asked = false;
  for (;;) {
    try {
      await once((name, data) => {
        if (name === "hello") {
          failures = 0;
          asked = false;
          state("live");
        }
        tell(name, data);
      });
    } catch (error) {
      if (error instanceof Locked) {
        await unlock(asked);
        asked = true;
        continue;
      }
    }
    state("lost");
    await pause(PAUSES[Math.min(failures, PAUSES.length - 1)]);
    failures += 1;
  }
}

class Locked extends Error {}

async function once(tell) {
  const stop = new AbortController();
  let silence = setTimeout(() => stop.abort(), SILENCE);
  try {
    const answer = await ask("events", { signal: stop.signal });
    if (answer.status === 401) throw new Locked();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), SILENCE);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s, 2)));
        tell(fields.event, JSON.parse(fields.data));
      }
    }
  } finally {
    clearTimeout(silence);
    stop.abort();
  }
}

/** Wait, but not when the network or the person comes back. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    const stop = new AbortController();
    const over = () => {
      clearTimeout(timer);
      stop.abort();
      resolve();
    };
    const timer = setTimeout(over, milliseconds);
    addEventListener("online", over, { signal: stop.signal });
    document.addEventListener("visibilitychange", () => document.hidden || over(), { signal: stop.signal });
  });
}
