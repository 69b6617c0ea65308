/**
 * Callsite's client for web pages: it receives the turns of a call as they are spoken, and the list of calls.
 *
 *     import { CallsiteClient } from "https://callsite.example/static/realtime/callsite-client.js";
 *
 *     const client = new CallsiteClient({ url: "https://callsite.example", getToken: () => myServer.callsiteToken() });
 *     client.subscribe("EL_42_1767225600", {
 *       after: 0,
 *       onTurn: (turn) => show(turn.speaker_type, turn.message_text),
 *       onCompleted: (message) => finish(message.call_data),
 *     });
 *
 * Both classes keep one WebSocket and reconnect by themselves. A subscription survives a reconnection: it continues
 * after its last turn, so every turn comes once and in order. Handlers get messages as the server sends them.
 * docs/websocket.md describes the protocol. The text of a call comes from strangers: show it with `textContent`.
 *
 * @module
 */

const PROTOCOL = "callsite.v1";
const FIRST_DELAY_MS = 500; // before reconnecting: a random time up to 0.5 s, then up to 1 s, 2 s, ... 30 s
const MAX_DELAY_MS = 30_000;
const STEADY_MS = 10_000; // after a connection that lived this long, the delays start again from the first one
const CONNECT_MS = 15_000; // longest wait for a connection to open
const SILENCE_MS = 45_000; // the server sends a heartbeat every 20 s; after two missing ones the connection is dead
const PONG_MS = 5_000; // longest wait for a pong after the computer woke up
const TICK_MS = 5_000; // time between two looks at the clock
const ASLEEP_MS = 10_000; // if a tick is this late, the computer was asleep
const RETRY_REQUEST_MS = 1_000; // before a retry of a request that the server could not serve
const TERMINAL_CODES = [1008, 4403];
const AUTHENTICATION_CODE = 4401;
const PERMISSION_CODE = 4403;
const ASKING_MS = 5_000; // longest wait for the HTTP response that tells why a connection was refused

/**
 * The state of a connection. `waiting`: the connection is lost, the next attempt is in `retryInMs`. `closed`: there are
 * no more attempts, because `close()` was called, the server refuses this user (`code` 4401, 4403, 1008), or `getToken`
 * gave no token; `connect()` starts again.
 *
 * `refused` says why the server refuses. `signed_out`: there is no token or session, or the server does not accept it
 * (any more). `not_permitted`: the server knows the user, but the user may not view calls (any more).
 *
 * @typedef {"connecting" | "open" | "waiting" | "closed"} State
 * @typedef {"signed_out" | "not_permitted"} Refusal
 * @typedef {{ state: State, code?: number, reason?: string, retryInMs?: number, refused?: Refusal }} StateChange
 */

/**
 * The part of a WebSocket class that the client needs: the browser's class, the one of Node 22 and newer, or of the
 * package `ws`.
 *
 * @typedef {{ readonly readyState: number, onopen: any, onmessage: any, onclose: any, onerror: any,
 *   send(data: string): void, close(): void }} Socket
 * @typedef {new (url: string, protocols: string[]) => Socket} SocketClass
 */

/**
 * @typedef {{
 *   addEventListener(type: "state", listener: (event: CustomEvent<StateChange>) => void,
 *     options?: Parameters<EventTarget["addEventListener"]>[2]): void,
 *   removeEventListener(type: "state", listener: (event: CustomEvent<StateChange>) => void,
 *     options?: Parameters<EventTarget["removeEventListener"]>[2]): void,
 * } & EventTarget} StateTarget an EventTarget whose `state` events have a type
 */

/**
 * @typedef {object} ConnectionOptions
 * @property {string} [url] Callsite's address (`https://callsite.example`). Default: the server this page came from.
 * @property {() => string | null | Promise<string | null>} [getToken] Returns a JWT access token. The client calls it
 *   before every connection and again shortly before the token expires. If it throws, the client calls it again later;
 *   `null` means signed out: the client stops.
 * @property {string} [token] A JWT, where there is no `getToken`: the client stops when the token expires.
 *   Without both, the browser's session cookie identifies the user (only on pages of callsite's own site).
 * @property {(change: StateChange) => void} [onState] Gets the details of `state` events.
 * @property {SocketClass} [WebSocket] The WebSocket class. Default: the global one, which Node has from version 22 on.
 */

