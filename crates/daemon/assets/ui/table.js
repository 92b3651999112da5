// The table of all programs.

import { h, setAttribute, setHidden, setText } from './dom.js';
import { count } from './format.js';
import { icon } from './icons.js';
import { Choice, NameOrder, rowsOf, SORTS, tally } from './list.js';
import { keysInMotion } from './live.js';
import { mayOperate } from './rights.js';
import { GroupRow, linkOf, ProgramRow } from './rows.js';
import { affected, isInMotion, keyOf, STATES, STATE_NAMES, verbs } from './states.js';
import { Viewport } from './viewport.js';

const COLUMNS = [
  ['c-state', 'State', 'state'],
  ['c-name', 'Program', 'name'],
  ['c-time', 'Uptime', 'time'],
  ['c-condition', 'Health', null],
  ['c-cpu', 'CPU', 'cpu'],
  ['c-memory', 'Memory', 'memory'],
  ['c-restarts', 'Restarts', 'restarts'],
  ['c-exit', 'Last exit', null],
  ['c-actions', 'Actions', null],
];

// With as many programs, this many milliseconds lie between two looks at all of them.
const MANY = 300;
const PAUSE = 300;

const FOLDED = 'supervisord.folded';

const isNarrow = window.matchMedia('(max-width: 700px)');

// How high rows are; the style has the same.
const heightOf = (row) => (row.group !== undefined ? (isNarrow.matches ? 76 : 44) : isNarrow.matches ? 92 : 52);

export class Table {
  constructor(store, actions, live) {
    this.store = store;
    this.actions = actions;
    this.live = live;
    this.choice = new Choice();
    this.choice.folded = new Set(JSON.parse(sessionStorage.getItem(FOLDED) ?? '[]'));
    this.order = new NameOrder();
    this.selection = new Set();
    this.rows = [];
    this.refreshed = 0;
    this.current = null;
    this.build();
    this.viewport = new Viewport(this.body, {
      make: (row) => (row.group !== undefined ? new GroupRow(this) : new ProgramRow(this)),
      height: heightOf,
    });
  }

  build() {
    this.search = h('input', {
      type: 'search',
      class: 'field search-field',
      placeholder: 'Search name, state, reason, pid…',
      'aria-label': 'Search programs',
      autocomplete: 'off',
      spellcheck: 'false',
      oninput: () => this.choose({ search: this.search.value }),
      onkeydown: (event) => this.onSearchKey(event),
    });
    this.filters = h('div', { class: 'filters', role: 'group', 'aria-label': 'Filter by state' });
    this.sort = h(
      'select',
      { class: 'field', 'aria-label': 'Sort', onchange: () => this.choose({ sort: this.sort.value, descending: false }) },
      Object.entries(SORTS).map(([value, label]) => h('option', { value }, label)),
    );
    this.grouping = h('input', { type: 'checkbox', checked: true, onchange: () => this.choose({ isGrouped: this.grouping.checked }) });
    this.bar = h('div', { class: 'state-bar', 'aria-hidden': 'true' });
    this.all = h('input', { type: 'checkbox', 'aria-label': 'Select all that are shown', onclick: () => this.toggleAll() });
    this.headers = COLUMNS.map(([name, label, sort]) => {
      const content = sort === null ? label : h('button', { type: 'button', onclick: () => this.sortBy(sort) }, label);
      return h('div', { class: `cell ${name}`, role: 'columnheader' }, content);
    });
    this.body = h('div', { class: 'rows', role: 'rowgroup' });
    this.grid = h(
      'div',
      { class: 'table', role: 'treegrid', 'aria-label': 'Programs', 'aria-multiselectable': 'true', tabindex: '-1' },
      h('div', { role: 'rowgroup', class: 'head' }, h('div', { class: 'row head-row', role: 'row', 'aria-rowindex': '1' }, h('div', { class: 'cell c-check', role: 'columnheader' }, this.all), this.headers)),
      this.body,
    );
    this.empty = h('div', { class: 'empty', hidden: true });
    this.buildBulk();
    this.toolbar = h(
      'div',
      { class: 'toolbar' },
      h('div', { class: 'toolbar-line' }, h('div', { class: 'search' }, icon('search'), this.search, h('kbd', {}, '/')), this.sort, h('label', { class: 'switch' }, this.grouping, 'Groups')),
      this.filters,
    );
    this.element = h('section', { class: 'view view-table', 'aria-label': 'Programs', tabindex: '-1' }, h('h1', { class: 'unseen' }, 'Programs'), this.toolbar, this.bar, this.grid, this.empty, this.bulk);
  }

