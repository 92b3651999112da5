// The icons: each a path in a square of 16 units.

import { s } from './dom.js';

const PATHS = {
  // States differ in shape, not in colour alone.
  running: { fill: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11z' },
  starting: { stroke: 'M8 2.5a5.5 5.5 0 1 0 5.5 5.5', fill: 'M8 6a2 2 0 1 0 0 4a2 2 0 0 0 0-4z' },
  backoff: { stroke: 'M8 2.5L14 13H2z M8 6.5v3 M8 11.2v.1' },
  fatal: { stroke: 'M3.5 3.5l9 9 M12.5 3.5l-9 9' },
  stopping: { stroke: 'M3.5 3.5h9v9h-9z M6 8h4' },
  stopped: { stroke: 'M3.5 3.5h9v9h-9z' },
  exited: { stroke: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11z' },
  unknown: { stroke: 'M5.5 6a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1.9-1.1 1.6 M8 12.4v.1' },

  start: { fill: 'M5 3.2v9.6a.5.5 0 0 0 .8.4l7-4.8a.5.5 0 0 0 0-.8l-7-4.8a.5.5 0 0 0-.8.4z' },
  stop: { fill: 'M4.5 3.5h7a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-7a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z' },
  restart: { stroke: 'M13 8a5 5 0 1 1-1.5-3.55 M13 2.2v2.8h-2.8' },
  disable: { stroke: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11z M4.2 4.2l7.6 7.6' },
  enable: { stroke: 'M8 2.5v5 M5 4.2a5 5 0 1 0 6 0' },
  logs: { stroke: 'M3 4h10 M3 8h10 M3 12h6' },
  chevron: { stroke: 'M6 4l4 4-4 4' },
  back: { stroke: 'M10 3.5L5.5 8l4.5 4.5' },
  search: { stroke: 'M7 2.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 0 0 0-8.4z M10.2 10.2l3.3 3.3' },
  close: { stroke: 'M4.5 4.5l7 7 M11.5 4.5l-7 7' },
  pause: { stroke: 'M5.5 3.5v9 M10.5 3.5v9' },
  download: { stroke: 'M8 2.5v7.5 M4.8 7L8 10.2L11.2 7 M3 13.2h10' },
  wrap: { stroke: 'M3 4h10 M3 8h8a2 2 0 0 1 0 4H8 M9.5 10.3L7.8 12l1.7 1.7 M3 12h2' },
  trash: { stroke: 'M3 4.5h10 M6.2 4.2v-1.4h3.6v1.4 M4.5 4.5l.6 8.7h5.8l.6-8.7' },
  signal: { stroke: 'M8.8 2.2L4 9h3.5l-.6 4.8L12 7H8.3z' },
  check: { stroke: 'M3.5 8.5l3 3l6-7' },
  up: { stroke: 'M4 10l4-4 4 4' },
  down: { stroke: 'M4 6l4 4 4-4' },
};

export function icon(name) {
  const { fill, stroke } = PATHS[name];
  return s(
    'svg',
    { viewBox: '0 0 16 16', class: `icon icon-${name}`, 'aria-hidden': 'true', focusable: 'false' },
    fill && s('path', { d: fill, fill: 'currentColor' }),
    stroke && s('path', { d: stroke, class: 'stroke' }),
  );
}
