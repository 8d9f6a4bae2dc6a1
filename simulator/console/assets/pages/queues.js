// Queues: what waits, what died, and why.
import { html, get, post, id, table, short, clock, state } from '../lib.js';

const load = async ([name]) => {
  const [list, one] = await Promise.all([get('queues'), name ? get('queues/' + id(name)) : null]);
  return { list, one };
};

function view({ list, one }, app) {
  return html`<div class="bar"><h1>Queues</h1></div>
    <div class="panel">${table(['Queue', 'State', 'Visible#', 'In flight#', 'Delayed#', 'Oldest#', 'Sent#', 'Deleted#', 'Dead letters go to'], list.map((q) => html`<tr class=${one?.name === q.name ? 'on' : ''}><td><a data-row href=${'#/queues/' + id(q.name)}>${short(q.name)}</a></td>
      <td>${q.deadLettersOf && q.visible ? state('bad', 'dead letters') : q.visible > 0 ? state('warn', 'waiting') : state('ok', 'drained')}</td>
      <td class="num">${q.visible}</td><td class="num">${q.inFlight}</td><td class="num">${q.delayed}</td><td class="num">${q.oldest} s</td><td class="num">${q.sent}</td><td class="num">${q.deleted}</td><td class="quiet">${short(q.deadLetters) || '–'}</td></tr>`), 'The program declares no queue.')}</div>
    ${one ? messages(one, app) : ''}`;
}

function messages(q, app) {
  const redrive = (letter) => () => app.run(() => post(`queues/${id(q.name)}/redrive`, letter ? { id: letter } : {}));
  return html`<section class="panel" aria-labelledby="queue"><h2 id="queue">${short(q.name)}<span class="quiet">looked at without receiving</span><span class="spacer"></span>
      ${q.redriveTo && q.messages.length ? html`<button class="small" @click=${redrive()}>Redrive all to ${short(q.redriveTo)}</button>` : ''}<a href="#/queues">Close</a></h2>
    ${table(['Sent', 'State', ...(q.redriveTo ? ['Reason'] : []), 'Message', 'Received#', ''], q.messages.map((m) => html`<tr><td class="nowrap">${clock(+m.sent)}</td><td>${m.state}</td>
      ${q.redriveTo ? html`<td>${m.reason ? html`${state('bad', m.reason)}<div class="quiet wrap">${m.detail}</div>` : '–'}</td>` : ''}
      <td><a class="mono" href=${'#/journey/' + id(m.id)}>${m.id}</a><pre>${m.body.length > 2000 ? m.body.slice(0, 2000) + ' …' : m.body}</pre>${Object.keys(m.attributes).length ? html`<details><summary>Attributes</summary><dl>${Object.entries(m.attributes).map(([k, v]) => html`<dt>${k}</dt><dd class="mono">${v}</dd>`)}</dl></details>` : ''}</td>
      <td class="num">${m.received}</td><td>${q.redriveTo ? html`<button class="small" @click=${redrive(m.id)}>Redrive<span class="sr"> ${m.id}</span></button>` : ''}</td></tr>`), 'The queue is empty.')}</section>`;
}

export default { title: 'Queues', about: ['queues'], keep: true, load, view, escape: () => { location.hash = '#/queues'; } };
