// Journey: what became of one message, from the queue to each device.
import { html, get, id, state, shape, clock, ms } from '../lib.js';

const load = async ([message]) => message ? { message, journey: await get('journey/' + id(message)) } : { message: '' };
const kinds = { ok: 'ok', warn: 'warn', bad: 'bad', gap: 'idle', info: 'idle' };

function view({ message, journey }) {
  const open = (e) => { e.preventDefault(); const to = new FormData(e.target).get('id').trim(); if (to) location.hash = '#/journey/' + id(to); };
  return html`<div class="bar"><h1>Journey</h1></div>
    <form class="bar" @submit=${open}><input type="search" name="id" required placeholder="Message id of SQS, or the Id of its producer" aria-label="Message id" .value=${message}><button class="main">Follow</button></form>
    ${journey ? story(journey) : html`<div class="panel empty">Name a message, and see where it went: queued, received, posted to each device, tried again, delivered, dead-lettered or expired.<br><code>heliograph send</code> prints the id; so does the send box of <a href="#/connections">Connections</a>.</div>`}`;
}

function story(j) {
  const start = j.steps.find((s) => s.at)?.at;
  return html`<div class="bar">${state(kinds[j.status] ?? 'idle', j.outcome)}<span class="quiet">${j.summary}</span></div>
    ${j.steps.length ? html`<section class="panel pad" aria-label="Steps"><ol class="steps">${j.steps.map((s) => html`<li class=${s.status === 'gap' ? 'gap' : ''}>
      <time datetime=${s.at ?? ''}>${s.at ? html`${clock(s.at)}<br>+ ${ms(Math.max(0, new Date(s.at) - new Date(start)))}` : ''}</time>${shape(kinds[s.status] ?? 'idle')}
      <div><strong>${s.title}</strong> ${s.attempt ? html`<span class="tag">attempt ${s.attempt}</span>` : ''}${s.detail ? html`<p class="quiet wrap">${s.detail}</p>` : ''}
        ${s.messageId ? html`<div class="mono quiet wrap">${s.messageId}</div>` : ''}${s.traceId ? html`<a href=${'#/traces/' + id(s.traceId)}>Trace</a>` : ''}</div></li>`)}</ol></section>` : ''}`;
}

export default { title: 'Journey', about: ['traces', 'logs', 'queues'], keep: false, load, view, escape: () => { location.hash = '#/journey'; } };
