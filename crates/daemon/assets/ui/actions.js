// What the buttons and keys do, and what is said about the outcome.

import { isAddressable, post, programPath } from './api.js';
import { confirm } from './dialog.js';
import { count } from './format.js';
import { mayOperate } from './rights.js';
import { keyOf, stateOf, titleOf } from './states.js';

// How long a success is shown at its row, in milliseconds. A failure stays until something else is done.
const SHOWN = 4000;

// How many names a question lists.
const NAMED = 8;

const WORDS = {
  start: { verb: 'Start', doing: 'starting…', done: 'started' },
  stop: { verb: 'Stop', doing: 'stopping…', done: 'stopped' },
  restart: { verb: 'Restart', doing: 'restarting…', done: 'restarted' },
  disable: { verb: 'Disable', doing: 'disabling…', done: 'disabled' },
  enable: { verb: 'Enable', doing: 'enabling…', done: 'enabled' },
  signal: { verb: 'Send', doing: 'signalling…', done: 'signalled' },
  'clear-logs': { verb: 'Clear logs', doing: 'clearing logs…', done: 'logs cleared' },
};

export const wordsOf = (action) => WORDS[action];

export class Actions {
  // `frame` says to all what rows cannot: `announce(text)` to those who do not see the page, `show(text, isOk)` to the others.
  constructor(store, live, frame) {
    this.store = store;
    this.live = live;
    this.frame = frame;
  }

  // Does something to programs. Asks first where it hurts: what stops several, and what cannot be undone. `others` is how many more
  // were meant, to which it cannot be done.
  async perform(action, programs, options = {}, others = 0) {
    const list = programs.filter((program) => !this.store.busy.has(keyOf(program)));
    if (!mayOperate() || list.length === 0 || !(await this.isMeant(action, list, others))) {
      return;
    }
    const keys = list.map(keyOf);
    keys.forEach((key) => this.store.feedback.delete(key));
    this.store.setBusy(keys, action);
    try {
      const results = list.length === 1 && isAddressable(list[0]) ? await this.performOne(action, list[0], options) : await this.performAll(action, list, options);
      this.report(action, results, options);
    } catch (failure) {
      this.report(action, list.map(({ group, name }) => ({ group, name, ok: false, detail: failure.message })), options);
    }
    this.store.setBusy(keys, null);
    this.live.refresh(keys);
  }

  // Says why nothing is done.
  decline(action, programs) {
    const verb = WORDS[action].verb.toLowerCase();
    const [one] = programs;
    let text = `None of ${count(programs.length, 'program')} can be ${WORDS[action].done} now.`;
    if (!mayOperate()) {
      text = `Your role does not allow to ${verb} programs.`;
    } else if (programs.length === 0) {
      text = `Nothing to ${verb}: choose a row with the arrows.`;
    } else if (programs.length === 1) {
      text = `${titleOf(one)} is ${one.disabled ? 'disabled' : stateOf(one).label.toLowerCase()}: nothing to ${verb}.`;
    }
    this.frame.announce(text);
    this.frame.show(text, false, false);
  }

  async isMeant(action, list, others) {
    const { verb } = WORDS[action];
    const names = list.slice(0, NAMED).map(titleOf).join(', ') + (list.length > NAMED ? ` and ${list.length - NAMED} more` : '');
    if (action === 'clear-logs') {
      const lines = [`What ${names} wrote so far is removed for good.`];
      return confirm({ title: 'Clear the logs?', lines, verb, isDangerous: true });
    }
    if (action === 'disable') {
      const lines = [`${names} is stopped, and nothing starts it until it is enabled again, not even a reboot.`];
      return confirm({ title: 'Disable it?', lines, verb, isDangerous: true });
    }
    const isRestart = action === 'restart';
    if (['start', 'enable'].includes(action) || (list.length === 1 && !(isRestart && others > 0))) {
      return true;
    }
    const down = isRestart ? list.filter(({ state }) => state !== 'RUNNING').length : 0;
    const lines = [
      names,
      startedToo(down, list.length),
      isRestart && others > 0 && `${count(others, 'other')} ${others === 1 ? 'is' : 'are'} left out: disabled, or being stopped.`,
    ];
    return confirm({ title: `${verb} ${count(list.length, 'program')}?`, lines: lines.filter(Boolean), verb, isDangerous: action === 'stop' });
  }

  async performOne(action, program, options) {
    await post(`${programPath(program)}/${action}`, { wait: true, ...options });
    return [{ group: program.group, name: program.name, ok: true }];
  }

  async performAll(action, list, options) {
    const { results } = await post('programs/actions', { action, select: list.map(keyOf), wait: true, ...options });
    return results;
  }

  report(action, results, options) {
    const failed = results.filter(({ ok }) => !ok);
    const done = options.signal ? `${options.signal} sent` : WORDS[action].done;
    for (const { group, name, ok, detail } of results) {
      const text = ok ? done : `${WORDS[action].verb} failed: ${detail ?? 'no reason given'}`;
      this.show(`${group}:${name}`, { ok, text });
    }
    const text = outcome(action, done, results, failed);
    this.frame.announce(text);
    if (results.length > 1) {
      this.frame.show(text, failed.length === 0);
    }
  }

  show(key, feedback) {
    this.store.setFeedback(key, feedback);
    if (feedback.ok) {
      setTimeout(() => this.store.feedback.get(key) === feedback && this.store.setFeedback(key, null), SHOWN);
    }
  }
}

// What a restart does to those that do not run.
function startedToo(down, all) {
  if (down === 0) {
    return '';
  }
  if (down === 1) {
    return `${all === 1 ? 'It' : 'One of them'} does not run, and is started.`;
  }
  return down === all ? 'None of them runs: all are started.' : `${down.toLocaleString('en')} of them do not run, and are started.`;
}

// In one sentence.
function outcome(action, done, results, failed) {
  const what = results.length === 1 ? titleOf(results[0]) : count(results.length - failed.length, 'program');
  if (failed.length === 0) {
    return `${what}: ${done}`;
  }
  const [first] = failed;
  const others = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
  const reason = `${titleOf(first)}: ${WORDS[action].verb} failed: ${first.detail ?? 'no reason given'}${others}`;
  return failed.length < results.length ? `${what}: ${done}. ${reason}` : reason;
}
