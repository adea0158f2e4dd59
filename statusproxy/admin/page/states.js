// How sessions stand: the states in the order in which they need someone, and what counts as down.

/** The states (`status/session_state.py`), those that need someone first. */
export const STATES = ["lost", "reported_down", "needs_qr", "connected", "unknown"];

/** The states in which a session does not work, as `GET /up` counts them. */
const DOWN = new Set(["lost", "reported_down", "needs_qr"]);

/** The state of a report. A proxy of an earlier version gives none: then only a correction is known. */
export function stateOf(report) {
  if (STATES.includes(report.state)) return report.state;
  return report.shows === "disconnected" ? "lost" : "unknown";
}

/** Whether a session in this state does not work. */
export function isDown(state) {
  return DOWN.has(state);
}

/** How many of the reports are in each state. */
export function countStates(reports) {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const report of reports) counts[stateOf(report)] += 1;
  return counts;
}

/** How many of these do not work. */
export function countDown(counts) {
  return STATES.reduce((sum, state) => sum + (isDown(state) ? counts[state] : 0), 0);
}

/** The word that the channel list shows, or will show, for a session; null where none is known. */
export function listWord(report) {
  return report.list_shows ?? (report.shows === "disconnected" ? report.reads : null) ?? null;
}
