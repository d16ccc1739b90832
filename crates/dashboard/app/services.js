// The page of all services: failing ones first, filtered as one types.

import { computed, signal } from "@preact/signals";
import { Component } from "preact";
import { figuresOf, useFigures } from "./figures.js";
import { ORDER, WORDS, mood, moodOfHealth } from "./mood.js";
import { Age, Mood, Note, Shape, Source, html, placeOf } from "./parts.js";
import { services, sorted } from "./store.js";
import { DayStrip } from "./strip.js";
import { needed, titleOf } from "./supervisor.js";
import { bytes, plain } from "./text.js";
import { percent } from "./usage.js";

const typed = signal("");
/** The mood that is shown alone, or nothing. */
const only = signal(null);

const counts = computed(() => {
  const counts = Object.fromEntries(Object.keys(ORDER).map((word) => [word, 0]));
  for (const service of sorted.value) counts[mood(service)] += 1;
  return counts;
});

const shown = computed(() => {
  const words = typed.value.toLowerCase().split(/\s+/).filter(Boolean);
  return sorted.value.filter((service) => {
    const text = `${service.id} ${service.package} ${service.state} ${service.health} ${service.why ?? ""}`.toLowerCase();
    return (only.value === null || mood(service) === only.value) && words.every((word) => text.includes(word));
  });
});

/** One sentence about all services. */
const headline = computed(() => {
  const { failing, warning, changing } = counts.value;
  const many = (count, word) => `${count} service${count === 1 ? "" : "s"} ${word}`;
  if (failing > 0) return many(failing, failing === 1 ? "needs help" : "need help");
  if (warning > 0) return many(warning, warning === 1 ? "is not quite well" : "are not quite well");
  if (changing > 0) return many(changing, changing === 1 ? "is changing" : "are changing");
  return "All services are as they should be";
});

const worst = computed(() => Object.keys(ORDER).find((word) => counts.value[word] > 0) ?? "stopped");

function Chip({ word }) {
  const count = counts.value[word];
  const pressed = only.value === word;
  return (count > 0 || pressed) && html`
    <button type="button" class=${`chip ${word}`} aria-pressed=${pressed ? "true" : "false"}
      onClick=${() => { only.value = pressed ? null : word; }}>
      <${Shape} mood=${word} /><b>${count}</b> ${WORDS[word].toLowerCase()}
    </button>`;
}

/** Figures of a service; they follow their signal, and the row is not drawn again. */
function Figures({ id }) {
  const { value } = figuresOf(id);
  return html`<td data-label="CPU" class="number">${value ? percent(value.cpu) : html`<span class="dim">–</span>`}</td>
    <td data-label="Memory" class="number">${value ? bytes(value.memory) : html`<span class="dim">–</span>`}</td>`;
}

class Row extends Component {
  shouldComponentUpdate({ service }) {
    return service !== this.props.service;
  }

  render({ service }) {
    return html`
  <tr class=${mood(service)}>
    <td class="lead"><${Mood} mood=${mood(service)} /><small>${service.state.replaceAll("_", " ")} for <${Age} since=${service.since} /></small></td>
    <th scope="row"><a href=${placeOf(service.id)}><bdi>${plain(service.id, 200)}</bdi></a>
      <small title=${plain(service.package, 200)}><bdi>${plain(service.package, 200)}</bdi></small></th>
    <td data-label="Health"><${Mood} mood=${moodOfHealth(service.health)} word=${service.health} />
      ${service.health_since && html`<small>for <${Age} since=${service.health_since} /></small>`}</td>
    <td data-label="Restarts" class="number">${service.restarts.total}</td>
    <${Figures} id=${service.id} />
    <td data-label="Last 24 h" class="day"><${DayStrip} id=${service.id} /></td>
    <td data-label="Why" class="why">${service.why ? html`<bdi>${plain(service.why, 400)}</bdi>` : html`<span class="dim">–</span>`}</td>
  </tr>`;
  }
}

/** What of the Supervisor needs an operator. */
const Needed = () => needed.value.length > 0 && html`
  <p class="needed"><${Shape} mood=${needed.value.some((it) => it.status === "fail") ? "failing" : "warning"} />
    <a href="#/supervisor">The Supervisor itself needs a look</a>: ${[...new Set(needed.value.map(titleOf))].join(", ").toLowerCase()}.</p>`;

export function Services() {
  useFigures();
  if (services.value === null) return html`<${Note}>Loading …<//>`;
  if (services.value.length === 0) {
    return html`<h1>No service is loaded</h1>
      <${Note}>Load one with <code>hab svc load ORIGIN/NAME</code>, or run a directory with <code>hab sup run DIRECTORY</code>.<//>`;
  }
  const rows = shown.value;
  return html`
    <h1 class=${`headline ${worst.value}`}><${Shape} mood=${worst.value} /> ${headline.value}</h1>
    <${Needed} />
    <div class="bar filters">
      <div class="chips" role="group" aria-label="Show only">${Object.keys(ORDER).map((word) => html`<${Chip} key=${word} word=${word} />`)}</div>
      <input id="search" type="search" placeholder="Filter  ( / )" aria-label="Filter services" value=${typed.value}
        onInput=${(event) => { typed.value = event.currentTarget.value; }} />
    </div>
    <table class="services">
      <thead><tr><th scope="col">Status</th><th scope="col">Service</th><th scope="col">Health</th>
        <th scope="col" class="number">Restarts</th><th scope="col" class="number">CPU</th><th scope="col" class="number">Memory</th><th scope="col">Last 24 h</th><th scope="col">Why</th></tr></thead>
      <tbody>${rows.map((service) => html`<${Row} key=${service.id} service=${service} />`)}</tbody>
    </table>
    <p class="note" role="status">${rows.length === services.value.length ? "" : `${rows.length} of `}${services.value.length} ${services.value.length === 1 ? "service" : "services"}
      <${Source} path="v1/services" /></p>`;
}
