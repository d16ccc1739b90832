// Text and times for people. Whatever comes from outside passes `plain` and reaches the page as the
// text of a node, never as markup.

const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f]/g;
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// Colours of programs, and what else begins with ESC [.
const SEQUENCES = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
const SHOWN = 4096;

/** Foreign text in one line: nothing in it acts, what acts elsewhere is visible. */
export function plain(text, most = SHOWN) {
  const whole = String(text ?? "");
  const cut = whole.length > most ? `${whole.slice(0, most)} … (${whole.length - most} more characters)` : whole;
  return cut
    .replace(CONTROLS, (c) => String.fromCharCode(c === "\u007f" ? 0x2421 : 0x2400 + c.charCodeAt(0)))
    .replace(DIRECTIONS, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** A line that a program printed, without its colours. */
export const printed = (text) => plain(String(text ?? "").replace(SEQUENCES, ""));

/** A duration, in its largest unit. */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s}\u00a0s`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00a0min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)}\u00a0h`;
  return `${Math.floor(s / 86400)}\u00a0d`;
}

const pad = (number) => String(number).padStart(2, "0");

/** The local time of day, with the date unless it is of today. */
export function clock(time, today = new Date().toDateString()) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return "–";
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  const hour = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  return at.toDateString() === today ? hour : `${day} ${hour}`;
}

const MOMENT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** Foreign text in one line, with the moments in it as local times. */
export const told = (text, today) => plain(text).replace(MOMENT, (moment) => clock(moment, today));

/** The same in UTC, in full. */
export function utc(time) {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? "" : `${at.toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

/** The time between two moments, in its two largest units. */
export function between(from, to) {
  const s = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** A number of bytes. */
export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let value = count;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}\u00a0${units[at]}`;
}
