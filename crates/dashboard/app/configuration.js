// The effective configuration of a service, with the layer that each value comes from.

import { useState } from "preact/hooks";
import { answers } from "./api.js";
import { Failed, useDocument } from "./documents.js";
import { Note, Source, html } from "./parts.js";
import { plain } from "./text.js";

const shown = ({ value, hash }) => (hash ? `${value} (${hash})` : JSON.stringify(value));

function Value({ item }) {
  // The effective one is the last.
  const former = item.layers.slice(0, -1);
  return html`<tr><th scope="row"><bdi>${plain(item.key, 300)}</bdi></th>
    <td><code><bdi>${plain(shown(item), 2000)}</bdi></code>
      ${former.length > 0 && html`<small>instead of ${former.map((it, at) => html`${at > 0 && ", "}<code><bdi>${plain(shown(it), 300)}</bdi></code> of <i>${it.layer}</i>`)}</small>`}</td>
    <td><span class=${`layer ${item.layer}`}>${item.layer}</span></td></tr>`;
}

function Values({ path, id }) {
  const { value, error } = useDocument(path, { of: id });
  const [typed, setTyped] = useState("");
  if (error && !value) return html`<${Failed} error=${error} />`;
  if (!value) return html`<${Note}>Loading …<//>`;
  if (value.values.length === 0) return html`<${Note}>It has no configuration.<//>`;
  const wanted = typed.toLowerCase();
  const items = value.values.filter((item) => `${item.key} ${item.layer} ${shown(item)}`.toLowerCase().includes(wanted));
  return html`
    <p class="bar"><input type="search" placeholder="Find a key or value" aria-label="Find a key or value" onInput=${(event) => setTyped(event.currentTarget.value)} /><${Source} path=${path} /></p>
    <table class="values"><thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">Layer</th></tr></thead>
      <tbody>${items.map((item) => html`<${Value} key=${item.key} item=${item} />`)}</tbody></table>
    ${items.length === 0 && html`<${Note}>No key or value contains this text.<//>`}`;
}

export function Configuration({ id }) {
  const [open, setOpen] = useState(false);
  const path = `v1/services/${encodeURIComponent(id)}/config?source=all`;
  return html`<section class="panel" aria-label="Configuration"><details onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><h2>Configuration</h2></summary>
    ${open && (answers("/v1/services/{sg}/config") ? html`<${Values} path=${path} id=${id} />`
      : html`<${Note}>Hidden by <code>HAB_FEAT_REDACT_HTTP</code>.<//>`)}</details></section>`;
}
