import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { CallsiteClient } from "../../static/realtime/callsite-client.js";
import { FakeWebSocket, answers, jwt, passes, passesQuietly, settled, sleeps, statesOf, useFakeBrowser } from "./browser.js";

useFakeBrowser();

const url = "https://calls.example";
const connected = (options = {}) => {
  const client = new CallsiteClient({ url, ...options });
  FakeWebSocket.last?.opens();
  return client;
};
const sockets = () => FakeWebSocket.all.length;

// --- where to, as whom

for (const [given, expected] of [
  ["https://calls.example", "wss://calls.example/ws/calls/transcriptions"],
  ["http://calls.example:8000/", "ws://calls.example:8000/ws/calls/transcriptions"],
  ["wss://calls.example/ws/calls/transcriptions/", "wss://calls.example/ws/calls/transcriptions"],
  ["ws://calls.example/ws/calls", "ws://calls.example/ws/calls/transcriptions"],
  ["https://example.org/callsite", "wss://example.org/callsite/ws/calls/transcriptions"],
]) {
  test(`it connects to ${expected} when told ${given}`, () => {
    new CallsiteClient({ url: given });
    assert.equal(FakeWebSocket.last.url, expected);
  });
}

test("the client connects to the page's own server when told nothing, with the session cookie", () => {
  globalThis.location = { href: "https://calls.example/live/?x=1#top" };
  new CallsiteClient();
  delete globalThis.location;
  assert.equal(FakeWebSocket.last.url, "wss://calls.example/ws/calls/transcriptions");
  assert.deepEqual(FakeWebSocket.last.protocols, ["callsite.v1"]);
});

test("a token goes as a sub-protocol, never into the address", () => {
  new CallsiteClient({ url, token: "a.b.c" });
  assert.deepEqual(FakeWebSocket.last.protocols, ["callsite.v1", "bearer.a.b.c"]);
  assert.ok(!FakeWebSocket.last.url.includes("a.b.c"));
});

test("getToken is asked for every connection", async () => {
  let n = 0;
  new CallsiteClient({ url, getToken: async () => `token${++n}` });
  await settled();
  assert.equal(FakeWebSocket.last.token, "token1");
  FakeWebSocket.last.closes(1006); // before it opened: perhaps the token was refused
  await passes(1);
  assert.equal(FakeWebSocket.last.token, "token2");
});

test("a getToken that fails, at once or later, is asked again", async () => {
  const answers = [() => Promise.reject(new Error("offline")), () => { throw new Error("broken"); }, () => "fine"];
  const client = new CallsiteClient({ url, getToken: () => answers.shift()() });
  const states = statesOf(client);
  await passes(2);
  assert.equal(FakeWebSocket.last.token, "fine");
  assert.deepEqual(states.map(({ state, reason }) => reason ?? state), [
    "Error: offline", "connecting", "Error: broken", "connecting",
  ]);
});

test("a getToken that gives null stops the client", async () => {
  const client = new CallsiteClient({ url, getToken: async () => null });
  await passes(60);
  assert.equal(client.state, "closed");
  assert.equal(sockets(), 0);
});

test("an address or a token that no socket takes stops the client and tells why", async () => {
  globalThis.WebSocket = class { constructor() { throw new SyntaxError("bad protocol"); } };
  const states = [];
  new CallsiteClient({ url, getToken: async () => "a b", onState: (change) => states.push(change) });
  await settled();
  assert.equal(states.at(-1).state, "closed");
  assert.match(states.at(-1).reason, /bad protocol/);
});

// --- reconnecting

test("state events tell what the connection does", async () => {
  const heard = [];
  const client = new CallsiteClient({ url, onState: ({ state }) => heard.push(state) });
  const states = statesOf(client);
  assert.equal(client.state, "connecting");
  FakeWebSocket.last.opens().closes(1012, "restart");
  await passes(0.5);
  client.close();
  assert.deepEqual(heard, ["open", "waiting", "connecting", "closed"]);
  assert.deepEqual(states.map(({ state }) => state), heard);
  assert.deepEqual(states[1], { state: "waiting", code: 1012, reason: "restart", retryInMs: 500 });
});

