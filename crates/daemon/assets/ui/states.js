// The states of programs, and what the table makes of them.

import { duration } from './format.js';
import { mayOperate } from './rights.js';

// From the most to the least urgent.
export const STATES = {
  FATAL: { label: 'Fatal', icon: 'fatal', tone: 'bad' },
  UNKNOWN: { label: 'Unknown', icon: 'unknown', tone: 'bad' },
  BACKOFF: { label: 'Backoff', icon: 'backoff', tone: 'warn' },
  STARTING: { label: 'Starting', icon: 'starting', tone: 'busy' },
  STOPPING: { label: 'Stopping', icon: 'stopping', tone: 'busy' },
  RUNNING: { label: 'Running', icon: 'running', tone: 'good' },
  EXITED: { label: 'Exited', icon: 'exited', tone: 'calm' },
  STOPPED: { label: 'Stopped', icon: 'stopped', tone: 'calm' },
};

export const STATE_NAMES = Object.keys(STATES);

export const stateOf = (program) => STATES[program.state] ?? STATES.UNKNOWN;

export const keyOf = (program) => `${program.group}:${program.name}`;

// The name as `supervisorctl` has it.
export const titleOf = (program) => (program.group === program.name ? program.name : keyOf(program));

const FAILED = new Set(['FATAL', 'UNKNOWN', 'BACKOFF']);

// Whether somebody should look at it.
export function needsAttention(program) {
  if (FAILED.has(program.state) || program.health?.status === 'unhealthy' || program.outlook === 'waits_in_vain') {
    return true;
  }
  // One that is started again after it has failed is not well yet.
  return ['EXITED', 'STARTING'].includes(program.state) && hasFailed(program.last_end);
}

const hasFailed = (end) => Boolean(end) && !['expected', 'stopped'].includes(end.judgement);

// A smaller number is more urgent.
export function urgency(program) {
  // Attempts to start do not make a program jump from place to place.
  const rank = STATE_NAMES.indexOf(program.state === 'STARTING' && needsAttention(program) ? 'BACKOFF' : program.state);
  return needsAttention(program) ? rank : rank + STATE_NAMES.length;
}

export const isUp = (program) => program.state === 'RUNNING';

// Whether anything is happening to it that no event will tell of.
export const isInMotion = (program) =>
  ['STARTING', 'STOPPING', 'BACKOFF'].includes(program.state) || program.health?.status === 'starting';

// What can be asked of it now: the verbs, the first as the main one.
export function verbs(program) {
  if (!mayOperate()) {
    return [];
  }
  if (program.disabled && ['STOPPED', 'EXITED', 'FATAL'].includes(program.state)) {
    return ['enable'];
  }
  switch (program.state) {
    case 'RUNNING':
      return ['restart', 'stop'];
    case 'STARTING':
    case 'BACKOFF':
      return ['stop'];
    case 'STOPPING':
      // It is started again when it has ended, unless it is stopped.
      return program.wanted === 'up' ? ['stop'] : [];
    case 'UNKNOWN':
      return ['start', 'stop'];
    default:
      return ['start'];
  }
}

// The programs that a verb means where it is asked of many. A restart starts what does not run, and tries again what waits for
// another attempt.
export const affected = (verb, programs) =>
  programs.filter((program) => {
    const possible = verbs(program);
    return possible.includes(verb) || (verb === 'restart' && (possible.includes('start') || (possible.includes('stop') && program.state !== 'STOPPING')));
  });

// Since when it is as it is, or when it is started next.
export function timing(program, now) {
  if (program.next_start !== null && program.next_start !== undefined && program.state !== 'RUNNING') {
    return { text: `in ${duration(program.next_start - now)}`, detail: 'next start' };
  }
  if (program.state === 'RUNNING' && program.started_at) {
    return { text: duration(now - program.started_at), detail: program.pid ? `pid ${program.pid}` : '' };
  }
  if (!program.since) {
    return { text: program.state === 'STOPPED' ? 'never started' : '—', detail: '' };
  }
  const by = program.state === 'STOPPED' && program.last_request?.by ? 'on request' : '';
  return { text: `${duration(now - program.since)} ago`, detail: program.pid ? `pid ${program.pid}` : by };
}

// One line that says why it is not as it should be, or what it says about itself.
export function noteOf(program) {
  if (program.reason) {
    return program.reason;
  }
  if (program.health?.status === 'unhealthy' && program.health.last_result) {
    return `unhealthy: ${program.health.last_result}`;
  }
  if (program.state === 'STARTING' && program.waiting_for?.length > 0) {
    return `waits for ${program.waiting_for.map(awaited).join(', ')}`;
  }
  return program.service?.status || program.readiness?.last_failure || '';
}

function awaited({ group, name, condition, hindrance }) {
  if (group === null) {
    return 'its turn';
  }
  const what = name === null ? `${group}:*` : titleOf({ group, name });
  return `${what} to be ${condition}${hindrance ? ` (${hindrance})` : ''}`;
}

// Health where something checks it, otherwise readiness where something tells it.
export function condition(program) {
  if (program.health) {
    const tones = { healthy: 'good', unhealthy: 'bad', starting: 'busy' };
    return { text: program.health.status, tone: tones[program.health.status] ?? 'calm', title: program.health.last_result ?? '' };
  }
  if (program.readiness && ['RUNNING', 'STARTING'].includes(program.state)) {
    const { ready, when } = program.readiness;
    return { text: ready ? 'ready' : 'not ready', tone: ready ? 'good' : 'busy', title: `ready_when=${when}` };
  }
  return null;
}

export function lastExit(program) {
  const end = program.last_end;
  if (!end) {
    return null;
  }
  const text = end.signal ?? `exit ${end.exit_status}`;
  return { text, title: end.description, isFailure: hasFailed(end), at: end.at };
}