  // What can be done with all that are selected. The buttons stay the same, so that none loses the focus.
  buildBulk() {
    const button = (verb, label, sign, act) =>
      h('button', { type: 'button', class: 'button', 'data-verb': verb, onclick: () => act(verb, this.chosen()) }, icon(sign), label);
    const possible = (verb, label) => button(verb, label, verb, (...asked) => this.actOn(...asked));
    this.bulkCount = h('span', { class: 'bulk-count' });
    this.bulkButtons = [possible('start', 'Start'), possible('restart', 'Restart'), possible('stop', 'Stop'), button('clear-logs', 'Clear logs', 'trash', (...asked) => this.act(...asked))];
    const none = h('button', { type: 'button', class: 'act', 'aria-label': 'Clear the selection', title: 'Clear the selection', onclick: () => this.deselect() }, icon('close'));
    this.bulk = h('div', { class: 'bulk', role: 'region', 'aria-label': 'Selection', hidden: true }, this.bulkCount, this.bulkButtons, none);
  }

  // What has the focus when the table is shown again.
  get place() {
    return this.viewport.elementOf(this.current) ?? this.element;
  }

  open() {
    this.closing = new AbortController();
    const { signal } = this.closing;
    this.store.on('members', () => this.order.renew(this.store.programs.values()), signal);
    this.store.on('programs', (keys) => this.onPrograms(keys), signal);
    this.store.on('usage', () => this.onUsage(), signal);
    this.viewport.listen(signal);
    isNarrow.addEventListener('change', () => this.viewport.setRows(this.rows), { signal });
    this.grid.addEventListener('keydown', (event) => this.onKey(event), { signal });
    this.grid.addEventListener('focusin', (event) => this.onFocus(event), { signal });
    const ticking = setInterval(() => !document.hidden && this.tick(), 1000);
    const following = setInterval(() => !document.hidden && this.follow(), 3000);
    signal.addEventListener('abort', () => [ticking, following].forEach(clearInterval));
    this.order.renew(this.store.programs.values());
    this.refresh();
    if (this.scrolled > 0) {
      window.scrollTo(0, this.scrolled);
      this.viewport.draw();
      this.settle();
    }
  }

  close() {
    this.scrolled = window.scrollY;
    this.closing.abort();
    this.forgetRefresh();
    this.viewport.clear();
  }

  // Whether order and number of rows can have changed is known after the next frame. Of many programs several change in each
  // second, and all are looked at each time: then several changes are one.
  onPrograms() {
    const pause = this.store.programs.size < MANY ? 0 : this.refreshed + PAUSE - performance.now();
    if (pause > 0) {
      this.waiting ||= setTimeout(() => this.refresh(), pause);
    } else {
      this.refreshing ||= requestAnimationFrame(() => this.refresh());
    }
  }

  onUsage() {
    this.grid.classList.add('has-usage');
    if (['cpu', 'memory'].includes(this.choice.sort)) {
      this.onPrograms();
    } else {
      this.viewport.redraw();
    }
  }