test("the client waits up to 0.5 s, 1 s, 2 s ... 30 s between attempts", async () => {
  const states = statesOf(new CallsiteClient({ url }));
  for (let n = 0; n < 9; n += 1) {
    FakeWebSocket.last.closes(1006);
    const before = sockets();
    const { retryInMs } = states.at(-1);
    await passes((retryInMs - 1) / 1000);
    assert.equal(sockets(), before);
    mock.timers.tick(1);
    assert.equal(sockets(), before + 1);
  }
  const delays = states.filter(({ state }) => state === "waiting").map(({ retryInMs }) => retryInMs);
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});

test("the wait is jittered in full: anything from nothing up", () => {
  const states = statesOf(new CallsiteClient({ url }));
  Math.random.mock.mockImplementation(() => 0.1);
  FakeWebSocket.last.closes(1006);
  assert.equal(states.at(-1).retryInMs, 50);
});

test("a connection that was good makes the waits short again; one that closes at once does not", async () => {
  const client = new CallsiteClient({ url });
  const states = statesOf(client);
  for (let n = 0; n < 4; n += 1) {
    FakeWebSocket.last.opens().closes(1013);
    await passes(5);
  }
  assert.equal(states.at(-2).retryInMs, 4000);
  FakeWebSocket.last.opens();
  await passesQuietly(20);
  FakeWebSocket.last.closes(1001);
  assert.equal(states.at(-1).retryInMs, 500);
});

for (const code of [1000, 1001, 1006, 1009, 1011, 1012, 1013]) {
  test(`close code ${code} is not the end`, async () => {
    connected();
    FakeWebSocket.last.closes(code);
    await passes(1);
    assert.equal(sockets(), 2);
  });
}

for (const code of [1008, 4403]) {
  test(`close code ${code} is the end`, async () => {
    const client = connected({ getToken: undefined });
    const states = statesOf(client);
    FakeWebSocket.last.closes(code, "not you");
    await passes(120);
    assert.equal(sockets(), 1);
    const refused = code === 4403 ? { refused: "not_permitted" } : {};
    assert.deepEqual(states, [{ state: "closed", code, reason: "not you", ...refused }]);
  });
}

test("close() is the end, while open, waiting, connecting or asking for a token", async () => {
  connected().close();
  const waiting = connected();
  FakeWebSocket.last.closes(1006);
  waiting.close();
  new CallsiteClient({ url }).close();
  new CallsiteClient({ url, getToken: async () => "late" }).close();
  assert.equal(globalThis.listeners, 0);
  const count = sockets();
  globalThis.dispatchEvent(new Event("online"));
  await passes(120);
  assert.equal(sockets(), count);
});

for (const last of ["open", "waiting", "connecting"]) {
  test(`close() in a listener that hears ${last} is obeyed`, async () => {
    const client = new CallsiteClient({ url });
    client.addEventListener("state", ({ detail }) => detail.state === last && client.close());
    FakeWebSocket.last.opens().closes(1006);
    await passes(120);
    assert.equal(client.state, "closed");
    assert.equal(sockets(), 1);
  });
}

test("a getToken that fails after close() changes nothing", async () => {
  const client = new CallsiteClient({ url, getToken: () => Promise.reject(new Error("late")) });
  client.close();
  await passes(60);
  assert.equal(client.state, "closed");
});

test("connect() starts a closed client again", () => {
  const client = connected();
  client.close();
  client.connect();
  client.connect();
  assert.equal(sockets(), 2);
  FakeWebSocket.last.opens();
  assert.equal(client.state, "open");
});

// --- tokens that end

test("a new token is sent a minute before the old one expires", async () => {
  const tokens = [jwt(300, "first"), jwt(600, "second"), jwt(900, "third")];
  const expected = [...tokens];
  new CallsiteClient({ url, getToken: async () => tokens.shift() });
  await settled();
  const socket = FakeWebSocket.last.opens();
  assert.equal(socket.token, expected[0]);
  await passesQuietly(239);
  assert.deepEqual(socket.news, []);
  await passesQuietly(2);
  assert.deepEqual(socket.news, [{ authenticate: expected[1] }]);
  await passesQuietly(300);
  assert.deepEqual(socket.news, [{ authenticate: expected[2] }]);
  assert.equal(sockets(), 1);
});

