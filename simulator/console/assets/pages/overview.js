// Overview: the deployed dashboard in its own grid of 24 columns, under what is the matter now.
import { html, get, id, ago, alarmState, byState, table, number, pill, short } from '../lib.js';
import { figure, zoom } from '../chart.js';
import { markdown } from '../markdown.js';

let minutes = 15;
let redraw = () => {};
document.addEventListener('zoom', () => redraw());

const place = (w) => `grid-column:${w.x + 1} / span ${w.width};grid-row:${w.y + 1} / span ${w.height}`;

function view(d, app) {
  redraw = app.draw;
  const p = app.pulse;
  return html`
    <div class="bar"><h1>Overview</h1><span class="quiet">${d.name}</span><span class="spacer"></span>
      ${zoom.range ? html`<button @click=${() => zoom.set(null)}>Reset zoom</button>` : ''}
      <div class="seg" role="group" aria-label="Time range">${[5, 15, 60].map((m) => html`<button aria-pressed=${m === minutes} @click=${() => { minutes = m; zoom.set(null); app.load(); }}>${m === 60 ? '1 h' : m + ' min'}</button>`)}</div>
    </div>
    ${p ? now(p) : ''}
    ${d.widgets.length ? html`<div class="grid">${d.widgets.map((w, i) => widget(w, i, d, app))}</div>` : html`<div class="panel empty">The program declares no dashboard.</div>`}`;
}

const now = (p) => p.firing.length + p.faults.length + p.problems.length ? html`<div class="panel pad">
  ${p.firing.length ? html`<div class="bar"><strong>Firing</strong>${p.firing.map((a) => pill('bad', short(a), '#/alarms/' + id(a)))}</div>` : ''}
  ${p.faults.length ? html`<div class="bar"><strong>Faults on purpose</strong>${p.faults.map((f) => pill('warn', f, '#/faults'))}</div>` : ''}
  ${p.problems.length ? html`<details><summary><strong>Problems</strong> <span class="quiet">the last ${p.problems.length} that no answer told</span></summary>${p.problems.map((t) => html`<pre>${t}</pre>`)}</details>` : ''}
</div>` : '';

function widget(w, i, d, app) {
  const style = place(w);
  if (w.type === 'text') return html`<section class="text" .style=${style}>${markdown(w.markdown)}</section>`;
  if (w.type === 'alarm') return box(w, style, html`<div class="chips">${w.alarms.sort(byState).map(chip)}</div>`);
  if (w.type === 'log') return box(w, style, w.log ? html`${table(w.log.columns, w.log.rows.map((r) => html`<tr>${r.map((c) => html`<td class="mono wrap">${c}</td>`)}</tr>`), 'No line fits.')}` : html`<p class="quiet">${w.error}</p><pre>${w.query}</pre>`);
  if (w.type !== 'metric') return box(w, style, html`<p class="quiet">A widget of type ${w.type} is not drawn here.</p>`);
  if (w.view === 'singleValue' || w.view === 'gauge') return box(w, style, html`<div class="values">${(w.lines ?? []).map((l) => html`<div><b>${number(l.values.findLast((v) => v != null))}</b><span class="quiet">${l.label}</span></div>`)}</div>${w.error ? html`<p class="bad">${w.error}</p>` : ''}`);
  return figure({ key: d.name + i, title: w.title, extra: (w.alarms ?? []).map((a) => alarmState(a.state)), className: '', place: style, error: w.error, spec: specOf(w, d) }, app.draw);
}

const chip = (a) => html`<a class="chip" href=${'#/alarms/' + id(a.name)}>${alarmState(a.state)}${short(a.name)}${a.state === 'ALARM' ? html`<span class="quiet">${ago(a.since)}</span>` : ''}</a>`;
const box = (w, style, content) => html`<section class="panel" .style=${style}><h2 class="cap">${w.title}</h2><div class="body" tabindex="0" role="group" aria-label=${w.title || 'Widget'}>${content}</div></section>`;

export const specOf = (w, d) => ({
  times: w.times ?? [], lines: w.lines ?? [], stacked: w.stacked, min: w.yAxis?.left?.min, max: w.yAxis?.left?.max,
  from: new Date(d.from) / 1000, to: new Date(d.to) / 1000,
  limits: (w.annotations?.horizontal ?? []).flat().filter((a) => a.value != null),
  marks: (w.annotations?.vertical ?? []).flat().map((a) => ({ label: a.label, at: new Date(a.value) / 1000 })),
});

export default { title: 'Overview', about: ['metrics', 'alarms'], load: () => get('dashboard', { minutes }), view, escape: () => zoom.set(null) };
