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
        <th scope="row">${path.includes("{") || path === "/" ? html`<code>${path}</code>` : html`<a href=${`#/get${path}`}><code>${path}</code></a>`}</th>
        <td>${get?.summary}</td></tr>`)}</tbody></table>`}`;
}

/** Reads as much of an answer as is shown, and gives what has arrived; a stream never ends. */
async function read(path, give, abort) {
  const answer = await request(path, { signal: abort.signal });
  const isJson = answer.headers.get("content-type")?.startsWith("application/json");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
    if (text.length > SHOWN) {
      give({ text: text.slice(0, SHOWN), isCut: true });
      abort.abort();
      return;
    }
    if (!isJson) give({ text });
  }
  give({ text: isJson ? JSON.stringify(JSON.parse(text), null, 2) : text });
}

/** One request and its answer. */
export function Request({ path }) {
  const [found, setFound] = useState({});
  useEffect(() => {
    const abort = new AbortController();
    setFound({});
    read(path, setFound, abort).catch((error) => { if (error.name !== "AbortError") setFound({ error }); });
    return () => abort.abort();
  }, [path]);
  const target = address(path);
  const token = hasToken() ? '-H "Authorization: Bearer $TOKEN" ' : "";
  return html`<h1 class="title"><bdi>GET /${plain(path)}</bdi></h1>
    ${target && html`<p><${Command} text=${`curl -s ${token}'${target.replaceAll("'", "%27")}'`} /></p>`}
    ${found.error && html`<${Note}>${plain(found.error.message)}<//>`}
    ${found.text !== undefined && html`<div class="panel flush"><${Evidence} lines=${found.text.split("\n")} label="Answer" /></div>`}
    ${found.isCut && html`<${Note}>These are the first ${SHOWN.toLocaleString("en")} characters; the command shows all.<//>`}`;
}
