// What happened to a program: what the daemon remembers, and the events since the page was opened.

import { h } from './dom.js';
import { clock, iso } from './format.js';
import { icon } from './icons.js';
import { keyOf, STATES } from './states.js';

// How many entries are shown.
const SHOWN = 100;

const ACTIONS = { start: 'start', stop: 'stop', restart: 'restart' };

// From what the daemon remembers: `{ time, text, detail, tone, icon }`.
function remembered(program) {
  const entries = [];
  const { last_request: request, last_end: end, started_at: started } = program;
  if (request) {
    const what = request.action === 'signal' ? `${request.signal} sent` : `${ACTIONS[request.action] ?? request.action} requested`;
    entries.push({ time: request.at, text: what[0].toUpperCase() + what.slice(1), detail: `by ${request.by}`, tone: 'calm', icon: 'signal' });
  }
  if (end) {
    const isBad = !['expected', 'stopped'].includes(end.judgement);
    const detail = [end.judgement.replace('_', ' '), end.last_line].filter(Boolean).join(': ');
    entries.push({ time: end.at, text: `Ended: ${end.description}`, detail, tone: isBad ? 'bad' : 'calm', icon: isBad ? 'fatal' : 'exited' });
  }
  if (started) {
    entries.push({ time: started, text: 'Process started', detail: program.pid ? `pid ${program.pid}` : '', tone: 'busy', icon: 'starting' });
  }
  return entries;
}

function happened({ kind, time, from, state, tries, expected, health, reason }) {
  if (kind === 'process_health') {
    const tone = { healthy: 'good', unhealthy: 'bad' }[health] ?? 'busy';
    return { time, text: `${from} → ${health}`, detail: reason ?? '', tone, icon: tone === 'bad' ? 'backoff' : 'running' };
  }
  const { label, tone, icon: shape } = STATES[state] ?? STATES.UNKNOWN;
  const details = [tries ? `attempt ${tries}` : '', expected === false ? 'unexpected' : ''].filter(Boolean);
  return { time, text: `${STATES[from]?.label ?? from} → ${label}`, detail: details.join(', '), tone: expected === false ? 'bad' : tone, icon: shape };
}

export function timelineOf(program, events) {
  const key = keyOf(program);
  const seen = events.filter((event) => event.key === key).map(happened);
  return [...remembered(program), ...seen].sort((one, other) => other.time - one.time).slice(0, SHOWN);
}

export const timelineItem = ({ time, text, detail, tone, icon: shape }) =>
  h(
    'li',
    { class: `happening tone-${tone}` },
    icon(shape),
    h('div', {}, h('div', {}, text), detail && h('div', { class: 'sub' }, detail)),
    h('time', { datetime: iso(time), title: iso(time) }, clock(time)),
  );
