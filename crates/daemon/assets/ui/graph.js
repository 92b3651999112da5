// What depends on what, drawn. Programs of a group with the same dependencies are one box.

import { h, s } from './dom.js';
import { count } from './format.js';
import { icon } from './icons.js';
import { layersOf } from './layers.js';
import { linkOf } from './rows.js';
import { keyOf, needsAttention, STATES, titleOf, urgency } from './states.js';

const BOX = { width: 190, height: 46, gapX: 90, gapY: 18, margin: 16 };

export class GraphView {
  constructor(store) {
    this.title = 'Dependencies';
    this.store = store;
    this.element = h('section', { class: 'view view-graph', 'aria-label': 'Dependencies', tabindex: '-1' });
  }

  open() {
    this.closing = new AbortController();
    this.shown = null;
    this.store.on('programs', () => this.drawSoon(), this.closing.signal);
    this.draw();
    window.scrollTo(0, 0);
  }

  close() {
    this.closing.abort();
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  onShortcut(key) {
    if (key === 'Escape') {
      location.hash = '#/';
    }
    return key === 'Escape';
  }

  drawSoon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const { boxes, edges } = boxesOf([...this.store.programs.values()]);
    const shown = JSON.stringify([[...boxes.values()].map(({ label, worst, members }) => [label, worst.state, members.length]), edges]);
    if (shown === this.shown) {
      return;
    }
    this.shown = shown;
    const title = h('h1', {}, 'Dependencies');
    if (edges.length === 0) {
      this.element.replaceChildren(title, h('div', { class: 'empty' }, h('h2', {}, 'Nothing depends on anything'), h('p', {}, 'With depends_on in a [program:x] section, programs start in order.')));
      return;
    }
    const lead = h('p', { class: 'lead' }, 'What is on the left starts first. A label says what is waited for.');
    this.element.replaceChildren(title, lead, h('div', { class: 'card graph-card', tabindex: '0', role: 'region', 'aria-label': 'Graph' }, drawing(boxes, edges)));
  }
}

// The boxes by name and the edges `[from, to, condition]` between them, without what has no edge.
export function boxesOf(programs) {
  const byGroup = Map.groupBy ? Map.groupBy(programs, ({ group }) => group) : groupBy(programs);
  const boxOf = new Map();
  const boxes = new Map();
  for (const [group, members] of byGroup) {
    const alike = new Map();
    for (const program of members) {
      const signature = JSON.stringify(program.dependencies ?? []);
      alike.set(signature, [...(alike.get(signature) ?? []), program]);
    }
    for (const some of alike.values()) {
      const name = keyOf(some[0]);
      const label = some.length === 1 ? titleOf(some[0]) : some.length === members.length ? group : `${group}:${shared(some)}*`;
      const worst = some.reduce((one, other) => (urgency(other) < urgency(one) ? other : one));
      boxes.set(name, { name, label, members: some, worst });
      some.forEach((program) => boxOf.set(keyOf(program), name));
    }
  }
  const edges = new Map();
  for (const { name, members } of boxes.values()) {
    for (const text of members[0].dependencies ?? []) {
      const [group, process, condition] = text.split(':');
      const sources = process === '*' ? (byGroup.get(group) ?? []).map(keyOf) : [`${group}:${process}`];
      for (const source of new Set(sources.map((key) => boxOf.get(key)).filter(Boolean))) {
        edges.set(`${source}\n${name}\n${condition}`, [source, name, condition]);
      }
    }
  }
  const list = [...edges.values()].filter(([from, to]) => from !== to);
  const used = new Set(list.flatMap(([from, to]) => [from, to]));
  return { boxes: new Map([...boxes].filter(([name]) => used.has(name))), edges: list };
}

// What the names of programs begin with.
function shared(programs) {
  return programs.map(({ name }) => name).reduce((one, other) => {
    let length = 0;
    while (length < one.length && one[length] === other[length]) {
      length += 1;
    }
    return one.slice(0, length);
  });
}

