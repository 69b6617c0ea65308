/**
 * Whether the page is live: a lamp, a banner while the connection is lost, and what was caught up when it is back.
 *
 * @typedef {import("../callsite-client.js").StateChange} StateChange
 * @module
 */

import { counted } from "./calls.js";
import { byId, setText } from "./dom.js";

const PATIENCE_MS = 700; // a blink needs no banner
const GOOD_NEWS_MS = 12_000;

/** @param {{ turns: number, begun: number, ended: number }} missed @returns {string} */
export function caughtUp({ turns, begun, ended }) {
  const parts = [];
  if (turns) parts.push(counted(turns, "missed turn"));
  if (begun) parts.push(counted(begun, "new call"));
  if (ended) parts.push(`${counted(ended, "call")} ended`);
  return parts.length ? `Connected again. Caught up: ${parts.join(", ")}.` : "Connected again. Nothing was missed.";
}

export class Network {
  #retry;
  #say;
  #retryAt = 0;
  #failures = 0;
  #shown = false; // the banner tells of a loss
  #final = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {{ retry: () => void, say: (text: string) => void }} page */
  constructor({ retry, say }) {
    this.#retry = retry;
    this.#say = say;
  }

  /** @param {StateChange} change of the list's connection */
  changed({ state, code, retryInMs }) {
    if (this.#final) return;
    if (state === "open") this.#lamp("connecting", "Loading…");
    if (state === "waiting") {
      this.#retryAt = Date.now() + (retryInMs ?? 0);
      this.#failures += 1;
      this.#lamp("lost", "Reconnecting…");
      this.#timer ??= setTimeout(() => this.#lost(), PATIENCE_MS);
      if (this.#failures % 3 === 2) this.#ask();
    }
    if (state === "closed" && code) this.#refused(code === 4401 ? "You are signed out." : "The connection was closed.", "Sign in again");
    this.tick();
  }

  /** The list is there. @param {{ turns: number, begun: number, ended: number } | null} missed null: the first time */
  live(missed) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#failures = 0;
    this.#lamp("open", "Live");
    const some = missed && (missed.turns || missed.begun || missed.ended);
    if (!missed || !(this.#shown || some)) return;
    this.#shown = false;
    this.#banner("good", caughtUp(missed));
    this.#say(caughtUp(missed));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      byId("banner").hidden = true;
    }, GOOD_NEWS_MS);
  }

  tick() {
    if (!this.#shown || this.#final) return;
    const seconds = Math.ceil((this.#retryAt - Date.now()) / 1000);
    const next = seconds > 0 ? `Next try in ${seconds} s.` : "Trying …";
    this.#banner("lost", `Connection lost. What you see may be out of date. ${next}`, "Try now", this.#retry);
  }

  #lost() {
    this.#shown = true;
    this.#say("Connection lost. What you see may be out of date.");
    this.tick();
  }

  /** A refused socket looks like a lost one: ask the server whether it still knows us. */
  async #ask() {
    try {
      const { type, status } = await fetch(location.pathname, { method: "HEAD", redirect: "manual", cache: "no-store" });
      if (type === "opaqueredirect") this.#refused("You are signed out.", "Sign in again");
      if (status === 403) this.#refused("You may not view calls any more.", "See why");
    } catch {
      // no answer: it is the network
    }
  }

  /** @param {string} text @param {string} act */
  #refused(text, act) {
    this.#final = true;
    clearTimeout(this.#timer);
    this.#lamp("lost", "Not live");
    this.#banner("lost", `${text} What you see is out of date.`, act, () => location.reload());
    this.#say(text);
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
    button.hidden = !act;
    button.onclick = action ?? null;
    banner.hidden = false;
  }
}
