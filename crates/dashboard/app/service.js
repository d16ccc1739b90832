// The page of one service: why it is as it is on top, then what it did, printed and uses.

import { answers } from "./api.js";
import { Availability } from "./availability.js";
import { Configuration } from "./configuration.js";
import { Failed, useDocument } from "./documents.js";
import { EventList } from "./events.js";
import { Health } from "./health.js";
import { Log } from "./log.js";
import { mood } from "./mood.js";
import { Age, Clock, Command, Evidence, Fact, Mood, Note, Panel, Shape, html } from "./parts.js";
import { events, services, today } from "./store.js";
import { plain, span, told } from "./text.js";
import { Usage } from "./usage.js";

function Why({ id, service }) {
  const path = `v1/services/${encodeURIComponent(id)}/explain`;
  const { value, error } = useDocument(path, { of: id });
  if (!value) return error && html`<${Panel} title="Why" source=${path}><${Failed} error=${error} /><//>`;
  return html`
    <section class=${`panel hero ${service ? mood(service) : ""}`} aria-label="Why">
      <p class="answer"><bdi title=${plain(value.answer)}>${told(value.answer, today.value)}</bdi></p>
      ${value.chain.length > 0 && html`<ol class="chain">${value.chain.map((step, index) => html`
        <li key=${index}><span class="code">${step.code.replaceAll("_", " ")}</span> <bdi>${told(step.message, today.value)}</bdi>
          <span class="dim"> for <${Age} since=${step.since} /></span>
          <${Evidence} lines=${step.evidence} label=${`Evidence of ${step.code}`} /></li>`)}</ol>`}
      ${value.remedies.length > 0 && html`<h2>What helps</h2><ul class="remedies">${value.remedies.map((remedy, index) => html`
        <li key=${index}><bdi>${plain(remedy.text)}</bdi>${remedy.command && html` <${Command} text=${remedy.command} />`}</li>`)}</ul>`}
      <a class="source" href=${`#/get/${path}`} title="Show the request and its answer">GET /v1/services/${plain(id)}/explain</a>
    </section>`;
}

const exit = ({ code, signal }) => (signal === null ? `code ${code}` : `signal ${signal}`);

function Facts({ id, service }) {
  const path = `v1/services/${encodeURIComponent(id)}`;
  if (!service) return null;
  const { last_exit: ended, last_hook_failure: hook, binds } = service;
  const leader = services.value?.find((it) => it.id === id)?.leader ?? null;
  return html`
    <${Panel} title="Now" source=${path}>
      <dl class="facts">
        <${Fact} name="State">${service.state.replaceAll("_", " ")} for <${Age} since=${service.since} /><//>
        <${Fact} name="Wanted">${service.desired}<//>
        <${Fact} name="Restarts">${service.restarts.total}${service.restarts.next_at && html`, next at <${Clock} at=${service.restarts.next_at} />`}<//>
        <${Fact} name="Process">${service.pid ?? html`<span class="dim">none</span>`}<//>
        <${Fact} name="Package"><bdi>${plain(service.package)}</bdi><//>
        ${leader !== null && html`<${Fact} name="Leader of the group"><code><bdi>${plain(leader)}</bdi></code><//>`}
        ${ended && html`<${Fact} name="Last exit">${exit(ended)} <${Clock} at=${ended.at} />, ran ${span(ended.ran_ms)}<//>`}
        ${binds.map((bind) => html`<${Fact} key=${bind.name} name=${`Bind ${plain(bind.name)}`}>
          <${Mood} mood=${bind.satisfied ? "fine" : "failing"} word=${plain(bind.group)} /> <bdi>${plain(bind.message)}</bdi><//>`)}
      </dl>
      ${ended?.stderr.length > 0 && html`<details><summary>Standard error before the last exit</summary><${Evidence} lines=${ended.stderr} label="Standard error before the last exit" /></details>`}
      ${hook && html`<h3>The <bdi>${plain(hook.hook)}</bdi> hook ${hook.timed_out ? "exceeded its time limit" : "failed"}, <${Clock} at=${hook.at} /></h3>
        <${Evidence} lines=${[...hook.output, ...(hook.error ? [hook.error] : [])]} label="Output of the hook" />`}
    <//>`;
}

function Happened({ id }) {
  const path = `v1/services/${encodeURIComponent(id)}/events`;
  const { value, error } = useDocument(`${path}?limit=100`, { of: id });
  if (!value) return error && html`<${Panel} title="Events" source=${path}><${Failed} error=${error} /><//>`;
  // An event is on the stream before it is on the next page.
  const known = new Set(value.items.map((event) => event.seq));
  const newer = events.value.filter((event) => event.service === id && event.seq > (value.items[0]?.seq ?? 0) && !known.has(event.seq));
  const items = [...newer, ...value.items];
  return html`<${Panel} title="Events" source=${path}>
    ${items.length > 0 ? html`<${EventList} items=${items} within=${id} />` : html`<${Note}>Nothing is recorded.<//>`}<//>`;
}

export function Service({ id }) {
  const { value, error } = useDocument(`v1/services/${encodeURIComponent(id)}`, { of: id });
  const gone = error?.status === 404;
  return html`
    <p class="crumbs"><a href="#/services">Services</a></p>
    <h1 class="title">${value && !gone && html`<${Shape} mood=${mood(value)} />`}<bdi>${plain(id, 200)}</bdi>
      ${value && !gone && html`<${Mood} mood=${mood(value)} />`}</h1>
    ${gone ? html`<${Note}>This service is not loaded. What is recorded of it is below.<//><${Remembered} id=${id} />`
      : error && !value ? html`<${Failed} error=${error} />`
      : html`
      <${Why} id=${id} service=${value} />
      ${answers("/v1/services/{sg}/availability") && html`<${Availability} id=${id} />`}
      <div class="columns"><${Facts} id=${id} service=${value} /><${Health} id=${id} /></div>
      ${answers("/v1/services/{sg}/logs") && html`<${Log} key=${id} id=${id} />`}
      <${Usage} key=${id} id=${id} />
      <${Configuration} id=${id} />
      <${Happened} id=${id} />`}`;
}

function Remembered({ id }) {
  const path = `v1/events?service=${encodeURIComponent(id)}`;
  const { value } = useDocument(path, { of: id });
  return value && html`<${Panel} title="Events" source=${path}><${EventList} items=${value.items} within=${id} /><//>`;
}
