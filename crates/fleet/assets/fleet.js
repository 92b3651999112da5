// The page over all hosts. It reads /api/hosts again whenever /api/changes says that something has changed.

import { confirm } from './dialog.js';
import { h, setAttribute, setHidden, setText } from './dom.js';
import { compareNames, count, duration } from './format.js';
import { icon } from './icons.js';
import { STATES, STATE_NAMES, titleOf } from './states.js';

// How many rows are shown before somebody asks for more.
const ROWS_AT_FIRST = 300;
// How many failures of an action are listed.
const MOST_FAILURES = 8;
// How many programs a request to a host may name.
const MOST_SELECTED = 64;
// How often the page reads at the most, and without a stream, in milliseconds.
const READ_EVERY = 1000;
const POLL_EVERY = 5000;
// How long an answer with all programs may take, and one that only shows that the hub is there.
const READ_WITHIN = 10000;
const ANSWERED_WITHIN = 3000;

const ACTIONS = { RUNNING: ['restart', 'stop'], STARTING: ['stop'], BACKOFF: ['stop'], STOPPING: [], UNKNOWN: ['start', 'stop'] };
const LABELS = { start: 'Start', stop: 'Stop', restart: 'Restart' };
const AWAY = {
  lost: { label: 'Lost', icon: 'fatal', tone: 'bad' },
  no_daemon: { label: 'No daemon', icon: 'fatal', tone: 'bad' },
  left: { label: 'Left', icon: 'stopped', tone: 'warn' },
};
const UNHEALTHY = { label: 'Unhealthy', icon: 'backoff', tone: 'bad' };
const LINKS = { connecting: 'Connecting…', live: 'Live', polling: 'Every 5 s', down: 'No answer' };

const $ = (id) => document.getElementById(id);

let fleet = { hosts: [], me: { name: '', role: 'viewer' }, now: 0 };
// The time of the server is counted on here until the next answer.
let readAt = 0;
let rows = [];
let filter = null;
let most = ROWS_AT_FIRST;
const elements = new Map();
const busy = new Set();

const now = () => fleet.now + (performance.now() - readAt) / 1000;

// A row for each program, and one for each host that is away.
function allRows() {
  return fleet.hosts.flatMap((host) => {
    const labels = Object.entries(host.labels).map(([name, value]) => `${name}=${value}`);
    const isAway = host.link !== 'connected';
    const made = host.programs.map((program) => programRow(host, labels, program, isAway));
    return isAway ? [awayRow(host, labels), ...made] : made;
  });
}

function programRow(host, labels, program, isStale) {
  const state = program.health === 'unhealthy' && program.state === 'RUNNING' ? UNHEALTHY : STATES[program.state] ?? STATES.UNKNOWN;
  const needsAttention = !isStale && (Boolean(program.problem) || state.tone === 'bad' || state.tone === 'warn');
  const name = titleOf(program);
  return {
    key: `${host.host}\n${program.group}\n${program.name}`,
    text: [host.host, ...labels, name, program.state, state.label, program.problem ?? ''].join('\n').toLowerCase(),
    note: noteOf(program),
    host, labels, program, name, state, isStale, needsAttention,
  };
}

// Why it is not as it should be; the state itself is said beside it.
function noteOf({ problem, state, description }) {
  if (!problem) return state === 'RUNNING' ? description : '';
  return problem === state ? '' : problem.replace(`${state}: `, '');
}

function awayRow(host, labels) {
  const state = AWAY[host.link] ?? AWAY.lost;
  return {
    key: host.host,
    text: [host.host, ...labels, state.label, 'away'].join('\n').toLowerCase(),
    name: count(host.programs.length + host.omitted, 'program'),
    note: host.link === 'no_daemon' ? 'Its daemon does not answer' : '',
    host, labels, program: null, state, isStale: false, needsAttention: true,
  };
}

// Hosts that are away come first, then what fails, by how much; whatever runs keeps its place.
function urgency(row) {
  if (!row.program) return -1;
  if (!row.needsAttention) return STATE_NAMES.length + (row.isStale ? 1 : 0);
  return row.state === UNHEALTHY ? 0.5 : STATE_NAMES.indexOf(row.program.state);
}

const byHost = (one, other) => compareNames(one.host.host, other.host.host);
const byName = (one, other) => compareNames(one.program ? one.name : '', other.program ? other.name : '');
const ORDERS = {
  attention: (one, other) => urgency(one) - urgency(other) || byHost(one, other) || byName(one, other),
  host: (one, other) => byHost(one, other) || urgency(one) - urgency(other) || byName(one, other),
  program: (one, other) => byName(one, other) || urgency(one) - urgency(other) || byHost(one, other),
};

