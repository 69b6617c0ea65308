/**
 * Shows whether the page is live: a lamp, and a banner that says why not. There are two connections, one for the list
 * and one for the open call; the page is live when both have received everything that they missed.
 *
 * @typedef {import("../callsite-client.js").StateChange} StateChange
 * @typedef {import("./status.js").Status} Status
 * @typedef {"list" | "call"} Part
 * @module
 */

import { counted } from "./calls.js";
import { byId, setText } from "./dom.js";

const PATIENCE_MS = 700; // a shorter loss shows no banner
const GOOD_NEWS_MS = 12_000;
const ASK_MS = 5_000; // between two status requests, while the server does not answer
const ASK_REFUSED_MS = 30_000; // between two status requests, while the server refuses the session
const LOST = { list: "Connection lost. What you see may be out of date.", call: "Connection to the open call lost." };
const REFUSED = {
  "signed-out": { text: "You are signed out.", act: "Sign in again" },
  "not-permitted": { text: "You may not view calls any more.", act: "See why" },
};

/** @param {{ turns: number, begun: number, ended: number }} missed @returns {string} */
export function caughtUp({ turns, begun, ended }) {
  const parts = [];
  if (turns) parts.push(counted(turns, "missed turn"));
  if (begun) parts.push(counted(begun, "new call"));
  if (ended) parts.push(`${counted(ended, "call")} ended`);
  return parts.length ? `Connected again. Caught up: ${parts.join(", ")}.` : "Connected again. Nothing was missed.";
}

export class Network {
  #page;
  /** @type {Map<Part, number>} */
  #lost = new Map(); // the time of the next attempt, by lost connection
  /** @type {{ turns: number, begun: number, ended: number } | null} */
  #missed = null;
  #shown = false; // true: the banner shows a loss
  #refused = false;
  #asking = false;
  #askAgain = false; // true: the running request began before the user looked at the page
  #askedAt = -Infinity;
  /** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */
  /** @type {Timer} */ #lossTimer;
  /** @type {Timer} */ #newsTimer;

  /**
   * @param {{ user: string, retry: () => void, stop: () => void, reload: () => void, say: (text: string) => void,
   *   askStatus: () => Promise<Status> }} page `retry`: both connections connect now; `stop`: both stop trying
   */
  constructor(page) {
    this.#page = page;
  }

  /** @param {Part} part @param {StateChange} change */
  changed(part, { state, code, retryInMs }) {
    const begins = state === "waiting" || (state === "closed" && code !== undefined);
    if (state === "open" && part === "list" && !this.#shown) this.#lamp("connecting", "Loading…");
    if (begins && !this.#refused) {
      this.#lost.set(part, Date.now() + (retryInMs ?? 0));
      this.#lamp("lost", "Reconnecting…");
      if (!this.#shown) this.#lossTimer ??= setTimeout(() => this.#tellLost(), PATIENCE_MS);
      if (state === "closed") this.#ask(true);
      else if (this.#shown) this.#ask();
    }
    this.tick();
  }

  /**
   * Notes that a connection has received everything that it missed.
   *
   * @param {Part} part
   * @param {{ turns: number, begun: number, ended: number } | null} [missed]
   */
  live(part, missed = null) {
    const wasLost = this.#lost.delete(part);
    this.#missed = missed ?? this.#missed;
    if (this.#lost.size || (part === "call" && !wasLost)) return;
    this.#lamp("open", "Live");
    this.#patienceIsOver();
    const all = this.#missed;
    this.#missed = null;
    const some = all && (all.turns || all.begun || all.ended);
    if (!this.#shown && !some) return;
    this.#shown = this.#refused = false;
    const news = all ? caughtUp(all) : "Connected again.";
    this.#banner("good", news);
    this.#page.say(news);
    this.#newsTimer = setTimeout(() => (byId("banner").hidden = true), GOOD_NEWS_MS);
  }

  /** Forgets the open call's connection: no call is open, or no more messages of it come. */
  forgetCall() {
    if (this.#lost.has("call")) this.live("call");
  }

  tick() {
    if (this.#refused && !document.hidden && Date.now() - this.#askedAt > ASK_REFUSED_MS) this.#ask();
    if (this.#refused || !this.#shown) return;
    const seconds = Math.ceil((Math.min(...this.#lost.values()) - Date.now()) / 1000);
    const next = seconds > 0 ? `Next try in ${seconds} s.` : "Trying …";
    this.#banner("lost", `${LOST[this.#lost.has("list") ? "list" : "call"]} ${next}`, "Try now", this.#page.retry);
  }

  /** Asks again, because the user looks at the page and may have signed in elsewhere. */
  looked() {
    if (this.#refused) this.#ask(true);
  }

  /** Handles the server's answer about the session. @param {Status} status */
  heard(status) {
    if (status.standing === "unknown") return;
    if (status.standing !== "good") return this.#refuse(status.standing);
    if (status.user !== this.#page.user) return this.#page.reload(); // another user signed in
    if (!this.#refused) return;
    this.#refused = false;
    this.#lost.set("list", Date.now());
    this.#shown = true;
    this.#page.retry();
  }

  #tellLost() {
    this.#patienceIsOver();
    clearTimeout(this.#newsTimer);
    this.#shown = true;
    this.#page.say(LOST[this.#lost.has("list") ? "list" : "call"]);
    this.#ask();
    this.tick();
  }

  /** Asks for the status. @param {boolean} [now] ask even if it was asked just before @returns {Promise<void>} */
  async #ask(now = false) {
    const lately = Date.now() - this.#askedAt < ASK_MS;
    if (this.#asking) this.#askAgain ||= now;
    if (this.#asking || (lately && !now)) return;
    this.#asking = true;
    const status = await this.#page.askStatus();
    this.#asking = false;
    this.#askedAt = Date.now();
    this.heard(status);
    const again = this.#askAgain && this.#refused;
    this.#askAgain = false;
    if (again) return this.#ask(true);
    // the server ended a connection, but the session is valid
    if (now && !this.#refused) setTimeout(() => this.#refused || this.#page.retry(), lately ? ASK_MS : 0);
  }

  /** @param {"signed-out" | "not-permitted"} standing */
  #refuse(standing) {
    const { text, act } = REFUSED[standing];
    const said = `${text} What you see is out of date.`;
    if (!this.#refused) {
      this.#refused = true;
      this.#askedAt = Date.now();
      this.#shown = true;
      this.#patienceIsOver();
      clearTimeout(this.#newsTimer);
      this.#page.stop();
      this.#page.say(said);
    }
    this.#lamp("lost", "Not live");
    this.#banner(standing, said, act, this.#page.reload);
  }

  #patienceIsOver() {
    clearTimeout(this.#lossTimer);
    this.#lossTimer = undefined;
  }

  /** @param {string} state @param {string} text */
  #lamp(state, text) {
    byId("network").dataset.state = state;
    document.body.dataset.network = state;
    setText(byId("network-text"), text);
  }

  /** @param {string} state @param {string} text @param {string} [act] @param {() => void} [action] */
  #banner(state, text, act = "", action = undefined) {
    const banner = byId("banner");
    const button = byId("banner-act");
    banner.dataset.state = state;
    setText(byId("banner-text"), text);
    setText(button, act);
    const focused = document.activeElement === button;
    button.hidden = !act;
    if (focused && !act) byId("filter").focus({ preventScroll: true });
    button.onclick = action ?? null;
    banner.hidden = false;
  }
}
