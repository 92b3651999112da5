// The configuration: what would change, shown before it is applied; and the end or restart of the daemon.

import { post } from './api.js';
import { confirm } from './dialog.js';
import { h, setAttribute, setText } from './dom.js';
import { count } from './format.js';
import { icon } from './icons.js';
import { isEmpty, planElements, scaledElements, stopped, summaryText } from './plan.js';
import { mayAdminister } from './rights.js';

// How many names a question lists.
const NAMED = 12;

const MODES = [
  ['minimal', 'Only the processes that need it'],
  ['groups', 'Whole groups, as Supervisor does'],
];

export class ConfigurationView {
  constructor(store, live, announce) {
    this.title = 'Configuration';
    this.store = store;
    this.live = live;
    this.announce = announce;
    this.plan = h('div', { class: 'plan', role: 'status', tabindex: '-1' });
    // None before the file has said which.
    this.mode = null;
    this.check = h('button', { type: 'button', class: 'button', onclick: () => this.read() }, icon('restart'), 'Read the files again');
    this.modes = h(
      'fieldset',
      { class: 'modes' },
      h('legend', {}, 'What an update restarts'),
      MODES.map(([mode, label]) => h('label', {}, h('input', { type: 'radio', name: 'mode', value: mode, onchange: () => this.choose(mode) }), label)),
    );
    this.outcome = h('p', { class: 'note', role: 'status' });
    this.element = h(
      'section',
      { class: 'view view-configuration', 'aria-label': 'Configuration', tabindex: '-1' },
      h('h1', {}, 'Configuration'),
      h(
        'section',
        { class: 'card' },
        h('h2', {}, 'Apply changes of the files'),
        h('p', { class: 'lead' }, 'This is what an update would do to each process now. Nothing changes until you apply it.'),
        h('div', { class: 'plan-controls' }, this.modes, this.check),
        this.plan,
      ),
      h(
        'section',
        { class: 'card' },
        h('h2', {}, 'Daemon'),
        h('p', { class: 'lead' }, 'Both stop all programs in order. A restart then reads the configuration and starts them again.'),
        h(
          'div',
          { class: 'buttons' },
          h('button', { type: 'button', class: 'button', onclick: () => this.end('restart', 'Restart the daemon') }, icon('restart'), 'Restart the daemon'),
          h('button', { type: 'button', class: 'button danger', onclick: () => this.end('shutdown', 'Shut down') }, icon('stop'), 'Shut down'),
        ),
        this.outcome,
      ),
    );
  }

  open() {
    this.fill();
    setText(this.outcome, '');
    window.scrollTo(0, 0);
    this.closing = new AbortController();
    // Whoever comes back from an editor sees what is in the files now.
    document.addEventListener('visibilitychange', () => !document.hidden && this.read(), { signal: this.closing.signal });
    this.read();
  }

  close() {
    this.closing?.abort();
  }

  onShortcut(key) {
    if (key === 'Escape') {
      location.hash = '#/';
    }
    return key === 'Escape';
  }

  choose(mode) {
    this.mode = mode;
    return this.read();
  }

  // Reads the files and shows the plan; answers it, or nothing where it cannot be made.
  async read() {
    if (!mayAdminister()) {
      return null;
    }
    setAttribute(this.check, 'aria-disabled', 'true');
    let plan = null;
    try {
      plan = await this.ask();
      this.showPlan(plan);
    } catch (failure) {
      this.showFailure('The configuration cannot be applied', failure);
    }
    setAttribute(this.check, 'aria-disabled', null);
    return plan;
  }

  async ask() {
    const plan = await post('config/plan', this.mode === null ? {} : { mode: this.mode });
    const { warnings = [] } = await post('config/reread');
    return { ...plan, warnings };
  }

  // Shows something in the place of the plan. The focus stays there.
  fill(...content) {
    const hadFocus = this.plan.contains(document.activeElement);
    this.plan.replaceChildren(...content);
    if (hadFocus) {
      (this.plan.querySelector('button') ?? this.plan).focus({ preventScroll: true });
    }
  }

  showPlan(plan) {
    this.mode = plan.mode;
    this.modes.querySelectorAll('input').forEach((input) => (input.checked = input.value === plan.mode));
    const { warnings } = plan;
    const apply = h('button', { type: 'button', class: 'button primary', onclick: () => this.update(plan) }, icon('check'), 'Apply');
    const nothing = h('p', { class: 'nothing' }, icon('check'), 'The files say what is active: nothing to apply.');
    this.fill(
      ...[
        isEmpty(plan) ? nothing : planElements(plan),
        scaledElements(plan),
        warnings.length > 0 && h('div', { class: 'warnings' }, h('h3', {}, count(warnings.length, 'warning')), h('ul', {}, warnings.map((warning) => h('li', {}, String(warning.message ?? warning))))),
        !isEmpty(plan) && h('div', { class: 'buttons' }, apply),
      ]
        .flat()
        .filter(Boolean),
    );
  }

  // Applies what is shown, and nothing else.
  async update(shown) {
    let plan;
    try {
      plan = await this.ask();
    } catch (failure) {
      this.showFailure('The configuration cannot be applied', failure);
      return;
    }
    if (JSON.stringify(plan) !== JSON.stringify(shown)) {
      this.showPlan(plan);
      const text = 'The files or the programs have changed meanwhile: look at the plan again.';
      this.plan.prepend(h('p', { class: 'note note-bad' }, text));
      this.announce(text);
      return;
    }
    const names = stopped(plan);
    const listed = names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ` and ${names.length - NAMED} more` : '');
    if (names.length > 0 && !(await confirm({ title: 'Apply the plan?', lines: [`These are stopped: ${listed}`], verb: 'Apply' }))) {
      return;
    }
    this.fill(h('p', { class: 'note note-busy' }, 'Applying…'));
    try {
      await post('config/update', { mode: plan.mode, groups: [] });
      const text = `Done: ${summaryText(plan)}.`;
      this.fill(h('p', { class: 'nothing' }, icon('check'), text));
      this.announce(text);
    } catch (failure) {
      this.showFailure('The changes were not applied', failure);
    }
    await this.live.load();
  }

  showFailure(title, failure) {
    this.fill(h('div', { class: 'failure' }, h('b', {}, title), h('pre', {}, failure.message)));
    this.announce(`${title}: ${failure.message}`);
  }

  async end(action, verb) {
    const { daemon, programs } = this.store;
    const running = [...programs.values()].filter(({ pid }) => pid !== null).length;
    const lines = [`${count(running, 'running program')} will be stopped.`];
    const word = action === 'shutdown' ? (daemon?.identifier ?? 'supervisord') : null;
    if (!(await confirm({ title: `${verb}?`, lines, verb, isDangerous: true, word }))) {
      return;
    }
    try {
      await post(`daemon/${action}`);
      setText(this.outcome, action === 'shutdown' ? 'The daemon is shutting down.' : 'The daemon is restarting.');
      this.outcome.className = 'note note-good';
    } catch (failure) {
      setText(this.outcome, failure.message);
      this.outcome.className = 'note note-bad';
    }
    await this.live.loadDaemon().catch(() => {});
  }
}
