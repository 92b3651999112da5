// Keeps the store as new as the daemon: by one stream of events, by polling where no stream comes through, and not at all
// while nobody looks at the page.

import { address, get, isAddressable, now, programPath } from './api.js';
import { keyOf, STATE_NAMES } from './states.js';

// How long a stream may take to open before the programs are read without it.
const OPENING = 1500;

// Between two reads of programs that have changed.
const BATCH = 1000;

// Between two reads of everything where there is no stream.
const POLL = 3000;

// Between two attempts at a stream where one was refused.
const RETRY = 15000;

// How long the daemon may not answer before the page says so: an upgrade takes a moment.
const PATIENCE = 2500;

// Between two attempts to read everything meanwhile.
const AGAIN = 500;

// How many seconds lie between two measurements of what programs use, which are also a sign of life. Without any for one and a half
// times as long, the daemon is asked whether it answers; for three times as long, something holds the stream back.
const USAGE = 5;
const OVERDUE = 1.5 * USAGE * 1000;
const HELD_BACK = 3 * USAGE * 1000;

// How long the answer to that question may take, and one with all programs.
const ANSWERED = PATIENCE + 500;
const READ = 10000;

// How many seconds ago something has happened that is only remembered.
const REMEMBERED = 10;

// How many programs are asked for in one request; with more, all are.
const SOME = 50;

export class Live {
  constructor(store) {
    this.store = store;
    this.stream = null;
    this.timers = new Map();
    this.dirty = new Set();
    // The id of the last event, after which the next stream goes on. At first the daemon tells what it remembers.
    this.lastEvent = '0';
    // Whether the stream brings what happens.
    this.isFlowing = false;
    // Since when the daemon has not answered.
    this.failing = null;
    // The number of the current visit: what was asked for in an earlier one is ignored.
    this.visit = 0;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
    window.addEventListener('pagehide', () => this.close());
    window.addEventListener('pageshow', (event) => event.persisted && this.open());
  }

  open() {
    if (document.hidden || this.stream !== null) {
      return;
    }
    this.visit += 1;
    // A proxy that holds the stream back may hold back its head as well, so that it neither opens nor fails.
    this.later('load', OPENING, () => {
      this.load();
      this.poll();
    });
    this.connect();
  }

  // After this the page costs the daemon nothing.
  close() {
    this.visit += 1;
    this.stream?.close();
    this.stream = null;
    this.isFlowing = false;
    this.failing = null;
    this.timers.forEach(clearTimeout);
    this.timers.clear();
    this.dirty.clear();
  }

  connect() {
    const stream = new EventSource(address(`events?usage=${USAGE}&last_event_id=${encodeURIComponent(this.lastEvent)}`));
    this.stream = stream;
    let isBegun = false;
    stream.onopen = () => {
      isBegun = false;
      this.expectUsage();
      this.load();
    };
    stream.onerror = () => {
      this.isFlowing = false;
      if (stream.readyState === EventSource.CLOSED) {
        // Refused: the browser does not try again by itself.
        this.later('retry', RETRY, () => this.connect());
      }
      this.poll();
    };
    const on = (name, handle) =>
      stream.addEventListener(name, (event) => {
        this.lastEvent = event.lastEventId || this.lastEvent;
        handle.call(this, JSON.parse(event.data));
        isBegun = true;
      });
    on('process_state', this.onState);
    on('process_health', this.onHealth);
    on('usage', this.onUsage);
    for (const name of ['group_added', 'group_removed']) {
      on(name, (event) => {
        this.store.addHappening({ kind: name, ...event });
        if (!this.isOld(null, event.time)) {
          this.later('load', BATCH / 4, () => this.load());
        }
      });
    }
    on('supervisor_state', (event) => {
      this.store.addHappening({ kind: 'supervisor_state', ...event });
      if (!this.isOld(null, event.time)) {
        this.loadDaemon().catch(() => {});
      }
    });
    // What opens a stream reads everything anyway.
    on('gap', () => isBegun && this.load());
  }

  onState({ time, group, name, from, state, pid, tries, expected }) {
    const key = `${group}:${name}`;
    this.store.addHappening({ kind: 'process_state', time, key, from, state, tries, expected });
    if (this.isOld(key, time)) {
      return;
    }
    const started = state === 'STARTING' ? { started_at: Math.floor(time) } : {};
    const members = { state, since: Math.floor(time), pid: pid ?? null, next_start: null, ...started };
    this.touch(key, STATE_NAMES.includes(state) ? members : {});
  }

  onHealth({ time, group, name, from, health, reason }) {
    const key = `${group}:${name}`;
    this.store.addHappening({ kind: 'process_health', time, key, from, health, reason });
    if (!this.isOld(key, time)) {
      this.touch(key, {});
    }
  }

