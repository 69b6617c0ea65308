/**
 * The result of a call: outcome, summary, figures, evaluation. ElevenLabs' analysis may hold anything, so every value
 * in it is checked.
 *
 * @typedef {import("../callsite-client.js").Call} Call
 * @typedef {import("../callsite-client.js").CallData} CallData
 * @module
 */

import { counted, failure, named, outcome } from "./calls.js";
import { element, spoken } from "./dom.js";
import { clock, moment, timeOfDay } from "./time.js";

const RESULTS = { success: ["good", "Met"], failure: ["bad", "Not met"] };

/**
 * @param {any} value perhaps an object of objects, by id
 * @returns {[string, Record<string, any>][]} the ids and objects; none if the value has another type
 */
export function entries(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).filter(([, entry]) => typeof entry === "object" && entry !== null);
}

/** @param {any} value @returns {string} */
export function shown(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/**
 * @param {CallData} data
 * @param {Call | undefined} call
 * @param {{ now: number, recordUrl: string | null, player?: Element }} page `recordUrl`: the call's record in the admin, for staff
 */
export function resultOf(data, call, { now, recordUrl, player }) {
  const { name, text } = outcome(data);
  const badge = element("span", "badge", text);
  badge.dataset.state = name;
  const made = element("section", "result", element("h3", "", "Result ", badge));
  made.ariaLabel = "Result of the call";
  const reason = call && failure(call);
  if (reason) made.append(spoken("p", "problem", reason));
  if (data.transcript_summary) made.append(spoken("p", "summary", data.transcript_summary));
  if (player) made.append(player);
  made.append(figures(data, now));
  const criteria = entries(data.analysis_data?.evaluation_criteria_results);
  if (criteria.length) made.append(element("h4", "", "Evaluation"), element("ul", "criteria", ...criteria.map(criterion)));
  const collected = entries(data.analysis_data?.data_collection_results);
  if (collected.length) made.append(element("h4", "", "Collected"), list(collected.map(([id, entry]) => [named(id), shown(entry.value)])));
  if (recordUrl) {
    const link = element("a", "", "Open the record in the admin");
    link.href = recordUrl;
    made.append(element("p", "record", link));
  }
  return made;
}

/** @param {CallData} data @param {number} now */
function figures(data, now) {
  /** @type {[string, string][]} */
  const rows = [];
  if (data.duration_seconds !== null) rows.push(["Duration", clock(data.duration_seconds)]);
  if (data.cost !== null) rows.push(["Cost", counted(data.cost, "credit")]);
  if (data.call_start_time) rows.push(["Began", timeOfDay(moment(data.call_start_time), now)]);
  if (data.call_end_time) rows.push(["Ended", timeOfDay(moment(data.call_end_time), now)]);
  const reason = data.metadata?.termination_reason;
  if (typeof reason === "string" && reason) rows.push(["How it ended", reason]);
  return list(rows);
}

/** @param {[string, string][]} rows */
function list(rows) {
  return element("dl", "figures", ...rows.map(([term, text]) => element("div", "", spoken("dt", "", term), spoken("dd", "", text))));
}

/** @param {[string, Record<string, any>]} entry */
function criterion([id, { result, rationale }]) {
  const [state, text] = RESULTS[/** @type {keyof typeof RESULTS} */ (result)] ?? ["ended", "Unknown"];
  const badge = element("span", "badge", text ?? "");
  badge.dataset.state = state;
  const made = element("li", "", element("p", "criterion", spoken("b", "", named(id)), badge));
  if (typeof rationale === "string" && rationale) made.append(spoken("p", "rationale", rationale));
  return made;
}
