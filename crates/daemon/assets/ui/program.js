// The view of one program.

import { get, isAddressable, NO_ADDRESS, now, programPath } from './api.js';
import { wordsOf } from './actions.js';
import { Graph } from './charts.js';
import { confirm } from './dialog.js';
import { h, setAttribute, setHidden, setText } from './dom.js';
import { bytes, clock, duration, percent } from './format.js';
import { icon } from './icons.js';
import { LogView } from './log.js';
import { mayOperate } from './rights.js';
import { linkOf, StateBadge } from './rows.js';
import { condition, isInMotion, keyOf, stateOf, timing, titleOf, verbs } from './states.js';
import { timelineItem, timelineOf } from './timeline.js';

const SIGNALS = ['HUP', 'USR1', 'USR2', 'INT', 'TERM', 'QUIT', 'KILL'];

// Between two readings of why a program is in its state, while that goes on changing.
const AGAIN = 15000;

const card = (title, ...children) => h('section', { class: 'card', 'aria-label': title }, h('h2', {}, title), ...children);

export class ProgramView {
  constructor(key, store, actions) {
    this.key = key;
    this.store = store;
    this.actions = actions;
    const [group, name] = key.split(/:(.*)/s);
    this.title = titleOf({ group, name });
    this.element = h('section', { class: 'view view-program', 'aria-label': `Program ${this.title}`, tabindex: '-1' });
  }

  get program() {
    return this.store.programs.get(this.key);
  }

  open() {
    this.closing = new AbortController();
    const { signal } = this.closing;
    this.store.on('programs', (keys) => (keys === null || keys.includes(this.key)) && this.refresh(), signal);
    this.store.on('happening', ({ key }) => key === this.key && this.refresh(), signal);
    this.store.on('usage', () => this.showUsage(), signal);
    const ticking = setInterval(() => !document.hidden && this.tick(), 1000);
    const asking = setInterval(() => !document.hidden && this.askWhySoon(), AGAIN);
    signal.addEventListener('abort', () => [ticking, asking].forEach(clearInterval));
    window.scrollTo(0, 0);
    this.refresh();
  }

  close() {
    this.closing.abort();
    this.log?.close();
    clearTimeout(this.asking);
  }

  refresh() {
    const { program } = this;
    if (program === undefined) {
      this.showMissing();
      return;
    }
    if (!this.isBuilt) {
      this.isBuilt = true;
      this.build(program);
    }
    this.badge.update(program);
    const state = condition(program);
    setText(this.condition, state?.text ?? '');
    this.condition.className = `condition tone-${state?.tone ?? 'calm'}`;
    this.showActions(program);
    this.showFacts(program);
    this.timeline.replaceChildren(...timelineOf(program, this.store.timeline).map(timelineItem));
    this.tick();
    this.showUsage();
    this.askWhySoon(150);
  }

  showMissing() {
    this.isBuilt = false;
    this.log?.close();
    const text = this.store.loaded ? `There is no program ${this.key}.` : 'Reading…';
    this.element.replaceChildren(h('div', { class: 'empty' }, h('p', {}, text), h('a', { class: 'button', href: '#/' }, 'All programs')));
  }

