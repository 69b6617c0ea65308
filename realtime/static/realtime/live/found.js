/**
 * The search through all calls, by the words in the filter: the lists have only the latest calls.
 *
 * @typedef {import("../callsite-client.js").Call} Call
 * @module
 */

import { counted, fromApi } from "./calls.js";
import { byId, setText, setWords } from "./dom.js";
import { Row } from "./row.js";

const PAGE = 25;

export class Found {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #query = "";
  #now;
  #refused;
  /** @type {string | null} */
  #open = null;
  /** @type {string | null} */
  #next = null;
  /** @type {AbortController | null} */
  #asking = null;

  /** @param {() => number} now @param {() => void} refused called when the server refuses this session */
  constructor(now, refused) {
    this.#now = now;
    this.#refused = refused;
    byId("search-all").addEventListener("click", () => this.search());
    byId("found-more").addEventListener("click", () => this.#next && this.#load(this.#next));
  }

  /** Offers a search for these words, and hides the results of the former search. @param {string} query */
  offer(query) {
    this.#query = query.trim();
    this.#asking?.abort();
    byId("found-section").hidden = true;
    byId("search-all").hidden = this.#query === "";
    setWords(byId("search-all-words"), this.#query);
  }

  search() {
    if (!this.#query) return;
    this.#rows.clear();
    byId("found").replaceChildren();
    byId("found-section").hidden = false;
    byId("search-all").hidden = true;
    byId("scroll").scrollTop = 0;
    this.#load(`/api/calls/?${new URLSearchParams({ search: this.#query, page_size: String(PAGE) })}`);
  }

  /** Updates a found call that changed in the list. @param {Call} call */
  change(call) {
    const row = this.#rows.get(call.call_sid);
    row?.update(call, this.#now());
    row?.tick(this.#now());
  }

  /** Marks the open call. @param {string | null} sid */
  mark(sid) {
    this.#rows.get(this.#open ?? "")?.mark(false);
    this.#open = sid;
    this.#rows.get(sid ?? "")?.mark(true);
  }

  tick() {
    for (const row of this.#rows.values()) row.tick(this.#now());
  }

  /** @param {string} url */
  async #load(url) {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    this.#tell("Searching …");
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" }, signal: asking.signal });
      if (response.status === 401 || response.status === 403) this.#refused();
      if (!response.ok) throw new Error(String(response.status));
      const { next, results } = await response.json();
      this.#next = next && sameSite(next);
      this.#add(results.map(fromApi));
    } catch {
      if (!asking.signal.aborted) this.#tell("The search failed. Press Enter in the filter to try again.");
    }
  }

  /** @param {Call[]} calls */
  #add(calls) {
    for (const call of calls) {
      if (this.#rows.has(call.call_sid)) continue;
      const row = new Row(call);
      this.#rows.set(call.call_sid, row);
      row.tick(this.#now());
      byId("found").append(row.element);
    }
    this.mark(this.#open);
    const count = this.#rows.size;
    this.#tell(count ? "" : "No call has all these words.");
    setText(byId("found-count"), `${count}${this.#next ? "+" : ""}`);
    byId("found-more").hidden = !this.#next;
    setText(byId("filter-found"), `${counted(count, "call")} found among all calls`);
  }

  /** @param {string} text */
  #tell(text) {
    setText(byId("found-empty"), text);
    byId("found-empty").hidden = text === "";
    byId("found-more").hidden = true;
    setText(byId("found-count"), "");
  }
}

/** @param {string} address its scheme or host may be wrong behind a proxy @returns {string} its path and query */
function sameSite(address) {
  const { pathname, search } = new URL(address);
  return pathname + search;
}
