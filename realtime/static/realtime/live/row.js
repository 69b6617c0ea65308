/**
 * One call in the list. Its elements are built once; an update touches only the elements that changed.
 *
 * @typedef {import("../callsite-client.js").Call} Call
 * @module
 */

import * as calls from "./calls.js";
import { element, setText, setWords, spoken } from "./dom.js";
import { SILENT_SECONDS, age, clock, heardAt, timeOfDay, moment } from "./time.js";

export class Row {
  element = element("li", "call");
  link = element("a");
  #lamp = element("span", "lamp");
  #title = spoken("b", "title");
  #number = spoken("span", "number");
  #agent = spoken("span", "agent");
  #clock = element("span", "clock");
  #speaker = element("span", "speaker");
  #line = spoken("span", "line");
  #badge = element("span", "badge");
  #age = element("span", "age");
  #heardAt = NaN;
  #text = "";

  /** @param {Call} call */
  constructor(call) {
    this.call = call;
    this.#lamp.ariaHidden = "true";
    this.link.href = `#${encodeURIComponent(call.call_sid)}`;
    this.link.append(
      this.#lamp,
      element("span", "row", element("span", "who", this.#title, this.#number, this.#agent), this.#clock),
      element("span", "row", element("span", "said", this.#speaker, this.#line), this.#badge, this.#age),
    );
    this.element.append(this.link);
    this.#show(null);
  }

  /** @param {Call} call @param {number | null} arrived time of a live change, in milliseconds; null from a snapshot */
  update(call, arrived) {
    const spoke = call.last_sequence_number > this.call.last_sequence_number;
    this.call = call;
    this.#show(spoke ? arrived : null, spoke);
  }

  /** @param {string} query @returns {boolean} whether it is shown */
  filter(query) {
    const shown = calls.matches(this.#text, query);
    this.element.hidden = !shown;
    return shown;
  }

  /** @param {boolean} open */
  mark(open) {
    if (open) this.link.setAttribute("aria-current", "true");
    else this.link.removeAttribute("aria-current");
  }

  /** Updates the times that grow with the clock. @param {number} now milliseconds */
  tick(now) {
    const { call } = this;
    if (call.status !== "in_progress") return;
    const since = (now - (this.#heardAt || calls.startedAt(call))) / 1000;
    const silent = since >= SILENT_SECONDS;
    setText(this.#clock, clock((now - calls.startedAt(call)) / 1000));
    setText(this.#badge, silent ? "Silent" : "");
    setText(this.#age, age(since));
    this.element.dataset.state = silent ? "silent" : since < 4 ? "fresh" : "calm";
  }

  /** @param {number | null} arrived @param {boolean} [spoke] */
  #show(arrived, spoke = true) {
    const { call } = this;
    const turn = call.last_turn;
    if (spoke) this.#heardAt = heardAt(turn?.timestamp, arrived);
    this.#text = calls.searchText(call);
    const number = calls.number(call);
    setWords(this.#title, calls.title(call));
    setWords(this.#number, number === calls.title(call) ? "" : number);
    setWords(this.#agent, calls.agent(call));
    if (call.status === "in_progress") {
      setText(this.#speaker, turn ? (turn.speaker_type === "agent" ? "Agent" : "Driver") : "");
      setWords(this.#line, calls.lastWords(call));
    } else {
      this.#showEnd();
    }
  }

  #showEnd() {
    const { call } = this;
    const seconds = calls.durationSeconds(call);
    const { name, text } = calls.outcome(call);
    this.element.dataset.state = name;
    setText(this.#clock, seconds === null ? "" : clock(seconds));
    setText(this.#speaker, "");
    setWords(this.#line, calls.failure(call) || call.transcript_summary || call.last_turn?.message_text || "No summary");
    setText(this.#badge, text);
    setText(this.#age, timeOfDay(moment(call.call_end_time), Date.now()));
  }
}
