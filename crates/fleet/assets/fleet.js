// The page over all hosts. It reads /api/hosts again whenever /api/changes says that something has changed.

import { h, setText } from './dom.js';

const MOST_ROWS = 500;
const FILTERS = [['all', 'All'], ['failing', 'Failing'], ['lost', 'Hosts away']];
const ACTIONS = { RUNNING: ['restart', 'stop'], STARTING: ['stop'], BACKOFF: ['stop'], STOPPING: [] };
const AWAY = { lost: 'LOST', left: 'LEFT', no_daemon: 'NO DAEMON' };

let fleet = { hosts: [], me: { role: 'viewer' }, now: 0 };
let filter = 'all';
const $ = (id) => document.getElementById(id);

function tone(row) {
  if (row.isAway || row.problem || row.state === 'FATAL' || row.state === 'UNKNOWN') return 'bad';
  if (['STARTING', 'STOPPING', 'BACKOFF'].includes(row.state)) return 'busy';
  return row.state === 'RUNNING' ? 'good' : 'calm';
}

// A row for each program, and one for each host that is away.
function allRows() {
  return fleet.hosts.flatMap((host) => {
    const labels = Object.entries(host.labels).map(([name, value]) => `${name}=${value}`).join(' ');
    const isAway = host.link !== 'connected';
    const away = { host, isAway: true, name: '', state: AWAY[host.link] ?? host.link, description: `last seen ${age(fleet.now - host.seen)} ago` };
    const programs = host.programs.map((program) => ({
      host,
      program,
      name: program.group === program.name ? program.name : `${program.group}:${program.name}`,
      state: program.health === 'unhealthy' ? 'UNHEALTHY' : program.state,
      problem: program.problem,
      description: program.problem ?? described(program),
    }));
    const rows = isAway ? [away, ...programs] : programs;
    return rows.map((row) => ({ ...row, text: `${host.host} ${labels} ${row.name} ${row.state}`.toLowerCase() }));
  });
}

function described(program) {
  const isRunning = program.state === 'RUNNING' && program.since;
  return isRunning ? `${program.description}, for ${age(fleet.now - program.since)}` : program.description;
}

function age(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  return whole < 172800 ? `${Math.round(whole / 3600)} h` : `${Math.round(whole / 86400)} days`;
}

// Hosts that are away come first, then what fails, then what changes, then the rest.
const ORDER = { bad: 0, busy: 1, calm: 2, good: 2 };
const rank = (row) => (row.isAway ? -1 : ORDER[tone(row)]);

function shownRows() {
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  return allRows()
    .filter((row) => words.every((word) => row.text.includes(word)))
    .filter((row) => filter === 'all' || (filter === 'lost' ? row.isAway : tone(row) === 'bad'))
    .sort((one, other) => rank(one) - rank(other) || one.host.host.localeCompare(other.host.host) || one.name.localeCompare(other.name));
}

function render() {
  const rows = shownRows();
  $('rows').replaceChildren(...rows.slice(0, MOST_ROWS).map(rowElement));
  setText($('more'), rows.length > MOST_ROWS ? `${rows.length - MOST_ROWS} more: search to see them` : '');
  const all = allRows();
  const failing = all.filter((row) => !row.isAway && tone(row) === 'bad').length;
  const away = fleet.hosts.filter((host) => host.link !== 'connected').length;
  const omitted = fleet.hosts.reduce((sum, host) => sum + host.omitted, 0);
  const parts = [`${fleet.hosts.length} hosts`, away && `${away} away`, `${all.filter((row) => row.program).length} programs`, failing && `${failing} failing`, omitted && `${omitted} not shown`];
  setText($('summary'), parts.filter(Boolean).join(', '));
  document.title = failing + away ? `(${failing + away}) Fleet` : 'Fleet';
  renderBulk(rows);
}

function rowElement(row) {
  return h(
    'tr',
    { class: row.host.stale ? 'stale' : null },
    h('td', { title: Object.entries(row.host.labels).map((label) => label.join('=')).join(', ') }, row.host.host),
    h('td', {}, row.name),
    h('td', {}, h('span', { class: `state ${tone(row)}` }, row.state)),
    h('td', {}, row.description),
    h('td', { class: 'actions' }, ...(mayAct(row) ? (ACTIONS[row.program.state] ?? ['start']) : []).map((action) => actionButton(action, [row]))),
  );
}

const mayAct = (row) => row.program && fleet.me.role !== 'viewer' && row.host.link === 'connected';

function actionButton(action, rows, label = action[0].toUpperCase() + action.slice(1)) {
  return h('button', { type: 'button', onclick: () => act(action, rows) }, label);
}

// One action on everything that a search has found.
function renderBulk(rows) {
  const possible = $('search').value.trim() ? rows.filter(mayAct) : [];
  const buttons = possible.length > 1 ? ['start', 'stop', 'restart'].map((action) => actionButton(action, possible, `${action} these ${possible.length}`)) : [];
  $('bulk').replaceChildren(...buttons);
}

async function act(action, rows) {
  const hosts = new Set(rows.map((row) => row.host.host));
  const where = hosts.size === 1 ? [...hosts][0] : `${hosts.size} hosts`;
  const what = rows.length === 1 ? rows[0].name : `${rows.length} programs`;
  if (action !== 'start' && !confirm(`${action} ${what} on ${where}?`)) return;
  // Hosts with the same programs are asked together.
  const requests = new Map();
  for (const host of hosts) {
    const select = rows.filter((row) => row.host.host === host).map((row) => `${row.program.group}:${row.program.name}`);
    const key = JSON.stringify(select);
    requests.set(key, [...(requests.get(key) ?? []), host]);
  }
  const failures = [];
  for (const [select, named] of requests) {
    const response = await fetch('api/actions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ action, hosts: named, select: JSON.parse(select) }),
    });
    const answer = await response.json();
    if (!response.ok) failures.push(answer.detail);
    for (const host of answer.hosts ?? []) {
      if (host.detail) failures.push(`${host.host}: ${host.detail}`);
      for (const result of host.results ?? []) {
        if (!result.ok) failures.push(`${host.host}: ${result.group}:${result.name}: ${result.detail}`);
      }
    }
  }
  complain(failures.length ? `${action}: ${failures.slice(0, 5).join('; ')}` : '');
  await refresh();
}

function complain(text, source = 'action') {
  // That the hub is back says nothing about an action that has failed.
  if (!text && source !== $('notice').dataset.source) return;
  $('notice').dataset.source = source;
  setText($('notice'), text);
  $('notice').hidden = !text;
}

async function refresh() {
  const response = await fetch('api/hosts');
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  fleet = await response.json();
  render();
}

$('filters').replaceChildren(
  ...FILTERS.map(([name, label]) =>
    h('button', {
      type: 'button',
      'aria-pressed': String(name === filter),
      onclick: (event) => {
        filter = name;
        for (const button of $('filters').children) button.setAttribute('aria-pressed', String(button === event.target));
        render();
      },
    }, label),
  ),
);
$('search').addEventListener('input', render);
const changes = new EventSource('api/changes');
changes.addEventListener('changed', () => refresh().then(() => complain('', 'hub'), (error) => complain(`The hub does not answer: ${error.message}`, 'hub')));
changes.addEventListener('error', () => complain('The hub cannot be reached. Trying again.', 'hub'));