/**
 * @typedef {{ type: "subscription_confirmed", identifier: string, call_sid: string, conversation_id: string | null,
 *   status: "in_progress" | "completed" | "failed", last_sequence_number: number, message: string }} Confirmation
 * @typedef {{ type: "transcription", call_sid: string, conversation_id: string | null, transcription_id: number,
 *   sequence_number: number, speaker_type: "agent" | "driver", message_text: string, timestamp: string }} Turn
 * @typedef {{ type: "call_status", call_sid: string, conversation_id: string | null,
 *   status: "completed" | "failed", call_end_time: string | null }} CallStatus
 * @typedef {{ type: "call_completed", call_sid: string, conversation_id: string | null, call_data: CallData }} CallCompleted
 * @typedef {{ status: "completed" | "failed", driver_id: string, call_sid: string, conversation_id: string | null,
 *   call_start_time: string | null, call_end_time: string | null, duration_seconds: number | null,
 *   transcript_summary: string, cost: number | null, call_successful: boolean | null, analysis_data: any,
 *   metadata: any }} CallData
 * @typedef {{ type: "reset", identifier: string, call_sid: string, conversation_id: string | null,
 *   last_sequence_number: number }} Reset
 * @typedef {{ type: "error", code: string, message: string, identifier: string }} SubscriptionError
 */

/**
 * @typedef {object} SubscribeOptions
 * @property {number} [after] The last `sequence_number` that you have; 0 for all turns from the start. Without it, only
 *   new turns come, and for a call that has ended nothing but `onSubscribed`.
 * @property {(message: Confirmation) => void} [onSubscribed] The server has found the call; once per `subscribe`.
 * @property {(turn: Turn) => void} [onTurn]
 * @property {(message: CallStatus) => void} [onStatus] The call has ended.
 * @property {(message: CallCompleted) => void} [onCompleted] The result of the call, right after `onStatus`. The
 *   subscription is over.
 * @property {(caughtUp: { identifier: string, missed: number }) => void} [onCaughtUp] Called after a reconnection, when
 *   every missed turn (perhaps 0) has come through `onTurn`.
 * @property {(message: Reset) => void} [onReset] The turns were renumbered (two records became one call), or the call
 *   has fewer turns than you got: forget them, all turns come again.
 * @property {(error: SubscriptionError) => void} [onError] The subscription is over: CALL_NOT_FOUND,
 *   INVALID_IDENTIFIER, SUBSCRIPTION_LIMIT. The client retries after temporary errors (RATE_LIMITED,
 *   SUBSCRIPTION_FAILED) instead of calling this.
 */

/**
 * One WebSocket that reconnects by itself. It emits `state` events (a CustomEvent whose `detail` is a StateChange).
 * A subclass implements `_opened`, which is called for every new connection, and `_received`, for every message.
 */
class Connection extends /** @type {new () => StateTarget} */ (EventTarget) {
  /** @type {State} */
  #state = "connecting";
  #url;
  #options;
  /** @type {Socket | null} */
  #socket = null;
  #attempt = 0; // counts the attempts, so that results of a former attempt can be ignored
  #failures = 0; // in a row
  #renewed = false; // true: a new token was tried since the server refused one
  #openedAt = 0;
  #heardAt = 0;
  #tickedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #ticking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #retryTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #refreshTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #pongTimer;

  /**
   * @param {string} path
   * @param {ConnectionOptions} options
   */
  constructor(path, options) {
    super();
    this.#url = socketUrl(options.url, path);
    this.#options = options;
    const { onState } = options;
    if (onState) this.addEventListener("state", (event) => onState(event.detail));
    this.connect();
  }

  get state() {
    return this.#state;
  }