const FILTERS = {
  attention: { label: 'Need attention', icon: 'backoff', tone: 'bad', has: (row) => row.needsAttention },
  away: { label: 'Hosts away', icon: 'fatal', tone: 'bad', has: (row) => !row.program },
  ...Object.fromEntries(STATE_NAMES.map((name) => [name, { ...STATES[name], has: (row) => row.program?.state === name && !row.isStale }])),
};

function shownRows() {
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = FILTERS[filter]?.has ?? (() => true);
  const order = ORDERS[$('sort').value] ?? ORDERS.attention;
  return rows.filter((row) => has(row) && words.every((word) => row.text.includes(word))).sort(order);
}

function render() {
  const shown = shownRows();
  renderSummary();
  renderFilters();
  renderRows(shown.slice(0, most));
  renderBulk(shown);
  setHidden($('more'), shown.length <= most);
  if (shown.length > most) {
    const rest = shown.length - most;
    const more = h('button', { type: 'button', class: 'button', onclick: () => ((most += ROWS_AT_FIRST), render()) }, `Show ${Math.min(rest, ROWS_AT_FIRST)} more`);
    $('more').replaceChildren(`${rest.toLocaleString('en')} more: search or filter to find them`, more);
  }
}

function renderSummary() {
  const { hosts, me } = fleet;
  const programs = rows.filter((row) => row.program);
  const running = programs.filter((row) => row.program.state === 'RUNNING' && !row.isStale).length;
  const away = hosts.filter((host) => host.link !== 'connected').length;
  const omitted = hosts.reduce((sum, host) => sum + host.omitted, 0);
  const trouble = rows.filter((row) => row.needsAttention).length;
  const parts = [count(hosts.length, 'host'), away && `${away} away`, count(programs.length, 'program'), omitted && `${omitted} more have no room`];
  setText($('summary'), parts.filter(Boolean).join(' · '));
  setText($('me'), `${me.name} · ${me.role}`);
  const title = `${running}/${programs.length} running · Fleet`;
  document.title = trouble > 0 ? `(${trouble}!) ${title}` : title;
}

const chips = new Map();

// Chips stay where they are, so that the focus does, too.
function renderFilters() {
  const wanted = [null, ...Object.keys(FILTERS)].map((name) => [name, name === null ? rows.length : rows.filter(FILTERS[name].has).length]);
  const present = wanted.filter(([name, number]) => name === null || number > 0 || name === filter);
  present.forEach(([name, number], index) => {
    const { label, tone, icon: shape } = FILTERS[name] ?? { label: 'All', tone: '', icon: null };
    if (!chips.has(name)) {
      const chip = h('button', { type: 'button', class: `chip tone-${tone}`, onclick: () => choose(name) }, shape && icon(shape), label, h('span', { class: 'chip-count' }));
      chips.set(name, chip);
    }
    const chip = chips.get(name);
    setText(chip.querySelector('.chip-count'), number.toLocaleString('en'));
    setAttribute(chip, 'aria-pressed', name === filter);
    if ($('filters').children[index] !== chip) $('filters').insertBefore(chip, $('filters').children[index] ?? null);
  });
  while ($('filters').children.length > present.length) $('filters').lastChild.remove();
  const programs = rows.filter((row) => row.program && !row.isStale);
  const tones = ['bad', 'warn', 'busy', 'good', 'calm'].map((tone) => [tone, programs.filter((row) => row.state.tone === tone).length]);
  $('state-bar').replaceChildren(
    ...tones.filter(([, number]) => number > 0).map(([tone, number]) => {
      const part = h('span', { class: `tone-${tone}` });
      part.style.flexGrow = number;
      return part;
    }),
  );
}

function choose(name) {
  filter = name === filter ? null : name;
  most = ROWS_AT_FIRST;
  render();
}

function renderRows(shown) {
  const body = $('rows');
  const keep = new Set(shown.map((row) => row.key));
  for (const [key, { element }] of elements) {
    if (!keep.has(key)) {
      element.remove();
      elements.delete(key);
    }
  }
  shown.forEach((row, index) => {
    const element = elementOf(row);
    const there = body.children[index];
    if (there !== element) {
      const focused = element.contains(document.activeElement) ? document.activeElement : null;
      body.insertBefore(element, there ?? null);
      focused?.focus();
    }
  });
  setHidden($('table'), shown.length === 0);
  setHidden($('empty'), shown.length > 0);
  if (shown.length === 0) renderEmpty();
  renderTimes();
}

