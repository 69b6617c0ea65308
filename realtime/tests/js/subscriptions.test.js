import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { CallsiteClient } from "../../static/realtime/callsite-client.js";
import { FakeWebSocket, passes, settled, useFakeBrowser } from "./browser.js";

useFakeBrowser();

const SID = "EL_42_1767225600";
const CONVERSATION = "conv_1";
const ids = { call_sid: SID, conversation_id: CONVERSATION };
const confirmed = (last, more = {}) => ({
  type: "subscription_confirmed", identifier: SID, ...ids, status: "in_progress", last_sequence_number: last, message: "", ...more,
});
const turn = (n, more = {}) => ({
  type: "transcription", ...ids, transcription_id: 900 + n, sequence_number: n, speaker_type: "agent", message_text: `t${n}`,
  timestamp: "2026-01-01T00:00:00Z", ...more,
});
const turns = (...numbers) => numbers.map((n) => turn(n));
const status = { type: "call_status", ...ids, status: "completed", call_end_time: "2026-01-01T00:01:00Z" };
const completed = { type: "call_completed", ...ids, call_data: { status: "completed" } };
const error = (code) => ({ type: "error", code, message: "no" });

let client;
let heard;

beforeEach(() => {
  client = new CallsiteClient({ url: "https://calls.example" });
  FakeWebSocket.last.opens();
  heard = [];
});

/** Handlers that write down what they hear: a turn as its number, all else as its name. */
function listener(options = {}, log = heard) {
  const named = (name) => (message) => log.push(name === "onCaughtUp" ? `missed ${message.missed}` : name);
  const handlers = { onTurn: (message) => log.push(message.sequence_number) };
  for (const name of ["onSubscribed", "onStatus", "onCompleted", "onCaughtUp", "onReset"]) handlers[name] = named(name);
  return { ...handlers, onError: ({ code, identifier }) => log.push(`${code} ${identifier}`), ...options };
}

async function reconnects(code = 1006) {
  FakeWebSocket.last.closes(code);
  await passes(1);
  return FakeWebSocket.last.opens();
}

test("the client subscribes, and passes every message on as it came", () => {
  const got = [];
  const note = (message) => got.push(message);
  client.subscribe(SID, { onSubscribed: note, onTurn: note, onStatus: note, onCompleted: note });
  const messages = [confirmed(0), turn(1), status, completed];
  FakeWebSocket.last.says(...messages);
  assert.deepEqual(FakeWebSocket.last.news, [{ subscribe: SID }]);
  assert.deepEqual(got, messages);
});

test("what was subscribed before the connection opened is sent when it opens", () => {
  client = new CallsiteClient({ url: "https://calls.example" });
  client.subscribe(SID, { after: 7 });
  assert.deepEqual(FakeWebSocket.last.news, []);
  FakeWebSocket.last.opens();
  assert.deepEqual(FakeWebSocket.last.news, [{ subscribe: SID, after: 7 }]);
});

test("a state listener may subscribe", () => {
  client = new CallsiteClient({ url: "https://calls.example", onState: () => client.subscribe(SID, listener()) });
  FakeWebSocket.last.opens();
  assert.deepEqual(FakeWebSocket.last.news, [{ subscribe: SID }]);
});

test("what comes before the confirmation is not told", () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(turn(1), confirmed(1), turn(2));
  assert.deepEqual(heard, ["onSubscribed", 2]);
});

test("after: 0 asks for everything from the start", () => {
  client.subscribe(SID, listener({ after: 0 }));
  assert.deepEqual(FakeWebSocket.last.news, [{ subscribe: SID, after: 0 }]);
  FakeWebSocket.last.says(confirmed(2), ...turns(1, 2, 3));
  assert.deepEqual(heard, ["onSubscribed", 1, 2, 3]);
});

test("either identifier hears the call", () => {
  client.subscribe(CONVERSATION, listener());
  FakeWebSocket.last.says(confirmed(0, { identifier: CONVERSATION }), turn(1), turn(1, { call_sid: "x", conversation_id: "y" }));
  assert.deepEqual(heard, ["onSubscribed", 1]);
});

test("several calls are asked for one after the other, and each hears its own", () => {
  const other = { call_sid: "EL_2", conversation_id: null };
  client.subscribe(SID, listener());
  client.subscribe("EL_2", listener({ onTurn: ({ call_sid }) => heard.push(call_sid) }));
  const socket = FakeWebSocket.last;
  assert.deepEqual(socket.news, [{ subscribe: SID }]);
  socket.says(confirmed(0));
  assert.deepEqual(socket.news, [{ subscribe: "EL_2" }]);
  socket.says(confirmed(4, { identifier: "EL_2", ...other }), turn(5, other), turn(1));
  assert.deepEqual(heard, ["onSubscribed", "onSubscribed", "EL_2", 1]);
});

