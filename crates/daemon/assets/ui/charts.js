// Small and large graphs of what programs use.

import { h, s, setText } from './dom.js';

const WIDTH = 64;
const HEIGHT = 20;

// How many of the last samples a sparkline shows.
const RECENT = 40;

// A line without axes, beside its number. `which` is the place of the value in a sample.
export class Sparkline {
  constructor(which, format, label) {
    this.which = which;
    this.format = format;
    this.number = h('span', { class: 'number' }, '—');
    this.line = s('polyline', { class: 'spark-line' });
    const svg = s('svg', { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true' }, this.line);
    this.element = h('span', { class: 'usage', title: label }, this.number, svg);
    this.drawn = null;
  }

  update(history, isRunning) {
    const samples = isRunning ? (history?.samples ?? []) : [];
    const last = samples.at(-1);
    if (last === this.drawn) {
      return;
    }
    this.drawn = last;
    setText(this.number, last === undefined ? '—' : this.format(last[this.which]));
    const values = samples.slice(-RECENT).map((sample) => sample[this.which]);
    // Two points are a dot at this size.
    this.line.setAttribute('points', values.length < 4 ? '' : points(values, this.least()));
  }

  // What a full height is at least, so that noise looks like noise.
  least() {
    return this.which === 1 ? 0.05 : 1;
  }
}

function points(values, least) {
  const [low, high] = [Math.min(...values), Math.max(...values, least)];
  // A line of memory from zero would always be flat; one that hardly changes should be.
  const from = high - low > 0.02 * high ? Math.max(0, low - (high - low)) : 0;
  const span = (high - from) * 1.25 || 1;
  const step = WIDTH / (RECENT - 1);
  const start = WIDTH - (values.length - 1) * step;
  return values.map((value, index) => `${(start + index * step).toFixed(1)},${(HEIGHT - 2 - ((value - from) / span) * (HEIGHT - 4)).toFixed(1)}`).join(' ');
}

// A graph with a scale, of all the time since the page was opened.
export class Graph {
  constructor(title, which, format) {
    this.which = which;
    this.format = format;
    this.area = s('path', { class: 'graph-area' });
    this.line = s('path', { class: 'graph-line' });
    this.now = h('span', { class: 'graph-now' }, '—');
    this.peak = h('span', { class: 'graph-peak' });
    this.span = h('span', { class: 'graph-span' });
    const svg = s('svg', { class: 'graph-plot', viewBox: '0 0 300 80', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, this.area, this.line);
    this.element = h('figure', { class: 'graph' }, h('figcaption', {}, h('span', {}, title), this.now), svg, h('div', { class: 'graph-scale' }, this.peak, this.span));
  }

  update(history, sinceText) {
    const samples = history?.samples ?? [];
    if (samples.length === 0) {
      return;
    }
    const values = samples.map((sample) => sample[this.which]);
    const peak = Math.max(...values);
    setText(this.now, this.format(values.at(-1)));
    setText(this.peak, `peak ${this.format(peak)}`);
    const [from, to] = [samples[0][0], samples.at(-1)[0]];
    setText(this.span, to > from ? sinceText(to - from) : '');
    const high = Math.max(peak * 1.15, this.which === 1 ? 0.02 : 1);
    const height = (value) => (78 - (value / high) * 76).toFixed(1);
    const at = (sample) => `${(((sample[0] - from) / (to - from)) * 300).toFixed(1)} ${height(sample[this.which])}`;
    // One measurement is a level: nobody knows what was before.
    const path = to > from ? samples.map(at).join('L') : `0 ${height(values.at(-1))}L300 ${height(values.at(-1))}`;
    this.line.setAttribute('d', `M${path}`);
    this.area.setAttribute('d', `M0 80L${path}L300 80Z`);
  }
}
