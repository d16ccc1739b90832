// Figures as lines over time. What draws them is loaded with the first lines.

import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "./parts.js";

let loaded = null;

/** The drawing library, a classic script. */
function library() {
  loaded ??= new Promise((resolve, reject) => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: import.meta.resolve("uplot.css") });
    const script = Object.assign(document.createElement("script"), { src: import.meta.resolve("uplot"), onload: () => resolve(window.uPlot), onerror: reject });
    document.head.append(style, script);
  });
  return loaded;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const HEIGHT = 120;
/** Seconds that are shown at least. */
const SPAN = 60;

/** Lines of one figure: `times` in seconds, `values` beside them, `form` writes a value. */
export function Lines({ title, times, values, form, now }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [scheme, setScheme] = useState(0);
  useEffect(() => {
    const media = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setScheme((scheme) => scheme + 1);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, []);
  useEffect(() => {
    let isGone = false;
    let observer;
    library().then((Plot) => {
      if (isGone || !place.current) return;
      const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
      const options = {
        width: place.current.clientWidth, height: HEIGHT, legend: { show: false }, padding: [8, 0, 0, 0],
        cursor: { y: false, drag: { x: false } },
        scales: { x: { time: true, range: (_, first, last) => [Math.min(first, last - SPAN), last] }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.15 : 1] } },
        axes: [{ ...axis, size: 26, space: 70, values: (_, splits) => splits.map((at) => new Date(at * 1000).toTimeString().slice(0, 8)) },
          { ...axis, size: 76, space: 34, values: (_, splits) => splits.map(form) }],
        series: [{}, { stroke: colour("--link"), width: 1.6, fill: colour("--link-soft"), points: { show: false } }],
      };
      plot.current = new Plot(options, [times, values], place.current);
      observer = new ResizeObserver(([{ contentRect }]) => plot.current?.setSize({ width: contentRect.width, height: HEIGHT }));
      observer.observe(place.current);
    }, () => {});
    return () => {
      isGone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [scheme]);
  useEffect(() => { plot.current?.setData([times, values]); }, [times, values]);
  return html`<figure class="lines"><figcaption>${title} <b>${now}</b></figcaption>
    <div ref=${place} role="img" aria-label=${`${title} over time, now ${now}`}></div></figure>`;
}