  refresh() {
    this.forgetRefresh();
    this.refreshed = performance.now();
    const { programs, usage } = this.store;
    this.rows = rowsOf(programs, this.choice, usage, this.order);
    for (const key of this.selection) {
      if (!programs.has(key)) {
        this.selection.delete(key);
      }
    }
    setAttribute(this.grid, 'aria-rowcount', this.rows.length + 1);
    this.grid.classList.toggle('has-usage', usage.isKnown);
    this.showFilters();
    this.showEmpty();
    this.showBulk();
    this.showSort();
    this.viewport.setRows(this.rows);
    this.viewport.draw();
    this.settle();
  }

  forgetRefresh() {
    cancelAnimationFrame(this.refreshing);
    clearTimeout(this.waiting);
    this.refreshing = 0;
    this.waiting = 0;
  }

  // One row can be reached by the Tab key: the current one.
  settle() {
    if (!this.rows.some(({ key }) => key === this.current)) {
      this.current = this.rows[0]?.key ?? null;
    }
    for (const [key, { element }] of this.viewport.made) {
      setAttribute(element, 'tabindex', key === this.current ? 0 : -1);
    }
  }

  choose(choice) {
    Object.assign(this.choice, choice);
    this.refresh();
    const top = this.element.offsetTop;
    if (window.scrollY > top) {
      window.scrollTo(0, 0);
    }
  }

  sortBy(sort) {
    const isSame = this.choice.sort === sort;
    this.choose(isSame && this.choice.descending ? { sort: 'attention', descending: false } : { sort, descending: isSame });
    this.sort.value = this.choice.sort;
  }

  showSort() {
    const { sort, descending } = this.choice;
    COLUMNS.forEach(([, , name], index) => {
      const isSorted = name !== null && name === sort;
      // Of these the largest come first.
      const isReversed = ['cpu', 'memory', 'restarts'].includes(sort);
      setAttribute(this.headers[index], 'aria-sort', isSorted ? (descending === isReversed ? 'ascending' : 'descending') : null);
    });
  }

  showFilters() {
    const counts = tally(this.store.programs.values());
    const { filter } = this.choice;
    const chips = [[null, 'All', null, this.store.programs.size]];
    if (counts.get('attention') > 0 || filter === 'attention') {
      chips.push(['attention', 'Need attention', { icon: 'backoff', tone: 'bad' }, counts.get('attention')]);
    }
    for (const name of STATE_NAMES) {
      if (counts.get(name) > 0 || filter === name) {
        chips.push([name, STATES[name].label, STATES[name], counts.get(name)]);
      }
    }
    const text = chips.map(([name, , , number]) => `${name} ${number} ${name === filter}`).join();
    if (this.shownFilters === text) {
      return;
    }
    this.shownFilters = text;
    const focused = document.activeElement?.closest?.('.filters button')?.dataset.filter;
    this.filters.replaceChildren(
      ...chips.map(([name, label, look, number]) =>
        h(
          'button',
          { type: 'button', class: `chip ${look ? `tone-${look.tone}` : ''}`, 'aria-pressed': String(name === filter), 'data-filter': name ?? 'all', onclick: () => this.choose({ filter: name === filter ? null : name }) },
          look && icon(look.icon),
          label,
          h('span', { class: 'chip-count' }, number.toLocaleString('en')),
        ),
      ),
    );
    if (focused) {
      this.filters.querySelector(`[data-filter="${focused}"]`)?.focus();
    }
    this.bar.replaceChildren(
      ...STATE_NAMES.filter((name) => counts.get(name) > 0).map((name) => {
        const part = h('span', { class: `tone-${STATES[name].tone}` });
        part.style.flexGrow = counts.get(name);
        return part;
      }),
    );
  }