// --- resuming

test("after a reconnection it goes on behind the last turn it saw, and tells how many it missed", async () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(confirmed(4), ...turns(5, 6));
  const socket = await reconnects();
  assert.deepEqual(socket.news, [{ subscribe: SID, after: 6 }]);
  socket.says(confirmed(9), ...turns(7, 8));
  assert.ok(!heard.includes("missed 3"));
  socket.says(...turns(9, 10));
  assert.deepEqual(heard, ["onSubscribed", 5, 6, 7, 8, 9, "missed 3", 10]);
});

test("every call is resumed", async () => {
  const calls = ["EL_1", "EL_2", "EL_3"].map((call_sid) => ({ call_sid, conversation_id: null, identifier: call_sid }));
  for (const { call_sid } of calls) client.subscribe(call_sid, { after: 0 });
  for (const [n, call] of calls.entries()) FakeWebSocket.last.says(confirmed(n, call));
  for (const [n, call] of calls.entries()) for (let i = 1; i <= n; i += 1) FakeWebSocket.last.says(turn(i, call));
  const socket = await reconnects();
  for (const [n, call] of calls.entries()) socket.says(confirmed(n, call));
  assert.deepEqual(socket.news, calls.map(({ call_sid }, n) => ({ subscribe: call_sid, after: n })));
});

test("nothing missed is told as well, and the first subscription has missed nothing", async () => {
  client.subscribe(SID, listener({ after: 0 }));
  FakeWebSocket.last.says(confirmed(1), turn(1));
  (await reconnects()).says(confirmed(1));
  assert.deepEqual(heard, ["onSubscribed", 1, "missed 0"]);
});

test("a connection lost again while catching up leaves no turn out", async () => {
  client.subscribe(SID, listener({ after: 0 }));
  FakeWebSocket.last.says(confirmed(1), turn(1));
  (await reconnects()).says(confirmed(4), turn(2));
  const socket = await reconnects();
  assert.deepEqual(socket.news, [{ subscribe: SID, after: 2 }]);
  socket.says(confirmed(4), ...turns(3, 4));
  assert.deepEqual(heard, ["onSubscribed", 1, 2, 3, 4, "missed 2"]);
});

test("a connection lost before the confirmation asks the same again", async () => {
  client.subscribe(SID, listener());
  const socket = await reconnects();
  assert.deepEqual(socket.news, [{ subscribe: SID }]);
});

test("what still waited to be asked is asked once by the next connection", async () => {
  client.subscribe(SID, listener({ after: 0 }));
  client.subscribe("EL_2", {});
  const socket = (await reconnects()).says(confirmed(2), confirmed(0, { call_sid: "EL_2" }), ...turns(1, 2));
  assert.deepEqual(socket.news, [{ subscribe: SID, after: 0 }, { subscribe: "EL_2" }]);
  assert.deepEqual(heard, ["onSubscribed", 1, 2]); // and nothing was missed
});

test("a call that ended meanwhile is caught up with, then ends", async () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(confirmed(0), turn(1));
  (await reconnects()).says(confirmed(2, { status: "completed" }), turn(2), status, completed);
  assert.deepEqual(heard, ["onSubscribed", 1, 2, "missed 1", "onStatus", "onCompleted"]);
});

test("a closed client that connects again resumes", () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(confirmed(3), turn(4));
  client.close();
  client.connect();
  assert.deepEqual(FakeWebSocket.last.opens().news, [{ subscribe: SID, after: 4 }]);
});

// --- repeats, gaps, resets

test("repeats are dropped", () => {
  client.subscribe(SID, listener({ after: 2 }));
  FakeWebSocket.last.says(confirmed(4), ...turns(1, 2, 3, 3, 4, 1, 4, 5));
  assert.deepEqual(heard, ["onSubscribed", 3, 4, 5]);
});

test("a gap is asked for, once, and nothing comes out of order", () => {
  client.subscribe(SID, listener());
  const socket = FakeWebSocket.last.says(confirmed(0), turn(1));
  socket.news;
  socket.says(...turns(4, 5, 3));
  assert.deepEqual(socket.news, [{ subscribe: SID, after: 1 }]);
  assert.deepEqual(heard, ["onSubscribed", 1]);
  socket.says(confirmed(5), ...turns(2, 3, 4, 5));
  assert.deepEqual(heard, ["onSubscribed", 1, 2, 3, 4, 5]);
  assert.deepEqual(socket.news, []);
});

