// The Supervisor itself, and what of it needs an operator.

import { signal } from "@preact/signals";
import { json } from "./api.js";
import { Failed, useDocument, useTick } from "./documents.js";
import { Age, Clock, Fact, Mood, Note, Panel, html } from "./parts.js";
import { bytes, plain, span } from "./text.js";

/** The figures have no events: they are read each so often while the page can be seen. */
const EACH = 10_000;
const PATH = "v1/supervisor";
const MOODS = { fail: "failing", warn: "warning", ok: "fine" };
const WORDS = { fail: "Fails", warn: "Look at it", ok: "Fine" };

/** Name of the machine; empty until it is known. */
export const host = signal("");

/** What needs an operator, for every page. */
export const needed = signal([]);

const read = async (path, options) => {
  const value = await json(path, options);
  host.value = value.hostname;
  needed.value = value.conditions.filter((it) => it.status !== "ok");
  return value;
};

/** Reads the conditions of the Supervisor. */
export const readConditions = () => read(PATH).catch(() => {});

/** What the conditions are about, in words that fit when all is well too. */
const TITLES = {
  clock_jumped: "Clock of the machine",
  disk_hangs: "Disk of the state files",
  disk_low: "Room on the disk",
  insecure_listen: "Access to the ports",
  journal_lossy: "Journal of events",
  peer_unresolved: "Peers",
  ring_key_missing: "Encryption of the ring",
};

/** A condition in words. */
export const titleOf = ({ type }) => TITLES[type] ?? type.replaceAll("_", " ");

const RANK = { fail: 0, warn: 1, ok: 2 };

const Condition = ({ item }) => html`<li class="condition">
  <${Mood} mood=${MOODS[item.status]} word=${WORDS[item.status]} />
  <div><b>${titleOf(item)}</b> <span class="code">${item.type}</span>${item.reason && html` <code><bdi>${plain(item.reason)}</bdi></code>`}
    ${item.message && html`<p><bdi>${plain(item.message)}</bdi></p>`}</div>
  <span class="dim">for <${Age} since=${item.since} /></span></li>`;

const Process = ({ name, process }) => html`<${Fact} name=${name}>${process
  ? html`process ${process.pid}, ${bytes(process.resident_bytes)}, ${(process.cpu_ms / 1000).toFixed(1)} s of CPU, ${process.threads} threads${process.descriptors !== null && `, ${process.descriptors}${process.descriptors_max === null ? "" : ` of ${process.descriptors_max}`} descriptors`}`
  : html`<span class="dim">not known</span>`}<//>`;

export function Supervisor() {
  const { value, error } = useDocument(PATH, { due: useTick(EACH), read });
  if (!value) return error ? html`<h1>Supervisor</h1><${Failed} error=${error} />` : html`<${Note}>Loading …<//>`;
  const conditions = value.conditions.toSorted((a, b) => RANK[a.status] - RANK[b.status] || (a.type < b.type ? -1 : 1));
  return html`<h1><bdi>${plain(value.hostname)}</bdi></h1>
    <${Panel} title="Conditions" source=${PATH}><ul class="conditions">${conditions.map((item, at) => html`<${Condition} key=${`${item.type} ${at}`} item=${item} />`)}</ul><//>
    <${Panel} title="Supervisor" source=${PATH}><dl class="facts">
      <${Fact} name="Version">${plain(value.version)}<//>
      <${Fact} name="Runs since"><${Clock} at=${value.started_at} />, for ${span(value.uptime_s * 1000)}<//>
      <${Fact} name="Member of the ring"><code><bdi>${plain(value.member_id)}</bdi></code><//>
      <${Fact} name="Address"><bdi>${plain(value.ip)}</bdi><//>
      <${Fact} name="Listens on">${Object.entries(value.addresses).map(([name, address]) => `${name} ${address}`).join(", ")}<//>
      ${value.services && html`<${Fact} name="Services">${value.services.loaded} loaded, ${value.services.up} up; health: ${value.services.ok} ok, ${value.services.warning} warning, ${value.services.critical} critical, ${value.services.unknown} unknown<//>`}
      <${Process} name="Supervisor" process=${value.supervisor} />
      <${Process} name="Launcher" process=${value.launcher} />
    </dl><//>`;
}
