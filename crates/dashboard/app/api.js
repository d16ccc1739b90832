// Requests to the Supervisor that delivered this page, with the token that the tab holds.

import { signal } from "@preact/signals";

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

/** Version of the Supervisor. */
export const version = meta("supervisor-version");

/** Paths of the API that this Supervisor answers. */
const resources = new Set(meta("resources").split(" "));

/** Whether this Supervisor answers a path, given as in its description. */
export const answers = (path) => resources.has(path);

/** Why a token is asked for: false, "missing" or "wrong". */
export const locked = signal(false);

const base = new URL(".", location.href);
const KEPT = "token";
let token = sessionStorage.getItem(KEPT);

/** Whether requests carry a token. Links that the browser follows by itself do not. */
export const hasToken = () => token !== null;

/** Takes the token that requests carry from now on; it is kept until the tab is closed. */
export function useToken(text) {
  token = text;
  sessionStorage.setItem(KEPT, text);
  locked.value = false;
}

/** The address of a path below this Supervisor; null for what leads elsewhere, whatever it looks like. */
export function address(path) {
  const { href } = new URL(`./${path.replace(/^\/+/, "")}`, base);
  return href.startsWith(base.href) ? href : null;
}

/** An answer that is not the document that was asked for. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `The Supervisor answered with status ${status}.`);
    this.status = status;
    this.hint = problem?.hint ?? "";
  }
}

/** Asks for a path; the answer has been accepted. */
export async function request(path, { accept = "application/json", headers = {}, ...rest } = {}) {
  const sent = { Accept: accept, ...headers };
  const used = token;
  if (token !== null) sent.Authorization = `Bearer ${token}`;
  const target = address(path);
  if (target === null) throw new Error("This is not a path of this Supervisor.");
  const answer = await fetch(target, { cache: "no-cache", ...rest, headers: sent });
  // The refusal of an older token says nothing about the one that has been given meanwhile.
  if (answer.status === 401 && used === token) {
    locked.value = token === null ? "missing" : "wrong";
    token = null;
    sessionStorage.removeItem(KEPT);
  }
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => null));
  return answer;
}

/** The JSON document of a path. */
export const json = async (path, options) => (await request(path, options)).json();

/** A stream without a line end for so long is not one of ours. */
const LINE_MAX = 4 * 1024 * 1024;

/**
 * Opens a stream of JSON lines and calls `each` with the objects that arrived together; an empty
 * list is a sign of life. Returns when the stream ends.
 */
export async function lines(path, { each, opened = () => {}, silence, signal: outer, headers }) {
  const abort = new AbortController();
  const stop = () => abort.abort();
  outer?.addEventListener("abort", stop);
  let timer;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(stop, silence);
  };
  try {
    alive();
    const options = { accept: "application/x-ndjson", cache: "no-store", headers, signal: abort.signal };
    const answer = await request(path, options);
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      if (rest.length > LINE_MAX) throw new Error("A line of the stream is too long.");
      each(parts.filter((part) => part !== "").map((part) => JSON.parse(part)));
    }
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", stop);
    stop();
  }
}
