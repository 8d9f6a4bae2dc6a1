// A graph over time: uPlot within an element, with a legend that shows the values under the pointer, which all graphs share,
// as they do the zoom.
import { html, render, number, clock } from './lib.js';

export const zoom = {
  range: null,
  set(range) { zoom.range = range; all().forEach((c) => { c.shown = null; c.refresh(); }); document.dispatchEvent(new Event('zoom')); },
};
const dark = matchMedia('(prefers-color-scheme: dark)');
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colorOf = (i) => css(`--s${i % 8 + 1}`);
const dashOf = (i) => [[], [6, 3], [2, 3]][Math.floor(i / 8) % 3];

// stack adds lines up.
function stack(lines) {
  const sums = [];
  return lines.map((l) => l.values.map((v, j) => { sums[j] = (sums[j] ?? 0) + (v ?? 0); return sums[j]; }));
}

// A graph is drawn when it is in sight, or nearly: a dashboard has a hundred.
const all = () => document.querySelectorAll('m-chart');
const sight = new IntersectionObserver((seen) => seen.forEach((s) => { s.target.near = s.isIntersecting; s.target.refresh(); }), { rootMargin: '300px' });
const sizes = new ResizeObserver((changed) => changed.forEach((c) => c.target.resize()));
dark.addEventListener('change', () => all().forEach((c) => c.rebuild()));
document.head.append(Object.assign(document.createElement('script'), { src: '/console/vendor/uPlot.js', onload: () => all().forEach((c) => c.refresh()) }));

class Chart extends HTMLElement {
  connectedCallback() { sight.observe(this); sizes.observe(this); }

  disconnectedCallback() { sight.unobserve(this); sizes.unobserve(this); this.near = false; this.rebuild(); }

  // spec: {times, lines: [{label, values, axis}], stacked, limits: [{label, value}], marks: [{label, at}], from, to, min, max}
  set spec(s) {
    if (this.plot && this.shapeOf(s) !== this.shapeOf(this.spec_)) this.clear();
    this.spec_ = s;
    this.refresh();
  }

  clear() { this.plot?.destroy(); this.plot = this.shown = null; }

  rebuild() { this.clear(); this.refresh(); }

  refresh() {
    if (!this.near || !window.uPlot || this.shown === this.spec_) return;
    this.shown = this.spec_;
    if (!this.plot) return this.build();
    this.plot.setData(this.data(), true);
    this.show();
  }

  shapeOf(s) { return JSON.stringify([s.lines.map((l) => [l.label, l.axis]), s.limits, s.stacked, s.min, s.max]); }

  data() {
    const s = this.spec_;
    return [s.times, ...(s.stacked ? stack(s.lines).reverse() : s.lines.map((l) => l.values))];
  }

  show(index) {
    const s = this.spec_;
    const at = index ?? s.times.length - 1;
    const empty = s.lines.filter((l) => l.values.every((v) => v == null)).length;
    render(html`${s.lines.map((l, i) => empty > 3 && l.values.every((v) => v == null) ? '' : html`<li><i .style=${'background:' + colorOf(i)}></i>${l.label}<b>${number(l.values[at] ?? null)}</b></li>`)}${empty > 3 ? html`<li>${empty} without data</li>` : ''}`, this.legend);
  }

