// The page: its frame, and which view is in it.

import { Actions } from './actions.js';
import { ActivityView } from './activity.js';
import { ConfigurationView } from './configuration.js';
import { showKeys } from './dialog.js';
import { h, setHidden, setText } from './dom.js';
import { count } from './format.js';
import { GraphView } from './graph.js';
import { icon } from './icons.js';
import { Live } from './live.js';
import { tally } from './list.js';
import { ProgramView } from './program.js';
import { mayAdminister, seesAllPrograms } from './rights.js';
import { RefusedView } from './refused.js';
import { STATE_NAMES } from './states.js';
import { Store } from './store.js';
import { Table } from './table.js';
import { visible } from './visible.js';

// How long a message about a success is shown, in milliseconds.
const SHOWN = 6000;

const LINKS = { connecting: 'Connecting…', live: 'Live', polling: 'Every 3 s', down: 'No answer' };

const LINK_TITLES = {
  connecting: 'Opening the stream of events',
  live: 'Changes are shown as they happen',
  polling: 'No stream of events comes through; the programs are read every three seconds',
  down: 'The daemon does not answer; the page tries again',
};

class Frame {
  constructor(store) {
    this.store = store;
    this.identifier = h('span', { class: 'identifier' }, 'supervisord');
    this.host = h('span', { class: 'host' }, location.host);
    this.link = h('span', { class: 'link link-connecting', role: 'status' }, LINKS.connecting);
    this.mood = h('span', { class: 'mood', hidden: true });
    this.nav = h('nav', { class: 'nav', 'aria-label': 'Views' });
    this.main = h('main', { id: 'main', class: 'main-area' });
    this.version = h('span', {});
    this.printed = h('p', { class: 'printed' });
    this.toastText = h('span', {});
    this.toast = h('div', { class: 'toast', hidden: true }, this.toastText, h('button', { type: 'button', class: 'act', 'aria-label': 'Close the message', onclick: () => setHidden(this.toast, true) }, icon('close')));
    window.addEventListener('beforeprint', () => this.showPrinted());
    this.announcer = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
    const help = h('button', { type: 'button', class: 'act', title: 'Keyboard (?)', 'aria-label': 'Keyboard shortcuts', onclick: showKeys }, '?');
    const brand = h('a', { class: 'brand', href: '#/', title: 'All programs' }, h('img', { src: new URL('icon.svg', import.meta.url).href, alt: '', width: 28, height: 28 }), h('span', { class: 'who' }, this.identifier, this.host));
    this.element = [
      h('a', { class: 'skip', href: '#main', onclick: (event) => this.skip(event) }, 'Skip to the content'),
      h('header', { class: 'top' }, h('div', { class: 'top-inner' }, brand, this.nav, h('span', { class: 'gap' }), this.mood, this.link, help)),
      this.printed,
      this.main,
      h('footer', { class: 'foot' }, this.version),
      this.toast,
      this.announcer,
    ];
  }

  skip(event) {
    event.preventDefault();
    this.main.setAttribute('tabindex', '-1');
    this.main.focus();
  }

  showLink(link) {
    setText(this.link, LINKS[link]);
    this.link.className = `link link-${link}`;
    this.link.title = LINK_TITLES[link];
    document.body.classList.toggle('is-down', link === 'down');
  }

  showDaemon({ identifier, hostname, version, supervisor_version: supervisor, pid, state }) {
    setText(this.identifier, identifier);
    setText(this.host, hostname && !location.host.startsWith(hostname) ? `${hostname} · ${location.host}` : location.host);
    setText(this.version, `supervisord ${version}, compatible with Supervisor ${supervisor} · pid ${pid}`);
    setText(this.mood, { SHUTDOWN: 'Shutting down', RESTARTING: 'Restarting' }[state] ?? '');
    setHidden(this.mood, state === 'RUNNING');
    this.showTitle();
  }

  // In a tab the counts are all that can be seen. `view` is the name of a view beside the table.
  showTitle(view = this.titled) {
    this.titled = view;
    const { daemon, programs, loaded } = this.store;
    const parts = [view, daemon?.identifier ?? 'supervisord'];
    if (loaded) {
      const counts = tally(programs.values());
      const trouble = counts.get('attention');
      const running = `${counts.get('RUNNING')}/${programs.size} running`;
      parts.unshift(trouble > 0 ? `(${trouble}!) ${running}` : running);
    }
    document.title = visible(parts.filter(Boolean).join(' · '));
  }

  // `current` is the view, or the one above what is shown.
  showNav(views, current, shown) {
    const kind = current === shown ? 'page' : 'true';
    this.nav.replaceChildren(
      ...views.map(([path, label]) => h('a', { href: `#${path}`, 'aria-current': path === current ? kind : null }, label)),
    );
  }

