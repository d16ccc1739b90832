// What the processes of a service use, now and since this page shows it.

import { useEffect, useState } from "preact/hooks";
import { Failed, useDocument, useTick } from "./documents.js";
import { Lines } from "./lines.js";
import { Age, Fact, Note, Panel, html } from "./parts.js";
import { bytes, plain } from "./text.js";

/** The figures have no events: they are read each so often while the page can be seen. */
const EACH = 2000;
/** Readings that are kept of one service. */
const KEPT = 1800;

const histories = new Map();

/** The share of a core between two readings of one process tree; null when it is not known. */
export function share(older, newer) {
  const took = Date.parse(newer.at) - Date.parse(older.at);
  const used = newer.cpu_ms - older.cpu_ms;
  return took > 0 && used >= 0 && older.pid === newer.pid ? used / took : null;
}

/** A share of a core for people. */
export const percent = (value) => (value === null ? "–" : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)}\u00a0%`);

/** Adds a reading; the history is another object each time that it grows. */
function add(id, { at, pid, usage }) {
  const former = histories.get(id) ?? { times: [], cpu: [], memory: [], last: null };
  if (former.last?.at === at) return former;
  const last = { at, pid, cpu_ms: usage.cpu_ms };
  const cpu = former.last ? share(former.last, last) : null;
  const grown = (list, value) => [...list.slice(-KEPT + 1), value];
  const history = {
    times: grown(former.times, Date.parse(at) / 1000),
    cpu: grown(former.cpu, cpu),
    memory: grown(former.memory, usage.resident_bytes),
    last,
  };
  histories.set(id, history);
  return history;
}

export function Usage({ id }) {
  const path = `v1/services/${encodeURIComponent(id)}/stats`;
  const { value, error } = useDocument(path, { of: id, due: useTick(EACH) });
  const [history, setHistory] = useState(histories.get(id) ?? null);
  useEffect(() => { if (value?.usage) setHistory(add(id, value)); }, [value?.at]);
  if (!value) return error && html`<${Panel} title="Resources" source=${path}><${Failed} error=${error} /><//>`;
  const { usage } = value;
  if (!usage) return html`<${Panel} title="Resources" source=${path}><${Note}>${plain(value.why)}<//><//>`;
  return html`<${Panel} title="Resources" source=${path}>
    ${history?.times.length > 1 && html`<div class="pair">
      <${Lines} title="CPU, of a core" times=${history.times} values=${history.cpu} form=${percent} now=${percent(history.cpu.at(-1))} />
      <${Lines} title="Memory" times=${history.times} values=${history.memory} form=${bytes} now=${bytes(usage.resident_bytes)} /></div>`}
    <dl class="facts">
      <${Fact} name="CPU time">${(usage.cpu_ms / 1000).toFixed(1)} s<//>
      <${Fact} name="Processes">${usage.processes}, ${usage.threads} threads<//>
      ${usage.descriptors && html`<${Fact} name="Descriptors">${usage.descriptors.open}${usage.descriptors.fullest?.limit && `, at most ${usage.descriptors.fullest.open} of ${usage.descriptors.fullest.limit} in one process`}<//>`}
      ${usage.io && html`<${Fact} name="Disk">${bytes(usage.io.read_bytes)} read, ${bytes(usage.io.written_bytes)} written<//>`}
      ${usage.cgroup && html`<${Fact} name="Memory of its control group">${usage.cgroup.memory_bytes === null ? "–" : bytes(usage.cgroup.memory_bytes)}${usage.cgroup.memory_max_bytes !== null && ` of ${bytes(usage.cgroup.memory_max_bytes)}`}${usage.cgroup.oom_kills > 0 && `, ${usage.cgroup.oom_kills} kills for want of memory`}<//>`}
      ${usage.listening?.length > 0 && html`<${Fact} name="Listens on">${usage.listening.map(({ protocol, ip, port }) => `${protocol} ${ip.includes(":") ? `[${ip}]` : ip}:${port}`).join(", ")}<//>`}
    </dl>
    <${Note}>Read <${Age} since=${value.at} /> ago; the lines begin when this page was opened.${value.why && ` ${plain(value.why)}`}<//>
  <//>`;
}
