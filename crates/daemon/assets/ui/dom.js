// Elements, made without markup: text stays text, whatever it contains, and no character of it hides or reverses others.

import { visible } from './visible.js';

const SVG = 'http://www.w3.org/2000/svg';

// The attributes that people read or hear.
const READ = new Set(['aria-label', 'alt', 'placeholder', 'title']);

const valueOf = (name, value) => (READ.has(name) ? visible(String(value)) : value);

const contentOf = (child) => (typeof child === 'string' ? visible(child) : child);

// An element with attributes and children. A function is a listener (`onclick`), `true` an attribute without a value,
// `null`, `undefined` and `false` nothing.
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// The same for SVG.
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, valueOf(name, value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).map(contentOf));
  return element;
}

// Sets text only where it differs, because a browser lays out again what is set.
export function setText(element, text) {
  const content = contentOf(text);
  if (element.textContent !== content) {
    element.textContent = content;
  }
}

// Sets an attribute only where it differs; `null` removes it.
export function setAttribute(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) {
      element.removeAttribute(name);
    }
  } else if (element.getAttribute(name) !== String(valueOf(name, value))) {
    element.setAttribute(name, valueOf(name, value));
  }
}

export function setDisabled(element, disabled) {
  if (element.disabled !== disabled) {
    element.disabled = disabled;
  }
}

export function setHidden(element, hidden) {
  if (element.hidden !== hidden) {
    element.hidden = hidden;
  }
}
