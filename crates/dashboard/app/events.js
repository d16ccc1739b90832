// Events: what happened, the newest first, each with what it follows from.

import { computed, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { json } from "./api.js";
import { moodOfSeverity } from "./mood.js";
import { Clock, Mood, Note, Source, html, placeOf } from "./parts.js";
import { events, loadOlder, older } from "./store.js";
import { plain } from "./text.js";

/** Causes that are shown of one event. */
const CHAIN = 8;

/** The event of a number, from the page or from the record. */
async function find(seq) {
  const known = events.value.find((event) => event.seq === seq);
  if (known) return known;
  const { items } = await json(`v1/events?limit=1&cursor=n${seq + 1}`);
  return items[0]?.seq === seq ? items[0] : null;
}

/** What an event follows from, step by step. */
async function causesOf({ cause }) {
  const causes = [];
  for (let seq = cause; seq !== null && causes.length < CHAIN;) {
    const event = await find(seq).catch(() => null);
    causes.push(event ?? { seq, message: "is not in the record any more" });
    seq = event?.cause ?? null;
  }
  return causes;
}

function Causes({ event }) {
  const [causes, setCauses] = useState(null);
  const toggle = async ({ currentTarget: { open } }) => {
    if (open && causes === null) setCauses(await causesOf(event));
  };
  const data = Object.entries(event.data ?? {});
  if (event.cause === null && data.length === 0) return null;
  return html`<details class="causes" onToggle=${toggle}>
    <summary>${event.cause === null ? "Details" : "Cause and details"}</summary>
    ${causes?.length > 0 && html`<ol class="chain">${causes.map((cause) => html`
      <li key=${cause.seq}>${cause.type && html`<span class="code">${cause.type}</span>`} <bdi>${plain(cause.message)}</bdi>
        ${cause.time && html` <span class="dim"><${Clock} at=${cause.time} /></span>`} <span class="dim">#${cause.seq}</span></li>`)}</ol>`}
    ${data.length > 0 && html`<dl class="data">${data.map(([key, value]) => html`
      <div key=${key}><dt>${plain(key)}</dt><dd><bdi>${plain(typeof value === "string" ? value : JSON.stringify(value))}</bdi></dd></div>`)}</dl>`}
  </details>`;
}

const Event = ({ event, within }) => html`
  <li class=${`event ${moodOfSeverity(event.severity)}`}>
    <${Clock} at=${event.time} />
    <${Mood} mood=${moodOfSeverity(event.severity)} word=${event.severity} />
    <span class="what"><span class="code">${event.type}</span>
      ${event.service && event.service !== within && html` <a href=${placeOf(event.service)}><bdi>${plain(event.service, 200)}</bdi></a>`}
      <bdi class="message">${plain(event.message)}</bdi>
      <${Causes} event=${event} /></span>
  </li>`;

/** Events of a page or a service. */
export const EventList = ({ items, within }) => html`
  <ol class="events">${items.map((event) => html`<${Event} key=${event.seq} event=${event} within=${within} />`)}</ol>`;

const typed = signal("");
const topic = signal("");
const least = signal("");
const RANK = { info: 0, warning: 1, error: 2 };

const topics = computed(() => [...new Set(events.value.map((event) => event.topic))].sort());

const shown = computed(() => {
  const words = typed.value.toLowerCase().split(/\s+/).filter(Boolean);
  return events.value.filter((event) => {
    const text = `${event.type} ${event.service ?? ""} ${event.message}`.toLowerCase();
    return (topic.value === "" || event.topic === topic.value)
      && RANK[event.severity] >= (RANK[least.value] ?? 0)
      && words.every((word) => text.includes(word));
  });
});

const pick = (signal) => (event) => { signal.value = event.currentTarget.value; };

export function Events() {
  return html`
    <h1>Events</h1>
    <div class="bar filters">
      <label>Topic <select value=${topic.value} onChange=${pick(topic)}><option value="">all</option>
        ${topics.value.map((word) => html`<option key=${word} value=${word}>${word}</option>`)}</select></label>
      <label>At least <select value=${least.value} onChange=${pick(least)}>
        ${["info", "warning", "error"].map((word) => html`<option key=${word} value=${word === "info" ? "" : word}>${word}</option>`)}</select></label>
      <input id="search" type="search" placeholder="Filter  ( / )" aria-label="Filter events" value=${typed.value} onInput=${pick(typed)} />
    </div>
    ${shown.value.length > 0 ? html`<div class="panel flush"><${EventList} items=${shown.value} /></div>` : html`<${Note}>No event is like this.<//>`}
    <p class="note">${shown.value.length} events
      ${older.value && html`<button type="button" onClick=${() => loadOlder().catch(() => {})}>Load older ones</button>`}
      <${Source} path="v1/events" /></p>`;
}