  // Whether an event changes nothing any more, because the daemon tells what it remembers: what is read has it already.
  isOld(key, time) {
    const program = this.store.programs.get(key);
    return time < (program ? (program.since ?? 0) : now() - REMEMBERED);
  }

  onUsage(usage) {
    this.expectUsage();
    this.store.usage.add(usage, usage.time ?? now());
    this.store.tell('usage');
  }

  // Where the figures stop coming, the daemon has stopped, or a proxy keeps the events to itself, too.
  expectUsage() {
    this.flow();
    this.again('silence', OVERDUE, () => this.probe());
    this.again('usage', HELD_BACK, () => {
      this.isFlowing = false;
      this.poll();
    });
  }

  flow() {
    this.isFlowing = true;
    this.failing = null;
    this.cancel('poll');
    this.store.setLink('live');
  }

  // Asks for something small. A connection to a daemon that is stopped stays open and brings nothing.
  async probe() {
    const { visit } = this;
    const asked = performance.now();
    try {
      await get('daemon', { within: ANSWERED });
    } catch {
      if (visit === this.visit && !this.timers.has('silence')) {
        this.noticeFailure(asked);
      }
    }
  }

  touch(key, members) {
    if (!this.store.amend(key, members)) {
      this.later('load', BATCH / 4, () => this.load());
      return;
    }
    this.refresh([key]);
  }

  // Reads these programs again, soon and together with others.
  refresh(keys) {
    keys.forEach((key) => this.dirty.add(key));
    if (this.dirty.size > 0 && !this.timers.has('batch')) {
      const wait = Math.max(100, (this.lastBatch ?? 0) + BATCH - performance.now());
      this.later('batch', wait, () => this.readChanged());
    }
  }

  async readChanged() {
    this.lastBatch = performance.now();
    const keys = [...this.dirty].filter((key) => this.store.programs.has(key));
    this.dirty.clear();
    if (keys.length > SOME) {
      await this.load();
      return;
    }
    const visit = this.visit;
    try {
      const programs = await this.readSome(keys);
      if (visit === this.visit) {
        this.store.update(programs);
      }
    } catch {
      // One that is gone. If it is the daemon, that read fails as well.
      await this.load();
    }
  }

  async readSome(keys) {
    if (keys.length === 0) {
      return [];
    }
    const first = this.store.programs.get(keys[0]);
    if (keys.length === 1 && isAddressable(first)) {
      return [await get(programPath(first))];
    }
    const query = keys.map((key) => `select=${encodeURIComponent(key)}`).join('&');
    return (await get(`programs?${query}`)).programs;
  }

  // Reads everything. Requests that come meanwhile are one more.
  async load() {
    this.cancel('load');
    if (this.loading) {
      this.isWanted = true;
      return;
    }
    this.loading = true;
    const visit = this.visit;
    const asked = performance.now();
    try {
      const [{ programs }] = await Promise.all([get('programs', { within: READ }), this.store.daemon ?? this.loadDaemon()]);
      if (visit === this.visit) {
        this.failing = null;
        this.store.replace(programs);
        if (this.store.link === 'down') {
          this.store.setLink(this.isFlowing ? 'live' : 'polling');
        }
      }
    } catch {
      if (visit === this.visit) {
        this.noticeFailure(asked);
      }
    }
    this.loading = false;
    if (this.isWanted) {
      this.isWanted = false;
      await this.load();
    }
  }

  // The daemon has not answered what it was asked at that time. Nobody is told of a moment, such as that of an upgrade.
  noticeFailure(asked) {
    this.failing ??= asked;
    if (performance.now() - this.failing > PATIENCE) {
      this.store.setLink('down');
      this.poll();
    } else {
      this.later('load', AGAIN, () => this.load());
    }
  }

  async loadDaemon() {
    this.store.setDaemon(await get('daemon', { within: READ }));
  }

  // Until the stream is there again.
  poll() {
    if (this.timers.has('poll') || this.stream === null) {
      return;
    }
    this.later('poll', POLL, async () => {
      await this.load();
      if (!this.isFlowing) {
        if (this.failing === null) {
          this.store.setLink('polling');
        }
        this.poll();
      }
    });
  }

  // Does something after a while. What is waited for already comes when it would have come.
  later(name, delay, act) {
    if (!this.timers.has(name)) {
      this.again(name, delay, act);
    }
  }

  // Does something after a while from now.
  again(name, delay, act) {
    this.cancel(name);
    const run = () => {
      this.timers.delete(name);
      act();
    };
    this.timers.set(name, setTimeout(run, delay));
  }

  cancel(name) {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }
}

// The programs whose state goes on changing without an event, such as what one of them waits for.
export const keysInMotion = (programs, isInMotion) => programs.filter(isInMotion).map(keyOf);
