import assert from "node:assert/strict";
import { test } from "node:test";
import * as calls from "../../static/realtime/live/calls.js";
import { caughtUp } from "../../static/realtime/live/network.js";
import { entries, shown } from "../../static/realtime/live/result.js";
import { pieces } from "../../static/realtime/live/words.js";
import { age, clock, heardAt, timeOfDay } from "../../static/realtime/live/time.js";

const call = (more = {}) => ({
  call_sid: "EL_1",
  conversation_id: null,
  driver_id: "42",
  agent_id: "agent_1",
  agent_name: "",
  direction: "outbound",
  from_number: "+15550100001",
  to_number: "+14155550132",
  status: "in_progress",
  call_start_time: "2026-01-01T10:00:00Z",
  call_end_time: null,
  duration_seconds: null,
  last_sequence_number: 0,
  last_turn: null,
  call_successful: null,
  transcript_summary: "",
  cost: null,
  failure_reason: "",
  created_at: "2026-01-01T09:59:58Z",
  ...more,
});

test("a clock counts minutes and hours, never below zero", () => {
  assert.deepEqual([-3, 0, 7.9, 751, 3729].map(clock), ["0:00", "0:00", "0:07", "12:31", "1:02:09"]);
});

test("an age says seconds while seconds matter", () => {
  assert.deepEqual([-1, 1.9, 4.2, 68, 599, 600, 7200, 432_000].map(age), ["now", "now", "4 s", "1 min 8 s", "9 min 59 s", "10 min", "2 h", "5 d"]);
});

test("a time of another day has its date", () => {
  const at = new Date(2026, 0, 5, 14, 3, 9).getTime();
  assert.equal(timeOfDay(at, at + 1000), "14:03");
  assert.equal(timeOfDay(at, at, { seconds: true }), "14:03:09");
  assert.match(timeOfDay(at, at + 86_400_000), /5.*14:03|.*5, 14:03/);
  assert.equal(timeOfDay(NaN, at), "");
});

test("a live turn was heard when it came, unless its own time says nearly the same", () => {
  const said = Date.parse("2026-01-01T10:00:00Z");
  assert.equal(heardAt("2026-01-01T10:00:00Z", said + 900), said);
  assert.equal(heardAt("2026-01-01T10:00:00Z", said + 90_000), said + 90_000);
  assert.equal(heardAt("2026-01-01T10:00:00Z", null), said);
  assert.ok(Number.isNaN(heardAt(undefined, null)));
});

test("a call is called by its driver, else by the other side's number, else by its call_sid", () => {
  assert.equal(calls.title(call()), "Driver 42");
  assert.equal(calls.title(call({ driver_id: "DRV_1" })), "DRV_1");
  assert.equal(calls.title(call({ driver_id: "" })), "+1 415 555 0132");
  assert.equal(calls.title(call({ driver_id: "", direction: "inbound", from_number: "+4930123" })), "+4930123");
  assert.equal(calls.title(call({ driver_id: "", from_number: "", to_number: "" })), "EL_1");
});

test("an outcome distinguishes what is known from what is not", () => {
  const texts = [[true, "completed"], [false, "completed"], [null, "completed"], [null, "failed"]].map(
    ([call_successful, status]) => calls.outcome({ call_successful, status }).text,
  );
  assert.deepEqual(texts, ["Successful", "Not successful", "Completed", "Failed"]);
});

test("a failure is told in words", () => {
  const reasons = ["no-answer", "busy", "", "Rejected by the carrier: code 21.1"];
  const texts = reasons.map((failure_reason) => calls.failure(call({ failure_reason })));
  assert.deepEqual(texts, ["No answer", "Busy", "", "Rejected by the carrier: code 21.1"]);
});

test("the newest are first: by their start while they run, by their end afterwards", () => {
  const early = call({ call_sid: "early" });
  const late = call({ call_sid: "late", call_start_time: null, created_at: "2026-01-01T10:30:00Z" });
  assert.deepEqual([early, late].sort(calls.newestFirst).map((one) => one.call_sid), ["late", "early"]);
  const ended = { status: "completed", call_end_time: "2026-01-01T11:00:00Z" };
  const first = call({ ...ended, call_sid: "first" });
  const last = call({ ...ended, call_sid: "last", call_end_time: "2026-01-01T11:00:01Z" });
  const never = call({ status: "failed", call_sid: "never" });
  assert.deepEqual([never, first, last].sort(calls.newestFirst).map((one) => one.call_sid), ["last", "first", "never"]);
});

