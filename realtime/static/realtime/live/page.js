/**
 * The live page: the list from the calls feed, the open call from the client, the keyboard, and one clock for all.
 *
 * @module
 */

import { CallsFeed, CallsiteClient } from "../callsite-client.js";
import { counted, missed } from "./calls.js";
import { Conversation } from "./conversation.js";
import { byId, setText } from "./dom.js";
import { CallList } from "./list.js";
import { Network } from "./network.js";

const { now: servedAt, staff } = document.body.dataset;
const [navigation] = performance.getEntriesByType("navigation");
const answeredAt = performance.timeOrigin + (/** @type {any} */ (navigation)?.responseStart ?? 0);
const offset = servedAt ? Number(servedAt) - answeredAt : 0;
const now = () => Date.now() + offset; // by the server's clock

const list = new CallList(now);
/** @type {Conversation | null} */
let opened = null;
/** @type {CallsiteClient | null} */
let client = null;
let known = false;
const filter = /** @type {HTMLInputElement} */ (byId("filter"));

/** @param {string} text to a screen reader */
const say = (text) => setText(byId("announcer"), text);

const network = new Network({
  say,
  retry: () => {
    for (const connection of [feed, client]) {
      connection?.close();
      connection?.connect();
    }
  },
});

const feed = new CallsFeed({
  onState: (change) => network.changed(change),
  onSnapshot: (calls) => {
    network.live(known ? missed(list.calls(), calls) : null);
    known = true;
    list.replace(calls);
    refresh();
  },
  onChange: (call) => {
    list.change(call);
    if (opened?.identifier === call.call_sid || opened?.identifier === call.conversation_id) opened?.show(call);
  },
});

/** Shows the open call as the list now knows it. */
function refresh() {
  const call = opened && list.find(opened.identifier);
  if (call) opened?.show(call);
  list.mark(call?.call_sid ?? opened?.identifier ?? null);
}

/** The address names the open call, so that a reload, a bookmark and the back button find it. */
function route() {
  const identifier = decoded(location.hash.slice(1));
  if (identifier === (opened?.identifier ?? "")) return;
  opened?.close();
  opened = null;
  document.body.classList.toggle("reading", identifier !== "");
  byId("nothing").hidden = identifier !== "";
  byId("opened").hidden = identifier === "";
  if (identifier) {
    client ??= new CallsiteClient();
    opened = new Conversation(identifier, { client, now, say, staff: staff !== undefined, close });
    byId("opened").replaceChildren(...opened.elements);
    opened.open();
    if (isNarrow()) opened.heading.focus();
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
  if (call) list.link(call.call_sid)?.focus();
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const isNarrow = () => matchMedia("(max-width: 760px)").matches;

/** @param {number} by 1: down, -1: up */
function move(by) {
  const links = list.links();
  const at = links.indexOf(/** @type {any} */ (document.activeElement));
  const open = links.findIndex((link) => link.hasAttribute("aria-current"));
  const next = at < 0 ? Math.max(open, 0) : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next]?.focus();
  links[next]?.scrollIntoView({ block: "nearest" });
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const target = /** @type {HTMLElement} */ (event.target);
  const typing = target === filter;
  if (event.key === "/" && !typing) filter.select();
  else if (event.key === "Escape" && typing) leaveFilter();
  else if (event.key === "Escape" && opened) close();
  else if (target.closest("#conversation")) return; // there the arrows scroll
  else if (event.key === "ArrowDown") move(1);
  else if (event.key === "ArrowUp" && !typing) move(-1);
  else return;
  event.preventDefault();
}

function leaveFilter() {
  if (filter.value) {
    filter.value = "";
    filtered();
  } else {
    move(0);
  }
}

function filtered() {
  list.filter(filter.value);
  requestAnimationFrame(() => {
    setText(byId("filter-found"), filter.value ? `${counted(list.links().length, "call")} found` : "");
  });
}

filter.addEventListener("input", filtered);
document.addEventListener("keydown", pressed);
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  (opened?.heading ?? byId("conversation")).focus();
});
byId("lists").addEventListener("click", (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest("a");
  if (link?.hasAttribute("aria-current")) opened?.heading.focus(); // enter on the open call goes to it
});
addEventListener("hashchange", route);
addEventListener("popstate", route);
setInterval(() => {
  network.tick();
  if (document.body.dataset.network === "lost") return; // nobody knows who is silent
  list.tick();
  opened?.tick();
}, 1000);
route();
