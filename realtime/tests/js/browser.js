/** A fake browser that tests control: its sockets, clock, random numbers, network and sleep. */
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

  /** Called by the client. As with a dead network, no close event follows. */
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

  /** The messages that the client sent since the last read of `news`. */
  get news() {
    return this.sent.splice(0);
  }
}

/** Call this once per test file. Math.random() is 1 unless a test changes it, so every delay is the longest one. */
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

/** Makes the server answer HTTP requests with this status from now on. */
export function answers(status, type = "application/json") {
  globalThis.fetch = mock.fn(async () => new Response(null, { status, headers: { "Content-Type": type } }));
}

/** Lets promises settle. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Lets time pass in steps, as a page sees it; promises settle between the steps. */
export async function passes(seconds) {
  for (let left = seconds * 1000; left > 0; left -= 500) {
    mock.timers.tick(Math.min(left, 500));
    await settled();
  }
}

/** Lets time pass with heartbeats, as on a quiet, healthy connection. */
export async function passesQuietly(seconds) {
  for (let left = seconds; left > 0; left -= 20) {
    await passes(Math.min(left, 20));
    FakeWebSocket.last.says({ type: "heartbeat", calls: {} });
  }
}

/** Lets the computer sleep: the clock goes on, timers do not. */
export function sleeps(seconds) {
  mock.timers.setTime(Date.now() + seconds * 1000);
}

export function jwt(secondsToLive, name = "a") {
  const part = (claims) => Buffer.from(JSON.stringify(claims)).toString("base64url");
  return [part({ alg: "HS256" }), part({ name: `${name}ÿ>?`, exp: Date.now() / 1000 + secondsToLive }), "sig"].join(".");
}

/** Returns the list to which a connection's reported states are added. */
export function statesOf(connection) {
  const states = [];
  connection.addEventListener("state", ({ detail }) => states.push(detail));
  return states;
}