  build() {
    if (!this.box) {
      render(html`<div class="plot"></div><ul class="legend"></ul>`, this);
      [this.box, this.legend] = [this.querySelector('.plot'), this.querySelector('.legend')];
    }
    const s = this.spec_;
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!width || !height) return void (this.shown = null);
    this.plot = new uPlot({
      width, height, padding: [8, 8, 0, 0], legend: { show: false },
      cursor: { sync: { key: 'all', scales: ['x', null] }, y: false, drag: { setScale: false }, points: { size: 6 } },
      scales: {
        x: { range: () => zoom.range ?? [s.from && this.spec_.from, this.spec_.to] },
        y: { range: (u, low, high) => this.rangeOf(low, high, 'left') }, y2: { range: (u, low, high) => this.rangeOf(low, high, 'right') },
      },
      axes: this.axes(), series: [{}, ...this.series()],
      hooks: {
        setCursor: [(u) => this.show(u.cursor.left >= 0 ? u.cursor.idx : undefined)],
        setSelect: [(u) => { if (u.select.width > 4) { zoom.set([u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')]); u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false); } }],
        draw: [(u) => this.mark(u)],
      },
    }, this.data(), this.box);
    this.show();
  }

  rangeOf(low, high, axis) {
    const s = this.spec_;
    const limits = axis === 'left' ? (s.limits ?? []).map((l) => l.value) : [];
    const top = Math.max(high ?? 0, ...limits);
    return [s.min ?? Math.min(low ?? 0, s.max ?? 0, ...limits), s.max ?? (top > 0 ? top * 1.12 : 1)];
  }

  axes() {
    const base = { stroke: css('--quiet'), font: '11px system-ui, sans-serif', ticks: { show: false }, grid: { stroke: css('--line'), width: 1 } };
    const right = this.spec_.lines.some((l) => l.axis === 'right');
    const values = (u, splits) => splits.map(number);
    return [
      { ...base, size: 22, grid: { show: false }, space: 64, values: (u, splits) => splits.map((t, i) => clock(t * 1000, false).slice(0, splits[1] - splits[0] < 60 ? 8 : 5)) },
      { ...base, size: 44, space: 28, values }, ...(right ? [{ ...base, scale: 'y2', side: 1, size: 44, grid: { show: false }, values }] : []),
    ];
  }

  series() {
    const s = this.spec_;
    const all = s.lines.map((l, i) => ({
      label: l.label, scale: l.axis === 'right' ? 'y2' : 'y', stroke: colorOf(i), width: 1.75, dash: dashOf(i), fill: s.stacked ? colorOf(i) : undefined, points: { size: 5, ...(s.stacked && { show: false }) },
    }));
    return s.stacked ? all.reverse() : all;
  }

  // mark draws thresholds and events.
  mark(u) {
    const { ctx, bbox: b } = u, s = this.spec_, ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = css('--bad');
    ctx.lineWidth = ratio; ctx.setLineDash([5 * ratio, 4 * ratio]); ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    for (const l of s.limits ?? []) {
      const y = u.valToPos(l.value, 'y', true);
      ctx.beginPath(); ctx.moveTo(b.left, y); ctx.lineTo(b.left + b.width, y); ctx.stroke();
      ctx.textAlign = 'right'; ctx.fillText(l.label ?? '', b.left + b.width - 4 * ratio, y - 4 * ratio);
    }
    ctx.strokeStyle = ctx.fillStyle = css('--quiet');
    for (const m of s.marks ?? []) {
      const x = u.valToPos(m.at, 'x', true);
      if (x < b.left || x > b.left + b.width) continue;
      ctx.beginPath(); ctx.moveTo(x, b.top); ctx.lineTo(x, b.top + b.height); ctx.stroke();
      ctx.textAlign = 'left'; ctx.fillText(m.label ?? '', x + 4 * ratio, b.top + 12 * ratio);
    }
    ctx.restore();
  }

  resize() {
    if (!this.plot) return this.refresh();
    const { clientWidth: width, clientHeight: height } = this.box;
    if (width && height && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }
}
customElements.define('m-chart', Chart);

const open = new Set();

// figure is a graph with its title and, behind a button, the same as a table.
export function figure({ key, title, extra, spec, className, place, error }, redraw) {
  const asTable = open.has(key);
  const flip = () => { asTable ? open.delete(key) : open.add(key); redraw(); };
  const none = !spec.lines.some((l) => l.values.some((v) => v != null));
  const last = spec.lines.map((l) => `${l.label} ${number(l.values.at(-1))}`).join(', ');
  return html`<figure class="panel ${className ?? ''}" .style=${place ?? ''}>
    <figcaption><span>${title}</span>${extra}<button class="small" aria-pressed=${asTable} @click=${flip}>Table<span class="sr"> of ${title}</span></button></figcaption>
    ${error ? html`<p class="bad body">${error}</p>` : ''}
    ${asTable ? figures(title, spec) : html`<m-chart .spec=${spec} role="img" aria-label=${`${title}. ${none ? 'No data.' : 'Last: ' + last}`}></m-chart>`}
  </figure>`;
}

const figures = (title, s) => html`<div class="body table" tabindex="0" role="group" aria-label=${'Values of ' + title}><table>
  <thead><tr><th scope="col">Time</th>${s.lines.map((l) => html`<th scope="col" class="num">${l.label}</th>`)}</tr></thead>
  <tbody>${s.times.map((t, i) => html`<tr><th scope="row">${clock(t * 1000, false)}</th>${s.lines.map((l) => html`<td class="num">${number(l.values[i])}</td>`)}</tr>`).reverse()}</tbody></table></div>`;
