// The API from the page: its paths, and one request with its answer.

import { useEffect, useState } from "preact/hooks";
import { address, hasToken, json, request } from "./api.js";
import { Command, Evidence, Note, html } from "./parts.js";
import { plain } from "./text.js";

/** Characters of an answer that are shown. */
const SHOWN = 200_000;

/** All paths, from the description that the Supervisor gives of itself. */
export function Paths() {
  const [found, setFound] = useState({});
  useEffect(() => { json("openapi.json").then((value) => setFound({ value }), (error) => setFound({ error })); }, []);
  const { value, error } = found;
  return html`<h1>API</h1>
    <${Note}>Whatever these pages show can be asked for. Nothing on this port changes anything.<//>
    ${error && html`<${Note}>${plain(error.message)}<//>`}
    ${value && html`<table class="paths"><thead><tr><th scope="col">Path</th><th scope="col">Answer</th></tr></thead>
      <tbody>${Object.entries(value.paths).map(([path, { get }]) => html`<tr key=${path}>
        <th scope="row">${path.includes("{") || path === "/" || path.endsWith("/stream") ? html`<code>${path}</code>` : html`<a href=${`#/get${path}`}><code>${path}</code></a>`}</th>
        <td>${get?.summary}</td></tr>`)}</tbody></table>`}`;
}

/** One request and its answer. */
export function Request({ path }) {
  const [found, setFound] = useState({});
  useEffect(() => {
    setFound({});
    request(path).then(async (answer) => {
      const text = await answer.text();
      const isJson = answer.headers.get("content-type")?.includes("json");
      setFound({ text: (isJson && text.length < SHOWN ? JSON.stringify(JSON.parse(text), null, 2) : text).slice(0, SHOWN) });
    }).catch((error) => setFound({ error }));
  }, [path]);
  const target = address(path);
  const token = hasToken() ? '-H "Authorization: Bearer $TOKEN" ' : "";
  return html`<h1 class="title"><bdi>GET /${plain(path)}</bdi></h1>
    ${target && html`<p><${Command} text=${`curl -s ${token}'${target.replaceAll("'", "%27")}'`} /></p>`}
    ${found.error && html`<${Note}>${plain(found.error.message)}<//>`}
    ${found.text !== undefined && html`<div class="panel flush"><${Evidence} lines=${found.text.split("\n")} label="Answer" /></div>`}`;
}
