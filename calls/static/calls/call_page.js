/**
 * A call's page: times in the reader's zone, the player, and the keys `j` and `k`.
 *
 * @module
 */

import { Player } from "./player.js";
import { localise, secondsOf } from "./times.js";

localise();

const turns = /** @type {HTMLElement} */ (document.getElementById("turns"));
const audio = /** @type {HTMLAudioElement | null} */ (document.getElementById("player"));
const player = new Player(audio, turns, secondsOf);

/** `#t48` opens second 48, whether a turn begins there or not; `#note-7` the turn that the note is on. */
function openMoment() {
  const noted = /^#note-\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1))?.closest(".noted");
  const at = noted ? secondsOf(noted.previousElementSibling) : NaN;
  if (!Number.isNaN(at)) player.open(at);
  const seconds = /^#t(\d{1,7})$/.exec(location.hash)?.[1];
  if (seconds !== undefined) player.open(Number(seconds));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (/** @type {HTMLElement} */ (event.target).closest("input, textarea, select, [contenteditable]")) return;
  const rel = { j: "next", k: "prev" }[event.key];
  const link = rel && /** @type {HTMLElement | null} */ (document.querySelector(`a[rel=${rel}]`));
  if (link) link.click();
});
addEventListener("hashchange", openMoment);
openMoment();
