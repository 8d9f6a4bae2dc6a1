// Logs: the lines of all log groups, read as far as they are JSON.
import { html, get, id, clock, short, pairs } from '../lib.js';

const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'METRICS', 'PLATFORM'];
const filter = { q: '', group: '', levels: 'DEBUG,INFO,WARN,ERROR' };
let follow = true, held = null;
const open = new Set();

const load = async () => {
  if (!follow && held && held.key === JSON.stringify(filter)) return held.list;
  const list = await get('logs', filter);
  held = { key: JSON.stringify(filter), list };
  return list;
};

function view(d, app) {
  const set = (name, value) => { filter[name] = value; app.load(); };
  const on = new Set(filter.levels.split(','));
  const flip = (l) => { on.has(l) ? on.delete(l) : on.add(l); set('levels', levels.filter((x) => on.has(x)).join(',') || 'NONE'); };
  return html`<div class="bar"><h1>Logs</h1><span class="quiet">${d.lines.length} newest lines first</span><span class="spacer"></span><label><input type="checkbox" .checked=${follow} @change=${(e) => { follow = e.target.checked; app.load(); }}>Follow</label></div>
    <form class="bar" @submit=${(e) => e.preventDefault()}><input type="search" placeholder="Text, message id, request id" aria-label="Filter lines by text" .value=${filter.q} @input=${(e) => set('q', e.target.value)}>
      <label>Group <select @change=${(e) => set('group', e.target.value)}><option value="">all</option>${d.groups.map((g) => html`<option value=${g} ?selected=${g === filter.group}>${short(g)}</option>`)}</select></label>
      ${levels.map((l) => html`<label><input type="checkbox" .checked=${on.has(l)} @change=${() => flip(l)}>${l}</label>`)}</form>
    <div class="panel">${d.lines.length ? html`<ol class="logs">${d.lines.map((l) => line(l, app))}</ol>` : html`<div class="empty">No line fits.</div>`}</div>`;
}

const colour = { WARN: 'warn', ERROR: 'bad' };
const brief = (fields) => Object.entries(fields ?? {}).filter(([k, v]) => v !== '-' && !['requestId', 'traceId', 'Stage', 'Function'].includes(k)).map(([k, v]) => `${k}=${typeof v === 'object' ? JSON.stringify(v) : v}`).join('  ');

function line(l, app) {
  const key = l.group + l.sequence, shown = open.has(key);
  return html`<li class=${l.level}><time datetime=${l.time}>${clock(l.time)}</time><span class=${colour[l.level] ?? 'quiet'}>${l.level}</span><span class="quiet">${short(l.group)}</span>
    <button data-row aria-expanded=${shown} @click=${() => { shown ? open.delete(key) : open.add(key); app.draw(); }}>${l.message} <span class="quiet">${brief(l.fields)}</span></button>
    ${shown ? html`<div class="more">${l.traceId ? html`<p><a href=${'#/traces/' + id(l.traceId)}>Trace ${l.traceId}</a></p>` : ''}${l.fields ? pairs(l.fields) : html`<pre>${l.message}</pre>`}</div>` : ''}</li>`;
}

export default { title: 'Logs', about: ['logs'], load, view };