test("a short token is renewed at half its life", async () => {
  const tokens = [jwt(30, "first"), jwt(3000, "second")];
  new CallsiteClient({ url, getToken: () => tokens.shift() });
  await settled();
  const socket = FakeWebSocket.last.opens();
  await passes(14.5);
  assert.equal(socket.news.length, 0);
  await passes(1);
  assert.equal(socket.news.length, 1);
});

test("a renewal that fails is tried again while the old token lasts", async () => {
  const fresh = jwt(3000, "fresh");
  const answers = [async () => jwt(100), () => Promise.reject(new Error("offline")), async () => fresh];
  new CallsiteClient({ url, getToken: () => answers.shift()() });
  await settled();
  const socket = FakeWebSocket.last.opens();
  await passesQuietly(80);
  assert.deepEqual(socket.news, [{ authenticate: fresh }]);
});

test("a connection lost takes its renewal along, also one under way", async () => {
  const answers = [async () => jwt(100), () => new Promise((resolve) => setTimeout(resolve, 3000, null)), async () => jwt(3000)];
  const getToken = mock.fn(() => answers.shift()());
  const client = new CallsiteClient({ url, getToken });
  await settled();
  FakeWebSocket.last.opens();
  await passesQuietly(51);
  FakeWebSocket.last.closes(1006);
  await passes(1);
  FakeWebSocket.last.opens();
  await passesQuietly(100);
  assert.equal(client.state, "open");
  assert.equal(getToken.mock.callCount(), 3);

  const calls = mock.fn(async () => jwt(100));
  new CallsiteClient({ url, getToken: calls });
  await settled();
  FakeWebSocket.last.opens();
  await passesQuietly(40);
  FakeWebSocket.last.closes(1006);
  await passes(1);
  FakeWebSocket.last.opens();
  await passesQuietly(40);
  assert.equal(calls.mock.callCount(), 2);
});

test("a token far in the future, without expiry, or expired by this clock is not renewed in a loop", async () => {
  for (const token of [jwt(86400 * 365 * 9), "opaque", `x.${Buffer.from("{}").toString("base64url")}.y`, jwt(-60)]) {
    const getToken = mock.fn(async () => token);
    const client = new CallsiteClient({ url, getToken });
    await settled();
    FakeWebSocket.last.opens();
    await passesQuietly(300);
    client.close();
    assert.equal(getToken.mock.callCount(), 1);
  }
});

test("after 4401 it comes back at once with a new token", async () => {
  const tokens = ["old", "new"];
  const client = new CallsiteClient({ url, getToken: async () => tokens.shift() });
  await settled();
  FakeWebSocket.last.opens().closes(4401);
  await settled();
  assert.equal(FakeWebSocket.last.token, "new");
  FakeWebSocket.last.opens();
  assert.equal(client.state, "open");
});

test("4401 for the new token too is the end", async () => {
  const client = new CallsiteClient({ url, getToken: async () => "t" });
  const states = statesOf(client);
  await settled();
  FakeWebSocket.last.opens().closes(4401);
  await settled();
  FakeWebSocket.last.opens().closes(4401, "no");
  await passes(120);
  assert.equal(sockets(), 2);
  assert.deepEqual(states.at(-1), { state: "closed", code: 4401, reason: "no", refused: "signed_out" });
});

test("4401 tomorrow is answered with a new token as well", async () => {
  new CallsiteClient({ url, getToken: async () => "t" });
  for (let day = 0; day < 3; day += 1) {
    await settled();
    FakeWebSocket.last.opens();
    await passesQuietly(60);
    FakeWebSocket.last.closes(4401);
  }
  await settled();
  assert.equal(sockets(), 4);
});

test("4401 is the end where no new token can be had", async () => {
  for (const options of [{ token: "static" }, {}]) {
    const client = connected(options);
    FakeWebSocket.last.closes(4401);
    await settled();
    assert.equal(client.state, "closed");
  }
});

// --- refused, or offline

const SIGNED_OUT = { state: "closed", code: 4401, reason: "The token or session is not good.", refused: "signed_out" };
const NOT_PERMITTED = { state: "closed", code: 4403, reason: "The user may not view calls.", refused: "not_permitted" };