  announce(text) {
    setText(this.announcer, '');
    // A reader speaks what changes, the same words again too.
    setTimeout(() => setText(this.announcer, text), 50);
  }

  // Says the same to those who see the page, where rows cannot: success for a moment, a failure until it is closed.
  show(text, isOk, isLasting = !isOk) {
    clearTimeout(this.toasting);
    setText(this.toastText, text);
    this.toast.className = `toast tone-${isOk ? 'good' : 'bad'}`;
    setHidden(this.toast, false);
    if (!isLasting) {
      this.toasting = setTimeout(() => setHidden(this.toast, true), SHOWN);
    }
  }

  showPrinted() {
    const { programs } = this.store;
    const counts = tally(programs.values());
    const states = STATE_NAMES.filter((name) => counts.get(name) > 0).map((name) => `${counts.get(name)} ${name}`);
    setText(this.printed, [new Date().toLocaleString('en-GB'), count(programs.size, 'program'), ...states].join(' · '));
  }
}

// The views with an address of their own, in the order of the navigation, and for whom they are.
const VIEWS = [
  ['/', 'Programs'],
  ['/dependencies', 'Dependencies'],
  ['/configuration', 'Configuration', mayAdminister],
  ['/log', 'Log', seesAllPrograms],
];

class Application {
  constructor() {
    this.store = new Store();
    this.frame = new Frame(this.store);
    this.live = new Live(this.store);
    this.actions = new Actions(this.store, this.live, this.frame);
    this.table = new Table(this.store, this.actions, this.live);
    this.view = null;
  }

  start() {
    document.getElementById('app').replaceChildren(...this.frame.element);
    const { store, frame } = this;
    store.on('link', (link) => frame.showLink(link));
    store.on('daemon', (daemon) => {
      frame.showDaemon(daemon);
      if (this.shownFor !== this.audience()) {
        this.show();
      }
      this.showNav();
    });
    store.on('programs', () => this.showTitleSoon());
    window.addEventListener('hashchange', () => {
      this.show();
      // Whoever uses the keyboard or hears the page goes on in the view that has come.
      (this.view.place ?? this.view.element).focus({ preventScroll: true });
    });
    document.addEventListener('keydown', (event) => this.onKey(event));
    this.show();
    this.live.open();
  }

  showTitleSoon() {
    this.titling ||= setTimeout(() => {
      this.titling = 0;
      this.frame.showTitle();
    }, 200);
  }

  get path() {
    return location.hash.replace(/^#/, '') || '/';
  }

  // Whether the view at this address is for whoever looks at the page: `all`, `some`, `others`, or `unknown` as long as the daemon has
  // not said it.
  audience() {
    const [, , isFor] = VIEWS.find(([path]) => path === this.path) ?? [];
    if (isFor === undefined) {
      return 'all';
    }
    return this.store.daemon === null ? 'unknown' : isFor() ? 'some' : 'others';
  }

  show() {
    this.view?.close();
    this.shownFor = this.audience();
    this.view = ['all', 'some'].includes(this.shownFor) ? this.viewOf(this.path) : new RefusedView(this.shownFor === 'others');
    this.frame.main.replaceChildren(this.view.element);
    this.frame.showTitle(this.view.title ?? null);
    this.showNav();
    this.view.open();
  }

  // Without the views that are for others. A program is one of all programs.
  showNav() {
    const shown = VIEWS.filter(([, , isFor]) => isFor === undefined || isFor());
    const { path } = this;
    this.frame.showNav(shown, path.startsWith('/programs/') ? '/' : path, path);
  }

  viewOf(path) {
    const { store, live, actions } = this;
    const [, place, ...names] = path.split('/');
    switch (place) {
      case 'programs':
        return new ProgramView(names.map(decode).join(':'), store, actions);
      case 'dependencies':
        return new GraphView(store);
      case 'configuration':
        return new ConfigurationView(store, live, (text) => this.frame.announce(text));
      case 'log':
        return new ActivityView();
      default:
        return this.table;
    }
  }

  onKey(event) {
    const { target, key } = event;
    const isTyped = ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName) && target.type !== 'checkbox';
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || document.querySelector('dialog[open]')) {
      return;
    }
    if (isTyped) {
      if (key === 'Escape') {
        leave(target);
        event.preventDefault();
      }
      return;
    }
    if (key === '?') {
      showKeys();
      event.preventDefault();
    } else if (this.view.onShortcut(key)) {
      event.preventDefault();
    }
  }
}

// Empties a field, or goes out of one that is empty.
function leave(field) {
  if (field.type === 'search' && field.value !== '') {
    field.value = '';
    field.dispatchEvent(new Event('input'));
  } else {
    field.blur();
  }
}

// A part of an address, also of one that somebody has typed.
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

new Application().start();
