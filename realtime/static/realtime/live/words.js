/**
 * Text from strangers. Characters that would change the direction of the text around them have no effect: each is shown
 * as a mark. All functions are pure; `dom.js` makes the elements.
 *
 * @module
 */

/** The Unicode names of direction controls. */
const CONTROLS = /** @type {Record<string, string>} */ ({
  "\u061c": "Arabic letter mark",
  "\u200e": "Left-to-right mark",
  "\u200f": "Right-to-left mark",
  "\u202a": "Left-to-right embedding",
  "\u202b": "Right-to-left embedding",
  "\u202c": "Pop directional formatting",
  "\u202d": "Left-to-right override",
  "\u202e": "Right-to-left override",
  "\u2066": "Left-to-right isolate",
  "\u2067": "Right-to-left isolate",
  "\u2068": "First strong isolate",
  "\u2069": "Pop directional isolate",
});
const CONTROL = /([\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/;

/** @param {string} control */
const code = (control) => `U+${control.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

/**
 * @param {string} text
 * @returns {(string | { code: string, name: string })[]} the text in pieces, with one piece for each control
 */
export function pieces(text) {
  if (!CONTROL.test(text)) return [text];
  return text.split(CONTROL).filter(Boolean).map((piece) => {
    const name = CONTROLS[piece];
    return name ? { code: code(piece), name } : piece;
  });
}
