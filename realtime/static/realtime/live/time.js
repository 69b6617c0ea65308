/**
 * The formats of times on the page. All functions are pure: the caller passes `now`.
 *
 * @module
 */

/** A call in progress counts as silent after this time without a turn. */
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
 * @returns {string} `14:32`; with the date if it is another day
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
 * Returns the time of a turn. For a live turn that is its arrival, unless its own timestamp is close to it: the agent
 * sets timestamps, and they may be wrong.
 *
 * @param {string | null | undefined} timestamp of the turn
 * @param {number | null} arrived milliseconds; null for a turn that was spoken before the page opened
 */
export function heardAt(timestamp, arrived) {
  const said = moment(timestamp);
  if (arrived === null) return said;
  return Math.abs(said - arrived) < 10_000 ? said : arrived;
}
