// The rows of the table: one of a group, one of a program. Each element is made once and then brought up to date.

import { wordsOf } from './actions.js';
import { now } from './api.js';
import { Sparkline } from './charts.js';
import { h, setAttribute, setDisabled, setHidden, setText } from './dom.js';
import { bytes, clock, count, duration, percent } from './format.js';
import { icon } from './icons.js';
import { tally } from './list.js';
import { affected, condition, keyOf, lastExit, needsAttention, noteOf, stateOf, STATES, STATE_NAMES, timing, titleOf, verbs } from './states.js';

const ALL_VERBS = ['start', 'restart', 'stop', 'enable'];

export const linkOf = (program) => `#/programs/${encodeURIComponent(program.group)}/${encodeURIComponent(program.name)}`;

// The state in word, shape and colour.
export class StateBadge {
  constructor() {
    this.element = h('span', { class: 'state' });
    this.shown = null;
  }

  update(program) {
    if (this.shown !== program.state) {
      this.shown = program.state;
      const { label, icon: name, tone } = stateOf(program);
      this.element.className = `state tone-${tone}`;
      this.element.replaceChildren(icon(name), label);
    }
  }
}

const cell = (name, ...children) => h('div', { class: `cell ${name}`, role: 'gridcell' }, ...children);

function actionButton(verb, act) {
  return h('button', { class: `act act-${verb}`, type: 'button', tabindex: '-1', onclick: act }, icon(verb));
}

// `table` is told what people do: `act(verb, programs)`, `actOn(verb, programs)`, `toggle(keys, isRange)`, `fold(group)`.
export class ProgramRow {
  constructor(table) {
    this.table = table;
    this.state = new StateBadge();
    this.check = h('input', { type: 'checkbox', tabindex: '-1', onclick: (event) => table.toggle([this.key], event.shiftKey) });
    this.prefix = h('span', { class: 'prefix' });
    this.name = h('bdi', {});
    this.link = h('a', { class: 'name', tabindex: '-1' }, this.prefix, this.name);
    this.note = h('div', { class: 'note' });
    this.time = h('div', { class: 'main' });
    this.detail = h('div', { class: 'sub' });
    this.condition = h('span', { class: 'condition' });
    this.cpu = new Sparkline(1, percent, 'CPU of the process and all it has started');
    this.memory = new Sparkline(2, bytes, 'Memory of the process and all it has started');
    this.restarts = h('span', { class: 'number' });
    this.exit = h('div', { class: 'main' });
    this.exitAt = h('div', { class: 'sub' });
    this.buttons = new Map(ALL_VERBS.map((verb) => [verb, actionButton(verb, () => table.act(verb, [this.program]))]));
    this.logs = h('a', { class: 'act', tabindex: '-1' }, icon('logs'));
    this.element = h(
      'div',
      { class: 'row', role: 'row', tabindex: '-1', 'aria-level': '1' },
      cell('c-check', this.check),
      cell('c-state', this.state.element),
      cell('c-name', this.link, this.note),
      cell('c-time', this.time, this.detail),
      cell('c-condition', this.condition),
      cell('c-cpu', this.cpu.element),
      cell('c-memory', this.memory.element),
      cell('c-restarts', this.restarts),
      cell('c-exit', this.exit, this.exitAt),
      cell('c-actions', [...this.buttons.values()], this.logs),
    );
  }

  update({ key, program, isInGroup }) {
    const { store, selection } = this.table;
    this.key = key;
    setAttribute(this.element, 'data-key', key);
    if (this.program !== program || this.isInGroup !== isInGroup) {
      this.program = program;
      this.isInGroup = isInGroup;
      this.describe(program, isInGroup);
    }
    const busy = store.busy.get(key);
    const feedback = store.feedback.get(key);
    this.element.classList.toggle('is-busy', busy !== undefined);
    this.element.classList.toggle('is-selected', selection.has(key));
    setAttribute(this.element, 'aria-selected', selection.has(key));
    setAttribute(this.element, 'aria-busy', busy ? 'true' : null);
    if (this.check.checked !== selection.has(key)) {
      this.check.checked = selection.has(key);
    }
    this.showNote(program, busy, feedback);
    this.tick();
    const history = store.usage.of(key);
    this.cpu.update(history, program.pid !== null);
    this.memory.update(history, program.pid !== null);
  }

