// Traces: what each invocation did, and for how long.
import { html, get, id, traceState, table, clock, ms, short, pairs, number } from '../lib.js';

const filter = { q: '', name: '', status: '', atLeast: '', background: '' };
let chosen = '';

const load = async ([one]) => one ? { trace: await get('traces/' + id(one)) } : { list: await get('traces', filter) };

function view(d, app) { return d.trace ? one(d.trace, app) : many(d.list, app); }

function many(list, app) {
  const set = (name) => (e) => { filter[name] = e.target.type === 'checkbox' ? (e.target.checked ? '1' : '') : e.target.value; app.load(); };
  return html`
    <div class="bar"><h1>Traces</h1><span class="quiet">${list.traces.length} newest</span></div>
    <form class="bar" @submit=${(e) => e.preventDefault()}>
      <input type="search" placeholder="Trace id or annotation" aria-label="Filter by trace id or annotation" .value=${filter.q} @input=${set('q')}>
      <label>Name <select @change=${set('name')}><option value="">any</option>${list.names.map((n) => html`<option value=${n} ?selected=${n === filter.name}>${short(n)}</option>`)}</select></label>
      <label>Status <select @change=${set('status')}>${['', 'ok', 'error', 'throttle', 'fault'].map((s) => html`<option value=${s} ?selected=${s === filter.status}>${s || 'any'}</option>`)}</select></label>
      <label>At least <select @change=${set('atLeast')}>${['', '10', '100', '1000'].map((s) => html`<option value=${s} ?selected=${s === filter.atLeast}>${s ? ms(+s) : 'any time'}</option>`)}</select></label>
      <label><input type="checkbox" .checked=${!!filter.background} @change=${set('background')}>Routine ones, too${list.hidden ? html` <span class="quiet">(${list.hidden} hidden)</span>` : ''}</label>
    </form>
    <div class="panel">${table(['Started', 'Name', 'Status', 'Outcome', 'Took#', '', 'Segments#', 'Trace'], rows(list.traces), html`No trace fits. Send something: <code>heliograph send --user 1234 Hello</code>`)}</div>`;
}

function rows(traces) {
  const longest = Math.max(1, ...traces.map((t) => t.ms));
  return traces.map((t) => html`<tr><td class="nowrap">${clock(t.start)}</td><td><a data-row href=${'#/traces/' + id(t.id)}>${short(t.name)}</a></td><td>${traceState(t.status)}</td>
    <td>${t.annotations.outcome ?? ''}${t.annotations.coldStart ? html` <span class="tag">cold</span>` : ''}</td><td class="num">${ms(t.ms)}</td>
    <td><svg width="90" height="8" aria-hidden="true"><rect class="bar-${t.status}" y="1" rx="1" height="6" width=${Math.max(2, 90 * Math.log1p(t.ms) / Math.log1p(longest))}></rect></svg></td>
    <td class="num">${t.segments}</td><td class="mono quiet">${t.id.slice(11)}</td></tr>`);
}

function one(t, app) {
  const lines = t.logs.filter((l) => l.level !== 'METRICS' && l.level !== 'PLATFORM');
  const at = (l) => new Date(l.time) - new Date(t.start);
  const ordered = t.spans.map((s) => ({ at: s.at, s }));
  for (const l of lines) { // a line goes behind the last span that had begun
    let i = ordered.length;
    while (i > 0 && ordered[i - 1].at > at(l)) i--;
    ordered.splice(i, 0, { at: at(l), l, depth: ordered[i - 1]?.s?.depth ?? ordered[i - 1]?.depth ?? 0 });
  }
  const selected = t.spans.find((s) => s.id === chosen) ?? t.spans[0];
  const total = Math.max(t.ms, ...ordered.map((x) => x.at), 0.001);
  return html`
    <div class="bar"><a href="#/traces">Traces</a><span class="quiet">/</span><h1>${short(t.name)}</h1>${traceState(t.status)}<span>${ms(t.ms)}</span><span class="quiet">${clock(t.start)}</span><span class="spacer"></span>
      <button @click=${(e) => copy(e.target, JSON.stringify(t.document, null, 2))}>Copy as X-Ray JSON</button></div>
    <p class="mono quiet wrap">${t.id}</p>
    <div class="split"><div class="panel table" tabindex="0" role="group" aria-label="Waterfall"><table class="fall"><caption class="sr">Spans and log lines in the order of their starts</caption>
      <thead><tr><th scope="col">Span</th><th scope="col"><span class="num">0</span></th><th scope="col" class="num">${ms(total)}</th></tr></thead>
      <tbody>${ordered.map((x) => x.s ? spanRow(x.s, total, selected, app) : logRow(x, total))}</tbody></table></div>
      <aside class="panel" aria-label="Details of the span">${selected ? details(selected, t) : ''}</aside></div>`;
}