  /** Connects again after `closed`; subscriptions continue where they were. The constructor calls it once. */
  connect() {
    if (this.#ticking) return;
    this.#failures = 0;
    this.#renewed = false;
    this.#tickedAt = Date.now();
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
    this.#open();
  }

  /** Closes the connection without reconnecting. */
  close() {
    this.#stop();
  }

  /** @protected */
  _opened() {}

  /**
   * @protected
   * @param {any} message
   */
  _received(message) {}

  /**
   * @protected
   * @param {object} message
   */
  _send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  async #open() {
    this.#drop();
    const attempt = this.#attempt;
    this.#heardAt = Date.now();
    this.#setState({ state: "connecting" });
    const { getToken } = this.#options;
    let token;
    try {
      token = getToken ? await getToken() : this.#options.token;
    } catch (error) {
      if (attempt === this.#attempt) this.#retry(undefined, String(error));
      return;
    }
    if (attempt !== this.#attempt) return;
    if (getToken && !token) return this.#stop(undefined, "signed out", "signed_out");
    const SocketClass = this.#options.WebSocket ?? globalThis.WebSocket;
    if (!SocketClass) return this.#stop(undefined, "There is no WebSocket here: give the option WebSocket.");
    /** @type {Socket} */
    let socket;
    try {
      socket = new SocketClass(this.#url, token ? [PROTOCOL, `bearer.${token}`] : [PROTOCOL]);
    } catch (error) {
      return this.#stop(undefined, String(error)); // the page may not open the URL, or the token is malformed: a retry would fail too
    }
    this.#socket = socket;
    socket.onopen = () => {
      this.#openedAt = this.#heardAt = Date.now();
      this.#refreshLater(token);
      this.#setState({ state: "open" });
    };
    socket.onmessage = (/** @type {{ data: any }} */ event) => {
      this.#heardAt = Date.now();
      clearTimeout(this.#pongTimer);
      this._received(JSON.parse(event.data));
    };
    socket.onerror = () => {}; // a close event follows; without this handler the package `ws` throws
    socket.onclose = (/** @type {{ code: number, reason: string }} */ event) => {
      const refusedAtOnce = !this.#openedAt;
      this.#lost(event.code, event.reason, token);
      if (refusedAtOnce && this.#state === "waiting") this.#tellRefusal(token);
    };
  }

  /**
   * Stops the client if the server refuses it. In a browser, a refused handshake (HTTP 403) looks like a network
   * failure (code 1006). So the client retries after both, each time with a token from `getToken`, and asks the server
   * over HTTP whether it refuses.
   *
   * @param {string | null | undefined} token
   */
  async #tellRefusal(token) {
    const attempt = this.#attempt;
    const refused = await this.#refusal(token);
    if (!refused || attempt !== this.#attempt) return;
    if (refused === "signed_out" && this.#options.getToken && !this.#renewed) {
      this.#renewed = true; // the next attempt is already planned, and calls `getToken` again
    } else {
      this.#refuse(refused);
    }
  }

  /**
   * Asks the server why it refuses, by a request for the shortest list of calls as the same user: a user who may not
   * listen may not read the list either.
   *
   * @param {string | null | undefined} token
   * @returns {Promise<Refusal | null>} null: the server does not refuse, or did not answer
   */
  async #refusal(token) {
    const url = this.#url.replace(/^ws/, "http").replace(/\/ws\/calls(\/transcriptions)?$/, "/api/calls/?page_size=1");
    try {
      const answer = await fetch(url, {
        method: "HEAD",
        headers: token ? { Authorization: `Bearer ${token}` } : {},
        credentials: token ? "omit" : "same-origin",
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(ASKING_MS),
      });
      if (!answer.headers.get("content-type")?.startsWith("application/json")) return null; // a proxy answered
      if (answer.status === 401) return "signed_out";
      return answer.status === 403 ? "not_permitted" : null;
    } catch {
      return null;
    }
  }

  /**
   * Handles a close with 4401, which means either refusal: it asks the server which one, then stops.
   *
   * @param {string | undefined} reason
   * @param {string | null | undefined} token
   */
  async #shutOut(reason, token) {
    this.#drop();
    this.#setState({ state: "connecting" });
    const attempt = this.#attempt;
    const refused = await this.#refusal(token);
    if (attempt === this.#attempt) this.#refuse(refused ?? "signed_out", reason);
  }

  /** @param {Refusal} refused @param {string} [reason] the server's text */
  #refuse(refused, reason) {
    if (refused === "signed_out") this.#stop(AUTHENTICATION_CODE, reason || "The token or session is not good.", refused);
    else this.#stop(PERMISSION_CODE, reason || "The user may not view calls.", refused);
  }

  /**
   * @param {number} [code]
   * @param {string} [reason]
   * @param {string | null} [token] the token in use
   */
  #lost(code, reason, token) {
    if (this.#openedAt && Date.now() - this.#openedAt > STEADY_MS) {
      this.#failures = 0;
      this.#renewed = false;
    }
    if (code === AUTHENTICATION_CODE && this.#options.getToken && !this.#renewed) {
      this.#renewed = true;
      this.#open();
    } else if (code === AUTHENTICATION_CODE) {
      this.#shutOut(reason, token);
    } else if (TERMINAL_CODES.includes(code ?? 0)) {
      this.#stop(code, reason, code === PERMISSION_CODE ? "not_permitted" : undefined);
    } else {
      this.#retry(code, reason);
    }
  }

  /** @param {number} [code] @param {string} [reason] */
  #retry(code, reason) {
    this.#drop();
    const retryInMs = Math.random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.#open(), retryInMs);
    this.#setState({ state: "waiting", code, reason, retryInMs });
  }

  /** @param {number} [code] @param {string} [reason] @param {Refusal} [refused] */
  #stop(code, reason, refused) {
    this.#drop();
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    this.#setState({ state: "closed", code, reason, ...(refused && { refused }) });
  }

