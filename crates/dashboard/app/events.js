// Events: what happened, the newest first, each with what it follows from.

import { computed, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { json } from "./api.js";
import { moodOfSeverity } from "./mood.js";
import { fold, isOver } from "./incidents.js";
import { Age, Clock, Evidence, Mood, Note, Source, html, placeOf } from "./parts.js";
import { events, loadOlder, now, older } from "./store.js";
import { between, plain } from "./text.js";

/** Events that the Supervisor shows of a chain at most. */
const CHAIN = 32;

/** What an event follows from, step by step. */
async function causesOf({ cause }) {
  if (cause === null) return [];
  const { items } = await json(`v1/events?causes_of=${cause}`);
  const first = items.length > 0 ? items.at(-1).cause : cause;
  return first === null || items.length >= CHAIN ? items : [...items, { seq: first, message: "is not in the record any more" }];
}

/** Events, one line each. */
export const Chain = ({ events }) => html`<ol class="chain">${events.map((event) => html`
  <li key=${event.seq}>${event.time && html`<span class="dim"><${Clock} at=${event.time} /></span> `}${event.type && html`<span class="code">${event.type}</span> `}<bdi>${plain(event.message)}</bdi>
    <span class="dim"> #${event.seq}</span></li>`)}</ol>`;

const written = (value) => (Array.isArray(value) ? value.join("\n") : typeof value === "string" ? value : JSON.stringify(value));

function Causes({ event }) {
  const [causes, setCauses] = useState(null);
  const toggle = async ({ currentTarget: { open } }) => {
    if (open && causes === null) setCauses(await causesOf(event).catch(() => []));
  };
  const data = Object.entries(event.data ?? {});
  if (event.cause === null && data.length === 0) return null;
  return html`<details class="causes" onToggle=${toggle}>
    <summary>${event.cause === null ? "Details" : "Cause and details"}</summary>
    ${causes?.length > 0 && html`<${Chain} events=${causes} />`}
    ${data.length > 0 && html`<dl class="data">${data.map(([key, value]) => html`
      <div key=${key} class=${Array.isArray(value) ? "wide" : ""}><dt>${plain(key)}</dt><dd>${Array.isArray(value) ? html`<${Evidence} lines=${value.map(written)} label=${key} />` : html`<bdi>${plain(written(value))}</bdi>`}</dd></div>`)}</dl>`}
  </details>`;
}

/** What a message says of its service, without its name, which is shown beside it. */
function about({ service, message }) {
  const rest = service !== null && message.startsWith(service) ? message.slice(service.length) : message;
  return plain(/^(: | )/.test(rest) ? rest.replace(/^:? /, "") : message);
}

const Event = ({ event, within }) => html`
  <li class=${`event ${moodOfSeverity(event.severity)}`}>
    <${Clock} at=${event.time} />
    <${Mood} mood=${moodOfSeverity(event.severity)} word=${event.severity} />
    <span class="what"><span class="code">${event.type}</span>
      ${event.service && event.service !== within && html` <a href=${placeOf(event.service)}><bdi>${plain(event.service, 200)}</bdi></a>`}
      <bdi class="message">${about(event)}</bdi>
      <${Causes} event=${event} /></span>
  </li>`;

function Fold({ incident, within }) {
  const [open, setOpen] = useState(false);
  const { service, events, from, reason } = incident;
  const to = isOver(incident, now.value) ? incident.to : null;
  return html`<li class=${`event fold ${to ? "" : "failing"}`}>
    <${Clock} at=${from} /><${Mood} mood=${to ? "warning" : "failing"} word=${to ? "over" : "goes on"} />
    <div class="what">${service !== within && html`<a href=${placeOf(service)}><bdi>${plain(service, 200)}</bdi></a>`}
    <details onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary><span class="code">incident</span>
        ${to ? html` <b>for ${between(from, to)}</b>` : html` <b>for <${Age} since=${from} /></b>`}, ${events.length} events: <bdi>${about({ service, message: reason })}</bdi></summary>
      ${open && html`<ol class="events">${events.map((event) => html`<${Event} key=${event.seq} event=${event} within=${service} />`)}</ol>`}
    </details></div></li>`;
}

/** Events of a page or a service, those of one incident as one line. */
export const EventList = ({ items, within, flat }) => html`
  <ol class="events">${(flat ? items.map((event) => ({ key: event.seq, event })) : fold(items)).map(({ key, event, ...incident }) => (event
    ? html`<${Event} key=${key} event=${event} within=${within} />` : html`<${Fold} key=${key} incident=${incident} within=${within} />`))}</ol>`;

const typed = signal("");
const topic = signal("");
const least = signal("");
const flat = signal(false);
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
      <label><input type="checkbox" checked=${!flat.value} onChange=${(event) => { flat.value = !event.currentTarget.checked; }} /> Fold incidents</label>
      <input id="search" type="search" placeholder="Filter  ( / )" aria-label="Filter events" value=${typed.value} onInput=${pick(typed)} />
    </div>
    ${shown.value.length > 0 ? html`<div class="panel flush"><${EventList} items=${shown.value} flat=${flat.value} /></div>` : html`<${Note}>No event is like this.<//>`}
    <p class="note">${shown.value.length} events
      ${older.value && html`<button type="button" onClick=${() => loadOlder().catch(() => {})}>Load older ones</button>`}
      <${Source} path="v1/events" /></p>`;
}
