// A long list of rows of which only those exist that can be seen.

import { setAttribute } from './dom.js';

// How many rows exist above and below those that can be seen.
const MARGIN = 8;

export class Viewport {
  // `make` makes the element of a row: `{ element, update(row, index) }`. `height` says how high a row is, in pixels.
  constructor(container, { make, height }) {
    this.container = container;
    this.make = make;
    this.height = height;
    this.rows = [];
    this.tops = [0];
    this.made = new Map();
    this.isPrinting = false;
    this.scheduled = 0;
  }

  listen(signal) {
    const schedule = () => this.schedule();
    window.addEventListener('scroll', schedule, { signal, passive: true });
    window.addEventListener('resize', () => this.setRows(this.rows), { signal, passive: true });
    window.addEventListener('beforeprint', () => this.print(true), { signal });
    window.addEventListener('afterprint', () => this.print(false), { signal });
  }

  print(isPrinting) {
    this.isPrinting = isPrinting;
    this.draw();
  }

  setRows(rows) {
    this.rows = rows;
    const tops = new Array(rows.length + 1);
    tops[0] = 0;
    rows.forEach((row, index) => {
      tops[index + 1] = tops[index] + this.height(row);
    });
    this.tops = tops;
    this.container.style.height = `${tops[rows.length]}px`;
    this.schedule();
  }

  schedule() {
    this.scheduled ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.scheduled);
    this.scheduled = 0;
    const [first, last] = this.range();
    const wanted = new Set();
    for (let index = first; index < last; index += 1) {
      wanted.add(this.rows[index].key);
    }
    for (const [key, { element }] of this.made) {
      // What has the focus stays, so that the keyboard does not lose its place.
      if (!wanted.has(key) && !element.contains(document.activeElement)) {
        element.remove();
        this.made.delete(key);
      }
    }
    let before = null;
    for (let index = first; index < last; index += 1) {
      before = this.place(index, before);
    }
  }

  place(index, before) {
    const row = this.rows[index];
    let made = this.made.get(row.key);
    if (made === undefined) {
      made = this.make(row);
      this.made.set(row.key, made);
    }
    const { element } = made;
    made.update(row, index);
    this.move(made, this.tops[index], this.tops[index + 1] - this.tops[index]);
    setAttribute(element, 'aria-rowindex', index + 2);
    // In the order in which people read, whatever was made first.
    const isInPlace = before === null ? element.parentNode === this.container : element.previousSibling === before;
    if (!isInPlace && !element.contains(document.activeElement)) {
      if (before === null) {
        this.container.prepend(element);
      } else {
        before.after(element);
      }
    }
    return element;
  }

  // Only where it differs, because a browser lays out again what is set.
  move(made, top, height) {
    const place = `${top} ${height}`;
    if (made.place !== place) {
      made.place = place;
      made.element.style.transform = `translateY(${top}px)`;
      made.element.style.height = `${height}px`;
    }
  }

  range() {
    const { rows, tops } = this;
    if (this.isPrinting) {
      return [0, rows.length];
    }
    const top = -this.container.getBoundingClientRect().top;
    const first = Math.max(0, this.indexAt(top) - MARGIN);
    return [first, Math.min(rows.length, this.indexAt(top + window.innerHeight) + 1 + MARGIN)];
  }

  // The row at this height; the next one where there is none.
  indexAt(height) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle + 1] <= height) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  // The rows that exist now, with what they show.
  redraw(keys = null) {
    if (keys === null || keys.some((key) => this.made.has(key))) {
      this.schedule();
    }
  }

  elementOf(key) {
    return this.made.get(key)?.element ?? null;
  }

  // Scrolls so that a row can be seen, below what sticks to the top.
  reveal(index, covered) {
    const top = this.container.getBoundingClientRect().top + this.tops[index];
    const bottom = top + this.height(this.rows[index]);
    if (top < covered) {
      window.scrollBy({ top: top - covered, behavior: 'instant' });
    } else if (bottom > window.innerHeight - 64) {
      window.scrollBy({ top: bottom - window.innerHeight + 64, behavior: 'instant' });
    }
    this.draw();
  }

  clear() {
    cancelAnimationFrame(this.scheduled);
    this.scheduled = 0;
    this.made.forEach(({ element }) => element.remove());
    this.made.clear();
  }
}
