/**
 * The recording of the open call, for users who may hear it. It comes some time after the result, so the page polls.
 *
 * @module
 */

import { Player } from "../../calls/player.js";
import { element } from "./dom.js";
import { moment } from "./time.js";

const AGAIN_MS = [10_000, 20_000, 30_000, 60_000, 120_000];

export class Recording {
  element = element("div", "player");
  #url;
  #turns;
  #start;
  #waiting = 0;

  /**
   * @param {string} identifier of the call
   * @param {Element} turns the list of the call's turns
   * @param {string | null} start the time when the call began, which is second 0 of its recording
   */
  constructor(identifier, turns, start) {
    this.#url = `/api/calls/${encodeURIComponent(identifier)}/`;
    this.#turns = turns;
    this.#start = moment(start);
    this.element.hidden = true;
    this.#look(0);
  }

  close() {
    clearTimeout(this.#waiting);
    this.element.querySelector("audio")?.pause();
  }

  /** @param {number} tries */
  async #look(tries) {
    if (await this.#isThere()) return this.#show();
    const again = AGAIN_MS[tries];
    if (again !== undefined) this.#waiting = setTimeout(() => this.#look(tries + 1), again);
  }

  async #isThere() {
    try {
      const response = await fetch(this.#url, { headers: { Accept: "application/json" } });
      return response.ok && (await response.json()).has_recording === true;
    } catch {
      return false; // the network is away: the next attempt may find it
    }
  }

  #show() {
    const audio = element("audio");
    audio.controls = true;
    audio.preload = "none";
    audio.src = `${this.#url}recording/`;
    audio.ariaLabel = "Recording of the call";
    this.element.append(audio);
    this.element.hidden = false;
    new Player(audio, this.#turns, (turn) => (moment(turn.querySelector("time")?.dateTime) - this.#start) / 1000);
  }
}
