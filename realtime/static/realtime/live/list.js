/**
 * The two lists, kept by key: a change touches its own row, and a row moves only when its place changes.
 *
 * @typedef {import("../callsite-client.js").Call} Call
 * @module
 */

import { counted, newestFirst } from "./calls.js";
import { arrange, byId, setText } from "./dom.js";
import { Row } from "./row.js";

const ENDED_SHOWN = 50;

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

  /** @param {() => number} now milliseconds, by the server's clock */
  constructor(now) {
    this.#now = now;
  }

  /** @param {Call[]} calls all there are */
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
    this.#changed.set(call.call_sid, { call, arrived: this.#now() });
    this.#draw();
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

  /** The links that can be seen, from the top. @returns {HTMLAnchorElement[]} */
  links() {
    return [...document.querySelectorAll(".calls > li:not([hidden]) > a")].map((link) => /** @type {any} */ (link));
  }

  /** @param {string} sid @returns {HTMLAnchorElement | undefined} */
  link(sid) {
    return this.#rows.get(sid)?.link;
  }

  /** At most once a frame, however many changes come. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawNow();
    });
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
    for (const row of ended.splice(ENDED_SHOWN)) this.#rows.delete(row.call.call_sid);
    arrange(byId("in-progress"), running.map((row) => row.element));
    arrange(byId("ended"), ended.map((row) => row.element));
    this.#rows.get(this.#open ?? "")?.mark(true);
    this.#tell("in-progress", running, "No calls in progress. A call appears here when it begins.");
    this.#tell("ended", ended, "No call has ended yet.");
    document.title = running.length ? `(${running.length}) Live calls · callsite` : "Live calls · callsite";
  }

  /** @param {string} id @param {Row[]} rows @param {string} none */
  #tell(id, rows, none) {
    const shown = rows.filter((row) => row.filter(this.#query)).length;
    const empty = byId(`${id}-empty`);
    if (!this.#known) return;
    setText(byId(`${id}-count`), this.#query ? `${shown} of ${rows.length}` : `${rows.length}`);
    setText(empty, rows.length ? `None of ${counted(rows.length, "call")} matches “${this.#query}”.` : none);
    empty.hidden = shown > 0;
  }
}
