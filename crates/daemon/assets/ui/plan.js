// What an update would do to which process, drawn from the plan of the daemon.

import { h } from './dom.js';
import { count } from './format.js';
import { titleOf } from './states.js';

// More lines than this are counted, not listed.
const LISTED = 200;

// How many names stand in one line.
const NAMED = 12;

// The actions of a plan, in the order in which people should see them.
const ACTIONS = {
  remove: { label: 'Remove', tone: 'bad' },
  stop: { label: 'Stop', tone: 'bad' },
  restart: { label: 'Restart', tone: 'warn' },
  add: { label: 'Add', tone: 'good' },
  start: { label: 'Start', tone: 'good' },
  apply: { label: 'Apply live', tone: 'busy' },
  next_start: { label: 'At next start', tone: 'calm' },
};

const ORDER = Object.keys(ACTIONS);

const NEEDS = { live: 'takes effect while it runs', reload: 'needs the daemon to begin again', restart: 'needs a new process' };

export const isEmpty = (plan) => plan.groups.length === 0 && plan.steps.length === 0;

// How many processes each action is about, for the eye and for what is read aloud.
export function summary(plan) {
  const counts = ORDER.map((action) => [action, plan.steps.filter((step) => step.action === action).length]);
  return counts.filter(([, number]) => number > 0);
}

export const summaryText = (plan) =>
  summary(plan)
    .map(([action, number]) => `${number} ${ACTIONS[action].label.toLowerCase()}`)
    .join(', ') || 'no process is concerned';

export const stopped = (plan) => plan.steps.filter(({ stops }) => stops).map(titleOf);

// What a step means to its processes.
function meaning({ action, stops, starts, changes }, isOne) {
  const [it, is] = isOne ? ['It', 'is'] : ['They', 'are'];
  const group = isOne ? 'Its group' : 'Their group';
  switch (action) {
    case 'remove':
      return stops ? `${it} ${is} stopped and forgotten.` : `${it} ${is} forgotten.`;
    case 'add':
      return starts ? `${it} ${is} new, and ${is} started.` : `${it} ${is} new, and ${is} not started by ${isOne ? 'itself' : 'themselves'}.`;
    case 'stop':
      return `${it} ${is} stopped, and not started again.`;
    case 'restart':
      return changes.length === 0 ? `${group} changes, and is replaced as a whole.` : '';
    case 'start':
      return `${it} ${is} down, and ${is} started: ${group.toLowerCase()} is replaced as a whole.`;
    default:
      return '';
  }
}

const value = (text) => (text === '' ? h('i', {}, 'not set') : h('code', {}, text));

const changeRow = ({ option, old, new: next, needs }) =>
  h(
    'tr',
    {},
    h('th', { scope: 'row' }, option),
    h('td', {}, value(old), h('span', { class: 'arrow', 'aria-label': 'becomes' }, ' → '), value(next)),
    h('td', {}, h('span', { class: `needs needs-${needs}`, title: `The change ${NEEDS[needs] ?? ''}` }, needs)),
  );

const changesOf = ({ changes }) =>
  changes.length > 0 && h('div', { class: 'option-changes' }, h('table', {}, h('tbody', {}, changes.map(changeRow))));

// Processes of a group to which the same happens for the same reason are one line.
function merged(steps) {
  const lines = new Map();
  for (const item of steps) {
    const { group: name, action, stops, starts, changes } = item;
    const key = JSON.stringify([name, action, stops, starts, changes]);
    lines.set(key, [...(lines.get(key) ?? []), item]);
  }
  return [...lines.values()];
}

function step(items) {
  const [item] = items;
  const { label, tone } = ACTIONS[item.action] ?? ACTIONS.next_start;
  const isOne = items.length === 1;
  const text = [!isOne && `${count(items.length, 'process', 'processes')}.`, meaning(item, isOne)].filter(Boolean).join(' ');
  const names = items.slice(0, NAMED).map(titleOf).join(', ') + (items.length > NAMED ? ', …' : '');
  return h(
    'li',
    { class: `change tone-${tone}` },
    h('span', { class: 'state' }, label),
    h('b', {}, h('bdi', {}, names)),
    text && h('span', { class: 'sub' }, text),
    changesOf(item),
  );
}

function group(item) {
  const words = { remove: 'Group removed', replace: 'Group replaced', change: 'Group changed', add: 'Group added' };
  const tones = { remove: 'bad', replace: 'warn', change: 'busy', add: 'good' };
  return h(
    'li',
    { class: `change tone-${tones[item.action] ?? 'calm'}` },
    h('span', { class: 'state' }, words[item.action] ?? item.action),
    h('b', {}, h('bdi', {}, item.group)),
    changesOf(item),
  );
}

// The elements of a plan.
export function planElements(plan) {
  const rank = ({ action }) => ORDER.indexOf(action);
  const steps = [...plan.steps].sort((one, other) => rank(one) - rank(other));
  const lines = merged(steps);
  // A group whose processes are listed needs a line of its own only for what is about itself.
  const groups = plan.groups.filter(({ group: name, changes }) => changes.length > 0 || !steps.some((item) => item.group === name));
  const more = lines.length - LISTED;
  return [
    h(
      'p',
      { class: 'plan-summary' },
      summary(plan).map(([action, number]) => h('span', { class: `count tone-${ACTIONS[action].tone}` }, `${number} ${ACTIONS[action].label.toLowerCase()}`)),
    ),
    h('ul', { class: 'changes' }, groups.map(group), lines.slice(0, LISTED).map(step)),
    more > 0 && h('p', { class: 'sub' }, `and ${count(more, 'line')} more`),
  ].filter(Boolean);
}

// The programs that are scaled, which an update leaves alone.
export function scaledElements({ scaled = [] }) {
  return scaled.map(({ section, numprocs, configured }) =>
    h('p', { class: 'sub scaled' }, `${section} is scaled to ${numprocs}; an update keeps that until numprocs=${configured} changes in the file.`),
  );
}
