// The configuration: what would change, shown before it is applied; and the end or restart of the daemon.

import { post } from './api.js';
import { confirm } from './dialog.js';
import { h, setText } from './dom.js';
import { count } from './format.js';
import { icon } from './icons.js';

const KINDS = [
  ['added', 'Added', 'good', 'It is started if it has autostart.'],
  ['changed', 'Changed', 'warn', 'It is stopped and started with its new definition.'],
  ['removed', 'Removed', 'bad', 'It is stopped and forgotten.'],
];

export class ConfigurationView {
  constructor(store, live, announce) {
    this.store = store;
    this.live = live;
    this.announce = announce;
    this.plan = h('div', { class: 'plan', role: 'status' });
    this.check = h('button', { type: 'button', class: 'button primary', onclick: () => this.reread() }, icon('search'), 'See what would change');
    this.outcome = h('p', { class: 'note', role: 'status' });
    this.element = h(
      'section',
      { class: 'view view-configuration', 'aria-label': 'Configuration' },
      h('h1', {}, 'Configuration'),
      h(
        'section',
        { class: 'card' },
        h('h2', {}, 'Apply changes of the files'),
        h('p', { class: 'lead' }, 'The daemon reads its configuration again and says what is different. Nothing changes until you apply it.'),
        h('div', { class: 'buttons' }, this.check),
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
    this.plan.replaceChildren();
    setText(this.outcome, '');
    window.scrollTo(0, 0);
  }

  close() {}

  onShortcut(key) {
    if (key === 'Escape') {
      location.hash = '#/';
    }
    return key === 'Escape';
  }

  async reread() {
    this.check.disabled = true;
    try {
      this.showPlan(await post('config/reread'));
    } catch (failure) {
      this.showFailure('The configuration cannot be applied', failure);
    }
    this.check.disabled = false;
  }

  showPlan(plan) {
    const changes = KINDS.flatMap(([kind, label, tone, meaning]) => (plan[kind] ?? []).map((name) => ({ name, label, tone, meaning })));
    const { warnings = [], changes: differences = [] } = plan;
    const listed = changes.map(({ name, label, tone, meaning }) =>
      h('li', { class: `change tone-${tone}` }, h('span', { class: 'state' }, label), h('b', {}, h('bdi', {}, name)), h('span', { class: 'sub' }, meaning)),
    );
    const apply = h('button', { type: 'button', class: 'button primary', onclick: () => this.update(changes) }, icon('check'), `Apply ${count(changes.length, 'change')}`);
    this.plan.replaceChildren(
      ...[
        changes.length === 0 ? h('p', { class: 'nothing' }, icon('check'), 'Nothing has changed.') : h('ul', { class: 'changes' }, listed),
        differences.length > 0 && h('ul', { class: 'differences' }, differences.map((line) => h('li', {}, line))),
        warnings.length > 0 && h('div', { class: 'warnings' }, h('h3', {}, count(warnings.length, 'warning')), h('ul', {}, warnings.map((warning) => h('li', {}, String(warning.message ?? warning))))),
        changes.length > 0 && h('div', { class: 'buttons' }, apply),
      ].filter(Boolean),
    );
  }

  async update(changes) {
    const stops = changes.filter(({ tone }) => tone !== 'good').map(({ name }) => name);
    const lines = [`Programs of these groups are stopped: ${stops.join(', ')}`];
    if (stops.length > 0 && !(await confirm({ title: 'Apply the changes?', lines, verb: 'Apply' }))) {
      return;
    }
    this.plan.replaceChildren(h('p', { class: 'note note-busy' }, 'Applying…'));
    try {
      const done = await post('config/update', { groups: [] });
      const words = KINDS.map(([kind, label]) => (done[kind]?.length > 0 ? `${label}: ${done[kind].join(', ')}.` : '')).filter(Boolean);
      const text = words.join(' ') || 'Nothing had to be changed.';
      this.plan.replaceChildren(h('p', { class: 'nothing' }, icon('check'), text));
      this.announce(text);
    } catch (failure) {
      this.showFailure('The changes were not applied', failure);
    }
    await this.live.load();
  }

  showFailure(title, failure) {
    this.plan.replaceChildren(h('div', { class: 'failure' }, h('b', {}, title), h('pre', {}, failure.message)));
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
