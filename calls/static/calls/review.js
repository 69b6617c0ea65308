/**
 * A note on a turn: the one form of the page moves below the turn. Without this script its time is typed.
 *
 * @module
 */

const turns = /** @type {HTMLElement} */ (document.getElementById("turns"));
const form = /** @type {HTMLFormElement} */ (document.getElementById("note-form"));
const home = /** @type {HTMLElement} */ (document.getElementById("note-home"));
const text = /** @type {HTMLTextAreaElement} */ (form.querySelector("textarea"));
const key = /** @type {HTMLInputElement} */ (form.querySelector("[name=turn]"));
const cancel = /** @type {HTMLButtonElement} */ (form.querySelector("[type=button]"));
const keys = turns.dataset.keys?.split(" ") ?? [];

const place = document.createElement("li");
place.className = "noted";
const button = document.createElement("button"); // one for all turns: it goes to the one that is pointed at
button.type = "button";
button.className = "note-here";
button.textContent = "Note";
button.setAttribute("aria-label", "Write a note on this turn");

/** @param {Event} event */
function offer(event) {
  const turn = /** @type {Element} */ (event.target).closest(".turn");
  if (turn && button.parentElement !== turn && document.activeElement !== button) turn.append(button);
}

function goToTurn() {
  const turn = button.parentElement;
  if (!turn) return;
  key.value = keys[[...turns.querySelectorAll(".turn")].indexOf(turn)] ?? "";
  place.replaceChildren(form);
  const written = turn.nextElementSibling;
  (written?.matches(".noted") && written !== place ? written : turn).after(place);
  form.classList.add("at-turn");
  cancel.hidden = false;
  text.placeholder = "A note on this turn";
  text.focus();
}

function goHome() {
  key.value = "";
  home.append(form);
  place.remove();
  form.classList.remove("at-turn");
  cancel.hidden = true;
  text.placeholder = "A note on this call";
}

turns.addEventListener("pointerover", offer);
turns.addEventListener("focusin", offer);
button.addEventListener("click", goToTurn);
cancel.addEventListener("click", goHome);
form.addEventListener("keydown", (event) => event.key === "Escape" && form.classList.contains("at-turn") && goHome());
