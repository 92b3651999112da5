// Numbers and times, for people.

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

// Names as people sort them: `web_2` before `web_10`.
export const compareNames = (one, other) => collator.compare(one, other) || (one < other ? -1 : one > other ? 1 : 0);

// `42s`, `4m 3s`, `3h 12m`, `5d 4h`.
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const units = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => whole >= size);
  if (first < 0) {
    return '0s';
  }
  const [unit, size] = units[first];
  const next = units[first + 1];
  const rest = next ? Math.floor((whole % size) / next[1]) : 0;
  return `${Math.floor(whole / size)}${unit}${rest > 0 ? ` ${rest}${next[0]}` : ''}`;
}

// `512 B`, `3.4 MB`, `128 MB`: powers of 1,024.
export function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

// Of one processor.
export function percent(share) {
  const value = share * 100;
  return `${value < 9.950 && value > 0.049 ? value.toFixed(1) : Math.round(value)} %`;
}

// `1 program`, `3 programs`.
export const count = (number, one, many = `${one}s`) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };

// `14:03:12`, with the date where it is not today's.
export function clock(seconds) {
  const time = new Date(seconds * 1000);
  const isToday = time.toDateString() === new Date().toDateString();
  return time.toLocaleString('en-GB', isToday ? CLOCK : { day: 'numeric', month: 'short', ...CLOCK });
}

// As a machine reads it, for tooltips and `datetime`.
export const iso = (seconds) => new Date(seconds * 1000).toISOString();
