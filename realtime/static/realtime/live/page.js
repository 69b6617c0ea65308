/**
 * The live page: it shows the list from CallsFeed and the open call from CallsiteClient, with one clock for both.
 *
 * @module
 */

import { CallsFeed, CallsiteClient } from "../callsite-client.js";
import { missed } from "./calls.js";
import { Conversation } from "./conversation.js";
import { byId, setText } from "./dom.js";
import { Found } from "./found.js";
import { Keys } from "./keys.js";
import { CallList } from "./list.js";
import { showMissing } from "./missing.js";
import { Network } from "./network.js";
import { askStatus } from "./status.js";

const { hears, now: servedAt, staff, user } = document.body.dataset;
const [navigation] = performance.getEntriesByType("navigation");
const answeredAt = performance.timeOrigin + (/** @type {any} */ (navigation)?.responseStart ?? 0);
const offset = servedAt ? Number(servedAt) - answeredAt : 0;
const now = () => Date.now() + offset; // by the server's clock
const MISSING_MS = { empty: 15_000, staff: 60_000 }; // between two requests for notices

const list = new CallList(now);
const found = new Found(now, lookForMissing);
/** @type {Conversation | null} */
let opened = null;
/** @type {CallsiteClient | null} */
let client = null;
let known = false;
let lookedAt = -Infinity;

/** @param {string} text to a screen reader */
const say = (text) => setText(byId("announcer"), text);

/** Reconnects a lost connection now. @param {CallsFeed | CallsiteClient | null} connection */
function again(connection) {
  if (connection?.state !== "waiting" && connection?.state !== "closed") return;
  connection.close();
  connection.connect();
}

const network = new Network({
  user: user ?? "",
  say,
  askStatus,
  reload: () => location.reload(),
  retry: () => [feed, client].forEach(again),
  stop: () => [feed, client].forEach((connection) => connection?.close()),
});

const feed = new CallsFeed({
  onState: (change) => {
    network.changed("list", change);
    if (change.state === "open") again(client);
  },
  onSnapshot: (calls) => {
    network.live("list", known ? missed(list.calls(), calls) : null);
    known = true;
    list.replace(calls);
    refresh();
    if (list.isEmpty) lookForMissing();
  },
  onChange: (call) => {
    list.change(call);
    found.change(call);
    if (opened?.identifier === call.call_sid || opened?.identifier === call.conversation_id) opened?.show(call);
  },
  onTotals: (totals) => list.count(totals),
});

function clientOfTurns() {
  client ??= new CallsiteClient({
    onState: (change) => {
      if (opened?.listens) network.changed("call", change);
      if (change.state === "open") again(feed);
    },
  });
  again(client);
  return client;
}

/** Shows the open call with the data of the list. */
function refresh() {
  const call = opened && list.find(opened.identifier);
  if (call) opened?.show(call);
  const sid = call?.call_sid ?? opened?.identifier ?? null;
  list.mark(sid);
  found.mark(sid);
}

/** Opens the call that the address names, so that a reload, a bookmark and the back button work. */
function route() {
  const identifier = decoded(location.hash.slice(1));
  if (identifier === (opened?.identifier ?? "")) return;
  opened?.close();
  opened = null;
  network.forgetCall();
  document.body.classList.toggle("reading", identifier !== "");
  byId("nothing").hidden = identifier !== "";
  byId("opened").hidden = identifier === "";
  if (identifier) {
    const page = { client: clientOfTurns(), now, say, staff: staff !== undefined, hears: hears !== undefined, close, live: () => network.live("call") };
    opened = new Conversation(identifier, page);
    byId("opened").replaceChildren(...opened.elements);
    opened.open();
    if (matchMedia("(max-width: 760px)").matches) opened.heading.focus();
  } else {
    byId("opened").replaceChildren();
  }
  refresh();
}

function close() {
  const from = opened;
  if (!from) return;
  const call = list.find(from.identifier);
  history.pushState(null, "", location.pathname);
  route();
  list.link(call?.call_sid ?? from.identifier)?.focus();
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function lookForMissing() {
  lookedAt = Date.now();
  const status = await askStatus();
  network.heard(status);
  if (status.standing === "good") showMissing(list.isEmpty || staff !== undefined ? status.notices : []);
}

function tickMissing() {
  const every = list.isEmpty ? MISSING_MS.empty : staff === undefined ? Infinity : MISSING_MS.staff;
  if (!list.isEmpty && staff === undefined) showMissing([]);
  if (known && !document.hidden && Date.now() - lookedAt > every) lookForMissing();
}

new Keys(list, found, { opened: () => opened, close });
byId("lists").addEventListener("click", (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest("a");
  if (link?.hasAttribute("aria-current")) opened?.heading.focus(); // Enter on the open call moves the focus to it
});
addEventListener("hashchange", route);
addEventListener("popstate", route);
addEventListener("focus", () => network.looked());
document.addEventListener("visibilitychange", () => document.hidden || network.looked());
setInterval(() => {
  network.tick();
  if (document.body.dataset.network === "lost") return; // without a connection, the page cannot tell which calls are silent
  list.tick();
  found.tick();
  opened?.tick();
  tickMissing();
}, 1000);
route();
