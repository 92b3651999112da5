// In place of a view that not everybody may see.

import { h } from './dom.js';

export class RefusedView {
  // `isKnown`: whether the daemon has said what the role is.
  constructor(isKnown) {
    this.title = isKnown ? 'Not for you' : null;
    const text = 'Your role does not allow this view.';
    const content = isKnown ? [h('h1', {}, this.title), h('p', {}, text), h('a', { class: 'button', href: '#/' }, 'All programs')] : h('p', {}, 'Reading…');
    this.element = h('section', { class: 'view', 'aria-label': this.title ?? 'Reading', tabindex: '-1' }, h('div', { class: 'empty' }, content));
  }

  open() {}

  close() {}

  onShortcut(key) {
    if (key === 'Escape') {
      location.hash = '#/';
    }
    return key === 'Escape';
  }
}