  showEmpty() {
    const { programs, loaded } = this.store;
    setHidden(this.empty, this.rows.length > 0);
    setHidden(this.grid, this.rows.length === 0);
    if (this.rows.length > 0) {
      return;
    }
    if (!loaded) {
      this.empty.replaceChildren(h('p', {}, 'Reading the programs…'));
    } else if (programs.size === 0) {
      this.empty.replaceChildren(h('h2', {}, 'No programs yet'), h('p', {}, 'Add a [program:x] section to the configuration, and apply it.'), h('a', { class: 'button primary', href: '#/configuration' }, 'Configuration'));
    } else {
      const clear = h('button', { type: 'button', class: 'button', onclick: () => this.clear() }, 'Show all');
      this.empty.replaceChildren(h('h2', {}, 'Nothing matches'), h('p', {}, `None of ${count(programs.size, 'program')} fits the search.`), clear);
    }
  }

  clear() {
    this.search.value = '';
    this.selection.clear();
    this.choose({ search: '', filter: null });
  }

  showBulk() {
    const { size } = this.selection;
    setHidden(this.bulk, size === 0);
    document.body.classList.toggle('has-selection', size > 0);
    const shown = new Set(size > 0 ? this.shown().map(keyOf) : []);
    this.all.checked = shown.size > 0 && [...shown].every((key) => this.selection.has(key));
    this.all.indeterminate = size > 0 && !this.all.checked;
    if (size === 0) {
      return;
    }
    const chosen = this.chosen();
    const unseen = [...this.selection].filter((key) => !shown.has(key)).length;
    setText(this.bulkCount, `${size.toLocaleString('en')} selected${unseen > 0 ? `, ${unseen.toLocaleString('en')} not shown` : ''}`);
    for (const button of this.bulkButtons) {
      const { verb } = button.dataset;
      const isPossible = verb === 'clear-logs' || affected(verb, chosen).length > 0;
      setHidden(button, !mayOperate());
      setAttribute(button, 'aria-disabled', isPossible ? null : 'true');
    }
  }

  deselect() {
    this.select([]);
    this.place.focus({ preventScroll: true });
  }

  chosen() {
    return [...this.selection].map((key) => this.store.programs.get(key)).filter(Boolean);
  }

  act(verb, programs) {
    return this.actions.perform(verb, programs);
  }

  // Does it to those of the programs to which it can be done.
  actOn(verb, programs) {
    const able = affected(verb, programs);
    if (able.length === 0) {
      return this.actions.decline(verb, programs);
    }
    // One that does not run is started, and called that.
    const isStart = verb === 'restart' && programs.length === 1 && verbs(programs[0]).includes('start');
    return this.actions.perform(isStart ? 'start' : verb, able, {}, programs.length - able.length);
  }

  // The programs that match, also those of folded groups.
  shown() {
    return this.rows.flatMap(({ program, shown, isFolded }) => (program ? [program] : isFolded ? shown : []));
  }

  select(keys) {
    this.selection = new Set(keys);
    this.refresh();
  }

  // Selects rows, or no longer; `isRange`: all rows from the last one that was selected.
  toggle(keys, isRange) {
    const places = this.rows.filter(({ program }) => program);
    const [from, to] = [this.anchor, keys[0]].map((key) => places.findIndex((row) => row.key === key));
    if (isRange && from >= 0 && to >= 0) {
      places.slice(Math.min(from, to), Math.max(from, to) + 1).forEach(({ key }) => this.selection.add(key));
    } else if (keys.every((key) => this.selection.has(key))) {
      keys.forEach((key) => this.selection.delete(key));
    } else {
      keys.forEach((key) => this.selection.add(key));
    }
    this.anchor = keys[0];
    this.refresh();
  }

  // All that match, also those of folded groups.
  toggleAll() {
    const shown = this.shown().map(keyOf);
    this.select(shown.every((key) => this.selection.has(key)) ? [] : shown);
  }

  fold(group, isFolded = !this.choice.folded.has(group)) {
    const { folded } = this.choice;
    if (isFolded) {
      folded.add(group);
    } else {
      folded.delete(group);
    }
    sessionStorage.setItem(FOLDED, JSON.stringify([...folded]));
    this.refresh();
  }

