// How a service is, in one of five words, each with a shape and a colour.

/** Places in lists, the worst first. */
export const ORDER = { failing: 0, warning: 1, changing: 2, fine: 3, stopped: 4 };

/** What people read. */
export const WORDS = {
  failing: "Failing",
  warning: "Warning",
  changing: "Changing",
  fine: "Fine",
  stopped: "Stopped",
};

/** Time for which a service that is up again after a failure still counts as failing. */
const PROVEN = 30_000;

/** Milliseconds until a service that started after a failure has proven itself; 0 when it need not. */
export const unproven = ({ state, desired, restarts, since }) =>
  (state === "up" && desired === "up" && restarts.total > 0 ? Math.max(0, Date.parse(since) + PROVEN - Date.now()) : 0);

/** The mood of a service, from its summary. One that is up and has a reason not to be well is not fine. */
export function mood(service) {
  const { state, desired, health, why, restarts } = service;
  if (desired === "down") return state === "down" ? "stopped" : "changing";
  if (["failed", "backing_off", "blocked", "down"].includes(state)) return "failing";
  // Between two failures it is not better than in them.
  if (state === "starting" && restarts.total > 0) return "failing";
  if (state !== "up") return "changing";
  if (unproven(service) > 0) return "failing";
  if (health === "ok" && why) return "warning";
  return { ok: "fine", warning: "warning", critical: "failing" }[health] ?? "warning";
}

/** The mood of a result of a health check. */
export const moodOfHealth = (health) =>
  ({ ok: "fine", warning: "warning", critical: "failing" })[health] ?? "unknown";

/** The mood of an event. */
export const moodOfSeverity = (severity) =>
  ({ error: "failing", warning: "warning" })[severity] ?? "info";
