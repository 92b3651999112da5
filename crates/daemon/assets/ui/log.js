// A log, live: follows its end, pauses, searches.

import { AnsiText, styled } from './ansi.js';
import { address, raw } from './api.js';
import { h, setAttribute, setHidden, setText } from './dom.js';
import { count } from './format.js';
import { icon } from './icons.js';

// How many lines are shown. Older ones go; the whole log can be downloaded.
const LINES = 5000;

// How many characters a line may have before it is broken.
const LINE_LENGTH = 10000;

// How many characters may wait to be shown while the page is busy or paused.
const PENDING = 2 << 20;

// How much is read at first, and how often, where no stream comes through.
const TAIL = 65536;
const POLL = 2000;
const RETRY = 5000;

// Within how many pixels of the end the view follows it.
const NEAR = 40;

export class LogView {
  // `path` is the resource of the log. `clear` asks for its content to be removed; null where it cannot be.
  constructor(path, { title, clear = null }) {
    this.path = path;
    this.pending = '';
    this.lost = 0;
    this.size = 0;
    this.isFollowing = true;
    this.isPaused = false;
    this.search = '';
    this.build(title, clear);
    this.reset();
  }

  build(title, clear) {
    this.field = h('input', { type: 'search', class: 'field log-search', placeholder: 'Filter lines…', 'aria-label': `Filter lines of ${title}`, autocomplete: 'off', spellcheck: 'false', oninput: () => this.find(this.field.value) });
    this.matches = h('span', { class: 'log-matches', role: 'status' });
    this.pauseButton = h('button', { type: 'button', class: 'act', onclick: () => this.pause(!this.isPaused) }, icon('pause'));
    this.wrapButton = h('button', { type: 'button', class: 'act', title: 'Wrap lines', 'aria-label': 'Wrap lines', 'aria-pressed': 'true', onclick: () => this.wrap() }, icon('wrap'));
    const download = h('a', { class: 'act', href: address(`${this.path}?download`).href, download: '', title: 'Download', 'aria-label': `Download ${title}` }, icon('download'));
    const remove = clear && h('button', { type: 'button', class: 'act act-stop', title: 'Clear logs', 'aria-label': 'Clear logs', onclick: clear }, icon('trash'));
    this.lines = h('div', { class: 'log-lines wraps', role: 'log', 'aria-label': title, 'aria-live': 'off', tabindex: '0' });
    this.notice = h('div', { class: 'log-notice', hidden: true });
    this.end = h('button', { type: 'button', class: 'button log-end', hidden: true, onclick: () => this.follow() }, icon('down'), 'Newest');
    this.lines.addEventListener('scroll', () => this.onScroll(), { passive: true });
    this.tools = h('div', { class: 'log-tools' }, this.field, this.matches, h('span', { class: 'gap' }), this.pauseButton, this.wrapButton, download, remove);
    this.element = h('div', { class: 'log' }, this.tools, this.notice, h('div', { class: 'log-frame' }, this.lines, this.end));
    this.showPause();
  }

  open() {
    this.closing = new AbortController();
    document.addEventListener('visibilitychange', () => (document.hidden ? this.disconnect() : this.connect()), { signal: this.closing.signal });
    this.sizes = new ResizeObserver(() => this.isFollowing && this.toEnd());
    this.sizes.observe(this.lines);
    this.connect();
  }

  toEnd() {
    this.lines.scrollTop = this.lines.scrollHeight;
  }

  close() {
    this.sizes?.disconnect();
    this.closing?.abort();
    this.disconnect();
  }

