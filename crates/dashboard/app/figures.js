// CPU and memory of all services, for lists.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { answers, json } from "./api.js";
import { useTick } from "./documents.js";
import { share } from "./usage.js";

/** The figures have no events: they are read each so often while a list can be seen. */
const EACH = 10_000;

/** By service: `{ cpu, memory }`. */
const figures = new Map();
let former = null;

/** The figures of a service, as a signal. */
export function figuresOf(id) {
  if (!figures.has(id)) figures.set(id, signal(null));
  return figures.get(id);
}

async function read() {
  const list = await json("v1/stats");
  const items = new Map(list.items.map((item) => [item.id, { ...item, at: list.at }]));
  for (const [id, place] of figures) {
    const item = items.get(id);
    const old = former?.get(id);
    place.value = item ? { cpu: old ? share(old, item) ?? place.value?.cpu ?? null : null, memory: item.resident_bytes } : null;
  }
  // A reading can be shared: then there is nothing between the two.
  if (!former || [...items.values()][0]?.at !== [...former.values()][0]?.at) former = items;
}

/** Keeps the figures up to date while a list is shown. */
export function useFigures() {
  const tick = useTick(EACH);
  useEffect(() => {
    if (!answers("/v1/stats")) return undefined;
    read().catch(() => {});
    // The first share needs two readings.
    const second = tick === 0 ? setTimeout(() => read().catch(() => {}), 1500) : undefined;
    return () => clearTimeout(second);
  }, [tick]);
}