test("a completion that overtakes missing turns waits for them", () => {
  client.subscribe(SID, listener());
  const socket = FakeWebSocket.last.says(confirmed(0), turn(1), turn(3), status, completed);
  assert.deepEqual(heard, ["onSubscribed", 1]);
  socket.says(confirmed(3, { status: "completed" }), ...turns(2, 3), status, completed);
  assert.deepEqual(heard, ["onSubscribed", 1, 2, 3, "onStatus", "onCompleted"]);
});

test("turns that are missing behind the answer too were deleted: the others go on, and nothing is asked again", () => {
  client.subscribe(SID, listener());
  const socket = FakeWebSocket.last.says(confirmed(0), turn(1), turn(3), turn(4));
  assert.deepEqual(heard, ["onSubscribed", 1]);
  socket.says(confirmed(4), ...turns(3, 4, 5), turn(7), confirmed(7), turn(7));
  assert.deepEqual(heard, ["onSubscribed", 1, 3, 4, 5, 7]);
  assert.deepEqual(socket.news, [{ subscribe: SID }, { subscribe: SID, after: 1 }, { subscribe: SID, after: 5 }]);
});

test("a heartbeat that is further asks for what is missing, one that is not does not", () => {
  client.subscribe(SID, listener());
  const socket = FakeWebSocket.last;
  socket.says({ type: "heartbeat", calls: { [SID]: 9 } }, confirmed(4), turn(5));
  socket.says({ type: "heartbeat", calls: { [SID]: 5, EL_9: 99 } }, { type: "heartbeat", calls: {} });
  assert.deepEqual(socket.news, [{ subscribe: SID }]);
  socket.says({ type: "heartbeat", calls: { [SID]: 6 } }, { type: "heartbeat", calls: { [SID]: 6 } });
  assert.deepEqual(socket.news, [{ subscribe: SID, after: 5 }]);
  socket.says(confirmed(6), turn(6));
  assert.deepEqual(heard, ["onSubscribed", 5, 6]);
  assert.deepEqual(socket.news, []);
});

test("a reset is told, then everything comes from 1", async () => {
  client.subscribe(SID, listener({ after: 50 }));
  const reset = { type: "reset", identifier: SID, ...ids, last_sequence_number: 2 };
  FakeWebSocket.last.says(confirmed(2), reset, ...turns(1, 2));
  assert.deepEqual(heard, ["onSubscribed", "onReset", 1, 2]);
  const socket = await reconnects();
  assert.deepEqual(socket.news, [{ subscribe: SID, after: 2 }]);
});

// --- the end of a subscription

test("a connection lost between the two messages of the end tells each once", async () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(confirmed(0), turn(1), status);
  (await reconnects()).says(confirmed(1, { status: "completed" }), status, completed);
  assert.deepEqual(heard, ["onSubscribed", 1, "onStatus", "missed 0", "onCompleted"]);
});

test("a completed call is not subscribed to again", async () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(confirmed(0), turn(1), status, completed, turn(2), status, completed);
  const socket = await reconnects();
  assert.deepEqual(socket.news, []);
  assert.deepEqual(heard, ["onSubscribed", 1, "onStatus", "onCompleted"]);
});

test("a call that had ended, without after, is told by onSubscribed and is over", async () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(confirmed(8, { status: "failed" }));
  const socket = await reconnects();
  assert.deepEqual(socket.news, []);
  assert.deepEqual(heard, ["onSubscribed"]);
});

test("unsubscribe tells the server, and nothing more is heard", async () => {
  client.subscribe(SID, listener());
  const socket = FakeWebSocket.last.says(confirmed(0), turn(1));
  client.unsubscribe(SID);
  client.unsubscribe(SID);
  client.unsubscribe("never subscribed");
  socket.says(turn(2), status, completed);
  assert.deepEqual(socket.news, [{ subscribe: SID }, { unsubscribe: SID }]);
  assert.deepEqual(heard, ["onSubscribed", 1]);
  assert.deepEqual((await reconnects()).news, []);
});

test("a handler may unsubscribe", () => {
  client.subscribe(SID, listener({ after: 0, onTurn: () => client.unsubscribe(SID) }));
  FakeWebSocket.last.says(confirmed(2), ...turns(1, 2), status, completed);
  assert.deepEqual(heard, ["onSubscribed"]);
});

