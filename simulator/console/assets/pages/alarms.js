// Alarms: which promise is broken, since when, and on which values it was decided.
import { html, get, post, id, alarmState, byState, shape, table, ago, clock, number, short } from '../lib.js';
import { figure } from '../chart.js';
import { markdown } from '../markdown.js';

let filter = '';

async function load([name]) {
  const [list, detail] = await Promise.all([get('alarms'), name ? get('alarms/' + id(name)) : null]);
  list.sort(byState);
  return { list, detail };
}

function view({ list, detail }, app) {
  const shown = list.filter((a) => (a.name + a.state + (a.severity ?? '')).toLowerCase().includes(filter));
  const count = (s) => list.filter((a) => a.state === s && a.severity !== 'none').length;
  return html`
    <div class="bar"><h1>Alarms</h1><span class="quiet">${count('ALARM')} firing, ${count('OK')} OK, ${count('INSUFFICIENT_DATA')} without data</span><span class="spacer"></span>
      <input type="search" placeholder="Filter by name or state" aria-label="Filter alarms" .value=${filter} @input=${(e) => { filter = e.target.value.toLowerCase(); app.draw(); }}></div>
    ${detail ? about(detail, app) : ''}
    <div class="panel">${table(['State', 'Alarm', 'Severity', 'Since', 'Why'], shown.map((a) => html`<tr class=${a.name === detail?.name ? 'on' : ''}>
      <td>${alarmState(a.state)}</td><td class="nowrap"><a data-row href=${'#/alarms/' + id(a.name)}>${short(a.name)}</a></td><td>${a.severity || '–'}</td>
      <td class="nowrap">${a.since ? html`<time datetime=${a.since} title=${a.since}>${ago(a.since)}</time>` : '–'}</td><td class="wrap quiet">${a.reason}</td></tr>`),
    list.length ? 'No alarm fits the filter.' : 'Nothing evaluates alarms here yet.')}</div>`;
}

function about(a, app) {
  return html`<section class="panel" aria-labelledby="alarm"><h2 id="alarm">${alarmState(a.state)} <span>${short(a.name)}</span>${a.severity ? html`<span class="tag">${a.severity}</span>` : ''}<span class="spacer"></span>
      ${a.prove ? html`<button class="small" title="Turn on the faults that set it off; it also takes traffic" @click=${() => app.run(() => post('presets/' + id(a.prove)))}>Prove it: ${a.prove}</button>` : ''}<a href="#/alarms">Close</a></h2>
    <div class="pad"><p class="wrap">${a.description}</p><dl>
      <dt>Fires when</dt><dd class="mono">${a.condition}</dd>
      <dt>Since</dt><dd>${a.since ? html`${clock(a.since, false)}, ${ago(a.since)}` : '–'}</dd><dt>Why</dt><dd>${a.reason}</dd>
      ${a.suppressedBy ? html`<dt>Suppressed by</dt><dd>${a.suppressedBy}</dd>` : ''}</dl></div>
    ${a.points?.length ? html`<div class="pad"><h3>${a.points.filter((p) => p.state === 'breaching').length} of the last ${a.points.length} data points breach</h3><div class="dots" role="list">${a.points.map(dot)}</div></div>` : ''}
    ${a.chart ? graph(a, a.chart, app) : ''}
    ${a.inputs ? html`<div class="cards pad">${a.inputs.map((i) => graph(a, i, app))}</div>` : ''}
    ${a.children?.length ? html`<div class="pad"><h3>Its alarms</h3>${a.children.map((c) => html`<p>${alarmState(c.state)} <a href=${'#/alarms/' + id(c.name)}>${short(c.name)}</a></p>`)}</div>` : ''}
    ${a.history?.length ? html`<div class="pad"><h3>History</h3></div>${table(['When', 'From', 'To', 'Decided by'], a.history.map((h) => html`<tr><td class="nowrap">${clock(h.at, false)}</td><td>${alarmState(h.from)}</td><td>${alarmState(h.to)}</td><td class="wrap">${h.reason}</td></tr>`))}` : ''}
    ${a.runbook ? html`<details class="pad" open><summary><strong>Runbook</strong></summary>${markdown(a.runbook)}</details>` : ''}</section>`;
}

const dot = (p) => html`<span role="listitem" title=${`${clock(p.at, false)} ${p.value == null ? 'no data' : number(p.value)}`}>${shape(p.state === 'breaching' ? 'bad' : p.state === 'missing' ? 'idle' : 'ok', `${clock(p.at, false)}: ${p.value == null ? 'no data' : number(p.value)}, ${p.state}`)}</span>`;
const graph = (a, g, app) => figure({ key: a.name + g.title, title: g.title, className: 'alarm', spec: { ...g, from: new Date(g.from) / 1000, to: new Date(g.to) / 1000 } }, app.draw);

export default { title: 'Alarms', about: ['alarms', 'metrics'], keep: true, load, view, escape: () => { location.hash = '#/alarms'; } };
