// Documents of the API that a page shows.

import { useEffect, useRef, useState } from "preact/hooks";
import { json } from "./api.js";
import { Note, html } from "./parts.js";
import { changesOf } from "./store.js";
import { plain } from "./text.js";

/** Time between two loads of a document, at least. */
const PACE = 200;
/** The same for a document that is read from the whole record of a service. */
export const SLOW = 5000;

/**
 * A document about a service: `{ value, error }`. It is loaded again when that service changes and
 * when `due` does; what was shown stays until the next one is there.
 */
export function useDocument(path, { of = "", due = 0, read = json, pace = PACE } = {}) {
  const [state, setState] = useState({});
  const load = useRef(null);
  const change = changesOf(of).value;
  useEffect(() => {
    const abort = new AbortController();
    let isBusy = false;
    let isAsked = false;
    // What changes without a pause is loaded at that pace, and never instead of an answer that is on its way.
    const run = async () => {
      isAsked = true;
      if (isBusy) return;
      isBusy = true;
      while (isAsked && !abort.signal.aborted) {
        isAsked = false;
        await read(path, { signal: abort.signal }).then(
          (value) => setState({ path, value }),
          (error) => error.name !== "AbortError" && setState((old) => ({ path, error, value: old.path === path ? old.value : undefined })));
        if (!abort.signal.aborted) await new Promise((resolve) => setTimeout(resolve, pace));
      }
      isBusy = false;
    };
    load.current = run;
    return () => abort.abort();
  }, [path]);
  useEffect(() => { load.current(); }, [path, change, due]);
  return state.path === path ? state : {};
}

/** A number that rises each so many milliseconds while the page can be seen. */
export function useTick(ms) {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) setTick((tick) => tick + 1); }, ms);
    return () => clearInterval(timer);
  }, [ms]);
  return tick;
}

/** Why a document is not shown. */
export const Failed = ({ error }) => html`<${Note}>${plain(error.message)} ${plain(error.hint)}<//>`;
