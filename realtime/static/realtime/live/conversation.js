/**
 * The open call: its speakers, all its turns, and its result. The page makes one object each time it opens a call.
 *
 * @typedef {import("../callsite-client.js").Call} Call
 * @typedef {import("../callsite-client.js").CallData} CallData
 * @typedef {import("../callsite-client.js").CallsiteClient} CallsiteClient
 * @module
 */

import * as calls from "./calls.js";
import { element, setText, setWords, spoken } from "./dom.js";
import { Recording } from "./recording.js";
import { resultOf } from "./result.js";
import { SILENT_SECONDS, age, clock, heardAt } from "./time.js";
import { Turns } from "./turns.js";

export class Conversation {
  #back = element("button", "back quiet");
  heading = spoken("h2");
  #meta = element("p", "meta");
  #badge = element("span", "badge");
  #clock = element("span", "clock");
  #client;
  #page;
  /** @type {Call | undefined} */
  #call;
  /** @type {CallData | undefined} */
  #data;
  #heardAt = NaN;
  #level = Infinity; // the number of the last turn that was spoken before the subscription
  /** @type {Recording | undefined} */
  #recording;
  #live = false; // true: the call was in progress when it was opened
  listens = true; // true while more messages may come over the connection

  /**
   * @param {string} identifier
   * @param {{ client: CallsiteClient, now: () => number, staff: boolean, hears: boolean, close: () => void, say: (text: string) => void,
   *   live: () => void }} page `live` is called when all turns so far have come
   */
  constructor(identifier, page) {
    this.identifier = identifier;
    this.#page = page;
    this.#client = page.client;
    this.turns = new Turns(page.now);
    this.#back.ariaLabel = "Close the call";
    this.#back.title = "Close (Esc)";
    this.#back.addEventListener("click", page.close);
    this.heading.tabIndex = -1;
    this.elements = [
      element("header", "call-head", this.#back, element("div", "names", this.heading, this.#meta), element("p", "state", this.#badge, this.#clock)),
      this.turns.scroll,
      this.turns.newer,
    ];
    setWords(this.heading, identifier);
    this.#foot("Opening the call …");
  }

  open() {
    const { turns } = this;
    this.#client.subscribe(this.identifier, {
      after: 0,
      onSubscribed: (message) => {
        this.#level = message.last_sequence_number;
        if (this.#level === 0) this.#page.live();
        this.#live = message.status === "in_progress";
        if (!this.#call) this.#fetch();
        if (this.#level === 0) turns.level();
        if (this.#level === 0 && message.status === "in_progress") this.#foot("Nothing said yet.");
      },
      onTurn: (turn) => {
        const live = turn.sequence_number > this.#level;
        this.#heardAt = heardAt(turn.timestamp, live ? this.#page.now() : null);
        turns.add(turn);
        if (turn.sequence_number === this.#level) turns.level();
        if (turn.sequence_number === this.#level) this.#page.live();
        this.tick();
      },
      onCaughtUp: ({ missed }) => {
        if (missed) turns.markCaughtUp(missed);
        this.#page.live();
      },
      onReset: () => turns.clear(),
      onCompleted: ({ call_data }) => this.#completed(call_data),
      onError: ({ code, message }) => {
        this.#foot(code === "CALL_NOT_FOUND" ? "There is no such call." : message, "problem");
        this.#isOver();
      },
    });
  }

  #isOver() {
    this.listens = false;
    this.#page.live();
  }

  close() {
    this.#recording?.close();
    this.#client.unsubscribe(this.identifier);
  }

  /** @param {Call} call its present state */
  show(call) {
    const known = this.#call;
    this.#call = call;
    setWords(this.heading, calls.title(call));
    this.#showMeta(call);
    if (this.#data && known?.failure_reason !== call.failure_reason) this.#showResult();
    this.tick();
  }

  /** @param {Call} call */
  #showMeta(call) {
    const way = { inbound: "from", outbound: "to" }[String(call.direction)] ?? "";
    const parts = [calls.number(call), calls.agent(call), call.call_sid].filter((part) => part && part !== calls.title(call));
    const key = [way, ...parts].join("\n");
    if (this.#meta.dataset.key === key) return;
    this.#meta.dataset.key = key;
    const made = parts.flatMap((part) => [" · ", spoken("bdi", "", part)]).slice(1);
    if (way && parts[0] === calls.number(call)) made.unshift(`${way} `);
    this.#meta.replaceChildren(...made);
  }

  tick() {
    const call = this.#call;
    const now = this.#page.now();
    if (!call) return;
    if (call.status !== "in_progress" || this.#data) {
      const data = this.#data ?? call;
      const { name, text } = calls.outcome(data);
      const seconds = this.#data?.duration_seconds ?? calls.durationSeconds(call);
      this.#state(name, text, seconds === null ? "" : clock(seconds));
      return;
    }
    const since = (now - this.#heardAt) / 1000;
    const silent = (Number.isNaN(since) ? (now - calls.startedAt(call)) / 1000 : since) >= SILENT_SECONDS;
    this.#state(silent ? "silent" : "calm", silent ? "Silent" : "In progress", clock((now - calls.startedAt(call)) / 1000));
    if (this.turns.last) this.#foot(since < 2 ? "Last turn just now" : `Last turn ${age(since)} ago`, "listening");
  }

  /** @param {CallData} data */
  #completed(data) {
    this.#data = data;
    this.#isOver();
    this.#showResult();
    this.tick();
    if (this.#live) this.#page.say(`The open call has ended: ${calls.outcome(data).text}.`);
  }

  #showResult() {
    if (!this.#data) return;
    const { now, staff, hears } = this.#page;
    if (hears) this.#recording ??= new Recording(this.#data.call_sid, this.turns.list, this.#data.call_start_time);
    const recordUrl = staff ? `record/${encodeURIComponent(this.#data.call_sid)}` : null;
    this.turns.foot.replaceChildren(resultOf(this.#data, this.#call, { now: now(), recordUrl, player: this.#recording?.element }));
    this.turns.draw();
  }

  /** Fetches a call that is not in the list because it ended longer ago. */
  async #fetch() {
    try {
      const response = await fetch(`/api/calls/${encodeURIComponent(this.identifier)}/`, { headers: { Accept: "application/json" } });
      const call = await response.json();
      if (response.ok && !this.#call) this.show(calls.fromApi(call));
    } catch {
      // the turns and the result come over the socket, also without this
    }
  }

  /** @param {string} state @param {string} text @param {string} time */
  #state(state, text, time) {
    this.#badge.dataset.state = state;
    setText(this.#badge, text);
    setText(this.#clock, time);
  }

  /** @param {string} text @param {string} [name] */
  #foot(text, name = "waiting") {
    const { foot } = this.turns;
    if (this.#data) return;
    const shown = foot.firstElementChild;
    if (shown?.className === name) return setText(shown, text);
    const made = element("p", name, text);
    made.ariaLive = "off";
    foot.replaceChildren(made);
    this.turns.draw();
  }
}
