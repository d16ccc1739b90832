// Requests to the Supervisor that delivered this page, with the token that the tab holds.

import { signal } from "@preact/signals";

/** What a page holds about its Supervisor; null when it was sent to a browser without the token. */
function described(page) {
  const meta = (name) => page.querySelector(`meta[name="${name}"]`)?.content;
  const resources = meta("resources");
  return resources === undefined ? null : { version: meta("supervisor-version"), resources: new Set(resources.split(" ")) };
}

/** The version of the Supervisor, and the paths of its API that it answers; null until they are known. */
export const about = signal(described(document));

/** Whether this Supervisor answers a path, given as in its description. */
export const answers = (path) => about.value.resources.has(path);

/** Null, or that a token is asked for: `{ refused }`, why the last one was not enough, if there was one. */
export const locked = signal(null);

const base = new URL(".", location.href);
const KEPT = "token";
let token = sessionStorage.getItem(KEPT);

/** Whether requests carry a token. Links that the browser follows by itself do not. */
export const hasToken = () => token !== null;

/** Takes the token that requests carry from now on; it is kept until the tab is closed. */
export function useToken(text) {
  token = text;
  sessionStorage.setItem(KEPT, text);
  locked.value = null;
}

/** The address of a path below this Supervisor; null for what leads elsewhere, whatever it looks like. */
export function address(path) {
  const { href } = new URL(`./${path.replace(/^\/+/, "")}`, base);
  return href.startsWith(base.href) ? href : null;
}

/** An answer that is not the document that was asked for. */
export class Refused extends Error {
  constructor(status, problem, used) {
    super(problem?.detail ?? `The Supervisor answered with status ${status}.`);
    this.status = status;
    this.used = used;
    this.hint = problem?.hint ?? "";
  }
}

/** Asks for another token, unless that is so already or one was given after the refused request was sent. */
export function lock({ status, message, used }) {
  if (locked.value || used !== token) return;
  locked.value = { refused: status === 401 && used === null ? "" : message };
  token = null;
  sessionStorage.removeItem(KEPT);
}

/** Why an answer is a refusal. Below /v1 alone it is a document, so it is asked for there. */
async function problemOf(answer, sent) {
  const isV1 = answer.url.startsWith(`${base.href}v1/`);
  const named = isV1 || answer.status !== 401 ? answer : await fetch(address("v1/supervisor"), { headers: sent });
  return named.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
}

/** Asks for a path; the answer has been accepted. */
export async function request(path, { accept = "application/json", headers = {}, ...rest } = {}) {
  const sent = { Accept: accept, ...headers };
  const used = token;
  if (token !== null) sent.Authorization = `Bearer ${token}`;
  const target = address(path);
  if (target === null) throw new Error("This is not a path of this Supervisor.");
  const answer = await fetch(target, { cache: "no-cache", ...rest, headers: sent });
  if (answer.ok) return answer;
  const refused = new Refused(answer.status, await problemOf(answer, sent), used);
  if (answer.status === 401) lock(refused);
  throw refused;
}

/** Learns what the page did not hold, once there is a token. */
export async function describe() {
  if (about.value) return;
  const page = await (await request("", { accept: "text/html" })).text();
  about.value = described(new DOMParser().parseFromString(page, "text/html"));
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
