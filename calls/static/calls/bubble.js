/**
 * A turn as a bubble, cloned from the page's <template id="bubble">, which the server fills on other pages.
 *
 * @module
 */

/**
 * @param {{ speaker: "agent" | "driver", time: string, timestamp: string, goesOn: boolean }} turn
 * @returns {{ turn: HTMLElement, text: Element }} its element, and the place for its words
 */
export function bubble({ speaker, time, timestamp, goesOn }) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById("bubble"));
  const made = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  const [by, at] = [made.querySelector("b"), made.querySelector("time")];
  if (by) by.textContent = speaker === "agent" ? "Agent" : "Driver";
  if (at) [at.dateTime, at.textContent] = [timestamp, time];
  if (speaker === "driver") made.classList.add(speaker);
  if (goesOn) made.classList.add("goes-on");
  return { turn: made, text: /** @type {Element} */ (made.querySelector("p[dir]")) };
}
