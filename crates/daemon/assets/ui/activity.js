// The activity log of the daemon.

import { h } from './dom.js';
import { LogView } from './log.js';

export class ActivityView {
  constructor() {
    this.title = 'Log';
    this.element = h('section', { class: 'view view-activity', 'aria-label': 'Activity log', tabindex: '-1' });
  }

  open() {
    this.log = new LogView('daemon/log', { title: 'activity log' });
    this.element.replaceChildren(h('h1', {}, 'Activity log'), h('div', { class: 'card log-card' }, this.log.element));
    this.log.open();
    window.scrollTo(0, 0);
  }

  close() {
    this.log.close();
  }

  onShortcut(key) {
    if (key === '/') {
      this.log.field.focus();
    } else if (key === 'Escape') {
      location.hash = '#/';
    }
    return key === '/' || key === 'Escape';
  }
}
