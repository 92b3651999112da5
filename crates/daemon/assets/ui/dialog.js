// Questions before something is done that hurts, and other dialogs.

import { h } from './dom.js';

// Shows a dialog until it is closed; answers what it was closed with.
export function show(title, content, buttons) {
  return new Promise((resolve) => {
    const heading = h('h2', { id: 'dialog-title' }, title);
    const dialog = h(
      'dialog',
      { class: 'dialog', 'aria-labelledby': 'dialog-title' },
      h('form', { method: 'dialog' }, heading, h('div', { class: 'dialog-body' }, content), h('div', { class: 'dialog-buttons' }, buttons)),
    );
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close(''));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Asks whether to go on. `lines` say what that means; `word` must be typed where a mistake would be bad.
export async function confirm({ title, lines = [], verb, isDangerous = false, word = null }) {
  const yes = h('button', { class: `button ${isDangerous ? 'danger' : 'primary'}`, value: 'yes', disabled: word !== null }, verb);
  const content = lines.map((line) => h('p', {}, line));
  if (word !== null) {
    const input = h('input', {
      id: 'dialog-word',
      class: 'field',
      autocomplete: 'off',
      spellcheck: 'false',
      oninput: () => (yes.disabled = input.value !== word),
    });
    content.push(h('label', { for: 'dialog-word' }, 'Type ', h('b', {}, word), ' to go on'), input);
  }
  const no = h('button', { class: 'button', value: '', autofocus: word === null }, 'Cancel');
  return (await show(title, content, [no, yes])) === 'yes';
}

const KEYS = [
  ['/', 'Search'],
  ['↑ ↓', 'Move from row to row'],
  ['← →', 'Fold and unfold a group'],
  ['Enter', 'Open the program'],
  ['Space', 'Select the row'],
  ['r', 'Restart: the selection, or the row'],
  ['s', 'Stop what runs, start what does not'],
  ['a', 'Select all that are shown'],
  ['Esc', 'Clear selection and search; back to the table'],
  ['?', 'This help'],
];

export function showKeys() {
  const rows = KEYS.map(([keys, what]) => [h('dt', {}, keys.split(' ').map((key) => h('kbd', {}, key))), h('dd', {}, what)]);
  return show('Keyboard', h('dl', { class: 'keys' }, rows), [h('button', { class: 'button primary', value: '' }, 'Close')]);
}
