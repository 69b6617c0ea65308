/**
 * Elements and their text. The text of calls is set as text, and never parsed as HTML.
 *
 * @module
 */

import { pieces } from "./words.js";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * Makes an element for text from strangers: it has its own direction, and cannot change that of its surroundings.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function spoken(tag, className = "", text = "") {
  const made = element(tag, className);
  made.dir = "auto";
  setWords(made, text);
  return made;
}

/** Sets the text of an element, only if it differs. @param {Element} where @param {string} text */
export function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/** Sets text from strangers, only if it differs; marks controls. @param {Element} where @param {string} text */
export function setWords(where, text) {
  const found = pieces(text);
  if (found.length === 1 && found[0] === text) return setText(where, text);
  const shown = found.map((piece) => (typeof piece === "string" ? piece : piece.code)).join("");
  if (where.textContent === shown && where.firstElementChild) return;
  where.replaceChildren(...found.map((piece) => (typeof piece === "string" ? piece : control(piece))));
}

/** @param {{ code: string, name: string }} piece */
function control({ code, name }) {
  const mark = element("bdi", "control", code);
  mark.title = `${name}. It is shown here and not obeyed.`;
  return mark;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Puts children into this order; it moves only children that are not in their place, and removes all others.
 *
 * @param {Element} parent
 * @param {Element[]} children
 */
export function arrange(parent, children) {
  let place = parent.firstElementChild;
  for (const child of children) {
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
}
