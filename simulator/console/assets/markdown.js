// Markdown of text widgets and runbooks, as templates: what is not known stays text, and nothing becomes HTML by itself.
import { html } from './lib.js';

const inline = (text) => {
  const out = [];
  let rest = text;
  const token = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)/;
  for (let m; (m = token.exec(rest)); rest = rest.slice(m.index + m[0].length)) {
    out.push(rest.slice(0, m.index));
    if (m[1]) out.push(html`<code>${m[1]}</code>`);
    else if (m[2]) out.push(html`<strong>${inline(m[2])}</strong>`);
    else if (m[3]) out.push(html`<em>${m[3]}</em>`);
    else out.push(/^(https?:\/\/|#)/.test(m[5]) ? html`<a href=${m[5]} rel="noreferrer">${m[4]}</a>` : m[4]);
  }
  return [...out, rest];
};
const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|').map((c) => inline(c.trim()));
const heading = (n, text) => n < 3 ? html`<h2>${inline(text)}</h2>` : html`<h3>${inline(text)}</h3>`;

export function markdown(text) {
  const lines = (text ?? '').replace(/\r/g, '').split('\n'), out = [];
  const take = (test) => { const got = []; while (lines.length && test(lines[0])) got.push(lines.shift()); return got; };
  while (lines.length) {
    const line = lines.shift();
    let m;
    if (!line.trim()) continue;
    if ((m = /^(#{1,6})\s+(.*)/.exec(line))) out.push(heading(m[1].length, m[2]));
    else if (/^```/.test(line)) { const code = take((l) => !/^```/.test(l)); lines.shift(); out.push(html`<pre>${code.join('\n')}</pre>`); }
    else if (/^\s*\|/.test(line)) {
      const rows = take((l) => /^\s*\|/.test(l)).filter((l) => !/^[\s|:-]+$/.test(l));
      out.push(html`<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead><tr>${cells(line).map((c) => html`<th scope="col">${c}</th>`)}</tr></thead><tbody>${rows.map((r) => html`<tr>${cells(r).map((c) => html`<td>${c}</td>`)}</tr>`)}</tbody></table></div>`);
    } else if ((m = /^\s*([-*]|\d+\.)\s+(.*)/.exec(line))) {
      const items = [m[2]];
      while (lines.length && (m = /^\s*(?:[-*]|\d+\.)\s+(.*)|^\s{2,}(\S.*)/.exec(lines[0]))) { lines.shift(); m[1] != null ? items.push(m[1]) : items.push(items.pop() + ' ' + m[2]); }
      const list = items.map((i) => html`<li>${inline(i)}</li>`);
      out.push(/^\s*\d/.test(line) ? html`<ol>${list}</ol>` : html`<ul>${list}</ul>`);
    } else out.push(html`<p>${inline([line, ...take((l) => l.trim() && !/^(#|```|\s*\||\s*[-*]\s|\s*\d+\.\s)/.test(l))].join(' '))}</p>`);
  }
  return html`<div class="md">${out}</div>`;
}
