/**
 * Callsite's live calls in a web page: the turns of a call as they are spoken, and the list of calls.
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
 * Both classes keep one WebSocket and bring it back by themselves. A subscription survives that: it goes on behind the
 * last turn it saw, every turn comes once and in order. Messages are passed on as the server sends them.
 * The protocol underneath is in docs/websocket.md. What a call says is text from strangers: show it with `textContent`.
 *
 * @module
 */
export type State = "connecting" | "open" | "waiting" | "closed";
export type Refusal = "signed_out" | "not_permitted";
export type StateChange = {
    state: State;
    code?: number;
    reason?: string;
    retryInMs?: number;
    refused?: Refusal;
};
export type Socket = {
    readonly readyState: number;
    onopen: any;
    onmessage: any;
    onclose: any;
    onerror: any;
    send(data: string): void;
    close(): void;
};
export type SocketClass = new (url: string, protocols: string[]) => Socket;
export type StateTarget = {
    addEventListener(type: "state", listener: (event: CustomEvent<StateChange>) => void, options?: boolean | AddEventListenerOptions): void;
    removeEventListener(type: "state", listener: (event: CustomEvent<StateChange>) => void, options?: boolean | EventListenerOptions): void;
} & EventTarget;
export type ConnectionOptions = {
    /**
     * Callsite's address (`https://callsite.example`). Default: the server this page came from.
     */
    url?: string;
    /**
     * Gives a JWT access token. Asked before every
     * connection and again shortly before the token expires. If it fails it is asked again later; `null` means signed
     * out: the client stops.
     */
    getToken?: () => string | null | Promise<string | null>;
    /**
     * A JWT, when there is no `getToken`: the client stops when the token expires.
     * With neither, the browser's session cookie speaks for the user (pages of callsite's own site only).
     */
    token?: string;
    /**
     * Hears the `state` events.
     */
    onState?: (change: StateChange) => void;
    /**
     * The class of sockets. Default: the global one, which Node has from 22 on.
     */
    WebSocket?: SocketClass;
};
export type Confirmation = {
    type: "subscription_confirmed";
    identifier: string;
    call_sid: string;
    conversation_id: string | null;
    status: "in_progress" | "completed" | "failed";
    last_sequence_number: number;
    message: string;
};
export type Turn = {
    type: "transcription";
    call_sid: string;
    conversation_id: string | null;
    transcription_id: number;
    sequence_number: number;
    speaker_type: "agent" | "driver";
    message_text: string;
    timestamp: string;
};
export type CallStatus = {
    type: "call_status";
    call_sid: string;
    conversation_id: string | null;
    status: "completed" | "failed";
    call_end_time: string | null;
};
export type CallCompleted = {
    type: "call_completed";
    call_sid: string;
    conversation_id: string | null;
    call_data: CallData;
};
export type CallData = {
    status: "completed" | "failed";
    driver_id: string;
    call_sid: string;
    conversation_id: string | null;
    call_start_time: string | null;
    call_end_time: string | null;
    duration_seconds: number | null;
    transcript_summary: string;
    cost: number | null;
    call_successful: boolean | null;
    analysis_data: any;
    metadata: any;
};
export type Reset = {
    type: "reset";
    identifier: string;
    call_sid: string;
    conversation_id: string | null;
    last_sequence_number: number;
};
export type SubscriptionError = {
    type: "error";
    code: string;
    message: string;
    identifier: string;
};
export type SubscribeOptions = {
    /**
     * The last `sequence_number` you have; 0 for everything from the start. Without it only
     * what is said from now on comes, and for a call that has ended nothing but `onSubscribed`.
     */
    after?: number;
    /**
     * The server has found the call; once per `subscribe`.
     */
    onSubscribed?: (message: Confirmation) => void;
    onTurn?: (turn: Turn) => void;
    /**
     * The call has ended.
     */
    onStatus?: (message: CallStatus) => void;
    /**
     * Its result, right behind. The subscription is over.
     */
    onCompleted?: (message: CallCompleted) => void;
    /**
     * After a reconnection, when
     * every turn missed meanwhile (perhaps 0) has come through `onTurn`.
     */
    onCaughtUp?: (caughtUp: {
        identifier: string;
        missed: number;
    }) => void;
    /**
     * The turns were numbered anew (two records became one call) or are fewer
     * than were seen: forget them, all come again.
     */
    onReset?: (message: Reset) => void;
    /**
     * The subscription is over: CALL_NOT_FOUND,
     * INVALID_IDENTIFIER, SUBSCRIPTION_LIMIT. What passes (RATE_LIMITED, SUBSCRIPTION_FAILED) is tried again instead.
     */
    onError?: (error: SubscriptionError) => void;
};
declare const Connection_base: new () => StateTarget;
/**
 * `waiting`: the connection is lost and comes back in `retryInMs`. `closed`: for good, by `close()`, because the server
 * refuses this user (`code` 4401, 4403, 1008), or because `getToken` gave no token; `connect()` starts again.
 *
 * `refused` says why the server let nobody in: `signed_out`: it does not know the token or session (any more), or there
 * is none; `not_permitted`: it knows the user, who may not view calls (any more).
 *
 * @typedef {"connecting" | "open" | "waiting" | "closed"} State
 * @typedef {"signed_out" | "not_permitted"} Refusal
 * @typedef {{ state: State, code?: number, reason?: string, retryInMs?: number, refused?: Refusal }} StateChange
 */