test("the filter wants every word, anywhere in the call", () => {
  const text = calls.searchText(call({ agent_name: "Gate", last_turn: { message_text: "The barrier is closed" } }));
  assert.ok(calls.matches(text, "BARRIER gate"));
  assert.ok(calls.matches(text, "+1415555 driver 42"));
  assert.ok(calls.matches(text, ""));
  assert.ok(!calls.matches(text, "barrier open"));
});

test("a list that has not all calls says how many there are", () => {
  assert.deepEqual(calls.countOf(12, 50, 12, 10_000), { listed: "12", all: "" });
  assert.deepEqual(calls.countOf(49, 50, 60, 10_000), { listed: "49", all: "" }); // the total is older than the list
  assert.deepEqual(calls.countOf(50, 50, 50, 10_000), { listed: "50", all: "" });
  assert.deepEqual(calls.countOf(50, 50, 383, 10_000), { listed: "latest 50", all: "383" });
  assert.deepEqual(calls.countOf(1000, 1000, 10_000, 10_000), { listed: "latest 1,000", all: "10,000+" });
});

test("what was said last in a call is told as far as it is known", () => {
  assert.equal(calls.lastWords(call()), "Nothing said yet");
  assert.equal(calls.lastWords(call({ last_turn: { message_text: "Hello" }, last_sequence_number: 3 })), "Hello");
  assert.equal(calls.lastWords(calls.fromApi(call({ last_sequence_number: 3, call_duration_seconds: 7 }))), "3 turns");
});

test("each direction control is a piece of its own, and all other text stays as it is", () => {
  for (const text of ["", "plain", "שלום 3", "a\u200db", "two\nlines"]) assert.deepEqual(pieces(text), [text]);
  assert.deepEqual(pieces("a\u202eb\u2066"), ["a", { code: "U+202E", name: "Right-to-left override" }, "b", { code: "U+2066", name: "Left-to-right isolate" }]);
  const controls = ["\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"];
  const every = /\p{Bidi_Control}/gu;
  assert.equal(controls.join("").match(every).length, 12);
  assert.equal([...Array(0x110000).keys()].filter((code) => code < 0xd800 || code > 0xdfff).map((code) => String.fromCodePoint(code)).join("").match(every).length, 12);
  for (const control of controls) assert.match(pieces(`x${control}`)[1].code, /^U\+(061C|20[0-9A-F]{2})$/);
});

test("what was missed is counted between two lists", () => {
  const before = [call({ call_sid: "a", last_sequence_number: 3 }), call({ call_sid: "b", last_sequence_number: 1 })];
  const after = [
    call({ call_sid: "a", last_sequence_number: 5, status: "completed" }),
    call({ call_sid: "b", last_sequence_number: 2 }),
    call({ call_sid: "c", last_sequence_number: 9 }),
  ];
  assert.deepEqual(calls.missed(before, after), { turns: 3, begun: 1, ended: 1 });
});

test("the page tells in words what was caught up", () => {
  assert.equal(caughtUp({ turns: 3, begun: 1, ended: 2 }), "Connected again. Caught up: 3 missed turns, 1 new call, 2 calls ended.");
  assert.equal(caughtUp({ turns: 0, begun: 0, ended: 0 }), "Connected again. Nothing was missed.");
});

test("an analysis that is not what the documentation says shows nothing, and breaks nothing", () => {
  for (const odd of [null, undefined, 7, "text", [{ result: "success" }], { a: 1, b: null }]) assert.deepEqual(entries(odd), []);
  assert.deepEqual(entries({ slot: { result: "success" } }), [["slot", { result: "success" }]]);
  assert.equal(calls.named("goods_received"), "Goods received");
  assert.deepEqual([null, "", true, 12, { a: 1 }].map(shown), ["–", "–", "Yes", "12", '{"a":1}']);
});