  /** Abandons the present socket at once: the close event of a dead socket can take minutes. */
  #drop() {
    this.#attempt += 1;
    this.#openedAt = 0;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#refreshTimer);
    clearTimeout(this.#pongTimer);
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #tick() {
    const now = Date.now();
    const late = now - this.#tickedAt - TICK_MS;
    const silence = now - this.#heardAt;
    this.#tickedAt = now;
    if (this.#state === "open" && silence > SILENCE_MS) this.#lost(undefined, "no heartbeat");
    else if (this.#state === "connecting" && silence > CONNECT_MS) this.#lost(undefined, "no answer");
    else if (late > ASLEEP_MS) this.#wake();
  }

  /** Connects now, or checks the connection by a ping: the network, the computer or the reader of the page is back. */
  #wake = (/** @type {Event | undefined} */ event = undefined) => {
    if (event?.type === "visibilitychange" && document.hidden) return;
    if (this.#state === "waiting") {
      this.#open();
    } else if (this.#state === "open") {
      this._send({ ping: "awake" });
      clearTimeout(this.#pongTimer);
      this.#pongTimer = setTimeout(() => this.#lost(undefined, "no pong"), PONG_MS);
    }
  };

  /** @param {string | null | undefined} token the token in use */
  #refreshLater(token) {
    const lifeMs = expiresAtMs(token) - Date.now();
    if (!this.#options.getToken || !(lifeMs > 0)) return; // no expiry, or a wrong local clock: a close with 4401 will tell
    const delay = Math.max(5_000, lifeMs / 2, lifeMs - 60_000);
    this.#refreshTimer = setTimeout(() => this.#refresh(token), Math.min(delay, 2 ** 31 - 1)); // setTimeout fires at once for more
  }

  /** @param {string | null | undefined} token the token in use */
  async #refresh(token) {
    const attempt = this.#attempt;
    let fresh = token;
    try {
      fresh = await this.#options.getToken?.();
    } catch {
      // try again while the old token is valid
    }
    if (attempt !== this.#attempt) return;
    if (!fresh) return this.#stop(undefined, "signed out", "signed_out");
    if (fresh !== token) this._send({ authenticate: fresh });
    this.#refreshLater(fresh);
  }

  /** @param {StateChange} change */
  #setState(change) {
    if (change.state === this.#state) return;
    this.#state = change.state;
    if (change.state === "open") this._opened(); // before a listener can send anything
    this.dispatchEvent(new CustomEvent("state", { detail: change }));
  }
}

/** Receives the turns of calls, live. */
export class CallsiteClient extends Connection {
  /**
   * @typedef {object} Subscription
   * @property {string} identifier
   * @property {SubscribeOptions} handlers
   * @property {number | null} last the number of the last turn received; null: subscribed without `after`, so the
   *   confirmation gives the number
   * @property {boolean} asked true while its request waits to be sent or answered
   * @property {string} [callSid] known after the confirmation; the call may get another one later
   * @property {string | null} [conversationId] likewise
   * @property {number} [gapAt] the turn below a gap that was requested already
   * @property {boolean} [ended] true when `onStatus` was called
   * @property {{ from: number, to: number | null }} [catchUp] the missed turns; `to` is known after the confirmation
   *
   * @typedef {{ verb: "subscribe" | "unsubscribe", subscription: Subscription }} Request
   */

  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  // An error that answers a request names no call. So one request is sent at a time: answers are to `#outstanding`.
  /** @type {Request[]} */
  #requests = [];
  /** @type {Request | null} */
  #outstanding = null;

  /** @param {ConnectionOptions} [options] */
  constructor(options = {}) {
    super("/ws/calls/transcriptions", options);
  }

  /**
   * Listens to a call until it completes. A second subscription to the same identifier replaces the first.
   *
   * @param {string} identifier call_sid or conversation_id
   * @param {SubscribeOptions} options
   */
  subscribe(identifier, options) {
    const old = this.#subscriptions.get(identifier);
    if (old) this.#forget(old);
    const subscription = { identifier, handlers: options, last: options.after ?? null, asked: false };
    this.#subscriptions.set(identifier, subscription);
    this.#ask(subscription);
  }

  /** @param {string} identifier as given to `subscribe` */
  unsubscribe(identifier) {
    const subscription = this.#subscriptions.get(identifier);
    if (!subscription) return;
    this.#forget(subscription);
    this.#requests.push({ verb: "unsubscribe", subscription });
    this.#sendNext();
  }

  /** @protected */
  _opened() {
    this.#requests = [];
    this.#outstanding = null;
    for (const subscription of this.#subscriptions.values()) {
      const { callSid, last } = subscription;
      if (callSid && last !== null) subscription.catchUp = { from: last, to: null };
      subscription.asked = false;
      this.#ask(subscription);
    }
  }

  /**
   * @protected
   * @param {any} message
   */
  _received(message) {
    if (message.type === "subscription_confirmed") return this.#confirmed(message);
    if (message.type === "unsubscribe_confirmed") return this.#answered();
    if (message.type === "error") return message.identifier === undefined ? this.#refused(message) : this.#ended(message);
    for (const subscription of [...this.#subscriptions.values()]) {
      const { callSid, last } = subscription;
      if (message.type === "heartbeat") {
        if (callSid && last !== null && message.calls[callSid] > last) this.#ask(subscription);
      } else if (isAbout(message, subscription)) {
        this.#heard(subscription, message);
      }
    }
  }

  /** @param {Subscription} subscription @param {any} message */
  #heard(subscription, message) {
    const { handlers, last } = subscription;
    if (last === null) return; // before the confirmation, messages are not for this subscription
    if (message.type === "transcription") {
      if (message.sequence_number === last + 1) {
        subscription.last = message.sequence_number;
        tell(handlers.onTurn, message);
        this.#tellCaughtUp(subscription);
      } else if (message.sequence_number > last && subscription.gapAt !== last) {
        subscription.gapAt = last; // one request per gap: after its answer come all turns that exist
        this.#ask(subscription);
      } else if (message.sequence_number > last && !subscription.asked) {
        subscription.last = message.sequence_number; // the turns between were deleted
        tell(handlers.onTurn, message);
        this.#tellCaughtUp(subscription);
      }
    } else if (message.type === "reset") {
      subscription.last = 0;
      subscription.catchUp = undefined;
      tell(handlers.onReset, message);
    } else if (subscription.asked) {
      return; // turns are missing; the server sends the end again after them
    } else if (message.type === "call_status") {
      if (!subscription.ended) tell(handlers.onStatus, message);
      subscription.ended = true;
    } else if (message.type === "call_completed") {
      this.#forget(subscription);
      tell(handlers.onCompleted, message);
    }
  }

  /** @param {Confirmation} message */
  #confirmed(message) {
    const request = this.#outstanding;
    if (request?.verb !== "subscribe" || request.subscription.identifier !== message.identifier) {
      return this.#renamed(message);
    }
    const { subscription } = request;
    const { handlers, callSid, last, catchUp } = subscription;
    subscription.asked = false;
    subscription.callSid = message.call_sid;
    subscription.conversationId = message.conversation_id;
    subscription.last = last ?? message.last_sequence_number;
    if (!callSid) tell(handlers.onSubscribed, message);
    if (last === null && message.status !== "in_progress") this.#forget(subscription); // nothing more will come
    if (catchUp) catchUp.to = message.last_sequence_number;
    this.#tellCaughtUp(subscription);
    this.#answered();
  }

  /** Handles an unrequested confirmation: the call was renamed or merged. @param {Confirmation} message */
  #renamed(message) {
    const subscription = this.#subscriptions.get(message.identifier);
    if (!subscription?.callSid) return;
    subscription.callSid = message.call_sid;
    subscription.conversationId = message.conversation_id;
  }