// The element of a row, made anew only when something of the row has changed.
function elementOf(row) {
  const { host, program, state, note, name, isStale, labels } = row;
  const actions = actionsOf(row);
  const isBusy = busy.has(row.key);
  const signature = JSON.stringify([state.label, name, note, isStale, labels, actions, isBusy, row.needsAttention, program ? program.since : [host.link, host.seen]]);
  const known = elements.get(row.key);
  if (known?.signature === signature) {
    known.row = row;
    return known.element;
  }
  const entry = { signature, row, element: known?.element ?? h('tr') };
  const { element } = entry;
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute('aria-label') : null;
  entry.time = h('span', { class: 'main' });
  element.className = [isStale && 'is-stale', isBusy && 'is-busy'].filter(Boolean).join(' ');
  element.replaceChildren(
    h('td', { class: 'f-state' }, h('span', { class: `state tone-${state.tone}` }, icon(state.icon), state.label)),
    h('td', { class: 'f-program' }, h('bdi', { class: 'program', title: name }, name), note && h('bdi', { class: `note ${row.needsAttention ? 'note-bad' : ''}`, title: note }, note)),
    h(
      'td',
      { class: 'f-host' },
      h('bdi', { class: 'host-name' }, host.host),
      labels.length > 0 && h('span', { class: 'labels' }, labels.map((label) => h('button', { type: 'button', class: 'label', title: `Show ${label}`, onclick: () => search(label) }, h('bdi', {}, label)))),
    ),
    h('td', { class: 'f-time' }, entry.time),
    h('td', { class: 'f-actions' }, h('span', {}, actions.map((action) => actionButton(action, row, isBusy)))),
  );
  elements.set(row.key, entry);
  if (focused) [...element.querySelectorAll('button')].find((button) => button.getAttribute('aria-label') === focused)?.focus();
  return element;
}

function actionButton(action, row, isBusy) {
  const label = `${LABELS[action]} ${row.name} on ${row.host.host}`;
  return h('button', { type: 'button', class: `act act-${action}`, title: LABELS[action], 'aria-label': label, 'aria-disabled': isBusy ? 'true' : null, onclick: () => isBusy || act(action, [row]) }, icon(action));
}

function renderTimes() {
  for (const { row, time } of elements.values()) {
    const since = row.program ? row.program.since : row.host.seen;
    const text = since ? duration(now() - since) : '—';
    setText(time, row.program?.state === 'RUNNING' || !since ? text : `${text} ago`);
  }
}

function renderEmpty() {
  const isSearching = filter !== null || $('search').value.trim() !== '';
  const clear = h('button', { type: 'button', class: 'button', onclick: () => ((filter = null), search('')) }, 'Show all');
  const content = isSearching
    ? [h('h2', {}, 'Nothing matches'), clear]
    : [h('h2', {}, readAt ? 'No host has joined yet' : 'Loading'), readAt && h('p', {}, 'Run supervisor-fleet agent beside a daemon.')];
  $('empty').replaceChildren(...content.filter(Boolean));
}

const mayAct = (row) => row.program && fleet.me.role !== 'viewer' && row.host.link === 'connected';
const actionsOf = (row) => (mayAct(row) ? ACTIONS[row.program.state] ?? ['start'] : []);

// One action on everything that a search or a filter has found, on the rows out of sight, too.
function renderBulk(shown) {
  const isNarrowed = filter !== null || $('search').value.trim() !== '';
  const buttons = ['start', 'restart', 'stop'].map((action) => {
    const possible = isNarrowed ? shown.filter((row) => actionsOf(row).includes(action) && !busy.has(row.key)) : [];
    const label = `${LABELS[action]} ${count(possible.length, 'program')}`;
    return possible.length > 1 && h('button', { type: 'button', class: 'button', 'aria-label': label, onclick: () => act(action, possible) }, icon(action), label);
  });
  const present = buttons.filter(Boolean);
  const labels = present.map((button) => button.getAttribute('aria-label')).join();
  // The same buttons act on the same rows only while these are the same.
  const focused = $('bulk').contains(document.activeElement) ? document.activeElement.textContent.split(' ')[0] : null;
  $('bulk').replaceChildren(...present);
  if (focused) present.find((button) => button.textContent.startsWith(focused))?.focus();
  setHidden($('bulk'), labels === '');
}

