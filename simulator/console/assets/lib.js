// What all pages share: templates, requests and looks.
import { html, svg, nothing, render } from './vendor/lit-html.js';
export { html, svg, nothing, render };

const data = '/_heliograph/';

// The address printed at the start holds the run's key; then the browser keeps it.
const given = new URLSearchParams(location.search).get('key');
if (given) {
  localStorage.setItem('key', given);
  history.replaceState(null, '', location.pathname + location.hash);
}
export const key = localStorage.getItem('key') ?? 'none';

async function ask(path, options) {
  const response = await fetch(data + path, { ...options, headers: { 'X-Heliograph': key, ...options?.headers } });
  const value = await response.json();
  if (!response.ok) throw new Error(value.error || response.statusText);
  return value;
}
export const get = (path, query = {}) => {
  const wanted = Object.entries(query).filter(([, v]) => v);
  return ask(path + (wanted.length ? '?' + new URLSearchParams(wanted) : ''));
};
const write = (method) => (path, body) => ask(path, {
  method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}),
});
export const post = write('POST');
export const remove = async (path) => { await fetch(data + path, { method: 'DELETE', headers: { 'X-Heliograph': key } }); };
export const id = encodeURIComponent;

const two = (n) => String(n).padStart(2, '0');
export const clock = (t, ms = true) => {
  const d = new Date(t);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}` + (ms ? '.' + String(d.getMilliseconds()).padStart(3, '0') : '');
};
export const number = (v) => {
  if (v == null) return '–';
  const a = Math.abs(v);
  if (a >= 1e6) return +(v / 1e6).toPrecision(3) + 'M';
  if (a >= 1e4) return +(v / 1e3).toPrecision(3) + 'k';
  return String(a >= 100 ? Math.round(v) : +v.toPrecision(3));
};
export const ms = (v) => v >= 60000 ? Math.floor(v / 60000) + ' min ' + Math.round(v % 60000 / 1000) + ' s'
  : v >= 1000 ? +(v / 1000).toPrecision(3) + ' s' : +v.toPrecision(v < 10 ? 2 : 3) + ' ms';
export const ago = (t) => { const s = (Date.now() - new Date(t)) / 1000; return s < 0 ? 'in ' + span(-s) : span(s) + ' ago'; };
const span = (s) => s < 90 ? Math.round(s) + ' s' : s < 5400 ? Math.round(s / 60) + ' min' : s < 172800 ? Math.round(s / 3600) + ' h' : Math.round(s / 86400) + ' d';

// Each state has a colour, a shape and a word, so that none of them alone carries it.
const shapes = {
  ok: svg`<circle cx="6" cy="6" r="5"/>`, bad: svg`<path d="M6 0 12 11H0Z"/>`, warn: svg`<path d="M6 0l6 6-6 6-6-6Z"/>`,
  idle: svg`<path d="M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z"/>`,
};
export const shape = (kind, label) => html`<svg viewBox="0 0 12 12" class=${kind} role=${label ? 'img' : nothing} aria-label=${label ?? nothing} aria-hidden=${label ? nothing : 'true'}>${shapes[kind]}</svg>`;
export const state = (kind, text) => html`<span class="state ${kind}">${shape(kind)}${text}</span>`;
export const pill = (kind, text, href) => href
  ? html`<a class="state pill ${kind}" href=${href}>${shape(kind)}${text}</a>` : html`<span class="state pill ${kind}">${shape(kind)}${text}</span>`;

const order = ['ALARM', 'INSUFFICIENT_DATA', 'OK'];
export const byState = (a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name);
const alarmKinds = { OK: 'ok', ALARM: 'bad', INSUFFICIENT_DATA: 'idle' };
export const alarmState = (s) => state(alarmKinds[s] ?? 'idle', s === 'INSUFFICIENT_DATA' ? 'NO DATA' : s || 'unknown');
export const traceState = (s) => state({ ok: 'ok', error: 'warn', throttle: 'warn', fault: 'bad' }[s] ?? 'idle', s);

export const table = (heads, rows, empty) => rows.length
  ? html`<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead><tr>${heads.map((h) => h ? html`<th scope="col" class=${h.endsWith('#') ? 'num' : ''}>${h.replace('#', '')}</th>` : html`<td></td>`)}</tr></thead><tbody>${rows}</tbody></table></div>`
  : html`<div class="empty">${empty}</div>`;

export const pairs = (object) => html`<dl>${Object.entries(object ?? {}).map(([k, v]) => html`<dt>${k}</dt><dd class="mono">${typeof v === 'object' ? JSON.stringify(v) : String(v)}</dd>`)}</dl>`;

// short takes off what all names of a stack begin with.
export const short = (name) => (name ?? '').replace(/^.*\//, '').replace(/^heliograph-[^-]+-/, '');
