// Connections: who is here, with which devices, and for how long still.
import { html, get, post, id, table, ago, clock } from '../lib.js';

let sent = null, filter = '';

function view(d, app) {
  const users = [...new Set(d.connections.map((c) => c.user))];
  const labels = [...new Set(d.connections.flatMap((c) => (c.details ?? []).map((x) => x.label)))];
  const shown = d.connections.filter((c) => (c.user + ' ' + c.id).includes(filter));
  return html`<div class="bar"><h1>Connections</h1><span class="quiet">${d.total} open, of ${users.length} users${d.total > d.connections.length ? html`; the newest ${d.connections.length} are shown` : ''}</span><span class="spacer"></span>
      <input type="search" placeholder="Filter by user or connection" aria-label="Filter connections" .value=${filter} @input=${(e) => { filter = e.target.value; app.draw(); }}></div>
    ${d.canSend ? box(app, users) : ''}
    <div class="panel">${table(['User', 'Connection', 'Connected', 'Last active', ...labels, 'Sent#', 'Received#', 'Client', ''], shown.map((c) => row(c, labels, app)), html`Nobody is connected. Open a connection: <code>heliograph connect --user 1234</code>`)}</div>`;
}

function row(c, labels, app) {
  const end = (lose) => () => app.run(() => post(`connections/${id(c.id)}/close`, { lose }));
  const detail = (l) => { const x = (c.details ?? []).find((y) => y.label === l); return x?.until ? html`<time datetime=${x.until} title=${x.until}>${ago(x.until)}</time>` : x?.value ?? '–'; };
  return html`<tr><td class="wrap"><button class="link" data-row @click=${() => to(c.user)}>${c.user || '–'}</button></td><td class="mono">${c.id}</td><td class="nowrap"><time title=${clock(c.connectedAt)}>${ago(c.connectedAt)}</time></td><td class="nowrap">${ago(c.lastActiveAt)}</td>
    ${labels.map((l) => html`<td class="nowrap">${detail(l)}</td>`)}<td class="num">${c.sent}</td><td class="num">${c.received}</td><td class="quiet wrap">${c.userAgent || c.sourceIp}</td>
    <td class="nowrap"><button class="small" @click=${end(false)}>Close<span class="sr"> ${c.id}</span></button> <button class="small" @click=${end(true)} title="Close it, and let its $disconnect never come, as happens on AWS">Close, lose $disconnect<span class="sr"> of ${c.id}</span></button></td></tr>`;
}

function to(user) {
  document.getElementById('to').value = user;
  document.getElementById('text').focus();
}

function box(app, users) {
  const send = (e) => {
    e.preventDefault();
    const form = new FormData(e.target);
    app.run(async () => { sent = await post('send', { user: form.get('user'), body: form.get('body') }); });
  };
  return html`<form class="panel pad bar" @submit=${send}><label for="to">Send to</label><input id="to" name="user" required list="users" placeholder="user" autocomplete="off"><datalist id="users">${users.map((u) => html`<option value=${u}></option>`)}</datalist>
    <label for="text" class="sr">Text</label><input id="text" name="body" required placeholder="text" autocomplete="off" size="28"><button class="main">Send</button>
    <span role="status">${sent ? html`Queued as <a class="mono" href=${'#/journey/' + id(sent.id)}>${sent.id}</a>` : ''}</span></form>`;
}

export default { title: 'Connections', about: ['connections'], load: () => get('connections'), view };
