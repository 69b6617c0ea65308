/**
 * The two lists of calls, by `call_sid`: a change touches only its own row, and a row moves only if its place changes.
 *
 * @typedef {import("../callsite-client.js").Call} Call
 * @typedef {import("../callsite-client.js").Totals} Totals
 * @module
 */

import { countOf, newestFirst } from "./calls.js";
import { arrange, byId, setText } from "./dom.js";
import { Row } from "./row.js";

const SHOWN = { "in-progress": 1_000, ended: 50 }; // the server's limits

export class CallList {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Map<string, { call: Call, arrived: number | null }>} */
  #changed = new Map();
  #drawing = false;
  #query = "";
  /** @type {string | null} */
  #open = null;
  #now;
  #known = false;
  #totals = { in_progress: 0, ended: 0, counted_up_to: Infinity };

  /** @param {() => number} now milliseconds, by the server's clock */
  constructor(now) {
    this.#now = now;
  }

  /** Replaces the list. @param {Call[]} calls all calls of the new list */
  replace(calls) {
    this.#known = true;
    const kept = new Set(calls.map((call) => call.call_sid));
    this.#changed.clear();
    for (const sid of this.#rows.keys()) if (!kept.has(sid)) this.#rows.delete(sid);
    for (const call of calls) this.#changed.set(call.call_sid, { call, arrived: null });
    this.#draw();
  }

  /** @param {Call} call */
  change(call) {
    const known = this.#changed.get(call.call_sid)?.call ?? this.#rows.get(call.call_sid)?.call;
    if (known?.status === "in_progress" && call.status !== "in_progress") {
      this.#totals.in_progress -= 1;
      this.#totals.ended += 1;
    }
    this.#changed.set(call.call_sid, { call, arrived: this.#now() });
    this.#draw();
  }

  /** @param {Totals} totals of all calls, in the list or not; the list adjusts them until the next totals come */
  count(totals) {
    this.#totals = { ...totals };
    this.#draw();
  }

  /** True if there is no call, even without the filter. */
  get isEmpty() {
    return this.#known && this.#rows.size === 0 && this.#changed.size === 0;
  }

  /** @param {string} identifier call_sid or conversation_id @returns {Call | undefined} */
  find(identifier) {
    const changed = this.#changed.get(identifier)?.call ?? this.#rows.get(identifier)?.call;
    return changed ?? this.calls().find((call) => call.conversation_id === identifier);
  }

  calls() {
    const calls = new Map([...this.#rows].map(([sid, row]) => [sid, row.call]));
    for (const [sid, { call }] of this.#changed) calls.set(sid, call);
    return [...calls.values()];
  }

  /** @param {string} query */
  filter(query) {
    this.#query = query.trim();
    this.#draw();
  }

  /** Marks the open call. @param {string | null} sid */
  mark(sid) {
    this.#rows.get(this.#open ?? "")?.mark(false);
    this.#open = sid;
    this.#rows.get(sid ?? "")?.mark(true);
  }

  tick() {
    const now = this.#now();
    for (const row of this.#rows.values()) row.tick(now);
  }

  /** Returns the visible links, from the top. @returns {HTMLAnchorElement[]} */
  links() {
    return [...document.querySelectorAll(".calls > li:not([hidden]) > a")].map((link) => /** @type {any} */ (link));
  }

  /** @param {string} sid @returns {HTMLAnchorElement | undefined} */
  link(sid) {
    return this.#rows.get(sid)?.link;
  }

  /** Draws the lists, at most once per frame. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#keepFocus(() => this.#drawNow());
    });
  }

  /** Keeps the focus on a row that moves; if the row is gone, on the row in its place. @param {() => void} work */
  #keepFocus(work) {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const place = focused?.closest(".calls") ? this.links().indexOf(/** @type {any} */ (focused)) : -1;
    work();
    if (place < 0 || !focused) return;
    if (focused.isConnected && !focused.closest("[hidden]")) {
      if (focused !== document.activeElement) focused.focus({ preventScroll: true });
      return;
    }
    const links = this.links();
    (links[Math.min(place, links.length - 1)] ?? byId("filter")).focus({ preventScroll: true });
  }

  #drawNow() {
    const now = this.#now();
    for (const [sid, { call, arrived }] of this.#changed) {
      const row = this.#rows.get(sid);
      if (row) row.update(call, arrived);
      else this.#rows.set(sid, new Row(call));
      this.#rows.get(sid)?.tick(now);
    }
    this.#changed.clear();
    const rows = [...this.#rows.values()].sort((a, b) => newestFirst(a.call, b.call));
    const running = rows.filter(({ call }) => call.status === "in_progress");
    const ended = rows.filter(({ call }) => call.status !== "in_progress");
    const { in_progress, ended: over } = this.#totals;
    this.#show("in-progress", running, in_progress, "No calls in progress. A call appears here when it begins.");
    this.#show("ended", ended, over, "No call has ended yet.");
    this.#rows.get(this.#open ?? "")?.mark(true);
    const count = running.length < SHOWN["in-progress"] ? running.length : Math.max(running.length, in_progress);
    document.title = count ? `(${count.toLocaleString("en")}) Live calls · callsite` : "Live calls · callsite";
  }

  /** @param {"in-progress" | "ended"} id @param {Row[]} rows @param {number} total @param {string} none */
  #show(id, rows, total, none) {
    const limit = SHOWN[id];
    for (const row of rows.splice(limit)) this.#rows.delete(row.call.call_sid);
    arrange(byId(id), rows.map((row) => row.element));
    const shown = rows.filter((row) => row.filter(this.#query)).length;
    const empty = byId(`${id}-empty`);
    if (!this.#known) return;
    const { listed, all } = countOf(rows.length, limit, total, this.#totals.counted_up_to);
    const looked = all ? `the ${listed}` : listed;
    setText(byId(`${id}-count`), this.#query ? `${shown} of ${looked}` : all ? `${listed} of ${all}` : listed);
    setText(empty, rows.length ? `None of ${looked} ${rows.length === 1 ? "call" : "calls"} matches.` : none);
    empty.hidden = shown > 0;
  }
}