  describe(program, isInGroup) {
    const title = titleOf(program);
    this.state.update(program);
    setText(this.prefix, isInGroup || program.group === program.name ? '' : `${program.group}:`);
    setText(this.name, program.name);
    setAttribute(this.link, 'href', linkOf(program));
    setAttribute(this.link, 'title', keyOf(program));
    setAttribute(this.element, 'aria-level', isInGroup ? 2 : 1);
    this.element.classList.toggle('is-in-group', isInGroup);
    setAttribute(this.check, 'aria-label', `Select ${title}`);
    const health = condition(program);
    setText(this.condition, health?.text ?? '');
    setAttribute(this.condition, 'class', `condition tone-${health?.tone ?? 'calm'}`);
    setAttribute(this.condition, 'title', health?.title || null);
    setText(this.restarts, program.restarts > 0 ? program.restarts.toLocaleString('en') : '—');
    const exit = lastExit(program);
    setText(this.exit, exit?.text ?? '—');
    setAttribute(this.exit, 'title', exit?.title ?? null);
    this.exit.classList.toggle('is-bad', exit?.isFailure === true);
    const possible = verbs(program);
    for (const [verb, button] of this.buttons) {
      setHidden(button, !possible.includes(verb));
      const label = `${wordsOf(verb).verb} ${title}`;
      setAttribute(button, 'aria-label', label);
      setAttribute(button, 'title', wordsOf(verb).verb);
    }
    setAttribute(this.logs, 'href', linkOf(program));
    setAttribute(this.logs, 'aria-label', `Logs of ${title}`);
    setAttribute(this.logs, 'title', 'Logs and details');
  }

  showNote(program, busy, feedback) {
    const text = busy ? wordsOf(busy).doing : (feedback?.text ?? noteOf(program));
    const tone = feedback ? (feedback.ok ? 'good' : 'bad') : needsAttention(program) ? 'bad' : 'calm';
    setText(this.note, text);
    setAttribute(this.element, 'aria-label', [titleOf(program), stateOf(program).label, text].filter(Boolean).join(', '));
    setAttribute(this.note, 'class', `note note-${busy ? 'busy' : tone}`);
    setAttribute(this.note, 'title', text || null);
    this.buttons.forEach((button) => setDisabled(button, busy !== undefined));
  }

  // What changes with the time alone.
  tick() {
    const { text, detail } = timing(this.program, now());
    setText(this.time, text);
    setText(this.detail, detail);
    const at = this.program.last_end?.at;
    setText(this.exitAt, at ? `${duration(now() - at)} ago` : '');
    setAttribute(this.exitAt, 'title', at ? clock(at) : null);
  }
}

export class GroupRow {
  constructor(table) {
    this.table = table;
    // What is not shown is not meant.
    const members = () => this.row.shown;
    this.check = h('input', { type: 'checkbox', tabindex: '-1', onclick: () => table.toggle(members().map(keyOf), false) });
    this.name = h('bdi', {});
    this.size = h('span', { class: 'size' });
    this.fold = h('button', { class: 'fold', type: 'button', tabindex: '-1', onclick: () => table.fold(this.row.group) }, icon('chevron'), this.name, this.size);
    this.counts = h('span', { class: 'counts' });
    this.buttons = new Map(ALL_VERBS.map((verb) => [verb, actionButton(verb, () => table.actOn(verb, members()))]));
    this.element = h(
      'div',
      { class: 'row group', role: 'row', tabindex: '-1', 'aria-level': '1' },
      cell('c-check', this.check),
      cell('c-group', this.fold, this.counts),
      cell('c-actions', [...this.buttons.values()]),
    );
  }

  update(row) {
    const { selection } = this.table;
    this.row = row;
    setAttribute(this.element, 'data-key', row.key);
    setText(this.name, row.group);
    const { shown, members } = row;
    const all = count(members.length, 'program');
    const size = shown.length < members.length ? `${shown.length.toLocaleString('en')} of ${all}` : all;
    setText(this.size, size);
    setAttribute(this.element, 'aria-expanded', !row.isFolded);
    setAttribute(this.element, 'aria-label', `Group ${row.group}, ${size}`);
    setAttribute(this.check, 'aria-label', `Select group ${row.group}`);
    const selected = shown.filter((program) => selection.has(keyOf(program))).length;
    this.check.checked = selected === shown.length;
    this.check.indeterminate = selected > 0 && selected < shown.length;
    this.showCounts(tally(shown));
    for (const [verb, button] of this.buttons) {
      setHidden(button, !shown.some((program) => verbs(program).includes(verb)));
      setAttribute(button, 'aria-label', `${wordsOf(verb).verb} group ${row.group}`);
      setAttribute(button, 'title', `${wordsOf(verb).verb} ${count(affected(verb, shown).length, 'program')}`);
    }
  }

  showCounts(counts) {
    const shown = STATE_NAMES.filter((name) => counts.get(name) > 0);
    const text = shown.map((name) => `${counts.get(name)} ${name}`).join();
    if (this.shownCounts === text) {
      return;
    }
    this.shownCounts = text;
    this.counts.replaceChildren(
      ...shown.map((name) => {
        const { label, icon: shape, tone } = STATES[name];
        return h('span', { class: `count tone-${tone}` }, icon(shape), `${counts.get(name)} ${label.toLowerCase()}`);
      }),
    );
  }

  tick() {}
}
