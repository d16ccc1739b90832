// The page of one service: why it is as it is on top, then what it did, printed and uses.

import { useEffect, useState } from "preact/hooks";
import { answers, json, request } from "./api.js";
import { EventList } from "./events.js";
import { Log } from "./log.js";
import { mood, moodOfHealth } from "./mood.js";
import { Age, Clock, Command, Evidence, Mood, Note, Panel, Shape, html } from "./parts.js";
import { events, pulse } from "./store.js";
import { bytes, plain, span } from "./text.js";

/** A document that is loaded again with each change; what was shown stays until the next one is there. */
function useDocument(path, read = json) {
  const [state, setState] = useState({});
  const change = pulse.value;
  useEffect(() => {
    const abort = new AbortController();
    read(path, { signal: abort.signal }).then(
      (value) => setState({ path, value }),
      (error) => error.name !== "AbortError" && setState((old) => ({ path, error, value: old.path === path ? old.value : undefined })));
    return () => abort.abort();
  }, [path, change]);
  return state.path === path ? state : {};
}

const text = async (path, options) => (await request(path, { ...options, accept: "text/plain" })).text();

const Failed = ({ error }) => html`<${Note}>${plain(error.message)} ${plain(error.hint)}<//>`;

function Why({ id, service }) {
  const path = `v1/services/${encodeURIComponent(id)}/explain`;
  const { value, error } = useDocument(path);
  if (!value) return error && html`<${Panel} title="Why" source=${path}><${Failed} error=${error} /><//>`;
  return html`
    <section class=${`panel hero ${service ? mood(service) : ""}`} aria-label="Why">
      <p class="answer"><bdi>${plain(value.answer)}</bdi></p>
      ${value.chain.length > 0 && html`<ol class="chain">${value.chain.map((step, index) => html`
        <li key=${index}><span class="code">${step.code.replaceAll("_", " ")}</span> <bdi>${plain(step.message)}</bdi>
          <span class="dim"> for <${Age} since=${step.since} /></span>
          <${Evidence} lines=${step.evidence} label=${`Evidence of ${step.code}`} /></li>`)}</ol>`}
      ${value.remedies.length > 0 && html`<h2>What helps</h2><ul class="remedies">${value.remedies.map((remedy, index) => html`
        <li key=${index}><bdi>${plain(remedy.text)}</bdi>${remedy.command && html` <${Command} text=${remedy.command} />`}</li>`)}</ul>`}
      <a class="source" href=${`#/get/${path}`} title="Show the request and its answer">GET /v1/services/${plain(id)}/explain</a>
    </section>`;
}

const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

const exit = ({ code, signal }) => (signal === null ? `code ${code}` : `signal ${signal}`);

function Facts({ id, service }) {
  const path = `v1/services/${encodeURIComponent(id)}`;
  if (!service) return null;
  const { last_exit: ended, last_hook_failure: hook, health_check: check, binds } = service;
  return html`
    <${Panel} title="Now" source=${path}>
      <dl class="facts">
        <${Fact} name="State">${service.state.replaceAll("_", " ")} for <${Age} since=${service.since} /><//>
        <${Fact} name="Wanted">${service.desired}<//>
        <${Fact} name="Health"><${Mood} mood=${moodOfHealth(service.health)} word=${service.health} />
          ${service.health_since && html` for <${Age} since=${service.health_since} />`}<//>
        <${Fact} name="Restarts">${service.restarts.total}${service.restarts.next_at && html`, next at <${Clock} at=${service.restarts.next_at} />`}<//>
        <${Fact} name="Process">${service.pid ?? html`<span class="dim">none</span>`}<//>
        <${Fact} name="Package"><bdi>${plain(service.package)}</bdi><//>
        ${ended && html`<${Fact} name="Last exit">${exit(ended)} <${Clock} at=${ended.at} />, ran ${span(ended.ran_ms)}<//>`}
        ${binds.map((bind) => html`<${Fact} key=${bind.name} name=${`Bind ${plain(bind.name)}`}>
          <${Mood} mood=${bind.satisfied ? "fine" : "failing"} word=${plain(bind.group)} /> <bdi>${plain(bind.message)}</bdi><//>`)}
      </dl>
      ${ended?.stderr.length > 0 && html`<h3>Standard error before the last exit</h3><${Evidence} lines=${ended.stderr} label="Standard error before the last exit" />`}
      ${hook && html`<h3>The <bdi>${plain(hook.hook)}</bdi> hook ${hook.timed_out ? "exceeded its time limit" : "failed"}, <${Clock} at=${hook.at} /></h3>
        <${Evidence} lines=${[...hook.output, ...(hook.error ? [hook.error] : [])]} label="Output of the hook" />`}
      ${check && html`<h3>Last health check: ${check.status}${check.exit_code === null ? "" : `, exit code ${check.exit_code}`}, <${Clock} at=${check.at} /></h3>
        <${Evidence} lines=${check.output ? [check.output] : []} label="Output of the health check" />`}
    <//>`;
}

