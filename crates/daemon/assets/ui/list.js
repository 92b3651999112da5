// What the table shows in which order: searched, filtered, sorted, in groups.

import { compareNames } from './format.js';
import { keyOf, needsAttention, noteOf, STATE_NAMES, urgency } from './states.js';

export const SORTS = {
  attention: 'Failures first',
  name: 'Name',
  state: 'State',
  time: 'Time in state',
  cpu: 'CPU',
  memory: 'Memory',
  restarts: 'Restarts',
};

// The text a program is found by. Objects of programs are replaced when they change.
const texts = new WeakMap();

function textOf(program) {
  if (!texts.has(program)) {
    const parts = [keyOf(program), program.state, noteOf(program), program.pid ?? '', program.health?.status ?? ''];
    texts.set(program, parts.join('\n').toLowerCase());
  }
  return texts.get(program);
}

// What somebody has chosen to see.
export class Choice {
  constructor() {
    this.search = '';
    // A state, `attention`, or null for all.
    this.filter = null;
    this.sort = 'attention';
    this.descending = false;
    this.isGrouped = true;
    this.folded = new Set();
  }

  matches(program, words) {
    const isChosen =
      this.filter === null || (this.filter === 'attention' ? needsAttention(program) : program.state === this.filter);
    return isChosen && words.every((word) => textOf(program).includes(word));
  }

  get words() {
    return this.search.toLowerCase().split(/\s+/).filter(Boolean);
  }
}

// How many programs are in each state, and how many need attention.
export function tally(programs) {
  const counts = new Map([['attention', 0], ...STATE_NAMES.map((name) => [name, 0])]);
  for (const program of programs) {
    counts.set(program.state, (counts.get(program.state) ?? 0) + 1);
    if (needsAttention(program)) {
      counts.set('attention', counts.get('attention') + 1);
    }
  }
  return counts;
}

// Programs in the order of their names, which is expensive to find and seldom changes.
export class NameOrder {
  constructor() {
    this.ranks = new Map();
  }

  renew(programs) {
    const sorted = [...programs].sort((one, other) => compareNames(one.group, other.group) || compareNames(one.name, other.name));
    this.ranks = new Map(sorted.map((program, rank) => [keyOf(program), rank]));
  }

  of(program) {
    return this.ranks.get(keyOf(program)) ?? Infinity;
  }
}

function measure(sort, usage, order) {
  const last = (key, name) => usage.of(key)?.[name] ?? 0;
  switch (sort) {
    case 'attention':
      // Whatever runs keeps its place, so that rows do not jump when a program is restarted.
      return (program) => (needsAttention(program) ? urgency(program) : STATE_NAMES.length);
    case 'state':
      return urgency;
    case 'time':
      return (program) => -(program.since ?? 0);
    case 'cpu':
    case 'memory':
      return (program) => -last(keyOf(program), sort);
    case 'restarts':
      return (program) => -program.restarts;
    default:
      return (program) => order.of(program);
  }
}

// The rows: `{ key, group, members, shown, isFolded }` of a group, `{ key, program, isInGroup }` of a program.
export function rowsOf(programs, choice, usage, order) {
  const { words } = choice;
  const value = measure(choice.sort, usage, order);
  const sign = choice.descending ? -1 : 1;
  const entries = [];
  const sizes = new Map();
  for (const program of programs.values()) {
    sizes.set(program.group, (sizes.get(program.group) ?? 0) + 1);
    if (choice.matches(program, words)) {
      entries.push({ program, value: value(program), rank: order.of(program) });
    }
  }
  entries.sort((one, other) => sign * (one.value - other.value) || one.rank - other.rank);
  const isGroup = (program) => choice.isGrouped && (sizes.get(program.group) > 1 || program.group !== program.name);
  // A group stands where its first program would.
  const groups = new Map();
  const rows = [];
  for (const { program } of entries) {
    if (!isGroup(program)) {
      rows.push({ key: keyOf(program), program, isInGroup: false });
    } else if (groups.has(program.group)) {
      groups.get(program.group).shown.push(program);
    } else {
      const row = { key: `group\n${program.group}`, group: program.group, shown: [program], isFolded: choice.folded.has(program.group) };
      groups.set(program.group, row);
      rows.push(row);
    }
  }
  if (groups.size > 0) {
    for (const program of programs.values()) {
      const row = groups.get(program.group);
      if (row) {
        (row.members ??= []).push(program);
      }
    }
  }
  return rows.flatMap((row) => {
    if (row.group === undefined || row.isFolded) {
      return [row];
    }
    return [row, ...row.shown.map((program) => ({ key: keyOf(program), program, isInGroup: true }))];
  });
}
