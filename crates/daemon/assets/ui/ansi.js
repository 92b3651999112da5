// Terminal output as text with colours. Only colours and weights are understood; all other sequences are dropped, and other
// control characters become visible signs. Nothing becomes markup.

import { h } from './dom.js';
import { visible } from './visible.js';

// One style of text: colours are a palette index (0 to 255), a list of three channels, or null.
const PLAIN = Object.freeze({ ink: null, ground: null, bold: false, faint: false, italic: false, underline: false, inverse: false });

// An escape sequence that has begun, and may end in the next piece.
const UNFINISHED = /\x1b(?:\[[\x20-\x3f]*|\][^\x07\x1b]{0,4096}|[\x20-\x2f]*)?$/;

// Sequences: CSI, OSC (titles, links), and the others.
const SEQUENCE = /\x1b\[([\x20-\x3f]*)([\x40-\x7e])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[\x20-\x2f]*[\x30-\x7e]|\x1b/g;

export class AnsiText {
  constructor() {
    this.style = PLAIN;
    this.rest = '';
  }

  // The lines of a piece of output: each a list of `[text, style]`. The last line is the one that has not ended yet.
  read(piece) {
    let text = this.rest + piece;
    const unfinished = UNFINISHED.exec(text);
    this.rest = unfinished ? unfinished[0] : '';
    text = text.slice(0, text.length - this.rest.length);
    const lines = [[]];
    let at = 0;
    for (const match of text.matchAll(SEQUENCE)) {
      this.add(lines, text.slice(at, match.index));
      at = match.index + match[0].length;
      if (match[2] === 'm') {
        this.style = restyled(this.style, match[1]);
      }
    }
    this.add(lines, text.slice(at));
    return lines;
  }

  add(lines, text) {
    text.split('\n').forEach((part, index) => {
      if (index > 0) {
        lines.push([]);
      }
      // What returns to the beginning of the line writes over it, as progress bars do.
      const parts = part.replace(/\r+$/, '').split('\r');
      if (parts.length > 1) {
        lines.at(-1).length = 0;
      }
      const last = parts.at(-1);
      if (last !== '') {
        lines.at(-1).push([visible(last), this.style]);
      }
    });
  }
}

function restyled(style, parameters) {
  const codes = parameters.split(/[;:]/).map((code) => Number(code) || 0);
  let now = { ...style };
  while (codes.length > 0) {
    const code = codes.shift();
    if (code === 0) {
      now = { ...PLAIN };
    } else if (code === 1) {
      now.bold = true;
    } else if (code === 2) {
      now.faint = true;
    } else if (code === 3) {
      now.italic = true;
    } else if (code === 4) {
      now.underline = true;
    } else if (code === 7) {
      now.inverse = true;
    } else if (code === 22) {
      now.bold = now.faint = false;
    } else if (code === 23) {
      now.italic = false;
    } else if (code === 24) {
      now.underline = false;
    } else if (code === 27) {
      now.inverse = false;
    } else if (code === 38 || code === 48) {
      now[code === 38 ? 'ink' : 'ground'] = extended(codes);
    } else if (code === 39) {
      now.ink = null;
    } else if (code === 49) {
      now.ground = null;
    } else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
      now.ink = code < 90 ? code - 30 : code - 82;
    } else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) {
      now.ground = code < 100 ? code - 40 : code - 92;
    }
  }
  return now;
}

function extended(codes) {
  const kind = codes.shift();
  if (kind === 5) {
    return Math.min(255, codes.shift() ?? 0);
  }
  return kind === 2 ? codes.splice(0, 3).map((channel) => Math.min(255, channel)) : null;
}

const LEVELS = [0, 95, 135, 175, 215, 255];

// A colour beyond the sixteen that the style sheet knows.
function css(colour) {
  if (Array.isArray(colour)) {
    return `rgb(${colour.join(' ')})`;
  }
  if (colour >= 232) {
    const grey = 8 + (colour - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const index = colour - 16;
  return `rgb(${LEVELS[Math.floor(index / 36)]} ${LEVELS[Math.floor(index / 6) % 6]} ${LEVELS[index % 6]})`;
}

// A part of a line as an element, or as text where it has no style.
export function styled(text, style) {
  const { bold, faint, italic, underline, inverse } = style;
  const [ink, ground] = inverse ? [style.ground, style.ink] : [style.ink, style.ground];
  const classes = Object.entries({ bold, faint, italic, underline, inverse }).filter(([, is]) => is).map(([name]) => `ansi-${name}`);
  const colours = [['ink', 'color', ink], ['ground', 'backgroundColor', ground]];
  for (const [name, , colour] of colours) {
    if (typeof colour === 'number' && colour < 16) {
      classes.push(`ansi-${name}-${colour}`);
    }
  }
  const isCustom = colours.some(([, , colour]) => Array.isArray(colour) || colour >= 16);
  if (classes.length === 0 && !isCustom) {
    return text;
  }
  const element = h('span', { class: classes.join(' ') }, text);
  for (const [, property, colour] of colours) {
    if (Array.isArray(colour) || colour >= 16) {
      element.style[property] = css(colour);
    }
  }
  return element;
}
