/** What a browser gives the client, in the hands of a test: sockets, the clock, chance, the network, sleep. */
import { afterEach, beforeEach, mock } from "node:test";

export class FakeWebSocket {
  /** @type {FakeWebSocket[]} */
  static all = [];
  static get last() {
    return FakeWebSocket.all.at(-1);
  }

  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    FakeWebSocket.all.push(this);
  }

  get token() {
    return this.protocols.find((protocol) => protocol.startsWith("bearer."))?.slice("bearer.".length);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  /** By the client. As with a dead network, no close event comes. */
  close() {
    this.readyState = 2;
  }

  opens() {
    this.readyState = 1;
    this.onopen?.({});
    return this;
  }

  says(...messages) {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
    return this;
  }

  closes(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** What the client sent since the last look. */
  get news() {
    return this.sent.splice(0);
  }
}

/** Call once in a test file. Chance is 1 unless a test says otherwise: every delay is the longest one. */
export function useFakeBrowser() {
  beforeEach(() => {
    FakeWebSocket.all = [];
    globalThis.fetch = mock.fn(() => Promise.reject(new TypeError("offline")));
    globalThis.WebSocket = FakeWebSocket;
    globalThis.document = Object.assign(new EventTarget(), { hidden: false });
    const page = new EventTarget();
    globalThis.listeners = 0;
    globalThis.addEventListener = (...args) => (globalThis.listeners += 1, page.addEventListener(...args));
    globalThis.removeEventListener = (...args) => (globalThis.listeners -= 1, page.removeEventListener(...args));
    globalThis.dispatchEvent = (event) => page.dispatchEvent(event);
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.UTC(2026, 0, 1) });
    mock.method(Math, "random", () => 1);
  });
  afterEach(() => {
    mock.timers.reset();
    mock.restoreAll();
  });
}

/** From now on the server answers HTTP with this status. */
export function answers(status, type = "application/json") {
  globalThis.fetch = mock.fn(async () => new Response(null, { status, headers: { "Content-Type": type } }));
}

/** Lets promises settle. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Time passes in steps, as a page sees it, and promises settle in between. */
export async function passes(seconds) {
  for (let left = seconds * 1000; left > 0; left -= 500) {
    mock.timers.tick(Math.min(left, 500));
    await settled();
  }
}

/** Time passes with heartbeats: a quiet, healthy connection. */
export async function passesQuietly(seconds) {
  for (let left = seconds; left > 0; left -= 20) {
    await passes(Math.min(left, 20));
    FakeWebSocket.last.says({ type: "heartbeat", calls: {} });
  }
}

/** The computer sleeps: the clock goes on, timers do not. */
export function sleeps(seconds) {
  mock.timers.setTime(Date.now() + seconds * 1000);
}

export function jwt(secondsToLive, name = "a") {
  const part = (claims) => Buffer.from(JSON.stringify(claims)).toString("base64url");
  return [part({ alg: "HS256" }), part({ name: `${name}ÿ>?`, exp: Date.now() / 1000 + secondsToLive }), "sig"].join(".");
}

/** The states a connection goes through, as it tells them. */
export function statesOf(connection) {
  const states = [];
  connection.addEventListener("state", ({ detail }) => states.push(detail));
  return states;
}
