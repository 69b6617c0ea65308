/**
 * The page's view of a call: its names, order and outcome, and the changes between two lists. All functions are pure.
 *
 * @typedef {import("../callsite-client.js").Call} Call
 * @module
 */

import { moment } from "./time.js";

/** @param {Call} call @returns {string} the number of the other party, not of the agent */
export function number(call) {
  const raw = (call.direction === "inbound" ? call.from_number : call.to_number) || call.from_number || call.to_number;
  return raw.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
}

/** @param {Call} call */
export function driver(call) {
  return /^\d+$/.test(call.driver_id) ? `Driver ${call.driver_id}` : call.driver_id;
}

/** @param {Call} call @returns {string} the name of the call for a dispatcher */
export function title(call) {
  return driver(call) || number(call) || call.call_sid;
}

/** @param {Call} call */
export function agent(call) {
  return call.agent_name || call.agent_id;
}

/** @param {Call} call */
export function startedAt(call) {
  const started = moment(call.call_start_time);
  return Number.isNaN(started) ? moment(call.created_at) : started;
}

/** @param {Call} call @returns {number | null} */
export function durationSeconds(call) {
  if (call.duration_seconds !== null) return call.duration_seconds;
  const seconds = (moment(call.call_end_time) - moment(call.call_start_time)) / 1000;
  return call.status === "completed" && seconds >= 0 ? seconds : null;
}

/**
 * @param {{ status: string, call_successful: boolean | null }} call that has ended
 * @returns {{ name: "good" | "bad" | "failed" | "ended", text: string }}
 */
export function outcome({ status, call_successful }) {
  if (status === "failed") return { name: "failed", text: "Failed" };
  if (call_successful === true) return { name: "good", text: "Successful" };
  if (call_successful === false) return { name: "bad", text: "Not successful" };
  return { name: "ended", text: "Completed" };
}

/** @param {string} id from ElevenLabs @returns {string} a readable text: `goods_received` → `Goods received` */
export function named(id) {
  const words = id.replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** @param {Call} call @returns {string} the reason why the call failed: ElevenLabs' code (`no-answer`) or sentence */
export function failure(call) {
  return /^[\w-]+$/.test(call.failure_reason) ? named(call.failure_reason) : call.failure_reason;
}

/** Compares two calls: the newest first; an ended call counts by its end. @param {Call} a @param {Call} b */
export function newestFirst(a, b) {
  const [left, right] = [a, b].map((call) => (call.status === "in_progress" ? startedAt(call) : moment(call.call_end_time)));
  return (right || 0) - (left || 0) || (a.call_sid < b.call_sid ? 1 : -1);
}

/** @param {Call} call @returns {string} the text that the filter searches */
export function searchText(call) {
  const texts = [title(call), number(call), agent(call), call.from_number, call.to_number, call.call_sid, call.conversation_id];
  texts.push(call.last_turn?.message_text ?? "", call.transcript_summary, call.failure_reason);
  if (call.status !== "in_progress") texts.push(outcome(call).text);
  return texts.join("\n").toLowerCase();
}

/** Tells whether every word of the query occurs in the text. @param {string} text @param {string} query */
export function matches(text, query) {
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * @param {Iterable<Call>} before
 * @param {Iterable<Call>} after
 * @returns {{ turns: number, begun: number, ended: number }} the numbers of changes between the two lists
 */
export function missed(before, after) {
  const known = new Map([...before].map((call) => [call.call_sid, call]));
  const found = { turns: 0, begun: 0, ended: 0 };
  for (const call of after) {
    const old = known.get(call.call_sid);
    if (!old && call.status === "in_progress") found.begun += 1;
    if (old?.status === "in_progress" && call.status !== "in_progress") found.ended += 1;
    if (old) found.turns += Math.max(0, call.last_sequence_number - old.last_sequence_number);
  }
  return found;
}

/**
 * @param {number} listed the number of calls in the list
 * @param {number} limit the number of calls that the list may have
 * @param {number} total the number of calls in callsite
 * @param {number} countedUpTo a total that equals this number means that many or more
 * @returns {{ listed: string, all: string }} `12` and nothing, `latest 50` and `383`, `latest 50` and `10,000+`
 */
export function countOf(listed, limit, total, countedUpTo) {
  const shown = listed.toLocaleString("en");
  if (listed < limit || total <= listed) return { listed: shown, all: "" };
  return { listed: `latest ${shown}`, all: total.toLocaleString("en") + (total >= countedUpTo ? "+" : "") };
}

/** @param {any} call in the form of the REST API @returns {Call} in the form of the list */
export function fromApi(call) {
  return { ...call, duration_seconds: call.call_duration_seconds, last_turn: null };
}

/** @param {Call} call in progress @returns {string} the last turn's text, or the number of turns if the text is not known */
export function lastWords({ last_turn, last_sequence_number }) {
  if (last_turn) return last_turn.message_text;
  return last_sequence_number ? counted(last_sequence_number, "turn") : "Nothing said yet";
}

/** @param {number} count @param {string} one @param {string} [many] */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
