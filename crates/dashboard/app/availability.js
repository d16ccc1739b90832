// How available a service was: strips of a day to a quarter, and each incident with what it was
// about.

import { useEffect, useState } from "preact/hooks";
import { json } from "./api.js";
import { Failed, SLOW, useDocument, useTick } from "./documents.js";
import { Chain } from "./events.js";
import { Age, Clock, Evidence, Mood, Note, Panel, html } from "./parts.js";
import { Strip, moodOfState, wordOf } from "./strip.js";
import { between, plain, span } from "./text.js";

/** Windows with the words of people and the parts of their strips. */
const WINDOWS = { "24h": ["24 hours", 96], "7d": ["7 days", 84], "30d": ["30 days", 90], "90d": ["90 days", 90] };
/** Events that are shown of an incident. */
const FOLLOWED = 30;
/** Incidents that are shown at first. */
const SHOWN = 8;

/** A ratio, never rounded up to all. */
function percent(ratio) {
  if (ratio === null) return "–";
  return ratio === 1 ? "100 %" : `${(Math.floor(ratio * 100_000) / 1000).toFixed(3)} %`;
}

/** What an incident followed from, and what happened in it. */
function Story({ id, incident }) {
  const [story, setStory] = useState({});
  useEffect(() => {
    const until = incident.to ? `&until=${encodeURIComponent(incident.to)}` : "";
    const during = `v1/services/${encodeURIComponent(id)}/events?order=oldest&limit=${FOLLOWED}&since=${encodeURIComponent(incident.from)}${until}`;
    Promise.all([json(`v1/events?causes_of=${incident.event}`), json(during)]).then(
      ([causes, events]) => setStory({ causes: causes.items, events: events.items, more: events.next !== null }),
      (error) => setStory({ error }));
  }, [incident.event, incident.to]);
  if (story.error) return html`<${Failed} error=${story.error} />`;
  if (!story.events) return html`<${Note}>Loading …<//>`;
  return html`
    ${story.causes.length > 0 && html`<h3>It began with</h3><${Chain} events=${story.causes} />`}
    <h3>What happened until it was over</h3><${Chain} events=${story.events} />
    ${story.more && html`<${Note}>The first ${FOLLOWED} events are shown.<//>`}`;
}

function Incident({ id, incident, isOpen, onToggle }) {
  return html`<details class="incident" id=${`incident-${incident.event}`} open=${isOpen} onToggle=${(event) => onToggle(event.currentTarget.open)}>
    <summary><${Mood} mood=${moodOfState(incident.worst)} word=${wordOf(incident.worst)} />
      <span class="when"><${Clock} at=${incident.from} /> ${incident.to ? html`for ${between(incident.from, incident.to)}` : html`<b>and goes on, for <${Age} since=${incident.from} /></b>`}</span>
      <bdi>${plain(incident.reason, 300)}</bdi></summary>
    ${isOpen && html`<div class="story">
      <${Evidence} lines=${incident.printed} label="What was printed then" /><${Story} id=${id} incident=${incident} /></div>`}
  </details>`;
}

export function Availability({ id }) {
  const [window, setWindow] = useState("24h");
  const [opened, setOpened] = useState(null);
  const [all, setAll] = useState(false);
  const due = useTick(60_000);
  const base = `v1/services/${encodeURIComponent(id)}`;
  const { value, error } = useDocument(`${base}/availability`, { of: id, due, pace: SLOW });
  const [words, parts] = WINDOWS[window];
  const strip = useDocument(`${base}/timeline?window=${window}&buckets=${parts}`, { of: id, due, pace: SLOW });
  if (!value) return error && html`<${Panel} title="Availability" source=${`${base}/availability`}><${Failed} error=${error} /><//>`;
  const shown = value.windows.find((it) => it.window === window);
  const incidents = value.incidents.filter((it) => it.to === null || it.to >= shown.from);
  const pick = (run) => {
    const found = incidents.find((it) => it.from <= run.to && (it.to === null || it.to >= run.from));
    if (!found) return;
    setAll(true);
    setOpened(found.event);
    requestAnimationFrame(() => document.getElementById(`incident-${found.event}`)?.scrollIntoView({ block: "nearest" }));
  };
  const choice = ([name, [text]]) => html`<button key=${name} type="button" aria-pressed=${name === window ? "true" : "false"} onClick=${() => setWindow(name)}>
    ${text} <b>${percent(value.windows.find((it) => it.window === name)?.ratio ?? null)}</b></button>`;
  const unknown = shown.states_ms.unknown ?? 0;
  return html`<${Panel} title="Availability" source=${`${base}/availability`}>
    <div class="windows" role="group" aria-label="Window">${Object.entries(WINDOWS).map(choice)}</div>
    <${Strip} timeline=${strip.value} window=${words} onPick=${pick} />
    <div class="scale" aria-hidden="true"><span>${words} ago</span><span>now</span></div>
    <${Note}>Available for ${span(shown.available_ms)} of the ${span(shown.expected_ms)} in which it should have been.
      ${unknown > 0 && ` Unknown for ${span(unknown)}.`}${shown.not_recorded_ms > 0 && ` ${span(shown.not_recorded_ms)} are before the first record.`}
      ${value.partial && " Earlier events could not be read."}<//>
    ${incidents.length === 0 ? html`<${Note}>No incident.<//>` : html`
      <h3>${incidents.length} ${incidents.length === 1 ? "incident" : "incidents"}</h3>
      <div class="incidents">${(all ? incidents : incidents.slice(0, SHOWN)).map((incident) => html`<${Incident} key=${incident.event} id=${id} incident=${incident}
        isOpen=${opened === incident.event} onToggle=${(open) => setOpened((old) => (open ? incident.event : old === incident.event ? null : old))} />`)}</div>
      ${!all && incidents.length > SHOWN && html`<button type="button" onClick=${() => setAll(true)}>Show all ${incidents.length}</button>`}`}
  <//>`;
}
