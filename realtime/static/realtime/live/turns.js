/**
 * The turns of a call as a growing conversation. It scrolls down with new turns only while the reader is at the bottom.
 *
 * @typedef {import("../callsite-client.js").Turn} Turn
 * @module
 */

import { bubble } from "../../calls/bubble.js";
import { counted } from "./calls.js";
import { element, setText, setWords } from "./dom.js";
import { age, moment, timeOfDay } from "./time.js";

const PAUSE_SECONDS = 30;
const NEAR_PX = 48;
const IN_A_FRAME = 30; // turns; a long call takes several frames, so that the page stays responsive

export class Turns {
  list = element("ol", "turns");
  foot = element("div", "foot");
  scroll = element("div", "scroll turns-scroll", this.list, this.foot);
  newer = element("button", "newer");
  #now;
  /** @type {Turn[]} */
  #waiting = [];
  /** @type {Turn | null} */
  #last = null;
  /** @type {Map<number, Element>} */
  #marks = new Map(); // by the number of the turn after the mark
  #unread = 0;
  #drawing = false;
  #level = false;

  /** @param {() => number} now */
  constructor(now) {
    this.#now = now;
    this.scroll.tabIndex = 0;
    this.scroll.role = "log";
    this.scroll.ariaLabel = "Turns";
    this.scroll.ariaLive = "off"; // until the earlier turns have come: a screen reader should not read them out
    this.newer.hidden = true;
    this.newer.addEventListener("click", () => this.#toBottom());
    this.scroll.addEventListener("scroll", () => this.#isAtBottom() && this.#read(), { passive: true });
  }

  get last() {
    return this.#waiting.at(-1) ?? this.#last;
  }

  /** @param {Turn} turn the next one */
  add(turn) {
    this.#waiting.push(turn);
    this.draw();
  }

  /** Notes that all earlier turns have come. */
  level() {
    this.#level = true;
    this.draw();
  }

  /** @param {number} missed the number of newest turns that came late */
  markCaughtUp(missed) {
    const behind = (this.last?.sequence_number ?? 0) - missed + 1;
    const mark = element("li", "mark", `Connection was lost here. ${counted(missed, "missed turn")} caught up.`);
    const shown = this.list.querySelector(`.turn[data-number="${behind}"]`);
    if (shown) shown.before(mark);
    else this.#marks.set(behind, mark);
    this.draw();
  }

  clear() {
    this.#waiting = [];
    this.#marks.clear();
    this.#last = null;
    this.list.replaceChildren();
    this.#read();
  }

  /** Shows the waiting turns, some in each frame, and stays at the bottom if the reader is there. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawNow();
      if (this.#waiting.length) this.draw();
      else if (this.#level) setTimeout(() => (this.scroll.ariaLive = "polite"), 500);
    });
  }

  #drawNow() {
    const stay = this.#isAtBottom();
    const made = document.createDocumentFragment();
    const next = this.#waiting.splice(0, IN_A_FRAME);
    for (const turn of next) {
      const pause = this.#last ? (moment(turn.timestamp) - moment(this.#last.timestamp)) / 1000 : 0;
      if (pause >= PAUSE_SECONDS) made.append(element("li", "mark", `${age(pause)} of silence`));
      const mark = this.#marks.get(turn.sequence_number);
      if (mark) made.append(mark);
      made.append(this.#turn(turn, this.#last?.speaker_type === turn.speaker_type && pause < PAUSE_SECONDS));
      this.#last = turn;
    }
    this.list.append(made);
    if (stay) return this.#toBottom();
    this.#unread += next.length;
    setText(this.newer, `↓ ${counted(this.#unread, "new turn")}`);
    this.newer.hidden = this.#unread === 0;
  }

  /** @param {Turn} turn @param {boolean} goesOn true: the same speaker goes on */
  #turn(turn, goesOn) {
    const time = timeOfDay(moment(turn.timestamp), this.#now(), { seconds: true });
    const { turn: made, text } = bubble({ speaker: turn.speaker_type, time, timestamp: turn.timestamp, goesOn });
    setWords(text, turn.message_text);
    made.dataset.number = String(turn.sequence_number);
    return made;
  }

  #isAtBottom() {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < NEAR_PX;
  }

  #toBottom() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.#read();
  }

  #read() {
    this.#unread = 0;
    this.newer.hidden = true;
  }
}