/**
 * What the client needs of a WebSocket class: the browser's, that of Node 22 and newer, or the package `ws`.
 *
 * @typedef {{ readonly readyState: number, onopen: any, onmessage: any, onclose: any, onerror: any,
 *   send(data: string): void, close(): void }} Socket
 * @typedef {new (url: string, protocols: string[]) => Socket} SocketClass
 */
/**
 * @typedef {{
 *   addEventListener(type: "state", listener: (event: CustomEvent<StateChange>) => void,
 *     options?: boolean | AddEventListenerOptions): void,
 *   removeEventListener(type: "state", listener: (event: CustomEvent<StateChange>) => void,
 *     options?: boolean | EventListenerOptions): void,
 * } & EventTarget} StateTarget an EventTarget whose `state` events have a type
 */
/**
 * @typedef {object} ConnectionOptions
 * @property {string} [url] Callsite's address (`https://callsite.example`). Default: the server this page came from.
 * @property {() => string | null | Promise<string | null>} [getToken] Gives a JWT access token. Asked before every
 *   connection and again shortly before the token expires. If it fails it is asked again later; `null` means signed
 *   out: the client stops.
 * @property {string} [token] A JWT, when there is no `getToken`: the client stops when the token expires.
 *   With neither, the browser's session cookie speaks for the user (pages of callsite's own site only).
 * @property {(change: StateChange) => void} [onState] Hears the `state` events.
 * @property {SocketClass} [WebSocket] The class of sockets. Default: the global one, which Node has from 22 on.
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
 * @property {number} [after] The last `sequence_number` you have; 0 for everything from the start. Without it only
 *   what is said from now on comes, and for a call that has ended nothing but `onSubscribed`.
 * @property {(message: Confirmation) => void} [onSubscribed] The server has found the call; once per `subscribe`.
 * @property {(turn: Turn) => void} [onTurn]
 * @property {(message: CallStatus) => void} [onStatus] The call has ended.
 * @property {(message: CallCompleted) => void} [onCompleted] Its result, right behind. The subscription is over.
 * @property {(caughtUp: { identifier: string, missed: number }) => void} [onCaughtUp] After a reconnection, when
 *   every turn missed meanwhile (perhaps 0) has come through `onTurn`.
 * @property {(message: Reset) => void} [onReset] The turns were numbered anew (two records became one call) or are fewer
 *   than were seen: forget them, all come again.
 * @property {(error: SubscriptionError) => void} [onError] The subscription is over: CALL_NOT_FOUND,
 *   INVALID_IDENTIFIER, SUBSCRIPTION_LIMIT. What passes (RATE_LIMITED, SUBSCRIPTION_FAILED) is tried again instead.
 */
/**
 * One WebSocket that comes back by itself. Emits `state` events (a CustomEvent, its `detail` a StateChange).
 * Those who extend it hear `_opened` for every new connection and `_received` for every message.
 */