  tick() {
    this.viewport.made.forEach((row) => row.tick());
  }

  // Reads again what changes without an event, of the rows that can be seen.
  follow() {
    const seen = [...this.viewport.made.values()].map(({ program }) => program).filter(Boolean);
    this.live.refresh(keysInMotion(seen, isInMotion));
  }

  // From the search straight into what was found.
  onSearchKey(event) {
    if (event.key === 'ArrowDown' || event.key === 'Enter') {
      const [first] = this.rows;
      if (first?.isFolded) {
        this.fold(first.group, false);
      }
      this.move(this.rows.findIndex(({ program }) => program !== undefined));
      event.preventDefault();
    }
  }

  onFocus({ target }) {
    const key = target.closest('.row')?.dataset.key;
    if (key !== undefined && key !== this.current) {
      this.current = key;
      this.settle();
    }
  }

  onKey(event) {
    const index = this.rows.findIndex(({ key }) => key === this.current);
    if (event.altKey || event.ctrlKey || event.metaKey || index < 0) {
      return;
    }
    const page = Math.max(1, Math.floor(window.innerHeight / 56) - 4);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -index, End: this.rows.length - 1 - index, j: 1, k: -1 };
    const row = this.rows[index];
    if (event.key in moves) {
      this.move(index + moves[event.key]);
    } else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      this.unfold(row, event.key === 'ArrowLeft');
    } else if (event.key === 'Enter' && !['BUTTON', 'A', 'INPUT'].includes(event.target.tagName)) {
      this.enter(row);
    } else if (event.key === ' ' && !['BUTTON', 'INPUT'].includes(event.target.tagName)) {
      this.toggle(row.program ? [row.key] : row.shown.map(keyOf), event.shiftKey);
    } else {
      return;
    }
    event.preventDefault();
  }

  enter(row) {
    if (row.program) {
      location.hash = linkOf(row.program);
    } else {
      this.fold(row.group);
    }
  }

  unfold(row, isFolding) {
    const group = row.group ?? (row.isInGroup ? row.program.group : null);
    if (group === null) {
      return;
    }
    this.fold(group, isFolding);
    this.move(this.rows.findIndex((other) => other.group === group));
  }

  move(index) {
    const to = Math.min(this.rows.length - 1, Math.max(0, index));
    if (to < 0) {
      return;
    }
    this.current = this.rows[to].key;
    this.viewport.reveal(to, this.covered());
    this.settle();
    this.viewport.elementOf(this.current)?.focus({ preventScroll: true });
    this.viewport.draw();
  }

  // How much of the window the head of the table covers.
  covered() {
    return this.grid.querySelector('.head').getBoundingClientRect().bottom;
  }

  // The keys that work wherever the focus is, except in a field. Answers whether the key was one of them.
  onShortcut(key) {
    switch (key) {
      case '/':
        this.search.focus();
        this.search.select();
        return true;
      case 'ArrowDown':
      case 'ArrowUp':
        this.move(Math.max(0, this.rows.findIndex((row) => row.key === this.current)));
        return true;
      case 'a':
        this.toggleAll();
        return true;
      case 'r':
        this.actOn('restart', this.meant());
        return true;
      case 's':
        this.startOrStop();
        return true;
      case 'Escape':
        this.clear();
        return true;
      default:
        return false;
    }
  }

  // The selection, or the row that has the focus.
  meant() {
    if (this.selection.size > 0) {
      return this.chosen();
    }
    const row = this.grid.contains(document.activeElement) ? this.rows.find(({ key }) => key === this.current) : undefined;
    return row === undefined ? [] : row.program ? [row.program] : row.shown;
  }

  startOrStop() {
    const meant = this.meant();
    return this.actOn(affected('stop', meant).length > 0 ? 'stop' : 'start', meant);
  }
}