  /** @param {Subscription} subscription */
  #tellCaughtUp(subscription) {
    const { identifier, handlers, last, catchUp } = subscription;
    if (!catchUp || catchUp.to === null || last !== catchUp.to) return;
    subscription.catchUp = undefined;
    tell(handlers.onCaughtUp, { identifier, missed: catchUp.to - catchUp.from });
  }

  /** Handles an error that ends a subscription: for example, the call was deleted. @param {SubscriptionError} error */
  #ended(error) {
    for (const subscription of [...this.#subscriptions.values()]) {
      const { identifier, conversationId, callSid, handlers } = subscription;
      if (![identifier, conversationId, callSid].includes(error.identifier)) continue;
      this.#forget(subscription);
      tell(handlers.onError, { ...error, identifier });
    }
  }

  /** @param {{ type: "error", code: string, message: string }} error */
  #refused(error) {
    const request = this.#outstanding;
    if (!request || error.code === "AUTHENTICATION_FAILED") return; // it concerns the connection; a close with 4401 follows
    if (error.code === "RATE_LIMITED" || error.code === "SUBSCRIPTION_FAILED") {
      setTimeout(() => {
        if (request !== this.#outstanding) return; // the connection was lost meanwhile
        this.#requests.push(request);
        this.#answered();
      }, RETRY_REQUEST_MS);
      return;
    }
    const { identifier, handlers } = request.subscription;
    this.#forget(request.subscription);
    tell(handlers.onError, { ...error, identifier });
    this.#answered();
  }

  /** @param {Subscription} subscription */
  #ask(subscription) {
    if (subscription.asked) return;
    subscription.asked = true;
    this.#requests.push({ verb: "subscribe", subscription });
    this.#sendNext();
  }

  #answered() {
    this.#outstanding = null;
    this.#sendNext();
  }

  /** @returns {void} */
  #sendNext() {
    if (this.state !== "open" || this.#outstanding) return;
    const request = this.#requests.shift();
    if (!request) return;
    const { verb, subscription } = request;
    const { identifier, callSid, last } = subscription;
    if (verb === "subscribe") {
      if (!this.#isCurrent(subscription)) return this.#sendNext();
      this._send({ subscribe: identifier, after: last ?? undefined });
    } else {
      // For the server, both identifiers of a call are one subscription: keep it while the other identifier needs it.
      const needed = [...this.#subscriptions.values()].some((other) => other.callSid === callSid);
      if (!callSid || needed) return this.#sendNext(); // without callSid: never confirmed, so the server has none
      this._send({ unsubscribe: identifier });
    }
    this.#outstanding = request;
  }

  /** @param {Subscription} subscription */
  #isCurrent(subscription) {
    return this.#subscriptions.get(subscription.identifier) === subscription;
  }

  /** Ends a subscription on this side; its handlers are not called any more. @param {Subscription} subscription */
  #forget(subscription) {
    if (this.#isCurrent(subscription)) this.#subscriptions.delete(subscription.identifier);
    subscription.handlers = {};
  }
}

