/**
 * The keyboard: arrows move through the calls, Enter opens a call, Escape closes it, a slash goes to the filter.
 *
 * @typedef {import("./conversation.js").Conversation} Conversation
 * @typedef {import("./found.js").Found} Found
 * @typedef {import("./list.js").CallList} CallList
 * @module
 */

import { counted } from "./calls.js";
import { byId, setText } from "./dom.js";

export class Keys {
  #list;
  #found;
  #page;
  #filter = /** @type {HTMLInputElement} */ (byId("filter"));

  /** @param {CallList} list @param {Found} found @param {{ opened: () => Conversation | null, close: () => void }} page */
  constructor(list, found, page) {
    this.#list = list;
    this.#found = found;
    this.#page = page;
    this.#filter.addEventListener("input", () => this.#filtered());
    document.addEventListener("keydown", (event) => this.#pressed(event));
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      (page.opened()?.heading ?? byId("conversation")).focus();
    });
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const typing = target === this.#filter;
    if (event.key === "/" && !typing) this.#filter.select();
    else if (event.key === "Escape" && typing) this.#leaveFilter();
    else if (event.key === "Enter" && typing) this.#found.search();
    else if (event.key === "Escape" && this.#page.opened()) this.#page.close();
    else if (target.closest("#conversation")) return; // in the open call, the arrows scroll
    else if (event.key === "ArrowDown") this.#move(1);
    else if (event.key === "ArrowUp" && !typing) this.#move(-1);
    else return;
    event.preventDefault();
  }

  /** @param {number} by 1: down, -1: up */
  #move(by) {
    const links = this.#list.links();
    const at = links.indexOf(/** @type {any} */ (document.activeElement));
    const open = links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = at < 0 ? Math.max(open, 0) : Math.min(Math.max(at + by, 0), links.length - 1);
    links[next]?.focus();
    links[next]?.scrollIntoView({ block: "nearest" });
  }

  #leaveFilter() {
    if (this.#filter.value) {
      this.#filter.value = "";
      this.#filtered();
    } else {
      this.#move(0);
    }
  }

  #filtered() {
    const { value } = this.#filter;
    this.#list.filter(value);
    this.#found.offer(value);
    requestAnimationFrame(() => {
      setText(byId("filter-found"), value ? `${counted(this.#list.links().length, "call")} found` : "");
    });
  }
}
