import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CallsFeed } from "../../static/realtime/callsite-client.js";
import { FakeWebSocket, passes, settled, useFakeBrowser } from "./browser.js";

useFakeBrowser();

const snapshot = (number, ...sids) => ({ type: "snapshot", number, calls: sids.map((call_sid) => ({ call_sid })) });
const changed = (number, call_sid) => ({ type: "call_changed", number, call: { call_sid } });
const heartbeat = (number) => ({ type: "heartbeat", number });

let heard;
let feed;

beforeEach(() => {
  heard = [];
  feed = new CallsFeed({
    url: "https://calls.example",
    token: "t",
    onSnapshot: (calls) => heard.push(calls.map(({ call_sid }) => call_sid)),
    onChange: ({ call_sid }) => heard.push(call_sid),
    onState: ({ state }) => heard.push(state),
  });
  FakeWebSocket.last.opens();
});

test("the client listens to the feed, with the same authentication, and asks for nothing", () => {
  assert.equal(FakeWebSocket.last.url, "wss://calls.example/ws/calls");
  assert.deepEqual(FakeWebSocket.last.protocols, ["callsite.v1", "bearer.t"]);
  assert.deepEqual(FakeWebSocket.last.news, []);
});

test("the client tells the snapshot, then each change", () => {
  FakeWebSocket.last.says(snapshot(1, "a", "b"), changed(2, "c"), heartbeat(2), changed(3, "a"), { type: "pong", ping: 1 });
  assert.deepEqual(heard, ["open", ["a", "b"], "c", "a"]);
  assert.deepEqual(FakeWebSocket.last.news, []);
});

test("the client tells nothing before the snapshot", async () => {
  FakeWebSocket.last.says(changed(1, "a"), snapshot(1, "a")).closes(1006);
  await passes(0.5);
  FakeWebSocket.last.opens().says(changed(2, "b"), heartbeat(9));
  assert.deepEqual(heard, ["open", ["a"], "waiting", "connecting", "open"]);
  assert.deepEqual(FakeWebSocket.last.news, []);
});

test("a gap asks for a new snapshot, once, and nothing is told until it is there", () => {
  const socket = FakeWebSocket.last.says(snapshot(1, "a"), changed(3, "c"), changed(4, "d"), heartbeat(4));
  assert.deepEqual(socket.news, [{ snapshot: true }]);
  socket.says(snapshot(5, "a", "b", "c", "d"), changed(6, "a"));
  assert.deepEqual(heard, ["open", ["a"], ["a", "b", "c", "d"], "a"]);
  assert.deepEqual(socket.news, []);
});

test("a heartbeat that is further is a gap", () => {
  const socket = FakeWebSocket.last.says(snapshot(1), changed(2, "a"), heartbeat(3));
  assert.deepEqual(socket.news, [{ snapshot: true }]);
});

test("the client reconnects, and the new connection counts from 1", async () => {
  FakeWebSocket.last.says(snapshot(1, "a"), changed(2, "b"), changed(3, "c")).closes(1012);
  await passes(0.5);
  const socket = FakeWebSocket.last.opens().says(snapshot(1, "d"), changed(2, "e"));
  assert.deepEqual(heard, ["open", ["a"], "b", "c", "waiting", "connecting", "open", ["d"], "e"]);
  assert.deepEqual(socket.news, []);
});

test("the client tells how many calls there are, where the server says it", () => {
  const totals = (ended) => ({ in_progress: 1, ended, counted_up_to: 10_000 });
  const told = [];
  const counting = new CallsFeed({ url: "https://calls.example", token: "t", onSnapshot() {}, onChange() {}, onTotals: (all) => told.push(all.ended) });
  const socket = FakeWebSocket.last.opens().says({ ...snapshot(1), totals: totals(383) }, changed(2, "a"), { ...heartbeat(2), totals: totals(384) });
  assert.deepEqual(told, [383, 384]);
  socket.says(snapshot(3));
  assert.deepEqual(told, [383, 384]);
  counting.close();
});

test("its token is renewed like the other's", async () => {
  const tokens = ["old", "new"];
  feed = new CallsFeed({ url: "https://calls.example", getToken: () => tokens.shift(), onSnapshot() {}, onChange() {} });
  await settled();
  FakeWebSocket.last.opens().closes(4401);
  await settled();
  assert.equal(FakeWebSocket.last.token, "new");
});
