// The live lines of one service. The pane is bound to it: a restart is a mark among the lines.

import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { lines } from "./api.js";
import { Failed } from "./documents.js";
import { Panel, html } from "./parts.js";
import { clock, plain, printed, utc } from "./text.js";

/** Lines that the pane keeps. */
const KEPT = 2000;
/** Lines that a pane begins with. */
const FIRST = 300;
/** The Supervisor sends a sign of life each 15 s. */
const SILENCE = 25_000;

/** The lines of a service, and whether they arrive. */
function useLines(id) {
  const state = useMemo(() => ({ lines: signal([]), live: signal(false), refused: signal(null) }), [id]);
  useEffect(() => {
    const abort = new AbortController();
    const path = `v1/services/${encodeURIComponent(id)}/logs?follow&tail=${FIRST}`;
    let last = -1;
    const take = (arrived) => {
      // After a new connection, lines that are there already come once more.
      const fresh = arrived.filter(({ sequence }) => sequence > last);
      if (fresh.length === 0) return;
      last = fresh.at(-1).sequence;
      state.lines.value = [...state.lines.value, ...fresh].slice(-KEPT);
    };
    (async () => {
      while (!abort.signal.aborted) {
        const opened = () => { state.live.value = true; };
        const failed = await lines(path, { each: take, opened, silence: SILENCE, signal: abort.signal }).catch((error) => error);
        state.live.value = false;
        // What is refused now is refused in a second too: the token may not read lines.
        if (failed?.status === 403 || failed?.status === 404) {
          state.refused.value = failed;
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    })();
    return () => abort.abort();
  }, [id]);
  return state;
}

const Line = ({ line }) => line.mark
  ? html`<div class="mark"><span>${plain(line.text)}</span></div>`
  : html`<div class=${line.stream}><time datetime=${line.time} title=${utc(line.time)}>${clock(line.time)}</time>
      <i>${line.stream === "stderr" ? "err" : "out"}</i><bdi>${printed(line.text)}</bdi></div>`;

export function Log({ id }) {
  const arriving = useLines(id);
  const view = useMemo(() => ({ wanted: signal(""), held: signal(null) }), [id]);
  const pane = useRef(null);
  const atEnd = useRef(true);
  const all = arriving.lines.value;
  const held = view.held.value;
  const wanted = view.wanted.value.toLowerCase();
  const shown = (held ?? all).filter((line) => wanted === "" || line.text.toLowerCase().includes(wanted));
  const missed = held ? all.filter((line) => line.sequence > (held.at(-1)?.sequence ?? -1)).length : 0;
  useLayoutEffect(() => {
    const element = pane.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [shown.length, shown.at(-1)?.sequence]);
  const scrolled = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
    atEnd.current = scrollTop + clientHeight >= scrollHeight - 24;
  };
  const pause = () => {
    atEnd.current = true;
    view.held.value = held ? null : all;
  };
  if (arriving.refused.value) return html`<${Panel} title="Log" source=${`v1/services/${encodeURIComponent(id)}/logs`}><${Failed} error=${arriving.refused.value} /><//>`;
  const state = held ? `Paused, ${missed} newer lines` : arriving.live.value ? "Live" : "Not connected";
  const tools = html`<span class="tools">
    <span class="state" role="status">${state}</span>
    <input type="search" placeholder="Find in these lines" aria-label="Find in these lines" onInput=${(event) => { view.wanted.value = event.currentTarget.value; }} />
    <button type="button" aria-pressed=${held ? "true" : "false"} onClick=${pause}>${held ? "Continue" : "Pause"}</button></span>`;
  return html`<${Panel} title="Log" tools=${tools} source=${`v1/services/${encodeURIComponent(id)}/logs`}>
    <div class="log" ref=${pane} tabindex="0" role="region" aria-label="Lines of the service" onScroll=${scrolled}>
      ${shown.length === 0 ? html`<p class="note">${wanted ? "No line contains this text." : "No line yet."}</p>`
        : shown.map((line) => html`<${Line} key=${line.sequence} line=${line} />`)}
    </div><//>`;
}
