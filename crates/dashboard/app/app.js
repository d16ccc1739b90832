// The dashboard: what is on every page, and which page is shown.

import { effect, signal } from "@preact/signals";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { about, answers, locked, useToken } from "./api.js";
import { Events } from "./events.js";
import { Shape, html } from "./parts.js";
import { Paths, Request } from "./requests.js";
import { Ring } from "./ring.js";
import { Service } from "./service.js";
import { Services } from "./services.js";
import { Supervisor, host, needed, readConditions } from "./supervisor.js";
import { confirmed, connected, follow, link, now, services, sorted } from "./store.js";
import { mood } from "./mood.js";
import { plain, span } from "./text.js";

const icon = document.querySelector("link[rel=icon]").href;
const start = location.pathname.endsWith("/api") ? "#/api" : "#/services";
const place = signal(location.hash || start);
addEventListener("hashchange", () => { place.value = location.hash || start; });

/** Parts that come from others, each a link to its licence. */
const PARTS = [["Preact", "preact"], ["Signals", "signals"], ["htm", "htm"], ["uPlot", "uplot"]];

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** The page of a place: its name in the navigation, its title, and what it shows. */
function pageOf(hash) {
  const [, first, ...rest] = hash.split("/");
  if (first === "services" && rest.length > 0) {
    const id = decoded(rest.join("/"));
    return { name: "services", title: id, shown: html`<${Service} key=${id} id=${id} />` };
  }
  if (first === "events") return { name: "events", title: "Events", shown: html`<${Events} />` };
  if (first === "ring") return { name: "ring", title: "Ring", shown: html`<${Ring} />` };
  if (first === "supervisor") return { name: "supervisor", title: "Supervisor", shown: html`<${Supervisor} />` };
  if (first === "api") return { name: "api", title: "API", shown: html`<${Paths} />` };
  if (first === "get") {
    const path = rest.join("/");
    return { name: "api", title: `GET /${path}`, shown: html`<${Request} path=${path} />` };
  }
  return { name: "services", title: "Services", shown: html`<${Services} />` };
}

/** Whether what is shown is what the Supervisor has now. */
function Link() {
  const age = span(now.value - confirmed.value);
  if (link.value === "live") return html`<span class="link fine" title=${`Confirmed ${age} ago`}><${Shape} mood="fine" />Live</span>`;
  if (link.value === "lost" && confirmed.value > 0) return html`<span class="link failing"><${Shape} mood="failing" />Not connected, ${age} old</span>`;
  return html`<span class="link changing"><${Shape} mood="changing" />Connecting</span>`;
}

const Tab = ({ name, here, children }) =>
  html`<a href=${`#/${name}`} aria-current=${here === name ? "page" : null}>${children}</a>`;

function AskToken() {
  const field = useRef(null);
  const given = (event) => {
    event.preventDefault();
    const text = field.current.value.trim();
    if (text) useToken(text);
  };
  useEffect(() => { field.current.focus(); }, []);
  return html`<main class="token"><h1>This Supervisor asks for a token</h1>
    <form onSubmit=${given}>
      <label for="token">Token</label>
      <input id="token" ref=${field} type="password" autocomplete="current-password" aria-describedby="about" />
      <button>Open</button>
    </form>
    ${locked.value.refused && html`<p class="wrong" role="alert"><${Shape} mood="failing" /> ${plain(locked.value.refused)}</p>`}
    <p id="about" class="note">It is the value of <code>HAB_SUP_GATEWAY_AUTH_TOKEN</code> that the Supervisor was started with, for example in <code>/etc/default/hab-sup</code>, or a token with the scope <code>read</code> from the file of <code>--http-tokens</code>, made by <code>hab sup token new</code>. It is kept until this tab is closed.</p>
  </main>`;
}

function Page() {
  const { name, title, shown } = pageOf(place.value);
  const failing = sorted.value.filter((service) => mood(service) === "failing").length;
  const main = useRef(null);
  useEffect(() => { document.title = `${failing > 0 ? `(${failing}) ` : ""}${title} – ${host.value || "Supervisor"}`; }, [failing, title, host.value]);
  useEffect(() => { scrollTo(0, 0); }, [place.value]);
  if (locked.value) return html`<${AskToken} />`;
  if (!about.value) return html`<main class="token"><p class="note" role="status">Loading …</p></main>`;
  const stale = link.value === "lost" && services.value !== null;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>To the content</a>
    <header><span class="brand"><img src=${icon} alt="" /><bdi>${plain(host.value || "Supervisor", 60)}</bdi></span>
      <nav aria-label="Pages"><${Tab} name="services" here=${name}>Services<//><${Tab} name="events" here=${name}>Events<//>${answers("/v1/ring/members") && html`<${Tab} name="ring" here=${name}>Ring<//>`}<${Tab} name="supervisor" here=${name}>Supervisor${needed.value.length > 0 && html` <span class="count">${needed.value.length}<span class="aside"> to look at</span></span>`}<//><${Tab} name="api" here=${name}>API<//></nav>
      <${Link} /></header>
    <div role="alert">${stale && html`<p class="banner"><b>Not connected to the Supervisor.</b> What is shown below is how it was ${span(now.value - confirmed.value)} ago.</p>`}</div>
    <main id="main" ref=${main} tabindex="-1" class=${stale ? "stale" : ""}>${shown}</main>
    <footer>Version ${about.value.version}. Read-only: nothing here changes anything.
      Made with ${PARTS.map(([name, file], at) => html`${at > 0 && ", "}<a href=${import.meta.resolve(`${file}.license`)}>${name}</a>`)}.</footer>`;
}

addEventListener("keydown", (event) => {
  const field = document.getElementById("search");
  if (event.key === "/" && field && !event.target.closest("input, select, textarea")) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "Escape" && event.target === field) {
    field.value = "";
    field.dispatchEvent(new Event("input"));
    field.blur();
  }
});

effect(() => { if (connected.value > 0) readConditions(); });
setInterval(() => { if (!document.hidden && link.value === "live") readConditions(); }, 60_000);

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Page} />`, root);
follow();