test("unsubscribed before it was asked for: the server hears of neither", () => {
  client.subscribe("EL_1", {});
  client.subscribe(SID, listener());
  client.unsubscribe(SID);
  const socket = FakeWebSocket.last.says(confirmed(0, { identifier: "EL_1", call_sid: "EL_1" }));
  assert.deepEqual(socket.news, [{ subscribe: "EL_1" }]);
});

test("both identifiers of a call: one unsubscribed, the other still hears", () => {
  client.subscribe(SID, listener());
  client.subscribe(CONVERSATION, listener({ onTurn: ({ sequence_number }) => heard.push(`also ${sequence_number}`) }));
  client.unsubscribe(SID);
  const socket = FakeWebSocket.last.says(confirmed(0), confirmed(0, { identifier: CONVERSATION }), turn(1));
  client.subscribe(SID, {});
  socket.says(confirmed(1));
  client.unsubscribe(SID);
  assert.deepEqual(heard, ["onSubscribed", "also 1"]);
  assert.ok(!socket.news.some((message) => "unsubscribe" in message));
  client.unsubscribe(CONVERSATION);
  assert.deepEqual(socket.news, [{ unsubscribe: CONVERSATION }]);
});

test("unsubscribed and subscribed again: the new one hears", () => {
  client.subscribe(SID, listener({}, []));
  const socket = FakeWebSocket.last.says(confirmed(0));
  client.unsubscribe(SID);
  client.subscribe(SID, listener());
  socket.says({ type: "unsubscribe_confirmed", identifier: SID, message: "" }, confirmed(3), turn(4));
  assert.deepEqual(socket.news, [{ subscribe: SID }, { unsubscribe: SID }, { subscribe: SID }]);
  assert.deepEqual(heard, ["onSubscribed", 4]);
});

test("subscribing again replaces the first one, even before it was answered", () => {
  const first = [];
  client.subscribe(SID, listener({}, first));
  client.subscribe(SID, listener({ after: 1 }));
  const socket = FakeWebSocket.last.says(confirmed(3), confirmed(3), ...turns(2, 3));
  assert.deepEqual(socket.news, [{ subscribe: SID }, { subscribe: SID, after: 1 }]);
  assert.deepEqual(first, []);
  assert.deepEqual(heard, ["onSubscribed", 2, 3]);
});

test("the late refusal of the first one leaves the second", () => {
  client.subscribe(SID, listener({}, []));
  client.subscribe(SID, listener({ after: 0 }));
  FakeWebSocket.last.says(error("CALL_NOT_FOUND"), confirmed(1), turn(1));
  assert.deepEqual(heard, ["onSubscribed", 1]);
});

// --- errors

for (const code of ["CALL_NOT_FOUND", "INVALID_IDENTIFIER", "SUBSCRIPTION_LIMIT", "INVALID_MESSAGE_FORMAT"]) {
  test(`${code} ends the subscription it answers, and no other`, async () => {
    client.subscribe(SID, listener());
    client.subscribe("EL_404", listener());
    client.subscribe("EL_2", listener());
    const socket = FakeWebSocket.last.says(confirmed(0), error(code), confirmed(0, { identifier: "EL_2", call_sid: "EL_2" }));
    assert.deepEqual(heard, ["onSubscribed", `${code} EL_404`, "onSubscribed"]);
    socket.news;
    assert.deepEqual((await reconnects()).says(confirmed(0)).news.map(({ subscribe }) => subscribe), [SID, "EL_2"]);
  });
}

for (const name of [SID, CONVERSATION]) {
  test(`a call that is deleted ends its subscription and no other, also while something is asked (${name})`, () => {
    client.subscribe(SID, listener());
    client.subscribe("EL_2", listener());
    const socket = FakeWebSocket.last.says(confirmed(0));
    socket.says({ ...error("CALL_NOT_FOUND"), identifier: name }, confirmed(0, { identifier: "EL_2", call_sid: "EL_2", conversation_id: null }));
    assert.deepEqual(heard, ["onSubscribed", `CALL_NOT_FOUND ${SID}`, "onSubscribed"]);
    socket.says(turn(1));
    assert.deepEqual(heard.length, 3);
  });
}

