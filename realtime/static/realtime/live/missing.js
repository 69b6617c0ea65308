/**
 * Notices about problems that keep calls from being shown, as callsite reports them.
 *
 * @typedef {import("./status.js").Notice} Notice
 * @module
 */

import { byId, element } from "./dom.js";

/** @param {Notice[]} notices */
export function showMissing(notices) {
  const key = JSON.stringify(notices);
  const list = byId("missing");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...notices.map(shown));
  byId("missing-section").hidden = notices.length === 0;
}

/** @param {Notice} notice */
function shown({ text, fix, url }) {
  const made = element("li", "", element("p", "text", text));
  if (fix) made.append(element("p", "fix", fix));
  if (url) {
    const link = element("a", "", "Look at them in the admin");
    link.href = url;
    made.append(element("p", "fix", link));
  }
  return made;
}
