// The ring as this Supervisor sees it.

import { useState } from "preact/hooks";
import { Failed, useDocument, useTick } from "./documents.js";
import { Groups } from "./groups.js";
import { Age, Mood, Note, Shape, Source, html, placeOf } from "./parts.js";
import { RING, services } from "./store.js";
import { plain } from "./text.js";

const PATH = "v1/ring/members";
/** Members that are shown. */
const SHOWN = 1000;
/** Contacts have no events: they are read each so often while the page can be seen. */
const EACH = 10_000;

const MOODS = { alive: "fine", suspect: "warning", confirmed: "failing", departed: "stopped" };
const WORDS = { alive: "Alive", suspect: "Suspect", confirmed: "Dead", departed: "Departed" };
const ORDER = { confirmed: 0, suspect: 1, alive: 2, departed: 3 };

/** From whom a state is known. */
const SOURCES = {
  own: "this Supervisor", direct: "the member itself", probe: "a probe of this Supervisor", news: "another member",
  timeout: "the time that is allowed", command: "a command", replaced: "a new member in its place", data_file: "an earlier process of this Supervisor",
};

const known = (id) => services.value?.some((service) => service.id === id);

function Member({ member }) {
  const { id, hostname, state, since, own, source, reported_by: by } = member;
  return html`<tr class=${MOODS[state]}>
    <td class="lead"><${Mood} mood=${MOODS[state]} word=${WORDS[state] ?? state} />${since && html`<small>for <${Age} since=${since} /></small>`}</td>
    <th scope="row"><bdi>${plain(hostname ?? id, 200)}</bdi>${own && html` <span class="layer">this one</span>`}
      <small title=${plain(id)}><code><bdi>${plain(id, 60)}</bdi></code></small></th>
    <td data-label="Address">${member.address ? html`<bdi>${plain(member.address)}</bdi>:${member.gossip_port}` : html`<span class="dim">–</span>`}</td>
    <td data-label="Round trip" class="number">${member.round_trip_ms === null ? html`<span class="dim">–</span>` : `${member.round_trip_ms.toFixed(1)}\u00a0ms`}</td>
    <td data-label="Heard" class="number"><${Age} since=${member.last_heard} /></td>
    <td data-label="Known from">${SOURCES[source] ?? source}${by && html`<small><code><bdi>${plain(by, 60)}</bdi></code></small>`}</td>
    <td data-label="Services" class="why">${member.services.length === 0 ? html`<span class="dim">–</span>` : member.services.map((group, at) => html`${at > 0 && ", "}${
      own && known(group) ? html`<a href=${placeOf(group)}><bdi>${plain(group, 200)}</bdi></a>` : html`<bdi>${plain(group, 200)}</bdi>`}`)}</td>
  </tr>`;
}

function headline(members) {
  const silent = members.filter((it) => it.state === "suspect" || it.state === "confirmed").length;
  const present = members.filter((it) => it.state !== "departed").length;
  if (silent > 0) return { mood: members.some((it) => it.state === "confirmed") ? "failing" : "warning", text: `${silent} of ${present} members ${silent === 1 ? "does" : "do"} not answer` };
  return { mood: "fine", text: present === 1 ? "This Supervisor is alone in its ring" : `All ${present} members are alive` };
}

export function Ring() {
  const due = useTick(EACH);
  const { value, error } = useDocument(`${PATH}?limit=${SHOWN}`, { of: RING, due });
  const [typed, setTyped] = useState("");
  if (!value) return error ? html`<h1>Ring</h1><${Failed} error=${error} />` : html`<${Note}>Loading …<//>`;
  const { mood, text } = headline(value.items);
  const wanted = typed.toLowerCase();
  const members = value.items
    .filter((it) => [it.id, it.hostname, it.state, it.address, ...it.services].join(" ").toLowerCase().includes(wanted))
    .sort((a, b) => ORDER[a.state] - ORDER[b.state] || ((a.hostname ?? a.id) < (b.hostname ?? b.id) ? -1 : 1));
  return html`
    <h1 class=${`headline ${mood}`}><${Shape} mood=${mood} /> ${text}</h1>
    <div class="bar filters"><input id="search" type="search" placeholder="Filter  ( / )" aria-label="Filter members" value=${typed} onInput=${(event) => setTyped(event.currentTarget.value)} /></div>
    <table class="services members">
      <thead><tr><th scope="col">State</th><th scope="col">Member</th><th scope="col">Address</th><th scope="col" class="number">Round trip</th>
        <th scope="col" class="number">Heard</th><th scope="col">Known from</th><th scope="col">Services</th></tr></thead>
      <tbody>${members.map((member) => html`<${Member} key=${member.id} member=${member} />`)}</tbody>
    </table>
    <p class="note" role="status">${members.length === value.items.length ? "" : `${members.length} of `}${value.items.length} ${value.items.length === 1 ? "member" : "members"}${value.next && `; the first ${SHOWN} are shown`}
      <${Source} path=${PATH} /></p>
    <${Groups} due=${due} />`;
}