  build(program) {
    this.badge = new StateBadge();
    this.condition = h('span', { class: 'condition' });
    this.timing = h('span', { class: 'timing' });
    this.buttons = h('div', { class: 'program-actions' });
    this.feedback = h('p', { class: 'note', hidden: true });
    this.why = h('div', { class: 'why' });
    this.facts = h('dl', { class: 'facts' });
    this.timeline = h('ol', { class: 'timeline', tabindex: '0', 'aria-label': 'Timeline' });
    this.cpu = new Graph('CPU', 1, percent);
    this.memory = new Graph('Memory', 2, bytes);
    this.usage = h('section', { class: 'card', 'aria-label': 'CPU and memory', hidden: true }, this.cpu.element, this.memory.element);
    this.logArea = h('div', { class: 'log-area', role: 'tabpanel', id: 'log-panel' });
    this.tabs = ['stdout', 'stderr'].map((channel) =>
      h('button', { type: 'button', role: 'tab', 'aria-controls': 'log-panel', id: `tab-${channel}`, onclick: () => this.showLog(channel), onkeydown: (event) => this.onTabKey(event) }, channel),
    );
    const title = h('h1', {}, program.group !== program.name && h('span', { class: 'prefix' }, h('bdi', {}, program.group), ':'), h('bdi', {}, program.name));
    this.element.replaceChildren(
      h('div', { class: 'program-head' }, h('a', { class: 'back', href: '#/' }, icon('back'), 'Programs'), h('div', { class: 'program-title' }, title, this.badge.element, this.condition, this.timing), this.buttons),
      this.feedback,
      h(
        'div',
        { class: 'program-body' },
        h('div', { class: 'program-side' }, card('Why', this.why), this.usage, card('Timeline', this.timeline), card('Facts', this.facts)),
        h('section', { class: 'card log-card', 'aria-label': 'Logs' }, h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Log' }, this.tabs), this.logArea),
      ),
    );
    this.showLog(program.stdout_logfile || !program.stderr_logfile ? 'stdout' : 'stderr');
  }

  // The Tab key reaches the tab that is chosen; the arrows choose.
  onTabKey(event) {
    if (['ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(event.key)) {
      const other = this.tabs.find((tab) => tab !== event.target);
      other.focus();
      other.click();
      event.preventDefault();
    }
  }

  showLog(channel) {
    const { program } = this;
    this.log?.close();
    for (const tab of this.tabs) {
      setAttribute(tab, 'aria-selected', tab.textContent === channel);
      setAttribute(tab, 'tabindex', tab.textContent === channel ? 0 : -1);
    }
    setAttribute(this.logArea, 'aria-labelledby', `tab-${channel}`);
    if (!program[`${channel}_logfile`]) {
      this.log = null;
      this.logArea.replaceChildren(h('p', { class: 'empty' }, `${channel} is not logged (${channel}_logfile).`));
      return;
    }
    if (!isAddressable(program)) {
      this.log = null;
      this.logArea.replaceChildren(h('p', { class: 'empty' }, NO_ADDRESS));
      return;
    }
    const clear = mayOperate() && (() => this.actions.perform('clear-logs', [this.program]));
    this.log = new LogView(`${programPath(program)}/logs/${channel}`, { title: `${channel} of ${titleOf(program)}`, clear });
    this.logArea.replaceChildren(this.log.element);
    this.log.open();
  }

  showActions(program) {
    const busy = this.store.busy.get(this.key);
    const feedback = this.store.feedback.get(this.key);
    const text = busy ? wordsOf(busy).doing : (feedback?.text ?? '');
    setText(this.feedback, text);
    setHidden(this.feedback, text === '');
    this.feedback.className = `note program-note note-${busy ? 'busy' : feedback?.ok ? 'good' : 'bad'}`;
    const possible = mayOperate() && !program.disabled ? [...verbs(program), 'disable'] : verbs(program);
    const { activeElement: focused } = document;
    if (this.buttons.contains(focused)) {
      this.focusedVerb = focused.dataset.verb ?? null;
    } else if (focused !== this.element) {
      this.focusedVerb = null;
    }
    const shown = `${possible} ${program.pid !== null}`;
    if (this.shownActions !== shown) {
      this.shownActions = shown;
      this.buttons.replaceChildren(
        ...possible.map((verb, index) =>
          h('button', { type: 'button', class: `button ${index === 0 ? 'primary' : ''}`, 'data-verb': verb, onclick: () => this.act(verb) }, icon(verb), wordsOf(verb).verb),
        ),
        program.pid === null || !mayOperate() ? '' : this.signalMenu(),
      );
    }
    // The keyboard would lose its place with a button that is disabled.
    for (const button of this.buttons.querySelectorAll('button')) {
      setAttribute(button, 'aria-disabled', busy !== undefined ? 'true' : null);
    }
    if (this.focusedVerb && !this.buttons.contains(document.activeElement)) {
      // Until the program has come to rest nothing has the focus that the next stroke of a key could set off by mistake.
      const isResting = busy === undefined && !isInMotion(program);
      const same = this.buttons.querySelector(`[data-verb="${this.focusedVerb}"]`);
      const button = same ?? (isResting ? this.buttons.querySelector('button') : null);
      (button ?? this.element).focus({ preventScroll: true });
    }
  }

  // Something is sent only by the button: arrows and letters choose from a menu as well.
  signalMenu() {
    const select = h(
      'select',
      { class: 'field', 'aria-label': 'Signal' },
      SIGNALS.map((name) => h('option', { value: name }, `SIG${name}`)),
    );
    return h('span', { class: 'signal-menu' }, select, h('button', { type: 'button', class: 'button', 'data-verb': 'signal', onclick: () => this.signal(select.value) }, icon('signal'), 'Send'));
  }

  async signal(value) {
    if (this.store.busy.has(this.key)) {
      return;
    }
    const isMild = ['HUP', 'USR1', 'USR2'].includes(value);
    const title = `Send SIG${value} to ${titleOf(this.program)}?`;
    if (isMild || (await confirm({ title, lines: ['Most programs end by it.'], verb: 'Send', isDangerous: true }))) {
      await this.actions.perform('signal', [this.program], { signal: value });
    }
  }

  act(verb) {
    return this.actions.perform(verb, [this.program]);
  }

  tick() {
    if (this.program !== undefined) {
      const { text, detail } = timing(this.program, now());
      const up = this.program.state === 'RUNNING' ? `up ${text}` : text;
      setText(this.timing, [up, detail].filter((part) => part !== '' && part !== '—').join(' · '));
    }
  }

  showUsage() {
    const history = this.store.usage.of(this.key);
    if (!this.isBuilt || history === null) {
      return;
    }
    // Of what has not run since the page was opened there is nothing to see.
    setHidden(this.usage, history.samples.every(([, cpu, memory]) => cpu === 0 && memory === 0));
    const since = (seconds) => `last ${duration(seconds)}`;
    this.cpu.update(history, since);
    this.memory.update(history, since);
  }

  askWhySoon(delay = 0) {
    if (this.isBuilt) {
      this.asking ??= setTimeout(() => this.askWhy(), delay);
    }
  }

  async askWhy() {
    try {
      const { explanation, advice } = await get(`${programPath(this.program)}/why`, { signal: this.closing.signal });
      this.showWhy(explanation, advice);
    } catch (failure) {
      if (failure.name !== 'AbortError') {
        this.showWhy([failure.message], []);
      }
    }
    this.asking = undefined;
  }

  showWhy(lines) {
    const text = lines.join('\n');
    if (this.shownWhy !== text) {
      this.shownWhy = text;
      this.why.replaceChildren(...lines.map((line) => h('p', { class: line.startsWith(' ') ? 'deeper' : '' }, line.trim())));
    }
  }

  showFacts(program) {
    const facts = factsOf(program);
    const text = JSON.stringify(facts.map(([name, value]) => [name, value?.textContent ?? value]));
    if (this.shownFacts !== text) {
      this.shownFacts = text;
      this.facts.replaceChildren(...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
    }
  }

  onShortcut(key) {
    if (this.program === undefined) {
      return false;
    }
    const possible = verbs(this.program);
    switch (key) {
      case 'Escape':
        location.hash = '#/';
        return true;
      case '/':
        this.log?.field.focus();
        return true;
      case 'r':
        this.act(possible.includes('restart') ? 'restart' : 'start');
        return true;
      case 's':
        this.act(possible.includes('stop') ? 'stop' : 'start');
        return true;
      default:
        return false;
    }
  }
}

// What is known of it besides its state. Only what there is.
function factsOf(program) {
  const at = (time) => time && clock(time);
  const { last_request: request, last_end: end, readiness, health } = program;
  return [
    ['State', stateOf(program).label],
    ['Wanted', program.wanted],
    ['Process', program.pid && `pid ${program.pid}`],
    ['Started', at(program.started_at)],
    ['Ended', at(program.stopped_at)],
    ['Last exit', end?.description],
    ['Restarts', program.restarts > 0 && String(program.restarts)],
    ['Next start', at(program.next_start)],
    ['Runs until', at(program.runs_until)],
    ['Says', program.service?.status],
    ['Ready when', readiness?.when],
    ['Not ready because', readiness?.last_failure],
    ['Health', health && `${health.status}${health.failures > 0 ? `, ${health.failures} failed in a row` : ''}`],
    ['Last check', health?.last_result && `${health.last_result}${health.last_check_at ? `, ${clock(health.last_check_at)}` : ''}`],
    ['Asked for', request && `${request.action} at ${clock(request.at)} by ${request.by}`],
    ['Depends on', program.dependencies?.length > 0 && h('span', { class: 'links' }, program.dependencies.map(dependencyLink))],
    ['Hooks', program.commands?.length > 0 && program.commands.join(', ')],
    ['stdout', program.stdout_logfile],
    ['stderr', program.stderr_logfile],
  ].filter(([, value]) => value);
}

function dependencyLink(text) {
  const [group, name, kind] = text.split(':');
  const label = `${group === name ? group : `${group}:${name}`} ${kind}`;
  return name === '*' ? h('span', {}, label) : h('a', { href: linkOf({ group, name }), title: keyOf({ group, name }) }, label);
}