function groupBy(programs) {
  const groups = new Map();
  programs.forEach((program) => groups.set(program.group, [...(groups.get(program.group) ?? []), program]));
  return groups;
}

function drawing(boxes, edges) {
  const { places, lanes, height, width } = layersOf([...boxes.keys()], edges);
  const [stepX, stepY] = [BOX.width + BOX.gapX, BOX.height + BOX.gapY];
  const size = { width: width * stepX - BOX.gapX + 2 * BOX.margin, height: height * stepY - BOX.gapY + 2 * BOX.margin };
  const at = ({ x, y, of }) => ({ x: BOX.margin + x * stepX, y: BOX.margin + (y + (height - of) / 2) * stepY });
  // Where an edge goes through a column that is neither that of its beginning nor that of its end.
  const through = (lane) => {
    const { x, y } = at(lane);
    return [x, y + (lane.size * stepY - BOX.gapY) / 2];
  };
  const lines = edges.map(([from, to, condition], index) => edge(at(places.get(from)), at(places.get(to)), lanes[index].map(through), boxes.get(from)));
  // Above all lines.
  const labels = edges.map(([, to, condition]) => condition !== 'ready' && edgeLabel(at(places.get(to)), condition));
  const nodes = [...boxes.values()].map((box) => node(at(places.get(box.name)), box));
  return s('svg', { class: 'dependencies', viewBox: `0 0 ${size.width} ${size.height}`, width: size.width, height: size.height, role: 'group', 'aria-label': 'Dependency graph' }, lines, labels, nodes);
}

function edge(from, to, lanes, source) {
  const [x2, y2] = [to.x, to.y + BOX.height / 2];
  let [x, y] = [from.x + BOX.width, from.y + BOX.height / 2];
  let path = `M${x} ${y}`;
  const bendTo = (toX, toY) => {
    const bend = Math.max(40, (toX - x) / 2);
    path += `C${x + bend} ${y} ${toX - bend} ${toY} ${toX} ${toY}`;
    [x, y] = [toX, toY];
  };
  for (const [laneX, laneY] of lanes) {
    bendTo(laneX, laneY);
    x = laneX + BOX.width;
    path += `H${x}`;
  }
  bendTo(x2 - 5, y2);
  const isMet = source.members.every(({ state }) => state === 'RUNNING' || state === 'EXITED');
  return s(
    'g',
    { class: `edge ${isMet ? '' : 'is-open'}` },
    s('path', { d: path }),
    s('path', { class: 'arrow', d: `M${x2 - 7} ${y2 - 4}l7 4l-7 4z` }),
  );
}

const edgeLabel = ({ x, y }, condition) => s('text', { class: 'edge-label', x: x - 12, y: y + BOX.height / 2 - 6, 'text-anchor': 'end' }, condition);

function node({ x, y }, { label, members, worst }) {
  const { icon: shape, tone, label: state } = STATES[worst.state] ?? STATES.UNKNOWN;
  const trouble = members.filter(needsAttention).length;
  const detail = members.length === 1 ? state : trouble > 0 ? `${count(members.length, 'program')}, ${trouble} need attention` : `${count(members.length, 'program')}, ${state.toLowerCase()}`;
  const sign = icon(shape);
  for (const [name, value] of Object.entries({ x: x + 14, y: y + 15, width: 16, height: 16 })) {
    sign.setAttribute(name, value);
  }
  const short = label.length > 20 ? `${label.slice(0, 19)}…` : label;
  return s(
    'a',
    { href: members.length === 1 ? linkOf(worst) : '#/', class: `node tone-${tone}` },
    s('title', {}, `${label}: ${detail}`),
    s('rect', { x, y, width: BOX.width, height: BOX.height, rx: 10 }),
    sign,
    s('text', { class: 'node-name', x: x + 40, y: y + 20 }, short),
    s('text', { class: 'node-detail', x: x + 40, y: y + 36 }, detail),
  );
}
