/**
 * Times as the page shows them. Everything here is pure, `now` is always given.
 *
 * @module
 */

/** After this long without a turn a call in progress has gone silent. */
export const SILENT_SECONDS = 30;

/** @param {number} seconds @returns {string} `0:07`, `12:31`, `1:02:09` */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** @param {number} seconds @returns {string} `now`, `4 s`, `1 min 8 s`, `12 min`, `2 h`, `5 d` */
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 2) return "now";
  if (whole < 60) return `${whole} s`;
  if (whole < 600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

/** @param {string | null | undefined} text ISO 8601 @returns {number} milliseconds; NaN for none */
export function moment(text) {
  return text ? Date.parse(text) : NaN;
}

/**
 * @param {number} at milliseconds
 * @param {number} now milliseconds
 * @param {{ seconds?: boolean }} [options]
 * @returns {string} `14:32`, and with its date where that is another day
 */
export function timeOfDay(at, now, { seconds = false } = {}) {
  if (Number.isNaN(at)) return "";
  const date = new Date(at);
  const today = date.toDateString() === new Date(now).toDateString();
  const time = [date.getHours(), date.getMinutes(), ...(seconds ? [date.getSeconds()] : [])];
  const text = time.map((part) => String(part).padStart(2, "0")).join(":");
  return today ? text : `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${text}`;
}

/**
 * When a call was last heard. A turn that came live was heard when it came, unless its own time says nearly the same:
 * times are the agent's, and may be anything.
 *
 * @param {string | null | undefined} timestamp the turn's
 * @param {number | null} arrived milliseconds; null for a turn that was there before the page
 */
export function heardAt(timestamp, arrived) {
  const said = moment(timestamp);
  if (arrived === null) return said;
  return Math.abs(said - arrived) < 10_000 ? said : arrived;
}