/**
 * @typedef {{ call_sid: string, conversation_id: string | null, driver_id: string, agent_id: string,
 *   agent_name: string, direction: "inbound" | "outbound" | "", from_number: string, to_number: string,
 *   status: "in_progress" | "completed" | "failed", call_start_time: string | null, call_end_time: string | null,
 *   duration_seconds: number | null, last_sequence_number: number,
 *   last_turn: { speaker_type: "agent" | "driver", message_text: string, timestamp: string } | null,
 *   call_successful: boolean | null, transcript_summary: string, cost: number | null, failure_reason: string,
 *   created_at: string }} Call
 * @typedef {{ in_progress: number, ended: number, counted_up_to: number }} Totals The numbers of calls. A number that
 *   equals `counted_up_to` means that many or more.
 */

/** Receives the list of calls, live: the calls in progress, and the latest calls that ended. */
export class CallsFeed extends Connection {
  #onSnapshot;
  #onChange;
  #onTotals;
  #number = 0;
  #asked = false;

  /**
   * @param {ConnectionOptions & {
   *   onSnapshot: (calls: Call[]) => void,
   *   onChange: (call: Call) => void,
   *   onTotals?: (totals: Totals) => void,
   * }} options `onSnapshot` gets the whole list, which replaces the former list; it is called first, and again after a
   *   reconnection. `onChange` gets a call that began, went on or ended.
   *   `onTotals` gets the numbers of all calls, in the list or not; after each snapshot and every 20 seconds.
   */
  constructor({ onSnapshot, onChange, onTotals, ...options }) {
    super("/ws/calls", options);
    this.#onSnapshot = onSnapshot;
    this.#onChange = onChange;
    this.#onTotals = onTotals;
  }