for (const code of ["RATE_LIMITED", "SUBSCRIPTION_FAILED"]) {
  test(`${code} is tried again after a pause in which nothing is asked`, async () => {
    client.subscribe(SID, listener({ after: 3 }));
    client.subscribe("EL_2", listener());
    const socket = FakeWebSocket.last.says(error(code));
    assert.deepEqual(socket.news, [{ subscribe: SID, after: 3 }]);
    await passes(0.5);
    assert.deepEqual(socket.news, []);
    await passes(0.5);
    assert.deepEqual(socket.news, [{ subscribe: "EL_2" }]);
    socket.says(confirmed(0, { identifier: "EL_2", call_sid: "EL_2" }));
    assert.deepEqual(socket.news, [{ subscribe: SID, after: 3 }]);
    assert.deepEqual(heard, ["onSubscribed"]);
  });
}

test("a pause that ends on the next connection asks nothing twice", async () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(error("RATE_LIMITED")).closes(1006);
  await passes(0.5);
  const socket = FakeWebSocket.last.opens();
  await passes(2);
  socket.says(confirmed(0));
  assert.deepEqual(socket.news, [{ subscribe: SID }]);
});

test("AUTHENTICATION_FAILED is about the connection, not about a call", async () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(error("AUTHENTICATION_FAILED"));
  FakeWebSocket.last.closes(4401);
  await settled();
  assert.deepEqual(heard, []);
  assert.equal(client.state, "closed");
});

test("errors and messages that nobody asked for are ignored", () => {
  client.subscribe(SID, listener());
  FakeWebSocket.last.says(confirmed(0), error("RATE_LIMITED"), error("INVALID_MESSAGE_FORMAT"), { type: "news", ...ids }, turn(1));
  assert.deepEqual(heard, ["onSubscribed", 1]);
});

test("a handler that throws is reported and costs no turn", () => {
  const reported = mock.method(console, "error", () => {});
  client.subscribe(SID, listener({ onTurn: ({ sequence_number }) => { heard.push(sequence_number); throw new Error("mine"); } }));
  client.subscribe(CONVERSATION, listener({}, heard));
  FakeWebSocket.last.says(confirmed(0), confirmed(0, { identifier: CONVERSATION }), ...turns(1, 2), status, completed);
  assert.deepEqual(heard.filter(Number.isInteger), [1, 1, 2, 2]);
  assert.equal(reported.mock.callCount(), 2);
});

test("turns go on under the names that the call gets later", () => {
  client.subscribe(CONVERSATION, listener({ after: 0 }));
  FakeWebSocket.last.says(confirmed(0, { identifier: CONVERSATION, call_sid: CONVERSATION }), turn(1, { call_sid: CONVERSATION }));
  FakeWebSocket.last.says(confirmed(1, { identifier: CONVERSATION, call_sid: "CA_1" }), turn(2, { call_sid: "CA_1" }));
  FakeWebSocket.last.says({ type: "heartbeat", calls: { CA_1: 3 } });
  assert.deepEqual(heard, ["onSubscribed", 1, 2]);
  assert.deepEqual(FakeWebSocket.last.news.at(-1), { subscribe: CONVERSATION, after: 2 }, "the heartbeat names it anew");
});

test("a call that becomes one with another begins anew, under an old name too", () => {
  const other = [];
  client.subscribe("EL_old", listener({ after: 0 }));
  client.subscribe(CONVERSATION, listener({ after: 0 }, other));
  const old = { call_sid: "EL_old", conversation_id: null };
  FakeWebSocket.last.says(confirmed(0, { identifier: "EL_old", ...old }), confirmed(0, { identifier: CONVERSATION }));
  FakeWebSocket.last.says(turn(1, old), turn(1));
  const reset = { type: "reset", identifier: "EL_old", ...ids, last_sequence_number: 2 };
  FakeWebSocket.last.says(confirmed(2, { identifier: "EL_old" }), reset, ...turns(1, 2), status, completed);
  const all = ["onSubscribed", 1, "onReset", 1, 2, "onStatus", "onCompleted"];
  assert.deepEqual([heard, other], [all, all]);
  assert.equal(FakeWebSocket.last.news.length, 2, "nothing is asked again");
});

test("a confirmation that nobody asked for is no answer to another request", () => {
  client.subscribe(SID, listener({ after: 0 }));
  FakeWebSocket.last.says(confirmed(0));
  client.subscribe("EL_2", listener({ after: 0 }));
  client.subscribe("EL_3", listener({ after: 0 }));
  FakeWebSocket.last.says(confirmed(0, { call_sid: "CA_1" }));
  assert.deepEqual(FakeWebSocket.last.news.at(-1), { subscribe: "EL_2", after: 0 }, "still the one that waits");
  FakeWebSocket.last.says(turn(1, { call_sid: "CA_1", conversation_id: null }));
  assert.deepEqual(heard, ["onSubscribed", 1]);
});
