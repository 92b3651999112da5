// Text that shows all of its characters.

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

// Control characters as signs, so that nothing hides and nothing runs backwards.
export function visible(text) {
  return text.replace(CONTROL, (letter) => {
    const code = letter.codePointAt(0);
    if (code < 0x20) {
      return String.fromCodePoint(0x2400 + code);
    }
    return code === 0x7f ? '\u2421' : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}