declare class Connection extends /** @type {new () => StateTarget} */ /** @type {new () => StateTarget} */ Connection_base {
    #private;
    /**
     * @param {string} path
     * @param {ConnectionOptions} options
     */
    constructor(path: string, options: ConnectionOptions);
    get state(): State;
    /** Connects again after `closed`; subscriptions go on where they were. The constructor has done it once. */
    connect(): void;
    /** Closes for good. */
    close(): void;
    /** @protected */
    protected _opened(): void;
    /**
     * @protected
     * @param {any} message
     */
    protected _received(message: any): void;
    /**
     * @protected
     * @param {object} message
     */
    protected _send(message: object): void;
}
export type Subscription = {
    identifier: string;
    handlers: SubscribeOptions;
    /**
     * the last turn seen; null: none asked for, so the confirmation tells where it begins
     */
    last: number | null;
    /**
     * its request waits to be sent or answered
     */
    asked: boolean;
    /**
     * known once confirmed; the call may get another one later
     */
    callSid?: string;
    /**
     * likewise
     */
    conversationId?: string | null;
    /**
     * the place of a gap that was asked for already
     */
    gapAt?: number;
    /**
     * its call_status was told
     */
    ended?: boolean;
    /**
     * what was missed; `to` is known once confirmed
     */
    catchUp?: {
        from: number;
        to: number | null;
    };
};
export type Request = {
    verb: "subscribe" | "unsubscribe";
    subscription: Subscription;
};
/** The turns of calls, live. */
export declare class CallsiteClient extends Connection {
    #private;
    /** @param {ConnectionOptions} [options] */
    constructor(options?: ConnectionOptions);
    /**
     * Listens to a call until it completes. Subscribing to the same identifier again replaces the first one.
     *
     * @param {string} identifier call_sid or conversation_id
     * @param {SubscribeOptions} options
     */
    subscribe(identifier: string, options: SubscribeOptions): void;
    /** @param {string} identifier as given to `subscribe` */
    unsubscribe(identifier: string): void;
    /** @protected */
    protected _opened(): void;
    /**
     * @protected
     * @param {any} message
     */
    protected _received(message: any): void;
}
export type Call = {
    call_sid: string;
    conversation_id: string | null;
    driver_id: string;
    agent_id: string;
    agent_name: string;
    direction: "inbound" | "outbound" | "";
    from_number: string;
    to_number: string;
    status: "in_progress" | "completed" | "failed";
    call_start_time: string | null;
    call_end_time: string | null;
    duration_seconds: number | null;
    last_sequence_number: number;
    last_turn: {
        speaker_type: "agent" | "driver";
        message_text: string;
        timestamp: string;
    } | null;
    call_successful: boolean | null;
    transcript_summary: string;
    cost: number | null;
    failure_reason: string;
    created_at: string;
};
/**
 * @typedef {{ call_sid: string, conversation_id: string | null, driver_id: string, agent_id: string,
 *   agent_name: string, direction: "inbound" | "outbound" | "", from_number: string, to_number: string,
 *   status: "in_progress" | "completed" | "failed", call_start_time: string | null, call_end_time: string | null,
 *   duration_seconds: number | null, last_sequence_number: number,
 *   last_turn: { speaker_type: "agent" | "driver", message_text: string, timestamp: string } | null,
 *   call_successful: boolean | null, transcript_summary: string, cost: number | null, failure_reason: string,
 *   created_at: string }} Call
 */
/** The list of calls, live: those in progress and the latest that ended. */
export declare class CallsFeed extends Connection {
    #private;
    /**
     * @param {ConnectionOptions & {
     *   onSnapshot: (calls: Call[]) => void,
     *   onChange: (call: Call) => void,
     * }} options `onSnapshot`: the whole list, which replaces what was there; it comes first, and again after a
     *   reconnection. `onChange`: one call began, went on or ended.
     */
    constructor({ onSnapshot, onChange, ...options }: ConnectionOptions & {
        onSnapshot: (calls: Call[]) => void;
        onChange: (call: Call) => void;
    });
    /** @protected */
    protected _opened(): void;
    /**
     * @protected
     * @param {any} message
     */
    protected _received(message: any): void;
}
export {};
