// Small parts that every page is made of.

import { h } from "preact";
import { useState } from "preact/hooks";
import htm from "htm";
import { WORDS } from "./mood.js";
import { useComputed } from "@preact/signals";
import { now, today } from "./store.js";
import { clock, plain, span, utc } from "./text.js";

export const html = htm.bind(h);

const SHAPES = {
  failing: html`<path d="M8 1.2 15 14.2H1Z" /><path class="cut" d="M8 5.6v4.2M8 11.6v.9" />`,
  warning: html`<path d="M8 .8 15.2 8 8 15.2.8 8Z" /><path class="cut" d="M8 4.6v4M8 10.6v.9" />`,
  changing: html`<path class="ring" d="M8 2.2a5.8 5.8 0 1 1-5.8 5.8" />`,
  fine: html`<circle cx="8" cy="8" r="6.8" /><path class="cut" d="m4.9 8.2 2.2 2.2 4-4.4" />`,
  stopped: html`<rect class="ring" x="2.6" y="2.6" width="10.8" height="10.8" rx="2" />`,
  unknown: html`<circle class="ring" cx="8" cy="8" r="5.9" /><path class="mark" d="M6.3 6.4a1.8 1.8 0 1 1 2.5 1.7c-.6.3-.8.6-.8 1.2M8 11.2v.5" />`,
  info: html`<circle cx="8" cy="8" r="3" />`,
};

/** The shape of a mood, beside a word that says the same. */
export const Shape = ({ mood }) =>
  html`<svg class=${`shape ${mood}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${SHAPES[mood]}</svg>`;

/** A mood as shape and word. */
export const Mood = ({ mood, word = WORDS[mood] }) =>
  html`<span class=${`mood ${mood}`}><${Shape} mood=${mood} />${word}</span>`;

/** How long ago; on hover the moment, local and in UTC. */
export function Age({ since }) {
  return since ? html`<${Since} key=${since} since=${since} />` : html`<span class="dim">–</span>`;
}

function Since({ since }) {
  // The text alone follows the clock; the rest is not drawn again.
  const age = useComputed(() => span(now.value - Date.parse(since)));
  return html`<time datetime=${since} title=${`${clock(since)} (${utc(since)})`}>${age}</time>`;
}

/** A local time; UTC on hover. */
export const Clock = ({ at }) => html`<time datetime=${at} title=${utc(at)}>${clock(at, today.value)}</time>`;

/** Where a service is shown. */
export const placeOf = (id) => `#/services/${encodeURIComponent(id)}`;

/** Foreign lines, as they were printed. */
export const Evidence = ({ lines, label }) => lines?.length > 0 &&
  html`<pre class="evidence" tabindex="0" role="group" aria-label=${label}>${lines.map((line) => plain(line)).join("\n")}</pre>`;

/** Where what a panel shows can be asked for. */
export const Source = ({ path }) =>
  html`<a class="source" href=${`#/get/${path}`} title="Show the request and its answer">GET /${plain(decodeURIComponent(path))}</a>`;

/** A part of a page, with the request that it shows. */
export const Panel = ({ title, source, tools, children }) => html`
  <section class="panel" aria-label=${title}>
    <div class="bar"><h2>${title}</h2>${tools}${source && html`<${Source} path=${source} />`}</div>
    ${children}
  </section>`;

/** A fact in a list of them. */
export const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

/** What a panel shows instead of its content. */
export const Note = ({ children }) => html`<p class="note">${children}</p>`;

/** A command with a button that copies it. */
export function Command({ text }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 2000);
    } catch { /* Without rights to the clipboard the text can still be selected. */ }
  };
  return html`<span class="command"><code>${plain(text)}</code>
    ${navigator.clipboard && html`<button type="button" onClick=${copy}>${done ? "Copied" : "Copy"}</button>`}</span>`;
}
