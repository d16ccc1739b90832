// The health of a service: each check with its last results and what they printed.

import { useEffect, useState } from "preact/hooks";
import { Failed, useDocument } from "./documents.js";
import { moodOfHealth } from "./mood.js";
import { Age, Clock, Evidence, Mood, Note, Panel, Shape, html } from "./parts.js";
import { now } from "./store.js";
import { clock, plain, span } from "./text.js";

/** A result is in the document so long after its check. */
const AFTER = 400;
/** The document is not loaded more often for results that are due. */
const PACE = 1000;

/** Rises when the next result should be there: results that change nothing make no event. */
function useDue(value) {
  const [due, setDue] = useState(0);
  useEffect(() => {
    if (!value) return undefined;
    const wait = value.next_at ? Date.parse(value.next_at) - Date.now() + (value.duration_ms ?? 0) + AFTER : 0;
    // Without a time the checks are running now, or there are none.
    if (!value.next_at && value.checks.length === 0) return undefined;
    const timer = setTimeout(() => setDue((due) => due + 1), Math.max(wait, PACE));
    return () => clearTimeout(timer);
  }, [value]);
  return [due, setDue];
}

const result = ({ status, exit_code: code, duration_ms: took }) =>
  `${status}${code === null ? "" : `, exit code ${code}`}, ${took} ms`;

function Check({ check }) {
  const [picked, setPicked] = useState(null);
  const shown = check.results.find((it) => it.at === picked) ?? check.results[0];
  if (!shown) return html`<div class="check"><h3><bdi>${plain(check.name)}</bdi></h3><${Note}>No result yet.<//></div>`;
  const mark = (it) => html`<button key=${it.at} type="button" class=${`mark ${moodOfHealth(it.status)}`} aria-pressed=${it === shown ? "true" : "false"}
    title=${`${clock(it.at)}: ${result(it)}`} aria-label=${`${clock(it.at)}: ${result(it)}`} onClick=${() => setPicked(it.at)}><${Shape} mood=${moodOfHealth(it.status)} /></button>`;
  return html`<div class="check">
    <div class="bar"><h3><bdi>${plain(check.name)}</bdi></h3>
      <span class="marks" role="group" aria-label=${`Last ${check.results.length} results, the newest last`}>${check.results.toReversed().map(mark)}</span></div>
    <p class="result"><${Mood} mood=${moodOfHealth(shown.status)} word=${result(shown)} /> <span class="dim"><${Clock} at=${shown.at} /></span></p>
    ${shown.output ? html`<${Evidence} lines=${shown.output.trimEnd().split("\n")} label=${`Output of ${check.name}`} />`
      : html`<${Note}>${shown.output === null ? "Its output is hidden, or was not kept." : "It printed nothing."}<//>`}
  </div>`;
}

function Next({ at }) {
  const left = Date.parse(at) - now.value;
  return left > 0 ? html`, next check in ${span(left)}` : html`, checking`;
}

export function Health({ id }) {
  const path = `v1/services/${encodeURIComponent(id)}/health`;
  const [due, setDue] = useState(0);
  const { value, error } = useDocument(path, { of: id, due });
  const [next] = useDue(value);
  useEffect(() => setDue(next), [next]);
  if (!value) return error && html`<${Panel} title="Health" source=${path}><${Failed} error=${error} /><//>`;
  return html`<${Panel} title="Health" source=${path}>
    <p class="lead"><${Mood} mood=${moodOfHealth(value.status)} word=${value.status} />
      ${value.since && html` for <${Age} since=${value.since} />`}${value.next_at && html`<${Next} at=${value.next_at} />`}</p>
    ${value.consecutive_failures > 0 && html`<p>${value.consecutive_failures} critical results in a row${value.restart_after > 0 ? `; after ${value.restart_after} it is restarted` : ""}.</p>`}
    ${value.checks.length === 0 ? html`<${Note}>It has no health check.<//>` : value.checks.map((check) => html`<${Check} key=${check.name} check=${check} />`)}
  <//>`;
}