for (const [status, expected] of [[401, SIGNED_OUT], [403, NOT_PERMITTED]]) {
  test(`an upgrade that fails while HTTP says ${status} is refused: the end, and why`, async () => {
    for (const options of [{ token: "t" }, {}]) {
      answers(status);
      const client = new CallsiteClient({ url, ...options });
      const states = statesOf(client);
      FakeWebSocket.last.closes(1006);
      await settled();
      await passes(120);
      assert.deepEqual(states.at(-1), expected);
      assert.equal(fetch.mock.callCount(), 1);
    }
    assert.equal(sockets(), 2);
  });

  test(`after 4401 HTTP tells whether it was the sign-in or the permission: ${status}`, async () => {
    answers(status);
    const states = statesOf(connected());
    FakeWebSocket.last.closes(4401);
    await settled();
    assert.deepEqual(states.at(-1), expected);
  });
}

test("an upgrade that fails while HTTP does not answer, or lets in, is tried again", async () => {
  const offline = globalThis.fetch;
  const hangs = mock.fn(() => new Promise(() => {}));
  for (const asked of [offline, hangs, 200, 404, 500, 503, [403, "text/html"], [401, null]]) {
    if (typeof asked === "function") globalThis.fetch = asked;
    else answers(...[asked].flat());
    const client = new CallsiteClient({ url, token: "t" });
    const before = sockets();
    for (let n = 0; n < 6; n += 1) {
      FakeWebSocket.last.closes(1006);
      await settled();
      assert.equal(client.state, "waiting", String(asked));
      globalThis.dispatchEvent(new Event("online"));
    }
    assert.equal(sockets(), before + 6, String(asked));
    client.close();
  }
});

test("HTTP is asked at callsite's own address, with the token in a header, or with the session", async () => {
  answers(200);
  for (const [address, token, expected] of [
    ["https://calls.example", "a.b.c", "https://calls.example/api/calls/?page_size=1"],
    ["ws://calls.example:8000/base/ws/calls/transcriptions/", undefined, "http://calls.example:8000/base/api/calls/?page_size=1"],
  ]) {
    new CallsiteClient({ url: address, token }).addEventListener("state", () => {});
    FakeWebSocket.last.closes(1006);
    await settled();
    const [asked, options] = fetch.mock.calls.at(-1).arguments;
    assert.equal(asked, expected);
    assert.deepEqual(options.headers, token ? { Authorization: "Bearer a.b.c" } : {});
    assert.equal(options.credentials, token ? "omit" : "same-origin");
  }
});

test("a refused token is renewed once, before it is the end", async () => {
  answers(401);
  const tokens = ["old", "new", "never asked for"];
  const client = new CallsiteClient({ url, getToken: async () => tokens.shift() });
  await settled();
  FakeWebSocket.last.closes(1006);
  await settled();
  await passes(1);
  assert.equal(FakeWebSocket.last.token, "new");
  FakeWebSocket.last.closes(1006);
  await settled();
  await passes(120);
  assert.equal(client.state, "closed");
  assert.deepEqual(tokens, ["never asked for"]);
});

test("a connection lost that was open is not asked about", async () => {
  answers(401);
  const client = connected({ token: "t" });
  FakeWebSocket.last.closes(1006);
  await settled();
  assert.equal(client.state, "waiting");
  assert.equal(fetch.mock.callCount(), 0);
});

test("an answer that comes when the client has moved on changes nothing", async () => {
  let answer;
  globalThis.fetch = () => new Promise((resolve) => (answer = resolve));
  const refusal = () => new Response(null, { status: 401, headers: { "Content-Type": "application/json" } });
  const client = new CallsiteClient({ url, token: "t" });
  FakeWebSocket.last.closes(1006);
  await passes(1);
  FakeWebSocket.last.opens();
  answer(refusal());
  await settled();
  assert.equal(client.state, "open");

  FakeWebSocket.last.closes(4401);
  const states = statesOf(client);
  client.close();
  answer(refusal());
  await settled();
  assert.deepEqual(states, [{ state: "closed", code: undefined, reason: undefined }]);
});