  disconnect() {
    this.stream?.close();
    this.stream = null;
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  connect() {
    if (document.hidden || this.stream) {
      return;
    }
    this.reset();
    const stream = new EventSource(address(`${this.path}?follow`));
    this.stream = stream;
    let isNew = true;
    stream.addEventListener('output', (event) => {
      isNew = false;
      this.add(JSON.parse(event.data).text);
    });
    stream.addEventListener('rotated', () => this.mark('The log was rotated or cleared'));
    stream.onopen = () => this.say('');
    stream.onerror = () => {
      if (stream.readyState === EventSource.CLOSED) {
        this.stream = null;
        // The end of the log is read instead, which is there already.
        this.reset();
        this.explain();
      } else if (isNew) {
        this.say('Waiting for the log…');
      }
    };
  }

  // Without a stream the end of the log is read again and again. The answer says what hinders it, too.
  async explain() {
    let delay = POLL;
    try {
      const response = await raw(`${this.path}?offset=${this.next ?? -TAIL}&length=${TAIL}`);
      const offset = Number(response.headers.get('Log-Offset'));
      const bytes = await response.arrayBuffer();
      if (this.next !== undefined && offset < this.next) {
        this.mark('The log was rotated or cleared');
      }
      this.next = offset + bytes.byteLength;
      this.add(new TextDecoder().decode(bytes));
      this.say('');
    } catch (failure) {
      this.say(failure.message);
      delay = RETRY;
    }
    if (!this.closing.signal.aborted) {
      this.timer = setTimeout(() => (document.hidden ? null : this.explain()), delay);
    }
  }

  reset() {
    this.text = new AnsiText();
    this.pending = '';
    this.next = undefined;
    this.lines.replaceChildren();
    this.last = null;
    this.shown = 0;
    this.showMatches();
  }

  say(text) {
    setText(this.notice, text);
    setHidden(this.notice, text === '');
  }

  add(text) {
    this.pending += text;
    if (this.pending.length > PENDING) {
      this.lost += this.pending.length - PENDING;
      this.pending = this.pending.slice(-PENDING);
    }
    if (!this.isPaused) {
      this.frame ||= requestAnimationFrame(() => this.draw());
    }
    this.showPause();
  }

  draw() {
    this.frame = 0;
    const text = this.pending;
    this.pending = '';
    if (this.lost > 0) {
      const lost = this.lost;
      this.lost = 0;
      this.mark(`${count(lost, 'character')} left out: too much at once`);
    }
    const fragment = document.createDocumentFragment();
    let lines = this.text.read(text);
    if (lines.length > LINES) {
      lines = lines.slice(-LINES);
      this.last = null;
    }
    lines.forEach((parts, index) => {
      if (index === lines.length - 1 && parts.length === 0) {
        // What comes next begins a line, of which there is nothing yet.
        this.last = index === 0 ? this.last : null;
        return;
      }
      if (index > 0 || this.last === null) {
        this.last = this.newLine();
        fragment.append(this.last);
      }
      this.extend(parts);
    });
    this.lines.append(fragment);
    while (this.lines.childElementCount > LINES) {
      this.lines.firstElementChild.remove();
    }
    this.showMatches();
    if (this.isFollowing) {
      this.toEnd();
    }
  }

  newLine() {
    return h('div', { class: 'log-line' });
  }

  extend(parts) {
    for (const [text, style] of parts) {
      const room = LINE_LENGTH - this.last.textContent.length;
      if (room > 0) {
        this.last.append(styled(text.slice(0, room), style));
      }
    }
    if (this.search !== '') {
      this.last.hidden = !this.isMatch(this.last);
    }
  }

  // A line of our own between those of the log.
  mark(text) {
    this.lines.append(h('div', { class: 'log-mark' }, text));
    this.last = null;
  }

  find(search) {
    this.search = search.toLowerCase();
    for (const line of this.lines.children) {
      line.hidden = this.search !== '' && !this.isMatch(line);
    }
    this.showMatches();
    if (this.isFollowing) {
      this.toEnd();
    }
  }

  isMatch(line) {
    return line.textContent.toLowerCase().includes(this.search);
  }

  showMatches() {
    if (this.search === '') {
      setText(this.matches, '');
      CSS.highlights?.delete('found');
      return;
    }
    const lines = [...this.lines.querySelectorAll('.log-line:not([hidden])')].filter((line) => line.textContent !== '');
    setText(this.matches, count(lines.length, 'line'));
    this.highlight(lines);
  }

  // Marks what was found without changing the text.
  highlight(lines) {
    if (!CSS.highlights) {
      return;
    }
    const ranges = [];
    for (const line of lines) {
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node && ranges.length < 2000; node = walker.nextNode()) {
        const text = node.data.toLowerCase();
        for (let at = text.indexOf(this.search); at >= 0; at = text.indexOf(this.search, at + this.search.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, Math.min(node.data.length, at + this.search.length));
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set('found', new Highlight(...ranges));
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    if (!isPaused) {
      this.follow();
      this.draw();
    }
    this.showPause();
  }

  showPause() {
    const label = this.isPaused ? 'Continue' : 'Pause';
    const waiting = this.isPaused && this.pending.length > 0 ? ` (${count(this.pending.split('\n').length - 1, 'new line')})` : '';
    setAttribute(this.pauseButton, 'aria-label', label + waiting);
    setAttribute(this.pauseButton, 'title', label + waiting);
    setAttribute(this.pauseButton, 'aria-pressed', this.isPaused);
    if (this.shownPause !== this.isPaused) {
      this.shownPause = this.isPaused;
      this.pauseButton.replaceChildren(icon(this.isPaused ? 'start' : 'pause'));
    }
    setHidden(this.end, this.isFollowing && !this.isPaused);
  }

  wrap() {
    const wraps = this.lines.classList.toggle('wraps');
    setAttribute(this.wrapButton, 'aria-pressed', wraps);
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    this.isFollowing = scrollHeight - scrollTop - clientHeight < NEAR;
    this.showPause();
  }

  follow() {
    this.isFollowing = true;
    this.toEnd();
    if (this.isPaused) {
      this.pause(false);
    }
    this.showPause();
  }
}
