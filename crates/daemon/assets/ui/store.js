// What the browser knows of the daemon and its programs, and who wants to hear of changes.

import { learn } from './rights.js';
import { keyOf } from './states.js';
import { UsageHistory } from './usage.js';

// How many events the timeline keeps.
const TIMELINE = 1000;

export class Store extends EventTarget {
  constructor() {
    super();
    this.programs = new Map();
    this.daemon = null;
    // `connecting`, `live`, `polling` or `down`.
    this.link = 'connecting';
    this.loaded = false;
    // What is being done to a program, and what came of it: by key.
    this.busy = new Map();
    this.feedback = new Map();
    this.usage = new UsageHistory();
    this.timeline = [];
  }

  // Listens until the signal says so. Names: `programs` (detail: the keys, or null for all), `members`, `usage`, `link`,
  // `daemon`, `happening`.
  on(name, listener, signal) {
    this.addEventListener(name, (event) => listener(event.detail), { signal });
  }

  tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  setLink(link) {
    if (this.link !== link) {
      this.link = link;
      this.tell('link', link);
    }
  }

  setDaemon(daemon) {
    this.daemon = daemon;
    learn(daemon.you);
    this.tell('daemon', daemon);
  }

  // All programs there are.
  replace(list) {
    const before = this.programs;
    this.programs = new Map(list.map((program) => [keyOf(program), program]));
    this.loaded = true;
    for (const known of [this.busy, this.feedback]) {
      for (const key of known.keys()) {
        if (!this.programs.has(key)) {
          known.delete(key);
        }
      }
    }
    this.usage.keep(this.programs);
    const isSame = before.size === this.programs.size && [...before.keys()].every((key) => this.programs.has(key));
    if (!isSame || before.size === 0) {
      this.tell('members');
    }
    this.tell('programs');
  }

  // Some of them, as they are now.
  update(list) {
    const known = list.filter((program) => this.programs.has(keyOf(program)));
    for (const program of known) {
      this.programs.set(keyOf(program), program);
    }
    this.tell('programs', known.map(keyOf));
  }

  // What an event says of a program, until the whole is read.
  amend(key, members) {
    const program = this.programs.get(key);
    if (program) {
      this.programs.set(key, { ...program, ...members });
      this.tell('programs', [key]);
    }
    return program !== undefined;
  }

  // Marks programs as busy with a verb; `null` ends that.
  setBusy(keys, verb) {
    for (const key of keys) {
      if (verb === null) {
        this.busy.delete(key);
      } else {
        this.busy.set(key, verb);
      }
    }
    this.tell('programs', keys);
  }

  setFeedback(key, feedback) {
    if (feedback === null) {
      this.feedback.delete(key);
    } else {
      this.feedback.set(key, feedback);
    }
    this.tell('programs', [key]);
  }

  addHappening(happening) {
    this.timeline.push(happening);
    if (this.timeline.length > TIMELINE) {
      this.timeline.splice(0, this.timeline.length - TIMELINE);
    }
    this.tell('happening', happening);
  }
}
