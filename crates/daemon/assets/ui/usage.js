// CPU and memory of programs since the page was opened.

import { keyOf } from './states.js';

// How many samples are kept of a program. Beyond that, the older half loses every second one, so that the whole time since
// the page was opened stays visible within bounded memory.
const SAMPLES = 240;

export class UsageHistory {
  constructor() {
    this.histories = new Map();
    this.daemon = new History();
    // Whether any figures have come.
    this.isKnown = false;
  }

  // What the daemon has measured at a time, in seconds.
  add({ programs = [], daemon = null }, time) {
    this.isKnown = true;
    for (const usage of programs) {
      const key = keyOf(usage);
      if (!this.histories.has(key)) {
        this.histories.set(key, new History());
      }
      this.histories.get(key).add(usage, time);
    }
    if (daemon) {
      this.daemon.add(daemon, time);
    }
  }

  of(key) {
    return this.histories.get(key) ?? null;
  }

  // Forgets programs that are gone.
  keep(programs) {
    for (const key of this.histories.keys()) {
      if (!programs.has(key)) {
        this.histories.delete(key);
      }
    }
  }
}

export class History {
  constructor() {
    // Each `[time, share of a processor, bytes]`.
    this.samples = [];
    this.last = null;
    this.processes = 0;
  }

  add({ cpu_seconds: seconds, memory_bytes: memory, processes = 0 }, time) {
    const before = this.last;
    this.last = { seconds, time };
    this.processes = processes;
    // After a restart the count begins again.
    const isNew = before === null || seconds < before.seconds || time <= before.time;
    const cpu = isNew ? 0 : (seconds - before.seconds) / (time - before.time);
    if (this.samples.length === 1) {
      // Nobody knows what it used before the first measurement.
      this.samples[0][1] = cpu;
    }
    this.samples.push([time, cpu, memory]);
    if (this.samples.length > SAMPLES) {
      const middle = this.samples.length / 2;
      this.samples = this.samples.filter((_, index) => index > middle || index % 2 === 0);
    }
  }

  get cpu() {
    return this.samples.at(-1)?.[1] ?? 0;
  }

  get memory() {
    return this.samples.at(-1)?.[2] ?? 0;
  }
}
