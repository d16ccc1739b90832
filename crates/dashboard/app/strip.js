// Strips: how a service was over a window, part by part. The height of a part says the same as its
// colour.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { json } from "./api.js";
import { html } from "./parts.js";
import { changesOf } from "./store.js";
import { clock } from "./text.js";

/** States, the worst first, with the words of people and the mood that they are shown in. */
const STATES = {
  failed: ["failed", "failing"],
  backing_off: ["waiting after a failure", "failing"],
  critical: ["critical", "failing"],
  blocked: ["blocked", "failing"],
  starting: ["starting", "changing"],
  stopping: ["stopping", "changing"],
  unknown: ["unknown", "unknown"],
  warning: ["warning", "warning"],
  up: ["up", "fine"],
  down: ["stopped", "stopped"],
};

/** What people read of a state. */
export const wordOf = (state) => (state === null ? "not recorded" : STATES[state]?.[0] ?? state);
/** The mood of a state. */
export const moodOfState = (state) => (state === null ? "none" : STATES[state]?.[1] ?? "unknown");
/** True for a time in which it should have been available and was not. */
export const isOutage = (state) =>
  ["failed", "backing_off", "critical", "blocked", "starting", "stopping"].includes(state);

/** Neighbouring parts of one state, as `{ state, from, to, parts }`. */
export function runs({ buckets, to }) {
  const runs = [];
  buckets.forEach(({ from, state }, at) => {
    const end = buckets[at + 1]?.from ?? to;
    const last = runs.at(-1);
    if (last?.state === state) {
      last.parts += 1;
      last.to = end;
    } else {
      runs.push({ state, from, to: end, parts: 1 });
    }
  });
  return runs;
}

/** A strip in words. */
function described(timeline, window) {
  const parts = new Map();
  for (const { state } of timeline.buckets) parts.set(state, (parts.get(state) ?? 0) + 1);
  const order = [...Object.keys(STATES), null];
  const words = order.filter((state) => parts.has(state)).map((state) => `${parts.get(state)} ${wordOf(state)}`);
  return `Last ${window} in ${timeline.buckets.length} parts: ${words.join(", ")}`;
}

const title = ({ state, from, to }) => `${wordOf(state)}, ${clock(from)} to ${clock(to)}`;

/** A strip; with `onPick`, outages are buttons. */
export function Strip({ timeline, window, onPick }) {
  if (!timeline) return html`<span class="strip" aria-hidden="true"></span>`;
  const part = (run) => {
    const shared = { key: run.from, class: `part ${moodOfState(run.state)}`, style: { flexGrow: run.parts }, title: title(run) };
    return onPick && isOutage(run.state)
      ? html`<button type="button" ...${shared} aria-label=${title(run)} onClick=${() => onPick(run)}></button>`
      : html`<span ...${shared}></span>`;
  };
  const label = described(timeline, window);
  return html`<span class="strip" role=${onPick ? "group" : "img"} aria-label=${label}>${runs(timeline).map(part)}</span>`;
}

/** Parts of a strip in a list. */
const PARTS = 48;
/** So old at most is a strip of a service that did not change. */
const KEPT_MS = 300_000;
/** So old at least is one that is loaded again. */
const LEAST_MS = 20_000;
/** Strips that are loaded at the same time. */
const AT_ONCE = 2;

const known = new Map();
const waiting = [];
let loading = 0;

function placeFor(id) {
  if (!known.has(id)) known.set(id, { timeline: signal(null), at: 0, change: -1, isWaiting: false });
  return known.get(id);
}

function loadNext() {
  while (loading < AT_ONCE && waiting.length > 0) {
    const id = waiting.shift();
    const place = placeFor(id);
    place.isWaiting = false;
    loading += 1;
    place.at = Date.now();
    json(`v1/services/${encodeURIComponent(id)}/timeline?buckets=${PARTS}`)
      .then((timeline) => { place.timeline.value = timeline; }, () => {})
      .finally(() => { loading -= 1; loadNext(); });
  }
}

/** Loads a strip unless it is new enough. */
function want(id, change) {
  const place = placeFor(id);
  const age = Date.now() - place.at;
  if (place.isWaiting || age < (place.change === change ? KEPT_MS : LEAST_MS)) return;
  place.change = change;
  place.isWaiting = true;
  waiting.push(id);
  loadNext();
}

/** The strip of the last day in a list, loaded when it comes into sight. */
export function DayStrip({ id }) {
  const element = useRef(null);
  const change = changesOf(id).value;
  useEffect(() => {
    const observer = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && want(id, change));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [id, change]);
  return html`<span ref=${element}><${Strip} timeline=${placeFor(id).timeline.value} window="24 hours" /></span>`;
}
