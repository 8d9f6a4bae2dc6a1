// The console's frame: which page is shown, what the stream of events says, and the keys.
import { html, nothing, render, get, key as secret, pill } from './lib.js';
import overview from './pages/overview.js';
import alarms from './pages/alarms.js';
import traces from './pages/traces.js';
import journey from './pages/journey.js';
import connections from './pages/connections.js';
import queues from './pages/queues.js';
import logs from './pages/logs.js';
import faults from './pages/faults.js';

const pages = { overview, alarms, traces, journey, connections, queues, logs, faults };
const main = document.getElementById('main');
const app = { visit: 0, pulse: null, live: false, paused: false, stack: {}, name: '', args: [], error: '', data: null };

// A page is {title, about, load(args), view(data, app)}: about names what of the stream's versions it shows.
const page = () => pages[app.name];

function draw() {
  const p = page();
  document.title = `${p.title} · ${app.stack.name ?? 'Console'}`;
  for (const a of document.querySelectorAll('#nav a')) {
    const here = a.hash === '#/' + app.name;
    here ? a.setAttribute('aria-current', 'page') : a.removeAttribute('aria-current');
  }
  render(html`${app.error ? html`<p class="notice" role="alert">${app.error}</p>` : ''}${app.data ? p.view(app.data, app) : html`<h1>${p.title}</h1>${app.error ? '' : html`<p class="quiet">Loading…</p>`}`}`, main);
  status();
}

function status() {
  const p = app.pulse;
  render(!p ? html`<span class="quiet">Connecting…</span>` : html`
    ${p.firing.length ? pill('bad', `${p.firing.length} firing`, '#/alarms') : p.alarms ? pill('ok', 'No alarm', '#/alarms') : nothing}
    ${p.faults.length ? pill('warn', `${p.faults.length} fault${p.faults.length > 1 ? 's' : ''} on`, '#/faults') : nothing}
    ${app.live ? pill(app.paused ? 'idle' : 'ok', app.paused ? 'Paused' : 'Live') : pill('bad', 'Stack is gone')}
    <button class="small" aria-pressed=${app.paused} @click=${pause}>${app.paused ? 'Resume' : 'Pause'}</button>`, document.getElementById('status'));
}

const pause = () => { app.paused = !app.paused; app.paused ? draw() : load(); };

// load reads what the page shows. What is asked for while it reads is read afterwards, once.
let loading = null, again = false;
async function load() {
  if (loading) { again = true; return; }
  const visit = app.visit;
  loading = page().load(app.args, app);
  try {
    const data = await loading;
    if (visit === app.visit) { app.data = data; app.error = ''; }
  } catch (e) {
    if (visit === app.visit) app.error = e.message;
  }
  loading = null;
  draw();
  if (again) { again = false; load(); }
}
app.load = load; app.draw = draw;
app.run = async (work) => { try { app.error = ''; await work(); } catch (e) { app.error = e.message; draw(); return; } load(); };

// The first pulse, or its failure, has the page read.
let begun = false;
const begin = () => { begun = true; load(); };

function go() {
  const [name, ...args] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  const next = pages[name] ? name : 'overview';
  if (next !== app.name || args.join('/') !== app.args.join('/')) { app.data = next === app.name && page().keep ? app.data : null; scrollTo(0, 0); }
  app.visit++;
  app.name = next; app.args = args; app.error = '';
  draw();
  if (begun) load();
}

function listen() {
  const stream = new EventSource('/_heliograph/events?key=' + encodeURIComponent(secret));
  // A page that the browser keeps would hold one of its six connections.
  onpagehide = () => stream.close();
  onpageshow = (e) => e.persisted && location.reload();
  stream.addEventListener('pulse', (e) => {
    const before = app.pulse?.versions ?? {};
    app.pulse = JSON.parse(e.data);
    app.live = true;
    status();
    if (!begun) begin();
    else if (!app.paused && page().about.some((what) => before[what] !== app.pulse.versions[what])) load();
  });
  stream.onerror = () => { app.live = false; status(); if (!begun) begin(); };
}

// Keys: g and a letter opens a page, j and k walk through rows, / goes to the filter, ? tells all this.
const letters = { o: 'overview', a: 'alarms', t: 'traces', j: 'journey', c: 'connections', q: 'queues', l: 'logs', f: 'faults' };
let wasG = 0;
function walk(step) {
  const rows = [...main.querySelectorAll('[data-row]')];
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + step))]?.focus();
}
function key(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, textarea, select, dialog[open]')) {
    if (e.key === 'Escape') e.target.blur();
    return;
  }
  const after = Date.now() - wasG < 1200;
  wasG = 0;
  if (after && letters[e.key]) location.hash = '#/' + letters[e.key];
  else if (e.key === 'g') wasG = Date.now();
  else if (e.key === 'j') walk(1);
  else if (e.key === 'k') walk(-1);
  else if (e.key === '/') (main.querySelector('input[type=search]') ?? main).focus();
  else if (e.key === '?') help();
  else if (e.key === 'Escape' && page().escape) page().escape(app);
  else return;
  e.preventDefault();
}
function help() {
  const dialog = document.getElementById('keys');
  render(html`<h2 id="keys-title">Keys</h2><dl>${[...Object.entries(letters).map(([k, p]) => [['g', k], pages[p].title]), [['j'], 'Next row'], [['k'], 'Row before'], [['Enter'], 'Open the row'], [['/'], 'Filter'], [['Esc'], 'Back, or reset the zoom'], [['?'], 'This list']].map(([ks, what]) => html`<dt>${ks.map((k) => html`<kbd>${k}</kbd> `)}</dt><dd>${what}</dd>`)}</dl><p><button @click=${() => dialog.close()}>Close</button></p>`, dialog);
  dialog.showModal();
}

document.getElementById('skip').addEventListener('click', () => main.focus());
addEventListener('hashchange', go);
addEventListener('keydown', key);
main.replaceChildren();
go();
listen();
get('stack').then((s) => { app.stack = s; document.getElementById('name').textContent = s.name || 'Console'; draw(); }, () => {});
