// What the Supervisor reports, kept up to date by one stream of events.

import { computed, signal } from "@preact/signals";
import { describe, json, lines, lock, locked } from "./api.js";
import { mood, ORDER, unproven } from "./mood.js";

/** Summaries of the services as they were loaded last; null before that. */
export const services = signal(null);

/** Events, the newest first. */
export const events = signal([]);

/** The cursor of events older than these; null when there are none. */
export const older = signal(null);

/** "connecting", "live" or "lost". */
export const link = signal("connecting");

/** Rises with each connection. */
export const connected = signal(0);

/** When the Supervisor last confirmed what is shown, in milliseconds. */
export const confirmed = signal(0);

/** The clock of the page. */
export const now = signal(Date.now());

/** The services, failing ones first. */
export const sorted = computed(() =>
  (services.value ?? []).toSorted((a, b) =>
    ORDER[mood(a)] - ORDER[mood(b)] || (a.id < b.id ? -1 : 1)));

/** What changes with the ring; not a service group. */
export const RING = " ring";
const OF_RING = ["member", "election", "leader"];

const changes = new Map();

/** A number that rises each time that a service may have changed. */
export function changesOf(id) {
  if (!changes.has(id)) changes.set(id, signal(0));
  return changes.get(id);
}

/** What is about one service may be another from here on; without ids, what is about any. */
function bump(ids = changes.keys()) {
  for (const id of ids) {
    const change = changes.get(id);
    if (change) change.value += 1;
  }
}

/** Events that the page keeps. */
const KEPT = 1000;
const FIRST_PAGE = 200;
/** The Supervisor sends a sign of life each 15 s. */
const SILENCE = 25_000;
/** A snapshot can be published a moment after its event. */
const SETTLE = 400;
/** Loading and drawing the list takes one part in so many of a core at most. */
const SHARE = 12;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function load() {
  const items = [];
  let cursor = null;
  do {
    const page = await json(`v1/services?limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  const begun = performance.now();
  const former = new Map((services.value ?? []).map((service) => [service.id, service]));
  // What did not change stays the same object, and is not drawn again.
  const kept = items.map((item) => {
    const old = former.get(item.id);
    return old && JSON.stringify(old) === JSON.stringify(item) ? old : item;
  });
  const isSame = kept.length === former.size && kept.every((item, at) => services.value[at] === item);
  if (services.value === null || !isSame) services.value = kept;
  prove();
  confirmed.value = Date.now();
  await new Promise((drawn) => setTimeout(drawn));
  return performance.now() - begun;
}

let proving;

/** Shows a service that has stayed up for a while after a failure in its new mood. */
function prove() {
  clearTimeout(proving);
  const waits = services.value.map(unproven);
  const next = Math.min(...waits.filter((ms) => ms > 0));
  if (next === Infinity) return;
  proving = setTimeout(() => {
    services.value = services.value.map((service, at) => (waits[at] > 0 ? { ...service } : service));
    prove();
  }, next + 10);
}

let loading = null;
let again = false;

/** Loads the services; calls during a load cause one more. */
function refresh() {
  again = true;
  loading ??= (async () => {
    try {
      while (again) {
        again = false;
        const took = await load();
        if (again) await sleep(took * SHARE);
      }
    } finally {
      loading = null;
    }
  })();
  return loading;
}

let settle = null;
const unsettled = new Set();

/** Loads the services now, and once more when a snapshot has followed the events. */
function changed(ids) {
  refresh().catch(() => {});
  bump(ids);
  for (const id of ids ?? changes.keys()) unsettled.add(id);
  settle ??= setTimeout(() => {
    settle = null;
    refresh().catch(() => {});
    bump(unsettled);
    unsettled.clear();
  }, SETTLE);
}

let last = null;

function take(arrived) {
  confirmed.value = Date.now();
  const fresh = arrived.filter((event) => event.type);
  for (const { seq, gap } of arrived) last = seq ?? gap?.last ?? last;
  if (fresh.length > 0) events.value = [...fresh.toReversed(), ...events.value].slice(0, KEPT);
  const about = new Set(fresh.map((event) => event.service).filter((id) => id !== null));
  if (fresh.some((event) => OF_RING.includes(event.topic))) about.add(RING);
  if (arrived.some(({ gap }) => gap)) changed();
  else if (about.size > 0) changed(about);
}

/** Loads events older than those that the page has. */
export async function loadOlder() {
  const page = await json(`v1/events?limit=${FIRST_PAGE}&cursor=${encodeURIComponent(older.value)}`);
  const oldest = events.value.at(-1)?.seq ?? Infinity;
  events.value = [...events.value, ...page.items.filter((event) => event.seq < oldest)];
  older.value = page.next;
}

async function connect() {
  if (last === null) {
    const page = await json(`v1/events?limit=${FIRST_PAGE}`);
    events.value = page.items;
    older.value = page.next;
    last = page.last;
  }
  await lines("v1/events/stream", {
    headers: { "Last-Event-ID": String(last) },
    silence: SILENCE,
    opened: () => changed(),
    each: take,
  });
}

/** Follows the Supervisor as long as the page is open. */
export async function follow() {
  let delay = 250;
  for (;;) {
    const begun = Date.now();
    try {
      await refresh();
      await describe();
      link.value = "live";
      connected.value += 1;
      await connect();
    } catch (error) {
      // A token without the scope for the services cannot open the page; the state of the link shows the rest.
      if (error.status === 403) lock(error);
    }
    link.value = "lost";
    delay = Date.now() - begun > 10_000 ? 250 : Math.min(delay * 2, 5000);
    await sleep(delay);
    while (locked.value) await sleep(100);
  }
}

setInterval(() => { now.value = Date.now(); }, 1000);

/** Changes at midnight: times of today are shown without their date. */
export const today = computed(() => new Date(now.value).toDateString());