test("a signed-out getToken and close code 4403 say why too", async () => {
  const states = statesOf(new CallsiteClient({ url, getToken: async () => null }));
  await settled();
  assert.equal(states.at(-1).refused, "signed_out");
  const others = statesOf(connected());
  FakeWebSocket.last.closes(4403);
  assert.equal(others.at(-1).refused, "not_permitted");
});

// --- other classes of sockets

test("the option WebSocket gives the class of sockets, where there is no global one", () => {
  delete globalThis.WebSocket;
  const client = new CallsiteClient({ url, token: "t", WebSocket: FakeWebSocket });
  FakeWebSocket.last.opens();
  assert.equal(client.state, "open");
  FakeWebSocket.last.onerror(new Error("ws tells errors so, and throws where nobody listens"));
});

test("without any class of sockets the client stops and tells what is missing", () => {
  delete globalThis.WebSocket;
  const states = [];
  new CallsiteClient({ url, onState: (change) => states.push(change) });
  assert.equal(states.at(-1).state, "closed");
  assert.match(states.at(-1).reason, /give the option WebSocket/);
});

// --- dead connections, woken computers

test("45 s without a heartbeat is a dead connection", async () => {
  const client = connected();
  const states = statesOf(client);
  await passesQuietly(200);
  assert.equal(sockets(), 1);
  await passes(44);
  assert.equal(sockets(), 1);
  await passes(7);
  assert.equal(sockets(), 2);
  assert.deepEqual(states.map(({ reason, state }) => reason ?? state), ["no heartbeat", "connecting"]);
});

test("what a connection given up says later is not heard", async () => {
  const client = connected();
  const old = FakeWebSocket.last;
  await passes(60);
  FakeWebSocket.last.opens();
  old.closes(1006);
  assert.equal(client.state, "open");
});

test("a connection that does not open in 15 s is given up", async () => {
  new CallsiteClient({ url });
  await passes(14);
  assert.equal(sockets(), 1);
  await passes(8);
  assert.equal(sockets(), 2);
});

test("online ends the wait", async () => {
  const client = new CallsiteClient({ url });
  for (let n = 0; n < 8; n += 1) {
    FakeWebSocket.last.closes(1006);
    globalThis.dispatchEvent(new Event("online"));
    assert.equal(client.state, "connecting");
  }
  assert.equal(sockets(), 9);
});

test("online with an open connection asks the server for a sign of life", async () => {
  connected();
  const socket = FakeWebSocket.last;
  globalThis.dispatchEvent(new Event("online"));
  assert.deepEqual(socket.news, [{ ping: "awake" }]);
  socket.says({ type: "pong", ping: "awake" });
  await passes(20);
  assert.equal(sockets(), 1);
  globalThis.dispatchEvent(new Event("online"));
  await passes(6);
  assert.equal(sockets(), 2);
});

test("the wait for a sign of life ends with its connection", async () => {
  connected();
  globalThis.dispatchEvent(new Event("online"));
  FakeWebSocket.last.closes(1006);
  await passes(1);
  FakeWebSocket.last.opens();
  await passes(20);
  assert.equal(sockets(), 2);
});

test("a page looked at again asks too, a page put away does not", () => {
  connected();
  document.hidden = true;
  document.dispatchEvent(new Event("visibilitychange"));
  assert.deepEqual(FakeWebSocket.last.news, []);
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  assert.deepEqual(FakeWebSocket.last.news, [{ ping: "awake" }]);
});

test("a laptop that slept for an hour reconnects within seconds", async () => {
  connected();
  await passesQuietly(20);
  sleeps(3600);
  await passes(5.5);
  assert.equal(sockets(), 2);
});

test("a laptop that dozed asks for a sign of life", async () => {
  connected();
  await passesQuietly(20);
  sleeps(25);
  await passes(5);
  assert.deepEqual(FakeWebSocket.last.news, [{ ping: "awake" }]);
});

test("a laptop woken in the middle of a long wait connects at once", async () => {
  new CallsiteClient({ url });
  for (let n = 0; n < 7; n += 1) {
    FakeWebSocket.last.closes(1006);
    if (n < 6) globalThis.dispatchEvent(new Event("online"));
  }
  const before = sockets();
  sleeps(3600);
  await passes(5);
  assert.equal(sockets(), before + 1);
});
