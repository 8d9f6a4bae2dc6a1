// Faults: what goes wrong on purpose.
import { html, get, post, remove, id, table, state } from '../lib.js';

const load = async () => {
  const [list, presets] = await Promise.all([get('faults'), get('presets')]);
  return { list, presets };
};

// fits reports whether a fault is one of a preset's rules: it has all that the rule has.
const fits = (rule) => (f) => !f.spent && Object.entries(rule).every(([k, v]) => JSON.stringify(f[k]) === JSON.stringify(v));

function view({ list, presets }, app) {
  return html`<div class="bar"><h1>Faults</h1><span class="quiet">what goes wrong on purpose, in this stack only</span><span class="spacer"></span>
      ${list.length ? html`<button @click=${() => app.run(() => remove('faults'))}>All off</button>` : ''}</div>
    <div class="cards">${presets.map((p) => preset(p, list, app))}</div>
    <div class="panel"><h2>In effect</h2>${table(['Fault', 'State', 'What goes wrong', 'Hits#', ''], list.map((f) => html`<tr><td class="mono">${f.id}</td><td>${f.spent ? state('idle', 'spent') : state('warn', 'on')}</td><td class="wrap">${say(f)}</td><td class="num">${f.hits}</td><td><button class="small" data-row @click=${() => app.run(() => remove('faults/' + id(f.id)))}>Turn off<span class="sr"> ${f.id}</span></button></td></tr>`), 'Nothing: all goes right.')}</div>
    <p class="quiet">Any other fault: <code>heliograph fault add --help</code></p>`;
}

const say = (f) => [f.service, f.action, f.resource, f.caller && 'by ' + f.caller, f.error ?? (f.down ? 'is down' : f.lost ? 'is lost' : f.duplicate ? 'comes twice' : f.kill ? 'is killed' : ''), f.latency && 'takes ' + f.latency, f.rate && Math.round(f.rate * 100) + ' % of the time', f.count && f.count + ' times'].filter(Boolean).join(' · ');

function preset(p, list, app) {
  const mine = p.rules.map((r) => list.find(fits(r)));
  const on = mine.length > 0 && mine.every(Boolean);
  const flip = () => app.run(async () => { if (on) for (const f of mine) await remove('faults/' + id(f.id)); else await post('presets/' + id(p.name)); });
  return html`<section class="panel card"><button class="switch" role="switch" aria-checked=${on} aria-label=${p.name} @click=${flip}></button><div><h2>${p.name}</h2><p class="quiet">${p.meaning}</p>${on ? state('warn', 'on') : state('idle', 'off')}</div></section>`;
}

export default { title: 'Faults', about: ['faults'], load, view };
