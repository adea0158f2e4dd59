// Text from elsewhere as it may be shown: what does not print, as an escape (as in the log: `observe/visible.py`).
// A direction mark in an id would turn the text around it; ids that differ in what no one sees would look the same.

const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** `text` with each control character, direction mark and space other than the plain one as `\n`, `\x1b`, `\u202e`. */
export function visible(text) {
  return text.replace(/(?! )[\p{C}\p{Z}]/gu, (char) => {
    const code = char.codePointAt(0);
    const digits = code.toString(16);
    if (named[char]) return named[char];
    if (code <= 0xff) return `\\x${digits.padStart(2, "0")}`;
    return code <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
  });
}