function Happened({ id }) {
  const path = `v1/services/${encodeURIComponent(id)}/events`;
  const { value, error } = useDocument(`${path}?limit=50`);
  if (!value) return error && html`<${Panel} title="Events" source=${path}><${Failed} error=${error} /><//>`;
  // An event is on the stream before it is on the next page.
  const known = new Set(value.items.map((event) => event.seq));
  const newer = events.value.filter((event) => event.service === id && event.seq > (value.items[0]?.seq ?? 0) && !known.has(event.seq));
  const items = [...newer, ...value.items];
  return html`<${Panel} title="Events" source=${path}>
    ${items.length > 0 ? html`<${EventList} items=${items} within=${id} />` : html`<${Note}>Nothing is recorded.<//>`}<//>`;
}

function Usage({ id }) {
  const path = `v1/services/${encodeURIComponent(id)}/stats`;
  const { value, error } = useDocument(path);
  const [former, setFormer] = useState({});
  useEffect(() => {
    if (value?.usage) setFormer(({ newest }) => ({ oldest: newest, newest: value }));
  }, [value?.at]);
  if (!value) return error && html`<${Panel} title="Resources" source=${path}><${Failed} error=${error} /><//>`;
  const { usage } = value;
  if (!usage) return html`<${Panel} title="Resources" source=${path}><${Note}>${plain(value.why)}<//><//>`;
  const { oldest } = former;
  const took = oldest ? Date.parse(value.at) - Date.parse(oldest.at) : 0;
  const share = took > 0 && oldest.pid === value.pid ? (usage.cpu_ms - oldest.usage.cpu_ms) / took : null;
  return html`<${Panel} title="Resources" source=${path}>
    <dl class="facts">
      <${Fact} name="CPU time">${(usage.cpu_ms / 1000).toFixed(1)} s${share !== null && share >= 0 && `, ${(share * 100).toFixed(1)} % of a core`}<//>
      <${Fact} name="Memory">${bytes(usage.resident_bytes)}<//>
      <${Fact} name="Processes">${usage.processes}, ${usage.threads} threads<//>
      ${usage.descriptors && html`<${Fact} name="Descriptors">${usage.descriptors.open}<//>`}
      ${usage.io && html`<${Fact} name="Disk">${bytes(usage.io.read_bytes)} read, ${bytes(usage.io.written_bytes)} written<//>`}
      ${usage.listening?.length > 0 && html`<${Fact} name="Listens on">${usage.listening.map(({ protocol, ip, port }) => `${protocol} ${ip.includes(":") ? `[${ip}]` : ip}:${port}`).join(", ")}<//>`}
    </dl>
    <p class="note">Read <${Age} since=${value.at} /> ago.${value.why && ` ${plain(value.why)}`}</p>
  <//>`;
}

function Configuration({ id }) {
  const [open, setOpen] = useState(false);
  const [name, rest] = [id.slice(0, id.indexOf(".")), id.slice(id.indexOf(".") + 1)];
  const path = ["services", name, ...rest.split("@"), "config"].map(encodeURIComponent).join("/");
  return html`<section class="panel" aria-label="Configuration"><details onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><h2>Configuration</h2></summary>${open && html`<${Shown} path=${path} />`}</details></section>`;
}

function Shown({ path }) {
  const { value, error } = useDocument(path, text);
  if (error) return html`<${Failed} error=${error} />`;
  if (value === undefined) return html`<${Note}>Loading …<//>`;
  if (value === "") return html`<${Note}>Empty, or hidden by HAB_FEAT_REDACT_HTTP.<//>`;
  return html`<${Evidence} lines=${value.trimEnd().split("\n")} label="Configuration" /><p class="note"><a class="source" href=${`#/get/${path}`}>GET /${plain(path)}</a></p>`;
}

export function Service({ id }) {
  const { value, error } = useDocument(`v1/services/${encodeURIComponent(id)}`);
  const gone = error?.status === 404;
  return html`
    <p class="crumbs"><a href="#/services">Services</a></p>
    <h1 class="title">${value && !gone && html`<${Shape} mood=${mood(value)} />`}<bdi>${plain(id, 200)}</bdi>
      ${value && !gone && html`<${Mood} mood=${mood(value)} />`}</h1>
    ${gone ? html`<${Note}>This service is not loaded. What is recorded of it is below.<//><${Remembered} id=${id} />`
      : error && !value ? html`<${Failed} error=${error} />`
      : html`
      <${Why} id=${id} service=${value} />
      <div class="columns"><${Facts} id=${id} service=${value} />
        <div>${answers("/v1/services/{sg}/stats") && html`<${Usage} id=${id} />`}<${Configuration} id=${id} /></div></div>
      ${answers("/v1/services/{sg}/logs") && html`<${Log} key=${id} id=${id} />`}
      ${answers("/v1/services/{sg}/events") && html`<${Happened} id=${id} />`}`}`;
}

function Remembered({ id }) {
  const path = `v1/events?service=${encodeURIComponent(id)}`;
  const { value } = useDocument(path);
  return value && html`<${Panel} title="Events" source=${path}><${EventList} items=${value.items} within=${id} /><//>`;
}
