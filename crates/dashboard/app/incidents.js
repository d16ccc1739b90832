// What belongs together in a list of events: from the first failure of a service to its recovery.

/** So much time without a failure ends an incident, as in the figures of availability. */
const QUIET = 30_000;

/** Whether an incident has ended: a recovery that may not last is none yet. */
export const isOver = ({ to }, now) => to !== null && now - Date.parse(to) > QUIET;

const isFailure = ({ type, severity, after }) =>
  type === "service.failed" || type === "service.blocked" || severity === "error"
  || (type === "process.exited" && severity !== "info")
  || (type === "health.changed" && after === "critical");

const isRecovery = ({ type, before, after }) =>
  type === "service.up" || type === "service.unloaded" || type === "service.down"
  || (type === "health.changed" && before === "critical" && (after === "ok" || after === "warning"));

/**
 * Events, the newest first, as entries `{ key, event }` and incidents
 * `{ key, service, events, from, to, reason }`; `to` is null while one goes on.
 */
export function fold(events) {
  const entries = [];
  const open = new Map();
  for (const event of events.toReversed()) {
    const at = Date.parse(event.time);
    let incident = open.get(event.service);
    if (incident?.to && at - Date.parse(incident.to) > QUIET) incident = undefined;
    if (event.service === null || !(incident || isFailure(event))) {
      entries.push({ key: event.seq, last: event.seq, event });
      continue;
    }
    if (!incident) {
      incident = { key: event.seq, service: event.service, from: event.time, reason: event.message, events: [] };
      open.set(event.service, incident);
      entries.push(incident);
    }
    incident.events.unshift(event);
    incident.last = event.seq;
    if (isFailure(event)) incident.to = null;
    else if (isRecovery(event)) incident.to = event.time;
  }
  // One event needs no fold.
  return entries
    .map((entry) => (entry.events?.length === 1 ? { key: entry.key, last: entry.last, event: entry.events[0] } : entry))
    .sort((a, b) => b.last - a.last);
}