const origins = { 'AWS::Lambda': ' · Lambda', 'AWS::Lambda::Function': ' · function' };
const label = (s) => short(s.name).replace('ApiGatewayManagementApi', '@connections') + (s.aws?.operation ? ' ' + s.aws.operation : origins[s.kind] ?? '');
const percent = (v) => Math.min(100, Math.max(0, v)).toFixed(2) + '%';

function spanRow(s, total, selected, app) {
  const width = Math.max(0.4, 100 * s.ms / total);
  return html`<tr class=${s === selected ? 'on' : ''}><td .style=${`padding-left:${10 + 14 * s.depth}px`}><button class="name" data-row title=${label(s)} aria-pressed=${s === selected} @click=${() => { chosen = s.id; app.draw(); }} @focus=${() => { if (chosen !== s.id) { chosen = s.id; app.draw(); } }}>${label(s)}</button></td>
    <td><svg height="14" role="img" aria-label=${`starts at ${ms(s.at)}, ${s.status}`}><rect class="bar-${s.status}" x=${percent(100 * s.at / total)} y="2" height="10" rx="2" width=${percent(Math.min(width, 100.4 - 100 * s.at / total))}></rect></svg></td>
    <td class="num">${s.inProgress ? 'in progress' : ms(s.ms)}</td></tr>`;
}

const logRow = ({ at, l, depth }, total) => html`<tr class="log"><td .style=${`padding-left:${10 + 14 * depth}px`}><span class="tag">${l.level}</span> <span class="mono">${l.message} ${l.fields?.cause ?? ''}</span></td>
  <td><svg height="14" aria-hidden="true"><circle class="bar-tick" cx=${percent(100 * at / total)} cy="7" r="3"></circle></svg></td><td class="num">at ${ms(at)}</td></tr>`;

const details = (s, t) => html`<h2>${label(s)}</h2><div class="pad"><p>${traceState(s.status)}</p>
  <dl><dt>Starts at</dt><dd>${ms(s.at)}</dd><dt>Took</dt><dd>${s.inProgress ? 'in progress' : ms(s.ms)}, ${number(100 * s.ms / (t.ms || 1))} % of the trace</dd>${s.kind ? html`<dt>Kind</dt><dd>${s.kind}</dd>` : ''}<dt>Id</dt><dd class="mono">${s.id}</dd></dl>${s.annotations?.messageId ? html`<p><a href=${'#/journey/' + id(s.annotations.messageId)}>Journey of the message</a></p>` : ''}
  ${[['Annotations', s.annotations], ['AWS', s.aws], ['HTTP', s.http?.response], ['Metadata', s.metadata]].map(([title, o]) => o ? html`<h3>${title}</h3>${pairs(o)}` : '')}
  ${s.cause ? html`<h3>Cause</h3>${(s.cause.exceptions ?? []).map((e) => html`<p class="bad wrap"><strong>${e.type}</strong> ${e.message}</p>`)}${s.cause.exceptions ? '' : html`<pre>${JSON.stringify(s.cause, null, 1)}</pre>`}` : ''}</div>
  ${t.logs.length ? html`<details class="pad"><summary>All ${t.logs.length} log lines</summary>${t.logs.map((l) => html`<pre><span class="quiet">${clock(l.time)} ${l.level}</span> ${l.message || JSON.stringify(l.fields)}</pre>`)}</details>` : ''}`;

async function copy(button, text) {
  const before = button.textContent;
  try { await navigator.clipboard.writeText(text); button.textContent = 'Copied'; } catch { button.textContent = 'The browser refuses'; }
  setTimeout(() => { button.textContent = before; }, 1500);
}

export default { title: 'Traces', about: ['traces'], load, view, escape: () => { location.hash = '#/traces'; } };