  /** @protected */
  _opened() {
    this.#asked = true; // the server sends a first snapshot without a request
  }

  /**
   * @protected
   * @param {any} message
   */
  _received(message) {
    if (message.type === "snapshot") {
      this.#asked = false;
      this.#number = message.number;
      tell(this.#onSnapshot, message.calls);
    } else if (this.#asked) {
      return; // the snapshot that is on its way contains this change
    } else if (message.type === "call_changed" && message.number === this.#number + 1) {
      this.#number = message.number;
      tell(this.#onChange, message.call);
    } else if (["call_changed", "heartbeat"].includes(message.type) && message.number > this.#number) {
      this.#asked = true;
      this._send({ snapshot: true });
    }
    if (message.totals) tell(this.#onTotals, message.totals);
  }
}

/**
 * Tells whether a message is about a subscription: by its identifier, or by a name that the call has now.
 *
 * @param {{ identifier?: string, call_sid: string, conversation_id: string | null }} message
 * @param {{ identifier: string, callSid?: string, conversationId?: string | null }} subscription
 */
function isAbout({ identifier, call_sid, conversation_id }, subscription) {
  const names = [subscription.identifier, subscription.callSid, subscription.conversationId];
  return [identifier, call_sid, conversation_id].some((name) => name && names.includes(name));
}

/**
 * Calls a handler. If it throws, the error is reported like any error of the page, and other handlers are still called.
 *
 * @template T
 * @param {((argument: T) => void) | undefined} handler
 * @param {T} argument
 */
function tell(handler, argument) {
  try {
    handler?.(argument);
  } catch (error) {
    (globalThis.reportError ?? console.error)(error);
  }
}

/**
 * @param {string | undefined} address of callsite, as http(s) or ws(s); a path `/ws/calls...` in it is replaced
 * @param {string} path
 */
function socketUrl(address, path) {
  const url = new URL(address ?? "/", globalThis.location?.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.pathname = url.pathname.replace(/\/?(ws\/calls(\/transcriptions)?\/?)?$/, "") + path;
  return url.href;
}

/**
 * @param {string | null | undefined} token
 * @returns {number} the time when a JWT expires, in milliseconds; NaN if it has none
 */
function expiresAtMs(token) {
  try {
    const claims = (token?.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(claims)).exp * 1000;
  } catch {
    return NaN;
  }
}