async function act(action, chosen) {
  const hosts = [...new Set(chosen.map((row) => row.host.host))];
  const what = chosen.length === 1 ? chosen[0].name : count(chosen.length, 'program');
  const where = hosts.length === 1 ? hosts[0] : count(hosts.length, 'host');
  const title = `${LABELS[action]} ${what} on ${where}?`;
  const listed = hosts.slice(0, 10).join(', ') + (hosts.length > 10 ? `, and ${hosts.length - 10} more` : '');
  if (chosen.length > 1 && !(await confirm({ title, lines: [listed], verb: LABELS[action], isDangerous: action === 'stop' }))) return;
  const keys = chosen.map((row) => row.key);
  keys.forEach((key) => busy.add(key));
  complain([], 'action');
  render();
  try {
    complain(await send(action, chosen, hosts), 'action');
  } catch (error) {
    complain([`${LABELS[action]}: ${error.message}`], 'action');
  }
  keys.forEach((key) => busy.delete(key));
  await read().catch(() => {});
  render();
}

// Sends an action; answers what has failed. Hosts with the same programs are asked together.
async function send(action, chosen, hosts) {
  const requests = new Map();
  for (const host of hosts) {
    const names = chosen.filter((row) => row.host.host === host).map((row) => `${row.program.group}:${row.program.name}`);
    for (let first = 0; first < names.length; first += MOST_SELECTED) {
      const select = names.slice(first, first + MOST_SELECTED);
      const key = JSON.stringify(select);
      requests.set(key, { select, hosts: [...(requests.get(key)?.hosts ?? []), host] });
    }
  }
  const answers = [...requests.values()].map(async ({ select, hosts: named }) => {
    const response = await fetch('api/actions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ action, hosts: named, select }),
    });
    const answer = await response.json();
    if (!response.ok) return [`${LABELS[action]}: ${answer.detail}`];
    return answer.hosts.flatMap((host) => [
      ...(host.answer === 'done' ? [] : [`${host.host}: ${host.detail ?? 'no answer'}`]),
      ...(host.results ?? []).filter((result) => !result.ok).map((result) => `${host.host}: ${titleOf(result)}: ${result.detail}`),
    ]);
  });
  return (await Promise.all(answers)).flat();
}

function complain(texts, source) {
  const notice = $('notice');
  // That the hub is back says nothing about an action that has failed.
  if (texts.length === 0 && source !== notice.dataset.source) return;
  notice.dataset.source = source;
  setHidden(notice, texts.length === 0);
  const rest = texts.length > MOST_FAILURES ? [`and ${texts.length - MOST_FAILURES} more`] : [];
  const items = [...texts.slice(0, MOST_FAILURES), ...rest].map((text) => h('li', {}, h('bdi', {}, text)));
  const close = h('button', { type: 'button', class: 'act', 'aria-label': 'Close', onclick: () => setHidden(notice, true) }, icon('close'));
  notice.replaceChildren(h('ul', {}, items), close);
}

function search(text) {
  $('search').value = text;
  most = ROWS_AT_FIRST;
  render();
}

async function read() {
  const response = await fetch('api/hosts', { signal: AbortSignal.timeout(READ_WITHIN) });
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  fleet = await response.json();
  readAt = performance.now();
  rows = allRows();
}

function showLink(link) {
  setText($('link'), LINKS[link]);
  $('link').className = `link link-${link}`;
  document.body.classList.toggle('is-down', link === 'down');
}

let isReading = false;
let isWanted = false;
let isStale = false;

// Reads one time after the other, however often something changes.
async function refresh() {
  isWanted = true;
  if (isReading || document.hidden) return;
  isReading = true;
  while (isWanted && !document.hidden) {
    isWanted = false;
    try {
      await read();
      isStale = false;
      showLink(changes.readyState === EventSource.OPEN ? 'live' : 'polling');
      render();
    } catch {
      isStale = true;
      showLink('down');
    }
    await new Promise((resolve) => setTimeout(resolve, READ_EVERY));
  }
  isReading = false;
}

document.querySelector('.search').prepend(icon('search'));
$('search').addEventListener('input', () => search($('search').value));
$('sort').addEventListener('change', render);
document.addEventListener('keydown', (event) => {
  const isTyping = event.target.closest('input, select, dialog');
  if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    $('search').focus();
  } else if (event.key === 'Escape' && event.target === $('search')) {
    search('');
  }
});
document.addEventListener('visibilitychange', refresh);

const changes = new EventSource('api/changes');
changes.addEventListener('changed', refresh);
changes.addEventListener('error', refresh);
// The stream of a hub that is stopped stays open and brings nothing.
async function probe() {
  try {
    await fetch('icon.svg', { cache: 'no-store', signal: AbortSignal.timeout(ANSWERED_WITHIN) });
  } catch {
    isStale = true;
    showLink('down');
  }
}

// Without a stream, and after an answer that did not come, the page asks by itself.
setInterval(() => {
  if (changes.readyState !== EventSource.OPEN || isStale) {
    refresh();
  } else if (!document.hidden) {
    renderTimes();
    probe();
  }
}, POLL_EVERY);
refresh();
