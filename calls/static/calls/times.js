/**
 * Times of a page in the reader's zone. Without this script they are in the zone of CALLS_TIME_ZONE.
 *
 * @module
 */

/** @param {Date} date @returns {string} `14:32:09` */
export function timeOfDay(date) {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** @param {Date} date @returns {string} `5 Jan 2026, 14:32:09`, as the server writes it */
function inFull(date) {
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" }).replace("Sept", "Sep");
  return `${day}, ${timeOfDay(date)}`;
}

/** Every `<time>` that says its moment, and those of turns, which follow from the call's own clock. */
export function localise() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const date = new Date(/** @type {HTMLTimeElement} */ (time).dateTime);
    if (!Number.isNaN(date.getTime())) time.textContent = time.closest(".turn") ? timeOfDay(date) : inFull(date);
  }
  const turns = document.getElementById("turns");
  const start = Number(turns?.dataset.start ?? NaN);
  for (const time of Number.isNaN(start) ? [] : document.querySelectorAll("#turns .turn > p > a + time:not([datetime])")) {
    time.textContent = timeOfDay(new Date(start + 1000 * secondsOf(time.closest(".turn"))));
  }
  const zone = document.getElementById("zone");
  if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** @param {Element | null} turn @returns {number} when it was said, in seconds of the call; NaN for nobody knows */
export function secondsOf(turn) {
  const address = turn?.querySelector("p > a")?.getAttribute("href");
  return address ? Number(address.slice(2)) : NaN;
}
