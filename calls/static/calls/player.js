/**
 * A recording that is tied to its turns: a click on a turn plays from there, and the turn that is heard is lit.
 *
 * @module
 */

const EARLY_SECONDS = 0.25; // an MP3 may seek to just before the wanted moment

export class Player {
  #audio;
  #list;
  #secondsOf;
  /** @type {Element | null} */
  #lit = null;

  /**
   * @param {HTMLAudioElement | null} audio null: there is none, and a moment is only shown
   * @param {Element} list of elements of the class `turn`
   * @param {(turn: Element) => number} secondsOf when a turn was said, in seconds of the recording; NaN: nobody knows
   */
  constructor(audio, list, secondsOf) {
    this.#audio = audio;
    this.#list = list;
    this.#secondsOf = secondsOf;
    if (!audio) return;
    list.classList.add("seeks");
    list.addEventListener("click", (event) => this.#clicked(event));
    audio.addEventListener("timeupdate", () => !(audio.paused && audio.currentTime === 0) && this.#follow(audio.currentTime));
    audio.addEventListener("error", () => this.#failed(audio));
  }

  /** The moment, and the turn that is said then, in sight. @param {number} seconds */
  open(seconds) {
    if (this.#audio) this.#audio.currentTime = seconds;
    const turn = this.#at(seconds);
    this.#light(turn);
    turn?.scrollIntoView({ block: "center" });
  }

  /** @param {Event} event */
  #clicked(event) {
    const target = /** @type {Element} */ (event.target);
    const turn = target.closest(".turn");
    if (!turn || target.closest("a, button, details") || !document.getSelection()?.isCollapsed) return;
    const seconds = this.#secondsOf(turn);
    if (Number.isNaN(seconds) || !this.#audio) return;
    this.#audio.currentTime = Math.max(0, seconds);
    this.#light(turn);
    this.#audio.play().catch(() => {}); // the error event says it
  }

  /** @param {number} seconds */
  #follow(seconds) {
    const turn = this.#at(seconds + EARLY_SECONDS);
    if (!turn || turn === this.#lit) return;
    if (this.#lit && this.#secondsOf(turn) === this.#secondsOf(this.#lit)) return; // several in one second
    const followed = this.#lit && isInSight(this.#lit);
    this.#light(turn);
    if (followed && !isInSight(turn)) turn.scrollIntoView({ block: "center" });
  }

  /** The first of the turns that were said last. @param {number} seconds @returns {Element | null} */
  #at(seconds) {
    let [found, latest] = [/** @type {Element | null} */ (null), -Infinity];
    for (const turn of this.#list.querySelectorAll(".turn")) {
      const at = this.#secondsOf(turn);
      if (at <= seconds && at > latest) [found, latest] = [turn, at];
    }
    return found;
  }

  /** @param {Element | null} turn */
  #light(turn) {
    this.#lit?.removeAttribute("aria-current");
    turn?.setAttribute("aria-current", "true");
    this.#lit = turn;
  }

  /** @param {HTMLAudioElement} audio */
  #failed(audio) {
    if (audio.nextElementSibling?.role === "alert") return;
    const told = document.createElement("p");
    told.role = "alert";
    told.textContent = "The recording cannot be played.";
    audio.after(told);
  }
}

/** @param {Element} element */
function isInSight(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
